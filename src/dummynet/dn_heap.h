/*
 * dn_heap.h - numbers (slots) in the order of a virtual time: four-ary heaps of (key, slot) pairs.
 *
 * Keys stand in the heap itself and four children fill a cache line, so that a step down reads one
 * line and touches no flow. Where a slot stands is written to place[], which the heaps of an
 * instance share (a slot is in one of them at most), so that any slot can be taken out.
 *
 * What is taken from the top leaves a hole, which the next one that comes fills: one way down
 * instead of one to fill the hole and one up to come in. A scheduler mostly does both in turn.
 *
 * Choosing the least of four children without branches: 110 -> 95 ns for a packet of WF2Q+ with
 * 1,000 busy flows (bench_sched, on a loaded machine).
 */
#ifndef WARREN_DUMMYNET_DN_HEAP_H
#define WARREN_DUMMYNET_DN_HEAP_H

#include "dummynet/dn_vtime.h"

struct dn_heap_entry {
	uint64_t key;
	uint32_t slot;
};

struct dn_heap {
	struct dn_heap_entry *
	    entry; /* the caller's: room for all slots and DN_HEAP_WAYS more; entry[1] starts a line */
	uint32_t n; /* with the hole */
	bool hole;  /* entry[0] is gone */
};

enum { DN_HEAP_WAYS = 4 };

static inline bool
dn_heap_is_empty(const struct dn_heap *h)
{
	return h->n == h->hole;
}

static inline void
dn_heap_put(struct dn_heap *h, uint32_t *place, uint32_t i, struct dn_heap_entry e)
{
	h->entry[i].key = e.key;
	h->entry[i].slot = e.slot;
	place[e.slot] = i;
}

/* a, or b if it is said so: without a branch, which would be guessed wrong as often as not. */
static inline uint64_t
dn_heap_select(bool second, uint64_t a, uint64_t b)
{
	return a ^ ((a ^ b) & -(uint64_t)second);
}

/* The least of the four children that start at e[0]: which, and its key. */
static inline uint32_t
dn_heap_least_of_four(const struct dn_heap_entry *e, uint64_t *key)
{
	const bool odd1 = vtime_before(e[1].key, e[0].key);
	const bool odd2 = vtime_before(e[3].key, e[2].key);
	const uint64_t key1 = dn_heap_select(odd1, e[0].key, e[1].key);
	const uint64_t key2 = dn_heap_select(odd2, e[2].key, e[3].key);
	const bool second = vtime_before(key2, key1);

	*key = dn_heap_select(second, key1, key2);
	return (uint32_t)dn_heap_select(second, odd1, 2u + odd2);
}

/*
 * Behind the last entry stand keys that are after all others, so that everybody who has a child has
 * four.
 */
static inline void
dn_heap_pad(struct dn_heap *h)
{
	const uint64_t after_all = h->entry[h->n - 1].key + (UINT64_C(1) << 62);

	for (uint32_t i = 0; i < DN_HEAP_WAYS - 1; i++)
		h->entry[h->n + i].key = after_all;
}

/* e goes to place i or, past what is less, below it. */
static inline void
dn_heap_sink(struct dn_heap *h, uint32_t *place, uint32_t i, struct dn_heap_entry e)
{
	struct dn_heap_entry *const entry = h->entry;
	const uint32_t n = h->n;
	uint32_t first, child;
	uint64_t key;

	dn_heap_pad(h);
	for (; (first = i * DN_HEAP_WAYS + 1) < n; i = child) {
		child = first + dn_heap_least_of_four(&entry[first], &key);
		if (!vtime_before(key, e.key))
			break;
		entry[i].key = key;
		entry[i].slot = entry[child].slot;
		place[entry[i].slot] = i;
	}
	dn_heap_put(h, place, i, e);
}

/* e goes to place i or, past what is more, above it. */
static inline void
dn_heap_rise(struct dn_heap *h, uint32_t *place, uint32_t i, struct dn_heap_entry e)
{
	while (i > 0) {
		const uint32_t parent = (i - 1) / DN_HEAP_WAYS;

		if (!vtime_before(e.key, h->entry[parent].key))
			break;
		dn_heap_put(h, place, i, h->entry[parent]);
		i = parent;
	}
	dn_heap_put(h, place, i, e);
}

static inline void
dn_heap_push(struct dn_heap *h, uint32_t *place, uint64_t key, uint32_t slot)
{
	const struct dn_heap_entry e = { key, slot };

	if (h->hole) {
		h->hole = false;
		dn_heap_sink(h, place, 0, e);
	} else {
		dn_heap_rise(h, place, h->n++, e);
	}
}

/* Fill the hole with the last one. */
static inline void
dn_heap_settle(struct dn_heap *h, uint32_t *place)
{
	if (!h->hole)
		return;
	h->hole = false;
	if (--h->n > 0)
		dn_heap_sink(h, place, 0, h->entry[h->n]);
}

/* The least key; not empty. */
static inline uint64_t
dn_heap_least(struct dn_heap *h)
{
	uint64_t key = h->entry[0].key;

	if (h->hole) {
		dn_heap_pad(h);
		dn_heap_least_of_four(&h->entry[1], &key);
	}
	return key;
}

/* Take the least off; not empty. */
static inline uint32_t
dn_heap_pop(struct dn_heap *h, uint32_t *place)
{
	dn_heap_settle(h, place);
	h->hole = true;
	return h->entry[0].slot;
}

static inline bool
dn_heap_has(const struct dn_heap *h, const uint32_t *place, uint32_t slot)
{
	const uint32_t i = place[slot];

	return i < h->n && h->entry[i].slot == slot && !(h->hole && i == 0);
}

/* Take this one out, which is in. */
static inline void
dn_heap_remove(struct dn_heap *h, uint32_t *place, uint32_t slot)
{
	struct dn_heap_entry last;
	uint32_t i;

	dn_heap_settle(h, place);
	i = place[slot];
	last = h->entry[--h->n];
	if (i == h->n)
		return;
	if (i > 0 && vtime_before(last.key, h->entry[(i - 1) / DN_HEAP_WAYS].key))
		dn_heap_rise(h, place, i, last);
	else
		dn_heap_sink(h, place, i, last);
}

#endif
