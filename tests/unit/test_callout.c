/* Timers, against a reference that looks through all of them. */
#include "base/callout.h"
#include "base/sched.h"

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
	uint64_t live = callout_live();

	(void)state;
	worker_detach();
	return live == 0 ? 0 : -1;
}

/* What fired, in order. */
static struct {
	uintptr_t id[256];
	uint64_t at_ns[256];
	uint32_t n;
} fired;

static void
record(void *arg)
{
	if (fired.n < 256) {
		fired.id[fired.n] = (uintptr_t)arg;
		fired.at_ns[fired.n] = clock_now();
	}
	fired.n++;
}

static struct callout
make(uintptr_t id)
{
	struct callout c;

	callout_init(&c, NULL, record, (void *)id);
	return c;
}

static void
test_callouts_fire_at_their_exact_nanosecond(void **state)
{
	static const uint64_t delay_ns[] = {
		NS_PER_MS,
		NS_PER_MS + 1,
		1048575,
		1048576,
		1048577,
		67108863,
		67108864,
		67108865,
		NS_PER_SEC,
		3600 * NS_PER_SEC,
		24 * 3600 * NS_PER_SEC,
		10 * 365 * 86400 * NS_PER_SEC,
	};
	enum { N = sizeof(delay_ns) / sizeof(delay_ns[0]) };
	struct callout c[N];

	(void)state;
	fired.n = 0;
	clock_at(123);
	for (uintptr_t i = N; i-- > 0;) {
		c[i] = make(i);
		assert_false(callout_reset(&c[i], delay_ns[i]));
	}
	assert_int_equal(callout_live(), N);
	assert_int_equal(callout_next(), NS_PER_MS + 123);
	assert_int_equal(sched_run(NS_NEVER), N);
	assert_int_equal(fired.n, N);
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(fired.id[i], i);
		assert_int_equal(fired.at_ns[i], 123 + delay_ns[i]);
		assert_false(callout_armed(&c[i]));
	}
	assert_int_equal(callout_next(), NS_NEVER);
}

static void
test_callouts_of_one_deadline_fire_in_order_of_arming(void **state)
{
	struct callout c[100];

	(void)state;
	fired.n = 0;
	for (uintptr_t i = 0; i < 100; i++)
		c[i] = make(i);
	/* From two places on the wheel, the same instant. */
	for (int i = 0; i < 50; i++)
		callout_reset(&c[i], 500 * NS_PER_MS);
	sched_run(499 * NS_PER_MS);
	for (int i = 50; i < 100; i++)
		callout_reset(&c[i], NS_PER_MS);
	callout_reset(&c[10], NS_PER_MS); /* to the end */
	sched_run(NS_PER_SEC);
	assert_int_equal(fired.n, 100);
	for (uint32_t i = 0; i < 99; i++)
		assert_int_equal(fired.id[i], i < 10 ? i : i + 1);
	assert_int_equal(fired.id[99], 10);
}

static void
test_the_shortest_delay_is_one_tick(void **state)
{
	struct callout c = make(1);

	(void)state;
	callout_reset(&c, 0);
	assert_int_equal(callout_next(), CALLOUT_MIN_NS);
	assert_true(callout_reset(&c, UINT64_MAX));
	assert_int_equal(callout_next(), NS_NEVER - 1);
	assert_true(callout_stop(&c));
}

static void
test_a_stopped_callout_does_not_fire(void **state)
{
	struct callout a = make(1), b = make(2);

	(void)state;
	fired.n = 0;
	callout_reset(&a, NS_PER_SEC);
	callout_reset(&b, 2 * NS_PER_SEC);
	assert_true(callout_stop(&a));
	assert_false(callout_stop(&a));
	assert_false(callout_drain(&a));
	assert_int_equal(callout_next(), 2 * NS_PER_SEC);
	sched_run(NS_NEVER);
	assert_int_equal(fired.n, 1);
	assert_int_equal(fired.id[0], 2);
}

struct periodic {
	struct callout c;
	uint64_t period_ns;
	uint32_t n;
};

static void
again(void *arg)
{
	struct periodic *p = arg;

	p->n++;
	callout_reset(&p->c, p->period_ns);
}

static void
test_a_callout_may_arm_itself_again_for_a_day(void **state)
{
	struct periodic p = { .period_ns = 10 * NS_PER_SEC }, odd = { .period_ns = 3599999999999 };

	(void)state;
	callout_init(&p.c, NULL, again, &p);
	callout_init(&odd.c, NULL, again, &odd);
	callout_reset(&p.c, p.period_ns);
	callout_reset(&odd.c, odd.period_ns);
	sched_run(24 * 3600 * NS_PER_SEC + 1);
	assert_int_equal(p.n, 8640);
	assert_int_equal(odd.n, 24);
	assert_int_equal(clock_now(), 24 * 3600 * NS_PER_SEC + 1);
	callout_stop(&p.c);
	callout_stop(&odd.c);
}

static struct callout victim;

static void
stop_victim(void *arg)
{
	record(arg);
	assert_true(callout_stop(&victim));
}

static void
test_a_callout_may_stop_another_of_the_same_instant(void **state)
{
	struct callout c;

	(void)state;
	fired.n = 0;
	callout_init(&c, NULL, stop_victim, (void *)1);
	victim = make(2);
	callout_reset(&c, NS_PER_SEC);
	callout_reset(&victim, NS_PER_SEC);
	sched_run(NS_NEVER);
	assert_int_equal(fired.n, 1);
}

static void
free_it(void *arg)
{
	record(arg);
	free(arg);
}

static void
test_a_callout_may_free_the_memory_that_holds_it(void **state)
{
	struct callout *c = malloc(sizeof(*c));

	(void)state;
	fired.n = 0;
	callout_init(c, NULL, free_it, c);
	callout_reset(c, NS_PER_SEC);
	sched_run(NS_NEVER);
	assert_int_equal(fired.n, 1);
}

static uintptr_t entered;
static void
enter(struct vnet *vnet)
{
	entered = (uintptr_t)vnet;
}
static void
leave(struct vnet *vnet)
{
	(void)vnet;
	entered = 0;
}
static void
note_entered(void *arg)
{
	*(uintptr_t *)arg = entered;
}

static void
test_a_callout_runs_in_its_stack(void **state)
{
	uintptr_t seen = 0, seen_without = 1;
	struct callout c, without;

	(void)state;
	callout_enter_vnet = enter;
	callout_leave_vnet = leave;
	callout_init(&c, (struct vnet *)(uintptr_t)64, note_entered, &seen);
	callout_init(&without, NULL, note_entered, &seen_without);
	callout_reset(&c, NS_PER_SEC);
	callout_reset(&without, NS_PER_SEC);
	sched_run(NS_NEVER);
	callout_enter_vnet = callout_leave_vnet = NULL;
	assert_int_equal(seen, 64);
	assert_int_equal(seen_without, 0);
	assert_int_equal(entered, 0);
}

static void
test_run_catches_up_with_what_a_late_worker_missed_in_order(void **state)
{
	struct callout c[50];

	(void)state;
	fired.n = 0;
	for (uintptr_t i = 0; i < 50; i++) {
		c[i] = make(i);
		callout_reset(&c[i], (1 + (i * 37) % 50) * 40 * NS_PER_MS);
	}
	clock_at(NS_PER_SEC);
	assert_int_equal(callout_run(NS_PER_SEC), 25);
	clock_at(5 * NS_PER_SEC);
	assert_int_equal(callout_run(5 * NS_PER_SEC), 25);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal((1 + (fired.id[i] * 37) % 50), i + 1);
}

static void
test_many_callouts_of_one_instant_and_of_one_slot_are_no_trouble(void **state)
{
	enum { N = 100000 };
	struct callout *c = calloc(N, sizeof(*c));

	(void)state;
	fired.n = 0;
	for (uintptr_t i = 0; i < N; i++) {
		c[i] = make(i);
		callout_reset(&c[i], i % 2 ? NS_PER_SEC : NS_PER_SEC + (i * 7919) % 1000000);
	}
	assert_int_equal(callout_live(), N);
	for (uint32_t i = 0; i < N; i += 4)
		callout_stop(&c[i]);
	sched_run(NS_NEVER);
	assert_int_equal(fired.n, N - N / 4);
	free(c);
}

static void
test_callouts_left_behind_are_disarmed_with_their_worker(void **state)
{
	static struct callout c;

	(void)state;
	c = make(1);
	callout_reset(&c, NS_PER_SEC);
	worker_detach();
	assert_false(callout_armed(&c));
	assert_int_equal(callout_live(), 0);
	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
}

/* The reference: an array, searched from end to end. */
enum { REF_N = 200 };
static struct ref {
	struct callout c;
	bool armed;
	uint64_t when_ns, seq;
} ref[REF_N];
static uint64_t ref_seq, rnd;
static uint32_t ref_fired, ref_wrong;

static uint64_t
draw(void)
{
	rnd = rnd * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return rnd >> 20;
}

static struct ref *
ref_first(void)
{
	struct ref *first = NULL;

	for (int i = 0; i < REF_N; i++)
		if (ref[i].armed &&
		    (first == NULL || ref[i].when_ns < first->when_ns ||
			(ref[i].when_ns == first->when_ns && ref[i].seq < first->seq)))
			first = &ref[i];
	return first;
}

static void
ref_touch(struct ref *r)
{
	/* From a tick to months, and many equal ones. */
	uint64_t delay_ns = draw() % 3 == 0 ?
	    (1 + draw() % 8) * 10 * NS_PER_MS :
	    NS_PER_MS + draw() % (UINT64_C(1) << (20 + draw() % 34));

	if (draw() % 4 == 0) {
		ref_wrong += callout_stop(&r->c) != r->armed;
		r->armed = false;
	} else {
		ref_wrong += callout_reset(&r->c, delay_ns) != r->armed;
		r->armed = true;
		r->when_ns = clock_now() + delay_ns;
		r->seq = ref_seq++;
	}
}

static void
ref_fire(void *arg)
{
	struct ref *r = arg, *first = ref_first();

	ref_fired++;
	ref_wrong += r != first || clock_now() != r->when_ns;
	r->armed = false;
	for (uint64_t n = draw() % 3; n > 0; n--)
		ref_touch(&ref[draw() % REF_N]);
	first = ref_first();
	/* Not always: what is asked for hides what isn't. */
	if (draw() % 4 == 0)
		ref_wrong += callout_next() != (first != NULL ? first->when_ns : NS_NEVER);
}

static void
test_the_wheel_agrees_with_a_search_through_all_callouts(void **state)
{
	(void)state;
	memset(ref, 0, sizeof(ref));
	rnd = 1;
	for (int i = 0; i < REF_N; i++)
		callout_init(&ref[i].c, NULL, ref_fire, &ref[i]);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 20; i++)
			ref_touch(&ref[draw() % REF_N]);
		sched_run(clock_now() + draw() % (UINT64_C(1) << (15 + draw() % 36)));
		assert_int_equal(ref_wrong, 0);
	}
	sched_run(clock_now() + 1);
	assert_true(ref_fired > 3000);
	for (int i = 0; i < REF_N; i++)
		callout_stop(&ref[i].c);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_callouts_fire_at_their_exact_nanosecond),
		TEST(test_callouts_of_one_deadline_fire_in_order_of_arming),
		TEST(test_the_shortest_delay_is_one_tick),
		TEST(test_a_stopped_callout_does_not_fire),
		TEST(test_a_callout_may_arm_itself_again_for_a_day),
		TEST(test_a_callout_may_stop_another_of_the_same_instant),
		TEST(test_a_callout_may_free_the_memory_that_holds_it),
		TEST(test_a_callout_runs_in_its_stack),
		TEST(test_run_catches_up_with_what_a_late_worker_missed_in_order),
		TEST(test_many_callouts_of_one_instant_and_of_one_slot_are_no_trouble),
		TEST(test_callouts_left_behind_are_disarmed_with_their_worker),
		TEST(test_the_wheel_agrees_with_a_search_through_all_callouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
