/*
 * Unit tests of each instruction against packets (ipfw/match*.c): what matches, what doesn't, and
 * what a packet that has not got what is asked for does, with and without `not`.
 */
#include "fw_packets.h"

#include "ipfw/mark.h"

/* Does the packet match the rule's body? Keeps m. */
static bool
matches_at(
    struct mbuf *m, enum pfil_point point, enum pfil_dir dir, struct ifnet *ifp, const char *body)
{
	struct fw_packet p = read_at(m, point, dir, ifp);
	char line[512];
	struct fw_rule *r;
	enum fw_match match;

	snprintf(line, sizeof(line), "allow %s", body);
	r = rule_of(line);
	match = fw_rule_match(r, &p);
	fw_rule_rele(r);
	return match == FW_YES;
}

static bool
is_matched(struct mbuf *m, const char *body)
{
	return matches_at(m, m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6, PFIL_IN, lan.ifp, body);
}

#define assert_match(m, body) assert_true(is_matched(m, body))
#define assert_no_match(m, body) assert_false(is_matched(m, body))

static void
test_protocols_and_versions(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN);
	struct mbuf *m6 = udp("2001:db8::2", 1, "2001:db8::1", 2, 0);

	(void)state;
	assert_match(m, "ip from any to any");
	assert_match(m, "tcp from any to any");
	assert_no_match(m, "udp from any to any");
	assert_match(m, "not udp from any to any");
	assert_match(m, "{ udp or tcp } from any to any");
	assert_no_match(m, "{ udp or icmp } from any to any");
	assert_match(m, "ip4 from any to any");
	assert_no_match(m, "ip6 from any to any");
	assert_match(m6, "udp from any to any");
	assert_match(m6, "ip6 from any to any");
	assert_match(m, "ip from any to any ipver 4");
	assert_no_match(m6, "ip from any to any ipver 4");
	assert_match(m6, "ip from any to any ipver 6");
	m_free(m);
	m_free(m6);
}

static void
test_addresses(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN);
	struct mbuf *m6 = udp("2001:db8::2", 1, "2001:db8::1", 2, 0);

	(void)state;
	assert_match(m, "ip from 10.0.0.2 to any");
	assert_no_match(m, "ip from 10.0.0.3 to any");
	assert_match(m, "ip from 10.0.0.0/24 to 10.0.0.1");
	assert_match(m, "ip from not 10.0.0.3 to any");
	assert_match(m, "ip from 192.0.2.1,10.0.0.0/8 to any");
	assert_match(m, "ip from 10.0.0.2:255.0.0.255 to any"); /* no prefix */
	assert_no_match(m, "ip from 10.0.0.3:255.0.0.255 to any");
	assert_match(m, "ip from 10.0.0.0/24{1-3,7} to any");
	assert_no_match(m, "ip from 10.0.0.0/24{1,3-255} to any");
	assert_no_match(m, "ip from 10.0.1.0/24{2} to any");
	assert_match(m, "ip from any to me");
	assert_no_match(m, "ip from me to any");
	assert_no_match(m, "ip6 from any to me6");
	assert_match(m6, "ip6 from 2001:db8::/32 to 2001:db8::1");
	assert_no_match(m6, "ip6 from 2001:db8::3 to any");
	assert_match(m6, "ip6 from any to me6");
	assert_match(m6, "ip from any to me");
	assert_no_match(m6, "ip from 10.0.0.0/8 to any");
	assert_match(m6, "ip from not 10.0.0.0/8 to any");
	m_free(m);
	m_free(m6);
}

static void
test_our_link_local_address_is_me_on_its_link(void **state)
{
	struct mbuf *m = udp("fe80::2", 1, "fe80::1", 2, 0);

	(void)state;
	assert_match(m, "ip6 from any to me6");
	m_free(m);
}

static void
test_ports(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 0);

	(void)state;
	assert_match(m, "udp from any to any 53");
	assert_match(m, "udp from any 1024-65535 to any 1-9,50-60");
	assert_no_match(m, "udp from any to any 54,80-90");
	assert_match(m, "ip from any to any src-port 1030 dst-port 53");
	assert_no_match(m, "udp from any to any not 53");
	fragment(m, 8, false);
	assert_no_match(m, "udp from any to any 53"); /* spec 16.16 */
	assert_match(m, "udp from any to any not 53");
	assert_match(m, "udp from any to any frag");
	m_free(m);
}

static void
test_direction_interface_and_layer(void **state)
{
	struct mbuf *m = tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN);

	(void)state;
	assert_match(m, "ip from any to any in");
	assert_no_match(m, "ip from any to any out");
	assert_match(m, "ip from any to any recv mem0");
	assert_match(m, "ip from any to any via mem*");
	assert_no_match(m, "ip from any to any via em*");
	assert_no_match(m, "ip from any to any recv mem");
	assert_match(m, "ip from any to any via 10.0.0.1");
	assert_no_match(m, "ip from any to any via 10.0.0.9");
	assert_no_match(m, "ip from any to any layer2");
	assert_true(
	    matches_at(m, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any out xmit mem0"));
	assert_true(matches_at(m, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any via mem0"));
	assert_false(matches_at(m, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any recv mem0"));
	m->flags |= M_FORWARDED;
	assert_true(matches_at(m, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any recv mem0"));
	m_free(m);
}

static void
test_link_addresses_and_types(void **state)
{
	struct mbuf *m = framed(tcp("10.0.0.2", 1030, "10.0.0.1", 22, SYN), &lan);
	const char *const yes[] = {
		"ip from any to any layer2",
		"ip from any to any MAC any 02:00:00:00:09:09",
		"ip from any to any MAC 02:00:00:00:01:01 any",
		"ip from any to any MAC any 02:00:00:00:00:00/32",
		"ip from any to any mac-type ip,arp",
		"tcp from 10.0.0.2 to me 22 layer2",
	};
	const char *const no[] = {
		"ip from any to any MAC 02:00:00:00:09:09 any",
		"ip from any to any mac-type arp",
		"ip from any to any not layer2",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!matches_at(m, PFIL_LINK, PFIL_IN, lan.ifp, yes[i]))
			fail_msg("%s", yes[i]);
	for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (matches_at(m, PFIL_LINK, PFIL_IN, lan.ifp, no[i]))
			fail_msg("%s", no[i]);
	m_adj(m, 14);
	assert_no_match(m, "ip from any to any MAC any any");
	assert_no_match(m, "ip from any to any mac-type ip");
	assert_match(m, "ip from any to any not mac-type arp");
	m_free(m);
}

static void
test_fields_of_the_ip_header(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 12);
	struct mbuf *m6 = udp("2001:db8::2", 1, "2001:db8::1", 2, 12);

	(void)state;
	mtod(m, struct ip_hdr *)->tos = 0x10 | 0xa0; /* low delay, precedence 5: DSCP 44 */
	assert_match(m, "ip from any to any ipid 70-80");
	assert_no_match(m, "ip from any to any ipid 78");
	assert_match(m, "ip from any to any iplen 40");
	assert_match(m6, "ip from any to any iplen 60");
	assert_match(m, "ip from any to any ipttl 1,64");
	assert_no_match(m, "ip from any to any ipttl 1-63");
	assert_match(m, "ip from any to any ipprecedence 5");
	assert_no_match(m, "ip from any to any ipprecedence 0");
	assert_match(m, "ip from any to any iptos lowdelay,!throughput");
	assert_no_match(m, "ip from any to any iptos mincost");
	assert_match(m, "ip from any to any dscp 44");
	assert_no_match(m, "ip from any to any dscp 0,1");
	m_free(m);
	m_free(m6);
}

static void
test_ip_options(void **state)
{
	const uint8_t rr[8] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 0);
	struct ip_hdr ip = *mtod(m, struct ip_hdr *);

	(void)state;
	assert_no_match(m, "ip from any to any ipoptions rr");
	assert_match(m, "ip from any to any ipoptions !rr");
	m_adj(m, 20);
	m = m_prepend(m, 28);
	ip.vhl = 0x47;
	memcpy(m->data, &ip, 20);
	memcpy(m->data + 20, rr, 8);
	resum(m);
	assert_match(m, "ip from any to any ipoptions rr,!ssrr");
	assert_no_match(m, "ip from any to any ipoptions ts");
	m->data[21] = 40; /* longer than the header: nothing was seen */
	assert_no_match(m, "ip from any to any ipoptions rr");
	m_free(m);
}

static void
test_icmp_types(void **state)
{
	struct mbuf *m = icmp("10.0.0.2", "10.0.0.1", 8, 0);
	struct mbuf *m6 = icmp("2001:db8::2", "2001:db8::1", 129, 0);

	(void)state;
	assert_match(m, "icmp from any to any icmptypes 0,8,11");
	assert_no_match(m, "icmp from any to any icmptypes 0");
	assert_no_match(m6, "ip6 from any to any icmp6types 128");
	assert_match(m6, "ip6 from any to any icmp6types 128,129");
	fragment(m, 8, false);
	assert_no_match(m, "icmp from any to any icmptypes 8");
	m_free(m);
	m_free(m6);
}

static void
test_tcp_flags_and_numbers(void **state)
{
	struct mbuf *m = tcp_with(
	    "10.0.0.2", 1, "10.0.0.1", 2, ACK | PSH, (const uint8_t *)"", 0, 7);

	(void)state;
	assert_match(m, "tcp from any to any established");
	assert_no_match(m, "tcp from any to any setup");
	assert_match(m, "tcp from any to any tcpflags ack,psh,!syn");
	assert_no_match(m, "tcp from any to any tcpflags fin");
	assert_match(m, "tcp from any to any tcpseq 1000");
	assert_match(m, "tcp from any to any tcpack 2000");
	assert_no_match(m, "tcp from any to any tcpack 2001");
	assert_match(m, "tcp from any to any tcpwin 4096");
	assert_match(m, "tcp from any to any tcpdatalen 5-9");
	assert_no_match(m, "tcp from any to any tcpdatalen 0");
	m_free(m);
	m = tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN);
	assert_match(m, "tcp from any to any setup");
	assert_no_match(m, "tcp from any to any established");
	assert_match(m, "tcp from any to any tcpdatalen 0");
	m_free(m);
	m = udp("10.0.0.2", 1, "10.0.0.1", 2, 40);
	assert_no_match(m, "ip from any to any established");
	assert_match(m, "ip from any to any not established");
	m_free(m);
}

static void
test_tcp_options(void **state)
{
	const uint8_t options[12] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1 };
	struct mbuf *m = tcp_with("10.0.0.2", 1, "10.0.0.1", 2, SYN, options, 12, 0);

	(void)state;
	assert_match(m, "tcp from any to any tcpoptions mss,window,sack,!ts");
	assert_no_match(m, "tcp from any to any tcpoptions cc");
	assert_match(m, "tcp from any to any tcpmss 1400-1500");
	assert_no_match(m, "tcp from any to any tcpmss 536");
	upper_of(m)[12] = 0xf0; /* a header that is longer than the packet */
	assert_match(m, "tcp from any to any tcpoptions mss");
	m_free(m);
	m = tcp("10.0.0.2", 1, "10.0.0.1", 2, SYN);
	assert_no_match(m, "tcp from any to any tcpmss 0-65535");
	m_free(m);
}

static void
test_ipv6_extensions_and_flow_labels(void **state)
{
	const uint8_t hop[8] = { 0, 0, 1, 4 };
	struct mbuf *m = udp("2001:db8::2", 1, "2001:db8::1", 2, 0);

	(void)state;
	assert_no_match(m, "ip6 from any to any ext6hdr hopopt");
	m = with_headers6(m, IPPROTO_HOPOPTS_, hop, 8);
	mtod(m, struct ip6_hdr *)->flow = to_be32(UINT32_C(6) << 28 | 4711);
	assert_match(m, "ip6 from any to any ext6hdr hopopt");
	assert_match(m, "ip6 from any to any ext6hdr frag,hopopt");
	assert_no_match(m, "ip6 from any to any ext6hdr frag");
	assert_match(m, "ip6 from any to any flow-id 1,4711");
	assert_no_match(m, "ip6 from any to any flow-id 1");
	m_free(m);
}

static void
test_marks_and_fibs(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 2, 0);

	(void)state;
	assert_match(m, "ip from any to any fib 0");
	assert_no_match(m, "ip from any to any fib 1");
	assert_no_match(m, "ip from any to any tagged 1-65534");
	assert_true(fw_mark_add(m, 7));
	assert_true(fw_mark_add(m, 900));
	assert_true(fw_mark_add(m, 7));
	assert_match(m, "ip from any to any tagged 5-9");
	assert_match(m, "ip from any to any tagged 1,900");
	assert_no_match(m, "ip from any to any tagged 8-899");
	fw_mark_delete(m, 7);
	assert_no_match(m, "ip from any to any tagged 7");
	assert_match(m, "ip from any to any tagged 900");
	m->flags = (uint16_t)(m->flags & ~M_FWTAGS); /* it has crossed a link */
	assert_no_match(m, "ip from any to any tagged 900");
	assert_true(fw_mark_add(m, 1));
	assert_no_match(m, "ip from any to any tagged 900");
	m_free(m);
}

static void
test_a_packet_has_any_number_of_marks(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 2, 0);

	(void)state;
	for (unsigned i = 1; i <= 100; i++)
		assert_true(fw_mark_add(m, (uint16_t)(i * 10)));
	for (unsigned i = 1; i <= 100; i++) {
		const struct fw_range r = { (uint16_t)(i * 10), (uint16_t)(i * 10) };

		assert_true(fw_mark_find(m, &r, 1));
		fw_mark_delete(m, r.lo);
		assert_false(fw_mark_find(m, &r, 1));
	}
	m_free(m);
}

static void
test_the_way_back_to_the_source(void **state)
{
	struct mbuf *m;

	(void)state;
	router();
	command("route add 192.0.2.0/24 10.0.0.2");
	command("route add 198.51.100.0/24 10.1.0.2");
	command("route add 203.0.113.0/24 10.0.0.2 -reject");
	m = udp("192.0.2.1", 1, "10.1.0.2", 2, 0);
	assert_match(m, "ip from any to any verrevpath");
	assert_match(m, "ip from any to any versrcreach");
	assert_match(m, "ip from any to any antispoof"); /* not connected */
	m_free(m);
	m = udp("198.51.100.1", 1, "10.1.0.2", 2, 0); /* by the wrong interface */
	assert_no_match(m, "ip from any to any verrevpath");
	assert_match(m, "ip from any to any versrcreach");
	assert_true(matches_at(m, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any verrevpath"));
	m_free(m);
	m = udp("203.0.113.1", 1, "10.1.0.2", 2, 0);
	assert_no_match(m, "ip from any to any versrcreach");
	m_free(m);
	m = udp("10.1.0.7", 1, "10.1.0.2", 2, 0); /* from wan's network, by lan */
	assert_no_match(m, "ip from any to any antispoof");
	m_free(m);
	m = udp("10.1.0.1", 1, "10.1.0.2", 2, 0); /* our own address */
	assert_no_match(m, "ip from any to any antispoof");
	m_free(m);
	m = udp("10.0.0.7", 1, "10.1.0.2", 2, 0);
	assert_match(m, "ip from any to any antispoof");
	m_free(m);
}

static void
test_a_default_route_reaches_no_source(void **state)
{
	struct mbuf *m = udp("192.0.2.1", 1, "10.0.0.1", 2, 0);
	struct mbuf *m6 = udp("2001:db8:9::1", 1, "2001:db8::1", 2, 0);

	(void)state;
	command("route add default 10.0.0.2");
	command("route -6 add default 2001:db8::2");
	assert_match(m, "ip from any to any verrevpath");
	assert_no_match(m, "ip from any to any versrcreach");
	assert_match(m6, "ip from any to any verrevpath");
	assert_no_match(m6, "ip from any to any versrcreach");
	m_free(m);
	m_free(m6);
	m6 = udp("fe80::2", 1, "2001:db8::1", 2, 0);
	assert_match(m6, "ip from any to any antispoof");
	assert_match(m6, "ip from any to any verrevpath");
	m_free(m6);
}

static void
swallow(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	(void)ctx, (void)info, (void)from_port;
	m_free(m);
}

/* An endpoint of the stack belongs to the stack's root, in its jail. */
static void
test_owners_of_endpoints(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 53, 0);
	struct mbuf *back = udp("10.0.0.1", 53, "10.0.0.2", 1, 0);
	struct mbuf *segment = tcp("10.0.0.2", 1, "10.0.0.1", 53, ACK);
	struct ipaddr any = ipaddr4(0);
	struct udp_endpoint *ep;

	(void)state;
	assert_no_match(m, "ip from any to any uid 0");
	assert_match(m, "ip from any to any not uid 0");
	ep = udp_open(&any, 53, swallow, NULL);
	assert_non_null(ep);
	assert_match(m, "ip from any to any uid 0");
	assert_match(m, "ip from any to any gid 0");
	assert_match(m, "ip from any to any jail 0");
	assert_no_match(m, "ip from any to any uid 1001");
	assert_no_match(m, "ip from any to any jail 3");
	assert_no_match(m, "ip from any to any sockarg");
	/* nobody has an endpoint of TCP */
	assert_no_match(segment, "tcp from any to any uid 0");
	assert_match(segment, "tcp from any to any not uid 0");
	assert_true(matches_at(back, PFIL_INET, PFIL_OUT, lan.ifp, "ip from any to any uid 0"));
	assert_no_match(back, "ip from any to any uid 0"); /* in: nobody is at 10.0.0.2 */
	udp_close(ep);
	m_free(m);
	m_free(back);
	m_free(segment);
}

/* Jails and users among addresses: 3 is 0.0.0.3, not 3.0.0.0. */
static void
test_b43_lookups_by_jail_and_uid_match_the_right_keys_only(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 53, 0);
	struct ipaddr any = ipaddr4(0);
	struct udp_endpoint *ep;
	char line[80];
	uint32_t jid;

	(void)state;
	command("jail -c name=j vnet persist");
	command_in("j", "ifconfig lo0 inet 10.0.0.1/32 up");
	jid = (uint32_t)prison_find(&prison0, "j")->jid;
	{
		VNET_SCOPE(prison_find(&prison0, "j")->vnet);

		snprintf(line, sizeof(line), "ipfw table 1 add 0 7 %u 7", jid);
		command_in("j", line);
		snprintf(line, sizeof(line), "ipfw table 2 add %u 7", jid << 24);
		command_in("j", line);
		assert_no_match(m, "ip from any to any lookup uid 1"); /* nobody owns it */
		assert_no_match(m, "ip from any to any lookup jail 1");
		ep = udp_open(&any, 53, swallow, NULL);
		assert_non_null(ep);
		assert_match(m, "ip from any to any lookup uid 1");
		assert_match(m, "ip from any to any lookup jail 1");
		assert_no_match(m, "ip from any to any lookup uid 2");
		assert_no_match(m, "ip from any to any lookup jail 2");
		command_in("j", "ipfw table 1 delete 0");
		assert_no_match(m, "ip from any to any lookup uid 1");
		assert_match(m, "ip from any to any lookup jail 1");
		udp_close(ep);
	}
	m_free(m);
}

static void
test_nothing_is_encrypted_or_diverted(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 53, 0);
	struct fw_packet p = read_in(m);
	struct fw_rule *r = rule_of("allow ip from any to any diverted-output");

	(void)state;
	assert_no_match(m, "ip from any to any ipsec");
	assert_no_match(m, "ip from any to any diverted");
	p.diverted = 1;
	assert_int_equal(fw_rule_match(r, &p), FW_NO);
	p.diverted = 2;
	assert_int_equal(fw_rule_match(r, &p), FW_YES);
	fw_rule_rele(r);
	m_free(m);
}

static void
test_tables_and_what_they_say(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 0);
	struct mbuf *m6 = udp("2001:db8::2", 1, "2001:db8::1", 2, 0);
	struct fw_packet p = read_in(m);
	struct fw_rule *r;

	(void)state;
	command("ipfw table 1 add 10.0.0.0/24 5");
	command("ipfw table 1 add 2001:db8::/64 6");
	command("ipfw table 2 add 53 7");
	assert_match(m, "ip from table(1) to any");
	assert_match(m, "ip from table(1,5) to any");
	assert_no_match(m, "ip from table(1,6) to any"); /* spec 16.12 */
	assert_no_match(m, "ip from table(3) to any");
	assert_match(m6, "ip from table(1,6) to any");
	assert_match(m, "ip from any to any lookup dst-ip 1");
	assert_match(m, "ip from any to any lookup dst-port 2");
	assert_no_match(m, "ip from any to any lookup src-port 2");
	r = rule_of("allow ip from table(1) to any lookup dst-port 2");
	assert_int_equal(fw_rule_match(r, &p), FW_YES);
	assert_true(p.has_tablearg);
	assert_int_equal(p.tablearg, 7); /* the second answer counts */
	fw_rule_rele(r);
	r = rule_of("allow ip from any to any");
	assert_int_equal(fw_rule_match(r, &p), FW_YES);
	assert_false(p.has_tablearg); /* what one rule has found is nothing to another */
	fw_rule_rele(r);
	m_free(m);
	m_free(m6);
}

static void
test_flows_in_tables(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 0);
	struct mbuf *m6 = udp("2001:db8::2", 1, "2001:db8::1", 2, 0);
	struct mbuf *other = udp("10.0.0.2", 1031, "10.0.0.1", 53, 0);
	struct fw_packet p = read_in(m);
	struct fw_rule *r;

	(void)state;
	command("ipfw table calls create type flow");
	command("ipfw table calls add 10.0.0.2,17,1030,10.0.0.1,53 5");
	command("ipfw table calls add 2001:db8::2,17,1,2001:db8::1,2 6");
	assert_match(m, "ip from any to any flow table(calls)");
	assert_match(m, "ip from any to any flow table(calls,5)");
	assert_no_match(m, "ip from any to any flow table(calls,6)");
	assert_no_match(m, "ip from any to any not flow table(calls)");
	assert_match(m6, "ip from any to any flow table(calls,6)");
	assert_no_match(other, "ip from any to any flow table(calls)");
	assert_no_match(m, "ip from any to any flow table(3)");
	r = rule_of("allow flow table(calls)");
	assert_int_equal(fw_rule_match(r, &p), FW_YES);
	assert_int_equal(p.tablearg, 5);
	fw_rule_rele(r);
	command("ipfw table calls destroy");
	m_free(m);
	m_free(m6);
	m_free(other);
}

static void
test_blocks_and_not(void **state)
{
	struct mbuf *m = udp("10.0.0.2", 1030, "10.0.0.1", 53, 0);

	(void)state;
	assert_match(m, "ip from any to any { src-port 1 or dst-port 53 }");
	assert_match(m, "ip from any to any { dst-port 53 or src-port 1 or frag } in");
	assert_no_match(m, "ip from any to any { dst-port 54 or frag }");
	assert_match(m, "ip from any to any { frag or not dst-port 54 }"); /* spec 16.14 */
	assert_no_match(m, "ip from any to any { dst-port 53 or frag } out");
	assert_match(m, "ip from { 10.0.0.9 or 10.0.0.2 } to any");
	assert_no_match(m, "ip from { 10.0.0.9 or 10.0.0.8 } to any");
	m_free(m);
}

static unsigned
of_thousand(const char *body)
{
	unsigned n = 0;
	struct fw_rule *r = rule_of(body);
	struct mbuf *m = udp("10.0.0.2", 1, "10.0.0.1", 53, 0);

	for (uint32_t i = 1; i <= 1000; i++) {
		struct fw_packet p = read_in(m);

		p.serial = i;
		n += fw_rule_match(r, &p) == FW_YES;
	}
	fw_rule_rele(r);
	m_free(m);
	return n;
}

static void
test_chance(void **state)
{
	unsigned quarter, again;

	(void)state;
	quarter = of_thousand("prob 0.25 allow ip from any to any");
	again = of_thousand("prob 0.25 allow ip from any to any");
	assert_in_range(quarter, 200, 300);
	assert_int_equal(quarter, again); /* the same packets, the same rule */
	assert_int_equal(of_thousand("prob 1 allow ip from any to any"), 1000);
	assert_int_equal(of_thousand("prob 0 allow ip from any to any"), 0); /* spec 16.10 */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_protocols_and_versions),
		INET6_TEST(test_addresses),
		INET6_TEST(test_our_link_local_address_is_me_on_its_link),
		INET6_TEST(test_ports),
		INET6_TEST(test_direction_interface_and_layer),
		INET6_TEST(test_link_addresses_and_types),
		INET6_TEST(test_fields_of_the_ip_header),
		INET6_TEST(test_ip_options),
		INET6_TEST(test_icmp_types),
		INET6_TEST(test_tcp_flags_and_numbers),
		INET6_TEST(test_tcp_options),
		INET6_TEST(test_ipv6_extensions_and_flow_labels),
		INET6_TEST(test_marks_and_fibs),
		INET6_TEST(test_a_packet_has_any_number_of_marks),
		INET6_TEST(test_the_way_back_to_the_source),
		INET6_TEST(test_a_default_route_reaches_no_source),
		INET6_TEST(test_owners_of_endpoints),
		INET6_TEST(test_b43_lookups_by_jail_and_uid_match_the_right_keys_only),
		INET6_TEST(test_nothing_is_encrypted_or_diverted),
		INET6_TEST(test_tables_and_what_they_say),
		INET6_TEST(test_flows_in_tables),
		INET6_TEST(test_blocks_and_not),
		INET6_TEST(test_chance),
	};

	return cmocka_run_group_tests_name("ipfw/match", tests, NULL, NULL);
}
