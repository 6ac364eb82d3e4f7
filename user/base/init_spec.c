/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specification of a command, as bytes in a sealed memfd: a fixed head, the groups, then NUL-terminated strings
 * in a fixed order. Writer and reader are one build; the reader trusts no count and no length all the same, and
 * refuses a specification that would run as uid or gid 0 or that has no command.
 */
#include "base/init_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/util.h"

#define SPEC_MAGIC	0x62726473U /* "brds" */
#define SPEC_SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SPEC_LIST_MAX	65536U /* members of one list */
#define SPEC_GROUPS_MAX 1024U

enum spec_has { SPEC_HAS_CWD = 1, SPEC_HAS_CERTS = 2, SPEC_HAS_RESOLV = 4 };

struct spec_head {
	uint32_t magic;
	uint32_t uid, gid, n_groups;
	uint32_t stdio_is_tty;
	uint32_t n_argv, n_envp, n_masks;
	uint64_t ignored_signals, blocked_signals;
	uint32_t has; /* enum spec_has */
	uint32_t reserved;
};

static uint32_t list_count(char *const *list)
{
	uint32_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static int put_string(struct buf *b, const char *text)
{
	return text ? buf_append(b, str_make(text, strlen(text) + 1)) : 0;
}

static int put_list(struct buf *b, char *const *list)
{
	int r = 0;

	for (; list && *list && r == 0; list++)
		r = put_string(b, *list);
	return r;
}

static int spec_render(const struct init_spec *spec, struct buf *b)
{
	struct spec_head head = {
		.magic = SPEC_MAGIC,
		.uid = spec->uid,
		.gid = spec->gid,
		.n_groups = spec->n_groups,
		.stdio_is_tty = spec->stdio_is_tty,
		.n_argv = list_count(spec->argv),
		.n_envp = list_count(spec->envp),
		.n_masks = list_count(spec->masks),
		.ignored_signals = spec->ignored_signals,
		.blocked_signals = spec->blocked_signals,
		.has = (spec->cwd ? SPEC_HAS_CWD : 0U) | (spec->certs_dir ? SPEC_HAS_CERTS : 0U) |
		       (spec->resolv_conf ? SPEC_HAS_RESOLV : 0U),
	};
	int r = buf_append(b, str_make((const char *)&head, sizeof(head)));

	if (r == 0 && spec->n_groups > 0)
		r = buf_append(b, str_make((const char *)spec->groups, spec->n_groups * sizeof(uint32_t)));
	if (r == 0)
		r = put_list(b, spec->argv);
	if (r == 0)
		r = put_list(b, spec->envp);
	if (r == 0)
		r = put_list(b, spec->masks);
	if (r == 0)
		r = put_string(b, spec->cwd);
	if (r == 0)
		r = put_string(b, spec->certs_dir);
	if (r == 0)
		r = put_string(b, spec->resolv_conf);
	return r == -ENOBUFS ? -E2BIG : r;
}

/* refuse: nothing is ever started as root, and never without a command. */
static bool spec_is_acceptable(const struct init_spec *spec)
{
	return spec->uid != 0 && spec->gid != 0 && spec->argv && spec->argv[0] && spec->n_groups <= SPEC_GROUPS_MAX;
}

static int write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

int init_spec_write(const struct init_spec *spec)
{
	auto_fd int fd = -1;
	struct buf b;
	int r;

	if (!spec_is_acceptable(spec))
		return -EINVAL;
	buf_init(&b, INIT_SPEC_MAX);
	r = spec_render(spec, &b);
	if (r == 0) {
		fd = memfd_create("bridle-init-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		r = fd < 0 ? -errno : write_all(fd, buf_str(&b));
	}
	buf_done(&b);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SPEC_SEALS) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* What is left of the strings; a cut one ends the reading. */
struct reader {
	char *p;
	size_t n;
	bool bad;
};

static char *take_string(struct reader *r)
{
	char *start = r->p;
	const char *end = r->bad ? NULL : memchr(r->p, '\0', r->n);

	if (!end) {
		r->bad = true;
		return NULL;
	}
	r->n -= (size_t)(end - start) + 1;
	r->p += (end - start) + 1;
	return start;
}

static char **take_list(struct reader *r, char ***slots, uint32_t n)
{
	char **list = *slots;

	for (uint32_t i = 0; i < n; i++)
		list[i] = take_string(r);
	list[n] = NULL;
	*slots += n + 1;
	return list;
}

/* block: pointer slots, then the bytes behind the head (size of them) and a NUL. */
static int spec_parse(const struct spec_head *head, char **slots, char *bytes, size_t size, struct init_spec *spec)
{
	struct reader r = { .p = bytes, .n = size };
	size_t groups = head->n_groups * sizeof(uint32_t);

	if (groups > size)
		return -EBADMSG;
	spec->groups = (uint32_t *)(void *)bytes;
	r.p += groups;
	r.n -= groups;
	spec->n_groups = head->n_groups;
	spec->uid = head->uid;
	spec->gid = head->gid;
	spec->stdio_is_tty = head->stdio_is_tty;
	spec->ignored_signals = head->ignored_signals;
	spec->blocked_signals = head->blocked_signals;
	spec->argv = take_list(&r, &slots, head->n_argv);
	spec->envp = take_list(&r, &slots, head->n_envp);
	spec->masks = take_list(&r, &slots, head->n_masks);
	if (head->has & SPEC_HAS_CWD)
		spec->cwd = take_string(&r);
	if (head->has & SPEC_HAS_CERTS)
		spec->certs_dir = take_string(&r);
	if (head->has & SPEC_HAS_RESOLV)
		spec->resolv_conf = take_string(&r);
	if (r.bad || r.n != 0 || !spec_is_acceptable(spec))
		return -EBADMSG;
	return 0;
}

static int read_all(int fd, void *out, size_t size, off_t at)
{
	char *p = out;

	while (size > 0) {
		ssize_t n = pread(fd, p, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		p += n;
		size -= (size_t)n;
		at += n;
	}
	return 0;
}

int init_spec_read(int fd, struct init_spec *ret)
{
	struct init_spec spec = { 0 };
	auto_free void *block = NULL;
	struct spec_head head;
	struct stat st;
	size_t slots, rest;
	int r;

	/* refuse: a file that somebody could still change. */
	if ((fcntl(fd, F_GET_SEALS) & SPEC_SEALS) != SPEC_SEALS || fstat(fd, &st) < 0)
		return -EBADMSG;
	if ((size_t)st.st_size < sizeof(head) || (size_t)st.st_size > INIT_SPEC_MAX)
		return -EBADMSG;
	r = read_all(fd, &head, sizeof(head), 0);
	if (r < 0)
		return r;
	if (head.magic != SPEC_MAGIC || head.n_groups > SPEC_GROUPS_MAX || head.n_argv > SPEC_LIST_MAX ||
	    head.n_envp > SPEC_LIST_MAX || head.n_masks > SPEC_LIST_MAX)
		return -EBADMSG;
	slots = ((size_t)head.n_argv + head.n_envp + head.n_masks + 3) * sizeof(char *);
	rest = (size_t)st.st_size - sizeof(head);
	block = calloc(1, slots + rest + 1);
	if (!block)
		return -ENOMEM;
	r = read_all(fd, (char *)block + slots, rest, sizeof(head));
	if (r == 0)
		r = spec_parse(&head, block, (char *)block + slots, rest, &spec);
	if (r < 0)
		return r;
	spec.storage = TAKE(block);
	*ret = spec;
	return 0;
}

void init_spec_done(struct init_spec *spec)
{
	free(spec->storage);
	*spec = (struct init_spec){ 0 };
}
