/*
 * dn_if.c - a pipe in an interface's way out, without a firewall: `ifconfig X pipe N`.
 *
 *	if_shaper -> dn_input ... deliver -> the driver
 *
 * The frames meet flowset `pipe N` of the interface's stack, which may be configured later: until then
 * they are dropped. Who leaves the stack leaves its pipe; its frames that are inside are dropped.
 */
#include "dummynet/dn.h"
#include "kern/eventhandler.h"
#include "net/ethernet.h"

#include <inttypes.h>

struct dn_if {
	struct dn_door door; /* ctx is this */
	struct ifnet *ifp;
	uint32_t number;
};

static uint64_t doors_live; /* atomic */
AUDIT_COUNTER(dn_if, "dummynet interface", doors_live);
static struct event_tag *departure_tag;

/* --- the frames' way -------------------------------------------------------------------------- */

static void
if_into_pipe(struct ifnet *ifp, struct batch *b, void *ctx)
{
	const struct dn_if *d = ctx;

	batch_foreach(b, m)
		if (!dn_input(m, d->number, false, &d->door))
			ifp->if_data.oqdrops++;
	b->n = 0;
}

static void
out_of_pipe(const struct dn_door *door, struct batch *b)
{
	struct ifnet *ifp = ((const struct dn_if *)door->ctx)->ifp;

	if ((ifp->if_flags & (IFF_UP_ | IFF_RUNNING_)) == (IFF_UP_ | IFF_RUNNING_)) {
		ifp->if_transmit(ifp, b);
		return;
	}
	ifp->if_data.oerrors += b->n;
	batch_foreach(b, m)
		m_drop(m, &DROP_IF_DOWN);
	b->n = 0;
}

/* --- coming and going ------------------------------------------------------------------------- */

static struct dn_if *
dn_if_of(const struct ifnet *ifp)
{
	return ifp->if_shaper == if_into_pipe ? ifp->if_shaper_ctx : NULL;
}

static void
dn_if_detach(struct ifnet *ifp, struct dn_if *d)
{
	ifp->if_shaper = NULL;
	ifp->if_shaper_ctx = NULL;
	dn_door_close(&d->door);
	vnet_free(d);
	__atomic_fetch_sub(&doors_live, 1, __ATOMIC_RELAXED);
}

static struct dn_if *
dn_if_attach(struct ifnet *ifp)
{
	struct dn_if *d = vnet_malloc(sizeof(*d));

	if (d == NULL)
		return NULL;
	d->ifp = ifp;
	d->door = (struct dn_door){ .name = "ifconfig",
		.deliver = out_of_pipe,
		.frame = ifp->if_hdrlen == ETHER_HDR_LEN_,
		.ctx = d };
	ifp->if_shaper_ctx = d;
	ifp->if_shaper = if_into_pipe;
	__atomic_fetch_add(&doors_live, 1, __ATOMIC_RELAXED);
	return d;
}

static void
if_departs(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct dn_if *d = dn_if_of(ifp);

	(void)ctx, (void)arg2;
	if (d != NULL && !(ifp->if_flags & IFF_RENAMING_))
		dn_if_detach(ifp, d);
}

static void
dn_if_init(void *arg)
{
	(void)arg;
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, if_departs, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(dn_if, SI_SUB_NET, SI_ORDER_ANY, dn_if_init, NULL);

/* --- words ------------------------------------------------------------------------------------ */

static int
word_pipe(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct dn_if *d = dn_if_of(ifp);
	uint64_t number;

	if (!verb_number(args[0], 1, DN_NUMBER_MAX, &number))
		return verb_error(
		    v, 1, "%s: pipe %s: not a number of 1 to 65535", ifp->if_xname, args[0]);
	if (d == NULL && ifp->if_shaper != NULL)
		return verb_error(v, 1,
		    "%s: pipe: there is a link in its way already, say '-link' first",
		    ifp->if_xname);
	if (d == NULL && (d = dn_if_attach(ifp)) == NULL)
		return verb_error(v, 1, "%s: pipe: Cannot allocate memory", ifp->if_xname);
	d->number = (uint32_t)number;
	return 0;
}

static int
word_no_pipe(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct dn_if *d = dn_if_of(ifp);

	(void)args;
	if (d == NULL)
		return verb_error(v, 1, "%s: -pipe: there is no pipe", ifp->if_xname);
	dn_if_detach(ifp, d);
	return 0;
}
IFCONFIG_WORD_DEFINE(dn_pipe, "pipe", 1, word_pipe);
IFCONFIG_WORD_DEFINE(dn_no_pipe, "-pipe", 0, word_no_pipe);

static void
status(struct ifnet *ifp, struct emitter *e)
{
	const struct dn_if *d = dn_if_of(ifp);

	if (d == NULL)
		return;
	emit_uint(e, "pipe", "\tpipe: %" PRIu64 "\n", d->number);
}
IFCONFIG_STATUS_DEFINE(dn_pipe, "pipe", status);
