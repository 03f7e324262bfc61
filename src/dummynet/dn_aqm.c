/*
 * dn_aqm.c - policies and their queues: which there are, what they may be configured to, and how
 * what they say is carried out.
 *
 *	packet comes	dn_aqm_admit      policy's enqueue -> append, mark and append, drop
 *	packet leaves	dn_queue_pop_aqm  policy's dequeue -> give, mark and give, drop and the next
 *
 * A packet that should be marked and can't be is dropped (RFC 3168 5, RFC 8289 4, RFC 8033 5.1).
 */
#include "dummynet/dn_aqm.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

LINKERSET_DECLARE(dn_aqm_policy, const struct dn_aqm_policy);

/* What a queue has whose flowset was told to have no policy any more. */
static const struct dn_aqm_policy no_policy = { .kind = DN_AQM_NONE, .name = "droptail" };

static const struct dn_aqm_policy *
policy_of(enum dn_aqm_kind kind)
{
	const struct dn_aqm_policy *const *p;

	LINKERSET_FOREACH(p, dn_aqm_policy)
		if ((*p)->kind == kind)
			return *p;
	return &no_policy;
}

/* Room for the state of any policy, so that a queue's can become another one with packets inside. */
static uint32_t
largest_state(void)
{
	const struct dn_aqm_policy *const *p;
	uint32_t largest = 0;

	LINKERSET_FOREACH(p, dn_aqm_policy)
		if ((*p)->queue_size > largest)
			largest = (*p)->queue_size;
	return largest;
}

/* --- configurations --------------------------------------------------------------------------- */

void
dn_aqm_defaults(struct dn_aqm_config *c, enum dn_aqm_kind kind)
{
	*c = (struct dn_aqm_config){
		.kind = kind,
		.red = { .max_pkt_size = 1500 },
		.codel = { .target_ns = 5 * NS_PER_MS, .interval_ns = 100 * NS_PER_MS },
		.pie = {
			.target_ns = 15 * NS_PER_MS,
			.tupdate_ns = 15 * NS_PER_MS,
			.max_burst_ns = 150 * NS_PER_MS,
			.alpha = 0.125,
			.beta = 1.25,
			.max_ecn_prob = 0.1,
			.cap_drop = true,
			.derandomise = true,
		},
	};
}

/* w_q and max_p live on in 16 fractional bits: what would become 0 there is refused. */
static const char *
check_red(const struct dn_aqm_config *c)
{
	if (!(c->red.w_q >= 0x1p-16 && c->red.w_q <= 1))
		return "w_q must be above 0 (from 1/65536) and at most 1";
	if (!(c->red.max_p >= 0x1p-16 && c->red.max_p <= 1))
		return "max_p must be above 0 (from 1/65536) and at most 1";
	if (c->red.min_th >= c->red.max_th)
		return "min_th must be less than max_th";
	if (c->red.bytes && c->red.max_pkt_size == 0)
		return "the longest packet must not be 0 bytes";
	return NULL;
}

static const char *
check_codel(const struct dn_aqm_config *c)
{
	if (c->codel.target_ns < NS_PER_US || c->codel.target_ns > 10 * NS_PER_SEC)
		return "target must be from 1 us to 10 s";
	if (c->codel.interval_ns < NS_PER_US || c->codel.interval_ns > 10 * NS_PER_SEC)
		return "interval must be from 1 us to 10 s";
	return NULL;
}

static const char *
check_pie(const struct dn_aqm_config *c)
{
	if (c->pie.target_ns < NS_PER_US || c->pie.target_ns > 10 * NS_PER_SEC)
		return "target must be from 1 us to 10 s";
	if (c->pie.tupdate_ns < 100 * NS_PER_US || c->pie.tupdate_ns > 10 * NS_PER_SEC)
		return "tupdate must be from 100 us to 10 s";
	if (c->pie.max_burst_ns > 10 * NS_PER_SEC)
		return "max_burst must be at most 10 s";
	if (!(c->pie.alpha >= 0 && c->pie.alpha <= 7) || !(c->pie.beta >= 0 && c->pie.beta <= 7))
		return "alpha and beta must be from 0 to 7";
	if (!(c->pie.max_ecn_prob >= 0 && c->pie.max_ecn_prob <= 1))
		return "max_ecnth must be from 0 to 1";
	return NULL;
}

const char *
dn_aqm_check(const struct dn_aqm_config *c)
{
	switch (c->kind) {
	case DN_AQM_NONE:
		return c->ecn ? "ecn needs red, gred, codel or pie" : NULL;
	case DN_AQM_RED:
	case DN_AQM_GRED:
		return check_red(c);
	case DN_AQM_CODEL:
		return check_codel(c);
	case DN_AQM_PIE:
		return check_pie(c);
	}
	return "there is no such policy";
}

/* --- states ----------------------------------------------------------------------------------- */

static void
begin(struct dn_aqm_queue *a, uint64_t now_ns)
{
	a->policy = policy_of(a->config->kind);
	memset(dn_aqm_own(a), 0, a->policy->queue_size);
	if (a->policy->queue_new != NULL)
		a->policy->queue_new(a, now_ns);
}

size_t
dn_aqm_size(void)
{
	return sizeof(struct dn_aqm_queue) + largest_state();
}

void
dn_aqm_init(struct dn_aqm_queue *a, const struct dn_aqm_config *c, struct rng *rng, uint64_t now_ns)
{
	*a = (struct dn_aqm_queue){ .config = c, .rng = rng };
	begin(a, now_ns);
}

struct dn_aqm_queue *
dn_aqm_new(const struct dn_aqm_config *c, struct rng *rng, uint64_t now_ns, int *error)
{
	struct dn_aqm_queue *a;

	*error = 0;
	if (c->kind == DN_AQM_NONE)
		return NULL;
	if ((a = dn_alloc(dn_aqm_size())) == NULL) {
		*error = -ENOMEM;
		return NULL;
	}
	dn_aqm_init(a, c, rng, now_ns);
	return a;
}

void
dn_aqm_free(struct dn_aqm_queue *a)
{
	dn_free(a);
}

void
dn_aqm_config_changed(struct dn_aqm_queue *a)
{
	if (a->policy->kind != a->config->kind)
		begin(a, clock_now());
	else if (a->policy->config_changed != NULL)
		a->policy->config_changed(a);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* False: m is to be dropped. */
static bool
carry_out(struct dn_aqm_queue *a, enum dn_aqm_verdict verdict, struct mbuf *m)
{
	if (verdict == DN_AQM_PASS)
		return true;
	if (verdict == DN_AQM_MARK && dn_ecn_mark(m)) {
		a->marks++;
		return true;
	}
	a->drops++;
	return false;
}

bool
dn_aqm_admit(struct dn_aqm_queue *a, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	if (a->policy->enqueue == NULL)
		return true;
	return carry_out(a, a->policy->enqueue(a, q, m, now_ns), m);
}

struct mbuf *
dn_queue_pop_aqm(struct dn_sched_instance *si, struct dn_queue *q, uint64_t now_ns)
{
	struct dn_aqm_queue *a = q->aqm;

	while (q->head != NULL) {
		struct mbuf *m = dn_queue_take(si, q);

		if (a->policy->dequeue == NULL ||
		    carry_out(a, a->policy->dequeue(a, q, m, now_ns), m))
			return m;
		q->dropped++;
		si->drop(si, q, m);
	}
	return NULL;
}
