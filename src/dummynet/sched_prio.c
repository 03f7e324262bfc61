/*
 * sched_prio.c - PRIO: strict priority.
 *
 * 64 levels, 0 first. Each has a ring of the queues that have packets, which take turns packet by
 * packet; a level is served when all above it have nothing. Whoever floods a level starves those
 * below: that is what the word strict means.
 */
#include "dummynet/dn_ring.h"
#include "dummynet/dn_sched.h"

enum { LEVELS = 64 };

struct prio_flow {
	struct dn_ring_node node;
	uint32_t level; /* at which it stands in a ring */
};

struct prio {
	uint64_t busy; /* bit of each level that has somebody */
	struct dn_ring_node *turn[LEVELS];
};

static void
join(struct prio *p, struct dn_queue *q)
{
	struct prio_flow *f = dn_queue_own(q);

	f->level = q->share.priority < LEVELS ? q->share.priority : LEVELS - 1;
	dn_ring_join(&p->turn[f->level], &f->node);
	p->busy |= UINT64_C(1) << f->level;
}

static void
leave(struct prio *p, struct dn_queue *q)
{
	struct prio_flow *f = dn_queue_own(q);

	dn_ring_leave(&p->turn[f->level], &f->node);
	if (p->turn[f->level] == NULL)
		p->busy &= ~(UINT64_C(1) << f->level);
}

static void
prio_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	if (q->head != NULL)
		leave(dn_sched_own(si), q);
}

static void
prio_share_changed(struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old)
{
	(void)old;
	if (q->head == NULL)
		return;
	leave(dn_sched_own(si), q);
	join(dn_sched_own(si), q);
}

static void
prio_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	(void)now_ns;
	if (dn_queue_append(si, q, m))
		join(dn_sched_own(si), q);
}

static struct mbuf *
prio_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct prio *p = dn_sched_own(si);
	struct mbuf *m;

	while (p->busy != 0) {
		struct dn_ring_node **turn = &p->turn[__builtin_ctzll(p->busy)], *n = *turn;
		struct dn_queue *q = (struct dn_queue *)(void *)n - 1;

		m = dn_queue_pop(si, q, now_ns);
		*turn = n->next;
		if (q->head == NULL)
			leave(p, q);
		if (m != NULL)
			return m;
	}
	return NULL;
}

static const struct dn_sched_part prio_part = {
	.name = "PRIO",
	.number = 5,
	.flags = DN_SCHED_FLOWS,
	.instance_size = sizeof(struct prio),
	.queue_size = sizeof(struct prio_flow),
	.max_priority = LEVELS - 1,
	.queue_free = prio_queue_free,
	.share_changed = prio_share_changed,
	.enqueue = prio_enqueue,
	.dequeue = prio_dequeue,
};
DN_SCHED_DEFINE(prio_part);
