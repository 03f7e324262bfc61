/*
 * if_bridge_table.c - which station is behind which member.
 *
 * One array with open addressing, at most half full, of as many stations as the bridge may know: so
 * learning allocates nothing, and a look-up is one cache line as a rule. Our own addresses stand in
 * it too: one look-up says "that member", "us" or "nobody knows".
 *
 * A learned station is forgotten when it has not been heard of for the timeout. What is too old
 * counts as not there from that moment on; its slot is taken back by a look through the table every
 * five minutes, while there is something that ages. Packets never remove a slot.
 *
 * Whoever chooses the addresses of frames can't choose where they meet: the hash has a key.
 */
#include "net/if_bridge_internal.h"

#include "base/hash.h"
#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PRUNE_S = 300 };

static uint64_t entries_live; /* written by the upper half and the prune timer, of one thread */

static inline bool
entry_ages(const struct bridge_entry *en)
{
	return !(en->flags & (BRIDGE_STATIC | BRIDGE_STUCK | BRIDGE_OUR_OWN));
}

static inline bool
entry_is_old(const struct bridge_table *t, const struct bridge_entry *en, uint64_t now_ns)
{
	return t->timeout_s != 0 && entry_ages(en) &&
	    now_ns >= en->seen_ns + t->timeout_s * NS_PER_SEC;
}

uint64_t
bridge_entry_left_s(const struct bridge_table *t, const struct bridge_entry *en)
{
	const uint64_t end_ns = en->seen_ns + t->timeout_s * NS_PER_SEC, now_ns = clock_now();

	return entry_ages(en) && t->timeout_s != 0 && end_ns > now_ns ?
	    (end_ns - now_ns + NS_PER_SEC - 1) / NS_PER_SEC :
	    0;
}

/* --- slots ------------------------------------------------------------------------------------ */

static inline uint32_t
slot_of(const struct bridge_table *t, uint64_t key)
{
	return (uint32_t)(hash_fold(key ^ t->hash_key[0], t->hash_key[1]) >> t->shift);
}

/* The slot that the key has, or would get. */
static inline struct bridge_entry *
slot_find(const struct bridge_table *t, uint64_t key)
{
	uint32_t i = slot_of(t, key);

	while (t->slot[i].key != key && t->slot[i].key != 0)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

/* An empty slot becomes the key's; the table has room. */
static void
slot_take(struct bridge_table *t, struct bridge_entry *en, uint64_t key, struct bridge_port *port,
    uint32_t flags)
{
	*en = (struct bridge_entry){ .key = key, .port = port, .flags = flags };
	if (flags & BRIDGE_OUR_OWN) {
		t->own++;
		return;
	}
	t->n++;
	port->addrs++;
	entries_live++;
}

/* Those behind it move up, as far as they are nearer to where they belong (Knuth, 6.4 R). */
static void
slot_remove(struct bridge_table *t, uint32_t i)
{
	const struct bridge_entry *gone = &t->slot[i];

	if (gone->flags & BRIDGE_OUR_OWN) {
		t->own--;
	} else {
		t->n--;
		gone->port->addrs--;
		entries_live--;
	}
	for (uint32_t k = (i + 1) & t->mask; t->slot[k].key != 0; k = (k + 1) & t->mask) {
		uint32_t home = slot_of(t, t->slot[k].key);

		if (((k - home) & t->mask) < ((k - i) & t->mask))
			continue;
		t->slot[i] = t->slot[k];
		i = k;
	}
	t->slot[i].key = 0;
}

typedef bool entry_test(
    const struct bridge_table *t, const struct bridge_entry *en, const void *ctx);

/*
 * All that the test names; true if there were any. A slot may get another one: it is looked at
 * again.
 */
static bool
remove_all(struct bridge_table *t, entry_test *test, const void *ctx)
{
	bool any = false, again = true;

	while (again) {
		again = false;
		for (uint32_t i = 0; i <= t->mask; i++)
			while (t->slot[i].key != 0 && test(t, &t->slot[i], ctx)) {
				slot_remove(t, i);
				any = again = true;
			}
	}
	return any;
}

/* --- ageing ----------------------------------------------------------------------------------- */

static bool
is_old(const struct bridge_table *t, const struct bridge_entry *en, const void *ctx)
{
	(void)ctx;
	return entry_is_old(t, en, clock_now());
}

static void
prune(void *arg)
{
	struct bridge_table *t = arg;

	remove_all(t, is_old, NULL);
	if (t->n > 0)
		callout_reset(&t->prune, PRUNE_S * NS_PER_SEC);
}

/* --- its life --------------------------------------------------------------------------------- */

AUDIT_COUNTER(bridge_entry, "bridge_entry", entries_live);

static uint32_t
bits_for(uint32_t entries)
{
	uint32_t bits = 4;

	while (UINT32_C(1) << bits < 2 * (entries + 1))
		bits++;
	return bits;
}

int
bridge_table_reserve(struct bridge_table *t, uint32_t max, uint32_t own)
{
	const uint32_t bits = bits_for(max + own), old_mask = t->mask;
	struct bridge_entry *old = t->slot, *slot;

	if (old != NULL && t->mask + 1 >= UINT32_C(1) << bits)
		return 0;
	slot = vnet_malloc(sizeof(*slot) << bits);
	if (slot == NULL)
		return -ENOMEM;
	t->slot = slot;
	t->shift = 64 - bits;
	t->mask = (UINT32_C(1) << bits) - 1;
	for (uint32_t i = 0; old != NULL && i <= old_mask; i++)
		if (old[i].key != 0)
			*slot_find(t, old[i].key) = old[i];
	vnet_free(old);
	return 0;
}

int
bridge_table_init(struct bridge_table *t, const char *name)
{
	struct rng rng;

	rng_seed(&rng, rng_process_seed, name);
	t->hash_key[0] = rng_u64(&rng);
	t->hash_key[1] = rng_u64(&rng) | 1;
	t->max = BRIDGE_ADDRS;
	t->timeout_s = BRIDGE_TIMEOUT_S;
	callout_init(&t->prune, NULL, prune, t);
	return bridge_table_reserve(t, t->max, 1);
}

void
bridge_table_free(struct bridge_table *t)
{
	callout_drain(&t->prune);
	vnet_free(t->slot);
	t->slot = NULL;
}

static bool
is_learned(const struct bridge_table *t, const struct bridge_entry *en, const void *ctx)
{
	(void)ctx;
	return entry_ages(en) && t->n > t->max;
}

int
bridge_table_set_max(struct bridge_table *t, uint32_t max)
{
	int error = bridge_table_reserve(t, max, t->own);

	if (error != 0)
		return error;
	t->max = max;
	remove_all(t, is_learned, NULL);
	return 0;
}

/* --- the packets' side ------------------------------------------------------------------------ */

struct bridge_entry *
bridge_table_find(const struct bridge_table *t, uint64_t key, uint64_t now_ns)
{
	struct bridge_entry *en = slot_find(t, key);

	return en->key != 0 && !entry_is_old(t, en, now_ns) ? en : NULL;
}

static void
entry_move(struct bridge_entry *en, struct bridge_port *to)
{
	en->port->addrs--;
	en->port = to;
	to->addrs++;
}

/* May it have one more? */
static inline bool
port_has_room(const struct bridge_port *port)
{
	return port->addrs_max == 0 || port->addrs < port->addrs_max;
}

static int
learn_new(struct bridge_table *t, struct bridge_entry *en, struct bridge_port *from, uint64_t key,
    uint64_t now_ns)
{
	if (!(from->flags & BRIDGE_LEARNING) || (key & BRIDGE_ADDR_MASK) == 0)
		return 0;
	if (t->n >= t->max || !port_has_room(from)) {
		t->refused++;
		return from->addrs_max != 0 ? -ENOSPC : 0;
	}
	slot_take(t, en, key, from, from->flags & BRIDGE_STICKY ? BRIDGE_STUCK : 0);
	en->seen_ns = now_ns;
	if (!callout_armed(&t->prune))
		callout_reset(&t->prune, PRUNE_S * NS_PER_SEC);
	return 0;
}

/* The station has been seen elsewhere before. */
static int
learn_move(struct bridge_table *t, struct bridge_entry *en, struct bridge_port *from)
{
	if (!(from->flags & BRIDGE_LEARNING))
		return 0;
	if (!port_has_room(from)) {
		t->refused++;
		return -ENOSPC;
	}
	entry_move(en, from);
	if (from->flags & BRIDGE_STICKY)
		en->flags |= BRIDGE_STUCK;
	return 0;
}

int
bridge_table_learn(struct bridge_table *t, struct bridge_port *from, uint64_t key, uint64_t now_ns)
{
	struct bridge_entry *en = slot_find(t, key);
	int error = 0;

	if (__builtin_expect(en->key == 0, 0))
		return learn_new(t, en, from, key, now_ns);
	if (__builtin_expect(!entry_ages(en), 0))
		return en->flags & BRIDGE_OUR_OWN ? -EADDRINUSE : 0;
	if (__builtin_expect(en->port != from, 0))
		error = learn_move(t, en, from);
	if (en->port == from)
		en->seen_ns = now_ns;
	return error;
}

/* --- by hand ---------------------------------------------------------------------------------- */

int
bridge_table_set_static(struct bridge_table *t, struct bridge_port *port, uint64_t key)
{
	struct bridge_entry *en = slot_find(t, key);

	if (en->key != 0 && (en->flags & BRIDGE_OUR_OWN))
		return -EADDRINUSE;
	if (en->key == 0) {
		if (t->n >= t->max)
			return -ENOSPC;
		slot_take(t, en, key, port, 0);
	}
	entry_move(en, port);
	en->flags = BRIDGE_STATIC;
	return 0;
}

static bool
has_address(const struct bridge_table *t, const struct bridge_entry *en, const void *ctx)
{
	const uint64_t *address = ctx;

	return !(en->flags & BRIDGE_OUR_OWN) && (en->key & BRIDGE_ADDR_MASK) == *address &&
	    !entry_is_old(t, en, clock_now());
}

int
bridge_table_delete(struct bridge_table *t, uint64_t address)
{
	return remove_all(t, has_address, &address) ? 0 : -ENOENT;
}

struct flush {
	const struct bridge_port *port;
	enum bridge_flush what;
};

static bool
is_flushed(const struct bridge_table *t, const struct bridge_entry *en, const void *ctx)
{
	const struct flush *f = ctx;

	(void)t;
	if ((en->flags & BRIDGE_OUR_OWN) || (f->port != NULL && en->port != f->port))
		return false;
	switch (f->what) {
	case BRIDGE_FLUSH_LEARNED:
		return entry_ages(en);
	case BRIDGE_FLUSH_STATIC:
		return en->flags & BRIDGE_STATIC;
	default:
		return true;
	}
}

void
bridge_table_flush(struct bridge_table *t, const struct bridge_port *port, enum bridge_flush what)
{
	const struct flush f = { port, what };

	remove_all(t, is_flushed, &f);
}

/* --- our own addresses ------------------------------------------------------------------------ */

static bool
is_own(const struct bridge_table *t, const struct bridge_entry *en, const void *ctx)
{
	(void)t, (void)ctx;
	return en->flags & BRIDGE_OUR_OWN;
}

/* Whatever was known of the address before, it is ours now; the first of us has it. */
static void
own_add(struct bridge_table *t, const struct ifnet *ifp, struct bridge_port *port)
{
	const uint64_t key = ether_number(ifp->if_lladdr) | BRIDGE_UNTAGGED;
	struct bridge_entry *en = slot_find(t, key);

	if (en->key != 0 && (en->flags & BRIDGE_OUR_OWN))
		return;
	if (en->key != 0)
		slot_remove(t, (uint32_t)(en - t->slot));
	slot_take(t, slot_find(t, key), key, port, BRIDGE_OUR_OWN);
}

void
bridge_table_set_own(
    struct bridge_table *t, const struct ifnet *bridge, const struct bridge_porthead *members)
{
	struct bridge_port *port;

	remove_all(t, is_own, NULL);
	own_add(t, bridge, NULL);
	TAILQ_FOREACH(port, members, link)
		own_add(t, port->ifp, port);
}

/* --- listing ---------------------------------------------------------------------------------- */

/* By the bytes of the address, then by vlan: the order must not come of the hash's key. */
static int
entry_compare(const void *a, const void *b)
{
	const struct bridge_entry *x = a, *y = b;
	const uint64_t one = __builtin_bswap64(x->key << 16),
		       other = __builtin_bswap64(y->key << 16);

	if (one != other)
		return one < other ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

struct bridge_entry *
bridge_table_list(const struct bridge_table *t, uint32_t *n)
{
	struct bridge_entry *list = t->n > 0 ? calloc(t->n, sizeof(*list)) : NULL;

	*n = 0;
	if (list == NULL)
		return NULL;
	for (uint32_t i = 0; i <= t->mask; i++) {
		const struct bridge_entry *en = &t->slot[i];

		if (en->key != 0 && !(en->flags & BRIDGE_OUR_OWN) &&
		    !entry_is_old(t, en, clock_now()))
			list[(*n)++] = *en;
	}
	qsort(list, *n, sizeof(*list), entry_compare);
	return list;
}
