/*
 * Unit tests of the histograms of times (inet/delay_hist.c) against sorted samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "inet/udp_traffic.h"

static void
test_an_empty_histogram_says_zero(void **state)
{
	struct delay_hist *h = delay_hist_new();

	(void)state;
	assert_int_equal(delay_hist_count(h), 0);
	assert_int_equal(delay_hist_min(h), 0);
	assert_int_equal(delay_hist_max(h), 0);
	assert_int_equal(delay_hist_quantile(h, 0.5), 0);
	assert_true(delay_hist_mean(h) == 0);
	delay_hist_free(h);
}

static void
test_equal_values_are_given_back_exactly(void **state)
{
	const uint64_t values[] = { 0, 1, 63, 64, 127, 128, 10000001, 123456789012345, UINT64_MAX };

	(void)state;
	for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
		struct delay_hist *h = delay_hist_new();

		for (int i = 0; i < 10; i++)
			delay_hist_add(h, values[v]);
		for (int q = 0; q <= 10; q++)
			assert_true(delay_hist_quantile(h, q / 10.0) == values[v]);
		assert_true(delay_hist_min(h) == values[v]);
		assert_true(delay_hist_max(h) == values[v]);
		delay_hist_free(h);
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
test_quantiles_are_within_a_64th_of_the_sorted_samples(void **state)
{
	enum { N = 20000 };
	static uint64_t sample[N];
	struct delay_hist *h = delay_hist_new();
	struct rng r;
	double sum = 0;

	(void)state;
	rng_seed(&r, 7, "hist");
	for (int i = 0; i < N; i++) {
		sample[i] = rng_u64(&r) >> (20 + rng_below(&r, 44));
		sum += (double)sample[i];
		delay_hist_add(h, sample[i]);
	}
	qsort(sample, N, sizeof(sample[0]), compare);
	for (int q = 0; q <= 1000; q++) {
		uint64_t rank = ((uint64_t)q * N + 999) / 1000, exact, got;

		exact = sample[rank == 0 ? 0 : rank - 1];
		got = delay_hist_quantile(h, q / 1000.0);
		assert_true(got <= exact + exact / 64 + 1 && got + got / 64 + 1 >= exact);
	}
	assert_int_equal(delay_hist_count(h), N);
	assert_true(delay_hist_min(h) == sample[0]);
	assert_true(delay_hist_max(h) == sample[N - 1]);
	assert_true(
	    delay_hist_mean(h) > sum / N * 0.999999 && delay_hist_mean(h) < sum / N * 1.000001);
	delay_hist_free(h);
}

static void
test_median_of_three_is_the_middle_one(void **state)
{
	struct delay_hist *h = delay_hist_new();

	(void)state;
	delay_hist_add(h, 10);
	delay_hist_add(h, 20);
	delay_hist_add(h, 30);
	assert_int_equal(delay_hist_quantile(h, 0.5), 20);
	assert_int_equal(delay_hist_quantile(h, 0.33), 10);
	assert_int_equal(delay_hist_quantile(h, 0.67), 30);
	delay_hist_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_histogram_says_zero),
		cmocka_unit_test(test_equal_values_are_given_back_exactly),
		cmocka_unit_test(test_quantiles_are_within_a_64th_of_the_sorted_samples),
		cmocka_unit_test(test_median_of_three_is_the_middle_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
