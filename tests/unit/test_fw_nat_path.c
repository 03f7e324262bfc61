/*
 * NAT between real hooks: what this stack itself sends for flows that are translated (ipfw/segment.c,
 * state_keepalive.c, reject.c), with the addresses and numbers by which each end knows them.
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_keepalives_of_inside_addresses_leave_by_the_alias),
		INET6_TEST(test_keepalives_of_outside_addresses_find_the_inside),
		INET6_TEST(test_keepalives_have_the_numbers_that_each_end_knows),
		INET6_TEST(test_reset_behind_nat_comes_from_the_alias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
