/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, authorities, URLs and names for certificates: the canonical form is a fixed point. */
#include "fuzz.h"

#include "policy/policy.h"
#include "policy/url.h"
#include "tls/name.h"

static void check_host(const struct host *h)
{
	struct host again;

	assert(h->len > 0 && h->len <= HOST_MAX && h->text[h->len] == '\0');
	assert(host_parse(host_str(h), &again) == 0);
	assert(strcmp(h->text, again.text) == 0 && h->is_address == again.is_address && h->family == again.family);
	for (size_t i = 0; i < h->len; i++)
		assert((unsigned char)h->text[i] > 0x20 && (unsigned char)h->text[i] < 0x7f &&
		       !(h->text[i] >= 'A' && h->text[i] <= 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	struct str s = str_make(copy, size), path, query;
	struct policy_origin origin;
	struct tls_name name, name2;
	const char *error = NULL;
	bool has_query;
	struct host h;
	uint16_t port;

	if (host_parse(s, &h) == 0)
		check_host(&h);
	if (authority_parse(s, 443, &h, &port) == 0) {
		check_host(&h);
		assert(port > 0);
	}
	if (url_parse(s, &origin, &path, &query, &has_query, &error) == 0) {
		check_host(&origin.host);
		assert(path.n > 0 && path.p[0] == '/' && origin.port > 0);
	} else {
		assert(error);
	}
	if (tls_name_parse(s, &name) == 0) {
		assert(tls_name_parse(tls_name_str(&name), &name2) == 0);
		assert(strcmp(name.text, name2.text) == 0 && name.address_size == name2.address_size);
	}
	free(copy);
	return 0;
}
