/*
 * netisr_internal.h - what netisr.c lets netisr_show.c see.
 */
#ifndef WARREN_KERN_NETISR_INTERNAL_H
#define WARREN_KERN_NETISR_INTERNAL_H

#include "base/clock.h"
#include "kern/netisr.h"

#include <stdatomic.h>

/* One protocol on one workstream. */
struct netisr_work {
	uint64_t dispatched, hybrid_dispatched, qdrops, queued, handled;
	uint32_t len, watermark;
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

extern const struct netisr_handler *netisr_proto[NETISR_MAXPROT]; /* by protocol; NULL = free */
extern uint32_t netisr_proto_qlimit[NETISR_MAXPROT];
extern struct netisr_workstream *netisr_workstream[WORKERS_MAX];  /* by worker; NULL = none */

#endif
