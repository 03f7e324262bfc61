/*
 * Rules and tables that change on one thread while another reads them as packets do (ipfw/chain.c,
 * set.c, table.c): nobody sees half a change, and who was there all the time is always found. Runs under
 * ThreadSanitizer.
 */
#include "fw_stack.h"

#include "base/mbuf.h"
#include "ipfw/chain.h"
#include "ipfw/check.h"
#include "ipfw/table_internal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { CHANGES = 3000 };

struct shared {
	uint16_t a, b, big; /* tables */
	bool stop;
	uint64_t reads;
};

static bool
must_stop(const struct shared *s)
{
	return __atomic_load_n(&s->stop, __ATOMIC_RELAXED);
}

/* --- the reader ---------------------------------------------------------------- */

/*
 * Rules 1 and 2 are in sets 1 and 2, of which 1 is disabled; the sets are swapped all the time: so one of
 * them is enabled, whenever one looks. The pair 30000 comes and goes together.
 */
static void
read_map(void)
{
	const struct fw_map *map = V_fw_map;
	uint32_t pairs = 0;

	assert_true(map->n >= 3);
	assert_int_equal(map->rule[map->n - 1]->number, FW_NUMBER_MAX);
	assert_int_equal(map->rule[0]->number, 1);
	assert_int_equal(map->rule[1]->number, 2);
	assert_true(fw_slot_is_enabled(map, 0) != fw_slot_is_enabled(map, 1));
	for (uint32_t i = 1; i < map->n; i++) {
		assert_true(map->rule[i - 1]->number <= map->rule[i]->number);
		pairs += map->rule[i]->number == 30000;
	}
	assert_true(pairs == 0 || pairs == 2);
	/* a jump lands where the search does, whatever map it was remembered for */
	assert_int_equal(fw_map_jump(map, 0, 30000), fw_map_find(map, 30000));
}

/* An entry is in a or in b, which are swapped; 10.0.0.0/8 is in `big` whatever comes and goes below it. */
static void
read_tables(const struct shared *s)
{
	struct fw_value v;

	assert_true(fw_table_find_number(s->a, 1, &v));
	assert_true(v.number == 100 || v.number == 200);
	assert_true(fw_table_find4(s->big, __builtin_bswap32(0x0a010203), &v));
}

static void *
reader(void *arg)
{
	struct shared *s = arg;

	worker_attach(1, CLOCK_VIRTUAL);
	{
		VNET_SCOPE(vnet0);
		while (!must_stop(s)) {
			rcu_read_lock();
			read_map();
			read_tables(s);
			rcu_read_unlock();
			s->reads++;
		}
	}
	worker_detach();
	return NULL;
}

/* --- the upper half --------------------------------------------------------------- */

static void
run(const char *line)
{
	assert_int_equal(verb_line(NULL, line, false, NULL, NULL), 0);
}

static struct fw_rule *
rule_of(uint16_t number)
{
	struct fw_rule *r = fw_rule_alloc(0);

	assert_non_null(r);
	r->number = number;
	r->action = FW_ACT_SKIPTO;
	return r;
}

static void
change_rules(uint32_t i)
{
	const struct fw_selection pair = { .lo = 30000, .hi = 30000 };

	assert_int_equal(fw_swap_sets(1, 2), 0);
	fw_change_begin();
	if (fw_delete(&pair) == 0) {
		assert_int_equal(fw_add(rule_of(30000)), 0);
		assert_int_equal(fw_add(rule_of(30000)), 0);
	}
	assert_int_equal(fw_change_end(), 0);
	if (i % 100 < 50)
		assert_int_equal(fw_add(rule_of((uint16_t)(100 + i % 100))), 0);
	else
		fw_delete(&(struct fw_selection){ .lo = 100, .hi = 200 });
}

static void
change_tables(struct fw_table *a, struct fw_table *b, struct fw_table *big, uint32_t i)
{
	struct fw_table_change c[4];

	assert_int_equal(fw_table_swap(a, b), 0);
	for (uint32_t k = 0; k < 4; k++)
		c[k] = (struct fw_table_change){ .key = { .kind = FW_KEYED_IP4,
						     .plen = (uint8_t)(16 + 4 * k),
						     .words = 1,
						     .w = { 0x0a010000 + (i << 12 & 0xf000) } } };
	(void)fw_table_apply(big, i % 3 == 0 ? FW_TABLE_DELETE : FW_TABLE_SET, c, 4, i % 5 == 0);
}

static void
test_b44_no_reader_sees_half_a_change(void **state)
{
	struct shared s = { 0 };
	struct fw_table *a, *b, *big;
	pthread_t thread;

	(void)state;
	run("ipfw -q add 1 set 1 skipto 30000 ip from any to any");
	run("ipfw -q add 2 set 2 skipto 30000 ip from any to any");
	run("ipfw set disable 1");
	run("ipfw table a create type number");
	run("ipfw table b create type number");
	run("ipfw table a add 1 100");
	run("ipfw table b add 1 200");
	run("ipfw table big add 10.0.0.0/8");
	a = fw_table_by_name("a");
	b = fw_table_by_name("b");
	big = fw_table_by_name("big");
	s.a = a->index;
	s.b = b->index;
	s.big = big->index;
	assert_int_equal(pthread_create(&thread, NULL, reader, &s), 0);
	for (uint32_t i = 0; i < CHANGES; i++) {
		change_rules(i);
		change_tables(a, b, big, i);
		rcu_poll();
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(s.reads > 0);
}

/* --- neither waits for the other ----------------------------------------------- */

enum { CHECKS = 1000 };

/* Packets of no kind, that all rules meet. */
static void
check_packets(const struct fw_map *map, uint8_t action)
{
	struct mbuf m = { .when_ns = clock_now() };
	struct fw_packet p = { .m = &m, .in = true, .ip = 4 };
	struct fw_verdict v;

	for (uint32_t i = 0; i < CHECKS; i++) {
		fw_check(map, &p, 0, NULL, NULL, &v);
		assert_int_equal(v.action, action);
	}
}

static void *
checker(void *arg)
{
	const uint8_t *action = arg;

	worker_attach(2, CLOCK_VIRTUAL);
	{
		VNET_SCOPE(vnet0);
		rcu_read_lock();
		check_packets(V_fw_map, *action);
		rcu_read_unlock();
	}
	worker_detach();
	return NULL;
}

/* Packets on a thread of their own, all of which get this verdict before it returns. */
static void
assert_others_pass(uint8_t action)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, checker, &action), 0);
	pthread_join(thread, NULL);
}

static void
test_b44_packets_pass_while_a_change_is_half_made(void **state)
{
	(void)state;
	run("ipfw -q add 100 allow ip from any to any");
	fw_change_begin();
	run("ipfw -q add 50 deny ip from any to any");
	assert_others_pass(FW_ACT_ALLOW);
	run("ipfw -q delete 100");
	assert_others_pass(FW_ACT_ALLOW);
	assert_int_equal(fw_change_end(), 0);
	assert_others_pass(FW_ACT_DENY);
}

struct halted {
	sem_t inside, go_on;
};

/* It stands between two rules, as it were. */
static void *
halted_packet(void *arg)
{
	struct halted *h = arg;
	const struct fw_map *map;

	worker_attach(1, CLOCK_VIRTUAL);
	{
		VNET_SCOPE(vnet0);
		rcu_read_lock();
		map = V_fw_map;
		sem_post(&h->inside);
		sem_wait(&h->go_on);
		check_packets(map, FW_ACT_ALLOW);
		rcu_read_unlock();
	}
	worker_detach();
	return NULL;
}

static void
test_b44_changes_are_made_while_a_packet_is_halted_in_the_rules(void **state)
{
	struct halted h;
	pthread_t thread;

	(void)state;
	run("ipfw -q add 100 allow ip from any to any");
	sem_init(&h.inside, 0, 0);
	sem_init(&h.go_on, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, halted_packet, &h), 0);
	sem_wait(&h.inside);
	run("ipfw -q delete 100");
	for (uint16_t i = 0; i < CHANGES; i++) {
		assert_int_equal(fw_add(rule_of(10)), 0);
		rcu_poll();
	}
	run("ipfw -q -f flush");
	assert_others_pass(FW_ACT_DENY);
	sem_post(&h.go_on);
	pthread_join(thread, NULL);
	sem_destroy(&h.inside);
	sem_destroy(&h.go_on);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_b44_no_reader_sees_half_a_change),
		FW_TEST(test_b44_packets_pass_while_a_change_is_half_made),
		FW_TEST(test_b44_changes_are_made_while_a_packet_is_halted_in_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
