/*
 * sched_rig.c - see sched_rig.h.
 */
#include "sched_rig.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE = 64 };

LINKERSET_DECLARE(dn_sched_part, const struct dn_sched_part);

/* --- what a part asks of its surroundings ----------------------------------------------------- */

void *
dn_alloc(size_t bytes)
{
	return calloc(1, bytes);
}

void
dn_free(void *p)
{
	free(p);
}

uint64_t
dn_flow_hash(const struct mbuf *m, uint64_t seed)
{
	return (m->flowid + seed) * UINT64_C(0x9e3779b97f4a7c15);
}

/* A queue's AQM is the rig itself: it drops at random. */
struct mbuf *
dn_queue_pop_aqm(struct dn_sched_instance *si, struct dn_queue *q, uint64_t now_ns)
{
	struct rig *r = (struct rig *)(void *)q->aqm;

	(void)now_ns;
	while (q->head != NULL) {
		struct mbuf *m = dn_queue_take(si, q);

		if (rng_double(&r->aqm_rng) >= r->spec.aqm_drops)
			return m;
		q->dropped++;
		si->drop(si, q, m);
	}
	return NULL;
}

const struct dn_sched_part *
rig_part(const char *name)
{
	const struct dn_sched_part *const *p;

	LINKERSET_FOREACH(p, dn_sched_part)
		if (strcasecmp((*p)->name, name) == 0)
			return *p;
	return NULL;
}

/* --- packets ---------------------------------------------------------------------------------- */

static struct rig_packet *
packet_of(struct mbuf *m)
{
	return (struct rig_packet *)(void *)m;
}

static void
packet_back(struct rig *r, struct mbuf *m)
{
	m->next = r->unused;
	r->unused = m;
}

static uint32_t
random_in(struct rig *r, uint32_t min, uint32_t max)
{
	return min + (min < max ? (uint32_t)rng_below(&r->rng, max - min + 1) : 0);
}

static uint32_t
random_size(struct rig *r, uint32_t flow)
{
	static const uint16_t imix[12] = { 40, 40, 40, 40, 40, 40, 40, 576, 576, 576, 576, 1500 };

	if (r->spec.sizes == SIZES_IMIX)
		return imix[rng_below(&r->rng, 12)];
	return random_in(r, r->spec.min_size, r->flow[flow].longest);
}

/* --- making a rig ----------------------------------------------------------------------------- */

static void
rig_dropped(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m)
{
	struct rig *r = (struct rig *)((char *)si - offsetof(struct rig, si));

	(void)q;
	r->dropped++;
	if (r->watch != NULL)
		r->watch->dropped(r->watch->ctx, packet_of(m));
	packet_back(r, m);
}

static void
choose_flow(struct rig *r, uint32_t i)
{
	const struct rig_spec *s = &r->spec;
	struct rig_flow *f = &r->flow[i];
	const bool qfq = s->part != NULL && s->part->number == 4;

	f->shortest = s->sizes == SIZES_IMIX ? 40 : s->min_size;
	f->longest = s->sizes == SIZES_IMIX ? 1500 :
	    s->sizes == SIZES_EACH          ? random_in(r, s->min_size, s->max_size) :
					      s->max_size;
	f->share.weight = s->weights != NULL ? s->weights[i % s->nweights] :
					       random_in(r, s->min_weight, s->max_weight);
	f->share.max_len = qfq ? f->longest :
	    s->max_len != 0    ? s->max_len :
	    s->part != NULL    ? s->part->default_max_len :
				 0;
	f->share.priority = s->levels > 1 ? (uint32_t)rng_below(&r->rng, s->levels) : 0;
}

static int
queue_init(struct rig *r, struct dn_queue *q, const struct dn_share *share)
{
	memset(q, 0, r->queue_stride);
	q->share = *share;
	if (r->spec.aqm_drops > 0)
		q->aqm = (struct dn_aqm_queue *)(void *)r;
	if (r->spec.part == NULL || r->spec.part->queue_new == NULL)
		return 0;
	return r->spec.part->queue_new(&r->si, q);
}

struct dn_queue *
rig_queue(struct rig *r, uint32_t flow)
{
	return (
	    struct dn_queue *)(void *)(r->queues + (r->nqueues > 1 ? flow : 0) * r->queue_stride);
}

static bool
instance_init(struct rig *r)
{
	const struct dn_sched_part *part = r->spec.part;

	r->si = (struct dn_sched_instance){
		.part = part,
		.param = r->spec.param,
		.seed = r->spec.seed,
		.drop = rig_dropped,
	};
	if (part == NULL)
		return true;
	r->si.own = aligned_alloc(LINE, (part->instance_size + LINE) & ~(size_t)(LINE - 1));
	if (r->si.own == NULL)
		return false;
	memset(r->si.own, 0, part->instance_size);
	return part->instance_new == NULL || part->instance_new(&r->si) == 0;
}

static bool
queues_init(struct rig *r)
{
	const struct dn_sched_part *part = r->spec.part;
	const size_t own = part != NULL ? part->queue_size : 0;

	r->nqueues = part == NULL || (part->flags & DN_SCHED_FLOWS) ? r->spec.flows : 1;
	r->queue_stride = (sizeof(struct dn_queue) + own + LINE - 1) & ~(size_t)(LINE - 1);
	if ((r->queues = aligned_alloc(LINE, r->nqueues * r->queue_stride)) == NULL)
		return false;
	for (uint32_t i = 0; i < r->nqueues; i++)
		if (queue_init(r, rig_queue(r, i), &r->flow[i].share) != 0)
			return false;
	return true;
}

static bool
packets_init(struct rig *r)
{
	const uint32_t each = r->spec.arrivals == ARRIVE_SATURATED ? r->spec.backlog :
								     r->spec.limit;
	uint64_t ring = 1;

	r->npool = (uint64_t)r->spec.flows * each + 1;
	if (r->npool > 4u << 20)
		r->npool = 4u << 20;
	while (ring < r->npool)
		ring *= 2;
	r->ring_mask = ring - 1;
	r->pool = aligned_alloc(LINE, r->npool * sizeof(*r->pool));
	r->ring = malloc(ring * sizeof(*r->ring));
	if (r->pool == NULL || r->ring == NULL)
		return false;
	memset(r->pool, 0, r->npool * sizeof(*r->pool));
	for (uint64_t i = r->npool; i-- > 0;)
		packet_back(r, &r->pool[i].m);
	return true;
}

static uint64_t
mean_size(const struct rig_spec *s)
{
	switch (s->sizes) {
	case SIZES_IMIX:
		return (7 * 40 + 4 * 576 + 1500) / 12;
	case SIZES_EACH:
		return (3 * s->min_size + s->max_size) / 4;
	default:
		return (s->min_size + s->max_size) / 2;
	}
}

bool
rig_init(struct rig *r, const struct rig_spec *spec, const struct rig_watch *watch)
{
	memset(r, 0, sizeof(*r));
	r->spec = *spec;
	r->watch = watch;
	rng_seed(&r->rng, spec->seed, "flows");
	rng_seed(&r->aqm_rng, spec->seed, "aqm");
	if ((r->flow = calloc(spec->flows, sizeof(*r->flow))) == NULL)
		return false;
	for (uint32_t i = 0; i < spec->flows; i++)
		choose_flow(r, i);
	rng_seed(&r->rng, spec->seed, "packets");
	if (spec->arrivals == ARRIVE_BURSTS)
		r->mean_gap = (uint64_t)((double)(mean_size(spec) * spec->burst) / spec->load);
	return instance_init(r) && queues_init(r) && packets_init(r);
}

static void
queue_end(struct rig *r, struct dn_queue *q)
{
	const struct dn_sched_part *part = r->spec.part;

	if (part != NULL && part->queue_free != NULL)
		part->queue_free(&r->si, q);
	while (q->head != NULL)
		packet_back(r, dn_queue_take(&r->si, q));
}

void
rig_end(struct rig *r)
{
	const struct dn_sched_part *part = r->spec.part;

	for (uint32_t i = 0; r->queues != NULL && i < r->nqueues; i++)
		queue_end(r, rig_queue(r, i));
	if (part != NULL && part->instance_free != NULL && r->si.own != NULL)
		part->instance_free(&r->si);
	free(r->si.own);
	free(r->queues);
	free(r->flow);
	free(r->pool);
	free(r->ring);
}

/* --- packets come and go ---------------------------------------------------------------------- */

static inline void
enqueue(struct rig *r, uint32_t flow, struct mbuf *m)
{
	if (r->spec.part != NULL) {
		r->spec.part->enqueue(&r->si, rig_queue(r, flow), m, r->now);
		return;
	}
	r->ring[r->ring_tail++ & r->ring_mask] = m;
	r->si.packets++;
}

static inline struct mbuf *
dequeue(struct rig *r)
{
	if (r->spec.part != NULL)
		return r->spec.part->dequeue(&r->si, r->now);
	if (r->ring_head == r->ring_tail)
		return NULL;
	r->si.packets--;
	return r->ring[r->ring_head++ & r->ring_mask];
}

static inline void
send_packet(struct rig *r, uint32_t flow, struct mbuf *m, uint32_t len)
{
	struct rig_packet *p = packet_of(m);

	m->len = len;
	m->flowid = flow;
	m->when_ns = r->now;
	p->number = r->numbers++;
	p->ahead = rig_queue(r, flow)->bytes + len;
	if (r->watch != NULL)
		r->watch->arrived(r->watch->ctx, p, r->now);
	enqueue(r, flow, m);
}

bool
rig_send(struct rig *r, uint32_t flow, uint32_t len)
{
	struct mbuf *m = r->unused;

	if (m == NULL)
		return false;
	r->unused = m->next;
	send_packet(r, flow, m, len != 0 ? len : random_size(r, flow));
	return true;
}

static void
send_burst(struct rig *r)
{
	const uint32_t flow = (uint32_t)rng_below(&r->rng, r->spec.flows);
	uint32_t n = 1 + (uint32_t)rng_below(&r->rng, 2 * r->spec.burst - 1);

	for (; n > 0; n--)
		if (rig_queue(r, flow)->packets >= r->spec.limit || !rig_send(r, flow, 0))
			r->refused++;
}

/* What has come by now; if nothing waits, time goes on until something comes. */
static void
arrivals(struct rig *r)
{
	if (r->spec.arrivals == ARRIVE_SATURATED) {
		for (uint64_t n = 0; n < (uint64_t)r->spec.backlog * r->spec.flows; n++)
			rig_send(r, (uint32_t)(n % r->spec.flows), 0);
		return;
	}
	if (r->si.packets == 0 && r->now < r->next_burst)
		r->now = r->next_burst;
	while (r->next_burst <= r->now) {
		send_burst(r);
		r->next_burst += rng_exp(&r->rng, r->mean_gap);
	}
}

/* A packet goes over the link; it is the caller's then. */
static inline struct mbuf *
step(struct rig *r)
{
	struct mbuf *m = dequeue(r);

	if (m == NULL)
		return NULL;
	r->sent++;
	if (r->watch != NULL)
		r->watch->served(r->watch->ctx, packet_of(m), r->now, r->now + m->len);
	r->now += m->len;
	return m;
}

int64_t
rig_step(struct rig *r)
{
	struct mbuf *m = step(r);

	if (m == NULL)
		return -1;
	packet_back(r, m);
	return m->flowid;
}

/* Each flow sends again when one of its packets has left, or was dropped. */
static void
run_saturated(struct rig *r, uint64_t until)
{
	while (r->sent + r->dropped < until) {
		struct mbuf *m;

		if (r->si.packets == 0)
			arrivals(r);
		if ((m = step(r)) == NULL)
			continue;
		/* As the engine looks whether there is room. */
		if (rig_queue(r, m->flowid)->packets < UINT32_MAX)
			send_packet(r, m->flowid, m, random_size(r, m->flowid));
	}
}

void
rig_run(struct rig *r, uint64_t packets)
{
	const uint64_t until = r->sent + r->dropped + packets;

	if (r->spec.arrivals == ARRIVE_SATURATED) {
		run_saturated(r, until);
		return;
	}
	while (r->sent + r->dropped < until) {
		arrivals(r);
		rig_step(r);
	}
}

void
rig_drain(struct rig *r)
{
	while (rig_step(r) >= 0)
		;
}

/* --- changes meanwhile ------------------------------------------------------------------------ */

void
rig_share(struct rig *r, uint32_t flow, const struct dn_share *share)
{
	struct dn_queue *q = rig_queue(r, flow);
	const struct dn_share old = q->share;

	q->share = r->flow[flow].share = *share;
	if (r->spec.part->share_changed != NULL)
		r->spec.part->share_changed(&r->si, q, &old);
}

void
rig_renew_queue(struct rig *r, uint32_t flow)
{
	struct dn_queue *q = rig_queue(r, flow);

	queue_end(r, q);
	if (queue_init(r, q, &r->flow[flow].share) != 0)
		abort();
}
