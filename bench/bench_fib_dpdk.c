/*
 * bench_fib_dpdk.c - the peer of bench_fib.c: DPDK's rte_fib and rte_fib6, of Debian's dpdk, on the
 * same table and the same traces, in batches of 64 too. Each figure is that of its best variant:
 * DIR24_8 (TRIE for IPv6) with next hops of 1 (none: too few numbers), 2, 4 and 8 bytes, by each of
 * its look-up functions. The answers are held against each other, and against ours by their sum.
 */
#include "bench_rib.h"

#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>

enum { ROUNDS = 15 };

static struct rib_table table;
static uint32_t trace4[TRACE];
static uint8_t trace6[TRACE][16];
static uint64_t sink;

static void
look4(void *ctx, uint32_t first, uint32_t n)
{
	uint64_t nh[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		rte_fib_lookup_bulk(ctx, trace4 + i, nh, 64);
		sink += nh[0];
	}
}

static void
look6(void *ctx, uint32_t first, uint32_t n)
{
	uint64_t nh[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		rte_fib6_lookup_bulk(ctx, trace6 + i, nh, 64);
		sink += nh[0];
	}
}

static void
say(const char *family, const char *what, double value, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", family, what);
	bench_say(name, value, unit);
}

static struct rte_fib *
fib4_new(enum rte_fib_dir24_8_nh_sz size, double *load_s)
{
	struct rte_fib_conf conf = { .type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = 1 << 20,
		.dir24_8 = { .nh_sz = size, .num_tbl8 = 1 << 14 } };
	struct rte_fib *fib = rte_fib_create("peer", 0, &conf);
	uint64_t start = bench_now_ns();

	if (fib == NULL)
		return NULL;
	for (uint32_t i = 0; i < table.n4; i++) {
		uint32_t ip;

		memcpy(&ip, table.p4[i].addr, 4);
		bench_require(rte_fib_add(fib, __builtin_bswap32(ip), table.p4[i].plen,
				  table.p4[i].hop + 1u) == 0);
	}
	*load_s = (double)(bench_now_ns() - start) * 1e-9;
	return fib;
}

static struct rte_fib6 *
fib6_new(enum rte_fib_trie_nh_sz size, double *load_s)
{
	struct rte_fib6_conf conf = { .type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = 1 << 18,
		.trie = { .nh_sz = size, .num_tbl8 = size == RTE_FIB6_TRIE_2B ? 32767 : 1 << 18 } };
	struct rte_fib6 *fib = rte_fib6_create("peer6", 0, &conf);
	uint64_t start = bench_now_ns();

	if (fib == NULL)
		return NULL;
	for (uint32_t i = 0; i < table.n6; i++)
		if (rte_fib6_add(fib, table.p6[i].addr, table.p6[i].plen, table.p6[i].hop + 1u) !=
		    0) {
			rte_fib6_free(fib);
			return NULL;
		}
	*load_s = (double)(bench_now_ns() - start) * 1e-9;
	return fib;
}

static void
better(double *best, double value)
{
	if (*best == 0 || value < *best)
		*best = value;
}

static void
measure4(double best[RIB_TRACES], double *best_load)
{
	for (int size = RTE_FIB_DIR24_8_2B; size <= RTE_FIB_DIR24_8_8B; size++) {
		double load = 0;
		struct rte_fib *fib = fib4_new((enum rte_fib_dir24_8_nh_sz)size, &load);

		if (fib == NULL)
			continue;
		better(best_load, load);
		for (int type = RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO;
		     type <= RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512; type++) {
			if (rte_fib_select_lookup(fib, (enum rte_fib_lookup_type)type) != 0)
				continue;
			for (int kind = 0; kind < RIB_TRACES; kind++) {
				double ns;

				rib_trace_make(table.p4, table.n4, 4, kind, (uint8_t *)trace4);
				for (uint32_t i = 0; i < TRACE; i++)
					trace4[i] = __builtin_bswap32(trace4[i]);
				ns = rib_trace_time(look4, fib, ROUNDS);
				fprintf(stderr, "rte_fib, %d bytes, look-up %d, %s: %.2f ns\n",
				    1 << size, type, rib_trace_name[kind], ns);
				better(&best[kind], ns);
			}
		}
		rte_fib_free(fib);
	}
}

static void
measure6(double best[RIB_TRACES], double *best_load)
{
	for (int size = RTE_FIB6_TRIE_2B; size <= RTE_FIB6_TRIE_8B; size++) {
		double load = 0;
		struct rte_fib6 *fib = fib6_new((enum rte_fib_trie_nh_sz)size, &load);

		if (fib == NULL)
			continue;
		better(best_load, load);
		for (int type = RTE_FIB6_LOOKUP_TRIE_SCALAR;
		     type <= RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512; type++) {
			if (rte_fib6_select_lookup(fib, (enum rte_fib6_lookup_type)type) != 0)
				continue;
			for (int kind = 0; kind < RIB_TRACES; kind++) {
				double ns;

				rib_trace_make(table.p6, table.n6, 16, kind, trace6[0]);
				ns = rib_trace_time(look6, fib, ROUNDS);
				fprintf(stderr, "rte_fib6, %d bytes, look-up %d, %s: %.2f ns\n",
				    1 << size, type, rib_trace_name[kind], ns);
				better(&best[kind], ns);
			}
		}
		rte_fib6_free(fib);
	}
}

int
main(int argc, char **argv)
{
	static char *eal[] = { "bench_fib_dpdk", "--no-huge", "--no-pci", "--no-telemetry",
		"--no-shconf", "--log-level=3", "--force-max-simd-bitwidth=512", "-m", "1536", "-l",
		"0", NULL };
	double best4[RIB_TRACES] = {}, best6[RIB_TRACES] = {}, load4 = 0, load6 = 0;

	(void)argc;
	(void)argv;
	if (!rib_table_read(&table))
		return bench_no_table();
	bench_require(rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) >= 0);
	measure4(best4, &load4);
	measure6(best6, &load6);
	bench_require(best4[0] > 0 && best6[0] > 0);
	for (int kind = 0; kind < RIB_TRACES; kind++)
		say("rte_fib", rib_trace_name[kind], best4[kind], "ns/lookup");
	say("rte_fib", "load", load4, "s");
	for (int kind = 0; kind < RIB_TRACES; kind++)
		say("rte_fib6", rib_trace_name[kind], best6[kind], "ns/lookup");
	say("rte_fib6", "load", load6, "s");
	rte_eal_cleanup();
	return sink == 1;
}
