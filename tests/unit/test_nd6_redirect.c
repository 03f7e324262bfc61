/*
 * Unit tests of redirects (inet6/nd6_redirect.c; RFC 4861 8): which are believed, what becomes of
 * them, and when we send some.
 */
#include "nd6_fixture.h"

#define ROUTER "fe80::9"
#define BETTER "fe80::8"
#define FAR "2001:db8:9::1"
#define US "2001:db8::1"

/* A redirect from `src` to us: to dst better by target. */
static struct mbuf *
redirect(const char *src, const char *target, const char *dst, const uint8_t *lladdr)
{
	struct mbuf *m = message6(src, US, ND_REDIRECT_, 0, sizeof(struct nd_redirect) - 8);
	struct nd_redirect *rd = (void *)(m->data + IP6_HDRLEN);

	mtod(m, struct ip6_hdr *)->hlim = 255;
	rd->icmp.data = to_be32(0);
	rd->target = wire6(target);
	rd->dst = wire6(dst);
	icmp6_sum_at(m, IP6_HDRLEN);
	return lladdr == NULL ? m : with_option(m, ND_OPT_TARGET_LL, lladdr);
}

/* Packets to FAR go by ROUTER. */
static int
setup(void **state)
{
	if (nd6_setup(state) != 0)
		return -1;
	command("route -6 -q add default fe80::9%mem0");
	neighbour6(&lan, ROUTER);
	memif_clear(&lan);
	return 0;
}
#define REDIRECT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, nd6_teardown)

static struct rtentry *
host_route(const char *dst)
{
	struct in6 a = a6(dst);
	struct rt_addr host = rt_addr_make(AF_INET6, &a, 128);

	return rib_exact(0, &host);
}

static const char *
gateway_of(const struct rtentry *rt)
{
	static char text[IN6_TEXT];

	return rt->gateway.family == AF_INET6 ?
	    in6_ntoa((const struct in6 *)(const void *)rt->gateway.addr, text) :
	    "link";
}

static void
test_a_redirect_to_another_router_is_a_dynamic_host_route(void **state)
{
	struct rtentry *rt;

	(void)state;
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	rt = host_route(FAR);
	assert_non_null(rt);
	assert_string_equal(gateway_of(rt), "fe80::8%mem0");
	assert_int_equal(rt->nh.flags & (RTF_HOST_ | RTF_GATEWAY_ | RTF_DYNAMIC_ | RTF_MODIFIED_),
	    RTF_HOST_ | RTF_GATEWAY_ | RTF_DYNAMIC_);
	assert_int_equal(V_rtstat.dynamic, 1);
	/* the option told where it is, and that it is a router follows */
	assert_true(nd6_is_router(entry6(&lan, BETTER)));
	assert_int_equal(entry6(&lan, BETTER)->state, ND6_STALE);
	send6(FAR, 1);
	assert_memory_equal(lan.sent.head->data, other_mac, 6);
	/* for ten minutes */
	run_for(601 * NS_PER_SEC);
	assert_null(host_route(FAR));
}

static void
test_a_redirect_to_the_destination_puts_it_on_the_link(void **state)
{
	(void)state;
	receive6(redirect(ROUTER, FAR, FAR, other_mac));
	assert_string_equal(gateway_of(host_route(FAR)), "link");
	assert_false(nd6_is_router(entry6(&lan, FAR)));
	send6(FAR, 1);
	assert_memory_equal(lan.sent.head->data, other_mac, 6);
	assert_in6(&frame_ip6(lan.sent.head)->dst, FAR);
}

static void
test_the_next_redirect_comes_from_the_router_then_in_use(void **state)
{
	(void)state;
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	/* the old one has nothing to say any more */
	receive6(redirect(ROUTER, "fe80::7", FAR, other_mac));
	assert_string_equal(gateway_of(host_route(FAR)), "fe80::8%mem0");
	receive6(redirect(BETTER, "fe80::7", FAR, other_mac));
	assert_string_equal(gateway_of(host_route(FAR)), "fe80::7%mem0");
	assert_int_equal(V_rtstat.newgateway, 1);
}

struct bad {
	const char *src, *target, *dst;
	uint8_t hlim, code;
	bool group_lladdr;
	const char *reason;
};
static const struct bad bads[] = {
	/* 8.1 */
	{ ROUTER, BETTER, FAR, 254, 0, 0, "nd6.hlim" },
	{ ROUTER, BETTER, FAR, 255, 1, 0, "nd6.bad" },
	{ "2001:db8::2", BETTER, FAR, 255, 0, 0, "nd6.bad" },
	{ ROUTER, BETTER, "ff0e::1", 255, 0, 0, "nd6.bad" },
	{ ROUTER, "2001:db8::8", FAR, 255, 0, 0, "nd6.bad" },
	{ ROUTER, BETTER, "::", 255, 0, 0, "nd6.bad" },
	{ ROUTER, BETTER, FAR, 255, 0, 1, "nd6.lladdr" },
	/* not the router in use, to itself, to us, of us */
	{ BETTER, "fe80::7", FAR, 255, 0, 0, "nd6.redirect" },
	{ ROUTER, ROUTER, FAR, 255, 0, 0, "nd6.redirect" },
	{ ROUTER, "fe80::1", FAR, 255, 0, 0, "nd6.redirect" },
	{ ROUTER, BETTER, US, 255, 0, 0, "nd6.redirect" },
	/* on the link already */
	{ ROUTER, BETTER, "2001:db8::5", 255, 0, 0, "nd6.redirect" },
};

static void
test_wrong_redirects_change_nothing(void **state)
{
	static const uint8_t group_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const uint64_t routes = rib_count(0, AF_INET6);

	(void)state;
	for (unsigned i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		struct mbuf *m = redirect(
		    b->src, b->target, b->dst, b->group_lladdr ? group_mac : other_mac);
		uint64_t before = drops(b->reason);

		mtod(m, struct ip6_hdr *)->hlim = b->hlim;
		m->data[IP6_HDRLEN + 1] = b->code;
		icmp6_sum_at(m, IP6_HDRLEN);
		receive6(m);
		if (drops(b->reason) != before + 1 || rib_count(0, AF_INET6) != routes)
			fail_msg("row %u", i);
	}
	assert_null(entry6(&lan, BETTER));
}

static void
test_routers_and_those_who_say_so_do_not_listen(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.rediraccept=0");
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	command("sysctl net.inet6.icmp6.rediraccept=1");
	command("sysctl net.inet6.ip6.forwarding=1");
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	assert_int_equal(drops("nd6.redirectoff"), 2);
	assert_null(host_route(FAR));
}

static void
test_a_route_by_hand_only_gets_another_gateway(void **state)
{
	struct rtentry *rt;

	(void)state;
	command("route -6 -q add -host 2001:db8:9::1 fe80::9%mem0");
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	rt = host_route(FAR);
	assert_string_equal(gateway_of(rt), "fe80::8%mem0");
	assert_true(rt->nh.flags & RTF_MODIFIED_);
	run_for(700 * NS_PER_SEC);
	assert_non_null(host_route(FAR));
}

static void
test_routes_by_redirects_are_limited(void **state)
{
	char dst[32];

	(void)state;
	command("sysctl net.inet6.ip6.maxdynroutes=10");
	for (int i = 1; i <= 20; i++) {
		snprintf(dst, sizeof(dst), "2001:db8:9::%x", i);
		receive6(redirect(ROUTER, BETTER, dst, other_mac));
	}
	assert_int_equal(drops("nd6.redirectmany"), 10);
	assert_non_null(host_route("2001:db8:9::a"));
	assert_null(host_route("2001:db8:9::b"));
	/* expired ones make room */
	run_for(601 * NS_PER_SEC);
	receive6(redirect(ROUTER, BETTER, FAR, other_mac));
	assert_non_null(host_route(FAR));
}

/* --- out -------------------------------------------------------------------------------------- */

static const struct nd_redirect *
sent_redirect(void)
{
	const struct mbuf *m = sent_icmp6(&lan, ND_REDIRECT_, 0);

	return m == NULL ? NULL : (const struct nd_redirect *)(const void *)frame_nd(m);
}

static void
test_a_neighbour_is_told_of_the_better_router(void **state)
{
	const struct nd_redirect *rd;
	const uint8_t *option;
	const struct mbuf *m;

	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	receive6(packet6("2001:db8::2", FAR, 200, 30));
	rd = sent_redirect();
	assert_non_null(rd);
	m = sent_icmp6(&lan, ND_REDIRECT_, 0);
	assert_in6(&frame_ip6(m)->src, "fe80::1");
	assert_in6(&frame_ip6(m)->dst, "2001:db8::2");
	assert_in6(&rd->target, ROUTER);
	assert_in6(&rd->dst, FAR);
	option = (const uint8_t *)(rd + 1);
	assert_int_equal(option[0], ND_OPT_TARGET_LL);
	assert_memory_equal(option + 2, peer_mac, 6);
	/* the packet as it came, in whole eights: 70 bytes of it are 64 */
	assert_int_equal(option[8], ND_OPT_REDIRECTED);
	assert_int_equal(option[9], 1 + 64 / 8);
	assert_int_equal(((const struct ip6_hdr *)(const void *)(option + 16))->hlim, 64);
	assert_in6(&((const struct ip6_hdr *)(const void *)(option + 16))->dst, FAR);
	/* and the packet goes on */
	assert_int_equal(V_ip6stat.redirectsent, 1);
	assert_int_equal(V_ip6stat.forward, 1);
}

static void
test_a_redirect_fits_into_the_least_mtu(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	receive6(packet6("2001:db8::2", FAR, 200, 1460));
	assert_in_range(sent_icmp6(&lan, ND_REDIRECT_, 0)->len, 14 + 1273, 14 + 1280);
}

static void
test_a_destination_on_the_link_is_its_own_better_way(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	neighbour6(&lan, "2001:db8::5");
	receive6(packet6("2001:db8::2", "2001:db8::5", 200, 30));
	assert_in6(&sent_redirect()->target, "2001:db8::5");
	assert_in6(&sent_redirect()->dst, "2001:db8::5");
}

static void
test_those_who_cannot_be_told_are_not(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	/* who is not on the link */
	receive6(packet6("2001:db8:5::5", FAR, 200, 30));
	/* no redirects at all */
	command("sysctl net.inet6.ip6.redirect=0");
	receive6(packet6("2001:db8::2", FAR, 200, 30));
	command("sysctl net.inet6.ip6.redirect=1");
	/* a gateway whose link-local address we don't know */
	command("route -6 -q add 2001:db8:8::/48 2001:db8::2");
	receive6(packet6("2001:db8::5", "2001:db8:8::1", 200, 30));
	/* the better hop is the sender */
	receive6(packet6("fe80::9", FAR, 200, 30));
	assert_null(sent_redirect());
}

static void
test_redirects_are_limited(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.forwarding=1");
	command("sysctl net.inet6.icmp6.errppslimit=10");
	for (int i = 0; i < 50; i++)
		receive6(packet6("2001:db8::2", FAR, 200, 30));
	assert_int_equal(count_sent(&lan, ND_REDIRECT_), 10);
	assert_int_equal(V_ip6stat.forward, 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		REDIRECT_TEST(test_a_redirect_to_another_router_is_a_dynamic_host_route),
		REDIRECT_TEST(test_a_redirect_to_the_destination_puts_it_on_the_link),
		REDIRECT_TEST(test_the_next_redirect_comes_from_the_router_then_in_use),
		REDIRECT_TEST(test_wrong_redirects_change_nothing),
		REDIRECT_TEST(test_routers_and_those_who_say_so_do_not_listen),
		REDIRECT_TEST(test_a_route_by_hand_only_gets_another_gateway),
		REDIRECT_TEST(test_routes_by_redirects_are_limited),
		REDIRECT_TEST(test_a_neighbour_is_told_of_the_better_router),
		REDIRECT_TEST(test_a_redirect_fits_into_the_least_mtu),
		REDIRECT_TEST(test_a_destination_on_the_link_is_its_own_better_way),
		REDIRECT_TEST(test_those_who_cannot_be_told_are_not),
		REDIRECT_TEST(test_redirects_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
