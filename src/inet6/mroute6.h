/*
 * mroute6.h - IPv6's way into multicast forwarding (inet/mroute.h).
 */
#ifndef WARREN_INET6_MROUTE6_H
#define WARREN_INET6_MROUTE6_H

#include "inet6/ip6.h"

/*
 * A batch of plain packets of one source to one group that nobody here listens to: true, and it is
 * taken, with one look-up; else false, and it is as it was.
 */
bool ip6_mroute_batch(struct ifnet *ifp, struct batch *b);
/* One packet to a group. True: taken; false: deliver it, a copy went where it had to. */
bool ip6_mroute_input(struct ifnet *ifp, struct mbuf *m);
/* One that was made here and leaves by ifp: its other ways. Borrows m. */
void ip6_mroute_output(struct ifnet *ifp, struct mbuf *m);

#endif
