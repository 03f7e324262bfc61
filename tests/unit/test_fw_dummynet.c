/*
 * Unit tests of the firewall's door to pipes (ipfw/dn_door.c): behaviours 39 with the real shaper, at
 * once and after a while; what may happen meanwhile.
 */
#include "fw_packets.h"

#include "dummynet/dn.h"

static void
lay(uint64_t rate_bps, uint64_t delay_ns)
{
	const struct dn_change pipe = { .set = DN_SET_RATE | DN_SET_DELAY,
		.sched.link = { .rate_bps = rate_bps, .delay_ns = delay_ns } };
	const struct dn_change queue = { .set = DN_SET_SCHED, .flowset.sched = 9 };
	const char *why;

	assert_int_equal(dn_pipe_config(9, &pipe, &why), 0);
	assert_int_equal(dn_queue_config(9, &queue, &why), 0);
}

static struct mbuf *
last_sent(void)
{
	struct mbuf *m = wan.sent.head;

	while (m->next != NULL)
		m = m->next;
	return m;
}

struct cell {
	const char *action, *where;
	bool link, one_pass;
};

/* The datagram has arrived as it left. */
static void
assert_intact(void)
{
	struct mbuf *expected = udp("10.0.0.2", 1030, "10.1.0.2", 53, 600);
	const struct ip_hdr *ip = went_out(&wan, 0);

	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(from_be16(ip->len), 628);
	assert_int_equal(from_be16(ip->off), 0);
	assert_int_equal(ip->ttl, 63);
	assert_int_equal(ip_cksum(ip), 0);
	assert_memory_equal(ip + 1, expected->data + 20, 608);
	m_free(expected);
}

static struct fw_rule *
rules_for(const struct cell *c)
{
	char line[128];
	struct fw_rule *behind;

	flush_rules();
	memif_clear(&wan);
	command(c->link ? "sysctl net.link.ether.ipfw=1" : "sysctl net.link.ether.ipfw=0");
	command(c->link ? "sysctl net.inet.ip.fw.enable=0" : "sysctl net.inet.ip.fw.enable=1");
	command(
	    c->one_pass ? "sysctl net.inet.ip.fw.one_pass=1" : "sysctl net.inet.ip.fw.one_pass=0");
	snprintf(line, sizeof(line), "100 %s ip4 from 10.0.0.2 to any %s", c->action, c->where);
	add(line);
	snprintf(line, sizeof(line), "200 count ip4 from 10.0.0.2 to any %s", c->where);
	behind = add(line);
	add("300 allow ip from any to any");
	return behind;
}

/* The packet is back after delay_ns, which is 0 for "before anything else happens". */
static void
run_cell(const struct cell *c, uint64_t delay_ns)
{
	struct fw_rule *behind = rules_for(c);
	const uint64_t begin = clock_now();

	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
	if (delay_ns != 0) {
		assert_int_equal(wan.sent.len, 0);
		sched_run(begin + delay_ns + 1);
	}
	assert_int_equal(behind->count.packets, c->one_pass ? 0 : 1);
	assert_intact();
	assert_int_equal(wan.sent.head->when_ns, begin + delay_ns);
}

static void
run_matrix(uint64_t delay_ns)
{
	static const char *const actions[] = { "pipe 9", "queue 9" };
	static const char *const places[] = { "in", "out", "layer2 in", "layer2 out" };

	router();
	lay(0, delay_ns);
	for (unsigned a = 0; a < 2; a++)
		for (unsigned w = 0; w < 4; w++)
			for (int one_pass = 0; one_pass < 2; one_pass++) {
				const struct cell c = { actions[a], places[w], w >= 2, one_pass };

				run_cell(&c, delay_ns);
			}
}

static void
test_b39_packets_come_back_from_a_pipe_to_where_they_were(void **state)
{
	(void)state;
	run_matrix(7 * NS_PER_MS);
}

static void
test_b39_packets_come_back_from_a_pipe_at_once(void **state)
{
	(void)state;
	run_matrix(0);
}

/* Both directions of a rule without one: twice through, with one_pass too. */
static void
test_a_rule_for_both_directions_delays_twice(void **state)
{
	const struct cell c = { "pipe 9", "", false, true };
	uint64_t begin;

	(void)state;
	router();
	lay(0, 5 * NS_PER_MS);
	rules_for(&c);
	begin = clock_now();
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
	sched_run(begin + NS_PER_SEC);
	assert_intact();
	assert_int_equal(wan.sent.head->when_ns, begin + 10 * NS_PER_MS);
}

static void
test_a_table_says_which_pipe(void **state)
{
	uint64_t begin;

	(void)state;
	router();
	lay(0, 5 * NS_PER_MS);
	command("ipfw table 1 add 10.0.0.0/24 9");
	add("100 pipe tablearg ip4 from table(1) to any in");
	add("300 allow ip from any to any");
	memif_clear(&wan);
	begin = clock_now();
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
	sched_run(begin + NS_PER_SEC);
	assert_intact();
	assert_int_equal(wan.sent.head->when_ns, begin + 5 * NS_PER_MS);
}

static void
test_the_rule_may_go_while_its_packet_is_in_a_pipe(void **state)
{
	const struct cell c = { "pipe 9", "in", false, false };

	(void)state;
	router();
	lay(0, 5 * NS_PER_MS);
	rules_for(&c);
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
	flush_rules();
	add("300 allow ip from any to any");
	sched_run(clock_now() + NS_PER_SEC);
	assert_intact();
}

static void
test_the_interface_may_go_while_its_packet_is_in_a_pipe(void **state)
{
	const struct cell c = { "pipe 9", "out", false, true };

	(void)state;
	router();
	lay(0, 5 * NS_PER_MS);
	rules_for(&c);
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
	memif_close(&wan);
	sched_run(clock_now() + NS_PER_SEC);
	assert_int_equal(drops("if.gone"), 1);
	memif_open(&wan, 1);
}

/* one_pass=0 and a rule behind that says the same pipe: in again from its own delivery. */
static void
test_a_packet_may_meet_the_same_pipe_twice(void **state)
{
	uint64_t begin;

	(void)state;
	router();
	lay(8000000, 0);
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("100 pipe 9 ip4 from 10.0.0.2 to any in");
	add("200 pipe 9 ip4 from 10.0.0.2 to any in");
	add("300 allow ip from any to any");
	memif_clear(&wan);
	begin = clock_now();
	for (int i = 0; i < 3; i++)
		comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 972));
	sched_run(begin + NS_PER_SEC);
	assert_int_equal(wan.sent.len, 3);
	assert_int_equal(last_sent()->when_ns, begin + 6 * NS_PER_MS);
}

/* IPv6, both ways through. */
static void
test_packets_of_ipv6_take_their_time_too(void **state)
{
	uint64_t begin;

	(void)state;
	router();
	command("sysctl net.inet6.ip6.forwarding=1");
	lay(0, 5 * NS_PER_MS);
	add("100 pipe 9 ip6 from 2001:db8::2 to any");
	add("300 allow ip from any to any");
	memif_clear(&wan);
	begin = clock_now();
	comes_in(&lan, udp("2001:db8::2", 1030, "2001:db8:1::2", 53, 600));
	sched_run(begin + 10 * NS_PER_MS + 1);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(wan.sent.head->when_ns, begin + 10 * NS_PER_MS);
}

/* The teardown's audit is the test. */
static void
test_a_firewall_ends_with_packets_in_a_pipe(void **state)
{
	const struct cell c = { "pipe 9", "in", false, false };

	(void)state;
	router();
	lay(8000, 0);
	rules_for(&c);
	for (int i = 0; i < 10; i++)
		comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
}

/* --- in a bridge ------------------------------------------------------------------------------ */

static bool
keep_flow(void *ctx, const struct dn_flow_view *view)
{
	*(struct dn_flow *)ctx = view->flow;
	return false;
}

/* A frame of 10.9.0.1 crosses the bridge by queue 9, whose flows are sources. */
static void
assert_is_flow_of_its_source(const char *rule)
{
	static const uint8_t link[ETHER_HDR_LEN_] = { 6, 0, 0, 0, 0, 0xb, 6, 0, 0, 0, 0, 0xa, 8,
		0 };
	struct mbuf *m = m_prepend(udp("10.9.0.1", 1030, "10.9.0.2", 53, 600), ETHER_HDR_LEN_);
	struct dn_flow flow = { 0 };

	flush_rules();
	memif_clear(&wan);
	add(rule);
	add("300 allow ip from any to any");
	memcpy(m->data, link, sizeof(link));
	m->when_ns = clock_now();
	memif_receive(&lan, m);
	while (netisr_run())
		continue;
	sched_run(clock_now() + 20 * NS_PER_MS);
	assert_int_equal(wan.sent.len, 1);
	dn_flow_walk(9, keep_flow, &flow);
	assert_int_equal(flow.family, 4);
	assert_int_equal(flow.src, a4("10.9.0.1"));
	command("ipfw -q queue 9 delete");
}

static void
test_a_bridged_frame_is_of_the_flow_of_its_packet(void **state)
{
	static const char *const queue = "ipfw queue 9 config pipe 9 mask src-ip 0xffffffff";

	(void)state;
	memif_close(&lan);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	command("ifconfig bridge0 create addm mem0 addm mem1 up");
	command("ifconfig mem0 up");
	command("ifconfig mem1 up");
	command("ipfw pipe 9 config bw 1Mbit/s");
	command(queue);
	assert_is_flow_of_its_source("100 queue 9 ip from any to any out recv mem0 xmit mem1");
	command("sysctl net.link.bridge.ipfw=1");
	command(queue);
	assert_is_flow_of_its_source("100 queue 9 ip from any to any layer2");
	command("ifconfig bridge0 destroy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_b39_packets_come_back_from_a_pipe_to_where_they_were),
		INET6_TEST(test_b39_packets_come_back_from_a_pipe_at_once),
		INET6_TEST(test_a_rule_for_both_directions_delays_twice),
		INET6_TEST(test_a_table_says_which_pipe),
		INET6_TEST(test_the_rule_may_go_while_its_packet_is_in_a_pipe),
		INET6_TEST(test_the_interface_may_go_while_its_packet_is_in_a_pipe),
		INET6_TEST(test_a_packet_may_meet_the_same_pipe_twice),
		INET6_TEST(test_packets_of_ipv6_take_their_time_too),
		INET6_TEST(test_a_firewall_ends_with_packets_in_a_pipe),
		INET6_TEST(test_a_bridged_frame_is_of_the_flow_of_its_packet),
	};

	return cmocka_run_group_tests_name("ipfw/dummynet", tests, NULL, NULL);
}
