/*
 * netisr_internal.h - what netisr.c lets netisr_show.c see.
 */
#ifndef WARREN_KERN_NETISR_INTERNAL_H
#define WARREN_KERN_NETISR_INTERNAL_H

#include "base/clock.h"
#include "kern/netisr.h"

#include <stdatomic.h>

/*
 * One protocol on one workstream. The owner's counters are read by others: plain moves, but whole
 * ones.
 */
struct netisr_work {
	uint64_t dispatched, hybrid_dispatched, qdrops, queued, handled;
	uint64_t len, watermark;
	/* written by other workers */
	_Atomic uint32_t remote_len; /* in the ring */
	_Atomic uint64_t remote_qdrops, remote_queued;
};

struct netisr_workstream {
	uint32_t id; /* the worker's */
	bool running;
	atomic_flag lock;
	struct mbufq queue;
	struct ring *ring;
	struct netisr_work work[NETISR_MAXPROT];
};

static inline uint64_t
count_get(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void
count_add(uint64_t *p, uint64_t n)
{
	__atomic_store_n(p, count_get(p) + n, __ATOMIC_RELAXED);
}

/* The highest value so far. */
static inline void
count_top(uint64_t *p, uint64_t n)
{
	if (n > count_get(p))
		__atomic_store_n(p, n, __ATOMIC_RELAXED);
}

extern const struct netisr_handler *netisr_proto[NETISR_MAXPROT]; /* by protocol; NULL = free */
extern uint32_t netisr_proto_qlimit[NETISR_MAXPROT];
extern struct netisr_workstream *netisr_workstream[WORKERS_MAX]; /* by worker; NULL = none */

#endif
