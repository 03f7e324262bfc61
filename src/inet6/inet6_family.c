/*
 * inet6_family.c - IPv6 as a family: what UDP, ping, traceroute, multicast and traffic ask of it
 * (struct ip_family, inet/ipaddr.h). IPv4's is in inet/ipaddr.c.
 */
#include "inet6/icmp6.h"
#include "inet6/in6.h"
#include "inet6/ip6.h"
#include "inet6/nd6.h"
#include "kern/jail.h"

uint64_t
ip6_pseudo_sum(const struct in6 *src, const struct in6 *dst, uint8_t proto, uint32_t len)
{
	struct in6 s = *src, d = *dst;
	uint64_t sum;

	/* A zone is ours alone: the wire has zeros there, and the sum is over the wire. */
	in6_clear(&s);
	in6_clear(&d);
	sum = cksum_add(0, &s, sizeof(s));
	sum = cksum_add(sum, &d, sizeof(d));
	return sum + __builtin_bswap32(len) + ((uint32_t)proto << 24);
}

static int
inet6_output(struct mbuf *m, const struct ipaddr *src, const struct ipaddr *dst, uint8_t proto,
    const struct ip_opts_out *o)
{
	return ip6_output(m, ipaddr_in6(src), ipaddr_in6(dst), proto, o);
}

static int
inet6_source_for(uint8_t fib, struct ifnet *ifp, const struct ipaddr *dst, struct ipaddr *src)
{
	struct in6 chosen;
	int error = ip6_source_for(fib, ifp, ipaddr_in6(dst), &chosen);

	if (error == 0)
		*src = ipaddr6(&chosen);
	return error;
}

static bool
inet6_is_ours(const struct ipaddr *a)
{
	const struct in6_ifaddr *ia = in6_local(ipaddr_in6(a));

	return ia != NULL && !(ia->flags & IN6_IFF_NOTREADY);
}

static uint64_t
inet6_pseudo_sum(const struct ipaddr *src, const struct ipaddr *dst, uint8_t proto, uint32_t len)
{
	return ip6_pseudo_sum(ipaddr_in6(src), ipaddr_in6(dst), proto, len);
}

static bool
inet6_prison_ok(const struct prison *pr, const struct ipaddr *a)
{
	return prison_ip6_ok(pr, a->b);
}

static bool
inet6_prison_first(const struct prison *pr, struct ipaddr *a)
{
	/* A jail that may use what its parent may is as restricted as that. */
	while (jailed_without_vnet(pr) && !pr->ip6_restricted)
		pr = pr->parent;
	if (!pr->ip6_restricted || pr->ip6_n == 0)
		return false;
	*a = ipaddr6((const struct in6 *)(const void *)pr->ip6[0]);
	return true;
}

static void
inet6_port_unreachable(const struct mbuf *m)
{
	icmp6_error(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_PORT, 0);
}

/* Types below 128 are errors (RFC 4443 2.1). */
static bool
inet6_quoted(const struct mbuf *m, unsigned off, struct ip_quoted *q)
{
	const struct icmp6_hdr *icmp = (const void *)(m->data + off);
	const struct ip6_hdr *inner = (const void *)(icmp + 1);
	unsigned left = m->len - off - (unsigned)sizeof(*icmp);
	struct in6 src, dst;
	int upper;

	if (icmp->type >= ICMP6_ECHO_REQUEST_ || left < sizeof(*inner))
		return false;
	*q = (struct ip_quoted){ .ip = off + (unsigned)sizeof(*icmp) };
	upper = ip6_upper(inner, left, &q->proto);
	if (upper < 0 || (unsigned)upper + 8 > left)
		return false;
	src = ip6_zoned(&inner->src, m->rcvif);
	dst = ip6_zoned(&inner->dst, m->rcvif);
	q->src = ipaddr6(&src);
	q->dst = ipaddr6(&dst);
	q->upper = q->ip + (unsigned)upper;
	return true;
}

static void
inet6_confirm(uint8_t fib, const struct ipaddr *dst)
{
	nd6_confirm(fib, ipaddr_in6(dst));
}

IP_FAMILY_DEFINE(inet6, .af = AF_INET6, .name = "inet6", .hdrlen = IP6_HDRLEN,
    .icmp_proto = IPPROTO_ICMPV6_, .icmp_name = "icmp6", .echo = ICMP6_ECHO_REQUEST_,
    .reply = ICMP6_ECHO_REPLY_, .unreach = ICMP6_DST_UNREACH_, .timxceed = ICMP6_TIME_EXCEEDED_,
    .unreach_port = ICMP6_UNREACH_PORT, .icmp_pseudo = true, .info = ip6_info,
    .quoted = inet6_quoted, .output = inet6_output, .source_for = inet6_source_for,
    .is_ours = inet6_is_ours, .pseudo_sum = inet6_pseudo_sum, .prison_ok = inet6_prison_ok,
    .prison_first = inet6_prison_first, .port_unreachable = inet6_port_unreachable,
    .confirm = inet6_confirm, .maxpayload = IPV6_MAXPACKET_);
