/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file, read and compiled, for every command that takes one. */
#ifndef BRIDLE_CLI_POLICY_FILE_H
#define BRIDLE_CLI_POLICY_FILE_H

#include "base/buf.h"

struct policy;

struct policy_file {
	struct buf text;       /* owned */
	struct policy *policy; /* ref held */
};

/*
 * 0, or -1 after saying on standard error what is wrong and where ("file:line:column: …"). -2 when the file cannot be
 * read, which is said too.
 */
int policy_file_load(const char *path, struct policy_file *ret);

/* As policy_file_load(), for a text that is no file; name is for messages. */
int policy_file_from_text(const char *name, struct str text, struct policy_file *ret);
/* The text of a file alone, into *ret, which the caller frees. 0, or -2 after saying why. */
int policy_file_read(const char *path, struct buf *ret);
void policy_file_done(struct policy_file *f);

#endif
