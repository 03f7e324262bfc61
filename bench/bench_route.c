/*
 * bench_route.c - what a route look-up and a neighbour's header cost a packet.
 *
 *	fib4 N routes	look-ups by batches of 64 random destinations, and one that waits for the other
 *	fib6 N routes	the same for IPv6: prefixes of /29 to /64 as they are announced, below 2000::/3
 *	arp_output	64 ready packets to a driver that does nothing
 */
#include "bench.h"

#include "base/rng.h"
#include "inet/arp.h"
#include "inet/ip.h"
#include "kern/jail.h"
#include "net/ethernet.h"

#include <string.h>

enum { PROBES = 1 << 14 };

static uint32_t probe[PROBES];
static struct in6 probe6[PROBES];
static const struct in6 *probes6[PROBES];

static void
nothing(struct ifnet *ifp, struct batch *b)
{
	(void)ifp;
	b->n = 0;
}

static void
command(const char *line)
{
	char *err;

	bench_require(verb_line(NULL, line, false, NULL, &err) == 0);
	free(err);
}

static void
measure_fib(unsigned routes)
{
	struct nexthop *nh[64];
	char name[64];
	uint64_t start, rounds = routes > 1000 ? 40 : 400, found = 0;
	uint32_t chain = 0;

	start = bench_now_ns();
	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned i = 0; i < PROBES; i += 64) {
			fib_lookup4_batch(0, probe + i, nh, 64);
			found += nh[0] != NULL;
		}
	snprintf(name, sizeof(name), "fib4 batch, %u routes", routes);
	bench_say(name, (double)(bench_now_ns() - start) / (double)(rounds * PROBES), "ns/lookup");
	start = bench_now_ns();
	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned i = 0; i < PROBES; i++) {
			/* the next destination depends on this answer */
			const struct nexthop *one = fib_lookup4(0, probe[(i + chain) % PROBES]);

			chain = one == NULL ? 1 : one->flags & 1;
		}
	snprintf(name, sizeof(name), "fib4 one by one, %u routes", routes);
	bench_say(name, (double)(bench_now_ns() - start) / (double)(rounds * PROBES), "ns/lookup");
	bench_require(found > 0);
}

static void
add_routes(struct rng *rng, unsigned n)
{
	for (unsigned have = 0; have < n;) {
		static const uint8_t usual[] = { 16, 18, 19, 20, 21, 22, 22, 23, 24, 24, 24, 24, 24,
			24 };
		uint32_t dst = (uint32_t)rng_u64(rng), gw = 0xfe00000a;
		struct rt_request rq = {
			.dst = rt_addr_make(AF_INET, &dst, usual[rng_below(rng, sizeof(usual))]),
			.gateway = rt_addr_make(AF_INET, &gw, 32),
		};

		if ((dst & 0xff) == 10)
			continue;
		have += rib_add(&rq, NULL) == 0;
	}
}

static void
measure_fib6(unsigned routes)
{
	uint64_t start, rounds = routes > 1000 ? 40 : 400, found = 0;
	struct nexthop *nh[64];
	uint32_t chain = 0;
	char name[64];

	start = bench_now_ns();
	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned i = 0; i < PROBES; i += 64) {
			fib_lookup6_batch(0, probes6 + i, nh, 64);
			found += nh[0] != NULL;
		}
	snprintf(name, sizeof(name), "fib6 batch, %u routes", routes);
	bench_say(name, (double)(bench_now_ns() - start) / (double)(rounds * PROBES), "ns/lookup");
	start = bench_now_ns();
	for (uint64_t r = 0; r < rounds; r++)
		for (unsigned i = 0; i < PROBES; i++) {
			const struct nexthop *one = fib_lookup6(0, &probe6[(i + chain) % PROBES]);

			chain = one == NULL ? 1 : one->flags & 1;
		}
	snprintf(name, sizeof(name), "fib6 one by one, %u routes", routes);
	bench_say(name, (double)(bench_now_ns() - start) / (double)(rounds * PROBES), "ns/lookup");
	bench_require(found > 0);
}

/* 2000::/3 and then what the bits say. */
static struct in6
random_global(struct rng *rng)
{
	struct in6 a;

	store64(a.b, rng_u64(rng));
	store64(a.b + 8, rng_u64(rng));
	a.b[0] = (uint8_t)(0x20 | (a.b[0] & 0x0f));
	return a;
}

static void
add_routes6(struct rng *rng, struct ifnet *ifp, unsigned n)
{
	static const uint8_t usual[] = { 29, 32, 32, 36, 40, 44, 48, 48, 48, 48, 48, 56, 64 };

	for (unsigned have = 0; have < n;) {
		/* half of them in one of the probes' neighbourhood, so that there is a depth */
		struct in6 dst = have & 1 ? random_global(rng) : probe6[rng_below(rng, PROBES)];
		struct rt_request rq = {
			.dst = rt_addr_make(AF_INET6, dst.b, usual[rng_below(rng, sizeof(usual))]),
			.ifp = ifp,
		};

		have += rib_add(&rq, NULL) == 0;
	}
}

static void
bench_fib6(struct rng *rng, struct ifnet *ifp)
{
	for (unsigned i = 0; i < PROBES; i++) {
		probe6[i] = random_global(rng);
		probes6[i] = &probe6[i];
	}
	command("route add -6 default -iface mem0");
	add_routes6(rng, ifp, 3);
	measure_fib6(4);
	add_routes6(rng, ifp, 996);
	measure_fib6(1000);
	add_routes6(rng, ifp, 99000);
	measure_fib6(100000);
}

/* What stands around arp_output below: the send function, and putting the packets back. */
static void
send_only(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m) {
		m->data -= ETHER_HDR_LEN_;
		m->len += ETHER_HDR_LEN_;
	}
	if_transmit_batch(ifp, b);
}

static void
measure_arp(struct ifnet *ifp, const char *name, uint32_t dst,
    void (*output)(struct ifnet *, struct batch *))
{
	struct nexthop *nh = fib_lookup4(0, dst);
	struct batch b, packets;
	uint64_t start, best = UINT64_MAX, total;

	packets.n = 0;
	for (int i = 0; i < 64; i++) {
		struct mbuf *m = m_get(64);
		struct ip_hdr *ip = mtod(m, struct ip_hdr *);

		memset(ip, 0, sizeof(*ip));
		ip->dst = dst;
		m->nh = nh;
		batch_add(&packets, m);
	}
	/* the first makes the next hop cache its neighbour */
	for (int run = 0; run < 20; run++) {
		start = bench_now_ns();
		for (int r = 0; r < 20000; r++) {
			b = packets;
			output(ifp, &b);
			for (int i = 0; i < 64; i++) {
				packets.m[i]->data += ETHER_HDR_LEN_;
				packets.m[i]->len -= ETHER_HDR_LEN_;
			}
		}
		total = bench_now_ns() - start;
		best = total < best ? total : best;
	}
	bench_say(name, (double)best / (20000. * 64), "ns/packet");
	batch_free(&packets);
}

int
main(void)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 1, 1 };
	struct ifnet *ifp;
	struct rng rng;
	uint64_t start;

	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	rng_seed(&rng, 1, "bench_route");
	ifp = if_alloc(IFT_ETHER_, "mem", 0);
	ifp->if_transmit = nothing;
	bench_require(ether_attach(ifp, mac) == 0);
	ifp->if_flags |= IFF_RUNNING_;
	command("ifconfig mem0 inet 10.0.0.1/24");
	command("route add default 10.0.0.254");
	command("route add 10.9.0.0/16 10.0.0.253");
	command("arp -s 10.0.0.254 02:00:00:00:02:54");
	command("arp -s 10.0.0.2 02:00:00:00:02:02");
	for (unsigned i = 0; i < PROBES; i++)
		probe[i] = (uint32_t)rng_u64(&rng);
	measure_fib(4);
	measure_arp(ifp, "if_transmit_batch alone", 0x01020304, send_only);
	measure_arp(ifp, "arp_output by a gateway", 0x01020304, arp_output);
	measure_arp(ifp, "arp_output on the link", 0x0200000a, arp_output);
	start = bench_now_ns();
	add_routes(&rng, 996);
	measure_fib(1000);
	add_routes(&rng, 99000);
	measure_fib(100000);
	start = bench_now_ns();
	add_routes(&rng, 100000);
	bench_say("rib_add, 100000 to 200000 routes", (double)(bench_now_ns() - start) / 100000,
	    "ns/route");
	bench_fib6(&rng, ifp);
	ether_detach(ifp);
	if_free(ifp);
	kern_fini();
	worker_detach();
	return 0;
}
