/*
 * rib_path.c - what packets get for a prefix: the next hop of its only route, the group of all paths
 * to it, or what decides by the destination's bits where masks are no prefixes.
 *
 * The FIB knows prefixes and one pointer for each. Which pointer that is, is decided here, when
 * routes come and go; nexthop.c reads the groups. Taking something out of a group needs no memory:
 * its place becomes empty. Putting something in makes a new group, and readers of the old one finish
 * undisturbed.
 *
 * A mask that is no prefix matters only where nothing has more leading ones (radix.h), so in the FIB
 * such routes stand at the prefix of their leading ones, together. A destination that none of them
 * matches goes on to that prefix's own route or, without one, to the next shorter prefix's: whenever
 * that changes, it is told to those below.
 */
#include "route/nexthop.h"
#include "route/rib.h"

#include "base/rng.h"
#include "kern/sysctl.h"
#include "net/generation.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE_STATIC(uint32_t, maxpaths) = 16;
SYSCTL_VNET_UINT(net_route_maxpaths, "net.route.maxpaths", SYSCTL_RW, maxpaths, 1, 256,
    "most routes that one prefix may have at once; 1 switches multipath off");

static uint64_t groups_live; /* atomic: freed behind the readers */
AUDIT_COUNTER(nexthop_group, "nexthop group", groups_live);

static void *
group_alloc(size_t bytes)
{
	void *p = route_alloc(bytes);

	if (p != NULL)
		__atomic_fetch_add(&groups_live, 1, __ATOMIC_RELAXED);
	return p;
}

static void
group_free(void *p)
{
	__atomic_fetch_sub(&groups_live, 1, __ATOMIC_RELAXED);
	route_dealloc(p);
}

static struct rtentry *
entry_of(struct radix_node *n)
{
	return n == NULL ? NULL :
			   (struct rtentry *)(void *)((uint8_t *)n - offsetof(struct rtentry, rn));
}

/* --- prefixes in the FIB ------------------------------------------------- */

static struct nexthop_bymask *
bymask_of(struct radix_node *n)
{
	return n == NULL ?
	    NULL :
	    (struct nexthop_bymask *)(void *)((uint8_t *)n - offsetof(struct nexthop_bymask, rn));
}

static struct nexthop_bymask *
bymask_at(const struct rib *r, const struct rt_addr *dst)
{
	return r->bymask == NULL ? NULL : bymask_of(radix_exact(r->bymask, dst->addr, dst->plen));
}

struct nexthop *
rib_hop(struct rtentry *rt)
{
	return rt->group != NULL ? &rt->group->nh : &rt->nh;
}

/* What a destination under dst gets where dst itself has nothing for it. */
static struct nexthop *
hop_behind(const struct rib *r, const struct rt_addr *dst)
{
	struct radix_node *route = radix_match_shorter(r->tree, dst->addr, dst->plen);
	struct radix_node *masks = radix_match_shorter(r->bymask, dst->addr, dst->plen);

	if (masks != NULL && (route == NULL || masks->plen >= route->plen))
		return &bymask_of(masks)->nh;
	return route == NULL ? NULL : rib_hop(entry_of(route));
}

static int
tell_behind(struct radix_node *n, void *ctx)
{
	struct nexthop_bymask *c = bymask_of(n);

	rcu_publish(&c->behind, hop_behind(ctx, &c->dst));
	return 0;
}

/* dst's hop has changed: so have those below that end up with it. */
static void
behind_changed(struct rib *r, const struct rt_addr *dst)
{
	if (r->bymask != NULL)
		radix_walk_below(r->bymask, dst->addr, dst->plen, tell_behind, r);
	generation_bump();
}

/*
 * From now on packets get nh for dst. 0 or -ENOMEM, never when there was something. The tree says
 * already what is to be.
 */
static int
hop_set(struct rib *r, uint8_t fib, const struct rt_addr *dst, struct nexthop *nh)
{
	struct nexthop_bymask *c = bymask_at(r, dst);
	int error = 0;

	if (c != NULL)
		rcu_publish(&c->base, nh);
	else
		error = fib_set(fib, dst, nh);
	if (error == 0)
		behind_changed(r, dst);
	return error;
}

static void
hop_clear(struct rib *r, uint8_t fib, const struct rt_addr *dst)
{
	struct nexthop_bymask *c = bymask_at(r, dst);

	if (c != NULL)
		rcu_publish(&c->base, NULL);
	else
		fib_clear(fib, dst);
	behind_changed(r, dst);
}

/* --- several paths ------------------------------------------------------- */

static struct rtentry *
first_path(const struct rib *r, const struct rtentry *rt)
{
	return entry_of(radix_exact(r->tree, rt->dst.addr, rt->dst.plen));
}

struct rtentry *
rib_next_path(const struct rtentry *rt)
{
	return entry_of(rt->rn.dup);
}

uint32_t
rib_paths(const struct rtentry *rt)
{
	uint32_t n = 0;

	for (; rt != NULL; rt = rib_next_path(rt))
		n++;
	return n;
}

static uint64_t
stack_seed(void)
{
	struct rng rng;

	rng_seed(&rng, rng_process_seed, vnet_name(curvnet));
	return rng_u64(&rng);
}

static void
group_free_late(struct rcu_head *h)
{
	group_free((uint8_t *)h - offsetof(struct nexthop_group, rcu));
}

/* All paths from `first` on. NULL without memory. */
static struct nexthop_group *
group_make(struct rtentry *first)
{
	const uint32_t n = rib_paths(first);
	struct nexthop_group *g = group_alloc(sizeof(*g) + n * sizeof(g->path[0]));

	if (g == NULL)
		return NULL;
	g->nh.flags = RTF_UP_ | RTF_MULTIPATH_;
	g->seed = stack_seed();
	for (struct rtentry *rt = first; rt != NULL; rt = rib_next_path(rt)) {
		g->path[g->n++] = &rt->nh;
		g->weighted |= rt->weight != first->weight;
	}
	return g;
}

static void
group_give(struct rtentry *first, struct nexthop_group *g)
{
	for (struct rtentry *rt = first; rt != NULL; rt = rib_next_path(rt))
		rt->group = g;
}

static int
paths_join(struct rib *r, struct rtentry *first)
{
	struct nexthop_group *old = first->group, *g;

	if (rib_paths(first) > VNET(maxpaths))
		return -ENOSPC;
	if ((g = group_make(first)) == NULL)
		return -ENOMEM;
	group_give(first, g);
	(void)hop_set(r, first->fib, &first->dst, &g->nh);
	if (old != NULL)
		rcu_call(&old->rcu, group_free_late);
	return 0;
}

static struct nexthop **
path_slot(struct nexthop_group *g, const struct nexthop *nh)
{
	uint32_t i = 0;

	while (g->path[i] != nh)
		i++;
	return &g->path[i];
}

/* rt is out of the tree, the paths from `rest` on are left: a single one needs no group. */
static void
paths_part(struct rib *r, struct rtentry *rt, struct rtentry *rest)
{
	struct nexthop_group *g = rt->group;

	rt->group = NULL;
	if (rib_paths(rest) > 1) {
		rcu_publish(path_slot(g, &rt->nh), NULL);
		return;
	}
	rest->group = NULL;
	(void)hop_set(r, rest->fib, &rest->dst, &rest->nh);
	rcu_call(&g->rcu, group_free_late);
}

/* --- masks that are no prefixes ------------------------------------------ */

static void
bymask_free_late(struct rcu_head *h)
{
	group_free((uint8_t *)h - offsetof(struct nexthop_bymask, rcu));
}

/* The order of a match: more ones first, then the greater mask. */
static bool
mask_before(const uint8_t *a, const uint8_t *b)
{
	int ones = 0;

	for (int i = 0; i < 16; i++)
		ones += __builtin_popcount(a[i]) - __builtin_popcount(b[i]);
	return ones != 0 ? ones > 0 : memcmp(a, b, 16) > 0;
}

static void
bymask_put(struct nexthop_bymask *c, const struct nexthop_masked *m)
{
	uint32_t at = c->n++;

	for (; at > 0 && mask_before(m->mask, c->by[at - 1].mask); at--)
		c->by[at] = c->by[at - 1];
	c->by[at] = *m;
}

/* A copy of `old` (NULL: nothing), with rt. NULL without memory. */
static struct nexthop_bymask *
bymask_with(const struct rib *r, const struct nexthop_bymask *old, struct rtentry *rt)
{
	const uint32_t room = (old == NULL ? 0 : old->n) + 1;
	struct nexthop_bymask *c = group_alloc(sizeof(*c) + room * sizeof(c->by[0]));
	struct nexthop_masked m = { .nh = &rt->nh };
	struct rtentry *base = first_path(r, rt);

	if (c == NULL)
		return NULL;
	c->nh.flags = RTF_UP_ | RTF_MULTIPATH_ | RTF_BYMASK_;
	c->dst = rt->dst;
	c->base = base == NULL ? NULL : rib_hop(base);
	for (uint32_t i = 0; old != NULL && i < old->n; i++)
		if (old->by[i].nh != NULL)
			bymask_put(c, &old->by[i]);
	memcpy(m.key, rt->rn.key, sizeof(m.key));
	memcpy(m.mask, radix_mask_of(&rt->rn), sizeof(m.mask));
	bymask_put(c, &m);
	return c;
}

/* The tree of them goes with the last. */
static void
bymask_tree_put(struct rib *r)
{
	if (r->bymask == NULL || radix_count(r->bymask) > 0)
		return;
	radix_free(r->bymask);
	r->bymask = NULL;
}

static int
bymask_tree_get(struct rib *r, int family)
{
	if (r->bymask == NULL)
		r->bymask = radix_new_in(rib_family_bits(family), vnet_malloc, vnet_free);
	return r->bymask == NULL ? -ENOMEM : 0;
}

/* c stands at its prefix instead of old (NULL: of what was there). */
static int
bymask_publish(struct rib *r, uint8_t fib, struct nexthop_bymask *old, struct nexthop_bymask *c)
{
	int error;

	/* where there was one, neither needs memory */
	if (old != NULL)
		radix_delete(r->bymask, &old->rn);
	if ((error = radix_insert(r->bymask, &c->rn, c->dst.addr, c->dst.plen, false)) != 0)
		return error;
	c->behind = hop_behind(r, &c->dst);
	if ((error = fib_set(fib, &c->dst, &c->nh)) != 0) {
		radix_delete(r->bymask, &c->rn);
		return error;
	}
	behind_changed(r, &c->dst);
	if (old != NULL)
		rcu_call(&old->rcu, bymask_free_late);
	return 0;
}

static int
bymask_enter(struct rib *r, struct rtentry *rt)
{
	struct nexthop_bymask *old = bymask_at(r, &rt->dst), *c;
	int error;

	if (bymask_tree_get(r, rt->dst.family) != 0)
		return -ENOMEM;
	c = bymask_with(r, old, rt);
	error = c == NULL ? -ENOMEM : bymask_publish(r, rt->fib, old, c);
	if (error != 0 && c != NULL)
		group_free(c);
	bymask_tree_put(r);
	return error;
}

static struct nexthop_masked *
bymask_slot(struct nexthop_bymask *c, const struct nexthop *nh)
{
	uint32_t i = 0;

	while (c->by[i].nh != nh)
		i++;
	return &c->by[i];
}

static bool
bymask_is_empty(const struct nexthop_bymask *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->by[i].nh != NULL)
			return false;
	return true;
}

static void
bymask_leave(struct rib *r, struct rtentry *rt)
{
	struct nexthop_bymask *c = bymask_at(r, &rt->dst);

	rcu_publish(&bymask_slot(c, &rt->nh)->nh, NULL);
	if (!bymask_is_empty(c))
		return;
	radix_delete(r->bymask, &c->rn);
	if (c->base != NULL)
		(void)fib_set(rt->fib, &c->dst, c->base);
	else
		fib_clear(rt->fib, &c->dst);
	behind_changed(r, &rt->dst);
	rcu_call(&c->rcu, bymask_free_late);
	bymask_tree_put(r);
}

/* --- routes come and go -------------------------------------------------- */

int
rib_hop_enter(struct rib *r, struct rtentry *rt)
{
	struct rtentry *first = entry_of(radix_first(&rt->rn));

	if (rt->rn.mask != NULL)
		return bymask_enter(r, rt);
	return first == rt ? hop_set(r, rt->fib, &rt->dst, &rt->nh) : paths_join(r, first);
}

void
rib_hop_leave(struct rib *r, struct rtentry *rt)
{
	struct rtentry *first = entry_of(radix_first(&rt->rn));
	struct rtentry *rest = first == rt ? rib_next_path(rt) : first;

	if (rt->rn.mask != NULL) {
		bymask_leave(r, rt);
		radix_delete(r->tree, &rt->rn);
		return;
	}
	radix_delete(r->tree, &rt->rn);
	if (rest != NULL)
		paths_part(r, rt, rest);
	else
		hop_clear(r, rt->fib, &rt->dst);
}

void
rib_hop_update(struct rib *r, struct rtentry *rt)
{
	/* groups read it where it is */
	if (rt->rn.mask == NULL && rt->group == NULL)
		(void)hop_set(r, rt->fib, &rt->dst, &rt->nh);
}

/* The weights may differ now; that they differ no more is found out when a path joins. */
static void
path_replace(struct nexthop_group *g, const struct rtentry *old, struct rtentry *rt)
{
	rt->group = g;
	if (rt->weight != old->weight)
		__atomic_store_n(&g->weighted, true, __ATOMIC_RELAXED);
	rcu_publish(path_slot(g, &old->nh), &rt->nh);
}

void
rib_hop_replace(struct rib *r, struct rtentry *old, struct rtentry *rt)
{
	radix_delete(r->tree, &old->rn);
	if (rt->rn.mask != NULL)
		rcu_publish(&bymask_slot(bymask_at(r, &rt->dst), &old->nh)->nh, &rt->nh);
	else if (old->group != NULL)
		path_replace(old->group, old, rt);
	else
		(void)hop_set(r, rt->fib, &rt->dst, &rt->nh);
}
