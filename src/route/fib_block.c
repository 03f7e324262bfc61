/*
 * fib_block.c - what the control side of a compiled table (fib_comp.c) knows of a node.
 *
 * Prefixes that end in a node stand in a set of 126 bits by their number, 1 << bits | the bits, and
 * their next hops in order of these numbers behind it: a dozen bytes a prefix in all, and a prefix
 * that covers another comes before it. Kids stand in the same way, by their slots.
 */
#include "route/fib_block.h"

#include <errno.h>
#include <string.h>

/* With struct, vnet_malloc's and malloc's words it is a multiple of 16 bytes, and doubled again. */
enum { ROOM_FIRST = 7 };

static size_t
block_bytes(unsigned room)
{
	return sizeof(struct fib_block) + room * sizeof(uint16_t);
}

static struct fib_block *
block_with_room(uint64_t *bytes, unsigned room)
{
	struct fib_block *b = vnet_malloc(block_bytes(room));

	if (b != NULL) {
		b->room = (uint8_t)room;
		b->stale = true;
		*bytes += block_bytes(room);
	}
	return b;
}

struct fib_block *
fib_block_new(uint64_t *bytes)
{
	return block_with_room(bytes, ROOM_FIRST);
}

/* Nobody but the control side reads blocks: they go at once. */
void
fib_block_free(uint64_t *bytes, struct fib_block *b)
{
	*bytes -= block_bytes(b->room) + b->kid_room * sizeof(struct fib_block *);
	vnet_free(b->kid);
	vnet_free(b);
}

/* Where the prefix's next hop is in hop[], or would be. */
static unsigned
block_index(const struct fib_block *b, unsigned number)
{
	if (number < 64)
		return fib_bits_below(b->prefixes[0], number);
	return fib_bits_in(b->prefixes[0]) + fib_bits_below(b->prefixes[1], number % 64);
}

static unsigned
block_count(const struct fib_block *b)
{
	return fib_bits_in(b->prefixes[0]) + fib_bits_in(b->prefixes[1]);
}

/* One prefix more has room in *link, which may move. 0 or -ENOMEM. */
static int
block_make_room(uint64_t *bytes, struct fib_block **link)
{
	struct fib_block *b = *link, *bigger;
	uint8_t room;

	if (block_count(b) < b->room)
		return 0;
	bigger = block_with_room(
	    bytes, b->room * 2u + 1 < FIB_PREFIXES ? b->room * 2u + 1 : FIB_PREFIXES);
	if (bigger == NULL)
		return -ENOMEM;
	room = bigger->room;
	memcpy(bigger, b, block_bytes(b->room));
	bigger->room = room;
	*link = bigger;
	*bytes -= block_bytes(b->room);
	vnet_free(b);
	return 0;
}

/* *old: the next hop that it had, 0 = it is new. */
int
fib_block_put(
    uint64_t *bytes, struct fib_block **link, unsigned number, uint16_t hop, uint16_t *old)
{
	struct fib_block *b = *link;
	unsigned at = block_index(b, number), n;

	if (fib_block_has(b, number)) {
		*old = b->hop[at];
		b->hop[at] = hop;
		b->stale = true;
		return 0;
	}
	if (block_make_room(bytes, link) != 0)
		return -ENOMEM;
	b = *link;
	n = block_count(b);
	memmove(&b->hop[at + 1], &b->hop[at], (n - at) * sizeof(b->hop[0]));
	b->hop[at] = hop;
	b->prefixes[number / 64] |= UINT64_C(1) << (number % 64);
	b->stale = true;
	*old = 0;
	return 0;
}

/* The next hop that the prefix had, 0 = it isn't there. */
uint16_t
fib_block_take(struct fib_block *b, unsigned number)
{
	unsigned at = block_index(b, number), n = block_count(b);
	uint16_t hop;

	if (!fib_block_has(b, number))
		return 0;
	hop = b->hop[at];
	memmove(&b->hop[at], &b->hop[at + 1], (n - at - 1) * sizeof(b->hop[0]));
	b->prefixes[number / 64] &= ~(UINT64_C(1) << (number % 64));
	b->stale = true;
	return hop;
}

/* A place for a kid at a slot, still without a block. NULL without memory. */
struct fib_block **
fib_kid_open(uint64_t *bytes, struct fib_block *b, unsigned slot)
{
	unsigned n = fib_bits_in(b->kids), at = fib_bits_below(b->kids, slot);

	if (n == b->kid_room) {
		unsigned room = n == 0 ? 2 : 2 * n;
		struct fib_block **kid = vnet_malloc(room * sizeof(*kid));

		if (kid == NULL)
			return NULL;
		if (n > 0)
			memcpy(kid, b->kid, n * sizeof(*kid));
		vnet_free(b->kid);
		*bytes += (room - n) * sizeof(*kid);
		b->kid = kid;
		b->kid_room = (uint8_t)room;
	}
	memmove(&b->kid[at + 1], &b->kid[at], (n - at) * sizeof(b->kid[0]));
	b->kid[at] = NULL;
	b->kids |= UINT64_C(1) << slot;
	return &b->kid[at];
}

void
fib_kid_close(struct fib_block *b, unsigned slot)
{
	unsigned n = fib_bits_in(b->kids), at = fib_bits_below(b->kids, slot);

	memmove(&b->kid[at], &b->kid[at + 1], (n - at - 1) * sizeof(b->kid[0]));
	b->kids &= ~(UINT64_C(1) << slot);
}

/* The next hop of each slot, kids left out. Longer prefixes have higher numbers. */
void
fib_block_paint(const struct fib_block *b, uint16_t above, uint16_t value[FIB_SLOTS])
{
	unsigned at = 0;

	for (unsigned s = 0; s < FIB_SLOTS; s++)
		value[s] = above;
	for (unsigned half = 0; half < 2; half++) {
		for (uint64_t left = b->prefixes[half]; left != 0; left &= left - 1) {
			unsigned number = half * 64 + (unsigned)__builtin_ctzll(left);
			unsigned bits = 31 - (unsigned)__builtin_clz(number);
			unsigned first = number << (FIB_STRIDE - bits) & (FIB_SLOTS - 1);
			uint16_t hop = b->hop[at++];

			for (unsigned s = 0; s < (unsigned)FIB_SLOTS >> bits; s++)
				value[first + s] = hop;
		}
	}
}
