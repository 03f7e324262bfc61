/*
 * table_hash.c - entries of one look-up table, found by key.
 *
 * Open addressing: an array of slots, each empty, dead, or an entry's address with a tag above it, so
 * that a slot of another key is passed over without touching its entry. Readers take no lock: a new
 * entry is filled in before one store puts it in its slot, an entry that has left is freed behind the
 * readers, and a grown array is published by its owner as a whole (table.c). At most half of the slots
 * are in use, so a search ends soon.
 *
 * Prefixes are found longest first: one search for each length that there is any of. A large table
 * knows which lengths of IPv4 there are in each net of 16 or 20 bits; most have one or two. The slots
 * of several lengths are fetched before the first of them is looked at; and a slot says by itself what
 * IPv4 prefix is in it and what number it has. So of 1,000,000 prefixes a look-up waits for memory about
 * twice (a trie would wait once for each level), and a change once.
 *
 * Where a key lies depends on a number that is chance, so that those whose addresses get into a
 * blocklist can't choose to share a slot.
 */
#include "ipfw/table_hash.h"

#include "base/hash.h"
#include "base/rng.h"
#include "ipfw/huge.h"

#include <string.h>

#define SLOT_POINTER ((UINT64_C(1) << 48) - 1)
enum { SLOT_EMPTY = 0, SLOT_DEAD = 1 };
enum { SLOTS_MIN = 8, LENGTHS4 = 33, LENGTHS6 = 129 };
/* How many searches begin at once. */
enum { AHEAD = 4 };
/* The bits of a net by which lengths are known, in a table of so many slots; less: by none. */
enum { NET_BITS_LARGE = 16, LARGE = 1 << 16, NET_BITS_HUGE = 20, HUGE_ = 1 << 19 };

/*
 * A slot's tag: of an IPv4 prefix its length, whether its value is but the number beside it, 9 bits of
 * the hash; of other keys 63, 10 bits of the hash.
 */
enum { TAG_SHIFT = 48, TAG_PLAIN_SHIFT = 57, TAG_PLEN_SHIFT = 58, TAG_OTHER = 63 };
#define TAG_PLAIN (UINT64_C(1) << TAG_PLAIN_SHIFT)

/*
 * `net`, an IPv4 prefix << 32 | number, is written before the word; who reads both has to see the same
 * word behind it. What stands in a word comes but once while a reader looks: entries are new.
 */
struct slot {
	uint64_t word, net;
} __attribute__((aligned(16)));

struct fw_hash {
	struct rcu_head rcu;
	uint64_t seed;
	uint32_t mask;       /* slots - 1 */
	uint32_t used, live; /* slots not empty; entries */
	uint8_t flow_fields;
	uint64_t lengths4, lengths6[3]; /* prefix lengths that there are entries of, by bit */
	uint32_t of_length4[LENGTHS4], of_length6[LENGTHS6];
	/*
	 * By the first net_bits of an address, bit n - 1: prefixes of length n overlap with that net, or
	 * did once. Behind the slots; NULL in a small table.
	 */
	uint32_t *net_lengths;
	unsigned net_bits;
	struct slot slot[];
};

static uint64_t entries_live, hash_seeds;
AUDIT_COUNTER(fw_table_entry, "fw_table_entry", entries_live);

/* --- entries --------------------------------------------------------------- */

struct fw_table_entry *
fw_entry_new(const struct fw_table_key *key, const struct fw_value *value)
{
	struct fw_table_entry *e = vnet_malloc(sizeof(*e) + key->words * sizeof(e->w[0]));

	if (e == NULL)
		return NULL;
	__atomic_fetch_add(&entries_live, 1, __ATOMIC_RELAXED);
	e->value = *value;
	e->kind = key->kind;
	e->plen = key->plen;
	e->words = key->words;
	memcpy(e->w, key->w, key->words * sizeof(e->w[0]));
	return e;
}

void
fw_entry_free(struct fw_table_entry *e)
{
	__atomic_fetch_sub(&entries_live, 1, __ATOMIC_RELAXED);
	vnet_free(e);
}

static void
entry_free_rcu(struct rcu_head *h)
{
	fw_entry_free(
	    (struct fw_table_entry *)(void *)((char *)h - offsetof(struct fw_table_entry, rcu)));
}

void
fw_entry_free_late(struct fw_table_entry *e)
{
	rcu_call(&e->rcu, entry_free_rcu);
}

int
fw_entry_compare(const struct fw_table_entry *a, const struct fw_table_entry *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	for (unsigned i = 0; i < a->words && i < b->words; i++)
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i] ? -1 : 1;
	return (a->plen > b->plen) - (a->plen < b->plen);
}

/* --- slots ----------------------------------------------------------------- */

static inline uint64_t
key_hash(const struct fw_hash *h, unsigned kind, unsigned plen, const uint64_t *w, unsigned words)
{
	uint64_t hash = h->seed ^ (kind << 8 | plen);

	for (unsigned i = 0; i < words; i++)
		hash = hash_fold(hash ^ w[i], UINT64_C(0x9e3779b97f4a7c15) ^ h->seed);
	return hash_fold(hash, UINT64_C(0xd6e8feb86659fd93));
}

static inline struct fw_table_entry *
slot_entry(uint64_t slot)
{
	return slot <= SLOT_DEAD ? NULL : (struct fw_table_entry *)(uintptr_t)(slot & SLOT_POINTER);
}

/* The tag of a key, in its place in a slot's word. */
static inline uint64_t
tag_of(unsigned kind, unsigned plen, uint64_t hash)
{
	if (kind == FW_KEYED_IP4)
		return (uint64_t)plen << TAG_PLEN_SHIFT | (hash >> TAG_SHIFT & 0x1ff) << TAG_SHIFT;
	return (uint64_t)TAG_OTHER << TAG_PLEN_SHIFT | (hash >> TAG_SHIFT & 0x3ff) << TAG_SHIFT;
}

static inline uint64_t
word_of(const struct fw_table_entry *e, uint64_t hash)
{
	return (uint64_t)(uintptr_t)e | tag_of(e->kind, e->plen, hash);
}

static inline uint64_t
slot_load(const struct fw_hash *h, uint32_t i)
{
	return __atomic_load_n(&h->slot[i & h->mask].word, __ATOMIC_ACQUIRE);
}

static inline __attribute__((always_inline)) struct fw_table_entry *
search_from(const struct fw_hash *h, uint64_t hash, unsigned kind, unsigned plen, const uint64_t *w,
    unsigned words)
{
	const uint64_t tag = tag_of(kind, plen, hash);
	const uint64_t ignored = SLOT_POINTER | (kind == FW_KEYED_IP4 ? TAG_PLAIN : 0);
	uint64_t slot;

	for (uint32_t i = (uint32_t)hash; (slot = slot_load(h, i)) != SLOT_EMPTY; i++) {
		struct fw_table_entry *e;

		if (slot == SLOT_DEAD || ((slot ^ tag) & ~ignored) != 0)
			continue;
		e = slot_entry(slot);
		if (e->kind == kind && e->plen == plen && e->words == words &&
		    memcmp(e->w, w, words * sizeof(*w)) == 0)
			return e;
	}
	return NULL;
}

static inline __attribute__((always_inline)) struct fw_table_entry *
hash_search(
    const struct fw_hash *h, unsigned kind, unsigned plen, const uint64_t *w, unsigned words)
{
	return search_from(h, key_hash(h, kind, plen, w, words), kind, plen, w, words);
}

/* --- readers --------------------------------------------------------------- */

struct fw_table_entry *
fw_hash_find(const struct fw_hash *h, const struct fw_table_key *key)
{
	return h == NULL ? NULL : hash_search(h, key->kind, key->plen, key->w, key->words);
}

/* The lengths of prefixes that the address may be in, by bit. */
static inline uint64_t
lengths_near(const struct fw_hash *h, uint32_t addr)
{
	uint64_t lengths = __atomic_load_n(&h->lengths4, __ATOMIC_RELAXED), near;

	if (h->net_lengths == NULL)
		return lengths;
	near = __atomic_load_n(&h->net_lengths[addr >> (32 - h->net_bits)], __ATOMIC_RELAXED);
	return lengths & (near << 1 | 1);
}

/* A search for a prefix that has begun: its slot is on its way here. */
struct search {
	uint64_t hash, tag;
	uint32_t net;
};

static inline void
search_begin(const struct fw_hash *h, struct search *s, uint32_t addr, unsigned plen)
{
	const uint64_t w = addr & (UINT32_MAX ^ (uint32_t)(UINT64_C(0xffffffff) >> plen));

	s->net = (uint32_t)w;
	s->hash = key_hash(h, FW_KEYED_IP4, plen, &w, 1);
	s->tag = tag_of(FW_KEYED_IP4, plen, s->hash);
	__builtin_prefetch(&h->slot[(uint32_t)s->hash & h->mask]);
}

/* What was found: a slot as it was at one moment. */
static inline bool
search_end(const struct fw_hash *h, const struct search *s, struct slot *found)
{
	for (uint32_t i = (uint32_t)s->hash;; i++) {
		const struct slot *at = &h->slot[i & h->mask];

		do {
			found->word = __atomic_load_n(&at->word, __ATOMIC_ACQUIRE);
			found->net = __atomic_load_n(&at->net, __ATOMIC_RELAXED);
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
		} while (found->word != __atomic_load_n(&at->word, __ATOMIC_RELAXED));
		if (found->word == SLOT_EMPTY)
			return false;
		if (((found->word ^ s->tag) & ~(SLOT_POINTER | TAG_PLAIN)) == 0 &&
		    found->net >> 32 == s->net && found->word != SLOT_DEAD)
			return true;
	}
}

/* The slot of the longest prefix that the address is in. */
static inline bool
longest4(const struct fw_hash *h, uint32_t addr, struct slot *found)
{
	struct search search[AHEAD];
	uint64_t lengths = h == NULL ? 0 : lengths_near(h, addr);

	while (lengths != 0) {
		unsigned n = 0;

		for (; n < AHEAD && lengths != 0; n++) {
			unsigned plen = 63 - (unsigned)__builtin_clzll(lengths);

			search_begin(h, &search[n], addr, plen);
			lengths ^= UINT64_C(1) << plen;
		}
		for (const struct search *s = search; s < search + n; s++)
			if (search_end(h, s, found))
				return true;
	}
	return false;
}

struct fw_table_entry *
fw_hash_longest4(const struct fw_hash *h, uint32_t addr)
{
	struct slot found;

	return longest4(h, addr, &found) ? slot_entry(found.word) : NULL;
}

bool
fw_hash_value4(const struct fw_hash *h, uint32_t addr, struct fw_value *v)
{
	struct slot found;

	if (!longest4(h, addr, &found))
		return false;
	if (found.word & TAG_PLAIN)
		*v = (struct fw_value){ .number = (uint32_t)found.net };
	else
		*v = slot_entry(found.word)->value;
	return true;
}

/* The first plen of 64 bits, 0 <= plen <= 64. */
static inline uint64_t
first_bits(uint64_t w, unsigned plen)
{
	return plen == 0 ? 0 : w >> (64 - plen) << (64 - plen);
}

struct fw_table_entry *
fw_hash_longest6(const struct fw_hash *h, uint64_t high, uint64_t low)
{
	struct fw_table_entry *e;

	for (int word = 2; h != NULL && word >= 0; word--) {
		uint64_t lengths = __atomic_load_n(&h->lengths6[word], __ATOMIC_RELAXED);

		while (lengths != 0) {
			unsigned bit = 63 - (unsigned)__builtin_clzll(lengths);
			unsigned plen = (unsigned)word * 64 + bit;
			uint64_t w[2] = { first_bits(high, plen < 64 ? plen : 64),
				first_bits(low, plen < 64 ? 0 : plen - 64) };

			if ((e = hash_search(h, FW_KEYED_IP6, plen, w, 2)) != NULL)
				return e;
			lengths ^= UINT64_C(1) << bit;
		}
	}
	return NULL;
}

unsigned
fw_hash_flow_fields(const struct fw_hash *h)
{
	return h->flow_fields;
}

/* --- the upper half -------------------------------------------------------- */

static unsigned
net_bits(uint64_t slots)
{
	return slots >= HUGE_ ? NET_BITS_HUGE : slots >= LARGE ? NET_BITS_LARGE : 0;
}

static size_t
nets_bytes(uint64_t slots)
{
	return net_bits(slots) > 0 ? sizeof(uint32_t) << net_bits(slots) : 0;
}

struct fw_hash *
fw_hash_new(uint32_t entries)
{
	uint64_t slots = SLOTS_MIN;
	struct fw_hash *h;
	struct rng rng;

	while (slots < (uint64_t)entries * 2)
		slots *= 2;
	if (slots > UINT64_C(1) << 31)
		return NULL;
	h = vnet_malloc(sizeof(*h) + slots * sizeof(h->slot[0]) + nets_bytes(slots));
	if (h == NULL)
		return NULL;
	fw_want_huge_pages(h->slot, slots * sizeof(h->slot[0]) + nets_bytes(slots));
	h->net_bits = net_bits(slots);
	if (h->net_bits > 0)
		h->net_lengths = (uint32_t *)&h->slot[slots];
	rng_seed(&rng, rng_process_seed + hash_seeds++, "ipfw table");
	h->seed = rng_u64(&rng);
	h->mask = (uint32_t)(slots - 1);
	return h;
}

uint32_t
fw_hash_count(const struct fw_hash *h)
{
	return h == NULL ? 0 : h->live;
}

uint32_t
fw_hash_slots(const struct fw_hash *h)
{
	return h == NULL ? 0 : h->mask + 1;
}

uint32_t
fw_hash_size(const struct fw_hash *h)
{
	return h == NULL ? 0 :
			   (uint32_t)(sizeof(*h) + ((size_t)h->mask + 1) * sizeof(h->slot[0]) +
			       nets_bytes((uint64_t)h->mask + 1) +
			       h->live * (sizeof(struct fw_table_entry) + sizeof(uint64_t)));
}

struct fw_table_entry *
fw_hash_at(const struct fw_hash *h, uint32_t i)
{
	return slot_entry(h->slot[i].word);
}

bool
fw_hash_has_room(const struct fw_hash *h)
{
	return h != NULL && h->used < (h->mask + 1) / 2;
}

/* One more or one less of a prefix length. */
static void
length_count(struct fw_hash *h, const struct fw_table_entry *e, int change)
{
	uint32_t *n;
	uint64_t *bits, bit = UINT64_C(1) << (e->plen & 63);

	if (e->kind == FW_KEYED_FLOW)
		h->flow_fields = e->plen;
	if (e->kind > FW_KEYED_IP6)
		return;
	n = e->kind == FW_KEYED_IP4 ? &h->of_length4[e->plen] : &h->of_length6[e->plen];
	bits = e->kind == FW_KEYED_IP4 ? &h->lengths4 : &h->lengths6[e->plen >> 6];
	*n += (uint32_t)change;
	__atomic_store_n(bits, *n > 0 ? *bits | bit : *bits & ~bit, __ATOMIC_RELAXED);
}

/* Before the entry can be found. A length that has gone stays, until the table is made anew. */
static void
nets_note(struct fw_hash *h, const struct fw_table_entry *e)
{
	uint32_t first, n;

	if (h->net_lengths == NULL || e->kind != FW_KEYED_IP4 || e->plen == 0)
		return;
	first = (uint32_t)e->w[0] >> (32 - h->net_bits);
	n = e->plen >= h->net_bits ? 1 : 1u << (h->net_bits - e->plen);
	for (uint32_t i = first; i < first + n; i++)
		__atomic_store_n(&h->net_lengths[i],
		    h->net_lengths[i] | UINT32_C(1) << (e->plen - 1), __ATOMIC_RELAXED);
}

static void
slot_fill(struct slot *s, const struct fw_table_entry *e, uint64_t hash)
{
	uint64_t word = word_of(e, hash);

	if (e->kind == FW_KEYED_IP4) {
		/* what was in the word before has gone by now for who sees the new net */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		__atomic_store_n(&s->net, e->w[0] << 32 | e->value.number, __ATOMIC_RELAXED);
		word |= e->value.family == 0 ? TAG_PLAIN : 0;
	}
	__atomic_store_n(&s->word, word, __ATOMIC_RELEASE);
}

void
fw_hash_insert(struct fw_hash *h, struct fw_table_entry *e)
{
	uint64_t hash = key_hash(h, e->kind, e->plen, e->w, e->words);
	uint32_t i = (uint32_t)hash;

	while (slot_load(h, i) > SLOT_DEAD)
		i++;
	h->used += slot_load(h, i) == SLOT_EMPTY;
	h->live++;
	nets_note(h, e);
	slot_fill(&h->slot[i & h->mask], e, hash);
	length_count(h, e, 1);
}

/* The slot that an entry of the hash is in. */
static uint32_t
place_of(const struct fw_hash *h, const struct fw_table_entry *e)
{
	uint32_t i = (uint32_t)key_hash(h, e->kind, e->plen, e->w, e->words);

	while (slot_entry(slot_load(h, i)) != e)
		i++;
	return i & h->mask;
}

void
fw_hash_replace(struct fw_hash *h, struct fw_table_entry *old, struct fw_table_entry *e)
{
	struct slot *s = &h->slot[place_of(h, old)];
	const uint64_t keep = ~(SLOT_POINTER | (e->kind == FW_KEYED_IP4 ? TAG_PLAIN : 0));

	/* the number beside it stays that of the old one: from now on the entry is asked */
	__atomic_store_n(&s->word, (s->word & keep) | (uint64_t)(uintptr_t)e, __ATOMIC_RELEASE);
}

void
fw_hash_remove(struct fw_hash *h, struct fw_table_entry *e)
{
	uint32_t i = place_of(h, e);
	/* searches need not go on behind the last of a run */
	bool last = h->slot[(i + 1) & h->mask].word == SLOT_EMPTY;

	__atomic_store_n(&h->slot[i].word, last ? SLOT_EMPTY : SLOT_DEAD, __ATOMIC_RELEASE);
	h->used -= last;
	h->live--;
	length_count(h, e, -1);
}

struct fw_hash *
fw_hash_copy(const struct fw_hash *h, uint32_t entries)
{
	struct fw_hash *copy = fw_hash_new(entries);

	for (uint32_t i = 0; copy != NULL && i < fw_hash_slots(h); i++)
		if (fw_hash_at(h, i) != NULL)
			fw_hash_insert(copy, fw_hash_at(h, i));
	return copy;
}

void
fw_hash_free(struct fw_hash *h)
{
	vnet_free(h);
}

static struct fw_hash *
hash_of_rcu(struct rcu_head *r)
{
	return (struct fw_hash *)(void *)((char *)r - offsetof(struct fw_hash, rcu));
}

static void
hash_free_rcu(struct rcu_head *r)
{
	fw_hash_free(hash_of_rcu(r));
}

static void
hash_free_all_rcu(struct rcu_head *r)
{
	struct fw_hash *h = hash_of_rcu(r);

	for (uint32_t i = 0; i <= h->mask; i++)
		if (fw_hash_at(h, i) != NULL)
			fw_entry_free(fw_hash_at(h, i));
	fw_hash_free(h);
}

void
fw_hash_free_late(struct fw_hash *h, bool with_entries)
{
	if (h != NULL)
		rcu_call(&h->rcu, with_entries ? hash_free_all_rcu : hash_free_rcu);
}
