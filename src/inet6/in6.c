/*
 * in6.c - IPv6 addresses of interfaces.
 *
 * An address of ours is in the places where an IPv4 one is (inet/in.c): the interface's list, the
 * hash that packets ask (in6_local), a host route through lo0, and the route of its prefix
 * (route/rib_prefix.c); hash and routes are the same code. Beside them it listens to its
 * solicited-node group (in6_groups.c), has a time (in6_life.c), and begins tentative: nobody uses
 * it before duplicate detection has found it free (nd6_dad.c).
 *
 * in6_addr_add() puts an address into all of them or none, and brings the interface up, and the
 * link-local address that every interface has (in6_auto.c).
 */
#include "inet6/in6_internal.h"

#include "inet/multicast.h"
#include "inet6/nd6.h"
#include "inet6/nd6_rtr.h"
#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE(struct in_hash *, in6_hash) = IN_HASH_EMPTY;

VNET_DEFINE(bool, ip6_forwarding);
VNET_DEFINE(bool, ip6_accept_rtadv);
VNET_DEFINE(bool, ip6_no_radr);
VNET_DEFINE_STATIC(bool, nd6_useloopback) = true;

static struct event_list *in6_ifaddr_event;

static void
forwarding_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	in6_groups_forwarding();
	nd6_rtr_forwarding_changed();
}
SYSCTL_DEFINE_(net_inet6_ip6_forwarding, .name = "net.inet6.ip6.forwarding", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_ip6_forwarding, .min = 0, .max = 1,
    .changed = forwarding_changed, .descr = "forward IPv6 packets between interfaces");
SYSCTL_VNET_BOOL(net_inet6_ip6_accept_rtadv, "net.inet6.ip6.accept_rtadv", SYSCTL_RW,
    ip6_accept_rtadv, "new interfaces believe router advertisements");
SYSCTL_VNET_BOOL(net_inet6_ip6_no_radr, "net.inet6.ip6.no_radr", SYSCTL_RW, ip6_no_radr,
    "new interfaces take no default routers from advertisements");
SYSCTL_VNET_BOOL(net_inet6_icmp6_nd6_useloopback, "net.inet6.icmp6.nd6_useloopback", SYSCTL_RW,
    nd6_useloopback, "send packets for addresses of this stack through lo0");

/* --- questions ----------------------------------------------------------- */

struct in6_ifaddr *
in6_ifaddr_next(const struct ifnet *ifp, const struct in6_ifaddr *ia)
{
	struct ifaddr *ifa = ia == NULL ? TAILQ_FIRST(&ifp->if_addrs) : TAILQ_NEXT(&ia->ifa, link);

	while (ifa != NULL && ifa->family != AF_INET6)
		ifa = TAILQ_NEXT(ifa, link);
	return ifa == NULL ? NULL : in6_ifaddr_of(ifa);
}

struct in6_ifaddr *
in6_ifaddr_first(const struct ifnet *ifp)
{
	return in6_ifaddr_next(ifp, NULL);
}

static struct in6_ifaddr *
in6_ifaddr_last(const struct ifnet *ifp)
{
	struct ifaddr *ifa = TAILQ_LAST(&ifp->if_addrs, ifaddrhead);

	while (ifa != NULL && ifa->family != AF_INET6)
		ifa = TAILQ_PREV(ifa, ifaddrhead, link);
	return ifa == NULL ? NULL : in6_ifaddr_of(ifa);
}

struct in6_ifaddr *
in6_ifaddr_exact(const struct ifnet *ifp, const struct in6 *addr)
{
	struct in6_ifaddr *ia = in6_local(addr);

	while (ia != NULL && ia->ifa.ifp != ifp)
		ia = in6_local_next(ia);
	return ia;
}

struct in6_ifaddr *
in6_linklocal(const struct ifnet *ifp)
{
	struct in6_ifaddr *ia = in6_ifaddr_first(ifp);

	while (ia != NULL && !in6_is_linklocal(&ia->addr))
		ia = in6_ifaddr_next(ifp, ia);
	return ia;
}

uint32_t
in6_ifmtu(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);
	uint32_t mtu = ifp->if_mtu;

	if (i != NULL && i->nd.linkmtu != 0 && i->nd.linkmtu < mtu)
		mtu = i->nd.linkmtu;
	/* RFC 8200 5: a link that carries less must do so by means of its own */
	return mtu < IPV6_MMTU_ ? IPV6_MMTU_ : mtu;
}

/* Does this address say that the other one is on its link? */
static bool
addr_reaches(const struct in6_ifaddr *ia, const struct in6 *addr)
{
	if (!in6_is_any(&ia->dst))
		return in6_equal(&ia->dst, addr);
	return !ia->no_prefix_route && in6_match(&ia->addr, addr, ia->plen);
}

bool
in6_is_onlink(const struct ifnet *ifp, const struct in6 *addr)
{
	const struct in6_ifaddr *ia = NULL;
	const struct nexthop *nh;
	struct nexthop *found;
	unsigned at = 0;

	if (in6_is_scoped(addr))
		return in6_zone(addr) == ifp->if_index;
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL)
		if (addr_reaches(ia, addr))
			return true;
	found = fib_lookup6(ifp->if_fib, addr);
	while ((nh = nexthop_path(found, addr, &at)) != NULL)
		if (nh->ifp == ifp && !(nh->flags & (RTF_GATEWAY_ | RTF_REJECT_ | RTF_BLACKHOLE_)))
			return true;
	return false;
}

/* --- an address to the other rooms ---------------------------------------- */

static void
in6_ifaddr_free(struct ifaddr *ifa)
{
	vnet_free(in6_ifaddr_of(ifa));
}

static bool
in6_ifaddr_visible(const struct ifaddr *ifa, const struct prison *pr)
{
	return prison_ip6_ok(pr, ((const struct in6_ifaddr *)(const void *)ifa)->addr.b);
}

/* On lo0 only the link-local prefix, which is a zone of its own. */
static bool
in6_ifaddr_prefix(const struct ifaddr *ifa, struct rt_addr *prefix)
{
	const struct in6_ifaddr *ia = (const struct in6_ifaddr *)(const void *)ifa;

	if (ia->no_prefix_route)
		return false;
	if ((ifa->ifp->if_flags & IFF_LOOPBACK_) && !in6_is_linklocal(&ia->addr))
		return false;
	if (!in6_is_any(&ia->dst)) {
		*prefix = rt_addr_make(AF_INET6, &ia->dst, 128);
		return true;
	}
	*prefix = rt_addr_make(AF_INET6, &ia->addr, ia->plen);
	return ia->plen < 128;
}

static const struct ifaddr_ops in6_ops = {
	.ifconfig = in6_ifaddr_ifconfig,
	.netstat = in6_ifaddr_netstat,
	.free = in6_ifaddr_free,
	.visible = in6_ifaddr_visible,
	.prefix = in6_ifaddr_prefix,
};

void
in6_addr_event(struct in6_ifaddr *ia)
{
	event_invoke(in6_ifaddr_event, ia->ifa.ifp, &ia->ifa);
}

/* --- add and delete ------------------------------------------------------ */

/* The flags that a request may set; the others are states. */
enum {
	IN6_IFF_SETTABLE = IN6_IFF_ANYCAST | IN6_IFF_DEPRECATED | IN6_IFF_NODAD | IN6_IFF_AUTOCONF |
	    IN6_IFF_TEMPORARY | IN6_IFF_PREFER_SOURCE
};

/* Is it an address that an interface can have? */
static bool
addr_is_proper(const struct ifnet *ifp, const struct in6_addr_request *rq)
{
	const struct in6 *a = &rq->addr;

	if (rq->plen == 0 || rq->plen > 128 || in6_is_any(a) || in6_is_multicast(a) ||
	    in6_is_v4mapped(a))
		return false;
	/* RFC 4291 2.5.3 */
	if (in6_is_loopback(a) && !(ifp->if_flags & IFF_LOOPBACK_))
		return false;
	/* the zone is a part of its prefix */
	if (in6_is_linklocal(a) && (in6_zone(a) != ifp->if_index || rq->plen < 32))
		return false;
	if (in6_is_any(&rq->dst))
		return true;
	return (ifp->if_flags & IFF_POINTOPOINT_) && !in6_is_multicast(&rq->dst) && rq->plen == 128;
}

/* 0 or -errno. */
static int
addr_check(const struct ifnet *ifp, const struct in6_addr_request *rq)
{
	const struct in6_ifaddr *other;

	if (in6_is_linklocal(&rq->addr) && ifp->if_index > IN6_ZONE_MAX)
		return -EADDRNOTAVAIL;
	if (!addr_is_proper(ifp, rq) || rq->vltime_s == 0 || rq->pltime_s > rq->vltime_s)
		return -EINVAL;
	if (ifp->if_afstate[AF_SLOT_INET6] != AF_READY)
		return -EADDRNOTAVAIL;
	/* ends of point-to-point links may share one (behaviours 41), stations may not (21) */
	for (other = in6_local(&rq->addr); other != NULL; other = in6_local_next(other))
		if (other->ifa.ifp != ifp && in6_is_any(&rq->dst) && in6_is_any(&other->dst))
			return -EEXIST;
	return 0;
}

/* Does it begin with duplicate detection (RFC 4862 5.4)? */
static bool
wants_dad(const struct ifnet *ifp, uint32_t flags)
{
	if (ifp->if_flags & IFF_LOOPBACK_ || !(ifp->if_flags & IFF_MULTICAST_))
		return false;
	if (flags & IN6_IFF_TENTATIVE)
		return true;
	return !(flags & (IN6_IFF_ANYCAST | IN6_IFF_NODAD)) &&
	    !(in6_if_of(ifp)->nd.flags & ND6_IFF_NO_DAD);
}

void
in6_dad_begin(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;

	if (!wants_dad(ifp, ia->flags))
		return;
	nd6_dad_stop(ia);
	ia->flags = (ia->flags & ~(uint32_t)IN6_IFF_DUPLICATED) | IN6_IFF_TENTATIVE;
	/* else it waits: nd6_linkchange, nd6_flags_changed */
	if (if_is_usable(ifp) && !(in6_if_of(ifp)->nd.flags & ND6_IFF_IFDISABLED))
		nd6_dad_start(ia);
}

/* An address in no table yet; one reference. */
static struct in6_ifaddr *
addr_make(struct ifnet *ifp, const struct in6_addr_request *rq)
{
	struct in6_ifaddr *ia = vnet_malloc(sizeof(*ia));

	if (ia == NULL)
		return NULL;
	ia->ifa.ifp = ifp;
	ia->ifa.family = AF_INET6;
	ia->ifa.ops = &in6_ops;
	ia->addr = rq->addr;
	ia->dst = rq->dst;
	ia->plen = (uint8_t)rq->plen;
	ia->no_prefix_route = rq->no_prefix_route;
	ia->flags = rq->flags & IN6_IFF_SETTABLE;
	if (wants_dad(ifp, rq->flags))
		ia->flags |= IN6_IFF_TENTATIVE;
	in6_life_init(ia);
	ifa_ref(&ia->ifa);
	return ia;
}

/* Into the hash, the routes, the groups and the list, or into none. */
static int
addr_insert(struct in6_ifaddr *ia)
{
	struct rt_addr host = rt_addr_make(AF_INET6, &ia->addr, 128);
	int error = in_hash_add(&VNET(in6_hash), &ia->hash, in6_hash_key(&ia->addr));

	if (error != 0)
		return error;
	ia->ifa.has_local = VNET(nd6_useloopback) || (ia->ifa.ifp->if_flags & IFF_LOOPBACK_);
	if (ia->ifa.has_local && (error = rib_local_add(&host, &ia->ifa)) != 0)
		goto fail_hash;
	if ((error = rib_prefix_add(&ia->ifa)) != 0)
		goto fail_local;
	if ((error = in6_groups_join(ia)) != 0)
		goto fail_prefix;
	TAILQ_INSERT_TAIL(&ia->ifa.ifp->if_addrs, &ia->ifa, link);
	return 0;

fail_prefix:
	rib_prefix_delete(&ia->ifa);
fail_local:
	if (ia->ifa.has_local)
		rib_local_delete(&host, &ia->ifa);
fail_hash:
	in_hash_remove(&VNET(in6_hash), &ia->hash);
	return error;
}

/* The request's lifetimes and states, for a new address and for one that is there. */
static void
addr_set(struct in6_ifaddr *ia, const struct in6_addr_request *rq)
{
	ia->flags = (ia->flags & ~(uint32_t)IN6_IFF_SETTABLE) | (rq->flags & IN6_IFF_SETTABLE);
	in6_addr_lifetimes(ia, rq->vltime_s, rq->pltime_s);
	ia->flags |= rq->flags & IN6_IFF_DEPRECATED;
}

static int
addr_update(struct in6_ifaddr *ia, const struct in6_addr_request *rq)
{
	/* what its routes and groups hang on is as it was, or the address another one */
	if (rq->plen != ia->plen || !in6_equal(&rq->dst, &ia->dst))
		return -EINVAL;
	addr_set(ia, rq);
	ia->flags |= rq->flags & IN6_IFF_TENTATIVE;
	/* a duplicate that is given again: perhaps the other one has gone */
	if ((rq->flags & IN6_IFF_TENTATIVE) || (ia->flags & IN6_IFF_DUPLICATED))
		in6_dad_begin(ia);
	in6_addr_event(ia);
	return 0;
}

static int
addr_new(struct ifnet *ifp, const struct in6_addr_request *rq)
{
	struct in6_ifaddr *ia = addr_make(ifp, rq);
	int error;

	if (ia == NULL)
		return -ENOMEM;
	if ((error = addr_insert(ia)) != 0) {
		ifa_rele(&ia->ifa);
		return error;
	}
	addr_set(ia, rq);
	in6_addr_event(ia);
	if (ia->flags & IN6_IFF_TENTATIVE)
		in6_dad_begin(ia);
	return ifp->if_flags & IFF_UP_ ? 0 : if_up(ifp);
}

/* The addresses behind `last` (NULL = all) go, newest first. */
static void
addrs_undo(struct ifnet *ifp, const struct in6_ifaddr *last)
{
	struct in6_ifaddr *ia;

	while ((ia = in6_ifaddr_last(ifp)) != last)
		in6_addr_remove(ia);
}

int
in6_addr_add(struct ifnet *ifp, const struct in6_addr_request *rq_)
{
	VNET_SCOPE(ifp->if_vnet);
	struct in6_addr_request rq = *rq_;
	bool was_up = ifp->if_flags & IFF_UP_;
	struct in6_ifaddr *ia, *last = in6_ifaddr_last(ifp);
	int error;

	if (in6_zone(&rq.addr) == 0)
		in6_embed(&rq.addr, ifp->if_index);
	if (in6_zone(&rq.dst) == 0)
		in6_embed(&rq.dst, ifp->if_index);
	if ((error = addr_check(ifp, &rq)) != 0)
		return error;
	if ((ia = in6_ifaddr_exact(ifp, &rq.addr)) != NULL)
		return addr_update(ia, &rq);
	if (!in6_is_linklocal(&rq.addr) && !in6_is_loopback(&rq.addr))
		error = in6_auto_addresses(ifp, true);
	if (error == 0)
		error = addr_new(ifp, &rq);
	if (error == 0)
		return 0;
	addrs_undo(ifp, last);
	if (!was_up)
		(void)if_down(ifp);
	return error;
}

/* Neighbours in the prefix of an address that went, which nothing reaches any more. */
static void
neighbours_flush(struct ifnet *ifp, const struct in6_ifaddr *ia)
{
	struct lltable *t = in6_lltable(ifp);
	struct llentry *lle, *next;
	struct in6 addr;

	if (t == NULL)
		return;
	TAILQ_FOREACH_SAFE(lle, &t->entries, link, next) {
		memcpy(addr.b, lle->addr, sizeof(addr.b));
		if (addr_reaches(ia, &addr) && !in6_is_onlink(ifp, &addr))
			lla_delete(lle);
	}
}

void
in6_addr_remove(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;
	struct rt_addr host = rt_addr_make(AF_INET6, &ia->addr, 128);
	struct in6_ifaddr *twin;

	nd6_dad_stop(ia);
	callout_stop(&ia->lifetime);
	TAILQ_REMOVE(&ifp->if_addrs, &ia->ifa, link);
	in_hash_remove(&VNET(in6_hash), &ia->hash);
	if (ia->ifa.has_local)
		rib_local_delete(&host, &ia->ifa);
	if ((twin = in6_local(&ia->addr)) != NULL)
		rib_local_source(&host, &twin->ifa);
	rib_prefix_leave(&ia->ifa);
	neighbours_flush(ifp, ia);
	in6_groups_leave(ia);
	in6_addr_event(ia);
	ifa_rele(&ia->ifa);
}

int
in6_addr_delete(struct ifnet *ifp, const struct in6 *addr)
{
	VNET_SCOPE(ifp->if_vnet);
	struct in6 zoned = *addr;
	struct in6_ifaddr *ia;

	if (in6_zone(&zoned) == 0)
		in6_embed(&zoned, ifp->if_index);
	ia = in6_ifaddr_exact(ifp, &zoned);
	if (ia == NULL)
		return -EADDRNOTAVAIL;
	in6_addr_remove(ia);
	return 0;
}

/* --- IPv6 on an interface ------------------------------------------------ */

/* lo0 has a link-local address in any case, and no router speaks on it. */
static uint32_t
default_flags(const struct ifnet *ifp)
{
	uint32_t flags = ND6_IFF_PERFORMNUD;

	if (V_ip6_auto_linklocal || (ifp->if_flags & IFF_LOOPBACK_))
		flags |= ND6_IFF_AUTO_LINKLOCAL;
	if (ifp->if_flags & IFF_LOOPBACK_)
		return flags;
	if (V_ip6_accept_rtadv)
		flags |= ND6_IFF_ACCEPT_RTADV;
	if (V_ip6_no_radr)
		flags |= ND6_IFF_NO_RADR;
	return flags;
}

void
in6_flags_set(struct ifnet *ifp, uint32_t flags)
{
	VNET_SCOPE(ifp->if_vnet);
	struct in6_if *i = in6_if_of(ifp);
	uint32_t old = i == NULL ? flags : i->nd.flags;

	if (old == flags)
		return;
	i->nd.flags = flags;
	if (ifp->if_flags & IFF_UP_)
		(void)in6_auto_addresses(ifp, false);
	nd6_flags_changed(ifp, old);
}

static void *
in6_attach(struct ifnet *ifp)
{
	struct in6_if *i = vnet_malloc(sizeof(*i));

	if (i == NULL)
		return NULL;
	if (!nd6_ifattach(ifp, i)) {
		vnet_free(i);
		return NULL;
	}
	i->nd.flags = default_flags(ifp);
	return i;
}

static void
in6_detach(struct ifnet *ifp, void *data)
{
	nd6_ifdetach(ifp, data);
	vnet_free(data);
}

static void
in6_purge(struct ifnet *ifp)
{
	addrs_undo(ifp, NULL);
	rib_purge_if(ifp);
}

/*
 * Prefix routes go when the interface is set down and come back when it is set up, as IPv4's. What
 * hangs on the link itself, duplicate detection anew (RFC 4862 5.4) and routers, is nd6's.
 */
static void
in6_linkchange(struct ifnet *ifp)
{
	bool up = ifp->if_flags & IFF_UP_;
	struct in6_ifaddr *ia = NULL;

	if (up)
		(void)in6_auto_addresses(ifp, false);
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL)
		if (up)
			(void)rib_prefix_add(&ia->ifa);
		else
			rib_prefix_delete(&ia->ifa);
	nd6_linkchange(ifp);
}

AF_DOMAIN_DEFINE(inet6, .slot = AF_SLOT_INET6, .attach = in6_attach, .detach = in6_detach,
    .purge = in6_purge, .linkchange = in6_linkchange);

static void
in6_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		in6_ifaddr_event = event_find("ifaddr_event");
}
VNET_SYSINIT(in6_addr, SI_SUB_INET6, SI_ORDER_FIRST, in6_init, NULL);
