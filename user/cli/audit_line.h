/* SPDX-License-Identifier: Apache-2.0 */
/* A record as one line for people. */
#ifndef BRIDLE_CLI_AUDIT_LINE_H
#define BRIDLE_CLI_AUDIT_LINE_H

#include <stdbool.h>

#include "audit/audit.h"

struct audit_entry;
struct buf;

#define AUDIT_LINE_MAX (4 * AUDIT_RECORD_MAX + 4096) /* every byte of a record, escaped */

/*
 * Appends the line with its line feed. Printable ASCII alone gets through: any other byte of a value is \xNN, a
 * backslash is two, so that a terminal obeys nothing and shows nothing that is not there. 0, -ENOBUFS or -ENOMEM.
 */
int audit_line_put(struct buf *out, const struct audit_entry *e, bool in_colour);

#endif
