/*
 * mroute_internal.h - what the rooms of multicast forwarding share: mroute.c (vifs and entries),
 * mroute_forward.c (packets), mroute_register.c (the register vif).
 */
#ifndef WARREN_INET_MROUTE_INTERNAL_H
#define WARREN_INET_MROUTE_INTERNAL_H

#include "base/rcu.h"
#include "base/tree.h"
#include "inet/in_hash.h"
#include "inet/mroute.h"

struct mroute_vif {
	struct ifnet *ifp; /* with a reference */
	unsigned number;
	uint8_t threshold;
	uint64_t ipackets, ibytes, opackets, obytes;
	struct rcu_head rcu;
};

/*
 * What an entry says; replaced, never changed, but that a vif which goes is taken out: a way out
 * then is NULL.
 */
struct mroute_ways {
	struct rcu_head rcu;
	struct mroute_vif *in;
	unsigned n;
	struct mroute_out {
		struct mroute_vif *vif;
		uint8_t ttl; /* 0 = the vif's */
	} out[];
};

struct mroute_entry {
	struct in_hash_node hash;
	struct ipaddr source, group;
	struct mroute_ways *ways; /* published; NULL: pending */
	uint64_t packets, bytes, wrong;
	bool wrong_told;
	uint64_t wrong_told_ns;
	RB_ENTRY(mroute_entry) node; /* of mr->entries */
	/* pending */
	struct mroute_vif *asked; /* by which the first packet came */
	struct mbufq waiting;
	uint64_t expires_ns;
	TAILQ_ENTRY(mroute_entry) pending; /* of mr->pending */
	struct rcu_head rcu;
};
RB_HEAD(mroute_entries, mroute_entry);

/* A family that has vifs. */
struct mroute {
	const struct mroute_proto *proto;
	struct mroute_vif *vif[MROUTE_VIFS];
	unsigned nvifs;
	struct in_hash *table; /* published: packets find the entry */
	uint64_t key[2];       /* of the hash */
	unsigned nstars;       /* (*,G) entries */
	struct mroute_entries entries;
	unsigned nentries, npending;
	TAILQ_HEAD(, mroute_entry) pending; /* in order of their end */
	struct callout expiry;
	struct rcu_head rcu;
};

/* Per stack and family; sysctls. */
struct mroute_limit {
	uint32_t maxentries, maxpending, maxqueued, pending_ms, wrongvif_interval;
};
struct mroute_limits {
	struct mroute_limit of[AF_SLOTS];
};
VNET_DECLARE(struct mroute_limits, mroute_limits);

static inline enum af_slot
mroute_slot(int family)
{
	return family == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6;
}
static inline struct mroute_state *
mroute_state(int family)
{
	return &VNET(mroute).of[mroute_slot(family)];
}
static inline const struct mroute_limit *
mroute_limit(int family)
{
	return &VNET(mroute_limits).of[mroute_slot(family)];
}

/* --- mroute.c --------------------------------------------------------------------------------- */

/* The entry of source (any: the (*,G) one) and group; NULL. No locks. */
struct mroute_entry *mroute_find(
    const struct mroute *mr, const struct ipaddr *source, const struct ipaddr *group);
/* NULL. */
struct mroute_vif *mroute_vif_find(const struct mroute *mr, const struct ifnet *ifp);
/*
 * A pending entry for packets that came in by vif. NULL, and *why: too many of them, or no memory.
 */
struct mroute_entry *mroute_pend(struct mroute *mr, struct mroute_vif *vif,
    const struct ipaddr *source, const struct ipaddr *group, const struct drop_reason **why);

/* --- mroute_forward.c ------------------------------------------------------------------------- */

/* Tell the owner, and those who look on. False: there is no owner. */
bool mroute_tell(const struct mroute_upcall *u);
/* The packets that wait for an entry have somewhere to go now. Takes what is in the queue. */
void mroute_release(struct mbufq *q, const struct ipaddr *source, const struct ipaddr *group);

DROP_DECLARE(DROP_MROUTE_UNRESOLVED);
DROP_DECLARE(DROP_MROUTE_MAXPENDING);
DROP_DECLARE(DROP_MROUTE_NOBUFS);

#endif
