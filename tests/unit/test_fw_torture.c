/*
 * What the firewall must live through as a whole: stacks that come and go with all of it in use,
 * interfaces that are renamed, moved and destroyed under rules, states and NAT, changes without memory,
 * as many rules as there are numbers.
 */
#include "fw_taker.h"

#include "base/rcu.h"
#include "ipfw/auth.h"
#include "ipfw/state.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
enum { STACKS = 200 };
#else
enum { STACKS = 1000 };
#endif

static struct vnet *
stack_of(const char *jail)
{
	return prison_find(&prison0, jail)->vnet;
}

/* A TCP segment that the jail's stack sends by itself. */
static void
send_tcp(const char *jail, const char *src, uint16_t sport, const char *dst, uint16_t dport,
    uint8_t flags, uint32_t seq, uint32_t ack)
{
	VNET_SCOPE(stack_of(jail));
	struct mbuf *m = tcp(src, sport, dst, dport, flags);

	store32(m->data + 24, __builtin_bswap32(seq));
	store32(m->data + 28, __builtin_bswap32(ack));
	m_adj(m, 20);
	m->rcvif = NULL;
	ip_output(m, a4(src), a4(dst), IPPROTO_TCP_, NULL);
	settle();
}

/* Packets that the rule has met. */
static uint64_t
met(const char *jail, unsigned number)
{
	unsigned long long n, packets = 0;
	char line[64], *out = NULL;

	snprintf(line, sizeof(line), "ipfw -a list %u", number);
	assert_int_equal(verb_line(prison_find(&prison0, jail), line, false, &out, NULL), 0);
	assert_int_equal(sscanf(out, "%llu %llu", &n, &packets), 2);
	free(out);
	return packets;
}

static void
pass_s(uint64_t seconds)
{
	sched_run(clock_now() + seconds * NS_PER_SEC);
}

/* --- stacks --------------------------------------------------------------------------------------- */

static void
live_and_end(struct taker *judge, int round)
{
	static const char *const lines[] = { "ifconfig lo0 inet 127.0.0.1/8 up",
		"ipfw table 1 add 127.0.0.0/8 7 2001:db8::/32 8",
		"ipfw table lans create type iface", "ipfw table lans add lo0",
		"ipfw -q nat 1 config if lo0 log redirect_port tcp 127.0.0.9:80 80",
		"ipfw -q add 50 count log logamount 2 ip from table(1) to any via table(lans)",
		"ipfw -q add 100 set 3 skipto tablearg ip from any to table(2)",
		"ipfw -q add 110 divert 9 tag 5 ip from any to any 9 out",
		"ipfw -q add 120 auth ip from any to any 7 out",
		"ipfw -q add 130 nat 1 ip from any to any 5 out",
		"ipfw -q add 200 allow ip from any to any keep-state :x",
		"ipfw -q add 210 allow ip from any to any limit src-addr 3",
		"sysctl net.inet.ip.fw.one_pass=0", "ipfw set disable 3" };
	static struct taker program; /* a test that fails leaves it listening */
	char name[16];

	snprintf(name, sizeof(name), "n%d", round);
	assert_non_null(prison_create(NULL, name, true));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		command_in(name, lines[i]);
	{
		VNET_SCOPE(stack_of(name));

		taker_make(judge, FW_ACT_AUTH, 0);
		assert_int_equal(fw_auth_listen(&judge->l), 0);
		taker_listen(&program, FW_ACT_DIVERT, 9);
		for (uint16_t port = 3; port < 12; port++)
			send_tcp(name, "127.0.0.1", 1000, "127.0.0.1", port, SYN, 1, 0);
		assert_int_equal(program.got.len, 1);
		assert_int_equal(fw_auth_held(), 1);
		assert_true(fw_state_count() > 3);
	}
	assert_int_equal(prison_remove(prison_find(&prison0, name)), 0);
	assert_true(judge->gone && program.gone);
	mbufq_drain(&judge->got);
	mbufq_drain(&program.got);
}

static void
test_stacks_that_use_all_of_it_leave_memory_flat(void **state)
{
	struct audit_counts before;
	uint64_t vnet_bytes = 0;
	static struct taker judge;
	char leaks[256];

	(void)state;
	for (int i = 0; i < STACKS; i++) {
		live_and_end(&judge, i);
		if (i % 50 != 49)
			continue;
		pass_s(60);
		rcu_synchronize();
		if (i == 49) {
			audit_take(&before);
			vnet_bytes = vnet_memory();
		}
	}
	if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
		fail_msg("%s", leaks);
	assert_int_equal(vnet_memory(), vnet_bytes);
}

/* Who only looks, and packets that pass, take nothing. */
static void
test_a_stack_that_never_heard_of_rules_has_nothing_of_them(void **state)
{
	static const char *const looks[] = { "ipfw list", "ipfw -d show", "ipfw set show",
		"ipfw nat show config", "ipfw table all list", "ipfw auth show",
		"ipfw -n add allow ip from any to any", "sysctl net.inet.ip.fw",
		"sysctl net.link.ether.ipfw" };
	uint64_t before;

	(void)state;
	command("jail -c name=n vnet persist");
	command_in("n", "ifconfig lo0 inet 127.0.0.1/8 up");
	pass_s(60);
	send_tcp("n", "127.0.0.1", 1, "127.0.0.1", 2, SYN, 1, 0);
	rcu_synchronize();
	before = vnet_memory();
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		command_in("n", looks[i]);
	send_tcp("n", "127.0.0.1", 1, "127.0.0.1", 2, SYN, 1, 0);
	rcu_synchronize();
	assert_int_equal(vnet_memory(), before);
}

/* --- interfaces ----------------------------------------------------------------------------------- */

/* Rules and tables know names: that of today counts. */
static void
test_rules_follow_an_interfaces_name(void **state)
{
	(void)state;
	chain(3);
	command_in("n2", "ipfw table lans add epair2a 7");
	command_in("n2", "ipfw -q add 100 count ip from any to any xmit epair2a");
	command_in("n2", "ipfw -q add 110 count ip from any to any xmit wan");
	command_in("n2", "ipfw -q add 120 count ip from any to any xmit table(lans)");
	command_in("n2", "ipfw -q add 200 allow ip from any to any");
	send_tcp("n1", "10.1.0.1", 1, "10.2.0.2", 2, SYN, 1, 0);
	assert_int_equal(met("n2", 100), 1);
	assert_int_equal(met("n2", 120), 1);
	command_in("n2", "ifconfig epair2a name wan");
	send_tcp("n1", "10.1.0.1", 1, "10.2.0.2", 2, SYN, 1, 0);
	assert_int_equal(met("n2", 100), 1);
	assert_int_equal(met("n2", 110), 1);
	assert_int_equal(met("n2", 120), 1);
}

/* NAT's interface leaves for another stack; links end in time, and nobody is translated meanwhile. */
static void
test_states_and_nat_survive_an_interface_that_leaves(void **state)
{
	static struct taker program; /* a test that fails leaves it listening */

	(void)state;
	chain(3);
	command_in("n2", "ipfw -q nat 1 config if epair2a reset");
	command_in("n2", "ipfw -q add 100 nat 1 ip from any to any via epair2a");
	command_in("n2", "ipfw -q add 150 divert 9 ip from any to any 9 in recv epair1b");
	command_in("n2", "ipfw -q add 200 allow ip from any to any keep-state");
	{
		VNET_SCOPE(stack_of("n2"));
		taker_listen(&program, FW_ACT_DIVERT, 9);
	}
	send_tcp("n1", "10.1.0.1", 1, "10.2.0.2", 2, SYN, 1, 0);
	send_tcp("n1", "10.1.0.1", 1, "10.2.0.2", 9, SYN, 1, 0);
	assert_int_equal(program.got.len, 1);
	command("ifconfig epair2a -vnet n2");
	command("ifconfig epair2a vnet n1");
	send_tcp("n1", "10.1.0.1", 1, "10.2.0.2", 2, SYN, 1, 0);
	command("jail -c name=other vnet persist");
	command("ifconfig epair1b -vnet n2");
	command("ifconfig epair1b vnet other");
	{
		VNET_SCOPE(stack_of("n2"));

		taker_give_back(&program); /* by what came it in? */
		assert_int_equal(drops("if.gone"), 1);
		taker_end(&program);
	}
	command("ifconfig epair2a -vnet n1");
	command("ifconfig epair2a destroy");
	pass_s(400);
	{
		VNET_SCOPE(stack_of("n2"));
		assert_int_equal(fw_state_count(), 0);
	}
}

/* Held packets of a rule that is deleted, of a stack whose rules are flushed. */
static void
test_rules_may_go_while_packets_wait_for_a_judge(void **state)
{
	static struct taker judge;

	(void)state;
	router();
	command("sysctl net.inet.ip.fw.one_pass=0");
	taker_make(&judge, FW_ACT_AUTH, 0);
	assert_int_equal(fw_auth_listen(&judge.l), 0);
	command("ipfw -q add 100 auth ip from any to any in");
	command("ipfw -q add 200 allow ip from any to any");
	for (int i = 0; i < 3; i++)
		comes_in(&lan, udp("10.0.0.2", 1, "10.1.0.2", 53, 0));
	assert_int_equal(fw_auth_held(), 3);
	command("ipfw delete 100");
	command("ipfw auth pass 1");
	settle();
	assert_int_equal(wan.sent.len, 1);
	command("ipfw -q flush");
	command("ipfw auth pass all");
	settle();
	assert_int_equal(wan.sent.len, 1); /* the default rule denies */
	taker_end(&judge);
}

/* --- memory --------------------------------------------------------------------------------------- */

static const char *const changes[] = {
	"ipfw -q add 100 set 3 count log tag 3 tcp from 10.0.0.0/8,192.0.2.1 to table(4) 80,443 via table(5) // text",
	"ipfw -q add 110 allow udp from any to { 2001:db8::1,2001:db8::2 or me6 } flow table(6) limit src-addr 2 :s",
	"ipfw table 1 add 10.0.0.0/8 1 2001:db8::/32 2",
	"ipfw table 1 atomic add 10.1.0.0/16 1 10.2.0.0/16 2",
	"ipfw table flows create type flow",
	"ipfw table flows add 10.0.0.1,6,1,10.0.0.2,2 3",
	"ipfw table 1 swap 2",
	"ipfw -q nat 1 config ip 192.0.2.1 redirect_port tcp 10.0.0.5:80,10.0.0.6:80 80 redirect_addr 10.0.0.7 192.0.2.10",
	"ipfw set move rule 100 to 5",
	"ipfw set swap 5 6",
	"ipfw set disable 6",
	"ipfw list",
	"ipfw -d list",
	"ipfw nat show config",
	"ipfw table all list",
	"ipfw explain 'tcp 10.0.0.1:1 -> 10.0.0.2:80 in via mem0'",
	"ipfw delete 100",
	"ipfw nat 1 delete",
};

static const char *const clearing[] = { "ipfw -q flush", "ipfw set enable 6", "ipfw nat 1 delete",
	"ipfw table 1 destroy", "ipfw table 2 destroy", "ipfw table flows destroy" };

static void
run_changes(void)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *out = NULL, *err = NULL;

		verb_line(NULL, changes[i], false, &out, &err);
		free(out);
		free(err);
		comes_in(&lan, udp("10.0.0.2", (uint16_t)(i + 1), "10.0.0.1", 53, 0));
	}
	/* without memory the first try leaves all as it is */
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(clearing) / sizeof(clearing[0]); k++)
			verb_line(NULL, clearing[k], false, NULL, NULL);
	memif_clear(&lan);
	sched_run(clock_now() + 3600 * NS_PER_SEC);
	rcu_synchronize();
}

static void
test_whichever_allocation_fails_nothing_is_left(void **state)
{
	struct audit_counts before;
	char leaks[256];
	bool more = true;
	uint64_t n;

	(void)state;
	run_changes();
	audit_take(&before);
	for (n = 1; more; n++) {
		vnet_malloc_fail_at(n);
		run_changes();
		more = !vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
			fail_msg("allocation %d: %s", (int)n, leaks);
	}
	assert_true(n > 40);
}

/* --- many rules ----------------------------------------------------------------------------------- */

/* A rule a number, and as many again behind the last one. */
static void
test_every_number_has_a_rule_and_the_last_one_many(void **state)
{
	char line[64], *out = NULL;

	(void)state;
	command("sysctl net.inet.ip.fw.autoinc_step=1");
	fw_change_begin();
	for (unsigned i = 1; i < 65535; i++) {
		snprintf(
		    line, sizeof(line), "%u count ip from 10.0.%u.%u to any", i, i >> 8, i & 255);
		add(line);
	}
	for (unsigned i = 0; i < 5000; i++)
		add("count tcp from any to any");
	assert_int_equal(fw_change_end(), 0);
	add("65534 allow ip from any to any");
	comes_in(&lan, udp("10.0.0.2", 1, "10.0.0.1", 53, 0));
	assert_int_equal(verb_line(NULL, "ipfw -a list 2 65534", false, &out, NULL), 0);
	assert_non_null(strstr(out, "00002 1 28 count ip from 10.0.0.2 to any\n"));
	assert_non_null(strstr(out, " allow ip from any to any\n"));
	free(out);
	assert_int_equal(
	    verb_line(NULL, "sysctl -n net.inet.ip.fw.static_count", false, &out, NULL), 0);
	assert_string_equal(out, "70536\n");
	free(out);
	command("ipfw delete 1-65534");
	assert_int_equal(
	    verb_line(NULL, "sysctl -n net.inet.ip.fw.static_count", false, &out, NULL), 0);
	assert_string_equal(out, "1\n");
	free(out);
}

/* --- keepalives ----------------------------------------------------------------------------------- */

/*
 * n1 - n2 - n3 - n4; n2 keeps states, and asks both ends of a silent connection. Its own rules don't see
 * the segments (else they would prolong what they ask about), those of n3 do.
 */
static void
test_keepalives_pass_the_rules_of_their_own_stack_only(void **state)
{
	uint64_t at_n2, at_n3;

	(void)state;
	chain(4);
	command_in("n2", "sysctl net.link.ether.ipfw=1");
	command_in("n2", "ipfw -q add 10 allow ip from any to any layer2 not mac-type ip");
	command_in("n2", "ipfw -q add 20 count tcp from any to any");
	command_in("n2", "ipfw -q add 30 allow ip from any to any layer2 in");
	command_in("n2", "ipfw -q add 100 check-state");
	command_in("n2", "ipfw -q add 200 allow tcp from 10.1.0.1 to any setup keep-state");
	command_in("n3", "ipfw -q add 20 count tcp from any to any");
	command_in("n3", "ipfw -q add 200 allow ip from any to any");
	send_tcp("n1", "10.1.0.1", 7, "10.3.0.2", 80, SYN, 100, 0);
	send_tcp("n4", "10.3.0.2", 80, "10.1.0.1", 7, SYN | ACK, 500, 101);
	send_tcp("n1", "10.1.0.1", 7, "10.3.0.2", 80, ACK, 101, 501);
	assert_int_equal(met("n3", 20), 6);
	at_n2 = met("n2", 20);
	at_n3 = met("n3", 20);
	pass_s(279);
	assert_int_equal(met("n3", 20), at_n3);
	/* four to each end; those to n4 come in and go out of n3 */
	pass_s(30);
	assert_int_equal(met("n3", 20), at_n3 + 8);
	assert_int_equal(met("n2", 20), at_n2);
	{
		VNET_SCOPE(stack_of("n2"));
		assert_int_equal(fw_state_count(), 0);
	}
}

/* The ends answer: the connection is held for as long as they do. */
static void
test_an_idle_connection_is_held_while_its_ends_answer(void **state)
{
	uint64_t seen;

	(void)state;
	chain(4);
	command_in("n2", "ipfw -q add 100 check-state");
	command_in("n2", "ipfw -q add 200 allow tcp from 10.1.0.1 to any setup keep-state");
	command_in("n3", "ipfw -q add 20 count tcp from any to any in recv epair2b");
	command_in("n3", "ipfw -q add 200 allow ip from any to any");
	send_tcp("n1", "10.1.0.1", 7, "10.3.0.2", 80, SYN, 100, 0);
	send_tcp("n4", "10.3.0.2", 80, "10.1.0.1", 7, SYN | ACK, 500, 101);
	send_tcp("n1", "10.1.0.1", 7, "10.3.0.2", 80, ACK, 101, 501);
	seen = met("n3", 20);
	for (int i = 0; i < 2000; i++) {
		pass_s(1);
		if (met("n3", 20) > seen) {
			/* what n4 would say, were there a TCP */
			send_tcp("n4", "10.3.0.2", 80, "10.1.0.1", 7, ACK, 501, 101);
			seen = met("n3", 20);
		}
	}
	{
		VNET_SCOPE(stack_of("n2"));
		assert_int_equal(fw_state_count(), 1);
	}
	/* 2000 s are six times its life and a bit */
	assert_in_range(seen, 2 + 6, 2 + 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_stacks_that_use_all_of_it_leave_memory_flat),
		INET_TEST(test_a_stack_that_never_heard_of_rules_has_nothing_of_them),
		INET_TEST(test_rules_follow_an_interfaces_name),
		INET_TEST(test_states_and_nat_survive_an_interface_that_leaves),
		INET6_TEST(test_rules_may_go_while_packets_wait_for_a_judge),
		INET6_TEST(test_whichever_allocation_fails_nothing_is_left),
		INET6_TEST(test_every_number_has_a_rule_and_the_last_one_many),
		INET_TEST(test_keepalives_pass_the_rules_of_their_own_stack_only),
		INET_TEST(test_an_idle_connection_is_held_while_its_ends_answer),
	};

	return cmocka_run_group_tests_name("ipfw/torture", tests, NULL, NULL);
}
