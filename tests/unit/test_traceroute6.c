/*
 * Unit tests of traceroute6 (inet/traceroute.c, inet/traceroute_cmd.c, inet6/traceroute6.c).
 */
#include "inet6_fixture.h"

static void
test_udp_probes_find_every_router(void **state)
{
	struct tool t;

	(void)state;
	chain6(4);
	assert_int_equal(tool(&t, "n1", "traceroute6 2001:db8:3::2"), 0);
	assert_string_equal(t.out,
	    "traceroute6 to 2001:db8:3::2 (2001:db8:3::2) from 2001:db8:1::1, 64 hops max, "
	    "12 byte packets\n"
	    " 1  2001:db8:1::2  0.000 ms  0.000 ms  0.000 ms\n"
	    " 2  2001:db8:2::2  0.000 ms  0.000 ms  0.000 ms\n"
	    " 3  2001:db8:3::2  0.000 ms  0.000 ms  0.000 ms\n");
	assert_string_equal(t.err, "");
}

static void
test_icmp_probes_do_the_same(void **state)
{
	struct tool t;

	(void)state;
	chain6(4);
	assert_int_equal(tool(&t, "n1", "traceroute6 -I -n -q 1 -m 9 2001:db8:3::2"), 0);
	assert_string_equal(t.out,
	    "traceroute6 to 2001:db8:3::2 (2001:db8:3::2) from 2001:db8:1::1, 9 hops max, "
	    "16 byte packets\n"
	    " 1  2001:db8:1::2  0.000 ms\n"
	    " 2  2001:db8:2::2  0.000 ms\n"
	    " 3  2001:db8:3::2  0.000 ms\n");
}

static void
test_probes_have_a_right_sum_and_the_asked_for_header(void **state)
{
	struct tool t;
	struct mbuf *m;
	unsigned n = 0;

	(void)state;
	assert_int_equal(
	    tool(&t, NULL, "traceroute6 -q 1 -m 3 -w 1 -t 8 -p 5000 2001:db8::2 100"), 0);
	for (m = lan.sent.head; m != NULL; m = m->next, n++) {
		struct ip6_hdr *ip6 = frame_ip6(m);
		const uint8_t *uh = (const uint8_t *)(ip6 + 1);
		uint64_t sum = ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_UDP_, 108);

		assert_int_equal(ip6->hlim, n + 1);
		assert_int_equal(ip6_class(ip6), 8);
		assert_int_equal(from_be16(ip6->plen), 108);
		assert_int_equal(__builtin_bswap16(load16(uh + 2)), 5000 + n + 1);
		assert_int_equal(cksum_fold(cksum_add(sum, uh, 108)), 0);
	}
	assert_int_equal(n, 3);
	assert_non_null(strstr(t.out, "\n 1  *\n 2  *\n 3  *\n"));
	/* the port that probes come from is free again */
	assert_int_equal(vnet0->sockcnt, 0);
}

static void
test_codes_of_unreachable_are_letters(void **state)
{
	static const struct {
		uint8_t type, code;
		const char *mark;
	} answers[] = {
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, "ms !N\n" },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADMIN, "ms !P\n" },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_BEYONDSCOPE, "ms !S\n" },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, "ms !A\n" },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_POLICY, "ms !<5>\n" },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, "ms\n" },
		{ ICMP6_PACKET_TOO_BIG_, 0, "ms !F-1280\n" },
	};
	struct tool t;

	(void)state;
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct mbuf *m, *probe;
		struct icmp6_hdr *icmp;

		memif_clear(&lan);
		tool_start(
		    &t, NULL, "traceroute6 -q 1 -m 1 -s 2001:db8::1 2001:db8::2 1400", false);
		sched_run(clock_now() + 2 * NS_PER_MS);
		probe = sent_one_of(1);
		m = message6("2001:db8::9", "2001:db8::1", answers[i].type, answers[i].code, 1200);
		icmp = (void *)(m->data + IP6_HDRLEN);
		icmp->data = to_be32(answers[i].type == ICMP6_PACKET_TOO_BIG_ ? 1280 : 0);
		memcpy(icmp + 1, frame_ip6(probe), 1200);
		icmp6_sum_at(m, IP6_HDRLEN);
		receive6(m);
		tool_wait(&t);
		assert_non_null(strstr(t.out, " 1  2001:db8::9  1.000 ms"));
		assert_non_null(strstr(t.out, answers[i].mark));
	}
}

static void
test_no_route_ends_it_at_once_and_a_lost_one_is_marked(void **state)
{
	struct tool t;

	(void)state;
	chain6(3);
	assert_int_equal(tool(&t, "n1", "traceroute6 2001:db9::1"), 1);
	assert_string_equal(t.err, "traceroute6: connect: No route to host\n");
	command_in("n1", "route -6 add 2001:db8:99::/48 2001:db8:1::2");
	assert_int_equal(tool(&t, "n1", "traceroute6 2001:db8:99::1"), 0);
	assert_non_null(
	    strstr(t.out, " 2  2001:db8:1::2  0.000 ms !N  0.000 ms !N  0.000 ms !N\n"));
	assert_null(strstr(t.out, "\n 3"));
}

static void
test_names_are_printed_unless_n_and_with_numbers_for_l(void **state)
{
	struct ipaddr middle = addr_of("2001:db8:1::2"), far = addr_of("2001:db8:2::2");
	struct tool t;

	(void)state;
	chain6(3);
	assert_int_equal(ip_hosts_add("middle", &middle), 0);
	assert_int_equal(ip_hosts_add("far", &far), 0);
	assert_int_equal(tool(&t, "n1", "traceroute6 -q 1 far"), 0);
	assert_non_null(strstr(t.out, "traceroute6 to far (2001:db8:2::2) from "));
	assert_non_null(strstr(t.out, "\n 1  middle  0.000 ms\n 2  far  0.000 ms\n"));
	assert_int_equal(tool(&t, "n1", "traceroute6 -l -q 1 far"), 0);
	assert_non_null(strstr(t.out, "\n 1  middle (2001:db8:1::2)  0.000 ms\n"));
	assert_int_equal(tool(&t, "n1", "traceroute6 -n -l -q 1 -f 2 far"), 0);
	assert_non_null(strstr(t.out, "packets\n 2  2001:db8:2::2  0.000 ms\n"));
	/* IPv6 only */
	assert_int_equal(tool(&t, "n1", "traceroute6 10.1.0.2"), 1);
	assert_string_equal(t.err, "traceroute6: unknown host 10.1.0.2\n");
	ip_hosts_clear();
}

static void
test_a_link_address_gets_its_zone_from_the_interface(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "traceroute6 -i mem0 -q 1 -m 1 -w 1 fe80::2"), 0);
	assert_non_null(strstr(t.out, "traceroute6 to fe80::2 (fe80::2%mem0) from fe80::1%mem0, "));
	assert_in6(&frame_ip6(sent_one_of(1))->dst, "fe80::2");
}

static void
test_what_is_not_to_be_had_is_refused(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "traceroute6"), 64);
	assert_int_equal(tool(&t, NULL, "traceroute6 -g 2001:db8::9 2001:db8::2"), 1);
	assert_string_equal(
	    t.err, "traceroute6: -g 2001:db8::9: routing headers are no more (RFC 5095)\n");
	assert_int_equal(tool(&t, NULL, "traceroute6 -N 2001:db8::2"), 1);
	assert_int_equal(tool(&t, NULL, "traceroute6 -s 2001:db8::99 2001:db8::2"), 1);
	assert_string_equal(t.err, "traceroute6: bind: Can't assign requested address\n");
	assert_int_equal(tool(&t, NULL, "traceroute6 -F 2001:db8::2"), 64);
}

static void
test_a_jail_probes_from_its_own_address(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig mem0 inet6 2001:db8::77/64 alias");
	settle6();
	command("jail -c name=j persist allow.raw_sockets ip6.addr=2001:db8::77");
	assert_int_equal(tool(&t, "j", "traceroute6 -q 1 -m 1 -w 1 2001:db8::2"), 0);
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8::77");
	command("jail -c name=k persist ip6.addr=2001:db8::77");
	assert_int_equal(tool(&t, "k", "traceroute6 2001:db8::2"), 1);
	assert_string_equal(t.err, "traceroute6: icmp socket: Operation not permitted\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_udp_probes_find_every_router),
		INET6_TEST(test_icmp_probes_do_the_same),
		INET6_TEST(test_probes_have_a_right_sum_and_the_asked_for_header),
		INET6_TEST(test_codes_of_unreachable_are_letters),
		INET6_TEST(test_no_route_ends_it_at_once_and_a_lost_one_is_marked),
		INET6_TEST(test_names_are_printed_unless_n_and_with_numbers_for_l),
		INET6_TEST(test_a_link_address_gets_its_zone_from_the_interface),
		INET6_TEST(test_what_is_not_to_be_had_is_refused),
		INET6_TEST(test_a_jail_probes_from_its_own_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
