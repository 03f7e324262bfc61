/*
 * fib_hop.c - next hops by number.
 *
 * A number is given back with its last reference, but not given out again before the block of
 * memory that packets read (fib_pop.h) has been replaced: a packet that has just read the number
 * there looks up the next hop behind it a moment later.
 */
#include "route/fib_hop.h"

static uint32_t
bucket_of(const struct nexthop *nh)
{
	/* Fibonacci hashing (Knuth 6.4); next hops are 64 bytes apart */
	return (uint32_t)(((uintptr_t)nh >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}
_Static_assert((int)FIB_HOP_HASH == 1 << 16, "bucket_of: 16 bits");

/* The bucket that has nh, or the empty one that is nh's. */
static uint32_t
bucket_find(const struct fib_hops *h, const struct nexthop *nh)
{
	uint32_t b = bucket_of(nh);

	while (h->bucket[b] != 0 && h->hop[h->bucket[b]] != nh)
		b = (b + 1) % FIB_HOP_HASH;
	return b;
}

static uint16_t
number_new(struct fib_hops *h)
{
	if (h->nspare > 0) {
		uint16_t number = h->spare[--h->nspare];

		/* those that wait lie behind the spare ones: close the gap with the last of them */
		h->spare[h->nspare] = h->spare[h->nspare + h->nwaiting];
		return number;
	}
	if (h->used == 0)
		h->used = 1;
	return h->used < FIB_HOPS ? (uint16_t)h->used++ : 0;
}

uint16_t
fib_hop_get(struct fib_hops *h, struct nexthop *nh)
{
	uint32_t b = bucket_find(h, nh);
	uint16_t number = h->bucket[b];

	if (number == 0) {
		if ((number = number_new(h)) == 0)
			return 0;
		h->hop[number] = nh;
		h->bucket[b] = number;
	}
	h->refs[number]++;
	return number;
}

/* Empty a bucket; those behind it that were pushed on come back (Knuth 6.4, algorithm R). */
static void
bucket_empty(struct fib_hops *h, uint32_t b)
{
	uint32_t hole = b, home;

	for (;;) {
		b = (b + 1) % FIB_HOP_HASH;
		if (h->bucket[b] == 0)
			break;
		home = bucket_of(h->hop[h->bucket[b]]);
		if ((b - home) % FIB_HOP_HASH < (b - hole) % FIB_HOP_HASH)
			continue;
		h->bucket[hole] = h->bucket[b];
		hole = b;
	}
	h->bucket[hole] = 0;
}

void
fib_hop_put(struct fib_hops *h, uint16_t number)
{
	if (number == 0 || --h->refs[number] > 0)
		return;
	bucket_empty(h, bucket_find(h, h->hop[number]));
	h->hop[number] = NULL;
	h->spare[h->nspare + h->nwaiting++] = number;
}

void
fib_hop_new_block(struct fib_hops *h)
{
	h->nspare += h->nwaiting;
	h->nwaiting = 0;
}
