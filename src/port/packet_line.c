/*
 * packet_line.c - one line for a packet, in the words of tcpdump -n. Reads any bytes; what is cut
 * off shows as "[|ip]". What IPv6 has of its own: packet_line6.c.
 */
#include "port/packet_line.h"
#include "port/pcap.h"

#include "inet/icmp.h"
#include "inet/udp.h"
#include "net/ethernet.h"

#include <pcap/dlt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A smaller type is the length of an 802.3 frame. */
enum { ETHERTYPE_MIN = 0x600, ETHERTYPE_QINQ = 0x88a8 };

void
say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->len >= l->room)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->at + l->len, l->room - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < l->room - l->len ? (size_t)n : l->room - l->len - 1;
}

static void
say_arp(struct line *l, const uint8_t *p, uint32_t len)
{
	char a[16], b[16], mac[18];

	if (len < 28) {
		say(l, "[|arp]");
		return;
	}
	in_ntoa(load32(p + 14), a);
	in_ntoa(load32(p + 24), b);
	if (wire16(p + 6) == 1)
		say(l, "ARP, Request who-has %s tell %s, length %u", b, a, len);
	else if (wire16(p + 6) == 2)
		say(l, "ARP, Reply %s is-at %s, length %u", a, ether_ntoa_(p + 8, mac), len);
	else
		say(l, "ARP, op %u, length %u", wire16(p + 6), len);
}

static const char *
unreach_text(uint8_t code)
{
	static const char *const text[] = { "net unreachable", "host unreachable",
		"protocol unreachable", "port unreachable", "need to frag", "source route failed" };

	return code < sizeof(text) / sizeof(text[0]) ? text[code] : "unreachable";
}

/* What was unreachable stands in the packet that the message quotes. */
static void
say_unreach(struct line *l, const uint8_t *p, uint32_t caplen)
{
	const uint8_t *quoted = p + 8;
	unsigned hlen;
	char a[16];

	say(l, "ICMP ");
	if (caplen >= 8 + sizeof(struct ip_hdr)) {
		say(l, "%s ", in_ntoa(load32(quoted + 16), a));
		hlen = (quoted[0] & 0xfu) * 4;
		if (p[1] == ICMP_UNREACH_PORT_ && 8 + hlen + 4 <= caplen &&
		    (quoted[9] == IPPROTO_UDP_ || quoted[9] == IPPROTO_TCP_)) {
			say(l, "%s port %u unreachable", quoted[9] == IPPROTO_UDP_ ? "udp" : "tcp",
			    wire16(quoted + hlen + 2));
			return;
		}
		if (p[1] == ICMP_UNREACH_PROTOCOL_) {
			say(l, "protocol %u unreachable", quoted[9]);
			return;
		}
	}
	say(l, "%s", unreach_text(p[1]));
	if (p[1] == ICMP_UNREACH_NEEDFRAG_)
		say(l, " (mtu %u)", wire16(p + 6));
}

static void
say_icmp(struct line *l, const uint8_t *p, uint32_t caplen, uint32_t len)
{
	char a[16];

	if (caplen < 8) {
		say(l, "ICMP [|icmp], length %u", len);
		return;
	}
	switch (p[0]) {
	case ICMP_ECHO_:
	case ICMP_ECHOREPLY_:
		say(l, "ICMP echo %s, id %u, seq %u", p[0] == ICMP_ECHO_ ? "request" : "reply",
		    wire16(p + 4), wire16(p + 6));
		break;
	case ICMP_UNREACH_:
		say_unreach(l, p, caplen);
		break;
	case ICMP_REDIRECT_:
		say(l, "ICMP redirect %s to %s", p[1] == 1 ? "host" : "net",
		    in_ntoa(load32(p + 4), a));
		break;
	case ICMP_TIMXCEED_:
		say(l, "ICMP %s",
		    p[1] == 0 ? "time exceeded in-transit" : "ip reassembly time exceeded");
		break;
	default:
		say(l, "ICMP type-%u code %u", p[0], p[1]);
		break;
	}
	say(l, ", length %u", len);
}

static void
say_tcp(struct line *l, const uint8_t *p, uint32_t caplen, uint32_t len)
{
	static const char letters[] = "FSRP.UEW";
	char flags[9];
	uint32_t hlen;
	int n = 0;

	if (caplen < 20 || (hlen = (uint32_t)(p[12] >> 4) * 4) < 20 || hlen > len) {
		say(l, "tcp [|tcp]");
		return;
	}
	for (int i = 0; i < 8; i++)
		if (p[13] & 1 << i)
			flags[n++] = letters[i];
	flags[n] = '\0';
	say(l, "Flags [%s], seq %u", n > 0 ? flags : "none", wire32(p + 4));
	if (p[13] & 0x10)
		say(l, ", ack %u", wire32(p + 8));
	say(l, ", win %u, length %u", wire16(p + 14), len - hlen);
}

void
say_ends(struct line *l, uint8_t proto, const char *from, const char *to, const uint8_t *p,
    uint32_t caplen)
{
	if ((proto == IPPROTO_UDP_ || proto == IPPROTO_TCP_) && caplen >= 4)
		say(l, "%s.%u > %s.%u: ", from, wire16(p), to, wire16(p + 2));
	else
		say(l, "%s > %s: ", from, to);
}

void
say_upper(struct line *l, uint8_t proto, const uint8_t *p, uint32_t caplen, uint32_t len)
{
	switch (proto) {
	case IPPROTO_ICMP_:
		say_icmp(l, p, caplen, len);
		break;
	case IPPROTO_UDP_:
		if (caplen < 8)
			say(l, "[|udp]");
		else
			say(l, "UDP, length %u", len - 8);
		break;
	case IPPROTO_TCP_:
		say_tcp(l, p, caplen, len);
		break;
	default:
		say(l, "ip-proto-%u %u", proto, len);
		break;
	}
}

static void
say_ip(struct line *l, const uint8_t *p, uint32_t caplen)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)p;
	char from[16], to[16];
	uint32_t len, off;
	unsigned hlen;

	if (caplen < sizeof(*ip)) {
		say(l, "IP [|ip]");
		return;
	}
	if (ip->vhl >> 4 != 4) {
		say(l, "IP bad version %u", ip->vhl >> 4);
		return;
	}
	hlen = ip_hlen(ip);
	len = from_be16(ip->len);
	off = from_be16(ip->off);
	in_ntoa(ip->src, from);
	in_ntoa(ip->dst, to);
	say(l, "IP ");
	if (hlen < sizeof(*ip) || hlen > caplen || len < hlen) {
		say(l, "%s > %s: bad header (hlen %u, length %u)", from, to, hlen, len);
		return;
	}
	if ((off & IP_OFFMASK_) != 0) {
		say(l, "%s > %s: ip-proto-%u (frag %u:%u@%u%s)", from, to, ip->proto,
		    from_be16(ip->id), len - hlen, (off & IP_OFFMASK_) * 8,
		    off & IP_MF_ ? "+" : "");
		return;
	}
	if (caplen > len)
		caplen = len; /* the rest is padding of the frame */
	say_ends(l, ip->proto, from, to, p + hlen, caplen - hlen);
	say_upper(l, ip->proto, p + hlen, caplen - hlen, len - hlen);
}

/*
 * Bytes before the network layer, its type, and the VLAN tags on the way; false: cut off, or not
 * known.
 */
static bool
link_layer(
    struct line *l, int dlt, const uint8_t *frame, uint32_t caplen, uint32_t *skip, unsigned *type)
{
	*skip = dlt == DLT_EN10MB ? 14 : dlt == DLT_NULL || dlt == DLT_LOOP ? 4 : 0;
	if (caplen < *skip + 1)
		return false;
	if (dlt != DLT_EN10MB) {
		*type = frame[*skip] >> 4 == 6 ? ETHERTYPE_IPV6_ : ETHERTYPE_IP_;
		return true;
	}
	*type = wire16(frame + 12);
	while (*type == ETHERTYPE_VLAN_ || *type == ETHERTYPE_QINQ) {
		if (caplen < *skip + 5)
			return false;
		say(l, "vlan %u, ", wire16(frame + *skip) & 0xfffu);
		*type = wire16(frame + *skip + 2);
		*skip += 4;
	}
	return true;
}

size_t
packet_line(
    char *text, size_t room, int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen)
{
	struct line l = { text, 0, room };
	uint32_t skip;
	unsigned type;

	if (room == 0)
		return 0;
	text[0] = '\0';
	if (!link_layer(&l, dlt, frame, caplen, &skip, &type))
		say(&l, "[|%s] length %u", dlt == DLT_EN10MB ? "ether" : "link", wirelen);
	else if (type == ETHERTYPE_IP_)
		say_ip(&l, frame + skip, caplen - skip);
	else if (type == ETHERTYPE_IPV6_)
		say_ip6(&l, frame + skip, caplen - skip);
	else if (type == ETHERTYPE_ARP_)
		say_arp(&l, frame + skip, caplen - skip);
	else if (type < ETHERTYPE_MIN)
		say(&l, "802.3, length %u", type);
	else
		say(&l, "ethertype 0x%04x, length %u", type, wirelen);
	return l.len;
}
