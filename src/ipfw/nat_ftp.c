/*
 * nat_ftp.c - FTP (RFC 959, 2428): the client says in its control connection where the server is to
 * open the data connection, so that is translated too.
 *
 *	PORT h1,h2,h3,h4,p1,p2		becomes the alias, and a port that is expected
 *	EPRT |1|address|port|
 *
 * A command is changed if it stands in one segment and names the client itself; another stays as it
 * is. What comes to the port becomes a link of its own. The text may change its length (nat_shift.c).
 */
#include "ipfw/nat_internal.h"

#include "inet/in.h"
#include "inet/ip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FTP_CONTROL = 21, LINE_MAX = 64 };
enum { TCP_SEQ = 4, TCP_OFF = 12, TCP_SUM = 16 };

static uint8_t *
tcp_of(const struct fw_packet *p)
{
	return p->m->data + p->l4;
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
	const uint32_t seq = __builtin_bswap32(load32(tcp_of(p) + TCP_SEQ));
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
	if (!nat_shift_remember(l, seq, end - at, (int32_t)(len - (end - at))))
		return false;
	replace_payload(p, at, line, len);
	return true;
}

bool
nat_ftp_out(struct nat_link *l, struct fw_packet *p)
{
	return l->key[NAT_OUT].far_port != FTP_CONTROL || rewrite_line(l, p);
}
