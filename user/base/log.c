/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for people on standard error. Text of peers and of other processes is escaped here and again by whoever
 * passes it on: a terminal must never obey what a sandbox wrote.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/utf8.h"

static enum log_level log_max = LOG_NOTICE;
static const char *log_role;

void log_set_level(enum log_level level)
{
	log_max = level;
}

void log_set_role(const char *role)
{
	log_role = role;
}

/* C1 controls (U+0080-U+009F) are valid UTF-8 and still steer terminals. */
static bool is_c1(struct str s, size_t n)
{
	return n == 2 && (unsigned char)s.p[0] == 0xc2 && (unsigned char)s.p[1] < 0xa0;
}

char *log_escape(char *dst, unsigned long size, const char *src, unsigned long n)
{
	struct str s = str_make(src, n);
	size_t used = 0;

	if (size == 0)
		return dst;
	while (s.n > 0) {
		size_t step = utf8_sequence(s);
		unsigned char c = (unsigned char)s.p[0];
		bool plain = step > 0 && c >= 0x20 && c != 0x7f && !is_c1(s, step);

		if (used + (plain ? step : 4) >= size)
			break;
		if (plain) {
			memcpy(dst + used, s.p, step);
			used += step;
		} else {
			step = 1;
			(void)snprintf(dst + used, 5, "\\x%02x", c);
			used += 4;
		}
		s = str_from(s, step);
	}
	dst[used] = '\0';
	return dst;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error: ", "warning: ", "", "debug: " };
	char text[LOG_LINE_MAX];
	char safe[LOG_LINE_MAX];
	char line[LOG_LINE_MAX + 64];
	va_list args;
	int n;

	if (level > log_max)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return;
	(void)log_escape(safe, sizeof(safe), text, strlen(text));
	n = snprintf(line, sizeof(line), "bridle%s%s: %s%s\n", log_role ? "-" : "", log_role ? log_role : "",
		     names[level], safe);
	if (n > 0)
		(void)!write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}
