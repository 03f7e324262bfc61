/*
 * ip_reass.c - fragments of IPv4 (RFC 791 section 3.2): where each belongs, and what is wrong with
 * it by itself. How they are put together stands in reass.c.
 */
#include "inet/icmp.h"
#include "inet/ip.h"
#include "inet/reass.h"

#include "kern/sysctl.h"

REASS_DROPS_DEFINE(REASS, "ip");
DROP_DEFINE(DROP_REASS_LENGTH, "ip", "fraglength",
    "fragment without data or, not the last, not a multiple of 8 bytes");
DROP_DEFINE(DROP_REASS_TINY, "ip", "fragtiny", "fragment cuts the TCP header (RFC 1858)");

VNET_DEFINE_STATIC(struct reass, ip_reass_queues) = {
	.limits.packets = 256,
	.limits.per_source = 64,
	.limits.per_bucket = 64,
	.limits.frags = 4096,
	/*
	 * BSD's default is 16, which fits 24 KB. `ping -s 65507` has to work: the largest datagram
	 * has 45 fragments at an mtu of 1500; a router that goes on over 1280 makes two of each,
	 * one over 576 three.
	 */
	.limits.per_packet = 160,
	.limits.ttl_s = 30,
};

SYSCTL_VNET_UINT(net_inet_ip_maxfragpackets, "net.inet.ip.maxfragpackets", SYSCTL_RW,
    ip_reass_queues.limits.packets, 0, 65536,
    "datagrams that wait for fragments; 0 = take no fragments");
SYSCTL_VNET_UINT(net_inet_ip_maxfragpersource, "net.inet.ip.maxfragpersource", SYSCTL_RW,
    ip_reass_queues.limits.per_source, 1, 65536, "datagrams of one source that wait for fragments");
SYSCTL_VNET_UINT(net_inet_ip_maxfragbucketsize, "net.inet.ip.maxfragbucketsize", SYSCTL_RW,
    ip_reass_queues.limits.per_bucket, 1, 65536,
    "datagrams in one bucket of the hash by source that wait for fragments");
SYSCTL_VNET_UINT(net_inet_ip_maxfrags, "net.inet.ip.maxfrags", SYSCTL_RW,
    ip_reass_queues.limits.frags, 0, 1048576, "fragments that wait for others");
SYSCTL_VNET_UINT(net_inet_ip_maxfragsperpacket, "net.inet.ip.maxfragsperpacket", SYSCTL_RW,
    ip_reass_queues.limits.per_packet, 0, 8192, "fragments of one datagram");
SYSCTL_VNET_UINT(net_inet_ip_fragttl, "net.inet.ip.fragttl", SYSCTL_RW,
    ip_reass_queues.limits.ttl_s, 1, 255, "seconds that a datagram waits for its fragments");

enum { TCP_MIN_FIRST = 16 };

static inline unsigned
frag_offset(const struct mbuf *m)
{
	return (from_be16(mtod(m, const struct ip_hdr *)->off) & IP_OFFMASK_) * 8u;
}

static inline unsigned
frag_len(const struct mbuf *m)
{
	return m->len - ip_hlen(mtod(m, const struct ip_hdr *));
}

/* What is wrong with a fragment by itself; NULL = nothing. */
static const struct drop_reason *
frag_fault(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	unsigned off = frag_offset(m), len = frag_len(m);
	bool more = (from_be16(ip->off) & IP_MF_) != 0;

	if (len == 0 || (more && len % 8 != 0))
		return &DROP_REASS_LENGTH;
	if (off + len > IP_MAXPACKET_ - ip_hlen(ip)) {
		V_ipstat.toolong++;
		return &DROP_REASS_TOOLONG;
	}
	/* RFC 1858 section 3: the ports and flags must be in the first fragment, and stay there. */
	if (ip->proto == IPPROTO_TCP_ && ((off == 0 && len < TCP_MIN_FIRST) || off == 8))
		return &DROP_REASS_TINY;
	return NULL;
}

static uint8_t
frag_tos(const struct mbuf *m)
{
	return mtod(m, const struct ip_hdr *)->tos;
}

static void
whole_finish(struct mbuf *m, uint8_t tos)
{
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	ip->tos = tos;
	ip->len = to_be16((uint16_t)m->len);
	ip->off = to_be16(0);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	V_ipstat.reassembled++;
}

static void
frag_timed_out(const struct mbuf *first)
{
	icmp_error(first, ICMP_TIMXCEED_, 1, 0);
}

static void
frag_lost(const struct drop_reason *why, uint32_t n)
{
	*(why == &DROP_REASS_TIMEOUT ? &V_ipstat.fragtimeout : &V_ipstat.fragdropped) += n;
}

static const struct reass_family family = {
	.maxlen = IP_MAXPACKET_,
	REASS_DROPS(REASS),
	.tos = frag_tos,
	.finish = whole_finish,
	.timed_out = frag_timed_out,
	.lost = frag_lost,
};

/* Where the fragment belongs. */
static struct reass_frag
frag_read(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	struct reass_frag f = {
		.off = (uint16_t)frag_offset(m),
		.len = (uint16_t)frag_len(m),
		.hdr = (uint16_t)ip_hlen(ip),
		.last = (from_be16(ip->off) & IP_MF_) == 0,
		.key = { .id = from_be16(ip->id), .proto = ip->proto },
	};

	store32(f.key.src, ip->src);
	store32(f.key.dst, ip->dst);
	return f;
}

struct mbuf *
ip_reass(struct mbuf *m)
{
	const struct drop_reason *why;
	struct reass_frag f;

	V_ipstat.fragments++;
	if (from_be16(mtod(m, const struct ip_hdr *)->len) < m->len)
		m_trim(m, from_be16(mtod(m, const struct ip_hdr *)->len));
	if ((why = frag_fault(m)) != NULL)
		return reass_drop(&family, m, why);
	f = frag_read(m);
	return reass_input(&VNET(ip_reass_queues), &family, &f, m);
}
