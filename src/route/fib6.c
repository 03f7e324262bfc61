/*
 * fib6.c - a packet's way: IPv6 look-ups; fib.c with a longer key.
 * Addresses of link scope carry their zone (net/in6addr.h) and are found like all others.
 */
#include "base/mbuf.h"
#include "route/fib_pop.h"
#include "route/fib_trie.h"

#include <string.h>

static inline const struct fib6_node *
fib6_nodes(uintptr_t table)
{
	return (const struct fib6_node *)(const void *)((const struct fib_trie *)table)->node;
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
	struct nexthop *nh = __atomic_load_n(&n->n.nh, __ATOMIC_CONSUME);
	uint32_t next = __atomic_load_n(&n->n.child[fib6_side(n, key)], __ATOMIC_CONSUME);

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
		i = __atomic_load_n(&n->n.child[side], __ATOMIC_CONSUME);
		other = __atomic_load_n(&n->n.child[side ^ 1], __ATOMIC_CONSUME);
	} while (i != FIB_END);
	return other == FIB_END ? n : NULL;
}

/* Where the n destinations differ from each other: bits of both halves. */
static void
fib6_differ(const struct in6 *const *dst, unsigned n, uint64_t differ[2])
{
	differ[0] = differ[1] = 0;
	for (unsigned i = 1; i < n; i++) {
		differ[0] |= load64(dst[i]->b) ^ load64(dst[0]->b);
		differ[1] |= load64(dst[i]->b + 8) ^ load64(dst[0]->b + 8);
	}
}

/* Do all destinations that differ so get the answer of the first? */
static bool
fib6_all_one(const struct fib6_node *node, const struct in6 *first, const uint64_t differ[2])
{
	const struct fib6_node *leaf;

	if ((differ[0] | differ[1]) == 0)
		return true;
	leaf = fib6_leaf(node, first);
	return leaf != NULL && ((differ[0] & leaf->mask[0]) | (differ[1] & leaf->mask[1])) == 0;
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

static void
fib6_trie_batch(
    const struct fib6_node *node, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	unsigned i;

	for (i = 0; i + FIB_LANES <= n; i += FIB_LANES)
		fib6_find_lanes(node, dst + i, nh + i);
	for (; i < n; i++)
		nh[i] = fib6_find(node, dst[i]);
}

/* --- compiled tables ------------------------------------------------------ */

static inline uint64_t
fib6_jump_key(const struct in6 *a)
{
	return __builtin_bswap64(load64(a->b)) >> (64 - FIB_JUMP_BITS);
}

/*
 * FIB_LANES look-ups from the root side by side, a node of each in turn until none goes on; one that
 * has ended finds its last value again meanwhile. What 64 bits behind the root don't decide goes its
 * way alone. No branch depends on a single one: masks of all ones or none do it.
 */
static inline __attribute__((always_inline)) void
fib6_pop_lanes(const struct fib_pop *p, const struct in6 *const *dst, const uint8_t *which,
    struct nexthop **nh)
{
	uint64_t key[FIB_LANES];
	uint32_t place[FIB_LANES], value[FIB_LANES], more = 0;

#pragma GCC unroll 8
	for (unsigned l = 0; l < FIB_LANES; l++) {
		const struct in6 *to = dst[which[l]];
		uint64_t high = __builtin_bswap64(load64(to->b));
		uint64_t low = __builtin_bswap64(load64(to->b + 8));
		uint32_t word = __atomic_load_n(
		    &p->root[high >> (64 - FIB_ROOT_BITS)], __ATOMIC_CONSUME);
		uint32_t is_node = -(word / FIB_NODE);

		key[l] = high << FIB_ROOT_BITS | low >> (64 - FIB_ROOT_BITS);
		place[l] = fib_root_place(word);
		value[l] = (FIB_KID & is_node) | (word & ~is_node);
		more |= value[l];
	}
	for (unsigned step = 0; step < 64 / FIB_STRIDE && more & FIB_KID; step++) {
		more = 0;
#pragma GCC unroll 8
		for (unsigned l = 0; l < FIB_LANES; l++) {
			const uint64_t *node = p->arena + place[l];
			const uint32_t *words = (const uint32_t *)(const void *)node;
			uint32_t v = fib_node_value(node, (unsigned)(key[l] >> (64 - FIB_STRIDE)));
			/* is it under way, and does it go on? */
			uint32_t on = -(value[l] / FIB_KID), goes, kid;

			v = (v & on) | (value[l] & ~on);
			goes = -(v / FIB_KID);
			kid = __atomic_load_n(&words[v & (FIB_KID - 1) & goes], __ATOMIC_CONSUME);
			place[l] = (kid & goes) | (place[l] & ~goes);
			value[l] = v;
			key[l] <<= FIB_STRIDE;
			more |= v;
		}
	}
#pragma GCC unroll 8
	for (unsigned l = 0; l < FIB_LANES; l++) {
		if (__builtin_expect(value[l] & FIB_KID, 0))
			value[l] = fib_pop_find(p, fib6_key(dst[which[l]]));
		nh[which[l]] = fib_pop_hop(p, value[l]);
	}
}

/* What the batch's addresses have in the jump table: ask for the lines, then for the nodes'. */
static inline __attribute__((always_inline)) void
fib6_pop_jump(const struct fib_pop *p, const struct in6 *const *dst, uint32_t *place, unsigned n)
{
	uint32_t at[BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		at[i] = fib_jump_at(p, fib6_jump_key(dst[i]));
		__builtin_prefetch(&p->jump[at[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t key = fib6_jump_key(dst[i]);
		uint64_t x = __atomic_load_n(&p->jump[at[i]], __ATOMIC_CONSUME);
		uint64_t y = __atomic_load_n(&p->jump[at[i] ^ 1], __ATOMIC_CONSUME);

		place[i] = fib_jump_place(x, key) | fib_jump_place(y, key);
		__builtin_prefetch(p->arena + place[i]);
	}
}

/* At most BATCH_MAX look-ups: those that jump, then those that go from the root. */
static inline __attribute__((always_inline)) void
fib6_pop_some(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	uint32_t place[BATCH_MAX];
	uint8_t walk[BATCH_MAX + FIB_LANES];
	unsigned walks = 0, i;

	fib6_pop_jump(p, dst, place, n);
	for (i = 0; i < n; i++) {
		unsigned slot = fib_slot(fib6_key(dst[i]), FIB_JUMP_BITS);
		uint32_t value = fib_node_value(p->arena + place[i], slot);
		bool ends = place[i] != 0 && !(value & FIB_KID);

		nh[i] = fib_pop_hop(p, value & (FIB_KID - 1));
		walk[walks] = (uint8_t)i;
		walks += !ends;
	}
	/* whole lanes: the last one goes along for the rest */
	for (i = walks; i > 0 && i % FIB_LANES != 0; i++)
		walk[i] = walk[walks - 1];
	for (unsigned w = 0; w < walks; w += FIB_LANES)
		fib6_pop_lanes(p, dst, walk + w, nh);
}

static inline __attribute__((always_inline)) void
fib6_pop_all(const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	for (unsigned i = 0; i < n; i += BATCH_MAX)
		fib6_pop_some(p, dst + i, nh + i, n - i < BATCH_MAX ? n - i : BATCH_MAX);
}

static void
fib6_pop_plain(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	fib6_pop_all(p, dst, nh, n);
}

/* What this machine does best, as in fib.c. */
static void (*fib6_pop_many)(const struct fib_pop *, const struct in6 *const *, struct nexthop **,
    unsigned) = fib6_pop_plain;

#ifdef __x86_64__
__attribute__((target("popcnt"))) static void
fib6_pop_popcnt(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	fib6_pop_all(p, dst, nh, n);
}

__attribute__((target("popcnt,bmi,bmi2"))) static void
fib6_pop_bmi2(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	fib6_pop_all(p, dst, nh, n);
}

__attribute__((constructor)) static void
fib6_choose(void)
{
	if (__builtin_cpu_supports("popcnt"))
		fib6_pop_many = __builtin_cpu_supports("bmi2") ? fib6_pop_bmi2 : fib6_pop_popcnt;
}
#endif

/* --- any table ------------------------------------------------------------ */

static struct nexthop *
fib6_one(uintptr_t table, const struct in6 *dst)
{
	const struct fib_pop *p = fib_pop_of(table);

	if (table & FIB_COMPILED)
		return fib_pop_hop(p, fib_pop_find(p, fib6_key(dst)));
	return fib6_find(fib6_nodes(table), dst);
}

struct nexthop *
fib_lookup6(uint8_t fib, const struct in6 *dst)
{
	uintptr_t table = rcu_deref(&VNET(fib6_table)[fib & (RT_FIBS_MAX - 1)]);

	return table == 0 ? NULL : fib6_one(table, dst);
}

bool
fib_lookup6_batch(uint8_t fib, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	uintptr_t table = rcu_deref(&VNET(fib6_table)[fib & (RT_FIBS_MAX - 1)]);
	uint64_t differ[2];

	if (table == 0 || n == 0) {
		memset(nh, 0, n * sizeof(*nh));
		return true;
	}
	fib6_differ(dst, n, differ);
	if (table & FIB_COMPILED ? (differ[0] | differ[1]) == 0 :
				   fib6_all_one(fib6_nodes(table), dst[0], differ)) {
		struct nexthop *one = fib6_one(table, dst[0]);

		for (unsigned i = 0; i < n; i++)
			nh[i] = one;
		return true;
	}
	if (table & FIB_COMPILED)
		fib6_pop_many(fib_pop_of(table), dst, nh, n);
	else
		fib6_trie_batch(fib6_nodes(table), dst, nh, n);
	return false;
}
