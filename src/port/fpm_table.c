/*
 * fpm_table.c - the routes and next hops that a routing daemon holds.
 *
 *	fpm_table_apply		a change -> the held route or next hop
 *	route_sync		a held route -> the paths that it wants -> the FIB (fpm_fib.c)
 *
 * A route goes by a next hop object: a numbered one that many share (FRR's default), or one of its
 * own, made from the paths in its message. A numbered one may be replaced in its place: then all
 * routes that go by it, or by a group that it is a member of, are brought up to date. It may also
 * be named before it is told: groups come before their members. Such a one is unknown until then,
 * and what needs it waits.
 */
#include "port/fpm_fib.h"
#include "port/fpm_held.h"

#include "inet/in.h"
#include "inet6/in6.h"
#include "kern/eventhandler.h"

#include <errno.h>
#include <linux/rtnetlink.h>

/* --- into the FIB (fpm_fib.c) ----------------------------------------------------------------- */

/* The interface's own address that packets made here shall have; NULL = let the FIB choose. */
static struct ifaddr *
source_of(const struct rt_addr *a)
{
	struct in_ifaddr *ia;
	struct in6_ifaddr *ia6;

	if (a->family == AF_INET)
		return (ia = in_local(load32(a->addr))) == NULL ? NULL : &ia->ifa;
	if (a->family == AF_INET6)
		return (ia6 = in6_local(rt_addr_in6(a))) == NULL ? NULL : &ia6->ifa;
	return NULL;
}

/* One path, if it can be asked for. One that is not for IP is counted each time. */
static void
wanted_path(struct fpm_table *t, const struct fpm_route *r, const struct fpm_path *path,
    uint32_t weight, struct fpm_wanted *w)
{
	struct rt_request *rq = &w->rq[w->n];

	if (path->unusable ||
	    (path->gateway.family != 0 && path->gateway.family != r->dst.family)) {
		t->stats.unusable++;
		return;
	}
	if (w->n == FPM_PATHS_MAX)
		return;
	*rq = (struct rt_request){
		.dst = r->dst,
		.gateway = path->gateway,
		.ifa = source_of(&r->source),
		.flags = RTF_PROTO1_,
		.weight = weight,
		.fib = t->fib,
		.multipath = true,
	};
	if (path->linux_index != 0)
		rq->ifp = t->interface(t->ctx, path->linux_index);
	if (rq->ifp == NULL && (path->linux_index != 0 || rq->gateway.family == 0)) {
		w->missing++;
		return;
	}
	if (rq->gateway.family == AF_INET6 && rq->ifp != NULL)
		in6_embed((struct in6 *)(void *)rq->gateway.addr, rq->ifp->if_index);
	w->n++;
}

static void
wanted_drop(
    const struct fpm_table *t, const struct fpm_route *r, enum fpm_form form, struct fpm_wanted *w)
{
	w->rq[w->n++] = (struct rt_request){
		.dst = r->dst,
		.ifp = V_loif,
		.flags = RTF_PROTO1_ | (form == FPM_BLACKHOLE ? RTF_BLACKHOLE_ : RTF_REJECT_),
		.fib = t->fib,
		.multipath = true,
	};
}

static void
wanted_of(struct fpm_table *t, const struct fpm_route *r, struct fpm_wanted *w)
{
	const struct fpm_ways *ways = r->nexthop == NULL ? NULL : r->nexthop->ways;

	w->dst = r->dst;
	w->fib = t->fib;
	w->n = w->missing = 0;
	if (ways == NULL)
		return;
	if (ways->form != FPM_UNICAST) {
		wanted_drop(t, r, ways->form, w);
		return;
	}
	for (unsigned i = 0; i < ways->npaths; i++)
		wanted_path(t, r, &ways->path[i], ways->path[i].weight, w);
	for (unsigned i = 0; i < ways->nmembers; i++) {
		const struct fpm_nexthop *nh = fpm_nexthop_find(t, ways->member[i].id);

		if (nh == NULL || nh->ways == NULL)
			t->incomplete = true, w->missing++;
		else if (nh->ways->npaths == 1)
			wanted_path(t, r, &nh->ways->path[0], ways->member[i].weight, w);
	}
}

/* The FIB is made equal; true if it is. Its changes meanwhile are our own. */
static bool
follow(struct fpm_table *t, const struct fpm_wanted *w)
{
	bool there;

	t->busy = true;
	there = fpm_fib_follow(w, &t->stats);
	t->busy = false;
	return there;
}

/* The FIB shall have what is held; what can't be there now waits. */
static void
route_sync(struct fpm_table *t, struct fpm_route *r)
{
	struct fpm_wanted w;
	bool there;

	wanted_of(t, r, &w);
	there = follow(t, &w);
	fpm_route_wait(t, r, !there || w.missing > 0);
}

static void
route_withdraw(struct fpm_table *t, const struct fpm_route *r)
{
	struct fpm_wanted nothing;

	nothing.dst = r->dst;
	nothing.fib = t->fib;
	nothing.n = 0;
	(void)follow(t, &nothing);
}

static void
route_free(struct fpm_table *t, struct fpm_route *r)
{
	route_withdraw(t, r);
	fpm_route_wait(t, r, false);
	fpm_route_free(t, r);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* The object that a route's message means: by number, or made of its own paths. NULL: no room. */
static struct fpm_nexthop *
nexthop_meant(struct fpm_table *t, const struct fpm_route *r, const struct fpm_change *c)
{
	struct fpm_nexthop *nh;

	if (c->id != 0 && c->form == FPM_UNICAST) {
		nh = fpm_nexthop_find(t, c->id);
		return nh != NULL ? nh : fpm_nexthop_new(t, c->id);
	}
	if (r->nexthop != NULL && r->nexthop->id == 0 && fpm_ways_equal(r->nexthop->ways, c))
		return r->nexthop;
	if ((nh = fpm_nexthop_new(t, 0)) != NULL && (nh->ways = fpm_ways_new(c)) == NULL) {
		fpm_nexthop_free(t, nh);
		return NULL;
	}
	return nh;
}

/*
 * FRR also tells what it has from its kernel, the connected routes of its interfaces above all: the
 * stack has its own of those.
 */
static bool
is_ignored(const struct fpm_change *c)
{
	return c->table != RT_TABLE_MAIN || c->protocol == RTPROT_KERNEL;
}

static void
route_add(struct fpm_table *t, const struct fpm_change *c)
{
	struct fpm_route *r = fpm_route_find(t, &c->dst);
	struct fpm_nexthop *nh;

	if (r == NULL && (r = fpm_route_new(t, &c->dst)) == NULL) {
		t->stats.refused++;
		return;
	}
	r->source = c->source;
	t->stats.left_out += c->left_out;
	nh = nexthop_meant(t, r, c);
	if (nh == NULL) {
		/* what it was is no longer true */
		t->stats.refused++;
		route_free(t, r);
		return;
	}
	fpm_route_set_nexthop(t, r, nh);
	route_sync(t, r);
}

static void
route_delete(struct fpm_table *t, const struct fpm_change *c)
{
	struct fpm_route *r = fpm_route_find(t, &c->dst);

	if (r == NULL)
		return;
	t->stats.deleted++;
	route_free(t, r);
}

struct member_walk {
	struct fpm_table *t;
	uint32_t id;
};

static int
sync_if_member(struct radix_node *n, void *ctx)
{
	const struct member_walk *walk = ctx;
	struct fpm_nexthop *nh = fpm_nexthop_of(n);
	struct fpm_route *r;
	unsigned i = 0;

	if (nh->ways == NULL)
		return 0;
	while (i < nh->ways->nmembers && nh->ways->member[i].id != walk->id)
		i++;
	if (i < nh->ways->nmembers)
		LIST_FOREACH(r, &nh->routes, link)
			route_sync(walk->t, r);
	return 0;
}

/* Routes that go by groups in which the number is a member. */
static void
groups_sync(struct fpm_table *t, uint32_t id)
{
	struct member_walk walk = { t, id };

	radix_walk(t->numbers, sync_if_member, &walk);
}

static void
nexthop_add(struct fpm_table *t, const struct fpm_change *c)
{
	struct fpm_nexthop *nh = fpm_nexthop_find(t, c->id);
	struct fpm_ways *ways, *old;
	struct fpm_route *r;

	t->stats.left_out += c->left_out;
	if (nh != NULL && nh->ways != NULL && fpm_ways_equal(nh->ways, c))
		return;
	ways = fpm_ways_new(c);
	if (ways == NULL || (nh == NULL && (nh = fpm_nexthop_new(t, c->id)) == NULL)) {
		vnet_free(ways);
		t->stats.refused++;
		return;
	}
	old = nh->ways;
	nh->ways = ways;
	LIST_FOREACH(r, &nh->routes, link)
		route_sync(t, r);
	/* a new one can only matter to a group that has been waiting for it */
	if (old != NULL || t->incomplete)
		groups_sync(t, c->id);
	vnet_free(old);
}

/* As in a Linux kernel the routes that go by it go too. */
static void
nexthop_delete(struct fpm_table *t, const struct fpm_change *c)
{
	struct fpm_nexthop *nh = fpm_nexthop_find(t, c->id);
	struct fpm_route *r, *next;

	if (nh == NULL || nh->ways == NULL)
		return;
	LIST_FOREACH_SAFE(r, &nh->routes, link, next) {
		t->stats.deleted++;
		route_free(t, r);
	}
	fpm_nexthop_free(t, nh);
	groups_sync(t, c->id);
}

void
fpm_table_apply(struct fpm_table *t, const struct fpm_change *c)
{
	switch (c->kind) {
	case FPM_ROUTE_ADD:
	case FPM_ROUTE_DELETE:
		if (is_ignored(c))
			t->stats.ignored++;
		else if (c->kind == FPM_ROUTE_ADD)
			route_add(t, c);
		else
			route_delete(t, c);
		break;
	case FPM_NEXTHOP_ADD:
		t->stats.nexthops++;
		nexthop_add(t, c);
		break;
	case FPM_NEXTHOP_DELETE:
		t->stats.nexthops++;
		nexthop_delete(t, c);
		break;
	case FPM_NOT_OURS:
		t->stats.ignored++;
		break;
	}
}

/* --- a new connection, and what it does not say again ----------------------------------------- */

static void
walk_routes(struct fpm_table *t, int (*fn)(struct radix_node *n, void *ctx))
{
	radix_walk(t->inet, fn, t);
	radix_walk(t->inet6, fn, t);
}

static int
forget_nexthop_of_route(struct radix_node *n, void *ctx)
{
	fpm_route_wait(ctx, fpm_route_of(n), false);
	fpm_route_set_nexthop(ctx, fpm_route_of(n), NULL);
	return 0;
}

static int
forget_nexthop(struct radix_node *n, void *ctx)
{
	fpm_nexthop_free(ctx, fpm_nexthop_of(n));
	return 0;
}

void
fpm_table_begin(struct fpm_table *t)
{
	/* the numbers of another daemon's life mean something else */
	walk_routes(t, forget_nexthop_of_route);
	radix_walk(t->numbers, forget_nexthop, t);
	t->incomplete = false;
}

uint64_t
fpm_table_sweep(struct fpm_table *t, uint64_t most)
{
	uint64_t n = 0;

	for (; n < most && !LIST_EMPTY(&t->stale); n++)
		route_free(t, LIST_FIRST(&t->stale));
	t->stats.swept += n;
	return n;
}

void
fpm_table_retry(struct fpm_table *t)
{
	struct fpm_route *r, *next;

	LIST_FOREACH_SAFE(r, &t->waiting, wait, next)
		route_sync(t, r);
}

static int
sync_route(struct radix_node *n, void *ctx)
{
	if (fpm_route_of(n)->nexthop != NULL)
		route_sync(ctx, fpm_route_of(n));
	return 0;
}

void
fpm_table_resync(struct fpm_table *t)
{
	walk_routes(t, sync_route);
}

/* --- what happens around it ------------------------------------------------------------------- */

static void
table_lost(struct fpm_table *t)
{
	if (t->nwaiting > 0)
		t->lost(t->ctx);
}

/*
 * Somebody else's route to a held prefix has come or gone, or one of ours has gone with its
 * interface. The FIB is in the middle of that: later.
 */
static void
on_route(void *ctx, void *arg1, void *arg2)
{
	struct fpm_table *t = ctx;
	const struct rtentry *rt = arg1;
	struct fpm_route *r;

	if (t->busy || curvnet != t->vnet || rt->fib != t->fib)
		return;
	if ((uintptr_t)arg2 != RTM_ADD_ && (uintptr_t)arg2 != RTM_DELETE_)
		return;
	r = fpm_route_find(t, &rt->dst);
	/* one that no connection has told is left as it is, until it is swept */
	if (r == NULL || r->nexthop == NULL)
		return;
	fpm_route_wait(t, r, true);
	table_lost(t);
}

static void
on_interface(void *ctx, void *arg1, void *arg2)
{
	struct fpm_table *t = ctx;

	(void)arg1, (void)arg2;
	if (curvnet == t->vnet)
		table_lost(t);
}

/* --- the table -------------------------------------------------------------------------------- */

static struct radix_tree *
tree_new(unsigned bits)
{
	return radix_new_in(bits, vnet_malloc, vnet_free);
}

static void
trees_free(struct fpm_table *t)
{
	if (t->inet != NULL)
		radix_free(t->inet);
	if (t->inet6 != NULL)
		radix_free(t->inet6);
	if (t->numbers != NULL)
		radix_free(t->numbers);
	vnet_free(t);
}

struct fpm_table *
fpm_table_new(uint8_t fib, fpm_interface *interface, void (*lost)(void *ctx), void *ctx)
{
	struct fpm_table *t = vnet_malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	t->inet = tree_new(32);
	t->inet6 = tree_new(128);
	t->numbers = tree_new(32);
	if (t->inet == NULL || t->inet6 == NULL || t->numbers == NULL) {
		trees_free(t);
		return NULL;
	}
	LIST_INIT(&t->waiting);
	LIST_INIT(&t->stale);
	t->vnet = curvnet;
	t->fib = fib;
	t->interface = interface;
	t->lost = lost;
	t->ctx = ctx;
	event_register(&t->on_route, "route_event", EVENT_HERE, on_route, t, EVENT_PRI_ANY);
	event_register(&t->on_arrival, "ifnet_arrival", EVENT_HERE, on_interface, t, EVENT_PRI_ANY);
	event_register(&t->on_address, "ifaddr_event", EVENT_HERE, on_interface, t, EVENT_PRI_ANY);
	return t;
}

void
fpm_table_free(struct fpm_table *t)
{
	event_deregister(&t->on_route);
	event_deregister(&t->on_arrival);
	event_deregister(&t->on_address);
	fpm_table_begin(t);
	fpm_table_sweep(t, UINT64_MAX);
	trees_free(t);
}

const struct fpm_stats *
fpm_table_stats(const struct fpm_table *t)
{
	return &t->stats;
}

uint64_t
fpm_table_routes(const struct fpm_table *t)
{
	return radix_count(t->inet) + radix_count(t->inet6);
}

uint64_t
fpm_table_waiting(const struct fpm_table *t)
{
	return t->nwaiting;
}

uint64_t
fpm_table_nexthops(const struct fpm_table *t)
{
	return radix_count(t->numbers);
}

uint64_t
fpm_table_stale(const struct fpm_table *t)
{
	return t->nstale;
}
