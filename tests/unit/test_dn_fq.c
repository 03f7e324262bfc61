/* FQ_CODEL and FQ_PIE: flows by themselves, the sparse ones first, the fat ones lose. */
#include "dn_sim.h"
#include "dummynet/dn_aqm.h"
#include "dummynet/sched_fq.h"
#include "kern/vnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

LINKERSET_DECLARE(dn_sched_part, const struct dn_sched_part);

static const struct dn_sched_part *
part_of(uint32_t number)
{
	const struct dn_sched_part *const *p;

	LINKERSET_FOREACH(p, dn_sched_part)
		if ((*p)->number == number)
			return *p;
	fail_msg("no part %u", number);
	return NULL;
}

/* A part at work, alone. */
struct bench {
	struct dn_sched_instance si; /* first */
	struct fq_param param;
	struct fq own;
	uint32_t dropped[256]; /* by m->flowid */
	uint32_t drops;
};

static void
bench_drop(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	struct bench *b = (void *)si;

	(void)q;
	b->drops++;
	b->dropped[m->flowid % 256]++;
	m_free(m);
}

static void
bench_begin(struct bench *b, uint32_t number)
{
	clock_at(0);
	*b = (struct bench){ .si = { .part = part_of(number), .seed = 42, .drop = bench_drop } };
	b->si.param = &b->param;
	b->si.own = &b->own;
	assert_int_equal(b->si.part->instance_size, sizeof(b->own));
	assert_int_equal(b->si.part->param_size, sizeof(b->param));
	b->si.part->param_init(&b->param);
}

static void
bench_make(struct bench *b)
{
	assert_int_equal(b->si.part->instance_new(&b->si), 0);
}

static void
bench_end(struct bench *b)
{
	struct mbuf *m;

	while ((m = b->si.part->dequeue(&b->si, 0)) != NULL)
		m_free(m);
	assert_int_equal(b->si.packets, 0);
	assert_int_equal(b->si.bytes, 0);
	b->si.part->instance_free(&b->si);
}

static void
put(struct bench *b, uint32_t flow, uint32_t len, uint64_t now)
{
	struct mbuf *m = dn_udp4(flow, len, DN_NOT_ECT);

	m->flowid = flow;
	m->when_ns = now;
	b->si.part->enqueue(&b->si, NULL, m, now);
}

/* The flow of what leaves next; UINT32_MAX: nothing. */
static uint32_t
get(struct bench *b, uint64_t now)
{
	struct mbuf *m = b->si.part->dequeue(&b->si, now);
	uint32_t flow = m != NULL ? m->flowid : UINT32_MAX;

	m_free(m);
	return flow;
}

/* --- order ------------------------------------------------------------------------------------ */

static void
test_a_sparse_flow_goes_first(void **state)
{
	(void)state;
	for (uint32_t number = 6; number <= 7; number++) {
		struct bench b;

		bench_begin(&b, number);
		bench_make(&b);
		for (int i = 0; i < 50; i++)
			put(&b, 1, 1500, 0);
		for (int i = 0; i < 5; i++)
			assert_int_equal(get(&b, 0), 1);
		put(&b, 2, 100, 0);
		assert_int_equal(get(&b, 0), 2);
		assert_int_equal(get(&b, 0), 1);
		bench_end(&b);
	}
}

/* RFC 8290 4.2: one that comes back as soon as it has run empty is not fresh again, it waits its turn. */
static void
test_a_flow_that_runs_empty_does_not_stay_first(void **state)
{
	uint32_t count[6] = {};
	bool waits = false;
	struct bench b;

	(void)state;
	bench_begin(&b, 6);
	bench_make(&b);
	for (uint32_t f = 1; f <= 4; f++)
		for (int i = 0; i < 200; i++)
			put(&b, f, 1500, 0);
	for (int i = 0; i < 400; i++) {
		const uint32_t flow = get(&b, 0);

		assert_in_range(flow, 1, 5);
		count[flow % 6]++;
		/* Once another has been served, its queue has been found empty. */
		if (flow != 5 && !waits)
			put(&b, 5, 1500, 0);
		waits = flow != 5;
	}
	/* A fifth, or less; every second packet, if it were fresh each time. */
	assert_in_range(count[5], 400 / 10, 400 / 4);
	bench_end(&b);
}

static void
test_packets_of_a_flow_keep_their_order(void **state)
{
	uint16_t last[16] = {};
	struct bench b;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "order");
	bench_begin(&b, 6);
	b.param.flows = 7; /* flows share queues */
	bench_make(&b);
	for (uint16_t i = 1; i < 20000; i++) {
		const uint32_t flow = (uint32_t)rng_below(&rng, 16);
		struct mbuf *m = dn_udp4(flow, 40 + (uint32_t)rng_below(&rng, 1400), DN_NOT_ECT);

		m->flowid = flow;
		store16(m->data + 4, i);
		b.si.part->enqueue(&b.si, NULL, m, 0);
		if (i % 10 == 0 || b.si.packets > 50)
			while (b.si.packets > 20) {
				m = b.si.part->dequeue(&b.si, 0);
				assert_true(load16(m->data + 4) > last[m->flowid]);
				last[m->flowid] = load16(m->data + 4);
				m_free(m);
			}
	}
	bench_end(&b);
}

/* --- shares ----------------------------------------------------------------------------------- */

static void
test_flows_share_equally_in_bytes(void **state)
{
	(void)state;
	for (uint32_t number = 6; number <= 7; number++) {
		enum { FLOWS = 8, SENT = 20000 };
		static const uint32_t len[FLOWS] = { 1500, 1500, 100, 700, 64, 1000, 1400, 300 };
		uint64_t bytes[FLOWS] = {}, total = 0;
		struct bench b;

		bench_begin(&b, number);
		b.param.aqm.codel.target_ns = b.param.aqm.pie.target_ns = 10 * NS_PER_SEC;
		bench_make(&b);
		for (uint32_t f = 0; f < FLOWS; f++)
			for (int i = 0; i < 30; i++)
				put(&b, f, len[f], 0);
		for (int i = 0; i < SENT; i++) {
			const uint32_t f = get(&b, 0);

			assert_true(f < FLOWS);
			bytes[f] += len[f];
			total += len[f];
			put(&b, f, len[f], 0);
		}
		/* A turn's quantum and the packet that goes over it. */
		for (uint32_t f = 0; f < FLOWS; f++)
			assert_in_range(bytes[f], total / FLOWS - 2 * 1514 - 1500,
			    total / FLOWS + 2 * 1514 + 1500);
		assert_int_equal(b.drops, 0);
		bench_end(&b);
	}
}

static void
test_the_fat_flow_loses_at_the_limit(void **state)
{
	struct bench b;

	(void)state;
	bench_begin(&b, 6);
	b.param.limit = 200;
	bench_make(&b);
	for (uint32_t f = 2; f < 12; f++)
		for (int i = 0; i < 5; i++)
			put(&b, f, 1000, 0);
	for (int i = 0; i < 2000; i++) {
		put(&b, 1, 1000, 0);
		assert_true(b.si.packets <= 200);
	}
	for (uint32_t f = 2; f < 12; f++)
		assert_int_equal(b.dropped[f], 0);
	assert_int_equal(b.dropped[1], b.drops);
	assert_in_range(b.drops, 2000 - 150, 2000 - 150 + 64);
	bench_end(&b);
}

/* Of the fattest, the oldest go, 64 at once, or half if it has fewer. */
static void
test_room_is_made_at_the_head_and_in_one_go(void **state)
{
	struct mbuf *m;
	struct bench b;

	(void)state;
	bench_begin(&b, 6);
	b.param.limit = 300;
	bench_make(&b);
	for (uint16_t i = 0; i < 301; i++) {
		m = dn_udp4(1, 1000, DN_NOT_ECT);
		m->flowid = 1;
		store16(m->data + 4, i);
		b.si.part->enqueue(&b.si, NULL, m, 0);
	}
	assert_int_equal(b.drops, 64);
	m = b.si.part->dequeue(&b.si, 0);
	assert_int_equal(load16(m->data + 4), 64);
	m_free(m);
	bench_end(&b);

	bench_begin(&b, 6);
	b.param.limit = 9;
	bench_make(&b);
	for (int i = 0; i < 10; i++)
		put(&b, 1, 1000, 0);
	assert_int_equal(b.drops, 5);
	bench_end(&b);
}

/* --- parameters ------------------------------------------------------------------------------- */

static void
test_words_are_read_and_said_again(void **state)
{
	char *words[] = { "target", "8ms", "interval", "80ms", "quantum", "300", "limit", "600",
		"flows", "16", "ecn", NULL };
	struct fq_param param;
	const struct dn_sched_part *part = part_of(6);
	const char *why = NULL;
	char text[300];

	(void)state;
	part->param_init(&param);
	part->param_text(&param, text, sizeof(text));
	assert_string_equal(
	    text, "target 5ms interval 100ms noecn quantum 1514 limit 10240 flows 1024");
	for (int i = 0, n = 0; words[i] != NULL; i += n) {
		n = part->param_word(&param, 11 - i, words + i, &why);
		assert_in_range(n, 1, 2);
	}
	part->param_text(&param, text, sizeof(text));
	assert_string_equal(text, "target 8ms interval 80ms ecn quantum 300 limit 600 flows 16");
	assert_int_equal(part->param_word(&param, 2, (char *[]){ "weight", "5" }, &why), 0);
	assert_int_equal(part->param_word(&param, 2, (char *[]){ "flows", "0" }, &why), -1);
	assert_string_equal(why, "flows must be from 1 to 65536");
	assert_int_equal(part->param_word(&param, 1, (char *[]){ "quantum" }, &why), -1);
	assert_int_equal(part->param_word(&param, 2, (char *[]){ "tupdate", "5ms" }, &why), 0);
	part = part_of(7);
	part->param_init(&param);
	assert_int_equal(part->param_word(&param, 2, (char *[]){ "tupdate", "5ms" }, &why), 2);
	part->param_text(&param, text, sizeof(text));
	assert_string_equal(text,
	    "target 15ms tupdate 5ms alpha 0.125 beta 1.25 max_burst 150ms max_ecnth 0.1 noecn "
	    "capdrop derand quantum 1514 limit 10240 flows 1024");
}

/* Packets and parameters in any order: nothing is lost but what is dropped, and nothing is left. */
static void
test_any_change_under_packets_leaves_nothing_behind(void **state)
{
	const uint64_t packets = m_live(), memory = vnet_memory();

	(void)state;
	for (uint32_t number = 6; number <= 7; number++) {
		uint64_t now = 0, in = 0, out = 0;
		struct bench b;
		struct rng rng;

		rng_seed(&rng, number, "changes");
		bench_begin(&b, number);
		bench_make(&b);
		for (int i = 0; i < 100000; i++) {
			now += rng_below(&rng, ms);
			clock_at(now);
			if (rng_below(&rng, 2000) == 0) {
				b.param.flows = 1 + (uint32_t)rng_below(&rng, 300);
				b.param.limit = 1 + (uint32_t)rng_below(&rng, 400);
				b.param.quantum = 64 + (uint32_t)rng_below(&rng, 3000);
				b.param.aqm.codel.target_ns = NS_PER_US + rng_below(&rng, 50 * ms);
				b.param.aqm.pie.target_ns = NS_PER_US + rng_below(&rng, 50 * ms);
				if (rng_below(&rng, 2) == 0)
					vnet_malloc_fail_at(1 + rng_below(&rng, 5));
				b.si.part->param_changed(&b.si);
				vnet_malloc_fail_at(0);
				assert_true(b.si.packets <= b.param.limit);
			}
			if (rng_below(&rng, 100) < 51) {
				put(&b, (uint32_t)rng_below(&rng, 200),
				    40 + (uint32_t)rng_below(&rng, 1460), now);
				in++;
			} else {
				out += get(&b, now) != UINT32_MAX;
			}
			assert_int_equal(in, out + b.drops + b.si.packets);
		}
		assert_true(out > 1000 && b.drops > 100);
		bench_end(&b);
	}
	assert_int_equal(m_live(), packets);
	assert_int_equal(vnet_memory(), memory);
}

static void
test_memory_may_end_anywhere(void **state)
{
	struct bench b;

	(void)state;
	bench_begin(&b, 6);
	vnet_malloc_fail_at(1);
	assert_int_equal(b.si.part->instance_new(&b.si), -12);
	b.si.part->instance_free(&b.si);
	/* A flow that can't be made loses its packet. */
	bench_make(&b);
	put(&b, 1, 100, 0);
	vnet_malloc_fail_at(1);
	put(&b, 2, 100, 0);
	put(&b, 1, 100, 0);
	assert_int_equal(b.dropped[2], 1);
	assert_int_equal(b.drops, 1);
	bench_end(&b);
}

/* Nobody without the seed knows which flows meet in a queue. */
static void
test_the_seed_decides_which_flows_meet(void **state)
{
	uint32_t meet[2] = {};

	(void)state;
	for (uint64_t seed = 0; seed < 2; seed++) {
		struct bench b;

		bench_begin(&b, 6);
		b.si.seed = seed;
		b.param.flows = 16;
		bench_make(&b);
		for (uint32_t f = 0; f < 32; f++)
			put(&b, f, 1514, 0);
		/* One a flow and turn: those that come only in the second turn have met another. */
		for (uint32_t i = 0; i < 32; i++) {
			const uint32_t f = get(&b, 0);

			if (i >= 16)
				meet[seed] |= 1u << f;
		}
		bench_end(&b);
	}
	assert_true(meet[0] != meet[1]);
}

/* --- with senders that give way --------------------------------------------------------------- */

struct fq_sim {
	struct sim sim; /* first */
	struct fq_param param;
	struct fq own;
	uint32_t flood; /* packets of a sender that never gives way, for each of the others */
	uint64_t pings, ping_max_ns; /* one small packet each 20 ms */
	uint64_t ping_next_ns;
};

static void
fq_sim_put(struct fq_sim *x, uint32_t flow, uint32_t len)
{
	struct sim *s = &x->sim;
	struct mbuf *m = dn_udp4(flow, len, s->ecn);

	m->flowid = flow;
	m->when_ns = s->now_ns;
	s->si.part->enqueue(&s->si, NULL, m, s->now_ns);
}

enum { PING = 60, FLOOD = 61 };

static void
fq_sim_enqueue(struct sim *s, struct mbuf *m)
{
	struct fq_sim *x = (void *)s;

	s->si.part->enqueue(&s->si, NULL, m, s->now_ns);
	for (uint32_t i = 0; i < x->flood; i++)
		fq_sim_put(x, FLOOD, SIM_PACKET);
	if (s->now_ns >= x->ping_next_ns) {
		x->ping_next_ns = s->now_ns + 20 * ms;
		fq_sim_put(x, PING, 84);
	}
}

static void
fq_sim_drop(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	if (m->flowid < PING)
		sim_drop(si, q, m);
	else
		m_free(m);
}

static struct mbuf *
fq_sim_dequeue(struct sim *s)
{
	struct fq_sim *x = (void *)s;
	struct mbuf *m = s->si.part->dequeue(&s->si, s->now_ns);

	if (m == NULL || m->flowid < PING)
		return m;
	if (m->flowid == PING && s->now_ns >= s->measure_from_ns) {
		x->pings++;
		if (s->now_ns - m->when_ns > x->ping_max_ns)
			x->ping_max_ns = s->now_ns - m->when_ns;
	}
	s->free_ns = s->now_ns + m->len * UINT64_C(8000000000) / s->rate_bps;
	m_free(m);
	return NULL;
}

static struct fq_sim *
simulate(uint32_t number, bool ecn, uint32_t flood)
{
	struct fq_sim *x = calloc(1, sizeof(*x));
	struct sim *s = &x->sim;

	assert_non_null(x);
	clock_at(0);
	s->si = (struct dn_sched_instance){
		.part = part_of(number),
		.param = &x->param,
		.seed = 1,
		.drop = fq_sim_drop,
		.own = &x->own,
	};
	s->si.part->param_init(&x->param);
	x->param.aqm.ecn = ecn;
	x->param.limit = 1000;
	x->flood = flood;
	s->rate_bps = 20000000;
	s->rtt_ns = 30 * ms;
	s->limit = UINT32_MAX;
	s->ecn = ecn ? DN_ECT0 : DN_NOT_ECT;
	s->enqueue = fq_sim_enqueue;
	s->dequeue = fq_sim_dequeue;
	s->senders = 4;
	s->measure_from_ns = 10 * NS_PER_SEC;
	assert_int_equal(s->si.part->instance_new(&s->si), 0);
	sim_run(s, 40 * NS_PER_SEC);
	print_message(
	    "%s ecn %d flood %u: waiting mean %.1f ms, p95 %u ms; used %.3f; ping max %.2f ms\n",
	    s->si.part->name, ecn, flood, sim_mean_ms(s), sim_quantile_ms(s, 0.95), sim_used(s),
	    (double)x->ping_max_ns / 1e6);
	return x;
}

static void
simulate_end(struct fq_sim *x)
{
	struct dn_sched_instance *si = &x->sim.si;
	struct mbuf *m;

	while ((m = si->part->dequeue(si, x->sim.now_ns)) != NULL)
		m_free(m);
	si->part->instance_free(si);
	free(x);
}

static void
test_senders_share_the_link_and_pings_pass_them(void **state)
{
	(void)state;
	for (uint32_t number = 6; number <= 7; number++)
		for (int ecn = 0; ecn < 2; ecn++) {
			struct fq_sim *x = simulate(number, ecn, 0);
			const struct sim *s = &x->sim;
			uint64_t least = UINT64_MAX, most = 0;

			for (uint32_t i = 0; i < 4; i++) {
				least = s->sender[i].delivered < least ? s->sender[i].delivered :
									 least;
				most = s->sender[i].delivered > most ? s->sender[i].delivered :
								       most;
			}
			assert_true(least * 20 > most * 19);
			/* Targets of 5 and 15 ms, held for each sender alone. */
			assert_true(sim_mean_ms(s) < (number == 6 ? 10 : 30));
			assert_true(sim_used(s) > 0.94);
			assert_true(x->pings > 1000);
			/* Those that are first in turn, and the packet on the wire. */
			assert_true(x->ping_max_ns < 5 * ms);
			simulate_end(x);
		}
}

static void
test_a_flood_does_not_take_the_others_share(void **state)
{
	(void)state;
	for (uint32_t number = 6; number <= 7; number++) {
		struct fq_sim *x = simulate(number, false, 3);

		/* Four of five parts are theirs. */
		assert_true(sim_used(&x->sim) > 0.75);
		assert_true(x->ping_max_ns < 6 * ms);
		simulate_end(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sparse_flow_goes_first),
		cmocka_unit_test(test_a_flow_that_runs_empty_does_not_stay_first),
		cmocka_unit_test(test_packets_of_a_flow_keep_their_order),
		cmocka_unit_test(test_flows_share_equally_in_bytes),
		cmocka_unit_test(test_the_fat_flow_loses_at_the_limit),
		cmocka_unit_test(test_room_is_made_at_the_head_and_in_one_go),
		cmocka_unit_test(test_words_are_read_and_said_again),
		cmocka_unit_test(test_any_change_under_packets_leaves_nothing_behind),
		cmocka_unit_test(test_memory_may_end_anywhere),
		cmocka_unit_test(test_the_seed_decides_which_flows_meet),
		cmocka_unit_test(test_senders_share_the_link_and_pings_pass_them),
		cmocka_unit_test(test_a_flood_does_not_take_the_others_share),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
