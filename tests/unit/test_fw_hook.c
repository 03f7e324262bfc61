/*
 * Unit tests of the firewall on the packets' way (ipfw/hook.c, effect.c, forward.c, reject.c): real
 * packets through a stack with two interfaces, and real rules.
 */
#include "fw_packets.h"

#include "ipfw/mark.h"

/* --- hooks and plain verdicts ----------------------------------------------------------------- */

/* Does a datagram from lan's neighbour to wan's get through? */
static bool
is_forwarded(void)
{
	bool through;

	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 12));
	through = wan.sent.len > 0;
	memif_clear(&wan);
	return through;
}

static uint32_t
hooks(enum pfil_point point)
{
	return VNET(pfil_heads)[point][PFIL_IN].n + VNET(pfil_heads)[point][PFIL_OUT].n;
}

static void
test_a_stack_without_rules_has_no_hooks(void **state)
{
	(void)state;
	router();
	assert_int_equal(hooks(PFIL_INET) + hooks(PFIL_INET6) + hooks(PFIL_LINK), 0);
	assert_null(if_byname("ipfw0"));
	assert_true(is_forwarded());
	add("100 count ip from any to any");
	assert_int_equal(hooks(PFIL_INET), 2);
	assert_int_equal(hooks(PFIL_INET6), 2);
	assert_int_equal(hooks(PFIL_LINK), 0);
	assert_non_null(if_byname("ipfw0"));
	assert_false(is_forwarded()); /* the default rule */
	assert_int_equal(drops("ipfw.deny"), 1);
}

static void
test_switches_hook_and_unhook_at_once(void **state)
{
	(void)state;
	router();
	command("sysctl net.inet.ip.fw.enable=0");
	add("100 deny ip from any to any");
	assert_int_equal(hooks(PFIL_INET), 0);
	assert_true(is_forwarded());
	command("sysctl net.inet.ip.fw.enable=1");
	assert_false(is_forwarded());
	command("sysctl net.inet.ip.fw.enable=0");
	assert_true(is_forwarded());
	command("sysctl net.link.ether.ipfw=1");
	assert_int_equal(hooks(PFIL_LINK), 2);
	assert_false(is_forwarded());
	command("sysctl net.link.ether.ipfw=0");
	command("sysctl net.inet6.ip6.fw.enable=0");
	assert_int_equal(hooks(PFIL_INET6) + hooks(PFIL_LINK), 0);
}

static void
test_a_packet_passes_the_rules_in_and_out(void **state)
{
	struct fw_rule *in, *out;

	(void)state;
	router();
	in = add("100 count ip from any to any in recv mem0");
	out = add("200 count ip from any to any out recv mem0 xmit mem1");
	add("300 allow ip from any to any");
	assert_true(is_forwarded());
	assert_int_equal(in->count.packets, 1);
	assert_int_equal(out->count.packets, 1);
	add("250 deny ip from any to any out");
	assert_false(is_forwarded());
}

static void
test_packets_without_readable_headers_meet_no_rule(void **state)
{
	struct mbuf *m;

	(void)state;
	router();
	add("100 allow ip from any to any");
	m = udp("10.0.0.2", 1, "10.1.0.2", 2, 0);
	m_trim(m, 26);
	resum(m);
	comes_in(&lan, m);
	comes_in(&lan, fragment(tcp("10.0.0.2", 1, "10.1.0.2", 2, SYN), 8, false));
	comes_in(&lan, packet6("2001:db8::2", "2001:db8:1::2", 253, 8));
	assert_int_equal(drops("ipfw.short"), 1);
	assert_int_equal(drops("ipfw.tcpoffset1"), 1);
	assert_int_equal(drops("ipfw.exthdr"), 1);
	assert_int_equal(wan.sent.len, 0);
}

/* A batch as it comes from a driver. */
static void
batch_in(struct mbuf *const *m, uint32_t n)
{
	struct batch b = { .n = 0 };

	for (uint32_t i = 0; i < n; i++) {
		struct mbuf *f = framed(m[i], &lan);

		f->when_ns = clock_now() + i;
		batch_add(&b, f);
	}
	if_receive(lan.ifp, &b);
	while (netisr_run())
		continue;
}

/*
 * Two packets that go back by lan, and between them one that is answered there: the frames that lan
 * sends are in the order of what they are made of.
 */
static void
test_an_answer_does_not_overtake_what_came_before(void **state)
{
	struct mbuf *m[5];

	(void)state;
	router();
	command("sysctl net.inet.ip.redirect=0");
	neighbour(&lan, "10.0.0.9");
	add("100 unreach port udp from any to any 99 in");
	add("200 allow ip from any to any");
	for (uint16_t i = 0; i < 5; i++)
		m[i] = udp("10.0.0.2", (uint16_t)(1000 + i), "10.0.0.9", i == 2 ? 99 : 53, 0);
	batch_in(m, 5);
	assert_int_equal(lan.sent.len, 5);
	for (uint32_t i = 0; i < 5; i++) {
		const struct ip_hdr *ip = went_out(&lan, i);

		assert_int_equal(ip->proto, i == 2 ? IPPROTO_ICMP_ : IPPROTO_UDP_);
		if (i != 2)
			assert_int_equal(load16((const uint8_t *)ip + 20),
			    load16(&(be16){ { 3, (uint8_t)(0xe8 + i) } }));
	}
}

static void
test_packets_of_a_batch_have_verdicts_of_their_own(void **state)
{
	struct mbuf *m[8];
	struct fw_rule *r;

	(void)state;
	router();
	r = add("100 deny udp from any to any 50-53 in");
	add("200 allow ip from any to any");
	for (uint16_t i = 0; i < 8; i++)
		m[i] = udp("10.0.0.2", 1, "10.1.0.2", (uint16_t)(48 + i), 0);
	batch_in(m, 8);
	assert_int_equal(r->count.packets, 4);
	assert_int_equal(wan.sent.len, 4);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void
test_unreach_names_its_code(void **state)
{
	struct icmp_hdr *e;

	(void)state;
	router();
	add("100 unreach filter-prohib udp from any to any 53 in");
	add("110 reject udp from any to any 54 in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	e = frame_icmp(sent_one_of(1));
	assert_int_equal(e->type, ICMP_UNREACH_);
	assert_int_equal(e->code, ICMP_UNREACH_FILTER_PROHIB_);
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 54, 0));
	assert_int_equal(frame_icmp(sent_one_of(2))->code, ICMP_UNREACH_HOST_);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("ipfw.deny"), 2);
}

static void
test_unreach6_names_its_code(void **state)
{
	struct icmp6_hdr *e;

	(void)state;
	router();
	add("100 unreach6 admin-prohib udp from any to any in");
	add("110 reject tcp from any to any in"); /* IPv4's: a plain deny of IPv6 */
	add("200 allow ip from any to any");
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:1::2", 53, 0));
	e = frame_icmp6(sent_one_of(1));
	assert_int_equal(e->type, ICMP6_DST_UNREACH_);
	assert_int_equal(e->code, ICMP6_UNREACH_ADMIN);
	comes_in(&lan, tcp("2001:db8::2", 1, "2001:db8:1::2", 53, SYN));
	assert_int_equal(lan.sent.len, 1);
}

/* Spec section 4: ICMP that is no query, broadcast and multicast, later fragments. */
static void
test_some_packets_are_denied_without_an_answer(void **state)
{
	(void)state;
	router();
	add("100 reject ip4 from any to any in");
	add("200 unreach6 port ip6 from any to any in");
	add("300 allow ip from any to any out");
	comes_in(&lan, icmp("10.0.0.2", "10.1.0.2", 3, 1));
	comes_in(&lan, fragment(udp("10.0.0.2", 1, "10.1.0.2", 2, 8), 64, false));
	comes_in(&lan, udp("10.0.0.2", 1, "224.0.0.5", 2, 8));
	comes_in(&lan, udp("10.0.0.2", 1, "255.255.255.255", 2, 8));
	comes_in(&lan, icmp("2001:db8::2", "2001:db8:1::2", 1, 0));
	assert_int_equal(lan.sent.len, 0);
	comes_in(&lan, icmp("10.0.0.2", "10.1.0.2", 8, 0));
	comes_in(&lan, icmp("2001:db8::2", "2001:db8:1::2", 128, 0));
	assert_int_equal(lan.sent.len, 2);
}

static struct mbuf *
reset_of(uint32_t n)
{
	struct mbuf *m = sent_one_of(n);
	struct ip_hdr *ip = frame_ip(m);

	assert_int_equal(ip->proto, IPPROTO_TCP_);
	assert_int_equal(ip_cksum(ip), 0);
	assert_int_equal(
	    cksum_fold(cksum_add(ip_pseudo_sum(ip->src, ip->dst, IPPROTO_TCP_, 20), ip + 1, 20)),
	    0);
	return m;
}

static void
test_reset_fits_the_segment(void **state)
{
	const uint8_t *th;
	struct mbuf *m;

	(void)state;
	router();
	add("100 reset tcp from any to any in");
	/* … and the reset goes out although no rule lets it */
	comes_in(&lan, tcp("10.0.0.2", 1030, "10.1.0.2", 22, SYN));
	m = reset_of(1);
	th = m->data + 34;
	assert_int_equal(frame_ip(m)->src, a4("10.1.0.2"));
	assert_int_equal(frame_ip(m)->dst, a4("10.0.0.2"));
	assert_int_equal(__builtin_bswap16(load16(th)), 22);
	assert_int_equal(__builtin_bswap16(load16(th + 2)), 1030);
	assert_int_equal(th[13], RST | ACK);
	assert_int_equal(__builtin_bswap32(load32(th + 8)), 1001); /* the SYN */
	comes_in(&lan, tcp("10.0.0.2", 1030, "10.1.0.2", 22, ACK));
	th = reset_of(2)->data + 34;
	assert_int_equal(th[13], RST);
	assert_int_equal(__builtin_bswap32(load32(th + 4)), 2000);
	comes_in(&lan, tcp("10.0.0.2", 1030, "10.1.0.2", 22, RST));
	assert_int_equal(lan.sent.len, 2);
}

static void
test_reset6(void **state)
{
	const struct ip6_hdr *ip6;

	(void)state;
	router();
	add("100 reset6 tcp from any to any in");
	comes_in(&lan, tcp("2001:db8::2", 1030, "2001:db8:1::2", 22, SYN));
	ip6 = frame_ip6(sent_one_of(1));
	assert_int_equal(ip6->nxt, IPPROTO_TCP_);
	assert_in6(&ip6->src, "2001:db8:1::2");
	assert_int_equal(cksum_fold(cksum_add(
			     ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_TCP_, 20), ip6 + 1, 20)),
	    0);
	comes_in(&lan, tcp("fe80::2", 1030, "fe80::1", 22, SYN));
	assert_in6(&frame_ip6(sent_one_of(2))->dst, "fe80::2");
}

static void
test_frames_are_answered_too(void **state)
{
	(void)state;
	router();
	command("sysctl net.link.ether.ipfw=1");
	add("100 reject udp from any to any layer2 in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(frame_icmp(sent_one_of(1))->code, ICMP_UNREACH_HOST_);
}

/* --- what is done to packets that go on ------------------------------------------------------- */

static void
test_setdscp_keeps_the_rest_right(void **state)
{
	const struct ip_hdr *ip;

	(void)state;
	router();
	add("100 setdscp 46 ip from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	ip = went_out(&wan, 0);
	assert_int_equal(ip->tos, 46 << 2);
	assert_int_equal(ip_cksum(ip), 0);
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:1::2", 53, 0));
	assert_int_equal(ip6_class(frame_ip6(wan.sent.head->next)), 46 << 2);
}

static void
test_tcp_setmss_lowers_only(void **state)
{
	const uint8_t even[4] = { 2, 4, 0x05, 0xb4 }, odd[8] = { 1, 2, 4, 0x05, 0xb4, 1, 1, 1 };
	const struct ip_hdr *ip;

	(void)state;
	router();
	add("100 tcp-setmss 1300 tcp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, tcp_with("10.0.0.2", 1, "10.1.0.2", 2, SYN, even, 4, 0));
	comes_in(&lan, tcp_with("10.0.0.2", 1, "10.1.0.2", 2, SYN, odd, 8, 0));
	comes_in(&lan, tcp_with("10.0.0.2", 1, "10.1.0.2", 2, ACK, even, 4, 0));
	for (uint32_t i = 0; i < 3; i++) {
		unsigned len = i == 1 ? 28 : 24, at = 20 + (i == 1 ? 3 : 2);
		const uint8_t *th = (const uint8_t *)(went_out(&wan, i) + 1);

		ip = went_out(&wan, i);
		assert_int_equal(__builtin_bswap16(load16(th + at)), i == 2 ? 1460 : 1300);
		assert_int_equal(
		    cksum_fold(cksum_add(
			ip_pseudo_sum(ip->src, ip->dst, IPPROTO_TCP_, (uint16_t)len), th, len)),
		    0);
	}
	command("ipfw delete 100");
	add("100 tcp-setmss 1500 tcp from any to any in");
	memif_clear(&wan);
	comes_in(&lan, tcp_with("10.0.0.2", 1, "10.1.0.2", 2, SYN, even, 4, 0));
	assert_int_equal(
	    __builtin_bswap16(load16((const uint8_t *)(went_out(&wan, 0) + 1) + 22)), 1460);
}

/* A mark is found by rules behind, in and out, and does not leave the stack. */
static void
test_marks_stay_with_the_packet(void **state)
{
	struct mbuf *m;

	(void)state;
	router();
	add("100 count tag 5 udp from any to any 53 in");
	add("150 count untag 5 udp from any to any in src-port 7");
	add("200 allow ip from any to any in");
	add("300 allow ip from any to any out tagged 5");
	assert_true(is_forwarded());
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 54, 0));
	comes_in(&lan, udp("10.0.0.2", 7, "10.1.0.2", 53, 0));
	assert_int_equal(wan.sent.len, 0);
	comes_in(&lan, udp("10.0.0.2", 1030, "10.1.0.2", 53, 0));
	m = mbufq_pop(&wan.sent);
	command("ipfw flush");
	add("100 deny ip from any to any tagged 5");
	add("200 allow ip from any to any");
	memcpy(m->data, lan.ifp->if_lladdr, 6); /* the same piece of memory comes in again */
	memif_receive(&lan, m);
	while (netisr_run())
		continue;
	assert_int_equal(drops("ipfw.deny"), 2);
}

static void
test_setfib_chooses_the_table(void **state)
{
	struct fw_rule *r;

	(void)state;
	router();
	add("100 setfib 0 ip from any to any in");
	r = add("200 allow ip from any to any fib 0");
	assert_true(is_forwarded());
	assert_int_equal(r->count.packets, 2);
}

/* --- fwd -------------------------------------------------------------------------------------- */

static void
test_fwd_on_the_way_in_chooses_the_next_hop(void **state)
{
	const struct ip_hdr *ip;
	struct llentry *lle;

	(void)state;
	router();
	lle = arp_entry(wan.ifp, a4("10.1.0.9"));
	lle_timer(lle, 0, NULL);
	lle->flags |= LLE_STATIC;
	lle_resolve(lle, (const uint8_t[6]){ 2, 0, 0, 0, 7, 7 });
	add("100 fwd 10.1.0.9 udp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.1", 53, 0)); /* no route of its own */
	comes_in(&lan, udp("10.0.0.2", 1, "10.0.0.1", 53, 0));  /* for us, but for the rule */
	assert_int_equal(wan.sent.len, 2);
	ip = went_out(&wan, 0);
	assert_int_equal(ip->dst, a4("192.0.2.1"));
	assert_int_equal(ip->ttl, 63);
	assert_int_equal(ip_cksum(ip), 0);
	assert_memory_equal(wan.sent.head->data, ((const uint8_t[6]){ 2, 0, 0, 0, 7, 7 }), 6);
	assert_int_equal(went_out(&wan, 1)->dst, a4("10.0.0.1"));
}

/* To wan. */
static struct mbuf *
arp_reply(const char *sender)
{
	uint8_t arp[28] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	struct mbuf *m;

	memcpy(arp + 8, peer_mac, 6);
	store32(arp + 14, a4(sender));
	memcpy(arp + 18, wan.ifp->if_lladdr, 6);
	store32(arp + 24, a4("10.1.0.1"));
	m = m_prepend(m_from(arp, sizeof(arp)), ETHER_HDR_LEN_);
	memcpy(m->data, wan.ifp->if_lladdr, 6);
	memcpy(m->data + 6, peer_mac, 6);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	return m;
}

/* Not known yet: asked for, and the packet goes when the answer is there. */
static void
test_fwd_waits_for_a_neighbour_as_others_do(void **state)
{
	(void)state;
	router();
	add("100 fwd 10.1.0.77 udp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.1", 53, 0));
	assert_int_equal(wan.sent.len, 1); /* who has 10.1.0.77? */
	memif_receive(&wan, arp_reply("10.1.0.77"));
	while (netisr_run())
		continue;
	assert_int_equal(wan.sent.len, 2);
	assert_int_equal(went_out(&wan, 1)->dst, a4("192.0.2.1"));
}

static void
test_fwd_on_the_way_out_takes_another_way(void **state)
{
	(void)state;
	router();
	command("sysctl net.inet.ip.redirect=0");
	add("100 fwd 10.0.0.2 udp from any to any out xmit mem1");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(went_out(&lan, 0)->dst, a4("10.1.0.2"));
}

static void
test_fwd_through_a_router_behind(void **state)
{
	(void)state;
	router();
	command("route add 198.51.100.0/24 10.1.0.2");
	add("100 fwd 198.51.100.7 udp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.1", 53, 0));
	assert_int_equal(wan.sent.len, 1);
	assert_memory_equal(wan.sent.head->data, peer_mac, 6);
}

static void
test_fwd_without_a_way_is_unreachable(void **state)
{
	(void)state;
	router();
	add("100 fwd 203.0.113.1 udp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(frame_icmp(sent_one_of(1))->type, ICMP_UNREACH_);
}

static void
test_fwd6(void **state)
{
	(void)state;
	router();
	add("100 fwd 2001:db8:1::2 udp from any to any in");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:99::1", 53, 0));
	assert_int_equal(wan.sent.len, 1);
	assert_in6(&frame_ip6(wan.sent.head)->dst, "2001:db8:99::1");
	assert_int_equal(frame_ip6(wan.sent.head)->hlim, 63);
}

struct heard {
	unsigned n;
	struct ipaddr dst;
};

static void
hear(void *ctx, struct mbuf *m, const struct ip_info *info, uint16_t from_port)
{
	struct heard *h = ctx;

	(void)from_port;
	h->n++;
	h->dst = info->dst;
	m_free(m);
}

/* A transparent proxy: local delivery at another port, the packet unchanged. */
static void
test_fwd_to_ourselves_is_delivered_at_the_port(void **state)
{
	struct ipaddr at = ipaddr4(a4("10.0.0.1")), at6 = addr_of("2001:db8::1"), to, to6;
	struct heard in = { 0 }, in6 = { 0 };
	struct udp_endpoint *ep = udp_open(&at, 3128, hear, &in);
	struct udp_endpoint *ep6 = udp_open(&at6, 3128, hear, &in6);

	(void)state;
	router();
	add("100 fwd 10.0.0.1,3128 udp from any to any 80");
	add("110 fwd 2001:db8::1,3128 udp from any to any 81");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "192.0.2.80", 80, 0));
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:99::1", 81, 0));
	to = addr_of("192.0.2.80");
	to6 = addr_of("2001:db8:99::1");
	assert_int_equal(in.n, 1);
	assert_true(ipaddr_equal(&in.dst, &to));
	assert_int_equal(in6.n, 1);
	assert_true(ipaddr_equal(&in6.dst, &to6));
	/* the same of what is made here: out, and back by the queue */
	command("route add 192.0.2.0/24 10.1.0.2");
	assert_int_equal(udp_send(ep, m_from("x", 1), &to, 80), 0);
	assert_int_equal(in.n, 1);
	while (netisr_run())
		continue;
	assert_int_equal(in.n, 2);
	assert_int_equal(lan.sent.len + wan.sent.len, 0);
	udp_close(ep);
	udp_close(ep6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_stack_without_rules_has_no_hooks),
		INET6_TEST(test_switches_hook_and_unhook_at_once),
		INET6_TEST(test_a_packet_passes_the_rules_in_and_out),
		INET6_TEST(test_packets_without_readable_headers_meet_no_rule),
		INET6_TEST(test_an_answer_does_not_overtake_what_came_before),
		INET6_TEST(test_packets_of_a_batch_have_verdicts_of_their_own),
		INET6_TEST(test_unreach_names_its_code),
		INET6_TEST(test_unreach6_names_its_code),
		INET6_TEST(test_some_packets_are_denied_without_an_answer),
		INET6_TEST(test_reset_fits_the_segment),
		INET6_TEST(test_reset6),
		INET6_TEST(test_frames_are_answered_too),
		INET6_TEST(test_setdscp_keeps_the_rest_right),
		INET6_TEST(test_tcp_setmss_lowers_only),
		INET6_TEST(test_marks_stay_with_the_packet),
		INET6_TEST(test_setfib_chooses_the_table),
		INET6_TEST(test_fwd_on_the_way_in_chooses_the_next_hop),
		INET6_TEST(test_fwd_waits_for_a_neighbour_as_others_do),
		INET6_TEST(test_fwd_on_the_way_out_takes_another_way),
		INET6_TEST(test_fwd_through_a_router_behind),
		INET6_TEST(test_fwd_without_a_way_is_unreachable),
		INET6_TEST(test_fwd6),
		INET6_TEST(test_fwd_to_ourselves_is_delivered_at_the_port),
	};

	return cmocka_run_group_tests_name("ipfw/hook", tests, NULL, NULL);
}
