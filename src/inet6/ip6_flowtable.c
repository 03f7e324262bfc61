/*
 * ip6_flowtable.c - an IPv6 packet's key in the flow cache (route/flowtable.h).
 *
 * Behind extension headers the flow label stands for the ports, as in inet6/ip6_flow.h.
 */
#include "inet6/ip6_flowtable.h"

#include "inet/ip_flowtable.h"
#include "route/flow.h"

static uint64_t
packet_l4(const struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	const uint8_t *l4 = m->data + IP6_HDRLEN;

	if (!flow_has_ports(ip6->nxt) || m->len < IP6_HDRLEN + 4)
		return flow_l4(ip6->nxt, ip6_flowlabel(ip6), FLOW_OTHER);
	return flow_l4(ip6->nxt, load32(l4), ip_flow_class(ip6->nxt, l4, m->len - IP6_HDRLEN));
}

bool
ip6_flowtable_lookup(struct flowtable *ft, const struct batch *b, struct nexthop **nh)
{
	const bool ports = flowtable_flags(ft) & FL_HASH_ALL;
	struct flow_key key[BATCH_MAX];

	for (uint32_t i = 0; i < b->n; i++) {
		const struct ip6_hdr *ip6 = mtod(b->m[i], const struct ip6_hdr *);

		flow_key6(
		    &key[i], b->m[i]->fib, &ip6->src, &ip6->dst, ports ? packet_l4(b->m[i]) : 0);
	}
	return flowtable_lookup_batch(ft, key, nh, b->n);
}

static void
ip6_flowtable_init(void *arg)
{
	(void)arg;
	flow_lltable[AF_SLOT_INET6] = in6_lltable;
}
VNET_SYSINIT(ip6_flowtable, SI_SUB_INET6, SI_ORDER_ANY, ip6_flowtable_init, NULL);
