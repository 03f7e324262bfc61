/*
 * multicast_internal.h - what the rooms of multicast share: multicast.c (who listens),
 * multicast_report.c (saying so), igmp.c and inet6/mld.c (in which messages).
 */
#ifndef WARREN_INET_MULTICAST_INTERNAL_H
#define WARREN_INET_MULTICAST_INTERNAL_H

#include "base/callout.h"
#include "base/rcu.h"
#include "inet/multicast.h"

#include <bsd/sys/tree.h>

/*
 * A source filter, never changed once it is published: packets read it. The sources are sorted.
 * What nobody and what everybody may send to are two constants, so that the usual groups cost
 * nothing here.
 */
struct mcast_filter {
	struct rcu_head rcu;
	enum mcast_mode mode;
	unsigned n;
	struct ipaddr source[];
};
extern const struct mcast_filter mcast_nobody;    /* INCLUDE {}: no membership */
extern const struct mcast_filter mcast_everybody; /* EXCLUDE {} */
bool mcast_filter_accepts(const struct mcast_filter *f, const struct ipaddr *source);

struct mcast_member {
	struct mcast_group *g; /* NULL: the interface has gone */
	struct ifnet *ifp;     /* with a reference; NULL with g */
	struct ipaddr group;
	const struct mcast_filter *filter; /* published; ours */
	LIST_ENTRY(mcast_member) link;     /* of g->members */
	struct rcu_head rcu;
};

/* How many members include and exclude a source of a group. */
struct mcast_count {
	RB_ENTRY(mcast_count) node;
	struct ipaddr source;
	unsigned in, ex;
};
RB_HEAD(mcast_counts, mcast_count);

/* A group of an interface: it lives while it has members, or reports of its end are due. */
struct mcast_group {
	struct mcast_if *mi;
	struct ipaddr group;
	const struct mcast_filter *filter; /* published: the merge of its members' */
	RB_ENTRY(mcast_group) node;        /* of mi->groups, by address */
	LIST_HEAD(, mcast_member) members;
	unsigned nmembers, nexclude; /* members, and those with an EXCLUDE filter */
	struct mcast_counts counts;
	unsigned ncounts;
	struct rcu_head rcu;
};
RB_HEAD(mcast_groups, mcast_group);

struct mcast_table;

/* A family's memberships on an interface: ifp->if_mcast[slot]. */
struct mcast_if {
	struct ifnet *ifp;
	int family;
	struct mcast_table *table; /* published: packets find the group */
	struct mcast_groups groups;
	unsigned ngroups;
	struct mcast_member *allhosts; /* IPv4: while the interface has an address (RFC 1112 7.2) */
	struct rcu_head rcu;
};

/* Borrowed; NULL. */
struct mcast_if *mcast_if_of(const struct ifnet *ifp, int family);
struct mcast_group *mcast_group_find(const struct mcast_if *mi, const struct ipaddr *group);
/* All groups of an interface, in order. */
#define MCAST_GROUP_FOREACH(g, mi)                                                                 \
	for ((g) = mcast_group_next(mi, NULL); (g) != NULL; (g) = mcast_group_next(mi, g))
struct mcast_group *mcast_group_next(struct mcast_if *mi, struct mcast_group *g);

#endif
