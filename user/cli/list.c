/* SPDX-License-Identifier: Apache-2.0 */
/* `bridle list`: the runs of this machine, those that live and what killed ones left behind. Changes nothing. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/command.h"
#include "supervisor/leftovers.h"
#include "supervisor/sandbox.h"

#define STATUS_FAILED 1
#define STATUS_USAGE  2
#define OUTPUT_MAX    ((size_t)4 << 20)
#define ROW	      "%-24s %-9s %8s  %-12s %7s %9s %8s %8s  %s\n"

enum list_option { OPTION_JSON };

struct listing {
	struct buf out; /* owned */
	bool json;
	size_t n;
	int error; /* the first; 0: none */
};

static const char *state_of(const struct leftover *l)
{
	return l->running ? "running" : "leftover";
}

/* The two largest units that are not 0: "45s", "12m", "3h20m", "9d4h". */
static void age_of(uint64_t started, uint64_t now, char *out, size_t size)
{
	const uint64_t s = now > started ? now - started : 0, minutes = s / 60, hours = minutes / 60;

	if (started == 0)
		(void)snprintf(out, size, "-");
	else if (minutes == 0)
		(void)snprintf(out, size, "%" PRIu64 "s", s);
	else if (hours == 0)
		(void)snprintf(out, size, "%" PRIu64 "m", minutes);
	else if (hours < 24)
		(void)snprintf(out, size, "%" PRIu64 "h%" PRIu64 "m", hours, minutes % 60);
	else
		(void)snprintf(out, size, "%" PRIu64 "d%" PRIu64 "h", hours / 24, hours % 24);
}

/* Its name where it has one; the sandbox of a user that was removed since keeps the number. */
static void user_of(uint32_t uid, char *out, size_t size)
{
	const struct passwd *p = uid ? getpwuid(uid) : NULL;

	if (p)
		(void)log_escape(out, size, p->pw_name, strlen(p->pw_name));
	else if (uid)
		(void)snprintf(out, size, "%u", uid);
	else
		(void)snprintf(out, size, "-");
}

static int put_json_text(struct buf *out, const char *name, const char *value)
{
	int r = buf_printf(out, ",\"%s\":", name);

	if (r == 0 && !value)
		return buf_append(out, STR("null"));
	if (r == 0)
		r = buf_append(out, STR("\""));
	if (r == 0)
		r = buf_append_json(out, str_of(value));
	return r == 0 ? buf_append(out, STR("\"")) : r;
}

static int put_json_counters(struct buf *out, const struct leftover *item)
{
	const struct pinned_counters *c = &item->counters;

	if (!item->counted)
		return buf_append(out, STR(",\"counters\":null"));
	return buf_printf(out,
			  ",\"counters\":{\"connections\":%" PRIu64 ",\"exchanges\":%" PRIu64 ",\"refused\":%" PRIu64
			  ",\"blocked\":%" PRIu64 ",\"events_lost\":%" PRIu64 "}",
			  c->connections, c->exchanges, c->refused, c->blocked, c->events_lost);
}

static int put_json(struct listing *l, const struct leftover *item)
{
	char user[64];
	int r = buf_printf(&l->out,
			   "%s\n{\"running\":%s,\"pid\":%d,\"uid\":%u,\"started\":%" PRIu64
			   ",\"pinned\":%s,\"cgroup\":%s",
			   l->n ? "," : "", item->running ? "true" : "false", item->pid, item->uid, item->started,
			   item->pinned ? "true" : "false", item->cgroup ? "true" : "false");

	user_of(item->uid, user, sizeof(user));
	if (r == 0)
		r = put_json_text(&l->out, "name", item->name);
	if (r == 0)
		r = put_json_text(&l->out, "user", item->uid ? user : NULL);
	if (r == 0)
		r = put_json_text(&l->out, "policy", item->policy);
	if (r == 0)
		r = put_json_counters(&l->out, item);
	return r == 0 ? buf_append(&l->out, STR("}")) : r;
}

static int put_text(struct listing *l, const struct leftover *item)
{
	char age[32], user[64], pid[16] = "-", exchanges[24] = "-", refused[24] = "-", blocked[24] = "-", policy[512];

	age_of(item->started, (uint64_t)time(NULL), age, sizeof(age));
	user_of(item->uid, user, sizeof(user));
	if (item->pid > 0)
		(void)snprintf(pid, sizeof(pid), "%d", item->pid);
	if (item->counted) {
		(void)snprintf(exchanges, sizeof(exchanges), "%" PRIu64, item->counters.exchanges);
		(void)snprintf(refused, sizeof(refused), "%" PRIu64, item->counters.refused);
		(void)snprintf(blocked, sizeof(blocked), "%" PRIu64, item->counters.blocked);
	}
	(void)log_escape(policy, sizeof(policy), item->policy ? item->policy : "-",
			 item->policy ? strlen(item->policy) : 1);
	return buf_printf(&l->out, ROW, item->name, state_of(item), pid, user, age, exchanges, refused, blocked,
			  policy);
}

static void on_item(void *arg, const struct leftover *item)
{
	struct listing *l = arg;
	int r = l->json ? put_json(l, item) : put_text(l, item);

	if (r < 0 && l->error == 0)
		l->error = r;
	l->n++;
}

static int render(struct listing *l)
{
	char reason[SANDBOX_REASON_MAX] = "";
	int r = l->json ? buf_append(&l->out, STR("{\"v\":1,\"runs\":["))
			: buf_printf(&l->out, ROW, "NAME", "STATE", "PID", "USER", "AGE", "REQUESTS", "REFUSED",
				     "BLOCKED", "POLICY");

	if (r == 0 && leftovers_list(on_item, l, reason) < 0) {
		log_error("%s", reason);
		return -1;
	}
	r = r == 0 ? l->error : r;
	if (r == 0 && l->json)
		r = buf_append(&l->out, STR("]}\n"));
	if (r < 0)
		log_error("cannot print the list: %s", strerror(-r));
	return r;
}

static int list_main(const struct arguments *args)
{
	struct listing l = { .json = args->values[OPTION_JSON] != NULL };
	int r;

	if (geteuid() != 0) {
		log_error("bridle list needs root to see the sandboxes: use sudo bridle list");
		return STATUS_FAILED;
	}
	buf_init(&l.out, OUTPUT_MAX);
	r = render(&l);
	if (r == 0 && (fwrite(buf_data(&l.out), 1, buf_len(&l.out), stdout) != buf_len(&l.out) || fflush(stdout) != 0))
		r = -1;
	buf_done(&l.out);
	return r == 0 ? 0 : STATUS_FAILED;
}

const struct command command_list = {
	.name = "list",
	.rest = "",
	.rest_max = 0,
	.usage_status = STATUS_USAGE,
	.doc = "show the sandboxes of this machine, and what killed ones left",
	.options = { [OPTION_JSON] = { "json", NULL, "as one JSON object, with more counters" } },
	.run = list_main,
};
