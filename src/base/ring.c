/*
 * ring.c - a bounded queue of pointers.
 *
 * An empty slot is NULL. A producer takes a ticket (head), then stores into its slot; the consumer
 * takes what its own slot (tail) holds, empties it and moves on. So a producer that has a ticket
 * but not yet stored holds up the consumer, never another producer. The capacity is kept by
 * tickets, not by slots, so any number will do.
 *
 * C11 atomics, not ck_ring: that one is inline assembly, in which ThreadSanitizer sees no order,
 * and holds powers of two less one.
 */
#include "base/ring.h"

#include <stdatomic.h>
#include <stdlib.h>

struct ring {
	uint32_t capacity;
	uint32_t mask;
	enum ring_kind kind;
	_Alignas(64) _Atomic uint64_t head; /* tickets given; producers */
	uint64_t tail_seen;                 /* RING_SP: the producer's last look at tail */
	_Atomic uint64_t refused;
	_Alignas(64) _Atomic uint64_t tail; /* slots emptied; consumer */
	_Alignas(64) _Atomic(void *) slot[];
};

struct ring *
ring_new(enum ring_kind kind, uint32_t capacity)
{
	uint64_t slots = 1;
	struct ring *r;
	size_t bytes;

	if (capacity == 0 || capacity > UINT32_C(1) << 31)
		return NULL;
	while (slots < capacity)
		slots *= 2;
	bytes = (sizeof(*r) + slots * sizeof(r->slot[0]) + 63) & ~(size_t)63;
	r = aligned_alloc(64, bytes);
	if (r == NULL)
		return NULL;
	r->capacity = capacity;
	r->mask = (uint32_t)(slots - 1);
	r->kind = kind;
	r->tail_seen = 0;
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	atomic_init(&r->refused, 0);
	for (uint64_t i = 0; i < slots; i++)
		atomic_init(&r->slot[i], NULL);
	return r;
}

void
ring_free(struct ring *r)
{
	free(r);
}

static bool
ring_refuse(struct ring *r)
{
	atomic_fetch_add_explicit(&r->refused, 1, memory_order_relaxed);
	return false;
}

bool
ring_put(struct ring *r, void *p)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (r->kind == RING_SP) {
		if (head - r->tail_seen >= r->capacity) {
			r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
			if (head - r->tail_seen >= r->capacity)
				return ring_refuse(r);
		}
		atomic_store_explicit(&r->head, head + 1, memory_order_relaxed);
	} else {
		do {
			uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

			/*
			 * Signed: tail may be past a head that is out of date; then the exchange
			 * fails.
			 */
			if ((int64_t)(head - tail) >= (int64_t)r->capacity)
				return ring_refuse(r);
		} while (!atomic_compare_exchange_weak_explicit(
		    &r->head, &head, head + 1, memory_order_relaxed, memory_order_relaxed));
	}
	atomic_store_explicit(&r->slot[head & r->mask], p, memory_order_release);
	return true;
}

uint32_t
ring_get_many(struct ring *r, void **out, uint32_t n)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t got = 0;

	while (got < n) {
		_Atomic(void *) *slot = &r->slot[(tail + got) & r->mask];
		void *p = atomic_load_explicit(slot, memory_order_acquire);

		if (p == NULL)
			break;
		atomic_store_explicit(slot, NULL, memory_order_relaxed);
		out[got++] = p;
	}
	if (got > 0)
		atomic_store_explicit(&r->tail, tail + got, memory_order_release);
	return got;
}

void *
ring_get(struct ring *r)
{
	void *p;

	return ring_get_many(r, &p, 1) == 1 ? p : NULL;
}

void *
ring_peek(struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	return atomic_load_explicit(&r->slot[tail & r->mask], memory_order_acquire);
}

uint32_t
ring_len(const struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	uint64_t len = atomic_load_explicit(&r->head, memory_order_acquire) - tail;

	return len > r->capacity ? r->capacity : (uint32_t)len;
}

uint32_t
ring_capacity(const struct ring *r)
{
	return r->capacity;
}

uint64_t
ring_refused(const struct ring *r)
{
	return atomic_load_explicit(&r->refused, memory_order_relaxed);
}
