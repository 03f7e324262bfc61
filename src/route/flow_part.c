/*
 * flow_part.c - one worker's part of a flow table: where an entry is, how it comes and goes.
 *
 * A bucket is a cache line with eight slots: 15 bits of the hash, and the flow's index. What
 * doesn't fit in stands in spare buckets behind it.
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
#include "route/rib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* The cleaner's round, in slices so that a big table never holds packets up for long. */
enum { CLEAN_PERIOD_S = 20, CLEAN_PERIOD_FULL_S = 4, CLEAN_SLICES = 16, FULL_LIFE_S = 5 };
/* 1024 + 64 * maxusers, as on a machine of the time with as many as it took (384). */
enum { NMBFLOWS = 1024 + 64 * 384, NMBFLOWS_MAX = 1 << 24 };

VNET_DEFINE_STATIC(bool, flowtable_debug);
VNET_DEFINE_STATIC(uint32_t, flow_syn_expire) = 300;
VNET_DEFINE_STATIC(uint32_t, flow_udp_expire) = 300;
VNET_DEFINE_STATIC(uint32_t, flow_fin_wait_expire) = 600;
VNET_DEFINE_STATIC(uint32_t, flow_tcp_expire) = 86400;
VNET_DEFINE_STATIC(uint32_t, nmbflows) = NMBFLOWS;
static uint32_t output_flowtable_size = 2048;

SYSCTL_VNET_BOOL(net_inet_flowtable_debug, "net.inet.flowtable.debug", SYSCTL_RW, flowtable_debug,
    "log when a flow table stops taking new flows, and when it goes on");
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

static uint64_t flows_live;
AUDIT_COUNTER(flow, "flow", flows_live);

/* --- where a flow is ---------------------------------------------------------------------- */

uint64_t
flow_part_hash(const struct flow_part *p, const struct flow_key *k)
{
	return flow_hash_of(p, k, flow_words(p->ft));
}

struct flow_place
flow_part_find(const struct flow_part *p, const struct flow_key *k, uint64_t hash, unsigned words)
{
	const struct flow_block *block = p->block;
	uint32_t at = (uint32_t)hash & block->mask;

	for (;;) {
		struct flow_bucket *b = &block->bucket[at];

		for (unsigned s = 0; s < FLOW_SLOTS; s++)
			if (b->tag[s] == flow_tag_of(hash) &&
			    flow_key_equal(&block->flow[b->flow[s]], k, words))
				return (struct flow_place){ b, s };
		if ((at = b->next) == 0)
			return (struct flow_place){ NULL, 0 };
	}
}

/* --- memory ----------------------------------------------------------------------------------- */

uint32_t
flow_part_max(const struct flowtable *ft)
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

struct flow_part *
flow_part_make(struct flowtable *ft)
{
	struct flow_part *p;
	struct rng rng;
	VNET_SCOPE(ft->vnet);

	if ((p = vnet_malloc(sizeof(*p))) == NULL)
		return NULL;
	p->ft = ft;
	p->max = flow_part_max(ft);
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

/* --- entries come and go -------------------- */

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

void
flow_part_free(struct flow_part *p, uint64_t hash, struct flow_place at)
{
	const uint32_t index = at.bucket->flow[at.slot];
	struct flow *f = &p->block->flow[index];

	at.bucket->tag[at.slot] = 0;
	at.bucket->flow[at.slot] = 0;
	chain_tidy(p, &p->block->bucket[(uint32_t)hash & p->block->mask]);
	__atomic_store_n(&f->generation, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&f->used_s, p->free_flow, __ATOMIC_RELAXED);
	p->free_flow = index;
	__atomic_store_n(&p->count, p->count - 1, __ATOMIC_RELAXED);
	flow_count(&p->stats.frees, 1);
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

struct flow *
flow_part_new(struct flow_part *p, uint64_t hash)
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
	place.bucket->tag[place.slot] = flow_tag_of(hash);
	place.bucket->flow[place.slot] = index;
	flow_count(&p->stats.allocated, 1);
	flow_count(&p->stats.collisions, before > 0);
	if (before + 1 > p->stats.max_depth)
		flow_count(&p->stats.max_depth, before + 1 - p->stats.max_depth);
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

void
flow_part_grow(struct flow_part *p)
{
	const unsigned words = flow_words(p->ft);
	struct flow_block *old = p->block, *block;
	struct flow_part before = *p;
	VNET_SCOPE(p->ft->vnet);

	p->max = flow_part_max(p->ft);
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

		if (f->generation == 0 ||
		    (to = flow_part_new(p, flow_hash_of(p, &f->key, words))) == NULL)
			continue;
		flow_copy(to, f);
	}
	p->stats = before.stats;
	/* they moved: all that there were before, none is new */
	__atomic_fetch_sub(&flows_live, before.count, __ATOMIC_RELAXED);
	rcu_call(&old->rcu, block_free_late);
}

/* --- the cleaner -------------------- */

/* One slice of the round. */
static void
part_clean(void *arg)
{
	struct flow_part *p = arg;
	const unsigned words = flow_words(p->ft);
	const uint32_t generation = generation_now(), now = flow_now_s();
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
		hash = flow_hash_of(p, &f->key, words);
		flow_part_free(p, hash, flow_part_find(p, &f->key, hash, words));
	}
	flow_count(&p->stats.free_checks, checks);
	/* without flows there is nothing to do: virtual time may end */
	if (p->count > 0)
		cleaner_arm(p);
}

void
flow_part_end(struct flow_part *p)
{
	callout_drain(&p->cleaner);
	__atomic_fetch_sub(&flows_live, p->count, __ATOMIC_RELAXED);
	route_dealloc(p->block);
	vnet_free(p);
}
