/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of what surrounds the kernel: directories, limits, roots, clock, names, leftovers, the user. They read files of
 * this machine and send nothing anywhere.
 */
#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "base/util.h"
#include "cli/doctor.h"
#include "cli/user.h"
#include "supervisor/leftovers.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "tls/client.h"
#include "tls/roots.h"

#define MIB		  ((uint64_t)1 << 20)
#define RUN_BYTES_MIN	  (16 * MIB)
#define AUDIT_BYTES_MIN	  (64 * MIB)
#define OPEN_FILES_MIN	  8192
#define LOCKED_BYTES_MIN  (8 * MIB)
#define JAVA_STORE	  "/etc/ssl/certs/java/cacerts"
#define RESOLV_CONF	  "/etc/resolv.conf"
#define CLOCK_BEHIND_S	  86400
#define CERTIFICATES_MORE 10 /* a bundle with fewer is a remnant */

/* The directory, or the nearest one above that exists, in which it would be made. */
static bool nearest(const char *path, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", path);
	while (access(out, F_OK) < 0) {
		char *slash = strrchr(out, '/');

		if (!slash || slash == out)
			return false;
		*slash = '\0';
	}
	return true;
}

static void look_at_dir(const char *path, uint64_t bytes_min, struct doctor_result *ret)
{
	char there[256];
	struct statvfs fs;
	struct stat st;
	uint64_t room;

	if (!nearest(path, there, sizeof(there)) || stat(there, &st) < 0 || statvfs(there, &fs) < 0) {
		doctor_say(ret, DOCTOR_FAIL, "%s: %s", path, strerror(errno));
		return;
	}
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		doctor_say(ret, DOCTOR_FAIL, "%s is not a directory that only root can write", there);
	else if ((fs.f_flag & ST_RDONLY) || access(there, W_OK) < 0)
		doctor_say(ret, DOCTOR_FAIL, "%s cannot be written: %s", there,
			   fs.f_flag & ST_RDONLY ? "read-only file system" : strerror(errno));
	else if (room < bytes_min || (fs.f_files && fs.f_favail == 0))
		doctor_say(ret, room == 0 ? DOCTOR_FAIL : DOCTOR_WARN, "%s has %llu MiB free", there,
			   (unsigned long long)(room / MIB));
	else
		doctor_say(ret, DOCTOR_OK, "%s %s, %llu MiB free", path,
			   strcmp(path, there) == 0 ? "can be written" : "can be made",
			   (unsigned long long)(room / MIB));
}

void probe_run_dir(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	look_at_dir(PATHS_RUN, RUN_BYTES_MIN, ret);
}

void probe_audit_dir(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	look_at_dir(PATHS_AUDIT, AUDIT_BYTES_MIN, ret);
}

/* Only the hard limit counts: bridle raises its own soft one. */
static void look_at_limit(int which, uint64_t min, uint64_t unit, const char *of, struct doctor_result *ret)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) < 0)
		doctor_say(ret, DOCTOR_WARN, "it cannot be read: %s", strerror(errno));
	else if (limit.rlim_max == RLIM_INFINITY)
		doctor_say(ret, DOCTOR_OK, "none");
	else if (limit.rlim_max < min && geteuid() == 0 && setrlimit(which, &(struct rlimit){ min, min }) == 0) {
		(void)setrlimit(which, &limit);
		doctor_say(ret, DOCTOR_OK, "%llu%s, which bridle can raise", (unsigned long long)limit.rlim_max / unit,
			   of);
	} else
		doctor_say(ret, limit.rlim_max < min ? DOCTOR_WARN : DOCTOR_OK, "%llu%s",
			   (unsigned long long)limit.rlim_max / unit, of);
}

void probe_open_files(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	look_at_limit(RLIMIT_NOFILE, OPEN_FILES_MIN, 1, " files", ret);
}

void probe_locked_memory(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	look_at_limit(RLIMIT_MEMLOCK, LOCKED_BYTES_MIN, 1024, " KiB", ret);
}

void probe_swap(const struct cli_user *user, struct doctor_result *ret)
{
	auto_file FILE *f = fopen("/proc/swaps", "re");
	char line[512];
	unsigned n = 0;

	(void)user;
	while (f && fgets(line, sizeof(line), f))
		n++;
	if (n > 1)
		doctor_say(ret, DOCTOR_WARN, "%u in use: secrets are locked into memory, requests and answers are not",
			   n - 1);
	else
		doctor_say(ret, DOCTOR_OK, "none");
}

void probe_ca_bundle(const struct cli_user *user, struct doctor_result *ret)
{
	const char *path = tls_system_bundle();
	X509_STORE *roots = NULL;
	int n;

	(void)user;
	if (!path) {
		doctor_say(ret, DOCTOR_WARN, "no bundle of roots is in any of its usual places");
		return;
	}
	if (tls_roots_load(&roots) < 0) {
		doctor_say(ret, DOCTOR_FAIL, "%s cannot be read as certificates", path);
		return;
	}
	n = sk_X509_OBJECT_num(X509_STORE_get0_objects(roots));
	doctor_say(ret, n < CERTIFICATES_MORE ? DOCTOR_WARN : DOCTOR_OK, "%s holds %d roots", path, n);
	X509_STORE_free(roots);
}

void probe_java(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	if (access(JAVA_STORE, R_OK) == 0)
		doctor_say(ret, DOCTOR_OK, "%s is there and is replaced inside", JAVA_STORE);
	else
		doctor_say(ret, DOCTOR_OK, "no %s; JDKs find the roots by JAVA_TOOL_OPTIONS", JAVA_STORE);
}

/* A clock that is earlier than the program it runs is wrong; whether it is right nothing here can tell. */
void probe_clock(const struct cli_user *user, struct doctor_result *ret)
{
	struct timex t = { 0 };
	const int state = adjtimex(&t);
	const time_t now = time(NULL);
	struct stat st;
	char text[32];
	struct tm tm;

	(void)user;
	if (!gmtime_r(&now, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(text, sizeof(text), "%lld", (long long)now);
	if (stat("/proc/self/exe", &st) == 0 && now + CLOCK_BEHIND_S < st.st_mtime)
		doctor_say(ret, DOCTOR_FAIL, "%s is earlier than bridle was built", text);
	else if (state < 0 || state == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(ret, DOCTOR_WARN, "%s, and nothing keeps it set as far as the kernel knows", text);
	else
		doctor_say(ret, DOCTOR_OK, "%s, kept set", text);
}

void probe_name_server(const struct cli_user *user, struct doctor_result *ret)
{
	auto_file FILE *f = fopen(RESOLV_CONF, "re");
	char line[512];
	unsigned n = 0;

	(void)user;
	while (f && fgets(line, sizeof(line), f))
		n += strncmp(line, "nameserver", 10) == 0 && (line[10] == ' ' || line[10] == '\t');
	if (n == 0)
		doctor_say(ret, DOCTOR_WARN, "%s names none%s%s", RESOLV_CONF, f ? "" : ": ", f ? "" : strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "%s names %u (whether they answer was not tried)", RESOLV_CONF, n);
}

struct left {
	unsigned running, left;
	char first[SANDBOX_NAME_MAX + 1];
};

static void on_leftover(void *arg, const struct leftover *l)
{
	struct left *left = arg;

	if (!l->running && left->left++ == 0)
		(void)snprintf(left->first, sizeof(left->first), "%s", l->name);
	left->running += l->running;
}

void probe_leftovers(const struct cli_user *user, struct doctor_result *ret)
{
	char reason[SANDBOX_REASON_MAX] = "";
	struct left left = { 0 };

	(void)user;
	if (leftovers_list(on_leftover, &left, reason) < 0)
		doctor_say(ret, DOCTOR_WARN, "%.*s", DOCTOR_TEXT_MAX - 1, reason);
	else if (left.left)
		doctor_say(ret, DOCTOR_WARN, "%u killed run%s left something (%s%s); what was in them is still refused",
			   left.left, left.left == 1 ? "" : "s", left.first, left.left > 1 ? ", ..." : "");
	else
		doctor_say(ret, DOCTOR_OK, "none; %u sandbox%s running", left.running,
			   left.running == 1 ? " is" : "es are");
}

/* Groups that are as good as root are taken away inside; files that they may write stay theirs outside. */
void probe_user(const struct cli_user *user, struct doctor_result *ret)
{
	gid_t all[USER_GROUPS_MAX];
	int n = USER_GROUPS_MAX;

	if (!user) {
		doctor_say(ret, DOCTOR_OK, "none was named: bridle run takes the caller of sudo, or --user");
		return;
	}
	if (getgrouplist(user->name, user->gid, all, &n) < 0) {
		doctor_say(ret, DOCTOR_WARN, "%s is in too many groups to tell them", user->name);
		return;
	}
	if ((uint32_t)n > user->n_groups)
		doctor_say(ret, DOCTOR_WARN,
			   "%s (uid %u) is in %d group%s that %s as good as root (docker, disk, ...); inside it is not",
			   user->name, user->uid, n - (int)user->n_groups, n - (int)user->n_groups == 1 ? "" : "s",
			   n - (int)user->n_groups == 1 ? "is" : "are");
	else
		doctor_say(ret, DOCTOR_OK, "%s (uid %u), in no group that is as good as root", user->name, user->uid);
}
