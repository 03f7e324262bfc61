/*
 * udp.c - UDP (RFC 768, RFC 1122 section 4.1): endpoints, and the way of a datagram in and out.
 *
 *	udp_input	length, checksum -> the endpoint that fits best -> its recv,
 *			or "port unreachable"
 *	udp_send	header, checksum -> ip_output
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
	struct vnet *vnet;     /* NULL when the stack has ended */
	uint32_t laddr, faddr; /* 0 = any */
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
 * Would an endpoint at addr:port be in the way of one that is there? Any address is in everybody's
 * way.
 */
static bool
in_use(const struct udp_table *t, uint32_t addr, uint16_t port)
{
	for (const struct udp_endpoint *ep = *bucket_of(t, port); ep != NULL; ep = ep->hnext)
		if (ep->lport == port && (ep->laddr == 0 || addr == 0 || ep->laddr == addr))
			return true;
	return false;
}

/* The next free port in order: the same at every run. 0 = all are taken. */
static uint16_t
port_find(struct udp_table *t, uint32_t addr)
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

/*
 * The endpoint for a datagram: connected to its sender before bound to its address before any.
 */
static struct udp_endpoint *
endpoint_for(uint32_t laddr, uint16_t lport, uint32_t faddr, uint16_t fport)
{
	struct udp_table *t = V_udp_table;
	struct udp_endpoint *best = NULL;
	int best_score = -1;

	if (t == NULL)
		return NULL;
	for (struct udp_endpoint *ep = *bucket_of(t, lport); ep != NULL; ep = ep->hnext) {
		int score;

		if (ep->lport != lport || (ep->laddr != 0 && ep->laddr != laddr) ||
		    (ep->faddr != 0 && (ep->faddr != faddr || ep->fport != fport)))
			continue;
		score = (ep->faddr != 0) * 2 + (ep->laddr != 0);
		if (score > best_score) {
			best = ep;
			best_score = score;
		}
	}
	return best;
}

/* --- endpoints -------------------------------------------------------------------------------- */

struct udp_endpoint *
udp_open(uint32_t addr, uint16_t port, udp_recv_fn *recv, void *ctx)
{
	struct udp_endpoint *ep, **slot;
	struct udp_table *t;

	/* A jail without a stack of its own speaks only with its own addresses (behaviours 46). */
	if (curprison != NULL && curprison->ip4_restricted && addr == 0 && curprison->ip4_n > 0)
		addr = curprison->ip4[0];
	if (addr != 0 &&
	    ((in_local(addr) == NULL && !in_is_multicast(addr)) ||
		(curprison != NULL && !prison_ip4_ok(curprison, addr)))) {
		errno = EADDRNOTAVAIL;
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
	if (port == 0 && (port = port_find(t, addr)) == 0) {
		errno = EADDRNOTAVAIL;
		return NULL;
	}
	if (in_use(t, addr, port)) {
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
		.laddr = addr,
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
udp_connect(struct udp_endpoint *ep, uint32_t addr, uint16_t port, void (*error_fn)(void *, int))
{
	uint32_t laddr = ep->laddr;

	if (ep->vnet == NULL)
		return -ENETDOWN;
	if (addr == 0 || port == 0)
		return -EADDRNOTAVAIL;
	VNET_SCOPE(ep->vnet);
	if (laddr == 0 && (laddr = ip_source_for(ep->fib, addr)) == 0)
		return -EHOSTUNREACH;
	ep->laddr = laddr;
	ep->faddr = addr;
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

int
udp_send(struct udp_endpoint *ep, struct mbuf *m, uint32_t dst, uint16_t port)
{
	struct ip_opts_out o = { .tos = ep->tos, .ttl = ep->ttl };
	struct udp_hdr *uh;
	uint32_t src = ep->laddr;
	uint64_t sum;

	if (ep->vnet == NULL) {
		m_free(m);
		return -ENETDOWN;
	}
	if (dst == 0) {
		dst = ep->faddr;
		port = ep->fport;
	}
	if (dst == 0 || m->len > IP_MAXPACKET_ - sizeof(struct ip_hdr) - sizeof(*uh)) {
		m_free(m);
		return dst == 0 ? -EDESTADDRREQ : -EMSGSIZE;
	}
	VNET_SCOPE(ep->vnet);
	/* The checksum covers the source address, so it has to be known now. */
	if (src == 0 || in_is_multicast(src))
		src = ip_source_for(ep->fib, dst);
	m = m_prepend(m, sizeof(*uh));
	if (m == NULL) {
		drop_count(&DROP_UDP_NOBUF, 1);
		return -ENOBUFS;
	}
	m->fib = ep->fib;
	uh = mtod(m, struct udp_hdr *);
	*uh = (struct udp_hdr){
		.sport = to_be16(ep->lport),
		.dport = to_be16(port),
		.len = to_be16((uint16_t)m->len),
	};
	if (VNET(udp_checksum)) {
		sum = ip_pseudo_sum(src, dst, IPPROTO_UDP_, (uint16_t)m->len);
		uh->sum = cksum_fold(cksum_add(sum, m->data, m->len));
		if (uh->sum == 0) /* that would say "none" */
			uh->sum = UINT16_MAX;
	}
	V_udpstat.opackets++;
	return ip_output(m, src, dst, IPPROTO_UDP_, &o);
}

/* --- in --------------------------------------------------------------------------------------- */

/* A datagram for everybody goes to every endpoint that it fits. Takes m. */
static void
deliver_to_all(
    struct mbuf *m, unsigned hlen, const struct ip_hdr *ip, uint16_t sport, uint16_t dport)
{
	struct udp_table *t = V_udp_table;
	uint32_t src = ip->src, dst = ip->dst;
	struct udp_walk walk;
	struct udp_endpoint *ep;
	unsigned n = 0;

	if (t != NULL) {
		walk = (struct udp_walk){ *bucket_of(t, dport), t->walk };
		t->walk = &walk;
		while ((ep = walk.next) != NULL) {
			struct mbuf *copy;

			walk.next = ep->hnext;
			if (ep->lport != dport || (ep->laddr != 0 && ep->laddr != dst) ||
			    (ep->faddr != 0 && (ep->faddr != src || ep->fport != sport)))
				continue;
			n++;
			if ((copy = m_dup(m)) == NULL) {
				drop_count(&DROP_UDP_NOBUF, 1);
				continue;
			}
			V_udpstat.delivered++;
			m_adj(copy, hlen + (uint32_t)sizeof(struct udp_hdr));
			ep->recv(ep->ctx, copy, src, sport, dst);
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

/* Length and checksum. NULL: right, m is cut to the datagram. */
static const struct drop_reason *
udp_fault(struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct udp_hdr *uh = (const void *)(m->data + hlen);
	unsigned ulen;

	if (m->len < hlen + sizeof(*uh)) {
		V_udpstat.hdrops++;
		return &DROP_UDP_SHORT;
	}
	ulen = from_be16(uh->len);
	if (ulen < sizeof(*uh) || ulen > m->len - hlen) {
		V_udpstat.badlen++;
		return &DROP_UDP_BADLEN;
	}
	if (uh->sum == 0) {
		V_udpstat.nosum++;
	} else if (!(m->flags & M_CSUM_OK) &&
	    cksum_fold(cksum_add(
		ip_pseudo_sum(ip->src, ip->dst, IPPROTO_UDP_, (uint16_t)ulen), uh, ulen)) != 0) {
		V_udpstat.badsum++;
		return &DROP_UDP_BADSUM;
	}
	m_trim(m, hlen + ulen);
	return NULL;
}

static void
udp_input(struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct udp_hdr *uh = (const void *)(m->data + hlen);
	const struct drop_reason *why;
	struct udp_endpoint *ep;
	uint32_t src, dst;
	uint16_t sport;

	V_udpstat.ipackets++;
	if ((why = udp_fault(m, hlen)) != NULL) {
		m_drop(m, why);
		return;
	}
	src = ip->src;
	dst = ip->dst;
	sport = from_be16(uh->sport);
	if (__builtin_expect((m->flags & (M_BCAST | M_MCAST)) != 0, 0) || in_is_multicast(dst) ||
	    dst == 0xffffffff) {
		deliver_to_all(m, hlen, ip, sport, from_be16(uh->dport));
		return;
	}
	ep = endpoint_for(dst, from_be16(uh->dport), src, sport);
	if (ep == NULL) {
		V_udpstat.noport++;
		if (!VNET(udp_blackhole))
			icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_PORT_, 0);
		m_drop(m, &DROP_UDP_NOPORT);
		return;
	}
	V_udpstat.delivered++;
	m_adj(m, hlen + (uint32_t)sizeof(*uh));
	ep->recv(ep->ctx, m, src, sport, dst);
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
udp_ctlinput(uint8_t type, uint8_t code, uint16_t mtu, const struct ip_hdr *inner, size_t len)
{
	const struct udp_hdr *uh = (const void *)((const uint8_t *)inner + ip_hlen(inner));
	struct udp_endpoint *ep;
	int error = error_of(type, code);

	(void)mtu;
	if (error == 0 || len < ip_hlen(inner) + sizeof(*uh))
		return;
	ep = endpoint_for(inner->src, from_be16(uh->sport), inner->dst, from_be16(uh->dport));
	/* Only who has one partner can tell whom the error is about. */
	if (ep != NULL && ep->faddr != 0 && ep->error_fn != NULL)
		ep->error_fn(ep->ctx, -error);
}
IP_PROTOCOL_DEFINE(udp, .proto = IPPROTO_UDP_, .input = udp_input, .ctlinput = udp_ctlinput);

/* --- lists, end ------------------------------------------------------------------------------- */

static int
info_compare(const void *a, const void *b)
{
	const struct udp_info *x = a, *y = b;

	if (x->lport != y->lport)
		return x->lport < y->lport ? -1 : 1;
	return memcmp(&x->laddr, &y->laddr, sizeof(x->laddr));
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
