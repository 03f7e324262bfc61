/*
 * check.h - a packet meets the rules.
 *
 * fw_check() walks the rules that can match it (all of them, or those that the classifier names) in
 * order from a slot, counts, and ends at the first action that ends the search. Of the packet it
 * changes nothing: actions on the way are the doer's, and who called it carries the verdict out
 * (hook.c, passage.c).
 *
 * A packet that is only asked about (fw_packet.dry) leaves no trace: no counter, no state, no chance
 * taken.
 */
#ifndef WARREN_IPFW_CHECK_H
#define WARREN_IPFW_CHECK_H

#include "base/clock.h"
#include "ipfw/chain.h"
#include "ipfw/packet.h"

struct fw_candidates;

/* One instruction against a packet, without FW_NOT. The reference for all that is faster. */
bool fw_insn_match(const struct fw_insn *insn, const struct fw_rule *r, struct fw_packet *p);
/*
 * All of a rule's instructions: blocks, NOT, chance, states in the order of evaluation (prob first,
 * keep-state and limit last). Makes states. The tablearg is this rule's from here on.
 */
enum fw_match {
	FW_NO,
	FW_YES,
	FW_LATER, /* it matches and has made its state; its action waits for the next packet */
	FW_REFUSE /* it matches, but the state could not be made: drop the packet */
};
enum fw_match fw_rule_match(struct fw_rule *r, struct fw_packet *p);
/* The instruction at which the rule does not match; NULL: it does. Makes no states. */
const struct fw_insn *fw_rule_failed(const struct fw_rule *r, struct fw_packet *p);
/* Whoever matches it passes or is dropped, and nothing else happens: no state, no chance, no word. */
bool fw_rule_is_plain(const struct fw_rule *r);
/*
 * The name under which the rule looks for a packet's state; "any": under all names. NULL: it is no
 * place where states are looked for.
 */
const char *fw_rule_state_name(const struct fw_rule *r);

/* Something to be done to the packet that does not end the search. */
struct fw_effect {
	/* FW_ACT_TEE, NGTEE, SETFIB, SETDSCP, TCP_SETMSS, or one of these: */
	uint8_t action;
	uint32_t arg;
	uint32_t slot; /* of the rule that says so */
	const struct fw_rule *rule;
};
enum { FW_EFFECT_TAG = FW_ACTIONS, FW_EFFECT_UNTAG };

struct fw_verdict {
	uint8_t action; /* what ends the search: enum fw_action */
	uint32_t arg;   /* its number, tablearg put in */
	uint32_t
	    slot; /* of the rule that said so; of the first behind it, if it has left the map */
	struct fw_rule *rule;
	struct in6 fwd_addr; /* with FW_ACT_FWD: address, port, tablearg put in; IPv4 in front */
	uint8_t fwd_family;  /* 0: nowhere in particular */
	uint16_t fwd_port;
	bool by_state;    /* a dynamic rule's hit */
	const char *altq; /* of the first rule met that names a queue; NULL */
	const char *why;  /* of a refusal that no rule's action says: "too many states"; NULL */
};

/* Who wants to know which rules were met, and what became of each (story.h). */
struct fw_tracer {
	void (*met)(struct fw_tracer *t, const struct fw_map *map, uint32_t slot,
	    const struct fw_packet *p, enum fw_match match, const struct fw_insn *failed);
	/* at this slot the packet's state was found: what its parent says is done. May be NULL */
	void (*state)(struct fw_tracer *t, const struct fw_map *map, uint32_t slot,
	    const struct fw_packet *p, const struct fw_rule *parent);
};

/*
 * Where actions that don't end the search are carried out, as the rule is met. An effect may replace
 * p->m, or take it and leave NULL: then the search ends, denied. NULL instead of a doer: nothing is
 * done, counters only.
 */
struct fw_doer {
	void (*effect)(struct fw_doer *d, const struct fw_map *map, const struct fw_effect *e,
	    struct fw_packet *p);
	/* a rule with `log` matches */
	void (*log)(struct fw_doer *d, const struct fw_map *map, struct fw_rule *r, uint32_t arg,
	    const struct fw_packet *p);
};

static inline uint32_t
fw_packet_bytes(const struct fw_packet *p)
{
	return p->ip != 0 ? p->ip_len : p->m->len;
}

/* Packets have matched r, the last of them at now_ns since 1970. */
static inline void
fw_rule_count(struct fw_rule *r, uint64_t packets, uint64_t bytes, uint64_t now_ns)
{
	r->count.packets += packets;
	r->count.bytes += bytes;
	r->count.last_ns = now_ns;
}

/* The serial number of the packet that met the rules last. */
VNET_DECLARE(uint32_t, fw_packet_serial);

/* Walk from `slot` on. With tracer != NULL, or without a classifier, every rule is tried in order. */
void fw_check(const struct fw_map *map, struct fw_packet *p, uint32_t slot, struct fw_doer *d,
    struct fw_tracer *t, struct fw_verdict *v);
/* The same for several packets from the first rule on: the classifier's look-ups overlap. */
void fw_check_batch(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v);
/*
 * What both are made of. k: the packet's candidates (classify.h); NULL: every rule. Rules that check
 * states are met for that wherever the walk comes by the first of them, candidates or not.
 */
void fw_walk(const struct fw_map *map, struct fw_packet *p, uint32_t slot, struct fw_candidates *k,
    struct fw_doer *d, struct fw_tracer *t, struct fw_verdict *v);

#endif
