/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sandbox from birth to end: cgroups, namespaces, kernel programs, keeper, zygote, workers, the command. This is
 * what `bridle run` calls, what `attach` and bridled will call, and what the tests' launcher calls.
 */
#ifndef BRIDLE_SUPERVISOR_SANDBOX_H
#define BRIDLE_SUPERVISOR_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/str.h"

struct init_spec;
struct loop;
struct policy;
struct sandbox;

#define SANDBOX_NAME_MAX   48 /* [a-z0-9][a-z0-9._-]* */
#define SANDBOX_REASON_MAX 1024

/* For tests that must see what the programs stop: when they are taken off again. */
enum sandbox_detach { SANDBOX_DETACH_NEVER = 0, SANDBOX_DETACH_BEFORE_SELF_TEST, SANDBOX_DETACH_BEFORE_COMMAND };

struct sandbox_options {
	const char *name;
	const char *policy_file; /* for messages */
	struct str policy_text;
	struct policy *policy;	     /* compiled from policy_text */
	const char *audit_path;	     /* NULL: /var/log/bridle/NAME.jsonl */
	struct init_spec *command;   /* masks, certs_dir and resolv_conf are filled by sandbox_start() */
	const uint16_t *proxy_ports; /* of the caller's proxy variables */
	size_t n_proxy_ports;
	int netns_fd; /* -1: a private namespace with loopback only; else this one (tests; later attach) */
	struct deadlines deadlines;		   /* tests only: other times for the worker */
	enum sandbox_detach detach;		   /* tests only */
	void (*on_stopped)(void *arg, int signal); /* the command stopped (job control) */
	void (*on_let_go)(void *arg);		   /* the self-test passed: signals are the command's from here on */
	void (*on_started)(void *arg);
	void (*on_end)(void *arg, int exit_code,
		       const char *text); /* the command's own status, or 125-127 with a sentence */
	void *arg;
};

bool sandbox_name_is_valid(struct str name);

/*
 * Everything up to the command's start, which is told by on_started. On failure -errno, a sentence in reason
 * (SANDBOX_REASON_MAX bytes: what, where, why, next step) and nothing is left behind.
 */
int sandbox_start(struct loop *loop, const struct sandbox_options *options, struct sandbox **ret, char *reason);

/* Delivers a signal to the command; after on_let_go. */
void sandbox_signal(struct sandbox *s, int signal);

/* Kills what is left, ends the roles in order (audit complete), removes cgroups, pins, files. NULL is fine; returns NULL. */
struct sandbox *sandbox_free(struct sandbox *s);

/* The audit file, opened for reading, and where this sandbox's records begin. Owned by the caller; -errno. */
int sandbox_audit_fd(const struct sandbox *s, uint64_t *ret_offset);

/* For tests and `list`: pids of the roles (0: not running). */
struct sandbox_pids {
	int supervisor, keeper, zygote, worker, init;
};
void sandbox_pids(const struct sandbox *s, struct sandbox_pids *ret);

#endif
