/*
 * bench_fib.c - look-ups in a full Internet table, in the forms that packets have it in.
 *
 *	fib4_…, fib6_…	ns a look-up by batches of 64: uniform addresses, in the prefixes, by Zipf
 *	fib4_direct_…	with net.route.fib_direct
 *	…_load		s to put all prefixes in, one by one or (bulk) to be seen at once
 *	rib4_load	s to put all prefixes into the tree and the compiled table, by 300 gateways
 *	…_changes	a second: prefixes leave and come back at random
 */
#include "bench_fib.h"

#include "base/clock.h"
#include "base/worker.h"
#include "kern/verb.h"

enum { ROUNDS = 15, PASSES = 8, CHANGES = 500000 };

static struct rib_table table;
static uint32_t trace4[TRACE];
static struct in6 trace6[TRACE];
static const struct in6 *trace6_at[TRACE];
static uintptr_t sink;

static void
look4(void *ctx, uint32_t first, uint32_t n)
{
	struct nexthop *nh[64];

	(void)ctx;
	for (uint32_t i = first; i < first + n; i += 64) {
		fib_lookup4_batch(0, trace4 + i, nh, 64);
		sink += (uintptr_t)nh[0];
	}
}

static void
look6(void *ctx, uint32_t first, uint32_t n)
{
	struct nexthop *nh[64];

	(void)ctx;
	for (uint32_t i = first; i < first + n; i += 64) {
		fib_lookup6_batch(0, trace6_at + i, nh, 64);
		sink += (uintptr_t)nh[0];
	}
}

static void
say(const char *family, const char *what, double value, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", family, what);
	bench_say(name, value, unit);
}

/* The least of several passes over all traces: a shared machine has slow seconds. */
static void
measure_look(bool six, const char *name)
{
	double best[RIB_TRACES] = {};

	for (int pass = 0; pass < PASSES; pass++) {
		for (int kind = 0; kind < RIB_TRACES; kind++) {
			double ns;

			if (six)
				rib_trace_make(table.p6, table.n6, 16, kind, trace6[0].b);
			else
				rib_trace_make(table.p4, table.n4, 4, kind, (uint8_t *)trace4);
			ns = rib_trace_time(six ? look6 : look4, NULL, ROUNDS);
			best[kind] = pass == 0 || ns < best[kind] ? ns : best[kind];
		}
	}
	for (int kind = 0; kind < RIB_TRACES; kind++)
		say(name, rib_trace_name[kind], best[kind], "ns/lookup");
}

/* The least of some loads; the last one stays. */
static double
load_s(bool six, bool bulk)
{
	double best = 1e9, took;
	uint64_t start;

	for (int run = 0; run < 5; run++) {
		if (run > 0)
			bench_fib_unload(&table, six, 0);
		start = bench_now_ns();
		if (bulk)
			fib_bulk_begin();
		bench_fib_load(&table, six, 0);
		if (bulk)
			bench_require(fib_bulk_end() == 0);
		took = (double)(bench_now_ns() - start) * 1e-9;
		best = took < best ? took : best;
	}
	return best;
}

/* Prefixes leave and come back: the rate of the best slice of a tenth. */
static double
changes_a_second(bool six)
{
	const struct rib_prefix *p = six ? table.p6 : table.p4;
	uint32_t n = six ? table.n6 : table.n4;
	uint64_t seed = 3, start, took, least = UINT64_MAX;

	for (int slice = 0; slice < 10; slice++) {
		start = bench_now_ns();
		for (uint32_t i = 0; i < CHANGES / 20; i++) {
			bench_fib_change(&p[rib_random(&seed) % n], six, 0);
			if (i % 64 == 0)
				rcu_poll();
		}
		took = bench_now_ns() - start;
		least = took < least ? took : least;
	}
	return CHANGES / 10 / ((double)least * 1e-9);
}

static int
rib_change_all(struct ifnet *ifp, int (*change)(const struct rt_request *rq))
{
	for (uint32_t i = 0; i < table.n4; i++) {
		uint32_t gateway = __builtin_bswap32(0x7f010000 + table.p4[i].hop);
		struct rt_request rq = {
			.dst = bench_prefix(&table.p4[i], false),
			.gateway = rt_addr_make(AF_INET, &gateway, 32),
			.ifp = ifp,
			.flags = RTF_PROTO1_,
		};

		bench_require(change(&rq) == 0);
		if (i % 1024 == 0)
			rcu_poll();
	}
	return 0;
}

static int
rib_add_one(const struct rt_request *rq)
{
	return rib_add(rq, NULL);
}

/* Tree and compiled table together, as a routing daemon's feed does it: the least of some. */
static void
measure_rib(void)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "mem", 0);
	double best = 1e9, took;
	uint64_t start;

	for (int run = 0; run < 3; run++) {
		start = bench_now_ns();
		fib_bulk_begin();
		rib_change_all(ifp, rib_add_one);
		bench_require(fib_bulk_end() == 0);
		took = (double)(bench_now_ns() - start) * 1e-9;
		best = took < best ? took : best;
		rib_change_all(ifp, rib_delete);
	}
	bench_say("rib4_load", best, "s");
	if_free(ifp);
}

static void
command(const char *line)
{
	char *err = NULL;

	bench_require(verb_line(NULL, line, false, NULL, &err) == 0);
	free(err);
}

static void
measure_family(bool six)
{
	const char *name = six ? "fib6" : "fib4";
	uint64_t packets, control;

	say(name, "load", load_s(six, false), "s");
	bench_fib_unload(&table, six, 0);
	say(name, "load_bulk", load_s(six, true), "s");
	fib_size(0, six ? AF_INET6 : AF_INET, &packets, &control);
	say(name, "memory", (double)packets / 1048576, "MiB");
	say(name, "memory_control", (double)control / 1048576, "MiB");
	measure_look(six, name);
	say(name, "changes", changes_a_second(six), "changes/s");
	if (!six) {
		command("sysctl net.route.fib_direct=1");
		fib_size(0, AF_INET, &packets, &control);
		say("fib4_direct", "memory", (double)packets / 1048576, "MiB");
		measure_look(six, "fib4_direct");
		say("fib4_direct", "changes", changes_a_second(six), "changes/s");
	}
	bench_fib_unload(&table, six, 0);
}

int
main(void)
{
	if (!rib_table_read(&table))
		return bench_no_table();
	for (uint32_t i = 0; i < TRACE; i++)
		trace6_at[i] = &trace6[i];
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	measure_rib();
	measure_family(false);
	measure_family(true);
	kern_fini();
	worker_detach();
	return sink == 1;
}
