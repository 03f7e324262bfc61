/*
 * ip.h - IPv4: the walk in, through and out (RFC 791, 1122, 1812).
 *
 *	ip_input	sanity · pfil in · for us? -> ip_deliver, else ip_forward
 *	ip_forward	ttl · route · redirect / unreachable -> out
 *	ip_output	packets made here: route, header, out
 *	out		pfil out · fragment · if_output
 */
#ifndef WARREN_INET_IP_H
#define WARREN_INET_IP_H

#include "base/bytes.h"
#include "inet/in.h"
#include "kern/drop.h"
#include "route/route.h"

struct ip_hdr {
	uint8_t vhl; /* version 4, header length in words */
	uint8_t tos;
	be16 len;
	be16 id;
	be16 off; /* IP_RF, IP_DF, IP_MF, offset / 8 */
	uint8_t ttl;
	uint8_t proto;
	uint16_t sum;      /* as on the wire */
	uint32_t src, dst; /* network order */
} __attribute__((packed));
_Static_assert(sizeof(struct ip_hdr) == 20, "wire");
enum {
	IP_RF_ = 0x8000,
	IP_DF_ = 0x4000,
	IP_MF_ = 0x2000,
	IP_OFFMASK_ = 0x1fff,
	IP_MAXPACKET_ = 65535
};
enum ip_proto {
	IPPROTO_ICMP_ = 1,
	IPPROTO_IGMP_ = 2,
	IPPROTO_TCP_ = 6,
	IPPROTO_UDP_ = 17,
	IPPROTO_PIM_ = 103
};

static inline unsigned
ip_hlen(const struct ip_hdr *ip)
{
	return (ip->vhl & 0xfu) << 2;
}

/*
 * by off the time to live, which has it, and the checksum follows (RFC 1624); by is 0 or 1. All in
 * the word of both as it lies: less in the lowest byte, more in the upper half.
 */
static inline void
ip_ttl_down(struct ip_hdr *ip, uint32_t by)
{
	uint32_t word = load32(&ip->ttl) + (by << 16) - by;

	store32(&ip->ttl, word);
	if (__builtin_expect(word >> 16 < by, 0))
		ip->sum = 1; /* the carry comes round */
}

/*
 * One's complement sum (RFC 1071): of bytes, added to a running sum; fold gives the checksum
 * field's value.
 */
uint64_t cksum_add(uint64_t sum, const void *bytes, size_t len);
uint16_t cksum_fold(uint64_t sum);
/* A checksum, as on the wire, follows a word that changes from `was` to `is` (RFC 1624 eqn. 3). */
static inline uint16_t
cksum_follow(uint16_t sum, uint16_t was, uint16_t is)
{
	uint32_t s = (uint32_t)(uint16_t)~sum + (uint16_t)~was + is;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}
/* Header checksum of ip (sum field taken as is): 0 = right. */
uint16_t ip_cksum(const struct ip_hdr *ip);
uint64_t ip_pseudo_sum(uint32_t src, uint32_t dst, uint8_t proto, uint16_t len);

/* netisr's handler. Takes the batch; m->data at the IP header. */
void ip_input(struct batch *b);

/*
 * Forward one packet by a next hop that somebody else has chosen (a filter, with M_NEXTHOP): time to
 * live, filter out, and all that belongs to it, but no redirect. nh NULL: there is no way. Takes m.
 */
void ip_forward_by(struct mbuf *m, struct nexthop *nh);

/* Does anybody here listen on ifp to the group that this packet is for, when its source sends? */
bool ip_is_member(const struct ifnet *ifp, const struct ip_hdr *ip);

struct ip_opts_out {
	uint8_t tos, ttl; /* 0 ttl = net.inet.ip.ttl */
	bool df;
	bool dont_route;   /* only on-link destinations */
	struct ifnet *ifp; /* force the interface (broadcast, multicast); NULL = by route */
	/*
	 * IPv4: IP options to insert, a multiple of 4 bytes, at most 40; IPv6: an options header,
	 * whose number is options_proto, a multiple of 8
	 */
	const uint8_t *options;
	unsigned options_len;
	uint8_t options_proto;
	bool
	    hdr_included; /* m begins with a complete IP header; only id (if 0), len and sum are filled in */
	bool src_unspecified; /* IPv6: an unspecified source stays so */
	bool no_loop;         /* groups: members of this stack get no copy (ND, MLD, IGMP) */
	/* hdr_included: its maker is a guest, who hears of a failure by an ICMP error */
	bool icmp_errors;
	uint32_t flowlabel; /* IPv6; 0 = none */
};
/*
 * Send a payload made here: prepends the header. src 0 = by route. m->fib chooses the table. Takes
 * m. 0; -EHOSTUNREACH / -ENETUNREACH no route; -EMSGSIZE (DF and too big); -EACCES (broadcast,
 * filter) ; -ENOBUFS; -EINVAL.
 */
int ip_output(
    struct mbuf *m, uint32_t src, uint32_t dst, uint8_t proto, const struct ip_opts_out *o);
/* Source address that ip_output would choose; ifp as in ip_opts_out. 0 = no route. */
uint32_t ip_source_for(uint8_t fib, struct ifnet *ifp, uint32_t dst);

/*
 * Out by a next hop known for each packet (m->nh), all through ifp: pfil out, fragment, if_output.
 * Takes the batch. Order is kept.
 */
void ip_send(struct ifnet *ifp, struct batch *b);

/*
 * Upper protocols. One packet at a time, m->data at the IP header, reassembled, checked; takes m.
 */
struct ip_protocol {
	uint8_t proto;
	void (*input)(struct mbuf *m, unsigned hlen);
	/*
	 * an ICMP error came back for a packet of ours; icmp type, code, and the inner header
	 * (borrowed, `len` bytes are there)
	 */
	void (*ctlinput)(
	    uint8_t type, uint8_t code, uint16_t mtu, const struct ip_hdr *inner, size_t len);
};
#define IP_PROTOCOL_DEFINE(ident, ...)                                                             \
	static const struct ip_protocol ipproto_of_##ident = { __VA_ARGS__ };                      \
	LINKERSET_ADD(ip_protocol, ipproto_of_##ident)
const struct ip_protocol *ip_protocol(uint8_t proto);

/*
 * Raw listeners, before a protocol: the stack's own programs (ping, traceroute) look at what is
 * delivered, a guest (port/punt.c) takes what it serves.
 */
struct ip_raw {
	uint8_t proto;
	uint8_t family; /* 0 = AF_INET */
	/*
	 * borrowed; hlen: bytes before the protocol's header. True: it has been served, the
	 * stack's protocol is not asked.
	 */
	bool (*input)(struct ip_raw *r, const struct mbuf *m, unsigned hlen);
	LIST_ENTRY(ip_raw) link;
};
void ip_raw_attach(struct ip_raw *r); /* in curvnet */
void ip_raw_detach(struct ip_raw *r);
/* Show m to the listeners of a family and protocol; true if one served it. Each family's delivery. */
bool ip_raw_input(int family, uint8_t proto, const struct mbuf *m, unsigned hlen);

/* Local delivery of one checked packet: reassembly, protocol. Takes m. */
void ip_deliver(struct mbuf *m);

/*
 * Fragments (ip_reass.c): takes m; the whole datagram (m->data at its IP header) or NULL while
 * parts are missing.
 */
struct mbuf *ip_reass(struct mbuf *m);
/*
 * Split m (takes it) into fragments of at most mtu bytes, appended to out. 0; -EMSGSIZE, -ENOBUFS
 * (all freed).
 */
int ip_fragment(struct mbuf *m, uint32_t mtu, struct mbufq *out);

/*
 * Options of a received packet (ip_options.c). 0 = go on; else m was answered/dropped/forwarded by
 * the options (taken).
 */
int ip_options_input(struct mbuf *m, bool for_us);

struct ipstat {
	uint64_t total, badsum, tooshort, toosmall, badhlen, badlen, badvers, badaddr, fragments,
	    fragdropped, fragtimeout, reassembled, delivered, noproto, forward, fastforward,
	    cantforward, redirectsent, localout, odropped, fragmented, ofragments, cantfrag,
	    noroute, badoptions, toolong, notmember, nogif;
};
VNET_DECLARE(struct ipstat, ipstat);
#define V_ipstat VNET(ipstat)
VNET_DECLARE(bool, ip_forwarding);
#define V_ip_forwarding VNET(ip_forwarding)
VNET_DECLARE(uint32_t, ip_defttl);
#define V_ip_defttl VNET(ip_defttl)

DROP_DECLARE(DROP_IP_TTL);
DROP_DECLARE(DROP_IP_NOROUTE);
DROP_DECLARE(DROP_IP_CANTFORWARD);
DROP_DECLARE(DROP_IP_BADSUM);
DROP_DECLARE(DROP_IP_NOTMEMBER);

#endif
