/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_INIT_INIT_H
#define BRIDLE_INIT_INIT_H

/* Main of the role: descriptor 3 is the channel to the supervisor. Returns the exit status. */
int init_main(void);

#endif
