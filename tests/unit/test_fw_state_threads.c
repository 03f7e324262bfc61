/*
 * Look-ups of dynamic rules on one thread while another makes and ends others, so that the table
 * grows and its memory is used again (ipfw/state_table.c): who is there is always found. Runs under
 * ThreadSanitizer.
 */
#include "fw_fixture.h"

#include <pthread.h>

enum { STAYING = 500, COMING = 3000, ROUNDS = 30 };

struct shared {
	struct fw_rule *rule;
	bool stop;
	uint64_t found, missed;
};

static struct fw_packet *
staying(struct test_packet *t, unsigned i)
{
	return i % 2 == 0 ? flow_packet(t, 17, "10.0.0.2", (uint16_t)i, "192.0.2.1", 53) :
			    flow_packet(t, 17, "2001:db8::2", 53, "2001:db8::1", (uint16_t)i);
}

static void *
reader(void *arg)
{
	struct shared *sh = arg;
	struct test_packet t;
	unsigned i = 0;

	worker_attach(1, CLOCK_VIRTUAL);
	curvnet = vnet0;
	while (!__atomic_load_n(&sh->stop, __ATOMIC_RELAXED)) {
		rcu_read_lock();
		for (unsigned k = 0; k < 64; k++) {
			struct fw_packet *p = staying(&t, i++ % STAYING);

			if (k % 4 == 0)
				fw_state_prefetch(p, 1);
			if (fw_state_hit(p, "") == sh->rule)
				sh->found++;
			else
				sh->missed++;
		}
		rcu_read_unlock();
	}
	curvnet = NULL;
	worker_detach();
	return NULL;
}

static void
test_states_that_stay_are_found_while_others_come_and_go(void **state)
{
	struct shared sh = { .rule = keep_state(100) };
	struct fw_rule *other = keep_state(200);
	struct test_packet t;
	pthread_t thread;

	(void)state;
	command("sysctl net.inet.ip.fw.dyn_max=100000");
	command("sysctl net.inet.ip.fw.dyn_buckets=1");
	for (unsigned i = 0; i < STAYING; i++)
		assert_int_equal(fw_state_add(sh.rule, &sh.rule->insn[0], staying(&t, i)), 0);
	assert_int_equal(pthread_create(&thread, NULL, reader, &sh), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < COMING * (round + 1) / ROUNDS; i++)
			assert_int_equal(fw_state_add(other, &other->insn[0],
					     flow_packet(&t, 17, "10.0.0.3", (uint16_t)i,
						 "192.0.2.1", (uint16_t)round)),
			    0);
		fw_state_forget(other);
		rcu_poll();
	}
	__atomic_store_n(&sh.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(sh.missed, 0);
	assert_true(sh.found > 0);
	fw_state_forget(sh.rule);
	fw_rule_rele(sh.rule);
	fw_rule_rele(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_states_that_stay_are_found_while_others_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
