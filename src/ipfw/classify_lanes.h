/*
 * classify_lanes.h - the way of packets through the compiled rules, for one kind of machine.
 * classify_walk.c includes it once for each, with LANES(name), the name with the machine's, and
 * LANES_TARGET, the attribute of its functions. Already there are
 *
 *	LANES(rank)	how many of the starts of a leaf are <= an address
 *	LANES(spread)	the bits of a word as numbers
 *	LANES(first)	of a line: the number of its first bit, or that of no rule
 *
 * Step by step for all packets, so that what one waits for from memory the others wait for too; and
 * without branches that depend on the packet, for guessing one wrong costs as much as twenty to
 * thirty instructions. No guard: it is meant to be included several times.
 */

/* Classes of the addresses of one side. */
LANES_TARGET static void
LANES(addresses)(const struct fw_addresses *a, const uint32_t *key, uint32_t n, uint32_t *class)
{
	uint32_t word[FW_BATCH];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = word[i] = a->root[key[i] >> 16];

		__builtin_prefetch(choose(w & FW_LEAF_MORE, &a->more[fw_more_at(w, key[i])],
		    &a->start[w >> FW_LEAF_BITS]));
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = word[i];

		word[i] = w = *(const uint32_t *)choose(
		    w & FW_LEAF_MORE, &a->more[fw_more_at(w, key[i])], &word[i]);
		__builtin_prefetch(&a->start[w >> FW_LEAF_BITS]);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = word[i] >> FW_LEAF_BITS, last = word[i] & (FW_LEAF_MORE - 1);

		class[i] = first - 1 + LANES(rank)(a->start, first, last + 1, (uint16_t)key[i]);
		__builtin_prefetch(&a->class[class[i]]);
	}
}

/* The lines of all packets that can have a match, in word s of the summaries. */
LANES_TARGET static uint32_t
LANES(summaries)(const struct fw_compiled *c, struct job *job, uint32_t s)
{
	const struct fw_addresses *a0 = c->src, *a1 = c->dst;
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->n; i++) {
		const struct fw_walk *walk = job->walk[i];
		uint64_t sum = a0->class[(size_t)walk->class[0] * c->sums + s].sum | a0->wild_sum[s];

		sum &= a1->class[(size_t)walk->class[1] * c->sums + s].sum | a1->wild_sum[s];
		for (uint32_t d = 0; d < c->n_dense; d++)
			sum &= c->dense[d].sum[(size_t)walk->dense[d] * c->sums + s];
		memset(job->packet + n, (int)i, 64);
		n = LANES(spread)(job->bit, n, sum);
	}
	return n;
}

/* Where they lie. */
LANES_TARGET static void
LANES(lines)(const struct fw_compiled *c, struct job *job, uint32_t n, uint32_t s)
{
	const struct fw_addresses *a0 = c->src, *a1 = c->dst;

	for (uint32_t t = 0; t < n; t++) {
		const struct fw_walk *walk = job->walk[job->packet[t]];
		uint32_t bit = job->bit[t], line = s * 64 + bit;
		const struct fw_class *x = &a0->class[(size_t)walk->class[0] * c->sums + s];
		const struct fw_class *y = &a1->class[(size_t)walk->class[1] * c->sums + s];

		job->line[0][t] = class_line(a0, x, bit, line);
		job->line[1][t] = class_line(a1, y, bit, line);
		__builtin_prefetch(job->line[0][t]);
		__builtin_prefetch(job->line[1][t]);
	}
}

/* AND them, and note of each the first rule. */
LANES_TARGET static void
LANES(heads)(const struct fw_classifier *k, struct job *job, uint32_t n, uint32_t s)
{
	const struct fw_compiled *c = k->compiled;
	const uint32_t none = c->lines * FW_LINE_BITS;

	for (uint32_t t = 0; t < n; t++) {
		struct fw_walk *walk = job->walk[job->packet[t]];
		uint32_t line = s * 64 + job->bit[t], bit, key, at;
		vector v = (*(const vector *)job->line[0][t] | *(const vector *)&c->src->wild[line]) &
		    (*(const vector *)job->line[1][t] | *(const vector *)&c->dst->wild[line]);

		for (uint32_t d = 0; d < c->n_dense; d++)
			v &= *(const vector *)&c->dense[d].line[(size_t)walk->dense[d] * c->lines + line];
		bit = LANES(first)((const uint64_t *)&v);
		key = k->key[bit < FW_LINE_BITS ? line * FW_LINE_BITS + bit : none];
		if (__builtin_expect(key == FW_SLOT_NONE && bit < FW_LINE_BITS, 0))
			key = line_next(k, walk, line, &bit, 0);
		at = walk->n < FW_WALK_HEADS ? walk->n : FW_WALK_HEADS - 1;
		walk->head[at] = (struct fw_head){ key, (uint16_t)line, (uint16_t)bit };
		walk->n += key != FW_SLOT_NONE;
		walk->first = key < walk->first ? key : walk->first;
	}
}

LANES_TARGET static void
LANES(match)(const struct fw_classifier *k, struct job *job)
{
	const struct fw_compiled *c = k->compiled;
	uint32_t class[2][FW_BATCH];

	LANES(addresses)(c->src, job->key[0], job->n, class[0]);
	LANES(addresses)(c->dst, job->key[1], job->n, class[1]);
	for (uint32_t i = 0; i < job->n; i++) {
		job->walk[i]->class[0] = class[0][i];
		job->walk[i]->class[1] = class[1][i];
	}
	if (job->not4 != 0)
		classes_not4(c, job);
	for (uint32_t s = 0; s < c->sums; s++) {
		uint32_t n = LANES(summaries)(c, job, s);

		LANES(lines)(c, job, n, s);
		LANES(heads)(k, job, n, s);
	}
}
