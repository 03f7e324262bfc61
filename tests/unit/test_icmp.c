/*
 * Unit tests of ICMP (inet/icmp.c, inet/icmp_redirect.c).
 */
#include "inet_fixture.h"

/* An ICMP message from src to dst; `len` bytes behind the ICMP header. */
static struct mbuf *
message(const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t len)
{
	struct mbuf *m = packet(a4(src), a4(dst), IPPROTO_ICMP_, 8 + len);
	struct icmp_hdr *icmp = (void *)(m->data + 20);

	*icmp = (struct icmp_hdr){ .type = type, .code = code };
	icmp->echo.id = to_be16(0x1234);
	icmp->echo.seq = to_be16(5);
	icmp->sum = cksum_fold(cksum_add(0, icmp, 8 + len));
	return m;
}

static void
sum_again(struct mbuf *m)
{
	struct icmp_hdr *icmp = (void *)(m->data + 20);

	icmp->sum = 0;
	icmp->sum = cksum_fold(cksum_add(0, icmp, m->len - 20));
}

/* An ICMP error from src that quotes `inner` (freed), with 8 bytes behind its header. */
static struct mbuf *
error_about(const char *src, uint8_t type, uint8_t code, struct mbuf *inner)
{
	struct mbuf *m = message(src, "10.0.0.1", type, code, 28);

	memcpy(m->data + 28, inner->data, 28);
	m_free(inner);
	sum_again(m);
	return m;
}

static void
test_echo_is_answered_with_the_same_data(void **state)
{
	struct mbuf *m = message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 56), *reply;
	uint8_t data[56];

	(void)state;
	memcpy(data, m->data + 28, 56);
	mtod(m, struct ip_hdr *)->tos = 0x48;
	resum(m);
	m->when_ns = 5 * NS_PER_SEC;
	ip_deliver(m);
	reply = sent_one_of(1);
	assert_int_equal(frame_icmp(reply)->type, ICMP_ECHOREPLY_);
	assert_int_equal(from_be16(frame_icmp(reply)->echo.id), 0x1234);
	assert_int_equal(from_be16(frame_icmp(reply)->echo.seq), 5);
	assert_memory_equal(frame_icmp(reply) + 1, data, 56);
	assert_int_equal(frame_ip(reply)->src, a4("10.0.0.1"));
	assert_int_equal(frame_ip(reply)->dst, a4("10.0.0.2"));
	assert_int_equal(frame_ip(reply)->ttl, 64);
	assert_int_equal(frame_ip(reply)->tos, 0x48);
	assert_int_equal(reply->when_ns, 5 * NS_PER_SEC);
	assert_int_equal(V_icmpstat.inhist[ICMP_ECHO_], 1);
	assert_int_equal(V_icmpstat.outhist[ICMP_ECHOREPLY_], 1);
	assert_int_equal(V_icmpstat.reflect, 1);
}

static void
test_the_largest_echo_comes_back_whole(void **state)
{
	struct mbuf *m = message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 65507);

	(void)state;
	ip_deliver(m);
	assert_int_equal(lan.sent.len, 45);
}

static void
test_damaged_messages_are_counted_by_name(void **state)
{
	struct mbuf *m;

	(void)state;
	m = message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 8);
	m->data[30] ^= 1;
	ip_deliver(m);
	assert_int_equal(drops("icmp.badsum"), 1);
	assert_int_equal(V_icmpstat.checksum, 1);
	m = packet(a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_ICMP_, 7);
	ip_deliver(m);
	assert_int_equal(drops("icmp.tooshort"), 1);
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_UNREACH_, 77, 28));
	assert_int_equal(drops("icmp.badcode"), 1);
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_UNREACH_, 1, 20));
	assert_int_equal(drops("icmp.badlen"), 1);
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_TSTAMP_, 0, 4));
	assert_int_equal(drops("icmp.badlen"), 2);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_requests_to_everybody_are_ignored_unless_wanted(void **state)
{
	struct mbuf *m = message("10.0.0.2", "10.0.0.255", ICMP_ECHO_, 0, 8);

	(void)state;
	m->flags |= M_BCAST;
	ip_deliver(m);
	m = message("10.0.0.2", "255.255.255.255", ICMP_TSTAMP_, 0, 12);
	ip_deliver(m);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops("icmp.bmcast"), 2);
	assert_int_equal(V_icmpstat.bmcastecho, 1);
	assert_int_equal(V_icmpstat.bmcasttstamp, 1);
	command("sysctl net.inet.icmp.bmcastecho=1");
	m = message("10.0.0.2", "10.0.0.255", ICMP_ECHO_, 0, 8);
	m->flags |= M_BCAST;
	ip_deliver(m);
	assert_int_equal(frame_ip(sent_one_of(1))->src, a4("10.0.0.1"));
}

static void
test_timestamp_is_filled_in_with_milliseconds_of_the_day(void **state)
{
	struct mbuf *m = message("10.0.0.2", "10.0.0.1", ICMP_TSTAMP_, 0, 12);
	const uint8_t *t;

	(void)state;
	m->when_ns = 3661 * NS_PER_SEC;
	ip_deliver(m);
	assert_int_equal(frame_icmp(sent_one_of(1))->type, ICMP_TSTAMPREPLY_);
	t = (const uint8_t *)(frame_icmp(sent_one_of(1)) + 1);
	assert_int_equal(__builtin_bswap32(load32(t + 4)), 3661000);
	assert_int_equal(__builtin_bswap32(load32(t + 8)), 3661000);
}

static void
test_mask_requests_are_answered_only_if_asked_for(void **state)
{
	(void)state;
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_MASKREQ_, 0, 4));
	assert_int_equal(drops("icmp.mask"), 1);
	command("sysctl net.inet.icmp.maskrepl=1");
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_MASKREQ_, 0, 4));
	assert_int_equal(load32(frame_icmp(sent_one_of(1)) + 1), a4("255.255.255.0"));
}

static void
test_record_route_goes_on_in_the_reply(void **state)
{
	struct mbuf *m = message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 16),
		    *o = m_get(m->len + 12);

	(void)state;
	memcpy(o->data, m->data, 20);
	memcpy(o->data + 20, (uint8_t[12]){ 7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0 }, 12);
	memcpy(o->data + 32, m->data + 20, m->len - 20);
	o->data[0] = 0x48;
	o->rcvif = lan.ifp;
	resum(o);
	m_free(m);
	ip_deliver(o);
	assert_int_equal(ip_hlen(frame_ip(sent_one_of(1))), 32);
	assert_memory_equal(
	    frame_ip(sent_one_of(1)) + 1, ((uint8_t[]){ 7, 11, 8, 10, 0, 0, 1 }), 7);
}

static void
test_unknown_protocol_is_unreachable(void **state)
{
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.0.0.1"), 200, 100);
	uint8_t head[28];
	struct icmp_hdr *icmp;

	(void)state;
	memcpy(head, m->data, 28);
	ip_deliver(m);
	icmp = frame_icmp(sent_one_of(1));
	assert_int_equal(icmp->type, ICMP_UNREACH_);
	assert_int_equal(icmp->code, ICMP_UNREACH_PROTOCOL_);
	/* quoted: the header and eight bytes, as they came */
	assert_int_equal(from_be16(frame_ip(sent_one_of(1))->len), 20 + 8 + 28);
	assert_memory_equal(icmp + 1, head, 28);
	assert_int_equal(drops("ip.noproto"), 1);
	assert_int_equal(V_ipstat.noproto, 1);
}

static void
test_more_is_quoted_when_asked_but_576_bytes_hold_it(void **state)
{
	(void)state;
	command("sysctl net.inet.icmp.quotelen=548");
	ip_deliver(packet(a4("10.0.0.2"), a4("10.0.0.1"), 200, 100));
	assert_int_equal(from_be16(frame_ip(sent_one_of(1))->len), 20 + 8 + 20 + 100);
	ip_deliver(packet(a4("10.0.0.2"), a4("10.0.0.1"), 200, 1400));
	assert_int_equal(from_be16(frame_ip(sent_one_of(2))->len), 576);
}

static void
expect_silence(struct mbuf *m, uint8_t type)
{
	icmp_error(m, type, 0, 0);
	m_free(m);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_no_error_where_rfc_1122_forbids_it(void **state)
{
	struct mbuf *m;

	(void)state;
	/* about an error, or about what may be one */
	expect_silence(message("10.0.0.2", "10.9.0.1", ICMP_UNREACH_, 1, 28), ICMP_TIMXCEED_);
	assert_int_equal(V_icmpstat.oldicmp, 1);
	expect_silence(packet(a4("10.0.0.2"), a4("10.9.0.1"), IPPROTO_ICMP_, 0), ICMP_TIMXCEED_);
	/* about a later fragment */
	m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);
	mtod(m, struct ip_hdr *)->off = to_be16(3);
	expect_silence(m, ICMP_TIMXCEED_);
	/* to a broadcast or multicast address of any layer */
	m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);
	m->flags |= M_BCAST;
	expect_silence(m, ICMP_UNREACH_);
	m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);
	m->flags |= M_MCAST;
	expect_silence(m, ICMP_UNREACH_);
	expect_silence(packet(a4("10.0.0.2"), a4("224.0.0.5"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("10.0.0.2"), a4("255.255.255.255"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("10.0.0.2"), a4("10.0.0.255"), 200, 64), ICMP_UNREACH_);
	/* from nobody in particular */
	expect_silence(packet(0, a4("10.9.0.1"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("127.0.0.1"), a4("10.9.0.1"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("224.0.0.5"), a4("10.9.0.1"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("240.0.0.5"), a4("10.9.0.1"), 200, 64), ICMP_UNREACH_);
	expect_silence(packet(a4("10.0.0.255"), a4("10.9.0.1"), 200, 64), ICMP_UNREACH_);
	/* but about an echo request */
	m = message("10.0.0.2", "10.9.0.1", ICMP_ECHO_, 0, 8);
	icmp_error(m, ICMP_TIMXCEED_, 0, 0);
	m_free(m);
	assert_int_equal(lan.sent.len, 1);
}

static void
test_errors_of_a_kind_are_limited_per_second(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		ip_deliver(packet(a4("10.0.0.2"), a4("10.0.0.1"), 200, 64));
	assert_int_equal(lan.sent.len, 200);
	assert_int_equal(V_icmpstat.limited, 100);
	assert_int_equal(drops("icmp.limit"), 100);
	/* another kind has its own count */
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);

	icmp_error(m, ICMP_TIMXCEED_, 0, 0);
	assert_int_equal(lan.sent.len, 201);
	/* and the next second begins anew */
	sched_run(clock_now() + NS_PER_SEC);
	m->when_ns = clock_now();
	icmp_error(m, ICMP_UNREACH_, 0, 0);
	assert_int_equal(lan.sent.len, 202);
	command("sysctl net.inet.icmp.icmplim=0");
	for (int i = 0; i < 300; i++)
		icmp_error(m, ICMP_UNREACH_, 0, 0);
	assert_int_equal(lan.sent.len, 502);
	m_free(m);
}

static void
test_echo_replies_are_not_limited(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++)
		ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 8));
	assert_int_equal(lan.sent.len, 500);
}

static void
test_an_error_comes_from_the_way_back_or_from_the_receiving_interface(void **state)
{
	struct memif wan;
	struct mbuf *m;

	(void)state;
	memif_open(&wan, 1);
	command("ifconfig mem1 inet 10.7.0.1/24");
	/* the sender's route leads by lan, the packet came by wan */
	m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);
	m->rcvif = wan.ifp;
	icmp_error(m, ICMP_TIMXCEED_, 0, 0);
	assert_int_equal(frame_ip(sent_one_of(1))->src, a4("10.0.0.1"));
	command("sysctl net.inet.icmp.reply_from_interface=1");
	icmp_error(m, ICMP_TIMXCEED_, 0, 0);
	assert_int_equal(frame_ip(sent_one_of(2))->src, a4("10.7.0.1"));
	m_free(m);
	memif_close(&wan);
}

static void
test_needfrag_says_the_mtu_and_parameter_problem_the_place(void **state)
{
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 64);

	(void)state;
	icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_NEEDFRAG_, 1280);
	assert_int_equal(from_be16(frame_icmp(sent_one_of(1))->frag.mtu), 1280);
	icmp_error(m, ICMP_PARAMPROB_, 0, 22);
	assert_int_equal(frame_icmp(sent_one_of(2))->param.pointer, 22);
	icmp_error(m, ICMP_REDIRECT_, 1, a4("10.0.0.9"));
	assert_int_equal(frame_icmp(sent_one_of(3))->gateway, a4("10.0.0.9"));
	m_free(m);
}

/* A redirect from the gateway `from` for dst to `gateway`. */
static void
redirect(const char *from, const char *dst, const char *gateway)
{
	struct mbuf *m = error_about(
	    from, ICMP_REDIRECT_, 1, packet(a4("10.0.0.1"), a4(dst), IPPROTO_UDP_, 64));

	((struct icmp_hdr *)(void *)(m->data + 20))->gateway = a4(gateway);
	sum_again(m);
	ip_deliver(m);
}

static void
test_a_redirect_of_the_gateway_in_use_is_followed(void **state)
{
	struct nexthop *nh;

	(void)state;
	command("route add 10.9.0.0/16 10.0.0.2");
	redirect("10.0.0.2", "10.9.0.1", "10.0.0.3");
	nh = fib_lookup4(0, a4("10.9.0.1"));
	assert_int_equal(nh->gw4, a4("10.0.0.3"));
	assert_true((nh->flags & RTF_DYNAMIC_) && (nh->flags & RTF_HOST_));
	assert_int_equal(V_rtstat.dynamic, 1);
	/* other hosts of the network are not concerned */
	assert_int_equal(fib_lookup4(0, a4("10.9.0.2"))->gw4, a4("10.0.0.2"));
}

static void
test_other_redirects_are_not_believed(void **state)
{
	(void)state;
	command("route add 10.9.0.0/16 10.0.0.2");
	redirect("10.0.0.4", "10.9.0.1", "10.0.0.3"); /* not from the gateway */
	redirect("10.0.0.2", "10.9.0.1", "10.8.0.3"); /* off the link */
	redirect("10.0.0.2", "10.9.0.1", "10.0.0.1"); /* to ourselves */
	redirect("10.0.0.2", "10.0.0.7", "10.0.0.3"); /* a neighbour */
	redirect("10.0.0.2", "127.0.0.1", "10.0.0.3");
	assert_int_equal(drops("icmp.redirect"), 5);
	assert_int_equal(V_rtstat.badredirect, 5);
	command("sysctl net.inet.icmp.drop_redirect=1");
	redirect("10.0.0.2", "10.9.0.1", "10.0.0.3");
	command("sysctl net.inet.icmp.drop_redirect=0");
	command("sysctl net.inet.ip.forwarding=1");
	redirect("10.0.0.2", "10.9.0.1", "10.0.0.3");
	assert_int_equal(drops("icmp.redirectoff"), 2);
	assert_int_equal(fib_lookup4(0, a4("10.9.0.1"))->gw4, a4("10.0.0.2"));
}

static void
test_routes_by_redirects_are_bounded(void **state)
{
	char dst[16];

	(void)state;
	command("route add 10.9.0.0/16 10.0.0.2");
	command("sysctl net.inet.icmp.redirects_max=10");
	for (int i = 1; i <= 30; i++) {
		snprintf(dst, sizeof(dst), "10.9.0.%d", i);
		redirect("10.0.0.2", dst, "10.0.0.3");
	}
	assert_int_equal(V_rtstat.dynamic, 10);
	assert_int_equal(drops("icmp.redirectmany"), 20);
}

static void
test_an_error_about_somebody_elses_packet_is_dropped(void **state)
{
	(void)state;
	ip_deliver(error_about("10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
	    packet(a4("10.55.0.1"), a4("10.0.0.2"), IPPROTO_UDP_, 64)));
	assert_int_equal(drops("icmp.notours"), 1);
}

static void
test_netstat_tells_in_the_fields_sentences(void **state)
{
	char *out;

	(void)state;
	ip_deliver(message("10.0.0.2", "10.0.0.1", ICMP_ECHO_, 0, 8));
	assert_int_equal(verb_line(NULL, "netstat -s -p icmp", false, &out, NULL), 0);
	assert_non_null(strstr(out, "icmp:\n\t0 calls to icmp_error\n"));
	assert_non_null(strstr(out, "\tOutput histogram:\n\t\techo reply: 1\n"));
	assert_non_null(strstr(out, "\tInput histogram:\n\t\techo: 1\n"));
	assert_non_null(strstr(out, "\t1 message response generated\n"));
	free(out);
	assert_int_equal(verb_line(NULL, "netstat -s -p ip", false, &out, NULL), 0);
	assert_non_null(strstr(out, "\t0 packets forwarded (0 packets fast forwarded)\n"));
	assert_non_null(strstr(out, "\t1 packet for this host\n"));
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_echo_is_answered_with_the_same_data),
		INET_TEST(test_the_largest_echo_comes_back_whole),
		INET_TEST(test_damaged_messages_are_counted_by_name),
		INET_TEST(test_requests_to_everybody_are_ignored_unless_wanted),
		INET_TEST(test_timestamp_is_filled_in_with_milliseconds_of_the_day),
		INET_TEST(test_mask_requests_are_answered_only_if_asked_for),
		INET_TEST(test_record_route_goes_on_in_the_reply),
		INET_TEST(test_unknown_protocol_is_unreachable),
		INET_TEST(test_more_is_quoted_when_asked_but_576_bytes_hold_it),
		INET_TEST(test_no_error_where_rfc_1122_forbids_it),
		INET_TEST(test_errors_of_a_kind_are_limited_per_second),
		INET_TEST(test_echo_replies_are_not_limited),
		INET_TEST(test_an_error_comes_from_the_way_back_or_from_the_receiving_interface),
		INET_TEST(test_needfrag_says_the_mtu_and_parameter_problem_the_place),
		INET_TEST(test_a_redirect_of_the_gateway_in_use_is_followed),
		INET_TEST(test_other_redirects_are_not_believed),
		INET_TEST(test_routes_by_redirects_are_bounded),
		INET_TEST(test_an_error_about_somebody_elses_packet_is_dropped),
		INET_TEST(test_netstat_tells_in_the_fields_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
