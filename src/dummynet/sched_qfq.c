/*
 * sched_qfq.c - QFQ: quick fair queueing (Checconi, Rizzo and Valente, 2009; IEEE/ACM ToN 2013).
 *
 * WF2Q+ in constant time, by timestamps that are a little rounded (dn_vtime.h says what they are).
 * Flows whose longest packet takes about as long, 2^(i-1) < Lmax / w <= 2^i, are one group; sigma
 * = 2^i. In a group a flow's start is rounded down to a multiple of sigma, which is its slot, and
 * the group's start S is its first slot's, its finish F = S + 2 sigma. So flows of a group need no
 * sorting but by slot, and there are so few groups that each of these sets is a word:
 *
 *	ER	S has come, ready: nobody above (with longer slots) in ER has a smaller F
 *	EB	S has come, but blocked by somebody above
 *	IR, IB	the same, S is still to come
 *
 * What makes it fast is that in ER finishes rise with the index, so that the lowest bit is who is
 * next; that the groups whose start comes when V passes are those up to the highest bit of V that
 * changes; and that a group which is served unblocks all that are below it, or none.
 *
 * The paper proves these orders for flows that stay as they are. Here flows also change weight, and
 * AQM sends another packet than the one that was at the head: then a group may be in the wrong set
 * until it is served. No packet is ever lost by that (see somebody_ready).
 *
 * Guarantees: tools/sched_judge.c computes them for a set of flows.
 */
#include "dummynet/dn_sched.h"
#include "dummynet/dn_vtime.h"

#include <sys/queue.h>

enum {
	QFQ_MAX_WEIGHT = 65536,
	QFQ_MAX_LEN = 2000,
	QFQ_DEFAULT_LEN = 1500,

	SLOTS = 32,
	/* Lmax / w: from 1 byte / 65536, to 64 KB (jumbo packets may come, whatever lmax says). */
	MIN_SHIFT = VTIME_FRACTION - 16,
	GROUPS = 17 + 16 + 1,
	/* V >> ERA_SHIFT counts eras: finishes of the one before last are past, see is_ancient(). */
	ERA_SHIFT = 60,
};

enum set { ER, IR, EB, IB, NSETS }; /* bit 0: ineligible, bit 1: blocked */

struct qfq_flow {
	LIST_ENTRY(qfq_flow) link; /* of its slot */
	uint64_t start;            /* of the packet at the head; without one, finish of the last */
	uint64_t era;              /* in which start was written */
	uint64_t inverse;          /* of its weight */
	uint32_t weight;
	uint32_t max_len; /* of its share, or the longest packet that came */
	uint8_t group, slot;
};
LIST_HEAD(slot, qfq_flow);

struct group {
	uint64_t start, finish;
	uint32_t busy; /* slots that have flows, the first slot at bit 0 */
	uint8_t first; /* index of the first slot */
	uint8_t index;
	uint8_t shift; /* sigma = 1 << shift */
	struct slot *slot;
};

struct qfq {
	uint64_t now; /* V */
	uint64_t era;
	uint64_t inverse; /* of weights */
	uint64_t set[NSETS];
	uint64_t weights; /* of all flows, busy or not */
	struct group group[GROUPS];
	struct slot slot[GROUPS][SLOTS];
};

static inline struct dn_queue *
queue_of(struct qfq_flow *f)
{
	return (struct dn_queue *)(void *)f - 1;
}

static inline uint64_t
round_down(uint64_t t, const struct group *g)
{
	return t >> g->shift << g->shift;
}

static inline uint64_t
bit(const struct group *g)
{
	return UINT64_C(1) << g->index;
}

/* --- sets of groups --------------------------------------------------------------------------- */

/* The lowest ready group with this index or a higher one, or NULL. */
static inline struct group *
ready_from(struct qfq *s, unsigned index)
{
	const uint64_t above = s->set[ER] & (~UINT64_C(0) << index);

	return above != 0 ? &s->group[__builtin_ctzll(above)] : NULL;
}

static inline void
leave_set(struct qfq *s, const struct group *g)
{
	for (int i = 0; i < NSETS; i++)
		s->set[i] &= ~bit(g);
}

/* g, in no set now, goes where its start and finish say. */
static inline void
enter_set(struct qfq *s, const struct group *g)
{
	const struct group *above = ready_from(s, g->index);
	unsigned set = vtime_before(s->now, g->start) ? IR : ER;

	if (above != NULL && vtime_before(above->finish, g->finish))
		set |= EB;
	s->set[set] |= bit(g);
}

static inline void
move_sets(struct qfq *s, uint64_t mask, enum set from, enum set to)
{
	s->set[to] |= s->set[from] & mask;
	s->set[from] &= ~mask;
}

/* g, which was ready with this finish, isn't any more: who was blocked by it is ready. */
static inline void
unblock(struct qfq *s, const struct group *g, uint64_t finish)
{
	const struct group *above = ready_from(s, g->index + 1u);

	if (above != NULL && !vtime_before(finish, above->finish))
		return;
	move_sets(s, bit(g) - 1, EB, ER);
	move_sets(s, bit(g) - 1, IB, IR);
}

/* Time goes on: the groups of which it enters another slot become eligible. */
static inline void
pass_to(struct qfq *s, uint64_t now)
{
	const uint64_t changed = (s->now ^ now) >> MIN_SHIFT;
	uint64_t mask;

	s->era += (s->now ^ now) >> ERA_SHIFT != 0;
	s->now = now;
	if (changed == 0)
		return;
	mask = (UINT64_C(2) << (63 - __builtin_clzll(changed))) - 1;
	/*
	 * Mostly nobody, and a guess of that lets the next packet begin before this one's length is
	 * known: 22 -> 20 ns for a packet (bench_sched, 1,000 flows).
	 */
	if (((s->set[IR] | s->set[IB]) & mask) == 0)
		return;
	move_sets(s, mask, IR, ER);
	move_sets(s, mask, IB, EB);
}

/*
 * There are flows, so let one be ready: time goes on to the first start if none has come. If all
 * are blocked, by groups that are gone meanwhile, sort them anew.
 */
static void
somebody_ready(struct qfq *s)
{
	const uint64_t ineligible = s->set[IR] | s->set[IB];
	uint64_t all = ineligible | s->set[EB];

	if (s->set[EB] == 0 && ineligible != 0) {
		const struct group *g = &s->group[__builtin_ctzll(ineligible)];

		pass_to(s, vtime_before(s->now, g->start) ? g->start : s->now);
	}
	if (s->set[ER] != 0)
		return;
	s->set[IR] = s->set[EB] = s->set[IB] = 0;
	while (all != 0) {
		const struct group *g = &s->group[63 - __builtin_clzll(all)];

		all &= ~bit(g);
		enter_set(s, g);
	}
}

/* --- slots of a group ------------------------------------------------------------------------- */

static inline struct slot *
first_slot(struct group *g)
{
	return &g->slot[g->first];
}

static inline void
begin_at(struct group *g, uint64_t start)
{
	g->start = start;
	g->finish = start + (UINT64_C(2) << g->shift);
}

/* The first slot has become empty: the next one that is not is the first. False: none. */
static inline bool
next_slot(struct group *g)
{
	unsigned skip;

	g->busy &= ~1u;
	if (g->busy == 0)
		return false;
	skip = (unsigned)__builtin_ctz(g->busy);
	g->busy >>= skip;
	g->first = (uint8_t)((g->first + skip) % SLOTS);
	begin_at(g, g->start + ((uint64_t)skip << g->shift));
	return true;
}

/* An earlier start than the group's: slots are put before the first one, as far as there are. */
static void
begin_earlier(struct group *g, uint64_t start)
{
	const uint64_t slots = (g->start - start) >> g->shift;

	if (slots > (unsigned)__builtin_clz(g->busy))
		return;
	g->busy <<= slots;
	g->first = (uint8_t)((g->first - slots) % SLOTS);
	begin_at(g, start);
}

/*
 * f goes to the slot of its start. Starts lie within a few sigma of each other, except when a
 * single packet of others takes many (a jumbo among telephones): what is beyond the last slot
 * stands in it, and is served early by as much.
 */
static inline void
slot_insert(struct group *g, struct qfq_flow *f)
{
	const int64_t ahead = (int64_t)(round_down(f->start, g) - g->start) >> g->shift;
	const unsigned slot = ahead < 0 ? 0 : ahead >= SLOTS ? SLOTS - 1 : (unsigned)ahead;

	f->slot = (uint8_t)((g->first + slot) % SLOTS);
	LIST_INSERT_HEAD(&g->slot[f->slot], f, link);
	g->busy |= 1u << slot;
}

/* --- flows come and go ------------------------------------------------------------------------ */

/* f's last finish is so long past that it can't be compared. None is ahead by as much as an era. */
static inline bool
is_ancient(const struct qfq *s, const struct qfq_flow *f)
{
	return s->era - f->era > 1;
}

/*
 * The start of a flow that begins: now, or where its last packet finished. It is not now but
 * earlier where time has run ahead of a group that will block it: who is blocked must not start
 * after the finish of who blocks, to be in order when it is unblocked.
 */
static void
start_flow(struct qfq *s, struct qfq_flow *f)
{
	const struct group *above = ready_from(s, f->group);
	uint64_t begin = s->now;

	if (above != NULL && vtime_before(above->finish, begin))
		begin = above->finish;
	if (is_ancient(s, f) || vtime_before(f->start, begin))
		f->start = begin;
}

/* f has packets and a start: it comes into the order. */
static void
activate(struct qfq *s, struct qfq_flow *f)
{
	struct group *g = &s->group[f->group];
	const uint64_t latest = round_down(s->now, g) + (UINT64_C(1) << g->shift);
	uint64_t start;

	/* Only a flow that came from another group can be ahead by more. */
	if (vtime_before(latest, round_down(f->start, g)))
		f->start = latest;
	start = round_down(f->start, g);
	f->era = s->era;
	if (g->busy == 0)
		begin_at(g, start);
	else if (vtime_before(start, g->start))
		begin_earlier(g, start);
	else {
		slot_insert(g, f);
		return;
	}
	slot_insert(g, f);
	leave_set(s, g);
	enter_set(s, g);
}

/*
 * The first slot of g, which was in this set, has lost its last flow or has moved: g goes to where
 * it belongs now.
 */
static inline void
first_slot_left(struct qfq *s, struct group *g)
{
	const bool was_ready = (s->set[ER] & bit(g)) != 0;
	const uint64_t finish = g->finish;

	leave_set(s, g);
	if (next_slot(g))
		enter_set(s, g);
	if (was_ready)
		unblock(s, g, finish);
}

/* f goes out of the order, wherever it stands. */
static void
deactivate(struct qfq *s, struct qfq_flow *f)
{
	struct group *g = &s->group[f->group];
	const unsigned slot = (f->slot - g->first) % SLOTS;

	LIST_REMOVE(f, link);
	if (!LIST_EMPTY(&g->slot[f->slot]))
		return;
	if (slot == 0)
		first_slot_left(s, g);
	else
		g->busy &= ~(1u << slot);
}

/* --- the part --------------------------------------------------------------------------------- */

static void
weights_change(struct qfq *s, int64_t by)
{
	s->weights += (uint64_t)by;
	s->inverse = s->weights != 0 ? vtime_inverse(s->weights) : 0;
}

/* The group of the longest packet that f may have. */
static unsigned
group_of(const struct qfq_flow *f)
{
	const uint64_t cost = vtime_cost(f->max_len, f->inverse);
	const int shift = 64 - __builtin_clzll(cost - 1); /* 2^shift is not below cost */

	return shift > MIN_SHIFT ? (unsigned)(shift - MIN_SHIFT) : 0;
}

/* Weight and longest packet; f is not in the order. */
static void
set_share(struct qfq *s, struct qfq_flow *f, uint32_t weight, uint32_t max_len)
{
	weights_change(s, (int64_t)weight - (int64_t)f->weight);
	f->weight = weight;
	f->max_len = max_len;
	f->inverse = vtime_inverse(weight);
	f->group = (uint8_t)group_of(f);
}

static uint32_t
share_weight(const struct dn_share *share)
{
	return share->weight != 0 ? share->weight : 1;
}

static uint32_t
share_max_len(const struct dn_share *share)
{
	return share->max_len != 0 ? share->max_len : QFQ_DEFAULT_LEN;
}

static void
change_share(struct qfq *s, struct dn_queue *q, uint32_t weight, uint32_t max_len)
{
	struct qfq_flow *f = dn_queue_own(q);

	if (q->head == NULL) {
		set_share(s, f, weight, max_len);
		return;
	}
	deactivate(s, f);
	set_share(s, f, weight, max_len);
	activate(s, f);
}

static int
qfq_instance_new(struct dn_sched_instance *si)
{
	struct qfq *s = dn_sched_own(si);

	for (unsigned i = 0; i < GROUPS; i++) {
		s->group[i].index = (uint8_t)i;
		s->group[i].shift = (uint8_t)(MIN_SHIFT + i);
		s->group[i].slot = s->slot[i];
	}
	return 0;
}

static int
qfq_queue_new(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct qfq *s = dn_sched_own(si);
	struct qfq_flow *f = dn_queue_own(q);

	set_share(s, f, share_weight(&q->share), share_max_len(&q->share));
	f->start = s->now;
	f->era = s->era;
	return 0;
}

static void
qfq_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct qfq *s = dn_sched_own(si);
	struct qfq_flow *f = dn_queue_own(q);

	if (q->head != NULL)
		deactivate(s, f);
	weights_change(s, -(int64_t)f->weight);
}

static bool
qfq_queue_is_idle(struct dn_sched_instance *si, struct dn_queue *q)
{
	const struct qfq *s = dn_sched_own(si);
	const struct qfq_flow *f = dn_queue_own(q);

	return si->packets == 0 || is_ancient(s, f) || !vtime_before(s->now, f->start);
}

static void
qfq_share_changed(struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old)
{
	const struct qfq_flow *f = dn_queue_own(q);
	uint32_t max_len = share_max_len(&q->share);

	(void)old;
	/* What waits may be as long as anything that came. */
	if (q->head != NULL && max_len < f->max_len)
		max_len = f->max_len;
	change_share(dn_sched_own(si), q, share_weight(&q->share), max_len);
}

/* q was empty, and now has its first packet. Apart, so that the others need no registers saved. */
static void __attribute__((noinline)) begin(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct qfq *s = dn_sched_own(si);
	struct qfq_flow *f = dn_queue_own(q);

	/* When nothing waited anywhere, what was paid for is forgotten. */
	if (si->packets == 1)
		s->era += 2;
	if (q->head->len > f->max_len)
		set_share(s, f, f->weight, q->head->len);
	start_flow(s, f);
	activate(s, f);
}

static void
qfq_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	const struct qfq_flow *f = dn_queue_own(q);

	(void)now_ns;
	if (dn_queue_append(si, q, m))
		begin(si, q);
	else if (m->len > f->max_len)
		change_share(dn_sched_own(si), q, f->weight, m->len);
}

/* f, at the head of g's first slot, has been served, and its start has moved on. */
static inline void
served(struct qfq *s, struct group *g, struct qfq_flow *f)
{
	const bool goes_on = queue_of(f)->head != NULL;

	if (goes_on && !vtime_before(g->start + (UINT64_C(1) << g->shift) - 1, f->start))
		return;
	LIST_REMOVE(f, link);
	if (goes_on)
		slot_insert(g, f);
	if (LIST_EMPTY(first_slot(g)))
		first_slot_left(s, g);
}

static struct mbuf *
qfq_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct qfq *s = dn_sched_own(si);
	struct mbuf *m = NULL;

	while (m == NULL && si->packets > 0) {
		struct group *g;
		struct qfq_flow *f;

		if (s->set[ER] == 0)
			somebody_ready(s);
		g = &s->group[__builtin_ctzll(s->set[ER])];
		f = LIST_FIRST(first_slot(g));
		m = dn_queue_pop(si, queue_of(f), now_ns);
		if (m != NULL) {
			f->start += vtime_cost(m->len, f->inverse);
			pass_to(s, s->now + vtime_passed(m->len, s->inverse));
			f->era = s->era;
		}
		served(s, g, f);
	}
	if (s->set[ER] == 0 && si->packets > 0)
		somebody_ready(s);
	return m;
}

static const struct dn_sched_part qfq_part = {
	.name = "QFQ",
	.number = 4,
	.flags = DN_SCHED_FLOWS,
	.instance_size = sizeof(struct qfq),
	.queue_size = sizeof(struct qfq_flow),
	.max_weight = QFQ_MAX_WEIGHT,
	.max_max_len = QFQ_MAX_LEN,
	.default_max_len = QFQ_DEFAULT_LEN,
	.instance_new = qfq_instance_new,
	.queue_new = qfq_queue_new,
	.queue_free = qfq_queue_free,
	.queue_is_idle = qfq_queue_is_idle,
	.share_changed = qfq_share_changed,
	.enqueue = qfq_enqueue,
	.dequeue = qfq_dequeue,
};
DN_SCHED_DEFINE(qfq_part);
