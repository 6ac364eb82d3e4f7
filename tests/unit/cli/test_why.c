/* SPDX-License-Identifier: Apache-2.0 */
/* `bridle why` and `bridle policy check` as a caller sees them: exit status and standard output. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/command.h"

extern const struct command command_why, command_policy_check;

static char good[] = "/tmp/bridle-test-XXXXXX", bad[] = "/tmp/bridle-test-XXXXXX";
static char output[65536];

static int write_file(char *name, const char *text)
{
	int fd = mkstemp(name);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return close(fd);
}

static int setup(void **state)
{
	(void)state;
	return write_file(good,
			  "{\"network\": {\"allow_domain\": [\n"
			  " {\"host\": \"a.example.com\", \"paths\": [\n"
			  "  {\"method\": \"GET\", \"path\": \"/x/*\"}]}]},\n"
			  "\"custom_credentials\": {\"late\": {\"upstream\": \"https://b.example.com\",\n"
			  " \"auth\": {\"type\": \"client_credentials\", \"token_url\": \"https://b.example.com/t\",\n"
			  "  \"client_id\": \"id\", \"client_secret\": \"file:///vault/s\"}},\n"
			  " \"source\": {\"upstream\": \"https://d.example.com\", \"credential_key\": "
			  "\"env://TOKEN\"}}}\n") |
	       write_file(bad, "{\"network\": {\n  \"allow_domian\": []}}\n");
}

static int teardown(void **state)
{
	(void)state;
	return unlink(good) | unlink(bad);
}

/* Runs a command in a child; its exit status, and what it wrote in `output`. */
static int run(const struct command *command, char **words)
{
	struct arguments args;
	char reason[COMMAND_REASON_MAX];
	int fds[2], status = -1;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], 1) < 0 || dup2(fds[1], 2) < 0 || arguments_parse(command, words, &args, reason) < 0)
			_exit(99);
		_exit(command->run(&args));
	}
	close(fds[1]);
	while ((got = read(fds[0], output + n, sizeof(output) - 1 - n)) > 0)
		n += (size_t)got;
	output[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define W(text) ((char[]){ text })
#define ASK(method, url, ...) \
	run(&command_why, (char *[]){ W("--policy"), good, W(method), W(url), ##__VA_ARGS__, NULL })

static void test_answers(void **state)
{
	(void)state;
	assert_int_equal(ASK("GET", "https://a.example.com/x/1"), 0);
	assert_non_null(strstr(output, "allowed\n"));
	assert_non_null(strstr(output, "GET /x/*"));
	assert_int_equal(ASK("GET", "https://A.Example.com:443/x/1?q=1"), 0);
	assert_int_equal(ASK("POST", "https://a.example.com/x/1"), 1);
	assert_non_null(strstr(output, "method_not_allowed"));
	assert_non_null(strstr(output, "{\"method\": \"POST\", \"path\": \"/x/1\"}"));
	assert_int_equal(ASK("GET", "https://c.example.com/"), 1);
	assert_non_null(strstr(output, "host_not_allowed"));
	assert_null(strstr(output, "capitals"));
	/* no rule can name such a method, so none is proposed */
	assert_int_equal(ASK("get", "https://a.example.com/x/1"), 1);
	assert_non_null(strstr(output, "method_not_allowed"));
	assert_non_null(strstr(output, "send it in capitals"));
	assert_non_null(strstr(output, "a rule that allows it\n"));
	assert_null(strstr(output, "\"get\""));
	assert_int_equal(ASK("get", "https://c.example.com/"), 1);
	assert_null(strstr(output, "\"get\""));
	assert_int_equal(ASK("GET", "https://a.example.com/x/%2e%2e"), 1);
	assert_non_null(strstr(output, "path_dot_segment"));
	/* what the proxy would answer with 502 is no permission */
	assert_int_equal(ASK("GET", "https://b.example.com/"), 1);
	assert_non_null(strstr(output, "credential_unavailable"));
	assert_non_null(strstr(output, "auth"));
}

static void test_json(void **state)
{
	struct json_object *o, *v;

	(void)state;
	assert_int_equal(ASK("POST", "https://a.example.com/x/\"1", W("--json")), 1);
	assert_int_equal(ASK("POST", "https://a.example.com/x/1", W("--json")), 1);
	o = json_tokener_parse(output);
	assert_non_null(o);
	assert_true(json_object_object_get_ex(o, "allowed", &v) && !json_object_get_boolean(v));
	assert_true(json_object_object_get_ex(o, "code", &v));
	assert_string_equal(json_object_get_string(v), "method_not_allowed");
	assert_true(json_object_object_get_ex(o, "fix", &v));
	assert_string_equal(json_object_get_string(v), "{\"method\": \"POST\", \"path\": \"/x/1\"}");
	json_object_put(o);
	assert_int_equal(ASK("GET", "https://a.example.com/x/1", W("--json")), 0);
	o = json_tokener_parse(output);
	assert_true(o && json_object_object_get_ex(o, "allowed", &v) && json_object_get_boolean(v));
	json_object_put(o);
}

static void test_bad_questions(void **state)
{
	(void)state;
	assert_int_equal(ASK("GET", "ftp://a.example.com/"), 2);
	assert_int_equal(ASK("GET", "https://user@a.example.com/"), 2);
	assert_int_equal(ASK("G T", "https://a.example.com/"), 2);
	assert_int_equal(run(&command_why,
			     (char *[]){ W("--policy"), bad, W("GET"), W("https://a.example.com/"), NULL }),
			 2);
	assert_non_null(strstr(output, ":2:"));
	assert_int_equal(run(&command_why, (char *[]){ W("GET"), W("https://a.example.com/"), NULL }), 2);
}

static void test_check(void **state)
{
	char place[128];

	(void)state;
	assert_int_equal(run(&command_policy_check, (char *[]){ good, NULL }), 0);
	assert_non_null(strstr(output, "https://a.example.com:443"));
	assert_non_null(strstr(output, "/x/*"));
	assert_non_null(strstr(output, "\"source\" uses \"env://\", which this version cannot do yet"));
	assert_int_equal(run(&command_policy_check, (char *[]){ bad, NULL }), 2);
	(void)snprintf(place, sizeof(place), "%s:2:3: ", bad);
	assert_non_null(strstr(output, place));
	assert_non_null(strstr(output, "allow_domain\""));
	assert_int_equal(run(&command_policy_check, (char *[]){ W("/nonexistent"), NULL }), 2);
	assert_int_equal(run(&command_policy_check, (char *[]){ W("/"), NULL }), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_bad_questions),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
