/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Saying no: one record into the ring and into `denials_kernel`, one count. Nothing here can change a verdict: the
 * caller has refused already, and a full ring only counts as a lost event.
 */
#ifndef BRIDLE_BPF_REFUSE_H
#define BRIDLE_BPF_REFUSE_H

#include "bpf/address.h"
#include "bpf/maps.h"

#include <bpf/bpf_core_read.h>

static __always_inline struct sandbox_counters *counters_find(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&counters, &index);
}

/* Adds one to a field and says what it was. */
#define counter_add(field)                                                  \
	({                                                                  \
		struct sandbox_counters *counters_ = counters_find();       \
		counters_ ? __sync_fetch_and_add(&counters_->field, 1) : 0; \
	})

/* The last component of the executable's path of the calling task; empty for a kernel thread. */
static __always_inline void task_read_exe(char exe[BRIDLE_EXE_MAX])
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const unsigned char *name = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);

	if (!name || bpf_probe_read_kernel_str(exe, BRIDLE_EXE_MAX, name) < 0)
		exe[0] = 0;
}

/* Who is behind a call: only for hooks that run in the caller's context. */
static __always_inline void flow_set_task(struct flow *flow)
{
	flow->pid = bpf_get_current_pid_tgid() >> 32;
	flow->uid = (__u32)bpf_get_current_uid_gid();
	task_read_exe(flow->exe);
}

static __always_inline void denial_set_destination(struct denial *denial, const struct destination *to)
{
	__builtin_memcpy(denial->address, to->ip, sizeof(denial->address));
	denial->port = to->port;
	denial->family = to->family;
}

static __always_inline void denial_set_stamp(struct denial *denial, const struct stamp *stamp)
{
	denial->sandbox = stamp->sandbox;
	denial->cgroup_id = stamp->flow.cgroup_id;
	denial->pid = stamp->flow.pid;
	denial->uid = stamp->flow.uid;
	__builtin_memcpy(denial->exe, stamp->flow.exe, sizeof(denial->exe));
}

static __always_inline void denial_set_task(struct denial *denial)
{
	denial->pid = bpf_get_current_pid_tgid() >> 32;
	denial->uid = (__u32)bpf_get_current_uid_gid();
	denial->cgroup_id = bpf_get_current_cgroup_id();
	task_read_exe(denial->exe);
}

static __always_inline void denial_emit(struct denial *denial)
{
	struct denial *row;
	__u32 slot;

	denial->sequence = counter_add(refusals_kernel) + 1;
	denial->time_ns = bpf_ktime_get_boot_ns();
	denial->time_tai_ns = bpf_ktime_get_tai_ns();
	slot = denial->sequence % BRIDLE_DENIALS_MAX;
	row = bpf_map_lookup_elem(&denials_kernel, &slot);
	if (row)
		__builtin_memcpy(row, denial, sizeof(*row));
	if (bpf_ringbuf_output(&events, denial, sizeof(*denial), 0) < 0)
		(void)counter_add(events_lost);
}

#endif
