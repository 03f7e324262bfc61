/*
 * mroute4.h - IPv4's way into multicast forwarding (inet/mroute.h).
 */
#ifndef WARREN_INET_MROUTE4_H
#define WARREN_INET_MROUTE4_H

#include "inet/ip.h"

/*
 * A batch of plain packets of one source to one group that nobody here listens to: true, and it is
 * taken, with one look-up; else false, and it is as it was.
 */
bool ip_mroute_batch(struct ifnet *ifp, struct batch *b);
/* One packet to a group. True: taken; false: deliver it, a copy went where it had to. */
bool ip_mroute_input(struct ifnet *ifp, struct mbuf *m);
/* One that was made here and leaves by ifp: its other ways. Borrows m. */
void ip_mroute_output(struct ifnet *ifp, struct mbuf *m);

#endif
