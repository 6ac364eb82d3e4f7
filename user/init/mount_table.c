/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses mountinfo. The file is the kernel's, but its names are anybody's: octal escapes are undone, and a line that
 * does not have its fields ends the reading, because a mount that is overlooked is a mount that is not covered.
 */
#include "init/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/util.h"

static int read_file(const char *file, char **ret)
{
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	text = malloc(MOUNT_TABLE_TEXT_MAX + 1);
	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, text + n, MOUNT_TABLE_TEXT_MAX - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == MOUNT_TABLE_TEXT_MAX)
			return -E2BIG;
	}
	text[n] = '\0';
	*ret = TAKE(text);
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3])) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /root /target options optional… - type source super-options", NUL-terminated, without its newline. */
static int parse_line(char *line, struct mount_entry *ret)
{
	enum { ID, PARENT, DEVICE, ROOT, TARGET, OPTIONS, FIELDS };
	struct mount_entry e;
	char *fields[FIELDS];
	char *rest = line;
	char *type;

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&rest, " ");
		if (!rest)
			return -EBADMSG;
	}
	do
		type = strsep(&rest, " ");
	while (type && strcmp(type, "-") != 0);
	type = rest ? strsep(&rest, " ") : NULL;
	if (!type || str_to_u64(str_of(fields[ID]), &e.id) < 0 || fields[TARGET][0] != '/')
		return -EBADMSG;
	unescape(fields[ROOT]);
	unescape(fields[TARGET]);
	e.device = fields[DEVICE];
	e.root = fields[ROOT];
	e.target = fields[TARGET];
	e.type = type;
	*ret = e;
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; text && *text; text++)
		n += *text == '\n';
	return n;
}

int mount_table_read(const char *file, struct mount_table *ret)
{
	struct mount_table t = { 0 };
	char *rest, *line;
	size_t lines;
	int r = read_file(file, &t.text);

	if (r < 0)
		return r;
	lines = count_lines(t.text);
	if (lines > MOUNT_TABLE_MAX)
		r = -E2BIG;
	else if (!(t.entries = calloc(lines + 1, sizeof(*t.entries))))
		r = -ENOMEM;
	rest = t.text;
	while (r == 0 && (line = strsep(&rest, "\n")) && rest)
		r = parse_line(line, &t.entries[t.n++]);
	if (r < 0) {
		mount_table_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void mount_table_done(struct mount_table *t)
{
	free(t->entries);
	free(t->text);
	*t = (struct mount_table){ 0 };
}

bool mount_entry_is_visible(const struct mount_entry *e)
{
	struct statx st;

	if (statx(AT_FDCWD, e->target, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
		return false;
	/* a kernel that does not tell the number (before 5.8) is below our floor: take the mount as visible */
	return !(st.stx_mask & STATX_MNT_ID) || st.stx_mnt_id == e->id;
}

bool path_is_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

const char *path_below(const char *path, const char *dir)
{
	const char *rest = strcmp(dir, "/") == 0 ? path : path + strlen(dir);

	while (*rest == '/')
		rest++;
	return rest;
}
