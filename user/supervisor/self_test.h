/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's half of the self-test: what init's probe saw, the kernel programs must have said. */
#ifndef BRIDLE_SUPERVISOR_SELF_TEST_H
#define BRIDLE_SUPERVISOR_SELF_TEST_H

#include <stdint.h>

#include "base/self_test.h"

struct kernel;

/* 32 hexadecimal digits of the kernel's randomness and NUL. 0 or -errno. */
int self_test_make_nonce(char ret[static SELF_TEST_NONCE_SIZE]);

/*
 * The ring must hold exactly `refusals` refusals, all of the self-test's datagrams; then maps and counters are set back,
 * so that what is counted and kept from here on is the command's alone. 0, or -EPROTO and reason.
 */
int self_test_confirm(struct kernel *k, uint32_t refusals, char *reason);

#endif
