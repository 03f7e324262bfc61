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
	uint16_t spare[FIB_HOPS];      /* numbers that are free again */
	uint32_t nspare;
	uint32_t used; /* numbers below it were given out before */
	uint32_t live; /* numbers with a reference */
};

/*
 * A reference to the number of nh, or of what it shares with others; 0 if FIB_HOPS - 1 others are
 * there.
 */
uint16_t fib_hop_get(struct fib_hops *h, struct nexthop *nh);
/*
 * True: that was the last one, and the number is not given out again before fib_hop_free, since
 * packets may hold it. 0 is nobody's number.
 */
bool fib_hop_put(struct fib_hops *h, uint16_t number);
void fib_hop_free(struct fib_hops *h, uint16_t number);
/* Is it what several routes share, and not the next hop of one of them or a group? */
static inline bool
fib_hop_is_shared(const struct nexthop *nh)
{
	return nh->rt != NULL && nh->rt->dst.family == 0;
}
/* Packets have a new block, in which no number is that has no reference: all those are free. */
void fib_hop_new_block(struct fib_hops *h);

#endif
