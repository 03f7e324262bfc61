/*
 * if_multi.c - the link's multicast filter of an interface.
 *
 *	if_multi_add	the first holder of a group puts it in: the tree, the packets' table, and the
 *			filter of each parent
 *	if_multi_delete	the last one takes it out again, everywhere
 *	if_multi_has	a frame for a group has come (ethernet.c)
 *
 * The control side has a tree of entries with their numbers of holders. The packet side has a table
 * of bare addresses, open addressing and at most half full: a deleted slot keeps a number that no
 * frame asks for, a full table is rebuilt beside the old one. An interface without any group has
 * neither.
 *
 * A parent knows nothing of its children but their addresses: it counts a child as one holder of
 * each of the child's groups, so that a parent's list is what its own families and its children
 * have joined, and not one entry more (behaviours 37).
 */
#include "net/if_multi.h"

#include "base/bytes.h"
#include "base/tree.h"

#include <errno.h>
#include <string.h>

struct if_multi_entry {
	RB_ENTRY(if_multi_entry) node;
	unsigned holders;
	uint8_t group[6];
};
RB_HEAD(if_multi_tree, if_multi_entry);

/* What packets read. An address is its 48 bits as a number, whose lowest is the group bit. */
enum { SLOT_FREE = 0, SLOT_DELETED = 2, TABLE_FIRST_LOG2 = 3 };
struct if_multi_table {
	struct rcu_head rcu;
	uint32_t shift;      /* 64 - log2 of the slots */
	uint32_t mask;       /* slots - 1 */
	uint32_t used, live; /* slots that are not free, and not deleted */
	uint64_t slot[];
};

struct if_multi_link {
	struct ifnet *child, *parent;
	LIST_ENTRY(if_multi_link) of_child, of_parent;
};
LIST_HEAD(if_multi_links, if_multi_link);

struct if_multi {
	struct if_multi_table *table; /* published; NULL = lets nothing in */
	struct if_multi_tree entries;
	unsigned allmulti; /* who wants all groups */
	struct if_multi_links parents, children;
	struct rcu_head rcu;
};

static uint64_t entries_live; /* written by the upper half only */
AUDIT_COUNTER(if_multi, "if_multi", entries_live);

static int
entry_compare(const struct if_multi_entry *a, const struct if_multi_entry *b)
{
	return memcmp(a->group, b->group, sizeof(a->group));
}
RB_TREE_STATIC(if_multi_tree, if_multi_entry, node, entry_compare)

/* --- the packets' table ----------------------------------------------------------------------- */

static inline uint64_t
group_number(const uint8_t group[6])
{
	return load32(group) | (uint64_t)load16(group + 4) << 32;
}

static inline uint32_t
table_start(const struct if_multi_table *t, uint64_t number)
{
	return (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> t->shift);
}

static bool
table_has(const struct if_multi_table *t, uint64_t number)
{
	uint32_t i = table_start(t, number);
	uint64_t found;

	while ((found = __atomic_load_n(&t->slot[i], __ATOMIC_RELAXED)) != number &&
	    found != SLOT_FREE)
		i = (i + 1) & t->mask;
	return found == number;
}

bool
if_multi_has(const struct ifnet *ifp, const uint8_t group[6])
{
	const struct if_multi *mu = rcu_deref(&ifp->if_multi);
	const struct if_multi_table *t;

	if (ifp->if_flags & (IFF_ALLMULTI_ | IFF_PROMISC_))
		return true;
	if (mu == NULL || (t = rcu_deref(&mu->table)) == NULL)
		return false;
	return table_has(t, group_number(group));
}

static void
table_put(struct if_multi_table *t, uint64_t number)
{
	uint32_t i = table_start(t, number);

	while (t->slot[i] != SLOT_FREE)
		i = (i + 1) & t->mask;
	t->used++;
	t->live++;
	__atomic_store_n(&t->slot[i], number, __ATOMIC_RELAXED);
}

static void
table_remove(struct if_multi_table *t, uint64_t number)
{
	uint32_t i = table_start(t, number);

	while (t->slot[i] != number)
		i = (i + 1) & t->mask;
	t->live--;
	__atomic_store_n(&t->slot[i], (uint64_t)SLOT_DELETED, __ATOMIC_RELAXED);
}

static void
table_free_late(struct rcu_head *h)
{
	vnet_free(h); /* first in its table */
}

static void
table_publish(struct if_multi *mu, struct if_multi_table *t)
{
	struct if_multi_table *old = mu->table;

	rcu_publish(&mu->table, t);
	if (old != NULL)
		rcu_call(&old->rcu, table_free_late);
}

/* Room for one more. 0, -ENOMEM. */
static int
table_reserve(struct if_multi *mu)
{
	const struct if_multi_table *old = mu->table;
	uint32_t live = old != NULL ? old->live : 0, bits = TABLE_FIRST_LOG2;
	struct if_multi_table *t;

	if (old != NULL && 2 * (old->used + 1) <= old->mask + 1)
		return 0;
	while (UINT32_C(1) << bits < 4 * (live + 1))
		bits++;
	t = vnet_malloc(sizeof(*t) + sizeof(t->slot[0]) * ((size_t)1 << bits));
	if (t == NULL)
		return -ENOMEM;
	t->shift = 64 - bits;
	t->mask = (UINT32_C(1) << bits) - 1;
	for (uint32_t i = 0; live > 0 && i <= old->mask; i++)
		if (old->slot[i] != SLOT_FREE && old->slot[i] != SLOT_DELETED)
			table_put(t, old->slot[i]);
	table_publish(mu, t);
	return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The interface's filter, made at its first use; NULL without memory. */
static struct if_multi *
if_multi_of(struct ifnet *ifp)
{
	struct if_multi *mu = ifp->if_multi;

	if (mu != NULL || (mu = vnet_malloc(sizeof(*mu))) == NULL)
		return mu;
	RB_INIT(&mu->entries);
	LIST_INIT(&mu->parents);
	LIST_INIT(&mu->children);
	rcu_publish(&ifp->if_multi, mu);
	return mu;
}

static struct if_multi_entry *
entry_find(const struct ifnet *ifp, const uint8_t group[6])
{
	struct if_multi_entry key;

	if (ifp->if_multi == NULL)
		return NULL;
	memcpy(key.group, group, sizeof(key.group));
	return RB_FIND(if_multi_tree, &ifp->if_multi->entries, &key);
}

/* Linked, with one holder; NULL without memory. */
static struct if_multi_entry *
entry_new(struct if_multi *mu, const uint8_t group[6])
{
	struct if_multi_entry *en = vnet_malloc(sizeof(*en));

	if (en == NULL || table_reserve(mu) != 0) {
		vnet_free(en);
		return NULL;
	}
	memcpy(en->group, group, sizeof(en->group));
	en->holders = 1;
	RB_INSERT(if_multi_tree, &mu->entries, en);
	table_put(mu->table, group_number(group));
	entries_live++;
	return en;
}

static void
entry_free(struct if_multi *mu, struct if_multi_entry *en)
{
	table_remove(mu->table, group_number(en->group));
	if (mu->table->live == 0)
		table_publish(mu, NULL);
	RB_REMOVE(if_multi_tree, &mu->entries, en);
	vnet_free(en);
	entries_live--;
}

/* Each parent gets a group of its child's; -ENOMEM: none has got it. */
static int
parents_add(struct if_multi *mu, const uint8_t group[6])
{
	struct if_multi_link *link, *done;
	int error;

	LIST_FOREACH(link, &mu->parents, of_child) {
		if ((error = if_multi_add(link->parent, group)) == 0)
			continue;
		LIST_FOREACH(done, &mu->parents, of_child) {
			if (done == link)
				return error;
			(void)if_multi_delete(done->parent, group);
		}
	}
	return 0;
}

int
if_multi_add(struct ifnet *ifp, const uint8_t group[6])
{
	struct if_multi_entry *en = entry_find(ifp, group);
	int error;

	if (!(group[0] & 1) || group_number(group) == UINT64_C(0xffffffffffff))
		return -EINVAL;
	if (en != NULL) {
		en->holders++;
		return 0;
	}
	if (ifp->if_vnet == NULL || ifp->if_purged)
		return -ENXIO;
	VNET_SCOPE(ifp->if_vnet);
	if (if_multi_of(ifp) == NULL || (en = entry_new(ifp->if_multi, group)) == NULL)
		return -ENOMEM;
	error = parents_add(ifp->if_multi, group);
	if (error != 0)
		entry_free(ifp->if_multi, en);
	return error;
}

int
if_multi_delete(struct ifnet *ifp, const uint8_t group[6])
{
	struct if_multi_entry *en = entry_find(ifp, group);
	struct if_multi_link *link;

	if (en == NULL)
		return -ENOENT;
	if (--en->holders > 0)
		return 0;
	LIST_FOREACH(link, &ifp->if_multi->parents, of_child)
		(void)if_multi_delete(link->parent, group);
	entry_free(ifp->if_multi, en);
	return 0;
}

int
if_multi_foreach(const struct ifnet *ifp,
    int (*fn)(const uint8_t group[6], unsigned holders, void *ctx), void *ctx)
{
	struct if_multi_entry *en;
	int stop = 0;

	if (ifp->if_multi == NULL)
		return 0;
	RB_FOREACH(en, if_multi_tree, &ifp->if_multi->entries)
		if ((stop = fn(en->group, en->holders, ctx)) != 0)
			break;
	return stop;
}

/* --- all groups ------------------------------------------------------------------------------- */

static void
allmulti_flag(struct ifnet *ifp, bool on)
{
	ifp->if_flags = on ? ifp->if_flags | IFF_ALLMULTI_ :
			     ifp->if_flags & ~(uint32_t)IFF_ALLMULTI_;
	if (ifp->if_set_flags != NULL)
		ifp->if_set_flags(ifp);
}

static int
allmulti_on(struct ifnet *ifp)
{
	struct if_multi_link *link;

	if (ifp->if_vnet == NULL || ifp->if_purged)
		return -ENXIO;
	VNET_SCOPE(ifp->if_vnet);
	if (if_multi_of(ifp) == NULL)
		return -ENOMEM;
	if (ifp->if_multi->allmulti++ > 0)
		return 0;
	allmulti_flag(ifp, true);
	/* a parent has its struct since it was stacked: no memory is needed */
	LIST_FOREACH(link, &ifp->if_multi->parents, of_child)
		(void)if_allmulti(link->parent, true);
	return 0;
}

static int
allmulti_off(struct ifnet *ifp)
{
	struct if_multi_link *link;

	if (ifp->if_multi == NULL || ifp->if_multi->allmulti == 0)
		return -EINVAL;
	if (--ifp->if_multi->allmulti > 0)
		return 0;
	VNET_SCOPE(ifp->if_vnet);
	allmulti_flag(ifp, false);
	LIST_FOREACH(link, &ifp->if_multi->parents, of_child)
		(void)if_allmulti(link->parent, false);
	return 0;
}

int
if_allmulti(struct ifnet *ifp, bool on)
{
	return on ? allmulti_on(ifp) : allmulti_off(ifp);
}

/* --- stacked interfaces ----------------------------------------------------------------------- */

static struct if_multi_link *
link_find(const struct ifnet *child, const struct ifnet *parent)
{
	struct if_multi_link *link;

	if (child->if_multi == NULL)
		return NULL;
	LIST_FOREACH(link, &child->if_multi->parents, of_child)
		if (link->parent == parent)
			return link;
	return NULL;
}

/* Does `ifp` stand on `on`, directly or through others? */
static bool
stands_on(const struct ifnet *ifp, const struct ifnet *on)
{
	const struct if_multi_link *link;

	if (ifp == on)
		return true;
	if (ifp->if_multi == NULL)
		return false;
	LIST_FOREACH(link, &ifp->if_multi->parents, of_child)
		if (stands_on(link->parent, on))
			return true;
	return false;
}

/* The parent loses what the child has brought. */
static void
link_free(struct if_multi_link *link)
{
	struct if_multi *child = link->child->if_multi;
	struct if_multi_entry *en;

	RB_FOREACH(en, if_multi_tree, &child->entries)
		(void)if_multi_delete(link->parent, en->group);
	if (child->allmulti > 0)
		(void)if_allmulti(link->parent, false);
	LIST_REMOVE(link, of_child);
	LIST_REMOVE(link, of_parent);
	vnet_free(link);
}

/* The parent gets what the child has; -ENOMEM: it has got nothing. */
static int
link_fill(const struct if_multi_link *link)
{
	struct if_multi *child = link->child->if_multi;
	struct if_multi_entry *en;
	int error = 0;

	RB_FOREACH(en, if_multi_tree, &child->entries)
		if ((error = if_multi_add(link->parent, en->group)) != 0)
			break;
	if (error == 0)
		return child->allmulti > 0 ? if_allmulti(link->parent, true) : 0;
	while ((en = RB_PREV(if_multi_tree, &child->entries, en)) != NULL)
		(void)if_multi_delete(link->parent, en->group);
	return error;
}

int
if_multi_stack(struct ifnet *child, struct ifnet *parent)
{
	struct if_multi_link *link;
	int error;

	if (child->if_vnet == NULL || child->if_purged || parent->if_vnet == NULL ||
	    parent->if_purged)
		return -ENXIO;
	if (link_find(child, parent) != NULL)
		return -EEXIST;
	if (stands_on(parent, child))
		return -ELOOP;
	VNET_SCOPE(child->if_vnet);
	if (if_multi_of(child) == NULL || if_multi_of(parent) == NULL ||
	    (link = vnet_malloc(sizeof(*link))) == NULL)
		return -ENOMEM;
	link->child = child;
	link->parent = parent;
	if ((error = link_fill(link)) != 0) {
		vnet_free(link);
		return error;
	}
	LIST_INSERT_HEAD(&child->if_multi->parents, link, of_child);
	LIST_INSERT_HEAD(&parent->if_multi->children, link, of_parent);
	return 0;
}

void
if_multi_unstack(struct ifnet *child, struct ifnet *parent)
{
	struct if_multi_link *link = link_find(child, parent);

	if (link != NULL)
		link_free(link);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void
if_multi_free_late(struct rcu_head *h)
{
	vnet_free((uint8_t *)h - offsetof(struct if_multi, rcu));
}

void
if_multi_purge(struct ifnet *ifp)
{
	struct if_multi *mu = ifp->if_multi;
	struct if_multi_entry *en;
	struct if_multi_link *link;

	if (mu == NULL)
		return;
	while ((link = LIST_FIRST(&mu->parents)) != NULL)
		link_free(link);
	while ((link = LIST_FIRST(&mu->children)) != NULL)
		link_free(link);
	while ((en = RB_MIN(if_multi_tree, &mu->entries)) != NULL)
		entry_free(mu, en);
	ifp->if_flags &= ~(uint32_t)IFF_ALLMULTI_;
	rcu_publish(&ifp->if_multi, NULL);
	rcu_call(&mu->rcu, if_multi_free_late);
}
