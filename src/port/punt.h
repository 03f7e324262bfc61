/*
 * punt.h - packets for a router itself go to a Linux guest, and the guest's go out as the router's.
 *
 * A routing daemon in a network namespace has to speak with the routers on the links of a stack. A
 * punt joins one interface of the stack to one tap, whose Linux side stands in the namespace with
 * the interface's addresses and link address: what arrives by the interface for the stack, in a
 * protocol that the guest is to serve (punt_service.h), goes on to the tap; what the guest sends
 * goes out as if made here. ICMP errors about that go to the guest as well as to the stack. Neighbours stay the stack's business: the guest asks nobody (IFF_NOARP).
 */
#ifndef WARREN_PORT_PUNT_H
#define WARREN_PORT_PUNT_H

#include "net/if.h"
#include "port/punt_service.h"

struct punt_stats {
	uint64_t to_guest, from_guest, refused; /* refused: not what a guest may send */
};

struct punt_info {
	const struct ifnet *ifp, *tap;
	const struct punt_ports *more; /* UDP ports, beyond those that every guest serves */
	const struct punt_stats *stats;
};

/*
 * Join them, both in curvnet; more (copied): UDP ports beyond the usual. 0; -EEXIST (one of them is part of a punt), -EINVAL (the same, not
 * Ethernet), -ENOTTY (tap is none), -ENOMEM, what Linux says of the tap. Both belong to the punt
 * until then; it ends by itself when one of them leaves the stack.
 */
int punt_add(struct ifnet *ifp, struct ifnet *tap, const struct punt_ports *more);
/* -ENOENT if the interface has none. */
int punt_delete(struct ifnet *ifp);
/* All of curvnet, as they were made. */
void punt_foreach(void (*fn)(const struct punt_info *info, void *ctx), void *ctx);

/* The part of it that needs no Linux, for tests: tap may be any Ethernet interface. */
int punt_join(struct ifnet *ifp, struct ifnet *tap, const struct punt_ports *more);

#endif
