/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one sandbox's connections and names, in a process forked by the zygote. Every byte that the sandbox or
 * an upstream sends is parsed here.
 */
#ifndef BRIDLE_WORKER_WORKER_H
#define BRIDLE_WORKER_WORKER_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/zygote_msg.h"

/*
 * Runs until idle for 60 s or the keeper's channel closes. fds are those of enum zygote_fd (ZYGOTE_FD_CGROUP is -1 by now), owned. roots are inherited.
 * Called as the worker's uid, without capabilities; sets up its own seccomp filter before the first byte is read. Returns the exit status.
 */
int worker_main(const int fds[ZYGOTE_FDS], const struct zygote_spawn *spawn, X509_STORE *roots);

#endif
