/* Rings: exact capacity, order, and four producers at once. */
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void *
number(uintptr_t n)
{
	return (void *)n;
}

static void
check_capacity(enum ring_kind kind)
{
	for (uint32_t capacity = 1; capacity < 20; capacity++) {
		struct ring *r = ring_new(kind, capacity);

		assert_int_equal(ring_capacity(r), capacity);
		for (int round = 0; round < 5; round++) {
			for (uintptr_t i = 1; i <= capacity; i++)
				assert_true(ring_put(r, number(i)));
			assert_int_equal(ring_len(r), capacity);
			assert_false(ring_put(r, number(99)));
			assert_int_equal(ring_refused(r), round + 1);
			for (uintptr_t i = 1; i <= capacity; i++) {
				assert_ptr_equal(ring_peek(r), number(i));
				assert_ptr_equal(ring_get(r), number(i));
			}
			assert_null(ring_get(r));
			assert_null(ring_peek(r));
			assert_int_equal(ring_len(r), 0);
		}
		ring_free(r);
	}
}

static void
test_a_ring_holds_exactly_its_capacity_and_counts_the_refused(void **state)
{
	(void)state;
	check_capacity(RING_SP);
	check_capacity(RING_MP);
}

static void
test_a_ring_without_room_is_not_made(void **state)
{
	(void)state;
	assert_null(ring_new(RING_SP, 0));
	assert_null(ring_new(RING_MP, UINT32_MAX));
}

static void
test_many_are_taken_at_once_in_order(void **state)
{
	struct ring *r = ring_new(RING_MP, 10);
	void *out[8];

	(void)state;
	for (uintptr_t i = 1; i <= 10; i++)
		ring_put(r, number(i));
	assert_int_equal(ring_get_many(r, out, 8), 8);
	for (uintptr_t i = 0; i < 8; i++)
		assert_ptr_equal(out[i], number(i + 1));
	assert_int_equal(ring_len(r), 2);
	assert_true(ring_put(r, number(11)));
	assert_int_equal(ring_get_many(r, out, 8), 3);
	assert_ptr_equal(out[2], number(11));
	assert_int_equal(ring_get_many(r, out, 8), 0);
	ring_free(r);
}

enum { PER_PRODUCER = 20000 };

struct producer {
	struct ring *r;
	uintptr_t id;
	uint64_t refused;
};

struct parcel {
	uintptr_t producer, number;
};
static struct parcel parcels[4][PER_PRODUCER];

static void *
produce(void *arg)
{
	struct producer *p = arg;

	for (uintptr_t i = 0; i < PER_PRODUCER; i++) {
		struct parcel *parcel = &parcels[p->id][i];

		parcel->producer = p->id;
		parcel->number = i;
		while (!ring_put(p->r, parcel)) {
			p->refused++;
			sched_yield();
		}
	}
	return NULL;
}

static void
check_producers(enum ring_kind kind, uint32_t n, uint32_t capacity)
{
	struct ring *r = ring_new(kind, capacity);
	struct producer p[4];
	uintptr_t next[4] = {};
	pthread_t thread[4];
	uint64_t refused = 0;

	for (uint32_t i = 0; i < n; i++) {
		p[i] = (struct producer){ r, i, 0 };
		pthread_create(&thread[i], NULL, produce, &p[i]);
	}
	for (uint32_t got = 0; got < n * PER_PRODUCER;) {
		void *out[16];
		uint32_t k = ring_get_many(r, out, 16);

		assert_true(ring_len(r) <= capacity);
		for (uint32_t i = 0; i < k; i++) {
			struct parcel *parcel = out[i];

			assert_int_equal(parcel->number, next[parcel->producer]);
			next[parcel->producer]++;
		}
		got += k;
		if (k == 0)
			sched_yield();
	}
	for (uint32_t i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		refused += p[i].refused;
	}
	assert_int_equal(ring_refused(r), refused);
	assert_int_equal(ring_len(r), 0);
	ring_free(r);
}

static void
test_one_producer_and_its_consumer_lose_nothing(void **state)
{
	(void)state;
	check_producers(RING_SP, 1, 1);
	check_producers(RING_SP, 1, 100);
}

static void
test_four_producers_lose_nothing_and_each_keeps_its_order(void **state)
{
	(void)state;
	check_producers(RING_MP, 4, 3);
	check_producers(RING_MP, 4, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ring_holds_exactly_its_capacity_and_counts_the_refused),
		cmocka_unit_test(test_a_ring_without_room_is_not_made),
		cmocka_unit_test(test_many_are_taken_at_once_in_order),
		cmocka_unit_test(test_one_producer_and_its_consumer_lose_nothing),
		cmocka_unit_test(test_four_producers_lose_nothing_and_each_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
