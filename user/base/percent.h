/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986 2.1), one escape at a time: what to do with it is the caller's. */
#ifndef BRIDLE_BASE_PERCENT_H
#define BRIDLE_BASE_PERCENT_H

#include "base/str.h"

/* 0-15, or -1 when c is no hex digit. */
static inline int percent_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte (0-255) that %XX at the start of s stands for, or -1 when none stands there. */
static inline int percent_byte(struct str s)
{
	int high, low;

	if (s.n < 3 || s.p[0] != '%')
		return -1;
	high = percent_digit(s.p[1]);
	low = percent_digit(s.p[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

#endif
