/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one DNS query and writes one answer (RFC 1035, 6891, 8914). Trusts no byte of the query: one question,
 * written without compression, nothing behind it but one OPT record; everything else is FORMERR or silence. The
 * decision is the policy's; what is not allowed never leaves this process as a query.
 */
#include "dns/responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/util.h"

#define HEADER_SIZE   12
#define LABEL_MAX     63
#define NAME_MAX_WIRE 255
#define UDP_SIZE_MIN  512

#define TYPE_A	  1
#define TYPE_AAAA 28
#define TYPE_OPT  41
#define CLASS_IN  1

#define FLAG_QR	    0x8000u
#define FLAG_OPCODE 0x7800u
#define FLAG_TC	    0x0200u
#define FLAG_RD	    0x0100u
#define FLAG_RA	    0x0080u

#define RCODE_FORMERR	  1
#define RCODE_SERVFAIL	  2
#define RCODE_NXDOMAIN	  3
#define RCODE_NOTIMP	  4
#define EXT_RCODE_BADVERS 1 /* upper eight bits of 16 */

#define EDNS_OPTION_EDE 15
#define EDE_PROHIBITED	18
#define EDE_TEXT	"refused by the sandbox's policy"

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

static bool label_byte_ok(uint8_t b)
{
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' || b == '_';
}

/* The name at data[*at], as text with dots. A byte outside of letters, digits, '-' and '_' clears *ret_plain. */
static int read_name(const uint8_t *data, size_t n, size_t *at, char text[HOST_MAX + 1], size_t *ret_len,
		     unsigned *ret_labels, bool *ret_plain)
{
	size_t pos = *at, len = 0;
	unsigned labels = 0;
	bool plain = true;

	for (;;) {
		size_t size;

		if (pos >= n)
			return -EINVAL;
		size = data[pos++];
		if (size == 0)
			break;
		/* refuse: compression in a question points at nothing that could be there; extended labels are dead */
		if (size > LABEL_MAX || size > n - pos || pos + size - *at >= NAME_MAX_WIRE)
			return -EINVAL;
		if (labels++ > 0)
			text[len++] = '.';
		for (size_t i = 0; i < size; i++) {
			plain = plain && label_byte_ok(data[pos + i]);
			text[len++] = ascii_lower((char)data[pos + i]);
		}
		pos += size;
	}
	text[len] = '\0';
	*at = pos;
	*ret_len = len;
	*ret_labels = labels;
	*ret_plain = plain;
	return 0;
}

static bool name_is_below(struct str name, struct str zone)
{
	return str_eq(name, zone) || (name.n > zone.n && name.p[name.n - zone.n - 1] == '.' && str_ends(name, zone));
}

static int read_question(const uint8_t *data, size_t n, size_t *at, struct dns_query *q)
{
	char text[HOST_MAX + 1];
	unsigned labels;
	struct str name;
	size_t pos = *at;
	bool plain;
	int r;

	r = read_name(data, n, &pos, text, &name.n, &labels, &plain);
	if (r < 0)
		return r;
	name.p = text;
	if (n - pos < 4)
		return -EINVAL;
	q->type = get16(data + pos);
	q->class_ = get16(data + pos + 2);
	pos += 4;
	q->question_size = pos - *at;
	q->is_root = labels == 0;
	q->is_single_label = labels == 1;
	q->is_reverse = name_is_below(name, STR("in-addr.arpa")) || name_is_below(name, STR("ip6.arpa"));
	/* refuse: "10.0.0.1" asked as a name is no name, and a dot inside a label must not become a separator */
	q->name_ok = plain && labels > 0 && host_parse(name, &q->name) == 0 && !q->name.is_address;
	*at = pos;
	return 0;
}

/* The only record that may follow the question: OPT, owned by the root. Its options are walked and ignored. */
static int read_opt(const uint8_t *data, size_t n, size_t *at, struct dns_query *q)
{
	size_t pos = *at, end;

	if (n - pos < 11 || data[pos] != 0 || get16(data + pos + 1) != TYPE_OPT)
		return -EINVAL;
	q->udp_size = get16(data + pos + 3);
	q->bad_edns = data[pos + 6] != 0;
	end = pos + 11 + get16(data + pos + 9);
	if (end > n)
		return -EINVAL;
	for (pos += 11; pos < end;) {
		if (end - pos < 4 || get16(data + pos + 2) > end - pos - 4)
			return -EINVAL;
		pos += 4u + get16(data + pos + 2);
	}
	q->edns = true;
	*at = end;
	return 0;
}

static int read_sections(const uint8_t *data, size_t n, struct dns_query *q)
{
	uint16_t questions = get16(data + 4), answers = get16(data + 6), authority = get16(data + 8);
	uint16_t additional = get16(data + 10);
	size_t at = HEADER_SIZE;
	int r;

	if (questions != 1 || answers || authority || additional > 1 || n > DNS_MESSAGE_MAX)
		return -EINVAL;
	r = read_question(data, n, &at, q);
	if (r == 0 && additional)
		r = read_opt(data, n, &at, q);
	/* refuse: bytes behind the message could carry anything */
	if (r == 0 && at != n)
		r = -EINVAL;
	return r;
}

int dns_parse_query(const uint8_t *data, size_t n, struct dns_query *ret)
{
	struct dns_query q = { .udp_size = UDP_SIZE_MIN };
	uint16_t flags;
	int r;

	if (n < HEADER_SIZE)
		return -EBADMSG;
	flags = get16(data + 2);
	/* refuse: answering an answer is how two servers talk for ever */
	if (flags & FLAG_QR)
		return -EBADMSG;
	q.id = get16(data);
	q.recursion_desired = flags & FLAG_RD;
	if (flags & FLAG_OPCODE) {
		*ret = q;
		return -EOPNOTSUPP;
	}
	r = flags & FLAG_TC ? -EINVAL : read_sections(data, n, &q);
	if (r < 0)
		q = (struct dns_query){ .id = get16(data), .recursion_desired = flags & FLAG_RD };
	q.udp_size = MIN(MAX(q.udp_size, UDP_SIZE_MIN), DNS_MESSAGE_MAX);
	*ret = q;
	return r;
}

enum dns_answer dns_decide(const struct policy *p, const struct dns_query *q)
{
	bool wants_address = q->type == TYPE_A || q->type == TYPE_AAAA;

	if (q->class_ != CLASS_IN)
		return DNS_NOTIMP;
	/* NXDOMAIN for the root would deny every name below it (RFC 8020). */
	if (q->is_root)
		return DNS_NODATA;
	if (!q->name_ok)
		return DNS_NXDOMAIN;
	if (policy_name_is_known(p, &q->name))
		return wants_address ? DNS_ADDRESSES : DNS_NODATA;
	if (name_is_below(host_str(&q->name), STR("localhost")))
		return wants_address ? DNS_LOOPBACK : DNS_NODATA;
	/* refuse: these never are web servers, so a sink address would only confuse */
	if (q->is_single_label || q->is_reverse)
		return DNS_REFUSED_NAME;
	/* refuse: no query leaves; the 403 behind the sink address explains */
	return wants_address ? DNS_SINK : DNS_REFUSED_TYPE;
}

/* A writer that counts on when it is full; `full` is looked at once, at the end. */
struct writer {
	uint8_t *out;
	size_t size;
	size_t at;
	bool full;
};

static void put_bytes(struct writer *w, const void *p, size_t n)
{
	if (w->full || n > w->size - w->at) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->at, p, n);
	w->at += n;
}

static void put16(struct writer *w, unsigned v)
{
	put_bytes(w, (const uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_address(struct writer *w, const struct address *a, uint32_t ttl_s)
{
	size_t size = a->family == AF_INET ? 4 : 16;

	put16(w, 0xc000u | HEADER_SIZE); /* the name of the question */
	put16(w, a->family == AF_INET ? TYPE_A : TYPE_AAAA);
	put16(w, CLASS_IN);
	put16(w, ttl_s >> 16);
	put16(w, ttl_s & 0xffff);
	put16(w, (unsigned)size);
	put_bytes(w, a->bytes, size);
}

static void put_opt(struct writer *w, bool bad_version, bool prohibited)
{
	put_bytes(w, "", 1);
	put16(w, TYPE_OPT);
	put16(w, DNS_MESSAGE_MAX);
	put16(w, bad_version ? EXT_RCODE_BADVERS << 8 : 0);
	put16(w, 0);
	if (!prohibited) {
		put16(w, 0);
		return;
	}
	put16(w, 4 + 2 + sizeof(EDE_TEXT) - 1);
	put16(w, EDNS_OPTION_EDE);
	put16(w, 2 + sizeof(EDE_TEXT) - 1);
	put16(w, EDE_PROHIBITED);
	put_bytes(w, EDE_TEXT, sizeof(EDE_TEXT) - 1);
}

static unsigned rcode_of(enum dns_answer answer)
{
	switch (answer) {
	case DNS_ADDRESSES:
	case DNS_SINK:
	case DNS_LOOPBACK:
	case DNS_NODATA:
	case DNS_REFUSED_TYPE:
		return 0;
	case DNS_NXDOMAIN:
	case DNS_REFUSED_NAME:
		return RCODE_NXDOMAIN;
	case DNS_FORMERR:
		return RCODE_FORMERR;
	case DNS_NOTIMP:
		return RCODE_NOTIMP;
	case DNS_SERVFAIL:
	default:
		return RCODE_SERVFAIL;
	}
}

static struct address fixed_address(int family, const char *v4, const char *v6)
{
	struct address a = { .family = (uint8_t)family };

	(void)inet_pton(family, family == AF_INET ? v4 : v6, a.bytes);
	return a;
}

/* The answer section. Returns the number of records. */
static unsigned put_records(struct writer *w, const struct dns_query *q, enum dns_answer answer,
			    const struct address *addresses, size_t n_addresses, uint32_t ttl_s)
{
	int family = q->type == TYPE_A ? AF_INET : AF_INET6;
	struct address fixed;
	unsigned n = 0;

	if (q->type != TYPE_A && q->type != TYPE_AAAA)
		return 0;
	if (answer == DNS_SINK || answer == DNS_LOOPBACK) {
		fixed = answer == DNS_SINK ? fixed_address(family, DNS_SINK_IPV4, DNS_SINK_IPV6)
					   : fixed_address(family, "127.0.0.1", "::1");
		addresses = &fixed;
		n_addresses = 1;
		ttl_s = DNS_SINK_TTL_S;
	} else if (answer != DNS_ADDRESSES) {
		return 0;
	}
	for (size_t i = 0; i < n_addresses && n < DNS_ANSWER_ADDRESSES_MAX; i++) {
		if (addresses[i].family != family)
			continue;
		put_address(w, &addresses[i], MIN(ttl_s, DNS_TTL_MAX_S));
		n++;
	}
	return n;
}

static void put_message(struct writer *w, const struct dns_query *q, const uint8_t *data, enum dns_answer answer,
			const struct address *addresses, size_t n_addresses, uint32_t ttl_s, bool truncated)
{
	unsigned flags = FLAG_QR | FLAG_RA | (q->recursion_desired ? FLAG_RD : 0) | (truncated ? FLAG_TC : 0);
	bool prohibited = answer == DNS_REFUSED_NAME || answer == DNS_REFUSED_TYPE || answer == DNS_SINK;
	unsigned records = 0;

	if (answer == DNS_NOTIMP)
		flags |= get16(data + 2) & FLAG_OPCODE;
	if (!q->bad_edns)
		flags |= rcode_of(answer);
	put16(w, q->id);
	put16(w, flags);
	put16(w, q->question_size ? 1 : 0);
	put16(w, 0);
	put16(w, 0);
	put16(w, q->edns ? 1 : 0);
	put_bytes(w, data + HEADER_SIZE, q->question_size);
	if (!truncated && !q->bad_edns)
		records = put_records(w, q, answer, addresses, n_addresses, ttl_s);
	if (q->edns)
		put_opt(w, q->bad_edns, prohibited && !q->bad_edns);
	if (!w->full)
		w->out[7] = (uint8_t)records;
}

long dns_write_answer(const struct dns_query *q, const uint8_t *data, size_t n, enum dns_answer answer,
		      const struct address *addresses, size_t n_addresses, uint32_t ttl_s, uint8_t *out,
		      size_t out_size, size_t max)
{
	struct writer w = { .out = out, .size = MIN(out_size, max) };

	if (n < HEADER_SIZE || q->question_size > n - HEADER_SIZE)
		return -EINVAL;
	put_message(&w, q, data, answer, addresses, n_addresses, ttl_s, /* truncated= */ false);
	if (w.full) {
		w = (struct writer){ .out = out, .size = MIN(out_size, max) };
		put_message(&w, q, data, answer, NULL, 0, 0, /* truncated= */ true);
	}
	return w.full ? -ENOBUFS : (long)w.at;
}
