/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that the command inherits. */
#ifndef BRIDLE_INIT_STDIO_H
#define BRIDLE_INIT_STDIO_H

struct failure;

/*
 * Closes everything above `last`; 0-2 that are closed become /dev/null; 0-2 that are none of file, device and pipe (so
 * sockets, directories, handles of processes) are refused. 0, or -1 and *reterr.
 */
int stdio_check(int last, struct failure *reterr);

#endif
