/*
 * dn_hash.c - a table of objects that have their node in them: schedulers and flowsets by number,
 * instances and queues by flow. It doubles when there are as many objects as chains.
 */
#include "dummynet/dn_internal.h"

#include <errno.h>

enum { SLOTS_MIN = 8 };

static int
hash_grow(struct dn_hash *h)
{
	const uint32_t slots = h->slot == NULL ? SLOTS_MIN : 2 * (h->mask + 1);
	struct dn_node **slot = vnet_malloc(slots * sizeof(*slot));

	if (slot == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; h->slot != NULL && i <= h->mask; i++) {
		struct dn_node *node = h->slot[i], *next;

		for (; node != NULL; node = next) {
			struct dn_node **at = &slot[node->hash & (slots - 1)];

			next = node->next;
			node->next = *at;
			*at = node;
		}
	}
	vnet_free(h->slot);
	h->slot = slot;
	h->mask = slots - 1;
	return 0;
}

int
dn_hash_add(struct dn_hash *h, struct dn_node *node, uint64_t hash)
{
	struct dn_node **at;

	/* Without memory for more chains those that are there become longer. */
	if ((h->slot == NULL || h->n > h->mask) && hash_grow(h) != 0 && h->slot == NULL)
		return -ENOMEM;
	at = &h->slot[hash & h->mask];
	node->hash = hash;
	node->next = *at;
	*at = node;
	h->n++;
	return 0;
}

/* An empty table has no memory. */
void
dn_hash_remove(struct dn_hash *h, struct dn_node *node)
{
	struct dn_node **at = &h->slot[node->hash & h->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	if (--h->n > 0)
		return;
	vnet_free(h->slot);
	h->slot = NULL;
	h->mask = 0;
}
