/*
 * Look-ups in the firewall's tables of addresses: 1,000,000 IPv4 prefixes of two lengths, as blocklists
 * have them, and of 25, as routes have them; a third of the addresses is in none.
 */
#include "bench.h"

#include "base/rng.h"
#include "base/sched.h"
#include "ipfw/table_internal.h"
#include "kern/kern.h"

enum { ENTRIES = 1000000, LOOKUPS = 1 << 20 };

static uint32_t addr[LOOKUPS]; /* network order */

static void
fill(struct fw_table *t, struct rng *rng, unsigned shortest, unsigned step)
{
	const unsigned lengths = (32 - shortest) / step + 1;
	uint32_t net;

	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct fw_table_change c = { .key = { .kind = FW_KEYED_IP4, .words = 1 },
			.value.number = i };

		c.key.plen = (uint8_t)(32 - step * rng_below(rng, lengths));
		/* two thirds of the addresses, so that some have no entry */
		net = (uint32_t)rng_below(rng, 0xaaaaaaaa);
		c.key.w[0] = net >> (32 - c.key.plen) << (32 - c.key.plen);
		addr[i % LOOKUPS] = __builtin_bswap32(
		    i % 3 == 0 ? (uint32_t)rng_u64(rng) | 0xc0000000 : net);
		(void)fw_table_apply(t, FW_TABLE_SET, &c, 1, false);
	}
	for (uint32_t i = ENTRIES; i < LOOKUPS; i++)
		addr[i] = addr[i - ENTRIES];
	for (uint32_t i = LOOKUPS; i-- > 1;) {
		uint32_t k = (uint32_t)rng_below(rng, i + 1), a = addr[i];

		addr[i] = addr[k];
		addr[k] = a;
	}
}

/* The best of several rounds, ns for each. */
static double
lookup_ns(uint16_t table)
{
	double best = 1e9;
	struct fw_value v;
	uint64_t found = 0;

	for (int round = 0; round < 5; round++) {
		uint64_t start = bench_now_ns();
		double ns;

		for (uint32_t i = 0; i < LOOKUPS; i++)
			found += fw_table_find4(table, addr[i], &v);
		ns = (double)(bench_now_ns() - start) / LOOKUPS;
		best = ns < best ? ns : best;
	}
	bench_require(found > 0);
	return best;
}

int
main(void)
{
	struct rng rng;
	struct fw_table *t;

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	VNET_SCOPE(vnet0);
	rng_seed(&rng, 1, "bench_ipfw_table");
	bench_require(fw_table_make("1", &t) == 0);
	fill(t, &rng, 24, 8);
	bench_say("ipfw_table_2_lengths", lookup_ns(t->index), "ns");
	bench_require(fw_table_make("2", &t) == 0);
	fill(t, &rng, 8, 1);
	bench_say("ipfw_table_25_lengths", lookup_ns(t->index), "ns");
	kern_fini();
	return 0;
}
