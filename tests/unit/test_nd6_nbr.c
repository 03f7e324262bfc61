/*
 * Unit tests of neighbours' messages (inet6/nd6_nbr.c, nd6_send.c, nd6_proxy.c): what is refused
 * and why, what is answered and how.
 */
#include "nd6_fixture.h"

#include "inet/multicast.h"
#include "inet6/nd6_rtr.h"

/* --- options ---------------------------------------------------------------------------------- */

static void
test_options_are_gathered(void **state)
{
	const uint8_t bytes[] = { 1, 1, 1, 2, 3, 4, 5, 6,        /* source address */
		99, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* unknown */
		5, 1, 0, 0, 0, 0, 5, 220,                        /* MTU 1500 */
		14, 1, 9, 8, 7, 6, 5, 4,                         /* nonce */
		1, 1, 2, 2, 2, 2, 2, 2 /* a second one: ignored */ };
	struct nd6_opts o;

	(void)state;
	assert_true(nd6_options(bytes, sizeof(bytes), &o));
	assert_ptr_equal(o.lladdr[ND_OPT_SOURCE_LL], bytes + 2);
	assert_null(o.lladdr[ND_OPT_TARGET_LL]);
	assert_int_equal(o.mtu, 1500);
	assert_ptr_equal(o.nonce, bytes + 34);
	assert_int_equal(o.nonce_len, 6);
	assert_ptr_equal(o.first, bytes);
	assert_int_equal(o.len, sizeof(bytes));
	assert_true(nd6_options(bytes, 0, &o));
}

static void
test_wrong_options_are_refused(void **state)
{
	static const uint8_t wrong[][16] = {
		{ 1, 0, 1, 2, 3, 4, 5, 6 },        /* length 0 */
		{ 1, 1, 1, 2, 3, 4, 5, 6, 99, 2 }, /* longer than what is there */
		{ 1, 2 },                          /* link address of another kind of link */
		{ 2, 2 }, { 5, 2 },                /* MTU */
	};
	struct nd6_opts o;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(nd6_options(wrong[i], 16, &o));
	/* the rest of less than 8 bytes is none */
	assert_false(nd6_options((const uint8_t[12]){ 1, 1, 0, 0, 0, 0, 0, 0, 1, 1 }, 12, &o));
}

/* --- what is refused -------------------------------------------------------------------------- */

/* One thing wrong in a message that would be right. */
struct bad {
	uint8_t type;
	const char *src, *dst, *target;
	uint32_t flags;
	uint8_t hlim, code;
	bool lladdr, group_lladdr, cut, fragment;
	const char *reason;
};
#define GROUP "ff02::1:ff00:1"
#define US "2001:db8::1"
#define PEER "2001:db8::5"
static const struct bad bads[] = {
	{ 135, PEER, GROUP, US, 0, 254, 0, 1, 0, 0, 0, "nd6.hlim" },
	{ 135, PEER, GROUP, US, 0, 255, 1, 1, 0, 0, 0, "nd6.bad" },
	{ 135, PEER, GROUP, US, 0, 255, 0, 1, 0, 1, 0, "nd6.bad" },
	{ 135, PEER, GROUP, US, 0, 255, 0, 1, 0, 0, 1, "nd6.fragment" },
	{ 135, PEER, GROUP, "ff02::5", 0, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	{ 135, PEER, GROUP, "::", 0, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	{ 135, PEER, GROUP, "::1", 0, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	{ 135, PEER, GROUP, US, 0, 255, 0, 0, 1, 0, 0, "nd6.lladdr" },
	/* from :: only to solicited nodes, and without an address */
	{ 135, "::", "ff02::1", US, 0, 255, 0, 0, 0, 0, 0, "nd6.bad" },
	{ 135, "::", US, US, 0, 255, 0, 0, 0, 0, 0, "nd6.bad" },
	{ 135, "::", GROUP, US, 0, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	/* spoofing: not from this link, or in our name */
	{ 135, "2001:db8:5::5", GROUP, US, 0, 255, 0, 1, 0, 0, 0, "nd6.foreign" },
	{ 135, US, GROUP, US, 0, 255, 0, 1, 0, 0, 0, "nd6.own" },
	{ 135, "fe80::1", GROUP, US, 0, 255, 0, 1, 0, 0, 0, "nd6.own" },

	{ 136, PEER, US, PEER, ND_NA_SOLICITED, 64, 0, 1, 0, 0, 0, "nd6.hlim" },
	{ 136, PEER, US, PEER, ND_NA_SOLICITED, 255, 3, 1, 0, 0, 0, "nd6.bad" },
	{ 136, PEER, US, PEER, ND_NA_SOLICITED, 255, 0, 1, 0, 1, 0, "nd6.bad" },
	{ 136, PEER, US, PEER, ND_NA_SOLICITED, 255, 0, 1, 0, 0, 1, "nd6.fragment" },
	{ 136, PEER, US, "ff02::5", ND_NA_SOLICITED, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	{ 136, PEER, "ff02::1", PEER, ND_NA_SOLICITED, 255, 0, 1, 0, 0, 0, "nd6.bad" },
	{ 136, PEER, US, PEER, ND_NA_SOLICITED, 255, 0, 0, 1, 0, 0, "nd6.lladdr" },
};

static struct mbuf *
bad_message(const struct bad *b)
{
	static const uint8_t group_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct mbuf *m = nd_message(b->type, b->flags, b->src, b->dst, b->target,
	    b->group_lladdr ? group_mac :
		b->lladdr   ? other_mac :
			      NULL);

	mtod(m, struct ip6_hdr *)->hlim = b->hlim;
	m->data[IP6_HDRLEN + 1] = b->code;
	if (b->cut) {
		m_trim(m, IP6_HDRLEN + 20);
		mtod(m, struct ip6_hdr *)->plen = to_be16(20);
	}
	icmp6_sum_at(m, IP6_HDRLEN);
	/* a lonely fragment */
	if (b->fragment)
		m = with_headers6(m, IPPROTO_FRAGMENT_, (uint8_t[8]){ 0, 0, 0, 0, 1, 2, 3, 4 }, 8);
	return m;
}

static void
test_wrong_messages_are_counted_and_change_nothing(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.nd6_debug=1");
	for (unsigned i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		struct llentry *lle = neighbour_in(ND6_INCOMPLETE, PEER);
		uint64_t dropped = drops(b->reason),
			 counted = V_icmp6stat.badns + V_icmp6stat.badna;

		logged[0] = '\0';
		receive6(bad_message(b));
		if (drops(b->reason) != dropped + 1 || lle->state != ND6_INCOMPLETE ||
		    V_icmp6stat.badns + V_icmp6stat.badna != counted + 1 || lan.sent.len != 0 ||
		    strstr(logged, b->type == 135 ? "solicitation" : "advertisement") == NULL)
			fail_msg("row %u: %s", i, logged);
		lla_delete(lle);
	}
	assert_int_equal(in6_lltable(lan.ifp)->count, 2);
}

static void
test_an_option_of_length_zero_drops_the_message(void **state)
{
	struct mbuf *m = nd_message(ND_NEIGHBOR_SOLICIT_, 0, PEER, GROUP, US, other_mac);

	(void)state;
	m->data[IP6_HDRLEN + 25] = 0;
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	assert_int_equal(drops("nd6.options"), 1);
	assert_null(entry6(&lan, PEER));
}

/* --- answers ---------------------------------------------------------------------------------- */

static uint32_t
flags_of(const struct mbuf *m)
{
	return from_be32(frame_nd(m)->icmp.data);
}

static void
test_a_solicitation_is_answered_and_teaches_who_asks(void **state)
{
	const struct mbuf *na;

	(void)state;
	hear_ns(PEER, US, peer_mac);
	na = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0);
	assert_int_equal(flags_of(na), ND_NA_SOLICITED | ND_NA_OVERRIDE);
	assert_in6(&frame_ip6(na)->src, US);
	assert_in6(&frame_ip6(na)->dst, PEER);
	assert_in6(&frame_nd(na)->target, US);
	assert_memory_equal(na->data, peer_mac, 6);
	assert_option(na, ND_OPT_TARGET_LL, lan.ifp->if_lladdr);
	/* the answer was a packet through a stale entry */
	assert_int_equal(entry6(&lan, PEER)->state, ND6_DELAY);
	assert_int_equal(lan.sent.len, 1);
}

static void
test_who_asks_without_an_address_is_resolved_first(void **state)
{
	(void)state;
	hear_ns(PEER, US, NULL);
	assert_int_equal(lan.sent.len, 1);
	assert_in6(&frame_nd(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0))->target, PEER);
	hear_na(PEER, ND_NA_SOLICITED | ND_NA_OVERRIDE, peer_mac);
	assert_in6(&frame_ip6(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0))->dst, PEER);
}

static void
test_detection_of_a_ready_address_is_answered_to_all(void **state)
{
	const struct mbuf *na;

	(void)state;
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, "::", GROUP, US, NULL));
	na = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0);
	assert_int_equal(flags_of(na), ND_NA_OVERRIDE);
	assert_in6(&frame_ip6(na)->dst, "ff02::1");
	assert_memory_equal(na->data, ((uint8_t[]){ 0x33, 0x33, 0, 0, 0, 1 }), 6);
}

static void
test_a_router_says_so(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	hear_ns(PEER, US, peer_mac);
	assert_int_equal(flags_of(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0)),
	    ND_NA_ROUTER | ND_NA_SOLICITED | ND_NA_OVERRIDE);
}

static void
test_nobody_answers_for_others(void **state)
{
	(void)state;
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, PEER, US, "2001:db8::99", peer_mac));
	assert_int_equal(lan.sent.len, 0);
	assert_null(entry6(&lan, PEER));
}

static void
test_a_tentative_address_answers_nobody(void **state)
{
	struct in6 own = a6(US);

	(void)state;
	in6_ifaddr_exact(lan.ifp, &own)->flags |= IN6_IFF_TENTATIVE;
	hear_ns(PEER, US, peer_mac);
	assert_int_equal(lan.sent.len, 0);
	in6_ifaddr_exact(lan.ifp, &own)->flags ^= IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED;
	hear_ns(PEER, US, peer_mac);
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, "::", GROUP, US, NULL));
	assert_int_equal(lan.sent.len, 0);
}

static void
test_an_anycast_address_answers_late_and_overrides_nobody(void **state)
{
	const struct mbuf *na;

	(void)state;
	more_address("2001:db8::a0", IN6_IFF_ANYCAST);
	hear_ns(PEER, "2001:db8::a0", peer_mac);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 0);
	run_for(NS_PER_SEC + NS_PER_MS);
	na = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0);
	assert_int_equal(flags_of(na), ND_NA_SOLICITED);
	/* never from the anycast address itself */
	assert_in6(&frame_ip6(na)->src, US);
}

static void
test_late_answers_are_limited(void **state)
{
	(void)state;
	more_address("2001:db8::a0", IN6_IFF_ANYCAST);
	command("sysctl net.inet6.icmp6.nd6_maxdelayed=2");
	for (int i = 0; i < 5; i++)
		hear_ns(PEER, "2001:db8::a0", peer_mac);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 3);
	run_for(NS_PER_SEC + NS_PER_MS);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 5);
	/* an interface that leaves takes its answers with it: the audit counts */
	hear_ns(PEER, "2001:db8::a0", peer_mac);
}

/* --- advertisements --------------------------------------------------------------------------- */

static void
test_an_advertisement_makes_no_entry(void **state)
{
	uint64_t before = drop_total(curvnet);

	(void)state;
	hear_na(PEER, ND_NA_OVERRIDE, peer_mac);
	assert_null(entry6(&lan, PEER));
	assert_int_equal(drop_total(curvnet), before);
}

static void
test_a_twin_of_a_ready_address_is_logged(void **state)
{
	(void)state;
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, ND_NA_OVERRIDE, US, "ff02::1", US, other_mac));
	assert_non_null(strstr(logged,
	    "nd6: duplicate IPv6 address 2001:db8::1 sent from 02:00:00:00:08:08 on mem0\n"));
	assert_null(entry6(&lan, US));
}

static void
test_with_staticarp_nobody_is_learned(void **state)
{
	(void)state;
	lan.ifp->if_flags |= IFF_STATICARP_;
	hear_ns(PEER, US, peer_mac);
	/* the answer waits for an address that nobody may tell */
	hear_na(PEER, ND_NA_SOLICITED | ND_NA_OVERRIDE, peer_mac);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 0);
	assert_true(entry6(&lan, PEER) == NULL || !(entry6(&lan, PEER)->flags & LLE_VALID));
	command("ndp -s 2001:db8::5 02:00:00:00:09:09");
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 1);
}

static void
test_who_is_no_router_any_more_forwards_no_more(void **state)
{
	struct in6 router = a6("fe80::9%mem0");
	struct mbuf *m;
	uint8_t *ra;

	(void)state;
	command("ifconfig mem0 inet6 accept_rtadv");
	settle6();
	m = message6("fe80::9", "ff02::1", ND_ROUTER_ADVERT_, 0, 8);
	mtod(m, struct ip6_hdr *)->hlim = 255;
	ra = m->data + IP6_HDRLEN;
	memset(ra + 4, 0, 12);
	ra[6] = 0x07; /* router lifetime 1800 s */
	ra[7] = 0x08;
	receive6(with_option(m, ND_OPT_SOURCE_LL, peer_mac));
	assert_true(nd6_is_default_router(lan.ifp, &router));
	assert_true(nd6_is_router(entry6(&lan, "fe80::9%mem0")));
	receive6(nd_message(
	    ND_NEIGHBOR_ADVERT_, ND_NA_ROUTER, "fe80::9", "ff02::1", "fe80::9", peer_mac));
	assert_true(nd6_is_default_router(lan.ifp, &router));
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, 0, "fe80::9", "ff02::1", "fe80::9", peer_mac));
	assert_false(nd6_is_default_router(lan.ifp, &router));
}

/* --- proxies ---------------------------------------------------------------------------------- */

static bool
hears_group_of(const char *text)
{
	struct in6 a = a6(text), group = in6_solicited_node(&a, lan.ifp->if_index), any = in6_any_;
	struct ipaddr g = ipaddr6(&group), s = ipaddr6(&any);

	return mcast_accepts(lan.ifp, &g, &s);
}

static void
test_a_published_entry_is_answered_for(void **state)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 5, 5 };
	const struct mbuf *na;

	(void)state;
	command("ndp -s 2001:db8::55 02:00:00:00:05:05 proxy");
	assert_true(hears_group_of("2001:db8::55"));
	memif_clear(&lan);
	hear_ns(PEER, "2001:db8::55", peer_mac);
	na = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0);
	assert_int_equal(flags_of(na), ND_NA_SOLICITED);
	assert_in6(&frame_nd(na)->target, "2001:db8::55");
	assert_in6(&frame_ip6(na)->src, US);
	assert_option(na, ND_OPT_TARGET_LL, mac);
	/* RFC 4861 7.2.8 with RFC 4862: a proxy defends the address, too */
	memif_clear(&lan);
	receive6(nd_message(
	    ND_NEIGHBOR_SOLICIT_, 0, "::", solicited_text("2001:db8::55"), "2001:db8::55", NULL));
	assert_int_equal(flags_of(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0)), 0);
}

static void
test_a_proxy_ends_with_its_entry(void **state)
{
	struct llentry *lle;

	(void)state;
	command("ndp -s 2001:db8::55 02:00:00:00:05:05 proxy");
	command("ndp -d 2001:db8::55");
	assert_false(hears_group_of("2001:db8::55"));
	command("ndp -s 2001:db8::55 02:00:00:00:05:05 proxy");
	command("ndp -s 2001:db8::55 02:00:00:00:05:05");
	assert_false(hears_group_of("2001:db8::55"));
	memif_clear(&lan);
	hear_ns(PEER, "2001:db8::55", peer_mac);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 0);
	/* also if somebody else still holds it */
	command("ndp -s 2001:db8::56 02:00:00:00:05:05 proxy");
	lle = lle_ref(entry6(&lan, "2001:db8::56"));
	lla_delete(lle);
	lle_rele(lle);
	assert_false(hears_group_of("2001:db8::56"));
}

/* --- events ----------------------------------------------------------------------------------- */

static void
test_another_link_address_is_told_for_each_address(void **state)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 7, 7 };
	const struct mbuf *na;

	(void)state;
	more_address("2001:db8::a0", IN6_IFF_ANYCAST);
	assert_int_equal(if_set_lladdr(lan.ifp, mac), 0);
	na = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 1);
	assert_non_null(na);
	assert_null(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 2));
	assert_int_equal(flags_of(na), ND_NA_OVERRIDE);
	assert_option(na, ND_OPT_TARGET_LL, mac);
	assert_memory_equal(na->data + 6, mac, 6);
	assert_in6(&frame_ip6(na)->dst, "ff02::1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ND6_TEST(test_options_are_gathered),
		ND6_TEST(test_wrong_options_are_refused),
		ND6_TEST(test_wrong_messages_are_counted_and_change_nothing),
		ND6_TEST(test_an_option_of_length_zero_drops_the_message),
		ND6_TEST(test_a_solicitation_is_answered_and_teaches_who_asks),
		ND6_TEST(test_who_asks_without_an_address_is_resolved_first),
		ND6_TEST(test_detection_of_a_ready_address_is_answered_to_all),
		ND6_TEST(test_a_router_says_so),
		ND6_TEST(test_nobody_answers_for_others),
		ND6_TEST(test_a_tentative_address_answers_nobody),
		ND6_TEST(test_an_anycast_address_answers_late_and_overrides_nobody),
		ND6_TEST(test_late_answers_are_limited),
		ND6_TEST(test_an_advertisement_makes_no_entry),
		ND6_TEST(test_a_twin_of_a_ready_address_is_logged),
		ND6_TEST(test_with_staticarp_nobody_is_learned),
		ND6_TEST(test_who_is_no_router_any_more_forwards_no_more),
		ND6_TEST(test_a_published_entry_is_answered_for),
		ND6_TEST(test_a_proxy_ends_with_its_entry),
		ND6_TEST(test_another_link_address_is_told_for_each_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
