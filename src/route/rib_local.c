/*
 * rib_local.c - the routes of interfaces and addresses: what leaves with them, and the host routes
 * to addresses of ours.
 */
#include "route/rib.h"

#include "kern/sysctl.h"

#include <errno.h>

VNET_DEFINE_STATIC(bool, rt_allfibs) = true;
SYSCTL_VNET_BOOL(net_add_addr_allfibs, "net.add_addr_allfibs", SYSCTL_RW, rt_allfibs,
    "put the routes of interface addresses into all forwarding tables");

/* --- routes that leave with something ------------------------------------ */

struct purge {
	const struct ifnet *ifp;
	const struct ifaddr *ifa;
	struct ifaddr *other;
	unsigned n;
};

static int
purge_if(struct rtentry *rt, void *ctx)
{
	struct purge *p = ctx;

	if (rt->nh.ifp == p->ifp) {
		rib_remove(rt);
		p->n++;
	}
	return 0;
}

unsigned
rib_purge_if(struct ifnet *ifp)
{
	struct purge p = { .ifp = ifp };

	rib_walk_all(purge_if, &p);
	return p.n;
}

static int
purge_ifa(struct rtentry *rt, void *ctx)
{
	struct purge *p = ctx;

	/* shared local routes are counted, not owned */
	if (rt->nh.ifa == p->ifa && !(rt->nh.flags & RTF_LOCAL_)) {
		rib_remove(rt);
		p->n++;
	}
	return 0;
}

unsigned
rib_purge_ifa(struct ifaddr *ifa)
{
	struct purge p = { .ifa = ifa };

	rib_walk_all(purge_ifa, &p);
	return p.n;
}

static int
replace_ifa(struct rtentry *rt, void *ctx)
{
	struct purge *p = ctx;

	if (rt->nh.ifa == p->ifa && !(rt->nh.flags & RTF_LOCAL_))
		rib_set_ifa(rt, p->other);
	return 0;
}

void
rib_ifa_replace(struct ifaddr *from, struct ifaddr *to)
{
	struct purge p = { .ifa = from, .other = to };

	rib_walk_all(replace_ifa, &p);
}

/* --- host routes to our own addresses ------------------------------------ */

void
rt_fib_range(const struct ifnet *ifp, uint8_t *first, uint8_t *last)
{
	*first = VNET(rt_allfibs) ? 0 : ifp->if_fib;
	*last = VNET(rt_allfibs) ? (uint8_t)(rt_numfibs - 1) : ifp->if_fib;
}

static int
local_add_one(const struct rt_addr *host, struct ifaddr *ifa, uint8_t fib)
{
	struct rt_request rq = {
		.dst = *host,
		.ifp = V_loif != NULL ? V_loif : ifa->ifp,
		.ifa = ifa,
		.flags = RTF_LOCAL_ | (ifa->ifp == V_loif ? 0 : RTF_STATIC_),
		.fib = fib,
	};
	struct rtentry *rt = rib_exact(fib, host);
	int error;

	if (rt != NULL && (rt->nh.flags & RTF_LOCAL_)) {
		rt->users++;
		return 0;
	}
	if (rt != NULL && (rt->nh.flags & RTF_PINNED_))
		return -EEXIST;
	/* what somebody said about this address before it was ours gives way */
	for (; rt != NULL; rt = rib_exact(fib, host))
		rib_remove(rt);
	if ((error = rib_add(&rq, &rt)) == 0)
		rt->users = 1;
	return error;
}

/* False if the route isn't there. */
static bool
local_delete_one(const struct rt_addr *host, uint8_t fib)
{
	struct rtentry *rt = rib_exact(fib, host);

	if (rt == NULL || !(rt->nh.flags & RTF_LOCAL_))
		return false;
	if (--rt->users == 0)
		rib_remove(rt);
	return true;
}

int
rib_local_add(const struct rt_addr *host, struct ifaddr *ifa)
{
	uint8_t first, last;
	int error = 0;

	rt_fib_range(ifa->ifp, &first, &last);
	for (uint8_t fib = first; fib <= last; fib++) {
		error = local_add_one(host, ifa, fib);
		if (error != 0) {
			while (fib-- > first)
				local_delete_one(host, fib);
			break;
		}
	}
	return error;
}

int
rib_local_delete(const struct rt_addr *host, struct ifaddr *ifa)
{
	bool found = false;

	(void)ifa;
	/* in every FIB: the sysctl may have been changed since */
	for (uint8_t fib = 0; fib < rt_numfibs; fib++)
		found |= local_delete_one(host, fib);
	return found ? 0 : -ESRCH;
}

void
rib_local_source(const struct rt_addr *host, struct ifaddr *ifa)
{
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		struct rtentry *rt = rib_exact(fib, host);

		if (rt != NULL && (rt->nh.flags & RTF_LOCAL_))
			rib_set_ifa(rt, ifa);
	}
}
