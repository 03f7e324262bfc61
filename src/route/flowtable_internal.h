/*
 * flowtable_internal.h - what the flow table's rooms share: flowtable.c looks up, flow_part.c
 * keeps the entries, flowtable_show.c tells of them.
 */
#ifndef WARREN_ROUTE_FLOWTABLE_INTERNAL_H
#define WARREN_ROUTE_FLOWTABLE_INTERNAL_H

#include "base/callout.h"
#include "base/hash.h"
#include "route/flowtable.h"

/*
 * One cache line. Written by the worker whose it is; others (show) copy it and believe the copy if
 * the generation was the same before and after, and not 0.
 */
struct flow {
	struct flow_key key; /* its class: of the flow so far */
	struct nexthop *nh;
	struct llentry *lle; /* of an on-link destination; borrowed, as nh is; NULL = not yet */
	uint32_t generation; /* 0 = no entry */
	uint32_t used_s;     /* when a packet came last; of no entry: the next such */
};
_Static_assert(sizeof(struct flow) == 64, "a flow is one cache line");

/* One cache line: where to look further, by 15 bits of the hash. */
enum { FLOW_SLOTS = 8 };
struct flow_bucket {
	uint16_t tag[FLOW_SLOTS];  /* odd; 0 = empty */
	uint32_t flow[FLOW_SLOTS]; /* index; 0 = empty */
	uint32_t next;             /* a spare bucket with more; 0 = none */
	uint32_t pad_[3];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "a bucket is one cache line");

/* One piece of memory; a bigger one replaces it. */
struct flow_block {
	struct rcu_head rcu;
	uint32_t room;         /* flows 1 .. room; flow 0 never matches */
	uint32_t mask, spares; /* hashed buckets - 1; further ones behind them */
	struct flow *flow;
	struct flow_bucket *bucket;
};

/* The part of one worker, who alone writes it. */
struct flow_part {
	struct flow_block *block;
	uint64_t hash_key[3];
	uint32_t count, used, free_flow; /* entries now; ever taken; first that is free again */
	uint32_t used_spares, free_spare;
	uint32_t max;      /* as asked for when the block was made */
	bool full;         /* takes no new flows */
	uint32_t clean_at; /* the cleaner's place */
	struct callout cleaner;
	struct flowtable *ft;
	struct flow_stats stats;
};

struct flowtable {
	LIST_ENTRY(flowtable) link;
	char name[FLOWTABLE_NAME];
	int family;
	unsigned flags;
	uint32_t max; /* 0 = net.inet.flowtable.nmbflows */
	struct vnet *vnet;
	struct flow_part *part[WORKERS_MAX];
};

LIST_HEAD(flowtablehead, flowtable);
VNET_DECLARE(struct flowtablehead, flowtable_head);
#define V_flowtable_head VNET(flowtable_head)

static inline unsigned
flow_words(const struct flowtable *ft)
{
	return ft->family == AF_INET ? 2 : FLOW_KEY_WORDS;
}

/* All but the class. */
static inline uint64_t
flow_identity(uint64_t word0)
{
	return word0 << 8;
}

/* With a key: nobody outside can choose flows so that they meet. */
static inline __attribute__((always_inline)) uint64_t
flow_hash_of(const struct flow_part *p, const struct flow_key *k, unsigned words)
{
	uint64_t h = hash_fold(
	    flow_identity(k->word[0]) ^ p->hash_key[0], k->word[1] ^ p->hash_key[1]);

	if (words == FLOW_KEY_WORDS) {
		h = hash_fold(h ^ k->word[2], k->word[3] ^ p->hash_key[2]);
		h = hash_fold(h ^ p->hash_key[0], k->word[4] ^ p->hash_key[1]);
	}
	return h;
}

static inline uint16_t
flow_tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48) | 1;
}

static inline __attribute__((always_inline)) bool
flow_key_equal(const struct flow *f, const struct flow_key *k, unsigned words)
{
	uint64_t differ = flow_identity(f->key.word[0] ^ k->word[0]);

	for (unsigned w = 1; w < words; w++)
		differ |= f->key.word[w] ^ k->word[w];
	return differ == 0;
}

/* One worker counts, others read. */
static inline void
flow_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint32_t
flow_now_s(void)
{
	return (uint32_t)(clock_now() / NS_PER_SEC);
}

/* A slot of a bucket or of those behind it; bucket NULL = none. */
struct flow_place {
	struct flow_bucket *bucket;
	unsigned slot;
};

/* flow_hash_of, for those who are not in a hurry. */
uint64_t flow_part_hash(const struct flow_part *p, const struct flow_key *k);
/* Where the flow with this key stands, current or not. */
struct flow_place flow_part_find(
    const struct flow_part *p, const struct flow_key *k, uint64_t hash, unsigned words);

/*
 * Most flows of a part of ft, as asked for now; where that is more than p->max, the part may grow.
 */
uint32_t flow_part_max(const struct flowtable *ft);
/* This worker's part, which is not there yet; NULL without memory. */
struct flow_part *flow_part_make(struct flowtable *ft);
void flow_part_end(struct flow_part *p);
/* The limit has been raised: the flows move. Without memory all stays as it is. */
void flow_part_grow(struct flow_part *p);

/*
 * A new entry for a key that has none; NULL if the part takes none. Its contents are the caller's.
 */
struct flow *flow_part_new(struct flow_part *p, uint64_t hash);
/* The entry at a place goes. */
void flow_part_free(struct flow_part *p, uint64_t hash, struct flow_place at);

#endif
