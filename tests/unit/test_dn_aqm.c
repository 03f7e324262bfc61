/* CoDel's law, PIE's controller, marks, and how policies are configured. */
#include "dn_bench.h"
#include "dummynet/dn_door.h"
#include "kern/vnet.h"
#include "net/ethernet.h"

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

/* --- CoDel ------------------------------------------------------------------------------------ */

/*
 * A queue whose packets have all waited 20 ms when they leave, one each step_ns: the times of the
 * first n drops.
 */
static void
codel_drops(struct bench *b, uint64_t step_ns, uint64_t *times, uint32_t n)
{
	uint64_t now = 50 * ms;

	for (int i = 0; i < 3; i++)
		dn_queue_append(&b->si, &b->q, packet(1000, 0));
	while (b->dropped < n) {
		const uint32_t before = b->dropped;
		struct mbuf *m;

		for (struct mbuf *p = b->q.head; p != NULL; p = p->next)
			p->when_ns = now - 20 * ms;
		dn_queue_append(&b->si, &b->q, packet(1000, now - 20 * ms));
		dn_queue_append(&b->si, &b->q, packet(1000, now - 20 * ms));
		m = dn_queue_pop(&b->si, &b->q, now);
		assert_non_null(m);
		m_free(m);
		assert_true(b->dropped <= before + 1);
		if (b->dropped > before)
			times[before] = now;
		else
			m_free(dn_queue_take(&b->si, &b->q));
		now += step_ns;
	}
}

static void
test_codel_drops_by_its_control_law(void **state)
{
	enum { N = 40, STEP = 1000 };
	uint64_t times[N], next;
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_CODEL);
	bench_make(&b);
	codel_drops(&b, STEP, times, N);
	/* The first, an interval after the time was above the target for the first time. */
	assert_int_equal(times[0], 50 * ms + 100 * ms);
	next = times[0];
	for (uint32_t count = 1; count < N; count++) {
		next += (uint64_t)floor(100e6 / sqrt(count));
		assert_in_range(times[count], next, next + STEP);
	}
	/* By hand: 100, 70.71, 57.74, 50 ms behind each other. */
	assert_in_range(times[4] - times[0], 278444000, 278447000);
	assert_int_equal(b.q.dropped, N);
	bench_end(&b);
}

static void
test_codel_law_holds_for_long_intervals(void **state)
{
	uint64_t times[5];
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_CODEL);
	b.c.codel.interval_ns = 10 * NS_PER_SEC;
	bench_make(&b);
	codel_drops(&b, ms, times, 5);
	assert_in_range(times[4] - times[0], 27844400000, 27848000000);
	bench_end(&b);
}

static void
test_codel_leaves_a_short_wait_or_a_last_packet_alone(void **state)
{
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_CODEL);
	bench_make(&b);
	for (uint64_t now = ms; now < 1000 * ms; now += ms) {
		/* Two packets wait, but less than the target; then one alone, for ever. */
		const bool many = now < 500 * ms;

		dn_queue_append(&b.si, &b.q, packet(1000, many ? now - 1 : 0));
		if (many)
			dn_queue_append(&b.si, &b.q, packet(1000, now - 1));
		while (b.q.head != NULL)
			m_free(dn_queue_pop(&b.si, &b.q, now));
	}
	assert_int_equal(b.dropped, 0);
	bench_end(&b);
}

static void
test_codel_goes_on_at_its_rate_after_a_short_pause(void **state)
{
	uint64_t times[12];
	struct bench b;
	uint64_t now;

	(void)state;
	bench_begin(&b, DN_AQM_CODEL);
	bench_make(&b);
	codel_drops(&b, 1000, times, 10);
	/* One packet that did not wait ends it. 100 ms later it begins again: not from 1, but 9. */
	now = times[9] + ms;
	while (b.q.head != NULL)
		m_free(dn_queue_take(&b.si, &b.q));
	dn_queue_append(&b.si, &b.q, packet(1000, now));
	m_free(dn_queue_pop(&b.si, &b.q, now));
	for (uint64_t first = 0; b.dropped < 12; now += 1000) {
		const uint32_t before = b.dropped;

		while (b.q.packets < 4)
			dn_queue_append(&b.si, &b.q, packet(1000, now - 20 * ms));
		m_free(dn_queue_pop(&b.si, &b.q, now));
		if (b.dropped == before)
			continue;
		if (before == 10)
			first = now;
		else
			assert_in_range(now - first, (uint64_t)(100e6 / sqrt(9)) - 1,
			    (uint64_t)(100e6 / sqrt(9)) + 1001);
	}
	bench_end(&b);
}

/* --- PIE -------------------------------------------------------------------------------------- */

/* RFC 8033's controller in floating point. */
struct pie_reference {
	double p, before;
};

static void
pie_reference_update(struct pie_reference *r, const struct dn_aqm_config *c, double delay)
{
	const double target = (double)c->pie.target_ns / 1e9;
	double step = c->pie.alpha * (delay - target) + c->pie.beta * (delay - r->before);

	step /= r->p < 1e-6 ? 2048 :
	    r->p < 1e-5     ? 512 :
	    r->p < 1e-4     ? 128 :
	    r->p < 1e-3     ? 32 :
	    r->p < 1e-2     ? 8 :
	    r->p < 1e-1     ? 2 :
			      1;
	if (c->pie.cap_drop && r->p >= 0.1 && step > 0.02)
		step = 0.02;
	r->p += step;
	if (delay < target / 2 && r->before < target / 2)
		r->p *= 0.98;
	r->p = r->p < 0 ? 0 : r->p > 1 ? 1 : r->p;
	r->before = delay;
}

/* Where the controller is after `updates` of them at a delay that grows evenly. */
static void
expect_pie(bool cap, uint64_t end_delay_ns, uint32_t updates)
{
	const uint32_t n = 100000;
	struct pie_reference r = { 0, 0 };
	struct mbuf *head, *m = packet(1500, 0);
	uint64_t now = 0;
	uint32_t drops;
	struct bench b;

	bench_begin(&b, DN_AQM_PIE);
	b.c.pie.derandomise = false;
	b.c.pie.cap_drop = cap;
	b.c.pie.max_burst_ns = 0;
	bench_make(&b);
	for (int i = 0; i < 10; i++)
		dn_queue_append(&b.si, &b.q, packet(1500, 0));
	head = b.q.head;
	for (uint32_t i = 1; i <= updates; i++) {
		uint64_t delay = end_delay_ns * i / updates;

		now += b.c.pie.tupdate_ns;
		delay = delay < now ? delay : now;
		head->when_ns = now - delay;
		dn_aqm_admit(b.q.aqm, &b.q, m, now);
		pie_reference_update(&r, &b.c, (double)delay / 1e9);
	}
	drops = count_drops(&b, n, 1500);
	if (fabs((double)drops / n - r.p) > 5 * sqrt(r.p * (1 - r.p) / n) + 1.0 / n)
		fail_msg("%u updates to %lu ns: %.5f dropped, should be %.5f", updates,
		    (unsigned long)end_delay_ns, (double)drops / n, r.p);
	m_free(m);
	bench_end(&b);
}

static void
test_pie_probability_follows_the_formula(void **state)
{
	(void)state;
	for (uint32_t updates = 20; updates <= 2000; updates += updates / 2) {
		expect_pie(true, 20 * ms, updates);
		expect_pie(true, 50 * ms, updates);
		expect_pie(true, 400 * ms, updates);
		expect_pie(false, 400 * ms, updates);
	}
}

static void
test_pie_updates_are_the_same_however_late_they_are_computed(void **state)
{
	struct mbuf *head = packet(1500, 3 * ms);
	struct bench lazy, eager;
	uint64_t now;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bench *b = i == 0 ? &lazy : &eager;

		bench_begin(b, DN_AQM_PIE);
		bench_make(b);
	}
	for (now = 4 * ms; now < 1000 * ms; now += 777777)
		eager.q.aqm->policy->dequeue(eager.q.aqm, &eager.q, head, now);
	eager.q.aqm->policy->dequeue(eager.q.aqm, &eager.q, head, now);
	lazy.q.aqm->policy->dequeue(lazy.q.aqm, &lazy.q, head, now);
	assert_memory_equal(
	    dn_aqm_own(lazy.q.aqm), dn_aqm_own(eager.q.aqm), lazy.q.aqm->policy->queue_size);
	m_free(head);
	bench_end(&lazy);
	bench_end(&eager);
}

static void
test_pie_comes_to_rest_after_any_idle_time(void **state)
{
	struct mbuf *m = packet(1500, 0);
	struct bench b;

	(void)state;
	bench_begin(&b, DN_AQM_PIE);
	bench_make(&b);
	for (int i = 0; i < 10; i++)
		dn_queue_append(&b.si, &b.q, packet(1500, 0));
	assert_true(count_drops(&b, 1000, 1500) == 0);
	dn_aqm_admit(b.q.aqm, &b.q, m, 2000 * ms); /* p is high now */
	b.q.head->when_ns = 2000 * ms;
	while (b.q.head != NULL)
		m_free(dn_queue_take(&b.si, &b.q));
	/* A year later a burst may come again. */
	assert_true(dn_aqm_admit(b.q.aqm, &b.q, m, 31536000 * NS_PER_SEC));
	for (int i = 0; i < 10; i++)
		dn_queue_append(&b.si, &b.q, packet(1500, 31536000 * NS_PER_SEC));
	for (uint64_t t = 0; t < 140 * ms; t += ms / 4)
		assert_true(dn_aqm_admit(b.q.aqm, &b.q, m, 31536000 * NS_PER_SEC + t));
	m_free(m);
	bench_end(&b);
}

static void
test_pie_lets_a_burst_through_but_not_a_queue(void **state)
{
	struct mbuf *m = packet(1500, 0);
	struct bench b;
	uint32_t drops = 0;

	(void)state;
	bench_begin(&b, DN_AQM_PIE);
	bench_make(&b);
	for (int i = 0; i < 100; i++)
		dn_queue_append(&b.si, &b.q, packet(1500, 0));
	for (uint64_t now = 0; now < 1000 * ms; now += ms / 2) {
		drops += !dn_aqm_admit(b.q.aqm, &b.q, m, now);
		if (now < 150 * ms)
			assert_int_equal(drops, 0);
	}
	assert_true(drops > 50);
	m_free(m);
	bench_end(&b);
}

/* Derandomised, drops keep a distance: the sum of p between two is at least 0.85. */
static void
test_pie_drops_keep_their_distance(void **state)
{
	uint32_t gap = 0, shortest[2] = { UINT32_MAX, UINT32_MAX };
	struct mbuf *m = packet(1500, 0);

	(void)state;
	for (int derandomise = 0; derandomise < 2; derandomise++) {
		struct bench b;

		bench_begin(&b, DN_AQM_PIE);
		b.c.pie.derandomise = derandomise;
		b.c.pie.max_burst_ns = 0;
		bench_make(&b);
		for (int i = 0; i < 10; i++)
			dn_queue_append(&b.si, &b.q, packet(1500, 0));
		for (uint32_t i = 1; i <= 50; i++) {
			b.q.head->when_ns = i * 15 * ms - 60 * ms * (i >= 4);
			dn_aqm_admit(b.q.aqm, &b.q, m, i * 15 * ms);
		}
		for (uint32_t i = 0; i < 100000; i++, gap++)
			if (!dn_aqm_admit(b.q.aqm, &b.q, m, 50 * 15 * ms)) {
				if (gap < shortest[derandomise])
					shortest[derandomise] = gap;
				gap = 0;
			}
		bench_end(&b);
	}
	assert_int_equal(shortest[0], 1);
	assert_true(shortest[1] >= 3);
	m_free(m);
}

/* --- ECN -------------------------------------------------------------------------------------- */

static void
test_a_mark_keeps_the_checksum_right(void **state)
{
	(void)state;
	for (uint32_t flow = 1; flow < 3000; flow++) {
		struct mbuf *m = dn_udp4(
		    flow * 2654435761u % 0xffffff, 100, flow & 1 ? DN_ECT0 : DN_ECT1);

		assert_true(dn_ecn_mark(m));
		assert_int_equal(m->data[1] & 3, DN_CE);
		assert_int_equal(ip_cksum(mtod(m, struct ip_hdr *)), 0);
		assert_true(dn_ecn_mark(m)); /* it says so already */
		m_free(m);
	}
}

static void
test_a_mark_of_ipv6_changes_two_bits(void **state)
{
	struct mbuf *m = dn_udp6(3, 100, DN_ECT0), *was = m_dup(m);

	(void)state;
	assert_true(dn_ecn_mark(m));
	assert_int_equal(ip6_class(mtod(m, struct ip6_hdr *)), DN_CE);
	m->data[1] = (uint8_t)(m->data[1] & ~0x10);
	assert_memory_equal(m->data, was->data, 100);
	m_free(m);
	m_free(was);
}

static void
test_only_what_understands_is_marked_and_never_a_clone(void **state)
{
	static const struct dn_door frames = { .name = "frames", .frame = true };
	struct mbuf *plain = dn_udp4(1, 100, DN_NOT_ECT), *plain6 = dn_udp6(1, 100, DN_NOT_ECT);
	struct mbuf *m = dn_udp4(1, 100, DN_ECT0), *clone = m_clone(m);

	(void)state;
	assert_false(dn_ecn_mark(plain));
	assert_false(dn_ecn_mark(plain6));
	assert_false(dn_ecn_mark(clone));
	assert_false(dn_ecn_mark(m));
	assert_int_equal(m->data[1], DN_ECT0);
	m_free(clone);
	/* In a frame, and then in one that isn't IP. */
	m = m_prepend(m, ETHER_HDR_LEN_);
	m->nh = (void *)(uintptr_t)&frames;
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_IP_));
	assert_true(dn_ecn_mark(m));
	assert_int_equal(m->data[15], DN_CE);
	assert_int_equal(ip_cksum((void *)(m->data + 14)), 0);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	assert_false(dn_ecn_mark(m));
	m_free(m);
	m_free(plain);
	m_free(plain6);
}

static void
test_marks_stand_for_drops(void **state)
{
	static const enum dn_aqm_kind kinds[] = { DN_AQM_RED, DN_AQM_GRED, DN_AQM_CODEL };

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (uint8_t ecn = DN_NOT_ECT; ecn <= DN_ECT0; ecn += 2) {
			uint64_t marked = 0, refused = 0;
			struct bench b;

			bench_begin(&b, kinds[k]);
			b.c.ecn = true;
			b.c.red.w_q = 1;
			b.c.red.max_p = 0.1;
			b.c.red.min_th = 2;
			b.c.red.max_th = 100;
			bench_make(&b);
			for (uint64_t now = 0; now < 2000 * ms; now += ms) {
				struct mbuf *m = dn_udp4(1, 1000, ecn);

				m->when_ns = now;
				if (dn_aqm_admit(b.q.aqm, &b.q, m, now)) {
					dn_queue_append(&b.si, &b.q, m);
				} else {
					refused++;
					m_free(m);
				}
				if (b.q.packets < 20)
					continue;
				m = dn_queue_pop(&b.si, &b.q, now);
				marked += (m->data[1] & 3) == DN_CE;
				m_free(m);
			}
			while (b.q.head != NULL) {
				struct mbuf *m = dn_queue_take(&b.si, &b.q);

				marked += (m->data[1] & 3) == DN_CE;
				m_free(m);
			}
			assert_int_equal(b.q.aqm->marks, marked);
			assert_int_equal(b.q.aqm->drops, refused + b.dropped);
			assert_true(ecn == DN_ECT0 ? marked > 10 : marked == 0);
			assert_true(
			    ecn == DN_ECT0 ? refused + b.dropped == 0 : refused + b.dropped > 10);
			bench_end(&b);
		}
}

static void
test_too_much_is_dropped_though_it_could_be_marked(void **state)
{
	struct mbuf *m = dn_udp4(1, 1500, DN_ECT0);
	struct bench b;

	(void)state;
	/* RED behind max_th. */
	bench_begin(&b, DN_AQM_RED);
	b.c.ecn = true;
	b.c.red.w_q = b.c.red.max_p = 1;
	b.c.red.min_th = 5;
	b.c.red.max_th = 10;
	bench_make(&b);
	b.q.packets = 11;
	assert_false(dn_aqm_admit(b.q.aqm, &b.q, m, 0));
	b.q.packets = 0;
	bench_end(&b);
	/* PIE above max_ecnth. */
	bench_begin(&b, DN_AQM_PIE);
	b.c.ecn = true;
	bench_make(&b);
	for (int i = 0; i < 10; i++)
		dn_queue_append(&b.si, &b.q, packet(1500, 0));
	for (uint64_t now = 0; now < 20000 * ms; now += ms) {
		struct mbuf *ect = dn_udp4(1, 1500, DN_ECT0);
		const uint64_t drops = b.q.aqm->drops;

		dn_aqm_admit(b.q.aqm, &b.q, ect, now);
		m_free(ect);
		/* First marks only. */
		if (drops == 0 && b.q.aqm->drops == 1)
			assert_true(b.q.aqm->marks > 0);
	}
	assert_true(b.q.aqm->drops > 1000);
	bench_end(&b);
	m_free(m);
}

/* --- configurations --------------------------------------------------------------------------- */

static void
test_what_is_no_configuration_is_refused_with_a_sentence(void **state)
{
	struct dn_aqm_config c;

	(void)state;
	dn_aqm_defaults(&c, DN_AQM_RED);
	assert_string_equal(dn_aqm_check(&c), "w_q must be above 0 (from 1/65536) and at most 1");
	c.red.w_q = 0.002;
	c.red.max_p = 1.5;
	assert_non_null(dn_aqm_check(&c));
	c.red.max_p = NAN;
	assert_non_null(dn_aqm_check(&c));
	c.red.max_p = 0.1;
	c.red.min_th = c.red.max_th = 5;
	assert_string_equal(dn_aqm_check(&c), "min_th must be less than max_th");
	c.red.max_th = 6;
	assert_null(dn_aqm_check(&c));
	dn_aqm_defaults(&c, DN_AQM_CODEL);
	assert_null(dn_aqm_check(&c));
	c.codel.interval_ns = 0;
	assert_string_equal(dn_aqm_check(&c), "interval must be from 1 us to 10 s");
	dn_aqm_defaults(&c, DN_AQM_PIE);
	assert_null(dn_aqm_check(&c));
	c.pie.alpha = -1;
	assert_string_equal(dn_aqm_check(&c), "alpha and beta must be from 0 to 7");
	dn_aqm_defaults(&c, DN_AQM_NONE);
	assert_null(dn_aqm_check(&c));
	c.ecn = true;
	assert_non_null(dn_aqm_check(&c));
}

static void
test_words_are_read_and_said_again(void **state)
{
	char *words[] = { "target", "8ms", "TUPDATE", "20ms", "alpha", "0.25", "beta", "2.5",
		"max_burst", "1s", "max_ecnth", "0.2", "ecn", "nocapdrop", "noderand", NULL };
	char text[200];
	struct dn_aqm_config c;
	const char *why;

	(void)state;
	dn_aqm_defaults(&c, DN_AQM_PIE);
	for (int i = 0, n = 0; words[i] != NULL; i += n) {
		n = dn_aqm_word(&c, 15 - i, words + i, &why);
		assert_in_range(n, 1, 2);
	}
	dn_aqm_text(&c, text, sizeof(text));
	assert_string_equal(text,
	    "target 8ms tupdate 20ms alpha 0.25 beta 2.5 max_burst 1s max_ecnth 0.2 ecn nocapdrop "
	    "noderand");
	dn_aqm_defaults(&c, DN_AQM_CODEL);
	dn_aqm_text(&c, text, sizeof(text));
	assert_string_equal(text, "target 5ms interval 100ms noecn");
	/* Not its word; its word, but wrong: then nothing has changed. */
	assert_int_equal(dn_aqm_word(&c, 2, (char *[]){ "alpha", "1" }, &why), 0);
	assert_int_equal(dn_aqm_word(&c, 1, (char *[]){ "target" }, &why), -1);
	assert_int_equal(dn_aqm_word(&c, 2, (char *[]){ "target", "5x" }, &why), -1);
	assert_int_equal(dn_aqm_word(&c, 2, (char *[]){ "interval", "11s" }, &why), -1);
	assert_string_equal(why, "interval must be from 1 us to 10 s");
	assert_int_equal(c.codel.interval_ns, 100 * ms);
}

/* Policies, parameters and packets in any order; what was made is given back. */
static void
test_any_change_under_packets_leaves_nothing_behind(void **state)
{
	const uint64_t packets = m_live(), memory = vnet_memory();
	uint64_t now = 0;
	struct bench b;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7, "changes");
	bench_begin(&b, DN_AQM_CODEL);
	bench_make(&b);
	for (int i = 0; i < 200000; i++) {
		now += rng_below(&rng, 2 * ms);
		if (rng_below(&rng, 50) == 0) {
			dn_aqm_defaults(&b.c, (enum dn_aqm_kind)rng_below(&rng, 5));
			b.c.ecn = rng_below(&rng, 2) && b.c.kind != DN_AQM_NONE;
			b.c.red.w_q = (double)(1 + rng_below(&rng, 65536)) / 65536;
			b.c.red.max_p = (double)(1 + rng_below(&rng, 65536)) / 65536;
			b.c.red.min_th = (uint32_t)rng_below(&rng, 20);
			b.c.red.max_th = b.c.red.min_th + 1 + (uint32_t)rng_below(&rng, 20);
			b.c.red.typical_ns = rng_below(&rng, 2) * ms;
			b.c.red.bytes = rng_below(&rng, 2);
			b.c.codel.target_ns = NS_PER_US + rng_below(&rng, 20 * ms);
			b.c.pie.tupdate_ns = 100 * NS_PER_US + rng_below(&rng, 20 * ms);
			assert_null(dn_aqm_check(&b.c));
			dn_aqm_config_changed(b.q.aqm);
		}
		if (rng_below(&rng, 100) < 51) {
			struct mbuf *m = dn_udp4(1, 40 + (uint32_t)rng_below(&rng, 1460), DN_ECT0);

			m->when_ns = now;
			if (b.q.packets < 200 && dn_aqm_admit(b.q.aqm, &b.q, m, now))
				dn_queue_append(&b.si, &b.q, m);
			else
				m_free(m);
		} else if (b.q.head != NULL) {
			m_free(dn_queue_pop(&b.si, &b.q, now));
		}
		assert_int_equal(b.si.packets, b.q.packets);
		assert_int_equal(b.si.bytes, b.q.bytes);
	}
	bench_end(&b);
	assert_int_equal(m_live(), packets);
	assert_int_equal(vnet_memory(), memory);
}

static void
test_without_memory_there_is_no_state(void **state)
{
	struct dn_aqm_config c;
	int error;

	(void)state;
	dn_aqm_defaults(&c, DN_AQM_PIE);
	vnet_malloc_fail_at(1);
	assert_null(dn_aqm_new(&c, NULL, 0, &error));
	assert_int_equal(error, -12);
	dn_aqm_defaults(&c, DN_AQM_NONE);
	assert_null(dn_aqm_new(&c, NULL, 0, &error));
	assert_int_equal(error, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codel_drops_by_its_control_law),
		cmocka_unit_test(test_codel_law_holds_for_long_intervals),
		cmocka_unit_test(test_codel_leaves_a_short_wait_or_a_last_packet_alone),
		cmocka_unit_test(test_codel_goes_on_at_its_rate_after_a_short_pause),
		cmocka_unit_test(test_pie_probability_follows_the_formula),
		cmocka_unit_test(test_pie_updates_are_the_same_however_late_they_are_computed),
		cmocka_unit_test(test_pie_comes_to_rest_after_any_idle_time),
		cmocka_unit_test(test_pie_lets_a_burst_through_but_not_a_queue),
		cmocka_unit_test(test_pie_drops_keep_their_distance),
		cmocka_unit_test(test_a_mark_keeps_the_checksum_right),
		cmocka_unit_test(test_a_mark_of_ipv6_changes_two_bits),
		cmocka_unit_test(test_only_what_understands_is_marked_and_never_a_clone),
		cmocka_unit_test(test_marks_stand_for_drops),
		cmocka_unit_test(test_too_much_is_dropped_though_it_could_be_marked),
		cmocka_unit_test(test_what_is_no_configuration_is_refused_with_a_sentence),
		cmocka_unit_test(test_words_are_read_and_said_again),
		cmocka_unit_test(test_any_change_under_packets_leaves_nothing_behind),
		cmocka_unit_test(test_without_memory_there_is_no_state),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
