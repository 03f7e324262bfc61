/*
 * chain_internal.h - a change of the rules while it is being made: between chain.c and set.c.
 */
#ifndef WARREN_IPFW_CHAIN_INTERNAL_H
#define WARREN_IPFW_CHAIN_INTERNAL_H

#include "ipfw/chain.h"

struct fw_entry {
	struct fw_rule *rule;
	bool fresh; /* no map has it yet: it ends with this change, if that comes to nothing */
};

/*
 * The rules as they will be; the default rule is always there, and last. A rule's set is written in the
 * rule: packets read the map's copy of it.
 */
struct fw_change {
	struct fw_entry *entry;
	uint32_t n, room;
	uint32_t disabled;
	bool dirty; /* something is different from the map */
};

/*
 * The change that fw_change_begin() opened, filled from the map when it is first asked for. NULL
 * without memory.
 */
struct fw_change *fw_change_open(void);

/* The last rule id that was given out: for the test of what happens when there are no more. */
VNET_DECLARE(uint32_t, fw_last_rule_id);

#endif
