/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's ring to the audit. Decides nothing: what is told here was refused already. */
#include "supervisor/events.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/abi.h"
#include "supervisor/kernel.h"

static const char *const hook_names[] = {
	[HOOK_UNKNOWN] = "unknown hook", [HOOK_SOCK_CREATE] = "socket", [HOOK_CONNECT] = "connect",
	[HOOK_SENDMSG] = "sendmsg",	 [HOOK_BIND] = "bind",		[HOOK_SETSOCKOPT] = "setsockopt",
	[HOOK_EGRESS] = "egress",	 [HOOK_INGRESS] = "ingress",	[HOOK_SOCKOPS] = "sockops",
	[HOOK_WORKER] = "worker",
};

static void format_destination(const struct denial *d, char *out, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	out[0] = '\0';
	if (d->hook == HOOK_SOCK_CREATE || d->hook == HOOK_SETSOCKOPT)
		return; /* the family is the socket's, there is no address */
	if (d->family == AF_INET && inet_ntop(AF_INET, d->address, address, sizeof(address)))
		(void)snprintf(out, size, "%s:%u", address, d->port);
	else if (d->family == AF_INET6 && inet_ntop(AF_INET6, d->address, address, sizeof(address)))
		(void)snprintf(out, size, "[%s]:%u", address, d->port);
}

static void format_detail(const struct denial *d, char *out, size_t size)
{
	const char *hook = (unsigned)d->hook < ARRAY_SIZE(hook_names) ? hook_names[d->hook] : hook_names[HOOK_UNKNOWN];

	if (d->hook == HOOK_SETSOCKOPT)
		(void)snprintf(out, size, "%s: level %u, option %u, uid %u", hook, d->protocol >> 8, d->protocol & 0xff,
			       d->uid);
	else
		(void)snprintf(out, size, "%s: family %u, type %u, protocol %u, uid %u", hook, d->family, d->type,
			       d->protocol, d->uid);
}

static void write_record(struct events *e, const struct audit_record *record)
{
	if (audit_write(e->audit, record) == 0) {
		e->failed = false;
		return;
	}
	if (!e->failed)
		log_error("refusals of the kernel cannot be written to the audit file: free space for it; they stay "
			  "refused");
	e->failed = true;
}

static void on_denial(void *arg, const struct denial *d)
{
	struct events *e = arg;
	char destination[INET6_ADDRSTRLEN + 16], detail[128];

	format_destination(d, destination, sizeof(destination));
	format_detail(d, detail, sizeof(detail));
	write_record(e, &(struct audit_record){
				.kind = "kernel",
				.pid = d->pid,
				.exe = str_make(d->exe, strnlen(d->exe, sizeof(d->exe))),
				.destination = str_of(destination),
				.why = d->why,
				.socket_cookie = d->socket_cookie,
				.policy = str_of(e->policy),
				.detail = str_of(detail),
			});
}

/* What the ring had no room for, and what the file did not take: one record with the count of both. */
static void write_losses(struct events *e)
{
	const uint64_t lost = kernel_events_lost(e->kernel);

	audit_lose(e->audit, lost - e->lost_seen);
	e->lost_seen = lost;
	(void)audit_tell_loss(e->audit); /* else at the next tick */
}

static void on_ring(struct io *io, uint32_t revents)
{
	struct events *e = container_of(io, struct events, io);

	(void)revents;
	(void)kernel_events_read(e->kernel, on_denial, e);
}

static void on_tick(struct timer *t)
{
	struct events *e = container_of(t, struct events, timer);

	write_losses(e);
	kernel_sweep_flows(e->kernel, (uint64_t)loop_now_ms(e->loop) * 1000000U);
	(void)timer_set(e->loop, &e->timer, EVENTS_TICK_MS);
}

int events_start(struct events *e, struct loop *loop, struct kernel *kernel, struct audit *audit, const char *policy)
{
	int r;

	*e = (struct events){ .loop = loop, .kernel = kernel, .audit = audit, .policy = policy };
	e->io = (struct io){ .fd = kernel_events_fd(kernel), .events = EPOLLIN, .ready = on_ring };
	e->timer.fire = on_tick;
	r = loop_add(loop, &e->io);
	return r < 0 ? r : timer_set(loop, &e->timer, EVENTS_TICK_MS);
}

void events_write(struct events *e, enum why why, const char *detail)
{
	if (e->loop)
		write_record(e, &(struct audit_record){ .kind = "kernel",
							.why = why,
							.policy = str_of(e->policy),
							.detail = str_of(detail) });
}

void events_done(struct events *e)
{
	if (!e->loop)
		return;
	(void)kernel_events_read(e->kernel, on_denial, e);
	write_losses(e);
	loop_remove(e->loop, &e->io);
	timer_clear(e->loop, &e->timer);
	e->loop = NULL;
}
