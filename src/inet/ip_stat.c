/*
 * ip_stat.c - what netstat -s says of IPv4, in BSD's sentences.
 */
#include "inet/ip.h"

#include "kern/netstat.h"

#include <inttypes.h>

/* One line of two counters: what was forwarded, and how much of it by the fast way. */
static void
forwarded_line(struct emitter *e, const struct netstat_opts *o)
{
	struct ipstat *st = &V_ipstat;

	if (st->forward != 0 || o->stats < 2) {
		emit_uint(e, "packets-forwarded", "\t%" PRIu64, st->forward);
		emit_text(e, " packet%s forwarded", plural(st->forward));
		emit_uint(e, "packets-fast-forwarded", " (%" PRIu64, st->fastforward);
		emit_text(e, " packet%s fast forwarded)\n", plural(st->fastforward));
	}
	if (o->zero)
		st->forward = st->fastforward = 0;
}

static void
ip_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;
	struct ipstat *st = &V_ipstat;

	emit_object(e, "ip");
	emit_text(e, "ip:\n");
	netstat_counter(e, o, "received-packets", &st->total, "# total packet{s} received");
	netstat_counter(e, o, "dropped-bad-checksum", &st->badsum, "# bad header checksum{s}");
	netstat_counter(
	    e, o, "dropped-below-minimum-size", &st->toosmall, "# with size smaller than minimum");
	netstat_counter(
	    e, o, "dropped-short-packets", &st->tooshort, "# with data size < data length");
	netstat_counter(
	    e, o, "dropped-too-long", &st->toolong, "# with ip length > max ip packet size");
	netstat_counter(
	    e, o, "dropped-short-header-length", &st->badhlen, "# with header length < data size");
	netstat_counter(
	    e, o, "dropped-short-data", &st->badlen, "# with data length < header length");
	netstat_counter(e, o, "dropped-bad-options", &st->badoptions, "# with bad options");
	netstat_counter(
	    e, o, "dropped-bad-version", &st->badvers, "# with incorrect version number");
	netstat_counter(e, o, "received-fragments", &st->fragments, "# fragment{s} received");
	netstat_counter(e, o, "dropped-fragments", &st->fragdropped,
	    "# fragment{s} dropped (dup or out of space)");
	netstat_counter(e, o, "dropped-fragments-after-timeout", &st->fragtimeout,
	    "# fragment{s} dropped after timeout");
	netstat_counter(
	    e, o, "reassembled-packets", &st->reassembled, "# packet{s} reassembled ok");
	netstat_counter(
	    e, o, "received-local-packets", &st->delivered, "# packet{s} for this host");
	netstat_counter(e, o, "dropped-unknown-protocol", &st->noproto,
	    "# packet{s} for unknown/unsupported protocol");
	forwarded_line(e, o);
	netstat_counter(
	    e, o, "packets-cannot-forward", &st->cantforward, "# packet{s} not forwardable");
	netstat_counter(e, o, "received-unknown-multicast-group", &st->notmember,
	    "# packet{s} received for unknown multicast group");
	netstat_counter(e, o, "redirects-sent", &st->redirectsent, "# redirect{s} sent");
	netstat_counter(e, o, "sent-packets", &st->localout, "# packet{s} sent from this host");
	netstat_counter(e, o, "discard-no-mbufs", &st->odropped,
	    "# output packet{s} dropped due to no bufs, etc.");
	netstat_counter(
	    e, o, "discard-no-route", &st->noroute, "# output packet{s} discarded due to no route");
	netstat_counter(e, o, "sent-fragments", &st->fragmented, "# output datagram{s} fragmented");
	netstat_counter(e, o, "fragments-created", &st->ofragments, "# fragment{s} created");
	netstat_counter(e, o, "discard-cannot-fragment", &st->cantfrag,
	    "# datagram{s} that can't be fragmented");
	netstat_counter(
	    e, o, "discard-tunnel-no-gif", &st->nogif, "# tunneling packet{s} that can't find gif");
	netstat_counter(
	    e, o, "discard-bad-address", &st->badaddr, "# datagram{s} with bad address in header");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(ip, "ip", AF_INET, ip_stats);
