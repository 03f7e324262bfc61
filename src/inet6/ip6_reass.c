/*
 * ip6_reass.c - fragments of IPv6 (RFC 8200 section 4.5): where each belongs, and what is wrong
 * with it by itself. How they are put together stands in inet/reass.c.
 *
 * A fragment that is a whole packet (offset 0, none to follow) meets no others: RFC 6946. The first
 * fragment must have all headers (RFC 7112): else nobody on the way could have known what it is.
 */
#include "inet/reass.h"

#include "inet6/icmp6.h"
#include "inet6/ip6_ext.h"
#include "kern/sysctl.h"

#include <assert.h>

REASS_DROPS_DEFINE(REASS6, "ip6");
DROP_DEFINE(DROP_REASS6_LENGTH, "ip6", "fraglength",
    "fragment without data or, not the last, not a multiple of 8 bytes");
DROP_DEFINE(DROP_REASS6_SHORT, "ip6", "fragshort", "fragment header is cut off");
DROP_DEFINE(DROP_REASS6_CHAIN, "ip6", "fragchain",
    "first fragment has not all headers of the packet (RFC 7112)");

VNET_DEFINE_STATIC(struct reass, ip6_reass_queues) = {
	.limits.packets = 256,
	.limits.per_source = 64,
	.limits.per_bucket = 64,
	.limits.frags = 4096,
	/* 65,535 bytes over links of 1,280 are 54 fragments; who makes smaller ones may. */
	.limits.per_packet = 160,
	.limits.ttl_s = 60, /* RFC 8200 4.5 */
};

SYSCTL_VNET_UINT(net_inet6_ip6_maxfragpackets, "net.inet6.ip6.maxfragpackets", SYSCTL_RW,
    ip6_reass_queues.limits.packets, 0, 65536,
    "packets that wait for fragments; 0 = take no fragments");
SYSCTL_VNET_UINT(net_inet6_ip6_maxfragpersource, "net.inet6.ip6.maxfragpersource", SYSCTL_RW,
    ip6_reass_queues.limits.per_source, 1, 65536, "packets of one source that wait for fragments");
SYSCTL_VNET_UINT(net_inet6_ip6_maxfragbucketsize, "net.inet6.ip6.maxfragbucketsize", SYSCTL_RW,
    ip6_reass_queues.limits.per_bucket, 1, 65536,
    "packets in one bucket of the hash by source that wait for fragments");
SYSCTL_VNET_UINT(net_inet6_ip6_maxfrags, "net.inet6.ip6.maxfrags", SYSCTL_RW,
    ip6_reass_queues.limits.frags, 0, 1048576, "fragments that wait for others");
SYSCTL_VNET_UINT(net_inet6_ip6_maxfragsperpacket, "net.inet6.ip6.maxfragsperpacket", SYSCTL_RW,
    ip6_reass_queues.limits.per_packet, 0, 8192, "fragments of one packet");
SYSCTL_VNET_UINT(net_inet6_ip6_fragttl, "net.inet6.ip6.fragttl", SYSCTL_RW,
    ip6_reass_queues.limits.ttl_s, 1, 255, "seconds that a packet waits for its fragments");

enum { FH_LEN = sizeof(struct ip6_frag_hdr), FH_OFFLG = 2 };

static uint8_t
frag_class(const struct mbuf *m)
{
	return ip6_class(mtod(m, const struct ip6_hdr *));
}

/* Length and fragment header are strip()'s. */
static void
whole_finish(struct mbuf *m, uint8_t tos)
{
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	ip6->flow = to_be32(UINT32_C(6) << 28 | (uint32_t)tos << 20 | ip6_flowlabel(ip6));
	V_ip6stat.reassembled++;
}

static void
frag_timed_out(const struct mbuf *first)
{
	icmp6_error(first, ICMP6_TIME_EXCEEDED_, ICMP6_TIMX_REASS, 0);
}

static void
frag_lost(const struct drop_reason *why, uint32_t n)
{
	*(why == &DROP_REASS6_TIMEOUT ? &V_ip6stat.fragtimeout : &V_ip6stat.fragdropped) += n;
	if (why == &DROP_REASS6_LIMIT)
		V_ip6stat.fragoverflow += n;
}

static const struct reass_family family = {
	.maxlen = IP6_HDRLEN + IPV6_MAXPACKET_ + FH_LEN,
	REASS_DROPS(REASS6),
	.tos = frag_class,
	.finish = whole_finish,
	.timed_out = frag_timed_out,
	.lost = frag_lost,
};

static struct reass_frag
frag_read(const struct mbuf *m, unsigned off)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	const struct ip6_frag_hdr *fh = (const void *)(m->data + off);
	const struct in6 src = ip6_zoned(&ip6->src, m->rcvif);
	const struct in6 dst = ip6_zoned(&ip6->dst, m->rcvif);
	struct reass_frag f = {
		.off = from_be16(fh->offlg) & IP6F_OFFMASK,
		.len = (uint16_t)(m->len - off - FH_LEN),
		.hdr = (uint16_t)(off + FH_LEN),
		.last = !(from_be16(fh->offlg) & IP6F_MORE),
		.key = { .id = from_be32(fh->id) },
	};

	memcpy(f.key.src, &src, sizeof(src));
	memcpy(f.key.dst, &dst, sizeof(dst));
	return f;
}

/* What is wrong with a fragment by itself, and how its sender is told; NULL = nothing. */
static const struct drop_reason *
frag_fault(const struct mbuf *m, const struct reass_frag *f, uint8_t *code, unsigned *pointer)
{
	unsigned off = f->hdr - (unsigned)FH_LEN;

	*code = ICMP6_PARAM_HEADER;
	*pointer = IP6_PLEN_OFF;
	if (f->len == 0 || (!f->last && f->len % 8 != 0))
		return &DROP_REASS6_LENGTH;
	*pointer = off + FH_OFFLG;
	if (off - IP6_HDRLEN + f->off + f->len > IPV6_MAXPACKET_)
		return &DROP_REASS6_TOOLONG;
	*code = ICMP6_PARAM_CHAIN;
	*pointer = 0;
	if (f->off == 0 && !ip6_chain_is_whole(m, off))
		return &DROP_REASS6_CHAIN;
	return NULL;
}

/* Drop a fragment and tell its sender why. Takes m. */
static struct mbuf *
frag_refuse(struct mbuf *m, uint8_t code, unsigned pointer, const struct drop_reason *why)
{
	frag_lost(why, 1);
	ip6_parameter_problem(m, code, pointer, why);
	return NULL;
}

/* Take the fragment header out of a packet that is whole; m is writable. Where it was: at *c. */
static struct mbuf *
strip(struct mbuf *m, struct ip6_chain *c)
{
	uint8_t next;

	*c = ip6_chain_begin();
	while (m->data[c->named] != IPPROTO_FRAGMENT_) {
		unsigned len = ip6_ext_len(m->data, m->len, c->off, m->data[c->named]);

		assert(len > 0); /* whoever came here has walked over it */
		*c = (struct ip6_chain){ .off = c->off + len, .named = c->off };
	}
	next = m->data[c->off];
	memmove(m->data + FH_LEN, m->data, c->off);
	m_adj(m, FH_LEN);
	m->flags |= M_FRAG; /* some must not have come so: RFC 6980 */
	m->data[c->named] = next;
	mtod(m, struct ip6_hdr *)->plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	return m;
}

struct mbuf *
ip6_reass(struct mbuf *m, struct ip6_chain *c)
{
	const struct drop_reason *why;
	struct reass_frag f;
	unsigned pointer;
	uint8_t code;

	V_ip6stat.fragments++;
	if (ip6_ext_len(m->data, m->len, c->off, IPPROTO_FRAGMENT_) == 0)
		return reass_drop(&family, m, &DROP_REASS6_SHORT);
	f = frag_read(m, c->off);
	if (f.off == 0 && f.last) {
		V_ip6stat.fragatomic++;
		if ((m = m_unshare(m)) == NULL) {
			frag_lost(&DROP_REASS6_NOBUF, 1);
			drop_count(&DROP_REASS6_NOBUF, 1);
			return NULL;
		}
		return strip(m, c);
	}
	if ((why = frag_fault(m, &f, &code, &pointer)) != NULL)
		return frag_refuse(m, code, pointer, why);
	m = reass_input(&VNET(ip6_reass_queues), &family, &f, m);
	return m == NULL ? NULL : strip(m, c);
}
