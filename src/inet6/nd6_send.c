/*
 * nd6_send.c - solicitations and advertisements of neighbours, as they go out (RFC 4861 7.2).
 *
 * Both go by ip6_output with hop limit 255, by the interface that they are about and never through
 * a gateway. An answer about an anycast address waits for a random time, since others have it too
 * (7.2.7).
 */
#include "inet6/nd6_internal.h"

#include "kern/eventhandler.h"
#include "kern/sysctl.h"

#include <string.h>

VNET_DEFINE_STATIC(uint32_t, nd6_maxdelayed) = 64;
SYSCTL_VNET_UINT(net_inet6_icmp6_nd6_maxdelayed, "net.inet6.icmp6.nd6_maxdelayed", SYSCTL_RW,
    nd6_maxdelayed, 0, 65536, "answers about anycast addresses that wait; more are given at once");

/* RFC 4861 section 10. */
static const uint64_t max_anycast_delay_ns = NS_PER_SEC;

/* --- messages --------------------------------------------------------------------------------- */

/* A message with room for an option behind it: as long as it says. NULL without memory. */
static struct mbuf *
message_new(uint8_t type, uint32_t flags, const struct in6 *target, size_t options)
{
	struct mbuf *m = m_get((uint32_t)(sizeof(struct nd_neighbor) + options));
	struct nd_neighbor *msg;

	if (m == NULL) {
		drop_count(&DROP_ND6_NOBUFS, 1);
		return NULL;
	}
	msg = mtod(m, struct nd_neighbor *);
	*msg = (struct nd_neighbor){
		.icmp = { .type = type, .data = to_be32(flags) },
		.target = *target,
	};
	in6_clear(&msg->target);
	return m;
}

/* The 8 bytes behind the message: a link-layer address or a nonce. */
static void
put_option(struct mbuf *m, enum nd6_opt type, const uint8_t six[6])
{
	struct nd_opt_lladdr *opt = (void *)(m->data + sizeof(struct nd_neighbor));

	opt->type = (uint8_t)type;
	opt->len = 1;
	memcpy(opt->lladdr, six, 6);
}

void
nd6_message_send(struct ifnet *ifp, struct mbuf *m, const struct in6 *src, const struct in6 *dst)
{
	const struct ip_opts_out o = {
		.ttl = ND6_HOP_LIMIT,
		.ifp = ifp,
		.dont_route = !in6_is_multicast(dst),
		.src_unspecified = true,
		.no_loop = true,
	};

	m->fib = ifp->if_fib;
	icmp6_finish(m, src, dst);
	(void)ip6_output(m, src, dst, IPPROTO_ICMPV6_, &o);
}

/* Where a message of ours comes from: false if there is no address yet. */
static bool
choose_source(struct ifnet *ifp, const struct in6 *dst, struct in6 *src)
{
	const struct in6_ifaddr *ia = in6_select_source(ifp, dst);

	if (ia != NULL)
		*src = ia->addr;
	return ia != NULL;
}

void
nd6_ns_send(struct ifnet *ifp, const struct in6 *target, const struct in6 *unicast_to,
    const struct in6 *src, const uint8_t *nonce)
{
	struct in6 dst = unicast_to != NULL ? *unicast_to :
					      in6_solicited_node(target, ifp->if_index);
	struct in6 from;
	struct mbuf *m;
	bool has_lladdr;

	if (!nd6_is_active(ifp))
		return;
	if (src != NULL)
		from = *src;
	else if (!choose_source(ifp, target, &from))
		return;
	has_lladdr = !in6_is_any(&from) && ifp->if_addrlen == 6;
	m = message_new(ND_NEIGHBOR_SOLICIT_, 0, target, has_lladdr || nonce != NULL ? 8 : 0);
	if (m == NULL)
		return;
	if (has_lladdr)
		put_option(m, ND_OPT_SOURCE_LL, ifp->if_lladdr);
	else if (nonce != NULL)
		put_option(m, ND_OPT_NONCE, nonce);
	nd6_message_send(ifp, m, &from, &dst);
}

/* In the name of a published entry, or in our own: with its link address. */
void
nd6_na_send(struct ifnet *ifp, const struct in6 *to, const struct in6 *target, bool solicited,
    bool override)
{
	const struct in6_ifaddr *ia = in6_ifaddr_exact(ifp, target);
	const struct llentry *proxied = ia == NULL ? nd6_proxy_for(ifp, target) : NULL;
	const uint32_t flags = (V_ip6_forwarding ? (uint32_t)ND_NA_ROUTER : 0) |
	    (solicited ? (uint32_t)ND_NA_SOLICITED : 0) | (override ? (uint32_t)ND_NA_OVERRIDE : 0);
	struct in6 src = *target;
	struct mbuf *m;

	if (!nd6_is_active(ifp))
		return;
	if ((ia == NULL || (ia->flags & (IN6_IFF_ANYCAST | IN6_IFF_NOTREADY))) &&
	    !choose_source(ifp, to, &src))
		return;
	m = message_new(ND_NEIGHBOR_ADVERT_, flags, target, ifp->if_addrlen == 6 ? 8 : 0);
	if (m == NULL)
		return;
	if (ifp->if_addrlen == 6)
		put_option(m, ND_OPT_TARGET_LL, proxied != NULL ? proxied->header : ifp->if_lladdr);
	nd6_message_send(ifp, m, &src, to);
}

static struct in6
all_nodes(const struct ifnet *ifp)
{
	struct in6 all = in6_allnodes;

	in6_embed(&all, ifp->if_index);
	return all;
}

void
nd6_announce(const struct in6_ifaddr *ia)
{
	struct ifnet *ifp = ia->ifa.ifp;
	struct in6 all = all_nodes(ifp);

	/* RFC 4861 7.2.7: many have an anycast address, none may push itself forward */
	if (if_is_usable(ifp) && (ifp->if_flags & IFF_MULTICAST_) &&
	    !(ia->flags & (IN6_IFF_NOTREADY | IN6_IFF_ANYCAST)))
		nd6_na_send(ifp, &all, &ia->addr, false, true);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* An answer that waits. */
struct nd6_delayed {
	TAILQ_ENTRY(nd6_delayed) link; /* the stack's */
	struct ifnet *ifp;
	struct in6 to, target;
	bool solicited;
	struct callout timer;
};
TAILQ_HEAD(nd6_delayed_head, nd6_delayed);
VNET_DEFINE_STATIC(struct nd6_delayed_head, nd6_delayed);
VNET_DEFINE_STATIC(uint32_t, nd6_ndelayed);

static uint64_t delayed_live_;
AUDIT_COUNTER(nd6_delayed, "nd6-delayed", delayed_live_);

static void
delayed_free(struct nd6_delayed *d)
{
	callout_drain(&d->timer);
	TAILQ_REMOVE(&VNET(nd6_delayed), d, link);
	VNET(nd6_ndelayed)--;
	__atomic_fetch_sub(&delayed_live_, 1, __ATOMIC_RELAXED);
	vnet_free(d);
}

static void
delayed_send(void *arg)
{
	struct nd6_delayed *d = arg;

	nd6_na_send(d->ifp, &d->to, &d->target, d->solicited, false);
	delayed_free(d);
}

/* False: it can't wait. */
static bool
answer_later(struct ifnet *ifp, const struct in6 *to, const struct in6 *target, bool solicited)
{
	struct nd6_delayed *d;

	if (VNET(nd6_ndelayed) >= VNET(nd6_maxdelayed) || (d = vnet_malloc(sizeof(*d))) == NULL)
		return false;
	d->ifp = ifp;
	d->to = *to;
	d->target = *target;
	d->solicited = solicited;
	TAILQ_INSERT_TAIL(&VNET(nd6_delayed), d, link);
	VNET(nd6_ndelayed)++;
	__atomic_fetch_add(&delayed_live_, 1, __ATOMIC_RELAXED);
	callout_init(&d->timer, ifp->if_vnet, delayed_send, d);
	callout_reset(&d->timer, nd6_random_ns(max_anycast_delay_ns));
	return true;
}

void
nd6_delayed_forget(const struct ifnet *ifp)
{
	struct nd6_delayed *d, *next;

	TAILQ_FOREACH_SAFE(d, &VNET(nd6_delayed), link, next)
		if (d->ifp == ifp)
			delayed_free(d);
}

/*
 * RFC 4861 7.2.4. Only an address that is ours alone overrides what others have heard. A proxy
 * answers at once: it is the only one, as far as it knows (7.2.8).
 */
void
nd6_answer(struct ifnet *ifp, const struct in6 *src, const struct in6 *target)
{
	const struct in6_ifaddr *ia = in6_ifaddr_exact(ifp, target);
	const bool solicited = !in6_is_any(src);
	const struct in6 to = solicited ? *src : all_nodes(ifp);

	if (ia != NULL && (ia->flags & IN6_IFF_ANYCAST) &&
	    answer_later(ifp, &to, target, solicited))
		return;
	nd6_na_send(ifp, &to, target, solicited, ia != NULL && !(ia->flags & IN6_IFF_ANYCAST));
}

/* --- events ----------------------------------------------------------------------------------- */

/* The station has another link address: say so for each of its addresses (behaviours 38). */
static void
lladdr_changed(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct in6_ifaddr *ia = NULL;

	(void)ctx, (void)arg2;
	if (in6_if_of(ifp) == NULL)
		return;
	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL)
		nd6_announce(ia);
}

static struct event_tag *lladdr_tag;

static void
nd6_send_init(void *arg)
{
	(void)arg;
	TAILQ_INIT(&VNET(nd6_delayed));
	if (curvnet == vnet0)
		event_register(
		    &lladdr_tag, "iflladdr_event", EVENT_HERE, lladdr_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(nd6_send, SI_SUB_INET6, SI_ORDER_SECOND, nd6_send_init, NULL);

static void
nd6_send_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&lladdr_tag);
}
VNET_SYSUNINIT(nd6_send, SI_SUB_INET6, SI_ORDER_SECOND, nd6_send_uninit, NULL);
