/*
 * Unit tests of UDP (inet/udp.c, inet/udp_stat.c).
 */
#include "udp_fixture.h"

static struct mbuf *
datagram(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint16_t payload)
{
	struct mbuf *m = packet(a4(src), a4(dst), IPPROTO_UDP_, 8u + payload);
	struct udp_hdr *uh = (void *)(m->data + 20);

	*uh = (struct udp_hdr){ to_be16(sport), to_be16(dport), to_be16((uint16_t)(8 + payload)),
		0 };
	memset(uh + 1, 0x5a, payload);
	uh->sum = cksum_fold(
	    cksum_add(ip_pseudo_sum(a4(src), a4(dst), IPPROTO_UDP_, (uint16_t)(8 + payload)), uh,
		8u + payload));
	return m;
}

static void
test_a_datagram_reaches_the_endpoint_that_fits_best(void **state)
{
	struct got any, bound, connected;

	(void)state;
	command("ifconfig mem0 inet 10.0.0.5/24 alias");
	open_at(&any, "10.0.0.5", 5000);
	open_at(&bound, "10.0.0.1", 5000);
	ip_deliver(datagram("10.0.0.2", 1234, "10.0.0.1", 5000, 10));
	assert_int_equal(bound.n, 1);
	assert_int_equal(bound.len, 10);
	assert_int_equal(bound.first, 0x5a);
	assert_int_equal(ipaddr_in(&bound.from), a4("10.0.0.2"));
	assert_int_equal(bound.port, 1234);
	assert_int_equal(ipaddr_in(&bound.to), a4("10.0.0.1"));
	ip_deliver(datagram("10.0.0.2", 1234, "10.0.0.5", 5000, 0));
	assert_int_equal(any.n, 1);
	assert_int_equal(any.len, 0);

	open_at(&connected, NULL, 6000);
	assert_int_equal(connect_to(&connected, "10.0.0.2", 99), 0);
	ip_deliver(datagram("10.0.0.2", 99, "10.0.0.1", 6000, 1));
	ip_deliver(datagram("10.0.0.2", 98, "10.0.0.1", 6000, 1));
	ip_deliver(datagram("10.0.0.3", 99, "10.0.0.1", 6000, 1));
	assert_int_equal(connected.n, 1);
	assert_int_equal(V_udpstat.noport, 2);
	udp_close(any.ep);
	udp_close(bound.ep);
	udp_close(connected.ep);
}

static void
test_ports_are_given_in_order_and_none_twice(void **state)
{
	struct got g[8];

	(void)state;
	command("sysctl net.inet.ip.portrange.first=50000");
	command("sysctl net.inet.ip.portrange.last=50005");
	for (int i = 0; i < 6; i++) {
		assert_non_null(open_at(&g[i], NULL, 0));
		assert_int_equal(udp_port(g[i].ep), 50000 + i);
	}
	assert_null(open_at(&g[6], NULL, 0));
	assert_int_equal(errno, EADDRNOTAVAIL);
	udp_close(g[3].ep);
	assert_non_null(open_at(&g[3], NULL, 0));
	assert_int_equal(udp_port(g[3].ep), 50003);
	assert_null(open_at(&g[6], NULL, 50003));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(open_at(&g[6], "10.0.0.1", 50003));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(open_at(&g[6], "10.0.0.77", 9));
	assert_int_equal(errno, EADDRNOTAVAIL);
	for (int i = 0; i < 6; i++)
		udp_close(g[i].ep);
}

static void
test_thousands_of_endpoints_are_all_found(void **state)
{
	enum { N = 3000 };
	static struct got g[N];

	(void)state;
	for (uint16_t i = 0; i < N; i++)
		assert_non_null(open_at(&g[i], NULL, (uint16_t)(10000 + i)));
	for (uint16_t i = 0; i < N; i++)
		ip_deliver(datagram("10.0.0.2", 9, "10.0.0.1", (uint16_t)(10000 + i), i % 100));
	for (uint16_t i = 0; i < N; i++) {
		assert_int_equal(g[i].n, 1);
		assert_int_equal(g[i].len, i % 100);
		udp_close(g[i].ep);
	}
	assert_int_equal(vnet0->sockcnt, 0);
}

static void
test_sent_datagrams_have_a_right_header_and_checksum(void **state)
{
	struct got g;
	struct mbuf *m;
	struct udp_hdr *uh;

	(void)state;
	open_at(&g, NULL, 5353);
	udp_set_ttl(g.ep, 7);
	udp_set_tos(g.ep, 0xb8);
	for (uint32_t len = 0; len < 30; len++) {
		m = m_get(len);
		memset(m->data, (int)len, len);
		assert_int_equal(send_to(&g, m, "10.0.0.2", 53), 0);
		m = sent_one_of(len + 1);
		uh = (void *)(frame_ip(m) + 1);
		assert_int_equal(frame_ip(m)->ttl, 7);
		assert_int_equal(frame_ip(m)->tos, 0xb8);
		assert_int_equal(from_be16(uh->sport), 5353);
		assert_int_equal(from_be16(uh->dport), 53);
		assert_int_equal(from_be16(uh->len), 8 + len);
		assert_int_not_equal(uh->sum, 0);
		assert_int_equal(cksum_fold(cksum_add(ip_pseudo_sum(a4("10.0.0.1"), a4("10.0.0.2"),
							  IPPROTO_UDP_, (uint16_t)(8 + len)),
				     uh, 8 + len)),
		    0);
	}
	assert_int_equal(send_to(&g, m_get(65508), "10.0.0.2", 53), -EMSGSIZE);
	assert_int_equal(udp_send(g.ep, m_get(1), NULL, 53), -EDESTADDRREQ);
	assert_int_equal(send_to(&g, m_get(1), "99.0.0.1", 53), -EHOSTUNREACH);
	udp_close(g.ep);
}

static void
test_damaged_datagrams_are_dropped_by_name(void **state)
{
	struct got g;
	struct mbuf *m;

	(void)state;
	open_at(&g, NULL, 7);
	m = datagram("10.0.0.2", 9, "10.0.0.1", 7, 20);
	m->data[40] ^= 1;
	ip_deliver(m);
	assert_int_equal(drops("udp.badsum"), 1);
	m = datagram("10.0.0.2", 9, "10.0.0.1", 7, 20);
	m->data[25] = 60;
	ip_deliver(m);
	assert_int_equal(drops("udp.badlen"), 1);
	ip_deliver(packet(a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_UDP_, 7));
	assert_int_equal(drops("udp.tooshort"), 1);
	assert_int_equal(g.n, 0);
	/* no checksum is right, and padding behind the datagram is cut */
	m = datagram("10.0.0.2", 9, "10.0.0.1", 7, 20);
	store16(m->data + 26, 0);
	m->data[25] = 18;
	ip_deliver(m);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.len, 10);
	assert_int_equal(V_udpstat.nosum, 1);
	udp_close(g.ep);
}

static void
test_nobody_there_is_said_unless_for_everybody(void **state)
{
	struct mbuf *m;

	(void)state;
	ip_deliver(datagram("10.0.0.2", 9, "10.0.0.1", 7, 20));
	assert_int_equal(frame_icmp(sent_one_of(1))->type, ICMP_UNREACH_);
	assert_int_equal(frame_icmp(sent_one_of(1))->code, ICMP_UNREACH_PORT_);
	m = datagram("10.0.0.2", 9, "10.0.0.255", 7, 20);
	m->flags |= M_BCAST;
	ip_deliver(m);
	ip_deliver(datagram("10.0.0.2", 9, "224.0.0.1", 7, 20));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(drops("udp.noportbcast"), 2);
	command("sysctl net.inet.udp.blackhole=1");
	ip_deliver(datagram("10.0.0.2", 9, "10.0.0.1", 7, 20));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(drops("udp.noport"), 2);
}

static void
test_an_icmp_error_reaches_only_the_connected_endpoint(void **state)
{
	struct got a, b;
	struct mbuf *m, *e;

	(void)state;
	open_at(&a, NULL, 6000);
	open_at(&b, NULL, 6001);
	assert_int_equal(connect_to(&a, "10.0.0.2", 99), 0);
	for (int i = 0; i < 2; i++) {
		m = packet(a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_ICMP_, 36);
		e = datagram("10.0.0.1", i == 0 ? 6000 : 6001, "10.0.0.2", 99, 4);
		memset(m->data + 20, 0, 8);
		m->data[20] = ICMP_UNREACH_;
		m->data[21] = ICMP_UNREACH_PORT_;
		memcpy(m->data + 28, e->data, 28);
		store16(m->data + 22, cksum_fold(cksum_add(0, m->data + 20, 36)));
		m_free(e);
		ip_deliver(m);
	}
	assert_int_equal(a.error, -ECONNREFUSED);
	assert_int_equal(b.error, 0);
	udp_close(a.ep);
	udp_close(b.ep);
}

static void
test_a_broadcast_reaches_every_endpoint_though_they_close_meanwhile(void **state)
{
	struct got a, b, c;
	struct mbuf *m = datagram("10.0.0.2", 9, "10.0.0.255", 7, 20);

	(void)state;
	command("ifconfig mem0 inet 10.0.0.5/24 alias");
	open_at(&a, NULL, 7);
	open_at(&c, NULL, 15); /* the same chain */
	open_at(&b, NULL, 23);
	a.close = true;
	m->flags |= M_BCAST;
	ip_deliver(m);
	assert_int_equal(a.n, 1);
	assert_null(a.ep);
	assert_int_equal(b.n + c.n, 0);
	udp_close(b.ep);
	udp_close(c.ep);
}

static void
test_an_endpoint_outlives_its_stack_but_is_mute(void **state)
{
	struct got g;

	(void)state;
	command("jail -c name=j vnet persist");
	{
		VNET_SCOPE(vnet_of("j"));
		assert_non_null(open_at(&g, NULL, 7));
	}
	command("jail -r j");
	assert_int_equal(send_to(&g, m_get(1), "10.0.0.2", 53), -ENETDOWN);
	assert_int_equal(connect_to(&g, "10.0.0.2", 99), -ENETDOWN);
	udp_close(g.ep);
}

static void
test_netstat_lists_endpoints_in_order(void **state)
{
	struct got a, b, c;
	char *out;

	(void)state;
	open_at(&b, "10.0.0.1", 5000);
	open_at(&a, NULL, 80);
	open_at(&c, NULL, 6000);
	assert_int_equal(connect_to(&c, "10.0.0.2", 99), 0);
	assert_int_equal(verb_line(NULL, "netstat -an", false, &out, NULL), 0);
	assert_string_equal(out,
	    "Active Internet connections (including servers)\n"
	    "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n"
	    "udp4       0      0  *.80                   *.*                    \n"
	    "udp4       0      0  10.0.0.1.5000          *.*                    \n"
	    "udp4       0      0  10.0.0.1.6000          10.0.0.2.99            \n");
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -n", false, &out, NULL), 0);
	assert_string_equal(out,
	    "Active Internet connections\n"
	    "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n"
	    "udp4       0      0  10.0.0.1.6000          10.0.0.2.99            \n");
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -s -p udp", false, &out, NULL), 0);
	assert_non_null(strstr(out, "udp:\n\t0 datagrams received\n"));
	free(out);
	assert_int_equal(verb_line(NULL, "sockstat -4lq", false, &out, NULL), 0);
	assert_string_equal(out,
	    "?        ?          ?     ?  udp4   *:80                  *:*                  \n"
	    "?        ?          ?     ?  udp4   10.0.0.1:5000         *:*                  \n");
	free(out);
	udp_close(a.ep);
	udp_close(b.ep);
	udp_close(c.ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_a_datagram_reaches_the_endpoint_that_fits_best),
		INET_TEST(test_ports_are_given_in_order_and_none_twice),
		INET_TEST(test_thousands_of_endpoints_are_all_found),
		INET_TEST(test_sent_datagrams_have_a_right_header_and_checksum),
		INET_TEST(test_damaged_datagrams_are_dropped_by_name),
		INET_TEST(test_nobody_there_is_said_unless_for_everybody),
		INET_TEST(test_an_icmp_error_reaches_only_the_connected_endpoint),
		INET_TEST(test_a_broadcast_reaches_every_endpoint_though_they_close_meanwhile),
		INET_TEST(test_an_endpoint_outlives_its_stack_but_is_mute),
		INET_TEST(test_netstat_lists_endpoints_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
