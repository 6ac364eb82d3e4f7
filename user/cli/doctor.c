/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle doctor`: can this machine hold a sandbox, what does a sandbox not cover, and does one hold now. Exit status 0
 * when nothing failed (warnings do not), 1 when something did, 2 for a wrong command line.
 */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/command.h"
#include "cli/doctor_print.h"
#include "cli/user.h"
#include "supervisor/sandbox.h"
#include "supervisor/uid.h"

#define STATUS_FAILED 1
#define STATUS_USAGE  2

enum doctor_option { OPTION_JSON, OPTION_USER, OPTION_INSIDE };

const struct doctor_probe doctor_probes[] = {
#define PROBE(id, title, next) { #id, title, next, probe_##id },
#include "cli/doctor_probes.def"
#undef PROBE
	{ 0 },
};

const struct doctor_gap doctor_gaps[] = {
#define GAP(id, what, next) { #id, what, next },
#include "cli/doctor_gaps.def"
#undef GAP
	{ 0 },
};

void doctor_say(struct doctor_result *ret, enum doctor_status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(ret->what, sizeof(ret->what), format, ap);
	va_end(ap);
	ret->status = status;
}

/* Nobody was named and nobody called sudo: a uid that belongs to nobody will do for the self-test. */
static int take_free_uid(struct uid_lock *lock, struct cli_user *ret, struct doctor_result *reterr)
{
	char reason[SANDBOX_REASON_MAX] = "";

	if (uid_take(lock, reason) < 0) {
		doctor_say(reterr, DOCTOR_FAIL, "%.*s", DOCTOR_TEXT_MAX - 1, reason);
		return -1;
	}
	*ret = (struct cli_user){ .uid = lock->uid, .gid = lock->uid };
	return 0;
}

static int choose_user(const char *wanted, struct cli_user *ret, bool *ret_is_named)
{
	const char *sudo = getenv("SUDO_UID");
	char reason[USER_REASON_MAX];

	*ret_is_named = geteuid() == 0 && (wanted || (sudo && strcmp(sudo, "0") != 0));
	if (!*ret_is_named || cli_user_choose(wanted, ret, reason) == 0)
		return 0;
	log_error("%s", reason);
	return -1;
}

static void try_sandbox(struct doctor_report *report, const struct cli_user *named)
{
	struct doctor_result *start = &report->checks[DOCTOR_CHECK_start];
	struct cli_user user = { 0 };
	struct uid_lock lock;

	uid_init(&lock);
	if (geteuid() != 0)
		doctor_say(start, DOCTOR_FAIL, "not tried: it needs root");
	else if (named || take_free_uid(&lock, &user, start) == 0) {
		report->uid = named ? named->uid : user.uid;
		doctor_self_test(named ? named : &user, report->checks);
	}
	uid_release(&lock);
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		if (!report->checks[i].what[0])
			doctor_say(&report->checks[i], DOCTOR_FAIL, "not reached");
}

static int examine(const struct arguments *args, const struct cli_user *named)
{
	struct doctor_report *report = calloc(1, sizeof(*report));
	int r;

	if (!report) {
		log_error("no memory; end other processes");
		return STATUS_FAILED;
	}
	for (size_t i = 0; doctor_probes[i].id; i++)
		doctor_probes[i].run(named, &report->probes[i]);
	try_sandbox(report, named);
	r = args->values[OPTION_JSON] ? doctor_print_json(report) : doctor_print_text(report);
	if (r < 0)
		log_error("cannot print the report: %s", strerror(-r));
	else
		r = doctor_count(report, DOCTOR_FAIL) > 0;
	free(report);
	return r == 0 ? 0 : STATUS_FAILED;
}

static int doctor_main(const struct arguments *args)
{
	struct cli_user user = { 0 };
	bool is_named;
	int status;

	if (args->values[OPTION_INSIDE])
		return prober_main();
	if (choose_user(args->values[OPTION_USER], &user, &is_named) < 0)
		return STATUS_USAGE;
	status = examine(args, is_named ? &user : NULL);
	cli_user_done(&user);
	return status;
}

const struct command command_doctor = {
	.name = "doctor",
	.rest = "",
	.rest_max = 0,
	.usage_status = STATUS_USAGE,
	.doc = "tell whether this machine can hold sandboxes, and try one",
	.options = {
		[OPTION_JSON] = { "json", NULL, "as one JSON object" },
		[OPTION_USER] = { "user", "USER", "whom to try it as (the caller of sudo, or a uid that nobody has)" },
		[OPTION_INSIDE] = { "inside", NULL, "only the part of the self-test that runs in a sandbox: bridle run -- bridle doctor --inside" },
	},
	.run = doctor_main,
};
