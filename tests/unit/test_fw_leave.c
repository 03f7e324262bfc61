/*
 * Unit tests of packets that leave the rules and come back (ipfw/leave.c): outlets that keep what they
 * are given, or give it back at once; behaviours 39, 44 and 45.
 */
#include "fw_keepers.h"

/* Does a datagram from lan's neighbour to wan's get through? */
static bool
is_forwarded(void)
{
	bool through;

	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 12));
	through = wan.sent.len > 0;
	memif_clear(&wan);
	return through;
}

/* --- the matrix of behaviours 39 -------------------------------------------------------------- */

/* Where a packet is when it meets the rule. */
struct cell {
	const char *action, *where;
	bool link, one_pass;
};

static bool
is_copy(const struct cell *c)
{
	return strstr(c->action, "tee") != NULL;
}

/* Does the packet pass the rules behind it when (or although) it has met this one? */
static bool
goes_on(const struct cell *c)
{
	return is_copy(c) || strcmp(c->action, "divert 9") == 0 || !c->one_pass;
}

static void
send_for(const struct cell *c)
{
	if (strcmp(c->action, "reass") != 0) {
		comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 600));
		return;
	}
	struct mbuf *first = udp("10.0.0.2", 1030, "10.1.0.2", 53, 600);
	struct mbuf *rest = m_dup(first);

	m_trim(first, 20 + 304);
	m_adj(rest, 304);
	memcpy(rest->data, first->data, 20);
	rest->rcvif = lan.ifp;
	comes_in(&lan, fragment(first, 0, true));
	comes_in(&lan, fragment(rest, 304, false));
}

/* The datagram has arrived as it left, lengths and offsets included. */
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

/* Behaviours 39: it goes on at the rule behind, or passes, and nothing is swapped twice. */
static void
run_cell(const struct cell *c)
{
	char line[128];
	struct fw_rule *behind, *at;

	flush_rules();
	memif_clear(&wan);
	command(c->link ? "sysctl net.link.ether.ipfw=1" : "sysctl net.link.ether.ipfw=0");
	command(c->link ? "sysctl net.inet.ip.fw.enable=0" : "sysctl net.inet.ip.fw.enable=1");
	command(
	    c->one_pass ? "sysctl net.inet.ip.fw.one_pass=1" : "sysctl net.inet.ip.fw.one_pass=0");
	snprintf(line, sizeof(line), "100 %s ip4 from 10.0.0.2 to any %s", c->action, c->where);
	at = add(line);
	snprintf(line, sizeof(line), "200 count ip4 from 10.0.0.2 to any %s", c->where);
	behind = add(line);
	add("300 allow ip from any to any");
	copies_kept = 0;
	send_for(c);
	assert_true(at->count.packets >= 1);
	if (is_copy(c)) {
		assert_int_equal(copies_kept, 1);
		assert_int_equal(kept.len, 1);
		mbufq_drain(&kept);
	}
	give_back();
	assert_int_equal(behind->count.packets, goes_on(c) ? 1 : 0);
	assert_intact();
}

/* NAT instance 7, if there are any, gives a source the address and port that it has. */
static void
translate_to_itself(void)
{
	char *out = NULL, *err = NULL;

	verb_line(NULL, "ipfw nat 7 config ip 10.0.0.2 same_ports", false, &out, &err);
	free(out);
	free(err);
}

static void
run_matrix(void)
{
	static const char *const actions[] = { "pipe 9", "queue 9", "divert 9", "tee 9",
		"netgraph 9", "ngtee 9", "nat 7", "reass" };
	static const char *const places[] = { "in", "out", "layer2 in", "layer2 out" };

	router();
	translate_to_itself();
	for (unsigned a = 0; a < sizeof(actions) / sizeof(actions[0]); a++)
		for (unsigned w = 0; w < 4; w++)
			for (int one_pass = 0; one_pass < 2; one_pass++) {
				const struct cell c = { actions[a], places[w], w >= 2, one_pass };

				run_cell(&c);
			}
}

static void
test_b39_packets_come_back_to_where_they_were(void **state)
{
	(void)state;
	run_matrix();
}

static void
test_b39_packets_come_back_at_once(void **state)
{
	(void)state;
	at_once = true;
	run_matrix();
}

/* --- what may happen meanwhile ---------------------------------------------------------------- */

/* Behaviours 45: no module, no way. */
static void
test_b45_without_an_outlet_packets_are_dropped(void **state)
{
	static const char *const lines[] = { "100 pipe 1 ip from any to any",
		"100 queue 1 ip from any to any", "100 divert 1 ip from any to any",
		"100 netgraph 1 ip from any to any", "100 nat 99 ip from any to any" };

	(void)state;
	fw_outlets = (struct fw_outlets){ 0 };
	router();
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		flush_rules();
		add(lines[i]);
		add("200 allow ip from any to any");
		assert_false(is_forwarded());
		assert_int_equal(drops("ipfw.nooutlet"), i + 1);
	}
	flush_rules();
	add("100 tee 1 ip from any to any");
	add("110 ngtee 1 ip from any to any");
	add("200 allow ip from any to any");
	assert_true(is_forwarded()); /* only the copies are lost */
}

static void
test_b44_the_rule_may_be_gone_when_the_packet_is_back(void **state)
{
	struct fw_rule *next;

	(void)state;
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("100 pipe 1 ip from any to any in");
	add("200 deny ip from any to any in");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	command("ipfw delete 100 200");
	next = add("150 allow ip from any to any");
	give_back();
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(next->count.packets, 2);
}

static void
test_the_interface_may_be_gone_when_the_packet_is_back(void **state)
{
	(void)state;
	router();
	add("100 pipe 1 ip from any to any out");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(kept.len, 1);
	memif_close(&wan);
	give_back();
	assert_int_equal(drops("if.gone"), 1);
}

static void
test_the_route_may_be_another_when_the_packet_is_back(void **state)
{
	(void)state;
	router();
	command("route add 192.0.2.0/24 10.1.0.2");
	add("100 pipe 1 ip from any to any out");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.1", 53, 0));
	command("route delete 192.0.2.0/24");
	command("route add 192.0.2.0/24 10.0.0.2");
	give_back();
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(lan.sent.len, 1);
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.1", 53, 0));
	command("route delete 192.0.2.0/24");
	give_back();
	assert_int_equal(drops("ipfw.noroute"), 1);
}

static void
test_the_firewall_may_be_off_when_the_packet_is_back(void **state)
{
	(void)state;
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("100 pipe 1 ip from any to any in");
	add("200 deny ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	command("sysctl net.inet.ip.fw.enable=0");
	give_back();
	assert_int_equal(wan.sent.len, 1);
}

static void
test_what_comes_back_as_nonsense_is_dropped(void **state)
{
	struct mbuf *m;

	(void)state;
	router();
	add("100 divert 1 ip from any to any in");
	add("200 allow ip from any to any");
	for (int i = 0; i < 3; i++)
		comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 20));
	kept.head->data[0] = 0x65;
	m_trim(kept.head->next, 30);
	m = kept.head->next->next;
	mtod(m, struct ip_hdr *)->len = to_be16(25); /* cuts the UDP header */
	give_back();
	assert_int_equal(drops("ipfw.badpacket"), 3);
	assert_int_equal(wan.sent.len, 0);
}

/* Thousands of pipes one behind the other don't nest. */
static void
test_packets_that_come_back_at_once_do_not_nest(void **state)
{
	char line[64];

	(void)state;
	router();
	at_once = true;
	command("sysctl net.inet.ip.fw.one_pass=0");
	fw_change_begin();
	for (int i = 1; i <= 20000; i++) {
		snprintf(line, sizeof(line), "%d pipe %d ip from any to any in", i, i);
		add(line);
	}
	assert_int_equal(fw_change_end(), 0);
	add("30000 allow ip from any to any");
	assert_true(is_forwarded());
	assert_int_equal(last_number, 20000);
}

static void
test_subroutines_are_remembered_outside(void **state)
{
	struct fw_rule *r;

	(void)state;
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("100 call 1000 ip from any to any in");
	r = add("200 allow ip from any to any");
	add("1000 pipe 1 ip from any to any");
	add("1100 return ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	give_back();
	assert_int_equal(r->count.packets, 2);
	assert_int_equal(wan.sent.len, 1);
}

/* A state sends each packet of its flow by the pipe, once. */
static void
test_a_state_does_not_send_a_packet_out_again(void **state)
{
	struct fw_rule *r;

	(void)state;
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("50 allow ip from any to any out"); /* states know no direction */
	add("100 check-state");
	r = add("200 pipe 1 udp from any to any in keep-state");
	add("210 divert 1 udp from any to any in keep-state :d");
	add("300 allow tcp from any to any keep-state");
	add("310 check-state :d");
	add("400 allow ip from any to any");
	for (int i = 1; i <= 3; i++) {
		comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
		for (int k = 0; k < 2; k++) { /* the pipe, the program */
			assert_int_equal(kept.len, 1);
			give_back_one();
		}
		assert_int_equal(wan.sent.len, i);
	}
	assert_true(r->count.packets >= 3);
}

static void
test_diverted_packets_are_known_when_back(void **state)
{
	struct fw_rule *in, *out;

	(void)state;
	router();
	add("100 divert 8668 ip from any to any");
	in = add("200 count ip from any to any diverted-loopback");
	out = add("300 count ip from any to any diverted-output");
	add("400 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(last_number, 8668);
	give_back();
	assert_int_equal(kept.len, 0);
	assert_int_equal(in->count.packets, 1);
	assert_int_equal(out->count.packets, 1);
	assert_int_equal(wan.sent.len, 1);
}

/* Spec 16.17. */
static void
test_divert_puts_fragments_together_tee_does_not(void **state)
{
	const struct cell c = { .action = "reass" };

	(void)state;
	router();
	add("100 divert 9 ip from any to any in");
	add("200 allow ip from any to any");
	send_for(&c);
	assert_int_equal(kept.len, 1);
	assert_int_equal(kept.head->len, 628);
	give_back();
	assert_intact();
	flush_rules();
	add("100 tee 9 ip from any to any in");
	add("200 allow ip from any to any");
	send_for(&c);
	assert_int_equal(kept.len, 2);
}

/* A copy is of the packet as it was when the rule was met. */
static void
test_a_copy_is_not_changed_with_the_packet(void **state)
{
	(void)state;
	router();
	add("100 tee 9 ip from any to any in");
	add("150 setdscp 46 ip from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(kept.head->data[1], 0);
	assert_int_equal(went_out(&wan, 0)->tos, 46 << 2);
}

static void
test_an_answer_is_waited_for(void **state)
{
	(void)state;
	router();
	add("100 auth ip from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(wan.sent.len, 0);
	give_back();
	assert_int_equal(wan.sent.len, 1);
}

static void
test_packets_of_ipv6_leave_and_come_back(void **state)
{
	(void)state;
	router();
	add("100 pipe 1 ip6 from any to any in");
	add("110 pipe 2 ip6 from any to any out");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:1::2", 53, 5));
	give_back();
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip6(wan.sent.head)->hlim, 63);
}

/* What is made here and has no route, but an interface, keeps that. */
static void
test_groups_come_back_to_their_link(void **state)
{
	struct in6 src = a6("fe80::1"), dst = a6("ff02::5");
	const struct ip_opts_out o = { .ifp = lan.ifp, .ttl = 1 };

	(void)state;
	router();
	add("100 pipe 1 ip6 from any to any out");
	add("200 allow ip from any to any");
	assert_int_equal(ip6_output(m_from("hello", 5), &src, &dst, 99, &o), 0);
	assert_int_equal(kept.len, 1);
	give_back();
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(lan.sent.head->data[0], 0x33);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OUTLET_TEST(test_b39_packets_come_back_to_where_they_were),
		OUTLET_TEST(test_b39_packets_come_back_at_once),
		INET6_TEST(test_b45_without_an_outlet_packets_are_dropped),
		OUTLET_TEST(test_b44_the_rule_may_be_gone_when_the_packet_is_back),
		OUTLET_TEST(test_the_interface_may_be_gone_when_the_packet_is_back),
		OUTLET_TEST(test_the_route_may_be_another_when_the_packet_is_back),
		OUTLET_TEST(test_the_firewall_may_be_off_when_the_packet_is_back),
		OUTLET_TEST(test_what_comes_back_as_nonsense_is_dropped),
		OUTLET_TEST(test_packets_that_come_back_at_once_do_not_nest),
		OUTLET_TEST(test_subroutines_are_remembered_outside),
		OUTLET_TEST(test_a_state_does_not_send_a_packet_out_again),
		OUTLET_TEST(test_diverted_packets_are_known_when_back),
		OUTLET_TEST(test_divert_puts_fragments_together_tee_does_not),
		OUTLET_TEST(test_a_copy_is_not_changed_with_the_packet),
		OUTLET_TEST(test_an_answer_is_waited_for),
		OUTLET_TEST(test_packets_of_ipv6_leave_and_come_back),
		OUTLET_TEST(test_groups_come_back_to_their_link),
	};

	return cmocka_run_group_tests_name("ipfw/leave", tests, NULL, NULL);
}
