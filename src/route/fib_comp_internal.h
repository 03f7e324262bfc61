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
};

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
