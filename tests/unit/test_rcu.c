/* Late frees: order, a single thread, and readers on other threads. */
#include "base/rcu.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct late {
	struct rcu_head head;
	int id;
};

static int ran[100];
static int nran;

static void
note(struct rcu_head *h)
{
	struct late *l = (struct late *)(void *)h;

	ran[nran++] = l->id;
	free(l);
}

static void
call(int id)
{
	struct late *l = malloc(sizeof(*l));

	l->id = id;
	rcu_call(&l->head, note);
}

static void
test_calls_run_in_the_order_of_registration(void **state)
{
	(void)state;
	nran = 0;
	for (int i = 0; i < 50; i++)
		call(i);
	assert_int_equal(nran, 0);
	rcu_synchronize();
	assert_int_equal(nran, 50);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ran[i], i);
}

static void
test_a_single_thread_gets_its_calls_by_polling_alone(void **state)
{
	(void)state;
	nran = 0;
	for (int turn = 0; turn < 50; turn++) {
		call(turn);
		rcu_read_lock();
		rcu_read_unlock();
		rcu_poll();
	}
	for (int turn = 0; turn < 10 && nran < 50; turn++)
		rcu_poll();
	assert_int_equal(nran, 50);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ran[i], i);
}

static void
test_nothing_runs_inside_a_section_that_may_see_it(void **state)
{
	(void)state;
	nran = 0;
	rcu_read_lock();
	rcu_read_lock();
	call(1);
	for (int i = 0; i < 10; i++)
		rcu_poll();
	rcu_read_unlock();
	for (int i = 0; i < 10; i++)
		rcu_poll();
	assert_int_equal(nran, 0);
	rcu_read_unlock();
	rcu_synchronize();
	assert_int_equal(nran, 1);
}

static void
call_again(struct rcu_head *h)
{
	call(2);
	note(h);
}

static void
test_a_call_may_register_another(void **state)
{
	struct late *l = malloc(sizeof(*l));

	(void)state;
	nran = 0;
	l->id = 1;
	rcu_call(&l->head, call_again);
	rcu_synchronize();
	assert_int_equal(nran, 1);
	rcu_synchronize();
	assert_int_equal(nran, 2);
	assert_int_equal(ran[1], 2);
}

static void
test_synchronize_takes_calls_registered_behind_those_under_way(void **state)
{
	(void)state;
	nran = 0;
	rcu_read_lock();
	call(1);
	rcu_poll();
	call(2);
	rcu_read_unlock();
	rcu_synchronize();
	assert_int_equal(nran, 2);
}

/* Readers follow a pointer that the writer replaces; what they see must never be freed memory. */
struct table {
	struct rcu_head head;
	uint64_t a, b;
};
static struct table *current;
static bool done;

static void
table_free(struct rcu_head *h)
{
	struct table *t = (struct table *)(void *)h;

	t->a = 1;
	t->b = 2; /* a reader that still looks would see them differ */
	free(t);
}

static void *
reader(void *arg)
{
	uint64_t *wrong = arg;

	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		rcu_read_lock();
		for (int i = 0; i < 10; i++) {
			struct table *t = rcu_deref(&current);

			*wrong += t->a != t->b;
		}
		rcu_read_unlock();
	}
	return NULL;
}

static struct table *
table_new(uint64_t n)
{
	struct table *t = malloc(sizeof(*t));

	t->a = t->b = n;
	return t;
}

static void
test_readers_never_see_what_has_been_freed(void **state)
{
	pthread_t thread[3];
	uint64_t wrong[3] = {};

	(void)state;
	done = false;
	current = table_new(0);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, reader, &wrong[i]);
	for (uint64_t n = 1; n < 3000; n++) {
		struct table *old = current;

		rcu_publish(&current, table_new(n));
		rcu_call(&old->head, table_free);
		rcu_poll();
		if (n % 500 == 0) {
			rcu_synchronize();
			sched_yield();
		}
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(wrong[i], 0);
	}
	rcu_synchronize();
	free(current);
}

static void *
leave_a_call(void *arg)
{
	(void)arg;
	call(7);
	return NULL;
}

static void
test_a_thread_that_ends_runs_its_calls_first(void **state)
{
	pthread_t thread;

	(void)state;
	nran = 0;
	pthread_create(&thread, NULL, leave_a_call, NULL);
	pthread_join(thread, NULL);
	assert_int_equal(nran, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_run_in_the_order_of_registration),
		cmocka_unit_test(test_a_single_thread_gets_its_calls_by_polling_alone),
		cmocka_unit_test(test_nothing_runs_inside_a_section_that_may_see_it),
		cmocka_unit_test(test_a_call_may_register_another),
		cmocka_unit_test(test_synchronize_takes_calls_registered_behind_those_under_way),
		cmocka_unit_test(test_readers_never_see_what_has_been_freed),
		cmocka_unit_test(test_a_thread_that_ends_runs_its_calls_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
