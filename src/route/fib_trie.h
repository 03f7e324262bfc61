/*
 * fib_trie.h - the trie in one array that packets read of a small table: what IPv4's look-up (fib.c)
 * and IPv6's (fib6.c) know of it. fib_trie.c changes it.
 */
#ifndef WARREN_ROUTE_FIB_TRIE_H
#define WARREN_ROUTE_FIB_TRIE_H

#include "route/rib.h"

/*
 * The part of a node that both families have. Behind it stand key and mask as the family compares
 * them, in network order, bits behind plen zero: struct fib4_node, fib6_node.
 */
struct fib_node {
	struct nexthop *nh; /* NULL: only a branch */
	uint32_t child[2];  /* indices */
	uint8_t plen;
	/*
	 * Where the key has the bit that chooses the child: in which 64-bit word, how far from its
	 * right end when it is loaded as it lies (bit 0 of an address is bit 7 of the load).
	 */
	uint8_t word, shift;
	uint8_t pad_[5];
};

struct fib4_node {
	struct fib_node n;
	uint32_t key, mask;
};
_Static_assert(sizeof(struct fib4_node) == 32, "two nodes a cache line");

struct fib6_node {
	struct fib_node n;
	uint64_t key[2], mask[2];
	uint64_t pad_;
};
_Static_assert(sizeof(struct fib6_node) == 64, "a node is one cache line");

struct fib_trie {
	struct rcu_head rcu;
	uint32_t used, room; /* nodes ever taken from the array, its size */
	uint32_t live;       /* nodes in the trie */
	uint32_t routes;     /* of them with a next hop; without any the table goes */
	uint8_t key_len;     /* bytes: 4, 16 */
	uint8_t node_size;   /* bytes: 32, 64 */
	uint8_t node[] __attribute__((aligned(64)));
};

/*
 * Node 1 is the root, the prefix of length 0. Node 0 ends a walk: it covers everything, has no next
 * hop and leads to itself, so that several look-ups can go on side by side until the last of them
 * is done.
 */
enum { FIB_END = 0, FIB_ROOT = 1, FIB_LANES = 8 };

/*
 * The table of each FIB: 0 = it has no route, else the address of a struct fib_trie or, with
 * FIB_COMPILED set, of a struct fib_pop. Written by the control side, read by all.
 */
enum { FIB_COMPILED = 1 };
VNET_DECLARE(uintptr_t, fib4_table[RT_FIBS_MAX]);
VNET_DECLARE(uintptr_t, fib6_table[RT_FIBS_MAX]);

/*
 * The control side (fib_trie.c). What stands in *slot is a trie or 0. trie_set adds or replaces: 0
 * or -ENOMEM (never when it replaces); trie_clear does nothing if the prefix isn't there, and with
 * the last one the trie goes.
 */
int fib_trie_set(uintptr_t *slot, const struct rt_addr *dst, struct nexthop *nh);
void fib_trie_clear(uintptr_t *slot, const struct rt_addr *dst);
uint32_t fib_trie_routes(const uintptr_t *slot);
/* All routes; stops with fn's first non-zero result and returns it. */
int fib_trie_walk(const uintptr_t *slot,
    int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx), void *ctx);
/* It goes behind the readers, who have something else by now. */
void fib_trie_free(uintptr_t table);

#endif
