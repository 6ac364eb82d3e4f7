/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of the live self-test as functions: true when all went as the table says, else false and why. */
#ifndef BRIDLE_CLI_PROBER_H
#define BRIDLE_CLI_PROBER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "cli/doctor.h"

#define PROBER_STEP_LIMIT_S 5

union prober_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Documentation's address of that family (base/self_test.h), which nothing has. Returns its size. */
socklen_t prober_address_of(int family, uint16_t port, union prober_address *ret);

/* A connection there, with time limits on it; -1 and errno. Owned by the caller. */
int prober_connect(int family, uint16_t port);

/* Writes why and returns false. */
bool prober_fails(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CHECK(id, must, title) bool check_##id(char *why);
#include "cli/doctor_checks.def"
#undef CHECK

#endif
