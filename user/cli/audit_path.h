/* SPDX-License-Identifier: Apache-2.0 */
/* Which file a word of `bridle audit` means. */
#ifndef BRIDLE_CLI_AUDIT_PATH_H
#define BRIDLE_CLI_AUDIT_PATH_H

/*
 * A word with a slash, or that ends in ".jsonl", is a path; any other is a sandbox, whose file is the default one. Owned
 * by the caller. NULL when memory is short.
 */
char *audit_path_of(const char *word);

#endif
