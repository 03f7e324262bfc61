/*
 * lab_address.c - addresses and routes that nobody had to write.
 *
 * With `addresses: auto` each link without `ipv4` gets the next /30 of the pool, .1 for its first
 * endpoint and .2 for the second. With `routes: auto` each node gets routes to all links by the
 * fewest hops (of several ways the one whose link stands first in the file).
 *
 * A table for each of N nodes to all of L links would be N * L routes, most of them saying the same.
 * So a node's table is folded: the sorted subnets are cut into the fewest aligned blocks whose
 * subnets all go by one next hop; a node with one link gets a default route, a router in a chain of a
 * thousand about twenty routes. Addresses that no link has may be covered: they go nowhere anyway.
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
	STAILQ_FOREACH (l, &lab->links, next) {
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
	uint32_t a = ntohl(l->end[0].addr), b = ntohl(l->end[1].addr), mask = mask_of(l->end[0].plen);

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

	STAILQ_FOREACH (l, &lab->links, next)
		check_given(y, l);
	if (!lab->auto_addresses)
		return;
	end = next + (UINT64_C(1) << (32 - lab->pool_plen));
	given = spans_of(lab, &n);
	STAILQ_FOREACH (l, &lab->links, next) {
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

/* A subnet as one node sees it. */
struct target {
	uint32_t first, last;
	const struct lab_end *via; /* the neighbour's end that leads there; NULL: our own, or out of reach */
};

struct router {
	struct lab *lab;
	struct lab_node **node;	   /* by index */
	const struct lab_end **via; /* by node: first hop from the node looked at, as the neighbour's end */
	uint32_t *queue;
	uint32_t *hops;
	struct span *span;
	struct target *target;
	size_t nspans;
	struct lab_node *self;
	int error;
};

/* Breadth first from r->self: via[] and hops[] of every node in reach. */
static void
router_walk(struct router *r)
{
	uint32_t head = 0, tail = 0;

	memset(r->hops, 0xff, r->lab->nnodes * sizeof(*r->hops));
	r->hops[r->self->index] = 0;
	r->via[r->self->index] = NULL;
	r->queue[tail++] = r->self->index;
	while (head < tail) {
		struct lab_node *n = r->node[r->queue[head++]];
		struct lab_end *e;

		/* What doesn't forward is an end of the way. */
		if (n != r->self && !lab_node_forwards(n))
			continue;
		STAILQ_FOREACH (e, &n->ends, of_node) {
			const struct lab_end *peer = lab_end_peer(e);
			uint32_t p = peer->node->index;

			if (r->hops[p] != UINT32_MAX || peer->addr == 0 || e->addr == 0)
				continue;
			r->hops[p] = r->hops[n->index] + 1;
			r->via[p] = n == r->self ? peer : r->via[n->index];
			r->queue[tail++] = p;
		}
	}
}

static void
route_add(struct router *r, uint32_t addr, unsigned plen, const struct lab_end *via)
{
	uint32_t net = htonl(addr & mask_of(plen));
	struct rt_request rq = {
		.dst = rt_addr_make(AF_INET, &net, plen),
		.gateway = rt_addr_make(AF_INET, &via->addr, 32),
		.flags = RTF_GATEWAY_ | RTF_STATIC_,
	};

	if (r->error == 0)
		r->error = rib_add(&rq, NULL);
}

/* Routes for targets [lo, hi), all in the block of addr/plen. */
static void
fold(struct router *r, size_t lo, size_t hi, uint32_t addr, unsigned plen)
{
	const struct lab_end *via = NULL;
	bool same = true;
	size_t mid = lo;
	uint32_t half;

	for (size_t i = lo; i < hi && same; i++) {
		if (r->target[i].via == NULL)
			continue;
		same = via == NULL || r->target[i].via == via;
		via = r->target[i].via;
	}
	if (via == NULL)
		return;
	if (same || plen == 32) {
		route_add(r, addr, plen, via);
		return;
	}
	half = addr | 1u << (31 - plen);
	while (mid < hi && r->target[mid].first < half)
		mid++;
	fold(r, lo, mid, addr, plen + 1);
	fold(r, mid, hi, half, plen + 1);
}

static void
router_routes(struct router *r)
{
	struct lab_end *e;

	router_walk(r);
	for (size_t i = 0; i < r->nspans; i++) {
		const struct lab_link *l = r->span[i].link;
		uint32_t a = r->hops[l->end[0].node->index], b = r->hops[l->end[1].node->index];

		r->target[i] = (struct target){ r->span[i].first, r->span[i].last,
			a <= b ? r->via[l->end[0].node->index] : r->via[l->end[1].node->index] };
		if (a == UINT32_MAX && b == UINT32_MAX)
			r->target[i].via = NULL;
	}
	/* Its own subnets are not to be routed, whatever the shortest way to them. */
	STAILQ_FOREACH (e, &r->self->ends, of_node)
		for (size_t i = 0; i < r->nspans; i++)
			if (r->span[i].link == e->link)
				r->target[i].via = NULL;
	fold(r, 0, r->nspans, 0, 0);
}

static int
routes_apply(struct lab *lab, char **why)
{
	struct router r = { .lab = lab };
	struct lab_node *n;
	size_t nn = lab->nnodes;
	int error = -ENOMEM;

	r.span = spans_of(lab, &r.nspans);
	r.node = calloc(nn + 1, sizeof(struct lab_node *));
	r.via = calloc(nn + 1, sizeof(struct lab_end *));
	r.queue = calloc(nn + 1, sizeof(*r.queue));
	r.hops = calloc(nn + 1, sizeof(*r.hops));
	r.target = calloc(r.nspans + 1, sizeof(*r.target));
	if (r.span != NULL && r.node != NULL && r.via != NULL && r.queue != NULL && r.hops != NULL &&
	    r.target != NULL) {
		error = 0;
		STAILQ_FOREACH (n, &lab->nodes, next)
			r.node[n->index] = n;
		STAILQ_FOREACH (n, &lab->nodes, next) {
			VNET_SCOPE(n->prison->vnet);
			r.self = n;
			router_routes(&r);
			if (r.error != 0) {
				error = lab_fail(lab, why, r.error, n->line, "routes of node %s: %s", n->name,
				    strerror(-r.error));
				break;
			}
		}
	}
	free(r.span);
	free(r.node);
	free(r.via);
	free(r.queue);
	free(r.hops);
	free(r.target);
	return error;
}

int
lab_address_apply(struct lab *lab, char **why)
{
	struct lab_link *l;

	STAILQ_FOREACH (l, &lab->links, next) {
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
				return lab_fail(lab, why, error, l->line, "address of %s: %s", e->name,
				    strerror(-error));
		}
	}
	return lab->auto_routes ? routes_apply(lab, why) : 0;
}
