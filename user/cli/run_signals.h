/* SPDX-License-Identifier: Apache-2.0 */
/* Signals and the terminal while a command runs: both are the command's own, bridle only stands aside. */
#ifndef BRIDLE_CLI_RUN_SIGNALS_H
#define BRIDLE_CLI_RUN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"

struct run_signals {
	struct io io;		   /* of the signalfd, which it owns */
	struct loop *loop;	   /* borrowed */
	int tty;		   /* owned: the controlling terminal; -1: none */
	bool was_foreground;	   /* we had the terminal when we started */
	sigset_t before;	   /* our signal mask then */
	uint64_t ignored, blocked; /* the caller's, for the command: bit n-1 for signal n */
	bool command_runs;	   /* set by the owner: signals are the command's from then on */
	void (*deliver)(void *arg, int signal);
	void *arg;
};

/*
 * From now on signals wait for the loop. deliver is called for each that is the command's: all that a process sent us,
 * not those that the terminal sends to the command itself. Before the command runs it is called for each that would
 * have ended us, ^C too. SIGCHLD and SIGXFSZ are set as we need them; the command gets the caller's. 0 or -errno.
 */
int run_signals_init(struct run_signals *s, struct loop *loop, void (*deliver)(void *arg, int signal), void *arg);

/* The command stopped: stop ourselves, so that the shell notices; when the shell continues us, continue the command. */
void run_signals_stop(struct run_signals *s);

/* Gives the terminal back to our process group if we had it, and restores the mask. Fine when init failed. */
void run_signals_done(struct run_signals *s);

/* Whether deliver is called for a signal. */
bool run_signals_is_delivered(const struct run_signals *s, int signal, bool from_process);

#endif
