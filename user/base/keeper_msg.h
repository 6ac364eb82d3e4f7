/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to the keeper and by it. Two kinds of channel, both SOCK_SEQPACKET:
 *   supervisor <-> keeper   KEEPER_* : set-up, directories, one channel for each worker
 *   worker <-> keeper       LEAF_* and CREDENTIAL_*. The channel is the identity: no message names a sandbox.
 * Any other type, size or order from a worker ends that worker's channel.
 */
#ifndef BRIDLE_BASE_KEEPER_MSG_H
#define BRIDLE_BASE_KEEPER_MSG_H

#include <stdint.h>

#include "base/msg.h"

#define KEEPER_NAME_MAX	       128 /* credential name, NUL included */
#define KEEPER_FILE_MAX	       256 /* last component of a path, NUL included */
#define KEEPER_PATH_MAX	       1024
#define KEEPER_HEADER_MAX      128
#define KEEPER_FORMAT_MAX      256
#define KEEPER_REASON_MAX      256
#define KEEPER_VALUE_MAX       8192 /* bytes of a rendered credential */
#define KEEPER_CERT_MAX	       16384
#define KEEPER_SPKI_MAX	       1024
#define KEEPER_CREDENTIALS_MAX 64 /* of one sandbox */

enum keeper_msg {
	/* supervisor -> keeper. File paths are absolute; the keeper opens the last component beneath the directory
	 * descriptor that came for its parent, and nothing else. */
	KEEPER_SETUP = 1,  /* struct keeper_setup: make the CA, or load the user's. Once. */
	KEEPER_DIRECTORY,  /* struct keeper_directory + 1 descriptor: (again when the directory was replaced) */
	KEEPER_CREDENTIAL, /* struct keeper_credential: one row; before the first KEEPER_WORKER */
	KEEPER_WORKER,	   /* struct msg_header + 1 descriptor: a worker's channel. Older ones stay until closed */
	KEEPER_REVOKE,	   /* struct keeper_revoke */
	/* keeper -> supervisor */
	KEEPER_READY = 32, /* struct keeper_ready: the CA certificate, after SETUP */
	KEEPER_FAILED,	   /* struct keeper_failed: SETUP could not be done; the keeper ends */
	KEEPER_STATE,	   /* struct keeper_state: a credential changed its state (for warnings and `list`) */
	/* worker -> keeper */
	LEAF_REQUEST = 64, /* struct leaf_request */
	/* keeper -> worker */
	LEAF_REPLY = 96, /* struct leaf_reply */
	CREDENTIAL_PUSH, /* struct credential_push: each credential of the sandbox, at once and after each change */
};

struct keeper_setup {
	struct msg_header header;
	char sandbox[64];		 /* goes into the CA's subject */
	char cert_path[KEEPER_PATH_MAX]; /* empty: make a CA */
	char key_path[KEEPER_PATH_MAX];
};

struct keeper_directory {
	struct msg_header header;
	char path[KEEPER_PATH_MAX]; /* absolute, of the directory */
};

struct keeper_credential {
	struct msg_header header;
	uint32_t watch;	     /* 0: keep the first good value */
	uint32_t generation; /* the last one of a keeper before this one; 0: none */
	char name[KEEPER_NAME_MAX];
	char path[KEEPER_PATH_MAX];	/* absolute, of the file; empty: unavailable for the reason below */
	char format[KEEPER_FORMAT_MAX]; /* one {} stands for the value */
	char reason[KEEPER_REASON_MAX];
};

struct keeper_revoke {
	struct msg_header header;
	char name[KEEPER_NAME_MAX];
};

struct keeper_ready {
	struct msg_header header;
	uint32_t cert_size;
	unsigned char cert[KEEPER_CERT_MAX]; /* DER; the message ends behind cert_size bytes */
};

struct keeper_failed {
	struct msg_header header;
	char reason[KEEPER_REASON_MAX];
};

enum credential_state { CREDENTIAL_PENDING = 0, CREDENTIAL_READY, CREDENTIAL_FAILED };

struct keeper_state {
	struct msg_header header;
	uint32_t state; /* enum credential_state */
	uint32_t generation;
	char name[KEEPER_NAME_MAX];
	char reason[KEEPER_REASON_MAX]; /* never holds a byte of the value; with CREDENTIAL_READY: a warning */
};

struct leaf_request {
	struct msg_header header;
	uint32_t id;
	uint32_t spki_size;
	char name[256];			     /* canonical DNS name or address text, NUL-terminated */
	unsigned char spki[KEEPER_SPKI_MAX]; /* SubjectPublicKeyInfo, P-256; the message ends behind spki_size bytes */
};

struct leaf_reply {
	struct msg_header header;
	uint32_t id;
	uint32_t cert_size; /* 0: refused */
	unsigned char cert[KEEPER_CERT_MAX];
};

struct credential_push {
	struct msg_header header;
	uint32_t state;	     /* enum credential_state; the value is there only with CREDENTIAL_READY */
	uint32_t generation; /* from 1, grows with each adopted value */
	uint32_t value_size;
	char name[KEEPER_NAME_MAX];
	char reason[KEEPER_REASON_MAX];
	unsigned char value[KEEPER_VALUE_MAX]; /* rendered by format; the message ends behind value_size bytes */
};

/* Whether a message of `size` bytes may be a `fixed`-byte struct with `tail` bytes of its last array used. */
#define KEEPER_MSG_SIZE(type, member, used) (offsetof(type, member) + (used))

#endif
