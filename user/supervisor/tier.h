/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tier a machine could have. T1 decides socket families, unix peers, capabilities, netlink, received descriptors
 * and ptrace in the kernel; T2 keeps them away with namespaces, dropped capabilities and seccomp. This version has no
 * programs for T1 yet, so every sandbox is T2; what is tried here is whether they could be loaded.
 */
#ifndef BRIDLE_SUPERVISOR_TIER_H
#define BRIDLE_SUPERVISOR_TIER_H

#define SANDBOX_TIER 2U /* what init's namespaces and filter do; the br_g_* programs will make it 1 */

enum tier_way { TIER_LSM_CGROUP = 0, TIER_FMOD_RET };

/* Loads a program of two instructions the way that T1's would be, and lets go of it. Attaches nothing. 0 or -errno. */
int tier_try(enum tier_way way);

#endif
