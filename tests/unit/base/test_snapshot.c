/* SPDX-License-Identifier: Apache-2.0 */
/* A worker takes a policy only when nobody can change it any more, and all of it is there. */
#include "base/snapshot.c"

#include "tests/lib/test.h"

static const struct snapshot sample = {
	.policy_file = { "p.json", 6 },
	.policy_text = { "{}", 2 },
	.sandbox = { "box", 3 },
	.netns_cookie = 7,
	.proxy_ports = { 3128, 8080 },
	.listen_port = { 1, 2 },
	.tier = 2,
	.deadlines.ms[DEADLINE_head] = 77,
};

static void what_was_put_in_comes_out(void **state)
{
	int fd = snapshot_create(&sample);
	struct snapshot s;

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(snapshot_map(fd, &s), 0);
	assert_str_equal(s.policy_file, "p.json");
	assert_str_equal(s.policy_text, "{}");
	assert_int_equal(s.trust_pem.n, 0);
	assert_str_equal(s.sandbox, "box");
	assert_int_equal(s.netns_cookie, 7);
	assert_int_equal(s.proxy_ports[1], 8080);
	assert_int_equal(s.listen_port[1], 2);
	assert_int_equal(s.tier, 2);
	assert_int_equal(deadline_ms(&s.deadlines, DEADLINE_head), 77);
	snapshot_unmap(&s);
	assert_null(s.map);
	snapshot_unmap(&s); /* twice is fine */
	(void)close(fd);
}

static void nobody_can_change_it(void **state)
{
	int fd = snapshot_create(&sample);

	(void)state;
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	(void)close(fd);
}

/* Bytes in a memfd with these seals. */
static int make(const struct snapshot_header *header, const char *texts, size_t size, int seals)
{
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, header, MIN(size, sizeof(*header))), (ssize_t)MIN(size, sizeof(*header)));
	if (size > sizeof(*header))
		assert_int_equal(write(fd, texts, size - sizeof(*header)), (ssize_t)(size - sizeof(*header)));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int mapped(int fd)
{
	struct snapshot s = { .tier = 9 };
	int r = snapshot_map(fd, &s);

	if (r == 0)
		snapshot_unmap(&s);
	else
		assert_int_equal(s.tier, 9); /* untouched */
	(void)close(fd);
	return r;
}

static void one_that_somebody_could_change_is_refused(void **state)
{
	static const int seals[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE };
	const struct snapshot_header header = { .magic = SNAPSHOT_MAGIC };

	(void)state;
	assert_int_equal(mapped(make(&header, "", sizeof(header), SNAPSHOT_SEALS)), 0);
	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
		assert_int_equal(mapped(make(&header, "", sizeof(header), SNAPSHOT_SEALS & ~seals[i])), -EPERM);
	assert_int_equal(mapped(open("/dev/null", O_RDONLY | O_CLOEXEC)), -EPERM); /* a file has no seals */
	assert_int_equal(mapped(-1), -EPERM);
}

static void one_that_is_cut_or_padded_is_refused(void **state)
{
	struct snapshot_header header = { .magic = SNAPSHOT_MAGIC, .sizes = { 1, 2, 0, 1 } };

	(void)state;
	assert_int_equal(mapped(make(&header, "abbcd", sizeof(header) + 4, SNAPSHOT_SEALS)), 0);
	assert_int_equal(mapped(make(&header, "abbcd", sizeof(header) + 3, SNAPSHOT_SEALS)), -EBADMSG);
	assert_int_equal(mapped(make(&header, "abbcd", sizeof(header) + 5, SNAPSHOT_SEALS)), -EBADMSG);
	assert_int_equal(mapped(make(&header, "", sizeof(header) - 1, SNAPSHOT_SEALS)), -EBADMSG);
	assert_int_equal(mapped(make(&header, "", 0, SNAPSHOT_SEALS)), -EBADMSG);
	header.sizes[TEXT_POLICY] = UINT64_MAX; /* a sum that wraps to the right one */
	header.sizes[TEXT_TRUST] = 3;
	assert_int_equal(mapped(make(&header, "abbcd", sizeof(header) + 4, SNAPSHOT_SEALS)), -EBADMSG);
	header = (struct snapshot_header){ .magic = SNAPSHOT_MAGIC + 1 };
	assert_int_equal(mapped(make(&header, "", sizeof(header), SNAPSHOT_SEALS)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_in_comes_out),
		cmocka_unit_test(nobody_can_change_it),
		cmocka_unit_test(one_that_somebody_could_change_is_refused),
		cmocka_unit_test(one_that_is_cut_or_padded_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
