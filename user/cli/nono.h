/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the network part of a nono profile (hosts, endpoint rules, credentials, auth) into a policy. Pure: text in, text
 * out. Nothing becomes wider than it was: what could is left out, with all that depends on it, and said.
 */
#ifndef BRIDLE_CLI_NONO_H
#define BRIDLE_CLI_NONO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;
struct diag;

/*
 * *ret_policy: a policy that policy_load() takes, pretty-printed. *ret_notes: a line for each thing that was not carried
 * over, "file:line:column: what and why; what to write instead"; *ret_n_notes: how many. is_whole: the caller says that
 * the base profiles ("extends") and the overrides deny nothing more, so they are no reason to leave everything out.
 * 0; -EINVAL with *reterr when the text is no profile; -errno.
 */
int nono_convert(const char *file, struct str text, bool is_whole, struct buf *ret_policy, struct buf *ret_notes,
		 size_t *ret_n_notes, struct diag *reterr);

#endif
