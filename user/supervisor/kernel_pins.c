/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes and removes what a run pins in bpffs. Works without the programs at hand, so that one run can clear what
 * another left behind. Refuses to touch the pins of another ABI: what they mean is not known here.
 */
#include "supervisor/kernel_pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "bpf/abi.h"

static const char *const kinds[] = { "links", "progs", "maps" };

/* bpffs refuses names with a dot, which a sandbox's name may have: '+', which it may not have, stands for it. */
static int path_write(char path[PINS_PATH_MAX], const char *pin_dir, const char *rest)
{
	int n = snprintf(path, PINS_PATH_MAX, "%s%s", pin_dir, rest);

	if (n < 0 || n >= PINS_PATH_MAX)
		return -ENAMETOOLONG;
	for (char *p = path; *p; p++) {
		if (*p == '.')
			*p = '+';
	}
	return 0;
}

bool pins_exist(const char *pin_dir)
{
	char path[PINS_PATH_MAX];

	return path_write(path, pin_dir, "") == 0 && access(path, F_OK) == 0;
}

void pins_restore_name(char *name)
{
	for (char *p = name; *p; p++)
		if (*p == '+')
			*p = '.';
}

int pins_path(char path[PINS_PATH_MAX], const char *pin_dir, const char *kind, const char *name)
{
	char rest[PINS_PATH_MAX];
	int n = snprintf(rest, sizeof(rest), "/%s%s%s", kind, name ? "/" : "", name ? name : "");

	return n < 0 || n >= PINS_PATH_MAX ? -ENAMETOOLONG : path_write(path, pin_dir, rest);
}

/* Every directory above the last component. */
static int parents_make(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

int pins_make(const char *pin_dir)
{
	char path[PINS_PATH_MAX];
	int r = path_write(path, pin_dir, "");

	if (r == 0)
		r = parents_make(path);
	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++) {
		r = pins_path(path, pin_dir, kinds[i], NULL);
		if (r == 0 && mkdir(path, 0700) < 0)
			r = -errno;
	}
	return r;
}

/* Another process may hold the link too, so that removing the pin alone would not take the program off. */
static void link_detach(const char *path)
{
	auto_fd int fd = bpf_obj_get(path);

	if (fd >= 0)
		(void)bpf_link_detach(fd); /* fails when the cgroup is gone, and then nothing is attached */
}

static int kind_remove(const char *pin_dir, const char *kind, bool with_dir)
{
	char path[PINS_PATH_MAX];
	struct dirent *e;
	DIR *dir;
	int r = pins_path(path, pin_dir, kind, NULL);

	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (pins_path(path, pin_dir, kind, e->d_name) < 0)
			continue;
		if (strcmp(kind, "links") == 0)
			link_detach(path);
		if (unlink(path) < 0 && r == 0)
			r = -errno;
	}
	(void)closedir(dir);
	(void)pins_path(path, pin_dir, kind, NULL);
	if (with_dir && rmdir(path) < 0 && r == 0)
		r = -errno;
	return r;
}

int pins_read_abi(const char *pin_dir, uint32_t *ret)
{
	const uint32_t zero = 0;
	struct abi_stamp stamp = { .abi = BRIDLE_ABI };
	char path[PINS_PATH_MAX];
	auto_fd int fd = -1;
	int r = pins_path(path, pin_dir, "maps", "abi");

	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	/* a directory without a number was not finished by whoever made it, and nothing can depend on it */
	if (fd >= 0 && bpf_map_lookup_elem(fd, &zero, &stamp) < 0)
		return -errno;
	*ret = stamp.abi;
	return 0;
}

uint32_t pins_own_abi(void)
{
	return BRIDLE_ABI;
}

static int abi_check(const char *pin_dir)
{
	uint32_t abi;
	int r = pins_read_abi(pin_dir, &abi);

	return r < 0 ? r : abi == BRIDLE_ABI ? 0 : -ENOTSUP;
}

int pins_remove_links(const char *pin_dir)
{
	int r = abi_check(pin_dir);

	return r < 0 ? r : kind_remove(pin_dir, "links", false);
}

int pins_remove(const char *pin_dir)
{
	char path[PINS_PATH_MAX];
	int r = abi_check(pin_dir);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int r2 = kind_remove(pin_dir, kinds[i], true);

		if (r == 0)
			r = r2;
	}
	(void)path_write(path, pin_dir, "");
	if (rmdir(path) < 0 && errno != ENOENT && r == 0)
		r = -errno;
	return r;
}
