/*
 * bench_chain.c - virtual time: packet-hops a second through a chain of 100 routers whose links
 * have rate and delay.
 *
 * Two hosts at the ends; one sends UDP to the other through all routers, at 90 % of the links'
 * rate. A packet-hop is one packet received by one stack. What arrives is checked: every packet, at
 * exactly the time that rates and delays give.
 */
#include "bench.h"

#include "base/clock.h"
#include "base/sched.h"
#include "dummynet/pipe.h"
#include "inet/in.h"
#include "inet/ping.h"
#include "inet/udp_traffic.h"
#include "kern/jail.h"
#include "kern/vnet.h"
#include "net/epair.h"

enum { ROUTERS = 100, NODES = ROUTERS + 2 };

static struct prison *node[NODES];

static uint32_t
address(uint32_t link, uint32_t host)
{
	return __builtin_bswap32(0x0a000000 + link * 4 + host);
}

static void
route(struct vnet *vnet, uint32_t net, unsigned plen, uint32_t gateway)
{
	struct rt_request rq = { .flags = RTF_STATIC_ | RTF_GATEWAY_ };
	VNET_SCOPE(vnet);

	rq.dst = rt_addr_make(AF_INET, &net, plen);
	rq.gateway = rt_addr_make(AF_INET, &gateway, 32);
	bench_require(rib_add(&rq, NULL) == 0);
}

/* Cable i between node i and node i + 1. */
static void
cable(uint32_t i, const struct pipe_config *c)
{
	struct ifnet *a, *b;

	VNET_SCOPE(vnet0);
	bench_require(epair_create(&a, &b) == 0);
	bench_require(if_vmove(a, node[i]->vnet) == 0 && if_vmove(b, node[i + 1]->vnet) == 0);
	bench_require(pipe_attach(a, c) == 0 && pipe_attach(b, c) == 0);
	{
		VNET_SCOPE(node[i]->vnet);
		bench_require(in_addr_add(a, address(i, 1), 30, 0, 0) == 0 && if_up(a) == 0);
	}
	{
		VNET_SCOPE(node[i + 1]->vnet);
		bench_require(in_addr_add(b, address(i, 2), 30, 0, 0) == 0 && if_up(b) == 0);
	}
}

int
main(void)
{
	const struct pipe_config link = {
		.rate_bps = 1000000000, .delay_ns = 5 * NS_PER_MS, .queue_packets = 1000
	};
	const uint64_t seconds = 3, start_ns = 5 * NS_PER_SEC;
	uint32_t far = address(ROUTERS, 2), far_net = address(ROUTERS, 0), near_net = address(0, 0);
	struct udp_sink_stats st;
	struct udp_sender *sender;
	struct udp_sink *sink;
	uint64_t start, sent, bytes, errors;
	char name[16];

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	for (uint32_t i = 0; i < NODES; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		bench_require((node[i] = prison_create(&prison0, name, true)) != NULL);
		node[i]->vnet->domain = sched_domain_new(false);
		VNET_OF(node[i]->vnet, ip_forwarding) = true;
	}
	for (uint32_t i = 0; i + 1 < NODES; i++)
		cable(i, &link);
	for (uint32_t i = 0; i < NODES; i++) {
		if (i + 2 < NODES)
			route(node[i]->vnet, far_net, 30, address(i, 2));
		if (i > 1)
			route(node[i]->vnet, near_net, 30, address(i - 1, 1));
	}
	sched_set_lookahead(link.delay_ns);
	{
		const struct ipaddr any = { .family = AF_INET };
		VNET_SCOPE(node[NODES - 1]->vnet);
		bench_require((sink = udp_sink_new(&any, 5001, false)) != NULL);
	}
	{
		const struct udp_flow_config c = {
			.dst = ipaddr4(far),
			.dport = 5001,
			.flows = 1,
			.rate_bps = 900000000,
			.size = 972,
			.pattern = UDP_CONSTANT,
			.ttl = 255,
			.start_ns = start_ns,
			.stop_ns = start_ns + seconds * NS_PER_SEC,
			.name = "bench",
		};
		/*
		 * each hop asks for its neighbour once, which takes a round trip: a ping goes ahead
		 */
		const struct ping_config ahead = {
			.dst = ipaddr4(far),
			.count = 1,
			.interval_ns = NS_PER_SEC,
			.wait_ns = NS_PER_SEC,
			.stop_ns = NS_NEVER,
			.size = 56,
			.ttl = 255,
		};
		VNET_SCOPE(node[0]->vnet);
		bench_require(ping_new(&ahead, NULL, NULL, NULL) != NULL);
		bench_require((sender = udp_sender_new(&c)) != NULL);
	}
	sched_run(start_ns);
	start = bench_now_ns();
	sched_run(start_ns + (seconds + 2) * NS_PER_SEC);
	double real = (double)(bench_now_ns() - start) / 1e9;

	udp_sender_stats(sender, &sent, &bytes, &errors);
	udp_sink_stats(sink, &st);
	bench_require(errors == 0 && st.lost == 0 && st.packets == sent && sent > 300000);
	/* 1,014 bytes a frame: exactly as much later on each of the 101 links */
	bench_require(delay_hist_min(st.delay) == (ROUTERS + 1) * (link.delay_ns + 1014 * 8));
	bench_require(delay_hist_max(st.delay) == delay_hist_min(st.delay));
	bench_say(
	    "chain_packet_hops", (double)st.packets * (ROUTERS + 1) / real / 1e6, "million/s");
	return 0;
}
