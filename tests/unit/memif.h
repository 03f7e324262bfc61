/*
 * memif.h - an Ethernet interface for tests whose frames go to and come from memory.
 */
#ifndef WARREN_TESTS_MEMIF_H
#define WARREN_TESTS_MEMIF_H

#include "base/mbuf.h"
#include "inet/ip.h"
#include "net/ethernet.h"

#include <string.h>

/* What an interface has sent, in order; freed by memif_clear. */
struct memif {
	struct ifnet *ifp;
	struct mbufq sent;
};

static inline void
memif_transmit(struct ifnet *ifp, struct batch *b)
{
	struct memif *mi = ifp->if_softc;

	batch_foreach(b, m)
		mbufq_push(&mi->sent, m);
	b->n = 0;
}

/* Interface memN in curvnet with a MAC that ends in N + 1. */
static inline void
memif_open(struct memif *mi, int unit)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 1, (uint8_t)(unit + 1) };

	mbufq_init(&mi->sent);
	mi->ifp = if_alloc(IFT_ETHER_, "mem", unit);
	mi->ifp->if_softc = mi;
	mi->ifp->if_transmit = memif_transmit;
	if (ether_attach(mi->ifp, mac) != 0)
		abort();
	mi->ifp->if_flags |= IFF_RUNNING_;
}

static inline void
memif_clear(struct memif *mi)
{
	mbufq_drain(&mi->sent);
}

static inline void
memif_close(struct memif *mi)
{
	memif_clear(mi);
	ether_detach(mi->ifp);
	if_free(mi->ifp);
	mi->ifp = NULL;
}

/* An IPv4 frame to this interface's MAC, `len` bytes at IP; payload bytes count up. */
static inline struct mbuf *
memif_frame(const struct memif *mi, uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
	struct mbuf *m = m_get(len + ETHER_HDR_LEN_);
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);
	struct ip_hdr *ip = (struct ip_hdr *)(void *)(eh + 1);

	memcpy(eh->dst, mi->ifp->if_lladdr, 6);
	memcpy(eh->src, (const uint8_t[6]){ 2, 0, 0, 0, 9, 9 }, 6);
	eh->type = to_be16(ETHERTYPE_IP_);
	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)ip)[i] = (uint8_t)i;
	*ip = (struct ip_hdr){
		.vhl = 0x45,
		.len = to_be16((uint16_t)len),
		.id = to_be16(7),
		.ttl = 64,
		.proto = proto,
		.src = src,
		.dst = dst,
	};
	ip->sum = ip_cksum(ip);
	return m;
}

static inline void
memif_receive(struct memif *mi, struct mbuf *m)
{
	struct batch b = { .n = 1, .m = { m } };

	if_receive(mi->ifp, &b);
}

/* IP header of a frame. */
static inline struct ip_hdr *
frame_ip(const struct mbuf *m)
{
	return (struct ip_hdr *)(void *)(m->data + ETHER_HDR_LEN_);
}

#endif
