/*
 * Bytes as operations on a radix tree, beside a plain list that says what the answers must be.
 *
 * Six bytes an operation: what and how long, then an address.
 */
#include "route/radix.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ITEMS = 64, OPERATIONS = 200 };

struct item {
	struct radix_node rn;
	uint8_t key[4];
	unsigned plen;
	unsigned order;
	bool in;
};

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

static bool
covers(const uint8_t *prefix, unsigned plen, const uint8_t *key)
{
	for (unsigned i = 0; i < plen; i++)
		if ((prefix[i / 8] ^ key[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static struct radix_node *
best(struct item *item, const uint8_t *key, unsigned plen, bool exact)
{
	struct item *b = NULL;

	for (struct item *it = item; it < item + ITEMS; it++) {
		if (!it->in || !covers(it->key, it->plen, key) || (exact && it->plen != plen))
			continue;
		if (b == NULL || it->plen > b->plen ||
		    (it->plen == b->plen && it->order < b->order))
			b = it;
	}
	return b == NULL ? NULL : &b->rn;
}

static int
count(struct radix_node *n, void *ctx)
{
	require(n->has_object);
	++*(size_t *)ctx;
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
	if (len > 6 * OPERATIONS)
		len = 6 * OPERATIONS;
	for (; len >= 6; data += 6, len -= 6) {
		struct item *it = &item[data[0] % ITEMS];
		unsigned plen = data[1] % 33;
		bool dup = data[0] & 0x80;

		if (!it->in) {
			bool there = best(item, data + 2, plen, true) != NULL;
			int error = radix_insert(t, &it->rn, data + 2, plen, dup);

			require((error == 0) == (dup || !there));
			if (error == 0) {
				memcpy(it->key, it->rn.key, 4);
				it->plen = plen;
				it->order = ++order;
				it->in = true;
				in++;
			}
		} else if (data[0] & 0x40) {
			radix_delete(t, &it->rn);
			memset(&it->rn, 0xa5, sizeof(it->rn));
			it->in = false;
			in--;
		}
		require(radix_match(t, data + 2) == best(item, data + 2, 0, false));
		require(radix_exact(t, data + 2, plen) == best(item, data + 2, plen, true));
	}
	radix_walk(t, count, &seen);
	require(seen == in && radix_free(t) == in);
	return 0;
}
