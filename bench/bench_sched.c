/*
 * bench_sched.c - what a scheduler costs: enqueue and dequeue of a packet, above a null scheduler (a
 * ring of pointers) that is driven in the same way.
 *
 * Two kinds of traffic: all flows always have packets (a packet leaves, the next one of its flow
 * comes), so that the heaps and lists are full; and bursts at random flows at 95 % of the link, so
 * that queues run empty and begin again all the time. The least of many short turns, parts in turn:
 * other programs only add to it.
 */
#include "bench.h"
#include "sched_rig.h"

#include <float.h>
#include <string.h>

enum { ROUNDS = 30, PACKETS = 40000 };

static const char *const parts[] = { "null", "FIFO", "RR", "QFQ", "WF2Q+", "PRIO" };
static const char *const names[] = { "null", "fifo", "rr", "qfq", "wf2q", "prio" };
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void
build(struct rig *r, int part, uint32_t flows, enum rig_arrivals arrivals)
{
	const struct rig_spec spec = {
		.part = rig_part(parts[part]),
		.flows = flows,
		.min_weight = 1,
		.max_weight = 100,
		.levels = 8,
		.sizes = SIZES_RANGE,
		.min_size = 40,
		.max_size = 1500,
		.arrivals = arrivals,
		.backlog = 2,
		.burst = 4,
		.load = 0.95,
		.limit = 50,
		.seed = 1,
	};

	bench_require(part == 0 || spec.part != NULL);
	bench_require(rig_init(r, &spec, NULL));
	/* Until the starts have lost the order in which the flows began. */
	rig_run(r, 8 * (uint64_t)flows);
}

static double
turn(struct rig *r)
{
	uint64_t start;

	rig_run(r, r->spec.flows < PACKETS ? r->spec.flows : PACKETS); /* into the cache again */
	start = bench_now_ns();
	rig_run(r, PACKETS);
	return (double)(bench_now_ns() - start) / PACKETS;
}

static void
compare(uint32_t flows, enum rig_arrivals arrivals, const char *suffix)
{
	double best[PARTS];
	struct rig *rig = calloc(PARTS, sizeof(*rig));
	char name[64];

	bench_require(rig != NULL);
	for (int i = 0; i < PARTS; i++) {
		build(&rig[i], i, flows, arrivals);
		best[i] = DBL_MAX;
	}
	for (int n = 0; n < ROUNDS; n++)
		for (int i = 0; i < PARTS; i++) {
			const double ns = turn(&rig[i]);

			best[i] = ns < best[i] ? ns : best[i];
		}
	for (int i = 0; i < PARTS; i++) {
		snprintf(name, sizeof(name), "sched_%s_%u%s", names[i], flows, suffix);
		bench_say(name, i == 0 ? best[0] : best[i] - best[0], "ns");
		rig_end(&rig[i]);
	}
	free(rig);
}

int
main(void)
{
	static const uint32_t flows[] = { 1, 10, 1000, 32000 };

	for (unsigned i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		compare(flows[i], ARRIVE_SATURATED, "");
		compare(flows[i], ARRIVE_BURSTS, "_bursts");
	}
	return 0;
}
