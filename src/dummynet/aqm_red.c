/*
 * aqm_red.c - RED (Floyd and Jacobson 1993) and Gentle RED, as dummynet has them.
 *
 * Each packet that comes moves an average of the queue's length, and between two thresholds it is
 * dropped with a probability p that grows with the average:
 *
 *	avg < min_th	0
 *	… < max_th	max_p (avg - min_th) / (max_th - min_th)
 *	above		RED: 1. GRED: (1 - max_p) avg / max_th - (1 - 2 max_p), which is 1 at 2 max_th
 *
 * Drops keep a distance: after each a number r from [0, 1) is drawn, and the n-th packet behind it
 * is the next to go when n p > r. So the gaps are uniform on 1 … 1/p instead of geometric, and no
 * burst loses two packets by bad luck.
 *
 * Numbers are fixed point with 16 fractional bits. The original kept a table of how the average
 * decays while the queue is empty; the power itself, by squaring, is as quick (once an idle time),
 * exact, and takes no memory per queue.
 */
#include "dummynet/dn_aqm.h"

enum { SCALE = 16 };
static const int64_t one = INT64_C(1) << SCALE;

struct red {
	int64_t w_q, max_p;  /* of the configuration */
	int64_t avg;         /* packets or bytes */
	int64_t since;       /* packets since the last drop; -1: the average was below min_th */
	int64_t r;           /* drawn at the last drop */
	uint64_t idle_since; /* the queue is empty since; meaningless while it isn't */
};

static void
red_config_changed(struct dn_aqm_queue *a)
{
	struct red *s = dn_aqm_own(a);

	/* By a power of two: exact, so the same everywhere. */
	s->w_q = (int64_t)(a->config->red.w_q * (double)one);
	s->max_p = (int64_t)(a->config->red.max_p * (double)one);
}

static void
red_queue_new(struct dn_aqm_queue *a, uint64_t now_ns)
{
	struct red *s = dn_aqm_own(a);

	red_config_changed(a);
	s->since = -1;
	s->idle_since = now_ns;
}

/* --- the average ------------------------------------------------------------------------------ */

/* avg (1 - w_q)^n; in between with 32 fractional bits, since squaring doubles an error. */
static int64_t
decay(int64_t avg, int64_t w_q, uint64_t n)
{
	uint64_t power = UINT64_C(1) << 32, base = (uint64_t)(one - w_q) << (32 - SCALE);

	for (; n != 0 && power != 0; n >>= 1) {
		if (n & 1)
			power = power * base >> 32;
		base = base * base >> 32;
	}
	return (int64_t)((unsigned __int128)avg * power >> 32);
}

static void
update_average(
    struct red *s, const struct dn_aqm_config *c, const struct dn_queue *q, uint64_t now_ns)
{
	const int64_t length = c->red.bytes ? q->bytes : q->packets;

	if (length != 0) {
		s->avg += ((length << SCALE) - s->avg) * s->w_q >> SCALE;
		return;
	}
	/* As if the packets had come for which there was time. A link without a rate has time for all. */
	if (c->red.typical_ns == 0)
		s->avg = 0;
	else if (now_ns > s->idle_since)
		s->avg = decay(s->avg, s->w_q, (now_ns - s->idle_since) / c->red.typical_ns);
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* p of the average, which is at min_th or above; one or more: drop in any case. */
static int64_t
probability(const struct red *s, const struct dn_aqm_config *c)
{
	const int64_t min = (int64_t)c->red.min_th << SCALE, max = (int64_t)c->red.max_th << SCALE;

	if (s->avg < max)
		return s->max_p * (s->avg - min) / (max - min);
	if (c->kind == DN_AQM_RED)
		return one;
	return (one - s->max_p) * s->avg / max - (one - 2 * s->max_p);
}

static bool
is_next(struct red *s, struct rng *rng, int64_t p)
{
	if (++s->since == 0) {
		s->r = (int64_t)rng_below(rng, (uint64_t)one);
		return false;
	}
	if (p * s->since <= s->r)
		return false;
	s->since = 0;
	s->r = (int64_t)rng_below(rng, (uint64_t)one);
	return true;
}

static enum dn_aqm_verdict
red_enqueue(struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns)
{
	const struct dn_aqm_config *c = a->config;
	struct red *s = dn_aqm_own(a);
	int64_t p;

	update_average(s, c, q, now_ns);
	if (s->avg < (int64_t)c->red.min_th << SCALE) {
		s->since = -1;
		return DN_AQM_PASS;
	}
	p = probability(s, c);
	/* Marks are for what could pass as well: too many are too many (RFC 3168 7). */
	if (p >= one) {
		s->since = -1;
		return DN_AQM_DROP;
	}
	if (c->red.bytes)
		p = p * m->len / c->red.max_pkt_size;
	if (!is_next(s, a->rng, p))
		return DN_AQM_PASS;
	return c->ecn ? DN_AQM_MARK : DN_AQM_DROP;
}

/* Never a verdict: only when idle time begins. */
static enum dn_aqm_verdict
red_dequeue(struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns)
{
	struct red *s = dn_aqm_own(a);

	(void)m;
	if (q->packets == 0)
		s->idle_since = now_ns;
	return DN_AQM_PASS;
}

static const struct dn_aqm_policy red_policy = {
	.kind = DN_AQM_RED,
	.name = "red",
	.queue_size = sizeof(struct red),
	.queue_new = red_queue_new,
	.enqueue = red_enqueue,
	.dequeue = red_dequeue,
	.config_changed = red_config_changed,
};
static const struct dn_aqm_policy gred_policy = {
	.kind = DN_AQM_GRED,
	.name = "gred",
	.queue_size = sizeof(struct red),
	.queue_new = red_queue_new,
	.enqueue = red_enqueue,
	.dequeue = red_dequeue,
	.config_changed = red_config_changed,
};
DN_AQM_DEFINE(red_policy);
DN_AQM_DEFINE(gred_policy);
