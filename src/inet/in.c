/*
 * in.c - IPv4 addresses of interfaces.
 *
 * An address of ours is in four places: the interface's list, the hash that packets ask (in_local),
 * a host route through lo0, and, unless another address holds it already, the route of its prefix
 * or to its peer. Two interfaces in one prefix are allowed: the first has the route, and when it
 * goes the next one gets it.
 *
 * in_addr_add() puts an address into all four or none; in_addr_delete() takes it out, and with it
 * the neighbours and the routes that only it could reach.
 */
#include "inet/in.h"

#include "inet/arp.h"
#include "inet/in_internal.h"
#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <string.h>

static const struct in_hash in_hash_empty = { .shift = 31, .mask = 1, .slot = { { 0 }, { 0 } } };

/* Never written while it is the empty one: it has no room. */
VNET_DEFINE(struct in_hash *, in_hash) = (struct in_hash *)(uintptr_t)&in_hash_empty;

VNET_DEFINE_STATIC(bool, in_useloopback) = true;
SYSCTL_VNET_BOOL(net_link_ether_inet_useloopback, "net.link.ether.inet.useloopback", SYSCTL_RW,
    in_useloopback, "send packets for addresses of this stack through lo0");

/* --- the hash of our addresses ------------------------------------------- */

/*
 * While it is small the table is at most an eighth full: a packet in transit then meets a free slot
 * nearly always, and the branch on it is foretold (29 -> 24 ns a packet, bench forward with 10,000
 * flows).
 */
enum { IN_HASH_FIRST_LOG2 = 6, IN_HASH_ROOMY_LOG2 = 12 };
/* What a deleted slot says: the broadcast address is never one of ours. */
enum { IN_HASH_DELETED = -1 };

static bool
hash_is_empty(const struct in_hash *h)
{
	return h == &in_hash_empty;
}

static bool
hash_is_full(const struct in_hash *h)
{
	uint32_t slots = h->mask + 1;

	return hash_is_empty(h) ||
	    (h->used + 1) * (slots <= 1u << IN_HASH_ROOMY_LOG2 ? 8 : 2) > slots;
}

static void
hash_free_late(struct rcu_head *head)
{
	vnet_free(head); /* first in its block */
}

static void
hash_put(struct in_hash *h, uint32_t addr, struct in_ifaddr *ia)
{
	uint32_t i = addr * UINT32_C(0x9e3779b1) >> h->shift;

	while (h->slot[i].addr != 0)
		i = (i + 1) & h->mask;
	h->slot[i].ia = ia;
	__atomic_store_n(&h->slot[i].addr, addr, __ATOMIC_RELEASE);
	h->used++;
	h->live++;
}

static struct in_hash_slot *
hash_slot(struct in_hash *h, uint32_t addr)
{
	uint32_t i = addr * UINT32_C(0x9e3779b1) >> h->shift;

	while (h->slot[i].addr != addr && h->slot[i].addr != 0)
		i = (i + 1) & h->mask;
	return h->slot[i].addr == addr ? &h->slot[i] : NULL;
}

/* Put `h` where the readers look, and free what was there. */
static void
hash_publish(struct in_hash *h)
{
	struct in_hash *old = VNET(in_hash);

	rcu_publish(&VNET(in_hash), h);
	if (!hash_is_empty(old))
		rcu_call(&old->rcu, hash_free_late);
}

static int
hash_grow(void)
{
	struct in_hash *old = VNET(in_hash), *h;
	uint32_t bits = IN_HASH_FIRST_LOG2;

	while (1u << bits < (old->live + 1) * (bits < IN_HASH_ROOMY_LOG2 ? 12 : 3))
		bits++;
	h = vnet_malloc(sizeof(*h) + ((size_t)1 << bits) * sizeof(h->slot[0]));
	if (h == NULL)
		return -ENOMEM;
	h->mask = (1u << bits) - 1;
	h->shift = 32 - bits;
	for (uint32_t i = 0; old->live > 0 && i <= old->mask; i++)
		if (old->slot[i].addr != 0 && old->slot[i].addr != (uint32_t)IN_HASH_DELETED)
			hash_put(h, old->slot[i].addr, old->slot[i].ia);
	hash_publish(h);
	return 0;
}

static int
hash_add(struct in_ifaddr *ia)
{
	struct in_hash_slot *slot = hash_slot(VNET(in_hash), ia->addr);
	struct in_ifaddr **tail;

	if (slot != NULL) {
		for (tail = &slot->ia; *tail != NULL; tail = &(*tail)->hnext)
			;
		*tail = ia;
		return 0;
	}
	if (hash_is_full(VNET(in_hash)) && hash_grow() != 0)
		return -ENOMEM;
	hash_put(VNET(in_hash), ia->addr, ia);
	return 0;
}

static void
hash_remove(struct in_ifaddr *ia)
{
	struct in_hash *h = VNET(in_hash);
	struct in_hash_slot *slot = hash_slot(h, ia->addr);
	struct in_ifaddr **link;

	for (link = &slot->ia; *link != ia; link = &(*link)->hnext)
		;
	rcu_publish(link, ia->hnext);
	if (slot->ia != NULL)
		return;
	__atomic_store_n(&slot->addr, (uint32_t)IN_HASH_DELETED, __ATOMIC_RELEASE);
	if (--h->live == 0)
		hash_publish((struct in_hash *)(uintptr_t)&in_hash_empty);
}

/* --- questions ----------------------------------------------------------- */

struct in_ifaddr *
in_ifaddr_first(const struct ifnet *ifp)
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (ifa->family == AF_INET)
			return in_ifaddr_of(ifa);
	return NULL;
}

struct in_ifaddr *
in_ifaddr_for(const struct ifnet *ifp, uint32_t peer)
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
		const struct in_ifaddr *ia = in_ifaddr_of(ifa);

		if (ifa->family != AF_INET)
			continue;
		if (ia->dst != 0 ? ia->dst == peer : ((ia->addr ^ peer) & ia->mask) == 0)
			return in_ifaddr_of(ifa);
	}
	return NULL;
}

/* The address itself on this interface. */
struct in_ifaddr *
in_ifaddr_exact(const struct ifnet *ifp, uint32_t addr)
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (ifa->family == AF_INET && in_ifaddr_of(ifa)->addr == addr)
			return in_ifaddr_of(ifa);
	return NULL;
}

bool
in_is_broadcast(uint32_t addr, const struct ifnet *ifp)
{
	struct ifaddr *ifa;

	if (addr == 0xffffffff || addr == 0)
		return true;
	if (!(ifp->if_flags & IFF_BROADCAST_))
		return false;
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
		const struct in_ifaddr *ia = in_ifaddr_of(ifa);

		/* the net's own number is the broadcast of old (RFC 1122 3.3.6) */
		if (ifa->family == AF_INET && in_mask_plen(ia->mask) < 31 &&
		    (addr == ia->broadcast || addr == (ia->addr & ia->mask)))
			return true;
	}
	return false;
}

/* --- routes of an address ------------------------------------------------ */

/*
 * What the route that an address brings leads to; false if it brings none but its own host route.
 */
static bool
prefix_of(const struct in_ifaddr *ia, struct rt_addr *prefix)
{
	if (ia->ifa.ifp->if_flags & IFF_LOOPBACK_)
		return false;
	if (ia->dst != 0) {
		*prefix = rt_addr_make(AF_INET, &ia->dst, 32);
		return true;
	}
	*prefix = rt_addr_make(AF_INET, &ia->addr, in_mask_plen(ia->mask));
	return prefix->plen < 32;
}

static bool
same_prefix(const struct in_ifaddr *a, const struct in_ifaddr *b)
{
	struct rt_addr x, y;

	return prefix_of(a, &x) && prefix_of(b, &y) && memcmp(&x, &y, sizeof(x)) == 0;
}

/*
 * Another address with the same prefix: first of those whose interface is up. `holder`: only one
 * that has the route.
 */
static struct in_ifaddr *
prefix_other(const struct in_ifaddr *ia, bool holder)
{
	struct in_ifaddr *best = NULL, *other;
	struct ifaddr *ifa;
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
			other = in_ifaddr_of(ifa);
			if (ifa->family != AF_INET || other == ia || !same_prefix(ia, other))
				continue;
			if (holder && !other->has_route)
				continue;
			if (best == NULL ||
			    (!(best->ifa.ifp->if_flags & IFF_UP_) && (ifp->if_flags & IFF_UP_)))
				best = other;
		}
	return best;
}

static void
prefix_delete(struct in_ifaddr *ia)
{
	struct rt_request rq = { .ifp = ia->ifa.ifp, .flags = RTF_PINNED_ };

	if (!ia->has_route)
		return;
	ia->has_route = false;
	prefix_of(ia, &rq.dst);
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		rq.fib = fib;
		(void)rib_delete(&rq);
	}
}

/* Install the route of ia's prefix unless another address has it. 0 or the errors of rib_add. */
static int
prefix_add(struct in_ifaddr *ia)
{
	struct rt_request rq = { .ifp = ia->ifa.ifp, .ifa = &ia->ifa, .flags = RTF_PINNED_ };
	uint8_t first, last;
	int error;

	if (ia->has_route || !prefix_of(ia, &rq.dst) || prefix_other(ia, true) != NULL)
		return 0;
	rt_fib_range(ia->ifa.ifp, &first, &last);
	for (uint8_t fib = first; fib <= last; fib++) {
		struct rtentry *rt = rib_exact(fib, &rq.dst);

		rq.fib = fib;
		/* a route that somebody gave by hand gives way to the link itself */
		if (rt != NULL && !(rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
			(void)rib_delete(&(struct rt_request){ .dst = rq.dst, .fib = fib });
		error = rib_add(&rq, NULL);
		ia->has_route = true;
		if (error != 0) {
			prefix_delete(ia);
			return error;
		}
	}
	return 0;
}

/* The route of ia's prefix goes to another interface in the prefix, if there is one that is up. */
static void
prefix_hand_over(struct in_ifaddr *ia)
{
	struct in_ifaddr *other;

	if (!ia->has_route)
		return;
	prefix_delete(ia);
	other = prefix_other(ia, false);
	if (other != NULL && (other->ifa.ifp->if_flags & IFF_UP_))
		(void)prefix_add(other);
}

/* --- add and delete ------------------------------------------------------ */

static void
in_ifaddr_free(struct ifaddr *ifa)
{
	vnet_free(in_ifaddr_of(ifa));
}

static bool
in_ifaddr_visible(const struct ifaddr *ifa, const struct prison *pr)
{
	return prison_ip4_ok(pr, ((const struct in_ifaddr *)(const void *)ifa)->addr);
}

static const struct ifaddr_ops in_ops = {
	.ifconfig = in_ifaddr_ifconfig,
	.netstat = in_ifaddr_netstat,
	.free = in_ifaddr_free,
	.visible = in_ifaddr_visible,
};

static void
addr_event(struct ifnet *ifp, struct in_ifaddr *ia)
{
	event_invoke(in_ifaddr_event, ifp, &ia->ifa);
}

struct event_list *in_ifaddr_event;

/* May addr be an address of ifp? 0 or -errno. */
static int
addr_check(struct ifnet *ifp, uint32_t addr, unsigned plen, uint32_t dst)
{
	const struct in_ifaddr *other;

	if (plen > 32 || addr == 0 || addr == 0xffffffff || in_is_multicast(addr))
		return -EINVAL;
	if (dst != 0 && !(ifp->if_flags & IFF_POINTOPOINT_))
		return -EINVAL;
	if (ifp->if_afstate[AF_SLOT_INET] != AF_READY)
		return -EADDRNOTAVAIL;
	if (in_ifaddr_exact(ifp, addr) != NULL)
		return -EEXIST;
	/* ends of point-to-point links may share one (behaviours 41), stations may not (21) */
	for (other = in_local(addr); other != NULL; other = other->hnext)
		if (dst == 0 && other->dst == 0)
			return -EEXIST;
	return 0;
}

int
in_addr_add(struct ifnet *ifp, uint32_t addr, unsigned plen, uint32_t dst, uint32_t broadcast)
{
	VNET_SCOPE(ifp->if_vnet);
	struct rt_addr host = rt_addr_make(AF_INET, &addr, 32);
	struct in_ifaddr *ia;
	int error = addr_check(ifp, addr, plen, dst);

	if (error != 0)
		return error;
	ia = vnet_malloc(sizeof(*ia));
	if (ia == NULL)
		return -ENOMEM;
	ia->ifa.ifp = ifp;
	ia->ifa.family = AF_INET;
	ia->ifa.ops = &in_ops;
	ia->addr = addr;
	ia->mask = in_plen_mask(plen);
	ia->dst = dst;
	if (ifp->if_flags & IFF_BROADCAST_)
		ia->broadcast = broadcast != 0 ? broadcast : plen < 31 ? addr | ~ia->mask : 0;
	ifa_ref(&ia->ifa);
	if ((error = hash_add(ia)) != 0)
		goto fail;
	ia->has_local = VNET(in_useloopback) || (ifp->if_flags & IFF_LOOPBACK_);
	if (ia->has_local && (error = rib_local_add(&host, &ia->ifa)) != 0)
		goto fail_hash;
	if ((error = prefix_add(ia)) != 0)
		goto fail_local;
	if (!(ifp->if_flags & IFF_UP_) && (error = if_up(ifp)) != 0)
		goto fail_prefix;
	TAILQ_INSERT_TAIL(&ifp->if_addrs, &ia->ifa, link);
	if (ifp->if_output[AF_SLOT_INET] == arp_output)
		arp_announce(ifp, addr);
	addr_event(ifp, ia);
	return 0;

fail_prefix:
	prefix_delete(ia);
fail_local:
	if (ia->has_local)
		rib_local_delete(&host, &ia->ifa);
fail_hash:
	hash_remove(ia);
fail:
	ifa_rele(&ia->ifa);
	return error;
}

/* Neighbours that no address of the interface can reach any more. */
static void
neighbours_flush(struct ifnet *ifp)
{
	struct lltable *t = in_lltable(ifp);
	struct llentry *lle, *next;

	if (t == NULL)
		return;
	TAILQ_FOREACH_SAFE(lle, &t->entries, link, next)
		if (in_ifaddr_for(ifp, load32(lle->addr)) == NULL)
			lla_delete(lle);
}

static void
addr_remove(struct in_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;
	struct rt_addr host = rt_addr_make(AF_INET, &ia->addr, 32);
	struct in_ifaddr *twin, *heir;
	struct ifaddr *ifa;

	TAILQ_REMOVE(&ifp->if_addrs, &ia->ifa, link);
	hash_remove(ia);
	if (ia->has_local)
		rib_local_delete(&host, &ia->ifa);
	if ((twin = in_local(ia->addr)) != NULL)
		rib_local_source(&host, &twin->ifa);
	/*
	 * an alias in the same prefix takes the routes over, else what was reached through it is
	 * unreachable
	 */
	heir = NULL;
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (heir == NULL && ifa->family == AF_INET && same_prefix(ia, in_ifaddr_of(ifa)))
			heir = in_ifaddr_of(ifa);
	if (heir != NULL) {
		rib_ifa_replace(&ia->ifa, &heir->ifa);
		heir->has_route |= ia->has_route;
		ia->has_route = false;
	} else {
		struct in_ifaddr *other;
		bool had = ia->has_route;

		prefix_delete(ia);
		rib_purge_ifa(&ia->ifa);
		if (had && (other = prefix_other(ia, false)) != NULL)
			(void)prefix_add(other);
	}
	neighbours_flush(ifp);
	addr_event(ifp, ia);
	ifa_rele(&ia->ifa);
}

int
in_addr_delete(struct ifnet *ifp, uint32_t addr)
{
	VNET_SCOPE(ifp->if_vnet);
	struct in_ifaddr *ia = in_ifaddr_exact(ifp, addr);

	if (ia == NULL)
		return -EADDRNOTAVAIL;
	addr_remove(ia);
	return 0;
}

/* --- IPv4 on an interface ------------------------------------------------ */

static void *
in_attach(struct ifnet *ifp)
{
	struct lltable *t = lltable_new(ifp, AF_INET, arp_table_limit());

	if (t != NULL && ifp->if_type == IFT_ETHER_)
		ifp->if_output[AF_SLOT_INET] = arp_output;
	return t;
}

static void
in_detach(struct ifnet *ifp, void *data)
{
	(void)ifp;
	lltable_free(data);
}

static void
in_purge(struct ifnet *ifp)
{
	struct in_ifaddr *ia;

	while ((ia = in_ifaddr_first(ifp)) != NULL)
		addr_remove(ia);
	rib_purge_if(ifp);
}

/*
 * BSD's way: the prefix routes of an interface go when it is set down, and come back when it is set
 * up.
 */
static void
in_linkchange(struct ifnet *ifp)
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
		struct in_ifaddr *ia = in_ifaddr_of(ifa);

		if (ifa->family != AF_INET)
			continue;
		if (!(ifp->if_flags & IFF_UP_)) {
			prefix_hand_over(ia);
			continue;
		}
		(void)prefix_add(ia);
		if (ifp->if_output[AF_SLOT_INET] == arp_output && if_is_usable(ifp))
			arp_announce(ifp, ia->addr);
	}
}

AF_DOMAIN_DEFINE(inet, .slot = AF_SLOT_INET, .attach = in_attach, .detach = in_detach,
    .purge = in_purge, .linkchange = in_linkchange);

static void
in_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		in_ifaddr_event = event_find("ifaddr_event");
}
VNET_SYSINIT(in_addr, SI_SUB_INET, SI_ORDER_FIRST, in_init, NULL);
