/*
 * udp_endpoint.c - UDP's endpoints: the table of a stack, ports, who gets a datagram.
 *
 * Endpoints of both families hang in a hash by local port, which the first one allocates and which
 * grows with their number. recv may close any endpoint, so whoever walks a chain while calling it
 * says what comes next.
 */
#include "inet/udp_internal.h"

#include "kern/jail.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <stdlib.h>

VNET_DEFINE_STATIC(uint32_t, udp_port_first) = 49152;
VNET_DEFINE_STATIC(uint32_t, udp_port_last) = 65535;
VNET_DEFINE_STATIC(uint32_t, udp_max_endpoints) = 65536;

SYSCTL_VNET_UINT(net_inet_ip_portrange_first, "net.inet.ip.portrange.first", SYSCTL_RW,
    udp_port_first, 1, 65535, "first of the ports given to those who ask for none");
SYSCTL_VNET_UINT(net_inet_ip_portrange_last, "net.inet.ip.portrange.last", SYSCTL_RW, udp_port_last,
    1, 65535, "last of the ports given to those who ask for none");
SYSCTL_VNET_UINT(net_inet_udp_maxendpoints, "net.inet.udp.maxendpoints", SYSCTL_RW,
    udp_max_endpoints, 0, 1048576, "endpoints of a stack");

struct udp_table {
	uint32_t n, mask;
	uint32_t next_port; /* where the search for a free port goes on */
	struct udp_walk *walk;
	struct udp_endpoint **bucket;
};

VNET_DEFINE_STATIC(struct udp_table *, udp_table); /* NULL before the first endpoint */
#define V_udp_table VNET(udp_table)

enum { BUCKETS_MIN = 8 };

static uint64_t udp_live; /* endpoints of all stacks; atomic */
AUDIT_COUNTER(udp, "udp endpoint", udp_live);

/* --- the table -------------------------------------------------------------------------------- */

static inline struct udp_endpoint **
bucket_of(const struct udp_table *t, uint16_t lport)
{
	/* Ports of one stack are mostly consecutive: the low bits spread them perfectly. */
	return &t->bucket[lport & t->mask];
}

/*
 * Room for one more; on failure the table stays as it is, only slower. 0 or -ENOMEM when there is
 * none at all.
 */
static int
table_grow(void)
{
	struct udp_table *t = V_udp_table;
	uint32_t mask;
	struct udp_endpoint **bucket, *ep;

	if (t == NULL) {
		t = vnet_malloc(sizeof(*t));
		bucket = vnet_malloc(BUCKETS_MIN * sizeof(bucket[0]));
		if (t == NULL || bucket == NULL) {
			vnet_free(t);
			vnet_free(bucket);
			return -ENOMEM;
		}
		t->bucket = bucket;
		t->mask = BUCKETS_MIN - 1;
		V_udp_table = t;
		return 0;
	}
	/* A chain must not move under a walk. */
	if (t->n <= t->mask * 2 || t->walk != NULL)
		return 0;
	mask = t->mask * 4 + 3;
	bucket = vnet_malloc((mask + (size_t)1) * sizeof(bucket[0]));
	if (bucket == NULL)
		return 0;
	for (uint32_t i = 0; i <= t->mask; i++)
		while ((ep = t->bucket[i]) != NULL) {
			t->bucket[i] = ep->hnext;
			ep->hnext = bucket[ep->lport & mask];
			bucket[ep->lport & mask] = ep;
		}
	vnet_free(t->bucket);
	t->bucket = bucket;
	t->mask = mask;
	return 0;
}

/* Do two endpoints of one port get in each other's way? */
static bool
collide(const struct ipaddr *a, const struct ipaddr *b)
{
	/* A group has room for all who listen to it: each gets a copy. */
	if (a->family != b->family || ipaddr_is_multicast(a) || ipaddr_is_multicast(b))
		return false;
	return ipaddr_is_any(a) || ipaddr_is_any(b) || ipaddr_equal(a, b);
}

/* Would an endpoint at addr:port be in the way of one that is there? */
static bool
in_use(const struct udp_table *t, const struct ipaddr *addr, uint16_t port)
{
	for (const struct udp_endpoint *ep = *bucket_of(t, port); ep != NULL; ep = ep->hnext)
		if (ep->lport == port && collide(&ep->laddr, addr))
			return true;
	return false;
}

/* The next free port in order: the same at every run. 0 = all are taken. */
static uint16_t
port_find(struct udp_table *t, const struct ipaddr *addr)
{
	uint32_t first = VNET(udp_port_first), last = VNET(udp_port_last);

	if (first > last) {
		uint32_t swap = first;

		first = last;
		last = swap;
	}
	for (uint32_t tries = first; tries <= last; tries++) {
		uint16_t port;

		if (t->next_port < first || t->next_port > last)
			t->next_port = first;
		port = (uint16_t)t->next_port++;
		if (!in_use(t, addr, port))
			return port;
	}
	return 0;
}

struct udp_endpoint *
udp_endpoint_for(
    const struct ipaddr *laddr, uint16_t lport, const struct ipaddr *faddr, uint16_t fport)
{
	struct udp_table *t = V_udp_table;
	struct udp_endpoint *best = NULL;
	int best_score = -1;

	if (t == NULL)
		return NULL;
	for (struct udp_endpoint *ep = *bucket_of(t, lport); ep != NULL; ep = ep->hnext) {
		int score;

		if (ep->lport != lport || !udp_endpoint_fits(ep, laddr, faddr, fport))
			continue;
		score = !ipaddr_is_any(&ep->faddr) * 2 + !ipaddr_is_any(&ep->laddr);
		if (score > best_score) {
			best = ep;
			best_score = score;
		}
	}
	return best;
}

bool
udp_has_endpoint(
    const struct ipaddr *laddr, uint16_t lport, const struct ipaddr *faddr, uint16_t fport)
{
	return udp_endpoint_for(laddr, lport, faddr, fport) != NULL;
}

void
udp_walk_begin(struct udp_walk *w, uint16_t lport)
{
	struct udp_table *t = V_udp_table;

	*w = (struct udp_walk){ 0 };
	if (t == NULL)
		return;
	*w = (struct udp_walk){ *bucket_of(t, lport), t->walk };
	t->walk = w;
}

struct udp_endpoint *
udp_walk_next(struct udp_walk *w)
{
	struct udp_endpoint *ep = w->next;

	if (ep != NULL)
		w->next = ep->hnext;
	return ep;
}

void
udp_walk_end(const struct udp_walk *w)
{
	if (V_udp_table != NULL)
		V_udp_table->walk = w->outer;
}

/* --- endpoints -------------------------------------------------------------------------------- */

/* The address to bind to: ours and the jail's, or a group. 0 or -errno. */
static int
check_address(struct ipaddr *addr)
{
	const struct ip_family *f = ip_family(addr->family);

	if (f != NULL && ipaddr_is_multicast(addr))
		return curprison == NULL || f->prison_ok(curprison, addr) ? 0 : -EADDRNOTAVAIL;
	return ipaddr_bind(curprison, addr);
}

/* Room in the table and a port, which is chosen if it is 0. 0 or -errno. */
static int
check_port(const struct ipaddr *addr, uint16_t *port)
{
	if (table_grow() != 0)
		return -ENOMEM;
	if (V_udp_table->n >= VNET(udp_max_endpoints))
		return -ENFILE;
	if (*port == 0)
		return (*port = port_find(V_udp_table, addr)) != 0 ? 0 : -EADDRNOTAVAIL;
	return in_use(V_udp_table, addr, *port) ? -EADDRINUSE : 0;
}

struct udp_endpoint *
udp_open(const struct ipaddr *addr, uint16_t port, udp_recv_fn *recv, void *ctx)
{
	struct udp_endpoint *ep = NULL, **slot;
	struct ipaddr laddr = *addr;
	int error;

	if ((error = check_address(&laddr)) == 0 && (error = check_port(&laddr, &port)) == 0 &&
	    (ep = vnet_malloc(sizeof(*ep))) == NULL)
		error = -ENOMEM;
	if (error != 0) {
		errno = -error;
		return NULL;
	}
	slot = bucket_of(V_udp_table, port);
	*ep = (struct udp_endpoint){
		.hnext = *slot,
		.vnet = curvnet,
		.family = ip_family(laddr.family),
		.laddr = laddr,
		.faddr = { .family = laddr.family },
		.lport = port,
		.recv = recv,
		.ctx = ctx,
	};
	*slot = ep;
	V_udp_table->n++;
	curvnet->sockcnt++;
	__atomic_fetch_add(&udp_live, 1, __ATOMIC_RELAXED);
	return ep;
}

/* Take ep out of its stack's table. */
static void
endpoint_unlink(struct udp_endpoint *ep)
{
	struct udp_table *t = VNET_OF(ep->vnet, udp_table);
	struct udp_endpoint **slot = bucket_of(t, ep->lport);

	udp_groups_end(ep);
	for (struct udp_walk *w = t->walk; w != NULL; w = w->outer)
		if (w->next == ep)
			w->next = ep->hnext;
	while (*slot != ep)
		slot = &(*slot)->hnext;
	*slot = ep->hnext;
	t->n--;
	ep->vnet->sockcnt--;
	ep->vnet = NULL;
}

void
udp_close(struct udp_endpoint *ep)
{
	if (ep == NULL)
		return;
	if (ep->vnet != NULL)
		endpoint_unlink(ep);
	vnet_free(ep);
	__atomic_fetch_sub(&udp_live, 1, __ATOMIC_RELAXED);
}

int
udp_connect(struct udp_endpoint *ep, const struct ipaddr *addr, uint16_t port,
    void (*error_fn)(void *, int))
{
	struct ipaddr laddr = ep->laddr, faddr = *addr;
	struct ip_opts_out o = { .ifp = NULL };
	int error = 0;

	if (ep->vnet == NULL)
		return -ENETDOWN;
	if (addr->family != ep->family->af)
		return -EAFNOSUPPORT;
	if (ipaddr_is_any(addr) || port == 0)
		return -EADDRNOTAVAIL;
	VNET_SCOPE(ep->vnet);
	if (ipaddr_is_multicast(&faddr) && (error = udp_group_way(ep, &faddr, &o)) != 0)
		return error;
	if (ipaddr_is_any(&laddr) &&
	    (error = ep->family->source_for(ep->fib, o.ifp, &faddr, &laddr)) != 0)
		return error;
	ep->laddr = laddr;
	ep->faddr = faddr;
	ep->fport = port;
	ep->error_fn = error_fn;
	return 0;
}

uint16_t
udp_port(const struct udp_endpoint *ep)
{
	return ep->lport;
}

void
udp_set_ttl(struct udp_endpoint *ep, uint8_t ttl)
{
	ep->ttl = ttl;
}

void
udp_set_tos(struct udp_endpoint *ep, uint8_t tos)
{
	ep->tos = tos;
}

void
udp_set_fib(struct udp_endpoint *ep, uint8_t fib)
{
	ep->fib = fib;
}

/* --- lists, end ------------------------------------------------------------------------------- */

static int
info_compare(const void *a, const void *b)
{
	const struct udp_info *x = a, *y = b;

	if (x->lport != y->lport)
		return x->lport < y->lport ? -1 : 1;
	return ipaddr_compare(&x->laddr, &y->laddr);
}

int
udp_foreach(int (*fn)(const struct udp_info *, void *), void *ctx)
{
	const struct udp_table *t = V_udp_table;
	struct udp_info *info;
	uint32_t n = 0;
	int r = 0;

	if (t == NULL || t->n == 0)
		return 0;
	info = calloc(t->n, sizeof(*info));
	if (info == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i <= t->mask; i++)
		for (const struct udp_endpoint *ep = t->bucket[i]; ep != NULL; ep = ep->hnext)
			info[n++] = (struct udp_info){ ep->laddr, ep->faddr, ep->lport, ep->fport };
	qsort(info, n, sizeof(*info), info_compare);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = fn(&info[i], ctx);
	free(info);
	return r;
}

/* The stack ends; its endpoints belong to others, who will close them. */
static void
udp_uninit(void *arg)
{
	struct udp_table *t = V_udp_table;

	(void)arg;
	if (t == NULL)
		return;
	for (uint32_t i = 0; i <= t->mask; i++)
		while (t->bucket[i] != NULL)
			endpoint_unlink(t->bucket[i]);
	V_udp_table = NULL;
	vnet_free(t->bucket);
	vnet_free(t);
}
VNET_SYSUNINIT(udp, SI_SUB_INET, SI_ORDER_MIDDLE, udp_uninit, NULL);
