/*
 * Unit tests of traceroute (inet/traceroute.c, inet/traceroute_cmd.c).
 */
#include "inet_fixture.h"

static void
test_udp_probes_find_every_router(void **state)
{
	struct tool t;

	(void)state;
	chain(4);
	assert_int_equal(tool(&t, "n1", "traceroute 10.3.0.2"), 0);
	assert_string_equal(t.out,
	    "traceroute to 10.3.0.2 (10.3.0.2), 64 hops max, 52 byte packets\n"
	    " 1  10.1.0.2 (10.1.0.2)  0.000 ms  0.000 ms  0.000 ms\n"
	    " 2  10.2.0.2 (10.2.0.2)  0.000 ms  0.000 ms  0.000 ms\n"
	    " 3  10.3.0.2 (10.3.0.2)  0.000 ms  0.000 ms  0.000 ms\n");
	assert_string_equal(t.err, "");
}

static void
test_icmp_probes_do_the_same(void **state)
{
	struct tool t;

	(void)state;
	chain(4);
	assert_int_equal(tool(&t, "n1", "traceroute -I -n -q 1 10.3.0.2"), 0);
	assert_string_equal(t.out,
	    "traceroute to 10.3.0.2 (10.3.0.2), 64 hops max, 48 byte packets\n"
	    " 1  10.1.0.2  0.000 ms\n"
	    " 2  10.2.0.2  0.000 ms\n"
	    " 3  10.3.0.2  0.000 ms\n");
}

static void
test_silent_hops_are_stars_and_max_ttl_ends_it(void **state)
{
	struct tool t;
	uint64_t begin = clock_now();

	(void)state;
	assert_int_equal(tool(&t, NULL, "traceroute -m 2 -w 2 -S 10.0.0.2"), 0);
	assert_string_equal(t.out,
	    "traceroute to 10.0.0.2 (10.0.0.2), 2 hops max, 52 byte packets\n"
	    " 1  * * * (100% loss)\n"
	    " 2  * * * (100% loss)\n");
	assert_in_range(clock_now() - begin, 12 * NS_PER_SEC, 12 * NS_PER_SEC + 10 * NS_PER_MS);
}

static void
test_an_unreachable_network_is_marked_and_ends_it(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	command_in("n1", "route add 10.99.0.0/16 10.1.0.2");
	assert_int_equal(tool(&t, "n1", "traceroute 10.99.0.1"), 0);
	assert_non_null(
	    strstr(t.out, " 2  10.1.0.2 (10.1.0.2)  0.000 ms !N  0.000 ms !N  0.000 ms !N\n"));
	command_in("n2", "route add 10.99.0.0/16 10.2.0.2 -reject");
	assert_int_equal(tool(&t, "n1", "traceroute 10.99.0.1"), 0);
	assert_non_null(strstr(t.out, " !H"));
}

static void
test_no_route_is_said_for_each_probe(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "traceroute -m 1 -q 2 -w 1 99.0.0.1"), 0);
	assert_string_equal(
	    t.err, "traceroute: sendto: No route to host\ntraceroute: sendto: No route to host\n");
}

static void
test_own_address_is_one_hop(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig lo0 up");
	assert_int_equal(tool(&t, NULL, "traceroute 10.0.0.1"), 0);
	assert_non_null(strstr(t.out, "\n 1  10.0.0.1 (10.0.0.1)  0.000 ms"));
	assert_null(strstr(t.out, "\n 2 "));
}

static void
test_names_of_hosts_are_printed_unless_n(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	assert_int_equal(in_hosts_add("middle", a4("10.1.0.2")), 0);
	assert_int_equal(in_hosts_add("far", a4("10.2.0.2")), 0);
	assert_int_equal(tool(&t, "n1", "traceroute -q 1 -f 1 far"), 0);
	assert_string_equal(t.out,
	    "traceroute to far (10.2.0.2), 64 hops max, 52 byte packets\n"
	    " 1  middle (10.1.0.2)  0.000 ms\n"
	    " 2  far (10.2.0.2)  0.000 ms\n");
	assert_int_equal(tool(&t, "n1", "traceroute -n -f 2 -q 2 far 100"), 0);
	assert_string_equal(t.out,
	    "traceroute to far (10.2.0.2), 64 hops max, 100 byte packets\n"
	    " 2  10.2.0.2  0.000 ms  0.000 ms\n");
}

static void
test_a_pause_lies_between_probes(void **state)
{
	struct tool t;
	uint64_t begin;

	(void)state;
	chain(2);
	begin = clock_now();
	assert_int_equal(tool(&t, "n1", "traceroute -z 500 10.1.0.2"), 0);
	assert_in_range(clock_now() - begin, 1500 * NS_PER_MS, 1600 * NS_PER_MS);
}

static void
test_udp_probes_may_forbid_fragments_and_choose_a_source(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig mem0 inet 10.0.0.5/32 alias");
	memif_clear(&lan); /* gratuitous ARP */
	assert_int_equal(tool(&t, NULL, "traceroute -F -q 1 -m 1 -w 1 -s 10.0.0.5 10.0.0.2"), 0);
	assert_int_equal(from_be16(frame_ip(sent_one_of(1))->off), IP_DF_);
	assert_int_equal(frame_ip(sent_one_of(1))->src, a4("10.0.0.5"));
	assert_int_equal(tool(&t, NULL, "traceroute -i mem0 -q 1 -m 1 -w 1 10.0.0.2"), 0);
	assert_non_null(strstr(t.out, "traceroute to 10.0.0.2 (10.0.0.2) from 10.0.0.1, "));
	assert_int_equal(tool(&t, NULL, "traceroute -r -q 1 -m 1 -w 1 99.0.0.1"), 0);
	assert_string_equal(t.err, "traceroute: sendto: No route to host\n");
}

static void
test_gateways_are_a_loose_source_route(void **state)
{
	struct tool t;
	struct mbuf *m;
	const uint8_t *opt;

	(void)state;
	assert_int_equal(
	    tool(&t, NULL, "traceroute -q 1 -m 1 -w 1 -g 10.0.0.2 -g 10.7.0.1 10.8.0.1"), 0);
	m = sent_one_of(1);
	opt = (const uint8_t *)(frame_ip(m) + 1);
	assert_int_equal(frame_ip(m)->dst, a4("10.0.0.2"));
	assert_int_equal(ip_hlen(frame_ip(m)), 32);
	assert_int_equal(opt[0], 131);
	assert_int_equal(opt[1], 11);
	assert_int_equal(opt[2], 4);
	assert_int_equal(load32(opt + 3), a4("10.7.0.1"));
	assert_int_equal(load32(opt + 7), a4("10.8.0.1"));
	assert_int_equal(opt[11], 0);
	/* and the routers on it answer */
	chain(4);
	for (unsigned k = 2; k <= 4; k++) {
		char jail[8];

		snprintf(jail, sizeof(jail), "n%u", k);
		command_in(jail, "sysctl net.inet.ip.sourceroute=1");
		command_in(jail, "sysctl net.inet.ip.accept_sourceroute=1");
	}
	assert_int_equal(tool(&t, "n1", "traceroute -n -q 1 -g 10.2.0.2 10.3.0.2"), 0);
	assert_non_null(strstr(
	    t.out, "\n 1  10.1.0.2  0.000 ms\n 2  10.2.0.2  0.000 ms\n 3  10.3.0.2  0.000 ms\n"));
}

static void
test_wrong_words_are_refused(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "traceroute"), 64);
	assert_int_equal(tool(&t, NULL, "traceroute -m 0 10.0.0.2"), 1);
	assert_string_equal(t.err, "traceroute: max ttl must be > 0\n");
	assert_int_equal(tool(&t, NULL, "traceroute -f 5 -m 4 10.0.0.2"), 1);
	assert_string_equal(
	    t.err, "traceroute: first ttl (5) may not be greater than max ttl (4)\n");
	assert_int_equal(tool(&t, NULL, "traceroute no.such.host"), 1);
	assert_string_equal(t.err, "traceroute: unknown host no.such.host\n");
	assert_int_equal(tool(&t, NULL, "traceroute -P sctp 10.0.0.2"), 1);
	assert_int_equal(tool(&t, NULL, "traceroute -a 10.0.0.2"), 1);
	assert_int_equal(tool(&t, NULL, "traceroute -i nope0 10.0.0.2"), 1);
	assert_string_equal(t.err, "traceroute: Can't find interface nope0\n");
	assert_int_equal(tool(&t, NULL, "traceroute 10.0.0.2 27"), 1);
}

static void
test_cancel_ends_it_in_the_middle(void **state)
{
	struct tool t;

	(void)state;
	tool_start(&t, NULL, "traceroute 10.0.0.2", false);
	sched_run(clock_now() + 7 * NS_PER_SEC);
	assert_false(t.done);
	verb_cancel(t.run);
	assert_true(t.done);
	assert_string_equal(
	    t.out, "traceroute to 10.0.0.2 (10.0.0.2), 64 hops max, 52 byte packets\n 1  *\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_udp_probes_find_every_router),
		INET_TEST(test_icmp_probes_do_the_same),
		INET_TEST(test_silent_hops_are_stars_and_max_ttl_ends_it),
		INET_TEST(test_an_unreachable_network_is_marked_and_ends_it),
		INET_TEST(test_no_route_is_said_for_each_probe),
		INET_TEST(test_own_address_is_one_hop),
		INET_TEST(test_names_of_hosts_are_printed_unless_n),
		INET_TEST(test_a_pause_lies_between_probes),
		INET_TEST(test_udp_probes_may_forbid_fragments_and_choose_a_source),
		INET_TEST(test_gateways_are_a_loose_source_route),
		INET_TEST(test_wrong_words_are_refused),
		INET_TEST(test_cancel_ends_it_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
