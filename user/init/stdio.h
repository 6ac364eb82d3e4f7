/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that the command inherits. */
#ifndef BRIDLE_INIT_STDIO_H
#define BRIDLE_INIT_STDIO_H

struct failure;

/*
 * Closes everything above `last`; 0-2 that are closed become /dev/null; 0-2 that are sockets, or none of file,
 * directory, device and pipe, are refused. 0, or -1 and *reterr.
 */
int stdio_check(int last, struct failure *reterr);

#endif
