/*
 * fib_hop.h - the next hops of a compiled FIB by number: 15 bits instead of a pointer, and one for
 * all routes that lead the same way.
 */
#ifndef WARREN_ROUTE_FIB_HOP_H
#define WARREN_ROUTE_FIB_HOP_H

#include "route/rib.h"

enum { FIB_HOPS = 1 << 15, FIB_HOP_HASH = 2 * FIB_HOPS };

/* Of one table; the control side's alone. Number 0 is not given out. */
struct fib_hops {
	struct nexthop *hop[FIB_HOPS]; /* NULL = free; as packets get it */
	uint32_t refs[FIB_HOPS];
	uint16_t bucket[FIB_HOP_HASH]; /* open addressing, 0 = empty */
	/*
	 * Numbers that are free again, and behind them those that readers of the present block may
	 * still hold: they wait for the next block.
	 */
	uint16_t spare[FIB_HOPS];
	uint32_t nspare, nwaiting;
	uint32_t used; /* numbers below it were given out before */
};

/*
 * A reference to the number of nh, or of what it shares with others; 0 if FIB_HOPS - 1 others are
 * there.
 */
uint16_t fib_hop_get(struct fib_hops *h, struct nexthop *nh);
void fib_hop_put(struct fib_hops *h, uint16_t number);
/* Is it what several routes share, and not the next hop of one of them or a group? */
static inline bool
fib_hop_is_shared(const struct nexthop *nh)
{
	return nh->rt != NULL && nh->rt->dst.family == 0;
}
/* A new block has no number any more that has no reference. */
void fib_hop_new_block(struct fib_hops *h);

#endif
