/*
 * nd6_rtr.h - what routers tell hosts: advertisements and what is learned from them (RFC 4861 6.3,
 * RFC 4862 5.5, RFC 4191, RFC 8981).
 *
 *	nd6_rtr.c	advertisements in: checked, link parameters taken, the rest handed on
 *	nd6_defrtr.c	who forwards: the routers, what each offers to reach, whom packets go to
 *	nd6_prefix.c	prefixes: what is on the link, which routers are behind it
 *	nd6_slaac.c	the addresses that are made of them
 *	nd6_rtsol.c	solicitations, the tool rtsol
 *	rtadvd.c	the other side: advertisements out (rtadvd.h)
 *
 * A host believes an interface's advertisements while accept_rtadv is set on it. A stack that
 * forwards takes prefixes and parameters then, but routers only with net.inet6.ip6.rfc6204w3.
 */
#ifndef WARREN_INET6_ND6_RTR_H
#define WARREN_INET6_ND6_RTR_H

#include "base/bytes.h"
#include "inet6/nd6.h"

#include <bsd/sys/queue.h>

/* --- on the wire ---------------------------------------------------------------------------- */

/* The first two bits behind the flags M and O: RFC 4191 2.1. */
enum nd_ra_flags { ND_RA_MANAGED = 0x80, ND_RA_OTHER = 0x40, ND_RA_PREF_MASK = 0x18 };
struct nd_router_advert {
	uint8_t type, code;
	uint16_t sum;
	uint8_t hlim, flags;
	be16 lifetime_s;
	be32 reachable_ms, retrans_ms;
} __attribute__((packed));
_Static_assert(sizeof(struct nd_router_advert) == 16, "wire");

enum nd_prefix_flags { ND_PREFIX_ONLINK = 0x80, ND_PREFIX_AUTO = 0x40 };
struct nd_opt_prefix {
	uint8_t type, len; /* len 4, in units of 8 bytes */
	uint8_t plen, flags;
	be32 vltime_s, pltime_s, reserved;
	struct in6 prefix;
} __attribute__((packed));
_Static_assert(sizeof(struct nd_opt_prefix) == 32, "wire");

/* As long as its prefix needs: 8 bytes and none, 8 or 16 of the prefix. */
struct nd_opt_route {
	uint8_t type, len;
	uint8_t plen, flags; /* preference where an advertisement has it */
	be32 lifetime_s;
} __attribute__((packed));
_Static_assert(sizeof(struct nd_opt_route) == 8, "wire");

/* RFC 4191 2.1; "reserved" counts as medium in an advertisement, and voids a route option. */
enum nd6_pref { ND6_PREF_LOW = -1, ND6_PREF_MEDIUM, ND6_PREF_HIGH, ND6_PREF_RESERVED };
enum nd6_pref nd6_pref_of(uint8_t flags);
uint8_t nd6_pref_bits(enum nd6_pref pref);
const char *nd6_pref_name(enum nd6_pref pref); /* "low", "medium", "high" */

/*
 * The options of a message that nd6_options() has checked, one by one: the one behind o (NULL = the
 * first), NULL behind the last.
 */
const uint8_t *nd6_option_next(const struct nd6_opts *opts, const uint8_t *o);
struct nd6_route_info {
	struct in6 dst;
	uint8_t plen;
	enum nd6_pref pref;
	uint32_t lifetime_s;
};
/* What a route option says; false if it is to be ignored. */
bool nd6_route_option(const uint8_t *o, struct nd6_route_info *info);

/* --- routers and what they reach (nd6_defrtr.c) ----------------------------------------------- */

/* Who sent an advertisement, while it offers a way or stands behind a prefix. */
struct nd6_router {
	TAILQ_ENTRY(nd6_router) link; /* the stack's, in order of arrival */
	struct ifnet *ifp;
	struct in6 addr;    /* with its zone */
	uint8_t flags;      /* enum nd_ra_flags of its last advertisement */
	uint8_t slot;       /* its bit in struct nd6_prefix.routers: one of 64 of the interface */
	unsigned nroutes;   /* ways that it offers */
	unsigned nprefixes; /* prefixes that it stands behind */
	uint64_t failed_ns; /* when it was last found unreachable; 0 = never */
};
/* A way that a router offers. To ::/0: it is a default router. */
struct nd6_route {
	TAILQ_ENTRY(nd6_route) link; /* the stack's, in order of arrival */
	struct nd6_router *router;
	struct in6 dst;
	uint8_t plen, fib;
	int8_t pref;    /* enum nd6_pref */
	bool installed; /* packets go this way: it is in the routing table */
	uint32_t lifetime_s;
	uint64_t expire_ns; /* NS_NEVER */
	struct callout expiry;
};
TAILQ_HEAD(nd6_routers, nd6_router);
TAILQ_HEAD(nd6_routes, nd6_route);
VNET_DECLARE(struct nd6_routers, nd6_routers);
#define V_nd6_routers VNET(nd6_routers)
VNET_DECLARE(struct nd6_routes, nd6_routes);
#define V_nd6_routes VNET(nd6_routes)

struct nd6_router *nd6_router_find(const struct ifnet *ifp, const struct in6 *addr);
/* Found or made; NULL at net.inet6.ip6.maxifdefrouters or without memory. */
struct nd6_router *nd6_router_get(struct ifnet *ifp, const struct in6 *addr);
/* Frees it if it offers nothing and stands behind nothing. */
void nd6_router_put(struct nd6_router *r);
/* Does it offer the way to ::/0? */
bool nd6_router_is_default(const struct nd6_router *r);
/* Is it known, or likely, to answer (RFC 4861 6.3.6)? */
bool nd6_router_is_reachable(const struct nd6_router *r);
/*
 * r offers the way to dst/plen for so long; 0 = no more. Whom packets go to is chosen anew. Keeps
 * r.
 */
void nd6_route_offer(struct nd6_router *r, const struct in6 *dst, unsigned plen, enum nd6_pref pref,
    uint32_t lifetime_s);
/* Choose all ways anew: reachability, forwarding or flags have changed. */
void nd6_routes_choose(void);

/*
 * Default routers for ndp -r: ways to ::/0 in order of arrival. Non-zero of fn stops and is
 * returned.
 */
int nd6_default_router_foreach(int (*fn)(const struct nd6_route *way, void *ctx), void *ctx);
/* ndp -R; ifp NULL = of all interfaces. */
void nd6_routers_flush(const struct ifnet *ifp);
/* Where packets go when there is no default router: ndp -I. NULL = nowhere. */
struct ifnet *nd6_default_interface(void);
/* 0; -EINVAL if IPv6 is not on it. */
int nd6_default_interface_set(struct ifnet *ifp);

/* --- prefixes (nd6_prefix.c) ------------------------------------------------------------------ */

struct nd6_temp; /* a temporary address */
struct nd6_prefix {
	TAILQ_ENTRY(nd6_prefix) link; /* the stack's, in order of arrival */
	struct ifnet *ifp;
	struct in6 prefix;
	uint8_t plen;
	bool onlink, autonomous; /* L, A: once heard, they stay (RFC 4861 6.3.4) */
	bool detached;           /* none of its routers is reachable, but others are */
	bool has_route;
	bool expired; /* its time is up, only addresses remain */
	uint32_t vltime_s, pltime_s;
	uint64_t expire_ns; /* NS_NEVER */
	uint64_t routers;   /* who advertises it: 1 << slot */
	struct callout expiry;
	/* nd6_slaac.c: temporary addresses, the newest first */
	TAILQ_HEAD(, nd6_temp) temps;
	struct callout remake; /* the next temporary address, or another try */
	unsigned tries;        /* addresses in a row that were duplicates */
	uint8_t dad_counter;   /* RFC 7217 */
};
TAILQ_HEAD(nd6_prefixes, nd6_prefix);
VNET_DECLARE(struct nd6_prefixes, nd6_prefixes);
#define V_nd6_prefixes VNET(nd6_prefixes)

/* An option of an advertisement (RFC 4861 6.3.4, RFC 4862 5.5.3); from: NULL = nobody to note. */
void nd6_prefix_heard(struct ifnet *ifp, struct nd6_router *from, const struct nd_opt_prefix *opt);
/* r forwards no more: no prefix has it behind itself. */
void nd6_prefixes_router_gone(struct nd6_router *r);
/* Routers have come, gone, or changed: which prefixes are detached? */
void nd6_prefixes_check(void);
/* The interface was set up or down: its on-link routes come or go. */
void nd6_prefixes_routes(struct ifnet *ifp);

/* All prefixes for ndp -p, and the routers behind one. Non-zero of fn stops and is returned. */
int nd6_prefix_foreach(int (*fn)(const struct nd6_prefix *pr, void *ctx), void *ctx);
int nd6_prefix_router_foreach(
    const struct nd6_prefix *pr, int (*fn)(const struct nd6_router *r, void *ctx), void *ctx);
/* ndp -P: with the addresses made of them; ifp NULL = of all interfaces. */
void nd6_prefixes_flush(const struct ifnet *ifp);

/* --- addresses made of prefixes (nd6_slaac.c) ------------------------------------------------- */

void nd6_slaac_init(struct nd6_prefix *pr);
/* An advertisement with the A flag: make the address, or give those there new lifetimes. */
void nd6_slaac_heard(struct nd6_prefix *pr, uint32_t vltime_s, uint32_t pltime_s);
/* The prefix goes; its addresses live on. */
void nd6_slaac_fini(struct nd6_prefix *pr);
/* An address of the prefix's interface came, went, or turned out to be somebody else's. */
void nd6_slaac_address_changed(struct nd6_prefix *pr, const struct in6_ifaddr *ia);
/* Was the address made of the prefix? */
bool nd6_slaac_owns(const struct nd6_prefix *pr, const struct in6_ifaddr *ia);
/*
 * nd6_stable.c: the identifier of RFC 7217 into a's low half; its high half is the prefix. counter:
 * how often one was a duplicate.
 */
void nd6_stable_id(const struct ifnet *ifp, struct in6 *a, uint8_t counter);

/* --- solicitations (nd6_rtsol.c) -------------------------------------------------------------- */

/* Ask for routers, if ifp accepts them: up to three times; begins anew if it is under way. */
void nd6_rtsol_start(struct ifnet *ifp);
void nd6_rtsol_stop(struct ifnet *ifp);
void nd6_rtsol_ifdetach(struct in6_if *i);
/* An advertisement was accepted: by the RFC one with a router lifetime is enough. */
void nd6_rtsol_answered(struct ifnet *ifp, const struct in6 *router, uint16_t lifetime_s);

/* The option with our link address, 8 bytes, and how many there are: none on links without. */
unsigned nd6_rtr_source_option(const struct ifnet *ifp, uint8_t *option);

/* --- an interface's life: called by nd6.c ----------------------------------------------------- */

/* The link came or went: asks, sends, chooses anew. */
void nd6_rtr_linkchange(struct ifnet *ifp);
/* nd.flags were `old`: begins to ask, or forgets what was learned. */
void nd6_rtr_flags_changed(struct ifnet *ifp, uint32_t old);
/* IPv6 leaves the interface: all that was learned there goes, and what it sends ends. */
void nd6_rtr_ifdetach(struct ifnet *ifp, struct in6_if *i);
/* net.inet6.ip6.forwarding has changed. */
void nd6_rtr_forwarding_changed(void);

/* Would an advertisement on ifp be believed? And its routers taken? */
bool nd6_rtr_accepts(const struct ifnet *ifp);
bool nd6_rtr_takes_routers(const struct ifnet *ifp);

/* Counters of both sides, `netstat -s -p rtadv`. */
struct rtadvstat {
	uint64_t ra_in, ra_ignored, rs_out, router_limit, prefix_limit, route_limit,
	    autoconf_failed;
	uint64_t rs_in, rs_ignored, ra_out, inconsistent;
};
VNET_DECLARE(struct rtadvstat, rtadvstat);
#define V_rtadvstat VNET(rtadvstat)

#endif
