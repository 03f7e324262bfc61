/*
 * Unit tests of duplicate address detection (inet6/nd6_dad.c; RFC 4862 5.4, RFC 7527).
 */
#include "nd6_fixture.h"

#define NEW "2001:db8::77"
#define GROUP "ff02::1:ff00:77"

static struct in6_ifaddr *
address(const char *text)
{
	struct in6 a = a6(text);

	in6_embed(&a, lan.ifp->if_index);
	return in6_ifaddr_exact(lan.ifp, &a);
}

/* Add an address that has to be asked for. */
static struct in6_ifaddr *
begin(const char *text, uint32_t flags)
{
	const struct in6_addr_request rq = {
		.addr = a6(text),
		.plen = 64,
		.flags = flags,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};

	memif_clear(&lan);
	assert_int_equal(in6_addr_add(lan.ifp, &rq), 0);
	return address(text);
}

/* Our solicitation comes back as it went out; the n-th from 0. */
static void
return_ns(unsigned n)
{
	struct mbuf *m = m_dup(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, n));

	m_adj(m, ETHER_HDR_LEN_);
	receive6(m);
}

static void
test_a_free_address_is_ready_after_a_second_and_announced(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);
	const struct mbuf *m = sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0);
	const uint8_t *option;

	(void)state;
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_TENTATIVE);
	assert_in6(&frame_ip6(m)->src, "::");
	assert_in6(&frame_ip6(m)->dst, GROUP);
	assert_in6(&frame_nd(m)->target, NEW);
	option = (const uint8_t *)(frame_nd(m) + 1);
	assert_int_equal(option[0], ND_OPT_NONCE);
	assert_int_equal(option[1], 1);
	run_for(NS_PER_SEC - NS_PER_MS);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	assert_null(sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0));
	run_for(2 * NS_PER_MS);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
	assert_null(ia->dad);
	m = sent_icmp6(&lan, ND_NEIGHBOR_ADVERT_, 0);
	assert_in6(&frame_nd(m)->target, NEW);
	assert_in6(&frame_ip6(m)->dst, "ff02::1");
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 1);
}

static void
test_it_is_asked_as_often_as_is_set(void **state)
{
	struct in6_ifaddr *ia;

	(void)state;
	command("sysctl net.inet6.ip6.dad_count=3");
	in6_if_of(lan.ifp)->nd.retrans_ms = 200;
	ia = begin(NEW, 0);
	run_for(500 * NS_PER_MS);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	run_for(110 * NS_PER_MS);
	assert_false(ia->flags & IN6_IFF_TENTATIVE);
	/* each with a nonce of its own */
	assert_memory_not_equal(frame_nd(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0)) + 1,
	    frame_nd(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 1)) + 1, 8);
}

static void
test_with_count_zero_it_is_ready_at_once(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.dad_count=0");
	assert_int_equal(begin(NEW, 0)->flags & IN6_IFF_NOTREADY, 0);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 0);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 1);
}

static void
test_an_advertisement_shows_the_twin(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	run_for(500 * NS_PER_MS);
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, ND_NA_OVERRIDE, NEW, "ff02::1", NEW, other_mac));
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
	assert_non_null(strstr(logged,
	    "mem0: DAD detected duplicate IPv6 address 2001:db8::77: "
	    "NS in/out=0/1, NA in=1, from 02:00:00:00:08:08\n"));
	run_for(10 * NS_PER_SEC);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
	/* the rest of the interface works on */
	assert_int_equal(in6_if_of(lan.ifp)->nd.flags & ND6_IFF_IFDISABLED, 0);
	memif_clear(&lan);
	hear_ns("2001:db8::5", "2001:db8::1", peer_mac);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 1);
}

static void
test_somebody_who_asks_for_the_same_is_a_twin(void **state)
{
	const uint8_t nonce[6] = { 1, 2, 3, 4, 5, 6 };
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	receive6(with_option(
	    nd_message(ND_NEIGHBOR_SOLICIT_, 0, "::", GROUP, NEW, NULL), ND_OPT_NONCE, nonce));
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
	assert_non_null(strstr(logged, "NS in/out=1/1, NA in=0\n"));
}

static void
test_a_twin_of_old_has_no_nonce(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, "::", GROUP, NEW, NULL));
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
}

static void
test_who_resolves_a_tentative_address_is_no_twin(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	hear_ns("2001:db8::5", NEW, peer_mac);
	run_for(2 * NS_PER_SEC);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
}

static void
test_our_own_solicitation_that_returns_is_no_twin(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	return_ns(0);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	/* the loop stays: so does the question */
	run_for(NS_PER_SEC + NS_PER_MS);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 2);
	assert_non_null(strstr(logged, "the link returns our own solicitations"));
	return_ns(0);
	return_ns(1);
	run_for(NS_PER_SEC + NS_PER_MS);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 3);
	/* it goes: ready */
	run_for(NS_PER_SEC + NS_PER_MS);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
}

static void
test_a_twin_shows_on_a_link_with_a_loop_too(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	return_ns(0);
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, "::", GROUP, NEW, NULL));
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
}

static void
test_without_nonces_what_returns_is_a_twin(void **state)
{
	struct in6_ifaddr *ia;

	(void)state;
	command("sysctl net.inet6.ip6.dad_enhanced=0");
	ia = begin(NEW, 0);
	assert_int_equal(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0)->len, 14 + 40 + 24);
	return_ns(0);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
}

static void
test_an_autoconfigured_address_waits_before_it_asks(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, IN6_IFF_AUTOCONF);

	(void)state;
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 0);
	run_for(NS_PER_SEC);
	assert_int_equal(count_sent(&lan, ND_NEIGHBOR_SOLICIT_), 1);
	run_for(NS_PER_SEC + NS_PER_MS);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
}

static void
test_a_duplicate_link_address_disables_ipv6(void **state)
{
	struct in6 own = { .b = { 0xfe, 0x80 } };
	struct in6_ifaddr *ia;
	char text[IN6_TEXT];

	(void)state;
	in6_eui64(&own, lan.ifp->if_lladdr);
	in6_ntoa(&own, text);
	ia = begin(text, 0);
	run_for(NS_PER_SEC);
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, ND_NA_OVERRIDE, text, "ff02::1", text, other_mac));
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, IN6_IFF_DUPLICATED);
	assert_true(in6_if_of(lan.ifp)->nd.flags & ND6_IFF_IFDISABLED);
	assert_non_null(
	    strstr(logged, "mem0: possible hardware address duplication detected, disable IPv6\n"));
	memif_clear(&lan);
	hear_ns("2001:db8::5", "2001:db8::1", peer_mac);
	assert_int_equal(lan.sent.len, 0);
	/* somebody enables it again: all are asked for, and free now */
	command("ndp -i mem0 -disabled");
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	run_for(3 * NS_PER_SEC);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
	hear_ns("2001:db8::5", "2001:db8::1", peer_mac);
	assert_int_not_equal(count_sent(&lan, ND_NEIGHBOR_ADVERT_), 0);
}

static void
test_disabling_ends_what_is_under_way(void **state)
{
	struct in6_ifaddr *ia = begin(NEW, 0);

	(void)state;
	command("ndp -i mem0 disabled");
	assert_null(ia->dad);
	run_for(5 * NS_PER_SEC);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
}

static void
test_it_goes_on_when_the_link_comes_up(void **state)
{
	struct in6_ifaddr *ia;

	(void)state;
	ia = begin(NEW, 0);
	assert_int_equal(if_down(lan.ifp), 0);
	assert_null(ia->dad);
	run_for(5 * NS_PER_SEC);
	assert_true(ia->flags & IN6_IFF_TENTATIVE);
	memif_clear(&lan);
	assert_int_equal(if_up(lan.ifp), 0);
	run_for(2 * NS_PER_SEC + 2 * NS_PER_MS);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
	assert_non_null(sent_icmp6(&lan, ND_NEIGHBOR_SOLICIT_, 0));
	/* a ready one stays ready */
	assert_int_equal(if_down(lan.ifp), 0);
	assert_int_equal(if_up(lan.ifp), 0);
	assert_int_equal(ia->flags & IN6_IFF_NOTREADY, 0);
}

static void
test_an_address_may_go_while_it_is_asked_for(void **state)
{
	struct in6 a = a6(NEW);

	(void)state;
	(void)begin(NEW, 0);
	assert_int_equal(in6_addr_delete(lan.ifp, &a), 0);
	run_for(5 * NS_PER_SEC);
	assert_null(address(NEW));
	/* and so may the interface: the audit counts */
	(void)begin(NEW, 0);
}

static void
test_equal_seeds_give_equal_nonces(void **state)
{
	uint8_t first[6];

	(void)state;
	(void)begin(NEW, 0);
	memcpy(first, (const uint8_t *)(frame_nd(sent_icmp6(&lan, 135, 0)) + 1) + 2, 6);
	nd6_teardown(state);
	nd6_setup(state);
	(void)begin(NEW, 0);
	assert_memory_equal(
	    (const uint8_t *)(frame_nd(sent_icmp6(&lan, 135, 0)) + 1) + 2, first, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ND6_TEST(test_a_free_address_is_ready_after_a_second_and_announced),
		ND6_TEST(test_it_is_asked_as_often_as_is_set),
		ND6_TEST(test_with_count_zero_it_is_ready_at_once),
		ND6_TEST(test_an_advertisement_shows_the_twin),
		ND6_TEST(test_somebody_who_asks_for_the_same_is_a_twin),
		ND6_TEST(test_a_twin_of_old_has_no_nonce),
		ND6_TEST(test_who_resolves_a_tentative_address_is_no_twin),
		ND6_TEST(test_our_own_solicitation_that_returns_is_no_twin),
		ND6_TEST(test_a_twin_shows_on_a_link_with_a_loop_too),
		ND6_TEST(test_without_nonces_what_returns_is_a_twin),
		ND6_TEST(test_an_autoconfigured_address_waits_before_it_asks),
		ND6_TEST(test_a_duplicate_link_address_disables_ipv6),
		ND6_TEST(test_disabling_ends_what_is_under_way),
		ND6_TEST(test_it_goes_on_when_the_link_comes_up),
		ND6_TEST(test_an_address_may_go_while_it_is_asked_for),
		ND6_TEST(test_equal_seeds_give_equal_nonces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
