/*
 * dn_bench.h - a queue with a policy, and an instance that only counts drops.
 */
#ifndef WARREN_TESTS_DN_BENCH_H
#define WARREN_TESTS_DN_BENCH_H

#include "base/clock.h"
#include "dn_packets.h"
#include "dummynet/dn_aqm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct bench {
	struct dn_sched_instance si; /* first */
	struct dn_queue q;
	struct dn_aqm_config c;
	struct rng rng;
	uint32_t dropped;
};

static inline void
bench_drop(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	struct bench *b = (void *)si;

	assert_ptr_equal(q, &b->q);
	b->dropped++;
	m_free(m);
}

static inline void
bench_begin(struct bench *b, enum dn_aqm_kind kind)
{
	*b = (struct bench){ .si.drop = bench_drop };
	dn_aqm_defaults(&b->c, kind);
	rng_seed(&b->rng, 1, "test");
}

static inline void
bench_make(struct bench *b)
{
	int error;

	assert_null(dn_aqm_check(&b->c));
	b->q.aqm = dn_aqm_new(&b->c, &b->rng, 0, &error);
	assert_non_null(b->q.aqm);
}

static inline void
bench_end(struct bench *b)
{
	while (b->q.head != NULL)
		m_free(dn_queue_take(&b->si, &b->q));
	dn_aqm_free(b->q.aqm);
}

static inline struct mbuf *
packet(uint32_t len, uint64_t when_ns)
{
	struct mbuf *m = dn_udp4(1, len, 0);

	m->when_ns = when_ns;
	return m;
}

/* How many of n packets that come at time 0 are refused; none is appended. */
static inline uint32_t
count_drops(struct bench *b, uint32_t n, uint32_t len)
{
	struct mbuf *m = packet(len, 0);
	uint32_t drops = 0;

	for (uint32_t i = 0; i < n; i++)
		drops += !dn_aqm_admit(b->q.aqm, &b->q, m, 0);
	m_free(m);
	return drops;
}

#endif
