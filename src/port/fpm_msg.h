/*
 * fpm_msg.h - one netlink message of the Forwarding Plane Manager protocol, read.
 *
 * A connection carries FPM messages: a header of four bytes (version 1, kind 1 = netlink, length
 * with the header, big-endian), then netlink messages as a Linux kernel would get them, in the byte
 * order of the host: RTM_NEWROUTE and DELROUTE, RTM_NEWNEXTHOP and DELNEXTHOP (rtnetlink(7),
 * linux/nexthop.h). Here one of them becomes a struct fpm_change; what it means for a table is
 * fpm_table.c's matter.
 */
#ifndef WARREN_PORT_FPM_MSG_H
#define WARREN_PORT_FPM_MSG_H

#include "route/route.h"

#include <linux/netlink.h>

struct fpm_header {
	uint8_t version, kind;
	be16 len; /* of the header and what follows */
};
_Static_assert(sizeof(struct fpm_header) == 4, "wire");
enum { FPM_VERSION = 1, FPM_KIND_NETLINK = 1, FPM_MSG_MAX = 65535 };

/* Paths of one route, members of one group: what is beyond is counted, not kept. */
enum { FPM_PATHS_MAX = 64 };

enum fpm_kind {
	FPM_ROUTE_ADD, /* or replace */
	FPM_ROUTE_DELETE,
	FPM_NEXTHOP_ADD, /* or replace */
	FPM_NEXTHOP_DELETE,
	FPM_NOT_OURS, /* a kind that has nothing to do with routes of IP: MAC addresses, labels */
};

/* What becomes of packets. */
enum fpm_form { FPM_UNICAST, FPM_BLACKHOLE, FPM_REJECT };

struct fpm_path {
	struct rt_addr gateway; /* family 0 = on the link */
	uint32_t linux_index;   /* interface over there; 0 = not said */
	uint32_t weight;
	/* needs what we don't have: labels before the packet, a gateway of the other family */
	bool unusable;
};

struct fpm_member {
	uint32_t id, weight;
};

struct fpm_change {
	enum fpm_kind kind;
	enum fpm_form form;
	uint32_t id;       /* a next hop's own number, or the one that a route goes by; 0 = none */
	uint32_t left_out; /* paths or members beyond FPM_PATHS_MAX */
	/* routes */
	struct rt_addr dst;
	struct rt_addr source; /* for packets made here; family 0 = not said */
	uint32_t table;        /* RT_TABLE_MAIN … */
	uint8_t protocol;      /* RTPROT_… */
	unsigned npaths, nmembers;
	/* a route's own paths, or the one of a next hop that is no group */
	struct fpm_path path[FPM_PATHS_MAX];
	/* of a next hop that is a group */
	struct fpm_member member[FPM_PATHS_MAX];
};

/*
 * Read a netlink message, all of whose nlmsg_len bytes are there, aligned to four. 0, or -EBADMSG:
 * it is not what its kind should be.
 */
int fpm_decode(const struct nlmsghdr *nlh, struct fpm_change *c);

#endif
