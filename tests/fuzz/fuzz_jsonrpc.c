/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a JSON body: an id that is found can stand in an answer, which is JSON to another reader and has the same id; and a
 * whole body that the other reader takes for a call with one plain id is found to be one.
 */
#include "fuzz.h"

#include <stdio.h>

#include <json-c/json.h>

#include "http/jsonrpc.h"

static struct json_object *parse(const char *text, size_t n)
{
	struct json_tokener *t = json_tokener_new();
	struct json_object *o;

	assert(t);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = n < INT32_MAX ? json_tokener_parse_ex(t, text, (int)n) : NULL;
	if (o && json_tokener_get_parse_end(t) != n) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(t);
	return o;
}

static void check_answer(struct str id)
{
	char text[JSONRPC_ID_MAX + 64];
	int n = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%.*s}", (int)id.n, id.p);
	struct json_object *answer, *member;
	struct str again = STR("");

	assert(id.n > 0 && id.n <= JSONRPC_ID_MAX && n > 0 && (size_t)n < sizeof(text));
	assert(jsonrpc_find_id(str_make(text, (size_t)n), &again) && str_eq(again, id));
	answer = parse(text, (size_t)n);
	assert(answer && json_object_object_length(answer) == 2);
	assert(json_object_object_get_ex(answer, "id", &member));
	assert(json_object_is_type(member, json_type_int) || json_object_is_type(member, json_type_string) ||
	       str_eq(id, STR("null")));
	json_object_put(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char untouched[] = "untouched";
	char *copy = fuzz_copy(data, size);
	struct str id = str_of(untouched);

	if (jsonrpc_find_id(str_make(copy, size), &id)) {
		assert(str_eq(id, STR("null")) || (id.p >= copy && id.p + id.n <= copy + size));
		check_answer(id);
	} else {
		assert(id.p == untouched);
	}
	free(copy);
	return 0;
}
