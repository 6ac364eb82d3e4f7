/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sandbox's init may send to the supervisor, over a real channel: the header is what the input says. Whatever comes, the
 * command ends once, with an exit status and a text that ends, and no number goes beyond what its reader asked for.
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/msg.h"

#include "supervisor/command_link.c"

static unsigned ends;

static void on_tested(void *arg, uint32_t refusals)
{
	(void)arg;
	(void)refusals;
}

static void on_started(void *arg)
{
	(void)arg;
}

static void on_stopped(void *arg, int signal)
{
	(void)arg;
	(void)signal;
}

static void on_end(void *arg, int exit_code, const char *text)
{
	(void)arg;
	assert(exit_code >= 0 && exit_code <= 255);
	assert(!text || (strlen(text) < 512 && exit_code >= EXIT_OURS_FIRST));
	ends++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command_link c;
	int fds[2];

	command_link_init(&c);
	assert(msg_pair(fds, 1) == 0 && loop_new(&c.loop) == 0);
	c.on_tested = on_tested;
	c.on_started = on_started;
	c.on_stopped = on_stopped;
	c.on_end = on_end;
	c.role.channel = fds[0];
	c.io = (struct io){ .fd = fds[0], .events = EPOLLIN, .ready = on_channel };
	assert(loop_add(c.loop, &c.io) == 0);
	ends = 0;
	/* each message: its length, its bytes */
	for (size_t at = 0, n = 0; at + 2 <= size && n < 20; n++) {
		size_t length = (size_t)(data[at] << 8 | data[at + 1]);

		at += 2;
		length = length < size - at ? length : size - at;
		if (length > 0 && send(fds[1], data + at, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length)
			on_channel(&c.io, EPOLLIN);
		at += length;
	}
	(void)close(fds[1]);
	on_channel(&c.io, EPOLLIN | EPOLLHUP);
	assert(ends == 1 && c.ended);
	loop_free(c.loop);
	(void)close(fds[0]);
	return 0;
}
