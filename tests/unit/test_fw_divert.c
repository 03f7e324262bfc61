/*
 * Unit tests of divert and tee: listeners by port (ipfw/listener.c, divert.c), and packets as
 * datagrams of a program (datagram.c).
 */
#include "fw_taker.h"

enum { PORT = 8668 };

static uint16_t
swap16(uint16_t v)
{
	return __builtin_bswap16(v);
}

static uint32_t
swap32(uint32_t v)
{
	return __builtin_bswap32(v);
}

/* All that comes in is diverted to t; what comes back passes. */
static void
diverting_router(struct taker *t)
{
	router();
	taker_listen(t, FW_ACT_DIVERT, PORT);
	add("100 divert 8668 ip from any to any in");
	add("200 allow ip from any to any");
}

/* --- listeners -------------------------------------------------------------------------------- */

static void
test_a_listener_takes_what_is_diverted_to_its_port(void **state)
{
	struct taker t, other;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	taker_listen(&other, FW_ACT_DIVERT, PORT + 1);
	add("100 divert 8668 udp from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(t.got.len, 1);
	assert_int_equal(other.got.len, 0);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(fw_tag_find(t.got.head)->ref.number, 100);
	assert_int_equal(t.l.packets, 1);
	taker_give_back(&t);
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
	taker_end(&other);
}

static void
test_nobody_at_the_port_means_dropped(void **state)
{
	struct taker t;

	(void)state;
	router();
	add("100 divert 8668 ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 1);
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	passes_through(12);
	assert_int_equal(t.got.len, 1);
	taker_end(&t);
	passes_through(12);
	assert_int_equal(drops("ipfw.nooutlet"), 2);
	assert_int_equal(wan.sent.len, 0);
}

static void
test_copies_go_to_the_listener_and_packets_go_on(void **state)
{
	struct taker t;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	add("100 tee 8668 ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(t.got.len, 1);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(t.l.packets, 0);
	assert_int_equal(t.l.copies, 1);
	assert_int_equal(datagram_of(&t).h.kind, WARREN_COPY);
	taker_end(&t);
	passes_through(12); /* nobody listens: only the copy is lost */
	assert_int_equal(wan.sent.len, 2);
	assert_int_equal(drops("ipfw.nooutlet"), 1);
}

static void
test_a_listener_without_room_costs_what_it_should_have_had(void **state)
{
	struct taker t;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	t.full = true;
	add("100 tee 8668 ip from any to any in");
	add("150 divert 8668 ip from any to any out");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(drops("ipfw.listener"), 2);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(t.l.packets + t.l.copies, 0);
	taker_end(&t);
}

static void
test_a_port_has_one_listener(void **state)
{
	struct taker a, b;

	(void)state;
	taker_listen(&a, FW_ACT_DIVERT, PORT);
	taker_make(&b, FW_ACT_DIVERT, PORT);
	assert_int_equal(fw_listen(&b.l), -EADDRINUSE);
	assert_int_equal(fw_listen(&a.l), -EADDRINUSE);
	taker_end(&a);
	taker_end(&a);
	assert_int_equal(fw_listen(&b.l), 0);
	taker_end(&b);
}

static void
test_a_number_of_a_table_is_a_port_if_it_can_be_one(void **state)
{
	struct taker t;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	command("ipfw table 1 add 10.0.0.0/24 8668");
	add("100 divert tablearg ip from table(1) to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	assert_int_equal(t.got.len, 1);
	command("ipfw table 1 delete 10.0.0.0/24");
	command("ipfw table 1 add 10.0.0.0/24 74204"); /* 65536 + 8668 */
	passes_through(12);
	assert_int_equal(t.got.len, 1);
	assert_int_equal(drops("ipfw.nooutlet"), 1);
	taker_end(&t);
}

static void
test_a_stack_that_ends_sends_its_listeners_away(void **state)
{
	struct taker t;

	(void)state;
	command("jail -c name=r1 vnet persist");
	{
		VNET_SCOPE(prison_find(&prison0, "r1")->vnet);
		taker_listen(&t, FW_ACT_DIVERT, PORT);
		assert_ptr_equal(fw_listener_of(FW_ACT_DIVERT, PORT), &t.l);
	}
	assert_null(fw_listener_of(FW_ACT_DIVERT, PORT)); /* not in this one */
	command("jail -r r1");
	assert_true(t.gone);
	assert_null(t.l.vnet);
	taker_end(&t);
}

/* Spec 16.17: a program needs whole datagrams, a witness sees what there was. */
static void
test_divert_gets_whole_datagrams_and_tee_fragments(void **state)
{
	struct taker t;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	for (int i = 0; i < 2; i++) {
		struct mbuf *first = udp("10.0.0.2", 1, "10.1.0.2", 53, 600), *rest = m_dup(first);

		flush_rules();
		add(i == 0 ? "100 divert 8668 ip from any to any in" :
			     "100 tee 8668 ip from any to any in");
		add("200 allow ip from any to any");
		m_trim(first, 20 + 304);
		m_adj(rest, 304);
		memcpy(rest->data, first->data, 20);
		rest->rcvif = lan.ifp;
		comes_in(&lan, fragment(first, 0, true));
		comes_in(&lan, fragment(rest, 304, false));
		assert_int_equal(t.got.len, i == 0 ? 1 : 2);
		assert_int_equal(t.got.head->len, i == 0 ? 628 : 324);
		mbufq_drain(&t.got);
	}
	taker_end(&t);
}

/* --- datagrams -------------------------------------------------------------------------------- */

static void
test_a_datagram_says_what_the_packet_is(void **state)
{
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	add("100 divert 8668 ip from any to any");
	add("200 allow ip from any to any");
	passes_through(12);
	d = datagram_of(&t);
	assert_int_equal(d.h.version, WARREN_DATAGRAM_VERSION);
	assert_int_equal(d.h.kind, WARREN_PACKET);
	assert_int_equal(d.h.direction, WARREN_IN);
	assert_int_equal(d.h.flags, 0);
	assert_int_equal(d.h.number, swap16(PORT));
	assert_int_equal(d.h.rule, swap16(100));
	assert_int_equal(d.h.length, swap32(40));
	assert_int_equal(d.len, 40);
	assert_int_equal(d.packet[0], 0x45);
	assert_string_equal(d.h.recv, "mem0");
	assert_string_equal(d.h.xmit, "");
	assert_true(datagram_write(&t, &d));
	d = datagram_of(&t); /* on its way out now */
	assert_int_equal(d.h.direction, WARREN_OUT);
	assert_int_equal(d.h.flags, swap16(WARREN_FORWARDED));
	assert_string_equal(d.h.recv, "mem0");
	assert_string_equal(d.h.xmit, "mem1");
	assert_true(datagram_write(&t, &d));
	assert_int_equal(t.got.len, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(t.l.back, 2);
	taker_end(&t);
}

static void
test_what_a_program_writes_meets_the_next_rule(void **state)
{
	struct fw_rule *in, *out, *before;
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	before = add("50 count ip from any to any in");
	add("100 divert 8668 ip from any to any in");
	in = add("150 count ip from any to any in diverted-loopback recv mem0");
	out = add("160 count ip from any to any diverted-output");
	add("200 allow ip from any to any");
	passes_through(12);
	d = datagram_of(&t);
	assert_true(datagram_write(&t, &d));
	assert_int_equal(before->count.packets, 1);
	assert_int_equal(in->count.packets, 1);
	assert_int_equal(out->count.packets, 0);
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
}

static void
test_of_rules_with_one_number_those_behind_are_met(void **state)
{
	struct fw_rule *same, *behind;
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	add("100 divert 8668 ip from any to any in");
	same = add("100 count ip from any to any in");
	behind = add("150 count ip from any to any in");
	add("200 allow ip from any to any");
	passes_through(12);
	d = datagram_of(&t);
	add("60 count ip from any to any"); /* the map is another now */
	assert_true(datagram_write(&t, &d));
	assert_int_equal(same->count.packets, 1);
	d.h.rule_id = 0;
	assert_true(datagram_write(&t, &d));
	assert_int_equal(same->count.packets, 1);
	assert_int_equal(behind->count.packets, 2);
	taker_end(&t);
}

static void
test_rules_and_interfaces_may_be_gone_when_a_program_writes(void **state)
{
	struct taker t;
	struct datagram d;

	(void)state;
	diverting_router(&t);
	passes_through(12);
	d = datagram_of(&t);
	command("ipfw delete 100");
	assert_true(datagram_write(&t, &d));
	assert_int_equal(wan.sent.len, 1);
	snprintf(d.h.recv, sizeof(d.h.recv), "mem7");
	assert_true(datagram_write(&t, &d));
	assert_int_equal(drops("if.gone"), 1);
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
}

static void
test_a_program_may_change_a_packet(void **state)
{
	struct taker t;
	struct datagram d;
	struct ip_hdr *ip;

	(void)state;
	diverting_router(&t);
	neighbour(&wan, "10.1.0.9");
	memif_clear(&wan);
	passes_through(12);
	d = datagram_of(&t);
	ip = (void *)d.packet;
	ip->dst = a4("10.1.0.9");
	ip->len = to_be16(36);
	d.len = 36;
	d.h.length = swap32(36);
	assert_true(datagram_write(&t, &d));
	ip = went_out(&wan, 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(ip->dst, a4("10.1.0.9"));
	assert_int_equal(from_be16(ip->len), 36);
	assert_int_equal(ip_cksum(ip), 0); /* the stack has seen to it */
	taker_end(&t);
}

/* A packet of its own: out, by the routes, before all rules. */
static void
test_a_program_may_make_packets(void **state)
{
	struct datagram d = { .len = 48 };
	struct mbuf *m = udp("10.0.0.1", 7, "10.1.0.2", 53, 20);
	struct fw_rule *r;
	struct taker t;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	r = add("1 count ip from me to any out xmit mem1 diverted-output");
	add("200 allow ip from any to any");
	memcpy(d.packet, m->data, d.len);
	m_free(m);
	d.h = (struct warren_datagram){
		.version = 1, .kind = WARREN_PACKET, .direction = WARREN_OUT, .length = swap32(48)
	};
	assert_true(datagram_write(&t, &d));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(r->count.packets, 1);
	((struct ip_hdr *)(void *)d.packet)->dst = a4("203.0.113.1"); /* no route */
	assert_true(datagram_write(&t, &d));
	assert_int_equal(drops("if.gone"), 1);
	taker_end(&t);
}

static void
test_datagrams_that_are_none_do_nothing(void **state)
{
	static const struct {
		size_t off;
		uint8_t byte;
	} faults[] = {
		{ offsetof(struct warren_datagram, version), 2 },
		{ offsetof(struct warren_datagram, kind), 0 },
		{ offsetof(struct warren_datagram, kind), WARREN_QUESTION },
		{ offsetof(struct warren_datagram, direction), 0 },
		{ offsetof(struct warren_datagram, direction), 3 },
		{ offsetof(struct warren_datagram, flags), 0x80 },
		{ offsetof(struct warren_datagram, fib), 200 },
		{ offsetof(struct warren_datagram, length) + 3, 41 },
		{ offsetof(struct warren_datagram, length), 1 },
	};
	const unsigned n = sizeof(faults) / sizeof(faults[0]);
	struct datagram d, bad;
	struct taker t;

	(void)state;
	diverting_router(&t);
	passes_through(12);
	d = datagram_of(&t);
	for (unsigned i = 0; i < n; i++) {
		bad = d;
		((uint8_t *)&bad.h)[faults[i].off] = faults[i].byte;
		assert_false(datagram_write(&t, &bad));
	}
	bad = d;
	memset(bad.h.xmit, 'x', sizeof(bad.h.xmit)); /* a name without end */
	assert_false(datagram_write(&t, &bad));
	bad = d;
	bad.len = 0; /* a header alone */
	bad.h.length = 0;
	assert_false(datagram_write(&t, &bad));
	assert_false(fw_datagram_input(&t.l, &d.h, sizeof(d.h) - 1));
	assert_false(fw_datagram_input(&t.l, &d.h, 0));
	assert_int_equal(t.l.malformed, n + 4);
	assert_int_equal(drops("ipfw.datagram"), n + 4);
	assert_int_equal(t.l.back, 0);
	assert_int_equal(wan.sent.len, 0);
	assert_true(datagram_write(&t, &d)); /* the good one is good */
	assert_int_equal(wan.sent.len, 1);
	taker_end(&t);
}

/* Datagrams whose packets are none go no further than the rules. */
static void
test_packets_that_are_none_are_dropped(void **state)
{
	struct datagram d, bad;
	struct taker t;

	(void)state;
	diverting_router(&t);
	passes_through(12);
	d = datagram_of(&t);
	for (uint32_t len = 1; len < d.len; len++) {
		bad = d;
		bad.len = len;
		bad.h.length = swap32(len);
		assert_true(datagram_write(&t, &bad));
	}
	assert_int_equal(drops("ipfw.badpacket"), d.len - 1);
	bad = d;
	bad.packet[0] = 0x4f; /* options that are not there */
	assert_true(datagram_write(&t, &bad));
	bad = d;
	bad.packet[0] = 0x65;
	assert_true(datagram_write(&t, &bad));
	assert_int_equal(wan.sent.len, 0);
	taker_end(&t);
}

static void
test_frames_are_diverted_with_their_link_header(void **state)
{
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	command("sysctl net.link.ether.ipfw=1");
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	add("100 divert 8668 ip from any to any layer2 in");
	add("200 allow ip from any to any");
	passes_through(12);
	d = datagram_of(&t);
	assert_int_equal(d.h.flags, swap16(WARREN_FRAME));
	assert_int_equal(d.len, 54);
	assert_memory_equal(d.packet, lan.ifp->if_lladdr, 6);
	d.packet[14 + 1] = 0xb8; /* tos: the sum is seen to behind the link header too */
	assert_true(datagram_write(&t, &d));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(went_out(&wan, 0)->tos, 0xb8);
	assert_int_equal(ip_cksum(went_out(&wan, 0)), 0);
	taker_end(&t);
}

static void
test_packets_of_ipv6_are_diverted(void **state)
{
	struct in6 src = a6("fe80::1"), dst = a6("ff02::5");
	const struct ip_opts_out o = { .ifp = lan.ifp, .ttl = 1 };
	struct taker t;
	struct datagram d;

	(void)state;
	router();
	taker_listen(&t, FW_ACT_DIVERT, PORT);
	add("100 divert 8668 ip6 from any to any");
	add("200 allow ip from any to any");
	comes_in(&lan, udp("2001:db8::2", 1, "2001:db8:1::2", 53, 5));
	for (int i = 0; i < 2; i++) { /* in, out */
		d = datagram_of(&t);
		assert_int_equal(d.packet[0] >> 4, 6);
		assert_true(datagram_write(&t, &d));
	}
	assert_int_equal(wan.sent.len, 1);
	/* made here, to a group, with an interface and no route */
	assert_int_equal(ip6_output(m_from("hello", 5), &src, &dst, 99, &o), 0);
	d = datagram_of(&t);
	assert_int_equal(d.h.flags, swap16(WARREN_ON_LINK | WARREN_MULTICAST));
	assert_string_equal(d.h.recv, "");
	assert_string_equal(d.h.xmit, "mem0");
	assert_true(datagram_write(&t, &d));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(lan.sent.head->data[0], 0x33);
	taker_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_listener_takes_what_is_diverted_to_its_port),
		INET6_TEST(test_nobody_at_the_port_means_dropped),
		INET6_TEST(test_copies_go_to_the_listener_and_packets_go_on),
		INET6_TEST(test_a_listener_without_room_costs_what_it_should_have_had),
		INET6_TEST(test_a_port_has_one_listener),
		INET6_TEST(test_a_number_of_a_table_is_a_port_if_it_can_be_one),
		INET6_TEST(test_a_stack_that_ends_sends_its_listeners_away),
		INET6_TEST(test_divert_gets_whole_datagrams_and_tee_fragments),
		INET6_TEST(test_a_datagram_says_what_the_packet_is),
		INET6_TEST(test_what_a_program_writes_meets_the_next_rule),
		INET6_TEST(test_of_rules_with_one_number_those_behind_are_met),
		INET6_TEST(test_rules_and_interfaces_may_be_gone_when_a_program_writes),
		INET6_TEST(test_a_program_may_change_a_packet),
		INET6_TEST(test_a_program_may_make_packets),
		INET6_TEST(test_datagrams_that_are_none_do_nothing),
		INET6_TEST(test_packets_that_are_none_are_dropped),
		INET6_TEST(test_frames_are_diverted_with_their_link_header),
		INET6_TEST(test_packets_of_ipv6_are_diverted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
