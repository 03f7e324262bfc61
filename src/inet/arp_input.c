/*
 * arp_input.c - ARP packets from the link.
 *
 * Each is checked, then the sender is learned (RFC 826: an entry that is there is always brought up
 * to date, a new one is made only if we are the target), then, if it is a request for an address of
 * ours or one that we stand for, answered.
 */
#include "inet/arp_internal.h"

#include "base/log.h"
#include "kern/netisr.h"
#include "kern/netstat.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"

#include <errno.h>
#include <string.h>

DROP_DEFINE(DROP_ARP_SHORT, "arp", "short", "ARP packet is too short");
DROP_DEFINE(DROP_ARP_FORMAT, "arp", "format", "ARP packet is not for IPv4 on Ethernet");
DROP_DEFINE(DROP_ARP_OP, "arp", "op", "ARP packet is neither request nor reply");
DROP_DEFINE(DROP_ARP_SENDER, "arp", "sender", "ARP packet's sender has an impossible address");
DROP_DEFINE(DROP_ARP_NOADDR, "arp", "noaddr", "ARP packet on an interface without IPv4 address");
DROP_DEFINE(DROP_ARP_NOARP, "arp", "noarp", "ARP packet on an interface that does no ARP");
DROP_DEFINE(DROP_ARP_OWN, "arp", "own", "ARP packet that we sent");

VNET_DEFINE_STATIC(bool, arp_proxyall) = false;
VNET_DEFINE_STATIC(bool, arp_log_wrong_iface) = true;
VNET_DEFINE_STATIC(bool, arp_log_movements) = true;
VNET_DEFINE_STATIC(bool, arp_log_permanent) = true;

SYSCTL_VNET_BOOL(net_link_ether_inet_proxyall, "net.link.ether.inet.proxyall", SYSCTL_RW,
    arp_proxyall, "answer for all addresses that are reached through another interface");
SYSCTL_VNET_BOOL(net_link_ether_inet_log_arp_wrong_iface, "net.link.ether.inet.log_arp_wrong_iface",
    SYSCTL_RW, arp_log_wrong_iface, "log ARP packets that come in by the wrong interface");
SYSCTL_VNET_BOOL(net_link_ether_inet_log_arp_movements, "net.link.ether.inet.log_arp_movements",
    SYSCTL_RW, arp_log_movements, "log neighbours that change their link address");
SYSCTL_VNET_BOOL(net_link_ether_inet_log_arp_permanent_modify,
    "net.link.ether.inet.log_arp_permanent_modify", SYSCTL_RW, arp_log_permanent,
    "log attempts to change permanent entries");

/* What is wrong with a packet in itself; NULL = nothing. */
static const struct drop_reason *
arp_fault(const struct ifnet *ifp, const struct mbuf *m)
{
	const struct arp_packet *ap = mtod(m, const struct arp_packet *);
	unsigned op;

	if (ifp->if_flags & IFF_NOARP_)
		return &DROP_ARP_NOARP;
	if (m->len < sizeof(*ap))
		return &DROP_ARP_SHORT;
	if (from_be16(ap->htype) != ARP_HTYPE_ETHER || from_be16(ap->ptype) != ETHERTYPE_IP_ ||
	    ap->hlen != 6 || ap->plen != 4)
		return &DROP_ARP_FORMAT;
	op = from_be16(ap->op);
	if (op != ARP_REQUEST && op != ARP_REPLY)
		return &DROP_ARP_OP;
	/* a probe's sender address is 0 (RFC 5227); groups and broadcast are nobody */
	if ((ap->sha[0] & 1) || in_is_multicast(ap->sip) || ap->sip == 0xffffffff ||
	    in_is_loopback(ap->sip) || in_is_multicast(ap->tip))
		return &DROP_ARP_SENDER;
	if (memcmp(ap->sha, ifp->if_lladdr, 6) == 0)
		return &DROP_ARP_OWN;
	return NULL;
}

/* Which other interface has addr on its link; NULL = none. */
static const struct ifnet *
other_interface(const struct ifnet *ifp, uint32_t addr)
{
	const struct in_ifaddr *ia;
	struct ifnet *other;

	IF_FOREACH(other) {
		if (other == ifp || !(other->if_flags & IFF_UP_) ||
		    (other->if_flags & IFF_LOOPBACK_))
			continue;
		if ((ia = in_ifaddr_for(other, addr)) != NULL && ia->dst == 0)
			return other;
	}
	return NULL;
}

/* Does the sender belong on this link? Logs if it belongs on another. */
static bool
sender_is_here(const struct ifnet *ifp, const struct arp_packet *ap)
{
	const struct ifnet *other;
	char ip[16], mac[18];

	if (in_ifaddr_for(ifp, ap->sip) != NULL)
		return true;
	if (VNET(arp_log_wrong_iface) && (other = other_interface(ifp, ap->sip)) != NULL)
		log_msg(LOG_LVL_NOTICE, "arp: %s is on %s but got reply from %s on %s",
		    in_ntoa(ap->sip, ip), other->if_xname, ether_ntoa_(ap->sha, mac),
		    ifp->if_xname);
	return false;
}

/* Bring the sender's entry up to date; make it if we are meant. */
static void
learn(struct ifnet *ifp, const struct arp_packet *ap, bool for_us)
{
	struct lltable *t = in_lltable(ifp);
	struct llentry *lle;
	char ip[16], was[18], is[18];

	if (t == NULL || ap->sip == 0 || (ifp->if_flags & IFF_STATICARP_) ||
	    !sender_is_here(ifp, ap))
		return;
	lle = for_us ? arp_entry(ifp, ap->sip) : lla_find(t, &ap->sip);
	if (lle == NULL)
		return;
	if (lle->flags & LLE_STATIC) {
		if (VNET(arp_log_permanent) && memcmp(lle->header, ap->sha, 6) != 0)
			log_msg(LOG_LVL_NOTICE,
			    "arp: %s attempts to modify permanent entry for %s on %s",
			    ether_ntoa_(ap->sha, is), in_ntoa(ap->sip, ip), ifp->if_xname);
		return;
	}
	if ((lle->flags & LLE_VALID) && memcmp(lle->header, ap->sha, 6) != 0 &&
	    VNET(arp_log_movements))
		log_msg(LOG_LVL_NOTICE, "arp: %s moved from %s to %s on %s", in_ntoa(ap->sip, ip),
		    ether_ntoa_(lle->header, was), ether_ntoa_(ap->sha, is), ifp->if_xname);
	arp_learned(lle, ap->sha);
}

/* Do packets to addr leave by ifp, as one way among others? */
static bool
leads_to4(const struct ifnet *ifp, uint32_t addr)
{
	struct nexthop *found = fib_lookup4(ifp->if_fib, addr);
	const struct nexthop *nh;
	unsigned at = 0;

	while ((nh = nexthop_path(found, &addr, &at)) != NULL)
		if (nh->ifp == ifp)
			return true;
	return false;
}

/* The link address to answer with for an address that is not ours; NULL = keep quiet. */
static const uint8_t *
proxy_for(struct ifnet *ifp, const struct arp_packet *ap)
{
	struct lltable *t = in_lltable(ifp);
	const struct llentry *lle = t == NULL ? NULL : lla_find(t, &ap->tip);
	const struct nexthop *nh;

	if (lle != NULL && (lle->flags & LLE_PUB) && (lle->flags & LLE_VALID))
		return lle->header;
	if (!VNET(arp_proxyall))
		return NULL;
	/* a target on the link where the question was asked answers for itself */
	nh = route_to4(ifp->if_fib, ap->tip, 0);
	if (nh == NULL || leads_to4(ifp, ap->tip) ||
	    (nh->flags & (RTF_LOCAL_ | RTF_REJECT_ | RTF_BLACKHOLE_)))
		return NULL;
	/* and so does one whose asker is not on the link where it asks */
	return leads_to4(ifp, ap->sip) ? ifp->if_lladdr : NULL;
}

static void
answer(struct ifnet *ifp, const struct arp_packet *ap, bool for_us)
{
	struct arp_packet body = { .sip = ap->tip, .tip = ap->sip };
	const uint8_t *lladdr = for_us ? ifp->if_lladdr : proxy_for(ifp, ap);

	if (lladdr == NULL)
		return;
	memcpy(body.sha, lladdr, 6);
	memcpy(body.tha, ap->sha, 6);
	arp_send(ifp, ARP_REPLY, ap->sha, &body);
}

/* Somebody else has an address of ours. */
static void
duplicate(const struct ifnet *ifp, const struct arp_packet *ap)
{
	char ip[16], mac[18];

	V_arpstat.dupips++;
	log_msg(LOG_LVL_ERR, "arp: duplicate IP address %s sent from ethernet address %s on %s",
	    in_ntoa(ap->sip, ip), ether_ntoa_(ap->sha, mac), ifp->if_xname);
}

/* A packet without faults. Borrows it. */
static void
arp_one(struct ifnet *ifp, const struct arp_packet *ap)
{
	bool request = from_be16(ap->op) == ARP_REQUEST;
	bool for_us = in_ifaddr_exact(ifp, ap->tip) != NULL;

	if (request)
		V_arpstat.rxrequests++;
	else
		V_arpstat.rxreplies++;
	if (ap->sip != 0 && in_ifaddr_exact(ifp, ap->sip) != NULL)
		/* the answer below, to its own announcement or probe, is our defence */
		duplicate(ifp, ap);
	else
		learn(ifp, ap, for_us);
	if (request)
		answer(ifp, ap, for_us);
}

void
arp_input(struct batch *b)
{
	struct ifnet *ifp = b->m[0]->rcvif;

	V_arpstat.received += b->n;
	batch_foreach(b, m) {
		const struct drop_reason *why = arp_fault(ifp, m);

		if (why == NULL && in_ifaddr_first(ifp) == NULL)
			why = &DROP_ARP_NOADDR;
		if (why != NULL) {
			m_drop(m, why);
			continue;
		}
		clock_at(m->when_ns);
		arp_one(ifp, mtod(m, const struct arp_packet *));
		m_free(m);
	}
	b->n = 0;
}

static const struct netisr_handler arp_netisr = {
	.name = "arp",
	.proto = NETISR_ARP,
	.policy = NETISR_POLICY_SOURCE,
	.handler = arp_input,
};

static void
arp_input_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		netisr_register(&arp_netisr);
}
VNET_SYSINIT(arp_input, SI_SUB_INET, SI_ORDER_THIRD, arp_input_init, NULL);

static int
arp_stats_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->set != NULL)
		return -EPERM;
	if (req->opaque != NULL && req->opaque_len >= sizeof(struct arpstat))
		memcpy(req->opaque, &V_arpstat, sizeof(struct arpstat));
	req->opaque_len = sizeof(struct arpstat);
	return 0;
}
SYSCTL_PROC(net_link_ether_arp_stats, "net.link.ether.arp.stats", SYSCTL_RD | SYSCTL_VNET,
    SYSCTL_T_OPAQUE, arp_stats_sysctl, "ARP statistics");

static void
arp_netstat_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;

	emit_object(e, "arp");
	emit_text(e, "arp:\n");
	netstat_counter(e, o, "sent-requests", &V_arpstat.txrequests, "# ARP request{s} sent");
	netstat_counter(e, o, "sent-replies", &V_arpstat.txreplies, "# ARP repl{y|ies} sent");
	netstat_counter(
	    e, o, "received-requests", &V_arpstat.rxrequests, "# ARP request{s} received");
	netstat_counter(
	    e, o, "received-replies", &V_arpstat.rxreplies, "# ARP repl{y|ies} received");
	netstat_counter(e, o, "received-packets", &V_arpstat.received, "# ARP packet{s} received");
	netstat_counter(e, o, "dropped-no-entry", &V_arpstat.dropped,
	    "# total packet{s} dropped due to no ARP entry");
	netstat_counter(
	    e, o, "entries-timeout", &V_arpstat.timeouts, "# ARP entr{y|ies} timed out");
	netstat_counter(
	    e, o, "dropped-duplicate-address", &V_arpstat.dupips, "# Duplicate IP{s} seen");
	emit_end(e);
}
NETSTAT_STATS_DEFINE(arp, "arp", AF_INET, arp_netstat_stats);
