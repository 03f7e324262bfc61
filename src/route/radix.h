/*
 * radix.h - a path-compressed binary trie of prefixes (Morrison's PATRICIA; Sklower 1991).
 *
 * A small library without network types: keys are bytes in network order, a prefix is its first
 * plen bits. It builds alone and can be used by any program. Nodes are embedded in the caller's
 * objects; the tree allocates only the branching nodes between them (from its own arena), and
 * radix_free gives everything back at once. Several objects of one prefix hang on one node as
 * duplicates, in order of insertion.
 */
#ifndef WARREN_ROUTE_RADIX_H
#define WARREN_ROUTE_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct radix_tree;

/* Embed one per object. */
struct radix_node {
	struct radix_node *child[2], *parent;
	struct radix_node *dup; /* next object of the same prefix */
	uint16_t plen;          /* bits */
	bool has_object;        /* false: a branching node of the tree's own */
	uint8_t key[16];        /* left-aligned, bits behind plen are zero */
};

/* Keys of up to max_bits (32, 128). NULL without memory. */
struct radix_tree *radix_new(unsigned max_bits);
/* The same in memory of the caller's kind: alloc returns zeroed bytes or NULL. */
struct radix_tree *radix_new_in(unsigned max_bits, void *(*alloc)(size_t), void (*dealloc)(void *));
/* Frees the tree itself; returns how many objects were still in it (they are the caller's). */
size_t radix_free(struct radix_tree *t);
size_t radix_count(const struct radix_tree *t);

/*
 * Put n in; key and plen are copied, bits behind plen cleared. 0, -ENOMEM, -EINVAL (plen), -EEXIST
 * if the prefix is there and !allow_dup.
 */
int radix_insert(
    struct radix_tree *t, struct radix_node *n, const uint8_t *key, unsigned plen, bool allow_dup);
/* Take n (an object in the tree) out. */
void radix_delete(struct radix_tree *t, struct radix_node *n);
/* The object with exactly this prefix (the first of its duplicates), or NULL. */
struct radix_node *radix_exact(const struct radix_tree *t, const uint8_t *key, unsigned plen);
/* The object with the longest prefix that matches key's max_bits bits, or NULL. */
struct radix_node *radix_match(const struct radix_tree *t, const uint8_t *key);
/* The next less specific object that also covers n's prefix, or NULL. */
struct radix_node *radix_covering(const struct radix_node *n);
/*
 * All objects in order of (key, plen, insertion), parents before children; fn may delete the object
 * it is given (and free it). Stops with fn's first non-zero result and returns it. `from` (may be
 * NULL) limits it to objects at or below a prefix.
 */
int radix_walk(struct radix_tree *t, int (*fn)(struct radix_node *n, void *ctx), void *ctx);
int radix_walk_below(struct radix_tree *t, const uint8_t *key, unsigned plen,
    int (*fn)(struct radix_node *n, void *ctx), void *ctx);

#endif
