/*
 * if_names.c - a stack's interfaces by name and by index.
 *
 * Both tables are as large as the interfaces that are there need, whatever was there before; a
 * small stack has no hash.
 */
#include "net/if_internal.h"

#include "net/idmap.h"

#include <errno.h>
#include <string.h>

/*
 * Below this many interfaces a walk over the list beats a hash that every small stack would pay
 * for.
 */
enum { IF_HASH_FROM = 16 };

/* Interfaces by index; slot i is index i + 1. */
VNET_DEFINE_STATIC(struct ifnet **, if_index_table);
#define V_if_index_table VNET(if_index_table)
VNET_DEFINE_STATIC(uint32_t, if_index_room);
#define V_if_index_room VNET(if_index_room)
VNET_DEFINE_STATIC(struct idmap, if_indexes);
#define V_if_indexes VNET(if_indexes)
/* Interfaces by name; NULL in a small stack. */
VNET_DEFINE_STATIC(struct ifnet **, if_names);
#define V_if_names VNET(if_names)
VNET_DEFINE_STATIC(uint32_t, if_names_mask);
#define V_if_names_mask VNET(if_names_mask)

static uint32_t
name_hash(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h ^ h >> 15;
}

struct ifnet *
if_byname(const char *name)
{
	struct ifnet *ifp;

	if (V_if_names == NULL) {
		IF_FOREACH(ifp)
			if (strcmp(ifp->if_xname, name) == 0)
				return ifp;
		return NULL;
	}
	for (ifp = V_if_names[name_hash(name) & V_if_names_mask]; ifp != NULL; ifp = ifp->if_hnext)
		if (strcmp(ifp->if_xname, name) == 0)
			return ifp;
	return NULL;
}

void
if_names_link(struct ifnet *ifp)
{
	struct ifnet **slot;

	if (V_if_names == NULL)
		return;
	slot = &V_if_names[name_hash(ifp->if_xname) & V_if_names_mask];
	ifp->if_hnext = *slot;
	*slot = ifp;
}

void
if_names_unlink(struct ifnet *ifp)
{
	struct ifnet **slot;

	if (V_if_names == NULL)
		return;
	slot = &V_if_names[name_hash(ifp->if_xname) & V_if_names_mask];
	while (*slot != NULL && *slot != ifp)
		slot = &(*slot)->if_hnext;
	if (*slot != NULL)
		*slot = ifp->if_hnext;
	ifp->if_hnext = NULL;
}

/*
 * The size follows the number of interfaces both ways, so that a stack which is as it was also
 * takes as much memory as it did. Without memory the old hash, or none, does as well: only slower.
 */
static void
names_resize(void)
{
	uint32_t size = V_if_names == NULL ? 0 : V_if_names_mask + 1, want = 2 * IF_HASH_FROM;
	struct ifnet **names = NULL, *ifp;

	while (want <= curvnet->ifcnt)
		want *= 2;
	if (curvnet->ifcnt < IF_HASH_FROM)
		want = 0;
	if (want == size)
		return;
	if (want != 0 && (names = vnet_malloc(want * sizeof(struct ifnet *))) == NULL)
		return;
	vnet_free(V_if_names);
	V_if_names = names;
	V_if_names_mask = want - 1;
	IF_FOREACH(ifp)
		if_names_link(ifp);
}

struct ifnet *
if_byindex(uint32_t index)
{
	if (index == 0 || index > V_if_index_room)
		return NULL;
	return V_if_index_table[index - 1];
}

uint32_t
if_next_index(void)
{
	return idmap_lowest(&V_if_indexes, 0, UINT32_MAX) + 1;
}

/* Room for indexes up to `last`, no less than half used: false without memory. */
static bool
index_resize(uint32_t last)
{
	uint32_t room = 4;
	struct ifnet **table;

	while (room < last)
		room *= 2;
	if (room == V_if_index_room)
		return true;
	table = vnet_malloc(room * sizeof(struct ifnet *));
	if (table == NULL)
		return false;
	if (V_if_index_room != 0)
		memcpy(table, V_if_index_table,
		    (room < V_if_index_room ? room : V_if_index_room) * sizeof(struct ifnet *));
	vnet_free(V_if_index_table);
	V_if_index_table = table;
	V_if_index_room = room;
	return true;
}

int
if_link_in(struct ifnet *ifp)
{
	uint32_t slot = if_next_index() - 1;
	int error;

	if (slot >= V_if_index_room && !index_resize(slot + 1))
		return -ENOMEM;
	error = idmap_take(&V_if_indexes, slot);
	if (error != 0)
		return error;
	V_if_index_table[slot] = ifp;
	ifp->if_index = slot + 1;
	/* The lowest free slot: the one before it is taken. */
	if (slot == 0)
		TAILQ_INSERT_HEAD(&V_ifnet_head, ifp, if_link);
	else
		TAILQ_INSERT_AFTER(&V_ifnet_head, V_if_index_table[slot - 1], ifp, if_link);
	if_names_link(ifp);
	curvnet->ifcnt++;
	names_resize();
	return 0;
}

void
if_link_out(struct ifnet *ifp)
{
	TAILQ_REMOVE(&V_ifnet_head, ifp, if_link);
	if_names_unlink(ifp);
	V_if_index_table[ifp->if_index - 1] = NULL;
	idmap_release(&V_if_indexes, ifp->if_index - 1);
	curvnet->ifcnt--;
	names_resize();
	if (!TAILQ_EMPTY(&V_ifnet_head))
		(void)index_resize(TAILQ_LAST(&V_ifnet_head, ifnethead)->if_index);
}

struct ifnet *
if_by_handle(uintptr_t handle)
{
	struct vnet *vnet;
	struct ifnet *ifp;

	VNET_FOREACH(vnet) {
		VNET_SCOPE(vnet);
		IF_FOREACH(ifp)
			if ((uintptr_t)ifp == handle)
				return ifp;
	}
	return NULL;
}

void
if_names_uninit(void)
{
	vnet_free(V_if_index_table);
	V_if_index_table = NULL;
	V_if_index_room = 0;
	vnet_free(V_if_names);
	V_if_names = NULL;
	idmap_clear(&V_if_indexes);
}
