/*
 * trial_report.c - what a trial says: packets with the rules that they met, differences, totals.
 */
#include "port/trial_internal.h"

#include "ipfw/shadow.h"
#include "kern/jail.h"
#include "port/pcap.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LEN = 512, RULE_LEN = 4096 };

/* --- packets ---------------------------------------------------------------------------------- */

/* Number, time and line. */
static void
tell_head(struct emitter *e, const struct trial_packet *p)
{
	const bool known = p->dlt == DLT_EN10MB || p->ip_bytes == 0;
	const uint32_t skip = known ? 0 : p->skip;
	char line[LINE_LEN];

	packet_line(line, sizeof(line), known ? p->dlt : DLT_RAW, p->frame + skip, p->caplen - skip,
	    p->wirelen - skip);
	emit_uint(e, "number", "%" PRIu64, p->number);
	emit_num(e, "time", " %.6f", (double)p->offset_ns / 1e9, 9);
	emit_str(e, "packet", " %s\n", line);
}

static void
tell_outcome(struct emitter *e, const struct fw_passage *pg)
{
	char text[LINE_LEN];

	emit_str(e, "fate", NULL, fw_fate_word(pg->fate));
	if (pg->rule != NULL) {
		emit_uint(e, "by", NULL, pg->rule->number);
		fw_passage_action(pg, text, sizeof(text));
		emit_str(e, "action", NULL, text);
	}
	if (pg->why != NULL)
		emit_str(e, "why", NULL, pg->why);
	if (pg->pipe != 0)
		emit_uint(e, "pipe", NULL, pg->pipe);
	if (pg->was_translated)
		emit_str(e, "nat", NULL, "translated");
}

/* "in by lan", "frame out by wan" */
static void
tell_place(struct emitter *e, const struct fw_passage *pg)
{
	emit_bool(e, "layer2", pg->point == PFIL_LINK);
	emit_text(e, "    %s", pg->point == PFIL_LINK ? "frame " : "");
	emit_str(e, "direction", "%s", pg->dir == PFIL_IN ? "in" : "out");
	emit_str(e, "interface", " by %s", pg->ifp != NULL ? pg->ifp->if_xname : "nobody");
}

static void
tell_hop(struct emitter *e, const struct trial_config *c, const struct fw_passage *pg)
{
	char text[LINE_LEN];

	emit_object(e, NULL);
	tell_place(e, pg);
	if (emitter_form(e) == EMIT_TEXT && !c->words) {
		emit_text(e, ":");
		fw_story_tell_short(e, pg->story);
		emit_text(e, "\n");
	} else {
		emit_text(e, "\n");
		fw_story_tell(e, pg->story, "        ");
	}
	tell_outcome(e, pg);
	emit_end(e);
	fw_passage_text(pg, text, sizeof(text));
	emit_text(e, "    %s\n", text);
}

void
trial_tell_packet(struct emitter *e, const struct trial_config *c, const struct trial_side *s,
    const struct trial_packet *p)
{
	VNET_SCOPE(s->prison->vnet); /* whose tables have names */

	emit_object(e, NULL);
	tell_head(e, p);
	emit_list(e, "hop");
	for (unsigned i = 0; i < s->nhops; i++)
		tell_hop(e, c, &s->hop[i]);
	emit_end(e);
	if (s->nhops > 0)
		tell_outcome(e, trial_outcome(s));
	else
		emit_text(e, "    met no rule: no interface is known for it\n");
	emit_end(e);
}

static void
tell_one_side(struct emitter *e, const char *which, const struct trial_side *s)
{
	char text[LINE_LEN] = "no interface is known for it";

	emit_object(e, which);
	if (s->nhops > 0) {
		fw_passage_text(trial_outcome(s), text, sizeof(text));
		tell_outcome(e, trial_outcome(s));
	}
	emit_str(e, "verdict", NULL, text);
	emit_text(e, "    %s: %s\n", which, text);
	emit_end(e);
}

void
trial_tell_difference(struct emitter *e, const struct trial_side *older,
    const struct trial_side *newer, const struct trial_packet *p)
{
	emit_object(e, NULL);
	tell_head(e, p);
	tell_one_side(e, "old", older);
	tell_one_side(e, "new", newer);
	emit_end(e);
}

/* --- rules ------------------------------------------------------------------------------------ */

struct widths {
	int packets, bytes, dropped;
};

static int
digits(uint64_t n)
{
	return snprintf(NULL, 0, "%" PRIu64, n);
}

static int
wider(int width, uint64_t n)
{
	return digits(n) > width ? digits(n) : width;
}

static struct widths
widths_of(const struct fw_map *map, const struct trial_side *s)
{
	struct widths w = { .packets = 7, .bytes = 7, .dropped = 7 };

	for (uint32_t i = 0; i < map->n; i++) {
		w.packets = wider(w.packets, map->rule[i]->count.packets);
		w.bytes = wider(w.bytes, map->rule[i]->count.bytes);
		w.dropped = wider(w.dropped, s->dropped[i]);
	}
	return w;
}

static void
tell_rule(struct emitter *e, const struct fw_map *map, const struct trial_side *s, uint32_t slot,
    const struct widths *w)
{
	const struct fw_rule *r = map->rule[slot];
	char text[RULE_LEN];

	fw_rule_text(r, FW_PRINT_NO_NUMBER, text, sizeof(text));
	emit_object(e, NULL);
	emit_text(e, "%*" PRIu64 " %*" PRIu64 " %*" PRIu64, w->packets, r->count.packets, w->bytes,
	    r->count.bytes, w->dropped, s->dropped[slot]);
	emit_uint(e, "number", " %05" PRIu64, r->number);
	emit_uint(e, "set", NULL, r->set);
	emit_uint(e, "packets", NULL, r->count.packets);
	emit_uint(e, "bytes", NULL, r->count.bytes);
	emit_uint(e, "dropped", NULL, s->dropped[slot]);
	emit_str(e, "rule", " %s\n", text);
	emit_end(e);
}

static void
tell_rules(struct emitter *e, const struct fw_map *map, const struct trial_side *s)
{
	const struct widths w = widths_of(map, s);

	emit_text(
	    e, "%*s %*s %*s  rule\n", w.packets, "packets", w.bytes, "bytes", w.dropped, "dropped");
	emit_list(e, "rule");
	for (uint32_t i = 0; i < map->n; i++)
		if (fw_slot_is_enabled(map, i))
			tell_rule(e, map, s, i, &w);
	emit_end(e);
}

static bool
was_hit(const struct fw_map *map, uint32_t slot)
{
	return map->rule[slot]->count.packets > 0 || map->rule[slot]->action == FW_ACT_CHECK_STATE;
}

static void
tell_never_hit(struct emitter *e, const struct fw_map *map)
{
	uint32_t n = 0;

	emit_list(e, "never-hit");
	for (uint32_t i = 0; i + 1 < map->n; i++) {
		if (!fw_slot_is_enabled(map, i) || was_hit(map, i))
			continue;
		if (n++ == 0)
			emit_text(e, "never hit:");
		emit_uint(e, "", " %" PRIu64, map->rule[i]->number);
	}
	if (n > 0)
		emit_text(e, "\n");
	emit_end(e);
}

static void
tell_shadow(struct emitter *e, const struct fw_map *map, const struct fw_shadow *s)
{
	char text[LINE_LEN];

	fw_shadow_text(s, text, sizeof(text));
	emit_object(e, NULL);
	emit_uint(e, "number", "    %05" PRIu64, map->rule[s->slot]->number);
	if (s->by != NULL)
		emit_uint(e, "by", NULL, s->by->number);
	emit_str(e, "why", " %s\n", text);
	emit_end(e);
}

static int
tell_shadows(struct emitter *e, const struct fw_map *map)
{
	struct fw_shadow *found;
	int n = fw_shadows(map, &found);

	if (n < 0)
		return n;
	emit_list(e, "never-matches");
	if (n > 0)
		emit_text(e, "can never match:\n");
	for (int i = 0; i < n; i++)
		tell_shadow(e, map, &found[i]);
	emit_end(e);
	free(found);
	return 0;
}

/* --- totals ----------------------------------------------------------------------------------- */

static void
tell_count(struct emitter *e, const char *name, uint64_t packets, uint64_t bytes, bool always)
{
	if (!always && packets == 0 && emitter_form(e) == EMIT_TEXT)
		return;
	emit_object(e, name);
	emit_uint(e, "packets", "%9" PRIu64, packets);
	emit_text(e, " %s", name);
	emit_uint(e, "bytes", ", %" PRIu64 " bytes\n", bytes);
	emit_end(e);
}

static void
tell_number(struct emitter *e, const char *name, const char *text, uint64_t n)
{
	if (n > 0 || emitter_form(e) == EMIT_JSON) {
		emit_uint(e, name, "%9" PRIu64, n);
		emit_text(e, " %s\n", text);
	}
}

int
trial_tell_totals(struct emitter *e, const struct trial_side *s, const struct trial_totals *totals)
{
	const struct fw_map *map;
	int error;
	VNET_SCOPE(s->prison->vnet);

	emit_str(e, "capture", "%s:", s->c->capture);
	emit_uint(e, "packets", " %" PRIu64 " packets", totals->packets);
	emit_uint(e, "bytes", ", %" PRIu64 " bytes", totals->bytes);
	emit_num(e, "seconds", ", %.6f s\n", (double)totals->length_ns / 1e9, 9);
	if (totals->note != NULL)
		emit_str(e, "note", "the file is damaged behind them: %s\n", totals->note);
	tell_count(e, "passed", s->packets[FW_FATE_PASS], s->bytes[FW_FATE_PASS], true);
	tell_count(e, "dropped", s->packets[FW_FATE_DROP], s->bytes[FW_FATE_DROP], true);
	tell_count(e, "left", s->packets[FW_FATE_LEAVE], s->bytes[FW_FATE_LEAVE], false);
	tell_count(e, "waiting", s->packets[FW_FATE_WAIT], s->bytes[FW_FATE_WAIT], false);
	tell_number(e, "faulty", "of the dropped had headers that no rule can judge", s->faulty);
	tell_number(e, "not-ip", "met no rule: not IP", totals->not_ip);
	tell_number(e, "malformed", "met no rule: malformed", totals->malformed);
	tell_number(e, "nowhere", "met no rule: no interface is known for them", totals->nowhere);
	rcu_read_lock();
	map = V_fw_map;
	tell_rules(e, map, s);
	tell_never_hit(e, map);
	error = tell_shadows(e, map);
	rcu_read_unlock();
	return error;
}
