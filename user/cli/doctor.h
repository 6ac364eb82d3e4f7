/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of `bridle doctor` share: results, and the tables that they belong to. Probes look at this machine and
 * change nothing; checks try things in a sandbox.
 */
#ifndef BRIDLE_CLI_DOCTOR_H
#define BRIDLE_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

struct cli_user;

#define DOCTOR_TEXT_MAX 640

/* The zeroed result is the bad one. */
enum doctor_status { DOCTOR_FAIL = 0, DOCTOR_WARN, DOCTOR_OK };

struct doctor_result {
	enum doctor_status status;
	char what[DOCTOR_TEXT_MAX]; /* one sentence; may hold bytes of files: escape it */
};

struct doctor_probe {
	const char *id, *title, *next;
	void (*run)(const struct cli_user *user, struct doctor_result *ret);
};

struct doctor_gap {
	const char *id, *what, *next;
};

struct doctor_check {
	const char *id, *title;
	bool must_pass; /* otherwise: must be refused */
};

/* Numbers of the checks, in the order of the table. */
enum doctor_check_number {
#define CHECK(id, must, title) DOCTOR_CHECK_##id,
#include "cli/doctor_checks.def"
#undef CHECK
	DOCTOR_CHECKS
};

/* The tables; probes and gaps end with a zeroed row. */
extern const struct doctor_probe doctor_probes[];
extern const struct doctor_gap doctor_gaps[];
extern const struct doctor_check doctor_checks[DOCTOR_CHECKS];

#define PROBE(id, title, next) void probe_##id(const struct cli_user *user, struct doctor_result *ret);
#include "cli/doctor_probes.def"
#undef PROBE

/* Writes a result; what is a format. */
void doctor_say(struct doctor_result *ret, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Starts a throw-away sandbox as that user and fills the results of the checks that were reached; the others stay zeroed.
 * Leaves nothing behind. Needs root.
 */
void doctor_self_test(const struct cli_user *user, struct doctor_result results[DOCTOR_CHECKS]);

/* The other half, which runs inside: tries everything and prints a line each, "id TAB ok|fail TAB text". Exit status. */
int prober_main(void);

#endif
