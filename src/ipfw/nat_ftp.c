/*
 * nat_ftp.c - FTP (RFC 959, 2428): the client says in its control connection where the server is to
 * open the data connection, so that is translated too.
 *
 *	PORT h1,h2,h3,h4,p1,p2		becomes the alias, and a port that is expected
 *	EPRT |1|address|port|
 *
 * A command is changed if it stands in one segment and names the client itself; another stays as it
 * is. What comes to the port becomes a link of its own. When the text changes its length, all later
 * numbers of the connection move: from us by the difference, acknowledgements to us back. Each
 * change is remembered by where it happened, the last three of them, so that what is sent again
 * gets the same numbers.
 */
#include "ipfw/nat_internal.h"

#include "inet/in.h"
#include "inet/ip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FTP_CONTROL = 21, SHIFTS = 3, LINE_MAX = 64 };
enum { TCP_SEQ = 4, TCP_ACK = 8, TCP_OFF = 12, TCP_FLAGS = 13, TCP_SUM = 16, ACK_FLAG = 0x10 };

/* From `from` on (as the client counts) numbers are `by` higher than the client says. */
struct nat_shift {
	struct {
		uint32_t from;
		int32_t by;
	} at[SHIFTS]; /* the latest first; from == by == 0: nothing as yet */
};

static uint32_t
number_at(const uint8_t *at)
{
	return __builtin_bswap32(load32(at));
}

/* A number of TCP's header becomes another, and the checksum follows. */
static void
set_number(uint8_t *th, unsigned at, uint32_t number)
{
	const be32 new = to_be32(number);

	store16(th + TCP_SUM, nat_sum_fix(load16(th + TCP_SUM), th + at, &new, sizeof(new)));
	memcpy(th + at, &new, sizeof(new));
}

static uint8_t *
tcp_of(const struct fw_packet *p)
{
	return p->m->data + p->l4;
}

/* How far the client's number seq is moved. */
static int32_t
shift_of(const struct nat_shift *s, uint32_t seq)
{
	for (unsigned i = 0; i < SHIFTS; i++)
		if ((int32_t)(seq - s->at[i].from) >= 0)
			return s->at[i].by;
	return 0;
}

static void
shift_seq(const struct nat_shift *s, uint8_t *th)
{
	const uint32_t seq = number_at(th + TCP_SEQ);

	set_number(th, TCP_SEQ, seq + (uint32_t)shift_of(s, seq));
}

void
nat_shift_in(struct nat_link *l, struct fw_packet *p)
{
	const struct nat_shift *s = l->shift;
	uint8_t *th = tcp_of(p);
	uint32_t ack = number_at(th + TCP_ACK);

	if (!(th[TCP_FLAGS] & ACK_FLAG))
		return;
	for (unsigned i = 0; i < SHIFTS; i++)
		if ((int32_t)(ack - (s->at[i].from + (uint32_t)s->at[i].by)) >= 0) {
			ack -= (uint32_t)s->at[i].by;
			/* in the midst of a longer line: no further than the client has sent */
			if (i > 0 && (int32_t)(ack - s->at[i - 1].from) > 0)
				ack = s->at[i - 1].from;
			set_number(th, TCP_ACK, ack);
			return;
		}
}

/* --- commands ------------------------------------------------------------------------------ */

/* What a line asks for. */
struct ftp_port {
	uint32_t addr;
	uint16_t port;
	bool extended;
};

/* "10,0,0,2,4,1" up to the line's end. */
static bool
parse_port(const char *text, struct ftp_port *fp)
{
	unsigned b[6];
	int end = 0;

	if (sscanf(text, "%3u,%3u,%3u,%3u,%3u,%3u%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		&end) != 6 ||
	    (text[end] != '\r' && text[end] != '\n'))
		return false;
	for (unsigned i = 0; i < 6; i++)
		if (b[i] > 255)
			return false;
	fp->addr = b[0] | b[1] << 8 | b[2] << 16 | b[3] << 24;
	fp->port = (uint16_t)(b[4] << 8 | b[5]);
	return fp->port != 0;
}

/* "|1|10.0.0.2|1025|" up to the line's end. */
static bool
parse_eprt(const char *text, struct ftp_port *fp)
{
	char addr[16];
	unsigned port;
	int end = 0;

	fp->extended = true;
	if (sscanf(text, "|1|%15[0-9.]|%5u|%n", addr, &port, &end) != 2 || end == 0 ||
	    (text[end] != '\r' && text[end] != '\n') || port == 0 || port > 65535 ||
	    !in_aton(addr, &fp->addr))
		return false;
	fp->port = (uint16_t)port;
	return true;
}

/* Is the payload one such line, whole? */
static bool
parse_line(const uint8_t *payload, uint32_t len, struct ftp_port *fp)
{
	char line[LINE_MAX];

	if (len < 8 || len >= sizeof(line) || payload[len - 1] != '\n')
		return false;
	memcpy(line, payload, len);
	line[len] = '\0';
	*fp = (struct ftp_port){ 0 };
	if (strncasecmp(line, "PORT ", 5) == 0)
		return parse_port(line + 5, fp);
	return strncasecmp(line, "EPRT ", 5) == 0 && parse_eprt(line + 5, fp);
}

/* The link that waits for the server's connection; its alias port. 0: it can't be had. */
static uint16_t
expect(struct nat_link *control, const struct ftp_port *fp)
{
	struct nat *n = control->nat;
	struct nat_key out = control->key[NAT_OUT], in;
	struct nat_link *l;

	out.near_port = fp->port;
	out.far_port = 0;
	l = nat_link_find(n, NAT_OUT, &out);
	if (l == NULL) {
		in = out;
		in.near = control->key[NAT_IN].near;
		if (!nat_port_choose(n, &in, fp->port) || (l = nat_link_make(n, &out, &in)) == NULL)
			return 0;
		l->flags |= NAT_LINK_EXPECTED;
	}
	nat_link_touch(l, NAT_OUT, 0);
	return l->key[NAT_IN].near_port;
}

static uint32_t
line_write(char line[LINE_MAX], uint32_t addr, uint16_t port, bool extended)
{
	const uint32_t a = __builtin_bswap32(addr);
	const unsigned b[4] = { a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255 };

	return (uint32_t)(extended ? snprintf(line, LINE_MAX, "EPRT |1|%u.%u.%u.%u|%u|\r\n", b[0],
					 b[1], b[2], b[3], port) :
				     snprintf(line, LINE_MAX, "PORT %u,%u,%u,%u,%u,%u\r\n", b[0],
					 b[1], b[2], b[3], port >> 8u, port & 255u));
}

/* Numbers behind seq + len are `by` further on than those before it. False without memory. */
static bool
remember(struct nat_link *l, uint32_t seq, uint32_t len, int32_t by)
{
	struct nat_shift *s = l->shift;

	if (by == 0)
		return true;
	if (s == NULL) {
		if ((s = l->shift = vnet_malloc(sizeof(*s))) == NULL)
			return false;
		/* before the first change: a number that is certainly behind */
		for (unsigned i = 0; i < SHIFTS; i++)
			s->at[i].from = seq;
	}
	if ((int32_t)(seq + len - s->at[0].from) <= 0)
		return true; /* sent again */
	memmove(&s->at[1], &s->at[0], (SHIFTS - 1) * sizeof(s->at[0]));
	s->at[0].from = seq + len;
	s->at[0].by = s->at[1].by + by;
	return true;
}

/* What its checksum says: 0 = right; with the field 0, what to write there. */
static uint16_t
segment_sum(const struct fw_packet *p)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)(p->m->data + p->l3);
	const uint16_t len = (uint16_t)(p->l3 + p->ip_len - p->l4);

	return cksum_fold(
	    cksum_add(ip_pseudo_sum(ip->src, ip->dst, IPPROTO_TCP_, len), tcp_of(p), len));
}

/* The payload becomes this text: lengths, then checksums anew. There is room. */
static void
replace_payload(struct fw_packet *p, uint32_t at, const char *text, uint32_t len)
{
	struct mbuf *m = p->m;
	struct ip_hdr *ip = (struct ip_hdr *)(void *)(m->data + p->l3);
	uint8_t *th = tcp_of(p);

	memcpy(m->data + at, text, len);
	m->len = at + len;
	p->ip_len = (uint16_t)(m->len - p->l3);
	ip->len = to_be16(p->ip_len);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	store16(th + TCP_SUM, 0);
	store16(th + TCP_SUM, segment_sum(p));
}

/* The client's line, if there is one in this segment. */
static bool
rewrite_line(struct nat_link *l, struct fw_packet *p)
{
	const uint32_t at = p->l4 + (uint32_t)(tcp_of(p)[TCP_OFF] >> 4) * 4;
	const uint32_t end = p->l3 + (uint32_t)p->ip_len;
	const uint32_t seq = number_at(tcp_of(p) + TCP_SEQ);
	struct ftp_port fp;
	char line[LINE_MAX];
	uint16_t port;
	uint32_t len;

	if (at < p->l4 + 20u || end > p->m->len || at >= end ||
	    m_tailroom(p->m) + (p->m->len - at) < LINE_MAX ||
	    !parse_line(p->m->data + at, end - at, &fp) || fp.addr != l->key[NAT_OUT].near)
		return true;
	/* a broken segment must not become a sound one */
	if (!(p->m->flags & M_CSUM_OK) && segment_sum(p) != 0)
		return true;
	if ((port = expect(l, &fp)) == 0)
		return true;
	len = line_write(line, l->key[NAT_IN].near, port, fp.extended);
	if (!remember(l, seq, end - at, (int32_t)(len - (end - at))))
		return false;
	replace_payload(p, at, line, len);
	return true;
}

bool
nat_ftp_out(struct nat_link *l, struct fw_packet *p)
{
	if (l->key[NAT_OUT].far_port == FTP_CONTROL && !rewrite_line(l, p))
		return false;
	if (l->shift != NULL)
		shift_seq(l->shift, tcp_of(p));
	return true;
}
