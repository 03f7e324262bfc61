/*
 * fib_trie.h - the trie in one array that packets read: what IPv4's look-up (fib.c) and IPv6's
 * (fib6.c) know of it. fib_trie.c changes it.
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

/* Written by the control side, read by all. NULL = no route in this FIB yet. */
VNET_DECLARE(struct fib_trie *, fib4_trie[RT_FIBS_MAX]);
VNET_DECLARE(struct fib_trie *, fib6_trie[RT_FIBS_MAX]);

#endif
