/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle policy import nono FILE`: another tool's file as a policy. What was not carried over is said on standard error,
 * a line each. Exit 0 when nothing was left out, 1 when something was, 2 when there is no policy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/command.h"
#include "cli/nono.h"
#include "cli/policy_file.h"

#define STATUS_LEFT_OUT 1
#define STATUS_BAD	2
#define IMPORT_MAX	((size_t)64 << 20) /* of the policy, and of the notes */

static const struct format {
	const char *name;
	int (*convert)(const char *file, struct str text, bool is_whole, struct buf *ret_policy, struct buf *ret_notes,
		       size_t *ret_n_notes, struct diag *reterr);
} formats[] = {
	{ "nono", nono_convert },
};

enum { OPTION_OUTPUT = 0, OPTION_ALONE };

static const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	return NULL;
}

static int write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

/* Where to is NULL: standard output. */
static int put_text(const char *to, struct str text)
{
	auto_fd int file = to ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	int r = to && file < 0 ? -errno : write_all(to ? file : STDOUT_FILENO, text);

	if (r < 0)
		log_error("cannot write the policy%s%s: %s; name another file with -o", to ? " to " : "", to ? to : "",
			  strerror(-r));
	return r;
}

static int convert(const struct arguments *args, const struct format *format, struct str text)
{
	char line[DIAG_TEXT_MAX + 512];
	struct diag d = { 0 };
	struct buf policy, notes;
	size_t n_notes = 0;
	int r;

	buf_init(&policy, IMPORT_MAX);
	buf_init(&notes, IMPORT_MAX);
	r = format->convert(args->rest[1], text, args->values[OPTION_ALONE] != NULL, &policy, &notes, &n_notes, &d);
	if (r == -EINVAL)
		(void)fprintf(stderr, "%s\n", diag_format(&d, line, sizeof(line)));
	else if (r < 0)
		log_error("cannot import %s: %s", args->rest[1], strerror(-r));
	if (r == 0)
		r = put_text(args->values[OPTION_OUTPUT], buf_str(&policy));
	if (r == 0)
		r = write_all(STDERR_FILENO, buf_str(&notes));
	buf_done(&policy);
	buf_done(&notes);
	return r < 0 ? STATUS_BAD : n_notes > 0 ? STATUS_LEFT_OUT : 0;
}

static int import_main(const struct arguments *args)
{
	const struct format *format = format_find(args->rest[0]);
	struct buf text;
	int status;

	if (!format) {
		log_error("no format \"%s\" is known; the formats are: nono", args->rest[0]);
		return STATUS_BAD;
	}
	if (policy_file_read(args->rest[1], &text) < 0)
		return STATUS_BAD;
	status = convert(args, format, buf_str(&text));
	buf_done(&text);
	return status;
}

const struct command command_policy_import = {
	.name = "policy import",
	.rest = "nono FILE",
	.rest_min = 2,
	.rest_max = 2,
	.usage_status = STATUS_BAD,
	.doc = "make a policy of a nono profile, and say what was not carried over",
	.options = {
		[OPTION_OUTPUT] = { "output", "FILE", "write the policy there instead of printing it" },
		[OPTION_ALONE] = { "alone", NULL, "take the profile for whole: its base profiles deny nothing more" },
	},
	.letters = { [OPTION_OUTPUT] = 'o' },
	.run = import_main,
};
