/*
 * idmap.h - which small numbers are taken: interface indexes, units of cloned interfaces.
 *
 * A bitmap with a hint below which everything is taken, so that taking the lowest free number is
 * O(1) amortised. Up to 64 numbers live in the struct itself: most stacks never allocate. Control
 * side only.
 */
#ifndef WARREN_NET_IDMAP_H
#define WARREN_NET_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

struct idmap {
	uint64_t first; /* numbers 0 .. 63 */
	uint64_t *more; /* from 64 on; vnet_malloc */
	uint32_t words; /* of more */
	uint32_t hint;  /* every number below it is taken */
};

/*
 * The lowest free number from `from` on and below `limit`, not marked; UINT32_MAX when there is
 * none.
 */
uint32_t idmap_lowest(const struct idmap *map, uint32_t from, uint32_t limit);
/* Mark it: 0; -EEXIST when it is taken, -ENOMEM. */
int idmap_take(struct idmap *map, uint32_t id);
/* Unmark; a free number is allowed. */
void idmap_release(struct idmap *map, uint32_t id);
bool idmap_empty(const struct idmap *map);
/* Forget everything and free. */
void idmap_clear(struct idmap *map);

#endif
