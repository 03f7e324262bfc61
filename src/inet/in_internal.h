/*
 * in_internal.h - what the rooms of addresses and ARP share; for inet/in*.c and inet/arp*.c only.
 */
#ifndef WARREN_INET_IN_INTERNAL_H
#define WARREN_INET_IN_INTERNAL_H

#include "inet/in.h"

/* in_ifconfig.c: an address's lines in ifconfig and netstat -i. */
void in_ifaddr_ifconfig(struct emitter *e, const struct ifaddr *ifa);
void in_ifaddr_netstat(
    const struct ifaddr *ifa, char *network, size_t nlen, char *address, size_t alen);

/* in.c */
extern struct event_list *in_ifaddr_event;
struct in_ifaddr *in_ifaddr_exact(const struct ifnet *ifp, uint32_t addr);

/* arp.c: an interface's neighbours; NULL without memory. */
struct lltable *arp_table_new(struct ifnet *ifp);

#endif
