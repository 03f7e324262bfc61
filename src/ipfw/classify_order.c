/*
 * classify_order.c - which rule gets which bit of the vectors.
 *
 * A packet's matches are to be in few lines. Rules whose destination is a long prefix are sorted by it,
 * so that a packet finds those of its destination side by side; those that take (nearly) any
 * destination by their source, in a part of their own: packets of ClassBench's sets of 10,000 have to
 * look at 2 or 3 lines of 20, where with the rules in the order of the chain it would be 4 to 15. In a
 * line the rules then stand in the order of the chain again.
 */
#include "ipfw/classify_internal.h"

#include <stdlib.h>

/* The first prefix of a side: 128 bits (IPv4 in the first 32), how long. */
struct prefix {
	uint64_t hi, lo;
	uint8_t len;
};
struct order_key {
	bool any; /* destination */
	struct prefix side[2];
	uint32_t slot;
};

enum { SHORT_PREFIX = 12 };

static struct prefix
insn_prefix(const struct fw_insn *insn)
{
	struct prefix p = { 0 };

	switch (insn->op) {
	case FW_OP_SRC6:
	case FW_OP_DST6:
		p.hi = __builtin_bswap64(load64(insn->u.net6[0].addr.b));
		p.lo = __builtin_bswap64(load64(insn->u.net6[0].addr.b + 8));
		p.len = (uint8_t)(__builtin_popcountll(load64(insn->u.net6[0].mask.b)) +
		    __builtin_popcountll(load64(insn->u.net6[0].mask.b + 8)));
		break;
	case FW_OP_SRC_SET:
	case FW_OP_DST_SET:
		p.hi = (uint64_t)__builtin_bswap32(insn->u.set->base) << 32;
		p.len = insn->u.set->len;
		break;
	default:
		p.hi = (uint64_t)__builtin_bswap32(insn->u.net[0].addr) << 32;
		p.len = (uint8_t)__builtin_popcount(insn->u.net[0].mask);
	}
	return p;
}

static struct prefix
plan_prefix(const struct fw_plan *p, unsigned side)
{
	const struct fw_insn *insn = &p->rule->insn[p->address[side]];

	/* NOT is nearly any */
	if (!(p->used >> (FW_FIELD_SRC + side) & 1) || (insn->flags & FW_NOT))
		return (struct prefix){ 0 };
	return insn_prefix(insn);
}

static int
prefix_compare(const struct prefix *a, const struct prefix *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return (int)a->len - (int)b->len;
}

static int
order_compare(const void *a, const void *b)
{
	const struct order_key *x = a, *y = b;
	unsigned by;
	int order;

	if (x->any != y->any)
		return (int)x->any - (int)y->any;
	by = !x->any;
	if ((order = prefix_compare(&x->side[by], &y->side[by])) != 0 ||
	    (order = prefix_compare(&x->side[!by], &y->side[!by])) != 0)
		return order;
	return x->slot < y->slot ? -1 : 1;
}

static int
slot_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool
fw_plans_order(struct fw_plans *plans)
{
	struct order_key *key = calloc(plans->n, sizeof(*key));

	if (key == NULL)
		return false;
	for (uint32_t i = 0; i < plans->n; i++) {
		struct order_key *k = &key[i];

		k->slot = i;
		for (unsigned side = 0; side < 2; side++)
			k->side[side] = plan_prefix(&plans->plan[i], side);
		k->any = k->side[1].len <= SHORT_PREFIX;
	}
	qsort(key, plans->n, sizeof(*key), order_compare);
	for (uint32_t i = 0; i < plans->n; i++)
		plans->order[i] = key[i].slot;
	for (uint32_t i = 0; i < plans->n; i += FW_LINE_BITS)
		qsort(plans->order + i, plans->n - i < FW_LINE_BITS ? plans->n - i : FW_LINE_BITS,
		    sizeof(*plans->order), slot_compare);
	free(key);
	return true;
}
