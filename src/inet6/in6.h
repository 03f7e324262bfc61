/*
 * in6.h - IPv6 addresses of interfaces (RFC 4291, 4862), and which addresses are ours.
 *
 * Addresses here carry their zone (net/in6addr.h). Prefix route, host route through lo0 and hash
 * are as for IPv4 (inet/in.h); new are states and lifetimes: an address begins tentative (duplicate
 * detection, nd6_dad.c), is preferred, deprecated, and expires. An interface joins the groups that
 * its addresses need: all nodes, solicited nodes (inet/multicast.h).
 */
#ifndef WARREN_INET6_IN6_H
#define WARREN_INET6_IN6_H

#include "base/callout.h"
#include "inet/in_hash.h"
#include "inet/ipaddr.h"
#include "net/if.h"
#include "net/lltable.h"
#include "route/route.h"

enum in6_iff {
	IN6_IFF_ANYCAST = 0x01,
	IN6_IFF_TENTATIVE = 0x02,
	IN6_IFF_DUPLICATED = 0x04,
	IN6_IFF_DETACHED = 0x08, /* autoconfigured, its prefix has no reachable router */
	IN6_IFF_DEPRECATED = 0x10,
	IN6_IFF_NODAD = 0x20,
	IN6_IFF_AUTOCONF = 0x40,
	IN6_IFF_TEMPORARY = 0x80,
	IN6_IFF_PREFER_SOURCE = 0x100,
	/* not to be used as a source, nor answered for */
	IN6_IFF_NOTREADY = IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED,
};
enum { ND6_INFINITE_LIFETIME = -1 }; /* as uint32_t */

struct nd6_dad;
struct mcast_member;

struct in6_ifaddr {
	struct ifaddr ifa;    /* first: a struct ifaddr of family AF_INET6 */
	struct in6 addr, dst; /* ours; a point-to-point peer or :: */
	uint8_t plen;
	uint32_t flags;                   /* enum in6_iff */
	uint32_t vltime_s, pltime_s;      /* as given; (uint32_t)ND6_INFINITE_LIFETIME = for ever */
	uint64_t expire_ns, deprecate_ns; /* NS_NEVER */
	struct callout lifetime;
	struct in_hash_node hash;
	struct nd6_dad *dad;            /* nd6_dad.c's while it runs; NULL */
	struct mcast_member *solicited; /* membership in its solicited-node group; NULL */
	bool no_prefix_route;           /* its prefix is not on the link for its sake (RFC 5942) */
};

static inline struct in6_ifaddr *
in6_ifaddr_of(struct ifaddr *ifa)
{
	return (struct in6_ifaddr *)(void *)ifa;
}

/* What ND keeps of an interface (RFC 4861 6.3.2); ndp -i shows and sets it. */
enum nd6_iff {
	ND6_IFF_PERFORMNUD = 0x1,
	ND6_IFF_ACCEPT_RTADV = 0x2,
	ND6_IFF_PREFER_SOURCE = 0x4,
	ND6_IFF_IFDISABLED = 0x8, /* no IPv6 on it: duplicate link-local address (RFC 4862 5.4.5) */
	ND6_IFF_AUTO_LINKLOCAL = 0x20,
	ND6_IFF_NO_RADR = 0x40, /* accepts no default router */
	ND6_IFF_NO_DAD = 0x100,
};
struct nd_ifinfo {
	uint32_t flags;   /* enum nd6_iff */
	uint32_t linkmtu; /* of an advertisement; 0 = the interface's */
	uint8_t chlim;    /* hop limit for packets made here; 0 = net.inet6.ip6.hlim */
	uint32_t basereachable_ms, retrans_ms;
	uint32_t reachable_ms; /* random around the base, new every two hours */
	uint64_t recalc_ns;    /* when */
};

struct rtadv_if; /* rtadvd.c: what it sends on this interface */
struct rtsol_if; /* nd6_rtr.c: solicitations under way */

/* if_afdata[AF_SLOT_INET6] */
struct in6_if {
	struct lltable *llt;
	struct nd_ifinfo nd;
	struct mcast_member *allnodes, *allrouters;
	struct rtadv_if *rtadv; /* NULL = doesn't send */
	struct rtsol_if *rtsol; /* NULL */
};
static inline struct in6_if *
in6_if_of(const struct ifnet *ifp)
{
	return (struct in6_if *)ifp->if_afdata[AF_SLOT_INET6];
}
/* Its neighbour table; NULL if not attached. */
static inline struct lltable *
in6_lltable(const struct ifnet *ifp)
{
	struct in6_if *i = in6_if_of(ifp);

	return i == NULL ? NULL : i->llt;
}
/* The link's MTU for IPv6: the interface's, less if an advertisement says so. At least 1280. */
uint32_t in6_ifmtu(const struct ifnet *ifp);

/* Add an address, as ifconfig, autoconfiguration and labs do. */
struct in6_addr_request {
	struct in6 addr; /* a link-local one without a zone gets the interface's */
	unsigned plen;
	struct in6 dst; /* :: = none */
	/*
	 * ANYCAST, AUTOCONF, TEMPORARY, NODAD, DEPRECATED, PREFER_SOURCE; TENTATIVE: begin DAD
	 * although the interface has NO_DAD
	 */
	uint32_t flags;
	uint32_t vltime_s, pltime_s; /* ND6_INFINITE_LIFETIME for ever */
	bool no_prefix_route; /* on-link is not implied (RFC 5942; SLAAC without the L flag) */
};
/*
 * 0; -EEXIST on another interface without a zone, -EINVAL (multicast, ::, pltime > vltime, plen),
 * -EADDRNOTAVAIL (IPv6 is not on the interface), -ENOMEM, errors of rib_add. An address that is on
 * this interface gets the new lifetimes and flags. The link-local address comes by itself before
 * the first other one.
 */
int in6_addr_add(struct ifnet *ifp, const struct in6_addr_request *rq);
int in6_addr_delete(struct ifnet *ifp, const struct in6 *addr); /* -EADDRNOTAVAIL */
/*
 * Addresses that come by themselves, if the interface wants them (auto_linklocal, accept_rtadv) or
 * IPv6 is used on it now, and they are not there: the link-local one, lo0's ::1. 0 (also when none
 * is wanted), -ENOMEM, errors of rib_add.
 */
int in6_auto_addresses(struct ifnet *ifp, bool used);
/*
 * Is it still nobody else's? Tentative from now on, if it and its interface want that to be asked;
 * asked as soon as the link is usable.
 */
void in6_dad_begin(struct in6_ifaddr *ia);
/* nd.flags from now on, with what hangs on them; ifconfig and ndp -i. */
void in6_flags_set(struct ifnet *ifp, uint32_t flags);
/* It became ready, or duplicated, or deprecated: ifaddr_event. */
void in6_addr_event(struct in6_ifaddr *ia);
/* Its lifetimes from now on (RFC 4862 5.5.3 e is the caller's). */
void in6_addr_lifetimes(struct in6_ifaddr *ia, uint32_t vltime_s, uint32_t pltime_s);
/* It is preferred for so long; the end of its validity stays where it is, exactly. */
void in6_addr_preferred(struct in6_ifaddr *ia, uint32_t pltime_s);

/* Borrowed; NULL. */
struct in6_ifaddr *in6_ifaddr_exact(const struct ifnet *ifp, const struct in6 *addr);
struct in6_ifaddr *in6_linklocal(const struct ifnet *ifp); /* ready or not */
struct in6_ifaddr *in6_ifaddr_first(const struct ifnet *ifp);
/* Next IPv6 address of the interface behind ia (NULL = the first). */
struct in6_ifaddr *in6_ifaddr_next(const struct ifnet *ifp, const struct in6_ifaddr *ia);
/* Is the address on the interface's link: by the routes, as RFC 5942 says. */
bool in6_is_onlink(const struct ifnet *ifp, const struct in6 *addr);

/*
 * Our addresses, as the packet path asks: one hash probe, no locks. The address of a packet that
 * has link scope is in6_embed()ded by the caller first. Tentative ones are in it too: see flags.
 */
VNET_DECLARE(struct in_hash *, in6_hash);

/* The hash's key: odd, so that it is none of those that mean something there. */
static inline uint64_t
in6_hash_key(const struct in6 *a)
{
	uint64_t x = load64(a->b) * UINT64_C(0x9e3779b97f4a7c15) ^ load64(a->b + 8);

	return (x ^ x >> 32) | 1;
}
/* The first in a chain that is addr; NULL. */
static inline struct in6_ifaddr *
in6_ifaddr_of_node(struct in_hash_node *n, const struct in6 *addr)
{
	for (; n != NULL; n = n->next) {
		struct in6_ifaddr *ia = (struct in6_ifaddr *)(void *)((uint8_t *)n -
		    offsetof(struct in6_ifaddr, hash));

		if (in6_equal(&ia->addr, addr))
			return ia;
	}
	return NULL;
}
/* For batches: the table is read once. */
static inline struct in6_ifaddr *
in6_local_in(const struct in_hash *h, const struct in6 *addr)
{
	return in6_ifaddr_of_node(in_hash_find(h, in6_hash_key(addr)), addr);
}
static inline const struct in_hash *
in6_local_table(void)
{
	return rcu_deref(&VNET(in6_hash));
}
static inline struct in6_ifaddr *
in6_local(const struct in6 *addr)
{
	return in6_local_in(in6_local_table(), addr);
}
/* The same address on another interface (ends of point-to-point links may share one); NULL. */
static inline struct in6_ifaddr *
in6_local_next(const struct in6_ifaddr *ia)
{
	return in6_ifaddr_of_node(ia->hash.next, &ia->addr);
}

/*
 * Source address selection (RFC 6724 section 5, policy table in6_policy.h): for dst through
 * ifp; NULL if there is none. Borrowed.
 */
struct in6_ifaddr *in6_select_source(struct ifnet *ifp, const struct in6 *dst);
/*
 * Destination ordering (RFC 6724 section 6): the better of two destinations, <0 a first. For names
 * with several addresses.
 */
int in6_compare_destinations(uint8_t fib, const struct in6 *a, const struct in6 *b);

VNET_DECLARE(bool, ip6_forwarding);
#define V_ip6_forwarding VNET(ip6_forwarding)
VNET_DECLARE(bool, ip6_accept_rtadv); /* the default of new interfaces */
#define V_ip6_accept_rtadv VNET(ip6_accept_rtadv)
VNET_DECLARE(bool, ip6_auto_linklocal); /* the default of new interfaces */
#define V_ip6_auto_linklocal VNET(ip6_auto_linklocal)
VNET_DECLARE(bool, ip6_no_radr); /* the default of new interfaces */
#define V_ip6_no_radr VNET(ip6_no_radr)

/* Raised as ifaddr_event (arg1 ifnet, arg2 ifaddr) when an address comes, goes or becomes ready. */

#endif
