/*
 * Unit tests of what the rules see of a packet (ipfw/packet.c).
 */
#include "fw_packets.h"

static enum fw_packet_fault
fault_at(struct mbuf *m, enum pfil_point point)
{
	struct fw_packet p;
	enum fw_packet_fault fault = fw_packet_read(&p, m, point, PFIL_IN, lan.ifp);

	m_free(m);
	return fault;
}

static enum fw_packet_fault
fault(struct mbuf *m)
{
	return fault_at(m, m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6);
}

/* The same packet, shorter, with a length that says so. */
static struct mbuf *
cut(struct mbuf *m, uint32_t len)
{
	m_trim(m, len);
	if (m->data[0] >> 4 == 4)
		resum(m);
	else
		mtod(m, struct ip6_hdr *)->plen = to_be16((uint16_t)(len - IP6_HDRLEN));
	return m;
}

static void
test_a_tcp_segment_is_read(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN | ACK);
	struct fw_packet p = read_in(m);

	(void)state;
	assert_int_equal(p.ip, 4);
	assert_int_equal(p.proto, IPPROTO_TCP_);
	assert_true(p.has_ports && p.has_tcp && !p.has_icmp);
	assert_int_equal(p.sport, 1030);
	assert_int_equal(p.dport, 22);
	assert_int_equal(p.tcp_flags, SYN | ACK);
	assert_int_equal(p.src, a4("10.0.0.2"));
	assert_int_equal(p.dst, a4("10.0.0.1"));
	assert_int_equal(p.ip_len, 40);
	assert_int_equal(p.l3, 0);
	assert_int_equal(p.l4, 20);
	assert_true(p.in && !p.layer2 && !p.fragment);
	assert_ptr_equal(p.recv, lan.ifp);
	assert_null(p.xmit);
	m_free(m);
}

static void
test_echoes_and_their_answers_have_an_identifier(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t type;
		uint16_t id;
	} of[] = { { "10.0.0.2", "10.0.0.1", 8, 0x1234 }, { "10.0.0.2", "10.0.0.1", 0, 0x1234 },
		{ "10.0.0.2", "10.0.0.1", 3, 0 }, { "10.0.0.2", "10.0.0.1", 128, 0 },
		{ "2001:db8::2", "2001:db8::1", 128, 0x1234 },
		{ "2001:db8::2", "2001:db8::1", 129, 0x1234 },
		{ "2001:db8::2", "2001:db8::1", 8, 0 } };
	struct fw_packet p;

	(void)state;
	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		struct mbuf *m = icmp(of[i].src, of[i].dst, of[i].type, 0);

		store16(upper_of(m) + 4, __builtin_bswap16(0x1234));
		p = read_in(m);
		assert_int_equal(p.echo_id, of[i].id);
		m_free(m);
	}
}

static void
test_icmp_of_the_own_family_only_has_a_type(void **state)
{
	struct mbuf *m = icmp("10.0.0.2", "10.0.0.1", 8, 0);
	struct fw_packet p = read_in(m);

	(void)state;
	assert_true(p.has_icmp && !p.has_ports);
	assert_int_equal(p.icmp_type, 8);
	mtod(m, struct ip_hdr *)->proto = IPPROTO_ICMPV6_;
	p = read_in(m);
	assert_false(p.has_icmp);
	m_free(m);
	m = icmp("2001:db8::2", "2001:db8::1", 128, 3);
	p = read_in(m);
	assert_true(p.has_icmp);
	assert_int_equal(p.icmp_type, 128);
	assert_int_equal(p.icmp_code, 3);
	m_free(m);
}

static void
test_later_fragments_have_no_ports(void **state)
{
	struct mbuf *m = fragment(udp("10.0.0.2", 5, "10.0.0.1", 6, 16), 1480, true);
	struct fw_packet p = read_in(m);

	(void)state;
	assert_true(p.fragment && p.later_fragment);
	assert_false(p.has_ports);
	assert_int_equal(p.frag_off, 1480);
	assert_int_equal(p.frag_id, 77);
	m_free(m);
	m = fragment(udp("10.0.0.2", 5, "10.0.0.1", 6, 16), 0, true);
	p = read_in(m);
	assert_true(p.fragment && !p.later_fragment && p.has_ports);
	m_free(m);
}

/* Spec section 2: TCP 20, UDP 8, ICMP 4 bytes; and the fragment at offset 1. */
static void
test_headers_that_are_cut_off_are_a_fault(void **state)
{
	(void)state;
	assert_int_equal(fault(cut(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 39)), FW_PACKET_SHORT);
	assert_int_equal(fault(cut(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 40)), FW_PACKET_OK);
	assert_int_equal(fault(cut(udp("10.0.0.2", 1, "10.0.0.1", 2, 0), 27)), FW_PACKET_SHORT);
	assert_int_equal(fault(cut(udp("10.0.0.2", 1, "10.0.0.1", 2, 0), 28)), FW_PACKET_OK);
	assert_int_equal(fault(cut(icmp("10.0.0.2", "10.0.0.1", 8, 0), 23)), FW_PACKET_SHORT);
	assert_int_equal(fault(cut(icmp("10.0.0.2", "10.0.0.1", 8, 0), 24)), FW_PACKET_OK);
	assert_int_equal(fault(fragment(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 8, false)),
	    FW_PACKET_TCP_OFFSET1);
	assert_int_equal(
	    fault(fragment(udp("10.0.0.2", 1, "10.0.0.1", 2, 0), 8, false)), FW_PACKET_OK);
}

static void
test_the_same_of_ipv6(void **state)
{
	(void)state;
	assert_int_equal(
	    fault(cut(tcp("2001:db8::2", 1, "2001:db8::1", 2, SYN), 59)), FW_PACKET_SHORT);
	assert_int_equal(
	    fault(cut(tcp("2001:db8::2", 1, "2001:db8::1", 2, SYN), 60)), FW_PACKET_OK);
	assert_int_equal(
	    fault(cut(udp("2001:db8::2", 1, "2001:db8::1", 2, 0), 47)), FW_PACKET_SHORT);
	assert_int_equal(
	    fault(cut(icmp("2001:db8::2", "2001:db8::1", 128, 0), 43)), FW_PACKET_SHORT);
}

static void
test_extension_headers_are_passed(void **state)
{
	const uint8_t hop[8] = { 0, 0, 1, 4 }, dst[8] = { 0, 0, 1, 4 };
	const uint8_t routing[8] = { 0, 0, 2, 0 };
	struct mbuf *m = udp("2001:db8::2", 53, "2001:db8::1", 54, 4);
	struct fw_packet p;

	(void)state;
	m = with_headers6(m, IPPROTO_DSTOPTS_, dst, 8);
	m = with_headers6(m, IPPROTO_ROUTING_, routing, 8);
	m = with_headers6(m, IPPROTO_HOPOPTS_, hop, 8);
	p = read_in(m);
	assert_int_equal(p.proto, IPPROTO_UDP_);
	assert_int_equal(p.l4, 64);
	assert_int_equal(p.dport, 54);
	assert_int_equal(p.ext6, FW_EXT_HOPOPT | FW_EXT_ROUTE | FW_EXT_RTHDR2 | FW_EXT_DSTOPT);
	m_free(m);
}

static void
test_fragments_of_ipv6_are_told(void **state)
{
	const uint8_t later[8] = { 0, 0, 0x05, 0xa8 | 1, 0, 0, 0x12, 0x34 }; /* 1448, more */
	const uint8_t atomic[8] = { 0 };
	struct mbuf *m = udp("2001:db8::2", 53, "2001:db8::1", 54, 4);
	struct fw_packet p;

	(void)state;
	m = with_headers6(m, IPPROTO_FRAGMENT_, later, 8);
	p = read_in(m);
	assert_true(p.fragment && p.later_fragment && !p.has_ports);
	assert_int_equal(p.frag_off, 1448);
	assert_int_equal(p.frag_id, 0x1234);
	assert_int_equal(p.proto, IPPROTO_UDP_);
	m_free(m);
	m = with_headers6(
	    udp("2001:db8::2", 53, "2001:db8::1", 54, 4), IPPROTO_FRAGMENT_, atomic, 8);
	p = read_in(m);
	assert_true(!p.fragment && p.has_ports);
	assert_int_equal(p.ext6, FW_EXT_FRAG);
	m_free(m);
}

static void
test_unknown_extension_headers_are_a_fault_if_so_configured(void **state)
{
	const uint8_t routing[8] = { 0, 0, 77, 0 };

	(void)state;
	assert_int_equal(fault(packet6("2001:db8::2", "2001:db8::1", 253, 8)), FW_PACKET_EXTHDR);
	assert_int_equal(fault(packet6("2001:db8::2", "2001:db8::1", 200, 8)), FW_PACKET_EXTHDR);
	assert_int_equal(fault(packet6("2001:db8::2", "2001:db8::1", 47, 8)), FW_PACKET_OK);
	assert_int_equal(fault(with_headers6(udp("2001:db8::2", 1, "2001:db8::1", 2, 0),
			     IPPROTO_ROUTING_, routing, 8)),
	    FW_PACKET_EXTHDR);
	command("sysctl net.inet6.ip6.fw.deny_unknown_exthdrs=0");
	assert_int_equal(fault(packet6("2001:db8::2", "2001:db8::1", 253, 8)), FW_PACKET_OK);
	assert_int_equal(fault(with_headers6(udp("2001:db8::2", 1, "2001:db8::1", 2, 0),
			     IPPROTO_ROUTING_, routing, 8)),
	    FW_PACKET_OK);
}

static void
test_a_chain_that_is_cut_off_is_a_fault(void **state)
{
	const uint8_t dst[8] = { 0, 9, 1, 4 }; /* 80 bytes, it says */

	(void)state;
	assert_int_equal(fault(with_headers6(
			     udp("2001:db8::2", 1, "2001:db8::1", 2, 0), IPPROTO_DSTOPTS_, dst, 8)),
	    FW_PACKET_SHORT);
}

static void
test_a_frame_shows_both_headers(void **state)
{
	struct mbuf *m = framed(tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN), &lan);
	struct fw_packet p = read_at(m, PFIL_LINK, PFIL_IN, lan.ifp);

	(void)state;
	assert_true(p.layer2);
	assert_int_equal(p.ether_type, ETHERTYPE_IP_);
	assert_int_equal(p.l3, 14);
	assert_int_equal(p.l4, 34);
	assert_int_equal(p.dport, 22);
	m_free(m);
	m = framed(udp("2001:db8::2", 1, "2001:db8::1", 2, 0), &lan);
	p = read_at(m, PFIL_LINK, PFIL_OUT, lan.ifp);
	assert_int_equal(p.ip, 6);
	assert_int_equal(p.l4, 54);
	assert_ptr_equal(p.xmit, lan.ifp);
	assert_null(p.recv);
	m_free(m);
}

/* Nobody has checked an IP header at layer 2. */
static void
test_what_is_no_ip_in_a_frame_is_not_ip(void **state)
{
	struct mbuf *m = framed(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), &lan);

	(void)state;
	m->data[14] = 0x44; /* a header of 16 bytes */
	assert_int_equal(read_at(m, PFIL_LINK, PFIL_IN, lan.ifp).ip, 0);
	m->data[14] = 0x65;
	assert_int_equal(read_at(m, PFIL_LINK, PFIL_IN, lan.ifp).ip, 0);
	m->data[14] = 0x45;
	m_trim(m, 14 + 19);
	assert_int_equal(read_at(m, PFIL_LINK, PFIL_IN, lan.ifp).ip, 0);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	assert_int_equal(read_at(m, PFIL_LINK, PFIL_IN, lan.ifp).ip, 0);
	m_trim(m, 13);
	assert_int_equal(fault_at(m, PFIL_LINK), FW_PACKET_SHORT);
}

/* Padding is no part of the datagram. */
static void
test_padding_of_a_frame_is_not_looked_at(void **state)
{
	struct mbuf *m = framed(cut(tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN), 30), &lan);

	(void)state;
	m->len = 60;
	assert_int_equal(fault_at(m, PFIL_LINK), FW_PACKET_SHORT);
}

/* What says nothing about its way in was made here. */
static void
test_only_forwarded_packets_have_a_way_in_on_the_way_out(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN);

	(void)state;
	assert_null(read_at(m, PFIL_INET, PFIL_OUT, lan.ifp).recv);
	m->flags |= M_FORWARDED;
	assert_ptr_equal(read_at(m, PFIL_INET, PFIL_OUT, lan.ifp).recv, lan.ifp);
	m_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_tcp_segment_is_read),
		INET6_TEST(test_echoes_and_their_answers_have_an_identifier),
		INET6_TEST(test_icmp_of_the_own_family_only_has_a_type),
		INET6_TEST(test_later_fragments_have_no_ports),
		INET6_TEST(test_headers_that_are_cut_off_are_a_fault),
		INET6_TEST(test_the_same_of_ipv6),
		INET6_TEST(test_extension_headers_are_passed),
		INET6_TEST(test_fragments_of_ipv6_are_told),
		INET6_TEST(test_unknown_extension_headers_are_a_fault_if_so_configured),
		INET6_TEST(test_a_chain_that_is_cut_off_is_a_fault),
		INET6_TEST(test_a_frame_shows_both_headers),
		INET6_TEST(test_what_is_no_ip_in_a_frame_is_not_ip),
		INET6_TEST(test_padding_of_a_frame_is_not_looked_at),
		INET6_TEST(test_only_forwarded_packets_have_a_way_in_on_the_way_out),
	};

	return cmocka_run_group_tests_name("ipfw/packet", tests, NULL, NULL);
}
