/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences of `bridle run`. One line says what runs under which policy; everything else is a warning, or comes at the
 * end. Names that others chose are escaped by the log; the learned policy is escaped here.
 */
#include "cli/run_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/learn.h"
#include "cli/user.h"
#include "policy/policy.h"
#include "supervisor/leftovers.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/tier.h"

#define LEARN_TELL "no request was tried that a policy could allow"

static void on_removed(void *arg, const struct leftover *leftover)
{
	char process[32] = "";

	(void)arg;
	if (leftover->pid)
		(void)snprintf(process, sizeof(process), " (process %d)", leftover->pid);
	log_notice("removed what is left of sandbox %s, whose supervisor%s was killed", leftover->name, process);
}

void run_report_leftovers(void)
{
	char reason[SANDBOX_REASON_MAX] = "";

	if (leftovers_collect(on_removed, NULL, reason) < 0)
		log_warning("not everything that killed runs left could be removed: %s", reason);
}

void run_report_credentials(const struct policy *policy)
{
	for (size_t i = 0; i < policy_credential_count(policy); i++) {
		const struct policy_credential *c = policy_credential_at(policy, i);

		if (c->unavailable)
			log_warning("credential %s (line %u): this version cannot do \"%s\" yet, so requests to %s get "
				    "%d %s "
				    "and nothing is sent",
				    c->name, c->line, c->unavailable, c->origin.host.text,
				    why_status(policy_credential_refusal(c)), why_symbol(policy_credential_refusal(c)));
	}
	for (size_t i = 0; i < policy_later_count(policy); i++)
		log_warning("network.%s: this version cannot do it yet, so what it names stays refused",
			    policy_later_at(policy, i));
}

void run_report_status(const char *name, const char *policy_path, const struct policy *policy, const char *audit_path)
{
	char default_path[256];
	const size_t hosts = policy_route_count(policy);

	(void)snprintf(default_path, sizeof(default_path), PATHS_AUDIT "/%s.jsonl", name);
	if (policy_path)
		log_notice("sandbox %s: tier T%u, policy %s (%zu host%s), audit %s", name, SANDBOX_TIER, policy_path,
			   hosts, hosts == 1 ? "" : "s", audit_path ? audit_path : default_path);
	else
		log_notice("sandbox %s: tier T%u, no policy: nothing is allowed, audit %s", name, SANDBOX_TIER,
			   audit_path ? audit_path : default_path);
}

static int write_all(int fd, struct str s)
{
	while (s.n > 0) {
		const ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

/* Line by line: its own line feeds are meant, everything else that steers a terminal is not. */
static void show(struct str text)
{
	while (text.n > 0) {
		const size_t n = str_find(text, '\n');
		auto_free char *line = malloc(4 * n + 2);

		if (!line)
			return;
		(void)log_escape(line, 4 * n + 1, text.p, n);
		(void)write_all(STDERR_FILENO, str_of(line));
		(void)write_all(STDERR_FILENO, STR("\n"));
		text = str_from(text, n + 1);
	}
}

static void save(int fd, const char *path, const struct learned *l)
{
	int r = ftruncate(fd, 0) < 0 ? -errno : write_all(fd, buf_str(&l->text));

	if (r < 0)
		log_error("--learn %s: %s; the policy was not written whole", path, strerror(-r));
	else
		log_notice("%u request%s tried; the smallest policy that allows %s is in %s: read it before you use it",
			   l->requests, l->requests == 1 ? " was" : "s were", l->requests == 1 ? "it" : "them", path);
}

void run_report_learned(int audit_fd, uint64_t offset, const struct cli_user *user, int learn_fd, const char *path)
{
	struct learned l;
	int r = audit_fd < 0 ? audit_fd : learn_from_audit(audit_fd, offset, user, &l);

	if (r < 0) {
		log_warning(
			"cannot tell the smallest policy for what was tried: the audit records could not be read (%s)",
			strerror(-r));
		return;
	}
	if (l.left_out > 0)
		log_notice("%u request%s left out: to addresses of this machine or of metadata services, malformed, or "
			   "too many",
			   l.left_out, l.left_out == 1 ? " was" : "s were");
	if (l.requests == 0)
		log_notice(LEARN_TELL);
	else if (learn_fd >= 0) {
		save(learn_fd, path, &l);
	} else {
		log_notice(
			"%u request%s tried; this is the smallest policy that allows %s (read it before you use it):",
			l.requests, l.requests == 1 ? " was" : "s were", l.requests == 1 ? "it" : "them");
		show(buf_str(&l.text));
	}
	learned_done(&l);
}
