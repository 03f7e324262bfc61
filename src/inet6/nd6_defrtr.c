/*
 * nd6_defrtr.c - who forwards: the routers that a host knows, and which of them packets go to.
 *
 * A router's advertisement offers ways: to ::/0, which makes it a default router (RFC 4861 6.3.4),
 * and to the prefixes of its route options (RFC 4191). Each offer is a struct nd6_route with a
 * lifetime. Among those for one prefix one is chosen (RFC 4861 6.3.6, RFC 4191 3.2) and is in the
 * routing table as an ordinary route; whatever changes an offer or a router's reachability chooses
 * anew. Routes given by hand are never touched: while there is one, none of ours is installed.
 *
 * Where no router offers ::/0 the default interface (ndp -I) takes its place, if there is one.
 */
#include "inet6/nd6_rtr.h"

#include "kern/sysctl.h"

#include <errno.h>

VNET_DEFINE(struct nd6_routers, nd6_routers);
VNET_DEFINE(struct nd6_routes, nd6_routes);
VNET_DEFINE_STATIC(struct ifnet *, nd6_defif); /* borrowed: forgotten when it leaves */
VNET_DEFINE_STATIC(bool, nd6_defif_installed);

VNET_DEFINE_STATIC(uint32_t, ip6_maxifdefrouters) = 16;
VNET_DEFINE_STATIC(uint32_t, ip6_maxifroutes) = 32;

enum { ROUTERS_MAX = 64 }; /* bits of struct nd6_prefix.routers */
SYSCTL_VNET_UINT(net_inet6_ip6_maxifdefrouters, "net.inet6.ip6.maxifdefrouters", SYSCTL_RW,
    ip6_maxifdefrouters, 0, ROUTERS_MAX, "routers learned from advertisements, per interface");
SYSCTL_VNET_UINT(net_inet6_ip6_maxifroutes, "net.inet6.ip6.maxifroutes", SYSCTL_RW, ip6_maxifroutes,
    0, 4096, "routes learned from options of advertisements (RFC 4191), per interface; 0 = none");

static uint64_t routers_live, routes_live;
AUDIT_COUNTER(nd6_router, "nd6-router", routers_live);
AUDIT_COUNTER(nd6_route, "nd6-route", routes_live);

enum nd6_pref
nd6_pref_of(uint8_t flags)
{
	static const enum nd6_pref by_bits[] = { ND6_PREF_MEDIUM, ND6_PREF_HIGH, ND6_PREF_RESERVED,
		ND6_PREF_LOW };

	return by_bits[(flags & ND_RA_PREF_MASK) >> 3];
}

uint8_t
nd6_pref_bits(enum nd6_pref pref)
{
	return pref == ND6_PREF_HIGH ? 0x08 : pref == ND6_PREF_LOW ? 0x18 : 0;
}

const char *
nd6_pref_name(enum nd6_pref pref)
{
	return pref == ND6_PREF_HIGH ? "high" : pref == ND6_PREF_LOW ? "low" : "medium";
}

/* --- routers ---------------------------------------------------------------------------------- */

struct nd6_router *
nd6_router_find(const struct ifnet *ifp, const struct in6 *addr)
{
	struct nd6_router *r;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		if (r->ifp == ifp && in6_equal(&r->addr, addr))
			return r;
	return NULL;
}

/* A bit that no other router of the interface has; false at the limit. */
static bool
router_slot(const struct ifnet *ifp, uint8_t *slot)
{
	const struct nd6_router *r;
	uint64_t taken = 0;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		if (r->ifp == ifp)
			taken |= UINT64_C(1) << r->slot;
	if ((uint32_t)__builtin_popcountll(taken) >= VNET(ip6_maxifdefrouters))
		return false;
	*slot = (uint8_t)__builtin_ctzll(~taken);
	return true;
}

struct nd6_router *
nd6_router_get(struct ifnet *ifp, const struct in6 *addr)
{
	struct nd6_router *r = nd6_router_find(ifp, addr);
	uint8_t slot;

	if (r != NULL)
		return r;
	if (!router_slot(ifp, &slot)) {
		V_rtadvstat.router_limit++;
		return NULL;
	}
	if ((r = vnet_malloc(sizeof(*r))) == NULL)
		return NULL;
	r->ifp = ifp;
	r->addr = *addr;
	r->slot = slot;
	TAILQ_INSERT_TAIL(&V_nd6_routers, r, link);
	__atomic_fetch_add(&routers_live, 1, __ATOMIC_RELAXED);
	return r;
}

void
nd6_router_put(struct nd6_router *r)
{
	if (r->nroutes > 0 || r->nprefixes > 0)
		return;
	TAILQ_REMOVE(&V_nd6_routers, r, link);
	vnet_free(r);
	__atomic_fetch_sub(&routers_live, 1, __ATOMIC_RELAXED);
}

bool
nd6_router_is_reachable(const struct nd6_router *r)
{
	struct lltable *t = in6_lltable(r->ifp);
	const struct llentry *lle;

	if (t == NULL || !if_is_usable(r->ifp))
		return false;
	lle = lla_find(t, &r->addr);
	return lle != NULL && lle->state != ND6_NOSTATE && lle->state != ND6_INCOMPLETE;
}

/* --- choosing --------------------------------------------------------------------------------- */

static bool
is_way_to(const struct nd6_route *way, uint8_t fib, const struct in6 *dst, unsigned plen)
{
	return way->fib == fib && way->plen == plen && in6_equal(&way->dst, dst);
}

/*
 * Is a the better way? A router that answers before one that may not; among those that answer the
 * preferred one; among the others the one whose failure is longest ago, so that each gets its turn.
 * Else what is in use stays.
 */
static bool
is_better(const struct nd6_route *a, const struct nd6_route *b)
{
	bool a_answers = nd6_router_is_reachable(a->router);

	if (a_answers != nd6_router_is_reachable(b->router))
		return a_answers;
	if (!a_answers && a->router->failed_ns != b->router->failed_ns)
		return a->router->failed_ns < b->router->failed_ns;
	if (a->pref != b->pref)
		return a->pref > b->pref;
	return a->installed && !b->installed;
}

static struct rt_request
request_of(const struct nd6_route *way)
{
	return (struct rt_request){
		.dst = rt_addr_make(AF_INET6, &way->dst, way->plen),
		.gateway = rt_addr_make(AF_INET6, &way->router->addr, 128),
		.ifp = way->router->ifp,
		.flags = RTF_GATEWAY_,
		.expire_ns = way->expire_ns == NS_NEVER ? 0 : way->expire_ns,
		.fib = way->fib,
	};
}

/* Its entry in the routing table; NULL if that has gone or become somebody else's. */
static struct rtentry *
entry_of(const struct nd6_route *way)
{
	struct rt_request rq = request_of(way);
	struct rtentry *rt = rib_exact(way->fib, &rq.dst);

	if (rt == NULL || rt->nh.ifp != rq.ifp || (rt->nh.flags & RTF_STATIC_) ||
	    memcmp(&rt->gateway, &rq.gateway, sizeof(rq.gateway)) != 0)
		return NULL;
	return rt;
}

static void
uninstall(struct nd6_route *way)
{
	struct rt_request rq = request_of(way);

	if (entry_of(way) != NULL)
		(void)rib_delete(&rq);
	way->installed = false;
}

/* `way` instead of what was in use, which is never missing in between. */
static void
install(struct nd6_route *way, struct nd6_route *was)
{
	struct rt_request rq = request_of(way);
	struct rtentry *rt = NULL;
	int error;

	if (was != NULL) {
		was->installed = false;
		error = rib_change(&rq, &rt);
		if (error == 0)
			rib_set_expiry(rt, rq.expire_ns); /* none, perhaps: not what `was` had */
	} else {
		error = rib_add(&rq, &rt);
	}
	way->installed = error == 0;
}

static void
defif_install(void)
{
	struct rt_request rq = { .dst = rt_addr_make(AF_INET6, &in6_any_, 0),
		.ifp = VNET(nd6_defif) };

	if (VNET(nd6_defif) == NULL || VNET(nd6_defif_installed))
		return;
	rq.fib = rq.ifp->if_fib;
	VNET(nd6_defif_installed) = rib_add(&rq, NULL) == 0;
}

static void
defif_uninstall(void)
{
	struct rt_request rq = { .dst = rt_addr_make(AF_INET6, &in6_any_, 0),
		.ifp = VNET(nd6_defif) };
	struct rtentry *rt;

	if (!VNET(nd6_defif_installed))
		return;
	VNET(nd6_defif_installed) = false;
	rq.fib = rq.ifp->if_fib;
	rt = rib_exact(rq.fib, &rq.dst);
	if (rt != NULL && !(rt->nh.flags & (RTF_STATIC_ | RTF_GATEWAY_)))
		(void)rib_delete(&rq);
}

/* Put the best way to a destination into the routing table. */
static void
choose(uint8_t fib, const struct in6 *dst, unsigned plen)
{
	struct nd6_route *way, *now = NULL, *best = NULL;
	struct rtentry *rt;

	TAILQ_FOREACH(way, &V_nd6_routes, link) {
		if (!is_way_to(way, fib, dst, plen))
			continue;
		if (way->installed && entry_of(way) == NULL)
			way->installed = false;
		if (way->installed)
			now = way;
		if (nd6_rtr_takes_routers(way->router->ifp) &&
		    (best == NULL || is_better(way, best)))
			best = way;
	}
	if (best == NULL && now != NULL)
		uninstall(now);
	if (plen == 0 && best == NULL)
		defif_install();
	if (best == NULL)
		return;
	if (best == now && (rt = entry_of(now)) != NULL) {
		rib_set_expiry(rt, now->expire_ns == NS_NEVER ? 0 : now->expire_ns);
		return;
	}
	if (plen == 0)
		defif_uninstall();
	install(best, now);
}

void
nd6_routes_choose(void)
{
	struct nd6_route *way;

	/* choosing changes no list */
	TAILQ_FOREACH(way, &V_nd6_routes, link)
		choose(way->fib, &way->dst, way->plen);
	if (VNET(nd6_defif) != NULL)
		choose(VNET(nd6_defif)->if_fib, &in6_any_, 0);
}

/* --- offers ----------------------------------------------------------------------------------- */

static struct nd6_route *
way_find(const struct nd6_router *r, const struct in6 *dst, unsigned plen)
{
	struct nd6_route *way;

	TAILQ_FOREACH(way, &V_nd6_routes, link)
		if (way->router == r && way->plen == plen && in6_equal(&way->dst, dst))
			return way;
	return NULL;
}

/* The router remains, and whoever calls chooses anew. */
static void
way_free(struct nd6_route *way)
{
	if (way->installed)
		uninstall(way);
	callout_stop(&way->expiry);
	TAILQ_REMOVE(&V_nd6_routes, way, link);
	way->router->nroutes--;
	vnet_free(way);
	__atomic_fetch_sub(&routes_live, 1, __ATOMIC_RELAXED);
}

/* The offer ends. Whoever ceases to be a default router stands for its prefixes no more, either. */
static void
way_end(struct nd6_route *way)
{
	const struct nd6_route was = *way;

	way_free(way);
	if (was.plen == 0)
		nd6_prefixes_router_gone(was.router);
	choose(was.fib, &was.dst, was.plen);
}

static void
way_expired(void *arg)
{
	struct nd6_route *way = arg;
	struct nd6_router *r = way->router;

	way_end(way);
	nd6_router_put(r);
	nd6_prefixes_check();
}

/* Is there room for one more route option? Default routers have the routers' own limit. */
static bool
way_room(const struct ifnet *ifp, unsigned plen)
{
	const struct nd6_route *way;
	uint32_t n = 0;

	if (plen == 0)
		return true;
	TAILQ_FOREACH(way, &V_nd6_routes, link)
		n += way->router->ifp == ifp && way->plen > 0;
	if (n < VNET(ip6_maxifroutes))
		return true;
	V_rtadvstat.route_limit++;
	return false;
}

static struct nd6_route *
way_new(struct nd6_router *r, const struct in6 *dst, unsigned plen)
{
	struct nd6_route *way;

	if (!way_room(r->ifp, plen) || (way = vnet_malloc(sizeof(*way))) == NULL)
		return NULL;
	way->router = r;
	way->dst = *dst;
	way->plen = (uint8_t)plen;
	way->fib = r->ifp->if_fib;
	callout_init(&way->expiry, curvnet, way_expired, way);
	TAILQ_INSERT_TAIL(&V_nd6_routes, way, link);
	r->nroutes++;
	__atomic_fetch_add(&routes_live, 1, __ATOMIC_RELAXED);
	return way;
}

void
nd6_route_offer(struct nd6_router *r, const struct in6 *dst, unsigned plen, enum nd6_pref pref,
    uint32_t lifetime_s)
{
	struct nd6_route *way = way_find(r, dst, plen);

	if (way != NULL && (lifetime_s == 0 || way->fib != r->ifp->if_fib)) {
		way_end(way);
		way = NULL;
	}
	if (lifetime_s == 0 || (way == NULL && (way = way_new(r, dst, plen)) == NULL))
		return;
	way->pref = (int8_t)pref;
	way->lifetime_s = lifetime_s;
	callout_stop(&way->expiry);
	if (lifetime_s == (uint32_t)ND6_INFINITE_LIFETIME) {
		way->expire_ns = NS_NEVER;
	} else {
		way->expire_ns = clock_now() + lifetime_s * NS_PER_SEC;
		callout_reset(&way->expiry, lifetime_s * NS_PER_SEC);
	}
	choose(way->fib, dst, plen);
}

/* --- what others say of a router -------------------------------------------------------------- */

/* All that r offered is gone, and perhaps r. */
static void
router_end(struct nd6_router *r)
{
	struct nd6_route *way, *next;

	nd6_prefixes_router_gone(r);
	TAILQ_FOREACH_SAFE(way, &V_nd6_routes, link, next)
		if (way->router == r)
			way_end(way);
	nd6_router_put(r);
}

void
nd6_router_lost(struct ifnet *ifp, const struct in6 *addr)
{
	struct nd6_router *r = nd6_router_find(ifp, addr);

	if (r == NULL)
		return;
	router_end(r);
	nd6_prefixes_check();
}

void
nd6_router_reachability(struct ifnet *ifp, const struct in6 *addr)
{
	struct nd6_router *r = nd6_router_find(ifp, addr);

	if (r == NULL)
		return;
	if (!nd6_router_is_reachable(r))
		r->failed_ns = clock_now();
	nd6_routes_choose();
	nd6_prefixes_check();
}

bool
nd6_is_default_router(const struct ifnet *ifp, const struct in6 *addr)
{
	return nd6_router_find(ifp, addr) != NULL;
}

bool
nd6_router_is_default(const struct nd6_router *r)
{
	return way_find(r, &in6_any_, 0) != NULL;
}

/* --- the tool ndp ----------------------------------------------------------------------------- */

int
nd6_default_router_foreach(int (*fn)(const struct nd6_route *way, void *ctx), void *ctx)
{
	const struct nd6_route *way;
	int stop;

	TAILQ_FOREACH(way, &V_nd6_routes, link)
		if (way->plen == 0 && (stop = fn(way, ctx)) != 0)
			return stop;
	return 0;
}

void
nd6_routers_flush(const struct ifnet *ifp)
{
	struct nd6_router *r, *next;

	TAILQ_FOREACH_SAFE(r, &V_nd6_routers, link, next)
		if (ifp == NULL || r->ifp == ifp)
			router_end(r);
	nd6_prefixes_check();
}

struct ifnet *
nd6_default_interface(void)
{
	return VNET(nd6_defif);
}

int
nd6_default_interface_set(struct ifnet *ifp)
{
	if (ifp != NULL && ifp->if_afstate[AF_SLOT_INET6] != AF_READY)
		return -EINVAL;
	defif_uninstall();
	VNET(nd6_defif) = ifp;
	nd6_routes_choose();
	return 0;
}

/* --- a stack's beginning and end -------------------------------------------------------------- */

static void
defrtr_init(void *arg)
{
	(void)arg;
	TAILQ_INIT(&V_nd6_routers);
	TAILQ_INIT(&V_nd6_routes);
}
VNET_SYSINIT(nd6_defrtr, SI_SUB_INET6, SI_ORDER_FIRST, defrtr_init, NULL);

/* While there are routing tables: the interfaces, which would clean up, leave later. */
static void
defrtr_uninit(void *arg)
{
	(void)arg;
	if (V_nd6_routers.tqh_last == NULL)
		return;
	(void)nd6_default_interface_set(NULL);
	nd6_routers_flush(NULL);
}
VNET_SYSUNINIT(nd6_defrtr, SI_SUB_INET6, SI_ORDER_SECOND, defrtr_uninit, NULL);
