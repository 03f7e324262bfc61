/*
 * multicast.c - who listens to which group, for both families.
 *
 *	mcast_join	a member; the first one of a group on an interface makes the group, lets its
 *			link address in (net/if_multi.h) and puts it where packets look
 *	mcast_set_filter	the member's sources are counted in the group's, and the merge of
 *			all members (RFC 3376 3.2) is published when it is another than before
 *	mcast_accepts	a packet to a group has come
 *	mcast_leave	the reverse of all this
 *
 * Packets find the group in a table (multicast_table.c) and read its filter, which is never changed
 * but replaced. What has changed is said to the routers by multicast_report.c; for that a group may
 * outlive its members for a while.
 */
#include "inet/multicast_internal.h"

#include "inet/in.h"
#include "kern/eventhandler.h"
#include "kern/sysctl.h"
#include "net/if_multi.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE_STATIC(bool, in_mcast_loop) = true;
VNET_DEFINE_STATIC(bool, in6_mcast_loop) = true;
VNET_DEFINE_STATIC(uint32_t, in_maxgroups) = 16384;
VNET_DEFINE_STATIC(uint32_t, in_maxgrpsrc) = 512;
VNET_DEFINE_STATIC(uint32_t, in_maxsocksrc) = 128;
VNET_DEFINE_STATIC(uint32_t, in6_maxgroups) = 16384;
VNET_DEFINE_STATIC(uint32_t, in6_maxgrpsrc) = 512;
VNET_DEFINE_STATIC(uint32_t, in6_maxsocksrc) = 128;

SYSCTL_VNET_BOOL(net_inet_ip_mcast_loop, "net.inet.ip.mcast.loop", SYSCTL_RW, in_mcast_loop,
    "members in the stack that sends to a group hear it");
SYSCTL_VNET_BOOL(net_inet6_ip6_mcast_loop, "net.inet6.ip6.mcast.loop", SYSCTL_RW, in6_mcast_loop,
    "members in the stack that sends to a group hear it");
SYSCTL_VNET_UINT(net_inet_ip_mcast_maxgroups, "net.inet.ip.mcast.maxgroups", SYSCTL_RW,
    in_maxgroups, 1, 1 << 24, "groups that one interface may be in");
SYSCTL_VNET_UINT(net_inet_ip_mcast_maxgrpsrc, "net.inet.ip.mcast.maxgrpsrc", SYSCTL_RW,
    in_maxgrpsrc, 0, 65535, "sources in the filters of all members of a group together");
SYSCTL_VNET_UINT(net_inet_ip_mcast_maxsocksrc, "net.inet.ip.mcast.maxsocksrc", SYSCTL_RW,
    in_maxsocksrc, 0, 65535, "sources in the filter of one member");
SYSCTL_VNET_UINT(net_inet6_ip6_mcast_maxgroups, "net.inet6.ip6.mcast.maxgroups", SYSCTL_RW,
    in6_maxgroups, 1, 1 << 24, "groups that one interface may be in");
SYSCTL_VNET_UINT(net_inet6_ip6_mcast_maxgrpsrc, "net.inet6.ip6.mcast.maxgrpsrc", SYSCTL_RW,
    in6_maxgrpsrc, 0, 65535, "sources in the filters of all members of a group together");
SYSCTL_VNET_UINT(net_inet6_ip6_mcast_maxsocksrc, "net.inet6.ip6.mcast.maxsocksrc", SYSCTL_RW,
    in6_maxsocksrc, 0, 65535, "sources in the filter of one member");

static uint32_t
maxgroups(int family)
{
	return family == AF_INET ? VNET(in_maxgroups) : VNET(in6_maxgroups);
}

uint32_t
mcast_maxgrpsrc(int family)
{
	return family == AF_INET ? VNET(in_maxgrpsrc) : VNET(in6_maxgrpsrc);
}

static uint32_t
maxsocksrc(int family)
{
	return family == AF_INET ? VNET(in_maxsocksrc) : VNET(in6_maxsocksrc);
}

static uint64_t members_live, groups_live; /* written by the upper half only */
AUDIT_COUNTER(mcast_member, "mcast_member", members_live);
AUDIT_COUNTER(mcast_group, "mcast_group", groups_live);

static int
group_compare(const struct mcast_group *a, const struct mcast_group *b)
{
	return ipaddr_compare(&a->group, &b->group);
}

RB_TREE_STATIC(mcast_groups, mcast_group, node, group_compare)

/* --- filters ---------------------------------------------------------------------------------- */

/* The merge is this from now on. Takes f. */
static void
group_publish(struct mcast_group *g, const struct mcast_filter *f)
{
	const struct mcast_filter *old = g->filter;

	if (mcast_filter_equal(old, f)) {
		mcast_filter_free(f);
		return;
	}
	rcu_publish(&g->filter, f);
	mcast_report_change(g, old);
	mcast_filter_free(old);
}

/*
 * A member's filter was `from` and is `to` (both borrowed). 0; -ENOBUFS, -ENOMEM, and nothing has
 * changed.
 */
static int
group_refilter(
    struct mcast_group *g, const struct mcast_filter *from, const struct mcast_filter *to)
{
	const struct mcast_filter *merged;
	int error = mcast_merge_change(
	    &g->merge, from, to, mcast_maxgrpsrc(g->mi->family), &merged);

	if (error == 0)
		group_publish(g, merged);
	return error;
}

/* --- groups ----------------------------------------------------------------------------------- */

static enum af_slot
slot_of(int family)
{
	return family == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6;
}

struct mcast_if *
mcast_if_of(const struct ifnet *ifp, int family)
{
	return rcu_deref(&ifp->if_mcast[slot_of(family)]);
}

struct mcast_group *
mcast_group_next(struct mcast_if *mi, struct mcast_group *g)
{
	return g == NULL ? RB_MIN(mcast_groups, &mi->groups) :
			   RB_NEXT(mcast_groups, &mi->groups, g);
}

bool
mcast_link_address(const struct ifnet *ifp, const struct ipaddr *group, uint8_t mac[6])
{
	const uint8_t *b = group->b;

	if (ifp->if_addrlen != 6)
		return false;
	if (group->family == AF_INET)
		memcpy(mac, (const uint8_t[]){ 0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3] }, 6);
	else
		in6_ether_group(ipaddr_in6(group), mac);
	return true;
}

static struct mcast_if *
mcast_if_get(struct ifnet *ifp, int family)
{
	struct mcast_if *mi = mcast_if_of(ifp, family);

	if (mi != NULL || (mi = vnet_malloc(sizeof(*mi))) == NULL)
		return mi;
	mi->ifp = ifp;
	mi->family = family;
	RB_INIT(&mi->groups);
	mcast_report_if_init(mi);
	rcu_publish(&ifp->if_mcast[slot_of(family)], mi);
	return mi;
}

/* A group without members yet; NULL with errno. */
static struct mcast_group *
group_new(struct mcast_if *mi, const struct ipaddr *group)
{
	struct mcast_group *g;

	errno = ENOBUFS;
	if (mi->ngroups >= maxgroups(mi->family))
		return NULL;
	errno = ENOMEM;
	if (mcast_table_reserve(mi) != 0 || (g = vnet_malloc(sizeof(*g))) == NULL)
		return NULL;
	g->mi = mi;
	g->group = *group;
	g->filter = &mcast_nobody;
	LIST_INIT(&g->members);
	mcast_merge_init(&g->merge);
	mcast_report_group_init(g);
	RB_INSERT(mcast_groups, &mi->groups, g);
	mi->ngroups++;
	groups_live++;
	mcast_table_add(mi, g);
	return g;
}

static void
group_free_late(struct rcu_head *h)
{
	vnet_free((uint8_t *)h - offsetof(struct mcast_group, rcu));
}

static void
group_free(struct mcast_group *g)
{
	struct mcast_if *mi = g->mi;

	mcast_report_group_stop(g);
	mcast_table_remove(mi, g);
	RB_REMOVE(mcast_groups, &mi->groups, g);
	mi->ngroups--;
	groups_live--;
	mcast_filter_free(g->filter);
	rcu_call(&g->rcu, group_free_late);
}

void
mcast_group_unused(struct mcast_group *g)
{
	if (g->nmembers == 0 && !mcast_report_group_busy(g))
		group_free(g);
}

static void
mcast_if_free_late(struct rcu_head *h)
{
	vnet_free((uint8_t *)h - offsetof(struct mcast_if, rcu));
}

void
mcast_if_unused(struct mcast_if *mi)
{
	if (mi->ngroups > 0 || mcast_report_if_busy(mi))
		return;
	mcast_report_if_stop(mi);
	rcu_publish(&mi->ifp->if_mcast[slot_of(mi->family)], NULL);
	mcast_table_free(mi);
	rcu_call(&mi->rcu, mcast_if_free_late);
}

/* One member more; the first one opens the link's filter. 0, -ENOMEM. */
static int
group_enter(struct mcast_group *g)
{
	uint8_t mac[6];
	int error = 0;

	if (g->nmembers == 0 && mcast_link_address(g->mi->ifp, &g->group, mac))
		error = if_multi_add(g->mi->ifp, mac);
	if (error == 0)
		g->nmembers++;
	return error;
}

static void
group_exit(struct mcast_group *g)
{
	uint8_t mac[6];

	if (--g->nmembers > 0 || !mcast_link_address(g->mi->ifp, &g->group, mac))
		return;
	/* -ENOENT when the interface leaves: its filter went before */
	(void)if_multi_delete(g->mi->ifp, mac);
}

/* --- members ---------------------------------------------------------------------------------- */

static bool
can_multicast(const struct ifnet *ifp, int family)
{
	return (ifp->if_flags & IFF_MULTICAST_) && !ifp->if_purged &&
	    ifp->if_afstate[slot_of(family)] == AF_READY;
}

static struct ifnet *
routed_if(uint8_t fib, const struct ipaddr *group)
{
	const struct nexthop *nh = group->family == AF_INET ? route_to4(fib, ipaddr_in(group), 0) :
							      route_to6(fib, ipaddr_in6(group), 0);

	return nh == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)) ? NULL : nh->ifp;
}

struct ifnet *
mcast_default_if(uint8_t fib, const struct ipaddr *group)
{
	struct ifnet *ifp = routed_if(fib, group), *down = NULL, *loop = NULL;

	if (ifp != NULL && can_multicast(ifp, group->family))
		return ifp;
	IF_FOREACH(ifp) {
		if (!can_multicast(ifp, group->family))
			continue;
		if (ifp->if_flags & IFF_LOOPBACK_)
			loop = ifp;
		else if (if_is_usable(ifp))
			return ifp;
		else if (down == NULL)
			down = ifp;
	}
	return down != NULL ? down : loop;
}

/* Which interface, and the group with its zone there. 0 or -errno. */
static int
join_where(struct ifnet **ifp, struct ipaddr *group)
{
	struct in6 *g6 = (struct in6 *)(void *)group->b;
	uint32_t zone = group->family == AF_INET6 ? in6_zone(g6) : 0;

	if (!ipaddr_is_multicast(group))
		return -EINVAL;
	if (*ifp == NULL)
		*ifp = zone != 0 ? if_byindex(zone) : mcast_default_if(0, group);
	if (*ifp == NULL || !can_multicast(*ifp, group->family))
		return -EADDRNOTAVAIL;
	if (zone != 0 && zone != (*ifp)->if_index)
		return -EINVAL;
	if (group->family == AF_INET6)
		in6_embed(g6, (*ifp)->if_index);
	return 0;
}

static void
member_free_late(struct rcu_head *h)
{
	vnet_free((uint8_t *)h - offsetof(struct mcast_member, rcu));
}

/* A member leaves its group: nobody is let in for it any more. */
static void
member_part(struct mcast_member *mm)
{
	struct mcast_group *g = mm->g;

	/* without memory for the new merge the group hears all: what is too much is the members' */
	if (group_refilter(g, mm->filter, &mcast_nobody) != 0) {
		mcast_merge_leave(&g->merge, mm->filter);
		group_publish(g, g->nmembers > 1 ? &mcast_everybody : &mcast_nobody);
	}
	LIST_REMOVE(mm, link);
	group_exit(g);
	mcast_group_unused(g);
	mm->g = NULL;
	if_rele(mm->ifp);
	mm->ifp = NULL;
}

/* In the group, but with a filter that lets nobody in yet. NULL with errno. */
static struct mcast_member *
member_new(struct mcast_if *mi, const struct ipaddr *group)
{
	struct mcast_group *g = mcast_group_find(mi, group);
	struct mcast_member *mm;

	if (g == NULL && (g = group_new(mi, group)) == NULL)
		return NULL;
	errno = ENOMEM;
	if ((mm = vnet_malloc(sizeof(*mm))) == NULL || group_enter(g) != 0) {
		vnet_free(mm);
		mcast_group_unused(g);
		return NULL;
	}
	mm->g = g;
	mm->ifp = if_ref(mi->ifp);
	mm->group = *group;
	mm->filter = &mcast_nobody;
	LIST_INSERT_HEAD(&g->members, mm, link);
	members_live++;
	return mm;
}

struct mcast_member *
mcast_join_filter(struct ifnet *ifp, const struct ipaddr *group_, enum mcast_mode mode,
    const struct ipaddr *sources, unsigned n)
{
	struct ipaddr group = *group_;
	struct mcast_member *mm;
	struct mcast_if *mi;
	int error = join_where(&ifp, &group);

	errno = -error;
	if (error != 0)
		return NULL;
	VNET_SCOPE(ifp->if_vnet);
	errno = ENOMEM;
	if ((mi = mcast_if_get(ifp, group.family)) == NULL)
		return NULL;
	if ((mm = member_new(mi, &group)) == NULL) {
		mcast_if_unused(mi);
		return NULL;
	}
	error = mcast_set_filter(mm, mode, sources, n);
	if (error == 0)
		return mm;
	mcast_leave(mm);
	errno = -error;
	return NULL;
}

struct mcast_member *
mcast_join(struct ifnet *ifp, const struct ipaddr *group)
{
	return mcast_join_filter(ifp, group, MCAST_MODE_EXCLUDE, NULL, 0);
}

void
mcast_leave(struct mcast_member *mm)
{
	if (mm == NULL)
		return;
	if (mm->g != NULL) {
		VNET_SCOPE(mm->ifp->if_vnet);
		struct mcast_if *mi = mm->g->mi;

		member_part(mm);
		mcast_if_unused(mi);
	}
	mcast_filter_free(mm->filter);
	members_live--;
	rcu_call(&mm->rcu, member_free_late);
}

/* Can these be sources of the group's packets? */
static bool
sources_ok(int family, const struct ipaddr *sources, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (sources[i].family != family || ipaddr_is_any(&sources[i]) ||
		    ipaddr_is_multicast(&sources[i]) ||
		    (family == AF_INET && ipaddr_in(&sources[i]) == 0xffffffff))
			return false;
	return true;
}

int
mcast_set_filter(
    struct mcast_member *mm, enum mcast_mode mode, const struct ipaddr *sources, unsigned n)
{
	const struct mcast_filter *f, *old = mm->filter;
	int error;

	if (mm->g == NULL)
		return -EADDRNOTAVAIL;
	if (!sources_ok(mm->group.family, sources, n))
		return -EINVAL;
	VNET_SCOPE(mm->ifp->if_vnet);
	if (n > maxsocksrc(mm->group.family))
		return -ENOBUFS;
	if ((f = mcast_filter_new(mode, sources, n)) == NULL)
		return -ENOMEM;
	error = group_refilter(mm->g, old, f);
	if (error == 0)
		rcu_publish(&mm->filter, f);
	mcast_filter_free(error == 0 ? old : f);
	return error;
}

bool
mcast_member_accepts(const struct mcast_member *mm, const struct ipaddr *source)
{
	return __atomic_load_n(&mm->g, __ATOMIC_RELAXED) != NULL &&
	    mcast_filter_accepts(rcu_deref(&mm->filter), source);
}

struct ifnet *
mcast_member_ifp(const struct mcast_member *mm)
{
	return mm->ifp;
}

const struct ipaddr *
mcast_member_group(const struct mcast_member *mm)
{
	return &mm->group;
}

/* --- questions -------------------------------------------------------------------------------- */

/* 224.0.0.1, ff02::1 and ff01::1: every host is a member (RFC 1112 4, RFC 4291 2.7.1). */
static inline bool
is_all_hosts(const struct ipaddr *group)
{
	if (group->family == AF_INET)
		return load32(group->b) == __builtin_bswap32(0xe0000001);
	return group->b[0] == 0xff && (group->b[1] == 2 || group->b[1] == 1) &&
	    load64(group->b + 8) == __builtin_bswap64(1) && load32(group->b + 4) == 0;
}

bool
mcast_accepts(const struct ifnet *ifp, const struct ipaddr *group, const struct ipaddr *source)
{
	const struct mcast_filter *f;
	const struct mcast_group *g;
	const struct mcast_if *mi;

	if (is_all_hosts(group))
		return true;
	if ((mi = mcast_if_of(ifp, group->family)) == NULL ||
	    (g = mcast_group_find(mi, group)) == NULL)
		return false;
	f = rcu_deref(&g->filter);
	return source != NULL ? mcast_filter_accepts(f, source) : f != &mcast_nobody;
}

bool
mcast_loops(int family)
{
	return family == AF_INET ? VNET(in_mcast_loop) : VNET(in6_mcast_loop);
}

int
mcast_foreach(const struct ifnet *ifp, int family,
    int (*fn)(const struct mcast_info *info, void *ctx), void *ctx)
{
	struct mcast_if *mi = mcast_if_of(ifp, family);
	struct mcast_group *g;
	int stop;

	if (mi == NULL)
		return 0;
	MCAST_GROUP_FOREACH(g, mi)
	{
		struct mcast_info info = {
			.group = g->group,
			.mode = g->filter->mode,
			.sources = g->filter->source,
			.nsources = g->filter->n,
			.members = g->nmembers,
			.reports = mcast_is_reported(g),
		};

		if (g->nmembers > 0 && (stop = fn(&info, ctx)) != 0)
			return stop;
	}
	return 0;
}

/* --- interfaces come and go ------------------------------------------------------------------- */

/* All members are deaf from now on; they are freed by who holds them (behaviours 37). */
static void
mcast_if_free(struct mcast_if *mi)
{
	struct mcast_member *allhosts = mi->allhosts;
	struct mcast_group *g, *next;
	struct mcast_member *mm;

	mcast_report_if_stop(mi);
	for (g = mcast_group_next(mi, NULL); g != NULL; g = next) {
		next = mcast_group_next(mi, g);
		for (unsigned n = g->nmembers; n > 0 && (mm = LIST_FIRST(&g->members)) != NULL; n--)
			member_part(mm);
	}
	mcast_if_unused(mi);
	mcast_leave(allhosts);
}

static void
if_departs(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;

	(void)ctx, (void)arg2;
	if (ifp->if_flags & IFF_RENAMING_)
		return;
	for (int slot = 0; slot < AF_SLOTS; slot++)
		if (ifp->if_mcast[slot] != NULL)
			mcast_if_free(ifp->if_mcast[slot]);
}

static void
link_changed(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;

	(void)ctx, (void)arg2;
	for (int slot = 0; slot < AF_SLOTS; slot++)
		if (ifp->if_mcast[slot] != NULL)
			mcast_report_link(ifp->if_mcast[slot]);
}

/* An interface with an IPv4 address is in 224.0.0.1 (RFC 1112 7.2). */
static void
addr_changed(void *ctx, void *arg1, void *arg2)
{
	const struct ipaddr allhosts = ipaddr4(__builtin_bswap32(0xe0000001));
	struct ifnet *ifp = arg1;
	const struct ifaddr *ifa = arg2;
	struct mcast_member *mm;
	struct mcast_if *mi;

	(void)ctx;
	if (ifa == NULL || ifa->family != AF_INET)
		return;
	mi = mcast_if_of(ifp, AF_INET);
	mm = mi != NULL ? mi->allhosts : NULL;
	if (in_ifaddr_first(ifp) == NULL && mm != NULL) {
		mi->allhosts = NULL;
		mcast_leave(mm);
	} else if (in_ifaddr_first(ifp) != NULL && mm == NULL) {
		/* without memory the stack still hears all-hosts, if the link lets it in */
		if ((mm = mcast_join(ifp, &allhosts)) != NULL)
			mcast_if_of(ifp, AF_INET)->allhosts = mm;
	}
}

static struct event_tag *departure_tag, *link_tag, *addr_tag;

static void
mcast_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, if_departs, NULL, EVENT_PRI_ANY);
	event_register(&link_tag, "iflink_event", EVENT_HERE, link_changed, NULL, EVENT_PRI_ANY);
	event_register(&addr_tag, "ifaddr_event", EVENT_HERE, addr_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(mcast, SI_SUB_INET, SI_ORDER_SECOND, mcast_init, NULL);

static void
mcast_uninit(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	event_deregister(&departure_tag);
	event_deregister(&link_tag);
	event_deregister(&addr_tag);
}
VNET_SYSUNINIT(mcast, SI_SUB_INET, SI_ORDER_SECOND, mcast_uninit, NULL);
