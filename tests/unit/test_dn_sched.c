/*
 * Schedulers keep what their papers promise: bounds over random weights, sizes and arrivals, watched
 * packet by packet (tools/sched_judge.h), and by a slow referee that knows only the definition.
 * Nothing of Warren is linked here but the parts and the floor base/. LONG=1 sends ten times as much.
 */
#include "dummynet/dn_vtime.h"
#include "sched_judge.h"

#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const fair_parts[] = { "WF2Q+", "QFQ", "RR" };
static const char *const flow_parts[] = { "WF2Q+", "QFQ", "RR", "PRIO" };
static const char *const all_parts[] = { "WF2Q+", "QFQ", "RR", "PRIO", "FIFO" };

#define FOREACH_PART(p, list)                                                                      \
	for (const char *const *p = (list); p < (list) + sizeof(list) / sizeof(*(list)); p++)

static uint64_t
packets(uint64_t n)
{
	return getenv("LONG") != NULL ? 10 * n : n;
}

static const struct dn_sched_part *
part_of(const char *name)
{
	const struct dn_sched_part *part = rig_part(name);

	assert_non_null(part);
	return part;
}

/* Random weights and sizes, two packets of each flow always there. */
static struct rig_spec
saturated(const char *part, uint32_t flows)
{
	const struct dn_sched_part *p = part_of(part);

	return (struct rig_spec){
		.part = p,
		.flows = flows,
		.min_weight = 1,
		.max_weight = p->max_weight < 100 ? p->max_weight : 100,
		.levels = 8,
		.sizes = SIZES_RANGE,
		.min_size = 40,
		.max_size = 1500,
		.arrivals = ARRIVE_SATURATED,
		.backlog = 2,
		.burst = 4,
		.load = 0.95,
		.limit = 64,
		.seed = 1,
	};
}

static struct rig_spec
bursts(const char *part, uint32_t flows, uint32_t burst, double load)
{
	struct rig_spec s = saturated(part, flows);

	s.arrivals = ARRIVE_BURSTS;
	s.burst = burst;
	s.load = load;
	return s;
}

static void
assert_content(const struct judge *j, const struct rig *r)
{
	for (int i = 0; i < M_COUNT; i++) {
		const struct measure *m = &j->measure[i];

		if (!measure_is_kept(m))
			print_error("# %s, %u flows, flow %u: %s %.3f, bound %.3f\n",
			    r->spec.part->name, r->spec.flows, m->flow, m->name, m->value,
			    m->bound);
	}
	if (j->fault != NULL)
		print_error("# %s: %s\n", r->spec.part->name, j->fault);
	assert_true(judge_is_content(j));
	assert_int_equal(r->sent + r->dropped, r->numbers);
	assert_int_equal(r->si.packets, 0);
	assert_int_equal(r->si.bytes, 0);
}

static void
keeps_promises(struct rig_spec spec, uint64_t n)
{
	struct judge j;
	struct rig r;

	assert_true(judge_init(&j, spec.flows, false));
	assert_true(rig_init(&r, &spec, &j.watch));
	judge_begin(&j, &r);
	rig_run(&r, n);
	rig_drain(&r);
	assert_content(&j, &r);
	rig_end(&r);
	judge_end(&j);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static const uint32_t flow_counts[] = { 1, 2, 3, 10, 100, 1000, 32768 };

static void
test_bounds_hold_when_all_flows_always_send(void **state)
{
	(void)state;
	FOREACH_PART(name, all_parts)
	for (unsigned i = 0; i < 7; i++)
		keeps_promises(saturated(*name, flow_counts[i]), packets(1000000) / 7);
}

static void
test_bounds_hold_when_each_flow_has_its_own_longest_packet(void **state)
{
	(void)state;
	FOREACH_PART(name, all_parts)
	for (unsigned i = 1; i < 7; i++) {
		struct rig_spec s = saturated(*name, flow_counts[i]);

		s.sizes = SIZES_EACH;
		keeps_promises(s, packets(1000000) / 7);
	}
}

static void
test_bounds_hold_with_the_sizes_of_the_internet(void **state)
{
	(void)state;
	FOREACH_PART(name, all_parts)
	{
		struct rig_spec s = saturated(*name, 300);

		s.sizes = SIZES_IMIX;
		keeps_promises(s, packets(300000));
	}
}

/* Flows come and go, and the link is idle in between; with one to 32,768 flows. */
static void
test_bounds_hold_when_flows_come_and_go(void **state)
{
	static const double loads[] = { 0.5, 0.9, 0.99, 1.1 };

	(void)state;
	FOREACH_PART(name, all_parts)
	for (unsigned i = 0; i < 7; i++)
		for (unsigned k = 0; k < 4; k++) {
			struct rig_spec s = bursts(*name, flow_counts[i], 1 + 5 * k, loads[k]);

			s.seed = i * 4 + k;
			s.sizes = k % 2 == 0 ? SIZES_RANGE : SIZES_EACH;
			keeps_promises(s, packets(1000000) / 28);
		}
}

static void
test_bounds_hold_with_very_unequal_weights(void **state)
{
	static const uint32_t weights[] = { 1, 65536, 3, 700, 65535, 2, 40000 };

	(void)state;
	FOREACH_PART(name, fair_parts)
	for (unsigned arrivals = 0; arrivals < 2; arrivals++) {
		struct rig_spec s = bursts(*name, 21, 3, 1.2);
		uint32_t capped[7];

		for (unsigned i = 0; i < 7; i++)
			capped[i] = weights[i] < s.part->max_weight ? weights[i] :
								      s.part->max_weight;
		s.arrivals = arrivals;
		s.weights = capped;
		s.nweights = 7;
		s.sizes = SIZES_EACH;
		keeps_promises(s, packets(300000));
	}
}

/* With one unit of weight, virtual time wraps after 16 MB; here some hundred times. */
static void
test_bounds_hold_while_virtual_time_wraps(void **state)
{
	static const uint32_t one = 1;

	(void)state;
	FOREACH_PART(name, fair_parts)
	for (uint32_t flows = 1; flows < 4; flows++)
		for (unsigned arrivals = 0; arrivals < 2; arrivals++) {
			struct rig_spec s = bursts(*name, flows, 5, 0.9);

			s.arrivals = arrivals;
			s.weights = &one;
			s.nweights = 1;
			keeps_promises(s, packets(300000));
		}
}

/* --- the definition of WF2Q+, slowly ---------------------------------------------------------- */

enum { REF_FLOWS = 60, REF_QUEUE = 32 };

struct referee {
	uint64_t now; /* V */
	struct ref_flow {
		uint32_t weight, head, tail;
		uint32_t len[REF_QUEUE];
		uint64_t start; /* of the first; without one, finish of the last */
		bool claims;    /* counts in the weights' sum */
	} flow[REF_FLOWS];
};

static bool
ref_waits(const struct ref_flow *f)
{
	return f->head != f->tail;
}

static uint64_t
ref_finish(const struct ref_flow *f)
{
	return f->start + vtime_cost(f->len[f->head % REF_QUEUE], vtime_inverse(f->weight));
}

static void
ref_arrive(struct referee *ref, uint32_t flow, uint32_t len)
{
	struct ref_flow *f = &ref->flow[flow];

	if (!f->claims)
		f->start = ref->now;
	f->claims = true;
	f->len[f->tail++ % REF_QUEUE] = len;
}

/* Is it right that this flow is served? */
static bool
ref_allows(const struct referee *ref, uint32_t flow)
{
	const struct ref_flow *chosen = &ref->flow[flow];

	if (!ref_waits(chosen) || vtime_before(ref->now, chosen->start))
		return false;
	for (unsigned i = 0; i < REF_FLOWS; i++) {
		const struct ref_flow *f = &ref->flow[i];

		if (ref_waits(f) && !vtime_before(ref->now, f->start) &&
		    vtime_before(ref_finish(f), ref_finish(chosen)))
			return false;
	}
	return true;
}

static void
ref_served(struct referee *ref, uint32_t flow)
{
	struct ref_flow *f = &ref->flow[flow], *first = NULL;
	const uint32_t len = f->len[f->head % REF_QUEUE];
	uint64_t weights = 0;

	for (unsigned i = 0; i < REF_FLOWS; i++)
		weights += ref->flow[i].claims ? ref->flow[i].weight : 0;
	f->start = ref_finish(f);
	f->head++;
	ref->now += vtime_passed(len, vtime_inverse(weights));
	for (unsigned i = 0; i < REF_FLOWS; i++)
		if (ref_waits(f = &ref->flow[i]) &&
		    (first == NULL || vtime_before(f->start, first->start)))
			first = f;
	if (first != NULL && vtime_before(ref->now, first->start))
		ref->now = first->start;
	for (unsigned i = 0; i < REF_FLOWS; i++) {
		f = &ref->flow[i];
		if (!ref_waits(f) && (first == NULL || !vtime_before(ref->now, f->start)))
			f->claims = false;
	}
}

static void
test_wf2q_serves_whom_the_definition_says(void **state)
{
	struct rig_spec s = bursts("WF2Q+", REF_FLOWS, 1, 1);
	struct referee ref = { 0 };
	uint64_t served = 0;
	struct rng rng;
	struct rig r;

	(void)state;
	rng_seed(&rng, 7, "referee");
	assert_true(rig_init(&r, &s, NULL));
	for (uint32_t i = 0; i < REF_FLOWS; i++)
		ref.flow[i].weight = r.flow[i].share.weight;
	while (served < packets(100000)) {
		/* Mostly busy, sometimes idle. */
		for (uint64_t n = rng_below(&rng, served / 1000 % 3 == 0 ? 2 : 4); n > 0; n--) {
			const uint32_t flow = (uint32_t)rng_below(&rng, REF_FLOWS);
			const uint32_t len = 40 + (uint32_t)rng_below(&rng, 1461);

			if (rig_queue(&r, flow)->packets == REF_QUEUE - 1)
				continue;
			assert_true(rig_send(&r, flow, len));
			ref_arrive(&ref, flow, len);
		}
		struct referee before = ref;
		const int64_t flow = rig_step(&r);

		if (flow < 0)
			continue;
		assert_true(ref_allows(&before, (uint32_t)flow));
		ref_served(&ref, (uint32_t)flow);
		served++;
	}
	rig_end(&r);
}

/* --- RR --------------------------------------------------------------------------------------- */

/* The plain algorithm: all rounds one by one. */
static void
test_rr_with_small_quanta_serves_as_if_it_went_all_rounds(void **state)
{
	enum { FLOWS = 9 };
	struct rig_spec s = saturated("RR", FLOWS);
	int64_t credit[FLOWS];
	uint32_t turn = 0;
	struct rig r;

	(void)state;
	s.max_weight = 3;
	s.max_len = 64;
	assert_true(rig_init(&r, &s, NULL));
	rig_run(&r, 1);
	rig_drain(&r);
	/* None ever runs empty, so that the order of the ring stays. */
	for (uint32_t i = 0; i < FLOWS; i++) {
		assert_true(rig_send(&r, i, 1 + i * 100));
		assert_true(rig_send(&r, i, 65535));
		credit[i] = r.flow[i].share.weight * 64;
	}
	for (unsigned n = 0; n < 20000; n++) {
		while (rig_queue(&r, turn)->head->len > credit[turn]) {
			credit[turn] += r.flow[turn].share.weight * 64;
			turn = (turn + 1) % FLOWS;
		}
		credit[turn] -= rig_queue(&r, turn)->head->len;
		assert_int_equal(rig_step(&r), turn);
		assert_true(rig_send(&r, turn, n % 3 == 0 ? 65535 : 40 + n % 1461));
	}
	rig_end(&r);
}

static void
test_rr_starves_nobody(void **state)
{
	enum { FLOWS = 100 };
	static const uint32_t weights[] = { 65536, 1, 65536, 65536 };
	struct rig_spec s = saturated("RR", FLOWS);
	uint64_t last[FLOWS] = { 0 }, round = 0;
	struct rig r;

	(void)state;
	s.weights = weights;
	s.nweights = 4;
	s.max_len = 2048;
	assert_true(rig_init(&r, &s, NULL));
	for (uint32_t i = 0; i < FLOWS; i++)
		round += (uint64_t)r.flow[i].share.weight * 2048;
	/* A weight of 1 among those of 65536 has its turn in each round. Long packets: fewer. */
	for (uint32_t i = 0; i < FLOWS; i++)
		for (unsigned n = 0; n < 2; n++)
			assert_true(rig_send(&r, i, weights[i % 4] == 1 ? 1500 : 65535));
	while (r.now < 3 * round) {
		const uint32_t flow = (uint32_t)rig_step(&r);

		assert_true(r.now - last[flow] <= round + FLOWS * 65535);
		last[flow] = r.now;
		assert_true(rig_send(&r, flow, weights[flow % 4] == 1 ? 1500 : 65535));
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_true(last[i] > r.now - round - FLOWS * 65535);
	rig_end(&r);
}

/* --- shares ----------------------------------------------------------------------------------- */

static void
keep_sending(struct rig *r, uint32_t flow)
{
	while (rig_queue(r, flow)->packets < 2)
		assert_true(rig_send(r, flow, 0));
}

/* Bytes of each of four flows in a time in which those of the mask always send. */
static void
share_out(struct rig *r, unsigned mask, unsigned steps, uint64_t bytes[4])
{
	memset(bytes, 0, 4 * sizeof(bytes[0]));
	for (unsigned n = 0; n < steps; n++) {
		const uint64_t before = r->now;
		int64_t flow;

		for (uint32_t i = 0; i < 4; i++)
			if (mask & 1u << i)
				keep_sending(r, i);
		flow = rig_step(r);
		bytes[flow] += r->now - before;
	}
}

/* By weight, up to what is bounded: some packets, of quanta for RR. */
static void
assert_ratio(const struct rig *r, const uint64_t bytes[4], uint32_t a, uint32_t b)
{
	const double wa = r->flow[a].share.weight, wb = r->flow[b].share.weight;
	const double apart = (double)bytes[a] / wa - (double)bytes[b] / wb;

	assert_true(apart < 6 * 1500 && apart > -6 * 1500);
}

static void
test_spare_capacity_is_shared_by_weight(void **state)
{
	static const uint32_t weights[] = { 1, 2, 7, 90 };

	(void)state;
	FOREACH_PART(name, fair_parts)
	{
		struct rig_spec s = bursts(*name, 4, 1, 1);
		uint64_t bytes[4];
		struct rig r;

		s.weights = weights;
		s.nweights = 4;
		assert_true(rig_init(&r, &s, NULL));
		share_out(&r, 0xf, 10000, bytes);
		for (uint32_t i = 1; i < 4; i++)
			assert_ratio(&r, bytes, 0, i);
		rig_drain(&r);
		/* The one with 90 of 100 is silent, and what was its goes to the others 1:2:7. */
		share_out(&r, 0x7, 10000, bytes);
		assert_int_equal(bytes[3], 0);
		assert_ratio(&r, bytes, 0, 1);
		assert_ratio(&r, bytes, 0, 2);
		/* It comes back while they go on. */
		share_out(&r, 0xf, 10000, bytes);
		for (uint32_t i = 1; i < 4; i++)
			assert_ratio(&r, bytes, 0, i);
		rig_end(&r);
	}
}

static void
test_a_new_weight_counts_while_packets_wait(void **state)
{
	static const uint32_t ones[] = { 1 };

	(void)state;
	FOREACH_PART(name, fair_parts)
	{
		struct rig_spec s = bursts(*name, 4, 1, 1);
		struct dn_share share;
		uint64_t bytes[4];
		struct rig r;

		s.weights = ones;
		s.nweights = 1;
		assert_true(rig_init(&r, &s, NULL));
		share_out(&r, 0xf, 1000, bytes);
		assert_ratio(&r, bytes, 0, 1);
		share = r.flow[1].share;
		share.weight = 50;
		rig_share(&r, 1, &share);
		share_out(&r, 0xf, 10000, bytes);
		assert_ratio(&r, bytes, 0, 1);
		assert_ratio(&r, bytes, 0, 2);
		share.weight = 2;
		rig_share(&r, 1, &share);
		share_out(&r, 0xf, 10000, bytes);
		assert_ratio(&r, bytes, 0, 1);
		assert_ratio(&r, bytes, 0, 2);
		rig_end(&r);
	}
}

static void
test_a_new_priority_counts_while_packets_wait(void **state)
{
	struct rig_spec s = bursts("PRIO", 3, 1, 1);
	struct dn_share share = { .priority = 5 };
	struct rig r;

	(void)state;
	assert_true(rig_init(&r, &s, NULL));
	for (uint32_t i = 0; i < 3; i++) {
		share.priority = 5 + i;
		rig_share(&r, i, &share);
		assert_true(rig_send(&r, i, 100));
		assert_true(rig_send(&r, i, 100));
	}
	assert_int_equal(rig_step(&r), 0);
	share.priority = 0;
	rig_share(&r, 2, &share);
	assert_int_equal(rig_step(&r), 2);
	assert_int_equal(rig_step(&r), 2);
	assert_int_equal(rig_step(&r), 0);
	assert_int_equal(rig_step(&r), 1);
	rig_end(&r);
}

/* --- whatever happens ------------------------------------------------------------------------- */

static void
test_nothing_is_lost_when_aqm_drops(void **state)
{
	static const double drops[] = { 0.05, 0.5, 0.95 };

	(void)state;
	FOREACH_PART(name, all_parts)
	for (unsigned i = 0; i < 6; i++) {
		struct rig_spec s = bursts(*name, flow_counts[i], 7, 1.5);
		struct judge j;
		struct rig r;

		s.aqm_drops = drops[i % 3];
		s.sizes = SIZES_IMIX;
		assert_true(judge_init(&j, s.flows, false));
		assert_true(rig_init(&r, &s, &j.watch));
		judge_begin(&j, &r);
		/* What was promised was promised without drops. */
		for (int k = 0; k < M_COUNT; k++)
			j.measure[k].promised = false;
		rig_run(&r, packets(100000));
		rig_drain(&r);
		assert_true(r.dropped > 0);
		assert_content(&j, &r);
		rig_end(&r);
		judge_end(&j);
	}
}

/* A flow that sends all the time gets its share of what is sent, whatever AQM drops before. */
static void
test_shares_hold_when_aqm_drops(void **state)
{
	static const uint32_t weights[] = { 1, 4 };

	(void)state;
	FOREACH_PART(name, fair_parts)
	{
		struct rig_spec s = saturated(*name, 2);
		uint64_t bytes[2] = { 0 };
		struct rig r;

		s.weights = weights;
		s.nweights = 2;
		s.backlog = 200;
		s.aqm_drops = 0.2;
		assert_true(rig_init(&r, &s, NULL));
		for (unsigned n = 0; n < 20000; n++) {
			const uint64_t before = r.now;
			int64_t flow;

			for (uint32_t i = 0; i < 2; i++)
				while (rig_queue(&r, i)->packets < 50)
					assert_true(rig_send(&r, i, 0));
			flow = rig_step(&r);
			bytes[flow] += r.now - before;
		}
		assert_true(bytes[1] > 39 * bytes[0] / 10 && bytes[1] < 41 * bytes[0] / 10);
		rig_end(&r);
	}
}

/*
 * Weights, longest packets and priorities change, queues are freed (idle, with packets, before
 * their time is over) and made anew, packets are longer than was said: each packet that was not in
 * a queue when it was freed comes out, in its flow's order, and idle flows become idle.
 */
static void
churn(const char *name, uint32_t flows, double drops, uint64_t seed)
{
	struct rig_spec s = bursts(name, flows, 5, 1);
	uint64_t lost = 0;
	struct rng rng;
	struct rig r;

	s.seed = seed;
	s.aqm_drops = drops;
	rng_seed(&rng, seed, "churn");
	assert_true(rig_init(&r, &s, NULL));
	for (uint64_t n = packets(30000); n > 0; n--) {
		const uint32_t flow = (uint32_t)rng_below(&rng, flows);
		struct dn_share share = {
			.weight = 1 +
			    (uint32_t)rng_below(&rng, s.part->max_weight + 1) /
				(1 + (uint32_t)rng_below(&rng, 50)),
			.max_len = s.part->max_max_len == 0 ?
			    0 :
			    64 + (uint32_t)rng_below(&rng, s.part->max_max_len - 63),
			.priority = (uint32_t)rng_below(&rng, 64),
		};

		switch (rng_below(&rng, 12)) {
		case 0:
			rig_share(&r, flow, &share);
			break;
		case 1:
			lost += rig_queue(&r, flow)->packets;
			rig_renew_queue(&r, flow);
			break;
		case 2:
			rig_send(&r, flow, 1 + (uint32_t)rng_below(&rng, 65535));
			break;
		case 3:
			rig_drain(&r);
			break;
		case 4:
		case 5:
		case 6:
			rig_send(&r, flow, 0);
			break;
		default:
			rig_step(&r);
		}
	}
	rig_drain(&r);
	assert_int_equal(r.si.packets, 0);
	assert_int_equal(r.sent + r.dropped + lost, r.numbers);
	for (uint32_t i = 0; i < flows; i++) {
		assert_null(rig_queue(&r, i)->head);
		if (s.part->queue_is_idle != NULL)
			assert_true(s.part->queue_is_idle(&r.si, rig_queue(&r, i)));
	}
	rig_end(&r);
}

static void
test_nothing_is_lost_while_everything_changes(void **state)
{
	(void)state;
	FOREACH_PART(name, all_parts)
	for (uint64_t seed = 0; seed < 12; seed++)
		churn(*name, flow_counts[seed % 6], seed % 3 == 2 ? 0.3 : 0, seed);
}

/* A flow is idle when it may be forgotten: not while its last packet is not paid off. */
static void
test_a_flow_that_was_ahead_is_not_idle_at_once(void **state)
{
	static const char *const parts[] = { "WF2Q+", "QFQ" };
	static const uint32_t ones[] = { 1 };

	(void)state;
	FOREACH_PART(name, parts)
	{
		struct rig_spec s = bursts(*name, 4, 1, 1);
		uint64_t bytes[4];
		struct rig r;

		s.weights = ones;
		s.nweights = 1;
		assert_true(rig_init(&r, &s, NULL));
		assert_true(s.part->queue_is_idle(&r.si, rig_queue(&r, 0)));
		for (uint32_t i = 0; i < 4; i++)
			assert_true(rig_send(&r, i, 1500));
		const uint32_t first = (uint32_t)rig_step(&r);

		assert_null(rig_queue(&r, first)->head);
		assert_false(s.part->queue_is_idle(&r.si, rig_queue(&r, first)));
		share_out(&r, 0xf & ~(1u << first), 20, bytes);
		assert_true(s.part->queue_is_idle(&r.si, rig_queue(&r, first)));
		rig_end(&r);
	}
}

/* What a flow paid for before the link was idle does not count afterwards. */
static void
test_all_is_forgotten_when_nothing_waits(void **state)
{
	static const char *const parts[] = { "WF2Q+", "QFQ" };
	static const uint32_t ones[] = { 1 };

	(void)state;
	FOREACH_PART(name, parts)
	{
		struct rig_spec s = bursts(*name, 2, 1, 1);
		unsigned last = 0;
		struct rig r;

		s.weights = ones;
		s.nweights = 1;
		assert_true(rig_init(&r, &s, NULL));
		for (unsigned n = 0; n < 60; n++)
			assert_true(rig_send(&r, 0, 1500));
		rig_drain(&r);
		for (unsigned n = 0; n < 40; n++)
			assert_true(rig_send(&r, n % 2, 1500));
		for (unsigned n = 0; n < 40; n++)
			if (rig_step(&r) == 0)
				last = n;
		/* They take turns: flow 0 is not put behind. */
		assert_true(last >= 36);
		rig_end(&r);
	}
}

/* Queues with a weight of nothing or none at all are as those with the default. */
static void
test_a_share_of_zeros_is_the_default(void **state)
{
	(void)state;
	FOREACH_PART(name, flow_parts)
	{
		struct rig_spec s = bursts(*name, 2, 1, 1);
		const struct dn_share none = { 0 };
		uint64_t bytes[4];
		struct rig r;

		s.flows = 4;
		assert_true(rig_init(&r, &s, NULL));
		for (uint32_t i = 0; i < 4; i++)
			rig_share(&r, i, &none);
		share_out(&r, 0xf, 4000, bytes);
		for (uint32_t i = 0; i < 4; i++)
			assert_true(bytes[i] > 600000 && bytes[i] < 1000000);
		rig_end(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_hold_when_all_flows_always_send),
		cmocka_unit_test(test_bounds_hold_when_each_flow_has_its_own_longest_packet),
		cmocka_unit_test(test_bounds_hold_with_the_sizes_of_the_internet),
		cmocka_unit_test(test_bounds_hold_when_flows_come_and_go),
		cmocka_unit_test(test_bounds_hold_with_very_unequal_weights),
		cmocka_unit_test(test_bounds_hold_while_virtual_time_wraps),
		cmocka_unit_test(test_wf2q_serves_whom_the_definition_says),
		cmocka_unit_test(test_rr_with_small_quanta_serves_as_if_it_went_all_rounds),
		cmocka_unit_test(test_rr_starves_nobody),
		cmocka_unit_test(test_spare_capacity_is_shared_by_weight),
		cmocka_unit_test(test_a_new_weight_counts_while_packets_wait),
		cmocka_unit_test(test_a_new_priority_counts_while_packets_wait),
		cmocka_unit_test(test_nothing_is_lost_when_aqm_drops),
		cmocka_unit_test(test_shares_hold_when_aqm_drops),
		cmocka_unit_test(test_nothing_is_lost_while_everything_changes),
		cmocka_unit_test(test_a_flow_that_was_ahead_is_not_idle_at_once),
		cmocka_unit_test(test_all_is_forgotten_when_nothing_waits),
		cmocka_unit_test(test_a_share_of_zeros_is_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
