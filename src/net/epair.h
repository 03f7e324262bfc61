/*
 * epair.h - two Ethernet interfaces with a cable between them.
 *
 * What one end sends, the other receives by its stack's netisr queue (never by a direct call: ten
 * thousand stacks in a chain must not nest). A link's pipe may stand in the cable: see
 * dummynet/pipe.h, which sets if_shaper and delivers to the peer with epair_deliver.
 */
#ifndef WARREN_NET_EPAIR_H
#define WARREN_NET_EPAIR_H

#include "net/if.h"

/* Make a pair in curvnet without going through names: *a and *b, both down. 0 or -errno. */
int epair_create(struct ifnet **a, struct ifnet **b);
/* The other end, NULL if ifp is no epair. */
struct ifnet *epair_peer(struct ifnet *ifp);
/*
 * Frames arrive at this end's peer now, directly into its if_receive (the pipe's delivery in its
 * own event). Takes the batch.
 */
void epair_deliver(struct ifnet *from, struct batch *b);

#endif
