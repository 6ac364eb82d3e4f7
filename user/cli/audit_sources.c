/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each file has a window of lines and its next record; the earliest is given. A file that was renamed is read on beside
 * the one that has its name now, because writers keep the file that they opened.
 */
#include "cli/audit_sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/entry.h"
#include "audit/lines.h"
#include "base/log.h"
#include "base/util.h"

struct source {
	struct source *next;
	char *path;	 /* owned */
	int fd;		 /* owned */
	bool is_current; /* the path still means this file */
	bool has_entry;
	struct audit_lines lines;
	struct audit_entry entry;
};

struct audit_sources {
	const char *directory; /* borrowed; NULL: a single path */
	struct source *first, **last;
	struct source *given; /* whose record was given last */
	bool had_bad_lines, failed;
};

static struct source *source_free(struct source *source)
{
	if (!source)
		return NULL;
	audit_lines_done(&source->lines);
	(void)fd_close(source->fd);
	free(source->path);
	free(source);
	return NULL;
}

/* 0 or -errno. */
static int add_source(struct audit_sources *s, const char *path)
{
	struct source *source = calloc(1, sizeof(*source));
	int r = source ? 0 : -ENOMEM;
	char byte;

	if (!source)
		return r;
	source->is_current = true;
	source->path = strdup(path);
	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (!source->path)
		r = -ENOMEM;
	else if (source->fd < 0 || read(source->fd, &byte, 0) < 0) /* a directory opens, and cannot be read */
		r = -errno;
	if (r == 0)
		r = audit_lines_init(&source->lines, source->fd);
	if (r < 0) {
		(void)source_free(source);
		return r;
	}
	*s->last = source;
	s->last = &source->next;
	return 0;
}

static bool has_path(const struct audit_sources *s, const char *path)
{
	for (const struct source *source = s->first; source; source = source->next)
		if (source->is_current && strcmp(source->path, path) == 0)
			return true;
	return false;
}

static int is_audit_file(const struct dirent *entry)
{
	return str_ends(str_of(entry->d_name), STR(".jsonl"));
}

/* Adds what the directory has and s has not. 0 or -errno. */
static int scan_directory(struct audit_sources *s)
{
	struct dirent **names = NULL;
	const int n = scandir(s->directory, &names, is_audit_file, alphasort);
	int r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		auto_free char *path = NULL;

		if (asprintf(&path, "%s/%s", s->directory, names[i]->d_name) < 0)
			path = NULL;
		if (r == 0 && !path)
			r = -ENOMEM;
		if (r == 0 && !has_path(s, path))
			r = add_source(s, path);
		if (r == -ENOENT)
			r = 0; /* removed since */
		free(names[i]);
	}
	free(names);
	return r;
}

struct audit_sources *audit_sources_open(const char *path, const char *directory)
{
	struct audit_sources *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		log_error("no memory to read the audit; end other processes");
		return NULL;
	}
	s->last = &s->first;
	s->directory = path ? NULL : directory;
	r = path ? add_source(s, path) : scan_directory(s);
	if (r == 0)
		return s;
	log_error("cannot read the audit %s %s: %s; name a sandbox, or a file as ./FILE", path ? "file" : "directory",
		  path ? path : directory, strerror(-r));
	return audit_sources_free(s);
}

struct audit_sources *audit_sources_free(struct audit_sources *s)
{
	if (!s)
		return NULL;
	while (s->first) {
		struct source *const source = s->first;

		s->first = source->next;
		(void)source_free(source);
	}
	free(s);
	return NULL;
}

static void warn_line(struct audit_sources *s, const struct source *source, uint64_t number, const char *expected)
{
	s->had_bad_lines = true;
	log_warning("%s:%" PRIu64 ": no record: expected %s", source->path, number, expected);
}

/* The next record of one file, if it has one now. */
static void advance(struct audit_sources *s, struct source *source)
{
	struct audit_fault fault;
	struct str line;
	int r = 0;

	while (!source->has_entry && (r = audit_lines_next(&source->lines, &line)) > 0) {
		if (r == AUDIT_LINES_LONG)
			warn_line(s, source, source->lines.number, "a line of at most 16384 bytes");
		else if (audit_entry_parse(line, &source->entry, &fault) < 0)
			warn_line(s, source, source->lines.number, fault.expected);
		else
			source->has_entry = true;
	}
	if (r < 0 && !s->failed) {
		s->failed = true;
		log_error("cannot read the audit file %s: %s", source->path, strerror(-r));
	}
}

const struct audit_entry *audit_sources_next(struct audit_sources *s)
{
	struct source *earliest = NULL;

	if (s->given)
		s->given->has_entry = false;
	s->given = NULL;
	for (struct source *source = s->first; source && !s->failed; source = source->next) {
		advance(s, source);
		if (source->has_entry && (!earliest || source->entry.time_us < earliest->entry.time_us))
			earliest = source;
	}
	s->given = earliest;
	return earliest ? &earliest->entry : NULL;
}

/* The file is shorter than what was read of it: it was emptied in place, and begins anew. */
static void restart_if_cut(struct audit_sources *s, struct source *source, const struct stat *st)
{
	const off_t read_to = lseek(source->fd, 0, SEEK_CUR);

	if (read_to < 0 || st->st_size >= read_to || lseek(source->fd, 0, SEEK_SET) < 0)
		return;
	if (audit_lines_rest(&source->lines).n > 0)
		warn_line(s, source, source->lines.number + 1, "a line feed behind the record");
	source->lines.from = source->lines.to = 0;
	source->lines.number = 0;
	source->lines.is_long = false;
}

/* Looks what the path means now. */
static void refresh_source(struct audit_sources *s, struct source *source)
{
	struct stat now, ours;

	if (fstat(source->fd, &ours) < 0 || stat(source->path, &now) < 0)
		return; /* renamed and nothing in its place yet: read on */
	if (now.st_dev == ours.st_dev && now.st_ino == ours.st_ino) {
		restart_if_cut(s, source, &now);
		return;
	}
	if (add_source(s, source->path) == 0)
		source->is_current = false;
}

/* Forgets the oldest of the files that were replaced, when there are too many. */
static void drop_replaced(struct audit_sources *s)
{
	struct source **oldest = NULL;
	unsigned n = 0;

	for (struct source **at = &s->first; *at; at = &(*at)->next)
		if (!(*at)->is_current && n++ == 0)
			oldest = at;
	if (n <= AUDIT_SOURCES_REPLACED_MAX)
		return;
	{
		struct source *const source = *oldest;

		*oldest = source->next;
		if (s->last == &source->next)
			s->last = oldest;
		if (s->given == source)
			s->given = NULL;
		(void)source_free(source);
	}
}

void audit_sources_refresh(struct audit_sources *s)
{
	/* those that are added on the way are fresh */
	for (struct source *source = s->first, *last = container_of(s->last, struct source, next); source;
	     source = source == last ? NULL : source->next)
		if (source->is_current)
			refresh_source(s, source);
	if (s->directory)
		(void)scan_directory(s); /* one that cannot be read now may be the next time */
	drop_replaced(s);
}

void audit_sources_finish(struct audit_sources *s)
{
	for (const struct source *source = s->first; source; source = source->next)
		if (audit_lines_rest(&source->lines).n > 0)
			warn_line(s, source, source->lines.number + 1, "a line feed behind the record");
}

bool audit_sources_had_bad_lines(const struct audit_sources *s)
{
	return s->had_bad_lines;
}

bool audit_sources_failed(const struct audit_sources *s)
{
	return s->failed;
}
