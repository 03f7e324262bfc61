/*
 * netstat_if.c - netstat -i, -I IF and -w N: what the interfaces have counted.
 */
#include "net/if.h"

#include "base/callout.h"
#include "kern/netstat.h"
#include "kern/state.h"
#include "net/ethernet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the table ----------------------------------------------------------- */

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
    const char *network, const char *address, uint64_t ipackets, uint64_t opackets)
{
	row_begin(e, o, ifp, network, address);
	emit_uint(e, "received-packets", " %8" PRIu64, ipackets);
	emit_text(e, " %5s %5s", "-", "-");
	if (o->bytes)
		emit_text(e, " %10s", "-");
	emit_uint(e, "sent-packets", " %8" PRIu64, opackets);
	emit_text(e, " %5s", "-");
	if (o->bytes)
		emit_text(e, " %10s", "-");
	emit_text(e, " %5s", "-");
	if (o->drops)
		emit_text(e, "  %4s", "-");
	emit_text(e, "\n");
	emit_end(e);
}

/* An address's columns. */
struct address_text {
	char network[64], address[64];
};

static struct address_text
address_text(const struct ifaddr *ifa)
{
	struct address_text t = { "none", "none" };

	if (ifa->ops->netstat != NULL)
		ifa->ops->netstat(ifa, t.network, sizeof(t.network), t.address, sizeof(t.address));
	return t;
}

static void
rows_of(struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp)
{
	const struct ifaddr *ifa;

	if (o->family == AF_UNSPEC || o->family == AF_LINK_)
		row_link(e, o, ifp);
	TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
		if ((o->family == AF_UNSPEC || o->family == ifa->family) && ifa_visible(ifa)) {
			struct address_text t = address_text(ifa);

			row_address(e, o, ifp, t.network, t.address, ifa->ipackets, ifa->opackets);
		}
}

/* --- in a saved state ---------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} saved_counters[] = {
	{ "received-packets", offsetof(struct if_counters, ipackets) },
	{ "received-errors", offsetof(struct if_counters, ierrors) },
	{ "dropped-packets", offsetof(struct if_counters, iqdrops) },
	{ "received-bytes", offsetof(struct if_counters, ibytes) },
	{ "sent-packets", offsetof(struct if_counters, opackets) },
	{ "send-errors", offsetof(struct if_counters, oerrors) },
	{ "sent-bytes", offsetof(struct if_counters, obytes) },
	{ "collisions", offsetof(struct if_counters, collisions) },
	{ "send-dropped", offsetof(struct if_counters, oqdrops) },
};
enum { SAVED_COUNTERS = sizeof(saved_counters) / sizeof(saved_counters[0]) };

static uint64_t *
counter_at(struct if_counters *d, size_t i)
{
	return (uint64_t *)(void *)((uint8_t *)d + saved_counters[i].offset);
}

static json_t *
save_address(const struct ifaddr *ifa)
{
	struct address_text t = address_text(ifa);

	return json_pack("{s:i, s:s, s:s, s:I, s:I}", "family", ifa->family, "network", t.network,
	    "address", t.address, "received-packets", (json_int_t)ifa->ipackets, "sent-packets",
	    (json_int_t)ifa->opackets);
}

/* What the table needs of each interface. */
static json_t *
save_interfaces(void)
{
	json_t *list = json_array();
	struct ifnet *ifp;

	IF_FOREACH(ifp) {
		json_t *addresses = json_array(), *saved;
		const struct ifaddr *ifa;
		char lladdr[18] = "";

		if (ifp->if_addrlen == 6)
			ether_ntoa_(ifp->if_lladdr, lladdr);
		TAILQ_FOREACH(ifa, &ifp->if_addrs, link)
			json_array_append_new(addresses, save_address(ifa));
		saved = json_pack("{s:s, s:b, s:I, s:I, s:s, s:o}", "name", ifp->if_xname, "up",
		    (ifp->if_flags & IFF_UP_) != 0, "mtu", (json_int_t)ifp->if_mtu, "index",
		    (json_int_t)ifp->if_index, "lladdr", lladdr, "addresses", addresses);
		for (size_t i = 0; i < SAVED_COUNTERS; i++)
			json_object_set_new(saved, saved_counters[i].name,
			    json_integer((json_int_t)*counter_at(&ifp->if_data, i)));
		json_array_append_new(list, saved);
	}
	return list;
}
STATE_SECTION_DEFINE(interface, "interface", true, save_interfaces);

/* An interface that only the table sees, filled from its saved entry. */
static void
interface_restore(struct ifnet *ifp, const json_t *saved)
{
	*ifp = (struct ifnet){ .if_mtu = (uint32_t)state_uint(saved, "mtu"),
		.if_index = (uint32_t)state_uint(saved, "index"),
		.if_flags = json_is_true(json_object_get(saved, "up")) ? IFF_UP_ : 0 };
	snprintf(
	    ifp->if_xname, sizeof(ifp->if_xname), "%.*s", IFNAMSIZ_ - 1, state_text(saved, "name"));
	if (ether_aton_(state_text(saved, "lladdr"), ifp->if_lladdr))
		ifp->if_addrlen = 6;
	for (size_t i = 0; i < SAVED_COUNTERS; i++)
		*counter_at(&ifp->if_data, i) = state_uint(saved, saved_counters[i].name);
}

static void
row_saved_address(
    struct emitter *e, const struct netstat_opts *o, const struct ifnet *ifp, const json_t *saved)
{
	row_address(e, o, ifp, state_text(saved, "network"), state_text(saved, "address"),
	    state_uint(saved, "received-packets"), state_uint(saved, "sent-packets"));
}

static void
rows_saved(struct emitter *e, const struct netstat_opts *o, const json_t *saved)
{
	const json_t *addresses = json_object_get(saved, "addresses");
	const json_t *address;
	struct ifnet ifp;
	size_t i;

	interface_restore(&ifp, saved);
	if (o->family == AF_UNSPEC || o->family == AF_LINK_)
		row_link(e, o, &ifp);
	json_array_foreach(addresses, i, address) {
		if (o->family == AF_UNSPEC || o->family == (int)state_uint(address, "family"))
			row_saved_address(e, o, &ifp, address);
	}
}

static int
netstat_if_saved(struct verb_run *v, const struct netstat_opts *o)
{
	const json_t *list = state_section(o->image, "interface"), *saved;
	bool found = o->ifname == NULL;
	size_t i;

	json_array_foreach(list, i, saved)
		found |= o->ifname != NULL && strcmp(o->ifname, state_text(saved, "name")) == 0;
	if (!found)
		return verb_error(v, 1, "%s: no such interface", o->ifname);
	emit_object(v->out, "statistics");
	emit_list(v->out, "interface");
	table_head(v->out, o);
	json_array_foreach(list, i, saved) {
		if (o->ifname == NULL || strcmp(o->ifname, state_text(saved, "name")) == 0)
			rows_saved(v->out, o, saved);
	}
	emit_end(v->out);
	emit_end(v->out);
	return 0;
}

/* --- repeating totals ---------------------------------------------------- */

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

	if (o->image != NULL)
		return netstat_if_saved(v, o);
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
NETSTAT_IMAGE_MODE_DEFINE(interfaces, 'i', "interface", netstat_if);
