/*
 * lltable.c - who is where on the link.
 *
 * Entries hang in a hash that is made with the first one and doubles; readers walk its chains
 * without locks. A reader that races with a doubling can miss an entry, never loop: it then takes
 * the slow way, which looks again.
 *
 * References: the table's while LLE_LINKED, one of an armed timer, one of each holder. Every entry,
 * linked or not, holds its table, so lle->table can be read as long as the entry can; the table's
 * interface is NULL once the table has been freed by its owner.
 */
#include "net/lltable.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/rng.h"
#include "net/ethernet.h"
#include "net/generation.h"

#include <assert.h>
#include <string.h>

enum { HASH_FIRST = 8 };

DROP_DEFINE(
    DROP_LLE_GONE, "lltable", "gone", "neighbour entry was deleted while the packet waited");
DROP_DEFINE(DROP_LLE_EVICTED, "lltable", "evicted",
    "neighbour table is full: the entry made room for another while the packet waited");

VNET_DEFINE(struct lltablehead, lltable_head);
/* False when certainly no packet waits in any entry of the stack. */
VNET_DEFINE_STATIC(bool, lle_holds);
#define V_lle_holds VNET(lle_holds)

/* The mask lies beside the buckets that it goes with: a reader has both or neither. */
struct hash_block {
	struct rcu_head rcu;
	uint32_t mask;
	struct llentry *slot[];
};

static uint64_t entries_live, tables_live; /* atomic: freed behind the readers */

uint64_t
lle_live(void)
{
	return __atomic_load_n(&entries_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(llentry, "llentry", lle_live);
AUDIT_COUNTER(lltable, "lltable", tables_live);

/* --- hash ---------------------------------------------------------------- */

static struct hash_block *
hash_block_of(struct llentry **hash)
{
	return (struct hash_block *)(void *)((uint8_t *)hash - offsetof(struct hash_block, slot));
}

/*
 * With a key: addresses that differ in their last bytes only, or that somebody chose so that they
 * meet, are spread all the same.
 */
static inline uint32_t
addr_hash(const struct lltable *t, const void *addr)
{
	const uint8_t *a = addr;
	uint64_t first = t->addrlen == 4 ? load32(a) : load64(a);
	uint64_t last = t->addrlen == 4 ? 0 : load64(a + 8);

	return (uint32_t)hash_fold(first ^ t->hash_key[0], last ^ t->hash_key[1]);
}

static inline bool
addr_equal(const struct lltable *t, const struct llentry *lle, const void *addr)
{
	if (t->addrlen == 4)
		return load32(lle->addr) == load32(addr);
	return memcmp(lle->addr, addr, t->addrlen) == 0;
}

struct llentry *
lla_find(struct lltable *t, const void *addr)
{
	struct llentry **hash = rcu_deref(&t->hash);
	struct llentry *lle;

	if (hash == NULL)
		return NULL;
	for (lle = rcu_deref(&hash[addr_hash(t, addr) & hash_block_of(hash)->mask]); lle != NULL;
	     lle = rcu_deref(&lle->hnext))
		if (addr_equal(t, lle, addr))
			return lle;
	return NULL;
}

static void
hash_free_late(struct rcu_head *h)
{
	vnet_free(h); /* first in its block */
}

static void
hash_insert(struct lltable *t, struct llentry **hash, uint32_t mask, struct llentry *lle)
{
	struct llentry **slot = &hash[addr_hash(t, lle->addr) & mask];

	__atomic_store_n(&lle->hnext, *slot, __ATOMIC_RELAXED);
	rcu_publish(slot, lle);
}

static void
hash_remove(struct lltable *t, struct llentry *lle)
{
	struct llentry **slot = &t->hash[addr_hash(t, lle->addr) & t->hash_mask];

	while (*slot != lle)
		slot = &(*slot)->hnext;
	rcu_publish(slot, lle->hnext);
}

/*
 * Room for one more entry: twice the buckets when there are as many entries. False only without any
 * hash.
 */
static bool
hash_grow(struct lltable *t)
{
	uint32_t size = t->hash == NULL ? HASH_FIRST : 2 * (t->hash_mask + 1);
	struct llentry **old = t->hash;
	struct hash_block *block;
	struct llentry *lle;

	if (old != NULL && t->count <= t->hash_mask)
		return true;
	block = vnet_malloc(sizeof(*block) + size * sizeof(struct llentry *));
	if (block == NULL)
		return old != NULL;
	block->mask = size - 1;
	TAILQ_FOREACH(lle, &t->entries, link)
		hash_insert(t, block->slot, size - 1, lle);
	rcu_publish(&t->hash, (struct llentry **)block->slot);
	t->hash_mask = size - 1;
	if (old != NULL)
		rcu_call(&hash_block_of(old)->rcu, hash_free_late);
	return true;
}

/* The last entry went: an interface with no neighbour has no hash. */
static void
hash_give_back(struct lltable *t)
{
	struct llentry **old = t->hash;

	rcu_publish(&t->hash, NULL);
	t->hash_mask = 0;
	rcu_call(&hash_block_of(old)->rcu, hash_free_late);
}

/* --- tables -------------------------------------------------------------- */

struct lltable *
lltable_new(struct ifnet *ifp, int family, uint32_t limit)
{
	struct lltable *t = vnet_malloc(sizeof(*t));
	struct rng rng;

	if (t == NULL)
		return NULL;
	rng_seed(&rng, rng_process_seed, "lltable");
	t->hash_key[0] = rng_u64(&rng);
	t->hash_key[1] = rng_u64(&rng);
	t->ifp = ifp;
	t->family = family;
	t->addrlen = family == AF_INET ? 4 : 16;
	t->limit = limit;
	t->vnet = curvnet;
	t->refs = 1;
	TAILQ_INIT(&t->entries);
	TAILQ_INIT(&t->idle);
	LIST_INSERT_HEAD(&V_lltable_head, t, all);
	LIST_INSERT_HEAD(&ifp->if_lltables, t, of_ifp);
	__atomic_fetch_add(&tables_live, 1, __ATOMIC_RELAXED);
	return t;
}

static void
lltable_rele(struct lltable *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	__atomic_fetch_sub(&tables_live, 1, __ATOMIC_RELAXED);
	vnet_free(t);
}

static void
table_free_late(struct rcu_head *h)
{
	struct lltable *t = (struct lltable *)(void *)((uint8_t *)h -
	    offsetof(struct lltable, rcu));

	lltable_rele(t);
}

void
lltable_free(struct lltable *t)
{
	struct llentry *lle;

	while ((lle = TAILQ_FIRST(&t->entries)) != NULL)
		lla_delete(lle);
	LIST_REMOVE(t, of_ifp);
	LIST_REMOVE(t, all);
	t->ifp = NULL;
	rcu_call(&t->rcu, table_free_late);
}

/* --- entries ------------------------------------------------------------- */

struct llentry *
lle_ref(struct llentry *lle)
{
	__atomic_fetch_add(&lle->refs, 1, __ATOMIC_RELAXED);
	return lle;
}

static void
lle_free_late(struct rcu_head *h)
{
	struct llentry *lle = (struct llentry *)(void *)((uint8_t *)h -
	    offsetof(struct llentry, rcu));
	struct lltable *t = lle->table;

	vnet_free(lle);
	__atomic_fetch_sub(&entries_live, 1, __ATOMIC_RELAXED);
	lltable_rele(t);
}

void
lle_rele(struct llentry *lle)
{
	uint32_t left = __atomic_sub_fetch(&lle->refs, 1, __ATOMIC_ACQ_REL);

	assert((int32_t)left >= 0);
	if (left != 0)
		return;
	assert(!(lle->flags & LLE_LINKED) && !callout_armed(&lle->timer) && lle->hold.len == 0);
	if (lle->table->entry_free != NULL)
		lle->table->entry_free(lle);
	rcu_call(&lle->rcu, lle_free_late);
}

void
lle_idle(struct llentry *lle, bool idle)
{
	if (idle == ((lle->flags & LLE_IDLE) != 0) || (idle && !(lle->flags & LLE_TRAFFIC)))
		return;
	lle->flags ^= LLE_IDLE;
	if (idle)
		TAILQ_INSERT_TAIL(&lle->table->idle, lle, idle);
	else
		TAILQ_REMOVE(&lle->table->idle, lle, idle);
}

void
lle_by_hand(struct llentry *lle)
{
	lle_idle(lle, false);
	if (lle->flags & LLE_TRAFFIC)
		lle->table->from_traffic--;
	lle->flags = (uint16_t)(lle->flags & ~LLE_TRAFFIC);
}

static void
lle_drop_held(struct llentry *lle, const struct drop_reason *why)
{
	struct mbuf *m;
	VNET_SCOPE(lle->table->vnet);

	while ((m = mbufq_pop(&lle->hold)) != NULL)
		m_drop(m, why);
}

/*
 * Room for one that traffic makes. Each that goes was once paid for by its coming, so this costs
 * O(1) an entry, also behind a limit that was lowered.
 */
static bool
has_room(struct lltable *t)
{
	struct llentry *lle;

	while (t->from_traffic >= t->limit && (lle = TAILQ_FIRST(&t->idle)) != NULL) {
		lle_drop_held(lle, &DROP_LLE_EVICTED);
		lla_delete(lle);
	}
	return t->from_traffic < t->limit;
}

struct llentry *
lla_create(struct lltable *t, const void *addr, uint16_t ethertype, bool for_traffic)
{
	struct llentry *lle = lla_find(t, addr);
	be16 type = to_be16(ethertype);

	if (lle != NULL && !for_traffic)
		lle_by_hand(lle);
	if (lle != NULL)
		return lle;
	if (for_traffic && !has_room(t))
		return NULL;
	/* The entry first: a hash without any would never be given back. */
	lle = vnet_malloc(sizeof(*lle));
	if (lle == NULL)
		return NULL;
	if (!hash_grow(t)) {
		vnet_free(lle);
		return NULL;
	}
	lle->table = t;
	lle->refs = 1;
	lle->flags = LLE_LINKED | (for_traffic ? LLE_TRAFFIC : 0);
	t->from_traffic += for_traffic;
	memcpy(lle->addr, addr, t->addrlen);
	memcpy(lle->header + 6, t->ifp->if_lladdr, 6);
	memcpy(lle->header + 12, &type, 2);
	mbufq_init(&lle->hold);
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	TAILQ_INSERT_TAIL(&t->entries, lle, link);
	t->count++;
	hash_insert(t, t->hash, t->hash_mask, lle);
	__atomic_fetch_add(&entries_live, 1, __ATOMIC_RELAXED);
	return lle;
}

void
lla_delete(struct llentry *lle)
{
	struct lltable *t = lle->table;

	if (!(lle->flags & LLE_LINKED))
		return;
	lle_by_hand(lle);
	hash_remove(t, lle);
	TAILQ_REMOVE(&t->entries, lle, link);
	if (--t->count == 0)
		hash_give_back(t);
	lle->flags = (uint16_t)((lle->flags & ~(LLE_LINKED | LLE_VALID)) | LLE_DELETED);
	generation_bump_in(t->vnet);
	lle_drop_held(lle, &DROP_LLE_GONE);
	if (callout_drain(&lle->timer))
		lle_rele(lle);
	lle_rele(lle);
}

/*
 * The timer's reference is taken before it is armed; one that was armed already gives back its own.
 */
void
lle_timer(struct llentry *lle, uint64_t delay_ns, void (*fn)(void *lle))
{
	bool was_armed;

	if (delay_ns == 0) {
		was_armed = callout_stop(&lle->timer);
	} else {
		lle_ref(lle);
		was_armed = callout_stop(&lle->timer);
		callout_init(&lle->timer, lle->table->vnet, fn, lle);
		callout_reset(&lle->timer, delay_ns);
	}
	if (was_armed)
		lle_rele(lle);
}

void
lle_resolve(struct llentry *lle, const uint8_t lladdr[6])
{
	/* A reader either has the old header or is kept off while the new one is written. */
	lle->flags = (uint16_t)(lle->flags & ~LLE_VALID);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(lle->header, lladdr, 6);
	memcpy(lle->header + 6, lle->table->ifp->if_lladdr, 6);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	lle->flags = (uint16_t)(lle->flags | LLE_VALID);
	lle->confirmed_ns = clock_now();
}

void
lle_unresolve(struct llentry *lle)
{
	lle->flags = (uint16_t)(lle->flags & ~LLE_VALID);
}

void
lle_hold(struct llentry *lle, struct mbuf *m, uint32_t maxhold, const struct drop_reason *overflow)
{
	VNET_SCOPE(lle->table->vnet);

	if (maxhold == 0) {
		m_drop(m, overflow);
		return;
	}
	while (lle->hold.len >= maxhold)
		m_drop(mbufq_pop(&lle->hold), overflow);
	mbufq_push(&lle->hold, m);
	V_lle_holds = true;
}

void
lle_take_held(struct llentry *lle, struct mbufq *q)
{
	*q = lle->hold;
	if (q->len == 0)
		mbufq_init(q);
	mbufq_init(&lle->hold);
}

void
lle_send_held(struct llentry *lle, const struct drop_reason *nobufs)
{
	struct ifnet *ifp = lle->table->ifp;
	struct batch out;
	struct mbufq held;
	struct mbuf *m;

	lle_take_held(lle, &held);
	out.n = 0;
	while ((m = mbufq_pop(&held)) != NULL) {
		m = m_prepend(m, ETHER_HDR_LEN_);
		if (m == NULL) {
			drop_count(nobufs, 1);
			continue;
		}
		memcpy(m->data, lle->header, ETHER_HDR_LEN_);
		if (m->when_ns < clock_now())
			m->when_ns = clock_now();
		batch_add(&out, m);
		if (batch_full(&out))
			if_transmit_batch(ifp, &out);
	}
	if (out.n > 0)
		if_transmit_batch(ifp, &out);
}

void
lltable_lladdr_changed(struct ifnet *ifp)
{
	struct lltable *t;
	struct llentry *lle;

	LIST_FOREACH(t, &ifp->if_lltables, of_ifp)
		TAILQ_FOREACH(lle, &t->entries, link)
			memcpy(lle->header + 6, ifp->if_lladdr, 6);
}

void
lltable_forget_rcvif(const struct ifnet *ifp)
{
	struct lltable *t;
	struct llentry *lle;
	bool holds = false;

	if (!V_lle_holds)
		return;
	LIST_FOREACH(t, &V_lltable_head, all)
		TAILQ_FOREACH(lle, &t->entries, link)
			for (struct mbuf *m = lle->hold.head; m != NULL; m = m->next) {
				holds = true;
				if (m->rcvif == ifp)
					m->rcvif = NULL;
			}
	V_lle_holds = holds;
}
