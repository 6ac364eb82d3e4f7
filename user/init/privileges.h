/* SPDX-License-Identifier: Apache-2.0 */
/* From root to the command's user, with no way back. */
#ifndef BRIDLE_INIT_PRIVILEGES_H
#define BRIDLE_INIT_PRIVILEGES_H

struct failure;
struct init_spec;

/*
 * Groups, gid, uid; no capability in any set; securebits locked; no_new_privs; no core files; not dumpable. Checked
 * afterwards, not believed. Disarms PDEATHSIG. 0, or -1 and *reterr.
 */
int privileges_drop(const struct init_spec *spec, struct failure *reterr);

#endif
