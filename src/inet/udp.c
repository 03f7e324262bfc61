/*
 * udp.c - UDP (RFC 768, RFC 1122 section 4.1): endpoints, and the way of a datagram in and out.
 *
 *	udp_input	length, checksum -> the endpoint that fits best -> its recv,
 *			or "port unreachable"
 *	udp_send	header, checksum -> the family's output
 *
 * Endpoints hang in a hash by local port, which the first one allocates and which grows with their
 * number. recv may close any endpoint, so whoever walks a chain while calling it says what comes
 * next.
 */
#include "inet/udp.h"

#include "inet/icmp.h"
#include "kern/jail.h"
#include "kern/sysctl.h"

#include <errno.h>
#include <stdlib.h>

DROP_DEFINE(DROP_UDP_SHORT, "udp", "tooshort", "datagram is shorter than its header");
DROP_DEFINE(DROP_UDP_BADLEN, "udp", "badlen", "length field does not fit the packet");
DROP_DEFINE(DROP_UDP_BADSUM, "udp", "badsum", "checksum is wrong");
DROP_DEFINE(DROP_UDP_NOSUM, "udp", "nosum", "no checksum, which IPv6 requires");
DROP_DEFINE(DROP_UDP_NOPORT, "udp", "noport", "nobody listens on the port");
DROP_DEFINE(DROP_UDP_NOPORT_BCAST, "udp", "noportbcast",
    "nobody listens on the port of a broadcast or multicast datagram");
DROP_DEFINE(DROP_UDP_NOBUF, "udp", "nobuf", "no memory");

VNET_DEFINE(struct udpstat, udpstat);

VNET_DEFINE_STATIC(bool, udp_blackhole) = false;
VNET_DEFINE_STATIC(bool, udp_checksum) = true;
VNET_DEFINE_STATIC(uint32_t, udp_port_first) = 49152;
VNET_DEFINE_STATIC(uint32_t, udp_port_last) = 65535;
VNET_DEFINE_STATIC(uint32_t, udp_max_endpoints) = 65536;

SYSCTL_VNET_BOOL(net_inet_udp_blackhole, "net.inet.udp.blackhole", SYSCTL_RW, udp_blackhole,
    "don't say port unreachable");
SYSCTL_VNET_BOOL(net_inet_udp_checksum, "net.inet.udp.checksum", SYSCTL_RW, udp_checksum,
    "compute checksums of datagrams made here");
SYSCTL_VNET_UINT(net_inet_ip_portrange_first, "net.inet.ip.portrange.first", SYSCTL_RW,
    udp_port_first, 1, 65535, "first of the ports given to those who ask for none");
SYSCTL_VNET_UINT(net_inet_ip_portrange_last, "net.inet.ip.portrange.last", SYSCTL_RW, udp_port_last,
    1, 65535, "last of the ports given to those who ask for none");
SYSCTL_VNET_UINT(net_inet_udp_maxendpoints, "net.inet.udp.maxendpoints", SYSCTL_RW,
    udp_max_endpoints, 0, 1048576, "endpoints of a stack");

struct udp_endpoint {
	struct udp_endpoint *hnext;
	struct vnet *vnet; /* NULL when the stack has ended */
	const struct ip_family *family;
	struct ipaddr laddr, faddr; /* of the family; zeros = any */
	uint16_t lport, fport;
	uint8_t ttl, tos, fib;
	udp_recv_fn *recv;
	void *ctx;
	void (*error_fn)(void *ctx, int err);
};

/* What a walk that calls recv looks at next; walks may nest. */
struct udp_walk {
	struct udp_endpoint *next;
	struct udp_walk *outer;
};

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

static uint64_t
udp_audit(void)
{
	return __atomic_load_n(&udp_live, __ATOMIC_RELAXED);
}
AUDIT_DEFINE(udp, "udp endpoint", udp_audit);

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

/*
 * Would an endpoint at addr:port be in the way of one that is there? Any address is in the way of
 * everybody of its family.
 */
static bool
in_use(const struct udp_table *t, const struct ipaddr *addr, uint16_t port)
{
	for (const struct udp_endpoint *ep = *bucket_of(t, port); ep != NULL; ep = ep->hnext)
		if (ep->lport == port && ep->laddr.family == addr->family &&
		    (ipaddr_is_any(&ep->laddr) || ipaddr_is_any(addr) ||
			ipaddr_equal(&ep->laddr, addr)))
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

/* Is a datagram from faddr to laddr, of one family, for ep? */
static inline bool
endpoint_fits(const struct udp_endpoint *ep, const struct ipaddr *laddr, const struct ipaddr *faddr,
    uint16_t fport)
{
	return ep->laddr.family == laddr->family &&
	    (ipaddr_is_any(&ep->laddr) || ipaddr_equal(&ep->laddr, laddr)) &&
	    (ipaddr_is_any(&ep->faddr) || (ep->fport == fport && ipaddr_equal(&ep->faddr, faddr)));
}

/*
 * The endpoint for a datagram: connected to its sender before bound to its address before any.
 */
static struct udp_endpoint *
endpoint_for(const struct ipaddr *laddr, uint16_t lport, const struct ipaddr *faddr, uint16_t fport)
{
	struct udp_table *t = V_udp_table;
	struct udp_endpoint *best = NULL;
	int best_score = -1;

	if (t == NULL)
		return NULL;
	for (struct udp_endpoint *ep = *bucket_of(t, lport); ep != NULL; ep = ep->hnext) {
		int score;

		if (ep->lport != lport || !endpoint_fits(ep, laddr, faddr, fport))
			continue;
		score = !ipaddr_is_any(&ep->faddr) * 2 + !ipaddr_is_any(&ep->laddr);
		if (score > best_score) {
			best = ep;
			best_score = score;
		}
	}
	return best;
}

/* --- endpoints -------------------------------------------------------------------------------- */

struct udp_endpoint *
udp_open(const struct ipaddr *addr, uint16_t port, udp_recv_fn *recv, void *ctx)
{
	struct udp_endpoint *ep, **slot;
	struct ipaddr laddr = *addr;
	struct udp_table *t;
	int error = ip_family(addr->family) != NULL && ipaddr_is_multicast(addr) ?
	    0 :
	    ipaddr_bind(curprison, &laddr);

	if (error != 0) {
		errno = -error;
		return NULL;
	}
	if (table_grow() != 0) {
		errno = ENOMEM;
		return NULL;
	}
	t = V_udp_table;
	if (t->n >= VNET(udp_max_endpoints)) {
		errno = ENFILE;
		return NULL;
	}
	if (port == 0 && (port = port_find(t, &laddr)) == 0) {
		errno = EADDRNOTAVAIL;
		return NULL;
	}
	if (in_use(t, &laddr, port)) {
		errno = EADDRINUSE;
		return NULL;
	}
	ep = vnet_malloc(sizeof(*ep));
	if (ep == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	slot = bucket_of(t, port);
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
	t->n++;
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
	struct ipaddr laddr = ep->laddr;

	if (ep->vnet == NULL)
		return -ENETDOWN;
	if (addr->family != ep->family->af)
		return -EAFNOSUPPORT;
	if (ipaddr_is_any(addr) || port == 0)
		return -EADDRNOTAVAIL;
	VNET_SCOPE(ep->vnet);
	if (ipaddr_is_any(&laddr) && !ep->family->source_for(ep->fib, NULL, addr, &laddr))
		return -EHOSTUNREACH;
	ep->laddr = laddr;
	ep->faddr = *addr;
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

/* --- out -------------------------------------------------------------------------------------- */

/* Put the header before the payload in m. NULL (m freed) without memory. */
static struct mbuf *
prepend_header(const struct udp_endpoint *ep, struct mbuf *m, const struct ipaddr *src,
    const struct ipaddr *dst, uint16_t port)
{
	struct udp_hdr *uh;
	uint64_t sum;

	m = m_prepend(m, sizeof(*uh));
	if (m == NULL)
		return NULL;
	uh = mtod(m, struct udp_hdr *);
	*uh = (struct udp_hdr){
		.sport = to_be16(ep->lport),
		.dport = to_be16(port),
		.len = to_be16((uint16_t)m->len),
	};
	/* Over IPv6 there is no doing without (RFC 8200 8.1). */
	if (VNET(udp_checksum) || ep->family->af != AF_INET) {
		sum = ep->family->pseudo_sum(src, dst, IPPROTO_UDP_, m->len);
		uh->sum = cksum_fold(cksum_add(sum, m->data, m->len));
		if (uh->sum == 0) /* that would say "none" */
			uh->sum = UINT16_MAX;
	}
	return m;
}

int
udp_send(struct udp_endpoint *ep, struct mbuf *m, const struct ipaddr *dst, uint16_t port)
{
	struct ip_opts_out o = { .tos = ep->tos, .ttl = ep->ttl };
	const struct ip_family *f = ep->family;
	struct ipaddr src = ep->laddr;
	int error = 0;

	if (dst == NULL) {
		dst = &ep->faddr;
		port = ep->fport;
	}
	if (ep->vnet == NULL)
		error = -ENETDOWN;
	else if (dst->family != f->af)
		error = -EAFNOSUPPORT;
	else if (ipaddr_is_any(dst))
		error = -EDESTADDRREQ;
	else if (m->len > f->maxpayload - sizeof(struct udp_hdr))
		error = -EMSGSIZE;
	if (error != 0) {
		m_free(m);
		return error;
	}
	VNET_SCOPE(ep->vnet);
	/* The checksum covers the source address, so it has to be known now. */
	if ((ipaddr_is_any(&src) || ipaddr_is_multicast(&src)) &&
	    !f->source_for(ep->fib, NULL, dst, &src))
		src = (struct ipaddr){ .family = dst->family };
	m = prepend_header(ep, m, &src, dst, port);
	if (m == NULL) {
		drop_count(&DROP_UDP_NOBUF, 1);
		return -ENOBUFS;
	}
	m->fib = ep->fib;
	V_udpstat.opackets++;
	return f->output(m, &src, dst, IPPROTO_UDP_, &o);
}

/* --- in --------------------------------------------------------------------------------------- */

/* A datagram for everybody goes to every endpoint that it fits. Takes m. */
static void
deliver_to_all(struct mbuf *m, const struct ip_info *info, uint16_t sport, uint16_t dport)
{
	struct udp_table *t = V_udp_table;
	struct udp_walk walk;
	struct udp_endpoint *ep;
	unsigned n = 0;

	if (t != NULL) {
		walk = (struct udp_walk){ *bucket_of(t, dport), t->walk };
		t->walk = &walk;
		while ((ep = walk.next) != NULL) {
			struct mbuf *copy;

			walk.next = ep->hnext;
			if (ep->lport != dport || !endpoint_fits(ep, &info->dst, &info->src, sport))
				continue;
			n++;
			if ((copy = m_dup(m)) == NULL) {
				drop_count(&DROP_UDP_NOBUF, 1);
				continue;
			}
			V_udpstat.delivered++;
			m_adj(copy, info->hlen + (uint32_t)sizeof(struct udp_hdr));
			ep->recv(ep->ctx, copy, info, sport);
		}
		t->walk = walk.outer;
	}
	if (n > 0) {
		m_free(m);
	} else {
		V_udpstat.noportbcast++;
		m_drop(m, &DROP_UDP_NOPORT_BCAST);
	}
}

static inline bool
is_for_everybody(const struct mbuf *m, const struct ipaddr *dst)
{
	return __builtin_expect((m->flags & (M_BCAST | M_MCAST)) != 0, 0) ||
	    ipaddr_is_multicast(dst) ||
	    (dst->family == AF_INET && ipaddr_in(dst) == INADDR_BROADCAST);
}

/* Length and checksum. NULL: right, m is cut to the datagram. */
static const struct drop_reason *
udp_fault(struct mbuf *m, const struct ip_info *info)
{
	const struct udp_hdr *uh = (const void *)(m->data + info->hlen);
	unsigned ulen;

	if (m->len < info->hlen + sizeof(*uh)) {
		V_udpstat.hdrops++;
		return &DROP_UDP_SHORT;
	}
	ulen = from_be16(uh->len);
	if (ulen < sizeof(*uh) || ulen > m->len - info->hlen) {
		V_udpstat.badlen++;
		return &DROP_UDP_BADLEN;
	}
	if (uh->sum == 0) {
		V_udpstat.nosum++;
		if (info->family->af != AF_INET) /* RFC 8200 8.1 */
			return &DROP_UDP_NOSUM;
	} else if (!(m->flags & M_CSUM_OK) &&
	    cksum_fold(cksum_add(
		info->family->pseudo_sum(&info->src, &info->dst, IPPROTO_UDP_, ulen), uh, ulen)) !=
		0) {
		V_udpstat.badsum++;
		return &DROP_UDP_BADSUM;
	}
	m_trim(m, info->hlen + ulen);
	return NULL;
}

void
udp_input(struct mbuf *m, const struct ip_info *info)
{
	const struct udp_hdr *uh = (const void *)(m->data + info->hlen);
	const struct drop_reason *why;
	struct udp_endpoint *ep;
	uint16_t sport;

	V_udpstat.ipackets++;
	if ((why = udp_fault(m, info)) != NULL) {
		m_drop(m, why);
		return;
	}
	sport = from_be16(uh->sport);
	if (is_for_everybody(m, &info->dst)) {
		deliver_to_all(m, info, sport, from_be16(uh->dport));
		return;
	}
	ep = endpoint_for(&info->dst, from_be16(uh->dport), &info->src, sport);
	if (ep == NULL) {
		V_udpstat.noport++;
		if (!VNET(udp_blackhole))
			info->family->port_unreachable(m);
		m_drop(m, &DROP_UDP_NOPORT);
		return;
	}
	V_udpstat.delivered++;
	m_adj(m, info->hlen + (uint32_t)sizeof(*uh));
	ep->recv(ep->ctx, m, info, sport);
}

void
udp_error(const struct ipaddr *src, const struct ipaddr *dst, const struct udp_hdr *uh, int error)
{
	struct udp_endpoint *ep;

	ep = endpoint_for(src, from_be16(uh->sport), dst, from_be16(uh->dport));
	/* Only who has one partner can tell whom the error is about. */
	if (ep != NULL && !ipaddr_is_any(&ep->faddr) && ep->error_fn != NULL)
		ep->error_fn(ep->ctx, -error);
}

/* --- IPv4 ------------------------------------------------------------------------------------- */

static void
udp_input4(struct mbuf *m, unsigned hlen)
{
	struct ip_info info;

	ip_info4(m, hlen, &info);
	udp_input(m, &info);
}

/* The errno value that an ICMP error stands for (RFC 1122 4.1.3.3); 0 = nothing to tell. */
static int
error_of(uint8_t type, uint8_t code)
{
	/* by code of "unreachable" */
	static const uint8_t unreach[] = { EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, ECONNREFUSED,
		EMSGSIZE, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED,
		ECONNREFUSED, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EHOSTUNREACH,
		EHOSTUNREACH };

	if (type == ICMP_UNREACH_ && code < sizeof(unreach))
		return unreach[code];
	return type == ICMP_PARAMPROB_ ? ENOPROTOOPT : 0;
}

static void
udp_ctlinput4(uint8_t type, uint8_t code, uint16_t mtu, const struct ip_hdr *inner, size_t len)
{
	const struct udp_hdr *uh = (const void *)((const uint8_t *)inner + ip_hlen(inner));
	struct ipaddr src = ipaddr4(inner->src), dst = ipaddr4(inner->dst);
	int error = error_of(type, code);

	(void)mtu;
	if (error != 0 && len >= ip_hlen(inner) + sizeof(*uh))
		udp_error(&src, &dst, uh, error);
}
IP_PROTOCOL_DEFINE(udp, .proto = IPPROTO_UDP_, .input = udp_input4, .ctlinput = udp_ctlinput4);

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
