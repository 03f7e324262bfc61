/*
 * in6_groups.c - the groups that IPv6 itself listens to (RFC 4291 2.8): all nodes on each interface
 * with an address, all routers where the stack forwards, and the solicited-node group of each
 * address.
 */
#include "inet6/in6_internal.h"

#include "inet/multicast.h"

#include <errno.h>

/* Nothing where the link has no groups. */
static int
join(struct ifnet *ifp, const struct in6 *group, struct mcast_member **mm)
{
	struct in6 zoned = *group;
	struct ipaddr a;

	if (*mm != NULL || !(ifp->if_flags & IFF_MULTICAST_))
		return 0;
	in6_embed(&zoned, ifp->if_index);
	a = ipaddr6(&zoned);
	*mm = mcast_join(ifp, &a);
	return *mm != NULL ? 0 : -errno;
}

static void
leave(struct mcast_member **mm)
{
	mcast_leave(*mm);
	*mm = NULL;
}

int
in6_groups_join(struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;
	struct in6_if *i = in6_if_of(ifp);
	struct in6 group = in6_solicited_node(&ia->addr, ifp->if_index);
	int error = join(ifp, &in6_allnodes, &i->allnodes);

	if (error == 0 && V_ip6_forwarding)
		error = join(ifp, &in6_allrouters, &i->allrouters);
	if (error == 0)
		error = join(ifp, &group, &ia->solicited);
	if (error != 0)
		in6_groups_leave(ia);
	return error;
}

/* The interface's own groups go with its last address. ia is not, or no more, in its list. */
void
in6_groups_leave(struct in6_ifaddr *ia)
{
	struct in6_if *i = in6_if_of(ia->ifa.ifp);

	leave(&ia->solicited);
	if (in6_ifaddr_first(ia->ifa.ifp) != NULL)
		return;
	leave(&i->allrouters);
	leave(&i->allnodes);
}

void
in6_groups_forwarding(void)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp) {
		struct in6_if *i = in6_if_of(ifp);

		if (i == NULL || in6_ifaddr_first(ifp) == NULL)
			continue;
		if (!V_ip6_forwarding)
			leave(&i->allrouters);
		else
			(void)join(ifp, &in6_allrouters, &i->allrouters);
	}
}
