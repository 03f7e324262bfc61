/*
 * arp.h - address resolution for IPv4 on Ethernet (RFC 826, 5227).
 */
#ifndef WARREN_INET_ARP_H
#define WARREN_INET_ARP_H

#include "inet/in.h"

/* ARP packets from netisr. Takes the batch. */
void arp_input(struct batch *b);

/*
 * IPv4 packets (m->nh = struct nexthop) out of an Ethernet interface: prepend the neighbour's
 * header, or hold the packet and ask. Order within the batch is kept. Takes the batch. It is
 * ether's if_output.
 */
void arp_output(struct ifnet *ifp, struct batch *b);

/* Slow half: no ready header for dst: makes the entry, holds m, asks. Takes m. */
void arp_resolve(struct ifnet *ifp, uint32_t dst, struct mbuf *m);

/*
 * The neighbour entry for an on-link address, made incomplete if there is none; NULL at the limit.
 * Borrowed. For next hops that cache it.
 */
struct llentry *arp_entry(struct ifnet *ifp, uint32_t dst);

/* Gratuitous announcement of one of our addresses. */
void arp_announce(struct ifnet *ifp, uint32_t addr);

DROP_DECLARE(DROP_ARP_HOLD);    /* hold queue of an unresolved neighbour full */
DROP_DECLARE(DROP_ARP_TIMEOUT); /* neighbour did not answer */
DROP_DECLARE(DROP_ARP_LIMIT);   /* neighbour table full */

#endif
