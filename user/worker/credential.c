/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's credentials as the keeper pushed them. Not ready means: nothing is sent. */
#include "base/secret.h"
#include "upstream/upstream.h"
#include "worker/context.h"

void credentials_init(struct worker *w)
{
	w->n_credentials = policy_credential_count(w->policy);
	for (size_t i = 0; i < w->n_credentials; i++)
		w->credentials[i].policy = policy_credential_at(w->policy, i);
}

struct credential *credential_find(struct worker *w, const struct policy_credential *policy)
{
	for (size_t i = 0; i < w->n_credentials; i++) {
		if (w->credentials[i].policy == policy)
			return &w->credentials[i];
	}
	return NULL;
}

void credentials_push(struct worker *w, const struct credential_push *push, size_t size)
{
	struct secret *value = NULL;

	if (push->value_size > KEEPER_VALUE_MAX ||
	    size != KEEPER_MSG_SIZE(struct credential_push, value, push->value_size))
		return;
	for (size_t i = 0; i < w->n_credentials; i++) {
		struct credential *c = &w->credentials[i];

		if (strncmp(c->policy->name, push->name, sizeof(push->name)) != 0)
			continue;
		if (push->state == CREDENTIAL_READY &&
		    secret_new(str_make((const char *)push->value, push->value_size), &value) < 0)
			return;
		upstreams_forget_credential(w->upstreams, str_of(c->policy->name));
		c->value = secret_free(c->value);
		c->value = value;
		c->state = value ? CREDENTIAL_READY : CREDENTIAL_FAILED;
		c->generation = push->generation;
		return;
	}
}

void credentials_done(struct worker *w)
{
	for (size_t i = 0; i < w->n_credentials; i++)
		w->credentials[i].value = secret_free(w->credentials[i].value);
}
