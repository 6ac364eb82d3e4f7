/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_POLICY_URL_H
#define BRIDLE_POLICY_URL_H

#include "policy/policy.h"

/*
 * "https://host[:port][/path][?query]" for `bridle why`; spans point into s; no userinfo, a fragment is cut. The path is raw
 * ("/" when absent): path_parse() judges it. 0, or -EINVAL and a static sentence in *ret_error.
 */
int url_parse(struct str s, struct policy_origin *ret_origin, struct str *ret_path, struct str *ret_query,
	      bool *ret_has_query, const char **ret_error);

#endif
