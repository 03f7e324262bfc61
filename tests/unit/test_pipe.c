/*
 * Unit tests of a link's pipe (dummynet/pipe.c): times to the ns, order, limits.
 */
#include "inet_fixture.h"

#include "dummynet/pipe.h"
#include "net/bpf.h"
#include "net/epair.h"

/* Two ends of an epair, up, with a tap where frames arrive. */
static struct ifnet *left, *right;

static struct arrivals {
	struct bpf_listener tap;
	uint32_t n;
	uint64_t when[4096];
	uint8_t mark[4096];
} arrivals;

static void
arrived(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	(void)l;
	(void)ifp;
	if (dir != BPF_IN || arrivals.n == 4096)
		return;
	arrivals.when[arrivals.n] = m->when_ns;
	arrivals.mark[arrivals.n++] = m->data[ETHER_HDR_LEN_];
}

static void
tap_gone(struct bpf_listener *l, struct ifnet *ifp)
{
	(void)l;
	(void)ifp;
}

static int
pipe_setup(void **state)
{
	if (inet_setup(state) != 0 || epair_create(&left, &right) != 0)
		return -1;
	if_up(left);
	if_up(right);
	arrivals = (struct arrivals){ .tap = { .tap = arrived, .gone = tap_gone } };
	return bpf_attach(&arrivals.tap, right);
}

static int
pipe_teardown(void **state)
{
	if (arrivals.tap.ifp != NULL)
		bpf_detach(&arrivals.tap);
	if (left != NULL)
		command("ifconfig epair0a destroy");
	left = right = NULL;
	return inet_teardown(state);
}

/* A frame of len bytes, marked, enters at t. */
static void
enter(uint64_t t, uint32_t len, uint8_t mark)
{
	struct mbuf *m = m_get(len);
	struct batch b = { .n = 1, .m = { m } };

	memset(m->data, 0, len);
	memcpy(m->data, right->if_lladdr, 6);
	memcpy(m->data + 6, left->if_lladdr, 6);
	if (len > ETHER_HDR_LEN_)
		m->data[ETHER_HDR_LEN_] = mark;
	m->when_ns = t;
	if_transmit_batch(left, &b);
}

static void
lay(uint64_t rate_bps, uint64_t delay_ns, uint32_t queue)
{
	struct pipe_config c = {
		.rate_bps = rate_bps, .delay_ns = delay_ns, .queue_packets = queue
	};

	assert_int_equal(pipe_attach(left, &c), 0);
}

static void
test_a_frame_takes_its_serialisation_and_the_delay_exactly(void **state)
{
	(void)state;
	lay(20000000, 10 * NS_PER_MS, 50);
	enter(5000, 1250, 1);             /* 500 us at 20 Mbit/s */
	enter(20 * NS_PER_MS + 7, 61, 2); /* 24.4 us */
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.n, 2);
	assert_int_equal(arrivals.when[0], 5000 + 500000 + 10 * NS_PER_MS);
	assert_int_equal(arrivals.when[1], 20 * NS_PER_MS + 7 + 24400 + 10 * NS_PER_MS);
}

static void
test_a_thousand_frames_back_to_back_lose_no_fraction(void **state)
{
	/* 1000 bytes at 7 Mbit/s: 1142857.142857… ns */
	(void)state;
	lay(7000000, 3 * NS_PER_MS, 1000);
	for (int i = 0; i < 1000; i++)
		enter(11, 1000, (uint8_t)i);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.n, 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(arrivals.when[i],
		    11 + 3 * NS_PER_MS +
			(uint64_t)((unsigned __int128)(i + 1) * 8000 * NS_PER_SEC / 7000000));
		assert_int_equal(arrivals.mark[i], (uint8_t)i);
	}
}

static void
test_frames_of_mixed_lengths_keep_the_exact_rate(void **state)
{
	unsigned __int128 bits = 0;
	uint64_t last = 0;

	(void)state;
	lay(9999991, 0, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t len = 60 + i * 37 % 1400;

		enter(0, len, 0);
		bits += len * 8;
		last = (uint64_t)(bits * NS_PER_SEC / 9999991);
	}
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.when[999], last);
}

static void
test_a_delay_is_only_a_delay(void **state)
{
	struct pipe_stats st;

	(void)state;
	/* far more in flight than the queue holds: 100 Mbit/s times 1 s, 12.5 kB frames a ms */
	lay(100000000, NS_PER_SEC, 2);
	for (uint64_t i = 0; i < 4000; i++)
		enter(i * 80 * NS_PER_US, 1000, 0);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.n, 4000);
	for (uint64_t i = 0; i < 4000; i++)
		assert_int_equal(arrivals.when[i], (i + 1) * 80 * NS_PER_US + NS_PER_SEC);
	pipe_stats(pipe_of(left), &st);
	assert_int_equal(st.drop_queue, 0);
	assert_int_equal(st.max_queue, 1);
	assert_int_equal(st.busy_ns, 4000 * 80 * NS_PER_US);
	assert_int_equal(delay_hist_max(st.queueing), 0);
}

static void
test_the_queue_holds_its_limit_and_no_more(void **state)
{
	struct pipe_stats st;

	(void)state;
	lay(8000000, NS_PER_MS, 5); /* a byte each us */
	for (int i = 0; i < 9; i++)
		enter(0, 1000, (uint8_t)i);
	/* the first has left at 1 ms: room for one */
	enter(NS_PER_MS - 1, 1000, 20);
	enter(NS_PER_MS, 1000, 21);
	enter(NS_PER_MS, 1000, 22);
	sched_run(NS_NEVER);
	pipe_stats(pipe_of(left), &st);
	assert_int_equal(arrivals.n, 6);
	assert_int_equal(arrivals.mark[4], 4);
	assert_int_equal(arrivals.mark[5], 21);
	assert_int_equal(arrivals.when[5], 7 * NS_PER_MS);
	assert_int_equal(st.drop_queue, 6);
	assert_int_equal(st.max_queue, 5);
	assert_int_equal(st.in_packets, 12);
	assert_int_equal(st.out_packets, 6);
	assert_int_equal(drops("pipe.queue"), 6);
	assert_int_equal(left->if_data.oqdrops, 6);
	assert_int_equal(delay_hist_max(st.queueing), 4 * NS_PER_MS);
}

static void
test_a_queue_may_be_limited_in_bytes(void **state)
{
	struct pipe_config c = { .rate_bps = 8000000, .queue_bytes = 2500 };

	(void)state;
	assert_int_equal(pipe_attach(left, &c), 0);
	for (int i = 0; i < 4; i++)
		enter(0, 1000, 0);
	enter(0, 500, 1);
	enter(0, 14, 2);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.n, 3);
	assert_int_equal(arrivals.mark[2], 1);
}

static uint64_t
losses(uint64_t seed, double loss, uint8_t *which)
{
	struct pipe_config c = { .loss = loss };
	struct pipe_stats st;

	rng_process_seed = seed;
	arrivals.n = 0;
	assert_int_equal(pipe_attach(left, &c), 0);
	for (int i = 0; i < 2000; i++)
		enter(clock_now(), 100, (uint8_t)i);
	sched_run(clock_now() + 1);
	pipe_stats(pipe_of(left), &st);
	pipe_detach(left);
	memcpy(which, arrivals.mark, 256);
	rng_process_seed = 1;
	return st.drop_loss;
}

static void
test_losses_repeat_by_seed_and_keep_the_probability(void **state)
{
	uint8_t a[256], b[256], c[256];
	uint64_t n = losses(1, 0.1, a);

	(void)state;
	assert_in_range(n, 150, 250);
	assert_int_equal(losses(1, 0.1, b), n);
	assert_memory_equal(a, b, sizeof(a));
	losses(2, 0.1, c);
	assert_memory_not_equal(a, c, sizeof(a));
	assert_int_equal(losses(1, 0, a), 0);
	assert_int_equal(losses(1, 1, a), 2000);
}

static void
test_jitter_spreads_but_keeps_the_order(void **state)
{
	struct pipe_config c = { .delay_ns = 10 * NS_PER_MS, .jitter_ns = 5 * NS_PER_MS };
	bool spread = false;

	(void)state;
	assert_int_equal(pipe_attach(left, &c), 0);
	for (uint64_t i = 0; i < 256; i++)
		enter(i * NS_PER_MS, 100, (uint8_t)i);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.n, 256);
	for (uint64_t i = 0; i < 256; i++) {
		assert_int_equal(arrivals.mark[i], (uint8_t)i);
		assert_in_range(
		    arrivals.when[i] - i * NS_PER_MS, 10 * NS_PER_MS, 15 * NS_PER_MS - 1);
		assert_true(i == 0 || arrivals.when[i] >= arrivals.when[i - 1]);
		spread |= arrivals.when[i] - i * NS_PER_MS != arrivals.when[0];
	}
	assert_true(spread);
}

static void
test_a_new_configuration_keeps_what_is_in_flight(void **state)
{
	(void)state;
	lay(8000000, 100 * NS_PER_MS, 50);
	enter(0, 1000, 1);
	lay(16000000, 0, 50);
	enter(50 * NS_PER_MS, 1000, 2);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.when[0], 101 * NS_PER_MS);
	/* not before the one ahead */
	assert_int_equal(arrivals.when[1], 101 * NS_PER_MS);
	assert_int_equal(arrivals.mark[1], 2);
	enter(200 * NS_PER_MS, 1000, 3);
	sched_run(NS_NEVER);
	assert_int_equal(arrivals.when[2], 200 * NS_PER_MS + 500 * NS_PER_US);
}

static void
test_without_a_pipe_frames_in_flight_are_dropped_and_the_cable_is_plain(void **state)
{
	(void)state;
	lay(0, NS_PER_SEC, 0);
	enter(0, 100, 1);
	enter(0, 100, 2);
	pipe_detach(left);
	assert_int_equal(drops("pipe.gone"), 2);
	enter(0, 100, 3);
	sched_run(1);
	netisr_run();
	assert_int_equal(arrivals.n, 1);
	assert_int_equal(arrivals.mark[0], 3);
}

static void
test_an_interface_that_is_destroyed_takes_its_pipe_along(void **state)
{
	struct pipe_config c = { .delay_ns = NS_PER_SEC };

	(void)state;
	assert_int_equal(pipe_attach(left, &c), 0);
	assert_int_equal(pipe_attach(right, &c), 0);
	enter(0, 100, 1);
	command("ifconfig epair0a destroy");
	left = right = NULL;
	sched_run(5 * NS_PER_SEC);
	assert_int_equal(m_live(), 0);
}

static void
test_a_pipe_follows_an_interface_into_another_stack(void **state)
{
	(void)state;
	lay(0, 10 * NS_PER_MS, 0);
	command("jail -c name=j vnet persist");
	command("ifconfig epair0b vnet j");
	command_in("j", "ifconfig epair0b up");
	assert_int_equal(bpf_attach(&arrivals.tap, right), 0);
	enter(0, 100, 1);
	sched_run(NS_PER_SEC);
	assert_int_equal(arrivals.n, 1);
	assert_int_equal(arrivals.when[0], 10 * NS_PER_MS);
	assert_non_null(pipe_of(left));
	bpf_detach(&arrivals.tap);
}

static void
test_values_out_of_range_and_other_interfaces_are_refused(void **state)
{
	struct pipe_config c = { .loss = 1.5 };

	(void)state;
	assert_int_equal(pipe_attach(left, &c), -EINVAL);
	c = (struct pipe_config){ .loss = -0.1 };
	assert_int_equal(pipe_attach(left, &c), -EINVAL);
	c = (struct pipe_config){ .queue_packets = 2000000 };
	assert_int_equal(pipe_attach(left, &c), -EINVAL);
	c = (struct pipe_config){ .delay_ns = 1 };
	assert_int_equal(pipe_attach(lan.ifp, &c), -EINVAL);
	assert_null(pipe_of(left));
}

static void
test_ifconfig_words_set_and_show_the_link(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(
	    tool(&t, NULL, "ifconfig epair0a link rate 20Mbit/s delay 10ms queue 50"), 0);
	tool(&t, NULL, "ifconfig epair0a");
	assert_non_null(strstr(t.out, "\n\tlink: rate 20Mbit/s delay 10ms queue 50\n"));
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a loss 0.5% jitter 1500us queue 64KB"), 0);
	tool(&t, NULL, "ifconfig epair0a");
	assert_non_null(strstr(
	    t.out, "\n\tlink: rate 20Mbit/s delay 10ms jitter 1500us loss 0.5% queue 64KB\n"));
	tool(&t, NULL, "ifconfig epair0b");
	assert_null(strstr(t.out, "link:"));
	assert_int_equal(tool(&t, NULL, "ifconfig epair0b rate 1Mbit/s"), 1);
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a link rate 20"), 1);
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a link delay 10"), 1);
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a link loss 101%"), 1);
	assert_int_equal(tool(&t, NULL, "ifconfig mem0 link delay 1ms"), 1);
	tool(&t, NULL, "show pipes");
	assert_non_null(strstr(t.out, "epair0a: rate 20Mbit/s delay 10ms"));
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a -link"), 0);
	assert_int_equal(tool(&t, NULL, "ifconfig epair0a -link"), 1);
	assert_null(pipe_of(left));
}

static void
test_ping_and_traceroute_see_the_delay_of_links(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	for (int k = 1; k < 3; k++) {
		char line[80], jail[8];

		for (int end = 0; end < 2; end++) {
			snprintf(jail, sizeof(jail), "n%d", k + end);
			snprintf(
			    line, sizeof(line), "ifconfig epair%d%c link delay 10ms", k, 'a' + end);
			command_in(jail, line);
		}
	}
	/* the first one waits for neighbours, too */
	assert_int_equal(tool(&t, "n1", "ping -c 1 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, "icmp_seq=0 ttl=63 time=80.000 ms\n"));
	assert_int_equal(tool(&t, "n1", "ping -c 2 10.2.0.2"), 0);
	assert_non_null(
	    strstr(t.out, "64 bytes from 10.2.0.2: icmp_seq=1 ttl=63 time=40.000 ms\n"));
	assert_non_null(
	    strstr(t.out, "round-trip min/avg/max/stddev = 40.000/40.000/40.000/0.000 ms\n"));
	assert_int_equal(tool(&t, "n1", "traceroute -n -q 1 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, " 1  10.1.0.2  20.000 ms\n 2  10.2.0.2  40.000 ms\n"));
}

#define PIPE_TEST(fn) cmocka_unit_test_setup_teardown(fn, pipe_setup, pipe_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PIPE_TEST(test_a_frame_takes_its_serialisation_and_the_delay_exactly),
		PIPE_TEST(test_a_thousand_frames_back_to_back_lose_no_fraction),
		PIPE_TEST(test_frames_of_mixed_lengths_keep_the_exact_rate),
		PIPE_TEST(test_a_delay_is_only_a_delay),
		PIPE_TEST(test_the_queue_holds_its_limit_and_no_more),
		PIPE_TEST(test_a_queue_may_be_limited_in_bytes),
		PIPE_TEST(test_losses_repeat_by_seed_and_keep_the_probability),
		PIPE_TEST(test_jitter_spreads_but_keeps_the_order),
		PIPE_TEST(test_a_new_configuration_keeps_what_is_in_flight),
		PIPE_TEST(test_without_a_pipe_frames_in_flight_are_dropped_and_the_cable_is_plain),
		PIPE_TEST(test_an_interface_that_is_destroyed_takes_its_pipe_along),
		PIPE_TEST(test_a_pipe_follows_an_interface_into_another_stack),
		PIPE_TEST(test_values_out_of_range_and_other_interfaces_are_refused),
		PIPE_TEST(test_ifconfig_words_set_and_show_the_link),
		INET_TEST(test_ping_and_traceroute_see_the_delay_of_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
