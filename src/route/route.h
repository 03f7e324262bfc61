/*
 * route.h - routes: the control side (RIB) and what the packet side gets from it (next hops).
 *
 * Each stack has up to net.fibs tables (FIBs) per family. A rtentry is a route as people gave it;
 * its struct nexthop is what packets need, in one cache line. The packet side looks up with
 * fib_lookup4(), without locks, and uses the answer in the same batch only. Family independent:
 * addresses are struct rt_addr, built by one function from (family, address) only, so that no port
 * or padding ever takes part (behaviours 18).
 *
 * What the packet side finds may be a group: several routes to one prefix (multipath), or routes
 * with masks that are no prefixes. nexthop_for() then names the next hop of a packet.
 */
#ifndef WARREN_ROUTE_ROUTE_H
#define WARREN_ROUTE_ROUTE_H

#include "base/rcu.h"
#include "kern/vnet.h"
#include "net/if.h"
#include "net/in6addr.h"
#include "net/lltable.h"
#include "route/radix.h"

enum { RT_FIBS_MAX = 16 };

/* A prefix or an address. */
struct rt_addr {
	uint8_t family;   /* AF_INET, AF_INET6; 0 = none */
	uint8_t plen;     /* 32 / 128 for a host */
	uint8_t addr[16]; /* network order; rest zero; IPv6 with its zone (net/in6addr.h) */
};
/* "fe80::%epair0a/64" */
enum { RT_ADDR_TEXT = IN6_TEXT + 4 };

/* The only place where keys are made. A plen that is too long for the family is cut. */
struct rt_addr rt_addr_make(int family, const void *addr, unsigned plen);
static inline const struct in6 *
rt_addr_in6(const struct rt_addr *a)
{
	return (const struct in6 *)(const void *)a->addr;
}
/*
 * "10.0.0.0/24", "fe80::%em0/64", "default", a bare host. False if it is none; masks that are no
 * prefixes have no such form. family_hint: AF_INET, AF_INET6, 0 = either ("default": IPv4).
 */
bool rt_addr_parse(const char *word, int family_hint, struct rt_addr *a);
/* netstat's way: default, bare hosts, nets with /n; zones by their interface's name. */
const char *rt_addr_text(const struct rt_addr *a, char text[RT_ADDR_TEXT]);

enum rtf {
	RTF_UP_ = 0x1,
	RTF_GATEWAY_ = 0x2,
	RTF_HOST_ = 0x4,
	RTF_REJECT_ = 0x8,
	RTF_DYNAMIC_ = 0x10,
	RTF_MODIFIED_ = 0x20,
	RTF_DONE_ = 0x40,
	RTF_LLINFO_ = 0x400,
	RTF_STATIC_ = 0x800,
	RTF_BLACKHOLE_ = 0x1000,
	RTF_PROTO1_ = 0x8000,
	RTF_PROTO2_ = 0x4000,
	RTF_PROTO3_ = 0x40000,
	RTF_PINNED_ = 0x100000, /* an interface's own prefix: only its address removal deletes it */
	RTF_LOCAL_ = 0x200000,  /* host route to an address of ours */
	RTF_BROADCAST_ = 0x400000,
	RTF_MULTIPATH_ = 0x2000000, /* no next hop yet: nexthop_for() chooses one */
	RTF_BYMASK_ = 0x4000000,    /* with MULTIPATH: by the destination's bits, not by flow */
	RTF_STICKY_ = 0x10000000,
};

/* What a packet needs: one line. Immutable once published but for `lle` and `use`. */
struct nexthop {
	struct ifnet *ifp; /* way out; the loopback for RTF_LOCAL, REJECT, BLACKHOLE */
	struct llentry *
	    lle; /* gateway's neighbour entry, cached with a reference; NULL = not yet, or on-link (look up by destination) */
	uint32_t flags;      /* enum rtf */
	uint32_t mtu;        /* of the route, else the interface's at use */
	uint32_t gw4;        /* gateway, network order, family AF_INET */
	uint32_t path;       /* of interface and gateway: the same whenever they come back */
	struct ifaddr *ifa;  /* source address for packets made here */
	uint64_t use;        /* packets sent by it; worker 0's */
	struct rtentry *rt;  /* NULL: a group */
	uint32_t per_weight; /* 2^32 - 1 over the route's weight */
	uint32_t pad_;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct nexthop) == 64, "a next hop is one cache line");

struct nexthop_group;

struct rtentry {
	struct nexthop nh;
	struct radix_node rn; /* with the mask, if that is no prefix; further paths are its dups */
	struct rt_addr dst; /* for such a mask: its leading ones, and what is set under all of it */
	struct nexthop_group *group; /* of all paths to the prefix; NULL: this is the only one */
	struct rt_addr gateway;      /* family 0 = on-link (shown as link#N) */
	uint32_t refs; /* holders; behaviours 41: users of a shared loopback route in `users` */
	uint32_t users;
	uint32_t weight;
	uint8_t fib;
	uint64_t expire_ns; /* 0 = never */
	struct vnet *vnet;
	struct rcu_head rcu;
};

/* What a command or a room wants done. */
struct rt_request {
	struct rt_addr dst;
	const uint8_t *mask;    /* instead of dst's length; NULL = that counts. Borrowed */
	struct rt_addr gateway; /* family 0: on-link by ifp */
	struct ifnet *ifp;      /* -iface / -ifp; NULL = found from the gateway */
	struct ifaddr *ifa;     /* source address; NULL = found */
	uint32_t flags;         /* RTF_… to set */
	uint32_t mtu, weight;
	uint64_t expire_ns;
	uint8_t fib;
	bool multipath; /* add: may stand beside routes to the same prefix by other ways */
};

/*
 * Changes, in curvnet. 0; -EEXIST, -ESRCH (delete/change: not there, or another gateway; several
 * paths, and the request doesn't say which), -ENETUNREACH (gateway not reachable on-link), -ENOSPC
 * (net.route.maxpaths), -EINVAL, -ENOMEM. *out (optional, borrowed) the entry. A gateway of link
 * scope is on its zone's link whatever routes there are; one without a zone takes the request's
 * interface.
 */
int rib_add(const struct rt_request *rq, struct rtentry **out);
int rib_delete(const struct rt_request *rq);
int rib_change(const struct rt_request *rq, struct rtentry **out);
/* An entry of the table lives until then; 0 = for good. No event: the route stays what it is. */
void rib_set_expiry(struct rtentry *rt, uint64_t expire_ns);
/*
 * Longest match, control side; borrowed; NULL. Exact: the prefix itself, and that mask (bytes of the
 * family's length). Of several paths the first that came; rib_next_path tells the others.
 */
struct rtentry *rib_match(uint8_t fib, const struct rt_addr *dst);
struct rtentry *rib_exact(uint8_t fib, const struct rt_addr *dst);
struct rtentry *rib_exact_masked(uint8_t fib, const struct rt_addr *dst, const uint8_t *mask);
struct rtentry *rib_next_path(const struct rtentry *rt);
/* All routes of a family and FIB in order; fn non-zero stops. */
int rib_walk(uint8_t fib, int family, int (*fn)(struct rtentry *rt, void *ctx), void *ctx);
/* Remove every route through ifp (it leaves), or with this source address. Returns how many. */
unsigned rib_purge_if(struct ifnet *ifp);
unsigned rib_purge_ifa(struct ifaddr *ifa);
uint64_t rib_count(uint8_t fib, int family);

/*
 * Host route to one of our own addresses through lo0: several interfaces may share the address
 * (point-to-point links); the first creates it, the last removes it (behaviours 41).
 */
int rib_local_add(const struct rt_addr *host, struct ifaddr *ifa);
int rib_local_delete(const struct rt_addr *host, struct ifaddr *ifa);
/* Another holder of the shared address is the source from now on (the one it had leaves). */
void rib_local_source(const struct rt_addr *host, struct ifaddr *ifa);
/* Routes whose source address is `from` get `to`, of the same interface and prefix. */
void rib_ifa_replace(struct ifaddr *from, struct ifaddr *to);

/*
 * The route to an address's prefix on its link, or to its peer (ifaddr_ops.prefix): add it unless
 * an alias on the interface has it (0, errors of rib_add), take it away. Leave: the address is out
 * of its interface's list; its routes go to an alias, or end.
 */
int rib_prefix_add(struct ifaddr *ifa);
void rib_prefix_delete(struct ifaddr *ifa);
void rib_prefix_leave(struct ifaddr *ifa);

/*
 * Cache a gateway's neighbour entry (or NULL) in a next hop: takes a reference of its own, gives
 * the old one back.
 */
void nexthop_set_lle(struct nexthop *nh, struct llentry *lle);

/*
 * Put something in all FIBs or only in the interface's own: net.add_addr_allfibs. Highest number
 * and lowest.
 */
void rt_fib_range(const struct ifnet *ifp, uint8_t *first, uint8_t *last);

/*
 * Packet side: next hop for an IPv4 destination (network order), NULL if there is none. Borrowed
 * for this batch. Does not count use.
 */
struct nexthop *fib_lookup4(uint8_t fib, uint32_t dst);
/*
 * n look-ups at once, all in one FIB. True if all have one answer, as far as it was seen on the way:
 * they may have where it is false.
 */
bool fib_lookup4_batch(uint8_t fib, const uint32_t *dst, struct nexthop **nh, unsigned n);
/*
 * The same for IPv6: 16 bytes each, with their zones (net/in6addr.h). A gateway's address is
 * nh->rt->gateway; packets read it only when nh->lle is not there yet.
 */
struct nexthop *fib_lookup6(uint8_t fib, const struct in6 *dst);
bool fib_lookup6_batch(uint8_t fib, const struct in6 *const *dst, struct nexthop **nh, unsigned n);

/*
 * The next hop of one packet, when the look-up has found a group (or anything else): dst as the
 * look-up got it, flow a hash that all packets of a flow share (m->flowid). A path whose link is
 * down is passed over as long as there is another; the flows of the others don't move. NULL: none
 * of the group's masks matches, and nothing behind them.
 */
struct nexthop *nexthop_choose(struct nexthop *group, const void *dst, uint32_t flow);
static inline struct nexthop *
nexthop_for(struct nexthop *nh, const void *dst, uint32_t flow)
{
	if (__builtin_expect(nh == NULL || !(nh->flags & RTF_MULTIPATH_), 1))
		return nh;
	return nexthop_choose(nh, dst, flow);
}
/*
 * All next hops that packets to dst may get of it, one a call from *at = 0 on; NULL behind the last.
 */
struct nexthop *nexthop_path(struct nexthop *nh, const void *dst, unsigned *at);

/* Look-up and choice in one: for what is not forwarding. */
static inline struct nexthop *
route_to4(uint8_t fib, uint32_t dst, uint32_t flow)
{
	return nexthop_for(fib_lookup4(fib, dst), &dst, flow);
}
static inline struct nexthop *
route_to6(uint8_t fib, const struct in6 *dst, uint32_t flow)
{
	return nexthop_for(fib_lookup6(fib, dst), dst, flow);
}

/*
 * Unicast reverse path: would packets to src, as one way among others, leave by ifp? (RFC 3704 2.2,
 * 2.3.) ifp NULL: is there any way at all (2.4)? What is rejected has none.
 */
bool rib_reverse_path_ok(uint8_t fib, const struct rt_addr *src, const struct ifnet *ifp);

/*
 * Names of hosts, as the verbs read them; inet/ sets it. Into a host of the family (0 = of the first
 * that the name has); false if it is unknown.
 */
extern bool (*rt_resolve_name)(const char *name, int family, struct rt_addr *a);

/* Number of FIBs of this process: net.fibs, default 1, 1..16 (start-up). */
extern uint32_t rt_numfibs;

/*
 * Events: route_event (arg1 = struct rtentry *, arg2 = (void *)(uintptr_t)RTM_ADD…): `route
 * monitor`.
 */
enum rtm {
	RTM_ADD_ = 1,
	RTM_DELETE_ = 2,
	RTM_CHANGE_ = 3,
	RTM_GET_ = 4,
	RTM_REDIRECT_ = 6,
	RTM_MISS_ = 7,
	RTM_NEWADDR_ = 0xc,
	RTM_DELADDR_ = 0xd,
	RTM_IFINFO_ = 0xe,
	RTM_IFANNOUNCE_ = 0x11
};

/* Counters of `netstat -rs`. */
struct rtstat {
	uint64_t badredirect, dynamic, newgateway, unreach, wildcard;
};
VNET_DECLARE(struct rtstat, rtstat);
#define V_rtstat VNET(rtstat)

#endif
