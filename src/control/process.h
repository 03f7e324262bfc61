/*
 * process.h - the process as a whole: start and end of all floors, once, in order.
 */
#ifndef WARREN_CONTROL_PROCESS_H
#define WARREN_CONTROL_PROCESS_H

#include "base/clock.h"

/*
 * Attach worker 0 with this clock, set the seed and the tunables ("NAME=VALUE", NULL-terminated),
 * start the kernel floor. 0; -EINVAL with *why for a bad tunable; -EBUSY if already started.
 */
int process_start(
    enum clock_mode mode, uint64_t seed, const char *const *tunables, const char **why);
/* Destroy all stacks, free everything. */
void process_stop(void);

#endif
