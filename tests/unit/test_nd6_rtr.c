/*
 * Routers that a host learns of: which of them packets go to, and how it asks for them.
 */
#include "nd6_host.h"

/* --- default routers -------------------------------------------------------------------------- */

static void
test_a_router_becomes_the_default_route_until_its_time_is_up(void **state)
{
	struct rtentry *rt;

	(void)state;
	assert_default(NULL);
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
	rt = entry("::", 0);
	assert_int_equal(rt->expire_ns, clock_now() + 1800 * NS_PER_SEC);
	assert_ptr_equal(rt->nh.ifp, lan.ifp);
	assert_false(rt->nh.flags & RTF_STATIC_);

	/* the next one moves the deadline, without another route */
	pass_s(1000);
	receive6(advertisement("fe80::99", 1800));
	assert_ptr_equal(entry("::", 0), rt);
	pass_s(1799);
	assert_default("fe80::99");
	pass_s(2);
	assert_default(NULL);
	assert_int_equal(count_routers(), 0);
}

static void
test_a_router_that_says_lifetime_0_is_none_any_more(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	receive6(advertisement("fe80::99", 0));
	assert_default(NULL);
	assert_int_equal(count_routers(), 0);
}

static void
test_the_preferred_router_is_chosen_and_the_other_takes_over(void **state)
{
	(void)state;
	receive6(preferring("fe80::99", 0x18, 1800)); /* low */
	assert_default("fe80::99");
	receive6(preferring("fe80::98", 0, 1800));
	assert_default("fe80::98");
	receive6(preferring("fe80::97", 0x08, 600)); /* high */
	assert_default("fe80::97");
	receive6(preferring("fe80::96", 0x10, 1800)); /* reserved: medium */
	assert_default("fe80::97");
	/* in between there is always a route */
	pass_s(601);
	assert_default("fe80::98");
	receive6(preferring("fe80::98", 0, 0));
	assert_default("fe80::96");
}

static void
test_of_equal_routers_the_one_in_use_stays(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	receive6(advertisement("fe80::98", 1800));
	assert_default("fe80::99");
	receive6(advertisement("fe80::98", 1800));
	assert_default("fe80::99");
}

static void
test_a_router_that_does_not_answer_is_left_for_one_that_does(void **state)
{
	struct in6 far = a6("2001:db8:ff::1");

	(void)state;
	receive6(preferring("fe80::99", 0x08, 9000));
	receive6(preferring("fe80::98", 0, 9000));
	assert_default("fe80::99");
	/* packets go out, and nobody confirms: NUD asks in vain */
	for (int i = 0; i < 15; i++) {
		struct mbuf *m = m_get(8);

		(void)ip6_output(m, &in6_any_, &far, ANY_PROTO, NULL);
		pass_s(1);
	}
	assert_default("fe80::98");
	/* it is back, and preferred */
	receive6(preferring("fe80::99", 0x08, 9000));
	assert_default("fe80::99");
}

static void
test_when_no_router_answers_each_gets_its_turn(void **state)
{
	struct in6 first = a6("fe80::99"), second = a6("fe80::98");

	(void)state;
	zone(&first);
	zone(&second);
	/* without a link address nothing is known of them */
	receive6(router_advert("fe80::99", 0, 0, 9000, 0, 0));
	receive6(router_advert("fe80::98", 0, 0, 9000, 0, 0));
	assert_default("fe80::99");
	pass_s(1);
	nd6_router_reachability(lan.ifp, &first);
	assert_default("fe80::98");
	pass_s(1);
	nd6_router_reachability(lan.ifp, &second);
	assert_default("fe80::99");
}

static void
test_a_node_that_says_it_is_no_router_is_none(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
	receive6(advert("fe80::99", "fe80::1", "fe80::99", NA_S | NA_O, other_mac));
	assert_default(NULL);
}

static void
test_a_default_route_by_hand_is_left_alone(void **state)
{
	(void)state;
	command("route -q -6 add default 2001:db8::2");
	receive6(advertisement("fe80::99", 1800));
	assert_default("2001:db8::2");
	receive6(advertisement("fe80::99", 0));
	assert_default("2001:db8::2");
	receive6(advertisement("fe80::99", 1800));
	command("route -q -6 delete default");
	assert_default(NULL);
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
}

static void
test_a_route_deleted_by_hand_comes_back_with_the_next_advertisement(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	command("route -q -6 delete default");
	assert_default(NULL);
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
}

static void
test_the_default_interface_stands_in_for_a_router(void **state)
{
	(void)state;
	assert_int_equal(nd6_default_interface_set(lan.ifp), 0);
	assert_non_null(entry("::", 0));
	assert_false(entry("::", 0)->nh.flags & RTF_GATEWAY_);
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
	receive6(advertisement("fe80::99", 0));
	assert_false(entry("::", 0)->nh.flags & RTF_GATEWAY_);
	assert_int_equal(nd6_default_interface_set(NULL), 0);
	assert_default(NULL);
}

static void
test_a_link_that_is_down_has_no_routers(void **state)
{
	(void)state;
	router6();
	command("sysctl net.inet6.ip6.forwarding=0");
	command("ifconfig mem1 inet6 accept_rtadv");
	receive6(preferring("fe80::99", 0x08, 9000));
	receive6_by(&wan, preferring("fe80::98", 0, 9000));
	assert_default("fe80::99");
	command("ifconfig mem0 down");
	assert_default("fe80::98");
	command("ifconfig mem0 up");
	receive6(preferring("fe80::99", 0x08, 9000));
	assert_default("fe80::99");
}

/* --- route options (RFC 4191) ----------------------------------------------------------------- */

static void
test_routes_of_advertisements_lead_to_their_best_router(void **state)
{
	(void)state;
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 48, 0, 600, 2));
	assert_default(NULL); /* it knows the way there only */
	assert_non_null(entry("2001:db8:a::", 48));
	assert_int_equal(entry("2001:db8:a::", 48)->gateway.addr[15], 0x99);
	receive6(with_route(advertisement("fe80::98", 0), "2001:db8:a::", 48, 0x08, 300, 2));
	assert_int_equal(entry("2001:db8:a::", 48)->gateway.addr[15], 0x98);
	pass_s(301);
	assert_int_equal(entry("2001:db8:a::", 48)->gateway.addr[15], 0x99);
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 48, 0, 0, 2));
	assert_null(entry("2001:db8:a::", 48));
	assert_int_equal(count_routers(), 0);
	/* for ever */
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:b::1", 128, 0, UINT32_MAX, 3));
	pass_s(86400 * 365);
	assert_non_null(entry("2001:db8:b::1", 128));
}

static void
test_a_route_option_to_everywhere_overrides_the_header(void **state)
{
	(void)state;
	receive6(with_route(preferring("fe80::99", 0x08, 1800), "::", 0, 0x18, 600, 1));
	receive6(preferring("fe80::98", 0, 1800));
	assert_default("fe80::98"); /* low, says the option */
	receive6(with_route(preferring("fe80::98", 0, 1800), "::", 0, 0, 0, 1));
	assert_default("fe80::99");
	pass_s(601);
	assert_default(NULL);
}

static void
test_bad_route_options_are_ignored(void **state)
{
	(void)state;
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 48, 0x10, 600, 2));
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 129, 0, 600, 3));
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 48, 0, 600, 1));
	receive6(with_route(advertisement("fe80::99", 0), "2001:db8:a::", 96, 0, 600, 2));
	receive6(with_route(advertisement("fe80::99", 0), "fe80::", 10, 0, 600, 2));
	receive6(with_route(advertisement("fe80::99", 0), "ff00::", 8, 0, 600, 2));
	assert_int_equal(count_routers(), 0);
	assert_true(TAILQ_EMPTY(&V_nd6_routes));
}

static void
test_routes_stay_in_their_limit(void **state)
{
	char dst[32];
	unsigned n = 0;
	const struct nd6_route *way;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(dst, sizeof(dst), "2001:db8:%x::", 0x1000 + i);
		receive6(with_route(advertisement("fe80::99", 600), dst, 48, 0, 600, 2));
	}
	TAILQ_FOREACH(way, &V_nd6_routes, link)
		n += way->plen > 0;
	assert_int_equal(n, 32);
	assert_int_equal(V_rtadvstat.route_limit, 68);
	command("sysctl net.inet6.ip6.maxifroutes=0");
	nd6_routers_flush(NULL);
	assert_null(entry("2001:db8:1000::", 48));
	receive6(with_route(advertisement("fe80::99", 600), "2001:db8:a::", 48, 0, 600, 2));
	assert_null(entry("2001:db8:a::", 48));
}

/* --- what is believed ------------------------------------------------------------------------- */

static void
test_bad_advertisements_are_dropped_and_counted(void **state)
{
	struct mbuf *m;

	(void)state;
	m = advertisement("fe80::99", 1800);
	mtod(m, struct ip6_hdr *)->hlim = 254;
	receive6(m);
	assert_int_equal(drops("nd6.hlim"), 1);
	receive6(advertisement("2001:db8::99", 1800));
	assert_int_equal(drops("nd6.ra-source"), 1);
	receive6(advertisement("fe80::1", 1800)); /* from ourselves */
	receive6(nd_message("fe80::99", "ff02::1", ND_ROUTER_ADVERT_, 0x708, 7));
	m = advertisement("fe80::99", 1800);
	m->data[IP6_HDRLEN + 1] = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	receive6(with_nd_option(advertisement("fe80::99", 1800), "\5\0\0\0\0\0\0\0", 8));
	receive6(with_nd_option(advertisement("fe80::99", 1800), "\5\2\0\0\0\0\0\0", 8));
	assert_int_equal(V_icmp6stat.badra, 7);
	assert_default(NULL);
	assert_int_equal(V_rtadvstat.ra_in, 0);
}

static void
test_an_interface_that_accepts_none_learns_nothing(void **state)
{
	(void)state;
	command("ifconfig mem0 inet6 -accept_rtadv");
	receive6(with_prefix(
	    advertisement("fe80::99", 1800), "2001:db8:77::", 64, PI_L | PI_A, 1000, 1000));
	assert_default(NULL);
	assert_null(address_of(made));
	assert_int_equal(count_prefixes() + count_routers(), 0);
	assert_int_equal(drops("nd6.ra-ignored"), 1);
	assert_int_equal(V_rtadvstat.ra_ignored, 1);
}

static void
test_a_stack_that_forwards_takes_prefixes_but_no_routers(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	receive6(with_prefix(
	    advertisement("fe80::99", 1800), "2001:db8:77::", 64, PI_L | PI_A, 1000, 1000));
	assert_default(NULL);
	assert_non_null(address_of(made));
	command("sysctl net.inet6.ip6.rfc6204w3=1");
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
	/* and what was learned before is not used */
	command("sysctl net.inet6.ip6.rfc6204w3=0");
	command("sysctl net.inet6.ip6.forwarding=0");
	assert_default("fe80::99");
	command("sysctl net.inet6.ip6.forwarding=1");
	assert_default(NULL);
}

static void
test_no_radr_takes_no_routers(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	assert_default("fe80::99");
	command("ifconfig mem0 inet6 no_radr");
	assert_default(NULL);
	receive6(with_prefix(
	    advertisement("fe80::99", 1800), "2001:db8:77::", 64, PI_L | PI_A, 1000, 1000));
	assert_default(NULL);
	assert_non_null(address_of(made));
}

static void
test_accepting_no_more_forgets_the_routers(void **state)
{
	(void)state;
	receive6(advertisement("fe80::99", 1800));
	command("ifconfig mem0 inet6 -accept_rtadv");
	assert_default(NULL);
	assert_int_equal(count_routers(), 0);
}

static void
test_link_parameters_are_taken_within_bounds(void **state)
{
	const struct nd_ifinfo *nd = &in6_if_of(lan.ifp)->nd;

	(void)state;
	receive6(with_mtu(router_advert("fe80::99", 17, 0, 0, 60000, 2000), 1400));
	assert_int_equal(nd->chlim, 17);
	assert_int_equal(nd->basereachable_ms, 60000);
	assert_in_range(nd->reachable_ms, 30000, 90000);
	assert_int_equal(nd->retrans_ms, 2000);
	assert_int_equal(in6_ifmtu(lan.ifp), 1400);
	/* 0 says nothing; too much, or too little, is not believed */
	receive6(with_mtu(router_advert("fe80::99", 0, 0, 0, 0, 0), 1279));
	receive6(with_mtu(router_advert("fe80::99", 0, 0, 0, 3600001, 3600001), 1501));
	assert_int_equal(nd->chlim, 17);
	assert_int_equal(nd->basereachable_ms, 60000);
	assert_int_equal(nd->retrans_ms, 2000);
	assert_int_equal(in6_ifmtu(lan.ifp), 1400);
	command("sysctl net.inet6.ip6.ra_minhlim=32");
	receive6(router_advert("fe80::99", 31, 0, 0, 0, 0));
	assert_int_equal(nd->chlim, 17);
	receive6(router_advert("fe80::99", 32, 0, 0, 0, 0));
	assert_int_equal(nd->chlim, 32);
}

static void
test_the_sender_becomes_a_neighbour_that_is_a_router(void **state)
{
	struct in6 r = a6("fe80::99");
	struct llentry *lle;

	(void)state;
	zone(&r);
	receive6(advertisement("fe80::99", 1800));
	lle = lla_find(in6_lltable(lan.ifp), &r);
	assert_non_null(lle);
	assert_int_equal(lle->state, ND6_STALE);
	assert_true(nd6_is_router(lle));
	assert_memory_equal(lle->header, other_mac, 6);
}

/* --- floods ----------------------------------------------------------------------------------- */

static void
test_a_million_forged_advertisements_stay_in_the_limits(void **state)
{
	uint64_t memory;
	struct mbuf *m;

	(void)state;
	/* neighbours have a limit of their own (test_lltable_flood.c) */
	command("sysctl net.inet6.ip6.nd6_maxentries=64");
	memory = vnet_memory();
	for (unsigned i = 0; i < 1000000; i++) {
		struct ip6_hdr *ip6;

		m = with_prefix(advertisement("fe80::99", 9000), "2001:db8:1234:5678::", 64,
		    PI_L | PI_A, 86400, 86400);
		ip6 = mtod(m, struct ip6_hdr *);
		store32(ip6->src.b + 8, i * UINT32_C(2654435761));
		store32(ip6->src.b + 12, i);
		/* the prefix lies behind 40 + 16 + 8 + 16 bytes */
		store32(m->data + 80 + 4, i * UINT32_C(40503) + 7);
		icmp6_sum_at(m, IP6_HDRLEN);
		receive6(m);
		if (i % 100000 == 0)
			memif_clear(&lan);
	}
	assert_in_range(count_routers(), 1, 16);
	assert_in_range(count_prefixes(), 1, 16);
	assert_in_range(count_autoconf(), 1, 16);
	assert_true(V_rtadvstat.router_limit > 900000);
	assert_true(V_rtadvstat.prefix_limit > 900000);
	rcu_synchronize();
	assert_in_range(vnet_memory() - memory, 0, 256 << 10);
}

/* --- solicitations ---------------------------------------------------------------------------- */

static void
test_a_host_asks_three_times_when_its_link_comes_up(void **state)
{
	struct mbuf *m;
	uint64_t before;

	(void)state;
	command("ifconfig mem0 down");
	memif_clear(&lan);
	command("ifconfig mem0 up");
	before = clock_now();
	pass_s(60);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 3);
	m = sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 0);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "ff02::2");
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_memory_equal(frame_option(m, 8, ND_OPT_SOURCE_LL) + 2, lan.ifp->if_lladdr, 6);
	assert_memory_equal(m->data, "\x33\x33\0\0\0\2", 6);
	/* within a second, and four seconds apart */
	assert_in_range(m->when_ns - before, 0, 3 * NS_PER_SEC);
	assert_int_equal(
	    sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 1)->when_ns - m->when_ns, 4 * NS_PER_SEC);
	assert_int_equal(
	    sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 2)->when_ns - m->when_ns, 8 * NS_PER_SEC);
}

static void
test_the_answer_of_a_default_router_ends_the_asking(void **state)
{
	(void)state;
	nd6_rtsol_start(lan.ifp);
	pass_s(1);
	receive6(advertisement("fe80::99", 0)); /* no default router: goes on */
	pass_s(4);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 2);
	receive6(advertisement("fe80::99", 1800));
	pass_s(30);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 2);
	assert_null(in6_if_of(lan.ifp)->rtsol);
}

static void
test_without_a_link_local_address_a_host_asks_from_nowhere(void **state)
{
	struct in6 a = a6("fe80::1");
	struct mbuf *m;

	(void)state;
	zone(&a);
	assert_int_equal(in6_addr_delete(lan.ifp, &a), 0);
	nd6_rtsol_start(lan.ifp);
	pass_s(1);
	m = sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 0);
	assert_non_null(m);
	assert_in6(&frame_ip6(m)->src, "::");
	assert_null(frame_option(m, 8, ND_OPT_SOURCE_LL));
}

static void
test_asking_waits_for_duplicate_detection(void **state)
{
	struct in6 a = a6("fe80::1");
	struct mbuf *m;

	(void)state;
	zone(&a);
	assert_int_equal(in6_addr_delete(lan.ifp, &a), 0);
	command("ifconfig mem0 inet6 fe80::5 prefixlen 64");
	nd6_rtsol_start(lan.ifp);
	for (int i = 0; i < 100 && sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 0) == NULL; i++)
		pass_ms(100);
	m = sent_icmp6(&lan, ND_ROUTER_SOLICIT_, 0);
	assert_non_null(m);
	assert_in6(&frame_ip6(m)->src, "fe80::5");
}

static void
test_rtsol_waits_for_the_first_answer(void **state)
{
	struct tool t;

	(void)state;
	tool_start(&t, NULL, "rtsol -d mem0", false);
	pass_s(2);
	assert_false(t.done);
	receive6(advertisement("fe80::99", 1800));
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_string_equal(t.out,
	    "mem0: router solicitation sent\nmem0: router advertisement from fe80::99%mem0\n");
}

static void
test_rtsol_fails_when_nobody_answers_or_can_answer(void **state)
{
	struct tool t;
	uint64_t before = clock_now();

	(void)state;
	assert_int_equal(tool(&t, NULL, "rtsol mem0"), 1);
	assert_string_equal(t.err, "rtsol: mem0: no router has answered\n");
	assert_in_range(clock_now() - before, 12 * NS_PER_SEC, 14 * NS_PER_SEC);
	tool_start(&t, NULL, "rtsol mem0", false);
	command("ifconfig mem0 down");
	tool_wait(&t);
	assert_int_equal(t.status, 1);
	assert_int_equal(tool(&t, NULL, "rtsol mem0"), 1);
	assert_string_equal(t.err, "rtsol: mem0: the link is down\n");
	command("ifconfig mem0 up");
	command("ifconfig mem0 inet6 -accept_rtadv");
	assert_int_equal(tool(&t, NULL, "rtsol mem0"), 1);
	assert_non_null(strstr(t.err, "accept_rtadv"));
	assert_int_equal(tool(&t, NULL, "rtsol em7"), 1);
	assert_int_equal(tool(&t, NULL, "rtsol"), 64);
	assert_int_equal(tool(&t, NULL, "rtsol -x mem0"), 64);
}

static void
test_rtsol_is_cancelled_with_its_stack(void **state)
{
	struct tool t;

	(void)state;
	tool_start(&t, NULL, "rtsol mem0", false);
	verb_cancel(t.run);
	tool_wait(&t);
	assert_int_equal(t.status, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_a_router_becomes_the_default_route_until_its_time_is_up),
		HOST_TEST(test_a_router_that_says_lifetime_0_is_none_any_more),
		HOST_TEST(test_the_preferred_router_is_chosen_and_the_other_takes_over),
		HOST_TEST(test_of_equal_routers_the_one_in_use_stays),
		HOST_TEST(test_a_router_that_does_not_answer_is_left_for_one_that_does),
		HOST_TEST(test_when_no_router_answers_each_gets_its_turn),
		HOST_TEST(test_a_node_that_says_it_is_no_router_is_none),
		HOST_TEST(test_a_default_route_by_hand_is_left_alone),
		HOST_TEST(test_a_route_deleted_by_hand_comes_back_with_the_next_advertisement),
		HOST_TEST(test_the_default_interface_stands_in_for_a_router),
		HOST_TEST(test_a_link_that_is_down_has_no_routers),
		HOST_TEST(test_routes_of_advertisements_lead_to_their_best_router),
		HOST_TEST(test_a_route_option_to_everywhere_overrides_the_header),
		HOST_TEST(test_bad_route_options_are_ignored),
		HOST_TEST(test_routes_stay_in_their_limit),
		HOST_TEST(test_bad_advertisements_are_dropped_and_counted),
		HOST_TEST(test_an_interface_that_accepts_none_learns_nothing),
		HOST_TEST(test_a_stack_that_forwards_takes_prefixes_but_no_routers),
		HOST_TEST(test_no_radr_takes_no_routers),
		HOST_TEST(test_accepting_no_more_forgets_the_routers),
		HOST_TEST(test_link_parameters_are_taken_within_bounds),
		HOST_TEST(test_the_sender_becomes_a_neighbour_that_is_a_router),
		HOST_TEST(test_a_million_forged_advertisements_stay_in_the_limits),
		HOST_TEST(test_a_host_asks_three_times_when_its_link_comes_up),
		HOST_TEST(test_the_answer_of_a_default_router_ends_the_asking),
		HOST_TEST(test_without_a_link_local_address_a_host_asks_from_nowhere),
		HOST_TEST(test_asking_waits_for_duplicate_detection),
		HOST_TEST(test_rtsol_waits_for_the_first_answer),
		HOST_TEST(test_rtsol_fails_when_nobody_answers_or_can_answer),
		HOST_TEST(test_rtsol_is_cancelled_with_its_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
