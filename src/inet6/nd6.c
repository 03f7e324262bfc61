/*
 * nd6.c - the neighbours of an interface: their states and timers (RFC 4861 7.3, appendix C).
 *
 *	INCOMPLETE	asked to all, once a second, nd6_mmaxtries times; packets wait
 *	REACHABLE	answered, or upper layers know; for a random time around the base
 *	STALE		was reachable once, or was only heard of; used without asking
 *	DELAY		used when it was stale: nd6_delay seconds for upper layers to confirm it
 *	PROBE		asked alone, once a second, nd6_umaxtries times
 *
 * Whoever resolves nothing is forgotten, and so is what was stale for nd6_gctimer seconds. Entries
 * that nothing confirms are idle: at the limit of the table (nd6_maxentries) the oldest makes room,
 * so neither a scan of a prefix nor a flood of senders (RFC 6583) can keep a neighbour out, and
 * what is reachable stays.
 *
 * What neighbours say comes in by nd6_nbr.c; the way out is nd6_output.c.
 */
#include "inet6/nd6_internal.h"

#include "base/rng.h"
#include "inet6/nd6_rtr.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"

#include <stdio.h>
#include <string.h>

DROP_DEFINE(DROP_ND6_HOLD, "nd6", "hold", "too many packets wait for a neighbour");
DROP_DEFINE(DROP_ND6_TIMEOUT, "nd6", "timeout", "neighbour did not answer");
DROP_DEFINE(DROP_ND6_LIMIT, "nd6", "limit", "neighbour table is full");
DROP_DEFINE(DROP_ND6_NOBUFS, "nd6", "nobufs", "no memory for a message or a link header");

VNET_DEFINE(bool, nd6_debug) = false;
VNET_DEFINE_STATIC(uint32_t, nd6_delay) = ND6_DELAY_FIRST_PROBE_MS / 1000;
VNET_DEFINE_STATIC(uint32_t, nd6_umaxtries) = ND6_MAX_UNICAST_SOLICIT;
VNET_DEFINE_STATIC(uint32_t, nd6_mmaxtries) = ND6_MAX_MULTICAST_SOLICIT;
VNET_DEFINE_STATIC(uint32_t, nd6_gctimer) = 86400;
VNET_DEFINE_STATIC(uint32_t, nd6_maxqueuelen) = 64;
VNET_DEFINE_STATIC(uint32_t, nd6_maxentries) = 4096;
VNET_DEFINE_STATIC(struct rng, nd6_rng);

SYSCTL_VNET_BOOL(net_inet6_icmp6_nd6_debug, "net.inet6.icmp6.nd6_debug", SYSCTL_RW, nd6_debug,
    "log what is wrong with messages of neighbours");
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_delay, "net.inet6.icmp6.nd6_delay", SYSCTL_RW, nd6_delay, 1,
    3600, "seconds that upper layers have to confirm a neighbour before it is probed");
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_umaxtries, "net.inet6.icmp6.nd6_umaxtries", SYSCTL_RW,
    nd6_umaxtries, 1, 100, "unicast solicitations before a neighbour counts as unreachable");
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_mmaxtries, "net.inet6.icmp6.nd6_mmaxtries", SYSCTL_RW,
    nd6_mmaxtries, 1, 100, "multicast solicitations before an address counts as unresolvable");
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_gctimer, "net.inet6.icmp6.nd6_gctimer", SYSCTL_RW, nd6_gctimer,
    1, 86400 * 365, "seconds that a stale neighbour is remembered");
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_maxqueuelen, "net.inet6.icmp6.nd6_maxqueuelen", SYSCTL_RW,
    nd6_maxqueuelen, 1, 4096, "packets that wait for one neighbour; the newest are kept");

/* Tables that are there follow: the limit is each table's. */
static void
maxentries_changed(const struct sysctl_oid *oid)
{
	struct lltable *t;

	(void)oid;
	LIST_FOREACH(t, &V_lltable_head, all)
		if (t->family == AF_INET6)
			t->limit = VNET(nd6_maxentries);
}
SYSCTL_DEFINE_(net_inet6_ip6_nd6_maxentries, .name = "net.inet6.ip6.nd6_maxentries",
    .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_nd6_maxentries,
    .min = 1, .max = 1 << 24, .changed = maxentries_changed,
    .descr = "neighbours of one interface that traffic may make");

/* --- chance ----------------------------------------------------------------------------------- */

static struct rng *
nd6_chance(void)
{
	struct rng *rng = &VNET(nd6_rng);
	char stream[80];

	if ((rng->s[0] | rng->s[1] | rng->s[2] | rng->s[3]) == 0) {
		snprintf(stream, sizeof(stream), "nd6 %.70s", vnet_name(curvnet));
		rng_seed(rng, rng_process_seed, stream);
	}
	return rng;
}

uint64_t
nd6_random_ns(uint64_t max_ns)
{
	return max_ns == 0 ? 0 : rng_below(nd6_chance(), max_ns);
}

void
nd6_random_bytes(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)rng_u64(nd6_chance());
}

/* --- an interface's numbers ------------------------------------------------------------------- */

/* How long a base time is drawn for (RFC 4861 6.3.4: "a few hours"; BSD: two). */
static const uint64_t recalc_every_ns = 7200 * NS_PER_SEC;

/* ReachableTime: uniform from half the base to one and a half of it (RFC 4861 6.3.2). */
static void
reachable_draw(struct nd_ifinfo *nd)
{
	nd->reachable_ms = nd->basereachable_ms / 2 +
	    (uint32_t)rng_below(nd6_chance(), (uint64_t)nd->basereachable_ms + 1);
	if (nd->reachable_ms == 0)
		nd->reachable_ms = 1;
	nd->recalc_ns = clock_now() + recalc_every_ns;
}

void
nd6_set_basereachable(struct in6_if *i, uint32_t ms)
{
	i->nd.basereachable_ms = ms;
	reachable_draw(&i->nd);
}

static uint64_t
reachable_ns(struct ifnet *ifp)
{
	struct nd_ifinfo *nd = &in6_if_of(ifp)->nd;

	if (clock_now() >= nd->recalc_ns)
		reachable_draw(nd);
	return nd->reachable_ms * NS_PER_MS;
}

static uint64_t
retrans_ns(const struct ifnet *ifp)
{
	return in6_if_of(ifp)->nd.retrans_ms * NS_PER_MS;
}

bool
nd6_is_active(const struct ifnet *ifp)
{
	const struct in6_if *i = in6_if_of(ifp);

	return i != NULL && !(ifp->if_flags & IFF_NOARP_) && !(i->nd.flags & ND6_IFF_IFDISABLED);
}

bool
nd6_is_neighbour(const struct ifnet *ifp, const struct in6 *addr)
{
	return in6_is_linklocal(addr) || in6_is_onlink(ifp, addr);
}

/* --- asking ----------------------------------------------------------------------------------- */

/*
 * Ask once more. RFC 4861 7.2.2: from the address that the first waiting packet comes from, if it
 * is one of ours on this interface.
 */
static void
nd6_ask(struct llentry *lle, bool unicast)
{
	struct ifnet *ifp = lle->table->ifp;
	const struct in6_ifaddr *ia = NULL;
	struct in6 target, src;

	memcpy(&target, lle->addr, sizeof(target));
	lle->asked++;
	if (lle->hold.head != NULL) {
		src = ip6_zoned(&mtod(lle->hold.head, const struct ip6_hdr *)->src, ifp);
		ia = in6_ifaddr_exact(ifp, &src);
	}
	if (ia != NULL && (ia->flags & (IN6_IFF_NOTREADY | IN6_IFF_ANYCAST)))
		ia = NULL;
	nd6_ns_send(ifp, &target, unicast ? &target : NULL, ia != NULL ? &ia->addr : NULL, NULL);
}

/* --- states ----------------------------------------------------------------------------------- */

static void nd6_timer(void *arg);

static void
set_flags(struct llentry *lle, uint16_t on, uint16_t off)
{
	lle->flags = (uint16_t)((lle->flags & ~off) | on);
}

/*
 * The one place where an entry changes its state: with it go its flags for the way out, its place
 * among the idle ones, its timer. It is not static.
 */
static void
enter(struct llentry *lle, enum nd6_state state)
{
	struct ifnet *ifp = lle->table->ifp;
	uint64_t life_ns = 0;

	switch (state) {
	case ND6_NOSTATE:
		break;
	case ND6_INCOMPLETE:
	case ND6_PROBE:
		lle->asked = 0;
		life_ns = retrans_ns(ifp);
		break;
	case ND6_REACHABLE:
		lle->asked = 0;
		life_ns = reachable_ns(ifp);
		lle->confirmed_ns = clock_now();
		break;
	case ND6_STALE:
		lle->asked = 0;
		life_ns = VNET(nd6_gctimer) * NS_PER_SEC;
		break;
	case ND6_DELAY:
		life_ns = VNET(nd6_delay) * NS_PER_SEC;
		break;
	}
	lle->state = (uint8_t)state;
	set_flags(lle, state == ND6_STALE ? LLE_STALE : 0, LLE_STALE);
	/* to the end of the queue: oldest means unused for longest */
	lle_idle(lle, false);
	lle_idle(lle, state != ND6_REACHABLE);
	lle->expire_ns = clock_now() + life_ns;
	lle_timer(lle, life_ns, nd6_timer);
}

/* Default routers are chosen by who is reachable (RFC 4861 6.3.6). */
static void
tell_router_list(const struct llentry *lle)
{
	struct in6 addr;

	memcpy(&addr, lle->addr, sizeof(addr));
	if (nd6_is_default_router(lle->table->ifp, &addr))
		nd6_router_reachability(lle->table->ifp, &addr);
}

/*
 * A packet that can't be delivered: tell its sender (RFC 4861 7.2.2), even if that is us. Takes m.
 */
static void
nd6_unreachable(struct ifnet *ifp, struct mbuf *m)
{
	/* it has waited: what is said about it is said now */
	if (m->when_ns < clock_now())
		m->when_ns = clock_now();
	if (m->rcvif == NULL)
		m->rcvif = ifp;
	icmp6_error(m, ICMP6_DST_UNREACH_, ICMP6_UNREACH_ADDR, 0);
	m_drop(m, &DROP_ND6_TIMEOUT);
}

/* The neighbour does not answer: it is forgotten. */
static void
nd6_give_up(struct llentry *lle)
{
	struct ifnet *ifp = lle->table->ifp;
	struct mbufq held;
	struct mbuf *m;

	lle_take_held(lle, &held);
	lla_delete(lle);
	tell_router_list(lle);
	while ((m = mbufq_pop(&held)) != NULL)
		nd6_unreachable(ifp, m);
}

static void
nd6_timeout(struct llentry *lle)
{
	struct ifnet *ifp = lle->table->ifp;
	const bool nud = in6_if_of(ifp)->nd.flags & ND6_IFF_PERFORMNUD;
	const bool probing = lle->state == ND6_PROBE;

	if (lle->flags & LLE_STATIC) {
		lla_delete(lle); /* made by hand for a time */
		return;
	}
	switch ((enum nd6_state)lle->state) {
	case ND6_INCOMPLETE:
	case ND6_PROBE:
		if (lle->asked >= (probing ? VNET(nd6_umaxtries) : VNET(nd6_mmaxtries))) {
			nd6_give_up(lle);
			return;
		}
		lle->expire_ns = clock_now() + retrans_ns(ifp);
		lle_timer(lle, retrans_ns(ifp), nd6_timer);
		nd6_ask(lle, probing);
		return;
	case ND6_REACHABLE:
		enter(lle, ND6_STALE);
		return;
	case ND6_DELAY:
		enter(lle, nud ? ND6_PROBE : ND6_STALE);
		if (nud)
			nd6_ask(lle, true);
		return;
	case ND6_NOSTATE:
	case ND6_STALE:
		lla_delete(lle);
		return;
	}
}

/* Runs with one reference of its own. */
static void
nd6_timer(void *arg)
{
	struct llentry *lle = arg;

	if (lle->flags & LLE_LINKED)
		nd6_timeout(lle);
	lle_rele(lle);
}

struct llentry *
nd6_entry(struct ifnet *ifp, const struct in6 *addr)
{
	struct lltable *t = in6_lltable(ifp);
	struct llentry *lle = t == NULL ? NULL : lla_find(t, addr);

	if (lle != NULL || t == NULL)
		return lle;
	lle = lla_create(t, addr, ETHERTYPE_IPV6_, true);
	if (lle != NULL)
		lle_idle(lle, true);
	return lle;
}

void
nd6_hold(struct llentry *lle, struct mbuf *m)
{
	m->nh = NULL; /* valid in this batch only */
	lle_hold(lle, m, VNET(nd6_maxqueuelen), &DROP_ND6_HOLD);
	if (lle->state == ND6_INCOMPLETE)
		return;
	enter(lle, ND6_INCOMPLETE);
	nd6_ask(lle, false);
}

void
nd6_used(struct llentry *lle)
{
	if (lle->state == ND6_STALE)
		enter(lle, ND6_DELAY);
}

void
nd6_set_static(struct llentry *lle, const uint8_t lladdr[6], uint64_t life_ns)
{
	set_flags(lle, LLE_STATIC, LLE_STALE);
	lle_by_hand(lle);
	lle->state = ND6_REACHABLE;
	lle->asked = 0;
	lle->expire_ns = life_ns == 0 ? 0 : clock_now() + life_ns;
	lle_timer(lle, life_ns, nd6_timer);
	lle_resolve(lle, lladdr);
	lle_send_held(lle, &DROP_ND6_NOBUFS);
}

/* --- what is heard ---------------------------------------------------------------------------- */

/*
 * The link address and the state that goes with it are known: what waited leaves. Resolution that
 * was under way is news for the choice of routers.
 */
static void
learned(struct llentry *lle, const uint8_t lladdr[6], enum nd6_state state)
{
	const bool was_unknown = !(lle->flags & LLE_VALID);

	lle_resolve(lle, lladdr);
	enter(lle, state);
	lle_send_held(lle, &DROP_ND6_NOBUFS);
	if (was_unknown)
		tell_router_list(lle);
}

static void
set_router(struct llentry *lle, bool is_router)
{
	const bool was = nd6_is_router(lle);
	struct in6 addr;

	set_flags(lle, is_router ? LLE_ROUTER : 0, LLE_ROUTER);
	if (!was || is_router)
		return;
	memcpy(&addr, lle->addr, sizeof(addr));
	nd6_router_lost(lle->table->ifp, &addr);
}

/* The second half of appendix C's table: there is a link address, and it may be another one. */
static void
advertised_known(struct llentry *lle, const struct nd6_advert *na)
{
	const bool differs = na->lladdr != NULL && memcmp(lle->header, na->lladdr, 6) != 0;

	if (differs && !na->override) {
		/* it may be a second one, or a lie: whom we talk to has to show itself */
		if (lle->state == ND6_REACHABLE)
			enter(lle, ND6_STALE);
		return;
	}
	if (differs)
		lle_resolve(lle, na->lladdr);
	if (na->solicited)
		enter(lle, ND6_REACHABLE);
	else if (differs)
		enter(lle, ND6_STALE);
	set_router(lle, na->router);
}

void
nd6_advertised(struct llentry *lle, const struct nd6_advert *na)
{
	if (lle->flags & LLE_STATIC)
		return;
	if (lle->flags & LLE_VALID) {
		advertised_known(lle, na);
		return;
	}
	if (na->lladdr == NULL)
		return;
	set_flags(lle, na->router ? LLE_ROUTER : 0, LLE_ROUTER);
	learned(lle, na->lladdr, na->solicited ? ND6_REACHABLE : ND6_STALE);
}

/* What the kind of message says of IsRouter (RFC 4861 6.2.6, 6.3.4, 8.3). */
static void
heard_router(struct llentry *lle, enum nd6_source source, bool is_router)
{
	if (source == ND6_FROM_RA || (source == ND6_FROM_REDIRECT && is_router))
		set_router(lle, true);
	else if (source == ND6_FROM_RS)
		set_router(lle, false);
}

struct llentry *
nd6_heard(struct ifnet *ifp, const struct in6 *addr, const uint8_t *lladdr, enum nd6_source source,
    bool is_router)
{
	struct lltable *t = in6_lltable(ifp);
	struct llentry *lle;

	if (t == NULL || !nd6_is_active(ifp) || in6_is_any(addr) || in6_is_multicast(addr) ||
	    in6_local(addr) != NULL)
		return NULL;
	lle = lla_find(t, addr);
	if (lle == NULL && (lladdr == NULL || (ifp->if_flags & IFF_STATICARP_)))
		return NULL;
	if (lle == NULL && (lle = nd6_entry(ifp, addr)) == NULL)
		return NULL;
	if (lle->flags & LLE_STATIC)
		return lle;
	heard_router(lle, source, is_router);
	if (lladdr != NULL && (!(lle->flags & LLE_VALID) || memcmp(lle->header, lladdr, 6) != 0))
		learned(lle, lladdr, ND6_STALE);
	return lle;
}

/* The entry that packets to dst go through; NULL. */
static struct llentry *
entry_towards(uint8_t fib, const struct in6 *dst)
{
	struct nexthop *found = fib_lookup6(fib, dst);
	unsigned at = 0;
	const struct nexthop *nh = nexthop_path(found, dst, &at);
	struct lltable *t = nh == NULL ? NULL : in6_lltable(nh->ifp);

	/* by which of several ways it went, nobody knows any more */
	if (t == NULL || nexthop_path(found, dst, &at) != NULL)
		return NULL;
	return lla_find(t, nh->flags & RTF_GATEWAY_ ? (const void *)nh->rt->gateway.addr : dst);
}

void
nd6_confirm(uint8_t fib, const struct in6 *dst)
{
	struct llentry *lle = entry_towards(fib, dst);

	if (lle != NULL && (lle->flags & (LLE_VALID | LLE_STATIC)) == LLE_VALID)
		enter(lle, ND6_REACHABLE);
}

static const char *
state_text(const struct llentry *lle)
{
	static const char *const names[] = {
		[ND6_NOSTATE] = "nostate",
		[ND6_INCOMPLETE] = "incomplete",
		[ND6_REACHABLE] = "reachable",
		[ND6_STALE] = "stale",
		[ND6_DELAY] = "delay",
		[ND6_PROBE] = "probe",
	};

	return names[lle->state];
}

/* --- an interface's life ---------------------------------------------------------------------- */

bool
nd6_ifattach(struct ifnet *ifp, struct in6_if *i)
{
	i->llt = lltable_new(ifp, AF_INET6, VNET(nd6_maxentries));
	if (i->llt == NULL)
		return false;
	i->llt->state_text = state_text;
	i->llt->entry_free = nd6_proxy_end;
	i->nd.retrans_ms = ND6_RETRANS_MS;
	nd6_set_basereachable(i, ND6_REACHABLE_MS);
	if (if_is_ethernet(ifp))
		ifp->if_output[AF_SLOT_INET6] = nd6_output;
	return true;
}

void
nd6_ifdetach(struct ifnet *ifp, struct in6_if *i)
{
	nd6_rtr_ifdetach(ifp, i);
	nd6_delayed_forget(ifp);
	lltable_free(i->llt);
	i->llt = NULL;
}

void
nd6_linkchange(struct ifnet *ifp)
{
	nd6_dad_linkchange(ifp);
	nd6_rtr_linkchange(ifp);
}

/* What was learned goes; what was set by hand stays. */
static void
neighbours_flush(struct ifnet *ifp)
{
	struct llentry *lle, *next;

	TAILQ_FOREACH_SAFE(lle, &in6_lltable(ifp)->entries, link, next)
		if (!(lle->flags & LLE_STATIC))
			lla_delete(lle);
}

/*
 * A disabled interface knows nobody, and asks nobody for its addresses; when it is enabled they are
 * asked for anew.
 */
static void
disabled_changed(struct ifnet *ifp, bool disabled)
{
	struct in6_ifaddr *ia = NULL;

	if (disabled)
		neighbours_flush(ifp);
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL) {
		if (disabled)
			nd6_dad_stop(ia);
		else
			in6_dad_begin(ia);
	}
}

void
nd6_flags_changed(struct ifnet *ifp, uint32_t old)
{
	const uint32_t now = in6_if_of(ifp)->nd.flags;

	if ((now ^ old) & ND6_IFF_IFDISABLED)
		disabled_changed(ifp, now & ND6_IFF_IFDISABLED);
	nd6_rtr_flags_changed(ifp, old);
}
