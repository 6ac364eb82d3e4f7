/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A credential's state. Decides which bytes of a file become its value: only bytes that were read twice the same,
 * and, when the file is young, with a pause between. A bad file never replaces a good value; a revoked credential
 * never comes back. Reasons are static sentences: no byte of a file gets into one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "base/util.h"
#include "keeper/private.h"

#define LOOKS 2 /* at a file in one call */

static void changed(struct keeper *k, struct credential *c, bool workers_too)
{
	c->notice++;
	if (workers_too)
		c->version++;
	loop_defer(k->loop, &k->flush);
}

static void soon(struct keeper *k, uint64_t delay_ms)
{
	if (k->soon.slot == 0)
		(void)timer_set(k->loop, &k->soon, delay_ms); /* if not, the poll comes to it */
}

/* The file is no value. What there was stays; what there was not is named. */
static void reject(struct keeper *k, struct credential *c, bool pending, const char *why)
{
	char reason[KEEPER_REASON_MAX];
	bool ready = c->state == CREDENTIAL_READY;
	enum credential_state state = ready ? CREDENTIAL_READY : pending ? CREDENTIAL_PENDING : CREDENTIAL_FAILED;

	c->candidate = secret_free(c->candidate);
	(void)snprintf(reason, sizeof(reason), "%s%s", ready ? "the last good value is kept: " : "", why);
	if (c->state == state && strcmp(c->reason, reason) == 0)
		return;
	c->state = state;
	memcpy(c->reason, reason, sizeof(reason));
	changed(k, c, !ready);
}

static void adopt(struct keeper *k, struct credential *c, struct secret *value)
{
	secret_free(c->value);
	c->value = value;
	c->candidate = secret_free(c->candidate);
	c->state = CREDENTIAL_READY;
	c->generation++;
	c->reason[0] = '\0';
	c->final = !c->row.watch;
	changed(k, c, true);
}

/* The value with the format around it. NULL and why not. */
static const char *render(struct keeper *k, const struct credential *c, struct str value, struct secret **ret)
{
	const char *format = c->row.format[0] ? c->row.format : "{}", *hole = strstr(format, "{}");
	size_t before = hole ? (size_t)(hole - format) : 0, after = hole ? strlen(hole + 2) : 0;
	unsigned char *out = k->scratch->rendered;
	const char *why = NULL;

	if (!hole)
		return "its format has no {}";
	if (before + value.n + after > sizeof(k->scratch->rendered))
		return "the file is too large";
	memcpy(out, format, before);
	memcpy(out + before, value.p, value.n);
	memcpy(out + before + value.n, hole + 2, after);
	if (secret_new(str_make((const char *)out, before + value.n + after), ret) < 0)
		why = "there is no memory for it";
	secret_wipe(out, sizeof(k->scratch->rendered));
	return why;
}

/* Long enough since the last change that a writer is done, as far as a clock can say. */
static bool is_settled(const struct source_stamp *stamp)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - stamp->changed_ns >= KEEPER_SETTLE_MS * 1000000LL;
}

/* One look at the file: a rendered value, or -errno with the credential told. */
static int look(struct keeper *k, struct credential *c, struct secret **ret, struct source_stamp *ret_stamp)
{
	struct scratch *s = k->scratch;
	struct str secret;
	const char *why;
	size_t n;
	int r;

	r = source_file_read(c->directory->fd, c->file, s->raw, KEEPER_VALUE_MAX, c->seen_valid ? &c->seen : NULL, &n,
			     ret_stamp);
	if (r == -EALREADY)
		return r;
	c->seen_valid = false;
	if (r < 0) {
		secret_wipe(s->raw, sizeof(s->raw));
		if (r == -EAGAIN)
			soon(k, KEEPER_SETTLE_MS);
		reject(k, c, r == -ENOENT || r == -EAGAIN, source_file_error(r));
		return r;
	}
	why = source_file_secret(str_make((const char *)s->raw, n), &secret);
	if (!why)
		why = render(k, c, secret, ret);
	secret_wipe(s->raw, sizeof(s->raw));
	if (!why)
		return 0;
	c->seen = *ret_stamp;
	c->seen_valid = is_settled(ret_stamp);
	if (!c->seen_valid)
		soon(k, KEEPER_SETTLE_MS);
	reject(k, c, false, why);
	return -EINVAL;
}

/* Whether this is the second sight of the candidate, late enough. Otherwise it is the first sight, and kept. */
static bool is_confirmed(struct keeper *k, struct credential *c, struct secret *value, const struct source_stamp *stamp)
{
	if (c->candidate && source_stamp_eq(&c->candidate_stamp, stamp) && secret_equal(c->candidate, value))
		return c->candidate_settled || loop_now_ms(k->loop) - c->candidate_ms >= KEEPER_SETTLE_MS;
	secret_free(c->candidate);
	c->candidate = NULL;
	c->candidate_stamp = *stamp;
	c->candidate_ms = loop_now_ms(k->loop);
	c->candidate_settled = is_settled(stamp);
	(void)secret_new(secret_bytes(value), &c->candidate); /* without memory it is never confirmed */
	return false;
}

static void seen_for_good(struct credential *c, const struct source_stamp *stamp)
{
	c->seen = *stamp;
	c->seen_valid = true;
}

static void still_good(struct keeper *k, struct credential *c)
{
	c->candidate = secret_free(c->candidate);
	if (!c->reason[0])
		return;
	c->reason[0] = '\0';
	changed(k, c, false);
}

static void refresh(struct keeper *k, struct credential *c)
{
	if (c->final)
		return;
	if (!c->directory) {
		reject(k, c, true, "the directory of the file does not exist");
		return;
	}
	for (int i = 0; i < LOOKS; i++) {
		struct secret *value = NULL;
		struct source_stamp stamp;

		if (look(k, c, &value, &stamp) < 0)
			return;
		if (is_confirmed(k, c, value, &stamp)) {
			seen_for_good(c, &stamp);
			if (c->value && secret_equal(c->value, value)) {
				still_good(k, c);
				secret_free(value);
			} else {
				adopt(k, c, value);
			}
			return;
		}
		secret_free(value);
	}
	soon(k, KEEPER_SETTLE_MS);
}

void credential_refresh_all(struct keeper *k)
{
	for (size_t i = 0; i < k->n_credentials; i++)
		refresh(k, &k->credentials[i]);
}

static struct credential *find(struct keeper *k, const char *name)
{
	for (size_t i = 0; i < k->n_credentials; i++)
		if (strcmp(k->credentials[i].row.name, name) == 0)
			return &k->credentials[i];
	return NULL;
}

int credential_add(struct keeper *k, const struct keeper_credential *row)
{
	struct credential *c = &k->credentials[k->n_credentials];
	size_t n = 0;

	if (k->n_credentials == KEEPER_CREDENTIALS_MAX)
		return -E2BIG;
	if (find(k, row->name))
		return -EEXIST;
	*c = (struct credential){ .row = *row, .version = 1, .generation = row->generation };
	if (c->row.path[0] && directory_split(c->row.path, &n, &c->file) < 0)
		return -EINVAL;
	k->n_credentials++;
	if (c->row.path[0]) {
		c->directory = directory_find(k, c->row.path, n);
		refresh(k, c);
	} else {
		c->final = true;
		reject(k, c, false, row->reason[0] ? row->reason : "its source is not available");
	}
	if (c->notice == 0)
		changed(k, c, false);
	return 0;
}

void credential_directory_changed(struct keeper *k, struct directory *d)
{
	for (size_t i = 0; i < k->n_credentials; i++) {
		struct credential *c = &k->credentials[i];
		const char *file;
		size_t n;

		if (!c->row.path[0] || directory_split(c->row.path, &n, &file) < 0 ||
		    !str_eq(str_of(d->path), str_make(c->row.path, n)))
			continue;
		c->directory = d;
		c->seen_valid = false;
		refresh(k, c);
	}
}

int credential_revoke(struct keeper *k, const char *name)
{
	struct credential *c = find(k, name);

	if (!c)
		return -ENOENT;
	c->value = secret_free(c->value);
	c->candidate = secret_free(c->candidate);
	c->final = true;
	c->state = CREDENTIAL_FAILED;
	(void)snprintf(c->reason, sizeof(c->reason), "it was revoked");
	changed(k, c, true);
	return 0;
}

void credential_done(struct credential *c)
{
	c->value = secret_free(c->value);
	c->candidate = secret_free(c->candidate);
}
