/*
 * datagram.c - a packet becomes a datagram for a program, and what the program sends becomes a
 * packet.
 *
 *	fw_datagram_header	mbuf and tag -> header
 *	fw_datagram_input	header and bytes -> mbuf and tag -> fw_reinject
 *
 * Whatever the program has sent is outside data: the header is checked here, the packet where it
 * comes back (leave.c). Interfaces and rules are named, so they may come and go while the program
 * thinks. What a packet has besides, marks and the way back out of subroutines, is lost with it, as
 * in the original.
 */
#include "ipfw/datagram.h"

#include "inet6/ip6.h"
#include "ipfw/auth.h"
#include "ipfw/hook_internal.h"
#include "net/ethernet.h"
#include "route/route.h"

#include <stdio.h>

DROP_DEFINE(DROP_FW_DATAGRAM, "ipfw", "datagram",
    "what a program has sent back is no datagram of the firewall");

/* Link headers are at most this: Ethernet, one vlan. */
enum { PACKET_MAX = 65535 + ETHER_HDR_LEN_ + 4 };
_Static_assert(sizeof(struct warren_datagram) + PACKET_MAX == WARREN_DATAGRAM_MAX, "as promised");

/* Both names of what a packet carries along. */
static const struct {
	uint16_t wire, flag;
} flag_map[] = {
	{ WARREN_BROADCAST, M_BCAST },
	{ WARREN_MULTICAST, M_MCAST },
	{ WARREN_FORWARDED, M_FORWARDED },
	{ WARREN_LOOPED, M_LOOP },
};
enum { FLAGS = sizeof(flag_map) / sizeof(flag_map[0]) };
/* Both names of where a frame has met the rules; a packet's is said by its version. */
static const struct {
	uint16_t wire;
	enum pfil_point point;
} point_map[] = {
	{ WARREN_FRAME, PFIL_LINK },
	{ WARREN_FRAME | WARREN_BRIDGED, PFIL_BRIDGE },
	{ WARREN_FRAME | WARREN_BRIDGED | WARREN_AS_IPV4, PFIL_BRIDGED_INET },
	{ WARREN_FRAME | WARREN_BRIDGED | WARREN_AS_IPV6, PFIL_BRIDGED_INET6 },
};
enum { POINTS = sizeof(point_map) / sizeof(point_map[0]) };
static const uint16_t flags_of_point = WARREN_FRAME | WARREN_BRIDGED | WARREN_AS_IPV4 |
    WARREN_AS_IPV6;
static const uint16_t flags_known = flags_of_point | WARREN_BROADCAST | WARREN_MULTICAST |
    WARREN_FORWARDED | WARREN_LOOPED | WARREN_ON_LINK;

static uint16_t
swap16(uint16_t v)
{
	return __builtin_bswap16(v);
}

static uint32_t
swap32(uint32_t v)
{
	return __builtin_bswap32(v);
}

/* --- to the program --------------------------------------------------------------------------- */

static uint8_t
kind_of(const struct fw_tag *tag)
{
	if (tag->question != 0)
		return WARREN_QUESTION;
	return tag->kind == FW_ACT_TEE || tag->kind == FW_ACT_NGTEE ? WARREN_COPY : WARREN_PACKET;
}

static uint16_t
flags_of(const struct mbuf *m, const struct fw_tag *tag)
{
	uint16_t flags = 0;

	for (unsigned i = 0; i < FLAGS; i++)
		if (m->flags & flag_map[i].flag)
			flags |= flag_map[i].wire;
	for (unsigned i = 0; i < POINTS; i++)
		if (tag->point == point_map[i].point)
			flags |= point_map[i].wire;
	if (tag->dir == PFIL_OUT && tag->on_link)
		flags |= WARREN_ON_LINK;
	return flags;
}

static void
name_of(char name[16], const struct fw_place *place)
{
	const struct ifnet *ifp = fw_place_if(place);

	if (ifp != NULL)
		snprintf(name, 16, "%s", ifp->if_xname);
}

void
fw_datagram_header(
    struct warren_datagram *h, const struct mbuf *m, const struct fw_tag *tag, uint16_t number)
{
	*h = (struct warren_datagram){
		.version = WARREN_DATAGRAM_VERSION,
		.kind = kind_of(tag),
		.direction = tag->dir == PFIL_IN ? WARREN_IN : WARREN_OUT,
		.flags = swap16(flags_of(m, tag)),
		.number = swap16(number),
		.rule = swap16(tag->ref.number),
		.fib = m->fib,
		.rule_id = swap32(tag->ref.rule_id),
		.question = __builtin_bswap64(tag->question),
		.length = swap32(tag->question != 0 ? tag->full_len : m->len),
		.stack = swap32(curvnet->id),
	};
	name_of(h->recv, &tag->recv);
	name_of(h->xmit, &tag->xmit);
}

/* --- from the program ------------------------------------------------------------------------- */

static bool
is_name(const char name[16])
{
	return memchr(name, '\0', 16) != NULL;
}

static bool
is_packet(const struct warren_datagram *h, size_t bytes)
{
	if (h->kind != WARREN_PACKET && h->kind != WARREN_COPY)
		return false;
	if (h->direction != WARREN_IN && h->direction != WARREN_OUT)
		return false;
	return bytes > 0 && bytes <= PACKET_MAX && swap32(h->length) == bytes &&
	    (swap16(h->flags) & ~flags_known) == 0 && h->fib < rt_numfibs && is_name(h->recv) &&
	    is_name(h->xmit);
}

/* A packet of this kind meets the rules there. */
static enum pfil_point
point_of(const struct warren_datagram *h, const struct mbuf *m)
{
	for (unsigned i = 0; i < POINTS; i++)
		if ((swap16(h->flags) & flags_of_point) == point_map[i].wire)
			return point_map[i].point;
	return m->data[0] >> 4 == 6 ? PFIL_INET6 : PFIL_INET;
}

static struct fw_place
place_named(const char name[16])
{
	const struct ifnet *ifp = name[0] != '\0' ? if_byname(name) : NULL;

	return (struct fw_place){ ifp, ifp != NULL ? ifp->if_index : 0 };
}

/* Where the routes send it; nowhere if it is no packet. */
static struct fw_place
place_by_route(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	const struct nexthop *nh = NULL;

	if (ip->vhl >> 4 == 4 && m->len >= sizeof(*ip))
		nh = route_to4(m->fib, ip->dst, m->flowid);
	else if (ip->vhl >> 4 == 6 && m->len >= sizeof(*ip6))
		nh = route_to6(m->fib, &ip6->dst, m->flowid);
	if (nh == NULL || nh->ifp == NULL)
		return (struct fw_place){ 0 };
	return (struct fw_place){ nh->ifp, nh->ifp->if_index };
}

/* Behind the rule that the header names: number 0 is behind none. */
static struct fw_ref
ref_of(const struct warren_datagram *h)
{
	const uint32_t id = swap32(h->rule_id);

	/* no map has the id 0, so it is looked for by its number */
	return (struct fw_ref){ .number = swap16(h->rule), .rule_id = id != 0 ? id : UINT32_MAX };
}

static void
tag_fill(struct fw_tag *tag, const struct warren_datagram *h, const struct mbuf *m,
    const struct fw_listener *l)
{
	const enum pfil_point point = point_of(h, m);

	tag->ref = ref_of(h);
	tag->kind = l->kind;
	tag->point = (uint8_t)point;
	tag->dir = h->direction == WARREN_IN ? PFIL_IN : PFIL_OUT;
	tag->pass = l->kind == FW_ACT_NETGRAPH && VNET(fw_one_pass);
	tag->port = l->number;
	tag->arg = l->number;
	tag->recv = place_named(h->recv);
	if (tag->dir == PFIL_IN && !pfil_is_bridged(point))
		return;
	tag->on_link = swap16(h->flags) & WARREN_ON_LINK;
	tag->xmit = h->xmit[0] == '\0' && !pfil_is_framed(point) ? place_by_route(m) :
								   place_named(h->xmit);
}

/*
 * A program that changes a header need not do this sum: behind here nobody would look whether it is
 * right. Those of the upper layers are its own business.
 */
static void
mend_sum(struct mbuf *m, uint32_t l3)
{
	struct ip_hdr *ip = (void *)(m->data + l3);
	const uint32_t have = m->len > l3 ? m->len - l3 : 0;

	if (have < sizeof(*ip) || ip->vhl >> 4 != 4 || ip_hlen(ip) < sizeof(*ip) ||
	    ip_hlen(ip) > have)
		return;
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
}

static uint32_t
l3_of(const struct warren_datagram *h, const struct mbuf *m)
{
	if (!(swap16(h->flags) & WARREN_FRAME))
		return 0;
	return m->len >= ETHER_HDR_LEN_ && load16(m->data + 12) == swap16(ETHERTYPE_IP_) ?
	    ETHER_HDR_LEN_ :
	    m->len;
}

static uint16_t
flags_from(const struct warren_datagram *h)
{
	uint16_t flags = 0;

	for (unsigned i = 0; i < FLAGS; i++)
		if (swap16(h->flags) & flag_map[i].wire)
			flags |= flag_map[i].flag;
	return flags;
}

static void
packet_input(
    const struct fw_listener *l, const struct warren_datagram *h, const uint8_t *bytes, size_t len)
{
	struct mbuf *m = m_from(bytes, (uint32_t)len);
	struct fw_tag *tag = m != NULL ? fw_tag_make(m) : NULL;

	if (tag == NULL) {
		m_free(m);
		drop_count(&DROP_FW_NOMEM, 1);
		return;
	}
	m->fib = h->fib;
	m->flags |= flags_from(h);
	mend_sum(m, l3_of(h, m));
	tag_fill(tag, h, m, l);
	fw_reinject(m);
}

/* One that comes too late changes nothing. False: it is none. */
static bool
answer_input(const struct warren_datagram *h)
{
	if (h->kind != WARREN_QUESTION || (h->verdict != WARREN_PASS && h->verdict != WARREN_BLOCK))
		return false;
	(void)fw_auth_answer(__builtin_bswap64(h->question), h->verdict == WARREN_PASS);
	return true;
}

/* False: not what the program behind such a listener may say. */
static bool
input(const struct fw_listener *l, const uint8_t *bytes, size_t len)
{
	struct warren_datagram h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	if (h.version != WARREN_DATAGRAM_VERSION)
		return false;
	if (l->kind == FW_ACT_AUTH)
		return answer_input(&h);
	if (!is_packet(&h, len - sizeof(h)))
		return false;
	packet_input(l, &h, bytes + sizeof(h), len - sizeof(h));
	return true;
}

bool
fw_datagram_input(struct fw_listener *l, const void *bytes, size_t len)
{
	/* before, for behind it the listener may have gone */
	l->back++;
	if (input(l, bytes, len))
		return true;
	l->back--;
	l->malformed++;
	drop_count(&DROP_FW_DATAGRAM, 1);
	return false;
}
