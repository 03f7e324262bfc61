/*
 * bpf.h - taps: whoever wants to see what passes an interface.
 *
 * Called for received frames before the stack and for sent frames before the driver. The listener
 * borrows the packet. Filters are the listener's (libpcap in port/; our own machine comes later).
 */
#ifndef WARREN_NET_BPF_H
#define WARREN_NET_BPF_H

#include "net/if.h"

enum bpf_dir { BPF_IN, BPF_OUT };

struct bpf_listener {
	/* time of the packet is m->when_ns; curvnet is the interface's stack */
	void (*tap)(
	    struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir);
	/* the interface leaves (for good, or to another stack): the listener is detached already */
	void (*gone)(struct bpf_listener *l, struct ifnet *ifp);
	LIST_ENTRY(bpf_listener) link;
	struct ifnet *ifp;
};

int bpf_attach(struct bpf_listener *l, struct ifnet *ifp);
void bpf_detach(struct bpf_listener *l);
void bpf_tap_batch(struct ifnet *ifp, const struct batch *b, enum bpf_dir dir);

/* The interface leaves its stack: all listeners are detached, then told. */
void bpf_ifdetach(struct ifnet *ifp);

/*
 * Data link type of an interface: DLT_EN10MB (1) or DLT_NULL (0) for loopback (4 bytes of family
 * before the packet).
 */
int bpf_dlt(const struct ifnet *ifp);

#endif
