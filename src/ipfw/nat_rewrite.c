/*
 * nat_rewrite.c - other addresses and ports in a packet, and the checksums that cover them.
 *
 * Sums are corrected by what has changed (RFC 1624), so a wrong one stays wrong, and a first
 * fragment needs no others. Who calls has seen to it that the buffer may be written to.
 */
#include "ipfw/nat_internal.h"

#include "inet/icmp.h"
#include "inet/udp.h"

#include <string.h>

enum { TCP_SUM = 16 };

uint16_t
nat_sum_fix(uint16_t sum, const void *old, const void *new, size_t len)
{
	const uint8_t *o = old, *n = new;
	uint64_t acc = (uint16_t)~sum;

	for (size_t i = 0; i < len; i += 2)
		acc += (uint32_t)(uint16_t)~load16(o + i) + load16(n + i);
	return cksum_fold(acc);
}

void
nat_set_addr(uint8_t *ip, bool source, uint32_t addr)
{
	struct ip_hdr *h = (struct ip_hdr *)(void *)ip;
	const uint32_t old = source ? h->src : h->dst;

	h->sum = nat_sum_fix(h->sum, &old, &addr, sizeof(addr));
	if (source)
		h->src = addr;
	else
		h->dst = addr;
}

/* What a transport checksum covers of an end. */
struct end {
	uint32_t addr;
	be16 port;
	uint16_t zero;
};

/* Where the checksum of a protocol is; NULL: none, or cut off. */
static uint8_t *
sum_at(const struct fw_packet *p)
{
	const unsigned at = p->proto == IPPROTO_TCP_ ? TCP_SUM : offsetof(struct udp_hdr, sum);

	return p->m->len >= p->l4 + at + 2u ? p->m->data + p->l4 + at : NULL;
}

static void
rewrite_ports(struct fw_packet *p, bool source, uint32_t old_addr, uint32_t addr, uint16_t port)
{
	uint8_t *at = p->m->data + p->l4 + (source ? 0 : 2), *sum = sum_at(p);
	struct end old = { .addr = old_addr }, new = { .addr = addr, .port = to_be16(port) };

	memcpy(&old.port, at, sizeof(old.port));
	memcpy(at, &new.port, sizeof(new.port));
	if (sum == NULL || (p->proto != IPPROTO_TCP_ && load16(sum) == 0))
		return; /* UDP without a checksum stays without */
	store16(sum, nat_sum_fix(load16(sum), &old, &new, sizeof(old)));
	if (p->proto != IPPROTO_TCP_ && load16(sum) == 0)
		store16(sum, 0xffff);
}

static void
rewrite_icmp_id(struct fw_packet *p, uint16_t id)
{
	struct icmp_hdr *ic = (struct icmp_hdr *)(void *)(p->m->data + p->l4);
	const be16 new = to_be16(id);

	ic->sum = nat_sum_fix(ic->sum, &ic->echo.id, &new, sizeof(new));
	ic->echo.id = new;
}

void
nat_rewrite(struct fw_packet *p, enum nat_kind kind, bool source, uint32_t addr, uint16_t port)
{
	uint8_t *ip = p->m->data + p->l3;
	const struct ip_hdr *h = (const struct ip_hdr *)(const void *)ip;
	const uint32_t old = source ? h->src : h->dst;

	nat_set_addr(ip, source, addr);
	if (kind == NAT_TCP || kind == NAT_UDP)
		rewrite_ports(p, source, old, addr, port);
	else if (kind == NAT_ICMP)
		rewrite_icmp_id(p, port);
}
