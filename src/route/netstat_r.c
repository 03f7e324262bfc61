/*
 * netstat_r.c - netstat -r: the routing tables; netstat -rs: what happened to them.
 *
 * Columns are those of the BSDs and grow to their widest entry, so the table is walked twice.
 */
#include "route/rib.h"

#include "kern/netstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Columns of a family: smallest widths. */
struct widths {
	int dst, gw, flags, netif;
};

struct table {
	struct verb_run *v;
	const struct netstat_opts *o;
	int family;
	struct widths w;
	bool wide; /* with Mtu */
};

static void
grow(int *width, const char *text)
{
	int len = (int)strlen(text);

	if (len > *width)
		*width = len;
}

static int
measure(struct rtentry *rt, void *ctx)
{
	struct table *t = ctx;
	char text[RT_ADDR_TEXT], flags[RIB_FLAG_LETTERS];

	if (!rib_visible(rt))
		return 0;
	grow(&t->w.dst, rt_addr_text(&rt->dst, text));
	grow(&t->w.gw, rib_gateway_text(rt, text));
	grow(&t->w.flags, rib_flag_letters(rt->nh.flags, flags));
	grow(&t->w.netif, rt->nh.ifp->if_xname);
	return 0;
}

/* Left-aligned text of a computed width with a blank behind. */
static void
column(struct emitter *e, const char *name, int width, const char *text)
{
	emit_text(e, "%-*s ", width, text);
	emit_str(e, name, NULL, text);
}

static int
row(struct rtentry *rt, void *ctx)
{
	struct table *t = ctx;
	struct emitter *e = t->v->out;
	char text[RT_ADDR_TEXT], flags[RIB_FLAG_LETTERS];
	uint64_t expire = rib_expires_in(rt);
	bool counts = t->family == AF_INET || t->wide;

	if (!rib_visible(rt))
		return 0;
	emit_object(e, NULL);
	column(e, "destination", t->w.dst, rt_addr_text(&rt->dst, text));
	column(e, "gateway", t->w.gw, rib_gateway_text(rt, text));
	column(e, "flags", t->w.flags, rib_flag_letters(rt->nh.flags, flags));
	emit_uint(e, "refs", counts ? "%6" PRIu64 " " : NULL,
	    rt->refs + (rt->users > 1 ? rt->users - 1 : 0));
	emit_uint(e, "use", counts ? "%8" PRIu64 " " : NULL, rt->nh.use);
	emit_uint(e, "mtu", t->wide ? "%6" PRIu64 " " : NULL,
	    rt->nh.mtu != 0 ? rt->nh.mtu : rt->nh.ifp->if_mtu);
	emit_text(e, "%*s", t->w.netif, rt->nh.ifp->if_xname);
	emit_str(e, "interface-name", NULL, rt->nh.ifp->if_xname);
	emit_uint(e, "weight", NULL, rt->weight);
	if (expire != 0)
		emit_uint(e, "expire-time", " %6" PRIu64, expire);
	emit_text(e, "\n");
	emit_end(e);
	return 0;
}

static void
header(const struct table *t)
{
	struct emitter *e = t->v->out;

	emit_text(
	    e, "%-*s %-*s %-*s ", t->w.dst, "Destination", t->w.gw, "Gateway", t->w.flags, "Flags");
	if (t->family == AF_INET || t->wide)
		emit_text(e, "%6s %8s ", "Refs", "Use");
	if (t->wide)
		emit_text(e, "%6s ", "Mtu");
	emit_text(e, "%*s %6s\n", t->w.netif, "Netif", "Expire");
}

static void
table_print(struct verb_run *v, const struct netstat_opts *o, int family)
{
	struct table t = {
		.v = v,
		.o = o,
		.family = family,
		.wide = o->wide,
		.w = family == AF_INET ?
		    (struct widths){ 18, 18, 6, 6 } :
		    (struct widths){ o->numeric ? 33 : 18, o->numeric ? 29 : 18, 6, 6 },
	};

	rib_walk(v->fib, family, measure, &t);
	emit_object(v->out, NULL);
	emit_str(v->out, "address-family", "\n%s:\n", family == AF_INET ? "Internet" : "Internet6");
	header(&t);
	emit_list(v->out, "rt-entry");
	rib_walk(v->fib, family, row, &t);
	emit_end(v->out);
	emit_end(v->out);
}

static int
netstat_routes(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;

	if (v->fib >= rt_numfibs)
		return verb_error(v, 1, "fib %u: FIBs are 0 to %u", v->fib, rt_numfibs - 1);
	emit_text(e, "Routing tables");
	emit_uint(e, "fib", v->fib != 0 ? " (fib: %" PRIu64 ")" : NULL, v->fib);
	emit_text(e, "\n");
	emit_list(e, "rt-family");
	if ((o->family == AF_UNSPEC || o->family == AF_INET) && rib_count(v->fib, AF_INET) > 0)
		table_print(v, o, AF_INET);
	if ((o->family == AF_UNSPEC || o->family == AF_INET6) && rib_count(v->fib, AF_INET6) > 0)
		table_print(v, o, AF_INET6);
	emit_end(e);
	return 0;
}
NETSTAT_MODE_DEFINE(route, 'r', "route-table", netstat_routes);

static int
netstat_route_stats(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;

	emit_text(e, "routing:\n");
	netstat_counter(e, o, "bad-redirects", &V_rtstat.badredirect, "# bad routing redirect{s}");
	netstat_counter(
	    e, o, "dynamically-created", &V_rtstat.dynamic, "# dynamically created route{s}");
	netstat_counter(
	    e, o, "new-gateways", &V_rtstat.newgateway, "# new gateway{s} due to redirects");
	netstat_counter(e, o, "unreachable-destinations", &V_rtstat.unreach,
	    "# destination{s} found unreachable");
	netstat_counter(e, o, "wildcard-uses", &V_rtstat.wildcard, "# use{s} of a wildcard route");
	netstat_value(
	    e, o, "unused-but-not-freed", rib_trash(), "# route{s} not in table but not freed");
	return 0;
}
NETSTAT_MODE_DEFINE(route_stats, 'R', "routing", netstat_route_stats);
