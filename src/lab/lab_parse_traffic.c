/*
 * lab_parse_traffic.c - traffic, and what follows of it: when a run ends.
 */
#include "kern/verb.h"
#include "lab/lab_model.h"
#include "lab/lab_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(x) (UINT64_C(1) << (x))

static void
flow_from(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *name;

	if (ly_value(y, id, "from", LY_STRING, 0, 0, &name))
		f->from = lab_parse_node(y, id, "from", name);
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
		struct lab_net from, to_net;
		const char *to;

		if (f->nmaps == COUNT_OF(f->map)) {
			ly_fault(y, pair[i].key_id, "map: at most %zu networks", COUNT_OF(f->map));
			break;
		}
		if (!ly_value(y, pair[i].value, "map", LY_STRING, 0, 0, &to) ||
		    !lab_parse_net(y, pair[i].key_id, "map", AF_UNSPEC, pair[i].key, &from) ||
		    !lab_parse_net(y, pair[i].value, "map", from.addr.family, to, &to_net))
			continue;
		if (to_net.plen != from.plen) {
			ly_fault(y, pair[i].value, "map: %s and %s are not of one size",
			    pair[i].key, to);
			continue;
		}
		*m = (struct replay_map){ from.addr, to_net.addr, from.plen };
		f->nmaps++;
	}
	free(pair);
}

/* Nodes, or none. */
static void
flow_sink(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const struct lab_words *w;

	lab_parse_words(y, id, "sink", &f->sinks);
	w = STAILQ_FIRST(&f->sinks);
	if (w != NULL && strcmp(w->text, "none") == 0 && STAILQ_NEXT(w, next) == NULL) {
		f->no_sink = true;
		STAILQ_INIT(&f->sinks);
	}
	STAILQ_FOREACH(w, &f->sinks, next)
		lab_parse_node(y, id, "sink", w->text);
}

static void
flow_family(struct ly *y, int id, void *obj)
{
	struct lab_flow *f = obj;
	const char *text;

	if (!ly_value(y, id, "family", LY_STRING, 0, 0, &text))
		return;
	if (strcmp(text, "ipv4") == 0)
		f->family = AF_INET;
	else if (strcmp(text, "ipv6") == 0)
		f->family = AF_INET6;
	else
		ly_fault(y, id, "family: '%s' is neither ipv4 nor ipv6", text);
}

enum flow_field {
	FLOW_NAME,
	FLOW_FROM,
	FLOW_TO,
	FLOW_UDP,
	FLOW_PING,
	FLOW_REPLAY,
	FLOW_RATE,
	FLOW_SIZE,
	FLOW_PATTERN,
	FLOW_START,
	FLOW_FOR,
	FLOW_COUNT,
	FLOW_FLOWS,
	FLOW_TOS,
	FLOW_TTL,
	FLOW_SINK,
	FLOW_FAMILY,
	FLOW_EVERY,
	FLOW_WAIT,
	FLOW_DF,
	FLOW_ON,
	FLOW_WAY,
	FLOW_SPEED,
	FLOW_MAP,
	FLOW_FILTER,
	FLOW_LOOPS,
	FLOW_NFIELDS
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
	[FLOW_START] = { "start", LY_DURATION, offsetof(struct lab_flow, start_ns), 0, LAB_TIME_MAX,
	    NULL },
	[FLOW_FOR] = { "for", LY_DURATION, offsetof(struct lab_flow, for_ns), 1, LAB_TIME_MAX,
	    NULL },
	[FLOW_COUNT] = { "count", LY_COUNT, offsetof(struct lab_flow, count), 1, UINT64_C(1) << 40,
	    NULL },
	[FLOW_FLOWS] = { "flows", LY_U32, offsetof(struct lab_flow, flows), 1, 60000, NULL },
	[FLOW_TOS] = { "tos", LY_U32, offsetof(struct lab_flow, tos), 0, 255, NULL },
	[FLOW_TTL] = { "ttl", LY_U32, offsetof(struct lab_flow, ttl), 1, 255, NULL },
	[FLOW_SINK] = { "sink", .type = LY_CUSTOM, .fn = flow_sink },
	[FLOW_FAMILY] = { "family", .type = LY_CUSTOM, .fn = flow_family },
	[FLOW_EVERY] = { "every", LY_DURATION, offsetof(struct lab_flow, every_ns), NS_PER_US,
	    LAB_TIME_MAX, NULL },
	[FLOW_WAIT] = { "wait", LY_DURATION, offsetof(struct lab_flow, wait_ns), NS_PER_MS,
	    LAB_TIME_MAX, NULL },
	[FLOW_DF] = { "df", LY_BOOL, offsetof(struct lab_flow, df), 0, 0, NULL },
	[FLOW_ON] = { "on", LY_STRING, offsetof(struct lab_flow, on), 0, 0, NULL },
	[FLOW_WAY] = { "way", LY_STRING, offsetof(struct lab_flow, way), 0, 0, NULL },
	[FLOW_SPEED] = { "speed", .type = LY_CUSTOM, .fn = flow_speed },
	[FLOW_MAP] = { "map", .type = LY_CUSTOM, .fn = flow_map },
	[FLOW_FILTER] = { "filter", LY_STRING, offsetof(struct lab_flow, filter), 0, 0, NULL },
	[FLOW_LOOPS] = { "loops", LY_U32, offsetof(struct lab_flow, loops), 1, 1000000, NULL },
};
_Static_assert(COUNT_OF(flow_fields) == FLOW_NFIELDS, "a name for each");

/* Which keys a kind of traffic takes, besides those of all, and which it needs. */
static const struct {
	const char *name;
	uint64_t takes, needs;
} flow_kinds[] = {
	[LAB_FLOW_UDP] = { "udp",
	    BIT(FLOW_UDP) | BIT(FLOW_FROM) | BIT(FLOW_TO) | BIT(FLOW_RATE) | BIT(FLOW_SIZE) |
		BIT(FLOW_PATTERN) | BIT(FLOW_COUNT) | BIT(FLOW_FLOWS) | BIT(FLOW_TOS) |
		BIT(FLOW_TTL) | BIT(FLOW_SINK) | BIT(FLOW_FAMILY),
	    BIT(FLOW_FROM) | BIT(FLOW_TO) | BIT(FLOW_RATE) },
	[LAB_FLOW_PING] = { "ping",
	    BIT(FLOW_PING) | BIT(FLOW_FROM) | BIT(FLOW_EVERY) | BIT(FLOW_COUNT) | BIT(FLOW_SIZE) |
		BIT(FLOW_TOS) | BIT(FLOW_TTL) | BIT(FLOW_WAIT) | BIT(FLOW_DF) | BIT(FLOW_FAMILY),
	    BIT(FLOW_FROM) },
	[LAB_FLOW_REPLAY] = { "replay",
	    BIT(FLOW_REPLAY) | BIT(FLOW_ON) | BIT(FLOW_WAY) | BIT(FLOW_SPEED) | BIT(FLOW_RATE) |
		BIT(FLOW_MAP) | BIT(FLOW_FILTER) | BIT(FLOW_COUNT) | BIT(FLOW_LOOPS),
	    BIT(FLOW_ON) },
};

static void
flow_check_keys(struct ly *y, int id, const struct lab_flow *f, uint64_t seen)
{
	uint64_t takes = flow_kinds[f->kind].takes | BIT(FLOW_NAME) | BIT(FLOW_START) |
	    BIT(FLOW_FOR);
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
			ly_fault(y, id,
			    "size: at least %d bytes, which sequence number and time need",
			    UDP_TRAFFIC_MIN);
	}
	if (f->kind == LAB_FLOW_REPLAY) {
		if (f->rate_bps != 0)
			ly_fault(y, id, "rate: a replay's is in packets (1000pps)");
		if (seen & BIT(FLOW_RATE) && seen & BIT(FLOW_SPEED))
			ly_fault(y, id, "traffic: either rate or speed");
		if (f->way != NULL && strcmp(f->way, "in") != 0 && strcmp(f->way, "out") != 0 &&
		    strcmp(f->way, "route") != 0)
			ly_fault(y, id,
			    "way: '%s' is none of in (received there), out (onto its link), "
			    "route (by the node's routes)",
			    f->way);
		if (f->on != NULL &&
		    (strchr(f->on, ':') == NULL ||
			lab_node_find(y->lab,
			    lab_printf(y->lab, "%.*s", (int)strcspn(f->on, ":"), f->on)) == NULL))
			ly_fault(
			    y, id, "on: '%s' is no interface of a node (NODE:INTERFACE)", f->on);
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
	STAILQ_INIT(&f->sinks);
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
		ly_fault(
		    y, id, "traffic '%s' is there twice (first on line %u)", f->name, same->line);
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
	if (lab_parse_is_list(y, id, "traffic"))
		for (size_t i = 0; i < ly_len(y, id) && i < LAB_MAX_ITEMS; i++)
			flow_parse(y, ly_item(y, id, i));
}

/* --- the end ---------------------------------------------------------------------------------- */

/*
 * When a flow ends by itself, absolute; NS_NEVER if that is not known beforehand; 0 if it never
 * does.
 */
static uint64_t
flow_end(const struct lab_flow *f)
{
	if (f->for_ns != 0)
		return f->start_ns + f->for_ns;
	if (f->kind == LAB_FLOW_PING && f->count != 0)
		return f->count > LAB_TIME_MAX / f->every_ns ? LAB_TIME_MAX :
							       f->start_ns + f->count * f->every_ns;
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

	STAILQ_FOREACH(f, &lab->flows, next) {
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
	STAILQ_FOREACH(ev, &lab->events, next)
		if (ev->at_ns > end)
			end = ev->at_ns;
	STAILQ_FOREACH(x, &lab->expects, next) {
		if (x->at_ns != NS_NEVER && x->at_ns > end)
			end = x->at_ns;
		if (x->until_ns != NS_NEVER && x->until_ns > end)
			end = x->until_ns;
	}
	if (lab->for_ns != 0) {
		STAILQ_FOREACH(ev, &lab->events, next)
			if (ev->at_ns > lab->for_ns)
				ly_fault_line(y, ev->line, "timeline: this is after the end (for)");
		STAILQ_FOREACH(x, &lab->expects, next)
			if ((x->at_ns != NS_NEVER && x->at_ns > lab->for_ns) ||
			    (x->until_ns != NS_NEVER && x->until_ns > lab->for_ns))
				ly_fault_line(y, x->line, "expect: this is after the end (for)");
		return;
	}
	lab->end_ns = end;
	if (endless != NULL && unknown != NULL)
		ly_fault_line(y, endless->line,
		    "traffic '%s' has no end (for, count), and when '%s' ends is not "
		    "known beforehand: say how long the lab runs (for, at the top)",
		    endless->name, unknown->name);
	else if (endless != NULL && end == 0)
		ly_fault_line(y, endless->line,
		    "traffic '%s' has no end: say for or count here, or for at the "
		    "top",
		    endless->name);
	else if (unknown != NULL)
		lab->end_ns = NS_NEVER;
	lab->known_end_ns = end;
}
