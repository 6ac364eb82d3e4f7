/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed spans of bytes. Nothing here allocates but str_dup(), and nothing asks the locale. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	}
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(struct str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

struct str str_from(struct str s, size_t from)
{
	if (from >= s.n)
		return (struct str){ s.p ? s.p + s.n : NULL, 0 };
	return (struct str){ s.p + from, s.n - from };
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim_ows(struct str s)
{
	while (s.n > 0 && is_ows(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_ows(s.p[s.n - 1]))
		s.n--;
	return s;
}

int str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.n == 0 || s.n > 19) /* 19 nines fit into 64 bits */
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = value;
	return 0;
}

char *str_dup(struct str s)
{
	char *copy = malloc(s.n + 1);

	if (!copy)
		return NULL;
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}
