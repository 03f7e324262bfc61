/*
 * check.h - a packet meets the rules.
 *
 * fw_check() walks the rules that can match it (all of them, or those that the classifier names) in
 * order from a slot, counts, and ends at the first action that ends the search. It changes nothing in
 * the packet: who called it carries the verdict out (hook.c, replay, explain).
 */
#ifndef WARREN_IPFW_CHECK_H
#define WARREN_IPFW_CHECK_H

#include "ipfw/chain.h"
#include "ipfw/packet.h"

/* One instruction against a packet, without FW_NOT. The reference for all that is faster. */
bool fw_insn_match(const struct fw_insn *insn, const struct fw_rule *r, struct fw_packet *p);
/*
 * All of a rule's instructions: blocks, NOT, chance, states in the order of evaluation (prob first,
 * keep-state and limit last). Makes states. FW_REFUSE: a state could not be made, drop the packet.
 */
enum fw_match { FW_NO, FW_YES, FW_REFUSE };
enum fw_match fw_rule_match(struct fw_rule *r, struct fw_packet *p);

/* Something to be done to the packet that did not end the search; in order. */
struct fw_effect {
	uint8_t
	    action; /* FW_ACT_TEE, FW_ACT_NGTEE, FW_ACT_SETFIB, FW_ACT_SETDSCP, FW_ACT_TCP_SETMSS, or FW_ACTIONS + tag/untag */
	uint32_t arg;
	uint32_t slot;
};

struct fw_verdict {
	uint8_t action; /* what ends the search: enum fw_action */
	uint32_t arg;   /* its number, tablearg put in */
	uint32_t slot;  /* of the rule that said so */
	struct fw_rule *rule;
	struct in6 fwd_addr; /* with FW_ACT_FWD: family, address, port, tablearg put in */
	uint8_t fwd_family;
	uint16_t fwd_port;
	bool by_state;   /* a dynamic rule's hit */
	const char *why; /* of a refusal that no rule names: "too many states"; NULL */
};

/* Who wants to know which rules were met, and what became of each (explain.h). */
struct fw_tracer {
	void (*met)(struct fw_tracer *t, const struct fw_map *map, uint32_t slot,
	    const struct fw_packet *p, enum fw_match match, const struct fw_insn *failed);
};

/*
 * Where non-final actions (count, tee, setfib, tag, log …) are carried out: called as the rule is met.
 * May replace p->m (a tee's clone never does). NULL: nothing is done, counters only.
 */
struct fw_doer {
	void (*effect)(struct fw_doer *d, const struct fw_map *map, uint32_t slot, uint32_t arg,
	    struct fw_packet *p);
	void (*log)(struct fw_doer *d, const struct fw_map *map, uint32_t slot, uint32_t arg,
	    struct fw_packet *p);
};

/* Walk from `slot` on. With tracer != NULL, or without a classifier, every rule is tried in order. */
void fw_check(const struct fw_map *map, struct fw_packet *p, uint32_t slot, struct fw_doer *d,
    struct fw_tracer *t, struct fw_verdict *v);
/* The same for several packets from the first rule on: the classifier's look-ups overlap. */
void fw_check_batch(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v);

#endif
