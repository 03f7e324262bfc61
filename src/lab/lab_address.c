/*
 * lab_address.c - addresses and routes that nobody had to write.
 *
 * With `addresses: auto` each link without `ipv4` gets the next /30 of the pool, .1 for its first
 * endpoint and .2 for the second. With `routes: auto` each node gets routes to all links by the
 * fewest hops (of several ways the one whose link stands first in the file).
 *
 * A table for each of N nodes to all of L links would be N * L routes, most of them saying the
 * same. So a node's table is folded: the sorted subnets are cut into the fewest aligned blocks
 * whose subnets all go by one next hop; a node with one link gets a default route, a router in a
 * chain of a thousand about twenty routes. Addresses that no link has may be covered: they go
 * nowhere anyway.
 */
#include "inet/in.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"
#include "route/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
mask_of(unsigned plen)
{
	return plen == 0 ? 0 : UINT32_MAX << (32 - plen);
}

/* --- assignment, at parsing ------------------------------------------------------------------- */

struct span {
	uint32_t first, last; /* host order */
	struct lab_link *link;
};

static int
span_compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->link->index < y->link->index ? -1 : 1;
}

/* The subnets of all links that have addresses, sorted; malloc'd. */
static struct span *
spans_of(const struct lab *lab, size_t *n)
{
	struct span *s = calloc(lab->nlinks + 1, sizeof(*s));
	struct lab_link *l;

	*n = 0;
	if (s == NULL)
		return NULL;
	STAILQ_FOREACH(l, &lab->links, next) {
		uint32_t mask = mask_of(l->end[0].plen), addr = ntohl(l->end[0].addr);

		if (l->end[0].addr == 0)
			continue;
		s[(*n)++] = (struct span){ addr & mask, addr | ~mask, l };
	}
	qsort(s, *n, sizeof(*s), span_compare);
	return s;
}

static void
check_given(struct ly *y, const struct lab_link *l)
{
	uint32_t a = ntohl(l->end[0].addr), b = ntohl(l->end[1].addr),
		 mask = mask_of(l->end[0].plen);

	if (l->end[0].addr == 0 || l->end[1].addr == 0)
		return;
	if (l->end[0].plen != l->end[1].plen || (a & mask) != (b & mask))
		ly_fault_line(y, l->line, "ipv4: the two ends are not in one network");
	else if (a == b)
		ly_fault_line(y, l->line, "ipv4: both ends have the same address");
}

void
lab_address_assign(struct ly *y, struct lab *lab)
{
	struct lab_link *l;
	struct span *given;
	size_t n, i = 0;
	uint64_t next = lab->pool_addr, end;

	STAILQ_FOREACH(l, &lab->links, next)
		check_given(y, l);
	if (!lab->auto_addresses)
		return;
	end = next + (UINT64_C(1) << (32 - lab->pool_plen));
	given = spans_of(lab, &n);
	STAILQ_FOREACH(l, &lab->links, next) {
		if (l->end[0].addr != 0 || l->end[1].addr != 0)
			continue;
		/* Given subnets are passed over. */
		while (i < n && given[i].first < next + 4) {
			if (given[i].last >= next)
				next = ((uint64_t)given[i].last + 4) & ~UINT64_C(3);
			i++;
		}
		if (next + 4 > end) {
			ly_fault_line(y, l->line, "addresses: the pool has no room for this link");
			break;
		}
		for (unsigned side = 0; side < 2; side++) {
			l->end[side].addr = htonl((uint32_t)next + 1 + side);
			l->end[side].plen = 30;
		}
		next += 4;
	}
	free(given);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* A link as the search sees it: where it leads, and the neighbour's address on it (the gateway). */
struct hop {
	uint32_t node;
	uint32_t gateway;
};

/*
 * For N nodes the search runs N times over everything, so it runs over plain arrays: ten thousand
 * nodes take a second, not ten.
 */
struct router {
	struct lab *lab;
	struct hop *hop; /* of all nodes, node i's from first[i] to first[i + 1] */
	uint32_t *first;
	bool *forwards;
	uint32_t *via;  /* by node: gateway of the first hop to it; 0 = ourselves */
	uint32_t *hops; /* by node: UINT32_MAX = out of reach */
	uint32_t *queue;
	struct span *span;
	struct {
		uint32_t node[2];
	} * ends;         /* by subnet */
	uint32_t *target; /* by subnet: gateway; 0 = our own, or out of reach */
	size_t nspans;
	int error;
};

/* Breadth first from node self: via[] and hops[] of every node in reach. */
static void
router_walk(struct router *r, uint32_t self)
{
	uint32_t head = 0, tail = 0;

	memset(r->hops, 0xff, r->lab->nnodes * sizeof(*r->hops));
	r->hops[self] = 0;
	r->via[self] = 0;
	r->queue[tail++] = self;
	while (head < tail) {
		uint32_t n = r->queue[head++];

		/* What doesn't forward is an end of the way. */
		if (n != self && !r->forwards[n])
			continue;
		for (uint32_t i = r->first[n]; i < r->first[n + 1]; i++) {
			uint32_t p = r->hop[i].node;

			if (r->hops[p] != UINT32_MAX)
				continue;
			r->hops[p] = r->hops[n] + 1;
			r->via[p] = n == self ? r->hop[i].gateway : r->via[n];
			r->queue[tail++] = p;
		}
	}
}

static void
route_add(struct router *r, uint32_t addr, unsigned plen, uint32_t gateway)
{
	uint32_t net = htonl(addr & mask_of(plen));
	struct rt_request rq = {
		.dst = rt_addr_make(AF_INET, &net, plen),
		.gateway = rt_addr_make(AF_INET, &gateway, 32),
		.flags = RTF_GATEWAY_ | RTF_STATIC_,
	};

	if (r->error == 0)
		r->error = rib_add(&rq, NULL);
}

/* Routes for subnets [lo, hi), all in the block of addr/plen. */
static void
fold(struct router *r, size_t lo, size_t hi, uint32_t addr, unsigned plen)
{
	uint32_t gateway = 0, half;
	bool same = true;
	size_t mid = lo, end = hi;

	for (size_t i = lo; i < hi && same; i++) {
		if (r->target[i] == 0)
			continue;
		same = gateway == 0 || r->target[i] == gateway;
		gateway = r->target[i];
	}
	if (gateway == 0)
		return;
	if (same || plen == 32) {
		route_add(r, addr, plen, gateway);
		return;
	}
	half = addr | 1u << (31 - plen);
	while (mid < end) {
		size_t probe = mid + (end - mid) / 2;

		if (r->span[probe].first < half)
			mid = probe + 1;
		else
			end = probe;
	}
	fold(r, lo, mid, addr, plen + 1);
	fold(r, mid, hi, half, plen + 1);
}

static void
router_routes(struct router *r, uint32_t self)
{
	router_walk(r, self);
	for (size_t i = 0; i < r->nspans; i++) {
		uint32_t a = r->ends[i].node[0], b = r->ends[i].node[1];
		uint32_t nearer = r->hops[a] <= r->hops[b] ? a : b;

		/* Its own subnets are not to be routed: there via[] is 0. */
		r->target[i] = r->hops[nearer] != UINT32_MAX ? r->via[nearer] : 0;
	}
	fold(r, 0, r->nspans, 0, 0);
}

/* The arrays; false without memory. */
static bool
router_make(struct router *r)
{
	struct lab *lab = r->lab;
	struct lab_node *n;
	struct lab_end *e;
	uint32_t k = 0;

	r->span = spans_of(lab, &r->nspans);
	r->hop = calloc(2 * (size_t)lab->nlinks + 1, sizeof(*r->hop));
	r->first = calloc((size_t)lab->nnodes + 2, sizeof(*r->first));
	r->forwards = calloc((size_t)lab->nnodes + 1, sizeof(*r->forwards));
	r->via = calloc((size_t)lab->nnodes + 1, sizeof(*r->via));
	r->queue = calloc((size_t)lab->nnodes + 1, sizeof(*r->queue));
	r->hops = calloc((size_t)lab->nnodes + 1, sizeof(*r->hops));
	r->ends = calloc(r->nspans + 1, sizeof(*r->ends));
	r->target = calloc(r->nspans + 1, sizeof(*r->target));
	if (r->span == NULL || r->hop == NULL || r->first == NULL || r->forwards == NULL ||
	    r->via == NULL || r->queue == NULL || r->hops == NULL || r->ends == NULL ||
	    r->target == NULL)
		return false;
	STAILQ_FOREACH(n, &lab->nodes, next) {
		r->first[n->index] = k;
		r->forwards[n->index] = lab_node_forwards(n);
		STAILQ_FOREACH(e, &n->ends, of_node) {
			const struct lab_end *peer = lab_end_peer(e);

			if (e->addr != 0 && peer->addr != 0)
				r->hop[k++] = (struct hop){ peer->node->index, peer->addr };
		}
		r->first[n->index + 1] = k;
	}
	for (size_t i = 0; i < r->nspans; i++)
		for (unsigned side = 0; side < 2; side++)
			r->ends[i].node[side] = r->span[i].link->end[side].node->index;
	return true;
}

static int
routes_apply(struct lab *lab, char **why)
{
	struct router r = { .lab = lab };
	struct lab_node *n;
	int error = router_make(&r) ? 0 : -ENOMEM;

	STAILQ_FOREACH(n, &lab->nodes, next) {
		if (error != 0)
			break;
		VNET_SCOPE(n->prison->vnet);
		router_routes(&r, n->index);
		if (r.error != 0)
			error = lab_fail(lab, why, r.error, n->line, "routes of node %s: %s",
			    n->name, strerror(-r.error));
	}
	free(r.span);
	free(r.hop);
	free(r.first);
	free(r.forwards);
	free(r.via);
	free(r.queue);
	free(r.hops);
	free(r.ends);
	free(r.target);
	return error;
}

int
lab_address_apply(struct lab *lab, char **why)
{
	struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next) {
		for (unsigned side = 0; side < 2; side++) {
			struct lab_end *e = &l->end[side];
			int error;

			if (e->addr == 0)
				continue;
			VNET_SCOPE(e->node->prison->vnet);
			error = if_up(e->ifp);
			if (error == 0)
				error = in_addr_add(e->ifp, e->addr, e->plen, 0, 0);
			if (error != 0)
				return lab_fail(lab, why, error, l->line, "address of %s: %s",
				    e->name, strerror(-error));
		}
	}
	return lab->auto_routes ? routes_apply(lab, why) : 0;
}
