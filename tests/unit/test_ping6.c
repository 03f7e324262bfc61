/*
 * Unit tests of ping over IPv6: the engine (inet/ping.c) and the tools ping and ping6
 * (inet/ping_cmd.c, inet6/ping6.c).
 */
#include "inet6_fixture.h"

#include "inet/ping.h"

static void
test_ping6_prints_what_freebsd_prints(void **state)
{
	static const char answers[] =
	    "PING6(56=40+8+8 bytes) 2001:db8:1::1 --> 2001:db8:2::2\n"
	    "16 bytes from 2001:db8:2::2, icmp_seq=0 hlim=63 time=0.000 ms\n"
	    "16 bytes from 2001:db8:2::2, icmp_seq=1 hlim=63 time=0.000 ms\n"
	    "16 bytes from 2001:db8:2::2, icmp_seq=2 hlim=63 time=0.000 ms\n"
	    "\n--- 2001:db8:2::2 ping6 statistics ---\n"
	    "3 packets transmitted, 3 packets received, 0.0% packet loss\n"
	    "round-trip min/avg/max/std-dev = 0.000/0.000/0.000/0.000 ms\n";
	struct tool t;

	(void)state;
	chain6(3);
	assert_int_equal(tool(&t, "n1", "ping6 -c 3 2001:db8:2::2"), 0);
	assert_string_equal(t.out, answers);
	assert_string_equal(t.err, "");
	/* ping finds the family by the address */
	assert_int_equal(tool(&t, "n1", "ping -c 3 2001:db8:2::2"), 0);
	assert_string_equal(t.out, answers);
	assert_int_equal(tool(&t, "n1", "ping -4 -c 3 2001:db8:2::2"), 68);
	assert_int_equal(tool(&t, "n1", "ping6 -c 3 10.2.0.2"), 68);
}

static void
test_a_name_with_both_families_is_ipv4_unless_asked(void **state)
{
	struct ipaddr a4_ = addr_of("10.1.0.2"), a6_ = addr_of("2001:db8:1::2");
	struct tool t;

	(void)state;
	chain6(2);
	assert_int_equal(ip_hosts_add("far", &a4_), 0);
	assert_int_equal(ip_hosts_add("far", &a6_), 0);
	assert_int_equal(ip_hosts_add("six", &a6_), 0);
	assert_int_equal(tool(&t, "n1", "ping -c 1 far"), 0);
	assert_non_null(strstr(t.out, "PING far (10.1.0.2): 56 data bytes\n"));
	assert_int_equal(tool(&t, "n1", "ping -6 -c 1 far"), 0);
	assert_non_null(strstr(t.out, "16 bytes from 2001:db8:1::2, "));
	assert_non_null(strstr(t.out, "--- far ping6 statistics ---"));
	assert_int_equal(tool(&t, "n1", "ping -c 1 six"), 0);
	assert_int_equal(tool(&t, "n1", "ping6 -H -c 1 far"), 0);
	assert_non_null(strstr(t.out, " --> far\n16 bytes from far, icmp_seq=0 "));
	ip_hosts_clear();
}

static void
test_requests_have_a_right_sum_and_the_asked_for_header(void **state)
{
	struct tool t;
	struct mbuf *m;

	(void)state;
	assert_int_equal(
	    tool(&t, NULL, "ping6 -c 2 -i 0.25 -h 7 -z 0xb8 -s 100 -x 10 2001:db8::2"), 2);
	for (unsigned i = 0; i < 2; i++) {
		m = sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, i);
		assert_non_null(m);
		assert_int_equal(from_be16(frame_icmp6(m)->echo.seq), i);
		assert_int_equal(frame_ip6(m)->hlim, 7);
		assert_int_equal(ip6_class(frame_ip6(m)), 0xb8);
		assert_int_equal(from_be16(frame_ip6(m)->plen), 108);
		assert_in6(&frame_ip6(m)->src, "2001:db8::1");
	}
	assert_null(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 2));
	/* who asks for a source gets it */
	assert_int_equal(tool(&t, NULL, "ping6 -c 1 -x 10 -S fe80::1%mem0 fe80::2%mem0"), 2);
	m = sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 2);
	assert_non_null(m);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "fe80::2");
	assert_int_equal(frame_ip6(m)->hlim, 64);
}

static void
test_an_interface_gives_a_link_address_its_zone(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping6 -c 1 -x 10 fe80::2"), 1);
	assert_string_equal(t.err, "ping6: UDP connect: No route to host\n");
	assert_int_equal(tool(&t, NULL, "ping6 -c 1 -x 10 -I mem0 fe80::2"), 2);
	assert_non_null(strstr(t.out, "PING6(56=40+8+8 bytes) fe80::1%mem0 --> fe80::2%mem0\n"));
	assert_non_null(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0));
	assert_int_equal(tool(&t, NULL, "ping6 -c 1 -I nope0 fe80::2"), 64);
	assert_string_equal(t.err, "ping6: invalid interface: `nope0'\n");
}

/* An echo reply to the request that went out last, from somebody. */
static void
answer_from(const char *src)
{
	struct mbuf *request = sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0);
	struct icmp6_hdr *icmp;
	struct mbuf *m;

	assert_non_null(request);
	m = message6(src, "fe80::1", ICMP6_ECHO_REPLY_, 0, 8);
	icmp = (void *)(m->data + IP6_HDRLEN);
	icmp->echo = frame_icmp6(request)->echo;
	memcpy(icmp + 1, frame_icmp6(request) + 1, 8);
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
}

static void
test_all_answers_of_a_group_are_shown_those_after_the_first_as_dups(void **state)
{
	struct tool t;

	(void)state;
	tool_start(&t, NULL, "ping6 -v -c 1 -X 3 ff02::1%mem0", false);
	sched_run(clock_now() + NS_PER_MS);
	assert_in6(&frame_ip6(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0))->dst, "ff02::1");
	assert_int_equal(frame_ip6(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0))->hlim, 1);
	/* -c 1 ends with the first answer; more requests wait for more */
	verb_cancel(t.run);
	memif_clear(&lan);
	tool_start(&t, NULL, "ping6 -v -c 2 -X 3 ff02::1%mem0", false);
	sched_run(clock_now() + NS_PER_MS);
	answer_from("fe80::2");
	answer_from("fe80::3");
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_non_null(strstr(t.out,
	    "16 bytes from fe80::2%mem0, icmp_seq=0 hlim=64 dst=fe80::1%mem0 time=1.000 ms"));
	assert_non_null(strstr(t.out,
	    "16 bytes from fe80::3%mem0, icmp_seq=0 hlim=64 dst=fe80::1%mem0 time=1.000 ms(DUP!)\n"));
	assert_non_null(strstr(t.out, " duplicates, "));
}

static void
test_a_member_of_the_group_hears_itself_unless_L(void **state)
{
	struct tool t;

	(void)state;
	chain6(2);
	command_in("n1", "ifconfig lo0 up");
	assert_int_equal(tool(&t, "n1", "ping6 -c 2 -X 3 ff02::1%epair1a"), 0);
	assert_non_null(strstr(t.out, "(DUP!)\n"));
	assert_int_equal(tool(&t, "n1", "ping -6 -L -c 2 -t 3 ff02::1%epair1a"), 0);
	assert_null(strstr(t.out, "DUP"));
	/* IPv4 is the same */
	assert_int_equal(tool(&t, "n1", "ping -c 2 -t 3 -I epair1a -L 224.0.0.1"), 2);
	command_in("n2", "sysctl net.inet.icmp.bmcastecho=1");
	assert_int_equal(tool(&t, "n1", "ping -c 2 -t 3 -I 10.1.0.1 -L 224.0.0.1"), 0);
	assert_non_null(strstr(t.out, "64 bytes from 10.1.0.2: icmp_seq=0 ttl="));
}

static void
test_errors_about_requests_are_explained(void **state)
{
	struct tool t;

	(void)state;
	chain6(4);
	assert_int_equal(tool(&t, "n1", "ping6 -c 1 -h 2 2001:db8:3::2"), 2);
	assert_non_null(strstr(t.out,
	    "64 bytes from 2001:db8:2::2: Time to live exceeded\n"
	    "Vr TC  Flow Plen Nxt Hlim\n"
	    " 6 00 00000 0010  3a   01\n"
	    "2001:db8:1::1->2001:db8:3::2\n\n"));
	command_in("n1", "route -6 add 2001:db8:99::/48 2001:db8:1::2");
	assert_int_equal(tool(&t, "n1", "ping6 -c 1 2001:db8:99::1"), 2);
	assert_non_null(strstr(t.out, " bytes from 2001:db8:1::2: No Route to Destination\n"));
	assert_int_equal(tool(&t, "n1", "ping6 -q -c 1 2001:db8:99::1"), 2);
	assert_null(strstr(t.out, "No Route"));
}

static void
test_the_largest_ping6_passes_a_chain(void **state)
{
	struct tool t;

	(void)state;
	chain6(3);
	assert_int_equal(tool(&t, "n1", "ping6 -c 1 -s 65527 2001:db8:2::2"), 0);
	assert_non_null(strstr(t.out, "PING6(65575=40+8+65527 bytes) "));
	assert_non_null(strstr(t.out, "65535 bytes from 2001:db8:2::2, icmp_seq=0 hlim=63 time="));
	assert_null(strstr(t.out, "wrong data"));
	assert_int_equal(tool(&t, "n1", "ping6 -c 1 -s 65528 2001:db8:2::2"), 64);
	assert_string_equal(t.err, "ping6: packet size too large: 65528 > 65527\n");
	assert_int_equal(tool(&t, "n1", "ping6 -D -c 1 -s 2000 2001:db8:2::2"), 2);
	assert_string_equal(t.err, "ping6: sendto: Message too long\n");
}

static void
test_own_addresses_answer(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig lo0 up");
	assert_int_equal(tool(&t, NULL, "ping6 -c 2 2001:db8::1"), 0);
	assert_int_equal(tool(&t, NULL, "ping6 -c 2 fe80::1%mem0"), 0);
	assert_int_equal(tool(&t, NULL, "ping6 -c 2 ::1"), 0);
	assert_null(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0));
}

static void
test_ping6_refuses_wrong_words_and_what_is_not_to_be_had(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping6"), 64);
	assert_int_equal(tool(&t, NULL, "ping6 -c 0 2001:db8::2"), 64);
	assert_int_equal(tool(&t, NULL, "ping6 -h 256 2001:db8::2"), 64);
	assert_int_equal(tool(&t, NULL, "ping6 -w 2001:db8::2"), 64);
	assert_string_equal(
	    t.err, "ping6: -w: node information queries (RFC 4620) are not offered\n");
	assert_int_equal(tool(&t, NULL, "ping6 -g 2001:db8::9 2001:db8::2"), 64);
	assert_int_equal(tool(&t, NULL, "ping6 2001:db8::9 2001:db8::2"), 64);
	assert_string_equal(
	    t.err, "ping6: 2001:db8::9: hops on the way: routing headers are no more (RFC 5095)\n");
	assert_int_equal(tool(&t, NULL, "ping -6 -R 2001:db8::2"), 64);
	assert_string_equal(t.err, "ping: -M and -R: IPv4 only\n");
	assert_int_equal(tool(&t, NULL, "ping -6 -L 2001:db8::2"), 64);
	assert_int_equal(tool(&t, NULL, "ping6 -S 2001:db8::99 2001:db8::2"), 71);
	assert_string_equal(t.err, "ping6: bind: Can't assign requested address\n");
	assert_int_equal(tool(&t, NULL, "ping6 no.such.host"), 68);
	assert_int_equal(tool(&t, NULL, "ping6 ::"), 68);
}

static void
test_an_interface_that_goes_ends_what_its_ping_sends(void **state)
{
	struct tool t;

	(void)state;
	chain6(2);
	tool_start(&t, "n1", "ping6 -c 3 -x 100 -I epair1a fe80::ff", false);
	sched_run(clock_now() + 1500 * NS_PER_MS);
	command_in("n1", "ifconfig epair1a destroy");
	tool_wait(&t);
	assert_int_equal(t.status, 2);
	assert_string_equal(t.err, "ping6: sendto: No such device or address\n");
}

static void
test_a_jail_pings_from_its_own_address_only(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig mem0 inet6 2001:db8::77/64 alias");
	settle6();
	command("jail -c name=j persist allow.raw_sockets ip6.addr=2001:db8::77 ip4=disable");
	assert_int_equal(tool(&t, "j", "ping6 -c 1 -x 10 2001:db8::2"), 2);
	assert_non_null(strstr(t.out, ") 2001:db8::77 --> 2001:db8::2\n"));
	assert_in6(&frame_ip6(sent_icmp6(&lan, ICMP6_ECHO_REQUEST_, 0))->src, "2001:db8::77");
	assert_int_equal(tool(&t, "j", "ping6 -c 1 -S 2001:db8::1 2001:db8::2"), 71);
	assert_int_equal(tool(&t, "j", "ping -c 1 10.0.0.2"), 71);
	command("jail -c name=k persist ip6.addr=2001:db8::77");
	assert_int_equal(tool(&t, "k", "ping6 -c 1 2001:db8::2"), 77);
}

static void
test_json_holds_the_same_facts(void **state)
{
	static struct tool t;

	(void)state;
	chain6(2);
	tool_start(&t, "n1", "ping6 -c 2 2001:db8:1::2", true);
	tool_wait(&t);
	assert_non_null(strstr(t.out, "\"source\":\"2001:db8:1::1\""));
	assert_non_null(strstr(t.out, "\"received\":2"));
	assert_non_null(strstr(t.out, "\"icmp_seq\":1"));
	assert_non_null(strstr(t.out, "\"hlim\":64"));
}

static void
test_the_engine_refuses_what_a_family_does_not_have(void **state)
{
	struct ping_config c = { .dst = addr_of("2001:db8::2"),
		.count = 1,
		.interval_ns = NS_PER_MS,
		.wait_ns = NS_PER_MS,
		.stop_ns = NS_NEVER,
		.size = 56 };
	struct ping *p;

	(void)state;
	c.kind = PING_MASK;
	assert_null(ping_new(&c, NULL, NULL, NULL));
	assert_int_equal(errno, EINVAL);
	c.kind = PING_ECHO;
	c.src = addr_of("10.0.0.1");
	assert_null(ping_new(&c, NULL, NULL, NULL));
	c.src = (struct ipaddr){ 0 };
	c.size = 65528;
	assert_null(ping_new(&c, NULL, NULL, NULL));
	c.size = 0;
	assert_non_null(p = ping_new(&c, NULL, NULL, NULL));
	sched_run(clock_now() + NS_PER_SEC);
	ping_free(p);
	c.dst.family = 99;
	assert_null(ping_new(&c, NULL, NULL, NULL));
	assert_int_equal(errno, EAFNOSUPPORT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_ping6_prints_what_freebsd_prints),
		INET6_TEST(test_a_name_with_both_families_is_ipv4_unless_asked),
		INET6_TEST(test_requests_have_a_right_sum_and_the_asked_for_header),
		INET6_TEST(test_an_interface_gives_a_link_address_its_zone),
		INET6_TEST(test_all_answers_of_a_group_are_shown_those_after_the_first_as_dups),
		INET6_TEST(test_a_member_of_the_group_hears_itself_unless_L),
		INET6_TEST(test_errors_about_requests_are_explained),
		INET6_TEST(test_the_largest_ping6_passes_a_chain),
		INET6_TEST(test_own_addresses_answer),
		INET6_TEST(test_ping6_refuses_wrong_words_and_what_is_not_to_be_had),
		INET6_TEST(test_an_interface_that_goes_ends_what_its_ping_sends),
		INET6_TEST(test_a_jail_pings_from_its_own_address_only),
		INET6_TEST(test_json_holds_the_same_facts),
		INET6_TEST(test_the_engine_refuses_what_a_family_does_not_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
