/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trial load says what a version number or the lsm= list cannot: kernels are built and locked down in all
 * combinations. The kernel checks the place of attachment as it loads, so that nothing has to be attached.
 */
#include "supervisor/tier.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/util.h"

static const struct way {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *function; /* as libbpf_find_vmlinux_btf_id() wants it */
	int32_t verdict;      /* what changes nothing */
} ways[] = {
	[TIER_LSM_CGROUP] = { BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, "socket_create", 1 },
	[TIER_FMOD_RET] = { BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "security_socket_create", 0 },
};

static int say_nothing(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level;
	(void)format;
	(void)ap;
	return 0;
}

static int load(const struct way *w)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = w->verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = w->attach);
	int id = libbpf_find_vmlinux_btf_id(w->function, w->attach);
	auto_fd int fd = -1;

	if (id < 0)
		return id;
	options.attach_btf_id = (uint32_t)id;
	fd = bpf_prog_load(w->type, "br_trial", "GPL", program, ARRAY_SIZE(program), &options);
	return fd < 0 ? -errno : 0;
}

int tier_try(enum tier_way way)
{
	libbpf_print_fn_t print_before = libbpf_set_print(say_nothing);
	int r = load(&ways[way]);

	(void)libbpf_set_print(print_before);
	return r;
}
