/*
 * rib.c - routes as people and interfaces give them, one radix tree for each family and FIB.
 *
 * A table is made with its first route. Each change goes to the tree, to the packet side's copy
 * (rib_path.c), and is told as a route_event. A route that leaves is freed behind the readers; the
 * references of its next hop (interface, source address, neighbour) go with it (rib_entry.c).
 *
 * Several routes to one prefix are duplicates in the tree, in the order in which they came.
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

static int
family_index(int family)
{
	return family == AF_INET ? RIB_INET : family == AF_INET6 ? RIB_INET6 : -1;
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
	r->tree = radix_new_in(rib_family_bits(family), vnet_malloc, vnet_free);
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

static bool
request_ok(const struct rt_request *rq)
{
	return rq->fib < rt_numfibs && family_index(rq->dst.family) >= 0 &&
	    rq->dst.plen <= rib_family_bits(rq->dst.family);
}

static void
tell(struct rtentry *rt, enum rtm what)
{
	if (route_event != NULL)
		event_invoke(route_event, rt, (void *)(uintptr_t)what);
}

/* --- changes ------------------------------------------------------------- */

static struct rtentry *
first_named(const struct rt_request *rq)
{
	const struct rib *r = rib_of(rq->fib, rq->dst.family);
	struct rt_addr dst = rib_request_prefix(rq);

	if (r == NULL)
		return NULL;
	return entry_of(rq->mask != NULL ? radix_exact_masked(r->tree, rq->dst.addr, rq->mask) :
					   radix_exact(r->tree, dst.addr, dst.plen));
}

static bool
addr_equal(const struct rt_addr *a, const struct rt_addr *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* May rt, the last of them, stand beside the routes to its prefix? Like beside like only. */
static bool
may_join(const struct rtentry *first, const struct rtentry *rt)
{
	const uint32_t never = RTF_LOCAL_ | RTF_REJECT_ | RTF_BLACKHOLE_ | RTF_DYNAMIC_;

	if (first->rn.mask != NULL)
		return false;
	for (const struct rtentry *p = first; p != rt; p = rib_next_path(p))
		if (((p->nh.flags | rt->nh.flags) & never) ||
		    ((p->nh.flags ^ rt->nh.flags) & (RTF_PINNED_ | RTF_STATIC_)) ||
		    (addr_equal(&p->gateway, &rt->gateway) && p->nh.ifp == rt->nh.ifp))
			return false;
	return true;
}

static int
tree_insert(struct rib *r, struct rtentry *rt, const struct rt_request *rq, bool allow_dup)
{
	if (rq->mask != NULL)
		return radix_insert_masked(r->tree, &rt->rn, rq->dst.addr, rq->mask, allow_dup);
	return radix_insert(r->tree, &rt->rn, rt->dst.addr, rt->dst.plen, allow_dup);
}

/* An entry into the tree and the FIB, or into neither. */
static int
entry_enter(struct rib *r, struct rtentry *rt, const struct rt_request *rq)
{
	const struct rtentry *first;
	int error;

	if ((error = tree_insert(r, rt, rq, rq->multipath)) != 0)
		return error;
	first = entry_of(radix_first(&rt->rn));
	error = first == rt || may_join(first, rt) ? rib_hop_enter(r, rt) : -EEXIST;
	if (error != 0)
		radix_delete(r->tree, &rt->rn);
	return error;
}

int
rib_add(const struct rt_request *rq, struct rtentry **out)
{
	struct rtentry *rt;
	struct rib *r;
	int error;

	if (!request_ok(rq))
		return -EINVAL;
	if (!rq->multipath && first_named(rq) != NULL)
		return -EEXIST;
	if ((r = rib_get(rq->fib, rq->dst.family)) == NULL)
		return -ENOMEM;
	if ((error = rib_entry_make(rq, &rt)) != 0) {
		rib_put(rq->fib, rq->dst.family);
		return error;
	}
	if ((error = entry_enter(r, rt, rq)) != 0) {
		rib_entry_free(rt);
		rib_put(rq->fib, rq->dst.family);
		return error;
	}
	rib_expiry_enter(rt);
	tell(rt, RTM_ADD_);
	if (out != NULL)
		*out = rt;
	return 0;
}

void
rib_remove(struct rtentry *rt)
{
	struct rib *r = rib_of(rt->fib, rt->dst.family);

	rib_hop_leave(r, rt);
	rib_put(rt->fib, rt->dst.family);
	rib_expiry_leave(rt);
	tell(rt, RTM_DELETE_);
	rib_entry_retire(rt);
}

void
rib_set_ifa(struct rtentry *rt, struct ifaddr *ifa)
{
	struct ifaddr *old = rt->nh.ifa;

	__atomic_store_n(&rt->nh.ifa, ifa_ref(ifa), __ATOMIC_RELEASE);
	rib_hop_update(rib_of(rt->fib, rt->dst.family), rt);
	if (old != NULL)
		ifa_rele(old);
}

/*
 * Does the request mean this one of the paths? What it names must agree; the interface alone is not
 * enough where the route has a gateway and others go by the same interface.
 */
static bool
is_meant(const struct rt_request *rq, const struct rtentry *rt)
{
	if (rq->gateway.family != 0 && !addr_equal(&rq->gateway, &rt->gateway))
		return false;
	return rq->ifp == NULL || rq->ifp == rt->nh.ifp;
}

/* The one path that a request means; NULL if there is none, or more than one. */
static struct rtentry *
path_meant(const struct rt_request *rq, struct rtentry *first)
{
	struct rtentry *meant = NULL;

	for (struct rtentry *rt = first; rt != NULL; rt = rib_next_path(rt)) {
		if (!is_meant(rq, rt))
			continue;
		if (meant != NULL)
			return NULL;
		meant = rt;
	}
	return meant;
}

int
rib_delete(const struct rt_request *rq)
{
	struct rtentry *rt;

	if (!request_ok(rq))
		return -EINVAL;
	rt = path_meant(rq, first_named(rq));
	if (rt == NULL)
		return -ESRCH;
	/*
	 * an interface's own prefix: only who put it there (and says so) takes it away; or who names
	 * the interface while another one leads there too
	 */
	if ((rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)) &&
	    !(rq->flags & (RTF_PINNED_ | RTF_LOCAL_)) && (rq->ifp == NULL || rt->group == NULL))
		return -EADDRINUSE;
	rib_remove(rt);
	return 0;
}

/* The request with what it doesn't name taken from the route that is there. */
static struct rt_request
merge(const struct rt_request *rq, const struct rtentry *old)
{
	struct rt_request merged = *rq;

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
	return merged;
}

/* Of several paths a change names one, and changes what is not its way. */
static struct rtentry *
path_to_change(const struct rt_request *rq)
{
	struct rtentry *first = first_named(rq);

	return first == NULL || rib_next_path(first) == NULL ? first : path_meant(rq, first);
}

int
rib_change(const struct rt_request *rq, struct rtentry **out)
{
	struct rt_request merged;
	struct rtentry *old, *rt;
	struct rib *r;
	int error;

	if (!request_ok(rq))
		return -EINVAL;
	old = path_to_change(rq);
	if (old == NULL)
		return -ESRCH;
	if (old->nh.flags & (RTF_PINNED_ | RTF_LOCAL_))
		return -EADDRINUSE;
	merged = merge(rq, old);
	if (old->group != NULL && (merged.flags & (RTF_REJECT_ | RTF_BLACKHOLE_)))
		return -EINVAL;
	if ((error = rib_entry_make(&merged, &rt)) != 0)
		return error;
	rt->nh.use = old->nh.use;
	r = rib_of(rq->fib, rq->dst.family);
	if ((error = tree_insert(r, rt, rq, true)) != 0) {
		rib_entry_free(rt);
		return error;
	}
	rib_hop_replace(r, old, rt);
	rib_expiry_leave(old);
	rib_entry_retire(old);
	rib_expiry_enter(rt);
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

struct rtentry *
rib_exact_masked(uint8_t fib, const struct rt_addr *dst, const uint8_t *mask)
{
	struct rib *r = rib_of(fib, dst->family);

	return r == NULL ? NULL : entry_of(radix_exact_masked(r->tree, dst->addr, mask));
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
	rib_expiry_drain();
	rib_walk_all(remove_entry, NULL);
	if (curvnet == vnet0)
		route_event = NULL;
}
VNET_SYSUNINIT(rib, SI_SUB_ROUTE, SI_ORDER_FIRST, rib_uninit, NULL);
