/*
 * rib.h - what the rooms of route/ share.
 */
#ifndef WARREN_ROUTE_RIB_H
#define WARREN_ROUTE_RIB_H

#include "route/route.h"

/* vnet_malloc for what must begin at a cache line. */
void *route_alloc(size_t bytes);
void route_dealloc(void *p);

/*
 * The packet side's copy of a FIB (fib_trie.c). fib_set adds or replaces: 0 or -ENOMEM (never when
 * it replaces). fib_clear never fails; nothing happens if the prefix isn't there. With the last
 * prefix the table goes.
 */
int fib_set(uint8_t fib, const struct rt_addr *dst, struct nexthop *nh);
void fib_clear(uint8_t fib, const struct rt_addr *dst);

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
/* "UGS": netstat's letters, and "UP,GATEWAY,STATIC": route's names. */
enum { RIB_FLAG_LETTERS = 24, RIB_FLAG_NAMES = 160 };
const char *rib_flag_letters(uint32_t flags, char text[RIB_FLAG_LETTERS]);
const char *rib_flag_names(uint32_t flags, char text[RIB_FLAG_NAMES]);
/* A route's gateway: the address, or "link#3". */
const char *rib_gateway_text(const struct rtentry *rt, char text[RT_ADDR_TEXT]);
/* Seconds until a route expires; 0 = it does not. */
uint64_t rib_expires_in(const struct rtentry *rt);

#endif
