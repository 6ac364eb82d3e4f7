/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's rows in the denials map: most refusals are answers that the kernel never sees. */
#include "worker/kernel_events.h"

#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "bpf/abi.h"

void kernel_events_deny(int denials_fd, uint64_t sequence, const struct original_dst *dst, enum why why)
{
	struct denial denial = { .sequence = sequence, .hook = HOOK_WORKER, .why = why };
	__u32 slot = (__u32)(sequence % BRIDLE_DENIALS_MAX);
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	denial.time_ns = (__u64)now.tv_sec * 1000000000u + (__u64)now.tv_nsec;
	(void)clock_gettime(CLOCK_TAI, &now);
	denial.time_tai_ns = (__u64)now.tv_sec * 1000000000u + (__u64)now.tv_nsec;
	denial.socket_cookie = dst->socket_cookie;
	denial.port = dst->port;
	denial.family = (__u16)dst->family;
	denial.pid = dst->pid;
	memcpy(denial.address, dst->bytes, sizeof(denial.address));
	memcpy(denial.exe, dst->exe, sizeof(denial.exe) - 1);
	(void)bpf_map_update_elem(denials_fd, &slot, &denial, BPF_ANY); /* a view only: the audit is what counts */
}
