/*
 * rib_prefix.c - the routes that addresses of interfaces bring: their prefix is on the link.
 *
 * An address says what its route leads to (ifaddr_ops.prefix): its prefix, or the peer of a
 * point-to-point link. Of several addresses in one prefix, on one interface or on several, one
 * holds the route (has_route); when it leaves, or its interface is set down, the next one gets it.
 */
#include "route/rib.h"

#include <string.h>

static bool
prefix_of(const struct ifaddr *ifa, struct rt_addr *prefix)
{
	return ifa->ops->prefix != NULL && ifa->ops->prefix(ifa, prefix);
}

static bool
same_prefix(const struct ifaddr *a, const struct ifaddr *b)
{
	struct rt_addr x, y;

	return a->family == b->family && prefix_of(a, &x) && prefix_of(b, &y) &&
	    memcmp(&x, &y, sizeof(x)) == 0;
}

/*
 * Another address with the same prefix: first of those whose interface is up. `holder`: only one
 * that has the route.
 */
static struct ifaddr *
prefix_other(const struct ifaddr *ifa, bool holder)
{
	struct ifaddr *best = NULL, *other;
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		TAILQ_FOREACH(other, &ifp->if_addrs, link) {
			if (other == ifa || (holder && !other->has_route) ||
			    !same_prefix(ifa, other))
				continue;
			if (best == NULL ||
			    (!(best->ifp->if_flags & IFF_UP_) && (ifp->if_flags & IFF_UP_)))
				best = other;
		}
	return best;
}

void
rib_prefix_delete(struct ifaddr *ifa)
{
	struct rt_request rq = { .ifp = ifa->ifp, .flags = RTF_PINNED_ };

	if (!ifa->has_route)
		return;
	ifa->has_route = false;
	prefix_of(ifa, &rq.dst);
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		rq.fib = fib;
		(void)rib_delete(&rq);
	}
}

int
rib_prefix_add(struct ifaddr *ifa)
{
	struct rt_request rq = { .ifp = ifa->ifp, .ifa = ifa, .flags = RTF_PINNED_ };
	uint8_t first, last;
	int error;

	if (ifa->has_route || !prefix_of(ifa, &rq.dst) || prefix_other(ifa, true) != NULL)
		return 0;
	rt_fib_range(ifa->ifp, &first, &last);
	for (uint8_t fib = first; fib <= last; fib++) {
		struct rtentry *rt = rib_exact(fib, &rq.dst);

		rq.fib = fib;
		/* a route that somebody gave by hand gives way to the link itself */
		if (rt != NULL && !(rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
			(void)rib_delete(&(struct rt_request){ .dst = rq.dst, .fib = fib });
		error = rib_add(&rq, NULL);
		ifa->has_route = true;
		if (error != 0) {
			rib_prefix_delete(ifa);
			return error;
		}
	}
	return 0;
}

void
rib_prefix_hand_over(struct ifaddr *ifa)
{
	struct ifaddr *other;

	if (!ifa->has_route)
		return;
	rib_prefix_delete(ifa);
	other = prefix_other(ifa, false);
	if (other != NULL && (other->ifp->if_flags & IFF_UP_))
		(void)rib_prefix_add(other);
}

/* An alias on the same interface. */
static struct ifaddr *
heir_of(const struct ifaddr *ifa)
{
	struct ifaddr *other;

	TAILQ_FOREACH(other, &ifa->ifp->if_addrs, link)
		if (other != ifa && same_prefix(ifa, other))
			return other;
	return NULL;
}

void
rib_prefix_leave(struct ifaddr *ifa)
{
	struct ifaddr *heir = heir_of(ifa), *other;
	bool had = ifa->has_route;

	/* it takes the routes over, else what was reached through ifa is unreachable */
	if (heir != NULL) {
		rib_ifa_replace(ifa, heir);
		heir->has_route |= had;
		ifa->has_route = false;
		return;
	}
	rib_prefix_delete(ifa);
	rib_purge_ifa(ifa);
	if (had && (other = prefix_other(ifa, false)) != NULL)
		(void)rib_prefix_add(other);
}
