/*
 * sched_gps.c - see sched_gps.h.
 */
#include "sched_gps.h"

#include <stdlib.h>
#include <string.h>

bool
gps_init(struct gps *g, uint32_t flows)
{
	memset(g, 0, sizeof(*g));
	g->flows = flows;
	g->flow = calloc(flows, sizeof(*g->flow));
	g->heap = calloc(flows, sizeof(*g->heap));
	return g->flow != NULL && g->heap != NULL;
}

void
gps_end(struct gps *g)
{
	free(g->flow);
	free(g->heap);
}

void
gps_weight(struct gps *g, uint32_t flow, double weight)
{
	g->flow[flow].weight = weight;
}

/* --- the heap --------------------------------------------------------------------------------- */

static void
sink(struct gps *g, uint32_t i, struct gps_entry e)
{
	uint32_t child;

	for (; (child = 2 * i + 1) < g->busy; i = child) {
		if (child + 1 < g->busy && g->heap[child + 1].finish < g->heap[child].finish)
			child++;
		if (g->heap[child].finish >= e.finish)
			break;
		g->heap[i] = g->heap[child];
	}
	g->heap[i] = e;
}

static void
push(struct gps *g, struct gps_entry e)
{
	uint32_t i = g->busy++;

	for (; i > 0 && g->heap[(i - 1) / 2].finish > e.finish; i = (i - 1) / 2)
		g->heap[i] = g->heap[(i - 1) / 2];
	g->heap[i] = e;
}

/* The flow that is served first; entries whose flow has got more meanwhile go down. */
static struct gps_flow *
first(struct gps *g)
{
	for (;;) {
		struct gps_entry top = g->heap[0];
		struct gps_flow *f = &g->flow[top.flow];

		if (f->finish <= top.finish)
			return f;
		top.finish = f->finish;
		sink(g, 0, top);
	}
}

static void
pop(struct gps *g)
{
	const struct gps_entry last = g->heap[--g->busy];

	if (g->busy > 0)
		sink(g, 0, last);
}

/* --- time ------------------------------------------------------------------------------------- */

void
gps_to(struct gps *g, double at)
{
	while (g->busy > 0) {
		struct gps_flow *f = first(g);
		const double end = g->now + (f->finish - g->virtual_now) * g->weights;

		if (end > at) {
			g->virtual_now += (at - g->now) / g->weights;
			break;
		}
		g->now = end;
		g->virtual_now = f->finish;
		g->weights -= f->weight;
		f->busy = false;
		pop(g);
	}
	g->now = at;
	if (g->busy == 0)
		g->virtual_now = 0;
}

void
gps_arrive(struct gps *g, uint32_t flow, uint32_t len)
{
	struct gps_flow *f = &g->flow[flow];

	f->arrived += len;
	if (!f->busy) {
		f->busy = true;
		f->finish = g->virtual_now + len / f->weight;
		g->weights += f->weight;
		push(g, (struct gps_entry){ f->finish, flow });
	} else {
		f->finish += len / f->weight;
	}
}

double
gps_served(const struct gps *g, uint32_t flow)
{
	const struct gps_flow *f = &g->flow[flow];
	const double left = f->busy ? (f->finish - g->virtual_now) * f->weight : 0;

	return (double)f->arrived - left;
}
