/*
 * flowtable.c - the flow cache.
 *
 * Each worker has its own part of a table, which nobody else writes: no locks, and no line that goes
 * from CPU to CPU. A look-up reads two cache lines: a bucket, in which 15 bits of the hash say where
 * to go on, and the flow. Batches make each step for all packets before the next, so that the lines
 * of up to 64 packets are under way at once (bench flowtable: 1,000,000 flows, 20 ns a look-up
 * instead of 100 one by one).
 *
 *	look-up		bucket -> flow with this key, filed under the present generation: hit
 *	miss		the FIB is asked, for all misses of a batch at once; then a new flow, or an
 *			old one made current
 *	cleaner		goes round once in CLEAN_PERIOD_S; takes what is not current, or idle
 *
 * Entries borrow their next hop and neighbour: no references. What makes that safe is told in
 * net/generation.h. The number has 31 bits that change; before it could come round to that of an
 * old entry the cleaner has been there, unless there were 100 million changes a second.
 *
 * Near its limit a part stops taking new flows: from max - max/32 on until there are less than
 * max - max/8. Meanwhile the cleaner comes five times as often, and nothing may be idle for longer
 * than FULL_LIFE_S. Packets of other flows are looked up in the FIB (behaviours 13; FreeBSD's code
 * of 2010 had the two states' times the wrong way round).
 */
#include "route/flowtable_internal.h"

#include "base/log.h"
#include "base/rng.h"
#include "kern/sysctl.h"
#include "net/generation.h"
#include "route/flow.h"
#include "route/rib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* The cleaner's round, in slices so that a big table never holds packets up for long. */
enum { CLEAN_PERIOD_S = 20, CLEAN_PERIOD_FULL_S = 4, CLEAN_SLICES = 16, FULL_LIFE_S = 5 };
/* 1024 + 64 * maxusers, as on a machine of the time with as many as it took (384). */
enum { NMBFLOWS = 1024 + 64 * 384, NMBFLOWS_MAX = 1 << 24 };

VNET_DEFINE(struct flowtablehead, flowtable_head);
VNET_DEFINE(bool, flowtable_enable) = false;
VNET_DEFINE_STATIC(bool, flowtable_debug);
VNET_DEFINE_STATIC(bool, flowtable_ports);
VNET_DEFINE_STATIC(uint32_t, flow_syn_expire) = 300;
VNET_DEFINE_STATIC(uint32_t, flow_udp_expire) = 300;
VNET_DEFINE_STATIC(uint32_t, flow_fin_wait_expire) = 600;
VNET_DEFINE_STATIC(uint32_t, flow_tcp_expire) = 86400;
VNET_DEFINE_STATIC(uint32_t, nmbflows) = NMBFLOWS;
VNET_DEFINE(struct flowtable *, flow_packets[AF_SLOTS]);
static uint32_t output_flowtable_size = 2048;

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
SYSCTL_VNET_BOOL(net_inet_flowtable_debug, "net.inet.flowtable.debug", SYSCTL_RW, flowtable_debug,
    "log when a flow table stops taking new flows, and when it goes on");
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
SYSCTL_VNET_UINT(net_inet_flowtable_syn_expire, "net.inet.flowtable.syn_expire", SYSCTL_RW,
    flow_syn_expire, 1, 86400 * 365,
    "seconds that a flow of TCP may be idle before it is answered");
SYSCTL_VNET_UINT(net_inet_flowtable_udp_expire, "net.inet.flowtable.udp_expire", SYSCTL_RW,
    flow_udp_expire, 1, 86400 * 365, "seconds that a flow of another protocol may be idle");
SYSCTL_VNET_UINT(net_inet_flowtable_fin_wait_expire, "net.inet.flowtable.fin_wait_expire",
    SYSCTL_RW, flow_fin_wait_expire, 1, 86400 * 365,
    "seconds that a flow of TCP may be idle behind its end");
SYSCTL_VNET_UINT(net_inet_flowtable_tcp_expire, "net.inet.flowtable.tcp_expire", SYSCTL_RW,
    flow_tcp_expire, 1, 86400 * 365, "seconds that a flow of TCP may be idle");
SYSCTL_UINT(net_inet_ip_output_flowtable_size, "net.inet.ip.output_flowtable_size", SYSCTL_RDTUN,
    output_flowtable_size, 1, NMBFLOWS_MAX / 4, "buckets that a flow table has at least");

struct lltable *(*flow_lltable[AF_SLOTS])(const struct ifnet *ifp);

static uint64_t flows_live, tables_live;

static uint64_t
flow_live(void)
{
	return __atomic_load_n(&flows_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(flow, "flow", flow_live);

static uint64_t
flowtable_live(void)
{
	return __atomic_load_n(&tables_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(flowtable, "flowtable", flowtable_live);

/* One worker counts, others read. */
static inline void
count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint32_t
now_s(void)
{
	return (uint32_t)(clock_now() / NS_PER_SEC);
}

/* --- where a flow is ------------------------------------------------------------------------ */

/* All but the class. */
static inline uint64_t
identity(uint64_t word0)
{
	return word0 << 8;
}

/*
 * Both halves of a product (as in Wang Yi's wyhash), with a key: nobody outside can choose flows so
 * that they meet.
 */
static inline uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline __attribute__((always_inline)) uint64_t
part_hash(const struct flow_part *p, const struct flow_key *k, unsigned words)
{
	uint64_t h = fold(identity(k->word[0]) ^ p->hash_key[0], k->word[1] ^ p->hash_key[1]);

	if (words == FLOW_KEY_WORDS) {
		h = fold(h ^ k->word[2], k->word[3] ^ p->hash_key[2]);
		h = fold(h ^ p->hash_key[0], k->word[4] ^ p->hash_key[1]);
	}
	return h;
}

uint64_t
flow_part_hash(const struct flow_part *p, const struct flow_key *k)
{
	return part_hash(p, k, flow_words(p->ft));
}

static inline uint16_t
tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48) | 1;
}

static inline __attribute__((always_inline)) bool
key_equal(const struct flow *f, const struct flow_key *k, unsigned words)
{
	uint64_t differ = identity(f->key.word[0] ^ k->word[0]);

	for (unsigned w = 1; w < words; w++)
		differ |= f->key.word[w] ^ k->word[w];
	return differ == 0;
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

/* A slot of a bucket or of those behind it; bucket NULL = none. */
struct flow_place {
	struct flow_bucket *bucket;
	unsigned slot;
};

/* Where the flow with this key stands, current or not. */
static struct flow_place
part_find(const struct flow_part *p, const struct flow_key *k, uint64_t hash, unsigned words)
{
	const struct flow_block *block = p->block;
	uint32_t at = (uint32_t)hash & block->mask;

	for (;;) {
		struct flow_bucket *b = &block->bucket[at];

		for (unsigned s = 0; s < FLOW_SLOTS; s++)
			if (b->tag[s] == tag_of(hash) &&
			    key_equal(&block->flow[b->flow[s]], k, words))
				return (struct flow_place){ b, s };
		if ((at = b->next) == 0)
			return (struct flow_place){ NULL, 0 };
	}
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint32_t
part_max(const struct flowtable *ft)
{
	return ft->max != 0 ? ft->max : VNET_OF(ft->vnet, nmbflows);
}

/* Ask for big pages where they fit in whole; it is all the same if there are none. */
static void
huge_pages(void *p, size_t bytes)
{
	const uintptr_t page = 2 << 20, from = ((uintptr_t)p + page - 1) & ~(page - 1);
	const uintptr_t to = ((uintptr_t)p + bytes) & ~(page - 1);

	if (to > from)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

/*
 * Buckets for four flows each on average, so that hardly one in fifty has more than its eight, and
 * an eighth more for these. calloc's memory costs nothing before it is touched.
 */
static struct flow_block *
block_new(uint32_t room)
{
	uint32_t buckets = 8, spares;
	struct flow_block *block;
	size_t bytes;

	while (buckets < room / 4 || buckets < output_flowtable_size)
		buckets *= 2;
	spares = buckets / 8 + 8;
	bytes = 128 + sizeof(struct flow_bucket) * (buckets + spares) +
	    sizeof(struct flow) * ((size_t)room + 1);
	block = route_alloc(bytes);
	if (block == NULL)
		return NULL;
	/* few entries of the TLB: 1,000,000 flows 30 -> 19 ns a look-up (bench flowtable) */
	huge_pages(block, bytes);
	block->room = room;
	block->mask = buckets - 1;
	block->spares = spares;
	block->bucket = (struct flow_bucket *)(void *)((uint8_t *)block + 128);
	block->flow = (struct flow *)(void *)(block->bucket + buckets + spares);
	return block;
}
_Static_assert(sizeof(struct flow_block) <= 128, "the buckets begin behind it, at a cache line");

static void
block_free_late(struct rcu_head *h)
{
	route_dealloc((uint8_t *)h - offsetof(struct flow_block, rcu));
}

static void part_clean(void *arg);

/* This worker's part, made at its first use; NULL without memory. */
static struct flow_part *
part_make(struct flowtable *ft)
{
	struct flow_part *p;
	struct rng rng;
	VNET_SCOPE(ft->vnet);

	if ((p = vnet_malloc(sizeof(*p))) == NULL)
		return NULL;
	p->ft = ft;
	p->max = part_max(ft);
	if ((p->block = block_new(p->max)) == NULL) {
		vnet_free(p);
		return NULL;
	}
	rng_seed(&rng, rng_process_seed, ft->name);
	for (unsigned i = 0; i < 3; i++)
		p->hash_key[i] = rng_u64(&rng);
	callout_init(&p->cleaner, ft->vnet, part_clean, p);
	rcu_publish(&ft->part[curworker->id], p);
	return p;
}

static inline struct flow_part *
part_of(struct flowtable *ft)
{
	struct flow_part *p = ft->part[curworker->id];

	return __builtin_expect(p != NULL, 1) ? p : part_make(ft);
}

/* --- entries come and go ----------------------------------------------------------------------- */

static void
cleaner_arm(struct flow_part *p)
{
	const uint64_t period = p->full ? CLEAN_PERIOD_FULL_S : CLEAN_PERIOD_S;

	callout_reset(&p->cleaner, period * NS_PER_SEC / CLEAN_SLICES);
}

/* The number of flows has changed: does the part take new ones? */
static void
part_counted(struct flow_part *p)
{
	const bool full = p->full ? p->count >= p->max - p->max / 8 :
				    p->count > p->max - p->max / 32;

	if (full == p->full)
		return;
	p->full = full;
	if (VNET_OF(p->ft->vnet, flowtable_debug))
		log_msg(LOG_LVL_NOTICE, "flow table %s: %u of %u flows, %s new ones", p->ft->name,
		    p->count, p->max, full ? "takes no" : "takes");
	if (full)
		cleaner_arm(p);
}

/* Is f of no use any more? */
static bool
flow_is_old(const struct flow_part *p, const struct flow *f, uint32_t generation, uint32_t now)
{
	const struct vnet *vnet = p->ft->vnet;
	uint32_t life;

	if (f->generation != generation)
		return true;
	switch ((enum flow_class)(f->key.word[0] >> 56)) {
	case FLOW_SYN:
		life = VNET_OF(vnet, flow_syn_expire);
		break;
	case FLOW_TCP:
		life = VNET_OF(vnet, flow_tcp_expire);
		break;
	case FLOW_FIN:
		life = VNET_OF(vnet, flow_fin_wait_expire);
		break;
	default:
		life = VNET_OF(vnet, flow_udp_expire);
	}
	if (p->full && life > FULL_LIFE_S)
		life = FULL_LIFE_S;
	return now - f->used_s >= life;
}

/* Take the spare buckets behind `at` that are empty out of its chain. */
static void
chain_tidy(struct flow_part *p, struct flow_bucket *b)
{
	while (b->next != 0) {
		struct flow_bucket *spare = &p->block->bucket[b->next];
		const uint32_t index = b->next;

		if ((load64(spare->tag) | load64(spare->tag + 4)) != 0) {
			b = spare;
			continue;
		}
		b->next = spare->next;
		spare->next = p->free_spare;
		p->free_spare = index;
	}
}

/* The entry at a place goes. */
static void
flow_free(struct flow_part *p, uint64_t hash, struct flow_place at)
{
	const uint32_t index = at.bucket->flow[at.slot];
	struct flow *f = &p->block->flow[index];

	at.bucket->tag[at.slot] = 0;
	at.bucket->flow[at.slot] = 0;
	chain_tidy(p, &p->block->bucket[(uint32_t)hash & p->block->mask]);
	__atomic_store_n(&f->generation, 0, __ATOMIC_RELEASE);
	f->used_s = p->free_flow;
	p->free_flow = index;
	__atomic_store_n(&p->count, p->count - 1, __ATOMIC_RELAXED);
	count(&p->stats.frees, 1);
	__atomic_fetch_sub(&flows_live, 1, __ATOMIC_RELAXED);
	part_counted(p);
}

static uint32_t
spare_new(struct flow_part *p)
{
	uint32_t index = p->free_spare;

	if (index != 0) {
		p->free_spare = p->block->bucket[index].next;
		p->block->bucket[index].next = 0;
		return index;
	}
	return p->used_spares == p->block->spares ? 0 : p->block->mask + 1 + p->used_spares++;
}

/* An empty slot for hash, and how many flows its chain holds before. */
static struct flow_place
slot_new(struct flow_part *p, uint64_t hash, uint32_t *before)
{
	struct flow_bucket *b = &p->block->bucket[(uint32_t)hash & p->block->mask];
	struct flow_place place = { NULL, 0 };

	*before = 0;
	for (;; b = &p->block->bucket[b->next]) {
		for (unsigned s = 0; s < FLOW_SLOTS; s++)
			if (b->tag[s] != 0)
				++*before;
			else if (place.bucket == NULL)
				place = (struct flow_place){ b, s };
		if (b->next == 0)
			break;
	}
	if (place.bucket == NULL && (b->next = spare_new(p)) != 0)
		place = (struct flow_place){ &p->block->bucket[b->next], 0 };
	return place;
}

/* A new entry for a key that has none; NULL if the part takes none. Its contents are the caller's. */
static struct flow *
flow_new(struct flow_part *p, uint64_t hash)
{
	struct flow_place place;
	uint32_t index, before;

	if (p->full || (p->free_flow == 0 && p->used == p->block->room))
		return NULL;
	place = slot_new(p, hash, &before);
	if (place.bucket == NULL)
		return NULL;
	if ((index = p->free_flow) != 0)
		p->free_flow = p->block->flow[index].used_s;
	else
		index = ++p->used;
	place.bucket->tag[place.slot] = tag_of(hash);
	place.bucket->flow[place.slot] = index;
	count(&p->stats.allocated, 1);
	count(&p->stats.collisions, before > 0);
	if (before + 1 > p->stats.max_depth)
		count(&p->stats.max_depth, before + 1 - p->stats.max_depth);
	__atomic_fetch_add(&flows_live, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&p->count, p->count + 1, __ATOMIC_RELAXED);
	part_counted(p);
	if (!callout_armed(&p->cleaner))
		cleaner_arm(p);
	return &p->block->flow[index];
}

/* The generation last: what a reader sees of an entry before is no entry. */
static void
flow_copy(struct flow *to, const struct flow *from)
{
	struct flow copy = *from;

	copy.generation = 0;
	*to = copy;
	__atomic_store_n(&to->generation, from->generation, __ATOMIC_RELEASE);
}

/* The limit has been raised: the flows move. Without memory all stays as it is. */
static void
part_grow(struct flow_part *p)
{
	const unsigned words = flow_words(p->ft);
	struct flow_block *old = p->block, *block;
	struct flow_part before = *p;
	VNET_SCOPE(p->ft->vnet);

	p->max = part_max(p->ft);
	if (p->max <= old->room || (block = block_new(p->max)) == NULL) {
		p->max = before.max;
		return;
	}
	rcu_publish(&p->block, block);
	p->count = p->used = p->free_flow = p->used_spares = p->free_spare = p->clean_at = 0;
	p->full = false;
	for (uint32_t i = 1; i <= before.used; i++) {
		const struct flow *f = &old->flow[i];
		struct flow *to;

		if (f->generation == 0 || (to = flow_new(p, part_hash(p, &f->key, words))) == NULL)
			continue;
		flow_copy(to, f);
	}
	p->stats = before.stats;
	/* they moved: all that there were before, none is new */
	__atomic_fetch_sub(&flows_live, before.count, __ATOMIC_RELAXED);
	rcu_call(&old->rcu, block_free_late);
}

/* --- the cleaner --------------------------------------------------------------------------------- */

/* One slice of the round. */
static void
part_clean(void *arg)
{
	struct flow_part *p = arg;
	const unsigned words = flow_words(p->ft);
	const uint32_t generation = generation_now(), now = now_s();
	uint32_t left = p->used / CLEAN_SLICES + 1, checks = 0;

	for (; left > 0; left--) {
		struct flow *f;
		uint64_t hash;

		p->clean_at = p->clean_at >= p->used ? 1 : p->clean_at + 1;
		f = &p->block->flow[p->clean_at];
		if (f->generation == 0)
			continue;
		checks++;
		if (!flow_is_old(p, f, generation, now))
			continue;
		hash = part_hash(p, &f->key, words);
		flow_free(p, hash, part_find(p, &f->key, hash, words));
	}
	count(&p->stats.free_checks, checks);
	/* without flows there is nothing to do: virtual time may end */
	if (p->count > 0)
		cleaner_arm(p);
}

/* --- look-ups -------------------------------------------------------------------------------------- */

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
	__atomic_store_n(&f->used_s, now_s(), __ATOMIC_RELAXED);
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
	const uint64_t l4 = identity(k->word[0]) >> 8;
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
	const uint64_t hash = part_hash(p, k, words);
	const struct flow_place at = part_find(p, k, hash, words);
	struct flow *f;

	if (at.bucket != NULL)
		f = &p->block->flow[at.bucket->flow[at.slot]];
	else if ((f = flow_new(p, hash)) == NULL)
		return false;
	flow_write(p, f, k, nh, generation);
	return true;
}

/* The entry of k if it is current, else NULL. */
static struct flow *
part_current(const struct flow_part *p, const struct flow_key *k, uint32_t generation)
{
	const unsigned words = flow_words(p->ft);
	const struct flow_place at = part_find(p, k, part_hash(p, k, words), words);
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

	if (__builtin_expect(p->max < part_max(ft), 0))
		part_grow(p);
	fib_answers(ft, key, which, answer, n);
	for (unsigned i = 0; i < n; i++) {
		const struct flow_key *k = &key[which[i]];
		struct flow *f = part_current(p, k, generation);

		if (f != NULL) {
			nh[which[i]] = f->nh;
			flow_touch(f, k->word[0], now_s());
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
	const uint32_t generation = generation_now(), now = now_s();
	const struct flow_block *block = p->block;
	uint32_t at[BATCH_MAX];
	uint64_t hash[BATCH_MAX];
	uint8_t missed[BATCH_MAX];
	unsigned nmissed = 0, one = 0;

	for (unsigned i = 0; i < n; i++) {
		hash[i] = part_hash(p, &key[i], words);
		__builtin_prefetch(&block->bucket[(uint32_t)hash[i] & block->mask]);
	}
	for (unsigned i = 0; i < n; i++) {
		at[i] = bucket_guess(
		    &block->bucket[(uint32_t)hash[i] & block->mask], tag_of(hash[i]));
		__builtin_prefetch(&block->flow[at[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &block->flow[at[i]];

		if (__builtin_expect(
			f->generation == generation && key_equal(f, &key[i], words), 1)) {
			flow_touch(f, key[i].word[0], now);
			nh[i] = f->nh;
		} else {
			missed[nmissed++] = (uint8_t)i;
		}
	}
	if (nmissed > 0)
		nmissed = part_missed(p, key, missed, nh, nmissed, generation);
	count(&p->stats.lookups, n);
	count(&p->stats.misses, nmissed);
	count(&p->stats.hits, n - nmissed);
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
	count(&p->stats.lookups, 1);
	count(f != NULL ? &p->stats.hits : &p->stats.misses, 1);
	if (f == NULL)
		return false;
	flow_touch(f, key->word[0], now_s());
	if (f->lle == NULL)
		f->lle = flow_neighbour(ft, key, f->nh);
	way->nh = f->nh;
	/* a gateway's stands with its next hop, which others change */
	way->lle = f->lle != NULL ? f->lle : __atomic_load_n(&f->nh->lle, __ATOMIC_ACQUIRE);
	return true;
}

/* --- by call ----------------------------------------------------------------------------------------- */

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
	if (p->max < part_max(ft))
		part_grow(p);
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
	hash = part_hash(p, key, words);
	at = part_find(p, key, hash, words);
	if (at.bucket == NULL)
		return false;
	flow_free(p, hash, at);
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
		hash = part_hash(p, &f->key, words);
		flow_free(p, hash, part_find(p, &f->key, hash, words));
		n++;
	}
	return n;
}

/* --- tables -------------------------------------------------------------------------------------------- */

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
	for (unsigned w = 0; w < WORKERS_MAX; w++) {
		struct flow_part *p = ft->part[w];

		if (p == NULL)
			continue;
		callout_drain(&p->cleaner);
		__atomic_fetch_sub(&flows_live, p->count, __ATOMIC_RELAXED);
		route_dealloc(p->block);
		vnet_free(p);
	}
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

/* Can only grow: entries are where they are. */
static int
nmbflows_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	uint64_t value;

	(void)oid;
	if (req->set == NULL) {
		snprintf(req->text, req->text_len, "%u", VNET(nmbflows));
		return 0;
	}
	if (!verb_number(req->set, VNET(nmbflows), NMBFLOWS_MAX, &value))
		return -EINVAL;
	VNET(nmbflows) = (uint32_t)value;
	return 0;
}
SYSCTL_PROC(net_inet_flowtable_nmbflows, "net.inet.flowtable.nmbflows", SYSCTL_RW | SYSCTL_VNET,
    SYSCTL_T_UINT, nmbflows_sysctl,
    "flows that a worker's part of a flow table holds; can only grow, to 16777216");

static void
flowtable_uninit(void *arg)
{
	struct flowtable *ft;

	(void)arg;
	while ((ft = LIST_FIRST(&V_flowtable_head)) != NULL)
		flowtable_free(ft);
}
VNET_SYSUNINIT(flowtable, SI_SUB_ROUTE, SI_ORDER_SECOND, flowtable_uninit, NULL);
