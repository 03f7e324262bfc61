/*
 * Unit tests of extension headers (inet6/ip6_ext.c) and of the walk along them (ip6_deliver.c).
 */
#include "inet6_fixture.h"

#include "inet6/ip6_ext.h"

enum { PROTO = 253 };

static unsigned heard;
static unsigned heard_off;
static struct ip_raw raw;

static bool
listen_input(struct ip_raw *r, const struct mbuf *m, unsigned off)
{
	(void)r;
	(void)m;
	heard++;
	heard_off = off;
	return true;
}

static int
setup(void **state)
{
	if (inet6_setup(state) != 0)
		return -1;
	heard = 0;
	raw = (struct ip_raw){ .proto = PROTO, .family = AF_INET6, .input = listen_input };
	ip_raw_attach(&raw);
	return 0;
}

static int
teardown(void **state)
{
	ip_raw_detach(&raw);
	return inet6_teardown(state);
}

#define EXT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* PROTO for us behind one header: `len` bytes whose first two are filled in. */
static struct mbuf *
behind(uint8_t nxt, const uint8_t *bytes, uint32_t len, const char *dst)
{
	uint8_t header[256] = { 0 };

	memcpy(header, bytes, len);
	header[1] = (uint8_t)(len / 8 - 1);
	return with_headers6(packet6("2001:db8::2", dst, PROTO, 8), nxt, header, len);
}

static void
options_come(uint8_t nxt, const uint8_t *bytes, uint32_t len, const char *dst)
{
	memif_clear(&lan);
	receive6(behind(nxt, bytes, len, dst));
}

/* The one answer is a parameter problem. */
static void
assert_problem(unsigned code, unsigned pointer)
{
	const struct icmp6_hdr *icmp;

	assert_int_equal(lan.sent.len, 1);
	icmp = frame_icmp6(lan.sent.head);
	assert_int_equal(icmp->type, ICMP6_PARAM_PROB_);
	assert_int_equal(icmp->code, code);
	assert_int_equal(from_be32(icmp->data), pointer);
}

static void
test_a_chain_of_headers_leads_to_the_protocol(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	const uint8_t routing[8] = { 0, 0, 4, 0 };
	struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);

	(void)state;
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8);
	m = with_headers6(m, IPPROTO_ROUTING_, routing, 8);
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8);
	m = with_headers6(m, IPPROTO_HOPOPTS_, pad, 8);
	receive6(m);
	assert_int_equal(heard, 1);
	assert_int_equal(heard_off, IP6_HDRLEN + 32);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_the_type_of_an_unknown_option_says_what_happens(void **state)
{
	static const uint8_t where[] = { IPPROTO_HOPOPTS_, IPPROTO_DSTOPTS_ };

	(void)state;
	for (unsigned i = 0; i < sizeof(where); i++) {
		uint8_t opt[8] = { 0, 0, 1, 0, 0x1e, 2, 0, 0 };

		heard = 0;
		options_come(where[i], opt, 8, "2001:db8::1"); /* 00: pass */
		assert_int_equal(heard, 1);
		opt[4] = 0x5e; /* 01: nothing is said */
		options_come(where[i], opt, 8, "2001:db8::1");
		assert_int_equal(lan.sent.len, 0);
		opt[4] = 0x9e; /* 10: said */
		options_come(where[i], opt, 8, "2001:db8::1");
		assert_problem(ICMP6_PARAM_OPTION, IP6_HDRLEN + 4);
		options_come(where[i], opt, 8, "ff02::1"); /* … to groups too */
		assert_problem(ICMP6_PARAM_OPTION, IP6_HDRLEN + 4);
		opt[4] = 0xde; /* 11: not to groups */
		options_come(where[i], opt, 8, "2001:db8::1");
		assert_problem(ICMP6_PARAM_OPTION, IP6_HDRLEN + 4);
		options_come(where[i], opt, 8, "ff02::1");
		assert_int_equal(lan.sent.len, 0);
		assert_int_equal(heard, 1);
	}
	assert_int_equal(drops("ip6.unknownopt"), 10);
	assert_int_equal(V_ip6stat.badoptions, 10);
}

static void
test_malformed_options_are_answered_with_their_place(void **state)
{
	const uint8_t over[8] = { 0, 0, 1, 5 }, cut[8] = { 0, 0, 1, 3, 0, 0, 0, 7 };
	const uint8_t alert[8] = { 0, 0, 5, 3, 0, 0, 0, 0 };

	(void)state;
	options_come(IPPROTO_DSTOPTS_, over, 8, "2001:db8::1");
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 3);
	options_come(IPPROTO_DSTOPTS_, cut, 8, "2001:db8::1"); /* a type without a length */
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 7);
	options_come(IPPROTO_HOPOPTS_, alert, 8, "2001:db8::1");
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 3);
	assert_int_equal(drops("ip6.badoptions"), 3);
	assert_int_equal(heard, 0);
}

static void
test_options_and_padding_are_bounded(void **state)
{
	uint8_t eight[40] = { 0 }, nine[40] = { 0 };
	const uint8_t padding[24] = { 0, 0, 1, 6, 0, 0, 0, 0, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		nine[2 + 2 * i] = 0x1e;
		if (i < 8)
			eight[2 + 2 * i] = 0x1e;
	}
	/* a packet's padding is short: the last option fills the rest */
	eight[16] = nine[18] = 0x1e;
	eight[17] = 24 - 18;
	nine[19] = 24 - 20;
	options_come(IPPROTO_DSTOPTS_, eight, 24, "2001:db8::1");
	assert_int_equal(heard, 1);
	options_come(IPPROTO_DSTOPTS_, nine, 24, "2001:db8::1");
	assert_int_equal(heard, 1);
	assert_int_equal(drops("ip6.optlimit"), 1);
	command("sysctl net.inet6.ip6.maxoptions=9");
	options_come(IPPROTO_DSTOPTS_, nine, 24, "2001:db8::1");
	assert_int_equal(heard, 2);
	/* eight bytes of padding in a row */
	options_come(IPPROTO_DSTOPTS_, padding, 24, "2001:db8::1");
	assert_int_equal(drops("ip6.optlimit"), 2);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_headers_of_one_packet_are_bounded(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };

	(void)state;
	command("sysctl net.inet6.ip6.hdrnestlimit=3");
	for (unsigned n = 3; n <= 4; n++) {
		struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);

		for (unsigned i = 0; i < n; i++)
			m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8);
		receive6(m);
	}
	assert_int_equal(heard, 1);
	assert_int_equal(drops("ip6.toomanyhdr"), 1);
	assert_int_equal(V_ip6stat.toomanyhdr, 1);
}

static void
test_a_routing_header_with_hops_left_is_refused(void **state)
{
	uint8_t rh[24] = { 0, 0, 0, 1 };

	(void)state;
	options_come(IPPROTO_ROUTING_, rh, 24, "2001:db8::1");
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
	rh[2] = 4;
	options_come(IPPROTO_ROUTING_, rh, 24, "2001:db8::1");
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
	assert_int_equal(drops("ip6.routing"), 2);
	/* at the end of its way it says nothing any more, type 0 too (RFC 5095) */
	rh[2] = rh[3] = 0;
	options_come(IPPROTO_ROUTING_, rh, 24, "2001:db8::1");
	assert_int_equal(heard, 1);
}

static void
test_hop_by_hop_options_stand_in_the_first_place(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);

	(void)state;
	m = with_headers6(m, IPPROTO_HOPOPTS_, pad, 8);
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8);
	receive6(m);
	assert_problem(ICMP6_PARAM_NEXTHEADER, IP6_HDRLEN);
	assert_int_equal(drops("ip6.hopopts"), 1);
}

static void
test_headers_that_are_cut_off_are_dropped(void **state)
{
	static const uint8_t kinds[] = { IPPROTO_HOPOPTS_, IPPROTO_DSTOPTS_, IPPROTO_ROUTING_ };

	(void)state;
	for (unsigned i = 0; i < sizeof(kinds); i++) {
		struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", kinds[i], 8);

		m->data[IP6_HDRLEN + 1] = 1; /* 16 bytes, it says */
		receive6(m);
		receive6(packet6("2001:db8::2", "2001:db8::1", kinds[i], 1));
	}
	assert_int_equal(drops("ip6.extshort"), 6);
	receive6(packet6("2001:db8::2", "2001:db8::1", IPPROTO_FRAGMENT_, 7));
	assert_int_equal(drops("ip6.fragshort"), 1);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_nothing_may_follow(void **state)
{
	uint64_t before;

	(void)state;
	before = V_ip6stat.delivered;
	receive6(packet6("2001:db8::2", "2001:db8::1", IPPROTO_NONE_, 20));
	assert_int_equal(V_ip6stat.delivered, before + 1);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_authenticated_and_encrypted_packets_are_refused_by_name(void **state)
{
	(void)state;
	receive6(packet6("2001:db8::2", "2001:db8::1", IPPROTO_AH_, 40));
	assert_problem(ICMP6_PARAM_NEXTHEADER, 6);
	memif_clear(&lan);
	receive6(packet6("2001:db8::2", "2001:db8::1", IPPROTO_ESP_, 40));
	assert_problem(ICMP6_PARAM_NEXTHEADER, 6);
	assert_int_equal(drops("ip6.noproto"), 2);
}

static void
test_jumbograms_are_refused(void **state)
{
	const uint8_t jumbo[8] = { 0, 0, 0xc2, 4, 0, 1, 0, 0 };
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	struct mbuf *m = behind(IPPROTO_HOPOPTS_, jumbo, 8, "2001:db8::1");

	(void)state;
	mtod(m, struct ip6_hdr *)->plen = to_be16(0);
	receive6(m);
	assert_problem(ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
	assert_int_equal(drops("ip6.jumbo"), 1);
	memif_clear(&lan);
	/* no length at all */
	m = behind(IPPROTO_HOPOPTS_, pad, 8, "2001:db8::1");
	mtod(m, struct ip6_hdr *)->plen = to_be16(0);
	receive6(m);
	assert_problem(ICMP6_PARAM_HEADER, IP6_PLEN_OFF);
	assert_int_equal(heard, 0);
}

static void
test_a_router_reads_the_options_of_what_it_forwards(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 }, bad[8] = { 0, 0, 0xde, 4 };
	const struct ip6_hdr *ip6;

	(void)state;
	router6();
	options_come(IPPROTO_HOPOPTS_, pad, 8, "2001:db8:1::2");
	assert_int_equal(wan.sent.len, 1);
	ip6 = frame_ip6(wan.sent.head);
	assert_int_equal(ip6->nxt, IPPROTO_HOPOPTS_);
	assert_int_equal(ip6->hlim, 63);
	options_come(IPPROTO_HOPOPTS_, bad, 8, "2001:db8:1::2");
	assert_problem(ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
	/* what is for the destination is not the router's business */
	options_come(IPPROTO_DSTOPTS_, bad, 8, "2001:db8:1::2");
	assert_int_equal(wan.sent.len, 2);
}

static void
test_a_router_hears_the_alert_in_a_group_of_which_it_is_no_member(void **state)
{
	const uint8_t mld[8] = { 0, 0, 5, 2, 0, 0, 1, 0 }, rsvp[8] = { 0, 0, 5, 2, 0, 1, 1, 0 };
	struct mbuf *m;

	(void)state;
	lan.ifp->if_flags |= IFF_ALLMULTI_;
	options_come(IPPROTO_HOPOPTS_, mld, 8, "ff0e::4711");
	assert_int_equal(heard, 0);
	command("sysctl net.inet6.ip6.forwarding=1");
	options_come(IPPROTO_HOPOPTS_, rsvp, 8, "ff0e::4711");
	assert_int_equal(heard, 0);
	options_come(IPPROTO_HOPOPTS_, mld, 8, "ff0e::4711");
	assert_int_equal(heard, 1);
	assert_int_equal(drops("ip6.notmember"), 2);
	lan.ifp->if_flags &= ~(uint32_t)IFF_ALLMULTI_;

	m = behind(IPPROTO_HOPOPTS_, mld, 8, "ff0e::4711");
	assert_int_equal(ip6_router_alert(m), 0);
	m_free(m);
	m = behind(IPPROTO_HOPOPTS_, rsvp, 8, "ff0e::4711");
	assert_int_equal(ip6_router_alert(m), 1);
	m_free(m);
	m = packet6("2001:db8::2", "ff0e::4711", PROTO, 8);
	assert_int_equal(ip6_router_alert(m), -1);
	m_free(m);
}

static void
test_the_upper_header_is_found_or_not(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 }, first[8] = { 0, 0, 0, 1, 0, 0, 0, 9 };
	const uint8_t later[8] = { 0, 0, 0, 9, 0, 0, 0, 9 }, ah[16] = { 0, 2 };
	struct mbuf *m = packet6("2001:db8::2", "2001:db8::1", PROTO, 8);
	uint8_t proto = 0;

	(void)state;
	assert_int_equal(ip6_upper(m->data, m->len, &proto), IP6_HDRLEN);
	assert_int_equal(proto, PROTO);
	m = with_headers6(m, IPPROTO_AH_, ah, 16);
	m = with_headers6(m, IPPROTO_FRAGMENT_, first, 8);
	m = with_headers6(m, IPPROTO_HOPOPTS_, pad, 8);
	assert_int_equal(ip6_upper(m->data, m->len, &proto), IP6_HDRLEN + 32);
	assert_int_equal(proto, PROTO);
	/* without the upper header itself it is still known where it begins, before that not */
	assert_int_equal(ip6_upper(m->data, IP6_HDRLEN + 32, &proto), IP6_HDRLEN + 32);
	for (unsigned len = 0; len < IP6_HDRLEN + 32; len++)
		assert_int_equal(ip6_upper(m->data, len, &proto), -1);
	m_free(m);
	m = with_headers6(
	    packet6("2001:db8::2", "2001:db8::1", PROTO, 8), IPPROTO_FRAGMENT_, later, 8);
	assert_int_equal(ip6_upper(m->data, m->len, &proto), -1);
	m_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EXT_TEST(test_a_chain_of_headers_leads_to_the_protocol),
		EXT_TEST(test_the_type_of_an_unknown_option_says_what_happens),
		EXT_TEST(test_malformed_options_are_answered_with_their_place),
		EXT_TEST(test_options_and_padding_are_bounded),
		EXT_TEST(test_headers_of_one_packet_are_bounded),
		EXT_TEST(test_a_routing_header_with_hops_left_is_refused),
		EXT_TEST(test_hop_by_hop_options_stand_in_the_first_place),
		EXT_TEST(test_headers_that_are_cut_off_are_dropped),
		EXT_TEST(test_nothing_may_follow),
		EXT_TEST(test_authenticated_and_encrypted_packets_are_refused_by_name),
		EXT_TEST(test_jumbograms_are_refused),
		EXT_TEST(test_a_router_reads_the_options_of_what_it_forwards),
		EXT_TEST(test_a_router_hears_the_alert_in_a_group_of_which_it_is_no_member),
		EXT_TEST(test_the_upper_header_is_found_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
