/*
 * icmp_redirect.c - a router tells of a better first hop (RFC 792, RFC 1122 section 3.2.2.2).
 *
 * Believed if it comes from the gateway that is used for the destination now, and names a gateway
 * on the link that it came by. It becomes a host route with the flags D (new) or M (changed):
 * redirects for networks are treated as redirects for the host, since no mask is said. A router
 * does not listen to them (RFC 1812 5.2.7.2).
 */
#include "inet/icmp_redirect.h"

#include "base/log.h"
#include "kern/sysctl.h"

DROP_DEFINE(DROP_ICMP_REDIRECT, "icmp", "redirect",
    "redirect is not from the gateway in use, or leads off the link");
DROP_DEFINE(DROP_ICMP_REDIRECT_OFF, "icmp", "redirectoff", "redirects are not followed here");
DROP_DEFINE(DROP_ICMP_REDIRECT_MANY, "icmp", "redirectmany", "too many routes by redirects");

VNET_DEFINE_STATIC(bool, icmp_drop_redirect) = false;
VNET_DEFINE_STATIC(bool, icmp_log_redirect) = false;
VNET_DEFINE_STATIC(uint32_t, icmp_redirects_max) = 1024;
VNET_DEFINE_STATIC(
    uint32_t, icmp_redirects); /* routes made, an upper bound of those that are there */

SYSCTL_VNET_BOOL(net_inet_icmp_drop_redirect, "net.inet.icmp.drop_redirect", SYSCTL_RW,
    icmp_drop_redirect, "ignore redirects");
SYSCTL_VNET_BOOL(net_inet_icmp_log_redirect, "net.inet.icmp.log_redirect", SYSCTL_RW,
    icmp_log_redirect, "log redirects");
SYSCTL_VNET_UINT(net_inet_icmp_redirects_max, "net.inet.icmp.redirects_max", SYSCTL_RW,
    icmp_redirects_max, 0, 1048576, "routes that redirects may make");

/*
 * RFC 1122 leaves it open how long advice holds; ten minutes is what BSD's routing daemons gave it.
 */
static const uint64_t redirect_life_ns = 600 * NS_PER_SEC;

static int
count_dynamic(struct rtentry *rt, void *ctx)
{
	uint32_t *n = ctx;

	*n += (rt->nh.flags & RTF_DYNAMIC_) != 0;
	return 0;
}

/* Is there room for one more? The routes are counted only when the bound is reached. */
static bool
redirects_room(uint8_t fib)
{
	if (VNET(icmp_redirects) < VNET(icmp_redirects_max))
		return true;
	VNET(icmp_redirects) = 0;
	rib_walk(fib, AF_INET, count_dynamic, &VNET(icmp_redirects));
	return VNET(icmp_redirects) < VNET(icmp_redirects_max);
}

/* The next hop that is in use for dst may be replaced by gateway, says `from`. */
static bool
is_believable(const struct mbuf *m, uint32_t from, uint32_t dst, uint32_t gateway)
{
	struct nexthop *found;
	const struct nexthop *nh;
	uint8_t first = (uint8_t)(dst & 0xff);
	unsigned at = 0;

	if (m->rcvif == NULL || first == 0 || first == 127 || first >= 224 ||
	    in_local(dst) != NULL || in_local(gateway) != NULL ||
	    in_ifaddr_for(m->rcvif, gateway) == NULL)
		return false;
	found = fib_lookup4(m->fib, dst);
	while ((nh = nexthop_path(found, &dst, &at)) != NULL)
		if ((nh->flags & RTF_GATEWAY_) && nh->gw4 == from && nh->ifp == m->rcvif)
			return gateway != from;
	return false;
}

/* Install the host route. 0 or -errno. */
static int
redirect_install(const struct mbuf *m, uint32_t dst, uint32_t gateway)
{
	struct rt_request rq = {
		.dst = rt_addr_make(AF_INET, &dst, 32),
		.gateway = rt_addr_make(AF_INET, &gateway, 32),
		.ifp = m->rcvif,
		.flags = RTF_GATEWAY_ | RTF_HOST_ | RTF_DYNAMIC_,
		.expire_ns = clock_now() + redirect_life_ns,
		.fib = m->fib,
	};
	int error;

	if (rib_exact(m->fib, &rq.dst) != NULL) {
		/* A route by hand stays a route by hand: it only gets another gateway. */
		rq.flags = RTF_GATEWAY_ | RTF_HOST_ | RTF_MODIFIED_;
		rq.expire_ns = 0;
		error = rib_change(&rq, NULL);
		if (error == 0)
			V_rtstat.newgateway++;
		return error;
	}
	error = rib_add(&rq, NULL);
	if (error == 0) {
		VNET(icmp_redirects)++;
		V_rtstat.dynamic++;
	}
	return error;
}

void
icmp_redirect_input(struct mbuf *m, unsigned hlen)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	const struct ip_hdr *inner = (const void *)(icmp + 1);
	const struct drop_reason *why = NULL;
	char dst[16], gw[16], from[16];

	if (VNET(icmp_log_redirect) && m->len >= hlen + sizeof(*icmp) + sizeof(*inner))
		log_msg(LOG_LVL_INFO, "icmp redirect from %s: %s => %s", in_ntoa(ip->src, from),
		    in_ntoa(inner->dst, dst), in_ntoa(icmp->gateway, gw));
	if (icmp->code > 3) {
		V_icmpstat.badcode++;
		why = &DROP_ICMP_REDIRECT;
	} else if (m->len < hlen + sizeof(*icmp) + sizeof(*inner) + 8) {
		V_icmpstat.badlen++;
		why = &DROP_ICMP_REDIRECT;
	} else if (V_ip_forwarding || VNET(icmp_drop_redirect)) {
		why = &DROP_ICMP_REDIRECT_OFF;
	} else if (!is_believable(m, ip->src, inner->dst, icmp->gateway)) {
		V_rtstat.badredirect++;
		why = &DROP_ICMP_REDIRECT;
	} else if (!redirects_room(m->fib)) {
		why = &DROP_ICMP_REDIRECT_MANY;
	} else if (redirect_install(m, inner->dst, icmp->gateway) != 0) {
		V_rtstat.badredirect++;
		why = &DROP_ICMP_REDIRECT;
	}
	if (why != NULL)
		m_drop(m, why);
	else
		m_free(m);
}
