/*
 * rib_prefix.c - the routes that addresses of interfaces bring: their prefix is on the link.
 *
 * An address says what its route leads to (ifaddr_ops.prefix): its prefix, or the peer of a
 * point-to-point link. Of several addresses of an interface in one prefix, one holds the route
 * (has_route); when it leaves, the next one gets it. Several interfaces in one prefix have a route
 * each, and packets choose among them (behaviours 21).
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

/* An alias on the same interface; `holder`: only the one that has the route. */
static struct ifaddr *
alias_of(const struct ifaddr *ifa, bool holder)
{
	struct ifaddr *other;

	TAILQ_FOREACH(other, &ifa->ifp->if_addrs, link)
		if (other != ifa && (!holder || other->has_route) && same_prefix(ifa, other))
			return other;
	return NULL;
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
	struct rt_request rq = {
		.ifp = ifa->ifp, .ifa = ifa, .flags = RTF_PINNED_, .multipath = true
	};
	uint8_t first, last;
	int error;

	if (ifa->has_route || !prefix_of(ifa, &rq.dst) || alias_of(ifa, true) != NULL)
		return 0;
	rt_fib_range(ifa->ifp, &first, &last);
	for (uint8_t fib = first; fib <= last; fib++) {
		struct rtentry *rt;

		rq.fib = fib;
		/* what somebody gave by hand gives way to the link itself */
		while ((rt = rib_exact(fib, &rq.dst)) != NULL &&
		    !(rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_)))
			rib_remove(rt);
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
rib_prefix_leave(struct ifaddr *ifa)
{
	struct ifaddr *heir = alias_of(ifa, false);

	/* it takes the routes over, else what was reached through ifa is unreachable */
	if (heir != NULL) {
		rib_ifa_replace(ifa, heir);
		heir->has_route |= ifa->has_route;
		ifa->has_route = false;
		return;
	}
	rib_prefix_delete(ifa);
	rib_purge_ifa(ifa);
}
