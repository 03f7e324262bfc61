/*
 * netstat_if.c - netstat -i, -I IF and -w N: what the interfaces have counted.
 */
#include "net/if.h"

#include "base/callout.h"
#include "kern/netstat.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the table --------------------------------------------------------------------------------- */

static void
table_head(struct emitter *e, const struct netstat_opts *o)
{
	emit_text(e, o->wide ? "%-7.7s" : "%-5.5s", "Name");
	emit_text(e, " %5.5s %-13.13s %-17.17s %8.8s %5.5s %5.5s", "Mtu", "Network", "Address",
	    "Ipkts", "Ierrs", "Idrop");
	if (o->bytes)
		emit_text(e, " %10.10s", "Ibytes");
	emit_text(e, " %8.8s %5.5s", "Opkts", "Oerrs");
	if (o->bytes)
		emit_text(e, " %10.10s", "Obytes");
	emit_text(e, " %5s", "Coll");
	if (o->drops)
		emit_text(e, "  %s", "Drop");
	emit_text(e, "\n");
}

/* The columns before the counters. */
static void
row_begin(struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp,
    const char *network, const char *address)
{
	char name[IFNAMSIZ_ + 1];

	emit_object(e, NULL);
	snprintf(name, sizeof(name), "%s%s", ifp->if_xname, ifp->if_flags & IFF_UP_ ? "" : "*");
	emit_text(e, o->wide ? "%-7.7s" : "%-5.5s", name);
	emit_str(e, "name", NULL, ifp->if_xname);
	emit_bool(e, "up", ifp->if_flags & IFF_UP_);
	emit_uint(e, "mtu", " %5" PRIu64, ifp->if_mtu);
	emit_str(e, "network", " %-13.13s", network);
	emit_str(e, "address", " %-17.17s", address);
}

static void
row_link(struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp)
{
	const struct if_counters *d = &ifp->if_data;
	char network[24], address[18] = "";

	snprintf(network, sizeof(network), "<Link#%u>", ifp->if_index);
	if (ifp->if_addrlen == 6)
		ether_ntoa_(ifp->if_lladdr, address);
	else if (o->wide) /* scripts count words in these lines */
		snprintf(address, sizeof(address), "%s", ifp->if_xname);
	row_begin(e, o, ifp, network, address);
	emit_uint(e, "received-packets", " %8" PRIu64, d->ipackets);
	emit_uint(e, "received-errors", " %5" PRIu64, d->ierrors);
	emit_uint(e, "dropped-packets", " %5" PRIu64, d->iqdrops);
	emit_uint(e, "received-bytes", o->bytes ? " %10" PRIu64 : NULL, d->ibytes);
	emit_uint(e, "sent-packets", " %8" PRIu64, d->opackets);
	emit_uint(e, "send-errors", " %5" PRIu64, d->oerrors);
	emit_uint(e, "sent-bytes", o->bytes ? " %10" PRIu64 : NULL, d->obytes);
	emit_uint(e, "collisions", " %5" PRIu64, d->collisions);
	emit_uint(e, "send-dropped", o->drops ? "  %4" PRIu64 : NULL, d->oqdrops);
	emit_text(e, "\n");
	emit_end(e);
}

static void
row_address(struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp,
    const struct ifaddr *ifa)
{
	char network[64] = "none", address[64] = "none";

	if (ifa->ops->netstat != NULL)
		ifa->ops->netstat(ifa, network, sizeof(network), address, sizeof(address));
	row_begin(e, o, ifp, network, address);
	emit_uint(e, "received-packets", " %8" PRIu64, ifa->ipackets);
	emit_text(e, " %5s %5s", "-", "-");
	if (o->bytes)
		emit_text(e, " %10s", "-");
	emit_uint(e, "sent-packets", " %8" PRIu64, ifa->opackets);
	emit_text(e, " %5s", "-");
	if (o->bytes)
		emit_text(e, " %10s", "-");
	emit_text(e, " %5s", "-");
	if (o->drops)
		emit_text(e, "  %4s", "-");
	emit_text(e, "\n");
	emit_end(e);
}

static void
rows_of(struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp)
{
	const struct ifaddr *ifa;

	if (o->family == AF_UNSPEC || o->family == AF_LINK_)
		row_link(e, o, ifp);
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if (o->family == AF_UNSPEC || o->family == ifa->family)
			row_address(e, o, ifp, ifa);
}

/* --- repeating totals -------------------------------------------------------------------------- */

enum { LINES_A_HEAD = 21 };

struct watch {
	struct verb_run *v;
	struct callout tick;
	uint64_t period_ns;
	uint32_t times; /* lines still to print; 0 = for ever */
	uint32_t lines; /* since the head */
	bool drops;
	char ifname[IFNAMSIZ_]; /* "" = all */
	struct if_counters last;
};

static void
counters_add(struct if_counters *sum, const struct if_counters *d)
{
	sum->ipackets += d->ipackets;
	sum->ierrors += d->ierrors;
	sum->iqdrops += d->iqdrops;
	sum->ibytes += d->ibytes;
	sum->opackets += d->opackets;
	sum->oerrors += d->oerrors;
	sum->obytes += d->obytes;
	sum->oqdrops += d->oqdrops;
	sum->collisions += d->collisions;
}

/* False when the interface is not there (any more). */
static bool
counters_now(const struct watch *w, struct if_counters *sum)
{
	struct ifnet *ifp;

	*sum = (struct if_counters){};
	if (w->ifname[0] == '\0') {
		IF_FOREACH(ifp)
			counters_add(sum, &ifp->if_data);
		return true;
	}
	ifp = if_byname(w->ifname);
	if (ifp != NULL)
		counters_add(sum, &ifp->if_data);
	return ifp != NULL;
}

static void
watch_head(const struct watch *w)
{
	struct emitter *e = w->v->out;

	emit_text(
	    e, "%17s %14s %16s\n", "input", w->ifname[0] != '\0' ? w->ifname : "(Total)", "output");
	emit_text(e, "%10s %5s %5s %10s %10s %5s %10s %5s", "packets", "errs", "idrops", "bytes",
	    "packets", "errs", "bytes", "colls");
	emit_text(e, w->drops ? " %5.5s\n" : "\n", "drops");
}

/* Since the last line. An interface that was reset or exchanged counts from 0 again. */
static uint64_t
since(uint64_t now, uint64_t last)
{
	return now >= last ? now - last : now;
}

static void
watch_line(struct watch *w, const struct if_counters *now)
{
	struct emitter *e = w->v->out;
	const struct if_counters *last = &w->last;

	emit_object(e, NULL);
	emit_uint(e, "received-packets", "%10" PRIu64, since(now->ipackets, last->ipackets));
	emit_uint(e, "received-errors", " %5" PRIu64, since(now->ierrors, last->ierrors));
	emit_uint(e, "dropped-packets", " %5" PRIu64, since(now->iqdrops, last->iqdrops));
	emit_uint(e, "received-bytes", " %10" PRIu64, since(now->ibytes, last->ibytes));
	emit_uint(e, "sent-packets", " %10" PRIu64, since(now->opackets, last->opackets));
	emit_uint(e, "send-errors", " %5" PRIu64, since(now->oerrors, last->oerrors));
	emit_uint(e, "sent-bytes", " %10" PRIu64, since(now->obytes, last->obytes));
	emit_uint(e, "collisions", " %5" PRIu64, since(now->collisions, last->collisions));
	emit_uint(
	    e, "send-dropped", w->drops ? " %5" PRIu64 : NULL, since(now->oqdrops, last->oqdrops));
	emit_text(e, "\n");
	emit_end(e);
	w->last = *now;
}

static void
watch_end(struct watch *w, int status)
{
	struct verb_run *v = w->v;

	callout_stop(&w->tick);
	free(w);
	v->state = NULL;
	emit_end(v->out);
	verb_finish(v, status);
}

static void
watch_tick(void *arg)
{
	struct watch *w = arg;
	struct if_counters now;

	if (!counters_now(w, &now)) {
		watch_end(w, verb_error(w->v, 1, "%s: no such interface", w->ifname));
		return;
	}
	if (w->lines == LINES_A_HEAD) {
		watch_head(w);
		w->lines = 0;
	}
	watch_line(w, &now);
	w->lines++;
	emit_flush(w->v->out);
	if (w->times != 0 && --w->times == 0) {
		watch_end(w, 0);
		return;
	}
	callout_reset(&w->tick, w->period_ns);
}

static void
watch_cancel(struct verb_run *v)
{
	watch_end(v->state, 130);
}

static int
watch_start(struct verb_run *v, const struct netstat_opts *o)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return verb_error(v, EXIT_OSERR_, "%s", strerror(ENOMEM));
	w->v = v;
	w->period_ns = o->wait_s * NS_PER_SEC;
	w->times = o->wait_times;
	w->drops = o->drops;
	snprintf(w->ifname, sizeof(w->ifname), "%s", o->ifname == NULL ? "" : o->ifname);
	counters_now(w, &w->last);
	emit_list(v->out, "interval");
	watch_head(w);
	emit_flush(v->out);
	v->state = w;
	v->cancel = watch_cancel;
	callout_init(&w->tick, v->vnet, watch_tick, w);
	callout_reset(&w->tick, w->period_ns);
	return VERB_PENDING;
}

static int
netstat_if(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;
	struct ifnet *ifp;

	if (o->ifname != NULL && if_byname(o->ifname) == NULL)
		return verb_error(v, 1, "%s: no such interface", o->ifname);
	if (o->wait_s != 0)
		return watch_start(v, o);
	emit_object(e, "statistics");
	emit_list(e, "interface");
	table_head(e, o);
	IF_FOREACH(ifp)
		if (o->ifname == NULL || strcmp(o->ifname, ifp->if_xname) == 0)
			rows_of(e, o, ifp);
	emit_end(e);
	emit_end(e);
	return 0;
}
NETSTAT_MODE_DEFINE(interfaces, 'i', "interface", netstat_if);
