/*
 * if_multi.h - the link's multicast filter of an interface: which groups its port lets in.
 *
 * Only link-layer addresses stand in it, each counted: a family that joins a group adds the group's
 * link address, a stacked interface (vlan, lagg …) adds its own list to its parent's
 * (behaviours 37). An entry goes with its last holder, and all of them when the interface detaches.
 */
#ifndef WARREN_NET_IF_MULTI_H
#define WARREN_NET_IF_MULTI_H

#include "net/if.h"

/* 0, -EINVAL (not a group address), -ENOMEM. */
int if_multi_add(struct ifnet *ifp, const uint8_t group[6]);
/* -ENOENT if it isn't there. */
int if_multi_delete(struct ifnet *ifp, const uint8_t group[6]);
/* Does the port let this group in: in the filter, or all (IFF_ALLMULTI, IFF_PROMISC)? */
bool if_multi_has(const struct ifnet *ifp, const uint8_t group[6]);
int if_multi_foreach(const struct ifnet *ifp,
    int (*fn)(const uint8_t group[6], unsigned holders, void *ctx), void *ctx);
/* All groups, for multicast routers; counted. */
void if_allmulti(struct ifnet *ifp, bool on);
/*
 * child's filter is in parent's too, from now on; NULL ends it. What child has then and later is
 * added to and taken from the parent.
 */
int if_multi_stack(struct ifnet *child, struct ifnet *parent);

#endif
