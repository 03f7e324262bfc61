/*
 * bench_fib_stacks.c - 64 stacks that each hold the full IPv4 table, and look up a batch of 64 in
 * turn: what the size of a table costs when several share the caches.
 *
 *	fib_stacks_build	s until all have it
 *	fib_stacks_memory	MiB that packets may read, of all together
 *	fib_stacks_…		ns a look-up: uniform addresses, in the prefixes, by Zipf
 */
#include "bench_fib.h"

#include "base/clock.h"
#include "base/worker.h"
#include "kern/vnet.h"

enum { STACKS = 64, ROUNDS = 15 };

static struct rib_table table;
static struct vnet *stack[STACKS];
static uint32_t trace[TRACE];
static uintptr_t sink;

static void
look(void *ctx, uint32_t first, uint32_t n)
{
	struct nexthop *nh[64];

	(void)ctx;
	for (uint32_t i = first; i < first + n; i += 64) {
		VNET_SCOPE(stack[i / 64 % STACKS]);
		fib_lookup4_batch(0, trace + i, nh, 64);
		sink += (uintptr_t)nh[0];
	}
}

int
main(void)
{
	uint64_t start, packets, control, sum = 0;

	if (!rib_table_read(&table))
		return bench_no_table();
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	start = bench_now_ns();
	for (unsigned s = 0; s < STACKS; s++) {
		bench_require((stack[s] = vnet_alloc()) != NULL);
		VNET_SCOPE(stack[s]);
		fib_bulk_begin();
		bench_fib_load(&table, false, 0);
		bench_require(fib_bulk_end() == 0);
		fib_size(0, AF_INET, &packets, &control);
		sum += packets;
	}
	bench_say("fib_stacks_build", (double)(bench_now_ns() - start) * 1e-9, "s");
	bench_say("fib_stacks_memory", (double)sum / 1048576, "MiB");
	for (int kind = 0; kind < RIB_TRACES; kind++) {
		char name[64];

		rib_trace_make(table.p4, table.n4, 4, kind, (uint8_t *)trace);
		snprintf(name, sizeof(name), "fib_stacks_%s", rib_trace_name[kind]);
		bench_say(name, rib_trace_time(look, NULL, ROUNDS), "ns/lookup");
	}
	return sink == 1;
}
