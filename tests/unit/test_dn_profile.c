/* Delay profiles: read from text, sampled, drawn. */
#include "base/clock.h"
#include "dummynet/dn_profile.h"
#include "kern/vnet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char why[200];

static struct dn_profile *
parse(const char *text)
{
	why[0] = '\0';
	return dn_profile_parse(text, strlen(text), why, sizeof(why));
}

static void
expect_refused(const char *text, const char *sentence)
{
	assert_null(parse(text));
	assert_string_equal(why, sentence);
}

/* The example of the original's manual. */
static const char wlan[] = "# a radio link\n"
			   "name    bla_bla_bla\n"
			   "samples 100\n"
			   "loss-level    0.86\n"
			   "bw 300Kbit/s\n"
			   "prob    delay\n"
			   "0       200\t# minimum overhead is 200 ms\n"
			   "0.5     200\n"
			   "0.5     300\n"
			   "0.8     1000\n"
			   "0.9     1300\n"
			   "1       1300\n";

static void
test_a_profile_is_read(void **state)
{
	struct dn_profile *p = parse(wlan);

	(void)state;
	assert_non_null(p);
	assert_string_equal(dn_profile_name(p), "bla_bla_bla");
	assert_int_equal(dn_profile_samples(p), 100);
	assert_int_equal(dn_profile_rate(p), 300000);
	assert_true(dn_profile_loss_level(p) == 0.86);
	assert_ptr_equal(dn_profile_ref(p), p);
	dn_profile_rele(p);
	assert_string_equal(dn_profile_name(p), "bla_bla_bla");
	dn_profile_rele(p);
	dn_profile_rele(NULL);
}

static void
test_what_is_not_said_has_its_default(void **state)
{
	struct dn_profile *p = parse("delay prob\n1 0\n2 1");

	(void)state;
	assert_non_null(p);
	assert_string_equal(dn_profile_name(p), "");
	assert_int_equal(dn_profile_samples(p), 100);
	assert_int_equal(dn_profile_rate(p), 0);
	assert_true(dn_profile_loss_level(p) == 1);
	dn_profile_rele(p);
}

static void
test_what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	expect_refused("", "line 1: a profile has at least two points");
	expect_refused("prob delay\n0 1\n", "line 3: a profile has at least two points");
	expect_refused("0 1\n", "line 1: 0: say 'prob delay' or 'delay prob' before the points");
	expect_refused("\n\nprob delay\n1.1 5\n", "line 4: 1.1: not a probability (0 to 1)");
	expect_refused("prob delay\n0 5s\n", "line 2: 5s: not a delay in ms (up to an hour)");
	expect_refused("prob delay\n0 1e9\n", "line 2: 1e9: not a delay in ms (up to an hour)");
	expect_refused(
	    "prob delay\n0 3600001\n", "line 2: 3600001: not a delay in ms (up to an hour)");
	expect_refused("prob delay\n0 -1\n", "line 2: -1: not a delay in ms (up to an hour)");
	expect_refused("prob delay\n0 99999999999999999999\n",
	    "line 2: 99999999999999999999: not a delay in ms (up to an hour)");
	expect_refused("prob delay\n0 .\n", "line 2: .: not a delay in ms (up to an hour)");
	expect_refused("prob later\n", "line 1: prob later: it is 'prob delay' or 'delay prob'");
	expect_refused("prob delay\ndelay prob\n", "line 2: the order of the points is said twice");
	expect_refused("samples 1\n", "line 1: 1: not a number of samples (2 to 1024)");
	expect_refused("samples 1025\n", "line 1: 1025: not a number of samples (2 to 1024)");
	expect_refused("samples 5\nsamples 5\n", "line 2: samples is said twice");
	expect_refused("loss-level 1.01\n", "line 1: 1.01: not a loss level (0 to 1)");
	expect_refused("bw fast\n", "line 1: fast: not a rate (as 11Mbit/s)");
	expect_refused("name\n", "line 1: name: something is missing behind it");
	expect_refused("name a b\n", "line 1: b: a line has two words");
	expect_refused("name a\nname b\n", "line 2: name is said twice");
	expect_refused("name 0123456789012345678901234567890123\n",
	    "line 1: 0123456789012345678901234567890123: a name has at most 31 letters");
	expect_refused("colour red\n", "line 1: colour: unknown word");
	expect_refused("\x1b[2J\x07 red\n", "line 1: ?[2J?: unknown word");
}

static void
test_more_points_than_there_is_room_for_are_refused(void **state)
{
	char *text = malloc(20 * 1026), *at = text;

	(void)state;
	at += sprintf(at, "prob delay\n");
	for (int i = 0; i < 1025; i++)
		at += sprintf(at, "0.5 %d\n", i);
	expect_refused(text, "line 1026: more than 1024 points");
	at[-1] = '\0';
	*strrchr(text, '\n') = '\0';
	dn_profile_rele(parse(text));
	assert_string_equal(why, "");
	free(text);
}

/* --- distribution ----------------------------------------------------------------------------- */

struct curve {
	double prob, delay_ms;
};

/* The inverse as the format defines it: linear, the larger delay where there are two. */
static double
inverse(const struct curve *c, size_t n, double prob)
{
	double found = c[0].delay_ms;

	for (size_t i = 0; i < n && c[i].prob <= prob; i++) {
		found = c[i].delay_ms;
		if (i + 1 < n && c[i + 1].prob > prob)
			found += (c[i + 1].delay_ms - c[i].delay_ms) * (prob - c[i].prob) /
			    (c[i + 1].prob - c[i].prob);
	}
	return found;
}

static int
compare_delays(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Kolmogorov and Smirnov: the largest distance between what was drawn and the distribution. Told by
 * the inverse: the k-th of n sorted draws must lie between its values at k/n -+ d.
 */
static void
expect_distribution(const char *text, const struct curve *c, size_t points)
{
	enum { DRAWS = 200000 };
	struct dn_profile *p = parse(text);
	uint64_t *drawn = malloc(DRAWS * sizeof(*drawn));
	struct rng rng;
	double d;

	assert_string_equal(why, "");
	assert_non_null(p);
	rng_seed(&rng, 1, "profile");
	for (int i = 0; i < DRAWS; i++) {
		bool lost;

		drawn[i] = dn_profile_draw(p, &rng, &lost);
	}
	qsort(drawn, DRAWS, sizeof(*drawn), compare_delays);
	/* 1.95: one in a thousand by chance; and the table's own step. */
	d = 1.95 / sqrt(DRAWS) + 1.0 / dn_profile_samples(p);
	for (int k = 0; k < DRAWS; k++) {
		const double at = (double)k / DRAWS, ms = (double)drawn[k] / 1e6;

		assert_true(ms >= inverse(c, points, at - d > 0 ? at - d : 0) - 1e-6);
		assert_true(ms <= inverse(c, points, at + d < 1 ? at + d : 1) + 1e-6);
	}
	free(drawn);
	dn_profile_rele(p);
}

static void
test_draws_have_the_files_distribution(void **state)
{
	static const struct curve manual[] = { { 0, 200 }, { 0.5, 200 }, { 0.5, 300 },
		{ 0.8, 1000 }, { 0.9, 1300 }, { 1, 1300 } };
	static const struct curve uniform[] = { { 0, 0 }, { 1, 10 } };
	static const struct curve partial[] = { { 0.25, 3 }, { 0.75, 4.5 } };

	(void)state;
	expect_distribution(wlan, manual, 6);
	expect_distribution("samples 1024\nprob delay\n1 10\n0 0\n", uniform, 2);
	expect_distribution("samples 1000\ndelay prob\n4.5 .75\n3 0.25\n", partial, 2);
}

static void
test_each_sample_lies_on_the_curve(void **state)
{
	static const struct curve c[] = { { 0, 200 }, { 0.5, 200 }, { 0.5, 300 }, { 0.8, 1000 },
		{ 0.9, 1300 }, { 1, 1300 } };
	struct dn_profile *p = parse(wlan);
	bool seen[100] = {};
	struct rng rng, copy;

	(void)state;
	rng_seed(&rng, 3, "each");
	for (int n = 0; n < 5000; n++) {
		uint64_t i, delay;
		bool lost;

		copy = rng;
		i = rng_below(&copy, 100);
		delay = dn_profile_draw(p, &rng, &lost);
		seen[i] = true;
		assert_true(fabs((double)delay / 1e6 - inverse(c, 6, (double)i / 100)) < 1e-5);
		/* From 0.86 of 100 on, exactly. */
		assert_int_equal(lost, i >= 86);
	}
	for (int i = 0; i < 100; i++)
		assert_true(seen[i]);
	dn_profile_rele(p);
}

static void
test_the_loss_level_is_exact_at_its_ends(void **state)
{
	static const struct {
		const char *text;
		uint32_t lost, of;
	} cases[] = {
		{ "samples 10\nloss-level 0\nprob delay\n0 1\n1 2\n", 10, 10 },
		{ "samples 10\nloss-level 1\nprob delay\n0 1\n1 2\n", 0, 10 },
		/* index >= 0.95 x 10 = 9.5: none of 0 … 9 */
		{ "samples 10\nloss-level 0.95\nprob delay\n0 1\n1 2\n", 0, 10 },
		{ "samples 10\nloss-level 0.85\nprob delay\n0 1\n1 2\n", 1, 10 },
		{ "samples 1000\nloss-level 0.001\nprob delay\n0 1\n1 2\n", 999, 1000 },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct dn_profile *p = parse(cases[k].text);
		bool lost_at[1000] = {}, lost;
		struct rng rng, copy;
		uint32_t n = 0;

		rng_seed(&rng, 3, "loss");
		for (int i = 0; i < 30000; i++) {
			copy = rng;
			dn_profile_draw(p, &rng, &lost);
			if (lost)
				lost_at[rng_below(&copy, cases[k].of)] = true;
		}
		for (uint32_t i = 0; i < cases[k].of; i++)
			n += lost_at[i];
		assert_int_equal(n, cases[k].lost);
		dn_profile_rele(p);
	}
}

static void
test_delays_are_read_to_the_nanosecond(void **state)
{
	struct dn_profile *p = parse("samples 2\nprob delay\n0 0.000001\n0.5 12.3456789\n1 1\n");
	bool lost, small = false, large = false;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3, "ns");
	for (int i = 0; i < 100; i++) {
		const uint64_t ns = dn_profile_draw(p, &rng, &lost);

		assert_true(ns == 1 || ns == 12345678);
		small |= ns == 1;
		large |= ns != 1;
	}
	assert_true(small && large);
	dn_profile_rele(p);
}

static void
test_memory_may_end_anywhere(void **state)
{
	const uint64_t before = vnet_memory();

	(void)state;
	for (uint64_t n = 1; n <= 2; n++) {
		vnet_malloc_fail_at(n);
		assert_null(parse(wlan));
		assert_string_equal(why, "Cannot allocate memory");
	}
	assert_int_equal(vnet_memory(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_profile_is_read),
		cmocka_unit_test(test_what_is_not_said_has_its_default),
		cmocka_unit_test(test_what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(test_more_points_than_there_is_room_for_are_refused),
		cmocka_unit_test(test_draws_have_the_files_distribution),
		cmocka_unit_test(test_each_sample_lies_on_the_curve),
		cmocka_unit_test(test_the_loss_level_is_exact_at_its_ends),
		cmocka_unit_test(test_delays_are_read_to_the_nanosecond),
		cmocka_unit_test(test_memory_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
