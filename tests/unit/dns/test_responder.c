/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in, decision, bytes out: what is read, what is refused, and what an answer holds. */
#include "tests/lib/test.h"

#include <errno.h>

#include "base/diag.h"
#include "dns/responder.h"

#define A    1
#define TXT  16
#define AAAA 28
#define ANY  255

static struct policy *policy;

static int load(void **state)
{
	struct diag diag;

	(void)state;
	return policy_load("p",
			   STR("{\"network\":{\"allow_domain\":[\"a.example.com\",\"*.w.example.com\",\"intra\"]}}"),
			   &policy, &diag);
}

static int unload(void **state)
{
	(void)state;
	policy = policy_unref(policy);
	return 0;
}

/* A query for the name, written with dots, in class IN; edns adds an OPT that takes 1232 bytes. */
static size_t make(uint8_t out[512], const char *name, uint16_t type, bool edns)
{
	static const uint8_t head[12] = { 0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0 };
	static const uint8_t opt[11] = { 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0 };
	size_t at = 12;

	memcpy(out, head, 12);
	while (*name) {
		size_t n = strcspn(name, ".");

		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	out[at++] = (uint8_t)(type >> 8);
	out[at++] = (uint8_t)type;
	out[at++] = 0;
	out[at++] = 1;
	if (edns) {
		out[11] = 1;
		memcpy(out + at, opt, sizeof(opt));
		at += sizeof(opt);
	}
	return at;
}

static enum dns_answer decide(const char *name, uint16_t type)
{
	uint8_t query[512];
	struct dns_query q;

	assert_int_equal(dns_parse_query(query, make(query, name, type, false), &q), 0);
	return dns_decide(policy, &q);
}

static void a_query_is_read(void **state)
{
	uint8_t query[512];
	size_t n = make(query, "A.Example.COM", AAAA, true);
	struct dns_query q;

	(void)state;
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, AAAA);
	assert_int_equal(q.udp_size, 1232);
	assert_true(q.edns && q.recursion_desired && q.name_ok && !q.is_single_label && !q.is_reverse);
	assert_str_equal(host_str(&q.name), "a.example.com");
}

/* Each row changes one byte of a good query (or its length) and must not be read as a question any more. */
static void odd_queries_are_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
		int cut; /* bytes less (or more, negative) */
		int want;
	} rows[] = {
		{ "an answer", 2, 0x81, 0, -EBADMSG },
		{ "a notify", 2, 0x21, 0, -EOPNOTSUPP },
		{ "an update", 2, 0x29, 0, -EOPNOTSUPP },
		{ "truncated", 2, 0x03, 0, -EINVAL },
		{ "two questions", 5, 2, 0, -EINVAL },
		{ "no question", 5, 0, 0, -EINVAL },
		{ "an answer record", 7, 1, 0, -EINVAL },
		{ "an authority record", 9, 1, 0, -EINVAL },
		{ "an additional record that is not there", 11, 1, 0, -EINVAL },
		{ "a compressed name", 12, 0xc0, 0, -EINVAL },
		{ "an extended label", 12, 0x41, 0, -EINVAL },
		{ "a label behind the end", 12, 60, 0, -EINVAL },
		{ "cut in the type", 0, 0x12, 3, -EINVAL },
		{ "cut in the header", 0, 0x12, 20, -EBADMSG },
		{ "bytes behind it", 0, 0x12, -1, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t query[512] = { 0 };
		struct dns_query q = { .question_size = 99 };
		size_t n = make(query, "a.example.com", A, false);
		int r;

		query[rows[i].at] = rows[i].byte;
		r = dns_parse_query(query, (size_t)((long)n - rows[i].cut), &q);
		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].what, r);
		if (r != -EBADMSG)
			assert_true(q.id == 0x1234 && q.question_size == 0);
	}
}

static void the_policy_decides(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		enum dns_answer want;
	} rows[] = {
		{ "a.example.com", A, DNS_ADDRESSES },	 { "a.example.com", AAAA, DNS_ADDRESSES },
		{ "a.example.com", TXT, DNS_NODATA },	 { "a.example.com", ANY, DNS_NODATA },
		{ "x.w.example.com", A, DNS_ADDRESSES }, { "intra", A, DNS_ADDRESSES },
		{ "w.example.com", A, DNS_SINK },	 { "evil.example.com", A, DNS_SINK },
		{ "evil.example.com", AAAA, DNS_SINK },	 { "c2VjcmV0.evil.example.com", TXT, DNS_REFUSED_TYPE },
		{ "single", A, DNS_REFUSED_NAME },	 { "2.0.77.10.in-addr.arpa", 12, DNS_REFUSED_NAME },
		{ "1.ip6.arpa", A, DNS_REFUSED_NAME },	 { "xip6.arpa", A, DNS_SINK },
		{ "localhost", A, DNS_LOOPBACK },	 { "a.localhost", AAAA, DNS_LOOPBACK },
		{ "notlocalhost", A, DNS_REFUSED_NAME }, { "", A, DNS_NODATA },
		{ "10.77.0.5", A, DNS_NXDOMAIN },	 { "a b.example.com", A, DNS_NXDOMAIN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (decide(rows[i].name, rows[i].type) != rows[i].want)
			fail_msg("%s type %u: %d", rows[i].name, rows[i].type, (int)decide(rows[i].name, rows[i].type));
	}
}

static void another_class_is_not_served(void **state)
{
	uint8_t query[512];
	size_t n = make(query, "a.example.com", A, false);
	struct dns_query q;

	(void)state;
	query[n - 1] = 3; /* CHAOS */
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	assert_int_equal(dns_decide(policy, &q), DNS_NOTIMP);
}

static const struct address both[] = { { .family = 2, .bytes = { 10, 77, 0, 2 } },
				       { .family = 10, .bytes = { 0xfd, 0x77 } },
				       { .family = 2, .bytes = { 10, 77, 0, 3 } } };

static void an_answer_repeats_the_question_and_has_the_family(void **state)
{
	uint8_t query[512], out[DNS_MESSAGE_MAX];
	size_t n = make(query, "a.example.com", A, true);
	struct dns_query q;
	long size;

	(void)state;
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	size = dns_write_answer(&q, query, n, DNS_ADDRESSES, both, 3, 3600, out, sizeof(out), q.udp_size);
	assert_int_equal(size, (long)n + 2 * 16);
	assert_memory_equal(out, query, 2);
	assert_int_equal(out[2] & 0x80, 0x80);
	assert_int_equal(out[3] & 0xf, 0);
	assert_int_equal(out[7], 2);
	assert_memory_equal(out + 12, query + 12, q.question_size);
	/* c00c, type A, class IN, 60 s (clamped), 4 bytes */
	assert_memory_equal(out + 12 + q.question_size, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x4d\0\2", 16);
}

static void a_refusal_names_itself_when_asked_with_edns(void **state)
{
	uint8_t query[512], out[DNS_MESSAGE_MAX];
	size_t n = make(query, "single", A, true);
	struct dns_query q;
	long size;

	(void)state;
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	size = dns_write_answer(&q, query, n, DNS_REFUSED_NAME, NULL, 0, 0, out, sizeof(out), 65535);
	assert_int_equal(out[3] & 0xf, 3);
	assert_non_null(memmem(out, (size_t)size, "\0\x0f", 2));				 /* option 15 … */
	assert_non_null(memmem(out, (size_t)size, "\0\x12refused by the sandbox's policy", 33)); /* … with 18 */
	size = dns_write_answer(&q, query, n, DNS_REFUSED_TYPE, NULL, 0, 0, out, sizeof(out), 65535);
	assert_int_equal(out[3] & 0xf, 0);
	assert_int_equal(out[7], 0);
	assert_non_null(memmem(out, (size_t)size, "\0\x12refused by the sandbox's policy", 33));
	q.edns = false;
	size = dns_write_answer(&q, query, n, DNS_REFUSED_NAME, NULL, 0, 0, out, sizeof(out), 65535);
	assert_null(memmem(out, (size_t)size, "refused", 7)); /* not asked for */
}

static void what_does_not_fit_is_truncated(void **state)
{
	struct address many[DNS_ANSWER_ADDRESSES_MAX * 2];
	uint8_t query[512], out[DNS_MESSAGE_MAX];
	size_t n = make(query, "a.example.com", AAAA, false);
	struct dns_query q;
	long size;

	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = (struct address){ .family = 10, .bytes = { 0xfd, 0x77, [15] = (uint8_t)i } };
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	size = dns_write_answer(&q, query, n, DNS_ADDRESSES, many, 16, 30, out, sizeof(out), 300);
	assert_int_equal(size, (long)n);
	assert_int_equal(out[2] & 0x02, 0x02);
	assert_int_equal(out[7], 0);
	size = dns_write_answer(&q, query, n, DNS_ADDRESSES, many, 32, 30, out, sizeof(out), 65535);
	assert_int_equal(out[7], DNS_ANSWER_ADDRESSES_MAX);
	assert_int_equal(out[2] & 0x02, 0);
	assert_int_equal(dns_write_answer(&q, query, n, DNS_ADDRESSES, many, 16, 30, out, 20, 65535), -ENOBUFS);
	assert_int_equal(dns_write_answer(&q, query, 11, DNS_NODATA, NULL, 0, 0, out, sizeof(out), 512), -EINVAL);
}

static void an_unknown_edns_version_is_said(void **state)
{
	uint8_t query[512], out[DNS_MESSAGE_MAX];
	size_t n = make(query, "a.example.com", A, true);
	struct dns_query q;
	long size;

	(void)state;
	query[n - 5] = 1;
	assert_int_equal(dns_parse_query(query, n, &q), 0);
	assert_true(q.bad_edns);
	size = dns_write_answer(&q, query, n, DNS_ADDRESSES, both, 3, 30, out, sizeof(out), 512);
	assert_int_equal(size, (long)n);
	assert_int_equal(out[7], 0);
	assert_int_equal(out[n - 6], 1); /* the upper bits of BADVERS */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_read),
		cmocka_unit_test(odd_queries_are_refused),
		cmocka_unit_test(the_policy_decides),
		cmocka_unit_test(another_class_is_not_served),
		cmocka_unit_test(an_answer_repeats_the_question_and_has_the_family),
		cmocka_unit_test(a_refusal_names_itself_when_asked_with_edns),
		cmocka_unit_test(what_does_not_fit_is_truncated),
		cmocka_unit_test(an_unknown_edns_version_is_said),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
