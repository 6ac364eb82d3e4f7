/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of bytes of RFC 9110 and 9112, for the h1 files alone. */
#ifndef BRIDLE_HTTP_H1_CHARS_H
#define BRIDLE_HTTP_H1_CHARS_H

#include <stdbool.h>

enum h1_class { H1_NAME = 1, H1_TARGET = 2, H1_VALUE = 4, H1_HEX = 8, H1_TOKEN = 16 };

extern const unsigned char h1_classes[256];

static inline bool h1_is(unsigned char c, enum h1_class class)
{
	return (h1_classes[c] & class) != 0;
}

#endif
