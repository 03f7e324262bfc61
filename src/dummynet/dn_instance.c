/*
 * dn_instance.c - a scheduler at work on a link.
 *
 *	dn_instance_enqueue	a packet waits; if the link is free it is served at once
 *	serve			the part says who is next: serialised, then onto the line
 *	deliver			off the line when its time has come, through its door, in batches
 *	dn_instance_run		the event: the next service, or the next delivery
 *
 * Who leaves next is decided when the link becomes free and not before: whoever comes meanwhile takes
 * part. A packet that comes when that time is past (its event has not run yet) finds things as they
 * would be if it had: dn_instance_catch_up.
 *
 * Live, a process may stand still for a while. What a link makes up for afterwards leaves as a burst,
 * so only the last net.inet.ip.dummynet.catchup_us of a stall are made up for, and the rest of it is
 * no time to the link: everything on it happens so much later. In virtual time nothing is ever late.
 */
#include "dummynet/dn_internal.h"

#include "dummynet/dn_profile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

DROP_DEFINE(DROP_DN_PROFILE, "dummynet", "profile", "lost on the link, by its delay profile");
DROP_DEFINE(DROP_DN_GONE, "dummynet", "gone", "its pipe, queue or door was deleted meanwhile");
DROP_DEFINE(DROP_DN_AQM, "dummynet", "aqm", "dropped early by the queue's management");

static uint64_t instances_live; /* atomic */
AUDIT_COUNTER(dn_instance, "dummynet instance", instances_live);

/* --- doors that lead nowhere ------------------------------------------------------------------ */

static void
deliver_lost(const struct dn_door *door, struct batch *b)
{
	(void)door;
	batch_foreach(b, m)
		m_drop(m, &DROP_DN_PROFILE);
	b->n = 0;
}

static void
deliver_gone(const struct dn_door *door, struct batch *b)
{
	(void)door;
	batch_foreach(b, m)
		m_drop(m, &DROP_DN_GONE);
	b->n = 0;
}

const struct dn_door dn_door_lost = { .name = "lost", .deliver = deliver_lost };
const struct dn_door dn_door_lost_frame = { "lost", deliver_lost, true, NULL };
const struct dn_door dn_door_gone = { .name = "gone", .deliver = deliver_gone };
const struct dn_door dn_door_gone_frame = { "gone", deliver_gone, true, NULL };

/* --- off the line ----------------------------------------------------------------------------- */

static inline uint64_t
delivery_ns(const struct dn_instance *inst)
{
	return inst->head != NULL ? inst->head->when_ns + inst->lag_ns : NS_NEVER;
}

static struct mbuf *
line_pop(struct dn_instance *inst)
{
	struct mbuf *m = inst->head;

	m->when_ns += inst->lag_ns;
	if ((inst->head = m->next) == NULL)
		inst->lag_ns = 0;
	else
		__builtin_prefetch(inst->head);
	m->next = NULL;
	return m;
}

/* Those that are due by now and came by one door, a batch of them at most. */
static void
deliver(struct dn_instance *inst, uint64_t now)
{
	const struct dn_door *door;
	struct batch b;

	if (delivery_ns(inst) > now)
		return;
	door = dn_door_of(inst->head);
	b.n = 0;
	do {
		struct mbuf *m = line_pop(inst);

		m->nh = NULL;
		batch_add(&b, m);
	} while (
	    b.n < sched_max_batch && delivery_ns(inst) <= now && dn_door_of(inst->head) == door);
	clock_at(b.m[0]->when_ns);
	door->deliver(door, &b);
}

/* --- onto it ---------------------------------------------------------------------------------- */

static void
line_push(struct dn_instance *inst, struct mbuf *m, uint64_t leaves_ns)
{
	uint64_t at = dn_link_tick(leaves_ns + inst->sched->config.link.delay_ns);

	if (at < inst->last_ns)
		at = inst->last_ns;
	inst->last_ns = at;
	m->when_ns = at - inst->lag_ns;
	m->next = NULL;
	if (inst->head == NULL)
		inst->head = m;
	else
		inst->tail->next = m;
	inst->tail = m;
}

static void
transmit(struct dn_instance *inst, struct mbuf *m, uint64_t t)
{
	const struct dn_profile *profile = inst->sched->config.link.profile;
	uint64_t extra_ns = 0;
	bool lost = false;

	if (profile != NULL)
		extra_ns = dn_profile_draw(profile, &inst->rng, &lost);
	if (lost)
		m->nh = (void *)(uintptr_t)(dn_door_of(m)->frame ? &dn_door_lost_frame :
								   &dn_door_lost);
	line_push(inst, m, dn_link_send(inst, m->len, extra_ns, t));
}

static inline uint64_t
service_ns(const struct dn_instance *inst)
{
	if (inst->si.packets == 0)
		return NS_NEVER;
	return inst->free_ns > (int64_t)inst->ready_ns ? (uint64_t)inst->free_ns : inst->ready_ns;
}

/* All that the link can do by now. */
static void
serve(struct dn_instance *inst, uint64_t now)
{
	uint64_t t;

	while ((t = service_ns(inst)) <= now) {
		struct mbuf *m = inst->si.part->dequeue(&inst->si, t);

		if (m == NULL) {
			assert(inst->si.packets == 0);
			return;
		}
		if (!dn_link_has_cost(inst->sched))
			line_push(inst, m, t);
		else
			transmit(inst, m, t);
	}
}

/* --- its event -------------------------------------------------------------------------------- */

static inline uint64_t
next_ns(const struct dn_instance *inst)
{
	const uint64_t service = service_ns(inst), delivery = delivery_ns(inst);

	return service < delivery ? service : delivery;
}

void
dn_instance_update(struct dn_instance *inst)
{
	if (!inst->running)
		dn_clock_set(inst, next_ns(inst));
}

/* Later than is made up for: the time between hasn't been. */
static void
forget_stall(struct dn_instance *inst, uint64_t now)
{
	const uint64_t next = next_ns(inst), slack_ns = VNET(dn_catchup_us) * NS_PER_US;
	uint64_t lost_ns;

	if (__builtin_expect(next == NS_NEVER || next + slack_ns >= now, 1) ||
	    inst->sched->rate_bps == 0)
		return;
	lost_ns = now - slack_ns - next;
	inst->free_ns += (int64_t)lost_ns;
	inst->ready_ns += lost_ns;
	inst->last_ns += lost_ns;
	if (inst->head != NULL)
		inst->lag_ns += lost_ns;
}

void
dn_instance_catch_up(struct dn_instance *inst, uint64_t now)
{
	forget_stall(inst, now);
	serve(inst, now);
}

void
dn_instance_run(struct dn_instance *inst)
{
	const uint64_t now = clock_now();

	inst->running = true;
	if (!inst->retired)
		dn_instance_catch_up(inst, now);
	deliver(inst, now);
	inst->running = false;
	if (inst->retired && inst->head == NULL)
		dn_instance_free(inst);
	else
		dn_instance_update(inst);
}

/* --- the way in ------------------------------------------------------------------------------- */

/*
 * What has just come onto an empty line and is due goes back now, before its giver goes on
 * (io_pkt_fast); else it has its event.
 */
static void
back_at_once(struct dn_instance *inst, uint64_t now)
{
	if (delivery_ns(inst) <= now) {
		V_dn_stat.io_pkt_fast++;
		deliver(inst, now);
	}
	dn_instance_update(inst);
}

void
dn_instance_enqueue(struct dn_instance *inst, struct dn_flowq *fq, struct mbuf *m, uint64_t now)
{
	const bool was_idle = inst->si.packets == 0, was_empty = inst->head == NULL;
	const bool own = inst->si.part->flags & DN_SCHED_OWN_QUEUES;

	if (was_idle)
		dn_link_wake(inst, now);
	inst->si.part->enqueue(&inst->si, own ? NULL : &fq->q, m, now);
	if (!was_idle)
		return;
	serve(inst, now);
	if (was_empty)
		back_at_once(inst, now);
	else
		dn_instance_update(inst);
}

void
dn_instance_pass(struct dn_instance *inst, struct mbuf *m, uint64_t now)
{
	const bool was_empty = inst->head == NULL;

	line_push(inst, m, now);
	if (was_empty)
		back_at_once(inst, now);
}

/* --- coming and going ------------------------------------------------------------------------- */

/*
 * A packet that waited is dropped. Of a queue of ours q->dropped says so already; parts with queues of
 * their own have one of ours that stands for all.
 */
static void
instance_drop(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	struct dn_instance *inst = (struct dn_instance *)(void *)((uint8_t *)si -
	    offsetof(struct dn_instance, si));

	(void)q;
	if ((si->part->flags & DN_SCHED_OWN_QUEUES) && inst->shared != NULL)
		inst->shared->q.dropped++;
	V_dn_stat.io_pkt_drop++;
	m_drop(m, &DROP_DN_AQM);
}

/* Its chance depends on which one it is, and on nothing that happens. */
static void
instance_seed(struct dn_instance *inst)
{
	char stream[96];

	snprintf(stream, sizeof(stream), "dummynet %s %u %llx", vnet_name(curvnet),
	    inst->sched->number, (unsigned long long)dn_flow_key(&inst->flow, inst->flowset));
	rng_seed(&inst->rng, rng_process_seed, stream);
	inst->si.seed = rng_u64(&inst->rng);
}

int
dn_instance_part(struct dn_instance *inst, const struct dn_sched_part *part)
{
	struct dn_sched_instance *si = &inst->si;

	if (si->part != NULL && si->part->instance_free != NULL)
		si->part->instance_free(si);
	vnet_free(si->own);
	si->own = NULL;
	si->part = NULL;
	si->packets = si->bytes = 0;
	if (part == NULL)
		return 0;
	if (part->instance_size != 0 && (si->own = vnet_malloc(part->instance_size)) == NULL)
		return -ENOMEM;
	si->part = part;
	si->param = inst->sched->config.param;
	si->drop = instance_drop;
	if (part->instance_new != NULL && part->instance_new(si) != 0) {
		si->part = NULL;
		return -ENOMEM;
	}
	return 0;
}

static bool
instance_link(struct dn_instance *inst)
{
	struct dn_scheduler *s = inst->sched;

	if (!s->masked)
		s->only = inst;
	else if (dn_hash_add(&s->by_flow, &inst->node, dn_flow_key(&inst->flow, inst->flowset)) !=
	    0)
		return false;
	TAILQ_INSERT_TAIL(&s->instances, inst, link);
	s->n_instances++;
	V_dn_stat.instances++;
	return true;
}

static void
instance_unlink(struct dn_instance *inst)
{
	struct dn_scheduler *s = inst->sched;

	TAILQ_REMOVE(&s->instances, inst, link);
	if (inst->retired)
		return;
	if (s->only == inst)
		s->only = NULL;
	else
		dn_hash_remove(&s->by_flow, &inst->node);
	s->n_instances--;
	V_dn_stat.instances--;
}

/* Packets make instances: none for a flow that gets no queue, and one may outlive its queues. */
static bool
are_too_many(void)
{
	return V_dn_stat.queues >= VNET(dn_flows_max) || V_dn_stat.instances >= VNET(dn_flows_max);
}

static struct dn_instance *
instance_new(struct dn_scheduler *s, const struct dn_flow *flow, uint32_t flowset)
{
	struct dn_instance *inst = are_too_many() ? NULL : vnet_malloc(sizeof(*inst));

	if (inst == NULL)
		return NULL;
	inst->sched = s;
	inst->flow = *flow;
	inst->flowset = flowset;
	inst->last_ns = s->order_ns;
	LIST_INIT(&inst->queues);
	instance_seed(inst);
	dn_link_reset(inst, clock_now());
	if (dn_instance_part(inst, s->config.part) != 0 || dn_clock_add(inst) != 0)
		goto fail;
	if (!instance_link(inst)) {
		dn_clock_remove(inst);
		goto fail;
	}
	__atomic_fetch_add(&instances_live, 1, __ATOMIC_RELAXED);
	return inst;
fail:
	dn_instance_part(inst, NULL);
	vnet_free(inst);
	return NULL;
}

static struct dn_instance *
instance_find(const struct dn_scheduler *s, const struct dn_flow *flow, uint32_t flowset)
{
	const uint64_t hash = dn_flow_key(flow, flowset);

	for (struct dn_node *n = dn_hash_first(&s->by_flow, hash); n != NULL; n = n->next) {
		struct dn_instance *inst = (struct dn_instance *)(void *)((uint8_t *)n -
		    offsetof(struct dn_instance, node));

		if (n->hash == hash && inst->flowset == flowset && dn_flow_equal(&inst->flow, flow))
			return inst;
	}
	return NULL;
}

struct dn_instance *
dn_instance_get(struct dn_flowset *fs, const struct dn_flow *flow)
{
	static const struct dn_flow any;
	struct dn_scheduler *s = fs->sched;
	struct dn_instance *inst;
	struct dn_flow key;
	uint32_t flowset;

	if (!s->masked)
		return s->only != NULL ? s->only : instance_new(s, &any, 0);
	key = *flow;
	dn_flow_mask(&key, &s->config.mask);
	flowset = s->config.mask.per_queue ? fs->number : 0;
	inst = instance_find(s, &key, flowset);
	return inst != NULL ? inst : instance_new(s, &key, flowset);
}

void
dn_instance_free(struct dn_instance *inst)
{
	assert(!inst->running && LIST_EMPTY(&inst->queues));
	while (inst->head != NULL)
		m_drop(line_pop(inst), &DROP_DN_GONE);
	instance_unlink(inst);
	dn_instance_part(inst, NULL);
	dn_clock_remove(inst);
	vnet_free(inst);
	__atomic_fetch_sub(&instances_live, 1, __ATOMIC_RELAXED);
}

void
dn_instance_retire(struct dn_instance *inst)
{
	struct dn_scheduler *s = inst->sched;

	if (inst->head == NULL) {
		dn_instance_free(inst);
		return;
	}
	if (inst->last_ns > s->order_ns)
		s->order_ns = inst->last_ns;
	instance_unlink(inst);
	inst->retired = true;
	TAILQ_INSERT_TAIL(&s->instances, inst, link);
	dn_instance_part(inst, NULL);
	dn_instance_update(inst);
}

bool
dn_instance_is_idle(const struct dn_instance *inst, uint64_t now)
{
	return inst->si.packets == 0 && inst->head == NULL && dn_link_is_rested(inst, now);
}

struct mbuf *
dn_instance_take(struct dn_instance *inst)
{
	/* At time 0 nothing has waited, so no policy of a queue inside drops: it is only moved. */
	return inst->si.packets > 0 ? inst->si.part->dequeue(&inst->si, 0) : NULL;
}
