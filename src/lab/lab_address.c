/*
 * lab_address.c - addresses and routes that nobody had to write, for both families.
 *
 * With `addresses: auto` each link without `ipv4` gets the next /30 of the pool, with `ipv6` or
 * `dual` each without `ipv6` the next /64; number 1 is its first endpoint's, 2 the second's. Links
 * that switches join are one segment and one subnet, as large as it has ends. With
 * `routes: auto` each node gets routes to all links by the fewest hops (of several ways the one
 * whose link stands first in the file).
 *
 * A table for each of N nodes to all of L links would be N * L routes, most of them saying the
 * same. So a node's table is folded: the sorted subnets are cut into the fewest aligned blocks
 * whose subnets all go by one next hop; a node with one link gets a default route, a router in a
 * chain of a thousand about twenty routes. Addresses that no link has may be covered: they go
 * nowhere anyway.
 *
 * An address is a number here, its first bit the highest: so all of this is said once.
 */
#include "inet6/in6.h"
#include "inet6/ip6.h"
#include "inet/in.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"
#include "route/route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 number;

static const struct {
	int af;
	unsigned bits, link_plen; /* of an address; of the subnet that a link gets */
	const char *key;
} families[LAB_FAMILIES] = {
	[LAB_INET] = { AF_INET, 32, 30, "ipv4" },
	[LAB_INET6] = { AF_INET6, 128, 64, "ipv6" },
};

static number
mask_of(unsigned plen)
{
	return plen == 0 ? 0 : ~(number)0 << (128 - plen);
}

static number
number_of(const struct ipaddr *a)
{
	number n = 0;

	for (unsigned i = 0; i < sizeof(a->b); i++)
		n = n << 8 | a->b[i];
	return n;
}

static struct ipaddr
address_of(unsigned family, number n)
{
	struct ipaddr a = { .family = (uint8_t)families[family].af };

	for (unsigned i = 0; i < sizeof(a.b); i++)
		a.b[i] = (uint8_t)(n >> (120 - 8 * i));
	return a;
}

/* --- segments --------------------------------------------------------------------------------- */

static struct lab_link *
segment_of(struct lab_link *l)
{
	while (l->segment != l)
		l = l->segment = l->segment->segment;
	return l;
}

/* The first link of a segment stands for it. */
static void
segments_join(struct lab_link *a, struct lab_link *b)
{
	a = segment_of(a);
	b = segment_of(b);
	if (a->index < b->index)
		b->segment = a;
	else
		a->segment = b;
}

static void
segments_make(struct lab *lab)
{
	struct lab_node *n;
	struct lab_link *l;
	struct lab_end *e;

	STAILQ_FOREACH(l, &lab->links, next) {
		l->segment = l;
		STAILQ_INIT(&l->ends);
	}
	STAILQ_FOREACH(n, &lab->nodes, next)
		if (n->is_switch)
			STAILQ_FOREACH(e, &n->ends, of_node)
				segments_join(STAILQ_FIRST(&n->ends)->link, e->link);
	STAILQ_FOREACH(l, &lab->links, next) {
		struct lab_link *s = l->segment = segment_of(l);

		for (unsigned side = 0; side < 2; side++) {
			if (l->end[side].node->is_switch)
				continue;
			STAILQ_INSERT_TAIL(&s->ends, &l->end[side], of_segment);
			s->nends++;
		}
	}
}

/* The first end of a segment that has an address of the family; NULL. */
static const struct lab_end *
segment_addressed(const struct lab_link *segment, unsigned family)
{
	const struct lab_end *e;

	STAILQ_FOREACH(e, &segment->ends, of_segment)
		if (e->net[family].addr.family != 0)
			return e;
	return NULL;
}

/* --- assignment, at parsing ------------------------------------------------------------------- */

struct span {
	number first, last;
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

/* The subnets of all segments that have addresses of the family, sorted; malloc'd. */
static struct span *
spans_of(const struct lab *lab, unsigned family, size_t *n)
{
	struct span *s = calloc(lab->nlinks + 1, sizeof(*s));
	struct lab_link *l;

	*n = 0;
	if (s == NULL)
		return NULL;
	STAILQ_FOREACH(l, &lab->links, next) {
		const struct lab_end *e = segment_addressed(l, family);
		number mask, addr;

		if (e == NULL)
			continue;
		mask = mask_of(e->net[family].plen);
		addr = number_of(&e->net[family].addr);
		s[(*n)++] = (struct span){ addr & mask, addr | ~mask, l };
	}
	qsort(s, *n, sizeof(*s), span_compare);
	return s;
}

static void
check_given(struct ly *y, const struct lab_link *l, unsigned family)
{
	const struct lab_net *a = &l->end[0].net[family], *b = &l->end[1].net[family];

	if (a->addr.family == 0 || b->addr.family == 0)
		return;
	if (a->plen != b->plen ||
	    ((number_of(&a->addr) ^ number_of(&b->addr)) & mask_of(a->plen)) != 0)
		ly_fault_line(
		    y, l->line, "%s: the two ends are not in one network", families[family].key);
	else if (ipaddr_equal(&a->addr, &b->addr))
		ly_fault_line(
		    y, l->line, "%s: both ends have the same address", families[family].key);
}

/* RFC 8200 5: what a link can't carry in one piece is not IPv6's to cut. */
static void
check_mtu(struct ly *y, const struct lab_link *l)
{
	bool has_address = l->end[0].net[LAB_INET6].addr.family != 0 ||
	    l->end[1].net[LAB_INET6].addr.family != 0;

	if (has_address && l->mtu != 0 && l->mtu < IPV6_MMTU_)
		ly_fault_line(y, l->line, "mtu: %" PRIu32 " is too small for IPv6: at least %d",
		    l->mtu, IPV6_MMTU_);
}

/* A link's subnet, or a larger one with a number for each end of the segment. */
static unsigned
plen_for(const struct lab_link *segment, unsigned family)
{
	unsigned plen = families[family].link_plen;

	while (
	    UINT64_C(1) << (families[family].bits - plen < 32 ? families[family].bits - plen : 32) <
	    (uint64_t)segment->nends + 2)
		plen--;
	return plen;
}

/* Numbers from 1 on, in the order of the file. */
static void
segment_assign(struct lab_link *segment, unsigned family, number subnet, unsigned plen)
{
	struct lab_end *e;
	number host = 1;

	STAILQ_FOREACH(e, &segment->ends, of_segment)
		e->net[family] = (struct lab_net){
			.addr = address_of(
			    family, subnet | host++ << (128 - families[family].bits)),
			.plen = (uint8_t)plen,
		};
}

/* Subnets of the pool, one after the other, for the segments that have none; given ones are passed
 * over. */
static void
family_assign(struct ly *y, struct lab *lab, unsigned family)
{
	const struct lab_net *pool = &lab->pool[family];
	number next = number_of(&pool->addr), last = next | ~mask_of(pool->plen);
	struct lab_link *l;
	struct span *given;
	bool full = false;
	size_t n, i = 0;

	given = spans_of(lab, family, &n);
	STAILQ_FOREACH(l, &lab->links, next) {
		const unsigned plen = plen_for(l, family);
		const number step = (number)1 << (128 - plen);

		if (l->nends == 0 || segment_addressed(l, family) != NULL)
			continue;
		if ((next & (step - 1)) != 0) {
			full |= (next | (step - 1)) >= last;
			next = (next | (step - 1)) + 1;
		}
		while (i < n && !full && given[i].first <= (next | (step - 1))) {
			if (given[i].last >= next) {
				full = given[i].last >= last;
				next = (given[i].last | (step - 1)) + 1;
			}
			i++;
		}
		if (full || next > last || (next | (step - 1)) > last) {
			ly_fault_line(y, l->line, "addresses: the pool has no room for this link");
			break;
		}
		segment_assign(l, family, next, plen);
		full = (next | (step - 1)) == last;
		next += step;
	}
	free(given);
}

void
lab_address_assign(struct ly *y, struct lab *lab)
{
	struct lab_link *l;

	segments_make(lab);
	for (unsigned family = 0; family < LAB_FAMILIES; family++) {
		STAILQ_FOREACH(l, &lab->links, next)
			check_given(y, l, family);
		if (lab->pool[family].addr.family != 0)
			family_assign(y, lab, family);
	}
	STAILQ_FOREACH(l, &lab->links, next)
		check_mtu(y, l);
}

void
lab_address_pool(struct ly *y, int id, const char *text)
{
	struct lab *lab = y->lab;
	struct lab_net net;
	unsigned family, most;

	if (strchr(text, '/') == NULL) {
		ly_fault(y, id,
		    "addresses: '%s' is neither auto, ipv4, ipv6, dual, manual nor a network "
		    "(10.0.0.0/8)",
		    text);
		return;
	}
	if (!lab_parse_net(y, id, "addresses", AF_UNSPEC, text, &net))
		return;
	family = net.addr.family == AF_INET ? LAB_INET : LAB_INET6;
	most = families[family].link_plen;
	if (net.plen > most || net.plen == 0 || (number_of(&net.addr) & ~mask_of(net.plen)) != 0) {
		ly_fault(y, id,
		    "addresses: %s is no network that links fit into (/1 to /%u, host bits 0)",
		    text, most);
		return;
	}
	if (lab->pool[family].addr.family != 0)
		ly_fault(y, id, "addresses: two networks of %s", families[family].key);
	lab->pool[family] = net;
}

/* --- routes ----------------------------------------------------------------------------------- */

/*
 * For N nodes the search runs N times over everything, so it runs over plain arrays: ten thousand
 * nodes take a second, not ten.
 */
struct router {
	struct lab *lab;
	unsigned family;
	/* segments that nodes are on: node i's from first[i] to first[i + 1] */
	const struct lab_link **segment;
	uint32_t *first;
	bool *walked; /* by number of a segment's first link */
	bool *forwards;
	const struct lab_end **via; /* by node: gateway of the first hop to it; NULL = ourselves */
	uint32_t *hops;             /* by node: UINT32_MAX = out of reach */
	uint32_t *queue;
	struct span *span;
	const struct lab_end **target; /* by subnet: gateway; NULL = our own, or out of reach */
	size_t nspans;
	int error;
};

/* From node n to all others on a segment: the new end of the queue. */
static uint32_t
router_cross(
    struct router *r, const struct lab_link *segment, uint32_t self, uint32_t n, uint32_t tail)
{
	const struct lab_end *e;

	if (r->walked[segment->index])
		return tail;
	r->walked[segment->index] = true;
	STAILQ_FOREACH(e, &segment->ends, of_segment) {
		uint32_t p = e->node->index;

		if (r->hops[p] != UINT32_MAX || e->net[r->family].addr.family == 0)
			continue;
		r->hops[p] = r->hops[n] + 1;
		r->via[p] = n == self ? e : r->via[n];
		r->queue[tail++] = p;
	}
	return tail;
}

/* The node on a segment that is the nearest. */
static uint32_t
router_nearest(const struct router *r, const struct lab_link *segment)
{
	uint32_t nearest = segment_addressed(segment, r->family)->node->index;
	const struct lab_end *e;

	STAILQ_FOREACH(e, &segment->ends, of_segment)
		if (e->net[r->family].addr.family != 0 &&
		    r->hops[e->node->index] < r->hops[nearest])
			nearest = e->node->index;
	return nearest;
}

/* Breadth first from node self: via[] and hops[] of every node in reach. */
static void
router_walk(struct router *r, uint32_t self)
{
	uint32_t head = 0, tail = 0;

	memset(r->hops, 0xff, r->lab->nnodes * sizeof(*r->hops));
	memset(r->walked, 0, r->lab->nlinks * sizeof(*r->walked));
	r->hops[self] = 0;
	r->via[self] = NULL;
	r->queue[tail++] = self;
	while (head < tail) {
		uint32_t n = r->queue[head++];

		/* What doesn't forward is an end of the way. */
		if (n != self && !r->forwards[n])
			continue;
		for (uint32_t i = r->first[n]; i < r->first[n + 1]; i++)
			tail = router_cross(r, r->segment[i], self, n, tail);
	}
}

static void
route_add(struct router *r, number addr, unsigned plen, const struct lab_end *gateway)
{
	struct ipaddr net = address_of(r->family, addr & mask_of(plen));
	struct rt_request rq = {
		.dst = rt_addr_make(net.family, net.b, plen),
		.gateway = rt_addr_make(
		    net.family, gateway->net[r->family].addr.b, families[r->family].bits),
		.flags = RTF_GATEWAY_ | RTF_STATIC_,
	};

	if (r->error == 0)
		r->error = rib_add(&rq, NULL);
}

/* Routes for subnets [lo, hi), all in the block of addr/plen. */
static void
fold(struct router *r, size_t lo, size_t hi, number addr, unsigned plen)
{
	const struct lab_end *gateway = NULL;
	number half;
	bool same = true;
	size_t mid = lo, end = hi;

	for (size_t i = lo; i < hi && same; i++) {
		if (r->target[i] == NULL)
			continue;
		same = gateway == NULL || r->target[i] == gateway;
		gateway = r->target[i];
	}
	if (gateway == NULL)
		return;
	if (same || plen == families[r->family].bits) {
		route_add(r, addr, plen, gateway);
		return;
	}
	half = addr | (number)1 << (127 - plen);
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
		uint32_t nearer = router_nearest(r, r->span[i].link);

		/* Its own subnets are not to be routed: there via[] is NULL. */
		r->target[i] = r->hops[nearer] != UINT32_MAX ? r->via[nearer] : NULL;
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

	r->span = spans_of(lab, r->family, &r->nspans);
	r->segment = calloc(2 * (size_t)lab->nlinks + 1, sizeof(*r->segment));
	r->walked = calloc((size_t)lab->nlinks + 1, sizeof(*r->walked));
	r->first = calloc((size_t)lab->nnodes + 2, sizeof(*r->first));
	r->forwards = calloc((size_t)lab->nnodes + 1, sizeof(*r->forwards));
	r->via = calloc((size_t)lab->nnodes + 1, sizeof(*r->via));
	r->queue = calloc((size_t)lab->nnodes + 1, sizeof(*r->queue));
	r->hops = calloc((size_t)lab->nnodes + 1, sizeof(*r->hops));
	r->target = calloc(r->nspans + 1, sizeof(*r->target));
	if (r->span == NULL || r->segment == NULL || r->walked == NULL || r->first == NULL ||
	    r->forwards == NULL || r->via == NULL || r->queue == NULL || r->hops == NULL ||
	    r->target == NULL)
		return false;
	STAILQ_FOREACH(n, &lab->nodes, next) {
		r->first[n->index] = k;
		r->forwards[n->index] = lab_node_forwards(n);
		STAILQ_FOREACH(e, &n->ends, of_node)
			if (e->net[r->family].addr.family != 0)
				r->segment[k++] = e->link->segment;
		r->first[n->index + 1] = k;
	}
	return true;
}

static void
router_free(struct router *r)
{
	free(r->span);
	free(r->segment);
	free(r->walked);
	free(r->first);
	free(r->forwards);
	free(r->via);
	free(r->queue);
	free(r->hops);
	free(r->target);
}

static int
routes_apply(struct lab *lab, unsigned family, char **why)
{
	struct router r = { .lab = lab, .family = family };
	struct lab_node *n;
	int error = router_make(&r) ? 0 : -ENOMEM;

	STAILQ_FOREACH(n, &lab->nodes, next) {
		if (error != 0 || r.nspans == 0)
			break;
		VNET_SCOPE(n->prison->vnet);
		router_routes(&r, n->index);
		if (r.error != 0)
			error = lab_fail(lab, why, r.error, n->line, "routes of node %s: %s",
			    n->name, strerror(-r.error));
	}
	router_free(&r);
	return error;
}

static int
end_apply(struct lab_end *e, const struct lab_net *net)
{
	int error;

	VNET_SCOPE(e->node->prison->vnet);
	if ((error = if_up(e->ifp)) != 0)
		return error;
	if (net->addr.family == AF_INET)
		return in_addr_add(e->ifp, ipaddr_in(&net->addr), net->plen, 0, 0);
	return in6_addr_add(e->ifp,
	    &(struct in6_addr_request){
		.addr = *ipaddr_in6(&net->addr),
		.plen = net->plen,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	    });
}

int
lab_address_apply(struct lab *lab, char **why)
{
	struct lab_link *l;
	int error = 0;

	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned k = 0; k < 2 * LAB_FAMILIES; k++) {
			struct lab_end *e = &l->end[k & 1];
			const struct lab_net *net = &e->net[k >> 1];

			if (net->addr.family != 0 && (error = end_apply(e, net)) != 0)
				return lab_fail(lab, why, error, l->line, "address of %s: %s",
				    e->name, strerror(-error));
		}
	for (unsigned family = 0; lab->auto_routes && family < LAB_FAMILIES && error == 0; family++)
		error = routes_apply(lab, family, why);
	return error;
}
