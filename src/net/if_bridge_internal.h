/*
 * if_bridge_internal.h - what the files of the bridge share.
 *
 *	if_bridge.c		its life: members come and go, MTU, link state
 *	if_bridge_forward.c	the way of frames
 *	if_bridge_filter.c	the stations at which they meet filters
 *	if_bridge_table.c	which station is behind which member
 *	if_bridge_cmd.c		ifconfig's words, its lines, and undoing them
 *
 * All of a bridge is changed by the thread that moves its stack's packets and executes its
 * commands.
 */
#ifndef WARREN_NET_IF_BRIDGE_INTERNAL_H
#define WARREN_NET_IF_BRIDGE_INTERNAL_H

#include "net/ethernet.h"
#include "net/if_bridge.h"
#include "net/pfil.h"

#include "base/callout.h"

/* By the field's bits; ifconfig prints them by name. */
enum bridge_port_flags {
	BRIDGE_LEARNING = 1 << 0, /* its frames' sources are remembered */
	BRIDGE_DISCOVER = 1 << 1, /* gets frames to stations that nobody knows */
	BRIDGE_SPAN = 1 << 3,     /* no member: gets a copy of everything */
	BRIDGE_STICKY = 1 << 4,   /* what is learned by it stays */
	BRIDGE_PRIVATE = 1 << 11, /* nothing passes from one private member to another */
};

struct bridge_port {
	struct ifnet *ifp; /* referenced; its if_bridge points here */
	struct bridge *bridge;
	uint32_t flags;
	uint32_t addrs, addrs_max; /* in the table that lead here; 0 = no limit but the table's */
	TAILQ_ENTRY(bridge_port) link;
	struct rcu_head rcu;
};
TAILQ_HEAD(bridge_porthead, bridge_port);

/* --- if_bridge_table.c ------------------------------------------------------------------------ */

/*
 * A station: 48 bits of its address (ether_number), above them the number of its vlan. Stations in
 * different vlans have nothing to do with each other (IEEE 802.1Q-2014 8.8: independent learning);
 * frames without a tag, and those with priority only, are of vlan 1.
 */
#define BRIDGE_VLAN_SHIFT 48
#define BRIDGE_ADDR_MASK UINT64_C(0xffffffffffff)
#define BRIDGE_UNTAGGED (UINT64_C(1) << BRIDGE_VLAN_SHIFT)

enum bridge_entry_flags {
	BRIDGE_STATIC = 1 << 0, /* made by hand */
	BRIDGE_STUCK = 1 << 1,  /* learned by a sticky member */
	BRIDGE_OUR_OWN =
	    1 << 15, /* an address of the bridge or a member; not listed, not counted */
};
struct bridge_entry {
	uint64_t key; /* 0 = free */
	/* behind which it is; of our own addresses the member that has it, NULL = the bridge */
	struct bridge_port *port;
	uint64_t seen_ns; /* of its last frame; it counts for learned ones only */
	uint32_t flags;
};

struct bridge_table {
	struct bridge_entry *slot; /* open addressing, at most half full */
	uint32_t shift, mask;
	uint32_t n, max; /* stations; those of our own come on top */
	uint32_t own;
	uint32_t timeout_s; /* 0 = they never age */
	uint64_t refused;   /* stations for which there was no room */
	uint64_t hash_key[2];
	struct callout prune; /* armed while there is something that ages */
};

enum { BRIDGE_ADDRS = 100, BRIDGE_ADDRS_MOST = 1 << 18, BRIDGE_TIMEOUT_S = 1200 };

/* `name` is that of the stream of chance its hash is made of. 0, -ENOMEM. */
int bridge_table_init(struct bridge_table *t, const char *name);
void bridge_table_free(struct bridge_table *t);
/* Room for max stations and `own` of our own. 0, -ENOMEM with nothing changed. */
int bridge_table_reserve(struct bridge_table *t, uint32_t max, uint32_t own);
/* At most max stations from now on; learned ones go if there are more. 0, -ENOMEM. */
int bridge_table_set_max(struct bridge_table *t, uint32_t max);
/* Borrowed until the table changes; NULL = not known (any more) at that time. */
struct bridge_entry *bridge_table_find(const struct bridge_table *t, uint64_t key, uint64_t now_ns);
/*
 * A frame from the station has come by `from`. 0; -EADDRINUSE: the address is one of ours; -ENOSPC:
 * the member has as many as it may have, and the frame must not pass.
 */
int bridge_table_learn(
    struct bridge_table *t, struct bridge_port *from, uint64_t key, uint64_t now_ns);
/* By hand. 0; -EADDRINUSE, -ENOSPC. */
int bridge_table_set_static(struct bridge_table *t, struct bridge_port *port, uint64_t key);
/* In all vlans. -ENOENT. */
int bridge_table_delete(struct bridge_table *t, uint64_t address);
enum bridge_flush { BRIDGE_FLUSH_LEARNED, BRIDGE_FLUSH_STATIC, BRIDGE_FLUSH_ALL };
/* Those behind port; NULL = of all. Learned ones without those that are stuck. */
void bridge_table_flush(
    struct bridge_table *t, const struct bridge_port *port, enum bridge_flush what);
/* Our own addresses as they are now; the table has room for them. */
void bridge_table_set_own(
    struct bridge_table *t, const struct ifnet *bridge, const struct bridge_porthead *members);
/* Copies of all that are listed, sorted by address and vlan; malloc'd, *n of them. NULL: none. */
struct bridge_entry *bridge_table_list(const struct bridge_table *t, uint32_t *n);
/* What is left of its time; 0 = it doesn't age. */
uint64_t bridge_entry_left_s(const struct bridge_table *t, const struct bridge_entry *en);

/* --- if_bridge.c ------------------------------------------------------------------------------ */

struct bridge {
	struct ifnet *ifp;
	struct bridge_table table;
	struct bridge_porthead members, spans;
	uint32_t nmembers;
	struct bridge_port *lender; /* whose address it has (inherit_mac); NULL = its own */
	uint8_t own_lladdr[6];
	/* frames from members since storm_since_ns */
	uint64_t storm_since_ns, storm_quiet_until_ns;
	uint32_t storm_frames;
};

static inline struct bridge *
bridge_of(const struct ifnet *ifp)
{
	return ifp->if_softc;
}
static inline bool
bridge_is_running(const struct bridge *sc)
{
	return (sc->ifp->if_flags & (IFF_UP_ | IFF_RUNNING_)) == (IFF_UP_ | IFF_RUNNING_);
}
static inline void
bridge_drop(struct batch *b, const struct drop_reason *why)
{
	batch_foreach(b, m)
		m_drop(m, why);
	b->n = 0;
}
/* The interface's port in the bridge, member or span; NULL = it is none. */
struct bridge_port *bridge_port_find(const struct bridge *sc, const struct ifnet *ifp);
int bridge_span_add(struct ifnet *bridge, struct ifnet *ifp);
void bridge_port_remove(struct bridge_port *port);
void bridge_empty(struct bridge *sc);

/* --- if_bridge_forward.c ---------------------------------------------------------------------- */

/* The bridge's if_transmit. */
void bridge_transmit(struct ifnet *ifp, struct batch *b);
/*
 * To where the frames' m->nh leads, a port, or to all: those without one. `from` NULL: they are the
 * stack's own. Takes the batch.
 */
void bridge_switch(struct bridge *sc, struct bridge_port *from, struct batch *b);
/* Whose frame is it, if it is for the stack itself? NULL: it passes, and m->nh is set. */
struct ifnet *bridge_resolve(struct bridge *sc, struct mbuf *m);
/* Out by a member, past all filters. Takes the batch. */
void bridge_emit(struct bridge_port *to, struct batch *b);
/* Frames for the stack itself, all for one interface. Takes the batch. */
void bridge_deliver(struct ifnet *to, struct batch *b);

/* --- if_bridge_filter.c ----------------------------------------------------------------------- */

VNET_DECLARE(bool, bridge_ipfw);
VNET_DECLARE(bool, bridge_pfil_bridge);
VNET_DECLARE(bool, bridge_pfil_member);
VNET_DECLARE(bool, bridge_pfil_local_phys);
VNET_DECLARE(bool, bridge_inherit_mac);
VNET_DECLARE(uint32_t, bridge_storm);

/* Is there anybody at any station? */
static inline bool
bridge_is_filtered(void)
{
	if (VNET(bridge_ipfw) && !pfil_is_empty(PFIL_BRIDGE, PFIL_OUT))
		return true;
	if (!VNET(bridge_pfil_member) && !VNET(bridge_pfil_bridge))
		return false;
	return !pfil_is_empty(PFIL_BRIDGED_INET, PFIL_IN) ||
	    !pfil_is_empty(PFIL_BRIDGED_INET, PFIL_OUT) ||
	    !pfil_is_empty(PFIL_BRIDGED_INET6, PFIL_IN) ||
	    !pfil_is_empty(PFIL_BRIDGED_INET6, PFIL_OUT);
}
/* Frames that a member has received, through all stations. Takes the batch. */
void bridge_filter_input(struct bridge_port *from, struct batch *b);
/* The stations on the way out by a member. Takes the batch. */
void bridge_filter_output(struct bridge_port *to, struct batch *b);
/* Frames for the bridge's own address, at the member that they came by; then bridge_deliver. */
void bridge_filter_local(struct bridge_port *from, struct batch *b);

/* --- if_bridge_cmd.c -------------------------------------------------------------------------- */

/* Its lines of ifconfig. */
void bridge_status(struct ifnet *ifp, struct emitter *e);

#endif
