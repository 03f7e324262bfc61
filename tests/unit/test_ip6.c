/*
 * Unit tests of IPv6's walk in, through and out (inet6/ip6_input.c, ip6_output.c, ip6_deliver.c).
 */
#include "inet6_fixture.h"

#include "net/pfil.h"

enum { PROTO = 253 }; /* for experiments (RFC 3692): nobody here handles it */

/* What a listener has heard of PROTO. */
static struct heard {
	struct ip_raw raw;
	unsigned n;
	uint32_t len;
	unsigned off;
	struct ifnet *rcvif;
	struct ip_info info;
} heard;

static bool
listen_input(struct ip_raw *r, const struct mbuf *m, unsigned off)
{
	(void)r;
	heard.n++;
	heard.len = m->len;
	heard.off = off;
	heard.rcvif = m->rcvif;
	ip6_info(m, off, &heard.info);
	return true;
}

static int
setup(void **state)
{
	if (inet6_setup(state) != 0)
		return -1;
	command("ifconfig lo0 inet6 ::1/128 up");
	heard = (struct heard){
		.raw = { .proto = PROTO, .family = AF_INET6, .input = listen_input },
	};
	ip_raw_attach(&heard.raw);
	return 0;
}

static int
teardown(void **state)
{
	ip_raw_detach(&heard.raw);
	return inet6_teardown(state);
}

#define IP6_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static int
send6(const char *src, const char *dst, uint32_t payload, const struct ip_opts_out *o)
{
	struct in6 s = a6(src), d = a6(dst);
	struct mbuf *m = m_get(payload);
	int error;

	for (uint32_t i = 0; i < payload; i++)
		m->data[i] = (uint8_t)i;
	error = ip6_output(m, &s, &d, PROTO, o);
	while (netisr_run())
		continue;
	return error;
}

static struct icmp6_hdr *
only_answer(struct memif *mi)
{
	assert_int_equal(mi->sent.len, 1);
	return frame_icmp6(mi->sent.head);
}

/* --- in --------------------------------------------------------------------------------------- */

static void
test_what_is_no_ipv6_is_dropped_by_name(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);

	(void)state;
	m_trim(m, 39);
	receive6(m);
	assert_int_equal(drops("ip6.toosmall"), 1);
	m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);
	m->data[0] = 0x45;
	receive6(m);
	assert_int_equal(drops("ip6.badvers"), 1);
	m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);
	mtod(m, struct ip6_hdr *)->plen = to_be16(9);
	receive6(m);
	assert_int_equal(drops("ip6.tooshort"), 1);
	assert_int_equal(heard.n, 0);
	assert_int_equal(V_ip6stat.toosmall + V_ip6stat.badvers + V_ip6stat.tooshort, 3);
}

static void
test_padding_of_the_link_is_cut_off(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 20);

	(void)state;
	mtod(m, struct ip6_hdr *)->plen = to_be16(5);
	receive6(m);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.len, IP6_HDRLEN + 5);
}

static void
test_a_packet_may_be_nothing_but_its_header(void **state)
{
	(void)state;
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 0));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.len, IP6_HDRLEN);
}

static void
test_addresses_that_may_not_be_on_the_wire_are_dropped(void **state)
{
	static const char *const bad[][2] = {
		{ "::1", "2001:db8::1" },
		{ "2001:db8::2", "::1" },
		{ "::ffff:10.0.0.2", "2001:db8::1" },
		{ "2001:db8::2", "::ffff:10.0.0.1" },
		{ "ff02::1", "2001:db8::1" },
		{ "2001:db8::2", "::" },
		{ "2001:db8::2", "ff01::1" },
		{ "2001:db8::2", "ff00::1" },
	};
	const size_t n = sizeof(bad) / sizeof(bad[0]);
	struct mbuf *m;

	(void)state;
	for (size_t i = 0; i < n; i++)
		receive6(packet6(bad[i][0], bad[i][1], PROTO, 8));
	assert_int_equal(drops("ip6.badscope"), n);
	/* bytes where memory has the zone */
	m = packet6("fe80::2", "2001:db8::1", PROTO, 8);
	mtod(m, struct ip6_hdr *)->src.b[3] = 1;
	receive6(m);
	assert_int_equal(drops("ip6.badscope"), n + 1);
	assert_int_equal(V_ip6stat.badscope, n + 1);
	assert_int_equal(heard.n, 0);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_whoever_delivers_hears_addresses_with_their_zone(void **state)
{
	struct in6 src = a6("fe80::2%mem0"), dst = a6("fe80::1%mem0");
	struct mbuf *m = packet6("fe80::2", "fe80::1", PROTO, 8);

	(void)state;
	mtod(m, struct ip6_hdr *)->flow = to_be32(0x6b812345);
	receive6(m);
	assert_int_equal(heard.n, 1);
	assert_true(in6_equal(ipaddr_in6(&heard.info.src), &src));
	assert_true(in6_equal(ipaddr_in6(&heard.info.dst), &dst));
	assert_int_equal(heard.info.tos, 0xb8);
	assert_int_equal(heard.info.ttl, 64);
	assert_int_equal(heard.info.hlen, IP6_HDRLEN);
}

static void
test_a_link_local_address_is_ours_on_its_own_link_only(void **state)
{
	(void)state;
	router6();
	address6(&wan, "fe80::77", 64, 0);
	settle6();
	receive6_by(&wan, packet6("fe80::2", "fe80::77", PROTO, 8));
	assert_int_equal(heard.n, 1);
	receive6_by(&lan, packet6("fe80::2", "fe80::77", PROTO, 8));
	assert_int_equal(heard.n, 1);
	assert_int_equal(drops("ip6.cantforward"), 1);
	assert_int_equal(wan.sent.len + lan.sent.len, 0);
}

static void
test_an_address_that_is_not_ready_takes_no_packets(void **state)
{
	struct in6 addr = a6("2001:db8::1");

	(void)state;
	in6_local(&addr)->flags |= IN6_IFF_TENTATIVE;
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 8));
	assert_int_equal(drops("ip6.notready"), 1);
	in6_local(&addr)->flags &= ~(uint32_t)IN6_IFF_TENTATIVE;
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 8));
	assert_int_equal(heard.n, 1);
}

static void
test_groups_are_heard_by_members_only(void **state)
{
	(void)state;
	receive6(packet6("fe80::2", "ff02::1", PROTO, 8));
	assert_int_equal(heard.n, 1);
	receive6(packet6("fe80::2", "ff02::1:ff00:1", PROTO, 8));
	assert_int_equal(heard.n, 2);
	lan.ifp->if_flags |= IFF_ALLMULTI_; /* what the link's filter lets in */
	receive6(packet6("fe80::2", "ff02::4711", PROTO, 8));
	lan.ifp->if_flags &= ~(uint32_t)IFF_ALLMULTI_;
	assert_int_equal(heard.n, 2);
	assert_int_equal(drops("ip6.notmember"), 1);
}

static void
test_an_interface_without_ipv6_neither_takes_nor_sends(void **state)
{
	(void)state;
	in6_if_of(lan.ifp)->nd.flags |= ND6_IFF_IFDISABLED;
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 8));
	assert_int_equal(heard.n, 0);
	assert_int_equal(drops("ip6.ifdisabled"), 1);
	send6("2001:db8::1", "2001:db8::2", 8, NULL);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("ip6.ifdisabled"), 2);
	in6_if_of(lan.ifp)->nd.flags &= ~(uint32_t)ND6_IFF_IFDISABLED;
}

static void
test_an_unknown_next_header_is_a_parameter_problem(void **state)
{
	struct icmp6_hdr *icmp;

	(void)state;
	receive6(packet6("2001:db8::2", "2001:db8::1", 200, 8));
	icmp = only_answer(&lan);
	assert_int_equal(icmp->type, ICMP6_PARAM_PROB_);
	assert_int_equal(icmp->code, ICMP6_PARAM_NEXTHEADER);
	assert_int_equal(from_be32(icmp->data), 6);
	assert_int_equal(drops("ip6.noproto"), 1);
}

static void
test_a_host_forwards_nothing(void **state)
{
	(void)state;
	receive6(packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8));
	assert_int_equal(drops("ip6.cantforward"), 1);
	assert_int_equal(lan.sent.len, 0);
}

/* --- through ---------------------------------------------------------------------------------- */

static void
test_a_router_forwards_with_one_hop_less(void **state)
{
	struct ip6_hdr *ip6;

	(void)state;
	router6();
	receive6(packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8));
	assert_int_equal(wan.sent.len, 1);
	ip6 = frame_ip6(wan.sent.head);
	assert_int_equal(ip6->hlim, 63);
	assert_memory_equal(wan.sent.head->data, peer_mac, 6);
	assert_in6(&ip6->src, "2001:db8::2");
	assert_in6(&ip6->dst, "2001:db8:1::2");
	assert_int_equal(V_ip6stat.forward, 1);
}

static void
test_the_last_hop_is_answered(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8);
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	mtod(m, struct ip6_hdr *)->hlim = 1;
	receive6(m);
	icmp = only_answer(&lan);
	assert_int_equal(icmp->type, ICMP6_TIME_EXCEEDED_);
	assert_int_equal(icmp->code, ICMP6_TIMX_TRANSIT);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("ip6.hlim"), 1);
}

static void
test_each_route_that_leads_nowhere_has_its_answer(void **state)
{
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	command("route -6 add 2001:db8:66::/48 ::1 -reject");
	command("route -6 add 2001:db8:67::/48 ::1 -blackhole");
	receive6(packet6("2001:db8::2", "2001:db8:99::2", PROTO, 8));
	icmp = only_answer(&lan);
	assert_int_equal(icmp->type, ICMP6_DST_UNREACH_);
	assert_int_equal(icmp->code, ICMP6_UNREACH_NOROUTE);
	memif_clear(&lan);
	receive6(packet6("2001:db8::2", "2001:db8:66::2", PROTO, 8));
	icmp = only_answer(&lan);
	assert_int_equal(icmp->code, ICMP6_UNREACH_REJECT);
	memif_clear(&lan);
	receive6(packet6("2001:db8::2", "2001:db8:67::2", PROTO, 8));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("ip6.blackhole"), 1);
}

static void
test_what_is_too_big_for_the_next_link_is_answered_and_never_cut(void **state)
{
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	assert_int_equal(if_set_mtu(wan.ifp, 1400), 0);
	receive6(packet6("2001:db8::2", "2001:db8:1::2", PROTO, 1361));
	assert_int_equal(wan.sent.len, 0);
	icmp = only_answer(&lan);
	assert_int_equal(icmp->type, ICMP6_PACKET_TOO_BIG_);
	assert_int_equal(from_be32(icmp->data), 1400);
	assert_int_equal(drops("ip6.toobig"), 1);
	receive6(packet6("2001:db8::2", "2001:db8:1::2", PROTO, 1360));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip6(wan.sent.head)->nxt, PROTO);
}

static void
test_a_link_local_source_does_not_leave_its_link(void **state)
{
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	receive6(packet6("fe80::2", "2001:db8:1::2", PROTO, 8));
	assert_int_equal(wan.sent.len, 0);
	icmp = only_answer(&lan);
	assert_int_equal(icmp->type, ICMP6_DST_UNREACH_);
	assert_int_equal(icmp->code, ICMP6_UNREACH_BEYONDSCOPE);
	assert_int_equal(drops("ip6.beyondscope"), 1);
}

static void
test_what_is_not_for_one_node_is_not_forwarded(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8);

	(void)state;
	router6();
	receive6(packet6("::", "2001:db8:1::2", PROTO, 8));
	receive6(packet6("2001:db8::2", "fe80::9", PROTO, 8));
	assert_int_equal(drops("ip6.cantforward"), 2);
	/* to everybody on the link, by the link's address */
	m = m_prepend(m, ETHER_HDR_LEN_);
	memcpy(m->data, ether_broadcast, 6);
	memcpy(m->data + 6, peer_mac, 6);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_IPV6_));
	memif_receive(&lan, m);
	assert_int_equal(drops("ip6.cantforward"), 3);
	assert_int_equal(lan.sent.len + wan.sent.len, 0);
}

static void
test_a_better_first_hop_is_told(void **state)
{
	struct icmp6_hdr *icmp;
	struct mbuf *m;

	(void)state;
	router6();
	neighbour6(&lan, "fe80::3");
	command("route -6 add 2001:db8:5::/48 fe80::3%mem0");
	receive6(packet6("2001:db8::2", "2001:db8:5::1", PROTO, 8));
	m = sent_icmp6(&lan, ND_REDIRECT_, 0);
	assert_non_null(m);
	icmp = frame_icmp6(m);
	assert_int_equal(icmp->code, 0);
	assert_int_equal(lan.sent.len, 2); /* and it is forwarded */
	memif_clear(&lan);
	command("sysctl net.inet6.ip6.redirect=0");
	receive6(packet6("2001:db8::2", "2001:db8:5::1", PROTO, 8));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_ip6(lan.sent.head)->nxt, PROTO);
}

/* A batch of n frames of lan's, of which number `odd` has a hop limit of 1. */
static void
receive_batch(unsigned n, unsigned odd)
{
	struct batch b = { .n = 0 };

	for (unsigned i = 0; i < n; i++) {
		struct mbuf *m = packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8);
		struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

		ip6->flow = to_be32(UINT32_C(6) << 28 | i);
		if (i == odd)
			ip6->hlim = 1;
		m = m_prepend(m, ETHER_HDR_LEN_);
		memcpy(m->data, lan.ifp->if_lladdr, 6);
		memcpy(m->data + 6, peer_mac, 6);
		store16(m->data + 12, __builtin_bswap16(ETHERTYPE_IPV6_));
		batch_add(&b, m);
	}
	if_receive(lan.ifp, &b);
}

static void
test_a_batch_stays_in_order_and_one_that_is_answered_holds_up_nobody(void **state)
{
	unsigned i = 0;

	(void)state;
	router6();
	receive_batch(64, 64);
	assert_int_equal(wan.sent.len, 64);
	for (struct mbuf *m = wan.sent.head; m != NULL; m = m->next)
		assert_int_equal(ip6_flowlabel(frame_ip6(m)), i++);
	memif_clear(&wan);
	receive_batch(9, 4);
	assert_int_equal(wan.sent.len, 8);
	i = 0;
	for (struct mbuf *m = wan.sent.head; m != NULL; m = m->next, i++)
		assert_int_equal(ip6_flowlabel(frame_ip6(m)), i < 4 ? i : i + 1);
	assert_int_equal(only_answer(&lan)->type, ICMP6_TIME_EXCEEDED_);
}

static void
test_a_batch_parts_to_several_interfaces_in_order(void **state)
{
	struct batch b = { .n = 0 };
	struct memif far;
	unsigned last[2] = { 0 };

	(void)state;
	router6();
	memif_open(&far, 2);
	assert_int_equal(if_up(far.ifp), 0);
	address6(&far, "2001:db8:2::1", 64, 0);
	neighbour6(&far, "2001:db8:2::2");
	settle6();
	memif_clear(&far);
	for (unsigned i = 1; i <= 60; i++) {
		struct mbuf *m = packet6(
		    "2001:db8::2", i % 3 == 0 ? "2001:db8:2::2" : "2001:db8:1::2", PROTO, 8);

		mtod(m, struct ip6_hdr *)->flow = to_be32(UINT32_C(6) << 28 | i);
		m->rcvif = lan.ifp;
		batch_add(&b, m);
	}
	ip6_input(&b);
	assert_int_equal(far.sent.len, 20);
	assert_int_equal(wan.sent.len, 40);
	for (struct mbuf *m = far.sent.head; m != NULL; m = m->next) {
		assert_true(ip6_flowlabel(frame_ip6(m)) > last[0]);
		last[0] = ip6_flowlabel(frame_ip6(m));
	}
	for (struct mbuf *m = wan.sent.head; m != NULL; m = m->next) {
		assert_true(ip6_flowlabel(frame_ip6(m)) > last[1]);
		last[1] = ip6_flowlabel(frame_ip6(m));
	}
	memif_close(&far);
}

static void
test_a_link_of_two_is_no_ping_pong(void **state)
{
	struct icmp6_hdr *icmp;

	(void)state;
	router6();
	wan.ifp->if_flags |= IFF_POINTOPOINT_;
	receive6_by(&wan, packet6("2001:db8:1::2", "2001:db8:1::9", PROTO, 8));
	icmp = only_answer(&wan);
	assert_int_equal(icmp->type, ICMP6_DST_UNREACH_);
	assert_int_equal(icmp->code, ICMP6_UNREACH_ADDR);
	assert_int_equal(drops("ip6.pingpong"), 1);
	wan.ifp->if_flags &= ~(uint32_t)IFF_POINTOPOINT_;
}

static void
test_a_router_in_stealth_leaves_the_hop_limit(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8:1::2", PROTO, 8);

	(void)state;
	router6();
	command("sysctl net.inet6.ip6.stealth=1");
	mtod(m, struct ip6_hdr *)->hlim = 1;
	receive6(m);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip6(wan.sent.head)->hlim, 1);
}

static unsigned filtered[2];

static void
count_filter(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	(void)ctx;
	(void)ifp;
	filtered[dir] += b->n;
}

static void
test_the_filter_sees_what_comes_in_and_what_goes_out(void **state)
{
	(void)state;
	router6();
	filtered[PFIL_IN] = filtered[PFIL_OUT] = 0;
	assert_int_equal(pfil_add(PFIL_INET6, PFIL_IN, count_filter, NULL, 0), 0);
	assert_int_equal(pfil_add(PFIL_INET6, PFIL_OUT, count_filter, NULL, 0), 0);
	receive_batch(3, 64);
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 8));
	/* a packet that will be cut is one packet for the filter */
	assert_int_equal(send6("::", "2001:db8::2", 3000, NULL), 0);
	assert_int_equal(filtered[PFIL_IN], 4);
	assert_int_equal(filtered[PFIL_OUT], 4);
	pfil_remove(PFIL_INET6, PFIL_IN, count_filter, NULL);
	pfil_remove(PFIL_INET6, PFIL_OUT, count_filter, NULL);
}

/* --- out -------------------------------------------------------------------------------------- */

static void
test_a_packet_made_here_gets_its_header(void **state)
{
	const struct ip_opts_out o = { .tos = 0xb8, .flowlabel = 0x12345 };
	uint64_t before = V_ip6stat.localout;
	struct ip6_hdr *ip6;

	(void)state;
	assert_int_equal(send6("::", "2001:db8::2", 100, &o), 0);
	assert_int_equal(lan.sent.len, 1);
	ip6 = frame_ip6(lan.sent.head);
	assert_int_equal(from_be32(ip6->flow), 0x6b812345);
	assert_int_equal(from_be16(ip6->plen), 100);
	assert_int_equal(ip6->nxt, PROTO);
	assert_int_equal(ip6->hlim, 64);
	assert_in6(&ip6->src, "2001:db8::1");
	assert_in6(&ip6->dst, "2001:db8::2");
	assert_int_equal(V_ip6stat.localout, before + 1);
}

static void
test_the_hop_limit_is_the_callers_or_the_routers_or_ours(void **state)
{
	const struct ip_opts_out o = { .ttl = 7 };

	(void)state;
	send6("::", "2001:db8::2", 8, &o);
	in6_if_of(lan.ifp)->nd.chlim = 33;
	send6("::", "2001:db8::2", 8, NULL);
	in6_if_of(lan.ifp)->nd.chlim = 0;
	command("sysctl net.inet6.ip6.hlim=77");
	send6("::", "2001:db8::2", 8, NULL);
	assert_int_equal(lan.sent.len, 3);
	assert_int_equal(frame_ip6(lan.sent.head)->hlim, 7);
	assert_int_equal(frame_ip6(lan.sent.head->next)->hlim, 33);
	assert_int_equal(frame_ip6(lan.sent.head->next->next)->hlim, 77);
}

static void
test_an_options_header_stands_between_header_and_payload(void **state)
{
	const uint8_t opts[8] = { 0, 0, 5, 2, 0, 0, 1, 0 };
	const struct ip_opts_out o = {
		.options = opts, .options_len = 8, .options_proto = IPPROTO_HOPOPTS_
	};
	const struct ip6_hdr *ip6;

	(void)state;
	assert_int_equal(send6("::", "2001:db8::2", 16, &o), 0);
	ip6 = frame_ip6(lan.sent.head);
	assert_int_equal(ip6->nxt, IPPROTO_HOPOPTS_);
	assert_int_equal(from_be16(ip6->plen), 24);
	assert_int_equal(((const uint8_t *)(ip6 + 1))[0], PROTO);
	assert_memory_equal((const uint8_t *)(ip6 + 1) + 1, opts + 1, 7);
}

static void
test_a_complete_header_keeps_what_the_caller_said(void **state)
{
	const struct ip_opts_out o = { .hdr_included = true };
	struct mbuf *m = packet6("::", "2001:db8::2", 59, 12);
	struct in6 dst = a6("2001:db8::2");
	const struct ip6_hdr *ip6;

	(void)state;
	mtod(m, struct ip6_hdr *)->hlim = 3;
	mtod(m, struct ip6_hdr *)->plen = to_be16(0);
	assert_int_equal(ip6_output(m, &in6_any_, &dst, 0, &o), 0);
	ip6 = frame_ip6(lan.sent.head);
	assert_int_equal(ip6->hlim, 3);
	assert_int_equal(ip6->nxt, 59);
	assert_int_equal(from_be16(ip6->plen), 12);
	assert_in6(&ip6->src, "2001:db8::1");
	assert_int_equal(V_ip6stat.rawout, 1);
	m = packet6("::", "2001:db8::2", 59, 12);
	m_trim(m, 30);
	assert_int_equal(ip6_output(m, &in6_any_, &dst, 0, &o), -EINVAL);
}

static void
test_link_local_addresses_go_out_without_zone_by_their_interface(void **state)
{
	const struct ip_opts_out by_lan = { .ifp = lan.ifp };
	const struct ip6_hdr *ip6;

	(void)state;
	assert_int_equal(send6("::", "fe80::2%mem0", 8, NULL), 0);
	assert_int_equal(send6("::", "fe80::2", 8, &by_lan), 0);
	assert_int_equal(lan.sent.len, 2);
	ip6 = frame_ip6(lan.sent.head);
	assert_in6(&ip6->src, "fe80::1");
	assert_in6(&ip6->dst, "fe80::2");
	assert_int_equal(ip6->src.b[3] | ip6->dst.b[3], 0);
	assert_int_equal(send6("::", "fe80::2", 8, NULL), -EHOSTUNREACH);
}

static void
test_zones_that_contradict_each_other_are_refused(void **state)
{
	const struct ip_opts_out by_wan = { .ifp = NULL };
	struct ip_opts_out o = by_wan;

	(void)state;
	router6();
	o.ifp = wan.ifp;
	assert_int_equal(send6("::", "fe80::2%mem0", 8, &o), -EINVAL);
	assert_int_equal(send6("fe80::1%mem1", "fe80::2%mem0", 8, NULL), -EADDRNOTAVAIL);
	assert_int_equal(send6("fe80::1%mem1", "2001:db8::2", 8, NULL), -EADDRNOTAVAIL);
	assert_int_equal(lan.sent.len + wan.sent.len, 0);
	assert_int_equal(drops("ip6.outnosource"), 2);
}

static void
test_a_packet_to_ourselves_comes_back(void **state)
{
	(void)state;
	assert_int_equal(send6("::", "2001:db8::1", 8, NULL), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(lan.sent.len, 0);
	assert_in6(ipaddr_in6(&heard.info.src), "2001:db8::1");
	assert_ptr_equal(heard.rcvif, V_loif);
}

static void
test_nothing_comes_from_an_anycast_address(void **state)
{
	(void)state;
	address6(&lan, "2001:db8::a", 64, IN6_IFF_ANYCAST);
	memif_clear(&lan);
	assert_int_equal(send6("::", "2001:db8::a", 8, NULL), 0);
	assert_int_equal(heard.n, 1);
	assert_in6(ipaddr_in6(&heard.info.src), "2001:db8::1");
}

static void
test_a_link_local_packet_to_ourselves_comes_by_the_interface_of_its_zone(void **state)
{
	struct in6 addr = a6("fe80::1%mem0");

	(void)state;
	router6(); /* which has the same address on mem1 */
	assert_int_equal(send6("::", "fe80::1%mem0", 8, NULL), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(lan.sent.len + wan.sent.len, 0);
	assert_ptr_equal(heard.rcvif, lan.ifp);
	assert_true(in6_equal(ipaddr_in6(&heard.info.dst), &addr));
	assert_true(in6_equal(ipaddr_in6(&heard.info.src), &addr));
}

static void
test_members_of_this_stack_hear_what_is_sent_to_their_group(void **state)
{
	const struct ip_opts_out no_loop = { .no_loop = true };

	(void)state;
	assert_int_equal(send6("::", "ff02::1%mem0", 8, NULL), 0);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_ip6(lan.sent.head)->hlim, 1);
	assert_in6(&frame_ip6(lan.sent.head)->dst, "ff02::1");
	assert_int_equal(heard.n, 1);
	assert_ptr_equal(heard.rcvif, lan.ifp);
	assert_int_equal(send6("::", "ff02::1%mem0", 8, &no_loop), 0);
	assert_int_equal(send6("::", "ff02::4711%mem0", 8, NULL), 0);
	assert_int_equal(lan.sent.len, 3);
	assert_int_equal(heard.n, 1);
}

static void
test_a_group_of_interface_scope_stays_in_the_stack(void **state)
{
	(void)state;
	assert_int_equal(send6("::", "ff01::4711%mem0", 8, NULL), 0);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_a_wide_group_goes_where_the_routes_say(void **state)
{
	(void)state;
	assert_int_equal(send6("::", "ff0e::4711", 8, NULL), -ENETUNREACH);
	command("route -6 add default 2001:db8::2");
	assert_int_equal(send6("::", "ff0e::4711", 8, NULL), 0);
	assert_int_equal(lan.sent.len, 1);
	/* on the link, not to the router */
	assert_memory_equal(lan.sent.head->data, ((uint8_t[]){ 0x33, 0x33, 0, 0, 0x47, 0x11 }), 6);
}

static void
test_what_does_not_fit_goes_out_in_fragments(void **state)
{
	const struct ip_opts_out df = { .df = true };

	(void)state;
	assert_int_equal(send6("::", "2001:db8::2", 3000, NULL), 0);
	assert_int_equal(lan.sent.len, 3);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next) {
		assert_true(m->len <= 1500 + ETHER_HDR_LEN_);
		assert_int_equal(frame_ip6(m)->nxt, IPPROTO_FRAGMENT_);
	}
	assert_int_equal(V_ip6stat.fragmented, 1);
	assert_int_equal(V_ip6stat.ofragments, 3);
	assert_int_equal(send6("::", "2001:db8::2", 1461, &df), -EMSGSIZE);
	assert_int_equal(send6("::", "2001:db8::2", 1460, &df), 0);
	assert_int_equal(lan.sent.len, 4);
}

static void
test_routes_that_lead_nowhere_are_errors(void **state)
{
	const struct ip_opts_out on_link = { .dont_route = true };

	(void)state;
	assert_int_equal(send6("::", "2001:db8:99::1", 8, NULL), -EHOSTUNREACH);
	command("route -6 add 2001:db8:66::/48 ::1 -reject");
	assert_int_equal(send6("::", "2001:db8:66::1", 8, NULL), -EHOSTUNREACH);
	command("route -6 add 2001:db8:68::/48 2001:db8::2");
	assert_int_equal(send6("::", "2001:db8:68::1", 8, &on_link), -ENETUNREACH);
	assert_int_equal(send6("::", "2001:db8:68::1", 8, NULL), 0);
	assert_int_equal(send6("::", "::", 8, NULL), -EHOSTUNREACH);
	assert_int_equal(send6("::", "2001:db8::2", 65535 - 100, NULL), 0);
	assert_int_equal(V_ip6stat.noroute, 4);
}

static void
test_a_packet_may_come_from_nobody_if_its_sender_says_so(void **state)
{
	const struct ip_opts_out o = { .src_unspecified = true, .ifp = lan.ifp, .ttl = 255 };

	(void)state;
	assert_int_equal(send6("::", "ff02::4711", 8, &o), 0);
	assert_in6(&frame_ip6(lan.sent.head)->src, "::");
	assert_int_equal(frame_ip6(lan.sent.head)->hlim, 255);
}

static void
test_netstat_says_what_happened(void **state)
{
	static struct tool t;

	(void)state;
	receive6(packet6("2001:db8::2", "2001:db8::1", PROTO, 8));
	send6("::", "2001:db8::2", 3000, NULL);
	assert_int_equal(tool(&t, NULL, "netstat -s -p ip6"), 0);
	assert_non_null(strstr(t.out, "ip6:\n"));
	assert_non_null(strstr(t.out, "\t1 packet for this host\n"));
	assert_non_null(strstr(t.out, "\t1 output datagram fragmented\n"));
	assert_non_null(strstr(t.out, "\t3 fragments created\n"));
	assert_non_null(strstr(t.out, "Input histogram:\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IP6_TEST(test_what_is_no_ipv6_is_dropped_by_name),
		IP6_TEST(test_padding_of_the_link_is_cut_off),
		IP6_TEST(test_a_packet_may_be_nothing_but_its_header),
		IP6_TEST(test_addresses_that_may_not_be_on_the_wire_are_dropped),
		IP6_TEST(test_whoever_delivers_hears_addresses_with_their_zone),
		IP6_TEST(test_a_link_local_address_is_ours_on_its_own_link_only),
		IP6_TEST(test_an_address_that_is_not_ready_takes_no_packets),
		IP6_TEST(test_groups_are_heard_by_members_only),
		IP6_TEST(test_an_interface_without_ipv6_neither_takes_nor_sends),
		IP6_TEST(test_an_unknown_next_header_is_a_parameter_problem),
		IP6_TEST(test_a_host_forwards_nothing),
		IP6_TEST(test_a_router_forwards_with_one_hop_less),
		IP6_TEST(test_the_last_hop_is_answered),
		IP6_TEST(test_each_route_that_leads_nowhere_has_its_answer),
		IP6_TEST(test_what_is_too_big_for_the_next_link_is_answered_and_never_cut),
		IP6_TEST(test_a_link_local_source_does_not_leave_its_link),
		IP6_TEST(test_what_is_not_for_one_node_is_not_forwarded),
		IP6_TEST(test_a_better_first_hop_is_told),
		IP6_TEST(test_a_batch_stays_in_order_and_one_that_is_answered_holds_up_nobody),
		IP6_TEST(test_a_batch_parts_to_several_interfaces_in_order),
		IP6_TEST(test_a_link_of_two_is_no_ping_pong),
		IP6_TEST(test_a_router_in_stealth_leaves_the_hop_limit),
		IP6_TEST(test_the_filter_sees_what_comes_in_and_what_goes_out),
		IP6_TEST(test_a_packet_made_here_gets_its_header),
		IP6_TEST(test_the_hop_limit_is_the_callers_or_the_routers_or_ours),
		IP6_TEST(test_an_options_header_stands_between_header_and_payload),
		IP6_TEST(test_a_complete_header_keeps_what_the_caller_said),
		IP6_TEST(test_link_local_addresses_go_out_without_zone_by_their_interface),
		IP6_TEST(test_zones_that_contradict_each_other_are_refused),
		IP6_TEST(test_a_packet_to_ourselves_comes_back),
		IP6_TEST(test_nothing_comes_from_an_anycast_address),
		IP6_TEST(test_a_link_local_packet_to_ourselves_comes_by_the_interface_of_its_zone),
		IP6_TEST(test_members_of_this_stack_hear_what_is_sent_to_their_group),
		IP6_TEST(test_a_group_of_interface_scope_stays_in_the_stack),
		IP6_TEST(test_a_wide_group_goes_where_the_routes_say),
		IP6_TEST(test_what_does_not_fit_goes_out_in_fragments),
		IP6_TEST(test_routes_that_lead_nowhere_are_errors),
		IP6_TEST(test_a_packet_may_come_from_nobody_if_its_sender_says_so),
		IP6_TEST(test_netstat_says_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
