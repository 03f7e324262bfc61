/*
 * run_line.c - a command to its end, in whatever time the process has.
 */
#include "control/run_line.h"

#include "base/sched.h"
#include "port/loop.h"

#include <stddef.h>

struct waiter {
	const struct verb_io *io;
	struct verb_run *run; /* NULL before verb_exec has returned it and after its end */
	int status;
	bool done;
};

static void
waiter_out(void *ctx, const char *bytes, size_t len)
{
	struct waiter *w = ctx;

	if (w->io->out != NULL)
		w->io->out(w->io->ctx, bytes, len);
}

static void
waiter_err(void *ctx, const char *bytes, size_t len)
{
	struct waiter *w = ctx;

	if (w->io->err != NULL)
		w->io->err(w->io->ctx, bytes, len);
}

static void
waiter_done(void *ctx, int status)
{
	struct waiter *w = ctx;

	w->status = status;
	w->done = true;
	if (w->run != NULL) {
		w->run = NULL;
		/* The run ended inside of an event: time stands still here. */
		sched_stop();
	}
	if (w->io->done != NULL)
		w->io->done(w->io->ctx, status);
}

/*
 * One step of waiting; false when nothing more will happen by itself. In virtual time a step is
 * bounded: a ^C that comes just before sched_run begins stops nothing, and is seen after the step.
 */
static bool
wait_step(void)
{
	uint64_t next_ns;

	if (curworker->mode == CLOCK_LIVE) {
		loop_turn(NS_NEVER);
		return true;
	}
	next_ns = sched_next();
	if (next_ns == NS_NEVER)
		return false;
	sched_run(next_ns + NS_PER_SEC);
	return true;
}

int
run_words(int argc, char *const argv[], struct prison *prison, const struct verb_io *io,
    const volatile int *interrupted)
{
	struct waiter w = { .io = io };
	const struct verb_io mine = { waiter_out, waiter_err, waiter_done, &w, io->json,
		io->is_tty };
	bool cancelled = false;
	struct verb_run *run;

	run = verb_exec(argc, argv, prison, 0, &mine);
	if (!w.done)
		w.run = run;
	while (!w.done) {
		bool going = wait_step();

		if (w.done || (going && (interrupted == NULL || !*interrupted)))
			continue;
		/*
		 * A cancelled run may take its time (a last answer), but not when there is none
		 * left.
		 */
		run = w.run;
		if (!cancelled) {
			cancelled = true;
			verb_cancel(run);
		} else if (!going) {
			verb_finish(run, 130);
		}
	}
	return w.status;
}
