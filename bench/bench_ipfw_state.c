/*
 * bench_ipfw_state.c - dynamic rules: hits at 64,000 and 1,000,000 states, new states a second.
 *
 * Packets come in batches of 64 whose look-ups are asked for ahead, as hook.c does; in random order,
 * both directions. state_hit_one asks for each packet by itself.
 */
#include "bench.h"

#include "base/rcu.h"
#include "base/rng.h"
#include "base/sched.h"
#include "ipfw/packet.h"
#include "ipfw/state.h"
#include "kern/sysctl.h"
#include "kern/verb.h"

#include <string.h>

enum { MANY = 1000000, HELD = 64000, PACKETS = 1 << 18, BATCH = 64, NEW_SECONDS = 5 };

static struct mbuf shared;
static uint8_t header[64];
static struct fw_rule *rule;

static void
flow(struct fw_packet *p, uint32_t i, bool back)
{
	const uint32_t client = __builtin_bswap32(0x0a000000 + i / 16), server = 0x010200c0;
	const uint16_t port = (uint16_t)(1024 + i % 16);

	*p = (struct fw_packet){ .m = &shared,
		.ip = 4,
		.proto = 17,
		.ip_len = 100,
		.has_ports = true,
		.src = back ? server : client,
		.dst = back ? client : server,
		.sport = back ? 53 : port,
		.dport = back ? port : 53 };
}

static void
set(const char *name, const char *value)
{
	char why[64];

	bench_require(sysctl_write(sysctl_find(name), value, why, sizeof(why)) == 0);
}

static void
add(uint32_t i)
{
	struct fw_packet p;

	flow(&p, i, false);
	bench_require(fw_state_add(rule, &rule->insn[0], &p) == 0);
}

/*
 * ns a hit, over packets of random flows among the first n. Each batch is timed by itself and the
 * median counts: what else the machine does meanwhile is not ours. The packets have been read just
 * before, so they are near.
 */
static double
hits(uint32_t n, bool ahead)
{
	static double took[PACKETS / BATCH];
	struct fw_packet p[BATCH];
	struct rng rng;
	uint64_t start;

	rng_seed(&rng, 1, "bench");
	for (unsigned done = 0; done < PACKETS; done += BATCH) {
		for (unsigned i = 0; i < BATCH; i++)
			flow(&p[i], (uint32_t)rng_below(&rng, n), i & 1);
		__asm__ volatile("" : : "r"(p) : "memory");
		start = bench_now_ns();
		if (ahead)
			fw_state_prefetch(p, BATCH);
		for (unsigned i = 0; i < BATCH; i++)
			bench_require(fw_state_hit(&p[i], "") == rule);
		took[done / BATCH] = (double)(bench_now_ns() - start) / BATCH;
	}
	return bench_median(took, PACKETS / BATCH);
}

/* States a second, made and ended: each lives a second, so that as many end as begin. */
static void
new_states(void)
{
	const uint32_t step = 1000, per_second = 500000;
	uint64_t start;
	uint32_t made = 0;

	set("net.inet.ip.fw.dyn_udp_lifetime", "1");
	start = bench_now_ns();
	for (uint32_t ms = 0; ms < NEW_SECONDS * 1000; ms += step * 1000 / per_second) {
		rcu_read_lock();
		for (uint32_t i = 0; i < step; i++)
			add(made++);
		rcu_read_unlock();
		sched_run(clock_now() + step * 1000 / per_second * NS_PER_MS);
		rcu_poll();
	}
	bench_say("state_new", made / ((double)(bench_now_ns() - start) / 1e9), "states/s");
}

int
main(void)
{
	static struct fw_limit name;
	struct vnet *v;
	uint64_t start, before;
	double took, worst = 0, one;

	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	v = curvnet;
	shared.data = header;
	rule = fw_rule_alloc(1);
	bench_require(rule != NULL);
	rule->insn[0] = (struct fw_insn){ .op = FW_OP_KEEP_STATE };
	rule->insn[0].u.limit = &name;
	set("net.inet.ip.fw.dyn_max", "4000000");
	set("net.inet.ip.fw.dyn_udp_lifetime", "1000");

	for (uint32_t i = 0; i < HELD; i++)
		add(i);
	bench_say("state_hit_64000", hits(HELD, true), "ns");
	bench_say("state_hit_64000_one", hits(HELD, false), "ns");

	before = vnet_memory_of(v);
	start = bench_now_ns();
	for (uint32_t i = HELD; i < MANY; i++) {
		uint64_t t = bench_now_ns();

		add(i);
		one = (double)(bench_now_ns() - t) / 1e3;
		worst = one > worst ? one : worst;
	}
	took = (double)(bench_now_ns() - start);
	bench_say("states_1M", fw_state_count(), "states");
	bench_say("states_1M_memory", (double)(vnet_memory_of(v) - before) / (MANY - HELD),
	    "bytes/state");
	bench_say("states_1M_made", (MANY - HELD) / (took / 1e9), "states/s");
	bench_say("states_1M_worst", worst, "us");
	bench_say("states_1M_hit", hits(MANY, true), "ns");
	start = bench_now_ns();
	fw_state_forget(rule);
	bench_say("states_1M_forget", (double)(bench_now_ns() - start) / 1e6, "ms");
	rcu_synchronize();
	sched_run(clock_now() + 2 * NS_PER_SEC);
	new_states();
	fw_state_forget(rule);
	return 0;
}
