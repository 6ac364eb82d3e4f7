/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_WORKER_KERNEL_EVENTS_H
#define BRIDLE_WORKER_KERNEL_EVENTS_H

#include <stdint.h>

#include "base/why.h"
#include "worker/original_dst.h"

/* Writes a refusal into the sandbox's own denials map, readable with bpftool when we are gone. sequence from 1. */
void kernel_events_deny(int denials_fd, uint64_t sequence, const struct original_dst *dst, enum why why);

#endif
