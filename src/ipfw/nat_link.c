/*
 * nat_link.c - links of NAT: found from both sides, ended by the wheel.
 *
 * A link stands in two tables of its instance: by its local end, for packets from inside, and by
 * its alias, for those from outside. Both have the remote end in their keys too, so that an alias
 * port serves many remote ends at once (but for udp_eim). Ports are drawn from the stack's own
 * stream.
 */
#include "ipfw/nat_internal.h"

#include "inet/ip.h"
#include "kern/sysctl.h"
#include "route/flow.h"

#include <stdio.h>
#include <string.h>

enum { PORT_LO = 0x8000, PORT_HI = 0xffff, PORT_TRIES = 20, BUCKETS_FIRST = 64 };
enum { FIN = 1, SYN = 2, RST = 4 };

VNET_DEFINE_STATIC(uint32_t, nat_max_links) = 65536;
VNET_DEFINE_STATIC(uint32_t, nat_links);
VNET_DEFINE_STATIC(uint64_t, nat_refused);

VNET_DEFINE_STATIC(uint32_t, nat_tcp_connected) = 86400;
VNET_DEFINE_STATIC(uint32_t, nat_tcp_initial) = 300;
VNET_DEFINE_STATIC(uint32_t, nat_tcp_half_closed) = 90;
VNET_DEFINE_STATIC(uint32_t, nat_tcp_dead) = 10;
VNET_DEFINE_STATIC(uint32_t, nat_udp) = 60;
VNET_DEFINE_STATIC(uint32_t, nat_icmp) = 60;
VNET_DEFINE_STATIC(uint32_t, nat_proto) = 60;
VNET_DEFINE_STATIC(uint32_t, nat_frag_id) = 10;

enum { LIFETIME_MAX_S = 30 * 86400 };

SYSCTL_VNET_UINT(net_inet_ip_fw_nat_max_links, "net.inet.ip.fw.nat_max_links", SYSCTL_RW,
    nat_max_links, 0, 16 * 1024 * 1024, "links of NAT at most, all instances together");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_links, "net.inet.ip.fw.nat_links", SYSCTL_RD, nat_links, 0,
    UINT32_MAX, "links of NAT now");
SYSCTL_VNET_U64(net_inet_ip_fw_nat_refused, "net.inet.ip.fw.nat_refused", SYSCTL_RD, nat_refused,
    "links of NAT that were refused: too many, no port, no memory");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_tcp_connected, "net.inet.ip.fw.nat_tcp_connected", SYSCTL_RW,
    nat_tcp_connected, 1, LIFETIME_MAX_S,
    "seconds that a link of an established TCP connection may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_tcp_initial, "net.inet.ip.fw.nat_tcp_initial", SYSCTL_RW,
    nat_tcp_initial, 1, LIFETIME_MAX_S,
    "seconds that a link of a TCP connection may be idle that is not established");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_tcp_half_closed, "net.inet.ip.fw.nat_tcp_half_closed",
    SYSCTL_RW, nat_tcp_half_closed, 1, LIFETIME_MAX_S,
    "seconds that a link of a TCP connection may be idle that one end has closed");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_tcp_dead, "net.inet.ip.fw.nat_tcp_dead", SYSCTL_RW,
    nat_tcp_dead, 1, LIFETIME_MAX_S,
    "seconds that a link of a TCP connection may be idle that both ends have closed");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_udp, "net.inet.ip.fw.nat_udp", SYSCTL_RW, nat_udp, 1,
    LIFETIME_MAX_S, "seconds that a link of UDP may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_icmp, "net.inet.ip.fw.nat_icmp", SYSCTL_RW, nat_icmp, 1,
    LIFETIME_MAX_S, "seconds that a link of ICMP queries may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_proto, "net.inet.ip.fw.nat_proto", SYSCTL_RW, nat_proto, 1,
    LIFETIME_MAX_S, "seconds that a link of another protocol may be idle");
SYSCTL_VNET_UINT(net_inet_ip_fw_nat_frag_id, "net.inet.ip.fw.nat_frag_id", SYSCTL_RW, nat_frag_id,
    1, LIFETIME_MAX_S, "seconds that later fragments follow the first one");

static uint64_t links_live; /* of all stacks; atomic */
AUDIT_COUNTER(fw_nat_link, "fw_nat_link", links_live);

/* --- tables -------------------------------------------------------------------------------- */

static inline uint32_t
bucket_of(const struct nat_table *t, const struct nat_key *k)
{
	const uint64_t h = flow_mix(load64(k) ^ V_nat_stack->seed, load64(&k->near_port));
	const unsigned log2 = 31 - (unsigned)__builtin_clz(t->buckets);
	const uint32_t b = (uint32_t)h & ((2u << log2) - 1);

	return b < t->buckets ? b : b & ((1u << log2) - 1);
}

struct nat_link *
nat_link_find(const struct nat *n, enum nat_side side, const struct nat_key *k)
{
	const struct nat_table *t = &n->table[side];
	struct nat_link *l;

	if (t->buckets == 0)
		return NULL;
	for (l = t->bucket[bucket_of(t, k)]; l != NULL; l = l->next[side])
		if (nat_key_equal(&l->key[side], k))
			return l;
	return NULL;
}

/* Room for one more bucket; false without memory. */
static bool
table_has_room(struct nat_table *t)
{
	const uint32_t room = t->room == 0 ? BUCKETS_FIRST : t->room * 2;
	struct nat_link **bigger;

	if (t->buckets < t->room)
		return true;
	bigger = vnet_malloc(room * sizeof(*bigger));
	if (bigger == NULL)
		return false;
	if (t->buckets > 0)
		memcpy(bigger, t->bucket, t->buckets * sizeof(*bigger));
	vnet_free(t->bucket);
	t->bucket = bigger;
	t->room = room;
	return true;
}

/* Half of one bucket moves into a new one. */
static void
table_split(struct nat_table *t, enum nat_side side)
{
	const uint32_t to = t->buckets++;
	const uint32_t from = to ^ (1u << (31 - (unsigned)__builtin_clz(to)));
	struct nat_link **at = &t->bucket[from], *l;

	while ((l = *at) != NULL) {
		if (bucket_of(t, &l->key[side]) != to) {
			at = &l->next[side];
			continue;
		}
		*at = l->next[side];
		l->next[side] = t->bucket[to];
		t->bucket[to] = l;
	}
}

/* False without memory for the first buckets; a table that can't grow only gets slower. */
static bool
table_grow(struct nat *n, enum nat_side side)
{
	struct nat_table *t = &n->table[side];

	if (t->buckets > n->nlinks)
		return true;
	if (!table_has_room(t))
		return t->buckets > 0;
	if (t->buckets == 0)
		t->buckets = BUCKETS_FIRST;
	else
		table_split(t, side);
	return true;
}

static void
table_put(struct nat_table *t, enum nat_side side, struct nat_link *l)
{
	struct nat_link **bucket = &t->bucket[bucket_of(t, &l->key[side])];

	l->next[side] = *bucket;
	*bucket = l;
}

static void
table_take(struct nat_table *t, enum nat_side side, struct nat_link *l)
{
	struct nat_link **at = &t->bucket[bucket_of(t, &l->key[side])];

	while (*at != l)
		at = &(*at)->next[side];
	*at = l->next[side];
}

/* --- life ---------------------------------------------------------------------------------- */

static struct nat_link *
refuse(void)
{
	VNET(nat_refused)++;
	return NULL;
}

struct nat_link *
nat_link_make(struct nat *n, const struct nat_key *out, const struct nat_key *in)
{
	struct nat_link *l;

	if (VNET(nat_links) >= VNET(nat_max_links) || !table_grow(n, NAT_OUT) ||
	    !table_grow(n, NAT_IN) || (l = vnet_malloc(sizeof(*l))) == NULL)
		return refuse();
	l->nat = n;
	l->key[NAT_OUT] = *out;
	l->key[NAT_IN] = *in;
	table_put(&n->table[NAT_OUT], NAT_OUT, l);
	table_put(&n->table[NAT_IN], NAT_IN, l);
	n->nlinks++;
	n->links[out->kind]++;
	VNET(nat_links)++;
	__atomic_fetch_add(&links_live, 1, __ATOMIC_RELAXED);
	nat_link_touch(l, NAT_OUT, 0);
	return l;
}

void
nat_link_free(struct nat_link *l)
{
	struct nat *n = l->nat;

	fw_wheel_remove(&V_nat_stack->wheel, &l->due);
	table_take(&n->table[NAT_OUT], NAT_OUT, l);
	table_take(&n->table[NAT_IN], NAT_IN, l);
	n->nlinks--;
	n->links[l->key[NAT_OUT].kind]--;
	VNET(nat_links)--;
	__atomic_fetch_sub(&links_live, 1, __ATOMIC_RELAXED);
	vnet_free(l->shift);
	vnet_free(l);
}

void
nat_links_free(struct nat *n)
{
	struct nat_link *l;

	for (uint32_t b = 0; b < n->table[NAT_OUT].buckets; b++)
		while ((l = n->table[NAT_OUT].bucket[b]) != NULL)
			nat_link_free(l);
	for (int side = 0; side < 2; side++) {
		vnet_free(n->table[side].bucket);
		n->table[side] = (struct nat_table){ 0 };
	}
}

static uint32_t
tcp_lifetime(uint8_t flags)
{
	switch (flags & (NAT_LINK_END_OUT | NAT_LINK_END_IN)) {
	case 0:
		return (flags & NAT_LINK_SYN_OUT) && (flags & NAT_LINK_SYN_IN) ?
		    VNET(nat_tcp_connected) :
		    VNET(nat_tcp_initial);
	case NAT_LINK_END_OUT | NAT_LINK_END_IN:
		return VNET(nat_tcp_dead);
	default:
		return VNET(nat_tcp_half_closed);
	}
}

static uint32_t
lifetime(const struct nat_link *l)
{
	switch ((enum nat_kind)l->key[NAT_OUT].kind) {
	case NAT_TCP:
		return tcp_lifetime(l->flags);
	case NAT_UDP:
		return VNET(nat_udp);
	case NAT_ICMP:
		return VNET(nat_icmp);
	case NAT_FRAG:
		return VNET(nat_frag_id);
	default:
		return VNET(nat_proto);
	}
}

void
nat_link_touch(struct nat_link *l, enum nat_side side, uint8_t tcp_flags)
{
	struct fw_wheel *w = &V_nat_stack->wheel;
	const uint64_t old = l->expire_ns;

	if (tcp_flags & SYN)
		l->flags |= side == NAT_OUT ? NAT_LINK_SYN_OUT : NAT_LINK_SYN_IN;
	if (tcp_flags & (FIN | RST))
		l->flags |= side == NAT_OUT ? NAT_LINK_END_OUT : NAT_LINK_END_IN;
	l->expire_ns = clock_now() + lifetime(l) * NS_PER_SEC;
	if (old != 0 && l->expire_ns >= old)
		return; /* the wheel learns it when it looks */
	fw_wheel_remove(w, &l->due);
	fw_wheel_add(w, &l->due, l->expire_ns);
}

void
nat_link_due(struct fw_wheel *w, struct fw_wheel_entry *e)
{
	struct nat_link *l = (struct nat_link *)(void *)((uint8_t *)e -
	    offsetof(struct nat_link, due));

	if (l->expire_ns > clock_now())
		fw_wheel_add(w, e, l->expire_ns);
	else
		nat_link_free(l);
}

/* --- ports --------------------------------------------------------------------------------- */

static bool
port_is_free(const struct nat *n, struct nat_key *in, uint16_t port)
{
	in->near_port = port;
	return nat_link_find(n, NAT_IN, in) == NULL;
}

bool
nat_port_choose(struct nat *n, struct nat_key *in, uint16_t local_port)
{
	const uint16_t lo = n->c.port_lo != 0 ? n->c.port_lo : PORT_LO;
	const uint16_t hi = n->c.port_lo != 0 ? n->c.port_hi : PORT_HI;

	/* what must keep its port: SCTP's checksum covers it, others have none */
	if (in->kind != NAT_TCP && in->kind != NAT_UDP && in->kind != NAT_ICMP)
		return port_is_free(n, in, local_port) || refuse() != NULL;
	if ((n->c.options & NAT_OPT_SAME_PORTS) && port_is_free(n, in, local_port))
		return true;
	for (unsigned i = 0; i < PORT_TRIES; i++)
		if (port_is_free(n, in,
			(uint16_t)(lo + rng_below(&V_nat_stack->rng, (uint64_t)(hi - lo) + 1))))
			return true;
	return refuse() != NULL;
}
