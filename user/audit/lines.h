/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file of any size, in memory that is bounded whatever is in it. */
#ifndef BRIDLE_AUDIT_LINES_H
#define BRIDLE_AUDIT_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/str.h"

#define AUDIT_LINES_MAX (4 * AUDIT_RECORD_MAX) /* bytes held; a line is at most AUDIT_RECORD_MAX */

struct audit_lines {
	int fd;		 /* borrowed */
	uint64_t number; /* of the last line given, from 1 */
	size_t from, to; /* what of mem is not given yet */
	bool is_long;	 /* its end is still to come, and dropped */
	char *mem;	 /* owned */
};

enum audit_lines_result { AUDIT_LINES_END, AUDIT_LINES_WHOLE, AUDIT_LINES_LONG };

/* 0 or -ENOMEM. */
int audit_lines_init(struct audit_lines *l, int fd);
void audit_lines_done(struct audit_lines *l);

/*
 * AUDIT_LINES_WHOLE: *ret is a line without its line feed, until the next call. AUDIT_LINES_LONG: its beginning; the
 * rest is passed over. AUDIT_LINES_END: nothing whole is there now; asked again it reads on, so that a file may grow.
 * -errno: it cannot be read.
 */
int audit_lines_next(struct audit_lines *l, struct str *ret);

/* What stands behind the last line feed: empty, or a line that is cut. */
struct str audit_lines_rest(const struct audit_lines *l);

#endif
