/*
 * fpm_held.h - what a routing daemon has told: the objects of a table, for fpm_table.c only.
 */
#ifndef WARREN_PORT_FPM_HELD_H
#define WARREN_PORT_FPM_HELD_H

#include "port/fpm_table.h"

/* What an object of a daemon leads to: paths, or members that are objects themselves. */
struct fpm_ways {
	enum fpm_form form;
	unsigned npaths, nmembers;
	struct fpm_path *path;
	struct fpm_member *member;
};

struct fpm_route;
LIST_HEAD(fpm_routes, fpm_route);

struct fpm_nexthop {
	struct radix_node rn;  /* by number; not linked for a route's own */
	uint32_t id;           /* 0: a route's own */
	struct fpm_ways *ways; /* NULL: named, but not told yet */
	struct fpm_routes routes;
};

struct fpm_route {
	struct radix_node rn;
	LIST_ENTRY(fpm_route) link;  /* of its next hop's routes, or of the stale ones */
	LIST_ENTRY(fpm_route) wait;  /* of those that are not in the FIB as they should be */
	struct fpm_nexthop *nexthop; /* NULL: stale, the connection that told it has ended */
	struct rt_addr dst, source;
	bool waits;
};

struct fpm_table {
	struct radix_tree *inet, *inet6, *numbers;
	struct fpm_routes waiting, stale;
	uint64_t nwaiting, nstale;
	struct vnet *vnet;
	uint8_t fib;
	bool busy;       /* the FIB's changes are our own */
	bool incomplete; /* a group was used that has members not told yet */
	fpm_interface *interface;
	void (*lost)(void *ctx);
	void *ctx;
	struct event_tag *on_route, *on_arrival, *on_address;
	struct fpm_stats stats;
};

/* A copy of what a change says; NULL without memory. vnet_free ends it. */
struct fpm_ways *fpm_ways_new(const struct fpm_change *c);
bool fpm_ways_equal(const struct fpm_ways *w, const struct fpm_change *c);

/* By node of the tree, and by number; NULL. */
struct fpm_nexthop *fpm_nexthop_of(struct radix_node *n);
struct fpm_nexthop *fpm_nexthop_find(const struct fpm_table *t, uint32_t id);
/* One with a number enters the tree. NULL: no memory, or too many. */
struct fpm_nexthop *fpm_nexthop_new(struct fpm_table *t, uint32_t id);
void fpm_nexthop_free(struct fpm_table *t, struct fpm_nexthop *nh);

struct fpm_route *fpm_route_of(struct radix_node *n);
struct fpm_route *fpm_route_find(const struct fpm_table *t, const struct rt_addr *dst);
/* A stale one: whoever tells it gives it a next hop. NULL: no memory, or too many. */
struct fpm_route *fpm_route_new(struct fpm_table *t, const struct rt_addr *dst);
/* One that is neither waiting nor in the FIB. */
void fpm_route_free(struct fpm_table *t, struct fpm_route *r);
void fpm_route_wait(struct fpm_table *t, struct fpm_route *r, bool waits);
/* It goes by nh from now on; NULL = it is stale. What nobody goes by any more ends. */
void fpm_route_set_nexthop(struct fpm_table *t, struct fpm_route *r, struct fpm_nexthop *nh);

#endif
