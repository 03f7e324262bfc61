/*
 * bench_fib_changes.c - look-ups in a full table on one core, while the other changes it.
 *
 *	fib4_changes_beside		changes a second, of the 500,000 that were asked for
 *	fib4_changes_lookup_loss	% of the look-ups' rate that this costs
 *	fib4_changes_elsewhere_loss	the same of changes to another table: what a core costs the
 *					other by its work alone, where they share caches or more
 *	fib4_changes_table_loss		of the first over the second: what the table itself costs
 *
 * The three follow each other in short turns. Of each slice of look-ups the least of 8 samples counts,
 * in each of the three; a sample is one during which there were as many changes as there should be,
 * so that it does not matter if the other core was not always to be had. The moments in which the
 * whole table is compiled into a new block are left out by that too.
 */
#include "bench_fib.h"

#include "base/clock.h"
#include "base/worker.h"

#include <pthread.h>
#include <unistd.h>

enum { RATE = 500000, TURN_MS = 40, SAMPLES = 8, MOST_MS = 60000 };
enum beside { QUIET, ELSEWHERE, CHANGES, STATES };

static struct rib_table table;
static uint32_t trace[TRACE];
static uint64_t best[STATES][TRACE / TRACE_SLICE];
static uint8_t samples[STATES][TRACE / TRACE_SLICE];
static enum beside beside_now;
static uint64_t changes; /* so far */
static bool stop;
static uintptr_t sink;

static void
look(uint32_t first)
{
	struct nexthop *nh[64];

	for (uint32_t i = first; i < first + TRACE_SLICE; i += 64) {
		rcu_read_lock();
		fib_lookup4_batch(0, trace + i, nh, 64);
		sink += (uintptr_t)nh[0];
		rcu_read_unlock();
	}
}

/* A slice of look-ups counts if what was to be beside it was there all the time. */
static void
measure(uint32_t slice)
{
	enum beside beside = __atomic_load_n(&beside_now, __ATOMIC_ACQUIRE);
	uint64_t before = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
	uint64_t start = bench_now_ns(), took, changed;

	look(slice * TRACE_SLICE);
	took = bench_now_ns() - start;
	changed = __atomic_load_n(&changes, __ATOMIC_ACQUIRE) - before;
	if (beside != __atomic_load_n(&beside_now, __ATOMIC_ACQUIRE) ||
	    (beside != QUIET && changed < took * RATE / 1000000000))
		return;
	if (samples[beside][slice] == SAMPLES)
		return;
	__atomic_fetch_add(&samples[beside][slice], 1, __ATOMIC_RELEASE);
	best[beside][slice] = took < best[beside][slice] ? took : best[beside][slice];
}

static void *
looker(void *vnet)
{
	VNET_SCOPE(vnet);
	for (uint32_t s = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); s++)
		measure(s % (TRACE / TRACE_SLICE));
	return NULL;
}

/* Changes for a turn, a tenth more than RATE, so that no slice has less; how many. */
static uint64_t
change_for_a_turn(uint8_t fib, uint64_t *seed)
{
	uint64_t start = bench_now_ns(), passed = 0, done = 0;

	while ((passed = bench_now_ns() - start) < TURN_MS * UINT64_C(1000000)) {
		if (done > passed * (RATE + RATE / 10) / 1000000000)
			continue;
		/* two: a prefix leaves, and comes back */
		bench_fib_change(&table.p4[rib_random(seed) % table.n4], false, fib);
		done += 2;
		__atomic_fetch_add(&changes, 2, __ATOMIC_RELEASE);
		if (done % 64 == 0)
			rcu_poll();
	}
	return done;
}

static bool
all_sampled(void)
{
	for (int beside = 0; beside < STATES; beside++)
		for (uint32_t s = 0; s < TRACE / TRACE_SLICE; s++)
			if (__atomic_load_n(&samples[beside][s], __ATOMIC_ACQUIRE) < SAMPLES)
				return false;
	return true;
}

/* ns a look-up, over the slices that have been sampled in all three. */
static double
least(enum beside beside)
{
	uint64_t sum = 0, n = 0;

	for (uint32_t s = 0; s < TRACE / TRACE_SLICE; s++) {
		bool all = true;

		for (int other = 0; other < STATES; other++)
			all &= samples[other][s] == SAMPLES;
		sum += all ? best[beside][s] : 0;
		n += all ? TRACE_SLICE : 0;
	}
	bench_require(n > 0);
	return (double)sum / (double)n;
}

static double
loss(enum beside than, enum beside beside)
{
	return 100 * (1 - least(than) / least(beside));
}

int
main(void)
{
	uint64_t seed = 5, done = 0;
	int turn;
	pthread_t thread;

	if (!rib_table_read(&table))
		return bench_no_table();
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	for (uint8_t fib = 0; fib < 2; fib++)
		bench_fib_load(&table, false, fib);
	rib_trace_make(table.p4, table.n4, 4, RIB_IN_PREFIXES, (uint8_t *)trace);
	memset(best, 0xff, sizeof(best));
	bench_require(pthread_create(&thread, NULL, looker, vnet0) == 0);
	for (turn = 0; turn < MOST_MS / TURN_MS && !all_sampled(); turn++) {
		enum beside beside = (enum beside)(turn % STATES);

		__atomic_store_n(&beside_now, beside, __ATOMIC_RELEASE);
		if (beside == QUIET)
			usleep(TURN_MS * 1000);
		else if (beside == ELSEWHERE)
			change_for_a_turn(1, &seed);
		else
			done += change_for_a_turn(0, &seed);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	bench_say("fib4_changes_beside",
	    (double)done / ((turn + STATES - 1 - CHANGES) / STATES * TURN_MS * 1e-3), "changes/s");
	bench_say("fib4_changes_elsewhere_loss", loss(QUIET, ELSEWHERE), "%");
	bench_say("fib4_changes_lookup_loss", loss(QUIET, CHANGES), "%");
	bench_say("fib4_changes_table_loss", loss(ELSEWHERE, CHANGES), "%");
	for (uint8_t fib = 0; fib < 2; fib++)
		bench_fib_unload(&table, false, fib);
	kern_fini();
	worker_detach();
	return sink == 1;
}
