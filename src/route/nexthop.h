/*
 * nexthop.h - groups of next hops: what stands in a FIB where a prefix has several routes. nexthop.c
 * chooses among them for packets, rib_path.c makes and changes them.
 */
#ifndef WARREN_ROUTE_NEXTHOP_H
#define WARREN_ROUTE_NEXTHOP_H

#include "route/route.h"

/*
 * Several paths to one prefix; the flow decides. A path that leaves or is replaced does so in its
 * place, by one store, so that this never needs memory.
 */
struct nexthop_group {
	struct nexthop nh; /* RTF_MULTIPATH */
	struct rcu_head rcu;
	uint64_t seed; /* of the stack: routers in a row don't all choose alike */
	uint32_t n;
	bool weighted;          /* the weights differ */
	struct nexthop *path[]; /* NULL: has left */
};

/*
 * Routes whose masks are no prefixes, all with the same leading ones: the FIB has them at that
 * prefix, and the rest of the destination decides.
 */
struct nexthop_bymask {
	struct nexthop nh; /* RTF_MULTIPATH, RTF_BYMASK */
	struct rcu_head rcu;
	struct radix_node rn;   /* in the table's tree of these */
	struct rt_addr dst;     /* the prefix */
	struct nexthop *base;   /* of the prefix itself, if it has a route; a group, perhaps */
	struct nexthop *behind; /* without that: of the next shorter prefix */
	uint32_t n;
	struct nexthop_masked {
		struct nexthop *nh; /* NULL: has left */
		uint8_t key[16], mask[16];
	} by[]; /* the first that matches is the best */
};

static inline struct nexthop_group *
nexthop_group_of(struct nexthop *nh)
{
	return (struct nexthop_group *)(void *)nh;
}
static inline struct nexthop_bymask *
nexthop_bymask_of(struct nexthop *nh)
{
	return (struct nexthop_bymask *)(void *)nh;
}

/* Fill in what a choice needs of a path: its name and its weight. */
void nexthop_set_path(struct nexthop *nh, const struct rt_addr *gateway, uint32_t weight);

#endif
