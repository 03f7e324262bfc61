/*
 * if_change.c - what commands change about an interface: each gives 0 or -errno, and nothing is
 * changed on error.
 */
#include "net/if_internal.h"

#include "base/log.h"
#include "kern/sysctl.h"
#include "net/lltable.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

uint32_t if_descr_maxlen = IF_DESCR_DEFAULT_MAX;
SYSCTL_UINT(net_ifdescr_maxlen, "net.ifdescr_maxlen", SYSCTL_RW, if_descr_maxlen, 1, 1 << 20,
    "longest interface description, with its NUL");
static bool log_link_state_change = true;
SYSCTL_BOOL(net_link_log_link_state_change, "net.link.log_link_state_change", SYSCTL_RW,
    log_link_state_change, "log when a link goes up or down");

/* The driver may make more of it (RUNNING); one that says nothing runs while it is up. */
static void
if_flags_changed(struct ifnet *ifp)
{
	if (ifp->if_set_flags != NULL)
		ifp->if_set_flags(ifp);
	else if (ifp->if_flags & IFF_UP_)
		ifp->if_flags |= IFF_RUNNING_;
	else
		ifp->if_flags &= ~(uint32_t)IFF_RUNNING_;
}

int
if_up(struct ifnet *ifp)
{
	VNET_SCOPE(ifp->if_vnet);
	int error;

	if (ifp->if_purged)
		return -ENXIO;
	error = if_attachdomain(ifp);
	if (error != 0 || ifp->if_flags & IFF_UP_)
		return error;
	ifp->if_flags |= IFF_UP_;
	if_flags_changed(ifp);
	if_linkchange(ifp);
	return 0;
}

int
if_down(struct ifnet *ifp)
{
	VNET_SCOPE(ifp->if_vnet);

	if (!(ifp->if_flags & IFF_UP_))
		return 0;
	ifp->if_flags &= ~(uint32_t)IFF_UP_;
	if_flags_changed(ifp);
	if_linkchange(ifp);
	return 0;
}

/* A name that columns and shells can carry. */
static bool
name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ_)
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p) || *p == '/')
			return false;
	return true;
}

int
if_rename(struct ifnet *ifp, const char *name)
{
	VNET_SCOPE(ifp->if_vnet);

	if (!name_ok(name))
		return -EINVAL;
	if (if_byname(name) != NULL)
		return -EEXIST;
	ifp->if_flags |= IFF_RENAMING_;
	if_raise(EV_DEPARTURE, ifp);
	if_names_unlink(ifp);
	snprintf(ifp->if_xname, sizeof(ifp->if_xname), "%s", name);
	if_names_link(ifp);
	if_raise(EV_ARRIVAL, ifp);
	ifp->if_flags &= ~(uint32_t)IFF_RENAMING_;
	return 0;
}

int
if_set_mtu(struct ifnet *ifp, uint32_t mtu)
{
	VNET_SCOPE(ifp->if_vnet);

	if (ifp->if_set_mtu != NULL)
		return ifp->if_set_mtu(ifp, mtu);
	if (mtu < 72 || mtu > 65535)
		return -EINVAL;
	ifp->if_mtu = mtu;
	return 0;
}

/*
 * The event is raised here, not by the driver's setter (behaviours 38); an address that stays is no
 * event.
 */
int
if_set_lladdr(struct ifnet *ifp, const uint8_t lladdr[6])
{
	VNET_SCOPE(ifp->if_vnet);
	int error;

	if (ifp->if_addrlen != 6)
		return -EINVAL;
	if (lladdr[0] & 1)
		return -EINVAL;
	if (memcmp(ifp->if_lladdr, lladdr, 6) == 0)
		return 0;
	error = ifp->if_set_lladdr == NULL ? 0 : ifp->if_set_lladdr(ifp, lladdr);
	if (error != 0)
		return error;
	memcpy(ifp->if_lladdr, lladdr, 6);
	lltable_lladdr_changed(ifp);
	if_raise(EV_LLADDR, ifp);
	return 0;
}

int
if_set_description(struct ifnet *ifp, const char *text)
{
	VNET_SCOPE(ifp->if_vnet);
	size_t need = strlen(text) + 1;
	char *copy = NULL;

	if (need > if_descr_maxlen)
		return -ENAMETOOLONG;
	if (need > 1) {
		copy = vnet_malloc(need);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, text, need);
	}
	vnet_free(ifp->if_description);
	ifp->if_description = copy;
	return 0;
}

int
if_get_description(const struct ifnet *ifp, char *buf, size_t *len, bool *fits)
{
	size_t room = *len;

	if (ifp->if_description == NULL)
		return -ENOMSG;
	*len = strlen(ifp->if_description) + 1;
	*fits = *len <= room;
	if (*fits)
		memcpy(buf, ifp->if_description, *len);
	return 0;
}

void
if_link_state_change(struct ifnet *ifp, enum link_state state)
{
	static const char *const word[] = { "UNKNOWN", "DOWN", "UP" };

	if (ifp->if_link_state == state)
		return;
	ifp->if_link_state = (uint8_t)state;
	if (ifp->if_vnet == NULL)
		return;
	VNET_SCOPE(ifp->if_vnet);
	if (log_link_state_change)
		log_msg(LOG_LVL_INFO, "%s: link state changed to %s", ifp->if_xname, word[state]);
	if_linkchange(ifp);
}

int
if_set_promisc(struct ifnet *ifp, bool on)
{
	if (!on && ifp->if_pcount == 0)
		return -EINVAL;
	ifp->if_pcount += on ? 1 : -1;
	if (ifp->if_pcount > (on ? 1 : 0))
		return 0;
	ifp->if_flags = on ? ifp->if_flags | IFF_PROMISC_ : ifp->if_flags & ~(uint32_t)IFF_PROMISC_;
	if (ifp->if_vnet != NULL) {
		VNET_SCOPE(ifp->if_vnet);
		if_flags_changed(ifp);
	}
	return 0;
}
