/*
 * Unit tests of what rules with `log` say (ipfw/log.c): lines, their limits, and the interface
 * ipfw0.
 */
#include "fw_packets.h"

#include "net/bpf.h"

static void
say_lines(void)
{
	command("sysctl net.inet.ip.fw.verbose=1");
	log_catch();
}

static int
log_teardown(void **state)
{
	log_set_sink(NULL, NULL);
	return inet6_teardown(state);
}
#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, inet6_setup, log_teardown)

/* The line that the packet leads to as it comes in. Takes m. */
static void
assert_says(struct mbuf *m, const char *line)
{
	logged[0] = '\0';
	comes_in(&lan, m);
	assert_string_equal(logged, line);
}

static void
test_lines_name_rule_action_packet_and_place(void **state)
{
	(void)state;
	add("100 deny log tcp from any to any");
	add("200 allow log udp from any to any");
	add("300 unreach port log icmp from any to any in");
	add("400 count log gre from any to any");
	add("65000 deny ip from any to any");
	say_lines();
	assert_says(tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN),
	    "ipfw: 100 Deny TCP 10.0.0.2:1030 10.0.0.1:22 in via mem0");
	assert_says(udp("10.0.0.2", 53, "10.0.0.1", 54, 0),
	    "ipfw: 200 Accept UDP 10.0.0.2:53 10.0.0.1:54 in via mem0");
	assert_says(icmp("10.0.0.2", "10.0.0.1", 3, 1),
	    "ipfw: 300 Unreach 3 ICMP:3.1 10.0.0.2 10.0.0.1 in via mem0");
	assert_says(ip_around("10.0.0.2", "10.0.0.1", 47, "12345678", 8),
	    "ipfw: 400 Count P:47 10.0.0.2 10.0.0.1 in via mem0");
}

static void
test_lines_of_ipv6_have_brackets(void **state)
{
	(void)state;
	add("100 deny log ip6 from any to any");
	say_lines();
	assert_says(udp("2001:db8::2", 53, "2001:db8::1", 54, 0),
	    "ipfw: 100 Deny UDP [2001:db8::2]:53 [2001:db8::1]:54 in via mem0");
	assert_says(icmp("2001:db8::2", "2001:db8::1", 128, 0),
	    "ipfw: 100 Deny ICMPv6:128.0 [2001:db8::2] [2001:db8::1] in via mem0");
}

static void
test_lines_of_fragments_say_which_part(void **state)
{
	const uint8_t later[8] = { 0, 0, 0x05, 0xa8, 0, 0, 0x12, 0x34 };

	(void)state;
	add("100 deny log ip from any to any");
	say_lines();
	assert_says(fragment(udp("10.0.0.2", 53, "10.0.0.1", 54, 16), 0, true),
	    "ipfw: 100 Deny UDP 10.0.0.2:53 10.0.0.1:54 in via mem0 (frag 77:24@0+)");
	assert_says(fragment(udp("10.0.0.2", 53, "10.0.0.1", 54, 16), 24, false),
	    "ipfw: 100 Deny UDP 10.0.0.2 10.0.0.1 in via mem0 (frag 77:24@24)");
	assert_says(
	    with_headers6(udp("2001:db8::2", 1, "2001:db8::1", 2, 8), IPPROTO_FRAGMENT_, later, 8),
	    "ipfw: 100 Deny UDP [2001:db8::2] [2001:db8::1] in via mem0 (frag 00001234:16@1448)");
}

static void
test_lines_of_other_frames_say_mac(void **state)
{
	struct mbuf *m = framed(udp("10.0.0.2", 53, "10.0.0.1", 54, 0), &lan);

	(void)state;
	command("sysctl net.link.ether.ipfw=1");
	add("100 deny log ip from any to any mac-type 0x1234");
	say_lines();
	store16(m->data + 12, __builtin_bswap16(0x1234));
	memif_receive(&lan, m);
	assert_string_equal(logged, "ipfw: 100 Deny MAC in via mem0");
}

static void
test_what_no_rule_could_judge_is_refused(void **state)
{
	(void)state;
	add("100 allow ip from any to any");
	command("sysctl net.inet.ip.fw.verbose_limit=2");
	say_lines();
	assert_says(fragment(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 8, false),
	    "ipfw: -1 Refuse TCP 10.0.0.2 10.0.0.1 in via mem0 (frag 77:20@8)");
	assert_says(fragment(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 8, false),
	    "ipfw: limit 2 reached on entry -1");
	assert_says(fragment(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 8, false), "");
}

static void
come_in_times(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		comes_in(&lan, udp("10.0.0.2", 53, "10.0.0.1", 54, 0));
}

/* Spec 16.29. */
static void
test_the_limit_is_told_exactly_once(void **state)
{
	(void)state;
	add("100 deny log logamount 3 ip from any to any");
	say_lines();
	come_in_times(3);
	assert_int_equal(logged_lines, 4);
	assert_string_equal(logged, "ipfw: limit 3 reached on entry 100");
	come_in_times(5);
	assert_int_equal(logged_lines, 4);
	command("ipfw resetlog 100");
	logged_lines = 0;
	come_in_times(9);
	assert_int_equal(logged_lines, 4);
}

static void
test_the_limit_of_others_is_the_systems(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.fw.verbose_limit=2");
	add("100 count log ip from any to any");
	add("110 count log logamount 0 ip from any to any");
	add("200 deny ip from any to any");
	say_lines();
	come_in_times(10);
	assert_int_equal(logged_lines, 3 + 10);
}

static void
test_without_verbose_there_are_no_lines(void **state)
{
	(void)state;
	add("100 deny log ip from any to any");
	log_catch();
	come_in_times(2);
	assert_int_equal(logged_lines, 0);
}

/* --- ipfw0 ------------------------------------------------------------------------------------ */

struct tap {
	struct bpf_listener l;
	struct mbufq seen;
	unsigned in;
};

static void
tap_see(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	struct tap *tap = (struct tap *)(void *)l;

	(void)ifp;
	tap->in += dir == BPF_IN;
	mbufq_push(&tap->seen, m_dup(m));
}

static void
test_packets_are_shown_on_ipfw0(void **state)
{
	struct tap tap = { .l.tap = tap_see };
	struct mbuf *m, *m6;

	(void)state;
	mbufq_init(&tap.seen);
	add("100 deny log logamount 1 ip from any to any");
	come_in_times(1); /* nobody listens */
	assert_int_equal(bpf_attach(&tap.l, if_byname("ipfw0")), 0);
	assert_int_equal(bpf_dlt(if_byname("ipfw0")), 1);
	come_in_times(1);
	comes_in(&lan, udp("2001:db8::2", 53, "2001:db8::1", 54, 0));
	assert_int_equal(tap.seen.len, 2);
	assert_int_equal(tap.in, 2);
	m = mbufq_pop(&tap.seen);
	assert_memory_equal(m->data, "DDDDDDSSSSSS\x08\x00", 14);
	assert_int_equal(m->len, 14 + 28);
	assert_int_equal(frame_ip(m)->src, a4("10.0.0.2"));
	m6 = mbufq_pop(&tap.seen);
	assert_memory_equal(m6->data, "DDDDDDSSSSSS\x86\xdd", 14);
	m_free(m);
	m_free(m6);
	bpf_detach(&tap.l);
}

static void
test_frames_are_shown_as_they_are(void **state)
{
	struct tap tap = { .l.tap = tap_see };

	(void)state;
	mbufq_init(&tap.seen);
	command("sysctl net.link.ether.ipfw=1");
	add("100 deny log ip from any to any layer2");
	assert_int_equal(bpf_attach(&tap.l, if_byname("ipfw0")), 0);
	come_in_times(1);
	assert_int_equal(tap.seen.len, 1);
	assert_memory_equal(tap.seen.head->data, lan.ifp->if_lladdr, 6);
	mbufq_drain(&tap.seen);
	bpf_detach(&tap.l);
}

/* It leads nowhere, and may go. */
static void
test_ipfw0_takes_nothing_and_may_go(void **state)
{
	struct tap tap = { .l.tap = tap_see };

	(void)state;
	add("100 allow log ip from any to any");
	command("ifconfig ipfw0 inet 192.0.2.1/24 up");
	command("ifconfig ipfw0 destroy");
	come_in_times(1);
	command("ifconfig ipfw0 create");
	mbufq_init(&tap.seen);
	assert_int_equal(bpf_attach(&tap.l, if_byname("ipfw0")), 0);
	come_in_times(1);
	assert_true(tap.seen.len > 0);
	mbufq_drain(&tap.seen);
	bpf_detach(&tap.l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_lines_name_rule_action_packet_and_place),
		LOG_TEST(test_lines_of_ipv6_have_brackets),
		LOG_TEST(test_lines_of_fragments_say_which_part),
		LOG_TEST(test_lines_of_other_frames_say_mac),
		LOG_TEST(test_what_no_rule_could_judge_is_refused),
		LOG_TEST(test_the_limit_is_told_exactly_once),
		LOG_TEST(test_the_limit_of_others_is_the_systems),
		LOG_TEST(test_without_verbose_there_are_no_lines),
		LOG_TEST(test_packets_are_shown_on_ipfw0),
		LOG_TEST(test_frames_are_shown_as_they_are),
		LOG_TEST(test_ipfw0_takes_nothing_and_may_go),
	};

	return cmocka_run_group_tests_name("ipfw/log", tests, NULL, NULL);
}
