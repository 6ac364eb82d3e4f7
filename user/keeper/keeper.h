/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_KEEPER_KEEPER_H
#define BRIDLE_KEEPER_KEEPER_H

/* Main of the role: descriptor 3 is the channel to the supervisor. Returns the exit status. */
int keeper_main(void);

#endif
