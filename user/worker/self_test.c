/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer that a new sandbox's self-test waits for: that the kernel turned a connection round, that the keeper signed
 * a leaf and that this worker reads requests. Only for the name of a reserved domain, over TLS, with the nonce that the
 * supervisor made for this sandbox; whatever misses one of them is decided by policy like any other request. Nothing
 * goes upstream, and there is no record: the command, which the records are about, does not exist yet.
 */
#include <openssl/crypto.h>

#include "base/self_test.h"
#include "worker/exchange.h"

static bool knows_nonce(const struct exchange *x)
{
	struct str nonce = x->worker->snapshot.self_test, path = x->request.path;

	return nonce.n == SELF_TEST_NONCE_SIZE - 1 && path.n == nonce.n + 1 &&
	       CRYPTO_memcmp(path.p + 1, nonce.p, nonce.n) == 0;
}

enum step stage_self_test(struct exchange *x)
{
	const struct http_body none = { .kind = HTTP_BODY_NONE };
	const struct http_fields fields = { 0 };
	struct conn *c = x->conn;

	if (!c->ssl || !str_eq(conn_sni(c), STR(SELF_TEST_HOST)) || !knows_nonce(x))
		return STEP_NEXT;
	x->audited = true;
	x->request_done = true;
	x->request.keep_alive = false;
	if (h1_write_response(&c->out, 204, STR(""), &fields, &none, false, false) == 0)
		x->answered = true;
	return STEP_END;
}
