/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard descriptors that are stream sockets of the unix family (Node's child processes get those) are put behind
 * pipes: no socket from outside may come into the sandbox.
 */
#ifndef BRIDLE_CLI_STDIO_RELAY_H
#define BRIDLE_CLI_STDIO_RELAY_H

struct cli_user;

/*
 * Replaces each such descriptor by a pipe, and starts one process with the user's rights that carries the bytes until
 * both ends are closed. Nothing happens when there is none. Other sockets stay: init refuses them. 0 or -errno.
 */
int stdio_relay_start(const struct cli_user *user);

#endif
