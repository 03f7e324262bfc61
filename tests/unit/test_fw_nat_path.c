/*
 * NAT between real hooks: what this stack itself sends for flows that are translated (ipfw/segment.c,
 * state_keepalive.c, reject.c), with the addresses and numbers by which each end knows them; fragments
 * that have come too early (ipfw/nat_early.c).
 */
#include "fw_packets.h"
#include "sealed_packets.h"

#include "ipfw/state.h"

#define INSIDE "10.0.0.2"
#define ALIAS "10.1.0.1"
#define OUTSIDE "10.1.0.2"

/* lan inside, wan outside; what rules and NAT have done with a packet is not the last word on it. */
static void
gateway(void)
{
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	command("ipfw -q nat 1 config ip " ALIAS);
}

/* An established connection from inside to the port outside; its port at the alias. */
static uint16_t
connection(uint16_t dport)
{
	uint16_t alias;

	comes_in(&lan, tcp_to(INSIDE, 1024, OUTSIDE, dport, SYN, 99, 0, ""));
	assert_int_equal(wan.sent.len, 1);
	alias = from_be16(*(be16 *)(void *)(went_out(&wan, 0) + 1));
	comes_in(&wan, tcp_to(OUTSIDE, dport, ALIAS, alias, SYN | ACK, 499, 100, ""));
	comes_in(&lan, tcp_to(INSIDE, 1024, OUTSIDE, dport, ACK, 100, 500, ""));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(wan.sent.len, 2);
	memif_clear(&lan);
	memif_clear(&wan);
	return alias;
}

static void
pass_s(unsigned seconds)
{
	sched_run(clock_now() + seconds * NS_PER_SEC);
}

/* All that mi has sent is one empty segment between these ends, with these numbers, and sound. */
static void
assert_sent(struct memif *mi, const char *src, uint16_t sport, const char *dst, uint16_t dport,
    uint32_t seq, uint32_t ack)
{
	struct mbuf *m = m_dup(mi->sent.head);

	assert_int_equal(mi->sent.len, 1);
	m_adj(m, ETHER_HDR_LEN_);
	assert_int_equal(m->len, 40);
	assert_int_equal(mtod(m, struct ip_hdr *)->src, a4(src));
	assert_int_equal(mtod(m, struct ip_hdr *)->dst, a4(dst));
	assert_int_equal(get16(m, 20), sport);
	assert_int_equal(get16(m, 22), dport);
	assert_int_equal(get32(m, 24), seq);
	assert_int_equal(get32(m, 28), ack);
	assert_sealed(m);
	m_free(m);
	memif_clear(mi);
}

static void
test_keepalives_of_inside_addresses_leave_by_the_alias(void **state)
{
	uint16_t alias;

	(void)state;
	gateway();
	/* in, NAT comes first; out, last: dynamic rules know the inside's address */
	add("100 nat 1 ip from any to any in recv mem1");
	add("200 check-state");
	add("300 skipto 400 tcp from any to any out xmit mem1 setup keep-state");
	add("400 nat 1 ip from any to any out xmit mem1");
	add("500 allow ip from any to any");
	alias = connection(80);
	for (unsigned i = 0; i < 5; i++) {
		pass_s(281);
		assert_sent(&wan, ALIAS, alias, OUTSIDE, 80, 99, 500);
		assert_sent(&lan, OUTSIDE, 80, INSIDE, 1024, 499, 100);
		/* the far end's answer alone holds it */
		comes_in(&wan, tcp_to(OUTSIDE, 80, ALIAS, alias, ACK, 500, 100, ""));
		memif_clear(&lan);
	}
	pass_s(310);
	assert_int_equal(fw_state_count(), 0);
}

static void
test_keepalives_of_outside_addresses_find_the_inside(void **state)
{
	uint16_t alias;

	(void)state;
	gateway();
	add("100 nat 1 ip from any to any out xmit mem1");
	add("200 check-state");
	add("300 skipto 400 tcp from any to any out xmit mem1 keep-state");
	add("400 nat 1 ip from any to any in recv mem1");
	add("500 allow ip from any to any");
	alias = connection(80);
	pass_s(281);
	assert_sent(&wan, ALIAS, alias, OUTSIDE, 80, 99, 500);
	assert_sent(&lan, OUTSIDE, 80, INSIDE, 1024, 499, 100);
}

static void
test_keepalives_have_the_numbers_that_each_end_knows(void **state)
{
	uint32_t grown;
	uint16_t alias;

	(void)state;
	gateway();
	add("100 nat 1 ip from any to any in recv mem1");
	add("200 check-state");
	add("300 skipto 400 tcp from any to any out xmit mem1 setup keep-state");
	add("400 nat 1 ip from any to any out xmit mem1");
	add("500 allow ip from any to any");
	alias = connection(21);
	comes_in(&lan, tcp_to(INSIDE, 1024, OUTSIDE, 21, ACK, 100, 500, "PORT 10,0,0,2,4,1\r\n"));
	grown = from_be16(went_out(&wan, 0)->len) - 40u - 19u;
	comes_in(&wan, tcp_to(OUTSIDE, 21, ALIAS, alias, ACK, 500, 119 + grown, ""));
	memif_clear(&lan);
	memif_clear(&wan);
	pass_s(281);
	assert_sent(&wan, ALIAS, alias, OUTSIDE, 21, 118 + grown, 500);
	assert_sent(&lan, OUTSIDE, 21, INSIDE, 1024, 499, 119);
}

static void
test_reset_behind_nat_comes_from_the_alias(void **state)
{
	(void)state;
	gateway();
	command("ipfw -q nat 1 config ip " ALIAS " redirect_port tcp " INSIDE ":22 2222");
	add("100 nat 1 ip from any to any in recv mem1");
	add("200 reset tcp from any to " INSIDE " 22 in recv mem1");
	add("300 allow ip from any to any");
	comes_in(&wan, tcp_to(OUTSIDE, 1024, ALIAS, 2222, SYN, 99, 0, ""));
	assert_int_equal(lan.sent.len, 0);
	assert_sent(&wan, ALIAS, 2222, OUTSIDE, 1024, 0, 100);
}

/* --- fragments before their first one --------------------------------------------------------- */

/* 16 bytes of UDP in datagram `id`, from its first byte or those behind. */
static struct mbuf *
part(const char *src, const char *dst, uint16_t id, bool first)
{
	static const uint8_t ports[16] = { 4, 0, 0, 53, 0, 32 };
	struct mbuf *m = ip_around(src, dst, IPPROTO_UDP_, ports, sizeof(ports));

	mtod(m, struct ip_hdr *)->id = to_be16(id);
	return fragment(m, first ? 0 : 16, first);
}

static void
translating_gateway(void)
{
	gateway();
	add("100 nat 1 ip from any to any in recv mem1");
	add("200 nat 1 ip from any to any out xmit mem1");
	add("300 allow ip from any to any");
}

/* That many has mi sent, all between these addresses, the first one first. */
static void
assert_parts(struct memif *mi, uint32_t n, const char *src, const char *dst)
{
	assert_int_equal(mi->sent.len, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(went_out(mi, i)->src, a4(src));
		assert_int_equal(went_out(mi, i)->dst, a4(dst));
		assert_int_equal((from_be16(went_out(mi, i)->off) & IP_OFFMASK_) != 0, i > 0);
	}
	memif_clear(mi);
}

static void
assert_held(unsigned n)
{
	struct tool t;
	char want[32];

	snprintf(want, sizeof(want), " frag_ptr=%u ", n);
	assert_int_equal(tool(&t, NULL, "ipfw nat 1 show"), 0);
	assert_non_null(strstr(t.out, want));
}

static void
test_early_fragments_wait_for_the_first_and_follow_it(void **state)
{
	(void)state;
	translating_gateway();
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, false));
	comes_in(&lan, part(INSIDE, OUTSIDE, 8, false));
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, false));
	assert_int_equal(wan.sent.len, 0);
	assert_held(3);
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, true));
	assert_parts(&wan, 3, ALIAS, OUTSIDE);
	assert_held(1);
	/* those that come behind need not wait */
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, false));
	assert_int_equal(wan.sent.len, 1);
}

static void
test_early_fragments_from_outside_wait_too(void **state)
{
	(void)state;
	translating_gateway();
	command("ipfw -q nat 1 config ip " ALIAS " deny_in redirect_port udp " INSIDE ":53 53");
	comes_in(&wan, part(OUTSIDE, ALIAS, 7, false));
	assert_held(1);
	comes_in(&wan, part(OUTSIDE, ALIAS, 7, true));
	assert_parts(&lan, 2, OUTSIDE, INSIDE);
	/* what goes to another address is no business of the instance */
	comes_in(&wan, part(OUTSIDE, INSIDE, 8, false));
	assert_held(0);
}

static void
test_early_fragments_wait_for_so_long_and_no_more_than_so_many(void **state)
{
	const uint64_t before = drops("ipfw.natfragment");

	(void)state;
	translating_gateway();
	command("sysctl net.inet.ip.fw.nat_frag_max=2");
	for (uint16_t id = 1; id <= 3; id++)
		comes_in(&lan, part(INSIDE, OUTSIDE, id, false));
	assert_held(2);
	assert_int_equal(drops("ipfw.natfragment"), before + 1);
	comes_in(&lan, part(INSIDE, OUTSIDE, 1, true)); /* its other part was the oldest */
	assert_parts(&wan, 1, ALIAS, OUTSIDE);
	pass_s(29);
	assert_held(2);
	pass_s(2);
	assert_held(0);
	assert_int_equal(drops("ipfw.natfragment"), before + 3);
	command("sysctl net.inet.ip.fw.nat_frag_max=0");
	comes_in(&lan, part(INSIDE, OUTSIDE, 4, false));
	assert_held(0);
	/* the instance goes, and what it holds */
	command("sysctl net.inet.ip.fw.nat_frag_max=64");
	comes_in(&lan, part(INSIDE, OUTSIDE, 5, false));
	command("ipfw nat 1 delete");
	assert_int_equal(drops("ipfw.natfragment"), before + 5);
}

static void
test_without_one_pass_early_fragments_meet_the_rules_behind_nat(void **state)
{
	struct fw_rule *behind;

	(void)state;
	translating_gateway();
	behind = add("250 count ip from " ALIAS " to any out");
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, false));
	comes_in(&lan, part(INSIDE, OUTSIDE, 7, true));
	assert_parts(&wan, 2, ALIAS, OUTSIDE);
	assert_int_equal(behind->count.packets, 2);
	command("sysctl net.inet.ip.fw.one_pass=1");
	comes_in(&lan, part(INSIDE, OUTSIDE, 8, false));
	comes_in(&lan, part(INSIDE, OUTSIDE, 8, true));
	assert_parts(&wan, 2, ALIAS, OUTSIDE);
	assert_int_equal(behind->count.packets, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_keepalives_of_inside_addresses_leave_by_the_alias),
		INET6_TEST(test_keepalives_of_outside_addresses_find_the_inside),
		INET6_TEST(test_keepalives_have_the_numbers_that_each_end_knows),
		INET6_TEST(test_reset_behind_nat_comes_from_the_alias),
		INET6_TEST(test_early_fragments_wait_for_the_first_and_follow_it),
		INET6_TEST(test_early_fragments_from_outside_wait_too),
		INET6_TEST(test_early_fragments_wait_for_so_long_and_no_more_than_so_many),
		INET6_TEST(test_without_one_pass_early_fragments_meet_the_rules_behind_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
