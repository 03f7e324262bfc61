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
	netstat_counter(e, o, "received-packets", &st->total, "%s total packet%s received");
	netstat_counter(e, o, "dropped-bad-checksum", &st->badsum, "%s bad header checksum%s");
	netstat_counter(e, o, "dropped-below-minimum-size", &st->toosmall, "%s with size smaller than minimum");
	netstat_counter(e, o, "dropped-short-packets", &st->tooshort, "%s with data size < data length");
	netstat_counter(e, o, "dropped-too-long", &st->toolong, "%s with ip length > max ip packet size");
	netstat_counter(e, o, "dropped-short-header-length", &st->badhlen, "%s with header length < data size");
	netstat_counter(e, o, "dropped-short-data", &st->badlen, "%s with data length < header length");
	netstat_counter(e, o, "dropped-bad-options", &st->badoptions, "%s with bad options");
	netstat_counter(e, o, "dropped-bad-version", &st->badvers, "%s with incorrect version number");
	netstat_counter(e, o, "received-fragments", &st->fragments, "%s fragment%s received");
	netstat_counter(e, o, "dropped-fragments", &st->fragdropped, "%s fragment%s dropped (dup or out of space)");
	netstat_counter(e, o, "dropped-fragments-after-timeout", &st->fragtimeout, "%s fragment%s dropped after timeout");
	netstat_counter(e, o, "reassembled-packets", &st->reassembled, "%s packet%s reassembled ok");
	netstat_counter(e, o, "received-local-packets", &st->delivered, "%s packet%s for this host");
	netstat_counter(e, o, "dropped-unknown-protocol", &st->noproto, "%s packet%s for unknown/unsupported protocol");
	forwarded_line(e, o);
	netstat_counter(e, o, "packets-cannot-forward", &st->cantforward, "%s packet%s not forwardable");
	netstat_counter(e, o, "received-unknown-multicast-group", &st->notmember, "%s packet%s received for unknown multicast group");
	netstat_counter(e, o, "redirects-sent", &st->redirectsent, "%s redirect%s sent");
	netstat_counter(e, o, "sent-packets", &st->localout, "%s packet%s sent from this host");
	netstat_counter(e, o, "discard-no-mbufs", &st->odropped, "%s output packet%s dropped due to no bufs, etc.");
	netstat_counter(e, o, "discard-no-route", &st->noroute, "%s output packet%s discarded due to no route");
	netstat_counter(e, o, "sent-fragments", &st->fragmented, "%s output datagram%s fragmented");
	netstat_counter(e, o, "fragments-created", &st->ofragments, "%s fragment%s created");
	netstat_counter(e, o, "discard-cannot-fragment", &st->cantfrag, "%s datagram%s that can't be fragmented");
	netstat_counter(e, o, "discard-tunnel-no-gif", &st->nogif, "%s tunneling packet%s that can't find gif");
	netstat_counter(e, o, "discard-bad-address", &st->badaddr, "%s datagram%s with bad address in header");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(ip, "ip", AF_INET, ip_stats);
