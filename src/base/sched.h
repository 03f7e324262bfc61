/*
 * sched.h - what happens next: event sources, in live and in virtual time.
 *
 * An event source is something that has a next event at a known time: a link with packets in
 * flight, a traffic generator. The scheduler of a worker holds the sources and the callout wheel
 * and always does what is due first. In live time due means "not after now"; in virtual time the
 * clock jumps.
 *
 * Batching that is exact. One event per packet and hop costs more than the packet's own work, so
 * the scheduler works in windows (conservative parallel simulation: Chandy and Misra 1979;
 * Nicol's windows). Sources belong to domains: a domain is one stack, or several that are coupled
 * without delay. What happens in a domain at time t reaches another domain at t + lookahead or
 * later, where the lookahead is the least delay plus serialisation of all links between domains.
 * So with T the earliest event of all, everything in [T, T + lookahead) may be done domain by
 * domain; inside a domain, in the order of time. A source's run function is told how far it may go,
 * and hands a whole batch of packets, each with its own when_ns, to its stack.
 *
 * A domain of several stacks (coupled without delay) runs one instant at a time: `serial`.
 *
 * Contract that keeps this exact: a stack never lets a packet overtake an earlier one of the same
 * batch on its way to the same interface. Code that makes a packet in answer to another (an ICMP
 * error, an echo reply) flushes what it holds back first, and sets clock_at(m->when_ns).
 */
#ifndef WARREN_BASE_SCHED_H
#define WARREN_BASE_SCHED_H

#include "base/clock.h"

struct sched_domain;

struct sched_source {
	uint64_t next_ns; /* time of its next event; NS_NEVER = none. Change by sched_update only */
	/*
	 * Do all events with a time < until_ns, at most one batch's worth or as many as is
	 * sensible, in order, then set src->next_ns (by assignment) to the next one and return.
	 * Always does at least the first event. The clock stands at next_ns when called.
	 */
	void (*run)(struct sched_source *src, uint64_t until_ns);
	struct sched_domain *domain; /* where its events happen (the receiving side of a link) */
	uint32_t heap_index;         /* the scheduler's */
	uint64_t seq; /* the scheduler's: order among equal times = order of sched_add */
};

/*
 * A new domain of this worker; serial when it stands for several coupled stacks. Freed by
 * sched_domain_free when it has no source left.
 */
struct sched_domain *sched_domain_new(bool serial);
void sched_domain_set_serial(struct sched_domain *d, bool serial);
void sched_domain_free(struct sched_domain *d);

/*
 * Register a source (borrowed until sched_remove) that happens in d; NULL = the worker's common
 * domain, which is serial.
 */
void sched_add(struct sched_source *src, struct sched_domain *d);
void sched_remove(struct sched_source *src);

/* The source's next event is now at next_ns (called by others than its own run). */
void sched_update(struct sched_source *src, uint64_t next_ns);

/*
 * Least delay in ns of anything from one domain to another; links say it when they are configured.
 * 0 = one instant at a time.
 */
void sched_set_lookahead(uint64_t ns);
uint64_t sched_lookahead(void);

/*
 * Most packets that a source hands on at once; BATCH_MAX (64) unless a test lowers it to show that
 * batching changes no result. Sources ask it, the scheduler doesn't.
 */
extern uint32_t sched_max_batch;

/*
 * Packets that a walk leaves behind for later at the same instant (netisr's queues) are drained by
 * this hook after every source run and callout; kern/netisr.c sets it. Returns true if it did
 * anything.
 */
extern bool (*sched_drain)(void);

/* Earliest thing to do, NS_NEVER if nothing. */
uint64_t sched_next(void);

/*
 * Virtual: do everything with a time < until_ns, then put the clock at until_ns (or, with until_ns
 * NS_NEVER, stop when nothing is left). Live: do everything due by clock_update(), return at once.
 * Returns the number of source runs and callouts. Stops early after sched_stop().
 */
uint64_t sched_run(uint64_t until_ns);
void sched_stop(void);

#endif
