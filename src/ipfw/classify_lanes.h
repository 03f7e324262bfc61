/*
 * classify_lanes.h - the way of packets through the compiled rules, for one kind of machine.
 * classify_walk.c includes it once for each, with
 *
 *	LANES(name)	the name with the machine's
 *	LANES_TARGET	attribute of its functions
 *	LANES(rank), LANES(words)	already there
 *
 * Step by step for all packets, so that what one waits for from memory the others wait for too. No
 * guard: it is meant to be included several times.
 */

/* Classes of the addresses of one side. */
LANES_TARGET static void
LANES(addresses)(const struct fw_addresses *a, const uint32_t *key, uint32_t n, uint32_t *class)
{
	uint32_t word[FW_BATCH];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = a->root[key[i] >> 16];

		word[i] = w;
		__builtin_prefetch(w & FW_LEAF_MORE ?
			(const void *)&a->more[fw_more_at(w, key[i])] :
			(const void *)&a->start[w >> FW_LEAF_BITS]);
	}
	for (uint32_t i = 0; i < n; i++)
		if (word[i] & FW_LEAF_MORE) {
			word[i] = a->more[fw_more_at(word[i], key[i])];
			__builtin_prefetch(&a->start[word[i] >> FW_LEAF_BITS]);
		}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = word[i] >> FW_LEAF_BITS, last = word[i] & (FW_LEAF_MORE - 1);

		class[i] = last == 0 ?
		    first :
		    first - 1 + LANES(rank)(a->start + first, last + 1, (uint16_t)key[i]);
	}
}

/* AND the lines of the items, and note the rules whose bits are left. */
LANES_TARGET static void
LANES(items)(const struct fw_classifier *k, const struct item *item, uint32_t n, struct job *job)
{
	const struct fw_compiled *c = k->compiled;

	for (uint32_t i = 0; i < n; i++) {
		const struct item *it = &item[i];
		struct fw_walk *walk = job->walk[it->packet];
		vector v = (*(const vector *)it->side[0] |
			       *(const vector *)&c->src->wild[it->line]) &
		    (*(const vector *)it->side[1] | *(const vector *)&c->dst->wild[it->line]);
		union {
			vector v;
			uint64_t w[FW_LINE_WORDS];
		} left;
		uint32_t words;

		for (uint32_t d = 0; d < c->n_dense; d++)
			v &= *(const vector *)&c->dense[d]
				  .line[(size_t)walk->dense[d] * c->lines + it->line];
		left.v = v;
		words = LANES(words)(left.w);
		for (; words != 0; words &= words - 1) {
			uint32_t w = (uint32_t)__builtin_ctz(words);
			uint32_t base = it->line * FW_LINE_BITS + w * 64;

			for (uint64_t bits = left.w[w]; bits != 0; bits &= bits - 1) {
				uint32_t at = walk->n < FW_WALK_KEYS ? walk->n : FW_WALK_KEYS - 1;

				walk->key[at] = k->key[base + (uint32_t)__builtin_ctzll(bits)];
				walk->n++;
			}
		}
	}
}

/* The lines of packet i that can have a match; full items are worked off on the way. */
LANES_TARGET static uint32_t
LANES(summaries)(const struct fw_classifier *k, struct job *job, struct item *item)
{
	const struct fw_compiled *c = k->compiled;
	const struct fw_addresses *a0 = c->src, *a1 = c->dst;
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->n; i++) {
		struct fw_walk *walk = job->walk[i];

		for (uint32_t s = 0; s < c->sums; s++) {
			struct fw_class x = a0->class[(size_t)walk->class[0] * c->sums + s];
			struct fw_class y = a1->class[(size_t)walk->class[1] * c->sums + s];
			uint64_t sum = (x.sum | a0->wild_sum[s]) & (y.sum | a1->wild_sum[s]);

			for (uint32_t d = 0; d < c->n_dense; d++)
				sum &= c->dense[d].sum[(size_t)walk->dense[d] * c->sums + s];
			for (; sum != 0; sum &= sum - 1) {
				uint32_t bit = (uint32_t)__builtin_ctzll(sum), line = s * 64 + bit;
				struct item *it = &item[n++];

				it->packet = i;
				it->line = line;
				it->side[0] = class_line(a0, &x, bit, line);
				it->side[1] = class_line(a1, &y, bit, line);
				__builtin_prefetch(it->side[0]);
				__builtin_prefetch(it->side[1]);
				if (n == ITEMS) {
					LANES(items)(k, item, n, job);
					n = 0;
				}
			}
		}
	}
	return n;
}

LANES_TARGET static void
LANES(match)(const struct fw_classifier *k, struct job *job)
{
	const struct fw_compiled *c = k->compiled;
	struct item item[ITEMS];
	uint32_t class[2][FW_BATCH];

	LANES(addresses)(c->src, job->key[0], job->n, class[0]);
	LANES(addresses)(c->dst, job->key[1], job->n, class[1]);
	for (uint32_t i = 0; i < job->n; i++) {
		struct fw_walk *walk = job->walk[i];

		walk->class[0] = class[0][i];
		walk->class[1] = class[1][i];
		if (job->not4 >> i & 1)
			classes_not4(c, job->p[i], walk);
		for (uint32_t s = 0; s < c->sums; s++) {
			__builtin_prefetch(&c->src->class[(size_t)walk->class[0] * c -> sums + s]);
			__builtin_prefetch(&c->dst->class[(size_t)walk->class[1] * c -> sums + s]);
		}
	}
	LANES(items)(k, item, LANES(summaries)(k, job, item), job);
}
