/*
 * ethernet.h - Ethernet II framing: the header, the way in by type, the way out by neighbour.
 */
#ifndef WARREN_NET_ETHERNET_H
#define WARREN_NET_ETHERNET_H

#include "base/bytes.h"
#include "net/if.h"

enum { ETHER_ADDR_LEN_ = 6, ETHER_HDR_LEN_ = 14, ETHER_MIN_LEN_ = 60, ETHERMTU_ = 1500 };
enum ethertype {
	ETHERTYPE_IP_ = 0x0800,
	ETHERTYPE_ARP_ = 0x0806,
	ETHERTYPE_VLAN_ = 0x8100,
	ETHERTYPE_IPV6_ = 0x86dd
};

struct ether_header_ {
	uint8_t dst[6], src[6];
	be16 type;
};
_Static_assert(sizeof(struct ether_header_) == 14, "wire");

extern const uint8_t ether_broadcast[6];

/* The 48 bits of an address as a number that compares in one go; only ever compared. */
static inline uint64_t
ether_number(const uint8_t lladdr[6])
{
	return load32(lladdr) | (uint64_t)load16(lladdr + 4) << 32;
}

/* Make ifp an Ethernet interface (input, output, address, mtu …) and if_attach it. */
int ether_attach(struct ifnet *ifp, const uint8_t lladdr[6]);
void ether_detach(struct ifnet *ifp);

/* Frames from the driver -> protocols. Takes the batch. Installed as if_input. */
void ether_input(struct ifnet *ifp, struct batch *b);

/*
 * Frames that are this station's own business, by ifp: filter, then by type. What ether_input does
 * with those of an interface that is in no bridge. Takes the batch, which is not empty.
 */
void ether_deliver(struct ifnet *ifp, struct batch *b);

/*
 * Packets of layer 3 with m->nh = struct nexthop (route/nexthop.h's first fields, below) -> frames.
 * Per-family resolution is the family's: arp_output in inet/ sets up headers and calls this with
 * ready frames through if_transmit_batch.
 */

/* "02:00:00:00:01:0a" <-> bytes. ether_aton returns false on anything else. text needs 18 bytes. */
bool ether_aton_(const char *text, uint8_t lladdr[6]);
const char *ether_ntoa_(const uint8_t lladdr[6], char text[18]);

DROP_DECLARE(DROP_ETHER_SHORT);      /* shorter than its header */
DROP_DECLARE(DROP_ETHER_NOT_FOR_US); /* another station's address */
DROP_DECLARE(DROP_ETHER_NOPROTO);    /* no handler for the type */
DROP_DECLARE(DROP_ETHER_SRC_MCAST);  /* source address is a group */
DROP_DECLARE(DROP_ETHER_MONITOR);    /* interface is in monitor mode */

#endif
