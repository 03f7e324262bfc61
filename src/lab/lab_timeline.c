/*
 * lab_timeline.c - what is done to a lab while it runs.
 *
 * In virtual time the runner stops at each entry's time, when everything before it has happened,
 * and fires it; in live time a callout does.
 */
#include "lab/lab_model.h"

#include <errno.h>
#include <stdlib.h>

static int
event_compare(const void *a, const void *b)
{
	const struct lab_event *x = *(struct lab_event *const *)a,
			       *y = *(struct lab_event *const *)b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* A command may have put an interface up again whose cable is out. */
static void
carriers_hold(struct lab *lab)
{
	struct lab_link *l;

	STAILQ_FOREACH(l, &lab->links, next)
		if (l->down && lab_end_is_alive(&l->end[0]))
			lab_link_carrier(lab, l, false);
}

void
lab_timeline_fire(struct lab *lab, struct lab_event *ev)
{
	const struct lab_words *w;

	switch (ev->kind) {
	case LAB_EVENT_RUN:
		STAILQ_FOREACH(w, &ev->run, next)
			lab_exec_start(lab, ev->node, w->text, w->line, ev->want_status);
		carriers_hold(lab);
		/* A command can have made links or moved interfaces. */
		lab_update_lookahead(lab);
		break;
	case LAB_EVENT_SET:
		lab_link_set(lab, ev->link, ev->shape);
		break;
	case LAB_EVENT_DOWN:
	case LAB_EVENT_UP:
		lab_link_carrier(lab, ev->link, ev->kind == LAB_EVENT_UP);
		break;
	case LAB_EVENT_NOTE:
		break;
	}
}

static void
event_due(void *arg)
{
	struct lab_event *ev = arg;

	lab_timeline_fire(ev->lab, ev);
}

int
lab_timeline_build(struct lab *lab, char **why)
{
	struct lab_event *ev;
	uint32_t i = 0;

	(void)why;
	lab->event = lab_alloc(lab, (lab->nevents + 1) * sizeof(struct lab_event *));
	STAILQ_FOREACH(ev, &lab->events, next)
		lab->event[i++] = ev;
	qsort(lab->event, i, sizeof(struct lab_event *), event_compare);
	if (!lab->opt.live)
		return 0;
	STAILQ_FOREACH(ev, &lab->events, next) {
		ev->callout = lab_alloc(lab, sizeof(*ev->callout));
		callout_init(ev->callout, NULL, event_due, ev);
		callout_reset(ev->callout, ev->at_ns);
	}
	return 0;
}

void
lab_timeline_free(struct lab *lab)
{
	struct lab_event *ev;

	STAILQ_FOREACH(ev, &lab->events, next)
		if (ev->callout != NULL)
			callout_stop(ev->callout);
}
