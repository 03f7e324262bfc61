/*
 * Unit tests of the walk over the rules (ipfw/check.c): who ends it, who goes on, where it jumps,
 * what is counted, and what states do to it.
 */
#include "fw_packets.h"

#include "ipfw/classify.h"
#include "ipfw/state.h"

/* What a doer was asked for, in order: "tag 5, tee 9, log 100". */
struct notes {
	struct fw_doer doer;
	char text[512];
};

static void
note(struct notes *n, const char *what, uint32_t arg)
{
	size_t len = strlen(n->text);

	snprintf(n->text + len, sizeof(n->text) - len, "%s%s %u", len > 0 ? ", " : "", what, arg);
}

static void
note_effect(
    struct fw_doer *d, const struct fw_map *map, const struct fw_effect *e, struct fw_packet *p)
{
	static const char *const names[] = {
		[FW_ACT_TEE] = "tee",
		[FW_ACT_NGTEE] = "ngtee",
		[FW_ACT_SETFIB] = "setfib",
		[FW_ACT_SETDSCP] = "setdscp",
		[FW_ACT_TCP_SETMSS] = "setmss",
		[FW_EFFECT_TAG] = "tag",
		[FW_EFFECT_UNTAG] = "untag",
	};

	(void)p;
	assert_ptr_equal(map->rule[e->slot], e->rule);
	note((struct notes *)(void *)d, names[e->action], e->arg);
}

static void
note_log(struct fw_doer *d, const struct fw_map *map, struct fw_rule *r, uint32_t arg,
    const struct fw_packet *p)
{
	(void)map, (void)arg, (void)p;
	note((struct notes *)(void *)d, "log", r->number);
}

static struct notes notes;

/* The packet's verdict as it comes in by lan, from the first rule on. Takes m. */
static struct fw_verdict
check_at(struct mbuf *m, enum pfil_point point, enum pfil_dir dir)
{
	struct fw_packet p = read_at(m, point, dir, lan.ifp);
	struct fw_verdict v;

	notes = (struct notes){ .doer = { .effect = note_effect, .log = note_log } };
	fw_check(V_fw_map, &p, 0, &notes.doer, NULL, &v);
	m_free(m);
	return v;
}

static struct fw_verdict
check(struct mbuf *m)
{
	return check_at(m, m->data[0] >> 4 == 4 ? PFIL_INET : PFIL_INET6, PFIL_IN);
}

static struct mbuf *
some(void)
{
	return udp("10.0.0.2", 1030, "10.0.0.1", 53, 12); /* 40 bytes */
}

/* Number of the rule that ends the search of some(). */
static unsigned
ends_at(void)
{
	return check(some()).rule->number;
}

static void
test_the_first_rule_that_matches_ends_the_search(void **state)
{
	struct fw_rule *other, *first, *second;
	struct fw_verdict v;

	(void)state;
	other = add("100 deny tcp from any to any");
	first = add("200 allow udp from any to any");
	second = add("300 deny ip from any to any");
	v = check(some());
	assert_int_equal(v.action, FW_ACT_ALLOW);
	assert_ptr_equal(v.rule, first);
	assert_int_equal(v.slot, 1);
	assert_int_equal(other->count.packets + second->count.packets, 0);
	assert_int_equal(first->count.packets, 1);
	assert_int_equal(first->count.bytes, 40);
	assert_int_equal(first->count.last_ns, clock_epoch_ns() + clock_now());
}

static void
test_nothing_matches_and_the_default_rule_denies(void **state)
{
	(void)state;
	add("100 allow tcp from any to any");
	assert_int_equal(check(some()).action, FW_ACT_DENY);
	assert_int_equal(ends_at(), 65535);
}

static void
test_count_counts_and_goes_on(void **state)
{
	struct fw_rule *r;

	(void)state;
	r = add("100 count ip from any to any");
	add("200 allow ip from any to any");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(ends_at(), 200);
	assert_int_equal(r->count.packets, 2);
	assert_int_equal(r->count.bytes, 80);
}

static void
test_skipto_goes_to_the_next_rule_there_is(void **state)
{
	struct fw_rule *over;

	(void)state;
	add("100 skipto 250 ip from any to any");
	over = add("200 deny ip from any to any");
	add("300 allow ip from any to any");
	for (int i = 0; i < 2; i++) /* the second time it is remembered */
		assert_int_equal(ends_at(), 300);
	assert_int_equal(over->count.packets, 0);
	add("260 allow ip from any to any");
	assert_int_equal(ends_at(), 260);
}

/* Spec 16.3. */
static void
test_skipto_never_leads_backwards(void **state)
{
	(void)state;
	add("100 count ip from any to any");
	add("200 skipto 100 ip from any to any");
	add("200 deny ip from any to any"); /* its own number is passed, too */
	add("201 allow ip from any to any");
	assert_int_equal(ends_at(), 201);
}

/* Spec 16.4. */
static void
test_rules_of_disabled_sets_are_not_there(void **state)
{
	(void)state;
	add("100 skipto 200 ip from any to any");
	add("200 set 5 deny ip from any to any");
	add("300 allow ip from any to any");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(fw_set_enable(1 << 5, 0), 0);
	assert_int_equal(ends_at(), 300);
	assert_int_equal(fw_set_enable(0, 1 << 5), 0);
	assert_int_equal(ends_at(), 200);
}

static void
test_skipto_by_a_table(void **state)
{
	(void)state;
	command("ipfw table 1 add 10.0.0.2/32 300");
	command("ipfw table 1 add 10.0.0.3/32 50"); /* backwards */
	add("100 skipto tablearg ip from table(1) to any");
	add("200 deny ip from any to any");
	add("300 allow ip from any to any");
	assert_int_equal(ends_at(), 300);
	assert_int_equal(check(udp("10.0.0.3", 1, "10.0.0.1", 2, 0)).rule->number, 200);
	assert_int_equal(check(udp("10.0.0.4", 1, "10.0.0.1", 2, 0)).rule->number, 200);
}

static void
test_call_comes_back_behind_itself(void **state)
{
	struct fw_rule *sub;

	(void)state;
	add("100 call 1000 ip from any to any");
	add("200 call 1000 ip from any to any");
	add("300 allow ip from any to any");
	sub = add("1000 count ip from any to any");
	add("1100 return ip from any to any");
	assert_int_equal(ends_at(), 300);
	assert_int_equal(sub->count.packets, 2);
}

static void
test_a_return_without_a_call_is_passed_over(void **state)
{
	(void)state;
	add("100 return ip from any to any");
	add("200 allow ip from any to any");
	assert_int_equal(ends_at(), 200);
}

static void
test_calls_may_go_backwards_and_end(void **state)
{
	struct fw_rule *again;

	(void)state;
	add("100 count ip from any to any");
	again = add("200 call 100 ip from any to any");
	add("300 allow ip from any to any");
	assert_int_equal(ends_at(), 300);
	assert_int_equal(again->count.packets, FW_CALL_DEPTH + 1);
}

/* Rules that call each other would take 2^16 steps and more. */
static void
test_a_maze_of_calls_ends(void **state)
{
	char line[64];

	(void)state;
	for (int i = 1; i <= 60; i++) {
		snprintf(line, sizeof(line), "%d call 1 ip from any to any", i);
		add(line);
		snprintf(line, sizeof(line), "%d return udp from any to any", 100 + i);
		add(line);
	}
	add("1000 allow ip from any to any");
	assert_in_range(ends_at(), 1000, 65535);
}


static void
test_forward_is_no_rule_for_frames(void **state)
{
	struct fw_rule *r;
	struct fw_verdict v;

	(void)state;
	r = add("100 fwd 10.0.0.7,80 ip from any to any");
	add("200 allow ip from any to any");
	assert_int_equal(check_at(framed(some(), &lan), PFIL_LINK, PFIL_IN).rule->number, 200);
	assert_int_equal(r->count.packets, 0);
	v = check(some());
	assert_int_equal(v.action, FW_ACT_FWD);
	assert_int_equal(v.fwd_family, AF_INET);
	assert_int_equal(load32(v.fwd_addr.b), a4("10.0.0.7"));
	assert_int_equal(v.fwd_port, 80);
	v = check(udp("2001:db8::2", 1, "2001:db8::1", 2, 0)); /* the other family: nowhere */
	assert_int_equal(v.action, FW_ACT_FWD);
	assert_int_equal(v.fwd_family, 0);
}

static void
test_forward_by_a_table(void **state)
{
	struct fw_verdict v;

	(void)state;
	command("ipfw table 1 add 10.0.0.2/32 10.0.0.9");
	command("ipfw table 1 add 10.0.0.3/32 0"); /* spec 16.18 */
	add("100 fwd tablearg ip from table(1) to any");
	v = check(some());
	assert_int_equal(v.fwd_family, AF_INET);
	assert_int_equal(load32(v.fwd_addr.b), a4("10.0.0.9"));
	v = check(udp("10.0.0.3", 1, "10.0.0.1", 2, 0));
	assert_int_equal(v.action, FW_ACT_FWD);
	assert_int_equal(v.fwd_family, 0);
}

static void
test_numbers_of_actions_come_from_tables(void **state)
{
	struct fw_verdict v;

	(void)state;
	command("ipfw table 1 add 10.0.0.2/32 7");
	add("100 pipe tablearg ip from table(1) to any");
	add("200 pipe 9 ip from any to any");
	v = check(some());
	assert_int_equal(v.action, FW_ACT_PIPE);
	assert_int_equal(v.arg, 7);
	assert_int_equal(check(udp("10.0.0.3", 1, "10.0.0.1", 2, 0)).arg, 9);
}

static void
test_effects_are_told_as_they_are_met(void **state)
{
	struct fw_verdict v;

	(void)state;
	add("100 count log tag 5 ip from any to any");
	add("200 tee 9 ip from any to any");
	add("300 setfib 3 ip from any to any");
	add("400 ngtee 8 tcp from any to any");
	add("500 allow log altq slow untag 5 ip from any to any");
	add("600 count altq fast ip from any to any");
	v = check(some());
	assert_string_equal(notes.text, "log 100, tag 5, tee 9, setfib 3, log 500, untag 5");
	assert_string_equal(v.altq, "slow");
}

static void
test_the_first_queue_wins(void **state)
{
	(void)state;
	add("100 count altq slow ip from any to any");
	add("200 allow altq fast ip from any to any");
	assert_string_equal(check(some()).altq, "slow");
}

static void
test_whole_datagrams_pass_by_reass(void **state)
{
	struct fw_rule *r;

	(void)state;
	r = add("100 reass ip from any to any");
	add("200 allow ip from any to any");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(r->count.packets, 1);
	assert_int_equal(check(fragment(some(), 0, true)).action, FW_ACT_REASS);
}

/* --- states ----------------------------------------------------------------------------------- */

static struct mbuf *
answer(void)
{
	return udp("10.0.0.1", 53, "10.0.0.2", 1030, 12);
}

static void
test_a_state_lets_the_answer_through(void **state)
{
	struct fw_rule *r;
	struct fw_verdict v;

	(void)state;
	add("100 check-state");
	r = add("200 allow udp from 10.0.0.2 to any keep-state");
	add("300 deny ip from any to any");
	assert_int_equal(check(answer()).rule->number, 300);
	assert_int_equal(ends_at(), 200);
	v = check(answer());
	assert_int_equal(v.action, FW_ACT_ALLOW);
	assert_ptr_equal(v.rule, r);
	assert_true(v.by_state);
	assert_int_equal(r->count.packets, 2);
	assert_int_equal(r->count.bytes, 80);
}

/* The keep-state rule itself is where states are looked for, if nobody was before it. */
static void
test_states_are_looked_for_at_the_first_that_makes_some(void **state)
{
	(void)state;
	add("100 allow tcp from any to any keep-state");
	add("200 allow udp from 10.0.0.2 to any keep-state");
	add("50 deny udp from 10.0.0.1 to any");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(check(answer()).rule->number, 50);
	command("ipfw delete 50");
	assert_int_equal(check(answer()).rule->number, 200);
	assert_true(check(answer()).by_state);
}

static void
test_a_state_does_what_its_parent_does(void **state)
{
	struct fw_rule *r;

	(void)state;
	add("100 check-state");
	r = add("200 skipto 500 udp from 10.0.0.2 to any keep-state");
	add("300 deny ip from any to any");
	add("500 count log ip from any to any");
	add("600 allow ip from any to any");
	assert_int_equal(ends_at(), 600);
	assert_int_equal(check(answer()).rule->number, 600);
	assert_string_equal(notes.text, "log 500");
	assert_int_equal(r->count.packets, 2);
}

static void
test_states_have_names(void **state)
{
	(void)state;
	add("100 check-state :web");
	add("200 allow udp from 10.0.0.2 to any keep-state :dns");
	add("300 deny ip from any to any");
	assert_int_equal(ends_at(), 200);
	assert_true(check(answer()).by_state); /* at 200, whose name it is */
	command("ipfw add 150 deny udp from 10.0.0.1 to any");
	assert_int_equal(check(answer()).rule->number, 150); /* 100 asked for others */
	command("ipfw add 90 check-state :any");
	assert_int_equal(check(answer()).rule->number, 200);
}

/* Spec 16.7. */
static void
test_a_limit_of_none_drops_all(void **state)
{
	struct fw_rule *r;
	struct fw_verdict v;

	(void)state;
	r = add("100 allow ip from any to any limit src-addr 0");
	add("200 allow ip from any to any");
	v = check(some());
	assert_int_equal(v.action, FW_ACT_DENY);
	assert_ptr_equal(v.rule, r);
	assert_non_null(v.why);
	assert_int_equal(r->count.packets, 0);
}

/* Spec 16.8. */
static void
test_states_outlive_the_set_of_their_rule(void **state)
{
	(void)state;
	add("100 check-state");
	add("200 set 3 allow udp from 10.0.0.2 to any keep-state");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(fw_set_enable(1 << 3, 0), 0);
	assert_int_equal(check(answer()).rule->number, 200);
	assert_int_equal(check(udp("10.0.0.2", 1, "10.0.0.1", 2, 0)).rule->number, 65535);
}

static void
test_frames_that_are_no_flow_keep_no_state(void **state)
{
	struct mbuf *m = framed(some(), &lan);

	(void)state;
	add("100 allow ip from any to any keep-state");
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	assert_int_equal(check_at(m, PFIL_LINK, PFIL_IN).action, FW_ACT_ALLOW);
	assert_int_equal(fw_state_count(), 0);
}

static void
test_what_is_deferred_makes_a_state_and_goes_on(void **state)
{
	(void)state;
	add("100 deny udp from 10.0.0.2 to any keep-state defer-action");
	add("200 allow ip from any to any");
	assert_int_equal(ends_at(), 200);
	assert_int_equal(ends_at(), 100);
	assert_true(check(some()).by_state);
}

/* Two names whose parents lead back before the place where the other is asked for. */
static void
test_states_that_lead_around_in_circles_end(void **state)
{
	(void)state;
	add("100 count ip from any to any");
	add("200 skipto 300 udp from any to any keep-state :a");
	add("210 skipto 300 udp from any to any record-state :b");
	add("300 check-state :b");
	add("310 check-state :a");
	add("320 check-state :b");
	add("400 allow ip from any to any");
	assert_int_equal(ends_at(), 400);
	command("ipfw delete 200");
	add("205 skipto 300 udp from any to any record-state :a");
	for (int i = 0; i < 4; i++)
		assert_int_equal(ends_at(), 400);
}

/* The map has a classifier; the rule that makes the state is no candidate of the answer. */
static void
test_states_are_looked_for_where_no_candidate_is(void **state)
{
	char line[80];
	struct fw_verdict v;

	(void)state;
	for (int i = 1; i <= 100; i++) {
		snprintf(line, sizeof(line), "%d deny tcp from 192.0.2.%d to any", i, i);
		add(line);
	}
	add("1000 allow udp from 10.0.0.2 to 10.0.0.1 keep-state");
	assert_non_null(V_fw_map->classifier);
	assert_int_equal(ends_at(), 1000);
	v = check(answer());
	assert_int_equal(v.rule->number, 1000);
	assert_true(v.by_state);
}

/* --- who watches ------------------------------------------------------------------------------ */

struct watch {
	struct fw_tracer tracer;
	char text[256];
};

static void
watch_met(struct fw_tracer *t, const struct fw_map *map, uint32_t slot, const struct fw_packet *p,
    enum fw_match match, const struct fw_insn *failed)
{
	struct watch *w = (struct watch *)(void *)t;
	size_t len = strlen(w->text);

	(void)p;
	snprintf(w->text + len, sizeof(w->text) - len, " %u%s%u", map->rule[slot]->number,
	    match == FW_YES ? "+" : "-", failed != NULL ? (unsigned)failed->op : 99);
}

static void
test_a_tracer_sees_each_rule_and_why_it_fails(void **state)
{
	struct watch w = { .tracer.met = watch_met };
	struct mbuf *m = some();
	struct fw_packet p = read_in(m);
	char expected[64];
	struct fw_verdict v;

	(void)state;
	add("100 deny tcp from any to any");
	add("200 deny udp from any to any 54");
	add("300 allow ip from any to any");
	fw_check(V_fw_map, &p, 0, NULL, &w.tracer, &v);
	snprintf(expected, sizeof(expected), " 100-%d 200-%d 300+99", FW_OP_PROTO, FW_OP_DST_PORT);
	assert_string_equal(w.text, expected);
	m_free(m);
}

static void
test_a_walk_may_begin_anywhere(void **state)
{
	struct mbuf *m = some();
	struct fw_packet p = read_in(m);
	struct fw_verdict v;

	(void)state;
	add("100 deny ip from any to any");
	add("200 allow ip from any to any");
	fw_check(V_fw_map, &p, 1, NULL, NULL, &v);
	assert_int_equal(v.rule->number, 200);
	m_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_the_first_rule_that_matches_ends_the_search),
		INET6_TEST(test_nothing_matches_and_the_default_rule_denies),
		INET6_TEST(test_count_counts_and_goes_on),
		INET6_TEST(test_skipto_goes_to_the_next_rule_there_is),
		INET6_TEST(test_skipto_never_leads_backwards),
		INET6_TEST(test_rules_of_disabled_sets_are_not_there),
		INET6_TEST(test_skipto_by_a_table),
		INET6_TEST(test_call_comes_back_behind_itself),
		INET6_TEST(test_a_return_without_a_call_is_passed_over),
		INET6_TEST(test_calls_may_go_backwards_and_end),
		INET6_TEST(test_a_maze_of_calls_ends),
		INET6_TEST(test_forward_is_no_rule_for_frames),
		INET6_TEST(test_forward_by_a_table),
		INET6_TEST(test_numbers_of_actions_come_from_tables),
		INET6_TEST(test_effects_are_told_as_they_are_met),
		INET6_TEST(test_the_first_queue_wins),
		INET6_TEST(test_whole_datagrams_pass_by_reass),
		INET6_TEST(test_a_state_lets_the_answer_through),
		INET6_TEST(test_states_are_looked_for_at_the_first_that_makes_some),
		INET6_TEST(test_a_state_does_what_its_parent_does),
		INET6_TEST(test_states_have_names),
		INET6_TEST(test_a_limit_of_none_drops_all),
		INET6_TEST(test_states_outlive_the_set_of_their_rule),
		INET6_TEST(test_frames_that_are_no_flow_keep_no_state),
		INET6_TEST(test_what_is_deferred_makes_a_state_and_goes_on),
		INET6_TEST(test_states_that_lead_around_in_circles_end),
		INET6_TEST(test_states_are_looked_for_where_no_candidate_is),
		INET6_TEST(test_a_tracer_sees_each_rule_and_why_it_fails),
		INET6_TEST(test_a_walk_may_begin_anywhere),
	};

	return cmocka_run_group_tests_name("ipfw/check", tests, NULL, NULL);
}
