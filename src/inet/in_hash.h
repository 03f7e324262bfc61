/*
 * in_hash.h - which addresses are ours: the question that every packet asks, for both families.
 *
 * Open addressing, at most half full (an eighth while small), so that a stranger's address is
 * mostly answered by the first slot. Rebuilt beside the old one when it is full; deleted slots keep
 * a key that no packet asks for. Readers take no lock; the upper half writes.
 *
 * A key is an IPv4 address itself, or a digest of an IPv6 one (in6.h). Addresses with one key stand
 * in a chain: nearly always one address on several interfaces.
 */
#ifndef WARREN_INET_IN_HASH_H
#define WARREN_INET_IN_HASH_H

#include "base/rcu.h"

#include <stdint.h>

/* In the address. */
struct in_hash_node {
	uint64_t key;
	struct in_hash_node *next;
};

struct in_hash {
	struct rcu_head rcu;
	size_t mask;         /* slots - 1 */
	uint32_t used, live; /* slots that are not free, and not deleted */
	/* Of all slots, 0 = free; written behind what belongs to it. Their first nodes come next. */
	uint64_t key[];
};

/* What a family's table is before its first address; never written, for it has no room. */
extern const struct in_hash in_hash_empty;
#define IN_HASH_EMPTY ((struct in_hash *)(uintptr_t)&in_hash_empty)

/* Keys are not 0 nor 1 << 63. 0 or -ENOMEM. */
int in_hash_add(struct in_hash **table, struct in_hash_node *node, uint64_t key);
void in_hash_remove(struct in_hash **table, struct in_hash_node *node);

static inline size_t
in_hash_index(const struct in_hash *h, uint64_t key)
{
	return (key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & h->mask;
}

/* in_hash_find from slot i on, which isn't free. */
struct in_hash_node *in_hash_find_from(const struct in_hash *h, size_t i, uint64_t key);

/* The first address with this key; NULL. */
static inline struct in_hash_node *
in_hash_find(const struct in_hash *h, uint64_t key)
{
	size_t i = in_hash_index(h, key);

	if (__builtin_expect(__atomic_load_n(&h->key[i], __ATOMIC_RELAXED) == 0, 1))
		return NULL;
	return in_hash_find_from(h, i, key);
}

#endif
