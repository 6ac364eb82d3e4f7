/* SPDX-License-Identifier: Apache-2.0 */
/* Text to compiled policy: strict walk, tree, keys of the top level, then the other load_*.c files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/util.h"
#include "policy/reader.h"

static int load_top(struct reader *r, struct json_object *root)
{
	static const char *const known[] = { "version", "$schema", "network", "custom_credentials", "tls", NULL };
	struct json_object *version, *part;
	int e = reader_object(r, root, "the policy");

	if (e == 0)
		e = reader_keys(r, root, known, "at the top level");
	if (e < 0)
		return e;
	version = reader_member(root, "version");
	if (version && (!json_object_is_type(version, json_type_int) || json_object_get_int64(version) != 1))
		return reader_fail(r, version, "\"version\" must be 1");
	part = reader_member(root, "network");
	if (part)
		e = load_network(r, part);
	part = reader_member(root, "custom_credentials");
	if (e == 0 && part)
		e = load_credentials(r, part);
	part = reader_member(root, "tls");
	if (e == 0 && part)
		e = load_tls(r, part);
	if (e == 0)
		e = load_bind(r);
	return e;
}

/* FNV-1a over the text: names a generation in the audit, decides nothing. */
static void set_generation(struct policy *p, struct str text)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001b3ull;
	(void)snprintf(p->generation, sizeof(p->generation), "%016llx", (unsigned long long)hash);
}

static int parse(struct reader *r, struct str text, struct json_object **ret)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	struct json_object *root;
	bool ok;

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text.p, (int)text.n);
	/* a bare number has no end in json-c until told; the walk has already seen that the text is whole */
	ok = json_tokener_get_error(tokener) == json_tokener_success;
	json_tokener_free(tokener);
	if (!ok) {
		json_object_put(root);
		return diag_set(r->reterr, r->file, 1, 1, "the policy must be an object {…}");
	}
	*ret = root;
	return 0;
}

int policy_load(const char *file, struct str text, struct policy **ret, struct diag *reterr)
{
	struct reader r = { .reterr = reterr, .file = file };
	struct json_object *root = NULL;
	int e;

	if (text.n > POLICY_TEXT_MAX)
		return diag_set(reterr, file, 0, 0, "the policy is larger than %zu bytes", POLICY_TEXT_MAX);
	r.policy = calloc(1, sizeof(*r.policy));
	if (!r.policy)
		return -ENOMEM;
	r.policy->refs = 1;
	r.policy->file = pool_str(&r.policy->pool, str_of(file));
	r.policy->proxy_ports[0] = 3128;
	r.policy->proxy_ports[1] = 8080;
	r.policy->n_proxy_ports = 2;
	set_generation(r.policy, text);
	e = json_walk(&r.policy->pool, file, text, &r.places, reterr);
	if (e == 0)
		e = parse(&r, text, &root);
	if (e == 0) {
		e = reader_tie(&r, root);
		if (e == 0)
			e = load_top(&r, root);
		json_object_put(root);
	}
	if (e < 0) {
		policy_unref(r.policy);
		return e;
	}
	*ret = r.policy;
	return 0;
}

struct policy *policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

struct policy *policy_unref(struct policy *p)
{
	if (p && --p->refs == 0) {
		pool_done(&p->pool);
		free(p);
	}
	return NULL;
}

const char *policy_generation(const struct policy *p)
{
	return p->generation;
}

static int load_trust(struct reader *r, struct json_object *trust)
{
	struct policy *p = r->policy;
	size_t n;
	int e = reader_array(r, trust, "\"trust\"");

	if (e < 0)
		return e;
	n = json_object_array_length(trust);
	p->trust = pool_alloc(&p->pool, (n + 1) * sizeof(*p->trust));
	if (!p->trust)
		return -ENOMEM;
	for (size_t i = 0; i < n && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(trust, i);

		e = reader_string(r, item, "each path in \"trust\"", &p->trust[i]);
		if (e == 0 && p->trust[i][0] != '/')
			e = reader_fail(r, item, "a path in \"trust\" must be absolute: \"/path/ca.pem\"");
	}
	p->n_trust = n;
	return e;
}

int load_tls(struct reader *r, struct json_object *tls)
{
	static const char *const known[] = { "trust", "ca", NULL }, *const known_ca[] = { "cert", "key", NULL };
	struct json_object *trust = reader_member(tls, "trust"), *ca = reader_member(tls, "ca"), *cert, *key;
	const char *path;
	int e = reader_object(r, tls, "\"tls\"");

	if (e == 0)
		e = reader_keys(r, tls, known, "in \"tls\"");
	if (e == 0 && trust)
		e = load_trust(r, trust);
	if (e < 0 || !ca)
		return e;
	e = reader_object(r, ca, "\"ca\"");
	if (e == 0)
		e = reader_keys(r, ca, known_ca, "in \"tls.ca\"");
	if (e < 0)
		return e;
	cert = reader_member(ca, "cert");
	key = reader_member(ca, "key");
	if (!cert || !key)
		return reader_fail(r, ca, "\"ca\" needs both \"cert\" and \"key\"");
	e = reader_string(r, cert, "\"cert\"", &r->policy->ca_cert);
	if (e == 0)
		e = reader_string(r, key, "\"key\"", &r->policy->ca_key);
	if (e == 0)
		e = load_file_uri(r, cert, r->policy->ca_cert, &path);
	return e == 0 ? load_file_uri(r, key, r->policy->ca_key, &path) : e;
}
