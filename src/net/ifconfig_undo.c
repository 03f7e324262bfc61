/*
 * ifconfig_undo.c - a command that fails changes nothing: what keywords had changed before one of
 * them was refused by its driver goes back to what it was. Addresses and groups that the command
 * had set stay.
 */
#include "net/ifconfig.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Flags that the administrator sets by a keyword and no counter stands behind. */
enum {
	PLAIN_FLAGS = IFF_DEBUG_ | IFF_NOARP_ | IFF_LINK0_ | IFF_LINK1_ | IFF_LINK2_ |
	    IFF_MONITOR_ | IFF_STATICARP_
};

LINKERSET_DECLARE(ifconfig_family, const struct ifconfig_family);
LINKERSET_DECLARE(ifconfig_undo, const struct ifconfig_undo);

static void
save_families(struct ifconfig_saved *s, const struct ifnet *ifp)
{
	const struct ifconfig_family *const *p;
	uint32_t *flags = s->family_flags;

	LINKERSET_FOREACH(p, ifconfig_family)
		if ((*p)->flags != NULL)
			*flags++ = (*p)->flags(ifp);
}

static void
restore_families(const struct ifconfig_saved *s, struct ifnet *ifp)
{
	const struct ifconfig_family *const *p;
	const uint32_t *flags = s->family_flags;

	LINKERSET_FOREACH(p, ifconfig_family)
		if ((*p)->flags != NULL)
			(*p)->set_flags(ifp, *flags++);
}

static void
save_rooms(struct ifconfig_saved *s, const struct ifnet *ifp)
{
	const struct ifconfig_undo *const *p;
	unsigned i = 0;

	LINKERSET_FOREACH(p, ifconfig_undo) {
		assert(i < IFCONFIG_UNDO_ROOMS);
		s->room[i++] = (*p)->save(ifp);
	}
}

static void
restore_rooms(const struct ifconfig_saved *s, struct ifnet *ifp)
{
	const struct ifconfig_undo *const *p;
	unsigned i = 0;

	LINKERSET_FOREACH(p, ifconfig_undo) {
		if (s->room[i] != NULL)
			(*p)->restore(ifp, s->room[i]);
		i++;
	}
}

static void
forget_rooms(struct ifconfig_saved *s)
{
	const struct ifconfig_undo *const *p;
	unsigned i = 0;

	LINKERSET_FOREACH(p, ifconfig_undo) {
		if (s->room[i] != NULL)
			(*p)->forget(s->room[i]);
		s->room[i++] = NULL;
	}
}

void
ifconfig_save(struct ifconfig_saved *s, const struct ifnet *ifp)
{
	*s = (struct ifconfig_saved){
		.vnet = ifp->if_vnet,
		.flags = ifp->if_flags,
		.mtu = ifp->if_mtu,
		.metric = ifp->if_metric,
		.capenable = ifp->if_capenable,
		.fib = ifp->if_fib,
		.description = ifp->if_description == NULL ? NULL : strdup(ifp->if_description),
	};
	memcpy(s->name, ifp->if_xname, sizeof(s->name));
	memcpy(s->lladdr, ifp->if_lladdr, sizeof(s->lladdr));
	save_families(s, ifp);
	save_rooms(s, ifp);
}

static void
restore_flags(const struct ifconfig_saved *s, struct ifnet *ifp)
{
	uint32_t changed = s->flags ^ ifp->if_flags;

	if (changed & IFF_PPROMISC_) {
		(void)if_set_promisc(ifp, s->flags & IFF_PPROMISC_);
		ifp->if_flags ^= IFF_PPROMISC_;
	}
	if (changed & PLAIN_FLAGS) {
		VNET_SCOPE(ifp->if_vnet);

		ifp->if_flags ^= changed & PLAIN_FLAGS;
		if (ifp->if_set_flags != NULL)
			ifp->if_set_flags(ifp);
	}
	if (changed & IFF_UP_)
		(void)(s->flags & IFF_UP_ ? if_up(ifp) : if_down(ifp));
}

void
ifconfig_restore(struct ifconfig_saved *s, struct ifnet *ifp)
{
	/* One that left is not ours to change any more. */
	if (ifp->if_vnet != s->vnet)
		return;
	if (strcmp(s->name, ifp->if_xname) != 0)
		(void)if_rename(ifp, s->name);
	restore_rooms(s, ifp);
	if (s->mtu != ifp->if_mtu)
		(void)if_set_mtu(ifp, s->mtu);
	if (ifp->if_addrlen == sizeof(s->lladdr))
		(void)if_set_lladdr(ifp, s->lladdr);
	(void)if_set_description(ifp, s->description == NULL ? "" : s->description);
	ifp->if_metric = s->metric;
	ifp->if_capenable = s->capenable;
	ifp->if_fib = s->fib;
	restore_flags(s, ifp);
	restore_families(s, ifp);
}

void
ifconfig_forget(struct ifconfig_saved *s)
{
	free(s->description);
	forget_rooms(s);
}
