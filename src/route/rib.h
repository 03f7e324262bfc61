/*
 * rib.h - what the rooms of route/ share.
 */
#ifndef WARREN_ROUTE_RIB_H
#define WARREN_ROUTE_RIB_H

#include "route/route.h"

static inline unsigned
rib_family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* A table: the routes of a family and FIB. */
struct rib {
	struct radix_tree *tree;
	struct radix_tree *bymask; /* prefixes under which there are masks that are none; NULL */
};

/* vnet_malloc for what must begin at a cache line. */
void *route_alloc(size_t bytes);
void route_dealloc(void *p);

/* --- an entry by itself (rib_entry.c) --- */

/* The prefix that a request is about, clean; with a mask its leading ones. */
struct rt_addr rib_request_prefix(const struct rt_request *rq);
/* An entry as the request says, in no table yet. 0 or -errno. */
int rib_entry_make(const struct rt_request *rq, struct rtentry **out);
/* One that never was in a table. */
void rib_entry_free(struct rtentry *rt);
/*
 * One that is in no table any more. Its neighbour is given back now, the rest behind the readers.
 */
void rib_entry_retire(struct rtentry *rt);
/*
 * A copy without a destination, with references of its own, for packets of all routes that lead the
 * same way (fib_hop.c); NULL without memory. It ends by rib_entry_retire().
 */
struct rtentry *rib_entry_share(const struct rtentry *rt);

/* A route with a deadline has come into its table, has left (rib_expiry.c); the stack ends. */
void rib_expiry_enter(const struct rtentry *rt);
void rib_expiry_leave(const struct rtentry *rt);
void rib_expiry_drain(void);

/* --- what packets get (rib_path.c) --- */

/*
 * rt, which is in the tree now, comes into the FIB: alone, with the other paths to its prefix, or by
 * its mask. 0 or -ENOMEM: as before.
 */
int rib_hop_enter(struct rib *r, struct rtentry *rt);
/* It goes out of the tree and of the FIB. */
void rib_hop_leave(struct rib *r, struct rtentry *rt);
/* A route's next hop has changed in place: what the FIB made of it is made anew. */
void rib_hop_update(struct rib *r, struct rtentry *rt);
/* rt, in the tree as old's duplicate, stands in the FIB instead of it; old goes out of the tree. */
void rib_hop_replace(struct rib *r, struct rtentry *old, struct rtentry *rt);
/* What packets are given for the prefix of a path: its next hop, or the group of all paths. */
struct nexthop *rib_hop(struct rtentry *rt);
/* Paths to a prefix, of which rt is the first. */
uint32_t rib_paths(const struct rtentry *rt);

/*
 * The packet side's copy of a FIB (fib_form.c). fib_set adds or replaces: 0 or -ENOMEM (never when
 * it replaces). fib_clear never fails; nothing happens if the prefix isn't there. With the last
 * prefix the table goes.
 */
int fib_set(uint8_t fib, const struct rt_addr *dst, struct nexthop *nh);
void fib_clear(uint8_t fib, const struct rt_addr *dst);
/*
 * Around many routes that are added at once to the current stack: packets may see the new ones only
 * at the end, which is quicker. 0 or -ENOMEM: they see them with the next change. Nests.
 */
void fib_bulk_begin(void);
int fib_bulk_end(void);
/* Bytes of a compiled table: what packets read, what the control side has besides; 0: a trie. */
void fib_size(uint8_t fib, int family, uint64_t *packets, uint64_t *control);

/* Another source address for packets made here that leave by rt. */
void rib_set_ifa(struct rtentry *rt, struct ifaddr *ifa);
/*
 * Take rt out of its table and let it go. A walk that gave it to its caller survives, even if the
 * table goes too.
 */
void rib_remove(struct rtentry *rt);
/* All routes of the stack, in all FIBs and families; fn may remove the one it is given. */
void rib_walk_all(int (*fn)(struct rtentry *rt, void *ctx), void *ctx);

/* Routes of all stacks that have left their tables and wait for the readers. */
uint64_t rib_trash(void);

/*
 * May the caller's jail see this route (behaviours 46): a classic jail sees host routes of its own
 * addresses.
 */
bool rib_visible(const struct rtentry *rt);

/* The mask of a prefix, as an address. */
struct rt_addr rt_mask(int family, unsigned plen);
/* How many bits of a mask are set before the first clear one; *prefix: none behind that. */
unsigned rt_mask_lead(int family, const uint8_t *mask, bool *prefix);
/* netstat's form of a route's destination: "10.0.0.0&0xff00ff00" where the mask is no prefix. */
enum { RIB_DST_TEXT = RT_ADDR_TEXT + IN6_TEXT };
const char *rib_dst_text(const struct rtentry *rt, char text[RIB_DST_TEXT]);
/* "UGS": netstat's letters, and "UP,GATEWAY,STATIC": route's names. */
enum { RIB_FLAG_LETTERS = 24, RIB_FLAG_NAMES = 160 };
const char *rib_flag_letters(uint32_t flags, char text[RIB_FLAG_LETTERS]);
const char *rib_flag_names(uint32_t flags, char text[RIB_FLAG_NAMES]);
/* A route's gateway: the address, or "link#3". */
const char *rib_gateway_text(const struct rtentry *rt, char text[RT_ADDR_TEXT]);
/* Seconds until a route expires; 0 = it does not. */
uint64_t rib_expires_in(const struct rtentry *rt);

#endif
