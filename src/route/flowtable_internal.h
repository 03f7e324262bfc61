/*
 * flowtable_internal.h - what flowtable.c and flowtable_show.c share.
 */
#ifndef WARREN_ROUTE_FLOWTABLE_INTERNAL_H
#define WARREN_ROUTE_FLOWTABLE_INTERNAL_H

#include "base/callout.h"
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

uint64_t flow_part_hash(const struct flow_part *p, const struct flow_key *k);

#endif
