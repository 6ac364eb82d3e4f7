/* SPDX-License-Identifier: Apache-2.0 */
/* The staged /etc/ssl/certs of a sandbox, when its CA is new again. */
#ifndef BRIDLE_SUPERVISOR_CERTS_H
#define BRIDLE_SUPERVISOR_CERTS_H

#include <stddef.h>

struct state;

/*
 * Stages the CA's certificates; the first time in a new directory, later into the same one, file by file, because the
 * sandbox has it mounted. Path into out. 0 or -errno and reason.
 */
int certs_stage(const struct state *state, const unsigned char *ca_der, size_t n, char *out, size_t size, char *reason);

#endif
