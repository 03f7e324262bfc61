/* Chance that is the same everywhere. */
#include "base/rng.h"

#include <stdbool.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
test_the_generator_is_xoshiro256_starstar(void **state)
{
	/* First outputs of the published algorithm from the state 1, 2, 3, 4. */
	static const uint64_t expected[] = {
		11520,
		0,
		1509978240,
		UINT64_C(1215971899390074240),
		UINT64_C(1216172134540287360),
	};
	struct rng r = { { 1, 2, 3, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(rng_u64(&r), expected[i]);
}

static void
test_one_seed_and_name_give_one_stream(void **state)
{
	struct rng a, b, other_name, other_seed;

	(void)state;
	rng_seed(&a, 1, "link0");
	rng_seed(&b, 1, "link0");
	rng_seed(&other_name, 1, "link1");
	rng_seed(&other_seed, 2, "link0");
	assert_memory_equal(&a, &b, sizeof(a));
	for (int i = 0; i < 100; i++) {
		uint64_t x = rng_u64(&a);

		assert_int_equal(x, rng_u64(&b));
		assert_true(x != rng_u64(&other_name));
		assert_true(x != rng_u64(&other_seed));
	}
}

static void
test_below_is_uniform_over_its_range(void **state)
{
	uint32_t count[7] = {};
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "below");
	for (int i = 0; i < 70000; i++)
		count[rng_below(&r, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(count[i], 9600, 10400);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rng_below(&r, 1), 0);
		assert_true(rng_below(&r, UINT64_C(3) << 62) < UINT64_C(3) << 62);
	}
}

static void
test_doubles_lie_in_the_half_open_unit_interval(void **state)
{
	double sum = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "double");
	for (int i = 0; i < 100000; i++) {
		double x = rng_double(&r);

		assert_true(x >= 0 && x < 1);
		sum += x;
	}
	assert_true(sum > 49500 && sum < 50500);
}

static void
test_exponential_draws_have_the_mean_the_spread_and_the_tail_of_the_law(void **state)
{
	enum { N = 400000 };
	double sum = 0, squares = 0;
	uint32_t over1 = 0, over5 = 0, below_half = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "exp");
	for (int i = 0; i < N; i++) {
		double x = (double)rng_exp(&r, 1000000) / 1e6;

		sum += x;
		squares += x * x;
		below_half += x < 0.5;
		over1 += x > 1;
		over5 += x > 5;
	}
	sum /= N;
	squares /= N;
	assert_true(sum > 0.99 && sum < 1.01);
	assert_true(squares > 1.96 && squares < 2.04);
	/* 1 - e^-0.5, e^-1, e^-5 */
	assert_in_range(below_half, N * 0.3935 - 1500, N * 0.3935 + 1500);
	assert_in_range(over1, N * 0.3679 - 1500, N * 0.3679 + 1500);
	assert_in_range(over5, N * 0.00674 - 300, N * 0.00674 + 300);
}

static void
test_exponential_draws_are_the_same_on_every_machine(void **state)
{
	/*
	 * Taken from this implementation once: they must never change, or no run can be repeated.
	 */
	static const uint64_t expected[] = { 540987232, 959301488, 1536587847, 846436903, 260950518,
		611752821, 687135423, 121314602 };
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "poisson");
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(rng_exp(&r, 1000000000), expected[i]);
}

static void
test_exponential_draws_with_extreme_means_stay_in_range(void **state)
{
	bool saturated = false;
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "extreme");
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rng_exp(&r, 0), 0);
		saturated |= rng_exp(&r, UINT64_MAX) == UINT64_MAX;
	}
	assert_true(saturated);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_generator_is_xoshiro256_starstar),
		cmocka_unit_test(test_one_seed_and_name_give_one_stream),
		cmocka_unit_test(test_below_is_uniform_over_its_range),
		cmocka_unit_test(test_doubles_lie_in_the_half_open_unit_interval),
		cmocka_unit_test(
		    test_exponential_draws_have_the_mean_the_spread_and_the_tail_of_the_law),
		cmocka_unit_test(test_exponential_draws_are_the_same_on_every_machine),
		cmocka_unit_test(test_exponential_draws_with_extreme_means_stay_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
