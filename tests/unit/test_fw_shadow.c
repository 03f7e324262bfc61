/*
 * Rules that can never match (ipfw/shadow.c): what is said is so, whatever packets come; and what
 * everybody sees is said.
 */
#include "fw_packets.h"

#include "base/rng.h"
#include "ipfw/passage.h"
#include "ipfw/shadow.h"

/* What is said about the rules that stand, as "200 rule 100 takes …; 300 …". */
static const char *
shadows(void)
{
	static char text[2048];
	struct fw_shadow *found;
	size_t len = 0;
	char why[256];
	int n;

	rcu_read_lock();
	n = fw_shadows(V_fw_map, &found);
	assert_true(n >= 0);
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		fw_shadow_text(&found[i], why, sizeof(why));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u %s",
		    i > 0 ? "; " : "", V_fw_map->rule[found[i].slot]->number, why);
	}
	rcu_read_unlock();
	free(found);
	return text;
}

#define TAKES(n, by) n " rule " by " takes all that it could match"

/* The first line as rule 100, the second as rule 200. */
static const char *
pair(const char *first, const char *second)
{
	char line[512];

	flush_rules();
	snprintf(line, sizeof(line), "100 %s", first);
	add(line);
	snprintf(line, sizeof(line), "200 %s", second);
	add(line);
	return shadows();
}

static void
test_a_rule_behind_one_that_asks_for_less_never_matches(void **state)
{
	static const char *const pairs[][2] = {
		{ "deny ip from any to any", "allow tcp from any to any 80" },
		{ "allow tcp from 10.0.0.0/8 to any",
		    "deny tcp from 10.1.0.0/16,10.2.3.4 to any 80" },
		{ "allow tcp from any to any 1-100,443", "allow tcp from any to any 80,443" },
		{ "deny ip4 from any to any", "allow ip from 10.0.0.1 to any" },
		{ "deny tcp from any to any", "allow ip from any to any established" },
		{ "deny icmp from any to any", "allow ip from any to any icmptypes 8" },
		{ "deny ip from any to any via em*", "allow ip from any to any via em0" },
		{ "deny { tcp or udp } from any to any", "allow udp from any to any" },
		{ "deny not tcp from any to any", "allow udp from any to any" },
		{ "deny ip from not 10.0.0.0/8 to any", "allow ip from 192.0.2.1 to any" },
		{ "deny ip from not 10.1.0.0/16 to any", "allow ip from not 10.0.0.0/8 to any" },
		{ "deny ip from 2001:db8::/32 to any", "allow ip from 2001:db8:1::/48 to any" },
		{ "deny ip from 192.0.2.0/24 to any", "allow ip from 192.0.2.0/25{3,4} to any" },
		{ "allow tcp from any to any setup keep-state",
		    "deny tcp from any to any 80 setup" },
		{ "reset tcp from any to any", "allow tcp from any to any" },
		{ "deny ip from table(1) to any", "allow tcp from table(1) to any" },
		{ "deny ip from any to any in", "allow ip from any to any in recv lan" },
		{ "deny ip from any to any layer2", "allow ip from any to any mac-type 0x0806" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(pair(pairs[i][0], pairs[i][1]), TAKES("200", "100")) != 0)
			fail_msg("%s / %s: \"%s\"", pairs[i][0], pairs[i][1], shadows());
}

static void
test_a_rule_that_some_packet_may_reach_is_let_be(void **state)
{
	static const char *const pairs[][2] = {
		{ "deny tcp from any to any", "allow udp from any to any" },
		{ "count ip from any to any", "allow ip from any to any" },
		{ "deny tcp from any to any 80", "allow tcp from any to any" },
		{ "deny ip from 10.0.0.0/16 to any", "allow ip from 10.0.0.0/8 to any" },
		{ "deny ip from any to any in", "allow ip from any to any" },
		{ "prob 0.5 deny ip from any to any", "allow ip from any to any" },
		{ "deny ip from table(1,5) to any", "allow ip from table(1) to any" },
		{ "deny not tcp from any to any", "allow tcp from any to any" },
		{ "pipe 1 ip from any to any", "allow ip from any to any" },
		{ "fwd 10.0.0.9 ip from any to any", "allow ip from any to any" },
		{ "allow tcp from any to any keep-state defer-action", "deny tcp from any to any" },
		{ "check-state", "allow tcp from any to any setup keep-state" },
		{ "deny { tcp or udp } from any to any", "allow { tcp or icmp } from any to any" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(pair(pairs[i][0], pairs[i][1]), "") != 0)
			fail_msg("%s / %s: \"%s\"", pairs[i][0], pairs[i][1], shadows());
}

static void
test_words_that_exclude_each_other_are_named(void **state)
{
	(void)state;
	assert_string_equal(
	    pair("allow ip from any to any in xmit mem1", "allow tcp from any to any"),
	    "100 \"in\" and \"xmit mem1\" exclude each other");
	assert_string_equal(pair("allow icmp from any to any 80", "allow tcp from any to any"),
	    "100 \"proto icmp\" and \"dst-port 80\" exclude each other");
	assert_string_equal(
	    pair("allow tcp from any to any dst-port 80 dst-port 443", "allow udp from any to any"),
	    "100 \"dst-port 80\" and \"dst-port 443\" exclude each other");
	assert_string_equal(
	    pair("allow { tcp or udp } from any to any icmptypes 8", "allow udp from any to any"),
	    "100 \"{ proto tcp or proto udp }\" and \"icmptypes 8\" exclude each other");
	assert_string_equal(
	    pair("allow ip from 10.0.0.1 to 2001:db8::1", "allow udp from any to any"),
	    "100 \"src-ip 10.0.0.1\" and \"dst-ip6 2001:db8::1\" exclude each other");
	/* a SYN with a RST is odd, but may come */
	assert_string_equal(
	    pair("allow tcp from any to any setup established", "allow udp from any to any"), "");
}

static void
test_what_a_jump_leads_past_never_matches(void **state)
{
	(void)state;
	assert_string_equal(pair("skipto 300 ip from any to any", "allow tcp from any to any"),
	    "200 rule 100 leads past it all that it could match");
	assert_string_equal(pair("skipto 200 ip from any to any", "allow tcp from any to any"), "");
}

static void
test_a_jump_behind_the_earlier_rule_lets_packets_come(void **state)
{
	(void)state;
	pair("deny tcp from any to any", "allow tcp from any to any");
	add("50 skipto 150 ip from 10.0.0.1 to any");
	assert_string_equal(shadows(), "");
	pair("deny tcp from any to any", "allow tcp from any to any");
	add("50 skipto tablearg ip from table(1) to any");
	assert_string_equal(shadows(), "");
	pair("deny tcp from any to any", "allow tcp from any to any");
	add("300 call 150 ip from 10.0.0.1 to any");
	assert_string_equal(shadows(), "");
}

static void
test_a_state_may_lead_behind_the_earlier_rule(void **state)
{
	(void)state;
	pair("deny tcp from any to any", "allow tcp from any to any");
	add("10 check-state");
	add("150 count tcp from any to any keep-state");
	assert_string_equal(shadows(), TAKES("150", "100"));
}

static void
test_what_changes_a_packet_makes_another_of_it(void **state)
{
	static const char *const changes[] = { "setdscp 46 ip from any to any",
		"count tag 5 ip from any to any", "setfib 1 ip from any to any",
		"nat 1 ip from any to any", "divert 8668 ip from any to any",
		"tcp-setmss 1000 tcp from any to any" };
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		pair("deny ip from any to any dscp 46", "allow ip from any to any dscp 46");
		snprintf(line, sizeof(line), "150 %s", changes[i]);
		add(line);
		assert_string_equal(shadows(), "");
	}
}

static void
test_rules_of_disabled_sets_take_nothing(void **state)
{
	(void)state;
	flush_rules();
	add("100 set 5 deny ip from any to any");
	add("200 allow tcp from any to any");
	assert_string_equal(shadows(), TAKES("200", "100"));
	assert_int_equal(fw_set_enable(UINT32_C(1) << 5, 0), 0);
	assert_string_equal(shadows(), "");
	assert_int_equal(fw_set_enable(0, UINT32_C(1) << 5), 0);
}

/* --- against random packets ------------------------------------------------------------------- */

static struct rng rng;

#define ONE_OF(...)                                                                                \
	((const char *const[]){ __VA_ARGS__ }[rng_below(                                           \
	    &rng, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))])

static const char *
random_action(void)
{
	static char text[32];

	if (rng_below(&rng, 4) == 0) {
		snprintf(text, sizeof(text), "%s %u", ONE_OF("skipto", "call"),
		    (unsigned)rng_below(&rng, 20) * 10);
		return text;
	}
	return ONE_OF("allow", "allow", "deny", "deny", "deny", "count", "return", "setdscp 10",
	    "count tag 5", "count untag 5", "reset", "unreach host", "fwd 10.0.0.9");
}

static const char *
random_side(void)
{
	return ONE_OF("any", "any", "any", "10.0.0.0/24", "10.0.0.0/25", "10.0.0.1", "10.0.0.2",
	    "not 10.0.0.1", "not 10.0.0.0/25", "10.0.0.1,10.0.0.200", "10.0.0.0/24{1,2}",
	    "table(1)", "not table(1)", "{ 10.0.0.1 or 10.0.0.2 }", "2001:db8::/64", "2001:db8::1",
	    "me");
}

static const char *
random_ports(void)
{
	return ONE_OF("", "", "", "80", "1-100", "80,443", "not 80", "443", "100-65535");
}

static const char *
random_option(void)
{
	return ONE_OF("", "", "", "", "in", "out", "via mem0", "via mem*", "recv mem0", "xmit mem1",
	    "setup", "established", "tcpflags syn,!rst", "frag", "not frag", "icmptypes 8",
	    "icmptypes 0,8", "dscp 10", "not dscp 10", "tagged 5", "not tagged 5", "ipttl 64",
	    "ipttl 1-70", "iplen 20-60", "keep-state", "limit src-addr 2", "prob 0.5", "ip4", "ip6",
	    "{ in or setup }", "{ dst-port 80 or icmptypes 8 }", "proto tcp", "not proto udp",
	    "src-ip 10.0.0.0/25", "verrevpath", "keep-state defer-action", "ipversion 4");
}

static void
random_rule(void)
{
	char line[512], why[256] = "", *word[1] = { line };
	struct fw_rule *r;

	snprintf(line, sizeof(line), "%u %s %s from %s %s to %s %s %s %s",
	    10 + (unsigned)rng_below(&rng, 19) * 10, random_action(),
	    ONE_OF("ip", "ip", "tcp", "udp", "icmp", "not tcp", "{ tcp or udp }"), random_side(),
	    random_ports(), random_side(), random_ports(), random_option(), random_option());
	/* not everything goes with everything */
	if ((r = fw_rule_parse(1, word, why, sizeof(why))) != NULL)
		assert_int_equal(fw_add(r), 0);
}

static struct mbuf *
random_packet(void)
{
	const char *src = ONE_OF("10.0.0.1", "10.0.0.2", "10.0.0.200", "192.0.2.1");
	const char *dst = ONE_OF("10.0.0.1", "10.0.0.2", "10.0.0.200", "192.0.2.1");
	const uint16_t port[] = { 80, 443, 53, 50000 };
	const uint16_t sport = port[rng_below(&rng, 4)], dport = port[rng_below(&rng, 4)];
	const uint8_t flags[] = { SYN, SYN | ACK, ACK, RST, SYN | RST, FIN | ACK };
	struct mbuf *m;

	if (rng_below(&rng, 8) == 0)
		src = dst = "2001:db8::1";
	switch (rng_below(&rng, 4)) {
	case 0:
		m = udp(src, sport, dst, dport, (uint32_t)rng_below(&rng, 100));
		break;
	case 1:
		m = icmp(src, dst, rng_below(&rng, 2) == 0 ? 8 : 0, 0);
		break;
	default:
		m = tcp(src, sport, dst, dport, flags[rng_below(&rng, 6)]);
		break;
	}
	if (src[0] == '2')
		return m;
	if (rng_below(&rng, 8) == 0)
		m = fragment(m, 80, true);
	mtod(m, struct ip_hdr *)->tos = rng_below(&rng, 4) == 0 ? 10 << 2 : 0;
	return m;
}

static void
meet_rules(void)
{
	struct mbuf *m = random_packet();
	struct fw_passage pg = { .point = m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6,
		.dir = rng_below(&rng, 2) == 0 ? PFIL_IN : PFIL_OUT };

	pg.ifp = pg.dir == PFIL_IN ? lan.ifp : wan.ifp;
	m->when_ns = clock_now();
	if (pg.dir == PFIL_OUT)
		m->flags |= M_FORWARDED;
	m_free(fw_pass(&pg, m));
}

/* How many rules were said never to match. */
static unsigned
none_matches(const char *rules)
{
	struct fw_shadow *found;
	int n;

	rcu_read_lock();
	n = fw_shadows(V_fw_map, &found);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const struct fw_rule *r = V_fw_map->rule[found[i].slot];
		char text[512], why[256];

		if (r->count.packets == 0)
			continue;
		fw_rule_text(r, 0, text, sizeof(text));
		fw_shadow_text(&found[i], why, sizeof(why));
		fail_msg("%s: %s, but it has matched (%s)", text, why, rules);
	}
	rcu_read_unlock();
	free(found);
	return (unsigned)n;
}

static void
test_no_packet_matches_what_is_said_never_to_match(void **state)
{
	const bool is_long = getenv("LONG") != NULL && strcmp(getenv("LONG"), "1") == 0;
	const unsigned rounds = is_long ? 5000 : 300;
	unsigned said = 0, matched = 0;
	char round_text[32];

	(void)state;
	router();
	rng_seed(&rng, 5, "shadow");
	command("ipfw -q table 1 add 10.0.0.2 100");
	command("sysctl net.inet.ip.fw.one_pass=0");
	for (unsigned round = 0; round < rounds; round++) {
		flush_rules();
		for (unsigned i = 2 + (unsigned)rng_below(&rng, 14); i > 0; i--)
			random_rule();
		for (unsigned i = 0; i < 300; i++)
			meet_rules();
		snprintf(round_text, sizeof(round_text), "round %u", round);
		said += none_matches(round_text);
		rcu_read_lock();
		for (uint32_t i = 0; i < V_fw_map->n; i++)
			matched += V_fw_map->rule[i]->count.packets > 0;
		rcu_read_unlock();
	}
	/* the test says something: both are frequent */
	assert_true(said > rounds);
	assert_true(matched > rounds * 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_rule_behind_one_that_asks_for_less_never_matches),
		INET6_TEST(test_a_rule_that_some_packet_may_reach_is_let_be),
		INET6_TEST(test_words_that_exclude_each_other_are_named),
		INET6_TEST(test_what_a_jump_leads_past_never_matches),
		INET6_TEST(test_a_jump_behind_the_earlier_rule_lets_packets_come),
		INET6_TEST(test_a_state_may_lead_behind_the_earlier_rule),
		INET6_TEST(test_what_changes_a_packet_makes_another_of_it),
		INET6_TEST(test_rules_of_disabled_sets_take_nothing),
		INET6_TEST(test_no_packet_matches_what_is_said_never_to_match),
	};

	return cmocka_run_group_tests_name("ipfw/shadow", tests, NULL, NULL);
}
