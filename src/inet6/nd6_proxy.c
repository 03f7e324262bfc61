/*
 * nd6_proxy.c - addresses that this stack stands for on a link (RFC 4861 7.2.8): published entries
 * of the neighbour table, made by `ndp -s HOST MAC proxy`.
 *
 * To hear who asks for such an address, the interface listens to its solicited-node group.
 */
#include "inet/multicast.h"
#include "inet6/nd6_internal.h"

#include <errno.h>
#include <string.h>

struct nd6_proxy {
	LIST_ENTRY(nd6_proxy) link;
	const struct llentry *lle;
	struct mcast_member *group;
};
VNET_DEFINE_STATIC(LIST_HEAD(nd6_proxies, nd6_proxy), nd6_proxies);

static uint64_t proxies_live_;
AUDIT_COUNTER(nd6_proxy, "nd6-proxy", proxies_live_);

const struct llentry *
nd6_proxy_for(const struct ifnet *ifp, const struct in6 *target)
{
	struct lltable *t = in6_lltable(ifp);
	const struct llentry *lle = t == NULL ? NULL : lla_find(t, target);

	return lle != NULL && (lle->flags & (LLE_PUB | LLE_VALID)) == (LLE_PUB | LLE_VALID) ? lle :
											      NULL;
}

static struct nd6_proxy *
proxy_of(const struct llentry *lle)
{
	struct nd6_proxy *p;

	LIST_FOREACH(p, &VNET(nd6_proxies), link)
		if (p->lle == lle)
			break;
	return p;
}

int
nd6_proxy_start(struct llentry *lle)
{
	struct ifnet *ifp = lle->table->ifp;
	struct nd6_proxy *p = proxy_of(lle);
	struct ipaddr group;
	struct in6 addr;
	int error;

	if (p != NULL)
		return 0;
	if ((p = vnet_malloc(sizeof(*p))) == NULL)
		return -ENOMEM;
	memcpy(&addr, lle->addr, sizeof(addr));
	addr = in6_solicited_node(&addr, ifp->if_index);
	group = ipaddr6(&addr);
	p->group = mcast_join(ifp, &group);
	if (p->group == NULL) {
		error = -errno;
		vnet_free(p);
		return error;
	}
	p->lle = lle;
	LIST_INSERT_HEAD(&VNET(nd6_proxies), p, link);
	__atomic_fetch_add(&proxies_live_, 1, __ATOMIC_RELAXED);
	return 0;
}

/* The entry goes, or is published no more. */
void
nd6_proxy_end(struct llentry *lle)
{
	VNET_SCOPE(lle->table->vnet);
	struct nd6_proxy *p = lle->flags & LLE_PUB ? proxy_of(lle) : NULL;

	if (p == NULL)
		return;
	LIST_REMOVE(p, link);
	mcast_leave(p->group);
	__atomic_fetch_sub(&proxies_live_, 1, __ATOMIC_RELAXED);
	vnet_free(p);
}
