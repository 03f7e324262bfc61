/*
 * if_internal.h - what the files if*.c of this floor share.
 */
#ifndef WARREN_NET_IF_INTERNAL_H
#define WARREN_NET_IF_INTERNAL_H

#include "net/if.h"

/* if.c */
enum if_event { EV_ARRIVAL, EV_DEPARTURE, EV_LLADDR, EV_LINK, EV_N };
void if_raise(enum if_event event, struct ifnet *ifp);
/* IFF_UP or the link's state has changed: families and listeners are told. */
void if_linkchange(struct ifnet *ifp);

/*
 * if_names.c, all in curvnet: give ifp the lowest free index and its place in the list. 0, -ENOMEM.
 */
int if_link_in(struct ifnet *ifp);
void if_link_out(struct ifnet *ifp);
/* The hash only: around a change of the name. */
void if_names_link(struct ifnet *ifp);
void if_names_unlink(struct ifnet *ifp);
void if_names_uninit(void);

#endif
