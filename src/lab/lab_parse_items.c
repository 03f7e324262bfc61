/*
 * lab_parse_items.c - what happens in a lab: traffic, the timeline, captures, expectations.
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
/* Times within a run: a hundred years are enough for anybody. */
#define TIME_MAX (UINT64_C(876000) * 3600 * NS_PER_SEC)

static struct lab_node *
node_ref(struct ly *y, int id, const char *what, const char *name)
{
	struct lab_node *n = lab_node_find(y->lab, name), *other;

	if (n != NULL)
		return n;
	STAILQ_FOREACH (other, &y->lab->nodes, next) {
		const char *one = other->name;

		if (ly_nearest(name, &one, 1) != NULL) {
			ly_fault(y, id, "%s: there is no node '%s', did you mean '%s'?", what, name, one);
			return NULL;
		}
	}
	ly_fault(y, id, "%s: there is no node '%s'", what, name);
	return NULL;
}

static bool
is_list(struct ly *y, int id, const char *what)
{
	if (ly_shape(y, id) == LY_LIST)
		return true;
	ly_fault(y, id, "%s: a list is wanted", what);
	return false;
}

/* --- traffic ---------------------------------------------------------------------------------- */

static void
flow_from(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *name;

	if (ly_value(y, id, "from", LY_STRING, 0, 0, &name))
		f->from = node_ref(y, id, "from", name);
}

static void
flow_kind(struct ly *y, int id, struct lab_flow *f, enum lab_flow_kind kind)
{
	if (f->kind != LAB_FLOW_NONE)
		ly_fault(y, id, "traffic is one of udp, ping and replay");
	f->kind = kind;
}

static void
flow_udp(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	uint64_t port;

	flow_kind(y, id, f, LAB_FLOW_UDP);
	if (ly_value(y, id, "udp", LY_COUNT, 1, 65535, &port))
		f->port = (uint32_t)port;
}

static void
flow_ping(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;

	flow_kind(y, id, f, LAB_FLOW_PING);
	ly_value(y, id, "ping", LY_STRING, 0, 0, &f->to);
}

static void
flow_replay(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;

	flow_kind(y, id, f, LAB_FLOW_REPLAY);
	ly_value(y, id, "replay", LY_STRING, 0, 0, &f->file);
}

static void
flow_rate(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *text;
	size_t n;
	uint64_t number;

	/* A rate in packets is as good as one in bits. */
	if (ly_shape(y, id) == LY_SCALAR && ly_value(y, id, "rate", LY_STRING, 0, 0, &text) &&
	    (n = strlen(text)) > 3 && strcmp(text + n - 3, "pps") == 0) {
		char digits[32];

		snprintf(digits, sizeof(digits), "%.*s", (int)(n - 3), text);
		if (n < sizeof(digits) && verb_number(digits, 1, 1000000000, &number))
			f->rate_pps = number;
		else
			ly_fault(y, id, "rate: '%s' is no rate in packets (1000pps)", text);
		return;
	}
	ly_value(y, id, "rate", LY_RATE, 1, UINT64_C(1000000000000), &f->rate_bps);
}

static void
flow_pattern(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *text;

	if (!ly_value(y, id, "pattern", LY_STRING, 0, 0, &text))
		return;
	if (strcmp(text, "poisson") == 0)
		f->pattern = UDP_POISSON;
	else if (strcmp(text, "constant") != 0)
		ly_fault(y, id, "pattern: '%s' is neither constant nor poisson", text);
}

/* "2", "0.5x": how many times as fast as it was captured. */
static void
flow_speed(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *text;
	size_t n;
	char *end;

	if (!ly_value(y, id, "speed", LY_STRING, 0, 0, &text))
		return;
	n = strlen(text);
	f->speed = strtod(text, &end);
	if (text[strspn(text, "0123456789.x")] != '\0' || !(f->speed >= 1e-6 && f->speed <= 1e9) ||
	    !(end == text + n || (end == text + n - 1 && *end == 'x')))
		ly_fault(y, id, "speed: '%s' is no factor (1x is the capture's own pace)", text);
}

static void
flow_map(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	size_t n;
	struct ly_pair *pair = ly_pairs(y, id, "map", &n);

	for (size_t i = 0; i < n; i++) {
		struct replay_map *m = &f->map[f->nmaps];
		uint8_t to_plen;
		const char *to;

		if (f->nmaps == COUNT_OF(f->map)) {
			ly_fault(y, pair[i].key_id, "map: at most %zu networks", COUNT_OF(f->map));
			break;
		}
		if (!ly_value(y, pair[i].value, "map", LY_STRING, 0, 0, &to) ||
		    !lab_parse_address(y, pair[i].key_id, "map", pair[i].key, &m->from, &m->plen) ||
		    !lab_parse_address(y, pair[i].value, "map", to, &m->to, &to_plen))
			continue;
		if (to_plen != m->plen)
			ly_fault(y, pair[i].value, "map: %s and %s are not of one size", pair[i].key, to);
		else
			f->nmaps++;
	}
	free(pair);
}

enum flow_field {
	FLOW_NAME, FLOW_FROM, FLOW_TO, FLOW_UDP, FLOW_PING, FLOW_REPLAY, FLOW_RATE, FLOW_SIZE, FLOW_PATTERN,
	FLOW_START, FLOW_FOR, FLOW_COUNT, FLOW_FLOWS, FLOW_TOS, FLOW_TTL, FLOW_SINK, FLOW_EVERY, FLOW_WAIT,
	FLOW_DF, FLOW_ON, FLOW_WAY, FLOW_SPEED, FLOW_MAP, FLOW_FILTER, FLOW_LOOPS, FLOW_NFIELDS
};
static const struct ly_field flow_fields[] = {
	[FLOW_NAME] = { "name", LY_STRING, offsetof(struct lab_flow, name), 0, 0, NULL },
	[FLOW_FROM] = { "from", .type = LY_CUSTOM, .fn = flow_from },
	[FLOW_TO] = { "to", LY_STRING, offsetof(struct lab_flow, to), 0, 0, NULL },
	[FLOW_UDP] = { "udp", .type = LY_CUSTOM, .fn = flow_udp },
	[FLOW_PING] = { "ping", .type = LY_CUSTOM, .fn = flow_ping },
	[FLOW_REPLAY] = { "replay", .type = LY_CUSTOM, .fn = flow_replay },
	[FLOW_RATE] = { "rate", .type = LY_CUSTOM, .fn = flow_rate },
	[FLOW_SIZE] = { "size", LY_U32, offsetof(struct lab_flow, size), 0, 65507, NULL },
	[FLOW_PATTERN] = { "pattern", .type = LY_CUSTOM, .fn = flow_pattern },
	[FLOW_START] = { "start", LY_DURATION, offsetof(struct lab_flow, start_ns), 0, TIME_MAX, NULL },
	[FLOW_FOR] = { "for", LY_DURATION, offsetof(struct lab_flow, for_ns), 1, TIME_MAX, NULL },
	[FLOW_COUNT] = { "count", LY_COUNT, offsetof(struct lab_flow, count), 1, UINT64_C(1) << 40, NULL },
	[FLOW_FLOWS] = { "flows", LY_U32, offsetof(struct lab_flow, flows), 1, 60000, NULL },
	[FLOW_TOS] = { "tos", LY_U32, offsetof(struct lab_flow, tos), 0, 255, NULL },
	[FLOW_TTL] = { "ttl", LY_U32, offsetof(struct lab_flow, ttl), 1, 255, NULL },
	[FLOW_SINK] = { "sink", LY_STRING, offsetof(struct lab_flow, sink), 0, 0, NULL },
	[FLOW_EVERY] = { "every", LY_DURATION, offsetof(struct lab_flow, every_ns), NS_PER_US, TIME_MAX, NULL },
	[FLOW_WAIT] = { "wait", LY_DURATION, offsetof(struct lab_flow, wait_ns), NS_PER_MS, TIME_MAX, NULL },
	[FLOW_DF] = { "df", LY_BOOL, offsetof(struct lab_flow, df), 0, 0, NULL },
	[FLOW_ON] = { "on", LY_STRING, offsetof(struct lab_flow, on), 0, 0, NULL },
	[FLOW_WAY] = { "way", LY_STRING, offsetof(struct lab_flow, way), 0, 0, NULL },
	[FLOW_SPEED] = { "speed", .type = LY_CUSTOM, .fn = flow_speed },
	[FLOW_MAP] = { "map", .type = LY_CUSTOM, .fn = flow_map },
	[FLOW_FILTER] = { "filter", LY_STRING, offsetof(struct lab_flow, filter), 0, 0, NULL },
	[FLOW_LOOPS] = { "loops", LY_U32, offsetof(struct lab_flow, loops), 1, 1000000, NULL },
};
_Static_assert(COUNT_OF(flow_fields) == FLOW_NFIELDS, "a name for each");

#define BIT(x) (UINT64_C(1) << (x))
/* Which keys a kind of traffic takes, besides those of all, and which it needs. */
static const struct {
	const char *name;
	uint64_t takes, needs;
} flow_kinds[] = {
	[LAB_FLOW_UDP] = { "udp", BIT(FLOW_UDP) | BIT(FLOW_FROM) | BIT(FLOW_TO) | BIT(FLOW_RATE) | BIT(FLOW_SIZE) |
	    BIT(FLOW_PATTERN) | BIT(FLOW_COUNT) | BIT(FLOW_FLOWS) | BIT(FLOW_TOS) | BIT(FLOW_TTL) | BIT(FLOW_SINK),
	    BIT(FLOW_FROM) | BIT(FLOW_TO) | BIT(FLOW_RATE) },
	[LAB_FLOW_PING] = { "ping", BIT(FLOW_PING) | BIT(FLOW_FROM) | BIT(FLOW_EVERY) | BIT(FLOW_COUNT) |
	    BIT(FLOW_SIZE) | BIT(FLOW_TOS) | BIT(FLOW_TTL) | BIT(FLOW_WAIT) | BIT(FLOW_DF), BIT(FLOW_FROM) },
	[LAB_FLOW_REPLAY] = { "replay", BIT(FLOW_REPLAY) | BIT(FLOW_ON) | BIT(FLOW_WAY) | BIT(FLOW_SPEED) |
	    BIT(FLOW_RATE) | BIT(FLOW_MAP) | BIT(FLOW_FILTER) | BIT(FLOW_COUNT) | BIT(FLOW_LOOPS), BIT(FLOW_ON) },
};

static void
flow_check_keys(struct ly *y, int id, const struct lab_flow *f, uint64_t seen)
{
	uint64_t takes = flow_kinds[f->kind].takes | BIT(FLOW_NAME) | BIT(FLOW_START) | BIT(FLOW_FOR);
	uint64_t needs = flow_kinds[f->kind].needs | BIT(FLOW_NAME);

	for (unsigned k = 0; k < FLOW_NFIELDS; k++) {
		if ((seen & ~takes) & BIT(k))
			ly_fault(y, id, "traffic: '%s' does not go with %s", flow_fields[k].key,
			    flow_kinds[f->kind].name);
		if ((needs & ~seen) & BIT(k))
			ly_fault(y, id, "traffic: '%s' is missing", flow_fields[k].key);
	}
}

static void
flow_check(struct ly *y, int id, struct lab_flow *f, uint64_t seen)
{
	if (f->kind == LAB_FLOW_UDP) {
		if (!(seen & BIT(FLOW_SIZE)))
			f->size = 1000;
		if (f->size < UDP_TRAFFIC_MIN)
			ly_fault(y, id, "size: at least %d bytes, which sequence number and time need",
			    UDP_TRAFFIC_MIN);
		if (f->rate_pps != 0)
			f->rate_bps = f->rate_pps * (f->size + 28) * 8;
		if (f->sink != NULL && strcmp(f->sink, "none") != 0)
			node_ref(y, id, "sink", f->sink);
	}
	if (f->kind == LAB_FLOW_REPLAY) {
		if (f->rate_bps != 0)
			ly_fault(y, id, "rate: a replay's is in packets (1000pps)");
		if (seen & BIT(FLOW_RATE) && seen & BIT(FLOW_SPEED))
			ly_fault(y, id, "traffic: either rate or speed");
		if (f->way != NULL && strcmp(f->way, "in") != 0 && strcmp(f->way, "out") != 0 &&
		    strcmp(f->way, "route") != 0)
			ly_fault(y, id, "way: '%s' is none of in (received there), out (onto its link), "
			    "route (by the node's routes)", f->way);
		if (f->on != NULL && (strchr(f->on, ':') == NULL ||
		    lab_node_find(y->lab, lab_printf(y->lab, "%.*s", (int)strcspn(f->on, ":"), f->on)) == NULL))
			ly_fault(y, id, "on: '%s' is no interface of a node (NODE:INTERFACE)", f->on);
	}
}

static void
flow_parse(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	struct lab_flow *f = lab_alloc(lab, sizeof(*f)), *same;
	uint64_t seen;

	f->line = ly_line(y, id);
	f->size = 56;
	f->flows = f->loops = 1;
	f->every_ns = NS_PER_SEC;
	f->wait_ns = NS_PER_SEC;
	f->speed = 1;
	seen = ly_map(y, id, "traffic", flow_fields, FLOW_NFIELDS, f, NULL);
	if (f->kind == LAB_FLOW_NONE) {
		ly_fault(y, id, "traffic: one of udp, ping and replay is missing");
		return;
	}
	flow_check_keys(y, id, f, seen);
	flow_check(y, id, f, seen);
	if (f->name == NULL)
		return;
	if (strpbrk(f->name, ".: ") != NULL) {
		ly_fault(y, id, "name: '%s' may not hold a point, a colon or a space", f->name);
		return;
	}
	same = lab_flow_find(lab, f->name);
	if (same != NULL) {
		ly_fault(y, id, "traffic '%s' is there twice (first on line %u)", f->name, same->line);
		return;
	}
	if (lab_node_find(lab, f->name) != NULL) {
		ly_fault(y, id, "traffic '%s' has the name of a node", f->name);
		return;
	}
	STAILQ_INSERT_TAIL(&lab->flows, f, next);
	HASH_ADD_KEYPTR(hh, lab->flow_by_name, f->name, strlen(f->name), f);
	lab->nflows++;
}

void
lab_parse_flows(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (is_list(y, id, "traffic"))
		for (size_t i = 0; i < ly_len(y, id) && i < LAB_MAX_ITEMS; i++)
			flow_parse(y, ly_item(y, id, i));
}

/* --- the timeline ----------------------------------------------------------------------------- */

/* An exit status: a number or `any` (-1). */
static bool
read_status(struct ly *y, int id, int *status)
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
		ee->ev->node = node_ref(y, id, "node", name);
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

	read_status(y, id, &ee->ev->want_status);
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
	{ "at", LY_DURATION, offsetof(struct event_entry, at_ns), 0, TIME_MAX, NULL },
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
			ly_fault(y, pair[i].key_id, "set: unknown key '%s' (rate, delay, jitter, loss, queue)",
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
		ly_fault(y, id, "timeline: nothing happens here: run, set, down, up or note is missing");
	STAILQ_INSERT_TAIL(&lab->events, ev, next);
}

void
lab_parse_events(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (is_list(y, id, "timeline"))
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

	STAILQ_FOREACH (w, &c->on, next) {
		const char *colon = strchr(w->text, ':');

		if (strcmp(w->text, "*") == 0) {
			c->everything = true;
			continue;
		}
		/* Interfaces that commands make are not known here: the node must be. */
		if (colon == NULL || lab_node_find(y->lab,
		    lab_printf(y->lab, "%.*s", (int)(colon - w->text), w->text)) == NULL)
			ly_fault_line(y, w->line, "on: '%s' is no interface of a node (NODE:INTERFACE, or \"*\")",
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
		ly_fault(y, id, "file: '%s' must be a plain name: captures go to the run's folder", c->file);
	else
		STAILQ_FOREACH (other, &y->lab->captures, next)
			if (strcmp(other->file, c->file) == 0)
				ly_fault(y, id, "file: '%s' is there twice (first on line %u)", c->file,
				    other->line);
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
	else if (is_list(y, id, "capture"))
		for (size_t i = 0; i < ly_len(y, id) && i < 1000; i++)
			capture_parse(y, ly_item(y, id, i));
}

/* --- expectations ----------------------------------------------------------------------------- */

struct expect_entry {
	struct lab_expect *x;
	int that, node, between, above, below, is, run, status;
	uint64_t at_ns, from_ns, until_ns;
	const char *node_name;
};

#define EXPECT_PLACE(key)                                                                          \
	static void                                                                                \
	expect_##key(struct ly *y, int id, void *obj)                                              \
	{                                                                                          \
		(void)y;                                                                           \
		((struct expect_entry *)obj)->key = id;                                            \
	}
EXPECT_PLACE(that)
EXPECT_PLACE(node)
EXPECT_PLACE(between)
EXPECT_PLACE(above)
EXPECT_PLACE(below)
EXPECT_PLACE(is)
EXPECT_PLACE(run)
EXPECT_PLACE(status)

static void
expect_output(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "output", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->output);
}

static void
expect_contains(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "contains", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->contains);
}

static void
expect_lacks(struct ly *y, int id, void *obj)
{
	ly_value(y, id, "lacks", LY_STRING, 0, 0, &((struct expect_entry *)obj)->x->lacks);
}

static void
expect_matches(struct ly *y, int id, void *obj)
{
	struct expect_entry *ee = obj;
	regex_t re;
	int error;

	if (!ly_value(y, id, "matches", LY_STRING, 0, 0, &ee->x->matches))
		return;
	error = strlen(ee->x->matches) > 1000 ? REG_ESPACE :
	    regcomp(&re, ee->x->matches, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
	if (error == 0)
		regfree(&re);
	else
		ly_fault(y, id, "matches: '%s' is no regular expression (extended, as of grep -E)", ee->x->matches);
}

enum { EXPECT_AT, EXPECT_FROM, EXPECT_UNTIL };
static const struct ly_field expect_fields[] = {
	[EXPECT_AT] = { "at", LY_DURATION, offsetof(struct expect_entry, at_ns), 0, TIME_MAX, NULL },
	[EXPECT_FROM] = { "from", LY_DURATION, offsetof(struct expect_entry, from_ns), 0, TIME_MAX, NULL },
	[EXPECT_UNTIL] = { "until", LY_DURATION, offsetof(struct expect_entry, until_ns), 1, TIME_MAX, NULL },
	{ "that", .type = LY_CUSTOM, .fn = expect_that },
	{ "between", .type = LY_CUSTOM, .fn = expect_between },
	{ "above", .type = LY_CUSTOM, .fn = expect_above },
	{ "below", .type = LY_CUSTOM, .fn = expect_below },
	{ "is", .type = LY_CUSTOM, .fn = expect_is },
	{ "node", .type = LY_CUSTOM, .fn = expect_node },
	{ "run", .type = LY_CUSTOM, .fn = expect_run },
	{ "status", .type = LY_CUSTOM, .fn = expect_status },
	{ "output", .type = LY_CUSTOM, .fn = expect_output },
	{ "contains", .type = LY_CUSTOM, .fn = expect_contains },
	{ "lacks", .type = LY_CUSTOM, .fn = expect_lacks },
	{ "matches", .type = LY_CUSTOM, .fn = expect_matches },
};

/* A figure in the unit of its metric. */
static bool
read_figure(struct ly *y, int id, const char *what, enum lab_unit unit, double *value, const char **text)
{
	uint64_t number;

	if (!ly_value(y, id, what, LY_STRING, 0, 0, text))
		return false;
	switch (unit) {
	case LAB_NUMBER:
		if (!ly_value(y, id, what, LY_COUNT, 0, 0, &number))
			return false;
		break;
	case LAB_TIME:
		if (!ly_value(y, id, what, LY_DURATION, 0, 0, &number))
			return false;
		break;
	case LAB_RATE:
		if (!ly_value(y, id, what, LY_RATE, 0, 0, &number))
			return false;
		break;
	case LAB_SIZE:
		if (!ly_value(y, id, what, LY_SIZE, 0, 0, &number))
			return false;
		break;
	case LAB_SHARE:
		return ly_value(y, id, what, LY_PERCENT, 0, 0, value);
	}
	*value = (double)number;
	return true;
}

static void
expect_figures(struct ly *y, int id, struct expect_entry *ee)
{
	struct lab_expect *x = ee->x;
	enum lab_unit unit = lab_metric_unit(x->metric);

	if ((ee->between != 0) + (ee->above != 0 || ee->below != 0) + (ee->is != 0) != 1) {
		ly_fault(y, id, "expect: %s: one of between, is, and above / below is wanted", x->that);
		return;
	}
	if (ee->between != 0) {
		if (ly_shape(y, ee->between) != LY_LIST || ly_len(y, ee->between) != 2) {
			ly_fault(y, ee->between, "between: a list of two is wanted");
			return;
		}
		x->has_low = read_figure(y, ly_item(y, ee->between, 0), "between", unit, &x->low, &x->low_text);
		x->has_high = read_figure(y, ly_item(y, ee->between, 1), "between", unit, &x->high, &x->high_text);
		if (x->has_low && x->has_high && x->low > x->high)
			ly_fault(y, ee->between, "between: %s is more than %s", x->low_text, x->high_text);
	}
	if (ee->is != 0 && read_figure(y, ee->is, "is", unit, &x->low, &x->low_text)) {
		x->has_low = x->has_high = true;
		x->high = x->low;
		x->high_text = x->low_text;
	}
	if (ee->above != 0) {
		x->has_low = read_figure(y, ee->above, "above", unit, &x->low, &x->low_text);
		x->low_open = true;
	}
	if (ee->below != 0) {
		x->has_high = read_figure(y, ee->below, "below", unit, &x->high, &x->high_text);
		x->high_open = true;
	}
}

static void
expect_command(struct ly *y, int id, struct expect_entry *ee, uint64_t seen)
{
	struct lab_expect *x = ee->x;
	const char *name;
	int status = 0;

	if (ee->that != 0) {
		ly_fault(y, id, "expect: either 'that' or 'run'");
		return;
	}
	if (ee->node == 0)
		ly_fault(y, id, "expect: 'run' needs a 'node'");
	else if (ly_value(y, ee->node, "node", LY_STRING, 0, 0, &name))
		x->node = node_ref(y, ee->node, "node", name);
	ly_value(y, ee->run, "run", LY_STRING, 0, 0, &x->run);
	if (seen & (BIT(EXPECT_FROM) | BIT(EXPECT_UNTIL)))
		ly_fault(y, id, "expect: a command has 'at', not from and until");
	if (seen & BIT(EXPECT_AT))
		x->at_ns = ee->at_ns;
	if (ee->status != 0 && read_status(y, ee->status, &status)) {
		x->has_status = status >= 0;
		x->status = (uint32_t)status;
	} else if (ee->status == 0) {
		/* A command that is expected to say something is expected to succeed, too. */
		x->has_status = true;
	}
	if (ee->between != 0 || ee->above != 0 || ee->below != 0 || ee->is != 0)
		ly_fault(y, id, "expect: a command is judged by status, output, contains, lacks and matches");
}

static void
expect_parse(struct ly *y, int id)
{
	struct lab *lab = y->lab;
	struct lab_expect *x = lab_alloc(lab, sizeof(*x));
	struct expect_entry ee = { .x = x };
	uint64_t seen;

	x->line = ly_line(y, id);
	x->from_ns = x->until_ns = x->at_ns = NS_NEVER;
	seen = ly_map(y, id, "expect", expect_fields, COUNT_OF(expect_fields), &ee, NULL);
	if (ee.run != 0) {
		expect_command(y, id, &ee, seen);
	} else if (ee.that != 0) {
		if (seen & BIT(EXPECT_FROM))
			x->from_ns = ee.from_ns;
		if (seen & BIT(EXPECT_UNTIL))
			x->until_ns = ee.until_ns;
		if (x->from_ns != NS_NEVER && x->from_ns >= x->until_ns)
			ly_fault(y, id, "expect: from is not before until");
		if (x->output != NULL || x->contains != NULL || x->lacks != NULL || x->matches != NULL ||
		    ee.status != 0 || ee.node != 0 || seen & BIT(EXPECT_AT))
			ly_fault(y, id, "expect: a figure is judged by between, is, above and below");
		if (ly_value(y, ee.that, "that", LY_STRING, 0, 0, &x->that) &&
		    lab_expect_parse_that(y, ee.that, x))
			expect_figures(y, id, &ee);
	} else {
		ly_fault(y, id, "expect: 'that' or 'run' is missing");
	}
	STAILQ_INSERT_TAIL(&lab->expects, x, next);
	lab->nexpects++;
}

void
lab_parse_expects(struct ly *y, int id, void *obj)
{
	(void)obj;
	if (is_list(y, id, "expect"))
		for (size_t i = 0; i < ly_len(y, id) && i < LAB_MAX_ITEMS; i++)
			expect_parse(y, ly_item(y, id, i));
}

/* --- the end ---------------------------------------------------------------------------------- */

/*
 * When a flow ends by itself, absolute; NS_NEVER if that is not known beforehand; 0 if it never does.
 */
static uint64_t
flow_end(const struct lab_flow *f)
{
	if (f->for_ns != 0)
		return f->start_ns + f->for_ns;
	if (f->kind == LAB_FLOW_PING && f->count != 0)
		return f->count > TIME_MAX / f->every_ns ? TIME_MAX : f->start_ns + f->count * f->every_ns;
	if (f->kind == LAB_FLOW_REPLAY || f->count != 0)
		return NS_NEVER;
	return 0;
}

/*
 * A run ends at `for`; without it, when all traffic with an end has ended and the timeline is over.
 * Traffic without an end of its own ends with it, so that time must be known beforehand then.
 */
void
lab_parse_ends(struct ly *y, struct lab *lab)
{
	struct lab_flow *f, *endless = NULL, *unknown = NULL;
	const struct lab_event *ev;
	const struct lab_expect *x;
	uint64_t end = 0;

	STAILQ_FOREACH (f, &lab->flows, next) {
		uint64_t e = flow_end(f);

		f->unbounded = e == 0;
		if (e == 0)
			endless = f;
		else if (e == NS_NEVER)
			unknown = f;
		else if (e > end)
			end = e;
		f->stop_ns = e == 0 ? NS_NEVER : e;
	}
	STAILQ_FOREACH (ev, &lab->events, next)
		if (ev->at_ns > end)
			end = ev->at_ns;
	STAILQ_FOREACH (x, &lab->expects, next) {
		if (x->at_ns != NS_NEVER && x->at_ns > end)
			end = x->at_ns;
		if (x->until_ns != NS_NEVER && x->until_ns > end)
			end = x->until_ns;
	}
	if (lab->for_ns != 0) {
		STAILQ_FOREACH (ev, &lab->events, next)
			if (ev->at_ns > lab->for_ns)
				ly_fault_line(y, ev->line, "timeline: this is after the end (for)");
		STAILQ_FOREACH (x, &lab->expects, next)
			if ((x->at_ns != NS_NEVER && x->at_ns > lab->for_ns) ||
			    (x->until_ns != NS_NEVER && x->until_ns > lab->for_ns))
				ly_fault_line(y, x->line, "expect: this is after the end (for)");
		return;
	}
	lab->end_ns = end;
	if (endless != NULL && unknown != NULL)
		ly_fault_line(y, endless->line, "traffic '%s' has no end (for, count), and when '%s' ends is not "
		    "known beforehand: say how long the lab runs (for, at the top)", endless->name, unknown->name);
	else if (endless != NULL && end == 0)
		ly_fault_line(y, endless->line, "traffic '%s' has no end: say for or count here, or for at the "
		    "top", endless->name);
	else if (unknown != NULL)
		lab->end_ns = NS_NEVER;
	lab->known_end_ns = end;
}
