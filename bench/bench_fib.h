/*
 * bench_fib.h - a full Internet table (bench_rib.h) in a stack's table for packets.
 */
#ifndef WARREN_BENCH_FIB_H
#define WARREN_BENCH_FIB_H

#include "bench_rib.h"

#include "route/rib.h"

static struct nexthop bench_hop[RIB_HOPS];

static inline struct rt_addr
bench_prefix(const struct rib_prefix *p, bool six)
{
	return rt_addr_make(six ? AF_INET6 : AF_INET, p->addr, p->plen);
}

static inline void
bench_fib_load(const struct rib_table *t, bool six, uint8_t fib)
{
	const struct rib_prefix *p = six ? t->p6 : t->p4;

	for (uint32_t i = 0; i < (six ? t->n6 : t->n4); i++) {
		struct rt_addr dst = bench_prefix(&p[i], six);

		bench_require(fib_set(fib, &dst, &bench_hop[p[i].hop]) == 0);
		if (i % 1024 == 0)
			rcu_poll();
	}
}

static inline void
bench_fib_unload(const struct rib_table *t, bool six, uint8_t fib)
{
	const struct rib_prefix *p = six ? t->p6 : t->p4;

	for (uint32_t i = 0; i < (six ? t->n6 : t->n4); i++) {
		struct rt_addr dst = bench_prefix(&p[i], six);

		fib_clear(fib, &dst);
		if (i % 1024 == 0)
			rcu_poll();
	}
}

/* A prefix leaves and comes back. */
static inline void
bench_fib_change(const struct rib_prefix *p, bool six, uint8_t fib)
{
	struct rt_addr dst = bench_prefix(p, six);

	fib_clear(fib, &dst);
	bench_require(fib_set(fib, &dst, &bench_hop[p->hop]) == 0);
}

#endif
