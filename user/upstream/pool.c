/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle legs, kept by origin and credential: a leg that carried one credential never carries another. The last used
 * goes first, so that the rest grow old and close. Whatever a server says on an idle leg, other than TLS tickets,
 * ends it: those bytes would become the answer to somebody's next request.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "base/util.h"
#include "upstream/leg.h"

static void idle_free(struct upstream *leg)
{
	leg->u->n_idle--;
	leg_free(leg);
}

static void idle_expired(struct timer *t)
{
	idle_free(container_of(t, struct upstream, idle));
}

void pool_idle_ready(struct upstream *leg)
{
	if (!leg_is_quiet(leg))
		idle_free(leg);
}

/* Makes room for one more leg of the key: its oldest goes when it has too many, or else the oldest of all. */
static void make_room(struct upstreams *u, const char *key)
{
	struct upstream *oldest = NULL, *oldest_of_key = NULL;
	size_t of_key = 0;

	if (u->n_idle < UPSTREAM_IDLE_PER_KEY_MAX)
		return;
	for (struct upstream *leg = u->idle; leg; leg = leg->next) {
		oldest = leg;
		if (strcmp(leg->key, key) != 0)
			continue;
		oldest_of_key = leg;
		of_key++;
	}
	if (of_key >= UPSTREAM_IDLE_PER_KEY_MAX)
		idle_free(oldest_of_key);
	else if (u->n_idle >= UPSTREAM_IDLE_MAX)
		idle_free(oldest);
}

/* Whether the next exchange would find it as if it were new. */
static bool may_be_kept(struct upstream *leg)
{
	return !leg->forgotten && !leg->error && !leg->read_done && !leg->write_done && buf_len(&leg->in) == 0 &&
	       buf_len(&leg->out) == 0 && leg->io.added && !(leg->ssl && SSL_has_pending(leg->ssl));
}

void pool_put(struct upstreams *u, struct upstream *leg)
{
	upstream_set_owner(leg, NULL, NULL);
	loop_undefer(u->loop, &leg->notify);
	leg->idle.fire = idle_expired;
	if (!may_be_kept(leg) || timer_set(u->loop, &leg->idle, UPSTREAM_IDLE_MS) < 0 ||
	    loop_modify(u->loop, &leg->io, EPOLLIN) < 0) {
		leg_free(leg);
		return;
	}
	make_room(u, leg->key);
	leg->want_read = false;
	leg_unlink(&u->active, leg);
	leg->state = LEG_IDLE;
	leg_link(&u->idle, leg);
	u->n_idle++;
}

struct upstream *pool_take(struct upstreams *u, const char *key)
{
	for (struct upstream *leg = u->idle, *next; leg; leg = next) {
		next = leg->next;
		if (strcmp(leg->key, key) != 0)
			continue;
		if (!leg_is_quiet(leg)) {
			idle_free(leg);
			continue;
		}
		leg_unlink(&u->idle, leg);
		u->n_idle--;
		timer_clear(u->loop, &leg->idle);
		leg->state = LEG_OPEN;
		leg->pooled = true;
		leg_link(&u->active, leg);
		return leg;
	}
	return NULL;
}

bool leg_key_has_credential(const char *key, struct str credential)
{
	const char *bar = strchr(key, '|');

	return bar && str_eq(str_of(bar + 1), credential);
}

void upstreams_forget_credential(struct upstreams *u, struct str credential)
{
	for (struct upstream *leg = u->idle, *next; leg; leg = next) {
		next = leg->next;
		if (leg_key_has_credential(leg->key, credential))
			idle_free(leg);
	}
	for (struct upstream *leg = u->active; leg; leg = leg->next) {
		if (leg_key_has_credential(leg->key, credential))
			leg->forgotten = true;
	}
}

void upstream_release(struct upstream *leg, bool reusable)
{
	if (reusable)
		pool_put(leg->u, leg);
	else
		leg_free(leg);
}
