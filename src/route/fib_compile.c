/*
 * fib_compile.c - what packets read of a large table, written: a multibit trie whose nodes are
 * compressed by runs.
 *
 * The first 18 bits of an address choose a word of the root: the place of a node, or (IPv6) the number
 * of a next hop. A node stands for the next 6 bits: 64 slots, each with a next hop or a further node (a
 * kid) for the 6 bits after. Neighbouring slots with one answer are a run; the node has one bit for
 * each slot at which a run begins, then the runs' values. The run of a slot is found by counting
 * bits, as in Lulea tries (Degermark et al. 1997) and poptries (Asai and Ohara 2015); other than
 * there, a node's values lie behind its bits, most often in the same cache line, so that an IPv4
 * address costs one line of the root (1 MiB) and one of the nodes, whatever the table's size. IPv6
 * goes on in the same way, 6 bits a step, but most look-ups jump over these steps: three hashes have
 * the places of the nodes behind 30, 36 and 42 bits.
 *
 * docs/routing.md says why this one, with figures, and what was left out.
 */
#include "route/fib_comp_internal.h"
#include "route/fib_trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	HUGE_PAGE = 1 << 21,
	LINE = 8,              /* words of a cache line */
	ARENA_SPARE = 1 << 14, /* of a small table */
	ARENA_MOST = 1 << 28,
};

/* As many bytes, in whole huge pages if they are at least one. */
uint64_t
fib_big_bytes(uint64_t bytes)
{
	return bytes < HUGE_PAGE ? bytes : (bytes + HUGE_PAGE - 1) & ~(uint64_t)(HUGE_PAGE - 1);
}

/*
 * Zeroed memory for what packets read at random: in huge pages if the system gives them, since a
 * miss of the TLB costs a guest of a hypervisor two walks (a direct look-up: 8 -> 5 ns, bench fib).
 */
void *
fib_big_alloc(uint64_t bytes)
{
	uintptr_t raw = (uintptr_t)vnet_malloc(bytes + HUGE_PAGE), p;

	if (raw == 0)
		return NULL;
	/* at least 16 bytes on, so that there is room for the way back */
	p = (raw + HUGE_PAGE) & ~(uintptr_t)(HUGE_PAGE - 1);
	((uintptr_t *)p)[-1] = raw;
	/* no more than a wish: without them it is only slower */
	if (bytes >= HUGE_PAGE)
		madvise((void *)p, bytes, MADV_HUGEPAGE);
	return (void *)p;
}

void
fib_big_free(void *p)
{
	vnet_free((void *)((uintptr_t *)p)[-1]);
}

/* --- nodes --------------------------------------------------------------- */

/* The first bits of a kid's addresses: those of its parent at a depth, and the slot. */
static fib_key
kid_key(fib_key key, unsigned slot, unsigned depth)
{
	return key | (fib_key)slot << (128 - FIB_STRIDE - depth);
}

/* One bit for each slot at which a run begins. */
static uint64_t
run_starts(const uint16_t value[FIB_SLOTS])
{
	uint64_t starts = 1;

	for (unsigned s = 1; s < FIB_SLOTS; s++)
		starts |= (uint64_t)(value[s] != value[s - 1]) << s;
	return starts;
}

/* Words of 32 bits before the kids' places, and of 64 bits in all. */
static unsigned
words_before_kids(unsigned runs)
{
	return (4 + runs + 1) / 2;
}

static unsigned
node_words(unsigned runs, unsigned kids)
{
	return (words_before_kids(runs) + kids + 1) / 2;
}

/*
 * Write a node that begins runs at these slots; values with FIB_KID are the kids in order, kid[]
 * their places.
 */
static void
node_write(uint64_t *node, uint64_t starts, const uint16_t value[FIB_SLOTS], const uint32_t *kid,
    unsigned kids)
{
	unsigned before = words_before_kids(fib_bits_in(starts));
	uint16_t *run = (uint16_t *)(void *)(node + 1);

	*node = starts;
	for (uint64_t left = starts; left != 0; left &= left - 1) {
		uint16_t v = value[__builtin_ctzll(left)];

		*run++ = v & FIB_KID ? (uint16_t)(v + before) : v;
	}
	memcpy((uint32_t *)(void *)node + before, kid, kids * sizeof(*kid));
}

/* --- the jump table ------------------------------------------------------- */

/* Which jump table has the nodes at a depth? FIB_JUMPS: none. */
static unsigned
jump_of(unsigned depth)
{
	unsigned jump = 0;

	while (jump < FIB_JUMPS && fib_jump_depth(jump) != depth)
		jump++;
	return jump;
}

/* The entry of a key, or a free one; NULL if both places are taken. */
static uint64_t *
jump_find(const struct fib_jump *j, uint64_t key)
{
	uint32_t at = fib_jump_at(key, j->shift);

	for (uint32_t i = 0; i < 2; i++)
		if (fib_jump_place(j->entry[at ^ i], key) != 0)
			return &j->entry[at ^ i];
	for (uint32_t i = 0; i < 2; i++)
		if (j->entry[at ^ i] == 0)
			return &j->entry[at ^ i];
	return NULL;
}

/* The node at this depth has a new place, or none any more (0). */
static void
jump_set(struct fib_comp *c, fib_key key, unsigned depth, uint32_t place)
{
	unsigned jump = jump_of(depth);
	uint64_t top, *entry;

	if (c->family == AF_INET || jump == FIB_JUMPS || c->pop == NULL)
		return;
	top = fib_jump_key((uint64_t)(key >> 64), jump);
	entry = jump_find(&c->pop->jump[jump], top);
	/* a node far behind is found from the root */
	if (place >= 1u << FIB_PLACE_BITS)
		place = 0;
	if (entry != NULL)
		__atomic_store_n(
		    entry, place == 0 ? 0 : top << FIB_PLACE_BITS | place, __ATOMIC_RELEASE);
}

/* So many more blocks at this depth. */
void
fib_jump_count(struct fib_comp *c, unsigned depth, int more)
{
	unsigned jump = jump_of(depth);

	if (jump < FIB_JUMPS)
		c->jumps[jump] += (uint32_t)more;
}

static void
block_set_words(struct fib_comp *c, struct fib_block *b, unsigned words)
{
	c->live += words;
	c->live -= b->words;
	b->words = (uint8_t)words;
}

/*
 * The block's node anew, and those of its kids that are not what they should be; all: of all of
 * them. False if the arena has no room.
 */
bool
fib_block_compile(
    struct fib_comp *c, struct fib_block *b, uint16_t above, fib_key key, unsigned depth, bool all)
{
	uint16_t value[FIB_SLOTS];
	uint32_t kid[FIB_SLOTS], place;
	unsigned kids = 0, words;
	uint64_t starts;

	fib_block_paint(b, above, value);
	for (uint64_t left = b->kids; left != 0; left &= left - 1, kids++) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		struct fib_block *k = b->kid[kids];

		if ((all || k->stale || k->above != value[slot]) &&
		    !fib_block_compile(
			c, k, value[slot], kid_key(key, slot, depth), depth + FIB_STRIDE, all))
			return false;
		kid[kids] = k->place;
		value[slot] = (uint16_t)(FIB_KID | kids);
	}
	starts = run_starts(value);
	words = node_words(fib_bits_in(starts), kids);
	if ((place = fib_arena_take(c, words)) == 0)
		return false;
	node_write(c->pop->arena + place, starts, value, kid, kids);
	if (!all)
		fib_arena_give(c, b->place, b->words);
	b->place = place;
	block_set_words(c, b, words);
	b->above = above;
	b->stale = false;
	jump_set(c, key, depth, b->place);
	return true;
}

void
fib_block_end(struct fib_comp *c, struct fib_block *b, fib_key key, unsigned depth)
{
	fib_jump_count(c, depth, -1);
	jump_set(c, key, depth, 0);
	fib_arena_give(c, b->place, b->words);
	c->live -= b->words;
	fib_block_free(&c->blocks_bytes, b);
}

/* How many words the nodes will have that are not what they should be. */
static void
block_measure(struct fib_comp *c, struct fib_block *b, uint16_t above)
{
	uint16_t value[FIB_SLOTS];
	unsigned kids = 0;

	fib_block_paint(b, above, value);
	for (uint64_t left = b->kids; left != 0; left &= left - 1, kids++) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		struct fib_block *k = b->kid[kids];

		if (k->stale || k->above != value[slot])
			block_measure(c, k, value[slot]);
		value[slot] = (uint16_t)(FIB_KID | kids);
	}
	block_set_words(c, b, node_words(fib_bits_in(run_starts(value)), kids));
}

/* --- the root ------------------------------------------------------------ */

uint16_t
fib_root_hop(const struct fib_comp *c, uint32_t i)
{
	unsigned bits = c->cover[i];

	return bits == 0 ? 0 : c->shorter[1u << bits | i >> (FIB_ROOT_BITS - bits)];
}

/* What stands in the root where the answer is known. False if the arena has no room. */
static bool
root_answer(struct fib_comp *c, uint16_t hop, uint32_t *word)
{
	uint64_t *node;
	uint32_t place;

	if (c->family == AF_INET6) {
		*word = FIB_ANSWER | hop;
		return true;
	}
	if (hop != 0 && c->plain[hop] == 0) {
		if ((place = fib_arena_take(c, FIB_PLAIN_WORDS)) == 0)
			return false;
		node = c->pop->arena + place;
		node[0] = 1;
		memcpy(&node[1], &hop, sizeof(hop));
		c->plain[hop] = place;
	}
	*word = c->plain[hop];
	return true;
}

/* A word of the root anew, and the nodes below that need it. False if the arena has no room. */
bool
fib_root_compile(struct fib_comp *c, uint32_t i, bool all)
{
	struct fib_block *b = c->block[i];
	uint16_t hop = fib_root_hop(c, i);
	uint32_t word;

	if (b == NULL) {
		if (!root_answer(c, hop, &word))
			return false;
	} else {
		if ((all || b->stale || b->above != hop) &&
		    !fib_block_compile(
			c, b, hop, (fib_key)i << (128 - FIB_ROOT_BITS), FIB_ROOT_BITS, all))
			return false;
		word = b->place;
	}
	__atomic_store_n(&c->pop->root[i], word, __ATOMIC_RELEASE);
	return true;
}

static void
measure_all(struct fib_comp *c)
{
	for (uint32_t i = 0; i < FIB_ROOT_WORDS; i++) {
		struct fib_block *b = c->block[i];

		if (b != NULL && (b->stale || b->above != fib_root_hop(c, i)))
			block_measure(c, b, fib_root_hop(c, i));
	}
	c->unmeasured = false;
}

void
fib_pop_free(struct rcu_head *h)
{
	fib_big_free((struct fib_pop *)(void *)((uint8_t *)h - offsetof(struct fib_pop, rcu)));
}

/*
 * Entries of a jump table, a power of two: half of them are used, or a quarter. With more room fewer
 * nodes are left out, but what is read at random is larger (bench fib: 4 for 2 is 2 ns slower).
 */
static uint32_t
jump_size(const struct fib_comp *c, unsigned jump)
{
	uint32_t size = 2;

	while (size < 2 * c->jumps[jump])
		size *= 2;
	return size;
}

static uint32_t
jump_sizes(const struct fib_comp *c)
{
	uint32_t sum = 0;

	for (unsigned j = 0; j < FIB_JUMPS && c->family == AF_INET6; j++)
		sum += jump_size(c, j);
	return sum;
}

/* They stand behind the arena. */
static void
jump_place(const struct fib_comp *c, struct fib_pop *p)
{
	uint64_t *entry = p->arena + p->room;

	for (unsigned j = 0; j < FIB_JUMPS && c->family == AF_INET6; j++) {
		uint32_t size = jump_size(c, j);

		p->jump[j].entry = entry;
		p->jump[j].shift = (uint8_t)(64 - (unsigned)__builtin_ctz(size));
		entry += size;
	}
}

/*
 * Everything anew in a new block of memory of twice the size: less than half goes to gaps at the
 * ends of lines, even if no node fits one (of the full table: 1 %). The rest is for what changes need
 * until the places that they give back are free. 0 or -ENOMEM, and packets still have the old one.
 */
int
fib_compile_all(struct fib_comp *c)
{
	struct fib_pop *old = c->pop, *p;
	uint64_t room, bytes, words;

	if (c->unmeasured)
		measure_all(c);
	words = 2 * c->live + (uint64_t)FIB_PLAIN_WORDS * c->hops.live + ARENA_SPARE;
	bytes = fib_big_bytes(sizeof(*p) + (words + jump_sizes(c)) * sizeof(p->arena[0]));
	room = (bytes - sizeof(*p)) / sizeof(p->arena[0]) - jump_sizes(c);
	room &= ~(uint64_t)(LINE - 1);
	if (room > ARENA_MOST || (p = fib_big_alloc(bytes)) == NULL) {
		/* the change that wanted room has given back what packets still find */
		fib_arena_close(c);
		return -ENOMEM;
	}
	p->room = (uint32_t)room;
	p->used = FIB_NODE_MOST; /* behind the empty node */
	jump_place(c, p);
	p->direct = c->direct;
	p->hop[0] = c->deflt;
	if (c->hops.used > 0)
		memcpy(p->hop + 1, c->hops.hop + 1, (c->hops.used - 1) * sizeof(p->hop[0]));
	c->pop = p;
	fib_arena_open(c);
	memset(c->plain, 0, sizeof(c->plain));
	for (uint32_t i = 0; i < FIB_ROOT_WORDS; i++)
		if (!fib_root_compile(c, i, true))
			abort(); /* it has been measured */
	c->dirty = 0;
	rcu_publish(c->slot, (uintptr_t)p | FIB_COMPILED);
	if (old != NULL)
		rcu_call(&old->rcu, fib_pop_free);
	fib_hop_new_block(&c->hops);
	return 0;
}
