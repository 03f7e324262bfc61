/*
 * flowtable.c - the flow cache.
 *
 * Each worker has its own part of a table, which nobody else writes: no locks, and no line that
 * goes from CPU to CPU. A look-up reads two cache lines: a bucket, in which 15 bits of the hash
 * say where to go on, and the flow. Batches make each step for all packets before the next, so
 * that the lines of up to 64 packets are under way at once (bench flowtable: 1,000,000 flows, 20
 * ns a look-up instead of 100 one by one).
 *
 *	look-up		bucket -> flow with this key, filed under the present generation: hit
 *	miss		the FIB is asked, for all misses of a batch at once; then a new flow, or an
 *			old one made current
 *	cleaner		goes round every 20 s; takes what is not current, or idle (flow_part.c)
 *
 * Entries borrow their next hop and neighbour: no references. What makes that safe is told in
 * net/generation.h. The number has 31 bits that change; before it could come round to that of an
 * old entry the cleaner has been there, unless there were 100 million changes a second.
 */
#include "route/flowtable_internal.h"

#include "kern/sysctl.h"
#include "net/generation.h"
#include "route/flow.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE(struct flowtablehead, flowtable_head);
VNET_DEFINE(struct flowtable *, flow_packets[AF_SLOTS]);
VNET_DEFINE(bool, flowtable_enable) = false;
VNET_DEFINE_STATIC(bool, flowtable_ports);

/* The packets' tables are made here, not by the first packet: workers don't make tables. */
static void
packets_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	for (int slot = 0; V_flowtable_enable && slot < AF_SLOTS; slot++)
		flowtable_packets_make(slot == AF_SLOT_INET ? AF_INET : AF_INET6);
}
SYSCTL_DEFINE_(net_inet_flowtable_enable, .name = "net.inet.flowtable.enable",
    .type = SYSCTL_T_BOOL, .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_flowtable_enable,
    .max = 1, .changed = packets_changed,
    .descr = "packets to be forwarded go through the flow cache (docs/routing.md says when)");

static void
ports_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	for (int slot = 0; slot < AF_SLOTS; slot++)
		if (V_flow_packets[slot] != NULL)
			V_flow_packets[slot]->flags = VNET(flowtable_ports) ? FL_HASH_ALL : 0;
}
SYSCTL_DEFINE_(net_inet_flowtable_ports, .name = "net.inet.flowtable.ports", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_flowtable_ports, .max = 1,
    .changed = ports_changed, .descr = "packets' flows are told apart by protocol and ports too");

struct lltable *(*flow_lltable[AF_SLOTS])(const struct ifnet *ifp);

static uint64_t tables_live;
AUDIT_COUNTER(flowtable, "flowtable", tables_live);

/* --- look-ups ------------------------------------------------------------------------------ */

static inline struct flow_part *
part_of(struct flowtable *ft)
{
	struct flow_part *p = ft->part[curworker->id];

	return __builtin_expect(p != NULL, 1) ? p : flow_part_make(ft);
}

/* The top bit of each of four tags that is zero in x; behind the first such, perhaps of others. */
static inline uint64_t
zero_tags(uint64_t x)
{
	return (x - UINT64_C(0x0001000100010001)) & ~x & UINT64_C(0x8000800080008000);
}

/* Where a bucket sends tag first: a guess that the flow confirms or not. No branch. */
static inline uint32_t
bucket_guess(const struct flow_bucket *b, uint16_t tag)
{
	const uint64_t four = tag * UINT64_C(0x0001000100010001);
	uint64_t low = zero_tags(load64(b->tag) ^ four);
	uint64_t high = zero_tags(load64(b->tag + 4) ^ four) | UINT64_C(1) << 63;
	unsigned in_high = 4 + ((unsigned)__builtin_ctzll(high) >> 4);
	unsigned in_low = (unsigned)__builtin_ctzll(low | UINT64_C(1) << 63) >> 4;

	return b->flow[low != 0 ? in_low : in_high];
}

/* A packet of f has come. */
static inline void
flow_touch(struct flow *f, uint64_t word0, uint32_t now)
{
	/* not without need: a line that is written goes back to memory */
	if (f->used_s != now)
		__atomic_store_n(&f->used_s, now, __ATOMIC_RELAXED);
	if (__builtin_expect(f->key.word[0] != word0, 0) &&
	    !(f->key.word[0] >> 56 == FLOW_FIN && word0 >> 56 == FLOW_TCP))
		__atomic_store_n(&f->key.word[0], word0, __ATOMIC_RELAXED);
}

/* The neighbour of an on-link destination; NULL if there is none yet, or the gateway is meant. */
static struct llentry *
flow_neighbour(const struct flowtable *ft, const struct flow_key *k, const struct nexthop *nh)
{
	const enum af_slot slot = ft->family == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6;
	struct lltable *t;

	if ((nh->flags & (RTF_GATEWAY_ | RTF_MULTIPATH_ | RTF_BROADCAST_)) ||
	    flow_lltable[slot] == NULL || (t = flow_lltable[slot](nh->ifp)) == NULL)
		return NULL;
	return lla_find(t, &k->word[1]);
}

static void
flow_write(const struct flow_part *p, struct flow *f, const struct flow_key *k, struct nexthop *nh,
    uint32_t generation)
{
	const unsigned words = flow_words(p->ft);

	__atomic_store_n(&f->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (unsigned w = 0; w < words; w++)
		__atomic_store_n(&f->key.word[w], k->word[w], __ATOMIC_RELAXED);
	__atomic_store_n(&f->nh, nh, __ATOMIC_RELAXED);
	__atomic_store_n(&f->lle, flow_neighbour(p->ft, k, nh), __ATOMIC_RELAXED);
	__atomic_store_n(&f->used_s, flow_now_s(), __ATOMIC_RELAXED);
	__atomic_store_n(&f->generation, generation, __ATOMIC_RELEASE);
}

/* 127/8, ::1, from or to: never in a table. */
static bool
key_is_loopback(const struct flowtable *ft, const struct flow_key *k)
{
	struct in6 dst, src;

	if (ft->family == AF_INET)
		return (uint8_t)k->word[1] == 127 || (uint8_t)(k->word[1] >> 32) == 127;
	memcpy(&dst, &k->word[1], sizeof(dst));
	memcpy(&src, &k->word[3], sizeof(src));
	return in6_is_loopback(&dst) || in6_is_loopback(&src);
}

/* May nh be remembered? Not what stays in the stack, or says no. */
static bool
nexthop_enters(const struct nexthop *nh)
{
	return nh != NULL &&
	    ((nh->flags & RTF_MULTIPATH_) ||
		(!(nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_ | RTF_LOCAL_)) &&
		    !(nh->ifp->if_flags & IFF_LOOPBACK_)));
}

/* What a table remembers where the FIB says nh: with ports that is the flow's own path. */
static struct nexthop *
flow_choose(const struct flowtable *ft, const struct flow_key *k, struct nexthop *nh)
{
	const uint64_t l4 = flow_identity(k->word[0]) >> 8;
	uint32_t flow;

	if (nh == NULL || !(nh->flags & RTF_MULTIPATH_) || !(ft->flags & FL_HASH_ALL))
		return nh;
	if (ft->family == AF_INET)
		flow = flow_hash4((uint32_t)(k->word[1] >> 32), (uint32_t)k->word[1],
		    (uint8_t)(l4 >> 32), (uint32_t)l4);
	else
		flow = flow_hash6((const struct in6 *)(const void *)&k->word[3],
		    (const struct in6 *)(const void *)&k->word[1], (uint8_t)(l4 >> 32),
		    (uint32_t)l4);
	return nexthop_choose(nh, &k->word[1], flow);
}

/* File nh under k: a new entry, or the old one made current. False if it doesn't enter. */
static bool
part_put(struct flow_part *p, const struct flow_key *k, struct nexthop *nh, uint32_t generation)
{
	const unsigned words = flow_words(p->ft);
	const uint64_t hash = flow_hash_of(p, k, words);
	const struct flow_place at = flow_part_find(p, k, hash, words);
	struct flow *f;

	if (at.bucket != NULL)
		f = &p->block->flow[at.bucket->flow[at.slot]];
	else if ((f = flow_part_new(p, hash)) == NULL)
		return false;
	flow_write(p, f, k, nh, generation);
	return true;
}

/* The entry of k if it is current, else NULL. */
static struct flow *
part_current(const struct flow_part *p, const struct flow_key *k, uint32_t generation)
{
	const unsigned words = flow_words(p->ft);
	const struct flow_place at = flow_part_find(p, k, flow_hash_of(p, k, words), words);
	struct flow *f;

	if (at.bucket == NULL)
		return NULL;
	f = &p->block->flow[at.bucket->flow[at.slot]];
	return f->generation == generation ? f : NULL;
}

/* Look-ups in the FIB for the n packets that `which` names. */
static void
fib_answers(const struct flowtable *ft, const struct flow_key *key, const uint8_t *which,
    struct nexthop **answer, unsigned n)
{
	const uint8_t fib = flow_key_fib(&key[which[0]]);
	const struct in6 *dst6[BATCH_MAX];
	uint32_t dst4[BATCH_MAX];

	if (ft->family == AF_INET) {
		for (unsigned i = 0; i < n; i++)
			dst4[i] = (uint32_t)key[which[i]].word[1];
		fib_lookup4_batch(fib, dst4, answer, n);
	} else {
		for (unsigned i = 0; i < n; i++)
			dst6[i] = (const struct in6 *)(const void *)&key[which[i]].word[1];
		fib_lookup6_batch(fib, dst6, answer, n);
	}
}

/*
 * The packets that have no current entry: the FIB's answers, filed. Several packets of one flow in
 * a batch count as if they had come one by one. Returns how many were missed.
 */
__attribute__((noinline)) static unsigned
part_missed(struct flow_part *p, const struct flow_key *key, const uint8_t *which,
    struct nexthop **nh, unsigned n, uint32_t generation)
{
	const struct flowtable *ft = p->ft;
	struct nexthop *answer[BATCH_MAX];
	unsigned missed = 0;

	if (__builtin_expect(p->max < flow_part_max(ft), 0))
		flow_part_grow(p);
	fib_answers(ft, key, which, answer, n);
	for (unsigned i = 0; i < n; i++) {
		const struct flow_key *k = &key[which[i]];
		struct flow *f = part_current(p, k, generation);

		if (f != NULL) {
			nh[which[i]] = f->nh;
			flow_touch(f, k->word[0], flow_now_s());
			continue;
		}
		missed++;
		nh[which[i]] = answer[i] = flow_choose(ft, k, answer[i]);
		if (nexthop_enters(answer[i]) && !key_is_loopback(ft, k))
			part_put(p, k, answer[i], generation);
	}
	return missed;
}

static inline __attribute__((always_inline)) bool
lookup_batch(struct flow_part *p, const struct flow_key *key, struct nexthop **nh, unsigned n,
    unsigned words)
{
	const uint32_t generation = generation_now(), now = flow_now_s();
	const struct flow_block *block = p->block;
	uint32_t at[BATCH_MAX];
	uint64_t hash[BATCH_MAX];
	uint8_t missed[BATCH_MAX];
	unsigned nmissed = 0, one = 0;

	for (unsigned i = 0; i < n; i++) {
		hash[i] = flow_hash_of(p, &key[i], words);
		__builtin_prefetch(&block->bucket[(uint32_t)hash[i] & block->mask]);
	}
	for (unsigned i = 0; i < n; i++) {
		at[i] = bucket_guess(
		    &block->bucket[(uint32_t)hash[i] & block->mask], flow_tag_of(hash[i]));
		__builtin_prefetch(&block->flow[at[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &block->flow[at[i]];

		if (__builtin_expect(
			f->generation == generation && flow_key_equal(f, &key[i], words), 1)) {
			flow_touch(f, key[i].word[0], now);
			nh[i] = f->nh;
		} else {
			missed[nmissed++] = (uint8_t)i;
		}
	}
	if (nmissed > 0)
		nmissed = part_missed(p, key, missed, nh, nmissed, generation);
	flow_count(&p->stats.lookups, n);
	flow_count(&p->stats.misses, nmissed);
	flow_count(&p->stats.hits, n - nmissed);
	for (unsigned i = 1; i < n; i++)
		one += nh[i] == nh[0];
	return one + 1 >= n;
}

/* Without memory for a table: what the FIB says. */
static bool
lookup_without(
    const struct flowtable *ft, const struct flow_key *key, struct nexthop **nh, unsigned n)
{
	uint8_t all[BATCH_MAX];

	for (unsigned i = 0; i < n; i++)
		all[i] = (uint8_t)i;
	fib_answers(ft, key, all, nh, n);
	for (unsigned i = 0; i < n; i++)
		nh[i] = flow_choose(ft, &key[i], nh[i]);
	return false;
}

bool
flowtable_lookup_batch(
    struct flowtable *ft, const struct flow_key *key, struct nexthop **nh, unsigned n)
{
	struct flow_part *p = part_of(ft);

	if (__builtin_expect(n == 0 || p == NULL, 0))
		return n == 0 ? false : lookup_without(ft, key, nh, n);
	return ft->family == AF_INET ? lookup_batch(p, key, nh, n, 2) :
				       lookup_batch(p, key, nh, n, FLOW_KEY_WORDS);
}

bool
flowtable_lookup(struct flowtable *ft, const struct flow_key *key, struct flow_way *way)
{
	struct flow_part *p = ft->part[curworker->id];
	struct flow *f;

	if (p == NULL)
		return false;
	f = part_current(p, key, generation_now());
	flow_count(&p->stats.lookups, 1);
	flow_count(f != NULL ? &p->stats.hits : &p->stats.misses, 1);
	if (f == NULL)
		return false;
	flow_touch(f, key->word[0], flow_now_s());
	if (f->lle == NULL)
		__atomic_store_n(&f->lle, flow_neighbour(ft, key, f->nh), __ATOMIC_RELAXED);
	way->nh = f->nh;
	/* a gateway's stands with its next hop, which others change */
	way->lle = f->lle != NULL ? f->lle : __atomic_load_n(&f->nh->lle, __ATOMIC_ACQUIRE);
	return true;
}

/* --- by call -------------------- */

int
flowtable_insert(struct flowtable *ft, const struct flow_key *key, struct nexthop *nh)
{
	const uint32_t generation = generation_now();
	struct flow_part *p = part_of(ft);
	const uint8_t first = 0;

	if (key_is_loopback(ft, key))
		return -EADDRNOTAVAIL;
	if (p == NULL)
		return -ENOMEM;
	if (p->max < flow_part_max(ft))
		flow_part_grow(p);
	if (nh == NULL)
		fib_answers(ft, key, &first, &nh, 1);
	nh = flow_choose(ft, key, nh);
	if (nh == NULL)
		return -ENETUNREACH;
	if (!nexthop_enters(nh))
		return -EADDRNOTAVAIL;
	return part_put(p, key, nh, generation) ? 0 : -ENOSPC;
}

bool
flowtable_remove(struct flowtable *ft, const struct flow_key *key)
{
	struct flow_part *p = ft->part[curworker->id];
	const unsigned words = flow_words(ft);
	struct flow_place at;
	uint64_t hash;

	if (p == NULL)
		return false;
	hash = flow_hash_of(p, key, words);
	at = flow_part_find(p, key, hash, words);
	if (at.bucket == NULL)
		return false;
	flow_part_free(p, hash, at);
	return true;
}

uint32_t
flowtable_flush(struct flowtable *ft)
{
	struct flow_part *p = ft->part[curworker->id];
	const unsigned words = flow_words(ft);
	uint32_t n = 0;

	for (uint32_t i = 1; p != NULL && i <= p->used; i++) {
		struct flow *f = &p->block->flow[i];
		uint64_t hash;

		if (f->generation == 0)
			continue;
		hash = flow_hash_of(p, &f->key, words);
		flow_part_free(p, hash, flow_part_find(p, &f->key, hash, words));
		n++;
	}
	return n;
}

/* --- tables -------------------- */

struct flowtable *
flowtable_find(const char *name)
{
	struct flowtable *ft;

	LIST_FOREACH(ft, &V_flowtable_head, link)
		if (strcmp(ft->name, name) == 0)
			return ft;
	return NULL;
}

struct flowtable *
flowtable_new(const char *name, int family, unsigned flags, uint32_t max)
{
	struct flowtable *ft;

	if (flowtable_find(name) != NULL || strlen(name) >= FLOWTABLE_NAME)
		return NULL;
	if ((ft = vnet_malloc(sizeof(*ft))) == NULL)
		return NULL;
	strcpy(ft->name, name);
	ft->family = family;
	ft->flags = flags;
	ft->max = max;
	ft->vnet = curvnet;
	LIST_INSERT_HEAD(&V_flowtable_head, ft, link);
	__atomic_fetch_add(&tables_live, 1, __ATOMIC_RELAXED);
	return ft;
}

void
flowtable_free(struct flowtable *ft)
{
	for (unsigned w = 0; w < WORKERS_MAX; w++)
		if (ft->part[w] != NULL)
			flow_part_end(ft->part[w]);

	for (int slot = 0; slot < AF_SLOTS; slot++)
		if (V_flow_packets[slot] == ft)
			V_flow_packets[slot] = NULL;
	LIST_REMOVE(ft, link);
	__atomic_fetch_sub(&tables_live, 1, __ATOMIC_RELAXED);
	vnet_free(ft);
}

unsigned
flowtable_flags(const struct flowtable *ft)
{
	return ft->flags;
}

struct flowtable *
flowtable_packets_make(int family)
{
	const enum af_slot slot = family == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6;
	struct flowtable **ft = &V_flow_packets[slot];

	if (*ft == NULL)
		*ft = flowtable_new(slot == AF_SLOT_INET ? "ipv4" : "ipv6", family,
		    VNET(flowtable_ports) ? FL_HASH_ALL : 0, 0);
	return *ft;
}

void
flowtable_stats(const struct flowtable *ft, struct flow_stats *st)
{
	*st = (struct flow_stats){ 0 };
	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		const struct flow_part *p = rcu_deref(&ft->part[w]);
		uint64_t depth;

		if (p == NULL)
			continue;
#define SUM(field) st->field += __atomic_load_n(&p->stats.field, __ATOMIC_RELAXED)
		SUM(collisions);
		SUM(allocated);
		SUM(misses);
		SUM(free_checks);
		SUM(frees);
		SUM(hits);
		SUM(lookups);
#undef SUM
		depth = __atomic_load_n(&p->stats.max_depth, __ATOMIC_RELAXED);
		st->max_depth = depth > st->max_depth ? depth : st->max_depth;
	}
}

uint32_t
flowtable_count(const struct flowtable *ft)
{
	uint32_t n = 0;

	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		const struct flow_part *p = rcu_deref(&ft->part[w]);

		n += p == NULL ? 0 : __atomic_load_n(&p->count, __ATOMIC_RELAXED);
	}
	return n;
}

static void
flowtable_uninit(void *arg)
{
	struct flowtable *ft;

	(void)arg;
	while ((ft = LIST_FIRST(&V_flowtable_head)) != NULL)
		flowtable_free(ft);
}
VNET_SYSUNINIT(flowtable, SI_SUB_ROUTE, SI_ORDER_SECOND, flowtable_uninit, NULL);
