/*
 * sched_fifo.c - first in, first out: one queue for all flows.
 */
#include "dummynet/dn_sched.h"

struct fifo {
	struct dn_queue *q;
};

static int
fifo_queue_new(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct fifo *fifo = dn_sched_own(si);

	fifo->q = q;
	return 0;
}

static void
fifo_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct fifo *fifo = dn_sched_own(si);

	(void)q;
	fifo->q = NULL;
}

static void
fifo_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	(void)now_ns;
	dn_queue_append(si, q, m);
}

static struct mbuf *
fifo_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct fifo *fifo = dn_sched_own(si);

	return si->packets > 0 ? dn_queue_pop(si, fifo->q, now_ns) : NULL;
}

static const struct dn_sched_part sched_fifo = {
	.name = "FIFO",
	.number = 1,
	.instance_size = sizeof(struct fifo),
	.queue_new = fifo_queue_new,
	.queue_free = fifo_queue_free,
	.enqueue = fifo_enqueue,
	.dequeue = fifo_dequeue,
};
DN_SCHED_DEFINE(sched_fifo);
