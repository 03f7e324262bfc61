/*
 * Conformance of IPv6 itself, seen from outside: frames in, frames out. RFC 8200, with 7112 (chains
 * of headers), 8021 (no atomic fragments), 4443 section 3 (which error for what). The rows of
 * docs/ipv6-conformance.md name these tests.
 */
#include "inet6_fixture.h"

/* Another one on the far side of the router. */
#define HOST "2001:db8::2"
#define US "2001:db8::1"
#define FAR "2001:db8:1::2"

static struct mbuf *
echo(uint32_t len)
{
	return message6(HOST, US, ICMP6_ECHO_REQUEST_, 0, len);
}

/* How many echo replies have left lan? */
static unsigned
replies(void)
{
	unsigned n = 0;

	while (sent_icmp6(&lan, ICMP6_ECHO_REPLY_, n) != NULL)
		n++;
	return n;
}

/* The one frame that lan has sent is this error. */
static struct icmp6_hdr *
assert_error(uint8_t type, uint8_t code, uint32_t arg)
{
	struct icmp6_hdr *icmp = frame_icmp6(sent_one_of(1));

	assert_int_equal(icmp->type, type);
	assert_int_equal(icmp->code, code);
	assert_int_equal(from_be32(icmp->data), arg);
	return icmp;
}

/* A header of options: one of this type without data, and padding. */
static struct mbuf *
with_option(struct mbuf *m, uint8_t header, uint8_t option)
{
	const uint8_t bytes[8] = { 0, 0, option, 0, 1, 2, 0, 0 };

	return with_headers6(m, header, bytes, sizeof(bytes));
}

static struct mbuf *
with_routing(struct mbuf *m, uint8_t type, uint8_t left)
{
	const uint8_t bytes[24] = { 0, 2, type, left };

	return with_headers6(m, IPPROTO_ROUTING_, bytes, sizeof(bytes));
}

/* Bytes from `at` to `end` of the payload of m (borrowed) as a fragment. */
static struct mbuf *
fragment(const struct mbuf *m, uint32_t at, uint32_t end, uint32_t id)
{
	const uint32_t payload = m->len - IP6_HDRLEN;
	struct mbuf *f = m_from(m->data, m->len);
	struct ip6_frag_hdr fh = {
		.offlg = to_be16((uint16_t)(at | (end < payload ? IP6F_MORE : 0))),
		.id = to_be32(id),
	};

	memmove(f->data + IP6_HDRLEN, f->data + IP6_HDRLEN + at, end - at);
	m_trim(f, IP6_HDRLEN + end - at);
	return with_headers6(f, IPPROTO_FRAGMENT_, (const uint8_t *)&fh, sizeof(fh));
}

/* --- the header (RFC 8200 3) ------------------------------------------------------------------ */

static void
test_a_packet_of_another_version_is_dropped(void **state)
{
	struct mbuf *m = echo(8);

	(void)state;
	m->data[0] = 0x40;
	receive6(m);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("ip6.badvers"), 1);
}

static void
test_the_payload_length_says_where_a_packet_ends(void **state)
{
	struct mbuf *m = echo(8), *padded;

	(void)state;
	padded = m_from(m->data, m->len);
	m_trim(m, m->len - 1);
	receive6(m);
	assert_int_equal(replies(), 0);
	assert_int_equal(drops("ip6.tooshort"), 1);
	m_trim(padded, padded->len + 6); /* as Ethernet pads */
	receive6(padded);
	assert_int_equal(replies(), 1);
	assert_int_equal(sent_one_of(1)->len, ETHER_HDR_LEN_ + IP6_HDRLEN + 16);
}

static void
test_a_router_takes_one_off_the_hop_limit_and_changes_nothing_else(void **state)
{
	struct mbuf *m = message6(HOST, FAR, ICMP6_ECHO_REQUEST_, 0, 100), *before;
	const struct mbuf *out;

	(void)state;
	router6();
	mtod(m, struct ip6_hdr *)->flow = to_be32(0x6b8abcde);
	before = m_from(m->data, m->len);
	receive6(m);
	assert_int_equal(wan.sent.len, 1);
	out = wan.sent.head;
	assert_int_equal(frame_ip6(out)->hlim, 63);
	frame_ip6(out)->hlim = 64;
	assert_memory_equal(frame_ip6(out), before->data, before->len);
	m_free(before);
}

static void
test_the_hop_limit_ends_at_a_router(void **state)
{
	(void)state;
	router6();
	for (uint8_t hlim = 0; hlim < 2; hlim++) {
		struct mbuf *m = message6(HOST, FAR, ICMP6_ECHO_REQUEST_, 0, 8);

		mtod(m, struct ip6_hdr *)->hlim = hlim;
		receive6(m);
		assert_error(ICMP6_TIME_EXCEEDED_, ICMP6_TIMX_TRANSIT, 0);
		memif_clear(&lan);
	}
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("ip6.hlim"), 2);
}

static void
test_the_destination_does_not_mind_the_hop_limit(void **state)
{
	(void)state;
	for (uint8_t hlim = 0; hlim < 2; hlim++) {
		struct mbuf *m = echo(8);

		mtod(m, struct ip6_hdr *)->hlim = hlim;
		receive6(m);
		assert_int_equal(replies(), hlim + 1u);
	}
}

/* --- the chain of headers (RFC 8200 4, 4.1) --------------------------------------------------- */

static void
test_extension_headers_come_in_any_order_and_number(void **state)
{
	static const uint8_t atomic[8] = { 0 };
	struct mbuf *m = echo(8);

	(void)state;
	m = with_option(m, IPPROTO_DSTOPTS_, 0x1e);
	m = with_headers6(m, IPPROTO_FRAGMENT_, atomic, sizeof(atomic));
	m = with_option(m, IPPROTO_DSTOPTS_, 0x1e);
	m = with_routing(m, 77, 0);
	m = with_option(m, IPPROTO_DSTOPTS_, 0x1e);
	m = with_option(m, IPPROTO_HOPOPTS_, 0x1e);
	receive6(m);
	assert_int_equal(replies(), 1);
	assert_int_equal(frame_ip6(sent_one_of(1))->nxt, IPPROTO_ICMPV6_);
}

static void
test_hop_by_hop_options_stand_only_behind_the_header(void **state)
{
	struct mbuf *m = with_option(echo(8), IPPROTO_HOPOPTS_, 0x1e);

	(void)state;
	receive6(with_option(m, IPPROTO_DSTOPTS_, 0x1e));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_NEXTHEADER, IP6_HDRLEN);
}

static void
test_an_unknown_next_header_is_answered_with_its_place(void **state)
{
	(void)state;
	receive6(packet6(HOST, US, 200, 40));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_NEXTHEADER, 6);
	memif_clear(&lan);
	receive6(with_option(packet6(HOST, US, 200, 40), IPPROTO_DSTOPTS_, 0x1e));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_NEXTHEADER, IP6_HDRLEN);
}

static void
test_no_next_header_ends_a_packet_silently(void **state)
{
	(void)state;
	receive6(packet6(HOST, US, IPPROTO_NONE_, 40));
	receive6(with_option(packet6(HOST, US, IPPROTO_NONE_, 40), IPPROTO_DSTOPTS_, 0x1e));
	assert_int_equal(lan.sent.len, 0);
}

static void
test_a_router_forwards_what_is_behind_no_next_header(void **state)
{
	struct mbuf *m = packet6(HOST, FAR, IPPROTO_NONE_, 40);
	uint8_t before[40];

	(void)state;
	router6();
	memcpy(before, m->data + IP6_HDRLEN, 40);
	receive6(m);
	assert_int_equal(wan.sent.len, 1);
	assert_memory_equal(frame_ip6(wan.sent.head) + 1, before, 40);
}

static void
test_headers_for_the_destination_are_not_read_on_the_way(void **state)
{
	struct mbuf *m;

	(void)state;
	router6();
	m = with_option(packet6(HOST, FAR, 200, 40), IPPROTO_DSTOPTS_, 0xc9);
	receive6(with_routing(m, 77, 3));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_a_header_that_runs_over_the_packets_end_is_dropped(void **state)
{
	struct mbuf *m = with_option(echo(8), IPPROTO_DSTOPTS_, 0x1e);

	(void)state;
	m->data[IP6_HDRLEN + 1] = 200;
	receive6(m);
	m = with_option(echo(8), IPPROTO_DSTOPTS_, 0x1e);
	m->data[IP6_HDRLEN + 3] = 200; /* an option longer than its header */
	receive6(m);
	assert_int_equal(replies(), 0);
}

/* --- options (RFC 8200 4.2) ------------------------------------------------------------------- */

static void
test_an_unknown_option_is_skipped_if_it_says_so(void **state)
{
	(void)state;
	receive6(with_option(echo(8), IPPROTO_DSTOPTS_, 0x1e));
	receive6(with_option(echo(8), IPPROTO_HOPOPTS_, 0x1e));
	assert_int_equal(replies(), 2);
}

static void
test_an_unknown_option_drops_its_packet_if_it_says_so(void **state)
{
	(void)state;
	receive6(with_option(echo(8), IPPROTO_DSTOPTS_, 0x5e));
	receive6(with_option(echo(8), IPPROTO_HOPOPTS_, 0x5e));
	assert_int_equal(lan.sent.len, 0);
}

static void
test_an_unknown_option_is_answered_if_it_says_so_even_to_a_group(void **state)
{
	struct mbuf *m = message6(HOST, "ff02::1", ICMP6_ECHO_REQUEST_, 0, 8);

	(void)state;
	receive6(with_option(echo(8), IPPROTO_DSTOPTS_, 0x9e));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
	memif_clear(&lan);
	receive6(with_option(m, IPPROTO_DSTOPTS_, 0x9e));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
}

static void
test_an_unknown_option_is_answered_if_it_says_so_but_not_to_a_group(void **state)
{
	struct mbuf *m = message6(HOST, "ff02::1", ICMP6_ECHO_REQUEST_, 0, 8);

	(void)state;
	receive6(with_option(echo(8), IPPROTO_DSTOPTS_, 0xde));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
	memif_clear(&lan);
	receive6(with_option(m, IPPROTO_DSTOPTS_, 0xde));
	assert_int_equal(lan.sent.len, 0);
}

static void
test_a_router_reads_hop_by_hop_options(void **state)
{
	(void)state;
	router6();
	receive6(with_option(packet6(HOST, FAR, 200, 8), IPPROTO_HOPOPTS_, 0x1e));
	assert_int_equal(wan.sent.len, 1);
	receive6(with_option(packet6(HOST, FAR, 200, 8), IPPROTO_HOPOPTS_, 0x5e));
	receive6(with_option(packet6(HOST, FAR, 200, 8), IPPROTO_HOPOPTS_, 0x9e));
	assert_int_equal(wan.sent.len, 1);
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_OPTION, IP6_HDRLEN + 2);
}

/* --- routing headers (RFC 8200 4.4, RFC 5095) ------------------------------------------------- */

static void
test_a_routing_header_at_its_end_is_passed_over(void **state)
{
	(void)state;
	receive6(with_routing(echo(8), 77, 0));
	receive6(with_routing(echo(8), 0, 0));
	assert_int_equal(replies(), 2);
}

static void
test_a_routing_header_of_unknown_type_is_refused(void **state)
{
	(void)state;
	receive6(with_routing(echo(8), 77, 1));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
	memif_clear(&lan);
	receive6(with_routing(echo(8), 0, 1)); /* type 0 is as unknown as others (RFC 5095 3) */
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
}

static void
test_a_reply_has_no_routing_header(void **state)
{
	(void)state;
	receive6(with_routing(echo(8), 77, 0));
	assert_int_equal(frame_ip6(sent_one_of(1))->nxt, IPPROTO_ICMPV6_);
	assert_int_equal(sent_one_of(1)->len, ETHER_HDR_LEN_ + IP6_HDRLEN + 16);
}

/* --- fragments in (RFC 8200 4.5) -------------------------------------------------------------- */

static void
test_fragments_are_put_together_in_any_order(void **state)
{
	struct mbuf *m = echo(1452);

	(void)state;
	receive6(fragment(m, 800, m->len - IP6_HDRLEN, 7));
	receive6(fragment(m, 400, 800, 7));
	assert_int_equal(replies(), 0);
	receive6(fragment(m, 0, 400, 7));
	assert_int_equal(replies(), 1);
	assert_memory_equal(frame_icmp6(sent_one_of(1)) + 1, m->data + 48, 1452);
	m_free(m);
}

static void
test_a_whole_of_1500_bytes_and_more_is_put_together(void **state)
{
	struct mbuf *m = echo(60000);
	uint32_t len = m->len - IP6_HDRLEN;

	(void)state;
	for (uint32_t at = 0; at < len; at += 1400)
		receive6(fragment(m, at, at + 1400 < len ? at + 1400 : len, 7));
	m_free(m);
	/* 1,500 less 40 less 8, in multiples of 8 */
	assert_int_equal(lan.sent.len, (len + 1447) / 1448);
}

static void
test_fragments_belong_together_by_both_addresses_and_number(void **state)
{
	struct mbuf *m = echo(100), *other = message6("2001:db8::3", US, 128, 0, 100);

	(void)state;
	receive6(fragment(m, 0, 48, 7));
	receive6(fragment(m, 48, 108, 8));
	receive6(fragment(other, 48, 108, 7));
	assert_int_equal(lan.sent.len, 0);
	receive6(fragment(m, 48, 108, 7));
	assert_int_equal(replies(), 1);
	m_free(m);
	m_free(other);
}

static void
test_a_packet_that_stays_incomplete_is_given_up_after_60_seconds(void **state)
{
	struct mbuf *m = echo(100);

	(void)state;
	receive6(fragment(m, 0, 48, 7));
	sched_run(clock_now() + 59 * NS_PER_SEC);
	assert_null(sent_icmp6(&lan, ICMP6_TIME_EXCEEDED_, 0));
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_non_null(sent_icmp6(&lan, ICMP6_TIME_EXCEEDED_, 0));
	assert_int_equal(
	    frame_icmp6(sent_icmp6(&lan, ICMP6_TIME_EXCEEDED_, 0))->code, ICMP6_TIMX_REASS);
	receive6(fragment(m, 48, 108, 7));
	assert_int_equal(replies(), 0);
	m_free(m);
}

static void
test_a_packet_without_its_beginning_is_given_up_silently(void **state)
{
	struct mbuf *m = echo(100);

	(void)state;
	receive6(fragment(m, 48, 108, 7));
	sched_run(clock_now() + 62 * NS_PER_SEC);
	assert_null(sent_icmp6(&lan, ICMP6_TIME_EXCEEDED_, 0));
	m_free(m);
}

static void
test_a_fragment_of_odd_length_is_refused(void **state)
{
	struct mbuf *m = echo(100);

	(void)state;
	receive6(fragment(m, 0, 50, 7));
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, 4);
	m_free(m);
}

static void
test_a_fragment_that_makes_the_whole_too_long_is_refused(void **state)
{
	struct mbuf *m = echo(100), *f = fragment(m, 48, 108, 7);

	(void)state;
	((struct ip6_frag_hdr *)(void *)(f->data + IP6_HDRLEN))->offlg = to_be16(65528);
	receive6(f);
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, IP6_HDRLEN + 2);
	m_free(m);
}

static void
test_fragments_that_overlap_are_all_dropped(void **state)
{
	struct mbuf *m = echo(100);

	(void)state;
	receive6(fragment(m, 0, 48, 7));
	receive6(fragment(m, 40, 80, 7));
	receive6(fragment(m, 48, 108, 7));
	receive6(fragment(m, 80, 108, 7));
	sched_run(clock_now() + 62 * NS_PER_SEC);
	assert_int_equal(replies(), 0);
	m_free(m);
}

static void
test_a_fragment_that_comes_twice_does_no_harm(void **state)
{
	struct mbuf *m = echo(100);

	(void)state;
	receive6(fragment(m, 0, 48, 7));
	receive6(fragment(m, 0, 48, 7));
	receive6(fragment(m, 48, 108, 7));
	assert_int_equal(replies(), 1);
	m_free(m);
}

static void
test_only_the_first_fragment_says_what_is_next(void **state)
{
	struct mbuf *m = echo(100), *f = fragment(m, 48, 108, 7);

	(void)state;
	f->data[IP6_HDRLEN] = 201;
	receive6(f);
	receive6(fragment(m, 0, 48, 7));
	assert_int_equal(replies(), 1);
	m_free(m);
}

static void
test_an_atomic_fragment_is_a_whole_by_itself(void **state)
{
	struct mbuf *m = echo(100), *atomic = echo(8);

	(void)state;
	receive6(fragment(m, 0, 48, 7));
	receive6(fragment(atomic, 0, 16, 7)); /* the same number */
	assert_int_equal(replies(), 1);
	receive6(fragment(m, 48, 108, 7));
	assert_int_equal(replies(), 2);
	m_free(m);
	m_free(atomic);
}

static void
test_a_first_fragment_without_the_whole_chain_is_refused(void **state)
{
	struct mbuf *m = with_option(packet6(HOST, US, IPPROTO_UDP_, 108), IPPROTO_DSTOPTS_, 0x1e);

	(void)state;
	receive6(fragment(m, 0, 8, 7)); /* the upper header is in the next one */
	assert_error(ICMP6_PARAM_PROB_, ICMP6_PARAM_CHAIN, 0);
	receive6(fragment(m, 8, 116, 7));
	assert_int_equal(lan.sent.len, 1);
	m_free(m);
}

/* --- fragments out, sizes (RFC 8200 4.5, 5; RFC 8201; RFC 8021) ------------------------------- */

/* "Too big" about a packet from here to HOST. */
static void
too_big(uint32_t mtu)
{
	struct mbuf *m = message6(HOST, US, ICMP6_PACKET_TOO_BIG_, 0, 500);
	struct mbuf *inner = packet6(US, HOST, IPPROTO_ICMPV6_, 1440);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	inner->data[IP6_HDRLEN] = ICMP6_ECHO_REPLY_;
	icmp->data = to_be32(mtu);
	memcpy(icmp + 1, inner->data, 500);
	icmp6_sum_at(m, IP6_HDRLEN);
	m_free(inner);
	receive6(m);
}

static struct ip6_frag_hdr
frame_fragment(const struct mbuf *m)
{
	assert_int_equal(frame_ip6(m)->nxt, IPPROTO_FRAGMENT_);
	return *(struct ip6_frag_hdr *)(void *)(frame_ip6(m) + 1);
}

static void
test_the_source_cuts_packets_for_the_path(void **state)
{
	struct ip6_frag_hdr a, b;

	(void)state;
	too_big(1300);
	receive6(echo(1400));
	assert_int_equal(lan.sent.len, 2);
	a = frame_fragment(lan.sent.head);
	b = frame_fragment(lan.sent.head->next);
	assert_int_equal(load32(&a.id), load32(&b.id));
	assert_int_equal(from_be16(a.offlg), IP6F_MORE);
	assert_int_equal(from_be16(b.offlg) & IP6F_MORE, 0);
	assert_int_equal(a.nxt, IPPROTO_ICMPV6_);
	/* as much as fits, in multiples of 8 bytes */
	assert_int_equal(lan.sent.head->len, ETHER_HDR_LEN_ + IP6_HDRLEN + 8 + 1248);
	assert_int_equal(from_be16(b.offlg), 1248);
	assert_int_equal(lan.sent.head->next->len, ETHER_HDR_LEN_ + IP6_HDRLEN + 8 + 160);
}

static void
test_fragments_of_different_packets_have_different_numbers(void **state)
{
	struct ip6_frag_hdr a, b;

	(void)state;
	too_big(1300);
	receive6(echo(1400));
	a = frame_fragment(lan.sent.head);
	memif_clear(&lan);
	receive6(echo(1400));
	b = frame_fragment(lan.sent.head);
	assert_int_not_equal(load32(&a.id), load32(&b.id));
}

static void
test_no_path_is_taken_to_be_narrower_than_1280(void **state)
{
	(void)state;
	too_big(1000);
	receive6(echo(1200)); /* 1,248 bytes */
	assert_int_equal(frame_ip6(sent_one_of(1))->nxt, IPPROTO_ICMPV6_);
	receive6(echo(8));
	assert_int_equal(frame_ip6(sent_one_of(2))->nxt, IPPROTO_ICMPV6_); /* RFC 8021 */
}

static void
test_the_first_fragment_sent_has_the_whole_chain(void **state)
{
	static const uint8_t options[24] = { 0, 2, 1, 20 };
	const struct ip_opts_out o = { .options = options,
		.options_len = sizeof(options),
		.options_proto = IPPROTO_DSTOPTS_ };
	const struct in6 src = a6(US), dst = a6(HOST);
	struct mbuf *m = m_get(3000);
	const struct ip6_hdr *ip6;
	uint8_t proto;
	int off;

	(void)state;
	memset(m->data, 0, 3000);
	assert_int_equal(ip6_output(m, &src, &dst, 200, &o), 0);
	assert_int_equal(lan.sent.len, 3);
	ip6 = frame_ip6(lan.sent.head);
	off = ip6_upper(ip6, lan.sent.head->len - ETHER_HDR_LEN_, &proto);
	assert_true(off > 0);
	assert_int_equal(proto, 200);
}

static void
test_a_router_does_not_cut_but_says_what_fits(void **state)
{
	struct mbuf *m = message6(HOST, FAR, ICMP6_ECHO_REQUEST_, 0, 1400);

	(void)state;
	router6();
	assert_int_equal(if_set_mtu(wan.ifp, 1400), 0);
	receive6(m);
	assert_int_equal(wan.sent.len, 0);
	assert_error(ICMP6_PACKET_TOO_BIG_, 0, 1400);
	memif_clear(&lan);
	receive6(message6(HOST, FAR, ICMP6_ECHO_REQUEST_, 0, 1352));
	assert_int_equal(wan.sent.len, 1);
}

/* --- class, label, sums (RFC 8200 6, 7, 8.1) -------------------------------------------------- */

static void
test_packets_made_here_have_no_flow_label_and_no_class(void **state)
{
	(void)state;
	receive6(echo(8));
	assert_int_equal(from_be32(frame_ip6(sent_one_of(1))->flow), 0x60000000);
}

static struct mbuf *
datagram(bool with_sum)
{
	struct mbuf *m = packet6(HOST, US, IPPROTO_UDP_, 20);
	const uint8_t ports[8] = { 0x10, 0, 0, 9, 0, 20 };
	uint64_t sum = cksum_add(0, m->data + 8, 32) + (uint64_t)__builtin_bswap32(20) +
	    (17u << 24);

	memcpy(m->data + IP6_HDRLEN, ports, 8);
	if (with_sum)
		store16(
		    m->data + IP6_HDRLEN + 6, cksum_fold(cksum_add(sum, m->data + IP6_HDRLEN, 20)));
	return m;
}

static void
test_a_datagram_to_a_closed_port_is_answered(void **state)
{
	(void)state;
	receive6(datagram(true));
	assert_error(ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0);
}

static void
test_a_datagram_without_a_sum_is_dropped(void **state)
{
	(void)state;
	receive6(datagram(false));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("udp.nosum"), 1);
}

/* --- which error for what (RFC 4443 3), scopes (RFC 4007, 4291) ------------------------------- */

static void
test_no_route_is_answered_with_code_0(void **state)
{
	(void)state;
	router6();
	receive6(packet6(HOST, "2001:db8:99::1", 200, 40));
	assert_error(ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, 0);
}

static void
test_a_reject_route_is_answered_with_code_6(void **state)
{
	(void)state;
	router6();
	command("ifconfig lo0 up");
	command("route -6 add 2001:db8:99::/48 ::1 -reject");
	receive6(packet6(HOST, "2001:db8:99::1", 200, 40));
	assert_error(ICMP6_DST_UNREACH_, ICMP6_UNREACH_REJECT, 0);
}

static void
test_a_source_beyond_its_scope_is_answered_with_code_2(void **state)
{
	(void)state;
	router6();
	receive6(packet6("fe80::2", FAR, 200, 40));
	assert_error(ICMP6_DST_UNREACH_, ICMP6_UNREACH_BEYONDSCOPE, 0);
	assert_int_equal(wan.sent.len, 0);
}

static void
test_a_neighbour_that_does_not_answer_is_unreachable_with_code_3(void **state)
{
	(void)state;
	router6();
	receive6(packet6(HOST, "2001:db8:1::77", 200, 40));
	sched_run(clock_now() + 5 * NS_PER_SEC);
	assert_error(ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, 0);
}

static void
test_a_host_does_not_forward(void **state)
{
	(void)state;
	router6();
	command("sysctl net.inet6.ip6.forwarding=0");
	settle6();
	receive6(packet6(HOST, FAR, 200, 40));
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("ip6.cantforward"), 1);
}

static void
test_what_has_link_scope_is_not_forwarded(void **state)
{
	(void)state;
	router6();
	receive6(packet6(HOST, "fe80::77", 200, 40));
	receive6(packet6("::", FAR, 200, 40));
	receive6(packet6(HOST, "ff02::77", 200, 40));
	assert_int_equal(wan.sent.len, 0);
}

static void
test_addresses_that_no_packet_may_have_are_dropped(void **state)
{
	(void)state;
	receive6(message6("ff02::1", US, ICMP6_ECHO_REQUEST_, 0, 8));
	receive6(message6("::1", US, ICMP6_ECHO_REQUEST_, 0, 8));
	receive6(message6(HOST, "::1", ICMP6_ECHO_REQUEST_, 0, 8));
	receive6(message6("::ffff:10.0.0.2", US, ICMP6_ECHO_REQUEST_, 0, 8));
	receive6(message6(HOST, "ff01::1", ICMP6_ECHO_REQUEST_, 0, 8));
	receive6(message6(HOST, "ff00::1", ICMP6_ECHO_REQUEST_, 0, 8));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("ip6.badscope"), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_packet_of_another_version_is_dropped),
		INET6_TEST(test_the_payload_length_says_where_a_packet_ends),
		INET6_TEST(test_a_router_takes_one_off_the_hop_limit_and_changes_nothing_else),
		INET6_TEST(test_the_hop_limit_ends_at_a_router),
		INET6_TEST(test_the_destination_does_not_mind_the_hop_limit),
		INET6_TEST(test_extension_headers_come_in_any_order_and_number),
		INET6_TEST(test_hop_by_hop_options_stand_only_behind_the_header),
		INET6_TEST(test_an_unknown_next_header_is_answered_with_its_place),
		INET6_TEST(test_no_next_header_ends_a_packet_silently),
		INET6_TEST(test_a_router_forwards_what_is_behind_no_next_header),
		INET6_TEST(test_headers_for_the_destination_are_not_read_on_the_way),
		INET6_TEST(test_a_header_that_runs_over_the_packets_end_is_dropped),
		INET6_TEST(test_an_unknown_option_is_skipped_if_it_says_so),
		INET6_TEST(test_an_unknown_option_drops_its_packet_if_it_says_so),
		INET6_TEST(test_an_unknown_option_is_answered_if_it_says_so_even_to_a_group),
		INET6_TEST(test_an_unknown_option_is_answered_if_it_says_so_but_not_to_a_group),
		INET6_TEST(test_a_router_reads_hop_by_hop_options),
		INET6_TEST(test_a_routing_header_at_its_end_is_passed_over),
		INET6_TEST(test_a_routing_header_of_unknown_type_is_refused),
		INET6_TEST(test_a_reply_has_no_routing_header),
		INET6_TEST(test_fragments_are_put_together_in_any_order),
		INET6_TEST(test_a_whole_of_1500_bytes_and_more_is_put_together),
		INET6_TEST(test_fragments_belong_together_by_both_addresses_and_number),
		INET6_TEST(test_a_packet_that_stays_incomplete_is_given_up_after_60_seconds),
		INET6_TEST(test_a_packet_without_its_beginning_is_given_up_silently),
		INET6_TEST(test_a_fragment_of_odd_length_is_refused),
		INET6_TEST(test_a_fragment_that_makes_the_whole_too_long_is_refused),
		INET6_TEST(test_fragments_that_overlap_are_all_dropped),
		INET6_TEST(test_a_fragment_that_comes_twice_does_no_harm),
		INET6_TEST(test_only_the_first_fragment_says_what_is_next),
		INET6_TEST(test_an_atomic_fragment_is_a_whole_by_itself),
		INET6_TEST(test_a_first_fragment_without_the_whole_chain_is_refused),
		INET6_TEST(test_the_source_cuts_packets_for_the_path),
		INET6_TEST(test_fragments_of_different_packets_have_different_numbers),
		INET6_TEST(test_no_path_is_taken_to_be_narrower_than_1280),
		INET6_TEST(test_the_first_fragment_sent_has_the_whole_chain),
		INET6_TEST(test_a_router_does_not_cut_but_says_what_fits),
		INET6_TEST(test_packets_made_here_have_no_flow_label_and_no_class),
		INET6_TEST(test_a_datagram_to_a_closed_port_is_answered),
		INET6_TEST(test_a_datagram_without_a_sum_is_dropped),
		INET6_TEST(test_no_route_is_answered_with_code_0),
		INET6_TEST(test_a_reject_route_is_answered_with_code_6),
		INET6_TEST(test_a_source_beyond_its_scope_is_answered_with_code_2),
		INET6_TEST(test_a_neighbour_that_does_not_answer_is_unreachable_with_code_3),
		INET6_TEST(test_a_host_does_not_forward),
		INET6_TEST(test_what_has_link_scope_is_not_forwarded),
		INET6_TEST(test_addresses_that_no_packet_may_have_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
