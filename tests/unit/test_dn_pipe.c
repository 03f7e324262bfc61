/*
 * Unit tests of a pipe in time (dummynet/dn_instance.c, dn_link.c): to the ns, against the closed form;
 * bursts; what comes back at once.
 */
#include "dn_fixture.h"

#include "base/rng.h"

/* --- the closed form --------------------------------------------------------------------------- */

/* When packets leave a link, by fractions in whole numbers: free = ns + rem / rate. */
struct model {
	uint64_t rate, delay;
	uint64_t ns, rem;
};

static uint64_t
model_leaves(struct model *md, uint64_t t, uint32_t len)
{
	unsigned __int128 bits_ns = (unsigned __int128)len * 8 * NS_PER_SEC + md->rem;

	if (t > md->ns) {
		md->ns = t;
		bits_ns -= md->rem;
		md->rem = 0;
	}
	md->ns += (uint64_t)(bits_ns / md->rate);
	md->rem = (uint64_t)(bits_ns % md->rate);
	return md->ns + md->delay;
}

static void
check_random_arrivals(uint64_t rate, uint64_t delay, uint64_t seed)
{
	struct model md = { .rate = rate, .delay = delay };
	uint64_t expect[1000], t = clock_now();
	struct rng rng;

	rng_seed(&rng, seed, "arrivals");
	lay_pipe(1, rate, delay, 100000);
	came.n = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		const uint32_t len = 40 + (uint32_t)rng_below(&rng, 1461);
		struct mbuf *m;

		/* Now and then a pause, so that the link is idle for a while. */
		t += rng_exp(&rng, (uint64_t)(770.0 * 8e9 / (double)rate) + 1);
		if (rng_below(&rng, 20) == 0)
			t += (uint64_t)(100000.0 * 8e9 / (double)rate);
		run_to(t);
		m = dn_packet(1, len, i);
		expect[i] = model_leaves(&md, t, m->len);
		assert_true(to_pipe(1, m));
	}
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(came.id[i], i);
		assert_int_equal(came.when[i], expect[i]);
	}
	assert_int_equal(dn_pipe_delete(1), 0);
}

static void
test_packets_leave_as_the_closed_form_says_to_the_ns(void **state)
{
	static const uint64_t rates[] = { 8000, 33333, 1000000, 299792458, 1000000000,
		UINT64_C(100000000000) };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		check_random_arrivals(rates[i], 0, i);
		check_random_arrivals(rates[i], 12345678, i);
	}
}

/* Edge case 20. */
static void
test_a_pipe_without_rate_and_delay_returns_at_once(void **state)
{
	(void)state;
	lay_pipe(1, 0, 0, 50);
	assert_true(to_pipe(1, dn_packet(1, 100, 7)));
	assert_int_equal(came.n, 1);
	assert_int_equal(came.id[0], 7);
	assert_int_equal(came.when[0], clock_now());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DN_TEST(test_packets_leave_as_the_closed_form_says_to_the_ns),
		DN_TEST(test_a_pipe_without_rate_and_delay_returns_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
