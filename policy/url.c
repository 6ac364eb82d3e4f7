/* SPDX-License-Identifier: Apache-2.0 */
/* URLs as people type them for `bridle why`. */
#include "policy/url.h"

#include <errno.h>

int url_parse(struct str s, struct policy_origin *ret_origin, struct str *ret_path, struct str *ret_query,
	      bool *ret_has_query, const char **ret_error)
{
	struct policy_origin origin = { .scheme = POLICY_HTTPS };
	size_t end = 0, question;

	s.n = str_find(s, '#');
	if (str_starts(s, STR("https://"))) {
		s = str_from(s, 8);
	} else if (str_starts(s, STR("http://"))) {
		origin.scheme = POLICY_HTTP;
		s = str_from(s, 7);
	} else {
		*ret_error = "expected https://host[:port]/path or http://host[:port]/path";
		return -EINVAL;
	}
	while (end < s.n && s.p[end] != '/' && s.p[end] != '?')
		end++;
	if (authority_parse(str_make(s.p, end), origin.scheme == POLICY_HTTP ? 80 : 443, &origin.host, &origin.port) <
	    0) {
		*ret_error = "the host is no DNS name, IPv4 address or [IPv6] address, or the port is none";
		return -EINVAL;
	}
	s = str_from(s, end);
	question = str_find(s, '?');
	*ret_origin = origin;
	*ret_path = question ? str_make(s.p, question) : STR("/");
	*ret_has_query = question < s.n;
	*ret_query = str_from(s, question + 1);
	return 0;
}
