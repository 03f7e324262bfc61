/*
 * Compiled rules that change on one thread while another classifies packets with them (ipfw/classify.c,
 * classify_job.c): every packet gets a verdict, and nobody sees half a change. Runs under
 * ThreadSanitizer.
 */
#include "fw_stack.h"

#include "ipfw/check.h"
#include "ipfw/classify.h"

#include <pthread.h>
#include <stdio.h>

enum { RULES = 300, CHANGES = 2000, BATCH = 32 };

struct shared {
	bool stop;
	uint64_t by400, by600; /* packets that each let through; atomic */
};

static void
run(const char *line)
{
	assert_int_equal(verb_line(NULL, line, false, NULL, NULL), 0);
}

/* --- the reader ---------------------------------------------------------------- */

/*
 * To 10.0.0.5 there is always one rule, 400 or 600, each time a new one; all other rules are for other
 * addresses.
 */
static void
classify_batch(struct shared *s)
{
	static struct mbuf m;
	struct fw_packet p[BATCH];
	struct fw_verdict v[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		p[i] = (struct fw_packet){ .m = &m,
			.in = true,
			.ip = 4,
			.proto = 17,
			.has_ports = true,
			.ip_len = 100,
			.sport = (uint16_t)i,
			.dport = 53,
			.src = __builtin_bswap32(0x0a090909),
			.dst = __builtin_bswap32(0x0a000005) };
	rcu_read_lock();
	fw_check_batch(V_fw_map, p, BATCH, NULL, v);
	for (unsigned i = 0; i < BATCH; i++) {
		assert_int_equal(v[i].action, FW_ACT_ALLOW);
		assert_true(v[i].rule->number == 400 || v[i].rule->number == 600);
		assert_ptr_equal(v[i].rule, v[0].rule);
		__atomic_fetch_add(
		    v[i].rule->number == 400 ? &s->by400 : &s->by600, 1, __ATOMIC_RELAXED);
	}
	rcu_read_unlock();
}

static void *
reader(void *arg)
{
	struct shared *s = arg;

	worker_attach(1, CLOCK_VIRTUAL);
	{
		VNET_SCOPE(vnet0);
		while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
			classify_batch(s);
	}
	worker_detach();
	return NULL;
}

/* --- the upper half ------------------------------------------------------------- */

static void
move_the_rule(unsigned from, unsigned to)
{
	const struct fw_selection old = { .lo = (uint16_t)from, .hi = (uint16_t)from };
	char line[128];

	snprintf(line, sizeof(line), "ipfw -q add %u allow udp from any to 10.0.0.5 53", to);
	fw_change_begin();
	assert_int_equal(fw_delete(&old), 1);
	run(line);
	assert_int_equal(fw_change_end(), 0);
}

static bool
has_seen_both(const struct shared *s)
{
	return __atomic_load_n(&s->by400, __ATOMIC_RELAXED) > 0 &&
	    __atomic_load_n(&s->by600, __ATOMIC_RELAXED) > 0;
}

static void
test_no_packet_sees_half_a_change_of_compiled_rules(void **state)
{
	struct shared s = { 0 };
	pthread_t thread;
	char line[128];

	(void)state;
	fw_change_begin();
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(line, sizeof(line), "ipfw -q add %u deny ip from 192.0.2.%u to any", i + 1,
		    i % 200);
		run(line);
	}
	run("ipfw -q add 400 allow udp from any to 10.0.0.5 53");
	assert_int_equal(fw_change_end(), 0);
	assert_int_equal(pthread_create(&thread, NULL, reader, &s), 0);
	for (unsigned i = 0; i < CHANGES || !has_seen_both(&s); i++) {
		move_the_rule(i % 2 ? 600 : 400, i % 2 ? 400 : 600);
		rcu_poll();
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_no_packet_sees_half_a_change_of_compiled_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
