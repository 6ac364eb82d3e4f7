/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's /etc/hosts, read once into a bounded table: a worker may open no file, and c-ares would open this one
 * for each look-up.
 */
#ifndef BRIDLE_DNS_HOSTS_H
#define BRIDLE_DNS_HOSTS_H

#include <stddef.h>

#include "base/str.h"
#include "policy/policy.h"

#define HOSTS_FILE_MAX	((size_t)256 * 1024) /* bytes; a longer file is read up to its last whole line before this */
#define HOSTS_NAMES_MAX 4096

struct hosts;

/* A file that does not exist gives an empty table. 0 or -errno. Lines that are no address and names are skipped. */
int hosts_load(const char *path, struct hosts **ret);
int hosts_parse(struct str text, struct hosts **ret);
struct hosts *hosts_free(struct hosts *h); /* NULL is fine; returns NULL */

/* Every address of the name, both families, in the order of the file; at most max. Returns how many. */
size_t hosts_find(const struct hosts *h, struct str name, struct address *out, size_t max);

#endif
