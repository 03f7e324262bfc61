/*
 * check_batch.c - several packets meet the rules: what each can match is looked up for all of them at
 * once (classify.h), then each goes its way in order.
 */
#include "ipfw/check.h"
#include "ipfw/classify.h"
#include "ipfw/state.h"

/* As many as a batch of packets has; more go in several turns. */
enum { TOGETHER = 64 };

/*
 * Does the first rule alone say what becomes of the packet? Firewalls often begin with one for most of
 * the traffic: what comes from inside, or goes out, or by way of lo0. Trying it costs a tenth of a
 * look-up.
 */
static bool
first_rule_ends(const struct fw_map *map, struct fw_packet *p)
{
	const struct fw_rule *r = map->rule[0];

	return (r->action == FW_ACT_ALLOW || r->action == FW_ACT_DENY) &&
	    fw_slot_is_enabled(map, 0) && fw_rule_failed(r, p) == NULL;
}

static void
check_together(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v)
{
	const struct fw_packet *each[TOGETHER];
	struct fw_candidates k[TOGETHER], *next = k;
	uint64_t ended = 0;
	uint32_t asked = 0;

	for (uint32_t i = 0; i < n; i++)
		if (first_rule_ends(map, &p[i]))
			ended |= UINT64_C(1) << i;
		else
			each[asked++] = &p[i];
	fw_classify(map->classifier, each, asked, k);
	for (uint32_t i = 0; i < n; i++)
		fw_walk(map, &p[i], 0, ended >> i & 1 ? NULL : next++, d, NULL, &v[i]);
}

void
fw_check_batch(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v)
{
	if (map->has_states)
		fw_state_prefetch(p, n);
	if (map->classifier == NULL) {
		for (uint32_t i = 0; i < n; i++)
			fw_walk(map, &p[i], 0, NULL, d, NULL, &v[i]);
		return;
	}
	for (uint32_t i = 0; i < n; i += TOGETHER)
		check_together(map, p + i, n - i < TOGETHER ? n - i : TOGETHER, d, v + i);
}
