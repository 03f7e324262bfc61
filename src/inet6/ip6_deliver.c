/*
 * ip6_deliver.c - packets that have arrived: the last step of IPv6's way in.
 *
 *	ip6_deliver	along the extension headers (ip6_ext.c), fragments together
 *			(ip6_reass.c) · raw listeners borrow the packet, one may serve it · the
 *			protocol takes it, or "parameter problem, unknown next header" goes back
 *
 * Protocols register in a linker set; the table by number is built once, before main.
 */
#include "inet6/icmp6.h"
#include "inet6/ip6_ext.h"
#include "kern/sysctl.h"

#include <stdlib.h>

DROP_DEFINE(DROP_IP6_NOPROTO, "ip6", "noproto", "no handler for the next header");
DROP_DEFINE(DROP_IP6_TOOMANYHDR, "ip6", "toomanyhdr",
    "too many extension headers (net.inet6.ip6.hdrnestlimit)");

VNET_DEFINE_STATIC(uint32_t, ip6_hdrnestlimit) = 15;
/* Of 2,048 bytes each: so a place in the chain fits into 16 bits (inet/reass.h). */
enum { NEST_MAX = 31 };

SYSCTL_VNET_UINT(net_inet6_ip6_hdrnestlimit, "net.inet6.ip6.hdrnestlimit", SYSCTL_RW,
    ip6_hdrnestlimit, 1, NEST_MAX, "extension headers that a packet for this stack may have");

LINKERSET_DECLARE(ip6_protocol, const struct ip6_protocol);

static const struct ip6_protocol *by_number[256]; /* written before main */

__attribute__((constructor)) static void
ip6_protocol_table(void)
{
	const struct ip6_protocol *const *p;

	LINKERSET_FOREACH(p, ip6_protocol) {
		if (by_number[(*p)->proto] != NULL)
			abort(); /* two rooms want one number: the link order must not decide */
		by_number[(*p)->proto] = *p;
	}
}

const struct ip6_protocol *
ip6_protocol(uint8_t proto)
{
	return by_number[proto];
}

void
ip6_info(const struct mbuf *m, unsigned off, struct ip_info *info)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	const struct in6 src = ip6_zoned(&ip6->src, m->rcvif);
	const struct in6 dst = ip6_zoned(&ip6->dst, m->rcvif);

	*info = (struct ip_info){
		.family = ip_family(AF_INET6),
		.src = ipaddr6(&src),
		.dst = ipaddr6(&dst),
		.ttl = ip6->hlim,
		.tos = ip6_class(ip6),
		.hlen = off,
	};
}

/* Is the header at c one that another follows? Else the walk has arrived. */
static bool
is_on_the_way(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS_ || proto == IPPROTO_DSTOPTS_ ||
	    proto == IPPROTO_ROUTING_ || proto == IPPROTO_FRAGMENT_;
}

/* Pass one extension header; returns m (another one: a whole datagram), or NULL: it was taken. */
static struct mbuf *
ext_input(struct mbuf *m, struct ip6_chain *c)
{
	int taken;

	switch (m->data[c->named]) {
	case IPPROTO_HOPOPTS_:
		taken = ip6_hopopts_pass(m, c);
		break;
	case IPPROTO_DSTOPTS_:
		taken = ip6_dstopts_input(m, c);
		break;
	case IPPROTO_ROUTING_:
		taken = ip6_routing_input(m, c);
		break;
	default:
		return ip6_reass(m, c);
	}
	return taken ? NULL : m;
}

/* Takes m; c is at the upper header. */
static void
upper_input(struct mbuf *m, const struct ip6_chain *c)
{
	const uint8_t proto = m->data[c->named];
	const struct ip6_protocol *p = by_number[proto];
	const bool served = ip_raw_input(AF_INET6, proto, m, c->off);

	if (__builtin_expect(!served && p != NULL && p->input != NULL, 1)) {
		V_ip6stat.delivered++;
		p->input(m, c->off);
		return;
	}
	/* RFC 8200 4.7: nothing follows, and that is right. */
	if (served || proto == IPPROTO_NONE_) {
		V_ip6stat.delivered++;
		m_free(m);
		return;
	}
	ip6_parameter_problem(m, ICMP6_PARAM_NEXTHEADER, c->named, &DROP_IP6_NOPROTO);
}

void
ip6_deliver(struct mbuf *m)
{
	struct ip6_chain c = ip6_chain_begin();

	/* Whatever is made in answer is made at the packet's time, not at the batch's. */
	clock_at(m->when_ns);
	for (uint32_t n = 0; is_on_the_way(m->data[c.named]); n++) {
		if (n >= VNET(ip6_hdrnestlimit)) {
			V_ip6stat.toomanyhdr++;
			m_drop(m, &DROP_IP6_TOOMANYHDR);
			return;
		}
		if ((m = ext_input(m, &c)) == NULL)
			return;
	}
	upper_input(m, &c);
}
