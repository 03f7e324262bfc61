/*
 * ip_ways.h - packets on their way out, sorted by interface; of either family.
 *
 * Ways are few; a fifth one flushes the others, which keeps the order on each interface.
 */
#ifndef WARREN_INET_IP_WAYS_H
#define WARREN_INET_IP_WAYS_H

#include "base/mbuf.h"

struct ifnet;

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
