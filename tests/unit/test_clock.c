/* Clocks and workers. */
#include "base/clock.h"

#include <pthread.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
test_virtual_time_stands_still_until_somebody_moves_it(void **state)
{
	(void)state;
	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
	assert_int_equal(clock_now(), 0);
	assert_int_equal(clock_update(), 0);
	clock_at(5 * NS_PER_SEC);
	assert_int_equal(clock_update(), 5 * NS_PER_SEC);
	worker_detach();
	assert_null(curworker);
}

static void
test_live_time_goes_on_and_cannot_be_set(void **state)
{
	uint64_t before;

	(void)state;
	assert_non_null(worker_attach(0, CLOCK_LIVE));
	before = clock_now();
	clock_at(before + 3600 * NS_PER_SEC);
	assert_int_equal(clock_now(), before);
	while (clock_update() == before)
		;
	assert_true(clock_now() > before);
	assert_true(clock_now() < before + 3600 * NS_PER_SEC);
	worker_detach();
}

static void
test_the_epoch_of_virtual_time_is_the_same_in_every_run(void **state)
{
	(void)state;
	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
	assert_int_equal(clock_epoch_ns(), UINT64_C(946684800) * NS_PER_SEC);
	worker_detach();
	/* Without a worker it is the machine's: later than this line was written. */
	assert_true(clock_epoch_ns() > UINT64_C(1600000000) * NS_PER_SEC);
}

static void
test_a_worker_that_is_taken_is_refused(void **state)
{
	(void)state;
	assert_null(worker_attach(WORKERS_MAX, CLOCK_VIRTUAL));
	assert_non_null(worker_attach(3, CLOCK_VIRTUAL));
	assert_null(worker_attach(3, CLOCK_VIRTUAL));
	assert_null(worker_attach(4, CLOCK_VIRTUAL));
	assert_int_equal(curworker->id, 3);
	assert_int_equal(worker_count(), 1);
	worker_detach();
	assert_int_equal(worker_count(), 0);
	assert_non_null(worker_attach(3, CLOCK_VIRTUAL));
	worker_detach();
}

static void *
attach_same(void *arg)
{
	struct worker *w = worker_attach(0, CLOCK_VIRTUAL);

	*(bool *)arg = w != NULL;
	if (w != NULL)
		worker_detach();
	return NULL;
}

static void
test_two_threads_cannot_be_the_same_worker(void **state)
{
	bool attached = true;
	pthread_t thread;

	(void)state;
	assert_non_null(worker_attach(0, CLOCK_VIRTUAL));
	pthread_create(&thread, NULL, attach_same, &attached);
	pthread_join(thread, NULL);
	assert_false(attached);
	worker_detach();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtual_time_stands_still_until_somebody_moves_it),
		cmocka_unit_test(test_live_time_goes_on_and_cannot_be_set),
		cmocka_unit_test(test_the_epoch_of_virtual_time_is_the_same_in_every_run),
		cmocka_unit_test(test_a_worker_that_is_taken_is_refused),
		cmocka_unit_test(test_two_threads_cannot_be_the_same_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
