/*
 * dn_ring.h - flows that take turns: a ring without an end, whose turn it is has the pointer.
 *
 * To give the turn on is one load and writes nothing to the flows, which with many of them are not
 * in the cache (a tail queue's remove and insert writes to four).
 */
#ifndef WARREN_DUMMYNET_DN_RING_H
#define WARREN_DUMMYNET_DN_RING_H

#include <stddef.h>

struct dn_ring_node {
	struct dn_ring_node *next, *prev;
};

/* n becomes the last of the ring whose first one is *turn. */
static inline void
dn_ring_join(struct dn_ring_node **turn, struct dn_ring_node *n)
{
	struct dn_ring_node *first = *turn;

	if (first == NULL) {
		n->next = n->prev = *turn = n;
		return;
	}
	n->next = first;
	n->prev = first->prev;
	n->prev->next = n;
	first->prev = n;
}

/* n leaves; if it was its turn, it is the next one's, or nobody's. */
static inline void
dn_ring_leave(struct dn_ring_node **turn, struct dn_ring_node *n)
{
	if (n->next == n) {
		*turn = NULL;
		return;
	}
	n->prev->next = n->next;
	n->next->prev = n->prev;
	if (*turn == n)
		*turn = n->next;
}

#endif
