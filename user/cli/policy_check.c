/* SPDX-License-Identifier: Apache-2.0 */
/* `bridle policy check FILE`: does it mean anything, and what does it mean. Exit 0, or 2 with the place of the mistake. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/policy_file.h"
#include "policy/policy.h"

#define STATUS_BAD 2
#define TABLE_MAX  ((size_t)16 << 20)

static int check_main(const struct arguments *args)
{
	struct policy_file file;
	struct buf out;
	int r;

	if (policy_file_load(args->rest[0], &file) < 0)
		return STATUS_BAD;
	buf_init(&out, TABLE_MAX);
	r = policy_render_table(file.policy, &out);
	if (r == 0 && (fwrite(buf_data(&out), 1, buf_len(&out), stdout) != buf_len(&out) || fflush(stdout) != 0))
		r = -1;
	else if (r < 0)
		log_error("cannot print the policy: %s", strerror(-r));
	buf_done(&out);
	policy_file_done(&file);
	return r == 0 ? 0 : STATUS_BAD;
}

const struct command command_policy_check = {
	.name = "policy check",
	.rest = "FILE",
	.rest_min = 1,
	.rest_max = 1,
	.usage_status = STATUS_BAD,
	.doc = "check a policy and print what it allows",
	.options = { { 0 } },
	.run = check_main,
};
