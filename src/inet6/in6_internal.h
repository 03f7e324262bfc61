/*
 * in6_internal.h - what the rooms of IPv6 addresses share; for inet6/in6*.c only.
 */
#ifndef WARREN_INET6_IN6_INTERNAL_H
#define WARREN_INET6_IN6_INTERNAL_H

#include "inet6/in6.h"

/* in6.c: take an address out of everything. */
void in6_addr_remove(struct in6_ifaddr *ia);

/* in6_life.c: an address's time, from its making to its end. */
void in6_life_init(struct in6_ifaddr *ia);

/* in6_groups.c: what an address and its interface listen to. 0, -ENOBUFS, -ENOMEM. */
int in6_groups_join(struct in6_ifaddr *ia);
void in6_groups_leave(struct in6_ifaddr *ia);
/* The stack became a router, or ceases to be one. */
void in6_groups_forwarding(void);

/* in6_ifconfig.c: an address's lines in ifconfig and netstat -i. */
void in6_ifaddr_ifconfig(struct emitter *e, const struct ifaddr *ifa);
void in6_ifaddr_netstat(
    const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen);

#endif
