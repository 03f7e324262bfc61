/*
 * nd6_prefix.c - the prefixes of the link, as routers advertise them (RFC 4861 6.3.4).
 *
 * With the flag L a prefix is on the link: it is in the routing table, without a gateway, while it
 * lives. With the flag A addresses are made of it (nd6_slaac.c). Both stay once they were heard; a
 * message without the flag says nothing. A prefix whose time is up remains here, without a route,
 * as long as addresses made of it live: so net.inet6.ip6.maxifprefixes bounds these, too.
 *
 * When no router that advertises a prefix can be reached, but some other router can, the host has
 * probably moved, or its provider is gone: the prefix is detached, and its addresses are no sources
 * any more until one of its routers is back (BSD's way; RFC 8028 asks for the same result).
 */
#include "inet6/nd6_rtr.h"

#include "kern/eventhandler.h"
#include "kern/sysctl.h"

VNET_DEFINE(struct nd6_prefixes, nd6_prefixes);

VNET_DEFINE_STATIC(uint32_t, ip6_maxifprefixes) = 16;
SYSCTL_VNET_UINT(net_inet6_ip6_maxifprefixes, "net.inet6.ip6.maxifprefixes", SYSCTL_RW,
    ip6_maxifprefixes, 0, 4096, "prefixes learned from advertisements, per interface");

static uint64_t prefixes_live;
AUDIT_COUNTER(nd6_prefix, "nd6-prefix", prefixes_live);

/* --- on the link ------------------------------------------------------------------------------ */

static struct rt_request
request_of(const struct nd6_prefix *pr, uint8_t fib)
{
	return (struct rt_request){
		.dst = rt_addr_make(AF_INET6, &pr->prefix, pr->plen),
		.ifp = pr->ifp,
		.expire_ns = pr->expire_ns == NS_NEVER ? 0 : pr->expire_ns,
		.fib = fib,
	};
}

/* Our entry in a table; NULL if there is none, or an address's or somebody else's. */
static struct rtentry *
entry_of(const struct rt_request *rq)
{
	struct rtentry *rt = rib_exact(rq->fib, &rq->dst);

	if (rt == NULL || rt->nh.ifp != rq->ifp ||
	    (rt->nh.flags & (RTF_PINNED_ | RTF_STATIC_ | RTF_GATEWAY_)))
		return NULL;
	return rt;
}

static void
route_delete(struct nd6_prefix *pr)
{
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		struct rt_request rq = request_of(pr, fib);

		if (entry_of(&rq) != NULL)
			(void)rib_delete(&rq);
	}
	pr->has_route = false;
}

static void
route_add(struct nd6_prefix *pr)
{
	uint8_t first, last;

	pr->has_route = true;
	rt_fib_range(pr->ifp, &first, &last);
	for (uint8_t fib = first; fib <= last; fib++) {
		struct rt_request rq = request_of(pr, fib);
		struct rtentry *rt = entry_of(&rq);

		if (rt != NULL)
			rib_set_expiry(rt, rq.expire_ns);
		else if (rib_add(&rq, NULL) != 0) /* an address's route, or another interface's */
			pr->has_route = false;
	}
}

static bool
is_same_prefix(const struct nd6_prefix *a, const struct nd6_prefix *b)
{
	return a->plen == b->plen && in6_equal(&a->prefix, &b->prefix);
}

/* The route as it is to be now. When it goes, the prefix on another interface may have it. */
static void
route_update(struct nd6_prefix *pr)
{
	struct nd6_prefix *other;

	if (pr->onlink && !pr->expired && (pr->ifp->if_flags & IFF_UP_)) {
		route_add(pr);
		return;
	}
	if (!pr->has_route)
		return;
	route_delete(pr);
	TAILQ_FOREACH(other, &V_nd6_prefixes, link)
		if (other != pr && is_same_prefix(other, pr) && other->onlink && !other->expired &&
		    (other->ifp->if_flags & IFF_UP_)) {
			route_add(other);
			return;
		}
}

void
nd6_prefixes_routes(struct ifnet *ifp)
{
	struct nd6_prefix *pr;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		if (pr->ifp == ifp)
			route_update(pr);
}

/* --- the list --------------------------------------------------------------------------------- */

static struct nd6_prefix *
prefix_find(const struct ifnet *ifp, const struct in6 *prefix, unsigned plen)
{
	struct nd6_prefix *pr;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		if (pr->ifp == ifp && pr->plen == plen && in6_equal(&pr->prefix, prefix))
			return pr;
	return NULL;
}

/* Does an address made of it live? */
static bool
is_in_use(const struct nd6_prefix *pr)
{
	const struct in6_ifaddr *ia = NULL;

	while ((ia = in6_ifaddr_next(pr->ifp, ia)) != NULL)
		if (nd6_slaac_owns(pr, ia))
			return true;
	return false;
}

/* r stands behind pr no more; true if it did. */
static bool
router_release(struct nd6_prefix *pr, struct nd6_router *r)
{
	uint64_t bit = UINT64_C(1) << r->slot;

	if (r->ifp != pr->ifp || !(pr->routers & bit))
		return false;
	pr->routers &= ~bit;
	r->nprefixes--;
	return true;
}

static void
prefix_unlink(struct nd6_prefix *pr)
{
	struct nd6_router *r, *next;

	callout_stop(&pr->expiry);
	pr->expired = true;
	route_update(pr);
	TAILQ_REMOVE(&V_nd6_prefixes, pr, link);
	TAILQ_FOREACH_SAFE(r, &V_nd6_routers, link, next)
		if (router_release(pr, r))
			nd6_router_put(r);
	nd6_slaac_fini(pr);
}

static void
prefix_free(struct nd6_prefix *pr)
{
	vnet_free(pr);
	__atomic_fetch_sub(&prefixes_live, 1, __ATOMIC_RELAXED);
}

static void
prefix_expired(void *arg)
{
	struct nd6_prefix *pr = arg;

	pr->expired = true;
	callout_stop(&pr->expiry);
	route_update(pr);
	if (is_in_use(pr))
		return; /* address_changed() ends it with the last one */
	prefix_unlink(pr);
	prefix_free(pr);
}

static struct nd6_prefix *
prefix_new(struct ifnet *ifp, const struct in6 *prefix, unsigned plen)
{
	struct nd6_prefix *pr;
	uint32_t n = 0;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		n += pr->ifp == ifp;
	if (n >= VNET(ip6_maxifprefixes)) {
		V_rtadvstat.prefix_limit++;
		return NULL;
	}
	if ((pr = vnet_malloc(sizeof(*pr))) == NULL)
		return NULL;
	pr->ifp = ifp;
	pr->prefix = *prefix;
	pr->plen = (uint8_t)plen;
	callout_init(&pr->expiry, curvnet, prefix_expired, pr);
	nd6_slaac_init(pr);
	TAILQ_INSERT_TAIL(&V_nd6_prefixes, pr, link);
	__atomic_fetch_add(&prefixes_live, 1, __ATOMIC_RELAXED);
	return pr;
}

/* --- what an advertisement says --------------------------------------------------------------- */

/* It lives so long from now on. 0: its route goes at once, itself when the caller has done. */
static void
prefix_lifetimes(struct nd6_prefix *pr, uint32_t vltime_s, uint32_t pltime_s)
{
	pr->vltime_s = vltime_s;
	pr->pltime_s = pltime_s;
	pr->expired = vltime_s == 0;
	callout_stop(&pr->expiry);
	if (vltime_s == (uint32_t)ND6_INFINITE_LIFETIME) {
		pr->expire_ns = NS_NEVER;
		return;
	}
	pr->expire_ns = clock_now() + vltime_s * NS_PER_SEC;
	callout_reset(&pr->expiry, vltime_s * NS_PER_SEC);
}

static void
note_router(struct nd6_prefix *pr, struct nd6_router *r)
{
	uint64_t bit = UINT64_C(1) << r->slot;

	if (pr->routers & bit)
		return;
	pr->routers |= bit;
	r->nprefixes++;
}

/* Is it one that a host may take (RFC 4861 6.3.4, RFC 4862 5.5.3 a to d)? */
static bool
is_sane(const struct nd_opt_prefix *opt)
{
	return opt->plen > 0 && opt->plen <= 128 &&
	    (opt->flags & (ND_PREFIX_ONLINK | ND_PREFIX_AUTO)) != 0 &&
	    !in6_is_linklocal(&opt->prefix) && !in6_is_multicast(&opt->prefix) &&
	    from_be32(opt->pltime_s) <= from_be32(opt->vltime_s);
}

void
nd6_prefix_heard(struct ifnet *ifp, struct nd6_router *from, const struct nd_opt_prefix *opt)
{
	uint32_t vltime_s = from_be32(opt->vltime_s), pltime_s = from_be32(opt->pltime_s);
	struct nd6_prefix *pr;
	struct in6 prefix;

	if (!is_sane(opt))
		return;
	prefix = in6_mask(&opt->prefix, opt->plen);
	pr = prefix_find(ifp, &prefix, opt->plen);
	if (pr == NULL && (vltime_s == 0 || (pr = prefix_new(ifp, &prefix, opt->plen)) == NULL))
		return;
	if (opt->flags & ND_PREFIX_ONLINK)
		pr->onlink = true;
	if ((opt->flags & ND_PREFIX_ONLINK) || !pr->onlink)
		prefix_lifetimes(pr, vltime_s, pltime_s);
	route_update(pr);
	if (from != NULL)
		note_router(pr, from);
	if (opt->flags & ND_PREFIX_AUTO) {
		pr->autonomous = true;
		nd6_slaac_heard(pr, vltime_s, pltime_s);
	}
}

/* --- detached or not -------------------------------------------------------------------------- */

void
nd6_prefixes_router_gone(struct nd6_router *r)
{
	struct nd6_prefix *pr;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		(void)router_release(pr, r);
}

/* Bits of the routers of ifp that can be reached. */
static uint64_t
reachable_routers(const struct ifnet *ifp)
{
	const struct nd6_router *r;
	uint64_t bits = 0;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		if (r->ifp == ifp && nd6_router_is_reachable(r))
			bits |= UINT64_C(1) << r->slot;
	return bits;
}

static bool
any_router_reachable(void)
{
	const struct nd6_router *r;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		if (nd6_router_is_reachable(r))
			return true;
	return false;
}

/* An address that comes back may have got a twin meanwhile: it is checked anew. */
static void
set_detached(struct nd6_prefix *pr, bool detached)
{
	struct in6_ifaddr *ia = NULL;

	pr->detached = detached;
	while ((ia = in6_ifaddr_next(pr->ifp, ia)) != NULL) {
		if (!nd6_slaac_owns(pr, ia) || !(ia->flags & IN6_IFF_DETACHED) == !detached)
			continue;
		ia->flags ^= IN6_IFF_DETACHED;
		if (!detached && !(ia->flags & IN6_IFF_DUPLICATED))
			in6_dad_begin(ia);
		in6_addr_event(ia);
	}
}

void
nd6_prefixes_check(void)
{
	bool any = any_router_reachable();
	struct nd6_prefix *pr;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link) {
		bool detached = any && (pr->routers & reachable_routers(pr->ifp)) == 0;

		if (pr->autonomous && detached != pr->detached)
			set_detached(pr, detached);
	}
}

/* --- the tool ndp ----------------------------------------------------------------------------- */

int
nd6_prefix_foreach(int (*fn)(const struct nd6_prefix *pr, void *ctx), void *ctx)
{
	const struct nd6_prefix *pr;
	int stop;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		if ((stop = fn(pr, ctx)) != 0)
			return stop;
	return 0;
}

int
nd6_prefix_router_foreach(
    const struct nd6_prefix *pr, int (*fn)(const struct nd6_router *r, void *ctx), void *ctx)
{
	const struct nd6_router *r;
	int stop;

	TAILQ_FOREACH(r, &V_nd6_routers, link)
		if (r->ifp == pr->ifp && (pr->routers & UINT64_C(1) << r->slot) &&
		    (stop = fn(r, ctx)) != 0)
			return stop;
	return 0;
}

/* The addresses made of pr, which is in no list any more. */
static void
addresses_delete(const struct nd6_prefix *pr)
{
	struct in6_ifaddr *ia = in6_ifaddr_first(pr->ifp), *next;
	struct in6 addr;

	for (; ia != NULL; ia = next) {
		next = in6_ifaddr_next(pr->ifp, ia);
		addr = ia->addr;
		if (nd6_slaac_owns(pr, ia))
			(void)in6_addr_delete(pr->ifp, &addr);
	}
}

void
nd6_prefixes_flush(const struct ifnet *ifp)
{
	struct nd6_prefix *pr, *next;

	TAILQ_FOREACH_SAFE(pr, &V_nd6_prefixes, link, next) {
		if (ifp != NULL && pr->ifp != ifp)
			continue;
		prefix_unlink(pr);
		addresses_delete(pr);
		prefix_free(pr);
	}
}

/* --- addresses come and go -------------------------------------------------------------------- */

/*
 * An address may have brought or taken the prefix's route. With the last address a prefix whose
 * time is up goes.
 */
static void
address_changed(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct ifaddr *ifa = arg2;
	struct nd6_prefix *pr, *next;

	(void)ctx;
	if (ifa->family != AF_INET6)
		return;
	TAILQ_FOREACH_SAFE(pr, &V_nd6_prefixes, link, next) {
		if (pr->ifp != ifp)
			continue;
		nd6_slaac_address_changed(pr, in6_ifaddr_of(ifa));
		if (!pr->expired) {
			route_update(pr);
		} else if (!callout_armed(&pr->expiry) && !is_in_use(pr)) {
			prefix_unlink(pr);
			prefix_free(pr);
		}
	}
}

static struct event_tag *address_tag;

static void
prefix_init(void *arg)
{
	(void)arg;
	TAILQ_INIT(&V_nd6_prefixes);
	if (curvnet == vnet0)
		event_register(
		    &address_tag, "ifaddr_event", EVENT_HERE, address_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(nd6_prefix, SI_SUB_INET6, SI_ORDER_FIRST, prefix_init, NULL);

static void
prefix_uninit(void *arg)
{
	(void)arg;
	if (V_nd6_prefixes.tqh_last != NULL)
		nd6_prefixes_flush(NULL);
	if (curvnet == vnet0)
		event_deregister(&address_tag);
}
VNET_SYSUNINIT(nd6_prefix, SI_SUB_INET6, SI_ORDER_SECOND, prefix_uninit, NULL);
