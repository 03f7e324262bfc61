/*
 * dn_heap.h - numbers (slots) in the order of a virtual time: four-ary heaps of (key, slot) pairs.
 *
 * Keys stand in the heap itself and four children fill a cache line, so that a step down reads one
 * line and touches no flow. Where a slot stands is written to place[], which the heaps of an
 * instance share (a slot is in one of them at most), so that any slot can be taken out.
 *
 * What is taken from the top leaves a hole, which the next one that comes fills: one way down
 * instead of one to fill the hole and one up to come in. A scheduler mostly does both in turn.
 */
#ifndef WARREN_DUMMYNET_DN_HEAP_H
#define WARREN_DUMMYNET_DN_HEAP_H

#include "dummynet/dn_vtime.h"

struct dn_heap_entry {
	uint64_t key;
	uint32_t slot;
};

struct dn_heap {
	struct dn_heap_entry *entry; /* the caller's: room for all slots; entry[1] starts a line */
	uint32_t n;                  /* with the hole */
	bool hole;                   /* entry[0] is gone */
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
	h->entry[i] = e;
	place[e.slot] = i;
}

/* The least of the children of i, which has some. Without branches where it has all four. */
static inline uint32_t
dn_heap_least_child(const struct dn_heap *h, uint32_t i)
{
	const struct dn_heap_entry *e = h->entry;
	const uint32_t first = i * DN_HEAP_WAYS + 1;
	uint32_t a, b;

	if (first + DN_HEAP_WAYS <= h->n) {
		a = first + vtime_before(e[first + 1].key, e[first].key);
		b = first + 2 + vtime_before(e[first + 3].key, e[first + 2].key);
		return vtime_before(e[b].key, e[a].key) ? b : a;
	}
	for (a = first, b = first + 1; b < h->n; b++)
		if (vtime_before(e[b].key, e[a].key))
			a = b;
	return a;
}

/* e goes to place i or, past what is less, below it. */
static inline void
dn_heap_sink(struct dn_heap *h, uint32_t *place, uint32_t i, struct dn_heap_entry e)
{
	while (i * DN_HEAP_WAYS + 1 < h->n) {
		const uint32_t child = dn_heap_least_child(h, i);

		if (!vtime_before(h->entry[child].key, e.key))
			break;
		dn_heap_put(h, place, i, h->entry[child]);
		i = child;
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
dn_heap_least(const struct dn_heap *h)
{
	return h->entry[h->hole ? dn_heap_least_child(h, 0) : 0].key;
}

/* Take the least off; not empty. */
static inline uint32_t
dn_heap_pop(struct dn_heap *h, uint32_t *place)
{
	dn_heap_settle(h, place);
	h->hole = true;
	return h->entry[0].slot;
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
