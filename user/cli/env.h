/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of the command: the caller's, with the changes of env.def. */
#ifndef BRIDLE_CLI_ENV_H
#define BRIDLE_CLI_ENV_H

#include <stddef.h>
#include <stdint.h>

#define ENV_PROXY_PORTS_MAX 8

struct cli_user;
struct policy;

struct cli_env {
	char **list; /* owned, NULL-terminated "NAME=value" */
	size_t n, size;
	uint16_t proxy_ports[ENV_PROXY_PORTS_MAX]; /* of the proxy variables that were removed */
	size_t n_proxy_ports;
};

/* path: the caller's PATH, or NULL to take it from `from`. policy may be NULL. 0 or -ENOMEM. */
int cli_env_build(char *const *from, const struct cli_user *user, const char *path, const struct policy *policy,
		  struct cli_env *ret);
void cli_env_done(struct cli_env *e);

/* Value of a name, or NULL. */
const char *cli_env_get(const struct cli_env *e, const char *name);

/*
 * The PATH of the shell that called sudo, which sudo's secure_path hides from us: read from the environment of the
 * sudo process above us. Owned by the caller; NULL when there is none.
 */
char *cli_env_sudo_path(void);

/* The port that is written in a proxy URL; 0 when there is none or it is not one of HTTP. */
uint16_t cli_env_proxy_port(const char *value);

#endif
