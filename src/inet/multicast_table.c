/*
 * multicast_table.c - where packets find a group of their interface.
 *
 * Open addressing, at most half full; a group that has gone leaves a mark, and a full table is
 * rebuilt beside the old one, which readers may still be in. An interface without groups has none.
 */
#include "inet/multicast_internal.h"

#include <errno.h>

enum { TABLE_FIRST_LOG2 = 2 };
struct mcast_table {
	struct rcu_head rcu;
	uint32_t shift, mask; /* 32 - log2 of the slots; slots - 1 */
	uint32_t used, live;  /* slots that are not free, and not deleted */
	struct mcast_group *slot[];
};
/* Stands in the slots of groups that have gone; no packet asks for its address. */
static struct mcast_group deleted;

static inline uint32_t
table_start(const struct mcast_table *t, const struct ipaddr *group)
{
	uint64_t h = load64(group->b) * UINT64_C(0x9e3779b97f4a7c15) ^ load64(group->b + 8);

	return (uint32_t)(h * UINT64_C(0xd6e8feb86659fd93) >> 32) >> t->shift;
}

struct mcast_group *
mcast_group_find(const struct mcast_if *mi, const struct ipaddr *group)
{
	const struct mcast_table *t = rcu_deref(&mi->table);
	struct mcast_group *g;

	if (t == NULL)
		return NULL;
	for (uint32_t i = table_start(t, group); (g = rcu_deref(&t->slot[i])) != NULL;
	     i = (i + 1) & t->mask)
		if (ipaddr_equal(&g->group, group))
			return g;
	return NULL;
}

static void
table_put(struct mcast_table *t, struct mcast_group *g)
{
	uint32_t i = table_start(t, &g->group);

	while (t->slot[i] != NULL)
		i = (i + 1) & t->mask;
	t->used++;
	t->live++;
	rcu_publish(&t->slot[i], g);
}

static void
table_free_late(struct rcu_head *h)
{
	vnet_free(h); /* first in its table */
}

static void
table_publish(struct mcast_if *mi, struct mcast_table *t)
{
	struct mcast_table *old = mi->table;

	rcu_publish(&mi->table, t);
	if (old != NULL)
		rcu_call(&old->rcu, table_free_late);
}

int
mcast_table_reserve(struct mcast_if *mi)
{
	const struct mcast_table *old = mi->table;
	uint32_t live = old != NULL ? old->live : 0, bits = TABLE_FIRST_LOG2;
	struct mcast_table *t;

	if (old != NULL && 2 * (old->used + 1) <= old->mask + 1)
		return 0;
	while (UINT32_C(1) << bits < 2 * (live + 1) + live)
		bits++;
	t = vnet_malloc(sizeof(*t) + sizeof(struct mcast_group *) * ((size_t)1 << bits));
	if (t == NULL)
		return -ENOMEM;
	t->shift = 32 - bits;
	t->mask = (UINT32_C(1) << bits) - 1;
	for (uint32_t i = 0; live > 0 && i <= old->mask; i++)
		if (old->slot[i] != NULL && old->slot[i] != &deleted)
			table_put(t, old->slot[i]);
	table_publish(mi, t);
	return 0;
}

void
mcast_table_add(struct mcast_if *mi, struct mcast_group *g)
{
	table_put(mi->table, g);
}

void
mcast_table_remove(struct mcast_if *mi, struct mcast_group *g)
{
	struct mcast_table *t = mi->table;
	uint32_t i = table_start(t, &g->group);

	while (t->slot[i] != g)
		i = (i + 1) & t->mask;
	t->live--;
	rcu_publish(&t->slot[i], &deleted);
}

void
mcast_table_free(struct mcast_if *mi)
{
	table_publish(mi, NULL);
}
