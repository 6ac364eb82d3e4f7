/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts in canonical form. Names become lower-case A-labels without a trailing dot (RFC 5891 by libidn2); addresses are taken
 * only in the spelling that inet_ntop would print or RFC 4291 allows; 0x7f.1, 127.1, zone ids and the like are refused.
 */
#include "policy/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <idn2.h>

#include "base/utf8.h"

#define LABEL_MAX      63
#define NAME_MAX_BYTES 253

static bool label_is_valid(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

/* A last label of digits, or 0x…: resolvers read such names as addresses (WHATWG URL, inet_aton). */
static bool looks_numeric(struct str label)
{
	bool digits = label.n > 0;

	for (size_t i = 0; i < label.n; i++)
		digits &= label.p[i] >= '0' && label.p[i] <= '9';
	return digits || str_starts(label, STR("0x"));
}

static bool name_is_valid(struct str name)
{
	struct str label = { 0 };

	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return false;
	while (true) {
		size_t dot = str_find(name, '.');

		label = str_make(name.p, dot);
		if (!label_is_valid(label))
			return false;
		if (dot == name.n)
			break;
		name = str_from(name, dot + 1);
	}
	return !looks_numeric(label);
}

void host_from_address(int family, const uint8_t *bytes, struct host *ret)
{
	struct host h = { .is_address = true, .family = (uint8_t)family };

	memcpy(h.bytes, bytes, family == AF_INET ? 4 : 16);
	(void)inet_ntop(family, bytes, h.text, sizeof(h.text));
	h.len = (uint16_t)strlen(h.text);
	*ret = h;
}

static int parse_address(struct str s, int family, struct host *ret)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (s.n == 0 || s.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (strlen(text) != s.n || inet_pton(family, text, bytes) != 1)
		return -EINVAL;
	host_from_address(family, bytes, ret);
	return 0;
}

/* U-labels to A-labels; plain ASCII is only lowered, so that no library rule can change it. */
static int to_ascii(struct str s, char *out, size_t size, size_t *ret_len)
{
	char text[HOST_MAX + 1];
	char *ascii = NULL;
	bool plain = true;
	size_t n;

	if (s.n == 0 || s.n > HOST_MAX)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		plain &= (unsigned char)s.p[i] < 0x80;
		text[i] = ascii_lower(s.p[i]);
		if (s.p[i] == '\0')
			return -EINVAL;
	}
	text[s.n] = '\0';
	if (plain) {
		memcpy(out, text, s.n + 1);
		*ret_len = s.n;
		return 0;
	}
	/* not with IDN2_USE_STD3_ASCII_RULES: it drops '/', '#', '@' and what maps to them, where name_is_valid() refuses */
	if (!utf8_is_valid(s) || idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return -EINVAL;
	n = strlen(ascii);
	if (n < size)
		memcpy(out, ascii, n + 1);
	free(ascii);
	if (n >= size)
		return -EINVAL;
	*ret_len = n;
	return 0;
}

int host_parse(struct str s, struct host *ret)
{
	struct host h = { 0 };
	size_t n = 0;

	if (s.n >= 2 && s.p[0] == '[')
		return s.p[s.n - 1] == ']' ? parse_address(str_make(s.p + 1, s.n - 2), AF_INET6, ret) : -EINVAL;
	if (str_find(s, ':') < s.n)
		return parse_address(s, AF_INET6, ret);
	if (parse_address(s, AF_INET, ret) == 0)
		return 0;
	if (to_ascii(s, h.text, sizeof(h.text), &n) < 0)
		return -EINVAL;
	if (n > 1 && h.text[n - 1] == '.')
		h.text[--n] = '\0';
	if (!name_is_valid(str_make(h.text, n)))
		return -EINVAL;
	h.len = (uint16_t)n;
	*ret = h;
	return 0;
}

int authority_parse(struct str s, uint16_t default_port, struct host *ret_host, uint16_t *ret_port)
{
	size_t colon;
	uint64_t port = default_port;
	struct host host;

	if (str_find(s, '@') < s.n)
		return -EINVAL; /* refuse: userinfo reads as another host to some */
	if (s.n > 0 && s.p[0] == '[') {
		size_t end = str_find(s, ']');

		if (end == s.n)
			return -EINVAL;
		colon = end + 1;
		if (colon < s.n && s.p[colon] != ':')
			return -EINVAL;
	} else {
		colon = str_find(s, ':');
	}
	if (colon < s.n) {
		struct str digits = str_from(s, colon + 1);

		if (digits.n > 5 || str_to_u64(digits, &port) < 0 || port == 0 || port > 65535)
			return -EINVAL;
	}
	if (host_parse(str_make(s.p, colon), &host) < 0 || (host.family == AF_INET6 && s.p[0] != '['))
		return -EINVAL;
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return 0;
}
