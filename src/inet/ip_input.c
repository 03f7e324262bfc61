/*
 * ip_input.c - IPv4's way in and through: sanity, filter, for us or to be forwarded.
 *
 * A batch of one interface comes from netisr. Each packet is checked once (RFC 1122 3.2.1, RFC 1812
 * 5.2.2); the filter sees the survivors as one batch; then runs of packets that are to be forwarded
 * go through ip_forward together, and what is for us is delivered one by one. Packets never
 * overtake each other: before anything that may send an answer, the run that was collected so far
 * is sent on (the order contract of base/sched.h).
 */
#include "inet/ip.h"

#include "inet/icmp.h"
#include "inet/ip_flow.h"
#include "inet/ip_flowtable.h"
#include "inet/ip_ways.h"
#include "inet/mroute.h"
#include "inet/mroute4.h"
#include "inet/multicast.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/pfil.h"

VNET_DEFINE(struct ipstat, ipstat);
VNET_DEFINE(bool, ip_forwarding) = false;
VNET_DEFINE_STATIC(bool, ip_fastforwarding) = false;
VNET_DEFINE_STATIC(bool, ip_sendredirects) = true;
static bool ip_sourcequench = false;
VNET_DEFINE_STATIC(bool, ip_checkinterface) = false;
VNET_DEFINE_STATIC(bool, ip_stealth) = false;
VNET_DEFINE_STATIC(uint32_t, ip_rpfilter) = 0;

SYSCTL_VNET_BOOL(net_inet_ip_forwarding, "net.inet.ip.forwarding", SYSCTL_RW, ip_forwarding,
    "forward packets between interfaces");
SYSCTL_VNET_BOOL(net_inet_ip_fastforwarding, "net.inet.ip.fastforwarding", SYSCTL_RW,
    ip_fastforwarding, "forward without redirects, and count such packets as fast forwarded");
SYSCTL_BOOL(net_inet_ip_sendsourcequench, "net.inet.ip.sendsourcequench", SYSCTL_RD,
    ip_sourcequench, "send source quench for packets that find a full queue: never (RFC 6633)");
SYSCTL_VNET_BOOL(net_inet_ip_redirect, "net.inet.ip.redirect", SYSCTL_RW, ip_sendredirects,
    "send ICMP redirects for packets that leave by the interface they came in by");
SYSCTL_VNET_BOOL(net_inet_ip_check_interface, "net.inet.ip.check_interface", SYSCTL_RW,
    ip_checkinterface, "accept packets for an address only on the interface that has it");
SYSCTL_VNET_BOOL(net_inet_ip_stealth, "net.inet.ip.stealth", SYSCTL_RW, ip_stealth,
    "forward without decrementing the time to live");
SYSCTL_VNET_UINT(net_inet_ip_rp_filter, "net.inet.ip.rp_filter", SYSCTL_RW, ip_rpfilter, 0, 2,
    "forward only what has a route back to its source: 1 by the interface it came in by, 2 by any");

DROP_DEFINE(DROP_IP_TOOSMALL, "ip", "toosmall", "packet is shorter than an IP header");
DROP_DEFINE(DROP_IP_BADVERS, "ip", "badvers", "version is not 4");
DROP_DEFINE(DROP_IP_BADHLEN, "ip", "badhlen", "header length is wrong");
DROP_DEFINE(DROP_IP_BADLEN, "ip", "badlen", "total length is shorter than the header");
DROP_DEFINE(DROP_IP_TOOSHORT, "ip", "tooshort", "packet is shorter than its total length");
DROP_DEFINE(DROP_IP_BADSUM, "ip", "badsum", "header checksum is wrong");
DROP_DEFINE(DROP_IP_BADADDR, "ip", "badaddr", "loopback address on the wire");
DROP_DEFINE(
    DROP_IP_CANTFORWARD, "ip", "cantforward", "not for this stack, and not to be forwarded");
DROP_DEFINE_IGNORED(
    DROP_IP_NOTMEMBER, "ip", "notmember", "multicast group that nobody here has joined");
DROP_DEFINE(DROP_IP_WRONGIF, "ip", "wrongif", "for an address of another interface");
DROP_DEFINE(DROP_IP_TTL, "ip", "ttl", "time to live exceeded in transit");
DROP_DEFINE(DROP_IP_RPFILTER, "ip", "rpfilter", "no route back to the source by that interface");
DROP_DEFINE(DROP_IP_NOROUTE, "ip", "noroute", "no route to the destination");
DROP_DEFINE(DROP_IP_REJECT, "ip", "reject", "the route says reject");
DROP_DEFINE(DROP_IP_BLACKHOLE, "ip", "blackhole", "the route says blackhole");

/* The inverse of 65,535 modulo 2^64. */
#define IP_SUM_INVERSE UINT64_C(0xfffefffefffeffff)

/*
 * Checksum test of a 20-byte header in three words. The one's complement sum of a right one is all
 * ones, so a multiple of 65,535. Adding 64 bits at a time with the carry brought round keeps the
 * remainder (2^64 = 1 mod 65,535), and a multiplication by the inverse tells whether it is zero
 * (Granlund and Montgomery 1994, section 9): half the instructions of adding words and folding.
 */
static inline bool
ip_hdr20_sum_ok(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t sum;

	sum = a + b;
	sum += sum < b;
	sum += c;
	sum += sum < c;
	return sum * IP_SUM_INVERSE <= UINT64_MAX / 65535;
}

/*
 * What is wrong with a packet, for the slow way; NULL = nothing after all. Counts the sentence of
 * netstat -s.
 */
static const struct drop_reason *
ip_fault(struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	struct ipstat *st = &V_ipstat;
	unsigned hlen;

	if (m->len < sizeof(*ip))
		return st->toosmall++, &DROP_IP_TOOSMALL;
	if (ip->vhl >> 4 != 4)
		return st->badvers++, &DROP_IP_BADVERS;
	hlen = ip_hlen(ip);
	if (hlen < sizeof(*ip) || hlen > m->len)
		return st->badhlen++, &DROP_IP_BADHLEN;
	if (ip_cksum(ip) != 0)
		return st->badsum++, &DROP_IP_BADSUM;
	if (from_be16(ip->len) < hlen)
		return st->badlen++, &DROP_IP_BADLEN;
	if (m->len < from_be16(ip->len))
		return st->tooshort++, &DROP_IP_TOOSHORT;
	if ((in_is_loopback(ip->dst) || in_is_loopback(ip->src)) && m->rcvif != NULL &&
	    !(m->rcvif->if_flags & IFF_LOOPBACK_))
		return st->badaddr++, &DROP_IP_BADADDR;
	return NULL;
}

/*
 * The total length if m is a plain packet that is right in every point, what nearly all are; else
 * 0. The header is read in three words, for most checks and the sum need the same bytes (99 -> 87
 * instructions in ip_input a packet, bench forward).
 */
static inline uint32_t
ip_plain_len(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	uint32_t len, dst;
	uint64_t first;

	if (m->len < sizeof(*ip))
		return 0;
	first = load64(ip);
	len = (uint16_t)__builtin_bswap32((uint32_t)first);
	dst = ip->dst;
	if ((uint8_t)first != 0x45 || len < sizeof(*ip) || in_is_loopback(dst) ||
	    in_is_loopback(ip->src) || len > m->len ||
	    !ip_hdr20_sum_ok(first, load64(&ip->ttl), dst))
		return 0;
	return len;
}

/* True if m may go on, else it is taken. */
static bool
ip_is_sane(struct mbuf *m)
{
	const struct drop_reason *why = ip_fault(m);

	if (why != NULL)
		m_drop(m, why);
	return why == NULL;
}

/* ip_sift from packet number i on, where the first is that is not plain. */
__attribute__((noinline)) static void
ip_sift_from(struct batch *b, size_t i)
{
	const uint32_t n = b->n;

	for (b->n = (uint32_t)i; i < n; i++) {
		struct mbuf *m = b->m[i];

		if (!ip_is_sane(m))
			continue;
		m_trim(m, from_be16(mtod(m, const struct ip_hdr *)->len));
		batch_add(b, m);
	}
}

/* Drop what is wrong, cut off the link's padding; what is left keeps its order. */
static inline void
ip_sift(struct batch *b)
{
	const size_t n = b->n;

	for (size_t i = 0; i < n; i++) {
		const uint32_t len = ip_plain_len(b->m[i]);

		if (__builtin_expect(len == 0, 0)) {
			ip_sift_from(b, i);
			return;
		}
		m_trim(b->m[i], len);
	}
}

/* Answer with an ICMP error and drop. Takes m. */
static void
ip_refuse(struct mbuf *m, uint8_t type, uint8_t code, const struct drop_reason *why)
{
	icmp_error(m, type, code, 0);
	m_drop(m, why);
}

/*
 * The next hop goes back where the packet came from: if the sender is a neighbour there, tell it of
 * the better way (RFC 1812 5.2.7.2).
 */
static void
ip_redirect(struct mbuf *m, const struct nexthop *nh)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct in_ifaddr *ia = in_ifaddr_for(nh->ifp, ip->src);

	if (!VNET(ip_sendredirects) || VNET(ip_fastforwarding) || ia == NULL ||
	    (nh->flags & RTF_DYNAMIC_))
		return;
	V_ipstat.redirectsent++;
	icmp_error(
	    m, ICMP_REDIRECT_, 1 /* for the host */, nh->flags & RTF_GATEWAY_ ? nh->gw4 : ip->dst);
}

/*
 * The packets of ip_forward that need more than the fast way. Returns true if m may go on through
 * nh, else it is taken. What was collected before it has been sent on.
 */
static bool
ip_forward_slow(struct mbuf *m, struct nexthop *nh)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	uint8_t first = (uint8_t)(ip->dst & 0xff);

	clock_at(m->when_ns);
	if ((m->flags & (M_BCAST | M_MCAST)) || first == 0 || first == 127 || first >= 224 ||
	    (nh != NULL && (nh->flags & RTF_BROADCAST_))) {
		V_ipstat.cantforward++;
		m_drop(m, &DROP_IP_CANTFORWARD);
		return false;
	}
	if (ip->ttl <= 1 && !VNET(ip_stealth)) {
		ip_refuse(m, ICMP_TIMXCEED_, 0, &DROP_IP_TTL);
		return false;
	}
	if (nh == NULL) {
		V_ipstat.noroute++;
		ip_refuse(m, ICMP_UNREACH_, ICMP_UNREACH_NET_, &DROP_IP_NOROUTE);
		return false;
	}
	if (nh->flags & RTF_BLACKHOLE_) {
		m_drop(m, &DROP_IP_BLACKHOLE);
		return false;
	}
	if (nh->flags & RTF_REJECT_) {
		ip_refuse(m, ICMP_UNREACH_, ICMP_UNREACH_HOST_, &DROP_IP_REJECT);
		return false;
	}
	if (nh->ifp == m->rcvif && !(m->flags & M_NEXTHOP))
		ip_redirect(m, nh);
	return true;
}

/*
 * To be forwarded without more ado, as far as the packet itself tells: no options, no group, time
 * left, nobody here has the address (dst, its own), nobody shares the buffer.
 */
static inline bool
ip_is_easy(const struct in_hash *ours, const struct mbuf *m, uint32_t dst)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	return ip->vhl == 0x45 && !(m->flags & (M_BCAST | M_MCAST | M_LOOP)) && ip->ttl > 1 &&
	    (uint8_t)(dst - 1) < 223 && m_writable(m) && in_local_in(ours, dst) == NULL;
}

/* The hop itself: one off the ttl, its checksum, the next hop. m is writable. */
static inline void
ip_hop(struct mbuf *m, struct nexthop *nh, uint32_t stealth)
{
	ip_ttl_down(mtod(m, struct ip_hdr *), 1 - stealth);
	m->flags |= M_FORWARDED;
	m->nh = nh;
}

/* Of a group the one for m's flow. */
static inline struct nexthop *
ip_choose(struct nexthop *nh, struct mbuf *m)
{
	if (nh == NULL || !(nh->flags & RTF_MULTIPATH_))
		return nh;
	return nexthop_choose(nh, &mtod(m, const struct ip_hdr *)->dst, ip_flow(m));
}

/* The general case: several ways out, packets that need an answer. Takes the batch, in order. */
__attribute__((noinline)) static void
ip_forward_mixed(struct ifnet *rcvif, struct batch *b, struct nexthop *const *nh, uint32_t stealth)
{
	const struct in_hash *ours = in_local_table();
	struct ip_ways ways;
	uint32_t n = b->n;

	ip_ways_init(&ways, ip_send);
	b->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *m = b->m[i];
		struct nexthop *hop = ip_choose(nh[i], m);

		if (!nh_is_easy(rcvif, hop) ||
		    !ip_is_easy(ours, m, mtod(m, const struct ip_hdr *)->dst)) {
			ip_ways_flush(&ways);
			if (!ip_forward_slow(m, hop))
				continue;
			if (!m_writable(m) && (m = m_unshare(m)) == NULL) {
				V_ipstat.odropped++;
				continue;
			}
		}
		V_ipstat.forward++;
		V_ipstat.fastforward += VNET(ip_fastforwarding);
		ip_hop(m, hop, stealth);
		hop->use++;
		ip_ways_add(&ways, hop->ifp, m);
	}
	ip_ways_flush(&ways);
}

/* Drop what nobody could answer by the way it came (RFC 3704); what is left keeps its order. */
static void
ip_rpfilter_batch(struct ifnet *rcvif, struct batch *b)
{
	const struct ifnet *only = VNET(ip_rpfilter) == 1 ? rcvif : NULL;
	uint32_t n = b->n;

	b->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *m = b->m[i];
		struct rt_addr src = rt_addr_make(
		    AF_INET, &mtod(m, const struct ip_hdr *)->src, 32);

		if (rib_reverse_path_ok(m->fib, &src, only)) {
			batch_add(b, m);
			continue;
		}
		clock_at(m->when_ns);
		V_ipstat.cantforward++;
		m_drop(m, &DROP_IP_RPFILTER);
	}
}

/* Forward packets of one interface, in order. Takes the batch. */
static void
ip_forward(struct ifnet *rcvif, struct batch *b)
{
	struct nexthop *nh[BATCH_MAX];
	uint32_t dst[BATCH_MAX];

	if (VNET(ip_rpfilter) != 0)
		ip_rpfilter_batch(rcvif, b);
	if (b->n == 0)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		dst[i] = mtod(b->m[i], const struct ip_hdr *)->dst;
	ip_lookup_batch(b, dst, nh);
	ip_forward_mixed(rcvif, b, nh, VNET(ip_stealth));
}

void
ip_forward_by(struct mbuf *m, struct nexthop *nh)
{
	struct batch one = { .n = 1, .m = { m } };

	ip_forward_mixed(m->rcvif, &one, &nh, VNET(ip_stealth));
}

/*
 * The same for a batch of nothing but easy packets. As a rule they leave by one interface: then
 * they stay in the batch in which they came (45 -> 25 ns a packet, bench forward).
 */
static void
ip_forward_easy(struct ifnet *rcvif, struct batch *b, const uint32_t *dst)
{
	struct nexthop *nh[BATCH_MAX];
	const uint32_t stealth = VNET(ip_stealth), n = b->n;
	bool one;

	one = ip_lookup_batch(b, dst, nh);
	if (one ? !nh_is_easy(rcvif, nh[0]) : !nh_are_easy(rcvif, nh, n)) {
		ip_forward_mixed(rcvif, b, nh, stealth);
		return;
	}
	V_ipstat.forward += n;
	if (VNET(ip_fastforwarding))
		V_ipstat.fastforward += n;
	if (one) {
		/* 19.5 -> 18.5 ns a packet (bench forward) */
		batch_foreach(b, m)
			ip_hop(m, nh[0], stealth);
		nh[0]->use += n;
	} else {
		for (uint32_t i = 0; i < n; i++) {
			ip_hop(b->m[i], nh[i], stealth);
			nh[i]->use++;
		}
	}
	ip_send(nh[0]->ifp, b);
}

/* Messages about groups are not subject to source filters (RFC 3376 3.1). */
bool
ip_is_member(const struct ifnet *ifp, const struct ip_hdr *ip)
{
	const struct ipaddr group = ipaddr4(ip->dst), source = ipaddr4(ip->src);

	return mcast_accepts(ifp, &group, ip->proto == IPPROTO_IGMP_ ? NULL : &source);
}

/*
 * Is it for this stack, and not by its unicast address? *why is set if it has to be dropped at
 * once.
 */
static bool
ip_is_for_many(struct ifnet *rcvif, const struct mbuf *m, const struct drop_reason **why)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	if (in_is_multicast(ip->dst)) {
		/* a router has a look at all of them: mroute4.c */
		if (!mroute_is_on(AF_SLOT_INET) && !ip_is_member(rcvif, ip)) {
			V_ipstat.notmember++;
			*why = &DROP_IP_NOTMEMBER;
		}
		return true;
	}
	return ip->dst == 0xffffffff ||
	    ((m->flags & (M_BCAST | M_LOOP)) && in_is_broadcast(ip->dst, rcvif));
}

/* Is it for this stack? */
static bool
ip_is_for_us(struct ifnet *rcvif, const struct mbuf *m, const struct drop_reason **why)
{
	struct in_ifaddr *ia = in_local(mtod(m, const struct ip_hdr *)->dst);

	*why = NULL;
	if (ia == NULL)
		return ip_is_for_many(rcvif, m, why);
	if (VNET(ip_checkinterface) && ia->ifa.ifp != rcvif && !(m->flags & M_LOOP) &&
	    !V_ip_forwarding)
		*why = &DROP_IP_WRONGIF;
	else
		ia->ifa.ipackets++;
	return true;
}

/* One packet that is not plainly to be forwarded; what came before it has been sent on. Takes m. */
static void
ip_sort_one(struct ifnet *rcvif, struct mbuf *m)
{
	const struct drop_reason *why;
	struct batch one;
	bool for_us = ip_is_for_us(rcvif, m, &why);

	clock_at(m->when_ns);
	if (why != NULL) {
		m_drop(m, why);
	} else if (!for_us && !V_ip_forwarding) {
		V_ipstat.cantforward++;
		m_drop(m, &DROP_IP_CANTFORWARD);
	} else if (mtod(m, const struct ip_hdr *)->vhl != 0x45 &&
	    ((m = m_unshare(m)) == NULL || ip_options_input(m, for_us) != 0)) {
		return;
	} else if (for_us) {
		if (!mroute_is_on(AF_SLOT_INET) ||
		    !in_is_multicast(mtod(m, const struct ip_hdr *)->dst) ||
		    !ip_mroute_input(rcvif, m))
			ip_deliver(m);
	} else {
		one.n = 1;
		one.m[0] = m;
		ip_forward(rcvif, &one);
	}
}

/*
 * A batch with something else in it than easy packets. What is for somebody else and unremarkable
 * up to its ttl goes on in runs; each other packet by itself, when what came before it has gone.
 */
__attribute__((noinline)) static void
ip_sort_mixed(struct ifnet *rcvif, struct batch *b)
{
	const bool forwarding = V_ip_forwarding;
	struct batch run;

	run.n = 0;
	batch_foreach(b, m) {
		const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

		if (forwarding && ip->vhl == 0x45 && !(m->flags & (M_BCAST | M_MCAST | M_LOOP)) &&
		    (uint8_t)ip->dst < 224 && in_local(ip->dst) == NULL) {
			batch_add(&run, m);
			continue;
		}
		ip_forward(rcvif, &run);
		run.n = 0;
		ip_sort_one(rcvif, m);
	}
	b->n = 0;
	ip_forward(rcvif, &run);
}

/* Deliver or forward what passed the filter, in order. Takes the batch. */
static void
ip_sort(struct ifnet *rcvif, struct batch *b)
{
	const struct in_hash *ours = in_local_table();
	const size_t n = V_ip_forwarding && VNET(ip_rpfilter) == 0 ? b->n : 0;
	uint32_t dst[BATCH_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		const uint32_t to = mtod(b->m[i], const struct ip_hdr *)->dst;

		if (!ip_is_easy(ours, b->m[i], to))
			break;
		dst[i] = to;
	}
	if (__builtin_expect(i == b->n, 1))
		ip_forward_easy(rcvif, b, dst);
	else if (!mroute_is_on(AF_SLOT_INET) || !ip_mroute_batch(rcvif, b))
		ip_sort_mixed(rcvif, b);
}

void
ip_input(struct batch *b)
{
	struct ifnet *rcvif = b->m[0]->rcvif;

	V_ipstat.total += b->n;
	ip_sift(b);
	if (b->n > 0)
		pfil_run(PFIL_INET, b, rcvif, PFIL_IN);
	if (b->n > 0)
		ip_sort(rcvif, b);
}

static const struct netisr_handler ip_netisr = {
	.name = "ip",
	.proto = NETISR_IP,
	.policy = NETISR_POLICY_FLOW,
	.handler = ip_input,
};

/* Registered once for the process, when the host stack starts. */
static void
ip_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	netisr_register(&ip_netisr);
	pfil_way_set(PFIL_INET, PFIL_IN, ip_sort);
}
VNET_SYSINIT(ip_input, SI_SUB_INET, SI_ORDER_THIRD, ip_init, NULL);
