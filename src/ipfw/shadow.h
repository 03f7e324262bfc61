/*
 * shadow.h - rules that no packet can ever match.
 *
 * Either an earlier rule takes all that such a rule could match (it ends the search, or leads past
 * the rule), or its own words exclude each other. The analysis is sound and not complete: what it
 * says is certain, what it doesn't say may still be so.
 */
#ifndef WARREN_IPFW_SHADOW_H
#define WARREN_IPFW_SHADOW_H

#include "ipfw/chain.h"

struct fw_shadow {
	uint32_t slot;               /* of the rule that never matches */
	const struct fw_rule *by;    /* the earlier rule; NULL: it contradicts itself */
	const struct fw_insn *a, *b; /* the words that exclude each other; b NULL: a alone */
};

/*
 * All of them, in order, into *found (free() it). How many; -ENOMEM. Rules of disabled sets and the
 * default rule are never among them.
 */
int fw_shadows(const struct fw_map *map, struct fw_shadow **found);

/* "rule 100 takes all that it could match", "in and xmit wan exclude each other" */
void fw_shadow_text(const struct fw_shadow *s, char *text, size_t len);

#endif
