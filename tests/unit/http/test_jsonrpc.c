/* SPDX-License-Identifier: Apache-2.0 */
/* Which bodies are calls, and which ids may be said back; a body may end anywhere. */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "http/jsonrpc.h"

static const struct {
	const char *body;
	const char *id; /* NULL: no call */
} rows[] = {
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\"}", "7" },
	{ "{\"method\":\"x\",\"params\":{\"id\":1,\"a\":[1,{}]},\"id\":\"seven\",\"jsonrpc\":\"2.0\"}", "\"seven\"" },
	{ " {\r\n\t\"jsonrpc\" : \"2.0\" , \"id\" : -3 }", "-3" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notify\"}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":null}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":{\"a\":1}}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":[1]}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":true}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1.5}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":007}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":-}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":-07}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":0}", "0" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1 2}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\"}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\nb\"}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\xa9\"}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789012345678901234567890123456789\"}",
	  "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"\"b\"1}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\"1}", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"b\":1}", "\"a\"" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"\"}", "\"\"" },
	{ "[{\"jsonrpc\":\"2.0\",\"id\":7}]", "null" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"params\":\"cut off he", "7" },
	{ "{\"jsonrpc\":\"1.0\",\"id\":7}", NULL },
	{ "{\"id\":7}", NULL },
	{ "{\"params\":{\"jsonrpc\":\"2.0\",\"id\":7}}", NULL },
	{ "{\"x\":\"\\\"jsonrpc\\\":\\\"2.0\\\"\"}", NULL },
	{ "\"jsonrpc\"", NULL },
	{ "[]", NULL },
	{ "{", NULL },
	{ "{}}}}", NULL },
	{ "", NULL },
	{ "]]]{\"jsonrpc\":\"2.0\"}", NULL },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str id = STR("untouched");
		bool is_call = jsonrpc_find_id(str_of(rows[i].body), &id);

		if (is_call != (rows[i].id != NULL) || !str_eq(id, str_of(rows[i].id ? rows[i].id : "untouched")))
			fail_msg("row %zu: %d %.*s", i, is_call, (int)id.n, id.p);
	}
}

/* Cut everywhere, in memory that ends there: the sanitizer watches. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t n = 0; n <= strlen(rows[i].body); n++) {
			char *copy = malloc(n ? n : 1);
			struct str id = STR("");

			assert_non_null(copy);
			memcpy(copy, rows[i].body, n);
			if (jsonrpc_find_id(str_make(copy, n), &id))
				assert_in_range(id.n, 1, JSONRPC_ID_MAX);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
