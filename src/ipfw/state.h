/*
 * state.h - dynamic rules: flows that a rule with keep-state or limit has let through.
 */
#ifndef WARREN_IPFW_STATE_H
#define WARREN_IPFW_STATE_H

#include "ipfw/packet.h"
#include "ipfw/rule.h"

/*
 * n packets will ask soon: have what they will read on its way (a batch at most). In the reader's
 * section in which they ask.
 */
void fw_state_prefetch(struct fw_packet *p, uint32_t n);
/*
 * The state of p's flow (either direction; name "" or the rule's state name, "any" = every name):
 * its parent rule, and its life is prolonged, its counters and the parent's count p. NULL: none.
 * The rule is valid in the reader's section.
 */
struct fw_rule *fw_state_hit(struct fw_packet *p, const char *name);
/* How long that state lives from now on; 0: there is none. */
uint64_t fw_state_left_ns(const struct fw_packet *p, const char *name);
/*
 * Make the state that r's instruction (FW_OP_KEEP_STATE, FW_OP_LIMIT) asks for. 0, also if there
 * is one already; -ENOSPC the table is full (dyn_max) or there are 256 state names, -EDQUOT limit
 * reached, -ENOMEM, -EINVAL p is no flow (not IP).
 */
int fw_state_add(struct fw_rule *r, const struct fw_insn *insn, struct fw_packet *p);
/* The rule has been deleted: its states go with it. */
void fw_state_forget(struct fw_rule *r);
/* How many there are in curvnet. */
uint32_t fw_state_count(void);
/* `ipfw -d list`: "## Dynamic rules (N):" and a line each. */
struct fw_state_listing {
	bool expired;            /* those that have ended, too */
	uint32_t sets;           /* of rules in these sets, by bit; 0 = all */
	const uint64_t *numbers; /* of rules with these numbers, by bit; NULL = all */
	int packets_width, bytes_width;
};
void fw_state_show(struct emitter *e, const struct fw_state_listing *what);

#endif
