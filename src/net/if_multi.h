/*
 * if_multi.h - the link's multicast filter of an interface: which groups its port lets in.
 *
 * Only link-layer addresses stand in it, each counted: a family that joins a group adds the group's
 * link address, a stacked interface (vlan, lagg …) has its own list in its parents' as well
 * (behaviours 37). An entry goes with its last holder, and all of them when the interface leaves
 * its stack: giving one back then is -ENOENT, and no fault.
 */
#ifndef WARREN_NET_IF_MULTI_H
#define WARREN_NET_IF_MULTI_H

#include "net/if.h"

/*
 * One more holder. 0, -EINVAL (not a group address; broadcast is none), -ENXIO (the interface is in
 * no stack, or leaves), -ENOMEM.
 */
int if_multi_add(struct ifnet *ifp, const uint8_t group[6]);
/* One holder less. -ENOENT if it isn't there. */
int if_multi_delete(struct ifnet *ifp, const uint8_t group[6]);
/*
 * Does the port let this group in: in the filter, or all (IFF_ALLMULTI, IFF_PROMISC)? The packet
 * path's question: no locks, one probe whatever the number of groups.
 */
bool if_multi_has(const struct ifnet *ifp, const uint8_t group[6]);
/* In order of the addresses; fn non-zero stops and is returned. */
int if_multi_foreach(const struct ifnet *ifp,
    int (*fn)(const uint8_t group[6], unsigned holders, void *ctx), void *ctx);
/* All groups, for multicast routers; counted. 0; -EINVAL (off too often), -ENXIO, -ENOMEM. */
int if_allmulti(struct ifnet *ifp, bool on);

/*
 * What child lets in now and later, parent lets in too: until if_multi_unstack, or until one of
 * them leaves its stack. A child may have several parents (lagg's ports). 0; -EEXIST, -ELOOP, -ENXIO,
 * -ENOMEM. Unstacking can't fail and is allowed when there is nothing to undo.
 */
int if_multi_stack(struct ifnet *child, struct ifnet *parent);
void if_multi_unstack(struct ifnet *child, struct ifnet *parent);

/* For if.c: the interface leaves its stack. */
void if_multi_purge(struct ifnet *ifp);

DROP_DECLARE(DROP_ETHER_NOT_MEMBER); /* a group that the filter doesn't let in */

#endif
