/*
 * Unit tests of ping: the engine (inet/ping.c) and the tool (inet/ping_cmd.c, inet/ping_lines.c).
 */
#include "inet_fixture.h"

#include "inet/ping.h"

static void
test_ping_prints_what_freebsd_prints(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	assert_int_equal(tool(&t, "n1", "ping -c 3 10.2.0.2"), 0);
	assert_string_equal(t.out,
	    "PING 10.2.0.2 (10.2.0.2): 56 data bytes\n"
	    "64 bytes from 10.2.0.2: icmp_seq=0 ttl=63 time=0.000 ms\n"
	    "64 bytes from 10.2.0.2: icmp_seq=1 ttl=63 time=0.000 ms\n"
	    "64 bytes from 10.2.0.2: icmp_seq=2 ttl=63 time=0.000 ms\n"
	    "\n--- 10.2.0.2 ping statistics ---\n"
	    "3 packets transmitted, 3 packets received, 0.0% packet loss\n"
	    "round-trip min/avg/max/stddev = 0.000/0.000/0.000/0.000 ms\n");
	assert_string_equal(t.err, "");
}

static void
test_ping_ends_with_2_when_nobody_answers(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping -c 2 -W 100 10.0.0.2"), 2);
	assert_string_equal(t.out,
	    "PING 10.0.0.2 (10.0.0.2): 56 data bytes\n"
	    "\n--- 10.0.0.2 ping statistics ---\n"
	    "2 packets transmitted, 0 packets received, 100.0% packet loss\n");
	assert_int_equal(lan.sent.len, 2);
}

static void
test_ping_prints_errors_about_its_requests(void **state)
{
	struct tool t;

	(void)state;
	chain(4);
	assert_int_equal(tool(&t, "n1", "ping -c 1 -m 2 10.3.0.2"), 2);
	assert_non_null(strstr(t.out,
	    "36 bytes from 10.2.0.2: Time to live exceeded\n"
	    "Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst\n 4  5  00 0054 "));
	assert_non_null(strstr(t.out, " 10.1.0.1  10.3.0.2 \n\n"));
	assert_int_equal(tool(&t, "n1", "ping -q -c 1 -m 2 10.3.0.2"), 2);
	assert_null(strstr(t.out, "exceeded"));
}

static void
test_ping_says_why_a_request_cannot_be_sent(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping -c 2 -W 10 99.0.0.1"), 2);
	assert_string_equal(
	    t.err, "ping: sendto: No route to host\nping: sendto: No route to host\n");
	assert_non_null(
	    strstr(t.out, "2 packets transmitted, 0 packets received, 100.0% packet loss\n"));
	assert_int_equal(tool(&t, NULL, "ping -c 1 -W 10 -D -s 2000 10.0.0.2"), 2);
	assert_string_equal(t.err, "ping: sendto: Message too long\n");
}

static void
test_ping_refuses_wrong_words_with_sysexits(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping"), 64);
	assert_int_equal(tool(&t, NULL, "ping -c 0 10.0.0.2"), 64);
	assert_string_equal(t.err, "ping: invalid count of packets to transmit: `0'\n");
	assert_int_equal(tool(&t, NULL, "ping -s 65508 10.0.0.2"), 64);
	assert_string_equal(t.err, "ping: packet size too large: 65508 > 65507\n");
	assert_int_equal(tool(&t, NULL, "ping -i x 10.0.0.2"), 64);
	assert_int_equal(tool(&t, NULL, "ping -m 256 10.0.0.2"), 64);
	assert_int_equal(tool(&t, NULL, "ping -p zz 10.0.0.2"), 64);
	assert_int_equal(tool(&t, NULL, "ping -f -i 1 10.0.0.2"), 64);
	assert_int_equal(tool(&t, NULL, "ping -c 1 no.such.host"), 68);
	assert_string_equal(t.err, "ping: cannot resolve no.such.host: Unknown host\n");
	assert_int_equal(tool(&t, NULL, "ping -c 1 -S 10.0.0.99 10.0.0.2"), 71);
}

static void
test_the_largest_ping_passes_a_chain(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	command_in("n2", "sysctl net.inet.ip.forwarding=1");
	assert_int_equal(tool(&t, "n1", "ping -c 1 -s 65507 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, "65515 bytes from 10.2.0.2: icmp_seq=0 ttl=63 time="));
}

static void
test_own_addresses_answer(void **state)
{
	struct tool t;

	(void)state;
	command("ifconfig lo0 up");
	assert_int_equal(tool(&t, NULL, "ping -c 2 10.0.0.1"), 0);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_interval_and_count_are_kept_exactly(void **state)
{
	struct tool t;
	uint64_t first = 0, i = 0;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping -c 50 -i 0.0003 -W 5 10.0.0.2"), 2);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next, i++) {
		if (i == 0)
			first = m->when_ns;
		assert_int_equal(m->when_ns, first + i * 300000);
		assert_int_equal(from_be16(frame_icmp(m)->echo.seq), i);
	}
	assert_int_equal(i, 50);
}

static void
test_a_flood_follows_its_replies(void **state)
{
	struct tool t;
	uint64_t begin;

	(void)state;
	chain(2);
	begin = clock_now();
	assert_int_equal(tool(&t, "n1", "ping -f -c 1000 10.1.0.2"), 0);
	assert_non_null(
	    strstr(t.out, "1000 packets transmitted, 1000 packets received, 0.0% packet loss"));
	assert_true(clock_now() - begin < NS_PER_SEC);
	assert_non_null(strstr(t.out, ".\b.\b"));
}

static void
test_minus_o_ends_with_the_first_reply(void **state)
{
	struct tool t;

	(void)state;
	chain(2);
	assert_int_equal(tool(&t, "n1", "ping -o 10.1.0.2"), 0);
	assert_non_null(
	    strstr(t.out, "1 packets transmitted, 1 packets received, 0.0% packet loss"));
}

static void
test_minus_t_ends_after_its_time(void **state)
{
	struct tool t;
	uint64_t begin = clock_now();

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping -t 3 10.0.0.2"), 2);
	assert_in_range(clock_now() - begin, 3 * NS_PER_SEC, 3 * NS_PER_SEC + 2 * NS_PER_MS);
}

static void
test_cancel_prints_the_statistics(void **state)
{
	struct tool t;

	(void)state;
	chain(2);
	tool_start(&t, "n1", "ping 10.1.0.2", false);
	sched_run(clock_now() + 2500 * NS_PER_MS);
	assert_false(t.done);
	verb_cancel(t.run);
	assert_true(t.done);
	assert_int_equal(t.status, 0);
	assert_non_null(
	    strstr(t.out, "3 packets transmitted, 3 packets received, 0.0% packet loss"));
}

static void
test_a_stack_that_ends_cancels_its_ping(void **state)
{
	struct tool t;

	(void)state;
	chain(2);
	tool_start(&t, "n1", "ping 10.1.0.2", false);
	sched_run(clock_now() + 500 * NS_PER_MS);
	command("jail -r n1");
	assert_true(t.done);
}

static void
test_patterns_sweeps_routes_and_timestamps(void **state)
{
	struct tool t;

	(void)state;
	chain(3);
	assert_int_equal(tool(&t, "n1", "ping -c 1 -p ff00a 10.2.0.2"), 0);
	assert_null(strstr(t.out, "wrong data"));
	assert_int_equal(tool(&t, "n1", "ping -i 0.01 -g 10 -G 30 -h 10 10.2.0.2"), 0);
	assert_non_null(
	    strstr(t.out, "PING 10.2.0.2 (10.2.0.2): (10 ... 30) data bytes\n18 bytes from "));
	assert_non_null(strstr(t.out, "\n28 bytes from "));
	assert_non_null(strstr(t.out, "\n38 bytes from "));
	assert_non_null(strstr(t.out, "\n3 packets transmitted, 3 packets received"));
	assert_int_equal(tool(&t, "n1", "ping -R -c 2 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, "\nRR: \t10.2.0.1\n\t10.2.0.2\n\t10.1.0.2\n"));
	assert_non_null(strstr(t.out, "\t(same route)\n"));
	assert_int_equal(tool(&t, "n1", "ping -M time -c 1 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, " tso=00:00:0"));
	/* too small to carry the time of sending */
	assert_int_equal(tool(&t, "n1", "ping -s 4 -c 1 10.2.0.2"), 0);
	assert_non_null(strstr(t.out, "12 bytes from 10.2.0.2: icmp_seq=0 ttl=63\n"));
	assert_null(strstr(t.out, "round-trip"));
}

static void
test_the_mask_of_an_interface_is_asked_for(void **state)
{
	struct tool t;

	(void)state;
	chain(2);
	command_in("n2", "sysctl net.inet.icmp.maskrepl=1");
	assert_int_equal(tool(&t, "n1", "ping -M mask -c 1 10.1.0.2"), 0);
	assert_non_null(strstr(t.out, "68 bytes from 10.1.0.2: icmp_seq=0 ttl=64 time=0.000 ms"));
	assert_non_null(strstr(t.out, " mask=255.255.255.0\n"));
}

static void
test_an_interface_is_for_groups_only(void **state)
{
	struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ping -c 1 -I mem0 10.0.0.2"), 64);
	assert_string_equal(
	    t.err, "ping: -I, -L, -T flags cannot be used with unicast destination\n");
	assert_int_equal(tool(&t, NULL, "ping -c 1 -T 4 10.0.0.2"), 64);
	assert_int_equal(tool(&t, NULL, "ping -c 1 -I nope0 224.0.0.1"), 64);
	assert_string_equal(t.err, "ping: invalid interface: `nope0'\n");
	assert_int_equal(tool(&t, NULL, "ping -P in -c 1 10.0.0.2"), 64);
	assert_string_equal(t.err, "ping: -P in: there is no IPsec here\n");
	assert_int_equal(tool(&t, NULL, "ping -L -T 4 -c 1 -W 10 -I mem0 224.0.0.5"), 2);
	assert_int_equal(frame_ip(sent_one_of(1))->dst, a4("224.0.0.5"));
	assert_int_equal(frame_ip(sent_one_of(1))->ttl, 4);
}

static void
test_json_holds_the_same_facts(void **state)
{
	static struct tool t;

	(void)state;
	chain(2);
	tool_start(&t, "n1", "ping -c 2 10.1.0.2", true);
	tool_wait(&t);
	assert_non_null(strstr(t.out, "\"transmitted\":2"));
	assert_non_null(strstr(t.out, "\"received\":2"));
	assert_non_null(strstr(t.out, "\"icmp_seq\":1"));
	assert_int_equal(t.out[0], '{');
	assert_int_equal(t.out[t.out_len - 2], '}');
}

static unsigned replies, dones;

static void
count_reply(void *ctx, const struct ping_reply *r)
{
	(void)ctx;
	(void)r;
	replies++;
}

static void
count_done(void *ctx)
{
	dones++;
	ping_free(*(struct ping **)ctx);
}

static void
test_the_engine_may_be_freed_when_it_is_done(void **state)
{
	struct ping_config c = { .dst = addr_of("10.0.0.1"),
		.count = 5,
		.interval_ns = NS_PER_MS,
		.wait_ns = NS_PER_SEC,
		.stop_ns = NS_NEVER,
		.size = 56 };
	struct ping *p;

	(void)state;
	replies = dones = 0;
	command("ifconfig lo0 up");
	p = ping_new(&c, count_reply, count_done, &p);
	assert_non_null(p);
	sched_run(NS_NEVER);
	assert_int_equal(replies, 5);
	assert_int_equal(dones, 1);
	/* nothing to send at all */
	c.stop_ns = clock_now();
	p = ping_new(&c, count_reply, count_done, &p);
	sched_run(NS_NEVER);
	assert_int_equal(dones, 2);
	c.interval_ns = 0;
	assert_null(ping_new(&c, NULL, NULL, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_ping_prints_what_freebsd_prints),
		INET_TEST(test_ping_ends_with_2_when_nobody_answers),
		INET_TEST(test_ping_prints_errors_about_its_requests),
		INET_TEST(test_ping_says_why_a_request_cannot_be_sent),
		INET_TEST(test_ping_refuses_wrong_words_with_sysexits),
		INET_TEST(test_the_largest_ping_passes_a_chain),
		INET_TEST(test_own_addresses_answer),
		INET_TEST(test_interval_and_count_are_kept_exactly),
		INET_TEST(test_a_flood_follows_its_replies),
		INET_TEST(test_minus_o_ends_with_the_first_reply),
		INET_TEST(test_minus_t_ends_after_its_time),
		INET_TEST(test_cancel_prints_the_statistics),
		INET_TEST(test_a_stack_that_ends_cancels_its_ping),
		INET_TEST(test_patterns_sweeps_routes_and_timestamps),
		INET_TEST(test_the_mask_of_an_interface_is_asked_for),
		INET_TEST(test_an_interface_is_for_groups_only),
		INET_TEST(test_json_holds_the_same_facts),
		INET_TEST(test_the_engine_may_be_freed_when_it_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
