/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which bytes may become the subject alternative name of a leaf or the name a server is checked for.
 * Trusts nothing: server names come from the sandbox. Refused are empty and long labels, hyphens at a label's end,
 * trailing dots, wildcards, every byte outside the host alphabet, and names whose last label is numeric, because
 * some readers would take those for addresses (RFC 1123 2.1).
 */
#include "tls/name.h"

#include <arpa/inet.h>
#include <errno.h>

#define LABEL_MAX 63

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool label_is_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_host_byte(label.p[i]))
			return false;
	return true;
}

/* "123" and "0x7f": what the WHATWG URL standard calls a name that ends in a number. */
static bool label_is_number(struct str label)
{
	bool hex = label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x';

	for (size_t i = hex ? 2 : 0; i < label.n; i++) {
		char c = label.p[i];

		if (!((c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static int parse_address(const char *text, struct tls_name *n)
{
	unsigned char bytes[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, bytes) != 1)
		return -EINVAL;
	n->address_size = family == AF_INET6 ? 16 : 4;
	memcpy(n->address, bytes, n->address_size);
	if (!inet_ntop(family, n->address, n->text, sizeof(n->text)))
		return -EINVAL;
	n->len = (uint16_t)strlen(n->text);
	return 0;
}

int tls_name_parse(struct str s, struct tls_name *ret)
{
	struct tls_name n = { 0 };
	struct str rest, label = { NULL, 0 };

	if (s.n == 0 || s.n > TLS_NAME_MAX)
		return -EINVAL; /* refuse: no name, or longer than DNS knows */
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			return -EINVAL; /* refuse: what follows a NUL would be seen by some readers only */
		n.text[i] = ascii_lower(s.p[i]);
	}
	n.len = (uint16_t)s.n;
	if (parse_address(n.text, &n) == 0) {
		*ret = n;
		return 0;
	}
	rest = tls_name_str(&n);
	for (;;) {
		const char *dot = memchr(rest.p, '.', rest.n);

		label = str_make(rest.p, dot ? (size_t)(dot - rest.p) : rest.n);
		if (!label_is_valid(label))
			return -EINVAL; /* refuse: not a host name */
		if (!dot)
			break;
		rest = str_make(dot + 1, rest.n - label.n - 1);
	}
	if (label_is_number(label))
		return -EINVAL; /* refuse: an odd spelling of an address */
	*ret = n;
	return 0;
}
