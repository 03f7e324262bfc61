/*
 * Conformance of a host towards routers, and of its addresses, seen from outside: RFC 4861 section
 * 6.3 (advertisements believed), RFC 4862 (duplicate detection, autoconfiguration). The rows of
 * docs/ipv6-conformance.md name these tests.
 */
#include "nd6_frames.h"

#include "net/if_multi.h"

#define FAR "2001:db8:7::7"
#define ROUTER "fe80::3"        /* at other_mac */
#define NEW "2001:db8:9::1"     /* what becomes of the prefix 2001:db8:9::/64 */
#define OWN "fe80::ff:fe00:102" /* of mem1's link address */
#define OWN_GROUP "ff02::1:ff00:102"

/* lan believes advertisements, and has asked for them. */
static void
host(void)
{
	command("ifconfig mem0 inet6 accept_rtadv");
	settle6();
}

/* An advertisement of ROUTER, with its link address. */
static struct mbuf *
ra(uint16_t lifetime_s)
{
	return with_lladdr(
	    router_advert(ROUTER, 0, 0, lifetime_s, 0, 0), ND_OPT_SOURCE_LL, other_mac);
}

static struct mbuf *
ra_prefix(const char *prefix, uint8_t plen, uint8_t flags, uint32_t valid_s, uint32_t preferred_s)
{
	return with_prefix(ra(1800), prefix, plen, flags, valid_s, preferred_s);
}

/* Does a packet to FAR leave through ROUTER? */
static bool
goes_by_router(void)
{
	bool it_does;

	memif_clear(&lan);
	it_does = send6(FAR) == 0 && left_to(&lan, other_mac) == 1;
	memif_clear(&lan);
	return it_does;
}

/* Is there an echo reply from the address? */
static bool
answers(struct memif *mi, const char *addr)
{
	bool it_does;

	neighbour6(mi, "fe80::2");
	memif_clear(mi);
	receive6_by(mi, message6("fe80::2", addr, ICMP6_ECHO_REQUEST_, 0, 8));
	it_does = sent_icmp6(mi, ICMP6_ECHO_REPLY_, 0) != NULL;
	memif_clear(mi);
	return it_does;
}

/* The flags of an address; -1 = it isn't there. */
static int64_t
flags_of(struct memif *mi, const char *text)
{
	struct in6 addr = a6(text);
	const struct in6_ifaddr *ia;

	in6_embed(&addr, mi->ifp->if_index);
	ia = in6_ifaddr_exact(mi->ifp, &addr);
	return ia == NULL ? -1 : (int64_t)ia->flags;
}

/* --- solicitations (RFC 4861 6.3.7) ----------------------------------------------------------- */

static void
test_a_host_asks_for_routers_three_times(void **state)
{
	const struct mbuf *m[3];

	(void)state;
	memif_open(&wan, 1);
	command("ifconfig mem1 inet6 accept_rtadv");
	assert_int_equal(if_up(wan.ifp), 0);
	pass_ms(60000);
	assert_int_equal(count_icmp6(&wan, ND_ROUTER_SOLICIT_), 3);
	for (unsigned i = 0; i < 3; i++)
		m[i] = sent_icmp6(&wan, ND_ROUTER_SOLICIT_, i);
	assert_int_equal(m[1]->when_ns - m[0]->when_ns, 4 * NS_PER_SEC);
	assert_int_equal(m[2]->when_ns - m[1]->when_ns, 4 * NS_PER_SEC);
	assert_int_equal(frame_ip6(m[0])->hlim, 255);
	assert_in6(&frame_ip6(m[0])->dst, "ff02::2");
	assert_in6(&frame_ip6(m[0])->src, OWN);
	assert_memory_equal(frame_option(m[0], 8, ND_OPT_SOURCE_LL) + 2, wan.ifp->if_lladdr, 6);
}

static void
test_an_advertisement_ends_the_asking(void **state)
{
	(void)state;
	command("ifconfig mem0 inet6 accept_rtadv");
	pass_ms(1100);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 1);
	receive6(ra(1800));
	pass_ms(60000);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 1);
}

static void
test_who_does_not_accept_advertisements_neither_asks_nor_believes(void **state)
{
	(void)state;
	receive6(ra_prefix("2001:db8:9::", 64, PI_L | PI_A, 3600, 1800));
	pass_ms(10000);
	assert_false(goes_by_router());
	assert_int_equal(flags_of(&lan, NEW), -1);
	assert_int_equal(count_icmp6(&lan, ND_ROUTER_SOLICIT_), 0);
}

/* --- what an advertisement says (6.1.2, 6.3.4) ------------------------------------------------ */

static void
test_bad_router_advertisements_are_dropped_silently(void **state)
{
	static const uint8_t empty[8] = { 1, 0 };
	struct mbuf *m;

	(void)state;
	host();
	m = ra(1800);
	mtod(m, struct ip6_hdr *)->hlim = 254;
	receive6(m);
	m = ra(1800);
	m->data[IP6_HDRLEN + 1] = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	m = with_lladdr(
	    router_advert("2001:db8::3", 0, 0, 1800, 0, 0), ND_OPT_SOURCE_LL, other_mac);
	receive6(m);
	receive6(nd_message(ROUTER, "ff02::1", ND_ROUTER_ADVERT_, 1800, 4));
	receive6(with_nd_option(ra(1800), empty, 8));
	assert_false(goes_by_router());
	assert_int_equal(V_icmp6stat.badra, 5);
}

static void
test_a_router_is_a_default_router_for_its_lifetime(void **state)
{
	(void)state;
	host();
	assert_false(goes_by_router());
	receive6(ra(100));
	assert_true(goes_by_router());
	pass_ms(50000);
	receive6(advert(ROUTER, "fe80::1", ROUTER, NA_R | NA_S | NA_O, other_mac));
	receive6(ra(100));
	pass_ms(99000);
	receive6(ra(1));
	assert_true(goes_by_router());
	pass_ms(1100);
	assert_false(goes_by_router());
}

static void
test_a_lifetime_of_zero_ends_a_default_router(void **state)
{
	(void)state;
	host();
	receive6(ra(0));
	assert_false(goes_by_router());
	receive6(ra(1800));
	assert_true(goes_by_router());
	receive6(ra(0));
	assert_false(goes_by_router());
}

static void
test_the_routers_link_address_is_learnt_but_not_trusted(void **state)
{
	(void)state;
	host();
	receive6(ra(1800));
	assert_true(goes_by_router()); /* not asked for */
	pass_ms(5100);
	assert_in6(&frame_ip6(sent_solicit(&lan, ROUTER, 0))->dst, ROUTER); /* was STALE */
}

static void
test_the_routers_hop_limit_is_used(void **state)
{
	(void)state;
	host();
	receive6(router_advert(ROUTER, 77, 0, 0, 0, 0));
	receive6(router_advert(ROUTER, 0, 0, 0, 0, 0)); /* says nothing */
	assert_int_equal(send6("2001:db8::2"), 0);
	assert_int_equal(frame_ip6(sent_one_of(1))->hlim, 77);
}

static void
test_the_routers_timers_are_used(void **state)
{
	(void)state;
	host();
	receive6(router_advert(ROUTER, 0, 0, 0, 8000, 3000));
	receive6(router_advert(ROUTER, 0, 0, 0, 0, 0));
	assert_int_equal(send6("2001:db8::77"), 0);
	pass_ms(2900);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 1);
	pass_ms(200);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 2);
	receive6(advert("2001:db8::77", "2001:db8::1", "2001:db8::77", NA_S | NA_O, other_mac));
	pass_ms(12100); /* one and a half of 8 s: STALE by now */
	memif_clear(&lan);
	assert_int_equal(send6("2001:db8::77"), 0);
	pass_ms(5100);
	assert_non_null(sent_solicit(&lan, "2001:db8::77", 0));
}

static void
test_the_routers_mtu_is_used_if_it_can_be(void **state)
{
	(void)state;
	host();
	receive6(with_mtu(ra(1800), 1400));
	assert_int_equal(in6_ifmtu(lan.ifp), 1400);
	receive6(with_mtu(ra(1800), 1279));
	receive6(with_mtu(ra(1800), 1501));
	assert_int_equal(in6_ifmtu(lan.ifp), 1400);
	receive6(message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 1400));
	assert_int_equal(lan.sent.len, 2); /* fragments */
}

static void
test_a_prefix_is_on_the_link_while_it_lives(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_L, 100, 50));
	assert_int_equal(send6("2001:db8:9::9"), 0);
	assert_non_null(sent_solicit(&lan, "2001:db8:9::9", 0));
	assert_int_equal(left_to(&lan, NULL), 0);
	pass_ms(101000);
	memif_clear(&lan);
	assert_int_equal(send6("2001:db8:9::9"), 0);
	assert_int_equal(left_to(&lan, other_mac), 1); /* through the router again */
}

static void
test_a_valid_lifetime_of_zero_takes_a_prefix_off_the_link(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_L, 3600, 3600));
	receive6(ra_prefix("2001:db8:9::", 64, PI_L, 0, 0));
	assert_int_equal(send6("2001:db8:9::9"), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
}

static void
test_a_prefix_is_not_on_the_link_unless_it_says_so(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 3600, 3600));
	pass_ms(3000);
	assert_true(flags_of(&lan, NEW) >= 0);
	memif_clear(&lan);
	assert_int_equal(send6("2001:db8:9::9"), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
	assert_null(sent_solicit(&lan, "2001:db8:9::9", 0));
}

static void
test_the_link_local_prefix_is_nobodys_to_advertise(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("fe80::", 64, PI_L | PI_A, 1, 1));
	pass_ms(5000);
	assert_true(answers(&lan, "fe80::1"));
}

static void
test_a_router_takes_no_default_route_from_others(void **state)
{
	(void)state;
	host();
	command("sysctl net.inet6.ip6.forwarding=1");
	receive6(ra(1800));
	assert_false(goes_by_router());
}

/* --- which router (6.3.6, 7.2.5, 7.3.3) ------------------------------------------------------- */

static void
test_an_unreachable_router_is_replaced(void **state)
{
	(void)state;
	host();
	receive6(ra(1800));
	assert_true(goes_by_router());
	receive6(router_advert("fe80::2", 0, 0, 1800, 0, 0)); /* a known neighbour */
	pass_ms(20000);                                       /* ROUTER is probed in vain */
	memif_clear(&lan);
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1);
}

static void
test_who_stops_being_a_router_is_no_default_router(void **state)
{
	(void)state;
	host();
	receive6(ra(1800));
	assert_true(goes_by_router());
	receive6(advert(ROUTER, "ff02::1", ROUTER, NA_O, other_mac)); /* R is not set */
	assert_false(goes_by_router());
}

static void
test_without_a_router_off_link_destinations_are_unreachable(void **state)
{
	(void)state;
	host();
	assert_int_not_equal(send6(FAR), 0);
	assert_int_equal(lan.sent.len, 0); /* nor is it asked for on the link (RFC 5942) */
}

/* --- autoconfiguration (RFC 4862 5.5.3, 5.5.4) ------------------------------------------------ */

static void
test_an_address_is_made_of_a_prefix(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_A | PI_L, 3600, 1800));
	assert_true(flags_of(&lan, NEW) & IN6_IFF_TENTATIVE);
	pass_ms(3000);
	assert_non_null(sent_solicit(&lan, NEW, 0)); /* duplicate detection */
	assert_true(answers(&lan, NEW));
}

static void
test_prefixes_that_make_no_address_are_ignored(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_L, 3600, 1800)); /* without A */
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 1800, 3600)); /* preferred for longer */
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 0, 0));       /* not valid */
	receive6(ra_prefix("2001:db8:9::", 80, PI_A, 3600, 1800)); /* with 64 bits not 128 */
	receive6(ra_prefix("2001:db8:9::", 48, PI_A, 3600, 1800));
	pass_ms(3000);
	assert_int_equal(flags_of(&lan, NEW), -1);
}

static void
test_a_valid_lifetime_is_not_shortened_below_two_hours(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 86400, 86400));
	pass_ms(3000);
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 10, 10));
	pass_ms(7100 * 1000);
	assert_true(answers(&lan, NEW));
	pass_ms(200 * 1000);
	assert_false(answers(&lan, NEW));
}

static void
test_a_valid_lifetime_below_two_hours_stays_when_less_is_said(void **state)
{
	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 3600, 3600));
	pass_ms(3000);
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 10, 10));
	pass_ms(3500 * 1000);
	assert_true(answers(&lan, NEW));
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 7000, 10)); /* longer: taken */
	pass_ms(6000 * 1000);
	assert_true(answers(&lan, NEW));
}

static void
test_a_deprecated_address_answers_but_begins_nothing(void **state)
{
	struct in6 dst = a6("2001:db8:9::9"), src;

	(void)state;
	host();
	receive6(ra_prefix("2001:db8:9::", 64, PI_A, 100, 50));
	pass_ms(3000);
	assert_int_equal(ip6_source_for(0, lan.ifp, &dst, &src), 0);
	assert_in6(&src, NEW);
	pass_ms(48000);
	assert_true(flags_of(&lan, NEW) & IN6_IFF_DEPRECATED);
	assert_true(answers(&lan, NEW));
	assert_int_equal(ip6_source_for(0, lan.ifp, &dst, &src), 0);
	assert_in6(&src, "2001:db8::1");
	pass_ms(50000);
	assert_int_equal(flags_of(&lan, NEW), -1);
	assert_false(answers(&lan, NEW));
}

/* --- duplicate detection (RFC 4862 5.3, 5.4) -------------------------------------------------- */

/* mem1 comes up; when this returns its first solicitation has been sent. */
static void
beginning(void)
{
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0);
	for (unsigned i = 0; i < 1500 && sent_solicit(&wan, OWN, 0) == NULL; i++)
		pass_ms(1);
	assert_non_null(sent_solicit(&wan, OWN, 0));
}

static void
test_an_interface_gets_a_link_local_address(void **state)
{
	const struct mbuf *m;

	(void)state;
	beginning();
	m = sent_solicit(&wan, OWN, 0);
	assert_in6(&frame_ip6(m)->src, "::");
	assert_in6(&frame_ip6(m)->dst, OWN_GROUP);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_null(frame_option(m, 24, ND_OPT_SOURCE_LL));
	pass_ms(1100);
	assert_true(answers(&wan, OWN));
}

static void
test_a_tentative_address_neither_answers_nor_sends(void **state)
{
	(void)state;
	beginning();
	assert_true(flags_of(&wan, OWN) & IN6_IFF_TENTATIVE);
	assert_false(answers(&wan, OWN));
	receive6_by(&wan, solicit("fe80::9", OWN_GROUP, OWN, other_mac));
	assert_int_equal(count_icmp6(&wan, ND_NEIGHBOR_ADVERT_), 0);
}

static void
test_its_groups_are_joined_before_an_address_is_tried(void **state)
{
	(void)state;
	beginning();
	assert_true(if_multi_has(wan.ifp, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 1 }));
	assert_true(if_multi_has(wan.ifp, (const uint8_t[]){ 0x33, 0x33, 0xff, 0, 1, 2 }));
}

static void
test_the_first_solicitation_of_a_link_that_comes_up_waits_by_chance(void **state)
{
	uint64_t up = clock_now();

	(void)state;
	beginning();
	assert_true(sent_solicit(&wan, OWN, 0)->when_ns > up);
	assert_true(sent_solicit(&wan, OWN, 0)->when_ns <= up + NS_PER_SEC);
}

static void
test_somebody_who_has_the_address_ends_the_detection(void **state)
{
	(void)state;
	beginning();
	receive6_by(&wan, advert(OWN, "ff02::1", OWN, NA_O, other_mac));
	pass_ms(5000);
	assert_true(flags_of(&wan, OWN) & IN6_IFF_DUPLICATED);
	assert_false(answers(&wan, OWN));
}

static void
test_somebody_who_tries_the_same_address_ends_the_detection(void **state)
{
	(void)state;
	beginning();
	receive6_by(&wan, solicit("::", OWN_GROUP, OWN, NULL));
	pass_ms(5000);
	assert_true(flags_of(&wan, OWN) & IN6_IFF_DUPLICATED);
}

static void
test_somebody_who_looks_for_the_address_does_not_end_the_detection(void **state)
{
	(void)state;
	beginning();
	receive6_by(&wan, solicit("fe80::9", OWN_GROUP, OWN, other_mac));
	pass_ms(1100);
	assert_true(answers(&wan, OWN));
}

static void
test_our_own_solicitation_that_comes_back_does_not_end_the_detection(void **state)
{
	struct mbuf *back;

	(void)state;
	beginning();
	back = m_dup(sent_solicit(&wan, OWN, 0));
	m_adj(back, ETHER_HDR_LEN_);
	receive6_by(&wan, back);
	pass_ms(3000);
	assert_true(answers(&wan, OWN));
}

static void
test_a_duplicate_of_the_link_address_disables_ipv6(void **state)
{
	(void)state;
	beginning();
	receive6_by(&wan, advert(OWN, "ff02::1", OWN, NA_O, other_mac));
	address6(&wan, "2001:db8:1::1", 64, 0);
	assert_false(answers(&wan, "2001:db8:1::1"));
}

static void
test_a_duplicate_of_another_address_disables_nothing(void **state)
{
	(void)state;
	command("ifconfig mem0 inet6 2001:db8::5/64");
	pass_ms(10);
	receive6(advert("2001:db8::5", "ff02::1", "2001:db8::5", NA_O, other_mac));
	pass_ms(3000);
	assert_true(flags_of(&lan, "2001:db8::5") & IN6_IFF_DUPLICATED);
	assert_true(answers(&lan, "2001:db8::1"));
}

static void
test_the_number_of_solicitations_is_set_by_a_sysctl(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.dad_count=3");
	command("ifconfig mem0 inet6 2001:db8::5/64");
	pass_ms(2900);
	assert_true(flags_of(&lan, "2001:db8::5") & IN6_IFF_TENTATIVE);
	pass_ms(200);
	assert_int_equal(flags_of(&lan, "2001:db8::5") & IN6_IFF_TENTATIVE, 0);
	assert_non_null(sent_solicit(&lan, "2001:db8::5", 2));
	assert_null(sent_solicit(&lan, "2001:db8::5", 3));
	command("sysctl net.inet6.ip6.dad_count=0");
	command("ifconfig mem0 inet6 2001:db8::6/64");
	assert_int_equal(flags_of(&lan, "2001:db8::6") & IN6_IFF_TENTATIVE, 0);
	assert_null(sent_solicit(&lan, "2001:db8::6", 0));
}

static void
test_an_anycast_address_is_not_tried(void **state)
{
	(void)state;
	command("ifconfig mem0 inet6 2001:db8::5/64 anycast");
	pass_ms(3000);
	assert_null(sent_solicit(&lan, "2001:db8::5", 0));
	assert_true(answers(&lan, "2001:db8::5"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_host_asks_for_routers_three_times),
		INET6_TEST(test_an_advertisement_ends_the_asking),
		INET6_TEST(test_who_does_not_accept_advertisements_neither_asks_nor_believes),
		INET6_TEST(test_bad_router_advertisements_are_dropped_silently),
		INET6_TEST(test_a_router_is_a_default_router_for_its_lifetime),
		INET6_TEST(test_a_lifetime_of_zero_ends_a_default_router),
		INET6_TEST(test_the_routers_link_address_is_learnt_but_not_trusted),
		INET6_TEST(test_the_routers_hop_limit_is_used),
		INET6_TEST(test_the_routers_timers_are_used),
		INET6_TEST(test_the_routers_mtu_is_used_if_it_can_be),
		INET6_TEST(test_a_prefix_is_on_the_link_while_it_lives),
		INET6_TEST(test_a_valid_lifetime_of_zero_takes_a_prefix_off_the_link),
		INET6_TEST(test_a_prefix_is_not_on_the_link_unless_it_says_so),
		INET6_TEST(test_the_link_local_prefix_is_nobodys_to_advertise),
		INET6_TEST(test_a_router_takes_no_default_route_from_others),
		INET6_TEST(test_an_unreachable_router_is_replaced),
		INET6_TEST(test_who_stops_being_a_router_is_no_default_router),
		INET6_TEST(test_without_a_router_off_link_destinations_are_unreachable),
		INET6_TEST(test_an_address_is_made_of_a_prefix),
		INET6_TEST(test_prefixes_that_make_no_address_are_ignored),
		INET6_TEST(test_a_valid_lifetime_is_not_shortened_below_two_hours),
		INET6_TEST(test_a_valid_lifetime_below_two_hours_stays_when_less_is_said),
		INET6_TEST(test_a_deprecated_address_answers_but_begins_nothing),
		INET6_TEST(test_an_interface_gets_a_link_local_address),
		INET6_TEST(test_a_tentative_address_neither_answers_nor_sends),
		INET6_TEST(test_its_groups_are_joined_before_an_address_is_tried),
		INET6_TEST(test_the_first_solicitation_of_a_link_that_comes_up_waits_by_chance),
		INET6_TEST(test_somebody_who_has_the_address_ends_the_detection),
		INET6_TEST(test_somebody_who_tries_the_same_address_ends_the_detection),
		INET6_TEST(test_somebody_who_looks_for_the_address_does_not_end_the_detection),
		INET6_TEST(test_our_own_solicitation_that_comes_back_does_not_end_the_detection),
		INET6_TEST(test_a_duplicate_of_the_link_address_disables_ipv6),
		INET6_TEST(test_a_duplicate_of_another_address_disables_nothing),
		INET6_TEST(test_the_number_of_solicitations_is_set_by_a_sysctl),
		INET6_TEST(test_an_anycast_address_is_not_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
