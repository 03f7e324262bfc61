/*
 * mroute_stat.c - what netstat says of multicast forwarding, in the BSDs' tables and sentences:
 * -g vifs and forwarding cache, -gs its counters, -s of PIM.
 */
#include "inet/mroute.h"

#include "inet/in.h"
#include "kern/netstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct mroute_state *
state_of(int family)
{
	return &VNET(mroute).of[family == AF_INET ? AF_SLOT_INET : AF_SLOT_INET6];
}

/* --- netstat -g ------------------------------------------------------------------------------- */

/* What differs between the tables of the families. */
struct table {
	struct emitter *e;
	int family;
	bool any;
};

/* FreeBSD has the address of IPv4's interfaces and the name of IPv6's. */
static int
print_vif(const struct mroute_vif_info *info, void *ctx)
{
	const struct in_ifaddr *ia = in_ifaddr_first(info->ifp);
	struct table *t = ctx;
	char text[IPADDR_TEXT] = "";

	if (!t->any && t->family == AF_INET)
		emit_text(t->e,
		    "\nIPv4 Virtual Interface Table\n"
		    " Vif   Thresh   Local-Address   Remote-Address    Pkts-In   Pkts-Out\n");
	else if (!t->any)
		emit_text(t->e,
		    "\nIPv6 Multicast Interface Table\n"
		    " Mif   Rate   PhyIF   Pkts-In   Pkts-Out\n");
	t->any = true;
	if (ia != NULL)
		in_ntoa(ia->addr, text);
	emit_object(t->e, NULL);
	emit_str(t->e, "interface", NULL, info->ifp->if_xname);
	if (t->family == AF_INET) {
		emit_uint(t->e, "vif", " %2" PRIu64, info->number);
		emit_uint(t->e, "threshold", "    %6" PRIu64, info->threshold);
		emit_str(t->e, "local-address", "   %-15.15s", text);
		emit_str(t->e, "remote-address", " %-15.15s", "");
	} else {
		emit_uint(t->e, "mif", "  %2" PRIu64, info->number);
		emit_uint(t->e, "threshold", NULL, info->threshold);
		emit_uint(t->e, "rate-limit", "   %4" PRIu64, 0);
		emit_str(t->e, "ifname", "   %5s", info->ifp->if_xname);
	}
	emit_uint(t->e, "received-packets", " %9" PRIu64, info->ipackets);
	emit_uint(t->e, "sent-packets", "  %9" PRIu64 "\n", info->opackets);
	emit_uint(t->e, "received-bytes", NULL, info->ibytes);
	emit_uint(t->e, "sent-bytes", NULL, info->obytes);
	emit_end(t->e);
	return 0;
}

static void
print_out(const struct table *t, const struct mroute_route *r)
{
	emit_list(t->e, "outgoing");
	for (unsigned i = 0; i < MROUTE_VIFS; i++) {
		if (!(r->out >> i & 1))
			continue;
		emit_object(t->e, NULL);
		emit_uint(t->e, "vif", " %" PRIu64, i);
		emit_uint(t->e, "ttl", t->family == AF_INET ? ":%" PRIu64 : NULL, r->ttl[i]);
		emit_end(t->e);
	}
	emit_end(t->e);
}

static void
print_entry4(
    const struct table *t, const struct mroute_info *info, const char *source, const char *group)
{
	emit_str(t->e, "origin-address", " %-15.15s", source);
	emit_str(t->e, "group-address", " %-15.15s", group);
	emit_uint(t->e, "packets", " %9" PRIu64, info->packets);
	emit_uint(t->e, "parent", "  %3" PRIu64 "   ", info->route.in);
}

static void
print_entry6(
    const struct table *t, const struct mroute_info *info, const char *source, const char *group)
{
	emit_str(t->e, "origin-address", " %-27s", source);
	emit_str(t->e, "group-address", " %-15s", group);
	emit_uint(t->e, "packets", " %9" PRIu64, info->packets);
	emit_uint(t->e, "waiting", "   %3" PRIu64, info->waiting);
	if (info->pending)
		emit_text(t->e, "   ---   ");
	else
		emit_uint(t->e, "parent", "  %3" PRIu64 "   ", info->route.in);
}

static int
print_entry(const struct mroute_info *info, void *ctx)
{
	char source[IPADDR_TEXT] = "*", group[IPADDR_TEXT];
	struct table *t = ctx;

	/* BSD's table of IPv4 has no word for those that wait */
	if (t->family == AF_INET && info->pending)
		return 0;
	if (!t->any && t->family == AF_INET)
		emit_text(t->e,
		    "\nIPv4 Multicast Forwarding Table\n"
		    " Origin          Group             Packets In-Vif  Out-Vifs:Ttls\n");
	else if (!t->any)
		emit_text(t->e,
		    "\nIPv6 Multicast Forwarding Cache\n"
		    " %-27s %-15s   Packets Waits In-Mif  Out-Mifs\n",
		    "Origin", "Group");
	t->any = true;
	if (!ipaddr_is_any(&info->route.source))
		ipaddr_ntoa(&info->route.source, source);
	ipaddr_ntoa(&info->route.group, group);
	emit_object(t->e, NULL);
	if (t->family == AF_INET)
		print_entry4(t, info, source, group);
	else
		print_entry6(t, info, source, group);
	emit_uint(t->e, "bytes", NULL, info->bytes);
	emit_uint(t->e, "wrong-interface", NULL, info->wrong);
	print_out(t, &info->route);
	emit_text(t->e, "\n");
	emit_end(t->e);
	return 0;
}

static void
print_tables(struct emitter *e, int family)
{
	struct table t = { .e = e, .family = family };

	emit_object(e, family == AF_INET ? "inet" : "inet6");
	emit_list(e, "vif");
	mroute_vif_foreach(family, print_vif, &t);
	emit_end(e);
	if (!t.any)
		emit_text(e, "\n%s Table is empty\n",
		    family == AF_INET ? "IPv4 Virtual Interface" : "IPv6 Multicast Interface");
	t.any = false;
	emit_list(e, "entry");
	mroute_foreach(family, print_entry, &t);
	emit_end(e);
	if (!t.any)
		emit_text(e, "\n%s is empty\n",
		    family == AF_INET ? "IPv4 Multicast Forwarding Table" :
					"IPv6 Multicast Forwarding Cache");
	emit_end(e);
}

/* --- netstat -gs ------------------------------------------------------------------------------ */

static void
print_counters(struct emitter *e, const struct netstat_opts *o, int family)
{
	struct mrtstat *st = &state_of(family)->stat;

	emit_object(e, family == AF_INET ? "inet" : "inet6");
	emit_text(e, "%s multicast forwarding:\n", family == AF_INET ? "IPv4" : "IPv6");
	netstat_counter(
	    e, o, "cache-lookups", &st->lookups, "# multicast forwarding cache lookup{s}");
	netstat_counter(
	    e, o, "cache-misses", &st->misses, "# multicast forwarding cache miss{|es}");
	netstat_counter(
	    e, o, "upcalls-total", &st->upcalls, "# upcall{s} to multicast routing daemon");
	netstat_counter(e, o, "upcall-overflows", &st->overflows, "# upcall queue overflow{s}");
	netstat_counter(e, o, "cache-cleanups", &st->cleanups, "# cache cleanup{s}");
	netstat_counter(e, o, "dropped-no-entry", &st->notfound,
	    "# datagram{s} with no room to wait for an entry");
	netstat_counter(e, o, "dropped-wrong-incoming-interface", &st->wrongif,
	    "# datagram{s} arrived on wrong interface");
	netstat_counter(
	    e, o, "dropped-selectively", &st->selected, "# datagram{s} selectively dropped");
	emit_end(e);
}

static int
netstat_groups(struct verb_run *v, const struct netstat_opts *o)
{
	static const int families[] = { AF_INET, AF_INET6 };

	emit_object(v->out, o->stats > 0 ? "multicast-statistics" : "multicast-forwarding");
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (o->family != AF_UNSPEC && o->family != families[i])
			continue;
		if (o->stats > 0)
			print_counters(v->out, o, families[i]);
		else
			print_tables(v->out, families[i]);
	}
	emit_text(v->out, "%s", o->stats > 0 ? "" : "\n");
	emit_end(v->out);
	return 0;
}
NETSTAT_MODE_DEFINE(mroute, 'g', "multicast-forwarding", netstat_groups);

/* --- netstat -s: pim -------------------------------------------------------------------------- */

static void
pim_stats(struct verb_run *v, const struct netstat_opts *o, int family)
{
	struct pimstat *st = &state_of(family)->pim;
	struct emitter *e = v->out;

	emit_object(e, family == AF_INET ? "pim" : "pim6");
	emit_text(e, "%s:\n", family == AF_INET ? "pim" : "pim6");
	netstat_counter(e, o, "received-messages", &st->received, "# message{s} received");
	netstat_counter(e, o, "received-bytes", &st->bytes, "# byte{s} received");
	netstat_counter(
	    e, o, "dropped-too-short", &st->tooshort, "# message{s} received with too few bytes");
	netstat_counter(
	    e, o, "dropped-bad-checksum", &st->badsum, "# message{s} received with bad checksum");
	netstat_counter(
	    e, o, "dropped-bad-version", &st->badversion, "# message{s} received with bad version");
	netstat_counter(e, o, "received-data-register-messages", &st->registers,
	    "# register message{s} received");
	netstat_counter(e, o, "received-data-register-bytes", &st->register_bytes,
	    "# byte{s} of register messages received");
	netstat_counter(e, o, "received-null-registers", &st->nulls, "# null-register{s} received");
	netstat_counter(e, o, "received-registers-without-vif", &st->novif,
	    "# register message{s} received without a register vif");
	netstat_counter(
	    e, o, "received-bad-registers", &st->badregisters, "# bad register{s} received");
	netstat_counter(
	    e, o, "sent-data-register-messages", &st->sent, "# data register message{s} sent");
	netstat_counter(
	    e, o, "sent-data-register-bytes", &st->sent_bytes, "# data register byte{s} sent");
	emit_end(e);
}

static void
pim4_stats(struct verb_run *v, const struct netstat_opts *o)
{
	pim_stats(v, o, AF_INET);
}
NETSTAT_STATS_DEFINE(pim, "pim", AF_INET, pim4_stats);

static void
pim6_stats(struct verb_run *v, const struct netstat_opts *o)
{
	pim_stats(v, o, AF_INET6);
}
NETSTAT_STATS_DEFINE(pim6, "pim6", AF_INET6, pim6_stats);
