/* SPDX-License-Identifier: Apache-2.0 */
/* What a parser tells a person: file, line, column, and what was expected there. */
#ifndef BRIDLE_BASE_DIAG_H
#define BRIDLE_BASE_DIAG_H

#define DIAG_TEXT_MAX 512

struct diag {
	char file[256];
	unsigned line;	 /* from 1; 0 when the place is the whole file */
	unsigned column; /* from 1, in bytes */
	char text[DIAG_TEXT_MAX];
};

/* Fills *d (cut to its sizes, always NUL-terminated) and returns -EINVAL, so that callers may `return diag_set(…)`. NULL d is fine. */
int diag_set(struct diag *d, const char *file, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* "file:line:column: text" into out (size bytes, cut); returns out. Control bytes are escaped. */
const char *diag_format(const struct diag *d, char *out, unsigned long size);

#endif
