/* RED and Gentle RED: the drop curve, the gaps between drops, the average. */
#include "dn_bench.h"

#include <math.h>

static const uint64_t ms = NS_PER_MS;

static int
setup(void **state)
{
	(void)state;
	return worker_attach(0, CLOCK_VIRTUAL) == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	worker_detach();
	return 0;
}

/* The formula, in floating point. */
static double
red_probability(const struct dn_aqm_config *c, double avg)
{
	const double min = c->red.min_th, max = c->red.max_th, max_p = c->red.max_p;
	double p;

	if (avg < min)
		return 0;
	if (avg < max)
		return max_p * (avg - min) / (max - min);
	if (c->kind == DN_AQM_RED)
		return 1;
	p = (1 - max_p) / max * avg - (1 - 2 * max_p);
	return p < 1 ? p : 1;
}

/*
 * Drops a packet: one over the mean gap, whose chance to be longer than n is 1 - n p. *sd is the
 * relative spread of one gap.
 */
static double
red_rate(double p, double *sd)
{
	double mean = 0, squares = 0;

	*sd = 0;
	if (p <= 0 || p >= 1)
		return p <= 0 ? 0 : 1;
	for (double n = 0; n * p < 1; n++) {
		mean += 1 - n * p;
		squares += (2 * n + 1) * (1 - n * p);
	}
	*sd = sqrt(squares - mean * mean) / mean;
	return 1 / mean;
}

static void
expect_curve(enum dn_aqm_kind kind, bool bytes, uint32_t unit, uint32_t len)
{
	const uint32_t n = 100000;

	for (uint32_t avg = 0; avg <= 130; avg += 2) {
		struct bench b;
		double p, rate, sd, got;

		bench_begin(&b, kind);
		b.c.red.w_q = 1; /* the average is the length */
		b.c.red.max_p = 0.1;
		b.c.red.min_th = 20 * unit;
		b.c.red.max_th = 60 * unit;
		b.c.red.bytes = bytes;
		bench_make(&b);
		b.q.packets = b.q.bytes = avg * unit;
		got = (double)count_drops(&b, n, len) / n;
		p = red_probability(&b.c, avg * unit);
		rate = red_rate(bytes && p < 1 ? p * len / b.c.red.max_pkt_size : p, &sd);
		/* Fixed point has p to 2^-16; gaps are independent, so their number's spread is known. */
		if (fabs(got - rate) >
		    5 * sd * sqrt(rate / n) + 2 * 0x1p-16 * (n > 0) + 1e-4 * rate + 1.0 / n)
			fail_msg("average %u, length %u: %.5f dropped, should be %.5f", avg, len,
			    got, rate);
		b.q.packets = b.q.bytes = 0;
		bench_end(&b);
	}
}

static void
test_red_drops_along_its_curve(void **state)
{
	(void)state;
	expect_curve(DN_AQM_RED, false, 1, 1000);
	expect_curve(DN_AQM_GRED, false, 1, 1000);
}

static void
test_red_in_bytes_spares_short_packets(void **state)
{
	(void)state;
	expect_curve(DN_AQM_RED, true, 1500, 1500);
	expect_curve(DN_AQM_RED, true, 1500, 100);
	expect_curve(DN_AQM_GRED, true, 1500, 750);
}

static void
test_red_gaps_are_never_longer_than_one_over_p(void **state)
{
	struct mbuf *m = packet(1000, 0);
	uint32_t gap = 0, longest = 0, shortest = UINT32_MAX, drops = 0;
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_RED);
	b.c.red.w_q = 1;
	b.c.red.max_p = 0.02;
	b.c.red.min_th = 10;
	b.c.red.max_th = 30;
	bench_make(&b);
	b.q.packets = 20; /* p = 0.01 */
	for (uint32_t i = 0; i < 200000; i++, gap++) {
		if (dn_aqm_admit(b.q.aqm, &b.q, m, 0))
			continue;
		if (drops++ > 0) {
			longest = gap > longest ? gap : longest;
			shortest = gap < shortest ? gap : shortest;
		}
		gap = 0;
	}
	/* 0.01 is 655 of 65,536: a gap is at most 65,536 / 655, rounded up */
	assert_in_range(longest, 95, 101);
	assert_in_range(shortest, 1, 3);
	b.q.packets = 0;
	bench_end(&b);
	m_free(m);
}

/* Where the average is, told by thresholds put right above and right below. */
static void
expect_average(struct bench *b, double avg, uint64_t now_ns)
{
	struct mbuf *m = packet(1000, now_ns);
	char before[256];

	assert_true(b->q.aqm->policy->queue_size <= sizeof(before));
	memcpy(before, dn_aqm_own(b->q.aqm), b->q.aqm->policy->queue_size);
	b->c.red.min_th = (uint32_t)floor(avg) - 1;
	b->c.red.max_th = (uint32_t)floor(avg * 0.9995);
	assert_false(dn_aqm_admit(b->q.aqm, &b->q, m, now_ns));
	memcpy(dn_aqm_own(b->q.aqm), before, b->q.aqm->policy->queue_size);
	b->c.red.min_th = (uint32_t)ceil(avg * 1.0005);
	b->c.red.max_th = b->c.red.min_th + 1;
	assert_true(dn_aqm_admit(b->q.aqm, &b->q, m, now_ns));
	m_free(m);
}

static void
test_red_average_decays_while_the_queue_is_empty(void **state)
{
	static const uint32_t idle[] = { 0, 1, 2, 10, 100, 345, 1000 };
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		struct mbuf *m = packet(1000, 0);

		bench_begin(&b, DN_AQM_RED);
		b.c.red.w_q = 1;
		b.c.red.max_p = 1;
		b.c.red.min_th = 1;
		b.c.red.max_th = 1000000;
		b.c.red.typical_ns = 400000;
		bench_make(&b);
		b.q.packets = 200000;
		dn_aqm_admit(b.q.aqm, &b.q, m, 5 * ms);
		b.c.red.w_q = 0.002; /* 131 of 65,536 */
		dn_aqm_config_changed(b.q.aqm);
		b.q.packets = 1;
		dn_queue_append(&b.si, &b.q, m);
		b.q.packets = 1;
		assert_ptr_equal(dn_queue_pop(&b.si, &b.q, 10 * ms), m);
		expect_average(&b, 200000 * pow(1 - 131 / 65536.0, idle[i]),
		    10 * ms + idle[i] * b.c.red.typical_ns + 1);
		m_free(m);
		bench_end(&b);
	}
}

static void
test_red_average_moves_by_its_weight(void **state)
{
	struct mbuf *m = packet(1000, 0);
	double avg = 0;
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_RED);
	b.c.red.w_q = 0.25;
	b.c.red.max_p = 1;
	b.c.red.min_th = 99998;
	b.c.red.max_th = 99999;
	bench_make(&b);
	b.q.packets = 50000;
	for (int i = 0; i < 6; i++) {
		assert_true(dn_aqm_admit(b.q.aqm, &b.q, m, 0));
		avg += 0.25 * (50000 - avg);
	}
	avg += 0.25 * (50000 - avg);
	expect_average(&b, avg, 0);
	b.q.packets = 0;
	bench_end(&b);
	m_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_red_drops_along_its_curve),
		cmocka_unit_test(test_red_in_bytes_spares_short_packets),
		cmocka_unit_test(test_red_gaps_are_never_longer_than_one_over_p),
		cmocka_unit_test(test_red_average_decays_while_the_queue_is_empty),
		cmocka_unit_test(test_red_average_moves_by_its_weight),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
