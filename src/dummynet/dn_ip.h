/*
 * dn_ip.h - where a packet's IP header is, if it has one: right at its start, or behind what its door
 * (dn_door.h) says stands before it.
 */
#ifndef WARREN_DUMMYNET_DN_IP_H
#define WARREN_DUMMYNET_DN_IP_H

#include "dummynet/dn_door.h"
#include "inet/ip.h"
#include "inet6/ip6.h"
#include "net/ethernet.h"

struct dn_ip {
	unsigned family; /* 4, 6; 0 = no IP, or a broken header: then nothing else counts */
	uint8_t *header;
	uint32_t left; /* bytes from the header on: at least the whole of it, options too */
};

enum { DN_VLAN_TAG = 4 };

/* Behind the Ethernet header and one vlan tag; false: what follows is no IP. */
static inline bool
dn_ip_skip_frame(const struct mbuf *m, uint32_t *off)
{
	uint32_t type_at = 2 * ETHER_ADDR_LEN_;
	uint16_t type;

	if (m->len < ETHER_HDR_LEN_ + DN_VLAN_TAG)
		return false;
	type = __builtin_bswap16(load16(m->data + type_at));
	if (type == ETHERTYPE_VLAN_) {
		type_at += DN_VLAN_TAG;
		type = __builtin_bswap16(load16(m->data + type_at));
	}
	*off = type_at + 2;
	return type == ETHERTYPE_IP_ || type == ETHERTYPE_IPV6_;
}

static inline struct dn_ip
dn_ip_of(const struct mbuf *m)
{
	const struct dn_door *door = dn_door_of(m);
	struct dn_ip ip = { 0 };
	uint32_t off = 0;

	if (door != NULL && door->frame && !dn_ip_skip_frame(m, &off))
		return ip;
	if (m->len < off + sizeof(struct ip_hdr))
		return ip;
	ip.header = m->data + off;
	ip.left = m->len - off;
	if (ip.header[0] >> 4 == 4) {
		const unsigned hlen = (ip.header[0] & 0xfu) << 2;

		if (hlen >= sizeof(struct ip_hdr) && hlen <= ip.left)
			ip.family = 4;
	} else if (ip.header[0] >> 4 == 6 && ip.left >= sizeof(struct ip6_hdr)) {
		ip.family = 6;
	}
	return ip;
}

#endif
