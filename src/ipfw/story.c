/*
 * story.c - see story.h.
 *
 * Reasons are put into words when a rule is met: a rule behind it may change the packet.
 */
#include "ipfw/story.h"

#include "ipfw/reason.h"
#include "ipfw/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk has so many steps only if calls lead back and back again. */
enum { STEPS_MAX = 200000, RULE_TEXT = 2048 };

/* --- remembering ------------------------------------------------------------------------------ */

/* A new step; NULL: there are enough, or there is no memory. */
static struct fw_step *
step_add(struct fw_story *s, const struct fw_rule *r, enum fw_step_kind kind)
{
	if (s->n == s->room) {
		uint32_t room = s->room != 0 ? s->room * 2 : 64;
		struct fw_step *grown = NULL;

		if (room <= STEPS_MAX)
			grown = realloc(s->step, room * sizeof(*grown));
		if (grown == NULL) {
			s->is_cut = true;
			return NULL;
		}
		s->step = grown;
		s->room = room;
	}
	s->step[s->n].rule = r;
	s->step[s->n].parent = NULL;
	s->step[s->n].kind = (uint8_t)kind;
	s->step[s->n].why[0] = '\0';
	return &s->step[s->n++];
}

static enum fw_step_kind
kind_of(const struct fw_rule *r, enum fw_match match)
{
	switch (match) {
	case FW_NO:
		return FW_STEP_NO;
	case FW_YES:
		return r->action == FW_ACT_CHECK_STATE ? FW_STEP_NO_STATE : FW_STEP_YES;
	case FW_LATER:
		return FW_STEP_LATER;
	case FW_REFUSE:
		return FW_STEP_REFUSE;
	}
	return FW_STEP_NO;
}

static void
story_met(struct fw_tracer *t, const struct fw_map *map, uint32_t slot, const struct fw_packet *p,
    enum fw_match match, const struct fw_insn *failed)
{
	struct fw_story *s = (struct fw_story *)(void *)t;
	const struct fw_rule *r = map->rule[slot];
	struct fw_step *step = step_add(s, r, kind_of(r, match));
	/* Its fields are read again, and what a table says is noted in it: on a copy. */
	struct fw_packet copy;

	if (step == NULL || !s->words)
		return;
	copy = *p;
	if (failed != NULL)
		fw_reason_failed(r, failed, &copy, step->why, sizeof(step->why));
	else if (match != FW_NO)
		fw_reason_found(r, &copy, step->why, sizeof(step->why));
}

static void
story_state(struct fw_tracer *t, const struct fw_map *map, uint32_t slot, const struct fw_packet *p,
    const struct fw_rule *parent)
{
	struct fw_story *s = (struct fw_story *)(void *)t;
	struct fw_step *step = step_add(s, map->rule[slot], FW_STEP_STATE);

	if (step == NULL)
		return;
	step->parent = parent;
	if (s->words)
		snprintf(step->why, sizeof(step->why), "a state of rule %u%s, %" PRIu64 " s left",
		    parent->number, p->state_reverse ? ", the other way" : "",
		    (fw_state_left_ns(p, p->state_name) + NS_PER_SEC - 1) / NS_PER_SEC);
}

void
fw_story_begin(struct fw_story *s, bool words)
{
	s->tracer.met = story_met;
	s->tracer.state = story_state;
	s->words = words;
	s->is_cut = false;
	s->n = 0;
}

void
fw_story_free(struct fw_story *s)
{
	free(s->step);
	*s = (struct fw_story){ 0 };
}

bool
fw_story_has(const struct fw_story *s, uint16_t number)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct fw_step *step = &s->step[i];

		if (step->kind == FW_STEP_STATE && step->parent->number == number)
			return true;
		if (step->kind != FW_STEP_NO && step->kind != FW_STEP_NO_STATE &&
		    step->kind != FW_STEP_STATE && step->rule->number == number)
			return true;
	}
	return false;
}

/* --- telling ---------------------------------------------------------------------------------- */

static const struct {
	char sign;
	const char *word, *note;
} kinds[] = {
	[FW_STEP_NO] = { '-', "no", "" },
	[FW_STEP_YES] = { '+', "yes", "" },
	[FW_STEP_LATER] = { '+', "later", "its action waits for the next packet" },
	[FW_STEP_REFUSE] = { '+', "refused", "there is no room for its state" },
	[FW_STEP_STATE] = { '+', "state", "" },
	[FW_STEP_NO_STATE] = { '-', "no-state", "there is no state" },
};

static void
tell_json(struct emitter *e, const struct fw_step *step, const char *rule)
{
	emit_object(e, NULL);
	emit_uint(e, "number", NULL, step->rule->number);
	emit_str(e, "rule", NULL, rule);
	emit_str(e, "met", NULL, kinds[step->kind].word);
	if (step->parent != NULL)
		emit_uint(e, "state-of", NULL, step->parent->number);
	if (step->why[0] != '\0')
		emit_str(e, "why", NULL, step->why);
	emit_end(e);
}

static void
tell_text(struct emitter *e, const struct fw_step *step, const char *rule, const char *indent)
{
	const char *note = kinds[step->kind].note;

	emit_text(e, "%s%05u %c %s\n", indent, step->rule->number, kinds[step->kind].sign, rule);
	if (note[0] != '\0')
		emit_text(e, "%s        %s\n", indent, note);
	if (step->why[0] != '\0')
		emit_text(e, "%s        %s\n", indent, step->why);
}

void
fw_story_tell(struct emitter *e, const struct fw_story *s, const char *indent)
{
	char rule[RULE_TEXT];

	emit_list(e, "rule");
	for (uint32_t i = 0; i < s->n; i++) {
		fw_rule_text(s->step[i].rule, FW_PRINT_NO_NUMBER, rule, sizeof(rule));
		if (emitter_form(e) == EMIT_JSON)
			tell_json(e, &s->step[i], rule);
		else
			tell_text(e, &s->step[i], rule, indent);
	}
	if (s->is_cut)
		emit_text(e, "%smore are not told\n", indent);
	emit_end(e);
}

void
fw_story_tell_short(struct emitter *e, const struct fw_story *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		emit_text(e, " %c%u", kinds[s->step[i].kind].sign, s->step[i].rule->number);
	if (s->is_cut)
		emit_text(e, " ...");
}
