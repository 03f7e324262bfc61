/*
 * nat_ftp.c - FTP (RFC 959, 2428): one end says in the control connection where it waits for the data
 * connection, so that is translated too.
 *
 *	PORT h1,h2,h3,h4,p1,p2		a client inside: becomes the alias, and a port that is expected
 *	EPRT |1|address|port|
 *	227 words (h1,h2,h3,h4,p1,p2)	a server inside, for a passive client
 *	229 words (|||port|)
 *
 * A line is changed if it stands whole in one segment, behind nothing else, and names who says it;
 * another stays as it is. What comes to the port from the control connection's other end becomes a link
 * of its own. The text may change its length (nat_shift.c).
 */
#include "ipfw/nat_internal.h"

#include "inet/in.h"
#include "inet/ip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FTP_CONTROL = 21, LINE_MAX = 256, END_MAX = 32 };
enum { TCP_SEQ = 4, TCP_OFF = 12, TCP_SUM = 16 };

static uint8_t *
tcp_of(const struct fw_packet *p)
{
	return p->m->data + p->l4;
}

/* --- lines --------------------------------------------------------------------------------- */

/* Where somebody waits. */
struct ftp_end {
	uint32_t addr; /* 0: not named, it is who says so */
	uint16_t port;
};

/* "10,0,0,2,4,1". How many bytes it takes; 0: it is something else. So do those below. */
static int
read_six(const char *text, struct ftp_end *end)
{
	unsigned b[6];
	int len = 0;

	if (sscanf(text, "%3u,%3u,%3u,%3u,%3u,%3u%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		&len) != 6)
		return 0;
	for (unsigned i = 0; i < 6; i++)
		if (b[i] > 255)
			return 0;
	end->addr = b[0] | b[1] << 8 | b[2] << 16 | b[3] << 24;
	end->port = (uint16_t)(b[4] << 8 | b[5]);
	return len;
}

static int
write_six(char text[END_MAX], const struct ftp_end *end)
{
	const uint32_t a = __builtin_bswap32(end->addr);

	return snprintf(text, END_MAX, "%u,%u,%u,%u,%u,%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
	    a & 255, end->port >> 8u, end->port & 255u);
}

/* "|1|10.0.0.2|1025|" */
static int
read_extended(const char *text, struct ftp_end *end)
{
	char addr[16];
	unsigned port;
	int len = 0;

	if (sscanf(text, "|1|%15[0-9.]|%5u|%n", addr, &port, &len) != 2 || port > 65535 ||
	    !in_aton(addr, &end->addr))
		return 0;
	end->port = (uint16_t)port;
	return len;
}

static int
write_extended(char text[END_MAX], const struct ftp_end *end)
{
	char addr[16];

	return snprintf(text, END_MAX, "|1|%s|%u|", in_ntoa(end->addr, addr), (unsigned)end->port);
}

/* "(|||1025|)" */
static int
read_passive(const char *text, struct ftp_end *end)
{
	unsigned port;
	int len = 0;

	if (sscanf(text, "(|||%5u|)%n", &port, &len) != 1 || port > 65535)
		return 0;
	end->addr = 0;
	end->port = (uint16_t)port;
	return len;
}

static int
write_passive(char text[END_MAX], const struct ftp_end *end)
{
	return snprintf(text, END_MAX, "(|||%u|)", (unsigned)end->port);
}

static const struct ftp_form {
	const char *begins;
	const char *before; /* words may come, up to one of these; NULL: nothing before or behind */
	bool of_server;
	int (*read)(const char *text, struct ftp_end *end);
	int (*write)(char text[END_MAX], const struct ftp_end *end);
} forms[] = {
	{ "PORT ", NULL, false, read_six, write_six },
	{ "EPRT ", NULL, false, read_extended, write_extended },
	/* RFC 1123 4.1.2.6: there may be no bracket */
	{ "227 ", "0123456789", true, read_six, write_six },
	{ "229 ", "(", true, read_passive, write_passive },
};

/* What a line says, and where in it. */
struct ftp_line {
	const struct ftp_form *form;
	struct ftp_end end;
	uint32_t at, len;
};

static bool
line_is_of(const struct ftp_form *form, const char *line, struct ftp_line *l)
{
	size_t at = strlen(form->begins);
	int len;

	if (strncasecmp(line, form->begins, at) != 0)
		return false;
	if (form->before != NULL)
		at += strcspn(line + at, form->before);
	len = form->read(line + at, &l->end);
	if (len == 0 || l->end.port == 0)
		return false;
	l->form = form;
	l->at = (uint32_t)at;
	l->len = (uint32_t)len;
	return form->before != NULL || line[at + l->len] == '\r' || line[at + l->len] == '\n';
}

/* Is the payload one such line, whole, of an end that the link has inside? */
static bool
line_parse(const struct nat_link *l, const uint8_t *payload, uint32_t len, struct ftp_line *found)
{
	const struct nat_key *k = &l->key[NAT_OUT];
	char line[LINE_MAX];

	if (len < 8 || len >= sizeof(line) || memchr(payload, '\n', len) != payload + len - 1)
		return false;
	memcpy(line, payload, len);
	line[len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((forms[i].of_server ? k->near_port : k->far_port) == FTP_CONTROL &&
		    line_is_of(&forms[i], line, found))
			return found->end.addr == 0 || found->end.addr == k->near;
	return false;
}

/* --- the way in ---------------------------------------------------------------------------- */

/* The link that waits for the data connection; its end at the alias. False: it can't be had. */
static bool
expect(struct nat_link *control, uint16_t port, struct ftp_end *alias)
{
	struct nat *n = control->nat;
	struct nat_key out = control->key[NAT_OUT], in;
	struct nat_link *l;

	out.near_port = port;
	out.far_port = 0;
	l = nat_link_find(n, NAT_OUT, &out);
	if (l == NULL) {
		in = out;
		in.near = control->key[NAT_IN].near;
		if (!nat_port_choose(n, &in, port) || (l = nat_link_make(n, &out, &in)) == NULL)
			return false;
		l->flags |= NAT_LINK_EXPECTED;
	}
	nat_link_touch(l, NAT_OUT, 0);
	*alias = (struct ftp_end){ l->key[NAT_IN].near, l->key[NAT_IN].near_port };
	return true;
}

/* --- segments ------------------------------------------------------------------------------ */

/* What its checksum says: 0 = right; with the field 0, what to write there. */
static uint16_t
segment_sum(const struct fw_packet *p)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)(p->m->data + p->l3);
	const uint16_t len = (uint16_t)(p->l3 + p->ip_len - p->l4);

	return cksum_fold(
	    cksum_add(ip_pseudo_sum(ip->src, ip->dst, IPPROTO_TCP_, len), tcp_of(p), len));
}

/* `old` bytes behind `at` become this text: lengths, then checksums anew. There is room. */
static void
replace_text(struct fw_packet *p, uint32_t at, uint32_t old, const char *text, uint32_t len)
{
	struct mbuf *m = p->m;
	struct ip_hdr *ip = (struct ip_hdr *)(void *)(m->data + p->l3);
	const uint32_t end = p->l3 + (uint32_t)p->ip_len;
	uint8_t *th = tcp_of(p);

	memmove(m->data + at + len, m->data + at + old, end - at - old);
	memcpy(m->data + at, text, len);
	m->len = end - old + len;
	p->ip_len = (uint16_t)(m->len - p->l3);
	ip->len = to_be16(p->ip_len);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	store16(th + TCP_SUM, 0);
	store16(th + TCP_SUM, segment_sum(p));
}

/* The line, if there is one in this segment. */
static bool
rewrite_line(struct nat_link *l, struct fw_packet *p)
{
	const uint32_t at = p->l4 + (uint32_t)(tcp_of(p)[TCP_OFF] >> 4) * 4;
	const uint32_t end = p->l3 + (uint32_t)p->ip_len;
	const uint32_t seq = __builtin_bswap32(load32(tcp_of(p) + TCP_SEQ));
	struct ftp_line line;
	struct ftp_end alias;
	char text[END_MAX];
	uint32_t len;

	if (at < p->l4 + 20u || end > p->m->len || at >= end || m_tailroom(p->m) < END_MAX ||
	    !line_parse(l, p->m->data + at, end - at, &line))
		return true;
	/* a broken segment must not become a sound one */
	if (!(p->m->flags & M_CSUM_OK) && segment_sum(p) != 0)
		return true;
	if (!expect(l, line.end.port, &alias))
		return true;
	len = (uint32_t)line.form->write(text, &alias);
	if (!nat_shift_remember(l, seq, end - at, (int32_t)(len - line.len)))
		return false;
	replace_text(p, at + line.at, line.len, text, len);
	return true;
}

bool
nat_ftp_out(struct nat_link *l, struct fw_packet *p)
{
	const struct nat_key *k = &l->key[NAT_OUT];

	return (k->near_port != FTP_CONTROL && k->far_port != FTP_CONTROL) || rewrite_line(l, p);
}
