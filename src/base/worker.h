/*
 * worker.h - the parts of a worker, for the files of base that make them. Nobody else includes it.
 *
 * worker_attach() calls the makers in this order, worker_detach() the enders in the reverse one.
 */
#ifndef WARREN_BASE_WORKER_H
#define WARREN_BASE_WORKER_H

#include "base/clock.h"

/* mbuf.c: the cache of worker id; giving it back hands all that it holds to the shared pool. */
struct m_cache *m_cache_open(uint32_t id);
void m_cache_close(struct m_cache *c);

/* callout.c: NULL without memory. What is still armed at the end is disarmed. */
struct callout_wheel *callout_wheel_new(uint32_t worker_id);
void callout_wheel_free(struct callout_wheel *w);

/* sched.c: NULL without memory. Domains that are left are freed. */
struct sched *sched_new(void);
void sched_free(struct sched *sc);

/* rcu.c: run what this thread has registered and give its record back. */
void rcu_thread_leave(void);

/*
 * callout.c for sched.c. callout_bound() is callout_next() without the promise to be exact: never
 * later than the earliest deadline, and O(1). callout_advance() says that no callout is earlier
 * than now_ns and none will be armed before it. callout_run_one() runs the first callout that is
 * due at now_ns; false if there is none.
 */
uint64_t callout_bound(void);
void callout_advance(uint64_t now_ns);
bool callout_run_one(uint64_t now_ns);

/* Counters that one worker writes and others read: plain moves, but no race. */
#define counter_get(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define counter_set(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

#endif
