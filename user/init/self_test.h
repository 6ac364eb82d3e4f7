/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's half of the self-test: what the command could do, tried before the command exists. */
#ifndef BRIDLE_INIT_SELF_TEST_H
#define BRIDLE_INIT_SELF_TEST_H

#include <stdint.h>

struct failure;

#define SELF_TEST_LIMIT_MS 10000 /* for all of it; then it has failed */

/*
 * Forks a child that tries what must be refused and one TLS exchange that must pass, as whoever init is by now. Waits
 * for it. 0 and how many attempts the kernel refused, or -1 and *reterr: which one went how.
 */
int self_test_run(const char *nonce, uint32_t *ret_refusals, struct failure *reterr);

#endif
