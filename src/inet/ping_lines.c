/*
 * ping_lines.c - what ping says of IPv4's answers, as FreeBSD's does.
 */
#include "inet/icmp.h"
#include "inet/ping_cmd.h"

#include <inttypes.h>

/* --- errors ----------------------------------------------------------------------------------- */

static const char *
unreach_text(uint8_t code)
{
	static const char *const text[] = { "Destination Net Unreachable",
		"Destination Host Unreachable", "Destination Protocol Unreachable",
		"Destination Port Unreachable", "frag needed and DF set", "Source Route Failed" };

	if (code < sizeof(text) / sizeof(text[0]))
		return text[code];
	return code == ICMP_UNREACH_FILTER_PROHIB_ ? "Communication prohibited by filter" :
						     "Dest Unreachable, Bad Code";
}

static void
print_error(struct emitter *e, const struct icmp_hdr *icmp)
{
	static const char *const redirect[] = { "Redirect Network", "Redirect Host",
		"Redirect Type of Service and Network", "Redirect Type of Service and Host" };
	char gw[16];

	switch (icmp->type) {
	case ICMP_UNREACH_:
		emit_text(e, "%s", unreach_text(icmp->code));
		if (icmp->code == ICMP_UNREACH_NEEDFRAG_)
			emit_text(e, " (MTU %u)", from_be16(icmp->frag.mtu));
		break;
	case ICMP_SOURCEQUENCH_:
		emit_text(e, "Source Quench");
		break;
	case ICMP_REDIRECT_:
		emit_text(e, "%s(New addr: %s)",
		    icmp->code < 4 ? redirect[icmp->code] : "Redirect, Bad Code",
		    in_ntoa(icmp->gateway, gw));
		break;
	case ICMP_TIMXCEED_:
		emit_text(e, "%s",
		    icmp->code == 0 ? "Time to live exceeded" : "Frag reassembly time exceeded");
		break;
	default:
		emit_text(e, "Parameter problem: pointer = 0x%02x", icmp->param.pointer);
		break;
	}
	emit_text(e, "\n");
}

/* The packet that an error quotes. */
static void
print_quoted(struct emitter *e, const struct ip_hdr *ip)
{
	char src[16], dst[16];

	emit_text(e, "Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst\n");
	emit_text(e, " %1x  %1x  %02x %04x %04x", ip->vhl >> 4, ip->vhl & 0xf, ip->tos,
	    from_be16(ip->len), from_be16(ip->id));
	emit_text(e, "   %1x %04x  %02x  %02x %04x", from_be16(ip->off) >> 13,
	    from_be16(ip->off) & IP_OFFMASK_, ip->ttl, ip->proto, __builtin_bswap16(ip->sum));
	emit_text(e, " %s  %s \n\n", in_ntoa(ip->src, src), in_ntoa(ip->dst, dst));
}

static void
print_icmp_error(struct ping_cmd *c, const struct ping_reply *r)
{
	struct emitter *e = c->v->out;
	const struct icmp_hdr *icmp = (const void *)(r->m->data + r->hlen);
	char from[IPADDR_TEXT];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s: ", ipaddr_ntoa(&r->from, from));
	emit_uint(e, "icmp_seq", NULL, r->seq);
	emit_uint(e, "icmp-type", NULL, r->icmp_type);
	emit_uint(e, "icmp-code", NULL, r->icmp_code);
	print_error(e, icmp);
	print_quoted(e, (const void *)(icmp + 1));
	emit_end(e);
	emit_flush(e);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* -R: the addresses that the reply has collected. */
static void
print_route(struct ping_cmd *c, const struct ip_hdr *ip)
{
	struct emitter *e = c->v->out;
	const uint8_t *opt = (const uint8_t *)(ip + 1);
	unsigned left = ip_hlen(ip) - (unsigned)sizeof(*ip), end;
	char text[16];

	while (left >= 3 && opt[0] == 1) {
		opt++;
		left--;
	}
	if (left < 3 || opt[0] != 7 || opt[1] > left || opt[2] < 4 || opt[2] > opt[1] + 1u)
		return;
	end = opt[2] - 1u;
	if (end == c->route_len && memcmp(opt, c->route, end) == 0) {
		emit_text(e, "\t(same route)");
		return;
	}
	memcpy(c->route, opt, end);
	c->route_len = end;
	emit_text(e, "\nRR: ");
	emit_list(e, "route");
	for (unsigned at = 3; at + 4 <= end; at += 4) {
		emit_text(e, "%s", at > 3 ? "\n" : "");
		emit_str(e, "", "\t%s", in_ntoa(load32(opt + at), text));
	}
	emit_end(e);
}

static void
print_timestamps(struct emitter *e, const uint8_t *t)
{
	static const char *const name[] = { "tso", "tsr", "tst" };

	for (unsigned i = 0; i < 3; i++) {
		uint32_t ms = __builtin_bswap32(load32(t + 4 * i));

		emit_text(e, " %s=%02u:%02u:%02u", name[i], ms / 3600000 % 24, ms / 60000 % 60,
		    ms / 1000 % 60);
		emit_uint(e, name[i], NULL, ms);
	}
}

static void
print_reply(struct ping_cmd *c, const struct ping_reply *r)
{
	struct emitter *e = c->v->out;
	const uint8_t *data = r->m->data + r->hlen + sizeof(struct icmp_hdr);
	char from[IPADDR_TEXT], mask[16];

	emit_object(e, NULL);
	emit_uint(e, "bytes", "%" PRIu64 " bytes", r->bytes);
	emit_str(e, "from", " from %s:", ipaddr_ntoa(&r->from, from));
	emit_uint(e, "icmp_seq", " icmp_seq=%" PRIu64, r->seq);
	emit_uint(e, "ttl", " ttl=%" PRIu64, r->ttl);
	if (r->timed)
		emit_num(e, "time-ms", " time=%.3f ms", (double)r->rtt_ns / 1e6, 6);
	if (r->dup)
		emit_text(e, " (DUP!)");
	if (c->audible)
		emit_text(e, "\a");
	emit_bool(e, "duplicate", r->dup);
	if (c->c.kind == PING_TIMESTAMP)
		print_timestamps(e, data);
	else if (c->c.kind == PING_MASK)
		emit_str(e, "mask", " mask=%s", in_ntoa(load32(data), mask));
	else
		ping_print_difference(c, data, r->bytes - (uint32_t)sizeof(struct icmp_hdr));
	if (c->c.record_route)
		print_route(c, mtod(r->m, const struct ip_hdr *));
	emit_text(e, "\n");
	emit_end(e);
	emit_flush(e);
}

static void
print_head(struct ping_cmd *c)
{
	struct emitter *e = c->v->out;
	char dst[IPADDR_TEXT], src[IPADDR_TEXT];

	emit_str(e, "host", "PING %s", c->host);
	emit_str(e, "address", " (%s)", ipaddr_ntoa(&c->c.dst, dst));
	if (!ipaddr_is_any(&c->c.src))
		emit_str(e, "source", " from %s", ipaddr_ntoa(&c->c.src, src));
	if (c->c.sweep_max != 0)
		emit_text(e, ": (%u ... %u) data bytes\n", c->c.size, c->c.sweep_max);
	else
		emit_text(e, ": %u data bytes\n", c->c.size);
}

PING_LINES_DEFINE(inet, .af = AF_INET, .size = 56, .head = print_head, .reply = print_reply,
    .error = print_icmp_error, .tool = "ping", .stddev = "stddev");
