/*
 * multicast_filter.c - whom a member wants to hear, and what all members of a group want together
 * (RFC 3376 3.2).
 *
 * The merge is not made from the members but from counts: it knows how many members exclude at all,
 * and of each source how many include it and how many exclude it. So a thousand members cost no
 * more than one.
 */
#include "inet/multicast_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
count_compare(const struct mcast_count *a, const struct mcast_count *b)
{
	return ipaddr_compare(&a->source, &b->source);
}

RB_TREE_STATIC(mcast_counts, mcast_count, node, count_compare)

/* --- filters ---------------------------------------------------------------------------------- */

const struct mcast_filter mcast_nobody = { .mode = MCAST_MODE_INCLUDE };
const struct mcast_filter mcast_everybody = { .mode = MCAST_MODE_EXCLUDE };

static int
source_compare(const void *a, const void *b)
{
	return ipaddr_compare(a, b);
}

bool
mcast_filter_accepts(const struct mcast_filter *f, const struct ipaddr *source)
{
	bool listed = f->n > 0 &&
	    bsearch(source, f->source, f->n, sizeof(f->source[0]), source_compare) != NULL;

	return listed == (f->mode == MCAST_MODE_INCLUDE);
}

const struct mcast_filter *
mcast_filter_new(enum mcast_mode mode, const struct ipaddr *sources, unsigned n)
{
	struct mcast_filter *f;

	if (n == 0)
		return mode == MCAST_MODE_INCLUDE ? &mcast_nobody : &mcast_everybody;
	f = vnet_malloc(sizeof(*f) + n * sizeof(f->source[0]));
	if (f == NULL)
		return NULL;
	f->mode = mode;
	memcpy(f->source, sources, n * sizeof(f->source[0]));
	qsort(f->source, n, sizeof(f->source[0]), source_compare);
	/* nobody is named twice */
	for (unsigned i = 0; i < n; i++)
		if (f->n == 0 || !ipaddr_equal(&f->source[f->n - 1], &f->source[i]))
			f->source[f->n++] = f->source[i];
	return f;
}

static void
filter_free_late(struct rcu_head *h)
{
	vnet_free(h); /* first in its filter */
}

void
mcast_filter_free(const struct mcast_filter *f)
{
	if (f != NULL && f->n > 0)
		rcu_call(&((struct mcast_filter *)(uintptr_t)f)->rcu, filter_free_late);
}

bool
mcast_filter_equal(const struct mcast_filter *a, const struct mcast_filter *b)
{
	return a->mode == b->mode && a->n == b->n &&
	    memcmp(a->source, b->source, a->n * sizeof(a->source[0])) == 0;
}

/* --- counts and their merge ------------------------------------------------------------------- */

static struct mcast_count *
count_find(struct mcast_merge *mg, const struct ipaddr *source)
{
	struct mcast_count key = { .source = *source };

	return RB_FIND(mcast_counts, &mg->counts, &key);
}

/* Make the counts that a filter needs. 0, -ENOMEM; empty ones may be left: counts_sweep. */
static int
counts_reserve(struct mcast_merge *mg, const struct mcast_filter *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		struct mcast_count *c;

		if (count_find(mg, &f->source[i]) != NULL)
			continue;
		if ((c = vnet_malloc(sizeof(*c))) == NULL)
			return -ENOMEM;
		c->source = f->source[i];
		RB_INSERT(mcast_counts, &mg->counts, c);
	}
	return 0;
}

/* One member more (by = 1) or less (-1) has this filter. */
static void
counts_add(struct mcast_merge *mg, const struct mcast_filter *f, int by)
{
	bool exclude = f->mode == MCAST_MODE_EXCLUDE;

	if (exclude)
		mg->nexclude += (unsigned)by;
	for (unsigned i = 0; i < f->n; i++) {
		struct mcast_count *c = count_find(mg, &f->source[i]);

		*(exclude ? &c->ex : &c->in) += (unsigned)by;
	}
}

/* Free what counts nobody. */
static void
counts_sweep(struct mcast_merge *mg)
{
	struct mcast_count *c, *next;

	for (c = RB_MIN(mcast_counts, &mg->counts); c != NULL; c = next) {
		next = RB_NEXT(mcast_counts, &mg->counts, c);
		if (c->in > 0 || c->ex > 0)
			continue;
		RB_REMOVE(mcast_counts, &mg->counts, c);
		vnet_free(c);
	}
}

static unsigned
counts_live(struct mcast_merge *mg)
{
	struct mcast_count *c;
	unsigned n = 0;

	RB_FOREACH(c, mcast_counts, &mg->counts)
		n += c->in > 0 || c->ex > 0;
	return n;
}

/*
 * RFC 3376 3.2: if any member excludes, what all of those exclude and nobody includes; else what
 * any member includes. NULL without memory.
 */
static const struct mcast_filter *
counts_merge(struct mcast_merge *mg)
{
	enum mcast_mode mode = mg->nexclude > 0 ? MCAST_MODE_EXCLUDE : MCAST_MODE_INCLUDE;
	const struct mcast_filter *f;
	struct ipaddr *sources;
	struct mcast_count *c;
	unsigned n = 0;

	if (RB_EMPTY(&mg->counts))
		return mcast_filter_new(mode, NULL, 0);
	sources = malloc(counts_live(mg) * sizeof(*sources) + 1);
	if (sources == NULL)
		return NULL;
	RB_FOREACH(c, mcast_counts, &mg->counts)
		if (mode == MCAST_MODE_EXCLUDE ? c->ex == mg->nexclude && c->in == 0 : c->in > 0)
			sources[n++] = c->source;
	f = mcast_filter_new(mode, sources, n);
	free(sources);
	return f;
}

int
mcast_merge_change(struct mcast_merge *mg, const struct mcast_filter *from,
    const struct mcast_filter *to, unsigned max, const struct mcast_filter **merged)
{
	int error = counts_reserve(mg, to);

	*merged = NULL;
	if (error == 0) {
		counts_add(mg, to, 1);
		counts_add(mg, from, -1);
		if (to->n > 0 && counts_live(mg) > max)
			error = -ENOBUFS;
		else if ((*merged = counts_merge(mg)) == NULL)
			error = -ENOMEM;
		if (error != 0) {
			counts_add(mg, from, 1);
			counts_add(mg, to, -1);
		}
	}
	counts_sweep(mg);
	return error;
}

void
mcast_merge_leave(struct mcast_merge *mg, const struct mcast_filter *f)
{
	counts_add(mg, f, -1);
	counts_sweep(mg);
}

void
mcast_merge_init(struct mcast_merge *mg)
{
	RB_INIT(&mg->counts);
	mg->nexclude = 0;
}
