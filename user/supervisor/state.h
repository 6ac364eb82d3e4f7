/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run leaves in /run/bridle/run/NAME while it lives: a lock (its holder is the run), the facts that `bridle
 * list` shows, and the staged files. A directory whose lock is free is a leftover.
 */
#ifndef BRIDLE_SUPERVISOR_STATE_H
#define BRIDLE_SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/paths.h"

#define STATE_GONE     ".gone-" /* begins the name of a directory that is being removed */
#define STATE_MADE_MAX 64	/* directories that a run made and that go with it */

struct state {
	char dir[PATHS_MAX_BYTES];
	int lock_fd; /* owned; -1: not held */
};

struct state_facts {
	int pid;
	uint64_t started;	    /* seconds since 1970 */
	uint32_t uid;		    /* the command's; 0: unknown */
	char *policy;		    /* owned when read; may be NULL */
	char *made[STATE_MADE_MAX]; /* owned when read; deepest first; directories to remove when empty */
	size_t n_made;
};

void state_init(struct state *s);

/* Takes the name. -EBUSY and reason (who holds it) when a run of this name lives. */
int state_take(const char *name, struct state *ret, char *reason);

/* Writes the facts, replacing older ones. 0 or -errno. */
int state_write(const struct state *s, const struct state_facts *facts);

/* Reads the facts of a name, whoever holds it. What is missing is 0 or NULL. 0 or -errno. */
int state_read(const char *name, struct state_facts *ret);
void state_facts_done(struct state_facts *facts);

/* Makes the resolv.conf that the sandbox sees; path into out. 0 or -errno. */
int state_write_resolv_conf(const struct state *s, const char *nameserver, char *out, size_t size);

/* Makes an empty directory for staged certificates; path into out. 0 or -errno. */
int state_make_certs_dir(const struct state *s, const char *name, char *out, size_t size);

/* Whether a living run holds the name. */
bool state_is_held(const char *name);

/* Gives the name back and leaves the directory. */
void state_release(struct state *s);

/* Removes what state_remove() of a killed process did not finish. */
void state_remove_gone(void);

/* Removes the directory and gives the name back. Fine when it is not held. */
void state_remove(struct state *s);

#endif
