/*
 * dn_rebuild.c - packets that wait stay when what they wait in becomes another one: they are taken out,
 * and put back in the order in which they came, whatever limits say. What is on a line already is
 * delivered as it would have been.
 *
 * Which flow a packet is of the new objects say: so a new mask finds those that wait too.
 */
#include "dummynet/dn_internal.h"

#include <stdlib.h>
#include <string.h>

static bool
holding_grow(struct dn_holding *h)
{
	const size_t room = h->room == 0 ? 64 : 2 * h->room;
	struct dn_held *held = vnet_malloc(room * sizeof(*held));

	if (held == NULL)
		return false;
	if (h->n > 0)
		memcpy(held, h->held, h->n * sizeof(*held));
	vnet_free(h->held);
	h->held = held;
	h->room = room;
	return true;
}

void
dn_hold(struct dn_holding *h, struct dn_flowset *fs, struct mbuf *m)
{
	if (h->n == h->room && !holding_grow(h)) {
		m_drop(m, &DROP_DN_NOMEM);
		return;
	}
	h->held[h->n] = (struct dn_held){ m, fs, h->n };
	h->n++;
}

void
dn_take_flowset(struct dn_holding *h, struct dn_flowset *fs)
{
	struct dn_flowq *fq, *next;

	TAILQ_FOREACH_SAFE(fq, &fs->queues, of_flowset, next)
		dn_flowq_free(fq, h);
}

void
dn_take_scheduler(struct dn_holding *h, struct dn_scheduler *s)
{
	struct dn_instance *inst;
	struct dn_flowq *fq, *next;

	TAILQ_FOREACH(inst, &s->instances, link)
		LIST_FOREACH_SAFE(fq, &inst->queues, of_instance, next)
			dn_flowq_free(fq, h);
}

static int
held_compare(const void *a, const void *b)
{
	const struct dn_held *x = a, *y = b;

	if (x->m->when_ns != y->m->when_ns)
		return x->m->when_ns < y->m->when_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void
put_back(const struct dn_held *held)
{
	struct dn_flowq *fq;

	if (held->fs->sched == NULL) {
		m_drop(held->m, &DROP_DN_GONE);
		return;
	}
	fq = dn_flowq_get(held->fs, held->m);
	if (fq == NULL)
		m_drop(held->m, &DROP_DN_NOMEM);
	else
		dn_instance_enqueue(fq->inst, fq, held->m, clock_now());
}

void
dn_put_back(struct dn_holding *h)
{
	if (h->n > 1)
		qsort(h->held, h->n, sizeof(*h->held), held_compare);
	for (size_t i = 0; i < h->n; i++)
		put_back(&h->held[i]);
	vnet_free(h->held);
	*h = (struct dn_holding){ 0 };
}
