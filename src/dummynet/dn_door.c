/*
 * dn_door.c - a door goes, and packets that came by it are inside: from now on theirs leads nowhere.
 * They take their time and their place in the queues as before, and are dropped when they are due.
 */
#include "dummynet/dn_internal.h"

static void
close_packet(struct mbuf *m, const struct dn_door *door)
{
	if (dn_door_of(m) == door)
		m->nh = (void *)(uintptr_t)(door->frame ? &dn_door_gone_frame : &dn_door_gone);
}

static void
close_packets(struct mbuf *m, const struct dn_door *door)
{
	for (; m != NULL; m = m->next)
		close_packet(m, door);
}

/* Nobody can look into a part's own queues: what waits goes out and in again. */
static void
close_own_queues(struct dn_instance *inst, const struct dn_door *door)
{
	struct dn_holding h = { 0 };
	struct mbuf *m;

	if (inst->shared == NULL)
		return;
	while ((m = dn_instance_take(inst)) != NULL) {
		close_packet(m, door);
		dn_hold(&h, inst->shared->fs, m);
	}
	dn_put_back(&h);
}

static void
close_in_scheduler(struct dn_scheduler *s, void *ctx)
{
	const struct dn_door *door = ctx;
	struct dn_instance *inst;
	struct dn_flowq *fq;

	TAILQ_FOREACH(inst, &s->instances, link) {
		close_packets(inst->head, door);
		LIST_FOREACH(fq, &inst->queues, of_instance)
			close_packets(fq->q.head, door);
		if (!inst->retired && (inst->si.part->flags & DN_SCHED_OWN_QUEUES))
			close_own_queues(inst, door);
	}
}

void
dn_door_close(const struct dn_door *door)
{
	dn_scheduler_foreach(close_in_scheduler, (void *)(uintptr_t)door);
}
