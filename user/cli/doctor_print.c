/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of `bridle doctor`. A line each, its next step below when it is not ok; texts that came out of files are
 * escaped. In JSON the ids of the tables are the names to hold on to.
 */
#include "cli/doctor_print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/version.h"
#include "supervisor/tier.h"

#define JSON_MAX  ((size_t)1 << 20)
#define ID_COLUMN 18
#define CHECK_NEXT \
	"report it with the whole output of bridle doctor; until it passes, run nothing there that you do not trust"

static const struct {
	const char *word, *sgr;
} statuses[] = {
	[DOCTOR_FAIL] = { "fail", "\033[31m" },
	[DOCTOR_WARN] = { "warn", "\033[33m" },
	[DOCTOR_OK] = { "ok", "\033[32m" },
};

unsigned doctor_count(const struct doctor_report *report, enum doctor_status status)
{
	unsigned n = 0;

	for (size_t i = 0; i < DOCTOR_PROBES; i++)
		n += report->probes[i].status == status;
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		n += report->checks[i].status == status;
	return n;
}

static bool has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static void print_result(const char *id, const struct doctor_result *r, const char *title, const char *next)
{
	const bool in_colour = has_colour();
	char what[4 * DOCTOR_TEXT_MAX];

	(void)log_escape(what, sizeof(what), r->what, strlen(r->what));
	(void)printf("  %s%-4s%s  %-*s %s%s%s\n", in_colour ? statuses[r->status].sgr : "", statuses[r->status].word,
		     in_colour ? "\033[0m" : "", ID_COLUMN, id, title, *title ? ": " : "", what);
	if (r->status != DOCTOR_OK)
		(void)printf("        %-*s -> %s\n", ID_COLUMN, "", next);
}

static void print_tier(void)
{
	(void)printf(
		"tier T%u: namespaces, dropped capabilities and seccomp keep sockets away that the kernel programs\n"
		"do not see. T1 (the same decided by kernel programs, for processes that run already) is not part of\n"
		"this version, whatever this kernel could load.\n\n",
		SANDBOX_TIER);
}

static void print_end(const struct doctor_report *report)
{
	const unsigned failed = doctor_count(report, DOCTOR_FAIL), warned = doctor_count(report, DOCTOR_WARN);

	if (failed)
		(void)printf("\nNOT READY: %u of %u failed", failed, (unsigned)DOCTOR_PROBES + DOCTOR_CHECKS);
	else
		(void)printf("\nready: sandboxes hold on this machine");
	(void)(warned ? printf(", %u warning%s\n", warned, warned == 1 ? "" : "s") : printf("\n"));
}

int doctor_print_text(const struct doctor_report *report)
{
	(void)printf("bridle %s, ", BRIDLE_VERSION);
	print_tier();
	(void)printf("this machine\n");
	for (size_t i = 0; i < DOCTOR_PROBES; i++)
		print_result(doctor_probes[i].id, &report->probes[i], doctor_probes[i].title, doctor_probes[i].next);
	(void)printf("\nnot covered, or not allowed, in a sandbox of this tier\n");
	for (const struct doctor_gap *g = doctor_gaps; g->id; g++)
		(void)printf("        %-*s %s\n        %-*s -> %s\n", ID_COLUMN, g->id, g->what, ID_COLUMN, "",
			     g->next);
	(void)printf("\nlive self-test");
	(void)(report->uid ? printf(" in a throw-away sandbox, as uid %u\n", report->uid) : printf("\n"));
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		print_result(doctor_checks[i].id, &report->checks[i], "", CHECK_NEXT);
	print_end(report);
	return fflush(stdout) != 0 || ferror(stdout) ? -errno : 0;
}

/* ,"name":"value" */
static int put_text(struct buf *b, const char *name, const char *value)
{
	int r = buf_printf(b, ",\"%s\":\"", name);

	if (r == 0)
		r = buf_append_json(b, str_of(value));
	return r == 0 ? buf_append(b, STR("\"")) : r;
}

static int put_row(struct buf *b, size_t i, const char *id)
{
	return buf_printf(b, "%s\n{\"id\":\"%s\"", i ? "," : "", id);
}

static int put_probes(struct buf *b, const struct doctor_report *report)
{
	int r = buf_append(b, STR(",\"probes\":["));

	for (size_t i = 0; i < DOCTOR_PROBES && r == 0; i++) {
		const struct doctor_result *p = &report->probes[i];

		r = put_row(b, i, doctor_probes[i].id);
		if (r == 0)
			r = put_text(b, "status", statuses[p->status].word);
		if (r == 0)
			r = put_text(b, "checks", doctor_probes[i].title);
		if (r == 0)
			r = put_text(b, "what", p->what);
		if (r == 0)
			r = put_text(b, "next", p->status == DOCTOR_OK ? "" : doctor_probes[i].next);
		if (r == 0)
			r = buf_append(b, STR("}"));
	}
	return r;
}

static int put_gaps(struct buf *b)
{
	int r = buf_append(b, STR("],\n\"not_covered\":["));

	for (size_t i = 0; doctor_gaps[i].id && r == 0; i++) {
		r = put_row(b, i, doctor_gaps[i].id);
		if (r == 0)
			r = put_text(b, "what", doctor_gaps[i].what);
		if (r == 0)
			r = put_text(b, "next", doctor_gaps[i].next);
		if (r == 0)
			r = buf_append(b, STR("}"));
	}
	return r;
}

static int put_checks(struct buf *b, const struct doctor_report *report)
{
	int r = buf_append(b, STR("],\n\"self_test\":["));

	for (size_t i = 0; i < DOCTOR_CHECKS && r == 0; i++) {
		const struct doctor_result *c = &report->checks[i];

		r = put_row(b, i, doctor_checks[i].id);
		if (r == 0)
			r = put_text(b, "status", statuses[c->status].word);
		if (r == 0)
			r = put_text(b, "must", doctor_checks[i].must_pass ? "pass" : "be refused");
		if (r == 0)
			r = put_text(b, "what", c->what);
		if (r == 0)
			r = buf_append(b, STR("}"));
	}
	return r;
}

int doctor_print_json(const struct doctor_report *report)
{
	const unsigned failed = doctor_count(report, DOCTOR_FAIL), warned = doctor_count(report, DOCTOR_WARN);
	struct buf b;
	int r;

	buf_init(&b, JSON_MAX);
	r = buf_printf(&b, "{\"v\":1,\"version\":\"%s\",\"tier\":\"T%u\",\"ready\":%s,\"failed\":%u,\"warnings\":%u",
		       BRIDLE_VERSION, SANDBOX_TIER, failed ? "false" : "true", failed, warned);
	if (r == 0)
		r = put_probes(&b, report);
	if (r == 0)
		r = put_gaps(&b);
	if (r == 0)
		r = put_checks(&b, report);
	if (r == 0)
		r = buf_append(&b, STR("]}\n"));
	if (r == 0 && (fwrite(buf_data(&b), 1, buf_len(&b), stdout) != buf_len(&b) || fflush(stdout) != 0))
		r = errno ? -errno : -EIO;
	buf_done(&b);
	return r;
}
