/*
 * aqm_pie.c - PIE (RFC 8033): packets are dropped as they come, with a probability that a
 * proportional-integral controller keeps such that they wait for about the target.
 *
 *	each tupdate	p += alpha (delay - target) + beta (delay - delay before)	pie_update
 *	packet comes	dropped with probability p, if no burst is allowed		pie_enqueue
 *
 * There is no timer: updates happen at their exact times, but are computed when a packet comes or
 * goes, as many as have become due. The delay at the time of an update is how long the packet at the
 * head has waited by then (RFC 8033 5.2: timestamps), which is known later just as well, since
 * nothing has happened to the queue in between.
 */
#include "dummynet/dn_aqm.h"

#include "base/clock.h"

/* Probabilities have 48 fractional bits: the least step of the controller is some 10^-10. */
static const int64_t one = INT64_C(1) << 48;

enum {
	MEAN_PACKET = 1024, /* RFC 8033 4.1: queues of two such packets are short */
	/* Of a queue that nothing came to or left for so many updates the rest is not worth computing. */
	UPDATES_AT_ONCE = 4096,
};
#define NO_PACKET NS_NEVER

struct pie {
	int64_t p;
	int64_t sum;        /* of p since the last drop: derandomisation (RFC 8033 5.4) */
	uint64_t next_ns;   /* the next update */
	uint64_t before_ns; /* delay at the last one */
	uint64_t burst_ns;  /* what is left of the burst allowance */
};

static void
pie_queue_new(struct dn_aqm_queue *a, uint64_t now_ns)
{
	struct pie *s = dn_aqm_own(a);

	s->next_ns = now_ns + a->config->pie.tupdate_ns;
	s->burst_ns = a->config->pie.max_burst_ns;
}

static void
pie_config_changed(struct dn_aqm_queue *a)
{
	struct pie *s = dn_aqm_own(a);

	if (s->burst_ns > a->config->pie.max_burst_ns)
		s->burst_ns = a->config->pie.max_burst_ns;
}

/* --- the controller --------------------------------------------------------------------------- */

/* A factor of the configuration, per second, times ns: in units of p. */
static __int128
product(double factor, int64_t ns)
{
	/* 16 fractional bits, by a power of two: exact. */
	return (__int128)(int64_t)(factor * 65536) * ns;
}

/* Small p moves in small steps (RFC 8033 4.2, auto-tuning). */
static int64_t
divisor(int64_t p)
{
	static const struct {
		int64_t below, divisor; /* below in millionths */
	} steps[] = { { 1, 2048 }, { 10, 512 }, { 100, 128 }, { 1000, 32 }, { 10000, 8 },
		{ 100000, 2 } };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (p < steps[i].below * (one / 1000000))
			return steps[i].divisor;
	return 1;
}

static int64_t
adjustment(const struct dn_aqm_config *c, const struct pie *s, uint64_t delay_ns)
{
	__int128 step = product(c->pie.alpha, (int64_t)(delay_ns - c->pie.target_ns)) +
	    product(c->pie.beta, (int64_t)(delay_ns - s->before_ns));

	step = step * (one / 65536) / (int64_t)NS_PER_SEC / divisor(s->p);
	if (step > one)
		step = one;
	if (step < -one)
		step = -one;
	/* Once p is high, no leaps (RFC 8033 5.5). */
	if (c->pie.cap_drop && s->p >= one / 10 && step > one / 50)
		step = one / 50;
	return (int64_t)step;
}

static void
pie_update(struct pie *s, const struct dn_aqm_config *c, uint64_t delay_ns)
{
	const bool calm = delay_ns < c->pie.target_ns / 2 && s->before_ns < c->pie.target_ns / 2;

	s->p += adjustment(c, s, delay_ns);
	if (calm)
		s->p -= s->p / 50;
	/* The quotient is 0 below 50 units: p must not stay there for ever. */
	if (s->p < 50)
		s->p = 0;
	if (s->p > one)
		s->p = one;
	s->before_ns = delay_ns;
	if (calm && s->p == 0)
		s->burst_ns = c->pie.max_burst_ns;
	else
		s->burst_ns -= s->burst_ns < c->pie.tupdate_ns ? s->burst_ns : c->pie.tupdate_ns;
}

/* Nothing changes any more while the queue stays empty. */
static bool
is_at_rest(const struct pie *s, const struct dn_aqm_config *c)
{
	return s->p == 0 && s->before_ns == 0 && s->burst_ns == c->pie.max_burst_ns;
}

/* The updates that are due by now; the packet at the head came at head_ns (NO_PACKET: none). */
static void
pie_advance(struct dn_aqm_queue *a, uint64_t head_ns, uint64_t now_ns)
{
	const struct dn_aqm_config *c = a->config;
	const uint64_t period = c->pie.tupdate_ns;
	struct pie *s = dn_aqm_own(a);

	for (int i = 0; s->next_ns <= now_ns && i < UPDATES_AT_ONCE; i++, s->next_ns += period) {
		if (head_ns == NO_PACKET && is_at_rest(s, c))
			break;
		pie_update(s, c, head_ns < s->next_ns ? s->next_ns - head_ns : 0);
	}
	if (s->next_ns <= now_ns)
		s->next_ns += ((now_ns - s->next_ns) / period + 1) * period;
}

/* --- packets ---------------------------------------------------------------------------------- */

static bool
is_drawn(struct pie *s, const struct dn_aqm_config *c, struct rng *rng)
{
	if (c->pie.derandomise) {
		s->sum = s->p == 0 ? 0 : s->sum + s->p;
		if (s->sum < one / 20 * 17) /* 0.85 */
			return false;
		if (s->sum >= one / 2 * 17) /* 8.5 */
			return true;
	}
	return (int64_t)(rng_u64(rng) >> 16) < s->p;
}

/* RFC 8033 4.1: what is short, or was below half of the target with a small p, is left alone. */
static bool
is_safe(const struct pie *s, const struct dn_aqm_config *c, const struct dn_queue *q)
{
	return s->burst_ns > 0 || (s->before_ns < c->pie.target_ns / 2 && s->p < one / 5) ||
	    q->bytes <= 2 * MEAN_PACKET;
}

static enum dn_aqm_verdict
pie_enqueue(struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns)
{
	const struct dn_aqm_config *c = a->config;
	struct pie *s = dn_aqm_own(a);

	(void)m;
	pie_advance(a, q->head != NULL ? q->head->when_ns : NO_PACKET, now_ns);
	if (is_safe(s, c, q) || !is_drawn(s, c, a->rng))
		return DN_AQM_PASS;
	s->sum = 0;
	if (c->ecn && s->p <= (int64_t)(c->pie.max_ecn_prob * (double)one))
		return DN_AQM_MARK;
	return DN_AQM_DROP;
}

/* m was the head until now. Never a verdict. */
static enum dn_aqm_verdict
pie_dequeue(struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns)
{
	(void)q;
	pie_advance(a, m->when_ns, now_ns);
	return DN_AQM_PASS;
}

static const struct dn_aqm_policy pie_policy = {
	.kind = DN_AQM_PIE,
	.name = "pie",
	.queue_size = sizeof(struct pie),
	.queue_new = pie_queue_new,
	.enqueue = pie_enqueue,
	.dequeue = pie_dequeue,
	.config_changed = pie_config_changed,
};
DN_AQM_DEFINE(pie_policy);
