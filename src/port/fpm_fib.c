/*
 * fpm_fib.c - one prefix of the FIB is made equal to what a routing daemon wants of it.
 *
 * The daemon's paths are those flagged RTF_PROTO1. A prefix that has a route of anybody else is
 * left alone: an interface's own prefix and what a person has added are nearer to the truth than
 * what a daemon has heard.
 */
#include "port/fpm_fib.h"

#include "route/rib.h"

#include <errno.h>
#include <string.h>

static bool
is_ours(const struct rtentry *rt)
{
	return (rt->nh.flags & RTF_PROTO1_) && !(rt->nh.flags & (RTF_PINNED_ | RTF_LOCAL_));
}

static bool
leads_to(const struct rtentry *rt, const struct rt_request *rq)
{
	if ((rt->nh.flags ^ rq->flags) & (RTF_REJECT_ | RTF_BLACKHOLE_))
		return false;
	return rt->gateway.family == rq->gateway.family &&
	    memcmp(rt->gateway.addr, rq->gateway.addr, sizeof(rt->gateway.addr)) == 0 &&
	    (rq->ifp == NULL || rt->nh.ifp == rq->ifp);
}

static bool
is_wanted(const struct rtentry *rt, const struct fpm_wanted *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (leads_to(rt, &w->rq[i]))
			return true;
	return false;
}

/* Is one of these somebody else's: an interface's own, a person's? */
static bool
is_taken(const struct rtentry *rt)
{
	while (rt != NULL && is_ours(rt))
		rt = rib_next_path(rt);
	return rt != NULL;
}

/* --- paths out -------------------------------------------------------------------------------- */

/* The first of ours that is not wanted, or, if `all`, the first of ours; NULL = there is none. */
static struct rtentry *
path_to_remove(const struct fpm_wanted *w, bool all)
{
	struct rtentry *rt = rib_exact(w->fib, &w->dst);

	while (rt != NULL && (!is_ours(rt) || (!all && is_wanted(rt, w))))
		rt = rib_next_path(rt);
	return rt;
}

static void
paths_remove(const struct fpm_wanted *w, bool all)
{
	struct rtentry *rt;

	/* the very route: a request could mean two, one by a gateway and one without */
	while ((rt = path_to_remove(w, all)) != NULL)
		rib_remove(rt);
}

/* --- paths in --------------------------------------------------------------------------------- */

/* A path into the FIB, if it isn't there with its weight. 0 or -errno. */
static int
path_put(const struct fpm_wanted *w, const struct rt_request *rq)
{
	const struct rtentry *rt = rib_exact(w->fib, &w->dst);

	while (rt != NULL && !leads_to(rt, rq))
		rt = rib_next_path(rt);
	if (rt == NULL)
		return rib_add(rq, NULL);
	return rt->weight == rq->weight || rq->weight == 0 ? 0 : rib_change(rq, NULL);
}

/* Put in what is missing. True if all is there, or will not be for want of room. */
static bool
paths_put(const struct fpm_wanted *w, struct fpm_stats *stats, bool last_try)
{
	bool all = true;

	for (unsigned i = 0; i < w->n; i++) {
		int error = path_put(w, &w->rq[i]);

		if (error == -ENOSPC && last_try) {
			stats->left_out++;
		} else if (error != 0) {
			stats->rejected += last_try;
			all = false;
		}
	}
	return all;
}

/* One path takes the place of one other: the usual change, without a moment between them. */
static bool
path_replace(const struct fpm_wanted *w, const struct rtentry *rt)
{
	return w->n == 1 && rib_next_path(rt) == NULL && !leads_to(rt, &w->rq[0]) &&
	    !((rt->nh.flags | w->rq[0].flags) & (RTF_REJECT_ | RTF_BLACKHOLE_)) &&
	    rib_change(&w->rq[0], NULL) == 0;
}

/* The usual addition. */
static bool
path_first(const struct fpm_wanted *w, struct fpm_stats *stats)
{
	if (rib_add(&w->rq[0], NULL) == 0)
		return true;
	stats->rejected++;
	return false;
}

/* What drops packets stands alone: such a route can't be joined, nor join others. */
static bool
is_other_kind(const struct fpm_wanted *w, const struct rtentry *rt)
{
	return w->n > 0 && ((rt->nh.flags ^ w->rq[0].flags) & (RTF_REJECT_ | RTF_BLACKHOLE_)) != 0;
}

bool
fpm_fib_follow(const struct fpm_wanted *w, struct fpm_stats *stats)
{
	const struct rtentry *rt = rib_exact(w->fib, &w->dst);

	if (rt == NULL)
		return w->n == 1 ? path_first(w, stats) : paths_put(w, stats, true);
	if (is_taken(rt)) {
		paths_remove(w, true);
		return false;
	}
	if (path_replace(w, rt))
		return true;
	if (is_other_kind(w, rt))
		paths_remove(w, true);
	if (paths_put(w, stats, false)) {
		paths_remove(w, false);
		return true;
	}
	/* the old ones may have been in the way */
	paths_remove(w, false);
	return paths_put(w, stats, true);
}
