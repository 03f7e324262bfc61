/*
 * ip6_flowtable.h - next hops of IPv6 packets, by way of the flow cache where it is on.
 */
#ifndef WARREN_INET6_IP6_FLOWTABLE_H
#define WARREN_INET6_IP6_FLOWTABLE_H

#include "inet6/ip6.h"
#include "route/flowtable.h"

/* All packets at complete headers, in one FIB. */
bool ip6_flowtable_lookup(struct flowtable *ft, const struct batch *b, struct nexthop **nh);

/* As fib_lookup6_batch, for packets whose destinations are dst. */
static inline bool
ip6_lookup_batch(const struct batch *b, const struct in6 *const *dst, struct nexthop **nh)
{
	struct flowtable *ft = V_flow_packets[AF_SLOT_INET6];

	if (__builtin_expect(V_flowtable_enable && ft != NULL, 0))
		return ip6_flowtable_lookup(ft, b, nh);
	return fib_lookup6_batch(b->m[0]->fib, dst, nh, b->n);
}

#endif
