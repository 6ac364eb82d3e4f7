/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor may tell the keeper: any messages in any order, with and without a descriptor. A message is two bytes (type,
 * number of descriptors) and then the keeper's struct of that type, cut or filled up with zeros. A message that is refused
 * takes no descriptor and moves nothing on; the phase never goes back.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "keeper/private.h"

static size_t size_of(uint8_t type)
{
	switch (type) {
	case KEEPER_SETUP:
		return sizeof(struct keeper_setup);
	case KEEPER_DIRECTORY:
		return sizeof(struct keeper_directory);
	case KEEPER_CREDENTIAL:
		return sizeof(struct keeper_credential);
	case KEEPER_REVOKE:
		return sizeof(struct keeper_revoke);
	default:
		return sizeof(struct msg_header);
	}
}

static char directory[] = "/tmp/fuzz-keeper-XXXXXX";

static void remove_directory(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/secret", directory);
	(void)unlink(path);
	(void)rmdir(directory);
}

/* One directory with one secret, whatever path a message gives it. */
static void make_directory(void)
{
	char path[64];
	int fd;

	assert(mkdtemp(directory) && atexit(remove_directory) == 0);
	(void)snprintf(path, sizeof(path), "%s/secret", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(fd >= 0 && write(fd, "glpat-1\n", 8) == 8);
	(void)close(fd);
}

/* A descriptor such as the row of this type wants, or NULL's. */
static int descriptor_for(uint8_t type)
{
	int fds[2], fd = -1;

	if (type == KEEPER_WORKER) {
		assert(msg_pair(fds, 1) == 0);
		(void)close(fds[0]);
		return fds[1];
	}
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert(fd >= 0);
	return fd;
}

/* Returns how many bytes of data the message was. */
static size_t send_one(struct keeper *k, const uint8_t *data, size_t n)
{
	static union {
		struct msg_header header;
		unsigned char bytes[MSG_SIZE_MAX];
	} m;
	const uint8_t type = data[0] % 32;
	const size_t n_fds = data[1] & 1, cut = data[1] >> 5, size = size_of(type) - (cut == 7 ? 1 : 0);
	const enum keeper_phase before = k->phase;
	const size_t body = size - sizeof(m.header), used = n - 2 < body ? n - 2 : body;
	int fd = n_fds ? descriptor_for(type) : -1, kept = fd, r;

	memset(&m, 0, size);
	memcpy(m.bytes + sizeof(m.header), data + 2, used);
	m.header = (struct msg_header){ .type = type, .size = (uint32_t)size };
	r = dispatch_supervisor(k, &m, size, &kept, n_fds);
	assert(k->phase >= before && k->n_credentials <= KEEPER_CREDENTIALS_MAX && k->n_channels <= KEEPER_WORKERS_MAX);
	assert(r == 0 || (k->phase == before && kept == fd));
	assert(cut != 7 || r == -EBADMSG);
	if (kept >= 0)
		(void)close(kept);
	return r < 0 ? n : 2 + used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keeper *k = NULL;
	int supervisor[2];

	if (strchr(directory, 'X') && access(directory, F_OK) < 0)
		make_directory();
	log_set_level(LOG_ERROR);
	assert(msg_pair(supervisor, 1) == 0 && keeper_new(supervisor[1], &k) == 0);
	for (size_t at = 0, n = 0; size - at >= 2 && n < 40; n++)
		at += send_one(k, data + at, size - at);
	if (k->phase != PHASE_NEW)
		(void)supervisor_flush(k);
	keeper_free(k);
	(void)close(supervisor[0]);
	return 0;
}
