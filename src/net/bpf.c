/*
 * bpf.c - the taps of an interface. An interface that nobody listens to has none of this.
 *
 * A listener may detach itself or another one from inside its tap: a walk keeps its next listener
 * where detaching can move it on, and the list goes when the last walk over it has ended.
 */
#include "net/bpf.h"

#include "net/ethernet.h"

#include <errno.h>

struct bpf_walk {
	struct bpf_listener *next;
	struct bpf_walk *outer;
};

struct bpf_if {
	LIST_HEAD(, bpf_listener) listeners;
	struct bpf_walk *walks; /* innermost first */
};

static uint64_t listeners_live;
AUDIT_COUNTER(bpf, "bpf listener", listeners_live);

int
bpf_attach(struct bpf_listener *l, struct ifnet *ifp)
{
	if (ifp->if_vnet == NULL)
		return -ENXIO;
	if (ifp->if_bpf == NULL) {
		VNET_SCOPE(ifp->if_vnet);
		struct bpf_if *bi = vnet_malloc(sizeof(*bi));

		if (bi == NULL)
			return -ENOMEM;
		rcu_publish(&ifp->if_bpf, bi);
	}
	l->ifp = ifp;
	LIST_INSERT_HEAD(&ifp->if_bpf->listeners, l, link);
	listeners_live++;
	return 0;
}

static void
bpf_if_shrink(struct ifnet *ifp)
{
	struct bpf_if *bi = ifp->if_bpf;

	if (bi == NULL || bi->walks != NULL || !LIST_EMPTY(&bi->listeners))
		return;
	ifp->if_bpf = NULL;
	vnet_free(bi);
}

void
bpf_detach(struct bpf_listener *l)
{
	struct ifnet *ifp = l->ifp;

	if (ifp == NULL)
		return;
	for (struct bpf_walk *w = ifp->if_bpf->walks; w != NULL; w = w->outer)
		if (w->next == l)
			w->next = LIST_NEXT(l, link);
	LIST_REMOVE(l, link);
	l->ifp = NULL;
	listeners_live--;
	bpf_if_shrink(ifp);
}

void
bpf_tap_batch(struct ifnet *ifp, const struct batch *b, enum bpf_dir dir)
{
	struct bpf_if *bi = ifp->if_bpf;
	struct bpf_walk walk = { .outer = bi->walks };
	struct bpf_listener *l;

	bi->walks = &walk;
	batch_foreach(b, m) {
		for (walk.next = LIST_FIRST(&bi->listeners); (l = walk.next) != NULL;) {
			walk.next = LIST_NEXT(l, link);
			l->tap(l, ifp, m, dir);
		}
	}
	bi->walks = walk.outer;
	bpf_if_shrink(ifp);
}

void
bpf_ifdetach(struct ifnet *ifp)
{
	struct bpf_listener *l;

	while (ifp->if_bpf != NULL && (l = LIST_FIRST(&ifp->if_bpf->listeners)) != NULL) {
		bpf_detach(l);
		if (l->gone != NULL)
			l->gone(l, ifp);
	}
}

int
bpf_dlt(const struct ifnet *ifp)
{
	enum { DLT_NULL_ = 0, DLT_EN10MB_ = 1 };

	return ifp->if_hdrlen == ETHER_HDR_LEN_ ? DLT_EN10MB_ : DLT_NULL_;
}
