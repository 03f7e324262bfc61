/*
 * if_clone.c - interfaces made by name.
 *
 * A unit belongs to the stack in which it was made until the interface is destroyed, wherever that
 * lives meanwhile; so what comes home finds its name free. Each stack has a map of units for each
 * cloner that it has used.
 */
#include "net/if_clone.h"

#include "net/idmap.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clone_units {
	SLIST_ENTRY(clone_units) link;
	const struct if_clone *ifc;
	struct idmap units;
};
SLIST_HEAD(clone_unitshead, clone_units);
VNET_DEFINE_STATIC(struct clone_unitshead, clone_units);
#define V_clone_units VNET(clone_units)

LINKERSET_DECLARE(if_clone, struct if_clone);

char if_clone_why[192];

static struct clone_units *
units_find(const struct if_clone *ifc)
{
	struct clone_units *u;

	SLIST_FOREACH(u, &V_clone_units, link)
		if (u->ifc == ifc)
			return u;
	return NULL;
}

/* curvnet's map of a cloner, made at its first use; NULL without memory. */
static struct clone_units *
units_of(const struct if_clone *ifc)
{
	struct clone_units *u = units_find(ifc);

	if (u != NULL)
		return u;
	u = vnet_malloc(sizeof(*u));
	if (u == NULL)
		return NULL;
	u->ifc = ifc;
	SLIST_INSERT_HEAD(&V_clone_units, u, link);
	return u;
}

struct if_clone *
if_clone_match(const char *name, int *unit)
{
	size_t len = strlen(name), base = len;
	struct if_clone *const *p;
	long number = -1;

	while (base > 0 && isdigit((unsigned char)name[base - 1]))
		base--;
	if (base < len) {
		/* No second spelling of a unit ("lo01"), none that doesn't fit. */
		if ((name[base] == '0' && len - base > 1) || len - base > 8)
			return NULL;
		number = strtol(name + base, NULL, 10);
	}
	LINKERSET_FOREACH(p, if_clone)
		if (strlen((*p)->name) == base && memcmp((*p)->name, name, base) == 0) {
			*unit = (int)number;
			return *p;
		}
	return NULL;
}

/* A cloner without units in this stack costs it nothing. */
static void
units_put(struct clone_units *u)
{
	if (!idmap_empty(&u->units))
		return;
	SLIST_REMOVE(&V_clone_units, u, clone_units, link);
	vnet_free(u);
}

static void
unit_release(struct clone_units *u, uint32_t unit)
{
	idmap_release(&u->units, unit);
	units_put(u);
}

static bool
unit_name(const struct if_clone *ifc, int unit, int i, char name[IFNAMSIZ_])
{
	if (ifc->unit_name != NULL)
		return ifc->unit_name(unit, i, name);
	snprintf(name, IFNAMSIZ_, "%s%d", ifc->name, unit);
	return i == 0;
}

/* A rename may have given a unit's name to somebody else. */
static bool
unit_names_free(const struct if_clone *ifc, int unit)
{
	char name[IFNAMSIZ_];

	for (int i = 0; unit_name(ifc, unit, i, name); i++)
		if (if_byname(name) != NULL)
			return false;
	return true;
}

/*
 * Take a unit: the one asked for, or the first free one. The unit, or -EEXIST, -ENOSPC, -EINVAL,
 * -ENOMEM.
 */
static int
unit_take(struct clone_units *u, int wanted)
{
	const struct if_clone *ifc = u->ifc;
	uint32_t limit = (uint32_t)ifc->maxunit + 1;
	uint32_t unit = (uint32_t)wanted;
	int error;

	if (wanted >= 0) {
		if (unit >= limit)
			return -EINVAL;
		if (!unit_names_free(ifc, wanted))
			return -EEXIST;
	} else {
		unit = idmap_lowest(&u->units, 0, limit);
		while (unit < limit && !unit_names_free(ifc, (int)unit))
			unit = idmap_lowest(&u->units, unit + 1, limit);
		if (unit >= limit)
			return -ENOSPC;
	}
	error = idmap_take(&u->units, unit);
	return error != 0 ? error : (int)unit;
}

int
if_clone_create_unit(struct if_clone *ifc, int unit, char **params, struct ifnet **made)
{
	struct clone_units *u = units_of(ifc);
	int error;

	if_clone_why[0] = '\0';
	if (u == NULL)
		return -ENOMEM;
	unit = unit_take(u, unit);
	if (unit < 0) {
		units_put(u);
		return unit;
	}
	error = ifc->create(unit, params, made);
	if (error != 0) {
		unit_release(u, (uint32_t)unit);
		return error;
	}
	(*made)->if_cloner = ifc;
	(*made)->if_unit_held = true;
	__atomic_store_n(&(*made)->if_cloned, true, __ATOMIC_RELEASE);
	return 0;
}

int
if_clone_create(const char *name, char **params, struct ifnet **made)
{
	struct if_clone *ifc;
	int unit;

	if (if_byname(name) != NULL)
		return -EEXIST;
	ifc = if_clone_match(name, &unit);
	if (ifc == NULL)
		return -EINVAL;
	return if_clone_create_unit(ifc, unit, params, made);
}

/*
 * Whoever takes the interface out of the cloner's list destroys it; the loser of a race hears ENXIO
 * and touches nothing more (behaviours 9). The caller has a reference or is the only one who
 * destroys.
 */
int
if_clone_destroy(struct ifnet *ifp)
{
	struct if_clone *ifc = ifp->if_cloner;
	struct ifnet *lead;
	struct vnet *home;
	uint32_t unit;
	bool held;
	int error;

	if (ifc == NULL)
		return -EINVAL;
	lead = ifp->if_clone_lead == NULL ? ifp : ifp->if_clone_lead;
	if (!__atomic_exchange_n(&lead->if_cloned, false, __ATOMIC_ACQ_REL))
		return -ENXIO;
	home = lead->if_home_vnet;
	unit = (uint32_t)lead->if_dunit;
	held = lead->if_unit_held;
	error = ifc->destroy(ifp);
	if (error != 0) {
		__atomic_store_n(&lead->if_cloned, true, __ATOMIC_RELEASE);
		return error;
	}
	/* An interface that outlived its first home has no unit in the new one. */
	if (held) {
		VNET_SCOPE(home);
		unit_release(units_find(ifc), unit);
	}
	return 0;
}

static int
clone_compare(const void *a, const void *b)
{
	const struct if_clone *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void
if_clone_foreach(void (*fn)(const struct if_clone *ifc, void *ctx), void *ctx)
{
	const struct if_clone *sorted[64];
	struct if_clone *const *p;
	size_t n = 0;

	LINKERSET_FOREACH(p, if_clone)
		if (n < sizeof(sorted) / sizeof(sorted[0]))
			sorted[n++] = *p;
	qsort(sorted, n, sizeof(sorted[0]), clone_compare);
	for (size_t i = 0; i < n; i++)
		fn(sorted[i], ctx);
}

static void
clone_units_uninit(void *arg)
{
	struct clone_units *u;

	(void)arg;
	while ((u = SLIST_FIRST(&V_clone_units)) != NULL) {
		SLIST_REMOVE_HEAD(&V_clone_units, link);
		idmap_clear(&u->units);
		vnet_free(u);
	}
}
VNET_SYSUNINIT(clone_units, SI_SUB_NET, SI_ORDER_SECOND, clone_units_uninit, NULL);
