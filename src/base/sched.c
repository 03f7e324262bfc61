/*
 * sched.c - the order of things.
 *
 * Two floors of binary heaps: a worker's domains by the time of their earliest source, and in each
 * domain its sources. All ties are broken by the order of creation, so no address decides anything.
 *
 * Virtual time goes in windows. With T the earliest thing to do:
 *
 *	callouts at T		first, one by one
 *	W = min(T + lookahead, next callout, until), at least T + 1
 *	domains before W	each runs up to W before the next one starts
 *
 * The lookahead is never more than the shortest delay of a callout, so what a window arms lies
 * behind it. Between domains of one window the clock goes back; outside it never does.
 */
#include "base/sched.h"

#include "base/callout.h"
#include "base/worker.h"

#include <assert.h>
#include <stdlib.h>

/* An entry of a heap; `index` is where the item wants to know its place. */
struct entry {
	uint64_t ns;
	uint64_t seq;
	uint32_t *index;
	void *item;
};

struct heap {
	struct entry *e;
	uint32_t n, room;
};

struct sched_domain {
	struct heap sources;
	struct sched *sched;
	uint64_t seq;
	uint32_t heap_index;
	bool serial;
};

struct sched {
	struct heap domains; /* every domain, also those that have nothing to do */
	struct sched_domain *common;
	struct sched_domain *running; /* in a window: whose turn it is; its key is out of date */
	struct sched_source *source;  /* the one that runs, NULL once removed */
	uint64_t seq;
	uint64_t lookahead_ns;
	uint64_t floor_ns;  /* T: nothing may happen before it any more */
	uint64_t window_ns; /* W while a domain runs */
	uint64_t latest_ns; /* of all clocks so far */
	bool inside, stop;
};

bool (*sched_drain)(void);
uint32_t sched_max_batch = 64;

static inline bool
is_before(const struct entry *a, const struct entry *b)
{
	return a->ns != b->ns ? a->ns < b->ns : a->seq < b->seq;
}

static inline void
heap_place(struct heap *h, uint32_t i, struct entry e)
{
	h->e[i] = e;
	*e.index = i;
}

static void
heap_up(struct heap *h, uint32_t i, struct entry e)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 2;

		if (!is_before(&e, &h->e[parent]))
			break;
		heap_place(h, i, h->e[parent]);
		i = parent;
	}
	heap_place(h, i, e);
}

static void
heap_down(struct heap *h, uint32_t i, struct entry e)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && is_before(&h->e[child + 1], &h->e[child]))
			child++;
		if (!is_before(&h->e[child], &e))
			break;
		heap_place(h, i, h->e[child]);
		i = child;
	}
	heap_place(h, i, e);
}

/* The item at i has a new time. */
static inline void
heap_move(struct heap *h, uint32_t i, uint64_t ns)
{
	struct entry e = h->e[i];
	bool earlier = ns < e.ns;

	if (ns == e.ns)
		return;
	e.ns = ns;
	if (earlier)
		heap_up(h, i, e);
	else
		heap_down(h, i, e);
}

static bool
heap_insert(struct heap *h, struct entry e)
{
	if (h->n == h->room) {
		uint32_t room = h->room > 0 ? h->room * 2 : 4;
		struct entry *more = realloc(h->e, room * sizeof(*more));

		if (more == NULL)
			return false;
		h->e = more;
		h->room = room;
	}
	heap_up(h, h->n++, e);
	return true;
}

static void
heap_remove(struct heap *h, uint32_t i)
{
	struct entry last = h->e[--h->n];

	if (i == h->n)
		return;
	if (is_before(&last, &h->e[i]))
		heap_up(h, i, last);
	else
		heap_down(h, i, last);
}

static inline uint64_t
heap_first_ns(const struct heap *h)
{
	return h->n > 0 ? h->e[0].ns : NS_NEVER;
}

/* Earliest of all but the first: one of its two children. */
static inline uint64_t
heap_second_ns(const struct heap *h)
{
	uint64_t ns = NS_NEVER;

	if (h->n > 1)
		ns = h->e[1].ns;
	if (h->n > 2 && h->e[2].ns < ns)
		ns = h->e[2].ns;
	return ns;
}

/* A domain's earliest source may have changed. While it runs that waits until it has ended. */
static inline void
domain_sync(struct sched *sc, struct sched_domain *d)
{
	if (d != sc->running)
		heap_move(&sc->domains, d->heap_index, heap_first_ns(&d->sources));
}

static struct sched_domain *
domain_new(struct sched *sc, bool serial)
{
	struct sched_domain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->sched = sc;
	d->serial = serial;
	d->seq = sc->seq++;
	if (!heap_insert(&sc->domains, (struct entry){ NS_NEVER, d->seq, &d->heap_index, d })) {
		free(d);
		return NULL;
	}
	return d;
}

struct sched *
sched_new(void)
{
	struct sched *sc = calloc(1, sizeof(*sc));

	if (sc == NULL)
		return NULL;
	sc->common = domain_new(sc, true);
	if (sc->common == NULL) {
		free(sc->domains.e);
		free(sc);
		return NULL;
	}
	return sc;
}

void
sched_free(struct sched *sc)
{
	if (sc == NULL)
		return;
	while (sc->domains.n > 0) {
		struct sched_domain *d = sc->domains.e[--sc->domains.n].item;

		free(d->sources.e);
		free(d);
	}
	free(sc->domains.e);
	free(sc);
}

struct sched_domain *
sched_domain_new(bool serial)
{
	return domain_new(curworker->sched, serial);
}

void
sched_domain_set_serial(struct sched_domain *d, bool serial)
{
	d->serial = serial;
}

void
sched_domain_free(struct sched_domain *d)
{
	struct sched *sc;

	if (d == NULL)
		return;
	sc = d->sched;
	assert(d->sources.n == 0 && d != sc->common);
	if (sc->running == d)
		sc->running = NULL;
	heap_remove(&sc->domains, d->heap_index);
	free(d->sources.e);
	free(d);
}

/*
 * A time that is about to be put into a domain. Nothing happens before the window; and in another
 * domain than the one that runs, nothing before its end: else the lookahead said too much.
 */
static inline void
check_time(const struct sched *sc, const struct sched_domain *d, uint64_t ns)
{
	if (curworker->mode != CLOCK_VIRTUAL)
		return;
	assert(ns >= sc->floor_ns);
	if (sc->running != NULL && d != sc->running && sc->lookahead_ns > 0)
		assert(ns >= sc->window_ns);
}

void
sched_add(struct sched_source *src, struct sched_domain *d)
{
	struct sched *sc = curworker->sched;

	if (d == NULL)
		d = sc->common;
	assert(d->sched == sc);
	check_time(sc, d, src->next_ns);
	src->domain = d;
	src->seq = sc->seq++;
	/*
	 * Nobody could go on without: a source that is not there is a link that loses everything.
	 */
	if (!heap_insert(
		&d->sources, (struct entry){ src->next_ns, src->seq, &src->heap_index, src }))
		abort();
	domain_sync(sc, d);
}

void
sched_remove(struct sched_source *src)
{
	struct sched_domain *d = src->domain;
	struct sched *sc;

	if (d == NULL)
		return;
	sc = d->sched;
	heap_remove(&d->sources, src->heap_index);
	src->domain = NULL;
	if (sc->source == src)
		sc->source = NULL;
	domain_sync(sc, d);
}

void
sched_update(struct sched_source *src, uint64_t next_ns)
{
	struct sched_domain *d = src->domain;
	struct sched *sc = d->sched;

	src->next_ns = next_ns;
	/* Its own run goes on and has the last word. */
	if (src == sc->source)
		return;
	check_time(sc, d, next_ns);
	heap_move(&d->sources, src->heap_index, next_ns);
	domain_sync(sc, d);
}

void
sched_set_lookahead(uint64_t ns)
{
	curworker->sched->lookahead_ns = ns;
}

uint64_t
sched_lookahead(void)
{
	return curworker->sched->lookahead_ns;
}

uint64_t
sched_next(void)
{
	uint64_t sources_ns = heap_first_ns(&curworker->sched->domains), callouts_ns;

	/*
	 * Live, a bound will do: whoever waits is woken at most once a level of the wheel too
	 * early.
	 */
	callouts_ns = callout_bound();
	if (curworker->mode == CLOCK_VIRTUAL && callouts_ns < sources_ns)
		callouts_ns = callout_next();
	return callouts_ns < sources_ns ? callouts_ns : sources_ns;
}

void
sched_stop(void)
{
	curworker->sched->stop = true;
}

static inline void
drain(void)
{
	if (sched_drain != NULL)
		while (sched_drain())
			;
}

static inline uint64_t
ns_add(uint64_t t_ns, uint64_t delta_ns)
{
	return t_ns < NS_NEVER - delta_ns ? t_ns + delta_ns : NS_NEVER;
}

/* One run of the domain's first source. */
static inline void
source_run(struct sched *sc, struct sched_domain *d, uint64_t until_ns)
{
	struct sched_source *src = d->sources.e[0].item;

	sc->source = src;
	src->run(src, until_ns);
	if (sc->source != NULL) {
		sc->source = NULL;
		heap_move(&d->sources, src->heap_index, src->next_ns);
	}
}

/* Everything of one domain before W; returns the number of runs. W shrinks if a callout comes. */
static uint64_t
domain_run(struct sched *sc, struct sched_domain *d, uint64_t *window_ns)
{
	uint64_t t_ns, until_ns, callout_ns, runs = 0;

	sc->running = d;
	while ((t_ns = heap_first_ns(&d->sources)) < *window_ns && !sc->stop) {
		if (d->serial) {
			until_ns = t_ns + 1;
		} else {
			until_ns = heap_second_ns(&d->sources);
			if (until_ns <= t_ns)
				until_ns = t_ns + 1;
			if (until_ns > *window_ns)
				until_ns = *window_ns;
		}
		curworker->now_ns = t_ns;
		if (t_ns > sc->latest_ns)
			sc->latest_ns = t_ns;
		source_run(sc, d, until_ns);
		drain();
		runs++;
		/* The domain may have gone in its own run. */
		if (sc->running == NULL)
			return runs;
		if (callout_bound() < *window_ns && (callout_ns = callout_next()) < *window_ns)
			sc->window_ns = *window_ns = callout_ns;
	}
	sc->running = NULL;
	domain_sync(sc, d);
	return runs;
}

static uint64_t
run_virtual(struct sched *sc, uint64_t until_ns)
{
	uint64_t runs = 0;

	while (!sc->stop) {
		uint64_t t_ns = heap_first_ns(&sc->domains), callout_ns = callout_bound();
		uint64_t lookahead_ns = sc->lookahead_ns, window_ns;

		if (callout_ns <= t_ns || callout_ns < ns_add(t_ns, CALLOUT_MIN_NS))
			callout_ns = callout_next();
		if (callout_ns < t_ns)
			t_ns = callout_ns;
		if (t_ns >= until_ns)
			break;
		sc->floor_ns = t_ns;
		callout_advance(t_ns);

		if (callout_ns == t_ns) {
			curworker->now_ns = t_ns;
			if (t_ns > sc->latest_ns)
				sc->latest_ns = t_ns;
			callout_run_one(t_ns);
			drain();
			runs++;
			continue;
		}

		if (lookahead_ns > CALLOUT_MIN_NS)
			lookahead_ns = CALLOUT_MIN_NS;
		window_ns = ns_add(t_ns, lookahead_ns > 0 ? lookahead_ns : 1);
		if (window_ns > callout_ns)
			window_ns = callout_ns;
		if (window_ns > until_ns)
			window_ns = until_ns;
		sc->window_ns = window_ns;
		while (heap_first_ns(&sc->domains) < window_ns && !sc->stop)
			runs += domain_run(sc, sc->domains.e[0].item, &window_ns);
	}
	/* Inside a window the clock went to and fro; the caller sees it going on only. */
	if (until_ns != NS_NEVER && !sc->stop && until_ns > sc->latest_ns)
		sc->latest_ns = until_ns;
	if (!sc->stop && sc->latest_ns > sc->floor_ns)
		sc->floor_ns = sc->latest_ns;
	curworker->now_ns = sc->latest_ns;
	return runs;
}

static uint64_t
run_live(struct sched *sc)
{
	uint64_t now_ns = clock_update(), runs = 0;

	while (!sc->stop) {
		uint64_t source_ns = heap_first_ns(&sc->domains), callout_ns = callout_bound();

		if (callout_ns <= now_ns)
			callout_ns = callout_next();
		if (callout_ns <= now_ns && callout_ns <= source_ns) {
			callout_run_one(now_ns);
		} else if (source_ns <= now_ns) {
			struct sched_domain *d = sc->domains.e[0].item;

			sc->running = d;
			source_run(sc, d, now_ns + 1);
			if (sc->running == d) {
				sc->running = NULL;
				domain_sync(sc, d);
			}
		} else {
			break;
		}
		drain();
		runs++;
	}
	callout_advance(now_ns);
	return runs;
}

uint64_t
sched_run(uint64_t until_ns)
{
	struct sched *sc = curworker->sched;
	uint64_t runs;

	assert(!sc->inside);
	sc->inside = true;
	sc->stop = false;
	if (sc->latest_ns < clock_now())
		sc->latest_ns = clock_now();
	/* What a command has left behind comes before the clock moves. */
	drain();
	runs = curworker->mode == CLOCK_VIRTUAL ? run_virtual(sc, until_ns) : run_live(sc);
	sc->inside = false;
	return runs;
}
