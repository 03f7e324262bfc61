/*
 * test_loop.c - the live loop: descriptors, the scheduler's time, watches that go while they are
 * served.
 */
#include "port/loop.h"

#include "base/callout.h"
#include "base/sched.h"
#include "control/process.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

static int pipes[2][2];
static struct loop_watch *watches[2];
static int calls[2];

static int
setup(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(process_start(CLOCK_LIVE, 1, NULL, &why), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		calls[i] = 0;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	process_stop();
	for (int i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	return 0;
}

static void
make_readable(int i)
{
	assert_int_equal(write(pipes[i][1], "x", 1), 1);
}

static bool
is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void
on_readable(void *ctx, uint32_t events)
{
	int *n = ctx;
	char byte;

	assert_true(events & EPOLLIN);
	++*n;
	assert_int_equal(read(pipes[n - calls][0], &byte, 1), 1);
}

static void
test_loop_serves_the_descriptor_that_is_ready_and_no_other(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_non_null(loop_watch_add(pipes[i][0], EPOLLIN, on_readable, &calls[i]));
	make_readable(1);
	loop_turn(NS_NEVER);
	assert_int_equal(calls[0], 0);
	assert_int_equal(calls[1], 1);
}

static void
test_loop_turn_without_a_wait_returns_when_nothing_is_ready(void **state)
{
	(void)state;
	assert_non_null(loop_watch_add(pipes[0][0], EPOLLIN, on_readable, &calls[0]));
	loop_turn(0);
	assert_int_equal(calls[0], 0);
}

static void
fired(void *arg)
{
	*(uint64_t *)arg = clock_now();
}

static void
test_loop_runs_a_callout_at_its_time_and_not_before(void **state)
{
	uint64_t at = 0, start = clock_update();
	struct callout c;

	(void)state;
	callout_init(&c, NULL, fired, &at);
	callout_reset(&c, 3 * NS_PER_MS);
	while (at == 0)
		loop_turn(NS_NEVER);
	assert_true(at >= start + 3 * NS_PER_MS);
}

static void
test_loop_waits_no_longer_than_it_is_told(void **state)
{
	uint64_t at = 0, start = clock_update();
	struct callout c;

	(void)state;
	callout_init(&c, NULL, fired, &at);
	callout_reset(&c, 3600 * NS_PER_SEC);
	loop_turn(2 * NS_PER_MS);
	assert_true(clock_now() >= start + 2 * NS_PER_MS);
	assert_int_equal(at, 0);
	callout_drain(&c);
}

static void
test_loop_fd_wakes_for_a_timer_that_was_set_after_it_was_asked_for(void **state)
{
	struct pollfd pfd = { .events = POLLIN };
	uint64_t at = 0;
	struct callout c;

	(void)state;
	pfd.fd = loop_fd();
	assert_true(pfd.fd >= 0);
	assert_false(is_readable(pfd.fd));
	callout_init(&c, NULL, fired, &at);
	callout_reset(&c, 2 * NS_PER_MS);
	loop_arm();
	assert_int_equal(poll(&pfd, 1, -1), 1);
	while (at == 0)
		loop_turn(0);
	assert_false(is_readable(pfd.fd));
}

static void
test_loop_fd_wakes_for_a_descriptor(void **state)
{
	(void)state;
	assert_non_null(loop_watch_add(pipes[0][0], EPOLLIN, on_readable, &calls[0]));
	assert_false(is_readable(loop_fd()));
	make_readable(0);
	assert_true(is_readable(loop_fd()));
	loop_turn(0);
	assert_false(is_readable(loop_fd()));
}

/* Whichever is served first removes both. */
static void
remove_both(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;
	calls[0]++;
	loop_watch_remove(watches[0]);
	loop_watch_remove(watches[1]);
}

static void
test_loop_does_not_serve_a_watch_that_an_earlier_one_has_removed(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		watches[i] = loop_watch_add(pipes[i][0], EPOLLIN, remove_both, NULL);
		assert_non_null(watches[i]);
		make_readable(i);
	}
	loop_turn(0);
	loop_turn(0);
	assert_int_equal(calls[0], 1);
}

static void
test_loop_watch_change_decides_what_is_waited_for(void **state)
{
	struct loop_watch *w = loop_watch_add(pipes[0][0], EPOLLIN, on_readable, &calls[0]);

	(void)state;
	assert_non_null(w);
	make_readable(0);
	loop_watch_change(w, 0);
	loop_turn(0);
	assert_int_equal(calls[0], 0);
	loop_watch_change(w, EPOLLIN);
	loop_turn(0);
	assert_int_equal(calls[0], 1);
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop();
}

static void
test_loop_runs_until_it_is_stopped_and_can_run_again(void **state)
{
	struct callout c;

	(void)state;
	callout_init(&c, NULL, stop, NULL);
	for (int i = 0; i < 2; i++) {
		callout_reset(&c, NS_PER_MS);
		loop_run();
		assert_false(callout_armed(&c));
	}
}

static void
test_loop_watch_of_a_closed_descriptor_is_refused(void **state)
{
	(void)state;
	assert_null(loop_watch_add(-1, EPOLLIN, on_readable, &calls[0]));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_loop_serves_the_descriptor_that_is_ready_and_no_other),
		T(test_loop_turn_without_a_wait_returns_when_nothing_is_ready),
		T(test_loop_runs_a_callout_at_its_time_and_not_before),
		T(test_loop_waits_no_longer_than_it_is_told),
		T(test_loop_fd_wakes_for_a_timer_that_was_set_after_it_was_asked_for),
		T(test_loop_fd_wakes_for_a_descriptor),
		T(test_loop_does_not_serve_a_watch_that_an_earlier_one_has_removed),
		T(test_loop_watch_change_decides_what_is_waited_for),
		T(test_loop_runs_until_it_is_stopped_and_can_run_again),
		T(test_loop_watch_of_a_closed_descriptor_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
