/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy file: an error says where, within the text; what loads can be asked and printed. What the fix of a refusal says,
 * loaded as a policy of its own, allows the request.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/policy.h"

static struct path path;

static void check_fix(const struct policy *p, const struct policy_request *request, const struct policy_decision *d)
{
	struct policy *fixed = NULL;
	struct policy_decision after;
	struct diag diag;
	struct buf text;

	buf_init(&text, 65536);
	assert(buf_append(&text, STR("{\"network\":{\"allow_domain\":[")) == 0);
	assert(policy_render_fix(p, request, d, &text) == 0);
	assert(buf_append(&text, STR("]}}")) == 0);
	assert(policy_load("fix", buf_str(&text), &fixed, &diag) == 0);
	policy_decide(fixed, request, &after);
	assert(after.why == WHY_allowed);
	policy_unref(fixed);
	buf_done(&text);
}

static void ask(const struct policy *p, const char *host, enum policy_scheme scheme, const char *method)
{
	struct policy_origin origin = { .scheme = scheme, .port = scheme == POLICY_HTTP ? 80 : 443 };
	const struct policy_request request = { .origin = &origin, .path = &path, .method = str_of(method) };
	struct policy_decision d;
	struct buf fix;

	assert(host_parse(str_of(host), &origin.host) == 0);
	policy_decide(p, &request, &d);
	assert(d.why != WHY_undecided && (d.why == WHY_allowed || !d.credential));
	assert(d.why != WHY_allowed || (d.route && policy_name_is_known(p, &origin.host)));
	buf_init(&fix, 65536);
	assert(policy_render_fix(p, &request, &d, &fix) == 0);
	assert(!buf_len(&fix) || d.why != WHY_allowed);
	if (d.why == WHY_host_not_allowed && buf_len(&fix)) /* empty where the other scheme has the host and port */
		check_fix(p, &request, &d);
	buf_done(&fix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "/api/v4/projects/7", "/a/b/c", "/m/1/2/z", "/v1-2/x",
					     "/f/x.tar.gz",	   "/x//y" };
	char *copy = fuzz_copy(data, size);
	struct diag diag = { 0 };
	struct policy *p = NULL;
	struct buf table;
	int r = policy_load("fuzz.json", str_make(copy, size), &p, &diag);

	if (r < 0) {
		assert(!p && (r == -ENOMEM || diag.text[0]));
		assert(diag.line <= size + 1 && diag.column <= size + 2);
		free(copy);
		return 0;
	}
	memset(copy, 'x', size); /* the policy borrows nothing of it */
	policy_unref(policy_ref(p));
	assert(strlen(policy_generation(p)) == 16);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert(path_parse(str_of(paths[i]), &path) == WHY_allowed);
		ask(p, "a.example.com", POLICY_HTTPS, "GET");
		ask(p, "gitlab.example.com", POLICY_HTTPS, "DELETE");
		ask(p, "x.b.example.com", POLICY_HTTP, "POST");
	}
	buf_init(&table, 4u << 20);
	(void)policy_render_table(p, &table);
	buf_done(&table);
	policy_unref(p);
	free(copy);
	return 0;
}
