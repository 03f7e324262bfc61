/* What policies are for: senders that give way, and a queue that stays short. */
#include "dn_sim.h"
#include "dummynet/dn_aqm.h"

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

struct aqm_sim {
	struct sim sim; /* first */
	struct dn_queue q;
	struct dn_aqm_config c;
	struct rng rng;
};

static void
aqm_sim_enqueue(struct sim *s, struct mbuf *m)
{
	struct aqm_sim *x = (void *)s;

	if (x->q.aqm == NULL || dn_aqm_admit(x->q.aqm, &x->q, m, s->now_ns))
		dn_queue_append(&s->si, &x->q, m);
	else
		sim_drop(&s->si, NULL, m);
}

static struct mbuf *
aqm_sim_dequeue(struct sim *s)
{
	struct aqm_sim *x = (void *)s;

	return x->q.head != NULL ? dn_queue_pop(&s->si, &x->q, s->now_ns) : NULL;
}

static struct aqm_sim *
simulate(enum dn_aqm_kind kind, bool ecn, uint32_t senders)
{
	struct aqm_sim *x = calloc(1, sizeof(*x));
	int error;

	assert_non_null(x);
	x->sim.si.drop = sim_drop;
	x->sim.rate_bps = 20000000;
	x->sim.rtt_ns = 30 * ms;
	x->sim.limit = 1000;
	x->sim.ecn = ecn ? DN_ECT0 : DN_NOT_ECT;
	x->sim.enqueue = aqm_sim_enqueue;
	x->sim.dequeue = aqm_sim_dequeue;
	x->sim.senders = senders;
	x->sim.measure_from_ns = 20 * NS_PER_SEC;
	dn_aqm_defaults(&x->c, kind);
	x->c.ecn = ecn;
	x->c.red.w_q = 0.002;
	x->c.red.max_p = 0.1;
	x->c.red.min_th = 5;
	x->c.red.max_th = 15;
	x->c.red.typical_ns = 204800;
	rng_seed(&x->rng, 1, "test");
	x->q.aqm = dn_aqm_new(&x->c, &x->rng, 0, &error);
	sim_run(&x->sim, 60 * NS_PER_SEC);
	print_message(
	    "policy %d ecn %d senders %u: waiting mean %.1f ms, p95 %u ms, max %.1f ms; used %.3f, "
	    "lost %lu, marked %lu\n",
	    kind, ecn, senders, sim_mean_ms(&x->sim), sim_quantile_ms(&x->sim, 0.95),
	    (double)x->sim.waited_max_ns / 1e6, sim_used(&x->sim), (unsigned long)x->sim.lost,
	    (unsigned long)x->sim.marked);
	return x;
}

static void
simulate_end(struct aqm_sim *x)
{
	while (x->q.head != NULL)
		m_free(dn_queue_take(&x->sim.si, &x->q));
	dn_aqm_free(x->q.aqm);
	free(x);
}

/* What the others are for. */
static void
test_a_plain_queue_fills_up(void **state)
{
	struct aqm_sim *x = simulate(DN_AQM_NONE, false, 4);

	(void)state;
	assert_true(sim_mean_ms(&x->sim) > 300);
	simulate_end(x);
}

static void
test_codel_holds_its_target_with_senders_that_give_way(void **state)
{
	(void)state;
	for (int ecn = 0; ecn < 2; ecn++)
		for (uint32_t senders = 1; senders <= 16; senders *= 4) {
			struct aqm_sim *x = simulate(DN_AQM_CODEL, ecn, senders);

			/*
			 * Sixteen windows of three packets can hardly give way: CoDel, which
			 * speeds up slowly, needs a longer queue to hold them.
			 */
			assert_true(sim_mean_ms(&x->sim) < (senders < 16 ? 10 : 20));
			assert_true(sim_quantile_ms(&x->sim, 0.95) < (senders < 16 ? 20 : 40));
			/* One window that halves leaves a short queue's link idle at times. */
			assert_true(sim_used(&x->sim) > (senders == 1 ? 0.85 : 0.95));
			assert_true(ecn ? x->sim.lost == 0 && x->sim.marked > 0 : x->sim.lost > 0);
			simulate_end(x);
		}
}

static void
test_pie_holds_its_target_with_senders_that_give_way(void **state)
{
	(void)state;
	for (int ecn = 0; ecn < 2; ecn++)
		for (uint32_t senders = 4; senders <= 16; senders *= 2) {
			struct aqm_sim *x = simulate(DN_AQM_PIE, ecn, senders);

			assert_true(sim_mean_ms(&x->sim) > 7.5 && sim_mean_ms(&x->sim) < 22.5);
			assert_true(sim_quantile_ms(&x->sim, 0.95) < 40);
			assert_true(sim_used(&x->sim) > 0.95);
			/* Sixteen need more than one mark in ten: then it is drops. */
			assert_true(ecn && senders < 16 ? x->sim.marked > 0 : x->sim.lost > 0);
			simulate_end(x);
		}
}

static void
test_red_keeps_its_average_between_the_thresholds(void **state)
{
	struct aqm_sim *x = simulate(DN_AQM_GRED, false, 8);

	(void)state;
	/* A packet takes 0.6 ms: 5 to 30 of them. */
	assert_true(sim_mean_ms(&x->sim) > 2 && sim_mean_ms(&x->sim) < 18);
	assert_true(sim_used(&x->sim) > 0.9);
	simulate_end(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_queue_fills_up),
		cmocka_unit_test(test_codel_holds_its_target_with_senders_that_give_way),
		cmocka_unit_test(test_pie_holds_its_target_with_senders_that_give_way),
		cmocka_unit_test(test_red_keeps_its_average_between_the_thresholds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
