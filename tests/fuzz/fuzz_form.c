/* SPDX-License-Identifier: Apache-2.0 */
/* A form, walked at once and byte by byte: found or not, the same; a plain _method pair that is appended is always found. */
#include "fuzz.h"

#include "http/form_walker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "",
					     "application/json" };
	struct form_walker one, two;
	struct str type, body;
	char *copy;
	bool walks;

	if (size < 1)
		return 0;
	type = str_of(types[data[0] % 4]);
	copy = fuzz_copy(data + 1, size - 1);
	body = str_make(copy, size - 1);
	walks = form_walker_init(&one, type);
	assert(form_walker_init(&two, type) == walks && walks == (data[0] % 4 != 3));
	(void)form_walker_feed(&one, body);
	for (size_t i = 0; i < body.n; i++)
		(void)form_walker_feed(&two, str_make(body.p + i, 1));
	if (walks && data[0] % 4 != 1) {
		(void)form_walker_feed(&one, STR("&_method=x"));
		(void)form_walker_feed(&two, STR("&_method=x"));
		assert(form_walker_finish(&one));
	}
	assert(form_walker_finish(&one) == form_walker_finish(&two));
	free(copy);
	return 0;
}
