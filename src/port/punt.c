/*
 * punt.c - what is for a router itself, and served by a guest.
 *
 *	in	ip_deliver, ip6_deliver -> a raw listener -> a frame for the tap
 *	errors	the same, if an ICMP error quotes what a guest may have sent
 *	out	the tap's if_input -> ip_output, ip6_output, as packets of this stack; what
 *		fails there is answered by an error, which comes back by lo0
 *
 * Listening where packets are delivered means that everything before that has been done by the
 * stack: filters, options, fragments put together, membership of groups. A guest's packets take the
 * stack's routes and neighbours; those to a group or of link scope go out by the punt's interface.
 *
 * The tap's carrier follows the interface: that is how a daemon hears of a link that goes down.
 */
#include "port/punt.h"

#include "inet/icmp.h"
#include "inet/ip.h"
#include "inet/multicast.h"
#include "inet6/ip6.h"
#include "kern/eventhandler.h"
#include "net/ethernet.h"
#include "port/punt_service.h"
#include "port/tap.h"

#include <errno.h>

DROP_DEFINE(DROP_PUNT_SHORT, "punt", "short", "a guest's packet is cut off or badly formed");
DROP_DEFINE(
    DROP_PUNT_PROTO, "punt", "proto", "a guest's packet of a protocol that it does not serve");
DROP_DEFINE(
    DROP_PUNT_SOURCE, "punt", "source", "a guest's packet from an address that is not ours");

struct punt {
	TAILQ_ENTRY(punt) link;
	struct ifnet *ifp, *tap; /* referenced */
	void (*tap_input)(struct ifnet *ifp, struct batch *b);
	struct mcast_member *member[PUNT_GROUPS]; /* NULL = the family isn't on the interface */
	struct punt_stats stats;
	struct punt_ports ports;
	uint16_t port[];
};

/* One listener a family and protocol, as long as the stack has punts; the last is ICMP's. */
enum { LISTENERS = PUNT_PROTOCOLS + 1 };
struct punt_stack {
	TAILQ_HEAD(, punt) punts;
	struct ip_raw raw[2][LISTENERS];
};
VNET_DEFINE_STATIC(struct punt_stack *, punt_stack); /* NULL: there are none */
#define V_punt_stack VNET(punt_stack)

static uint64_t punts_live; /* of all stacks; atomic */
AUDIT_COUNTER(punt, "punt", punts_live);

/* The punt of an interface, or of a tap; NULL. */
static struct punt *
punt_of(const struct ifnet *ifp)
{
	struct punt *p;

	if (V_punt_stack == NULL)
		return NULL;
	TAILQ_FOREACH(p, &V_punt_stack->punts, link)
		if (p->ifp == ifp || p->tap == ifp)
			return p;
	return NULL;
}

/* --- to the guest ----------------------------------------------------------------------------- */

/* The link address of the Linux side, or of the group; the other end is the tap's own. */
static void
frame_header(struct mbuf *m, const struct punt *p, int family)
{
	const uint8_t *l3 = m->data + ETHER_HDR_LEN_;
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);

	memcpy(eh->dst, p->ifp->if_lladdr, ETHER_ADDR_LEN_);
	memcpy(eh->src, p->tap->if_lladdr, ETHER_ADDR_LEN_);
	eh->type = to_be16(family == AF_INET ? ETHERTYPE_IP_ : ETHERTYPE_IPV6_);
	if (m->flags & M_BCAST) {
		memset(eh->dst, 0xff, ETHER_ADDR_LEN_);
	} else if (family == AF_INET &&
	    in_is_multicast(((const struct ip_hdr *)(const void *)l3)->dst)) {
		memcpy(eh->dst, (const uint8_t[3]){ 0x01, 0x00, 0x5e }, 3);
		memcpy(eh->dst + 3, l3 + 17, 3);
		eh->dst[3] &= 0x7f;
	} else if (family == AF_INET6 &&
	    in6_is_multicast(&((const struct ip6_hdr *)(const void *)l3)->dst)) {
		in6_ether_group(&((const struct ip6_hdr *)(const void *)l3)->dst, eh->dst);
	}
}

/* Takes m, a packet at its IP header; NULL is allowed: there was no memory. */
static void
to_guest(struct punt *p, struct mbuf *m, int family)
{
	struct batch out = { .n = 1 };

	if (m == NULL || (m = m_prepend(m, ETHER_HDR_LEN_)) == NULL)
		return;
	frame_header(m, p, family);
	m->flags = 0;
	p->stats.to_guest++;
	out.m[0] = m;
	if_transmit_batch(p->tap, &out);
}

static bool
served_input(struct ip_raw *r, const struct mbuf *borrowed, unsigned hlen)
{
	struct punt *p = borrowed->rcvif == NULL ? NULL : punt_of(borrowed->rcvif);

	if (p == NULL || p->ifp != borrowed->rcvif ||
	    !punt_serves(&p->ports, r->proto, borrowed->data + hlen, borrowed->len - hlen))
		return false;
	to_guest(p, m_dup(borrowed), r->family);
	return true;
}

/*
 * An error that the stack itself has made comes from an address that is the guest's too, and Linux
 * takes nothing from those: it gets the address that the quoted packet was for as its source.
 */
static void
error_from_afar(struct mbuf *m, const struct ip_family *f, unsigned hlen, const struct ip_quoted *q)
{
	struct icmp_hdr *icmp = (void *)(m->data + hlen);
	struct ip_info info;

	if (f->af == AF_INET) {
		struct ip_hdr *ip = mtod(m, struct ip_hdr *);

		ip->src = ((const struct ip_hdr *)(const void *)(m->data + q->ip))->dst;
		ip->sum = 0;
		ip->sum = ip_cksum(ip);
	} else {
		mtod(m, struct ip6_hdr *)->src =
		    ((const struct ip6_hdr *)(const void *)(m->data + q->ip))->dst;
	}
	f->info(m, hlen, &info);
	icmp->sum = 0;
	icmp->sum = ip_icmp_sum(f, &info.src, &info.dst, icmp, m->len - hlen);
}

/* Whose guest hears of an error: the link's that it came by, else any, for it is one guest. */
static struct punt *
punt_for_error(const struct ifnet *rcvif)
{
	struct punt *p = rcvif == NULL ? NULL : punt_of(rcvif);

	return p != NULL && p->ifp == rcvif ? p : TAILQ_FIRST(&V_punt_stack->punts);
}

/* The stack learns of it too. */
static bool
error_input(struct ip_raw *r, const struct mbuf *borrowed, unsigned hlen)
{
	const struct ip_family *f = ip_family(r->family);
	struct punt *p = punt_for_error(borrowed->rcvif);
	struct ip_quoted q;
	struct ip_info info;
	struct mbuf *m;

	if (borrowed->len < hlen + sizeof(struct icmp_hdr) || !f->quoted(borrowed, hlen, &q) ||
	    (f->af == AF_INET && borrowed->data[hlen] == ICMP_REDIRECT_))
		return false;
	if (!f->is_ours(&q.src) ||
	    !punt_may_send(&p->ports, q.proto, borrowed->data + q.upper, borrowed->len - q.upper))
		return false;
	f->info(borrowed, hlen, &info);
	if ((m = m_dup(borrowed)) != NULL && f->is_ours(&info.src) && !ipaddr_is_multicast(&q.dst))
		error_from_afar(m, f, hlen, &q);
	to_guest(p, m, f->af);
	return false;
}

/* --- from the guest --------------------------------------------------------------------------- */

/* Does it say that nobody over there listens on a port whose packets it gets? */
static bool
is_port_unreachable(
    const struct punt *p, const struct ip_family *f, const struct mbuf *m, unsigned hlen)
{
	const struct icmp_hdr *icmp = (const void *)(m->data + hlen);
	struct ip_quoted q;

	return m->len >= hlen + sizeof(*icmp) && icmp->type == f->unreach &&
	    icmp->code == f->unreach_port && f->quoted(m, hlen, &q) && f->is_ours(&q.dst) &&
	    punt_serves(&p->ports, q.proto, m->data + q.upper, m->len - q.upper);
}

/* Of UDP in fragments nobody can say whose it is: what guests serve needs none. */
static bool
guest_may_send(const struct punt *p, int family, const struct mbuf *m, uint8_t proto, unsigned hlen)
{
	const struct ip_family *f = ip_family(family);

	if (proto == f->icmp_proto)
		return is_port_unreachable(p, f, m, hlen);
	if (proto == IPPROTO_UDP_ && family == AF_INET &&
	    (from_be16(mtod(m, const struct ip_hdr *)->off) & (IP_MF_ | IP_OFFMASK_)) != 0)
		return false;
	return punt_may_send(&p->ports, proto, m->data + hlen, m->len - hlen);
}

/* Takes m, at its IPv4 header. NULL = went out; else why not. */
static const struct drop_reason *
guest_ip(const struct punt *p, struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	struct ip_opts_out o = { .hdr_included = true, .no_loop = true, .icmp_errors = true };

	if (m->len < sizeof(*ip) || ip->vhl >> 4 != 4 || ip_hlen(ip) < sizeof(*ip) ||
	    from_be16(ip->len) < ip_hlen(ip) || from_be16(ip->len) > m->len)
		return &DROP_PUNT_SHORT;
	m_trim(m, from_be16(ip->len));
	if (!guest_may_send(p, AF_INET, m, ip->proto, ip_hlen(ip)))
		return &DROP_PUNT_PROTO;
	if (in_local(ip->src) == NULL)
		return &DROP_PUNT_SOURCE;
	if (in_is_multicast(ip->dst) || ip->dst == 0xffffffff || in_is_broadcast(ip->dst, p->ifp))
		o.ifp = p->ifp;
	(void)ip_output(m, ip->src, ip->dst, ip->proto, &o);
	return NULL;
}

static const struct drop_reason *
guest_ip6(const struct punt *p, struct mbuf *m)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	struct ip_opts_out o = { .hdr_included = true, .no_loop = true, .icmp_errors = true };
	struct in6 src, dst;

	if (m->len < IP6_HDRLEN || ip6->flow.b[0] >> 4 != 6 ||
	    from_be16(ip6->plen) > m->len - IP6_HDRLEN)
		return &DROP_PUNT_SHORT;
	m_trim(m, IP6_HDRLEN + from_be16(ip6->plen));
	/* no extension headers: what a guest serves needs none */
	if (!guest_may_send(p, AF_INET6, m, ip6->nxt, IP6_HDRLEN))
		return &DROP_PUNT_PROTO;
	src = ip6_zoned(&ip6->src, p->ifp);
	dst = ip6_zoned(&ip6->dst, p->ifp);
	if (in6_local(&src) == NULL)
		return &DROP_PUNT_SOURCE;
	if (in6_is_multicast(&dst) || in6_is_linklocal(&dst))
		o.ifp = p->ifp;
	(void)ip6_output(m, &src, &dst, ip6->nxt, &o);
	return NULL;
}

/* The tap's if_input. Takes the batch. */
static void
punt_from_guest(struct ifnet *tap, struct batch *b)
{
	struct punt *p = punt_of(tap);

	batch_foreach(b, m) {
		const struct drop_reason *why = &DROP_PUNT_SHORT;
		uint16_t type;

		clock_at(m->when_ns);
		if (m->len >= ETHER_HDR_LEN_ && (m = m_unshare(m)) == NULL)
			continue;
		if (m->len >= ETHER_HDR_LEN_) {
			type = from_be16(mtod(m, const struct ether_header_ *)->type);
			m_adj(m, ETHER_HDR_LEN_);
			/* the zone of its addresses, should an error answer it */
			m->rcvif = p->ifp;
			why = type == ETHERTYPE_IP_ ? guest_ip(p, m) :
			    type == ETHERTYPE_IPV6_ ? guest_ip6(p, m) :
						      &DROP_PUNT_PROTO;
		}
		p->stats.from_guest += why == NULL;
		p->stats.refused += why != NULL;
		if (why != NULL)
			m_drop(m, why);
	}
	b->n = 0;
}

/* --- the interface and its tap ---------------------------------------------------------------- */

/* The guest's link is what ours is. */
static void
punt_follow(const struct punt *p)
{
	if (p->tap->if_mtu != p->ifp->if_mtu)
		(void)if_set_mtu(p->tap, p->ifp->if_mtu);
	if (if_is_usable(p->ifp))
		(void)if_up(p->tap);
	else
		(void)if_down(p->tap);
}

static void
punt_join_groups(struct punt *p)
{
	for (unsigned i = 0; i < PUNT_GROUPS; i++) {
		struct ipaddr group;

		if (ipaddr_aton(punt_groups[i], AF_UNSPEC, &group))
			p->member[i] = mcast_join(p->ifp, &group);
	}
}

static void
listeners_attach(struct ip_raw *r, const struct ip_family *f)
{
	for (unsigned i = 0; i < LISTENERS; i++, r++) {
		const bool is_icmp = i == PUNT_PROTOCOLS;

		r->proto = is_icmp ? f->icmp_proto : punt_protocols[i];
		r->family = (uint8_t)f->af;
		r->input = is_icmp ? error_input : served_input;
		ip_raw_attach(r);
	}
}

static struct punt_stack *
stack_get(void)
{
	struct punt_stack *s = V_punt_stack;

	if (s != NULL || (s = vnet_malloc(sizeof(*s))) == NULL)
		return s;
	TAILQ_INIT(&s->punts);
	listeners_attach(s->raw[0], ip_family(AF_INET));
	listeners_attach(s->raw[1], ip_family(AF_INET6));
	return V_punt_stack = s;
}

/* With the last punt nobody listens any more. */
static void
stack_put(void)
{
	struct punt_stack *s = V_punt_stack;

	if (s == NULL || !TAILQ_EMPTY(&s->punts))
		return;
	for (unsigned i = 0; i < 2 * LISTENERS; i++)
		ip_raw_detach(&s->raw[i / LISTENERS][i % LISTENERS]);
	V_punt_stack = NULL;
	vnet_free(s);
}

static void
punt_free(struct punt *p)
{
	TAILQ_REMOVE(&V_punt_stack->punts, p, link);
	p->tap->if_input = p->tap_input;
	for (unsigned i = 0; i < PUNT_GROUPS; i++)
		mcast_leave(p->member[i]);
	if_rele(p->ifp);
	if_rele(p->tap);
	vnet_free(p);
	__atomic_fetch_sub(&punts_live, 1, __ATOMIC_RELAXED);
	stack_put();
}

int
punt_join(struct ifnet *ifp, struct ifnet *tap, const struct punt_ports *more)
{
	struct in6_if *on_tap = in6_if_of(tap);
	struct punt *p;

	if (ifp == tap || ifp->if_addrlen != ETHER_ADDR_LEN_ || tap->if_addrlen != ETHER_ADDR_LEN_)
		return -EINVAL;
	if (punt_of(ifp) != NULL || punt_of(tap) != NULL)
		return -EEXIST;
	if ((p = vnet_malloc(sizeof(*p) + more->n * sizeof(p->port[0]))) == NULL)
		return -ENOMEM;
	if (stack_get() == NULL) {
		vnet_free(p);
		return -ENOMEM;
	}
	p->ifp = if_ref(ifp);
	p->tap = if_ref(tap);
	for (unsigned i = 0; i < more->n; i++)
		p->port[i] = more->port[i];
	p->ports = (struct punt_ports){ p->port, more->n };
	p->tap_input = tap->if_input;
	tap->if_input = punt_from_guest;
	TAILQ_INSERT_TAIL(&V_punt_stack->punts, p, link);
	__atomic_fetch_add(&punts_live, 1, __ATOMIC_RELAXED);
	/* the tap is a wire to the guest, no link of ours: nobody of this stack speaks there */
	if (on_tap != NULL)
		on_tap->nd.flags |= ND6_IFF_IFDISABLED;
	punt_join_groups(p);
	punt_follow(p);
	return 0;
}

int
punt_add(struct ifnet *ifp, struct ifnet *tap, const struct punt_ports *more)
{
	int error;

	if (!tap_is(tap))
		return -ENOTTY;
	if (punt_of(ifp) != NULL || punt_of(tap) != NULL)
		return -EEXIST;
	if (ifp->if_addrlen != ETHER_ADDR_LEN_)
		return -EINVAL;
	if ((error = tap_stand_for(tap, ifp->if_lladdr)) != 0)
		return error;
	return punt_join(ifp, tap, more);
}

int
punt_delete(struct ifnet *ifp)
{
	struct punt *p = punt_of(ifp);

	if (p == NULL || p->ifp != ifp)
		return -ENOENT;
	punt_free(p);
	return 0;
}

void
punt_foreach(void (*fn)(const struct punt_info *info, void *ctx), void *ctx)
{
	struct punt *p;

	if (V_punt_stack == NULL)
		return;
	TAILQ_FOREACH(p, &V_punt_stack->punts, link) {
		const struct punt_info info = { p->ifp, p->tap, &p->ports, &p->stats };

		fn(&info, ctx);
	}
}

/* --- what happens around it ------------------------------------------------------------------- */

static void
on_link(void *ctx, void *arg1, void *arg2)
{
	const struct ifnet *ifp = arg1;
	const struct punt *p = punt_of(ifp);

	(void)ctx, (void)arg2;
	if (p != NULL && p->ifp == ifp)
		punt_follow(p);
}

static void
on_lladdr(void *ctx, void *arg1, void *arg2)
{
	const struct ifnet *ifp = arg1;
	const struct punt *p = punt_of(ifp);

	(void)ctx, (void)arg2;
	if (p != NULL && p->ifp == ifp && tap_is(p->tap))
		(void)tap_stand_for(p->tap, ifp->if_lladdr);
}

/* A rename is a departure too, and then nothing changes for us. */
static void
on_departure(void *ctx, void *arg1, void *arg2)
{
	const struct ifnet *ifp = arg1;
	struct punt *p = punt_of(ifp);

	(void)ctx, (void)arg2;
	if (p != NULL && !(ifp->if_flags & IFF_RENAMING_))
		punt_free(p);
}

static struct event_tag *link_tag, *lladdr_tag, *departure_tag;

static void
punt_init(void *arg)
{
	(void)arg;
	event_register(&link_tag, "iflink_event", EVENT_HERE, on_link, NULL, EVENT_PRI_ANY);
	event_register(&lladdr_tag, "iflladdr_event", EVENT_HERE, on_lladdr, NULL, EVENT_PRI_ANY);
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, on_departure, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(punt, SI_SUB_TOP, SI_ORDER_SECOND, punt_init, NULL);

static void
punt_uninit(void *arg)
{
	struct punt_stack *s;

	(void)arg;
	while ((s = V_punt_stack) != NULL)
		punt_free(TAILQ_FIRST(&s->punts));
	if (curvnet == vnet0) {
		event_deregister(&link_tag);
		event_deregister(&lladdr_tag);
		event_deregister(&departure_tag);
	}
}
VNET_SYSUNINIT(punt, SI_SUB_TOP, SI_ORDER_SECOND, punt_uninit, NULL);
