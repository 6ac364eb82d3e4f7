/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 draws it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "base/utf8.h"

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The second byte decides whether a three- or four-byte form is overlong, a surrogate, or too large. */
static bool second_is_valid(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_tail(second);
	}
}

size_t utf8_sequence(struct str s)
{
	unsigned char first = s.n ? (unsigned char)s.p[0] : 0xff;
	size_t n;

	if (first < 0x80)
		return s.n ? 1 : 0;
	if (first >= 0xc2 && first <= 0xdf)
		n = 2;
	else if (first >= 0xe0 && first <= 0xef)
		n = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		n = 4;
	else
		return 0;
	if (s.n < n || !second_is_valid(first, (unsigned char)s.p[1]))
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (!is_tail((unsigned char)s.p[i]))
			return 0;
	}
	return n;
}

bool utf8_is_valid(struct str s)
{
	while (s.n > 0) {
		size_t n = utf8_sequence(s);

		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}
