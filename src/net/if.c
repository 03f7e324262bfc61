/*
 * if.c - the life of an interface.
 *
 * if_alloc makes it, if_enter puts it in a stack (name, index, families, ifnet_arrival), if_leave takes it
 * out again (down, addresses and families away, its packets out of all queues, ifnet_departure). Attach,
 * detach and the move to another stack are these two; a rename is a departure and an arrival with
 * IFF_RENAMING set in between. When a stack ends, what moved in goes home and what was made there ends.
 *
 * Everything here is the upper half's. Memory goes with the last reference, behind the readers.
 */
#include "net/if.h"

#include "base/log.h"
#include "kern/eventhandler.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/bpf.h"
#include "net/idmap.h"
#include "net/if_clone.h"
#include "net/lltable.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Below this many interfaces a walk over the list beats a hash that every small stack would pay for. */
enum { IF_HASH_FROM = 16 };

VNET_DEFINE(struct ifnethead, ifnet_head);
VNET_DEFINE(struct ifnet *, loif);
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
uint32_t if_descr_maxlen = IF_DESCR_DEFAULT_MAX;
SYSCTL_UINT(net_ifdescr_maxlen, "net.ifdescr_maxlen", SYSCTL_RW, if_descr_maxlen, 1, 1 << 20,
    "longest interface description, with its NUL");
static bool log_link_state_change = true;
SYSCTL_BOOL(net_link_log_link_state_change, "net.link.log_link_state_change", SYSCTL_RW,
    log_link_state_change, "log when a link goes up or down");

LINKERSET_DECLARE(af_domain, const struct af_domain);

static uint64_t ifnets_live, ifaddrs_live; /* atomic: rcu frees where the reader's worker polls */

uint64_t
if_live(void)
{
	return __atomic_load_n(&ifnets_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(ifnet, "ifnet", if_live);

static uint64_t
ifaddr_live(void)
{
	return __atomic_load_n(&ifaddrs_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(ifaddr, "ifaddr", ifaddr_live);

/* Event lists live for ever: looked up once. */
enum if_event { EV_ARRIVAL, EV_DEPARTURE, EV_LLADDR, EV_LINK, EV_N };

static void
if_raise(enum if_event event, struct ifnet *ifp)
{
	static const char *const name[EV_N] = {
		[EV_ARRIVAL] = "ifnet_arrival", [EV_DEPARTURE] = "ifnet_departure",
		[EV_LLADDR] = "iflladdr_event", [EV_LINK] = "iflink_event",
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

/* --- a stack's interfaces by name and by index ------------------------------------------------- */

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

static void
names_link(struct ifnet *ifp)
{
	struct ifnet **slot;

	if (V_if_names == NULL)
		return;
	slot = &V_if_names[name_hash(ifp->if_xname) & V_if_names_mask];
	ifp->if_hnext = *slot;
	*slot = ifp;
}

static void
names_unlink(struct ifnet *ifp)
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
 * The size follows the number of interfaces both ways, so that a stack which is as it was also takes as
 * much memory as it did. Without memory the old hash, or none, does as well: only slower.
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
		names_link(ifp);
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

/* Give ifp the lowest free index and its place in the list; 0, -ENOMEM. */
static int
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
	names_link(ifp);
	curvnet->ifcnt++;
	names_resize();
	return 0;
}

static void
if_link_out(struct ifnet *ifp)
{
	TAILQ_REMOVE(&V_ifnet_head, ifp, if_link);
	names_unlink(ifp);
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

/* --- families ---------------------------------------------------------------------------------- */

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
 * The flag goes first; the family's detach, which may wait for its timers, is called when nobody can take
 * the table for ready any more (behaviours 11).
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

static void
if_linkchange(struct ifnet *ifp)
{
	for (int slot = 0; slot < AF_SLOTS; slot++) {
		const struct af_domain *af = af_domain_of((enum af_slot)slot);

		if (af != NULL && af->linkchange != NULL && ifp->if_afstate[slot] == AF_READY)
			af->linkchange(ifp);
	}
	if_raise(EV_LINK, ifp);
}

/* --- into a stack and out of it ---------------------------------------------------------------- */

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
	error = if_attachdomain(ifp);
	if (error != 0) {
		if_detachdomain(ifp);
		if_link_out(ifp);
		ifp->if_vnet = NULL;
		return error;
	}
	ifp->if_purged = false;
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
	if_raise(EV_DEPARTURE, ifp);
	bpf_ifdetach(ifp);
	if_detachdomain(ifp);
	lltable_forget_rcvif(ifp);
	/* Walks the queues, full of others' packets perhaps: a new interface on its way to its stack has none. */
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
		snprintf(ifp->if_xname, sizeof(ifp->if_xname), "%s%d", ifp->if_dname, ifp->if_dunit);
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

/* --- changes ----------------------------------------------------------------------------------- */

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
	names_unlink(ifp);
	snprintf(ifp->if_xname, sizeof(ifp->if_xname), "%s", name);
	names_link(ifp);
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

/* The event is raised here, not by the driver's setter (behaviours 38); an address that stays is no event. */
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

/* --- from stack to stack ----------------------------------------------------------------------- */

/* A name for ifp in curvnet: its own, else the driver's name with the first unit that is free there. */
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

/* --- a stack's beginning and end ---------------------------------------------------------------- */

static struct vnet *
if_rcvif_vnet(const struct ifnet *ifp)
{
	return ifp->if_vnet;
}

static void
if_vnet_init(void *arg)
{
	(void)arg;
	netisr_rcvif_vnet = if_rcvif_vnet;
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
	/* No room at home: the driver keeps an interface without a stack, which is better than none. */
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
 * The stack ends: first what was lent to it goes home, then what was made here ends, lo0 last, since the
 * others' routes lead over it. What was made here and lives elsewhere stays there: that is its home now.
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
	vnet_free(V_if_index_table);
	V_if_index_table = NULL;
	vnet_free(V_if_names);
	V_if_names = NULL;
	idmap_clear(&V_if_indexes);
}
VNET_SYSUNINIT(if_vnet, SI_SUB_NET, SI_ORDER_FIRST, if_vnet_uninit, NULL);
