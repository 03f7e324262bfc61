/*
 * Unit tests of the shaper's objects (dummynet/dn_object.c, dn_queue.c, dn_rebuild.c, dn_parts.c):
 * linked, changed under load, deleted, forgotten. Every packet that goes in comes out or is counted.
 */
#include "dn_fixture.h"

#include "dn_test_parts.h"
#include "dummynet/dn_internal.h"

#include <unistd.h>

/* --- helpers ----------------------------------------------------------------------------------- */

static uint64_t
all_drops(void)
{
	return drops("dummynet.gone") + drops("dummynet.queue") + drops("dummynet.none") +
	    drops("dummynet.loss") + drops("dummynet.aqm") + drops("dummynet.nomem");
}

static void
set_type(uint32_t number, const struct dn_sched_part *part)
{
	sched_config_ok(number, &(struct dn_change){ .set = DN_SET_TYPE, .sched.part = part });
}

static void
lay_queue(uint32_t number, uint32_t sched)
{
	struct dn_change c = { .set = DN_SET_SCHED | DN_SET_LIMIT,
		.flowset = { .sched = sched, .queue_packets = 1000 } };

	VNET(dn_pipe_slot_limit) = 1000000;
	queue_config_ok(number, &c);
}

static struct dn_mask
mask_all(void)
{
	struct dn_mask mask;

	memset(&mask, 0xff, sizeof(mask));
	mask.per_queue = false;
	return mask;
}

static void
set_flow_mask(uint32_t queue, struct dn_mask mask)
{
	queue_config_ok(
	    queue, &(struct dn_change){ .set = DN_SET_FLOW_MASK, .flowset.mask = mask });
}

static void
set_sched_mask(uint32_t number, struct dn_mask mask)
{
	sched_config_ok(
	    number, &(struct dn_change){ .set = DN_SET_SCHED_MASK, .sched.mask = mask });
}

static struct dn_flowset_view
flowset(uint32_t number)
{
	struct dn_flowset_view v;

	assert_true(dn_flowset_look(number, &v));
	return v;
}

static struct dn_sched_view
scheduler(uint32_t number)
{
	struct dn_sched_view v;

	assert_true(dn_sched_look(number, &v));
	return v;
}

/* Pipe 1 of 1,000 bytes a ms and queue 1, of the part; n packets of 1,000 bytes of three flows, 1 us apart. */
static void
loaded_queue(const struct dn_sched_part *part, uint32_t n)
{
	lay_pipe(1, 8000000, 0, 1000);
	set_type(1, part);
	lay_queue(1, 1);
	for (uint32_t i = 0; i < n; i++) {
		run_to(i * NS_PER_US);
		assert_true(to_queue(1, dn_packet(i % 3, 1000, i)));
	}
}

/* All n packets have come, in order, each 1 ms behind the one before. */
static void
assert_all_came_in_order(uint32_t n)
{
	sched_run(NS_NEVER);
	assert_int_equal(came.n, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(came.id[i], i);
		assert_int_equal(came.when[i], (i + 1) * NS_PER_MS);
	}
}

/* --- linked ------------------------------------------------------------------------------------ */

static void
test_a_pipe_is_a_scheduler_and_a_hidden_one_with_a_flowset(void **state)
{
	(void)state;
	lay_pipe(7, 1000000, 5 * NS_PER_MS, 30);
	assert_int_equal(scheduler(7).rate_bps, 1000000);
	assert_int_equal(scheduler(7 + DN_HIDDEN_SCHED).rate_bps, 1000000);
	assert_string_equal(scheduler(7 + DN_HIDDEN_SCHED).config->part->name, "FIFO");
	assert_int_equal(flowset(7 + DN_HIDDEN_FLOWSET).config->sched, 7 + DN_HIDDEN_SCHED);
	assert_int_equal(flowset(7 + DN_HIDDEN_FLOWSET).config->queue_packets, 30);
}

static void
test_a_queue_may_come_before_its_scheduler(void **state)
{
	(void)state;
	lay_queue(5, 1);
	assert_null(flowset(5).part);
	assert_false(to_queue(5, dn_packet(1, 100, 0)));
	assert_int_equal(drops("dummynet.none"), 1);
	lay_pipe(1, 0, 0, 50);
	assert_non_null(flowset(5).part);
	assert_true(to_queue(5, dn_packet(1, 100, 1)));
	assert_int_equal(came.n, 1);
}

static void
test_a_scheduler_that_goes_leaves_its_queues_unlinked(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 3);
	assert_int_equal(dn_sched_delete(1), 0);
	assert_null(flowset(1).part);
	assert_int_equal(drops("dummynet.gone"), 3);
	lay_pipe(1, 0, 0, 50);
	assert_true(to_queue(1, dn_packet(1, 100, 1)));
	assert_int_equal(came.n, 1);
}

static void
test_a_new_queue_needs_a_scheduler_to_be_named(void **state)
{
	const char *why = NULL;
	struct dn_change c = { .set = DN_SET_LIMIT };

	(void)state;
	assert_int_equal(dn_queue_config(1, &c, &why), -EINVAL);
	assert_non_null(why);
	assert_int_equal(V_dn_stat.flowsets, 0);
}

/* --- deleted ----------------------------------------------------------------------------------- */

/* Edge case 6. */
static void
test_a_pipe_deleted_with_packets_inside_counts_them(void **state)
{
	(void)state;
	lay_pipe(1, 8000000, 10 * NS_PER_MS, 1000);
	for (uint32_t i = 0; i < 30; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	run_to(20 * NS_PER_MS);
	assert_int_equal(came.n, 9);
	assert_int_equal(dn_pipe_delete(1), 0);
	assert_int_equal(drops("dummynet.gone"), 21);
	assert_int_equal(dn_pipe_delete(1), -ENOENT);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 9);
}

static void
test_a_queue_deleted_with_packets_inside_counts_them(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 10);
	assert_int_equal(dn_queue_delete(1), 0);
	assert_int_equal(drops("dummynet.gone"), 9); /* one is on the line */
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 1);
}

static void
test_flush_deletes_everything(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 10);
	lay_pipe(2, 8000, 0, 50);
	lay_queue(9, 77);
	to_pipe(2, dn_packet(1, 100, 0));
	dn_flush();
	assert_int_equal(
	    V_dn_stat.schedulers + V_dn_stat.flowsets + V_dn_stat.instances + V_dn_stat.queues, 0);
	assert_int_equal(part_calls.queues + part_calls.instances, 0);
	assert_int_equal(drops("dummynet.gone"), 11);
}

/* The teardown's audit is the test. */
static void
test_a_stack_ends_with_packets_inside(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 10);
	set_flow_mask(1, mask_all());
	lay_pipe(2, 8000, NS_PER_SEC, 50);
	for (uint32_t i = 0; i < 10; i++)
		to_pipe(2, dn_packet(i, 100, 0));
	lay_queue(9, 77);
}

/* --- changed under load ------------------------------------------------------------------------ */

/* Edge case 24. */
static void
test_a_pipe_reconfigured_under_load_keeps_its_packets(void **state)
{
	(void)state;
	lay_pipe(1, 8000000, 0, 1000);
	for (uint32_t i = 0; i < 10; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	run_to(2 * NS_PER_MS + 1); /* the third is being sent */
	lay_pipe(1, 16000000, 0, 3);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 10);
	assert_int_equal(came.when[2], 3 * NS_PER_MS);
	for (uint32_t i = 3; i < 10; i++)
		assert_int_equal(came.when[i], 3 * NS_PER_MS + (i - 2) * NS_PER_MS / 2);
}

static void
test_what_waits_leaves_at_once_when_the_rate_goes(void **state)
{
	(void)state;
	lay_pipe(1, 8000000, 0, 1000);
	for (uint32_t i = 0; i < 10; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	run_to(2 * NS_PER_MS + 1);
	lay_pipe(1, 0, 0, 1000);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 10);
	for (uint32_t i = 2; i < 10; i++) {
		assert_int_equal(came.id[i], i);
		assert_int_equal(came.when[i], 3 * NS_PER_MS);
	}
}

static void
test_a_shorter_delay_lets_nobody_overtake(void **state)
{
	(void)state;
	lay_pipe(1, 0, 10 * NS_PER_MS, 50);
	to_pipe(1, dn_packet(1, 100, 0));
	lay_pipe(1, 0, 1 * NS_PER_MS, 50);
	to_pipe(1, dn_packet(1, 100, 1));
	lay_pipe(1, 0, 0, 50);
	to_pipe(1, dn_packet(1, 100, 2));
	assert_int_equal(came.n, 0);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(came.id[i], i);
		assert_int_equal(came.when[i], 10 * NS_PER_MS);
	}
}

static void
test_another_type_keeps_what_waits_in_its_order(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 12);
	set_type(1, dn_part_fifo());
	set_type(1, &test_own);
	set_type(1, &test_turns);
	assert_all_came_in_order(12);
	assert_int_equal(all_drops(), 0);
}

static void
test_another_mask_keeps_what_waits(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 12);
	set_flow_mask(1, mask_all());
	assert_int_equal(flowset(1).flows, 3);
	assert_int_equal(flowset(1).count.queued_packets, 11);
	set_flow_mask(1, (struct dn_mask){ 0 });
	assert_int_equal(flowset(1).flows, 1);
	assert_all_came_in_order(12);
	assert_int_equal(all_drops(), 0);
}

/* Each of three flows gets a link of its own; what is on the old one's line comes first. */
static void
test_another_scheduler_mask_gives_each_flow_its_link_and_keeps_what_waits(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 12);
	set_sched_mask(1, mask_all());
	assert_int_equal(scheduler(1).instances, 3);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 12);
	assert_int_equal(came.id[0], 0);
	assert_int_equal(came.when[0], 1 * NS_PER_MS);
	assert_in_range(came.when[11], 4 * NS_PER_MS, 4 * NS_PER_MS + 11 * NS_PER_US);
	assert_int_equal(all_drops(), 0);
}

static void
test_a_queue_moves_to_another_scheduler_with_what_waits(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 5);
	lay_pipe(2, 0, 0, 50);
	lay_queue(1, 2);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 5);
	assert_int_equal(came.when[3], 4 * NS_PER_US);
}

/* Edge case 25. */
static void
test_the_weight_of_a_live_flow_changes(void **state)
{
	struct dn_change c = { .set = DN_SET_WEIGHT, .flowset.share.weight = 30 };
	const char *why = NULL;

	(void)state;
	loaded_queue(&test_turns, 5);
	part_calls.shares = 0;
	queue_config_ok(1, &c);
	assert_int_equal(part_calls.shares, 1);
	assert_int_equal(part_calls.old.weight, 1);
	assert_int_equal(part_calls.now.weight, 30);
	c.flowset.share.weight = 101;
	assert_int_equal(dn_queue_config(1, &c, &why), -EINVAL);
	c.set = DN_SET_MAX_LEN;
	c.flowset.share.max_len = 1500;
	queue_config_ok(1, &c); /* a word that this part passes over */
	assert_int_equal(part_calls.shares, 1);
	assert_all_came_in_order(5);
}

static void
test_parameters_of_a_type_change_under_load(void **state)
{
	uint32_t param = 9;
	struct dn_change c = { .set = DN_SET_TYPE,
		.sched = { .part = &test_turns, .param = &param } };

	(void)state;
	loaded_queue(&test_turns, 5);
	part_calls.params = 0;
	sched_config_ok(1, &c);
	assert_int_equal(part_calls.params, 1);
	assert_int_equal(part_calls.param, 9);
	c.sched.param = NULL;
	sched_config_ok(1, &c);
	assert_int_equal(part_calls.param, 5);
	assert_all_came_in_order(5);
}

/* Two queues of one FIFO share its queue; the one that made it goes. */
static void
test_a_shared_queue_outlives_the_flowset_that_began_it(void **state)
{
	(void)state;
	loaded_queue(dn_part_fifo(), 3);
	lay_queue(2, 1);
	to_queue(2, dn_packet(1, 1000, 3));
	assert_int_equal(dn_queue_delete(1), 0);
	to_queue(2, dn_packet(1, 1000, 4));
	assert_int_equal(flowset(2).count.queued_packets, 4);
	assert_all_came_in_order(5);
	assert_int_equal(dn_queue_delete(2), 0);
}

/* Nothing is shared here; what one queue had alone goes with it. */
static void
test_one_of_two_queues_of_a_scheduler_goes(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 3);
	lay_queue(2, 1);
	to_queue(2, dn_packet(1, 1000, 3));
	assert_int_equal(dn_queue_delete(1), 0);
	assert_int_equal(drops("dummynet.gone"), 2);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 2);
	assert_int_equal(dn_queue_delete(2), 0);
}

/* --- flows ------------------------------------------------------------------------------------- */

/* Edge case 23. */
static void
test_mask_all_with_three_protocols_is_three_flows(void **state)
{
	static const uint8_t protos[] = { IPPROTO_UDP_, IPPROTO_TCP_, IPPROTO_ICMP_ };

	(void)state;
	loaded_queue(&test_turns, 0);
	set_flow_mask(1, mask_all());
	for (uint32_t i = 0; i < 9; i++) {
		struct mbuf *m = dn_packet(1, 100, i);

		m->data[9] = protos[i % 3];
		to_queue(1, m);
	}
	assert_int_equal(flowset(1).flows, 3);
}

static bool
keep_bucket(void *ctx, const struct dn_flow_view *v)
{
	uint32_t *seen = ctx;

	assert_in_range(v->bucket, 0, 15);
	assert_int_equal(v->flow.src & ~__builtin_bswap32(0xff), 0);
	assert_int_equal(v->flow.sport, 0);
	*seen += 1;
	return true;
}

static void
test_a_mask_is_what_is_looked_at(void **state)
{
	uint32_t seen = 0;
	struct dn_mask mask = { .src = __builtin_bswap32(0xff) };

	(void)state;
	loaded_queue(&test_turns, 0);
	set_flow_mask(1, mask);
	queue_config_ok(1, &(struct dn_change){ .set = DN_SET_BUCKETS, .flowset.buckets = 16 });
	for (uint32_t i = 0; i < 1000; i++)
		to_queue(1, dn_packet(i, 40, i));
	dn_flow_walk(1, keep_bucket, &seen);
	assert_int_equal(seen, 256);
	assert_int_equal(flowset(1).buckets, 16);
	assert_int_equal(flowset(1).count.packets, 1000);
}

/* The word `queue`: each flowset has an instance of its own. */
static void
test_a_mask_by_queue_gives_each_flowset_a_link(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 0);
	set_sched_mask(1, (struct dn_mask){ .per_queue = true });
	lay_queue(2, 1);
	to_queue(1, dn_packet(1, 1000, 0));
	to_queue(2, dn_packet(1, 1000, 1));
	assert_int_equal(scheduler(1).instances, 2);
	sched_run(NS_NEVER);
	assert_int_equal(came.when[0], NS_PER_MS);
	assert_int_equal(came.when[1], NS_PER_MS);
}

static void
test_idle_flows_are_forgotten_and_their_counts_are_not(void **state)
{
	(void)state;
	loaded_queue(&test_turns, 0);
	set_flow_mask(1, mask_all());
	for (uint32_t i = 0; i < 100; i++)
		to_queue(1, dn_packet(i, 100, i));
	assert_int_equal(V_dn_stat.queues, 100);
	run_for(3 * NS_PER_SEC);
	assert_int_equal(V_dn_stat.queues, 0);
	assert_int_equal(V_dn_stat.instances, 0);
	assert_int_equal(flowset(1).count.packets, 100);
	assert_int_equal(scheduler(1).count.packets, 100);
	assert_int_equal(scheduler(1).count.bytes, 10000);
	assert_int_equal(sched_next(), NS_NEVER);
}

static void
test_expire_0_forgets_nothing(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.dummynet.expire=0");
	loaded_queue(&test_turns, 3);
	run_for(100 * NS_PER_SEC);
	assert_int_equal(V_dn_stat.queues, 1);
	command("sysctl net.inet.ip.dummynet.expire=2");
	run_for(5 * NS_PER_SEC);
	assert_int_equal(V_dn_stat.queues, 0);
}

/* An instance that has used its burst is kept until it has it again: no burst comes of forgetting. */
static void
test_forgetting_gives_no_burst(void **state)
{
	struct dn_change c = link_of(8000, 0);

	(void)state;
	c.set |= DN_SET_BURST;
	c.sched.link.burst_bytes = 10000; /* ten seconds' worth */
	pipe_config_ok(1, &c);
	for (uint32_t i = 0; i < 10; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	assert_int_equal(came.n, 10);
	run_for(5 * NS_PER_SEC);
	for (uint32_t i = 0; i < 10; i++)
		to_pipe(1, dn_packet(1, 1000, i));
	assert_int_equal(came.n, 15);
}

static void
test_there_is_a_limit_of_flows(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.dummynet.flows_max=10");
	loaded_queue(&test_turns, 0);
	set_flow_mask(1, mask_all());
	for (uint32_t i = 0; i < 100; i++)
		to_queue(1, dn_packet(i, 100, i));
	assert_int_equal(V_dn_stat.queues, 10);
	assert_int_equal(drops("dummynet.nomem"), 90);
}

/* A link that has not saved its burst yet outlives its queues; each flow has one. */
static void
test_there_is_a_limit_of_links_too(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.dummynet.flows_max=10");
	command("dnctl pipe 1 config bw 8Kbit/s burst 1M mask all");
	for (uint32_t i = 0; i < 100; i++)
		to_pipe(1, dn_packet(i, 100, i));
	assert_int_equal(V_dn_stat.instances, 10);
	command("dnctl pipe 1 config burst 2M");
	run_for(10 * NS_PER_SEC);
	assert_int_equal(V_dn_stat.queues, 0);
	for (uint32_t i = 100; i < 200; i++)
		to_pipe(1, dn_packet(i, 100, i));
	assert_true(V_dn_stat.instances <= 10);
}

/* --- interfaces that give their rate ------------------------------------------------------------ */

static void
test_a_pipe_has_its_interfaces_rate(void **state)
{
	struct dn_change c = { .set = DN_SET_RATE, .sched.link.rate_of = "epair0a" };

	(void)state;
	pipe_config_ok(1, &c);
	assert_int_equal(scheduler(1).rate_bps, 0);
	command("ifconfig epair0 create");
	assert_int_equal(scheduler(1).rate_bps, UINT64_C(10000000000));
	command("ifconfig epair0a name up0");
	assert_int_equal(scheduler(1).rate_bps, 0);
	command("ifconfig up0 name epair0a");
	assert_int_equal(scheduler(1).rate_bps, UINT64_C(10000000000));
	command("ifconfig epair0a destroy");
	assert_int_equal(scheduler(1).rate_bps, 0);
}

/* --- doors ------------------------------------------------------------------------------------- */

static void
check_door_close(const struct dn_sched_part *part)
{
	static const struct dn_door other = { .name = "other", .deliver = door_deliver };

	came.n = 0;
	drop_zero();
	loaded_queue(part, 6);
	for (uint32_t i = 6; i < 12; i++)
		dn_input(dn_packet(i % 3, 1000, i), 1, true, &other);
	dn_door_close(&other);
	sched_run(NS_NEVER);
	assert_int_equal(came.n, 6);
	assert_int_equal(drops("dummynet.gone"), 6);
	dn_flush();
}

static void
test_a_door_that_closes_drops_what_came_by_it(void **state)
{
	(void)state;
	check_door_close(&test_turns);
	check_door_close(dn_part_fifo());
	check_door_close(&test_own);
}

/* --- parts ------------------------------------------------------------------------------------- */

static void
test_a_type_in_use_is_not_unloaded(void **state)
{
	const char *why = NULL;

	(void)state;
	set_type(1, &test_turns);
	assert_int_equal(dn_sched_unload("test-turns"), -EBUSY);
	set_type(1, dn_part_fifo());
	assert_int_equal(dn_sched_unload("Test-Turns"), 0);
	assert_null(dn_sched_find("TEST-TURNS"));
	assert_int_equal(dn_sched_unload("TEST-TURNS"), -ENOENT);
	assert_int_equal(dn_sched_load("TEST-TURNS", &why), 0);
	assert_ptr_equal(dn_sched_find("test-turns"), &test_turns);
	assert_int_equal(dn_sched_load("TEST-TURNS", &why), -EEXIST);
	assert_int_equal(dn_sched_load("TEST-NONE", &why), -ENOENT);
	assert_int_equal(dn_sched_unload("FIFO"), -EBUSY);
}

static void
part_beside_the_test(char *file, size_t len)
{
	const ssize_t n = readlink("/proc/self/exe", file, len - 32);

	assert_true(n > 0);
	file[n] = '\0';
	strcpy(strrchr(file, '/') + 1, "dn_part_lifo.so");
}

static void
test_a_type_comes_from_a_file(void **state)
{
	const char *why = NULL;
	char file[4096];

	(void)state;
	part_beside_the_test(file, sizeof(file));
	assert_int_equal(dn_sched_load("/nowhere/part.so", &why), -ENOENT);
	assert_int_equal(dn_sched_load(file, &why), 0);
	assert_int_equal(dn_sched_load(file, &why), -EEXIST);
	set_type(1, dn_sched_find("test-lifo"));
	lay_queue(1, 1);
	for (uint32_t i = 0; i < 4; i++)
		to_queue(1, dn_packet(1, 1000, i));
	assert_int_equal(came.n, 4);
	assert_int_equal(dn_sched_unload("test-lifo"), -EBUSY);
	assert_int_equal(dn_sched_delete(1), 0);
	assert_int_equal(dn_sched_unload("test-lifo"), 0);
	assert_null(dn_sched_find("test-lifo"));
}

/* --- without memory ---------------------------------------------------------------------------- */

static void
scenario(void)
{
	struct dn_change c = link_of(8000000, 0);
	struct dn_mask mask = mask_all();
	const char *why;

	dn_pipe_config(1, &c, &why);
	c.set = DN_SET_TYPE;
	c.sched.part = &test_turns;
	dn_sched_config(1, &c, &why);
	c = (struct dn_change){ .set = DN_SET_SCHED | DN_SET_FLOW_MASK,
		.flowset = { .sched = 1, .mask = mask } };
	dn_queue_config(1, &c, &why);
	for (uint32_t i = 0; i < 12; i++) {
		to_queue(1, dn_packet(i % 3, 1000, i));
		to_pipe(1, dn_packet(i % 3, 1000, i));
	}
	c = (struct dn_change){ .set = DN_SET_SCHED_MASK, .sched.mask = mask };
	dn_sched_config(1, &c, &why);
	c = (struct dn_change){ .set = DN_SET_TYPE, .sched.part = &test_own };
	dn_sched_config(1, &c, &why);
	run_for(5 * NS_PER_MS);
	dn_flush();
}

static void
test_without_memory_nothing_leaks_and_every_packet_is_counted(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 1000; n++) {
		bool over;

		came.n = 0;
		drop_zero();
		vnet_malloc_fail_at(n);
		scenario();
		over = vnet_malloc_fail_pending();
		vnet_malloc_fail_at(0);
		assert_int_equal(came.n + all_drops(), 24);
		assert_int_equal(V_dn_stat.queues + V_dn_stat.instances, 0);
		if (over)
			return;
	}
	fail();
}

/* --- order ------------------------------------------------------------------------------------- */

/* Another room's events, one every ns: how many of them the scheduler allows at a time. */
static uint64_t widest;

static void
ticks(struct sched_source *src, uint64_t until_ns)
{
	if (until_ns - src->next_ns > widest)
		widest = until_ns - src->next_ns;
	src->next_ns = until_ns < NS_PER_US ? until_ns : NS_NEVER;
}

/* A packet comes out at a time that who brought it didn't know: so nobody may be ahead of it. */
static void
test_a_stack_with_a_pipe_runs_one_instant_at_a_time(void **state)
{
	struct sched_source src = { .next_ns = 1, .run = ticks };
	struct sched_domain *domain;
	struct vnet *vnet;

	(void)state;
	command("jail -c name=n1 vnet persist");
	vnet = vnet_of("n1");
	vnet->domain = domain = sched_domain_new(false);
	sched_set_lookahead(NS_PER_MS);
	for (int laid = 0; laid < 2; laid++) {
		VNET_SCOPE(vnet);
		if (laid)
			lay_pipe(1, 8000000, 0, 50);
		widest = 0;
		src.next_ns = clock_now() + 1;
		sched_add(&src, domain);
		sched_run(clock_now() + 200);
		sched_remove(&src);
		assert_true(laid ? widest == 1 : widest > 1);
	}
	command("jail -r n1");
	sched_domain_free(domain);
	sched_set_lookahead(0);
}

/* --- to look at -------------------------------------------------------------------------------- */

static bool
check_order(void *ctx, const struct dn_sched_view *v)
{
	uint32_t *last = ctx;

	assert_true(v->number > *last);
	*last = v->number;
	return v->number != 300 + DN_HIDDEN_SCHED;
}

static void
test_objects_are_walked_in_the_order_of_their_numbers(void **state)
{
	uint32_t last = 0;

	(void)state;
	lay_pipe(300, 0, 0, 50);
	lay_pipe(2, 0, 0, 50);
	lay_pipe(65535, 0, 0, 50);
	dn_sched_walk(check_order, &last);
	assert_int_equal(last, 300 + DN_HIDDEN_SCHED);
}

/* An idle pipe, as configured, and what it has when it has been used and forgotten. */
static void
test_an_idle_pipe_takes_less_than_a_kibibyte(void **state)
{
	enum { PIPES = 1000 };
	const uint64_t before = vnet_memory();

	(void)state;
	for (uint32_t i = 1; i <= PIPES; i++)
		lay_pipe(i, 1000000, NS_PER_MS, 50);
	for (uint32_t i = 1; i <= PIPES; i++)
		to_pipe(i, dn_packet(1, 100, i));
	sched_run(NS_NEVER);
	assert_int_equal(came.n, PIPES);
	/* vnet_malloc says how many bytes were asked for: 24 more a piece, three pieces. */
	print_message(
	    "# %u bytes an idle pipe\n", (unsigned)((vnet_memory() - before) / PIPES + 3 * 24));
	assert_true((vnet_memory() - before) / PIPES + 3 * 24 <= 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		DN_TEST(test_a_pipe_is_a_scheduler_and_a_hidden_one_with_a_flowset),
		DN_TEST(test_a_queue_may_come_before_its_scheduler),
		DN_TEST(test_a_scheduler_that_goes_leaves_its_queues_unlinked),
		DN_TEST(test_a_new_queue_needs_a_scheduler_to_be_named),
		DN_TEST(test_a_pipe_deleted_with_packets_inside_counts_them),
		DN_TEST(test_a_queue_deleted_with_packets_inside_counts_them),
		DN_TEST(test_flush_deletes_everything),
		DN_TEST(test_a_stack_ends_with_packets_inside),
		DN_TEST(test_a_pipe_reconfigured_under_load_keeps_its_packets),
		DN_TEST(test_what_waits_leaves_at_once_when_the_rate_goes),
		DN_TEST(test_a_shorter_delay_lets_nobody_overtake),
		DN_TEST(test_another_type_keeps_what_waits_in_its_order),
		DN_TEST(test_another_mask_keeps_what_waits),
		DN_TEST(test_another_scheduler_mask_gives_each_flow_its_link_and_keeps_what_waits),
		DN_TEST(test_a_queue_moves_to_another_scheduler_with_what_waits),
		DN_TEST(test_the_weight_of_a_live_flow_changes),
		DN_TEST(test_parameters_of_a_type_change_under_load),
		DN_TEST(test_a_shared_queue_outlives_the_flowset_that_began_it),
		DN_TEST(test_one_of_two_queues_of_a_scheduler_goes),
		DN_TEST(test_mask_all_with_three_protocols_is_three_flows),
		DN_TEST(test_a_mask_is_what_is_looked_at),
		DN_TEST(test_a_mask_by_queue_gives_each_flowset_a_link),
		DN_TEST(test_idle_flows_are_forgotten_and_their_counts_are_not),
		DN_TEST(test_expire_0_forgets_nothing),
		DN_TEST(test_forgetting_gives_no_burst),
		DN_TEST(test_there_is_a_limit_of_flows),
		DN_TEST(test_there_is_a_limit_of_links_too),
		DN_TEST(test_a_pipe_has_its_interfaces_rate),
		DN_TEST(test_a_door_that_closes_drops_what_came_by_it),
		DN_TEST(test_a_type_in_use_is_not_unloaded),
		DN_TEST(test_a_type_comes_from_a_file),
		DN_TEST(test_without_memory_nothing_leaks_and_every_packet_is_counted),
		DN_TEST(test_a_stack_with_a_pipe_runs_one_instant_at_a_time),
		DN_TEST(test_objects_are_walked_in_the_order_of_their_numbers),
		DN_TEST(test_an_idle_pipe_takes_less_than_a_kibibyte),
	};

	return cmocka_run_group_tests_name("dummynet/object", tests, NULL, NULL);
}
