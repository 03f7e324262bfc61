/*
 * bench_ipfw_wait.c - does a packet wait while rules change? 1,000,000 packets a second meet the rules on
 * one thread; on another the upper half adds a rule in front of all, and deletes it, 1,000 times a
 * second. A packet waits from when it has come until its verdict is there.
 *
 *	wait_SIZE	us: the longest wait of a packet while rules change
 *	wait_quiet_SIZE	the same while nothing changes: what the machine itself costs
 *
 * Each is the median of slices of 2 ms in which rules did change, and in which the system has not taken
 * the thread off its core for another's sake. That it never gave its core away itself, by waiting for a
 * lock, is required of all.
 */
#include "bench.h"

#include "base/clock.h"
#include "base/mbuf.h"
#include "base/rcu.h"
#include "ipfw/chain.h"
#include "ipfw/check.h"
#include "kern/kern.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>

enum {
	PACKET_NS = 1000,
	CHANGE_NS = 1000000,
	SLICE_NS = 2000000,
	SLICES = 101,
	TRACE = 4096,
	PATIENCE_S = 5,
	SKIPPED = 77 /* as run.py knows it */
};

static struct fw_packet trace[TRACE];

struct traffic {
	double longest_us[SLICES];
	int n;            /* slices that count */
	bool changes;     /* rules are to change in each */
	uint32_t changed; /* times that they have; atomic, as is: */
	bool done;
};

static void
command(const char *line)
{
	bench_require(verb_line(NULL, line, false, NULL, NULL) == 0);
}

/* --- rules and packets ---------------------------------------------------- */

/* Number 1 is free for the rule that comes and goes. */
static void
rules_load(uint32_t n)
{
	char line[128];

	command("ipfw -q -f flush");
	fw_change_begin();
	for (uint32_t i = 0; i < n; i++) {
		snprintf(line, sizeof(line),
		    "ipfw -q add %u deny udp from 10.%u.%u.0/24 to any %u-%u", i + 2, i >> 8 & 255,
		    i & 255, i % 1000 + 1, i % 1000 + 20);
		command(line);
	}
	command("ipfw -q add 65000 allow ip from any to any");
	bench_require(fw_change_end() == 0);
}

static void
trace_make(uint32_t n)
{
	static struct mbuf m;

	for (uint32_t i = 0; i < TRACE; i++) {
		const uint32_t rule = (uint32_t)((uint64_t)i * 2654435761u % n);

		trace[i] = (struct fw_packet){ .m = &m,
			.in = true,
			.ip = 4,
			.proto = 17,
			.has_ports = true,
			.dport = (uint16_t)(rule % 1000 + i % 40),
			.src = __builtin_bswap32(0x0a000001 + (rule << 8)),
			.dst = __builtin_bswap32(0xc0000201) };
	}
}

/* --- the packets' thread -------------------------------------------------- */

/* n packets of the trace from number `from` on, as they come from an interface. */
static void
check(uint64_t from, uint32_t n)
{
	struct fw_packet p[BATCH_MAX];
	struct fw_verdict v[BATCH_MAX];

	for (uint32_t i = 0; i < n; i++)
		p[i] = trace[(from + i) % TRACE];
	rcu_read_lock();
	fw_check_batch(V_fw_map, p, n, NULL, v);
	rcu_read_unlock();
}

/* How often the thread has been taken off its core. */
static long
times_preempted(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	bench_require(u.ru_nvcsw == 0); /* waited for nobody */
	return u.ru_nivcsw;
}

/* The longest wait of 2 ms; of each batch the first packet has waited longest. Does it count? */
static bool
slice(const struct traffic *t, double *longest_us)
{
	const uint32_t changed = __atomic_load_n(&t->changed, __ATOMIC_RELAXED);
	const long preempted = times_preempted();
	const uint64_t start = bench_now_ns();
	uint64_t done = 0, longest = 0, came, wait;
	uint32_t n;

	while (done * PACKET_NS < SLICE_NS) {
		came = (bench_now_ns() - start) / PACKET_NS + 1;
		n = came - done < BATCH_MAX ? (uint32_t)(came - done) : BATCH_MAX;
		if (n == 0)
			continue;
		check(done, n);
		wait = bench_now_ns() - start - done * PACKET_NS;
		longest = wait > longest ? wait : longest;
		done += n;
	}
	*longest_us = (double)longest * 1e-3;
	return times_preempted() == preempted &&
	    t->changes == (__atomic_load_n(&t->changed, __ATOMIC_RELAXED) != changed);
}

static void *
packets(void *arg)
{
	struct traffic *t = arg;

	worker_attach(1, CLOCK_VIRTUAL);
	{
		const uint64_t end = bench_now_ns() + PATIENCE_S * UINT64_C(1000000000);
		VNET_SCOPE(vnet0);
		while (t->n < SLICES && bench_now_ns() < end)
			t->n += slice(t, &t->longest_us[t->n]);
	}
	worker_detach();
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* --- the upper half ------------------------------------------------------- */

static void
change(uint32_t turn)
{
	const struct fw_selection added = { .lo = 1, .hi = 1 };

	if (turn % 2 == 0)
		command("ipfw -q add 1 count tcp from any to any 80");
	else
		bench_require(fw_delete(&added) == 1);
	rcu_poll();
}

static void
sleep_until(uint64_t ns)
{
	const struct timespec ts = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		continue;
}

static void
measure(const char *name, bool changes)
{
	struct traffic t = { .changes = changes };
	uint64_t next = bench_now_ns();
	pthread_t thread;

	bench_require(pthread_create(&thread, NULL, packets, &t) == 0);
	while (!__atomic_load_n(&t.done, __ATOMIC_ACQUIRE)) {
		if (changes)
			change(__atomic_fetch_add(&t.changed, 1, __ATOMIC_RELAXED));
		sleep_until(next += CHANGE_NS);
	}
	pthread_join(thread, NULL);
	if (t.changed % 2 != 0)
		change(t.changed);
	if (t.n == 0) {
		fprintf(stderr, "the machine is too busy: no 2 ms without another's work\n");
		exit(SKIPPED);
	}
	bench_say(name, bench_median(t.longest_us, t.n), "us");
}

int
main(void)
{
	static const struct {
		const char *name;
		uint32_t n;
	} size[] = { { "100", 100 }, { "10k", 10000 }, { "60k", 60000 } };
	char name[32];

	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		rules_load(size[i].n);
		trace_make(size[i].n);
		snprintf(name, sizeof(name), "wait_quiet_%s", size[i].name);
		measure(name, false);
		snprintf(name, sizeof(name), "wait_%s", size[i].name);
		measure(name, true);
	}
	return 0;
}
