/*
 * callout.c - the timing wheel.
 *
 * Time is cut into ticks of 2^20 ns. Eight levels of 64 slots cover all 44 bits of a tick: a
 * callout lies at the level of the highest digit (of 6 bits) in which its tick differs from the
 * wheel's position, in the slot of its own digit there. So everything at one level is earlier than
 * anything at a higher one, the slots of a level are in order, and bitmaps find the first one at
 * once however far away it is. When the position moves, at most one slot is spread over the levels
 * below it.
 *
 * Callouts of the position's own tick lie in `due`, sorted by (when_ns, seq): that is where exact
 * ns come from. In the slots there is no order.
 *
 * The earliest deadline is remembered. Stopping the earliest callout makes it a bound only, the
 * start of the first slot; who needs it exact (callout_next) pays for a look at that slot.
 */
#include "base/callout.h"

#include "base/worker.h"

#include <assert.h>
#include <stdlib.h>

enum {
	TICK_BITS = 20,
	DIGIT_BITS = 6,
	SLOTS = 1 << DIGIT_BITS,
	LEVELS = 8,
};

TAILQ_HEAD(callout_list, callout);

/* What next_ns is worth. */
enum next_state {
	NEXT_EXACT,
	NEXT_BOUND, /* nothing is earlier, but perhaps nothing is then */
	NEXT_LOOSE, /* the same, and the first slot has changed: a better bound can be had */
};

struct callout_wheel {
	uint64_t position; /* tick; no callout in the slots is at it or before it */
	uint64_t next_ns;
	enum next_state next_state;
	uint32_t worker_id;
	uint64_t seq;
	uint32_t levels_used;    /* bit per level: bitmap[level] != 0 */
	uint64_t bitmap[LEVELS]; /* bit per slot: the slot is not empty */
	struct callout_list due;
	struct callout_list slot[LEVELS][SLOTS];
};

void (*callout_enter_vnet)(struct vnet *vnet);
void (*callout_leave_vnet)(struct vnet *vnet);

/* Armed less disarmed by each worker, kept when it leaves. A line each. */
static struct {
	_Alignas(64) int64_t n;
} armed[WORKERS_MAX];

struct callout_wheel *
callout_wheel_new(uint32_t worker_id)
{
	struct callout_wheel *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->worker_id = worker_id;
	w->next_ns = NS_NEVER;
	TAILQ_INIT(&w->due);
	for (int level = 0; level < LEVELS; level++)
		for (int slot = 0; slot < SLOTS; slot++)
			TAILQ_INIT(&w->slot[level][slot]);
	return w;
}

static void
list_disarm(struct callout_wheel *w, struct callout_list *list)
{
	struct callout *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		c->worker = NULL;
		counter_set(&armed[w->worker_id].n, armed[w->worker_id].n - 1);
	}
}

void
callout_wheel_free(struct callout_wheel *w)
{
	if (w == NULL)
		return;
	list_disarm(w, &w->due);
	for (int level = 0; level < LEVELS; level++)
		for (int slot = 0; slot < SLOTS; slot++)
			list_disarm(w, &w->slot[level][slot]);
	free(w);
}

/* Where a tick lies, seen from the position; false if that is `due`. */
static inline bool
wheel_place(const struct callout_wheel *w, uint64_t tick, int *level, int *slot)
{
	if (tick <= w->position)
		return false;
	*level = (63 - __builtin_clzll(tick ^ w->position)) / DIGIT_BITS;
	*slot = (int)((tick >> (*level * DIGIT_BITS)) & (SLOTS - 1));
	return true;
}

static inline bool
is_before(const struct callout *a, const struct callout *b)
{
	return a->when_ns != b->when_ns ? a->when_ns < b->when_ns : a->seq < b->seq;
}

/* New ones are usually the latest: look from the end. */
static void
due_insert(struct callout_wheel *w, struct callout *c)
{
	struct callout *at = TAILQ_LAST(&w->due, callout_list);

	while (at != NULL && is_before(c, at))
		at = TAILQ_PREV(at, callout_list, link);
	if (at == NULL)
		TAILQ_INSERT_HEAD(&w->due, c, link);
	else
		TAILQ_INSERT_AFTER(&w->due, at, c, link);
}

static void
wheel_insert(struct callout_wheel *w, struct callout *c)
{
	int level, slot;

	if (!wheel_place(w, c->when_ns >> TICK_BITS, &level, &slot)) {
		due_insert(w, c);
		return;
	}
	TAILQ_INSERT_TAIL(&w->slot[level][slot], c, link);
	w->bitmap[level] |= UINT64_C(1) << slot;
	w->levels_used |= 1u << level;
}

static void
wheel_remove(struct callout_wheel *w, struct callout *c)
{
	int level, slot;

	if (!wheel_place(w, c->when_ns >> TICK_BITS, &level, &slot)) {
		TAILQ_REMOVE(&w->due, c, link);
		w->next_state = NEXT_LOOSE;
		return;
	}
	TAILQ_REMOVE(&w->slot[level][slot], c, link);
	if (TAILQ_EMPTY(&w->slot[level][slot])) {
		w->bitmap[level] &= ~(UINT64_C(1) << slot);
		if (w->bitmap[level] == 0)
			w->levels_used &= ~(1u << level);
		w->next_state = NEXT_LOOSE;
	} else if (w->next_state == NEXT_EXACT && c->when_ns == w->next_ns) {
		w->next_state = NEXT_BOUND;
	}
}

/* First slot in use, if any. */
static inline bool
wheel_first(const struct callout_wheel *w, int *level, int *slot)
{
	if (w->levels_used == 0)
		return false;
	*level = __builtin_ctz(w->levels_used);
	*slot = __builtin_ctzll(w->bitmap[*level]);
	return true;
}

uint64_t
callout_bound(void)
{
	struct callout_wheel *w = curworker->wheel;
	int level, slot;

	if (__builtin_expect(w->next_state != NEXT_LOOSE, 1))
		return w->next_ns;
	if (!TAILQ_EMPTY(&w->due)) {
		w->next_ns = TAILQ_FIRST(&w->due)->when_ns;
		w->next_state = NEXT_EXACT;
	} else if (!wheel_first(w, &level, &slot)) {
		w->next_ns = NS_NEVER;
		w->next_state = NEXT_EXACT;
	} else {
		int shift = level * DIGIT_BITS;
		uint64_t above = w->position >> shift >> DIGIT_BITS << DIGIT_BITS << shift;

		w->next_ns = (above | (uint64_t)slot << shift) << TICK_BITS;
		w->next_state = NEXT_BOUND;
	}
	return w->next_ns;
}

uint64_t
callout_next(void)
{
	struct callout_wheel *w = curworker->wheel;
	uint64_t next_ns = NS_NEVER;
	struct callout *c;
	int level, slot;

	if (callout_bound(), w->next_state == NEXT_EXACT)
		return w->next_ns;
	if (!TAILQ_EMPTY(&w->due)) {
		next_ns = TAILQ_FIRST(&w->due)->when_ns;
	} else if (wheel_first(w, &level, &slot)) {
		TAILQ_FOREACH(c, &w->slot[level][slot], link)
			next_ns = c->when_ns < next_ns ? c->when_ns : next_ns;
	}
	w->next_ns = next_ns;
	w->next_state = NEXT_EXACT;
	return next_ns;
}

/* Merge the sorted chains a and b, linked by tqe_next; at equal keys a's first. */
static struct callout *
chain_merge(struct callout *a, struct callout *b)
{
	struct callout *first = NULL, **end = &first;

	while (a != NULL && b != NULL) {
		struct callout **from = is_before(b, a) ? &b : &a;

		*end = *from;
		end = &(*from)->link.tqe_next;
		*from = *end;
	}
	*end = a != NULL ? a : b;
	return first;
}

/* Make `list` the (empty) due list, sorted: merge sort, bottom up; run[i] has 2^i callouts. */
static void
due_fill(struct callout_wheel *w, struct callout_list *list)
{
	struct callout *run[40] = {}, *c, *next, *sorted = NULL;
	int i;

	for (c = TAILQ_FIRST(list); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		c->link.tqe_next = NULL;
		for (i = 0; run[i] != NULL; i++) {
			c = chain_merge(run[i], c);
			run[i] = NULL;
		}
		run[i] = c;
	}
	for (i = 0; i < 40; i++)
		sorted = chain_merge(run[i], sorted);
	TAILQ_INIT(list);
	for (c = sorted; c != NULL; c = next) {
		next = c->link.tqe_next;
		TAILQ_INSERT_TAIL(&w->due, c, link);
	}
}

void
callout_advance(uint64_t now_ns)
{
	struct callout_wheel *w = curworker->wheel;
	uint64_t tick = now_ns >> TICK_BITS;
	struct callout_list spread;
	struct callout *c;
	int level, slot;

	/* While something is due the position stays: it must not pass over it. */
	if (tick <= w->position || !TAILQ_EMPTY(&w->due))
		return;
	wheel_place(w, tick, &level, &slot);
	assert((w->levels_used & ((1u << level) - 1)) == 0);
	w->position = tick;
	if (!(w->bitmap[level] & UINT64_C(1) << slot))
		return;

	TAILQ_INIT(&spread);
	TAILQ_CONCAT(&spread, &w->slot[level][slot], link);
	w->bitmap[level] &= ~(UINT64_C(1) << slot);
	if (w->bitmap[level] == 0)
		w->levels_used &= ~(1u << level);
	if (level == 0) {
		due_fill(w, &spread);
		return;
	}
	/* What falls due at once is gathered apart, for it has to be sorted. */
	struct callout_list now = TAILQ_HEAD_INITIALIZER(now);

	while ((c = TAILQ_FIRST(&spread)) != NULL) {
		TAILQ_REMOVE(&spread, c, link);
		if (c->when_ns >> TICK_BITS <= tick)
			TAILQ_INSERT_TAIL(&now, c, link);
		else
			wheel_insert(w, c);
	}
	due_fill(w, &now);
}

bool
callout_run_one(uint64_t now_ns)
{
	struct callout_wheel *w = curworker->wheel;
	struct vnet *vnet;
	struct callout *c;
	uint64_t next_ns;

	if (callout_bound() > now_ns || (next_ns = callout_next()) > now_ns)
		return false;
	callout_advance(next_ns);
	c = TAILQ_FIRST(&w->due);
	assert(c != NULL && c->when_ns == next_ns);
	TAILQ_REMOVE(&w->due, c, link);
	w->next_state = NEXT_LOOSE;
	c->worker = NULL;
	counter_set(&armed[w->worker_id].n, armed[w->worker_id].n - 1);

	/* fn may free c. */
	vnet = c->vnet;
	if (vnet != NULL && callout_enter_vnet != NULL)
		callout_enter_vnet(vnet);
	c->fn(c->arg);
	if (vnet != NULL && callout_leave_vnet != NULL)
		callout_leave_vnet(vnet);
	return true;
}

uint32_t
callout_run(uint64_t now_ns)
{
	uint32_t n = 0;

	while (callout_run_one(now_ns))
		n++;
	callout_advance(now_ns);
	return n;
}

void
callout_init(struct callout *c, struct vnet *vnet, void (*fn)(void *), void *arg)
{
	*c = (struct callout){ .vnet = vnet, .fn = fn, .arg = arg };
}

bool
callout_reset(struct callout *c, uint64_t delay_ns)
{
	struct callout_wheel *w = curworker->wheel;
	uint64_t now_ns = clock_now(), when_ns;
	bool was_armed = callout_stop(c);

	if (delay_ns < CALLOUT_MIN_NS)
		delay_ns = CALLOUT_MIN_NS;
	/* NS_NEVER means "none"; a deadline beyond time is one at its end. */
	if (__builtin_add_overflow(now_ns, delay_ns, &when_ns) || when_ns == NS_NEVER)
		when_ns = NS_NEVER - 1;
	c->when_ns = when_ns;
	c->seq = w->seq++;
	c->worker = curworker;
	wheel_insert(w, c);
	if (when_ns <= w->next_ns) {
		/* Nothing else is before the bound, whatever that was worth. */
		w->next_ns = when_ns;
		w->next_state = NEXT_EXACT;
	}
	counter_set(&armed[w->worker_id].n, armed[w->worker_id].n + 1);
	return was_armed;
}

bool
callout_stop(struct callout *c)
{
	struct callout_wheel *w = curworker->wheel;

	if (c->worker == NULL)
		return false;
	assert(c->worker == curworker);
	wheel_remove(w, c);
	c->worker = NULL;
	counter_set(&armed[w->worker_id].n, armed[w->worker_id].n - 1);
	return true;
}

/* A callout runs on its own worker only, so what is stopped there can't be running. */
bool
callout_drain(struct callout *c)
{
	return callout_stop(c);
}

uint64_t
callout_live(void)
{
	int64_t n = 0;

	for (int id = 0; id < WORKERS_MAX; id++)
		n += counter_get(&armed[id].n);
	return n > 0 ? (uint64_t)n : 0;
}
