/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that the command may not make. */
#ifndef BRIDLE_INIT_FILTER_H
#define BRIDLE_INIT_FILTER_H

struct failure;

/* Loads the filter into this process, for it and its children for ever. Needs no_new_privs. 0, or -1 and *reterr. */
int filter_load(struct failure *reterr);

#endif
