/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which session a new upstream connection may resume. Each is used once, so that two connections cannot be
 * linked by their tickets and a session the server dislikes is not tried twice. What expired meanwhile (the session
 * or the certificate it stands for) is never handed out: resuming skips the check of the chain.
 */
#include "tls/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/x509.h>

#include "base/util.h"

#define PER_KEY_MAX   4
#define SESSION_MAX_S 7200 /* the chain is checked again after this, whatever the server allows */

struct entry {
	struct entry *older, *newer; /* by time of arrival */
	SSL_SESSION *session;	     /* owned */
	size_t key_len;
	char key[];
};

struct sessions {
	struct entry *oldest, *newest;
	size_t count, max;
};

int sessions_new(size_t max, struct sessions **ret)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->max = max;
	*ret = s;
	return 0;
}

static void drop(struct sessions *s, struct entry *e)
{
	*(e->older ? &e->older->newer : &s->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &s->newest) = e->older;
	s->count--;
	SSL_SESSION_free(e->session);
	free(e);
}

struct sessions *sessions_free(struct sessions *s)
{
	if (!s)
		return NULL;
	while (s->oldest)
		drop(s, s->oldest);
	free(s);
	return NULL;
}

static bool entry_has(const struct entry *e, struct str key)
{
	return str_eq(str_make(e->key, e->key_len), key);
}

static void trim(struct sessions *s, struct str key)
{
	struct entry *last = NULL;
	size_t n = 0;

	for (struct entry *e = s->newest; e; e = e->older) {
		if (!entry_has(e, key))
			continue;
		last = e;
		n++;
	}
	if (n >= PER_KEY_MAX)
		drop(s, last);
	if (s->count >= s->max)
		drop(s, s->oldest);
}

void sessions_put(struct sessions *s, struct str key, const SSL_SESSION *session)
{
	struct entry *e = calloc(1, sizeof(*e) + key.n);

	/* A copy: the library marks the original unusable when its connection ends without a farewell. */
	if (e)
		e->session = SSL_SESSION_dup(session);
	if (!e || !e->session) {
		free(e);
		return;
	}
	if (key.n)
		memcpy(e->key, key.p, key.n);
	e->key_len = key.n;
	trim(s, key);
	e->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = e;
	s->newest = e;
	s->count++;
}

static bool may_resume(const SSL_SESSION *session)
{
	long life = MIN(SSL_SESSION_get_timeout(session), (long)SESSION_MAX_S);
	long age = (long)time(NULL) - SSL_SESSION_get_time(session);
	X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

	return SSL_SESSION_is_resumable(session) && age >= 0 && age < life && peer &&
	       X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

SSL_SESSION *sessions_take(struct sessions *s, struct str key)
{
	struct entry *e = s->newest, *older;
	SSL_SESSION *found = NULL;

	for (; e && !found; e = older) {
		older = e->older;
		if (!entry_has(e, key))
			continue;
		if (may_resume(e->session) && SSL_SESSION_up_ref(e->session))
			found = e->session;
		drop(s, e);
	}
	return found;
}
