/*
 * ip6_input.c - IPv6's way in and through: sanity, filter, for us or to be forwarded.
 *
 * The shape is IPv4's (inet/ip_input.c). A batch of one interface comes from netisr. Each packet is
 * checked once (RFC 8200 3, RFC 4291 2, RFC 4007); the filter sees the survivors as one batch; then
 * runs of packets that are to be forwarded go through ip6_forward together, and what is for us is
 * delivered one by one. Hop-by-hop options are read by whoever is on the way (ip6_ext.c). Before
 * anything that may send an answer, the run that was collected so far is sent on (the order
 * contract of base/sched.h).
 */
#include "inet6/ip6.h"

#include "inet/ip_ways.h"
#include "inet/mroute.h"
#include "inet/multicast.h"
#include "inet6/icmp6.h"
#include "inet6/mroute6.h"
#include "inet6/ip6_flow.h"
#include "inet6/ip6_flowtable.h"
#include "inet6/nd6.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/pfil.h"

VNET_DEFINE(struct ip6stat, ip6stat);
VNET_DEFINE_STATIC(bool, ip6_sendredirects) = true;
VNET_DEFINE_STATIC(bool, ip6_stealth) = false;
VNET_DEFINE_STATIC(uint32_t, ip6_rpfilter) = 0;

SYSCTL_VNET_BOOL(net_inet6_ip6_redirect, "net.inet6.ip6.redirect", SYSCTL_RW, ip6_sendredirects,
    "send redirects for packets that leave by the interface they came in by");
SYSCTL_VNET_BOOL(net_inet6_ip6_stealth, "net.inet6.ip6.stealth", SYSCTL_RW, ip6_stealth,
    "forward without decrementing the hop limit");
SYSCTL_VNET_UINT(net_inet6_ip6_rp_filter, "net.inet6.ip6.rp_filter", SYSCTL_RW, ip6_rpfilter, 0, 2,
    "forward only what has a route back to its source: 1 by the interface it came in by, 2 by any");

DROP_DEFINE(DROP_IP6_TOOSMALL, "ip6", "toosmall", "packet is shorter than an IPv6 header");
DROP_DEFINE(DROP_IP6_BADVERS, "ip6", "badvers", "version is not 6");
DROP_DEFINE(DROP_IP6_TOOSHORT, "ip6", "tooshort", "packet is shorter than its payload length");
DROP_DEFINE(DROP_IP6_BADSCOPE, "ip6", "badscope", "address that may not be where it is");
DROP_DEFINE(DROP_IP6_IFDISABLED, "ip6", "ifdisabled", "IPv6 is disabled on the interface");
DROP_DEFINE(
    DROP_IP6_CANTFORWARD, "ip6", "cantforward", "not for this stack, and not to be forwarded");
DROP_DEFINE_IGNORED(
    DROP_IP6_NOTMEMBER, "ip6", "notmember", "multicast group that nobody here has joined");
DROP_DEFINE(
    DROP_IP6_NOTREADY, "ip6", "notready", "for an address that is tentative or a duplicate");
DROP_DEFINE(DROP_IP6_HLIM, "ip6", "hlim", "hop limit exceeded in transit");
DROP_DEFINE(DROP_IP6_RPFILTER, "ip6", "rpfilter", "no route back to the source by that interface");
DROP_DEFINE(DROP_IP6_NOROUTE, "ip6", "noroute", "no route to the destination");
DROP_DEFINE(DROP_IP6_REJECT, "ip6", "reject", "the route says reject");
DROP_DEFINE(DROP_IP6_BLACKHOLE, "ip6", "blackhole", "the route says blackhole");
DROP_DEFINE(
    DROP_IP6_BEYONDSCOPE, "ip6", "beyondscope", "the way leads out of the source address's scope");
DROP_DEFINE(DROP_IP6_PINGPONG, "ip6", "pingpong",
    "nobody has the address: it would go back over the point-to-point link");

/* The router alert of MLD (RFC 2711 2.1). */
enum { ALERT_NONE = -1, ALERT_MLD = 0 };

/*
 * May addresses of a packet be where they are? Groups never send, :: is nobody (RFC 4291 2.5.2,
 * 2.7), a mapped address is none of a packet, ::1 and groups of interface scope stay in the stack,
 * scope 0 is reserved, and the bytes in which memory has the zone are zero.
 */
static bool
ip6_addresses_ok(const struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	const struct in6 *src = &ip6->src, *dst = &ip6->dst;
	bool looped = m->flags & M_LOOP;

	if (in6_is_multicast(src) || in6_is_any(dst) || in6_is_v4mapped(src) ||
	    in6_is_v4mapped(dst) || in6_zone(src) != 0 || in6_zone(dst) != 0)
		return false;
	if (in6_is_multicast(dst) && in6_mc_scope(dst) == 0)
		return false;
	return looped ||
	    (!in6_is_loopback(src) && !in6_is_loopback(dst) &&
		!(in6_is_multicast(dst) && in6_mc_scope(dst) == 1));
}

/*
 * What is wrong with a packet, for the slow way; NULL = nothing after all. Counts the sentence of
 * netstat -s.
 */
static const struct drop_reason *
ip6_fault(struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	struct ip6stat *st = &V_ip6stat;

	if (m->len < IP6_HDRLEN)
		return st->toosmall++, &DROP_IP6_TOOSMALL;
	if (ip6->flow.b[0] >> 4 != 6)
		return st->badvers++, &DROP_IP6_BADVERS;
	if (m->len - IP6_HDRLEN < from_be16(ip6->plen))
		return st->tooshort++, &DROP_IP6_TOOSHORT;
	if (!ip6_addresses_ok(m))
		return st->badscope++, &DROP_IP6_BADSCOPE;
	return NULL;
}

/*
 * An ordinary unicast address, by its first two bytes: not ::, ::1, mapped, link-local or a group.
 */
static inline bool
in6_is_plain(const struct in6 *a)
{
	const uint16_t first = load16(a->b);

	return (uint8_t)first < 0xfe && first != 0;
}

/*
 * The length if m is a plain packet that is right in every point, what nearly all are; else 0. Not
 * without a payload: that may be a jumbogram.
 */
static inline uint32_t
ip6_plain_len(const struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	uint32_t plen;

	if (m->len <= IP6_HDRLEN)
		return 0;
	plen = from_be16(ip6->plen);
	if ((ip6->flow.b[0] & 0xf0) != 0x60 || !in6_is_plain(&ip6->src) ||
	    !in6_is_plain(&ip6->dst) || plen - 1 >= m->len - IP6_HDRLEN)
		return 0;
	return plen + IP6_HDRLEN;
}

/* True if m may go on, else it is taken. */
static bool
ip6_is_sane(struct mbuf *m)
{
	const struct drop_reason *why = ip6_fault(m);

	if (why != NULL)
		m_drop(m, why);
	return why == NULL;
}

/* ip6_sift from packet number i on, where the first is that is not plain. */
__attribute__((noinline)) static void
ip6_sift_from(struct batch *b, size_t i)
{
	const uint32_t n = b->n;

	for (b->n = (uint32_t)i; i < n; i++) {
		struct mbuf *m = b->m[i];
		const struct ip6_hdr *ip6;

		if (!ip6_is_sane(m))
			continue;
		ip6 = mtod(m, const struct ip6_hdr *);
		/* A jumbogram's length is in its option, which has to be found to be refused. */
		if (load16(&ip6->plen) != 0 || ip6->nxt != IPPROTO_HOPOPTS_)
			m_trim(m, IP6_HDRLEN + from_be16(ip6->plen));
		V_ip6stat.nxthist[ip6->nxt]++;
		batch_add(b, m);
	}
}

/* Drop what is wrong, cut off the link's padding; what is left keeps its order. */
static inline void
ip6_sift(struct batch *b)
{
	struct ip6stat *st = &V_ip6stat;
	const size_t n = b->n;

	for (size_t i = 0; i < n; i++) {
		const uint32_t len = ip6_plain_len(b->m[i]);

		if (__builtin_expect(len == 0, 0)) {
			ip6_sift_from(b, i);
			return;
		}
		m_trim(b->m[i], len);
		st->nxthist[mtod(b->m[i], const struct ip6_hdr *)->nxt]++;
	}
}

/* Answer with an ICMPv6 error and drop. Takes m. */
static void
ip6_refuse(struct mbuf *m, uint8_t type, uint8_t code, const struct drop_reason *why)
{
	icmp6_error(m, type, code, 0);
	m_drop(m, why);
}

/* May m, which isn't for us, go on at all? Takes it if not. */
static bool
ip6_may_pass(struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

	/* RFC 4291 2.5.2, 2.5.6; groups are not routed here. */
	if ((m->flags & (M_BCAST | M_MCAST)) || in6_is_any(&ip6->src) ||
	    in6_is_loopback(&ip6->src) || in6_is_loopback(&ip6->dst) ||
	    in6_is_multicast(&ip6->dst) || in6_is_linklocal(&ip6->dst)) {
		V_ip6stat.cantforward++;
		m_drop(m, &DROP_IP6_CANTFORWARD);
		return false;
	}
	if (ip6->hlim <= 1 && !VNET(ip6_stealth)) {
		ip6_refuse(m, ICMP6_TIME_EXCEEDED_, ICMP6_TIMX_TRANSIT, &DROP_IP6_HLIM);
		return false;
	}
	return true;
}

/* Is nh a way for m? Takes m if not. */
static bool
ip6_nexthop_ok(struct mbuf *m, const struct nexthop *nh)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

	if (nh == NULL) {
		V_ip6stat.noroute++;
		ip6_refuse(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, &DROP_IP6_NOROUTE);
		return false;
	}
	if (nh->flags & RTF_BLACKHOLE_) {
		m_drop(m, &DROP_IP6_BLACKHOLE);
		return false;
	}
	if (nh->flags & RTF_REJECT_) {
		ip6_refuse(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_REJECT, &DROP_IP6_REJECT);
		return false;
	}
	/* RFC 4007 9: it may go back to the link that its source's address belongs to. */
	if (in6_is_linklocal(&ip6->src) && nh->ifp != m->rcvif) {
		V_ip6stat.cantforward++;
		V_ip6stat.badscope++;
		ip6_refuse(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_BEYONDSCOPE, &DROP_IP6_BEYONDSCOPE);
		return false;
	}
	/* RFC 4443 3.1: on a link of two, of which neither has the address, it would never end. */
	if (nh->ifp == m->rcvif && (nh->ifp->if_flags & IFF_POINTOPOINT_) &&
	    !(nh->flags & RTF_GATEWAY_)) {
		ip6_refuse(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, &DROP_IP6_PINGPONG);
		return false;
	}
	return true;
}

/*
 * The packets of ip6_forward that need more than the fast way. Returns true if m may go on through
 * nh, else it is taken. What was collected before it has been sent on.
 */
static bool
ip6_forward_slow(struct mbuf *m, const struct nexthop *nh)
{
	clock_at(m->when_ns);
	if (!ip6_may_pass(m) || !ip6_nexthop_ok(m, nh))
		return false;
	if (nh->ifp == m->rcvif && VNET(ip6_sendredirects) && !(m->flags & M_NEXTHOP))
		nd6_redirect_send(m, nh);
	return true;
}

/*
 * To be forwarded without more ado, as far as the packet itself tells: no options for routers, no
 * group, time left, addresses of no special kind, nobody here has the address, nobody shares the
 * buffer.
 */
static inline bool
ip6_is_easy(const struct in_hash *ours, const struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

	return !(m->flags & (M_BCAST | M_MCAST | M_LOOP)) && ip6->nxt != IPPROTO_HOPOPTS_ &&
	    ip6->hlim > 1 && in6_is_plain(&ip6->src) && in6_is_plain(&ip6->dst) && m_writable(m) &&
	    in6_local_in(ours, &ip6->dst) == NULL;
}

/* The hop itself: one off the hop limit, the next hop. m is writable. */
static inline void
ip6_hop(struct mbuf *m, struct nexthop *nh, uint8_t stealth)
{
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	ip6->hlim = (uint8_t)(ip6->hlim - 1 + stealth);
	m->flags |= M_FORWARDED;
	m->nh = nh;
}

/* Of a group the one for m's flow. */
static inline struct nexthop *
ip6_choose(struct nexthop *nh, struct mbuf *m)
{
	if (nh == NULL || !(nh->flags & RTF_MULTIPATH_))
		return nh;
	return nexthop_choose(nh, &mtod(m, const struct ip6_hdr *)->dst, ip6_flow(m));
}

/* The general case: several ways out, packets that need an answer. Takes the batch, in order. */
__attribute__((noinline)) static void
ip6_forward_mixed(struct ifnet *rcvif, struct batch *b, struct nexthop *const *nh, uint8_t stealth)
{
	const struct in_hash *ours = in6_local_table();
	struct ip_ways ways;
	uint32_t n = b->n;

	ip_ways_init(&ways, ip6_send);
	b->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *m = b->m[i];
		struct nexthop *hop = ip6_choose(nh[i], m);

		if (!nh_is_easy(rcvif, hop) || !ip6_is_easy(ours, m)) {
			ip_ways_flush(&ways);
			if (!ip6_forward_slow(m, hop))
				continue;
			if (!m_writable(m) && (m = m_unshare(m)) == NULL) {
				V_ip6stat.odropped++;
				continue;
			}
		}
		V_ip6stat.forward++;
		ip6_hop(m, hop, stealth);
		hop->use++;
		ip_ways_add(&ways, hop->ifp, m);
	}
	ip_ways_flush(&ways);
}

/* Drop what nobody could answer by the way it came (RFC 3704); what is left keeps its order. */
static void
ip6_rpfilter_batch(struct ifnet *rcvif, struct batch *b)
{
	const struct ifnet *only = VNET(ip6_rpfilter) == 1 ? rcvif : NULL;
	uint32_t n = b->n;

	b->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *m = b->m[i];
		struct in6 from = ip6_zoned(&mtod(m, const struct ip6_hdr *)->src, rcvif);
		struct rt_addr src = rt_addr_make(AF_INET6, &from, 128);

		if (rib_reverse_path_ok(m->fib, &src, only)) {
			batch_add(b, m);
			continue;
		}
		clock_at(m->when_ns);
		V_ip6stat.cantforward++;
		m_drop(m, &DROP_IP6_RPFILTER);
	}
}

/*
 * Forward packets of one interface, in order. Takes the batch. Destinations are looked up as they
 * lie in the packets, without a zone: those that have one are not forwarded.
 */
static void
ip6_forward(struct ifnet *rcvif, struct batch *b)
{
	struct nexthop *nh[BATCH_MAX];
	const struct in6 *dst[BATCH_MAX];

	if (VNET(ip6_rpfilter) != 0)
		ip6_rpfilter_batch(rcvif, b);
	if (b->n == 0)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		dst[i] = &mtod(b->m[i], const struct ip6_hdr *)->dst;
	ip6_lookup_batch(b, dst, nh);
	ip6_forward_mixed(rcvif, b, nh, VNET(ip6_stealth));
}

void
ip6_forward_by(struct mbuf *m, struct nexthop *nh)
{
	struct batch one = { .n = 1, .m = { m } };

	ip6_forward_mixed(m->rcvif, &one, &nh, VNET(ip6_stealth));
}

/*
 * The same for a batch of nothing but easy packets. As a rule they leave by one interface: then
 * they stay in the batch in which they came.
 */
static void
ip6_forward_easy(struct ifnet *rcvif, struct batch *b, const struct in6 *const *dst)
{
	struct nexthop *nh[BATCH_MAX];
	const uint8_t stealth = VNET(ip6_stealth);
	const uint32_t n = b->n;
	bool one;

	one = ip6_lookup_batch(b, dst, nh);
	if (one ? !nh_is_easy(rcvif, nh[0]) : !nh_are_easy(rcvif, nh, n)) {
		ip6_forward_mixed(rcvif, b, nh, stealth);
		return;
	}
	V_ip6stat.forward += n;
	if (one) {
		batch_foreach(b, m)
			ip6_hop(m, nh[0], stealth);
		nh[0]->use += n;
	} else {
		for (uint32_t i = 0; i < n; i++) {
			ip6_hop(b->m[i], nh[i], stealth);
			nh[i]->use++;
		}
	}
	ip6_send(nh[0]->ifp, b);
}

bool
ip6_is_member(const struct ifnet *ifp, const struct in6 *src, const struct in6 *group)
{
	const struct in6 from = ip6_zoned(src != NULL ? src : &in6_any_, ifp);
	const struct ipaddr g = ipaddr6(group), s = ipaddr6(&from);

	return mcast_accepts(ifp, &g, src != NULL ? &s : NULL);
}

/* Is it for this stack? *why is set if it has to be dropped: because it is, or because it isn't. */
static bool
ip6_is_for_us(struct ifnet *rcvif, const struct mbuf *m, const struct drop_reason **why)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	struct in6 dst = ip6_zoned(&ip6->dst, rcvif);
	struct in6_ifaddr *ia;

	*why = NULL;
	if (in6_is_multicast(&dst)) {
		/* a router has a look at all of them: mroute6.c */
		if (mroute_is_on(AF_SLOT_INET6))
			return true;
		/*
		 * with options it may be about the group: source filters don't count (RFC 3810 4.1)
		 */
		if (ip6_is_member(rcvif, ip6->nxt == IPPROTO_HOPOPTS_ ? NULL : &ip6->src, &dst))
			return true;
		*why = &DROP_IP6_NOTMEMBER;
		return false;
	}
	ia = in6_local(&dst);
	if (ia == NULL) {
		if (!V_ip6_forwarding)
			*why = &DROP_IP6_CANTFORWARD;
		return false;
	}
	/* RFC 4862 5.4: nobody has been told of the address yet. */
	if (ia->flags & IN6_IFF_NOTREADY)
		*why = &DROP_IP6_NOTREADY;
	else
		ia->ifa.ipackets++;
	return true;
}

/* Takes m, which ip6_is_for_us says may not go on. */
static void
ip6_turn_away(struct mbuf *m, const struct drop_reason *why)
{
	V_ip6stat.notmember += why == &DROP_IP6_NOTMEMBER;
	V_ip6stat.cantforward += why == &DROP_IP6_CANTFORWARD;
	m_drop(m, why);
}

/* One packet that is not plainly to be forwarded; what came before it has been sent on. Takes m. */
static void
ip6_sort_one(struct ifnet *rcvif, struct mbuf *m)
{
	const struct drop_reason *why;
	struct batch one;
	bool for_us = ip6_is_for_us(rcvif, m, &why);
	int alert = ALERT_NONE;

	clock_at(m->when_ns);
	if (mtod(m, const struct ip6_hdr *)->nxt == IPPROTO_HOPOPTS_ &&
	    (why == NULL || (why == &DROP_IP6_NOTMEMBER && V_ip6_forwarding))) {
		if (ip6_hopopts_input(m, &alert) != 0)
			return;
		/* A router listens to what members of any group tell routers (RFC 2710 3). */
		if (why != NULL && alert == ALERT_MLD) {
			why = NULL;
			for_us = true;
		}
	}
	if (why != NULL) {
		ip6_turn_away(m, why);
	} else if (for_us) {
		if (!mroute_is_on(AF_SLOT_INET6) || alert == ALERT_MLD ||
		    !in6_is_multicast(&mtod(m, const struct ip6_hdr *)->dst) ||
		    !ip6_mroute_input(rcvif, m))
			ip6_deliver(m);
	} else {
		one.n = 1;
		one.m[0] = m;
		ip6_forward(rcvif, &one);
	}
}

/*
 * A batch with something else in it than easy packets. What is for somebody else and unremarkable
 * up to its hop limit goes on in runs; each other packet by itself, when what came before it has
 * gone.
 */
__attribute__((noinline)) static void
ip6_sort_mixed(struct ifnet *rcvif, struct batch *b)
{
	const bool forwarding = V_ip6_forwarding;
	struct batch run;

	run.n = 0;
	batch_foreach(b, m) {
		const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

		if (forwarding && ip6->nxt != IPPROTO_HOPOPTS_ &&
		    !(m->flags & (M_BCAST | M_MCAST | M_LOOP)) && in6_is_plain(&ip6->dst) &&
		    in6_local(&ip6->dst) == NULL) {
			batch_add(&run, m);
			continue;
		}
		ip6_forward(rcvif, &run);
		run.n = 0;
		ip6_sort_one(rcvif, m);
	}
	b->n = 0;
	ip6_forward(rcvif, &run);
}

/* Deliver or forward what passed the filter, in order. Takes the batch. */
static void
ip6_sort(struct ifnet *rcvif, struct batch *b)
{
	const struct in_hash *ours = in6_local_table();
	const struct in6 *dst[BATCH_MAX];
	const size_t n = V_ip6_forwarding && VNET(ip6_rpfilter) == 0 ? b->n : 0;
	size_t i;

	for (i = 0; i < n && ip6_is_easy(ours, b->m[i]); i++)
		dst[i] = &mtod(b->m[i], const struct ip6_hdr *)->dst;
	if (__builtin_expect(i > 0 && i == b->n, 1))
		ip6_forward_easy(rcvif, b, dst);
	else if (!mroute_is_on(AF_SLOT_INET6) || !ip6_mroute_batch(rcvif, b))
		ip6_sort_mixed(rcvif, b);
}

void
ip6_input(struct batch *b)
{
	struct ifnet *rcvif = b->m[0]->rcvif;

	V_ip6stat.total += b->n;
	if (!ip6_is_enabled(rcvif)) {
		batch_foreach(b, m)
			m_drop(m, &DROP_IP6_IFDISABLED);
		b->n = 0;
		return;
	}
	ip6_sift(b);
	if (b->n > 0)
		pfil_run(PFIL_INET6, b, rcvif, PFIL_IN);
	if (b->n > 0)
		ip6_sort(rcvif, b);
}

static const struct netisr_handler ip6_netisr = {
	.name = "ip6",
	.proto = NETISR_IPV6,
	.policy = NETISR_POLICY_FLOW,
	.handler = ip6_input,
};

/* Registered once for the process, when the host stack starts. */
static void
ip6_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	netisr_register(&ip6_netisr);
	pfil_way_set(PFIL_INET6, PFIL_IN, ip6_sort);
}
VNET_SYSINIT(ip6_input, SI_SUB_INET6, SI_ORDER_THIRD, ip6_init, NULL);
