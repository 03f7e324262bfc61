/*
 * lab_parse_timeline.c - what is done to a lab while it runs, and what is captured of it.
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- the timeline ----------------------------------------------------------------------------- */

/* An exit status: a number or `any` (-1). */
bool
lab_parse_status(struct ly *y, int id, int *status)
{
	const char *text;
	uint64_t n;

	if (!ly_value(y, id, "status", LY_STRING, 0, 0, &text))
		return false;
	if (strcmp(text, "any") == 0)
		*status = -1;
	else if (verb_number(text, 0, 255, &n))
		*status = (int)n;
	else {
		ly_fault(y, id, "status: '%s' is neither an exit status (0 to 255) nor any", text);
		return false;
	}
	return true;
}

struct event_entry {
	struct lab_event *ev;
	uint64_t at_ns;
	int set, down, up, link, node, run;
};

static void
event_node(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;
	const char *name;

	ee->node = id;
	if (ly_value(y, id, "node", LY_STRING, 0, 0, &name))
		ee->ev->node = lab_parse_node(y, id, "node", name);
}

static void
event_run(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;

	ee->run = id;
	lab_parse_words(y, id, "run", &ee->ev->run);
}

static void
event_status(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;

	lab_parse_status(y, id, &ee->ev->want_status);
}

static void
event_note(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;

	ly_value(y, id, "note", LY_STRING, 0, 0, &ee->ev->note);
}

static void
event_link(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;
	const char *name;
	struct lab_end *e;

	ee->link = id;
	if (!ly_value(y, id, "link", LY_STRING, 0, 0, &name))
		return;
	e = lab_end_find(y->lab, name);
	if (e == NULL)
		ly_fault(y, id, "link: no link has the endpoint '%s'", name);
	else
		ee->ev->link = e->link;
}

static void
event_down(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;
	bool on;

	ee->down = id;
	if (ly_value(y, id, "down", LY_BOOL, 0, 0, &on))
		ee->ev->kind = on ? LAB_EVENT_DOWN : LAB_EVENT_UP;
}

static void
event_up(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;
	bool on;

	ee->up = id;
	if (ly_value(y, id, "up", LY_BOOL, 0, 0, &on))
		ee->ev->kind = on ? LAB_EVENT_UP : LAB_EVENT_DOWN;
}

static void
event_set(struct ly *y, int id, void *obj)
{
	struct event_entry *ee = obj;

	(void)y;
	ee->set = id;
}

static const struct ly_field event_fields[] = {
	{ "at", LY_DURATION, offsetof(struct event_entry, at_ns), 0, LAB_TIME_MAX, NULL },
	{ "node", .type = LY_CUSTOM, .fn = event_node },
	{ "run", .type = LY_CUSTOM, .fn = event_run },
	{ "status", .type = LY_CUSTOM, .fn = event_status },
	{ "link", .type = LY_CUSTOM, .fn = event_link },
	{ "set", .type = LY_CUSTOM, .fn = event_set },
	{ "down", .type = LY_CUSTOM, .fn = event_down },
	{ "up", .type = LY_CUSTOM, .fn = event_up },
	{ "note", .type = LY_CUSTOM, .fn = event_note },
};

/* `set` is read when the link is known: its own ways may be meant. */
static void
event_shape(struct ly *y, struct event_entry *ee)
{
	size_t n;
	struct ly_pair *pair = ly_pairs(y, ee->set, "set", &n);

	for (size_t i = 0; i < n; i++)
		if (!lab_parse_shape_key(y, &pair[i], ee->ev->shape))
			ly_fault(y, pair[i].key_id,
			    "set: unknown key '%s' (rate, delay, jitter, loss, queue)",
			    pair[i].key);
	free(pair);
}

static void
event_parse(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	struct lab_event *ev = lab_alloc(lab, sizeof(*ev));
	struct event_entry ee = { .ev = ev };
	uint64_t seen;
	size_t before = y->nfaults;

	ev->line = ly_line(y, id);
	ev->index = lab->nevents++;
	ev->lab = lab;
	STAILQ_INIT(&ev->run);
	ev->kind = LAB_EVENT_NOTE;
	seen = ly_map(y, id, "timeline", event_fields, COUNT_OF(event_fields), &ee, NULL);
	ev->at_ns = ee.at_ns;
	if (!(seen & 1))
		ly_fault(y, id, "timeline: 'at' is missing");
	if (ee.run != 0) {
		ev->kind = LAB_EVENT_RUN;
		if (ee.node == 0)
			ly_fault(y, id, "timeline: 'run' needs a 'node'");
	}
	if (ee.set != 0) {
		ev->kind = LAB_EVENT_SET;
		event_shape(y, &ee);
	}
	if ((ee.run != 0) + (ee.set != 0) + (ee.down != 0) + (ee.up != 0) > 1)
		ly_fault(y, id, "timeline: one of run, set, down and up an entry");
	else if ((ee.set != 0 || ee.down != 0 || ee.up != 0) != (ee.link != 0))
		ly_fault(y, id, "timeline: 'link' goes with one of set, down and up");
	else if (ev->kind == LAB_EVENT_NOTE && ev->note == NULL && before == y->nfaults)
		ly_fault(
		    y, id, "timeline: nothing happens here: run, set, down, up or note is missing");
	STAILQ_INSERT_TAIL(&lab->events, ev, next);
}

void
lab_parse_events(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (lab_parse_is_list(y, id, "timeline"))
		for (size_t i = 0; i < ly_len(y, id) && i < LAB_MAX_ITEMS; i++)
			event_parse(y, ly_item(y, id, i));
}

/* --- captures --------------------------------------------------------------------------------- */

static void
capture_on(struct ly *y, int id, void *obj)
{
	struct lab_capture *c = obj;

	lab_parse_words(y, id, "on", &c->on);
}

static const struct ly_field capture_fields[] = {
	{ "on", .type = LY_CUSTOM, .fn = capture_on },
	{ "file", LY_STRING, offsetof(struct lab_capture, file), 0, 0, NULL },
	{ "filter", LY_STRING, offsetof(struct lab_capture, filter), 0, 0, NULL },
	{ "snaplen", LY_U32, offsetof(struct lab_capture, snaplen), 14, 262144, NULL },
	{ "count", LY_COUNT, offsetof(struct lab_capture, max_packets), 1, UINT64_MAX, NULL },
	{ "drops", LY_BOOL, offsetof(struct lab_capture, drops), 0, 0, NULL },
};

static void
capture_check_on(struct ly *y, struct lab_capture *c)
{
	const struct lab_words *w;

	STAILQ_FOREACH(w, &c->on, next) {
		const char *colon = strchr(w->text, ':');

		if (strcmp(w->text, "*") == 0) {
			c->everything = true;
			continue;
		}
		/* Interfaces that commands make are not known here: the node must be. */
		if (colon == NULL ||
		    lab_node_find(y->lab,
			lab_printf(y->lab, "%.*s", (int)(colon - w->text), w->text)) == NULL)
			ly_fault_line(y, w->line,
			    "on: '%s' is no interface of a node (NODE:INTERFACE, or \"*\")",
			    w->text);
	}
}

static void
capture_parse(struct ly *y, int id)
{
	struct lab_capture *c = lab_alloc(y->lab, sizeof(*c)), *other;

	c->line = ly_line(y, id);
	STAILQ_INIT(&c->on);
	ly_map(y, id, "capture", capture_fields, COUNT_OF(capture_fields), c, NULL);
	if (STAILQ_EMPTY(&c->on))
		ly_fault(y, id, "capture: 'on' is missing");
	capture_check_on(y, c);
	if (c->file == NULL)
		ly_fault(y, id, "capture: 'file' is missing");
	else if (strchr(c->file, '/') != NULL || c->file[0] == '.' || strlen(c->file) > 200)
		ly_fault(y, id, "file: '%s' must be a plain name: captures go to the run's folder",
		    c->file);
	else
		STAILQ_FOREACH(other, &y->lab->captures, next)
			if (strcmp(other->file, c->file) == 0)
				ly_fault(y, id, "file: '%s' is there twice (first on line %u)",
				    c->file, other->line);
	if (c->file != NULL)
		STAILQ_INSERT_TAIL(&y->lab->captures, c, next);
}

void
lab_parse_captures(struct ly *y, int id, void *obj)
{
	(void)obj;
	/* One capture needs no list. */
	if (ly_shape(y, id) == LY_MAP)
		capture_parse(y, id);
	else if (lab_parse_is_list(y, id, "capture"))
		for (size_t i = 0; i < ly_len(y, id) && i < 1000; i++)
			capture_parse(y, ly_item(y, id, i));
}
