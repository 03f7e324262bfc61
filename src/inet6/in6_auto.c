/*
 * in6_auto.c - addresses that come by themselves: each interface's link-local one (RFC 4862 5.3),
 * lo0's ::1.
 *
 * They come when the interface comes up (auto_linklocal), or when IPv6 is first used on it: before
 * its first other address, with accept_rtadv; for IPv6 needs one (RFC 4291 2.1). The identifier of
 * a link-local address is made of the interface's link address; one without takes another's of the
 * stack, else a number by chance.
 */
#include "inet6/in6_internal.h"

#include "base/rng.h"
#include "kern/sysctl.h"

#include <errno.h>

VNET_DEFINE(bool, ip6_auto_linklocal) = true;
SYSCTL_VNET_BOOL(net_inet6_ip6_auto_linklocal, "net.inet6.ip6.auto_linklocal", SYSCTL_RW,
    ip6_auto_linklocal, "new interfaces get a link-local address when they come up");

/* An interface whose link address can name another one, too. */
static const struct ifnet *
borrow_lladdr(void)
{
	const struct ifnet *ifp;

	IF_FOREACH(ifp)
		if (ifp->if_addrlen == 6)
			return ifp;
	return NULL;
}

static void
identifier(const struct ifnet *ifp, struct in6 *a)
{
	const struct ifnet *named = ifp->if_addrlen == 6 ? ifp : borrow_lladdr();
	struct rng rng;

	if (ifp->if_flags & IFF_LOOPBACK_) {
		a->b[15] = 1;
		return;
	}
	if (named != NULL) {
		in6_eui64(a, named->if_lladdr);
		return;
	}
	rng_seed(&rng, rng_process_seed + curvnet->id, ifp->if_xname);
	store64(a->b + 8, rng_u64(&rng));
	a->b[8] &= (uint8_t)~2; /* not made of a link address: RFC 4291 2.5.1 */
}

static int
add_linklocal(struct ifnet *ifp)
{
	struct in6_addr_request rq = {
		.addr = { .b = { 0xfe, 0x80 } },
		.plen = 64,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};

	identifier(ifp, &rq.addr);
	return in6_addr_add(ifp, &rq);
}

static int
add_loopback(struct ifnet *ifp)
{
	const struct in6_addr_request rq = {
		.addr = in6_loopback_,
		.plen = 128,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};

	return in6_addr_add(ifp, &rq);
}

static bool
wants_linklocal(const struct ifnet *ifp, bool used)
{
	const uint32_t flags = in6_if_of(ifp)->nd.flags;

	if (flags & (ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_ACCEPT_RTADV))
		used = true;
	return used && !(flags & ND6_IFF_IFDISABLED) && (ifp->if_flags & IFF_MULTICAST_) &&
	    ifp->if_index <= IN6_ZONE_MAX;
}

int
in6_auto_addresses(struct ifnet *ifp, bool used)
{
	int error = 0;

	if (ifp->if_afstate[AF_SLOT_INET6] != AF_READY || !wants_linklocal(ifp, used))
		return 0;
	if (ifp == V_loif && in6_local(&in6_loopback_) == NULL)
		error = add_loopback(ifp);
	if (error == 0 && in6_linklocal(ifp) == NULL)
		error = add_linklocal(ifp);
	return error;
}
