/*
 * arp_internal.h - what the rooms of ARP share; for inet/arp*.c only.
 */
#ifndef WARREN_INET_ARP_INTERNAL_H
#define WARREN_INET_ARP_INTERNAL_H

#include "inet/arp.h"
#include "inet/in_internal.h"

/* An ARP packet for IPv4 on Ethernet. */
struct arp_packet {
	be16 htype, ptype;
	uint8_t hlen, plen;
	be16 op;
	uint8_t sha[6];
	uint32_t sip; /* network order */
	uint8_t tha[6];
	uint32_t tip;
} __attribute__((packed));
_Static_assert(sizeof(struct arp_packet) == 28, "wire");
enum { ARP_HTYPE_ETHER = 1, ARP_REQUEST = 1, ARP_REPLY = 2 };

/* llentry.state */
enum arp_state { ARP_INCOMPLETE, ARP_REACHABLE, ARP_DOWN };

/* net.link.ether.arp.stats, netstat -s -p arp. */
struct arpstat {
	uint64_t txrequests, txreplies, rxrequests, rxreplies, received;
	uint64_t dropped;  /* packets that found no neighbour */
	uint64_t timeouts; /* entries that went because nothing was heard */
	uint64_t dupips;   /* others seen with an address of ours */
};
VNET_DECLARE(struct arpstat, arpstat);
#define V_arpstat VNET(arpstat)
VNET_DECLARE(uint32_t, arp_max_age);
#define V_arp_max_age VNET(arp_max_age)

/* Send an ARP packet: body's addresses, the rest is filled in. */
void arp_send(struct ifnet *ifp, uint16_t op, const uint8_t dst[6], const struct arp_packet *body);

/*
 * lle's address on the link is known (again): entry up to date, timer armed unless static, held
 * packets sent.
 */
void arp_learned(struct llentry *lle, const uint8_t lladdr[6]);

#endif
