/*
 * passage.h - one packet through the rules at one hook, and what becomes of it: for who wants to
 * know and not to forward (explain, replays of captures).
 *
 * The same evaluation as on the packets' way (hook.c): states are made, addresses translated,
 * fragments collected. Only what would leave the process or come later does not: an answer to a
 * rejected packet is not sent, a pipe lets it through at once, and what goes to a program (divert,
 * netgraph, auth) has left.
 */
#ifndef WARREN_IPFW_PASSAGE_H
#define WARREN_IPFW_PASSAGE_H

#include "ipfw/story.h"

enum fw_fate {
	FW_FATE_PASS,
	FW_FATE_DROP,
	FW_FATE_LEAVE, /* to a program */
	FW_FATE_WAIT,  /* a fragment that waits for the others */
};

struct fw_passage {
	/* asked */
	enum pfil_point point;
	enum pfil_dir dir;
	struct ifnet *ifp;      /* NULL: none */
	bool dry;               /* leave no trace; addresses are not translated */
	struct fw_story *story; /* NULL: nobody wants to know the way */
	/* answered */
	enum fw_fate fate;
	const struct fw_rule *rule; /* that says so; NULL: none does. As long as its map */
	uint32_t slot;              /* of the rule */
	uint8_t action;             /* enum fw_action */
	uint32_t arg;
	bool by_state;
	const char *why;     /* what no rule's action says; NULL */
	uint32_t pipe;       /* the last one that it passed; 0 = none */
	bool was_translated; /* by nat; dry: it would be */
	uint8_t fwd_family;  /* another next hop; 0 = the route's */
	uint16_t fwd_port;
	struct in6 fwd_addr;
};

/*
 * In curvnet, at the time m->when_ns. Takes m, at the header that the point has. Returns it,
 * perhaps another one, or NULL: it waits, or is gone (fate says).
 */
struct mbuf *fw_pass(struct fw_passage *pg, struct mbuf *m);

/*
 * From now on nothing but passages meets the rules of curvnet: what the stack itself sends and
 * receives passes by them. All counters begin at 0.
 */
void fw_pass_alone(void);

/* "Deny", "Allow by state", "SkipTo 500": the action, without its rule. */
void fw_passage_action(const struct fw_passage *pg, char *text, size_t len);
/* "passed by rule 300: Accept", "dropped: headers that rules look at are cut off". */
void fw_passage_text(const struct fw_passage *pg, char *text, size_t len);
/* "passes", "dropped", "leaves", "waits" */
const char *fw_fate_word(enum fw_fate fate);

#endif
