/*
 * udp6.c - UDP over IPv6: what inet/udp.c wants to know of a datagram, and what an ICMPv6 error
 * says to an endpoint.
 */
#include "inet/udp.h"
#include "inet6/icmp6.h"

#include <errno.h>

static void
udp6_input(struct mbuf *m, unsigned off)
{
	struct ip_info info;

	ip6_info(m, off, &info);
	udp_input(m, &info);
}

/* The errno value that an ICMPv6 error stands for, as in the BSDs; 0 = nothing to tell. */
static int
error_of(uint8_t type, uint8_t code)
{
	static const uint8_t unreach[] = {
		[ICMP6_UNREACH_NOROUTE] = EHOSTUNREACH,
		[ICMP6_UNREACH_ADMIN] = ECONNREFUSED,
		[ICMP6_UNREACH_BEYONDSCOPE] = ENOPROTOOPT,
		[ICMP6_UNREACH_ADDR] = EHOSTDOWN,
		[ICMP6_UNREACH_PORT] = ECONNREFUSED,
		[ICMP6_UNREACH_POLICY] = ECONNREFUSED,
		[ICMP6_UNREACH_REJECT] = EHOSTUNREACH,
	};

	switch (type) {
	case ICMP6_DST_UNREACH_:
		return code < sizeof(unreach) ? unreach[code] : 0;
	case ICMP6_PACKET_TOO_BIG_:
		return EMSGSIZE;
	case ICMP6_PARAM_PROB_:
		return code == ICMP6_PARAM_NEXTHEADER ? ECONNREFUSED : ENOPROTOOPT;
	default:
		return 0;
	}
}

static void
udp6_ctlinput(
    uint8_t type, uint8_t code, uint32_t arg, const struct ip6_hdr *inner, unsigned off, size_t len)
{
	struct ipaddr src = ipaddr6(&inner->src), dst = ipaddr6(&inner->dst);
	const struct udp_hdr *uh = (const void *)((const uint8_t *)inner + off);
	int error = error_of(type, code);

	(void)arg;
	if (error != 0 && len >= off + sizeof(*uh))
		udp_error(&src, &dst, uh, error);
}
IP6_PROTOCOL_DEFINE(udp, .proto = IPPROTO_UDP_, .input = udp6_input, .ctlinput = udp6_ctlinput);
