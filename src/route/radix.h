/*
 * radix.h - a path-compressed binary trie of prefixes (Morrison's PATRICIA; Sklower 1991).
 *
 * A small library without network types: keys are bytes in network order, a prefix is its first
 * plen bits. It builds alone and can be used by any program. Nodes are embedded in the caller's
 * objects; the tree allocates only the branching nodes between them (from its own arena), and
 * radix_free gives everything back at once. Several objects of one prefix hang on one node as
 * duplicates, in order of insertion.
 *
 * A mask need not be a prefix: objects of such a mask are matched by the bits that are set in it.
 * They cost one more search for each different mask, and nothing where there are none.
 */
#ifndef WARREN_ROUTE_RADIX_H
#define WARREN_ROUTE_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct radix_tree;
struct radix_mask;

enum { RADIX_KEY_MAX = 16 };

/* Embed one per object. */
struct radix_node {
	/* what a way down reads of it */
	struct radix_node *child[2];
	uint8_t key[RADIX_KEY_MAX]; /* left-aligned, bits that don't count are zero */
	uint16_t plen;              /* bits */
	bool has_object;            /* false: a branching node of the tree's own */
	struct radix_node *parent;
	struct radix_node *dup;  /* next object of the same prefix */
	struct radix_mask *mask; /* NULL: a prefix; else plen says nothing */
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
/* The first of n's duplicates: n itself, if it was the first. */
struct radix_node *radix_first(struct radix_node *n);
/*
 * The object that matches key's max_bits bits best, or NULL: the one whose mask begins with the most
 * ones; of equal ones that with the most ones in all, then the greater mask (so a mask that refines
 * another one wins), then the first that came.
 */
struct radix_node *radix_match(const struct radix_tree *t, const uint8_t *key);
/* The next less specific prefix's object that covers n's prefix too, or NULL; NULL for a mask. */
struct radix_node *radix_covering(const struct radix_node *n);
/* The object of the longest prefix that is shorter than plen and matches key, or NULL. */
struct radix_node *radix_match_shorter(
    const struct radix_tree *t, const uint8_t *key, unsigned plen);
/*
 * Insertion and exact look-up for any mask (max_bits bits): that of a prefix comes to the same as its length.
 * radix_delete, radix_match and the walks know both kinds.
 */
int radix_insert_masked(struct radix_tree *t, struct radix_node *n, const uint8_t *key,
    const uint8_t *mask, bool allow_dup);
struct radix_node *radix_exact_masked(
    const struct radix_tree *t, const uint8_t *key, const uint8_t *mask);
/* The mask of an object (max_bits bits, the rest of the bytes zero); NULL if it is a prefix. */
const uint8_t *radix_mask_of(const struct radix_node *n);
/*
 * All objects, first those of prefixes in order of (key, plen, insertion), parents before children,
 * then those of each other mask by key; fn may delete the object it is given (and free it). Stops
 * with fn's first non-zero result and returns it. radix_walk_below: only those at or below a prefix.
 */
int radix_walk(struct radix_tree *t, int (*fn)(struct radix_node *n, void *ctx), void *ctx);
int radix_walk_below(struct radix_tree *t, const uint8_t *key, unsigned plen,
    int (*fn)(struct radix_node *n, void *ctx), void *ctx);

#endif
