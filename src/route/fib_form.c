/*
 * fib_form.c - in which form packets have a table, and the changes of whatever form that is.
 *
 *	few routes	a trie of a few cache lines (fib_trie.c): 10,000 stacks in the caches
 *	many routes	compiled (fib_comp.c): the same few lines for a look-up, whatever its size
 *
 * A table changes its form by growing over net.route.fib_compile, or shrinking below half of it. The
 * new form is built beside the old one, in which packets find their routes meanwhile, and one store
 * puts it in the old one's place. Without memory for the new one, the table stays what it is.
 */
#include "kern/sysctl.h"
#include "net/generation.h"
#include "net/generation.h"
#include "route/fib_comp.h"
#include "route/fib_trie.h"

#include <errno.h>

VNET_DEFINE(uintptr_t, fib4_table[RT_FIBS_MAX]);
VNET_DEFINE(uintptr_t, fib6_table[RT_FIBS_MAX]);

/* The control side of the tables that are compiled; NULL = a trie. */
VNET_DEFINE_STATIC(struct fib_comp *, fib4_comp[RT_FIBS_MAX]);
VNET_DEFINE_STATIC(struct fib_comp *, fib6_comp[RT_FIBS_MAX]);

/* Tables that had too many next hops for it are not tried again before they are twice as long. */
VNET_DEFINE_STATIC(uint32_t, fib_compile_again[2][RT_FIBS_MAX]);

/* fib_bulk_begin()s without their end. */
VNET_DEFINE_STATIC(uint32_t, fib_bulk);

VNET_DEFINE_STATIC(uint32_t, fib_compile_at) = 512;
SYSCTL_VNET_UINT(net_route_fib_compile, "net.route.fib_compile", SYSCTL_RW, fib_compile_at, 1,
    UINT32_MAX, "routes of a table above which its form for packets is the compiled one");

static void direct_changed(const struct sysctl_oid *oid);

VNET_DEFINE_STATIC(bool, fib_direct_on);
SYSCTL_DEFINE_(net_route_fib_direct, .name = "net.route.fib_direct", .type = SYSCTL_T_BOOL,
    .flags = SYSCTL_RW | SYSCTL_VNET, .ptr = &vnet_entry_fib_direct_on, .min = 0, .max = 1,
    .changed = direct_changed,
    .descr = "give each compiled IPv4 table 32 MiB for a quicker look-up");

static uintptr_t *
table_of(uint8_t fib, int family)
{
	return family == AF_INET ? &VNET(fib4_table)[fib] : &VNET(fib6_table)[fib];
}

static struct fib_comp **
comp_of(uint8_t fib, int family)
{
	return family == AF_INET ? &VNET(fib4_comp)[fib] : &VNET(fib6_comp)[fib];
}

static uint32_t *
again_of(uint8_t fib, int family)
{
	return &VNET(fib_compile_again)[family == AF_INET6][fib];
}

/* --- from one form to the other ------------------------------------------ */

static int
into_comp(const struct rt_addr *dst, struct nexthop *nh, void *ctx)
{
	return fib_comp_set(ctx, dst, nh, true);
}

struct into_trie {
	uint8_t fib;
	uintptr_t trie;
};

/* A trie has each route's own next hop. */
static int
into_trie(const struct rt_addr *dst, struct nexthop *nh, void *ctx)
{
	struct into_trie *t = ctx;

	if (fib_hop_is_shared(nh)) {
		struct rtentry *rt = rib_exact(t->fib, dst);

		/* the one that leaves, or comes, right now */
		if (rt == NULL)
			return 0;
		nh = &rt->nh;
	}
	return fib_trie_set(&t->trie, dst, nh);
}

/* The trie becomes compiled, if there is memory, and numbers for all its next hops. */
static void
compile(uint8_t fib, int family)
{
	uintptr_t *table = table_of(fib, family), trie = *table;
	struct fib_comp *c = fib_comp_new(family, table);

	if (c == NULL)
		return;
	if (fib_trie_walk(&trie, into_comp, c) != 0 || fib_comp_flush(c) != 0) {
		fib_comp_free(c);
		*again_of(fib, family) = 2 * fib_trie_routes(&trie);
		return;
	}
	*comp_of(fib, family) = c;
	if (VNET(fib_direct_on))
		fib_comp_direct(c, true);
	fib_trie_free(trie);
}

/* The compiled table becomes a trie. 0 or -ENOMEM. */
static int
uncompile(uint8_t fib, int family)
{
	struct fib_comp **c = comp_of(fib, family);
	struct into_trie t = { .fib = fib };

	if (fib_comp_walk(*c, into_trie, &t) != 0) {
		if (t.trie != 0)
			fib_trie_free(t.trie);
		return -ENOMEM;
	}
	rcu_publish(table_of(fib, family), t.trie);
	*again_of(fib, family) = 0;
	fib_comp_free(*c);
	*c = NULL;
	return 0;
}

/* --- changes ------------------------------------------------------------- */

/*
 * To a compiled table with more next hops than there are numbers: it becomes a trie. What was at the
 * prefix must not stay, even if there is no memory for that.
 */
static int
set_uncompiled(uint8_t fib, const struct rt_addr *dst, struct nexthop *nh)
{
	uintptr_t *table = table_of(fib, dst->family);
	int error = uncompile(fib, dst->family);

	if (error != 0) {
		fib_comp_clear(*comp_of(fib, dst->family), dst);
		return error;
	}
	*again_of(fib, dst->family) = 2 * fib_trie_routes(table);
	return fib_trie_set(table, dst, nh);
}

int
fib_set(uint8_t fib, const struct rt_addr *dst, struct nexthop *nh)
{
	struct fib_comp *c = *comp_of(fib, dst->family);
	uint32_t routes;
	uintptr_t *table;
	int error;

	if (c != NULL) {
		error = fib_comp_set(c, dst, nh, VNET(fib_bulk) > 0);
		return error == -ENOSPC ? set_uncompiled(fib, dst, nh) : error;
	}
	table = table_of(fib, dst->family);
	if ((error = fib_trie_set(table, dst, nh)) != 0)
		return error;
	routes = fib_trie_routes(table);
	if (routes > VNET(fib_compile_at) && routes > *again_of(fib, dst->family))
		compile(fib, dst->family);
	return 0;
}

void
fib_clear(uint8_t fib, const struct rt_addr *dst)
{
	struct fib_comp **c = comp_of(fib, dst->family);
	uintptr_t *table = table_of(fib, dst->family);

	if (*c == NULL) {
		fib_trie_clear(table, dst);
		if (*table == 0)
			*again_of(fib, dst->family) = 0;
		return;
	}
	fib_comp_clear(*c, dst);
	if (fib_comp_routes(*c) <= VNET(fib_compile_at) / 2)
		uncompile(fib, dst->family);
}

void
fib_bulk_begin(void)
{
	VNET(fib_bulk)++;
}

int
fib_bulk_end(void)
{
	int error, first = 0;

	if (--VNET(fib_bulk) > 0)
		return 0;
	for (uint8_t fib = 0; fib < rt_numfibs; fib++) {
		for (int six = 0; six < 2; six++) {
			struct fib_comp *c = *comp_of(fib, six ? AF_INET6 : AF_INET);

			if (c != NULL && (error = fib_comp_flush(c)) != 0 && first == 0)
				first = error;
		}
	}
	generation_bump();
	return first;
}

static void
direct_changed(const struct sysctl_oid *oid)
{
	(void)oid;
	for (uint8_t fib = 0; fib < RT_FIBS_MAX; fib++)
		if (VNET(fib4_comp)[fib] != NULL)
			fib_comp_direct(VNET(fib4_comp)[fib], VNET(fib_direct_on));
}

void
fib_size(uint8_t fib, int family, uint64_t *packets, uint64_t *control)
{
	const struct fib_comp *c = *comp_of(fib, family);

	*packets = *control = 0;
	if (c != NULL)
		fib_comp_size(c, packets, control);
}
