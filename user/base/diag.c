/* SPDX-License-Identifier: Apache-2.0 */
/* What a parser tells a person. */
#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

int diag_set(struct diag *d, const char *file, unsigned line, unsigned column, const char *format, ...)
{
	va_list args;

	if (!d)
		return -EINVAL;
	(void)snprintf(d->file, sizeof(d->file), "%s", file ? file : "");
	d->line = line;
	d->column = column;
	va_start(args, format);
	(void)vsnprintf(d->text, sizeof(d->text), format, args);
	va_end(args);
	return -EINVAL;
}

const char *diag_format(const struct diag *d, char *out, unsigned long size)
{
	char file[2 * sizeof(d->file)];
	char text[2 * sizeof(d->text)];

	(void)log_escape(file, sizeof(file), d->file, strlen(d->file));
	(void)log_escape(text, sizeof(text), d->text, strlen(d->text));
	if (d->line > 0)
		(void)snprintf(out, size, "%s:%u:%u: %s", file, d->line, d->column, text);
	else
		(void)snprintf(out, size, "%s: %s", file, text);
	return out;
}
