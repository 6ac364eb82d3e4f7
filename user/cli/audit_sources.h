/* SPDX-License-Identifier: Apache-2.0 */
/* The files that `bridle audit show` reads, as one stream of records in the order of their times. */
#ifndef BRIDLE_CLI_AUDIT_SOURCES_H
#define BRIDLE_CLI_AUDIT_SOURCES_H

#include <stdbool.h>

struct audit_entry;
struct audit_sources;

#define AUDIT_SOURCES_REPLACED_MAX \
	8 /* files that were rotated away and are read on, because a run may still write them */

/* path NULL: every *.jsonl of the directory. Says on standard error what is wrong. NULL then. */
struct audit_sources *audit_sources_open(const char *path, const char *directory);
struct audit_sources *audit_sources_free(struct audit_sources *s);

/*
 * The earliest record that was not given yet, until the next call; NULL: there is none now, or a file cannot be read. A
 * line that is no record is warned about and passed over.
 */
const struct audit_entry *audit_sources_next(struct audit_sources *s);

/* Looks for files that were replaced, cut or are new; then audit_sources_next() goes on. */
void audit_sources_refresh(struct audit_sources *s);

/* Warns about last lines without line feed: when nothing more will be read. */
void audit_sources_finish(struct audit_sources *s);

/* Whether a line was no record; whether a file could not be read to its end. */
bool audit_sources_had_bad_lines(const struct audit_sources *s);
bool audit_sources_failed(const struct audit_sources *s);

#endif
