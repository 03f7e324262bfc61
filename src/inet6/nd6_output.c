/*
 * nd6_output.c - IPv6 packets out of an Ethernet interface: each gets the link header of its next
 * hop.
 *
 * The fast way is both families' (inet/ether_output.h). A neighbour that has gone stale still has
 * its header, but the first packet through it comes here, starts the delay before it is probed, and
 * goes on.
 */
#include "inet/ether_output.h"
#include "inet6/nd6_internal.h"

DROP_DEFINE(DROP_ND6_NOTABLE, "nd6", "notable", "the interface has no neighbours: it is leaving");

/* As the table has it: with its zone. */
static inline const void *
own_destination(const struct ifnet *ifp, const struct mbuf *m, void *room)
{
	const struct in6 *dst = &mtod(m, const struct ip6_hdr *)->dst;
	struct in6 *zoned = room;

	if (__builtin_expect(!in6_is_scoped(dst), 1))
		return dst;
	*zoned = ip6_zoned(dst, ifp);
	return zoned;
}

static void
group_header(const struct ifnet *ifp, const struct mbuf *m, uint8_t header[16])
{
	in6_ether_group(&mtod(m, const struct ip6_hdr *)->dst, header);
	memcpy(header + 6, ifp->if_lladdr, 6);
	store16(header + 12, __builtin_bswap16(ETHERTYPE_IPV6_));
}

/* Where a packet goes on the link. */
static struct in6
next_address(const struct ifnet *ifp, const struct mbuf *m)
{
	const struct nexthop *nh = m->nh;
	struct in6 addr;

	if (nh != NULL && (nh->flags & RTF_GATEWAY_))
		memcpy(&addr, nh->rt->gateway.addr, sizeof(addr));
	else
		addr = ip6_zoned(&mtod(m, const struct ip6_hdr *)->dst, ifp);
	return addr;
}

static struct mbuf *
output_slow(struct ifnet *ifp, struct mbuf *m)
{
	struct nexthop *nh = m->nh;
	struct llentry *lle;
	uint8_t header[16];
	struct in6 addr;

	clock_at(m->when_ns);
	addr = next_address(ifp, m);
	if (in6_is_multicast(&addr)) {
		m->flags |= M_MCAST;
		group_header(ifp, m, header);
		return ether_header_prepend(m, header, &DROP_ND6_NOBUFS);
	}
	lle = nd6_entry(ifp, &addr);
	if (lle == NULL) {
		m_drop(m, in6_lltable(ifp) == NULL ? &DROP_ND6_NOTABLE : &DROP_ND6_LIMIT);
		return NULL;
	}
	if (nh != NULL && (nh->flags & RTF_GATEWAY_) && nh->lle != lle)
		nexthop_set_lle(nh, lle);
	if (lle->flags & LLE_STALE)
		nd6_used(lle);
	if (lle_is_ready(lle))
		return ether_header_prepend(m, lle->header, &DROP_ND6_NOBUFS);
	nd6_hold(lle, m);
	return NULL;
}

static const struct ether_family nd6_family = {
	.addrlen = 16,
	.table = in6_lltable,
	.destination = own_destination,
	.group_header = group_header,
	.slow = output_slow,
	.notable = &DROP_ND6_NOTABLE,
};

void
nd6_output(struct ifnet *ifp, struct batch *b)
{
	ether_output(&nd6_family, ifp, b);
}
