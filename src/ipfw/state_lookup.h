/*
 * state_lookup.h - how a dynamic rule is found: inline, for it is what each packet pays.
 */
#ifndef WARREN_IPFW_STATE_LOOKUP_H
#define WARREN_IPFW_STATE_LOOKUP_H

#include "ipfw/state_internal.h"
#include "route/flow.h"

/* Without the name: `check-state :any` looks for all. */
static inline uint64_t
state_hash_of(const struct fw_states *t, uint64_t word, uint64_t addr4, const struct in6 *addr6)
{
	uint64_t h = flow_mix(word << 16 ^ t->seed[0], addr4 ^ t->seed[1]);

	if (word >> STATE_KIND_SHIFT & STATE_V6) {
		h = flow_mix(h ^ load64(addr6[0].b), load64(addr6[0].b + 8));
		h = flow_mix(h ^ load64(addr6[1].b), load64(addr6[1].b + 8));
	}
	return h;
}

static inline uint64_t
state_hash(const struct fw_states *t, const struct state_key *k)
{
	return state_hash_of(t, k->word, k->addr4, k->addr6);
}

/* Parents of several limits have one hash if their masked keys are equal: their rules differ. */
static inline uint64_t
state_hash_again(const struct fw_states *t, const struct fw_state *s)
{
	return state_hash_of(t, s->word, s->addr4, s->addr6);
}

static inline struct state_bucket *
bucket_at(const struct fw_states *t, uint32_t b)
{
	const unsigned bits = 32 - (unsigned)__builtin_clz(b | 1);

	if (bits <= t->base_log2 || b == 0)
		return &t->segment[0].bucket[b];
	return &t->segment[bits - t->base_log2].bucket[b - (1u << (bits - 1))];
}

static inline struct state_bucket *
state_bucket(const struct fw_states *t, uint64_t hash)
{
	const uint32_t n = __atomic_load_n(&t->buckets, __ATOMIC_ACQUIRE);
	const unsigned log2 = 31 - (unsigned)__builtin_clz(n);
	uint32_t b = (uint32_t)hash & ((2u << log2) - 1);

	if (b >= n)
		b &= (1u << log2) - 1;
	return bucket_at(t, b);
}

/* Never 0: no empty place looks like it. */
static inline uint8_t
tag_of(uint64_t hash)
{
	const uint8_t tag = (uint8_t)(hash >> 56);

	return tag != 0 ? tag : 1;
}

/*
 * The top bits of the bytes that are the tag; behind the first such, perhaps of others. No branch,
 * for none could be foretold.
 */
static inline uint64_t
places_with(uint64_t tags, uint8_t tag)
{
	const uint64_t x = tags ^ tag * UINT64_C(0x0101010101010101);

	return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x0000808080808080);
}

/* What is most probably the state of a hash; NULL. */
static inline struct fw_state *
state_guess(const struct state_bucket *b, uint64_t hash)
{
	const uint64_t tags = __atomic_load_n(&b->tags, __ATOMIC_ACQUIRE);
	const uint64_t which = places_with(tags, tag_of(hash));

	return which != 0 ? rcu_deref(&b->place[__builtin_ctzll(which) / 8]) : rcu_deref(&b->more);
}

/* A living state with this key and name. */
struct state_wanted {
	const struct state_key *key;
	uint64_t word;    /* with the name */
	unsigned ignored; /* upper bits of it that don't matter */
	uint32_t now_ms;
};

/* name: an id, STATE_NAME_ANY = whatever it is called. */
static inline struct state_wanted
state_want(const struct state_key *k, int name, uint32_t now_ms)
{
	return (struct state_wanted){ .key = k,
		.word = k->word | (uint64_t)(unsigned)name << STATE_NAME_SHIFT,
		.ignored = name == STATE_NAME_ANY ? 64 - STATE_NAME_SHIFT : 0,
		.now_ms = now_ms };
}

static inline bool
state_is_it(const struct fw_state *s, const struct state_wanted *l)
{
	if ((s->word ^ l->word) << l->ignored != 0 || s->addr4 != l->key->addr4 ||
	    !state_is_live(s, l->now_ms))
		return false;
	return !(l->word >> STATE_KIND_SHIFT & STATE_V6) ||
	    (in6_equal(&s->addr6[0], &l->key->addr6[0]) &&
		in6_equal(&s->addr6[1], &l->key->addr6[1]));
}

static inline struct fw_state *
bucket_find(const struct state_bucket *b, uint64_t hash, const struct state_wanted *l)
{
	uint64_t which = places_with(__atomic_load_n(&b->tags, __ATOMIC_ACQUIRE), tag_of(hash));
	struct fw_state *s;

	for (; which != 0; which &= which - 1) {
		s = rcu_deref(&b->place[__builtin_ctzll(which) / 8]);
		if (__builtin_expect(s != NULL && state_is_it(s, l), 1))
			return s;
	}
	for (s = rcu_deref(&b->more); s != NULL; s = rcu_deref(&s->next))
		if (state_is_it(s, l))
			return s;
	return NULL;
}

static inline struct fw_state *
state_find(const struct fw_states *t, const struct state_wanted *l)
{
	const uint64_t hash = state_hash(t, l->key);
	struct fw_state *s;
	uint32_t splits;

	do {
		splits = __atomic_load_n(&t->splits, __ATOMIC_ACQUIRE);
		s = bucket_find(state_bucket(t, hash), hash, l);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__builtin_expect(s == NULL, 0) &&
	    ((splits & 1) || splits != __atomic_load_n(&t->splits, __ATOMIC_RELAXED)));
	return s;
}

#endif
