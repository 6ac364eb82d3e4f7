/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one file beneath a directory descriptor. The directory's owner rotates it while it is read, so what comes
 * back is a whole file or an error, never a mixture.
 */
#ifndef BRIDLE_KEEPER_SOURCE_FILE_H
#define BRIDLE_KEEPER_SOURCE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Tells one state of a file from another. */
struct source_stamp {
	uint64_t device, inode, size;
	int64_t changed_ns, modified_ns; /* CLOCK_REALTIME */
};

bool source_stamp_eq(const struct source_stamp *a, const struct source_stamp *b);

/*
 * name: one component; links are followed as long as they stay beneath the directory. 0 and *ret_size bytes in buf
 * (never more than max), or -EALREADY when the file still has the stamp `unless` (may be NULL), -ENOENT, -EXDEV (a
 * link leads out of the directory), -ENOTSUP (no regular file), -EFBIG, -EAGAIN (it changed meanwhile), -errno.
 */
int source_file_read(int dir_fd, const char *name, unsigned char *buf, size_t max, const struct source_stamp *unless,
		     size_t *ret_size, struct source_stamp *ret_stamp);

/* What a person is told about an error of source_file_read(): static text. */
const char *source_file_error(int error);

/*
 * The secret in a file: everything but one newline at its end. NULL and *ret, or why it is none (static text): it is
 * empty, or holds a line break or another control byte, which would end a header field.
 */
const char *source_file_secret(struct str content, struct str *ret);

#endif
