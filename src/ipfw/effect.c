/*
 * effect.c - actions that don't end the search: a packet is marked, changed, copied, and meets the
 * next rule.
 *
 * Checksums are carried along by what has changed (RFC 1624), never computed anew: a packet that was
 * wrong stays wrong.
 */
#include "ipfw/hook_internal.h"
#include "ipfw/mark.h"

#include "inet6/ip6.h"
#include "route/route.h"

/* p->m as a packet that may be written to. False: no memory, it is gone. */
static bool
writable(struct fw_packet *p)
{
	if (!m_writable(p->m) && (p->m = m_unshare(p->m)) == NULL)
		drop_count(&DROP_FW_NOMEM, 1);
	return p->m != NULL;
}

static void
sum_follow(uint8_t *sum, uint16_t was, uint16_t is)
{
	store16(sum, cksum_follow(load16(sum), was, is));
}

/* --- marks ------------------------------------------------------------------------------------ */

static void
mark(struct fw_packet *p, uint32_t number)
{
	if (number == 0 || number > UINT16_MAX || fw_mark_add(p->m, (uint16_t)number))
		return;
	m_drop(p->m, &DROP_FW_NOMEM);
	p->m = NULL;
}

static void
unmark(struct fw_packet *p, uint32_t number)
{
	if (number <= UINT16_MAX)
		fw_mark_delete(p->m, (uint16_t)number);
}

static void
set_fib(struct fw_packet *p, uint32_t fib)
{
	p->m->fib = fib < rt_numfibs ? (uint8_t)fib : 0;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void
set_dscp(struct fw_packet *p, uint32_t dscp)
{
	uint8_t tos = (uint8_t)((dscp & 0x3f) << 2 | (p->tos & 3)), *h;
	struct ip_hdr *ip;
	uint16_t was;

	if (p->ip == 0 || tos == p->tos || !writable(p))
		return;
	h = p->m->data + p->l3;
	if (p->ip == 4) {
		ip = (void *)h;
		was = load16(h);
		ip->tos = tos;
		sum_follow((uint8_t *)&ip->sum, was, load16(h));
	} else {
		h[0] = (uint8_t)((h[0] & 0xf0) | tos >> 4);
		h[1] = (uint8_t)((h[1] & 0x0f) | tos << 4);
	}
	p->tos = tos;
}

/* Offset from the TCP header of the MSS that a SYN announces; 0 = it announces none. */
static uint32_t
mss_offset(const struct fw_packet *p)
{
	enum { OPT_EOL = 0, OPT_NOP = 1, OPT_MSS = 2, HDRLEN = 20 };
	const uint8_t *tcp = p->m->data + p->l4;
	uint32_t left = fw_packet_left(p), end = (uint32_t)(tcp[12] >> 4) * 4, at = HDRLEN;

	if (end > left)
		end = left;
	while (at < end && tcp[at] != OPT_EOL) {
		uint32_t len = tcp[at] == OPT_NOP ? 1 : at + 1 < end ? tcp[at + 1] : 0;

		if (len == 0 || (len < 2 && tcp[at] != OPT_NOP) || len > end - at)
			return 0;
		if (tcp[at] == OPT_MSS && len == 4)
			return at + 2;
		at += len;
	}
	return 0;
}

/* A sum counts words at even places: a value at an odd one counts with its bytes swapped. */
static uint16_t
word_at(uint16_t value, uint32_t off)
{
	return off % 2 == 0 ? value : __builtin_bswap16(value);
}

/* The MSS of a SYN is lowered to mss, never raised. */
static void
set_mss(struct fw_packet *p, uint32_t mss)
{
	enum { TH_SYN = 2, SUM = 16 };
	uint32_t off;
	uint16_t was, is = __builtin_bswap16((uint16_t)mss);
	uint8_t *tcp;

	if (!p->has_tcp || !(p->tcp_flags & TH_SYN) || (off = mss_offset(p)) == 0)
		return;
	was = load16(p->m->data + p->l4 + off);
	if (mss > UINT16_MAX || __builtin_bswap16(was) <= mss || !writable(p))
		return;
	tcp = p->m->data + p->l4;
	store16(tcp + off, is);
	sum_follow(tcp + SUM, word_at(was, off), word_at(is, off));
}

/* --- copies ----------------------------------------------------------------------------------- */

static bool
wants_copies(uint8_t action)
{
	return action == FW_ACT_TEE ? fw_outlets.divert != NULL : fw_outlets.netgraph != NULL;
}

/* A copy waits in the round for its packet's turn. The packet goes on, whatever becomes of it. */
static void
copy(struct fw_round *round, struct fw_packet *p, const struct fw_effect *e)
{
	struct mbuf *m;
	struct fw_tag *tag;

	if (!wants_copies(e->action)) {
		drop_count(&DROP_FW_NO_OUTLET, 1);
		return;
	}
	m = m_clone(p->m);
	tag = m == NULL ? NULL : fw_tag_place(m, round, p, e->rule, e->slot, e->action);
	if (tag == NULL) {
		m_free(m);
		drop_count(&DROP_FW_NOMEM, 1);
		return;
	}
	tag->port = (uint16_t)e->arg;
	tag->arg = e->arg;
	m->nh = p;
	mbufq_push(&round->copies, m);
}

void
fw_effect(
    struct fw_doer *d, const struct fw_map *map, const struct fw_effect *e, struct fw_packet *p)
{
	(void)map;
	switch (e->action) {
	case FW_EFFECT_TAG:
		mark(p, e->arg);
		break;
	case FW_EFFECT_UNTAG:
		unmark(p, e->arg);
		break;
	case FW_ACT_SETFIB:
		set_fib(p, e->arg);
		break;
	case FW_ACT_SETDSCP:
		set_dscp(p, e->arg);
		break;
	case FW_ACT_TCP_SETMSS:
		set_mss(p, e->arg);
		break;
	case FW_ACT_TEE:
	case FW_ACT_NGTEE:
		copy((struct fw_round *)(void *)d, p, e);
		break;
	}
}
