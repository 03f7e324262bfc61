/*
 * nat_icmp.c - ICMP errors: the packet that they quote is translated with them (RFC 5508 4).
 *
 *	from outside: it quotes what we have sent, whose source was the alias
 *	from inside: it quotes what was let in, whose destination is the local end
 *
 * So the quoted packet tells the link, its ends are those of the other direction, and what the
 * quoting one covers (its own checksum) follows.
 */
#include "ipfw/nat_internal.h"

#include "inet/icmp.h"
#include "inet/udp.h"

#include <string.h>

/* Bytes of a transport header that every error quotes; a longest IP header, and TCP's checksum. */
enum { QUOTED = 8, TCP_SUM = 16, REGION = 60 + TCP_SUM + 2 };

bool
nat_icmp_is_query(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO_:
	case ICMP_ECHOREPLY_:
	case ICMP_TSTAMP_:
	case ICMP_TSTAMPREPLY_:
	case ICMP_MASKREQ_:
	case ICMP_MASKREPLY_:
		return true;
	default:
		return false;
	}
}

bool
nat_icmp_is_error(uint8_t type)
{
	return type == ICMP_UNREACH_ || type == ICMP_SOURCEQUENCH_ || type == ICMP_TIMXCEED_ ||
	    type == ICMP_PARAMPROB_;
}

/* The packet that an error quotes. */
struct quoted {
	uint8_t *ip, *l4;
	uint32_t len; /* bytes from ip on */
	uint32_t l4_len;
	enum nat_kind kind;
};

static bool
quoted_kind(struct quoted *q, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_ICMP_:
		q->kind = NAT_ICMP;
		return nat_icmp_is_query(q->l4[0]);
	case IPPROTO_TCP_:
		q->kind = NAT_TCP;
		return true;
	case IPPROTO_UDP_:
	case IPPROTO_UDPLITE_:
		q->kind = NAT_UDP;
		return true;
	case IPPROTO_SCTP_:
		q->kind = NAT_SCTP;
		return true;
	default:
		q->kind = NAT_PROTO;
		return true;
	}
}

/* False: it quotes too little, or a later fragment, or nothing that has a link. */
static bool
quoted_read(const struct fw_packet *p, struct quoted *q)
{
	const struct ip_hdr *h;

	if (p->m->len < p->l4 + sizeof(struct icmp_hdr) + sizeof(*h) + QUOTED)
		return false;
	q->ip = p->m->data + p->l4 + sizeof(struct icmp_hdr);
	q->len = p->m->len - p->l4 - (uint32_t)sizeof(struct icmp_hdr);
	h = (const struct ip_hdr *)(const void *)q->ip;
	if (h->vhl >> 4 != 4 || ip_hlen(h) < sizeof(*h) || q->len < ip_hlen(h) + QUOTED ||
	    (from_be16(h->off) & IP_OFFMASK_))
		return false;
	q->l4 = q->ip + ip_hlen(h);
	q->l4_len = q->len - ip_hlen(h);
	return quoted_kind(q, h->proto);
}

static uint16_t
port_at(const uint8_t *p)
{
	return __builtin_bswap16(load16(p));
}

/*
 * The quoted packet went the other way: what this error is for on its way in was sent out, so its
 * near end is the source.
 */
static struct nat_key
quoted_key(const struct nat *n, const struct quoted *q, enum nat_side side)
{
	const struct ip_hdr *h = (const struct ip_hdr *)(const void *)q->ip;
	const bool source_is_near = side == NAT_IN;
	const bool ports = q->kind == NAT_TCP || q->kind == NAT_UDP || q->kind == NAT_SCTP;
	struct nat_key k = { .near = source_is_near ? h->src : h->dst,
		.far = source_is_near ? h->dst : h->src,
		.proto = h->proto,
		.kind = (uint8_t)q->kind };

	if (ports) {
		k.near_port = port_at(q->l4 + (source_is_near ? 0 : 2));
		k.far_port = port_at(q->l4 + (source_is_near ? 2 : 0));
	} else if (q->kind == NAT_ICMP) {
		k.near_port = port_at(q->l4 + 4);
	}
	if (q->kind == NAT_UDP && (n->c.options & NAT_OPT_UDP_EIM)) {
		k.far = 0;
		k.far_port = 0;
	}
	return k;
}

/* The quoted packet's checksum, if it has been quoted; a changed port or id and address. */
static void
quoted_sum_fix(const struct quoted *q, const uint8_t *old, const uint8_t *new, size_t len)
{
	const unsigned at = q->kind == NAT_TCP ? TCP_SUM :
	    q->kind == NAT_UDP                 ? offsetof(struct udp_hdr, sum) :
						 offsetof(struct icmp_hdr, sum);
	uint16_t sum;

	if (q->l4_len < at + 2)
		return;
	sum = load16(q->l4 + at);
	if (q->kind == NAT_UDP && sum == 0)
		return;
	store16(q->l4 + at, nat_sum_fix(sum, old, new, len));
}

static void
quoted_rewrite(const struct quoted *q, bool source, uint32_t addr, uint16_t port)
{
	const struct ip_hdr *h = (const struct ip_hdr *)(const void *)q->ip;
	const unsigned at = q->kind == NAT_ICMP ? 4 : source ? 0 : 2;
	const uint32_t old_addr = source ? h->src : h->dst;
	const be16 new_port = to_be16(port);
	uint8_t old[8] = { 0 }, new[8] = { 0 };

	nat_set_addr(q->ip, source, addr);
	if (q->kind != NAT_TCP && q->kind != NAT_UDP && q->kind != NAT_ICMP)
		return;
	memcpy(old, q->l4 + at, 2);
	memcpy(new, &new_port, 2);
	if (q->kind != NAT_ICMP) {
		store32(old + 4, old_addr);
		store32(new + 4, addr);
	}
	quoted_sum_fix(q, old, new, sizeof(old));
	memcpy(q->l4 + at, &new_port, 2);
}

/* The link's: its near end on this side is quoted, and becomes that of the other one. */
static void
error_rewrite(
    struct fw_packet *p, const struct quoted *q, const struct nat_link *l, enum nat_side side)
{
	struct icmp_hdr *ic = (struct icmp_hdr *)(void *)(p->m->data + p->l4);
	const struct nat_key *to = &l->key[!side];
	const size_t len = (q->len < REGION ? q->len : REGION) & ~(size_t)1;
	uint8_t before[REGION];

	memcpy(before, q->ip, len);
	quoted_rewrite(q, side == NAT_IN, to->near, to->near_port);
	ic->sum = nat_sum_fix(ic->sum, before, q->ip, len);
	/* from inside it may come from a router on the way: nobody outside is to know that one */
	nat_set_addr(p->m->data + p->l3, side == NAT_OUT, to->near);
}

enum fw_nat_result
nat_icmp_error(struct nat *n, struct fw_packet *p, enum nat_side side)
{
	const bool deny = side == NAT_IN && (n->c.options & NAT_OPT_DENY_IN);
	struct nat_link *l = NULL;
	struct quoted q;
	struct nat_key k;

	if (quoted_read(p, &q)) {
		k = quoted_key(n, &q, side);
		l = nat_link_find(n, side, &k);
	}
	if (l == NULL)
		return deny ? FW_NAT_DROP : FW_NAT_OK;
	error_rewrite(p, &q, l, side);
	return FW_NAT_OK;
}
