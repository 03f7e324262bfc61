/*
 * fib6_pop.c - IPv6 look-ups in the compiled form of a large table (fib_pop.h), a batch at a time.
 *
 * What the root knows is answered first. The others look into the jump tables, the longest first: a
 * node found there most often has the answer. What goes on behind such a node, or is in none of
 * these tables, walks node by node.
 *
 * Each stage goes over all who are left before the next one begins, so that the processor has many
 * reads under way at once, and no branch depends on one address.
 */
#include "base/mbuf.h"
#include "route/fib_pop.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* A batch on its way. */
struct way {
	const struct in6 *const *dst;
	uint32_t value[BATCH_MAX]; /* the answers' numbers */

	/*
	 * Those without one: the first half of the address, but its last 6 bits, which no jump table
	 * looks at, are the number in the batch.
	 */
	uint64_t high[BATCH_MAX];
	unsigned left;

	/* Those who have to walk: from this node, so many bits behind. */
	uint8_t walker[BATCH_MAX];
	uint8_t depth[BATCH_MAX];
	uint32_t place[BATCH_MAX];
	unsigned walkers;
};

INLINE void
walk_later(struct way *w, unsigned who, uint32_t place, unsigned depth)
{
	w->walker[w->walkers] = (uint8_t)who;
	w->depth[w->walkers] = (uint8_t)depth;
	w->place[w->walkers++] = place;
}

/* --- node by node --------------------------------------------------------- */

INLINE void
walk_one(const struct fib_pop *p, struct way *w, unsigned i)
{
	unsigned __int128 key = fib6_key(w->dst[w->walker[i]]);
	const uint64_t *node = p->arena + w->place[i];
	uint16_t value;

	for (unsigned depth = w->depth[i];; depth += FIB_STRIDE) {
		value = fib_node_value(node, fib_slot(key, depth));
		if (!(value & FIB_KID))
			break;
		node = fib_node_kid(p, node, value);
	}
	w->value[w->walker[i]] = value;
}

/*
 * LANES look-ups side by side, a node of each in turn until none goes on; one that has ended finds
 * its last value again meanwhile. No branch depends on a single one: masks of all ones or none do
 * it. What 64 bits don't decide goes its way alone.
 */
INLINE void
walk_lanes(const struct fib_pop *p, struct way *w, unsigned from)
{
	uint64_t key[LANES];
	uint32_t value[LANES], more = FIB_KID, *place = w->place + from;

	for (unsigned l = 0; l < LANES; l++) {
		key[l] = (uint64_t)(fib6_key(w->dst[w->walker[from + l]]) << w->depth[from + l] >>
		    64);
		value[l] = FIB_KID;
	}
	for (unsigned step = 0; step < 64 / FIB_STRIDE && more & FIB_KID; step++) {
		more = 0;
#pragma GCC unroll 8
		for (unsigned l = 0; l < LANES; l++) {
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
	for (unsigned l = 0; l < LANES; l++) {
		unsigned who = w->walker[from + l];

		w->value[who] = value[l] & FIB_KID ? fib_pop_find(p, fib6_key(w->dst[who])) :
						     value[l];
	}
}

INLINE void
walk(const struct fib_pop *p, struct way *w)
{
	unsigned i;

	for (i = 0; i + LANES <= w->walkers; i += LANES)
		walk_lanes(p, w, i);
	for (; i < w->walkers; i++)
		walk_one(p, w, i);
}

/* --- one at a time -------------------------------------------------------- */

INLINE uint32_t
root_word(const struct fib_pop *p, uint64_t high)
{
	return __atomic_load_n(&p->root[high >> (64 - FIB_ROOT_BITS)], __ATOMIC_CONSUME);
}

static inline unsigned
who_of(uint64_t high)
{
	return high % BATCH_MAX;
}

/* What the root answers; the others are left. */
INLINE void
look_root(const struct fib_pop *p, struct way *w, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t high = __builtin_bswap64(load64(w->dst[i]->b));
		uint32_t word = root_word(p, high);

		w->value[i] = (uint16_t)word;
		w->high[left] = high / BATCH_MAX * BATCH_MAX + i;
		left += 1 - word / FIB_ANSWER;
	}
	w->left = left;
}

/* Where those who are left have a node in a jump table; 0: nowhere. */
INLINE void
find_nodes(const struct fib_pop *p, const struct way *w, unsigned jump, uint32_t *place)
{
	const struct fib_jump *j = &p->jump[jump];
	const uint64_t *entry = j->entry;
	unsigned shift = j->shift, n = w->left;

	for (unsigned i = 0; i < n; i++) {
		place[i] = fib_jump_at(fib_jump_key(w->high[i], jump), shift);
		__builtin_prefetch(&entry[place[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t key = fib_jump_key(w->high[i], jump) << FIB_PLACE_BITS;
		/* where the key is the same, the place alone is left */
		uint64_t x = __atomic_load_n(&entry[place[i]], __ATOMIC_CONSUME) ^ key;
		uint64_t y = __atomic_load_n(&entry[place[i] ^ 1], __ATOMIC_CONSUME) ^ key;

		x &= -(uint64_t)(x < 1u << FIB_PLACE_BITS);
		y &= -(uint64_t)(y < 1u << FIB_PLACE_BITS);
		/* not of both: between the two reads the key may have moved */
		y &= -(uint64_t)(x == 0);
		place[i] = (uint32_t)(x | y);
		__builtin_prefetch(p->arena + place[i]);
	}
}

INLINE void
look_jump(const struct fib_pop *p, struct way *w, unsigned jump)
{
	unsigned depth = fib_jump_depth(jump), left = 0, n = w->left;
	uint32_t place[BATCH_MAX];

	find_nodes(p, w, jump, place);
	for (unsigned i = 0; i < n; i++) {
		uint64_t high = w->high[i];
		unsigned slot = (unsigned)(high << depth >> (64 - FIB_STRIDE));
		uint16_t value = fib_node_value(p->arena + place[i], slot);

		w->value[who_of(high)] = value;
		if (__builtin_expect(value & FIB_KID, 0))
			walk_later(w, who_of(high), place[i], depth);
		w->high[left] = high;
		left += place[i] == 0;
	}
	w->left = left;
}

/* What no jump table has walks from the root, which may have an answer by now. */
INLINE void
look_below_root(const struct fib_pop *p, struct way *w, uint64_t high)
{
	uint32_t word = root_word(p, high);

	if (__builtin_expect(word & FIB_ANSWER, 0))
		w->value[who_of(high)] = (uint16_t)word;
	else
		walk_later(w, who_of(high), word, FIB_ROOT_BITS);
}

/* --- a batch -------------------------------------------------------------- */

/* At most BATCH_MAX look-ups. */
INLINE void
look_some(const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	struct way w;

	w.dst = dst;
	w.walkers = 0;
	look_root(p, &w, n);
	for (unsigned j = 0; j < FIB_JUMPS; j++)
		look_jump(p, &w, j);
	for (unsigned i = 0; i < w.left; i++)
		look_below_root(p, &w, w.high[i]);
	walk(p, &w);
	for (unsigned i = 0; i < n; i++)
		nh[i] = fib_pop_hop(p, w.value[i]);
}

static void
look_plain(const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	look_some(p, dst, nh, n);
}

/* What this machine does best. */
static void (*look_best)(
    const struct fib_pop *, const struct in6 *const *, struct nexthop **, unsigned) = look_plain;

#ifdef __x86_64__
__attribute__((target("popcnt,bmi,bmi2"))) static void
look_bmi2(const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	look_some(p, dst, nh, n);
}

__attribute__((constructor)) static void
choose(void)
{
	if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2"))
		look_best = look_bmi2;
}
#endif

bool
fib6_pop_batch(
    const struct fib_pop *p, const struct in6 *const *dst, struct nexthop **nh, unsigned n)
{
	uintptr_t differ = 0;

	for (unsigned i = 0; i < n; i += BATCH_MAX)
		look_best(p, dst + i, nh + i, n - i < BATCH_MAX ? n - i : BATCH_MAX);
	for (unsigned i = 1; i < n; i++)
		differ |= (uintptr_t)nh[i] ^ (uintptr_t)nh[0];
	return differ == 0;
}
