/*
 * ifmcstat.c - the tool ifmcstat: which groups each interface is in.
 *
 *	em0:
 *		inet 10.0.0.1
 *		igmpv3 flags=0<> rv 2 qi 125 qri 10 uri 1
 *			group 224.0.0.1 mode exclude
 *				mcast-macaddr 01:00:5e:00:00:01
 *
 * For each family the first address, what is spoken to the routers, and the groups; -v adds
 * sources, members and the timers of old queriers, and the link's own filter, which -f link shows alone.
 */
#include "inet/multicast_internal.h"
#include "kern/verb.h"
#include "net/ethernet.h"
#include "net/if_multi.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct ifmcstat {
	struct emitter *e;
	const char *ifname; /* NULL = all */
	int family;         /* AF_UNSPEC = all */
	bool link;          /* the link's filter */
	bool verbose;
};

/* --- a family's groups ------------------------------------------------------------------------ */

static const char *
family_name(int family)
{
	return family == AF_INET ? "inet" : "inet6";
}

static void
print_scope(struct emitter *e, const struct ifnet *ifp, int family)
{
	if (family == AF_INET6)
		emit_uint(e, "scope-id", " scopeid 0x%" PRIx64, ifp->if_index);
}

/* The first address of the family that may be seen; nothing if there is none. */
static void
print_address(struct emitter *e, const struct ifnet *ifp, int family)
{
	char network[64], address[64];
	const struct ifaddr *ifa;

	TAILQ_FOREACH(ifa, &ifp->if_addrs, link) {
		if (ifa->family != family || !ifa_visible(ifa))
			continue;
		ifa->ops->netstat(ifa, network, sizeof(network), address, sizeof(address));
		emit_text(e, "\t%s", family_name(family));
		emit_str(e, "address", " %s", address);
		print_scope(e, ifp, family);
		emit_text(e, "\n");
		return;
	}
}

/* As FreeBSD numbers them: IGMP has LOOPBACK (2), MLD has SILENT (1) and USEALLOW (2). */
static const char *
flags_text(const struct mcast_if *mi)
{
	bool loop = mi->ifp->if_flags & IFF_LOOPBACK_;

	if (mi->family == AF_INET)
		return loop ? "2<LOOPBACK>" : "0<>";
	return loop ? "3<SILENT,USEALLOW>" : "2<USEALLOW>";
}

static void
print_old_queriers(const struct ifmcstat *s, const struct mcast_if *mi)
{
	char json[24], text[32];

	for (unsigned v = 1; v < mi->proto->newest; v++) {
		if (mi->old_until_ns[v] <= clock_now())
			continue;
		snprintf(json, sizeof(json), "v%u-timer", v);
		snprintf(text, sizeof(text), " v%utimer %%" PRIu64, v);
		emit_uint(s->e, json, s->verbose ? text : NULL,
		    (mi->old_until_ns[v] - clock_now()) / NS_PER_SEC);
	}
}

static void
print_protocol(const struct ifmcstat *s, const struct mcast_if *mi)
{
	bool newest = mi->proto != NULL && mi->version == mi->proto->newest;
	struct emitter *e = s->e;

	if (mi->proto == NULL)
		return;
	emit_str(e, "protocol", "\t%s", mi->family == AF_INET ? "igmp" : "mld");
	emit_uint(e, "version", "v%" PRIu64, mi->version);
	emit_str(e, "flags", " flags=%s", flags_text(mi));
	print_old_queriers(s, mi);
	emit_uint(e, "robustness", " rv %" PRIu64, mi->robustness);
	emit_uint(e, "query-interval", " qi %" PRIu64, mi->query_interval_s);
	emit_uint(e, "query-response-interval", " qri %" PRIu64, mi->response_ns / NS_PER_SEC);
	emit_uint(e, "unsolicited-report-interval", " uri %" PRIu64,
	    (newest ? mi->proto->unsolicited_ns : mi->proto->old_unsolicited_ns) / NS_PER_SEC);
	emit_text(e, "\n");
}

static void
print_sources(const struct ifmcstat *s, const struct mcast_info *info)
{
	char text[IPADDR_TEXT];

	emit_list(s->e, "source");
	for (unsigned i = 0; i < info->nsources; i++) {
		if (s->verbose)
			emit_text(s->e, i == 0 ? " srcs " : ",");
		emit_str(s->e, "", s->verbose ? "%s" : NULL, ipaddr_ntoa(&info->sources[i], text));
	}
	emit_end(s->e);
}

struct group_walk {
	const struct ifmcstat *s;
	const struct mcast_if *mi;
};

static int
print_group(const struct mcast_info *info, void *ctx)
{
	const struct group_walk *w = ctx;
	struct emitter *e = w->s->e;
	char text[IPADDR_TEXT], mac_text[18];
	uint8_t mac[6];

	emit_object(e, NULL);
	emit_str(e, "group", "\t\tgroup %s", ipaddr_ntoa(&info->group, text));
	print_scope(e, w->mi->ifp, w->mi->family);
	emit_str(e, "mode", " mode %s", info->mode == MCAST_MODE_EXCLUDE ? "exclude" : "include");
	print_sources(w->s, info);
	emit_uint(e, "members", w->s->verbose ? " members %" PRIu64 : NULL, info->members);
	emit_bool(e, "reported", info->reports);
	emit_text(e, "\n");
	if (mcast_link_address(w->mi->ifp, &info->group, mac))
		emit_str(
		    e, "mcast-macaddr", "\t\t\tmcast-macaddr %s\n", ether_ntoa_(mac, mac_text));
	emit_end(e);
	return 0;
}

static void
print_family(const struct ifmcstat *s, const struct ifnet *ifp, int family)
{
	const struct mcast_if *mi = mcast_if_of(ifp, family);
	struct group_walk w = { s, mi };

	if (mi == NULL || (s->family != AF_UNSPEC && s->family != family) ||
	    (s->link && !s->verbose))
		return;
	emit_object(s->e, family_name(family));
	print_address(s->e, ifp, family);
	print_protocol(s, mi);
	emit_list(s->e, "group");
	mcast_foreach(ifp, family, print_group, &w);
	emit_end(s->e);
	emit_end(s->e);
}

/* --- the link's filter ------------------------------------------------------------------------ */

static int
print_link_group(const uint8_t group[6], unsigned holders, void *ctx)
{
	struct emitter *e = ctx;
	char text[18];

	emit_object(e, NULL);
	emit_str(e, "group", "\t\tgroup %s", ether_ntoa_(group, text));
	emit_uint(e, "refcount", " refcnt %" PRIu64 "\n", holders);
	emit_end(e);
	return 0;
}

static void
print_link(const struct ifmcstat *s, const struct ifnet *ifp)
{
	char text[18];

	if (!s->link || ifp->if_addrlen != 6)
		return;
	emit_object(s->e, "link");
	emit_str(s->e, "address", "\tlink %s\n", ether_ntoa_(ifp->if_lladdr, text));
	emit_list(s->e, "group");
	if_multi_foreach(ifp, print_link_group, s->e);
	emit_end(s->e);
	emit_end(s->e);
}

/* --- the tool --------------------------------------------------------------------------------- */

static int
any(const uint8_t group[6], unsigned holders, void *ctx)
{
	(void)group, (void)holders, (void)ctx;
	return 1;
}

/* Is there anything to say of it? */
static bool
is_shown(const struct ifmcstat *s, const struct ifnet *ifp)
{
	if (s->link && if_multi_foreach(ifp, any, NULL) != 0)
		return true;
	if (s->link && !s->verbose)
		return false;
	return (s->family != AF_INET6 && mcast_if_of(ifp, AF_INET) != NULL) ||
	    (s->family != AF_INET && mcast_if_of(ifp, AF_INET6) != NULL);
}

static void
print_all(const struct ifmcstat *s)
{
	struct ifnet *ifp;

	emit_list(s->e, "interface");
	IF_FOREACH(ifp) {
		if ((s->ifname != NULL && strcmp(s->ifname, ifp->if_xname) != 0) ||
		    !is_shown(s, ifp))
			continue;
		emit_object(s->e, NULL);
		emit_str(s->e, "name", "%s:\n", ifp->if_xname);
		print_family(s, ifp, AF_INET);
		print_family(s, ifp, AF_INET6);
		print_link(s, ifp);
		emit_end(s->e);
	}
	emit_end(s->e);
}

/* False: no such family. */
static bool
parse_family(struct ifmcstat *s, const char *word)
{
	if (strcmp(word, "inet") == 0)
		s->family = AF_INET;
	else if (strcmp(word, "inet6") == 0)
		s->family = AF_INET6;
	else
		s->link = strcmp(word, "link") == 0;
	return s->family != AF_UNSPEC || s->link;
}

static int
ifmcstat_run(struct verb_run *v)
{
	struct ifmcstat s = { .e = v->out };
	struct verb_opts o;
	int c;

	verb_opts_init(&o, v, v->argc, v->argv, "i:f:v");
	while ((c = verb_opts_next(&o)) != -1) {
		switch (c) {
		case 'i':
			s.ifname = o.arg;
			break;
		case 'f':
			if (!parse_family(&s, o.arg))
				return verb_error(v, 1, "%s: unknown address family", o.arg);
			break;
		case 'v':
			s.verbose = true;
			break;
		default:
			return verb_usage(v, NULL);
		}
	}
	if (o.ind != v->argc)
		return verb_usage(v, NULL);
	if (s.ifname != NULL && if_byname(s.ifname) == NULL)
		return verb_error(v, 1, "interface %s does not exist", s.ifname);
	if (s.verbose && s.link)
		return verb_error(v, EXIT_USAGE_, "-v: -f link says it all");
	s.link |= s.verbose && s.family == AF_UNSPEC;
	print_all(&s);
	return 0;
}
VERB_DEFINE(ifmcstat, .name = "ifmcstat",
    .usage = "ifmcstat [-j JAIL] [-i INTERFACE] [-f inet|inet6|link] [-v]",
    .summary = "show which multicast groups the interfaces are in", .run = ifmcstat_run,
    .flags = VERB_UNPRIVILEGED | VERB_HAS_JAIL);
