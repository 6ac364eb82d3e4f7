/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts(5): "address name name …", comments from '#'. The file belongs to root and is trusted; what is not understood
 * is left out, and whether an address may be dialled is judged by the policy like any other answer.
 */
#include "dns/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/util.h"

struct hosts_row {
	struct address address;
	struct str name; /* borrowed from text */
};

struct hosts {
	char *text; /* owned */
	size_t n;
	struct hosts_row rows[HOSTS_NAMES_MAX];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *line, which moves behind it; empty at the end. */
static struct str next_word(struct str *line)
{
	size_t from = 0, to;

	while (from < line->n && is_blank(line->p[from]))
		from++;
	for (to = from; to < line->n && !is_blank(line->p[to]); to++)
		;
	*line = (struct str){ line->p + to, line->n - to };
	return (struct str){ line->p - (to - from), to - from };
}

static bool read_address(struct str word, struct address *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct address a = { 0 };

	if (word.n >= sizeof(text))
		return false;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return false;
	*ret = a;
	return true;
}

static void read_line(struct hosts *h, struct str line)
{
	struct address address;

	line.n = str_find(line, '#');
	if (!read_address(next_word(&line), &address))
		return;
	for (;;) {
		struct str name = next_word(&line);

		if (name.n && name.p[name.n - 1] == '.')
			name.n--;
		if (name.n == 0 || h->n == HOSTS_NAMES_MAX)
			return;
		h->rows[h->n++] = (struct hosts_row){ address, name };
	}
}

int hosts_parse(struct str text, struct hosts **ret)
{
	struct hosts *h = calloc(1, sizeof(*h));
	struct str rest;

	if (!h)
		return -ENOMEM;
	h->text = str_dup(text);
	if (!h->text) {
		free(h);
		return -ENOMEM;
	}
	for (rest = str_make(h->text, text.n); rest.n > 0;) {
		size_t end = str_find(rest, '\n');

		read_line(h, str_make(rest.p, end));
		rest = str_from(rest, end + 1);
	}
	*ret = h;
	return 0;
}

/* Up to HOSTS_FILE_MAX bytes. Returns how many, or -errno. */
static ssize_t read_file(int fd, char *out)
{
	size_t at = 0;

	while (at < HOSTS_FILE_MAX) {
		ssize_t n = read(fd, out + at, HOSTS_FILE_MAX - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)at;
		at += (size_t)n;
	}
	/* The last line may be half of one: half a name would be another name. */
	while (at > 0 && out[at - 1] != '\n')
		at--;
	return (ssize_t)at;
}

int hosts_load(const char *path, struct hosts **ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	auto_free char *text = NULL;
	ssize_t n = 0;

	if (fd < 0 && errno != ENOENT)
		return -errno;
	text = malloc(HOSTS_FILE_MAX);
	if (!text)
		return -ENOMEM;
	if (fd >= 0)
		n = read_file(fd, text);
	if (n < 0)
		return (int)n;
	return hosts_parse(str_make(text, (size_t)n), ret);
}

struct hosts *hosts_free(struct hosts *h)
{
	if (h)
		free(h->text);
	free(h);
	return NULL;
}

size_t hosts_find(const struct hosts *h, struct str name, struct address *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n && n < max; i++) {
		if (str_eq_nocase(h->rows[i].name, name))
			out[n++] = h->rows[i].address;
	}
	return n;
}
