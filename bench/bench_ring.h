/*
 * bench_ring.h - a driver whose link is memory: its receive ring hands over batches of 64 mbufs and
 * prefetches one batch ahead, as drivers of network cards do; what is sent comes to the end of the
 * ring. So a stack meets a packet's lines as cold as the number of packets in flight makes them.
 */
#ifndef WARREN_BENCH_RING_H
#define WARREN_BENCH_RING_H

#include "bench.h"

#include "base/mbuf.h"
#include "net/ethernet.h"

enum { RING_MAX = 1 << 16 };

/* Packets in flight: of one family and length. */
struct ring {
	struct mbuf *slot[RING_MAX];
	uint32_t head, count;
	uint32_t frame_len;
	uint64_t sent;
};

/* The one that is measured, which the drivers' way out fills. */
static struct ring *ring;

static inline void
ring_add(struct ring *r, struct mbuf *m)
{
	r->slot[(r->head + r->count++) % RING_MAX] = m;
}

static inline void
prefetch_frame(const struct mbuf *m)
{
	__builtin_prefetch(m, 1);
	/*
	 * the driver filled the buffer, so it knows where the frame begins without reading the
	 * header
	 */
	__builtin_prefetch((const uint8_t *)m + sizeof(*m) + M_HEADROOM, 1);
}

/* ns per packet of one slice of the measurement, with the packets in r. */
static double
ring_slice(struct ifnet *in, struct ring *r, uint64_t packets)
{
	uint64_t start, sent = r->sent;

	ring = r;
	start = bench_now_ns();
	for (uint64_t done = 0; done < packets; done += BATCH_MAX) {
		struct batch b;

		b.n = BATCH_MAX;
		for (uint32_t i = 0; i < BATCH_MAX; i++) {
			b.m[i] = r->slot[(r->head + i) % RING_MAX];
			prefetch_frame(r->slot[(r->head + BATCH_MAX + i) % RING_MAX]);
		}
		r->head += BATCH_MAX;
		r->count -= BATCH_MAX;
		if_receive(in, &b);
	}
	return (double)(bench_now_ns() - start) / (double)(r->sent - sent);
}

static void
ring_drain(struct ring *r, uint32_t in_flight)
{
	bench_require(r->count == in_flight);
	for (; r->count > 0; r->count--)
		m_free(r->slot[r->head++ % RING_MAX]);
}

#endif
