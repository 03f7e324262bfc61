/*
 * Bytes as operations on a radix tree, beside a plain list that says what the answers must be.
 *
 * Seven bytes an operation: what, how long, a gap in the mask, then an address.
 */
#include "route/radix.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ITEMS = 64, OPERATIONS = 200, OPERATION = 7 };

struct item {
	struct radix_node rn;
	uint32_t key, mask; /* as numbers */
	unsigned order;
	bool in;
};

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

static uint32_t
number(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void
bytes(uint8_t *b, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(n >> (24 - 8 * i));
}

static unsigned
lead(uint32_t mask)
{
	return mask == UINT32_MAX ? 32 : (unsigned)__builtin_clz(~mask);
}

/* The order of a match (radix.h). */
static bool
better(const struct item *a, const struct item *b)
{
	if (lead(a->mask) != lead(b->mask))
		return lead(a->mask) > lead(b->mask);
	if (__builtin_popcount(a->mask) != __builtin_popcount(b->mask))
		return __builtin_popcount(a->mask) > __builtin_popcount(b->mask);
	return a->mask != b->mask ? a->mask > b->mask : a->order < b->order;
}

static struct radix_node *
best(struct item *item, uint32_t key, const uint32_t *mask)
{
	struct item *b = NULL;

	for (struct item *it = item; it < item + ITEMS; it++)
		if (it->in && ((key ^ it->key) & it->mask) == 0 &&
		    (mask == NULL || *mask == it->mask) && (b == NULL || better(it, b)))
			b = it;
	return b == NULL ? NULL : &b->rn;
}

static int
count(struct radix_node *n, void *ctx)
{
	require(n->has_object);
	++*(size_t *)ctx;
	return 0;
}

struct sweep {
	struct radix_tree *t;
	struct item *item;
	uint8_t which;
};

/* Some go while the walk is on its way. */
static int
sweep(struct radix_node *n, void *ctx)
{
	struct sweep *s = ctx;
	struct item *it = (struct item *)(void *)((uint8_t *)n - offsetof(struct item, rn));

	if ((it - s->item) % 3 != s->which % 3)
		return 0;
	radix_delete(s->t, n);
	memset(n, 0xa5, sizeof(*n));
	it->in = false;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct radix_tree *t = radix_new(32);
	struct item item[ITEMS];
	unsigned order = 0;
	size_t in = 0, seen = 0;

	memset(item, 0, sizeof(item));
	/* the list is slow, so inputs are kept short */
	if (len > OPERATION * OPERATIONS)
		len = OPERATION * OPERATIONS;
	for (; len >= OPERATION; data += OPERATION, len -= OPERATION) {
		struct item *it = &item[data[0] % ITEMS];
		unsigned plen = data[1] % 33;
		/* few gaps, so that masks meet; one in four operations has one */
		uint32_t gap = data[1] < 192 ? 0 : (uint32_t)(data[2] & 0x3c) << 18;
		uint32_t mask = (plen == 0 ? 0 : UINT32_MAX << (32 - plen)) & ~gap;
		uint32_t key = number(data + 3);
		bool dup = data[0] & 0x80;
		uint8_t m[4];

		bytes(m, mask);
		if (!it->in) {
			bool there = best(item, key, &mask) != NULL;
			int error = radix_insert_masked(t, &it->rn, data + 3, m, dup);

			require((error == 0) == (dup || !there));
			if (error == 0) {
				require(number(it->rn.key) == (key & mask));
				it->key = key & mask;
				it->mask = mask;
				it->order = ++order;
				it->in = true;
			}
		} else if (data[0] & 0x40) {
			radix_delete(t, &it->rn);
			memset(&it->rn, 0xa5, sizeof(it->rn));
			it->in = false;
		}
		require(radix_match(t, data + 3) == best(item, key, NULL));
		require(radix_exact_masked(t, data + 3, m) == best(item, key, &mask));
		if (data[2] == 0xff)
			radix_walk_below(
			    t, data + 3, plen % 9, sweep, &(struct sweep){ t, item, data[0] });
	}
	for (struct item *it = item; it < item + ITEMS; it++)
		in += it->in;
	radix_walk(t, count, &seen);
	require(seen == in && radix_free(t) == in);
	return 0;
}
