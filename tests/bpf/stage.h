/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage of the hook tests: two network namespaces joined by a veth pair, a throw-away cgroup with the real programs
 * attached, our listeners in the first namespace, and a capture on the far end of the pair. A program under test is a
 * function that runs in a forked process, inside the cgroup or, as the control, outside.
 */
#ifndef BRIDLE_TESTS_BPF_STAGE_H
#define BRIDLE_TESTS_BPF_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "supervisor/kernel.h"

#define STAGE_NEAR4	 "10.77.1.2" /* the sandbox's own address on the veth */
#define STAGE_NEAR6	 "fd77:1::2"
#define STAGE_FAR4	 "10.77.1.1" /* its gateway, in the other namespace */
#define STAGE_FAR6	 "fd77:1::1"
#define STAGE_SERVER4	 "10.77.9.9" /* nobody: packets to it must show, or not, on the veth */
#define STAGE_SERVER6	 "fd77:9::9"
#define STAGE_DEVICE	 "near0"
#define STAGE_SANDBOX	 7 /* id */
#define STAGE_PROXY_PORT 3128
#define STAGE_EVENTS_MAX 512

enum stage_socket { STAGE_TCP4 = 0, STAGE_TCP6, STAGE_DNS4, STAGE_DNS6, STAGE_SOCKETS };

/* What the program under test tells the test; in memory that both share. */
struct note {
	int result; /* errno of the attempt, 0: it worked */
	struct sockaddr_storage local, peer, from;
	uint64_t cookie;
	int pid;
	char text[64];
	volatile int ready, released;
};

struct stage {
	int home, near, far; /* network namespaces */
	int capture;	     /* packet socket on the far end */
	int sockets[STAGE_SOCKETS];
	uint16_t ports[STAGE_SOCKETS];
	uint64_t cookie; /* of near */
	char cgroup[128], pin_dir[128];
	int cgroup_fd;
	uint64_t cgroup_id;
	struct kernel *kernel;
	struct note *note;
	struct denial events[STAGE_EVENTS_MAX];
	size_t n_events;
};

extern struct stage stage;

/* Group setup and teardown. stage_setup() activates the sandbox too; stage_setup_bare() makes all but the programs. */
int stage_setup(void **state);
int stage_setup_bare(void **state);
int stage_teardown(void **state);

/* Loads, attaches and, when asked to, activates. Asserts. */
void stage_attach(void);
void stage_activate(void);
void stage_activate_as(bool loopback_only);
/* Takes the programs off and forgets them. */
void stage_detach(void);
/* Takes one program off, so that the others are seen to hold alone. */
void stage_detach_hook(const char *name);

enum place { OUTSIDE = 0, INSIDE };
enum who { NOBODY = 0, ROOT };

typedef int (*program_fn)(void); /* returns an errno, kept in note->result */

/* Runs to the end; returns note->result. */
int stage_run(enum place place, enum who who, program_fn fn);
/* In two halves: the program calls stage_hold() and goes on after stage_release(). */
int stage_start(enum place place, enum who who, program_fn fn);
void stage_hold(void);
void stage_release(int pid);
/* Waits until the program holds or ended. */
void stage_wait_ready(int pid);

/* Packets seen by the capture since the last call that fn accepts; waits for the first up to wait_ms. */
typedef bool (*frame_fn)(const uint8_t *frame, size_t n);
int stage_count_frames(frame_fn fn, int wait_ms);
/* IPv4 but IGMP, and IPv6 but ICMPv6 and hop-by-hop: nothing that the kernel sends by itself. */
bool frame_is_payload(const uint8_t *frame, size_t n);
bool frame_is_icmp(const uint8_t *frame, size_t n);
/* A group report that holds the address of the join under test. */
#define STAGE_GROUP4 "239.77.1.9"
#define STAGE_GROUP6 "ff05::77:109"
bool frame_is_group4(const uint8_t *frame, size_t n);
bool frame_is_group6(const uint8_t *frame, size_t n);

/* The newest event of this kind, or NULL. Reads the ring. */
const struct denial *stage_find_event(enum hook hook, enum why why);
void stage_forget_events(void);

/* Runs fn with the calling thread in a namespace: for sockets of the test itself. */
int stage_socket(int netns, int family, int type, const char *address, uint16_t port);

/* "10.1.2.3" or "fd77::1" or "::ffff:10.1.2.3" (family chosen by the text) and a port. */
socklen_t address_make(struct sockaddr_storage *ret, const char *text, uint16_t port);
/* "address port" of a socket address, for comparison. */
const char *address_text(const struct sockaddr_storage *a);
uint16_t address_port(const struct sockaddr_storage *a);

#endif
