/*
 * ip_output.c - IPv4's way out: packets made here get their header and route, then all packets go
 * through ip_send: filter, fragmentation, the interface's if_output.
 */
#include "inet/ip.h"

#include "base/rng.h"
#include "inet/icmp.h"
#include "inet/mroute.h"
#include "inet/mroute4.h"
#include "inet/ip_flow.h"
#include "inet/multicast.h"
#include "kern/sysctl.h"
#include "net/pfil.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE(uint32_t, ip_defttl) = 64;
VNET_DEFINE_STATIC(bool, ip_randomid) = false;
VNET_DEFINE_STATIC(uint16_t, ip_nextid) = 1;
VNET_DEFINE_STATIC(struct rng, ip_idrng);

SYSCTL_VNET_UINT(net_inet_ip_ttl, "net.inet.ip.ttl", SYSCTL_RW, ip_defttl, 1, 255,
    "time to live of packets made here");
SYSCTL_VNET_BOOL(net_inet_ip_random_id, "net.inet.ip.random_id", SYSCTL_RW, ip_randomid,
    "identify packets by random numbers instead of a counter");

DROP_DEFINE(DROP_IP_NEEDFRAG, "ip", "needfrag", "too big for the link, and Don't Fragment is set");
DROP_DEFINE(DROP_IP_NOBUFS, "ip", "nobufs", "no memory for fragments");
DROP_DEFINE(
    DROP_IP_OUT_INVALID, "ip", "outinvalid", "packet made here is too long or badly formed");
DROP_DEFINE(DROP_IP_OUT_NOROUTE, "ip", "outnoroute", "no route for a packet made here");

/* Send one packet that is too big for mtu as fragments, or refuse it. Takes m. */
static void
ip_send_too_big(struct ifnet *ifp, struct mbuf *m, uint32_t mtu)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	void *nh = m->nh;
	struct mbufq frags;
	struct batch out;

	clock_at(m->when_ns);
	if (from_be16(ip->off) & IP_DF_) {
		V_ipstat.cantfrag++;
		if (m->flags & M_FORWARDED)
			icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_NEEDFRAG_, mtu);
		m_drop(m, &DROP_IP_NEEDFRAG);
		return;
	}
	mbufq_init(&frags);
	if (ip_fragment(m, mtu, &frags) != 0) {
		V_ipstat.odropped++;
		drop_count(&DROP_IP_NOBUFS, 1);
		return;
	}
	V_ipstat.fragmented++;
	V_ipstat.ofragments += frags.len;
	out.n = 0;
	while ((m = mbufq_pop(&frags)) != NULL) {
		m->nh = nh;
		batch_add(&out, m);
		if (batch_full(&out))
			ifp->if_output[AF_SLOT_INET](ifp, &out);
	}
	if (out.n > 0)
		ifp->if_output[AF_SLOT_INET](ifp, &out);
}

static inline uint32_t
ip_mtu(const struct ifnet *ifp, const struct mbuf *m)
{
	const struct nexthop *nh = m->nh;

	return nh != NULL && nh->mtu != 0 && nh->mtu < ifp->if_mtu ? nh->mtu : ifp->if_mtu;
}

/* Do all fit the links of their ways? */
static inline bool
all_fit(const struct ifnet *ifp, const struct batch *b)
{
	const void *last = NULL;
	uint32_t mtu = ifp->if_mtu;

	batch_foreach(b, m) {
		if (m->nh != last) {
			last = m->nh;
			mtu = ip_mtu(ifp, m);
		}
		if (m->len > mtu)
			return false;
	}
	return true;
}

/* Out, behind the filter. Takes the batch. */
static void
ip_send_passed(struct ifnet *ifp, struct batch *b)
{
	struct batch out;
	uint32_t mtu;

	if (__builtin_expect(all_fit(ifp, b), 1)) {
		if (b->n > 0)
			ifp->if_output[AF_SLOT_INET](ifp, b);
		return;
	}
	out.n = 0;
	batch_foreach(b, m) {
		mtu = ip_mtu(ifp, m);
		if (m->len <= mtu) {
			batch_add(&out, m);
			continue;
		}
		if (out.n > 0)
			ifp->if_output[AF_SLOT_INET](ifp, &out);
		ip_send_too_big(ifp, m, mtu);
	}
	b->n = 0;
	if (out.n > 0)
		ifp->if_output[AF_SLOT_INET](ifp, &out);
}

void
ip_send(struct ifnet *ifp, struct batch *b)
{
	pfil_run(PFIL_INET, b, ifp, PFIL_OUT);
	ip_send_passed(ifp, b);
}

static void
ip_output_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		pfil_way_set(PFIL_INET, PFIL_OUT, ip_send_passed);
}
VNET_SYSINIT(ip_output, SI_SUB_INET, SI_ORDER_THIRD, ip_output_init, NULL);

static uint16_t
ip_new_id(void)
{
	struct rng *rng = &VNET(ip_idrng);

	if (!VNET(ip_randomid))
		return VNET(ip_nextid)++;
	if ((rng->s[0] | rng->s[1] | rng->s[2] | rng->s[3]) == 0)
		rng_seed(rng, rng_process_seed, vnet_name(curvnet));
	return (uint16_t)rng_u64(rng);
}

/* Where a packet made here goes. */
struct ip_way {
	struct ifnet *ifp;
	struct nexthop *nh; /* NULL: on the link of ifp */
	uint32_t src;
	bool broadcast;
};

/* The interface for 255.255.255.255 when the caller names none: the first that can broadcast. */
static struct ifnet *
ip_broadcast_if(void)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		if ((ifp->if_flags & IFF_BROADCAST_) && if_is_usable(ifp) &&
		    in_ifaddr_first(ifp) != NULL)
			return ifp;
	return NULL;
}

/* The flow of a packet that has no header yet, or one of its maker's. */
static uint32_t
ip_own_flow(struct mbuf *m, uint32_t src, uint32_t dst, uint8_t proto, const struct ip_opts_out *o)
{
	bool ports = flow_has_ports(proto) && m->len >= 4;

	if (o->hdr_included && m->len >= sizeof(struct ip_hdr))
		return ip_flow(m);
	return m->flowid = flow_hash4(src, dst, proto, ports ? load32(m->data) : 0);
}

static int
ip_route(uint8_t fib, uint32_t src, uint32_t dst, uint32_t flow, const struct ip_opts_out *o,
    struct ip_way *way)
{
	const struct in_ifaddr *ia;

	*way = (struct ip_way){ .ifp = o->ifp, .src = src };
	if (way->ifp == NULL && dst == 0xffffffff && (way->ifp = ip_broadcast_if()) == NULL)
		return -ENETUNREACH;
	if (way->ifp == NULL) {
		way->nh = route_to4(fib, dst, flow);
		if (way->nh == NULL)
			return -EHOSTUNREACH;
		if (way->nh->flags & RTF_REJECT_)
			return -EHOSTUNREACH;
		if (o->dont_route && (way->nh->flags & RTF_GATEWAY_) && !in_is_multicast(dst))
			return -ENETUNREACH;
		way->ifp = way->nh->ifp;
	}
	if (src == 0) {
		if (way->nh != NULL && way->nh->ifa != NULL && way->nh->ifa->family == AF_INET)
			way->src = in_ifaddr_of(way->nh->ifa)->addr;
		else if ((ia = in_ifaddr_for(way->ifp, dst)) != NULL ||
		    (ia = in_ifaddr_first(way->ifp)) != NULL)
			way->src = ia->addr;
	}
	if (in_is_multicast(dst)) {
		/* a route chooses the interface; the group is on its link */
		way->nh = NULL;
		return way->ifp->if_flags & IFF_MULTICAST_ ? 0 : -ENETUNREACH;
	}
	way->broadcast = in_is_broadcast(dst, way->ifp) &&
	    !(way->nh != NULL && (way->nh->flags & (RTF_GATEWAY_ | RTF_LOCAL_)));
	return 0;
}

uint32_t
ip_source_for(uint8_t fib, struct ifnet *ifp, uint32_t dst)
{
	const struct ip_opts_out o = { .ifp = ifp };
	struct ip_way way;

	return ip_route(fib, 0, dst, 0, &o, &way) == 0 ? way.src : 0;
}

/* Put the header before the payload in m; NULL (m freed) without memory. */
static struct mbuf *
ip_prepend_header(
    struct mbuf *m, uint32_t src, uint32_t dst, uint8_t proto, const struct ip_opts_out *o)
{
	unsigned hlen = (unsigned)sizeof(struct ip_hdr) + o->options_len;
	struct ip_hdr *ip;

	if ((m = m_prepend(m, hlen)) == NULL)
		return NULL;
	ip = mtod(m, struct ip_hdr *);
	*ip = (struct ip_hdr){
		.vhl = (uint8_t)(0x40 | hlen >> 2),
		.tos = o->tos,
		.len = to_be16((uint16_t)m->len),
		.id = to_be16(ip_new_id()),
		.off = to_be16(o->df ? IP_DF_ : 0),
		.ttl = o->ttl != 0       ? o->ttl :
		    in_is_multicast(dst) ? 1 :
					   (uint8_t)V_ip_defttl,
		.proto = proto,
		.src = src,
		.dst = dst,
	};
	if (o->options_len > 0)
		memcpy(ip + 1, o->options, o->options_len);
	ip->sum = ip_cksum(ip);
	return m;
}

/* Complete a header that the caller made. -EINVAL if it isn't one. */
static int
ip_finish_header(struct mbuf *m, uint32_t src)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	if (m->len < sizeof(*ip) || ip->vhl >> 4 != 4 || ip_hlen(ip) < sizeof(*ip) ||
	    ip_hlen(ip) > m->len)
		return -EINVAL;
	if (load16(&ip->id) == 0)
		ip->id = to_be16(ip_new_id());
	if (ip->src == 0)
		ip->src = src;
	ip->len = to_be16((uint16_t)m->len);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	return 0;
}

/*
 * Members in this stack of the group that m is for get a copy (RFC 1112 6.1). What goes out by a
 * loopback interface comes back by itself.
 */
static void
loop_to_members(const struct mbuf *m, struct ifnet *ifp)
{
	struct mbuf *copy;

	if ((ifp->if_flags & IFF_LOOPBACK_) || !ip_is_member(ifp, mtod(m, const struct ip_hdr *)))
		return;
	copy = m_dup(m);
	if (copy != NULL) {
		if_loop_back(ifp, copy);
		return;
	}
	V_ipstat.odropped++;
	drop_count(&DROP_IP_NOBUFS, 1);
}

int
ip_output(struct mbuf *m, uint32_t src, uint32_t dst, uint8_t proto, const struct ip_opts_out *o)
{
	static const struct ip_opts_out defaults;
	struct batch out;
	struct ip_way way;
	uint32_t mtu;
	int error;

	if (o == NULL)
		o = &defaults;
	error = ip_route(m->fib, src, dst, ip_own_flow(m, src, dst, proto, o), o, &way);
	if (error != 0) {
		V_ipstat.noroute++;
		if (o->icmp_errors)
			icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_HOST_, 0);
		m_drop(m, &DROP_IP_OUT_NOROUTE);
		return error;
	}
	if (m->len + (o->hdr_included ? 0 : sizeof(struct ip_hdr) + o->options_len) >
	    IP_MAXPACKET_) {
		m_drop(m, &DROP_IP_OUT_INVALID);
		return -EMSGSIZE;
	}
	if (o->hdr_included)
		error = ip_finish_header(m, way.src);
	else if ((m = ip_prepend_header(m, way.src, dst, proto, o)) == NULL)
		return V_ipstat.odropped++, -ENOBUFS;
	if (error != 0) {
		m_drop(m, &DROP_IP_OUT_INVALID);
		return error;
	}
	V_ipstat.localout++;
	m->rcvif = NULL;
	m->nh = way.nh;
	m->flags = (uint16_t)((m->flags & ~(M_BCAST | M_MCAST | M_FORWARDED | M_LOOP)) |
	    (way.broadcast               ? M_BCAST :
		    in_is_multicast(dst) ? M_MCAST :
					   0));
	mtu = ip_mtu(way.ifp, m);
	if (m->len > mtu && (from_be16(mtod(m, struct ip_hdr *)->off) & IP_DF_)) {
		V_ipstat.cantfrag++;
		if (o->icmp_errors)
			icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_NEEDFRAG_, mtu);
		m_drop(m, &DROP_IP_NEEDFRAG);
		return -EMSGSIZE;
	}
	if (way.nh != NULL)
		way.nh->use++;
	if (way.nh != NULL && way.nh->ifa != NULL)
		way.nh->ifa->opackets++;
	if ((m->flags & M_MCAST) && !o->no_loop && mcast_loops(AF_INET))
		loop_to_members(m, way.ifp);
	if ((m->flags & M_MCAST) && mroute_is_on(AF_SLOT_INET))
		ip_mroute_output(way.ifp, m);
	out.n = 0;
	batch_add(&out, m);
	ip_send(way.ifp, &out);
	return 0;
}
