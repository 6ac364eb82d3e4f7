/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names a certificate may carry: a DNS name of letters, digits, hyphens and underscores, or the text of an
 * address. Anything else is refused, nothing is repaired except the case of letters.
 */
#ifndef BRIDLE_TLS_NAME_H
#define BRIDLE_TLS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define TLS_NAME_MAX 253 /* bytes of a DNS name, RFC 1035 2.3.4 less the two of the wire form */

struct tls_name {
	char text[TLS_NAME_MAX + 1]; /* lower case, NUL-terminated; addresses as inet_ntop writes them */
	uint16_t len;
	uint8_t address_size; /* 4, 16, or 0 for a DNS name */
	uint8_t address[16];  /* network order */
};

static inline struct str tls_name_str(const struct tls_name *n)
{
	return (struct str){ n->text, n->len };
}

/* 0 or -EINVAL. */
int tls_name_parse(struct str s, struct tls_name *ret);

#endif
