/*
 * NAT (ipfw/nat*.c): what becomes of packets, by each option.
 */
#include "nat_fixture.h"

static void
test_source_becomes_the_alias_and_answers_come_back(void **state)
{
	struct mbuf *m;
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m = out(udp_to(INSIDE, 1024, OUTSIDE, 53));
	port = get16(m, 20);
	assert_true(port >= 0x8000);
	assert_ends(m, ALIAS, port, OUTSIDE, 53);
	assert_ends(in(udp_to(OUTSIDE, 53, ALIAS, port)), OUTSIDE, 53, INSIDE, 1024);
	/* the same link again, and another one for another port */
	assert_int_equal(alias_port(out(udp_to(INSIDE, 1024, OUTSIDE, 53))), port);
	assert_int_not_equal(alias_port(out(udp_to(INSIDE, 1025, OUTSIDE, 53))), port);
	assert_int_equal(links(), 2);
}

static void
test_tcp_is_translated_with_its_checksum(void **state)
{
	struct mbuf *m;
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m = out(tcp_to(INSIDE, 1024, OUTSIDE, 80, SYN, 7, 0, ""));
	port = get16(m, 20);
	assert_ends(m, ALIAS, port, OUTSIDE, 80);
	assert_ends(
	    in(tcp_to(OUTSIDE, 80, ALIAS, port, SYN | ACK, 9, 8, "")), OUTSIDE, 80, INSIDE, 1024);
	assert_ends(out(tcp_to(INSIDE, 1024, OUTSIDE, 80, ACK, 8, 10, "some bytes")), ALIAS, port,
	    OUTSIDE, 80);
}

static void
test_datagram_without_a_checksum_stays_without(void **state)
{
	struct mbuf *m = udp_to(INSIDE, 1024, OUTSIDE, 53);

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	put16(m, 26, 0);
	m = out(m);
	assert_int_equal(get16(m, 26), 0);
	m_free(m);
}

static void
test_wrong_checksum_stays_wrong(void **state)
{
	struct mbuf *m = udp_to(INSIDE, 1024, OUTSIDE, 53);

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m->data[40] ^= 1;
	m = out(m);
	assert_int_not_equal(transport_sum(m), 0);
	m_free(m);
}

static void
test_shared_buffer_is_copied_first(void **state)
{
	struct mbuf *m = udp_to(INSIDE, 1024, OUTSIDE, 53), *clone = m_clone(m);

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	assert_ends(out(m), ALIAS, 0, OUTSIDE, 53);
	assert_ends(clone, INSIDE, 1024, OUTSIDE, 53);
}

static void
test_instance_that_is_not_there_says_so(void **state)
{
	struct mbuf *m;

	(void)state;
	m = out(udp_to(INSIDE, 1024, OUTSIDE, 53));
	assert_null(m);
	assert_int_equal(verdict, FW_NAT_NONE);
}

/* --- options ------------------------------------------------------------------------------- */

static void
test_same_ports_keeps_a_port_that_is_free(void **state)
{
	uint16_t other;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " same_ports");
	assert_int_equal(alias_port(out(udp_to(INSIDE, 1024, OUTSIDE, 53))), 1024);
	other = alias_port(out(udp_to("10.0.0.3", 1024, OUTSIDE, 53)));
	assert_true(other >= 0x8000);
	/* free again towards another end */
	assert_int_equal(alias_port(out(udp_to("10.0.0.3", 1024, "198.51.100.8", 53))), 1024);
}

static void
test_port_range_bounds_alias_ports(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " port_range 2000-2001");
	for (uint16_t i = 0; i < 2; i++) {
		uint16_t port = alias_port(out(udp_to(INSIDE, 1024 + i, OUTSIDE, 53)));

		assert_true(port == 2000 || port == 2001);
	}
	/* none is left, in 20 tries or in a thousand */
	assert_dropped(out(udp_to(INSIDE, 1030, OUTSIDE, 53)));
	assert_int_equal(nat_sysctl("net.inet.ip.fw.nat_refused"), 1);
}

static void
test_unreg_only_leaves_public_sources_alone(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " unreg_only");
	assert_ends(
	    out(udp_to("203.0.113.5", 1024, OUTSIDE, 53)), "203.0.113.5", 1024, OUTSIDE, 53);
	assert_ends(out(udp_to("172.31.0.1", 1024, OUTSIDE, 53)), ALIAS, 0, OUTSIDE, 53);
	assert_ends(out(udp_to("192.168.255.1", 1024, OUTSIDE, 53)), ALIAS, 0, OUTSIDE, 53);
	assert_ends(out(udp_to("172.32.0.1", 1024, OUTSIDE, 53)), "172.32.0.1", 1024, OUTSIDE, 53);
}

static void
test_strangers_reach_the_host_and_its_answer_keeps_the_port(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	assert_ends(in(udp_to(OUTSIDE, 53, ALIAS, 123)), OUTSIDE, 53, ALIAS, 123);
	assert_ends(out(udp_to(ALIAS, 123, OUTSIDE, 53)), ALIAS, 123, OUTSIDE, 53);
	/* what is for others passes without a link */
	assert_ends(in(udp_to(OUTSIDE, 53, "203.0.113.1", 123)), OUTSIDE, 53, "203.0.113.1", 123);
	assert_int_equal(links(), 1);
}

static void
test_deny_in_drops_what_nobody_asked_for(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " deny_in redirect_port udp 10.0.0.5:53 53");
	assert_dropped(in(udp_to(OUTSIDE, 53, ALIAS, 123)));
	assert_dropped(in(icmp_to(OUTSIDE, ALIAS, 8, 1, NULL, 0)));
	assert_dropped(in(packet(a4(OUTSIDE), a4(ALIAS), 47, 20)));
	port = alias_port(out(udp_to(INSIDE, 1024, OUTSIDE, 53)));
	assert_ends(in(udp_to(OUTSIDE, 53, ALIAS, port)), OUTSIDE, 53, INSIDE, 1024);
	assert_ends(in(udp_to(OUTSIDE, 99, ALIAS, 53)), OUTSIDE, 99, "10.0.0.5", 53);
}

static void
test_reverse_swaps_the_sides(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " reverse");
	port = alias_port(in(udp_to(INSIDE, 1024, OUTSIDE, 53)));
	assert_true(port >= 0x8000);
	assert_ends(out(udp_to(OUTSIDE, 53, ALIAS, port)), OUTSIDE, 53, INSIDE, 1024);
}

static void
test_proxy_only_translates_nothing(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config proxy_only");
	assert_ends(out(udp_to(INSIDE, 1024, OUTSIDE, 53)), INSIDE, 1024, OUTSIDE, 53);
	assert_ends(in(udp_to(OUTSIDE, 53, ALIAS, 99)), OUTSIDE, 53, ALIAS, 99);
	assert_int_equal(links(), 0);
}

static void
test_udp_eim_has_one_port_for_all_remote_ends(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " udp_eim");
	port = alias_port(out(udp_to(INSIDE, 1024, OUTSIDE, 53)));
	assert_int_equal(alias_port(out(udp_to(INSIDE, 1024, "198.51.100.8", 54))), port);
	assert_ends(in(udp_to("203.0.113.9", 77, ALIAS, port)), "203.0.113.9", 77, INSIDE, 1024);
	assert_int_equal(links(), 1);
}

static void
test_global_asks_all_instances_but_those_that_skip(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip 192.0.2.9 skip_global");
	command("ipfw -q nat 2 config ip " ALIAS " redirect_port tcp 10.0.0.5:80 8080");
	command("ipfw -q nat 3 config ip 192.0.2.3");
	/* nobody knows it: it stays as it is */
	assert_ends(
	    through(0, udp_to(INSIDE, 1024, OUTSIDE, 53), PFIL_OUT), INSIDE, 1024, OUTSIDE, 53);
	port = alias_port(through(3, udp_to(INSIDE, 1024, OUTSIDE, 53), PFIL_OUT));
	assert_ends(through(0, udp_to(INSIDE, 1024, OUTSIDE, 53), PFIL_OUT), "192.0.2.3", port,
	    OUTSIDE, 53);
	assert_ends(
	    through(0, udp_to(OUTSIDE, 53, "192.0.2.3", port), PFIL_IN), OUTSIDE, 53, INSIDE, 1024);
	assert_ends(through(0, tcp_to(OUTSIDE, 53, ALIAS, 8080, SYN, 0, 0, ""), PFIL_IN), OUTSIDE,
	    53, "10.0.0.5", 80);
	port = alias_port(through(1, udp_to(INSIDE, 1030, OUTSIDE, 53), PFIL_OUT));
	assert_ends(through(0, udp_to(OUTSIDE, 53, "192.0.2.9", port), PFIL_IN), OUTSIDE, 53,
	    "192.0.2.9", port);
}

/* --- the alias of an interface ------------------------------------------------------------- */

static void
test_alias_follows_the_interfaces_address(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config if mem0");
	port = alias_port(out(udp_to(INSIDE, 1024, OUTSIDE, 53)));
	command("ifconfig mem0 inet 10.0.0.1/24 delete");
	/* no address, no new link; what is there goes on */
	assert_dropped(out(udp_to(INSIDE, 1025, OUTSIDE, 53)));
	assert_ends(in(udp_to(OUTSIDE, 53, "10.0.0.1", port)), OUTSIDE, 53, INSIDE, 1024);
	command("ifconfig mem0 inet 10.0.0.99/24");
	assert_ends(out(udp_to(INSIDE, 1025, OUTSIDE, 53)), "10.0.0.99", 0, OUTSIDE, 53);
	assert_ends(out(udp_to(INSIDE, 1024, OUTSIDE, 53)), "10.0.0.1", port, OUTSIDE, 53);
	assert_int_equal(links(), 2);
}

static void
test_reset_forgets_the_links_of_an_old_address(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config if mem0 reset");
	assert_ends(out(udp_to(INSIDE, 1024, OUTSIDE, 53)), "10.0.0.1", 0, OUTSIDE, 53);
	assert_int_equal(links(), 1);
	command("ifconfig mem0 inet 10.0.0.1/24 delete");
	assert_int_equal(links(), 0);
	command("ifconfig mem0 inet 10.0.0.99/24");
	assert_ends(out(udp_to(INSIDE, 1024, OUTSIDE, 53)), "10.0.0.99", 0, OUTSIDE, 53);
}

static void
test_interface_may_come_later(void **state)
{
	struct memif later;

	(void)state;
	command("ipfw -q nat 1 config if mem7");
	assert_dropped(out(udp_to(INSIDE, 1024, OUTSIDE, 53)));
	memif_open(&later, 7);
	command("ifconfig mem7 inet 203.0.113.1/24");
	assert_ends(out(udp_to(INSIDE, 1024, OUTSIDE, 53)), "203.0.113.1", 0, OUTSIDE, 53);
	memif_close(&later);
	assert_dropped(out(udp_to(INSIDE, 1025, OUTSIDE, 53)));
}

/* --- redirects ----------------------------------------------------------------------------- */

static void
test_redirect_port_leads_in_and_its_answer_out(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port tcp 10.0.0.5:80 8080");
	assert_ends(
	    in(tcp_to(OUTSIDE, 999, ALIAS, 8080, SYN, 0, 0, "")), OUTSIDE, 999, "10.0.0.5", 80);
	assert_ends(out(tcp_to("10.0.0.5", 80, OUTSIDE, 999, SYN | ACK, 0, 0, "")), ALIAS, 8080,
	    OUTSIDE, 999);
	/* by itself it has the same alias */
	assert_ends(
	    out(tcp_to("10.0.0.5", 80, OUTSIDE, 1000, SYN, 0, 0, "")), ALIAS, 8080, OUTSIDE, 1000);
	assert_ends(
	    in(tcp_to(OUTSIDE, 999, ALIAS, 8081, SYN, 0, 0, "")), OUTSIDE, 999, ALIAS, 8081);
	assert_ends(in(udp_to(OUTSIDE, 999, ALIAS, 8080)), OUTSIDE, 999, ALIAS, 8080);
}

static void
test_redirect_port_of_a_range_keeps_the_distance(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS
		" redirect_port udp 10.0.0.5:5000-5009 203.0.113.1:6000-6009");
	assert_ends(in(udp_to(OUTSIDE, 1, "203.0.113.1", 6000)), OUTSIDE, 1, "10.0.0.5", 5000);
	assert_ends(in(udp_to(OUTSIDE, 1, "203.0.113.1", 6009)), OUTSIDE, 1, "10.0.0.5", 5009);
	assert_ends(in(udp_to(OUTSIDE, 1, "203.0.113.1", 6010)), OUTSIDE, 1, "203.0.113.1", 6010);
	assert_ends(in(udp_to(OUTSIDE, 1, "203.0.113.1", 5999)), OUTSIDE, 1, "203.0.113.1", 5999);
	assert_ends(out(udp_to("10.0.0.5", 5003, OUTSIDE, 1)), "203.0.113.1", 6003, OUTSIDE, 1);
}

static void
test_redirect_may_be_for_one_remote_end(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port udp 10.0.0.5:53 53 " OUTSIDE
		" redirect_port udp 10.0.0.6:54 54 " OUTSIDE ":700");
	assert_ends(in(udp_to(OUTSIDE, 1, ALIAS, 53)), OUTSIDE, 1, "10.0.0.5", 53);
	assert_ends(in(udp_to("203.0.113.9", 1, ALIAS, 53)), "203.0.113.9", 1, ALIAS, 53);
	assert_ends(in(udp_to(OUTSIDE, 700, ALIAS, 54)), OUTSIDE, 700, "10.0.0.6", 54);
	assert_ends(in(udp_to(OUTSIDE, 701, ALIAS, 54)), OUTSIDE, 701, ALIAS, 54);
}

static void
test_redirect_addr_leads_both_ways_with_all_ports(void **state)
{
	struct mbuf *m;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_addr 10.0.0.5 203.0.113.1");
	assert_ends(in(udp_to(OUTSIDE, 1, "203.0.113.1", 53)), OUTSIDE, 1, "10.0.0.5", 53);
	assert_ends(out(udp_to("10.0.0.5", 4000, OUTSIDE, 9)), "203.0.113.1", 4000, OUTSIDE, 9);
	assert_ends(out(udp_to(INSIDE, 4000, OUTSIDE, 9)), ALIAS, 0, OUTSIDE, 9);
	m = in(icmp_to(OUTSIDE, "203.0.113.1", 8, 77, NULL, 0));
	assert_ends(m, OUTSIDE, 0, "10.0.0.5", 0);
	m = in(packet(a4(OUTSIDE), a4("203.0.113.1"), 47, 20));
	assert_ends(m, OUTSIDE, 0, "10.0.0.5", 0);
}

static void
test_redirect_proto_leads_in(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_proto gre 10.0.0.5"
		" redirect_proto esp 10.0.0.6 203.0.113.1 " OUTSIDE);
	assert_ends(in(packet(a4(OUTSIDE), a4(ALIAS), 47, 20)), OUTSIDE, 0, "10.0.0.5", 0);
	assert_ends(out(packet(a4("10.0.0.5"), a4(OUTSIDE), 47, 20)), ALIAS, 0, OUTSIDE, 0);
	assert_ends(in(packet(a4(OUTSIDE), a4("203.0.113.1"), 50, 20)), OUTSIDE, 0, "10.0.0.6", 0);
	assert_ends(in(packet(a4("203.0.113.9"), a4("203.0.113.1"), 50, 20)), "203.0.113.9", 0,
	    "203.0.113.1", 0);
}

static void
test_most_specific_redirect_wins(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_addr 10.0.0.5 " ALIAS
		" redirect_port udp 10.0.0.6:53 53 redirect_port udp 10.0.0.7:53 53 " OUTSIDE);
	assert_ends(in(udp_to(OUTSIDE, 1, ALIAS, 53)), OUTSIDE, 1, "10.0.0.7", 53);
	assert_ends(in(udp_to("203.0.113.9", 1, ALIAS, 53)), "203.0.113.9", 1, "10.0.0.6", 53);
	assert_ends(in(udp_to(OUTSIDE, 1, ALIAS, 54)), OUTSIDE, 1, "10.0.0.5", 54);
}

static void
test_load_is_shared_in_turn_and_connections_stay(void **state)
{
	unsigned served[3] = { 0 };
	uint32_t first[30];

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS
		" redirect_port tcp 10.0.0.5:80,10.0.0.6:81,10.0.0.7:82 80");
	for (int again = 0; again < 2; again++)
		for (uint16_t i = 0; i < 30; i++) {
			struct mbuf *m = in(tcp_to(OUTSIDE, 1000 + i, ALIAS, 80, SYN, 0, 0, ""));
			uint32_t host;

			assert_non_null(m);
			host = get32(m, 16) & 0xff;
			assert_int_equal(get16(m, 22), 75 + host);
			if (again)
				assert_int_equal(host, first[i]);
			else
				served[host - 5]++;
			first[i] = host;
			m_free(m);
		}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(served[i], 10);
	assert_ends(out(tcp_to("10.0.0.6", 81, OUTSIDE, 1001, SYN | ACK, 0, 0, "")), ALIAS, 80,
	    OUTSIDE, 1001);
}

/* --- other protocols ----------------------------------------------------------------------- */

static void
test_echo_has_its_id_translated(void **state)
{
	struct mbuf *m;
	uint16_t id;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m = out(icmp_to(INSIDE, OUTSIDE, 8, 7, NULL, 0));
	id = get16(m, 24);
	assert_true(id >= 0x8000);
	assert_ends(m, ALIAS, 0, OUTSIDE, 0);
	m = in(icmp_to(OUTSIDE, ALIAS, 0, id, NULL, 0));
	assert_int_equal(get16(m, 24), 7);
	assert_ends(m, OUTSIDE, 0, INSIDE, 0);
}

static void
test_sctp_keeps_its_ports(void **state)
{
	struct mbuf *m = packet(a4(INSIDE), a4(OUTSIDE), 132, 30);

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	put16(m, 20, 5000);
	put16(m, 22, 5001);
	assert_ends(out(m), ALIAS, 5000, OUTSIDE, 5001);
	/* another one with the same ports to the same end can't be told apart */
	m = packet(a4("10.0.0.3"), a4(OUTSIDE), 132, 30);
	put16(m, 20, 5000);
	put16(m, 22, 5001);
	assert_dropped(out(m));
	m = packet(a4(OUTSIDE), a4(ALIAS), 132, 30);
	put16(m, 20, 5001);
	put16(m, 22, 5000);
	assert_ends(in(m), OUTSIDE, 5001, INSIDE, 5000);
}

static void
test_protocol_without_ports_has_one_local_end_for_a_remote_one(void **state)
{
	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	assert_ends(out(packet(a4(INSIDE), a4(OUTSIDE), 47, 20)), ALIAS, 0, OUTSIDE, 0);
	assert_dropped(out(packet(a4("10.0.0.3"), a4(OUTSIDE), 47, 20)));
	assert_ends(in(packet(a4(OUTSIDE), a4(ALIAS), 47, 20)), OUTSIDE, 0, INSIDE, 0);
}

/* --- ICMP errors --------------------------------------------------------------------------- */

/* What an error quotes, and that its header is sound. */
static void
assert_quotes(
    const struct mbuf *m, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	const struct ip_hdr *inner = (const struct ip_hdr *)(const void *)(m->data + 28);

	assert_int_equal(ip_cksum(inner), 0);
	assert_int_equal(inner->src, a4(src));
	assert_int_equal(inner->dst, a4(dst));
	assert_int_equal(get16(m, 48), sport);
	assert_int_equal(get16(m, 50), dport);
}

/* The quoted packet is whole: its own checksum must be right, too. */
static void
assert_quoted_is_sound(const struct mbuf *m)
{
	struct mbuf *inner = m_from(m->data + 28, m->len - 28);

	assert_sealed(inner);
	m_free(inner);
}

static void
test_error_from_outside_finds_who_sent(void **state)
{
	static const uint8_t types[] = { 3, 4, 11, 12 };
	struct mbuf *sent, *m;
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " deny_in");
	sent = out(udp_to(INSIDE, 1024, OUTSIDE, 33434));
	port = get16(sent, 20);
	for (unsigned i = 0; i < sizeof(types); i++) {
		/* from a router on the way; all of the packet, or 8 bytes of it */
		m = in(icmp_to("203.0.113.254", ALIAS, types[i], 0, sent, sent->len));
		assert_non_null(m);
		assert_quotes(m, INSIDE, 1024, OUTSIDE, 33434);
		assert_quoted_is_sound(m);
		assert_ends(m, "203.0.113.254", 0, INSIDE, 0);
		m = in(icmp_to("203.0.113.254", ALIAS, types[i], 0, sent, 28));
		assert_quotes(m, INSIDE, 1024, OUTSIDE, 33434);
		assert_ends(m, "203.0.113.254", 0, INSIDE, 0);
	}
	m_free(sent);
	/* what quotes nothing of ours is a stranger */
	sent = udp_to(ALIAS, (uint16_t)(port + 1), OUTSIDE, 33434);
	assert_dropped(in(icmp_to("203.0.113.254", ALIAS, 3, 0, sent, 28)));
	assert_dropped(in(icmp_to("203.0.113.254", ALIAS, 3, 0, sent, 20)));
	m_free(sent);
}

static void
test_error_about_tcp_and_echo_is_translated(void **state)
{
	struct mbuf *sent, *m;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	sent = out(tcp_to(INSIDE, 1024, OUTSIDE, 80, SYN, 1, 0, ""));
	m = in(icmp_to(OUTSIDE, ALIAS, 3, 0, sent, sent->len));
	assert_quotes(m, INSIDE, 1024, OUTSIDE, 80);
	assert_quoted_is_sound(m);
	assert_ends(m, OUTSIDE, 0, INSIDE, 0);
	m = in(icmp_to(OUTSIDE, ALIAS, 3, 0, sent, 28));
	assert_quotes(m, INSIDE, 1024, OUTSIDE, 80);
	assert_ends(m, OUTSIDE, 0, INSIDE, 0);
	m_free(sent);

	sent = out(icmp_to(INSIDE, OUTSIDE, 8, 7, NULL, 0));
	m = in(icmp_to(OUTSIDE, ALIAS, 11, 0, sent, 28));
	assert_int_equal(get16(m, 52), 7);
	assert_quoted_is_sound(m);
	assert_ends(m, OUTSIDE, 0, INSIDE, 0);
	m_free(sent);
}

static void
test_error_from_inside_leaves_by_the_alias(void **state)
{
	struct mbuf *came, *m;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port udp 10.0.0.5:53 5353");
	came = in(udp_to(OUTSIDE, 999, ALIAS, 5353));
	/* the server itself, and a router before it */
	m = out(icmp_to("10.0.0.5", OUTSIDE, 3, 0, came, came->len));
	assert_quotes(m, OUTSIDE, 999, ALIAS, 5353);
	assert_quoted_is_sound(m);
	assert_ends(m, ALIAS, 0, OUTSIDE, 0);
	m = out(icmp_to("10.0.0.254", OUTSIDE, 11, 0, came, 28));
	assert_quotes(m, OUTSIDE, 999, ALIAS, 5353);
	assert_ends(m, ALIAS, 0, OUTSIDE, 0);
	m_free(came);
}

static void
test_error_with_a_cut_quotation_is_left_alone(void **state)
{
	struct mbuf *sent;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	sent = out(udp_to(INSIDE, 1024, OUTSIDE, 53));
	for (uint32_t len = 0; len < 28; len += 2)
		assert_ends(in(icmp_to(OUTSIDE, ALIAS, 3, 0, sent, len)), OUTSIDE, 0, ALIAS, 0);
	m_free(sent);
}

/* --- fragments ----------------------------------------------------------------------------- */

/* A fragment of m (borrowed): len bytes of its payload from off on. */
static struct mbuf *
fragment(const struct mbuf *m, uint32_t off, uint32_t len, bool more)
{
	struct mbuf *f = m_get(20 + len);
	struct ip_hdr *ip;

	memcpy(f->data, m->data, 20);
	memcpy(f->data + 20, m->data + 20 + off, len);
	f->rcvif = m->rcvif;
	ip = mtod(f, struct ip_hdr *);
	ip->off = to_be16((uint16_t)(off / 8 | (more ? IP_MF_ : 0)));
	resum(f);
	return f;
}

/* Both translated fragments, put together again. Frees them. */
static struct mbuf *
joined(struct mbuf *first, struct mbuf *second)
{
	struct mbuf *m = m_get(first->len + second->len - 20);

	memcpy(m->data, first->data, first->len);
	memcpy(m->data + first->len, second->data + 20, second->len - 20);
	mtod(m, struct ip_hdr *)->off = to_be16(0);
	resum(m);
	m_free(first);
	m_free(second);
	return m;
}

static void
test_later_fragments_follow_the_first(void **state)
{
	struct mbuf *m = udp_to(INSIDE, 1024, OUTSIDE, 53), *first, *second;
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	first = out(fragment(m, 0, 16, true));
	port = get16(first, 20);
	second = out(fragment(m, 16, 16, false));
	assert_int_equal(mtod(second, struct ip_hdr *)->src, a4(ALIAS));
	assert_ends(joined(first, second), ALIAS, port, OUTSIDE, 53);
	m_free(m);

	m = udp_to(OUTSIDE, 53, ALIAS, port);
	first = in(fragment(m, 0, 16, true));
	second = in(fragment(m, 16, 16, false));
	assert_int_equal(mtod(second, struct ip_hdr *)->dst, a4(INSIDE));
	assert_ends(joined(first, second), OUTSIDE, 53, INSIDE, 1024);
	m_free(m);
	/* both directions have the same id: one link is enough */
	assert_int_equal(links(), 2);
	pass_s(11.1);
	assert_int_equal(links(), 1);
}

static void
test_later_fragment_of_nobody_is_a_stranger(void **state)
{
	struct mbuf *m = udp_to(OUTSIDE, 53, ALIAS, 9);

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m_free(in(fragment(m, 16, 16, false)));
	assert_int_equal(verdict, FW_NAT_OK);
	command("ipfw -q nat 1 config ip " ALIAS " deny_in");
	assert_dropped(in(fragment(m, 16, 16, false)));
	m_free(m);
}

/* --- bounds and lifetimes ------------------------------------------------------------------ */

static void
test_links_live_as_long_as_their_kind_says(void **state)
{
	uint16_t port;

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	m_free(out(udp_to(INSIDE, 1, OUTSIDE, 53)));
	pass_s(59.5);
	assert_int_equal(links(), 1);
	pass_s(1.6);
	assert_int_equal(links(), 0);

	port = alias_port(out(tcp_to(INSIDE, 1, OUTSIDE, 80, SYN, 0, 0, "")));
	pass_s(299.5);
	assert_int_equal(links(), 1);
	m_free(in(tcp_to(OUTSIDE, 80, ALIAS, port, SYN | ACK, 0, 0, "")));
	pass_s(86399);
	assert_int_equal(links(), 1);
	m_free(out(tcp_to(INSIDE, 1, OUTSIDE, 80, FIN | ACK, 0, 0, "")));
	pass_s(89);
	assert_int_equal(links(), 1);
	m_free(in(tcp_to(OUTSIDE, 80, ALIAS, port, FIN | ACK, 0, 0, "")));
	pass_s(9);
	assert_int_equal(links(), 1);
	pass_s(2.1);
	assert_int_equal(links(), 0);
}

static void
test_flood_stays_within_nat_max_links(void **state)
{
	uint16_t port;

	(void)state;
	command("sysctl net.inet.ip.fw.nat_max_links=1000");
	command("ipfw -q nat 1 config ip " ALIAS);
	port = alias_port(out(udp_to(INSIDE, 1, OUTSIDE, 53)));
	for (uint16_t i = 2; i < 5000; i++)
		m_free(out(udp_to(INSIDE, i, OUTSIDE, 53)));
	for (uint16_t i = 2; i < 5000; i++)
		m_free(in(udp_to(OUTSIDE, i, ALIAS, 9)));
	assert_int_equal(links(), 1000);
	assert_int_equal(nat_sysctl("net.inet.ip.fw.nat_refused"), 4998 + 4999 - 1000);
	assert_ends(in(udp_to(OUTSIDE, 53, ALIAS, port)), OUTSIDE, 53, INSIDE, 1);
	pass_s(61.5);
	assert_int_equal(links(), 0);
}

static void
test_table_with_many_links_finds_each(void **state)
{
	static uint16_t port[20000];

	(void)state;
	command("ipfw -q nat 1 config ip " ALIAS);
	for (unsigned i = 0; i < 20000; i++)
		port[i] = alias_port(out(udp_to(INSIDE, (uint16_t)(i + 1), OUTSIDE, 53 + i % 4)));
	for (unsigned i = 0; i < 20000; i += 7)
		assert_ends(in(udp_to(OUTSIDE, 53 + i % 4, ALIAS, port[i])), OUTSIDE, 53 + i % 4,
		    INSIDE, (uint16_t)(i + 1));
	command("ipfw nat 1 delete");
	assert_int_equal(links(), 0);
}

static void
test_ports_are_the_same_in_each_run(void **state)
{
	uint16_t port[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		command("jail -c name=j vnet persist");
		{
			VNET_SCOPE(vnet_of("j"));
			command_in("j", "ipfw -q nat 1 config ip " ALIAS);
			port[i] = alias_port(out(udp_to(INSIDE, 1, OUTSIDE, 53)));
		}
		command("jail -r j");
	}
	assert_int_equal(port[0], port[1]);
}

static void
test_no_memory_drops_and_leaves_nothing_half_made(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned n = 1; n < 6; n++) {
		struct mbuf *m;

		command("ipfw -q nat 1 config ip " ALIAS);
		vnet_malloc_fail_at(n);
		m = out(udp_to(INSIDE, (uint16_t)n, OUTSIDE, 53));
		vnet_malloc_fail_at(0);
		failed += m == NULL;
		m_free(m);
		command("ipfw nat 1 delete");
	}
	assert_int_equal(failed, 3); /* two tables, a link */
	command("ipfw -q nat 1 config ip " ALIAS);
	m_free(out(udp_to(INSIDE, 1, OUTSIDE, 53)));
	assert_int_equal(verdict, FW_NAT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_source_becomes_the_alias_and_answers_come_back),
		INET_TEST(test_tcp_is_translated_with_its_checksum),
		INET_TEST(test_datagram_without_a_checksum_stays_without),
		INET_TEST(test_wrong_checksum_stays_wrong),
		INET_TEST(test_shared_buffer_is_copied_first),
		INET_TEST(test_instance_that_is_not_there_says_so),
		INET_TEST(test_same_ports_keeps_a_port_that_is_free),
		INET_TEST(test_port_range_bounds_alias_ports),
		INET_TEST(test_unreg_only_leaves_public_sources_alone),
		INET_TEST(test_strangers_reach_the_host_and_its_answer_keeps_the_port),
		INET_TEST(test_deny_in_drops_what_nobody_asked_for),
		INET_TEST(test_reverse_swaps_the_sides),
		INET_TEST(test_proxy_only_translates_nothing),
		INET_TEST(test_udp_eim_has_one_port_for_all_remote_ends),
		INET_TEST(test_global_asks_all_instances_but_those_that_skip),
		INET_TEST(test_alias_follows_the_interfaces_address),
		INET_TEST(test_reset_forgets_the_links_of_an_old_address),
		INET_TEST(test_interface_may_come_later),
		INET_TEST(test_redirect_port_leads_in_and_its_answer_out),
		INET_TEST(test_redirect_port_of_a_range_keeps_the_distance),
		INET_TEST(test_redirect_may_be_for_one_remote_end),
		INET_TEST(test_redirect_addr_leads_both_ways_with_all_ports),
		INET_TEST(test_redirect_proto_leads_in),
		INET_TEST(test_most_specific_redirect_wins),
		INET_TEST(test_load_is_shared_in_turn_and_connections_stay),
		INET_TEST(test_echo_has_its_id_translated),
		INET_TEST(test_sctp_keeps_its_ports),
		INET_TEST(test_protocol_without_ports_has_one_local_end_for_a_remote_one),
		INET_TEST(test_error_from_outside_finds_who_sent),
		INET_TEST(test_error_about_tcp_and_echo_is_translated),
		INET_TEST(test_error_from_inside_leaves_by_the_alias),
		INET_TEST(test_error_with_a_cut_quotation_is_left_alone),
		INET_TEST(test_later_fragments_follow_the_first),
		INET_TEST(test_later_fragment_of_nobody_is_a_stranger),
		INET_TEST(test_links_live_as_long_as_their_kind_says),
		INET_TEST(test_flood_stays_within_nat_max_links),
		INET_TEST(test_table_with_many_links_finds_each),
		INET_TEST(test_ports_are_the_same_in_each_run),
		INET_TEST(test_no_memory_drops_and_leaves_nothing_half_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
