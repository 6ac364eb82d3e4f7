/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle why`: what the proxy would decide about one request, by the proxy's own code, and what would allow it. Exit
 * 0 allowed, 1 refused, 2 when the policy or the request cannot be read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/command.h"
#include "cli/policy_file.h"
#include "policy/policy.h"
#include "policy/url.h"

#define STATUS_ALLOWED 0
#define STATUS_REFUSED 1
#define STATUS_BAD     2

#define FIX_MAX	   ((size_t)64 * 1024)
#define OUTPUT_MAX ((size_t)256 * 1024)
#define PLACE_MAX  512

enum why_option { OPTION_POLICY, OPTION_JSON };

/* One question and its answer. */
struct question {
	struct policy_file file;
	struct policy_origin origin;
	struct str raw_path, query; /* borrowed from argv */
	bool has_query;
	struct path path;
	struct str method;
	struct policy_request request;
	struct policy_decision decision;
	struct buf fix; /* empty: nothing would allow it, or it is allowed */
	char rule[PLACE_MAX], route[PLACE_MAX];
};

static int ask(struct question *q)
{
	struct policy_decision *d = &q->decision;
	enum why path_why = path_parse(q->raw_path, &q->path);
	int r = 0;

	q->request = (struct policy_request){
		.origin = &q->origin,
		.method = q->method,
		.path = &q->path,
		.query = q->query,
		.has_query = q->has_query,
	};
	if (path_why != WHY_allowed) {
		d->why = path_why;
		return 0;
	}
	policy_decide(q->file.policy, &q->request, d);
	if (strstr(why_next(d->why), "{fix}"))
		r = policy_render_fix(q->file.policy, &q->request, d, &q->fix);
	if (d->route)
		(void)policy_route_describe(d->route, q->route, sizeof(q->route));
	if (d->rule)
		(void)policy_rule_describe(q->file.policy, d->rule, q->rule, sizeof(q->rule));
	return r;
}

static int put_line(struct buf *out, const char *label, struct str value)
{
	int r = value.n ? buf_printf(out, "  %-11s", label) : 0;

	if (value.n && r == 0)
		r = buf_append(out, value);
	return value.n && r == 0 ? buf_append(out, STR("\n")) : r;
}

/* why_next() with {fix} put in; the JSON stands on a line of its own. */
static int put_next(struct buf *out, const struct question *q)
{
	const struct str next = str_of(why_next(q->decision.why));
	const char *mark = strstr(next.p, "{fix}");
	int r;

	if (!mark)
		return put_line(out, "next", next);
	r = buf_printf(out, "  %-11s%.*s", "next", (int)(mark - next.p), next.p);
	if (r == 0 && buf_len(&q->fix) == 0)
		return buf_append(out, STR("a rule that allows it\n"));
	if (r == 0)
		r = buf_printf(out, "this line in %s:\n",
			       policy_fix_is_entry(&q->decision) ? "network.allow_domain"
								 : "the \"paths\" of this host");
	if (r == 0)
		r = buf_append(out, buf_str(&q->fix));
	return r == 0 ? buf_append(out, STR("\n")) : r;
}

static int render_text(const struct question *q, struct buf *out)
{
	const struct policy_decision *d = &q->decision;
	int r;

	if (d->why == WHY_allowed)
		r = buf_append(out, STR("allowed\n"));
	else
		r = buf_printf(out, "refused: %s (%s, %d)\n", why_sentence(d->why), why_symbol(d->why),
			       why_status(d->why));
	if (r == 0)
		r = put_line(out, "host", str_of(q->route));
	if (r == 0)
		r = put_line(out, "rule", str_of(q->rule));
	if (r == 0)
		r = put_line(out, "credential", str_of(d->credential ? d->credential->name : NULL));
	if (r == 0)
		r = put_line(out, "detail", str_of(d->detail));
	return r == 0 && d->why != WHY_allowed ? put_next(out, q) : r;
}

static int put_member(struct buf *out, const char *name, struct str value)
{
	int r;

	if (value.n == 0)
		return buf_printf(out, ",\"%s\":null", name);
	r = buf_printf(out, ",\"%s\":\"", name);
	if (r == 0)
		r = buf_append_json(out, value);
	return r == 0 ? buf_append(out, STR("\"")) : r;
}

static int render_json(const struct question *q, struct buf *out)
{
	const struct policy_decision *d = &q->decision;
	const struct {
		const char *name;
		struct str value;
	} members[] = {
		{ "code", str_of(why_symbol(d->why)) },
		{ "sentence", str_of(why_sentence(d->why)) },
		{ "method", q->method },
		{ "host", host_str(&q->origin.host) },
		{ "path", str_make(q->path.wire, q->path.wire_len) },
		{ "route", str_of(q->route) },
		{ "rule", str_of(q->rule) },
		{ "credential", str_of(d->credential ? d->credential->name : NULL) },
		{ "detail", str_of(d->detail) },
		{ "fix", buf_str(&q->fix) },
		{ "policy", str_of(policy_generation(q->file.policy)) },
	};
	int r = buf_printf(out, "{\"v\":1,\"allowed\":%s,\"status\":%d,\"port\":%u",
			   d->why == WHY_allowed ? "true" : "false", why_status(d->why), q->origin.port);

	for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
		r = put_member(out, members[i].name, members[i].value);
	return r == 0 ? buf_append(out, STR("}\n")) : r;
}

static int answer(struct question *q, bool json)
{
	struct buf out;
	int r;

	buf_init(&out, OUTPUT_MAX);
	r = ask(q);
	if (r == 0)
		r = json ? render_json(q, &out) : render_text(q, &out);
	if (r < 0)
		log_error("cannot answer: %s", strerror(-r));
	else if (fwrite(buf_data(&out), 1, buf_len(&out), stdout) != buf_len(&out) || fflush(stdout) != 0)
		r = -1;
	buf_done(&out);
	if (r < 0)
		return STATUS_BAD;
	return q->decision.why == WHY_allowed ? STATUS_ALLOWED : STATUS_REFUSED;
}

static bool is_token(struct str s)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      memchr(marks, c, sizeof(marks) - 1)))
			return false;
	}
	return s.n > 0;
}

static int why_main(const struct arguments *args)
{
	auto_free struct question *q = calloc(1, sizeof(*q));
	const char *error;
	int status = STATUS_BAD;

	if (!q || !args->values[OPTION_POLICY]) {
		log_error(q ? "which policy? add --policy FILE" : "out of memory");
		return STATUS_BAD;
	}
	q->method = str_of(args->rest[0]);
	if (!is_token(q->method)) {
		log_error("%s is no method; the order is METHOD URL, as in GET https://host/path", args->rest[0]);
		return STATUS_BAD;
	}
	if (url_parse(str_of(args->rest[1]), &q->origin, &q->raw_path, &q->query, &q->has_query, &error) < 0) {
		log_error("%s: %s", args->rest[1], error);
		return STATUS_BAD;
	}
	if (policy_file_load(args->values[OPTION_POLICY], &q->file) < 0)
		return STATUS_BAD;
	buf_init(&q->fix, FIX_MAX);
	status = answer(q, args->values[OPTION_JSON] != NULL);
	buf_done(&q->fix);
	policy_file_done(&q->file);
	return status;
}

const struct command command_why = {
	.name = "why",
	.rest = "METHOD URL",
	.rest_min = 2,
	.rest_max = 2,
	.usage_status = STATUS_BAD,
	.doc = "say whether a policy allows a request, by which rule, or what would allow it",
	.options = {
		[OPTION_POLICY] = { "policy", "FILE", "the policy to ask (required)" },
		[OPTION_JSON] = { "json", NULL, "answer as one JSON object" },
	},
	.run = why_main,
};
