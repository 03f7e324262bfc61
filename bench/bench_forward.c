/*
 * bench_forward.c - what one stack takes to forward a packet, driver memory to driver memory: the
 * whole path (Ethernet, sanity with checksum, empty filter hooks in and out, for-us test, route,
 * ttl, neighbour, statistics), on one core.
 *
 *	forward_…	IPv4, frames of 64 bytes (60 without their checksum)
 *	forward_full_table	the same with 901,899 routes by 250 gateways, destinations at random within
 *			their prefixes, 60,000 in flight
 *	forward6_…	IPv6, UDP with 64 bytes of payload, in turn with
 *	forward4_…	IPv4, UDP with 64 bytes of payload
 *
 * The driver here is memory (bench_ring.h). Its transmit side makes the frame what it was, while its
 * line is still in the cache, before it comes in again. 1,000 packets in flight stay in the caches,
 * 60,000 do not.
 */
#include "bench_rib.h"
#include "bench_ring.h"

#include "base/clock.h"
#include "base/mbuf.h"
#include "inet/ip.h"
#include "inet6/ip6.h"
#include "kern/verb.h"
#include "kern/vnet.h"
#include "net/ethernet.h"
#include "net/pfil.h"
#include "route/rib.h"

#include <string.h>

enum {
	MIN_FRAME = 60,
	PAYLOAD_FRAME4 = 14 + 20 + 8 + 64,
	PAYLOAD_FRAME6 = 14 + 40 + 8 + 64,
	/* of 50 to 200 us: whoever else has the processor meanwhile meets only a few of them */
	SLICES = 4000,
	SLICE_PACKETS = 3008,
};

static struct ring rings[2];

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 1, 1 }, sender_mac[6] = { 2, 0, 0, 0, 9, 9 };

/* Back to a place of the ring. */
static inline void
ring_put(struct ring *r, uint32_t at, uint32_t frame_len, struct mbuf *m)
{
	memcpy(m->data, router_mac, 6);
	m->flags = 0;
	m->len = frame_len;
	r->slot[at % RING_MAX] = m;
}

/* The driver's way out: restore the frame, queue it for receiving again. */
static void
mem_transmit(struct ifnet *ifp, struct batch *b)
{
	struct ring *r = ring;
	uint32_t at;

	(void)ifp;
	if (r == NULL) {
		batch_free(b); /* what interfaces say of themselves while the router is set up */
		return;
	}
	at = r->head + r->count;
	if (r->frame_len == PAYLOAD_FRAME6) {
		batch_foreach(b, m) {
			((struct ip6_hdr *)(void *)(m->data + ETHER_HDR_LEN_))->hlim++;
			ring_put(r, at++, PAYLOAD_FRAME6, m);
		}
	} else {
		const uint32_t frame_len = r->frame_len;

		batch_foreach(b, m) {
			struct ip_hdr *ip = (struct ip_hdr *)(void *)(m->data + ETHER_HDR_LEN_);
			uint32_t sum = (uint32_t)ip->sum + 0xfffe; /* minus one */

			ip->ttl++;
			ip->sum = (uint16_t)((sum & 0xffff) + (sum >> 16));
			ring_put(r, at++, frame_len, m);
		}
	}
	r->count += b->n;
	r->sent += b->n;
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

/* Destinations of the full table; NULL: not now. */
static const uint32_t *trace;

/* IPv4 from one of 200 senders to 10.3.x.y, address number i, or to the trace's. */
static void
header4(uint8_t *p, uint32_t len, uint32_t i)
{
	struct ip_hdr *ip = (struct ip_hdr *)(void *)p;

	ip->vhl = 0x45;
	ip->len = to_be16((uint16_t)len);
	ip->ttl = 64;
	ip->proto = IPPROTO_UDP_;
	store32(&ip->src, __builtin_bswap32(0x0a010002 + i % 200));
	store32(&ip->dst, trace != NULL ? trace[i] : __builtin_bswap32(0x0a030001 + i));
	ip->sum = ip_cksum(ip);
}

/* The same for IPv6, to 2001:db8:3::/48. */
static void
header6(uint8_t *p, uint32_t len, uint32_t i)
{
	struct ip6_hdr *ip6 = (struct ip6_hdr *)(void *)p;

	ip6->flow = to_be32(0x60000000);
	ip6->plen = to_be16((uint16_t)(len - IP6_HDRLEN));
	ip6->nxt = IPPROTO_UDP_;
	ip6->hlim = 64;
	ip6->src = (struct in6){ { 0x20, 1, 0xd, 0xb8, 0, 1, [15] = (uint8_t)(2 + i % 200) } };
	ip6->dst = (struct in6){ { 0x20, 1, 0xd, 0xb8, 0, 3 } };
	store32(ip6->dst.b + 12, __builtin_bswap32(1 + i));
}

/* A frame of flow number i, of the length that the ring has. */
static struct mbuf *
frame(uint32_t i)
{
	bool six = ring->frame_len == PAYLOAD_FRAME6;
	struct mbuf *m = m_get(ring->frame_len);
	uint32_t len = ring->frame_len == MIN_FRAME ? 46 : ring->frame_len - ETHER_HDR_LEN_;
	struct ether_header_ *eh;

	bench_require(m != NULL);
	memset(m->data, 0, m->len);
	eh = mtod(m, struct ether_header_ *);
	memcpy(eh->dst, router_mac, 6);
	memcpy(eh->src, sender_mac, 6);
	eh->type = to_be16(six ? ETHERTYPE_IPV6_ : ETHERTYPE_IP_);
	(six ? header6 : header4)((uint8_t *)(eh + 1), len, i);
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

static void
ring_fill(struct ring *r, uint32_t frame_len, uint32_t in_flight, uint32_t flows)
{
	ring = r;
	r->head = r->count = 0;
	r->frame_len = frame_len;
	for (uint32_t i = 0; i < in_flight; i++)
		r->slot[r->count++] = frame(i % flows);
}

/*
 * Median ns per packet over SLICES slices, after a third of them to warm up: the machine may be
 * shared. Several kinds of frames take turns, so that its moods meet them all.
 */
static void
measure(struct ifnet *in, const uint32_t *frame_len, unsigned kinds, uint32_t in_flight,
    uint32_t flows, double *median)
{
	static double ns[2][SLICES];

	for (unsigned k = 0; k < kinds; k++)
		ring_fill(&rings[k], frame_len[k], in_flight, flows);
	for (int i = -SLICES / 3; i < SLICES; i++)
		for (unsigned k = 0; k < kinds; k++)
			ns[k][i < 0 ? 0 : i] = ring_slice(in, &rings[k], SLICE_PACKETS);
	for (unsigned k = 0; k < kinds; k++) {
		ring_drain(&rings[k], in_flight);
		median[k] = bench_median(ns[k], SLICES);
	}
}

static void
router(void)
{
	command("ifconfig mem0 inet 10.1.0.1/24");
	command("ifconfig mem1 inet 10.2.0.1/24");
	command("arp -s 10.2.0.2 02:00:00:00:02:02");
	command("route add 10.3.0.0/16 10.2.0.2");
	command("sysctl net.inet.ip.forwarding=1");
	command("ifconfig mem0 inet6 2001:db8:1::1/64 no_dad");
	command("ifconfig mem1 inet6 2001:db8:2::1/64 no_dad");
	command("ndp -s 2001:db8:2::2 02:00:00:00:02:02");
	command("route -6 add 2001:db8:3::/48 2001:db8:2::2");
	command("sysctl net.inet6.ip6.forwarding=1");
	for (int point = PFIL_INET; point <= PFIL_INET6; point++) {
		bench_require(pfil_add(point, PFIL_IN, pass_all, NULL, 0) == 0);
		bench_require(pfil_add(point, PFIL_OUT, pass_all, NULL, 0) == 0);
	}
}

/* The table's routes by 250 gateways behind mem1, each with a neighbour. */
static void
full_table_load(const struct rib_table *t)
{
	char line[64];

	for (unsigned h = 0; h < 250; h++) {
		snprintf(line, sizeof(line), "arp -s 10.2.0.%u 02:00:00:00:03:%02x", 3 + h, h);
		command(line);
	}
	fib_bulk_begin();
	for (uint32_t i = 0; i < t->n4; i++) {
		uint32_t gateway = __builtin_bswap32(0x0a020003 + t->p4[i].hop % 250);
		struct rt_request rq = {
			.dst = rt_addr_make(AF_INET, t->p4[i].addr, t->p4[i].plen),
			.gateway = rt_addr_make(AF_INET, &gateway, 32),
		};

		bench_require(rib_add(&rq, NULL) == 0);
	}
	bench_require(fib_bulk_end() == 0);
	rcu_poll();
}

static void
full_table(struct ifnet *in)
{
	static const uint32_t smallest[] = { MIN_FRAME };
	static uint32_t to[TRACE];
	struct rib_table t;
	double median;

	if (!rib_table_read(&t))
		return; /* bench_fib says so */
	rib_trace_make(t.p4, t.n4, 4, RIB_IN_PREFIXES, (uint8_t *)to);
	full_table_load(&t);
	trace = to;
	measure(in, smallest, 1, 60000, 60000, &median);
	bench_say("forward_full_table", median, "ns/packet");
}

int
main(void)
{
	static const struct {
		const char *name;
		uint32_t in_flight, flows;
	} runs[] = {
		{ "warm_1_flow", 1000, 1 },
		{ "warm_10000_flows", 1000, 10000 },
		{ "cold_1_flow", 60000, 1 },
		{ "cold_10000_flows", 60000, 10000 },
	};
	static const uint32_t smallest[] = { MIN_FRAME },
			      families[] = { PAYLOAD_FRAME4, PAYLOAD_FRAME6 };
	double median[2];
	struct ifnet *in;
	char name[64];

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	VNET_SCOPE(vnet0);
	in = mem_interface(0, router_mac);
	mem_interface(1, (const uint8_t[6]){ 2, 0, 0, 0, 1, 2 });
	router();
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		measure(in, smallest, 1, runs[i].in_flight, runs[i].flows, median);
		snprintf(name, sizeof(name), "forward_%s", runs[i].name);
		bench_say(name, median[0], "ns/packet");
	}
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		measure(in, families, 2, runs[i].in_flight, runs[i].flows, median);
		for (int six = 0; six < 2; six++) {
			snprintf(name, sizeof(name), "forward%c_%s", six ? '6' : '4', runs[i].name);
			bench_say(name, median[six], "ns/packet");
		}
	}
	full_table(in);
	return 0;
}
