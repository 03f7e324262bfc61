/*
 * Unit tests of look-up tables (ipfw/table.c, table_hash.c, table_key.c, table_cmd.c): keys and values,
 * what packets find, limits, changes of many entries at once.
 */
#include "fw_stack.h"

#include "base/clock.h"
#include "base/rng.h"
#include "inet/in.h"
#include "ipfw/check.h"
#include "ipfw/table_internal.h"
#include "kern/sysctl.h"
#include "memif.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* --- helpers ------------------------------------------------------------------ */

static void
quietly(const char *line)
{
	expect_line(line, 0, "", "");
}

/* A table that a rule holds. */
static uint16_t
table_of(const char *name)
{
	int table = fw_table_ref(name);

	assert_true(table >= 0);
	return (uint16_t)table;
}

static uint32_t
addr4(const char *text)
{
	uint32_t addr;

	assert_true(in_aton(text, &addr));
	return addr;
}

/* What a packet finds: the value, or -1. */
static int64_t
find4(uint16_t table, const char *text)
{
	struct fw_value v;

	return fw_table_find4(table, addr4(text), &v) ? (int64_t)v.number : -1;
}

static int64_t
find6(uint16_t table, const char *text)
{
	struct fw_value v;
	struct in6 a;

	assert_true(in6_aton(text, &a));
	return fw_table_find6(table, &a, &v) ? (int64_t)v.number : -1;
}

static int64_t
find_number(uint16_t table, uint32_t number)
{
	struct fw_value v;

	return fw_table_find_number(table, number, &v) ? (int64_t)v.number : -1;
}

/* --- addresses ------------------------------------------------------------------ */

static void
test_the_longest_prefix_answers(void **state)
{
	uint16_t t;

	(void)state;
	quietly("ipfw table 1 add 0.0.0.0/0 1");
	quietly("ipfw table 1 add 10.0.0.0/8 2");
	quietly("ipfw table 1 add 10.1.2.3/16 3");
	quietly("ipfw table 1 add 10.1.2.3 4");
	t = table_of("1");
	assert_int_equal(find4(t, "192.0.2.1"), 1);
	assert_int_equal(find4(t, "10.200.0.1"), 2);
	assert_int_equal(find4(t, "10.1.255.255"), 3);
	assert_int_equal(find4(t, "10.1.2.3"), 4);
	quietly("ipfw table 1 delete 10.1.2.3 0.0.0.0/0");
	assert_int_equal(find4(t, "10.1.2.3"), 3);
	assert_int_equal(find4(t, "192.0.2.1"), -1);
	expect_line("ipfw table 1 list", 0, "10.0.0.0/8 2\n10.1.0.0/16 3\n", "");
	fw_table_rele(t);
}

static void
test_both_families_live_in_one_table(void **state)
{
	uint16_t t;

	(void)state;
	quietly("ipfw table 1 add 2001:db8::/32 6");
	quietly("ipfw table 1 add 2001:db8:0:0:1::/80 7");
	quietly("ipfw table 1 add ::/0 8");
	quietly("ipfw table 1 add ::1 9");
	quietly("ipfw table 1 add 0.0.0.0/0 4");
	t = table_of("1");
	assert_int_equal(find6(t, "2001:db8:ffff::1"), 6);
	assert_int_equal(find6(t, "2001:db8::1:2:3:4"), 7);
	assert_int_equal(find6(t, "fe80::1"), 8);
	assert_int_equal(find6(t, "::1"), 9);
	assert_int_equal(find4(t, "0.0.0.1"), 4);
	expect_line("ipfw table 1 list", 0,
	    "0.0.0.0/0 4\n::/0 8\n::1/128 9\n2001:db8::/32 6\n2001:db8:0:0:1::/80 7\n", "");
	fw_table_rele(t);
}

/* Behaviours 43: keys are in network order, on whatever processor. */
static void
test_b43_numbers_among_addresses_are_big_endian(void **state)
{
	uint16_t one, two;

	(void)state;
	quietly("ipfw table 1 add 10.0.0.0/8");
	quietly("ipfw table 2 add 80 5");
	quietly("ipfw table 2 add 1000 6");
	one = table_of("1");
	two = table_of("2");
	assert_int_equal(find4(one, "10.1.2.3"), 0);
	assert_int_equal(find4(one, "3.2.1.10"), -1);
	assert_int_equal(find_number(two, 80), 5);
	assert_int_equal(find_number(two, 1000), 6);
	assert_int_equal(find_number(two, 0x50000000), -1);
	assert_int_equal(find_number(one, 0x0a000001), 0);
	assert_int_equal(find_number(one, 10), -1);
	expect_line("ipfw table 2 list", 0, "0.0.0.80/32 5\n0.0.3.232/32 6\n", "");
	fw_table_rele(one);
	fw_table_rele(two);
}

/* Does the rule that says `options` match? */
static bool
rule_matches(const char *options, struct fw_packet *p)
{
	enum fw_match match;
	char line[128];

	snprintf(line, sizeof(line), "ipfw -q add 100 count ip from any to any %s", options);
	quietly(line);
	match = fw_rule_match(VNET(fw_map)->rule[0], p);
	quietly("ipfw -q delete 100");
	return match == FW_YES;
}

static void
test_b43_lookups_of_rules_match_the_right_keys_only(void **state)
{
	struct fw_packet p = { .ip = 4, .proto = 6, .has_ports = true, .sport = 1024, .dport = 80 };

	(void)state;
	quietly("ipfw table 1 add 10.0.0.0/8 7");
	quietly("ipfw table 2 add 80 9");
	p.dst = addr4("10.1.2.3");
	p.src = addr4("192.0.2.1");
	assert_true(rule_matches("lookup dst-ip 1", &p));
	assert_int_equal(p.tablearg, 7);
	assert_true(rule_matches("lookup dst-port 2", &p));
	assert_int_equal(p.tablearg, 9);
	assert_false(rule_matches("lookup src-ip 1", &p));
	assert_false(rule_matches("lookup src-port 2", &p));
	p.dst = addr4("3.2.1.10");
	p.dport = 80 << 8;
	assert_false(rule_matches("lookup dst-ip 1", &p));
	assert_false(rule_matches("lookup dst-port 2", &p));
}

static void
test_a_host_name_is_looked_up_when_it_is_added(void **state)
{
	(void)state;
	in_hosts_add("www", addr4("192.0.2.80"));
	quietly("ipfw table 1 add www 5");
	expect_line("ipfw table 1 list", 0, "192.0.2.80/32 5\n", "");
	in_hosts_clear();
}

/* --- other keys -------------------------------------------------------------------- */

static void
test_numbers_have_a_type_of_their_own(void **state)
{
	uint16_t t;

	(void)state;
	quietly("ipfw table ports create type number");
	quietly("ipfw table ports add 80 5 4294967295 6");
	t = table_of("ports");
	assert_int_equal(find_number(t, 80), 5);
	assert_int_equal(find_number(t, 4294967295), 6);
	assert_int_equal(find_number(t, 81), -1);
	assert_int_equal(find4(t, "0.0.0.80"), -1);
	expect_line("ipfw table ports list", 0, "80 5\n4294967295 6\n", "");
	expect_line("ipfw table ports add 1.2.3.4", 65, "",
	    "ipfw: table ports: '1.2.3.4' is no number of 32 bits\n");
	fw_table_rele(t);
}

static void
test_interfaces_are_found_by_the_name_they_have_now(void **state)
{
	struct memif lan;
	struct fw_value v;
	uint16_t t;

	(void)state;
	memif_open(&lan, 0);
	quietly("ipfw table lans create type iface");
	quietly("ipfw table lans add mem0 5 wan0 6");
	t = table_of("lans");
	assert_true(fw_table_find_iface(t, lan.ifp, &v));
	assert_int_equal(v.number, 5);
	assert_int_equal(if_rename(lan.ifp, "wan0"), 0);
	assert_true(fw_table_find_iface(t, lan.ifp, &v));
	assert_int_equal(v.number, 6);
	assert_int_equal(if_rename(lan.ifp, "other0"), 0);
	assert_false(fw_table_find_iface(t, lan.ifp, &v));
	expect_line("ipfw table lans list", 0, "mem0 5\nwan0 6\n", "");
	fw_table_rele(t);
	memif_close(&lan);
}

static void
test_a_table_nobody_created_takes_the_type_of_its_first_key(void **state)
{
	(void)state;
	quietly("ipfw table lans add em0");
	assert_true(says("ipfw table lans info", false, "type: iface"));
	expect_line("ipfw table hosts add www.example.org", 65, "", NULL);
	expect_line("ipfw table hosts list", 69, "", "ipfw: table hosts does not exist\n");
}

static void
test_flows_are_found_by_the_fields_of_the_table(void **state)
{
	struct fw_flow f = { .family = AF_INET, .proto = 6, .sport = 1024, .dport = 80 };
	struct fw_value v;
	uint16_t t;

	(void)state;
	f.src = addr4("192.0.2.1");
	f.dst = addr4("198.51.100.2");
	quietly("ipfw table flows create type flow:src-ip,proto,dst-port");
	quietly("ipfw table flows add 192.0.2.1,6,80 5");
	quietly("ipfw table flows add 2001:db8::1,6,80 6");
	t = table_of("flows");
	assert_true(fw_table_find_flow(t, &f, &v));
	assert_int_equal(v.number, 5);
	f.dst = 0;
	f.sport = 7;
	assert_true(fw_table_find_flow(t, &f, &v));
	f.dport = 81;
	assert_false(fw_table_find_flow(t, &f, &v));
	f.dport = 80;
	f.family = AF_INET6;
	in6_aton("2001:db8::1", &f.src6);
	assert_true(fw_table_find_flow(t, &f, &v));
	assert_int_equal(v.number, 6);
	fw_table_rele(t);
	expect_line("ipfw table flows list", 0, "192.0.2.1,6,80 5\n2001:db8::1,6,80 6\n", "");
	expect_line("ipfw table flows add 192.0.2.1,6", 65, "", NULL);
	expect_line("ipfw table flows add 192.0.2.1,6,80,90", 65, "", NULL);

	quietly("ipfw table all5 create type flow");
	quietly("ipfw table all5 add 192.0.2.1,17,53,192.0.2.2,1024");
	expect_line("ipfw table all5 list", 0, "192.0.2.1,17,53,192.0.2.2,1024 0\n", "");
	expect_line("ipfw table all5 add 192.0.2.1,17,53,2001:db8::1,1024", 65, "", NULL);
}

/* --- values --------------------------------------------------------------------------- */

static void
test_values_are_numbers_or_addresses(void **state)
{
	struct fw_value v;
	uint16_t t;

	(void)state;
	quietly("ipfw table 1 add 10.0.0.1 192.0.2.1 10.0.0.2 7 10.0.0.3 2001:db8::1");
	t = table_of("1");
	assert_true(fw_table_find4(t, addr4("10.0.0.1"), &v));
	assert_int_equal(v.family, AF_INET);
	assert_int_equal(v.number, 0xc0000201);
	assert_true(fw_table_find4(t, addr4("10.0.0.3"), &v));
	assert_int_equal(v.family, AF_INET6);
	assert_int_equal(v.addr6.b[15], 1);
	fw_table_rele(t);
	expect_line("ipfw table 1 list", 0,
	    "10.0.0.1/32 3221225985\n10.0.0.2/32 7\n10.0.0.3/32 2001:db8::1\n", "");
	expect_line("ipfw -i table 1 list", 0,
	    "10.0.0.1/32 192.0.2.1\n10.0.0.2/32 0.0.0.7\n10.0.0.3/32 2001:db8::1\n", "");

	quietly("ipfw table gw create valtype ipv4");
	quietly("ipfw table gw add 10.0.0.0/8 192.0.2.1");
	expect_line("ipfw table gw list", 0, "10.0.0.0/8 192.0.2.1\n", "");
	expect_line("ipfw table gw add 11.0.0.0/8 2001:db8::1", 65, "",
	    "ipfw: table gw: '2001:db8::1' is no value for ipv4\n");
	quietly("ipfw table st create valtype skipto");
	expect_line("ipfw table st add 11.0.0.0/8 1.2.3.4", 65, "", NULL);
	expect_line("ipfw table 1 add 10.0.0.9 x", 65, "", NULL);
}

/* --- changes ----------------------------------------------------------------------------- */

static void
test_what_is_there_can_be_added_again_with_q_only(void **state)
{
	(void)state;
	quietly("ipfw table 1 add 10.0.0.0/8 1");
	expect_line(
	    "ipfw table 1 add 10.0.0.0/8 2", 71, "", "ipfw: table 1: 10.0.0.0/8: File exists\n");
	expect_line("ipfw table 1 list", 0, "10.0.0.0/8 1\n", "");
	quietly("ipfw -q table 1 add 10.0.0.0/8 2");
	expect_line("ipfw table 1 list", 0, "10.0.0.0/8 2\n", "");
	expect_line(
	    "ipfw table 1 delete 11.0.0.0/8", 71, "", "ipfw: table 1: 11.0.0.0/8: No such entry\n");
	quietly("ipfw -q table 1 delete 11.0.0.0/8");
	quietly("ipfw -q table nowhere delete 11.0.0.0/8");
	expect_line("ipfw table 1 delete 10.0.0.0/9", 71, "", NULL);
}

static void
test_atomic_is_all_or_nothing(void **state)
{
	(void)state;
	quietly("ipfw table 1 add 10.0.0.3 9");
	expect_line("ipfw table 1 atomic add 10.0.0.1 1 10.0.0.2 2 10.0.0.3 3 10.0.0.4 4", 71, "",
	    "ipfw: table 1: 10.0.0.3: File exists\n");
	expect_line("ipfw table 1 list", 0, "10.0.0.3/32 9\n", "");
	expect_line("ipfw table 1 atomic delete 10.0.0.3 10.0.0.4", 71, "", NULL);
	expect_line("ipfw table 1 list", 0, "10.0.0.3/32 9\n", "");
	quietly("ipfw table 1 atomic add 10.0.0.1 1 10.0.0.2 2");
	/* one that comes and is replaced in the same command */
	quietly("ipfw -q table 1 atomic add 10.0.0.1 5 10.0.0.7 7 10.0.0.7 8");
	expect_line("ipfw table 1 list", 0,
	    "10.0.0.1/32 5\n10.0.0.2/32 2\n10.0.0.3/32 9\n10.0.0.7/32 8\n", "");
	quietly("ipfw table 1 atomic delete 10.0.0.1 10.0.0.2 10.0.0.3");
	expect_line("ipfw table 1 list", 0, "10.0.0.7/32 8\n", "");
	/* without it, those that can be added are */
	expect_line("ipfw table 1 add 10.0.0.6 1 10.0.0.7 2 10.0.0.8 3", 71, "",
	    "ipfw: table 1: 10.0.0.7: File exists\n");
	expect_line("ipfw table 1 list", 0, "10.0.0.6/32 1\n10.0.0.7/32 8\n10.0.0.8/32 3\n", "");
}

static void
test_without_memory_an_atomic_change_leaves_nothing(void **state)
{
	struct fw_table_change c[3] = {
		{ .key = { .kind = FW_KEYED_NUMBER, .words = 1, .w = { 1 } } },
		{ .key = { .kind = FW_KEYED_NUMBER, .words = 1, .w = { 2 } } },
		{ .key = { .kind = FW_KEYED_NUMBER, .words = 1, .w = { 3 } } },
	};
	struct fw_table *t;
	int error = -ENOMEM;

	(void)state;
	assert_int_equal(fw_table_make("1", &t), 0);
	for (uint64_t at = 1; error != 0; at++) {
		assert_int_equal(fw_hash_count(t->hash), 0);
		vnet_malloc_fail_at(at);
		error = fw_table_apply(t, FW_TABLE_ADD, c, 3, true);
		assert_true(error == 0 || error == -ENOMEM);
	}
	vnet_malloc_fail_at(0);
	assert_int_equal(fw_hash_count(t->hash), 3);
}

static void
test_swap_changes_what_rules_see_at_once(void **state)
{
	uint16_t a, b;

	(void)state;
	quietly("ipfw table a create");
	quietly("ipfw table b create");
	quietly("ipfw table n create type number");
	quietly("ipfw table a add 10.0.0.1 1");
	quietly("ipfw table b add 10.0.0.2 2 10.0.0.3 3");
	a = table_of("a");
	b = table_of("b");
	quietly("ipfw table a swap b");
	assert_int_equal(find4(a, "10.0.0.2"), 2);
	assert_int_equal(find4(a, "10.0.0.1"), -1);
	assert_int_equal(find4(b, "10.0.0.1"), 1);
	expect_line("ipfw table b list", 0, "10.0.0.1/32 1\n", "");
	expect_line("ipfw table a swap n", 71, "", "ipfw: table a: tables of different types\n");
	quietly("ipfw table b modify limit 1");
	expect_line("ipfw table a swap b", 71, "", NULL);
	expect_line("ipfw table a swap nowhere", 69, "", "ipfw: table nowhere does not exist\n");
	fw_table_rele(a);
	fw_table_rele(b);
}

static void
test_a_locked_table_stays_as_it_is(void **state)
{
	(void)state;
	quietly("ipfw table 1 add 10.0.0.1");
	quietly("ipfw table 1 lock");
	expect_line("ipfw table 1 add 10.0.0.2", 71, "", "ipfw: table 1: the table is locked\n");
	expect_line("ipfw table 1 delete 10.0.0.1", 71, "", NULL);
	expect_line("ipfw table 1 flush", 71, "", NULL);
	quietly("ipfw table 1 unlock");
	quietly("ipfw table 1 flush");
	expect_line("ipfw table 1 list", 0, "", "");
}

/* --- tables -------------------------------------------------------------------------------- */

static void
test_all_shows_what_has_entries(void **state)
{
	(void)state;
	quietly("ipfw table 5 add 10.0.0.1 1");
	quietly("ipfw table blocklist create");
	quietly("ipfw table 7 add 10.0.0.2 2");
	expect_line("ipfw table all list", 0,
	    "---table(5)---\n10.0.0.1/32 1\n---table(7)---\n10.0.0.2/32 2\n", "");
	assert_true(says("ipfw table all list", true, "\"key\":\"10.0.0.2/32\""));
	quietly("ipfw table all flush");
	expect_line("ipfw table all list", 0, "", "");
	/* numbers are empty tables, whether anybody has used them or not */
	expect_line("ipfw table 9 list", 0, "", "");
	expect_line("ipfw table 128 list", 65, "", NULL);
	expect_line("ipfw table nowhere list", 69, "", "ipfw: table nowhere does not exist\n");
}

static void
test_a_table_is_created_once(void **state)
{
	(void)state;
	quietly("ipfw table x create type number valtype skipto limit 5 algo number:array");
	expect_line("ipfw table x info", 0, NULL, "");
	assert_true(says("ipfw table x info", false, "--- table(x), set(0) ---"));
	assert_true(says("ipfw table x info", false, "type: number"));
	assert_true(says("ipfw table x info", false, "valtype: skipto"));
	assert_true(says("ipfw table x info", false, " limit: 5"));
	expect_line("ipfw table x create", 71, "", "ipfw: table x: File exists\n");
	expect_line("ipfw table x create missing", 65, "", NULL);
	quietly("ipfw table x create type number valtype skipto missing");
	quietly("ipfw table x add 1 100");
	quietly("ipfw table x create type number valtype skipto or-flush");
	expect_line("ipfw table x list", 0, "", "");
	quietly("ipfw table x destroy");
	expect_line("ipfw table x destroy", 69, "", "ipfw: table x does not exist\n");
	quietly("ipfw -q table x destroy");
	quietly("ipfw table 22 destroy");
	expect_line("ipfw table x create type colour", 65, "", NULL);
	expect_line("ipfw table x create type", 64, "", NULL);
	expect_line("ipfw table 'a(b' create", 65, "", NULL);
	expect_line("ipfw table x create algo 'addr:hash masks=/24,/64'", 65, "", NULL);
}

static void
test_a_table_that_rules_need_is_not_destroyed(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 deny ip from table(bad) to any");
	expect_line(
	    "ipfw table bad destroy", 71, "", "ipfw: table bad: rules refer to the table\n");
	quietly("ipfw -q flush");
	/* nobody had created it */
	expect_line("ipfw table bad list", 69, "", NULL);
}

static void
test_lookup_says_which_entry_answers(void **state)
{
	(void)state;
	quietly("ipfw table 1 add 10.0.0.0/8 1 10.1.0.0/16 2");
	expect_line("ipfw table 1 lookup 10.1.2.3", 0, "10.1.0.0/16 2\n", "");
	expect_line(
	    "ipfw table 1 lookup 11.1.2.3", 69, "", "ipfw: table 1: 11.1.2.3: No such entry\n");
}

/* --- limits and size -------------------------------------------------------------------------- */

static void
test_a_full_table_refuses_and_counts(void **state)
{
	(void)state;
	quietly("ipfw table x create limit 2");
	quietly("ipfw table x add 10.0.0.1 1 10.0.0.2 2");
	expect_line(
	    "ipfw table x add 10.0.0.3", 71, "", "ipfw: table x: 10.0.0.3: the table is full\n");
	quietly("ipfw -q table x add 10.0.0.2 5");
	expect_line("sysctl -n net.inet.ip.fw.table_refused", 0, "1\n", "");
	quietly("ipfw table x modify limit 0");
	quietly("ipfw table x add 10.0.0.3");
	expect_line("sysctl net.inet.ip.fw.table_entries_max=3", 0, NULL, "");
	expect_line("ipfw table x add 10.0.0.4", 71, "", NULL);
	expect_line("sysctl -n net.inet.ip.fw.table_refused", 0, "2\n", "");
}

static void
test_there_are_only_so_many_tables(void **state)
{
	(void)state;
	expect_line("sysctl net.inet.ip.fw.tables_max=3", 0, NULL, "");
	quietly("ipfw table a create");
	quietly("ipfw table b create");
	quietly("ipfw table 2 add 10.0.0.1");
	expect_line("ipfw table c create", 69, "",
	    "ipfw: table c: there are net.inet.ip.fw.tables_max tables\n");
	expect_line("ipfw table 3 list", 65, "",
	    "ipfw: table 3: numbers of tables end below net.inet.ip.fw.tables_max\n");
	quietly("ipfw table a destroy");
	quietly("ipfw table c create");
}

/* The same entries in a list, tried one by one: the reference. */
struct plain {
	uint32_t addr, mask, value;
	bool there;
};

static int64_t
plain_find(const struct plain *p, uint32_t n, uint32_t host)
{
	const struct plain *best = NULL;

	for (uint32_t i = 0; i < n; i++)
		if (p[i].there && (host & p[i].mask) == p[i].addr &&
		    (best == NULL || p[i].mask > best->mask))
			best = &p[i];
	return best == NULL ? -1 : (int64_t)best->value;
}

static void
change_of(const struct plain *p, struct fw_table_change *c)
{
	*c = (struct fw_table_change){ .key = { .kind = FW_KEYED_IP4,
					   .plen = (uint8_t)__builtin_popcount(p->mask),
					   .words = 1,
					   .w = { p->addr } },
		.value = { .number = p->value } };
}

static void
test_a_table_agrees_with_a_plain_list_at_every_step(void **state)
{
	enum { ENTRIES = 300, STEPS = 20000 };
	static struct plain p[ENTRIES];
	struct fw_table_change c;
	struct fw_table *t;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "table");
	assert_int_equal(fw_table_make("1", &t), 0);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		unsigned plen = (unsigned)rng_below(&rng, 33);

		/* of few bits, so that they lie in one another */
		p[i].mask = UINT32_MAX ^ (uint32_t)(UINT64_C(0xffffffff) >> plen);
		p[i].addr = (uint32_t)rng_u64(&rng) & UINT32_C(0xc1030107) & p[i].mask;
		p[i].value = i;
	}
	for (uint32_t step = 0; step < STEPS; step++) {
		struct plain *one = &p[rng_below(&rng, ENTRIES)];
		uint32_t host = (uint32_t)rng_u64(&rng) & UINT32_C(0xc103010f);
		struct fw_value v;
		int error;

		change_of(one, &c);
		error = fw_table_apply(t, one->there ? FW_TABLE_DELETE : FW_TABLE_ADD, &c, 1,
		    rng_below(&rng, 10) == 0);
		/* the same prefix twice in the list: the first one has it */
		if (error == 0)
			one->there = !one->there;
		else
			assert_int_equal(error, -EEXIST);
		assert_int_equal(
		    fw_table_find4(t->index, __builtin_bswap32(host), &v) ? (int64_t)v.number : -1,
		    plain_find(p, ENTRIES, host));
		if (step % 64 == 0)
			rcu_poll();
	}
}

/* --- large ones: lengths are known by net ----------------------------------------- */

/* So many that the table knows lengths by nets of 16 bits, and of 20. */
enum { PREFIXES = 400, FILLERS = 40000, MORE_FILLERS = 140000 };

struct prefix {
	uint32_t net;
	uint8_t plen;
	bool gone;
};

static void
change_prefix(struct fw_table *t, enum fw_table_how how, uint32_t net, uint8_t plen, uint32_t value)
{
	struct fw_table_change c = {
		.key = { .kind = FW_KEYED_IP4, .plen = plen, .words = 1, .w = { net } },
		.value.number = value
	};

	assert_int_equal(fw_table_apply(t, how, &c, 1, false), 0);
}

static bool
is_in_prefix(uint32_t addr, const struct prefix *p)
{
	return p->plen == 0 || (addr ^ p->net) >> (32 - p->plen) == 0;
}

/* The value that a plain list gives; -1. */
static int64_t
longest_of(const struct prefix *p, uint32_t addr)
{
	int64_t best = -1;

	for (int i = 0; i < PREFIXES; i++)
		if (!p[i].gone && is_in_prefix(addr, &p[i]) &&
		    (best < 0 || p[i].plen >= p[best].plen))
			best = i;
	return best;
}

static void
check_prefixes(const struct fw_table *t, const struct prefix *p, struct rng *rng)
{
	struct fw_value v;

	for (int i = 0; i < 20000; i++) {
		/* mostly inside some prefix, at its edges too */
		const struct prefix *in = &p[rng_below(rng, PREFIXES)];
		uint32_t addr = in->net ^ (uint32_t)(rng_u64(rng) >> 32 >> rng_below(rng, 32));
		int64_t expected = longest_of(p, addr);

		if (addr >> 24 == 240)
			continue;
		assert_int_equal(
		    fw_table_find4(t->index, __builtin_bswap32(addr), &v), expected >= 0);
		if (expected >= 0)
			assert_int_equal(p[v.number].plen, p[expected].plen);
	}
}

static void
prefixes_of_all_lengths(uint32_t fillers)
{
	static struct prefix p[PREFIXES];
	struct fw_table *t;
	struct rng rng;

	memset(p, 0, sizeof(p));
	rng_seed(&rng, 5, "prefixes");
	assert_int_equal(fw_table_make("1", &t), 0);
	for (uint32_t i = 0; i < fillers; i++) /* in 240.0.0.0/8 */
		change_prefix(t, FW_TABLE_ADD, 0xf0000000 + i * 109, 32, UINT32_MAX);
	for (int i = 0; i < PREFIXES; i++) {
		p[i].plen = (uint8_t)(i % 33);
		p[i].net = p[i].plen == 0 ?
		    0 :
		    (uint32_t)rng_below(&rng, 0xf0000000) >> (32 - p[i].plen) << (32 - p[i].plen);
		change_prefix(t, FW_TABLE_SET, p[i].net, p[i].plen, (uint32_t)i);
	}
	check_prefixes(t, p, &rng);
	/* lengths and nets that nobody has any more, and one that comes back */
	for (int i = 0; i < PREFIXES; i++) {
		struct fw_table_change c = { .key = { .kind = FW_KEYED_IP4,
						 .plen = p[i].plen,
						 .words = 1,
						 .w = { p[i].net } } };

		if (p[i].plen == 0 || p[i].plen == 9 || i % 3 == 0) {
			(void)fw_table_apply(t, FW_TABLE_DELETE, &c, 1, false);
			for (int k = 0; k < PREFIXES; k++) /* its twins */
				p[k].gone |= p[k].net == p[i].net && p[k].plen == p[i].plen;
		}
	}
	check_prefixes(t, p, &rng);
	p[0].gone = false;
	change_prefix(t, FW_TABLE_ADD, p[0].net, p[0].plen, 0);
	check_prefixes(t, p, &rng);
}

static void
test_a_large_table_finds_prefixes_of_all_lengths(void **state)
{
	(void)state;
	prefixes_of_all_lengths(FILLERS);
}

static void
test_a_larger_table_finds_prefixes_of_all_lengths(void **state)
{
	(void)state;
	prefixes_of_all_lengths(MORE_FILLERS);
}

static void
test_a_value_that_took_the_place_of_another_is_the_one_found(void **state)
{
	struct fw_table *t;
	struct fw_value v;

	(void)state;
	assert_int_equal(fw_table_make("1", &t), 0);
	change_prefix(t, FW_TABLE_ADD, 0xc0000200, 24, 5);
	change_prefix(t, FW_TABLE_SET, 0xc0000200, 24, 6);
	assert_true(fw_table_find4(t->index, __builtin_bswap32(0xc0000201), &v));
	assert_int_equal(v.number, 6);
	/* a copy of the slots, as a grown table has */
	for (uint32_t i = 0; i < 100; i++)
		change_prefix(t, FW_TABLE_ADD, 0x0a000000 + i, 32, i);
	assert_true(fw_table_find4(t->index, __builtin_bswap32(0xc0000201), &v));
	assert_int_equal(v.number, 6);
	quietly("ipfw table h create valtype ipv4");
	quietly("ipfw -q table h add 10.0.0.0/8 192.0.2.1");
	quietly("ipfw -q table h add 10.0.0.0/8 192.0.2.2");
	assert_int_equal(find4(table_of("h"), "10.1.1.1"), 0xc0000202);
}

static void
test_a_million_entries_come_and_go(void **state)
{
	enum { MILLION = 1000000 };
	struct fw_table_change c = { .key = { .kind = FW_KEYED_IP4, .plen = 32, .words = 1 } };
	struct fw_table *t;
	struct fw_value v;

	(void)state;
	assert_int_equal(fw_table_make("1", &t), 0);
	for (uint32_t i = 0; i < MILLION; i++) {
		c.key.plen = i % 2 == 0 ? 32 : 24;
		c.key.w[0] = i % 2 == 0 ? i * 4099u : (i * 4099u) & ~255u;
		c.value.number = i;
		(void)fw_table_apply(t, FW_TABLE_SET, &c, 1, false);
	}
	assert_true(fw_hash_count(t->hash) > MILLION * 9 / 10);
	assert_true(fw_table_find4(t->index, __builtin_bswap32(4000u * 4099u), &v));
	assert_int_equal(v.number, 4000);
	assert_int_equal(fw_table_flush(t), 0);
	assert_false(fw_table_find4(t->index, __builtin_bswap32(4000u * 4099u), &v));
}

static void
test_a_stack_ends_with_its_tables(void **state)
{
	(void)state;
	quietly("jail -c name=r1 vnet persist");
	quietly("jexec r1 ipfw table blocklist add 10.0.0.1 5");
	quietly("jexec r1 ipfw -q add deny ip from table(blocklist) to any");
	expect_line(
	    "jexec r1 ipfw table all list", 0, "---table(blocklist)---\n10.0.0.1/32 5\n", "");
	quietly("jail -r r1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_the_longest_prefix_answers),
		FW_TEST(test_both_families_live_in_one_table),
		FW_TEST(test_b43_numbers_among_addresses_are_big_endian),
		FW_TEST(test_b43_lookups_of_rules_match_the_right_keys_only),
		FW_TEST(test_a_host_name_is_looked_up_when_it_is_added),
		FW_TEST(test_numbers_have_a_type_of_their_own),
		FW_TEST(test_interfaces_are_found_by_the_name_they_have_now),
		FW_TEST(test_a_table_nobody_created_takes_the_type_of_its_first_key),
		FW_TEST(test_flows_are_found_by_the_fields_of_the_table),
		FW_TEST(test_values_are_numbers_or_addresses),
		FW_TEST(test_what_is_there_can_be_added_again_with_q_only),
		FW_TEST(test_atomic_is_all_or_nothing),
		FW_TEST(test_without_memory_an_atomic_change_leaves_nothing),
		FW_TEST(test_swap_changes_what_rules_see_at_once),
		FW_TEST(test_a_locked_table_stays_as_it_is),
		FW_TEST(test_all_shows_what_has_entries),
		FW_TEST(test_a_table_is_created_once),
		FW_TEST(test_a_table_that_rules_need_is_not_destroyed),
		FW_TEST(test_lookup_says_which_entry_answers),
		FW_TEST(test_a_full_table_refuses_and_counts),
		FW_TEST(test_there_are_only_so_many_tables),
		FW_TEST(test_a_table_agrees_with_a_plain_list_at_every_step),
		FW_TEST(test_a_large_table_finds_prefixes_of_all_lengths),
		FW_TEST(test_a_larger_table_finds_prefixes_of_all_lengths),
		FW_TEST(test_a_value_that_took_the_place_of_another_is_the_one_found),
		FW_TEST(test_a_million_entries_come_and_go),
		FW_TEST(test_a_stack_ends_with_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
