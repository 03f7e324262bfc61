/*
 * Unit tests of ICMPv6 (inet6/icmp6.c, icmp6_stat.c). "c", "e.3" and the like: RFC 4443 section
 * 2.4.
 */
#include "inet6_fixture.h"

enum { TEST_PROTO = 253, TEST_TYPE = 200 };

/* --- rooms of the test's own ------------------------------------------------------------------ */

static struct {
	unsigned n;
	uint8_t type, code;
	uint32_t arg;
	struct in6 src, dst;
	unsigned off;
	size_t len;
} heard;

static void
test_ctlinput(
    uint8_t type, uint8_t code, uint32_t arg, const struct ip6_hdr *inner, unsigned off, size_t len)
{
	heard.n++;
	heard.type = type;
	heard.code = code;
	heard.arg = arg;
	heard.src = inner->src;
	heard.dst = inner->dst;
	heard.off = off;
	heard.len = len;
}
static void
test_proto_input(struct mbuf *m, unsigned off)
{
	(void)off;
	m_free(m);
}
IP6_PROTOCOL_DEFINE(
    test, .proto = TEST_PROTO, .input = test_proto_input, .ctlinput = test_ctlinput);

static struct ip_info message_info;
static unsigned message_off, messages;

static void
test_message_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	message_info = *info;
	message_off = off;
	messages++;
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(test, .type = TEST_TYPE, .input = test_message_input);

static int
setup(void **state)
{
	memset(&heard, 0, sizeof(heard));
	messages = 0;
	return inet6_setup(state);
}
#define ICMP6_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, inet6_teardown)

/* --- helpers ---------------------------------------------------------------------------------- */

/* An error that quotes `inner` (freed); comes from src. */
static struct mbuf *
error_about(const char *src, uint8_t type, uint8_t code, uint32_t arg, struct mbuf *inner)
{
	const uint32_t quote = inner->len < 1232 ? inner->len : 1232;
	struct mbuf *m = message6(src, "2001:db8::1", type, code, quote);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	icmp->data = to_be32(arg);
	memcpy(icmp + 1, inner->data, quote);
	m_free(inner);
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

/* A packet that left here. */
static struct mbuf *
ours(uint32_t payload)
{
	return packet6("2001:db8::1", "2001:db8:7::7", TEST_PROTO, payload);
}

/* Was `m` (taken) answered by an error? */
static bool
answered(struct mbuf *m, uint8_t type, uint8_t code, uint32_t arg)
{
	uint32_t before = lan.sent.len;

	if (m->rcvif == NULL)
		m->rcvif = lan.ifp;
	icmp6_error(m, type, code, arg);
	m_free(m);
	return lan.sent.len == before + 1;
}

static struct mbuf *
flagged(struct mbuf *m, uint16_t flags)
{
	m->flags |= flags;
	return m;
}

/* --- echo ------------------------------------------------------------------------------------- */

static void
test_echo6_is_answered_with_the_same_data(void **state)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 56), *reply;
	uint8_t data[56];

	(void)state;
	memcpy(data, m->data + IP6_HDRLEN + 8, 56);
	mtod(m, struct ip6_hdr *)->flow = to_be32(0x64800000); /* class 0x48 */
	receive6(m);
	reply = sent_one_of(1);
	assert_int_equal(frame_icmp6(reply)->type, ICMP6_ECHO_REPLY_);
	assert_int_equal(frame_icmp6(reply)->code, 0);
	assert_int_equal(from_be16(frame_icmp6(reply)->echo.id), 0x1234);
	assert_int_equal(from_be16(frame_icmp6(reply)->echo.seq), 5);
	assert_memory_equal(frame_icmp6(reply) + 1, data, 56);
	assert_in6(&frame_ip6(reply)->src, "2001:db8::1");
	assert_in6(&frame_ip6(reply)->dst, "2001:db8::2");
	assert_int_equal(frame_ip6(reply)->hlim, 64);
	assert_int_equal(ip6_class(frame_ip6(reply)), 0x48);
	assert_int_equal(V_icmp6stat.inhist[ICMP6_ECHO_REQUEST_], 1);
	assert_int_equal(V_icmp6stat.outhist[ICMP6_ECHO_REPLY_], 1);
	assert_int_equal(V_icmp6stat.reflect, 1);
}

static void
test_echo6_leaves_at_its_requests_time(void **state)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8);
	const uint64_t when = clock_now() + 5 * NS_PER_SEC;

	(void)state;
	m->rcvif = lan.ifp;
	m->when_ns = when;
	ip6_deliver(m);
	assert_int_equal(sent_one_of(1)->when_ns, when);
}

static void
test_the_largest_echo6_comes_back_whole(void **state)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 65527);

	(void)state;
	m->rcvif = lan.ifp;
	m->when_ns = clock_now();
	ip6_deliver(m);
	/* 1,500 less 40 less 8, in multiples of 8 */
	assert_int_equal(lan.sent.len, (65535 + 1447) / 1448);
}

static void
test_echo6_to_a_group_is_answered_from_an_address_of_the_interface(void **state)
{
	(void)state;
	receive6(message6("fe80::2", "ff02::1", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "fe80::1");
	assert_in6(&frame_ip6(sent_one_of(1))->dst, "fe80::2");
	receive6(message6("2001:db8::2", "ff02::1", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_in6(&frame_ip6(sent_one_of(2))->src, "2001:db8::1");
	assert_int_equal(frame_icmp6(sent_one_of(2))->type, ICMP6_ECHO_REPLY_);
}

static void
test_echo6_comes_from_the_address_that_was_asked(void **state)
{
	(void)state;
	address6(&lan, "2001:db8:ffff::b", 64, 0);
	settle6();
	receive6(message6("2001:db8::2", "2001:db8:ffff::b", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8:ffff::b");
}

static void
test_echo6_to_a_group_never_comes_from_another_interface(void **state)
{
	(void)state;
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0); /* it has a link-local address only */
	settle6();
	receive6_by(&wan, message6("2001:db8::9", "ff02::1", ICMP6_ECHO_REQUEST_, 0, 8));
	for (const struct mbuf *m = lan.sent.head; m != NULL; m = m->next)
		assert_int_not_equal(frame_ip6(m)->nxt, IPPROTO_ICMPV6_);
	assert_int_equal(drops("icmp6.nosource"), 1);
}

static void
test_echo6_to_an_anycast_address_is_answered_from_a_unicast_one(void **state)
{
	(void)state;
	address6(&lan, "2001:db8::aaaa", 64, IN6_IFF_ANYCAST);
	settle6();
	receive6(message6("2001:db8::2", "2001:db8::aaaa", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8::1");
}

static void
test_echo6_from_nobody_gets_no_answer(void **state)
{
	(void)state;
	receive6(message6("::", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("icmp6.badaddr"), 1);
}

static void
test_echo6_replies_are_not_limited(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.errppslimit=1");
	for (unsigned i = 0; i < 300; i++)
		receive6(message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_int_equal(lan.sent.len, 300);
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static void
test_damaged_messages6_are_counted_by_name(void **state)
{
	struct mbuf *m;

	(void)state;
	m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8);
	m->data[IP6_HDRLEN + 9] ^= 1;
	receive6(m);
	assert_int_equal(drops("icmp6.badsum"), 1);
	assert_int_equal(V_icmp6stat.checksum, 1);

	m = packet6("2001:db8::2", "2001:db8::1", IPPROTO_ICMPV6_, 7);
	receive6(m);
	assert_int_equal(drops("icmp6.tooshort"), 1);
	assert_int_equal(V_icmp6stat.tooshort, 1);

	receive6(message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 3, 8));
	assert_int_equal(drops("icmp6.badcode"), 1);
	assert_int_equal(V_icmp6stat.badcode, 1);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_the_sum_covers_the_addresses_and_the_protocol(void **state)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	(void)state;
	icmp->sum = 0;
	icmp->sum = cksum_fold(cksum_add(0, icmp, 16)); /* as ICMP of IPv4 has it */
	receive6(m);
	assert_int_equal(drops("icmp6.badsum"), 1);

	m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8);
	mtod(m, struct ip6_hdr *)->src = wire6(
	    "2001:db8::3"); /* somebody has changed it on the way */
	receive6(m);
	assert_int_equal(drops("icmp6.badsum"), 2);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_an_unknown_informational_message_is_dropped_silently(void **state)
{
	(void)state;
	receive6(message6("2001:db8::2", "2001:db8::1", 201, 0, 8)); /* b */
	receive6(message6("2001:db8::2", "2001:db8::1", 255, 0, 8));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("icmp6.unknown"), 2);
	assert_int_equal(V_icmp6stat.inhist[201], 1);
}

static void
test_a_message_goes_to_the_room_that_registered_its_type(void **state)
{
	struct mbuf *m = message6("fe80::2", "ff02::1", TEST_TYPE, 0, 8);
	struct in6 from = a6("fe80::2%mem0");

	(void)state;
	mtod(m, struct ip6_hdr *)->hlim = 255;
	receive6(m);
	assert_int_equal(messages, 1);
	assert_int_equal(message_off, IP6_HDRLEN);
	assert_int_equal(message_info.ttl, 255);
	assert_true(in6_equal(ipaddr_in6(&message_info.src), &from));
	assert_int_equal(V_icmp6stat.inhist[TEST_TYPE], 1);
	m = message6("fe80::2", "ff02::1", TEST_TYPE, 0, 8);
	m->data[IP6_HDRLEN + 4] ^= 1;
	receive6(m);
	assert_int_equal(messages, 1);
}

/* --- errors out ------------------------------------------------------------------------------- */

static void
test_no_error_answers_an_error_or_a_redirect(void **state)
{
	static const uint8_t errors[] = { 0, ICMP6_DST_UNREACH_, ICMP6_PACKET_TOO_BIG_,
		ICMP6_TIME_EXCEEDED_, ICMP6_PARAM_PROB_, 100, 127, ND_REDIRECT_ };
	static const uint8_t others[] = { ICMP6_ECHO_REQUEST_, ICMP6_ECHO_REPLY_,
		ND_NEIGHBOR_SOLICIT_, 200 };

	(void)state;
	for (unsigned i = 0; i < sizeof(errors); i++) /* e.1, e.2 */
		assert_false(answered(message6("2001:db8::2", "2001:db8:7::7", errors[i], 0, 64),
		    ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, 0));
	assert_int_equal(V_icmp6stat.canterror, sizeof(errors));
	for (unsigned i = 0; i < sizeof(others); i++)
		assert_true(answered(message6("2001:db8::2", "2001:db8:7::7", others[i], 0, 64),
		    ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, 0));
	assert_int_equal(V_icmp6stat.canterror, sizeof(errors));
}

static void
test_no_error_answers_an_error_behind_other_headers(void **state)
{
	static const uint8_t options[8] = { 0, 0, 1, 4, 0, 0, 0, 0 }; /* PadN */
	static const uint8_t first[8] = { 0, 0, 0, 1, 0, 0, 0, 9 };
	static const uint8_t later[8] = { 0, 0, 4, 0xd1, 0, 0, 0, 9 };
	struct mbuf *m = message6("2001:db8::2", "2001:db8:7::7", ICMP6_TIME_EXCEEDED_, 0, 64);

	(void)state;
	m = with_headers6(m, IPPROTO_FRAGMENT_, first, sizeof(first));
	m = with_headers6(m, IPPROTO_DSTOPTS_, options, sizeof(options));
	assert_false(answered(m, ICMP6_DST_UNREACH_, 0, 0));
	/* What can't be looked into is not taken for an error: path MTU discovery lives by it. */
	m = packet6("2001:db8::2", "2001:db8:7::7", IPPROTO_ICMPV6_, 200);
	m = with_headers6(m, IPPROTO_FRAGMENT_, later, sizeof(later));
	assert_true(answered(m, ICMP6_PACKET_TOO_BIG_, 0, 1280));
	/* No byte of the message is left to tell. */
	m = packet6("2001:db8::2", "2001:db8:7::7", IPPROTO_ICMPV6_, 0);
	assert_false(answered(m, ICMP6_DST_UNREACH_, 0, 0));
}

static void
test_no_error_answers_what_many_nodes_got(void **state)
{
	(void)state;
	assert_false(answered(packet6("2001:db8::2", "ff02::1", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_PORT, 0)); /* e.3 */
	assert_false(answered(flagged(packet6("2001:db8::2", "2001:db8::1", 17, 64), M_MCAST),
	    ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0)); /* e.4 */
	assert_false(answered(flagged(packet6("2001:db8::2", "2001:db8::1", 17, 64), M_BCAST),
	    ICMP6_TIME_EXCEEDED_, 0, 0)); /* e.5 */
	assert_false(answered(
	    packet6("2001:db8::2", "ff02::1", 17, 64), ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, 40));
	assert_true(answered(flagged(packet6("2001:db8::2", "2001:db8::1", 17, 64), 0),
	    ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0));
}

static void
test_two_errors_answer_even_a_group(void **state)
{
	static const uint8_t answer_all[8] = { 17, 0, 0x9e, 4, 0, 0, 0, 0 };
	static const uint8_t unicast_only[8] = { 17, 0, 0xde, 4, 0, 0, 0, 0 };
	struct mbuf *m;

	(void)state;
	assert_true(
	    answered(packet6("2001:db8::2", "ff05::9", 17, 1400), ICMP6_PACKET_TOO_BIG_, 0, 1280));
	m = with_headers6(
	    packet6("2001:db8::2", "ff02::1", 17, 8), IPPROTO_DSTOPTS_, answer_all, 8);
	assert_true(answered(flagged(m, M_MCAST), ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, 42));
	m = with_headers6(
	    packet6("2001:db8::2", "ff02::1", 17, 8), IPPROTO_DSTOPTS_, unicast_only, 8);
	assert_false(answered(flagged(m, M_MCAST), ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, 42));
	/* A pointer behind the packet's end is never followed. */
	m = with_headers6(
	    packet6("2001:db8::2", "ff02::1", 17, 8), IPPROTO_DSTOPTS_, answer_all, 8);
	assert_false(answered(m, ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, 100000));
}

static void
test_no_error_goes_to_who_is_not_one_node(void **state)
{
	struct mbuf *m;

	(void)state;
	address6(&lan, "2001:db8::aaaa", 64, IN6_IFF_ANYCAST);
	settle6();
	assert_false(answered(packet6("::", "2001:db8:7::7", 17, 64), ICMP6_DST_UNREACH_, 0, 0));
	assert_false(
	    answered(packet6("ff05::9", "2001:db8:7::7", 17, 64), ICMP6_DST_UNREACH_, 0, 0));
	assert_false(
	    answered(packet6("2001:db8::aaaa", "2001:db8:7::7", 17, 64), ICMP6_DST_UNREACH_, 0, 0));
	assert_int_equal(lan.sent.len, 0);
	/* Nobody knows on which link fe80::2 is. */
	m = packet6("fe80::2", "2001:db8:7::7", 17, 64);
	icmp6_error(m, ICMP6_DST_UNREACH_, 0, 0);
	m_free(m);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(V_icmp6stat.errhist[ICMP6_ERR_NOROUTE], 0); /* not even to ourselves */
}

static void
test_an_error_quotes_what_1280_bytes_hold(void **state)
{
	struct mbuf *m = packet6("2001:db8::2", "2001:db8:7::7", 17, 1440), *e;
	uint8_t before[1232];

	(void)state;
	memcpy(before, m->data, sizeof(before));
	assert_true(answered(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, 0));
	e = sent_one_of(1);
	assert_int_equal(e->len, ETHER_HDR_LEN_ + 1280); /* c */
	assert_memory_equal(frame_icmp6(e) + 1, before, sizeof(before));

	m = packet6("2001:db8::2", "2001:db8:7::7", 17, 1192);
	assert_true(answered(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, 0));
	assert_int_equal(sent_one_of(2)->len, ETHER_HDR_LEN_ + 1280);
	m = packet6("2001:db8::2", "2001:db8:7::7", 17, 1191);
	assert_true(answered(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, 0));
	assert_int_equal(sent_one_of(3)->len, ETHER_HDR_LEN_ + 1279);
}

static void
test_an_error_says_the_mtu_or_the_place(void **state)
{
	(void)state;
	assert_true(answered(
	    packet6("2001:db8::2", "2001:db8:7::7", 17, 1400), ICMP6_PACKET_TOO_BIG_, 0, 1350));
	assert_int_equal(from_be32(frame_icmp6(sent_one_of(1))->data), 1350);
	assert_int_equal(frame_icmp6(sent_one_of(1))->type, ICMP6_PACKET_TOO_BIG_);
	assert_true(answered(packet6("2001:db8::2", "2001:db8::1", 99, 64), ICMP6_PARAM_PROB_,
	    ICMP6_PARAM_NEXTHEADER, 6));
	assert_int_equal(from_be32(frame_icmp6(sent_one_of(2))->data), 6);
	assert_int_equal(frame_icmp6(sent_one_of(2))->code, ICMP6_PARAM_NEXTHEADER);
	assert_true(answered(packet6("2001:db8::2", "2001:db8:7::7", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_NOROUTE, 0));
	assert_int_equal(from_be32(frame_icmp6(sent_one_of(3))->data), 0);
}

static void
test_an_error_comes_from_the_address_that_was_asked_or_by_the_way_back(void **state)
{
	(void)state;
	address6(&lan, "2001:db8::bbbb", 64, 0);
	settle6();
	assert_true(answered(packet6("2001:db8::2", "2001:db8::bbbb", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_PORT, 0));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8::bbbb");
	assert_in6(&frame_ip6(sent_one_of(1))->dst, "2001:db8::2");
	assert_true(answered(packet6("fe80::2", "2001:db8:7::7", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_NOROUTE, 0));
	assert_in6(&frame_ip6(sent_one_of(2))->src, "fe80::1");
	assert_in6(&frame_ip6(sent_one_of(2))->dst, "fe80::2");
}

static void
test_an_error_is_not_from_an_anycast_or_a_tentative_address(void **state)
{
	struct in6_addr_request rq = { .plen = 64,
		.flags = IN6_IFF_TENTATIVE,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME };

	(void)state;
	address6(&lan, "2001:db8::aaaa", 64, IN6_IFF_ANYCAST);
	settle6();
	assert_true(answered(packet6("2001:db8::2", "2001:db8::aaaa", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_PORT, 0));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8::1");
	rq.addr = a6("2001:db8::cccc");
	assert_int_equal(in6_addr_add(lan.ifp, &rq), 0);
	memif_clear(&lan);
	assert_true(answered(packet6("2001:db8::2", "2001:db8::cccc", 17, 64), ICMP6_DST_UNREACH_,
	    ICMP6_UNREACH_PORT, 0));
	assert_in6(&frame_ip6(sent_one_of(1))->src, "2001:db8::1");
}

/* How many of n errors go out now? */
static uint32_t
burst(unsigned n)
{
	uint32_t before = lan.sent.len;

	while (n-- > 0)
		answered(packet6("2001:db8::2", "2001:db8:7::7", 17, 8), ICMP6_DST_UNREACH_,
		    ICMP6_UNREACH_NOROUTE, 0);
	return lan.sent.len - before;
}

static void
test_errors6_are_limited_by_a_token_bucket(void **state)
{
	(void)state;
	assert_int_equal(burst(250), 100); /* f */
	assert_int_equal(V_icmp6stat.toofreq, 150);
	assert_int_equal(drops("icmp6.limit"), 150);
	assert_int_equal(V_icmp6stat.errhist[ICMP6_ERR_NOROUTE], 250);
	sched_run(clock_now() + 100 * NS_PER_MS);
	assert_int_equal(burst(250), 10);
	sched_run(clock_now() + 3600 * NS_PER_SEC);
	assert_int_equal(burst(250), 100);
}

static void
test_an_error_is_made_at_its_packets_time(void **state)
{
	const uint64_t when = clock_now() + NS_PER_SEC;
	struct mbuf *m = packet6("2001:db8::2", "2001:db8:7::7", 17, 64);

	(void)state;
	command("sysctl net.inet6.icmp6.errppslimit=1");
	assert_int_equal(burst(2), 1);
	m->when_ns = when; /* the next of a batch: the bucket has filled by then */
	assert_true(answered(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, 0));
	assert_int_equal(sent_one_of(2)->when_ns, when);
}

static void
test_the_limit_of_errors6_is_set_by_a_sysctl(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.errppslimit=3");
	assert_int_equal(burst(50), 3);
	command("sysctl net.inet6.icmp6.errppslimit=0");
	sched_run(clock_now() + 10 * NS_PER_SEC);
	assert_int_equal(burst(50), 0);
	command("sysctl net.inet6.icmp6.errppslimit=-1");
	assert_int_equal(burst(1000), 1000);
}

static void
test_an_error_that_rules_forbid_takes_no_token(void **state)
{
	(void)state;
	command("sysctl net.inet6.icmp6.errppslimit=1");
	for (unsigned i = 0; i < 10; i++)
		assert_false(
		    answered(packet6("::", "2001:db8:7::7", 17, 8), ICMP6_DST_UNREACH_, 0, 0));
	assert_int_equal(burst(2), 1);
}

/* --- errors in -------------------------------------------------------------------------------- */

static void
test_an_error_reaches_the_protocol_of_the_quoted_packet(void **state)
{
	struct in6 src = a6("2001:db8::1"), dst = a6("2001:db8:7::7");

	(void)state;
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADMIN, 0, ours(60)));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.type, ICMP6_DST_UNREACH_);
	assert_int_equal(heard.code, ICMP6_UNREACH_ADMIN);
	assert_true(in6_equal(&heard.src, &src));
	assert_true(in6_equal(&heard.dst, &dst));
	assert_int_equal(heard.off, IP6_HDRLEN);
	assert_int_equal(heard.len, IP6_HDRLEN + 60);
	receive6(error_about("2001:db8::2", ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, 42, ours(60)));
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.arg, 42);
	receive6(error_about("2001:db8::2", ICMP6_TIME_EXCEEDED_, 0, 0, ours(60)));
	assert_int_equal(heard.n, 3);
	assert_int_equal(heard.type, ICMP6_TIME_EXCEEDED_);
}

static void
test_an_unknown_error_is_passed_up_too(void **state)
{
	(void)state;
	receive6(error_about("2001:db8::2", 77, 9, 5, ours(60))); /* a */
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.type, 77);
	assert_int_equal(heard.code, 9);
}

static void
test_the_quoted_packets_other_headers_are_passed_over(void **state)
{
	static const uint8_t options[16] = { 0, 1, 1, 12 };
	struct mbuf *inner = with_headers6(ours(60), IPPROTO_DSTOPTS_, options, sizeof(options));

	(void)state;
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, 0, 0, inner)); /* d */
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.off, IP6_HDRLEN + 16);
	/* Its upper header is beyond what the error quotes. */
	inner = with_headers6(ours(0), IPPROTO_DSTOPTS_, options, sizeof(options));
	m_trim(inner, inner->len - 8);
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, 0, 0, inner));
	assert_int_equal(heard.n, 1);
	assert_int_equal(drops("icmp6.noupper"), 1);
}

static void
test_quoted_addresses_have_their_zones(void **state)
{
	struct mbuf *m = error_about("fe80::2", ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0,
	    packet6("fe80::1", "fe80::2", TEST_PROTO, 60));
	struct in6 src = a6("fe80::1%mem0"), dst = a6("fe80::2%mem0");

	(void)state;
	mtod(m, struct ip6_hdr *)->dst = wire6("fe80::1");
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
	assert_int_equal(heard.n, 1);
	assert_true(in6_equal(&heard.src, &src));
	assert_true(in6_equal(&heard.dst, &dst));
}

static void
test_an_error6_about_somebody_elses_packet_is_dropped(void **state)
{
	(void)state;
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, 0, 0,
	    packet6("2001:db8:9::1", "2001:db8:7::7", TEST_PROTO, 60)));
	assert_int_equal(heard.n, 0);
	assert_int_equal(drops("icmp6.notours"), 1);
}

static void
test_errors6_without_a_packet_in_them_are_dropped(void **state)
{
	struct mbuf *inner = ours(60);

	(void)state;
	m_trim(inner, IP6_HDRLEN - 1);
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, 0, 0, inner));
	inner = ours(60);
	inner->data[0] = 0x45;
	receive6(error_about("2001:db8::2", ICMP6_DST_UNREACH_, 0, 0, inner));
	assert_int_equal(drops("icmp6.badlen"), 2);
	assert_int_equal(V_icmp6stat.badlen, 2);
	receive6(error_about("2001:db8::2", ICMP6_TIME_EXCEEDED_, 7, 0, ours(60)));
	assert_int_equal(drops("icmp6.badcode"), 1);
	assert_int_equal(heard.n, 0);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_too_big_is_learnt_and_told(void **state)
{
	struct in6 dst = a6("2001:db8:7::7");

	(void)state;
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 0, 1300, ours(1380)));
	assert_int_equal(ip6_pmtu(&dst), 1300);
	assert_int_equal(V_icmp6stat.pmtuchg, 1);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.arg, 1300);
	/* The code is ignored (RFC 4443 3.2). */
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 9, 1290, ours(1380)));
	assert_int_equal(ip6_pmtu(&dst), 1290);
}

static void
test_too_big_that_cannot_be_is_not_believed(void **state)
{
	struct in6 dst = a6("2001:db8:7::7");

	(void)state;
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 0, 1279, ours(1380)));
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 0, 0, ours(1380)));
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 0, 1300, ours(600)));
	assert_int_equal(drops("icmp6.badmtu"), 3);
	receive6(error_about("2001:db8::2", ICMP6_PACKET_TOO_BIG_, 0, 1300,
	    packet6("2001:db8:9::1", "2001:db8:7::7", TEST_PROTO, 1380)));
	assert_int_equal(drops("icmp6.notours"), 1);
	assert_int_equal(ip6_pmtu(&dst), 0);
	assert_int_equal(heard.n, 0);
}

/* --- netstat ---------------------------------------------------------------------------------- */

static void
test_netstat_tells_of_icmp6_in_the_fields_sentences(void **state)
{
	char *out;

	(void)state;
	command("netstat -sz -p icmp6");
	receive6(message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 8));
	burst(1);
	assert_int_equal(verb_line(NULL, "netstat -s -p icmp6", false, &out, NULL), 0);
	assert_non_null(strstr(out, "icmp6:\n\t1 call to icmp6_error\n"));
	assert_non_null(strstr(out, "\tOutput histogram:\n\t\tunreach: 1\n\t\techo reply: 1\n"));
	assert_non_null(strstr(out, "\tInput histogram:\n\t\techo: 1\n"));
	assert_non_null(strstr(
	    out, "\tHistogram of error messages to be generated:\n\t\t1 no route\n\t\t0 admin"));
	assert_non_null(strstr(out, "\t1 message response generated\n"));
	free(out);
	assert_int_equal(verb_line(NULL, "netstat --json -s -p icmp6", false, &out, NULL), 0);
	assert_non_null(strstr(out, "\"echo reply\":1"));
	assert_non_null(strstr(out, "\"no-route\":1"));
	free(out);
	command("netstat -sz -p icmp6");
	assert_int_equal(verb_line(NULL, "netstat -ss -p icmp6", false, &out, NULL), 0);
	assert_string_equal(out, "icmp6:\n\tHistogram of error messages to be generated:\n");
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ICMP6_TEST(test_echo6_is_answered_with_the_same_data),
		ICMP6_TEST(test_echo6_leaves_at_its_requests_time),
		ICMP6_TEST(test_the_largest_echo6_comes_back_whole),
		ICMP6_TEST(test_echo6_to_a_group_is_answered_from_an_address_of_the_interface),
		ICMP6_TEST(test_echo6_comes_from_the_address_that_was_asked),
		ICMP6_TEST(test_echo6_to_a_group_never_comes_from_another_interface),
		ICMP6_TEST(test_echo6_to_an_anycast_address_is_answered_from_a_unicast_one),
		ICMP6_TEST(test_echo6_from_nobody_gets_no_answer),
		ICMP6_TEST(test_echo6_replies_are_not_limited),
		ICMP6_TEST(test_damaged_messages6_are_counted_by_name),
		ICMP6_TEST(test_the_sum_covers_the_addresses_and_the_protocol),
		ICMP6_TEST(test_an_unknown_informational_message_is_dropped_silently),
		ICMP6_TEST(test_a_message_goes_to_the_room_that_registered_its_type),
		ICMP6_TEST(test_no_error_answers_an_error_or_a_redirect),
		ICMP6_TEST(test_no_error_answers_an_error_behind_other_headers),
		ICMP6_TEST(test_no_error_answers_what_many_nodes_got),
		ICMP6_TEST(test_two_errors_answer_even_a_group),
		ICMP6_TEST(test_no_error_goes_to_who_is_not_one_node),
		ICMP6_TEST(test_an_error_quotes_what_1280_bytes_hold),
		ICMP6_TEST(test_an_error_says_the_mtu_or_the_place),
		ICMP6_TEST(test_an_error_comes_from_the_address_that_was_asked_or_by_the_way_back),
		ICMP6_TEST(test_an_error_is_not_from_an_anycast_or_a_tentative_address),
		ICMP6_TEST(test_errors6_are_limited_by_a_token_bucket),
		ICMP6_TEST(test_an_error_is_made_at_its_packets_time),
		ICMP6_TEST(test_the_limit_of_errors6_is_set_by_a_sysctl),
		ICMP6_TEST(test_an_error_that_rules_forbid_takes_no_token),
		ICMP6_TEST(test_an_error_reaches_the_protocol_of_the_quoted_packet),
		ICMP6_TEST(test_an_unknown_error_is_passed_up_too),
		ICMP6_TEST(test_the_quoted_packets_other_headers_are_passed_over),
		ICMP6_TEST(test_quoted_addresses_have_their_zones),
		ICMP6_TEST(test_an_error6_about_somebody_elses_packet_is_dropped),
		ICMP6_TEST(test_errors6_without_a_packet_in_them_are_dropped),
		ICMP6_TEST(test_too_big_is_learnt_and_told),
		ICMP6_TEST(test_too_big_that_cannot_be_is_not_believed),
		ICMP6_TEST(test_netstat_tells_of_icmp6_in_the_fields_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
