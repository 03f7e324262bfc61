/*
 * Unit tests of UDP over IPv6 (inet/udp*.c, inet6/udp6.c), and of endpoints and groups in both
 * families (inet/udp_group.c).
 */
#include "inet6_fixture.h"

#include "inet/udp_traffic.h"
#include "udp_fixture.h"

static int
send_bytes(struct got *g, uint32_t len, const char *addr, uint16_t port)
{
	struct mbuf *m = m_get(len);

	memset(m->data, 0x5a, len);
	return send_to(g, m, addr, port);
}

static int
join(struct got *g, struct ifnet *ifp, const char *group)
{
	const struct ipaddr a = addr_of(group);

	return udp_join(g->ep, ifp, &a);
}

static uint16_t
sum6(const struct in6 *src, const struct in6 *dst, const struct udp_hdr *uh)
{
	uint32_t len = from_be16(uh->len);

	return cksum_fold(cksum_add(ip6_pseudo_sum(src, dst, IPPROTO_UDP_, len), uh, len));
}

static struct mbuf *
datagram6(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint16_t payload)
{
	struct mbuf *m = packet6(src, dst, IPPROTO_UDP_, 8u + payload);
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);
	struct udp_hdr *uh = (void *)(ip6 + 1);

	*uh = (struct udp_hdr){ to_be16(sport), to_be16(dport), to_be16((uint16_t)(8 + payload)),
		0 };
	uh->sum = sum6(&ip6->src, &ip6->dst, uh);
	return m;
}

static void
assert_addr(const struct ipaddr *a, const char *expected)
{
	char text[IPADDR_TEXT];

	assert_string_equal(ipaddr_ntoa(a, text), expected);
}

static struct udp_hdr *
frame_udp6(const struct mbuf *m)
{
	struct ip6_hdr *ip6 = frame_ip6(m);
	struct udp_hdr *uh = (void *)(ip6 + 1);

	assert_int_equal(ip6->nxt, IPPROTO_UDP_);
	assert_int_equal(sum6(&ip6->src, &ip6->dst, uh), 0);
	return uh;
}

static void
test_a_datagram_reaches_the_endpoint_that_fits_best(void **state)
{
	struct got any, bound, connected;

	(void)state;
	open_at(&bound, "2001:db8::1", 5000);
	receive6(datagram6("2001:db8::2", 1234, "2001:db8::1", 5000, 10));
	assert_int_equal(bound.n, 1);
	assert_int_equal(bound.len, 10);
	assert_int_equal(bound.port, 1234);
	assert_int_equal(bound.ttl, 64);
	assert_addr(&bound.from, "2001:db8::2");
	assert_addr(&bound.to, "2001:db8::1");

	open_at(&any, "::", 6000);
	receive6(datagram6("fe80::2", 9, "fe80::1", 6000, 0));
	assert_int_equal(any.n, 1);
	assert_addr(&any.from, "fe80::2%mem0");
	assert_addr(&any.to, "fe80::1%mem0");

	open_at(&connected, "::", 7000);
	assert_int_equal(connect_to(&connected, "2001:db8::2", 99), 0);
	receive6(datagram6("2001:db8::2", 99, "2001:db8::1", 7000, 1));
	receive6(datagram6("2001:db8::2", 98, "2001:db8::1", 7000, 1));
	receive6(datagram6("2001:db8::3", 99, "2001:db8::1", 7000, 1));
	assert_int_equal(connected.n, 1);
	assert_int_equal(V_udpstat.noport, 2);
	udp_close(any.ep);
	udp_close(bound.ep);
	udp_close(connected.ep);
}

static void
test_the_families_keep_apart(void **state)
{
	struct got four, six;

	(void)state;
	assert_non_null(open_at(&four, NULL, 53));
	assert_non_null(open_at(&six, "::", 53));
	assert_null(open_at(&(struct got){ 0 }, "::", 53));
	assert_int_equal(errno, EADDRINUSE);
	receive6(datagram6("2001:db8::2", 9, "2001:db8::1", 53, 1));
	assert_int_equal(four.n, 0);
	assert_int_equal(six.n, 1);
	assert_int_equal(connect_to(&six, "10.0.0.2", 53), -EAFNOSUPPORT);
	assert_int_equal(send_bytes(&four, 1, "2001:db8::2", 53), -EAFNOSUPPORT);
	udp_close(four.ep);
	udp_close(six.ep);
}

static void
test_a_link_address_is_ours_on_its_link_only(void **state)
{
	struct got on_lan, g;

	(void)state;
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0);
	address6(&wan, "fe80::1", 64, 0);
	settle6();
	assert_non_null(open_at(&on_lan, "fe80::1%mem0", 53));
	assert_null(open_at(&g, "fe80::1", 53)); /* where? */
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_null(open_at(&g, "2001:db8::99", 53));
	receive6_by(&wan, datagram6("fe80::2", 9, "fe80::1", 53, 1));
	assert_int_equal(on_lan.n, 0);
	receive6(datagram6("fe80::2", 9, "fe80::1", 53, 1));
	assert_int_equal(on_lan.n, 1);
	udp_close(on_lan.ep);
}

static void
test_sent_datagrams_have_a_right_header_and_checksum(void **state)
{
	struct got g;
	struct mbuf *m;

	(void)state;
	open_at(&g, "::", 5353);
	udp_set_ttl(g.ep, 7);
	udp_set_tos(g.ep, 0xb8);
	command("sysctl net.inet.udp.checksum=0"); /* IPv4's only */
	for (uint32_t len = 0; len < 30; len++) {
		assert_int_equal(send_bytes(&g, len, "2001:db8::2", 53), 0);
		m = sent_one_of(len + 1);
		assert_int_equal(frame_ip6(m)->hlim, 7);
		assert_int_equal(ip6_class(frame_ip6(m)), 0xb8);
		assert_in6(&frame_ip6(m)->src, "2001:db8::1");
		assert_int_equal(from_be16(frame_udp6(m)->sport), 5353);
		assert_int_equal(from_be16(frame_udp6(m)->len), 8 + len);
		assert_int_not_equal(frame_udp6(m)->sum, 0);
	}
	memif_clear(&lan);
	assert_int_equal(send_bytes(&g, 3, "fe80::2%mem0", 53), 0);
	assert_in6(&frame_ip6(sent_one_of(1))->src, "fe80::1");
	assert_int_equal(frame_udp6(sent_one_of(1))->sum != 0, true);
	assert_int_equal(send_bytes(&g, 65528, "2001:db8::2", 53), -EMSGSIZE);
	assert_int_equal(udp_send(g.ep, m_get(1), NULL, 53), -EDESTADDRREQ);
	assert_int_equal(send_bytes(&g, 1, "2001:db9::2", 53), -EHOSTUNREACH);
	udp_close(g.ep);
}

static void
test_no_checksum_is_refused(void **state)
{
	struct got g;
	struct mbuf *m;

	(void)state;
	open_at(&g, "::", 7);
	m = datagram6("2001:db8::2", 9, "2001:db8::1", 7, 20);
	store16(m->data + 46, 0);
	receive6(m);
	assert_int_equal(drops("udp.nosum"), 1);
	m = datagram6("2001:db8::2", 9, "2001:db8::1", 7, 20);
	m->data[60] ^= 1;
	receive6(m);
	assert_int_equal(drops("udp.badsum"), 1);
	m = datagram6("2001:db8::2", 9, "2001:db8::1", 7, 20);
	m->data[45] = 60;
	receive6(m);
	assert_int_equal(drops("udp.badlen"), 1);
	receive6(packet6("2001:db8::2", "2001:db8::1", IPPROTO_UDP_, 7));
	assert_int_equal(drops("udp.tooshort"), 1);
	assert_int_equal(g.n, 0);
	udp_close(g.ep);
}

static void
test_nobody_there_is_said_unless_for_a_group(void **state)
{
	(void)state;
	receive6(datagram6("2001:db8::2", 9, "2001:db8::1", 7, 20));
	assert_int_equal(frame_icmp6(sent_one_of(1))->type, ICMP6_DST_UNREACH_);
	assert_int_equal(frame_icmp6(sent_one_of(1))->code, ICMP6_UNREACH_PORT);
	receive6(datagram6("2001:db8::2", 9, "ff02::1", 7, 20));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(drops("udp.noportbcast"), 1);
}

/* The error that a packet of ours to [2001:db8::2]:99 has caused. */
static void
error_comes(uint8_t type, uint8_t code, uint32_t arg, uint16_t sport)
{
	struct mbuf *quoted = datagram6("2001:db8::1", sport, "2001:db8::2", 99, 4);
	struct mbuf *m = message6("2001:db8::9", "2001:db8::1", type, code, quoted->len);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	icmp->data = to_be32(arg);
	memcpy(icmp + 1, quoted->data, quoted->len);
	icmp6_sum_at(m, IP6_HDRLEN);
	m_free(quoted);
	receive6(m);
}

static void
test_an_icmp6_error_reaches_only_the_connected_endpoint(void **state)
{
	static const struct {
		uint8_t type, code;
		int error;
	} errors[] = {
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_NOROUTE, -EHOSTUNREACH },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADMIN, -ECONNREFUSED },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, -EHOSTDOWN },
		{ ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, -ECONNREFUSED },
		{ ICMP6_PARAM_PROB_, ICMP6_PARAM_NEXTHEADER, -ECONNREFUSED },
		{ ICMP6_PARAM_PROB_, ICMP6_PARAM_HEADER, -ENOPROTOOPT },
		{ ICMP6_TIME_EXCEEDED_, ICMP6_TIMX_TRANSIT, 0 },
	};
	struct got a, b;

	(void)state;
	open_at(&a, "::", 6000);
	open_at(&b, "::", 6001);
	assert_int_equal(connect_to(&a, "2001:db8::2", 99), 0);
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		a.error = 0;
		error_comes(errors[i].type, errors[i].code, 0, 6000);
		assert_int_equal(a.error, errors[i].error);
	}
	error_comes(ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0, 6001);
	assert_int_equal(b.error, 0);
	udp_close(a.ep);
	udp_close(b.ep);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void
test_every_member_on_the_port_gets_a_groups_datagram(void **state)
{
	struct got any, member, bound, other;
	struct ipaddr group = addr_of("ff02::5:5%mem0");

	(void)state;
	open_at(&any, "::", 5000);
	open_at(&bound, "ff02::5:5%mem0", 5000);
	assert_non_null(open_at(&member, "ff02::5:5%mem0", 5000));
	open_at(&other, "ff02::5:5%mem0", 5000);
	assert_int_equal(join(&member, lan.ifp, "ff02::5:5"), 0);
	assert_int_equal(join(&other, lan.ifp, "ff02::6:6"), 0);
	receive6(datagram6("fe80::2", 9, "ff02::5:5", 5000, 4));
	assert_int_equal(member.n, 1);
	assert_addr(&member.to, "ff02::5:5%mem0");
	/* who has joined nothing hears all that the stack hears; who has, only that */
	assert_int_equal(any.n, 1);
	assert_int_equal(bound.n, 1);
	assert_int_equal(other.n, 0);

	assert_int_equal(join(&member, lan.ifp, "ff02::5:5"), -EADDRINUSE);
	assert_int_equal(udp_leave(member.ep, lan.ifp, &group), 0);
	assert_int_equal(udp_leave(member.ep, lan.ifp, &group), -EADDRNOTAVAIL);
	receive6(datagram6("fe80::2", 9, "ff02::5:5", 5000, 4));
	assert_int_equal(any.n, 1);
	assert_int_equal(join(&any, lan.ifp, "10.0.0.1"), -EAFNOSUPPORT);
	assert_int_equal(join(&any, lan.ifp, "2001:db8::2"), -EINVAL);
	udp_close(any.ep);
	udp_close(bound.ep);
	udp_close(member.ep);
	udp_close(other.ep);
}

static void
test_a_filter_of_sources_is_the_members_own(void **state)
{
	struct ipaddr group = addr_of("ff35::77"), friend = addr_of("2001:db8::2");
	struct got all, one;

	(void)state;
	open_at(&all, "::", 5000);
	open_at(&one, "ff35::77", 5000);
	assert_int_equal(join(&all, lan.ifp, "ff35::77"), 0);
	assert_int_equal(join(&one, lan.ifp, "ff35::77"), 0);
	assert_int_equal(
	    udp_set_filter(one.ep, lan.ifp, &group, MCAST_MODE_INCLUDE, &friend, 1), 0);
	receive6(datagram6("2001:db8::2", 9, "ff35::77", 5000, 4));
	receive6(datagram6("2001:db8::3", 9, "ff35::77", 5000, 4));
	assert_int_equal(all.n, 2);
	assert_int_equal(one.n, 1);
	udp_close(all.ep);
	udp_close(one.ep);
}

static void
test_groups_of_ipv4_are_the_same(void **state)
{
	struct got member, other;
	struct mbuf *m;

	(void)state;
	open_at(&member, "239.1.1.1", 5000);
	open_at(&other, "239.1.1.1", 5000);
	assert_int_equal(join(&member, lan.ifp, "239.1.1.1"), 0);
	assert_int_equal(join(&other, lan.ifp, "239.1.1.2"), 0);
	m = packet(a4("10.0.0.2"), a4("239.1.1.1"), IPPROTO_UDP_, 8 + 4);
	*(struct udp_hdr *)(void *)(m->data + 20) = (struct udp_hdr){ to_be16(9), to_be16(5000),
		to_be16(12), 0 };
	m->flags |= M_MCAST;
	ip_deliver(m);
	assert_int_equal(member.n, 1);
	assert_int_equal(other.n, 0);
	udp_close(member.ep);
	udp_close(other.ep);
}

static void
test_a_sender_chooses_interface_ttl_and_loop(void **state)
{
	struct got sender, member;

	(void)state;
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0);
	address6(&wan, "fe80::1", 64, 0);
	settle6();
	open_at(&sender, "::", 4000);
	open_at(&member, "::", 5000);
	assert_int_equal(join(&member, wan.ifp, "ff02::5:5"), 0);
	sched_run(clock_now() + 20 * NS_PER_SEC);
	memif_clear(&wan);
	memif_clear(&lan);
	udp_set_multicast_if(sender.ep, wan.ifp);
	udp_set_ttl(sender.ep, 99); /* of what is for one host */
	assert_int_equal(send_bytes(&sender, 4, "ff02::5:5", 5000), 0);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_in6(&frame_ip6(wan.sent.head)->dst, "ff02::5:5");
	assert_true(in6_is_linklocal(&frame_ip6(wan.sent.head)->src));
	assert_int_equal(frame_ip6(wan.sent.head)->hlim, 1);
	frame_udp6(wan.sent.head);
	while (netisr_run())
		continue;
	assert_int_equal(member.n, 1);

	memif_clear(&wan);
	udp_set_multicast_ttl(sender.ep, 5);
	udp_set_multicast_loop(sender.ep, false);
	assert_int_equal(send_bytes(&sender, 4, "ff05::5:5", 5000), 0);
	assert_int_equal(frame_ip6(wan.sent.head)->hlim, 5);
	while (netisr_run())
		continue;
	assert_int_equal(member.n, 1);

	memif_close(&wan);
	wan.ifp = NULL;
	assert_int_equal(send_bytes(&sender, 4, "ff02::5:5", 5000), -ENXIO);
	udp_close(sender.ep);
	udp_close(member.ep);
}

static void
test_a_member_outlives_its_stack(void **state)
{
	struct got g;

	(void)state;
	chain6(2);
	{
		VNET_SCOPE(vnet_of("n1"));
		assert_non_null(open_at(&g, "::", 7));
		assert_int_equal(join(&g, if_byname("epair1a"), "ff02::5:5"), 0);
		udp_set_multicast_if(g.ep, if_byname("epair1a"));
	}
	command("jail -r n1");
	assert_int_equal(send_bytes(&g, 1, "ff02::1", 53), -ENETDOWN);
	assert_int_equal(join(&g, NULL, "ff02::1"), -ENETDOWN);
	udp_close(g.ep);
}

/* --- tools ------------------------------------------------------------------------------------ */

static void
test_netstat_and_sockstat_show_both_families(void **state)
{
	struct got a, b, c;
	char *out;

	(void)state;
	open_at(&a, "::", 53);
	open_at(&b, NULL, 53);
	open_at(&c, "fe80::1%mem0", 6000);
	assert_int_equal(connect_to(&c, "fe80::2%mem0", 99), 0);
	assert_int_equal(verb_line(NULL, "netstat -an", false, &out, NULL), 0);
	assert_string_equal(out,
	    "Active Internet connections (including servers)\n"
	    "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n"
	    "udp4       0      0  *.53                   *.*                    \n"
	    "udp6       0      0  *.53                   *.*                    \n"
	    "udp6       0      0  fe80::1%mem0.6000      fe80::2%mem0.99        \n");
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -n -f inet6", false, &out, NULL), 0);
	assert_string_equal(out,
	    "Active Internet connections\n"
	    "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n"
	    "udp6       0      0  fe80::1%mem0.6000      fe80::2%mem0.99        \n");
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -an -f inet", false, &out, NULL), 0);
	assert_null(strstr(out, "udp6"));
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -s -f inet6 -p udp", false, &out, NULL), 0);
	assert_non_null(strstr(out, "udp:\n\t0 datagrams received\n"));
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -s -p udp", false, &out, NULL), 0);
	assert_null(strstr(strstr(out, "udp:") + 1, "udp:"));
	free(out);
	assert_int_equal(verb_line(NULL, "sockstat -6q", false, &out, NULL), 0);
	assert_string_equal(out,
	    "?        ?          ?     ?  udp6   *:53                  *:*                  \n"
	    "?        ?          ?     ?  udp6   [fe80::1%mem0]:6000   [fe80::2%mem0]:99    \n");
	free(out);
	udp_close(a.ep);
	udp_close(b.ep);
	udp_close(c.ep);
}

static void
test_no_address_is_cut_by_a_column(void **state)
{
	struct got g;
	char *out;

	(void)state;
	command("ifconfig mem0 inet6 2001:db8:1111:2222:3333:4444:5555:6666/64");
	settle6();
	open_at(&g, "2001:db8:1111:2222:3333:4444:5555:6666", 50000);
	assert_int_equal(verb_line(NULL, "netstat -an", false, &out, NULL), 0);
	assert_non_null(strstr(
	    out, "Send-Q  Local Address                                Foreign Address    "));
	assert_non_null(strstr(out, "  2001:db8:1111:2222:3333:4444:5555:6666.50000 *.*    "));
	free(out);
	udp_close(g.ep);
}

static void
test_the_tool_sends_echoes_and_measures(void **state)
{
	static struct tool sink, t;

	(void)state;
	chain6(3);
	tool_start(&sink, "n3", "udp sink [2001:db8:2::2]:5001 for 5s", false);
	assert_int_equal(tool(&t, "n1",
			     "udp send to [2001:db8:2::2]:5001 rate 1048kbit/s size 83 count 100 "
			     "hlim 9 dscp 46"),
	    0);
	assert_string_equal(t.out, "100 packets 8300 bytes sent, 0 errors\n");
	tool_wait(&sink);
	/* 48 bytes of headers: 131 a packet, one each ms */
	assert_non_null(
	    strstr(sink.out, "100 packets 8300 bytes received, 0 lost 0 reordered 0 duplicated\n"));
	assert_non_null(strstr(sink.out, "rate 1.048 Mbit/s at IP\n"));

	tool_start(&sink, "n3", "udp sink -6 5002 for 5s", false);
	assert_int_equal(
	    tool(&t, "n1", "udp send -6 to [2001:db8:2::2]:5002 rate 8Mbit/s size 65527 count 2"),
	    0);
	tool_wait(&sink);
	assert_non_null(strstr(sink.out, "2 packets 131054 bytes received, 0 lost"));
	/* which colon is it? */
	assert_int_equal(tool(&t, "n1", "udp send to 2001:db8:2::2:5002 rate 1Mbit/s"), 64);
	assert_int_equal(tool(&t, "n1", "udp send -4 to [2001:db8:2::2]:5002 rate 1Mbit/s"), 64);
	assert_int_equal(tool(&t, "n1", "udp send to [10.1.0.1]:5002 rate 1Mbit/s"), 64);
	assert_int_equal(tool(&t, "n1", "udp send to 10.1.0.2:9 rate 1Mbit/s size 65508"), 1);
	assert_int_equal(
	    tool(&t, "n1", "udp send to 10.1.0.2:9 from 2001:db8:1::1 rate 1Mbit/s"), 1);
}

static void
test_the_tool_listens_to_a_group(void **state)
{
	static struct tool sink, t;

	(void)state;
	chain6(2);
	tool_start(&sink, "n2", "udp sink [ff05::99]:5001 for 5s", false);
	assert_int_equal(
	    tool(&t, "n1", "udp send to [ff05::99]:5001 via epair1a rate 1Mbit/s count 10"), 0);
	tool_wait(&sink);
	assert_non_null(strstr(sink.out, "10 packets "));
	/* one source of two */
	tool_start(&sink, "n2", "udp sink [ff35::99]:5001 via epair1b source 2001:db8:1::77 for 5s",
	    false);
	assert_int_equal(
	    tool(&t, "n1", "udp send to [ff35::99]:5001 via epair1a rate 1Mbit/s count 10"), 0);
	tool_wait(&sink);
	assert_non_null(strstr(sink.out, "0 packets "));
	tool_start(&sink, "n2",
	    "udp sink [ff35::99]:5001 source 2001:db8:1::77,2001:db8:1::1 for 5s", false);
	assert_int_equal(tool(&t, "n1",
			     "udp send to [ff35::99]:5001 via epair1a from 2001:db8:1::1 "
			     "rate 1Mbit/s count 10"),
	    0);
	tool_wait(&sink);
	assert_non_null(strstr(sink.out, "10 packets "));
	/* IPv4 */
	tool_start(&sink, "n2", "udp sink 239.1.1.1:5001 via epair1b for 5s", false);
	assert_int_equal(
	    tool(&t, "n1", "udp send to 239.1.1.1:5001 via epair1a rate 1Mbit/s count 10"), 0);
	tool_wait(&sink);
	assert_non_null(strstr(sink.out, "10 packets "));
	assert_int_equal(tool(&t, "n2", "udp sink 5001 via epair1b for 1s"), 64);
	assert_int_equal(tool(&t, "n2", "udp sink 239.1.1.1:5001 source 10.1.0.1, for 1s"), 64);
	assert_int_equal(tool(&t, "n2", "udp sink 239.1.1.1:5001 via nope0 for 1s"), 64);
}

static void
test_a_jail_has_its_own_addresses_only(void **state)
{
	struct got g;

	(void)state;
	command("ifconfig mem0 inet6 2001:db8::77/64 alias");
	settle6();
	command("jail -c name=j persist ip6.addr=2001:db8::77 ip4=disable");
	curprison = prison_find(&prison0, "j");
	assert_non_null(open_at(&g, "::", 53));
	assert_null(open_at(&(struct got){ 0 }, "2001:db8::1", 54));
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_null(open_at(&(struct got){ 0 }, NULL, 54));
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_null(open_at(&(struct got){ 0 }, "ff02::1%mem0", 54));
	curprison = NULL;
	receive6(datagram6("2001:db8::2", 9, "2001:db8::1", 53, 1));
	assert_int_equal(g.n, 0);
	receive6(datagram6("2001:db8::2", 9, "2001:db8::77", 53, 1));
	assert_int_equal(g.n, 1);
	udp_close(g.ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_datagram_reaches_the_endpoint_that_fits_best),
		INET6_TEST(test_the_families_keep_apart),
		INET6_TEST(test_a_link_address_is_ours_on_its_link_only),
		INET6_TEST(test_sent_datagrams_have_a_right_header_and_checksum),
		INET6_TEST(test_no_checksum_is_refused),
		INET6_TEST(test_nobody_there_is_said_unless_for_a_group),
		INET6_TEST(test_an_icmp6_error_reaches_only_the_connected_endpoint),
		INET6_TEST(test_every_member_on_the_port_gets_a_groups_datagram),
		INET6_TEST(test_a_filter_of_sources_is_the_members_own),
		INET6_TEST(test_groups_of_ipv4_are_the_same),
		INET6_TEST(test_a_sender_chooses_interface_ttl_and_loop),
		INET6_TEST(test_a_member_outlives_its_stack),
		INET6_TEST(test_netstat_and_sockstat_show_both_families),
		INET6_TEST(test_no_address_is_cut_by_a_column),
		INET6_TEST(test_the_tool_sends_echoes_and_measures),
		INET6_TEST(test_the_tool_listens_to_a_group),
		INET6_TEST(test_a_jail_has_its_own_addresses_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
