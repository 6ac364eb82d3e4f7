/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of tests/policy/ *.json through the engine. A row needs no C: add it to the JSON. */
#include "tests/lib/test.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/policy.h"
#include "policy/url.h"

static const char *text_of(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(row, key, &value) ? json_object_get_string(value) : NULL;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	(void)fclose(f);
	return text;
}

/* The policy of a row: a file of the repository, JSON, or source text. */
static char *source_of(struct json_object *row)
{
	const char *file = text_of(row, "policy"), *source = text_of(row, "policy_source");

	if (file)
		return read_file(file);
	return str_dup(str_of(source ? source : text_of(row, "policy_text")));
}

static void check_error(struct json_object *row, int r, const struct diag *diag)
{
	const char *line = text_of(row, "line"), *column = text_of(row, "column");

	assert_true(r < 0);
	if (!strstr(diag->text, text_of(row, "error")))
		fail_msg("%s: the error says: %s", text_of(row, "name"), diag->text);
	if (diag->line == 0 || diag->column == 0 || (line && diag->line != (unsigned)atol(line)) ||
	    (column && diag->column != (unsigned)atol(column)))
		fail_msg("%s: the error is at %u:%u", text_of(row, "name"), diag->line, diag->column);
}

static void check_decision(struct json_object *row, const struct policy *p)
{
	static struct path path;
	struct policy_origin origin;
	struct policy_request request = { .origin = &origin, .path = &path, .method = str_of(text_of(row, "method")) };
	struct policy_decision decision = { 0 };
	const char *error = "", *credential = text_of(row, "credential");
	struct str raw;
	struct buf fix;

	assert_int_equal(url_parse(str_of(text_of(row, "url")), &origin, &raw, &request.query, &request.has_query,
				   &error),
			 0);
	decision.why = path_parse(raw, &path);
	if (decision.why == WHY_allowed)
		policy_decide(p, &request, &decision);
	if (strcmp(why_symbol(decision.why), text_of(row, "why")) != 0)
		fail_msg("%s: %s, expected %s", text_of(row, "name"), why_symbol(decision.why), text_of(row, "why"));
	if (decision.why == WHY_allowed)
		assert_string_equal(decision.credential ? decision.credential->name : "", credential ? credential : "");
	else
		assert_null(decision.credential);
	buf_init(&fix, 65536);
	assert_int_equal(policy_render_fix(p, &request, &decision, &fix), 0);
	buf_done(&fix);
}

static void run_row(struct json_object *row)
{
	char *source = source_of(row);
	struct policy *p = NULL;
	struct diag diag = { 0 };
	int r = policy_load("row.json", str_of(source), &p, &diag);

	if (text_of(row, "error")) {
		check_error(row, r, &diag);
	} else {
		if (r < 0)
			fail_msg("%s: %u:%u: %s", text_of(row, "name"), diag.line, diag.column, diag.text);
		check_decision(row, p);
	}
	policy_unref(p);
	free(source);
}

static void test_vectors(void **state)
{
	size_t rows = 0;
	glob_t files;

	(void)state;
	assert_int_equal(glob("tests/policy/*.json", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct json_object *list = json_object_from_file(files.gl_pathv[i]);

		assert_non_null(list);
		for (size_t k = 0; k < json_object_array_length(list); k++, rows++)
			run_row(json_object_array_get_idx(list, k));
		json_object_put(list);
	}
	globfree(&files);
	assert_true(rows > 70);
}

/* What the fix says must allow the request when it is put into the policy. */
static void test_fix_allows(void **state)
{
	static struct path path;
	struct policy_origin origin;
	struct policy_request request = { .origin = &origin, .path = &path, .method = STR("DELETE") };
	struct policy_decision decision;
	struct policy *p = NULL;
	const char *error;
	struct diag diag;
	struct str raw;
	struct buf text;

	(void)state;
	assert_int_equal(policy_load("p", STR("{}"), &p, &diag), 0);
	assert_int_equal(url_parse(STR("https://a.example.com:8443/x/%2a/%5By?q"), &origin, &raw, &request.query,
				   &request.has_query, &error),
			 0);
	assert_int_equal(path_parse(raw, &path), WHY_allowed);
	policy_decide(p, &request, &decision);
	assert_int_equal(decision.why, WHY_host_not_allowed);
	buf_init(&text, 65536);
	assert_int_equal(buf_append(&text, STR("{\"network\":{\"allow_domain\":[")), 0);
	assert_int_equal(policy_render_fix(p, &request, &decision, &text), 0);
	assert_int_equal(buf_append(&text, STR("]}}")), 0);
	policy_unref(p);
	p = NULL;
	assert_int_equal(policy_load("p", buf_str(&text), &p, &diag), 0);
	policy_decide(p, &request, &decision);
	assert_int_equal(decision.why, WHY_allowed);
	buf_done(&text);
	policy_unref(p);
}

static void judge(const struct policy *p, const char *name, const char *text, enum why want)
{
	struct policy_origin origin = { .port = 443 };
	struct address a = { 0 };
	struct host h;

	if (host_parse(str_of(text), &h) < 0 || !h.is_address)
		fail_msg("%s is no address", text);
	a.family = h.family;
	memcpy(a.bytes, h.bytes, 16);
	assert_int_equal(host_parse(str_of(name), &origin.host), 0);
	if (policy_check_address(policy_find_route(p, &origin), &a) != want)
		fail_msg("%s for %s: expected %s", text, name, why_symbol(want));
}

static void test_addresses(void **state)
{
	static const char *const bad[] = { "127.0.0.1",
					   "169.254.169.254",
					   "0.0.0.0",
					   "::1",
					   "::ffff:127.0.0.1",
					   "fe80::1",
					   "224.0.0.1",
					   "64:ff9b::7f00:1",
					   "2002:7f00:1::",
					   "fd00:ec2::254",
					   "0.1.2.3",
					   "127.255.255.255",
					   "169.254.0.0",
					   "192.0.0.192",
					   "192.0.2.1",
					   "198.19.255.255",
					   "198.51.100.7",
					   "203.0.113.255",
					   "239.255.255.255",
					   "255.255.255.255",
					   "100.100.100.200",
					   "168.63.129.16",
					   "::",
					   "fe80::a9fe:a9fe",
					   "febf::1",
					   "fec0::1",
					   "ff02::1",
					   "fd20:ce::254",
					   "2001:db8::5",
					   "3fff::1",
					   "100::1",
					   "64:ff9b:1::1",
					   "64:ff9b:1:7f00:0:100::",
					   "::127.0.0.1",
					   "::ffff:0:127.0.0.1",
					   "2001:db7::5efe:127.0.0.1",
					   "2001:db7::200:5efe:169.254.169.254",
					   "2001:0:1234::80ff:fffe",
					   "64:ff9b::a9fe:a9fe",
					   "2002:a9fe:a9fe::1",
					   "::ffff:169.254.169.254" };
	static const char *const good[] = { "1.0.0.0",	      "126.255.255.255", "128.0.0.0",	     "169.253.255.255",
					    "169.255.0.0",    "192.0.1.0",	 "192.0.3.1",	     "198.17.255.255",
					    "198.20.0.0",     "223.255.255.255", "168.63.129.17",    "2606:4700::1111",
					    "fe7f::1",	      "2001:db9::1",	 "64:ff9b::808:808", "2002:808:808::1",
					    "::ffff:8.8.8.8", "3ffe::1",	 "64:ff9b:2::1" };
	static const char *const internal[] = { "10.0.0.0",	   "10.255.255.255",	   "172.16.0.1",
						"172.31.255.255",  "192.168.0.1",	   "100.64.0.1",
						"100.100.100.201", "100.127.255.255",	   "fc00::1",
						"fdff::1",	   "::ffff:10.0.0.1",	   "64:ff9b::a00:1",
						"2002:c0a8:1::1",  "::ffff:0:192.168.0.1", "2001:db7::5efe:10.0.0.1" };
	struct policy *p = NULL;
	struct diag diag;

	(void)state;
	assert_int_equal(policy_load("p",
				     STR("{\"network\":{\"allow_domain\":[\"a.example.com\",\"*.b.example.com\","
					 "{\"host\":\"c.example.com\",\"addresses\":[\"127.0.0.0/8\"]}]}}"),
				     &p, &diag),
			 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		judge(p, "a.example.com", bad[i], WHY_address_refused);
		judge(p, "x.b.example.com", bad[i], WHY_address_refused);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		judge(p, "a.example.com", good[i], WHY_allowed);
		judge(p, "x.b.example.com", good[i], WHY_allowed);
	}
	for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++) {
		judge(p, "a.example.com", internal[i], WHY_allowed);
		judge(p, "x.b.example.com", internal[i], WHY_address_refused);
	}
	judge(p, "c.example.com", "127.0.0.9", WHY_allowed);
	judge(p, "c.example.com", "::ffff:127.0.0.9", WHY_address_refused); /* the range names the one form */
	judge(p, "c.example.com", "128.0.0.0", WHY_allowed);
	policy_unref(p);
}

static void test_hosts(void **state)
{
	static const char *const bad[] = { "",		 ".",	  "a..b",	"-a.com",    "a-.com",
					   "a_b.com",	 "127.1", "0177.0.0.1", "1.2.3.4.5", "2130706433",
					   "0x7f000001", "[::1",  "fe80::1%lo", "a b",	     "a\xff.com" };
	struct host h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(host_parse(str_of(bad[i]), &h) < 0);
	assert_int_equal(host_parse(STR("B\xc3\xbc"
					"cher.Example"),
				    &h),
			 0);
	assert_string_equal(h.text, "xn--bcher-kva.example");
	assert_int_equal(host_parse(STR("[2001:DB8:0::1]"), &h), 0);
	assert_string_equal(h.text, "2001:db8::1");
}

/* What no row can hold: a NUL byte where an escape, a key or white space could stand, and more members than are taken. */
static void test_bytes(void **state)
{
	static const struct {
		struct str text;
		const char *error;
		unsigned column;
	} rows[] = {
		{ STR("{\"$schema\": \"\\\0\"}"), "unknown escape", 15 },
		{ STR("{\"a\0\": 1}"), "control byte", 4 },
		{ STR("{\0}"), "double quotes", 2 },
		{ STR("{}\0"), "nothing behind", 3 },
		{ STR("{\"\xff\": 1}"), "not valid UTF-8", 3 },
		{ STR("{\"\xed\xa0\x80\": 1}"), "not valid UTF-8", 3 },
	};
	struct policy *p = NULL;
	struct diag diag;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(policy_load("p", rows[i].text, &p, &diag), -EINVAL);
		assert_non_null(strstr(diag.text, rows[i].error));
		assert_int_equal(diag.line, 1);
		assert_int_equal(diag.column, rows[i].column);
	}
	buf_init(&b, 1 << 20);
	for (int n = 10000; n <= 10001; n++) {
		buf_clear(&b);
		assert_int_equal(buf_append(&b, STR("{\"$schema\": {")), 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(buf_printf(&b, "%s\"%d\": 1", i ? "," : "", i), 0);
		assert_int_equal(buf_append(&b, STR("}}")), 0);
		assert_int_equal(policy_load("p", buf_str(&b), &p, &diag), n == 10000 ? 0 : -EINVAL);
	}
	assert_non_null(strstr(diag.text, "10000 members"));
	policy_unref(p);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_fix_allows), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hosts),	cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
