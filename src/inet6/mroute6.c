/*
 * mroute6.c - IPv6's part of multicast forwarding: which packets may be forwarded at all, and how
 * they get there from ip6_input.c and ip6_output.c. The shape is IPv4's (inet/mroute4.c).
 *
 * A packet goes on when its group's scope is above the link (RFC 4291 2.7, RFC 4007 9) and its
 * source an address of no smaller one.
 */
#include "inet6/mroute6.h"

#include "inet/mroute.h"

#include <stddef.h>

/* --- the family ------------------------------------------------------------------------------- */

enum { SCOPE_LINK = 2 };

static bool
mroute6_group_ok(const struct ipaddr *group)
{
	return in6_is_multicast(ipaddr_in6(group)) && in6_mc_scope(ipaddr_in6(group)) > SCOPE_LINK;
}

static bool
mroute6_source_ok(const struct ipaddr *source)
{
	const struct in6 *a = ipaddr_in6(source);

	return !in6_is_any(a) && !in6_is_loopback(a) && !in6_is_linklocal(a) &&
	    !in6_is_multicast(a) && !in6_is_v4mapped(a);
}

static void
mroute6_hop(struct mbuf *m)
{
	mtod(m, struct ip6_hdr *)->hlim--;
}

MROUTE_PROTO_DEFINE(inet6, .family = AF_INET6, .ttl_at = offsetof(struct ip6_hdr, hlim),
    .group_ok = mroute6_group_ok, .source_ok = mroute6_source_ok, .hop = mroute6_hop,
    .send = ip6_send);

static void
mroute6_pim_input(struct mbuf *m, unsigned off)
{
	struct ip_info info;

	ip6_info(m, off, &info);
	pim_input(m, &info);
}
IP6_PROTOCOL_DEFINE(pim, .proto = IPPROTO_PIM_, .input = mroute6_pim_input);

/* --- packets ---------------------------------------------------------------------------------- */

/* May it be forwarded, as far as it tells itself? */
static bool
may_pass(const struct mbuf *m, struct ipaddr *source, struct ipaddr *group)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

	*source = ipaddr6(&ip6->src);
	*group = ipaddr6(&ip6->dst);
	return !(m->flags & (M_BCAST | M_LOOP)) && mroute6_group_ok(group) &&
	    mroute6_source_ok(source);
}

/* As ip6_input.c asks: with options it may be about the group (RFC 3810 4.1). */
static bool
is_member(const struct ifnet *ifp, const struct ip6_hdr *ip6)
{
	const struct in6 group = ip6_zoned(&ip6->dst, ifp);

	return ip6_is_member(ifp, ip6->nxt == IPPROTO_HOPOPTS_ ? NULL : &ip6->src, &group);
}

bool
ip6_mroute_batch(struct ifnet *ifp, struct batch *b)
{
	const struct ip6_hdr *first = mtod(b->m[0], const struct ip6_hdr *);
	struct ipaddr source, group;

	if (!in6_is_multicast(&first->dst) || !may_pass(b->m[0], &source, &group) ||
	    is_member(ifp, first))
		return false;
	batch_foreach(b, m) {
		const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

		if (!in6_equal(&ip6->src, &first->src) || !in6_equal(&ip6->dst, &first->dst) ||
		    ip6->nxt == IPPROTO_HOPOPTS_ || (m->flags & (M_BCAST | M_LOOP)))
			return false;
	}
	mroute_forward(ifp, &source, &group, b, false);
	return true;
}

bool
ip6_mroute_input(struct ifnet *ifp, struct mbuf *m)
{
	bool member = is_member(ifp, mtod(m, const struct ip6_hdr *));
	struct batch one = { .n = 1, .m = { m } };
	struct ipaddr source, group;

	if (may_pass(m, &source, &group)) {
		mroute_forward(ifp, &source, &group, &one, member);
		return !member;
	}
	if (!member) {
		V_ip6stat.notmember++;
		m_drop(m, &DROP_IP6_NOTMEMBER);
	}
	return !member;
}

void
ip6_mroute_output(struct ifnet *ifp, struct mbuf *m)
{
	struct batch one = { .n = 1, .m = { m } };
	struct ipaddr source, group;

	if (may_pass(m, &source, &group) && mroute_vif_of(AF_INET6, ifp) >= 0)
		mroute_forward(ifp, &source, &group, &one, true);
}
