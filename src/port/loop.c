/*
 * loop.c - the live loop: descriptors by epoll, time by one timerfd in the same epoll set.
 *
 * The timerfd stands at the scheduler's next event, so that the epoll descriptor alone says when
 * there is something to do; that is what a program with a loop of its own polls. A turn serves the
 * descriptors that are ready, then everything that is due by the clock, then what RCU has ripe.
 *
 * A callback may remove any watch, its own too: a removed one is only marked, and freed at the end
 * of the turn. It may not turn the loop again.
 */
#include "port/loop.h"

#include "base/rcu.h"
#include "base/sched.h"

#include <assert.h>
#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * Descriptors served in one turn: enough that many idle ones cost one system call, few enough that
 * timers keep their time.
 */
enum { LOOP_EVENTS = 64 };

struct loop_watch {
	LIST_ENTRY(loop_watch) link; /* of watches, or of dead ones */
	void (*fn)(void *ctx, uint32_t events);
	void *ctx;
	int fd;
	bool dead;
};
LIST_HEAD(watchlist, loop_watch);

/* One per worker, made at its first use, so a thread's own. */
struct loop {
	int epoll_fd, timer_fd;
	uint64_t armed_ns; /* where the timer stands, by clock_now(); NS_NEVER = not armed */
	bool turning;
	bool stop;
	bool external; /* somebody polls loop_fd(): keep the timer right between turns */
	struct watchlist watches, dead;
};

static __thread struct loop *loop;

static int
loop_open(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	struct loop *l;
	int saved;

	if (loop != NULL)
		return 0;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -1;
	LIST_INIT(&l->watches);
	LIST_INIT(&l->dead);
	l->armed_ns = NS_NEVER;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->epoll_fd >= 0 && l->timer_fd >= 0 &&
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &ev) == 0) {
		loop = l;
		return 0;
	}
	saved = errno;
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	free(l);
	errno = saved;
	return -1;
}

/* Put the timer at when_ns of the worker's clock. A system call only where it stands elsewhere. */
static void
loop_set_timer(uint64_t when_ns)
{
	struct itimerspec its = {};

	if (when_ns == loop->armed_ns)
		return;
	if (when_ns != NS_NEVER) {
		uint64_t now = clock_update();
		/* All zero would disarm it: what is due already fires 1 ns from now. */
		uint64_t in = when_ns > now ? when_ns - now : 1;

		its.it_value.tv_sec = (time_t)(in / NS_PER_SEC);
		its.it_value.tv_nsec = (long)(in % NS_PER_SEC);
	}
	if (timerfd_settime(loop->timer_fd, 0, &its, NULL) == 0)
		loop->armed_ns = when_ns;
}

struct loop_watch *
loop_watch_add(int fd, uint32_t events, void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	struct epoll_event ev = { .events = events };
	struct loop_watch *w;

	if (loop_open() != 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->fn = fn;
	w->ctx = ctx;
	w->fd = fd;
	ev.data.ptr = w;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		int saved = errno;

		free(w);
		errno = saved;
		return NULL;
	}
	LIST_INSERT_HEAD(&loop->watches, w, link);
	return w;
}

void
loop_watch_change(struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_watch_remove(struct loop_watch *w)
{
	if (w == NULL)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	LIST_REMOVE(w, link);
	w->dead = true;
	if (loop->turning)
		LIST_INSERT_HEAD(&loop->dead, w, link);
	else
		free(w);
}

static void
loop_bury(void)
{
	struct loop_watch *w;

	while ((w = LIST_FIRST(&loop->dead)) != NULL) {
		LIST_REMOVE(w, link);
		free(w);
	}
}

int
loop_fd(void)
{
	if (loop_open() != 0)
		return -1;
	loop->external = true;
	loop_arm();
	return loop->epoll_fd;
}

void
loop_arm(void)
{
	if (loop != NULL && loop->external)
		loop_set_timer(sched_next());
}

/* Serve what epoll reported. */
static void
loop_serve(const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = ev[i].data.ptr;

		if (w == NULL) {
			uint64_t times;

			/*
			 * The timer has done its work by waking us; reading makes it quiet again.
			 */
			if (read(loop->timer_fd, &times, sizeof(times)) == (ssize_t)sizeof(times))
				loop->armed_ns = NS_NEVER;
		} else if (!w->dead) {
			w->fn(w->ctx, ev[i].events);
		}
	}
}

void
loop_turn(uint64_t max_wait_ns)
{
	struct epoll_event ev[LOOP_EVENTS];
	uint64_t now, until;
	int n, timeout = -1;

	if (loop_open() != 0)
		return;
	now = clock_update();
	until = sched_next();
	if (max_wait_ns < NS_NEVER - now && now + max_wait_ns < until)
		until = now + max_wait_ns;
	if (until <= now)
		timeout = 0;
	else
		loop_set_timer(until);

	assert(!loop->turning);
	loop->turning = true;
	n = epoll_wait(loop->epoll_fd, ev, LOOP_EVENTS, timeout);
	clock_update();
	loop_serve(ev, n);
	/* What the descriptors brought in lies in netisr's queues. */
	if (n > 0 && sched_drain != NULL)
		while (sched_drain())
			;
	sched_run(clock_update());
	rcu_poll();
	loop->turning = false;
	loop_bury();
	loop_arm();
}

void
loop_run(void)
{
	if (loop_open() != 0)
		return;
	while (!loop->stop)
		loop_turn(NS_NEVER);
	loop->stop = false;
}

void
loop_stop(void)
{
	/* Also called by signal handlers: nothing is made here. */
	if (loop != NULL)
		loop->stop = true;
}

void
loop_fini(void)
{
	struct loop_watch *w;

	if (loop == NULL)
		return;
	while ((w = LIST_FIRST(&loop->watches)) != NULL)
		loop_watch_remove(w);
	loop_bury();
	close(loop->epoll_fd);
	close(loop->timer_fd);
	free(loop);
	loop = NULL;
}
