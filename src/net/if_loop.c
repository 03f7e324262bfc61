/*
 * if_loop.c - loopback: what goes out comes in.
 *
 * Every stack has a lo0, down and without an address when the stack begins. What is sent leaves the
 * walk by the queue of its protocol, so that a packet to ourselves never nests in the one that
 * caused it.
 */
#include "net/bpf.h"
#include "net/if.h"
#include "net/if_clone.h"

#include "kern/module.h"
#include "kern/netisr.h"

#include <errno.h>

enum { LO_MTU = 16384 };

/* ifconfig asks for "if_lo" when it meets lo1: the answer is that it is here (behaviours 29). */
MODULE_DEFINE(if_lo, "if_lo");

DROP_DEFINE(
    DROP_LOOP_QFULL, "loop", "qfull", "the protocol's queue has no room for a looped packet");
DROP_DEFINE(DROP_LOOP_NOPROTO, "loop", "noproto", "neither IPv4 nor IPv6");

static enum netisr_proto_id
loop_proto(const struct mbuf *m)
{
	switch (m->len > 0 ? m->data[0] >> 4 : 0) {
	case 4:
		return NETISR_IP;
	case 6:
		return NETISR_IPV6;
	}
	return (enum netisr_proto_id)0;
}

void
if_loop_back(struct ifnet *ifp, struct mbuf *m)
{
	enum netisr_proto_id proto = loop_proto(m);

	ifp->if_heard = true;
	m->rcvif = ifp;
	m->nh = NULL;
	m->flags = (uint16_t)((m->flags & (M_BCAST | M_MCAST)) | M_LOOP | M_CSUM_OK);
	if (proto == 0) {
		ifp->if_data.noproto++;
		m_drop(m, &DROP_LOOP_NOPROTO);
	} else if (!netisr_queue(proto, m)) {
		ifp->if_data.iqdrops++;
		m_drop(m, &DROP_LOOP_QFULL);
	}
}

/*
 * A packet made here may say by which interface it is to come in: a link-local address of ours
 * means nothing without it, although the way to it leads through here.
 */
static void
loop_input(struct ifnet *ifp, struct batch *b)
{
	batch_foreach(b, m) {
		bool chosen = m->rcvif != NULL && !(m->flags & M_FORWARDED);

		if_loop_back(chosen ? m->rcvif : ifp, m);
	}
	b->n = 0;
}

/* There is no link header: if_output is if_transmit_batch, which has counted and tapped. */
static void
loop_transmit(struct ifnet *ifp, struct batch *b)
{
	ifp->if_data.ipackets += b->n;
	batch_foreach(b, m)
		ifp->if_data.ibytes += m->len;
	loop_input(ifp, b);
}

static int
loop_clone_create(int unit, char **params, struct ifnet **made)
{
	struct ifnet *ifp = if_alloc(IFT_LOOP_, "lo", unit);
	int error;

	(void)params;
	if (ifp == NULL)
		return -ENOMEM;
	ifp->if_mtu = LO_MTU;
	ifp->if_flags = IFF_LOOPBACK_ | IFF_MULTICAST_;
	ifp->if_capabilities = ifp->if_capenable = IFCAP_RXCSUM | IFCAP_TXCSUM;
	/* One tap on the way: what comes in is what went out, and it was seen then. */
	for (int af = 0; af < AF_SLOTS; af++)
		ifp->if_output[af] = if_transmit_batch;
	ifp->if_transmit = loop_transmit;
	ifp->if_input = loop_input;
	error = if_attach(ifp);
	if (error != 0) {
		if_free(ifp);
		return error;
	}
	*made = ifp;
	return 0;
}

static int
loop_clone_destroy(struct ifnet *ifp)
{
	struct ifnet **loif = &VNET_OF(ifp->if_home_vnet, loif);

	if_detach(ifp);
	if (*loif == ifp)
		*loif = NULL;
	if_free(ifp);
	return 0;
}

/* lo0 is the stack's own. */
IF_CLONE_DEFINE(lo, .name = "lo", .maxunit = 32767, .create = loop_clone_create,
    .destroy = loop_clone_destroy, .minunit = 1);

static void
loop_vnet_init(void *arg)
{
	(void)arg;
	if (if_clone_create_unit(&clone_of_lo, 0, NULL, &V_loif) != 0)
		vnet_alloc_fail();
}
VNET_SYSINIT(loop_vnet, SI_SUB_LINK, SI_ORDER_FIRST, loop_vnet_init, NULL);
