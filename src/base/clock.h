/*
 * clock.h - time, and the worker that has it.
 *
 * Time is a parameter: all code asks clock_now(). It counts nanoseconds from 0 at the start of the
 * process (live: CLOCK_MONOTONIC less its value at the start; virtual: whatever sched.h says).
 * A worker is one thread that moves packets, or the only thread of a program in virtual time; it
 * has its own clock, callout wheel, mbuf cache and event sources. curworker is never NULL on a
 * thread that called worker_attach(); worker 0 is attached to the first thread at start.
 */
#ifndef WARREN_BASE_CLOCK_H
#define WARREN_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)
#define NS_NEVER UINT64_MAX

enum clock_mode { CLOCK_LIVE, CLOCK_VIRTUAL };
enum { WORKERS_MAX = 32 };

struct callout_wheel;
struct sched;
struct m_cache;

struct worker {
	uint64_t now_ns; /* what clock_now() returns; set by clock_update() and sched */
	uint32_t id;     /* 0 .. WORKERS_MAX - 1 */
	enum clock_mode mode;
	struct callout_wheel *wheel; /* callout.h */
	struct sched *sched;         /* sched.h */
	struct m_cache *mcache;      /* mbuf.c */
	void *netisr;                /* kern/netisr.c's workstream */
};

extern __thread struct worker *curworker;

/*
 * Make this thread worker id, with a clock of that mode at 0, an empty wheel, sched and cache.
 * Returns it, or NULL when id is taken.
 */
struct worker *worker_attach(uint32_t id, enum clock_mode mode);

/* Give the thread's worker back: everything it holds is freed. Callouts must be drained by then. */
void worker_detach(void);

/* Number of workers attached now. */
uint32_t worker_count(void);

/* Now, ns. Cheap: a load. In live mode it is as of the last clock_update(). */
static inline uint64_t
clock_now(void)
{
	return curworker->now_ns;
}

/* Live: read the system's clock. Virtual: nothing. Returns now. */
uint64_t clock_update(void);

/*
 * Virtual: put the worker's time at t (a packet's when_ns, in the middle of a batch). Live:
 * nothing.
 */
static inline void
clock_at(uint64_t t_ns)
{
	if (curworker->mode == CLOCK_VIRTUAL)
		curworker->now_ns = t_ns;
}

/*
 * Wall-clock time, ns since 1970, that corresponds to clock 0: for captures. In virtual time a
 * fixed instant.
 */
uint64_t clock_epoch_ns(void);

/*
 * Real ns of CLOCK_MONOTONIC, in both modes: for progress lines and benchmarks only, never for a
 * packet.
 */
uint64_t clock_real_ns(void);

#endif
