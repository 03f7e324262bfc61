/*
 * netstat_r.c - netstat -r: the routing tables; netstat -rs: what happened to them.
 *
 * Columns are those of the BSDs and grow to their widest entry, so the table is walked twice.
 */
#include "route/rib.h"

#include "kern/netstat.h"
#include "kern/state.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A route as the table shows it: of the stack, or of a saved state. */
struct row {
	int family;
	unsigned fib;
	char dst[RIB_DST_TEXT], gw[RT_ADDR_TEXT], flags[RIB_FLAG_LETTERS], netif[IFNAMSIZ_];
	uint64_t refs, use, mtu, weight, expire_s;
};

static struct row
row_of(const struct rtentry *rt)
{
	struct row r = {
		.family = rt->dst.family,
		.fib = rt->fib,
		.refs = rt->refs + (rt->users > 1 ? rt->users - 1 : 0),
		.use = rt->nh.use,
		.mtu = rt->nh.mtu != 0 ? rt->nh.mtu : rt->nh.ifp->if_mtu,
		.weight = rt->weight,
		.expire_s = rib_expires_in(rt),
	};

	rib_dst_text(rt, r.dst);
	rib_gateway_text(rt, r.gw);
	rib_flag_letters(rt->nh.flags, r.flags);
	snprintf(r.netif, sizeof(r.netif), "%s", rt->nh.ifp->if_xname);
	return r;
}

/* --- saved states -------------------------------------------------------- */

static int
save_route(struct rtentry *rt, void *ctx)
{
	struct row r = row_of(rt);

	return json_array_append_new(ctx,
	    json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "family", r.family,
		"fib", r.fib, "destination", r.dst, "gateway", r.gw, "flags", r.flags, "interface",
		r.netif, "refs", (json_int_t)r.refs, "use", (json_int_t)r.use, "mtu",
		(json_int_t)r.mtu, "weight", (json_int_t)r.weight, "expire",
		(json_int_t)r.expire_s));
}

static json_t *
save_routes(void)
{
	json_t *list = json_array();

	rib_walk_all(save_route, list);
	return list;
}
STATE_SECTION_DEFINE(route, "route", true, save_routes);

static void
text_restore(char *text, size_t len, const json_t *saved, const char *name)
{
	snprintf(text, len, "%s", state_text(saved, name));
}

static struct row
row_restore(const json_t *saved)
{
	struct row r = {
		.family = (int)state_uint(saved, "family"),
		.fib = (unsigned)state_uint(saved, "fib"),
		.refs = state_uint(saved, "refs"),
		.use = state_uint(saved, "use"),
		.mtu = state_uint(saved, "mtu"),
		.weight = state_uint(saved, "weight"),
		.expire_s = state_uint(saved, "expire"),
	};

	text_restore(r.dst, sizeof(r.dst), saved, "destination");
	text_restore(r.gw, sizeof(r.gw), saved, "gateway");
	text_restore(r.flags, sizeof(r.flags), saved, "flags");
	text_restore(r.netif, sizeof(r.netif), saved, "interface");
	return r;
}

/* --- the table ----------------------------------------------------------- */

/* Columns of a family: smallest widths. */
struct widths {
	int dst, gw, flags, netif;
};

struct table {
	struct verb_run *v;
	const struct netstat_opts *o;
	int family;
	struct widths w;
	unsigned rows;
	void (*visit)(struct table *t, const struct row *r); /* of the present walk */
};

static int
walk_live(struct rtentry *rt, void *ctx)
{
	struct table *t = ctx;
	struct row r;

	if (!rib_visible(rt))
		return 0;
	r = row_of(rt);
	t->visit(t, &r);
	return 0;
}

/* Visit all rows of the table's family. */
static void
table_walk(struct table *t, void (*visit)(struct table *t, const struct row *r))
{
	const json_t *list, *saved;
	size_t i;

	t->visit = visit;
	if (t->o->image == NULL) {
		rib_walk(t->v->fib, t->family, walk_live, t);
		return;
	}
	list = state_section(t->o->image, "route");
	json_array_foreach(list, i, saved) {
		struct row r = row_restore(saved);

		if (r.family == t->family && r.fib == t->v->fib)
			visit(t, &r);
	}
}

static void
grow(int *width, const char *text)
{
	int len = (int)strlen(text);

	if (len > *width)
		*width = len;
}

static void
measure(struct table *t, const struct row *r)
{
	t->rows++;
	grow(&t->w.dst, r->dst);
	grow(&t->w.gw, r->gw);
	grow(&t->w.flags, r->flags);
	grow(&t->w.netif, r->netif);
}

/* Refs and Use stand in IPv4's table, and with -W in IPv6's, as Mtu does. */
static bool
has_counts(const struct table *t)
{
	return t->family == AF_INET || t->o->wide;
}

/* Left-aligned text of a computed width with a blank behind. */
static void
column(struct emitter *e, const char *name, int width, const char *text)
{
	emit_text(e, "%-*s ", width, text);
	emit_str(e, name, NULL, text);
}

static void
print_row(struct table *t, const struct row *r)
{
	struct emitter *e = t->v->out;
	bool counts = has_counts(t);

	emit_object(e, NULL);
	column(e, "destination", t->w.dst, r->dst);
	column(e, "gateway", t->w.gw, r->gw);
	column(e, "flags", t->w.flags, r->flags);
	emit_uint(e, "refs", counts ? "%6" PRIu64 " " : NULL, r->refs);
	emit_uint(e, "use", counts ? "%8" PRIu64 " " : NULL, r->use);
	emit_uint(e, "mtu", t->o->wide ? "%6" PRIu64 " " : NULL, r->mtu);
	emit_text(e, "%*s", t->w.netif, r->netif);
	emit_str(e, "interface-name", NULL, r->netif);
	emit_uint(e, "weight", NULL, r->weight);
	if (r->expire_s != 0)
		emit_uint(e, "expire-time", " %6" PRIu64, r->expire_s);
	emit_text(e, "\n");
	emit_end(e);
}

static void
header(const struct table *t)
{
	struct emitter *e = t->v->out;

	emit_text(
	    e, "%-*s %-*s %-*s ", t->w.dst, "Destination", t->w.gw, "Gateway", t->w.flags, "Flags");
	if (has_counts(t))
		emit_text(e, "%6s %8s ", "Refs", "Use");
	if (t->o->wide)
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
		.w = family == AF_INET ?
		    (struct widths){ 18, 18, 6, 6 } :
		    (struct widths){ o->numeric ? 33 : 18, o->numeric ? 29 : 18, 6, 8 },
	};

	table_walk(&t, measure);
	if (t.rows == 0)
		return;
	emit_object(v->out, NULL);
	emit_str(v->out, "address-family", "\n%s:\n", family == AF_INET ? "Internet" : "Internet6");
	header(&t);
	emit_list(v->out, "rt-entry");
	table_walk(&t, print_row);
	emit_end(v->out);
	emit_end(v->out);
}

static int
netstat_routes(struct verb_run *v, const struct netstat_opts *o)
{
	struct emitter *e = v->out;

	if (o->image == NULL && v->fib >= rt_numfibs)
		return verb_error(v, 1, "fib %u: FIBs are 0 to %u", v->fib, rt_numfibs - 1);
	emit_text(e, "Routing tables");
	emit_uint(e, "fib", v->fib != 0 ? " (fib: %" PRIu64 ")" : NULL, v->fib);
	emit_text(e, "\n");
	emit_list(e, "rt-family");
	if (o->family == AF_UNSPEC || o->family == AF_INET)
		table_print(v, o, AF_INET);
	if (o->family == AF_UNSPEC || o->family == AF_INET6)
		table_print(v, o, AF_INET6);
	emit_end(e);
	return 0;
}
NETSTAT_IMAGE_MODE_DEFINE(route, 'r', "route-table", netstat_routes);

/* --- what happened to routes --------------------------------------------- */

static const struct {
	size_t offset;
	const char *name, *text;
} route_counters[] = {
	{ offsetof(struct rtstat, badredirect), "bad-redirects", "# bad routing redirect{s}" },
	{ offsetof(struct rtstat, dynamic), "dynamically-created",
	    "# dynamically created route{s}" },
	{ offsetof(struct rtstat, newgateway), "new-gateways",
	    "# new gateway{s} due to redirects" },
	{ offsetof(struct rtstat, unreach), "unreachable-destinations",
	    "# destination{s} found unreachable" },
	{ offsetof(struct rtstat, wildcard), "wildcard-uses", "# use{s} of a wildcard route" },
};
enum { ROUTE_COUNTERS = sizeof(route_counters) / sizeof(route_counters[0]) };

static uint64_t *
counter_at(struct rtstat *stat, size_t i)
{
	return (uint64_t *)(void *)((uint8_t *)stat + route_counters[i].offset);
}

static json_t *
save_counters(void)
{
	json_t *saved = json_pack("{s:I}", "unused-but-not-freed", (json_int_t)rib_trash());

	for (size_t i = 0; i < ROUTE_COUNTERS; i++)
		json_object_set_new(saved, route_counters[i].name,
		    json_integer((json_int_t)*counter_at(&V_rtstat, i)));
	return saved;
}
STATE_SECTION_DEFINE(routing, "routing", true, save_counters);

static int
netstat_route_stats(struct verb_run *v, const struct netstat_opts *o)
{
	const json_t *saved = o->image != NULL ? state_section(o->image, "routing") : NULL;
	struct rtstat of_image = { 0 }, *stat = o->image != NULL ? &of_image : &V_rtstat;
	struct emitter *e = v->out;

	emit_text(e, "routing:\n");
	for (size_t i = 0; i < ROUTE_COUNTERS; i++) {
		if (o->image != NULL)
			*counter_at(stat, i) = state_uint(saved, route_counters[i].name);
		netstat_counter(
		    e, o, route_counters[i].name, counter_at(stat, i), route_counters[i].text);
	}
	netstat_value(e, o, "unused-but-not-freed",
	    o->image != NULL ? state_uint(saved, "unused-but-not-freed") : rib_trash(),
	    "# route{s} not in table but not freed");
	return 0;
}
NETSTAT_IMAGE_MODE_DEFINE(route_stats, 'R', "routing", netstat_route_stats);
