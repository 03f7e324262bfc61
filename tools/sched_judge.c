/*
 * sched_judge.c - see sched_judge.h.
 *
 * "Behind" is w_i / W of all that was sent less what the flow got. While others are served it
 * grows, while the flow itself is served it falls; so it is lowest where a packet of the flow ends
 * or where the flow begins to wait. How far it has grown since is asked where packets have left, as
 * Bennett and Zhang's definition does: B-WFI is T-WFI times the flow's rate. (Before the packet it
 * is more, by the packet's length, for any scheduler of packets.)
 */
#include "sched_judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIFO = 1, WF2Q = 2, RR = 3, QFQ = 4, PRIO = 5 };

static double
behind(const struct judge *j, const struct judged *f)
{
	return f->share * (double)j->sent - (double)f->served;
}

static void
take_measure(struct judge *j, enum measures which, uint32_t flow, double value, double bound)
{
	struct measure *m = &j->measure[which];

	if (m->promised && value / bound > m->worst) {
		m->worst = value / bound;
		m->value = value;
		m->bound = bound;
		m->flow = flow;
	}
}

static void
fault(struct judge *j, const char *what)
{
	if (j->fault == NULL)
		j->fault = what;
}

/* --- fairness of neighbours ------------------------------------------------------------------- */

static double
apart(const struct judge *j, uint32_t i)
{
	const struct judged *a = &j->flow[i], *b = &j->flow[(i + 1) % j->flows];

	return (double)a->served / a->quanta - (double)b->served / b->quanta;
}

static void
pair_begins(struct judge *j, uint32_t i)
{
	j->flow[i].apart_min = j->flow[i].apart_max = apart(j, i);
}

/* One of i and the one behind it was served, while both waited. */
static void
pair_served(struct judge *j, uint32_t i)
{
	struct judged *a = &j->flow[i], *b = &j->flow[(i + 1) % j->flows];
	const double now = apart(j, i);

	if (a->waiting == 0 || b->waiting == 0)
		return;
	a->apart_min = fmin(a->apart_min, now);
	a->apart_max = fmax(a->apart_max, now);
	take_measure(j, M_FAIRNESS, i, a->apart_max - a->apart_min,
	    1 + j->rig->flow[i].longest / a->quanta +
		j->rig->flow[(i + 1) % j->flows].longest / b->quanta);
}

/* --- what happens ----------------------------------------------------------------------------- */

static void
judge_arrived(void *ctx, const struct rig_packet *p, uint64_t at)
{
	struct judge *j = ctx;
	const uint32_t flow = p->m.flowid;
	struct judged *f = &j->flow[flow];

	j->arrived++;
	j->levels[j->rig->flow[flow].share.priority]++;
	if (j->with_gps) {
		gps_to(&j->gps, (double)at);
		gps_arrive(&j->gps, flow, p->m.len);
	}
	if (f->waiting++ > 0)
		return;
	f->lowest = behind(j, f);
	f->busy_since = at;
	f->busy_served = f->served;
	pair_begins(j, flow);
	pair_begins(j, (flow + j->flows - 1) % j->flows);
}

static void
check_order(struct judge *j, const struct rig_packet *p)
{
	struct judged *f = &j->flow[p->m.flowid];
	const uint32_t level = j->rig->flow[p->m.flowid].share.priority;

	if (f->waiting == 0 || p->number + 1 <= f->last_number)
		fault(j, "a packet came twice, or before one of its flow that came earlier");
	f->last_number = p->number + 1;
	if (j->part == NULL)
		return;
	for (uint32_t i = 0; j->part->number == PRIO && i < level; i++)
		if (j->levels[i] > 0)
			fault(j, "a packet left while one of a higher priority waited");
	if (j->part->number == FIFO && p->number != j->next_number++)
		fault(j, "a packet left before one that came earlier");
}

/* Lateness of a packet that left at `to`. */
static void
check_late(struct judge *j, const struct rig_packet *p, uint64_t to)
{
	const uint32_t flow = p->m.flowid, len = p->m.len;
	struct judged *f = &j->flow[flow];
	const double end = (double)to, came = (double)p->m.when_ns;

	f->deadline = fmax(f->deadline, came) + len / f->share;
	take_measure(j, M_DELAY, flow, end - f->deadline, j->longest);
	take_measure(j, M_TWFI, flow, end - came - (double)p->ahead / f->share, f->twfi);
	take_measure(j, M_LATENCY, flow,
	    end - (double)f->busy_since - (double)(f->served - f->busy_served) / f->share,
	    f->latency);
}

static void
judge_served(void *ctx, const struct rig_packet *p, uint64_t from, uint64_t to)
{
	struct judge *j = ctx;
	const uint32_t flow = p->m.flowid;
	struct judged *f = &j->flow[flow];

	check_order(j, p);
	if (j->with_gps) {
		gps_to(&j->gps, (double)from);
		f->lag = fmax(f->lag, gps_served(&j->gps, flow) - (double)f->served);
	}
	check_late(j, p, to);
	f->served += p->m.len;
	f->packets++;
	j->sent += p->m.len;
	take_measure(j, M_BWFI, flow, behind(j, f) - f->lowest, f->bwfi);
	f->lowest = fmin(f->lowest, behind(j, f));
	pair_served(j, flow);
	pair_served(j, (flow + j->flows - 1) % j->flows);
	if (j->with_gps) {
		gps_to(&j->gps, (double)to);
		f->lead = fmax(f->lead, (double)f->served - gps_served(&j->gps, flow));
	}
	f->waiting--;
	j->gone++;
	j->levels[j->rig->flow[flow].share.priority]--;
}

static void
judge_dropped(void *ctx, const struct rig_packet *p)
{
	struct judge *j = ctx;
	struct judged *f = &j->flow[p->m.flowid];

	if (f->waiting == 0 || p->number + 1 <= f->last_number)
		fault(j, "a packet was dropped that was gone, or out of order");
	f->last_number = p->number + 1;
	f->waiting--;
	j->gone++;
	j->next_number++;
	j->levels[j->rig->flow[p->m.flowid].share.priority]--;
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* The least power of two that is not below x. */
static double
power_above(double x)
{
	return exp2(ceil(log2(x)));
}

/*
 * QFQ's B-WFI. A flow is served when its start S, rounded down to a multiple of sigma, has come: S
 * is ahead of V by less than sigma before a packet and sigma + l1 / w behind it. And the packet has
 * left when V is at most L / W (one packet of others that was on the link, and again as much for
 * flows that began before V, see sched_qfq.c) past the rounded S + 2 sigma: then V is ahead of the
 * next start by 2 sigma + 2 L / W - l2 / w. Both together, times w: what the flow may be behind.
 *
 * The paper has 3 w sigma + 2 w L / W: that is l1 = l2, packets of one length. With lengths from 2
 * to 2,000 bytes that was seen to be passed, by three parts in a hundred.
 */
static double
qfq_bwfi(const struct judge *j, const struct rig_flow *flow, double share)
{
	const double weight = flow->share.weight, longest = flow->longest;

	return 3 * weight * power_above(longest / weight) + longest - flow->shortest +
	    2 * share * j->longest;
}

static void
bounds_of(struct judge *j, uint32_t i)
{
	const struct rig_flow *flow = &j->rig->flow[i];
	const double weight = flow->share.weight, longest = flow->longest;
	struct judged *f = &j->flow[i];

	f->share = weight / j->weights;
	f->quanta = weight * (flow->share.max_len != 0 ? flow->share.max_len : 1);
	f->bwfi = longest + (j->longest - longest) * f->share;
	if (j->part != NULL && j->part->number == QFQ)
		f->bwfi = qfq_bwfi(j, flow, f->share);
	if (j->part != NULL && j->part->number == RR) {
		f->share = f->quanta / j->quanta;
		f->latency = 3 * j->quanta - 2 * f->quanta;
	}
	f->twfi = f->bwfi / f->share;
}

static void
promises(struct judge *j)
{
	static const char *const names[M_COUNT] = { "B-WFI", "T-WFI", "delay", "latency",
		"fairness" };
	const uint32_t part = j->part != NULL ? j->part->number : 0;

	for (int i = 0; i < M_COUNT; i++)
		j->measure[i] = (struct measure){ .name = names[i], .worst = -INFINITY };
	if (j->rig->spec.aqm_drops > 0)
		return;
	j->measure[M_BWFI].promised = j->measure[M_TWFI].promised = part == WF2Q || part == QFQ;
	j->measure[M_DELAY].promised = part == WF2Q;
	j->measure[M_FAIRNESS].promised = part == RR && j->flows > 1;
	j->measure[M_LATENCY].promised = part == RR;
}

void
judge_begin(struct judge *j, const struct rig *r)
{
	j->rig = r;
	j->part = r->spec.part;
	for (uint32_t i = 0; i < j->flows; i++) {
		const struct rig_flow *f = &r->flow[i];

		j->weights += f->share.weight;
		j->quanta += (double)f->share.weight * f->share.max_len;
		j->longest = f->longest > j->longest ? f->longest : j->longest;
		if (j->with_gps)
			gps_weight(&j->gps, i, f->share.weight);
	}
	promises(j);
	for (uint32_t i = 0; i < j->flows; i++) {
		bounds_of(j, i);
		/* Latency was proved for quanta that pay for any packet. */
		if (j->flow[i].quanta < r->flow[i].longest)
			j->measure[M_LATENCY].promised = false;
	}
}

bool
judge_init(struct judge *j, uint32_t flows, bool with_gps)
{
	memset(j, 0, sizeof(*j));
	j->flows = flows;
	j->with_gps = with_gps;
	j->watch = (struct rig_watch){ j, judge_arrived, judge_served, judge_dropped };
	j->flow = calloc(flows, sizeof(*j->flow));
	return j->flow != NULL && (!with_gps || gps_init(&j->gps, flows));
}

void
judge_end(struct judge *j)
{
	free(j->flow);
	if (j->with_gps)
		gps_end(&j->gps);
}

bool
measure_is_kept(const struct measure *m)
{
	/* Floating point and 40 bits of fraction: a millionth of a bound is no crime. */
	return !m->promised || m->worst <= 1 + 1e-6;
}

bool
judge_is_content(const struct judge *j)
{
	for (int i = 0; i < M_COUNT; i++)
		if (!measure_is_kept(&j->measure[i]))
			return false;
	return j->fault == NULL && j->arrived == j->gone;
}
