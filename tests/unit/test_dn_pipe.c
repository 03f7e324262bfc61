/*
 * Unit tests of a pipe in time (dummynet/dn_instance.c, dn_link.c): to the ns, against the closed form;
 * bursts; what comes back at once.
 */
#include "dn_fixture.h"

#include "base/rng.h"
#include "dummynet/dn_internal.h"

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

/* A packet that its link's credit carries goes back at once too; the next one waits. */
static void
test_what_credit_carries_returns_at_once(void **state)
{
	struct dn_change c = link_of(8000, 0);

	(void)state;
	c.set |= DN_SET_BURST;
	c.sched.link.burst_bytes = 100;
	pipe_config_ok(1, &c);
	assert_true(to_pipe(1, dn_packet(1, 100, 0)));
	assert_int_equal(came.n, 1);
	assert_true(to_pipe(1, dn_packet(1, 100, 1)));
	assert_int_equal(came.n, 1);
	sched_run(NS_NEVER);
	assert_int_equal(came.when[1], 100 * NS_PER_MS);
}

/* --- rates ------------------------------------------------------------------------------------- */

static bool
is_long(void)
{
	return getenv("LONG") != NULL;
}

static uint32_t circling_pipe;

/* What comes out goes in again: the queue never runs empty. */
static void
circle(struct mbuf *m)
{
	struct mbuf *again = m_clone(m);

	assert_non_null(again);
	to_pipe(circling_pipe, again);
}

static void
check_rate(uint64_t rate, uint32_t len, uint64_t time_ns)
{
	const uint64_t begin = clock_now();
	unsigned __int128 got, due, off;

	lay_pipe(2, rate, 3 * NS_PER_MS, 1000000);
	circling_pipe = 2;
	came = (struct came){ 0 };
	came_hook = circle;
	/* Enough that a delay's worth is in flight and the link never idles. */
	for (uint64_t i = 0; i < 3 + rate * 6 / 1000 / 8 / len; i++)
		to_pipe(2, dn_packet(1, len, 0));
	run_to(begin + time_ns + 3 * NS_PER_MS);
	came_hook = NULL;
	/* From the first one's leaving to the last one's: those behind the first have left. */
	got = (unsigned __int128)(came.bytes - len) * 8 * NS_PER_SEC;
	due = (unsigned __int128)rate * (came.last_ns - came.first_ns);
	off = got > due ? got - due : due - got;
	assert_true(came.last_ns - came.first_ns + 2 * NS_PER_SEC > time_ns);
	assert_true(off * 10000 <= due);
	assert_true(off <= rate); /* to the ns, in truth */
	assert_int_equal(dn_pipe_delete(2), 0);
}

static void
test_rates_hold_over_a_minute_to_a_ten_thousandth(void **state)
{
	const uint64_t fast_ns = (is_long() ? 60 : 2) * NS_PER_SEC;

	(void)state;
	VNET(dn_pipe_slot_limit) = 1000000;
	check_rate(8000, 32, 60 * NS_PER_SEC);
	check_rate(1000000, 700, 60 * NS_PER_SEC);
	check_rate(UINT64_C(1000000000), 9000, 60 * NS_PER_SEC);
	check_rate(UINT64_C(100000000000), 60000, fast_ns);
}

/* --- bursts ------------------------------------------------------------------------------------ */

/*
 * A bucket that leaks at the rate: what is in it never passes the burst and one packet, that whose
 * sending ended when the time began.
 */
static struct {
	uint64_t rate, burst_bytes, last_ns;
	unsigned __int128 level; /* bits x 10^9 */
	uint64_t n;
} bucket;

static void
bucket_check(struct mbuf *m)
{
	const unsigned __int128 leaked = (unsigned __int128)(m->when_ns - bucket.last_ns) *
	    bucket.rate;

	bucket.level = bucket.level > leaked ? bucket.level - leaked : 0;
	bucket.level += (unsigned __int128)m->len * 8 * NS_PER_SEC;
	/* A time is rounded down to whole ns: one of them more. */
	assert_true(bucket.level <=
	    (unsigned __int128)(bucket.burst_bytes + 1500) * 8 * NS_PER_SEC + bucket.rate);
	bucket.last_ns = m->when_ns;
	bucket.n++;
}

static void
check_burst(uint64_t rate, uint64_t burst, uint32_t packets)
{
	struct dn_change c = link_of(rate, 1234567);
	const uint64_t mean_ns = (uint64_t)(770.0 * 8e9 / (double)rate);
	uint64_t t = clock_now();
	struct rng rng;

	rng_seed(&rng, burst, "burst");
	c.set |= DN_SET_BURST;
	c.sched.link.burst_bytes = burst;
	pipe_config_ok(3, &c);
	memset(&bucket, 0, sizeof(bucket));
	bucket.rate = rate;
	bucket.burst_bytes = burst;
	came_hook = bucket_check;
	for (uint32_t i = 0; i < packets; i++) {
		/* Floods, quiet times, and what is just too much. */
		t += i / 1000 % 3 == 0 ? 1 : rng_exp(&rng, mean_ns * (1 + i / 1000 % 3) / 2 + 1);
		run_to(t);
		to_pipe(3, dn_packet(1, 40 + (uint32_t)rng_below(&rng, 1461), i));
	}
	sched_run(NS_NEVER);
	assert_true(bucket.n > packets / 3);
	came_hook = NULL;
	assert_int_equal(dn_pipe_delete(3), 0);
}

static void
test_a_burst_never_passes_its_bound(void **state)
{
	const uint32_t packets = is_long() ? 2500000 : 250000;

	(void)state;
	check_burst(1000000, 0, packets);
	check_burst(1000000, 20000, packets);
	check_burst(UINT64_C(1000000007), 100000, packets);
	check_burst(UINT64_C(10000000000), 1, packets);
}

/* Edge case 26: min(burst, idle time x rate), all of it and no more. */
static void
test_a_burst_follows_a_long_idle_time_and_a_short_one_brings_less(void **state)
{
	struct dn_change c = link_of(80000, 0); /* 10 bytes a ms */

	(void)state;
	c.set |= DN_SET_BURST;
	c.sched.link.burst_bytes = 1000;
	pipe_config_ok(1, &c);
	run_to(100 * NS_PER_SEC);
	for (uint32_t i = 0; i < 15; i++)
		to_pipe(1, dn_packet(1, 100, i));
	assert_int_equal(came.n, 10);
	run_for(50 * NS_PER_MS + 1);
	assert_int_equal(came.n, 15);
	assert_int_equal(came.when[10], 100 * NS_PER_SEC + 10 * NS_PER_MS);
	assert_int_equal(came.when[14], 100 * NS_PER_SEC + 50 * NS_PER_MS);
	run_for(30 * NS_PER_MS - 1); /* saves 300 bytes */
	for (uint32_t i = 0; i < 5; i++)
		to_pipe(1, dn_packet(1, 100, i));
	assert_int_equal(came.n, 18);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 20);
}

/* A second of the process's sleep is not a second's worth of packets at once. */
static void
test_a_stall_is_not_made_up_for_by_a_burst(void **state)
{
	struct dn_instance *inst;
	uint64_t woken;

	(void)state;
	VNET(dn_catchup_us) = 2000;
	lay_pipe(1, 8000000, 50 * NS_PER_MS, 1000); /* a packet of 1,000 bytes each ms */
	for (uint32_t i = 0; i < 500; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	inst = TAILQ_FIRST(&dn_scheduler_find(1 + DN_HIDDEN_SCHED)->instances);
	run_to(100 * NS_PER_MS + 1);
	assert_int_equal(came.n, 50);
	/* as live, when nobody has looked at the clock meanwhile */
	woken = curworker->now_ns = 300 * NS_PER_MS + 1;
	dn_instance_run(inst);
	assert_in_range(came.n, 52, 53);
	run_to(woken + 10 * NS_PER_MS);
	assert_in_range(came.n, 62, 63);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 500);
	for (uint32_t i = 54; i < 500; i++)
		assert_int_equal(came.when[i] - came.when[i - 1], NS_PER_MS);
}

/* --- ticks ------------------------------------------------------------------------------------- */

static void
test_with_hz_packets_are_delivered_at_the_next_tick(void **state)
{
	(void)state;
	VNET(dn_hz) = 1000;
	lay_pipe(1, 1000000, 0, 50); /* 100 bytes: 0.8 ms */
	run_to(100);
	for (uint32_t i = 0; i < 3; i++)
		to_pipe(1, dn_packet(1, 100, i));
	sched_run(NS_NEVER);
	assert_int_equal(came.when[0], 1 * NS_PER_MS);
	assert_int_equal(came.when[1], 2 * NS_PER_MS);
	assert_int_equal(came.when[2], 3 * NS_PER_MS);
}

/* --- what is dropped --------------------------------------------------------------------------- */

/* Edge case 27. */
static void
test_plr_1_drops_all_and_counts(void **state)
{
	struct dn_change c = link_of(0, 0);
	struct dn_flowset_view v;

	(void)state;
	c.set |= DN_SET_PLR;
	c.flowset.plr = UINT32_C(1) << 31;
	pipe_config_ok(1, &c);
	for (uint32_t i = 0; i < 100; i++)
		assert_false(to_pipe(1, dn_packet(1, 100, i)));
	assert_int_equal(came.n, 0);
	assert_int_equal(drops("dummynet.loss"), 100);
	assert_true(dn_flowset_look(1 + DN_HIDDEN_FLOWSET, &v));
	assert_int_equal(v.count.packets, 100);
	assert_int_equal(v.count.bytes, 10000);
	assert_int_equal(v.count.drops, 100);
}

static void
test_plr_loses_its_share(void **state)
{
	struct dn_change c = link_of(0, 0);

	(void)state;
	c.set |= DN_SET_PLR;
	c.flowset.plr = (UINT32_C(1) << 31) / 10;
	pipe_config_ok(1, &c);
	for (uint32_t i = 0; i < 100000; i++)
		to_pipe(1, dn_packet(1, 100, i));
	assert_in_range(came.n, 89500, 90500); /* five standard deviations */
}

static void
test_a_full_queue_drops_and_noerror_says_nothing(void **state)
{
	struct dn_change c = link_of(8000, 0);

	(void)state;
	lay_pipe(1, 8000, 0, 2); /* one is being sent, two wait */
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(to_pipe(1, dn_packet(1, 100, i)), i < 3);
	assert_int_equal(drops("dummynet.queue"), 1);
	c.set = DN_SET_NOERROR;
	c.flowset.noerror = true;
	pipe_config_ok(1, &c);
	assert_true(to_pipe(1, dn_packet(1, 100, 4)));
	assert_int_equal(drops("dummynet.queue"), 2);
}

/* One packet may pass the bound (ipfw.md 11.4). */
static void
test_a_queue_in_bytes_is_full_when_it_has_more(void **state)
{
	struct dn_change c = link_of(8000, 0);

	(void)state;
	c.set |= DN_SET_LIMIT;
	c.flowset.queue_bytes = 1500;
	pipe_config_ok(1, &c);
	to_pipe(1, dn_packet(1, 1000, 0));
	assert_true(to_pipe(1, dn_packet(1, 1000, 1)));
	assert_true(to_pipe(1, dn_packet(1, 1000, 2)));
	assert_false(to_pipe(1, dn_packet(1, 1000, 3)));
}

static void
test_an_unknown_pipe_or_queue_drops(void **state)
{
	(void)state;
	assert_false(to_pipe(9, dn_packet(1, 100, 0)));
	assert_false(to_queue(9, dn_packet(1, 100, 0)));
	assert_int_equal(drops("dummynet.none"), 2);
}

/* --- what may be said --------------------------------------------------------------------------- */

static int
pipe_said(const struct dn_change *c)
{
	const char *why = NULL;
	int error = dn_pipe_config(1, c, &why);

	assert_true((error == 0) == (why == NULL));
	return error;
}

/* Edge case 21. */
static void
test_a_delay_of_10000_ms_is_allowed_and_10001_not(void **state)
{
	struct dn_change c = link_of(0, 10000 * NS_PER_MS);

	(void)state;
	assert_int_equal(pipe_said(&c), 0);
	c = link_of(0, 10001 * NS_PER_MS);
	assert_int_equal(pipe_said(&c), -EINVAL);
}

/* Edge case 22. */
static void
test_queue_0_is_50_and_101_needs_a_higher_limit(void **state)
{
	struct dn_change c = { .set = DN_SET_LIMIT };
	struct dn_flowset_view v;

	(void)state;
	assert_int_equal(pipe_said(&c), 0);
	assert_true(dn_flowset_look(1 + DN_HIDDEN_FLOWSET, &v));
	assert_int_equal(v.config->queue_packets, 50);
	c.flowset.queue_packets = 101;
	assert_int_equal(pipe_said(&c), -EINVAL);
	assert_int_equal(v.config->queue_packets, 50);
	command("sysctl net.inet.ip.dummynet.pipe_slot_limit=101");
	assert_int_equal(pipe_said(&c), 0);
	assert_int_equal(v.config->queue_packets, 101);
}

static void
test_what_is_out_of_bounds_is_refused_and_makes_nothing(void **state)
{
	struct dn_change c = link_of(0, 0);
	const char *why;

	(void)state;
	c.set |= DN_SET_BURST;
	c.sched.link.burst_bytes = UINT64_C(1) << 48;
	assert_int_equal(pipe_said(&c), -EINVAL);
	assert_int_equal(dn_pipe_config(0, &c, &why), -EINVAL);
	c.sched.link.burst_bytes--;
	assert_int_equal(dn_pipe_config(65536, &c, &why), -EINVAL);
	assert_int_equal(V_dn_stat.schedulers, 0);
	assert_int_equal(pipe_said(&c), 0);
	assert_int_equal(V_dn_stat.schedulers, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DN_TEST(test_packets_leave_as_the_closed_form_says_to_the_ns),
		DN_TEST(test_a_pipe_without_rate_and_delay_returns_at_once),
		DN_TEST(test_what_credit_carries_returns_at_once),
		DN_TEST(test_rates_hold_over_a_minute_to_a_ten_thousandth),
		DN_TEST(test_a_burst_never_passes_its_bound),
		DN_TEST(test_a_burst_follows_a_long_idle_time_and_a_short_one_brings_less),
		DN_TEST(test_a_stall_is_not_made_up_for_by_a_burst),
		DN_TEST(test_with_hz_packets_are_delivered_at_the_next_tick),
		DN_TEST(test_plr_1_drops_all_and_counts),
		DN_TEST(test_plr_loses_its_share),
		DN_TEST(test_a_full_queue_drops_and_noerror_says_nothing),
		DN_TEST(test_a_queue_in_bytes_is_full_when_it_has_more),
		DN_TEST(test_an_unknown_pipe_or_queue_drops),
		DN_TEST(test_a_delay_of_10000_ms_is_allowed_and_10001_not),
		DN_TEST(test_queue_0_is_50_and_101_needs_a_higher_limit),
		DN_TEST(test_what_is_out_of_bounds_is_refused_and_makes_nothing),
	};

	return cmocka_run_group_tests_name("dummynet/pipe", tests, NULL, NULL);
}
