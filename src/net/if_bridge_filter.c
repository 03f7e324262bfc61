/*
 * if_bridge_filter.c - the stations at which frames meet filters on their way through a bridge, and
 * the switches of it (net.link.bridge).
 *
 *	MEMBER_IN	pfil_member: the packet comes in by the member
 *	BRIDGE_IN	pfil_bridge: it comes in by the bridge
 *	BRIDGE_OUT	pfil_bridge: it goes out by the bridge; then it is switched
 *	PORT		ipfw: the frame, once for each member that it goes out by
 *	MEMBER_OUT	pfil_member: the packet goes out by the member
 *
 * What a filter takes and brings back later goes on behind its station: pfil knows point, direction
 * and interface, and that is a station. So pipes, programs and translations work in a bridge as
 * they do in IP.
 *
 * ARP passes, unless ipfw_arp asks the rules of PORT about it. Other frames that are no IP don't
 * pass a bridge with filters (pfil_onlyip).
 */
#include "net/if_bridge_internal.h"

#include "kern/sysctl.h"

DROP_DEFINE(DROP_BRIDGE_NOT_IP, "bridge", "not-ip",
    "neither IP nor ARP in a bridge with filters (net.link.bridge.pfil_onlyip)");
DROP_DEFINE(DROP_BRIDGE_BAD_IP, "bridge", "bad-ip", "IP header that is cut off or wrong");
DROP_DEFINE(
    DROP_BRIDGE_GONE, "bridge", "gone", "came back to an interface that is in no bridge any more");

VNET_DEFINE(bool, bridge_ipfw) = false;
VNET_DEFINE_STATIC(bool, bridge_ipfw_arp) = false;
VNET_DEFINE_STATIC(bool, bridge_pfil_onlyip) = true;
VNET_DEFINE(bool, bridge_pfil_bridge) = true;
VNET_DEFINE(bool, bridge_pfil_member) = true;
VNET_DEFINE(bool, bridge_pfil_local_phys) = false;
VNET_DEFINE(bool, bridge_inherit_mac) = false;

/* A frame and the packet in it need not meet the same rules twice. */
static void
ipfw_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	if (VNET(bridge_ipfw))
		VNET(bridge_pfil_bridge) = VNET(bridge_pfil_member) = false;
}

SYSCTL_DEFINE_(net_link_bridge_ipfw, .name = "net.link.bridge.ipfw", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_bridge_ipfw, .min = 0, .max = 1,
    .changed = ipfw_changed,
    .descr = "bridged frames meet the firewall's rules; turns pfil_bridge and pfil_member off");
SYSCTL_VNET_BOOL(net_link_bridge_ipfw_arp, "net.link.bridge.ipfw_arp", SYSCTL_RW, bridge_ipfw_arp,
    "with ipfw: bridged ARP meets the rules too");
SYSCTL_VNET_BOOL(net_link_bridge_pfil_onlyip, "net.link.bridge.pfil_onlyip", SYSCTL_RW,
    bridge_pfil_onlyip, "only IP and ARP pass a bridge with filters");
SYSCTL_VNET_BOOL(net_link_bridge_pfil_bridge, "net.link.bridge.pfil_bridge", SYSCTL_RW,
    bridge_pfil_bridge, "bridged packets meet filters at the bridge");
SYSCTL_VNET_BOOL(net_link_bridge_pfil_member, "net.link.bridge.pfil_member", SYSCTL_RW,
    bridge_pfil_member, "bridged packets meet filters at the members");
SYSCTL_VNET_BOOL(net_link_bridge_pfil_local_phys, "net.link.bridge.pfil_local_phys", SYSCTL_RW,
    bridge_pfil_local_phys,
    "packets to the bridge's own address meet filters at their member, too");
SYSCTL_VNET_BOOL(net_link_bridge_inherit_mac, "net.link.bridge.inherit_mac", SYSCTL_RW,
    bridge_inherit_mac, "a bridge takes the address of its first member");

/* --- what is in a frame ----------------------------------------------------------------------- */

enum kind { IS_IP4, IS_IP6, IS_ARP, IS_OTHER };

static enum kind
kind_of(const struct mbuf *m)
{
	switch (m->len >= ETHER_HDR_LEN_ ? __builtin_bswap16(load16(m->data + 12)) : 0) {
	case ETHERTYPE_IP_:
		return IS_IP4;
	case ETHERTYPE_IPV6_:
		return IS_IP6;
	case ETHERTYPE_ARP_:
		return IS_ARP;
	default:
		return IS_OTHER;
	}
}

/* RFC 791 3.1: as much as IP's own input asks for before filters see a packet, but for the sum. */
static bool
is_sane4(const uint8_t *ip, uint32_t have)
{
	const uint32_t hlen = have >= 20 ? (ip[0] & 0xf) * 4u : 0;
	const uint32_t len = have >= 20 ? __builtin_bswap16(load16(ip + 2)) : 0;

	return hlen >= 20 && ip[0] >> 4 == 4 && len >= hlen && len <= have;
}

static bool
is_sane6(const uint8_t *ip6, uint32_t have)
{
	return have >= 40 && ip6[0] >> 4 == 6 &&
	    40 + (uint32_t)__builtin_bswap16(load16(ip6 + 4)) <= have;
}

/* Why it doesn't pass, whatever the rules say; NULL: they decide. */
static const struct drop_reason *
fault_of(const struct mbuf *m)
{
	const uint8_t *ip = m->data + ETHER_HDR_LEN_;
	const uint32_t have = m->len - ETHER_HDR_LEN_;

	switch (kind_of(m)) {
	case IS_IP4:
		return is_sane4(ip, have) ? NULL : &DROP_BRIDGE_BAD_IP;
	case IS_IP6:
		return is_sane6(ip, have) ? NULL : &DROP_BRIDGE_BAD_IP;
	case IS_ARP:
		return NULL;
	default:
		return VNET(bridge_pfil_onlyip) ? &DROP_BRIDGE_NOT_IP : NULL;
	}
}

/* --- stations --------------------------------------------------------------------------------- */

enum station { MEMBER_IN, BRIDGE_IN, BRIDGE_OUT, PORT, MEMBER_OUT };

static void go_on(enum station at, struct bridge *sc, struct ifnet *ifp, struct batch *b);

static bool
station_is_on(enum station at)
{
	switch (at) {
	case PORT:
		return VNET(bridge_ipfw);
	case BRIDGE_IN:
	case BRIDGE_OUT:
		return VNET(bridge_pfil_bridge);
	default:
		return VNET(bridge_pfil_member);
	}
}

/* The hooks of a station look at frames of one kind. */
static void
look(enum station at, enum kind kind, struct ifnet *ifp, struct batch *b)
{
	const enum pfil_dir dir = at <= BRIDGE_IN ? PFIL_IN : PFIL_OUT;

	if (at == PORT) {
		if (kind != IS_ARP || VNET(bridge_ipfw_arp))
			pfil_run(PFIL_BRIDGE, b, ifp, dir);
	} else if (kind == IS_IP4) {
		pfil_run(PFIL_BRIDGED_INET, b, ifp, dir);
	} else if (kind == IS_IP6) {
		pfil_run(PFIL_BRIDGED_INET6, b, ifp, dir);
	}
}

/* Runs of one kind, so that none overtakes another. Takes the batch. */
static void
meet(enum station at, struct bridge *sc, struct ifnet *ifp, struct batch *b)
{
	struct batch run;

	if (!station_is_on(at)) {
		go_on(at, sc, ifp, b);
		return;
	}
	for (uint32_t i = 0; i < b->n;) {
		const enum kind kind = kind_of(b->m[i]);

		run.n = 0;
		while (i < b->n && kind_of(b->m[i]) == kind)
			batch_add(&run, b->m[i++]);
		look(at, kind, ifp, &run);
		go_on(at, sc, ifp, &run);
	}
	b->n = 0;
}

/* The member by which the frames came; NULL = it is none any more. */
static struct bridge_port *
source_of(const struct bridge *sc, const struct batch *b)
{
	const struct ifnet *ifp = b->m[0]->rcvif;

	return ifp != NULL ? bridge_port_find(sc, ifp) : NULL;
}

/* Frames for the bridge itself leave here. What passes stays in the batch. */
static void
deliver_own(struct bridge *sc, struct batch *b)
{
	struct batch pass = { .n = 0 }, one;
	struct ifnet *to;

	batch_foreach(b, m) {
		if ((to = bridge_resolve(sc, m)) == NULL) {
			m->nh = NULL; /* a filter may send it elsewhere */
			batch_add(&pass, m);
			continue;
		}
		meet(BRIDGE_IN, sc, sc->ifp, &pass);
		one = (struct batch){ .n = 1, .m = { m } };
		bridge_deliver(to, &one);
	}
	*b = pass;
}

/* To where they lead now: a filter may have changed them. */
static void
switch_again(struct bridge *sc, struct batch *b)
{
	struct bridge_port *from = source_of(sc, b);
	struct batch out = { .n = 0 };

	if (from == NULL) {
		bridge_drop(b, &DROP_BRIDGE_GONE);
		return;
	}
	batch_foreach(b, m) {
		if (bridge_resolve(sc, m) != NULL || m->nh == from)
			m_drop(m, &DROP_BRIDGE_GONE);
		else
			batch_add(&out, m);
	}
	bridge_switch(sc, from, &out);
}

/* Behind a station. Takes the batch. */
static void
go_on(enum station at, struct bridge *sc, struct ifnet *ifp, struct batch *b)
{
	if (b->n == 0)
		return;
	switch (at) {
	case MEMBER_IN:
		deliver_own(sc, b);
		meet(BRIDGE_IN, sc, sc->ifp, b);
		break;
	case BRIDGE_IN:
		batch_foreach(b, m)
			m->flags |= M_FORWARDED;
		meet(BRIDGE_OUT, sc, sc->ifp, b);
		break;
	case BRIDGE_OUT:
		switch_again(sc, b);
		break;
	case PORT:
		meet(MEMBER_OUT, sc, ifp, b);
		break;
	case MEMBER_OUT:
		bridge_emit(ifp->if_bridge, b);
		break;
	}
	b->n = 0;
}

/* --- in and out ------------------------------------------------------------------------------- */

void
bridge_filter_input(struct bridge_port *from, struct batch *b)
{
	const struct drop_reason *why;
	struct batch sane = { .n = 0 };

	batch_foreach(b, m) {
		m->nh = NULL;
		if ((why = fault_of(m)) == NULL)
			batch_add(&sane, m);
		else
			m_drop(m, why);
	}
	b->n = 0;
	meet(MEMBER_IN, from->bridge, from->ifp, &sane);
}

void
bridge_filter_local(struct bridge_port *from, struct batch *b)
{
	meet(MEMBER_IN, from->bridge, from->ifp, b);
}

void
bridge_filter_output(struct bridge_port *to, struct batch *b)
{
	meet(PORT, to->bridge, to->ifp, b);
}

/* --- what comes back -------------------------------------------------------------------------- */

/* The bridge that an interface is, or is in; NULL, and the batch is gone. */
static struct bridge *
bridge_there(struct ifnet *ifp, struct batch *b)
{
	struct bridge *sc = NULL;

	if (bridge_is(ifp))
		sc = bridge_of(ifp);
	else if (ifp->if_bridge != NULL && !(ifp->if_bridge->flags & BRIDGE_SPAN))
		sc = ifp->if_bridge->bridge;
	if (sc != NULL && bridge_is_running(sc))
		return sc;
	bridge_drop(b, sc == NULL ? &DROP_BRIDGE_GONE : &DROP_IF_DOWN);
	return NULL;
}

static void
way_in(struct ifnet *ifp, struct batch *b)
{
	struct bridge *sc = bridge_there(ifp, b);

	if (sc != NULL)
		go_on(bridge_is(ifp) ? BRIDGE_IN : MEMBER_IN, sc, ifp, b);
}

static void
way_out(struct ifnet *ifp, struct batch *b)
{
	struct bridge *sc = bridge_there(ifp, b);

	if (sc != NULL)
		go_on(bridge_is(ifp) ? BRIDGE_OUT : MEMBER_OUT, sc, ifp, b);
}

static void
way_out_port(struct ifnet *ifp, struct batch *b)
{
	struct bridge *sc = bridge_there(ifp, b);

	if (sc != NULL)
		go_on(bridge_is(ifp) ? BRIDGE_OUT : PORT, sc, ifp, b);
}

static void
bridge_filter_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	pfil_way_set(PFIL_BRIDGE, PFIL_IN, way_in);
	pfil_way_set(PFIL_BRIDGE, PFIL_OUT, way_out_port);
	pfil_way_set(PFIL_BRIDGED_INET, PFIL_IN, way_in);
	pfil_way_set(PFIL_BRIDGED_INET, PFIL_OUT, way_out);
	pfil_way_set(PFIL_BRIDGED_INET6, PFIL_IN, way_in);
	pfil_way_set(PFIL_BRIDGED_INET6, PFIL_OUT, way_out);
}
VNET_SYSINIT(bridge_filter, SI_SUB_NET, SI_ORDER_ANY, bridge_filter_init, NULL);
