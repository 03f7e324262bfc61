/*
 * Unit tests of compiled rules (ipfw/classify*.c): whatever the rules and the packets, they say the same
 * as trying every rule in order, and count the same.
 */
#include "fw_packets.h"

#include "base/rng.h"
#include "ipfw/chain_internal.h"
#include "ipfw/classify_internal.h"
#include "ipfw/state.h"

#include <stdlib.h>

/* --- random rules that are met ------------------------------------------------------------------ */

static struct rng rng;

static unsigned
below(unsigned n)
{
	return (unsigned)rng_below(&rng, n);
}

#define PICK(...)                                                                                  \
	((const char *const[]){                                                                    \
	    __VA_ARGS__ }[below(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))])

struct line {
	char text[1024];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
say(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	l->len += (size_t)vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
}

/* Few addresses, so that rules and packets often speak of the same. */
static void
say_addr4(struct line *l)
{
	say(l, "10.%u.%u.%u", below(2), below(3) * 100, below(4) * 60 + 2);
}

static void
say_addr6(struct line *l)
{
	say(l, "2001:db8:%u::%u", below(3), below(4) + 1);
}

static void
say_net(struct line *l)
{
	if (below(5) == 0) {
		say_addr6(l);
		if (below(2))
			say(l, "/%u", 30 + below(99));
		return;
	}
	say_addr4(l);
	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		say(l, "/%u", 6 + below(27));
		break;
	case 3:
		say(l, ":255.0.%u.%u", below(256), below(256));
		break;
	case 4:
		say(l, ",");
		say_addr4(l);
		say(l, "/%u", 16 + below(17));
		break;
	case 5:
		l->len -= strlen(strrchr(l->text, '.'));
		say(l, ".0/24{%u,%u-%u}", below(60), 60 + below(60), 170 + below(100));
	}
}

static void
say_where(struct line *l, bool source)
{
	if (below(6) == 0)
		say(l, "not ");
	switch (below(12)) {
	case 0:
		say(l, "me");
		break;
	case 1:
		say(l, "table(%u%s)", 1 + below(2), below(3) ? "" : ",5");
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		l->len -= l->len > 4 && strcmp(l->text + l->len - 4, "not ") == 0 ? 4 : 0;
		say(l, "any");
		break;
	case 6:
		l->len -= l->len > 4 && strcmp(l->text + l->len - 4, "not ") == 0 ? 4 : 0;
		say(l, "{ ");
		say_net(l);
		say(l, " or ");
		say(l, "%s", below(3) == 0 ? "not " : "");
		say_net(l);
		say(l, " }");
		break;
	default:
		say_net(l);
	}
	(void)source;
}

static void
say_ports(struct line *l)
{
	unsigned n = 1 + below(3);

	say(l, " %s", below(6) == 0 ? "not " : "");
	for (unsigned i = 0; i < n; i++) {
		unsigned lo = below(8) * 10;

		say(l, i == 0 ? "%u" : ",%u", lo);
		if (below(3) == 0)
			say(l, "-%u", lo + below(40));
	}
}

static void
say_option(struct line *l)
{
	say(l, " %s", below(6) == 0 ? "not " : "");
	switch (below(24)) {
	case 0:
	case 1:
		say(l, "%s", PICK("in", "out"));
		break;
	case 2:
	case 3:
		say(l, "%s %s", PICK("via", "recv", "via"),
		    PICK("mem0", "mem1", "mem*", "m*", "lan"));
		break;
	case 4:
		say(l, "frag");
		break;
	case 5:
		say(l, "layer2");
		break;
	case 6:
		say(l, "ipversion %u", PICK("4", "6", "0")[0] - '0');
		break;
	case 7:
	case 8:
		say(l, "established");
		break;
	case 9:
	case 10:
		say(l, "setup");
		break;
	case 11:
		say(l, "tcpflags %s", PICK("syn", "!ack", "fin,!syn", "rst", "psh,ack,!urg"));
		break;
	case 12:
		say(l, "icmptypes %s", PICK("0", "8", "0,3,8", "11"));
		break;
	case 13:
		say(l, "icmp6types %s", PICK("128", "129", "1,128,135"));
		break;
	case 14:
		say(l, "src-port %u", below(8) * 10);
		break;
	case 15:
		say(l, "dst-ip 10.%u.0.0/16", below(2));
		break;
	case 16:
		say(l, "iplen %u-%u", below(60), 60 + below(60));
		break;
	case 17:
		say(l, "{ src-port %u or dst-port %u }", below(8) * 10, below(8) * 10);
		break;
	case 18:
		say(l, "{ src-port %u or src-port %u }", below(8) * 10, below(8) * 10);
		break;
	case 19:
		say(l, "lookup %s 3", PICK("dst-port", "src-port"));
		break;
	case 20:
		say(l, "ipttl 64");
		break;
	case 21:
		say(l, "proto %s", PICK("tcp", "udp", "17", "1"));
		break;
	default:
		say(l, "src-ip 10.0.0.0/%u", 6 + below(20));
	}
}

static void
say_action(struct line *l, unsigned number)
{
	switch (below(20)) {
	case 0:
		say(l, "skipto %u", number + below(120));
		break;
	case 1:
		say(l, "call %u", number + below(200));
		break;
	case 2:
	case 3:
		say(l, "return");
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		say(l, "deny");
		break;
	case 8:
	case 9:
		say(l, "allow");
		break;
	case 10:
		say(l, "skipto tablearg");
		break;
	case 11:
		say(l, "pipe tablearg");
		break;
	default:
		say(l, "count");
	}
}

static void
say_rule(struct line *l, unsigned number, bool states)
{
	*l = (struct line){ 0 };
	say(l, "%u ", number);
	if (below(5) == 0)
		say(l, "set %u ", below(4));
	if (below(12) == 0)
		say(l, "prob 0.%u ", 1 + below(9));
	if (states && below(12) == 0) {
		say(l, "check-state");
		return;
	}
	say_action(l, number);
	say(l, " %s from ",
	    PICK("ip", "ip", "ip", "tcp", "tcp", "udp", "icmp", "ip4", "ip6", "ipv6-icmp",
		"{ tcp or udp }", "not udp"));
	say_where(l, true);
	if (below(4) == 0)
		say_ports(l);
	say(l, " to ");
	say_where(l, false);
	if (below(3) == 0)
		say_ports(l);
	for (unsigned n = below(3); n > 0; n--)
		say_option(l);
	if (states && below(6) == 0)
		say(l, " %s", PICK("keep-state", "keep-state", "limit src-addr 3"));
}

/* NULL if it came out as none (an address of the other family). */
static struct fw_rule *
random_rule(unsigned number, bool states)
{
	struct line l;
	const char *open;
	struct fw_rule *r;
	char **argv, why[256];
	int argc;

	say_rule(&l, number, states);
	assert_int_equal(verb_split(l.text, &argc, &argv, &open), 0);
	r = fw_rule_parse(argc, argv, why, sizeof(why));
	verb_split_free(argc, argv);
	return r;
}

/* --- random packets ----------------------------------------------------------------------------- */

static struct mbuf *
random_upper(const char *src, const char *dst)
{
	uint16_t sport = (uint16_t)(below(9) * 10 + below(2)), dport = (uint16_t)(below(9) * 10);
	bool v6 = strchr(src, ':') != NULL;

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		return tcp(src, sport, dst, dport, (uint8_t)below(64));
	case 3:
	case 4:
	case 5:
		return udp(src, sport, dst, dport, below(40));
	case 6:
		return v6 ? icmp(src, dst, (uint8_t)(127 + below(10)), 0) :
			    icmp(src, dst, (uint8_t)below(13), 0);
	default:
		return ip_around(src, dst, (uint8_t)(50 + below(3)), "12345678", 8);
	}
}

static struct mbuf *
random_mbuf(void)
{
	struct line src = { 0 }, dst = { 0 };
	struct mbuf *m;

	if (below(4) == 0) {
		say_addr6(&src);
		say_addr6(&dst);
	} else {
		say_addr4(&src);
		say_addr4(&dst);
	}
	m = random_upper(src.text, dst.text);
	if (m->data[0] >> 4 == 4 && below(8) == 0)
		m = fragment(m, 8 * below(3), below(2));
	return m;
}

static bool
random_packet(struct fw_packet *p)
{
	struct mbuf *m = random_mbuf();
	struct ifnet *ifp = below(2) ? lan.ifp : wan.ifp;
	enum pfil_dir dir = below(2) ? PFIL_IN : PFIL_OUT;
	enum pfil_point point = m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6;
	bool frame = below(6) == 0;

	if (frame) {
		m = framed(m, &lan);
		if (below(4) == 0)
			store16(m->data + 12, __builtin_bswap16(0x0806));
		point = PFIL_LINK;
	}
	m->rcvif = below(4) ? lan.ifp : NULL;
	if (fw_packet_read(p, m, point, dir, ifp) != FW_PACKET_OK) {
		m_free(m);
		return false;
	}
	return true;
}

/* --- the same world twice ----------------------------------------------------------------------- */

enum { RULES_MAX = 1400, PACKETS = 200, EVENTS_MAX = 40 };

/* What became of everything. */
struct outcome {
	struct {
		uint8_t action;
		uint32_t arg;
		uint16_t rule;
		bool by_state;
	} verdict[PACKETS];
	uint64_t packets[RULES_MAX + 200], bytes[RULES_MAX + 200];
	uint32_t rules, n;
};

static void
random_change(bool states)
{
	struct fw_rule *r;

	switch (below(6)) {
	case 0:
	case 1:
	case 2:
		r = random_rule(1 + below(1000), states);
		if (r != NULL)
			assert_int_equal(fw_add(r), 0);
		break;
	case 3:
	case 4: {
		uint16_t at = (uint16_t)(1 + below(1000));
		const struct fw_selection some = { .lo = at, .hi = (uint16_t)(at + below(3)) };

		fw_delete(&some);
		break;
	}
	default:
		fw_set_enable(1u << below(4), 1u << (4 + below(2)));
	}
}

static int
note_rule(struct fw_rule *r, bool enabled, void *ctx)
{
	struct outcome *o = ctx;

	(void)enabled;
	o->packets[o->rules] = r->count.packets;
	o->bytes[o->rules++] = r->count.bytes;
	return 0;
}

static void
check_some(struct outcome *o, uint32_t n)
{
	static struct fw_packet p[64];
	struct fw_verdict v[64];
	uint32_t have = 0;

	for (uint32_t i = 0; i < n; i++)
		have += random_packet(&p[have]);
	for (uint32_t i = 0; i < have; i++)
		p[i].serial = 1000 + o->n + i;
	rcu_read_lock();
	fw_check_batch(V_fw_map, p, have, NULL, v);
	rcu_read_unlock();
	for (uint32_t i = 0; i < have; i++) {
		o->verdict[o->n].action = v[i].action;
		o->verdict[o->n].arg = v[i].arg;
		o->verdict[o->n].by_state = v[i].by_state;
		o->verdict[o->n++].rule = v[i].rule->number;
		m_free(p[i].m);
	}
}

/* Rules, packets and changes of a seed; with compiled rules or without. */
static void
live(uint64_t seed, bool compile, struct outcome *o)
{
	bool states, churn;
	uint32_t rules;

	memset(o, 0, sizeof(*o));
	rng_seed(&rng, seed, "classify");
	states = below(3) == 0;
	churn = below(2);
	rules = below(10) == 0 ? 600 + below(800) : 70 + below(100);
	VNET(fw_last_rule_id) = 10;
	command(compile ? "sysctl net.inet.ip.fw.compile=1" : "sysctl net.inet.ip.fw.compile=0");
	fw_zero(&(const struct fw_selection){ 0 }, false);
	fw_change_begin();
	for (uint32_t i = 0; i < rules; i++) {
		struct fw_rule *r = random_rule(1 + i * 1000 / rules, states);

		if (r != NULL)
			assert_int_equal(fw_add(r), 0);
	}
	assert_int_equal(fw_change_end(), 0);
	while (o->n < PACKETS) {
		uint32_t left = PACKETS - o->n, n = below(4) ? 1 + below(64) : 1;

		check_some(o, n < left ? n : left);
		for (unsigned k = churn ? below(8) : 0; k > 0; k--)
			random_change(states);
	}
	rcu_read_lock();
	assert_true((V_fw_map->classifier != NULL) == (compile && V_fw_map->n >= 64));
	rcu_read_unlock();
	fw_foreach(&(const struct fw_selection){ 0 }, note_rule, o);
	fw_set_enable(0, ~(1u << FW_SET_RESERVED));
	flush_rules();
}

static void
test_compiled_rules_say_what_all_rules_say(void **state)
{
	static struct outcome plain, compiled;
	unsigned worlds = getenv("LONG") != NULL ? 5000 : 300, hits = 0;

	(void)state;
	router();
	assert_int_equal(fw_start(), 0); /* the default rule has its number */
	command("ipfw table 1 add 10.0.0.0/16 5");
	command("ipfw table 1 add 10.1.100.0/24 900");
	command("ipfw table 2 add 2001:db8:1::/48 700");
	command("ipfw table 2 add 10.0.200.0/24 5");
	command("ipfw table 3 add 20 3");
	for (unsigned seed = 1; seed <= worlds; seed++) {
		fw_lanes_choose(
		    (enum fw_lanes)(seed % 3)); /* the best one stays if there is no such */
		live(seed, false, &plain);
		live(seed, true, &compiled);
		assert_int_equal(plain.rules, compiled.rules);
		for (uint32_t i = 0; i < plain.n; i++) {
			if (plain.verdict[i].action != compiled.verdict[i].action ||
			    plain.verdict[i].rule != compiled.verdict[i].rule ||
			    plain.verdict[i].arg != compiled.verdict[i].arg ||
			    plain.verdict[i].by_state != compiled.verdict[i].by_state)
				fail_msg("seed %u, packet %u: rule %u, compiled %u", seed, i,
				    plain.verdict[i].rule, compiled.verdict[i].rule);
			hits += plain.verdict[i].rule != FW_NUMBER_MAX;
		}
		for (uint32_t i = 0; i < plain.rules; i++)
			if (plain.packets[i] != compiled.packets[i] ||
			    plain.bytes[i] != compiled.bytes[i])
				fail_msg("seed %u, rule %u of %u: %lu packets, compiled %lu", seed,
				    i, plain.rules, (unsigned long)plain.packets[i],
				    (unsigned long)compiled.packets[i]);
	}
	/* the packets do meet rules */
	assert_true(hits > worlds * PACKETS / 2);
}

/* --- the walk ------------------------------------------------------------------------------------ */

static void
add_many(unsigned n, const char *format)
{
	char line[128];

	fw_change_begin();
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), format, i + 1);
		add(line);
	}
	assert_int_equal(fw_change_end(), 0);
}

/* The slots that the classifier names for a packet to 10.0.0.5, from 10.9.9.9. */
static uint32_t
candidates(uint32_t *slot, uint32_t room, bool *all_decided)
{
	struct mbuf *m = udp("10.9.9.9", 1, "10.0.0.5", 2, 0);
	struct fw_packet p = read_in(m);
	const struct fw_packet *one = &p;
	const struct fw_map *map = V_fw_map;
	struct fw_candidates k;
	uint32_t n = 0, at = 0;
	bool decided;

	assert_non_null(map->classifier);
	*all_decided = true;
	fw_classify(map->classifier, &one, 1, &k);
	while (n < room) {
		at = fw_candidate(&k, at, &decided);
		if (at == FW_SLOT_NONE)
			break;
		*all_decided = *all_decided && decided;
		slot[n++] = at++;
	}
	m_free(m);
	return n;
}

static void
test_more_matches_than_there_is_room_for_come_in_order(void **state)
{
	static uint32_t slot[30000];
	bool decided;

	(void)state;
	/* lines of 512 rules: many more than FW_WALK_HEADS, all of them with matches */
	add_many(20000, "%u count ip from any to any");
	assert_int_equal(candidates(slot, 30000, &decided), 20001);
	for (uint32_t i = 0; i <= 20000; i++)
		assert_int_equal(slot[i], i);
	assert_true(decided);
}

static void
test_prefixes_of_all_lengths_that_contain_each_other(void **state)
{
	static uint32_t slot[64];
	char line[128];
	bool decided;

	(void)state;
	add_many(100, "%u deny ip from 192.0.2.1 to any");
	for (unsigned len = 0; len <= 32; len++) {
		snprintf(
		    line, sizeof(line), "%u count ip from any to 10.0.0.5/%u", 1000 - len, len);
		add(line);
	}
	command("sysctl net.inet.ip.fw.compile=0");
	command("sysctl net.inet.ip.fw.compile=1");
	assert_int_equal(candidates(slot, 64, &decided), 34);
	assert_true(decided);
}

/* Each address of 256 that stand side by side is an interval of its own: a leaf that is full. */
static void
test_a_net_of_256_hosts_of_which_each_has_a_rule(void **state)
{
	static uint32_t slot[64];
	char line[128];
	bool decided;

	(void)state;
	for (unsigned host = 0; host < 300; host++) {
		snprintf(line, sizeof(line), "%u count ip from any to 10.0.%u.%u", 1 + host,
		    host / 256, host % 256);
		add(line);
	}
	command("sysctl net.inet.ip.fw.compile=0");
	command("sysctl net.inet.ip.fw.compile=1");
	for (int lanes = FW_LANES_PLAIN; lanes <= FW_LANES_AVX512; lanes++) {
		if (!fw_lanes_choose((enum fw_lanes)lanes))
			continue;
		assert_int_equal(candidates(slot, 64, &decided), 2);
		assert_int_equal(slot[0], 5);
	}
}

static void
test_one_rule_that_is_not_compiled_is_not_decided(void **state)
{
	static uint32_t slot[64];
	bool decided;

	(void)state;
	add_many(100, "%u deny ip from 192.0.2.1 to any");
	add("200 count ip from any to 10.0.0.5 iplen 100");
	command("sysctl net.inet.ip.fw.compile=0");
	command("sysctl net.inet.ip.fw.compile=1");
	assert_int_equal(candidates(slot, 64, &decided), 2);
	assert_false(decided);
}

static void
test_a_rule_follows_the_name_of_an_interface(void **state)
{
	static uint32_t slot[64];
	bool decided;

	(void)state;
	add_many(100, "%u deny ip from any to any out via gone");
	add("200 count ip from any to any recv outside");
	assert_int_equal(candidates(slot, 64, &decided), 2); /* it came late: it is tried */
	command("sysctl net.inet.ip.fw.compile=0");
	command("sysctl net.inet.ip.fw.compile=1");
	assert_int_equal(candidates(slot, 64, &decided), 1);
	command("ifconfig mem0 name outside");
	assert_int_equal(candidates(slot, 64, &decided), 2);
}

/* Rules come and go until they have been compiled anew, beside us. */
static void
test_changes_are_followed_and_compiled_in_the_end(void **state)
{
	static uint32_t slot[64];
	struct fw_classifier_stats st;
	bool decided;
	unsigned n = 0;

	(void)state;
	add_many(200, "%u deny ip from 192.0.2.1 to any");
	do {
		assert_true(n < 100000);
		add("300 count ip from any to 10.0.0.5");
		if (n++ >= 20)
			fw_delete(&(const struct fw_selection){ .lo = 300, .hi = 300 });
		fw_classifier_stats(V_fw_map->classifier, &st);
		if (n == 30) { /* as many as start a job */
			add_many(40, "400 allow ip from 192.0.2.%u to any");
		}
		if (n == 31)
			fw_delete(&(const struct fw_selection){ .lo = 1, .hi = 100 });
	} while (n < 32 || st.pending > 8);
	assert_int_equal(candidates(slot, 64, &decided), 1);
	assert_true(decided);
}

static void
test_the_sysctl_takes_the_classifier_away(void **state)
{
	(void)state;
	add_many(100, "%u deny ip from 192.0.2.1 to any");
	assert_non_null(V_fw_map->classifier);
	command("sysctl net.inet.ip.fw.compile=0");
	assert_null(V_fw_map->classifier);
	command("sysctl net.inet.ip.fw.compile=1");
	assert_non_null(V_fw_map->classifier);
}

/* --- many rules of few nets ----------------------------------------------------------------- */

enum { DENSE_RULES = 4000, DENSE_PACKETS = 3000 };

/* What the rules count of the same packets, in order. */
static void
count_dense(struct fw_rule *const *r, uint64_t seed, uint64_t *packets)
{
	static const char *const nets[] = { "10.0.0", "10.0.1", "10.0.255", "10.1.0", "10.0.2" };
	struct rng packets_rng;
	char src[32], dst[32];

	rng_seed(&packets_rng, seed, "dense");
	for (int i = 0; i < DENSE_PACKETS; i++) {
		struct fw_verdict v;
		struct fw_packet p;
		struct mbuf *m;

		snprintf(src, sizeof(src), "%s.%u", nets[rng_below(&packets_rng, 5)],
		    (unsigned)rng_below(&packets_rng, 256));
		snprintf(dst, sizeof(dst), "%s.%u", nets[rng_below(&packets_rng, 5)],
		    (unsigned)rng_below(&packets_rng, 256));
		m = udp(src, 1, dst, 2, 0);
		p = read_in(m);
		fw_check(V_fw_map, &p, 0, NULL, NULL, &v);
		m_free(m);
	}
	for (int i = 0; i < DENSE_RULES; i++) {
		packets[i] = r[i]->count.packets;
		r[i]->count.packets = 0;
	}
}

/* Hosts and ranges that stand close: full leaves of the look-up, and many lines of one class. */
static void
test_rules_that_crowd_in_few_nets_are_told_apart(void **state)
{
	static struct fw_rule *r[DENSE_RULES];
	static uint64_t expected[DENSE_RULES], got[DENSE_RULES];
	char line[128];

	(void)state;
	rng_seed(&rng, 3, "dense rules");
	fw_change_begin();
	for (int i = 0; i < DENSE_RULES; i++) {
		bool src = rng_below(&rng, 2) == 0;
		unsigned len = i % 3 == 0 ? 20 + (unsigned)rng_below(&rng, 13) : 32;

		snprintf(line, sizeof(line), "%d count ip from %s10.0.%u.%u/%u%s", i + 1,
		    src ? "" : "any to ", (unsigned)rng_below(&rng, 3),
		    (unsigned)rng_below(&rng, 256), len, src ? " to any" : "");
		r[i] = add(line);
	}
	assert_int_equal(fw_change_end(), 0);
	command("sysctl net.inet.ip.fw.compile=0");
	count_dense(r, 7, expected);
	command("sysctl net.inet.ip.fw.compile=1");
	assert_non_null(V_fw_map->classifier);
	for (int lanes = FW_LANES_PLAIN; lanes <= FW_LANES_AVX512; lanes++) {
		if (!fw_lanes_choose((enum fw_lanes)lanes))
			continue;
		count_dense(r, 7, got);
		assert_memory_equal(got, expected, sizeof(got));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_more_matches_than_there_is_room_for_come_in_order),
		INET6_TEST(test_prefixes_of_all_lengths_that_contain_each_other),
		INET6_TEST(test_a_net_of_256_hosts_of_which_each_has_a_rule),
		INET6_TEST(test_rules_that_crowd_in_few_nets_are_told_apart),
		INET6_TEST(test_one_rule_that_is_not_compiled_is_not_decided),
		INET6_TEST(test_a_rule_follows_the_name_of_an_interface),
		INET6_TEST(test_changes_are_followed_and_compiled_in_the_end),
		INET6_TEST(test_the_sysctl_takes_the_classifier_away),
		INET6_TEST(test_compiled_rules_say_what_all_rules_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
