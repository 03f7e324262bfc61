/*
 * loop.h - the live loop of one worker: descriptors by epoll, time by the scheduler.
 *
 * One turn: wait until a descriptor is ready or the scheduler's next event is due (at most
 * max_wait_ns), read the clock, serve descriptors, run the scheduler, poll RCU. An embedding
 * program has its own loop: it polls loop_fd() and calls loop_turn(0) when it is readable.
 */
#ifndef WARREN_PORT_LOOP_H
#define WARREN_PORT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop_watch;
/* events: EPOLLIN, EPOLLOUT. fn may remove any watch. NULL with errno. */
struct loop_watch *loop_watch_add(
    int fd, uint32_t events, void (*fn)(void *ctx, uint32_t events), void *ctx);
void loop_watch_change(struct loop_watch *w, uint32_t events);
void loop_watch_remove(struct loop_watch *w); /* does not close fd */

/* Becomes readable when there is something to do (a descriptor, or a timer). -1 with errno. */
int loop_fd(void);
/*
 * For loops of others: something was scheduled outside of a turn; loop_fd() shall wake in time for
 * it.
 */
void loop_arm(void);
/* One turn, waiting at most max_wait_ns (NS_NEVER: as long as it takes). */
void loop_turn(uint64_t max_wait_ns);
/* Turns until loop_stop(). */
void loop_run(void);
void loop_stop(void);
void loop_fini(void);

#endif
