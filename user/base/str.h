/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed spans of bytes. A struct str owns nothing, is not NUL-terminated and may hold any byte.
 */
#ifndef BRIDLE_BASE_STR_H
#define BRIDLE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p; /* borrowed; NULL only when n is 0 */
	size_t n;      /* bytes */
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })

static inline struct str str_of(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline struct str str_make(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII only and independent of the locale, like every function here that folds case. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Index of the first c in s, or s.n when there is none. */
size_t str_find(struct str s, char c);

/* From index `from` (clamped to s.n) to the end. */
struct str str_from(struct str s, size_t from);

/* Removes spaces and tabs at both ends (HTTP's OWS, RFC 9110 5.6.3). */
struct str str_trim_ows(struct str s);

/*
 * Strict decimal: digits only, at most 19 of them, at least one, no sign, fits into uint64_t.
 * 0, or -EINVAL with *ret untouched.
 */
int str_to_u64(struct str s, uint64_t *ret);

/* A NUL-terminated copy that the caller frees. NULL when memory is short. Bytes are copied as they are. */
char *str_dup(struct str s);

#endif
