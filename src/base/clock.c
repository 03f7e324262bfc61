/*
 * clock.c - the clocks, and the table of workers.
 *
 * A live clock is CLOCK_MONOTONIC less its value when the process started. A virtual clock is a
 * number that sched.c moves. The wall clock that belongs to 0 is read once, so that captures of one
 * run agree with each other even if somebody sets the machine's clock.
 */
#include "base/clock.h"

#include "base/worker.h"

#include <string.h>
#include <time.h>

/* Virtual runs start at 2000-01-01 00:00:00 UTC: any fixed instant would do. */
static const uint64_t virtual_epoch_ns = UINT64_C(946684800) * NS_PER_SEC;

__thread struct worker *curworker;

static struct {
	_Alignas(64) struct worker w;
} workers[WORKERS_MAX];
static bool taken[WORKERS_MAX]; /* atomic: whoever sets it owns workers[id] */
static uint32_t attached;       /* atomic */

static uint64_t start_mono_ns; /* set before main */
static uint64_t start_real_ns;

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

__attribute__((constructor)) static void
clock_start(void)
{
	start_mono_ns = read_clock(CLOCK_MONOTONIC);
	start_real_ns = read_clock(CLOCK_REALTIME);
}

uint64_t
clock_real_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_update(void)
{
	if (curworker->mode == CLOCK_LIVE)
		curworker->now_ns = read_clock(CLOCK_MONOTONIC) - start_mono_ns;
	return curworker->now_ns;
}

uint64_t
clock_epoch_ns(void)
{
	if (curworker != NULL && curworker->mode == CLOCK_VIRTUAL)
		return virtual_epoch_ns;
	return start_real_ns;
}

struct worker *
worker_attach(uint32_t id, enum clock_mode mode)
{
	struct worker *w;

	if (id >= WORKERS_MAX || curworker != NULL ||
	    __atomic_exchange_n(&taken[id], true, __ATOMIC_ACQUIRE))
		return NULL;

	w = &workers[id].w;
	*w = (struct worker){ .id = id, .mode = mode };
	w->mcache = m_cache_open(id);
	w->wheel = callout_wheel_new(id);
	w->sched = sched_new();
	if (w->wheel == NULL || w->sched == NULL) {
		sched_free(w->sched);
		callout_wheel_free(w->wheel);
		m_cache_close(w->mcache);
		__atomic_store_n(&taken[id], false, __ATOMIC_RELEASE);
		return NULL;
	}
	__atomic_fetch_add(&attached, 1, __ATOMIC_RELAXED);
	curworker = w;
	clock_update();
	return w;
}

void
worker_detach(void)
{
	struct worker *w = curworker;

	if (w == NULL)
		return;
	/* Late calls may free packets and stop callouts: they run while there still is a worker. */
	rcu_thread_leave();
	sched_free(w->sched);
	callout_wheel_free(w->wheel);
	m_cache_close(w->mcache);
	curworker = NULL;
	__atomic_fetch_sub(&attached, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&taken[w->id], false, __ATOMIC_RELEASE);
}

uint32_t
worker_count(void)
{
	return __atomic_load_n(&attached, __ATOMIC_RELAXED);
}
