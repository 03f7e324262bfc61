/*
 * fib_pop.h - the compiled form of a large table, as packets read it: what IPv4's look-up (fib4_pop.c)
 * and IPv6's (fib6_pop.c) know of it. fib_compile.c says how it works and writes it.
 */
#ifndef WARREN_ROUTE_FIB_POP_H
#define WARREN_ROUTE_FIB_POP_H

#include "base/bytes.h"
#include "route/fib_hop.h"

enum {
	FIB_ROOT_BITS = 18, /* of an address choose its word in the root */
	FIB_STRIDE = 6,     /* and so many its slot in each node below */
	FIB_SLOTS = 1 << FIB_STRIDE,
	/*
	 * A value with this bit is no next hop but says where a node has the place of the next one,
	 * in words of 32 bits from its own beginning.
	 */
	FIB_KID = 0x8000,
};
_Static_assert((int)FIB_HOPS == (int)FIB_KID, "a next hop's number or a kid fit in 16 bits");

/*
 * IPv6: nodes are found without the way from the root by a hash for each of these depths, at which
 * nearly all prefixes end. An entry is the first bits of an address and the place of the node that
 * has the next 6; of up to 42 bits, which leaves room for a place.
 */
enum { FIB_JUMPS = 3, FIB_JUMP_MOST = 42, FIB_PLACE_BITS = 64 - FIB_JUMP_MOST };

struct fib_jump {
	/* Each in one of two places that are side by side; 0 = empty. Not all nodes need be here. */
	uint64_t *entry;
	uint8_t shift; /* 64 - log2 of the entries */
};

/* The longest first: 42, 36, 30 bits. */
static inline __attribute__((always_inline)) unsigned
fib_jump_depth(unsigned jump)
{
	return FIB_JUMP_MOST - FIB_STRIDE * jump;
}

/*
 * A word of the root is the place of a node; IPv6: or, with this bit, the number of a next hop.
 * IPv4's look-up is quicker if there is always a node, so it has one for each next hop of the root
 * (bench fib: in the prefixes 7.4 -> 5.5 ns).
 */
#define FIB_ANSWER UINT32_C(0x80000000)

/* 2^24 answers by the first 24 bits: a next hop's number, or FIB_KID: look in the compact form. */
struct fib_direct {
	struct rcu_head rcu;
	uint16_t value[1 << 24] __attribute__((aligned(64)));
};

/* One block of memory, replaced as a whole when its arena is full. */
struct fib_pop {
	struct rcu_head rcu;
	uint32_t used, room;             /* of the arena, in its words */
	struct fib_direct *direct;       /* IPv4, net.route.fib_direct; NULL = none */
	struct fib_jump jump[FIB_JUMPS]; /* IPv6 */
	/* By number; 0 is the default route's, NULL where there is none. */
	struct nexthop *hop[FIB_HOPS] __attribute__((aligned(64)));
	uint32_t root[1 << FIB_ROOT_BITS];
	/*
	 * Nodes: a word of bits, one where a run of equal values begins; the runs' values, 16 bits
	 * each; the kids' places, 32 bits each. Place 0: an empty one, whose answer is number 0.
	 */
	uint64_t arena[] __attribute__((aligned(64)));
};

/* The value that a node has for a slot. */
static inline __attribute__((always_inline)) uint16_t
fib_node_value(const uint64_t *node, unsigned slot)
{
	unsigned run = (unsigned)__builtin_popcountll(node[0] << (63 - slot));

	return ((const uint16_t *)(const void *)node)[3 + run];
}

/* Where the node is that a value with FIB_KID leads to. Written while packets read. */
static inline __attribute__((always_inline)) const uint64_t *
fib_node_kid(const struct fib_pop *p, const uint64_t *node, unsigned value)
{
	const uint32_t *words = (const uint32_t *)(const void *)node;

	return p->arena + __atomic_load_n(&words[value & (FIB_KID - 1)], __ATOMIC_CONSUME);
}

/* The slot of a key in a node whose first `depth` bits are fixed. */
static inline __attribute__((always_inline)) unsigned
fib_slot(unsigned __int128 key, unsigned depth)
{
	return (unsigned)(key << depth >> (128 - FIB_STRIDE));
}

static inline struct nexthop *
fib_pop_hop(const struct fib_pop *p, unsigned value)
{
	return rcu_deref(&p->hop[value]);
}

/* The key of an address, of which the first 64 bits are high. */
static inline __attribute__((always_inline)) uint64_t
fib_jump_key(uint64_t high, unsigned jump)
{
	return high >> (64 - fib_jump_depth(jump));
}

/* Where the entry of a key is, if not beside it (at ^ 1). Fibonacci hashing (Knuth 6.4). */
static inline __attribute__((always_inline)) uint32_t
fib_jump_at(uint64_t key, unsigned shift)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> shift);
}

/* The place that an entry has for a key; 0: it is not the key's. */
static inline __attribute__((always_inline)) uint32_t
fib_jump_place(uint64_t entry, uint64_t key)
{
	uint32_t place = (uint32_t)entry & ((1u << FIB_PLACE_BITS) - 1);

	return entry >> FIB_PLACE_BITS == key ? place : 0;
}

static inline const struct fib_pop *
fib_pop_of(uintptr_t table)
{
	return (const struct fib_pop *)(table & ~(uintptr_t)1);
}

static inline unsigned __int128
fib4_key(uint32_t host)
{
	return (unsigned __int128)host << 96;
}

static inline unsigned __int128
fib6_key(const struct in6 *a)
{
	return (unsigned __int128)__builtin_bswap64(load64(a->b)) << 64 |
	    __builtin_bswap64(load64(a->b + 8));
}

/* One look-up, all the way: key is an address, left-aligned. A next hop's number. */
static inline __attribute__((always_inline)) uint16_t
fib_pop_find(const struct fib_pop *p, unsigned __int128 key)
{
	uint32_t word = __atomic_load_n(&p->root[key >> (128 - FIB_ROOT_BITS)], __ATOMIC_CONSUME);
	const uint64_t *node = p->arena + word;
	uint16_t value;

	if (word & FIB_ANSWER)
		return (uint16_t)word;
	for (unsigned depth = FIB_ROOT_BITS;; depth += FIB_STRIDE) {
		value = fib_node_value(node, fib_slot(key, depth));
		if (!(value & FIB_KID))
			return value;
		node = fib_node_kid(p, node, value);
	}
}

/* n of them (fib4_pop.c, fib6_pop.c). True if all have one answer. */
bool fib4_pop_batch(const struct fib_pop *p, const uint32_t *dst, struct nexthop **nh, unsigned n);
bool fib6_pop_batch(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n);

#endif
