/*
 * arp.c - who has this address? (RFC 826, 5227)
 *
 * The way out: arp_output() puts the ready link header of the next hop before each packet. Where
 * there is none yet, the slow half makes an entry, holds the packet and asks.
 *
 *	INCOMPLETE	asks once a second, maxtries times; packets are held
 *	DOWN		nobody answered: for 20 s packets are refused without asking
 *	REACHABLE	max_age seconds from the last thing heard, then the entry goes
 *
 * A next hop through a gateway caches the entry (nexthop_set_lle); on-link destinations are looked
 * up. The way in is arp_input.c.
 */
#include "inet/arp.h"

#include "inet/arp_internal.h"
#include "inet/icmp.h"
#include "inet/ip.h"
#include "kern/eventhandler.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"

#include <string.h>

DROP_DEFINE(DROP_ARP_HOLD, "arp", "hold", "too many packets wait for a neighbour");
DROP_DEFINE(DROP_ARP_TIMEOUT, "arp", "timeout", "neighbour did not answer");
DROP_DEFINE(DROP_ARP_LIMIT, "arp", "limit", "neighbour table is full");
DROP_DEFINE(DROP_ARP_REJECT, "arp", "reject", "the neighbour entry says reject or blackhole");
DROP_DEFINE(
    DROP_ARP_BROADCAST, "arp", "broadcast", "directed broadcast from another link (RFC 2644)");
DROP_DEFINE(DROP_ARP_NOTABLE, "arp", "notable", "the interface has no neighbours: it is leaving");
DROP_DEFINE(DROP_ARP_NOBUFS, "arp", "nobufs", "no memory for the link header");

VNET_DEFINE(struct arpstat, arpstat);

VNET_DEFINE(uint32_t, arp_max_age) = 1200;
VNET_DEFINE_STATIC(uint32_t, arp_maxtries) = 5;
VNET_DEFINE_STATIC(uint32_t, arp_maxhold) = 64;
VNET_DEFINE_STATIC(uint32_t, arp_down_time) = 20;
VNET_DEFINE_STATIC(uint32_t, arp_maxentries) = 4096;

SYSCTL_VNET_UINT(net_link_ether_inet_max_age, "net.link.ether.inet.max_age", SYSCTL_RW, arp_max_age,
    1, 86400 * 365, "seconds that a neighbour is remembered after it was last heard");
SYSCTL_VNET_UINT(net_link_ether_inet_maxtries, "net.link.ether.inet.maxtries", SYSCTL_RW,
    arp_maxtries, 1, 100, "requests, one a second, before a neighbour counts as down");
SYSCTL_VNET_UINT(net_link_ether_inet_maxhold, "net.link.ether.inet.maxhold", SYSCTL_RW, arp_maxhold,
    1, 4096, "packets that wait for one neighbour; the newest are kept");
SYSCTL_VNET_UINT(net_link_ether_inet_host_down_time, "net.link.ether.inet.host_down_time",
    SYSCTL_RW, arp_down_time, 1, 86400, "seconds for which a silent neighbour is not asked again");

/* Tables that are there follow: the limit is each table's. */
static void
maxentries_changed(const struct sysctl_oid *oid)
{
	struct lltable *t;

	(void)oid;
	LIST_FOREACH(t, &V_lltable_head, all)
		if (t->family == AF_INET)
			t->limit = VNET(arp_maxentries);
}
SYSCTL_DEFINE_(net_link_ether_inet_maxentries, .name = "net.link.ether.inet.maxentries",
    .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_arp_maxentries,
    .min = 1, .max = 1 << 24, .changed = maxentries_changed,
    .descr = "neighbours of one interface that traffic may make");

uint32_t
arp_table_limit(void)
{
	return VNET(arp_maxentries);
}

/* --- asking -------------------------------------------------------------- */

void
arp_send(struct ifnet *ifp, uint16_t op, const uint8_t dst[6], const struct arp_packet *body)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + sizeof(*body));
	struct ether_header_ *eh;
	struct arp_packet *ap;
	struct batch out;

	if (m == NULL)
		return;
	eh = mtod(m, struct ether_header_ *);
	memcpy(eh->dst, dst, 6);
	memcpy(eh->src, ifp->if_lladdr, 6);
	eh->type = to_be16(ETHERTYPE_ARP_);
	ap = (struct arp_packet *)(eh + 1);
	*ap = *body;
	ap->htype = to_be16(ARP_HTYPE_ETHER);
	ap->ptype = to_be16(ETHERTYPE_IP_);
	ap->hlen = 6;
	ap->plen = 4;
	ap->op = to_be16(op);
	if (dst[0] & 1)
		m->flags |= M_BCAST;
	if (op == ARP_REQUEST)
		V_arpstat.txrequests++;
	else
		V_arpstat.txreplies++;
	out.n = 0;
	batch_add(&out, m);
	if_transmit_batch(ifp, &out);
}

/* Ask for tip in the name of sip. */
static void
arp_request(struct ifnet *ifp, uint32_t sip, uint32_t tip)
{
	struct arp_packet body = { .sip = sip, .tip = tip };

	memcpy(body.sha, ifp->if_lladdr, 6);
	arp_send(ifp, ARP_REQUEST, ether_broadcast, &body);
}

void
arp_announce(struct ifnet *ifp, uint32_t addr)
{
	if (!(ifp->if_flags & IFF_NOARP_) && ifp->if_type == IFT_ETHER_ && if_is_usable(ifp))
		arp_request(ifp, addr, addr);
}

static void
arp_ask(struct llentry *lle)
{
	struct ifnet *ifp = lle->table->ifp;
	uint32_t addr = load32(lle->addr);
	const struct in_ifaddr *ia = in_ifaddr_for(ifp, addr);

	if (ia == NULL)
		ia = in_ifaddr_first(ifp);
	lle->asked++;
	if (ia != NULL && !(ifp->if_flags & IFF_NOARP_))
		arp_request(ifp, ia->addr, addr);
}

/* --- entries and their time ---------------------------------------------- */

/*
 * A packet that can't be delivered: tell a distant sender. Takes m, whose data is at the IP header.
 */
static void
arp_unreachable(struct mbuf *m)
{
	if ((m->flags & M_FORWARDED) && m->rcvif != NULL)
		icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_HOST_, 0);
	m_drop(m, &DROP_ARP_TIMEOUT);
}

/* Runs with one reference of its own. */
static void
arp_timer(void *arg)
{
	struct llentry *lle = arg;
	struct mbufq held;
	struct mbuf *m;

	if (!(lle->flags & LLE_LINKED)) {
		lle_rele(lle);
		return;
	}
	if (lle->state == ARP_INCOMPLETE && lle->asked < VNET(arp_maxtries)) {
		lle_timer(lle, NS_PER_SEC, arp_timer);
		arp_ask(lle);
	} else if (lle->state == ARP_INCOMPLETE) {
		lle->state = ARP_DOWN;
		lle->expire_ns = clock_now() + VNET(arp_down_time) * NS_PER_SEC;
		lle_timer(lle, VNET(arp_down_time) * NS_PER_SEC, arp_timer);
		V_arpstat.timeouts++;
		held = lle->hold;
		if (held.len == 0)
			mbufq_init(&held);
		mbufq_init(&lle->hold);
		while ((m = mbufq_pop(&held)) != NULL) {
			V_arpstat.dropped++;
			/* it has waited: what is said about it is said now */
			m->when_ns = clock_now();
			arp_unreachable(m);
		}
	} else {
		/* heard long ago, or down long enough: the next packet begins anew */
		if (lle->state == ARP_REACHABLE)
			V_arpstat.timeouts++;
		lla_delete(lle);
	}
	lle_rele(lle);
}

void
arp_learned(struct llentry *lle, const uint8_t lladdr[6])
{
	struct batch out;
	struct mbufq held;
	struct mbuf *m;

	lle_resolve(lle, lladdr);
	lle->state = ARP_REACHABLE;
	lle->asked = 0;
	if (!(lle->flags & LLE_STATIC)) {
		lle->expire_ns = clock_now() + VNET(arp_max_age) * NS_PER_SEC;
		lle_timer(lle, VNET(arp_max_age) * NS_PER_SEC, arp_timer);
	}
	if (lle->hold.len == 0)
		return;
	held = lle->hold;
	mbufq_init(&lle->hold);
	out.n = 0;
	while ((m = mbufq_pop(&held)) != NULL) {
		m = m_prepend(m, ETHER_HDR_LEN_);
		if (m == NULL) {
			drop_count(&DROP_ARP_NOBUFS, 1);
			continue;
		}
		memcpy(m->data, lle->header, ETHER_HDR_LEN_);
		if (m->when_ns < clock_now())
			m->when_ns = clock_now();
		batch_add(&out, m);
		if (batch_full(&out))
			if_transmit_batch(lle->table->ifp, &out);
	}
	if (out.n > 0)
		if_transmit_batch(lle->table->ifp, &out);
}

struct llentry *
arp_entry(struct ifnet *ifp, uint32_t dst)
{
	struct lltable *t = in_lltable(ifp);

	return t == NULL ? NULL : lla_create(t, &dst, ETHERTYPE_IP_, true);
}

/* m can't go through lle now: it is held, or refused. Takes m. */
static void
arp_hold(struct llentry *lle, struct mbuf *m)
{
	if (lle->flags & (LLE_REJECT | LLE_BLACKHOLE)) {
		if ((lle->flags & LLE_REJECT) && (m->flags & M_FORWARDED) && m->rcvif != NULL)
			icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_HOST_, 0);
		m_drop(m, &DROP_ARP_REJECT);
		return;
	}
	if (lle->state == ARP_DOWN) {
		V_arpstat.dropped++;
		arp_unreachable(m);
		return;
	}
	m->nh = NULL; /* valid in this batch only */
	lle_hold(lle, m, VNET(arp_maxhold), &DROP_ARP_HOLD);
	if (lle->asked > 0)
		return;
	/* maxtries requests a second apart, and a last second to answer */
	lle->state = ARP_INCOMPLETE;
	lle->expire_ns = clock_now() + VNET(arp_maxtries) * NS_PER_SEC;
	lle_timer(lle, NS_PER_SEC, arp_timer);
	arp_ask(lle);
}

void
arp_resolve(struct ifnet *ifp, uint32_t dst, struct mbuf *m)
{
	struct llentry *lle = arp_entry(ifp, dst);

	if (lle == NULL) {
		V_arpstat.dropped++;
		m_drop(m, in_lltable(ifp) == NULL ? &DROP_ARP_NOTABLE : &DROP_ARP_LIMIT);
		return;
	}
	arp_hold(lle, m);
}

/* --- the way out --------------------------------------------------------- */

/*
 * 14 bytes before the packet as two overlapping words. The caller knows that m is writable and has
 * the headroom.
 */
static inline void
header_put(struct mbuf *m, const uint8_t *header)
{
	uint8_t *p = m->data - ETHER_HDR_LEN_;

	store64(p, load64(header));
	store64(p + 6, load64(header + 6));
	m->data = p;
	m->len += ETHER_HDR_LEN_;
}

/* Certain without asking m_headroom(): the buffer begins right behind the mbuf. */
static inline bool
header_fits(const struct mbuf *m)
{
	return m->data - (const uint8_t *)m >= (ptrdiff_t)sizeof(*m) + ETHER_HDR_LEN_ &&
	    m_writable(m);
}

/* Where a packet goes on the link. */
static inline uint32_t
next_address(const struct mbuf *m)
{
	const struct nexthop *nh = m->nh;

	if (nh != NULL && (nh->flags & RTF_GATEWAY_))
		return nh->gw4;
	return mtod(m, const struct ip_hdr *)->dst;
}

/* The way to a group or to all (RFC 1112 6.4). */
static void
group_header(const struct ifnet *ifp, const struct mbuf *m, uint8_t header[16])
{
	const uint8_t *dst = (const uint8_t *)&mtod(m, const struct ip_hdr *)->dst;

	if (m->flags & M_MCAST)
		memcpy(header, (const uint8_t[]){ 0x01, 0x00, 0x5e, dst[1] & 0x7f, dst[2], dst[3] },
		    6);
	else
		memcpy(header, ether_broadcast, 6);
	memcpy(header + 6, ifp->if_lladdr, 6);
	store16(header + 12, __builtin_bswap16(ETHERTYPE_IP_));
}

/*
 * One packet without a ready header, nothing of its batch is held back. Returns it with its header,
 * or NULL (taken).
 */
static struct mbuf *
output_slow(struct ifnet *ifp, struct mbuf *m)
{
	struct nexthop *nh = m->nh;
	struct llentry *lle;
	uint8_t header[16];
	uint32_t dst;

	clock_at(m->when_ns);
	if (nh != NULL && (nh->flags & RTF_BROADCAST_))
		m->flags |= M_BCAST;
	if (m->flags & (M_BCAST | M_MCAST)) {
		group_header(ifp, m, header);
	} else {
		dst = next_address(m);
		if (in_is_broadcast(dst, ifp)) {
			/* packets made here say so by M_BCAST */
			m_drop(m, &DROP_ARP_BROADCAST);
			return NULL;
		}
		lle = arp_entry(ifp, dst);
		if (lle != NULL && nh != NULL && (nh->flags & RTF_GATEWAY_) && nh->lle != lle)
			nexthop_set_lle(nh, lle);
		if (lle == NULL || !(lle->flags & LLE_VALID) ||
		    (lle->flags & (LLE_REJECT | LLE_BLACKHOLE))) {
			arp_resolve(ifp, dst, m);
			return NULL;
		}
		memcpy(header, lle->header, sizeof(header));
	}
	m = m_prepend(m, ETHER_HDR_LEN_);
	if (m == NULL)
		drop_count(&DROP_ARP_NOBUFS, 1);
	else
		memcpy(m->data, header, ETHER_HDR_LEN_);
	return m;
}

/* The last answers in this batch: of the table, and the gateway's next hop that proved ready. */
struct last_entry {
	uint32_t dst;
	struct llentry *lle;
	const struct nexthop *ready;
};

/* True if m got its header. */
static inline __attribute__((always_inline)) bool
output_fast(struct lltable *t, struct mbuf *m, struct last_entry *last)
{
	const struct nexthop *nh = m->nh;
	const struct llentry *lle;

	if (__builtin_expect(nh == NULL || (m->flags & (M_BCAST | M_MCAST)) || !header_fits(m), 0))
		return false;
	if (nh == last->ready) {
		header_put(m, __atomic_load_n(&nh->lle, __ATOMIC_RELAXED)->header);
		return true;
	}
	if (nh->flags & RTF_GATEWAY_) {
		lle = __atomic_load_n(&nh->lle, __ATOMIC_ACQUIRE);
	} else {
		uint32_t dst = mtod(m, const struct ip_hdr *)->dst;

		/* one call for a run of packets to one neighbour */
		if (dst != last->dst || last->lle == NULL) {
			last->lle = lla_find(t, &dst);
			last->dst = dst;
		}
		lle = last->lle;
	}
	if (__builtin_expect(lle == NULL ||
		    (lle->flags & (LLE_VALID | LLE_REJECT | LLE_BLACKHOLE | LLE_DELETED)) !=
			LLE_VALID,
		0))
		return false;
	if (nh->flags & RTF_GATEWAY_)
		last->ready = nh;
	header_put(m, lle->header);
	return true;
}

/*
 * From the first packet on that has no ready header: what is ready goes out before each such one.
 */
static void
output_mixed(struct ifnet *ifp, struct batch *b, uint32_t ready)
{
	struct batch rest, out;
	struct last_entry last = { 0 };
	struct mbuf *m;

	rest.n = b->n - ready;
	memcpy(rest.m, b->m + ready, rest.n * sizeof(rest.m[0]));
	b->n = ready;
	if (ready > 0)
		if_transmit_batch(ifp, b);
	out.n = 0;
	for (uint32_t i = 0; i < rest.n; i++) {
		struct lltable *t = in_lltable(ifp);

		m = rest.m[i];
		if (t != NULL && output_fast(t, m, &last)) {
			batch_add(&out, m);
			continue;
		}
		if (out.n > 0)
			if_transmit_batch(ifp, &out);
		last.lle = NULL;
		last.ready = NULL;
		if ((m = output_slow(ifp, m)) != NULL)
			batch_add(&out, m);
	}
	if (out.n > 0)
		if_transmit_batch(ifp, &out);
}

void
arp_output(struct ifnet *ifp, struct batch *b)
{
	struct lltable *t = in_lltable(ifp);
	struct last_entry last = { 0 };
	uint32_t i;

	if (__builtin_expect(t == NULL, 0)) {
		batch_foreach(b, m)
			m_drop(m, &DROP_ARP_NOTABLE);
		b->n = 0;
		return;
	}
	for (i = 0; i < b->n; i++)
		if (__builtin_expect(!output_fast(t, b->m[i], &last), 0))
			break;
	if (__builtin_expect(i == b->n, 1))
		if_transmit_batch(ifp, b);
	else
		output_mixed(ifp, b, i);
}

/* --- events -------------------------------------------------------------- */

/* The station has another link address: say so for each of its addresses (behaviours 38). */
static void
lladdr_changed(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct ifaddr *ifa;

	(void)ctx, (void)arg2;
	if (ifp->if_output[AF_SLOT_INET] != arp_output)
		return;
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (ifa->family == AF_INET)
			arp_announce(ifp, in_ifaddr_of(ifa)->addr);
}

static struct event_tag *lladdr_tag;

static void
arp_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_register(
		    &lladdr_tag, "iflladdr_event", EVENT_HERE, lladdr_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(arp, SI_SUB_INET, SI_ORDER_SECOND, arp_init, NULL);

static void
arp_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&lladdr_tag);
}
VNET_SYSUNINIT(arp, SI_SUB_INET, SI_ORDER_SECOND, arp_uninit, NULL);
