/*
 * if.h - interfaces, in the words of the field: struct ifnet and its life.
 *
 * An interface is made by a driver: if_alloc, fill in, if_attach; it ends with if_detach and
 * if_free. It belongs to one stack at a time (if_vnet) and can move (if_vmove); if_home_vnet is
 * where it was made. Packets leave by if_output_batch's last step, if_transmit, and come in by
 * ether_input (or whatever if_input the driver has). Upper half writes all fields but the counters;
 * workers read.
 */
#ifndef WARREN_NET_IF_H
#define WARREN_NET_IF_H

#include "base/mbuf.h"
#include "base/rcu.h"
#include "kern/drop.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <bsd/sys/queue.h>
#include <sys/socket.h>

enum { IFNAMSIZ_ = 16, IF_DESCR_DEFAULT_MAX = 1024 };

/* Flags by the field's bit numbers; ifconfig prints them by name. */
enum if_flags {
	IFF_UP_ = 0x1,
	IFF_BROADCAST_ = 0x2,
	IFF_DEBUG_ = 0x4,
	IFF_LOOPBACK_ = 0x8,
	IFF_POINTOPOINT_ = 0x10,
	IFF_RUNNING_ = 0x40,
	IFF_NOARP_ = 0x80,
	IFF_PROMISC_ = 0x100,
	IFF_ALLMULTI_ = 0x200,
	IFF_OACTIVE_ = 0x400,
	IFF_SIMPLEX_ = 0x800,
	IFF_LINK0_ = 0x1000,
	IFF_LINK1_ = 0x2000,
	IFF_LINK2_ = 0x4000,
	IFF_MULTICAST_ = 0x8000,
	IFF_PPROMISC_ = 0x20000,
	IFF_MONITOR_ = 0x40000,
	IFF_STATICARP_ = 0x80000,
	IFF_DYING_ = 0x200000,
	IFF_RENAMING_ = 0x400000,
};
enum if_caps {
	IFCAP_RXCSUM = 1 << 0,
	IFCAP_TXCSUM = 1 << 1,
	IFCAP_VLAN_MTU = 1 << 3,
	IFCAP_JUMBO_MTU = 1 << 5,
	IFCAP_LINKSTATE = 1 << 19
};
enum link_state { LINK_STATE_UNKNOWN, LINK_STATE_DOWN, LINK_STATE_UP };
enum if_type {
	IFT_ETHER_ = 6,
	IFT_LOOP_ = 24,
	IFT_PPP_ = 23,
	IFT_PROPVIRTUAL_ = 53,
	IFT_BRIDGE_ = 209
};

/* Counted by the worker that moves the packets; summed when read. */
struct if_counters {
	uint64_t ipackets, ibytes, imcasts, ierrors, iqdrops, noproto;
	uint64_t opackets, obytes, omcasts, oerrors, oqdrops, collisions;
};

struct ifaddr;
struct rt_addr;
TAILQ_HEAD(ifaddrhead, ifaddr);

/*
 * An address of an interface, any family. The family's own struct begins with this one
 * (struct in_ifaddr in inet/in.h).
 */
struct ifaddr {
	TAILQ_ENTRY(ifaddr) link; /* of ifp->if_addrs, in order of adding */
	struct ifnet *ifp;
	int family; /* AF_INET, … */
	uint32_t refs;
	uint64_t ipackets, opackets;
	bool
	    has_route; /* the route of its prefix, or to its peer, is this one's (route/rib_prefix.c) */
	bool has_local; /* counted in the host route through lo0 (route/rib_local.c) */
	/* the family's text form for ifconfig and netstat */
	const struct ifaddr_ops *ops;
	struct rcu_head rcu;
};
struct ifaddr_ops {
	void (*ifconfig)(
	    struct emitter *e, const struct ifaddr *ifa); /* "\tinet 10.0.0.1 netmask …\n" */
	/* netstat -i: network and address columns */
	void (*netstat)(
	    const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen);
	void (*free)(struct ifaddr *ifa);
	/* may this jail see it? NULL = everybody */
	bool (*visible)(const struct ifaddr *ifa, const struct prison *pr);
	/* where the route that it brings leads; false = it brings none. NULL = none of them does */
	bool (*prefix)(const struct ifaddr *ifa, struct rt_addr *prefix);
};
/* Classic jails see their own addresses only (behaviours 46): what lists addresses asks. */
bool ifa_visible(const struct ifaddr *ifa);
struct ifaddr *ifa_ref(struct ifaddr *ifa);
void ifa_rele(struct ifaddr *ifa); /* frees at 0, through rcu */

/* Per-family data of an interface (its lltable …), made at attach: behaviours 11 and 12. */
enum af_state { AF_EMPTY, AF_ATTACHING, AF_READY };
enum af_slot { AF_SLOT_INET, AF_SLOT_INET6, AF_SLOTS };
struct af_domain {
	enum af_slot slot;
	void *(*attach)(struct ifnet *ifp); /* NULL = no memory */
	void (*detach)(struct ifnet *ifp,
	    void *data); /* may drain timers: called with no lock held, state already EMPTY */
	/* all addresses of the family away (interface leaves its stack); called before detach */
	void (*purge)(struct ifnet *ifp);
	/* the link went up or down (IFF_UP or link state) */
	void (*linkchange)(struct ifnet *ifp);
};
#define AF_DOMAIN_DEFINE(ident, ...)                                                               \
	static const struct af_domain af_of_##ident = { __VA_ARGS__ };                             \
	LINKERSET_ADD(af_domain, af_of_##ident)

struct ifnet {
	/* the data path's line(s) */
	void (*if_transmit)(
	    struct ifnet *ifp, struct batch *b); /* takes complete frames of the link */
	/*
	 * A shaper in the way out (a link's pipe; later ALTQ-like queues): when set, frames go to
	 * it instead of if_transmit, and it calls if_transmit's driver, or the peer's input,
	 * itself. Takes the batch.
	 */
	void (*if_shaper)(struct ifnet *ifp, struct batch *b, void *ctx);
	void *if_shaper_ctx;
	struct bpf_if *if_bpf; /* taps; NULL = nobody listens */
	uint32_t if_flags;     /* enum if_flags: administrative and driver's together */
	uint32_t if_mtu;
	struct vnet *if_vnet;
	uint32_t if_index; /* per stack, from 1 */
	uint8_t if_lladdr[6];
	uint8_t if_addrlen;    /* 6 for Ethernet, 0 */
	uint8_t if_type;       /* enum if_type */
	uint8_t if_fib;        /* FIB for packets that come in here */
	uint8_t if_hdrlen;     /* bytes of the link header: 14, 0 */
	uint8_t if_link_state; /* enum link_state */
	uint8_t pad_;
	struct bridge_port *if_bridge; /* in a bridge (if_bridge.h); NULL = in none */
	struct if_counters if_data;    /* worker 0's; more workers add theirs later */
	void *if_afdata[AF_SLOTS];
	LIST_HEAD(, lltable) if_lltables; /* its neighbours, of each family */
	enum af_state if_afstate[AF_SLOTS];

	/*
	 * a family's way out (arp_output, nd6_output; loop): takes packets of layer 3 with m->nh
	 * set to the nexthop (route.h), NULL = on the link
	 */
	void (*if_output[AF_SLOTS])(struct ifnet *ifp, struct batch *b);
	/* the way in from the driver */
	void (*if_input)(struct ifnet *ifp, struct batch *b);
	struct if_multi *if_multi; /* the link's multicast filter (if_multi.h); NULL = no group */
	/* a family's memberships (inet/multicast.c); NULL = none */
	struct mcast_if *if_mcast[AF_SLOTS];

	/* the control side */
	char if_xname[IFNAMSIZ_]; /* "epair0a" */
	const char *if_dname;     /* driver: "epair" */
	int if_dunit;
	char *if_description;       /* NULL = none */
	void *if_softc;             /* the driver's */
	struct if_clone *if_cloner; /* NULL = not cloned */
	struct vnet *if_home_vnet;
	uint32_t if_capabilities, if_capenable;
	uint32_t if_metric;
	uint64_t if_baudrate_bps; /* 0 = unknown */
	uint32_t if_refs;
	int if_pcount;              /* promiscuous listeners */
	struct ifaddrhead if_addrs; /* addresses of all families */
	struct ifgroups *if_groups; /* NULL = only "all" and the cloner's name */
	/*
	 * send queue: used when the driver can't take a packet (epair behind a full netisr queue)
	 */
	struct mbufq if_snd;
	uint32_t if_snd_maxlen; /* net.link.ifqmaxlen unless the driver says otherwise */
	uint64_t if_snd_drops;
	/* driver's control entry points; each may be NULL */
	int (*if_set_mtu)(struct ifnet *ifp, uint32_t mtu); /* 0 or -errno; NULL = 72..65535 */
	void (*if_set_flags)(struct ifnet *ifp);            /* if_flags have changed */
	int (*if_set_lladdr)(struct ifnet *ifp, const uint8_t *lladdr);
	void (*if_reassigned)(struct ifnet *ifp); /* is now in another stack */
	void (*if_status)(struct ifnet *ifp,
	    struct emitter *e);     /* the driver's own ifconfig lines (media, vlan, …) */
	TAILQ_ENTRY(ifnet) if_link; /* the stack's list, by index */
	struct ifnet *if_hnext;     /* the stack's hash by name */
	LIST_ENTRY(ifnet)
	if_away; /* the home's list of those that are elsewhere; linked while if_is_away */
	struct ifnet
	    *if_clone_lead; /* who stands in the cloner's list for this one; NULL = itself */
	bool
	    if_cloned; /* in the cloner's list; atomic, whoever clears it destroys (behaviours 9) */
	bool if_unit_held; /* its unit is taken in if_home_vnet */
	bool if_is_away;
	bool if_heard;  /* packets that came in by it may wait in netisr's queues */
	bool if_purged; /* leaves or has left: refuse to come up */
	struct rcu_head if_rcu;
};

TAILQ_HEAD(ifnethead, ifnet);
VNET_DECLARE(struct ifnethead, ifnet_head);
#define V_ifnet_head VNET(ifnet_head)
/* The stack's lo0; NULL before it is made and after it went. */
VNET_DECLARE(struct ifnet *, loif);
#define V_loif VNET(loif)

#define IF_FOREACH(ifp) TAILQ_FOREACH(ifp, &V_ifnet_head, if_link)

/* Are its frames Ethernet's, and its neighbours found as there? */
static inline bool
if_is_ethernet(const struct ifnet *ifp)
{
	return ifp->if_type == IFT_ETHER_ || ifp->if_type == IFT_BRIDGE_;
}

/*
 * Is it usable for sending: up, running and, where it reports link state, link up (behaviours 16).
 */
static inline bool
if_is_usable(const struct ifnet *ifp)
{
	return (ifp->if_flags & (IFF_UP_ | IFF_RUNNING_)) == (IFF_UP_ | IFF_RUNNING_) &&
	    (!(ifp->if_capabilities & IFCAP_LINKSTATE) || ifp->if_link_state == LINK_STATE_UP);
}

/* Is an interface that is only held (if_ref) still one of the stack? */
static inline bool
if_is_in(const struct ifnet *ifp, const struct vnet *vnet)
{
	return ifp->if_vnet == vnet && !ifp->if_purged;
}

/*
 * A blank interface of a type with defaults (mtu 1500 …), in no stack yet, one reference; NULL
 * without memory.
 */
struct ifnet *if_alloc(enum if_type type, const char *dname, int dunit);
/*
 * Name it "dnameUNIT" (or as given before by the driver in if_xname), give it an index in curvnet,
 * attach families, raise ifnet_arrival. 0, -EEXIST, -ENOMEM.
 */
int if_attach(struct ifnet *ifp);
/*
 * Take it out of its stack: down, addresses purged, families detached, queues purged of its
 * packets, ifnet_departure raised.
 */
void if_detach(struct ifnet *ifp);
/*
 * Attach the families that are not AF_READY (behaviours 12): if_attach and if_up do it. 0; -ENOMEM,
 * and the family that failed is AF_EMPTY again, as if it had never been asked.
 */
int if_attachdomain(struct ifnet *ifp);
/* Give back the driver's reference; memory goes with the last one and after the readers. */
void if_free(struct ifnet *ifp);
struct ifnet *if_ref(struct ifnet *ifp);
void if_rele(struct ifnet *ifp);

/* In curvnet, borrowed; NULL. */
struct ifnet *if_byname(const char *name);
struct ifnet *if_byindex(uint32_t index);
struct ifnet *if_by_handle(uintptr_t handle); /* any stack, for show */
uint32_t if_next_index(void);                 /* what the next if_attach in curvnet gives */

/* Changes, as ifconfig makes them: 0 or -errno, nothing changed on error. */
int if_up(struct ifnet *ifp);
int if_down(struct ifnet *ifp);
int if_rename(struct ifnet *ifp, const char *name); /* EEXIST, EINVAL */
int if_set_mtu(struct ifnet *ifp, uint32_t mtu);
int if_set_lladdr(struct ifnet *ifp, const uint8_t lladdr[6]); /* raises iflladdr_event */
int if_set_description(struct ifnet *ifp, const char *text);   /* ENAMETOOLONG; "" clears */
/*
 * Read the description (behaviours 8): *len in: room at buf, out: needed with NUL. 0 with the text,
 * 0 with *fits false when the room was too small, -ENOMSG when there is none.
 */
int if_get_description(const struct ifnet *ifp, char *buf, size_t *len, bool *fits);
/*
 * Move to another stack: loses addresses, keeps its name unless taken there (then gets dname +
 * first free unit). 0, -ENOMEM, -EEXIST
 */
int if_vmove(struct ifnet *ifp, struct vnet *to);
void if_link_state_change(
    struct ifnet *ifp, enum link_state state);  /* raises iflink_event, tells families */
int if_set_promisc(struct ifnet *ifp, bool on); /* counted */

/*
 * Groups: every interface is in "all" and its cloner's. 0; -EEXIST, -ENOENT, -EINVAL (empty, too
 * long, ends in a digit), -ENOMEM.
 */
int if_group_add(struct ifnet *ifp, const char *group);
int if_group_delete(struct ifnet *ifp, const char *group);
bool if_in_group(const struct ifnet *ifp, const char *group);
/* Calls fn for each group, "all" first. */
void if_group_foreach(const struct ifnet *ifp, void (*fn)(const char *group, void *ctx), void *ctx);

/* Interfaces alive in the process, attached or not: the audit's number. */
uint64_t if_live(void);
/* net.link.ifqmaxlen, net.ifdescr_maxlen. */
extern uint32_t if_qmaxlen, if_descr_maxlen;

/*
 * Send complete frames (with link header): counts, taps, shaper or driver. Takes the batch. What
 * all if_output functions end with. Frames on an interface that is not up and running are dropped.
 */
void if_transmit_batch(struct ifnet *ifp, struct batch *b);
/*
 * The same for frames to single stations, `bytes` of them in all: who puts the headers before them
 * has the sum without another pass (8 -> 1 instructions a packet, bench forward).
 */
void if_transmit_unicast(struct ifnet *ifp, struct batch *b, uint32_t bytes);
/*
 * The same for frames that are past the filter on the link, and go out by no other interface than
 * this one: what a bridge sends by its members. Not empty.
 */
void if_transmit_frames(struct ifnet *ifp, struct batch *b);

/*
 * Received frames: count and tap, then ifp->if_input. curvnet becomes ifp->if_vnet meanwhile. Takes
 * the batch. Drivers call this.
 */
void if_receive(struct ifnet *ifp, struct batch *b);

/*
 * m (at its IP header) comes in by ifp without having been on its link: what members of this stack
 * get of a packet to their group. By the protocol's queue. Takes m.
 */
void if_loop_back(struct ifnet *ifp, struct mbuf *m);

DROP_DECLARE(DROP_IF_DOWN); /* sent or received on an interface that is down */
DROP_DECLARE(DROP_IF_SNDQ); /* send queue full */
DROP_DECLARE(DROP_IF_GONE); /* interface left while the packet waited */

/*
 * Events (arg1 = struct ifnet *): ifnet_arrival, ifnet_departure, iflladdr_event, iflink_event;
 * ifaddr_event (arg1 ifnet, arg2 ifaddr).
 */

/*
 * ifconfig keywords of other rooms. A keyword takes nargs words and changes ifp; `verb_error` on
 * failure, non-zero = exit status. Address families register theirs by family name ("inet").
 */
struct ifconfig_word {
	const char *word;
	int nargs;
	int (*run)(struct verb_run *v, struct ifnet *ifp, char **args);
};
#define IFCONFIG_WORD_DEFINE(ident, kw, n, fn)                                                     \
	static const struct ifconfig_word ifw_of_##ident = { kw, n, fn };                          \
	LINKERSET_ADD(ifconfig_word, ifw_of_##ident)
/*
 * Lines of `ifconfig IF` from other rooms (a link's pipe); printed behind the driver's if_status,
 * sorted by name.
 */
struct ifconfig_status {
	const char *name;
	void (*run)(struct ifnet *ifp, struct emitter *e); /* nothing to say: prints nothing */
};
#define IFCONFIG_STATUS_DEFINE(ident, nm, fn)                                                      \
	static const struct ifconfig_status ifs_of_##ident = { nm, fn };                           \
	LINKERSET_ADD(ifconfig_status, ifs_of_##ident)
/*
 * `ifconfig IF inet ADDR [DST] [netmask M] [broadcast B] [alias|-alias|delete|add]…`: the family
 * parses from its address on.
 */
struct ifconfig_family {
	const char *name; /* "inet" */
	int af;
	/*
	 * words behind the family name; *used = how many it took. op: 0 = set (first address
	 * replaced as BSD does), '+' alias, '-' delete. Exit status.
	 */
	int (*address)(struct verb_run *v, struct ifnet *ifp, int argc, char **argv, int *used);
	/* does this word look like an address of ours? (ifconfig em0 10.0.0.1/24 without family) */
	bool (*is_address)(const char *word);
	/* lines behind the addresses; optional, as what follows */
	void (*status)(const struct ifnet *ifp, struct emitter *e);
	/* what the family's words change beside addresses: a command that fails puts it back */
	uint32_t (*flags)(const struct ifnet *ifp);
	void (*set_flags)(struct ifnet *ifp, uint32_t flags);
};
#define IFCONFIG_FAMILY_DEFINE(ident, ...)                                                         \
	static const struct ifconfig_family iff_of_##ident = { __VA_ARGS__ };                      \
	LINKERSET_ADD(ifconfig_family, iff_of_##ident)

#endif
