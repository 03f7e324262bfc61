/*
 * ip_ways.h - packets on their way through, of either family: what their next hops ask for, and
 * packets sorted by interface.
 */
#ifndef WARREN_INET_IP_WAYS_H
#define WARREN_INET_IP_WAYS_H

#include "route/route.h"

enum { RTF_NOT_EASY = RTF_REJECT_ | RTF_BLACKHOLE_ | RTF_BROADCAST_ | RTF_MULTIPATH_ };

/* To be forwarded without more ado, as far as the next hop tells: back where it came from is not. */
static inline bool
nh_is_easy(const struct ifnet *rcvif, const struct nexthop *nh)
{
	return nh != NULL && nh->ifp != rcvif && !(nh->flags & RTF_NOT_EASY);
}

/* The same of all, n > 0 of them, and they leave by one interface. */
static inline bool
nh_are_easy(const struct ifnet *rcvif, struct nexthop *const *nh, size_t n)
{
	const struct ifnet *ifp = nh[0] != NULL ? nh[0]->ifp : NULL;
	uint32_t flags = 0;

#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++) {
		if (nh[i] == NULL || nh[i]->ifp != ifp)
			return false;
		flags |= nh[i]->flags;
	}
	return ifp != rcvif && !(flags & RTF_NOT_EASY);
}

/* Ways are few; a fifth one flushes the others, which keeps the order on each interface. */
enum { IP_WAYS = 4 };
struct ip_ways {
	void (*send)(struct ifnet *ifp, struct batch *b); /* the family's */
	unsigned n;
	struct ifnet *ifp[IP_WAYS];
	struct batch out[IP_WAYS];
};

/* Not the batches: they are two kilobytes that nobody reads before they are written. */
static inline void
ip_ways_init(struct ip_ways *w, void (*send)(struct ifnet *ifp, struct batch *b))
{
	w->send = send;
	w->n = 0;
}

static inline void
ip_ways_flush(struct ip_ways *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->out[i].n > 0)
			w->send(w->ifp[i], &w->out[i]);
	w->n = 0;
}

static inline void
ip_ways_add(struct ip_ways *w, struct ifnet *ifp, struct mbuf *m)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->ifp[i] == ifp)
			break;
	if (i == w->n) {
		if (w->n == IP_WAYS) {
			ip_ways_flush(w);
			i = 0;
		}
		w->ifp[i] = ifp;
		w->out[i].n = 0;
		w->n = i + 1;
	}
	batch_add(&w->out[i], m);
}

#endif
