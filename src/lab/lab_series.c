/*
 * lab_series.c - the shapers' pipes and queues over time, for the report.
 *
 * Every STEP_NS of simulated time each of them is looked at. A run of any length gets the same
 * number of points: when there is no room left, two and two become one and the steps are twice as
 * long. Of what joins, the longest queue and delay stay, and drops are added.
 *
 * The delay of a pipe is what a packet would take that comes now: what is before it at the link's
 * rate, and the link's own delay. A queue shares its link, so there what waits is divided by what
 * left since the last look (Little's law).
 */
#include "lab/lab_series.h"

#include "dummynet/dn.h"
#include "kern/jail.h"
#include "lab/lab_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_NS (100 * NS_PER_MS)
enum { POINTS = 512, PLOT_COLUMNS = 60 };
/* The first so many are looked at: a lab may have ten thousands. */
enum { SERIES_MAX = 64 };

struct point {
	uint32_t packets, bytes; /* waiting */
	uint64_t delay_ns;
	uint64_t drops; /* since the point before */
};

/* A pipe or queue of a node. Points before its first are zero. */
struct lab_series {
	const struct lab_node *node;
	uint32_t flowset;
	char name[24]; /* "pipe 1" */
	struct dn_counters last;
	uint64_t seen; /* packets that came, in all */
	struct point point[POINTS];
	STAILQ_ENTRY(lab_series) next;
};

/* What a look at a node needs. */
struct look {
	struct lab *lab;
	struct lab_node *node;
	uint64_t step_ns;
	uint64_t delay_ns; /* longest */
	bool busy;
};

/* --- looking ---------------------------------------------------------------------------------- */

static struct lab_series *
series_of(struct look *look, uint32_t flowset)
{
	const bool is_pipe = flowset > DN_HIDDEN_FLOWSET;
	struct lab_series *s;

	STAILQ_FOREACH(s, &look->lab->series, next)
		if (s->node == look->node && s->flowset == flowset)
			return s;
	if (look->lab->nseries == SERIES_MAX || (s = calloc(1, sizeof(*s))) == NULL) {
		look->lab->series_left_out = true;
		return NULL;
	}
	look->lab->nseries++;
	s->node = look->node;
	s->flowset = flowset;
	snprintf(s->name, sizeof(s->name), "%s %u", is_pipe ? "pipe" : "queue",
	    is_pipe ? flowset - DN_HIDDEN_FLOWSET : flowset);
	STAILQ_INSERT_TAIL(&look->lab->series, s, next);
	return s;
}

/* bytes at a rate, ns. */
static uint64_t
time_of(uint64_t bytes, uint64_t rate_bps)
{
	return rate_bps == 0 ? 0 : (uint64_t)((double)bytes * 8e9 / (double)rate_bps);
}

static uint64_t
delay_of(const struct look *look, const struct lab_series *s, const struct dn_flowset_view *f,
    const struct dn_sched_view *sched)
{
	const uint64_t link_ns = sched->config->link.delay_ns;
	const uint64_t came = f->count.packets - s->last.packets;
	const uint64_t dropped = f->count.drops - s->last.drops;
	const uint64_t were = s->last.queued_packets, are = f->count.queued_packets;

	if (f->number > DN_HIDDEN_FLOWSET)
		return link_ns + time_of(f->count.queued_bytes, sched->rate_bps);
	if (were + came <= dropped + are)
		return link_ns; /* nothing left: how long it takes can't be told */
	return link_ns + are * look->step_ns / (were + came - dropped - are);
}

static bool
look_at_flowset(void *ctx, const struct dn_flowset_view *f)
{
	struct look *look = ctx;
	struct lab_series *s = series_of(look, f->number);
	struct dn_sched_view sched;
	struct point *p;

	if (s == NULL || !dn_sched_look(f->config->sched, &sched))
		return true;
	p = &s->point[look->lab->nlooks];
	if (f->count.packets < s->last.packets) /* deleted and made anew */
		s->last = (struct dn_counters){ 0 };
	p->packets = f->count.queued_packets;
	p->bytes = f->count.queued_bytes;
	p->delay_ns = delay_of(look, s, f, &sched);
	p->drops = f->count.drops - s->last.drops;
	s->seen += f->count.packets - s->last.packets;
	s->last = f->count;
	return true;
}

static bool
look_at_delay(void *ctx, const struct dn_sched_view *s)
{
	struct look *look = ctx;

	if (s->config->link.delay_ns > look->delay_ns)
		look->delay_ns = s->config->link.delay_ns;
	look->busy = look->busy || s->count.queued_packets > 0;
	return true;
}

/* Two and two points of every series become one. */
static void
join_points(struct lab *lab)
{
	struct lab_series *s;

	STAILQ_FOREACH(s, &lab->series, next) {
		for (unsigned i = 0; i < POINTS / 2; i++) {
			struct point a = s->point[2 * i];
			const struct point *b = &s->point[2 * i + 1];

			if (b->bytes > a.bytes) {
				a.packets = b->packets;
				a.bytes = b->bytes;
			}
			a.delay_ns = b->delay_ns > a.delay_ns ? b->delay_ns : a.delay_ns;
			a.drops += b->drops;
			s->point[i] = a;
		}
		memset(s->point + POINTS / 2, 0, POINTS / 2 * sizeof(s->point[0]));
	}
	lab->joins++;
}

static uint64_t
step_of(const struct lab *lab)
{
	return STEP_NS << lab->joins;
}

uint64_t
lab_series_next(const struct lab *lab, uint64_t now)
{
	const uint64_t step = step_of(lab);

	return dn_is_used() ? (now / step + 1) * step : NS_NEVER;
}

/* Point i is that of the step that ends at (i + 1) x step. */
void
lab_series_read(struct lab *lab, uint64_t now)
{
	struct lab_node *node;

	if (!dn_is_used())
		return;
	while (now / step_of(lab) > POINTS)
		join_points(lab);
	if (now == 0 || now % step_of(lab) != 0)
		return;
	lab->nlooks = (uint32_t)(now / step_of(lab)) - 1;
	STAILQ_FOREACH(node, &lab->nodes, next) {
		struct look look = { .lab = lab, .node = node, .step_ns = step_of(lab) };

		if (node->prison == NULL)
			continue;
		VNET_SCOPE(node->prison->vnet);
		dn_flowset_walk(look_at_flowset, &look);
	}
	lab->nlooks++;
}

static struct look
look_at_links(struct lab *lab)
{
	struct look look = { .lab = lab };
	struct lab_node *node;

	STAILQ_FOREACH(node, &lab->nodes, next) {
		if (node->prison == NULL || !dn_is_used())
			continue;
		VNET_SCOPE(node->prison->vnet);
		dn_sched_walk(look_at_delay, &look);
	}
	return look;
}

uint64_t
lab_series_delay(struct lab *lab)
{
	return look_at_links(lab).delay_ns;
}

bool
lab_series_busy(struct lab *lab)
{
	return look_at_links(lab).busy;
}

/* --- the report ------------------------------------------------------------------------------- */

static uint64_t
packets_at(const struct point *p)
{
	return p->packets;
}
static uint64_t
bytes_at(const struct point *p)
{
	return p->bytes;
}
static uint64_t
delay_at(const struct point *p)
{
	return p->delay_ns;
}
static uint64_t
drops_at(const struct point *p)
{
	return p->drops;
}

static void
values_json(struct lab *lab, struct emitter *e, const char *name, const struct lab_series *s,
    uint64_t (*value)(const struct point *))
{
	emit_list(e, name);
	for (uint32_t i = 0; i < lab->nlooks; i++)
		emit_uint(e, "", NULL, value(&s->point[i]));
	emit_end(e);
}

static void
series_json(struct lab *lab, struct emitter *e, const struct lab_series *s)
{
	emit_object(e, NULL);
	emit_str(e, "node", NULL, s->node->name);
	emit_str(e, "object", NULL, s->name);
	emit_uint(e, "step-ns", NULL, step_of(lab));
	values_json(lab, e, "queued-packets", s, packets_at);
	values_json(lab, e, "queued-bytes", s, bytes_at);
	values_json(lab, e, "delay-ns", s, delay_at);
	values_json(lab, e, "drops", s, drops_at);
	emit_end(e);
}

/* The greatest value of the points that fall into a column. */
static uint64_t
column_value(const struct lab *lab, const struct lab_series *s,
    uint64_t (*value)(const struct point *), uint32_t column, uint32_t columns)
{
	uint32_t from = column * lab->nlooks / columns, to = (column + 1) * lab->nlooks / columns;
	uint64_t most = 0;

	for (uint32_t i = from; i < to; i++)
		if (value(&s->point[i]) > most)
			most = value(&s->point[i]);
	return most;
}

/* A row of bars, the highest as high as the line. */
static void
plot(struct lab *lab, struct emitter *e, const char *what, const struct lab_series *s,
    uint64_t (*value)(const struct point *), enum lab_unit unit)
{
	static const char *const bars[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	const uint32_t columns = lab->nlooks < PLOT_COLUMNS ? lab->nlooks : PLOT_COLUMNS;
	const uint64_t most = column_value(lab, s, value, 0, 1);
	char text[LAB_UNIT_TEXT];

	emit_text(e, "    %-6s |", what);
	for (uint32_t i = 0; i < columns; i++) {
		const uint64_t v = column_value(lab, s, value, i, columns);

		emit_text(e, "%s", bars[v == 0 ? 0 : 1 + v * 7 / most]);
	}
	emit_text(e, "| up to %s\n", lab_unit_text(unit, (double)most, text));
}

static void
series_text(struct lab *lab, struct emitter *e, const struct lab_series *s)
{
	emit_text(e, "  %s: %s\n", s->node->name, s->name);
	plot(lab, e, "queue", s, packets_at, LAB_NUMBER);
	plot(lab, e, "delay", s, delay_at, LAB_TIME);
	plot(lab, e, "drops", s, drops_at, LAB_NUMBER);
}

void
lab_series_report(struct lab *lab, struct emitter *e)
{
	const struct lab_series *s;
	char step[LAB_UNIT_TEXT], end[LAB_UNIT_TEXT];

	emit_list(e, "pipes");
	if (!STAILQ_EMPTY(&lab->series) && lab->nlooks > 0)
		emit_text(e, "\npipes and queues from 0 to %s, looked at every %s\n",
		    lab_unit_text(LAB_TIME, (double)(lab->nlooks * step_of(lab)), end),
		    lab_unit_text(LAB_TIME, (double)step_of(lab), step));
	STAILQ_FOREACH(s, &lab->series, next) {
		if (emitter_form(e) == EMIT_JSON)
			series_json(lab, e, s);
		else if (s->seen > 0)
			series_text(lab, e, s);
	}
	if (lab->series_left_out)
		emit_text(e, "  and others: the first %d are looked at\n", SERIES_MAX);
	emit_end(e);
}

void
lab_series_free(struct lab *lab)
{
	struct lab_series *s;

	while ((s = STAILQ_FIRST(&lab->series)) != NULL) {
		STAILQ_REMOVE_HEAD(&lab->series, next);
		free(s);
	}
}
