/*
 * if.c - the life of an interface.
 *
 * if_alloc makes it, if_enter puts it in a stack (name, index, families, ifnet_arrival), if_leave
 * takes it out again (down, addresses and families away, its packets out of all queues,
 * ifnet_departure). Attach, detach and the move to another stack are these two; a rename is a
 * departure and an arrival with IFF_RENAMING set in between. When a stack ends, what moved in goes
 * home and what was made there ends.
 *
 * Everything here is the upper half's. Memory goes with the last reference, behind the readers.
 */
#include "net/if_internal.h"

#include "kern/eventhandler.h"
#include "kern/jail.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/bpf.h"
#include "net/generation.h"
#include "net/if_clone.h"
#include "net/if_multi.h"
#include "net/lltable.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

VNET_DEFINE(struct ifnethead, ifnet_head);
VNET_DEFINE(struct ifnet *, loif);
LIST_HEAD(ifawayhead, ifnet);
/* Interfaces made here that are in another stack now. */
VNET_DEFINE_STATIC(struct ifawayhead, if_away_head);
#define V_if_away_head VNET(if_away_head)
/* False while the stack starts and ends: interfaces are there, but the families aren't. */
VNET_DEFINE_STATIC(bool, if_families_ready);
#define V_if_families_ready VNET(if_families_ready)

uint32_t if_qmaxlen = 50;
SYSCTL_UINT(net_link_ifqmaxlen, "net.link.ifqmaxlen", SYSCTL_RDTUN, if_qmaxlen, 1, 1 << 20,
    "packets in an interface's send queue");

LINKERSET_DECLARE(af_domain, const struct af_domain);

static uint64_t ifnets_live, ifaddrs_live; /* atomic: rcu frees where the reader's worker polls */

uint64_t
if_live(void)
{
	return __atomic_load_n(&ifnets_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(ifnet, "ifnet", if_live);
AUDIT_COUNTER(ifaddr, "ifaddr", ifaddrs_live);

/* Event lists live for ever: looked up once. */
void
if_raise(enum if_event event, struct ifnet *ifp)
{
	static const char *const name[EV_N] = {
		[EV_ARRIVAL] = "ifnet_arrival",
		[EV_DEPARTURE] = "ifnet_departure",
		[EV_LLADDR] = "iflladdr_event",
		[EV_LINK] = "iflink_event",
	};
	static struct event_list *list[EV_N];

	if (list[event] == NULL)
		list[event] = event_find(name[event]);
	event_invoke(list[event], ifp, NULL);
}

/* --- references ------------------------------------------------------------------------------- */

static void
if_free_late(struct rcu_head *h)
{
	struct ifnet *ifp = (struct ifnet *)(void *)((uint8_t *)h - offsetof(struct ifnet, if_rcu));

	vnet_free(ifp->if_description);
	vnet_free(ifp->if_groups);
	vnet_free(ifp);
	__atomic_fetch_sub(&ifnets_live, 1, __ATOMIC_RELAXED);
}

struct ifnet *
if_ref(struct ifnet *ifp)
{
	__atomic_fetch_add(&ifp->if_refs, 1, __ATOMIC_RELAXED);
	return ifp;
}

void
if_rele(struct ifnet *ifp)
{
	uint32_t left = __atomic_sub_fetch(&ifp->if_refs, 1, __ATOMIC_ACQ_REL);

	assert((int32_t)left >= 0);
	if (left == 0)
		rcu_call(&ifp->if_rcu, if_free_late);
}

/* Addresses take part in the count from their first reference on. */
bool
ifa_visible(const struct ifaddr *ifa)
{
	return ifa->ops->visible == NULL || curprison == NULL || ifa->ops->visible(ifa, curprison);
}

struct ifaddr *
ifa_ref(struct ifaddr *ifa)
{
	if (__atomic_fetch_add(&ifa->refs, 1, __ATOMIC_RELAXED) == 0)
		__atomic_fetch_add(&ifaddrs_live, 1, __ATOMIC_RELAXED);
	return ifa;
}

static void
ifa_free_late(struct rcu_head *h)
{
	struct ifaddr *ifa = (struct ifaddr *)(void *)((uint8_t *)h - offsetof(struct ifaddr, rcu));

	__atomic_fetch_sub(&ifaddrs_live, 1, __ATOMIC_RELAXED);
	ifa->ops->free(ifa);
}

void
ifa_rele(struct ifaddr *ifa)
{
	uint32_t left = __atomic_sub_fetch(&ifa->refs, 1, __ATOMIC_ACQ_REL);

	assert((int32_t)left >= 0);
	if (left == 0)
		rcu_call(&ifa->rcu, ifa_free_late);
}

/* --- families ------------------------------------------------------------ */

static const struct af_domain *
af_domain_of(enum af_slot slot)
{
	const struct af_domain *const *p;

	LINKERSET_FOREACH(p, af_domain)
		if ((*p)->slot == slot)
			return *p;
	return NULL;
}

int
if_attachdomain(struct ifnet *ifp)
{
	if (!V_if_families_ready)
		return 0;
	for (int slot = 0; slot < AF_SLOTS; slot++) {
		const struct af_domain *af = af_domain_of((enum af_slot)slot);
		void *data;

		if (af == NULL || af->attach == NULL || ifp->if_afstate[slot] != AF_EMPTY)
			continue;
		ifp->if_afstate[slot] = AF_ATTACHING;
		data = af->attach(ifp);
		if (data == NULL) {
			ifp->if_afstate[slot] = AF_EMPTY;
			return -ENOMEM;
		}
		ifp->if_afdata[slot] = data;
		__atomic_store_n(&ifp->if_afstate[slot], AF_READY, __ATOMIC_RELEASE);
	}
	return 0;
}

/*
 * The flag goes first; the family's detach, which may wait for its timers, is called when nobody
 * can take the table for ready any more (behaviours 11).
 */
static void
if_detachdomain(struct ifnet *ifp)
{
	for (int slot = AF_SLOTS - 1; slot >= 0; slot--) {
		const struct af_domain *af = af_domain_of((enum af_slot)slot);
		void *data = ifp->if_afdata[slot];

		if (ifp->if_afstate[slot] != AF_READY)
			continue;
		__atomic_store_n(&ifp->if_afstate[slot], AF_EMPTY, __ATOMIC_RELEASE);
		ifp->if_afdata[slot] = NULL;
		if (af != NULL && af->detach != NULL)
			af->detach(ifp, data);
	}
}

static void
if_purgeaddrs(struct ifnet *ifp)
{
	struct ifaddr *ifa;

	for (int slot = AF_SLOTS - 1; slot >= 0; slot--) {
		const struct af_domain *af = af_domain_of((enum af_slot)slot);

		if (af != NULL && af->purge != NULL && ifp->if_afstate[slot] == AF_READY)
			af->purge(ifp);
	}
	/* What no family took back. */
	while ((ifa = TAILQ_FIRST(&ifp->if_addrs)) != NULL) {
		TAILQ_REMOVE(&ifp->if_addrs, ifa, link);
		ifa_rele(ifa);
	}
}

void
if_linkchange(struct ifnet *ifp)
{
	generation_bump();
	for (int slot = 0; slot < AF_SLOTS; slot++) {
		const struct af_domain *af = af_domain_of((enum af_slot)slot);

		if (af != NULL && af->linkchange != NULL && ifp->if_afstate[slot] == AF_READY)
			af->linkchange(ifp);
	}
	if_raise(EV_LINK, ifp);
}

/* --- into a stack and out of it ------------------------------------------ */

struct ifnet *
if_alloc(enum if_type type, const char *dname, int dunit)
{
	struct ifnet *ifp = vnet_malloc(sizeof(*ifp));

	if (ifp == NULL)
		return NULL;
	ifp->if_type = (uint8_t)type;
	ifp->if_dname = dname;
	ifp->if_dunit = dunit;
	ifp->if_mtu = 1500;
	ifp->if_refs = 1;
	ifp->if_purged = true;
	ifp->if_snd_maxlen = if_qmaxlen;
	TAILQ_INIT(&ifp->if_addrs);
	mbufq_init(&ifp->if_snd);
	__atomic_fetch_add(&ifnets_live, 1, __ATOMIC_RELAXED);
	return ifp;
}

/* Into curvnet. 0; -EEXIST, -ENOMEM, with nothing left behind. */
static int
if_enter(struct ifnet *ifp)
{
	int error;

	if (if_byname(ifp->if_xname) != NULL)
		return -EEXIST;
	error = if_link_in(ifp);
	if (error != 0)
		return error;
	ifp->if_vnet = curvnet;
	ifp->if_purged = false;
	error = if_attachdomain(ifp);
	if (error != 0) {
		ifp->if_purged = true;
		if_detachdomain(ifp);
		if_multi_purge(ifp);
		if_link_out(ifp);
		ifp->if_vnet = NULL;
		return error;
	}
	ifp->if_flags &= ~(uint32_t)IFF_DYING_;
	if_raise(EV_ARRIVAL, ifp);
	return 0;
}

static void
if_snd_flush(struct ifnet *ifp)
{
	struct mbuf *m;

	while ((m = mbufq_pop(&ifp->if_snd)) != NULL)
		m_drop(m, &DROP_IF_GONE);
}

/* Out of curvnet, its stack. */
static void
if_leave(struct ifnet *ifp)
{
	ifp->if_purged = true;
	if_down(ifp);
	if_purgeaddrs(ifp);
	/* before the departure is heard of: who stands on it has nothing to take back (behaviours 1) */
	if_multi_purge(ifp);
	if_raise(EV_DEPARTURE, ifp);
	bpf_ifdetach(ifp);
	if_detachdomain(ifp);
	lltable_forget_rcvif(ifp);
	/*
	 * Walks the queues, full of others' packets perhaps: a new interface on its way to its
	 * stack has none.
	 */
	if (ifp->if_heard)
		netisr_purge(ifp);
	ifp->if_heard = false;
	if_snd_flush(ifp);
	if_link_out(ifp);
	ifp->if_vnet = NULL;
}

int
if_attach(struct ifnet *ifp)
{
	int error;

	if (ifp->if_xname[0] == '\0')
		snprintf(
		    ifp->if_xname, sizeof(ifp->if_xname), "%s%d", ifp->if_dname, ifp->if_dunit);
	error = if_enter(ifp);
	if (error == 0)
		ifp->if_home_vnet = curvnet;
	return error;
}

static void
if_back_home(struct ifnet *ifp)
{
	if (ifp->if_is_away)
		LIST_REMOVE(ifp, if_away);
	ifp->if_is_away = false;
}

void
if_detach(struct ifnet *ifp)
{
	if (ifp->if_vnet == NULL)
		return;
	ifp->if_flags |= IFF_DYING_;
	{
		VNET_SCOPE(ifp->if_vnet);
		if_leave(ifp);
	}
	if_back_home(ifp);
}

void
if_free(struct ifnet *ifp)
{
	assert(ifp->if_vnet == NULL);
	if_rele(ifp);
}

/* --- from stack to stack ------------------------------------------------- */

/*
 * A name for ifp in curvnet: its own, else the driver's name with the first unit that is free
 * there.
 */
static void
name_for_arrival(struct ifnet *ifp)
{
	char name[IFNAMSIZ_ + 12];

	if (if_byname(ifp->if_xname) == NULL)
		return;
	for (int unit = 0;; unit++) {
		snprintf(name, sizeof(name), "%.10s%d", ifp->if_dname, unit);
		name[IFNAMSIZ_ - 1] = '\0';
		if (if_byname(name) == NULL)
			break;
	}
	memcpy(ifp->if_xname, name, IFNAMSIZ_);
}

static void
if_note_where(struct ifnet *ifp)
{
	struct vnet *home = ifp->if_home_vnet;
	bool away = ifp->if_vnet != home;

	if (away && !ifp->if_is_away)
		LIST_INSERT_HEAD(&VNET_OF(home, if_away_head), ifp, if_away);
	else if (!away && ifp->if_is_away)
		LIST_REMOVE(ifp, if_away);
	ifp->if_is_away = away;
}

/* if_enter, or, when a family has no memory, without families: the next if_up asks them again. */
static void
if_enter_anyway(struct ifnet *ifp)
{
	bool ready = V_if_families_ready;
	int error = if_enter(ifp);

	if (error == 0)
		return;
	V_if_families_ready = false;
	error = if_enter(ifp);
	V_if_families_ready = ready;
	/* Its index was free a moment ago and its room is still there. */
	assert(error == 0);
}

int
if_vmove(struct ifnet *ifp, struct vnet *to)
{
	struct vnet *from = ifp->if_vnet;
	char old[IFNAMSIZ_];
	int error = 0;

	if (to == from)
		return -EEXIST;
	if (ifp == VNET_OF(from, loif))
		return -EINVAL;
	memcpy(old, ifp->if_xname, sizeof(old));
	{
		VNET_SCOPE(from);
		if_leave(ifp);
	}
	{
		VNET_SCOPE(to);
		name_for_arrival(ifp);
		error = if_enter(ifp);
	}
	if (error != 0) {
		VNET_SCOPE(from);
		memcpy(ifp->if_xname, old, sizeof(old));
		if_enter_anyway(ifp);
		return error;
	}
	if_note_where(ifp);
	if (ifp->if_reassigned != NULL) {
		VNET_SCOPE(to);
		ifp->if_reassigned(ifp);
	}
	return 0;
}

/* --- a stack's beginning and end ----------------------------------------- */

static struct vnet *
if_rcvif_vnet(const struct ifnet *ifp)
{
	return ifp->if_vnet;
}

/* jail's vnet.interface; see jail.h. */
static int
if_move_by_name(const char *ifname, struct vnet *to)
{
	struct ifnet *ifp = if_byname(ifname);

	if (ifp == NULL)
		return -ENXIO;
	if (ifp == V_loif)
		return -EINVAL;
	return to == NULL ? 0 : if_vmove(ifp, to);
}

static void
if_vnet_init(void *arg)
{
	(void)arg;
	netisr_rcvif_vnet = if_rcvif_vnet;
	jail_move_interface = if_move_by_name;
	TAILQ_INIT(&V_ifnet_head);
}
VNET_SYSINIT(if_vnet, SI_SUB_NET, SI_ORDER_FIRST, if_vnet_init, NULL);

/* All families are up: attach them to what is there already (lo0). */
static void
if_vnet_families(void *arg)
{
	struct ifnet *ifp;

	(void)arg;
	V_if_families_ready = true;
	IF_FOREACH(ifp)
		if (if_attachdomain(ifp) != 0)
			vnet_alloc_fail();
}
VNET_SYSINIT(if_vnet_families, SI_SUB_TOP, SI_ORDER_FIRST, if_vnet_families, NULL);

static void
if_send_home(struct ifnet *ifp)
{
	if (!ifp->if_home_vnet->dying && if_vmove(ifp, ifp->if_home_vnet) == 0)
		return;
	/*
	 * No room at home: the driver keeps an interface without a stack, which is better than
	 * none.
	 */
	if (if_clone_destroy(ifp) != 0)
		if_detach(ifp);
}

/* An interface in curvnet that was lent to it; NULL. */
static struct ifnet *
if_first_guest(void)
{
	struct ifnet *ifp;

	IF_FOREACH(ifp)
		if (ifp->if_home_vnet != curvnet)
			return ifp;
	return NULL;
}

/*
 * The stack ends: first what was lent to it goes home, then what was made here ends, lo0 last,
 * since the others' routes lead over it. What was made here and lives elsewhere stays there: that
 * is its home now.
 */
static void
if_vnet_leave(void *arg)
{
	struct ifnet *ifp;

	(void)arg;
	/* Destroying one may take others along (the pair's other end): begin again each time. */
	while ((ifp = if_first_guest()) != NULL)
		if_send_home(ifp);
	while ((ifp = TAILQ_LAST(&V_ifnet_head, ifnethead)) != NULL) {
		if (ifp == V_loif && TAILQ_FIRST(&V_ifnet_head) != ifp)
			ifp = TAILQ_PREV(ifp, ifnethead, if_link);
		if (if_clone_destroy(ifp) != 0)
			if_detach(ifp);
	}
	while ((ifp = LIST_FIRST(&V_if_away_head)) != NULL) {
		LIST_REMOVE(ifp, if_away);
		ifp->if_home_vnet = ifp->if_vnet;
		ifp->if_is_away = false;
		ifp->if_unit_held = false;
	}
	V_if_families_ready = false;
}
VNET_SYSUNINIT(if_vnet_leave, SI_SUB_TOP, SI_ORDER_ANY, if_vnet_leave, NULL);
/* A stack whose start failed below SI_SUB_TOP ends from where it got to. */
VNET_SYSUNINIT(if_vnet_leave_early, SI_SUB_LINK, SI_ORDER_ANY, if_vnet_leave, NULL);

static void
if_vnet_uninit(void *arg)
{
	(void)arg;
	if_names_uninit();
}
VNET_SYSUNINIT(if_vnet, SI_SUB_NET, SI_ORDER_FIRST, if_vnet_uninit, NULL);
