/* Virtual time: order, windows, and that batching changes nothing. */
#include "base/sched.h"
#include "base/callout.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int
setup(void **state)
{
	(void)state;
	return worker_attach(0, CLOCK_VIRTUAL) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	sched_drain = NULL;
	worker_detach();
	return 0;
}

/* What ran: which source, when, and how far it was told to go. */
static struct {
	int id;
	uint64_t at_ns, until_ns;
} ran[256];
static uint32_t nran;

static void
note(int id, uint64_t until_ns)
{
	if (nran < 256) {
		ran[nran].id = id;
		ran[nran].at_ns = clock_now();
		ran[nran].until_ns = until_ns;
	}
	nran++;
}

/* A source with an event every period_ns, n times; does as many in a run as it may. */
struct ticker {
	struct sched_source src;
	int id;
	uint64_t period_ns;
	uint32_t left, done;
};

static void
ticker_run(struct sched_source *src, uint64_t until_ns)
{
	struct ticker *t = (struct ticker *)src;

	assert_int_equal(clock_now(), src->next_ns);
	assert_true(until_ns > src->next_ns);
	note(t->id, until_ns);
	do {
		t->done++;
		src->next_ns = --t->left > 0 ? src->next_ns + t->period_ns : NS_NEVER;
	} while (src->next_ns < until_ns);
}

static void
ticker_add(struct ticker *t, int id, struct sched_domain *d, uint64_t first_ns, uint64_t period_ns,
    uint32_t n)
{
	*t = (struct ticker){ .src = { .next_ns = first_ns, .run = ticker_run },
		.id = id,
		.period_ns = period_ns,
		.left = n };
	sched_add(&t->src, d);
	nran = 0;
}

static void
test_nothing_to_do_ends_at_once_or_at_the_time_asked_for(void **state)
{
	(void)state;
	assert_int_equal(sched_next(), NS_NEVER);
	assert_int_equal(sched_run(NS_NEVER), 0);
	assert_int_equal(clock_now(), 0);
	assert_int_equal(sched_run(NS_PER_SEC), 0);
	assert_int_equal(clock_now(), NS_PER_SEC);
	sched_run(5);
	assert_int_equal(clock_now(), NS_PER_SEC);
}

static void
test_run_stops_before_the_time_asked_for(void **state)
{
	struct ticker t;

	(void)state;
	ticker_add(&t, 1, NULL, 10, 10, 10);
	assert_int_equal(sched_next(), 10);
	sched_run(50);
	assert_int_equal(t.done, 4);
	assert_int_equal(clock_now(), 50);
	assert_int_equal(sched_next(), 50);
	sched_run(51);
	assert_int_equal(t.done, 5);
	sched_run(NS_NEVER);
	assert_int_equal(t.done, 10);
	assert_int_equal(clock_now(), 100);
	sched_remove(&t.src);
}

static void
test_a_lone_source_is_told_to_go_as_far_as_the_lookahead(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct ticker t;

	(void)state;
	sched_set_lookahead(1000);
	ticker_add(&t, 1, d, 5, 10, 200);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 2);
	assert_int_equal(ran[0].until_ns, 1005);
	assert_int_equal(ran[1].until_ns, 2005);
	sched_remove(&t.src);
	sched_domain_free(d);
}

static void
test_the_lookahead_is_never_longer_than_the_shortest_callout(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct ticker t;

	(void)state;
	sched_set_lookahead(NS_PER_SEC);
	assert_int_equal(sched_lookahead(), NS_PER_SEC);
	ticker_add(&t, 1, d, 0, NS_PER_MS, 3);
	sched_run(NS_NEVER);
	assert_int_equal(ran[0].until_ns, CALLOUT_MIN_NS);
	assert_int_equal(nran, 3);
	sched_remove(&t.src);
	sched_domain_free(d);
}

static void
test_two_sources_of_one_domain_take_turns_in_order_of_time(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct ticker a, b;

	(void)state;
	sched_set_lookahead(1000);
	ticker_add(&a, 1, d, 0, 10, 10);
	ticker_add(&b, 2, d, 35, 30, 2);
	sched_run(NS_NEVER);
	/* a 0..30 | b 35 | a 40..60 | b 65 | a 70..90 */
	assert_int_equal(nran, 5);
	assert_int_equal(ran[0].until_ns, 35);
	assert_int_equal(ran[1].id, 2);
	assert_int_equal(ran[1].until_ns, 40);
	assert_int_equal(ran[2].until_ns, 65);
	assert_int_equal(ran[4].at_ns, 70);
	sched_remove(&a.src);
	sched_remove(&b.src);
	sched_domain_free(d);
}

static void
test_at_an_equal_time_the_older_source_goes_first_for_that_instant(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct ticker a, b;

	(void)state;
	sched_set_lookahead(1000);
	ticker_add(&a, 1, d, 0, 10, 2);
	ticker_add(&b, 2, d, 0, 10, 2);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(ran[i].id, 1 + i % 2);
		assert_int_equal(ran[i].at_ns, i / 2 * 10);
	}
	assert_int_equal(ran[0].until_ns, 1);
	sched_remove(&a.src);
	sched_remove(&b.src);
	sched_domain_free(d);
}

static void
test_a_serial_domain_runs_one_instant_at_a_time(void **state)
{
	struct sched_domain *d = sched_domain_new(true);
	struct ticker t;

	(void)state;
	sched_set_lookahead(1000);
	ticker_add(&t, 1, d, 0, 10, 5);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 5);
	assert_int_equal(ran[4].until_ns, 41);
	sched_domain_set_serial(d, false);
	sched_update(&t.src, 100);
	t.left = 5;
	sched_run(NS_NEVER);
	assert_int_equal(nran, 6);
	sched_remove(&t.src);
	sched_domain_free(d);
}

static void
test_domains_of_one_window_run_one_after_the_other(void **state)
{
	struct sched_domain *d1 = sched_domain_new(false), *d2 = sched_domain_new(false);
	struct ticker a, b;

	(void)state;
	sched_set_lookahead(100);
	ticker_add(&b, 2, d2, 0, 30, 4);
	ticker_add(&a, 1, d1, 0, 20, 6);
	sched_run(NS_NEVER);
	/* Window [0, 100): the older domain first though its source is younger; then [100, …). */
	assert_int_equal(nran, 3);
	assert_int_equal(ran[0].id, 1);
	assert_int_equal(ran[1].id, 2);
	assert_int_equal(ran[1].at_ns, 0);
	assert_int_equal(ran[2].id, 1);
	assert_int_equal(ran[2].at_ns, 100);
	assert_int_equal(clock_now(), 100);
	sched_remove(&a.src);
	sched_remove(&b.src);
	sched_domain_free(d1);
	sched_domain_free(d2);
}

static void
callout_note(void *arg)
{
	note((int)(intptr_t)arg, 0);
}

static void
test_callouts_run_before_sources_of_the_same_instant_and_end_windows(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct callout c, c2;
	struct ticker t;

	(void)state;
	sched_set_lookahead(NS_PER_MS);
	callout_init(&c, NULL, callout_note, (void *)7);
	callout_init(&c2, NULL, callout_note, (void *)8);
	callout_reset(&c, NS_PER_MS);
	callout_reset(&c2, NS_PER_MS);
	ticker_add(&t, 1, d, NS_PER_MS - 20, 10, 4);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 4);
	assert_int_equal(ran[0].until_ns, NS_PER_MS);
	assert_int_equal(ran[1].id, 7);
	assert_int_equal(ran[2].id, 8);
	assert_int_equal(ran[2].at_ns, NS_PER_MS);
	assert_int_equal(ran[3].id, 1);
	assert_int_equal(ran[3].at_ns, NS_PER_MS);
	sched_remove(&t.src);
	sched_domain_free(d);
}

/* A source that does something to others when it runs. */
struct actor {
	struct sched_source src;
	void (*act)(struct actor *);
	struct ticker *other;
	struct sched_domain *domain;
};

static void
actor_run(struct sched_source *src, uint64_t until_ns)
{
	struct actor *a = (struct actor *)src;

	note(100, until_ns);
	src->next_ns = NS_NEVER;
	a->act(a);
}

static void
actor_add(struct actor *a, struct sched_domain *d, uint64_t at_ns, void (*act)(struct actor *))
{
	a->src = (struct sched_source){ .next_ns = at_ns, .run = actor_run };
	a->act = act;
	sched_add(&a->src, d);
	nran = 0;
}

static void
pull_other(struct actor *a)
{
	a->other->left = 1;
	sched_update(&a->other->src, clock_now() + 5);
}

static void
test_a_source_moved_to_an_earlier_time_inside_the_window_is_honoured(void **state)
{
	struct sched_domain *d = sched_domain_new(false);
	struct ticker late, t;
	struct actor a = { .other = &late };

	(void)state;
	sched_set_lookahead(1000);
	ticker_add(&late, 1, d, 900, 1, 1);
	ticker_add(&t, 2, d, 20, 100, 2);
	actor_add(&a, d, 10, pull_other);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 3);
	assert_int_equal(ran[1].id, 1);
	assert_int_equal(ran[1].at_ns, 15);
	assert_int_equal(ran[2].id, 2);
	sched_remove(&late.src);
	sched_remove(&t.src);
	sched_remove(&a.src);
	sched_domain_free(d);
}

static void
free_self(struct actor *a)
{
	struct sched_domain *d = a->domain;

	sched_remove(&a->src);
	free(a);
	if (d != NULL)
		sched_domain_free(d);
}

static void
test_a_source_may_end_itself_and_its_domain_in_its_own_run(void **state)
{
	struct actor *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct ticker t;

	(void)state;
	sched_set_lookahead(1000);
	b->domain = sched_domain_new(false);
	actor_add(a, NULL, 10, free_self);
	actor_add(b, b->domain, 10, free_self);
	ticker_add(&t, 1, NULL, 20, 1, 1);
	sched_run(NS_NEVER);
	assert_int_equal(nran, 3);
	sched_remove(&t.src);
}

static void
stop_all(struct actor *a)
{
	(void)a;
	sched_stop();
}

static void
test_stop_ends_the_run_early_and_the_next_one_goes_on(void **state)
{
	struct ticker t;
	struct actor a = {};

	(void)state;
	ticker_add(&t, 1, NULL, 10, 10, 10);
	actor_add(&a, NULL, 35, stop_all);
	sched_run(NS_PER_SEC);
	assert_int_equal(t.done, 3);
	assert_int_equal(clock_now(), 35);
	sched_run(NS_PER_SEC);
	assert_int_equal(t.done, 10);
	assert_int_equal(clock_now(), NS_PER_SEC);
	sched_remove(&t.src);
	sched_remove(&a.src);
}

static int drains;
static bool
drain_three_times(void)
{
	return ++drains % 3 != 0;
}

static void
test_what_a_walk_leaves_is_drained_after_each_run_and_callout(void **state)
{
	struct ticker t;
	struct callout c;

	(void)state;
	drains = 0;
	sched_drain = drain_three_times;
	ticker_add(&t, 1, NULL, 10, 10, 4);
	callout_init(&c, NULL, callout_note, NULL);
	callout_reset(&c, NS_PER_MS);
	assert_int_equal(sched_run(NS_NEVER), 5);
	/* once before the clock moves, then after each of the five */
	assert_int_equal(drains, 18);
	sched_remove(&t.src);
}

static void
live_run(struct sched_source *src, uint64_t until_ns)
{
	assert_int_equal(until_ns, clock_now() + 1);
	assert_true(src->next_ns <= clock_now());
	note((int)src->seq, 0);
	src->next_ns = NS_NEVER;
}

static void
test_live_does_what_is_due_and_comes_back(void **state)
{
	struct sched_source due = { .run = live_run }, later = { .run = live_run };
	struct callout c;

	(void)state;
	worker_detach();
	assert_non_null(worker_attach(0, CLOCK_LIVE));
	nran = 0;
	due.next_ns = clock_now();
	later.next_ns = clock_now() + 3600 * NS_PER_SEC;
	callout_init(&c, NULL, callout_note, (void *)9);
	callout_reset(&c, 0);
	sched_add(&due, NULL);
	sched_add(&later, NULL);
	assert_int_equal(sched_run(NS_NEVER), 1);
	while (clock_update() <= c.when_ns)
		;
	assert_int_equal(sched_run(NS_NEVER), 1);
	assert_int_equal(ran[1].id, 9);
	assert_int_equal(sched_next(), later.next_ns);
	sched_remove(&due);
	sched_remove(&later);
}

/*
 * A network of nodes with random links and routes: each packet is sent on until its hops are used
 * up, with processing, queueing behind earlier packets, and timers that send. Whatever the
 * lookahead, each node must see the same packets at the same times in the same order.
 */
enum { NODES = 12, DEGREE = 3, QUEUE = 4096, LINK_DELAY_NS = 50000 };

struct packet {
	uint64_t when_ns;
	uint32_t id, hops;
};

struct link {
	struct sched_source src;
	struct node *to;
	uint64_t delay_ns, gap_ns, free_ns;
	struct packet queue[QUEUE];
	uint32_t head, tail;
};

struct node {
	struct sched_domain *domain;
	struct link out[DEGREE];
	struct callout timer;
	uint64_t trace; /* hash of what it has seen, in order */
	uint32_t seen, sent;
	uint64_t last_ns;
};

static struct node nodes[NODES];
static uint64_t steps;

static void
link_send(struct link *l, struct packet p)
{
	bool was_empty = l->head == l->tail;

	assert_true(l->tail - l->head < QUEUE);
	l->free_ns = (p.when_ns > l->free_ns ? p.when_ns : l->free_ns) + l->gap_ns;
	p.when_ns = l->free_ns + l->delay_ns;
	l->queue[l->tail++ % QUEUE] = p;
	if (was_empty)
		sched_update(&l->src, p.when_ns);
}

static void
node_receive(struct node *n, struct packet p)
{
	assert_true(p.when_ns >= n->last_ns);
	n->last_ns = p.when_ns;
	n->trace = (n->trace ^ p.when_ns ^ p.id) * UINT64_C(0x100000001b3);
	n->seen++;
	if (p.hops-- > 0)
		link_send(&n->out[(p.id + n->seen) % DEGREE], p);
}

static void
link_run(struct sched_source *src, uint64_t until_ns)
{
	struct link *l = (struct link *)src;

	do
		node_receive(l->to, l->queue[l->head++ % QUEUE]);
	while (l->head != l->tail && l->queue[l->head % QUEUE].when_ns < until_ns);
	src->next_ns = l->head != l->tail ? l->queue[l->head % QUEUE].when_ns : NS_NEVER;
}

static void
node_timer(void *arg)
{
	struct node *n = arg;

	for (uint32_t i = 0; i < 5; i++)
		link_send(&n->out[i % DEGREE],
		    (struct packet){ clock_now(), n->sent++ * 100 + (uint32_t)(n - nodes), 20 });
	if (n->sent < 200)
		callout_reset(&n->timer, 1700000 + n->sent * 1000);
}

static uint64_t
network_run(uint64_t lookahead_ns, bool serial)
{
	uint64_t trace = 0, seen = 0;
	struct rng r;

	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
	memset(nodes, 0, sizeof(nodes));
	rng_seed(&r, 7, "network");
	sched_set_lookahead(lookahead_ns);
	for (int i = 0; i < NODES; i++)
		nodes[i].domain = sched_domain_new(serial);
	for (int i = 0; i < NODES; i++) {
		for (int j = 0; j < DEGREE; j++) {
			struct link *l = &nodes[i].out[j];

			l->to = &nodes[rng_below(&r, NODES)];
			l->delay_ns = LINK_DELAY_NS + rng_below(&r, 20) * 10000;
			l->gap_ns = 500 + rng_below(&r, 4) * 500;
			l->src = (struct sched_source){ .next_ns = NS_NEVER, .run = link_run };
			sched_add(&l->src, l->to->domain);
		}
		callout_init(&nodes[i].timer, NULL, node_timer, &nodes[i]);
		callout_reset(&nodes[i].timer, NS_PER_MS + rng_below(&r, 3) * 500000);
	}
	steps = sched_run(NS_NEVER);
	for (int i = 0; i < NODES; i++) {
		trace = (trace ^ nodes[i].trace) * UINT64_C(0x100000001b3);
		seen += nodes[i].seen;
	}
	assert_int_equal(seen, NODES * 200 * 21);
	worker_detach();
	return trace;
}

static void
test_windows_give_the_same_result_as_one_instant_at_a_time(void **state)
{
	uint64_t reference, exact_steps;

	(void)state;
	worker_detach();
	reference = network_run(0, true);
	exact_steps = steps;
	assert_true(network_run(LINK_DELAY_NS + 500, false) == reference);
	assert_true(steps < exact_steps);
	assert_true(network_run(LINK_DELAY_NS + 500, true) == reference);
	assert_true(network_run(1000, false) == reference);
	assert_true(network_run(0, false) == reference);
	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_to_do_ends_at_once_or_at_the_time_asked_for),
		TEST(test_run_stops_before_the_time_asked_for),
		TEST(test_a_lone_source_is_told_to_go_as_far_as_the_lookahead),
		TEST(test_the_lookahead_is_never_longer_than_the_shortest_callout),
		TEST(test_two_sources_of_one_domain_take_turns_in_order_of_time),
		TEST(test_at_an_equal_time_the_older_source_goes_first_for_that_instant),
		TEST(test_a_serial_domain_runs_one_instant_at_a_time),
		TEST(test_domains_of_one_window_run_one_after_the_other),
		TEST(test_callouts_run_before_sources_of_the_same_instant_and_end_windows),
		TEST(test_a_source_moved_to_an_earlier_time_inside_the_window_is_honoured),
		TEST(test_a_source_may_end_itself_and_its_domain_in_its_own_run),
		TEST(test_stop_ends_the_run_early_and_the_next_one_goes_on),
		TEST(test_what_a_walk_leaves_is_drained_after_each_run_and_callout),
		TEST(test_live_does_what_is_due_and_comes_back),
		TEST(test_windows_give_the_same_result_as_one_instant_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
