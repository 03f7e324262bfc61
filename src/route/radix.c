/*
 * radix.c - the trie behind radix.h.
 *
 * Every node in the tree has a prefix; a child's prefix begins with its parent's and goes on with
 * the bit that the child's place says. Nodes without an object are there only where two subtrees
 * part, so there are fewer of them than objects. Each insertion makes sure that the arena could
 * serve one branching node per object; therefore taking an object out, which may leave a branching
 * node in its place, needs no memory and cannot fail.
 *
 * Duplicates of a prefix hang on the first object by `dup`; their `parent` is that first object.
 *
 * Objects of a mask that is no prefix are in a trie of that mask's own, under their whole masked
 * keys. The masks stand in the order in which a match wants them.
 */
#include "route/radix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_FIRST = 4, ARENA_MOST = 512 };
enum { NEAR = 6 }; /* steps up from the last insertion, before the way down begins at the root */

/* A piece of the arena: behind this, at the next cache line, its nodes. */
struct arena_chunk {
	struct arena_chunk *next;
};
enum { LINE = 64 };
_Static_assert(sizeof(struct radix_node) == LINE, "a branching node is one cache line");

struct radix_tree {
	struct radix_node *root;
	unsigned max_bits;
	size_t objects;
	struct radix_node *last; /* inserted last; NULL: an object has left since */
	/* the arena: `room` branching nodes in all, `spare` of them (linked by child[0]) unused */
	struct arena_chunk *chunks;
	struct radix_node *free;
	size_t room;
	void *(*alloc)(size_t bytes);
	void (*dealloc)(void *p);
	struct radix_mask *masks; /* that are no prefixes, the most specific first */
	size_t masked;            /* objects under them */
};

struct radix_mask {
	struct radix_mask *next;
	unsigned lead, ones; /* bits: set before the first clear one, set in all */
	uint8_t bytes[RADIX_KEY_MAX];
	struct radix_tree tree; /* max_bits long keys, each ANDed with bytes */
};

static void *
system_alloc(size_t bytes)
{
	return calloc(1, bytes);
}

struct radix_tree *
radix_new_in(unsigned max_bits, void *(*alloc)(size_t), void (*dealloc)(void *))
{
	struct radix_tree *t;

	if (max_bits == 0 || max_bits > 8 * sizeof(t->root->key))
		return NULL;
	t = alloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	t->max_bits = max_bits;
	t->alloc = alloc;
	t->dealloc = dealloc;
	return t;
}

struct radix_tree *
radix_new(unsigned max_bits)
{
	return radix_new_in(max_bits, system_alloc, free);
}

static void
arena_free(struct radix_tree *t)
{
	struct arena_chunk *c;

	while ((c = t->chunks) != NULL) {
		t->chunks = c->next;
		t->dealloc(c);
	}
}

size_t
radix_free(struct radix_tree *t)
{
	size_t left = radix_count(t);
	struct radix_mask *m;

	while ((m = t->masks) != NULL) {
		t->masks = m->next;
		arena_free(&m->tree);
		t->dealloc(m);
	}
	arena_free(t);
	t->dealloc(t);
	return left;
}

size_t
radix_count(const struct radix_tree *t)
{
	return t->objects + t->masked;
}

static void
branch_free(struct radix_tree *t, struct radix_node *n)
{
	n->child[0] = t->free;
	t->free = n;
}

/* Never fails: see the reservation in arena_reserve(). */
static struct radix_node *
branch_new(struct radix_tree *t)
{
	struct radix_node *n = t->free;

	t->free = n->child[0];
	memset(n, 0, sizeof(*n));
	return n;
}

/* Room for `objects` branching nodes in all. 0 or -ENOMEM. */
static int
arena_reserve(struct radix_tree *t, size_t objects)
{
	struct arena_chunk *c;
	struct radix_node *node;
	size_t n;

	if (objects <= t->room)
		return 0;
	n = t->room < ARENA_FIRST ? ARENA_FIRST : t->room > ARENA_MOST ? ARENA_MOST : t->room;
	c = t->alloc(sizeof(*c) + LINE + n * sizeof(*node));
	if (c == NULL)
		return -ENOMEM;
	c->next = t->chunks;
	t->chunks = c;
	t->room += n;
	node = (struct radix_node *)(((uintptr_t)(c + 1) + LINE - 1) & ~(uintptr_t)(LINE - 1));
	while (n > 0)
		branch_free(t, &node[--n]);
	return 0;
}

static inline unsigned
key_bit(const uint8_t *key, unsigned bit)
{
	return (unsigned)(key[bit >> 3] >> (7 - (bit & 7))) & 1;
}

/* 8 bytes as a number whose highest bit is the first one. */
static inline uint64_t
key_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* How many bits two whole keys have in common, at most `limit`. */
static inline unsigned
key_common(const uint8_t *a, const uint8_t *b, unsigned limit)
{
	uint64_t differ = key_word(a) ^ key_word(b);
	unsigned bits = 0;

	if (differ == 0 && limit > 64) {
		differ = key_word(a + 8) ^ key_word(b + 8);
		bits = 64;
	}
	bits += differ == 0 ? 64u : (unsigned)__builtin_clzll(differ);
	return bits < limit ? bits : limit;
}

/* A key as callers have it, max_bits long, in a whole one. */
struct whole_key {
	uint8_t b[RADIX_KEY_MAX];
};

static inline struct whole_key
key_whole(const struct radix_tree *t, const uint8_t *key)
{
	struct whole_key k = { { 0 } };

	memcpy(k.b, key, (t->max_bits + 7) / 8);
	return k;
}

static void
key_copy(struct radix_node *n, const uint8_t *key, unsigned plen)
{
	unsigned whole = plen >> 3;

	memset(n->key, 0, sizeof(n->key));
	memcpy(n->key, key, whole);
	if (plen & 7)
		n->key[whole] = (uint8_t)(key[whole] & (0xff00 >> (plen & 7)));
	n->plen = (uint16_t)plen;
}

/* Put n where old hangs below its parent (or at the root). */
static void
replace_at_parent(struct radix_tree *t, struct radix_node *old, struct radix_node *n)
{
	struct radix_node *p = old->parent;

	if (p == NULL)
		t->root = n;
	else
		p->child[p->child[1] == old] = n;
	if (n != NULL)
		n->parent = p;
}

/* n takes old's place in the tree with its children. */
static void
take_place(struct radix_tree *t, struct radix_node *old, struct radix_node *n)
{
	replace_at_parent(t, old, n);
	for (int side = 0; side < 2; side++) {
		n->child[side] = old->child[side];
		if (n->child[side] != NULL)
			n->child[side]->parent = n;
	}
}

static inline bool
node_covers(const struct radix_node *n, const uint8_t *key, unsigned plen)
{
	return n->plen <= plen && key_common(n->key, key, n->plen) == n->plen;
}

/*
 * The node with exactly this prefix, object or not, from n on; or NULL, then *stop is the last node
 * that covers the prefix.
 */
static struct radix_node *
descend_from(struct radix_node *n, const uint8_t *key, unsigned plen, struct radix_node **stop)
{
	struct radix_node *covers = NULL;

	while (n != NULL && node_covers(n, key, plen)) {
		if (n->plen == plen)
			return n;
		covers = n;
		n = n->child[key_bit(key, n->plen)];
	}
	if (stop != NULL)
		*stop = covers;
	return NULL;
}

static struct radix_node *
descend(const struct radix_tree *t, const uint8_t *key, unsigned plen, struct radix_node **stop)
{
	return descend_from(t->root, key, plen, stop);
}

/*
 * Where a prefix that comes now may be looked for: prefixes come in order most often (a file, a
 * routing daemon's table), and then the last one is few steps away, where the root is 20.
 */
static struct radix_node *
insert_from(const struct radix_tree *t, const uint8_t *key, unsigned plen)
{
	struct radix_node *n = t->last;

	for (unsigned up = 0; n != NULL && up < NEAR; up++, n = n->parent)
		if (node_covers(n, key, plen))
			return n;
	return t->root;
}

static void
dup_append(struct radix_node *first, struct radix_node *n)
{
	struct radix_node **tail = &first->dup;

	while (*tail != NULL)
		tail = &(*tail)->dup;
	*tail = n;
	n->parent = first;
}

struct radix_node *
radix_first(struct radix_node *n)
{
	return n->parent != NULL && n->parent->plen == n->plen ? n->parent : n;
}

int
radix_insert(
    struct radix_tree *t, struct radix_node *n, const uint8_t *key, unsigned plen, bool allow_dup)
{
	const struct whole_key whole = key_whole(t, key);
	struct radix_node *at, *covers = NULL, *below, *branch;
	unsigned common;

	if (plen > t->max_bits)
		return -EINVAL;
	at = descend_from(insert_from(t, whole.b, plen), whole.b, plen, &covers);
	if (at != NULL && at->has_object && !allow_dup)
		return -EEXIST;
	if (arena_reserve(t, t->objects + 1) != 0)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	key_copy(n, whole.b, plen);
	n->has_object = true;
	t->objects++;
	if (at != NULL && at->has_object) {
		dup_append(at, n);
		return 0;
	}
	t->last = n;
	if (at != NULL) {
		take_place(t, at, n);
		branch_free(t, at);
		return 0;
	}
	below = covers == NULL ? t->root : covers->child[key_bit(n->key, covers->plen)];
	if (below == NULL) {
		n->parent = covers;
		if (covers == NULL)
			t->root = n;
		else
			covers->child[key_bit(n->key, covers->plen)] = n;
		return 0;
	}
	common = key_common(n->key, below->key, plen < below->plen ? plen : below->plen);
	if (common == plen) {
		/* n covers what is there */
		replace_at_parent(t, below, n);
		n->child[key_bit(below->key, plen)] = below;
		below->parent = n;
		return 0;
	}
	branch = branch_new(t);
	key_copy(branch, n->key, common);
	replace_at_parent(t, below, branch);
	branch->child[key_bit(below->key, common)] = below;
	branch->child[key_bit(n->key, common)] = n;
	below->parent = n->parent = branch;
	return 0;
}

/*
 * Take n out of a chain of duplicates. True if it was in one, and so no node of the tree changes
 * its meaning.
 */
static bool
dup_delete(struct radix_tree *t, struct radix_node *n)
{
	struct radix_node *p = n->parent, **link;

	if (p != NULL && p->plen == n->plen) {
		for (link = &p->dup; *link != n; link = &(*link)->dup)
			;
		*link = n->dup;
		return true;
	}
	if (n->dup == NULL)
		return false;
	take_place(t, n, n->dup);
	for (struct radix_node *d = n->dup->dup; d != NULL; d = d->dup)
		d->parent = n->dup;
	return true;
}

static void
prefix_delete(struct radix_tree *t, struct radix_node *n)
{
	struct radix_node *p = n->parent, *only, *branch;

	t->objects--;
	t->last = NULL;
	if (dup_delete(t, n))
		return;
	if (n->child[0] != NULL && n->child[1] != NULL) {
		branch = branch_new(t);
		key_copy(branch, n->key, n->plen);
		take_place(t, n, branch);
		return;
	}
	only = n->child[0] != NULL ? n->child[0] : n->child[1];
	replace_at_parent(t, n, only);
	if (only != NULL || p == NULL || p->has_object)
		return;
	/* a leaf went: the branching node above it parts nothing any more */
	replace_at_parent(t, p, p->child[0] != NULL ? p->child[0] : p->child[1]);
	branch_free(t, p);
}

struct radix_node *
radix_exact(const struct radix_tree *t, const uint8_t *key, unsigned plen)
{
	const struct whole_key whole = key_whole(t, key);
	struct radix_node *n = descend(t, whole.b, plen, NULL);

	return n != NULL && n->has_object ? n : NULL;
}

struct radix_node *
radix_match_shorter(const struct radix_tree *t, const uint8_t *key, unsigned plen)
{
	const struct whole_key whole = key_whole(t, key);
	struct radix_node *n = t->root, *best = NULL;

	while (n != NULL && n->plen < plen && key_common(n->key, whole.b, n->plen) == n->plen) {
		if (n->has_object)
			best = n;
		if (n->plen == t->max_bits)
			break;
		n = n->child[key_bit(key, n->plen)];
	}
	return best;
}

struct radix_node *
radix_covering(const struct radix_node *n)
{
	struct radix_node *p = n->parent;

	/* a duplicate's parent is the first object of the same prefix */
	while (p != NULL && (!p->has_object || p->plen == n->plen))
		p = p->parent;
	return p;
}

/* The next node in order, parents before children. */
static struct radix_node *
node_next(struct radix_node *n)
{
	struct radix_node *p;

	if (n->child[0] != NULL)
		return n->child[0];
	if (n->child[1] != NULL)
		return n->child[1];
	while ((p = n->parent) != NULL) {
		if (p->child[0] == n && p->child[1] != NULL)
			return p->child[1];
		n = p;
	}
	return NULL;
}

static struct radix_node *
object_from(struct radix_node *n)
{
	while (n != NULL && !n->has_object)
		n = node_next(n);
	return n;
}

static struct radix_node *
object_next(struct radix_node *n)
{
	if (n->dup != NULL)
		return n->dup;
	if (n->parent != NULL && n->parent->plen == n->plen)
		n = n->parent;
	return object_from(node_next(n));
}

static int
prefix_walk_below(struct radix_tree *t, const uint8_t *key, unsigned plen,
    int (*fn)(struct radix_node *, void *), void *ctx)
{
	const struct whole_key whole = key_whole(t, key);
	struct radix_node *n, *next, *covers = NULL;
	int result = 0;

	n = descend(t, whole.b, plen, &covers);
	if (n == NULL)
		n = covers == NULL ? t->root : covers->child[key_bit(whole.b, covers->plen)];
	/*
	 * the subtree lies together in the order, so the walk ends with the first object outside of
	 * it
	 */
	for (n = object_from(n); n != NULL; n = next) {
		if (n->plen < plen || key_common(n->key, whole.b, plen) != plen)
			break;
		next = object_next(n);
		if ((result = fn(n, ctx)) != 0)
			break;
	}
	return result;
}

/* --- masks that are no prefixes ------------------------------------------ */

/* Fill in a mask of a tree's keys. True if it is a prefix. */
static bool
mask_read(struct radix_mask *m, const struct radix_tree *t, const uint8_t *bytes)
{
	bool gap = false;

	*m = (struct radix_mask){ 0 };
	for (unsigned bit = 0; bit < t->max_bits; bit++) {
		if (!key_bit(bytes, bit)) {
			gap = true;
			continue;
		}
		m->bytes[bit >> 3] |= (uint8_t)(0x80 >> (bit & 7));
		m->ones++;
		m->lead += !gap;
	}
	return m->lead == m->ones;
}

/* Less than 0 if a is to be tried before b. */
static int
mask_order(const struct radix_mask *a, const struct radix_mask *b)
{
	if (a->lead != b->lead)
		return a->lead > b->lead ? -1 : 1;
	if (a->ones != b->ones)
		return a->ones > b->ones ? -1 : 1;
	return -memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The place of a mask in the list: where it is, or is to be. */
static struct radix_mask **
mask_place(struct radix_tree *t, const struct radix_mask *like)
{
	struct radix_mask **place = &t->masks;

	while (*place != NULL && mask_order(*place, like) < 0)
		place = &(*place)->next;
	return place;
}

static struct radix_mask *
mask_find(const struct radix_tree *t, const struct radix_mask *like)
{
	struct radix_mask *m = t->masks;

	while (m != NULL && mask_order(m, like) < 0)
		m = m->next;
	return m != NULL && mask_order(m, like) == 0 ? m : NULL;
}

static struct radix_mask *
mask_add(struct radix_tree *t, const struct radix_mask *like)
{
	struct radix_mask **place = mask_place(t, like), *m = t->alloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	*m = *like;
	m->tree = (struct radix_tree){
		.max_bits = t->max_bits, .alloc = t->alloc, .dealloc = t->dealloc
	};
	m->next = *place;
	*place = m;
	return m;
}

/* A mask goes with its last object. */
static void
mask_put(struct radix_tree *t, struct radix_mask *m)
{
	if (m->tree.objects > 0)
		return;
	*mask_place(t, m) = m->next;
	arena_free(&m->tree);
	t->dealloc(m);
}

static void
mask_key(const struct radix_mask *m, const uint8_t *key, uint8_t masked[RADIX_KEY_MAX])
{
	const unsigned len = (m->tree.max_bits + 7) / 8;

	memset(masked, 0, RADIX_KEY_MAX);
	for (unsigned i = 0; i < len; i++)
		masked[i] = key[i] & m->bytes[i];
}

int
radix_insert_masked(struct radix_tree *t, struct radix_node *n, const uint8_t *key,
    const uint8_t *mask, bool allow_dup)
{
	uint8_t masked[RADIX_KEY_MAX];
	struct radix_mask like, *m;
	int error;

	if (mask_read(&like, t, mask))
		return radix_insert(t, n, key, like.lead, allow_dup);
	m = mask_find(t, &like);
	if (m == NULL && (m = mask_add(t, &like)) == NULL)
		return -ENOMEM;
	mask_key(m, key, masked);
	error = radix_insert(&m->tree, n, masked, t->max_bits, allow_dup);
	if (error == 0) {
		n->mask = m;
		t->masked++;
	}
	mask_put(t, m);
	return error;
}

void
radix_delete(struct radix_tree *t, struct radix_node *n)
{
	struct radix_mask *m = n->mask;

	if (m == NULL) {
		prefix_delete(t, n);
		return;
	}
	prefix_delete(&m->tree, n);
	t->masked--;
	mask_put(t, m);
}

struct radix_node *
radix_exact_masked(const struct radix_tree *t, const uint8_t *key, const uint8_t *mask)
{
	uint8_t masked[RADIX_KEY_MAX];
	struct radix_mask like, *m;

	if (mask_read(&like, t, mask))
		return radix_exact(t, key, like.lead);
	m = mask_find(t, &like);
	if (m == NULL)
		return NULL;
	mask_key(m, key, masked);
	return radix_exact(&m->tree, masked, t->max_bits);
}

const uint8_t *
radix_mask_of(const struct radix_node *n)
{
	return n->mask == NULL ? NULL : n->mask->bytes;
}

struct radix_node *
radix_match(const struct radix_tree *t, const uint8_t *key)
{
	struct radix_node *best = radix_match_shorter(t, key, t->max_bits + 1), *n;
	uint8_t masked[RADIX_KEY_MAX];

	for (const struct radix_mask *m = t->masks; m != NULL; m = m->next) {
		if (best != NULL && best->plen > m->lead)
			break;
		mask_key(m, key, masked);
		if ((n = radix_exact(&m->tree, masked, t->max_bits)) != NULL)
			return n;
	}
	return best;
}

/* --- walks over both kinds ----------------------------------------------- */

int
radix_walk_below(struct radix_tree *t, const uint8_t *key, unsigned plen,
    int (*fn)(struct radix_node *, void *), void *ctx)
{
	/* asked for now: with its last object, if fn takes it, the tree may go */
	struct radix_mask *m = t->masks, *next;
	int result = prefix_walk_below(t, key, plen, fn, ctx);

	/* with its last object a mask goes, but not the one behind it */
	for (; result == 0 && m != NULL; m = next) {
		next = m->next;
		if (m->lead >= plen)
			result = prefix_walk_below(&m->tree, key, plen, fn, ctx);
	}
	return result;
}

int
radix_walk(struct radix_tree *t, int (*fn)(struct radix_node *, void *), void *ctx)
{
	static const uint8_t zero[RADIX_KEY_MAX];

	return radix_walk_below(t, zero, 0, fn, ctx);
}
