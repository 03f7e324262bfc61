/*
 * net_fixture.h - tests of the interfaces' floor: frames from memory, a sink in IP's place, the
 * leak audit.
 */
#ifndef WARREN_TESTS_UNIT_NET_FIXTURE_H
#define WARREN_TESTS_UNIT_NET_FIXTURE_H

#include "kern_fixture.h"

#include "base/rcu.h"
#include "base/sched.h"
#include "kern/netisr.h"
#include "net/epair.h"
#include "net/ethernet.h"
#include "net/if_clone.h"

#include <errno.h>
#include <stdio.h>

/* What came to IP and ARP, in order: protocol and first payload byte of each packet. */
static struct {
	uint32_t n, batches;
	uint8_t proto[4096], first[4096];
	uint16_t flags[4096];
	struct ifnet *rcvif;
	struct vnet *vnet;
} sink;

static void
sink_take(enum netisr_proto_id proto, struct batch *b)
{
	sink.batches++;
	batch_foreach(b, m) {
		sink.proto[sink.n] = (uint8_t)proto;
		sink.flags[sink.n] = m->flags;
		sink.first[sink.n++] = m->data[0];
		sink.rcvif = m->rcvif;
		m_free(m);
	}
	sink.vnet = curvnet;
	b->n = 0;
}

static void
sink_ip(struct batch *b)
{
	sink_take(NETISR_IP, b);
}

static void
sink_arp(struct batch *b)
{
	sink_take(NETISR_ARP, b);
}

static const struct netisr_handler sink_handlers[] = {
	{ .name = "ip", .proto = NETISR_IP, .policy = NETISR_POLICY_FLOW, .handler = sink_ip },
	{ .name = "arp", .proto = NETISR_ARP, .policy = NETISR_POLICY_SOURCE, .handler = sink_arp },
};

static int
net_setup(void **state)
{
	kern_setup(state);
	memset(&sink, 0, sizeof(sink));
	netisr_register(&sink_handlers[0]);
	netisr_register(&sink_handlers[1]);
	return 0;
}

static int
net_teardown(void **state)
{
	while (netisr_run())
		continue;
	rcu_synchronize();
	return kern_teardown(state);
}

#define NET_TEST(fn) cmocka_unit_test_setup_teardown(fn, net_setup, net_teardown)

/* A frame with payload bytes first, first + 1, … */
__attribute__((unused)) static struct mbuf *
frame(const uint8_t dst[6], const uint8_t src[6], uint16_t type, uint8_t first, uint32_t payload)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + payload);
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);

	memcpy(eh->dst, dst, 6);
	memcpy(eh->src, src, 6);
	eh->type = to_be16(type);
	for (uint32_t i = 0; i < payload; i++)
		m->data[ETHER_HDR_LEN_ + i] = (uint8_t)(first + i);
	return m;
}

__attribute__((unused)) static void
transmit(struct ifnet *ifp, struct mbuf *m)
{
	struct batch b = { .n = 1, .m = { m } };
	VNET_SCOPE(ifp->if_vnet);

	if_transmit_batch(ifp, &b);
	assert_int_equal(b.n, 0);
}

/* A pair in curvnet, both ends up. */
__attribute__((unused)) static void
pair_up(struct ifnet **a, struct ifnet **b)
{
	assert_int_equal(epair_create(a, b), 0);
	assert_int_equal(if_up(*a), 0);
	assert_int_equal(if_up(*b), 0);
}

/* From one end to the other's IP. */
__attribute__((unused)) static struct mbuf *
frame_to_peer(struct ifnet *from, uint8_t first)
{
	return frame(epair_peer(from)->if_lladdr, from->if_lladdr, ETHERTYPE_IP_, first, 46);
}

static const uint8_t somebody[6] = { 0x02, 0, 0, 0, 0xee, 0x01 };

#endif
