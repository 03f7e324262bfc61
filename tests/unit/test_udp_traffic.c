/*
 * Unit tests of UDP senders and sinks (inet/udp_traffic.c) and of the tool udp.
 */
#include "inet_fixture.h"

#include "inet/udp_traffic.h"

static struct udp_flow_config
config(uint64_t rate_bps, uint32_t size)
{
	return (struct udp_flow_config){ .dst = addr_of("10.0.0.2"),
		.dport = 9,
		.flows = 1,
		.rate_bps = rate_bps,
		.size = size,
		.start_ns = NS_PER_SEC,
		.stop_ns = NS_NEVER,
		.name = "f" };
}

static struct udp_sink *
sink_at(uint16_t port)
{
	const struct ipaddr any = addr_of(NULL);

	return udp_sink_new(&any, port, false);
}

static void
test_a_constant_rate_is_exact_over_any_time(void **state)
{
	/* 7 Mbit/s and 128 bytes at IP: a gap of 146285.714… ns */
	struct udp_flow_config c = config(7000000, 100);
	struct udp_sender *s;
	uint64_t k = 0, packets, bytes, errors;

	(void)state;
	c.count = 2000;
	s = udp_sender_new(&c);
	assert_non_null(s);
	sched_run(3 * NS_PER_SEC);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next, k++)
		assert_int_equal(m->when_ns,
		    NS_PER_SEC + (uint64_t)((unsigned __int128)k * 128 * 8 * NS_PER_SEC / 7000000));
	assert_int_equal(k, 2000);
	udp_sender_stats(s, &packets, &bytes, &errors);
	assert_int_equal(packets, 2000);
	assert_int_equal(bytes, 200000);
	assert_int_equal(errors, 0);
	udp_sender_free(s);
}

static void
test_nothing_is_sent_at_or_after_the_stop(void **state)
{
	struct udp_flow_config c = config(1024000, 100); /* a packet each ms */
	struct udp_sender *s;

	(void)state;
	c.stop_ns = c.start_ns + 5 * NS_PER_MS;
	s = udp_sender_new(&c);
	sched_run(NS_NEVER);
	assert_int_equal(lan.sent.len, 5);
	udp_sender_free(s);
	c.stop_ns = c.start_ns;
	s = udp_sender_new(&c);
	sched_run(NS_NEVER);
	assert_int_equal(lan.sent.len, 5);
	udp_sender_free(s);
}

static void
test_poisson_gaps_have_the_right_mean_and_repeat_by_seed(void **state)
{
	struct udp_flow_config c = config(1024000, 100);
	uint64_t last[2];

	(void)state;
	c.pattern = UDP_POISSON;
	c.count = 20000;
	for (int i = 0; i < 2; i++) {
		uint64_t start = clock_now() + NS_PER_SEC;
		struct udp_sender *s;
		struct mbuf *m;

		c.start_ns = start;
		s = udp_sender_new(&c);
		sched_run(NS_NEVER);
		for (m = lan.sent.head; m->next != NULL; m = m->next)
			assert_true(m->when_ns <= m->next->when_ns);
		last[i] = m->when_ns - start;
		memif_clear(&lan);
		udp_sender_free(s);
	}
	assert_int_equal(last[0], last[1]);
	assert_in_range(last[0], 19500 * NS_PER_MS, 20500 * NS_PER_MS);
}

static void
test_flows_take_turns_over_their_ports(void **state)
{
	struct udp_flow_config c = config(1024000, 100);
	struct udp_sender *s;
	uint32_t i = 0;

	(void)state;
	c.flows = 4;
	c.sport = 7000;
	c.count = 10;
	s = udp_sender_new(&c);
	sched_run(NS_NEVER);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next, i++)
		assert_int_equal(
		    from_be16(((struct udp_hdr *)(void *)(frame_ip(m) + 1))->sport), 7000 + i % 4);
	assert_int_equal(i, 10);
	udp_sender_free(s);
}

static void
test_wrong_configurations_are_refused(void **state)
{
	struct udp_flow_config c = config(0, 100);

	(void)state;
	assert_null(udp_sender_new(&c));
	assert_int_equal(errno, EINVAL);
	c = config(1000, UDP_TRAFFIC_MIN - 1);
	assert_null(udp_sender_new(&c));
	c = config(1000, 65508);
	assert_null(udp_sender_new(&c));
	c = config(1000, 100);
	c.sport = 65000;
	c.flows = 1000;
	assert_null(udp_sender_new(&c));
	c = config(UINT64_C(1000000000000000), 100);
	c.pattern = UDP_POISSON;
	assert_null(udp_sender_new(&c));
}

/* Move the packets that lan has sent into an array. */
static uint32_t
harvest(struct mbuf **out, uint32_t max)
{
	uint32_t n = 0;
	struct mbuf *m;

	while (n < max && (m = mbufq_pop(&lan.sent)) != NULL)
		out[n++] = m;
	return n;
}

/* A sent frame comes back as if 10.0.0.2 had sent it to us. Borrows. */
static void
return_to_us(const struct mbuf *frame)
{
	struct mbuf *m = m_dup(frame);
	struct ip_hdr *ip;

	m_adj(m, ETHER_HDR_LEN_);
	ip = mtod(m, struct ip_hdr *);
	ip->src = a4("10.0.0.2");
	ip->dst = a4("10.0.0.1");
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	m->rcvif = lan.ifp;
	m->when_ns = frame->when_ns + 3 * NS_PER_MS;
	m->flags = M_CSUM_OK;
	ip_deliver(m);
}

static void
test_a_sink_counts_losses_disorder_and_copies(void **state)
{
	struct udp_flow_config c = config(1024000, 100);
	struct udp_sender *s;
	struct udp_sink *sink;
	struct udp_sink_stats st;
	struct mbuf *m[64];

	(void)state;
	c.count = 10;
	s = udp_sender_new(&c);
	sink = sink_at(9);
	sched_run(NS_NEVER);
	assert_int_equal(harvest(m, 64), 10);
	/* 3 is lost, 5 and 6 swap, 7 comes twice */
	static const int order[] = { 0, 1, 2, 4, 6, 5, 7, 7, 8, 9 };

	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		return_to_us(m[order[i]]);
	udp_sink_stats(sink, &st);
	assert_int_equal(st.packets, 10);
	assert_int_equal(st.bytes, 1000);
	assert_int_equal(st.ip_bytes, 1280);
	assert_int_equal(st.lost, 1);
	assert_int_equal(st.reordered, 1);
	assert_int_equal(st.duplicated, 1);
	assert_int_equal(delay_hist_min(st.delay), 3 * NS_PER_MS);
	assert_int_equal(delay_hist_max(st.delay), 3 * NS_PER_MS);
	assert_int_equal(st.first_ns, NS_PER_SEC + 3 * NS_PER_MS);
	for (int i = 0; i < 10; i++)
		m_free(m[i]);
	udp_sender_free(s);
	udp_sink_free(sink);
}

static void
test_a_sink_knows_the_bytes_of_any_time(void **state)
{
	struct udp_flow_config c = config(1024000, 100);
	struct udp_sender *s;
	struct udp_sink *sink;
	static struct mbuf *m[1024];

	(void)state;
	c.count = 1000; /* one second */
	s = udp_sender_new(&c);
	sink = sink_at(9);
	sched_run(NS_NEVER);
	assert_int_equal(harvest(m, 1024), 1000);
	for (int i = 0; i < 1000; i++) {
		m[i]->when_ns -= 3 * NS_PER_MS;
		return_to_us(m[i]);
		m_free(m[i]);
	}
	assert_int_equal(udp_sink_bytes_between(sink, 0, NS_NEVER), 128000);
	assert_int_equal(
	    udp_sink_bytes_between(sink, 1200 * NS_PER_MS, 1500 * NS_PER_MS), 300 * 128);
	assert_int_equal(
	    udp_sink_bytes_between(sink, 1250 * NS_PER_MS, 1300 * NS_PER_MS), 50 * 128);
	assert_int_equal(udp_sink_bytes_between(sink, 5 * NS_PER_SEC, NS_NEVER), 0);
	udp_sender_free(s);
	udp_sink_free(sink);
}

static void
test_forged_headers_do_not_confuse_a_sink(void **state)
{
	struct udp_sink *sink = sink_at(9);
	struct udp_sink_stats st;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct mbuf *m = packet(a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_UDP_, 8 + 24);
		struct udp_hdr *uh = (void *)(m->data + 20);

		*uh = (struct udp_hdr){ to_be16(1), to_be16(9), to_be16(32), 0 };
		memcpy(uh + 1, i == 0 ? "nono" : "WRN1", 4);
		memset((uint8_t *)(uh + 1) + 4, i == 1 ? 0xff : 0x00, 20);
		ip_deliver(m);
	}
	udp_sink_stats(sink, &st);
	assert_int_equal(st.packets, 3);
	assert_int_equal(st.lost, 0);
	assert_int_equal(drops("udp.sink"), 1);
	udp_sink_free(sink);
}

static void
test_the_tool_sends_over_a_chain_to_a_sink(void **state)
{
	struct tool send, sink;

	(void)state;
	chain(3);
	tool_start(&sink, "n3", "udp sink 5000 for 5s", false);
	assert_int_equal(
	    tool(&send, "n1", "udp send to 10.2.0.2:5000 rate 1024kbit/s size 100 count 1000"), 0);
	assert_string_equal(send.out, "1000 packets 100000 bytes sent, 0 errors\n");
	tool_wait(&sink);
	assert_non_null(strstr(
	    sink.out, "1000 packets 100000 bytes received, 0 lost 0 reordered 0 duplicated\n"));
	assert_non_null(strstr(sink.out, "rate 1.024 Mbit/s at IP\n"));
}

static void
test_an_echo_sends_everything_back(void **state)
{
	struct tool send, echo;

	(void)state;
	chain(3);
	tool_start(&echo, "n3", "udp echo 10.2.0.2:7 for 2s", false);
	tool(&send, "n1", "udp send to 10.2.0.2:7 rate 1024kbit/s size 100 for 1s");
	tool_wait(&echo);
	assert_non_null(strstr(echo.out, "1000 packets"));
	{
		VNET_SCOPE(vnet_of("n3"));
		assert_int_equal(V_udpstat.opackets, 1000);
	}
}

static void
test_the_tool_refuses_wrong_words(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "udp send to 10.0.0.2:9"), 64);
	assert_int_equal(tool(&t, NULL, "udp send rate 1Mbit/s"), 64);
	assert_int_equal(tool(&t, NULL, "udp send to 10.0.0.2:9 rate 1"), 64);
	assert_int_equal(tool(&t, NULL, "udp send to 10.0.0.2:9 rate 1Mbit/s colour red"), 64);
	assert_int_equal(tool(&t, NULL, "udp send to 10.0.0.2:9 rate"), 64);
	assert_int_equal(tool(&t, NULL, "udp sink 99999"), 64);
	assert_int_equal(tool(&t, NULL, "udp sink 5 rate 1Mbit/s"), 64);
	assert_int_equal(tool(&t, NULL, "udp"), 64);
	assert_int_equal(tool(&t, NULL, "udp sink 10.0.0.99:5"), 1);
}

static void
test_a_stack_may_end_under_its_traffic(void **state)
{
	struct udp_flow_config c = config(1024000, 100);
	struct udp_sender *s;
	struct udp_sink *sink;

	(void)state;
	command("jail -c name=j vnet persist");
	{
		VNET_SCOPE(vnet_of("j"));
		s = udp_sender_new(&c);
		sink = sink_at(9);
	}
	command("jail -r j");
	sched_run(5 * NS_PER_SEC);
	udp_sender_free(s);
	udp_sink_free(sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_a_constant_rate_is_exact_over_any_time),
		INET_TEST(test_nothing_is_sent_at_or_after_the_stop),
		INET_TEST(test_poisson_gaps_have_the_right_mean_and_repeat_by_seed),
		INET_TEST(test_flows_take_turns_over_their_ports),
		INET_TEST(test_wrong_configurations_are_refused),
		INET_TEST(test_a_sink_counts_losses_disorder_and_copies),
		INET_TEST(test_a_sink_knows_the_bytes_of_any_time),
		INET_TEST(test_forged_headers_do_not_confuse_a_sink),
		INET_TEST(test_the_tool_sends_over_a_chain_to_a_sink),
		INET_TEST(test_an_echo_sends_everything_back),
		INET_TEST(test_the_tool_refuses_wrong_words),
		INET_TEST(test_a_stack_may_end_under_its_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
