/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long one connect() takes: `connect COUNT` to a listener of its own on loopback, served by a child on the other core;
 * `connect COUNT ADDRESS PORT` to an address, which in a sandbox the hooks turn round. Only the call is timed; between two
 * there is a pause, so that whoever accepts keeps up. Prints the median and both ends of the middle 80 % in ns, as JSON.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 100000
#define PAUSE_US  150

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Accepts and closes on core 1 until its parent ends. */
static void serve(int listener)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(1);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			(void)close(fd);
	}
}

static int listen_here(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (const struct sockaddr *)at, size) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &size) < 0)
		return -1;
	return fd;
}

/* ns of one connect(); negative: it failed. */
static double once(const struct sockaddr_in *to)
{
	const struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;
	double start, took;

	if (fd < 0)
		return -1;
	start = now_ns();
	r = connect(fd, (const struct sockaddr *)to, sizeof(*to));
	took = now_ns() - start;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* no TIME-WAIT: ports would run out */
	(void)close(fd);
	return r == 0 ? took : -1;
}

int main(int argc, char **argv)
{
	static double took[COUNT_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET };
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

	if ((argc != 2 && argc != 4) || n == 0 || n > COUNT_MAX ||
	    (argc == 4 && inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)) {
		(void)fprintf(stderr, "usage: connect COUNT [ADDRESS PORT]\n");
		return 2;
	}
	pin(0);
	if (argc == 4) {
		to.sin_port = htons((uint16_t)atoi(argv[3]));
	} else {
		int listener = listen_here(&to);
		pid_t child = listener < 0 ? -1 : fork();

		if (child < 0)
			return 2;
		if (child == 0)
			serve(listener);
	}
	for (size_t i = 0; i < n; i++) {
		took[i] = once(&to);
		if (took[i] < 0) {
			perror("connect");
			return 1;
		}
		(void)usleep(PAUSE_US);
	}
	qsort(took, n, sizeof(took[0]), by_size);
	printf("{\"median_ns\": %.0f, \"p10_ns\": %.0f, \"p90_ns\": %.0f}\n", took[n / 2], took[n / 10],
	       took[n * 9 / 10]);
	return 0;
}
