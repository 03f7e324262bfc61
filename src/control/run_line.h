/*
 * run_line.h - a command to its end, in whatever time the process has: for the embedding API and
 * for the console with stacks of its own.
 */
#ifndef WARREN_CONTROL_RUN_LINE_H
#define WARREN_CONTROL_RUN_LINE_H

#include "kern/verb.h"

struct prison;

/*
 * Run words in a jail (NULL = the host) and wait until they have ended: in virtual time by running
 * the stacks, in live time by turning the loop. io->done and io->ctx belong to the caller as in
 * verb_exec. In virtual time a command that waits for what will never happen is cancelled, and so
 * is one when *interrupted becomes true (may be NULL; whoever sets it in live time also wakes the
 * loop, in virtual time calls sched_stop()). Returns the exit status.
 */
int run_words(int argc, char *const argv[], struct prison *prison, const struct verb_io *io,
    const volatile int *interrupted);

#endif
