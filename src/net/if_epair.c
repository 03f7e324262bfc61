/*
 * if_epair.c - two Ethernet interfaces with a cable between them.
 *
 * A frame that one end sends waits in netisr's queue of the receiving stack; so a chain of stacks
 * never nests. What netisr refuses waits in the sender's own queue, and the sender stands in the
 * list of those that drain as soon as packets have left netisr. A pipe in the cable takes the
 * frames instead and calls epair_deliver.
 *
 * References (behaviours 23): each end counts one for itself, one for each packet in netisr's queue
 * that is for it, and one while it stands in the list of those that drain. A packet that netisr
 * refuses leaves the count as it was. An end goes when its own is the only one left: taking the
 * interface out of its stack takes its packets out of the queues, so the count is one then, and the
 * assertion says so.
 */
#include "net/epair.h"

#include "base/clock.h"
#include "kern/module.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "net/ethernet.h"
#include "net/if_clone.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * By this the netisr queue is longer than an interface's send queue: one burst of each of so many
 * pairs fits.
 */
enum { EPAIR_QUEUE_FACTOR = 42 };

/* Addresses 02:00:0X:HI:LO have this many numbers; each end in the process has its own. */
enum { EPAIR_NUMBERS = 1 << 20 };

struct epair_end {
	struct ifnet *ifp;
	struct epair_end *peer;
	uint32_t refs;    /* atomic: see above */
	uint32_t number;  /* of its address */
	uint32_t handled; /* packets that if_receive had, of those that are not yet drained */
	bool draining;    /* in epair_draining */
	TAILQ_ENTRY(epair_end) drain;
};

struct epair {
	struct epair_end end[2];
};

MODULE_DEFINE(if_epair, "if_epair");

static struct if_clone clone_of_epair;

/* Ends whose if_snd waits for room in netisr: those of this worker. */
static __thread TAILQ_HEAD(, epair_end) epair_draining;
static __thread bool epair_draining_made;

/* Numbers in use; the pages that nobody touches cost nothing. */
static uint64_t epair_numbers[EPAIR_NUMBERS / 64];

static struct epair_end *
end_of(struct ifnet *ifp)
{
	return ifp->if_softc;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool
number_take(uint32_t number)
{
	uint64_t bit = UINT64_C(1) << (number % 64);
	uint64_t *word = &epair_numbers[number / 64];

	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

/*
 * The interface index, as the field knows it; but indexes repeat from stack to stack, and two
 * stations of one link must not share an address: when the number is in use, the next free one.
 */
static int
number_find(uint32_t index, uint32_t *number)
{
	static uint32_t hint;

	*number = index % EPAIR_NUMBERS;
	if (number_take(*number))
		return 0;
	for (uint32_t tries = 0; tries < EPAIR_NUMBERS / 64; tries++) {
		uint32_t word = (hint + tries) % (EPAIR_NUMBERS / 64);

		if (~epair_numbers[word] != 0) {
			hint = word;
			*number = word * 64 + (uint32_t)__builtin_ctzll(~epair_numbers[word]);
			number_take(*number);
			return 0;
		}
	}
	return -ENOSPC;
}

static void
number_release(uint32_t number)
{
	epair_numbers[number / 64] &= ~(UINT64_C(1) << (number % 64));
}

/* --- the cable -------------------------------------------------------------------------------- */

static void
end_ref(struct epair_end *end)
{
	__atomic_fetch_add(&end->refs, 1, __ATOMIC_RELAXED);
}

static void
end_rele(struct epair_end *end, uint32_t n)
{
	uint32_t left = __atomic_sub_fetch(&end->refs, n, __ATOMIC_ACQ_REL);

	/* Never below the end's own: the count is unsigned, so look at it as if it were not. */
	assert((int32_t)left >= 1);
	(void)left;
}

/*
 * Into netisr's queue for the peer; false, with m not taken and the count as before, when it is
 * full.
 */
static bool
epair_queue(struct epair_end *to, struct mbuf *m)
{
	m->rcvif = to->ifp;
	to->ifp->if_heard = true;
	end_ref(to);
	if (netisr_queue(NETISR_EPAIR, m))
		return true;
	end_rele(to, 1);
	m->rcvif = NULL;
	return false;
}

/* Back to where it was. */
static void
mbufq_unpop(struct mbufq *q, struct mbuf *m)
{
	m->next = q->head;
	if (q->head == NULL)
		q->tail = &m->next;
	q->head = m;
	q->len++;
	q->bytes += m->len;
}

static void
epair_wait(struct epair_end *from, struct mbuf *m)
{
	struct ifnet *ifp = from->ifp;

	if (ifp->if_snd.len >= ifp->if_snd_maxlen) {
		ifp->if_snd_drops++;
		ifp->if_data.oqdrops++;
		m_drop(m, &DROP_IF_SNDQ);
		return;
	}
	mbufq_push(&ifp->if_snd, m);
	if (from->draining)
		return;
	if (!epair_draining_made) {
		TAILQ_INIT(&epair_draining);
		epair_draining_made = true;
	}
	ifp->if_flags |= IFF_OACTIVE_;
	from->draining = true;
	end_ref(from);
	TAILQ_INSERT_TAIL(&epair_draining, from, drain);
}

static void
epair_drained_all(struct epair_end *from)
{
	if (!from->draining)
		return;
	TAILQ_REMOVE(&epair_draining, from, drain);
	from->draining = false;
	from->ifp->if_flags &= ~(uint32_t)IFF_OACTIVE_;
	end_rele(from, 1);
}

/* The peer is on its way out of its stack: nothing may be queued for it any more. */
static bool
epair_unplugged(const struct epair_end *from)
{
	return from->peer->ifp->if_purged;
}

/* Frames of one end go behind what waits already. */
static void
epair_transmit(struct ifnet *ifp, struct batch *b)
{
	struct epair_end *from = end_of(ifp);
	bool unplugged = epair_unplugged(from);

	batch_foreach(b, m) {
		if (unplugged)
			m_drop(m, &DROP_IF_GONE);
		else if (ifp->if_snd.len != 0 || !epair_queue(from->peer, m))
			epair_wait(from, m);
	}
	b->n = 0;
}

/* What waits in an end goes on as far as netisr takes it; true when nothing waits any more. */
static bool
epair_send_on(struct epair_end *from)
{
	struct mbufq *q = &from->ifp->if_snd;
	struct mbuf *m;

	while ((m = mbufq_pop(q)) != NULL) {
		if (epair_unplugged(from)) {
			m_drop(m, &DROP_IF_GONE);
		} else if (!epair_queue(from->peer, m)) {
			mbufq_unpop(q, m);
			return false;
		}
	}
	return true;
}

/* netisr has room: the ends that wait take turns in the order in which they began to wait. */
static void
epair_drain(void)
{
	struct epair_end *from;

	while (epair_draining_made && (from = TAILQ_FIRST(&epair_draining)) != NULL) {
		if (!epair_send_on(from))
			return;
		epair_drained_all(from);
	}
}

static void
epair_input(struct batch *b)
{
	struct ifnet *ifp = b->m[0]->rcvif;

	end_of(ifp)->handled += b->n;
	if_receive(ifp, b);
}

static void
epair_drained(struct ifnet *rcvif, uint32_t n)
{
	struct epair_end *to = end_of(rcvif);

	/*
	 * What left the queue without having been handled was thrown out of it: the interface
	 * leaves.
	 */
	if (to->handled < n)
		drop_count(&DROP_IF_GONE, n - to->handled);
	to->handled -= to->handled < n ? to->handled : n;
	end_rele(to, n);
	epair_drain();
}

static struct netisr_handler epair_netisr = {
	.name = "epair",
	.proto = NETISR_EPAIR,
	.policy = NETISR_POLICY_SOURCE,
	.handler = epair_input,
	.drained = epair_drained,
};

void
epair_deliver(struct ifnet *from, struct batch *b)
{
	if_receive(end_of(from)->peer->ifp, b);
}

struct ifnet *
epair_peer(struct ifnet *ifp)
{
	return ifp->if_transmit == epair_transmit ? end_of(ifp)->peer->ifp : NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

/* An end that comes up is the other's carrier. */
static void
epair_set_flags(struct ifnet *ifp)
{
	struct ifnet *peer = epair_peer(ifp);
	bool up = ifp->if_flags & IFF_UP_;

	ifp->if_flags = up ? ifp->if_flags | IFF_RUNNING_ : ifp->if_flags & ~(uint32_t)IFF_RUNNING_;
	if_link_state_change(peer, up ? LINK_STATE_UP : LINK_STATE_DOWN);
}

static struct ifnet *
epair_end_alloc(struct epair_end *end, struct epair_end *peer, int unit, char letter)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "epair", unit);

	if (ifp == NULL)
		return NULL;
	snprintf(ifp->if_xname, sizeof(ifp->if_xname), "epair%d%c", unit, letter);
	ifp->if_softc = end;
	ifp->if_transmit = epair_transmit;
	ifp->if_set_flags = epair_set_flags;
	ifp->if_capabilities = ifp->if_capenable = IFCAP_VLAN_MTU | IFCAP_LINKSTATE;
	ifp->if_link_state = LINK_STATE_DOWN;
	ifp->if_baudrate_bps = UINT64_C(10000000000);
	end->ifp = ifp;
	end->peer = peer;
	end->refs = 1;
	return ifp;
}

static int
epair_end_attach(struct epair_end *end, char letter)
{
	uint8_t lladdr[6] = { 0x02, 0, 0, 0, 0, (uint8_t)(letter - 'a' + 0x0a) };
	int error = number_find(if_next_index(), &end->number);

	if (error != 0)
		return error;
	lladdr[2] = (uint8_t)(end->number >> 16);
	lladdr[3] = (uint8_t)(end->number >> 8);
	lladdr[4] = (uint8_t)end->number;
	error = ether_attach(end->ifp, lladdr);
	if (error != 0)
		number_release(end->number);
	return error;
}

static void
epair_end_detach(struct epair_end *end)
{
	ether_detach(end->ifp);
	/* Its send queue went with the stack. */
	epair_drained_all(end);
	number_release(end->number);
}

static void
epair_free(struct epair *pair)
{
	for (int i = 0; i < 2; i++) {
		assert(pair->end[i].refs <= 1);
		if (pair->end[i].ifp != NULL)
			if_free(pair->end[i].ifp);
	}
	vnet_free(pair);
}

static int
epair_clone_create(int unit, char **params, struct ifnet **made)
{
	struct epair *pair = vnet_malloc(sizeof(*pair));
	struct epair_end *a, *b;
	int error;

	(void)params;
	if (pair == NULL)
		return -ENOMEM;
	a = &pair->end[0];
	b = &pair->end[1];
	if (epair_end_alloc(a, b, unit, 'a') == NULL || epair_end_alloc(b, a, unit, 'b') == NULL) {
		epair_free(pair);
		return -ENOMEM;
	}
	error = epair_end_attach(a, 'a');
	if (error == 0) {
		error = epair_end_attach(b, 'b');
		if (error != 0)
			epair_end_detach(a);
	}
	if (error != 0) {
		epair_free(pair);
		return error;
	}
	/* Either end stands for both. */
	b->ifp->if_clone_lead = a->ifp;
	b->ifp->if_cloner = &clone_of_epair;
	*made = a->ifp;
	return 0;
}

/* Both ends go, whichever was named, wherever they live. */
static int
epair_clone_destroy(struct ifnet *ifp)
{
	struct epair_end *end = end_of(ifp);
	struct epair *pair = (struct epair *)(void *)(end < end->peer ? end : end->peer);

	/*
	 * Neither sends from here on: the first to go takes the packets that the other has queued
	 * for it.
	 */
	if_down(pair->end[0].ifp);
	if_down(pair->end[1].ifp);
	epair_end_detach(&pair->end[1]);
	epair_end_detach(&pair->end[0]);
	epair_free(pair);
	return 0;
}

static bool
epair_unit_name(int unit, int i, char name[IFNAMSIZ_])
{
	snprintf(name, IFNAMSIZ_, "epair%d%c", unit, 'a' + i);
	return i < 2;
}

/* Unit numbers that leave room for the letter in a name. */
IF_CLONE_DEFINE(epair, .name = "epair", .maxunit = 99999999, .create = epair_clone_create,
    .destroy = epair_clone_destroy, .unit_name = epair_unit_name);

int
epair_create(struct ifnet **a, struct ifnet **b)
{
	int error = if_clone_create_unit(&clone_of_epair, -1, NULL, a);

	if (error == 0)
		*b = epair_peer(*a);
	return error;
}

/* --- its place in netisr ------------------------------------------------- */

static void
epair_vnet_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	epair_netisr.qlimit = EPAIR_QUEUE_FACTOR * if_qmaxlen;
	netisr_register(&epair_netisr);
}
VNET_SYSINIT(epair_vnet, SI_SUB_LINK, SI_ORDER_ANY, epair_vnet_init, NULL);

static void
epair_vnet_uninit(void *arg)
{
	(void)arg;
	if (curvnet == vnet0)
		netisr_unregister(&epair_netisr);
}
VNET_SYSUNINIT(epair_vnet, SI_SUB_NET, SI_ORDER_ANY, epair_vnet_uninit, NULL);

static int
epair_maxqlen_sysctl(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	uint64_t n;

	(void)oid;
	if (req->set == NULL) {
		snprintf(req->text, req->text_len, "%u", netisr_qlimit(NETISR_EPAIR));
		return 0;
	}
	if (!verb_number(req->set, 1, UINT32_MAX, &n))
		return -EINVAL;
	return netisr_set_qlimit(NETISR_EPAIR, (uint32_t)n);
}
SYSCTL_PROC(epair_maxqlen, "net.link.epair.netisr_maxqlen", SYSCTL_RW, SYSCTL_T_UINT,
    epair_maxqlen_sysctl, "packets of epairs in netisr's queue");
