/*
 * callout.h - timers.
 *
 * A callout calls a function once at a deadline. It belongs to the worker that armed it and runs
 * there only; so stopping and draining are trivial: when callout_stop returns, the function is not
 * running and will not run. Deadlines are exact to the ns in virtual time; equal deadlines fire in
 * the order of arming. The shortest delay is CALLOUT_MIN_NS (a BSD tick): what must be finer is an
 * event source of sched.h.
 *
 * Hierarchical timing wheel (Varghese and Lauck, SOSP 1987, scheme 7): arm and stop are O(1).
 */
#ifndef WARREN_BASE_CALLOUT_H
#define WARREN_BASE_CALLOUT_H

#include "base/clock.h"

#include <bsd/sys/queue.h>
#include <stddef.h>
#include <stddef.h>

#define CALLOUT_MIN_NS NS_PER_MS

struct vnet;

struct callout {
	TAILQ_ENTRY(callout) link; /* of a slot of the wheel */
	uint64_t when_ns;          /* deadline, valid while armed */
	uint64_t seq;              /* order among equal deadlines */
	void (*fn)(void *arg);
	void *arg;
	struct vnet *vnet;     /* current stack to set around fn; NULL = none (see kern/vnet.h) */
	struct worker *worker; /* armed on; NULL = not armed */
};

/* Prepare c; fn(arg) will run in stack vnet. */
void callout_init(struct callout *c, struct vnet *vnet, void (*fn)(void *), void *arg);

/*
 * Arm, or move the deadline, to now + delay_ns (at least CALLOUT_MIN_NS). Returns true if it was
 * armed already.
 */
bool callout_reset(struct callout *c, uint64_t delay_ns);

/*
 * Disarm. Returns true if it was armed (so the caller takes back the reference that the timer
 * held).
 */
bool callout_stop(struct callout *c);

/*
 * Disarm and wait until it certainly doesn't run. Never call it holding a lock that fn takes (debug
 * builds assert).
 */
bool callout_drain(struct callout *c);

static inline bool
callout_armed(const struct callout *c)
{
	return c->worker != NULL;
}

/* Called around each callout so that kern/vnet.c can set the current stack; set once at start. */
extern void (*callout_enter_vnet)(struct vnet *vnet);
extern void (*callout_leave_vnet)(struct vnet *vnet);

/*
 * For sched.c: earliest deadline of this worker (NS_NEVER if none), and run what is due at now.
 * Returns how many ran.
 */
uint64_t callout_next(void);
uint32_t callout_run(uint64_t now_ns);

/* Armed callouts of all workers: a number of the leak audit. */
uint64_t callout_live(void);

#endif
