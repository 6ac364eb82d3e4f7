/* SPDX-License-Identifier: Apache-2.0 */
/* `bridle gc`: removes what killed runs left behind (every bridle run does the same first). What lives is not touched. */
#include <unistd.h>

#include "base/log.h"
#include "cli/command.h"
#include "supervisor/leftovers.h"
#include "supervisor/sandbox.h"

#define STATUS_FAILED 1
#define STATUS_USAGE  2

static void on_removed(void *arg, const struct leftover *leftover)
{
	(void)arg;
	log_notice("removed what is left of sandbox %s", leftover->name);
}

static int gc_main(const struct arguments *args)
{
	char reason[SANDBOX_REASON_MAX] = "";
	int n;

	(void)args;
	if (geteuid() != 0) {
		log_error("bridle gc needs root: use sudo bridle gc");
		return STATUS_FAILED;
	}
	n = leftovers_collect(on_removed, NULL, reason);
	if (n < 0) {
		log_error("not everything could be removed: %s", reason);
		return STATUS_FAILED;
	}
	if (n == 0)
		log_notice("nothing is left over");
	return 0;
}

const struct command command_gc = {
	.name = "gc",
	.rest = "",
	.rest_max = 0,
	.usage_status = STATUS_USAGE,
	.doc = "remove what killed sandboxes left behind",
	.options = { { 0 } },
	.run = gc_main,
};
