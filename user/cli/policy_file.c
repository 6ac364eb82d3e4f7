/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a policy once, whole, up to its limit; what is enforced is what was read, whatever happens to the file later. */
#include "cli/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/log.h"
#include "base/util.h"
#include "policy/policy.h"

#define READ_STEP ((size_t)65536)

static int read_text(int fd, struct buf *b)
{
	for (;;) {
		const size_t want = MIN(READ_STEP, buf_room(b));
		char *at = want ? buf_reserve(b, want) : NULL;
		ssize_t n;

		if (!at)
			return want ? -ENOMEM : -EFBIG;
		n = read(fd, at, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_commit(b, (size_t)n);
	}
}

static int compile(const char *name, struct policy_file *f)
{
	char text[DIAG_TEXT_MAX + 512];
	struct diag d = { 0 };
	const int r = policy_load(name, buf_str(&f->text), &f->policy, &d);

	if (r == 0)
		return 0;
	if (r == -EINVAL)
		/* without our name in front: editors jump to file:line:column */
		(void)fprintf(stderr, "%s\n", diag_format(&d, text, sizeof(text)));
	else
		log_error("cannot read the policy %s: %s", name, strerror(-r));
	return -1;
}

int policy_file_read(const char *path, struct buf *ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_error("cannot open the policy %s: %s; %s", path, strerror(errno),
			  errno == EACCES ? "be a user who may read it" : "check the path");
		return -2;
	}
	if (S_ISDIR(st.st_mode)) {
		log_error("the policy %s is a directory; name the file", path);
		return -2;
	}
	buf_init(ret, POLICY_TEXT_MAX + 1);
	r = read_text(fd, ret);
	if (r == -EFBIG)
		log_error("the policy %s is larger than %zu bytes; split what is not needed off", path,
			  POLICY_TEXT_MAX);
	else if (r < 0)
		log_error("cannot read the policy %s: %s", path, strerror(-r));
	if (r < 0)
		buf_done(ret);
	return r < 0 ? -2 : 0;
}

int policy_file_load(const char *path, struct policy_file *ret)
{
	struct policy_file f = { 0 };
	int r = policy_file_read(path, &f.text);

	if (r < 0)
		return r;
	r = compile(path, &f);
	if (r < 0) {
		policy_file_done(&f);
		return r;
	}
	*ret = f;
	return 0;
}

int policy_file_from_text(const char *name, struct str text, struct policy_file *ret)
{
	struct policy_file f = { 0 };
	int r;

	buf_init(&f.text, POLICY_TEXT_MAX + 1);
	r = buf_append(&f.text, text);
	if (r == 0)
		r = compile(name, &f);
	if (r < 0) {
		policy_file_done(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

void policy_file_done(struct policy_file *f)
{
	f->policy = policy_unref(f->policy);
	buf_done(&f->text);
}
