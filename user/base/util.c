/* SPDX-License-Identifier: Apache-2.0 */
/* Small tools of the language that are no one-liners. */
#include "base/util.h"

#include <errno.h>

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	return -1;
}
