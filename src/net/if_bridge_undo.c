/*
 * if_bridge_undo.c - what a command has changed about a bridge, when a later word of it fails:
 * members and their flags, limits, and what was set by hand are as before. What was learned is
 * learned again.
 */
#include "net/if_bridge_internal.h"
#include "net/ifconfig.h"

#include <stdlib.h>

struct saved_port {
	struct ifnet *ifp; /* referenced */
	uint32_t flags, addrs_max;
};

struct saved_bridge {
	uint32_t max, timeout_s;
	uint32_t nports, nstations;
	struct saved_port *port;      /* in order, members first */
	struct bridge_entry *station; /* set by hand */
	uint32_t *station_port;       /* of each, its place in `port` */
};

static void
bridge_forget(void *arg)
{
	struct saved_bridge *s = arg;

	for (uint32_t i = 0; i < s->nports; i++)
		if_rele(s->port[i].ifp);
	free(s->port);
	free(s->station);
	free(s->station_port);
	free(s);
}

static void
save_ports(struct saved_bridge *s, const struct bridge_porthead *head)
{
	const struct bridge_port *port;

	TAILQ_FOREACH(port, head, link)
		s->port[s->nports++] = (struct saved_port){ if_ref(port->ifp), port->flags,
			port->addrs_max };
}

/* Those set by hand stay in the list; by which port each is. */
static void
save_stations(struct saved_bridge *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct bridge_entry en = s->station[i];

		if (!(en.flags & BRIDGE_STATIC))
			continue;
		for (uint32_t k = 0; k < s->nports; k++)
			if (s->port[k].ifp == en.port->ifp)
				s->station_port[s->nstations] = k;
		s->station[s->nstations++] = en;
	}
}

static void *
bridge_save(const struct ifnet *ifp)
{
	const struct bridge *sc = bridge_of(ifp);
	const struct bridge_port *span;
	struct saved_bridge *s;
	uint32_t n, nports;

	if (!bridge_is(ifp) || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	nports = sc->nmembers;
	TAILQ_FOREACH(span, &sc->spans, link)
		nports++;
	s->max = sc->table.max;
	s->timeout_s = sc->table.timeout_s;
	s->station = bridge_table_list(&sc->table, &n);
	s->port = calloc(nports + 1, sizeof(*s->port));
	s->station_port = calloc(n + 1, sizeof(*s->station_port));
	if (s->port == NULL || s->station_port == NULL) {
		bridge_forget(s);
		return NULL;
	}
	save_ports(s, &sc->members);
	save_ports(s, &sc->spans);
	save_stations(s, n);
	return s;
}

static bool
was_port(const struct saved_bridge *s, const struct bridge_port *port)
{
	for (uint32_t i = 0; i < s->nports; i++)
		if (s->port[i].ifp == port->ifp)
			return (s->port[i].flags & BRIDGE_SPAN) == (port->flags & BRIDGE_SPAN);
	return false;
}

static void
remove_new(const struct saved_bridge *s, struct bridge_porthead *head)
{
	struct bridge_port *port, *next;

	for (port = TAILQ_FIRST(head); port != NULL; port = next) {
		next = TAILQ_NEXT(port, link);
		if (!was_port(s, port))
			bridge_port_remove(port);
	}
}

static void
restore_port(const struct saved_port *was, struct ifnet *bridge)
{
	struct bridge_port *port = bridge_port_find(bridge_of(bridge), was->ifp);

	if (port == NULL && was->ifp->if_vnet == bridge->if_vnet)
		(void)(was->flags & BRIDGE_SPAN ? bridge_span_add(bridge, was->ifp) :
						  bridge_member_add(bridge, was->ifp));
	port = bridge_port_find(bridge_of(bridge), was->ifp);
	if (port == NULL)
		return;
	port->flags = was->flags;
	port->addrs_max = was->addrs_max;
}

static void
bridge_restore(struct ifnet *ifp, const void *saved)
{
	const struct saved_bridge *s = saved;
	struct bridge *sc = bridge_of(ifp);

	remove_new(s, &sc->members);
	remove_new(s, &sc->spans);
	for (uint32_t i = 0; i < s->nports; i++)
		restore_port(&s->port[i], ifp);
	(void)bridge_table_set_max(&sc->table, s->max);
	sc->table.timeout_s = s->timeout_s;
	bridge_table_flush(&sc->table, NULL, BRIDGE_FLUSH_STATIC);
	for (uint32_t i = 0; i < s->nstations; i++) {
		struct bridge_port *port = bridge_port_find(sc, s->port[s->station_port[i]].ifp);

		if (port != NULL)
			(void)bridge_table_set_static(&sc->table, port, s->station[i].key);
	}
}

IFCONFIG_UNDO_DEFINE(
    bridge, .save = bridge_save, .restore = bridge_restore, .forget = bridge_forget);
