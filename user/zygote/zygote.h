/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_ZYGOTE_ZYGOTE_H
#define BRIDLE_ZYGOTE_ZYGOTE_H

/* Main of the role: descriptor 3 is the channel to the supervisor. Returns the exit status. */
int zygote_main(void);

#endif
