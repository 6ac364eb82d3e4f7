/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of tests/import/nono.json: a profile, what of it is said to be left out, and what the policy allows and
 * refuses. A row needs no C: add it to the JSON.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/diag.h"
#include "cli/nono.h"
#include "policy/policy.h"
#include "policy/url.h"

#define ROWS "tests/import/nono.json"

static const char *name; /* of the row, for messages */

static struct json_object *member(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(row, key, &value) ? value : NULL;
}

static const char *item(struct json_object *list, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(list, i));
}

static bool contains(const struct buf *b, const char *text)
{
	return memmem(buf_data(b), buf_len(b), text, strlen(text)) != NULL;
}

/* "GET https://…": the decision, and the credential's name or "-". */
static enum why decide(const struct policy *p, const char *question, const char **ret_credential)
{
	static struct path path;
	struct policy_request request = { 0 };
	struct policy_decision decision = { 0 };
	struct policy_origin origin;
	const char *url = strchr(question, ' ') + 1, *error, *end = strchr(url, ' ');
	struct str raw;
	enum why why;

	request.method = str_make(question, (size_t)(url - question) - 1);
	assert_int_equal(url_parse(str_make(url, end ? (size_t)(end - url) : strlen(url)), &origin, &raw,
				   &request.query, &request.has_query, &error),
			 0);
	why = path_parse(raw, &path);
	if (why != WHY_allowed)
		return why;
	request.origin = &origin;
	request.path = &path;
	policy_decide(p, &request, &decision);
	*ret_credential = decision.credential ? decision.credential->name : "-";
	return decision.why;
}

static void check_requests(struct json_object *row, const struct policy *p)
{
	struct json_object *allowed = member(row, "allowed"), *refused = member(row, "refused");
	const char *credential = "";

	for (size_t i = 0; i < json_object_array_length(allowed); i++) {
		const char *want = strrchr(item(allowed, i), ' ') + 1;
		enum why why = decide(p, item(allowed, i), &credential);

		if (why != WHY_allowed || strcmp(credential, want) != 0)
			fail_msg("%s: %s: %s, with %s", name, item(allowed, i), why_symbol(why), credential);
	}
	for (size_t i = 0; i < json_object_array_length(refused); i++) {
		if (decide(p, item(refused, i), &credential) == WHY_allowed)
			fail_msg("%s: %s is allowed", name, item(refused, i));
	}
}

/* As many notes as the row has, each in its place, with the file's name in front. */
static void check_notes(struct json_object *row, const struct buf *notes, size_t n_notes)
{
	struct json_object *want = member(row, "notes");
	struct str rest = buf_str(notes);
	size_t n = 0;

	for (size_t end; rest.n > 0; rest = str_from(rest, end + 1), n++) {
		struct str line = str_make(rest.p, end = str_find(rest, '\n'));
		unsigned at = 0, column = 0;

		if (n >= json_object_array_length(want))
			fail_msg("%s: one note too many: %.*s", name, (int)line.n, line.p);
		if (!memmem(line.p, line.n, item(want, n), strlen(item(want, n))))
			fail_msg("%s: \"%s\" is not in %.*s", name, item(want, n), (int)line.n, line.p);
		assert_int_equal(sscanf(line.p, "profile.json:%u:%u: ", &at, &column), 2);
		assert_true(at >= 1 && column >= 1);
	}
	if (n != json_object_array_length(want) || n != n_notes)
		fail_msg("%s: %zu notes, counted as %zu", name, n, n_notes);
}

static void check_texts(struct json_object *row, const struct buf *policy, const struct buf *notes)
{
	struct json_object *has = member(row, "has"), *not = member(row, "hasnot");

	for (size_t i = 0; has && i < json_object_array_length(has); i++) {
		if (!contains(policy, item(has, i)))
			fail_msg("%s: %s is not in the policy", name, item(has, i));
	}
	for (size_t i = 0; not &&i < json_object_array_length(not ); i++) {
		if (contains(policy, item(not, i)) ||
		    (strncmp(item(not, i), "custom", 6) && contains(notes, item(not, i)) &&
		     !strstr("LD_PRELOAD scope cmd:// apple-password", item(not, i))))
			fail_msg("%s: %s is told", name, item(not, i));
	}
}

static void check_row(struct json_object *row)
{
	struct json_object *source = member(row, "source"), *error = member(row, "error"),
			   *alone = member(row, "alone");
	const char *text = source ? json_object_get_string(source)
				  : json_object_to_json_string_ext(member(row, "profile"), JSON_C_TO_STRING_PRETTY);
	struct buf policy, notes;
	struct policy *p = NULL;
	struct diag d = { 0 };
	size_t n_notes = 0;
	int r;

	name = json_object_get_string(member(row, "name"));
	buf_init(&policy, 1 << 20);
	buf_init(&notes, 1 << 20);
	r = nono_convert("profile.json", str_of(text), alone && json_object_get_boolean(alone), &policy, &notes,
			 &n_notes, &d);
	if (error) {
		char line[1024];

		assert_int_equal(r, -EINVAL);
		assert_int_equal(buf_len(&policy), 0);
		if (!strstr(diag_format(&d, line, sizeof(line)), json_object_get_string(error)))
			fail_msg("%s: the error says %s", name, line);
	} else {
		if (r != 0)
			fail_msg("%s: %d, %s", name, r, d.text);
		check_notes(row, &notes, n_notes);
		check_texts(row, &policy, &notes);
		assert_int_equal(policy_load("policy.json", buf_str(&policy), &p, &d), 0);
		check_requests(row, p);
		p = policy_unref(p);
	}
	buf_done(&policy);
	buf_done(&notes);
}

static void test_every_row(void **state)
{
	struct json_object *rows = json_object_from_file(ROWS);

	(void)state;
	assert_true(json_object_is_type(rows, json_type_array) && json_object_array_length(rows) > 70);
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		check_row(json_object_array_get_idx(rows, i));
	json_object_put(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
