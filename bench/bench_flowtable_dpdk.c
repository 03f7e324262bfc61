/*
 * bench_flowtable_dpdk.c - the peer of bench_flowtable.c: DPDK's rte_hash, of Debian's dpdk, with
 * the same packets' addresses as keys of 8 bytes, by its bulk look-up of 64.
 */
#include "bench_flows.h"

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

enum { ROUNDS = 11 };

static struct rib_table table;
static uintptr_t sink;

static void
keys_make(uint64_t *key, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		key[i] = (uint64_t)flow_src4[first + i] << 32 | flow_dst4[first + i];
}

static void
look(void *ctx, uint32_t first, uint32_t n)
{
	const void *at[64];
	uint64_t key[64], hits;
	void *data[64];

	for (uint32_t i = first; i < first + n; i += 64) {
		keys_make(key, i, 64);
		for (unsigned j = 0; j < 64; j++)
			at[j] = &key[j];
		rte_hash_lookup_bulk_data(ctx, at, 64, &hits, data);
		bench_require(hits == UINT64_MAX);
		sink += (uintptr_t)data[0];
	}
}

static void
measure(uint32_t n)
{
	const struct rte_hash_parameters how = {
		.name = "peer",
		.entries = n + n / 20,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_hash_crc,
	};
	struct rte_hash *h = rte_hash_create(&how);

	bench_require(h != NULL);
	flows_make(&table, n, false);
	for (uint32_t i = 0; i < TRACE; i++) {
		uint64_t key;

		keys_make(&key, i, 1);
		bench_require(rte_hash_add_key_data(h, &key, (void *)(uintptr_t)i) == 0);
	}
	flow_say("rte_hash", n, "", rib_trace_time(look, h, ROUNDS));
	rte_hash_free(h);
}

int
main(int argc, char **argv)
{
	static char *eal[] = { "bench_flowtable_dpdk", "--no-huge", "--no-pci", "--no-telemetry",
		"--no-shconf", "--log-level=3", "--force-max-simd-bitwidth=512", "-m", "512", "-l",
		"0", NULL };

	(void)argc;
	(void)argv;
	if (!rib_table_read(&table)) {
		fprintf(stderr, "no table: shared/data/rib is not there, WARREN_RIB is not set\n");
		return 77;
	}
	bench_require(rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) >= 0);
	for (int i = 0; i < FLOW_COUNTS; i++)
		measure(flow_counts[i]);
	rte_eal_cleanup();
	return sink == 1;
}
