/*
 * rib_entry.c - a route by itself, in no table: made as a request says, freed behind the readers.
 *
 * Gateways are not looked up per packet: when a route is made, its gateway must be on a link of this
 * stack, and the next hop says which.
 */
#include "route/nexthop.h"
#include "route/rib.h"

#include "base/bytes.h"
#include "net/generation.h"

#include <errno.h>
#include <string.h>

static uint64_t routes_live, nexthops_live, routes_trash; /* atomic: freed behind the readers */
AUDIT_COUNTER(route, "route", routes_live);

/* Next hops that hold a neighbour entry. */
AUDIT_COUNTER(nexthop, "nexthop", nexthops_live);

uint64_t
rib_trash(void)
{
	return __atomic_load_n(&routes_trash, __ATOMIC_RELAXED);
}

void *
route_alloc(size_t bytes)
{
	uint8_t *raw = vnet_malloc(bytes + 64), *p;

	if (raw == NULL)
		return NULL;
	/* at least 16 bytes on, so that there is room for the way back */
	p = (uint8_t *)(((uintptr_t)raw + 64) & ~(uintptr_t)63);
	((void **)(void *)p)[-1] = raw;
	return p;
}

void
route_dealloc(void *p)
{
	vnet_free(((void **)p)[-1]);
}

/* --- next hops ----------------------------------------------------------- */

void
nexthop_set_lle(struct nexthop *nh, struct llentry *lle)
{
	struct llentry *old;

	/* a route that has left takes nothing any more: nobody would give it back in time */
	if (lle != NULL && !(nh->flags & RTF_UP_))
		return;
	if (lle != NULL)
		lle_ref(lle);
	old = __atomic_exchange_n(&nh->lle, lle, __ATOMIC_ACQ_REL);
	if (lle != NULL && old == NULL)
		__atomic_fetch_add(&nexthops_live, 1, __ATOMIC_RELAXED);
	if (lle == NULL && old != NULL)
		__atomic_fetch_sub(&nexthops_live, 1, __ATOMIC_RELAXED);
	if (old != NULL)
		lle_rele(old);
}

struct rtentry *
rib_entry_share(const struct rtentry *rt)
{
	struct rtentry *copy = route_alloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	__atomic_fetch_add(&routes_live, 1, __ATOMIC_RELAXED);
	copy->gateway = rt->gateway;
	copy->fib = rt->fib;
	copy->vnet = rt->vnet;
	copy->weight = rt->weight;
	copy->nh = rt->nh;
	copy->nh.rt = copy;
	copy->nh.lle = NULL;
	copy->nh.use = 0;
	if_ref(copy->nh.ifp);
	if (copy->nh.ifa != NULL)
		ifa_ref(copy->nh.ifa);
	return copy;
}

void
rib_entry_free(struct rtentry *rt)
{
	nexthop_set_lle(&rt->nh, NULL);
	if (rt->nh.ifa != NULL)
		ifa_rele(rt->nh.ifa);
	if (rt->nh.ifp != NULL)
		if_rele(rt->nh.ifp);
	__atomic_fetch_sub(&routes_live, 1, __ATOMIC_RELAXED);
	route_dealloc(rt);
}

static void
entry_free_late(struct rcu_head *h)
{
	__atomic_fetch_sub(&routes_trash, 1, __ATOMIC_RELAXED);
	rib_entry_free((struct rtentry *)(void *)((uint8_t *)h - offsetof(struct rtentry, rcu)));
}

void
rib_entry_retire(struct rtentry *rt)
{
	generation_bump();
	__atomic_store_n(&rt->nh.flags, rt->nh.flags & ~(uint32_t)RTF_UP_, __ATOMIC_RELAXED);
	nexthop_set_lle(&rt->nh, NULL);
	__atomic_fetch_add(&routes_trash, 1, __ATOMIC_RELAXED);
	rcu_call(&rt->rcu, entry_free_late);
}

/* The first address of a family on an interface. */
static struct ifaddr *
first_ifa(const struct ifnet *ifp, int family)
{
	struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (ifa->family == family)
			return ifa;
	return NULL;
}

/* --- what a request comes to --------------------------------------------- */

struct rt_addr
rib_request_prefix(const struct rt_request *rq)
{
	unsigned plen = rq->dst.plen;
	bool prefix;

	if (rq->mask != NULL)
		plen = rt_mask_lead(rq->dst.family, rq->mask, &prefix);
	return rt_addr_make(rq->dst.family, rq->dst.addr, plen);
}

static bool
addr_covers(const struct rt_addr *net, const struct rt_addr *a)
{
	unsigned whole = net->plen >> 3, rest = net->plen & 7;

	if (net->family != a->family || memcmp(net->addr, a->addr, whole) != 0)
		return false;
	return rest == 0 || ((net->addr[whole] ^ a->addr[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

/* A request's mask may leave an address out that its leading ones cover. */
static bool
is_under_mask(const struct rt_request *rq, const struct rt_addr *a)
{
	if (rq->mask == NULL)
		return true;
	for (unsigned i = 0; i < rib_family_bits(a->family) / 8; i++)
		if ((rq->dst.addr[i] ^ a->addr[i]) & rq->mask[i])
			return false;
	return true;
}

/* Of several ways to a link, one that is up, if there is such. */
static const struct rtentry *
usable_path(const struct rtentry *first)
{
	for (const struct rtentry *rt = first; rt != NULL; rt = rib_next_path(rt))
		if (if_is_usable(rt->nh.ifp))
			return rt;
	return first;
}

/*
 * A gateway of link scope is on its zone's link, whatever routes there are (RFC 4007 6); without a
 * zone it is on the link that the request names. 0 or -errno.
 */
static int
resolve_link_gateway(const struct rt_request *rq, struct rt_addr *gateway, struct ifnet **ifp)
{
	uint32_t zone = in6_zone(rt_addr_in6(gateway));

	*ifp = zone != 0 ? if_byindex(zone) : rq->ifp;
	if (*ifp == NULL)
		return -ENETUNREACH;
	if ((rq->ifp != NULL && rq->ifp != *ifp) || (*ifp)->if_index > IN6_ZONE_MAX)
		return -EINVAL;
	in6_embed((struct in6 *)(void *)gateway->addr, (*ifp)->if_index);
	return 0;
}

/*
 * Where the gateway is: its interface and the source address there (NULL = not said); *gateway gets
 * its zone. 0 or -errno.
 */
static int
resolve_gateway(const struct rt_request *rq, const struct rt_addr *dst, struct rt_addr *gateway,
    struct ifnet **ifp, struct ifaddr **ifa)
{
	const struct rtentry *via;

	if (gateway->family != dst->family)
		return -EINVAL;
	if (gateway->family == AF_INET6 && in6_is_linklocal(rt_addr_in6(gateway)))
		return resolve_link_gateway(rq, gateway, ifp);
	if (rq->ifp != NULL)
		return 0;
	via = usable_path(rib_match(rq->fib, gateway));
	if (via == NULL)
		return -ENETUNREACH;
	/* the new route would lead to the gateway itself, or does so already */
	if (addr_covers(dst, gateway) && is_under_mask(rq, gateway) && via->dst.plen <= dst->plen &&
	    !(via->nh.flags & RTF_GATEWAY_))
		return -EADDRINUSE;
	if (via->nh.flags & RTF_GATEWAY_)
		return -ENETUNREACH;
	*ifp = via->nh.ifp;
	if (*ifa == NULL)
		*ifa = via->nh.ifa;
	return 0;
}

int
rib_entry_make(const struct rt_request *rq, struct rtentry **out)
{
	struct rt_addr dst = rib_request_prefix(rq);
	struct rt_addr gateway = rq->gateway;
	struct ifnet *ifp = rq->ifp;
	struct ifaddr *ifa = rq->ifa;
	struct rtentry *rt;
	int error;

	if (gateway.family != 0) {
		if ((error = resolve_gateway(rq, &dst, &gateway, &ifp, &ifa)) != 0)
			return error;
	} else if (ifp == NULL) {
		if (rq->flags & (RTF_REJECT_ | RTF_BLACKHOLE_))
			ifp = V_loif;
		else if (ifa != NULL)
			ifp = ifa->ifp;
	}
	if (ifp == NULL)
		return -EINVAL;
	if (ifa == NULL)
		ifa = first_ifa(ifp, dst.family);
	rt = route_alloc(sizeof(*rt));
	if (rt == NULL)
		return -ENOMEM;
	__atomic_fetch_add(&routes_live, 1, __ATOMIC_RELAXED);
	rt->dst = dst;
	rt->gateway = gateway;
	rt->fib = rq->fib;
	rt->vnet = curvnet;
	rt->weight = rq->weight == 0 ? 1 : rq->weight;
	rt->expire_ns = rq->expire_ns;
	rt->nh.rt = rt;
	rt->nh.ifp = if_ref(ifp);
	rt->nh.ifa = ifa == NULL ? NULL : ifa_ref(ifa);
	rt->nh.mtu = rq->mtu;
	rt->nh.flags = (rq->flags & ~(uint32_t)(RTF_HOST_ | RTF_GATEWAY_)) | RTF_UP_;
	if (dst.plen == rib_family_bits(dst.family))
		rt->nh.flags |= RTF_HOST_;
	if (gateway.family != 0)
		rt->nh.flags |= RTF_GATEWAY_;
	if (gateway.family == AF_INET)
		rt->nh.gw4 = load32(gateway.addr);
	nexthop_set_path(&rt->nh, &rt->gateway, rt->weight);
	*out = rt;
	return 0;
}
