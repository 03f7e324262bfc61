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
 * thirty instructions. What is the same for all packets is read once, ahead of the loops: the compiler
 * can't know that nothing that they write changes it. No guard: it is meant to be included several
 * times.
 */

/* --- addresses to classes -------------------------------------------------- */

/*
 * Of one side: where the intervals are among which each address is. shift: of struct job's key. Their
 * starts are on their way here.
 */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(leaves)(const struct fw_addresses *a, const struct job *job, unsigned shift, uint32_t *word)
{
	const uint32_t *more = a->more, n = job->n;
	const uint16_t *start = a->start;

	for (uint32_t i = 0; i < n; i++) {
		word[i] = a->root[(uint32_t)(job->key[i] >> shift) >> 16];
		__builtin_prefetch(&start[word[i] >> FW_LEAF_BITS]);
	}
	if (!a->has_more)
		return;
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&more[fw_more_at(word[i], (uint32_t)(job->key[i] >> shift))]);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = word[i];

		word[i] = w = *(const uint32_t *)choose(w & FW_LEAF_MORE,
		    &more[fw_more_at(w, (uint32_t)(job->key[i] >> shift))], &word[i]);
		__builtin_prefetch(&start[w >> FW_LEAF_BITS]);
	}
}

/* Classes of the addresses of one side; their entries are on their way here. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(intervals)(const struct fw_compiled *c, const struct job *job, unsigned side, bool wide)
{
	const struct fw_addresses *a = side == 0 ? c->src : c->dst;
	const uint16_t *start = a->start;
	const unsigned shift = side == 0 ? 32 : 0;
	const struct fw_class *class = a->class;
	const uint32_t n = job->n, sums = c->sums;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t word = job->word[side][i], first = word >> FW_LEAF_BITS;
		uint32_t starts = (word & (FW_LEAF_MORE - 1)) + 1;
		uint32_t at = first - 1 +
		    LANES(rank)(start, first, starts, (uint16_t)(job->key[i] >> shift), wide);

		job_walk(job, i)->class[side] = at;
		__builtin_prefetch(&class[(size_t)at * sums]);
	}
}

LANES_TARGET static inline __attribute__((always_inline)) void
LANES(addresses)(const struct fw_compiled *c, struct job *job)
{
	LANES(leaves)(c->src, job, 32, job->word[0]);
	LANES(leaves)(c->dst, job, 0, job->word[1]);
	if (c->src->has_wide)
		LANES(intervals)(c, job, 0, true);
	else
		LANES(intervals)(c, job, 0, false);
	if (c->dst->has_wide)
		LANES(intervals)(c, job, 1, true);
	else
		LANES(intervals)(c, job, 1, false);
}

/* --- few rules -------------------------------------------------------------- */

/* Each class has all lines, so there is nothing to choose. few: no source ports, no interfaces. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(small)(const struct fw_classifier *k, struct job *job, bool few)
{
	const struct fw_compiled *c = k->compiled;
	const struct fw_class *class0 = c->src->class, *class1 = c->dst->class;
	const struct fw_line *line0 = c->src->line, *line1 = c->dst->line;
	const uint8_t *dense = (const uint8_t *)(c->dense.line + c->dense.head);
	const uint32_t *keys = k->key, packets = job->n, lines = c->lines;
	const bool gone = k->gone != 0;

	for (uint32_t i = 0; i < packets; i++) {
		struct fw_walk *walk = job_walk(job, i);
		const vector *x = (const vector *)(line0 + class0[walk->class[0]].first);
		const vector *y = (const vector *)(line1 + class1[walk->class[1]].first);
		const vector *d0 = (const vector *)(dense + walk->dense[0]);
		const vector *d1 = (const vector *)(dense + walk->dense[1]);
		const vector *d2 = (const vector *)(dense + walk->dense[2]);
		const vector *d3 = (const vector *)(dense + walk->dense[3]);
		uint32_t n = 0, least = FW_SLOT_NONE;

		for (uint32_t line = 0; line < lines; line++) {
			vector v = x[line] & y[line] & d0[line] & d1[line];
			uint32_t bit, first, key;

			if (!few)
				v &= d2[line] & d3[line];
			bit = LANES(first)((const uint64_t *)&v);
			first = line * FW_LINE_BITS + bit;
			key = keys[first] | -(uint32_t)(bit >= FW_LINE_BITS);
			if (__builtin_expect(gone, 0) && key == FW_SLOT_NONE && bit < FW_LINE_BITS)
				key = head_behind(k, walk, &first);
			walk->head[n] = (struct fw_head){ key, first };
			n += key != FW_SLOT_NONE;
			least = key < least ? key : least;
		}
		walk->n = n;
		walk->first = least;
	}
}

/* --- many rules ------------------------------------------------------------- */

/* The lines of all packets that can have a match, in word s of the summaries. */
LANES_TARGET static inline __attribute__((always_inline)) uint32_t
LANES(summaries)(const struct fw_compiled *c, struct job *job, uint32_t s, uint32_t sums, bool few)
{
	const struct fw_class *class0 = c->src->class + s, *class1 = c->dst->class + s;
	const uint8_t *dense = (const uint8_t *)c->dense.line + s * sizeof(uint64_t);
	uint64_t wild0 = c->src->wild_sum[s], wild1 = c->dst->wild_sum[s];
	uint32_t n = 0, packets = job->n;

	for (uint32_t i = 0; i < packets; i++) {
		const struct fw_walk *walk = job_walk(job, i);
		const uint32_t *at = walk->dense;
		uint64_t sum0 = class0[(size_t)walk->class[0] * sums].sum | wild0;
		uint64_t sum1 = class1[(size_t)walk->class[1] * sums].sum | wild1;
		uint64_t sum2 = load64(dense + at[0]) & load64(dense + at[1]);
		uint64_t sum3 = few ? sum2 : load64(dense + at[2]) & load64(dense + at[3]);

		memset(job->packet + n, (int)i, 64);
		n = LANES(spread)(job->bit, n, sum0 & sum1 & sum2 & sum3);
	}
	return n;
}

/* Where they lie. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(lines)(const struct fw_compiled *c, struct job *job, uint32_t n, uint32_t s, uint32_t sums)
{
	const struct fw_class *class0 = c->src->class + s, *class1 = c->dst->class + s;
	const struct fw_line *line0 = c->src->line, *wild0 = c->src->wild + s * 64;
	const struct fw_line *line1 = c->dst->line, *wild1 = c->dst->wild + s * 64;

	for (uint32_t t = 0; t < n; t++) {
		const struct fw_walk *walk = job_walk(job, job->packet[t]);
		uint32_t bit = job->bit[t];

		job->line[0][t] = class_line(
		    line0, wild0, &class0[(size_t)walk->class[0] * sums], bit);
		job->line[1][t] = class_line(
		    line1, wild1, &class1[(size_t)walk->class[1] * sums], bit);
		__builtin_prefetch(job->line[0][t]);
		__builtin_prefetch(job->line[1][t]);
	}
}

/* AND them: of each line the first match. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(heads)(const struct fw_classifier *k, struct job *job, uint32_t n, uint32_t s, bool few)
{
	const struct fw_compiled *c = k->compiled;
	const uint8_t *dense = (const uint8_t *)(c->dense.line + c->dense.head + s * 64);
	const uint32_t *keys = k->key + s * 64 * FW_LINE_BITS;
	const bool gone = k->gone != 0;

	for (uint32_t t = 0; t < n; t++) {
		struct fw_walk *walk = job_walk(job, job->packet[t]);
		const uint32_t *block = walk->dense;
		uint32_t line = job->bit[t], bit, first, key;
		const uint8_t *at = dense + (size_t)line * sizeof(struct fw_line);
		vector v = *(const vector *)job->line[0][t] & *(const vector *)job->line[1][t] &
		    *(const vector *)(at + block[0]) & *(const vector *)(at + block[1]);

		if (!few)
			v &= *(const vector *)(at + block[2]) & *(const vector *)(at + block[3]);
		bit = LANES(first)((const uint64_t *)&v);
		first = line * FW_LINE_BITS + bit;
		key = keys[first] | -(uint32_t)(bit >= FW_LINE_BITS);
		first += s * 64 * FW_LINE_BITS;
		if (__builtin_expect(gone, 0) && key == FW_SLOT_NONE && bit < FW_LINE_BITS)
			key = head_behind(k, walk, &first);
		walk->head[walk->n % FW_WALK_HEADS] = (struct fw_head){ key, first };
		walk->n += key != FW_SLOT_NONE;
		walk->first = key < walk->first ? key : walk->first;
	}
}

LANES_TARGET static inline __attribute__((always_inline)) void
LANES(word)(const struct fw_classifier *k, struct job *job, uint32_t s, uint32_t sums, bool few)
{
	uint32_t n = LANES(summaries)(k->compiled, job, s, sums, few);

	LANES(lines)(k->compiled, job, n, s, sums);
	LANES(heads)(k, job, n, s, few);
}

LANES_TARGET static void
LANES(match)(const struct fw_classifier *k, struct job *job)
{
	const struct fw_compiled *c = k->compiled;
	const bool few = !c->has_sport && !c->has_way;

	LANES(addresses)(c, job);
	if (job->not4 != 0)
		classes_not4(c, job);
	if (fw_is_small(c) && few)
		LANES(small)(k, job, true);
	else if (fw_is_small(c))
		LANES(small)(k, job, false);
	else if (c->sums == 1 && few)
		LANES(word)(k, job, 0, 1, true);
	else if (c->sums == 1)
		LANES(word)(k, job, 0, 1, false);
	else
		for (uint32_t s = 0; s < c->sums; s++)
			LANES(word)(k, job, s, c->sums, false);
}
