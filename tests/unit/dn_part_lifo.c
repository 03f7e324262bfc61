/*
 * dn_part_lifo.c - a scheduler in a file of its own, for tests of loading: the last one in leaves first.
 */
#include "dummynet/dn_sched.h"

static void
lifo_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	struct dn_queue **at = dn_sched_own(si);

	(void)now_ns;
	*at = q;
	if (!dn_queue_append(si, q, m) && q->head != m) {
		/* to the front */
		struct mbuf *before = q->head;

		while (before->next != m)
			before = before->next;
		before->next = NULL;
		q->tail = before;
		m->next = q->head;
		q->head = m;
	}
}

static struct mbuf *
lifo_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct dn_queue **at = dn_sched_own(si);

	(void)now_ns;
	return si->packets > 0 ? dn_queue_take(si, *at) : NULL;
}

extern const struct dn_sched_part dn_sched_part_exported;
const struct dn_sched_part dn_sched_part_exported = {
	.name = "TEST-LIFO",
	.number = 99,
	.instance_size = sizeof(struct dn_queue *),
	.enqueue = lifo_enqueue,
	.dequeue = lifo_dequeue,
};
