/* SPDX-License-Identifier: Apache-2.0 */
/* A window over the file that moves line by line. */
#include "audit/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int audit_lines_init(struct audit_lines *l, int fd)
{
	*l = (struct audit_lines){ .fd = fd, .mem = malloc(AUDIT_LINES_MAX) };
	return l->mem ? 0 : -ENOMEM;
}

void audit_lines_done(struct audit_lines *l)
{
	free(l->mem);
	*l = (struct audit_lines){ .fd = -1 };
}

struct str audit_lines_rest(const struct audit_lines *l)
{
	return str_make(l->mem + l->from, l->to - l->from);
}

/* 1: there is more; 0: the end, for now. */
static int fill(struct audit_lines *l)
{
	ssize_t n;

	if (l->from > 0) {
		memmove(l->mem, l->mem + l->from, l->to - l->from);
		l->to -= l->from;
		l->from = 0;
	}
	do
		n = read(l->fd, l->mem + l->to, AUDIT_LINES_MAX - l->to);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->to += (size_t)n;
	return n > 0;
}

/* Whether a line, or the beginning of one that is too long, could be given. */
static bool take_line(struct audit_lines *l, struct str *ret, bool *ret_is_long)
{
	const struct str rest = audit_lines_rest(l);
	const size_t n = str_find(rest, '\n');

	if (l->is_long) { /* given already */
		l->from += n < rest.n ? n + 1 : n;
		l->is_long = n == rest.n;
		return false;
	}
	if (n == rest.n && n <= AUDIT_RECORD_MAX)
		return false;
	l->number++;
	*ret_is_long = n > AUDIT_RECORD_MAX;
	*ret = *ret_is_long ? str_make(rest.p, AUDIT_RECORD_MAX) : str_make(rest.p, n);
	l->is_long = n == rest.n;
	l->from += n < rest.n ? n + 1 : n;
	return true;
}

int audit_lines_next(struct audit_lines *l, struct str *ret)
{
	for (;;) {
		const bool was_long = l->is_long;
		bool is_long;
		int r;

		if (take_line(l, ret, &is_long))
			return is_long ? AUDIT_LINES_LONG : AUDIT_LINES_WHOLE;
		if (was_long && !l->is_long)
			continue; /* its end is passed, lines may stand behind it */
		r = fill(l);
		if (r <= 0)
			return r < 0 ? r : AUDIT_LINES_END;
	}
}
