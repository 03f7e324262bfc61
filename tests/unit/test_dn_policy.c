/*
 * Policies, profiles and the schedulers with queues inside, where a pipe works with them: what is
 * marked, dropped and lost is counted, and what waits stays when they change.
 */
#include "dn_fixture.h"

#include "dummynet/dn_profile.h"

enum { SENT_MAX = 100000 };
static const uint64_t ms = NS_PER_MS;
static uint64_t sent_ns[SENT_MAX], waited_max_ns[8];
static uint32_t seen[8], marked;

/* Of the packet with this id: its flow is the last figure of its id. */
static void
note(struct mbuf *m)
{
	const uint32_t id = packet_id(m), flow = id % 8;
	const uint64_t waited = m->when_ns - sent_ns[id];

	seen[flow]++;
	marked += (m->data[1] & 3) == DN_CE;
	if (waited > waited_max_ns[flow])
		waited_max_ns[flow] = waited;
}

static void
watch(void)
{
	memset(seen, 0, sizeof(seen));
	memset(waited_max_ns, 0, sizeof(waited_max_ns));
	marked = 0;
	came_hook = note;
}

/* Send a packet of a flow now; its number counts up. */
static bool
send_one(bool queue, uint32_t *serial, uint32_t flow, uint32_t len, uint8_t ecn)
{
	const uint32_t id = (*serial)++ * 8 + flow;
	struct mbuf *m = dn_udp4(flow, len, ecn);

	assert_true(id < SENT_MAX);
	store32(m->data + 28, id);
	m->when_ns = sent_ns[id] = clock_now();
	return dn_input(m, 1, queue, &test_door);
}

static struct dn_change
with_policy(uint64_t rate_bps, enum dn_aqm_kind kind, bool ecn)
{
	struct dn_change c = link_of(rate_bps, 0);

	VNET(dn_pipe_slot_limit) = 10000;
	c.set |= DN_SET_AQM | DN_SET_LIMIT;
	c.flowset.queue_packets = 10000;
	dn_aqm_defaults(&c.flowset.aqm, kind);
	c.flowset.aqm.ecn = ecn;
	c.flowset.aqm.red.w_q = 0.002;
	c.flowset.aqm.red.max_p = 0.1;
	c.flowset.aqm.red.min_th = 5;
	c.flowset.aqm.red.max_th = 15;
	return c;
}

/* --- policies --------------------------------------------------------------------------------- */

/* Two per cent more than the link can take, for 20 s: a plain queue would be 400 ms long. */
static void
test_each_policy_keeps_a_pipes_queue_short(void **state)
{
	static const struct {
		enum dn_aqm_kind kind;
		uint64_t last_second_ns;
	} cases[] = { { DN_AQM_NONE, 1000 * NS_PER_MS }, { DN_AQM_RED, 30 * NS_PER_MS },
		{ DN_AQM_GRED, 30 * NS_PER_MS }, { DN_AQM_CODEL, 60 * NS_PER_MS },
		{ DN_AQM_PIE, 60 * NS_PER_MS } };

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
		for (int ecn = 0; ecn < (cases[k].kind == DN_AQM_NONE ? 1 : 2); ecn++) {
			struct dn_change c = with_policy(5000000, cases[k].kind, ecn);
			const uint64_t drops = drop_get(curvnet, &DROP_DN_AQM);
			uint32_t serial = 0;

			pipe_config_ok(1, &c);
			watch();
			for (uint64_t t = 0; t < 20000 * ms; t += 2353 * NS_PER_US) {
				if (t > 19000 * ms && t - 2353 * NS_PER_US <= 19000 * ms)
					watch();
				send_one(false, &serial, 1, 1500, ecn ? DN_ECT0 : DN_NOT_ECT);
				run_for(2353 * NS_PER_US);
			}
			if (cases[k].kind == DN_AQM_NONE)
				assert_true(waited_max_ns[1] > 300 * ms);
			else if (!ecn)
				assert_true(waited_max_ns[1] < cases[k].last_second_ns);
			/* Marks alone don't shorten the queue of one who doesn't listen. */
			if (cases[k].kind != DN_AQM_NONE && ecn)
				assert_true(marked > 0);
			if (cases[k].kind == DN_AQM_NONE)
				assert_int_equal(drop_get(curvnet, &DROP_DN_AQM), drops);
			else if (!ecn)
				assert_in_range(drop_get(curvnet, &DROP_DN_AQM) - drops, 100, 400);
			assert_int_equal(dn_pipe_delete(1), 0);
		}
}

static void
test_a_policy_may_change_while_packets_wait(void **state)
{
	struct dn_change c;
	uint32_t serial = 0;

	(void)state;
	c = with_policy(8000000, DN_AQM_NONE, false);
	pipe_config_ok(1, &c);
	watch();
	for (int i = 0; i < 40; i++)
		send_one(false, &serial, 1, 1000, DN_NOT_ECT);
	for (int kind = DN_AQM_RED; kind <= DN_AQM_PIE; kind++) {
		c = with_policy(8000000, (enum dn_aqm_kind)kind, false);
		c.flowset.aqm.red.max_th = 1000;
		pipe_config_ok(1, &c);
		run_for(5 * ms);
	}
	c = with_policy(8000000, DN_AQM_NONE, false);
	pipe_config_ok(1, &c);
	run_for(1000 * ms);
	assert_int_equal(seen[1], 40);
}

/* --- FQ_CODEL and FQ_PIE ---------------------------------------------------------------------- */

static void
lay_fq(const char *type, uint64_t rate_bps)
{
	struct dn_change c = link_of(rate_bps, 0);

	c.set |= DN_SET_TYPE;
	c.sched.part = dn_sched_find(type);
	assert_non_null(c.sched.part);
	sched_config_ok(1, &c);
	c = (struct dn_change){ .set = DN_SET_SCHED, .flowset.sched = 1 };
	queue_config_ok(1, &c);
}

static void
test_a_sparse_flow_passes_a_flood_and_the_flood_is_cut(void **state)
{
	static const char *const types[] = { "fq_codel", "FQ_PIE" };

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct dn_flowset_view fs;
		uint32_t serial = 0;
		uint64_t drops = drop_get(curvnet, &DROP_DN_AQM), before;

		lay_fq(types[k], 10000000);
		watch();
		/* Three times the rate in one flow; four packets a second in another. */
		for (int i = 0; i < 5000; i++) {
			send_one(true, &serial, 1, 1500, DN_NOT_ECT);
			if (i % 500 == 0)
				send_one(true, &serial, 2, 100, DN_NOT_ECT);
			run_for(400 * NS_PER_US);
		}
		assert_int_equal(seen[2], 10);
		/*
		 * The packet on the wire, one of a flow that is as fresh (the flood itself, in the
		 * beginning), and its own transmission.
		 */
		assert_true(waited_max_ns[2] <= (2 * 1500 + 100) * 800);
		before = drop_get(curvnet, &DROP_DN_AQM) - drops;
		assert_true(before > 100);
		assert_true(dn_flowset_look(1, &fs));
		assert_int_equal(fs.count.packets, 5010);
		assert_int_equal(fs.count.drops, before);
		/* One is on the wire. */
		assert_int_equal(
		    fs.count.queued_packets + fs.count.drops + seen[1] + seen[2], 5009);
		/* With packets inside. */
		assert_int_equal(dn_sched_delete(1), 0);
		assert_int_equal(dn_queue_delete(1), 0);
	}
}

static void
test_another_type_and_back_keeps_what_waits(void **state)
{
	static const char *const types[] = { "FQ_CODEL", "WF2Q+", "FQ_PIE", "FIFO", "FQ_CODEL" };
	uint32_t serial = 0;

	(void)state;
	watch();
	for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
		if (dn_sched_find(types[k]) == NULL)
			continue;
		lay_fq(types[k], 8000000);
		/* Long enough for CoDel to want to drop: moved packets have not waited in vain. */
		for (uint32_t f = 0; f < 4; f++)
			for (int i = 0; i < 2; i++)
				send_one(true, &serial, f, 1000, DN_NOT_ECT);
		run_for(2 * ms);
	}
	run_for(10000 * ms);
	assert_int_equal(seen[0] + seen[1] + seen[2] + seen[3], serial);
}

/* What CoDel is about to drop stays, when it is only moved. */
static void
test_moving_is_no_reason_to_drop(void **state)
{
	uint64_t drops;
	uint32_t serial = 0, kept;
	struct dn_flowset_view fs;

	(void)state;
	lay_fq("FQ_CODEL", 8000000);
	for (int i = 0; i < 2000; i++) {
		send_one(true, &serial, 1, 1000, DN_NOT_ECT);
		run_for(500 * NS_PER_US);
	}
	assert_true(dn_flowset_look(1, &fs));
	kept = fs.count.queued_packets;
	drops = drop_get(curvnet, &DROP_DN_AQM);
	assert_true(drops > 3 && kept > 500);
	lay_fq("FIFO", 8000000);
	assert_int_equal(drop_get(curvnet, &DROP_DN_AQM), drops);
	assert_true(dn_flowset_look(1, &fs));
	/* The link takes the next one at once: it begins anew. */
	assert_in_range(fs.count.queued_packets, kept - 1, kept);
}

/* --- profiles --------------------------------------------------------------------------------- */

/* Edge case 28: lost from the level on, and each for its time on the channel. */
static void
test_a_profile_takes_its_time_and_its_toll(void **state)
{
	static const char text[] = "samples 100\nloss-level 0.75\nprob delay\n0 2\n1 2\n";
	struct dn_change c = link_of(8000000, 3 * ms);
	uint32_t serial = 0, n;
	char why[80];

	(void)state;
	c.set |= DN_SET_PROFILE;
	c.sched.link.profile = dn_profile_parse(text, strlen(text), why, sizeof(why));
	assert_non_null(c.sched.link.profile);
	pipe_config_ok(1, &c);
	dn_profile_rele(c.sched.link.profile);
	watch();
	for (n = 0; n < 4000; n++) {
		send_one(false, &serial, 1, 1000, DN_NOT_ECT);
		run_for(10 * ms);
	}
	assert_int_equal(seen[1] + drop_get(curvnet, &DROP_DN_PROFILE), n);
	/* A quarter, with a spread of 27. */
	assert_in_range(drop_get(curvnet, &DROP_DN_PROFILE), 1000 - 140, 1000 + 140);
	/* 1 ms on the link, 2 more of the profile's, 3 of delay. */
	assert_int_equal(waited_max_ns[1], 6 * ms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DN_TEST(test_each_policy_keeps_a_pipes_queue_short),
		DN_TEST(test_a_policy_may_change_while_packets_wait),
		DN_TEST(test_a_sparse_flow_passes_a_flood_and_the_flood_is_cut),
		DN_TEST(test_another_type_and_back_keeps_what_waits),
		DN_TEST(test_moving_is_no_reason_to_drop),
		DN_TEST(test_a_profile_takes_its_time_and_its_toll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
