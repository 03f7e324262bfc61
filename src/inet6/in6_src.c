/*
 * in6_src.c - which of our addresses a packet gets as its source, and which of several destinations
 * is tried first: address selection (RFC 6724).
 *
 * The rules stand in two tables, in the RFC's order: the first that prefers one of two decides.
 * Candidates for a source are the addresses of the way out and, on a router's terms (RFC 6724 4),
 * those of other interfaces where the way out has none that will do.
 */
#include "inet/in.h"
#include "inet6/in6_internal.h"
#include "inet6/in6_policy.h"
#include "inet6/nd6_rtr.h"
#include "kern/sysctl.h"

VNET_DEFINE_STATIC(bool, ip6_use_deprecated) = true;
SYSCTL_VNET_BOOL(net_inet6_ip6_use_deprecated, "net.inet6.ip6.use_deprecated", SYSCTL_RW,
    ip6_use_deprecated, "send from deprecated addresses where there is no other");
VNET_DEFINE_STATIC(bool, ip6_prefer_tempaddr);
SYSCTL_VNET_BOOL(net_inet6_ip6_prefer_tempaddr, "net.inet6.ip6.prefer_tempaddr", SYSCTL_RW,
    ip6_prefer_tempaddr, "send from temporary addresses rather than from public ones");

/* Of what has no row in the policy table. */
enum { NO_LABEL = -1, NO_PRECEDENCE = -1 };

static int64_t
label_of(const struct in6 *addr)
{
	const struct in6_policy *p = in6_policy_of(addr);

	return p == NULL ? NO_LABEL : (int64_t)p->label;
}

static int64_t
precedence_of(const struct in6 *addr)
{
	const struct in6_policy *p = in6_policy_of(addr);

	return p == NULL ? NO_PRECEDENCE : (int64_t)p->precedence;
}

/* CommonPrefixLen of RFC 6724 2.2: not longer than the source's own prefix. */
static unsigned
common_prefix(const struct in6 *src, unsigned src_plen, const struct in6 *dst)
{
	unsigned n = 0;

	while (n < src_plen && n < 128 && src->b[n >> 3] == dst->b[n >> 3])
		n += 8;
	if (n < src_plen && n < 128)
		n += (unsigned)__builtin_clz((uint32_t)(src->b[n >> 3] ^ dst->b[n >> 3])) - 24;
	return n < src_plen ? n : src_plen;
}

/* -1 where only a has it, 1 where only b has, 0 where that decides nothing. */
static int
prefer(bool a, bool b)
{
	return (int)b - (int)a;
}

/* --- sources (section 5) --------------------------------------------------- */

struct source_choice {
	const struct in6 *dst;
	const struct ifnet *ifp; /* the way out */
	unsigned scope;          /* of dst */
	struct in6_ifaddr *best;
};
/* < 0: a is better, > 0: b, 0: the next rule decides. */
typedef int source_rule(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b);

/* Rule 2: the smallest scope that reaches the destination, else the largest. */
static int
appropriate_scope(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	unsigned sa = in6_scope(&a->addr), sb = in6_scope(&b->addr);

	if (sa == sb)
		return 0;
	if (sa < sb)
		return sa < c->scope ? 1 : -1;
	return sb < c->scope ? -1 : 1;
}

/* Rule 3. */
static int
not_deprecated(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	(void)c;
	return prefer(!(a->flags & IN6_IFF_DEPRECATED), !(b->flags & IN6_IFF_DEPRECATED));
}

/* Rule 5. */
static int
of_the_way_out(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	return prefer(a->ifa.ifp == c->ifp, b->ifa.ifp == c->ifp);
}

static bool
is_of_router(const struct nd6_router *r, const struct in6_ifaddr *ia)
{
	const struct nd6_prefix *pr;

	TAILQ_FOREACH(pr, &V_nd6_prefixes, link)
		if (pr->ifp == r->ifp && (pr->routers & UINT64_C(1) << r->slot) &&
		    in6_match(&pr->prefix, &ia->addr, pr->plen))
			return true;
	return false;
}

/* Rule 5.5: what the next hop itself has advertised, it will take. */
static int
of_the_next_hop(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	const struct nexthop *nh;
	const struct nd6_router *r;

	if (TAILQ_EMPTY(&V_nd6_routers))
		return 0;
	nh = route_to6(c->ifp->if_fib, c->dst, 0);
	if (nh == NULL || !(nh->flags & RTF_GATEWAY_) || nh->rt->gateway.family != AF_INET6)
		return 0;
	r = nd6_router_find(nh->ifp, rt_addr_in6(&nh->rt->gateway));
	return r == NULL ? 0 : prefer(is_of_router(r, a), is_of_router(r, b));
}

/* Rule 6. */
static int
matching_label(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	int64_t wanted = label_of(c->dst);

	return prefer(label_of(&a->addr) == wanted, label_of(&b->addr) == wanted);
}

/* Rule 7, whose sense the administrator chooses. */
static int
temporary(const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	int order = prefer(a->flags & IN6_IFF_TEMPORARY, b->flags & IN6_IFF_TEMPORARY);

	(void)c;
	return VNET(ip6_prefer_tempaddr) ? order : -order;
}

/* Ours, before the RFC's last rule: the administrator said so. */
static bool
is_preferred_source(const struct in6_ifaddr *ia)
{
	return (ia->flags & IN6_IFF_PREFER_SOURCE) ||
	    (in6_if_of(ia->ifa.ifp)->nd.flags & ND6_IFF_PREFER_SOURCE);
}

static int
preferred_source(
    const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	(void)c;
	return prefer(is_preferred_source(a), is_preferred_source(b));
}

/* Rule 8. */
static int
longest_match(const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	return (int)common_prefix(&b->addr, b->plen, c->dst) -
	    (int)common_prefix(&a->addr, a->plen, c->dst);
}

/* Rule 1, the destination itself, needs no comparison; rule 4 is Mobile IPv6's. */
static source_rule *const source_rules[] = { appropriate_scope, not_deprecated, of_the_way_out,
	of_the_next_hop, matching_label, temporary, preferred_source, longest_match };

static bool
is_better(const struct source_choice *c, const struct in6_ifaddr *a, const struct in6_ifaddr *b)
{
	int order = 0;

	for (size_t i = 0; order == 0 && i < sizeof(source_rules) / sizeof(source_rules[0]); i++)
		order = source_rules[i](c, a, b);
	return order < 0;
}

/* May a packet that leaves by ifp come from this address at all? */
static bool
is_candidate(const struct in6_ifaddr *ia, const struct ifnet *ifp)
{
	uint32_t zone = in6_zone(&ia->addr);

	if (ia->flags & (IN6_IFF_NOTREADY | IN6_IFF_ANYCAST | IN6_IFF_DETACHED))
		return false;
	if ((ia->flags & IN6_IFF_DEPRECATED) && !VNET(ip6_use_deprecated))
		return false;
	if (in6_if_of(ia->ifa.ifp)->nd.flags & ND6_IFF_IFDISABLED)
		return false;
	if (in6_is_loopback(&ia->addr))
		return ifp->if_flags & IFF_LOOPBACK_;
	return zone == 0 || zone == ifp->if_index;
}

static void
consider_all(struct source_choice *c, const struct ifnet *owner)
{
	struct in6_ifaddr *ia = NULL;

	while ((ia = in6_ifaddr_next(owner, ia)) != NULL)
		if (is_candidate(ia, c->ifp) && (c->best == NULL || is_better(c, ia, c->best)))
			c->best = ia;
}

/* Could an address of another interface be better? By none of the rules from 5 on. */
static bool
must_look_further(const struct source_choice *c)
{
	if (in6_is_scoped(c->dst))
		return false;
	return c->best == NULL || in6_scope(&c->best->addr) < c->scope ||
	    (c->best->flags & IN6_IFF_DEPRECATED);
}

struct in6_ifaddr *
in6_select_source(struct ifnet *ifp, const struct in6 *dst)
{
	struct source_choice c = { .dst = dst, .ifp = ifp, .scope = in6_scope(dst) };
	struct in6_ifaddr *same = in6_local(dst);
	struct ifnet *other;

	/* rule 1 */
	if (same != NULL && is_candidate(same, ifp))
		return same;
	consider_all(&c, ifp);
	if (must_look_further(&c))
		IF_FOREACH(other)
			if (other != ifp)
				consider_all(&c, other);
	return c.best;
}

/* --- destinations (section 6) ------------------------------------------------ */

struct destination {
	struct in6 addr, src;
	unsigned src_plen;
	bool usable, src_deprecated;
	unsigned scope, src_scope;
};
typedef int destination_rule(const struct destination *a, const struct destination *b);

static uint32_t
v4_of(const struct in6 *mapped)
{
	return load32(mapped->b + 12);
}

/* RFC 6724 3.2. */
static unsigned
scope_of(const struct in6 *addr)
{
	uint32_t a4 = v4_of(addr);

	if (!in6_is_v4mapped(addr))
		return in6_scope(addr);
	return in_is_loopback(a4) || (addr->b[12] == 169 && addr->b[13] == 254) ? 2 : 14;
}

static void
source_for_v4(uint8_t fib, struct destination *d)
{
	const struct nexthop *nh = route_to4(fib, v4_of(&d->addr), 0);
	const struct in_ifaddr *ia;

	if (nh == NULL || nh->ifa == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)))
		return;
	ia = in_ifaddr_of(nh->ifa);
	d->usable = true;
	d->src = d->addr;
	store32(d->src.b + 12, ia->addr);
	d->src_plen = 96 + in_mask_plen(ia->mask);
}

static void
source_for_v6(uint8_t fib, struct destination *d)
{
	const struct nexthop *nh = route_to6(fib, &d->addr, 0);
	uint32_t zone = in6_zone(&d->addr);
	struct ifnet *ifp = zone != 0 ? if_byindex(zone) : nh == NULL ? NULL : nh->ifp;
	const struct in6_ifaddr *ia;

	if (ifp == NULL || (nh != NULL && (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_))))
		return;
	if ((ia = in6_select_source(ifp, &d->addr)) == NULL)
		return;
	d->usable = true;
	d->src = ia->addr;
	d->src_plen = ia->plen;
	d->src_deprecated = ia->flags & IN6_IFF_DEPRECATED;
}

static struct destination
destination_of(uint8_t fib, const struct in6 *addr)
{
	struct destination d = { .addr = *addr };

	if (in6_is_v4mapped(addr))
		source_for_v4(fib, &d);
	else
		source_for_v6(fib, &d);
	d.scope = scope_of(addr);
	d.src_scope = scope_of(&d.src);
	return d;
}

/* Rule 1. */
static int
not_unusable(const struct destination *a, const struct destination *b)
{
	return prefer(a->usable, b->usable);
}

/* Rule 2. */
static int
matching_scope(const struct destination *a, const struct destination *b)
{
	return prefer(a->scope == a->src_scope, b->scope == b->src_scope);
}

/* Rule 3. */
static int
source_not_deprecated(const struct destination *a, const struct destination *b)
{
	return prefer(!a->src_deprecated, !b->src_deprecated);
}

/* Rule 5. */
static int
source_label(const struct destination *a, const struct destination *b)
{
	return prefer(
	    label_of(&a->addr) == label_of(&a->src), label_of(&b->addr) == label_of(&b->src));
}

/* Rule 6. */
static int
higher_precedence(const struct destination *a, const struct destination *b)
{
	int64_t x = precedence_of(&a->addr), y = precedence_of(&b->addr);

	return (x < y) - (x > y);
}

/* Rule 8. */
static int
smaller_scope(const struct destination *a, const struct destination *b)
{
	return (int)a->scope - (int)b->scope;
}

/* Rule 9. */
static int
longer_match(const struct destination *a, const struct destination *b)
{
	if (in6_is_v4mapped(&a->addr) != in6_is_v4mapped(&b->addr))
		return 0;
	return (int)common_prefix(&b->src, b->src_plen, &b->addr) -
	    (int)common_prefix(&a->src, a->src_plen, &a->addr);
}

/* Rule 4 is Mobile IPv6's; rule 7, native transport, has nothing to choose from without tunnels. */
static destination_rule *const destination_rules[] = { not_unusable, matching_scope,
	source_not_deprecated, source_label, higher_precedence, smaller_scope, longer_match };

int
in6_compare_destinations(uint8_t fib, const struct in6 *a, const struct in6 *b)
{
	const struct destination x = destination_of(fib, a), y = destination_of(fib, b);
	int order = 0;

	for (size_t i = 0;
	     order == 0 && i < sizeof(destination_rules) / sizeof(destination_rules[0]); i++)
		order = destination_rules[i](&x, &y);
	return order;
}
