/*
 * fib_block.h - the control side of a compiled table's node: the prefixes that end in it, its kids.
 */
#ifndef WARREN_ROUTE_FIB_BLOCK_H
#define WARREN_ROUTE_FIB_BLOCK_H

#include "route/fib_pop.h"

typedef unsigned __int128 fib_key;

/* Prefixes have numbers in a block: 1 << bits | the bits, 1 to 6 of them. */
enum { FIB_PREFIXES = 2 * FIB_SLOTS };

/* The control side of a node. */
struct fib_block {
	uint64_t prefixes[FIB_PREFIXES / 64]; /* those that are there, by number */
	uint64_t kids;                        /* slots with a kid */
	struct fib_block **kid;               /* in order of their slots */
	uint32_t place;                       /* of the node in the arena, 0: none yet */
	uint16_t above;                       /* the next hop of slots that no prefix here covers */
	uint8_t words;                        /* of the node */
	bool stale;                           /* the node is not what it should be */
	uint8_t room, kid_room;
	uint16_t hop[]; /* of the prefixes in order of their numbers */
};

static inline unsigned
fib_bits_in(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

static inline unsigned
fib_bits_below(uint64_t word, unsigned bit)
{
	return fib_bits_in(word & ((UINT64_C(1) << bit) - 1));
}

/* Where an existing kid's block is. */
static inline struct fib_block **
fib_kid(const struct fib_block *b, unsigned slot)
{
	return &b->kid[fib_bits_below(b->kids, slot)];
}

static inline bool
fib_block_has(const struct fib_block *b, unsigned number)
{
	return b->prefixes[number / 64] >> (number % 64) & 1;
}

static inline bool
fib_block_is_empty(const struct fib_block *b)
{
	return (b->prefixes[0] | b->prefixes[1] | b->kids) == 0;
}

/* The number of a prefix that ends in the block at this depth. */
static inline unsigned
fib_prefix_number(fib_key key, unsigned depth, unsigned plen)
{
	unsigned bits = plen - depth;

	return 1u << bits | fib_slot(key, depth) >> (FIB_STRIDE - bits);
}

/* *bytes counts what blocks have allocated. NULL without memory. Free: without its kids. */
struct fib_block *fib_block_new(uint64_t *bytes);
void fib_block_free(uint64_t *bytes, struct fib_block *b);

/*
 * Put a next hop at a prefix of *link, which may move; *old: the one that it had, 0 = it is new. 0
 * or -ENOMEM (never if it isn't new).
 */
int fib_block_put(
    uint64_t *bytes, struct fib_block **link, unsigned number, uint16_t hop, uint16_t *old);
/* Take the prefix away: the next hop that it had, 0 = it isn't there. */
uint16_t fib_block_take(struct fib_block *b, unsigned number);

/* A place for a new kid, still without a block; NULL without memory. And no more. */
struct fib_block **fib_kid_open(uint64_t *bytes, struct fib_block *b, unsigned slot);
void fib_kid_close(struct fib_block *b, unsigned slot);

/* The next hop of each slot, kids left out; `above` where no prefix of the block is. */
void fib_block_paint(const struct fib_block *b, uint16_t above, uint16_t value[FIB_SLOTS]);

#endif
