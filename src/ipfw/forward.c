/*
 * forward.c - `fwd`: a packet goes by another next hop than its destination's route says, unchanged.
 *
 *	an address of ours	delivered here, whatever its destination; a UDP datagram to the
 *				port that is named
 *	another's		by the route to that address
 *
 * The next hop is made for this packet alone: the route's, but with the address as its gateway. On
 * the way out a packet to ourselves leaves the walk by a queue, as on a loopback interface, so that
 * it never nests in the one that caused it.
 */
#include "ipfw/hook_internal.h"

#include "inet/udp.h"
#include "inet6/ip6.h"
#include "kern/netisr.h"
#include "net/pfil.h"
#include "route/route.h"

DROP_DEFINE(DROP_FW_QFULL, "ipfw", "qfull", "no room in the queue of packets delivered here");

/* --- to ourselves ----------------------------------------------------------------------------- */

static bool
is_ours(const struct ipaddr *a)
{
	return a->family == AF_INET ? in_local(ipaddr_in(a)) != NULL :
				      in6_local(ipaddr_in6(a)) != NULL;
}

static void
deliver(struct mbuf *m)
{
	if (m->data[0] >> 4 == 4)
		ip_deliver(m);
	else
		ip6_deliver(m);
}

static void
deliver_queued(struct batch *b)
{
	batch_foreach(b, m) {
		clock_at(m->when_ns);
		deliver(m);
	}
	b->n = 0;
}

static const struct netisr_handler fw_netisr = {
	.name = "ipfw",
	.proto = NETISR_FW,
	.policy = NETISR_POLICY_FLOW,
	.handler = deliver_queued,
};

void
fw_forward_init(void)
{
	netisr_register(&fw_netisr);
}

/* On the way out, so from inside whatever sends it. Takes m. */
static void
deliver_later(struct mbuf *m)
{
	if (m->rcvif == NULL)
		m->rcvif = V_loif;
	m->nh = NULL;
	m->flags |= M_CSUM_OK;
	m->rcvif->if_heard = true;
	if (!netisr_queue(NETISR_FW, m))
		m_drop(m, &DROP_FW_QFULL);
}

/* Takes m. */
static void
deliver_here(struct mbuf *m, enum pfil_dir dir, const struct ipaddr *to, uint16_t port)
{
	struct udp_instead *instead;

	m_tag_delete(m, UDP_TAG_INSTEAD);
	if ((instead = m_tag_add(m, UDP_TAG_INSTEAD, sizeof(*instead))) == NULL) {
		m_drop(m, &DROP_FW_NOMEM);
		return;
	}
	*instead = (struct udp_instead){ *to, port };
	m->flags |= M_NEXTHOP;
	if (dir == PFIL_OUT)
		deliver_later(m);
	else
		deliver(m);
}

/* --- to another ------------------------------------------------------------------------------- */

/*
 * The way to `to`. Where that is on the link, *room becomes a next hop with it as the gateway: then the
 * packet's own destination is not asked for. NULL: there is none.
 */
static struct nexthop *
way_to(const struct mbuf *m, const struct ipaddr *to, struct rtentry *room)
{
	struct nexthop *nh = to->family == AF_INET ? route_to4(m->fib, ipaddr_in(to), m->flowid) :
						     route_to6(m->fib, ipaddr_in6(to), m->flowid);

	if (nh == NULL || (nh->flags & RTF_GATEWAY_))
		return nh;
	*room = (struct rtentry){
		.nh = { .ifp = nh->ifp,
		    .flags = nh->flags | RTF_GATEWAY_,
		    .mtu = nh->mtu,
		    .ifa = nh->ifa },
		.gateway = rt_addr_make(to->family, to->b, to->family == AF_INET ? 32 : 128),
	};
	if (to->family == AF_INET)
		room->nh.gw4 = ipaddr_in(to);
	room->nh.rt = room;
	return &room->nh;
}

/* What is out already goes out by the new way; no second time through the rules. Takes m. */
static void
send_by(const struct fw_round *round, struct mbuf *m, struct nexthop *nh)
{
	struct batch one = { .n = 1, .m = { m } };

	clock_at(m->when_ns);
	if (nh == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_))) {
		m_drop(m, &DROP_FW_NOROUTE);
		return;
	}
	m->nh = nh;
	m->flags = (uint16_t)(m->flags & ~(M_BCAST | M_MCAST));
	pfil_go_on(round->point, PFIL_OUT, fw_hook, fw_hook_ctx(round->point), nh->ifp, &one);
}

void
fw_forward(struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	struct ipaddr to = { .family = v->fwd_family };
	struct mbuf *m = p->m;
	struct rtentry room = { .dst.family = 0 };
	struct nexthop *nh;

	memcpy(to.b, v->fwd_addr.b, v->fwd_family == AF_INET ? 4 : 16);
	if (p->recv != NULL || p->xmit != NULL)
		ipaddr_set_zone(&to, (p->in ? p->recv : p->xmit)->if_index);
	clock_at(m->when_ns);
	if (is_ours(&to)) {
		deliver_here(m, round->dir, &to, v->fwd_port);
		return;
	}
	if (!m_writable(m) && (m = m_unshare(m)) == NULL) {
		drop_count(&DROP_FW_NOMEM, 1);
		return;
	}
	nh = way_to(m, &to, &room);
	m->flags |= M_NEXTHOP;
	if (round->dir == PFIL_OUT)
		send_by(round, m, nh);
	else if (v->fwd_family == AF_INET)
		ip_forward_by(m, nh);
	else
		ip6_forward_by(m, nh);
	if (room.nh.lle != NULL)
		nexthop_set_lle(&room.nh, NULL);
}
