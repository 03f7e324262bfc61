/*
 * nd6_internal.h - what the rooms of Neighbour Discovery share; for inet6/nd6*.c and ndp_cmd.c
 * only.
 */
#ifndef WARREN_INET6_ND6_INTERNAL_H
#define WARREN_INET6_ND6_INTERNAL_H

#include "inet6/nd6.h"

/* Neighbour solicitation, advertisement (RFC 4861 4.3, 4.4); options follow. */
struct nd_neighbor {
	struct icmp6_hdr icmp; /* data: NA's flags */
	struct in6 target;
} __attribute__((packed));
_Static_assert(sizeof(struct nd_neighbor) == 24, "wire");
enum nd_na_flags {
	ND_NA_ROUTER = 0x80000000u,
	ND_NA_SOLICITED = 0x40000000,
	ND_NA_OVERRIDE = 0x20000000,
};
/* RFC 4861 4.5. */
struct nd_redirect {
	struct icmp6_hdr icmp;
	struct in6 target, dst;
} __attribute__((packed));
_Static_assert(sizeof(struct nd_redirect) == 40, "wire");
/* Source or target link-layer address (RFC 4861 4.6.1, RFC 2464 6). */
struct nd_opt_lladdr {
	uint8_t type, len; /* len 1, in units of 8 bytes */
	uint8_t lladdr[6];
} __attribute__((packed));

/* --- nd6.c: neighbours ------------------------------------------------------------------------ */

/* What an advertisement says of an entry (RFC 4861 7.2.5). lladdr NULL: nothing of its address. */
struct nd6_advert {
	const uint8_t *lladdr;
	bool router, solicited, override;
};
void nd6_advertised(struct llentry *lle, const struct nd6_advert *na);
/* A packet goes through a STALE entry (RFC 4861 7.3.3). */
void nd6_used(struct llentry *lle);
/* m can't go through lle now: it waits, and the neighbour is asked for. Takes m. */
void nd6_hold(struct llentry *lle, struct mbuf *m);
/* An entry by hand. life_ns 0 = for ever. */
void nd6_set_static(struct llentry *lle, const uint8_t lladdr[6], uint64_t life_ns);

/* Does ND work on the interface: not IFF_NOARP, IPv6 not disabled. */
bool nd6_is_active(const struct ifnet *ifp);
/* Is it an address of the interface's link, by its scope or by the routes? */
bool nd6_is_neighbour(const struct ifnet *ifp, const struct in6 *addr);
/* Uniform in [0, max_ns), of the stack's seeded stream. */
uint64_t nd6_random_ns(uint64_t max_ns);
void nd6_random_bytes(uint8_t *bytes, size_t n);
VNET_DECLARE(bool, nd6_debug);
#define V_nd6_debug VNET(nd6_debug)

/* --- nd6_nbr.c -------------------------------------------------------------------------------- */

/*
 * The rules that all ND messages share (RFC 4861 6.1, 7.1, 8.1; RFC 6980): hop limit, code, length,
 * no fragment. NULL = right; else why not.
 */
const struct drop_reason *nd6_message_fault(
    const struct mbuf *m, unsigned off, const struct ip_info *info, size_t least);
DROP_DECLARE(DROP_ND6_HLIM);
DROP_DECLARE(DROP_ND6_FRAGMENT);
DROP_DECLARE(DROP_ND6_BAD);
DROP_DECLARE(DROP_ND6_OPTIONS);
DROP_DECLARE(DROP_ND6_LLADDR);
DROP_DECLARE(DROP_ND6_FOREIGN);

/* --- nd6_send.c ------------------------------------------------------------------------------- */

/* A message of ours, from its ICMPv6 header on, by ifp. src :: stays so. Takes m. */
void nd6_message_send(
    struct ifnet *ifp, struct mbuf *m, const struct in6 *src, const struct in6 *dst);
/* Answer a solicitation of src (:: = one who detects duplicates) for an address that is ours. */
void nd6_answer(struct ifnet *ifp, const struct in6 *src, const struct in6 *target);
/*
 * An advertisement that nobody asked for, to all nodes: the address is here, at this link address.
 */
void nd6_announce(const struct in6_ifaddr *ia);
/* Answers that wait for the interface will not be given. */
void nd6_delayed_forget(const struct ifnet *ifp);

/* --- nd6_proxy.c ------------------------------------------------------------------------------ */

/* The published entry of the address on that link; NULL. */
const struct llentry *nd6_proxy_for(const struct ifnet *ifp, const struct in6 *target);
/* Listen for those who ask for a published entry's address, or no more. 0, -ENOMEM, -ENOBUFS. */
int nd6_proxy_start(struct llentry *lle);
void nd6_proxy_end(struct llentry *lle);

DROP_DECLARE(DROP_ND6_NOBUFS);

#endif
