/*
 * bench_fib_stacks_dpdk.c - the peer of bench_fib_stacks.c: DPDK's rte_fibs, each with the full
 * table, used in turn. They have their smallest form that holds it (DIR24_8 of 2 bytes, 1,024 tables
 * of the second level), whose 32 MiB are what packets read; each needs ten times that to be built,
 * with no more nodes than the table has. Therefore there are as many as fit into three quarters of
 * the memory that is free (rte_fib_stacks of them), up to 64. More of them are slower, so that a
 * figure of fewer than 64 is too good: 16, 32, 48 of them took 30, 45, 59 ns in the prefixes.
 */
#include "bench_rib.h"

#include <rte_eal.h>
#include <rte_fib.h>

enum { STACKS = 64, ROUNDS = 15, NODES = 1660000 /* of the tree of this table */ };

static struct rib_table table;
static struct rte_fib *stack[STACKS];
static unsigned stacks;
static uint32_t trace[TRACE];
static uint64_t sink;

static void
look(void *ctx, uint32_t first, uint32_t n)
{
	uint64_t nh[64];

	(void)ctx;
	for (uint32_t i = first; i < first + n; i += 64) {
		rte_fib_lookup_bulk(stack[i / 64 % stacks], trace + i, nh, 64);
		sink += nh[0];
	}
}

static struct rte_fib *
fib_new(unsigned number)
{
	struct rte_fib_conf conf = { .type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = NODES / 2, /* it makes room for twice as many nodes */
		.dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = 1 << 10 } };
	char name[32];
	struct rte_fib *fib;

	snprintf(name, sizeof(name), "peer%u", number);
	fib = rte_fib_create(name, 0, &conf);
	if (fib == NULL)
		return NULL;
	for (uint32_t i = 0; i < table.n4; i++) {
		uint32_t ip;

		memcpy(&ip, table.p4[i].addr, 4);
		bench_require(rte_fib_add(fib, __builtin_bswap32(ip), table.p4[i].plen,
				  table.p4[i].hop + 1u) == 0);
	}
	return fib;
}

static unsigned
mib_available(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return (unsigned)(kib / 1024);
}

static void
eal_start(unsigned mib)
{
	char memory[16];
	char *eal[] = { "bench_fib_stacks_dpdk", "--no-huge", "--no-pci", "--no-telemetry",
		"--no-shconf", "--log-level=3", "--force-max-simd-bitwidth=512", "-m", memory, "-l",
		"0", NULL };

	snprintf(memory, sizeof(memory), "%u", mib);
	bench_require(rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) >= 0);
}

static double
measure(int kind, int type)
{
	for (unsigned s = 0; s < stacks; s++)
		if (rte_fib_select_lookup(stack[s], (enum rte_fib_lookup_type)type) != 0)
			return 0;
	rib_trace_make(table.p4, table.n4, 4, kind, (uint8_t *)trace);
	for (uint32_t i = 0; i < TRACE; i++)
		trace[i] = __builtin_bswap32(trace[i]);
	return rib_trace_time(look, NULL, ROUNDS);
}

int
main(void)
{
	if (!rib_table_read(&table))
		return bench_no_table();
	eal_start(mib_available() / 4 * 3);
	while (stacks < STACKS && (stack[stacks] = fib_new(stacks)) != NULL)
		stacks++;
	bench_require(stacks > 0);
	for (int kind = 0; kind < RIB_TRACES; kind++) {
		double best = 0;
		char name[64];

		for (int type = RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO;
		     type <= RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512; type++) {
			double ns = measure(kind, type);

			best = ns > 0 && (best == 0 || ns < best) ? ns : best;
		}
		snprintf(name, sizeof(name), "rte_fib_stacks_%s", rib_trace_name[kind]);
		bench_say(name, best, "ns/lookup");
	}
	bench_say("rte_fib_stacks", stacks, "tables");
	rte_eal_cleanup();
	return sink == 1;
}
