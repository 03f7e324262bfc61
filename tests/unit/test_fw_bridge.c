/*
 * Unit tests of the firewall in a bridge: the rows "bridged" of behaviours 39's matrix at each
 * station, what meets the rules and what doesn't, and what may happen while a frame is away.
 */
#include "fw_keepers.h"

#include "ipfw/datagram.h"
#include "net/if_bridge.h"

/* Two stations, which the bridge knows: A behind lan, B behind wan. */
static const uint8_t mac_a[6] = { 6, 0, 0, 0, 0, 0xa }, mac_b[6] = { 6, 0, 0, 0, 0, 0xb };

static void
settle(void)
{
	while (netisr_run())
		continue;
}

/* m, at its IP header, as a frame by an interface. Takes m. */
static void
frame_comes(struct memif *mi, struct mbuf *m, const uint8_t *dst, const uint8_t *src)
{
	const uint16_t type = m->data[0] >> 4 == 4 ? ETHERTYPE_IP_ : ETHERTYPE_IPV6_;

	m = m_prepend(m, ETHER_HDR_LEN_);
	memcpy(m->data, dst, 6);
	memcpy(m->data + 6, src, 6);
	store16(m->data + 12, __builtin_bswap16(type));
	m->when_ns = clock_now();
	memif_receive(mi, m);
	settle();
}

static void
from_a(struct mbuf *m)
{
	frame_comes(&lan, m, mac_b, mac_a);
}

static struct mbuf *
request(uint32_t data)
{
	return udp("10.9.0.1", 1030, "10.9.0.2", 53, data);
}

/* bridge0 of lan and wan, which have no addresses. */
static int
bridge_setup(void **state)
{
	outlets_setup(state);
	command("sysctl net.inet6.ip6.auto_linklocal=0");
	memif_close(&lan);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	command("ifconfig bridge0 create addm mem0 addm mem1 up");
	command("ifconfig mem0 up");
	command("ifconfig mem1 up");
	frame_comes(&lan, udp("10.9.0.1", 1, "10.9.0.9", 1, 0), ether_broadcast, mac_a);
	frame_comes(&wan, udp("10.9.0.2", 1, "10.9.0.9", 1, 0), ether_broadcast, mac_b);
	memif_clear(&lan);
	memif_clear(&wan);
	return 0;
}

static int
bridge_teardown(void **state)
{
	mbufq_drain(&kept);
	command("ifconfig bridge0 destroy");
	return outlets_teardown(state);
}
#define BRIDGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, bridge_setup, bridge_teardown)

/* Which stations have filters. */
static void
stations(bool ipfw, bool bridge, bool member)
{
	command(ipfw ? "sysctl net.link.bridge.ipfw=1" : "sysctl net.link.bridge.ipfw=0");
	command(bridge ? "sysctl net.link.bridge.pfil_bridge=1" :
			 "sysctl net.link.bridge.pfil_bridge=0");
	command(member ? "sysctl net.link.bridge.pfil_member=1" :
			 "sysctl net.link.bridge.pfil_member=0");
}

/* How often a rule is met by one frame from A to B. */
static uint64_t
meetings(const char *body)
{
	char line[128];
	struct fw_rule *r;
	uint64_t n;

	snprintf(line, sizeof(line), "100 count %s", body);
	flush_rules();
	r = add(line);
	add("300 allow ip from any to any");
	memif_clear(&wan);
	from_a(request(10));
	assert_int_equal(wan.sent.len, 1);
	n = r->count.packets;
	memif_clear(&wan);
	return n;
}

/* --- what meets the rules --------------------------------------------------------------------- */

static void
test_a_bridged_packet_meets_the_rules_at_its_stations(void **state)
{
	(void)state;
	assert_int_equal(meetings("ip from any to any"), 4); /* as in the original */
	assert_int_equal(meetings("ip from any to any in recv mem0"), 1);
	assert_int_equal(meetings("ip from any to any in recv bridge0"), 1);
	assert_int_equal(meetings("ip from any to any out recv mem0 xmit bridge0"), 1);
	assert_int_equal(meetings("ip from any to any out recv mem0 xmit mem1"), 1);
	assert_int_equal(meetings("ip from any to any layer2"), 0);
	stations(false, false, true);
	assert_int_equal(meetings("ip from any to any"), 2);
	stations(false, true, false);
	assert_int_equal(meetings("ip from any to any"), 2);
	stations(false, false, false);
	assert_int_equal(meetings("ip from any to any"), 0);
	stations(true, false, false);
	assert_int_equal(meetings("ip from any to any"), 1);
	assert_int_equal(meetings("ip from any to any layer2 out recv mem0 xmit mem1"), 1);
	assert_int_equal(meetings("ip from any to any bridged"), 1);
	assert_int_equal(meetings("ip from any to any bridged mac 06:00:00:00:00:0b any"), 1);
	assert_int_equal(meetings("ip from any to any not layer2"), 0);
	stations(true, true, true);
	assert_int_equal(meetings("ip from any to any"), 5);
}

/* net.link.ether.ipfw is about frames that the stack itself receives and sends. */
static void
test_rules_of_ethernet_do_not_see_bridged_frames(void **state)
{
	(void)state;
	stations(false, false, false);
	command("sysctl net.link.ether.ipfw=1");
	assert_int_equal(meetings("ip from any to any"), 0);
}

static void
test_each_copy_of_a_flooded_frame_meets_the_rules_of_its_member(void **state)
{
	struct memif third;
	struct fw_rule *r;

	(void)state;
	memif_open(&third, 2);
	command("ifconfig bridge0 addm mem2");
	command("ifconfig mem2 up");
	stations(true, false, false);
	add("100 deny ip from any to any layer2 xmit mem1");
	r = add("200 allow ip from any to any");
	frame_comes(&lan, request(1), ether_broadcast, mac_a);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(third.sent.len, 1);
	assert_int_equal(r->count.packets, 1);
	memif_close(&third);
}

static void
arp_comes(void)
{
	struct mbuf *m = m_get(60);

	memset(m->data, 0, 60);
	memcpy(m->data, ether_broadcast, 6);
	memcpy(m->data + 6, mac_a, 6);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	m->when_ns = clock_now();
	memif_receive(&lan, m);
}

static void
test_arp_passes_unless_it_is_asked_about(void **state)
{
	(void)state;
	add("100 deny all from any to any");
	arp_comes();
	assert_int_equal(wan.sent.len, 1);
	stations(true, false, false);
	arp_comes();
	assert_int_equal(wan.sent.len, 2);
	command("sysctl net.link.bridge.ipfw_arp=1");
	arp_comes();
	assert_int_equal(wan.sent.len, 2);
	add("50 allow all from any to any layer2 mac-type arp");
	arp_comes();
	assert_int_equal(wan.sent.len, 3);
}

static void
other_comes(void)
{
	struct mbuf *m = m_get(60);

	memset(m->data, 0, 60);
	memcpy(m->data, mac_b, 6);
	memcpy(m->data + 6, mac_a, 6);
	store16(m->data + 12, __builtin_bswap16(0x88b5));
	m->when_ns = clock_now();
	memif_receive(&lan, m);
}

static void
test_other_frames_do_not_pass_a_bridge_with_filters(void **state)
{
	(void)state;
	other_comes();
	assert_int_equal(wan.sent.len, 1); /* there are none */
	add("100 allow all from any to any");
	other_comes();
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(drops("bridge.not-ip"), 1);
	command("sysctl net.link.bridge.pfil_onlyip=0");
	other_comes();
	assert_int_equal(wan.sent.len, 2);
	stations(true, false, false);
	add("50 deny all from any to any layer2 mac-type 0x88b5");
	other_comes();
	assert_int_equal(wan.sent.len, 2);
}

static void
test_broken_packets_do_not_pass_a_bridge_with_filters(void **state)
{
	struct mbuf *m = request(10);

	(void)state;
	add("100 allow all from any to any");
	m->data[0] = 0x41; /* a header of 4 bytes */
	from_a(m);
	m = request(10);
	m_trim(m, 25);
	from_a(m);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("bridge.bad-ip"), 2);
}

/* Padding is the link's: it passes with the frame. */
static void
test_frames_pass_as_they_are(void **state)
{
	struct mbuf *m = request(0), *same;
	uint8_t bytes[60] = { 0 };

	(void)state;
	add("100 allow all from any to any");
	memcpy(bytes, m->data, m->len);
	m_free(m);
	same = m_from(bytes, sizeof(bytes)); /* 28 bytes of packet, 32 of padding */
	from_a(same);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(wan.sent.head->len, 14 + 60);
	assert_memory_equal(wan.sent.head->data + 14, bytes, 60);
	assert_memory_equal(wan.sent.head->data, mac_b, 6);
	assert_memory_equal(wan.sent.head->data + 6, mac_a, 6);
}

static void
test_packets_for_the_bridge_meet_rules_at_their_member_if_asked(void **state)
{
	struct fw_rule *r;

	(void)state;
	command("ifconfig bridge0 inet 10.9.0.9/24");
	r = add("100 count ip from any to any in recv mem0");
	add("200 allow ip from any to any");
	frame_comes(
	    &lan, icmp("10.9.0.1", "10.9.0.9", 8, 0), if_byname("bridge0")->if_lladdr, mac_a);
	assert_int_equal(r->count.packets, 0);
	command("sysctl net.link.bridge.pfil_local_phys=1");
	frame_comes(
	    &lan, icmp("10.9.0.1", "10.9.0.9", 8, 0), if_byname("bridge0")->if_lladdr, mac_a);
	assert_int_equal(r->count.packets, 1);
	assert_int_equal(drops("ipfw.deny"), 0);
}

/* --- the matrix of behaviours 39 -------------------------------------------------------------- */

struct cell {
	const char *action, *where;
	bool ipfw, bridge, member, one_pass;
};

static bool
is_copy(const struct cell *c)
{
	return strstr(c->action, "tee") != NULL;
}

static bool
goes_on(const struct cell *c)
{
	return is_copy(c) || strcmp(c->action, "divert 9") == 0 || !c->one_pass;
}

static void
send_for(const struct cell *c)
{
	struct mbuf *first = request(600), *rest;

	if (strcmp(c->action, "reass") != 0) {
		from_a(first);
		return;
	}
	rest = m_dup(first);
	m_trim(first, 20 + 304);
	m_adj(rest, 304);
	memcpy(rest->data, first->data, 20);
	from_a(fragment(first, 0, true));
	from_a(fragment(rest, 304, false));
}

/* The frame has arrived as it left, but for its own header's sake nothing has changed. */
static void
assert_intact(void)
{
	struct mbuf *expected = request(600);
	const struct ip_hdr *ip = went_out(&wan, 0);

	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(lan.sent.len, 0);
	assert_memory_equal(wan.sent.head->data, mac_b, 6);
	assert_memory_equal(wan.sent.head->data + 6, mac_a, 6);
	assert_int_equal(from_be16(ip->len), 628);
	assert_int_equal(from_be16(ip->off), 0);
	assert_int_equal(ip->ttl, 64);
	assert_int_equal(ip_cksum(ip), 0);
	assert_memory_equal(ip + 1, expected->data + 20, 608);
	m_free(expected);
}

static void
run_cell(const struct cell *c)
{
	char line[128];
	struct fw_rule *behind, *at;

	flush_rules();
	memif_clear(&wan);
	stations(c->ipfw, c->bridge, c->member);
	command(
	    c->one_pass ? "sysctl net.inet.ip.fw.one_pass=1" : "sysctl net.inet.ip.fw.one_pass=0");
	snprintf(line, sizeof(line), "100 %s ip4 from 10.9.0.1 to any %s", c->action, c->where);
	at = add(line);
	snprintf(line, sizeof(line), "200 count ip4 from 10.9.0.1 to any %s", c->where);
	behind = add(line);
	add("300 allow ip from any to any");
	copies_kept = 0;
	send_for(c);
	assert_true(at->count.packets >= 1);
	if (is_copy(c)) {
		assert_int_equal(copies_kept, 1);
		mbufq_drain(&kept);
	}
	give_back();
	assert_int_equal(behind->count.packets, goes_on(c) ? 1 : 0);
	assert_intact();
}

static void
run_matrix(void)
{
	static const char *const actions[] = { "pipe 9", "queue 9", "divert 9", "tee 9",
		"netgraph 9", "ngtee 9", "nat 7", "reass" };
	static const struct cell places[] = {
		{ .where = "layer2", .ipfw = true },
		{ .where = "in recv mem0", .member = true },
		{ .where = "in recv bridge0", .bridge = true },
		{ .where = "out xmit bridge0", .bridge = true },
		{ .where = "out xmit mem1", .member = true },
		{ .where = "in recv mem0", .member = true, .bridge = true, .ipfw = true },
		{ .where = "out xmit bridge0", .member = true, .bridge = true, .ipfw = true },
		{ .where = "layer2", .member = true, .bridge = true, .ipfw = true },
	};
	char *out = NULL, *err = NULL;

	verb_line(NULL, "ipfw nat 7 config ip 10.9.0.1 same_ports", false, &out, &err);
	free(out);
	free(err);
	for (unsigned a = 0; a < sizeof(actions) / sizeof(actions[0]); a++)
		for (unsigned w = 0; w < sizeof(places) / sizeof(places[0]); w++)
			for (int one_pass = 0; one_pass < 2; one_pass++) {
				struct cell c = places[w];

				c.action = actions[a];
				c.one_pass = one_pass;
				run_cell(&c);
			}
}

static void
test_b39_bridged_frames_come_back_to_the_bridge(void **state)
{
	(void)state;
	run_matrix();
}

static void
test_b39_bridged_frames_come_back_at_once(void **state)
{
	(void)state;
	at_once = true;
	run_matrix();
}

static void
test_b39_bridged_frames_of_ipv6_come_back(void **state)
{
	static const char *const places[] = { "in recv mem0", "in recv bridge0", "out xmit bridge0",
		"out xmit mem1", "layer2" };
	char line[128];

	(void)state;
	stations(true, true, true);
	for (unsigned i = 0; i < 5; i++) {
		flush_rules();
		memif_clear(&wan);
		snprintf(line, sizeof(line), "100 pipe 1 ip6 from any to any %s", places[i]);
		add(line);
		add("200 allow ip from any to any");
		from_a(udp("2001:db8::a", 1, "2001:db8::b", 2, 33));
		assert_int_equal(kept.len, 1);
		give_back();
		assert_int_equal(wan.sent.len, 1);
		assert_int_equal(frame_ip6(wan.sent.head)->hlim, 64);
	}
}

/* What a program writes comes back to the bridge by what the datagram's header says. */
static void
test_b39_a_program_sends_a_bridged_frame_back(void **state)
{
	static const char *const places[] = { "in recv mem0", "in recv bridge0", "out xmit bridge0",
		"out xmit mem1 not layer2", "layer2" };
	struct fw_listener l = { .kind = FW_ACT_DIVERT, .number = 9 };
	uint8_t bytes[sizeof(struct warren_datagram) + 2000];
	char line[128];

	(void)state;
	stations(true, true, true);
	for (unsigned i = 0; i < 5; i++) {
		struct warren_datagram h;
		struct fw_rule *behind;
		struct mbuf *m;

		flush_rules();
		memif_clear(&wan);
		snprintf(line, sizeof(line), "100 divert 9 ip from any to any %s", places[i]);
		add(line);
		snprintf(line, sizeof(line), "200 count ip from any to any %s", places[i]);
		behind = add(line);
		add("300 allow ip from any to any");
		from_a(request(600));
		m = mbufq_pop(&kept);
		assert_non_null(m);
		fw_datagram_header(&h, m, fw_tag_find(m), 9);
		assert_true(__builtin_bswap16(h.flags) & WARREN_FRAME);
		assert_true(__builtin_bswap16(h.flags) & WARREN_BRIDGED);
		memcpy(bytes, &h, sizeof(h));
		memcpy(bytes + sizeof(h), m->data, m->len);
		assert_true(fw_datagram_input(&l, bytes, sizeof(h) + m->len));
		m_free(m);
		settle();
		assert_int_equal(behind->count.packets, 1);
		assert_intact();
	}
}

/* --- what rules do to frames ------------------------------------------------------------------ */

static void
test_rules_decide_about_bridged_frames(void **state)
{
	(void)state;
	add("100 deny udp from any to any 53");
	add("200 allow ip from any to any");
	from_a(request(1));
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("ipfw.deny"), 1);
	from_a(udp("10.9.0.1", 1, "10.9.0.2", 54, 1));
	assert_int_equal(wan.sent.len, 1);
	memif_clear(&wan);
	stations(true, false, false);
	from_a(request(1));
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(drops("ipfw.deny"), 2);
}

static void
test_states_work_on_bridged_frames(void **state)
{
	(void)state;
	stations(true, false, false);
	add("100 check-state");
	add("200 allow udp from 10.9.0.1 to any layer2 keep-state");
	add("300 deny ip from any to any");
	frame_comes(&wan, udp("10.9.0.2", 53, "10.9.0.1", 1030, 1), mac_a, mac_b);
	assert_int_equal(lan.sent.len, 0);
	from_a(request(1));
	assert_int_equal(wan.sent.len, 1);
	frame_comes(&wan, udp("10.9.0.2", 53, "10.9.0.1", 1030, 1), mac_a, mac_b);
	assert_int_equal(lan.sent.len, 1);
}

/* fwd is for packets that are routed: in a bridge its rule does not match. */
static void
test_fwd_does_not_match_in_a_bridge(void **state)
{
	(void)state;
	add("100 fwd 10.1.2.3 ip from any to any");
	add("200 allow ip from any to any");
	from_a(request(1));
	assert_int_equal(wan.sent.len, 1);
	stations(true, false, false);
	from_a(request(1));
	assert_int_equal(wan.sent.len, 2);
}

/* A frame whose destination a filter has changed goes where that is. */
static void
test_a_frame_is_switched_as_it_is_behind_its_filters(void **state)
{
	struct memif third;

	(void)state;
	memif_open(&third, 2);
	command("ifconfig bridge0 addm mem2 static mem2 06:00:00:00:00:0c");
	command("ifconfig mem2 up");
	add("100 netgraph 1 ip from any to any in recv mem0");
	add("200 allow ip from any to any");
	from_a(request(1));
	assert_int_equal(kept.len, 1);
	kept.head->data[5] = 0xc;
	give_back();
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(third.sent.len, 1);
	memif_close(&third);
}

/* --- what may happen meanwhile ---------------------------------------------------------------- */

static void
test_the_member_may_have_left_when_its_frame_is_back(void **state)
{
	(void)state;
	add("100 pipe 1 ip from any to any in recv mem0");
	add("200 pipe 2 ip from any to any out xmit mem1");
	add("300 allow ip from any to any");
	command("sysctl net.inet.ip.fw.one_pass=0");
	from_a(request(1));
	command("ifconfig bridge0 deletem mem0");
	give_back_one();
	assert_int_equal(drops("bridge.gone"), 1);
	command("ifconfig bridge0 addm mem0");
	from_a(request(1));
	give_back_one();
	assert_int_equal(kept.len, 1); /* at the second pipe */
	command("ifconfig bridge0 deletem mem1");
	give_back_one();
	assert_int_equal(drops("bridge.gone"), 2);
	assert_int_equal(wan.sent.len, 0);
}

static void
test_the_bridge_may_be_gone_or_down_when_a_frame_is_back(void **state)
{
	(void)state;
	add("100 pipe 1 ip from any to any in recv bridge0");
	add("300 allow ip from any to any");
	from_a(request(1));
	command("ifconfig bridge0 down");
	give_back_one();
	assert_int_equal(drops("if.down"), 1);
	command("ifconfig bridge0 up");
	from_a(request(1));
	command("ifconfig bridge0 destroy");
	give_back_one();
	assert_int_equal(drops("if.gone"), 1);
	command("ifconfig bridge0 create");
}

static void
test_the_filters_may_be_off_when_a_frame_is_back(void **state)
{
	(void)state;
	stations(true, false, false);
	command("sysctl net.inet.ip.fw.one_pass=0");
	add("100 pipe 1 ip from any to any layer2");
	add("200 allow ip from any to any");
	from_a(request(1));
	stations(false, false, false);
	give_back();
	assert_int_equal(wan.sent.len, 1);
}

/* --- the stack itself ------------------------------------------------------------------------- */

static void
test_a_bridge_answers_arp_and_ping_by_its_own_address(void **state)
{
	uint8_t arp[60] = { 0 };
	struct mbuf *m;

	(void)state;
	command("ifconfig bridge0 inet 10.9.0.9/24");
	memif_clear(&lan);
	memif_clear(&wan);
	memcpy(arp, ether_broadcast, 6);
	memcpy(arp + 6, mac_a, 6);
	memcpy(arp + 12, "\x08\x06\0\x01\x08\0\x06\x04\0\x01", 10);
	memcpy(arp + 22, mac_a, 6);
	memcpy(arp + 28, "\x0a\x09\0\x01", 4);
	memcpy(arp + 38, "\x0a\x09\0\x09", 4);
	m = m_from(arp, sizeof(arp));
	m->when_ns = clock_now();
	memif_receive(&lan, m);
	settle();
	assert_int_equal(wan.sent.len, 1); /* the question goes on … */
	assert_int_equal(lan.sent.len, 1); /* … and is answered */
	assert_memory_equal(lan.sent.head->data + 6, if_byname("bridge0")->if_lladdr, 6);
	assert_int_equal(lan.sent.head->data[21], 2);
	memif_clear(&lan);
	frame_comes(
	    &lan, icmp("10.9.0.1", "10.9.0.9", 8, 0), if_byname("bridge0")->if_lladdr, mac_a);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_icmp(lan.sent.head)->type, 0);
	assert_int_equal(wan.sent.len, 1);
}

static void
test_a_bridge_speaks_ipv6_by_its_own_address(void **state)
{
	(void)state;
	command("sysctl net.inet6.ip6.dad_count=0");
	command("ifconfig bridge0 inet6 2001:db8:9::9/64");
	sched_run(clock_now() + 5 * NS_PER_SEC);
	memif_clear(&lan);
	memif_clear(&wan);
	frame_comes(&lan, icmp("2001:db8:9::a", "2001:db8:9::9", 128, 0),
	    if_byname("bridge0")->if_lladdr, mac_a);
	/* it asks, by all members, who A is */
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(lan.sent.head->data[0], 0x33);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(test_a_bridged_packet_meets_the_rules_at_its_stations),
		BRIDGE_TEST(test_rules_of_ethernet_do_not_see_bridged_frames),
		BRIDGE_TEST(test_each_copy_of_a_flooded_frame_meets_the_rules_of_its_member),
		BRIDGE_TEST(test_arp_passes_unless_it_is_asked_about),
		BRIDGE_TEST(test_other_frames_do_not_pass_a_bridge_with_filters),
		BRIDGE_TEST(test_broken_packets_do_not_pass_a_bridge_with_filters),
		BRIDGE_TEST(test_frames_pass_as_they_are),
		BRIDGE_TEST(test_packets_for_the_bridge_meet_rules_at_their_member_if_asked),
		BRIDGE_TEST(test_b39_bridged_frames_come_back_to_the_bridge),
		BRIDGE_TEST(test_b39_bridged_frames_come_back_at_once),
		BRIDGE_TEST(test_b39_bridged_frames_of_ipv6_come_back),
		BRIDGE_TEST(test_b39_a_program_sends_a_bridged_frame_back),
		BRIDGE_TEST(test_rules_decide_about_bridged_frames),
		BRIDGE_TEST(test_states_work_on_bridged_frames),
		BRIDGE_TEST(test_fwd_does_not_match_in_a_bridge),
		BRIDGE_TEST(test_a_frame_is_switched_as_it_is_behind_its_filters),
		BRIDGE_TEST(test_the_member_may_have_left_when_its_frame_is_back),
		BRIDGE_TEST(test_the_bridge_may_be_gone_or_down_when_a_frame_is_back),
		BRIDGE_TEST(test_the_filters_may_be_off_when_a_frame_is_back),
		BRIDGE_TEST(test_a_bridge_answers_arp_and_ping_by_its_own_address),
		BRIDGE_TEST(test_a_bridge_speaks_ipv6_by_its_own_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
