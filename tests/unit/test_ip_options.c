/*
 * Unit tests of IP options in received packets (inet/ip_options.c).
 */
#include "inet_fixture.h"

/* A packet from 10.0.0.2 with these options (a multiple of four bytes). */
static struct mbuf *
with_options(const char *dst, const uint8_t *options, unsigned len)
{
	struct mbuf *m = packet(a4("10.0.0.2"), a4(dst), 200, len + 16);

	memcpy(m->data + 20, options, len);
	m->data[0] = (uint8_t)(0x40 | (20 + len) / 4);
	resum(m);
	return m;
}

static void
test_record_route_notes_our_address(void **state)
{
	const uint8_t rr[12] = { 7, 11, 4 };
	struct mbuf *m = with_options("10.0.0.1", rr, sizeof(rr));

	(void)state;
	assert_int_equal(ip_options_input(m, true), 0);
	assert_int_equal(m->data[22], 8);
	assert_int_equal(load32(m->data + 23), a4("10.0.0.1"));
	assert_int_equal(ip_cksum(mtod(m, struct ip_hdr *)), 0);
	assert_int_equal(ip_options_input(m, true), 0);
	assert_int_equal(ip_options_input(m, true), 0); /* full: passed on as it is */
	assert_int_equal(m->data[22], 12);
	m_free(m);
}

static void
test_timestamps_are_milliseconds_of_the_day(void **state)
{
	const uint8_t only[8] = { 68, 8, 5, 0 }, both[12] = { 68, 12, 5, 1 };
	struct mbuf *m = with_options("10.0.0.1", only, sizeof(only));

	(void)state;
	sched_run(1500 * NS_PER_MS);
	assert_int_equal(ip_options_input(m, true), 0);
	assert_int_equal(m->data[22], 9);
	assert_int_equal(__builtin_bswap32(load32(m->data + 24)), 1500);
	assert_int_equal(ip_options_input(m, true), 0);
	assert_int_equal(m->data[23], 0x10); /* one could not register */
	m_free(m);

	m = with_options("10.0.0.1", both, sizeof(both));
	assert_int_equal(ip_options_input(m, true), 0);
	assert_int_equal(load32(m->data + 24), a4("10.0.0.1"));
	assert_int_equal(__builtin_bswap32(load32(m->data + 28)), 1500);
	assert_int_equal(ip_cksum(mtod(m, struct ip_hdr *)), 0);
	m_free(m);
}

static void
test_a_malformed_option_is_answered_with_the_place_of_the_fault(void **state)
{
	static const struct {
		uint8_t option[8];
		uint8_t at;
	} bad[] = {
		{ { 1, 1, 7, 0 }, 23 }, /* length 0 */
		{ { 1, 1, 7, 1 }, 23 },
		{ { 7, 9, 4, 0 }, 21 },          /* longer than the header */
		{ { 1, 1, 1, 7 }, 23 },          /* no length at all */
		{ { 7, 7, 3, 0, 0, 0, 0 }, 22 }, /* pointer into the option's head */
		{ { 7, 7, 5, 0, 0, 0, 0 }, 22 }, /* half a slot */
		{ { 7, 2, 0, 0 }, 21 },
		{ { 68, 8, 4, 0 }, 22 },
		{ { 68, 8, 5, 7 }, 23 },    /* no such flag */
		{ { 68, 8, 9, 0xf0 }, 23 }, /* overflow of the overflow */
		{ { 131, 3, 1, 0 }, 22 },
		{ { 148, 3, 0, 0 }, 21 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned len = i == 0 || i == 1 || i == 3 || i == 6 || i >= 10 ? 4 : 8;
		struct mbuf *m = with_options("10.0.0.1", bad[i].option, len);
		struct icmp_hdr *icmp;

		assert_int_not_equal(ip_options_input(m, true), 0);
		icmp = frame_icmp(sent_one_of(1));
		assert_int_equal(icmp->type, ICMP_PARAMPROB_);
		assert_int_equal(icmp->param.pointer, bad[i].at);
		memif_clear(&lan);
	}
	assert_int_equal(drops("ip.badoptions"), sizeof(bad) / sizeof(bad[0]));
}

static void
test_unknown_options_and_router_alert_are_passed_over(void **state)
{
	const uint8_t options[12] = { 200, 4, 9, 9, 148, 4, 0, 0, 1, 0, 7, 0 };
	struct mbuf *m = with_options("10.0.0.1", options, sizeof(options));

	(void)state;
	assert_int_equal(ip_options_input(m, true), 0);
	assert_memory_equal(m->data + 20, options, sizeof(options));
	m_free(m);
}

static void
test_source_routes_are_refused_unless_allowed(void **state)
{
	const uint8_t lsrr[8] = { 131, 7, 4, 10, 0, 0, 2, 0 },
		      ended[8] = { 131, 7, 8, 10, 0, 0, 2, 0 };
	const uint8_t ssrr[8] = { 137, 7, 4, 10, 0, 0, 2, 0 };

	(void)state;
	/* a host drops silently */
	assert_int_not_equal(ip_options_input(with_options("10.0.0.1", lsrr, 8), true), 0);
	assert_int_not_equal(ip_options_input(with_options("10.0.0.1", ended, 8), true), 0);
	assert_int_equal(lan.sent.len, 0);
	/* a router says so */
	command("sysctl net.inet.ip.forwarding=1");
	assert_int_not_equal(ip_options_input(with_options("10.0.0.1", lsrr, 8), true), 0);
	assert_int_equal(frame_icmp(sent_one_of(1))->code, ICMP_UNREACH_SRCFAIL_);
	/* a strict route that leads past us */
	assert_int_not_equal(ip_options_input(with_options("10.9.0.1", ssrr, 8), false), 0);
	assert_int_equal(frame_icmp(sent_one_of(2))->code, ICMP_UNREACH_SRCFAIL_);
	assert_int_equal(drops("ip.srcroute"), 4);
	/* a loose one that is not our turn passes */
	struct mbuf *m = with_options("10.9.0.1", lsrr, 8);

	assert_int_equal(ip_options_input(m, false), 0);
	m_free(m);
	command("sysctl net.inet.ip.accept_sourceroute=1");
	m = with_options("10.0.0.1", ended, 8);
	assert_int_equal(ip_options_input(m, true), 0);
	m_free(m);
}

static void
test_an_allowed_source_route_takes_its_next_step(void **state)
{
	const uint8_t ssrr[8] = { 137, 7, 4, 10, 7, 0, 9, 0 };
	struct memif wan;
	struct mbuf *m;

	(void)state;
	memif_open(&wan, 1);
	command("ifconfig mem1 inet 10.7.0.1/24");
	neighbour(&wan, "10.7.0.9");
	memif_clear(&wan);
	command("sysctl net.inet.ip.forwarding=1");
	command("sysctl net.inet.ip.sourceroute=1");
	m = with_options("10.0.0.1", ssrr, 8);
	assert_int_not_equal(ip_options_input(m, true), 0);
	assert_int_equal(wan.sent.len, 0);
	netisr_run();
	assert_int_equal(wan.sent.len, 1);
	m = wan.sent.head;
	assert_int_equal(frame_ip(m)->dst, a4("10.7.0.9"));
	assert_int_equal(load32((uint8_t *)frame_ip(m) + 23), a4("10.7.0.1"));
	assert_int_equal(((uint8_t *)frame_ip(m))[22], 8);
	assert_int_equal(ip_cksum(frame_ip(m)), 0);
	assert_int_equal(frame_ip(m)->ttl, 63);
	memif_close(&wan);
}

static void
test_options_can_be_ignored_or_refused_altogether(void **state)
{
	const uint8_t bad[4] = { 7, 0, 0, 0 };
	struct mbuf *m = with_options("10.0.0.1", bad, 4);

	(void)state;
	command("sysctl net.inet.ip.process_options=0");
	assert_int_equal(ip_options_input(m, true), 0);
	command("sysctl net.inet.ip.process_options=2");
	assert_int_not_equal(ip_options_input(m, true), 0);
	assert_int_equal(frame_icmp(sent_one_of(1))->code, ICMP_UNREACH_FILTER_PROHIB_);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_record_route_notes_our_address),
		INET_TEST(test_timestamps_are_milliseconds_of_the_day),
		INET_TEST(test_a_malformed_option_is_answered_with_the_place_of_the_fault),
		INET_TEST(test_unknown_options_and_router_alert_are_passed_over),
		INET_TEST(test_source_routes_are_refused_unless_allowed),
		INET_TEST(test_an_allowed_source_route_takes_its_next_step),
		INET_TEST(test_options_can_be_ignored_or_refused_altogether),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
