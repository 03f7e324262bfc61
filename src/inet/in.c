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

VNET_DEFINE(struct in_hash *, in_hash) = IN_HASH_EMPTY;

VNET_DEFINE_STATIC(bool, in_useloopback) = true;
SYSCTL_VNET_BOOL(net_link_ether_inet_useloopback, "net.link.ether.inet.useloopback", SYSCTL_RW,
    in_useloopback, "send packets for addresses of this stack through lo0");

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

/* Loopback addresses bring their own host route only. */
static bool
in_ifaddr_prefix(const struct ifaddr *ifa, struct rt_addr *prefix)
{
	const struct in_ifaddr *ia = (const struct in_ifaddr *)(const void *)ifa;

	if (ifa->ifp->if_flags & IFF_LOOPBACK_)
		return false;
	if (ia->dst != 0) {
		*prefix = rt_addr_make(AF_INET, &ia->dst, 32);
		return true;
	}
	*prefix = rt_addr_make(AF_INET, &ia->addr, in_mask_plen(ia->mask));
	return prefix->plen < 32;
}

static const struct ifaddr_ops in_ops = {
	.ifconfig = in_ifaddr_ifconfig,
	.netstat = in_ifaddr_netstat,
	.free = in_ifaddr_free,
	.visible = in_ifaddr_visible,
	.prefix = in_ifaddr_prefix,
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
	for (other = in_local(addr); other != NULL; other = in_local_next(other))
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
	if ((error = in_hash_add(&VNET(in_hash), &ia->hash, addr)) != 0)
		goto fail;
	ia->ifa.has_local = VNET(in_useloopback) || (ifp->if_flags & IFF_LOOPBACK_);
	if (ia->ifa.has_local && (error = rib_local_add(&host, &ia->ifa)) != 0)
		goto fail_hash;
	if ((error = rib_prefix_add(&ia->ifa)) != 0)
		goto fail_local;
	if (!(ifp->if_flags & IFF_UP_) && (error = if_up(ifp)) != 0)
		goto fail_prefix;
	TAILQ_INSERT_TAIL(&ifp->if_addrs, &ia->ifa, link);
	if (ifp->if_output[AF_SLOT_INET] == arp_output)
		arp_announce(ifp, addr);
	addr_event(ifp, ia);
	return 0;

fail_prefix:
	rib_prefix_delete(&ia->ifa);
fail_local:
	if (ia->ifa.has_local)
		rib_local_delete(&host, &ia->ifa);
fail_hash:
	in_hash_remove(&VNET(in_hash), &ia->hash);
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
	struct in_ifaddr *twin;

	TAILQ_REMOVE(&ifp->if_addrs, &ia->ifa, link);
	in_hash_remove(&VNET(in_hash), &ia->hash);
	if (ia->ifa.has_local)
		rib_local_delete(&host, &ia->ifa);
	if ((twin = in_local(ia->addr)) != NULL)
		rib_local_source(&host, &twin->ifa);
	rib_prefix_leave(&ia->ifa);
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
	struct lltable *t = arp_table_new(ifp);

	if (t != NULL && if_is_ethernet(ifp))
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
			rib_prefix_delete(&ia->ifa);
			continue;
		}
		(void)rib_prefix_add(&ia->ifa);
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
