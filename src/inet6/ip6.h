/*
 * ip6.h - IPv6 (RFC 8200): the walk in, through and out. The shape is IPv4's (inet/ip.h).
 *
 *	ip6_input	sanity · pfil in · hop-by-hop options · for us? -> ip6_deliver,
 *			else ip6_forward
 *	ip6_forward	hop limit · route · redirect / unreachable / too big -> ip6_send
 *	ip6_deliver	extension headers, reassembly -> upper protocol
 *	ip6_output	packets made here: source, route, header -> ip6_send
 *	ip6_send	pfil out · fragments, of packets made here · if_output
 *
 * In packets addresses have no zone; everywhere else they have (net/in6addr.h).
 */
#ifndef WARREN_INET6_IP6_H
#define WARREN_INET6_IP6_H

#include "inet/ip.h"
#include "inet6/in6.h"

struct ip6_hdr {
	be32 flow; /* version, traffic class, flow label */
	be16 plen; /* payload */
	uint8_t nxt, hlim;
	struct in6 src, dst;
} __attribute__((packed));
_Static_assert(sizeof(struct ip6_hdr) == 40, "wire");

enum ip6_next {
	IPPROTO_HOPOPTS_ = 0,
	IPPROTO_IPV6_ = 41,
	IPPROTO_ROUTING_ = 43,
	IPPROTO_FRAGMENT_ = 44,
	IPPROTO_ESP_ = 50,
	IPPROTO_AH_ = 51,
	IPPROTO_ICMPV6_ = 58,
	IPPROTO_NONE_ = 59,
	IPPROTO_DSTOPTS_ = 60,
	IPPROTO_MH_ = 135,
};
struct ip6_ext {          /* what all but fragment begin with */
	uint8_t nxt, len; /* len: 8-byte units behind the first */
} __attribute__((packed));
struct ip6_frag_hdr {
	uint8_t nxt, reserved;
	be16 offlg; /* offset in bytes, low three bits: reserved, reserved, more */
	be32 id;
} __attribute__((packed));
enum { IP6F_MORE = 1, IP6F_OFFMASK = 0xfff8 };
enum { IPV6_MMTU_ = 1280, IPV6_MAXPACKET_ = 65535, IP6_HDRLEN = 40 };

static inline uint8_t
ip6_class(const struct ip6_hdr *ip6)
{
	return (uint8_t)(ip6->flow.b[0] << 4 | ip6->flow.b[1] >> 4);
}
static inline uint32_t
ip6_flowlabel(const struct ip6_hdr *ip6)
{
	return from_be32(ip6->flow) & 0xfffff;
}
/* An address of a packet that came in by (or goes out by) ifp, with its zone. */
static inline struct in6
ip6_zoned(const struct in6 *wire, const struct ifnet *ifp)
{
	struct in6 a = *wire;

	if (__builtin_expect(in6_is_scoped(&a), 0) && ifp != NULL)
		in6_embed(&a, ifp->if_index);
	return a;
}
/* Does the interface take part in IPv6 (RFC 4862 5.4.5)? */
static inline bool
ip6_is_enabled(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);

	return i == NULL || !(i->nd.flags & ND6_IFF_IFDISABLED);
}
/* src and dst without zones matter for sums: link-local ones are cleared here. len host order. */
uint64_t ip6_pseudo_sum(const struct in6 *src, const struct in6 *dst, uint8_t proto, uint32_t len);

/* netisr's handler. Takes the batch; m->data at the IPv6 header. */
void ip6_input(struct batch *b);

/* Forward one packet by a next hop that somebody else has chosen, as ip_forward_by. Takes m. */
void ip6_forward_by(struct mbuf *m, struct nexthop *nh);

/*
 * Does anybody here listen on ifp to the group (with its zone) when src (as in the packet) sends;
 * NULL: whoever sends?
 */
bool ip6_is_member(const struct ifnet *ifp, const struct in6 *src, const struct in6 *group);

/*
 * Send a payload made here. struct ip_opts_out as for IPv4: tos is the traffic class, ttl the hop
 * limit (0 = the interface's or net.inet6.ip6.hlim, groups 1), options a complete hop-by-hop or
 * destination options header (its type in options_proto; multiple of 8), hdr_included; df: never
 * fragment. src :: = RFC 6724; src_unspecified sends from :: (DAD, MLD). A link-local dst without a
 * zone needs o->ifp. m->fib chooses the table. Members of a group in this stack get a copy, unless
 * no_loop. Takes m. 0; -EHOSTUNREACH, -ENETUNREACH, -EMSGSIZE, -EACCES, -ENOBUFS, -EINVAL,
 * -EADDRNOTAVAIL (no usable source, or one of another zone).
 */
int ip6_output(struct mbuf *m, const struct in6 *src, const struct in6 *dst, uint8_t proto,
    const struct ip_opts_out *o);

/*
 * The source that ip6_output would choose; ifp NULL = by route. 0; -EADDRNOTAVAIL: none is ready;
 * else -errno: no route.
 */
int ip6_source_for(uint8_t fib, struct ifnet *ifp, const struct in6 *dst, struct in6 *src);

/*
 * Out by a next hop known for each packet (m->nh; NULL = on the link), all through ifp. Takes the
 * batch, keeps the order. Routers don't fragment: what is too big is answered (icmp6) if it was
 * forwarded, and sent as fragments for the path's MTU if it was made here.
 */
void ip6_send(struct ifnet *ifp, struct batch *b);

/*
 * Upper protocols; one packet at a time, reassembled, m->data at the IPv6 header, `off` bytes to
 * the protocol's header, all of the chain before it checked. Takes m.
 */
struct ip6_protocol {
	uint8_t proto;
	void (*input)(struct mbuf *m, unsigned off);
	/*
	 * an ICMPv6 error came back for a packet of ours: inner is its IPv6 header (borrowed, len
	 * bytes are there), its addresses with their zones; off the bytes from it to this
	 * protocol's header (at most len)
	 */
	void (*ctlinput)(uint8_t type, uint8_t code, uint32_t arg, const struct ip6_hdr *inner,
	    unsigned off, size_t len);
};
#define IP6_PROTOCOL_DEFINE(ident, ...)                                                            \
	static const struct ip6_protocol ip6proto_of_##ident = { __VA_ARGS__ };                    \
	LINKERSET_ADD(ip6_protocol, ip6proto_of_##ident)
const struct ip6_protocol *ip6_protocol(uint8_t proto);

/*
 * A protocol of both families gets the same ip_info from either (inet/ipaddr.h); m->rcvif gives
 * the zone.
 */
void ip6_info(const struct mbuf *m, unsigned off, struct ip_info *info);

/* Local delivery of one packet: walks the extension headers. Takes m. */
void ip6_deliver(struct mbuf *m);

/*
 * The chain of headers of a packet, without changing anything (filters, icmp6, taps): *proto and
 * the result = the upper header's number and offset from m->data, or, for what is cut off or a
 * later fragment, -1. bytes/len: at the IPv6 header.
 */
int ip6_upper(const void *bytes, size_t len, uint8_t *proto);

/*
 * The hop-by-hop options of a packet whose next header is 0, as every node on the way reads them
 * (ip6_ext.c). 0 = go on; else m was answered or dropped (taken). *alert: the value of the router
 * alert (RFC 2711) among them; -1 if there is none.
 */
int ip6_hopopts_input(struct mbuf *m, int *alert);
/*
 * The same alert of a packet that was accepted, for those who insist on it (MLD: RFC 3810 5.1.14).
 */
int ip6_router_alert(const struct mbuf *m);

/*
 * Split a packet made here (takes it) for mtu, appended to out. What nodes on the way read
 * (hop-by-hop options, a routing header) is in all of them. 0, -EMSGSIZE, -ENOBUFS (all freed).
 * ip6_frag.c
 */
int ip6_fragment(struct mbuf *m, uint32_t mtu, struct mbufq *out);

/* Path MTU to dst as learnt (RFC 8201), 0 = nothing known; ip6_pmtu.c. */
uint32_t ip6_pmtu(const struct in6 *dst);
/*
 * A router said that a packet of ours to dst was too big for a link of this MTU. True if that is
 * news. Whether it is plausible is the caller's question.
 */
bool ip6_pmtu_learn(const struct in6 *dst, uint32_t mtu);

struct ip6stat {
	uint64_t total, toosmall, tooshort, badvers, badscope, badoptions, toomanyhdr, fragments,
	    fragdropped, fragtimeout, fragoverflow, fragatomic, reassembled, delivered, forward,
	    cantforward, redirectsent, localout, rawout, odropped, noroute, fragmented, ofragments,
	    cantfrag, notmember, nogif, sources_none;
	uint64_t nxthist[256];
};
VNET_DECLARE(struct ip6stat, ip6stat);
#define V_ip6stat VNET(ip6stat)
VNET_DECLARE(uint32_t, ip6_defhlim);
#define V_ip6_defhlim VNET(ip6_defhlim)

DROP_DECLARE(DROP_IP6_HLIM);
DROP_DECLARE(DROP_IP6_NOROUTE);
DROP_DECLARE(DROP_IP6_CANTFORWARD);
DROP_DECLARE(DROP_IP6_IFDISABLED);
DROP_DECLARE(DROP_IP6_BLACKHOLE);
DROP_DECLARE(DROP_IP6_NOTMEMBER);

#endif
