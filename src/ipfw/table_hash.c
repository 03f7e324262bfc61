/*
 * table_hash.c - entries of one look-up table, found by key.
 *
 * Open addressing: an array of slots, each empty, dead, or an entry's address with 16 bits of its hash
 * above it, so that a slot of another key is passed over without touching its entry. Readers take no
 * lock: a new entry is filled in before one store puts it in its slot, an entry that has left is freed
 * behind the readers, and a grown array is published by its owner as a whole (table.c). At most half of
 * the slots are in use, so a search ends soon.
 *
 * Prefixes are found longest first: one search for each length that there is any of. A large table
 * knows which lengths of IPv4 there are in each net of 16 bits; most have few. The slots of several
 * lengths are fetched before the first of them is looked at, so of 1,000,000 prefixes a look-up waits
 * for memory about three times, and a change once.
 *
 * Where a key lies depends on a number that is chance, so that those whose addresses get into a
 * blocklist can't choose to share a slot.
 */
#include "ipfw/table_hash.h"

#include "base/hash.h"
#include "base/rng.h"

#include <string.h>

#define SLOT_POINTER ((UINT64_C(1) << 48) - 1)
enum { SLOT_EMPTY = 0, SLOT_DEAD = 1 };
enum { SLOTS_MIN = 8, LENGTHS4 = 33, LENGTHS6 = 129 };
/* From how many slots on lengths are known by net; how many searches begin at once. */
enum { NETS = 65536, NETS_FROM_SLOTS = 65536, AHEAD = 4 };

struct fw_hash {
	struct rcu_head rcu;
	uint64_t seed;
	uint32_t mask;       /* slots - 1 */
	uint32_t used, live; /* slots not empty; entries */
	uint8_t flow_fields;
	uint64_t lengths4, lengths6[3]; /* prefix lengths that there are entries of, by bit */
	uint32_t of_length4[LENGTHS4], of_length6[LENGTHS6];
	/*
	 * By the first 16 bits of an address, bit n - 1: prefixes of length n overlap with that net, or
	 * did once. Behind the slots; NULL in a small table.
	 */
	uint32_t *net_lengths;
	uint64_t slot[];
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

static inline uint64_t
slot_of(const struct fw_table_entry *e, uint64_t hash)
{
	return (uint64_t)(uintptr_t)e | (hash & ~SLOT_POINTER);
}

static inline uint64_t
slot_load(const struct fw_hash *h, uint32_t i)
{
	return __atomic_load_n(&h->slot[i & h->mask], __ATOMIC_CONSUME);
}

static inline __attribute__((always_inline)) struct fw_table_entry *
search_from(const struct fw_hash *h, uint64_t hash, unsigned kind, unsigned plen, const uint64_t *w,
    unsigned words)
{
	uint64_t slot;

	for (uint32_t i = (uint32_t)hash; (slot = slot_load(h, i)) != SLOT_EMPTY; i++) {
		struct fw_table_entry *e;

		if (slot == SLOT_DEAD || (slot ^ hash) >> 48 != 0)
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
	near = __atomic_load_n(&h->net_lengths[addr >> 16], __ATOMIC_RELAXED);
	return lengths & (near << 1 | 1);
}

/* A search for a prefix that has begun: its slot is on its way here. */
struct search {
	uint64_t hash, w;
	unsigned plen;
};

static inline void
search_begin(const struct fw_hash *h, struct search *s, uint32_t addr, unsigned plen)
{
	s->plen = plen;
	s->w = addr & (UINT32_MAX ^ (uint32_t)(UINT64_C(0xffffffff) >> plen));
	s->hash = key_hash(h, FW_KEYED_IP4, plen, &s->w, 1);
	__builtin_prefetch(&h->slot[(uint32_t)s->hash & h->mask]);
}

struct fw_table_entry *
fw_hash_longest4(const struct fw_hash *h, uint32_t addr)
{
	struct fw_table_entry *e;
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
			if ((e = search_from(h, s->hash, FW_KEYED_IP4, s->plen, &s->w, 1)) != NULL)
				return e;
	}
	return NULL;
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

static size_t
nets_bytes(uint64_t slots)
{
	return slots >= NETS_FROM_SLOTS ? NETS * sizeof(uint32_t) : 0;
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
	if (nets_bytes(slots) > 0)
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
	return slot_entry(h->slot[i]);
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
	uint32_t first = (uint32_t)e->w[0] >> 16, n = e->plen >= 16 ? 1 : 1u << (16 - e->plen);

	if (h->net_lengths == NULL || e->kind != FW_KEYED_IP4 || e->plen == 0)
		return;
	for (uint32_t i = first; i < first + n; i++)
		__atomic_store_n(&h->net_lengths[i],
		    h->net_lengths[i] | UINT32_C(1) << (e->plen - 1), __ATOMIC_RELAXED);
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
	__atomic_store_n(&h->slot[i & h->mask], slot_of(e, hash), __ATOMIC_RELEASE);
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
	uint32_t i = place_of(h, old);

	__atomic_store_n(&h->slot[i], slot_of(e, h->slot[i]), __ATOMIC_RELEASE);
}

void
fw_hash_remove(struct fw_hash *h, struct fw_table_entry *e)
{
	uint32_t i = place_of(h, e);
	/* searches need not go on behind the last of a run */
	bool last = h->slot[(i + 1) & h->mask] == SLOT_EMPTY;

	__atomic_store_n(&h->slot[i], last ? SLOT_EMPTY : SLOT_DEAD, __ATOMIC_RELEASE);
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
