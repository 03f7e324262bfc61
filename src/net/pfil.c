/*
 * pfil.c - the hooks' list, sorted in the order in which a direction calls them.
 */
#include "net/pfil.h"

#include <errno.h>
#include <string.h>

VNET_DEFINE(struct pfil_head, pfil_heads[PFIL_POINTS][2]);
static pfil_way *pfil_ways[PFIL_POINTS][2]; /* written at the start */

static struct pfil_head *
head_of(enum pfil_point point, enum pfil_dir dir)
{
	return &VNET(pfil_heads)[point][dir];
}

static uint32_t
hook_find(const struct pfil_head *h, pfil_hook *fn, const void *ctx)
{
	uint32_t i = 0;

	while (i < h->n && (h->hook[i].fn != fn || h->hook[i].ctx != ctx))
		i++;
	return i;
}

int
pfil_add(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, void *ctx, int order)
{
	enum {
		HOOKS = sizeof(((struct pfil_head *)0)->hook) /
		    sizeof(((struct pfil_head *)0)->hook[0])
	};
	struct pfil_head *h = head_of(point, dir);
	uint32_t at = 0;

	if (hook_find(h, fn, ctx) < h->n)
		return -EEXIST;
	if (h->n == HOOKS)
		return -ENOSPC;
	/*
	 * Equal orders: first added is nearest to the wire's side on the way in, and so last on the
	 * way out.
	 */
	while (
	    at < h->n && (dir == PFIL_IN ? h->hook[at].order <= order : h->hook[at].order > order))
		at++;
	memmove(&h->hook[at + 1], &h->hook[at], (h->n - at) * sizeof(h->hook[0]));
	h->hook[at].fn = fn;
	h->hook[at].ctx = ctx;
	h->hook[at].order = order;
	h->n++;
	return 0;
}

void
pfil_remove(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, void *ctx)
{
	struct pfil_head *h = head_of(point, dir);
	uint32_t at = hook_find(h, fn, ctx);

	if (at == h->n)
		return;
	memmove(&h->hook[at], &h->hook[at + 1], (h->n - at - 1) * sizeof(h->hook[0]));
	h->n--;
}

/* Hook number `first` and those behind it. */
static void
hooks_from(
    struct pfil_head *h, uint32_t first, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	for (uint32_t i = first; i < h->n && b->n != 0; i++)
		h->hook[i].fn(h->hook[i].ctx, b, ifp, dir);
}

void
pfil_run_hooks(struct pfil_head *h, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	hooks_from(h, 0, b, ifp, dir);
}

void
pfil_way_set(enum pfil_point point, enum pfil_dir dir, pfil_way *way)
{
	pfil_ways[point][dir] = way;
}

void
pfil_go_on(enum pfil_point point, enum pfil_dir dir, pfil_hook *fn, const void *ctx,
    struct ifnet *ifp, struct batch *b)
{
	struct pfil_head *h = head_of(point, dir);

	hooks_from(h, hook_find(h, fn, ctx) + 1, b, ifp, dir);
	if (b->n > 0)
		pfil_ways[point][dir](ifp, b);
}
