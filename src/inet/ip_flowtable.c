/*
 * ip_flowtable.c - an IPv4 packet's key in the flow cache (route/flowtable.h).
 *
 * Ports are read only if the table asks for them, and never of fragments (behaviours 19; the same
 * words as inet/ip_flow.h, so that a flow that is remembered goes where it went before).
 */
#include "inet/ip_flowtable.h"

#include "route/flow.h"

/* What TCP's flags, the byte behind ports, sequence, acknowledgement and offset, say of a flow. */
enum { TCP_FLAGS_AT = 13, TH_FIN_ = 0x01, TH_SYN_ = 0x02, TH_RST_ = 0x04 };

enum flow_class
ip_flow_class(uint8_t proto, const uint8_t *l4, uint32_t len)
{
	uint8_t flags;

	if (proto == IPPROTO_UDP_)
		return FLOW_UDP;
	if (proto != IPPROTO_TCP_ || len <= TCP_FLAGS_AT)
		return FLOW_OTHER;
	flags = l4[TCP_FLAGS_AT];
	return flags & (TH_FIN_ | TH_RST_) ? FLOW_FIN : flags & TH_SYN_ ? FLOW_SYN : FLOW_TCP;
}

static uint64_t
packet_l4(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const uint32_t hlen = ip_hlen(ip);
	const uint8_t *l4 = m->data + hlen;

	if (!flow_has_ports(ip->proto) || m->len < hlen + 4 ||
	    (from_be16(ip->off) & (IP_MF_ | IP_OFFMASK_)))
		return flow_l4(ip->proto, 0, FLOW_OTHER);
	return flow_l4(ip->proto, load32(l4), ip_flow_class(ip->proto, l4, m->len - hlen));
}

bool
ip_flowtable_lookup(struct flowtable *ft, const struct batch *b, struct nexthop **nh)
{
	const bool ports = flowtable_flags(ft) & FL_HASH_ALL;
	struct flow_key key[BATCH_MAX];

	for (uint32_t i = 0; i < b->n; i++) {
		const struct ip_hdr *ip = mtod(b->m[i], const struct ip_hdr *);

		flow_key4(&key[i], b->m[i]->fib, ip->src, ip->dst, ports ? packet_l4(b->m[i]) : 0);
	}
	return flowtable_lookup_batch(ft, key, nh, b->n);
}

static void
ip_flowtable_init(void *arg)
{
	(void)arg;
	flow_lltable[AF_SLOT_INET] = in_lltable;
}
VNET_SYSINIT(ip_flowtable, SI_SUB_INET, SI_ORDER_ANY, ip_flowtable_init, NULL);
