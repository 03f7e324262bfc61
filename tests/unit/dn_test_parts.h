/*
 * dn_test_parts.h - two schedulers for tests of the engine: one that goes round flows, a packet each
 * (TEST-TURNS), and one with a queue of its own inside (TEST-OWN). Both count what the engine does.
 */
#ifndef WARREN_TESTS_DN_TEST_PARTS_H
#define WARREN_TESTS_DN_TEST_PARTS_H

#include "dummynet/dn_sched.h"

#include <assert.h>
#include <bsd/sys/queue.h>

struct turn {
	TAILQ_ENTRY(turn) link;
	struct dn_queue *q;
	bool in_order;
};
TAILQ_HEAD(turns, turn);

static struct {
	uint32_t queues, instances, shares, params;
	struct dn_share old, now;
	uint32_t param;
} part_calls;

static int
turns_instance_new(struct dn_sched_instance *si)
{
	struct turns *turns = dn_sched_own(si);

	TAILQ_INIT(turns);
	part_calls.instances++;
	return 0;
}

static void
turns_instance_free(struct dn_sched_instance *si)
{
	struct turns *turns = dn_sched_own(si);

	assert(TAILQ_EMPTY(turns));
	part_calls.instances--;
}

static int
turns_queue_new(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct turn *turn = dn_queue_own(q);

	(void)si;
	turn->q = q;
	part_calls.queues++;
	return 0;
}

static void
turns_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct turn *turn = dn_queue_own(q);

	if (turn->in_order)
		TAILQ_REMOVE((struct turns *)dn_sched_own(si), turn, link);
	turn->in_order = false;
	part_calls.queues--;
}

static void
turns_share_changed(struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old)
{
	(void)si;
	part_calls.shares++;
	part_calls.old = *old;
	part_calls.now = q->share;
}

static void
turns_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	struct turn *turn = dn_queue_own(q);

	(void)now_ns;
	if (dn_queue_append(si, q, m)) {
		TAILQ_INSERT_TAIL((struct turns *)dn_sched_own(si), turn, link);
		turn->in_order = true;
	}
}

static struct mbuf *
turns_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct turns *turns = dn_sched_own(si);
	struct turn *turn;
	struct mbuf *m;

	while ((turn = TAILQ_FIRST(turns)) != NULL) {
		TAILQ_REMOVE(turns, turn, link);
		turn->in_order = false;
		m = dn_queue_pop(si, turn->q, now_ns);
		if (turn->q->head != NULL) {
			TAILQ_INSERT_TAIL(turns, turn, link);
			turn->in_order = true;
		}
		if (m != NULL)
			return m;
	}
	return NULL;
}

static void
turns_param_init(void *param)
{
	*(uint32_t *)param = 5;
}

static void
turns_param_changed(struct dn_sched_instance *si)
{
	part_calls.params++;
	part_calls.param = *(const uint32_t *)si->param;
}

static const struct dn_sched_part test_turns = {
	.name = "TEST-TURNS",
	.number = 200,
	.flags = DN_SCHED_FLOWS,
	.instance_size = sizeof(struct turns),
	.queue_size = sizeof(struct turn),
	.param_size = sizeof(uint32_t),
	.max_weight = 100,
	.param_init = turns_param_init,
	.param_changed = turns_param_changed,
	.instance_new = turns_instance_new,
	.instance_free = turns_instance_free,
	.queue_new = turns_queue_new,
	.queue_free = turns_queue_free,
	.share_changed = turns_share_changed,
	.enqueue = turns_enqueue,
	.dequeue = turns_dequeue,
};
DN_SCHED_DEFINE(test_turns);

static void
own_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	(void)now_ns;
	assert(q == NULL);
	dn_queue_append(si, dn_sched_own(si), m);
}

static struct mbuf *
own_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	(void)now_ns;
	return si->packets > 0 ? dn_queue_take(si, dn_sched_own(si)) : NULL;
}

static const struct dn_sched_part test_own = {
	.name = "TEST-OWN",
	.number = 201,
	.flags = DN_SCHED_OWN_QUEUES,
	.instance_size = sizeof(struct dn_queue),
	.enqueue = own_enqueue,
	.dequeue = own_dequeue,
};
DN_SCHED_DEFINE(test_own);

#endif
