/*
 * traceroute6.c - the tool traceroute6, in FreeBSD's words: what differs from traceroute
 * (inet/traceroute.c).
 */
#include "inet/traceroute.h"
#include "inet6/icmp6.h"

#include <string.h>

static int
option6(struct trace *t, int opt, const char *arg)
{
	switch (opt) {
	case 'g':
		return verb_error(
		    t->v, EXIT_TRACE, "-g %s: routing headers are no more (RFC 5095)", arg);
	case 'l':
		t->w.both = true;
		return 0;
	case 'N':
		return verb_error(
		    t->v, EXIT_TRACE, "-N: hosts don't answer to packets without an upper header");
	case 'U':
		t->w.icmp = false;
		return 0;
	default:
		return verb_usage(t->v, NULL);
	}
}

static uint32_t
max_hops6(void)
{
	return V_ip6_defhlim;
}

static bool
is_no_protocol6(const struct icmp_hdr *icmp)
{
	return icmp->type == ICMP6_PARAM_PROB_ && icmp->code == ICMP6_PARAM_NEXTHEADER;
}

static bool
is_too_big6(const struct icmp_hdr *icmp, uint32_t *mtu)
{
	*mtu = from_be32(((const struct icmp6_hdr *)(const void *)icmp)->data);
	return icmp->type == ICMP6_PACKET_TOO_BIG_;
}

static const char *const marks6[] = {
	[ICMP6_UNREACH_NOROUTE] = "!N",
	[ICMP6_UNREACH_ADMIN] = "!P",
	[ICMP6_UNREACH_BEYONDSCOPE] = "!S",
	[ICMP6_UNREACH_ADDR] = "!A",
};

/* Packet lengths are those of the data: behind UDP's header, with ICMPv6's. */
static const struct trace_tool traceroute6 = {
	.af = AF_INET6,
	.name = "traceroute6",
	.opts = "aA:deIf:g:i:lm:nNp:q:rs:t:Uvw:z:",
	.len_udp = 12,
	.len_icmp = 16,
	.headers_udp = 0,
	.headers_icmp = 8,
	.max_hops = max_hops6,
	.mark = marks6,
	.nmarks = sizeof(marks6) / sizeof(marks6[0]),
	.is_no_protocol = is_no_protocol6,
	.is_too_big = is_too_big6,
	.source_shown = true,
	.option = option6,
};

static int
traceroute6_run(struct verb_run *v)
{
	return trace_tool_run(v, &traceroute6);
}
VERB_DEFINE(traceroute6, .name = "traceroute6",
    .usage = "traceroute6 [-deIlnrUv] [-f firsthop] [-i iface] [-m hoplimit] [-p port]\n"
	     "                   [-q probes] [-s src] [-t tclass] [-w waittime]\n"
	     "                   [-z pausemsecs] target [datalen]",
    .summary = "print the routers on the way to an IPv6 host", .run = traceroute6_run);
