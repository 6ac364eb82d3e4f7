/* SPDX-License-Identifier: Apache-2.0 */
/* Copying and removing a small directory tree, bounded in entries, bytes and depth. For trust_store.c. */
#ifndef BRIDLE_TLS_TREE_H
#define BRIDLE_TLS_TREE_H

#include <stddef.h>

#define TREE_ENTRIES_MAX 8192
#define TREE_BYTES_MAX	 ((size_t)64 * 1024 * 1024)
#define TREE_DEPTH_MAX	 4

/*
 * Copies what everybody may read beneath from_fd to to_fd: files as 0644, directories as 0755, symbolic links as
 * they are. Skips what others may not read, devices, sockets, and names in `skip` (NULL-terminated) at the top.
 * 0, or -E2BIG beyond the bounds, -ELOOP beyond the depth, -errno.
 */
int tree_copy(int from_fd, int to_fd, const char *const *skip);

/* Removes all beneath fd. 0 or -errno. */
int tree_empty(int fd);

#endif
