/*
 * dn_view.c - the objects as others see them, in the order of their numbers.
 */
#include "dummynet/dn_internal.h"

#include <stdlib.h>

/* --- counted together ------------------------------------------------------------------------- */

static void
count_queue(struct dn_counters *c, const struct dn_flowq *fq)
{
	const struct dn_sched_instance *si = &fq->inst->si;
	const bool own = si->part->flags & DN_SCHED_OWN_QUEUES;

	c->packets += fq->packets;
	c->bytes += fq->bytes;
	c->drops += fq->drops + fq->q.dropped;
	c->queued_packets += own ? (uint32_t)si->packets : fq->q.packets;
	c->queued_bytes += own ? (uint32_t)si->bytes : fq->q.bytes;
}

/* The configured number of chains, which the column BKT counts by. */
static uint32_t
buckets_of(bool masked, uint32_t configured)
{
	if (!masked)
		return 1;
	return configured != 0 ? configured : VNET(dn_hash_size);
}

static void
view_scheduler(const struct dn_scheduler *s, struct dn_sched_view *v)
{
	const struct dn_instance *inst;
	const struct dn_flowq *fq;

	*v = (struct dn_sched_view){ .number = s->number,
		.config = &s->config,
		.rate_bps = s->rate_bps,
		.instances = s->n_instances,
		.buckets = s->masked ? buckets_of(true, s->config.buckets) : 0,
		.count = s->past };
	TAILQ_FOREACH(inst, &s->instances, link)
		LIST_FOREACH(fq, &inst->queues, of_instance)
			count_queue(&v->count, fq);
}

static void
view_flowset(const struct dn_flowset *fs, struct dn_flowset_view *v)
{
	struct dn_counters queues = { 0 };
	const struct dn_flowq *fq;
	uint64_t dropped = 0;

	TAILQ_FOREACH(fq, &fs->queues, of_flowset) {
		count_queue(&queues, fq);
		dropped += fq->q.dropped;
	}
	*v = (struct dn_flowset_view){ .number = fs->number,
		.config = &fs->config,
		.part = fs->sched != NULL ? fs->sched->config.part : NULL,
		.flows = fs->n_queues,
		.buckets = buckets_of(fs->masked, fs->config.buckets),
		.count = queues };
	v->count.packets = fs->packets;
	v->count.bytes = fs->bytes;
	v->count.drops = fs->drops + dropped;
}

static void
view_flow(const struct dn_flowq *fq, uint32_t buckets, struct dn_flow_view *v)
{
	*v = (struct dn_flow_view){ .flow = fq->flow,
		.bucket = fq->fs->masked ? (uint32_t)(fq->node.hash % buckets) : 0 };
	count_queue(&v->count, fq);
}

/* --- one -------------------------------------------------------------------------------------- */

bool
dn_sched_look(uint32_t number, struct dn_sched_view *v)
{
	const struct dn_scheduler *s = dn_scheduler_find(number);

	if (s != NULL)
		view_scheduler(s, v);
	return s != NULL;
}

bool
dn_flowset_look(uint32_t number, struct dn_flowset_view *v)
{
	const struct dn_flowset *fs = dn_flowset_find(number);

	if (fs != NULL)
		view_flowset(fs, v);
	return fs != NULL;
}

/* --- all -------------------------------------------------------------------------------------- */

struct numbers {
	uint32_t *number;
	uint32_t n, room;
};

static int
number_compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
numbers_add(struct numbers *list, uint32_t number)
{
	if (list->n < list->room)
		list->number[list->n++] = number;
}

static void
add_scheduler(struct dn_scheduler *s, void *ctx)
{
	numbers_add(ctx, s->number);
}

static void
add_flowset(struct dn_flowset *fs, void *ctx)
{
	numbers_add(ctx, fs->number);
}

/* Room for n of them. Without memory there is nothing to see. */
static struct numbers
numbers_new(uint32_t n)
{
	struct numbers list = { .number = vnet_malloc((n + 1) * sizeof(uint32_t)) };

	list.room = list.number != NULL ? n : 0;
	return list;
}

static void
numbers_sort(struct numbers *list)
{
	if (list->n > 1)
		qsort(list->number, list->n, sizeof(*list->number), number_compare);
}

void
dn_sched_walk(bool (*fn)(void *ctx, const struct dn_sched_view *s), void *ctx)
{
	struct numbers list = numbers_new(V_dn_stat.schedulers);
	struct dn_sched_view v;

	dn_scheduler_foreach(add_scheduler, &list);
	numbers_sort(&list);
	for (uint32_t i = 0; i < list.n; i++)
		if (dn_sched_look(list.number[i], &v) && !fn(ctx, &v))
			break;
	vnet_free(list.number);
}

void
dn_flowset_walk(bool (*fn)(void *ctx, const struct dn_flowset_view *f), void *ctx)
{
	struct numbers list = numbers_new(V_dn_stat.flowsets);
	struct dn_flowset_view v;

	dn_flowset_foreach(add_flowset, &list);
	numbers_sort(&list);
	for (uint32_t i = 0; i < list.n; i++)
		if (dn_flowset_look(list.number[i], &v) && !fn(ctx, &v))
			break;
	vnet_free(list.number);
}

void
dn_flow_walk(uint32_t flowset, bool (*fn)(void *ctx, const struct dn_flow_view *f), void *ctx)
{
	const struct dn_flowset *fs = dn_flowset_find(flowset);
	const struct dn_flowq *fq;
	struct dn_flow_view v;

	if (fs == NULL)
		return;
	TAILQ_FOREACH(fq, &fs->queues, of_flowset) {
		view_flow(fq, buckets_of(fs->masked, fs->config.buckets), &v);
		if (!fn(ctx, &v))
			break;
	}
}
