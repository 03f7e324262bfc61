/*
 * in6addr.h - an IPv6 address: its kinds (RFC 4291), its zone, its text (RFC 5952, 4007).
 *
 * Addresses with link scope (fe80::/10, ff?1::, ff?2::) mean nothing without the link. In memory
 * (tables, requests, whoever passes an address to another function) such an address carries its
 * zone, the interface's index, in bytes 2 and 3, which are zero on the wire: so all tables work on
 * 16 bytes. In a packet the bytes are zero. Whoever reads an address out of a packet calls
 * in6_embed(), whoever writes one into a packet or shows it to somebody calls in6_clear(). For other
 * addresses both do nothing. (KAME's way; interfaces with an index over 65,535 have no link-local
 * addresses.)
 */
#ifndef WARREN_NET_IN6ADDR_H
#define WARREN_NET_IN6ADDR_H

#include "base/bytes.h"

#include <netinet/in.h>

/* Alignment 1: it lies in packets too. */
struct in6 {
	uint8_t b[16];
};

enum { IN6_ZONE_MAX = 65535 };
/* "fe80::1%" and an interface's name. */
enum { IN6_TEXT = INET6_ADDRSTRLEN + 17 };

extern const struct in6 in6_any_, in6_loopback_;
extern const struct in6 in6_allnodes, in6_allrouters; /* ff02::1, ff02::2 without a zone */

static inline bool
in6_equal(const struct in6 *a, const struct in6 *b)
{
	return ((load64(a->b) ^ load64(b->b)) | (load64(a->b + 8) ^ load64(b->b + 8))) == 0;
}
static inline bool
in6_is_any(const struct in6 *a)
{
	return (load64(a->b) | load64(a->b + 8)) == 0;
}
static inline bool
in6_is_multicast(const struct in6 *a)
{
	return a->b[0] == 0xff;
}
static inline bool
in6_is_linklocal(const struct in6 *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}
static inline bool
in6_is_loopback(const struct in6 *a)
{
	return in6_equal(a, &in6_loopback_);
}
static inline bool
in6_is_v4mapped(const struct in6 *a)
{
	return load64(a->b) == 0 && load16(a->b + 8) == 0 && load16(a->b + 10) == 0xffff;
}
/* Scope of a group: 1 interface, 2 link, 5 site, 8 organisation, 14 global. */
static inline unsigned
in6_mc_scope(const struct in6 *a)
{
	return a->b[1] & 0xfu;
}
/* Does the address need a zone? */
static inline bool
in6_is_scoped(const struct in6 *a)
{
	return in6_is_linklocal(a) ||
	    (in6_is_multicast(a) && (in6_mc_scope(a) == 1 || in6_mc_scope(a) == 2));
}
/* Scope as RFC 6724 3.1 compares them: unicast addresses too (link-local 2, loopback 2, else 14). */
unsigned in6_scope(const struct in6 *a);

/* Put the zone in / take it out and return it (0 = had none). Nothing on unscoped addresses. */
static inline void
in6_embed(struct in6 *a, uint32_t ifindex)
{
	if (in6_is_scoped(a))
		store16(a->b + 2, __builtin_bswap16((uint16_t)ifindex));
}
static inline uint32_t
in6_clear(struct in6 *a)
{
	uint32_t zone;

	if (!in6_is_scoped(a))
		return 0;
	zone = __builtin_bswap16(load16(a->b + 2));
	store16(a->b + 2, 0);
	return zone;
}
/* Zone of an address in memory; 0 = none. */
static inline uint32_t
in6_zone(const struct in6 *a)
{
	return in6_is_scoped(a) ? __builtin_bswap16(load16(a->b + 2)) : 0;
}

/* The first plen bits, the rest zero. */
struct in6 in6_mask(const struct in6 *a, unsigned plen);
/* Do a and b agree in the first plen bits? */
bool in6_match(const struct in6 *a, const struct in6 *b, unsigned plen);
/* ff02::1:ffXX:XXXX of a unicast address, same zone (RFC 4291 2.7.1); its zone is ifindex. */
struct in6 in6_solicited_node(const struct in6 *a, uint32_t ifindex);
/* The modified EUI-64 of a link address (RFC 4291 appendix A) into the low eight bytes of a. */
void in6_eui64(struct in6 *a, const uint8_t lladdr[6]);
/* The Ethernet group of an IPv6 group: 33:33 and its last four bytes (RFC 2464 7). */
static inline void
in6_ether_group(const struct in6 *group, uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->b + 12, 4);
}

/*
 * "2001:db8::1", "fe80::1%epair0a" (the interface is looked up in curvnet; "%3" is an index). A
 * scoped address without a zone is taken as it is: zone 0. False on anything else.
 */
bool in6_aton(const char *text, struct in6 *a);
/* With its zone, if it has one, by name in curvnet ("%7" when there is no such interface). */
const char *in6_ntoa(const struct in6 *a, char text[IN6_TEXT]);

#endif
