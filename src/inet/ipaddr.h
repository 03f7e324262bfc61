/*
 * ipaddr.h - an IP address of either family, and what those above IP need of a family.
 *
 * UDP, ping, traceroute, multicast memberships, lab traffic and the tools are written once, over
 * struct ipaddr and struct ip_family; inet/ and inet6/ each register their family in a linker set.
 * An IPv6 address carries its zone as net/in6addr.h says.
 */
#ifndef WARREN_INET_IPADDR_H
#define WARREN_INET_IPADDR_H

#include "base/linkerset.h"
#include "base/mbuf.h"
#include "net/in6addr.h"

#include <sys/socket.h>

struct ifnet;
struct ip_opts_out;
struct prison;

struct ipaddr {
	uint8_t family; /* AF_INET, AF_INET6; 0 = none: "any" of a family that is still open */
	uint8_t b[16];  /* network order; IPv4 in the first four, the rest zero */
};
enum { IPADDR_TEXT = IN6_TEXT };

static inline struct ipaddr
ipaddr4(uint32_t addr)
{
	struct ipaddr a = { .family = AF_INET };

	store32(a.b, addr);
	return a;
}
static inline struct ipaddr
ipaddr6(const struct in6 *addr)
{
	struct ipaddr a = { .family = AF_INET6 };

	memcpy(a.b, addr->b, sizeof(a.b));
	return a;
}
static inline uint32_t
ipaddr_in(const struct ipaddr *a)
{
	return load32(a->b);
}
static inline const struct in6 *
ipaddr_in6(const struct ipaddr *a)
{
	return (const struct in6 *)(const void *)a->b;
}
/* 0.0.0.0, ::, or no family. */
static inline bool
ipaddr_is_any(const struct ipaddr *a)
{
	return (load64(a->b) | load64(a->b + 8)) == 0;
}
static inline bool
ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family &&
	    ((load64(a->b) ^ load64(b->b)) | (load64(a->b + 8) ^ load64(b->b + 8))) == 0;
}
static inline bool
ipaddr_is_multicast(const struct ipaddr *a)
{
	return a->family == AF_INET ? (a->b[0] & 0xf0) == 0xe0 :
				      a->family == AF_INET6 && a->b[0] == 0xff;
}
/* The zone of an address that has none but needs one (net/in6addr.h). */
static inline void
ipaddr_set_zone(struct ipaddr *a, uint32_t ifindex)
{
	if (a->family == AF_INET6 && in6_zone(ipaddr_in6(a)) == 0)
		in6_embed((struct in6 *)(void *)a->b, ifindex);
}
/* Total order for sorted output: family, then bytes. */
int ipaddr_compare(const struct ipaddr *a, const struct ipaddr *b);

/*
 * The text of an address ("10.0.0.1", "2001:db8::1", "fe80::1%em0") or a name of the hosts table;
 * family AF_INET or AF_INET6 takes that family only, AF_UNSPEC either (a name with both: IPv4).
 * False if it is neither.
 */
bool ipaddr_resolve(const char *word, int family, struct ipaddr *a);
/* Text only, no names. */
bool ipaddr_aton(const char *word, int family, struct ipaddr *a);
const char *ipaddr_ntoa(const struct ipaddr *a, char text[IPADDR_TEXT]);

/*
 * The process's hosts table, one address of each family a name: a lab names its nodes here. A name
 * added again with the same family gets the new address. 0, -EINVAL (empty, or looks like an
 * address), -ENOMEM. in_hosts_* of inet/in.h is the same table, IPv4 only.
 */
int ip_hosts_add(const char *name, const struct ipaddr *a);
void ip_hosts_clear(void);
/* The first name that an address got; NULL. Borrowed. */
const char *ip_hosts_name(const struct ipaddr *a);

/*
 * What a received packet's IP header says, for protocols that serve both families: filled by the
 * family before it calls them.
 */
struct ip_info {
	const struct ip_family *family;
	struct ipaddr src, dst; /* with zones */
	uint8_t ttl;            /* or hop limit */
	uint8_t tos;            /* or traffic class */
	unsigned hlen;          /* bytes before the upper header */
};
/* What an ICMP error quotes; offsets from m->data. */
struct ip_quoted {
	struct ipaddr src, dst; /* with zones */
	uint8_t proto;
	unsigned ip,
	    upper; /* its IP header; the upper header, of which at least 8 bytes are there */
};

/* What a family does for those above it. All in curvnet. */
struct ip_family {
	int af;
	const char *name;      /* "inet", "inet6" */
	uint8_t hdrlen;        /* 20, 40 */
	uint8_t icmp_proto;    /* 1, 58 */
	const char *icmp_name; /* "icmp", "icmp6" */
	/* types of ICMP messages, and the code of "port unreachable" */
	uint8_t echo, reply, unreach, timxceed;
	uint8_t unreach_port;
	bool icmp_pseudo; /* ICMP's sum covers the pseudo-header */
	/*
	 * Send a payload: prepends the header. src any = by route (IPv6: RFC 6724). Takes m. 0 or
	 * -errno as ip_output says.
	 */
	int (*output)(struct mbuf *m, const struct ipaddr *src, const struct ipaddr *dst,
	    uint8_t proto, const struct ip_opts_out *o);
	/*
	 * The source that output would choose; ifp NULL = by route. 0; -EADDRNOTAVAIL: there is a
	 * way, but no address is ready for it; else -errno: no way.
	 */
	int (*source_for)(
	    uint8_t fib, struct ifnet *ifp, const struct ipaddr *dst, struct ipaddr *src);
	/* Is it an address of this stack that may be used (not tentative)? */
	bool (*is_ours)(const struct ipaddr *a);
	/* Sum of the pseudo-header for cksum_fold; len in host order. */
	uint64_t (*pseudo_sum)(
	    const struct ipaddr *src, const struct ipaddr *dst, uint8_t proto, uint32_t len);
	/*
	 * May the jail use the address (any: may it use all); and the first one that it has, false
	 * if it has none of its own.
	 */
	bool (*prison_ok)(const struct prison *pr, const struct ipaddr *a);
	bool (*prison_first)(const struct prison *pr, struct ipaddr *a);
	/*
	 * Answer m (data at its IP header) with "port unreachable"; borrows m.
	 */
	void (*port_unreachable)(const struct mbuf *m);
	/* A received packet's header; hlen: bytes before the upper one. */
	void (*info)(const struct mbuf *m, unsigned hlen, struct ip_info *info);
	/* Is it an ICMP error, and what does it quote? off: bytes before the ICMP header. */
	bool (*quoted)(const struct mbuf *m, unsigned off, struct ip_quoted *q);
	/* An answer of dst came: the way there works (RFC 4861 7.3.1). NULL: nobody wants to know. */
	void (*confirm)(uint8_t fib, const struct ipaddr *dst);
	/* Largest datagram's payload behind the IP header: 65,515 and 65,535. */
	uint32_t maxpayload;
};
#define IP_FAMILY_DEFINE(ident, ...)                                                               \
	static const struct ip_family ipfamily_of_##ident = { __VA_ARGS__ };                       \
	LINKERSET_ADD(ip_family, ipfamily_of_##ident)
/* NULL for a family that isn't there. */
const struct ip_family *ip_family(int af);
/* Sum of an ICMP message (its sum field as it is): 0 = right. */
uint16_t ip_icmp_sum(const struct ip_family *f, const struct ipaddr *src, const struct ipaddr *dst,
    const void *icmp, uint32_t len);
/*
 * The source of what a program in jail pr (NULL = none) sends: *a must be an address of ours and of
 * the jail; any stays any, or becomes the jail's first. 0, -EADDRNOTAVAIL, -EAFNOSUPPORT (no such
 * family, or the jail has no address of it).
 */
int ipaddr_bind(const struct prison *pr, struct ipaddr *a);

void ip_info4(const struct mbuf *m, unsigned hlen, struct ip_info *info);

#endif
