/*
 * check_batch.c - several packets meet the rules: what each can match is looked up for all of them at
 * once (classify.h), then each goes its way in order.
 */
#include "ipfw/check.h"
#include "ipfw/classify.h"
#include "ipfw/state.h"

/* As many as a batch of packets has; more go in several turns. */
enum { TOGETHER = 64 };

static void
check_together(const struct fw_map *map, struct fw_packet *p, uint32_t n, struct fw_doer *d,
    struct fw_verdict *v)
{
	const struct fw_packet *each[TOGETHER];
	struct fw_candidates k[TOGETHER];

	for (uint32_t i = 0; i < n; i++)
		each[i] = &p[i];
	fw_classify(map->classifier, each, n, k);
	for (uint32_t i = 0; i < n; i++)
		fw_walk(map, &p[i], 0, &k[i], d, NULL, &v[i]);
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
