/*
 * Conformance of neighbours, seen from outside: RFC 4861 section 7 (addresses resolved, neighbours
 * watched) and section 8 (redirects), with RFC 6980. Routers, prefixes and autoconfiguration are in
 * test_conformance_rtr.c. The rows of docs/ipv6-conformance.md name these tests.
 */
#include "nd6_frames.h"

#define US "2001:db8::1"
#define PEER "2001:db8::77"          /* on the link; nobody knows where */
#define PEER_GROUP "ff02::1:ff00:77" /* who hears it */
#define US_GROUP "ff02::1:ff00:1"

/* --- who asks (7.2.2) ------------------------------------------------------------------------- */

static void
test_a_neighbour_is_asked_for_three_times_by_multicast(void **state)
{
	const uint8_t *option;
	struct in6 target;
	struct mbuf *m;

	(void)state;
	assert_int_equal(send6(PEER), 0);
	m = sent_one_of(1);
	assert_memory_equal(m->data, ((const uint8_t[]){ 0x33, 0x33, 0xff, 0, 0, 0x77 }), 6);
	assert_int_equal(frame_icmp6(m)->type, ND_NEIGHBOR_SOLICIT_);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_in6(&frame_ip6(m)->dst, PEER_GROUP);
	assert_in6(&frame_ip6(m)->src, US);
	target = frame_target(m);
	assert_in6(&target, PEER);
	option = frame_option(m, 24, ND_OPT_SOURCE_LL);
	assert_non_null(option);
	assert_memory_equal(option + 2, lan.ifp->if_lladdr, 6);
	pass_ms(999);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 1);
	pass_ms(10000);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	assert_int_equal(left_to(&lan, NULL), 0);
	assert_int_equal(drops("nd6.timeout"), 1);
}

static void
test_the_solicitation_comes_from_the_packets_own_source(void **state)
{
	const struct in6 src = a6("2001:db8::b"), dst = a6(PEER);
	struct mbuf *m = m_get(8);

	(void)state;
	address6(&lan, "2001:db8::b", 64, 0);
	settle6();
	memset(m->data, 0, 8);
	assert_int_equal(ip6_output(m, &src, &dst, ANY_PROTO, NULL), 0);
	assert_in6(&frame_ip6(sent_solicit(&lan, PEER, 0))->src, "2001:db8::b");
}

static void
test_packets_wait_for_the_answer(void **state)
{
	(void)state;
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, NULL), 0);
	receive6(advert(PEER, US, PEER, NA_S | NA_O, other_mac));
	assert_int_equal(left_to(&lan, other_mac), 2);
	pass_ms(10000);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 1);
}

static void
test_the_newest_packets_wait(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.nd6_maxqueuelen=3");
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(send6(PEER), 0);
	receive6(advert(PEER, US, PEER, NA_S | NA_O, other_mac));
	assert_int_equal(left_to(&lan, other_mac), 3);
	assert_int_equal(drops("nd6.hold"), 2);
}

static void
test_groups_are_resolved_without_asking(void **state)
{
	static const uint8_t mac[6] = { 0x33, 0x33, 0, 1, 2, 3 };

	(void)state;
	assert_int_equal(send6("ff02::1:2:1:203%mem0"), 0);
	assert_int_equal(send6("ff02::1:1:203%mem0"), 0);
	assert_int_equal(left_to(&lan, mac), 2);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 0);
}

/* --- who is asked (7.1.1, 7.2.3, 7.2.4) ------------------------------------------------------- */

static void
test_a_solicitation_is_answered(void **state)
{
	const uint8_t *option;
	struct in6 target;
	struct mbuf *m;

	(void)state;
	receive6(solicit(PEER, US_GROUP, US, other_mac));
	m = sent_one_of(1);
	assert_memory_equal(m->data, other_mac, 6); /* who asks is known now */
	assert_int_equal(frame_icmp6(m)->type, ND_NEIGHBOR_ADVERT_);
	assert_int_equal(frame_icmp6(m)->bytes[0], NA_S | NA_O);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_in6(&frame_ip6(m)->src, US);
	assert_in6(&frame_ip6(m)->dst, PEER);
	target = frame_target(m);
	assert_in6(&target, US);
	option = frame_option(m, 24, ND_OPT_TARGET_LL);
	assert_non_null(option);
	assert_memory_equal(option + 2, lan.ifp->if_lladdr, 6);
}

static void
test_a_router_says_that_it_is_one(void **state)
{
	(void)state;
	router6();
	receive6(solicit(PEER, US_GROUP, US, other_mac));
	assert_int_equal(
	    frame_icmp6(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0))->bytes[0], NA_R | NA_S | NA_O);
}

static void
test_who_asks_without_an_address_is_answered_to_all(void **state)
{
	struct mbuf *m;

	(void)state;
	receive6(solicit("::", US_GROUP, US, NULL));
	m = sent_one_of(1);
	assert_int_equal(frame_icmp6(m)->type, ND_NEIGHBOR_ADVERT_);
	assert_int_equal(frame_icmp6(m)->bytes[0], NA_O);
	assert_in6(&frame_ip6(m)->dst, "ff02::1");
}

/* Each of these is dropped without an answer and without a trace in the table. */
static void
assert_ignored(struct mbuf *m)
{
	uint32_t entries = in6_lltable(lan.ifp)->count;

	receive6(m);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(in6_lltable(lan.ifp)->count, entries);
}

static void
test_bad_solicitations_are_dropped_silently(void **state)
{
	static const uint8_t empty[8] = { 1, 0 }, cut[8] = { 1, 2 };
	struct mbuf *m;

	(void)state;
	m = solicit(PEER, US_GROUP, US, other_mac);
	mtod(m, struct ip6_hdr *)->hlim = 254;
	assert_ignored(m);
	m = solicit(PEER, US_GROUP, US, other_mac);
	m->data[IP6_HDRLEN + 1] = 1; /* code */
	icmp6_sum_at(m, IP6_HDRLEN);
	assert_ignored(m);
	m = solicit(PEER, US_GROUP, US, other_mac);
	m->data[IP6_HDRLEN + 2] ^= 1; /* sum */
	assert_ignored(m);
	assert_ignored(nd_message(PEER, US_GROUP, ND_NEIGHBOR_SOLICIT_, 0, 12));
	assert_ignored(solicit(PEER, US_GROUP, "ff02::1", other_mac));
	assert_ignored(with_nd_option(solicit(PEER, US_GROUP, US, NULL), empty, 8));
	assert_ignored(with_nd_option(solicit(PEER, US_GROUP, US, NULL), cut, 8));
	assert_ignored(solicit("::", US, US, NULL));
	assert_ignored(solicit("::", US_GROUP, US, other_mac));
	assert_int_equal(V_icmp6stat.badns, 8);
}

static void
test_unknown_options_and_reserved_fields_are_ignored(void **state)
{
	static const uint8_t unknown[16] = { 77, 2 };
	struct mbuf *m = solicit(PEER, US_GROUP, US, other_mac);

	(void)state;
	memset(m->data + IP6_HDRLEN + 4, 0xff, 4);
	receive6(with_nd_option(m, unknown, sizeof(unknown)));
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_ADVERT_), 1);
}

static void
test_a_solicitation_for_somebody_else_is_ignored(void **state)
{
	(void)state;
	assert_ignored(solicit("2001:db8::66", "ff02::1", PEER, other_mac));
}

static void
test_discovery_in_fragments_is_ignored(void **state)
{
	static const uint8_t atomic[8] = { 0 };

	(void)state;
	assert_ignored(with_headers6(
	    solicit(PEER, US, US, other_mac), IPPROTO_FRAGMENT_, atomic, sizeof(atomic)));
}

static void
test_who_asks_is_remembered_but_not_trusted(void **state)
{
	(void)state;
	receive6(solicit(PEER, US_GROUP, US, other_mac));
	memif_clear(&lan);
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, other_mac), 1); /* no resolution */
	pass_ms(5100);
	/* STALE, so it was given five seconds, and is asked alone then (7.3.3) */
	assert_in6(&frame_ip6(sent_solicit(&lan, PEER, 0))->dst, PEER);
}

static void
test_a_solicitation_without_a_link_address_makes_no_entry(void **state)
{
	uint32_t entries = in6_lltable(lan.ifp)->count;

	(void)state;
	receive6(solicit("::", US_GROUP, US, NULL));
	assert_int_equal(in6_lltable(lan.ifp)->count, entries);
}

static void
test_a_solicitation_with_another_link_address_changes_it(void **state)
{
	static const uint8_t third[6] = { 2, 0, 0, 0, 3, 3 };

	(void)state;
	receive6(solicit(PEER, US_GROUP, US, other_mac));
	receive6(solicit(PEER, US_GROUP, US, third));
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, third), 1);
}

static void
test_an_anycast_address_is_advertised_late_and_without_override(void **state)
{
	struct mbuf *m;

	(void)state;
	address6(&lan, "2001:db8::aaaa", 64, IN6_IFF_ANYCAST);
	settle6();
	receive6(solicit("2001:db8::2", "ff02::1:ff00:aaaa", "2001:db8::aaaa", peer_mac));
	pass_ms(1000);
	m = sent_one_of(1);
	assert_int_equal(frame_icmp6(m)->type, ND_NEIGHBOR_ADVERT_);
	assert_int_equal(frame_icmp6(m)->bytes[0], NA_S);
}

/* --- advertisements (7.1.2, 7.2.5) ------------------------------------------------------------ */

static void
test_bad_advertisements_are_dropped_silently(void **state)
{
	static const uint8_t empty[8] = { 2, 0 };
	struct mbuf *m;

	(void)state;
	assert_int_equal(send6(PEER), 0);
	memif_clear(&lan);
	m = advert(PEER, US, PEER, NA_S | NA_O, other_mac);
	mtod(m, struct ip6_hdr *)->hlim = 254;
	receive6(m);
	m = advert(PEER, US, PEER, NA_S | NA_O, other_mac);
	m->data[IP6_HDRLEN + 1] = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	receive6(nd_message(PEER, US, ND_NEIGHBOR_ADVERT_, 0, 12));
	receive6(advert(PEER, US, "ff02::1:2", NA_S | NA_O, other_mac));
	receive6(advert(PEER, "ff02::1", PEER, NA_S | NA_O, other_mac)); /* solicited, and to all */
	m = with_lladdr(advert(PEER, US, PEER, NA_S | NA_O, NULL), ND_OPT_TARGET_LL, other_mac);
	receive6(with_nd_option(m, empty, 8));
	assert_int_equal(left_to(&lan, NULL), 0);
	assert_int_equal(V_icmp6stat.badna, 6);
}

static void
test_an_advertisement_of_nobody_we_look_for_is_ignored(void **state)
{
	uint32_t entries = in6_lltable(lan.ifp)->count;

	(void)state;
	receive6(advert(PEER, "ff02::1", PEER, NA_O, other_mac));
	assert_int_equal(in6_lltable(lan.ifp)->count, entries);
}

static void
test_an_answer_without_a_link_address_resolves_nothing(void **state)
{
	(void)state;
	assert_int_equal(send6(PEER), 0);
	receive6(advert(PEER, US, PEER, NA_S | NA_O, NULL));
	assert_int_equal(left_to(&lan, NULL), 0);
}

/* PEER at other_mac, REACHABLE or (unsolicited) STALE. */
static void
resolved(bool reachable)
{
	assert_int_equal(send6(PEER), 0);
	receive6(advert(PEER, US, PEER, reachable ? NA_S | NA_O : NA_O, other_mac));
	memif_clear(&lan);
}

/* Is PEER's next packet sent at once and nothing asked for six seconds: REACHABLE? */
static bool
is_reachable(void)
{
	memif_clear(&lan);
	assert_int_equal(send6(PEER), 0);
	pass_ms(6000);
	return sent_solicit(&lan, PEER, 0) == NULL;
}

static void
test_a_solicited_answer_makes_reachable_an_unsolicited_one_stale(void **state)
{
	(void)state;
	resolved(true);
	assert_true(is_reachable());
	receive6(solicit(PEER, US_GROUP, US, peer_mac)); /* another address: STALE again */
	receive6(advert(PEER, US, PEER, NA_O, other_mac));
	assert_false(is_reachable());
}

static void
test_without_override_a_reachable_neighbour_keeps_its_address_but_is_stale(void **state)
{
	(void)state;
	resolved(true);
	receive6(advert(PEER, US, PEER, NA_S, peer_mac));
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
	assert_false(is_reachable());
}

static void
test_without_override_a_stale_neighbour_is_left_as_it_is(void **state)
{
	(void)state;
	resolved(false);
	receive6(advert(PEER, US, PEER, NA_S, peer_mac));
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
	assert_false(is_reachable());
}

static void
test_with_override_another_address_is_taken(void **state)
{
	(void)state;
	resolved(true);
	receive6(advert(PEER, "ff02::1", PEER, NA_O, peer_mac));
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1);
	assert_false(is_reachable());
	resolved(false);
	receive6(advert(PEER, US, PEER, NA_S | NA_O, other_mac));
	assert_true(is_reachable());
}

static void
test_the_same_address_unsolicited_changes_nothing(void **state)
{
	(void)state;
	resolved(true);
	receive6(advert(PEER, "ff02::1", PEER, NA_O, other_mac));
	assert_true(is_reachable());
}

static void
test_another_link_address_of_ours_is_told_to_all(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 8, 8 };
	const struct mbuf *m = NULL;

	(void)state;
	assert_int_equal(if_set_lladdr(lan.ifp, mac), 0);
	for (unsigned i = 0; (m = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, i)) != NULL; i++) {
		struct in6 target = frame_target(m), us = wire6(US);

		if (in6_equal(&target, &us))
			break;
	}
	assert_non_null(m);
	assert_int_equal(frame_icmp6(m)->bytes[0], NA_O);
	assert_in6(&frame_ip6(m)->dst, "ff02::1");
	assert_memory_equal(frame_option(m, 24, ND_OPT_TARGET_LL) + 2, mac, 6);
}

/* --- who is still there (7.3) ----------------------------------------------------------------- */

static void
test_a_reachable_neighbour_goes_stale_with_time(void **state)
{
	(void)state;
	resolved(true);
	pass_ms(14000); /* less than half of the base time of 30 seconds */
	assert_true(is_reachable());
	pass_ms(30000);
	assert_false(is_reachable());
}

static void
test_a_stale_neighbour_is_used_then_probed_alone_then_forgotten(void **state)
{
	(void)state;
	resolved(false);
	assert_int_equal(send6(PEER), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
	pass_ms(4900);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 0);
	pass_ms(200);
	assert_memory_equal(sent_solicit(&lan, PEER, 0)->data, other_mac, 6);
	assert_in6(&frame_ip6(sent_solicit(&lan, PEER, 0))->dst, PEER);
	assert_int_equal(send6(PEER), 0); /* goes on while it is probed */
	assert_int_equal(left_to(&lan, other_mac), 2);
	pass_ms(3900);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	memif_clear(&lan);
	assert_int_equal(send6(PEER), 0); /* resolved anew */
	assert_int_equal(left_to(&lan, NULL), 0);
	assert_in6(&frame_ip6(sent_solicit(&lan, PEER, 0))->dst, PEER_GROUP);
}

static void
test_a_stale_neighbour_that_is_not_used_is_not_probed(void **state)
{
	(void)state;
	resolved(false);
	pass_ms(3600 * 1000);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 0);
}

static void
test_a_probe_that_is_answered_makes_reachable(void **state)
{
	(void)state;
	resolved(false);
	assert_int_equal(send6(PEER), 0);
	pass_ms(5500);
	receive6(advert(PEER, US, PEER, NA_S, other_mac));
	assert_true(is_reachable());
}

static void
test_an_upper_protocols_word_saves_the_probe(void **state)
{
	struct in6 peer = a6(PEER);

	(void)state;
	resolved(false);
	assert_int_equal(send6(PEER), 0);
	pass_ms(2000);
	nd6_confirm(0, &peer);
	pass_ms(8000);
	assert_int_equal(count_icmp6(&lan, ND_NEIGHBOR_SOLICIT_), 0);
}

/* --- redirects (8) ---------------------------------------------------------------------------- */

#define FAR "2001:db8:7::7"
#define GW "fe80::2"

/* A host that reaches FAR through GW. */
static void
host_behind_gateway(void)
{
	command("route -6 add default fe80::2%mem0");
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1);
	memif_clear(&lan);
}

static void
test_a_redirect_of_the_router_in_use_is_followed(void **state)
{
	(void)state;
	host_behind_gateway();
	receive6(redirect(GW, US, "fe80::99", FAR, other_mac));
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, other_mac), 1); /* its link address came along */
	assert_int_equal(send6("2001:db8:7::8"), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1); /* others go on as before */
}

static void
test_a_redirect_may_say_that_the_destination_is_a_neighbour(void **state)
{
	(void)state;
	host_behind_gateway();
	receive6(redirect(GW, US, FAR, FAR, other_mac));
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, other_mac), 1);
}

static void
test_bad_redirects_are_dropped_silently(void **state)
{
	static const uint8_t empty[8] = { 2, 0 };
	struct mbuf *m;

	(void)state;
	host_behind_gateway();
	m = redirect(GW, US, "fe80::99", FAR, other_mac);
	mtod(m, struct ip6_hdr *)->hlim = 64;
	receive6(m);
	m = redirect(GW, US, "fe80::99", FAR, other_mac);
	m->data[IP6_HDRLEN + 1] = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	receive6(
	    redirect("2001:db8::2", US, "fe80::99", FAR, other_mac));  /* no link-local source */
	receive6(redirect("fe80::3", US, "fe80::99", FAR, other_mac)); /* not the router */
	receive6(redirect(GW, US, "fe80::99", "ff0e::1", other_mac));
	receive6(redirect(GW, US, "2001:db8::99", FAR, other_mac)); /* neither a router nor FAR */
	receive6(with_nd_option(redirect(GW, US, "fe80::99", FAR, NULL), empty, 8));
	receive6(nd_message(GW, US, ND_REDIRECT_, 0, 24));
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1);
	assert_int_equal(left_to(&lan, other_mac), 0);
	assert_int_equal(V_icmp6stat.badredirect, 7);
	assert_int_equal(drops("nd6.redirect"), 1);
}

static void
test_a_router_does_not_follow_redirects(void **state)
{
	(void)state;
	router6();
	host_behind_gateway();
	receive6(redirect(GW, US, "fe80::99", FAR, other_mac));
	assert_int_equal(send6(FAR), 0);
	assert_int_equal(left_to(&lan, peer_mac), 1);
}

static void
test_a_router_tells_of_a_better_first_hop(void **state)
{
	struct in6 better;
	const struct mbuf *m;

	(void)state;
	router6();
	neighbour6(&lan, "fe80::99");
	command("route -6 add 2001:db8:7::/48 fe80::99%mem0");
	receive6(packet6("2001:db8::2", FAR, ANY_PROTO, 1300));
	assert_int_equal(left_to(&lan, peer_mac), 1); /* it goes on, all the same */
	m = sent_icmp6(&lan, ND_REDIRECT_, 0);
	assert_non_null(m);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "2001:db8::2");
	better = frame_target(m);
	assert_in6(&better, "fe80::99");
	assert_memory_equal((const uint8_t *)frame_icmp6(m) + 24, wire6(FAR).b, 16);
	assert_non_null(frame_option(m, 40, ND_OPT_TARGET_LL));
	assert_non_null(frame_option(m, 40, ND_OPT_REDIRECTED));
	assert_true(m->len - ETHER_HDR_LEN_ <= 1280);
}

static void
test_a_destination_on_the_link_is_redirected_to_itself(void **state)
{
	struct in6 better;

	(void)state;
	router6();
	receive6(packet6("2001:db8::3", "2001:db8::2", ANY_PROTO, 40));
	assert_null(sent_icmp6(&lan, ND_REDIRECT_, 0)); /* 2001:db8::3 isn't resolved yet */
	receive6(advert("2001:db8::3", US, "2001:db8::3", NA_S | NA_O, other_mac));
	assert_non_null(sent_icmp6(&lan, ND_REDIRECT_, 0));
	better = frame_target(sent_icmp6(&lan, ND_REDIRECT_, 0));
	assert_in6(&better, "2001:db8::2");
}

static void
test_redirects_are_for_neighbours_only_and_not_for_groups(void **state)
{
	(void)state;
	router6();
	neighbour6(&lan, "fe80::99");
	command("route -6 add 2001:db8:7::/48 fe80::99%mem0");
	receive6(packet6("2001:db8:99::9", FAR, ANY_PROTO, 40));
	receive6(packet6("2001:db8::2", "ff0e::7", ANY_PROTO, 40));
	assert_null(sent_icmp6(&lan, ND_REDIRECT_, 0));
}

static void
test_redirects_are_limited(void **state)
{
	(void)state;
	router6();
	neighbour6(&lan, "fe80::99");
	command("route -6 add 2001:db8:7::/48 fe80::99%mem0");
	command("sysctl net.inet6.icmp6.errppslimit=10");
	for (unsigned i = 0; i < 50; i++)
		receive6(packet6("2001:db8::2", FAR, ANY_PROTO, 40));
	assert_int_equal(count_icmp6(&lan, ND_REDIRECT_), 10);
	assert_int_equal(left_to(&lan, NULL), 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_neighbour_is_asked_for_three_times_by_multicast),
		INET6_TEST(test_the_solicitation_comes_from_the_packets_own_source),
		INET6_TEST(test_packets_wait_for_the_answer),
		INET6_TEST(test_the_newest_packets_wait),
		INET6_TEST(test_groups_are_resolved_without_asking),
		INET6_TEST(test_a_solicitation_is_answered),
		INET6_TEST(test_a_router_says_that_it_is_one),
		INET6_TEST(test_who_asks_without_an_address_is_answered_to_all),
		INET6_TEST(test_bad_solicitations_are_dropped_silently),
		INET6_TEST(test_unknown_options_and_reserved_fields_are_ignored),
		INET6_TEST(test_a_solicitation_for_somebody_else_is_ignored),
		INET6_TEST(test_discovery_in_fragments_is_ignored),
		INET6_TEST(test_who_asks_is_remembered_but_not_trusted),
		INET6_TEST(test_a_solicitation_without_a_link_address_makes_no_entry),
		INET6_TEST(test_a_solicitation_with_another_link_address_changes_it),
		INET6_TEST(test_an_anycast_address_is_advertised_late_and_without_override),
		INET6_TEST(test_bad_advertisements_are_dropped_silently),
		INET6_TEST(test_an_advertisement_of_nobody_we_look_for_is_ignored),
		INET6_TEST(test_an_answer_without_a_link_address_resolves_nothing),
		INET6_TEST(test_a_solicited_answer_makes_reachable_an_unsolicited_one_stale),
		INET6_TEST(
		    test_without_override_a_reachable_neighbour_keeps_its_address_but_is_stale),
		INET6_TEST(test_without_override_a_stale_neighbour_is_left_as_it_is),
		INET6_TEST(test_with_override_another_address_is_taken),
		INET6_TEST(test_the_same_address_unsolicited_changes_nothing),
		INET6_TEST(test_another_link_address_of_ours_is_told_to_all),
		INET6_TEST(test_a_reachable_neighbour_goes_stale_with_time),
		INET6_TEST(test_a_stale_neighbour_is_used_then_probed_alone_then_forgotten),
		INET6_TEST(test_a_stale_neighbour_that_is_not_used_is_not_probed),
		INET6_TEST(test_a_probe_that_is_answered_makes_reachable),
		INET6_TEST(test_an_upper_protocols_word_saves_the_probe),
		INET6_TEST(test_a_redirect_of_the_router_in_use_is_followed),
		INET6_TEST(test_a_redirect_may_say_that_the_destination_is_a_neighbour),
		INET6_TEST(test_bad_redirects_are_dropped_silently),
		INET6_TEST(test_a_router_does_not_follow_redirects),
		INET6_TEST(test_a_router_tells_of_a_better_first_hop),
		INET6_TEST(test_a_destination_on_the_link_is_redirected_to_itself),
		INET6_TEST(test_redirects_are_for_neighbours_only_and_not_for_groups),
		INET6_TEST(test_redirects_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
