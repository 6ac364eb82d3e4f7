/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories that hold the policy's secret files: opened for the keeper, hidden from the command. Only
 * directories are handled here, the supervisor never reads a secret.
 */
#ifndef BRIDLE_SUPERVISOR_SECRETS_H
#define BRIDLE_SUPERVISOR_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/loop.h"
#include "supervisor/paths.h"
#include "supervisor/state.h"

#define SECRETS_DIRS_MAX   64
#define SECRETS_RECHECK_MS 1000

struct init_spec;
struct policy;

struct secret_dir {
	char *path; /* owned: as the policy spells it */
	char *real; /* owned: canonical, at start */
	int fd;	    /* owned: O_RDONLY | O_DIRECTORY */
	dev_t dev;
	ino_t ino;
};

struct secrets {
	struct secret_dir *dirs; /* owned */
	size_t n_dirs;
	char **masks;		    /* owned, NULL-terminated; entries borrowed from dirs */
	char *made[STATE_MADE_MAX]; /* owned; directories that we made, deepest first */
	size_t n_made;
	struct loop *loop; /* borrowed */
	struct timer timer;
	void (*on_replaced)(void *arg, const struct secret_dir *dir);
	void *arg;
};

void secrets_init(struct secrets *s);

/*
 * What of the command's needs a mask over the directory `real` would hide; NULL: nothing, so it may be hidden.
 * Text into out (cut), returned.
 */
const char *secrets_find_need(const char *real, const struct init_spec *command, char *out, size_t size);

/* Opens (makes, with a warning) the directories of all secret files of the policy. 0 or -errno and reason. */
int secrets_open(struct secrets *s, const struct policy *policy, const struct init_spec *command, char *reason);

/* Looks every second whether a path names another directory now, and tells. 0 or -errno. */
int secrets_watch(struct secrets *s, struct loop *loop, void (*on_replaced)(void *arg, const struct secret_dir *dir),
		  void *arg);

/* Closes; removes the directories that were made and are empty. */
void secrets_done(struct secrets *s);

#endif
