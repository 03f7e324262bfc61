/*
 * nd6_slaac.c - addresses that a host makes of an advertised prefix (RFC 4862 5.5, RFC 8981).
 *
 * A prefix of 64 bits with the flag A gets one lasting address. Its identifier is that of the
 * link-local address, which is made of the link address; or, with net.inet6.ip6.use_stableaddr, one
 * that tells nothing but stays the same on this link (RFC 7217, nd6_stable.c).
 *
 * With net.inet6.ip6.use_tempaddr a temporary address stands beside it: by chance, preferred for a
 * day, valid for longer. Shortly before it is deprecated the next one is made; so old connections
 * go on while new ones leave from another address. The prefix's timer (`remake`) is for that, and
 * for another try where an address turned out to be somebody else's.
 */
#include "inet6/nd6_rtr.h"

#include "base/log.h"
#include "inet6/nd6_internal.h"
#include "kern/sysctl.h"

VNET_DEFINE_STATIC(bool, ip6_use_tempaddr) = false;
VNET_DEFINE_STATIC(uint32_t, ip6_temppltime) = 86400;
VNET_DEFINE_STATIC(uint32_t, ip6_tempvltime) = 604800;
VNET_DEFINE_STATIC(bool, ip6_use_stableaddr) = false;

SYSCTL_VNET_BOOL(net_inet6_ip6_use_tempaddr, "net.inet6.ip6.use_tempaddr", SYSCTL_RW,
    ip6_use_tempaddr, "make temporary addresses of advertised prefixes, too (RFC 8981)");
SYSCTL_VNET_UINT(net_inet6_ip6_temppltime, "net.inet6.ip6.temppltime", SYSCTL_RW, ip6_temppltime,
    60, 86400 * 365, "seconds for which a temporary address is preferred, at most");
SYSCTL_VNET_UINT(net_inet6_ip6_tempvltime, "net.inet6.ip6.tempvltime", SYSCTL_RW, ip6_tempvltime,
    60, 86400 * 365, "seconds for which a temporary address is valid, at most");
SYSCTL_VNET_BOOL(net_inet6_ip6_use_stableaddr, "net.inet6.ip6.use_stableaddr", SYSCTL_RW,
    ip6_use_stableaddr,
    "make addresses of advertised prefixes that don't tell the link address (RFC 7217)");

enum {
	SLAAC_PLEN = 64,
	TWO_HOURS_S = 7200,
	IDGEN_RETRIES = 3,   /* RFC 7217 section 6, RFC 8981 3.8 */
	REGEN_ADVANCE_S = 5, /* RFC 8981 3.8: 2 s, and three tries of duplicate detection */
};

/* A temporary address of ours; it goes with the address, or with the prefix. */
struct nd6_temp {
	TAILQ_ENTRY(nd6_temp) link;
	struct in6 addr;
	uint64_t made_ns;
	uint32_t desync_s; /* RFC 8981 3.8: so much shorter is it preferred than temppltime */
};

static uint64_t temps_live;
AUDIT_COUNTER(nd6_temp, "nd6-temp", temps_live);

bool
nd6_slaac_owns(const struct nd6_prefix *pr, const struct in6_ifaddr *ia)
{
	return pr->plen == SLAAC_PLEN && (ia->flags & IN6_IFF_AUTOCONF) &&
	    in6_match(&ia->addr, &pr->prefix, SLAAC_PLEN);
}

static bool
is_temporary(const struct in6_ifaddr *ia)
{
	return ia->flags & IN6_IFF_TEMPORARY;
}

/* The lasting address made of pr; NULL. */
static struct in6_ifaddr *
lasting_of(const struct nd6_prefix *pr)
{
	struct in6_ifaddr *ia = NULL;

	while ((ia = in6_ifaddr_next(pr->ifp, ia)) != NULL)
		if (nd6_slaac_owns(pr, ia) && !is_temporary(ia))
			return ia;
	return NULL;
}

/* Whole seconds from now to a deadline of an address. */
static uint32_t
seconds_to(uint64_t when_ns)
{
	uint64_t now = clock_now();

	if (when_ns == NS_NEVER)
		return (uint32_t)ND6_INFINITE_LIFETIME;
	return when_ns <= now ? 0 : (uint32_t)((when_ns - now) / NS_PER_SEC);
}

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* --- making one ------------------------------------------------------------------------------- */

/* Puts addr, made of pr, on the interface. An address that somebody gave by hand stays as it is. */
static bool
address_add(struct nd6_prefix *pr, const struct in6 *addr, uint32_t flags, uint32_t vltime_s,
    uint32_t pltime_s)
{
	const struct in6_addr_request rq = {
		.addr = *addr,
		.plen = SLAAC_PLEN,
		.flags = IN6_IFF_AUTOCONF | flags,
		.vltime_s = vltime_s,
		.pltime_s = pltime_s,
		.no_prefix_route = true,
	};
	struct in6_ifaddr *ia;
	char text[IN6_TEXT];
	int error;

	if (in6_ifaddr_exact(pr->ifp, addr) != NULL)
		return false;
	error = in6_addr_add(pr->ifp, &rq);
	if (error != 0) {
		V_rtadvstat.autoconf_failed++;
		log_msg(LOG_LVL_INFO, "nd6: %s: address %s by autoconfiguration: %s",
		    pr->ifp->if_xname, in6_ntoa(addr, text), verb_strerror(error));
		return false;
	}
	ia = in6_ifaddr_exact(pr->ifp, addr);
	if (ia != NULL && pr->detached)
		ia->flags |= IN6_IFF_DETACHED;
	return true;
}

/* Identifiers that are kept for others: RFC 4291 2.6.1, RFC 5453. */
static bool
is_reserved_id(const struct in6 *a)
{
	uint64_t id = __builtin_bswap64(load64(a->b + 8));

	return id == 0 || (id & ~UINT64_C(0x7f)) == UINT64_C(0xfdffffffffffff80) ||
	    (id & ~UINT64_C(0xffffff)) == UINT64_C(0x02005efffe000000);
}

/* The prefix with the identifier that lasting addresses get; false if there is none. */
static bool
lasting_address(const struct nd6_prefix *pr, struct in6 *addr)
{
	const struct in6_ifaddr *linklocal = in6_linklocal(pr->ifp);
	uint8_t counter = pr->dad_counter;

	*addr = pr->prefix;
	if (VNET(ip6_use_stableaddr))
		do {
			nd6_stable_id(pr->ifp, addr, counter++);
		} while (is_reserved_id(addr));
	else if (linklocal != NULL)
		memcpy(addr->b + 8, linklocal->addr.b + 8, 8);
	else if (pr->ifp->if_addrlen == 6)
		in6_eui64(addr, pr->ifp->if_lladdr);
	else
		return false;
	return true;
}

static void
lasting_make(struct nd6_prefix *pr, uint32_t vltime_s, uint32_t pltime_s)
{
	struct in6 addr;

	if (lasting_address(pr, &addr))
		(void)address_add(pr, &addr, 0, vltime_s, pltime_s);
	else
		V_rtadvstat.autoconf_failed++;
}

/* --- temporary addresses ---------------------------------------------------------------------- */

static struct nd6_temp *
temp_find(const struct nd6_prefix *pr, const struct in6 *addr)
{
	struct nd6_temp *t;

	TAILQ_FOREACH(t, &pr->temps, link)
		if (in6_equal(&t->addr, addr))
			return t;
	return NULL;
}

static void
temp_free(struct nd6_prefix *pr, struct nd6_temp *t)
{
	TAILQ_REMOVE(&pr->temps, t, link);
	vnet_free(t);
	__atomic_fetch_sub(&temps_live, 1, __ATOMIC_RELAXED);
}

/* What is left of `limit_s` seconds since it was made. */
static uint32_t
temp_left(const struct nd6_temp *t, uint32_t limit_s)
{
	uint64_t age_s = (clock_now() - t->made_ns) / NS_PER_SEC;

	return age_s >= limit_s ? 0 : limit_s - (uint32_t)age_s;
}

static uint32_t
temp_left_preferred(const struct nd6_temp *t)
{
	uint32_t limit_s = VNET(ip6_temppltime);

	return temp_left(t, limit_s > t->desync_s ? limit_s - t->desync_s : 0);
}

/* The next one is made before the newest is deprecated. */
static void
remake_arm(struct nd6_prefix *pr)
{
	const struct nd6_temp *newest = TAILQ_FIRST(&pr->temps);
	const struct in6_ifaddr *ia;
	uint32_t left_s;

	if (newest == NULL || (ia = in6_ifaddr_exact(pr->ifp, &newest->addr)) == NULL)
		return;
	left_s = seconds_to(ia->deprecate_ns);
	callout_reset(
	    &pr->remake, left_s > REGEN_ADVANCE_S ? (left_s - REGEN_ADVANCE_S) * NS_PER_SEC : 0);
}

/* Is there none that stays preferred for a while? */
static bool
temp_is_due(const struct nd6_prefix *pr)
{
	const struct nd6_temp *newest = TAILQ_FIRST(&pr->temps);
	const struct in6_ifaddr *ia;

	if (newest == NULL || (ia = in6_ifaddr_exact(pr->ifp, &newest->addr)) == NULL)
		return true;
	return seconds_to(ia->deprecate_ns) <= REGEN_ADVANCE_S;
}

/*
 * A new temporary address beside the lasting one, which gives it its time (RFC 8981 3.4). None if
 * it would be deprecated too soon.
 */
static void
temp_make(struct nd6_prefix *pr)
{
	const struct in6_ifaddr *lasting = lasting_of(pr);
	struct in6 addr = pr->prefix;
	uint32_t vltime_s, pltime_s;
	struct nd6_temp *t;

	if (lasting == NULL || pr->tries > IDGEN_RETRIES)
		return;
	if ((t = vnet_malloc(sizeof(*t))) == NULL)
		return;
	/* MAX_DESYNC_FACTOR: 0.4 of the lifetime */
	t->desync_s = (uint32_t)(nd6_random_ns(VNET(ip6_temppltime) * NS_PER_SEC / 5 * 2) /
	    NS_PER_SEC);
	t->made_ns = clock_now();
	vltime_s = min_u32(seconds_to(lasting->expire_ns), VNET(ip6_tempvltime));
	pltime_s = min_u32(seconds_to(lasting->deprecate_ns), temp_left_preferred(t));
	pltime_s = min_u32(pltime_s, vltime_s);
	do {
		nd6_random_bytes(addr.b + 8, 8);
	} while (is_reserved_id(&addr));
	t->addr = addr;
	/* in the list before the address is announced */
	TAILQ_INSERT_HEAD(&pr->temps, t, link);
	__atomic_fetch_add(&temps_live, 1, __ATOMIC_RELAXED);
	if (pltime_s <= REGEN_ADVANCE_S ||
	    !address_add(pr, &addr, IN6_IFF_TEMPORARY, vltime_s, pltime_s)) {
		temp_free(pr, t);
		return;
	}
	remake_arm(pr);
}

/* --- lifetimes -------------------------------------------------------------------------------- */

/*
 * RFC 4862 5.5.3 e: an advertisement makes an address live longer, or shorter down to two hours; so
 * a forged one can't take it away at once. How long it is preferred is always believed.
 */
static void
address_heard(struct in6_ifaddr *ia, uint32_t vltime_s, uint32_t pltime_s)
{
	uint64_t two_hours_ns = clock_now() + TWO_HOURS_S * NS_PER_SEC;

	if (vltime_s > TWO_HOURS_S || vltime_s > seconds_to(ia->expire_ns))
		in6_addr_lifetimes(ia, vltime_s, pltime_s);
	else if (ia->expire_ns <= two_hours_ns)
		in6_addr_preferred(ia, pltime_s);
	else
		in6_addr_lifetimes(ia, TWO_HOURS_S, pltime_s);
}

/* The same, but never beyond what a temporary address may have since it was made. */
static void
temp_heard(struct nd6_prefix *pr, struct in6_ifaddr *ia, uint32_t vltime_s, uint32_t pltime_s)
{
	const struct nd6_temp *t = temp_find(pr, &ia->addr);
	uint32_t limit_s;

	if (t == NULL) /* the prefix was away: its time runs out as it was */
		return;
	limit_s = temp_left(t, VNET(ip6_tempvltime));
	pltime_s = min_u32(min_u32(pltime_s, temp_left_preferred(t)), limit_s);
	if (vltime_s > limit_s)
		in6_addr_lifetimes(ia, limit_s, pltime_s);
	else
		address_heard(ia, vltime_s, pltime_s);
}

void
nd6_slaac_heard(struct nd6_prefix *pr, uint32_t vltime_s, uint32_t pltime_s)
{
	struct in6_ifaddr *ia = NULL;

	if (pr->plen != SLAAC_PLEN) {
		V_rtadvstat.autoconf_failed++;
		return;
	}
	while ((ia = in6_ifaddr_next(pr->ifp, ia)) != NULL) {
		if (!nd6_slaac_owns(pr, ia))
			continue;
		if (is_temporary(ia))
			temp_heard(pr, ia, vltime_s, pltime_s);
		else
			address_heard(ia, vltime_s, pltime_s);
	}
	if (vltime_s == 0)
		return;
	if (lasting_of(pr) == NULL)
		lasting_make(pr, vltime_s, pltime_s);
	if (!TAILQ_EMPTY(&pr->temps))
		remake_arm(pr);
	else if (VNET(ip6_use_tempaddr))
		temp_make(pr);
}

/* --- again ------------------------------------------------------------------------------------ */

/* Addresses that somebody else has; a lasting one gives its successor its time. */
static void
duplicates_delete(struct nd6_prefix *pr)
{
	struct in6_ifaddr *ia = in6_ifaddr_first(pr->ifp), *next;
	uint32_t vltime_s, pltime_s;
	struct in6 addr;
	bool lasting;

	for (; ia != NULL; ia = next) {
		next = in6_ifaddr_next(pr->ifp, ia);
		lasting = !is_temporary(ia);
		if (!nd6_slaac_owns(pr, ia) || !(ia->flags & IN6_IFF_DUPLICATED) ||
		    (lasting && !VNET(ip6_use_stableaddr)))
			continue;
		vltime_s = seconds_to(ia->expire_ns);
		pltime_s = seconds_to(ia->deprecate_ns);
		addr = ia->addr;
		(void)in6_addr_delete(pr->ifp, &addr);
		if (lasting)
			lasting_make(pr, vltime_s, pltime_s);
	}
}

static void
remake(void *arg)
{
	struct nd6_prefix *pr = arg;

	if (pr->expired)
		return;
	duplicates_delete(pr);
	if (VNET(ip6_use_tempaddr) && temp_is_due(pr))
		temp_make(pr);
}

/*
 * Somebody else has an address of ours: another one, a few times. Without use_stableaddr there is
 * no other lasting one.
 */
static void
duplicate(struct nd6_prefix *pr, const struct in6_ifaddr *ia)
{
	char text[IN6_TEXT];

	if (!is_temporary(ia) && !VNET(ip6_use_stableaddr))
		return;
	if (++pr->tries > IDGEN_RETRIES) {
		log_msg(LOG_LVL_ERR,
		    "nd6: %s: %s and those before it are duplicates: no more tries",
		    pr->ifp->if_xname, in6_ntoa(&ia->addr, text));
		return;
	}
	if (!is_temporary(ia))
		pr->dad_counter++;
	callout_reset(&pr->remake, 0);
}

void
nd6_slaac_address_changed(struct nd6_prefix *pr, const struct in6_ifaddr *ia)
{
	bool there = in6_ifaddr_exact(pr->ifp, &ia->addr) == ia;
	struct nd6_temp *t = temp_find(pr, &ia->addr);

	if (!there && t != NULL)
		temp_free(pr, t);
	if (!there || !nd6_slaac_owns(pr, ia))
		return;
	if (ia->flags & IN6_IFF_DUPLICATED)
		duplicate(pr, ia);
	else if (!(ia->flags & IN6_IFF_TENTATIVE))
		pr->tries = 0;
}

/* --- a prefix's life -------------------------------------------------------------------------- */

void
nd6_slaac_init(struct nd6_prefix *pr)
{
	TAILQ_INIT(&pr->temps);
	callout_init(&pr->remake, curvnet, remake, pr);
}

void
nd6_slaac_fini(struct nd6_prefix *pr)
{
	struct nd6_temp *t;

	callout_stop(&pr->remake);
	while ((t = TAILQ_FIRST(&pr->temps)) != NULL)
		temp_free(pr, t);
}
