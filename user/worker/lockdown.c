/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker may still ask of the kernel: an allow-list; anything else ends the process. New sockets are INET stream and
 * datagram only; bpf(2) only looks up and updates elements of the maps it already holds; the audit file stays open for
 * appending, and what is written there can be neither overwritten nor cut out.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/bpf.h>
#include <seccomp.h>

#include "worker/context.h"

static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(connect),
	SCMP_SYS(accept4),
	SCMP_SYS(bind),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(fstat),
	SCMP_SYS(ioctl),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(tgkill),
	SCMP_SYS(rseq),
	SCMP_SYS(sigaltstack),
};

static int allow_sockets(scmp_filter_ctx filter)
{
	const int families[] = { AF_INET, AF_INET6 }, types[] = { SOCK_STREAM, SOCK_DGRAM };
	int r = 0;

	for (int f = 0; f < 2; f++) {
		for (int t = 0; t < 2 && r == 0; t++)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
					     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[f], 0),
					     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)types[t]));
	}
	if (r == 0) /* libraries that ask for anything else are told so, not killed */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0);
	return r;
}

static int allow_bpf(scmp_filter_ctx filter)
{
	const int commands[] = { BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM };
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0));
	return r;
}

static struct scmp_arg_cmp command(int fcntl_command)
{
	return SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, (scmp_datum_t)fcntl_command);
}

/*
 * The audit file keeps its O_APPEND: no F_SETFL on its descriptor, and no second descriptor of it (dup is not on the list
 * either). "Another descriptor" is a row for each bit that may differ, because the kernel takes the low 32 bits alone and
 * a comparison of all 64 would let the high ones make the number another.
 */
static int allow_fcntl(scmp_filter_ctx filter, int audit_fd)
{
	const int plain[] = { F_GETFD, F_SETFD, F_GETFL };
	int r = 0;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, command(plain[i]));
	for (unsigned bit = 0; bit < 32 && r == 0; bit++) {
		const scmp_datum_t mask = (scmp_datum_t)1 << bit, other = ~(scmp_datum_t)audit_fd & mask;

		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, mask, other), command(F_SETFL));
	}
	if (r == 0) /* room behind the end, for records; no holes, no zeroes */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fallocate), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, FALLOC_FL_KEEP_SIZE));
	return r;
}

int worker_lockdown(const struct worker *w)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = allow_sockets(filter);
	if (r == 0)
		r = allow_bpf(filter);
	if (r == 0)
		r = allow_fcntl(filter, w->fds[ZYGOTE_FD_AUDIT]);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
