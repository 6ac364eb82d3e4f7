/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker may send to the keeper: any bytes at all. Each input is one message; the header's size is set right,
 * because the channel itself refuses every other. A message that is taken must leave exactly one answer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/util.h"
#include "keeper/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct keeper *keeper;
static struct channel channel;

static void set_up(void)
{
	static struct keeper_setup setup = { .header = { .type = KEEPER_SETUP, .size = sizeof(setup) },
					     .sandbox = "f" };
	static int supervisor[2], worker[2];

	assert(msg_pair(supervisor, 1) == 0 && msg_pair(worker, 1) == 0);
	assert(keeper_new(supervisor[1], &keeper) == 0);
	assert(dispatch_supervisor(keeper, &setup, sizeof(setup), NULL, 0) == 0);
	channel.keeper = keeper;
	channel.io.fd = worker[1];
	channel.reply = calloc(1, sizeof(*channel.reply));
	assert(channel.reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct msg_header header;
		unsigned char bytes[sizeof(struct leaf_request) + 64];
	} m;
	int r;

	if (!keeper)
		set_up();
	if (size < sizeof(m.header) || size > sizeof(m))
		return 0;
	memcpy(&m, data, size);
	m.header.size = (uint32_t)size;
	channel.reply_size = 0;
	r = dispatch_worker(&channel, &m, size);
	assert(r == 0 ? channel.reply_size >= offsetof(struct leaf_reply, cert) : channel.reply_size == 0);
	assert(r < 0 || m.header.type == LEAF_REQUEST);
	assert(r < 0 || channel.reply->header.size == offsetof(struct leaf_reply, cert) + channel.reply->cert_size);
	return 0;
}
