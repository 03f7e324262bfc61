/*
 * udp_group.c - endpoints and multicast groups: memberships, and how an endpoint sends to a group.
 *
 * An endpoint that has joined groups hears those only, each from the interface and the sources that
 * it wants. One that has joined none hears on its port every group that the stack listens to, as in
 * the BSDs.
 */
#include "inet/multicast.h"
#include "inet/udp_internal.h"

#include <errno.h>

struct udp_group {
	struct udp_group *next;
	struct mcast_member *member;
};

static bool
is_group(const struct udp_group *g, const struct ifnet *ifp, const struct ipaddr *group)
{
	struct ipaddr asked = *group;

	/* The membership knows its zone, who asks may not say it. */
	if (mcast_member_ifp(g->member) != NULL)
		ipaddr_set_zone(&asked, mcast_member_ifp(g->member)->if_index);
	return ipaddr_equal(mcast_member_group(g->member), &asked) &&
	    (ifp == NULL || mcast_member_ifp(g->member) == ifp);
}

/* Where ep's membership hangs; what it points to is NULL if there is none. */
static struct udp_group **
find_group(struct udp_endpoint *ep, const struct ifnet *ifp, const struct ipaddr *group)
{
	struct udp_group **g = &ep->groups;

	while (*g != NULL && !is_group(*g, ifp, group))
		g = &(*g)->next;
	return g;
}

static void
group_free(struct udp_group *g)
{
	mcast_leave(g->member);
	vnet_free(g);
}

int
udp_join(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group)
{
	struct udp_group *g;

	if (ep->vnet == NULL)
		return -ENETDOWN;
	if (group->family != ep->family->af)
		return -EAFNOSUPPORT;
	VNET_SCOPE(ep->vnet);
	if ((g = vnet_malloc(sizeof(*g))) == NULL)
		return -ENOMEM;
	g->member = mcast_join(ifp, group);
	if (g->member == NULL) {
		int error = -errno;

		vnet_free(g);
		return error;
	}
	/* By now the interface is known, that of the route too. */
	if (*find_group(ep, mcast_member_ifp(g->member), group) != NULL) {
		group_free(g);
		return -EADDRINUSE;
	}
	g->next = ep->groups;
	ep->groups = g;
	return 0;
}

int
udp_leave(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group)
{
	struct udp_group **slot = find_group(ep, ifp, group), *g = *slot;

	if (g == NULL)
		return -EADDRNOTAVAIL;
	VNET_SCOPE(ep->vnet);
	*slot = g->next;
	group_free(g);
	return 0;
}

int
udp_set_filter(struct udp_endpoint *ep, struct ifnet *ifp, const struct ipaddr *group,
    enum mcast_mode mode, const struct ipaddr *sources, unsigned n)
{
	struct udp_group *g = *find_group(ep, ifp, group);

	if (g == NULL)
		return -EADDRNOTAVAIL;
	VNET_SCOPE(ep->vnet);
	return mcast_set_filter(g->member, mode, sources, n);
}

void
udp_set_multicast_if(struct udp_endpoint *ep, struct ifnet *ifp)
{
	if (ep->mcast_ifp != NULL)
		if_rele(ep->mcast_ifp);
	ep->mcast_ifp = ifp != NULL && ep->vnet != NULL ? if_ref(ifp) : NULL;
}

void
udp_set_multicast_ttl(struct udp_endpoint *ep, uint8_t ttl)
{
	ep->mcast_ttl = ttl;
}

void
udp_set_multicast_loop(struct udp_endpoint *ep, bool on)
{
	ep->mcast_noloop = !on;
}

bool
udp_group_accepts(const struct udp_endpoint *ep, const struct mbuf *m, const struct ip_info *info)
{
	if (ep->groups == NULL)
		return true;
	for (const struct udp_group *g = ep->groups; g != NULL; g = g->next)
		if (is_group(g, m->rcvif, &info->dst))
			return mcast_member_accepts(g->member, &info->src);
	return false;
}

int
udp_group_way(const struct udp_endpoint *ep, struct ipaddr *dst, struct ip_opts_out *o)
{
	o->ttl = ep->mcast_ttl;
	o->no_loop = ep->mcast_noloop;
	if (ep->mcast_ifp == NULL)
		return 0;
	if (!if_is_in(ep->mcast_ifp, ep->vnet))
		return -ENXIO;
	o->ifp = ep->mcast_ifp;
	ipaddr_set_zone(dst, o->ifp->if_index);
	return 0;
}

void
udp_groups_end(struct udp_endpoint *ep)
{
	struct udp_group *g;

	VNET_SCOPE(ep->vnet);
	while ((g = ep->groups) != NULL) {
		ep->groups = g->next;
		group_free(g);
	}
	udp_set_multicast_if(ep, NULL);
}
