/*
 * Prefixes that routers advertise, and the addresses that a host makes of them.
 */
#include "nd6_host.h"

/* --- prefixes and addresses ------------------------------------------------------------------- */

static void
test_a_prefix_gives_a_route_on_the_link_and_an_address(void **state)
{
	struct in6_ifaddr *ia;
	struct rtentry *rt;

	(void)state;
	say("2001:db8:77::abcd", PI_L | PI_A, 1000, 500);
	rt = entry("2001:db8:77::", 64);
	assert_non_null(rt);
	assert_false(rt->nh.flags & RTF_GATEWAY_);
	assert_int_equal(rt->expire_ns, clock_now() + 1000 * NS_PER_SEC);
	ia = address_of(made);
	assert_non_null(ia);
	assert_true(ia->flags & IN6_IFF_AUTOCONF);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	assert_int_equal(ia->plen, 64);
	assert_int_equal(ia->vltime_s, 1000);
	assert_int_equal(ia->pltime_s, 500);
	pass_s(5);
	assert_false(ia->flags & IN6_IFF_TENTATIVE);
	/* preferred, deprecated, gone; and the route with it */
	pass_s(496);
	assert_true(ia->flags & IN6_IFF_DEPRECATED);
	assert_non_null(entry("2001:db8:77::", 64));
	pass_s(500);
	assert_null(address_of(made));
	assert_null(entry("2001:db8:77::", 64));
	assert_int_equal(count_prefixes(), 0);
}

static void
test_the_flags_say_what_a_prefix_is_for(void **state)
{
	(void)state;
	say("2001:db8:77::", PI_A, 1000, 500);
	assert_non_null(address_of(made));
	assert_null(
	    entry("2001:db8:77::", 64)); /* RFC 5942: an address tells nothing of the link */
	say("2001:db8:88::", PI_L, 1000, 500);
	assert_null(address_of(made2));
	assert_non_null(entry("2001:db8:88::", 64));
	say("2001:db8:99::", 0, 1000, 500);
	assert_int_equal(count_prefixes(), 2);
	/* a message without the flag takes nothing back (RFC 4861 6.3.4) */
	say("2001:db8:88::", PI_A, 1000, 500);
	assert_non_null(entry("2001:db8:88::", 64));
	assert_non_null(address_of(made2));
}

static void
test_prefixes_that_no_router_may_advertise_are_ignored(void **state)
{
	struct mbuf *m;

	(void)state;
	say("fe80::", PI_L | PI_A, 1000, 500);
	say("ff02::", PI_L | PI_A, 1000, 500);
	say("2001:db8:77::", PI_L | PI_A, 500, 501);
	say("2001:db8:77::", PI_L | PI_A, 0, 0);
	receive6(with_prefix(advertisement("fe80::99", 9000), "::", 0, PI_L, 1000, 500));
	receive6(with_prefix(advertisement("fe80::99", 9000), "2001::", 129, PI_L, 1000, 500));
	m = with_nd_option(advertisement("fe80::99", 9000), "\3\2\100\300\0\0\7\7\0\0\7\7\0\0\0\0",
	    16); /* too short for a prefix */
	receive6(m);
	assert_int_equal(count_prefixes(), 0);
	assert_null(address_of(made));
	/* not 64 bits: on the link, but no addresses (RFC 4862 5.5.3 d) */
	receive6(with_prefix(
	    advertisement("fe80::99", 9000), "2001:db8:77::", 60, PI_L | PI_A, 1000, 500));
	assert_non_null(entry("2001:db8:77::", 60));
	assert_int_equal(count_autoconf(), 0);
}

static void
test_the_two_hour_rule(void **state)
{
	(void)state;
	say("2001:db8:77::", PI_L | PI_A, 10 * HOUR_S, HOUR_S);
	assert_int_equal(valid_s(made), 10 * HOUR_S);
	/* shorter, but more than two hours: taken */
	say("2001:db8:77::", PI_L | PI_A, 5 * HOUR_S, HOUR_S);
	assert_int_equal(valid_s(made), 5 * HOUR_S);
	/* less than two hours: two hours */
	say("2001:db8:77::", PI_L | PI_A, 60, 60);
	assert_int_equal(valid_s(made), 2 * HOUR_S);
	/* the on-link prefix knows no such rule */
	assert_int_equal(entry("2001:db8:77::", 64)->expire_ns, clock_now() + 60 * NS_PER_SEC);
	/* with less than two hours left a shorter one is not believed */
	pass_s(HOUR_S);
	say("2001:db8:77::", PI_L | PI_A, 0, 0);
	assert_int_equal(valid_s(made), HOUR_S);
	assert_true(address_of(made)->flags & IN6_IFF_DEPRECATED);
	assert_null(entry("2001:db8:77::", 64));
	/* a longer one is */
	say("2001:db8:77::", PI_L | PI_A, HOUR_S + 10, 100);
	assert_int_equal(valid_s(made), HOUR_S + 10);
	assert_false(address_of(made)->flags & IN6_IFF_DEPRECATED);
	say("2001:db8:77::", PI_L | PI_A, UINT32_MAX, UINT32_MAX);
	assert_true(address_of(made)->expire_ns == NS_NEVER);
	say("2001:db8:77::", PI_L | PI_A, 0, 0);
	assert_int_equal(valid_s(made), 2 * HOUR_S);
}

static void
test_a_flood_of_short_lifetimes_moves_the_end_by_nothing(void **state)
{
	uint64_t end;

	(void)state;
	say("2001:db8:77::", PI_L | PI_A, HOUR_S, HOUR_S);
	end = address_of(made)->expire_ns;
	for (int i = 0; i < 1000; i++) {
		pass_ms(7);
		say("2001:db8:77::", PI_L | PI_A, 1, 1);
	}
	assert_true(address_of(made)->expire_ns == end);
}

static void
test_an_expired_prefix_counts_while_its_addresses_live(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.maxifprefixes=1");
	say("2001:db8:77::", PI_L | PI_A, 10 * HOUR_S, HOUR_S);
	say("2001:db8:77::", PI_L | PI_A, 0, 0);
	pass_s(1);
	assert_null(entry("2001:db8:77::", 64));
	say("2001:db8:88::", PI_L | PI_A, HOUR_S, HOUR_S);
	assert_null(address_of(made2));
	assert_int_equal(V_rtadvstat.prefix_limit, 1);
	pass_s(2 * HOUR_S);
	assert_null(address_of(made));
	assert_int_equal(count_prefixes(), 0);
	say("2001:db8:88::", PI_L | PI_A, HOUR_S, HOUR_S);
	assert_non_null(address_of(made2));
}

static void
test_an_address_by_hand_keeps_its_time_and_has_the_route(void **state)
{
	(void)state;
	command("ifconfig mem0 inet6 2001:db8:77::1 prefixlen 64");
	say("2001:db8:77::", PI_L | PI_A, 1000, 500);
	assert_false(address_of(made)->flags & IN6_IFF_AUTOCONF);
	assert_true(address_of(made)->expire_ns == NS_NEVER);
	assert_int_equal(entry("2001:db8:77::", 64)->expire_ns, 0);
	command("ifconfig mem0 inet6 2001:db8:77::1 delete");
	assert_non_null(entry("2001:db8:77::", 64)); /* the prefix's own now */
	assert_int_not_equal(entry("2001:db8:77::", 64)->expire_ns, 0);
	command("ifconfig mem0 inet6 2001:db8:77::5 prefixlen 64");
	assert_int_equal(entry("2001:db8:77::", 64)->expire_ns, 0);
	pass_s(1001);
	assert_non_null(entry("2001:db8:77::", 64));
}

static void
test_a_prefix_on_two_links_has_one_route_that_moves(void **state)
{
	(void)state;
	router6();
	command("sysctl net.inet6.ip6.forwarding=0");
	command("ifconfig mem1 inet6 accept_rtadv");
	say("2001:db8:77::", PI_L, 1000, 500);
	receive6_by(
	    &wan, with_prefix(advertisement("fe80::98", 0), "2001:db8:77::", 64, PI_L, 2000, 500));
	assert_ptr_equal(entry("2001:db8:77::", 64)->nh.ifp, lan.ifp);
	pass_s(1001);
	assert_ptr_equal(entry("2001:db8:77::", 64)->nh.ifp, wan.ifp);
	command("ifconfig mem1 down");
	assert_null(entry("2001:db8:77::", 64));
	command("ifconfig mem1 up");
	assert_ptr_equal(entry("2001:db8:77::", 64)->nh.ifp, wan.ifp);
}

static void
test_renumbering_leaves_the_old_address_to_old_connections(void **state)
{
	struct in6 far = a6("2001:db8:ff::1");

	(void)state;
	linklocal6(&lan);
	struct in6 own = a6("2001:db8::1");
	assert_int_equal(in6_addr_delete(lan.ifp, &own), 0);
	say("2001:db8:77::", PI_L | PI_A, 10 * HOUR_S, 5 * HOUR_S);
	pass_s(10);
	assert_in6(&in6_select_source(lan.ifp, &far)->addr, made);
	receive6(with_prefix(
	    with_prefix(advertisement("fe80::99", 9000), "2001:db8:77::", 64, PI_L | PI_A, 7200, 0),
	    "2001:db8:88::", 64, PI_L | PI_A, 10 * HOUR_S, 5 * HOUR_S));
	pass_s(10);
	assert_in6(&in6_select_source(lan.ifp, &far)->addr, made2);
	assert_non_null(address_of(made));
	pass_s(2 * HOUR_S);
	assert_null(address_of(made));
	assert_non_null(address_of(made2));
}

static void
test_addresses_whose_routers_are_gone_are_detached(void **state)
{
	struct in6 far = a6("2001:db8:ff::1");

	(void)state;
	receive6(with_prefix(
	    advertisement("fe80::99", 1800), "2001:db8:77::", 64, PI_L | PI_A, 9000, 9000));
	receive6(with_prefix(
	    advertisement("fe80::98", 9000), "2001:db8:88::", 64, PI_L | PI_A, 9000, 9000));
	pass_s(5);
	assert_false(address_of(made)->flags & IN6_IFF_DETACHED);
	pass_s(1800); /* the first is silent */
	assert_true(address_of(made)->flags & IN6_IFF_DETACHED);
	assert_false(address_of(made2)->flags & IN6_IFF_DETACHED);
	assert_in6(&in6_select_source(lan.ifp, &far)->addr, made2);
	/* it is back: the address is checked, then used */
	receive6(with_prefix(
	    advertisement("fe80::99", 1800), "2001:db8:77::", 64, PI_L | PI_A, 9000, 9000));
	assert_false(address_of(made)->flags & IN6_IFF_DETACHED);
	assert_true(address_of(made)->flags & IN6_IFF_TENTATIVE);
	pass_s(5);
	assert_false(address_of(made)->flags & IN6_IFF_TENTATIVE);
	/* it says good-bye, and names the prefix nevertheless */
	receive6(with_prefix(
	    advertisement("fe80::99", 0), "2001:db8:77::", 64, PI_L | PI_A, 9000, 9000));
	assert_true(address_of(made)->flags & IN6_IFF_DETACHED);
	/* when all are gone, all are as good as another */
	receive6(advertisement("fe80::98", 0));
	assert_false(address_of(made)->flags & IN6_IFF_DETACHED);
	assert_false(address_of(made2)->flags & IN6_IFF_DETACHED);
}

static void
test_a_router_of_prefixes_only_keeps_them_attached(void **state)
{
	(void)state;
	receive6(with_prefix(
	    advertisement("fe80::99", 0), "2001:db8:77::", 64, PI_L | PI_A, 9000, 9000));
	receive6(advertisement("fe80::98", 9000));
	pass_s(5);
	assert_false(address_of(made)->flags & IN6_IFF_DETACHED);
	assert_int_equal(count_routers(), 2);
	pass_s(9001);
	assert_int_equal(count_routers(), 0);
}

static void
test_flushing_prefixes_takes_their_addresses(void **state)
{
	(void)state;
	say("2001:db8:77::", PI_L | PI_A, 1000, 500);
	say("2001:db8:88::", PI_L | PI_A, 1000, 500);
	nd6_prefixes_flush(NULL);
	assert_int_equal(count_prefixes(), 0);
	assert_null(address_of(made));
	assert_null(entry("2001:db8:77::", 64));
	assert_default("fe80::99");
	nd6_routers_flush(NULL);
	assert_default(NULL);
}

static void
test_a_disabled_interface_forgets_all(void **state)
{
	(void)state;
	say("2001:db8:77::", PI_L | PI_A, 1000, 500);
	command("ifconfig mem0 inet6 ifdisabled");
	assert_default(NULL);
	assert_int_equal(count_prefixes(), 0);
	assert_null(address_of(made));
}

/* --- temporary and stable addresses ----------------------------------------------------------- */

static struct in6_ifaddr *
temporary(uint32_t without)
{
	struct in6_ifaddr *ia = NULL;

	while ((ia = in6_ifaddr_next(lan.ifp, ia)) != NULL)
		if ((ia->flags & IN6_IFF_TEMPORARY) && !(ia->flags & without))
			return ia;
	return NULL;
}

static unsigned
count_temporary(void)
{
	struct in6_ifaddr *ia = NULL;
	unsigned n = 0;

	while ((ia = in6_ifaddr_next(lan.ifp, ia)) != NULL)
		n += (ia->flags & IN6_IFF_TEMPORARY) != 0;
	return n;
}

static void
test_temporary_addresses_follow_each_other(void **state)
{
	struct in6_ifaddr *ia;
	struct in6 first;

	(void)state;
	command("sysctl net.inet6.ip6.use_tempaddr=1 net.inet6.ip6.temppltime=1000 "
		"net.inet6.ip6.tempvltime=3000");
	say("2001:db8:77::", PI_L | PI_A, 86400, 86400);
	assert_int_equal(count_temporary(), 1);
	ia = temporary(0);
	first = ia->addr;
	assert_true(in6_match(&first, &(struct in6){ { 0x20, 1, 0xd, 0xb8, 0, 0x77 } }, 64));
	assert_int_equal(ia->vltime_s, 3000);
	assert_in_range(ia->pltime_s, 600, 1000); /* less a part by chance */
	/* an advertisement doesn't prolong it */
	pass_s(300);
	say("2001:db8:77::", PI_L | PI_A, 86400, 86400);
	assert_int_equal(count_temporary(), 1);
	assert_in_range(ia->pltime_s, 300, 700);
	assert_in_range(ia->expire_ns, 0, clock_now() + 2701 * NS_PER_SEC);
	/* before it is deprecated there is another one */
	pass_s(701);
	assert_int_equal(count_temporary(), 2);
	ia = temporary(IN6_IFF_DEPRECATED);
	assert_non_null(ia);
	assert_false(in6_equal(&ia->addr, &first));
	assert_non_null(in6_ifaddr_exact(lan.ifp, &first));
	pass_s(2100);
	assert_null(in6_ifaddr_exact(lan.ifp, &first));
	assert_in_range(count_temporary(), 3, 5);
	assert_non_null(address_of(made));
	/* no more of them: the last one runs out */
	command("sysctl net.inet6.ip6.use_tempaddr=0");
	pass_s(3001);
	assert_int_equal(count_temporary(), 0);
}

static void
test_a_temporary_address_that_is_taken_is_replaced_three_times(void **state)
{
	char text[IN6_TEXT];

	(void)state;
	command("sysctl net.inet6.ip6.use_tempaddr=1");
	say("2001:db8:77::", PI_L | PI_A, 86400, 86400);
	for (unsigned i = 0; i < 4; i++) {
		struct in6_ifaddr *ia = temporary(IN6_IFF_DUPLICATED);
		struct in6 a = ia->addr;

		assert_true(ia->flags & IN6_IFF_TENTATIVE);
		in6_ntoa(&a, text);
		receive6(advert(text, "ff02::1", text, NA_O, other_mac));
		pass_ms(10);
		if (i < 3)
			assert_null(in6_ifaddr_exact(lan.ifp, &a));
		pass_ms(10);
	}
	assert_null(temporary(IN6_IFF_DUPLICATED));
	pass_s(60);
	assert_null(temporary(IN6_IFF_DUPLICATED));
}

static void
test_stable_identifiers_differ_by_prefix_and_tell_no_link_address(void **state)
{
	struct in6 a = a6("2001:db8:77::"), b = a6("2001:db8:88::"), again = a, eui = a, next = a;

	(void)state;
	nd6_stable_id(lan.ifp, &a, 0);
	nd6_stable_id(lan.ifp, &b, 0);
	nd6_stable_id(lan.ifp, &again, 0);
	nd6_stable_id(lan.ifp, &next, 1);
	in6_eui64(&eui, lan.ifp->if_lladdr);
	assert_true(in6_equal(&a, &again));
	assert_int_not_equal(load64(a.b + 8), load64(b.b + 8));
	assert_int_not_equal(load64(a.b + 8), load64(next.b + 8));
	assert_int_not_equal(load64(a.b + 8), load64(eui.b + 8));
	command("sysctl net.inet6.ip6.use_stableaddr=1");
	say("2001:db8:77::", PI_L | PI_A, 86400, 86400);
	assert_non_null(in6_ifaddr_exact(lan.ifp, &a));
	assert_null(address_of(made));
	/* somebody has it: the next one */
	char text[IN6_TEXT];
	in6_ntoa(&a, text);
	receive6(advert(text, "ff02::1", text, NA_O, other_mac));
	pass_ms(20);
	assert_null(in6_ifaddr_exact(lan.ifp, &a));
	assert_non_null(in6_ifaddr_exact(lan.ifp, &next));
}

/* --- without memory ------------------------------------------------------------------------ */

/*
 * Whatever allocation fails, nothing is lost (the audit behind the test), and the next advertisement
 * makes it good.
 */
static void
test_without_memory_an_advertisement_does_what_it_can(void **state)
{
	bool pending = false;

	(void)state;
	command("sysctl net.inet6.ip6.use_tempaddr=1");
	for (unsigned n = 1; !pending; n++) {
		vnet_malloc_fail_at(n);
		receive6(with_route(with_prefix(advertisement("fe80::99", 9000),
					"2001:db8:77::", 64, PI_L | PI_A, 1000, 1000),
		    "2001:db8:a::", 48, 0, 600, 2));
		pending = vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		say("2001:db8:77::", PI_L | PI_A, 1000, 1000);
		assert_default("fe80::99");
		assert_non_null(address_of(made));
		assert_non_null(entry("2001:db8:77::", 64));
		assert_int_equal(count_temporary(), 1);
		nd6_routers_flush(NULL);
		nd6_prefixes_flush(NULL);
		assert_int_equal(count_routers() + count_prefixes() + count_autoconf(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_a_prefix_gives_a_route_on_the_link_and_an_address),
		HOST_TEST(test_the_flags_say_what_a_prefix_is_for),
		HOST_TEST(test_prefixes_that_no_router_may_advertise_are_ignored),
		HOST_TEST(test_the_two_hour_rule),
		HOST_TEST(test_a_flood_of_short_lifetimes_moves_the_end_by_nothing),
		HOST_TEST(test_an_expired_prefix_counts_while_its_addresses_live),
		HOST_TEST(test_an_address_by_hand_keeps_its_time_and_has_the_route),
		HOST_TEST(test_a_prefix_on_two_links_has_one_route_that_moves),
		HOST_TEST(test_renumbering_leaves_the_old_address_to_old_connections),
		HOST_TEST(test_addresses_whose_routers_are_gone_are_detached),
		HOST_TEST(test_a_router_of_prefixes_only_keeps_them_attached),
		HOST_TEST(test_flushing_prefixes_takes_their_addresses),
		HOST_TEST(test_a_disabled_interface_forgets_all),
		HOST_TEST(test_temporary_addresses_follow_each_other),
		HOST_TEST(test_a_temporary_address_that_is_taken_is_replaced_three_times),
		HOST_TEST(test_stable_identifiers_differ_by_prefix_and_tell_no_link_address),
		HOST_TEST(test_without_memory_an_advertisement_does_what_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
