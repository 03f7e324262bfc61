/*
 * flowtable.h - the flow cache: from a flow to its next hop and its neighbour.
 *
 * A flow table has a name and a family, and one part for each worker, made at its first use. A
 * flow is a pair of addresses in a FIB, with FL_HASH_ALL also protocol and ports. What a table
 * answers is what the FIB would answer now: every change of routes, links or neighbours makes all
 * entries unreachable at once (net/generation.h). Answers are good for the same section of
 * base/rcu.h only.
 *
 * Packets of a stack that forwards go through its tables "ipv4" and "ipv6" if
 * net.inet.flowtable.enable says so (inet/ip_flowtable.c, inet6/ip6_flowtable.c).
 */
#ifndef WARREN_ROUTE_FLOWTABLE_H
#define WARREN_ROUTE_FLOWTABLE_H

#include "base/bytes.h"
#include "route/route.h"

enum { FL_HASH_ALL = 0x1 };
enum { FLOWTABLE_NAME = 16, FLOW_KEY_WORDS = 5 };

/* How long a flow may be idle depends on what it is; without ports all are FLOW_OTHER. */
enum flow_class { FLOW_OTHER, FLOW_UDP, FLOW_SYN, FLOW_TCP, FLOW_FIN, FLOW_CLASSES };

/*
 * Made by flow_key4 and flow_key6 only, from values and never from memory with gaps (behaviours
 * 18). Word 0: class << 56 | FIB << 40 | protocol << 32 | ports. Then IPv4: one word of both
 * addresses; the rest is not read. IPv6: two words destination, two source.
 */
struct flow_key {
	uint64_t word[FLOW_KEY_WORDS];
};

/*
 * What a table with FL_HASH_ALL knows of a packet beside its addresses; 0 = not asked. rest: as in
 * route/flow.h.
 */
static inline uint64_t
flow_l4(uint8_t proto, uint32_t rest, enum flow_class class)
{
	return (uint64_t) class << 56 | (uint64_t)proto << 32 | rest;
}

static inline void
flow_key4(struct flow_key *k, uint8_t fib, uint32_t src, uint32_t dst, uint64_t l4)
{
	k->word[0] = l4 | (uint64_t)fib << 40;
	k->word[1] = (uint64_t)src << 32 | dst;
}

static inline void
flow_key6(
    struct flow_key *k, uint8_t fib, const struct in6 *src, const struct in6 *dst, uint64_t l4)
{
	k->word[0] = l4 | (uint64_t)fib << 40;
	k->word[1] = load64(dst->b);
	k->word[2] = load64(dst->b + 8);
	k->word[3] = load64(src->b);
	k->word[4] = load64(src->b + 8);
}

static inline uint8_t
flow_key_fib(const struct flow_key *k)
{
	return (uint8_t)(k->word[0] >> 40);
}

struct flowtable;

VNET_DECLARE(bool, flowtable_enable);
#define V_flowtable_enable VNET(flowtable_enable)

/*
 * A table of curvnet; max flows a worker, 0 = net.inet.flowtable.nmbflows. NULL: the name is taken
 * or too long, or no memory. Freed by flowtable_free, or with its stack.
 */
struct flowtable *flowtable_new(const char *name, int family, unsigned flags, uint32_t max);
void flowtable_free(struct flowtable *ft);
struct flowtable *flowtable_find(const char *name);
/*
 * The tables that packets go through, by family; NULL until net.inet.flowtable.enable is set or
 * somebody asks for them, and without memory.
 */
VNET_DECLARE(struct flowtable *, flow_packets[AF_SLOTS]);
#define V_flow_packets VNET(flow_packets)
struct flowtable *flowtable_packets_make(int family);
unsigned flowtable_flags(const struct flowtable *ft);

/*
 * Next hops of n <= BATCH_MAX packets, as from fib_lookup4_batch or fib_lookup6_batch: from the
 * table, or from the FIB and then into the table. With FL_HASH_ALL the path of a group is chosen,
 * as nexthop_for does by the same flow's hash (route/flow.h); without, the answer may be a group.
 * True if all have one answer.
 */
bool flowtable_lookup_batch(
    struct flowtable *ft, const struct flow_key *key, struct nexthop **nh, unsigned n);

/* The same for one flow, only what is in the table: false if it is not there, or not current. */
struct flow_way {
	struct nexthop *nh;
	struct llentry *lle; /* the neighbour; NULL or not ready: to be asked for */
};
bool flowtable_lookup(struct flowtable *ft, const struct flow_key *key, struct flow_way *way);

/*
 * Put a flow into this worker's part, or make it current: nh NULL = as the FIB says. 0;
 * -ENETUNREACH no route; -EADDRNOTAVAIL loopback, which never enters; -ENOSPC the table takes no
 * new flows now; -ENOMEM.
 */
int flowtable_insert(struct flowtable *ft, const struct flow_key *key, struct nexthop *nh);
/* Out of this worker's part; false if it is not there. */
bool flowtable_remove(struct flowtable *ft, const struct flow_key *key);
/* All of this worker's; returns how many. */
uint32_t flowtable_flush(struct flowtable *ft);

/* Summed over the workers, but for max_depth. */
struct flow_stats {
	uint64_t collisions;  /* flows that came into a bucket with others */
	uint64_t allocated;   /* entries made */
	uint64_t misses;      /* look-ups that found no current entry */
	uint64_t max_depth;   /* most flows ever in one bucket */
	uint64_t free_checks; /* entries that the cleaner looked at */
	uint64_t frees;       /* entries given back */
	uint64_t hits, lookups;
};
void flowtable_stats(const struct flowtable *ft, struct flow_stats *st);
/* Entries now, all workers. */
uint32_t flowtable_count(const struct flowtable *ft);

/*
 * A family's neighbour tables (ip_flowtable.c, ip6_flowtable.c set them): of on-link flows the
 * neighbour is kept too.
 */
extern struct lltable *(*flow_lltable[AF_SLOTS])(const struct ifnet *ifp);

#endif
