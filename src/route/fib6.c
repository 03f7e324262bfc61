/*
 * fib6.c - a packet's way: IPv6 look-ups in the trie that fib_trie.c keeps; fib.c with a longer key.
 * Addresses of link scope carry their zone (net/in6addr.h) and are found like all others.
 */
#include "route/fib_trie.h"

#include <string.h>

static inline const struct fib6_node *
fib6_nodes(uint8_t fib)
{
	const struct fib_trie *t = rcu_deref(&VNET(fib6_trie)[fib & (RT_FIBS_MAX - 1)]);

	return t == NULL ? NULL : (const struct fib6_node *)(const void *)t->node;
}

static inline bool
fib6_covers(const struct fib6_node *n, const struct in6 *key)
{
	return (((load64(key->b) ^ n->key[0]) & n->mask[0]) |
		   ((load64(key->b + 8) ^ n->key[1]) & n->mask[1])) == 0;
}

/* The child on whose side key is: 0 or 1. */
static inline unsigned
fib6_side(const struct fib6_node *n, const struct in6 *key)
{
	return load64(key->b + 8 * n->n.word) >> n->n.shift & 1;
}

/*
 * One step of a look-up down from node *i; *best gets better where the node covers key and has a
 * next hop.
 */
static inline void
fib6_step(const struct fib6_node *node, const struct in6 *key, uint32_t *i, struct nexthop **best)
{
	const struct fib6_node *n = &node[*i];
	bool covers = fib6_covers(n, key);
	struct nexthop *nh = __atomic_load_n(&n->n.nh, __ATOMIC_RELAXED);
	uint32_t next = __atomic_load_n(&n->n.child[fib6_side(n, key)], __ATOMIC_RELAXED);

	*best = covers && nh != NULL ? nh : *best;
	*i = covers ? next : FIB_END;
}

static inline struct nexthop *
fib6_find(const struct fib6_node *node, const struct in6 *key)
{
	struct nexthop *best = NULL;
	uint32_t i = FIB_ROOT;

	do
		fib6_step(node, key, &i, &best);
	while (i != FIB_END);
	return best;
}

/*
 * The leaf at which key's way down ends: whatever it covers has the same answer. NULL if the way
 * ends elsewhere.
 */
static const struct fib6_node *
fib6_leaf(const struct fib6_node *node, const struct in6 *key)
{
	const struct fib6_node *n;
	uint32_t i = FIB_ROOT, other;
	unsigned side;

	do {
		n = &node[i];
		if (!fib6_covers(n, key))
			return NULL;
		side = fib6_side(n, key);
		i = __atomic_load_n(&n->n.child[side], __ATOMIC_RELAXED);
		other = __atomic_load_n(&n->n.child[side ^ 1], __ATOMIC_RELAXED);
	} while (i != FIB_END);
	return other == FIB_END ? n : NULL;
}

/* Do all n destinations get the answer of the first? */
static bool
fib6_all_one(const struct fib6_node *node, const struct in6 *const *dst, unsigned n)
{
	uint64_t differ[2] = { 0, 0 };
	const struct fib6_node *leaf;

	for (unsigned i = 1; i < n; i++) {
		differ[0] |= load64(dst[i]->b) ^ load64(dst[0]->b);
		differ[1] |= load64(dst[i]->b + 8) ^ load64(dst[0]->b + 8);
	}
	if ((differ[0] | differ[1]) == 0)
		return true;
	leaf = fib6_leaf(node, dst[0]);
	return leaf != NULL && ((differ[0] & leaf->mask[0]) | (differ[1] & leaf->mask[1])) == 0;
}

struct nexthop *
fib_lookup6(uint8_t fib, const struct in6 *dst)
{
	const struct fib6_node *node = fib6_nodes(fib);

	return node == NULL ? NULL : fib6_find(node, dst);
}

/* FIB_LANES look-ups side by side, as fib4_find_lanes. */
static inline void
fib6_find_lanes(const struct fib6_node *node, const struct in6 *const *dst, struct nexthop **nh)
{
	struct nexthop *best[FIB_LANES];
	uint32_t i[FIB_LANES], busy;

#pragma GCC unroll 8
	for (unsigned l = 0; l < FIB_LANES; l++) {
		best[l] = NULL;
		i[l] = FIB_ROOT;
	}
	do {
		busy = 0;
#pragma GCC unroll 8
		for (unsigned l = 0; l < FIB_LANES; l++) {
			fib6_step(node, dst[l], &i[l], &best[l]);
			busy |= i[l];
		}
	} while (busy != 0);
	memcpy(nh, best, sizeof(best));
}

bool
fib_lookup6_batch(uint8_t fib, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	const struct fib6_node *node = fib6_nodes(fib);
	unsigned i;

	if (node == NULL) {
		memset(nh, 0, n * sizeof(*nh));
		return true;
	}
	if (n > 0 && fib6_all_one(node, dst, n)) {
		struct nexthop *one = fib6_find(node, dst[0]);

		for (i = 0; i < n; i++)
			nh[i] = one;
		return true;
	}
	for (i = 0; i + FIB_LANES <= n; i += FIB_LANES)
		fib6_find_lanes(node, dst + i, nh + i);
	for (; i < n; i++)
		nh[i] = fib6_find(node, dst[i]);
	return false;
}
