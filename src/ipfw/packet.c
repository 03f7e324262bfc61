/*
 * packet.c - a packet's headers, read once, before any rule sees it.
 *
 *	fw_packet_read		which layer are we at? -> read_frame, read_ip4, read_ip6
 *	read_ip4, read_ip6	the header, IPv6's chain of extension headers
 *	read_upper		ports, flags, type and code
 *
 * At layer 3 the walk has checked the IP header (ip_input.c); at layer 2 nobody has, and the frame
 * may be padded. A frame whose IP header is broken is "not IP" to the rules: it will not get far.
 *
 * Some packets never meet a rule, since no rule could judge them: a first fragment that cuts the
 * header which rules look at, a second one of TCP that would overwrite it (RFC 1858 section 3), an
 * extension header that nobody knows.
 */
#include "ipfw/packet.h"

#include "inet/icmp.h"
#include "inet6/icmp6.h"
#include "inet6/ip6_ext.h"
#include "ipfw/rule.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"

VNET_DEFINE_STATIC(bool, fw_deny_unknown_exthdrs) = true;
SYSCTL_VNET_BOOL(net_inet6_ip6_fw_deny_unknown_exthdrs, "net.inet6.ip6.fw.deny_unknown_exthdrs",
    SYSCTL_RW, fw_deny_unknown_exthdrs,
    "drop IPv6 packets with extension headers that are not known, before any rule");

enum { TCP_HDRLEN = 20, TCP_FLAGS_OFF = 13, UDP_HDRLEN = 8, ICMP_MIN = 4, PORTS_LEN = 4 };
enum { IPPROTO_HIP_ = 139, IPPROTO_SHIM6_ = 140 };
/* RFC 3692 2.1: for experiments. RFC 5237: numbers from here up to them are assigned to nobody. */
enum { IPPROTO_UNASSIGNED = 148, IPPROTO_EXPERIMENT1 = 253, IPPROTO_EXPERIMENT2 = 254 };

/* --- what is above IP ------------------------------------------------------------------------- */

static inline void
read_ports(struct fw_packet *p, const uint8_t *h)
{
	p->has_ports = true;
	p->sport = __builtin_bswap16(load16(h));
	p->dport = __builtin_bswap16(load16(h + 2));
}

static inline bool
is_echo(const struct fw_packet *p)
{
	return p->ip == 4 ?
	    p->icmp_type == ICMP_ECHO_ || p->icmp_type == ICMP_ECHOREPLY_ :
	    p->icmp_type == ICMP6_ECHO_REQUEST_ || p->icmp_type == ICMP6_ECHO_REPLY_;
}

static inline void
read_icmp(struct fw_packet *p, const uint8_t *h, uint32_t left)
{
	enum { ECHO_ID = 4 };

	p->has_icmp = true;
	p->icmp_type = h[0];
	p->icmp_code = h[1];
	if (is_echo(p) && left >= ECHO_ID + 2)
		p->echo_id = __builtin_bswap16(load16(h + ECHO_ID));
}

/* TCP or UDP, by one way without a branch: which of both comes next can't be foretold. */
static inline enum fw_packet_fault
read_tcp_udp(struct fw_packet *p, const uint8_t *h, uint32_t left)
{
	const bool tcp = p->proto == IPPROTO_TCP_;
	const uint32_t mask = -(uint32_t)tcp;

	if (left < UDP_HDRLEN + (mask & (TCP_HDRLEN - UDP_HDRLEN)))
		return FW_PACKET_SHORT;
	p->has_tcp = tcp;
	p->tcp_flags = (uint8_t)(h[mask & TCP_FLAGS_OFF] & mask);
	read_ports(p, h);
	return FW_PACKET_OK;
}

/* The header at p->l4, of which `left` bytes are there; not of a later fragment. */
static inline enum fw_packet_fault
read_upper(struct fw_packet *p, uint32_t left)
{
	const uint8_t *h = p->m->data + p->l4;

	if (__builtin_expect(p->proto == IPPROTO_TCP_ || p->proto == IPPROTO_UDP_, 1))
		return read_tcp_udp(p, h, left);
	switch (p->proto) {
	case IPPROTO_SCTP_:
	case IPPROTO_UDPLITE_:
		if (left >= PORTS_LEN)
			read_ports(p, h);
		return FW_PACKET_OK;
	case IPPROTO_ICMP_:
	case IPPROTO_ICMPV6_:
		if ((p->proto == IPPROTO_ICMP_) != (p->ip == 4))
			return FW_PACKET_OK;
		if (left < ICMP_MIN)
			return FW_PACKET_SHORT;
		read_icmp(p, h, left);
		return FW_PACKET_OK;
	default:
		return FW_PACKET_OK;
	}
}

/* The same of any packet, fragments too, once p says where it is in its datagram. */
static inline __attribute__((always_inline)) enum fw_packet_fault
read_behind_ip(struct fw_packet *p, uint32_t left)
{
	if (__builtin_expect(!p->later_fragment, 1))
		return read_upper(p, left);
	return p->proto == IPPROTO_TCP_ && p->frag_off == 8 ? FW_PACKET_TCP_OFFSET1 : FW_PACKET_OK;
}

/* --- IPv4 ------------------------------------------------------------------------------------- */

/* The packet at p->l3. If there is none, p->ip stays 0. */
static inline __attribute__((always_inline)) enum fw_packet_fault
read_ip4(struct fw_packet *p)
{
	const struct ip_hdr *ip = (const void *)(p->m->data + p->l3);
	uint32_t have = p->m->len - p->l3, hlen, len, off;

	if (have < sizeof(*ip) || ip->vhl >> 4 != 4)
		return FW_PACKET_OK;
	hlen = ip_hlen(ip);
	len = from_be16(ip->len);
	if (hlen < sizeof(*ip) || hlen > have || len < hlen)
		return FW_PACKET_OK;
	off = from_be16(ip->off);
	p->ip = 4;
	p->proto = ip->proto;
	p->tos = ip->tos;
	p->ttl = ip->ttl;
	p->src = ip->src;
	p->dst = ip->dst;
	p->ip_len = (uint16_t)len;
	p->l4 = (uint16_t)(p->l3 + hlen);
	p->frag_id = from_be16(ip->id);
	p->frag_off = (uint16_t)((off & IP_OFFMASK_) * 8);
	p->fragment = (off & (IP_MF_ | IP_OFFMASK_)) != 0;
	p->later_fragment = p->frag_off != 0;
	return read_behind_ip(p, (len < have ? len : have) - hlen);
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

/* An extension header by its number, or a number that nobody has: what is behind it is hidden. */
static bool
is_unknown_extension(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_MH_:
	case IPPROTO_HIP_:
	case IPPROTO_SHIM6_:
	case IPPROTO_EXPERIMENT1:
	case IPPROTO_EXPERIMENT2:
		return true;
	default:
		return proto >= IPPROTO_UNASSIGNED && proto < IPPROTO_EXPERIMENT1;
	}
}

static void
read_fragment_header(struct fw_packet *p, const struct ip6_frag_hdr *fh)
{
	uint16_t offlg = from_be16(fh->offlg);

	p->ext6 |= FW_EXT_FRAG;
	p->frag_id = from_be32(fh->id);
	p->frag_off = offlg & IP6F_OFFMASK;
	p->fragment = (offlg & (IP6F_OFFMASK | IP6F_MORE)) != 0;
	p->later_fragment = p->frag_off != 0;
}

/* Types 0 (RFC 5095: not any more) and 2 (RFC 6275); of others nobody knows what they do. */
static enum fw_packet_fault
read_routing_header(struct fw_packet *p, const uint8_t *h)
{
	enum { TYPE = 2 };

	p->ext6 |= FW_EXT_ROUTE;
	if (h[TYPE] == 0)
		p->ext6 |= FW_EXT_RTHDR0;
	else if (h[TYPE] == 2)
		p->ext6 |= FW_EXT_RTHDR2;
	else if (VNET(fw_deny_unknown_exthdrs))
		return FW_PACKET_EXTHDR;
	return FW_PACKET_OK;
}

/* One header of the chain, whole, at h. */
static enum fw_packet_fault
read_extension(struct fw_packet *p, const uint8_t *h, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS_:
		p->ext6 |= FW_EXT_HOPOPT;
		break;
	case IPPROTO_DSTOPTS_:
		p->ext6 |= FW_EXT_DSTOPT;
		break;
	case IPPROTO_AH_:
		p->ext6 |= FW_EXT_AH;
		break;
	case IPPROTO_ROUTING_:
		return read_routing_header(p, h);
	case IPPROTO_FRAGMENT_:
		read_fragment_header(p, (const void *)h);
		break;
	}
	return FW_PACKET_OK;
}

static inline bool
is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS_ || proto == IPPROTO_ROUTING_ ||
	    proto == IPPROTO_FRAGMENT_ || proto == IPPROTO_AH_ || proto == IPPROTO_DSTOPTS_;
}

/* Along the chain of a packet of which `end` bytes are there, to the upper header. */
static enum fw_packet_fault
read_chain(struct fw_packet *p, const uint8_t *ip6, uint32_t end)
{
	uint8_t proto = ((const struct ip6_hdr *)(const void *)ip6)->nxt;
	uint32_t off = IP6_HDRLEN;

	while (is_extension(proto) && !p->later_fragment) {
		uint32_t n = ip6_ext_len(ip6, end, off, proto);
		enum fw_packet_fault fault;

		if (n == 0)
			return FW_PACKET_SHORT;
		if ((fault = read_extension(p, ip6 + off, proto)) != FW_PACKET_OK)
			return fault;
		proto = ip6[off];
		off += n;
	}
	if (p->l3 + off > UINT16_MAX) /* nothing but headers */
		return FW_PACKET_SHORT;
	p->proto = proto;
	p->l4 = (uint16_t)(p->l3 + off);
	if (proto == IPPROTO_ESP_)
		p->ext6 |= FW_EXT_ESP;
	if (is_unknown_extension(proto) && VNET(fw_deny_unknown_exthdrs))
		return FW_PACKET_EXTHDR;
	return read_behind_ip(p, end - off);
}

/* The packet at p->l3. If there is none, p->ip stays 0. */
static enum fw_packet_fault
read_ip6(struct fw_packet *p)
{
	const struct ip6_hdr *ip6 = (const void *)(p->m->data + p->l3);
	uint32_t have = p->m->len - p->l3, len;

	if (have < IP6_HDRLEN || ip6->flow.b[0] >> 4 != 6)
		return FW_PACKET_OK;
	len = IP6_HDRLEN + (uint32_t)from_be16(ip6->plen);
	p->ip = 6;
	p->tos = ip6_class(ip6);
	p->ttl = ip6->hlim;
	p->flowid = ip6_flowlabel(ip6);
	p->src6 = ip6->src;
	p->dst6 = ip6->dst;
	p->ip_len = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX);
	/* A jumbogram says its length in an option; it will be refused (RFC 2675 is not spoken). */
	if (len == IP6_HDRLEN && ip6->nxt == IPPROTO_HOPOPTS_)
		len = have;
	return read_chain(p, (const uint8_t *)ip6, len < have ? len : have);
}

/* --- all -------------------------------------------------------------------------------------- */

static enum fw_packet_fault
read_frame(struct fw_packet *p)
{
	p->layer2 = true;
	if (p->m->len < ETHER_HDR_LEN_)
		return FW_PACKET_SHORT;
	p->ether_type = __builtin_bswap16(load16(p->m->data + 12));
	p->l3 = ETHER_HDR_LEN_;
	switch (p->ether_type) {
	case ETHERTYPE_IP_:
		return read_ip4(p);
	case ETHERTYPE_IPV6_:
		return read_ip6(p);
	default:
		return FW_PACKET_OK;
	}
}

/* The packet in a bridged frame, as the rules would see it in IP: they know nothing of the frame. */
static enum fw_packet_fault
read_bridged(struct fw_packet *p)
{
	enum fw_packet_fault fault = read_frame(p);

	p->layer2 = false;
	return fault;
}

/* In pieces that compilers make stores of; the whole at once is a slow string instruction (16 -> 9 ns). */
static inline void
packet_clear(struct fw_packet *p)
{
	enum { PIECE = 64, ALL = offsetof(struct fw_packet, call) };
	uint8_t *at = (uint8_t *)p;

	_Static_assert(ALL > 2 * PIECE && ALL <= 3 * PIECE, "three pieces");
	memset(at, 0, PIECE);
	memset(at + PIECE, 0, PIECE);
	memset(at + 2 * PIECE, 0, ALL - 2 * PIECE);
}

enum fw_packet_fault
fw_packet_read(struct fw_packet *p, struct mbuf *m, enum pfil_point point, enum pfil_dir dir,
    struct ifnet *ifp)
{
	packet_clear(p);
	p->m = m;
	p->point = (uint8_t)point;
	p->in = dir == PFIL_IN;
	/* On the way out of what was made here rcvif may say other things (if_loop.c). */
	p->recv = p->in ? ifp : m->flags & M_FORWARDED ? m->rcvif : NULL;
	p->xmit = p->in ? NULL : ifp;
	switch (point) {
	case PFIL_INET:
		return read_ip4(p);
	case PFIL_INET6:
		return read_ip6(p);
	case PFIL_BRIDGED_INET:
	case PFIL_BRIDGED_INET6:
		return read_bridged(p);
	default:
		return read_frame(p);
	}
}
