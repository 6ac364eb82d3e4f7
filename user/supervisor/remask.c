/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mask lies on a directory, not on its name: when somebody renames the directory away and puts another in its place,
 * the new one is not hidden. A thread enters the sandbox's mount namespace and hides it too. Until then (the paths are
 * looked at every second) only the file's own mode keeps the command from reading it, which is why the warning says so.
 */
#include "supervisor/remask.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/util.h"

#define MASK_OPTIONS "mode=0700,size=4k,nr_inodes=2"

struct remask_job {
	int namespace_fd;
	const char *path;
	int error;
};

static void *remask_thread(void *arg)
{
	struct remask_job *job = arg;

	/* a thread that shares its root and working directory may not change its mount namespace */
	if (unshare(CLONE_FS) < 0 || setns(job->namespace_fd, CLONE_NEWNS) < 0 ||
	    mount("bridle", job->path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, MASK_OPTIONS) < 0)
		job->error = -errno;
	return NULL;
}

void remask_directory(pid_t init, const char *path)
{
	struct remask_job job = { .path = path };
	char name[64];
	auto_fd int fd = -1;
	pthread_t thread;

	if (init <= 0)
		return; /* nothing runs that could look */
	(void)snprintf(name, sizeof(name), "/proc/%d/ns/mnt", init);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	job.namespace_fd = fd;
	job.error = fd < 0 ? -errno : -pthread_create(&thread, NULL, remask_thread, &job);
	if (job.error == 0)
		(void)pthread_join(thread, NULL);
	if (job.error < 0)
		log_error("the secret's directory %s was replaced, and the new one cannot be hidden from the command: "
			  "%s; end the "
			  "sandbox if its files are readable by others",
			  path, strerror(-job.error));
	else
		log_warning("the secret's directory %s was replaced: the new one is hidden from the command, too",
			    path);
}
