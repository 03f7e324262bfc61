/*
 * lab_run.c - a run, from its first moment to the verdict.
 *
 *	until the traffic's end		stop at each time that matters: an entry of the timeline, a window's
 *					end, a command's time; in between the scheduler runs
 *	settling			what is under way arrives
 *	the verdict			figures, then commands, then requested beside achieved
 *
 * In between, time goes in slices, so that captures are written and the status line moves. A slice
 * is as long as simulated time says, never the real clock: the run is the same on every machine.
 */
#include "kern/drop.h"
#include "lab/lab_metric.h"
#include "lab/lab_model.h"
#include "lab/lab_series.h"
#include "port/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE_NS (10 * NS_PER_MS)
/* With packets still in flight settling goes on, but not for ever. */
enum { SETTLE_ROUNDS = 60 };
/* A command that an expectation waits for gets so long, simulated. */
#define COMMAND_NS (600 * NS_PER_SEC)
#define STATUS_REAL_NS (200 * NS_PER_MS)

uint64_t
lab_hops(const struct lab *lab)
{
	const struct lab_link *l;
	uint64_t n = 0;

	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned side = 0; side < 2; side++)
			if (l->end[side].ifp != NULL)
				n += l->end[side].ifp->if_data.ipackets;
	return n;
}

uint64_t
lab_drops(const struct lab *lab)
{
	const struct lab_node *node;
	uint64_t n = 0;

	STAILQ_FOREACH(node, &lab->nodes, next)
		if (node->prison != NULL)
			n += drop_total(node->prison->vnet);
	return n;
}

/* --- the status line -------------------------------------------------------------------------- */

static void
status_line(struct lab *lab, bool last)
{
	static uint64_t begun_real_ns;
	uint64_t real = clock_real_ns(), hops;
	char now[LAB_UNIT_TEXT];

	if (lab->opt.quiet || !isatty(STDERR_FILENO))
		return;
	if (lab->status_real_ns == 0)
		begun_real_ns = lab->status_real_ns = real;
	if (!last && real - lab->status_real_ns < STATUS_REAL_NS)
		return;
	lab->status_real_ns = real;
	hops = lab_hops(lab);
	real = real > begun_real_ns ? real - begun_real_ns : 1;
	fprintf(stderr, "\r\033[K%s: %s, %.1fx real time, %.3g packet-hops/s, %" PRIu64 " drops%s",
	    lab->name, lab_unit_text(LAB_TIME, (double)(clock_now() / NS_PER_MS * NS_PER_MS), now),
	    (double)clock_now() / (double)real, (double)hops * 1e9 / (double)real, lab_drops(lab),
	    last ? "\n" : "");
}

static void
captures_flush(struct lab *lab)
{
	struct lab_capture *c;

	STAILQ_FOREACH(c, &lab->captures, next)
		if (c->cap != NULL)
			capture_flush(c->cap, clock_now());
}

/* --- virtual time ----------------------------------------------------------------------------- */

/* Everything before `until`; less if the run was interrupted. */
static void
run_to(struct lab *lab, uint64_t until)
{
	while (clock_now() < until && !lab->interrupted) {
		uint64_t next = sched_next(), target = until;

		if (next < clock_now())
			next = clock_now();
		if (next < until && until - next > SLICE_NS)
			target = next + SLICE_NS;
		if (target == NS_NEVER)
			break;
		sched_run(target);
		captures_flush(lab);
		status_line(lab, false);
	}
}

/* Do what is due now, in this order: counters, timeline, commands of expectations. */
static void
fire_due(struct lab *lab)
{
	uint64_t now = clock_now();

	lab_expect_read(lab, now);
	lab_series_read(lab, now);
	while (lab->next_event < lab->nevents && lab->event[lab->next_event]->at_ns <= now)
		lab_timeline_fire(lab, lab->event[lab->next_event++]);
	lab_expect_start(lab, now);
}

/* The next time that matters, the run's end at the latest. */
static uint64_t
next_stop(const struct lab *lab, uint64_t end)
{
	uint64_t stop = lab_expect_next(lab, clock_now()), look = lab_series_next(lab, clock_now());

	if (look < stop && sched_next() != NS_NEVER)
		stop = look;
	if (lab->next_event < lab->nevents && lab->event[lab->next_event]->at_ns < stop)
		stop = lab->event[lab->next_event]->at_ns;
	return stop < end ? stop : end;
}

static void
run_traffic(struct lab *lab)
{
	fire_due(lab);
	while (!lab->interrupted) {
		if (lab->end_ns != NS_NEVER) {
			if (clock_now() >= lab->end_ns)
				break;
			run_to(lab, next_stop(lab, lab->end_ns));
		} else {
			/* The end is when the flows say so: look after each slice. */
			uint64_t stop = next_stop(lab, NS_NEVER), next = sched_next();

			if (clock_now() >= lab->known_end_ns && lab_traffic_ended(lab))
				break;
			if (next == NS_NEVER && stop == NS_NEVER)
				break;
			if (next < clock_now())
				next = clock_now();
			run_to(lab, next < stop && stop - next > SLICE_NS ? next + SLICE_NS : stop);
		}
		fire_due(lab);
	}
	lab->end_ns = clock_now();
}

static bool
in_flight(struct lab *lab)
{
	struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next) {
		for (unsigned side = 0; side < 2; side++) {
			struct pipe_stats st;

			lab_way_stats(&l->end[side], &st);
			if (st.in_packets > st.out_packets + st.drop_queue + st.drop_loss)
				return true;
		}
	}
	return lab_series_busy(lab);
}

static void
settle(struct lab *lab)
{
	for (unsigned i = 0; i < SETTLE_ROUNDS && !lab->interrupted && (i == 0 || in_flight(lab));
	     i++)
		run_to(lab, clock_now() + LAB_SETTLE_NS + lab_series_delay(lab));
}

static void
settle_live(struct lab *lab)
{
	uint64_t limit = clock_now() + LAB_SETTLE_NS;

	while (clock_update() < limit && in_flight(lab))
		loop_turn(SLICE_NS);
}

/* --- the verdict ------------------------------------------------------------------------------ */

static void
judge_commands(struct lab *lab)
{
	struct lab_expect *x;

	STAILQ_FOREACH(x, &lab->expects, next) {
		uint64_t limit = clock_now() + COMMAND_NS;

		if (x->run == NULL)
			continue;
		if (x->exec == NULL && x->at_ns == NS_NEVER)
			x->exec = lab_exec_start(lab, x->node, x->run, x->line, -1);
		if (lab->opt.live) {
			while (x->exec != NULL && !x->exec->done && clock_update() < limit)
				loop_turn(SLICE_NS);
		} else {
			while (x->exec != NULL && !x->exec->done && clock_now() < limit &&
			    !lab->interrupted)
				run_to(lab, clock_now() + SLICE_NS);
		}
		lab_expect_judge_command(lab, x);
	}
}

static void
finals_read(struct lab *lab)
{
	struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next)
		for (unsigned side = 0; side < 2; side++)
			lab_way_stats(&l->end[side], &l->end[side].final);
}

static uint32_t
failures(const struct lab *lab)
{
	const struct lab_expect *x;
	const struct lab_exec *e;
	const struct lab_diff *d;
	uint32_t n = 0;

	STAILQ_FOREACH(x, &lab->expects, next)
		n += !x->holds;
	STAILQ_FOREACH(e, &lab->execs, next)
		n += !lab_exec_ok(e);
	STAILQ_FOREACH(d, &lab->diffs, next)
		n++;
	return n;
}

static void
file_write(void *ctx, const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, ctx);
}

/* The report as a file of the run's folder. 0 or -errno. */
static int
report_write(struct lab *lab, const char *name, enum emit_form form)
{
	const char *path = lab_printf(lab, "%s/%s", lab->out_dir, name);
	FILE *out = fopen(path, "we");
	struct emitter *e;
	int error = 0;

	if (out == NULL)
		return -errno;
	e = emitter_new(form, file_write, out);
	if (e != NULL) {
		emit_object(e, NULL);
		lab_report(lab, e);
		emit_end(e);
		emitter_free(e);
	}
	if (ferror(out))
		error = -EIO;
	if (fclose(out) != 0 && error == 0)
		error = -errno;
	return error;
}

static int
finish(struct lab *lab)
{
	const struct lab_capture *c;
	int error = 0;

	lab->stopped_ns = lab->end_ns;
	lab_expect_end(lab);
	lab_link_close(lab);
	if (lab->opt.live)
		settle_live(lab);
	else
		settle(lab);
	finals_read(lab);
	lab->hops = lab_hops(lab);
	lab->drops = lab_drops(lab);
	lab_expect_judge(lab);
	lab_check(lab);
	judge_commands(lab);
	status_line(lab, true);
	lab_exec_end(lab);
	lab_captures_end(lab);
	lab->nfailed = failures(lab);
	lab->built = LAB_RAN;
	STAILQ_FOREACH(c, &lab->captures, next) {
		if (c->error != 0) {
			fprintf(stderr, "%s:%u: capture %s: %s\n", lab->file, c->line, c->file,
			    strerror(-c->error));
			error = c->error;
		}
	}
	if (lab->out_dir != NULL && (error = report_write(lab, "report.json", EMIT_JSON)) == 0)
		error = report_write(lab, "report.txt", EMIT_TEXT);
	if (error != 0) {
		fprintf(stderr, "%s: report in %s: %s\n", lab->file,
		    lab->out_dir != NULL ? lab->out_dir : "", strerror(-error));
		return 3;
	}
	return lab->nfailed > 0 ? 1 : 0;
}

/* --- live time -------------------------------------------------------------------------------- */

static void
live_tick(void *arg)
{
	struct lab *lab = arg;
	uint64_t now = clock_now(), next, look;

	lab_expect_read(lab, now);
	lab_series_read(lab, now);
	lab_expect_start(lab, now);
	next = lab_expect_next(lab, now);
	look = lab_series_next(lab, now);
	next = look < next ? look : next;
	if (next != NS_NEVER)
		callout_reset(lab->tick, next - now);
}

static void
live_stop(void *arg)
{
	(void)arg;
	loop_stop();
}

static void
run_live(struct lab *lab)
{
	lab->tick = lab_alloc(lab, sizeof(*lab->tick));
	lab->stopper = lab_alloc(lab, sizeof(*lab->stopper));
	callout_init(lab->tick, NULL, live_tick, lab);
	callout_init(lab->stopper, NULL, live_stop, lab);
	live_tick(lab);
	if (lab->end_ns != NS_NEVER)
		callout_reset(
		    lab->stopper, lab->end_ns > clock_now() ? lab->end_ns - clock_now() : 0);
	loop_run();
	callout_stop(lab->tick);
	callout_stop(lab->stopper);
	lab->end_ns = clock_now();
}

void
lab_interrupt(struct lab *lab)
{
	lab->interrupted = true;
}

int
lab_run(struct lab *lab)
{
	if (lab->built != LAB_BUILT)
		return 4;
	if (lab->opt.live)
		run_live(lab);
	else
		run_traffic(lab);
	return finish(lab);
}
