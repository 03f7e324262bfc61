/*
 * pfil.h - where packet filters hook into the walk.
 *
 * A hook sees a batch of packets of one stack, family and direction, all with one interface, and
 * removes what it takes (drops, delays, diverts). With no hook the cost is one test per batch.
 *
 * What a hook has taken it can bring back, at once or later: pfil_go_on() runs the hooks behind it
 * and then the walk's own way from there on. A hook that has to answer a packet in the middle of a
 * batch sends on what came before it in this way first (the order contract of base/sched.h).
 */
#ifndef WARREN_NET_PFIL_H
#define WARREN_NET_PFIL_H

#include "net/if.h"

enum pfil_dir { PFIL_IN, PFIL_OUT };
/*
 * In a bridge a frame meets PFIL_BRIDGE once on its way out of each member, as a frame; the packet
 * in it meets PFIL_BRIDGED_INET or _INET6 at up to four stations (if_bridge_filter.c), as it would
 * in IP.
 */
enum pfil_point {
	PFIL_INET,
	PFIL_INET6,
	PFIL_LINK,
	PFIL_BRIDGE,
	PFIL_BRIDGED_INET,
	PFIL_BRIDGED_INET6,
	PFIL_POINTS
};
/* Do hooks see the link header there? */
static inline bool
pfil_is_framed(enum pfil_point point)
{
	return point >= PFIL_LINK;
}
/* Is it in a bridge? */
static inline bool
pfil_is_bridged(enum pfil_point point)
{
	return point >= PFIL_BRIDGE;
}

/*
 * b in and out: the packets that may go on, in order; the hook owns what it removes. m->data points
 * at the IP header (pfil_is_framed: the link header). A hook may change packets (m_writable!) and
 * replace them.
 */
typedef void pfil_hook(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir);

struct pfil_head {
	uint32_t n;
	struct {
		pfil_hook *fn;
		void *ctx;
		int order;
	} hook[4];
};
VNET_DECLARE(struct pfil_head, pfil_heads[PFIL_POINTS][2]);

/* In curvnet. Lower order first on the way in, last on the way out. 0, -EEXIST, -ENOSPC. */
int pfil_add(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, void *ctx, int order);
void pfil_remove(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, void *ctx);
void pfil_run_hooks(struct pfil_head *h, struct batch *b, struct ifnet *ifp, enum pfil_dir dir);

/*
 * The walk's way behind the hooks of a point, said once for the process by whoever calls pfil_run
 * there. Takes a batch of one interface, in curvnet.
 */
typedef void pfil_way(struct ifnet *ifp, struct batch *b);
void pfil_way_set(enum pfil_point point, enum pfil_dir dir, pfil_way *way);
/*
 * Packets go on behind a hook, as if it had just let them pass; if it isn't there any more, behind
 * all hooks. Takes the batch: packets of one interface, m->rcvif and m->nh as they were.
 */
void pfil_go_on(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, const void *ctx,
    struct ifnet *ifp, struct batch *b);

static inline bool
pfil_is_empty(enum pfil_point point, enum pfil_dir dir)
{
	return VNET(pfil_heads)[point][dir].n == 0;
}

static inline void
pfil_run(enum pfil_point point, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	struct pfil_head *h = &VNET(pfil_heads)[point][dir];

	if (__builtin_expect(h->n != 0, 0))
		pfil_run_hooks(h, b, ifp, dir);
}

#endif
