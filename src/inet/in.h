/*
 * in.h - IPv4 addresses of interfaces, and which addresses are ours.
 *
 * All addresses are uint32_t in network order unless a name says host order.
 */
#ifndef WARREN_INET_IN_H
#define WARREN_INET_IN_H

#include "base/bytes.h"
#include "inet/in_hash.h"
#include "net/if.h"
#include "net/lltable.h"
#include "route/route.h"

struct in_ifaddr {
	struct ifaddr ifa; /* first: a struct ifaddr of family AF_INET */
	uint32_t addr;     /* ours */
	uint32_t mask;
	uint32_t broadcast; /* 0 = none */
	uint32_t dst;       /* point-to-point peer, 0 = none */
	struct in_hash_node hash;
};

static inline struct in_ifaddr *
in_ifaddr_of(struct ifaddr *ifa)
{
	return (struct in_ifaddr *)(void *)ifa;
}
static inline unsigned
in_mask_plen(uint32_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}
uint32_t in_plen_mask(unsigned plen);

/*
 * Add, as `ifconfig IF inet ADDR/plen [DST]` does: prefix route, host route through lo0, gratuitous
 * ARP. broadcast 0 = computed. 0; -EEXIST (the address is on this interface), -EINVAL, -ENOMEM,
 * errors of rib_add.
 */
int in_addr_add(struct ifnet *ifp, uint32_t addr, unsigned plen, uint32_t dst, uint32_t broadcast);
/* -EADDRNOTAVAIL if it isn't there. */
int in_addr_delete(struct ifnet *ifp, uint32_t addr);
/* First IPv4 address of an interface / the one whose subnet holds `peer`; NULL. Borrowed. */
struct in_ifaddr *in_ifaddr_first(const struct ifnet *ifp);
struct in_ifaddr *in_ifaddr_for(const struct ifnet *ifp, uint32_t peer);

/* What a destination is to this stack. The packet path's question: no locks, one hash probe. */
enum in_kind { IN_NOT_OURS, IN_OURS, IN_BROADCAST_, IN_MULTICAST_ };

VNET_DECLARE(struct in_hash *, in_hash);

/* Of a chain of the hash; NULL. */
static inline struct in_ifaddr *
in_ifaddr_of_node(struct in_hash_node *n)
{
	return n == NULL ?
	    NULL :
	    (struct in_ifaddr *)(void *)((uint8_t *)n - offsetof(struct in_ifaddr, hash));
}

/*
 * Entry for one of our addresses (any interface) in this table, or NULL. For batches: the table is
 * read once.
 */
static inline struct in_ifaddr *
in_local_in(const struct in_hash *h, uint32_t addr)
{
	return in_ifaddr_of_node(in_hash_find(h, addr));
}

static inline const struct in_hash *
in_local_table(void)
{
	return rcu_deref(&VNET(in_hash));
}

static inline struct in_ifaddr *
in_local(uint32_t addr)
{
	return in_local_in(in_local_table(), addr);
}

/* The same address on another interface; NULL. */
static inline struct in_ifaddr *
in_local_next(const struct in_ifaddr *ia)
{
	return in_ifaddr_of_node(ia->hash.next);
}

/* Is it a broadcast address of ifp (all ones, its subnets' broadcast or all zeros)? */
bool in_is_broadcast(uint32_t addr, const struct ifnet *ifp);

static inline bool
in_is_multicast(uint32_t a)
{
	return (a & 0xf0) == 0xe0;
} /* little-endian host, network order value */
static inline bool
in_is_loopback(uint32_t a)
{
	return (a & 0xff) == 127;
}

/* "10.1.2.3" strictly (four decimal parts). ntoa needs 16 bytes. */
bool in_aton(const char *text, uint32_t *addr);
const char *in_ntoa(uint32_t addr, char text[16]);

/* Name of a host: address text, or a name of the hosts table; false if unknown. */
bool in_resolve(const char *name, uint32_t *addr);

/*
 * The process's hosts table: a lab names its nodes here. A name added again gets the new address.
 * 0, -EINVAL (empty, or looks like an address), -ENOMEM.
 */
int in_hosts_add(const char *name, uint32_t addr);
void in_hosts_clear(void);
/* The first name that an address got; NULL. Borrowed. */
const char *in_hosts_name(uint32_t addr);

/* "255.255.255.0" or "0xffffff00": a contiguous mask. */
bool in_mask_parse(const char *text, uint32_t *mask);
/* Mask of an address's class (A, B, C). */
uint32_t in_class_mask(uint32_t addr);

/* The stack's ARP table of an interface (NULL if not attached). */
static inline struct lltable *
in_lltable(const struct ifnet *ifp)
{
	return (struct lltable *)ifp->if_afdata[AF_SLOT_INET];
}

#endif
