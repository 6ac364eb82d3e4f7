/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DNS query: whatever is answered has the query's id, says it is an answer, repeats its question byte for byte, and
 * is no longer than the asker takes.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/diag.h"
#include "dns/responder.h"

static struct policy *policy;

static void set_up(void)
{
	struct diag diag;

	assert(policy_load("p", STR("{\"network\":{\"allow_domain\":[\"a.example.com\",\"*.w.example.com\"]}}"),
			   &policy, &diag) == 0);
}

static void check(const struct dns_query *q, const uint8_t *data, size_t n, enum dns_answer answer, size_t max)
{
	static const struct address addresses[] = { { .family = 2, .bytes = { 10, 77, 0, 2 } },
						    { .family = 10, .bytes = { 0xfd, 0x77 } } };
	uint8_t *out = malloc(DNS_MESSAGE_MAX);
	long size;

	assert(out);
	size = dns_write_answer(q, data, n, answer, addresses, 2, 30, out, DNS_MESSAGE_MAX, max);
	assert(size >= 12 && (size_t)size <= max && size <= DNS_MESSAGE_MAX);
	assert(memcmp(out, data, 2) == 0 && (out[2] & 0x80));
	if (q->question_size > 0 && size >= (long)(12 + q->question_size))
		assert(memcmp(out + 12, data + 12, q->question_size) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;
	struct dns_query q = { 0 };
	int r;

	if (!policy)
		set_up();
	if (size > DNS_MESSAGE_MAX)
		return 0;
	copy = fuzz_copy(data, size);
	r = dns_parse_query((const uint8_t *)copy, size, &q);
	assert(r == 0 || r == -EBADMSG || r == -EINVAL || r == -EOPNOTSUPP);
	if (r == 0) {
		enum dns_answer answer = dns_decide(policy, &q);

		assert(q.udp_size >= 512 && 12 + q.question_size <= size);
		check(&q, (const uint8_t *)copy, size, answer, q.udp_size);
		check(&q, (const uint8_t *)copy, size, answer, 65535);
		check(&q, (const uint8_t *)copy, size, DNS_SERVFAIL, 512);
	} else if (r != -EBADMSG) {
		check(&q, (const uint8_t *)copy, size, r == -EINVAL ? DNS_FORMERR : DNS_NOTIMP, 512);
	}
	free(copy);
	return 0;
}
