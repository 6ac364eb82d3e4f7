/* SPDX-License-Identifier: Apache-2.0 */
/* What init is told, as bytes of a memfd: read or refused; what is read can be written and read again. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/init_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct init_spec spec = { 0 }, again = { 0 };
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd2;

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	assert(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	if (init_spec_read(fd, &spec) == 0) {
		assert(spec.argv && spec.argv[0] && spec.envp && spec.uid != 0);
		fd2 = init_spec_write(&spec);
		assert(fd2 >= 0);
		assert(init_spec_read(fd2, &again) == 0);
		assert(strcmp(spec.argv[0], again.argv[0]) == 0 && spec.uid == again.uid);
		init_spec_done(&again);
		(void)close(fd2);
		init_spec_done(&spec);
	}
	(void)close(fd);
	return 0;
}
