/*
 * rib.c - routes as people and interfaces give them, one radix tree for each family and FIB.
 *
 * A table is made with its first route. Each change goes to the tree, to the packet side's copy
 * (fib_trie.c), and is told as a route_event. A route that leaves is freed behind the readers; the
 * references of its next hop (interface, source address, neighbour) go with it.
 *
 * Gateways are not looked up per packet: when a route is added, its gateway must be on a link of
 * this stack, and the next hop says which.
 */
#include "route/rib.h"

#include "base/bytes.h"
#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RIB_INET, RIB_INET6, RIB_FAMILIES };

struct rib {
	struct radix_tree *tree;
};

VNET_DEFINE_STATIC(struct rib *, rib_table[RIB_FAMILIES][RT_FIBS_MAX]);
VNET_DEFINE(struct rtstat, rtstat);

uint32_t rt_numfibs = 1;

SYSCTL_UINT(net_fibs, "net.fibs", SYSCTL_RDTUN, rt_numfibs, 1, RT_FIBS_MAX,
    "number of forwarding tables of a stack");

/*
 * Handlers come and go; the list stays while the process's stacks do. Looked up when the host stack
 * starts.
 */
static struct event_list *route_event;

static uint64_t routes_live, nexthops_live, routes_trash; /* atomic: freed behind the readers */

static uint64_t
route_live(void)
{
	return __atomic_load_n(&routes_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(route, "route", route_live);

/* Next hops that hold a neighbour entry. */
static uint64_t
nexthop_live(void)
{
	return __atomic_load_n(&nexthops_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(nexthop, "nexthop", nexthop_live);

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

static int
family_index(int family)
{
	return family == AF_INET ? RIB_INET : family == AF_INET6 ? RIB_INET6 : -1;
}

static unsigned
family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static struct rib *
rib_of(uint8_t fib, int family)
{
	int f = family_index(family);

	return f < 0 || fib >= RT_FIBS_MAX ? NULL : VNET(rib_table)[f][fib];
}

static struct rtentry *
entry_of(struct radix_node *n)
{
	return n == NULL ? NULL :
			   (struct rtentry *)(void *)((uint8_t *)n - offsetof(struct rtentry, rn));
}

/* The table, made at its first use; NULL without memory. */
static struct rib *
rib_get(uint8_t fib, int family)
{
	struct rib **slot = &VNET(rib_table)[family_index(family)][fib], *r;

	if (*slot != NULL)
		return *slot;
	r = vnet_malloc(sizeof(*r));
	if (r == NULL)
		return NULL;
	r->tree = radix_new_in(family_bits(family), vnet_malloc, vnet_free);
	if (r->tree == NULL) {
		vnet_free(r);
		return NULL;
	}
	return *slot = r;
}

/* The table's end, if nothing is in it. */
static void
rib_put(uint8_t fib, int family)
{
	struct rib **slot = &VNET(rib_table)[family_index(family)][fib], *r = *slot;

	if (r == NULL || radix_count(r->tree) > 0)
		return;
	*slot = NULL;
	radix_free(r->tree);
	vnet_free(r);
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

static void
entry_free(struct rtentry *rt)
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
	entry_free((struct rtentry *)(void *)((uint8_t *)h - offsetof(struct rtentry, rcu)));
}

/*
 * A route that is in no table any more. Its neighbour is given back now, the rest behind the
 * readers.
 */
static void
entry_retire(struct rtentry *rt)
{
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

static bool
addr_covers(const struct rt_addr *net, const struct rt_addr *a)
{
	unsigned whole = net->plen >> 3, rest = net->plen & 7;

	if (net->family != a->family || memcmp(net->addr, a->addr, whole) != 0)
		return false;
	return rest == 0 || ((net->addr[whole] ^ a->addr[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool
addr_equal(const struct rt_addr *a, const struct rt_addr *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
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
	struct rtentry *via;

	if (gateway->family != dst->family)
		return -EINVAL;
	if (gateway->family == AF_INET6 && in6_is_linklocal(rt_addr_in6(gateway)))
		return resolve_link_gateway(rq, gateway, ifp);
	if (rq->ifp != NULL)
		return 0;
	via = rib_match(rq->fib, gateway);
	if (via == NULL)
		return -ENETUNREACH;
	/* the new route would lead to the gateway itself, or does so already */
	if (addr_covers(dst, gateway) && via->dst.plen <= dst->plen &&
	    !(via->nh.flags & RTF_GATEWAY_))
		return -EADDRINUSE;
	if (via->nh.flags & RTF_GATEWAY_)
		return -ENETUNREACH;
	*ifp = via->nh.ifp;
	if (*ifa == NULL)
		*ifa = via->nh.ifa;
	return 0;
}

/* An entry as the request says, in no table yet. 0 or -errno. */
static int
entry_make(const struct rt_request *rq, struct rtentry **out)
{
	struct rt_addr dst = rt_addr_make(rq->dst.family, rq->dst.addr, rq->dst.plen);
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
	if (dst.plen == family_bits(dst.family))
		rt->nh.flags |= RTF_HOST_;
	if (gateway.family != 0)
		rt->nh.flags |= RTF_GATEWAY_;
	if (gateway.family == AF_INET)
		rt->nh.gw4 = load32(gateway.addr);
	*out = rt;
	return 0;
}

static bool
request_ok(const struct rt_request *rq)
{
	return rq->fib < rt_numfibs && family_index(rq->dst.family) >= 0 &&
	    rq->dst.plen <= family_bits(rq->dst.family);
}

static void
tell(struct rtentry *rt, enum rtm what)
{
	if (route_event != NULL)
		event_invoke(route_event, rt, (void *)(uintptr_t)what);
}

/* --- expiry -------------------------------------------------------------- */

/* One timer a stack, at the earliest deadline; made with the first route that has one. */
VNET_DEFINE_STATIC(struct callout, rib_expiry);
VNET_DEFINE_STATIC(bool, rib_expiry_made);
VNET_DEFINE_STATIC(uint32_t, rib_expiring); /* routes that have a deadline */

static void rib_expire(void *arg);

static void
expiry_arm(uint64_t when_ns)
{
	struct callout *c = &VNET(rib_expiry);
	uint64_t now = clock_now();

	if (!VNET(rib_expiry_made)) {
		callout_init(c, curvnet, rib_expire, NULL);
		VNET(rib_expiry_made) = true;
	}
	if (!callout_armed(c) || c->when_ns > when_ns)
		callout_reset(c, when_ns > now ? when_ns - now : 0);
}

/* A route has come into its table. */
static void
expiry_enter(const struct rtentry *rt)
{
	if (rt->expire_ns == 0)
		return;
	VNET(rib_expiring)++;
	expiry_arm(rt->expire_ns);
}

/* A route has left; with the last one that has a deadline the timer goes. */
static void
expiry_leave(const struct rtentry *rt)
{
	if (rt->expire_ns != 0 && --VNET(rib_expiring) == 0)
		callout_stop(&VNET(rib_expiry));
}

void
rib_set_expiry(struct rtentry *rt, uint64_t expire_ns)
{
	if (rt->expire_ns == expire_ns)
		return;
	expiry_leave(rt);
	rt->expire_ns = expire_ns;
	expiry_enter(rt);
}

uint64_t
rib_expires_in(const struct rtentry *rt)
{
	uint64_t now = clock_now();

	if (rt->expire_ns == 0)
		return 0;
	/* rounded up: what has not gone yet never shows 0 */
	return rt->expire_ns <= now ? 1 : (rt->expire_ns - now + NS_PER_SEC - 1) / NS_PER_SEC;
}

/* --- changes ------------------------------------------------------------- */

int
rib_add(const struct rt_request *rq, struct rtentry **out)
{
	struct rtentry *rt;
	struct rib *r;
	int error;

	if (!request_ok(rq))
		return -EINVAL;
	if ((r = rib_get(rq->fib, rq->dst.family)) == NULL)
		return -ENOMEM;
	if (radix_exact(r->tree, rt_addr_make(rq->dst.family, rq->dst.addr, rq->dst.plen).addr,
		rq->dst.plen) != NULL)
		return -EEXIST;
	if ((error = entry_make(rq, &rt)) != 0) {
		rib_put(rq->fib, rq->dst.family);
		return error;
	}
	error = radix_insert(r->tree, &rt->rn, rt->dst.addr, rt->dst.plen, false);
	if (error == 0 && (error = fib_set(rt->fib, &rt->dst, &rt->nh)) != 0)
		radix_delete(r->tree, &rt->rn);
	if (error != 0) {
		entry_free(rt);
		rib_put(rq->fib, rq->dst.family);
		return error;
	}
	expiry_enter(rt);
	tell(rt, RTM_ADD_);
	if (out != NULL)
		*out = rt;
	return 0;
}

void
rib_remove(struct rtentry *rt)
{
	struct rib *r = rib_of(rt->fib, rt->dst.family);

	radix_delete(r->tree, &rt->rn);
	rib_put(rt->fib, rt->dst.family);
	fib_clear(rt->fib, &rt->dst);
	expiry_leave(rt);
	tell(rt, RTM_DELETE_);
	entry_retire(rt);
}

/* The route that a delete or change means, or NULL. */
static struct rtentry *
rib_named(const struct rt_request *rq)
{
	struct rt_addr dst = rt_addr_make(rq->dst.family, rq->dst.addr, rq->dst.plen);

	return rib_exact(rq->fib, &dst);
}

int
rib_delete(const struct rt_request *rq)
{
	struct rtentry *rt;

	if (!request_ok(rq))
		return -EINVAL;
	rt = rib_named(rq);
	if (rt == NULL)
		return -ESRCH;
	/* with a gateway given it must be this route's */
	if (rq->gateway.family != 0 && !addr_equal(&rq->gateway, &rt->gateway))
		return -ESRCH;
	if (rq->gateway.family == 0 && rq->ifp != NULL && rq->ifp != rt->nh.ifp)
		return -ESRCH;
	/* an interface's own prefix: only who put it there (and says so) takes it away */
	if ((rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)) &&
	    !(rq->flags & (RTF_PINNED_ | RTF_LOCAL_)))
		return -EADDRINUSE;
	rib_remove(rt);
	return 0;
}

int
rib_change(const struct rt_request *rq, struct rtentry **out)
{
	struct rt_request merged = *rq;
	struct rtentry *old, *rt;
	struct rib *r;
	int error;

	if (!request_ok(rq))
		return -EINVAL;
	old = rib_named(rq);
	if (old == NULL)
		return -ESRCH;
	if (old->nh.flags & (RTF_PINNED_ | RTF_LOCAL_))
		return -EADDRINUSE;
	/* what the request doesn't name stays */
	if (rq->gateway.family == 0 && rq->ifp == NULL) {
		merged.gateway = old->gateway;
		merged.ifp = old->nh.ifp;
		if (rq->ifa == NULL)
			merged.ifa = old->nh.ifa;
	}
	if (rq->mtu == 0)
		merged.mtu = old->nh.mtu;
	if (rq->weight == 0)
		merged.weight = old->weight;
	if (rq->expire_ns == 0)
		merged.expire_ns = old->expire_ns;
	if (!(rq->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)))
		merged.flags |= old->nh.flags & (RTF_REJECT_ | RTF_BLACKHOLE_);
	merged.flags |= old->nh.flags & (RTF_STATIC_ | RTF_PROTO1_ | RTF_PROTO2_ | RTF_PROTO3_);
	if ((error = entry_make(&merged, &rt)) != 0)
		return error;
	rt->nh.use = old->nh.use;
	r = rib_of(rq->fib, rq->dst.family);
	/*
	 * neither can fail: the old one's room is there, and in the FIB the prefix only gets
	 * another next hop
	 */
	radix_delete(r->tree, &old->rn);
	radix_insert(r->tree, &rt->rn, rt->dst.addr, rt->dst.plen, false);
	fib_set(rt->fib, &rt->dst, &rt->nh);
	expiry_leave(old);
	entry_retire(old);
	expiry_enter(rt);
	tell(rt, RTM_CHANGE_);
	if (out != NULL)
		*out = rt;
	return 0;
}

/* --- questions ----------------------------------------------------------- */

struct rtentry *
rib_match(uint8_t fib, const struct rt_addr *dst)
{
	struct rib *r = rib_of(fib, dst->family);

	return r == NULL ? NULL : entry_of(radix_match(r->tree, dst->addr));
}

struct rtentry *
rib_exact(uint8_t fib, const struct rt_addr *dst)
{
	struct rib *r = rib_of(fib, dst->family);

	return r == NULL ? NULL : entry_of(radix_exact(r->tree, dst->addr, dst->plen));
}

uint64_t
rib_count(uint8_t fib, int family)
{
	struct rib *r = rib_of(fib, family);

	return r == NULL ? 0 : radix_count(r->tree);
}

struct walk {
	int (*fn)(struct rtentry *rt, void *ctx);
	void *ctx;
};

static int
walk_entry(struct radix_node *n, void *ctx)
{
	struct walk *w = ctx;

	return w->fn(entry_of(n), w->ctx);
}

int
rib_walk(uint8_t fib, int family, int (*fn)(struct rtentry *rt, void *ctx), void *ctx)
{
	struct rib *r = rib_of(fib, family);
	struct walk w = { fn, ctx };

	return r == NULL ? 0 : radix_walk(r->tree, walk_entry, &w);
}

void
rib_walk_all(int (*fn)(struct rtentry *rt, void *ctx), void *ctx)
{
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		rib_walk(fib, AF_INET, fn, ctx);
		rib_walk(fib, AF_INET6, fn, ctx);
	}
}

bool
rib_visible(const struct rtentry *rt)
{
	if (!jailed_without_vnet(curprison))
		return true;
	if (!(rt->nh.flags & RTF_HOST_))
		return false;
	return rt->dst.family == AF_INET ? prison_ip4_ok(curprison, load32(rt->dst.addr)) :
					   prison_ip6_ok(curprison, rt->dst.addr);
}

/* --- routes whose time is up --------------------------------------------- */

struct deadline {
	uint64_t now, next;
};

static int
expire_one(struct rtentry *rt, void *ctx)
{
	struct deadline *d = ctx;

	if (rt->expire_ns == 0)
		return 0;
	if (rt->expire_ns <= d->now)
		rib_remove(rt);
	else if (rt->expire_ns < d->next)
		d->next = rt->expire_ns;
	return 0;
}

static void
rib_expire(void *arg)
{
	struct deadline d = { .now = clock_now(), .next = NS_NEVER };

	(void)arg;
	rib_walk_all(expire_one, &d);
	if (d.next != NS_NEVER)
		expiry_arm(d.next);
}

/* --- a stack's beginning and end ----------------------------------------- */

static void
rib_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		route_event = event_find("route_event");
}
VNET_SYSINIT(rib, SI_SUB_ROUTE, SI_ORDER_FIRST, rib_init, NULL);

static int
my_fibnum(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->set != NULL)
		return -EPERM;
	snprintf(req->text, req->text_len, "%u", verb_fib);
	return 0;
}
SYSCTL_PROC(net_my_fibnum, "net.my_fibnum", SYSCTL_RD, SYSCTL_T_UINT, my_fibnum,
    "forwarding table of the caller");

static int
remove_entry(struct rtentry *rt, void *ctx)
{
	(void)ctx;
	rib_remove(rt);
	return 0;
}

static void
rib_uninit(void *arg)
{
	(void)arg;
	if (VNET(rib_expiry_made))
		callout_drain(&VNET(rib_expiry));
	rib_walk_all(remove_entry, NULL);
	if (curvnet == vnet0)
		route_event = NULL;
}
VNET_SYSUNINIT(rib, SI_SUB_ROUTE, SI_ORDER_FIRST, rib_uninit, NULL);
