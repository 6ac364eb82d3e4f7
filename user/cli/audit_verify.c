/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle audit verify FILE...`: are the chains of these files whole. Exit 0 when they are, 1 when not, 2 when that could
 * not be found out. Findings are printed as they are met; values out of the files are escaped.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "audit/chain_check.h"
#include "audit/lines.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/audit_path.h"
#include "cli/command.h"

#define STATUS_BROKEN 1
#define STATUS_USAGE  2
#define TEXT_MAX      ((size_t)8192)

enum verify_option { OPTION_JSON, OPTION_PARTIAL };

struct verify {
	bool json;
	bool is_first; /* of a JSON array */
	struct audit_check *check;
	int n_files;
	struct input {
		char *path;
		int fd;
	} * files; /* owned, n_files */
};

/* ,"name":"value" with value as a JSON string. */
static void print_json_text(const char *name, const char *value)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	(void)buf_append_json(&b, str_of(value));
	(void)printf(",\"%s\":\"%.*s\"", name, (int)buf_len(&b), buf_len(&b) ? buf_data(&b) : "");
	buf_done(&b);
}

static void print_comma(struct verify *v)
{
	(void)printf("%s", v->is_first ? "\n" : ",\n");
	v->is_first = false;
}

static void on_finding(void *arg, const struct audit_finding *f)
{
	struct verify *v = arg;
	char file[TEXT_MAX], text[TEXT_MAX];

	if (v->json) {
		print_comma(v);
		(void)printf("{\"code\":\"%s\",\"problem\":%s,\"line\":%" PRIu64, audit_finding_symbol(f->code),
			     f->is_note ? "false" : "true", f->at.line);
		print_json_text("file", f->at.file);
		print_json_text("chain", f->chain);
		print_json_text("text", f->text);
		(void)printf("}");
		return;
	}
	(void)log_escape(file, sizeof(file), f->at.file, strlen(f->at.file));
	(void)log_escape(text, sizeof(text), f->text, strlen(f->text));
	(void)printf("%s:%" PRIu64 ": %s%s: %s", file, f->at.line, f->is_note ? "note: " : "",
		     audit_finding_symbol(f->code), text);
	(void)(f->chain[0] ? printf(" (chain %s)\n", f->chain) : printf("\n"));
}

static void on_chain(void *arg, const struct audit_chain *chain)
{
	print_comma(arg);
	(void)printf("{\"id\":\"%s\",\"records\":%" PRIu64 ",\"last_seq\":%" PRIu64
		     ",\"last_hash\":\"%s\",\"last_line\":%" PRIu64 ",\"named_by_a_later_one\":%s",
		     chain->id, chain->records, chain->last_seq, chain->last_hash, chain->last.line,
		     chain->is_named ? "true" : "false");
	print_json_text("last_file", chain->last.file);
	print_json_text("writer", chain->writer);
	(void)printf("}");
}

static void print_json_end(struct verify *v, const struct audit_totals *t)
{
	(void)printf("],\"chains\":[");
	v->is_first = true;
	audit_check_each_chain(v->check, on_chain, v);
	(void)printf("],\n\"records\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"problems\":%" PRIu64
		     ",\"open_ends\":%u,\"intact\":%s}\n",
		     t->records, t->lost, t->problems, t->open_ends, t->problems ? "false" : "true");
}

static void print_end(const struct audit_totals *t)
{
	(void)printf("%s: %" PRIu64 " records in %u chains", t->problems ? "BROKEN" : "intact", t->records, t->chains);
	if (t->problems)
		(void)printf(", %" PRIu64 " problem%s", t->problems, t->problems == 1 ? "" : "s");
	if (t->lost)
		(void)printf(", %" PRIu64 " records lost by their writers' own account", t->lost);
	/* what no hash can show must not look as if it were shown */
	(void)printf(
		"\nNo later chain names the end of %u of them: records cut off there would not show, nor would a file\n"
		"written anew as a whole. For that, keep the last hashes of --json on another machine.\n",
		t->open_ends);
}

static int read_error(const char *path, int r)
{
	log_error("cannot read the audit file %s: %s; name a file that bridle wrote", path, strerror(-r));
	return r;
}

static int verify_file(struct verify *v, const struct input *file)
{
	struct audit_place at = { .file = file->path };
	struct audit_lines lines;
	struct str line;
	int r = audit_lines_init(&lines, file->fd);

	while (r == 0 && (r = audit_lines_next(&lines, &line)) > 0) {
		at.line = lines.number;
		if (r == AUDIT_LINES_LONG)
			audit_check_long_line(v->check, at);
		r = r == AUDIT_LINES_LONG ? 0 : audit_check_line(v->check, at, line);
	}
	if (r == 0) {
		at.line = lines.number + 1;
		r = audit_check_end_of_file(v->check, at, audit_lines_rest(&lines));
	}
	audit_lines_done(&lines);
	if (r == -E2BIG)
		log_error("more than %u chains: verify fewer files at a time, with --partial", AUDIT_CHECK_CHAINS_MAX);
	return r == 0 || r == -E2BIG ? r : read_error(file->path, r);
}

/* All before the first is read: a wrong name is said at once, and nothing half is printed. */
static int open_files(struct verify *v, char **words)
{
	v->files = calloc((size_t)v->n_files, sizeof(*v->files));
	if (!v->files)
		return -ENOMEM;
	for (int i = 0; i < v->n_files; i++)
		v->files[i].fd = -1;
	for (int i = 0; i < v->n_files; i++) {
		char byte;

		v->files[i].path = audit_path_of(words[i]);
		if (!v->files[i].path)
			return -ENOMEM;
		v->files[i].fd = open(v->files[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (v->files[i].fd < 0 || read(v->files[i].fd, &byte, 0) < 0)
			return read_error(v->files[i].path, -errno);
	}
	return 0;
}

static void verify_done(struct verify *v)
{
	for (int i = 0; v->files && i < v->n_files; i++) {
		(void)fd_close(v->files[i].fd);
		free(v->files[i].path);
	}
	free(v->files);
	v->check = audit_check_free(v->check);
}

static int verify_files(struct verify *v)
{
	struct audit_totals totals;

	if (v->json)
		(void)printf("{\"v\":1,\"findings\":[");
	for (int i = 0; i < v->n_files; i++)
		if (verify_file(v, &v->files[i]) < 0)
			return STATUS_USAGE;
	totals = audit_check_totals(v->check);
	if (v->json)
		print_json_end(v, &totals);
	else
		print_end(&totals);
	/* a reader that has gone changes nothing of the answer, which is in the status; a full disk does */
	if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE) {
		log_error("cannot print the findings: %s", strerror(errno));
		return STATUS_USAGE;
	}
	return totals.problems ? STATUS_BROKEN : 0;
}

static int verify_main(const struct arguments *args)
{
	struct verify v = { .json = args->values[OPTION_JSON] != NULL, .is_first = true, .n_files = args->n_rest };
	int status = STATUS_USAGE;

	(void)signal(SIGPIPE, SIG_IGN);
	v.check = audit_check_new(args->values[OPTION_PARTIAL] != NULL, on_finding, &v);
	if (!v.check)
		log_error("no memory to verify; end other processes");
	else if (open_files(&v, args->rest) == 0)
		status = verify_files(&v);
	verify_done(&v);
	return status;
}

const struct command command_audit_verify = {
	.name = "audit verify",
	.rest = "FILE|SANDBOX...",
	.rest_min = 1,
	.rest_max = -1,
	.usage_status = STATUS_USAGE,
	.doc = "check that audit files are whole; rotated ones oldest first",
	.options = { [OPTION_JSON] = { "json", NULL, "as one JSON object, with the last hash of each chain" },
		     [OPTION_PARTIAL] = { "partial", NULL, "earlier files are gone: chains may begin in the middle" } },
	.run = verify_main,
};
