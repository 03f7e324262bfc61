/*
 * mroute4.c - IPv4's part of multicast forwarding: which packets may be forwarded at all, and how
 * they get there from ip_input.c and ip_output.c. IPv6's is inet6/mroute6.c.
 *
 * A packet goes on when its group is none of the link's own (224.0.0.0/24: RFC 5771 4), its source
 * an address that others can answer, and it came neither as a broadcast of the link nor out of this
 * stack's own loop.
 */
#include "inet/mroute4.h"

#include "inet/mroute.h"

#include <stddef.h>

/* --- the family ------------------------------------------------------------------------------- */

static bool
mroute4_group_ok(const struct ipaddr *group)
{
	const uint8_t *b = group->b;

	return (b[0] & 0xf0) == 0xe0 && !(b[0] == 224 && b[1] == 0 && b[2] == 0);
}

/* Not 0/8, 127/8, 169.254/16 (RFC 3927 2.7), groups and what is above. */
static bool
mroute4_source_ok(const struct ipaddr *source)
{
	const uint8_t *b = source->b;

	return b[0] != 0 && b[0] != 127 && b[0] < 224 && !(b[0] == 169 && b[1] == 254);
}

static void
mroute4_hop(struct mbuf *m)
{
	ip_ttl_down(mtod(m, struct ip_hdr *), 1);
}

MROUTE_PROTO_DEFINE(inet, .family = AF_INET, .ttl_at = offsetof(struct ip_hdr, ttl),
    .group_ok = mroute4_group_ok, .source_ok = mroute4_source_ok, .hop = mroute4_hop,
    .send = ip_send);

static void
mroute4_pim_input(struct mbuf *m, unsigned hlen)
{
	struct ip_info info;

	ip_info4(m, hlen, &info);
	pim_input(m, &info);
}
IP_PROTOCOL_DEFINE(pim, .proto = IPPROTO_PIM_, .input = mroute4_pim_input);

/* --- packets ---------------------------------------------------------------------------------- */

/* May it be forwarded, as far as it tells itself? */
static bool
may_pass(const struct mbuf *m, struct ipaddr *source, struct ipaddr *group)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	*source = ipaddr4(ip->src);
	*group = ipaddr4(ip->dst);
	return !(m->flags & (M_BCAST | M_LOOP)) && mroute4_group_ok(group) &&
	    mroute4_source_ok(source);
}

bool
ip_mroute_batch(struct ifnet *ifp, struct batch *b)
{
	const struct ip_hdr *first = mtod(b->m[0], const struct ip_hdr *);
	struct ipaddr source, group;

	if (!in_is_multicast(first->dst) || !may_pass(b->m[0], &source, &group) ||
	    ip_is_member(ifp, first))
		return false;
	batch_foreach(b, m) {
		const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

		if (load64(&ip->src) != load64(&first->src) || ip->vhl != 0x45 ||
		    ip->proto != first->proto || (m->flags & (M_BCAST | M_LOOP)))
			return false;
	}
	mroute_forward(ifp, &source, &group, b, false);
	return true;
}

bool
ip_mroute_input(struct ifnet *ifp, struct mbuf *m)
{
	bool member = ip_is_member(ifp, mtod(m, const struct ip_hdr *));
	struct batch one = { .n = 1, .m = { m } };
	struct ipaddr source, group;

	if (may_pass(m, &source, &group)) {
		mroute_forward(ifp, &source, &group, &one, member);
		return !member;
	}
	if (!member) {
		V_ipstat.notmember++;
		m_drop(m, &DROP_IP_NOTMEMBER);
	}
	return !member;
}

void
ip_mroute_output(struct ifnet *ifp, struct mbuf *m)
{
	struct batch one = { .n = 1, .m = { m } };
	struct ipaddr source, group;

	if (may_pass(m, &source, &group) && mroute_vif_of(AF_INET, ifp) >= 0)
		mroute_forward(ifp, &source, &group, &one, true);
}
