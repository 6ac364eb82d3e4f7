/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_BASE_UTF8_H
#define BRIDLE_BASE_UTF8_H

#include "base/str.h"

/*
 * Length (1-4) of the valid UTF-8 sequence at the start of s, or 0: empty, overlong, surrogate, above U+10FFFF or
 * cut (RFC 3629).
 */
size_t utf8_sequence(struct str s);

bool utf8_is_valid(struct str s);

#endif
