/*
 * state_show.c - `ipfw -d list`: dynamic rules, by rule and then by age.
 *
 *	## Dynamic rules (2):
 *	00100 3 180 (299s) STATE tcp 10.0.0.2 1024 <-> 192.0.2.1 80
 */
#include "ipfw/state_internal.h"

#include "inet/in.h"
#include "inet/ip_names.h"
#include "ipfw/chain.h"
#include "ipfw/names.h"
#include "kern/sysctl.h"

#include <inttypes.h>
#include <stdio.h>

struct show {
	struct emitter *e;
	struct fw_states *t;
	const struct fw_state_listing *what;
	uint32_t n;
};

/* Seconds that are left, the last one counted whole; 0: it has ended, but is still there. */
static uint32_t
seconds_left(const struct fw_state *s)
{
	const uint32_t now = state_now_ms();

	return state_is_live(s, now) ? (s->expire_ms - now + 999) / 1000 : 0;
}

static bool
is_shown(const struct show *show, const struct fw_state *s)
{
	return show->what->expired || state_is_live(s, state_now_ms()) ||
	    (state_is_parent(s) && s->children > 0);
}

static void
show_type(struct emitter *e, const struct fw_state *s)
{
	if (state_is_parent(s)) {
		emit_str(e, "type", " %s", "PARENT");
		emit_uint(e, "count", " %" PRIu64, s->children);
	} else {
		emit_str(e, "type", " %s", s->limit != 0 ? "LIMIT" : "STATE");
	}
}

static void
show_proto(struct emitter *e, uint8_t proto)
{
	const char *name = ip_protocol_name(proto);

	if (name != NULL)
		emit_str(e, "proto", " %s", name);
	else
		emit_uint(e, "proto", " proto %" PRIu64, proto);
}

static void
show_end(struct emitter *e, const struct state_flow *f, int end)
{
	char text[IN6_TEXT];

	if (f->v6)
		in6_ntoa(&f->addr6[end], text);
	else
		in_ntoa(f->addr4[end], text);
	emit_str(e, end == 0 ? "src" : "dst", " %s", text);
	emit_uint(e, end == 0 ? "sport" : "dport", " %" PRIu64, f->port[end]);
}

static void
show_state(const struct show *show, const struct fw_state *s)
{
	const uint16_t name = (uint16_t)(s->word >> STATE_NAME_SHIFT);
	struct emitter *e = show->e;
	struct state_flow flow;
	char text[40];

	state_flow_of(s, &flow);
	emit_object(e, NULL);
	emit_uint(e, "rule", "%05" PRIu64, s->rule->number);
	snprintf(text, sizeof(text), " %*" PRIu64, show->what->packets_width, s->packets);
	emit_text(e, "%s", text);
	snprintf(text, sizeof(text), " %*" PRIu64, show->what->bytes_width, s->bytes);
	emit_text(e, "%s", text);
	emit_uint(e, "packets", NULL, s->packets);
	emit_uint(e, "bytes", NULL, s->bytes);
	emit_uint(e, "expire", " (%" PRIu64 "s)", seconds_left(s));
	show_type(e, s);
	show_proto(e, flow.proto);
	show_end(e, &flow, 0);
	emit_text(e, " <->");
	show_end(e, &flow, 1);
	if (name != 0) {
		snprintf(text, sizeof(text), "%.16s", show->t->name[name - 1]);
		emit_str(e, "name", " :%s", text);
	}
	emit_text(e, "\n");
	emit_end(e);
}

/* Has the rule states that were asked for? */
static bool
is_asked_for(const struct show *show, const struct fw_rule *r)
{
	const uint64_t *numbers = show->what->numbers;

	return r->states > 0 &&
	    (numbers == NULL || (numbers[r->number / 64] >> r->number % 64 & 1));
}

static int
count_rule(struct fw_rule *r, bool enabled, void *ctx)
{
	struct show *show = ctx;
	struct fw_state *s;

	(void)enabled;
	if (is_asked_for(show, r))
		TAILQ_FOREACH(s, &r->state_list, of_rule)
			show->n += is_shown(show, s);
	return 0;
}

static int
show_rule(struct fw_rule *r, bool enabled, void *ctx)
{
	const struct show *show = ctx;
	struct fw_state *s;

	(void)enabled;
	if (is_asked_for(show, r))
		TAILQ_FOREACH(s, &r->state_list, of_rule)
			if (is_shown(show, s))
				show_state(show, s);
	return 0;
}

void
fw_state_show(struct emitter *e, const struct fw_state_listing *what)
{
	const struct fw_selection rules = { .sets = what->sets };
	struct show show = { e, V_fw_states, what, 0 };

	fw_foreach(&rules, count_rule, &show);
	emit_text(e, "## Dynamic rules (%" PRIu32 "):\n", show.n);
	emit_list(e, "dynamic");
	if (show.t != NULL)
		fw_foreach(&rules, show_rule, &show);
	emit_end(e);
}
