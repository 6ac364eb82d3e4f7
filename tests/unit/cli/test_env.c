/* SPDX-License-Identifier: Apache-2.0 */
/* The command's environment: what goes, what comes, what stays. */
#include "tests/lib/test.h"

#include <stdio.h>

#include <unistd.h>

#include "cli/env.h"
#include "cli/user.h"

static char name[] = "agent", home[] = "/home/agent", shell[] = "/bin/zsh";
static const struct cli_user user = { .uid = 1000, .gid = 1000, .name = name, .home = home, .shell = shell };

static struct cli_env build(char *const *from, const char *path)
{
	struct cli_env e;

	assert_int_equal(cli_env_build(from, &user, path, NULL, &e), 0);
	return e;
}

static void test_who(void **state)
{
	char *from[] = { (char[]){ "HOME=/root" },   (char[]){ "USER=root" },	   (char[]){ "LOGNAME=root" },
			 (char[]){ "SHELL=/bin/x" }, (char[]){ "PATH=/sbin" },	   (char[]){ "TERM=xterm" },
			 (char[]){ "SUDO_UID=1" },   (char[]){ "SUDO_COMMAND=x" }, NULL };
	struct cli_env e = build(from, NULL);

	(void)state;
	assert_string_equal(cli_env_get(&e, "HOME"), home);
	assert_string_equal(cli_env_get(&e, "USER"), name);
	assert_string_equal(cli_env_get(&e, "LOGNAME"), name);
	assert_string_equal(cli_env_get(&e, "SHELL"), shell);
	assert_string_equal(cli_env_get(&e, "PATH"), "/sbin");
	assert_string_equal(cli_env_get(&e, "TERM"), "xterm");
	assert_null(cli_env_get(&e, "SUDO_UID"));
	assert_null(cli_env_get(&e, "SUDO_COMMAND"));
	cli_env_done(&e);
	e = build(from, "/home/agent/bin:/bin");
	assert_string_equal(cli_env_get(&e, "PATH"), "/home/agent/bin:/bin");
	cli_env_done(&e);
}

static void test_proxies(void **state)
{
	char *from[] = { (char[]){ "HTTP_PROXY=http://u:p@127.0.0.1:9999/" },
			 (char[]){ "https_proxy=localhost:9998" },
			 (char[]){ "Https_Proxy=localhost:9998" },
			 (char[]){ "ALL_PROXY=socks5h://h:1080" },
			 (char[]){ "no_proxy=*" },
			 (char[]){ "npm_config_proxy=http://[::1]:7777" },
			 (char[]){ "MY_HTTP_PROXY_NOTE=stays" },
			 NULL };
	struct cli_env e = build(from, NULL);

	(void)state;
	for (size_t i = 0; i < e.n; i++)
		assert_null(strstr(e.list[i], "9999"));
	assert_null(cli_env_get(&e, "https_proxy"));
	assert_null(cli_env_get(&e, "Https_Proxy"));
	assert_null(cli_env_get(&e, "ALL_PROXY"));
	assert_null(cli_env_get(&e, "no_proxy"));
	assert_null(cli_env_get(&e, "npm_config_proxy"));
	assert_string_equal(cli_env_get(&e, "MY_HTTP_PROXY_NOTE"), "stays");
	assert_int_equal(e.n_proxy_ports, 3);
	assert_int_equal(e.proxy_ports[0], 9999);
	assert_int_equal(e.proxy_ports[1], 9998);
	assert_int_equal(e.proxy_ports[2], 7777);
	cli_env_done(&e);
}

static void test_proxy_port(void **state)
{
	(void)state;
	assert_int_equal(cli_env_proxy_port("http://a:b@h:81"), 81);
	assert_int_equal(cli_env_proxy_port("http://[fd77::1]:82/x"), 82);
	assert_int_equal(cli_env_proxy_port("http://[fd77::1]"), 0);
	assert_int_equal(cli_env_proxy_port("h"), 0);
	assert_int_equal(cli_env_proxy_port("h:0"), 0);
	assert_int_equal(cli_env_proxy_port("h:65536"), 0);
	assert_int_equal(cli_env_proxy_port("h:8x"), 0);
	assert_int_equal(cli_env_proxy_port(""), 0);
	assert_int_equal(cli_env_proxy_port("socks5://h:1080"), 0);
}

/* Every row of the table has its effect. */
static void test_rows(void **state)
{
	static const struct {
		const char *name;
		const char *value; /* NULL: must be gone */
	} rows[] = {
#define ENV_BUNDLE(name)	{ name, "/etc/ssl/certs/ca-certificates.crt" },
#define ENV_EXTRA(name)		{ name, "/etc/ssl/certs/bridle-ca.pem" },
#define ENV_SET(name, value)	{ name, value },
#define ENV_APPEND(name, value) { name, "of the caller " value },
#define ENV_PROXY(name)		{ name, NULL },
#define ENV_DROP(name)		{ name, NULL },
#include "cli/env.def"
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	char text[64][80];
	char *from[65] = { NULL };
	struct cli_env e;

	(void)state;
	assert_true(n < 64);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%s=of the caller", rows[i].name);
		from[i] = text[i];
	}
	e = build(from, NULL);
	for (size_t i = 0; i < n; i++) {
		const char *value = cli_env_get(&e, rows[i].name);

		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
	}
	for (size_t i = 0; i < e.n; i++)
		for (size_t k = i + 1; k < e.n; k++)
			assert_false(strcspn(e.list[i], "=") == strcspn(e.list[k], "=") &&
				     strncmp(e.list[i], e.list[k], strcspn(e.list[i], "=")) == 0);
	cli_env_done(&e);
}

/* npm reads npm_config_cafile and NPM_CONFIG_CAFILE alike: the caller's spelling must not win over ours. */
static void test_other_spellings_of_roots(void **state)
{
	char *from[] = { (char[]){ "npm_config_cafile=/corp.pem" }, (char[]){ "Yarn_Https_Ca_File_Path=/corp.pem" },
			 (char[]){ "npm_config_registry=https://r.example.com/" }, NULL };
	struct cli_env e = build(from, NULL);

	(void)state;
	for (size_t i = 0; i < e.n; i++)
		assert_null(strstr(e.list[i], "corp.pem"));
	assert_non_null(cli_env_get(&e, "NPM_CONFIG_CAFILE"));
	assert_string_equal(cli_env_get(&e, "npm_config_registry"), "https://r.example.com/");
	cli_env_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_proxy_port),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_other_spellings_of_roots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
