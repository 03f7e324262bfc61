/*
 * Unit tests of IPv6's reassembly (inet6/ip6_reass.c, inet/reass.c).
 */
#include "inet6_fixture.h"

#include "base/rng.h"
#include "inet6/ip6_ext.h"

enum { PROTO = 253, FH = 8 };

/* A hand-made fragment: payload bytes [off, off + len) of one value. */
static struct mbuf *
fragment_of(const char *src, uint32_t id, uint32_t off, uint32_t len, bool more, uint8_t fill)
{
	struct mbuf *m = packet6(src, "2001:db8::1", PROTO, len);
	uint8_t fh[FH] = { 0, 0, (uint8_t)(off >> 8), (uint8_t)(off | more) };

	memset(m->data + IP6_HDRLEN, fill, len);
	store32(fh + 4, __builtin_bswap32(id));
	m = with_headers6(m, IPPROTO_FRAGMENT_, fh, FH);
	m->rcvif = lan.ifp;
	return m;
}

static struct mbuf *
fragment(uint32_t id, uint32_t off, uint32_t len, bool more, uint8_t fill)
{
	return fragment_of("2001:db8::2", id, off, len, more, fill);
}

/* Right behind the IPv6 header, as nearly all are. */
static struct mbuf *
reass(struct mbuf *m)
{
	struct ip6_chain c = ip6_chain_begin();

	m = ip6_reass(m, &c);
	if (m != NULL) {
		assert_int_equal(c.off, IP6_HDRLEN);
		assert_int_equal(c.named, IP6_NXT_OFF);
		assert_int_equal(m->data[c.named], PROTO);
		assert_int_equal(from_be16(mtod(m, struct ip6_hdr *)->plen), m->len - IP6_HDRLEN);
	}
	return m;
}

static const struct icmp6_hdr *
assert_problem(unsigned code, unsigned pointer)
{
	const struct icmp6_hdr *icmp;

	assert_int_equal(lan.sent.len, 1);
	icmp = frame_icmp6(lan.sent.head);
	assert_int_equal(icmp->type, ICMP6_PARAM_PROB_);
	assert_int_equal(icmp->code, code);
	assert_int_equal(from_be32(icmp->data), pointer);
	return icmp;
}

/* Cut a packet of len bytes at random places, shuffle the pieces, some of them twice. */
static unsigned
random_pieces(struct rng *r, struct mbuf *part[64], uint32_t id, uint32_t len)
{
	unsigned n = 0;

	for (uint32_t off = 0, take; off < len; off += take) {
		struct mbuf *m;

		take = n == 40 ? len - off : (uint32_t)(8 + 8 * rng_below(r, len / 200 + 2));
		if (take > len - off)
			take = len - off;
		m = fragment(id, off, take, off + take < len, 0);
		for (uint32_t i = 0; i < take; i++)
			m->data[IP6_HDRLEN + FH + i] = (uint8_t)((off + i) * 7 + ((off + i) >> 8));
		part[n++] = m;
	}
	for (unsigned i = 0, copies = (unsigned)rng_below(r, 5); i < copies; i++, n++)
		part[n] = m_dup(part[rng_below(r, n)]);
	for (unsigned i = n; i > 1; i--) {
		unsigned j = (unsigned)rng_below(r, i);
		struct mbuf *swap = part[i - 1];

		part[i - 1] = part[j];
		part[j] = swap;
	}
	return n;
}

static void
test_pieces_of_any_size_in_any_order_and_twice_make_the_packet(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "pieces");
	for (uint32_t id = 0; id < 300; id++) {
		uint32_t len = (uint32_t)(17 + rng_below(&r, id % 3 == 0 ? 65000 : 3000));
		struct mbuf *part[64], *whole = NULL;
		unsigned n = random_pieces(&r, part, id, len);

		for (unsigned i = 0; i < n; i++) {
			/* a copy that comes when all is done begins anew, and is not waited for */
			if (whole != NULL)
				m_free(part[i]);
			else
				whole = reass(part[i]);
		}
		assert_non_null(whole);
		assert_int_equal(whole->len, IP6_HDRLEN + len);
		for (uint32_t i = 0; i < len; i++)
			if (whole->data[IP6_HDRLEN + i] != (uint8_t)(i * 7 + (i >> 8)))
				fail_msg("packet %u, byte %u", id, i);
		m_free(whole);
	}
	assert_int_equal(V_ip6stat.reassembled, 300);
	assert_int_equal(drops("ip6.fragoverlap"), 0);
}

static void
test_packets_are_told_apart_by_addresses_and_identification(void **state)
{
	(void)state;
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	assert_null(reass(fragment(2, 16, 8, false, 1)));
	assert_null(reass(fragment_of("2001:db8::3", 1, 16, 8, false, 1)));
	m_free(reass(fragment(2, 0, 16, true, 1)));
	m_free(reass(fragment(1, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 2);
}

static void
test_link_local_senders_of_two_links_are_two(void **state)
{
	struct mbuf *m;

	(void)state;
	router6();
	assert_null(reass(fragment_of("fe80::2", 1, 0, 16, true, 1)));
	m = fragment_of("fe80::2", 1, 16, 8, false, 1);
	m->rcvif = wan.ifp;
	assert_null(reass(m));
	m_free(reass(fragment_of("fe80::2", 1, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_an_overlap_ends_the_packet_silently_and_keeps_its_name_out(void **state)
{
	(void)state;
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	assert_null(reass(fragment(1, 8, 16, true, 1)));
	assert_int_equal(drops("ip6.fragoverlap"), 2);
	/* what still comes of it (RFC 5722) */
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	assert_null(reass(fragment(1, 16, 8, false, 1)));
	assert_int_equal(drops("ip6.fragoverlap"), 4);
	sched_run(clock_now() + 61 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 0);
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	m_free(reass(fragment(1, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_the_same_place_with_other_bytes_is_an_overlap(void **state)
{
	(void)state;
	assert_null(reass(fragment(1, 8, 16, true, 1)));
	assert_null(reass(fragment(1, 8, 16, true, 1)));
	assert_int_equal(drops("ip6.fragdup"), 1);
	assert_null(reass(fragment(1, 8, 16, true, 2)));
	assert_int_equal(drops("ip6.fragoverlap"), 2);
}

static void
test_an_atomic_fragment_meets_no_others(void **state)
{
	struct mbuf *m;

	(void)state;
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	m = reass(fragment(1, 0, 24, false, 2)); /* RFC 6946 */
	assert_non_null(m);
	assert_int_equal(m->len, IP6_HDRLEN + 24);
	assert_int_equal(m->data[IP6_HDRLEN], 2);
	m_free(m);
	m_free(reass(fragment(1, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.fragatomic, 1);
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_odd_lengths_and_too_long_ones_are_answered_with_their_place(void **state)
{
	(void)state;
	receive6(fragment(1, 0, 15, true, 1));
	assert_problem(ICMP6_PARAM_HEADER, IP6_PLEN_OFF);
	memif_clear(&lan);
	receive6(fragment(1, 8, 0, true, 1));
	assert_problem(ICMP6_PARAM_HEADER, IP6_PLEN_OFF);
	memif_clear(&lan);
	receive6(fragment(1, 65528, 8, false, 1));
	assert_problem(ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
	assert_int_equal(drops("ip6.fraglength"), 2);
	assert_int_equal(drops("ip6.fragtoolong"), 1);
	assert_int_equal(V_ip6stat.fragdropped, 3);
	assert_null(reass(fragment(1, 65528, 7, false, 1)));
}

static void
test_a_first_fragment_without_all_headers_is_refused(void **state)
{
	const uint8_t cut_header[8] = { 17, 1, 1, 4 }; /* 16 bytes, of which 8 are there */
	struct mbuf *m;

	(void)state;
	m = fragment(1, 0, 8, true, 1);
	m->data[IP6_HDRLEN] = IPPROTO_TCP_;
	receive6(m);
	assert_problem(ICMP6_PARAM_CHAIN, 0);
	memif_clear(&lan);
	m = fragment(1, 0, 8, true, 1);
	m->data[IP6_HDRLEN] = IPPROTO_DSTOPTS_;
	memcpy(m->data + IP6_HDRLEN + FH, cut_header, sizeof(cut_header));
	receive6(m);
	assert_problem(ICMP6_PARAM_CHAIN, 0);
	assert_int_equal(drops("ip6.fragchain"), 2);
	/* ports are enough for UDP */
	m = fragment(1, 0, 8, true, 1);
	m->data[IP6_HDRLEN] = IPPROTO_UDP_;
	receive6(m);
	assert_int_equal(drops("ip6.fragchain"), 2);
}

static void
test_the_headers_are_the_first_fragments(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	struct mbuf *m = fragment(1, 0, 16, true, 1);
	struct ip6_chain c = ip6_chain_begin();

	(void)state;
	/* the later one has no options, and another next header: neither counts (RFC 8200 4.5) */
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8);
	c = (struct ip6_chain){ .off = IP6_HDRLEN + 8, .named = IP6_HDRLEN };
	assert_null(ip6_reass(m, &c));
	m = fragment(1, 16, 8, false, 1);
	m->data[IP6_HDRLEN] = 17;
	c = ip6_chain_begin();
	m = ip6_reass(m, &c);
	assert_non_null(m);
	assert_int_equal(m->len, IP6_HDRLEN + 8 + 24);
	assert_int_equal(c.off, IP6_HDRLEN + 8);
	assert_int_equal(c.named, IP6_HDRLEN);
	assert_int_equal(m->data[6], IPPROTO_DSTOPTS_);
	assert_int_equal(m->data[IP6_HDRLEN], PROTO);
	m_free(m);
}

static void
test_timeout_tells_the_sender_only_if_the_first_fragment_is_there(void **state)
{
	const struct icmp6_hdr *icmp;
	uint64_t start = clock_now();

	(void)state;
	receive6(fragment(1, 0, 64, true, 1));
	receive6(fragment(2, 8, 64, true, 1));
	sched_run(start + 59 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 0);
	sched_run(start + 61 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 1);
	icmp = frame_icmp6(lan.sent.head);
	assert_int_equal(icmp->type, ICMP6_TIME_EXCEEDED_);
	assert_int_equal(icmp->code, ICMP6_TIMX_REASS);
	assert_int_equal(drops("ip6.fragtimeout"), 2);
	assert_int_equal(V_ip6stat.fragtimeout, 2);
}

static void
test_a_source_can_only_push_out_its_own_packets(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.maxfragpersource=4");
	assert_null(reass(fragment(9, 0, 16, true, 1)));
	for (uint32_t id = 0; id < 20; id++)
		assert_null(reass(fragment_of("2001:db8::66", id, 0, 16, true, 1)));
	assert_int_equal(drops("ip6.fraglimit"), 16);
	assert_int_equal(V_ip6stat.fragoverflow, 16);
	m_free(reass(fragment(9, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_fragments_of_one_packet_and_of_the_stack_are_bounded(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.maxfragsperpacket=16");
	for (uint32_t i = 0; i < 20; i++)
		assert_null(reass(fragment(1, i * 16, 8, true, 1)));
	assert_int_equal(drops("ip6.fraglimit"), 4);
	command("sysctl net.inet6.ip6.maxfrags=20");
	for (uint32_t i = 0; i < 10; i++)
		assert_null(reass(fragment(2, i * 16, 8, true, 1)));
	assert_int_equal(drops("ip6.fraglimit"), 10);
	command("sysctl net.inet6.ip6.maxfragpackets=0");
	assert_null(reass(fragment(3, 0, 8, true, 1)));
	assert_int_equal(drops("ip6.fraglimit"), 11);
}

/*
 * A million senders that never complete anything: what waits is bounded, each costs little, and the
 * last ones are those that still can be completed.
 */
static void
test_a_flood_of_sources_stays_within_the_bounds(void **state)
{
	enum { SOURCES = 1000000 };
	struct m_stats before, after;
	struct mbuf *m = NULL;

	(void)state;
	m_stats(&before);
	for (uint32_t i = 0; i < SOURCES; i++) {
		m = fragment(7, 0, 16, true, 1);
		store32(mtod(m, struct ip6_hdr *)->src.b + 4, i * UINT32_C(0x9e3779b1));
		store32(mtod(m, struct ip6_hdr *)->src.b + 12, i);
		assert_null(reass(m));
	}
	m_stats(&after);
	assert_in_range(after.class[M_CLASS_2K].in_use - before.class[M_CLASS_2K].in_use, 1, 256);
	assert_in_range(drops("ip6.fraglimit"), SOURCES - 256, SOURCES - 1);
	m = fragment(7, 16, 8, false, 1);
	store32(mtod(m, struct ip6_hdr *)->src.b + 4, (SOURCES - 1) * UINT32_C(0x9e3779b1));
	store32(mtod(m, struct ip6_hdr *)->src.b + 12, SOURCES - 1);
	m = reass(m);
	assert_non_null(m);
	m_free(m);
}

static void
test_one_bucket_is_bounded(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.maxfragbucketsize=1");
	assert_null(reass(fragment(1, 0, 16, true, 1)));
	assert_null(reass(fragment(2, 0, 16, true, 1)));
	assert_int_equal(drops("ip6.fraglimit"), 1);
	m_free(reass(fragment(2, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_congestion_marks_survive_as_rfc_3168_says(void **state)
{
	struct mbuf *a = fragment(1, 0, 8, true, 1), *b = fragment(1, 8, 8, false, 1), *m;

	(void)state;
	mtod(a, struct ip6_hdr *)->flow = to_be32(0x62e54321); /* EF, ECT(0) */
	mtod(b, struct ip6_hdr *)->flow = to_be32(0x62f00000); /* CE */
	assert_null(reass(a));
	m = reass(b);
	assert_int_equal(from_be32(mtod(m, struct ip6_hdr *)->flow), 0x62f54321);
	m_free(m);
	a = fragment(2, 0, 8, true, 1);
	b = fragment(2, 8, 8, false, 1);
	mtod(b, struct ip6_hdr *)->flow = to_be32(0x60300000);
	assert_null(reass(a));
	assert_null(reass(b));
	assert_int_equal(drops("ip6.fragecn"), 2);
}

static void
test_an_interface_that_leaves_takes_its_fragments_along(void **state)
{
	struct mbuf *m;

	(void)state;
	router6();
	m = fragment(1, 0, 16, true, 1);
	m->rcvif = wan.ifp;
	assert_null(reass(m));
	assert_null(reass(fragment(2, 0, 16, true, 1)));
	memif_close(&wan);
	assert_int_equal(drops("ip6.fragifgone"), 1);
	m_free(reass(fragment(2, 16, 8, false, 1)));
	assert_int_equal(V_ip6stat.reassembled, 1);
}

static void
test_a_whole_packet_goes_on_to_its_protocol(void **state)
{
	struct mbuf *m = message6("2001:db8::2", "2001:db8::1", ICMP6_ECHO_REQUEST_, 0, 3000), *f;
	struct mbufq q;

	(void)state;
	mbufq_init(&q);
	assert_int_equal(ip6_fragment(m, 1280, &q), 0);
	while ((f = mbufq_pop(&q)) != NULL)
		receive6(f);
	assert_int_equal(V_ip6stat.fragments, 3);
	assert_int_equal(V_ip6stat.reassembled, 1);
	/* the reply is as long, and cut for the link */
	assert_int_equal(lan.sent.len, 3);
	assert_int_equal(frame_ip6(lan.sent.head)->nxt, IPPROTO_FRAGMENT_);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_pieces_of_any_size_in_any_order_and_twice_make_the_packet),
		INET6_TEST(test_packets_are_told_apart_by_addresses_and_identification),
		INET6_TEST(test_link_local_senders_of_two_links_are_two),
		INET6_TEST(test_an_overlap_ends_the_packet_silently_and_keeps_its_name_out),
		INET6_TEST(test_the_same_place_with_other_bytes_is_an_overlap),
		INET6_TEST(test_an_atomic_fragment_meets_no_others),
		INET6_TEST(test_odd_lengths_and_too_long_ones_are_answered_with_their_place),
		INET6_TEST(test_a_first_fragment_without_all_headers_is_refused),
		INET6_TEST(test_the_headers_are_the_first_fragments),
		INET6_TEST(test_timeout_tells_the_sender_only_if_the_first_fragment_is_there),
		INET6_TEST(test_a_source_can_only_push_out_its_own_packets),
		INET6_TEST(test_fragments_of_one_packet_and_of_the_stack_are_bounded),
		INET6_TEST(test_a_flood_of_sources_stays_within_the_bounds),
		INET6_TEST(test_one_bucket_is_bounded),
		INET6_TEST(test_congestion_marks_survive_as_rfc_3168_says),
		INET6_TEST(test_an_interface_that_leaves_takes_its_fragments_along),
		INET6_TEST(test_a_whole_packet_goes_on_to_its_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
