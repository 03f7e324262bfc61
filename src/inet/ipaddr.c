/*
 * ipaddr.c - addresses of either family: text, order; and IPv4 as a family.
 */
#include "inet/ipaddr.h"

#include "inet/icmp.h"
#include "inet/ip.h"
#include "kern/jail.h"

#include <errno.h>
#include <string.h>

LINKERSET_DECLARE(ip_family, const struct ip_family);

const struct ip_family *
ip_family(int af)
{
	const struct ip_family *const *f;

	LINKERSET_FOREACH(f, ip_family)
		if ((*f)->af == af)
			return *f;
	return NULL;
}

int
ipaddr_compare(const struct ipaddr *a, const struct ipaddr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool
ipaddr_aton(const char *word, int family, struct ipaddr *a)
{
	struct in6 addr6;
	uint32_t addr4;

	if (family != AF_INET6 && in_aton(word, &addr4)) {
		*a = ipaddr4(addr4);
		return true;
	}
	if (family != AF_INET && in6_aton(word, &addr6)) {
		*a = ipaddr6(&addr6);
		return true;
	}
	return false;
}

const char *
ipaddr_ntoa(const struct ipaddr *a, char text[IPADDR_TEXT])
{
	if (a->family == AF_INET)
		return in_ntoa(ipaddr_in(a), text);
	if (a->family == AF_INET6)
		return in6_ntoa(ipaddr_in6(a), text);
	return memcpy(text, "*", 2);
}

uint16_t
ip_icmp_sum(const struct ip_family *f, const struct ipaddr *src, const struct ipaddr *dst,
    const void *icmp, uint32_t len)
{
	uint64_t sum = f->icmp_pseudo ? f->pseudo_sum(src, dst, f->icmp_proto, len) : 0;

	return cksum_fold(cksum_add(sum, icmp, len));
}

int
ipaddr_bind(const struct prison *pr, struct ipaddr *a)
{
	const struct ip_family *f = ip_family(a->family);

	if (f == NULL)
		return -EAFNOSUPPORT;
	/* A jail without a stack of its own speaks only with its own addresses (behaviours 46). */
	if (ipaddr_is_any(a) && pr != NULL && !f->prison_ok(pr, a) && !f->prison_first(pr, a))
		return -EAFNOSUPPORT;
	if (ipaddr_is_any(a))
		return 0;
	return f->is_ours(a) && (pr == NULL || f->prison_ok(pr, a)) ? 0 : -EADDRNOTAVAIL;
}

/* --- IPv4 as a family -------------------------------------------------------------------------- */

static int
inet_output(struct mbuf *m, const struct ipaddr *src, const struct ipaddr *dst, uint8_t proto,
    const struct ip_opts_out *o)
{
	return ip_output(m, ipaddr_in(src), ipaddr_in(dst), proto, o);
}

static int
inet_source_for(uint8_t fib, struct ifnet *ifp, const struct ipaddr *dst, struct ipaddr *src)
{
	*src = ipaddr4(ip_source_for(fib, ifp, ipaddr_in(dst)));
	return ipaddr_is_any(src) ? -EHOSTUNREACH : 0;
}

static bool
inet_is_ours(const struct ipaddr *a)
{
	return in_local(ipaddr_in(a)) != NULL;
}

static uint64_t
inet_pseudo_sum(const struct ipaddr *src, const struct ipaddr *dst, uint8_t proto, uint32_t len)
{
	return ip_pseudo_sum(ipaddr_in(src), ipaddr_in(dst), proto, (uint16_t)len);
}

static bool
inet_prison_ok(const struct prison *pr, const struct ipaddr *a)
{
	return prison_ip4_ok(pr, ipaddr_in(a));
}

static bool
inet_prison_first(const struct prison *pr, struct ipaddr *a)
{
	/* A jail that may use what its parent may is as restricted as that. */
	while (jailed_without_vnet(pr) && !pr->ip4_restricted)
		pr = pr->parent;
	if (!pr->ip4_restricted || pr->ip4_n == 0)
		return false;
	*a = ipaddr4(pr->ip4[0]);
	return true;
}

static void
inet_port_unreachable(const struct mbuf *m)
{
	icmp_error(m, ICMP_UNREACH_, ICMP_UNREACH_PORT_, 0);
}

/* Errors are the types that quote a packet; a redirect does, too. */
static bool
inet_quoted(const struct mbuf *m, unsigned off, struct ip_quoted *q)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + off);
	const struct ip_hdr *inner = (const void *)(icmp + 1);
	unsigned left = m->len - off - (unsigned)sizeof(*icmp);

	switch (icmp->type) {
	case ICMP_UNREACH_:
	case ICMP_SOURCEQUENCH_:
	case ICMP_REDIRECT_:
	case ICMP_TIMXCEED_:
	case ICMP_PARAMPROB_:
		break;
	default:
		return false;
	}
	if (left < sizeof(*inner) || ip_hlen(inner) < sizeof(*inner) || left < ip_hlen(inner) + 8)
		return false;
	*q = (struct ip_quoted){
		.src = ipaddr4(inner->src),
		.dst = ipaddr4(inner->dst),
		.proto = inner->proto,
		.ip = off + (unsigned)sizeof(*icmp),
		.upper = off + (unsigned)sizeof(*icmp) + ip_hlen(inner),
	};
	return true;
}

IP_FAMILY_DEFINE(inet, .af = AF_INET, .name = "inet", .hdrlen = sizeof(struct ip_hdr),
    .icmp_proto = IPPROTO_ICMP_, .icmp_name = "icmp", .echo = ICMP_ECHO_, .reply = ICMP_ECHOREPLY_,
    .unreach = ICMP_UNREACH_, .timxceed = ICMP_TIMXCEED_, .unreach_port = ICMP_UNREACH_PORT_,
    .output = inet_output, .source_for = inet_source_for, .is_ours = inet_is_ours,
    .pseudo_sum = inet_pseudo_sum, .prison_ok = inet_prison_ok, .prison_first = inet_prison_first,
    .port_unreachable = inet_port_unreachable, .info = ip_info4, .quoted = inet_quoted,
    .maxpayload = IP_MAXPACKET_ - sizeof(struct ip_hdr));

void
ip_info4(const struct mbuf *m, unsigned hlen, struct ip_info *info)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	*info = (struct ip_info){
		.family = &ipfamily_of_inet,
		.src = ipaddr4(ip->src),
		.dst = ipaddr4(ip->dst),
		.ttl = ip->ttl,
		.tos = ip->tos,
		.hlen = hlen,
	};
}
