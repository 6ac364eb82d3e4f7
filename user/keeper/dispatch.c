/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which message may come from whom, how large, with how many descriptors, and when: two tables, one for each kind of
 * channel. Handlers see only what passed its row. Everything that has no row is refused.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "keeper/private.h"

#define PHASE_ANY (PHASE_NEW | PHASE_READY | PHASE_SERVING)

static const struct supervisor_row {
	uint32_t type;
	size_t size;
	size_t fds;
	unsigned phases; /* in which it may come */
	int (*handle)(struct keeper *k, const void *data, size_t size, int *fd);
} supervisor_rows[] = {
	/* clang-format off */
	{ KEEPER_SETUP,      sizeof(struct keeper_setup),      0, PHASE_NEW,                   handle_setup },
	{ KEEPER_DIRECTORY,  sizeof(struct keeper_directory),  1, PHASE_ANY,                   handle_directory },
	{ KEEPER_CREDENTIAL, sizeof(struct keeper_credential), 0, PHASE_NEW | PHASE_READY,     handle_credential },
	{ KEEPER_WORKER,     sizeof(struct msg_header),        1, PHASE_READY | PHASE_SERVING, handle_worker },
	{ KEEPER_REVOKE,     sizeof(struct keeper_revoke),     0, PHASE_READY | PHASE_SERVING, handle_revoke },
	/* clang-format on */
};

static const struct worker_row {
	uint32_t type;
	size_t size_min, size_max;
	int (*handle)(struct channel *ch, const void *data, size_t size);
} worker_rows[] = {
	{ LEAF_REQUEST, KEEPER_MSG_SIZE(struct leaf_request, spki, 1),
	  KEEPER_MSG_SIZE(struct leaf_request, spki, KEEPER_SPKI_MAX), handle_leaf_request },
};

int dispatch_supervisor(struct keeper *k, const void *data, size_t size, int *fds, size_t n_fds)
{
	struct msg_header header;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(supervisor_rows); i++) {
		const struct supervisor_row *row = &supervisor_rows[i];

		if (row->type != header.type)
			continue;
		if (size != row->size || n_fds != row->fds || !(row->phases & k->phase))
			return -EBADMSG; /* refuse: not of this form, or not now */
		return row->handle(k, data, size, fds);
	}
	return -EBADMSG; /* refuse: no such message */
}

int dispatch_worker(struct channel *ch, const void *data, size_t size)
{
	struct msg_header header;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(worker_rows); i++) {
		const struct worker_row *row = &worker_rows[i];

		if (row->type != header.type)
			continue;
		if (size < row->size_min || size > row->size_max || ch->reply_size > 0)
			return -EBADMSG; /* refuse: not of this form, or not now */
		return row->handle(ch, data, size);
	}
	return -EBADMSG; /* refuse: no such message */
}
