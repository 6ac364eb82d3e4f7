/* SPDX-License-Identifier: Apache-2.0 */
/* A secret's file in every state it can be in, as the workers and the supervisor come to know of it. */
#include "keeper_child.h"

static struct keeper_child c;

static int set_up(void **state)
{
	(void)state;
	child_start(&c, child_run);
	child_setup(&c, NULL, NULL);
	(void)child_ready(&c, NULL, 0);
	child_directory(&c, c.dir, c.dir_fd);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "s",   "s2",  "new",    "out",   "..1/s",	 "..2/s",
					     "..1", "..2", "..data", "..tmp", "other/s", "other" };
	int status = child_end(&c);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (unlinkat(c.dir_fd, names[i], 0) < 0)
			(void)unlinkat(c.dir_fd, names[i], AT_REMOVEDIR);
	(void)close(c.dir_fd);
	return rmdir(c.dir) < 0 || status != 0;
}

static void pushed_at_once_through_its_format(void **state)
{
	int w;

	(void)state;
	child_write(&c, "s", "s3cr3t\n");
	child_credential(&c, "api", "s", "Bearer {}", true);
	child_expect_state(&c, CREDENTIAL_READY, "");
	w = child_worker(&c);
	child_expect_value(w, "Bearer s3cr3t", 1);
	assert_true(child_is_quiet(w, 300));
	(void)close(w);
}

static void an_old_file_is_ready_without_a_pause(void **state)
{
	struct credential_push *p;
	int w;

	(void)state;
	child_write(&c, "s", "old");
	(void)usleep((KEEPER_SETTLE_MS + 30) * 1000);
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	p = child_push(w);
	assert_int_equal(p->state, CREDENTIAL_READY);
	(void)close(w);
}

static void late(void **state)
{
	struct credential_push *p;
	int w;

	(void)state;
	child_credential(&c, "api", "s", "{}", true);
	child_expect_state(&c, CREDENTIAL_PENDING, "does not exist");
	w = child_worker(&c);
	p = child_push(w);
	assert_int_equal(p->state, CREDENTIAL_PENDING);
	assert_int_equal(p->value_size, 0);
	assert_int_equal(p->generation, 0);
	child_write(&c, "s", "late");
	child_expect_value(w, "late", 1);
	child_expect_state(&c, CREDENTIAL_READY, "");
	(void)close(w);
}

/* The keeper before this one had adopted seven values. */
static void generations_go_on(void **state)
{
	static struct keeper_credential m;
	int w;

	(void)state;
	memset(&m, 0, sizeof(m));
	(void)snprintf(m.name, sizeof(m.name), "api");
	(void)snprintf(m.path, sizeof(m.path), "%s/s", c.dir);
	m.watch = 1;
	m.generation = 7;
	child_write(&c, "s", "value");
	child_send(&c, &m, KEEPER_CREDENTIAL, sizeof(m), -1);
	w = child_worker(&c);
	child_expect_value(w, "value", 8);
	(void)close(w);
}

static void late_directory(void **state)
{
	static struct keeper_credential m;
	int other, w;

	(void)state;
	memset(&m, 0, sizeof(m));
	(void)snprintf(m.name, sizeof(m.name), "api");
	(void)snprintf(m.path, sizeof(m.path), "%s/other/s", c.dir);
	m.watch = 1;
	child_send(&c, &m, KEEPER_CREDENTIAL, sizeof(m), -1);
	child_expect_state(&c, CREDENTIAL_PENDING, "directory");
	w = child_worker(&c);
	assert_int_equal(mkdirat(c.dir_fd, "other", 0755), 0);
	child_write(&c, "other/s", "value");
	other = openat(c.dir_fd, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(m.path, sizeof(m.path), "%s/other", c.dir);
	child_directory(&c, m.path, other);
	(void)close(other);
	child_expect_value(w, "value", 1);
	/* The directory is replaced; its successor counts. */
	assert_int_equal(unlinkat(c.dir_fd, "other/s", 0), 0);
	assert_int_equal(unlinkat(c.dir_fd, "other", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(c.dir_fd, "other", 0755), 0);
	child_write(&c, "other/s", "second");
	other = openat(c.dir_fd, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	child_directory(&c, m.path, other);
	(void)close(other);
	child_expect_value(w, "second", 2);
	(void)close(w);
}

static void bad_files_are_named_and_give_nothing(void **state)
{
	static char large[KEEPER_VALUE_MAX + 2];
	const char *const rows[][2] = {
		{ "two\nlines\n", "more than one line" },
		{ "", "empty" },
		{ "windows\r\n", "carriage return" },
		{ "\n", "empty" },
		{ large, "too large" },
	};
	struct credential_push *p;
	int w;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	child_write(&c, "s", "");
	child_credential(&c, "api", "s", "{}", true);
	child_expect_state(&c, CREDENTIAL_FAILED, "empty");
	w = child_worker(&c);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		child_write(&c, "s", rows[i][0]);
		do {
			p = child_push(w);
			assert_int_not_equal(p->state, CREDENTIAL_READY);
			assert_int_equal(p->value_size, 0);
		} while (!strstr(p->reason, rows[i][1]));
	}
	child_write(&c, "s", "good");
	child_expect_value(w, "good", 1);
	(void)close(w);
}

static void a_value_that_grows_too_large_by_its_format(void **state)
{
	static char large[KEEPER_VALUE_MAX + 1];
	int w;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	child_write(&c, "s", large);
	child_credential(&c, "api", "s", "Bearer {}", true);
	child_expect_state(&c, CREDENTIAL_FAILED, "too large");
	large[KEEPER_VALUE_MAX - 7] = '\0';
	child_write(&c, "s", large);
	child_expect_state(&c, CREDENTIAL_READY, "");
	w = child_worker(&c);
	assert_int_equal(child_push(w)->value_size, KEEPER_VALUE_MAX);
	(void)close(w);
}

static void rotated_by_rename(void **state)
{
	uint64_t start;
	char text[32];
	int w;

	(void)state;
	child_write(&c, "s", "v0");
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "v0", 1);
	for (uint32_t i = 1; i <= 5; i++) {
		(void)snprintf(text, sizeof(text), "v%u", i);
		child_write(&c, "new", text);
		assert_int_equal(renameat(c.dir_fd, "new", c.dir_fd, "s"), 0);
		start = child_now_ms();
		child_expect_value(w, text, i + 1);
		assert_true(child_now_ms() - start < 2000);
	}
	(void)close(w);
}

static void swap_data(const char *to)
{
	assert_int_equal(symlinkat(to, c.dir_fd, "..tmp"), 0);
	assert_int_equal(renameat(c.dir_fd, "..tmp", c.dir_fd, "..data"), 0);
}

static void rotated_by_data(void **state)
{
	int w;

	(void)state;
	assert_int_equal(mkdirat(c.dir_fd, "..1", 0755), 0);
	assert_int_equal(mkdirat(c.dir_fd, "..2", 0755), 0);
	child_write(&c, "..1/s", "first");
	child_write(&c, "..2/s", "second");
	swap_data("..1");
	assert_int_equal(symlinkat("..data/s", c.dir_fd, "s"), 0);
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "first", 1);
	swap_data("..2");
	child_expect_value(w, "second", 2);
	swap_data("..1");
	child_expect_value(w, "first", 3);
	(void)close(w);
}

static void the_last_good_value_stays(void **state)
{
	int w;

	(void)state;
	child_write(&c, "s", "good");
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "good", 1);
	child_write(&c, "s", "");
	child_expect_state(&c, CREDENTIAL_READY, "the last good value is kept: the file is empty");
	assert_int_equal(unlinkat(c.dir_fd, "s", 0), 0);
	child_expect_state(&c, CREDENTIAL_READY, "does not exist");
	assert_true(child_is_quiet(w, 200));
	/* The same value comes back: the warning ends, nothing is pushed. */
	child_write(&c, "s", "good");
	child_expect_state(&c, CREDENTIAL_READY, "");
	assert_true(child_is_quiet(w, 200));
	child_write(&c, "s", "better");
	child_expect_value(w, "better", 2);
	(void)close(w);
}

static void links_out_of_the_directory_are_refused(void **state)
{
	int w;

	(void)state;
	assert_int_equal(symlinkat("/etc/hostname", c.dir_fd, "s"), 0);
	child_credential(&c, "api", "s", "{}", true);
	child_expect_state(&c, CREDENTIAL_FAILED, "leads out of its directory");
	w = child_worker(&c);
	assert_int_equal(child_push(w)->value_size, 0);
	(void)close(w);
}

static void without_watch_the_first_good_value_stays(void **state)
{
	int w;

	(void)state;
	child_write(&c, "s", "");
	child_credential(&c, "api", "s", "{}", false);
	child_expect_state(&c, CREDENTIAL_FAILED, "empty");
	w = child_worker(&c);
	child_write(&c, "s", "first");
	child_expect_value(w, "first", 1);
	child_write(&c, "new", "second");
	assert_int_equal(renameat(c.dir_fd, "new", c.dir_fd, "s"), 0);
	assert_true(child_is_quiet(w, KEEPER_POLL_MS + 500));
	(void)close(w);
}

static void revoked_for_ever(void **state)
{
	struct keeper_revoke m = { 0 };
	struct credential_push *p;
	int w, v;

	(void)state;
	child_write(&c, "s", "good");
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "good", 1);
	(void)snprintf(m.name, sizeof(m.name), "api");
	child_send(&c, &m, KEEPER_REVOKE, sizeof(m), -1);
	p = child_push(w);
	assert_int_equal(p->state, CREDENTIAL_FAILED);
	assert_int_equal(p->value_size, 0);
	assert_non_null(strstr(p->reason, "revoked"));
	child_write(&c, "s", "again");
	assert_true(child_is_quiet(w, KEEPER_POLL_MS + 500));
	v = child_worker(&c);
	p = child_push(v);
	assert_int_equal(p->state, CREDENTIAL_FAILED);
	assert_int_equal(p->value_size, 0);
	(void)close(v);
	(void)close(w);
}

static void a_source_that_is_not_there_says_why(void **state)
{
	struct credential_push *p;
	int w;

	(void)state;
	child_credential(&c, "oauth", NULL, "{}", true);
	child_expect_state(&c, CREDENTIAL_FAILED, "not built yet");
	w = child_worker(&c);
	p = child_push(w);
	assert_int_equal(p->state, CREDENTIAL_FAILED);
	assert_string_equal(p->reason, "not built yet");
	(void)close(w);
}

static void every_worker_gets_every_credential(void **state)
{
	int w[2];

	(void)state;
	child_write(&c, "s", "one");
	child_write(&c, "s2", "two");
	(void)usleep((KEEPER_SETTLE_MS + 30) * 1000);
	child_credential(&c, "a", "s", "{}", true);
	child_credential(&c, "b", "s2", "{}", true);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		w[i] = child_worker(&c);
		child_expect_value(w[i], "one", 1);
		child_expect_value(w[i], "two", 1);
	}
	child_write(&c, "s2", "three");
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		child_expect_value(w[i], "three", 2);
		(void)close(w[i]);
	}
}

/* Writes one value in parts; whether this machine let us write without longer pauses. */
static bool write_in_parts(const char *part, int parts)
{
	int fd = openat(c.dir_fd, "s", O_WRONLY | O_TRUNC | O_CLOEXEC);
	uint64_t last = child_now_ms();
	bool steady = true;

	for (int i = 0; i < parts; i++) {
		assert_int_equal(write(fd, part, strlen(part)), strlen(part));
		child_write(&c, "new", "wakes the keeper");
		(void)usleep(10000);
		steady = steady && child_now_ms() - last < KEEPER_SETTLE_MS / 2;
		last = child_now_ms();
	}
	(void)close(fd);
	return steady;
}

static void a_half_written_file_is_waited_for(void **state)
{
	struct credential_push *p;
	bool steady = false;
	char part[16];
	int w;

	(void)state;
	child_write(&c, "s", "start");
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "start", 1);
	for (int i = 0; i < 50 && !steady; i++) {
		unsigned wrong = 0;

		(void)snprintf(part, sizeof(part), "part%02d", i);
		steady = write_in_parts(part, 12);
		for (p = child_push(w); p->value_size != 12 * 6; p = child_push(w))
			wrong++;
		if (steady)
			assert_int_equal(wrong, 0);
	}
	assert_true(steady);
	(void)close(w);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(pushed_at_once_through_its_format),
		WITH(an_old_file_is_ready_without_a_pause),
		WITH(late),
		WITH(generations_go_on),
		WITH(late_directory),
		WITH(bad_files_are_named_and_give_nothing),
		WITH(a_value_that_grows_too_large_by_its_format),
		WITH(rotated_by_rename),
		WITH(rotated_by_data),
		WITH(the_last_good_value_stays),
		WITH(links_out_of_the_directory_are_refused),
		WITH(without_watch_the_first_good_value_stays),
		WITH(revoked_for_ever),
		WITH(a_source_that_is_not_there_says_why),
		WITH(every_worker_gets_every_credential),
		WITH(a_half_written_file_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
