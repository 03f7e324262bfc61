/*
 * Conformance of a router that advertises, seen from outside: RFC 4861 section 6.2. The rows of
 * docs/ipv6-conformance.md name these tests.
 */
#include "nd6_frames.h"

#include "inet6/rtadvd.h"
#include "net/if_multi.h"

#define HOST "fe80::9"

static const struct rtadv_config config = {
	.max_ns = 600 * NS_PER_SEC,
	.min_ns = 200 * NS_PER_SEC,
	.lifetime_s = 1800,
	.hlim = 64,
	.reachable_ms = 15000,
	.retrans_ms = 2000,
	.mtu = 1400,
	.managed = true,
	.other = true,
	.own_prefixes = true,
};

/* The stack forwards and lan advertises; what it said first is over. */
static void
advertising(void)
{
	router6();
	assert_int_equal(rtadvd_start(lan.ifp, &config), 0);
	pass_ms(60000);
	memif_clear(&lan);
}

static struct mbuf *
router_solicit(const char *src, const uint8_t *mac)
{
	struct mbuf *m = nd_message(src, "ff02::2", ND_ROUTER_SOLICIT_, 0, 0);

	return mac != NULL ? with_lladdr(m, ND_OPT_SOURCE_LL, mac) : m;
}

static struct mbuf *
sent_ra(unsigned n)
{
	return sent_icmp6(&lan, ND_ROUTER_ADVERT_, n);
}

static uint16_t
lifetime_of(const struct mbuf *m)
{
	return (uint16_t)from_be32(frame_icmp6(m)->data);
}

static void
test_an_advertisement_says_all_that_is_configured(void **state)
{
	const struct icmp6_hdr *icmp;
	const uint8_t *option;
	const struct mbuf *m;

	(void)state;
	router6();
	assert_int_equal(rtadvd_start(lan.ifp, &config), 0);
	pass_ms(1000);
	m = sent_ra(0);
	assert_non_null(m);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "ff02::1");
	icmp = frame_icmp6(m);
	assert_int_equal(icmp->bytes[0], 64);
	assert_int_equal(icmp->bytes[1] & 0xc0, 0xc0); /* M, O */
	assert_int_equal(lifetime_of(m), 1800);
	assert_int_equal(from_be32(*(const be32 *)(const void *)(icmp + 1)), 15000);
	assert_int_equal(from_be32(*((const be32 *)(const void *)(icmp + 1) + 1)), 2000);
	option = frame_option(m, 16, ND_OPT_SOURCE_LL);
	assert_memory_equal(option + 2, lan.ifp->if_lladdr, 6);
	option = frame_option(m, 16, ND_OPT_MTU);
	assert_int_equal(from_be32(*(const be32 *)(const void *)(option + 4)), 1400);
	option = frame_option(m, 16, ND_OPT_PREFIX);
	assert_int_equal(option[2], 64);
	assert_int_equal(option[3], PI_L | PI_A);
	assert_memory_equal(option + 16, wire6("2001:db8::").b, 16);
}

static void
test_the_link_local_prefix_is_not_advertised(void **state)
{
	const struct mbuf *m;
	const uint8_t *p;

	(void)state;
	router6();
	assert_int_equal(rtadvd_start(lan.ifp, &config), 0);
	pass_ms(1000);
	m = sent_ra(0);
	p = (const uint8_t *)frame_icmp6(m) + 16;
	for (; p < m->data + m->len; p += p[1] * 8)
		assert_false(p[0] == ND_OPT_PREFIX && p[16] == 0xfe);
}

static void
test_the_first_three_advertisements_come_soon_after_each_other(void **state)
{
	(void)state;
	router6();
	assert_int_equal(rtadvd_start(lan.ifp, &config), 0);
	pass_ms(40000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 3);
	for (unsigned i = 1; i < 3; i++)
		assert_true(sent_ra(i)->when_ns - sent_ra(i - 1)->when_ns <= 16 * NS_PER_SEC);
}

static void
test_later_advertisements_come_at_random_times_within_the_bounds(void **state)
{
	uint64_t first = 0;
	bool vary = false;

	(void)state;
	advertising();
	pass_ms(36000 * 1000);
	assert_true(count_icmp6(&lan, ND_ROUTER_ADVERT_) >= 60);
	for (unsigned i = 1; i < 60; i++) {
		uint64_t gap = sent_ra(i)->when_ns - sent_ra(i - 1)->when_ns;

		assert_true(gap >= config.min_ns && gap <= config.max_ns);
		vary |= first != 0 && gap != first;
		first = gap;
	}
	assert_true(vary);
}

static void
test_a_solicitation_is_answered_within_half_a_second(void **state)
{
	uint64_t asked;

	(void)state;
	advertising();
	asked = clock_now();
	receive6(router_solicit(HOST, other_mac));
	pass_ms(510);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
	assert_true(sent_ra(0)->when_ns - asked <= 500 * NS_PER_MS);
}

static void
test_advertisements_to_all_are_three_seconds_apart(void **state)
{
	(void)state;
	advertising();
	for (unsigned i = 0; i < 100; i++) {
		receive6(router_solicit(HOST, other_mac));
		pass_ms(100);
	}
	assert_in_range(count_icmp6(&lan, ND_ROUTER_ADVERT_), 2, 4);
	for (unsigned i = 1; sent_ra(i) != NULL; i++)
		assert_true(sent_ra(i)->when_ns - sent_ra(i - 1)->when_ns >= 3 * NS_PER_SEC);
}

static void
test_bad_router_solicitations_are_dropped_silently(void **state)
{
	static const uint8_t empty[8] = { 1, 0 };
	struct mbuf *m;

	(void)state;
	advertising();
	m = router_solicit(HOST, other_mac);
	mtod(m, struct ip6_hdr *)->hlim = 254;
	receive6(m);
	m = router_solicit(HOST, other_mac);
	m->data[IP6_HDRLEN + 1] = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	receive6(router_solicit("::", other_mac));
	receive6(with_nd_option(router_solicit(HOST, NULL), empty, 8));
	pass_ms(3000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 0);
	assert_int_equal(V_icmp6stat.badrs, 4);
}

static void
test_a_solicitation_from_nobody_is_answered_too(void **state)
{
	(void)state;
	advertising();
	receive6(router_solicit("::", NULL));
	pass_ms(510);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
}

static void
test_who_asks_for_routers_is_remembered_and_is_none(void **state)
{
	const struct llentry *lle;
	struct in6 addr;

	(void)state;
	advertising();
	addr = a6(HOST "%mem0");
	receive6(router_solicit(HOST, other_mac));
	lle = lla_find(in6_lltable(lan.ifp), &addr);
	assert_non_null(lle);
	assert_int_equal(lle->state, ND6_STALE);
	assert_memory_equal(lle->header, other_mac, 6);
	assert_false(nd6_is_router(lle));
}

static void
test_a_host_does_not_answer_solicitations(void **state)
{
	(void)state;
	receive6(router_solicit(HOST, other_mac));
	receive6(nd_message(HOST, "fe80::1", ND_ROUTER_SOLICIT_, 0, 0));
	pass_ms(3000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 0);
	assert_int_equal(drops("nd6.rs-ignored"), 1);
}

static void
test_who_ceases_to_advertise_says_so(void **state)
{
	(void)state;
	advertising();
	assert_int_equal(rtadvd_stop(lan.ifp), 0);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
	assert_int_equal(lifetime_of(sent_ra(0)), 0);
	pass_ms(3600 * 1000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_ADVERT_), 1);
}

static void
test_who_ceases_to_forward_is_no_default_router(void **state)
{
	(void)state;
	advertising();
	command("sysctl net.inet6.ip6.forwarding=0");
	pass_ms(4000);
	assert_true(count_icmp6(&lan, ND_ROUTER_ADVERT_) >= 1);
	assert_int_equal(lifetime_of(sent_ra(0)), 0);
}

static void
test_a_prefix_that_is_no_more_is_withdrawn(void **state)
{
	const uint8_t *option;
	struct in6 addr;

	(void)state;
	address6(&lan, "2001:db8:5::1", 64, 0);
	advertising();
	addr = a6("2001:db8:5::1");
	assert_int_equal(in6_addr_delete(lan.ifp, &addr), 0);
	pass_ms(4000);
	option = frame_option(sent_ra(0), 16, ND_OPT_PREFIX);
	while (memcmp(option + 16, wire6("2001:db8:5::").b, 16) != 0)
		option += option[1] * 8;
	assert_int_equal(option[0], ND_OPT_PREFIX);
	assert_int_equal(load32(option + 8), 0); /* preferred */
}

static void
test_an_advertising_router_is_in_the_group_of_all_routers(void **state)
{
	static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 2 };

	(void)state;
	advertising();
	assert_true(if_multi_has(lan.ifp, group));
	receive6(message6("fe80::2", "ff02::2", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_non_null(sent_icmp6(&lan, ICMP6_ECHO_REPLY_, 0));
}

static void
test_a_host_is_not_in_the_group_of_all_routers(void **state)
{
	(void)state;
	assert_false(if_multi_has(lan.ifp, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 2 }));
	receive6(message6("fe80::2", "ff02::2", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_int_equal(lan.sent.len, 0);
}

static void
test_another_router_that_says_something_else_is_noticed(void **state)
{
	(void)state;
	advertising();
	receive6(router_advert("fe80::3", 64, 0xc0, 1800, 15000, 2000));
	assert_int_equal(V_rtadvstat.inconsistent, 0);
	receive6(router_advert("fe80::3", 32, 0xc0, 1800, 15000, 2000));
	assert_int_equal(V_rtadvstat.inconsistent, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_an_advertisement_says_all_that_is_configured),
		INET6_TEST(test_the_link_local_prefix_is_not_advertised),
		INET6_TEST(test_the_first_three_advertisements_come_soon_after_each_other),
		INET6_TEST(test_later_advertisements_come_at_random_times_within_the_bounds),
		INET6_TEST(test_a_solicitation_is_answered_within_half_a_second),
		INET6_TEST(test_advertisements_to_all_are_three_seconds_apart),
		INET6_TEST(test_bad_router_solicitations_are_dropped_silently),
		INET6_TEST(test_a_solicitation_from_nobody_is_answered_too),
		INET6_TEST(test_who_asks_for_routers_is_remembered_and_is_none),
		INET6_TEST(test_a_host_does_not_answer_solicitations),
		INET6_TEST(test_who_ceases_to_advertise_says_so),
		INET6_TEST(test_who_ceases_to_forward_is_no_default_router),
		INET6_TEST(test_a_prefix_that_is_no_more_is_withdrawn),
		INET6_TEST(test_an_advertising_router_is_in_the_group_of_all_routers),
		INET6_TEST(test_a_host_is_not_in_the_group_of_all_routers),
		INET6_TEST(test_another_router_that_says_something_else_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
