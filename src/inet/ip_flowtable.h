/*
 * ip_flowtable.h - next hops of IPv4 packets, by way of the flow cache where it is on.
 */
#ifndef WARREN_INET_IP_FLOWTABLE_H
#define WARREN_INET_IP_FLOWTABLE_H

#include "inet/ip.h"
#include "route/flowtable.h"

/* All packets at complete headers of 20 bytes or more, in one FIB. */
bool ip_flowtable_lookup(struct flowtable *ft, const struct batch *b, struct nexthop **nh);

/* What the first bytes of a transport header say of a flow; len of them are there, 4 or more. */
enum flow_class ip_flow_class(uint8_t proto, const uint8_t *l4, uint32_t len);

/* As fib_lookup4_batch, for packets whose destinations are dst. */
static inline bool
ip_lookup_batch(const struct batch *b, const uint32_t *dst, struct nexthop **nh)
{
	struct flowtable *ft = V_flow_packets[AF_SLOT_INET];

	if (__builtin_expect(V_flowtable_enable && ft != NULL, 0))
		return ip_flowtable_lookup(ft, b, nh);
	return fib_lookup4_batch(b->m[0]->fib, dst, nh, b->n);
}

#endif
