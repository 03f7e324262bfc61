/*
 * chain.h - the rules of a stack in order, and how packets refer to a place in it.
 *
 * The map is an array of rules sorted by (number, id). A change copies it in the upper half,
 * publishes the copy with one pointer store and frees the old one when nobody reads it any more;
 * packets never wait for more than that (behaviours 44). Each map has an id of its own, the chain id.
 *
 * From outside (pipes, divert sockets, hooks, NAT, reassembly) a place is named by struct fw_ref
 * alone. If the map is still the same, the slot is used at once; else a binary search finds the
 * first rule behind (number, id), whether that rule still exists or not.
 *
 * Costs: look-up by slot O(1); skipto, call: O(1) when remembered, else O(log N); re-entry O(1) or
 * O(log N); a change O(N) in the upper half. chain_steps counts the steps of searches for the test.
 */
#ifndef WARREN_IPFW_CHAIN_H
#define WARREN_IPFW_CHAIN_H

#include "ipfw/rule.h"
#include "kern/vnet.h"

struct fw_classifier;

struct fw_map {
	uint32_t id;                      /* never used again in this stack; never 0 */
	uint32_t n;                       /* the default rule is rule[n - 1] */
	uint32_t disabled;                /* sets, by bit */
	bool has_states;                  /* some rule makes or checks states */
	bool one_state_name;              /* they all look under the same name */
	uint32_t n_state_slots;           /* of rules at which a packet's state is looked for … */
	const uint32_t *state_slot;       /* … in order */
	struct fw_classifier *classifier; /* NULL: all rules are tried in order (classify.h) */
	/*
	 * The set of each rule as it is in this map, so that moving many rules is one swap too;
	 * rule[i]->set is what the upper half knows. May be NULL while no set is disabled.
	 */
	const uint8_t *set;
	struct rcu_head rcu;
	struct fw_rule *rule[]; /* of enabled sets and disabled ones alike */
};

struct fw_ref {
	uint32_t slot, chain_id, rule_id;
	uint16_t number;
};

VNET_DECLARE(struct fw_map *, fw_map);
/*
 * Inside a reader's section (base/rcu.h). NULL: nobody has asked for the firewall in this stack, or
 * the stack is ending; packets pass.
 */
#define V_fw_map rcu_deref(&VNET(fw_map))

static inline struct fw_ref
fw_ref_of(const struct fw_map *map, uint32_t slot)
{
	const struct fw_rule *r = map->rule[slot];

	return (struct fw_ref){ slot, map->id, r->id, r->number };
}
/* Slot of the first rule behind the one that ref names. */
uint32_t fw_map_after(const struct fw_map *map, const struct fw_ref *ref);
/* Slot of the first rule with this number or a higher one: always one, since 65535 is there. */
uint32_t fw_map_find(const struct fw_map *map, uint16_t number);
/* The number behind one; nothing is behind the last. */
static inline uint16_t
fw_number_behind(uint16_t number)
{
	return (uint16_t)(number + (number < FW_NUMBER_MAX));
}

/*
 * Where r leads that says `number`: a skipto never goes backwards (to its own number or a lower one: to
 * the next), a call may.
 */
static inline uint16_t
fw_jump_number(const struct fw_rule *r, uint32_t number)
{
	if (number <= r->number && r->action != FW_ACT_CALL)
		return fw_number_behind(r->number);
	return (uint16_t)(number < FW_NUMBER_MAX ? number : FW_NUMBER_MAX);
}

/*
 * The slot to which the rule in `slot` jumps: remembered in the rule, unless its number comes from a
 * table.
 */
uint32_t fw_map_jump(const struct fw_map *map, uint32_t slot, uint32_t number);

static inline bool
fw_slot_is_enabled(const struct fw_map *map, uint32_t slot)
{
	return map->disabled == 0 || !(map->disabled >> map->set[slot] & 1);
}

/*
 * Changes, in curvnet, upper half. 0 or -errno; nothing is changed on error. Several changes between
 * fw_change_begin and fw_change_end make one new map (a rule file: one swap instead of thousands).
 */
void fw_change_begin(void);
int fw_change_end(void);
/*
 * The firewall is to work from now on: the map with the default rule, the hooks (hook.h). Any change
 * does it by itself.
 */
int fw_start(void);
/*
 * Takes r, also on error; it gets its id, and its number if that is 0 (autoinc_step). -EINVAL: 65535,
 * no such set. -ENOMEM.
 */
int fw_add(struct fw_rule *r);
/* Number that the next rule without one gets. */
uint16_t fw_next_number(void);
/* Rules, the default rule included; 0 while the firewall was not asked for. */
uint32_t fw_static_count(void);
/* Sets that are disabled, by bit. */
uint32_t fw_sets_disabled(void);
struct fw_selection {    /* which rules; all conditions hold */
	uint16_t lo, hi; /* numbers; 0, 0 = all */
	uint32_t sets;   /* by bit; 0 = all */
};
/* How many were removed (the default rule never; set 31 only when asked for by set or number). */
int fw_delete(const struct fw_selection *s);
int fw_flush(void);
int fw_move_rules(uint16_t number, uint8_t set); /* a number nobody has: silently nothing */
int fw_move_set(uint8_t from, uint8_t to);
int fw_swap_sets(uint8_t a, uint8_t b);
int fw_set_enable(
    uint32_t disable, uint32_t enable); /* at once; -EINVAL: 31 disabled, or in both */
/* Counters and log counters, or the log counters only; how many rules there were. */
int fw_zero(const struct fw_selection *s, bool log_only);
/*
 * Rules that are selected, in order; fn non-zero stops. Upper half; sees the changes made so far
 * behind fw_change_begin.
 */
int fw_foreach(
    const struct fw_selection *s, int (*fn)(struct fw_rule *r, bool enabled, void *ctx), void *ctx);

/* Steps that searches took so far in this thread: for the test of the table of costs. */
extern __thread uint64_t chain_steps;

#endif
