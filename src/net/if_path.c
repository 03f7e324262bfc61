/*
 * if_path.c - the one way of every packet into and out of an interface.
 *
 * Cost is per batch: one test for "up", one for taps, one for a filter on the link, one pass that
 * adds up the bytes (and, on the way in, marks the packet as this interface's and fetches its
 * headers).
 */
#include "net/bpf.h"
#include "net/if.h"
#include "net/if_bridge.h"
#include "net/pfil.h"

DROP_DEFINE(DROP_IF_DOWN, "if", "down", "interface is not up and running");
DROP_DEFINE(DROP_IF_SNDQ, "if", "sndq", "interface's send queue is full");
DROP_DEFINE(DROP_IF_GONE, "if", "gone", "interface left while the packet waited");

static inline bool
if_is_running(const struct ifnet *ifp)
{
	return (ifp->if_flags & (IFF_UP_ | IFF_RUNNING_)) == (IFF_UP_ | IFF_RUNNING_);
}

static void
if_drop_down(struct batch *b)
{
	batch_foreach(b, m)
		m_drop(m, &DROP_IF_DOWN);
	b->n = 0;
}

/* May it send? Else the batch is gone. */
static inline bool
if_may_send(struct ifnet *ifp, struct batch *b)
{
	if (__builtin_expect(if_is_running(ifp), 1))
		return true;
	ifp->if_data.oerrors += b->n;
	if_drop_down(b);
	return false;
}

/* Count, show and send a batch that may go. */
static inline void
if_send(struct ifnet *ifp, struct batch *b, uint32_t bytes)
{
	ifp->if_data.opackets += b->n;
	ifp->if_data.obytes += bytes;
	if (__builtin_expect(ifp->if_bpf != NULL, 0))
		bpf_tap_batch(ifp, b, BPF_OUT);
	if (ifp->if_shaper != NULL)
		ifp->if_shaper(ifp, b, ifp->if_shaper_ctx);
	else
		ifp->if_transmit(ifp, b);
}

/* The interface's own frames, whoever made them. Takes the batch, which is not empty. */
static void
if_send_frames(struct ifnet *ifp, struct batch *b)
{
	uint32_t bytes = 0, mcasts = 0;

	batch_foreach(b, m) {
		bytes += m->len;
		mcasts += (m->flags & (M_BCAST | M_MCAST)) != 0;
	}
	ifp->if_data.omcasts += mcasts;
	if_send(ifp, b, bytes);
}

/*
 * Out, behind the filter on the link; a member of a bridge leaves it to that by which member.
 * Takes the batch, which is not empty.
 */
static void
if_transmit_passed(struct ifnet *ifp, struct batch *b)
{
	if (ifp->if_bridge == NULL || !bridge_output(ifp->if_bridge, b))
		if_send_frames(ifp, b);
}

void
if_transmit_batch(struct ifnet *ifp, struct batch *b)
{
	if (b->n == 0 || !if_may_send(ifp, b))
		return;
	if (ifp->if_addrlen != 0) {
		pfil_run(PFIL_LINK, b, ifp, PFIL_OUT);
		if (b->n == 0)
			return;
	}
	if_transmit_passed(ifp, b);
}

void
if_transmit_unicast(struct ifnet *ifp, struct batch *b, uint32_t bytes)
{
	const bool plain = b->n > 0 && if_is_running(ifp) && ifp->if_bridge == NULL &&
	    pfil_is_empty(PFIL_LINK, PFIL_OUT);

	if (__builtin_expect(plain, 1))
		if_send(ifp, b, bytes);
	else
		if_transmit_batch(ifp, b);
}

void
if_transmit_frames(struct ifnet *ifp, struct batch *b)
{
	if (if_may_send(ifp, b))
		if_send_frames(ifp, b);
}

/* Frames that a filter had kept meanwhile. */
static void
if_transmit_late(struct ifnet *ifp, struct batch *b)
{
	if (if_may_send(ifp, b))
		if_transmit_passed(ifp, b);
}

static void
if_path_init(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		pfil_way_set(PFIL_LINK, PFIL_OUT, if_transmit_late);
}
VNET_SYSINIT(if_path, SI_SUB_NET, SI_ORDER_ANY, if_path_init, NULL);

void
if_receive(struct ifnet *ifp, struct batch *b)
{
	struct if_counters *c = &ifp->if_data;
	const uint8_t fib = ifp->if_fib;
	uint32_t bytes = 0;

	if (b->n == 0)
		return;
	VNET_SCOPE(ifp->if_vnet);
	/*
	 * What a packet was to the stack that sent it ends here. The headers are fetched while this
	 * pass goes on over the rest: they are there when if_input begins. Two lines, since a
	 * header that was prepended ends one line before what it was prepended to.
	 */
	batch_foreach(b, m) {
		__builtin_prefetch(m->data);
		__builtin_prefetch(m->data + 32);
		bytes += m->len;
		m->rcvif = ifp;
		m->fib = fib;
		m->flags &= M_CSUM_OK;
		m->flowid = 0;
		m->nh = NULL;
	}
	if (__builtin_expect(!if_is_running(ifp), 0)) {
		c->ierrors += b->n;
		if_drop_down(b);
		return;
	}
	ifp->if_heard = true;
	c->ipackets += b->n;
	c->ibytes += bytes;
	if (__builtin_expect(ifp->if_bpf != NULL, 0))
		bpf_tap_batch(ifp, b, BPF_IN);
	ifp->if_input(ifp, b);
}
