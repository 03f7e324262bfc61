/*
 * fpm_held.c - next hops and routes of a routing daemon, as they are held: made, found, put in the
 * lists where they belong, freed. What they mean to a FIB: fpm_table.c.
 */
#include "port/fpm_held.h"

#include "kern/sysctl.h"

VNET_DEFINE_STATIC(uint32_t, fpm_maxroutes) = 4000000;
VNET_DEFINE_STATIC(uint32_t, fpm_maxnexthops) = 65536;
#define V_fpm_maxroutes VNET(fpm_maxroutes)
#define V_fpm_maxnexthops VNET(fpm_maxnexthops)

SYSCTL_VNET_UINT(net_route_fpm_maxroutes, "net.route.fpm_maxroutes", SYSCTL_RW, fpm_maxroutes, 1,
    100000000, "routes that a routing daemon may hold in one FIB");
SYSCTL_VNET_UINT(net_route_fpm_maxnexthops, "net.route.fpm_maxnexthops", SYSCTL_RW, fpm_maxnexthops,
    1, 10000000, "numbered next hops that a routing daemon may hold for one FIB");

static uint64_t fpm_live; /* routes and next hops; atomic */

uint64_t
fpm_table_live(void)
{
	return __atomic_load_n(&fpm_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(fpm_table, "fpm route", fpm_table_live);

static void *
fpm_alloc(size_t bytes)
{
	void *p = vnet_malloc(bytes);

	if (p != NULL)
		__atomic_fetch_add(&fpm_live, 1, __ATOMIC_RELAXED);
	return p;
}

static void
fpm_dealloc(void *p)
{
	vnet_free(p);
	__atomic_fetch_sub(&fpm_live, 1, __ATOMIC_RELAXED);
}

/* --- ways ------------------------------------------------------------------------------------- */

struct fpm_ways *
fpm_ways_new(const struct fpm_change *c)
{
	size_t paths = c->npaths * sizeof(c->path[0]), members = c->nmembers * sizeof(c->member[0]);
	struct fpm_ways *w = vnet_malloc(sizeof(*w) + paths + members);

	if (w == NULL)
		return NULL;
	w->form = c->form;
	w->npaths = c->npaths;
	w->nmembers = c->nmembers;
	w->path = (void *)(w + 1);
	w->member = (void *)((uint8_t *)(w + 1) + paths);
	memcpy(w->path, c->path, paths);
	memcpy(w->member, c->member, members);
	return w;
}

bool
fpm_ways_equal(const struct fpm_ways *w, const struct fpm_change *c)
{
	return w->form == c->form && w->npaths == c->npaths && w->nmembers == c->nmembers &&
	    memcmp(w->path, c->path, w->npaths * sizeof(w->path[0])) == 0 &&
	    memcmp(w->member, c->member, w->nmembers * sizeof(w->member[0])) == 0;
}

/* --- numbered next hops ----------------------------------------------------------------------- */

struct fpm_nexthop *
fpm_nexthop_of(struct radix_node *n)
{
	return n == NULL ?
	    NULL :
	    (struct fpm_nexthop *)(void *)((uint8_t *)n - offsetof(struct fpm_nexthop, rn));
}

struct fpm_nexthop *
fpm_nexthop_find(const struct fpm_table *t, uint32_t id)
{
	const be32 key = to_be32(id);

	return fpm_nexthop_of(radix_exact(t->numbers, key.b, 32));
}

/* One with a number enters the tree. NULL: no memory, or too many. */
struct fpm_nexthop *
fpm_nexthop_new(struct fpm_table *t, uint32_t id)
{
	const be32 key = to_be32(id);
	struct fpm_nexthop *nh;

	if (id != 0 && radix_count(t->numbers) >= V_fpm_maxnexthops)
		return NULL;
	if ((nh = fpm_alloc(sizeof(*nh))) == NULL)
		return NULL;
	nh->id = id;
	LIST_INIT(&nh->routes);
	if (id != 0 && radix_insert(t->numbers, &nh->rn, key.b, 32, false) != 0) {
		fpm_dealloc(nh);
		return NULL;
	}
	return nh;
}

void
fpm_nexthop_free(struct fpm_table *t, struct fpm_nexthop *nh)
{
	if (nh->id != 0)
		radix_delete(t->numbers, &nh->rn);
	vnet_free(nh->ways);
	fpm_dealloc(nh);
}

/* Its last route may be its end: nobody has told it, or it was one route's own. */
static void
nexthop_unused(struct fpm_table *t, struct fpm_nexthop *nh)
{
	if (LIST_EMPTY(&nh->routes) && (nh->id == 0 || nh->ways == NULL))
		fpm_nexthop_free(t, nh);
}

/* --- held routes ------------------------------------------------------------------------------ */

static struct radix_tree *
tree_of(const struct fpm_table *t, int family)
{
	return family == AF_INET ? t->inet : t->inet6;
}

struct fpm_route *
fpm_route_of(struct radix_node *n)
{
	return n == NULL ?
	    NULL :
	    (struct fpm_route *)(void *)((uint8_t *)n - offsetof(struct fpm_route, rn));
}

struct fpm_route *
fpm_route_find(const struct fpm_table *t, const struct rt_addr *dst)
{
	return fpm_route_of(radix_exact(tree_of(t, dst->family), dst->addr, dst->plen));
}

struct fpm_route *
fpm_route_new(struct fpm_table *t, const struct rt_addr *dst)
{
	struct fpm_route *r;

	if (fpm_table_routes(t) >= V_fpm_maxroutes || (r = fpm_alloc(sizeof(*r))) == NULL)
		return NULL;
	r->dst = *dst;
	if (radix_insert(tree_of(t, dst->family), &r->rn, dst->addr, dst->plen, false) != 0) {
		fpm_dealloc(r);
		return NULL;
	}
	/* whoever tells it gives it a next hop */
	LIST_INSERT_HEAD(&t->stale, r, link);
	t->nstale++;
	t->stats.added++;
	return r;
}

void
fpm_route_wait(struct fpm_table *t, struct fpm_route *r, bool waits)
{
	if (r->waits == waits)
		return;
	r->waits = waits;
	if (waits) {
		LIST_INSERT_HEAD(&t->waiting, r, wait);
		t->nwaiting++;
	} else {
		LIST_REMOVE(r, wait);
		t->nwaiting--;
	}
}

/* It goes by nh from now on; NULL = it is stale. What nobody goes by any more ends. */
void
fpm_route_set_nexthop(struct fpm_table *t, struct fpm_route *r, struct fpm_nexthop *nh)
{
	struct fpm_nexthop *old = r->nexthop;

	if (old == nh)
		return;
	LIST_REMOVE(r, link);
	r->nexthop = nh;
	LIST_INSERT_HEAD(nh == NULL ? &t->stale : &nh->routes, r, link);
	t->nstale += nh == NULL;
	t->nstale -= old == NULL;
	if (old != NULL)
		nexthop_unused(t, old);
}

void
fpm_route_free(struct fpm_table *t, struct fpm_route *r)
{
	fpm_route_set_nexthop(t, r, NULL);
	LIST_REMOVE(r, link);
	t->nstale--;
	radix_delete(tree_of(t, r->dst.family), &r->rn);
	fpm_dealloc(r);
}
