/* SPDX-License-Identifier: Apache-2.0 */
/* What `bridle doctor` found, for people and for programs. */
#ifndef BRIDLE_CLI_DOCTOR_PRINT_H
#define BRIDLE_CLI_DOCTOR_PRINT_H

#include <stdint.h>

#include "cli/doctor.h"

enum {
#define PROBE(id, title, next) DOCTOR_PROBE_##id,
#include "cli/doctor_probes.def"
#undef PROBE
	DOCTOR_PROBES
};

struct doctor_report {
	struct doctor_result probes[DOCTOR_PROBES];
	struct doctor_result checks[DOCTOR_CHECKS];
	uint32_t uid; /* whom the sandbox was tried as; 0: it was not */
};

/* How many of all results are so. */
unsigned doctor_count(const struct doctor_report *report, enum doctor_status status);

/* On standard output; colours only on a terminal. 0 or -errno. */
int doctor_print_text(const struct doctor_report *report);
int doctor_print_json(const struct doctor_report *report);

#endif
