/*
 * ip_options.c - options of received packets (RFC 791 section 3.1, RFC 1122 3.2.1.8, RFC 1812
 * 5.2.4).
 *
 *	ip_options_input	walk the list: record route and timestamp are filled in where they lie,
 *				a source route is followed or refused, what is malformed is answered
 *				with "parameter problem" and the offset of the fault
 *
 * Source routes are refused unless a sysctl says otherwise: they let a stranger choose the way
 * around a filter. A hop of an allowed one puts the next address into the header and sends the
 * packet through ip_input once more, marked by a tag, since it is for somebody else now.
 */
#include "inet/icmp.h"
#include "inet/ip.h"

#include "kern/netisr.h"
#include "kern/sysctl.h"

DROP_DEFINE(DROP_IP_BADOPTIONS, "ip", "badoptions", "malformed option");
DROP_DEFINE(DROP_IP_SRCROUTE, "ip", "srcroute", "source route is not allowed, or leads nowhere");
DROP_DEFINE(
    DROP_IP_OPTREFUSED, "ip", "options", "options are not taken (net.inet.ip.process_options)");
DROP_DEFINE(
    DROP_IP_OPTSHARED, "ip", "optshared", "packet with options is shared and can't be written to");

VNET_DEFINE_STATIC(bool, ip_dosourceroute) = false;
VNET_DEFINE_STATIC(bool, ip_acceptsourceroute) = false;
VNET_DEFINE_STATIC(uint32_t, ip_process_options) = 1;

SYSCTL_VNET_BOOL(net_inet_ip_sourceroute, "net.inet.ip.sourceroute", SYSCTL_RW, ip_dosourceroute,
    "forward packets along their source route");
SYSCTL_VNET_BOOL(net_inet_ip_accept_sourceroute, "net.inet.ip.accept_sourceroute", SYSCTL_RW,
    ip_acceptsourceroute, "accept packets that came here by a source route");
SYSCTL_VNET_UINT(net_inet_ip_process_options, "net.inet.ip.process_options", SYSCTL_RW,
    ip_process_options, 0, 2,
    "options of received packets: 0 ignore, 1 process, 2 refuse the packet");

enum ip_option {
	OPT_EOL = 0,
	OPT_NOP = 1,
	OPT_RR = 7,
	OPT_TS = 68,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
	OPT_ROUTER_ALERT = 148,
};
enum ts_flag { TS_ONLY = 0, TS_AND_ADDR = 1, TS_PRESPEC = 3 };
enum { TAG_SOURCE_ROUTED = 0x4f505453 };

/* What an option's handler found. */
enum verdict {
	OPT_OK,
	OPT_CHANGED,   /* the header was written to */
	OPT_BAD,       /* parameter problem; w->fault points to the byte */
	OPT_SRCFAIL,   /* source route failed: unreachable, code 5 */
	OPT_FORBIDDEN, /* source route, silently */
	OPT_NEXT_HOP,  /* the packet is for the next address of its source route now */
};

struct walk {
	struct mbuf *m;
	struct ip_hdr *ip;
	uint8_t *opt;   /* this option */
	unsigned len;   /* its length */
	unsigned fault; /* offset in opt of what is wrong */
	bool for_us;
};

/* The address under which this stack is known on the way to dst; 0 if there is no way. */
static uint32_t
address_towards(const struct mbuf *m, uint32_t dst)
{
	const struct in_ifaddr *ia;
	const struct nexthop *nh;

	if (in_local(dst) != NULL)
		return dst;
	nh = route_to4(m->fib, dst, m->flowid);
	if (nh == NULL)
		return 0;
	if (nh->ifa != NULL && nh->ifa->family == AF_INET)
		return in_ifaddr_of(nh->ifa)->addr;
	ia = in_ifaddr_first(nh->ifp);
	return ia != NULL ? ia->addr : 0;
}

static enum verdict
bad(struct walk *w, unsigned at)
{
	w->fault = at;
	return OPT_BAD;
}

static enum verdict
record_route(struct walk *w)
{
	unsigned ptr = w->opt[2];
	uint32_t addr;

	if (ptr < 4)
		return bad(w, 2);
	if (ptr > w->len)
		return OPT_OK; /* full: pass it on as it is */
	if (ptr + 3 > w->len)
		return bad(w, 2);
	addr = address_towards(w->m, w->ip->dst);
	if (addr == 0)
		return OPT_OK; /* ip_forward will say "unreachable" */
	store32(w->opt + ptr - 1, addr);
	w->opt[2] = (uint8_t)(ptr + 4);
	return OPT_CHANGED;
}

static enum verdict
timestamp(struct walk *w)
{
	unsigned ptr = w->opt[2], need;
	uint32_t addr;
	be32 now = to_be32(icmp_ms_of_day());

	if (ptr < 5)
		return bad(w, 2);
	if (ptr > w->len) {
		/* Full: count those who could not register; more than 15 is an error. */
		if (w->opt[3] >> 4 == 15)
			return bad(w, 3);
		w->opt[3] = (uint8_t)(w->opt[3] + 0x10);
		return OPT_CHANGED;
	}
	switch (w->opt[3] & 0xf) {
	case TS_ONLY:
		need = 4;
		break;
	case TS_AND_ADDR:
	case TS_PRESPEC:
		need = 8;
		break;
	default:
		return bad(w, 3);
	}
	if (ptr + need - 1 > w->len)
		return bad(w, 2);
	if ((w->opt[3] & 0xf) == TS_AND_ADDR) {
		if ((addr = address_towards(w->m, w->ip->dst)) == 0)
			return OPT_OK;
		store32(w->opt + ptr - 1, addr);
	} else if ((w->opt[3] & 0xf) == TS_PRESPEC && in_local(load32(w->opt + ptr - 1)) == NULL) {
		return OPT_OK; /* somebody else's turn */
	}
	memcpy(w->opt + ptr - 1 + need - 4, &now, sizeof(now));
	w->opt[2] = (uint8_t)(ptr + need);
	return OPT_CHANGED;
}

static enum verdict
source_route(struct walk *w)
{
	bool strict = w->opt[0] == OPT_SSRR;
	unsigned ptr = w->opt[2];
	const struct nexthop *nh;
	uint32_t next, self;

	if (ptr < 4)
		return bad(w, 2);
	if (!w->for_us) {
		/*
		 * A strict route that ends up here without naming us; unless we just took a step of
		 * it.
		 */
		return strict && m_tag_find(w->m, TAG_SOURCE_ROUTED) == NULL ? OPT_SRCFAIL : OPT_OK;
	}
	if (ptr > w->len)
		return VNET(ip_acceptsourceroute) ? OPT_OK : OPT_FORBIDDEN;
	if (ptr + 3 > w->len)
		return bad(w, 2);
	if (!VNET(ip_dosourceroute))
		return V_ip_forwarding ? OPT_SRCFAIL : OPT_FORBIDDEN;
	if (!V_ip_forwarding || w->m->rcvif == NULL)
		return OPT_FORBIDDEN;

	next = load32(w->opt + ptr - 1);
	nh = route_to4(w->m->fib, next, w->m->flowid);
	self = address_towards(w->m, next);
	if (nh == NULL || self == 0 || (strict && (nh->flags & RTF_GATEWAY_)))
		return OPT_SRCFAIL;
	store32(w->opt + ptr - 1, self);
	w->opt[2] = (uint8_t)(ptr + 4);
	w->ip->dst = next;
	return OPT_NEXT_HOP;
}

/* One option, complete and at least two bytes long. */
static enum verdict
option_input(struct walk *w)
{
	switch (w->opt[0]) {
	case OPT_RR:
		return w->len < 3 ? bad(w, 1) : record_route(w);
	case OPT_TS:
		return w->len < 4 ? bad(w, 1) : timestamp(w);
	case OPT_LSRR:
	case OPT_SSRR:
		return w->len < 3 ? bad(w, 1) : source_route(w);
	case OPT_ROUTER_ALERT: /* RFC 2113: whoever listens sees the packet anyway */
		return w->len != 4 ? bad(w, 1) : OPT_OK;
	default: /* RFC 1122 3.2.1.8: unknown ones are passed over */
		return OPT_OK;
	}
}

/*
 * Walk all options. `routes` says which: first the source route alone, since a step of it makes the
 * packet somebody else's, then the others.
 */
static enum verdict
options_walk(struct walk *w, bool routes)
{
	uint8_t *opt = (uint8_t *)(w->ip + 1);
	unsigned left = ip_hlen(w->ip) - (unsigned)sizeof(*w->ip);
	enum verdict v, all = OPT_OK;

	while (left > 0 && opt[0] != OPT_EOL) {
		w->opt = opt;
		w->len = 1;
		if (opt[0] != OPT_NOP) {
			if (left < 2)
				return bad(w, 0);
			w->len = opt[1];
			if (w->len < 2 || w->len > left)
				return bad(w, 1);
			if ((opt[0] == OPT_LSRR || opt[0] == OPT_SSRR) == routes) {
				v = option_input(w);
				if (v > OPT_CHANGED)
					return v;
				if (v == OPT_CHANGED)
					all = v;
			}
		}
		opt += w->len;
		left -= w->len;
	}
	return all;
}

static void
header_sum(struct ip_hdr *ip)
{
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

static int
refuse(struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg, const struct drop_reason *why)
{
	V_ipstat.badoptions++;
	icmp_error(m, type, code, arg);
	m_drop(m, why);
	return 1;
}

int
ip_options_input(struct mbuf *m, bool for_us)
{
	struct walk w = { .m = m, .ip = mtod(m, struct ip_hdr *), .for_us = for_us };
	enum verdict v;

	switch (VNET(ip_process_options)) {
	case 0:
		return 0;
	case 2:
		return refuse(
		    m, ICMP_UNREACH_, ICMP_UNREACH_FILTER_PROHIB_, 0, &DROP_IP_OPTREFUSED);
	}
	if (!m_writable(m)) {
		m_drop(m, &DROP_IP_OPTSHARED);
		return 1;
	}

	v = options_walk(&w, true);
	if (v == OPT_OK)
		v = options_walk(&w, false);
	switch (v) {
	case OPT_OK:
		return 0;
	case OPT_CHANGED:
		header_sum(w.ip);
		return 0;
	case OPT_BAD:
		/* What was filled in before the fault counts: the quoted header has to be right. */
		header_sum(w.ip);
		return refuse(m, ICMP_PARAMPROB_, 0, (uint32_t)(w.opt - m->data) + w.fault,
		    &DROP_IP_BADOPTIONS);
	case OPT_SRCFAIL:
		return refuse(m, ICMP_UNREACH_, ICMP_UNREACH_SRCFAIL_, 0, &DROP_IP_SRCROUTE);
	case OPT_FORBIDDEN:
		V_ipstat.cantforward++;
		m_drop(m, &DROP_IP_SRCROUTE);
		return 1;
	case OPT_NEXT_HOP:
		header_sum(w.ip);
		if (m_tag_add(m, TAG_SOURCE_ROUTED, 1) == NULL || !netisr_queue(NETISR_IP, m))
			m_drop(m, &DROP_IP_SRCROUTE);
		return 1;
	}
	return 0;
}
