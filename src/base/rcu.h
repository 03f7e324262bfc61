/*
 * rcu.h - readers that never wait.
 *
 * The upper half builds a new version of a table, publishes it with one pointer store, and frees
 * the old one when no batch that could have seen it is still being worked on. A shim over ck_epoch;
 * a worker's section is one batch or one turn of its loop.
 */
#ifndef WARREN_BASE_RCU_H
#define WARREN_BASE_RCU_H

#include <stddef.h>

/* A worker's section. Nests. */
void rcu_read_lock(void);
void rcu_read_unlock(void);

/* Embed where something is freed late. */
struct rcu_head {
	void *ck[3]; /* room for ck_epoch_entry_t */
	void (*fn)(struct rcu_head *);
};

/*
 * Call fn(h) when all sections of now have ended, on this thread (rcu_poll, rcu_synchronize, or its
 * end). Order of calls = order of registration.
 */
void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *));

/*
 * Wait until all sections of now have ended and the calls registered before have run. Never inside
 * a section.
 */
void rcu_synchronize(void);

/* Run the calls that are ripe; the worker's loop does it between batches. Never waits. */
void rcu_poll(void);

#define rcu_publish(pp, v) __atomic_store_n(pp, v, __ATOMIC_RELEASE)
#define rcu_deref(pp) __atomic_load_n(pp, __ATOMIC_CONSUME)

#endif
