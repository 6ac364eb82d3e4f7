/* SPDX-License-Identifier: Apache-2.0 */
/* Small tools of the language: ownership by the cleanup attribute, sizes, container_of. */
#ifndef BRIDLE_BASE_UTIL_H
#define BRIDLE_BASE_UTIL_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Hands an owned pointer on: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE(var)                               \
	__extension__({                         \
		__typeof__(var) taken_ = (var); \
		(var) = NULL;                   \
		taken_;                         \
	})

#define TAKE_FD(var)                \
	__extension__({             \
		int taken_ = (var); \
		(var) = -1;         \
		taken_;             \
	})

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}

/* Closes fd when it is one and returns -1, errno kept: fd = fd_close(fd). */
int fd_close(int fd);

static inline void cleanup_fd_(const int *fd)
{
	(void)fd_close(*fd);
}

static inline void cleanup_file_(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

#define auto_free __attribute__((cleanup(cleanup_free_)))
#define auto_fd	  __attribute__((cleanup(cleanup_fd_)))
#define auto_file __attribute__((cleanup(cleanup_file_)))

/* Defines cleanup_<name>_ for a destructor that takes NULL; use as auto_of(name) struct name *x = NULL; */
#define DEFINE_CLEANUP(type, func)                     \
	static inline void cleanup_##func##_(type **p) \
	{                                              \
		if (*p)                                \
			func(*p);                      \
	}
#define auto_of(func) __attribute__((cleanup(cleanup_##func##_)))

#endif
