/*
 * story.h - which rules a packet has met, and what became of each: told as text or JSON.
 *
 *	     00100 - deny tcp from any to any dst-port 23
 *	              dst-port 23: it is 80
 *	     00200 + allow tcp from 10.0.0.0/8 to any setup keep-state
 *
 * A story is a tracer (check.h) that remembers; one may be used again and again.
 */
#ifndef WARREN_IPFW_STORY_H
#define WARREN_IPFW_STORY_H

#include "ipfw/check.h"

enum fw_step_kind {
	FW_STEP_NO,       /* it does not match */
	FW_STEP_YES,      /* it matches */
	FW_STEP_LATER,    /* it matches, and its action waits for the next packet */
	FW_STEP_REFUSE,   /* it matches, and there is no room for its state */
	FW_STEP_STATE,    /* here the packet's state was found */
	FW_STEP_NO_STATE, /* check-state, and there is none */
};

struct fw_step {
	const struct fw_rule *rule;   /* borrowed: as long as its map */
	const struct fw_rule *parent; /* FW_STEP_STATE: whose state it is */
	uint8_t kind;                 /* enum fw_step_kind */
	char why[160];                /* the word that failed, a value found; "" = nothing to say */
};

struct fw_story {
	struct fw_tracer tracer; /* first */
	bool words;              /* say why */
	bool is_cut;             /* more were met than are kept */
	struct fw_step *step;
	uint32_t n, room;
};

/* Nothing has been met yet. Before the first time *s is all zero. */
void fw_story_begin(struct fw_story *s, bool words);
void fw_story_free(struct fw_story *s);
/* Did a rule of this number match, or its state take the packet over? */
bool fw_story_has(const struct fw_story *s, uint16_t number);

/*
 * One line for each step, the reason on a line of its own below, all behind `indent`. JSON: a list
 * "rule".
 */
void fw_story_tell(struct emitter *e, const struct fw_story *s, const char *indent);
/* The same in one line: "-100 -200 +300", what failed and what matched. Text only. */
void fw_story_tell_short(struct emitter *e, const struct fw_story *s);

#endif
