/*
 * Unit tests of reassembly (inet/ip_reass.c).
 */
#include "inet_fixture.h"

#include "base/rng.h"

/* The fragments of one datagram of `len` bytes of payload, cut for mtu. */
static void
cut(struct mbufq *q, uint32_t src, uint16_t id, uint8_t proto, uint32_t len, uint32_t mtu)
{
	struct mbuf *m = packet(src, a4("10.0.0.1"), proto, len);

	mtod(m, struct ip_hdr *)->id = to_be16(id);
	resum(m);
	mbufq_init(q);
	assert_int_equal(ip_fragment(m, mtu, q), 0);
}

/* A hand-made fragment: payload bytes [off, off + len). */
static struct mbuf *
fragment(uint16_t id, uint8_t proto, uint32_t off, uint32_t len, bool more, uint8_t fill)
{
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.0.0.1"), proto, len);
	struct ip_hdr *ip = mtod(m, struct ip_hdr *);

	memset(m->data + 20, fill, len);
	ip->id = to_be16(id);
	ip->off = to_be16((uint16_t)((more ? IP_MF_ : 0) | off / 8));
	resum(m);
	return m;
}

static void
check_whole(struct mbuf *m, uint32_t len)
{
	const struct ip_hdr *ip;

	assert_non_null(m);
	ip = mtod(m, const struct ip_hdr *);
	assert_int_equal(m->len, 20 + len);
	assert_int_equal(from_be16(ip->len), 20 + len);
	assert_int_equal(from_be16(ip->off), 0);
	assert_int_equal(ip_cksum(ip), 0);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(m->data[20 + i], (uint8_t)(i * 7 + (i >> 8)));
	m_free(m);
}

static void
test_the_largest_datagram_is_put_together_in_any_order(void **state)
{
	(void)state;
	for (uint32_t mtu = 1280; mtu <= 1500; mtu += 220)
		for (uint64_t seed = 0; seed < 6; seed++) {
			struct mbuf *part[64], *whole = NULL;
			struct mbufq q;
			struct rng r;
			uint32_t n = 0;

			cut(&q, a4("10.0.0.2"), (uint16_t)(mtu + seed), 200, 65515, mtu);
			while (q.len > 0)
				part[n++] = mbufq_pop(&q);
			rng_seed(&r, seed, "order");
			for (uint32_t i = n - 1; i > 0 && seed > 0; i--) {
				uint32_t j = seed == 1 ? n - 1 - i : (uint32_t)rng_below(&r, i + 1);
				struct mbuf *swap = part[i];

				if (seed == 1 && i <= j)
					break;
				part[i] = part[j];
				part[j] = swap;
			}
			for (uint32_t i = 0; i < n; i++) {
				assert_null(whole);
				whole = ip_reass(part[i]);
			}
			check_whole(whole, 65515);
		}
	assert_int_equal(V_ipstat.reassembled, 12);
	assert_int_equal(V_ipstat.fragdropped, 0);
}

static void
test_datagrams_are_told_apart_by_source_id_and_protocol(void **state)
{
	struct mbufq q[4];

	(void)state;
	cut(&q[0], a4("10.0.0.2"), 1, 200, 3000, 1500);
	cut(&q[1], a4("10.0.0.3"), 1, 200, 3000, 1500);
	cut(&q[2], a4("10.0.0.2"), 2, 200, 3000, 1500);
	cut(&q[3], a4("10.0.0.2"), 1, 201, 3000, 1500);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 4; i++) {
			struct mbuf *m = ip_reass(mbufq_pop(&q[i]));

			if (round < 2)
				assert_null(m);
			else
				check_whole(m, 3000);
		}
}

static void
test_a_datagram_is_where_and_when_its_last_fragment_came(void **state)
{
	struct mbufq q;
	struct mbuf *m = NULL;
	uint64_t t = 100;

	(void)state;
	cut(&q, a4("10.0.0.2"), 1, 200, 4000, 1500);
	while (q.len > 0) {
		assert_null(m);
		m = mbufq_pop(&q);
		m->when_ns = t += 100;
		m = ip_reass(m);
	}
	assert_int_equal(m->when_ns, t);
	assert_ptr_equal(m->rcvif, lan.ifp);
	m_free(m);
}

static void
test_an_overlap_ends_the_datagram_and_keeps_its_name_out(void **state)
{
	(void)state;
	assert_null(ip_reass(fragment(1, 200, 0, 16, true, 1)));
	assert_null(ip_reass(fragment(1, 200, 8, 16, true, 2)));
	assert_int_equal(drops("ip.fragoverlap"), 2);
	/* what would complete it now is an attack's second half */
	assert_null(ip_reass(fragment(1, 200, 0, 16, true, 1)));
	assert_null(ip_reass(fragment(1, 200, 16, 8, false, 1)));
	assert_int_equal(drops("ip.fragoverlap"), 4);
	/* after its time the name is free */
	sched_run(clock_now() + 31 * NS_PER_SEC);
	assert_null(ip_reass(fragment(1, 200, 0, 16, true, 1)));
	m_free(ip_reass(fragment(1, 200, 16, 8, false, 1)));
	assert_int_equal(V_ipstat.reassembled, 1);
}

static void
test_fragments_that_contradict_the_end_are_overlaps(void **state)
{
	(void)state;
	/* behind the end */
	assert_null(ip_reass(fragment(1, 200, 16, 8, false, 1)));
	assert_null(ip_reass(fragment(1, 200, 24, 8, true, 1)));
	assert_int_equal(drops("ip.fragoverlap"), 2);
	/* two ends */
	assert_null(ip_reass(fragment(2, 200, 16, 8, false, 1)));
	assert_null(ip_reass(fragment(2, 200, 8, 8, false, 1)));
	assert_int_equal(drops("ip.fragoverlap"), 4);
	/* an end before what is there */
	assert_null(ip_reass(fragment(3, 200, 16, 8, true, 1)));
	assert_null(ip_reass(fragment(3, 200, 8, 8, false, 1)));
	assert_int_equal(drops("ip.fragoverlap"), 6);
	/* the same place, other bytes */
	assert_null(ip_reass(fragment(4, 200, 0, 16, true, 1)));
	assert_null(ip_reass(fragment(4, 200, 0, 16, true, 2)));
	assert_int_equal(drops("ip.fragoverlap"), 8);
}

static void
test_a_copy_of_a_fragment_does_no_harm(void **state)
{
	struct mbuf *m;

	(void)state;
	assert_null(ip_reass(fragment(1, 200, 0, 16, true, 1)));
	assert_null(ip_reass(fragment(1, 200, 0, 16, true, 1)));
	assert_int_equal(drops("ip.fragdup"), 1);
	m = ip_reass(fragment(1, 200, 16, 3, false, 1));
	assert_non_null(m);
	assert_int_equal(m->len, 39);
	m_free(m);
}

static void
test_odd_lengths_tiny_heads_and_too_long_ones_are_dropped_by_name(void **state)
{
	(void)state;
	assert_null(ip_reass(fragment(1, 200, 0, 12, true, 1)));
	assert_null(ip_reass(fragment(1, 200, 8, 0, true, 1)));
	assert_null(ip_reass(fragment(1, 200, 8, 0, false, 1)));
	assert_int_equal(drops("ip.fraglength"), 3);
	assert_null(ip_reass(fragment(2, IPPROTO_TCP_, 0, 8, true, 1)));
	assert_null(ip_reass(fragment(2, IPPROTO_TCP_, 8, 64, true, 1)));
	assert_int_equal(drops("ip.fragtiny"), 2);
	assert_null(ip_reass(fragment(2, IPPROTO_UDP_, 0, 8, true, 1)));
	assert_null(ip_reass(fragment(3, 200, 65528, 8, false, 1)));
	assert_int_equal(drops("ip.fragtoolong"), 1);
	assert_int_equal(V_ipstat.toolong, 1);
	assert_int_equal(V_ipstat.fragdropped, 6);
}

static void
test_timeout_tells_the_sender_only_if_the_first_fragment_is_there(void **state)
{
	struct icmp_hdr *icmp;

	(void)state;
	assert_null(ip_reass(fragment(1, 200, 0, 64, true, 1)));
	assert_null(ip_reass(fragment(2, 200, 8, 64, true, 1)));
	sched_run(29 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 0);
	sched_run(31 * NS_PER_SEC);
	icmp = frame_icmp(sent_one_of(1));
	assert_int_equal(icmp->type, ICMP_TIMXCEED_);
	assert_int_equal(icmp->code, 1);
	assert_int_equal(drops("ip.fragtimeout"), 2);
	assert_int_equal(V_ipstat.fragtimeout, 2);
	assert_int_equal(callout_live(), 0);
}

static void
test_a_source_can_only_push_out_its_own_datagrams(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.maxfragpersource=4");
	for (uint16_t id = 0; id < 20; id++) {
		struct mbufq q;

		cut(&q, a4("10.0.0.66"), id, 200, 3000, 1500);
		assert_null(ip_reass(mbufq_pop(&q)));
		mbufq_drain(&q);
		if (id == 0)
			assert_null(ip_reass(fragment(9, 200, 0, 16, true, 1)));
	}
	assert_int_equal(drops("ip.fraglimit"), 16);
	m_free(ip_reass(fragment(9, 200, 16, 8, false, 1)));
	assert_int_equal(V_ipstat.reassembled, 1);
}

static void
test_datagrams_and_fragments_of_a_stack_are_bounded(void **state)
{
	uint32_t a = a4("11.0.0.0");

	(void)state;
	command("sysctl net.inet.ip.maxfragpackets=8");
	for (uint32_t i = 0; i < 50; i++) {
		struct mbufq q;

		cut(&q, a + (i << 24), 1, 200, 3000, 1500);
		assert_null(ip_reass(mbufq_pop(&q)));
		mbufq_drain(&q);
	}
	assert_int_equal(drops("ip.fraglimit"), 42);
	command("sysctl net.inet.ip.maxfrags=10");
	for (uint32_t i = 0; i < 10; i++)
		assert_null(ip_reass(fragment(9, 200, i * 16, 8, true, 1)));
	assert_true(drops("ip.fraglimit") > 42 + 5);
	command("sysctl net.inet.ip.maxfragpackets=0");
	assert_null(ip_reass(fragment(10, 200, 0, 8, true, 1)));
}

static void
test_fragments_of_one_datagram_are_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 166; i++)
		assert_null(ip_reass(fragment(1, 200, i * 16, 8, true, 1)));
	assert_int_equal(drops("ip.fraglimit"), 6);
	command("sysctl net.inet.ip.maxfragsperpacket=16");
	for (uint32_t i = 0; i < 20; i++)
		assert_null(ip_reass(fragment(2, 200, i * 16, 8, true, 1)));
	assert_int_equal(drops("ip.fraglimit"), 10);
}

static void
test_congestion_marks_survive_as_rfc_3168_says(void **state)
{
	struct mbuf *a = fragment(1, 200, 0, 8, true, 1), *b = fragment(1, 200, 8, 8, false, 1), *m;

	(void)state;
	mtod(a, struct ip_hdr *)->tos = 0x2e; /* EF, ECT(0) */
	mtod(b, struct ip_hdr *)->tos = 0x2f; /* CE */
	assert_null(ip_reass(a));
	m = ip_reass(b);
	assert_int_equal(mtod(m, struct ip_hdr *)->tos, 0x2f);
	m_free(m);
	a = fragment(2, 200, 0, 8, true, 1);
	b = fragment(2, 200, 8, 8, false, 1);
	mtod(b, struct ip_hdr *)->tos = 3;
	assert_null(ip_reass(a));
	assert_null(ip_reass(b));
	assert_int_equal(drops("ip.fragecn"), 2);
}

static void
test_an_interface_that_leaves_takes_its_fragments_along(void **state)
{
	struct memif other;

	(void)state;
	memif_open(&other, 5);
	struct mbuf *m = fragment(1, 200, 0, 16, true, 1);

	m->rcvif = other.ifp;
	assert_null(ip_reass(m));
	assert_null(ip_reass(fragment(2, 200, 0, 16, true, 1)));
	memif_close(&other);
	assert_int_equal(drops("ip.fragifgone"), 1);
	m_free(ip_reass(fragment(2, 200, 16, 8, false, 1)));
	assert_int_equal(V_ipstat.reassembled, 1);
}

static void
test_a_stack_that_ends_frees_what_waits(void **state)
{
	(void)state;
	command("jail -c name=j vnet persist");
	{
		VNET_SCOPE(vnet_of("j"));
		struct mbuf *m = fragment(1, 200, 0, 16, true, 1);

		m->rcvif = NULL;
		assert_null(ip_reass(m));
	}
	command("jail -r j");
	assert_int_equal(m_live(), 0);
	assert_int_equal(callout_live(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_the_largest_datagram_is_put_together_in_any_order),
		INET_TEST(test_datagrams_are_told_apart_by_source_id_and_protocol),
		INET_TEST(test_a_datagram_is_where_and_when_its_last_fragment_came),
		INET_TEST(test_an_overlap_ends_the_datagram_and_keeps_its_name_out),
		INET_TEST(test_fragments_that_contradict_the_end_are_overlaps),
		INET_TEST(test_a_copy_of_a_fragment_does_no_harm),
		INET_TEST(test_odd_lengths_tiny_heads_and_too_long_ones_are_dropped_by_name),
		INET_TEST(test_timeout_tells_the_sender_only_if_the_first_fragment_is_there),
		INET_TEST(test_a_source_can_only_push_out_its_own_datagrams),
		INET_TEST(test_datagrams_and_fragments_of_a_stack_are_bounded),
		INET_TEST(test_fragments_of_one_datagram_are_bounded),
		INET_TEST(test_congestion_marks_survive_as_rfc_3168_says),
		INET_TEST(test_an_interface_that_leaves_takes_its_fragments_along),
		INET_TEST(test_a_stack_that_ends_frees_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
