/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle audit show [FILE]`: records for people, a line each. Exit 0; 1 when a line was no record; 2 when nothing could
 * be read. A reader that goes away, like head, is no error.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/entry.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/audit_filter.h"
#include "cli/audit_line.h"
#include "cli/audit_path.h"
#include "cli/audit_sources.h"
#include "cli/command.h"
#include "supervisor/paths.h"

#define STATUS_BAD_LINES 1
#define STATUS_USAGE	 2
#define LAST_MAX	 100000 /* lines that --last holds back */
#define TICK_MS		 200	/* how often a file is looked at with --follow */

enum show_option {
	OPTION_SANDBOX,
	OPTION_HOST,
	OPTION_CODE,
	OPTION_DECISION,
	OPTION_KIND,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_FOLLOW,
	OPTION_LAST,
	OPTION_COLOR,
};

struct show {
	struct audit_filter filter;
	struct audit_sources *sources; /* owned */
	bool follow, in_colour;
	int print_error; /* errno of the first line that could not be printed; EPIPE: the reader has gone */
	struct buf line; /* owned */
	char **held;	 /* owned, with its lines: a ring of the last n_held_max */
	uint64_t n_held_max, n_held;
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int take_colour(struct show *s, const char *word)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if (word && strcmp(word, "always") != 0 && strcmp(word, "never") != 0 && strcmp(word, "auto") != 0) {
		log_error("--color %s is not known; write auto, always or never", word);
		return -EINVAL;
	}
	if (!word || strcmp(word, "auto") == 0)
		s->in_colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour) &&
			       !(terminal && strcmp(terminal, "dumb") == 0);
	else
		s->in_colour = strcmp(word, "always") == 0;
	return 0;
}

static int take_last(struct show *s, const char *word)
{
	if (!word)
		return 0;
	if (str_to_u64(str_of(word), &s->n_held_max) < 0 || s->n_held_max == 0 || s->n_held_max > LAST_MAX) {
		log_error("--last %s is no number of lines; write one from 1 to %d", word, LAST_MAX);
		return -EINVAL;
	}
	s->held = calloc(s->n_held_max, sizeof(*s->held));
	return s->held ? 0 : -ENOMEM;
}

static int take_options(struct show *s, const struct arguments *args)
{
	const struct audit_filter_words words = {
		.sandbox = args->values[OPTION_SANDBOX],
		.host = args->values[OPTION_HOST],
		.code = args->values[OPTION_CODE],
		.decision = args->values[OPTION_DECISION],
		.kind = args->values[OPTION_KIND],
		.since = args->values[OPTION_SINCE],
		.until = args->values[OPTION_UNTIL],
	};
	char reason[COMMAND_REASON_MAX];

	s->follow = args->values[OPTION_FOLLOW] != NULL;
	if (audit_filter_make(&words, now_us(), &s->filter, reason) < 0) {
		log_error("%s", reason);
		return -EINVAL;
	}
	if (take_colour(s, args->values[OPTION_COLOR]) < 0)
		return -EINVAL;
	return take_last(s, args->values[OPTION_LAST]);
}

static void print(struct show *s, struct str line)
{
	if (s->print_error == 0 && fwrite(line.p, 1, line.n, stdout) != line.n)
		s->print_error = errno;
}

static int hold(struct show *s, struct str line)
{
	char **const at = &s->held[s->n_held++ % s->n_held_max];

	free(*at);
	*at = str_dup(line);
	return *at ? 0 : -ENOMEM;
}

/* What was held back, oldest first; from now on nothing is. */
static void release(struct show *s)
{
	const uint64_t n = MIN(s->n_held, s->n_held_max);

	for (uint64_t i = s->n_held - n; i < s->n_held; i++)
		print(s, str_of(s->held[i % s->n_held_max]));
	for (uint64_t i = 0; i < n; i++)
		free(s->held[i]);
	free(s->held);
	s->held = NULL;
	s->n_held = 0;
}

/* All that the files have now. 0 or -ENOMEM. */
static int show_records(struct show *s)
{
	const struct audit_entry *e;
	int r = 0;

	while (r == 0 && s->print_error == 0 && (e = audit_sources_next(s->sources))) {
		if (!audit_filter_matches(&s->filter, e))
			continue;
		buf_clear(&s->line);
		r = audit_line_put(&s->line, e, s->in_colour);
		if (r == 0 && s->held)
			r = hold(s, buf_str(&s->line));
		else if (r == 0)
			print(s, buf_str(&s->line));
	}
	release(s);
	if (s->print_error == 0 && fflush(stdout) != 0)
		s->print_error = errno;
	return r;
}

/* Whether somebody still reads. */
static bool wait_for_more(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, TICK_MS) <= 0 || !(out.revents & (POLLERR | POLLNVAL));
}

static int show_files(struct show *s)
{
	int r = show_records(s);

	while (r == 0 && s->follow && s->print_error == 0 && !audit_sources_failed(s->sources) && wait_for_more()) {
		audit_sources_refresh(s->sources);
		r = show_records(s);
	}
	if (r < 0) {
		log_error("cannot show the audit: %s", strerror(-r));
		return STATUS_USAGE;
	}
	if (s->print_error != 0 && s->print_error != EPIPE) {
		log_error("cannot print the records: %s", strerror(s->print_error));
		return STATUS_USAGE;
	}
	if (s->print_error == 0 && !s->follow)
		audit_sources_finish(s->sources);
	if (audit_sources_failed(s->sources))
		return STATUS_USAGE;
	return audit_sources_had_bad_lines(s->sources) ? STATUS_BAD_LINES : 0;
}

static int show_main(const struct arguments *args)
{
	auto_free char *path = args->n_rest > 0 ? audit_path_of(args->rest[0]) : NULL;
	struct show s = { 0 };
	int status = STATUS_USAGE;

	(void)signal(SIGPIPE, SIG_IGN);
	buf_init(&s.line, AUDIT_LINE_MAX);
	if (take_options(&s, args) == 0)
		s.sources = audit_sources_open(path, PATHS_AUDIT);
	if (s.sources)
		status = show_files(&s);
	s.sources = audit_sources_free(s.sources);
	free(s.held);
	buf_done(&s.line);
	return status;
}

const struct command command_audit_show = {
	.name = "audit show",
	.rest = "[FILE|SANDBOX]",
	.rest_min = 0,
	.rest_max = 1,
	.usage_status = STATUS_USAGE,
	.doc = "show audit records, a line each; without a word those of all sandboxes",
	.options = { [OPTION_SANDBOX] = { "sandbox", "NAME", "only of this sandbox" },
		     [OPTION_HOST] = { "host", "NAME", "only to this host; *.NAME: below it" },
		     [OPTION_CODE] = { "code", "CODE", "only with this code, as a refusal says it" },
		     [OPTION_DECISION] = { "decision", "WORD", "allow or refuse" },
		     [OPTION_KIND] = { "kind", "WORD", "exchange, connection, kernel, dns, chain or lost" },
		     [OPTION_SINCE] = { "since", "TIME", "from then: 2026-11-25T17:03:00Z, or 10m, 2h, 1d ago" },
		     [OPTION_UNTIL] = { "until", "TIME", "up to then" },
		     [OPTION_FOLLOW] = { "follow", NULL, "go on as records are written, also when a file is rotated" },
		     [OPTION_LAST] = { "last", "N", "only the last N that match" },
		     [OPTION_COLOR] = { "color", "WHEN", "auto (a terminal, NO_COLOR not set), always or never" } },
	.letters = { [OPTION_FOLLOW] = 'f', [OPTION_LAST] = 'n' },
	.run = show_main,
};
