/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a sandbox up and takes it down. The order is the safety: the kernel programs are attached and pinned before a
 * process exists in the cgroup, and what dies first at the end is the command. Each step fills one member, and the end
 * copes with any prefix of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/util.h"
#include "bpf/abi.h"
#include "policy/policy.h"
#include "supervisor/audit_file.h"
#include "supervisor/certs.h"
#include "supervisor/kernel.h"
#include "supervisor/leftovers.h"
#include "supervisor/private.h"
#include "supervisor/snapshot_build.h"

static int take_name(struct sandbox *s, char *reason)
{
	int r;

	if (!sandbox_name_is_valid(str_of(s->options.name)))
		return reason_set(reason, -EINVAL,
				  "%s is no name for a sandbox; use up to %d of a-z, 0-9, dot, dash and underscore, a "
				  "letter or digit "
				  "first",
				  s->options.name, SANDBOX_NAME_MAX);
	(void)snprintf(s->name, sizeof(s->name), "%s", s->options.name);
	s->options.name = s->name;
	r = state_take(s->name, &s->state, reason);
	/* a dead run of this name may have left something */
	if (r == 0)
		r = leftovers_clear(s->name, reason);
	return r;
}

static int check_user(struct sandbox *s, char *reason)
{
	const struct init_spec *c = &s->command;

	/* refuse: root writes core_pattern and other cgroups even without capabilities */
	if (c->uid == 0 || c->gid == 0)
		return reason_set(reason, -EPERM,
				  "the command would run as root, which no sandbox holds; name another with --user");
	return 0;
}

static int open_audit(struct sandbox *s, char *reason)
{
	char before[128] = "";
	int r = audit_file_open(s->options.audit_path, s->name, &s->command, &s->audit_fd, &s->audit_offset,
				&s->audit_path, reason);
	auto_fd int reader = r < 0 ? -1 : audit_file_reopen(s->audit_fd, O_RDONLY);

	if (r < 0)
		return r;
	r = reader < 0 ? reader : audit_find_position(reader, "kernel", before, sizeof(before));
	if (r == 0 || r == -ENOENT)
		r = audit_new(s->audit_fd, str_of(s->name), "kernel", SANDBOX_TIER, before, &s->audit);
	if (r < 0)
		return reason_set(reason, r,
				  "cannot write to the audit file %s: %s; free space there, or choose another --audit",
				  s->audit_path, strerror(-r));
	return 0;
}

static int write_state(struct sandbox *s, char *reason)
{
	struct state_facts facts = {
		.pid = getpid(),
		.started = (uint64_t)time(NULL),
		.uid = s->command.uid,
		.n_made = s->secrets.n_made,
	};
	auto_free char *policy = realpath(s->options.policy_file, NULL);
	int r;

	facts.policy = policy;
	memcpy(facts.made, s->secrets.made, s->secrets.n_made * sizeof(facts.made[0]));
	r = state_write(&s->state, &facts);
	if (r == 0)
		r = state_write_resolv_conf(&s->state, NETNS_IPV4, s->resolv_conf, sizeof(s->resolv_conf));
	return r < 0 ? reason_set(reason, r, "cannot write below %s: %s; make room below /run", s->state.dir,
				  strerror(-r))
		     : 0;
}

static int attach_kernel(struct sandbox *s, char *reason)
{
	int r = paths_join(s->pin_dir, sizeof(s->pin_dir), PATHS_PINS, s->name);

	if (r == 0)
		r = kernel_prepare_bpffs(reason);
	if (r == 0)
		r = kernel_load(&s->kernel, reason);
	if (r == 0)
		r = kernel_attach(s->kernel, s->cgroup.sandbox_fd, s->pin_dir, reason);
	s->pinned = r == 0;
	return r;
}

/* A keeper has its CA: the first one at the start, or one that was started again. */
static int on_keeper_ready(void *arg, const unsigned char *ca_der, size_t n, char *reason)
{
	struct sandbox *s = arg;
	int r = certs_stage(&s->state, ca_der, n, s->certs_dir, sizeof(s->certs_dir), reason);

	if (r < 0)
		return r;
	if (s->running) {
		log_warning("the keeper was started again with a new CA: programs that run already do not trust it; "
			    "start them again");
		loop_defer(s->loop, &s->keeper_back);
	}
	return 0;
}

/* After the keeper is marked as ready. */
static void on_keeper_back(struct job *j)
{
	workers_keeper_ready(&container_of(j, struct sandbox, keeper_back)->workers);
}

static void on_keeper_lost(void *arg, bool for_good)
{
	struct sandbox *s = arg;

	if (for_good)
		workers_fail(&s->workers, "the keeper ended too often");
}

static int start_keeper(struct sandbox *s, char *reason)
{
	s->keeper.loop = s->loop;
	s->keeper.policy = s->options.policy;
	s->keeper.secrets = &s->secrets;
	s->keeper.sandbox = s->name;
	s->keeper.uid = s->keeper_uid.uid;
	s->keeper.on_ready = on_keeper_ready;
	s->keeper.on_lost = on_keeper_lost;
	s->keeper.arg = s;
	return keeper_link_start(&s->keeper, reason);
}

static int take_programs_off(struct sandbox *s, enum sandbox_detach now)
{
	int r;

	if (s->options.detach != now)
		return 0;
	r = kernel_detach(s->kernel, s->pin_dir);
	s->pinned = false;
	return r;
}

static int activate_kernel(struct sandbox *s, char *reason)
{
	uint16_t ports[BRIDLE_PORTS_MAX], proxy_ports[POLICY_PROXY_PORTS_MAX];
	const uint16_t *p = s->netns.ports;
	struct kernel_sandbox k = {
		.id = s->cgroup.sandbox_id,
		.cgroup_id = s->cgroup.sandbox_id,
		.netns_cookie = s->netns.cookie,
		.tcp4_port = p[NETNS_TCP4],
		.tcp6_port = p[NETNS_TCP6],
		.dns4_port = p[NETNS_DNS4],
		.dns6_port = p[NETNS_DNS6],
		.ports = ports,
		.proxy_ports = proxy_ports,
		.loopback_only = s->options.netns_fd < 0,
	};
	int r;

	k.n_ports = policy_ports(s->options.policy, ports, ARRAY_SIZE(ports));
	if (k.n_ports > ARRAY_SIZE(ports))
		return reason_set(reason, -E2BIG, "the policy names %zu ports, and %zu is the limit; name fewer",
				  k.n_ports, ARRAY_SIZE(ports));
	for (size_t i = 0; i < k.n_ports && k.n_proxy_ports < ARRAY_SIZE(proxy_ports); i++)
		if (policy_is_proxy_port(s->options.policy, ports[i]))
			proxy_ports[k.n_proxy_ports++] = ports[i];
	r = kernel_activate(s->kernel, &k);
	if (r == 0)
		r = take_programs_off(s, SANDBOX_DETACH_BEFORE_SELF_TEST);
	return r < 0 ? reason_set(reason, r, "cannot fill the maps of the kernel programs: %s; try again", strerror(-r))
		     : 0;
}

static void on_workers_failed(void *arg)
{
	struct sandbox *s = arg;

	events_write(&s->events, WHY_sandbox_failed, "no worker is made any more; every connection is refused");
}

static int prepare_workers(struct sandbox *s, char *reason)
{
	struct workers *w = &s->workers;

	if (self_test_make_nonce(s->nonce) < 0)
		return reason_set(reason, -EIO, "the kernel gives no random bytes; try again");
	s->snapshot_fd = snapshot_build(&s->options, &s->netns, SANDBOX_TIER, str_of(s->nonce), reason);
	if (s->snapshot_fd < 0)
		return s->snapshot_fd;
	w->audit_fd = s->audit_fd;
	w->snapshot_fd = s->snapshot_fd;
	w->flows_fd = s->flows_fd = kernel_flows_fd(s->kernel);
	w->denials_fd = s->denials_fd = kernel_denials_fd(s->kernel);
	w->counters_fd = s->counters_fd = kernel_counters_fd(s->kernel);
	if (s->flows_fd < 0 || s->denials_fd < 0 || s->counters_fd < 0)
		return reason_set(reason, -EBADF,
				  "cannot open the maps of the kernel programs for a worker; try again");
	return workers_serve(w, reason);
}

static int start_zygote(struct sandbox *s, char *reason)
{
	s->workers.loop = s->loop;
	s->workers.netns = &s->netns;
	s->workers.keeper = &s->keeper;
	s->workers.cgroup = &s->cgroup;
	s->workers.uid = s->worker_uid.uid;
	s->workers.on_failed = on_workers_failed;
	s->workers.arg = s;
	return workers_start(&s->workers, reason);
}

static int watch_kernel(struct sandbox *s, char *reason)
{
	int r = events_start(&s->events, s->loop, s->kernel, s->audit, policy_generation(s->options.policy));

	return r < 0 ? reason_set(reason, r, "cannot watch the kernel's refusals: %s; raise the limit of open files",
				  strerror(-r))
		     : 0;
}

static void on_secret_dir_replaced(void *arg, const struct secret_dir *dir)
{
	struct sandbox *s = arg;

	keeper_link_send_directory(&s->keeper, dir);
	remask_directory(s->link.role.pid, dir->path);
}

static int watch_secrets(struct sandbox *s, char *reason)
{
	int r = secrets_watch(&s->secrets, s->loop, on_secret_dir_replaced, s);

	return r < 0 ? reason_set(reason, r, "cannot watch the secrets' directories: %s; end other processes",
				  strerror(-r))
		     : 0;
}

/* One refusal and one permission were seen. The kernel's refusals are the command's from here on. */
static void on_tested(void *arg, uint32_t refusals)
{
	struct sandbox *s = arg;
	char reason[SANDBOX_REASON_MAX];
	int r = self_test_confirm(s->kernel, refusals, reason);

	if (r == 0)
		r = watch_kernel(s, reason);
	if (r == 0)
		r = take_programs_off(s, SANDBOX_DETACH_BEFORE_COMMAND);
	if (r == 0)
		r = command_link_run(&s->link, reason);
	if (r < 0)
		command_link_give_up(&s->link, reason);
	else if (s->options.on_let_go)
		s->options.on_let_go(s->options.arg);
}

static void on_started(void *arg)
{
	struct sandbox *s = arg;

	if (s->options.on_started)
		s->options.on_started(s->options.arg);
}

static void on_stopped(void *arg, int signal)
{
	struct sandbox *s = arg;

	if (s->options.on_stopped)
		s->options.on_stopped(s->options.arg, signal);
}

/* Told from the loop, with nothing of ours on the stack: the owner may free us then. */
static void on_end(void *arg, int exit_code, const char *text)
{
	struct sandbox *s = arg;

	s->exit_code = exit_code;
	s->end_has_text = text != NULL;
	(void)snprintf(s->end_text, sizeof(s->end_text), "%s", text ? text : "");
	loop_defer(s->loop, &s->end);
}

static void tell_end(struct job *j)
{
	struct sandbox *s = container_of(j, struct sandbox, end);

	s->options.on_end(s->options.arg, s->exit_code, s->end_has_text ? s->end_text : NULL);
}

static int start_command(struct sandbox *s, char *reason)
{
	s->command.masks = s->secrets.masks;
	s->command.certs_dir = s->certs_dir;
	s->command.resolv_conf = s->resolv_conf;
	s->link.loop = s->loop;
	s->link.on_tested = on_tested;
	s->link.on_started = on_started;
	s->link.on_stopped = on_stopped;
	s->link.on_end = on_end;
	s->link.arg = s;
	return command_link_start(&s->link, &s->command, s->cgroup.sandbox_fd, s->netns.fd, reason);
}

static int open_secrets(struct sandbox *s, char *reason)
{
	return secrets_open(&s->secrets, s->options.policy, &s->command, reason);
}

static int make_cgroups(struct sandbox *s, char *reason)
{
	return cgroup_make(s->name, &s->cgroup, reason);
}

static int take_uids(struct sandbox *s, char *reason)
{
	int r = uid_take(&s->keeper_uid, reason);

	return r < 0 ? r : uid_take(&s->worker_uid, reason);
}

static int open_netns(struct sandbox *s, char *reason)
{
	return netns_open(s->options.netns_fd, &s->netns, reason);
}

static int begin_test(struct sandbox *s, char *reason)
{
	s->running = true;
	return command_link_test(&s->link, s->nonce, reason);
}

/* What is refused without a trace comes first; the zygote loads its roots while the programs are verified. */
static int (*const steps[])(struct sandbox *s, char *reason) = {
	check_user,	 take_name,	open_audit,    open_secrets, write_state, take_uids,
	make_cgroups,	 start_zygote,	attach_kernel, start_keeper, open_netns,  activate_kernel,
	prepare_workers, watch_secrets, start_command, begin_test,
};

static struct sandbox *sandbox_new(struct loop *loop, const struct sandbox_options *options)
{
	struct sandbox *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->options = *options;
	s->options.policy = policy_ref(options->policy);
	s->command = *options->command;
	s->audit_fd = s->snapshot_fd = s->flows_fd = s->denials_fd = s->counters_fd = -1;
	s->end.run = tell_end;
	s->keeper_back.run = on_keeper_back;
	state_init(&s->state);
	cgroup_init(&s->cgroup);
	uid_init(&s->keeper_uid);
	uid_init(&s->worker_uid);
	secrets_init(&s->secrets);
	netns_init(&s->netns);
	keeper_link_init(&s->keeper);
	workers_init(&s->workers);
	command_link_init(&s->link);
	return s;
}

int sandbox_start(struct loop *loop, const struct sandbox_options *options, struct sandbox **ret, char *reason)
{
	struct sandbox *s = sandbox_new(loop, options);
	int r = 0;

	if (!s)
		return reason_set(reason, -ENOMEM, "no memory for a sandbox; end other processes");
	for (size_t i = 0; i < options->n_proxy_ports && r == 0; i++)
		r = policy_add_proxy_port(s->options.policy, options->proxy_ports[i]);
	if (r < 0)
		(void)reason_set(reason, r, "too many proxy ports; name fewer in network.proxy_ports");
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](s, reason);
	if (r < 0) {
		sandbox_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sandbox_signal(struct sandbox *s, int signal)
{
	command_link_signal(&s->link, signal);
}

/* A cgroup or pins that stay behind keep refusing; the next bridle command tries again, so the name stays in its list. */
static bool remove_from_kernel(struct sandbox *s)
{
	bool whole = true;
	int r;

	if (s->pinned) {
		r = kernel_remove_pins(s->pin_dir);
		if (r < 0)
			log_warning("cannot remove the kernel programs of %s: %s; run `bridle gc`", s->pin_dir,
				    strerror(-r));
		whole = r == 0;
	}
	s->kernel = kernel_free(s->kernel);
	cgroup_done(&s->cgroup);
	r = s->cgroup.path[0] ? cgroup_remove(s->cgroup.path) : 0;
	if (r < 0)
		log_warning("cannot remove the cgroup %s: %s; run `bridle gc`", s->cgroup.path, strerror(-r));
	return whole && r == 0;
}

static void end_roles(struct sandbox *s)
{
	char path[PATHS_MAX_BYTES + 16];

	/* the command first: nothing of it may outlive what confines it */
	command_link_done(&s->link);
	if (s->cgroup.path[0] && paths_join(path, sizeof(path), s->cgroup.path, "sandbox") == 0)
		(void)cgroup_kill(path);
	listeners_stop(&s->workers.listeners);
	/* the keeper's end closes the worker's channel, which makes it finish its records and go */
	keeper_link_done(&s->keeper);
	workers_done(&s->workers);
	events_done(&s->events);
}

struct sandbox *sandbox_free(struct sandbox *s)
{
	bool whole;

	if (!s)
		return NULL;
	loop_undefer(s->loop, &s->end);
	loop_undefer(s->loop, &s->keeper_back);
	end_roles(s);
	s->audit = audit_free(s->audit);
	whole = remove_from_kernel(s);
	netns_done(&s->netns);
	uid_release(&s->keeper_uid);
	uid_release(&s->worker_uid);
	secrets_done(&s->secrets);
	if (whole)
		state_remove(&s->state);
	else
		state_release(&s->state);
	s->audit_fd = fd_close(s->audit_fd);
	s->snapshot_fd = fd_close(s->snapshot_fd);
	s->flows_fd = fd_close(s->flows_fd);
	s->denials_fd = fd_close(s->denials_fd);
	s->counters_fd = fd_close(s->counters_fd);
	free(s->audit_path);
	policy_unref(s->options.policy);
	free(s);
	return NULL;
}

int sandbox_audit_fd(const struct sandbox *s, uint64_t *ret_offset)
{
	int fd = audit_file_reopen(s->audit_fd, O_RDONLY);

	if (fd >= 0)
		*ret_offset = s->audit_offset;
	return fd;
}

void sandbox_pids(const struct sandbox *s, struct sandbox_pids *ret)
{
	*ret = (struct sandbox_pids){ .supervisor = getpid(),
				      .keeper = s->keeper.role.pid,
				      .zygote = s->workers.zygote.pid,
				      .worker = s->workers.pid,
				      .init = s->link.role.pid };
}
