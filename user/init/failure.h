/* SPDX-License-Identifier: Apache-2.0 */
/* Why init ends before the command could run: the exit status, and a sentence for INIT_FAILED. */
#ifndef BRIDLE_INIT_FAILURE_H
#define BRIDLE_INIT_FAILURE_H

#define FAILURE_TEXT_MAX 512

#define EXIT_BRIDLE	    125 /* bridle itself could not do it */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127

struct failure {
	int exit_code;
	char text[FAILURE_TEXT_MAX];
};

/* Fills *f and returns -1, so that callers may `return failure_set(…)`. */
int failure_set(struct failure *f, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
