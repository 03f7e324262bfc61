/*
 * in6_life.c - how long an address lives (RFC 4862 5.5.4): preferred, then deprecated, then gone.
 * Which of its two deadlines comes next is the timer's.
 */
#include "inet6/in6_internal.h"

static uint64_t
deadline(uint32_t lifetime_s)
{
	if (lifetime_s == (uint32_t)ND6_INFINITE_LIFETIME)
		return NS_NEVER;
	return clock_now() + lifetime_s * NS_PER_SEC;
}

static void
life_arm(struct in6_ifaddr *ia)
{
	uint64_t next = ia->flags & IN6_IFF_DEPRECATED || ia->deprecate_ns > ia->expire_ns ?
	    ia->expire_ns :
	    ia->deprecate_ns;

	callout_stop(&ia->lifetime);
	if (next != NS_NEVER)
		callout_reset(&ia->lifetime, next - clock_now());
}

static void
life_tick(void *arg)
{
	struct in6_ifaddr *ia = arg;

	if (ia->expire_ns <= clock_now()) {
		in6_addr_remove(ia);
		return;
	}
	ia->flags |= IN6_IFF_DEPRECATED;
	in6_addr_event(ia);
	life_arm(ia);
}

void
in6_life_init(struct in6_ifaddr *ia)
{
	callout_init(&ia->lifetime, curvnet, life_tick, ia);
}

static void
set_preferred(struct in6_ifaddr *ia, uint32_t pltime_s)
{
	ia->pltime_s = pltime_s;
	ia->deprecate_ns = deadline(pltime_s);
	if (pltime_s == 0)
		ia->flags |= IN6_IFF_DEPRECATED;
	else
		ia->flags &= ~(uint32_t)IN6_IFF_DEPRECATED;
}

void
in6_addr_lifetimes(struct in6_ifaddr *ia, uint32_t vltime_s, uint32_t pltime_s)
{
	VNET_SCOPE(ia->ifa.ifp->if_vnet);

	ia->vltime_s = vltime_s;
	ia->expire_ns = deadline(vltime_s);
	set_preferred(ia, pltime_s);
	life_arm(ia);
}

void
in6_addr_preferred(struct in6_ifaddr *ia, uint32_t pltime_s)
{
	VNET_SCOPE(ia->ifa.ifp->if_vnet);

	set_preferred(ia, pltime_s);
	life_arm(ia);
}
