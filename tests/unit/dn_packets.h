/*
 * dn_packets.h - packets for tests of the shaper: UDP over IPv4 or IPv6 with what queues look at,
 * addresses, ports, length, ECN.
 */
#ifndef WARREN_TESTS_DN_PACKETS_H
#define WARREN_TESTS_DN_PACKETS_H

#include "base/mbuf.h"
#include "inet/ip.h"
#include "inet6/ip6.h"

#include <assert.h>
#include <string.h>

enum { DN_NOT_ECT, DN_ECT1, DN_ECT0, DN_CE };

/* len bytes from the IP header on; flow makes source address and port. */
static inline struct mbuf *
dn_udp4(uint32_t flow, uint32_t len, uint8_t ecn)
{
	struct mbuf *m = m_get(len);
	struct ip_hdr *ip;

	assert(m != NULL && len >= 28);
	memset(m->data, 0, len);
	ip = mtod(m, struct ip_hdr *);
	ip->vhl = 0x45;
	ip->tos = ecn;
	ip->len = to_be16((uint16_t)len);
	ip->ttl = 64;
	ip->proto = IPPROTO_UDP_;
	ip->src = __builtin_bswap32(0x0a000000 + flow);
	ip->dst = __builtin_bswap32(0x0a800001);
	ip->sum = ip_cksum(ip);
	store16(m->data + 20, __builtin_bswap16((uint16_t)(1024 + flow % 50000)));
	store16(m->data + 22, __builtin_bswap16(9));
	return m;
}

static inline struct mbuf *
dn_udp6(uint32_t flow, uint32_t len, uint8_t ecn)
{
	struct mbuf *m = m_get(len);
	struct ip6_hdr *ip6;

	assert(m != NULL && len >= 48);
	memset(m->data, 0, len);
	ip6 = mtod(m, struct ip6_hdr *);
	ip6->flow = to_be32(0x60000000u | (uint32_t)ecn << 20 | flow % 0xfffff);
	ip6->plen = to_be16((uint16_t)(len - 40));
	ip6->nxt = IPPROTO_UDP_;
	ip6->hlim = 64;
	ip6->src.b[0] = ip6->dst.b[0] = 0x20;
	store32(ip6->src.b + 12, __builtin_bswap32(flow));
	ip6->dst.b[15] = 1;
	store16(m->data + 40, __builtin_bswap16((uint16_t)(1024 + flow % 50000)));
	store16(m->data + 42, __builtin_bswap16(9));
	return m;
}

#endif
