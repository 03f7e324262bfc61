/*
 * ip6_stat.c - what netstat -s says of IPv6, in BSD's sentences.
 */
#include "inet6/ip6.h"

#include "kern/netstat.h"

/* Next headers by name; others by number. */
static const char *const next_names[256] = {
	[IPPROTO_HOPOPTS_] = "hop by hop",
	[IPPROTO_ICMP_] = "ICMP",
	[IPPROTO_IGMP_] = "IGMP",
	[4] = "IP",
	[IPPROTO_TCP_] = "TCP",
	[IPPROTO_UDP_] = "UDP",
	[IPPROTO_IPV6_] = "IP6",
	[IPPROTO_ROUTING_] = "routing",
	[IPPROTO_FRAGMENT_] = "fragment",
	[47] = "GRE",
	[IPPROTO_ESP_] = "ESP",
	[IPPROTO_AH_] = "AH",
	[IPPROTO_ICMPV6_] = "ICMP6",
	[IPPROTO_NONE_] = "no next header",
	[IPPROTO_DSTOPTS_] = "destination option",
	[89] = "OSPF",
	[IPPROTO_PIM_] = "PIM",
	[132] = "SCTP",
	[IPPROTO_MH_] = "mobility",
};

static void
in_lines(struct emitter *e, const struct netstat_opts *o, struct ip6stat *st)
{
	netstat_counter(e, o, "received-packets", &st->total, "# total packet{s} received");
	netstat_counter(
	    e, o, "dropped-below-minimum-size", &st->toosmall, "# with size smaller than minimum");
	netstat_counter(
	    e, o, "dropped-short-packets", &st->tooshort, "# with data size < data length");
	netstat_counter(e, o, "dropped-bad-options", &st->badoptions, "# with bad options");
	netstat_counter(
	    e, o, "dropped-bad-version", &st->badvers, "# with incorrect version number");
	netstat_counter(e, o, "received-fragments", &st->fragments, "# fragment{s} received");
	netstat_counter(e, o, "dropped-fragment", &st->fragdropped,
	    "# fragment{s} dropped (dup or out of space)");
	netstat_counter(e, o, "dropped-fragment-after-timeout", &st->fragtimeout,
	    "# fragment{s} dropped after timeout");
	netstat_counter(e, o, "dropped-fragments-overflow", &st->fragoverflow,
	    "# fragment{s} that exceeded limit");
	netstat_counter(e, o, "atomic-fragments", &st->fragatomic, "# atomic fragment{s}");
	netstat_counter(
	    e, o, "reassembled-packets", &st->reassembled, "# packet{s} reassembled ok");
	netstat_counter(
	    e, o, "received-local-packets", &st->delivered, "# packet{s} for this host");
}

static void
out_lines(struct emitter *e, const struct netstat_opts *o, struct ip6stat *st)
{
	netstat_counter(e, o, "forwarded-packets", &st->forward, "# packet{s} forwarded");
	netstat_counter(
	    e, o, "packets-not-forwardable", &st->cantforward, "# packet{s} not forwardable");
	netstat_counter(e, o, "sent-redirects", &st->redirectsent, "# redirect{s} sent");
	netstat_counter(e, o, "sent-packets", &st->localout, "# packet{s} sent from this host");
	netstat_counter(e, o, "send-packets-fabricated-header", &st->rawout,
	    "# packet{s} sent with fabricated ip header");
	netstat_counter(e, o, "discard-no-mbufs", &st->odropped,
	    "# output packet{s} dropped due to no bufs, etc.");
	netstat_counter(
	    e, o, "discard-no-route", &st->noroute, "# output packet{s} discarded due to no route");
	netstat_counter(e, o, "sent-fragments", &st->fragmented, "# output datagram{s} fragmented");
	netstat_counter(e, o, "fragments-created", &st->ofragments, "# fragment{s} created");
	netstat_counter(e, o, "discard-cannot-fragment", &st->cantfrag,
	    "# datagram{s} that can't be fragmented");
}

static void
ip6_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct ip6stat *st = &V_ip6stat;
	struct emitter *e = v->out;

	emit_object(e, "ip6");
	emit_text(e, "ip6:\n");
	in_lines(e, o, st);
	out_lines(e, o, st);
	netstat_counter(e, o, "discard-scope-violations", &st->badscope,
	    "# packet{s} that violated scope rules");
	netstat_counter(e, o, "multicast-no-join-packets", &st->notmember,
	    "# multicast packet{s} which we don't join");
	netstat_histogram(e, o, "input-histogram", "Input", next_names, st->nxthist, 256);
	netstat_counter(
	    e, o, "discard-tunnel-no-gif", &st->nogif, "# tunneling packet{s} that can't find gif");
	netstat_counter(e, o, "discard-too-many-headers", &st->toomanyhdr,
	    "# packet{s} discarded because of too many headers");
	netstat_counter(e, o, "failures-of-source-address-selection", &st->sources_none,
	    "# failure{s} of source address selection");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(ip6, "ip6", AF_INET6, ip6_stats);
