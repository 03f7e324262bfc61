/*
 * fib_trie.c - what packets read of a small table: a path-compressed binary trie in one array. The
 * look-ups are in fib.c (IPv4) and fib6.c (IPv6); fib_form.c says when a table is a trie.
 *
 * A node is {next hop, two children, key, mask} in half a cache line (IPv4) or one (IPv6); children
 * are indices, and a rebuilt array lies in the order of a walk, so the few routes of an ordinary
 * stack are two or three lines. Readers take no lock: a new node is filled in before one store
 * links it, a node that has left is not used again until the whole array is copied to a new one
 * (when it is full) and the old one has gone through a grace period. So a change costs O(depth), and
 * O(1) of copying on average.
 *
 * Changes are written once for both families, over keys of bytes: they are rare beside look-ups.
 */
#include "route/fib_trie.h"

#include <errno.h>
#include <string.h>

enum { FIB_FIRST = 8 };

static struct fib_trie *
trie_of(uintptr_t table)
{
	return (struct fib_trie *)table;
}

/* --- nodes --------------------------------------------------------------- */

static struct fib_node *
node_at(const struct fib_trie *t, uint32_t i)
{
	return (struct fib_node *)(void *)(t->node + (size_t)i * t->node_size);
}

static uint8_t *
node_key(const struct fib_node *n)
{
	return (uint8_t *)(uintptr_t)(n + 1);
}

static unsigned
key_bit(const uint8_t *key, unsigned at)
{
	return key[at >> 3] >> (7 - (at & 7)) & 1u;
}

/* How many leading bits a and b share, at most max. */
static unsigned
common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
	unsigned n = 0;

	while (n < max && a[n >> 3] == b[n >> 3])
		n += 8;
	if (n < max)
		n += (unsigned)__builtin_clz((uint32_t)(a[n >> 3] ^ b[n >> 3])) - 24;
	return n < max ? n : max;
}

static void
node_fill(struct fib_trie *t, uint32_t i, const uint8_t *key, unsigned plen, struct nexthop *nh)
{
	struct fib_node *n = node_at(t, i);
	uint8_t *mask = node_key(n) + t->key_len;
	bool may_branch = plen < 8u * t->key_len;

	memset(n, 0, t->node_size);
	n->nh = nh;
	n->plen = (uint8_t)plen;
	/* a host's node has no children: any bit will do */
	n->word = may_branch ? (uint8_t)(plen >> 6) : 0;
	n->shift = may_branch ? (uint8_t)((plen & 63) ^ 7) : 0;
	memset(mask, 0xff, plen >> 3);
	if (plen & 7)
		mask[plen >> 3] = (uint8_t)(0xff00 >> (plen & 7));
	for (unsigned b = 0; b < t->key_len; b++)
		node_key(n)[b] = key[b] & mask[b];
}

/* Node i gets next as its child on key's side. Readers may follow it at once. */
static void
node_link(struct fib_trie *t, uint32_t i, const uint8_t *key, uint32_t next)
{
	struct fib_node *n = node_at(t, i);

	__atomic_store_n(&n->child[key_bit(key, n->plen)], next, __ATOMIC_RELEASE);
}

/* --- tables -------------------------------------------------------------- */

static struct fib_trie *
trie_new(int family, uint32_t room)
{
	static const uint8_t zero[16];
	size_t node_size = family == AF_INET ? sizeof(struct fib4_node) : sizeof(struct fib6_node);
	struct fib_trie *t = route_alloc(sizeof(*t) + room * node_size);

	if (t == NULL)
		return NULL;
	t->key_len = family == AF_INET ? 4 : 16;
	t->node_size = (uint8_t)node_size;
	t->room = room;
	t->used = t->live = FIB_ROOT + 1;
	node_fill(t, FIB_END, zero, 0, NULL);
	node_fill(t, FIB_ROOT, zero, 0, NULL);
	return t;
}

static void
trie_free(struct rcu_head *h)
{
	route_dealloc((struct fib_trie *)(void *)((uint8_t *)h - offsetof(struct fib_trie, rcu)));
}

/* Copy the subtree at `from` of old into t; returns its index there. Depth is at most 129. */
static uint32_t
trie_copy(struct fib_trie *t, const struct fib_trie *old, uint32_t from)
{
	uint32_t to = from == FIB_ROOT ? FIB_ROOT : t->used++;
	const struct fib_node *n = node_at(old, from);

	memcpy(node_at(t, to), n, t->node_size);
	for (int side = 0; side < 2; side++)
		if (n->child[side] != FIB_END)
			node_at(t, to)->child[side] = trie_copy(t, old, n->child[side]);
	return to;
}

/*
 * A table with room for two more nodes: the present one or a copy of twice the size. NULL without
 * memory.
 */
static struct fib_trie *
trie_with_room(uintptr_t *slot, int family)
{
	struct fib_trie *old = trie_of(*slot), *t;

	if (old != NULL && old->used + 2 <= old->room)
		return old;
	t = trie_new(family, old == NULL ? FIB_FIRST : old->live * 2 + FIB_FIRST);
	if (t == NULL)
		return NULL;
	if (old != NULL) {
		trie_copy(t, old, FIB_ROOT);
		t->live = old->live;
		t->routes = old->routes;
	}
	rcu_publish(slot, (uintptr_t)t);
	if (old != NULL)
		rcu_call(&old->rcu, trie_free);
	return t;
}

/* A node and how one gets there. */
struct place {
	uint32_t at;
	uint32_t *link,
	    *link_above; /* the index that points to it, to its parent; NULL: the root */
};

/* The deepest node that covers the prefix, or is it. */
static struct place
trie_descend(const struct fib_trie *t, const uint8_t *key, unsigned plen)
{
	struct place p = { .at = FIB_ROOT };

	for (;;) {
		struct fib_node *n = node_at(t, p.at);
		const struct fib_node *c;
		uint32_t *down;

		if (n->plen >= plen)
			return p;
		down = &n->child[key_bit(key, n->plen)];
		c = node_at(t, *down);
		if (*down == FIB_END || c->plen > plen ||
		    common_bits(key, node_key(c), c->plen) < c->plen)
			return p;
		p = (struct place){ .at = *down, .link = down, .link_above = p.link };
	}
}

/* --- changes ------------------------------------------------------------- */

/* A new node for the prefix below node `above`, which is the deepest that covers it. */
static void
trie_insert(
    struct fib_trie *t, uint32_t above, const uint8_t *key, unsigned plen, struct nexthop *nh)
{
	uint32_t below = node_at(t, above)->child[key_bit(key, node_at(t, above)->plen)];
	const struct fib_node *b = node_at(t, below);
	uint32_t new = t->used++, branch;
	unsigned common;

	t->live++;
	node_fill(t, new, key, plen, nh);
	if (below == FIB_END) {
		node_link(t, above, key, new);
		return;
	}
	common = common_bits(key, node_key(b), b->plen < plen ? b->plen : plen);
	if (common == plen) {
		node_link(t, new, node_key(b), below);
		node_link(t, above, key, new);
		return;
	}
	branch = t->used++;
	t->live++;
	node_fill(t, branch, key, common, NULL);
	node_link(t, branch, key, new);
	node_link(t, branch, node_key(b), below);
	node_link(t, above, key, branch);
}

int
fib_trie_set(uintptr_t *slot, const struct rt_addr *dst, struct nexthop *nh)
{
	struct fib_trie *t = trie_of(*slot);
	struct fib_node *n;

	if (t != NULL) {
		n = node_at(t, trie_descend(t, dst->addr, dst->plen).at);
		if (n->plen == dst->plen) {
			t->routes += n->nh == NULL;
			rcu_publish(&n->nh, nh);
			return 0;
		}
	}
	t = trie_with_room(slot, dst->family);
	if (t == NULL)
		return -ENOMEM;
	t->routes++;
	/* a table just made has the default's node already */
	if (dst->plen == 0)
		rcu_publish(&node_at(t, FIB_ROOT)->nh, nh);
	else
		trie_insert(t, trie_descend(t, dst->addr, dst->plen).at, dst->addr, dst->plen, nh);
	return 0;
}

/* Cut a node that neither has a next hop nor parts two ways; the root stays. */
static void
node_cut(struct fib_trie *t, uint32_t *link)
{
	const struct fib_node *n;

	if (link == NULL)
		return;
	n = node_at(t, *link);
	if (n->nh != NULL || (n->child[0] != FIB_END && n->child[1] != FIB_END))
		return;
	__atomic_store_n(link, n->child[n->child[0] == FIB_END], __ATOMIC_RELEASE);
	t->live--;
}

void
fib_trie_clear(uintptr_t *slot, const struct rt_addr *dst)
{
	struct fib_trie *t = trie_of(*slot);
	struct fib_node *n;
	struct place p;

	if (t == NULL)
		return;
	p = trie_descend(t, dst->addr, dst->plen);
	n = node_at(t, p.at);
	if (n->plen != dst->plen || n->nh == NULL)
		return;
	rcu_publish(&n->nh, NULL);
	if (--t->routes == 0) {
		rcu_publish(slot, 0);
		fib_trie_free((uintptr_t)t);
		return;
	}
	node_cut(t, p.link);
	/* the node above may have been a branch between this one and another */
	node_cut(t, p.link_above);
}

/* --- the whole table ----------------------------------------------------- */

uint32_t
fib_trie_routes(const uintptr_t *slot)
{
	return *slot == 0 ? 0 : trie_of(*slot)->routes;
}

void
fib_trie_free(uintptr_t table)
{
	rcu_call(&trie_of(table)->rcu, trie_free);
}

static int
walk_from(const struct fib_trie *t, uint32_t i,
    int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx), void *ctx)
{
	const struct fib_node *n = node_at(t, i);
	struct rt_addr dst;
	int result = 0;

	if (n->nh != NULL) {
		dst = rt_addr_make(t->key_len == 4 ? AF_INET : AF_INET6, node_key(n), n->plen);
		result = fn(&dst, n->nh, ctx);
	}
	for (int side = 0; side < 2 && result == 0; side++)
		if (n->child[side] != FIB_END)
			result = walk_from(t, n->child[side], fn, ctx);
	return result;
}

int
fib_trie_walk(const uintptr_t *slot,
    int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx), void *ctx)
{
	return *slot == 0 ? 0 : walk_from(trie_of(*slot), FIB_ROOT, fn, ctx);
}
