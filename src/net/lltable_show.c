/*
 * lltable_show.c - the debugger's view of the neighbour tables (behaviours 15).
 */
#include "net/lltable.h"

#include "kern/jail.h"
#include "kern/show.h"
#include "net/ethernet.h"
#include "net/in6addr.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct lltable *
lltable_match(uintptr_t handle)
{
	struct lltable *t;

	LIST_FOREACH(t, &V_lltable_head, all)
		if ((uintptr_t)t == handle)
			return t;
	return NULL;
}

struct lltable *
lltable_by_handle(uintptr_t handle)
{
	struct vnet *vnet;

	VNET_FOREACH(vnet) {
		VNET_SCOPE(vnet);
		struct lltable *t = lltable_match(handle);

		if (t != NULL)
			return t;
	}
	return NULL;
}

static struct llentry *
lle_match(uintptr_t handle)
{
	struct lltable *t;
	struct llentry *lle;

	LIST_FOREACH(t, &V_lltable_head, all)
		TAILQ_FOREACH(lle, &t->entries, link)
			if ((uintptr_t)lle == handle)
				return lle;
	return NULL;
}

struct llentry *
lle_by_handle(uintptr_t handle)
{
	struct vnet *vnet;

	VNET_FOREACH(vnet) {
		VNET_SCOPE(vnet);
		struct llentry *lle = lle_match(handle);

		if (lle != NULL)
			return lle;
	}
	return NULL;
}

/* A handle: text as people type it back. */
static void
show_pointer(struct emitter *e, const char *json, const char *fmt, const void *p)
{
	char text[32];

	snprintf(text, sizeof(text), "%p", p);
	emit_str(e, json, fmt, p == NULL ? "0" : text);
}

/* "10.0.0.1", "fe80::1%epair0a" of the table's own stack. */
static const char *
address_text(const struct llentry *lle, char text[IN6_TEXT])
{
	VNET_SCOPE(lle->table->vnet);

	if (lle->table->family == AF_INET6)
		return in6_ntoa((const struct in6 *)(const void *)lle->addr, text);
	inet_ntop(AF_INET, lle->addr, text, IN6_TEXT);
	return text;
}

static void
lle_show(struct emitter *e, const struct llentry *lle)
{
	char address[IN6_TEXT], lladdr[18], flags[8];

	emit_object(e, NULL);
	show_pointer(e, "handle", "  lle=%s", lle);
	show_pointer(e, "next", "  lle_next=%s", TAILQ_NEXT(lle, link));
	emit_text(e, "  lle_lock=0"); /* entries have none: readers go by epochs */
	show_pointer(e, "table", "  lle_tbl=%s", lle->table);
	show_pointer(e, "hold", "  la_hold=%s\n", lle->hold.head);
	emit_uint(e, "held", "   la_numheld=%" PRIu64, lle->hold.len);
	emit_uint(e, "expire-ns", "  la_expire=%" PRIu64, lle->expire_ns);
	snprintf(flags, sizeof(flags), "%04x", lle->flags);
	emit_str(e, "flags", "  la_flags=0x%s", flags);
	emit_uint(e, "asked", "  la_asked=%" PRIu64, lle->asked);
	emit_text(e, "  la_preempt=0  ln_byhint=0");
	emit_uint(e, "state", "  ln_state=%" PRIu64, lle->state);
	if (lle->table->state_text != NULL)
		emit_str(e, "state-name", "(%s)", lle->table->state_text(lle));
	emit_text(e, "  ln_router=%d  ln_ntick=0", (lle->flags & LLE_ROUTER) != 0);
	emit_bool(e, "router", lle->flags & LLE_ROUTER);
	emit_uint(e, "refs", "  lle_refcnt=%" PRIu64 "\n", lle->refs);
	emit_str(e, "lladdr", "   ll_addr=%s", ether_ntoa_(lle->header, lladdr));
	emit_text(e, "  lle_timer=");
	show_pointer(e, NULL, "%s", &lle->timer);
	emit_text(e, callout_armed(&lle->timer) ? " (armed)" : "");
	emit_bool(e, "timer-armed", callout_armed(&lle->timer));
	emit_str(e, "address", "  l3_addr=%s\n", address_text(lle, address));
	emit_end(e);
}

static void
lltable_show(struct emitter *e, const struct lltable *t, bool entries)
{
	const struct llentry *lle;

	emit_object(e, NULL);
	show_pointer(e, "handle", " llt=%s", t);
	emit_int(e, "family", " llt_af=%" PRId64, t->family);
	emit_uint(e, "entries", " entries=%" PRIu64, t->count);
	emit_uint(e, "from-traffic", " traffic=%" PRIu64, t->from_traffic);
	emit_uint(e, "limit", "/%" PRIu64, t->limit);
	/* the table's own, and one of each entry that anybody still holds */
	emit_uint(e, "refs", " refs=%" PRIu64, t->refs);
	show_pointer(e, "ifp", " llt_ifp=%s", t->ifp);
	emit_str(e, "interface", "(%s)\n", t->ifp->if_xname);
	emit_list(e, "llentry");
	TAILQ_FOREACH(lle, &t->entries, link)
		if (entries)
			lle_show(e, lle);
	emit_end(e);
	emit_end(e);
}

/* A jail's eyes end at its stack. */
static bool
is_hidden(const struct verb_run *v, const struct vnet *vnet)
{
	return jailed(v->prison) && vnet != v->vnet;
}

static int
show_all_lltables(struct verb_run *v, int argc, char **argv)
{
	struct emitter *e = v->out;
	struct vnet *vnet;
	struct lltable *t;

	if (argc > 1 || (argc == 1 && strcmp(argv[0], "verbose") != 0 && strcmp(argv[0], "1") != 0))
		return verb_error(v, EXIT_USAGE_, "usage: show [all] lltables [verbose]");
	emit_list(e, "vnet");
	VNET_FOREACH(vnet) {
		if (is_hidden(v, vnet))
			continue;
		VNET_SCOPE(vnet);
		emit_object(e, NULL);
		show_pointer(e, "handle", "vnet=%s", vnet);
		emit_str(e, "name", " (%s)\n", vnet_name(vnet));
		emit_list(e, "lltable");
		LIST_FOREACH(t, &V_lltable_head, all)
			lltable_show(e, t, argc == 1);
		emit_end(e);
		emit_end(e);
	}
	emit_end(e);
	return 0;
}
SHOW_DEFINE(all_lltables, "all lltables", "[verbose]", show_all_lltables);
SHOW_DEFINE(lltables, "lltables", "[verbose]", show_all_lltables);

static int
show_lltable(struct verb_run *v, int argc, char **argv)
{
	struct lltable *t;
	uintptr_t handle;

	if (argc != 1)
		return verb_error(v, EXIT_USAGE_, "usage: show lltable HANDLE");
	t = show_handle(argv[0], &handle) ? lltable_by_handle(handle) : NULL;
	if (t == NULL || is_hidden(v, t->vnet))
		return verb_error(v, 1, "%s: no such lltable", argv[0]);
	emit_list(v->out, "lltable");
	lltable_show(v->out, t, true);
	emit_end(v->out);
	return 0;
}
SHOW_DEFINE(lltable, "lltable", "HANDLE", show_lltable);

static int
show_llentry(struct verb_run *v, int argc, char **argv)
{
	struct llentry *lle;
	uintptr_t handle;

	if (argc != 1)
		return verb_error(v, EXIT_USAGE_, "usage: show llentry HANDLE");
	lle = show_handle(argv[0], &handle) ? lle_by_handle(handle) : NULL;
	if (lle == NULL || is_hidden(v, lle->table->vnet))
		return verb_error(v, 1, "%s: no such llentry", argv[0]);
	emit_list(v->out, "llentry");
	lle_show(v->out, lle);
	emit_end(v->out);
	return 0;
}
SHOW_DEFINE(llentry, "llentry", "HANDLE", show_llentry);
