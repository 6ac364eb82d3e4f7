/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host[:port] as Host, CONNECT and a target name it: what is read, written anew, is read as the same; and a URL with that authority
 * names the same host and port.
 */
#include "fuzz.h"

#include <stdio.h>
#include <sys/socket.h>

#include "policy/policy.h"
#include "policy/url.h"

static void check_url(struct str s, const struct host *h, uint16_t port)
{
	struct str path, query, url;
	struct policy_origin origin;
	const char *error = NULL;
	char *text = malloc(s.n + 16);
	bool has_query;

	assert(text);
	memcpy(text, "https://", 8);
	memcpy(text + 8, s.p, s.n);
	text[8 + s.n] = '/';
	url = str_make(text, s.n + 9);
	if (url_parse(url, &origin, &path, &query, &has_query, &error) == 0)
		assert(strcmp(origin.host.text, h->text) == 0 && origin.port == port && str_eq(path, STR("/")));
	else
		assert(error);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size), text[HOST_MAX + 16];
	struct str s = str_make(copy, size);
	struct host h, again, other;
	uint16_t port, port_again, port_other;

	if (authority_parse(s, 443, &h, &port) == 0) {
		assert(port > 0 && h.len > 0 && h.len <= HOST_MAX && h.text[h.len] == '\0');
		(void)snprintf(text, sizeof(text), h.family == AF_INET6 ? "[%s]:%u" : "%s:%u", h.text, port);
		assert(authority_parse(str_of(text), 1, &again, &port_again) == 0);
		assert(strcmp(h.text, again.text) == 0 && h.is_address == again.is_address && port == port_again);
		/* only a port that is not named is the default */
		assert(authority_parse(s, 80, &other, &port_other) == 0 && strcmp(h.text, other.text) == 0);
		assert(port_other == port || (port == 443 && port_other == 80));
		check_url(s, &h, port);
	} else {
		assert(authority_parse(s, 80, &other, &port_other) < 0);
	}
	free(copy);
	return 0;
}
