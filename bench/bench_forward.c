/*
 * bench_forward.c - what one stack takes to forward a packet of 64 bytes, driver memory to driver
 * memory: the whole path (Ethernet, sanity with checksum, empty filter hooks in and out, for-us
 * test, route, ttl, neighbour, statistics), on one core.
 *
 * The driver here is memory. Its receive ring hands over batches of 64 mbufs and prefetches one
 * batch ahead, as drivers of network cards do; its transmit side makes the frame what it was, while
 * its line is still in the cache, and puts it at the end of the receive ring. So the stack meets a
 * packet's lines as cold as the number of packets in flight makes them: 1,000 stay in the caches,
 * 60,000 do not.
 */
#include "bench.h"

#include "base/clock.h"
#include "base/mbuf.h"
#include "inet/ip.h"
#include "kern/verb.h"
#include "kern/vnet.h"
#include "net/ethernet.h"
#include "net/pfil.h"

#include <string.h>

enum { FRAME_LEN = 60, RING_MAX = 1 << 16, SLICES = 30, SLICE_PACKETS = 400000 };

static struct {
	struct mbuf *slot[RING_MAX];
	uint32_t head, count, mask;
	uint64_t sent;
} ring;

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 1, 1 }, sender_mac[6] = { 2, 0, 0, 0, 9, 9 };

/* The driver's way out: restore the frame, queue it for receiving again. */
static void
mem_transmit(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	batch_foreach(b, m) {
		uint8_t *p = m->data;
		struct ip_hdr *ip = (struct ip_hdr *)(void *)(p + ETHER_HDR_LEN_);
		uint32_t sum = (uint32_t)ip->sum + 0xfffe; /* minus one */

		memcpy(p, router_mac, 6);
		ip->ttl++;
		ip->sum = (uint16_t)((sum & 0xffff) + (sum >> 16));
		m->flags = 0;
		m->len = FRAME_LEN;
		ring.slot[(ring.head + ring.count++) & ring.mask] = m;
	}
	ring.sent += b->n;
	b->n = 0;
}

static struct ifnet *
mem_interface(int unit, const uint8_t mac[6])
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", unit);

	bench_require(ifp != NULL);
	ifp->if_transmit = mem_transmit;
	bench_require(ether_attach(ifp, mac) == 0);
	ifp->if_flags |= IFF_RUNNING_;
	return ifp;
}

static void
command(const char *line)
{
	char *out = NULL, *err = NULL;

	if (verb_line(NULL, line, false, &out, &err) != 0) {
		fprintf(stderr, "%s: %s", line, err != NULL ? err : "");
		exit(1);
	}
	free(out);
	free(err);
}

/* A frame of flow number i to 10.3.x.y. */
static struct mbuf *
frame(uint32_t i)
{
	struct mbuf *m = m_get(FRAME_LEN);
	struct ether_header_ *eh;
	struct ip_hdr *ip;

	bench_require(m != NULL);
	memset(m->data, 0, FRAME_LEN);
	eh = mtod(m, struct ether_header_ *);
	memcpy(eh->dst, router_mac, 6);
	memcpy(eh->src, sender_mac, 6);
	eh->type = to_be16(ETHERTYPE_IP_);
	ip = (struct ip_hdr *)(void *)(eh + 1);
	ip->vhl = 0x45;
	ip->len = to_be16(46);
	ip->ttl = 64;
	ip->proto = IPPROTO_UDP_;
	store32(&ip->src, __builtin_bswap32(0x0a010002 + i % 200));
	store32(&ip->dst, __builtin_bswap32(0x0a030001 + i));
	ip->sum = ip_cksum(ip);
	return m;
}

static void
pass_all(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	(void)ctx;
	(void)b;
	(void)ifp;
	(void)dir;
}

static inline void
prefetch_frame(const struct mbuf *m)
{
	__builtin_prefetch(m, 1);
	/*
	 * the driver filled the buffer, so it knows where the frame begins without reading the
	 * header
	 */
	__builtin_prefetch((const uint8_t *)m + sizeof(*m) + M_HEADROOM, 1);
}

/* ns per packet of one slice of the measurement. */
static double
slice(struct ifnet *in, uint64_t packets)
{
	uint64_t start = bench_now_ns(), sent = ring.sent;

	for (uint64_t done = 0; done < packets; done += BATCH_MAX) {
		struct batch b;

		b.n = BATCH_MAX;
		for (uint32_t i = 0; i < BATCH_MAX; i++) {
			b.m[i] = ring.slot[(ring.head + i) & ring.mask];
			prefetch_frame(ring.slot[(ring.head + BATCH_MAX + i) & ring.mask]);
		}
		ring.head += BATCH_MAX;
		ring.count -= BATCH_MAX;
		if_receive(in, &b);
	}
	return (double)(bench_now_ns() - start) / (double)(ring.sent - sent);
}

/*
 * Median ns per packet over SLICES slices, after a third of them to warm up: the machine may be
 * shared.
 */
static double
measure(struct ifnet *in, uint32_t in_flight, uint32_t flows)
{
	double ns[SLICES];

	ring.head = 0;
	ring.count = 0;
	ring.mask = RING_MAX - 1;
	for (uint32_t i = 0; i < in_flight; i++)
		ring.slot[ring.count++] = frame(i % flows);
	for (int i = 0; i < SLICES / 3; i++)
		slice(in, SLICE_PACKETS);
	for (int i = 0; i < SLICES; i++)
		ns[i] = slice(in, SLICE_PACKETS);
	bench_require(ring.count == in_flight);
	while (ring.count > 0) {
		m_free(ring.slot[ring.head++ & ring.mask]);
		ring.count--;
	}
	return bench_median(ns, SLICES);
}

int
main(void)
{
	static const struct {
		const char *name;
		uint32_t in_flight, flows;
	} runs[] = {
		{ "forward_warm_1_flow", 1000, 1 },
		{ "forward_warm_10000_flows", 1000, 10000 },
		{ "forward_cold_1_flow", 60000, 1 },
		{ "forward_cold_10000_flows", 60000, 10000 },
	};
	struct ifnet *in;

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	VNET_SCOPE(vnet0);
	in = mem_interface(0, router_mac);
	mem_interface(1, (const uint8_t[6]){ 2, 0, 0, 0, 1, 2 });
	command("ifconfig mem0 inet 10.1.0.1/24");
	command("ifconfig mem1 inet 10.2.0.1/24");
	command("arp -s 10.2.0.2 02:00:00:00:02:02");
	command("route add 10.3.0.0/16 10.2.0.2");
	command("sysctl net.inet.ip.forwarding=1");
	bench_require(pfil_add(PFIL_INET, PFIL_IN, pass_all, NULL, 0) == 0);
	bench_require(pfil_add(PFIL_INET, PFIL_OUT, pass_all, NULL, 0) == 0);
	ring.sent = 0;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		bench_say(runs[i].name, measure(in, runs[i].in_flight, runs[i].flows), "ns/packet");
	return 0;
}
