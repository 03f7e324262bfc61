/*
 * classify.h - which rules can match a packet at all.
 *
 * Compiled from the rules of a map: addresses, ports, protocol, interfaces, direction, flags. For a
 * packet it names, in order, the slots of the rules whose compiled conditions hold; a rule that says
 * more is then evaluated in full (check.c). It never leaves out a rule that matches.
 *
 * It lives with the map that it was made for, and survives changes: see fw_classifier_follow().
 */
#ifndef WARREN_IPFW_CLASSIFY_H
#define WARREN_IPFW_CLASSIFY_H

#include "ipfw/chain.h"
#include "ipfw/packet.h"

/* Build for a map. NULL without memory (the map then works without). Owner: the map. */
struct fw_classifier *fw_classifier_build(const struct fw_map *map);
/*
 * The classifier for `now`, the map that differs from `before` (which has one) by some rules added and
 * deleted: cheap (rules that came are tried one by one, rules that went are skipped), until too many
 * have changed; then it is built anew. NULL as above. Both maps' classifiers may be in use at once.
 */
struct fw_classifier *fw_classifier_follow(const struct fw_map *before, const struct fw_map *now);
void fw_classifier_free(struct fw_classifier *c);

/*
 * The rules for one packet: state of the walk. `first` is the first candidate at or behind slot `lo`,
 * << 1 | not decided, while `found` is not more than `known`.
 */
struct fw_candidates {
	const struct fw_classifier *c;
	uint32_t lo, first, found, known;
	uint64_t room[20]; /* the classifier's (struct fw_walk) */
};
/* Prepare for n packets: their look-ups overlap. */
void fw_classify(const struct fw_classifier *c, const struct fw_packet *const *p, uint32_t n,
    struct fw_candidates *out);
enum { FW_SLOT_NONE = 0xffffffff };
/* fw_candidate, when the first is not known yet. */
uint32_t fw_candidate_find(struct fw_candidates *k, uint32_t from, bool *decided);
/*
 * The first candidate slot >= from, FW_SLOT_NONE if there is none (never: the default rule always
 * is one). *decided: the compiled conditions are all that the rule says, it matches. from may jump
 * forwards, and backwards after `return`.
 */
static inline uint32_t
fw_candidate(struct fw_candidates *k, uint32_t from, bool *decided)
{
	if (__builtin_expect(k->lo != from || k->found > k->known, 0))
		return fw_candidate_find(k, from, decided);
	*decided = !(k->first & 1);
	return k->first == FW_SLOT_NONE ? k->first : k->first >> 1;
}

struct fw_classifier_stats {
	uint32_t rules, pending; /* compiled; changed since */
	uint64_t bytes, build_ns;
};
void fw_classifier_stats(const struct fw_classifier *c, struct fw_classifier_stats *st);

#endif
