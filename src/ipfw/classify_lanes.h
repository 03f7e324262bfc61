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

		__builtin_prefetch(&a->start[w >> FW_LEAF_BITS]);
	}
	if (a->has_more) {
		for (uint32_t i = 0; i < n; i++)
			__builtin_prefetch(&a->more[fw_more_at(word[i], key[i])]);
		for (uint32_t i = 0; i < n; i++) {
			word[i] = *(const uint32_t *)choose(word[i] & FW_LEAF_MORE,
			    &a->more[fw_more_at(word[i], key[i])], &word[i]);
			__builtin_prefetch(&a->start[word[i] >> FW_LEAF_BITS]);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = word[i] >> FW_LEAF_BITS, last = word[i] & (FW_LEAF_MORE - 1);

		class[i] = first - 1 + LANES(rank)(a->start, first, last + 1, (uint16_t)key[i]);
		__builtin_prefetch(&a->class[class[i]]);
	}
}

/* The lines of all packets that can have a match, in word s of the summaries. */
LANES_TARGET static inline __attribute__((always_inline)) uint32_t
LANES(summaries)(const struct fw_compiled *c, struct job *job, uint32_t s, uint32_t sums, bool few)
{
	const struct fw_class *class0 = c->src->class + s, *class1 = c->dst->class + s;
	const uint8_t *dense = (const uint8_t *)c->dense.line + s * sizeof(uint64_t);
	uint64_t wild0 = c->src->wild_sum[s], wild1 = c->dst->wild_sum[s];
	uint32_t n = 0, packets = job->n;

	for (uint32_t i = 0; i < packets; i++) {
		const uint32_t *at = job->walk[i]->dense;
		uint64_t sum0 = class0[(size_t)job->class[0][i] * sums].sum | wild0;
		uint64_t sum1 = class1[(size_t)job->class[1][i] * sums].sum | wild1;
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
		uint32_t i = job->packet[t], bit = job->bit[t];
		const struct fw_class *x = &class0[(size_t)job->class[0][i] * sums];
		const struct fw_class *y = &class1[(size_t)job->class[1][i] * sums];

		job->line[0][t] = class_line(line0, wild0, x, bit);
		job->line[1][t] = class_line(line1, wild1, y, bit);
		__builtin_prefetch(job->line[0][t]);
		__builtin_prefetch(job->line[1][t]);
	}
}

/* AND them: of each line the first bit. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(firsts)(const struct fw_classifier *k, struct job *job, uint32_t n, uint32_t s, bool few)
{
	const struct fw_compiled *c = k->compiled;
	const struct fw_line *wild0 = c->src->wild + s * 64, *wild1 = c->dst->wild + s * 64;
	const uint8_t *dense = (const uint8_t *)(c->dense.line + c->dense.head + s * 64);
	const uint32_t none = c->lines * FW_LINE_BITS, *keys = k->key;

	for (uint32_t t = 0; t < n; t++) {
		const uint32_t *block = job->walk[job->packet[t]]->dense;
		uint32_t line = job->bit[t], bit;
		const uint8_t *at = dense + (size_t)line * sizeof(struct fw_line);
		vector v0 = *(const vector *)job->line[0][t] | *(const vector *)&wild0[line];
		vector v1 = *(const vector *)job->line[1][t] | *(const vector *)&wild1[line];
		vector v2 = *(const vector *)(at + block[0]) & *(const vector *)(at + block[1]);
		vector v = v0 & v1 & v2;

		if (!few)
			v &= *(const vector *)(at + block[2]) & *(const vector *)(at + block[3]);

		bit = LANES(first)((const uint64_t *)&v);
		bit = choose32(bit >= FW_LINE_BITS, none, (s * 64 + line) * FW_LINE_BITS + bit);
		job->first[t] = bit;
		__builtin_prefetch(&keys[bit]);
	}
}

/* Whose rule it is. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(heads)(const struct fw_classifier *k, struct job *job, uint32_t n)
{
	const uint32_t none = k->compiled->lines * FW_LINE_BITS, *keys = k->key;
	const bool gone = k->gone != 0;

	for (uint32_t t = 0; t < n; t++) {
		struct fw_walk *walk = job->walk[job->packet[t]];
		uint32_t first = job->first[t], key = keys[first];
		uint64_t head;

		if (__builtin_expect(gone, 0) && key == FW_SLOT_NONE && first != none)
			key = head_behind(k, walk, &first);
		head = (uint64_t)first << 32 | key;
		memcpy(&walk->head[walk->n % FW_WALK_HEADS], &head, sizeof(head));
		walk->n += key != FW_SLOT_NONE;
		walk->first = key < walk->first ? key : walk->first;
	}
}

LANES_TARGET static inline __attribute__((always_inline)) void
LANES(word)(const struct fw_classifier *k, struct job *job, uint32_t s, uint32_t sums, bool few)
{
	uint32_t n = LANES(summaries)(k->compiled, job, s, sums, few);

	LANES(lines)(k->compiled, job, n, s, sums);
	LANES(firsts)(k, job, n, s, few);
	LANES(heads)(k, job, n);
}

/* All of it when each class has all lines: nothing to choose, so no summaries. */
LANES_TARGET static inline __attribute__((always_inline)) void
LANES(small)(const struct fw_classifier *k, struct job *job, uint32_t lines, bool few)
{
	const struct fw_compiled *c = k->compiled;
	const struct fw_class *class0 = c->src->class, *class1 = c->dst->class;
	const struct fw_line *line0 = c->src->line, *line1 = c->dst->line;
	const uint8_t *dense = (const uint8_t *)(c->dense.line + c->dense.head);
	const uint32_t none = lines * FW_LINE_BITS, *keys = k->key;
	const bool gone = k->gone != 0;
	const uint32_t packets = job->n;

	for (uint32_t i = 0; i < packets; i++) {
		struct fw_walk *walk = job->walk[i];
		const uint32_t *block = walk->dense;
		const vector *x = (const vector *)(line0 + class0[job->class[0][i]].first);
		const vector *y = (const vector *)(line1 + class1[job->class[1][i]].first);
		const uint8_t *at = dense;
		uint32_t n = 0, least = FW_SLOT_NONE;

		for (uint32_t line = 0; line < lines; line++, at += sizeof(struct fw_line)) {
			vector v = x[line] & y[line] & *(const vector *)(at + block[0]) &
			    *(const vector *)(at + block[1]);
			uint32_t first, key;

			if (!few)
				v &= *(const vector *)(at + block[2]) &
				    *(const vector *)(at + block[3]);
			first = LANES(first)((const uint64_t *)&v);
			first = choose32(first >= FW_LINE_BITS, none, line * FW_LINE_BITS + first);
			key = keys[first];
			if (__builtin_expect(gone, 0) && key == FW_SLOT_NONE && first != none)
				key = head_behind(k, walk, &first);
			walk->head[n] = (struct fw_head){ key, first };
			n += key != FW_SLOT_NONE;
			least = key < least ? key : least;
		}
		walk->n = n;
		walk->first = least;
	}
}

LANES_TARGET static void
LANES(match)(const struct fw_classifier *k, struct job *job)
{
	const struct fw_compiled *c = k->compiled;

	LANES(addresses)(c->src, job->key[0], job->n, job->class[0]);
	LANES(addresses)(c->dst, job->key[1], job->n, job->class[1]);
	if (job->not4 != 0)
		classes_not4(c, job);
	for (uint32_t i = 0; i < job->n; i++) {
		job->walk[i]->class[0] = job->class[0][i];
		job->walk[i]->class[1] = job->class[1][i];
	}
	if (fw_is_small(c) && !c->has_sport && !c->has_way)
		LANES(small)(k, job, c->lines, true);
	else if (fw_is_small(c))
		LANES(small)(k, job, c->lines, false);
	else if (c->sums == 1 && !c->has_sport && !c->has_way)
		LANES(word)(k, job, 0, 1, true);
	else if (c->sums == 1)
		LANES(word)(k, job, 0, 1, false);
	else
		for (uint32_t s = 0; s < c->sums; s++)
			LANES(word)(k, job, s, c->sums, false);
}
