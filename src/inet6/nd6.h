/*
 * nd6.h - Neighbour Discovery (RFC 4861), duplicate address detection and autoconfiguration
 * (RFC 4862).
 *
 *	nd6.c		states and timers of neighbours (7.3)
 *	nd6_output.c	the way out: ready headers
 *	nd6_nbr.c	neighbour solicitations and advertisements, in
 *	nd6_send.c	and out
 *	nd6_proxy.c	addresses that we stand for
 *	nd6_dad.c	is an address of ours somebody else's?
 *	nd6_redirect.c	redirects, in and out
 *	nd6_rtr.c	router advertisements in (nd6_rtr.h has what becomes of them)
 *	rtadvd.c	router advertisements out
 *	ndp_cmd.c	the tool ndp
 */
#ifndef WARREN_INET6_ND6_H
#define WARREN_INET6_ND6_H

#include "inet6/icmp6.h"
#include "inet6/in6.h"

/*
 * llentry.state: RFC 4861 7.3.2; NOSTATE = made, nothing asked and nothing heard. Entries by hand
 * are REACHABLE. Letters of ndp: N I R S D P. LLE_ROUTER in flags is the RFC's IsRouter.
 */
enum nd6_state {
	ND6_NOSTATE,
	ND6_INCOMPLETE,
	ND6_REACHABLE,
	ND6_STALE,
	ND6_DELAY,
	ND6_PROBE,
};

/* RFC 4861 section 10, where no sysctl says otherwise. */
enum {
	ND6_REACHABLE_MS = 30000,
	ND6_RETRANS_MS = 1000,
	ND6_DELAY_FIRST_PROBE_MS = 5000,
	ND6_MAX_MULTICAST_SOLICIT = 3,
	ND6_MAX_UNICAST_SOLICIT = 3,
	ND6_HOP_LIMIT = 255,
};

/* IPv6 packets (m->nh = struct nexthop, or NULL: to the packet's own destination) out of an
 * Ethernet interface; it is ether's if_output[AF_SLOT_INET6]. Takes the batch, keeps the order. */
void nd6_output(struct ifnet *ifp, struct batch *b);

/* The neighbour's entry, made (for traffic: within net.inet6.ip6.nd6_maxentries) if there is none;
 * NULL at the limit. Borrowed. addr with its zone. */
struct llentry *nd6_entry(struct ifnet *ifp, const struct in6 *addr);
/*
 * What a message says of a neighbour (RFC 4861 7.2.3, 7.2.5, 6.2.6, 6.3.4, 8.3 share this): lladdr
 * NULL = nothing of its link address.
 */
enum nd6_source { ND6_FROM_NS, ND6_FROM_RS, ND6_FROM_RA, ND6_FROM_REDIRECT };
struct llentry *nd6_heard(struct ifnet *ifp, const struct in6 *addr, const uint8_t *lladdr,
    enum nd6_source source, bool is_router);
/* i's base reachable time, as an advertisement or ndp -i says; a new random time around it follows
 * (RFC 4861 6.3.4). */
void nd6_set_basereachable(struct in6_if *i, uint32_t ms);
/* Upper layers know that the neighbour answers (RFC 4861 7.3.1); for TCP-like users and ping. */
void nd6_confirm(uint8_t fib, const struct in6 *dst);
static inline bool
nd6_is_router(const struct llentry *lle)
{
	return lle->flags & LLE_ROUTER;
}
/*
 * It has stopped being a router: out of the list of default routers (RFC 4861 7.2.5; nd6_rtr.c).
 */
void nd6_router_lost(struct ifnet *ifp, const struct in6 *addr);
/* The neighbour became or ceased to be reachable: default routers are chosen anew; nd6_rtr.c. */
void nd6_router_reachability(struct ifnet *ifp, const struct in6 *addr);
/* Is addr a router that nd6_rtr.c has in its list? */
bool nd6_is_default_router(const struct ifnet *ifp, const struct in6 *addr);

/* Options of an ND message (RFC 4861 4.6). */
enum nd6_opt {
	ND_OPT_SOURCE_LL = 1,
	ND_OPT_TARGET_LL = 2,
	ND_OPT_PREFIX = 3,
	ND_OPT_REDIRECTED = 4,
	ND_OPT_MTU = 5,
	ND_OPT_NONCE = 14, /* RFC 7527 */
	ND_OPT_ROUTE = 24, /* RFC 4191 */
	ND_OPT_RDNSS = 25, /* RFC 8106 */
	ND_OPT_DNSSL = 31,
};
struct nd6_opts {
	const uint8_t *lladdr[3]; /* [ND_OPT_SOURCE_LL], [ND_OPT_TARGET_LL]: six bytes or NULL */
	const uint8_t *redirected;
	const uint8_t *nonce;
	unsigned nonce_len;
	uint32_t mtu; /* 0 = none */
	/* all options once more, for those who read several of one kind */
	const uint8_t *first;
	size_t len;
};
/*
 * Check and gather the options (nd6_nbr.c). False: an option of length 0 or cut off; the whole
 * message is to be dropped silently (RFC 4861 4.6).
 */
bool nd6_options(const uint8_t *bytes, size_t len, struct nd6_opts *o);

/* Send messages. lladdr options are put in where the RFC wants them. */
void nd6_ns_send(struct ifnet *ifp, const struct in6 *target, const struct in6 *unicast_to,
    const struct in6 *src,
    const uint8_t
	*nonce); /* unicast_to NULL = solicited-node; src NULL = chosen, &in6_any_ = DAD */
void nd6_na_send(struct ifnet *ifp, const struct in6 *to, const struct in6 *target, bool solicited,
    bool override);

/* Duplicate address detection of a tentative address (RFC 4862 5.4, RFC 7527). */
void nd6_dad_start(struct in6_ifaddr *ia);
void nd6_dad_stop(struct in6_ifaddr *ia);
/* An advertisement says that it is somebody else's. lladdr NULL: not at which link address. */
void nd6_dad_duplicate(struct in6_ifaddr *ia, const uint8_t *lladdr);
/* A DAD solicitation came (from :: for ia's address). */
void nd6_dad_ns(struct in6_ifaddr *ia, const struct nd6_opts *o);
/* Begin for what is tentative on a link that has become usable; end it on one that is not. */
void nd6_dad_linkchange(struct ifnet *ifp);

/* The next hop goes back where the packet came from: tell its sender (RFC 4861 8.2). Borrows m. */
void nd6_redirect_send(const struct mbuf *m, const struct nexthop *nh);

/*
 * Interface life, called by in6.c. Attach makes i->llt, sets the numbers in i->nd (the flags are
 * in6.c's) and, on Ethernet, the way out (nd6_output); false = no memory. Detach frees the table.
 */
bool nd6_ifattach(struct ifnet *ifp, struct in6_if *i);
void nd6_ifdetach(struct ifnet *ifp, struct in6_if *i);
/*
 * The link is usable (again) or not: detection of duplicates goes on for what is tentative, routers
 * are solicited, or forgotten.
 */
void nd6_linkchange(struct ifnet *ifp);
/* Flags of the interface have changed (accept_rtadv, ifdisabled …); set by ifconfig and ndp -i. */
void nd6_flags_changed(struct ifnet *ifp, uint32_t old);

DROP_DECLARE(DROP_ND6_HOLD);
DROP_DECLARE(DROP_ND6_TIMEOUT);
DROP_DECLARE(DROP_ND6_LIMIT);

#endif
