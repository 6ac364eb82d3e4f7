/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause OR GPL-2.0 */
/*
 * Why a verdict fell: one enum for kernel and user space, made from why.def. WHY_UNDECIDED is 0 and refuses.
 * bpf/ includes this file too, so it includes nothing.
 */
#ifndef BRIDLE_BASE_WHY_H
#define BRIDLE_BASE_WHY_H

#define WHY(symbol, status, sentence, next) WHY_##symbol,
enum why {
#include "why.def"
	WHY_COUNT_
};
#undef WHY

#ifndef __BPF__
/* The symbol ("host_not_allowed"), HTTP status (0: none), sentence and next step of a code. A number that is no code gives those of WHY_undecided. */
const char *why_symbol(enum why why);
int why_status(enum why why);
const char *why_sentence(enum why why);
const char *why_next(enum why why);
#endif

#endif
