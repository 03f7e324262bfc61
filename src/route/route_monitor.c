/*
 * route_monitor.c - `route monitor`: what happens to a stack's routes, addresses and interfaces,
 * message by message, in the form that routing sockets gave them. Runs until it is cancelled.
 */
#include "route/rib.h"
#include "route/route_cmd.h"

#include "kern/eventhandler.h"
#include "net/ethernet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sizes of the original's messages: they are printed, and scripts know them. */
enum {
	RT_MSGHDR = 152,
	IF_MSGHDR = 168,
	IFA_MSGHDR = 20,
	IFAN_MSGHDR = 24,
	SA_INET = 16,
	SA_INET6 = 28,
	SA_DL = 56
};

struct monitor {
	struct verb_run *v;
	struct event_tag *route, *ifaddr, *link, *arrival, *departure;
};

static unsigned
sa_size(int family)
{
	return family == AF_INET ? SA_INET : family == AF_INET6 ? SA_INET6 : SA_DL;
}

/* Events come from all stacks. */
static bool
not_ours(const struct monitor *mon)
{
	return curvnet != mon->v->vnet;
}

static void
message_begin(struct monitor *mon, unsigned size, const char *type)
{
	struct emitter *e = mon->v->out;
	time_t when = (time_t)((clock_epoch_ns() + clock_now()) / NS_PER_SEC);
	char date[32];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	emit_object(e, NULL);
	emit_uint(e, "size", "got message of size %" PRIu64, size);
	emit_str(e, "date", " on %s\n", date);
	emit_uint(e, "time-ns", NULL, clock_now());
	emit_str(e, "type", "%s: ", type);
}

static void
message_end(struct monitor *mon)
{
	emit_text(mon->v->out, "\n");
	emit_end(mon->v->out);
	emit_flush(mon->v->out);
}

static const struct {
	enum rtm rtm;
	const char *type, *text;
} route_types[] = {
	{ RTM_ADD_, "RTM_ADD", "Add Route" },
	{ RTM_DELETE_, "RTM_DELETE", "Delete Route" },
	{ RTM_CHANGE_, "RTM_CHANGE", "Change Metrics, Flags or Gateway" },
	{ RTM_GET_, "RTM_GET", "Report Metrics" },
	{ RTM_REDIRECT_, "RTM_REDIRECT", "Told to use different route" },
	{ RTM_MISS_, "RTM_MISS", "Lookup failed on this address" },
};

static void
on_route(void *ctx, void *arg1, void *arg2)
{
	struct monitor *mon = ctx;
	struct emitter *e = mon->v->out;
	const struct rtentry *rt = arg1;
	enum rtm what = (enum rtm)(uintptr_t)arg2;
	bool host = rt->nh.flags & RTF_HOST_;
	char flags[RIB_FLAG_NAMES], text[RT_ADDR_TEXT];
	unsigned size;
	size_t i;

	if (not_ours(mon) || !rib_visible(rt))
		return;
	for (i = 0; i < sizeof(route_types) / sizeof(route_types[0]); i++)
		if (route_types[i].rtm == what)
			break;
	if (i == sizeof(route_types) / sizeof(route_types[0]))
		return;
	size = RT_MSGHDR + sa_size(rt->dst.family) * (host ? 1 : 2) + sa_size(rt->gateway.family);
	message_begin(mon, size, route_types[i].type);
	emit_text(e, "%s: len %u, pid: 0, seq 0, errno 0, ", route_types[i].text, size);
	emit_str(e, "flags", "flags:<%s>\n", rib_flag_names(rt->nh.flags | RTF_DONE_, flags));
	emit_text(e, "locks:  inits: \nsockaddrs: <DST,GATEWAY%s>\n", host ? "" : ",NETMASK");
	emit_str(e, "destination", " %s", route_dst_text(rt, text));
	emit_uint(e, "prefixlen", NULL, rt->dst.plen);
	emit_uint(e, "fib", NULL, rt->fib);
	emit_str(e, "gateway", " %s", rib_gateway_text(rt, text));
	emit_str(e, "interface", NULL, rt->nh.ifp->if_xname);
	if (!host)
		emit_str(e, "mask", " %s", route_mask_text(rt, text));
	emit_text(e, "\n");
	message_end(mon);
}

static void
on_ifaddr(void *ctx, void *arg1, void *arg2)
{
	struct monitor *mon = ctx;
	struct emitter *e = mon->v->out;
	const struct ifnet *ifp = arg1;
	const struct ifaddr *ifa = arg2, *p;
	char network[RT_ADDR_TEXT] = "", address[RT_ADDR_TEXT] = "", mac[18];
	unsigned size;
	bool here = false;

	if (not_ours(mon))
		return;
	TAILQ_FOREACH(p, &ifp->if_addrs, link)
		here |= p == ifa;
	if (ifa->ops->netstat != NULL)
		ifa->ops->netstat(ifa, network, sizeof(network), address, sizeof(address));
	size = IFA_MSGHDR + 2 * sa_size(ifa->family) + SA_DL;
	message_begin(mon, size, here ? "RTM_NEWADDR" : "RTM_DELADDR");
	emit_text(e, "address being %s iface: len %u, metric 0, flags:\n",
	    here ? "added to" : "removed from", size);
	emit_text(e, "sockaddrs: <NETMASK,IFP,IFA>\n");
	emit_str(e, "network", " %s", network);
	emit_str(e, "interface", " %s", ifp->if_xname);
	if (ifp->if_addrlen == 6)
		emit_text(e, ":%s", ether_ntoa_(ifp->if_lladdr, mac));
	emit_str(e, "address", " %s\n", address);
	message_end(mon);
}

static void
on_link(void *ctx, void *arg1, void *arg2)
{
	static const char *const states[] = { "unknown", "down", "up" };
	struct monitor *mon = ctx;
	struct emitter *e = mon->v->out;
	const struct ifnet *ifp = arg1;

	(void)arg2;
	if (not_ours(mon))
		return;
	message_begin(mon, IF_MSGHDR, "RTM_IFINFO");
	emit_text(e, "iface status change: len %d, ", IF_MSGHDR);
	emit_uint(e, "index", "if# %" PRIu64, ifp->if_index);
	emit_str(e, "interface", ", name %s", ifp->if_xname);
	emit_str(e, "link", ", link: %s",
	    ifp->if_link_state < 3 ? states[ifp->if_link_state] : "unknown");
	emit_uint(e, "flags", ", flags:%" PRIx64 "\n", ifp->if_flags);
	message_end(mon);
}

static void
announce(struct monitor *mon, const struct ifnet *ifp, const char *what)
{
	struct emitter *e = mon->v->out;

	if (not_ours(mon))
		return;
	message_begin(mon, IFAN_MSGHDR, "RTM_IFANNOUNCE");
	emit_text(e, "interface arrival/departure: len %d, ", IFAN_MSGHDR);
	emit_uint(e, "index", "if# %" PRIu64, ifp->if_index);
	emit_str(e, "interface", ", name %s", ifp->if_xname);
	emit_str(e, "what", ", what: %s\n", what);
	message_end(mon);
}

static void
on_arrival(void *ctx, void *arg1, void *arg2)
{
	(void)arg2;
	announce(ctx, arg1, "arrival");
}

static void
on_departure(void *ctx, void *arg1, void *arg2)
{
	(void)arg2;
	announce(ctx, arg1, "departure");
}

static void
monitor_stop(struct monitor *mon)
{
	event_deregister(&mon->route);
	event_deregister(&mon->ifaddr);
	event_deregister(&mon->link);
	event_deregister(&mon->arrival);
	event_deregister(&mon->departure);
	free(mon);
}

static void
monitor_cancel(struct verb_run *v)
{
	monitor_stop(v->state);
	v->state = NULL;
	emit_end(v->out);
	verb_finish(v, 0);
}

int
route_monitor(struct verb_run *v)
{
	struct monitor *mon = calloc(1, sizeof(*mon));

	if (mon == NULL)
		return verb_error(v, EXIT_OSERR_, "not enough memory");
	mon->v = v;
	event_register(&mon->route, "route_event", EVENT_HERE, on_route, mon, EVENT_PRI_ANY);
	event_register(&mon->ifaddr, "ifaddr_event", EVENT_HERE, on_ifaddr, mon, EVENT_PRI_ANY);
	event_register(&mon->link, "iflink_event", EVENT_HERE, on_link, mon, EVENT_PRI_ANY);
	event_register(&mon->arrival, "ifnet_arrival", EVENT_HERE, on_arrival, mon, EVENT_PRI_ANY);
	event_register(
	    &mon->departure, "ifnet_departure", EVENT_HERE, on_departure, mon, EVENT_PRI_ANY);
	if (mon->route == NULL || mon->ifaddr == NULL || mon->link == NULL ||
	    mon->arrival == NULL || mon->departure == NULL) {
		monitor_stop(mon);
		return verb_error(v, EXIT_OSERR_, "not enough memory");
	}
	v->state = mon;
	v->cancel = monitor_cancel;
	emit_list(v->out, "message");
	emit_flush(v->out);
	return VERB_PENDING;
}
