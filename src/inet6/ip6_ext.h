/*
 * ip6_ext.h - extension headers, between the rooms that walk along them (ip6_ext.c, ip6_deliver.c,
 * ip6_reass.c, ip6_frag.c).
 */
#ifndef WARREN_INET6_IP6_EXT_H
#define WARREN_INET6_IP6_EXT_H

#include "inet6/ip6.h"

/* Where a walk along a packet's headers stands. */
struct ip6_chain {
	unsigned off;   /* of the header that it is at */
	unsigned named; /* of the byte before it that says which one it is */
};
enum { IP6_NXT_OFF = 6, IP6_PLEN_OFF = 4 }; /* of fields in the IPv6 header */

static inline struct ip6_chain
ip6_chain_begin(void)
{
	return (struct ip6_chain){ .off = IP6_HDRLEN, .named = IP6_NXT_OFF };
}

/*
 * Length of the extension header `proto` at off of a packet of len bytes; 0 if it is cut off, or is
 * none that others follow.
 */
unsigned ip6_ext_len(const uint8_t *bytes, size_t len, unsigned off, uint8_t proto);

/*
 * Options for the destination at c; then c is behind them. 0, or m was answered or dropped (taken).
 */
int ip6_dstopts_input(struct mbuf *m, struct ip6_chain *c);
/* The same for a routing header. */
int ip6_routing_input(struct mbuf *m, struct ip6_chain *c);
/* Hop-by-hop options, which ip6_input has read: only in the first place. */
int ip6_hopopts_pass(struct mbuf *m, struct ip6_chain *c);

/*
 * Fragments (ip6_reass.c): m with a fragment header at c, whose chain before it is checked. Takes
 * m; the whole packet, without the fragment header, or NULL. Then c is where the fragment header
 * was in the packet that is returned.
 */
struct mbuf *ip6_reass(struct mbuf *m, struct ip6_chain *c);

/* Bytes that an upper header needs to be whole; 0 for those that are not known here. */
unsigned ip6_upper_min(uint8_t proto);

/*
 * Is the whole chain of a first fragment here, with its fragment header at off, upper header
 * included (RFC 7112 5)?
 */
bool ip6_chain_is_whole(const struct mbuf *m, unsigned off);

/* Drop m and tell its sender what is wrong with its headers (RFC 4443 3.4). Takes m. */
void ip6_parameter_problem(
    struct mbuf *m, uint8_t code, unsigned pointer, const struct drop_reason *why);

#endif
