/*
 * ip6_output.c - IPv6's way out.
 *
 *	ip6_output	zones, route, source (RFC 6724) · header, options header · a copy for
 *			members of the group in this stack
 *	ip6_send	pfil out · too big? answered, or cut for the path's MTU · if_output
 */
#include "inet6/ip6.h"

#include "inet6/icmp6.h"
#include "inet/mroute.h"
#include "inet6/ip6_flow.h"
#include "inet/multicast.h"
#include "inet6/mroute6.h"
#include "kern/sysctl.h"
#include "net/pfil.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE(uint32_t, ip6_defhlim) = 64;

SYSCTL_VNET_UINT(net_inet6_ip6_hlim, "net.inet6.ip6.hlim", SYSCTL_RW, ip6_defhlim, 1, 255,
    "hop limit of packets made here, where no router has said another");

DROP_DEFINE(DROP_IP6_TOOBIG, "ip6", "toobig", "too big for the link, and not made here");
DROP_DEFINE(DROP_IP6_NEEDFRAG, "ip6", "needfrag", "too big for the path, and not to be fragmented");
DROP_DEFINE(DROP_IP6_NOBUFS, "ip6", "nobufs", "no memory for fragments or a copy");
DROP_DEFINE(
    DROP_IP6_OUT_INVALID, "ip6", "outinvalid", "packet made here is too long or badly formed");
DROP_DEFINE(DROP_IP6_OUT_NOROUTE, "ip6", "outnoroute", "no route for a packet made here");
DROP_DEFINE(DROP_IP6_OUT_NOSOURCE, "ip6", "outnosource",
    "no usable source address for a packet made here, or one of another zone");

/* --- ip6_send --------------------------------------------------------------------------------- */

/* What fits through a next hop of an interface whose MTU for IPv6 is linkmtu. */
static inline uint32_t
nexthop_mtu(const struct nexthop *nh, uint32_t linkmtu)
{
	if (nh == NULL || nh->mtu == 0 || nh->mtu >= linkmtu)
		return linkmtu;
	return nh->mtu < IPV6_MMTU_ ? (uint32_t)IPV6_MMTU_ : nh->mtu;
}

/* The same for a packet made here, which follows what is known of the whole path (RFC 8201). */
static uint32_t
path_mtu(const struct ifnet *ifp, const struct nexthop *nh, const struct in6 *dst)
{
	uint32_t mtu = nexthop_mtu(nh, in6_ifmtu(ifp)), known = ip6_pmtu(dst);

	return known != 0 && known < mtu ? known : mtu;
}

static uint32_t
ip6_mtu(const struct ifnet *ifp, const struct mbuf *m)
{
	struct in6 dst;

	if (m->flags & M_FORWARDED)
		return nexthop_mtu(m->nh, in6_ifmtu(ifp));
	dst = ip6_zoned(&mtod(m, const struct ip6_hdr *)->dst, ifp);
	return path_mtu(ifp, m->nh, &dst);
}

/* Send one packet that is too big for mtu as fragments, or refuse it. Takes m. */
static void
ip6_send_too_big(struct ifnet *ifp, struct mbuf *m, uint32_t mtu)
{
	void *nh = m->nh;
	struct mbufq frags;
	struct batch out;

	clock_at(m->when_ns);
	if (m->flags & M_FORWARDED) {
		V_ip6stat.cantfrag++;
		icmp6_error(m, ICMP6_PACKET_TOO_BIG_, 0, mtu);
		m_drop(m, &DROP_IP6_TOOBIG);
		return;
	}
	mbufq_init(&frags);
	if (ip6_fragment(m, mtu, &frags) != 0) {
		V_ip6stat.odropped++;
		drop_count(&DROP_IP6_NOBUFS, 1);
		return;
	}
	V_ip6stat.fragmented++;
	V_ip6stat.ofragments += frags.len;
	out.n = 0;
	while ((m = mbufq_pop(&frags)) != NULL) {
		m->nh = nh;
		batch_add(&out, m);
		if (batch_full(&out))
			ifp->if_output[AF_SLOT_INET6](ifp, &out);
	}
	if (out.n > 0)
		ifp->if_output[AF_SLOT_INET6](ifp, &out);
}

/*
 * Do all fit, without a look at paths? What was made here and is longer than every link must carry
 * is not certain to.
 */
static inline bool
all_fit(const struct ifnet *ifp, const struct batch *b)
{
	const uint32_t linkmtu = in6_ifmtu(ifp);
	const void *last = NULL;
	uint32_t mtu = linkmtu;

	batch_foreach(b, m) {
		if (m->nh != last) {
			last = m->nh;
			mtu = nexthop_mtu(m->nh, linkmtu);
		}
		if (m->len > (m->flags & M_FORWARDED ? mtu : (uint32_t)IPV6_MMTU_))
			return false;
	}
	return true;
}

/* Nothing leaves by an interface on which our link-local address is somebody else's. */
static void
send_disabled(struct batch *b)
{
	batch_foreach(b, m)
		m_drop(m, &DROP_IP6_IFDISABLED);
	b->n = 0;
}

/* Out, behind the filter. Takes the batch. */
static void
ip6_send_passed(struct ifnet *ifp, struct batch *b)
{
	struct batch out;
	uint32_t mtu;

	if (__builtin_expect(all_fit(ifp, b), 1)) {
		if (b->n > 0)
			ifp->if_output[AF_SLOT_INET6](ifp, b);
		return;
	}
	out.n = 0;
	batch_foreach(b, m) {
		mtu = ip6_mtu(ifp, m);
		if (m->len <= mtu) {
			batch_add(&out, m);
			continue;
		}
		if (out.n > 0)
			ifp->if_output[AF_SLOT_INET6](ifp, &out);
		ip6_send_too_big(ifp, m, mtu);
	}
	b->n = 0;
	if (out.n > 0)
		ifp->if_output[AF_SLOT_INET6](ifp, &out);
}

void
ip6_send(struct ifnet *ifp, struct batch *b)
{
	if (__builtin_expect(!ip6_is_enabled(ifp), 0)) {
		send_disabled(b);
		return;
	}
	pfil_run(PFIL_INET6, b, ifp, PFIL_OUT);
	ip6_send_passed(ifp, b);
}

static void
ip6_output_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		pfil_way_set(PFIL_INET6, PFIL_OUT, ip6_send_passed);
}
VNET_SYSINIT(ip6_output, SI_SUB_INET6, SI_ORDER_THIRD, ip6_output_init, NULL);

/* --- the way of a packet made here ------------------------------------------------------------ */

struct ip6_way {
	struct ifnet *ifp;
	struct nexthop *nh;  /* NULL: on the link of ifp */
	struct in6 src, dst; /* with zones */
	uint32_t flow;
	/*
	 * A link-local address of ours: the packet leaves by lo0 and comes in by the interface that
	 * has the address. Else NULL.
	 */
	struct ifnet *back;
};

/*
 * A scoped destination says by its zone where it is, or the caller says it by the interface; both
 * may not differ (RFC 4007 6).
 */
static int
way_zone(struct ip6_way *way)
{
	uint32_t zone = in6_zone(&way->dst);

	if (zone == 0 && way->ifp != NULL)
		in6_embed(&way->dst, way->ifp->if_index);
	else if (zone != 0 && way->ifp == NULL)
		way->ifp = if_byindex(zone);
	else if (zone != 0 && way->ifp->if_index != zone)
		return -EINVAL;
	return way->ifp == NULL ? -EHOSTUNREACH : 0;
}

/* A group is on the link of the interface that is named, or that the routes choose. */
static int
way_to_group(struct ip6_way *way, uint8_t fib)
{
	const struct nexthop *nh;

	if (in6_is_scoped(&way->dst))
		return way_zone(way);
	if (way->ifp != NULL)
		return 0;
	nh = route_to6(fib, &way->dst, way->flow);
	if (nh == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)))
		return -ENETUNREACH;
	way->ifp = nh->ifp;
	return 0;
}

/*
 * By that interface, whatever the routes say: a next hop of theirs is taken if it is there, else
 * the destination is on the link.
 */
static void
way_forced(struct ip6_way *way, const struct ifnet *forced, bool dont_route)
{
	const struct nexthop *nh = way->nh;
	uint32_t refused = RTF_REJECT_ | RTF_BLACKHOLE_ | (dont_route ? (uint32_t)RTF_GATEWAY_ : 0);

	if (nh != NULL && (nh->ifp != forced || (nh->flags & refused)))
		way->nh = NULL;
}

static int
way_to_node(struct ip6_way *way, uint8_t fib, bool dont_route)
{
	struct ifnet *forced;
	int error;

	if (in6_is_linklocal(&way->dst) && (error = way_zone(way)) != 0)
		return error;
	forced = way->ifp;
	way->nh = route_to6(fib, &way->dst, way->flow);
	if (way->nh != NULL && (way->nh->flags & RTF_LOCAL_)) {
		way->ifp = way->nh->ifp;
		if (in6_is_linklocal(&way->dst))
			way->back = forced;
		return 0;
	}
	if (forced != NULL) {
		way_forced(way, forced, dont_route);
		return 0;
	}
	if (way->nh == NULL || (way->nh->flags & RTF_REJECT_))
		return -EHOSTUNREACH;
	if (dont_route && (way->nh->flags & RTF_GATEWAY_))
		return -ENETUNREACH;
	way->ifp = way->nh->ifp;
	return 0;
}

static bool
is_possible_source(const struct in6 *ours)
{
	const struct in6_ifaddr *ia = in6_local(ours);

	return ia != NULL && !(ia->flags & (IN6_IFF_NOTREADY | IN6_IFF_ANYCAST));
}

/* The source that is given, in the zone of the way; or the one that RFC 6724 chooses. */
static int
way_source(struct ip6_way *way, const struct ip_opts_out *o)
{
	const struct ifnet *link = way->back != NULL ? way->back : way->ifp;
	const struct in6_ifaddr *ia;

	if (!in6_is_any(&way->src)) {
		if (in6_zone(&way->src) == 0)
			in6_embed(&way->src, link->if_index);
		return in6_is_scoped(&way->src) && in6_zone(&way->src) != link->if_index ?
		    -EADDRNOTAVAIL :
		    0;
	}
	if (o->src_unspecified)
		return 0;
	/* Rule 1: the same address, although the way is another interface. */
	if (way->nh != NULL && (way->nh->flags & RTF_LOCAL_) && is_possible_source(&way->dst)) {
		way->src = way->dst;
		return 0;
	}
	ia = in6_select_source(way->ifp, &way->dst);
	if (ia == NULL) {
		V_ip6stat.sources_none++;
		return -EADDRNOTAVAIL;
	}
	way->src = ia->addr;
	return 0;
}

/* The flow of a packet that has no header yet, or one of its maker's. */
static uint32_t
own_flow(struct mbuf *m, const struct in6 *src, const struct in6 *dst, uint8_t proto,
    const struct ip_opts_out *o)
{
	bool ports = flow_has_ports(proto) && m->len >= 4 && o->options_len == 0;

	if (o->hdr_included && m->len >= IP6_HDRLEN)
		return ip6_flow(m);
	return m->flowid = flow_hash6(
		   src, dst, proto, ports ? load32(m->data) : o->flowlabel & 0xfffff);
}

static int
ip6_route(uint8_t fib, const struct in6 *src, const struct in6 *dst, uint32_t flow,
    const struct ip_opts_out *o, struct ip6_way *way)
{
	int error;

	*way = (struct ip6_way){ .ifp = o->ifp, .src = *src, .dst = *dst, .flow = flow };
	/* a mapped address means IPv4 to a program; it is none of a packet */
	if (in6_is_any(dst) || in6_is_v4mapped(dst))
		return -EHOSTUNREACH;
	error = in6_is_multicast(dst) ? way_to_group(way, fib) :
					way_to_node(way, fib, o->dont_route);
	return error != 0 ? error : way_source(way, o);
}

int
ip6_source_for(uint8_t fib, struct ifnet *ifp, const struct in6 *dst, struct in6 *src)
{
	const struct ip_opts_out o = { .ifp = ifp };
	struct ip6_way way;
	int error = ip6_route(fib, &in6_any_, dst, 0, &o, &way);

	if (error == 0)
		*src = way.src;
	return error;
}

/* --- the header ------------------------------------------------------------------------------- */

/*
 * As RFC 4861 6.3.2 and RFC 1112 6.1 (which RFC 2710 follows) want it, if the caller doesn't say.
 */
static uint8_t
hop_limit(const struct ip6_way *way, const struct ip_opts_out *o)
{
	const struct in6_if *i = in6_if_of(way->ifp);

	if (o->ttl != 0)
		return o->ttl;
	if (in6_is_multicast(&way->dst))
		return 1;
	return i != NULL && i->nd.chlim != 0 ? i->nd.chlim : (uint8_t)V_ip6_defhlim;
}

static void
header_addresses(struct ip6_hdr *ip6, const struct ip6_way *way)
{
	ip6->src = way->src;
	ip6->dst = way->dst;
	in6_clear(&ip6->src);
	in6_clear(&ip6->dst);
}

/* Put the header before the payload in m; NULL (m freed) without memory. */
static struct mbuf *
header_prepend(
    struct mbuf *m, const struct ip6_way *way, uint8_t proto, const struct ip_opts_out *o)
{
	struct ip6_hdr *ip6;

	if ((m = m_prepend(m, IP6_HDRLEN + o->options_len)) == NULL)
		return NULL;
	ip6 = mtod(m, struct ip6_hdr *);
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(
		    UINT32_C(6) << 28 | (uint32_t)o->tos << 20 | (o->flowlabel & 0xfffff)),
		.plen = to_be16((uint16_t)(m->len - IP6_HDRLEN)),
		.nxt = o->options_len > 0 ? o->options_proto : proto,
		.hlim = hop_limit(way, o),
	};
	header_addresses(ip6, way);
	if (o->options_len > 0) {
		memcpy(ip6 + 1, o->options, o->options_len);
		m->data[IP6_HDRLEN] = proto;
	}
	return m;
}

/* Complete a header that the caller made. -EINVAL if it isn't one. */
static int
header_finish(struct mbuf *m, const struct ip6_way *way)
{
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	if (m->len < IP6_HDRLEN || ip6->flow.b[0] >> 4 != 6)
		return -EINVAL;
	ip6->plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	header_addresses(ip6, way);
	V_ip6stat.rawout++;
	return 0;
}

/* Takes m; NULL and *error if it can't have a header. */
static struct mbuf *
header_make(struct mbuf *m, const struct ip6_way *way, uint8_t proto, const struct ip_opts_out *o,
    int *error)
{
	uint32_t payload = m->len + o->options_len;

	*error = 0;
	if (o->hdr_included)
		payload = m->len < IP6_HDRLEN ? 0 : m->len - IP6_HDRLEN;
	if (payload > IPV6_MAXPACKET_)
		*error = -EMSGSIZE;
	else if (o->options_len % 8 != 0)
		*error = -EINVAL;
	else if (o->hdr_included)
		*error = header_finish(m, way);
	if (*error != 0) {
		m_drop(m, &DROP_IP6_OUT_INVALID);
		return NULL;
	}
	if (o->hdr_included)
		return m;
	if ((m = header_prepend(m, way, proto, o)) == NULL) {
		V_ip6stat.odropped++;
		*error = -ENOBUFS;
	}
	return m;
}

/* --- out -------------------------------------------------------------------------------------- */

/*
 * Members in this stack of the group that m is for get a copy. What goes out by a loopback
 * interface comes back by itself.
 */
static void
loop_to_members(const struct mbuf *m, const struct ip6_way *way)
{
	struct mbuf *copy;

	if ((way->ifp->if_flags & IFF_LOOPBACK_) ||
	    !ip6_is_member(way->ifp, &mtod(m, const struct ip6_hdr *)->src, &way->dst))
		return;
	copy = m_dup(m);
	if (copy == NULL) {
		V_ip6stat.odropped++;
		drop_count(&DROP_IP6_NOBUFS, 1);
		return;
	}
	if_loop_back(way->ifp, copy);
}

static void
count_out(const struct ip6_way *way)
{
	V_ip6stat.localout++;
	if (way->nh == NULL)
		return;
	way->nh->use++;
	if (way->nh->ifa != NULL)
		way->nh->ifa->opackets++;
}

static int
route_failed(struct mbuf *m, const struct ip_opts_out *o, int error)
{
	if (o->icmp_errors)
		icmp6_error(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, 0);
	V_ip6stat.noroute += error != -EADDRNOTAVAIL;
	m_drop(m, error == -EADDRNOTAVAIL ? &DROP_IP6_OUT_NOSOURCE : &DROP_IP6_OUT_NOROUTE);
	return error;
}

int
ip6_output(struct mbuf *m, const struct in6 *src, const struct in6 *dst, uint8_t proto,
    const struct ip_opts_out *o)
{
	static const struct ip_opts_out defaults;
	struct ip6_way way;
	struct batch out;
	bool group;
	int error;

	if (o == NULL)
		o = &defaults;
	error = ip6_route(m->fib, src, dst, own_flow(m, src, dst, proto, o), o, &way);
	if (error != 0)
		return route_failed(m, o, error);
	if ((m = header_make(m, &way, proto, o, &error)) == NULL)
		return error;
	group = in6_is_multicast(&way.dst);
	m->rcvif = way.back;
	m->nh = way.nh;
	m->flags = (uint16_t)((m->flags & ~(M_BCAST | M_MCAST | M_FORWARDED | M_LOOP)) |
	    (group ? M_MCAST : 0));
	if (o->df && m->len > path_mtu(way.ifp, way.nh, &way.dst)) {
		V_ip6stat.cantfrag++;
		m_drop(m, &DROP_IP6_NEEDFRAG);
		return -EMSGSIZE;
	}
	if (way.nh != NULL && (way.nh->flags & RTF_BLACKHOLE_)) {
		m_drop(m, &DROP_IP6_BLACKHOLE);
		return 0;
	}
	count_out(&way);
	if (group && !o->no_loop && mcast_loops(AF_INET6))
		loop_to_members(m, &way);
	if (group && mroute_is_on(AF_SLOT_INET6))
		ip6_mroute_output(way.ifp, m);
	/* RFC 4291 2.7: what has interface scope stays here. */
	if (group && in6_mc_scope(&way.dst) == 1 && !(way.ifp->if_flags & IFF_LOOPBACK_)) {
		m_free(m);
		return 0;
	}
	out.n = 0;
	batch_add(&out, m);
	ip6_send(way.ifp, &out);
	return 0;
}
