/*
 * nat.c - address translation: instances, and the way of a packet through one.
 *
 *	out: link of its local end, or a new one -> source becomes the alias
 *	in:  link of its alias, a redirect, or the host itself -> destination becomes the local end
 *	ICMP errors (nat_icmp.c) by the link of what they quote; later fragments as their first one,
 *	for which they wait if need be (nat_early.c)
 *
 * "Out" is what leaves the stack; with `reverse`, what comes in. What comes from outside and nobody
 * asked for goes on as it is, to this host; then a link that changes nothing sees to it that the
 * answer isn't changed either. With deny_in it is dropped.
 *
 * Left out: PPTP's call ids, IRC's DCC, SIP and the other protocols that carry addresses, but FTP
 * (nat_ftp.c); docs/ipfw.md says why.
 */
#include "ipfw/nat_internal.h"
#include "ipfw/segment.h"

#include "inet/in.h"
#include "inet/ip.h"
#include "kern/eventhandler.h"
#include "kern/vnet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

VNET_DEFINE(struct nat_stack *, nat_stack);

static uint64_t nats_live; /* of all stacks; atomic */
AUDIT_COUNTER(fw_nat, "fw_nat", nats_live);

/* --- instances ----------------------------------------------------------------------------- */

struct nat *
nat_find(uint32_t number)
{
	struct nat *n = NULL;

	if (V_nat_stack != NULL)
		n = V_nat_stack->hash[number % NAT_HASH];
	while (n != NULL && n->number != number)
		n = n->hnext;
	return n;
}

static void
nobody_left(struct fw_wheel *w)
{
	(void)w;
}

static struct nat_stack *
nat_stack_make(void)
{
	struct nat_stack *s = V_nat_stack;
	char stream[64];

	if (s != NULL || (s = vnet_malloc(sizeof(*s))) == NULL)
		return s;
	snprintf(stream, sizeof(stream), "nat %s", vnet_name(curvnet));
	rng_seed(&s->rng, rng_process_seed, stream);
	s->seed = rng_u64(&s->rng);
	s->wheel.due = nat_link_due;
	s->wheel.empty = nobody_left;
	fw_wheel_init(&s->wheel);
	nat_early_init(s);
	return V_nat_stack = s;
}

static struct nat *
nat_make(uint32_t number)
{
	struct nat_stack *s = nat_stack_make();
	struct nat *n, *before = NULL, *after;

	if (s == NULL || (n = vnet_malloc(sizeof(*n))) == NULL)
		return NULL;
	n->number = number;
	n->hnext = s->hash[number % NAT_HASH];
	s->hash[number % NAT_HASH] = n;
	LIST_FOREACH(after, &s->all, link) {
		if (after->number > number)
			break;
		before = after;
	}
	if (before != NULL)
		LIST_INSERT_AFTER(before, n, link);
	else
		LIST_INSERT_HEAD(&s->all, n, link);
	__atomic_fetch_add(&nats_live, 1, __ATOMIC_RELAXED);
	return n;
}

void
nat_config_free(struct nat_config *c)
{
	struct nat_redirect *r;

	while ((r = c->redirects) != NULL) {
		c->redirects = r->next;
		vnet_free(r);
	}
}

void
nat_delete(struct nat *n)
{
	struct nat **at = &V_nat_stack->hash[n->number % NAT_HASH];

	nat_early_forget(n);
	nat_links_free(n);
	nat_config_free(&n->c);
	while (*at != n)
		at = &(*at)->hnext;
	*at = n->hnext;
	LIST_REMOVE(n, link);
	vnet_free(n);
	__atomic_fetch_sub(&nats_live, 1, __ATOMIC_RELAXED);
}

/* The address that the outside sees, as it is now. */
static uint32_t
alias_now(const struct nat_config *c)
{
	const struct in_ifaddr *ia;
	struct ifnet *ifp;

	if (c->ifname[0] == '\0')
		return c->alias;
	ifp = if_byname(c->ifname);
	ia = ifp != NULL ? in_ifaddr_first(ifp) : NULL;
	return ia != NULL ? ia->addr : 0;
}

/* The alias may be another. Links that are there keep theirs, unless `reset` says no. */
static void
alias_update(struct nat *n)
{
	const uint32_t alias = alias_now(&n->c);

	if (alias == n->alias)
		return;
	if (n->alias != 0 && (n->c.options & NAT_OPT_RESET))
		nat_links_free(n);
	n->alias = alias;
}

int
nat_configure(uint32_t number, const struct nat_config *c)
{
	struct nat *n = nat_find(number);

	if (n == NULL && (n = nat_make(number)) == NULL)
		return -ENOMEM;
	nat_config_free(&n->c);
	n->c = *c;
	alias_update(n);
	return 0;
}

static void
addr_changed(void *ctx, void *arg1, void *arg2)
{
	const struct ifaddr *ifa = arg2;
	struct nat *n;

	(void)ctx;
	(void)arg1;
	if (V_nat_stack == NULL || ifa->family != AF_INET)
		return;
	LIST_FOREACH(n, &V_nat_stack->all, link)
		alias_update(n);
}

static struct event_tag *addr_tag;

static void
nat_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		event_register(
		    &addr_tag, "ifaddr_event", EVENT_HERE, addr_changed, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(fw_nat, SI_SUB_FIREWALL, SI_ORDER_MIDDLE, nat_init, NULL);

static void
nat_end(void *arg)
{
	struct nat *n;

	(void)arg;
	if (curvnet == vnet0)
		event_deregister(&addr_tag);
	if (V_nat_stack == NULL)
		return;
	while ((n = LIST_FIRST(&V_nat_stack->all)) != NULL)
		nat_delete(n);
	fw_wheel_end(&V_nat_stack->wheel);
	vnet_free(V_nat_stack);
	V_nat_stack = NULL;
}
VNET_SYSUNINIT(fw_nat, SI_SUB_FIREWALL, SI_ORDER_MIDDLE, nat_end, NULL);

/* --- keys ---------------------------------------------------------------------------------- */

/* RFC 1918. */
static bool
is_private(uint32_t addr)
{
	const uint32_t a = __builtin_bswap32(addr);

	return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8;
}

static uint16_t
icmp_id(const struct fw_packet *p)
{
	return __builtin_bswap16(load16(p->m->data + p->l4 + 4));
}

/* What kind of link p belongs to; -1: to none, it goes on as it is. */
static int
kind_of(const struct fw_packet *p)
{
	switch (p->proto) {
	case IPPROTO_ICMP_:
		return p->has_icmp && nat_icmp_is_query(p->icmp_type) && p->m->len >= p->l4 + 8u ?
		    NAT_ICMP :
		    -1;
	case IPPROTO_TCP_:
		return p->has_ports ? NAT_TCP : -1;
	case IPPROTO_SCTP_:
		return p->has_ports ? NAT_SCTP : -1;
	default:
		return p->has_ports ? NAT_UDP : NAT_PROTO;
	}
}

/* p, seen from a side: its near end is its source on the way out, its destination on the way in. */
static struct nat_key
key_of(const struct nat *n, const struct fw_packet *p, enum nat_kind kind, enum nat_side side)
{
	const bool out = side == NAT_OUT;
	struct nat_key k = { .near = out ? p->src : p->dst,
		.far = out ? p->dst : p->src,
		.near_port = out ? p->sport : p->dport,
		.far_port = out ? p->dport : p->sport,
		.proto = p->proto,
		.kind = (uint8_t)kind };

	if (kind == NAT_ICMP)
		k.near_port = icmp_id(p);
	if (kind == NAT_UDP && (n->c.options & NAT_OPT_UDP_EIM)) {
		k.far = 0;
		k.far_port = 0;
	}
	return k;
}

/* --- links of packets ---------------------------------------------------------------------- */

/* From inside, and there is no link yet: NULL = it can't be had. */
static struct nat_link *
link_out(struct nat *n, const struct nat_key *out)
{
	struct nat_key in = *out;
	bool any_port = true;

	in.near = n->alias;
	nat_redirect_out(n, out, &in, &any_port);
	if (in.near == 0)
		return NULL;
	if (any_port && !nat_port_choose(n, &in, out->near_port))
		return NULL;
	if (!any_port && nat_link_find(n, NAT_IN, &in) != NULL)
		return NULL;
	return nat_link_make(n, out, &in);
}

/* A connection that was announced (nat_ftp.c) comes: a link of its own takes the other's place. */
static struct nat_link *
link_expected(struct nat *n, const struct nat_key *in)
{
	struct nat_key wild = *in, out;
	struct nat_link *l;

	wild.far_port = 0;
	l = nat_link_find(n, NAT_IN, &wild);
	if (l == NULL || !(l->flags & NAT_LINK_EXPECTED))
		return NULL;
	out = l->key[NAT_OUT];
	out.far_port = in->far_port;
	nat_link_free(l);
	return nat_link_make(n, &out, in);
}

enum found { FOUND, UNKNOWN, FULL };

/* From outside, and there is no link yet. */
static enum found
link_in(struct nat *n, const struct nat_key *in, struct nat_link **l)
{
	struct nat_key out = *in;

	if (in->kind == NAT_TCP && (*l = link_expected(n, in)) != NULL)
		return FOUND;
	if (!nat_redirect_in(n, in, &out)) {
		if ((n->c.options & NAT_OPT_DENY_IN) || in->near != n->alias)
			return UNKNOWN;
		/* to this host: its answer keeps the port */
	}
	if (nat_link_find(n, NAT_OUT, &out) != NULL)
		return UNKNOWN;
	*l = nat_link_make(n, &out, in);
	return *l != NULL ? FOUND : FULL;
}

/* --- fragments ----------------------------------------------------------------------------- */

struct nat_key
nat_fragment_key(const struct fw_packet *p, enum nat_side side)
{
	const bool out = side == NAT_OUT;

	return (struct nat_key){ .near = out ? p->src : p->dst,
		.far = out ? p->dst : p->src,
		.near_port = (uint16_t)p->frag_id,
		.far_port = p->proto,
		.kind = NAT_FRAG };
}

/*
 * The first fragment is about to become one from (or to) addr: those behind it will too. Without a
 * link for that they would come as strangers, so it had better not go either.
 */
static bool
fragments_follow(struct nat *n, const struct fw_packet *p, enum nat_side side, uint32_t addr)
{
	struct nat_key k[2];
	struct nat_link *l;

	k[side] = nat_fragment_key(p, side);
	k[!side] = k[side];
	k[!side].near = addr;
	l = nat_link_find(n, side, &k[side]);
	if (l != NULL && l->key[!side].near != addr) {
		nat_link_free(l);
		l = NULL;
	}
	if (l == NULL && (l = nat_link_make(n, &k[NAT_OUT], &k[NAT_IN])) == NULL)
		return false;
	nat_link_touch(l, side, 0);
	nat_early_ripen(n, side, &k[side]);
	return true;
}

/* --- both ways ----------------------------------------------------------------------------- */

static enum fw_nat_result
unknown_in(const struct nat *n)
{
	return n->c.options & NAT_OPT_DENY_IN ? FW_NAT_DROP : FW_NAT_OK;
}

/* p's near end becomes that of l on the other side. */
static enum fw_nat_result
translate(struct nat_link *l, struct fw_packet *p, enum nat_side side)
{
	const struct nat_key *to = &l->key[!side];
	const bool is_segment = to->kind == NAT_TCP && !p->fragment && p->has_tcp;

	nat_link_touch(l, side, p->has_tcp ? p->tcp_flags : 0);
	if (p->fragment && !p->later_fragment && !fragments_follow(l->nat, p, side, to->near))
		return FW_NAT_DROP;
	if (is_segment && side == NAT_OUT && !nat_ftp_out(l, p))
		return FW_NAT_DROP;
	if (is_segment && l->shift != NULL)
		nat_shift_packet(l->shift, p, side);
	nat_rewrite(p, (enum nat_kind)to->kind, side == NAT_OUT, to->near, to->near_port);
	return FW_NAT_OK;
}

static enum fw_nat_result
nat_out(struct nat *n, struct fw_packet *p, bool known_only)
{
	struct nat_link *l;
	struct nat_key k;
	int kind;

	if (p->later_fragment) {
		k = nat_fragment_key(p, NAT_OUT);
		l = nat_link_find(n, NAT_OUT, &k);
		return l != NULL ? translate(l, p, NAT_OUT) : known_only ? FW_NAT_NONE : FW_NAT_OK;
	}
	if (p->has_icmp && p->proto == IPPROTO_ICMP_ && nat_icmp_is_error(p->icmp_type))
		return nat_icmp_error(n, p, NAT_OUT);
	if ((kind = kind_of(p)) < 0)
		return FW_NAT_OK;
	k = key_of(n, p, (enum nat_kind)kind, NAT_OUT);
	l = nat_link_find(n, NAT_OUT, &k);
	if (l == NULL && known_only)
		return FW_NAT_NONE;
	if (l == NULL && (l = link_out(n, &k)) == NULL)
		return FW_NAT_DROP;
	return translate(l, p, NAT_OUT);
}

static enum fw_nat_result
nat_in(struct nat *n, struct fw_packet *p, bool known_only)
{
	enum found found = FOUND;
	struct nat_link *l;
	struct nat_key k;
	int kind;

	if (p->later_fragment) {
		k = nat_fragment_key(p, NAT_IN);
		l = nat_link_find(n, NAT_IN, &k);
		if (l != NULL)
			return translate(l, p, NAT_IN);
		return known_only ? FW_NAT_NONE : unknown_in(n);
	}
	if (p->has_icmp && p->proto == IPPROTO_ICMP_ && nat_icmp_is_error(p->icmp_type))
		return nat_icmp_error(n, p, NAT_IN);
	if ((kind = kind_of(p)) < 0)
		return unknown_in(n);
	k = key_of(n, p, (enum nat_kind)kind, NAT_IN);
	l = nat_link_find(n, NAT_IN, &k);
	if (l == NULL && known_only && !nat_redirect_in(n, &k, NULL))
		return FW_NAT_NONE;
	if (l == NULL)
		found = link_in(n, &k, &l);
	if (found == UNKNOWN)
		return unknown_in(n);
	return found == FOUND ? translate(l, p, NAT_IN) : FW_NAT_DROP;
}

bool
nat_is_concerned(const struct nat *n, const struct fw_packet *p, enum nat_side *side)
{
	const bool reverse = n->c.options & NAT_OPT_REVERSE;

	*side = p->in == reverse ? NAT_OUT : NAT_IN;
	if (n->c.options & NAT_OPT_PROXY_ONLY)
		return false;
	return *side == NAT_IN || !(n->c.options & NAT_OPT_UNREG_ONLY) || is_private(p->src);
}

static enum fw_nat_result
nat_packet(struct nat *n, struct fw_packet *p, bool known_only)
{
	enum nat_side side;

	if (!nat_is_concerned(n, p, &side))
		return known_only ? FW_NAT_NONE : FW_NAT_OK;
	return side == NAT_OUT ? nat_out(n, p, known_only) : nat_in(n, p, known_only);
}

/* `nat global`: the first instance that knows the packet; it goes on as it is if none does. */
static enum fw_nat_result
nat_global(struct fw_packet *p)
{
	enum fw_nat_result result;
	struct nat *n;

	if (V_nat_stack == NULL)
		return FW_NAT_NONE;
	LIST_FOREACH(n, &V_nat_stack->all, link) {
		if (n->c.options & NAT_OPT_SKIP_GLOBAL)
			continue;
		result = nat_packet(n, p, true);
		if (result != FW_NAT_NONE)
			return result;
	}
	return FW_NAT_OK;
}

enum fw_nat_result
fw_nat(uint32_t instance, struct fw_packet *p)
{
	struct nat *n = nat_find(instance);

	if (n == NULL && instance != FW_NAT_GLOBAL)
		return FW_NAT_NONE;
	if (!m_writable(p->m) && (p->m = m_unshare(p->m)) == NULL)
		return FW_NAT_DROP;
	return n != NULL ? nat_packet(n, p, false) : nat_global(p);
}

/* --- what is made here --------------------------------------------------------------------- */

/* On the way out the near end sends, on the way in it gets: the side is its place. */
static struct nat_link *
link_of_segment(const struct fw_segment *s, enum nat_side side)
{
	const struct nat_key k = { .near = s->addr4[side],
		.far = s->addr4[!side],
		.near_port = s->port[side],
		.far_port = s->port[!side],
		.proto = IPPROTO_TCP_,
		.kind = NAT_TCP };
	struct nat_link *l = NULL;
	struct nat *n;

	LIST_FOREACH(n, &V_nat_stack->all, link)
		if ((l = nat_link_find(n, side, &k)) != NULL)
			break;
	return l;
}

void
fw_nat_segment(struct fw_segment *s)
{
	const struct nat_link *l;

	if (s->v6 || V_nat_stack == NULL)
		return;
	for (int side = NAT_OUT; side <= NAT_IN; side++) {
		if ((l = link_of_segment(s, (enum nat_side)side)) == NULL)
			continue;
		s->addr4[side] = l->key[!side].near;
		s->port[side] = l->key[!side].near_port;
		if (l->shift != NULL && side == NAT_OUT)
			s->seq = nat_shift_seq(l->shift, s->seq);
		else if (l->shift != NULL)
			s->ack = nat_shift_ack(l->shift, s->ack);
	}
}
