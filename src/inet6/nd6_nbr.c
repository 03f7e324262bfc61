/*
 * nd6_nbr.c - solicitations and advertisements of neighbours, as they come in (RFC 4861 7).
 *
 * Each message is checked first: what passes was sent on this link (hop limit 255), whole (RFC
 * 6980) and in order. A solicitation for an address of ours, or one that we stand for, teaches us
 * who asks, and is answered (nd6_send.c); one from nobody is duplicate detection (nd6_dad.c). An
 * advertisement goes to the state machine of the neighbour's entry, if we have one (nd6.c): only
 * what we want to know is remembered.
 */
#include "inet6/nd6_internal.h"

#include "base/log.h"
#include "net/ethernet.h"

#include <string.h>

DROP_DEFINE(DROP_ND6_HLIM, "nd6", "hlim", "hop limit is not 255: not from this link");
DROP_DEFINE(DROP_ND6_FRAGMENT, "nd6", "fragment", "message came in fragments (RFC 6980)");
DROP_DEFINE(DROP_ND6_BAD, "nd6", "bad", "code, length, an address or a flag is wrong");
DROP_DEFINE(DROP_ND6_OPTIONS, "nd6", "options", "an option is empty, cut off or of a wrong length");
DROP_DEFINE(DROP_ND6_LLADDR, "nd6", "lladdr", "link-layer address is a group's");
DROP_DEFINE(DROP_ND6_FOREIGN, "nd6", "foreign", "sender is no neighbour on this link");
DROP_DEFINE(DROP_ND6_OWN, "nd6", "own", "message that we sent, or somebody else in our name");
DROP_DEFINE(DROP_ND6_INACTIVE, "nd6", "inactive", "message on an interface that resolves nobody");

/* --- options ---------------------------------------------------------------------------------- */

/* One option of `len` bytes, a multiple of 8. The first of a kind counts. */
static bool
option_gather(const uint8_t *opt, unsigned len, struct nd6_opts *o)
{
	switch (opt[0]) {
	case ND_OPT_SOURCE_LL:
	case ND_OPT_TARGET_LL:
		if (len != sizeof(struct nd_opt_lladdr))
			return false;
		if (o->lladdr[opt[0]] == NULL)
			o->lladdr[opt[0]] = opt + 2;
		return true;
	case ND_OPT_REDIRECTED:
		if (o->redirected == NULL)
			o->redirected = opt;
		return true;
	case ND_OPT_MTU:
		if (len != 8)
			return false;
		if (o->mtu == 0)
			o->mtu = __builtin_bswap32(load32(opt + 4));
		return true;
	case ND_OPT_NONCE:
		if (o->nonce == NULL) {
			o->nonce = opt + 2;
			o->nonce_len = len - 2;
		}
		return true;
	default:
		return true; /* RFC 4861 4.6: unknown ones are ignored */
	}
}

bool
nd6_options(const uint8_t *bytes, size_t len, struct nd6_opts *o)
{
	*o = (struct nd6_opts){ .first = bytes, .len = len };
	for (size_t at = 0; at < len;) {
		unsigned opt_len;

		if (len - at < 8)
			return false;
		opt_len = bytes[at + 1] * 8u;
		if (opt_len == 0 || opt_len > len - at || !option_gather(bytes + at, opt_len, o))
			return false;
		at += opt_len;
	}
	return true;
}

/* --- checks ----------------------------------------------------------------------------------- */

const struct drop_reason *
nd6_message_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, size_t least)
{
	const struct icmp6_hdr *icmp = (const void *)(m->data + off);

	if (info->ttl != ND6_HOP_LIMIT)
		return &DROP_ND6_HLIM;
	if (m->flags & M_FRAG)
		return &DROP_ND6_FRAGMENT;
	if (m->len < off + least || icmp->code != 0)
		return &DROP_ND6_BAD;
	return nd6_is_active(m->rcvif) ? NULL : &DROP_ND6_INACTIVE;
}

/* ff02::1:ff00:0/104, as in a packet or with a zone. */
static bool
is_solicited_node(const struct in6 *a)
{
	static const uint8_t prefix[] = { 0, 0, 0, 0, 0, 0, 0, 1, 0xff };

	return in6_is_multicast(a) && in6_mc_scope(a) == 2 && memcmp(a->b + 4, prefix, 9) == 0;
}

/* Nobody can be looked for, or be, at such an address. */
static bool
is_bad_target(const struct in6 *target)
{
	return in6_is_multicast(target) || in6_is_any(target) || in6_is_loopback(target);
}

static bool
is_group_lladdr(const uint8_t *lladdr)
{
	return lladdr != NULL && (lladdr[0] & 1);
}

/* RFC 4861 7.1.1. */
static const struct drop_reason *
solicit_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, struct nd6_opts *o)
{
	const struct nd_neighbor *ns = (const void *)(m->data + off);
	const struct in6 *src = ipaddr_in6(&info->src);
	const struct drop_reason *why = nd6_message_fault(m, off, info, sizeof(*ns));

	if (why != NULL)
		return why;
	if (is_bad_target(&ns->target))
		return &DROP_ND6_BAD;
	if (!nd6_options((const uint8_t *)(ns + 1), m->len - off - sizeof(*ns), o))
		return &DROP_ND6_OPTIONS;
	if (in6_is_any(src))
		return is_solicited_node(ipaddr_in6(&info->dst)) &&
			o->lladdr[ND_OPT_SOURCE_LL] == NULL ?
		    NULL :
		    &DROP_ND6_BAD;
	if (is_group_lladdr(o->lladdr[ND_OPT_SOURCE_LL]))
		return &DROP_ND6_LLADDR;
	if (in6_ifaddr_exact(m->rcvif, src) != NULL)
		return &DROP_ND6_OWN;
	/* who isn't on the link has no business in its table (CVE-2008-2476) */
	return nd6_is_neighbour(m->rcvif, src) ? NULL : &DROP_ND6_FOREIGN;
}

/* RFC 4861 7.1.2. */
static const struct drop_reason *
advert_fault(const struct mbuf *m, unsigned off, const struct ip_info *info, struct nd6_opts *o)
{
	const struct nd_neighbor *na = (const void *)(m->data + off);
	const struct drop_reason *why = nd6_message_fault(m, off, info, sizeof(*na));

	if (why != NULL)
		return why;
	if (is_bad_target(&na->target) ||
	    (in6_is_multicast(ipaddr_in6(&info->dst)) &&
		(from_be32(na->icmp.data) & ND_NA_SOLICITED)))
		return &DROP_ND6_BAD;
	if (!nd6_options((const uint8_t *)(na + 1), m->len - off - sizeof(*na), o))
		return &DROP_ND6_OPTIONS;
	return is_group_lladdr(o->lladdr[ND_OPT_TARGET_LL]) ? &DROP_ND6_LLADDR : NULL;
}

/* Drop, and say why if asked to. Takes m. */
static void
refuse(struct mbuf *m, const char *what, const struct ip_info *info, const struct drop_reason *why)
{
	char from[IPADDR_TEXT];

	if (V_nd6_debug)
		log_msg(LOG_LVL_NOTICE, "nd6: neighbour %s from %s on %s: %s", what,
		    ipaddr_ntoa(&info->src, from), m->rcvif->if_xname, why->text);
	m_drop(m, why);
}

/* --- solicitations ---------------------------------------------------------------------------- */

/* Somebody tries whether an address of ours is free. */
static void
dad_solicited(struct in6_ifaddr *ia, const struct in6 *src, const struct nd6_opts *o)
{
	/* RFC 4862 5.4.3: who resolves the address of somebody else gets no answer from us */
	if ((ia->flags & IN6_IFF_TENTATIVE) && in6_is_any(src))
		nd6_dad_ns(ia, o);
}

static void
solicited(
    struct ifnet *ifp, const struct in6 *target, const struct in6 *src, const struct nd6_opts *o)
{
	struct in6_ifaddr *ia = in6_ifaddr_exact(ifp, target);

	if (ia == NULL && nd6_proxy_for(ifp, target) == NULL)
		return;
	if (ia != NULL && (ia->flags & IN6_IFF_NOTREADY)) {
		dad_solicited(ia, src, o);
		return;
	}
	if (!in6_is_any(src))
		(void)nd6_heard(ifp, src, o->lladdr[ND_OPT_SOURCE_LL], ND6_FROM_NS, false);
	nd6_answer(ifp, src, target);
}

static void
solicit_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct nd_neighbor *ns = (const void *)(m->data + off);
	struct nd6_opts o;
	const struct drop_reason *why = solicit_fault(m, off, info, &o);
	struct in6 target;

	if (why != NULL) {
		V_icmp6stat.badns++;
		refuse(m, "solicitation", info, why);
		return;
	}
	target = ip6_zoned(&ns->target, m->rcvif);
	solicited(m->rcvif, &target, ipaddr_in6(&info->src), &o);
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(neighbor_solicit, .type = ND_NEIGHBOR_SOLICIT_, .input = solicit_input);

/* --- advertisements --------------------------------------------------------------------------- */

/* Somebody else says that he has an address of ours. */
static void
twin_heard(struct in6_ifaddr *ia, const uint8_t *lladdr)
{
	char ip[IN6_TEXT], mac[18];

	if (ia->flags & IN6_IFF_TENTATIVE)
		nd6_dad_duplicate(ia, lladdr);
	else if (!(ia->flags & IN6_IFF_DUPLICATED))
		log_msg(LOG_LVL_ERR, "nd6: duplicate IPv6 address %s sent from %s on %s",
		    in6_ntoa(&ia->addr, ip),
		    lladdr != NULL ? ether_ntoa_(lladdr, mac) : "an unknown link address",
		    ia->ifa.ifp->if_xname);
}

static void
advertised(struct ifnet *ifp, const struct in6 *target, const struct nd6_advert *na)
{
	struct in6_ifaddr *ia = in6_ifaddr_exact(ifp, target);
	struct llentry *lle;

	if (ia != NULL) {
		twin_heard(ia, na->lladdr);
		return;
	}
	if (ifp->if_flags & IFF_STATICARP_)
		return;
	lle = lla_find(in6_lltable(ifp), target);
	if (lle != NULL)
		nd6_advertised(lle, na);
}

static void
advert_input(struct mbuf *m, unsigned off, const struct ip_info *info)
{
	const struct nd_neighbor *msg = (const void *)(m->data + off);
	struct nd6_opts o;
	const struct drop_reason *why = advert_fault(m, off, info, &o);
	struct nd6_advert na;
	struct in6 target;
	uint32_t flags;

	if (why != NULL) {
		V_icmp6stat.badna++;
		refuse(m, "advertisement", info, why);
		return;
	}
	flags = from_be32(msg->icmp.data);
	na = (struct nd6_advert){
		.lladdr = o.lladdr[ND_OPT_TARGET_LL],
		.router = flags & ND_NA_ROUTER,
		.solicited = flags & ND_NA_SOLICITED,
		.override = flags & ND_NA_OVERRIDE,
	};
	target = ip6_zoned(&msg->target, m->rcvif);
	advertised(m->rcvif, &target, &na);
	m_free(m);
}
ICMP6_MESSAGE_DEFINE(neighbor_advert, .type = ND_NEIGHBOR_ADVERT_, .input = advert_input);
