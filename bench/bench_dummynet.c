/*
 * 10,000 pipes, all of them busy: each has four packets that go in again when they come out, at rates
 * and delays that are all different, so that no two events fall together and there are no batches.
 * A packet is served, delivered and given in again: two events, except without a delay.
 */
#include "bench.h"

#include "base/sched.h"
#include "dummynet/dn.h"
#include "kern/kern.h"

enum { PIPES = 10000, PACKETS = 4, LEN = 1000, SLICES = 300 };

static uint64_t delivered;

static void
in_again(const struct dn_door *door, struct batch *b)
{
	delivered += b->n;
	batch_foreach(b, m) {
		uint32_t pipe = m->flowid;

		if (!dn_input(m, pipe, false, door))
			delivered = 0;
	}
	b->n = 0;
}
static const struct dn_door door = { .name = "bench", .deliver = in_again };

static void
lay(uint64_t delay_ns)
{
	const char *why;

	for (uint32_t i = 1; i <= PIPES; i++) {
		const struct dn_change c = { .set = DN_SET_RATE | DN_SET_DELAY,
			.sched.link = { .rate_bps = 8000000 + 997 * i,
			    .delay_ns = delay_ns == 0 ? 0 : delay_ns + 131 * i } };

		bench_require(dn_pipe_config(i, &c, &why) == 0);
	}
}

static void
fill(void)
{
	for (uint32_t i = 1; i <= PIPES; i++)
		for (int k = 0; k < PACKETS; k++) {
			struct mbuf *m = m_get(LEN);

			bench_require(m != NULL);
			m->flowid = i;
			bench_require(dn_input(m, i, false, &door));
		}
}

/* Packets a second through all pipes together: the best of many short slices. */
static double
rate(uint64_t delay_ns)
{
	double best = 0;

	lay(delay_ns);
	fill();
	sched_run(clock_now() + 50 * NS_PER_MS);
	for (int i = 0; i < SLICES; i++) {
		const uint64_t before = delivered, start = bench_now_ns();
		double pps;

		sched_run(clock_now() + NS_PER_MS);
		pps = (double)(delivered - before) * 1e9 / (double)(bench_now_ns() - start);
		best = pps > best ? pps : best;
	}
	dn_flush();
	return best;
}

/* Of a pipe that is there and has nothing to do; 24 bytes more than asked for are each piece's. */
static double
idle_bytes(void)
{
	const uint64_t before = vnet_memory();
	double bytes;

	lay(1);
	bytes = (double)(vnet_memory() - before) / PIPES + 3 * 24;
	dn_flush();
	return bytes;
}

int
main(void)
{
	bench_require(worker_attach(0, CLOCK_VIRTUAL) != NULL);
	kern_init();
	curvnet = vnet0;
	m_set_limit(UINT64_C(1) << 30);
	bench_say("dummynet_idle_pipe", idle_bytes(), "bytes");
	bench_say("dummynet_10000_pipes", rate(0) / 1e6, "Mpps");
	bench_say("dummynet_10000_pipes_delay", rate(NS_PER_MS) / 1e6, "Mpps");
	bench_require(delivered > 0);
	curvnet = NULL;
	kern_fini();
	return 0;
}
