/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new keeper has a new CA. The directory is mounted in the sandbox and must stay the same one, so its files are
 * replaced by rename, each at once; files of the old CA alone lose their meaning with its key.
 */
#include "supervisor/certs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/state.h"
#include "tls/trust_store.h"

/* Plain files and links move; directories hold nothing of the CA's (java/cacerts is a link to a file here) and stay. */
static int move_files(const char *from, const char *to)
{
	char source[PATHS_MAX_BYTES + 256], target[PATHS_MAX_BYTES + 256];
	DIR *dir = opendir(from);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_type == DT_DIR)
			continue;
		if (paths_join(source, sizeof(source), from, entry->d_name) < 0 ||
		    paths_join(target, sizeof(target), to, entry->d_name) < 0)
			r = -ENAMETOOLONG;
		else if (rename(source, target) < 0)
			r = -errno;
	}
	(void)closedir(dir);
	return r;
}

static int stage(const struct state *state, const char *name, const unsigned char *ca_der, size_t n, char *out,
		 size_t size, char *reason)
{
	char why[SANDBOX_REASON_MAX / 2] = "";
	int r = state_make_certs_dir(state, name, out, size);

	if (r == 0)
		r = trust_store_stage(out, ca_der, n, why, sizeof(why));
	if (r < 0)
		return reason_set(reason, r,
				  "cannot stage the sandbox's certificates in %s/%s: %s; make room below /run",
				  state->dir, name, why[0] ? why : strerror(-r));
	return 0;
}

int certs_stage(const struct state *state, const unsigned char *ca_der, size_t n, char *out, size_t size, char *reason)
{
	char fresh[PATHS_MAX_BYTES];
	int r = paths_join(out, size, state->dir, "certs");

	if (r < 0 || access(out, F_OK) < 0)
		return stage(state, "certs", ca_der, n, out, size, reason);
	r = stage(state, "certs.new", ca_der, n, fresh, sizeof(fresh), reason);
	if (r < 0)
		return r;
	r = move_files(fresh, out);
	(void)paths_remove_tree(fresh);
	return r < 0 ? reason_set(reason, r, "cannot renew the sandbox's certificates in %s: %s; start it again", out,
				  strerror(-r))
		     : 0;
}
