/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, in which cell; the map is a file here. */
#include "tests/lib/test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "worker/counters.h"

static void exchanges_and_refusals_are_counted(void **state)
{
	int fd = memfd_create("counters", MFD_CLOEXEC);
	struct sandbox_counters seen;
	struct counters c, again;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	counters_map(&c, fd);
	counters_map(&again, fd); /* a second worker of the sandbox */
	counters_add_exchange(&c, false, 10, 100);
	counters_add_exchange(&again, true, 1, 2);
	counters_add_refusal(&c);
	assert_int_equal(pread(fd, &seen, sizeof(seen), 0), (ssize_t)sizeof(seen));
	assert_int_equal(seen.exchanges, 2);
	assert_int_equal(seen.refusals_worker, 2);
	assert_int_equal(seen.bytes_in, 11);
	assert_int_equal(seen.bytes_out, 102);
	counters_unmap(&c);
	counters_unmap(&again);
	(void)close(fd);
}

static void without_a_map_nothing_happens(void **state)
{
	struct counters c;

	(void)state;
	counters_map(&c, -1);
	assert_null(c.cells);
	counters_add_exchange(&c, true, 1, 1);
	counters_add_refusal(&c);
	counters_unmap(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges_and_refusals_are_counted),
		cmocka_unit_test(without_a_map_nothing_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
