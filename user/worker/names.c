/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to answers: decided by the policy alone, looked up only where it says so, recorded where it refuses. */
#include "worker/names.h"

#include <errno.h>

#include "audit/audit.h"
#include "dns/resolver.h"
#include "worker/context.h"
#include "worker/kernel_events.h"

static void reply(struct name_ask *ask, enum dns_answer answer, const struct address *addresses, size_t n,
		  uint32_t ttl_s)
{
	uint8_t out[DNS_MESSAGE_MAX];
	size_t max = ask->max ? ask->max : ask->query.udp_size;
	long size = dns_write_answer(&ask->query, ask->data, ask->size, answer, addresses, n, ttl_s, out, sizeof(out),
				     max);

	ask->answered(ask, out, size > 0 ? (size_t)size : 0);
}

/* A refused name is how data would leave in a question, so it has a record of its own. */
static void record_refusal(struct name_ask *ask, enum why why)
{
	struct worker *w = ask->worker;
	const struct audit_record record = {
		.kind = "dns",
		.pid = ask->from.pid,
		.exe = str_of(ask->from.exe),
		.host = ask->query.name_ok ? host_str(&ask->query.name) : STR(""),
		.why = why,
		.socket_cookie = ask->from.socket_cookie,
		.policy = str_of(policy_generation(w->policy)),
	};

	kernel_events_deny(w->fds[ZYGOTE_FD_DENIALS], ++w->denials, &ask->from, why);
	counters_add_refusal(&w->counters);
	(void)audit_write(w->audit, &record);
}

/* Whatever type was asked for: a tunnel asks for TXT. NXDOMAIN before any look-up is a name that cannot be a host's. */
static bool is_refusal(enum dns_answer answer)
{
	return answer == DNS_SINK || answer == DNS_REFUSED_NAME || answer == DNS_REFUSED_TYPE || answer == DNS_NXDOMAIN;
}

static void on_resolved(void *arg, enum why why, const struct address *addresses, size_t n, uint32_t ttl_s)
{
	struct name_ask *ask = arg;

	ask->lookup = NULL;
	ask->worker->n_lookups--;
	if (why == WHY_allowed)
		reply(ask, DNS_ADDRESSES, addresses, n, ttl_s);
	else if (why == WHY_name_no_address)
		reply(ask, DNS_NODATA, NULL, 0, DNS_SINK_TTL_S);
	else
		reply(ask, why == WHY_name_not_found ? DNS_NXDOMAIN : DNS_SERVFAIL, NULL, 0, 0);
}

static void look_up(struct name_ask *ask)
{
	struct worker *w = ask->worker;
	const struct address *pins = NULL;
	size_t n = policy_resolve_pins(w->policy, &ask->query.name, &pins);

	if (n > 0) {
		reply(ask, DNS_ADDRESSES, pins, n, DNS_TTL_MAX_S);
	} else if (w->n_lookups >= WORKER_LOOKUPS_MAX ||
		   resolver_lookup(w->resolver, &ask->query.name, on_resolved, ask, &ask->lookup) < 0) {
		reply(ask, DNS_SERVFAIL, NULL, 0, 0); /* refuse: too many at once */
	} else {
		w->n_lookups++;
	}
}

void name_ask_start(struct name_ask *ask)
{
	int r = dns_parse_query(ask->data, ask->size, &ask->query);
	enum dns_answer answer;

	ask->lookup = NULL;
	if (r == -EINVAL || r == -EOPNOTSUPP) {
		record_refusal(ask, WHY_dns_malformed);
		reply(ask, r == -EINVAL ? DNS_FORMERR : DNS_NOTIMP, NULL, 0, 0);
		return;
	}
	if (r < 0) {
		ask->answered(ask, NULL, 0);
		return;
	}
	answer = dns_decide(ask->worker->policy, &ask->query);
	if (answer == DNS_ADDRESSES) {
		look_up(ask);
		return;
	}
	if (is_refusal(answer))
		record_refusal(ask, WHY_dns_name_refused);
	reply(ask, answer, NULL, 0, DNS_SINK_TTL_S);
}

void name_ask_cancel(struct name_ask *ask)
{
	if (!ask->lookup)
		return;
	resolver_cancel(ask->lookup);
	ask->lookup = NULL;
	ask->worker->n_lookups--;
}
