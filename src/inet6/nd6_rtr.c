/*
 * nd6_rtr.c - router advertisements in (RFC 4861 6.1.2, 6.3.4).
 *
 * A message is checked; then it is read by two sides. Whoever advertises on the interface himself
 * compares it with what he says (rtadvd.c). A host that believes advertisements there takes from it
 *
 *	hop limit, timers, MTU		into the interface's struct nd_ifinfo
 *	the sender's link address	into its neighbour entry
 *	the sender, and its routes	to nd6_defrtr.c
 *	prefixes			to nd6_prefix.c
 *
 * Each value has bounds, for anybody on the link can send these messages.
 */
#include "inet6/nd6_rtr.h"

#include "inet6/nd6_internal.h"
#include "inet6/rtadvd.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"

DROP_DEFINE(DROP_ND6_RA_SOURCE, "nd6", "ra-source",
    "router advertisement is not from a router of the link");
DROP_DEFINE(
    DROP_ND6_RA_IGNORED, "nd6", "ra-ignored", "interface does not accept router advertisements");

VNET_DEFINE(struct rtadvstat, rtadvstat);

VNET_DEFINE_STATIC(bool, ip6_rfc6204w3) = false;
VNET_DEFINE_STATIC(uint32_t, ip6_ra_minhlim) = 1;
SYSCTL_VNET_BOOL(net_inet6_ip6_rfc6204w3, "net.inet6.ip6.rfc6204w3", SYSCTL_RW, ip6_rfc6204w3,
    "learn routers from advertisements although the stack forwards (RFC 6204 W-3)");
SYSCTL_VNET_UINT(net_inet6_ip6_ra_minhlim, "net.inet6.ip6.ra_minhlim", SYSCTL_RW, ip6_ra_minhlim, 1,
    255, "lowest hop limit that a router advertisement may set");

/* RFC 4861 6.2.1: AdvReachableTime's bound, an hour; it is as good for the other timer. */
enum { TIME_MAX_MS = 3600000 };

bool
nd6_rtr_accepts(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);

	return i != NULL &&
	    (i->nd.flags & (ND6_IFF_ACCEPT_RTADV | ND6_IFF_IFDISABLED)) == ND6_IFF_ACCEPT_RTADV;
}

bool
nd6_rtr_takes_routers(const struct ifnet *ifp)
{
	return nd6_rtr_accepts(ifp) && !(in6_if_of(ifp)->nd.flags & ND6_IFF_NO_RADR) &&
	    (!V_ip6_forwarding || VNET(ip6_rfc6204w3));
}

/* --- what it says of the link ----------------------------------------------------------------- */

static void
take_parameters(struct ifnet *ifp, const struct nd_router_advert *ra, const struct nd6_opts *opts)
{
	struct in6_if *i = in6_if_of(ifp);
	uint32_t reachable_ms = from_be32(ra->reachable_ms), retrans_ms = from_be32(ra->retrans_ms);

	if (ra->hlim != 0 && ra->hlim >= VNET(ip6_ra_minhlim))
		i->nd.chlim = ra->hlim;
	if (reachable_ms != 0 && reachable_ms <= TIME_MAX_MS &&
	    reachable_ms != i->nd.basereachable_ms)
		nd6_set_basereachable(i, reachable_ms);
	if (retrans_ms != 0 && retrans_ms <= TIME_MAX_MS)
		i->nd.retrans_ms = retrans_ms;
	if (opts->mtu >= IPV6_MMTU_ && opts->mtu <= ifp->if_mtu)
		i->nd.linkmtu = opts->mtu;
}

/* --- whom it offers to reach ------------------------------------------------------------------ */

/* Options of a message that nd6_options() has checked: the one behind o, NULL = it was the last. */
const uint8_t *
nd6_option_next(const struct nd6_opts *opts, const uint8_t *o)
{
	o = o == NULL ? opts->first : o + o[1] * 8;
	return o < opts->first + opts->len ? o : NULL;
}

/* A route option (RFC 4191 2.3). False: it is to be ignored. */
bool
nd6_route_option(const uint8_t *o, struct nd6_route_info *info)
{
	const struct nd_opt_route *opt = (const void *)o;
	unsigned bytes = opt->len * 8u - (unsigned)sizeof(*opt);
	struct in6 dst = { 0 };

	if (opt->len > 3 || opt->plen > 128 || bytes * 8 < opt->plen)
		return false;
	memcpy(dst.b, o + sizeof(*opt), bytes);
	info->dst = in6_mask(&dst, opt->plen);
	info->plen = opt->plen;
	info->pref = nd6_pref_of(opt->flags);
	info->lifetime_s = from_be32(opt->lifetime_s);
	return info->pref != ND6_PREF_RESERVED &&
	    (info->plen == 0 || (!in6_is_multicast(&info->dst) && !in6_is_linklocal(&info->dst)));
}

/*
 * The offers of an advertisement: itself as a default router, unless an option says that better
 * (RFC 4191 3.1), and its routes. True if r has ceased to be a default router with it.
 */
static bool
take_routes(struct nd6_router *r, const struct nd_router_advert *ra, const struct nd6_opts *opts)
{
	struct nd6_route_info def = {
		.pref = nd6_pref_of(ra->flags),
		.lifetime_s = from_be16(ra->lifetime_s),
	}, info;
	bool was_default = nd6_router_is_default(r);

	if (def.pref == ND6_PREF_RESERVED)
		def.pref = ND6_PREF_MEDIUM;
	for (const uint8_t *o = NULL; (o = nd6_option_next(opts, o)) != NULL;) {
		if (o[0] != ND_OPT_ROUTE || !nd6_route_option(o, &info))
			continue;
		if (info.plen == 0)
			def = info;
		else
			nd6_route_offer(r, &info.dst, info.plen, info.pref, info.lifetime_s);
	}
	nd6_route_offer(r, &def.dst, 0, def.pref, def.lifetime_s);
	return was_default && def.lifetime_s == 0;
}

static void
take_prefixes(struct ifnet *ifp, struct nd6_router *from, const struct nd6_opts *opts)
{
	for (const uint8_t *o = NULL; (o = nd6_option_next(opts, o)) != NULL;)
		if (o[0] == ND_OPT_PREFIX && o[1] == sizeof(struct nd_opt_prefix) / 8)
			nd6_prefix_heard(ifp, from, (const void *)o);
}

/* --- the way in ------------------------------------------------------------------------------- */

static void
ra_take(struct ifnet *ifp, const struct in6 *src, const struct nd_router_advert *ra,
    const struct nd6_opts *opts)
{
	struct nd6_router *r = NULL;
	bool ceased = false;

	V_rtadvstat.ra_in++;
	nd6_heard(ifp, src, opts->lladdr[ND_OPT_SOURCE_LL], ND6_FROM_RA, true);
	take_parameters(ifp, ra, opts);
	if (nd6_rtr_takes_routers(ifp) && (r = nd6_router_get(ifp, src)) != NULL) {
		r->flags = ra->flags;
		ceased = take_routes(r, ra, opts);
	}
	/* a router that says good-bye does not vouch for its prefixes, although it names them */
	take_prefixes(ifp, ceased ? NULL : r, opts);
	if (r != NULL)
		nd6_router_put(r);
	nd6_prefixes_check();
	nd6_rtsol_answered(ifp, src, from_be16(ra->lifetime_s));
}

/* What is wrong with the message (RFC 4861 6.1.2); NULL = nothing. */
static const struct drop_reason *
ra_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, struct nd6_opts *opts)
{
	const struct in6 *src = ipaddr_in6(&info->src);
	const size_t least = sizeof(struct nd_router_advert);
	const struct drop_reason *why = nd6_message_fault(m, off, info, least);

	if (why != NULL)
		return why;
	if (!in6_is_linklocal(src) || in6_local(src) != NULL)
		return &DROP_ND6_RA_SOURCE;
	if (!nd6_options(m->data + off + least, m->len - off - least, opts))
		return &DROP_ND6_OPTIONS;
	return NULL;
}

static void
ra_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct nd_router_advert *ra = (const void *)(m->data + off);
	const struct in6 *src = ipaddr_in6(&info->src);
	struct ifnet *ifp = m->rcvif;
	struct nd6_opts opts;
	const struct drop_reason *why = ra_fault(m, off, info, &opts);
	bool advertises;

	if (why != NULL) {
		V_icmp6stat.badra++;
		m_drop(m, why);
		return;
	}
	clock_at(m->when_ns);
	advertises = rtadvd_heard(ifp, src, ra, &opts);
	if (nd6_rtr_accepts(ifp)) {
		ra_take(ifp, src, ra, &opts);
	} else if (!advertises) {
		V_rtadvstat.ra_ignored++;
		m_drop(m, &DROP_ND6_RA_IGNORED);
		return;
	}
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(router_advert, .type = ND_ROUTER_ADVERT_, .input = ra_input);

/* --- an interface's life ---------------------------------------------------------------------- */

/* All that was learned there. */
static void
forget(struct ifnet *ifp)
{
	nd6_routers_flush(ifp);
	nd6_prefixes_flush(ifp);
}

void
nd6_rtr_linkchange(struct ifnet *ifp)
{
	nd6_prefixes_routes(ifp);
	nd6_routes_choose();
	nd6_prefixes_check();
	if (if_is_usable(ifp))
		nd6_rtsol_start(ifp);
	else
		nd6_rtsol_stop(ifp);
	rtadvd_linkchange(ifp);
}

void
nd6_rtr_flags_changed(struct ifnet *ifp, uint32_t old)
{
	uint32_t now = in6_if_of(ifp)->nd.flags, changed = now ^ old;

	if (changed & now & ND6_IFF_IFDISABLED)
		forget(ifp);
	if (!nd6_rtr_takes_routers(ifp))
		nd6_routers_flush(ifp);
	if (changed & old & ND6_IFF_IFDISABLED)
		rtadvd_linkchange(ifp);
	if (!nd6_rtr_accepts(ifp))
		nd6_rtsol_stop(ifp);
	else if ((changed & (ND6_IFF_ACCEPT_RTADV | ND6_IFF_IFDISABLED | ND6_IFF_NO_RADR)) &&
	    if_is_usable(ifp))
		nd6_rtsol_start(ifp);
}

void
nd6_rtr_ifdetach(struct ifnet *ifp, struct in6_if *i)
{
	rtadvd_ifdetach(i);
	nd6_rtsol_ifdetach(i);
	if (nd6_default_interface() == ifp)
		(void)nd6_default_interface_set(NULL);
	forget(ifp);
}

void
nd6_rtr_forwarding_changed(void)
{
	nd6_routes_choose();
	rtadvd_forwarding_changed();
}

/* --- statistics ------------------------------------------------------------------------------- */

static void
rtadv_netstat_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct rtadvstat *st = &V_rtadvstat;
	struct emitter *e = v->out;

	emit_object(e, "rtadv");
	emit_text(e, "rtadv:\n");
	netstat_counter(
	    e, o, "received-advertisements", &st->ra_in, "# router advertisement{s} accepted");
	netstat_counter(e, o, "ignored-advertisements", &st->ra_ignored,
	    "# router advertisement{s} on interfaces that accept none");
	netstat_counter(e, o, "sent-solicitations", &st->rs_out, "# router solicitation{s} sent");
	netstat_counter(e, o, "routers-over-limit", &st->router_limit,
	    "# advertisement{s} of a router over the limit");
	netstat_counter(
	    e, o, "prefixes-over-limit", &st->prefix_limit, "# prefix{|es} over the limit");
	netstat_counter(e, o, "routes-over-limit", &st->route_limit, "# route{s} over the limit");
	netstat_counter(e, o, "autoconfiguration-failures", &st->autoconf_failed,
	    "# address{|es} that could not be made of a prefix");
	netstat_counter(
	    e, o, "received-solicitations", &st->rs_in, "# router solicitation{s} accepted");
	netstat_counter(e, o, "ignored-solicitations", &st->rs_ignored,
	    "# router solicitation{s} on interfaces that don't advertise");
	netstat_counter(e, o, "sent-advertisements", &st->ra_out, "# router advertisement{s} sent");
	netstat_counter(e, o, "inconsistent-advertisements", &st->inconsistent,
	    "# advertisement{s} of other routers that contradict{s|} ours");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(rtadv, "rtadv", AF_INET6, rtadv_netstat_stats);
