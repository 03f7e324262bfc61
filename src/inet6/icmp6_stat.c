/*
 * icmp6_stat.c - what netstat -s says of ICMPv6, in BSD's sentences.
 */
#include "inet6/icmp6.h"

#include "kern/netstat.h"

#include <inttypes.h>

/* Scripts look for "echo: N" and "echo reply: N" in the histograms. */
static const char *const icmp6_names[256] = {
	[ICMP6_DST_UNREACH_] = "unreach",
	[ICMP6_PACKET_TOO_BIG_] = "packet too big",
	[ICMP6_TIME_EXCEEDED_] = "time exceed",
	[ICMP6_PARAM_PROB_] = "parameter problem",
	[ICMP6_ECHO_REQUEST_] = "echo",
	[ICMP6_ECHO_REPLY_] = "echo reply",
	[MLD_QUERY] = "multicast listener query",
	[MLDV1_REPORT] = "MLDv1 listener report",
	[MLD_DONE] = "MLDv1 listener done",
	[ND_ROUTER_SOLICIT_] = "router solicitation",
	[ND_ROUTER_ADVERT_] = "router advertisement",
	[ND_NEIGHBOR_SOLICIT_] = "neighbor solicitation",
	[ND_NEIGHBOR_ADVERT_] = "neighbor advertisement",
	[ND_REDIRECT_] = "redirect",
	[138] = "router renumbering",
	[139] = "node information request",
	[140] = "node information reply",
	[141] = "inverse neighbor solicitation",
	[142] = "inverse neighbor advertisement",
	[MLDV2_REPORT] = "MLDv2 listener report",
};

static const struct {
	const char *json, *text;
} errkinds[ICMP6_ERR_KINDS] = {
	[ICMP6_ERR_NOROUTE] = { "no-route", "no route" },
	[ICMP6_ERR_ADMIN] = { "admin-prohibited", "administratively prohibited" },
	[ICMP6_ERR_BEYONDSCOPE] = { "beyond-scope", "beyond scope" },
	[ICMP6_ERR_ADDR] = { "address-unreachable", "address unreachable" },
	[ICMP6_ERR_PORT] = { "port-unreachable", "port unreachable" },
	[ICMP6_ERR_TOOBIG] = { "packet-too-big", "packet too big" },
	[ICMP6_ERR_TRANSIT] = { "time-exceed-transmit", "time exceed transit" },
	[ICMP6_ERR_REASS] = { "time-exceed-reassembly", "time exceed reassembly" },
	[ICMP6_ERR_HEADER] = { "bad-header", "erroneous header field" },
	[ICMP6_ERR_NEXTHEADER] = { "bad-next-header", "unrecognized next header" },
	[ICMP6_ERR_OPTION] = { "bad-option", "unrecognized option" },
	[ICMP6_ERR_REDIRECT] = { "redirects", "redirect" },
	[ICMP6_ERR_OTHER] = { "unknown", "unknown" },
};

/* All kinds each time, with the number first: so BSD has it, other than the histograms by type. */
static void
error_histogram(struct emitter *e, const struct netstat_opts *o)
{
	uint64_t *hist = V_icmp6stat.errhist;

	emit_object(e, "errors");
	emit_text(e, "\tHistogram of error messages to be generated:\n");
	for (unsigned kind = 0; kind < ICMP6_ERR_KINDS; kind++) {
		bool shown = hist[kind] != 0 || o->stats < 2;

		emit_uint(e, errkinds[kind].json, shown ? "\t\t%" PRIu64 : NULL, hist[kind]);
		if (shown)
			emit_text(e, " %s\n", errkinds[kind].text);
		if (o->zero)
			hist[kind] = 0;
	}
	emit_end(e);
}

static void
icmp6_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct icmp6stat *st = &V_icmp6stat;
	struct emitter *e = v->out;

	emit_object(e, "icmp6");
	emit_text(e, "icmp6:\n");
	netstat_counter(e, o, "icmp6-calls", &st->error, "# call{s} to icmp6_error");
	netstat_counter(e, o, "errors-not-generated-from-message", &st->canterror,
	    "# error{s} not generated in response to an icmp6 message");
	netstat_counter(e, o, "errors-discarded-by-rate-limitation", &st->toofreq,
	    "# error{s} not generated because of rate limitation");
	netstat_histogram(e, o, "output-histogram", "Output", icmp6_names, st->outhist, 256);
	netstat_counter(
	    e, o, "dropped-bad-code", &st->badcode, "# message{s} with bad code fields");
	netstat_counter(e, o, "dropped-too-short", &st->tooshort, "# message{s} < minimum length");
	netstat_counter(e, o, "dropped-bad-checksum", &st->checksum, "# bad checksum{s}");
	netstat_counter(e, o, "dropped-bad-length", &st->badlen, "# message{s} with bad length");
	netstat_histogram(e, o, "input-histogram", "Input", icmp6_names, st->inhist, 256);
	error_histogram(e, o);
	netstat_counter(e, o, "reflect", &st->reflect, "# message response{s} generated");
	netstat_counter(e, o, "bad-neighbor-solicitation", &st->badns,
	    "# bad neighbor solicitation message{s}");
	netstat_counter(e, o, "bad-neighbor-advertisement", &st->badna,
	    "# bad neighbor advertisement message{s}");
	netstat_counter(
	    e, o, "bad-router-solicitation", &st->badrs, "# bad router solicitation message{s}");
	netstat_counter(
	    e, o, "bad-router-advertisement", &st->badra, "# bad router advertisement message{s}");
	netstat_counter(e, o, "bad-redirect", &st->badredirect, "# bad redirect message{s}");
	netstat_counter(e, o, "path-mtu-changes", &st->pmtuchg, "# path MTU change{s}");
	netstat_counter(e, o, "discard-no-route", &st->noroute, "# no return route{s}");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(icmp6, "icmp6", AF_INET6, icmp6_stats);
