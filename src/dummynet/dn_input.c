/*
 * dn_input.c - a packet's way into the shaper.
 *
 *	dn_input	its flowset, its flow's queue · counted · admitted? · waits, or goes through
 *
 * In the order of ipfw.md 11.4 a packet is counted, then lost by chance (plr), then dropped by the
 * queue's management (RED …), then for want of room.
 */
#include "dummynet/dn_internal.h"

DROP_DEFINE(DROP_DN_LOSS, "dummynet", "loss", "lost by chance (plr)");
DROP_DEFINE(DROP_DN_QUEUE, "dummynet", "queue", "the queue is full");
DROP_DEFINE(DROP_DN_NONE, "dummynet", "none", "no such pipe or queue, or it has no scheduler");
DROP_DEFINE(DROP_DN_NOMEM, "dummynet", "nomem",
    "no memory for its queue, or too many flows (net.inet.ip.dummynet.flows_max)");

static bool
is_lost(const struct dn_flowset *fs, struct rng *rng)
{
	return fs->config.plr != 0 && rng_u64(rng) >> 33 < fs->config.plr;
}

static bool
is_full(const struct dn_flowset *fs, const struct dn_queue *q)
{
	if (fs->config.queue_bytes != 0)
		return q->bytes > fs->config.queue_bytes;
	return q->packets >= fs->config.queue_packets;
}

/* Why m may not wait in fq; NULL: it may. */
static const struct drop_reason *
refused(const struct dn_flowset *fs, struct dn_flowq *fq, struct mbuf *m, uint64_t now)
{
	if (__builtin_expect(is_lost(fs, &fq->inst->rng), 0))
		return &DROP_DN_LOSS;
	if (fq->inst->si.part->flags & DN_SCHED_OWN_QUEUES)
		return NULL;
	if (fq->q.aqm != NULL && !dn_aqm_admit(fq->q.aqm, &fq->q, m, now))
		return &DROP_DN_AQM;
	return is_full(fs, &fq->q) ? &DROP_DN_QUEUE : NULL;
}

static bool
drop(struct dn_flowset *fs, struct dn_flowq *fq, struct mbuf *m, const struct drop_reason *why)
{
	V_dn_stat.io_pkt_drop++;
	if (fs != NULL)
		fs->drops++;
	if (fq != NULL)
		fq->drops++;
	m->nh = NULL;
	m_drop(m, why);
	return fs != NULL && fs->config.noerror;
}

static inline void
count(struct dn_flowset *fs, struct dn_flowq *fq, const struct mbuf *m, uint64_t now)
{
	fs->packets++;
	fs->bytes += m->len;
	fq->packets++;
	fq->bytes += m->len;
	fq->last_ns = now;
}

bool
dn_input(struct mbuf *m, uint32_t number, bool queue, const struct dn_door *door)
{
	struct dn_flowset *fs = dn_flowset_find(queue ? number : number + DN_HIDDEN_FLOWSET);
	const struct drop_reason *why;
	struct dn_flowq *fq;
	uint64_t now;

	/* Live it may have waited since it got its time; nothing happens in the past. */
	clock_at(m->when_ns);
	now = m->when_ns = clock_now();
	m->nh = (void *)(uintptr_t)door;
	m->rcvif = NULL;
	V_dn_stat.io_pkt++;
	if (fs == NULL || fs->sched == NULL)
		return drop(fs, NULL, m, &DROP_DN_NONE);
	if ((fq = dn_flowq_get(fs, m)) == NULL)
		return drop(fs, NULL, m, &DROP_DN_NOMEM);
	dn_instance_catch_up(fq->inst, now);
	count(fs, fq, m, now);
	if ((why = refused(fs, fq, m, now)) != NULL)
		return drop(fs, fq, m, why);
	if (dn_link_has_cost(fs->sched))
		dn_instance_enqueue(fq->inst, fq, m, now);
	else
		dn_instance_pass(fq->inst, m, now);
	return true;
}
