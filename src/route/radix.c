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
 */
#include "route/radix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_FIRST = 4, ARENA_MOST = 512 };

struct arena_chunk {
	struct arena_chunk *next;
	uint32_t n;
	struct radix_node node[];
};

struct radix_tree {
	struct radix_node *root;
	unsigned max_bits;
	size_t objects;
	/* the arena: `room` branching nodes in all, `spare` of them (linked by child[0]) unused */
	struct arena_chunk *chunks;
	struct radix_node *free;
	size_t room;
	void *(*alloc)(size_t bytes);
	void (*dealloc)(void *p);
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

size_t
radix_free(struct radix_tree *t)
{
	size_t left = t->objects;
	struct arena_chunk *c;

	while ((c = t->chunks) != NULL) {
		t->chunks = c->next;
		t->dealloc(c);
	}
	t->dealloc(t);
	return left;
}

size_t
radix_count(const struct radix_tree *t)
{
	return t->objects;
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
	size_t n;

	if (objects <= t->room)
		return 0;
	n = t->room < ARENA_FIRST ? ARENA_FIRST : t->room > ARENA_MOST ? ARENA_MOST : t->room;
	c = t->alloc(sizeof(*c) + n * sizeof(c->node[0]));
	if (c == NULL)
		return -ENOMEM;
	c->n = (uint32_t)n;
	c->next = t->chunks;
	t->chunks = c;
	t->room += n;
	while (n > 0)
		branch_free(t, &c->node[--n]);
	return 0;
}

static inline unsigned
key_bit(const uint8_t *key, unsigned bit)
{
	return (unsigned)(key[bit >> 3] >> (7 - (bit & 7))) & 1;
}

/* How many bits two keys have in common, at most `limit`. */
static unsigned
key_common(const uint8_t *a, const uint8_t *b, unsigned limit)
{
	unsigned bits = 0;

	while (bits < limit) {
		unsigned differ = (unsigned)(a[bits >> 3] ^ b[bits >> 3]);

		if (differ != 0) {
			bits += (unsigned)__builtin_clz(differ) - 24;
			break;
		}
		bits += 8;
	}
	return bits < limit ? bits : limit;
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

/*
 * The node with exactly this prefix, object or not; or NULL, then *stop is the last node that
 * covers the prefix.
 */
static struct radix_node *
descend(const struct radix_tree *t, const uint8_t *key, unsigned plen, struct radix_node **stop)
{
	struct radix_node *n = t->root, *covers = NULL;

	while (n != NULL && n->plen <= plen && key_common(n->key, key, n->plen) == n->plen) {
		if (n->plen == plen)
			return n;
		covers = n;
		n = n->child[key_bit(key, n->plen)];
	}
	if (stop != NULL)
		*stop = covers;
	return NULL;
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

int
radix_insert(
    struct radix_tree *t, struct radix_node *n, const uint8_t *key, unsigned plen, bool allow_dup)
{
	struct radix_node *at, *covers = NULL, *below, *branch;
	unsigned common;

	if (plen > t->max_bits)
		return -EINVAL;
	at = descend(t, key, plen, &covers);
	if (at != NULL && at->has_object && !allow_dup)
		return -EEXIST;
	if (arena_reserve(t, t->objects + 1) != 0)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	key_copy(n, key, plen);
	n->has_object = true;
	t->objects++;
	if (at != NULL && at->has_object) {
		dup_append(at, n);
		return 0;
	}
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

void
radix_delete(struct radix_tree *t, struct radix_node *n)
{
	struct radix_node *p = n->parent, *only, *branch;

	t->objects--;
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
	struct radix_node *n = descend(t, key, plen, NULL);

	return n != NULL && n->has_object ? n : NULL;
}

struct radix_node *
radix_match(const struct radix_tree *t, const uint8_t *key)
{
	struct radix_node *n = t->root, *best = NULL;

	while (n != NULL && key_common(n->key, key, n->plen) == n->plen) {
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

int
radix_walk_below(struct radix_tree *t, const uint8_t *key, unsigned plen,
    int (*fn)(struct radix_node *, void *), void *ctx)
{
	struct radix_node *n, *next, *covers = NULL;
	int result = 0;

	n = descend(t, key, plen, &covers);
	if (n == NULL)
		n = covers == NULL ? t->root : covers->child[key_bit(key, covers->plen)];
	/*
	 * the subtree lies together in the order, so the walk ends with the first object outside of
	 * it
	 */
	for (n = object_from(n); n != NULL; n = next) {
		if (n->plen < plen || key_common(n->key, key, plen) != plen)
			break;
		next = object_next(n);
		if ((result = fn(n, ctx)) != 0)
			break;
	}
	return result;
}

int
radix_walk(struct radix_tree *t, int (*fn)(struct radix_node *, void *), void *ctx)
{
	static const uint8_t zero[sizeof(t->root->key)];

	return radix_walk_below(t, zero, 0, fn, ctx);
}
