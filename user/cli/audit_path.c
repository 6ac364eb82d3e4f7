/* SPDX-License-Identifier: Apache-2.0 */
/* A name means the same in every directory: what lies in the current one is never taken for a sandbox's file. */
#include "cli/audit_path.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "supervisor/paths.h"

char *audit_path_of(const char *word)
{
	char *path = NULL;

	if (strchr(word, '/') || str_ends(str_of(word), STR(".jsonl")))
		return str_dup(str_of(word));
	return asprintf(&path, PATHS_AUDIT "/%s.jsonl", word) < 0 ? NULL : path;
}
