/*
 * dn_queue.c - a flow's queue: found by its packet, made by the first one, forgotten when it has been
 * idle for net.inet.ip.dummynet.expire seconds. An instance goes with its last queue, when its link has
 * saved all that it may: what comes later finds it as if it had stayed.
 *
 * A part that has one queue for all flows (FIFO), or its own (FQ_CODEL), gets one queue an instance. It
 * belongs to the flowset whose packet came first; its limits hold for that flowset's packets and each
 * other's for theirs.
 */
#include "dummynet/dn_internal.h"

#include "base/callout.h"
#include "kern/sysctl.h"

#include <errno.h>

static uint64_t queues_live; /* atomic */
AUDIT_COUNTER(dn_queue, "dummynet queue", queues_live);

VNET_DEFINE_STATIC(struct callout, dn_expire_timer);
VNET_DEFINE(uint32_t, dn_expire) = 1;

static void expire_start(void);

static void
expire_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	dn_expire_stop();
	expire_start();
}
SYSCTL_DEFINE_(net_inet_ip_dummynet_expire, .name = "net.inet.ip.dummynet.expire",
    .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_dn_expire, .min = 0,
    .max = 86400, .changed = expire_changed,
    .descr = "seconds after which idle flows are forgotten; 0: never");

/* --- made and freed --------------------------------------------------------------------------- */

static int
aqm_attach(struct dn_flowq *fq)
{
	int error = 0;

	if (fq->fs->config.aqm.kind == DN_AQM_NONE ||
	    (fq->inst->si.part->flags & DN_SCHED_OWN_QUEUES))
		return 0;
	fq->q.aqm = dn_aqm_new(&fq->fs->config.aqm, &fq->inst->rng, clock_now(), &error);
	return error;
}

static void
aqm_detach(struct dn_flowq *fq)
{
	dn_aqm_free(fq->q.aqm);
	fq->q.aqm = NULL;
}

/* Among its flowset's and its instance's. */
static int
flowq_link(struct dn_flowq *fq, bool shared)
{
	struct dn_flowset *fs = fq->fs;

	if (shared)
		fq->inst->shared = fq;
	else if (fs->masked &&
	    dn_hash_add(&fs->by_flow, &fq->node, dn_flow_key(&fq->flow, fq->inst->si.seed)) != 0)
		return -ENOMEM;
	if (!fs->masked)
		fs->only = fq;
	TAILQ_INSERT_TAIL(&fs->queues, fq, of_flowset);
	LIST_INSERT_HEAD(&fq->inst->queues, fq, of_instance);
	fs->n_queues++;
	V_dn_stat.queues++;
	__atomic_fetch_add(&queues_live, 1, __ATOMIC_RELAXED);
	return 0;
}

/* Out of its part's order; what waits stays in it. */
static void
flowq_detach(struct dn_flowq *fq)
{
	const struct dn_sched_part *part = fq->inst->si.part;

	if (part->queue_free != NULL && !(part->flags & DN_SCHED_OWN_QUEUES))
		part->queue_free(&fq->inst->si, &fq->q);
}

static struct dn_flowq *
flowq_new(struct dn_flowset *fs, struct dn_instance *inst, const struct dn_flow *flow)
{
	const struct dn_sched_part *part = inst->si.part;
	struct dn_flowq *fq;

	if (V_dn_stat.queues >= VNET(dn_flows_max))
		return NULL;
	fq = vnet_malloc(sizeof(*fq) + part->queue_size);
	if (fq == NULL)
		return NULL;
	fq->fs = fs;
	fq->inst = inst;
	fq->flow = *flow;
	fq->q.share = dn_flowset_share(fs);
	if (aqm_attach(fq) != 0)
		goto fail;
	if (part->queue_new != NULL && !(part->flags & DN_SCHED_OWN_QUEUES) &&
	    part->queue_new(&inst->si, &fq->q) != 0)
		goto fail;
	if (flowq_link(fq, !(part->flags & DN_SCHED_FLOWS)) != 0) {
		flowq_detach(fq);
		goto fail;
	}
	expire_start();
	return fq;
fail:
	aqm_detach(fq);
	vnet_free(fq);
	return NULL;
}

/* Whoever had it as its only one has none. */
static void
forget_only(struct dn_flowq *fq)
{
	struct dn_flowset *fs;

	LIST_FOREACH(fs, &fq->fs->sched->flowsets, link)
		if (fs->only == fq)
			fs->only = NULL;
}

static void
flowq_unlink(struct dn_flowq *fq)
{
	struct dn_flowset *fs = fq->fs;

	if (fq->inst->shared == fq) {
		fq->inst->shared = NULL;
		forget_only(fq);
	} else if (fs->only == fq) {
		fs->only = NULL;
	} else {
		dn_hash_remove(&fs->by_flow, &fq->node);
	}
	TAILQ_REMOVE(&fs->queues, fq, of_flowset);
	LIST_REMOVE(fq, of_instance);
	fs->n_queues--;
	V_dn_stat.queues--;
	__atomic_fetch_sub(&queues_live, 1, __ATOMIC_RELAXED);
}

/* What it has counted is its flowset's and its scheduler's from now on. */
static void
keep_counts(struct dn_flowq *fq)
{
	struct dn_counters *past = &fq->inst->sched->past;

	past->packets += fq->packets;
	past->bytes += fq->bytes;
	past->drops += fq->drops + fq->q.dropped;
	fq->fs->drops += fq->q.dropped;
}

/* What waits, one by one; the parts with queues of their own give it in the order of service. */
static struct mbuf *
flowq_take(struct dn_flowq *fq)
{
	if (fq->inst->si.part->flags & DN_SCHED_OWN_QUEUES)
		return dn_instance_take(fq->inst);
	return fq->q.head != NULL ? dn_queue_take(&fq->inst->si, &fq->q) : NULL;
}

static void
flowq_drop(struct dn_flowq *fq, struct mbuf *m)
{
	fq->drops++;
	fq->fs->drops++;
	V_dn_stat.io_pkt_drop++;
	m_drop(m, &DROP_DN_GONE);
}

void
dn_flowq_free(struct dn_flowq *fq, struct dn_holding *h)
{
	struct dn_instance *inst = fq->inst;
	struct mbuf *m;

	flowq_detach(fq);
	while ((m = flowq_take(fq)) != NULL) {
		if (h != NULL)
			dn_hold(h, fq->fs, m);
		else
			flowq_drop(fq, m);
	}
	keep_counts(fq);
	flowq_unlink(fq);
	aqm_detach(fq);
	vnet_free(fq);
	dn_instance_update(inst);
}

/* --- changed ---------------------------------------------------------------------------------- */

static void
aqm_follow(struct dn_flowq *fq)
{
	const struct dn_aqm_config *c = &fq->fs->config.aqm;

	if (fq->q.aqm != NULL && fq->q.aqm->policy->kind == c->kind) {
		dn_aqm_config_changed(fq->q.aqm);
		return;
	}
	aqm_detach(fq);
	(void)aqm_attach(fq); /* without memory it is a plain queue */
}

void
dn_flowq_follow(struct dn_flowq *fq)
{
	struct dn_sched_instance *si = &fq->inst->si;
	const struct dn_share old = fq->q.share, share = dn_flowset_share(fq->fs);

	fq->q.share = share;
	if ((old.weight != share.weight || old.max_len != share.max_len ||
		old.priority != share.priority) &&
	    si->part->share_changed != NULL && !(si->part->flags & DN_SCHED_OWN_QUEUES))
		si->part->share_changed(si, &fq->q, &old);
	aqm_follow(fq);
}

void
dn_flowq_give(struct dn_flowq *fq, struct dn_flowset *to)
{
	TAILQ_REMOVE(&fq->fs->queues, fq, of_flowset);
	fq->fs->n_queues--;
	if (fq->fs->only == fq)
		fq->fs->only = NULL;
	fq->fs->drops += fq->q.dropped;
	fq->drops += fq->q.dropped;
	fq->q.dropped = 0;
	fq->fs = to;
	TAILQ_INSERT_TAIL(&to->queues, fq, of_flowset);
	to->n_queues++;
	dn_flowq_follow(fq);
}

/* --- found ------------------------------------------------------------------------------------ */

static struct dn_flowq *
flowq_find(const struct dn_flowset *fs, const struct dn_instance *inst, const struct dn_flow *flow)
{
	const uint64_t hash = dn_flow_key(flow, inst->si.seed);

	for (struct dn_node *n = dn_hash_first(&fs->by_flow, hash); n != NULL; n = n->next) {
		struct dn_flowq *fq = (struct dn_flowq *)(void *)n;

		if (n->hash == hash && fq->inst == inst && dn_flow_equal(&fq->flow, flow))
			return fq;
	}
	return NULL;
}

struct dn_flowq *
dn_flowq_get(struct dn_flowset *fs, struct mbuf *m)
{
	struct dn_flow flow = { 0 }, key;
	struct dn_instance *inst;
	struct dn_flowq *fq;

	if (__builtin_expect(fs->only != NULL, 1))
		return fs->only;
	if (fs->masked)
		dn_flow_read(m, &flow);
	inst = dn_instance_get(fs, &flow);
	if (inst == NULL)
		return NULL;
	key = flow;
	if (inst->si.part->flags & DN_SCHED_FLOWS) {
		dn_flow_mask_both(&key, &fs->config.mask, &fs->sched->config.mask);
		fq = fs->masked ? flowq_find(fs, inst, &key) : NULL;
		return fq != NULL ? fq : flowq_new(fs, inst, &key);
	}
	if (inst->shared != NULL) {
		if (!fs->masked)
			fs->only = inst->shared;
		return inst->shared;
	}
	dn_flow_mask(&key, &fs->sched->config.mask);
	return flowq_new(fs, inst, &key);
}

/* --- forgotten -------------------------------------------------------------------------------- */

static bool
flowq_is_idle(struct dn_flowq *fq, uint64_t since_ns)
{
	struct dn_sched_instance *si = &fq->inst->si;

	if (fq->q.head != NULL || fq->last_ns > since_ns)
		return false;
	if (si->part->flags & DN_SCHED_OWN_QUEUES)
		return si->packets == 0;
	return si->part->queue_is_idle == NULL || si->part->queue_is_idle(si, &fq->q);
}

static void
expire_instance(struct dn_instance *inst, uint64_t now, uint64_t since_ns)
{
	struct dn_flowq *fq, *next;

	if (inst->retired)
		return;
	/* What a part says of idleness depends on when the link last worked. */
	dn_instance_catch_up(inst, now);
	LIST_FOREACH_SAFE(fq, &inst->queues, of_instance, next)
		if (flowq_is_idle(fq, since_ns))
			dn_flowq_free(fq, NULL);
	if (LIST_EMPTY(&inst->queues) && dn_instance_is_idle(inst, now))
		dn_instance_free(inst);
	else
		dn_instance_update(inst);
}

static void
expire_scheduler(struct dn_scheduler *s, void *ctx)
{
	const uint64_t now = clock_now(), ns = VNET(dn_expire) * NS_PER_SEC;
	struct dn_instance *inst, *next;

	(void)ctx;
	TAILQ_FOREACH_SAFE(inst, &s->instances, link, next)
		expire_instance(inst, now, now > ns ? now - ns : 0);
}

static void
expire_run(void *arg)
{
	(void)arg;
	dn_scheduler_foreach(expire_scheduler, NULL);
	expire_start();
}

static void
expire_start(void)
{
	struct callout *timer = &VNET(dn_expire_timer);

	if (callout_armed(timer) || VNET(dn_expire) == 0 || V_dn_stat.instances == 0)
		return;
	callout_init(timer, curvnet, expire_run, NULL);
	callout_reset(timer, VNET(dn_expire) * NS_PER_SEC);
}

void
dn_expire_stop(void)
{
	if (callout_armed(&VNET(dn_expire_timer)))
		callout_stop(&VNET(dn_expire_timer));
}
