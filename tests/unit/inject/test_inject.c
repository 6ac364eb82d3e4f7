/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of every mode: no slot of the client's stays, ours is there once, and what cannot be done refuses. */
#include "tests/lib/test.h"

#include "http/message.h"
#include "inject/inject.h"
#include "policy/policy.h"

static const char *const slots[] = {
#define SLOT(name) name,
#include "inject/slots.def"
#undef SLOT
};

static struct policy_credential credential_of(enum inject_mode mode)
{
	return (struct policy_credential){ .name = "c", .mode = mode, .header = "private-token", .format = "{}" };
}

static void add(struct http_request *r, const char *name, const char *value)
{
	assert_int_equal(http_field_add(&r->fields, str_of(name), str_of(value)), 0);
}

static void every_slot_is_emptied(void **state)
{
	const struct policy_credential c = credential_of(INJECT_HEADER);

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		struct http_request r = { 0 };
		char twin[64];
		size_t n = strlen(slots[i]);

		for (size_t k = 0; k <= n; k++)
			twin[k] = slots[i][k] == '-' ? '_' : slots[i][k];
		add(&r, "accept", "*/*");
		add(&r, slots[i], "theirs");
		add(&r, twin, "theirs");
		add(&r, slots[i], "theirs again");
		assert_int_equal(inject_strip(&c, &r), WHY_allowed);
		if (r.fields.n != 1 || !str_eq(r.fields.at[0].name, STR("accept")))
			fail_msg("%s stays", slots[i]);
	}
}

static void ours_is_there_once(void **state)
{
	const struct policy_credential c = credential_of(INJECT_HEADER);
	struct http_request r = { 0 };

	(void)state;
	add(&r, "private-token", "theirs");
	add(&r, "private_token", "theirs");
	assert_int_equal(inject_strip(&c, &r), WHY_allowed);
	add(&r, "private-token", "slipped in"); /* even so */
	assert_int_equal(inject_apply(&c, STR("ours"), &r), WHY_allowed);
	assert_int_equal(http_field_count(&r.fields, STR("private-token")), 1);
	assert_str_equal(http_field_find(&r.fields, STR("private-token"))->value, "ours");
}

static void connection_may_not_name_it(void **state)
{
	const struct policy_credential c = credential_of(INJECT_HEADER);
	static const char *const values[] = { "private-token", "close, PRIVATE-TOKEN", "keep-alive ,private-token," };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct http_request r = { 0 };

		add(&r, "connection", values[i]);
		assert_int_equal(inject_strip(&c, &r), WHY_bad_connection);
	}
}

static void keys_of_the_query_that_are_tokens_are_refused(void **state)
{
	static const struct {
		const char *query;
		enum why want;
	} rows[] = {
		{ "private_token=x", WHY_query_not_allowed },
		{ "a=1&private_token=x", WHY_query_not_allowed },
		{ "a=1;private_token=x", WHY_query_not_allowed },
		{ "private_token", WHY_query_not_allowed },
		{ "PRIVATE-Token=x", WHY_query_not_allowed },
		{ "private%5Ftoken=x", WHY_query_not_allowed },
		{ "%70rivate_token=x", WHY_query_not_allowed },
		{ "private_token[]=x", WHY_query_not_allowed },
		{ "token[a]=x", WHY_query_not_allowed },
		{ "access_token=x", WHY_query_not_allowed },
		{ "job_token=x", WHY_query_not_allowed },
		{ "api_key=x", WHY_query_not_allowed },
		{ "", WHY_allowed },
		{ "a=private_token", WHY_allowed },
		{ "private_tokens=1", WHY_allowed },
		{ "page_token=1", WHY_allowed },
		{ "tokens=5", WHY_allowed },
		{ "%zz=1", WHY_allowed },
		{ "&&&", WHY_allowed },
	};
	const struct policy_credential c = credential_of(INJECT_HEADER);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .query = str_of(rows[i].query), .has_query = true };

		if (inject_strip(&c, &r) != rows[i].want)
			fail_msg("%s", rows[i].query);
	}
}

/* A mode whose machinery comes later refuses; it never sends the request without, or the value elsewhere. */
static void other_modes_refuse_and_change_nothing(void **state)
{
	(void)state;
	for (int mode = INJECT_HEADER + 1; mode <= INJECT_CLIENT_CERT + 3; mode++) {
		const struct policy_credential c = credential_of((enum inject_mode)mode);
		struct http_request r = { 0 };

		add(&r, "accept", "*/*");
		assert_int_equal(inject_apply(&c, STR("ours"), &r), WHY_feature_unavailable);
		assert_int_equal(r.fields.n, 1);
	}
}

static void a_full_head_refuses(void **state)
{
	const struct policy_credential c = credential_of(INJECT_HEADER);
	struct http_request r = { 0 };

	(void)state;
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		add(&r, "x", "y");
	assert_int_equal(inject_apply(&c, STR("ours"), &r), WHY_head_too_large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_slot_is_emptied),
		cmocka_unit_test(ours_is_there_once),
		cmocka_unit_test(connection_may_not_name_it),
		cmocka_unit_test(keys_of_the_query_that_are_tokens_are_refused),
		cmocka_unit_test(other_modes_refuse_and_change_nothing),
		cmocka_unit_test(a_full_head_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
