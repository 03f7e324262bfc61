/*
 * packet_line6.c - an IPv6 packet in the words of tcpdump -n: the extension headers in their order,
 * then what the packet carries.
 */
#include "port/packet_line.h"

#include "inet/udp.h"
#include "inet6/icmp6.h"
#include "inet6/ip6.h"
#include "inet6/ip6_ext.h"

#include <arpa/inet.h>
#include <string.h>

enum { FRAG_OFFSET = 0xfff8 }; /* of the field in the fragment header */
enum { ND_TARGET = 8, ND_TARGET_END = 24, REDIRECT_END = 40 };

static const char *
addr_text(const uint8_t *p, char text[INET6_ADDRSTRLEN])
{
	inet_ntop(AF_INET6, p, text, INET6_ADDRSTRLEN);
	return text;
}

/* What was unreachable stands in the packet that the message quotes. */
static void
say_unreach6(struct line *l, const uint8_t *p, uint32_t caplen)
{
	static const char *const text[] = { [ICMP6_UNREACH_NOROUTE] = "unreachable route",
		[ICMP6_UNREACH_ADMIN] = "unreachable prohibited",
		[ICMP6_UNREACH_BEYONDSCOPE] = "beyond scope",
		[ICMP6_UNREACH_ADDR] = "unreachable address",
		[ICMP6_UNREACH_PORT] = "unreachable port",
		[ICMP6_UNREACH_POLICY] = "failed source address policy",
		[ICMP6_UNREACH_REJECT] = "reject route" };
	const uint8_t *quoted = p + 8;
	char dst[INET6_ADDRSTRLEN];

	say(l, "destination unreachable");
	if (caplen < 8 + IP6_HDRLEN) {
		say(l, ", code %u", p[1]);
		return;
	}
	addr_text(quoted + 24, dst);
	if (p[1] == ICMP6_UNREACH_PORT && quoted[6] == IPPROTO_UDP_ && caplen >= 8 + IP6_HDRLEN + 4)
		say(l, ", unreachable port, %s udp port %u", dst, wire16(quoted + IP6_HDRLEN + 2));
	else if (p[1] < sizeof(text) / sizeof(text[0]))
		say(l, ", %s %s", text[p[1]], dst);
	else
		say(l, ", code %u %s", p[1], dst);
}

static void
say_exceeded(struct line *l, const uint8_t *p, uint32_t caplen)
{
	char dst[INET6_ADDRSTRLEN];

	if (p[1] != ICMP6_TIMX_TRANSIT)
		say(l, "ip reassembly time exceeded");
	else if (caplen >= 8 + IP6_HDRLEN)
		say(l, "time exceeded in-transit for %s", addr_text(p + 8 + 24, dst));
	else
		say(l, "time exceeded in-transit");
}

/* A message about the address at ND_TARGET; without the whole of it only its name. */
static void
say_target(struct line *l, const char *name, const char *about, const uint8_t *p, uint32_t caplen)
{
	char target[INET6_ADDRSTRLEN];

	say(l, "%s", name);
	if (caplen >= ND_TARGET_END)
		say(l, ", %s %s", about, addr_text(p + ND_TARGET, target));
}

static void
say_redirect(struct line *l, const uint8_t *p, uint32_t caplen)
{
	char to[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	say(l, "redirect");
	if (caplen >= REDIRECT_END)
		say(l, ", %s to %s", addr_text(p + ND_TARGET_END, dst),
		    addr_text(p + ND_TARGET, to));
}

/* Of 24 bytes: a query of MLDv1; longer: of MLDv2 (RFC 3810 8.1). */
static void
say_query(struct line *l, const uint8_t *p, uint32_t caplen, uint32_t len)
{
	char group[INET6_ADDRSTRLEN];

	say(l, "multicast listener query%s", len > ND_TARGET_END ? " v2" : "");
	if (caplen >= ND_TARGET_END)
		say(l, " [gaddr %s]", addr_text(p + ND_TARGET, group));
}

static void
say_icmp6(struct line *l, const uint8_t *p, uint32_t caplen, uint32_t len)
{
	if (caplen < 8) {
		say(l, "ICMP6 [|icmp6], length %u", len);
		return;
	}
	say(l, "ICMP6, ");
	switch (p[0]) {
	case ICMP6_DST_UNREACH_:
		say_unreach6(l, p, caplen);
		break;
	case ICMP6_PACKET_TOO_BIG_:
		say(l, "packet too big, mtu %u", wire32(p + 4));
		break;
	case ICMP6_TIME_EXCEEDED_:
		say_exceeded(l, p, caplen);
		break;
	case ICMP6_PARAM_PROB_:
		say(l, "parameter problem, code %u at octet %u", p[1], wire32(p + 4));
		break;
	case ICMP6_ECHO_REQUEST_:
	case ICMP6_ECHO_REPLY_:
		say(l, "echo %s, id %u, seq %u", p[0] == ICMP6_ECHO_REQUEST_ ? "request" : "reply",
		    wire16(p + 4), wire16(p + 6));
		break;
	case MLD_QUERY:
		say_query(l, p, caplen, len);
		break;
	case MLDV1_REPORT:
		say_target(l, "multicast listener report", "max resp delay: 0 addr:", p, caplen);
		break;
	case MLD_DONE:
		say_target(l, "multicast listener done", "max resp delay: 0 addr:", p, caplen);
		break;
	case MLDV2_REPORT:
		say(l, "multicast listener report v2, %u group record(s)", wire16(p + 6));
		break;
	case ND_ROUTER_SOLICIT_:
		say(l, "router solicitation");
		break;
	case ND_ROUTER_ADVERT_:
		say(l, "router advertisement");
		break;
	case ND_NEIGHBOR_SOLICIT_:
		say_target(l, "neighbor solicitation", "who has", p, caplen);
		break;
	case ND_NEIGHBOR_ADVERT_:
		say_target(l, "neighbor advertisement", "tgt is", p, caplen);
		break;
	case ND_REDIRECT_:
		say_redirect(l, p, caplen);
		break;
	default:
		say(l, "type-%u code %u", p[0], p[1]);
		break;
	}
	say(l, ", length %u", len);
}

/* What is left of a packet: the next header's number, and where it stands. */
struct rest {
	uint8_t proto;
	const uint8_t *p;
	uint32_t caplen, len;
};

static bool
is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS_ || proto == IPPROTO_DSTOPTS_ ||
	    proto == IPPROTO_ROUTING_ || proto == IPPROTO_FRAGMENT_;
}

/*
 * Pass over one extension header. False: it is cut off, or the packet is a later fragment, of which
 * nothing more is known.
 */
static bool
say_extension(struct line *l, struct rest *r)
{
	unsigned n = ip6_ext_len(r->p, r->caplen, 0, r->proto);
	uint32_t off;

	if (n == 0) {
		say(l, "[|ip6]");
		return false;
	}
	switch (r->proto) {
	case IPPROTO_HOPOPTS_:
		say(l, "HBH ");
		break;
	case IPPROTO_DSTOPTS_:
		say(l, "DSTOPT ");
		break;
	case IPPROTO_ROUTING_:
		say(l, "srcrt (len=%u, type=%u, segleft=%u) ", r->p[1], r->p[2], r->p[3]);
		break;
	default: /* a fragment */
		off = wire16(r->p + 2) & FRAG_OFFSET;
		say(l, "frag (%u|%u)", off, r->len - n);
		if (off != 0)
			return false;
		say(l, " ");
		break;
	}
	*r = (struct rest){ r->p[0], r->p + n, r->caplen - n, r->len - n };
	return true;
}

static void
say_rest(struct line *l, const struct rest *r)
{
	if (r->proto == IPPROTO_ICMPV6_)
		say_icmp6(l, r->p, r->caplen, r->len);
	else if (r->proto == IPPROTO_NONE_)
		say(l, "no next header");
	else
		say_upper(l, r->proto, r->p, r->caplen, r->len);
}

void
say_ip6(struct line *l, const uint8_t *p, uint32_t caplen)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	struct rest r;

	if (caplen < IP6_HDRLEN) {
		say(l, "IP6 [|ip6]");
		return;
	}
	if (p[0] >> 4 != 6) {
		say(l, "IP6 bad version %u", p[0] >> 4);
		return;
	}
	addr_text(p + 8, from);
	addr_text(p + 24, to);
	r = (struct rest){ p[6], p + IP6_HDRLEN, caplen - IP6_HDRLEN, wire16(p + 4) };
	if (r.caplen > r.len)
		r.caplen = r.len; /* the rest is padding of the frame */
	say(l, "IP6 ");
	say_ends(l, r.proto, from, to, r.p, r.caplen);
	if (is_extension(r.proto)) {
		while (is_extension(r.proto))
			if (!say_extension(l, &r))
				return;
		if ((r.proto == IPPROTO_UDP_ || r.proto == IPPROTO_TCP_) && r.caplen >= 4)
			say(l, "%u > %u: ", wire16(r.p), wire16(r.p + 2));
	}
	say_rest(l, &r);
}
