/*
 * ping6.c - what ping says of IPv6's answers, and the tool ping6, whose letters differ from ping's
 * (FreeBSD 8 to 12; RFC 4443 section 4).
 */
#include "inet/ping_cmd.h"
#include "inet6/icmp6.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- lines ------------------------------------------------------------------------------------ */

/* Numbers, or names with -H. */
static const char *
address_text(const struct ping_cmd *c, const struct ipaddr *a, char text[IPADDR_TEXT])
{
	const char *name = c->names ? ip_hosts_name(a) : NULL;

	return name != NULL ? name : ipaddr_ntoa(a, text);
}

static void
print_head(struct ping_cmd *c)
{
	struct emitter *e = c->v->out;
	char dst[IPADDR_TEXT], src[IPADDR_TEXT];
	uint32_t icmp_len = (uint32_t)sizeof(struct icmp6_hdr);

	emit_str(e, "host", NULL, c->host);
	emit_text(
	    e, "PING6(%u=40+%u+%u bytes) ", IP6_HDRLEN + icmp_len + c->c.size, icmp_len, c->c.size);
	emit_str(e, "source", "%s --> ", address_text(c, &c->shown, src));
	emit_str(e, "address", "%s\n", address_text(c, &c->c.dst, dst));
}

static void
print_reply(struct ping_cmd *c, const struct ping_reply *r)
{
	const uint8_t *data = r->m->data + r->hlen + sizeof(struct icmp6_hdr);
	struct emitter *e = c->v->out;
	char from[IPADDR_TEXT], to[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s,", address_text(c, &r->from, from));
	emit_uint(e, "icmp_seq", " icmp_seq=%" PRIu64, r->seq);
	emit_uint(e, "hlim", " hlim=%" PRIu64, r->ttl);
	if (c->verbose)
		emit_str(e, "to", " dst=%s", address_text(c, &r->to, to));
	if (r->timed)
		emit_num(e, "time-ms", " time=%.3f ms", (double)r->rtt_ns / 1e6, 6);
	if (r->dup)
		emit_text(e, "(DUP!)");
	if (c->audible)
		emit_text(e, "\a");
	emit_bool(e, "duplicate", r->dup);
	ping_print_difference(c, data, r->bytes - (uint32_t)sizeof(struct icmp6_hdr));
	emit_text(e, "\n");
	emit_end(e);
	emit_flush(e);
}

static void
print_error_name(struct emitter *e, const struct icmp6_hdr *icmp)
{
	static const char *const unreach[] = { "No Route to Destination",
		"Destination Administratively Unreachable", "Destination Unreachable Beyond Scope",
		"Destination Host Unreachable", "Destination Port Unreachable",
		"Source Address Failed Ingress/Egress Policy", "Reject Route to Destination" };
	static const char *const problem[] = { "Erroneous Header ", "Unknown Nextheader ",
		"Unrecognized Option ", "Incomplete Header Chain " };
	uint32_t arg = from_be32(icmp->data);

	switch (icmp->type) {
	case ICMP6_DST_UNREACH_:
		if (icmp->code < sizeof(unreach) / sizeof(unreach[0]))
			emit_text(e, "%s", unreach[icmp->code]);
		else
			emit_text(e, "Destination Unreachable, Bad Code: %d", icmp->code);
		break;
	case ICMP6_PACKET_TOO_BIG_:
		emit_text(e, "Packet too big mtu = %u", arg);
		break;
	case ICMP6_TIME_EXCEEDED_:
		emit_text(e, "%s",
		    icmp->code == ICMP6_TIMX_TRANSIT ? "Time to live exceeded" :
						       "Frag reassembly time exceeded");
		break;
	case ICMP6_PARAM_PROB_:
		emit_text(e, "Parameter problem: ");
		if (icmp->code < sizeof(problem) / sizeof(problem[0]))
			emit_text(e, "%s", problem[icmp->code]);
		else
			emit_text(e, "Bad code(%d) ", icmp->code);
		emit_text(e, "pointer = 0x%02x", arg);
		break;
	default:
		emit_text(e, "Bad ICMP type: %d", icmp->type);
		break;
	}
	emit_text(e, "\n");
}

/* The packet that an error quotes. */
static void
print_quoted(struct emitter *e, const struct ip6_hdr *ip6)
{
	char src[IN6_TEXT], dst[IN6_TEXT];

	emit_text(e, "Vr TC  Flow Plen Nxt Hlim\n");
	emit_text(e, " %1x %02x %05x %04x  %02x   %02x\n", ip6->flow.b[0] >> 4, ip6_class(ip6),
	    ip6_flowlabel(ip6), from_be16(ip6->plen), ip6->nxt, ip6->hlim);
	emit_text(e, "%s->%s\n\n", in6_ntoa(&ip6->src, src), in6_ntoa(&ip6->dst, dst));
}

static void
print_error(struct ping_cmd *c, const struct ping_reply *r)
{
	const struct icmp6_hdr *icmp = (const void *)(r->m->data + r->hlen);
	struct emitter *e = c->v->out;
	char from[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s: ", address_text(c, &r->from, from));
	emit_uint(e, "icmp_seq", NULL, r->seq);
	emit_uint(e, "icmp-type", NULL, r->icmp_type);
	emit_uint(e, "icmp-code", NULL, r->icmp_code);
	print_error_name(e, icmp);
	print_quoted(e, (const void *)(icmp + 1));
	emit_end(e);
	emit_flush(e);
}
PING_LINES_DEFINE(inet6, .af = AF_INET6, .size = 8, .head = print_head, .reply = print_reply,
    .error = print_error, .tool = "ping6", .stddev = "std-dev");

/* --- the tool ping6 --------------------------------------------------------------------------- */

/* What ping6 calls otherwise than ping: its letter and ping's. */
static const struct {
	char here, there;
} letters[] = { { 'h', 'm' }, { 'R', 'A' }, { 'r', 'a' }, { 'X', 't' }, { 'x', 'W' } };

static int
option(struct ping_cmd *c, int opt, const char *arg)
{
	switch (opt) {
	case 'H':
		c->names = true;
		return 0;
	case 'm': /* packets are made as big as the path takes, never cut to 1,280 bytes */
		return 0;
	case 'b':
		return verb_error(c->v, EXIT_USAGE_, "-b %s: there is no socket buffer here", arg);
	case 'g':
		return verb_error(
		    c->v, EXIT_USAGE_, "-g %s: routing headers are no more (RFC 5095)", arg);
	case 'a':
	case 'N':
	case 't':
	case 'W':
	case 'w':
		return verb_error(c->v, EXIT_USAGE_,
		    "-%c: node information queries (RFC 4620) are not offered", opt);
	}
	for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (opt == letters[i].here)
			return ping_cmd_option(c, letters[i].there, arg);
	return ping_cmd_option(c, opt, arg);
}

static int
ping6_verb_run(struct verb_run *v)
{
	struct ping_cmd *c = ping_cmd_new(v);
	struct verb_opts o;
	int opt, status;

	if (c == NULL)
		return verb_error(v, EXIT_OSERR_, "Cannot allocate memory");
	c->family = AF_INET6;
	verb_opts_init(&o, v, v->argc, v->argv, "6a:b:c:DdfHg:h:I:i:l:mNnoP:p:qRrS:s:tvWwX:x:z:");
	while ((opt = verb_opts_next(&o)) != -1)
		if ((status = option(c, opt, o.arg)) != 0) {
			free(c);
			return status;
		}
	if (o.ind != v->argc - 1) {
		status = o.ind < v->argc - 1 ? verb_error(v, EXIT_USAGE_,
						   "%s: hops on the way: routing headers are no "
						   "more (RFC 5095)",
						   v->argv[o.ind]) :
					       verb_usage(v, NULL);
		free(c);
		return status;
	}
	return ping_cmd_start(c, v->argv[o.ind]);
}
VERB_DEFINE(ping6, .name = "ping6",
    .usage = "ping6 [-6DdfHmnoqRrv] [-c count] [-h hoplimit] [-I interface] [-i wait]\n"
	     "             [-l preload] [-p pattern] [-S sourceaddr] [-s packetsize]\n"
	     "             [-X timeout] [-x waittime] [-z tclass] host",
    .summary = "send ICMPv6 echo requests and print what comes back", .run = ping6_verb_run);
