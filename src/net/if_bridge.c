/*
 * if_bridge.c - the life of a bridge: it is made, members come and go, it ends.
 *
 * A member stays an interface of its stack, with its addresses; it hears everything on its link
 * (promiscuous), and what it hears is the bridge's (ether_input). It belongs to one bridge at most,
 * and leaves it with its stack: departures are listened to, its own and the bridge's.
 *
 * MTU (behaviours 36): the first member gives the bridge its own, later ones must have the same.
 *
 * Link: a bridge has link while a member has. A member that loses its link is no way to anybody:
 * what was learned behind it is forgotten.
 *
 * Address: of chance, or, with net.link.bridge.inherit_mac, that of the first member, whom it
 * follows when that changes (behaviours 38).
 */
#include "net/if_bridge_internal.h"

#include "base/log.h"
#include "base/rng.h"
#include "kern/eventhandler.h"
#include "kern/module.h"
#include "net/if_clone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { BRIDGE_MTU_MIN = 576, BRIDGE_MTU_MAX = 65535 };

MODULE_DEFINE(if_bridge, "if_bridge");

static uint64_t ports_live; /* written by the upper half only; freed behind the readers */
AUDIT_COUNTER(bridge_port, "bridge_port", ports_live);

bool
bridge_is(const struct ifnet *ifp)
{
	return ifp->if_transmit == bridge_transmit;
}

struct bridge_port *
bridge_port_find(const struct bridge *sc, const struct ifnet *ifp)
{
	struct bridge_port *port = ifp->if_bridge;

	return port != NULL && port->bridge == sc ? port : NULL;
}

/* --- what follows from the members ------------------------------------------------------------ */

static void
link_follow(struct bridge *sc)
{
	enum link_state state = LINK_STATE_DOWN;
	const struct bridge_port *port;

	TAILQ_FOREACH(port, &sc->members, link)
		if (if_is_usable(port->ifp))
			state = LINK_STATE_UP;
	if_link_state_change(sc->ifp, state);
}

/*
 * The bridge's own address: a member's if it shall inherit one, else the one that it was made with.
 */
static void
lladdr_follow(struct bridge *sc)
{
	struct bridge_port *first = TAILQ_FIRST(&sc->members);
	const bool was_lent = sc->lender != NULL;

	sc->lender = VNET_OF(sc->ifp->if_vnet, bridge_inherit_mac) || was_lent ? first : NULL;
	if (sc->lender != NULL)
		(void)if_set_lladdr(sc->ifp, sc->lender->ifp->if_lladdr);
	else if (was_lent)
		(void)if_set_lladdr(sc->ifp, sc->own_lladdr);
	bridge_table_set_own(&sc->table, sc->ifp, &sc->members);
}

/* --- members ---------------------------------------------------------------------------------- */

static void
port_free_late(struct rcu_head *h)
{
	struct bridge_port *port = (struct bridge_port *)(void *)((uint8_t *)h -
	    offsetof(struct bridge_port, rcu));

	if_rele(port->ifp);
	vnet_free(port);
	ports_live--;
}

/* Not linked yet; NULL without memory. */
static struct bridge_port *
port_new(struct bridge *sc, struct ifnet *ifp, uint32_t flags)
{
	struct bridge_port *port = vnet_malloc(sizeof(*port));

	if (port == NULL)
		return NULL;
	port->ifp = if_ref(ifp);
	port->bridge = sc;
	port->flags = flags;
	ports_live++;
	return port;
}

/* 0, or why not. */
static int
may_join(const struct bridge *sc, const struct ifnet *ifp)
{
	if (!if_is_ethernet(ifp) || bridge_is(ifp))
		return -EINVAL;
	if (ifp->if_bridge != NULL)
		return ifp->if_bridge->bridge == sc ? -EEXIST : -EBUSY;
	return 0;
}

int
bridge_member_add(struct ifnet *bridge, struct ifnet *ifp)
{
	struct bridge *sc = bridge_of(bridge);
	struct bridge_port *port;
	int error = may_join(sc, ifp);

	if (error != 0)
		return error;
	if (sc->nmembers > 0 && ifp->if_mtu != bridge->if_mtu) {
		log_msg(LOG_LVL_ERR, "%s: invalid MTU: %u (%s) != %u", bridge->if_xname,
		    ifp->if_mtu, ifp->if_xname, bridge->if_mtu);
		return -EINVAL;
	}
	if ((error = bridge_table_reserve(&sc->table, sc->table.max, sc->nmembers + 2)) != 0)
		return error;
	port = port_new(sc, ifp, BRIDGE_LEARNING | BRIDGE_DISCOVER);
	if (port == NULL)
		return -ENOMEM;
	(void)if_set_promisc(ifp, true);
	if (sc->nmembers++ == 0)
		bridge->if_mtu = ifp->if_mtu;
	TAILQ_INSERT_TAIL(&sc->members, port, link);
	ifp->if_bridge = port;
	lladdr_follow(sc);
	link_follow(sc);
	return 0;
}

int
bridge_span_add(struct ifnet *bridge, struct ifnet *ifp)
{
	struct bridge *sc = bridge_of(bridge);
	int error = may_join(sc, ifp);
	struct bridge_port *port;

	if (error != 0)
		return error;
	if ((port = port_new(sc, ifp, BRIDGE_SPAN)) == NULL)
		return -ENOMEM;
	TAILQ_INSERT_TAIL(&sc->spans, port, link);
	ifp->if_bridge = port;
	return 0;
}

void
bridge_port_remove(struct bridge_port *port)
{
	struct bridge *sc = port->bridge;

	port->ifp->if_bridge = NULL;
	if (port->flags & BRIDGE_SPAN) {
		TAILQ_REMOVE(&sc->spans, port, link);
	} else {
		TAILQ_REMOVE(&sc->members, port, link);
		sc->nmembers--;
		(void)if_set_promisc(port->ifp, false);
		bridge_table_flush(&sc->table, port, BRIDGE_FLUSH_ALL);
		lladdr_follow(sc);
		link_follow(sc);
	}
	rcu_call(&port->rcu, port_free_late);
}

void
bridge_empty(struct bridge *sc)
{
	struct bridge_port *port;

	while (
	    (port = TAILQ_FIRST(&sc->members)) != NULL || (port = TAILQ_FIRST(&sc->spans)) != NULL)
		bridge_port_remove(port);
}

/* --- what happens to interfaces --------------------------------------------------------------- */

static void
on_departure(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;

	(void)ctx, (void)arg2;
	if (ifp->if_flags & IFF_RENAMING_)
		return;
	if (bridge_is(ifp))
		bridge_empty(bridge_of(ifp));
	else if (ifp->if_bridge != NULL)
		bridge_port_remove(ifp->if_bridge);
}

static void
on_link(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;
	struct bridge_port *port = ifp->if_bridge;

	(void)ctx, (void)arg2;
	if (port == NULL || (port->flags & BRIDGE_SPAN))
		return;
	if (!if_is_usable(ifp))
		bridge_table_flush(&port->bridge->table, port, BRIDGE_FLUSH_LEARNED);
	link_follow(port->bridge);
}

/* Of a member or of the bridge: if_set_lladdr of what has the address already raises no event. */
static void
on_lladdr(void *ctx, void *arg1, void *arg2)
{
	struct ifnet *ifp = arg1;

	(void)ctx, (void)arg2;
	if (bridge_is(ifp))
		bridge_table_set_own(&bridge_of(ifp)->table, ifp, &bridge_of(ifp)->members);
	else if (ifp->if_bridge != NULL && !(ifp->if_bridge->flags & BRIDGE_SPAN))
		lladdr_follow(ifp->if_bridge->bridge);
}

static struct event_tag *departure_tag, *link_tag, *lladdr_tag;

static void
bridge_vnet_init(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	event_register(
	    &departure_tag, "ifnet_departure", EVENT_HERE, on_departure, NULL, EVENT_PRI_ANY);
	event_register(&link_tag, "iflink_event", EVENT_HERE, on_link, NULL, EVENT_PRI_ANY);
	event_register(&lladdr_tag, "iflladdr_event", EVENT_HERE, on_lladdr, NULL, EVENT_PRI_ANY);
}
VNET_SYSINIT(bridge_vnet, SI_SUB_NET, SI_ORDER_SECOND, bridge_vnet_init, NULL);

static void
bridge_vnet_uninit(void *arg)
{
	(void)arg;
	if (curvnet != vnet0)
		return;
	event_deregister(&departure_tag);
	event_deregister(&link_tag);
	event_deregister(&lladdr_tag);
}
VNET_SYSUNINIT(bridge_vnet, SI_SUB_NET, SI_ORDER_SECOND, bridge_vnet_uninit, NULL);

/* --- the interface ---------------------------------------------------------------------------- */

static int
bridge_set_mtu(struct ifnet *ifp, uint32_t mtu)
{
	const struct bridge_port *port;

	if (mtu < BRIDGE_MTU_MIN || mtu > BRIDGE_MTU_MAX)
		return -EINVAL;
	TAILQ_FOREACH(port, &bridge_of(ifp)->members, link) {
		if (port->ifp->if_mtu == mtu)
			continue;
		log_msg(LOG_LVL_ERR, "%s: invalid MTU: %u (%s) != %u", ifp->if_xname,
		    port->ifp->if_mtu, port->ifp->if_xname, mtu);
		return -EINVAL;
	}
	ifp->if_mtu = mtu;
	return 0;
}

/*
 * 02: and chance. The seed's, so that a run can be repeated; live the machine's: two processes may
 * stand on one link.
 */
static void
own_lladdr_make(uint8_t lladdr[6], const char *name)
{
	uint64_t seed = rng_process_seed, chance;
	struct rng rng;

	if (curworker->mode == CLOCK_LIVE)
		(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	rng_seed(&rng, seed, name);
	chance = rng_u64(&rng);
	lladdr[0] = 0x02;
	memcpy(lladdr + 1, &chance, 5);
}

static void
bridge_free(struct bridge *sc)
{
	bridge_table_free(&sc->table);
	if (sc->ifp != NULL)
		if_free(sc->ifp);
	vnet_free(sc);
}

static struct ifnet *
bridge_ifnet(struct bridge *sc, int unit)
{
	struct ifnet *ifp = if_alloc(IFT_BRIDGE_, "bridge", unit);

	if (ifp == NULL)
		return NULL;
	ifp->if_softc = sc;
	ifp->if_transmit = bridge_transmit;
	ifp->if_set_mtu = bridge_set_mtu;
	ifp->if_status = bridge_status;
	ifp->if_capabilities = ifp->if_capenable = IFCAP_LINKSTATE;
	ifp->if_link_state = LINK_STATE_DOWN;
	return ifp;
}

static int
bridge_clone_create(int unit, char **params, struct ifnet **made)
{
	struct bridge *sc = vnet_malloc(sizeof(*sc));
	char name[64];
	int error;

	(void)params;
	if (sc == NULL)
		return -ENOMEM;
	TAILQ_INIT(&sc->members);
	TAILQ_INIT(&sc->spans);
	snprintf(name, sizeof(name), "stack %u bridge %d", curvnet->id, unit);
	own_lladdr_make(sc->own_lladdr, name);
	if (bridge_table_init(&sc->table, name) != 0 ||
	    (sc->ifp = bridge_ifnet(sc, unit)) == NULL) {
		bridge_free(sc);
		return -ENOMEM;
	}
	error = ether_attach(sc->ifp, sc->own_lladdr);
	if (error != 0) {
		bridge_free(sc);
		return error;
	}
	bridge_table_set_own(&sc->table, sc->ifp, &sc->members);
	*made = sc->ifp;
	return 0;
}

static int
bridge_clone_destroy(struct ifnet *ifp)
{
	struct bridge *sc = bridge_of(ifp);

	ether_detach(ifp); /* its departure empties it */
	bridge_free(sc);
	return 0;
}

IF_CLONE_DEFINE(bridge, .name = "bridge", .maxunit = 0x7fff, .create = bridge_clone_create,
    .destroy = bridge_clone_destroy);
