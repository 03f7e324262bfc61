/*
 * match_stack.c - instructions that ask the stack: is that address mine, which interface was it,
 * would the way back be the same, whose is it?
 *
 * Sources are judged on the way in only: what leaves has either been judged, or was made here.
 */
#include "ipfw/match_internal.h"

#include "inet/in.h"
#include "inet/udp.h"
#include "inet6/ip6.h"
#include "kern/jail.h"
#include "route/route.h"

#include <string.h>

static const struct ifnet *
link_of(const struct fw_packet *p)
{
	return p->in ? p->recv : p->xmit;
}

/* --- addresses and interfaces ----------------------------------------------------------------- */

bool
fw_match_me(const struct fw_insn *insn, const struct fw_packet *p, bool src)
{
	struct in6 addr;

	if (p->ip == 4)
		return insn->n != 6 && in_local(src ? p->src : p->dst) != NULL;
	if (p->ip != 6)
		return false;
	addr = ip6_zoned(src ? &p->src6 : &p->dst6, link_of(p));
	return in6_local(&addr) != NULL;
}

static bool
has_address(const struct ifnet *ifp, uint32_t addr)
{
	const struct in_ifaddr *ia = in_local(addr);

	while (ia != NULL && ia->ifa.ifp != ifp)
		ia = in_local_next(ia);
	return ia != NULL;
}

bool
fw_match_iface(const struct fw_iface *i, struct fw_packet *p, const struct ifnet *ifp)
{
	struct fw_value v;

	if (ifp == NULL)
		return false;
	switch ((enum fw_iface_how)i->how) {
	case FW_IFACE_ANY:
		return true;
	case FW_IFACE_NAME:
		return strcmp(i->name, ifp->if_xname) == 0;
	case FW_IFACE_PREFIX:
		return strncmp(i->name, ifp->if_xname, strlen(i->name)) == 0;
	case FW_IFACE_ADDR:
		return has_address(ifp, i->addr);
	case FW_IFACE_TABLE:
		if (!fw_table_find_iface(i->table, ifp, &v))
			return false;
		fw_tablearg_set(p, &v);
		return true;
	}
	return false;
}

/* --- the way back ----------------------------------------------------------------------------- */

/* Is there nothing to judge: it leaves, or came by no interface? */
static bool
is_beyond_judging(const struct fw_packet *p)
{
	return !p->in || p->recv == NULL;
}

/* False: not IP. */
static bool
source_of(const struct fw_packet *p, struct rt_addr *src)
{
	struct in6 from;

	if (p->ip == 4) {
		*src = rt_addr_make(AF_INET, &p->src, 32);
	} else if (p->ip == 6) {
		from = ip6_zoned(&p->src6, p->recv);
		*src = rt_addr_make(AF_INET6, &from, 128);
	}
	return p->ip != 0;
}

static struct nexthop *
way_to(uint8_t fib, const struct rt_addr *a)
{
	return a->family == AF_INET ? fib_lookup4(fib, load32(a->addr)) :
				      fib_lookup6(fib, rt_addr_in6(a));
}

bool
fw_match_verrevpath(const struct fw_packet *p)
{
	struct rt_addr src;

	if (is_beyond_judging(p))
		return true;
	return source_of(p, &src) && rib_reverse_path_ok(p->m->fib, &src, p->recv);
}

bool
fw_match_versrcreach(const struct fw_packet *p)
{
	const struct nexthop *nh;
	struct nexthop *found;
	struct rt_addr src;
	unsigned at = 0;

	if (is_beyond_judging(p))
		return true;
	if (!source_of(p, &src))
		return false;
	found = way_to(p->m->fib, &src);
	while ((nh = nexthop_path(found, src.addr, &at)) != NULL)
		if (!(nh->flags & (RTF_REJECT_ | RTF_BLACKHOLE_)) && nh->rt->dst.plen > 0)
			return true;
	return false;
}

/* On a network that an interface has an address of; our own addresses are on all of them. */
static bool
is_connected(uint8_t fib, const struct rt_addr *a)
{
	struct nexthop *found = way_to(fib, a);
	const struct nexthop *nh;
	unsigned at = 0;

	while ((nh = nexthop_path(found, a->addr, &at)) != NULL)
		if (nh->flags & (RTF_PINNED_ | RTF_LOCAL_))
			return true;
	return false;
}

bool
fw_match_antispoof(const struct fw_packet *p)
{
	struct rt_addr src;

	if (is_beyond_judging(p))
		return true;
	if (!source_of(p, &src))
		return false;
	return !is_connected(p->m->fib, &src) || rib_reverse_path_ok(p->m->fib, &src, p->recv);
}

/* --- owners ----------------------------------------------------------------------------------- */

static bool
is_ours(const struct ipaddr *a)
{
	return a->family == AF_INET ? in_local(ipaddr_in(a)) != NULL :
				      in6_local(ipaddr_in6(a)) != NULL;
}

static struct ipaddr
address_of(const struct fw_packet *p, bool src)
{
	struct in6 addr;

	if (p->ip == 4)
		return ipaddr4(src ? p->src : p->dst);
	addr = ip6_zoned(src ? &p->src6 : &p->dst6, link_of(p));
	return ipaddr6(&addr);
}

bool
fw_packet_has_owner(const struct fw_packet *p)
{
	struct ipaddr ours, theirs;

	if (p->proto != IPPROTO_UDP_ || !p->has_ports)
		return false;
	ours = address_of(p, !p->in);
	theirs = address_of(p, p->in);
	return is_ours(&ours) &&
	    udp_has_endpoint(
		&ours, p->in ? p->dport : p->sport, &theirs, p->in ? p->sport : p->dport);
}

int
fw_owner_jail(void)
{
	return curvnet->prison->jid;
}
