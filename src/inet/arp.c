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
 * Who answered a question of ours stays for that time; all others (asked for in vain, or only heard
 * of) make room for new ones when the table is full (maxentries), oldest first: so neither a scan of
 * a link nor a flood of senders keeps a neighbour out.
 *
 * A next hop through a gateway caches the entry (nexthop_set_lle); on-link destinations are looked
 * up. The way in is arp_input.c.
 */
#include "inet/arp.h"

#include "inet/arp_internal.h"
#include "inet/ether_output.h"
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

static const char *
arp_state_text(const struct llentry *lle)
{
	static const char *const names[] = {
		[ARP_INCOMPLETE] = "incomplete", [ARP_REACHABLE] = "reachable", [ARP_DOWN] = "down"
	};

	return names[lle->state];
}

struct lltable *
arp_table_new(struct ifnet *ifp)
{
	struct lltable *t = lltable_new(ifp, AF_INET, VNET(arp_maxentries));

	if (t != NULL)
		t->state_text = arp_state_text;
	return t;
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

/* With staticarp the interface answers requests and sends none. */
static bool
arp_may_ask(const struct ifnet *ifp)
{
	return !(ifp->if_flags & (IFF_NOARP_ | IFF_STATICARP_));
}

void
arp_announce(struct ifnet *ifp, uint32_t addr)
{
	if (arp_may_ask(ifp) && if_is_ethernet(ifp) && if_is_usable(ifp))
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
	if (ia != NULL && arp_may_ask(ifp))
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
		lle_take_held(lle, &held);
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
	bool only_heard = (lle->flags & LLE_IDLE) && lle->asked == 0;

	lle_resolve(lle, lladdr);
	lle->state = ARP_REACHABLE;
	lle->asked = 0;
	/* to the end of the queue, or out of it */
	lle_idle(lle, false);
	lle_idle(lle, only_heard);
	if (!(lle->flags & LLE_STATIC)) {
		lle->expire_ns = clock_now() + VNET(arp_max_age) * NS_PER_SEC;
		lle_timer(lle, VNET(arp_max_age) * NS_PER_SEC, arp_timer);
	}
	lle_send_held(lle, &DROP_ARP_NOBUFS);
}

struct llentry *
arp_entry(struct ifnet *ifp, uint32_t dst)
{
	struct lltable *t = in_lltable(ifp);
	struct llentry *lle = t == NULL ? NULL : lla_find(t, &dst);

	if (lle != NULL || t == NULL)
		return lle;
	lle = lla_create(t, &dst, ETHERTYPE_IP_, true);
	if (lle != NULL)
		lle_idle(lle, true);
	return lle;
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

static const void *
own_destination(const struct ifnet *ifp, const struct mbuf *m, void *room)
{
	(void)ifp, (void)room;
	return &mtod(m, const struct ip_hdr *)->dst;
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

/* Where a packet goes on the link. */
static uint32_t
next_address(const struct mbuf *m)
{
	const struct nexthop *nh = m->nh;

	if (nh != NULL && (nh->flags & RTF_GATEWAY_))
		return nh->gw4;
	return mtod(m, const struct ip_hdr *)->dst;
}

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
		return ether_header_prepend(m, header, &DROP_ARP_NOBUFS);
	}
	dst = next_address(m);
	if (in_is_broadcast(dst, ifp)) {
		/* packets made here say so by M_BCAST */
		m_drop(m, &DROP_ARP_BROADCAST);
		return NULL;
	}
	lle = arp_entry(ifp, dst);
	if (lle != NULL && nh != NULL && (nh->flags & RTF_GATEWAY_) && nh->lle != lle)
		nexthop_set_lle(nh, lle);
	if (lle != NULL && lle_is_ready(lle))
		return ether_header_prepend(m, lle->header, &DROP_ARP_NOBUFS);
	arp_resolve(ifp, dst, m);
	return NULL;
}

static const struct ether_family arp_family = {
	.addrlen = 4,
	.table = in_lltable,
	.destination = own_destination,
	.group_header = group_header,
	.slow = output_slow,
	.notable = &DROP_ARP_NOTABLE,
};

void
arp_output(struct ifnet *ifp, struct batch *b)
{
	ether_output(&arp_family, ifp, b);
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
