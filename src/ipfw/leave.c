/*
 * leave.c - packets leave the rules for a pipe, a divert socket, a hook, a judge, and come back.
 *
 *	fw_leave	a tag on it, out by the outlet; back at once? Then the round goes on with it
 *	fw_reinject	sane? The tag off, the next hop found anew, rules or none, on its way
 *
 * While it is away anything may happen: interfaces leave, routes change, rules are deleted. So its tag
 * points to nothing that could go (behaviours 39, 44).
 */
#include "ipfw/hook_internal.h"

#include "inet6/ip6.h"
#include "ipfw/nat.h"
#include "net/ethernet.h"
#include "route/route.h"

#include <stdio.h>

DROP_DEFINE(DROP_FW_NOROUTE, "ipfw", "noroute", "no route when it came back to the rules");
DROP_DEFINE(DROP_FW_BADPACKET, "ipfw", "badpacket", "came back to the rules as no IP packet");

enum { TAG_PLACE = 0x46575054 }; /* "FWPT" */

struct fw_outlets fw_outlets;

/*
 * The packet that an outlet is being given, and what it was before: if it is back before the outlet
 * returns, nothing is nested. An outlet may let others out meanwhile.
 */
struct leaving {
	const struct mbuf *m;
	bool is_back;
	struct leaving *outer;
};
static __thread struct leaving *leaving;

/* --- tags ------------------------------------------------------------------------------------- */

struct fw_tag *
fw_tag_find(const struct mbuf *m)
{
	return m_tag_find(m, TAG_PLACE);
}

struct fw_tag *
fw_tag_make(struct mbuf *m)
{
	m_tag_delete(m, TAG_PLACE);
	return m_tag_add(m, TAG_PLACE, sizeof(struct fw_tag));
}

static struct fw_place
place_of(const struct ifnet *ifp)
{
	return (struct fw_place){ ifp, ifp != NULL ? ifp->if_index : 0 };
}

struct ifnet *
fw_place_if(const struct fw_place *place)
{
	struct ifnet *ifp = place->ifp != NULL ? if_byindex(place->index) : NULL;

	return ifp == place->ifp ? ifp : NULL;
}

struct fw_tag *
fw_tag_place(struct mbuf *m, const struct fw_round *round, const struct fw_packet *p,
    const struct fw_rule *r, uint32_t slot, uint8_t kind)
{
	struct fw_tag *tag = fw_tag_make(m);

	if (tag == NULL)
		return NULL;
	tag->ref = (struct fw_ref){ .rule_id = r->id, .number = r->number };
	if (round->map->rule[slot] == r)
		tag->ref = fw_ref_of(round->map, slot);
	tag->kind = kind;
	tag->point = (uint8_t)round->point;
	tag->dir = (uint8_t)round->dir;
	tag->pass = VNET(fw_one_pass) && kind != FW_ACT_DIVERT && kind != FW_ACT_TEE;
	tag->on_link = p->m->nh == NULL;
	tag->recv = place_of(p->m->rcvif);
	/* in a bridge: where it is on its way in, the member or the bridge */
	tag->xmit = place_of(p->in && pfil_is_bridged(round->point) ? round->ifp : p->xmit);
	tag->state_checked = p->state_checked;
	if (p->state_checked)
		snprintf(tag->state_name, sizeof(tag->state_name), "%s", p->state_name);
	tag->calls = p->calls;
	tag->called = p->called;
	memcpy(tag->call, p->call, p->calls * sizeof(p->call[0]));
	return tag;
}

/* --- out -------------------------------------------------------------------------------------- */

static bool
outlet_is_there(uint8_t kind)
{
	switch ((enum fw_action)kind) {
	case FW_ACT_PIPE:
	case FW_ACT_QUEUE:
		return fw_outlets.dummynet != NULL;
	case FW_ACT_DIVERT:
	case FW_ACT_TEE:
		return fw_outlets.divert != NULL;
	case FW_ACT_NETGRAPH:
	case FW_ACT_NGTEE:
		return fw_outlets.netgraph != NULL;
	case FW_ACT_AUTH:
		return fw_outlets.auth != NULL;
	default:
		return false;
	}
}

/* Takes m, whose outlet is there. */
static void
outlet_give(struct mbuf *m, struct fw_tag *tag, uint32_t arg)
{
	switch ((enum fw_action)tag->kind) {
	case FW_ACT_PIPE:
	case FW_ACT_QUEUE:
		fw_outlets.dummynet(m, tag, arg, tag->kind == FW_ACT_QUEUE);
		break;
	case FW_ACT_DIVERT:
	case FW_ACT_TEE:
		fw_outlets.divert(m, tag, tag->port, tag->kind == FW_ACT_TEE);
		break;
	case FW_ACT_NETGRAPH:
	case FW_ACT_NGTEE:
		fw_outlets.netgraph(m, tag, arg, tag->kind == FW_ACT_NGTEE);
		break;
	default:
		fw_outlets.auth(m, tag);
		break;
	}
}

bool
fw_leave(const struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	struct mbuf *m = p->m;
	struct ifnet *rcvif = m->rcvif;
	void *nh = m->nh;
	struct leaving here = { .m = m, .outer = leaving };
	struct fw_tag *tag;

	clock_at(m->when_ns);
	if (!outlet_is_there(v->action)) {
		m_drop(m, &DROP_FW_NO_OUTLET);
		return false;
	}
	tag = fw_tag_place(m, round, p, v->rule, v->slot, v->action);
	if (tag == NULL) {
		m_drop(m, &DROP_FW_NOMEM);
		return false;
	}
	tag->port = (uint16_t)v->arg;
	tag->arg = v->arg;
	m->rcvif = NULL;
	m->nh = NULL;
	leaving = &here;
	outlet_give(m, tag, v->arg);
	leaving = here.outer;
	if (!here.is_back)
		return false;
	m_tag_delete(m, TAG_PLACE);
	m->rcvif = rcvif;
	m->nh = nh;
	return true;
}

void
fw_leave_for_first(const struct fw_round *round, struct fw_packet *p, const struct fw_verdict *v)
{
	struct mbuf *m = p->m;
	struct fw_tag *tag = fw_tag_place(m, round, p, v->rule, v->slot, v->action);

	clock_at(m->when_ns);
	if (tag == NULL) {
		m_drop(m, &DROP_FW_NOMEM);
		return;
	}
	/* of no map, and behind an id that comes before the rule's: the rule is the next one */
	tag->ref = (struct fw_ref){ .rule_id = v->rule->id - 1, .number = v->rule->number };
	tag->pass = false;
	m->rcvif = NULL;
	m->nh = NULL;
	fw_nat_wait(v->arg, p);
}

void
fw_leave_copy(struct mbuf *m)
{
	struct fw_tag *tag = fw_tag_find(m);

	clock_at(m->when_ns);
	m->rcvif = NULL;
	m->nh = NULL;
	if (tag != NULL && outlet_is_there(tag->kind))
		outlet_give(m, tag, tag->arg);
	else
		m_drop(m, &DROP_FW_NO_OUTLET);
}

/* --- back ------------------------------------------------------------------------------------- */

/* Its next hop, as the routes are now; on the way out only. The interface, or NULL: m was dropped. */
static struct ifnet *
route_again(struct mbuf *m, const struct fw_packet *p)
{
	struct in6 dst6 = ip6_zoned(&p->dst6, p->xmit);
	struct nexthop *nh;

	nh = p->ip == 4 ? route_to4(m->fib, p->dst, m->flowid) :
			  route_to6(m->fib, &dst6, m->flowid);
	if (nh == NULL || (nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_))) {
		m_drop(m, &DROP_FW_NOROUTE);
		return NULL;
	}
	m->nh = nh;
	return nh->ifp;
}

/* Frames on their way out meet nothing behind the rules that would look at their length. */
static bool
fits_link(const struct fw_packet *p)
{
	const struct ifnet *ifp = p->xmit;
	const uint32_t tag = ifp != NULL && (ifp->if_capenable & IFCAP_VLAN_MTU) ? 4 : 0;

	return ifp == NULL || p->m->len <= ETHER_HDR_LEN_ + ifp->if_mtu + tag;
}

/* A program may have made anything of it: may it go on at the point where it was? */
static bool
is_sane(const struct fw_packet *p, enum pfil_point point)
{
	const uint32_t have = p->m->len - p->l3;

	if (point == PFIL_LINK || point == PFIL_BRIDGE)
		return p->layer2 && fits_link(p);
	return p->ip == (point == PFIL_INET || point == PFIL_BRIDGED_INET ? 4 : 6) &&
	    (p->ip_len <= have || (p->ip == 6 && p->ip_len == UINT16_MAX));
}

/* The packet as the tag describes it, at its hook again. False: dropped. */
static bool
place_again(struct mbuf *m, const struct fw_tag *tag, struct fw_packet *p, struct ifnet **ifp)
{
	enum pfil_point point = (enum pfil_point)tag->point;
	enum pfil_dir dir = (enum pfil_dir)tag->dir;
	enum fw_packet_fault fault;

	m->rcvif = fw_place_if(&tag->recv);
	/* of what is forwarded errors are told by the interface that it came by */
	if (dir == PFIL_IN || m->rcvif == NULL)
		m->flags &= (uint16_t)~M_FORWARDED;
	*ifp = dir == PFIL_IN && !pfil_is_bridged(point) ? m->rcvif : fw_place_if(&tag->xmit);
	if (*ifp == NULL) {
		m_drop(m, &DROP_IF_GONE);
		return false;
	}
	fault = fw_packet_read(p, m, point, dir, *ifp);
	if (fault != FW_PACKET_OK || !is_sane(p, point)) {
		m_drop(m, &DROP_FW_BADPACKET);
		return false;
	}
	if (!pfil_is_framed(point) && p->ip == 4)
		m_trim(m, p->ip_len);
	if (dir == PFIL_OUT && !pfil_is_framed(point) && !tag->on_link) {
		if ((*ifp = route_again(m, p)) == NULL)
			return false;
		p->xmit = *ifp;
	}
	return true;
}

/* May it have been changed while it was away, so that it is of another flow now? */
static bool
may_be_another(uint8_t kind)
{
	return kind != FW_ACT_PIPE && kind != FW_ACT_QUEUE && kind != FW_ACT_AUTH;
}

/* What the rules knew of the packet. */
static void
remember(struct fw_packet *p, const struct fw_tag *tag)
{
	if (tag->kind == FW_ACT_DIVERT || tag->kind == FW_ACT_TEE)
		p->diverted = tag->dir == PFIL_IN ? 1 : 2;
	if (tag->state_checked && !may_be_another(tag->kind)) {
		p->state_checked = true;
		p->state_name = tag->state_name;
	}
	p->calls = tag->calls;
	p->called = tag->called;
	memcpy(p->call, tag->call, tag->calls * sizeof(p->call[0]));
}

/* The rules behind the one that sent it out. Takes p->m, or collects it. */
static void
check_again(struct fw_round *round, struct fw_packet *p, const struct fw_tag *tag)
{
	struct fw_verdict v;

	remember(p, tag);
	fw_check(round->map, p, fw_map_after(round->map, &tag->ref), &round->doer, NULL, &v);
	fw_carry_out(round, p, &v);
}

/* Takes m, which is its own again: the tag is off it. */
static void
go_on(struct mbuf *m, const struct fw_tag *tag)
{
	const struct fw_map *map = V_fw_map;
	struct fw_round round;
	struct fw_packet p;
	struct ifnet *ifp;

	if (!place_again(m, tag, &p, &ifp))
		return;
	fw_round_begin(&round, map, (enum pfil_point)tag->point, (enum pfil_dir)tag->dir, ifp);
	if (tag->pass || map == NULL || !fw_hook_is_on((enum pfil_point)tag->point))
		batch_add(&round.out, m);
	else
		check_again(&round, &p, tag);
	fw_round_flush(&round);
}

void
fw_reinject(struct mbuf *m)
{
	const struct fw_tag *found = fw_tag_find(m);
	struct fw_tag tag;

	if (leaving != NULL && leaving->m == m) {
		leaving->is_back = true;
		return;
	}
	if (found == NULL) {
		m_drop(m, &DROP_FW_BADPACKET);
		return;
	}
	tag = *found;
	m_tag_delete(m, TAG_PLACE);
	if (m->when_ns < clock_now())
		m->when_ns = clock_now();
	clock_at(m->when_ns);
	rcu_read_lock();
	go_on(m, &tag);
	rcu_read_unlock();
}
