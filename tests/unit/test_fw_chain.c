/*
 * Unit tests of the map of rules and of sets (ipfw/chain.c, set.c): order, changes, places and jumps,
 * what searches cost, and that nothing happens when there is no memory.
 */
#include "fw_stack.h"

#include "kern/sysctl.h"

#include "base/mbuf.h"
#include "ipfw/chain_internal.h"
#include "ipfw/check.h"

#include <errno.h>
#include <stdio.h>

/* --- helpers -------------------------------------------------------------- */

static struct fw_rule *
rule_of(uint16_t number, uint8_t set)
{
	struct fw_rule *r = fw_rule_alloc(0);

	assert_non_null(r);
	r->number = number;
	r->set = set;
	r->action = FW_ACT_COUNT;
	return r;
}

static struct fw_rule *
add(uint16_t number)
{
	struct fw_rule *r = rule_of(number, 0);

	assert_int_equal(fw_add(r), 0);
	return r;
}

static struct fw_rule *
add_in_set(uint16_t number, uint8_t set)
{
	struct fw_rule *r = rule_of(number, set);

	assert_int_equal(fw_add(r), 0);
	return r;
}

static struct fw_rule *
add_jump(uint16_t number, uint8_t action)
{
	struct fw_rule *r = rule_of(number, 0);

	r->action = action;
	assert_int_equal(fw_add(r), 0);
	return r;
}

static const struct fw_map *
map_now(void)
{
	return V_fw_map;
}

/* The numbers of the map, but the default rule's: "100 200 200". */
static const char *
numbers(void)
{
	static char text[512];
	int n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i + 1 < map_now()->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%u", i > 0 ? " " : "",
		    map_now()->rule[i]->number);
	return text;
}

static int
delete_numbers(uint16_t lo, uint16_t hi)
{
	return fw_delete(&(struct fw_selection){ .lo = lo, .hi = hi });
}

static uint32_t
slot_of(const struct fw_rule *r)
{
	for (uint32_t i = 0; i < map_now()->n; i++)
		if (map_now()->rule[i] == r)
			return i;
	fail_msg("the rule is not in the map");
	return 0;
}

static uint64_t
steps_of_find(const struct fw_map *map, uint16_t number)
{
	uint64_t before = chain_steps;

	(void)fw_map_find(map, number);
	return chain_steps - before;
}

/* How many rules there are in all, one of each number from 1 on. */
static void
fill(uint16_t n)
{
	fw_change_begin();
	for (uint16_t i = 1; i < n; i++)
		add(i);
	assert_int_equal(fw_change_end(), 0);
	assert_int_equal(map_now()->n, n);
}

/* --- the firewall starts --------------------------------------------------- */

static void
test_a_stack_that_was_not_asked_has_no_map(void **state)
{
	uint64_t before = vnet_memory_of(vnet0);

	(void)state;
	assert_null(map_now());
	assert_int_equal(fw_static_count(), 0);
	assert_int_equal(vnet_memory_of(vnet0), before);
}

static void
test_the_first_rule_brings_the_default_rule(void **state)
{
	(void)state;
	add(100);
	assert_int_equal(map_now()->n, 2);
	assert_int_equal(map_now()->rule[1]->number, 65535);
	assert_int_equal(map_now()->rule[1]->set, FW_SET_RESERVED);
	assert_int_equal(map_now()->rule[1]->action, FW_ACT_DENY);
	assert_int_equal(fw_static_count(), 2);
}

static void
test_a_tunable_makes_the_default_rule_allow(void **state)
{
	char why[80];

	(void)state;
	/* tunables are set before the start */
	kern_fini();
	assert_int_equal(sysctl_tune("net.inet.ip.fw.default_to_accept", "1", why, sizeof(why)), 0);
	kern_init();
	assert_int_equal(fw_start(), 0);
	assert_int_equal(map_now()->rule[0]->action, FW_ACT_ALLOW);
	kern_fini();
	assert_int_equal(sysctl_tune("net.inet.ip.fw.default_to_accept", "0", why, sizeof(why)), 0);
	kern_init();
}

/* --- order ----------------------------------------------------------------- */

static void
test_rules_stand_by_number_then_by_age(void **state)
{
	struct fw_rule *a, *b, *c;

	(void)state;
	a = add(200);
	b = add(100);
	c = add(200);
	assert_string_equal(numbers(), "100 200 200");
	assert_ptr_equal(map_now()->rule[0], b);
	assert_ptr_equal(map_now()->rule[1], a);
	assert_ptr_equal(map_now()->rule[2], c);
	assert_true(c->id > a->id);
}

static void
test_a_rule_without_number_gets_the_last_one_and_a_step(void **state)
{
	(void)state;
	add(0);
	add(0);
	add(250);
	expect_line("sysctl net.inet.ip.fw.autoinc_step=10", 0, NULL, "");
	add(0);
	assert_string_equal(numbers(), "100 200 250 260");
}

static void
test_behind_the_last_free_number_it_is_used_again(void **state)
{
	(void)state;
	add(65434);
	assert_int_equal(add(0)->number, 65534);
	assert_int_equal(add(0)->number, 65534);
	assert_string_equal(numbers(), "65434 65534 65534");
}

static void
test_the_default_rule_stays_as_it_is(void **state)
{
	(void)state;
	add(100);
	assert_int_equal(fw_add(rule_of(65535, 0)), -EINVAL);
	assert_int_equal(fw_add(rule_of(100, 32)), -EINVAL);
	assert_int_equal(delete_numbers(65535, 65535), 0);
	assert_int_equal(delete_numbers(1, 65535), 1);
	assert_int_equal(fw_move_rules(65535, 3), -EINVAL);
	assert_int_equal(fw_move_set(31, 3), 0);
	assert_int_equal(fw_delete(&(struct fw_selection){ .sets = UINT32_C(1) << 31 }), 0);
	assert_int_equal(map_now()->n, 1);
	assert_int_equal(map_now()->rule[0]->set, 31);
}

static void
test_ids_that_run_out_begin_anew_in_order(void **state)
{
	struct fw_rule *a, *b, *c;

	(void)state;
	a = add(100);
	VNET(fw_last_rule_id) = UINT32_MAX - 1;
	b = add(100);
	assert_int_equal(b->id, UINT32_MAX);
	c = add(100);
	assert_ptr_equal(map_now()->rule[0], a);
	assert_ptr_equal(map_now()->rule[2], c);
	assert_true(a->id != 0 && a->id < b->id && b->id < c->id);
}

/* --- changes ---------------------------------------------------------------- */

static void
test_flush_keeps_set_31(void **state)
{
	(void)state;
	add(100);
	add_in_set(200, 31);
	add_in_set(300, 5);
	assert_int_equal(fw_flush(), 2);
	assert_string_equal(numbers(), "200");
	assert_int_equal(fw_delete(&(struct fw_selection){ .sets = UINT32_C(1) << 31 }), 1);
	assert_string_equal(numbers(), "");
}

static void
test_rules_are_deleted_by_number_range_and_set(void **state)
{
	(void)state;
	add(100);
	add(100);
	add(150);
	add_in_set(200, 2);
	add_in_set(300, 2);
	add(400);
	assert_int_equal(delete_numbers(100, 150), 3);
	assert_int_equal(delete_numbers(100, 150), 0);
	assert_int_equal(
	    fw_delete(&(struct fw_selection){ .lo = 300, .hi = 400, .sets = 1 << 2 }), 1);
	assert_string_equal(numbers(), "200 400");
	assert_int_equal(fw_delete(&(struct fw_selection){ .sets = 1 << 2 }), 1);
	assert_string_equal(numbers(), "400");
}

static void
test_packets_see_many_changes_as_one(void **state)
{
	const struct fw_map *before;

	(void)state;
	add(100);
	before = map_now();
	fw_change_begin();
	add(200);
	fw_change_begin();
	add(300);
	assert_int_equal(fw_change_end(), 0);
	assert_int_equal(delete_numbers(100, 100), 1);
	assert_ptr_equal(map_now(), before);
	assert_string_equal(numbers(), "100");
	/* and those who change see what they did */
	assert_int_equal(fw_static_count(), 3);
	assert_int_equal(fw_next_number(), 400);
	assert_int_equal(fw_change_end(), 0);
	assert_string_equal(numbers(), "200 300");
	assert_int_not_equal(map_now()->id, 1);
}

static void
test_what_changes_nothing_makes_no_map(void **state)
{
	const struct fw_map *before;

	(void)state;
	add(100);
	before = map_now();
	assert_int_equal(delete_numbers(500, 600), 0);
	assert_int_equal(fw_move_rules(500, 3), 0);
	assert_int_equal(fw_set_enable(0, 2), 0);
	assert_ptr_equal(map_now(), before);
}

static void
test_without_memory_the_chain_stays(void **state)
{
	int error = -ENOMEM;
	uint32_t n = 0;

	(void)state;
	add(100);
	add_in_set(200, 1);
	/* each allocation of the change in turn */
	for (; error != 0; n++) {
		struct fw_rule *r = rule_of(150, 0);

		vnet_malloc_fail_at(n + 1);
		fw_change_begin();
		error = fw_swap_sets(0, 1);
		if (error == 0)
			error = delete_numbers(100, 100) < 0 ? -ENOMEM : 0;
		if (error == 0)
			error = fw_add(r);
		else
			fw_rule_rele(r);
		error = fw_change_end() != 0 ? -ENOMEM : error;
		if (vnet_malloc_fail_pending()) {
			vnet_malloc_fail_at(0);
			break;
		}
		assert_int_equal(error, -ENOMEM);
		if (strcmp(numbers(), "100 200") != 0)
			break; /* the rest of the change stood: only its last step failed */
		assert_int_equal(map_now()->rule[0]->set, 0);
		assert_int_equal(map_now()->rule[1]->set, 1);
	}
	assert_true(n >= 3);
}

/* --- sets ------------------------------------------------------------------- */

static void
test_a_disabled_set_is_out_of_the_way_at_once(void **state)
{
	uint32_t slot;

	(void)state;
	slot = slot_of(add_in_set(100, 3));
	assert_true(fw_slot_is_enabled(map_now(), slot));
	assert_int_equal(fw_set_enable(1 << 3, 1 << 4), 0);
	assert_false(fw_slot_is_enabled(map_now(), slot));
	assert_int_equal(fw_set_enable(0, 1 << 3), 0);
	assert_true(fw_slot_is_enabled(map_now(), slot));
	assert_int_equal(fw_set_enable(1 << 3, 1 << 3), -EINVAL);
	assert_int_equal(fw_set_enable(UINT32_C(1) << 31, 0), -EINVAL);
}

static void
test_rules_move_between_sets(void **state)
{
	struct fw_rule *a, *b;

	(void)state;
	a = add_in_set(100, 1);
	b = add_in_set(200, 2);
	assert_int_equal(fw_move_rules(100, 4), 0);
	assert_int_equal(a->set, 4);
	assert_int_equal(fw_move_rules(12345, 4), 0);
	assert_int_equal(fw_move_set(2, 4), 0);
	assert_int_equal(b->set, 4);
	assert_int_equal(fw_move_rules(200, 7), 0);
	assert_int_equal(fw_swap_sets(4, 7), 0);
	assert_int_equal(a->set, 7);
	assert_int_equal(b->set, 4);
	assert_int_equal(fw_move_set(4, 32), -EINVAL);
}

static void
test_a_map_keeps_the_sets_that_it_was_made_with(void **state)
{
	const struct fw_map *before;

	(void)state;
	add_in_set(100, 1);
	add_in_set(200, 2);
	assert_int_equal(fw_set_enable(1 << 1, 0), 0);
	rcu_read_lock();
	before = map_now();
	assert_int_equal(fw_swap_sets(1, 2), 0);
	/* a packet in the middle of the old map sees no half swap */
	assert_false(fw_slot_is_enabled(before, 0));
	assert_true(fw_slot_is_enabled(before, 1));
	assert_true(fw_slot_is_enabled(map_now(), 0));
	assert_false(fw_slot_is_enabled(map_now(), 1));
	rcu_read_unlock();
}

/* What becomes of a packet that no instruction looks at: the number of the rule that says so. */
static uint16_t
judged_by(void)
{
	struct fw_packet p = { .m = m_get(64), .ip = 4, .in = true };
	struct fw_verdict v = { 0 };

	fw_check(map_now(), &p, 0, NULL, NULL, &v);
	m_free(p.m);
	return map_now()->rule[v.slot]->number;
}

static void
test_a_skipto_into_a_disabled_set_goes_on_behind_it(void **state)
{
	struct fw_rule *jump, *deny;

	(void)state;
	jump = rule_of(100, 0);
	jump->action = FW_ACT_SKIPTO;
	jump->arg = 200;
	assert_int_equal(fw_add(jump), 0);
	add_jump(150, FW_ACT_DENY);
	deny = rule_of(200, 5);
	deny->action = FW_ACT_DENY;
	assert_int_equal(fw_add(deny), 0);
	add_jump(300, FW_ACT_ALLOW);
	assert_int_equal(judged_by(), 200);
	assert_int_equal(fw_set_enable(1 << 5, 0), 0);
	assert_int_equal(judged_by(), 300);
}

/* --- places ----------------------------------------------------------------- */

static void
test_find_gives_the_first_rule_from_a_number_on(void **state)
{
	(void)state;
	add(100);
	add(200);
	add(200);
	assert_int_equal(fw_map_find(map_now(), 1), 0);
	assert_int_equal(fw_map_find(map_now(), 100), 0);
	assert_int_equal(fw_map_find(map_now(), 101), 1);
	assert_int_equal(fw_map_find(map_now(), 200), 1);
	assert_int_equal(fw_map_find(map_now(), 201), 3);
	assert_int_equal(fw_map_find(map_now(), 65535), 3);
}

static void
test_a_packet_comes_back_behind_its_rule(void **state)
{
	struct fw_ref ref;
	struct fw_rule *a;

	(void)state;
	add(100);
	a = add(200);
	add(200);
	add(300);
	ref = fw_ref_of(map_now(), slot_of(a));
	assert_int_equal(fw_map_after(map_now(), &ref), 2);
	/* other rules before it: the slot is another one */
	add(50);
	assert_int_equal(fw_map_after(map_now(), &ref), 3);
	/* its rule is gone: the next one of the same number, then of a higher one */
	assert_int_equal(delete_numbers(200, 200), 2);
	assert_int_equal(fw_map_after(map_now(), &ref), 2);
	assert_int_equal(map_now()->rule[2]->number, 300);
	assert_int_equal(fw_flush(), 3);
	assert_int_equal(fw_map_after(map_now(), &ref), 0);
	assert_int_equal(map_now()->rule[0]->number, 65535);
}

static void
test_the_default_rule_is_behind_itself(void **state)
{
	struct fw_ref ref;

	(void)state;
	add(100);
	ref = fw_ref_of(map_now(), 1);
	assert_int_equal(fw_map_after(map_now(), &ref), 1);
	add(200);
	assert_int_equal(fw_map_after(map_now(), &ref), 2);
}

static void
test_skipto_goes_forwards_only(void **state)
{
	struct fw_rule *r;

	(void)state;
	add(100);
	r = add_jump(200, FW_ACT_SKIPTO);
	add(200);
	add(300);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 200), 3);
	/* remembered with the map: a change makes it look again */
	add(150);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 100), 4);
	add(160);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 300), 5);
	add(170);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 65535), 7);
}

static void
test_call_may_go_back(void **state)
{
	struct fw_rule *r;

	(void)state;
	add(100);
	r = add_jump(200, FW_ACT_CALL);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 100), 0);
}

static void
test_a_jump_to_a_deleted_rule_goes_to_the_next(void **state)
{
	struct fw_rule *r;

	(void)state;
	r = add_jump(100, FW_ACT_SKIPTO);
	add(200);
	add(300);
	assert_int_equal(fw_map_jump(map_now(), 0, 200), 1);
	assert_int_equal(delete_numbers(200, 200), 1);
	assert_int_equal(fw_map_jump(map_now(), slot_of(r), 200), 1);
	assert_int_equal(map_now()->rule[1]->number, 300);
}

/* --- what it costs (the table of the specification) --------------------------- */

enum { MANY = 65000, LOG2_MANY = 16 };

static void
test_b44_with_65000_rules_searches_take_log_n_steps(void **state)
{
	struct fw_ref ref;
	uint64_t before;

	(void)state;
	fill(MANY);
	for (uint16_t number = 1; number < 64000; number = (uint16_t)(number + 7001))
		assert_true(steps_of_find(map_now(), number) <= LOG2_MANY);

	/* re-entry: remembered 1, else log N, wherever the place is */
	ref = fw_ref_of(map_now(), 60000);
	before = chain_steps;
	assert_int_equal(fw_map_after(map_now(), &ref), 60001);
	assert_int_equal(chain_steps - before, 1);
	add(1);
	before = chain_steps;
	assert_int_equal(fw_map_after(map_now(), &ref), 60002);
	assert_true(chain_steps - before <= LOG2_MANY);
}

static void
test_b44_a_skipto_costs_the_same_wherever_it_goes(void **state)
{
	struct fw_rule *near, *far, *by_table;
	uint64_t before;

	(void)state;
	fill(MANY);
	fw_change_begin();
	near = add_jump(1, FW_ACT_SKIPTO);
	far = add_jump(1, FW_ACT_SKIPTO);
	by_table = rule_of(1, 0);
	by_table->action = FW_ACT_SKIPTO;
	by_table->by_tablearg = true;
	assert_int_equal(fw_add(by_table), 0);
	assert_int_equal(fw_change_end(), 0);
	before = chain_steps;
	(void)fw_map_jump(map_now(), slot_of(near), 5);
	(void)fw_map_jump(map_now(), slot_of(far), 64000);
	assert_true(chain_steps - before <= 2 * LOG2_MANY);

	before = chain_steps;
	assert_int_equal(fw_map_jump(map_now(), slot_of(near), 5), 7);
	assert_int_equal(fw_map_jump(map_now(), slot_of(far), 64000), 64002);
	assert_int_equal(chain_steps - before, 2);

	/* a target from a table is another one each time: never remembered */
	before = chain_steps;
	assert_int_equal(fw_map_jump(map_now(), slot_of(by_table), 64000), 64002);
	assert_int_equal(fw_map_jump(map_now(), slot_of(by_table), 5), 7);
	assert_true(chain_steps - before <= 2 * LOG2_MANY);
}

static void
test_b44_a_place_survives_the_deletion_of_its_rule_among_65000(void **state)
{
	struct fw_ref ref;

	(void)state;
	fill(MANY);
	ref = fw_ref_of(map_now(), 30000 - 1);
	assert_int_equal(delete_numbers(29990, 30010), 21);
	assert_int_equal(map_now()->rule[fw_map_after(map_now(), &ref)]->number, 30011);
}

/* What a packet pays at a skipto. */
static uint64_t
steps_of_jump(const struct fw_rule *r, uint32_t slot)
{
	uint64_t before = chain_steps;

	assert_int_equal(map_now()->rule[slot], r);
	assert_int_equal(map_now()->rule[fw_map_jump(map_now(), slot, 64000)]->number, 64000);
	return chain_steps - before;
}

static void
test_b44_changes_of_65000_rules_cost_a_packet_log_n_steps_once(void **state)
{
	struct fw_rule *r;

	(void)state;
	fill(MANY);
	r = add_jump(1, FW_ACT_SKIPTO);
	assert_true(steps_of_jump(r, 1) <= LOG2_MANY);
	assert_int_equal(steps_of_jump(r, 1), 1);
	/* however much the upper half has in hand, it is nothing to packets until it is whole … */
	fw_change_begin();
	for (uint16_t i = 0; i < 1000; i++)
		add(1);
	assert_int_equal(delete_numbers(2, 50000), 49999);
	assert_int_equal(steps_of_jump(r, 1), 1);
	assert_int_equal(fw_change_end(), 0);
	/* … and then each place is found anew, once */
	assert_true(steps_of_jump(r, 1) <= LOG2_MANY);
	assert_int_equal(steps_of_jump(r, 1), 1);
}

/* --- counters ----------------------------------------------------------------- */

static void
test_zero_keeps_to_what_was_asked(void **state)
{
	struct fw_rule *a, *b;

	(void)state;
	a = add(100);
	b = add_in_set(200, 4);
	a->count = (struct fw_counters){ .packets = 5, .bytes = 500, .last_ns = 9, .log_left = 1 };
	b->count = a->count;
	b->log_limited = true;
	b->logamount = 10;
	assert_int_equal(fw_zero(&(struct fw_selection){ .lo = 200, .hi = 200 }, true), 1);
	assert_int_equal(b->count.packets, 5);
	assert_int_equal(b->count.log_left, 10);
	assert_int_equal(fw_zero(&(struct fw_selection){ .sets = 1 }, false), 1);
	assert_int_equal(a->count.packets + a->count.bytes + a->count.last_ns, 0);
	assert_int_equal(b->count.bytes, 500);
	assert_int_equal(fw_zero(&(struct fw_selection){ .lo = 7, .hi = 9 }, false), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_a_stack_that_was_not_asked_has_no_map),
		FW_TEST(test_the_first_rule_brings_the_default_rule),
		FW_TEST(test_a_tunable_makes_the_default_rule_allow),
		FW_TEST(test_rules_stand_by_number_then_by_age),
		FW_TEST(test_a_rule_without_number_gets_the_last_one_and_a_step),
		FW_TEST(test_behind_the_last_free_number_it_is_used_again),
		FW_TEST(test_the_default_rule_stays_as_it_is),
		FW_TEST(test_ids_that_run_out_begin_anew_in_order),
		FW_TEST(test_flush_keeps_set_31),
		FW_TEST(test_rules_are_deleted_by_number_range_and_set),
		FW_TEST(test_packets_see_many_changes_as_one),
		FW_TEST(test_what_changes_nothing_makes_no_map),
		FW_TEST(test_without_memory_the_chain_stays),
		FW_TEST(test_a_disabled_set_is_out_of_the_way_at_once),
		FW_TEST(test_rules_move_between_sets),
		FW_TEST(test_a_map_keeps_the_sets_that_it_was_made_with),
		FW_TEST(test_a_skipto_into_a_disabled_set_goes_on_behind_it),
		FW_TEST(test_find_gives_the_first_rule_from_a_number_on),
		FW_TEST(test_a_packet_comes_back_behind_its_rule),
		FW_TEST(test_the_default_rule_is_behind_itself),
		FW_TEST(test_skipto_goes_forwards_only),
		FW_TEST(test_call_may_go_back),
		FW_TEST(test_a_jump_to_a_deleted_rule_goes_to_the_next),
		FW_TEST(test_b44_with_65000_rules_searches_take_log_n_steps),
		FW_TEST(test_b44_changes_of_65000_rules_cost_a_packet_log_n_steps_once),
		FW_TEST(test_b44_a_skipto_costs_the_same_wherever_it_goes),
		FW_TEST(test_b44_a_place_survives_the_deletion_of_its_rule_among_65000),
		FW_TEST(test_zero_keeps_to_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
