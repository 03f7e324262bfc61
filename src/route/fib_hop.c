/*
 * fib_hop.c - next hops by number.
 *
 * Each route has a next hop of its own, but of the 900,000 routes of a full table most lead one of a
 * few hundred ways. Packets get one next hop for all routes of one way (interface, gateway, source
 * address, flags, mtu), a copy that lives while a route goes there: so the next hops stay in the
 * cache, neighbouring prefixes become one run, and a neighbour is looked for once. It counts the
 * packets of them all; a route of a compiled table has no count of its own. Groups are not shared,
 * and keep counting for each path.
 *
 * A number is given back with its last reference, but not given out again before the packets of
 * that moment are gone (fib_arena.c): one that has just read the number looks up the next hop behind
 * it a moment later.
 */
#include "route/fib_hop.h"

#include <string.h>

/* Fibonacci hashing (Knuth 6.4). */
static uint32_t
hash16(uint64_t word)
{
	return (uint32_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}
_Static_assert((int)FIB_HOP_HASH == 1 << 16, "hash16: as many bits");

static uint32_t
bucket_of(const struct nexthop *nh)
{
	if (nh->rt == NULL)
		return hash16((uintptr_t)nh >> 6);
	/* `path` is made of interface and gateway */
	return hash16((uint64_t)nh->path << 32 | (nh->flags ^ nh->mtu << 16));
}

/* Is `of`, which is in the table, what packets of nh may get? */
static bool
same_way(const struct nexthop *of, const struct nexthop *nh)
{
	const struct rt_addr *x, *y;

	if (of == nh)
		return true;
	if (nh->rt == NULL || !fib_hop_is_shared(of))
		return false;
	x = &of->rt->gateway;
	y = &nh->rt->gateway;
	return of->ifp == nh->ifp && of->ifa == nh->ifa && of->flags == nh->flags &&
	    of->mtu == nh->mtu && x->family == y->family &&
	    memcmp(x->addr, y->addr, sizeof(x->addr)) == 0;
}

/* The bucket that has nh's way, or the empty one that is its own. */
static uint32_t
bucket_find(const struct fib_hops *h, const struct nexthop *nh)
{
	uint32_t b = bucket_of(nh);

	while (h->bucket[b] != 0 && !same_way(h->hop[h->bucket[b]], nh))
		b = (b + 1) % FIB_HOP_HASH;
	return b;
}

/*
 * What packets of a route get: a copy for all that lead its way. Without memory for one, and of what
 * is no route's: the next hop itself.
 */
static struct nexthop *
share(struct nexthop *nh)
{
	struct rtentry *copy = nh->rt == NULL ? NULL : rib_entry_share(nh->rt);

	return copy == NULL ? nh : &copy->nh;
}

static uint16_t
number_new(struct fib_hops *h)
{
	if (h->nspare > 0)
		return h->spare[--h->nspare];
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
		h->hop[number] = share(nh);
		h->bucket[b] = number;
		h->live++;
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

bool
fib_hop_put(struct fib_hops *h, uint16_t number)
{
	if (number == 0 || --h->refs[number] > 0)
		return false;
	bucket_empty(h, bucket_find(h, h->hop[number]));
	if (fib_hop_is_shared(h->hop[number]))
		rib_entry_retire(h->hop[number]->rt);
	h->hop[number] = NULL;
	h->live--;
	return true;
}

void
fib_hop_free(struct fib_hops *h, uint16_t number)
{
	h->spare[h->nspare++] = number;
}

void
fib_hop_new_block(struct fib_hops *h)
{
	h->nspare = 0;
	for (uint32_t number = 1; number < h->used; number++)
		if (h->hop[number] == NULL)
			fib_hop_free(h, (uint16_t)number);
}
