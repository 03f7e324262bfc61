/*
 * nd6_redirect.c - a router tells of a better first hop (RFC 4861 8).
 *
 * In: believed by hosts, if it comes from the router that is used for the destination now, and
 * names a router on the link, or the destination itself, which then is on the link (8.1). It
 * becomes a host route with the flags D (new) or M (changed). A router does not listen to them.
 *
 * Out: to a neighbour whose packet goes back to the link that it came by, if the next hop can be
 * named: by a link-local address, or because it is the destination (8.2). It carries the next hop's
 * link address, if known, and as much of the packet as fits.
 */
#include "base/log.h"
#include "inet6/nd6_internal.h"
#include "kern/sysctl.h"

#include <string.h>

DROP_DEFINE(DROP_ND6_REDIRECT, "nd6", "redirect",
    "redirect is not from the router in use, or leads off the link");
DROP_DEFINE(DROP_ND6_REDIRECT_OFF, "nd6", "redirectoff", "redirects are not followed here");
DROP_DEFINE(DROP_ND6_REDIRECT_MANY, "nd6", "redirectmany", "too many routes by redirects");

VNET_DEFINE_STATIC(bool, nd6_rediraccept) = true;
VNET_DEFINE_STATIC(uint32_t, nd6_redirtimeout) = 600;
VNET_DEFINE_STATIC(uint32_t, nd6_maxdynroutes) = 4096;
VNET_DEFINE_STATIC(uint32_t, nd6_dynroutes); /* an upper bound of those that are there */

SYSCTL_VNET_BOOL(net_inet6_icmp6_rediraccept, "net.inet6.icmp6.rediraccept", SYSCTL_RW,
    nd6_rediraccept, "follow redirects, if this stack does not forward");
SYSCTL_VNET_UINT(net_inet6_icmp6_redirtimeout, "net.inet6.icmp6.redirtimeout", SYSCTL_RW,
    nd6_redirtimeout, 1, 86400 * 365, "seconds that a route by a redirect lives");
SYSCTL_VNET_UINT(net_inet6_ip6_maxdynroutes, "net.inet6.ip6.maxdynroutes", SYSCTL_RW,
    nd6_maxdynroutes, 0, 1048576, "routes that redirects may make");

/* --- in --------------------------------------------------------------------------------------- */

static int
count_dynamic(struct rtentry *rt, void *ctx)
{
	uint32_t *n = ctx;

	*n += (rt->nh.flags & RTF_DYNAMIC_) != 0;
	return 0;
}

/* Is there room for one more? The routes are counted only when the bound is reached. */
static bool
has_room(uint8_t fib)
{
	if (VNET(nd6_dynroutes) < VNET(nd6_maxdynroutes))
		return true;
	VNET(nd6_dynroutes) = 0;
	rib_walk(fib, AF_INET6, count_dynamic, &VNET(nd6_dynroutes));
	return VNET(nd6_dynroutes) < VNET(nd6_maxdynroutes);
}

/* What is wrong with the message itself (8.1); NULL = nothing. */
static const struct drop_reason *
redirect_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, struct nd6_opts *o)
{
	const struct nd_redirect *rd = (const void *)(m->data + off);
	const struct drop_reason *why = nd6_message_fault(m, off, info, sizeof(*rd));

	if (why != NULL)
		return why;
	/* routers are known by their link-local addresses */
	if (!in6_is_linklocal(ipaddr_in6(&info->src)) || in6_is_multicast(&rd->dst) ||
	    in6_is_any(&rd->dst) || in6_is_linklocal(&rd->dst) ||
	    (!in6_is_linklocal(&rd->target) && !in6_equal(&rd->target, &rd->dst)))
		return &DROP_ND6_BAD;
	if (!nd6_options((const uint8_t *)(rd + 1), m->len - off - sizeof(*rd), o))
		return &DROP_ND6_OPTIONS;
	if (o->lladdr[ND_OPT_TARGET_LL] != NULL && (o->lladdr[ND_OPT_TARGET_LL][0] & 1))
		return &DROP_ND6_LLADDR;
	return NULL;
}

/* A redirect that is right, with zones. */
struct redirect {
	struct ifnet *ifp;
	uint8_t fib;
	struct in6 from, target, dst;
	const uint8_t *lladdr; /* of the target; NULL */
};

static bool
is_onlink_redirect(const struct redirect *r)
{
	return in6_equal(&r->target, &r->dst);
}

/* Does the router that sends it forward for dst now, and is the target somebody else? */
static bool
is_believable(const struct redirect *r)
{
	struct nexthop *found = fib_lookup6(r->fib, &r->dst);
	const struct nexthop *nh;
	unsigned at = 0;

	if (in6_equal(&r->target, &r->from) || in6_local(&r->target) != NULL ||
	    in6_local(&r->dst) != NULL)
		return false;
	while ((nh = nexthop_path(found, &r->dst, &at)) != NULL)
		if (nh->ifp == r->ifp && (nh->flags & RTF_GATEWAY_) &&
		    nh->rt->gateway.family == AF_INET6 &&
		    memcmp(nh->rt->gateway.addr, &r->from, sizeof(r->from)) == 0)
			return true;
	return false;
}

/* Install the host route. 0 or -errno. */
static int
redirect_install(const struct redirect *r)
{
	struct rt_request rq = {
		.dst = rt_addr_make(AF_INET6, &r->dst, 128),
		.ifp = r->ifp,
		.flags = RTF_HOST_ | RTF_DYNAMIC_,
		.expire_ns = clock_now() + VNET(nd6_redirtimeout) * NS_PER_SEC,
		.fib = r->fib,
	};
	int error;

	if (!is_onlink_redirect(r)) {
		rq.gateway = rt_addr_make(AF_INET6, &r->target, 128);
		rq.flags |= RTF_GATEWAY_;
	}
	if (rib_exact(r->fib, &rq.dst) != NULL) {
		/* A route by hand stays a route by hand: it only gets another next hop. */
		rq.flags = (rq.flags & ~(uint32_t)RTF_DYNAMIC_) | RTF_MODIFIED_;
		rq.expire_ns = 0;
		error = rib_change(&rq, NULL);
		if (error == 0)
			V_rtstat.newgateway++;
		return error;
	}
	error = rib_add(&rq, NULL);
	if (error == 0) {
		VNET(nd6_dynroutes)++;
		V_rtstat.dynamic++;
	}
	return error;
}

/* 8.3. NULL = followed; else why not. */
static const struct drop_reason *
redirect_follow(const struct redirect *r)
{
	if (V_ip6_forwarding || !VNET(nd6_rediraccept))
		return &DROP_ND6_REDIRECT_OFF;
	if (!is_believable(r)) {
		V_rtstat.badredirect++;
		return &DROP_ND6_REDIRECT;
	}
	if (!has_room(r->fib))
		return &DROP_ND6_REDIRECT_MANY;
	if (redirect_install(r) != 0) {
		V_rtstat.badredirect++;
		return &DROP_ND6_REDIRECT;
	}
	(void)nd6_heard(r->ifp, &r->target, r->lladdr, ND6_FROM_REDIRECT, !is_onlink_redirect(r));
	return NULL;
}

static void
redirect_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct nd_redirect *rd = (const void *)(m->data + off);
	struct nd6_opts o;
	const struct drop_reason *why = redirect_fault(m, off, info, &o);
	struct redirect r;
	char from[IPADDR_TEXT];

	if (why != NULL) {
		V_icmp6stat.badredirect++;
	} else {
		r = (struct redirect){
			.ifp = m->rcvif,
			.fib = m->fib,
			.from = *ipaddr_in6(&info->src),
			.target = ip6_zoned(&rd->target, m->rcvif),
			.dst = ip6_zoned(&rd->dst, m->rcvif),
			.lladdr = o.lladdr[ND_OPT_TARGET_LL],
		};
		why = redirect_follow(&r);
	}
	if (why == NULL) {
		m_free(m);
		return;
	}
	if (V_nd6_debug)
		log_msg(LOG_LVL_NOTICE, "nd6: redirect from %s on %s: %s",
		    ipaddr_ntoa(&info->src, from), m->rcvif->if_xname, why->text);
	m_drop(m, why);
}
ICMP6_MESSAGE_DEFINE(redirect, .type = ND_REDIRECT_, .input = redirect_input);

/* --- out -------------------------------------------------------------------------------------- */

/*
 * The first hop that the sender of m had better use: the destination itself, or the gateway by its
 * link-local address. False if it has none.
 */
static bool
better_hop(const struct mbuf *m, const struct nexthop *nh, struct in6 *target)
{
	if (!(nh->flags & RTF_GATEWAY_)) {
		*target = mtod(m, const struct ip6_hdr *)->dst;
		return true;
	}
	memcpy(target, nh->rt->gateway.addr, sizeof(*target));
	return in6_is_linklocal(target);
}

/* Is it for us to tell: a neighbour's packet, of a sort that follows routes? */
static bool
is_to_be_told(const struct mbuf *m, const struct nexthop *nh, const struct in6 *src)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);

	return !(m->flags & (M_BCAST | M_MCAST)) && !(nh->flags & (RTF_DYNAMIC_ | RTF_LOCAL_)) &&
	    (nh->ifp->if_flags & (IFF_MULTICAST_ | IFF_POINTOPOINT_)) == IFF_MULTICAST_ &&
	    nd6_is_active(nh->ifp) && !in6_is_any(src) && !in6_is_multicast(src) &&
	    !in6_is_multicast(&ip6->dst) && nd6_is_neighbour(nh->ifp, src) &&
	    in6_local(src) == NULL;
}

/*
 * The message: redirect, the target's link address if there is one, the packet as far as the least
 * MTU allows, in whole eights (4.6.3). NULL without memory.
 */
static struct mbuf *
redirect_make(const struct mbuf *m, const struct in6 *target, const uint8_t *lladdr)
{
	enum { OPTION = sizeof(struct nd_opt_lladdr), HEAD = 8 };
	const size_t fixed = sizeof(struct nd_redirect) + (lladdr != NULL ? OPTION : 0) + HEAD;
	size_t room = IPV6_MMTU_ - IP6_HDRLEN - fixed;
	size_t quote = (m->len < room ? m->len : room) & ~(size_t)7;
	struct mbuf *out = m_get((uint32_t)(fixed + quote));
	struct nd_redirect *rd;
	uint8_t *p;

	if (out == NULL) {
		drop_count(&DROP_ND6_NOBUFS, 1);
		return NULL;
	}
	rd = mtod(out, struct nd_redirect *);
	*rd = (struct nd_redirect){
		.icmp = { .type = ND_REDIRECT_ },
		.target = *target,
		.dst = mtod(m, const struct ip6_hdr *)->dst,
	};
	in6_clear(&rd->target);
	p = (uint8_t *)(rd + 1);
	if (lladdr != NULL) {
		*(struct nd_opt_lladdr *)(void *)p =
		    (struct nd_opt_lladdr){ .type = ND_OPT_TARGET_LL, .len = 1 };
		memcpy(p + 2, lladdr, 6);
		p += OPTION;
	}
	memset(p, 0, HEAD);
	p[0] = ND_OPT_REDIRECTED;
	p[1] = (uint8_t)((HEAD + quote) / 8);
	memcpy(p + HEAD, m->data, quote);
	return out;
}

void
nd6_redirect_send(const struct mbuf *m, const struct nexthop *nh)
{
	struct ifnet *ifp = nh->ifp;
	const struct in6 src = ip6_zoned(&mtod(m, const struct ip6_hdr *)->src, ifp);
	const struct ip_opts_out o = { .ttl = ND6_HOP_LIMIT, .ifp = ifp, .dont_route = true };
	const struct in6_ifaddr *ours = in6_linklocal(ifp);
	const struct llentry *lle;
	struct in6 target;
	struct mbuf *out;

	if (ours == NULL || (ours->flags & IN6_IFF_NOTREADY) || !is_to_be_told(m, nh, &src) ||
	    !better_hop(m, nh, &target) || in6_equal(&target, &src) ||
	    !icmp6_rate_ok(ND_REDIRECT_, 0))
		return;
	lle = lla_find(in6_lltable(ifp), &target);
	out = redirect_make(
	    m, &target, lle != NULL && (lle->flags & LLE_VALID) ? lle->header : NULL);
	if (out == NULL)
		return;
	clock_at(m->when_ns);
	V_ip6stat.redirectsent++;
	out->fib = ifp->if_fib;
	icmp6_finish(out, &ours->addr, &src);
	(void)ip6_output(out, &ours->addr, &src, IPPROTO_ICMPV6_, &o);
}
