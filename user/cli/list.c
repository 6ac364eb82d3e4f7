/* SPDX-License-Identifier: Apache-2.0 */
/* `bridle list`: the runs of this machine, those that live and what killed ones left behind. Changes nothing. */
#include <inttypes.h>
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

static void time_of(uint64_t seconds, char *out, size_t size)
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0 || !gmtime_r(&t, &tm) || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
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

static int put_json(struct listing *l, const struct leftover *item)
{
	int r = buf_printf(&l->out,
			   "%s\n{\"running\":%s,\"pid\":%d,\"started\":%" PRIu64 ",\"pinned\":%s,\"cgroup\":%s",
			   l->n ? "," : "", item->running ? "true" : "false", item->pid, item->started,
			   item->pinned ? "true" : "false", item->cgroup ? "true" : "false");

	if (r == 0)
		r = put_json_text(&l->out, "name", item->name);
	if (r == 0)
		r = put_json_text(&l->out, "policy", item->policy);
	return r == 0 ? buf_append(&l->out, STR("}")) : r;
}

static int put_text(struct listing *l, const struct leftover *item)
{
	char started[32], pid[16] = "-";
	char policy[512];

	time_of(item->started, started, sizeof(started));
	if (item->pid > 0)
		(void)snprintf(pid, sizeof(pid), "%d", item->pid);
	(void)log_escape(policy, sizeof(policy), item->policy ? item->policy : "-",
			 item->policy ? strlen(item->policy) : 1);
	return buf_printf(&l->out, "%-24s %-9s %8s  %-20s  %s\n", item->name, state_of(item), pid, started, policy);
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
			: buf_printf(&l->out, "%-24s %-9s %8s  %-20s  %s\n", "NAME", "STATE", "PID", "STARTED",
				     "POLICY");

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
	.options = { [OPTION_JSON] = { "json", NULL, "as one JSON object" } },
	.run = list_main,
};
