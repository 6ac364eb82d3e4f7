/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From audit records to a policy. Each request is asked of an empty policy, and the engine's own answer to "what would
 * allow it" is merged by host: so spelling and escaping are the engine's, not a second copy. What comes out is loaded
 * before it is shown. Addresses of this machine, of its link and of metadata services are never learned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <json-c/json.h>

#include "base/diag.h"
#include "base/util.h"
#include "cli/learn.h"
#include "policy/policy.h"

#define FIX_MAX	   ((size_t)32 * 1024) /* bytes of one rendered entry */
#define LINE_DEPTH 8

struct learner {
	struct policy *empty;	     /* ref held */
	struct json_object *entries; /* owned: object, host -> allow_domain entry */
	struct path path;	     /* 18 KiB: kept off the stack */
	uint32_t requests, left_out;
};

struct learner *learner_new(void)
{
	struct learner *l = calloc(1, sizeof(*l));
	struct diag d;

	if (!l)
		return NULL;
	l->entries = json_object_new_object();
	if (!l->entries || policy_load("empty", STR("{}"), &l->empty, &d) < 0)
		return learner_free(l);
	return l;
}

struct learner *learner_free(struct learner *l)
{
	if (!l)
		return NULL;
	(void)json_object_put(l->entries);
	(void)policy_unref(l->empty);
	free(l);
	return NULL;
}

static struct str field(struct json_object *record, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(record, name, &value) || !json_object_is_type(value, json_type_string))
		return (struct str){ NULL, 0 };
	return str_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

static bool is_never_learned(const struct host *h)
{
	if (h->family == AF_INET)
		return h->bytes[0] == 127 || h->bytes[0] == 0 || (h->bytes[0] == 169 && h->bytes[1] == 254) ||
		       h->bytes[0] >= 224;
	if (h->family == AF_INET6)
		return h->bytes[0] == 0 || h->bytes[0] == 0xff || (h->bytes[0] == 0xfe && (h->bytes[1] & 0x80));
	return false;
}

static bool array_has(struct json_object *array, struct json_object *value)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (json_object_equal(json_object_array_get_idx(array, i), value))
			return true;
	return false;
}

/* An entry that the engine rendered, into those we have. */
static int merge(struct learner *l, struct json_object *entry)
{
	struct json_object *host, *paths, *have, *have_paths;

	if (!json_object_object_get_ex(entry, "host", &host) || !json_object_object_get_ex(entry, "paths", &paths) ||
	    !json_object_is_type(paths, json_type_array))
		return -EBADMSG;
	if (l->requests >= LEARN_REQUESTS_MAX)
		return -E2BIG;
	if (!json_object_object_get_ex(l->entries, json_object_get_string(host), &have)) {
		l->requests += (uint32_t)json_object_array_length(paths);
		return json_object_object_add(l->entries, json_object_get_string(host), json_object_get(entry)) < 0
			       ? -ENOMEM
			       : 0;
	}
	(void)json_object_object_get_ex(have, "paths", &have_paths);
	for (size_t i = 0; i < json_object_array_length(paths); i++) {
		struct json_object *row = json_object_array_get_idx(paths, i);

		if (array_has(have_paths, row))
			continue;
		if (l->requests >= LEARN_REQUESTS_MAX)
			return -E2BIG;
		if (json_object_array_add(have_paths, json_object_get(row)) < 0)
			return -ENOMEM;
		l->requests++;
	}
	return 0;
}

static int learn_request(struct learner *l, const struct policy_request *request)
{
	struct policy_decision decision = { 0 };
	struct json_object *entry;
	struct buf fix;
	int r;

	buf_init(&fix, FIX_MAX);
	policy_decide(l->empty, request, &decision);
	r = policy_render_fix(l->empty, request, &decision, &fix);
	if (r == 0 && buf_len(&fix) == 0) {
		l->left_out++; /* no policy can allow it: a method in lower case */
		buf_done(&fix);
		return 0;
	}
	if (r == 0)
		r = buf_append(&fix, str_make("", 1));
	entry = r == 0 ? json_tokener_parse(buf_data(&fix)) : NULL;
	if (r == 0)
		r = entry ? merge(l, entry) : -EBADMSG;
	if (entry)
		(void)json_object_put(entry);
	buf_done(&fix);
	return r;
}

static int take_exchange(struct learner *l, struct json_object *record)
{
	struct policy_origin origin = { .scheme = POLICY_HTTPS };
	const struct str method = field(record, "method");
	const struct str scheme = field(record, "scheme");
	const struct policy_request request = { .origin = &origin, .method = method, .path = &l->path };
	struct json_object *port;
	int64_t number;

	if (method.n == 0 || host_parse(field(record, "host"), &origin.host) < 0 ||
	    !json_object_object_get_ex(record, "port", &port))
		return -EBADMSG;
	number = json_object_get_int64(port);
	if (number <= 0 || number > UINT16_MAX || path_parse(field(record, "path"), &l->path) != WHY_allowed)
		return -EBADMSG;
	origin.port = (uint16_t)number;
	if (str_eq(scheme, STR("http")))
		origin.scheme = POLICY_HTTP;
	if (is_never_learned(&origin.host))
		return -EPERM;
	return learn_request(l, &request);
}

/* Whether the policy could allow it: what is malformed or broken cannot be learned. */
static bool is_learnable(struct json_object *record)
{
	static const char *const codes[] = { "host_not_allowed", "path_not_allowed", "method_not_allowed",
					     "plain_http" };
	const struct str code = field(record, "code");

	if (!str_eq(field(record, "kind"), STR("exchange")))
		return false;
	if (str_eq(field(record, "decision"), STR("allow")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (str_eq(code, str_of(codes[i])))
			return true;
	return false;
}

void learner_take(struct learner *l, struct str line)
{
	struct json_tokener *tokener = json_tokener_new_ex(LINE_DEPTH);
	struct json_object *record = tokener ? json_tokener_parse_ex(tokener, line.p, (int)line.n) : NULL;

	if (record && json_object_is_type(record, json_type_object) && is_learnable(record) &&
	    take_exchange(l, record) < 0)
		l->left_out++;
	(void)json_object_put(record);
	if (tokener)
		json_tokener_free(tokener);
}

static int render(struct learner *l, struct buf *out)
{
	int r = buf_append(out, STR("{ \"network\": { \"allow_domain\": ["));
	const char *separator = "\n";

	json_object_object_foreach(l->entries, host, entry)
	{
		const char *text = json_object_to_json_string_ext(entry, JSON_C_TO_STRING_SPACED |
										 JSON_C_TO_STRING_NOSLASHESCAPE);

		(void)host;
		if (r == 0)
			r = text ? buf_printf(out, "%s    %s", separator, text) : -ENOMEM;
		separator = ",\n";
	}
	return r == 0 ? buf_append(out, STR("\n] } }\n")) : r;
}

int learner_render(struct learner *l, struct learned *ret)
{
	struct learned out = { .requests = l->requests, .left_out = l->left_out };
	struct policy *policy = NULL;
	struct diag d;
	int r = 0;

	buf_init(&out.text, LEARN_TEXT_MAX);
	if (l->requests > 0) {
		r = render(l, &out.text);
		if (r == 0) /* a suggestion that does not load is worse than none */
			r = policy_load("learned", buf_str(&out.text), &policy, &d);
	}
	(void)policy_unref(policy);
	if (r < 0) {
		buf_done(&out.text);
		return r;
	}
	*ret = out;
	return 0;
}
