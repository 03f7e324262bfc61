/*
 * nd6_dad.c - is an address of ours somebody else's? (RFC 4862 5.4, RFC 7527)
 *
 *	tentative	dad_count solicitations from ::, RetransTimer apart: who has it?
 *			nobody answers in time: ready, and said to all
 *			an advertisement for it, or a solicitation from :: that isn't ours:
 *	duplicated	stays so until somebody changes it
 *
 * A link that sends us our own packets back is told by the nonce in each solicitation: while such
 * ones come, the address stays tentative and is tried again. If the link-local address made of the
 * link address is a duplicate, so is the link address itself: IPv6 is disabled on the interface
 * (RFC 4862 5.4.5).
 *
 * An address that was found free stays ready while the link goes and comes, as in BSD.
 */
#include "inet6/nd6_internal.h"

#include "base/log.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"

#include <inttypes.h>
#include <string.h>

VNET_DEFINE_STATIC(uint32_t, dad_count) = 1;
VNET_DEFINE_STATIC(bool, dad_enhanced) = true;

SYSCTL_VNET_UINT(net_inet6_ip6_dad_count, "net.inet6.ip6.dad_count", SYSCTL_RW, dad_count, 0, 100,
    "solicitations that ask whether a new address is free; 0 = don't ask");
SYSCTL_VNET_BOOL(net_inet6_ip6_dad_enhanced, "net.inet6.ip6.dad_enhanced", SYSCTL_RW, dad_enhanced,
    "put a nonce into these solicitations, to know them when the link returns them");

/* RFC 4861 section 10: the longest delay of the first message on a link (RFC 4862 5.4.2). */
static const uint64_t max_first_delay_ns = NS_PER_SEC;
/* Nonces remembered: a returned solicitation may be this many behind. */
enum { NONCE_LEN = 6, NONCES = 8 };

struct nd6_dad {
	struct in6_ifaddr *ia; /* borrowed: it stops us before it goes */
	struct callout timer;
	uint32_t sent, left; /* solicitations */
	uint32_t ns_in, na_in, looped;
	bool looped_now; /* since the last one was sent */
	uint8_t nonce[NONCES][NONCE_LEN];
};

static uint64_t dads_live_;
AUDIT_COUNTER(nd6_dad, "nd6-dad", dads_live_);

/* --- asking ----------------------------------------------------------------------------------- */

static void
dad_ask(struct nd6_dad *d)
{
	struct ifnet *ifp = d->ia->ifa.ifp;
	uint8_t *nonce = d->nonce[d->sent % NONCES];

	d->looped_now = false;
	d->sent++;
	d->left--;
	callout_reset(&d->timer, in6_if_of(ifp)->nd.retrans_ms * NS_PER_MS);
	if (VNET(dad_enhanced))
		nd6_random_bytes(nonce, NONCE_LEN);
	nd6_ns_send(ifp, &d->ia->addr, NULL, &in6_any_, VNET(dad_enhanced) ? nonce : NULL);
}

/* Is it one of those that we sent? */
static bool
is_our_nonce(const struct nd6_dad *d, const struct nd6_opts *o)
{
	if (o->nonce == NULL || o->nonce_len != NONCE_LEN)
		return false;
	for (uint32_t i = 0; i < d->sent && i < NONCES; i++)
		if (memcmp(d->nonce[i], o->nonce, NONCE_LEN) == 0)
			return true;
	return false;
}

/* --- results ---------------------------------------------------------------------------------- */

void
nd6_dad_stop(struct in6_ifaddr *ia)
{
	struct nd6_dad *d = ia->dad;

	if (d == NULL)
		return;
	ia->dad = NULL;
	callout_drain(&d->timer);
	vnet_free(d);
	__atomic_fetch_sub(&dads_live_, 1, __ATOMIC_RELAXED);
}

static void
dad_ready(struct in6_ifaddr *ia)
{
	nd6_dad_stop(ia);
	ia->flags &= ~(uint32_t)IN6_IFF_TENTATIVE;
	in6_addr_event(ia);
	nd6_announce(ia);
}

/* Is it the link-local address that only the owner of the link address has? */
static bool
is_own_eui64(const struct in6_ifaddr *ia)
{
	struct in6 made = ia->addr;

	if (!in6_is_linklocal(&ia->addr) || ia->ifa.ifp->if_addrlen != 6)
		return false;
	in6_eui64(&made, ia->ifa.ifp->if_lladdr);
	return in6_equal(&made, &ia->addr);
}

static void
disable_interface(struct ifnet *ifp)
{
	log_msg(LOG_LVL_ERR, "%s: possible hardware address duplication detected, disable IPv6",
	    ifp->if_xname);
	in6_flags_set(ifp, in6_if_of(ifp)->nd.flags | ND6_IFF_IFDISABLED);
}

/* lladdr: whose it is, if known. */
static void
dad_failed(struct in6_ifaddr *ia, const uint8_t *lladdr)
{
	const struct nd6_dad *d = ia->dad;
	struct ifnet *ifp = ia->ifa.ifp;
	char ip[IN6_TEXT], mac[18];

	log_msg(LOG_LVL_ERR,
	    "%s: DAD detected duplicate IPv6 address %s: NS in/out=%" PRIu32 "/%" PRIu32
	    ", NA in=%" PRIu32 "%s%s",
	    ifp->if_xname, in6_ntoa(&ia->addr, ip), d->ns_in, d->sent, d->na_in,
	    lladdr != NULL ? ", from " : "", lladdr != NULL ? ether_ntoa_(lladdr, mac) : "");
	nd6_dad_stop(ia);
	ia->flags = (ia->flags & ~(uint32_t)IN6_IFF_TENTATIVE) | IN6_IFF_DUPLICATED;
	in6_addr_event(ia);
	if (is_own_eui64(ia))
		disable_interface(ifp);
}

void
nd6_dad_duplicate(struct in6_ifaddr *ia, const uint8_t *lladdr)
{
	if (ia->dad == NULL)
		return; /* tentative, but not asked yet: the twin will answer then */
	ia->dad->na_in++;
	dad_failed(ia, lladdr);
}

/*
 * What we sent came back (RFC 7527 4.2): the link has a loop, and our solicitations say nothing
 * about others. Asked again until one doesn't come back.
 */
static bool
still_looped(struct nd6_dad *d)
{
	if (!d->looped_now)
		return false;
	if (d->looped == 1) {
		char ip[IN6_TEXT];

		log_msg(LOG_LVL_WARNING, "%s: DAD of %s: the link returns our own solicitations",
		    d->ia->ifa.ifp->if_xname, in6_ntoa(&d->ia->addr, ip));
	}
	d->left = VNET(dad_count);
	return d->left > 0;
}

static void
dad_timer(void *arg)
{
	struct nd6_dad *d = arg;

	if (d->left > 0 || still_looped(d))
		dad_ask(d);
	else
		dad_ready(d->ia);
}

void
nd6_dad_ns(struct in6_ifaddr *ia, const struct nd6_opts *o)
{
	struct nd6_dad *d = ia->dad;

	if (d == NULL)
		return;
	if (is_our_nonce(d, o)) {
		d->looped++;
		d->looped_now = true;
		return;
	}
	d->ns_in++;
	dad_failed(ia, NULL);
}

/* --- beginning -------------------------------------------------------------------------------- */

/*
 * May the first solicitation meet those of others that began for the same reason (RFC 4862 5.4.2):
 * a link that came up for all (the address made of the link address comes then), an advertisement
 * that all have heard?
 */
static bool
wants_delay(const struct in6_ifaddr *ia, bool link_came_up)
{
	return link_came_up || (ia->flags & IN6_IFF_AUTOCONF) || is_own_eui64(ia);
}

static void
dad_begin(struct in6_ifaddr *ia, bool link_came_up)
{
	struct ifnet *ifp = ia->ifa.ifp;
	struct nd6_dad *d;

	nd6_dad_stop(ia);
	if (!if_is_usable(ifp) || (in6_if_of(ifp)->nd.flags & ND6_IFF_IFDISABLED))
		return;
	if (VNET(dad_count) == 0 || (ifp->if_flags & IFF_NOARP_)) {
		dad_ready(ia);
		return;
	}
	if ((d = vnet_malloc(sizeof(*d))) == NULL)
		return; /* it stays tentative until the link comes up again */
	__atomic_fetch_add(&dads_live_, 1, __ATOMIC_RELAXED);
	d->ia = ia;
	d->left = VNET(dad_count);
	ia->dad = d;
	callout_init(&d->timer, ifp->if_vnet, dad_timer, d);
	if (wants_delay(ia, link_came_up))
		callout_reset(&d->timer, nd6_random_ns(max_first_delay_ns));
	else
		dad_ask(d);
}

void
nd6_dad_start(struct in6_ifaddr *ia)
{
	dad_begin(ia, false);
}

void
nd6_dad_linkchange(struct ifnet *ifp)
{
	struct in6_ifaddr *ia = NULL;

	while ((ia = in6_ifaddr_next(ifp, ia)) != NULL) {
		if (!if_is_usable(ifp))
			nd6_dad_stop(ia);
		else if ((ia->flags & IN6_IFF_TENTATIVE) && ia->dad == NULL)
			dad_begin(ia, true);
	}
}
