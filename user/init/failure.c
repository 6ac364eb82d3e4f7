/* SPDX-License-Identifier: Apache-2.0 */
/* The sentence of a failure, cut to what its message holds. */
#include "init/failure.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *f, int exit_code, const char *format, ...)
{
	va_list args;

	f->exit_code = exit_code;
	va_start(args, format);
	(void)vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	return -1;
}
