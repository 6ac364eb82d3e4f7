/* SPDX-License-Identifier: Apache-2.0 */
/* What `bridle run` tells its caller, on standard error. */
#ifndef BRIDLE_CLI_RUN_REPORT_H
#define BRIDLE_CLI_RUN_REPORT_H

#include <stdint.h>

struct cli_user;
struct policy;

/* Removes what killed runs left behind, and says so. */
void run_report_leftovers(void);

/* A warning for each credential that this version cannot inject. */
void run_report_credentials(const struct policy *policy);

/* The one status line. policy_path NULL: no policy; audit_path NULL: the default. */
void run_report_status(const char *name, const char *policy_path, const struct policy *policy, const char *audit_path);

/*
 * The smallest policy for what was tried: into learn_fd (path is its name), or on standard error when that is -1.
 */
void run_report_learned(int audit_fd, uint64_t offset, const struct cli_user *user, int learn_fd, const char *path);

#endif
