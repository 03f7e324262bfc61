/*
 * bench_flowtable.c - the flow cache beside the FIB that it would spare.
 *
 *	flow4_N, flow6_N	ns a look-up by batches of 64, N flows in the table, the key made
 *				from two addresses as it is from a packet
 *	…_fib_small		the same packets in a FIB of 16 routes, without the cache
 *	…_fib_full		in a FIB of the full Internet table
 *	…_one_by_one		by batches of one
 *	…_new			ns a flow that is not there yet: looked up in the small FIB, filed
 *
 *	paths_N, …_flow_1000	the same with a route of N paths: FIB and choice; 1,000 flows cached
 *
 * Flows come in random order, all as often. The cache wins where flow4_N is below …_fib_….
 */
#include "bench_flows.h"

#include "base/clock.h"
#include "kern/sysctl.h"
#include "route/flow.h"
#include "route/flowtable.h"
#include "route/rib.h"

enum { ROUNDS = 11, SMALL = 16 };

static struct rib_table table;
static struct rib_prefix small[SMALL]; /* together everything */
static struct nexthop hop[RIB_HOPS];
static struct ifnet way_out;
static struct flowtable *flows[2];
static uintptr_t sink;

static inline void
flow4_keys(struct flow_key *key, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		flow_key4(&key[i], 0, flow_src4[first + i], flow_dst4[first + i], 0);
}

static inline void
flow6_keys(struct flow_key *key, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		flow_key6(&key[i], 0, (const struct in6 *)flow_src6[first + i],
		    (const struct in6 *)flow_dst6[first + i], 0);
}

static void
flow_look(void *ctx, uint32_t first, uint32_t n)
{
	const bool six = *(const bool *)ctx;
	struct flow_key key[64];
	struct nexthop *nh[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		if (six)
			flow6_keys(key, i, 64);
		else
			flow4_keys(key, i, 64);
		flowtable_lookup_batch(flows[six], key, nh, 64);
		sink += (uintptr_t)nh[0];
	}
}

static void
flow_look_one(void *ctx, uint32_t first, uint32_t n)
{
	struct flow_key key;
	struct nexthop *nh;

	(void)ctx;
	for (uint32_t i = first; i < first + n; i++) {
		flow4_keys(&key, i, 1);
		flowtable_lookup_batch(flows[0], &key, &nh, 1);
		sink += (uintptr_t)nh;
	}
}

static void
fib_look(void *ctx, uint32_t first, uint32_t n)
{
	const bool six = *(const bool *)ctx;
	const struct in6 *dst[64];
	struct nexthop *nh[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		if (six) {
			for (uint32_t j = 0; j < 64; j++)
				dst[j] = (const struct in6 *)flow_dst6[i + j];
			fib_lookup6_batch(0, dst, nh, 64);
		} else {
			fib_lookup4_batch(0, flow_dst4 + i, nh, 64);
		}
		sink += (uintptr_t)nh[0];
	}
}

/* All routes, or none. */
static void
routes(const struct rib_prefix *p, uint32_t n, bool six, bool there)
{
	fib_bulk_begin();
	for (uint32_t i = 0; i < n; i++) {
		struct rt_addr dst = rt_addr_make(six ? AF_INET6 : AF_INET, p[i].addr, p[i].plen);

		if (there)
			bench_require(fib_set(0, &dst, &hop[p[i].hop]) == 0);
		else
			fib_clear(0, &dst);
	}
	bench_require(fib_bulk_end() == 0);
}

static void
measure_flows(const char *who, uint32_t n, bool six)
{
	const struct rib_prefix *p = six ? table.p6 : table.p4;
	const uint32_t prefixes = six ? table.n6 : table.n4;
	uint64_t start, took;
	double again;

	flows_make(&table, n, six);
	routes(p, prefixes, six, true);
	flow_say(who, n, "_fib_full", rib_trace_time(fib_look, &six, ROUNDS));
	routes(p, prefixes, six, false);
	routes(small, SMALL, six, true);
	flow_say(who, n, "_fib_small", rib_trace_time(fib_look, &six, ROUNDS));
	/* the first time it gets its memory from the system */
	flow_look(&six, 0, TRACE);
	flowtable_flush(flows[six]);
	start = bench_now_ns();
	flow_look(&six, 0, TRACE);
	took = bench_now_ns() - start;
	bench_require(flowtable_count(flows[six]) > n / 2);
	again = rib_trace_time(flow_look, &six, ROUNDS);
	flow_say(who, n, "", again);
	if (n == 1000000)
		flow_say(who, n, "_new",
		    ((double)took - again * (TRACE - flowtable_count(flows[six]))) /
			flowtable_count(flows[six]));
	if (!six)
		flow_say(who, n, "_one_by_one", rib_trace_time(flow_look_one, NULL, 3));
	routes(small, SMALL, six, false);
	flowtable_flush(flows[six]);
}

/* --- a default route of several paths: the choice is what the cache spares --- */

enum { PATHS_MAX = 16 };
static struct ifnet path_out[PATHS_MAX];

static void
path_look(void *ctx, uint32_t first, uint32_t n)
{
	struct nexthop *nh[64];

	(void)ctx;
	for (uint32_t i = first; i < first + n; i += 64) {
		fib_lookup4_batch(0, flow_dst4 + i, nh, 64);
		for (uint32_t j = 0; j < 64; j++)
			sink += (uintptr_t)nexthop_for(nh[j], &flow_dst4[i + j],
			    flow_hash4(flow_src4[i + j], flow_dst4[i + j], 17, i));
	}
}

static void
path_flow_look(void *ctx, uint32_t first, uint32_t n)
{
	struct flow_key key[64];
	struct nexthop *nh[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		for (uint32_t j = 0; j < 64; j++)
			flow_key4(&key[j], 0, flow_src4[i + j], flow_dst4[i + j],
			    flow_l4(17, flow_src4[i + j], FLOW_UDP));
		flowtable_lookup_batch(ctx, key, nh, 64);
		sink += (uintptr_t)nh[0];
	}
}

static void
measure_paths(void)
{
	struct flowtable *ft = flowtable_new("ports", AF_INET, FL_HASH_ALL, 0);
	const uint32_t any = 0;

	flows_make(&table, 1000, false);
	for (uint32_t i = 0; i < PATHS_MAX; i++) {
		const struct rt_request rq = { .dst = rt_addr_make(AF_INET, &any, 0),
			.ifp = &path_out[i],
			.multipath = true };

		path_out[i].if_flags = IFF_UP_ | IFF_RUNNING_;
		path_out[i].if_index = i + 1;
		path_out[i].if_refs = 1;
		TAILQ_INIT(&path_out[i].if_addrs);
		bench_require(rib_add(&rq, NULL) == 0);
		if (((i + 1) & i) != 0)
			continue;
		flow_say("paths", i + 1, "", rib_trace_time(path_look, NULL, ROUNDS));
		flow_say("paths", i + 1, "_flow_1000", rib_trace_time(path_flow_look, ft, ROUNDS));
	}
	for (uint32_t i = 0; i < PATHS_MAX; i++)
		rib_purge_if(&path_out[i]);
}

int
main(void)
{
	if (!rib_table_read(&table)) {
		fprintf(stderr, "no table: shared/data/rib is not there, WARREN_RIB is not set\n");
		return 77;
	}
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	bench_require(
	    sysctl_write(sysctl_find("net.inet.flowtable.nmbflows"), "1048576", NULL, 0) == 0);
	for (int i = 0; i < RIB_HOPS; i++)
		hop[i].ifp = &way_out;
	for (uint8_t i = 0; i < SMALL; i++)
		small[i] =
		    (struct rib_prefix){ .addr = { (uint8_t)(i << 4) }, .plen = 4, .hop = i };
	flows[0] = flowtable_packets_make(AF_INET);
	flows[1] = flowtable_packets_make(AF_INET6);
	for (int i = 0; i < FLOW_COUNTS; i++) {
		measure_flows("flow4", flow_counts[i], false);
		measure_flows("flow6", flow_counts[i], true);
	}
	measure_paths();
	kern_fini();
	worker_detach();
	return sink == 1;
}
