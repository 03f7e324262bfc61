/*
 * sched_wf2q.c - WF2Q+: worst-case fair weighted fair queueing (Bennett and Zhang, "Hierarchical
 * packet fair queueing algorithms", 1996/97).
 *
 * The packet at the head of each queue has a start S and a finish F = S + len / weight in virtual
 * time (dn_vtime.h). Among those whose start has come, S <= V (they are eligible), the one with the
 * smallest finish leaves. A queue that goes on starts where its last packet finished; one that
 * begins starts there or now, whichever is later. V passes by len / W with each packet, W being the
 * sum of the weights of all who have a claim on the link, and never stays behind the smallest start
 * of those that wait.
 *
 * Two heaps: the eligible ones by finish; and by start all whose start is still to come. In the
 * latter stands also a queue that has run empty before the time that its packets had paid for: it
 * counts in W until then, and whether it begins again earlier or is forgotten, its key is the same.
 * When nothing at all waits, everybody is forgotten.
 *
 * A start is taken when a packet leaves: the part knows no rate, so a queue that begins while a
 * packet is on the link starts with the next one.
 *
 * Guarantees, over all flows that exist: in no time in which a flow waits does it get less than its
 * share w / W of what the link sends by more than Lmax_i + (Lmax - Lmax_i) w / W; each packet has
 * left by the time at which a link of its own with that share would have sent it, plus Lmax / R.
 */
#include "dummynet/dn_heap.h"
#include "dummynet/dn_sched.h"

#include <errno.h>
#include <string.h>

enum {
	WF2Q_MAX_WEIGHT = 100,
	FIRST_SLOTS = 16,
	LINE = 64,
};

struct wf2q_flow {
	uint64_t start;   /* of the packet at the head; without one, finish of the last */
	uint64_t inverse; /* of its weight */
	uint32_t weight;
	uint32_t slot;
	bool claims; /* counts in W, and is in one of the heaps */
};

/*
 * What is asked of a flow when its start comes: its own memory stays out of the cache until it is
 * served.
 */
struct wf2q_slot {
	uint64_t finish; /* of the packet at the head; without one, its start */
	struct wf2q_flow *flow;
};

struct wf2q {
	uint64_t now;     /* V */
	uint64_t inverse; /* of weights; 0: not computed since they changed */
	uint64_t weights; /* W: of those who have a claim */
	struct dn_heap eligible, waiting;
	struct wf2q_slot *slot;
	uint32_t *place; /* by slot: where in a heap; of a free slot, the next free one */
	uint32_t slots, free_slot;
	void *entries; /* of both heaps */
};

static inline struct dn_queue *
queue_of(struct wf2q_flow *f)
{
	return (struct dn_queue *)(void *)f - 1;
}

/* --- slots ------------------------------------------------------------------------------------ */

/* Both heaps' entries in one piece, each such that entry[1] begins a line. */
static struct dn_heap_entry *
heap_room(void *entries, uint32_t slots, int which)
{
	const size_t room = (slots + 2 * DN_HEAP_WAYS) * sizeof(struct dn_heap_entry);
	const uintptr_t first = ((uintptr_t)entries + LINE - 1) & ~(uintptr_t)(LINE - 1);

	return (struct dn_heap_entry *)(first + (uintptr_t)which * room) + DN_HEAP_WAYS - 1;
}

static void
heap_move(struct dn_heap *h, struct dn_heap_entry *room)
{
	if (h->n > 0)
		memcpy(room, h->entry, h->n * sizeof(*room));
	h->entry = room;
}

static void
free_slots(struct wf2q *w)
{
	dn_free(w->slot);
	dn_free(w->place);
	dn_free(w->entries);
}

/* Twice as many slots. */
static int
more_slots(struct wf2q *w)
{
	const uint32_t slots = w->slots != 0 ? w->slots * 2 : FIRST_SLOTS;
	struct wf2q more = {
		.slot = dn_alloc(slots * sizeof(struct wf2q_slot)),
		.place = dn_alloc(slots * sizeof(uint32_t)),
		.entries = dn_alloc(
		    2 * (slots + DN_HEAP_WAYS) * sizeof(struct dn_heap_entry) + LINE),
	};

	if (more.slot == NULL || more.place == NULL || more.entries == NULL) {
		free_slots(&more);
		return -ENOMEM;
	}
	if (w->slots > 0) {
		memcpy(more.slot, w->slot, w->slots * sizeof(*w->slot));
		memcpy(more.place, w->place, w->slots * sizeof(*w->place));
	}
	for (uint32_t i = w->slots; i < slots; i++)
		more.place[i] = i + 1;
	heap_move(&w->eligible, heap_room(more.entries, slots, 0));
	heap_move(&w->waiting, heap_room(more.entries, slots, 1));
	free_slots(w);
	w->slot = more.slot;
	w->place = more.place;
	w->entries = more.entries;
	w->free_slot = w->slots;
	w->slots = slots;
	return 0;
}

/* --- who has a claim -------------------------------------------------------------------------- */

static void
weights_change(struct wf2q *w, int64_t by)
{
	w->weights += (uint64_t)by;
	w->inverse = 0;
}

static void
forget(struct wf2q *w, struct wf2q_flow *f)
{
	f->claims = false;
	weights_change(w, -(int64_t)f->weight);
}

/* The finish of f's head is another one; without packets it is its start. */
static inline void
set_finish(struct wf2q *w, struct wf2q_flow *f)
{
	const struct mbuf *m = queue_of(f)->head;

	w->slot[f->slot].finish = m != NULL ? f->start + vtime_cost(m->len, f->inverse) : f->start;
}

/* A flow, in no heap now, whose start has come: to be served, or without packets and forgotten. */
static inline void
begin(struct wf2q *w, uint32_t slot, uint64_t start)
{
	const struct wf2q_slot *s = &w->slot[slot];

	if (s->finish != start)
		dn_heap_push(&w->eligible, w->place, s->finish, slot);
	else
		forget(w, s->flow);
}

/* f, in no heap now, goes where it belongs. */
static inline void
settle(struct wf2q *w, struct wf2q_flow *f)
{
	set_finish(w, f);
	if (vtime_before(w->now, f->start))
		dn_heap_push(&w->waiting, w->place, f->start, f->slot);
	else
		begin(w, f->slot, f->start);
}

/* Those whose start has come. */
static inline void
release(struct wf2q *w)
{
	while (!dn_heap_is_empty(&w->waiting)) {
		const uint64_t start = dn_heap_least(&w->waiting);

		if (vtime_before(w->now, start))
			return;
		begin(w, dn_heap_pop(&w->waiting, w->place), start);
	}
}

/*
 * If nobody is eligible, time goes on to where somebody is. Who has run empty and comes before has
 * no claim any more by then; so when nothing waits at all, nobody has.
 */
static inline void
skip_to_start(struct wf2q *w)
{
	while (dn_heap_is_empty(&w->eligible) && !dn_heap_is_empty(&w->waiting)) {
		w->now = dn_heap_least(&w->waiting);
		release(w);
	}
}

static inline void
pass_time(struct wf2q *w, uint32_t len)
{
	if (w->inverse == 0)
		w->inverse = vtime_inverse(w->weights);
	w->now += vtime_passed(len, w->inverse);
	release(w);
}

static void
leave_heap(struct wf2q *w, struct wf2q_flow *f)
{
	if (dn_heap_has(&w->eligible, w->place, f->slot))
		dn_heap_remove(&w->eligible, w->place, f->slot);
	else
		dn_heap_remove(&w->waiting, w->place, f->slot);
}

/* --- the part --------------------------------------------------------------------------------- */

static void
set_weight(struct wf2q_flow *f, const struct dn_share *share)
{
	f->weight = share->weight != 0 ? share->weight : 1;
	f->inverse = vtime_inverse(f->weight);
}

static void
wf2q_instance_free(struct dn_sched_instance *si)
{
	free_slots(dn_sched_own(si));
}

static int
wf2q_queue_new(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct wf2q *w = dn_sched_own(si);
	struct wf2q_flow *f = dn_queue_own(q);

	if (w->free_slot == w->slots && more_slots(w) != 0)
		return -ENOMEM;
	f->slot = w->free_slot;
	w->free_slot = w->place[f->slot];
	w->slot[f->slot].flow = f;
	set_weight(f, &q->share);
	return 0;
}

static void
wf2q_queue_free(struct dn_sched_instance *si, struct dn_queue *q)
{
	struct wf2q *w = dn_sched_own(si);
	struct wf2q_flow *f = dn_queue_own(q);

	if (f->claims) {
		leave_heap(w, f);
		forget(w, f);
		skip_to_start(w);
	}
	w->place[f->slot] = w->free_slot;
	w->free_slot = f->slot;
}

static bool
wf2q_queue_is_idle(struct dn_sched_instance *si, struct dn_queue *q)
{
	const struct wf2q_flow *f = dn_queue_own(q);

	(void)si;
	return !f->claims;
}

static void
wf2q_share_changed(struct dn_sched_instance *si, struct dn_queue *q, const struct dn_share *old)
{
	struct wf2q *w = dn_sched_own(si);
	struct wf2q_flow *f = dn_queue_own(q);
	const uint32_t weight = f->weight;

	(void)old;
	set_weight(f, &q->share);
	if (!f->claims)
		return;
	weights_change(w, (int64_t)f->weight - (int64_t)weight);
	leave_heap(w, f);
	settle(w, f);
}

static void
wf2q_enqueue(struct dn_sched_instance *si, struct dn_queue *q, struct mbuf *m, uint64_t now_ns)
{
	struct wf2q *w = dn_sched_own(si);
	struct wf2q_flow *f = dn_queue_own(q);

	(void)now_ns;
	if (!dn_queue_append(si, q, m))
		return;
	if (f->claims) {
		/* It begins again before its last packet is paid off: when that is, as before. */
		set_finish(w, f);
		return;
	}
	f->claims = true;
	f->start = w->now;
	weights_change(w, f->weight);
	settle(w, f);
}

static struct mbuf *
wf2q_dequeue(struct dn_sched_instance *si, uint64_t now_ns)
{
	struct wf2q *w = dn_sched_own(si);
	struct wf2q_flow *f;
	struct mbuf *m;

	do {
		skip_to_start(w);
		if (dn_heap_is_empty(&w->eligible))
			return NULL;
		f = w->slot[dn_heap_pop(&w->eligible, w->place)].flow;
		m = dn_queue_pop(si, queue_of(f), now_ns);
		if (m != NULL) {
			f->start += vtime_cost(m->len, f->inverse);
			pass_time(w, m->len);
		}
		settle(w, f);
	} while (m == NULL);
	skip_to_start(w);
	return m;
}

static const struct dn_sched_part wf2q_part = {
	.name = "WF2Q+",
	.number = 2,
	.flags = DN_SCHED_FLOWS,
	.instance_size = sizeof(struct wf2q),
	.queue_size = sizeof(struct wf2q_flow),
	.max_weight = WF2Q_MAX_WEIGHT,
	.instance_free = wf2q_instance_free,
	.queue_new = wf2q_queue_new,
	.queue_free = wf2q_queue_free,
	.queue_is_idle = wf2q_queue_is_idle,
	.share_changed = wf2q_share_changed,
	.enqueue = wf2q_enqueue,
	.dequeue = wf2q_dequeue,
};
DN_SCHED_DEFINE(wf2q_part);
