/*
 * Tests of inet/igmp.c: IPv4's messages about groups, out byte for byte and in with all that can be
 * wrong with them. When they are sent is tested in test_multicast_report.c.
 */
#include "igmp_fixture.h"

/* --- out -------------------------------------------------------------------------------------- */

static void
test_a_join_is_said_byte_for_byte(void **state)
{
	static const uint8_t expected[] = { 0x01, 0, 0x5e, 0, 0, 0x16, 2, 0, 0, 0, 1, 1, 0x08, 0,
		/* IP: 40 bytes, ttl 1, router alert */
		0x46, 0xc0, 0, 40, 0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, 224, 0, 0, 22, 0x94, 4, 0,
		0,
		/* IGMP: report of one record, to EXCLUDE {} */
		0x22, 0, 0xe8, 0xf9, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3 };
	struct mcast_member *mm = join("239.1.2.3");
	struct mbuf *m = sent_one_of(1);

	(void)state;
	assert_int_equal(m->len, sizeof(expected));
	/* the identification and with it the sum count up */
	memset(m->data + 14 + 4, 0, 2);
	memset(m->data + 14 + 10, 0, 2);
	assert_memory_equal(m->data, expected, sizeof(expected));
	mcast_leave(mm);
}

static void
test_the_router_alert_can_be_left_out(void **state)
{
	struct mcast_member *mm;

	(void)state;
	command("sysctl net.inet.igmp.sendra=0");
	mm = join("239.1.1.1");
	assert_int_equal(frame_ip(sent_one_of(1))->vhl, 0x45);
	mcast_leave(mm);
}

static void
test_without_an_address_reports_come_from_nowhere(void **state)
{
	struct mcast_member *mm;
	size_t len;

	(void)state;
	command("ifconfig mem0 inet 10.0.0.1 -alias");
	mm = join("239.1.1.1");
	(void)message(sent_one_of(1), &len);
	assert_int_equal(frame_ip(sent_one_of(1))->src, 0);
	mcast_leave(mm);
}

static void
test_local_groups_are_reported_if_wished_and_all_hosts_never(void **state)
{
	struct mcast_member *mm = join("224.0.0.5");

	(void)state;
	said("TO_EX 224.0.0.5 {}");
	quiet();
	query3("0.0.0.0", "", 1, 2, 125);
	pass(NS_PER_SEC);
	said("IS_EX 224.0.0.5 {}");
	command("sysctl net.inet.igmp.sendlocal=0");
	query3("0.0.0.0", "", 1, 2, 125);
	pass(NS_PER_SEC);
	silence();
	mcast_leave(mm);
	silence();
	command("sysctl net.inet.igmp.sendlocal=1");
	query3("224.0.0.1", "", 1, 2, 125);
	pass(NS_PER_SEC);
	silence();
}

/* --- in --------------------------------------------------------------------------------------- */

/* Codes from 128 on are a mantissa and an exponent: 0x8f is 31 << 3 tenths. */
static void
test_long_response_times_are_decoded(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	uint64_t latest = 0;

	(void)state;
	quiet();
	for (int i = 0; i < 40; i++) {
		uint64_t start = clock_now(), when;

		query3("0.0.0.0", "", 0x8f, 2, 125);
		pass(60 * NS_PER_SEC);
		when = said("IS_EX 239.1.1.1 {}") - start;
		assert_in_range(when, 1, 24800 * NS_PER_MS);
		latest = when > latest ? when : latest;
	}
	assert_true(latest > 20 * NS_PER_SEC);
	mcast_leave(mm);
}

/* The query's destination is the group, its source none that is included. */
static void
test_queries_pass_the_source_filter(void **state)
{
	struct mcast_member *mm = join_from("232.1.1.1", "10.0.0.5");

	(void)state;
	quiet();
	query3("232.1.1.1", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_IN 232.1.1.1 {10.0.0.5}");
	mcast_leave(mm);
}

static void
test_every_bad_message_is_a_named_drop(void **state)
{
	static const uint8_t general3[12] = { 0x11, 10, [8] = 2, 125 };
	static const struct {
		const char *drop;
		uint32_t len;
		uint8_t ttl, how;
		uint8_t bytes[16];
	} bad[] = {
		{ "igmp.tooshort", 7, 1, 0, { 0x11, 10 } },
		{ "igmp.badsum", 8, 1, BAD_SUM, { 0x11, 10 } },
		{ "igmp.badttl", 8, 2, 0, { 0x11, 10 } },
		{ "igmp.badquery", 9, 1, 0, { 0x11, 10 } },
		{ "igmp.badquery", 11, 1, 0, { 0x11, 10 } },
		{ "igmp.badquery", 8, 1, 0, { 0x11, 10, 0, 0, 10, 0, 0, 1 } },
		{ "igmp.badquery", 16, 1, 0, { 0x11, 10, [11] = 1 } },
		{ "igmp.tooshort", 15, 1, 0, { 0x11, 10, 0, 0, 239, 1, 1, 1, [11] = 1 } },
		{ "igmp.nora", 8, 1, NO_ALERT, { 0x11, 10 } },
		{ "igmp.nora", 12, 1, NO_ALERT, { 0x11, 10, [8] = 2 } },
		{ "igmp.badreport", 8, 1, 0, { 0x16, 0, 0, 0, 239, 1, 1, 1 } },
		{ "igmp.badreport", 8, 1, 0, { 0x16, 0, 0, 0, 10, 0, 0, 9 } },
	};
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = drops(bad[i].drop);

		hear("10.0.0.9", "224.0.0.1", bad[i].ttl, bad[i].how, bad[i].bytes, bad[i].len);
		assert_int_equal(drops(bad[i].drop), before + 1);
	}
	pass(60 * NS_PER_SEC);
	silence();
	/* reports of version 3, leaves and what nobody knows are for others */
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x22\0\0\0\0\0\0\0", 8);
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x17\0\0\0\xef\1\1\1", 8);
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x99\0\0\0\0\0\0\0", 8);
	silence();
	/* a query by unicast counts (RFC 3376 4.1.12) */
	hear("10.0.0.9", "10.0.0.1", 1, 0, general3, 12);
	pass(10 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	mcast_leave(mm);
}

static void
test_netstat_tells_what_was_said_and_heard(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	static struct tool t;

	(void)state;
	query3("0.0.0.0", "", 10, 2, 125);
	query3("239.1.1.1", "", 10, 2, 125);
	query3("239.1.1.1", "10.0.0.5", 10, 2, 125);
	hear("10.0.0.9", "224.0.0.1", 2, 0, "\x11\1\0\0\0\0\0\0", 8);
	assert_int_equal(tool(&t, NULL, "netstat -ss -p igmp"), 0);
	assert_string_equal(t.out,
	    "igmp:\n"
	    "\t4 messages received\n"
	    "\t1 message received with wrong TTL\n"
	    "\t3 V3 membership queries received\n"
	    "\t1 general query received\n"
	    "\t1 group query received\n"
	    "\t1 group-source query received\n"
	    "\t1 membership report sent\n");
	mcast_leave(mm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_a_join_is_said_byte_for_byte),
		INET_TEST(test_the_router_alert_can_be_left_out),
		INET_TEST(test_without_an_address_reports_come_from_nowhere),
		INET_TEST(test_local_groups_are_reported_if_wished_and_all_hosts_never),
		INET_TEST(test_long_response_times_are_decoded),
		INET_TEST(test_queries_pass_the_source_filter),
		INET_TEST(test_every_bad_message_is_a_named_drop),
		INET_TEST(test_netstat_tells_what_was_said_and_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
