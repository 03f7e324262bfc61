/*
 * if_bridge_cmd.c - the bridge's words of ifconfig, and its lines.
 *
 *	addm IF, deletem IF		members
 *	span IF, -span IF		who gets a copy of everything
 *	learn, discover, sticky, private IF	and with -
 *	addr, static IF MAC, deladdr MAC, flush, flushall
 *	maxaddr N, timeout SECONDS, ifmaxaddr IF N
 *
 * Spanning tree is not spoken: its words are refused, and its lines show what a bridge without it
 * has.
 */
#include "net/if_bridge_internal.h"
#include "net/ifconfig.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* IEEE 802.1D-2004, table 17-1 and 17-2: what is shown of a tree that there isn't. */
enum {
	STP_PRIORITY = 32768,
	STP_HELLO_S = 2,
	STP_FORWARD_S = 15,
	STP_MAX_AGE_S = 20,
	STP_HOLD = 6,
	STP_PORT_PRIORITY = 128,
};

static const char *const flag_name[] = { "LEARNING", "DISCOVER", "STP", "SPAN", "STICKY", "EDGE",
	"AUTOEDGE", "PTP", "AUTOPTP", NULL, NULL, "PRIVATE" };
static const char *const addr_flag_name[] = { "STATIC", "STICKY" };

#define NAMES(array) array, sizeof(array) / sizeof((array)[0])

/* --- what words mean -------------------------------------------------------------------------- */

/* "BRDGADD lo0: Invalid argument": the field's form. */
static int
refused(struct verb_run *v, const char *what, const char *word, int error)
{
	return verb_error(
	    v, 1, "%s%s%s: %s", what, word[0] != '\0' ? " " : "", word, strerror(-error));
}

/* Is it a bridge's word for a bridge? Else -1, said. */
static int
is_for_bridge(struct verb_run *v, const struct ifnet *ifp, const char *what)
{
	return bridge_is(ifp) ? 0 : verb_error(v, 1, "%s: %s: not a bridge", what, ifp->if_xname);
}

/* The bridge's member (or span) of that name; NULL, said. */
static struct bridge_port *
port_named(struct verb_run *v, struct ifnet *bridge, const char *what, const char *name, bool span)
{
	const struct ifnet *ifp = if_byname(name);
	struct bridge_port *port = ifp != NULL ? bridge_port_find(bridge_of(bridge), ifp) : NULL;

	if (port != NULL && (port->flags & BRIDGE_SPAN) == (span ? BRIDGE_SPAN : 0u))
		return port;
	refused(v, what, name, -ENOENT);
	return NULL;
}

static bool
address_of(struct verb_run *v, const char *text, uint64_t *address)
{
	uint8_t lladdr[6];

	if (!ether_aton_(text, lladdr) || (lladdr[0] & 1) || ether_number(lladdr) == 0) {
		verb_error(v, 1, "%s: invalid address", text);
		return false;
	}
	*address = ether_number(lladdr);
	return true;
}

static bool
number_of(struct verb_run *v, const char *text, uint64_t min, uint64_t max, uint32_t *n)
{
	uint64_t value;

	if (!verb_number(text, min, max, &value)) {
		verb_error(v, 1, "invalid value: %s: %" PRIu64 " to %" PRIu64, text, min, max);
		return false;
	}
	*n = (uint32_t)value;
	return true;
}

/* --- members ---------------------------------------------------------------------------------- */

static int
join(struct verb_run *v, struct ifnet *ifp, const char *what, const char *name,
    int (*add)(struct ifnet *bridge, struct ifnet *ifp))
{
	struct ifnet *member = if_byname(name);
	int error = is_for_bridge(v, ifp, what);

	if (error != 0)
		return error;
	error = member != NULL ? add(ifp, member) : -ENOENT;
	return error == 0 ? 0 : refused(v, what, name, error);
}

static int
leave(struct verb_run *v, struct ifnet *ifp, const char *what, const char *name, bool span)
{
	struct bridge_port *port;

	if (is_for_bridge(v, ifp, what) != 0 ||
	    (port = port_named(v, ifp, what, name, span)) == NULL)
		return 1;
	bridge_port_remove(port);
	return 0;
}

static int
word_addm(struct verb_run *v, struct ifnet *ifp, char **args)
{
	return join(v, ifp, "BRDGADD", args[0], bridge_member_add);
}
IFCONFIG_WORD_DEFINE(bridge_addm, "addm", 1, word_addm);

static int
word_deletem(struct verb_run *v, struct ifnet *ifp, char **args)
{
	return leave(v, ifp, "BRDGDEL", args[0], false);
}
IFCONFIG_WORD_DEFINE(bridge_deletem, "deletem", 1, word_deletem);

static int
word_span(struct verb_run *v, struct ifnet *ifp, char **args)
{
	return join(v, ifp, "BRDGADDS", args[0], bridge_span_add);
}
IFCONFIG_WORD_DEFINE(bridge_span, "span", 1, word_span);

static int
word_no_span(struct verb_run *v, struct ifnet *ifp, char **args)
{
	return leave(v, ifp, "BRDGDELS", args[0], true);
}
IFCONFIG_WORD_DEFINE(bridge_no_span, "-span", 1, word_no_span);

static int
set_flag(struct verb_run *v, struct ifnet *ifp, const char *name, uint32_t flag, bool on)
{
	struct bridge_port *port;

	if (is_for_bridge(v, ifp, "BRDGSIFFLGS") != 0 ||
	    (port = port_named(v, ifp, "BRDGSIFFLGS", name, false)) == NULL)
		return 1;
	port->flags = on ? port->flags | flag : port->flags & ~flag;
	return 0;
}

#define FLAG_WORD(name, flag)                                                                      \
	static int word_##name(struct verb_run *v, struct ifnet *ifp, char **args)                 \
	{                                                                                          \
		return set_flag(v, ifp, args[0], flag, true);                                      \
	}                                                                                          \
	static int word_no_##name(struct verb_run *v, struct ifnet *ifp, char **args)              \
	{                                                                                          \
		return set_flag(v, ifp, args[0], flag, false);                                     \
	}                                                                                          \
	IFCONFIG_WORD_DEFINE(bridge_##name, #name, 1, word_##name);                                \
	IFCONFIG_WORD_DEFINE(bridge_no_##name, "-" #name, 1, word_no_##name)

FLAG_WORD(learn, BRIDGE_LEARNING);
FLAG_WORD(discover, BRIDGE_DISCOVER);
FLAG_WORD(sticky, BRIDGE_STICKY);
FLAG_WORD(private, BRIDGE_PRIVATE);

static int
word_ifmaxaddr(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct bridge_port *port;
	uint32_t n;

	if (is_for_bridge(v, ifp, "BRDGSIFAMAX") != 0 ||
	    (port = port_named(v, ifp, "BRDGSIFAMAX", args[0], false)) == NULL ||
	    !number_of(v, args[1], 0, BRIDGE_ADDRS_MOST, &n))
		return 1;
	port->addrs_max = n;
	return 0;
}
IFCONFIG_WORD_DEFINE(bridge_ifmaxaddr, "ifmaxaddr", 2, word_ifmaxaddr);

/* --- stations --------------------------------------------------------------------------------- */

static void
print_station(struct emitter *e, const struct bridge *sc, const struct bridge_entry *en)
{
	char text[18];
	uint8_t lladdr[6];

	memcpy(lladdr, &en->key, sizeof(lladdr));
	emit_object(e, NULL);
	emit_str(e, "ether", "%s", ether_ntoa_(lladdr, text));
	emit_uint(e, "vlan", " Vlan%" PRIu64, en->key >> BRIDGE_VLAN_SHIFT);
	emit_str(e, "member", " %s", en->port->ifp->if_xname);
	emit_uint(e, "expire", " %" PRIu64, bridge_entry_left_s(&sc->table, en));
	emit_text(e, " flags=");
	ifconfig_print_bits(e, "flags", en->flags, NAMES(addr_flag_name));
	emit_text(e, "\n");
	emit_end(e);
}

static int
word_addr(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct bridge_entry *list;
	uint32_t n;

	(void)args;
	if (is_for_bridge(v, ifp, "BRDGRTS") != 0)
		return 1;
	list = bridge_table_list(&bridge_of(ifp)->table, &n);
	emit_list(v->out, "addresses");
	for (uint32_t i = 0; i < n; i++)
		print_station(v->out, bridge_of(ifp), &list[i]);
	emit_end(v->out);
	free(list);
	return 0;
}
IFCONFIG_WORD_DEFINE(bridge_addr, "addr", 0, word_addr);

static int
word_static(struct verb_run *v, struct ifnet *ifp, char **args)
{
	struct bridge_port *port;
	uint64_t address;
	int error;

	if (is_for_bridge(v, ifp, "BRDGSADDR") != 0 ||
	    (port = port_named(v, ifp, "BRDGSADDR", args[0], false)) == NULL ||
	    !address_of(v, args[1], &address))
		return 1;
	error = bridge_table_set_static(&bridge_of(ifp)->table, port, address | BRIDGE_UNTAGGED);
	return error == 0 ? 0 : refused(v, "BRDGSADDR", args[0], error);
}
IFCONFIG_WORD_DEFINE(bridge_static, "static", 2, word_static);

static int
word_deladdr(struct verb_run *v, struct ifnet *ifp, char **args)
{
	uint64_t address;
	int error;

	if (is_for_bridge(v, ifp, "BRDGDADDR") != 0 || !address_of(v, args[0], &address))
		return 1;
	error = bridge_table_delete(&bridge_of(ifp)->table, address);
	return error == 0 ? 0 : refused(v, "BRDGDADDR", args[0], error);
}
IFCONFIG_WORD_DEFINE(bridge_deladdr, "deladdr", 1, word_deladdr);

static int
flush(struct verb_run *v, struct ifnet *ifp, enum bridge_flush what)
{
	if (is_for_bridge(v, ifp, "BRDGFLUSH") != 0)
		return 1;
	bridge_table_flush(&bridge_of(ifp)->table, NULL, what);
	return 0;
}

static int
word_flush(struct verb_run *v, struct ifnet *ifp, char **args)
{
	(void)args;
	return flush(v, ifp, BRIDGE_FLUSH_LEARNED);
}
IFCONFIG_WORD_DEFINE(bridge_flush, "flush", 0, word_flush);

static int
word_flushall(struct verb_run *v, struct ifnet *ifp, char **args)
{
	(void)args;
	return flush(v, ifp, BRIDGE_FLUSH_ALL);
}
IFCONFIG_WORD_DEFINE(bridge_flushall, "flushall", 0, word_flushall);

static int
word_maxaddr(struct verb_run *v, struct ifnet *ifp, char **args)
{
	uint32_t n;
	int error;

	if (is_for_bridge(v, ifp, "BRDGSCACHE") != 0 ||
	    !number_of(v, args[0], 1, BRIDGE_ADDRS_MOST, &n))
		return 1;
	error = bridge_table_set_max(&bridge_of(ifp)->table, n);
	return error == 0 ? 0 : refused(v, "BRDGSCACHE", args[0], error);
}
IFCONFIG_WORD_DEFINE(bridge_maxaddr, "maxaddr", 1, word_maxaddr);

static int
word_timeout(struct verb_run *v, struct ifnet *ifp, char **args)
{
	uint32_t n;

	if (is_for_bridge(v, ifp, "BRDGSTO") != 0 || !number_of(v, args[0], 0, INT32_MAX, &n))
		return 1;
	bridge_of(ifp)->table.timeout_s = n;
	return 0;
}
IFCONFIG_WORD_DEFINE(bridge_timeout, "timeout", 1, word_timeout);

/* --- spanning tree ---------------------------------------------------------------------------- */

static int
word_stp(struct verb_run *v, struct ifnet *ifp, char **args)
{
	(void)args;
	return verb_error(v, 1, "%s: %s: this bridge speaks no spanning tree", ifp->if_xname,
	    strerror(EOPNOTSUPP));
}
IFCONFIG_WORD_DEFINE(bridge_stp, "stp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_no_stp, "-stp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_edge, "edge", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_no_edge, "-edge", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_autoedge, "autoedge", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_no_autoedge, "-autoedge", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_ptp, "ptp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_no_ptp, "-ptp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_autoptp, "autoptp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_no_autoptp, "-autoptp", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_hellotime, "hellotime", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_fwddelay, "fwddelay", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_maxage, "maxage", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_priority, "priority", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_proto, "proto", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_holdcnt, "holdcnt", 1, word_stp);
IFCONFIG_WORD_DEFINE(bridge_ifpriority, "ifpriority", 2, word_stp);
IFCONFIG_WORD_DEFINE(bridge_ifpathcost, "ifpathcost", 2, word_stp);

/* --- lines ------------------------------------------------------------------------------------ */

static void
print_bridge(struct emitter *e, const struct bridge *sc)
{
	static const char nobody[] = "00:00:00:00:00:00";

	emit_str(e, "id", "\tid %s", nobody);
	emit_uint(e, "priority", " priority %" PRIu64, STP_PRIORITY);
	emit_uint(e, "hellotime", " hellotime %" PRIu64, STP_HELLO_S);
	emit_uint(e, "fwddelay", " fwddelay %" PRIu64 "\n", STP_FORWARD_S);
	emit_uint(e, "maxage", "\tmaxage %" PRIu64, STP_MAX_AGE_S);
	emit_uint(e, "holdcnt", " holdcnt %" PRIu64, STP_HOLD);
	emit_str(e, "proto", " proto %s", "rstp");
	emit_uint(e, "maxaddr", " maxaddr %" PRIu64, sc->table.max);
	emit_uint(e, "timeout", " timeout %" PRIu64 "\n", sc->table.timeout_s);
	emit_str(e, "root-id", "\troot id %s", nobody);
	emit_uint(e, "root-priority", " priority %" PRIu64, STP_PRIORITY);
	emit_uint(e, "root-ifcost", " ifcost %" PRIu64, 0);
	emit_uint(e, "root-port", " port %" PRIu64 "\n", 0);
	emit_uint(e, "addresses", NULL, sc->table.n);
	emit_uint(e, "addresses-refused", NULL, sc->table.refused);
}

/*
 * IEEE 802.1D-2004, table 17-3: 20 Tbit/s cost 1; the field's number when the speed is not known.
 */
static uint64_t
path_cost(const struct ifnet *ifp)
{
	enum { UNKNOWN = 55 };
	const uint64_t cost = ifp->if_baudrate_bps != 0 ?
	    UINT64_C(20000000000000) / ifp->if_baudrate_bps :
	    UNKNOWN;

	return cost < 1 ? 1 : cost > 200000000 ? 200000000 : cost;
}

static void
print_port(struct emitter *e, const struct bridge_port *port)
{
	emit_object(e, NULL);
	emit_str(e, "name", "\tmember: %s flags=", port->ifp->if_xname);
	ifconfig_print_bits(e, "flags", port->flags, NAMES(flag_name));
	emit_uint(e, "ifmaxaddr", "\n\t\tifmaxaddr %" PRIu64, port->addrs_max);
	emit_uint(e, "port", " port %" PRIu64, port->ifp->if_index & 0xfff);
	emit_uint(e, "priority", " priority %" PRIu64, STP_PORT_PRIORITY);
	emit_uint(e, "path-cost", " path cost %" PRIu64 "\n", path_cost(port->ifp));
	emit_uint(e, "addresses", NULL, port->addrs);
	emit_end(e);
}

void
bridge_status(struct ifnet *ifp, struct emitter *e)
{
	const struct bridge *sc = bridge_of(ifp);
	const struct bridge_port *port;

	emit_object(e, "bridge");
	print_bridge(e, sc);
	emit_list(e, "member");
	TAILQ_FOREACH(port, &sc->members, link)
		print_port(e, port);
	TAILQ_FOREACH(port, &sc->spans, link)
		print_port(e, port);
	emit_end(e);
	emit_end(e);
}
