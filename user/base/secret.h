/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that must not be seen: in locked pages that are left out of core dumps and wiped on fork and on free.
 * Opaque, so that no format string can print one. Borrowed for the length of one call, never copied into an
 * arena, a log or an error.
 */
#ifndef BRIDLE_BASE_SECRET_H
#define BRIDLE_BASE_SECRET_H

#include <stddef.h>

#include "base/str.h"

#define SECRET_MAX ((size_t)16 * 1024) /* bytes of one secret */

struct secret;

/* Copies s. 0, or -EMSGSIZE, -ENOMEM. When pages cannot be locked (RLIMIT_MEMLOCK) they are still not dumpable. */
int secret_new(struct str s, struct secret **ret);

/* Wipes. NULL is fine. Returns NULL. */
struct secret *secret_free(struct secret *s);

/* The bytes, borrowed until secret_free(). */
struct str secret_bytes(const struct secret *s);

/* Constant time in the length of the longer one. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Wipes memory in a way that the compiler keeps. */
void secret_wipe(void *p, size_t n);

#endif
