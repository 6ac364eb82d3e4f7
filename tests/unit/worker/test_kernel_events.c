/* SPDX-License-Identifier: Apache-2.0 */
/* The row that a refusal leaves in the denials map, and in which slot; the map itself is the test's. */
#include "tests/lib/test.h"

#include <bpf/bpf.h>

#include "bpf/abi.h"

static struct denial rows[BRIDLE_DENIALS_MAX];
static unsigned writes;
static int write_fd;

static int write_row(int fd, const void *key, const void *value, __u64 flags)
{
	__u32 slot;

	memcpy(&slot, key, sizeof(slot));
	assert_true(slot < BRIDLE_DENIALS_MAX);
	assert_int_equal(flags, BPF_ANY);
	memcpy(&rows[slot], value, sizeof(rows[slot]));
	write_fd = fd;
	writes++;
	return 0;
}

#define bpf_map_update_elem write_row
#include "worker/kernel_events.c"

static int set_up(void **state)
{
	(void)state;
	memset(rows, 0, sizeof(rows));
	writes = 0;
	return 0;
}

static void a_row_says_who_where_and_why(void **state)
{
	struct original_dst dst = { .family = 10, .bytes = { 0xfd, 0x77, [15] = 1 }, .port = 443, .pid = 41 };
	const struct denial *row = &rows[7];

	(void)state;
	dst.socket_cookie = 99;
	memcpy(dst.exe, "agent", 6);
	kernel_events_deny(5, 7, &dst, WHY_host_not_allowed);
	assert_int_equal(writes, 1);
	assert_int_equal(write_fd, 5);
	assert_int_equal(row->sequence, 7);
	assert_int_equal(row->hook, HOOK_WORKER);
	assert_int_equal(row->why, WHY_host_not_allowed);
	assert_int_equal(row->socket_cookie, 99);
	assert_int_equal(row->pid, 41);
	assert_int_equal(row->family, 10);
	assert_int_equal(row->port, 443);
	assert_memory_equal(row->address, dst.bytes, 16);
	assert_string_equal(row->exe, "agent");
	assert_true(row->time_ns > 0 && row->time_tai_ns > row->time_ns);
}

static void a_name_that_fills_its_field_ends(void **state)
{
	struct original_dst dst = { .family = 2 };

	(void)state;
	memset(dst.exe, 'x', sizeof(dst.exe));
	kernel_events_deny(5, 1, &dst, WHY_internal);
	assert_int_equal(strnlen(rows[1].exe, sizeof(rows[1].exe)), BRIDLE_EXE_MAX - 1);
}

static void the_ring_goes_round(void **state)
{
	const struct original_dst dst = { .family = 2 };

	(void)state;
	for (uint64_t sequence = 1; sequence <= BRIDLE_DENIALS_MAX + 1; sequence++)
		kernel_events_deny(5, sequence, &dst, WHY_internal);
	assert_int_equal(rows[1].sequence, BRIDLE_DENIALS_MAX + 1); /* the first was written over */
	assert_int_equal(rows[0].sequence, BRIDLE_DENIALS_MAX);
	assert_int_equal(rows[2].sequence, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_row_says_who_where_and_why, set_up),
		cmocka_unit_test_setup(a_name_that_fills_its_field_ends, set_up),
		cmocka_unit_test_setup(the_ring_goes_round, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
