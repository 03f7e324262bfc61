/*
 * Unit tests of the MTUs of paths (inet6/ip6_pmtu.c): what is remembered, and who follows it.
 */
#include "inet6_fixture.h"

enum { PROTO = 253 };

static void
send6(const char *dst, uint32_t payload)
{
	struct in6 d = a6(dst);
	struct mbuf *m = m_get(payload);

	memset(m->data, 0, payload);
	assert_int_equal(ip6_output(m, &in6_any_, &d, PROTO, NULL), 0);
}

/* A router says that a packet of ours with so much payload was too big. */
static void
too_big(const char *dst, uint32_t payload, uint32_t mtu)
{
	struct mbuf *inner = packet6("2001:db8::1", dst, PROTO, payload);
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_PACKET_TOO_BIG_, 0, 1000);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	icmp->data = to_be32(mtu);
	memcpy(icmp + 1, inner->data, inner->len < 1000 ? inner->len : 1000);
	m_free(inner);
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
}

static uint32_t
known(const char *dst)
{
	struct in6 d = a6(dst);

	return ip6_pmtu(&d);
}

static bool
learn(const char *dst, uint32_t mtu)
{
	struct in6 d = a6(dst);

	return ip6_pmtu_learn(&d, mtu);
}

static void
test_packets_follow_what_a_router_said_of_the_path(void **state)
{
	(void)state;
	command("route -6 add default 2001:db8::2");
	send6("2001:db8:5::1", 1400);
	assert_int_equal(lan.sent.len, 1);
	too_big("2001:db8:5::1", 1400, 1400);
	assert_int_equal(known("2001:db8:5::1"), 1400);
	assert_int_equal(V_icmp6stat.pmtuchg, 1);
	memif_clear(&lan);
	send6("2001:db8:5::1", 1400);
	assert_int_equal(lan.sent.len, 2);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next)
		assert_true(m->len <= 1400 + ETHER_HDR_LEN_);
	/* others' paths are others */
	send6("2001:db8:5::2", 1400);
	assert_int_equal(lan.sent.len, 3);
}

static void
test_a_message_only_lowers_and_not_below_1280(void **state)
{
	(void)state;
	assert_false(learn("2001:db8:5::1", 1279));
	assert_int_equal(known("2001:db8:5::1"), 0);
	assert_true(learn("2001:db8:5::1", 1400));
	assert_false(learn("2001:db8:5::1", 1450));
	assert_int_equal(known("2001:db8:5::1"), 1400);
	assert_true(learn("2001:db8:5::1", 1280));
	assert_int_equal(known("2001:db8:5::1"), 1280);
	/* on the link no router stands in the way */
	assert_false(learn("fe80::2%mem0", 1300));
}

static void
test_lies_are_not_believed(void **state)
{
	(void)state;
	too_big("2001:db8:5::1", 1400, 1200); /* no link may be so small */
	too_big("2001:db8:5::1", 1000, 1300); /* it was not too big */
	assert_int_equal(known("2001:db8:5::1"), 0);
	assert_int_equal(V_icmp6stat.pmtuchg, 0);
}

static void
test_a_path_is_tried_anew_after_ten_minutes(void **state)
{
	(void)state;
	assert_true(learn("2001:db8:5::1", 1400));
	sched_run(clock_now() + 300 * NS_PER_SEC);
	assert_true(learn("2001:db8:5::2", 1300));
	assert_true(learn("2001:db8:5::1", 1350)); /* news: ten minutes from now */
	sched_run(clock_now() + 599 * NS_PER_SEC);
	assert_int_equal(known("2001:db8:5::1"), 1350);
	assert_int_equal(known("2001:db8:5::2"), 1300);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_int_equal(known("2001:db8:5::1"), 0);
	assert_int_equal(known("2001:db8:5::2"), 0);
}

static void
test_paths_are_bounded_and_the_oldest_makes_room(void **state)
{
	char text[64];

	(void)state;
	command("sysctl net.inet6.ip6.pmtu_max=100");
	for (unsigned i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "2001:db8:5::%x", i + 1);
		assert_true(learn(text, 1300 + i % 100));
	}
	for (unsigned i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "2001:db8:5::%x", i + 1);
		assert_int_equal(known(text), i < 150 ? 0 : 1300 + i % 100);
	}
	command("sysctl net.inet6.ip6.pmtu_max=0");
	assert_false(learn("2001:db8:6::1", 1300));
}

static void
test_show_lists_what_is_known(void **state)
{
	static struct tool t;

	(void)state;
	learn("2001:db8:5::1", 1400);
	sched_run(clock_now() + 100 * NS_PER_SEC);
	assert_int_equal(tool(&t, NULL, "show pmtu"), 0);
	assert_string_equal(t.out,
	    "Destination                                Mtu Expire\n"
	    "2001:db8:5::1                             1400    500\n");
	tool_start(&t, NULL, "show pmtu", true);
	assert_non_null(strstr(t.out, "\"mtu\":1400"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_packets_follow_what_a_router_said_of_the_path),
		INET6_TEST(test_a_message_only_lowers_and_not_below_1280),
		INET6_TEST(test_lies_are_not_believed),
		INET6_TEST(test_a_path_is_tried_anew_after_ten_minutes),
		INET6_TEST(test_paths_are_bounded_and_the_oldest_makes_room),
		INET6_TEST(test_show_lists_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
