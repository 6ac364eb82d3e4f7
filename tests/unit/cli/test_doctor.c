/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of doctor: their ids are an interface, every row says what to do. And what the probes say of themselves. */
#include "tests/lib/test.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/doctor.h"
#include "cli/doctor_print.h"
#include "cli/user.h"

/* Scripts depend on these. A name that is missing from the tables was renamed or removed: that breaks them. */
static const char *const probe_ids[] = {
	"root",
	"user_namespace",
	"kernel",
	"btf",
	"bpffs",
	"cgroup_v2",
	"kernel_programs",
	"tier1_lsm_cgroup",
	"tier1_fmod_ret",
	"seccomp",
	"namespaces",
	"system_calls",
	"ipv6",
	"nonlocal_bind",
	"run_dir",
	"audit_dir",
	"open_files",
	"locked_memory",
	"swap",
	"ca_bundle",
	"java",
	"clock",
	"name_server",
	"leftovers",
	"user",
};
static const char *const gap_ids[] = {
	"files",
	"unix_sockets",
	"udp",
	"ping",
	"http2",
	"plain_tcp",
	"pinned_certificates",
	"io_uring",
	"user_namespaces",
	"privileges",
	"python_manager",
	"same_group_signals",
	"terminal",
	"running_processes",
};
static const char *const check_ids[] = {
	"start",      "user",	      "own_listener",	"tls_ipv4",	 "tls_ipv6",  "https_ipv4",	"https_ipv6",
	"http",	      "name_ipv4",    "name_ipv6",	"port_ipv4",	 "port_ipv6", "datagram_ipv4",	"datagram_ipv6",
	"raw_socket", "other_family", "other_protocol", "device_option", "io_uring",  "user_namespace",
};

static void check_id(const char *id)
{
	assert_true(*id && strlen(id) <= 20);
	for (; *id; id++)
		assert_true(islower((unsigned char)*id) || isdigit((unsigned char)*id) || *id == '_');
}

/* A sentence for a table: something is said, on one line, and the printer puts the stop. */
static void check_text(const char *text)
{
	assert_true(strlen(text) >= 4);
	assert_null(strpbrk(text, "\n\t"));
	assert_int_not_equal(text[strlen(text) - 1], '.');
	assert_int_not_equal(text[strlen(text) - 1], ' ');
}

/* id_at(i) is NULL behind the last. */
static void check_names(const char *(*id_at)(size_t i), const char *const *known, size_t n_known)
{
	size_t n = 0;

	for (; id_at(n); n++) {
		check_id(id_at(n));
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(id_at(i), id_at(n));
	}
	assert_true(n >= n_known);
	for (size_t k = 0; k < n_known; k++) {
		size_t i = 0;

		while (id_at(i) && strcmp(id_at(i), known[k]) != 0)
			i++;
		if (!id_at(i))
			fail_msg("id %s is gone", known[k]);
	}
}

static const char *probe_at(size_t i)
{
	return doctor_probes[i].id;
}

static const char *gap_at(size_t i)
{
	return doctor_gaps[i].id;
}

static const char *check_at(size_t i)
{
	return i < DOCTOR_CHECKS ? doctor_checks[i].id : NULL;
}

static void test_ids(void **state)
{
	(void)state;
	check_names(probe_at, probe_ids, sizeof(probe_ids) / sizeof(*probe_ids));
	check_names(gap_at, gap_ids, sizeof(gap_ids) / sizeof(*gap_ids));
	check_names(check_at, check_ids, sizeof(check_ids) / sizeof(*check_ids));
}

static void test_texts(void **state)
{
	(void)state;
	for (const struct doctor_probe *p = doctor_probes; p->id; p++) {
		check_text(p->title);
		check_text(p->next);
		assert_non_null(p->run);
	}
	for (const struct doctor_gap *g = doctor_gaps; g->id; g++) {
		check_text(g->what);
		check_text(g->next);
	}
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		check_text(doctor_checks[i].title);
}

/* Some must pass, some must not: a self-test of one kind proves little. */
static void test_both_kinds_of_checks(void **state)
{
	size_t n_pass = 0;

	(void)state;
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		n_pass += doctor_checks[i].must_pass;
	assert_true(n_pass >= 3 && DOCTOR_CHECKS - n_pass >= 10);
}

static void test_every_probe_says_something(void **state)
{
	(void)state;
	for (const struct doctor_probe *p = doctor_probes; p->id; p++) {
		struct doctor_result r = { 0 };

		p->run(NULL, &r);
		if (!r.what[0] || strchr(r.what, '\n'))
			fail_msg("probe %s says \"%s\"", p->id, r.what);
	}
}

static void test_limits(void **state)
{
	struct rlimit limit = { 64, 64 };
	int status;
	pid_t pid;

	(void)state;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct doctor_result r = { 0 };

		/* as somebody who cannot raise it again */
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || (geteuid() == 0 && seteuid(1) < 0))
			_exit(2);
		probe_open_files(NULL, &r);
		_exit(r.status == DOCTOR_WARN && strcmp(r.what, "64 files") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* daemon's own groups are none that are as good as root; the user is told as having one when a group was left out. */
static void test_groups_as_good_as_root_are_told(void **state)
{
	struct cli_user u = { .uid = 1, .gid = 1, .name = (char[]){ "daemon" }, .n_groups = 1 };
	struct doctor_result r = { 0 };

	(void)state;
	probe_user(&u, &r);
	assert_int_equal(r.status, DOCTOR_OK);
	u.n_groups = 0;
	probe_user(&u, &r);
	assert_int_equal(r.status, DOCTOR_WARN);
	assert_non_null(strstr(r.what, "daemon (uid 1) is in 1 group that is as good as root"));
}

/* Through a file: what is printed is what a program will parse. */
static void print_into(const struct doctor_report *report, int (*print)(const struct doctor_report *r), char *out,
		       size_t size)
{
	FILE *f = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t n;
	int r;

	assert_non_null(f);
	fflush(stdout);
	assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
	r = print(report);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	(void)close(saved);
	assert_int_equal(r, 0);
	rewind(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	(void)fclose(f);
}

static const char *text_of(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(row, key, &value));
	return json_object_get_string(value);
}

static void test_report(void **state)
{
	static struct doctor_report report;
	static char text[65536];
	struct json_object *root, *list, *row, *value;

	(void)state;
	for (size_t i = 0; i < DOCTOR_PROBES; i++)
		doctor_say(&report.probes[i], DOCTOR_OK, "fine");
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		doctor_say(&report.checks[i], DOCTOR_OK, "fine");
	doctor_say(&report.probes[1], DOCTOR_WARN, "a \"%s\"\n\x1b[31m", "quote");
	assert_int_equal(doctor_count(&report, DOCTOR_FAIL), 0);
	assert_int_equal(doctor_count(&report, DOCTOR_WARN), 1);
	print_into(&report, doctor_print_text, text, sizeof(text));
	assert_non_null(strstr(text, "ready: sandboxes hold on this machine, 1 warning\n"));
	assert_non_null(strstr(text, doctor_probes[1].next));
	assert_null(strstr(text, doctor_probes[0].next));
	assert_null(strchr(text, '\x1b'));

	report.checks[2].status = DOCTOR_FAIL;
	print_into(&report, doctor_print_text, text, sizeof(text));
	assert_non_null(strstr(text, "\nNOT READY: 1 of "));
	print_into(&report, doctor_print_json, text, sizeof(text));
	root = json_tokener_parse(text);
	assert_non_null(root);
	assert_true(json_object_object_get_ex(root, "ready", &value));
	assert_false(json_object_get_boolean(value));
	assert_true(json_object_object_get_ex(root, "probes", &list));
	assert_int_equal(json_object_array_length(list), DOCTOR_PROBES);
	row = json_object_array_get_idx(list, 1);
	assert_string_equal(text_of(row, "what"), "a \"quote\"\n\x1b[31m");
	assert_string_equal(text_of(row, "status"), "warn");
	assert_string_equal(text_of(row, "next"), doctor_probes[1].next);
	assert_true(json_object_object_get_ex(root, "self_test", &list));
	assert_string_equal(text_of(json_object_array_get_idx(list, 2), "status"), "fail");
	json_object_put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_both_kinds_of_checks),
		cmocka_unit_test(test_every_probe_says_something),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_groups_as_good_as_root_are_told),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
