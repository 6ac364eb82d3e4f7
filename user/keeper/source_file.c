/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source file://. Trusts the directory descriptor that the supervisor passed and nothing above it: the kernel
 * resolves the name beneath it (openat2 RESOLVE_BENEATH), so that Kubernetes' `..data` links work and a link to
 * /etc/shadow does not. Refuses devices and pipes, what does not fit, and what changes while it is read.
 */
#include "keeper/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/util.h"

#define OPEN_TRIES 8 /* the kernel asks for another try when a rename met the look-up */

bool source_stamp_eq(const struct source_stamp *a, const struct source_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed_ns == b->changed_ns &&
	       a->modified_ns == b->modified_ns;
}

static int open_beneath(int dir_fd, const char *name)
{
	/* O_NONBLOCK: a pipe must not hold the keeper up before it is refused. */
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	for (int i = 0; i < OPEN_TRIES; i++) {
		long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

static int stamp_of(int fd, struct source_stamp *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP; /* refuse: a directory, device or pipe is no secret */
	*ret = (struct source_stamp){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.changed_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
		.modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
	};
	return 0;
}

/* Up to max bytes; returns how many, or -errno. */
static long read_up_to(int fd, unsigned char *buf, size_t max)
{
	size_t total = 0;

	while (total < max) {
		ssize_t n = read(fd, buf + total, max - total);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		total += (size_t)n;
	}
	return (long)total;
}

int source_file_read(int dir_fd, const char *name, unsigned char *buf, size_t max, const struct source_stamp *unless,
		     size_t *ret_size, struct source_stamp *ret_stamp)
{
	auto_fd int fd = open_beneath(dir_fd, name);
	struct source_stamp before, after;
	long n;
	int r;

	if (fd < 0)
		return fd;
	r = stamp_of(fd, &before);
	if (r < 0)
		return r;
	if (unless && source_stamp_eq(unless, &before))
		return -EALREADY;
	if (before.size > max)
		return -EFBIG; /* refuse: more than a secret may have */
	n = read_up_to(fd, buf, max);
	if (n < 0)
		return (int)n;
	r = stamp_of(fd, &after);
	if (r < 0)
		return r;
	if (!source_stamp_eq(&before, &after) || (uint64_t)n != after.size)
		return -EAGAIN; /* refuse: half of one, half of another */
	*ret_size = (size_t)n;
	*ret_stamp = after;
	return 0;
}

const char *source_file_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "the file does not exist";
	case -EXDEV:
		return "the file is a link that leads out of its directory";
	case -ELOOP:
		return "the file is a link that is not followed";
	case -ENOTSUP:
		return "it is not a regular file";
	case -EFBIG:
		return "the file is too large";
	case -EAGAIN:
		return "the file is being changed";
	case -EACCES:
	case -EPERM:
		return "the file may not be read";
	default:
		return "the file cannot be read";
	}
}

const char *source_file_secret(struct str content, struct str *ret)
{
	if (content.n > 0 && content.p[content.n - 1] == '\n')
		content.n--;
	if (content.n == 0)
		return "the file is empty";
	for (size_t i = 0; i < content.n; i++) {
		unsigned char c = (unsigned char)content.p[i];

		if (c == '\n')
			return "the file holds more than one line";
		if (c == '\r')
			return "the file holds a carriage return (line ends of Windows?)";
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "the file holds a control byte";
	}
	*ret = content;
	return NULL;
}
