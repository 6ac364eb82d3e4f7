/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp for the sandbox. Everything is allowed but a written list: what makes sockets that the cgroup programs do
 * not see (families, io_uring), what reaches the kernel's or another's resources past them (keys, bpf, file handles,
 * the terminal's input), and what gives capabilities back (user namespaces). Other architectures' numbers, x32 among
 * them, end the process. Arguments that the kernel reads as 32 bits are compared so that high bits cannot hide them.
 */
#include "init/filter.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <seccomp.h>

#include "base/util.h"
#include "init/failure.h"

#define LOW32	       0xffffffffU
#define SOCK_TYPE_MASK 0xfU

/* Refused whatever the arguments. */
static const struct {
	int number;
	int error;
} refused[] = {
	/* its requests are not seen by this filter: IORING_OP_SOCKET makes any socket */
	{ SCMP_SYS(io_uring_setup), ENOSYS },
	{ SCMP_SYS(io_uring_enter), ENOSYS },
	{ SCMP_SYS(io_uring_register), ENOSYS },
	/* its flags lie in memory, where they cannot be compared; libc falls back to clone */
	{ SCMP_SYS(clone3), ENOSYS },
	/* keys are the user's outside too, and a missing one starts a program outside */
	{ SCMP_SYS(keyctl), EPERM },
	{ SCMP_SYS(add_key), EPERM },
	{ SCMP_SYS(request_key), EPERM },
	{ SCMP_SYS(bpf), EPERM },
	{ SCMP_SYS(perf_event_open), EPERM },
	{ SCMP_SYS(userfaultfd), EPERM },
	/* opens by number what is hidden by name */
	{ SCMP_SYS(open_by_handle_at), EPERM },
};

/* The terminal is the caller's: these type into it. */
static const unsigned long refused_ioctls[] = { TIOCSTI, TIOCLINUX };

/* Ascending. Nothing between them is allowed, and nothing above. */
static const unsigned families[] = { AF_INET, AF_INET6, AF_NETLINK };

static int add(scmp_filter_ctx ctx, int error, int number, const struct scmp_arg_cmp *args, unsigned n)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)error), number, n, args);
}

static int add_one(scmp_filter_ctx ctx, int error, int number, struct scmp_arg_cmp arg)
{
	return add(ctx, error, number, &arg, 1);
}

static int add_families(scmp_filter_ctx ctx)
{
	const unsigned last = families[ARRAY_SIZE(families) - 1];
	const struct scmp_arg_cmp netlink[] = { SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
						SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0) };
	size_t allowed = 0;
	int r = 0;

	for (unsigned family = 0; family <= last && r == 0; family++) {
		if (family == families[allowed])
			allowed++;
		else
			r = add_one(ctx, EAFNOSUPPORT, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, family, 0));
	}
	/* 64 bits compared: high bits that the kernel would drop make the number large */
	if (r == 0)
		r = add_one(ctx, EAFNOSUPPORT, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_GT, last, 0));
	return r == 0 ? add(ctx, EAFNOSUPPORT, SCMP_SYS(socket), netlink, ARRAY_SIZE(netlink)) : r;
}

/*
 * Pairs stay, of connected kinds: an AF_UNIX datagram pair can still send to any named socket of the machine, and a
 * raw one becomes a datagram one.
 */
static int add_pairs(scmp_filter_ctx ctx)
{
	int r = add_one(ctx, EAFNOSUPPORT, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));

	if (r == 0)
		r = add_one(ctx, EPROTONOSUPPORT, SCMP_SYS(socketpair),
			    SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_MASK, SOCK_DGRAM));
	if (r == 0)
		r = add_one(ctx, EPROTONOSUPPORT, SCMP_SYS(socketpair),
			    SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_MASK, SOCK_RAW));
	return r;
}

static int add_namespaces(scmp_filter_ctx ctx)
{
	int r = add_one(ctx, EPERM, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));

	if (r == 0)
		r = add_one(ctx, EPERM, SCMP_SYS(unshare), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
	return r;
}

/*
 * The limit for core files stays at 1, the one value at which the kernel starts no core handler outside (0 does). A
 * program that sets it to 0 means to leave no core and is told that it worked, because none will be left.
 */
static int add_core_limit(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp args[] = { SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, RLIMIT_CORE),
					     SCMP_A2(SCMP_CMP_NE, 0, 0) };
	int r = add(ctx, 0, SCMP_SYS(prlimit64), args, ARRAY_SIZE(args));

	return r == 0 ? add_one(ctx, 0, SCMP_SYS(setrlimit), SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, RLIMIT_CORE)) : r;
}

static int add_rules(scmp_filter_ctx ctx)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < ARRAY_SIZE(refused) && r == 0; i++)
		r = add(ctx, refused[i].error, refused[i].number, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused_ioctls) && r == 0; i++)
		r = add_one(ctx, EPERM, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, refused_ioctls[i]));
	if (r == 0)
		r = add_families(ctx);
	if (r == 0)
		r = add_pairs(ctx);
	if (r == 0)
		r = add_namespaces(ctx);
	if (r == 0)
		r = add_core_limit(ctx);
	return r;
}

int filter_load(struct failure *reterr)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? add_rules(ctx) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (r < 0)
		return failure_set(
			reterr, EXIT_BRIDLE,
			"cannot load the seccomp filter: %s; bridle needs a kernel with CONFIG_SECCOMP_FILTER",
			strerror(-r));
	return 0;
}
