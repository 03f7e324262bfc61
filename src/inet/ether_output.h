/*
 * ether_output.h - the way out of an Ethernet interface, as far as it is the same in both families.
 *
 * Before each packet goes the ready link header of its next hop. A gateway's stands with the next
 * hop (nexthop_set_lle); an on-link destination is looked up in the interface's table, once for a
 * run of packets to it. What has no ready header takes the family's slow way, behind all that was
 * collected before it: the order is kept.
 *
 * All inline, so that each family (arp.c, nd6_output.c) has its own copy with its own constants and
 * without calls: a packet costs a few comparisons and two overlapping stores.
 */
#ifndef WARREN_INET_ETHER_OUTPUT_H
#define WARREN_INET_ETHER_OUTPUT_H

#include "base/bytes.h"
#include "kern/drop.h"
#include "net/ethernet.h"
#include "net/lltable.h"
#include "route/route.h"

struct ether_family {
	uint8_t addrlen;
	struct lltable *(*table)(const struct ifnet *ifp);
	/*
	 * Where m goes if it goes by no gateway, as the table has it; `room`: 16 bytes to make it
	 * in.
	 */
	const void *(*destination)(const struct ifnet *ifp, const struct mbuf *m, void *room);
	/* The header to a group or to all. */
	void (*group_header)(const struct ifnet *ifp, const struct mbuf *m, uint8_t header[16]);
	/*
	 * One packet without a ready header, nothing of its batch is held back: returns it with its
	 * header, or NULL (taken).
	 */
	struct mbuf *(*slow)(struct ifnet *ifp, struct mbuf *m);
	const struct drop_reason *notable; /* the interface has no table: it is leaving */
};

/*
 * 14 bytes before the packet as two overlapping words. The caller knows that m is writable and has
 * the headroom.
 */
static inline void
ether_words_put(struct mbuf *m, uint64_t first, uint64_t last)
{
	uint8_t *p = m->data - ETHER_HDR_LEN_;

	store64(p, first);
	store64(p + 6, last);
	m->data = p;
	m->len += ETHER_HDR_LEN_;
}

static inline void
ether_header_put(struct mbuf *m, const uint8_t *header)
{
	ether_words_put(m, load64(header), load64(header + 6));
}

/* Certain without asking m_headroom(): the buffer begins right behind the mbuf. */
static inline bool
ether_header_fits(const struct mbuf *m)
{
	return m->data >= (const uint8_t *)(m + 1) + ETHER_HDR_LEN_ && m_writable(m);
}

/* The same for any packet. Takes m; NULL without memory (counted as `nobufs`). */
static inline struct mbuf *
ether_header_prepend(struct mbuf *m, const uint8_t *header, const struct drop_reason *nobufs)
{
	m = m_prepend(m, ETHER_HDR_LEN_);
	if (m == NULL)
		drop_count(nobufs, 1);
	else
		memcpy(m->data, header, ETHER_HDR_LEN_);
	return m;
}

/*
 * True if m got its header. *last: the table's last answer in this batch, for on-link destinations.
 */
static inline __attribute__((always_inline)) bool
ether_output_fast(const struct ether_family *f, const struct ifnet *ifp, struct lltable *t,
    struct mbuf *m, struct llentry **last)
{
	const struct nexthop *nh = m->nh;
	const struct llentry *lle;
	uint8_t room[16];

	if (__builtin_expect(!ether_header_fits(m), 0))
		return false;
	if (__builtin_expect(m->flags & (M_BCAST | M_MCAST), 0)) {
		f->group_header(ifp, m, room);
		ether_header_put(m, room);
		return true;
	}
	if (__builtin_expect(nh == NULL, 0))
		return false;
	if (nh->flags & RTF_GATEWAY_) {
		lle = __atomic_load_n(&nh->lle, __ATOMIC_ACQUIRE);
	} else {
		const void *dst = f->destination(ifp, m, room);

		/* one call for a run of packets to one neighbour */
		if (*last == NULL || memcmp((*last)->addr, dst, f->addrlen) != 0)
			*last = lla_find(t, dst);
		lle = *last;
	}
	if (__builtin_expect(lle == NULL || !lle_is_ready(lle), 0))
		return false;
	ether_header_put(m, lle->header);
	return true;
}

/* The ready header of a gateway; NULL: this goes by none, or there is no header yet. */
static inline const uint8_t *
ether_gateway_header(const struct nexthop *nh)
{
	const struct llentry *lle;

	if (nh == NULL || !(nh->flags & RTF_GATEWAY_))
		return NULL;
	lle = __atomic_load_n(&nh->lle, __ATOMIC_ACQUIRE);
	return lle != NULL && lle_is_ready(lle) ? lle->header : NULL;
}

/* Nothing of the packet itself stands against the header of its gateway. */
static inline bool
ether_is_plain(const struct mbuf *m)
{
	return !(m->flags & (M_BCAST | M_MCAST)) && ether_header_fits(m);
}

/*
 * The first packets of b that go by one gateway, if its header is ready: it stays in registers (19.9
 * -> 18.7 ns a packet, bench forward). Returns how many; adds them to *bytes.
 */
static inline __attribute__((always_inline)) size_t
ether_output_one(struct batch *b, uint32_t *bytes)
{
	const struct nexthop *nh = b->m[0]->nh;
	const uint8_t *header = ether_gateway_header(nh);
	const size_t n = b->n;
	uint64_t first, last;
	size_t i;

	if (header == NULL)
		return 0;
	first = load64(header);
	last = load64(header + 6);
	for (i = 0; i < n; i++) {
		struct mbuf *m = b->m[i];

		if (m->nh != nh || !ether_is_plain(m))
			break;
		ether_words_put(m, first, last);
		*bytes += m->len;
	}
	return i;
}

/*
 * From packet number i on, as long as its own gateway's header is ready. Which one that is decides
 * nothing here: with another gateway for each packet 54 -> 36 instructions (bench forward).
 */
static inline __attribute__((always_inline)) size_t
ether_output_each(struct batch *b, size_t i, uint32_t *bytes)
{
	const size_t n = b->n;

	for (; i < n; i++) {
		struct mbuf *m = b->m[i];
		const uint8_t *header = ether_gateway_header(m->nh);

		if (header == NULL || !ether_is_plain(m))
			break;
		ether_header_put(m, header);
		*bytes += m->len;
	}
	return i;
}

/*
 * From the first packet on that has no ready header: what is ready goes out before each such one.
 */
static inline void
ether_output_mixed(const struct ether_family *f, struct ifnet *ifp, struct batch *b, uint32_t ready)
{
	struct llentry *last = NULL;
	struct batch rest, out;
	struct mbuf *m;

	rest.n = b->n - ready;
	memcpy(rest.m, b->m + ready, rest.n * sizeof(rest.m[0]));
	b->n = ready;
	if (ready > 0)
		if_transmit_batch(ifp, b);
	out.n = 0;
	for (uint32_t i = 0; i < rest.n; i++) {
		struct lltable *t = f->table(ifp);

		m = rest.m[i];
		if (t != NULL && ether_output_fast(f, ifp, t, m, &last)) {
			batch_add(&out, m);
			continue;
		}
		if (out.n > 0)
			if_transmit_batch(ifp, &out);
		last = NULL;
		if ((m = f->slow(ifp, m)) != NULL)
			batch_add(&out, m);
	}
	if (out.n > 0)
		if_transmit_batch(ifp, &out);
}

/* The whole way out of a batch; takes it, keeps the order. */
static inline __attribute__((always_inline)) void
ether_output(const struct ether_family *f, struct ifnet *ifp, struct batch *b)
{
	struct lltable *t = f->table(ifp);
	struct llentry *last = NULL;
	uint32_t bytes = 0;
	size_t i;

	if (__builtin_expect(t == NULL, 0)) {
		batch_foreach(b, m)
			m_drop(m, f->notable);
		b->n = 0;
		return;
	}
	i = ether_output_one(b, &bytes);
	i = ether_output_each(b, i, &bytes);
	if (__builtin_expect(i == b->n, 1)) {
		if_transmit_unicast(ifp, b, bytes);
		return;
	}
	while (i < b->n && ether_output_fast(f, ifp, t, b->m[i], &last))
		i++;
	if (i == b->n)
		if_transmit_batch(ifp, b);
	else
		ether_output_mixed(f, ifp, b, (uint32_t)i);
}

#endif
