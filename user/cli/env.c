/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the command's environment. Proxy variables go (the kernel turns connections round, and a proxy outside cannot
 * be reached anyway), every ecosystem's CA variable is set, who the user is comes from passwd, and a variable that the
 * policy names as a secret's place holds a placeholder.
 */
#include "cli/env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"
#include "cli/user.h"
#include "policy/policy.h"

#define BUNDLE	    "/etc/ssl/certs/ca-certificates.crt"
#define EXTRA	    "/etc/ssl/certs/bridle-ca.pem"
#define PLACEHOLDER "bridle-placeholder"

#define SUDO_DEPTH_MAX	 4 /* sudo may stand above us twice: its monitor and itself */
#define SUDO_ENVIRON_MAX ((size_t)1 << 20)

enum change { CHANGE_SET, CHANGE_APPEND, CHANGE_PROXY, CHANGE_DROP };

static const struct {
	const char *name;
	const char *value;
	enum change change;
} changes[] = {
#define ENV_BUNDLE(name)	{ name, BUNDLE, CHANGE_SET },
#define ENV_EXTRA(name)		{ name, EXTRA, CHANGE_SET },
#define ENV_SET(name, value)	{ name, value, CHANGE_SET },
#define ENV_APPEND(name, value) { name, value, CHANGE_APPEND },
#define ENV_PROXY(name)		{ name, NULL, CHANGE_PROXY },
#define ENV_DROP(name)		{ name, NULL, CHANGE_DROP },
#include "cli/env.def"
#undef ENV_BUNDLE
#undef ENV_EXTRA
#undef ENV_SET
#undef ENV_APPEND
#undef ENV_PROXY
#undef ENV_DROP
};

static int append(struct cli_env *e, char *entry)
{
	if (!entry)
		return -ENOMEM;
	if (e->n + 1 >= e->size) {
		const size_t size = e->size ? e->size * 2 : 64;
		char **list = reallocarray(e->list, size, sizeof(*list));

		if (!list) {
			free(entry);
			return -ENOMEM;
		}
		e->list = list;
		e->size = size;
	}
	e->list[e->n++] = entry;
	e->list[e->n] = NULL;
	return 0;
}

static bool has_name(const char *entry, const char *name, size_t n)
{
	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static void remove_name(struct cli_env *e, const char *name)
{
	const size_t n = strlen(name);
	size_t kept = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (has_name(e->list[i], name, n))
			free(e->list[i]);
		else
			e->list[kept++] = e->list[i];
	}
	e->n = kept;
	if (e->list)
		e->list[kept] = NULL;
}

static int set(struct cli_env *e, const char *name, const char *value)
{
	char *entry;

	remove_name(e, name);
	return append(e, asprintf(&entry, "%s=%s", name, value) < 0 ? NULL : entry);
}

const char *cli_env_get(const struct cli_env *e, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < e->n; i++)
		if (has_name(e->list[i], name, n))
			return e->list[i] + n + 1;
	return NULL;
}

uint16_t cli_env_proxy_port(const char *value)
{
	const char *host = strstr(value, "://");
	struct str authority, port;
	uint64_t number;
	size_t at;

	if (strncasecmp(value, "socks", 5) == 0)
		return 0;
	authority = str_of(host ? host + 3 : value);
	authority.n = str_find(authority, '/');
	while ((at = str_find(authority, '@')) < authority.n)
		authority = str_from(authority, at + 1);
	/* behind the last colon that is not inside [v6] */
	port = authority;
	if ((at = str_find(port, ']')) < port.n)
		port = str_from(port, at + 1);
	at = str_find(port, ':');
	if (at == port.n)
		return 0;
	if (str_to_u64(str_from(port, at + 1), &number) < 0 || number == 0 || number > UINT16_MAX)
		return 0;
	return (uint16_t)number;
}

static void note_proxy_port(struct cli_env *e, const char *value)
{
	const uint16_t port = cli_env_proxy_port(value);

	if (port == 0 || e->n_proxy_ports == ENV_PROXY_PORTS_MAX)
		return;
	for (size_t i = 0; i < e->n_proxy_ports; i++)
		if (e->proxy_ports[i] == port)
			return;
	e->proxy_ports[e->n_proxy_ports++] = port;
}

/* Whether the entry stays. npm and Yarn read their names in any case, so another spelling must not stand beside ours. */
static bool is_kept(struct cli_env *e, const char *entry)
{
	const size_t n = strcspn(entry, "=");

	if (entry[n] != '=')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].change == CHANGE_APPEND || strlen(changes[i].name) != n ||
		    strncasecmp(entry, changes[i].name, n) != 0)
			continue;
		if (changes[i].change == CHANGE_PROXY)
			note_proxy_port(e, entry + n + 1);
		return false;
	}
	return true;
}

static int append_options(struct cli_env *e, const char *name, const char *value)
{
	const char *own = cli_env_get(e, name);
	auto_free char *both = NULL;

	if (!own || !*own)
		return set(e, name, value);
	return asprintf(&both, "%s %s", own, value) < 0 ? -ENOMEM : set(e, name, both);
}

static int set_user(struct cli_env *e, const struct cli_user *user, const char *path)
{
	int r = set(e, "HOME", user->home);

	if (r == 0)
		r = set(e, "USER", user->name);
	if (r == 0)
		r = set(e, "LOGNAME", user->name);
	if (r == 0)
		r = set(e, "SHELL", user->shell);
	return r == 0 && path ? set(e, "PATH", path) : r;
}

/* The real value of what the policy injects must not be inside, under the very name that programs look for. */
static int set_placeholders(struct cli_env *e, const struct policy *policy)
{
	const size_t n = policy ? policy_credential_count(policy) : 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct policy_credential *c = policy_credential_at(policy, i);

		if (c->uri && strncmp(c->uri, "env://", 6) == 0)
			remove_name(e, c->uri + 6);
		if (c->env_var)
			r = set(e, c->env_var, PLACEHOLDER);
	}
	return r;
}

int cli_env_build(char *const *from, const struct cli_user *user, const char *path, const struct policy *policy,
		  struct cli_env *ret)
{
	struct cli_env e = { 0 };
	int r = 0;

	for (; *from && r == 0; from++)
		if (is_kept(&e, *from))
			r = append(&e, strdup(*from));
	for (size_t i = 0; i < ARRAY_SIZE(changes) && r == 0; i++)
		if (changes[i].change == CHANGE_SET)
			r = set(&e, changes[i].name, changes[i].value);
		else if (changes[i].change == CHANGE_APPEND)
			r = append_options(&e, changes[i].name, changes[i].value);
	if (r == 0)
		r = set_user(&e, user, path);
	if (r == 0)
		r = set_placeholders(&e, policy);
	if (r < 0) {
		cli_env_done(&e);
		return r;
	}
	*ret = e;
	return 0;
}

void cli_env_done(struct cli_env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->list[i]);
	free(e->list);
	*e = (struct cli_env){ 0 };
}

/* PPid and Name of a process. */
static int read_status(pid_t pid, char name[16], pid_t *ret_parent)
{
	char path[64], line[256];
	auto_file FILE *f = NULL;
	int parent = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	name[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Name:\t%15s", name) != 1 && sscanf(line, "PPid:\t%d", &parent) == 1)
			break;
	*ret_parent = parent;
	return parent > 0 ? 0 : -ESRCH;
}

static char *read_path_of(pid_t pid)
{
	auto_free char *text = malloc(SUDO_ENVIRON_MAX + 1);
	auto_fd int fd = -1;
	char file[64];
	size_t n = 0;
	ssize_t got;

	(void)snprintf(file, sizeof(file), "/proc/%d/environ", pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !text)
		return NULL;
	while (n < SUDO_ENVIRON_MAX && (got = read(fd, text + n, SUDO_ENVIRON_MAX - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	for (const char *p = text; p < text + n; p += strlen(p) + 1)
		if (has_name(p, "PATH", 4))
			return strdup(p + 5);
	return NULL;
}

char *cli_env_sudo_path(void)
{
	char name[16];
	pid_t pid = getpid(), next;
	char *path = NULL;

	if (!getenv("SUDO_UID") || read_status(pid, name, &next) < 0)
		return NULL;
	for (int depth = 0; depth < SUDO_DEPTH_MAX; depth++) {
		pid = next;
		if (read_status(pid, name, &next) < 0 || strcmp(name, "sudo") != 0)
			break;
		free(path);
		path = read_path_of(pid); /* the outermost sudo's is the shell's */
	}
	return path;
}
