/*
 * ip6_ext.c - extension headers (RFC 8200 section 4): the chain, options, routing headers.
 *
 *	ip6_upper		how far is it to the upper header? Changes nothing
 *	ip6_hopopts_input	options for every node on the way, first in the chain
 *	ip6_dstopts_input	options for the destination
 *	ip6_routing_input	no type is known here, type 0 must not be (RFC 5095)
 *
 * Of options only padding and the router alert are known; what else is done with an option its type
 * says. Jumbograms (RFC 2675) are not taken: their option is an unknown one that must be refused.
 * Headers, options and padding that one packet may have are limited (RFC 8504 5.3): all have to be
 * read one after the other before anything is known of the packet.
 */
#include "inet6/ip6_ext.h"

#include "inet6/icmp6.h"
#include "kern/sysctl.h"

DROP_DEFINE(DROP_IP6_EXTSHORT, "ip6", "extshort", "extension header is cut off");
DROP_DEFINE(DROP_IP6_BADOPTIONS, "ip6", "badoptions", "malformed option");
DROP_DEFINE(DROP_IP6_UNKNOWNOPT, "ip6", "unknownopt", "unknown option that wants it");
DROP_DEFINE(DROP_IP6_JUMBO, "ip6", "jumbo", "jumbograms are not taken");
DROP_DEFINE(DROP_IP6_OPTLIMIT, "ip6", "optlimit",
    "too many options or too much padding (net.inet6.ip6.maxoptions, maxoptpad)");
DROP_DEFINE(DROP_IP6_ROUTING, "ip6", "routing", "routing header of an unknown type, or of type 0");
DROP_DEFINE(DROP_IP6_HOPOPTS, "ip6", "hopopts", "hop-by-hop options behind another header");

VNET_DEFINE_STATIC(uint32_t, ip6_maxoptions) = 8;
VNET_DEFINE_STATIC(uint32_t, ip6_maxoptpad) = 7;

SYSCTL_VNET_UINT(net_inet6_ip6_maxoptions, "net.inet6.ip6.maxoptions", SYSCTL_RW, ip6_maxoptions, 0,
    1024, "options, without padding, that one header may have");
SYSCTL_VNET_UINT(net_inet6_ip6_maxoptpad, "net.inet6.ip6.maxoptpad", SYSCTL_RW, ip6_maxoptpad, 5,
    2048, "bytes of padding in a row that options may have; 7 align anything");

enum ip6_option { OPT_PAD1 = 0, OPT_PADN = 1, OPT_ROUTER_ALERT = 5, OPT_JUMBO = 0xc2 };
/* What is to be done with an unknown option: the highest bits of its type (RFC 8200 4.2). */
enum option_action {
	ACT_SKIP = 0x00,
	ACT_DISCARD = 0x40,
	ACT_ANSWER = 0x80,
	ACT_ANSWER_ONE = 0xc0, /* if the packet was for one node */
	ACT_MASK = 0xc0
};
enum { ROUTING_TYPE = 2, ROUTING_LEFT = 3 }; /* offsets in a routing header */

/* --- the chain -------------------------------------------------------------------------------- */

unsigned
ip6_ext_len(const uint8_t *bytes, size_t len, unsigned off, uint8_t proto)
{
	unsigned n;

	if (off + sizeof(struct ip6_ext) > len)
		return 0;
	switch (proto) {
	case IPPROTO_HOPOPTS_:
	case IPPROTO_ROUTING_:
	case IPPROTO_DSTOPTS_:
		n = (bytes[off + 1] + 1u) * 8;
		break;
	case IPPROTO_FRAGMENT_:
		n = sizeof(struct ip6_frag_hdr);
		break;
	case IPPROTO_AH_: /* in words, without two (RFC 4302 2.2) */
		n = (bytes[off + 1] + 2u) * 4;
		break;
	default:
		return 0;
	}
	return off + n <= len ? n : 0;
}

static inline bool
is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS_ || proto == IPPROTO_ROUTING_ ||
	    proto == IPPROTO_DSTOPTS_ || proto == IPPROTO_FRAGMENT_ || proto == IPPROTO_AH_;
}

static inline bool
is_later_fragment(const uint8_t *bytes, unsigned off)
{
	const struct ip6_frag_hdr *fh = (const void *)(bytes + off);

	return (from_be16(fh->offlg) & IP6F_OFFMASK) != 0;
}

/* From header `next` at off on to the upper one; -1 if it isn't there. */
static int
upper_from(const uint8_t *bytes, size_t len, unsigned off, uint8_t next, uint8_t *proto)
{
	while (is_extension(next)) {
		unsigned n = ip6_ext_len(bytes, len, off, next);

		if (n == 0 || (next == IPPROTO_FRAGMENT_ && is_later_fragment(bytes, off)))
			return -1;
		next = bytes[off];
		off += n;
	}
	*proto = next;
	return (int)off;
}

int
ip6_upper(const void *bytes, size_t len, uint8_t *proto)
{
	if (len < IP6_HDRLEN)
		return -1;
	return upper_from(bytes, len, IP6_HDRLEN, ((const struct ip6_hdr *)bytes)->nxt, proto);
}

unsigned
ip6_upper_min(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP_:
		return 20;
	case IPPROTO_UDP_:
	case IPPROTO_ICMPV6_:
	case IPPROTO_ESP_:
		return 8;
	case IPPROTO_IPV6_:
		return IP6_HDRLEN;
	default:
		return 0;
	}
}

bool
ip6_chain_is_whole(const struct mbuf *m, unsigned off)
{
	uint8_t proto;
	int upper = upper_from(m->data, m->len, off, IPPROTO_FRAGMENT_, &proto);

	return upper >= 0 && (unsigned)upper + ip6_upper_min(proto) <= m->len;
}

void
ip6_parameter_problem(struct mbuf *m, uint8_t code, unsigned pointer, const struct drop_reason *why)
{
	icmp6_error(m, ICMP6_PARAM_PROB_, code, pointer);
	m_drop(m, why);
}

/* --- options ---------------------------------------------------------------------------------- */

/* A walk over the options of one header. */
struct options {
	unsigned at, end;
	uint32_t known, padding; /* options so far; bytes of padding just before `at` */
	bool hop_by_hop;
	int alert;
	/* why it ended before the end */
	const struct drop_reason *why;
	bool answer; /* … the sender is to be told this */
	uint8_t code;
	unsigned pointer;
};

static bool
options_fail(struct options *o, const struct drop_reason *why)
{
	o->why = why;
	return false;
}

static bool
options_malformed(struct options *o, unsigned pointer)
{
	V_ip6stat.badoptions++;
	o->answer = true;
	o->code = ICMP6_PARAM_HEADER;
	o->pointer = pointer;
	return options_fail(o, &DROP_IP6_BADOPTIONS);
}

static bool
option_unknown(const struct mbuf *m, struct options *o)
{
	unsigned action = m->data[o->at] & ACT_MASK;

	if (action == ACT_SKIP)
		return true;
	V_ip6stat.badoptions++;
	o->answer = action == ACT_ANSWER ||
	    (action == ACT_ANSWER_ONE && !in6_is_multicast(&mtod(m, const struct ip6_hdr *)->dst));
	o->code = ICMP6_PARAM_OPTION;
	o->pointer = o->at;
	return options_fail(
	    o, m->data[o->at] == OPT_JUMBO ? &DROP_IP6_JUMBO : &DROP_IP6_UNKNOWNOPT);
}

/* The option at o->at, size bytes with its type and length. */
static bool
option_read(const struct mbuf *m, struct options *o, unsigned size)
{
	const uint8_t *opt = m->data + o->at;

	if (opt[0] == OPT_PAD1 || opt[0] == OPT_PADN) {
		o->padding += size;
		return o->padding <= VNET(ip6_maxoptpad) || options_fail(o, &DROP_IP6_OPTLIMIT);
	}
	o->padding = 0;
	if (++o->known > VNET(ip6_maxoptions))
		return options_fail(o, &DROP_IP6_OPTLIMIT);
	if (opt[0] != OPT_ROUTER_ALERT || !o->hop_by_hop)
		return option_unknown(m, o);
	if (size != 4)
		return options_malformed(o, o->at + 1);
	o->alert = opt[2] << 8 | opt[3];
	return true;
}

/* All options in [o->at, o->end). False: o says what is wrong. */
static bool
options_read(const struct mbuf *m, struct options *o)
{
	unsigned size;

	for (; o->at < o->end; o->at += size) {
		unsigned left = o->end - o->at;

		size = 1;
		if (m->data[o->at] != OPT_PAD1) {
			if (left < 2)
				return options_malformed(o, o->at);
			size = 2u + m->data[o->at + 1];
			if (size > left)
				return options_malformed(o, o->at + 1);
		}
		if (!option_read(m, o, size))
			return false;
	}
	return true;
}

/* The options header at off. 0, or m was taken. */
static int
options_input(struct mbuf *m, unsigned off, unsigned len, bool hop_by_hop, int *alert)
{
	struct options o = {
		.at = off + (unsigned)sizeof(struct ip6_ext),
		.end = off + len,
		.hop_by_hop = hop_by_hop,
		.alert = -1,
	};

	if (options_read(m, &o)) {
		*alert = o.alert;
		return 0;
	}
	if (o.answer)
		ip6_parameter_problem(m, o.code, o.pointer, o.why);
	else
		m_drop(m, o.why);
	return -1;
}

static int
ext_short(struct mbuf *m)
{
	V_ip6stat.tooshort++;
	m_drop(m, &DROP_IP6_EXTSHORT);
	return -1;
}

int
ip6_hopopts_input(struct mbuf *m, int *alert)
{
	unsigned len = ip6_ext_len(m->data, m->len, IP6_HDRLEN, IPPROTO_HOPOPTS_);

	if (len == 0)
		return ext_short(m);
	if (options_input(m, IP6_HDRLEN, len, true, alert) != 0)
		return -1;
	/* RFC 2675 3: without a jumbo option the length has to stand in the header. */
	if (load16(&mtod(m, const struct ip6_hdr *)->plen) == 0) {
		V_ip6stat.badoptions++;
		ip6_parameter_problem(m, ICMP6_PARAM_HEADER, IP6_PLEN_OFF, &DROP_IP6_BADOPTIONS);
		return -1;
	}
	return 0;
}

int
ip6_router_alert(const struct mbuf *m)
{
	struct options o = { .hop_by_hop = true, .alert = -1 };
	unsigned len;

	if (m->len < IP6_HDRLEN || mtod(m, const struct ip6_hdr *)->nxt != IPPROTO_HOPOPTS_)
		return -1;
	len = ip6_ext_len(m->data, m->len, IP6_HDRLEN, IPPROTO_HOPOPTS_);
	o.at = IP6_HDRLEN + (unsigned)sizeof(struct ip6_ext);
	o.end = IP6_HDRLEN + len;
	return options_read(m, &o) ? o.alert : -1;
}

/* --- one header of a packet for us ------------------------------------------------------------ */

static void
chain_pass(struct ip6_chain *c, unsigned len)
{
	c->named = c->off;
	c->off += len;
}

int
ip6_hopopts_pass(struct mbuf *m, struct ip6_chain *c)
{
	unsigned len = ip6_ext_len(m->data, m->len, c->off, IPPROTO_HOPOPTS_);

	if (len == 0)
		return ext_short(m);
	if (c->off != IP6_HDRLEN) {
		/* RFC 8200 4.3: as if it were an unknown header. */
		ip6_parameter_problem(m, ICMP6_PARAM_NEXTHEADER, c->named, &DROP_IP6_HOPOPTS);
		return -1;
	}
	chain_pass(c, len);
	return 0;
}

int
ip6_dstopts_input(struct mbuf *m, struct ip6_chain *c)
{
	unsigned len = ip6_ext_len(m->data, m->len, c->off, IPPROTO_DSTOPTS_);
	int alert;

	if (len == 0)
		return ext_short(m);
	if (options_input(m, c->off, len, false, &alert) != 0)
		return -1;
	chain_pass(c, len);
	return 0;
}

int
ip6_routing_input(struct mbuf *m, struct ip6_chain *c)
{
	unsigned len = ip6_ext_len(m->data, m->len, c->off, IPPROTO_ROUTING_);

	if (len == 0)
		return ext_short(m);
	/* RFC 8200 4.4, RFC 5095 3: whoever is at the end of the way need not know the type. */
	if (m->data[c->off + ROUTING_LEFT] != 0) {
		V_ip6stat.badoptions++;
		ip6_parameter_problem(
		    m, ICMP6_PARAM_HEADER, c->off + ROUTING_TYPE, &DROP_IP6_ROUTING);
		return -1;
	}
	chain_pass(c, len);
	return 0;
}
