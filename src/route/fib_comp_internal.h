/*
 * fib_comp_internal.h - the control side of a compiled table, between its changes (fib_comp.c) and
 * the writing of what packets read (fib_compile.c).
 */
#ifndef WARREN_ROUTE_FIB_COMP_INTERNAL_H
#define WARREN_ROUTE_FIB_COMP_INTERNAL_H

#include "base/callout.h"
#include "route/fib_block.h"
#include "route/fib_comp.h"

enum {
	FIB_ROOT_WORDS = 1 << FIB_ROOT_BITS,
	FIB_DIRTY_MOST = 1 << 14, /* words of the root; with more it is quicker to compile all */
	FIB_NODE_MOST = 1 + FIB_SLOTS * 2 / 8 + FIB_SLOTS * 4 / 8, /* words of a node */
	FIB_PLAIN_WORDS = 2,                                       /* of one with one answer */
};

struct fib_waste;

/* Places of the arena that nodes have left (fib_arena.c). */
struct fib_arena {
	uint64_t sizes; /* of which there is a free place, a bit for each number of words */
	uint32_t free[FIB_NODE_MOST + 1]; /* the first of each size, 0 = none */
	struct fib_waste *open;           /* given back, and the readers not yet asked */
	struct fib_waste *first, *last;   /* behind the readers, the oldest first */
	bool closed;                      /* nothing is taken back any more */
};
_Static_assert(FIB_NODE_MOST < 64, "a bit for each size");

struct fib_comp {
	struct fib_pop *pop; /* what packets read; NULL: there was no memory for it */
	uintptr_t *slot;     /* where they find it */
	struct fib_direct *direct;
	bool wants_direct;    /* as net.route.fib_direct said last */
	struct callout retry; /* armed while packets find nothing, for want of memory */
	int family;
	uint64_t routes;
	uint64_t blocks_bytes;
	uint32_t jumps[FIB_JUMPS]; /* blocks at their depths */
	uint64_t live;             /* words of the arena in use */
	struct fib_arena places;   /* of nodes, in it */
	uint32_t plain[FIB_HOPS];  /* IPv4: places of nodes with that one answer, 0 = none */
	bool unmeasured;           /* blocks are stale whose words `live` doesn't know yet */
	uint32_t
	    dirty; /* words of the root to be compiled at the next flush, FIB_DIRTY_MOST: all */
	uint32_t dirty_list[FIB_DIRTY_MOST];
	struct nexthop *deflt; /* the default route */
	struct fib_hops hops;
	uint16_t shorter[2 * FIB_ROOT_WORDS]; /* prefixes of 1 to 18 bits: 1 << bits | the bits */
	uint8_t cover[FIB_ROOT_WORDS];        /* how long the longest of them is; 0 = none */
	struct fib_block *block[FIB_ROOT_WORDS];
};

static inline uint32_t
fib_key_root(fib_key key)
{
	return (uint32_t)(key >> (128 - FIB_ROOT_BITS));
}

/*
 * Zeroed memory for what packets read at random, in huge pages if the system gives them. Of at least
 * one it should be as many bytes as fib_big_bytes says.
 */
void *fib_big_alloc(uint64_t bytes);
uint64_t fib_big_bytes(uint64_t bytes);
void fib_big_free(void *p);

/*
 * A place of the arena for a node (words: 2 to FIB_NODE_MOST); 0 = there is none. Not in two cache
 * lines if one is enough.
 */
uint32_t fib_arena_take(struct fib_comp *c, unsigned words);
/*
 * A place (0: none) or a next hop's number that no packet will find any more when the change is
 * done. Packets that have found it before may go on: it is free behind the readers.
 */
void fib_arena_give(struct fib_comp *c, uint32_t place, unsigned words);
void fib_arena_give_hop(struct fib_comp *c, uint16_t number);
/* Behind the readers by now: it may be taken. */
void fib_arena_collect(struct fib_comp *c);
/*
 * Nothing is taken back any more, and what was given in this change and before is forgotten: packets
 * may find it. Open: there is a new, empty arena in c->pop.
 */
void fib_arena_close(struct fib_comp *c);
void fib_arena_open(struct fib_comp *c);

/*
 * The block's node anew, and those of its kids that are not what they should be; all: of all of
 * them. False if the arena has no room.
 */
bool fib_block_compile(
    struct fib_comp *c, struct fib_block *b, uint16_t above, fib_key key, unsigned depth, bool all);
/* A block without prefixes and kids; its node stays as long as packets may read it. */
void fib_block_end(struct fib_comp *c, struct fib_block *b, fib_key key, unsigned depth);
/* So many more blocks at this depth. */
void fib_jump_count(struct fib_comp *c, unsigned depth, int more);

/* The next hop of the longest prefix of up to 18 bits. */
uint16_t fib_root_hop(const struct fib_comp *c, uint32_t i);
/* A word of the root anew, and the nodes below that need it. False if the arena has no room. */
bool fib_root_compile(struct fib_comp *c, uint32_t i, bool all);

/* Everything anew, in a new block of memory. 0 or -ENOMEM, and packets still have the old one. */
int fib_compile_all(struct fib_comp *c);
void fib_pop_free(struct rcu_head *h);

#endif
