/*
 * dn_fixture.h - tests of the shaper: a stack, and a door that writes down what comes out of it.
 */
#ifndef WARREN_TESTS_DN_FIXTURE_H
#define WARREN_TESTS_DN_FIXTURE_H

#include "inet_fixture.h"

#include "dn_packets.h"
#include "dummynet/dn.h"

enum { CAME_MAX = 4096 };

/* What has come out, in order; id is what packet_id() finds in it. */
static struct came {
	uint32_t n;
	uint64_t when[CAME_MAX];
	uint32_t id[CAME_MAX];
	uint32_t len[CAME_MAX];
	uint32_t batches;
	uint64_t bytes;
	uint64_t first_ns, last_ns;
} came;
static void (*came_hook)(struct mbuf *m); /* borrows */

static inline uint32_t
packet_id(const struct mbuf *m)
{
	return m->len >= 32 ? load32(m->data + 28) : 0;
}

static inline void
door_deliver(const struct dn_door *door, struct batch *b)
{
	(void)door;
	came.batches++;
	batch_foreach(b, m) {
		assert_null(m->nh);
		if (came.n < CAME_MAX) {
			came.when[came.n] = m->when_ns;
			came.id[came.n] = packet_id(m);
			came.len[came.n] = m->len;
		}
		if (came.n++ == 0)
			came.first_ns = m->when_ns;
		came.last_ns = m->when_ns;
		came.bytes += m->len;
		if (came_hook != NULL)
			came_hook(m);
		m_free(m);
	}
	b->n = 0;
}
static const struct dn_door test_door = { .name = "test", .deliver = door_deliver };

static inline int
dn_setup(void **state)
{
	came = (struct came){ 0 };
	came_hook = NULL;
	return inet_setup(state);
}
#define DN_TEST(fn) cmocka_unit_test_setup_teardown(fn, dn_setup, inet_teardown)

/* UDP of a flow, len bytes at IP, with an id. */
static inline struct mbuf *
dn_packet(uint32_t flow, uint32_t len, uint32_t id)
{
	struct mbuf *m = dn_udp4(flow, len < 32 ? 32 : len, 0);

	store32(m->data + 28, id);
	return m;
}

static inline bool
to_pipe(uint32_t number, struct mbuf *m)
{
	return dn_input(m, number, false, &test_door);
}

static inline bool
to_queue(uint32_t number, struct mbuf *m)
{
	return dn_input(m, number, true, &test_door);
}

static inline void
run_to(uint64_t ns)
{
	sched_run(ns);
}

static inline void
run_for(uint64_t ns)
{
	sched_run(clock_now() + ns);
}

/* Rate, delay; 0 delay and rate are said too. */
static inline struct dn_change
link_of(uint64_t rate_bps, uint64_t delay_ns)
{
	return (struct dn_change){ .set = DN_SET_RATE | DN_SET_DELAY,
		.sched.link = { .rate_bps = rate_bps, .delay_ns = delay_ns } };
}

static inline void
pipe_config_ok(uint32_t number, const struct dn_change *c)
{
	const char *why = NULL;
	int error = dn_pipe_config(number, c, &why);

	if (error != 0)
		print_error("pipe %u: %d: %s\n", number, error, why != NULL ? why : "");
	assert_int_equal(error, 0);
}

static inline void
queue_config_ok(uint32_t number, const struct dn_change *c)
{
	const char *why = NULL;
	int error = dn_queue_config(number, c, &why);

	if (error != 0)
		print_error("queue %u: %d: %s\n", number, error, why != NULL ? why : "");
	assert_int_equal(error, 0);
}

static inline void
sched_config_ok(uint32_t number, const struct dn_change *c)
{
	const char *why = NULL;
	int error = dn_sched_config(number, c, &why);

	if (error != 0)
		print_error("sched %u: %d: %s\n", number, error, why != NULL ? why : "");
	assert_int_equal(error, 0);
}

/* A pipe with room for `slots` packets. */
static inline void
lay_pipe(uint32_t number, uint64_t rate_bps, uint64_t delay_ns, uint32_t slots)
{
	struct dn_change c = link_of(rate_bps, delay_ns);

	VNET(dn_pipe_slot_limit) = 1000000;
	c.set |= DN_SET_LIMIT;
	c.flowset.queue_packets = slots;
	pipe_config_ok(number, &c);
}

#endif
