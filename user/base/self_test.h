/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init's probe and the worker agree on for the self-test of a new sandbox. The name is of a reserved domain (RFC
 * 6761), the addresses are documentation's (RFC 5737, RFC 3849): nothing of it could ever be reached. The nonce is made
 * by the supervisor for one sandbox and known to those two alone, so that nothing else gets the worker's answer.
 */
#ifndef BRIDLE_BASE_SELF_TEST_H
#define BRIDLE_BASE_SELF_TEST_H

#define SELF_TEST_HOST	     "self-test.bridle.invalid"
#define SELF_TEST_ADDRESS4   "192.0.2.1"
#define SELF_TEST_ADDRESS6   "2001:db8::1"
#define SELF_TEST_UDP_PORT   9	/* discard: no policy can allow a datagram there */
#define SELF_TEST_NONCE_SIZE 33 /* 32 hexadecimal digits and NUL */

#endif
