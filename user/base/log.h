/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for people, on standard error, one write each: "bridle: LEVEL: text". Only mains of roles, stages and
 * the command line log; libraries return errors. Control bytes and invalid UTF-8 are escaped, lines are cut at
 * LOG_LINE_MAX. Secrets cannot be printed: struct secret has no printable form.
 */
#ifndef BRIDLE_BASE_LOG_H
#define BRIDLE_BASE_LOG_H

#define LOG_LINE_MAX 1024

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG };

/* Default LOG_NOTICE; BRIDLE_DEBUG=1 in the supervisor's environment makes it LOG_DEBUG. */
void log_set_level(enum log_level level);

/* role is shown behind "bridle" ("bridle-keeper: …"); NULL for the command itself. Borrowed for ever. */
void log_set_role(const char *role);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * Copies src into dst (size bytes, NUL-terminated, cut) with everything but printable ASCII and valid UTF-8 as
 * \xNN: for text of other processes that goes to a terminal. Returns dst.
 */
char *log_escape(char *dst, unsigned long size, const char *src, unsigned long n);

#endif
