/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper pushes, also when it pushes nonsense: only a ready credential has a value. */
#include "worker_child.h"

#include "base/secret.h"

static int set_up(void **state)
{
	(void)state;
	return worker_make("{\"custom_credentials\":{"
			   "\"one\":{\"upstream\":\"https://a.example.com\",\"credential_key\":\"file:///s/one\"},"
			   "\"two\":{\"upstream\":\"https://b.example.com\",\"credential_key\":\"file:///s/two\"}}}");
}

static void push(const char *name, enum credential_state credential_state, uint32_t generation, const char *value,
		 long extra)
{
	static struct credential_push p;

	p = (struct credential_push){ .header.type = CREDENTIAL_PUSH, .state = credential_state };
	p.generation = generation;
	p.value_size = (uint32_t)strlen(value);
	(void)strncpy(p.name, name, sizeof(p.name) - 1);
	memcpy(p.value, value, strlen(value));
	credentials_push(worker, &p,
			 (size_t)((long)KEEPER_MSG_SIZE(struct credential_push, value, p.value_size) + extra));
}

static const struct credential *credential(const char *name)
{
	for (size_t i = 0; i < worker->n_credentials; i++) {
		if (strcmp(worker->credentials[i].policy->name, name) == 0)
			return &worker->credentials[i];
	}
	fail_msg("no credential %s", name);
	return NULL;
}

static void one_is_pushed_and_the_other_is_not(void **state)
{
	(void)state;
	assert_int_equal(worker->n_credentials, 2);
	assert_int_equal(credential("one")->state, CREDENTIAL_PENDING);
	push("one", CREDENTIAL_READY, 1, "s3cret", 0);
	assert_int_equal(credential("one")->state, CREDENTIAL_READY);
	assert_str_equal(secret_bytes(credential("one")->value), "s3cret");
	assert_null(credential("two")->value);
	assert_ptr_equal(credential_find(worker, credential("one")->policy), credential("one"));
	assert_null(credential_find(worker, NULL));
}

static void a_later_one_replaces_and_a_failure_removes_it(void **state)
{
	(void)state;
	push("one", CREDENTIAL_READY, 1, "old", 0);
	push("one", CREDENTIAL_READY, 2, "new", 0);
	assert_str_equal(secret_bytes(credential("one")->value), "new");
	assert_int_equal(credential("one")->generation, 2);
	push("one", CREDENTIAL_FAILED, 2, "ignored", 0);
	assert_int_equal(credential("one")->state, CREDENTIAL_FAILED);
	assert_null(credential("one")->value);
}

static void nonsense_changes_nothing(void **state)
{
	(void)state;
	push("three", CREDENTIAL_READY, 1, "x", 0);
	push("", CREDENTIAL_READY, 1, "x", 0);
	push("one", CREDENTIAL_READY, 1, "x", 1);
	push("one", CREDENTIAL_READY, 1, "x", -1);
	assert_int_equal(credential("one")->state, CREDENTIAL_PENDING);
	assert_int_equal(credential("two")->state, CREDENTIAL_PENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_is_pushed_and_the_other_is_not, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(a_later_one_replaces_and_a_failure_removes_it, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(nonsense_changes_nothing, set_up, worker_unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
