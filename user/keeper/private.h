/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the keeper share: its one context, its channels and its credentials. Single-threaded; nothing
 * here is reachable from another role.
 */
#ifndef BRIDLE_KEEPER_PRIVATE_H
#define BRIDLE_KEEPER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keeper_msg.h"
#include "base/loop.h"
#include "keeper/source_file.h"

#define KEEPER_DIRECTORIES_MAX (KEEPER_CREDENTIALS_MAX + 2) /* the two more are of tls.ca */
#define KEEPER_WORKERS_MAX     16
#define KEEPER_POLL_MS	       1000 /* bind mounts and network file systems tell inotify nothing */
#define KEEPER_SETTLE_MS       50   /* a file changed within this is read again before it is believed */
#define KEEPER_SOON_MS	       10   /* one rotation is many events */

struct ca;
struct secret;

enum keeper_phase { PHASE_NEW = 1, PHASE_READY = 2, PHASE_SERVING = 4 };

struct directory {
	char path[KEEPER_PATH_MAX];
	int fd;	   /* owned */
	int watch; /* of inotify; -1: only polled */
};

struct credential {
	struct keeper_credential row;
	struct directory *directory; /* borrowed; NULL: not passed yet */
	const char *file;	     /* last component, inside row.path */
	struct secret *value;	     /* owned; rendered; only when ready */
	struct secret *candidate;    /* owned; seen once */
	struct source_stamp candidate_stamp, seen;
	uint64_t candidate_ms; /* when it was first seen */
	bool candidate_settled;
	bool seen_valid; /* the file with stamp `seen` was judged for good */
	bool final;	 /* never read again: revoked, unavailable, or kept without watch */
	enum credential_state state;
	uint32_t generation;
	uint32_t version; /* grows with everything a worker must know */
	uint32_t notice;  /* grows with everything the supervisor must know */
	uint32_t notice_sent;
	char reason[KEEPER_REASON_MAX];
};

/* A worker's channel. */
struct channel {
	struct io io;
	struct keeper *keeper; /* borrowed */
	struct channel *next;
	uint32_t sent[KEEPER_CREDENTIALS_MAX]; /* version of each credential that the worker has */
	struct leaf_reply *reply;	       /* owned; waits for room; nothing is read meanwhile */
	size_t reply_size;
};

/* Memory that holds secrets for the length of a call: locked, not dumped, wiped after each use. */
struct scratch {
	unsigned char raw[KEEPER_CERT_MAX];
	unsigned char rendered[KEEPER_VALUE_MAX];
	struct credential_push push;
};

struct keeper {
	struct loop *loop; /* owned */
	struct io supervisor;
	int inotify; /* owned; -1: none */
	struct io inotify_io;
	struct timer poll, soon;
	struct job flush;
	struct ca *ca; /* owned */
	enum keeper_phase phase;
	struct directory directories[KEEPER_DIRECTORIES_MAX];
	size_t n_directories;
	struct credential credentials[KEEPER_CREDENTIALS_MAX];
	size_t n_credentials;
	struct channel *channels; /* owned */
	size_t n_channels;
	struct scratch *scratch; /* owned */
};

/* keeper.c. The descriptor is the keeper's. 0 or -errno. */
int keeper_new(int supervisor_fd, struct keeper **ret);
struct keeper *keeper_free(struct keeper *k);
/* Until the supervisor's channel closes. The exit status. */
int keeper_serve(struct keeper *k);

/*
 * dispatch.c. One message: what it may be is in a table. 0, or -EBADMSG (unknown, wrong size, out of order, malformed), -errno.
 * fds stay the caller's unless the handler takes them (it sets them to -1).
 */
int dispatch_supervisor(struct keeper *k, const void *data, size_t size, int *fds, size_t n_fds);
int dispatch_worker(struct channel *ch, const void *data, size_t size);

/* supervisor.c */
int handle_setup(struct keeper *k, const void *data, size_t size, int *fd);
int handle_directory(struct keeper *k, const void *data, size_t size, int *fd);
int handle_credential(struct keeper *k, const void *data, size_t size, int *fd);
int handle_worker(struct keeper *k, const void *data, size_t size, int *fd);
int handle_revoke(struct keeper *k, const void *data, size_t size, int *fd);
/* Tells the supervisor what changed; what does not fit waits until the channel has room. 0 or -errno. */
int supervisor_flush(struct keeper *k);

/* channel.c */
int channel_open(struct keeper *k, int fd);
void channel_close(struct channel *ch);
void channel_flush(struct channel *ch);
int handle_leaf_request(struct channel *ch, const void *data, size_t size);

/* directory.c */
struct directory *directory_find(struct keeper *k, const char *path, size_t n);
int directory_put(struct keeper *k, const char *path, int *fd);
/* Splits an absolute path; 0 or -EINVAL when its last component is none. */
int directory_split(const char *path, size_t *ret_directory_size, const char **ret_file);

/* credential.c */
int credential_add(struct keeper *k, const struct keeper_credential *row);
void credential_directory_changed(struct keeper *k, struct directory *d);
void credential_refresh_all(struct keeper *k);
int credential_revoke(struct keeper *k, const char *name);
void credential_done(struct credential *c);

#endif
