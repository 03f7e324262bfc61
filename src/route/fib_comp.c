/*
 * fib_comp.c - changes of the compiled form of a large table: a multibit trie whose nodes are
 * compressed by runs.
 *
 * The first 18 bits of an address choose a word of the root: the number of a next hop, or the place
 * of a node. A node stands for the next 6 bits: 64 slots, each with a next hop or a further node (a
 * kid) for the 6 bits after. Neighbouring slots with one answer are a run; the node has one bit for
 * each slot at which a run begins, then the runs' values. The run of a slot is found by counting
 * bits, as in Lulea tries (Degermark et al. 1997) and poptries (Asai and Ohara 2015); other than
 * there, a node's values lie behind its bits, most often in the same cache line, so that an IPv4
 * address costs one line of the root (1 MiB) and one of the nodes, whatever the table's size. IPv6
 * goes on in the same way, 6 bits a step, but most look-ups jump over these steps: a hash has the
 * places of the nodes behind 42 bits.
 *
 * Why this one: on the full IPv4 table, 300 next hops at random (bench fib, ns a look-up uniform, in
 * the prefixes, by Zipf), it takes 5.1, 6.3, 4.9 in 7.8 MiB; a table of 2^24 answers (DIR-24-8) 12,
 * 6.6, 4.5 in 40, DPDK's in the same run 12, 6.6, 4.3 (4.4 and 2.4 in its best run). IPv6: 12, 21,
 * 18, behind DPDK's 4.7, 18, 15. docs/routing.md has the rest, and what was left out.
 *
 * Beside each node stands its block here: the prefixes that end in it, and its kids. From that a
 * node is compiled anew when it changes, into a new place of the arena, and one store of 32 bits
 * lets packets see it (Read-Copy-Update; an old node is never written again). When the arena is
 * full, everything is compiled into a new one, and the old one goes behind the readers. Prefixes of
 * up to 18 bits stand in one array as a binary heap; what they cover is written into the root's
 * words. The default route is number 0 in all of them: changing it is one store.
 */
#include "route/fib_comp.h"

#include "route/fib_block.h"
#include "route/fib_trie.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>

enum {
	HUGE_PAGE = 1 << 21,
	ROOT_WORDS = 1 << FIB_ROOT_BITS,
	NODE_MOST = 1 + FIB_SLOTS * 2 / 8 + FIB_SLOTS * 4 / 8, /* words of a node */
	LINE = 8,                                              /* words of a cache line */
	ARENA_SPARE = 1 << 14,                                 /* of a small table */
	ARENA_MOST = 1 << 28,
	DIRTY_MOST = 1 << 14, /* words of the root; with more it is quicker to compile all */
};

struct fib_comp {
	struct fib_pop *pop; /* what packets read; NULL: there was no memory for it */
	uintptr_t *slot;     /* where they find it */
	struct fib_direct *direct;
	int family;
	uint64_t routes;
	uint64_t blocks_bytes;
	uint32_t jumps[FIB_JUMPS]; /* blocks at their depths */
	uint64_t live;             /* words of the arena in use */
	bool unmeasured;           /* blocks are stale whose words `live` doesn't know yet */
	uint32_t dirty; /* words of the root to be compiled at the next flush, DIRTY_MOST: all */
	uint32_t dirty_list[DIRTY_MOST];
	struct nexthop *deflt; /* the default route */
	struct fib_hops hops;
	uint16_t shorter[2 * ROOT_WORDS]; /* prefixes of 1 to 18 bits: 1 << bits | the bits */
	uint8_t cover[ROOT_WORDS];        /* how long the longest of them is; 0 = none */
	struct fib_block *block[ROOT_WORDS];
};

static fib_key
key_of(const struct rt_addr *a)
{
	return fib6_key(rt_addr_in6(a));
}

static uint32_t
key_root(fib_key key)
{
	return (uint32_t)(key >> (128 - FIB_ROOT_BITS));
}

/* As many bytes, in whole huge pages if they are at least one. */
static uint64_t
big_bytes(uint64_t bytes)
{
	return bytes < HUGE_PAGE ? bytes : (bytes + HUGE_PAGE - 1) & ~(uint64_t)(HUGE_PAGE - 1);
}

/*
 * Zeroed memory for what packets read at random: in huge pages if the system gives them, since a
 * miss of the TLB costs a guest of a hypervisor two walks (a direct look-up: 8 -> 5 ns, bench fib).
 */
static void *
big_alloc(uint64_t bytes)
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

static void
big_free(void *p)
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
 * Write a node at the arena's end; values with FIB_KID are the kids in order, kid[] their places.
 * How many words it has, 0 = there is no room.
 */
static unsigned
node_write(struct fib_pop *p, const uint16_t value[FIB_SLOTS], const uint32_t *kid, unsigned kids)
{
	uint64_t starts = run_starts(value), *node;
	unsigned before = words_before_kids(fib_bits_in(starts));
	unsigned words = node_words(fib_bits_in(starts), kids);
	unsigned left_of_line = LINE - p->used % LINE;
	uint16_t *run;

	/* what fits a cache line is not in two */
	if (left_of_line < words && words <= LINE)
		p->used += left_of_line;
	if (p->used + words + NODE_MOST > p->room)
		return 0;
	node = p->arena + p->used;
	run = (uint16_t *)(void *)(node + 1);
	*node = starts;
	for (uint64_t left = starts; left != 0; left &= left - 1) {
		uint16_t v = value[__builtin_ctzll(left)];

		*run++ = v & FIB_KID ? (uint16_t)(v + before) : v;
	}
	memcpy((uint32_t *)(void *)node + before, kid, kids * sizeof(*kid));
	p->used += words;
	return words;
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
static void
jump_count(struct fib_comp *c, unsigned depth, int more)
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
static bool
block_compile(
    struct fib_comp *c, struct fib_block *b, uint16_t above, fib_key key, unsigned depth, bool all)
{
	uint16_t value[FIB_SLOTS];
	uint32_t kid[FIB_SLOTS];
	unsigned kids = 0, words;

	fib_block_paint(b, above, value);
	for (uint64_t left = b->kids; left != 0; left &= left - 1, kids++) {
		unsigned slot = (unsigned)__builtin_ctzll(left);
		struct fib_block *k = b->kid[kids];

		if ((all || k->stale || k->above != value[slot]) &&
		    !block_compile(
			c, k, value[slot], kid_key(key, slot, depth), depth + FIB_STRIDE, all))
			return false;
		kid[kids] = k->place;
		value[slot] = (uint16_t)(FIB_KID | kids);
	}
	words = node_write(c->pop, value, kid, kids);
	if (words == 0)
		return false;
	b->place = c->pop->used - words;
	block_set_words(c, b, words);
	b->above = above;
	b->stale = false;
	jump_set(c, key, depth, b->place);
	return true;
}

/* A block without prefixes and kids; its node stays as long as packets may read it. */
static void
block_end(struct fib_comp *c, struct fib_block *b, fib_key key, unsigned depth)
{
	jump_count(c, depth, -1);
	jump_set(c, key, depth, 0);
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

static uint16_t
root_hop(const struct fib_comp *c, uint32_t i)
{
	unsigned bits = c->cover[i];

	return bits == 0 ? 0 : c->shorter[1u << bits | i >> (FIB_ROOT_BITS - bits)];
}

/* A word of the root anew, and the nodes below that need it. False if the arena has no room. */
static bool
root_compile(struct fib_comp *c, uint32_t i, bool all)
{
	struct fib_block *b = c->block[i];
	uint16_t hop = root_hop(c, i);
	uint32_t word = hop;

	if (b != NULL) {
		if ((all || b->stale || b->above != hop) &&
		    !block_compile(
			c, b, hop, (fib_key)i << (128 - FIB_ROOT_BITS), FIB_ROOT_BITS, all))
			return false;
		word = b->place | FIB_NODE;
	}
	__atomic_store_n(&c->pop->root[i], word, __ATOMIC_RELEASE);
	return true;
}

static void
measure_all(struct fib_comp *c)
{
	for (uint32_t i = 0; i < ROOT_WORDS; i++) {
		struct fib_block *b = c->block[i];

		if (b != NULL && (b->stale || b->above != root_hop(c, i)))
			block_measure(c, b, root_hop(c, i));
	}
	c->unmeasured = false;
}

static void
pop_free(struct rcu_head *h)
{
	big_free((struct fib_pop *)(void *)((uint8_t *)h - offsetof(struct fib_pop, rcu)));
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
 * ends of lines, the rest is for changes. 0 or -ENOMEM, and packets still have the old one.
 */
static int
compile_all(struct fib_comp *c)
{
	struct fib_pop *old = c->pop, *p;
	uint64_t room, bytes;

	if (c->unmeasured)
		measure_all(c);
	bytes = big_bytes(
	    sizeof(*p) + (2 * c->live + ARENA_SPARE + jump_sizes(c)) * sizeof(p->arena[0]));
	room = (bytes - sizeof(*p)) / sizeof(p->arena[0]) - jump_sizes(c);
	room &= ~(uint64_t)(LINE - 1);
	if (room > ARENA_MOST || (p = big_alloc(bytes)) == NULL)
		return -ENOMEM;
	p->room = (uint32_t)room;
	p->used = NODE_MOST; /* behind the empty node */
	jump_place(c, p);
	p->direct = c->direct;
	p->hop[0] = c->deflt;
	if (c->hops.used > 0)
		memcpy(p->hop + 1, c->hops.hop + 1, (c->hops.used - 1) * sizeof(p->hop[0]));
	c->pop = p;
	for (uint32_t i = 0; i < ROOT_WORDS; i++)
		if (!root_compile(c, i, true))
			abort(); /* it has been measured */
	c->dirty = 0;
	rcu_publish(c->slot, (uintptr_t)p | FIB_COMPILED);
	if (old != NULL)
		rcu_call(&old->rcu, pop_free);
	fib_hop_new_block(&c->hops);
	return 0;
}

/* --- the table of 2^24 answers ------------------------------------------- */

static void
direct_store(struct fib_comp *c, uint32_t i)
{
	const struct fib_block *b = c->block[i];
	uint16_t hop = root_hop(c, i), value[FIB_SLOTS], *to;

	if (c->direct == NULL)
		return;
	to = c->direct->value + (size_t)i * FIB_SLOTS;
	if (b != NULL)
		fib_block_paint(b, hop, value);
	for (unsigned s = 0; s < FIB_SLOTS; s++) {
		uint16_t v = b == NULL ? hop : b->kids >> s & 1 ? (uint16_t)FIB_KID : value[s];

		if (to[s] != v)
			__atomic_store_n(&to[s], v, __ATOMIC_RELAXED);
	}
}

static void
direct_free(struct rcu_head *h)
{
	big_free((struct fib_direct *)(void *)((uint8_t *)h - offsetof(struct fib_direct, rcu)));
}

static void
direct_publish(struct fib_comp *c, struct fib_direct *d)
{
	struct fib_direct *old = c->direct;

	c->direct = d;
	for (uint32_t i = 0; d != NULL && i < ROOT_WORDS; i++)
		direct_store(c, i);
	if (c->pop != NULL)
		rcu_publish(&c->pop->direct, d);
	if (old != NULL)
		rcu_call(&old->rcu, direct_free);
}

int
fib_comp_direct(struct fib_comp *c, bool on)
{
	struct fib_direct *d = NULL;

	if (on == (c->direct != NULL) || c->family != AF_INET)
		return 0;
	if (on && (d = big_alloc(big_bytes(sizeof(*d)))) == NULL)
		return -ENOMEM;
	direct_publish(c, d);
	return 0;
}

/* --- what a change shows to packets -------------------------------------- */

/* The node on the way to key that is not what it should be. False if the arena has no room. */
static bool
path_compile(struct fib_comp *c, fib_key key)
{
	struct fib_block *b = c->block[key_root(key)];

	if (b == NULL || b->stale)
		return root_compile(c, key_root(key), false);
	for (unsigned depth = FIB_ROOT_BITS;; depth += FIB_STRIDE) {
		unsigned slot = fib_slot(key, depth), next = depth + FIB_STRIDE;
		uint32_t *node = (uint32_t *)(void *)(c->pop->arena + b->place);
		struct fib_block *k;

		if (!(b->kids >> slot & 1))
			return true;
		k = b->kid[fib_bits_below(b->kids, slot)];
		if (k->stale) {
			uint16_t at = fib_node_value(c->pop->arena + b->place, slot);

			if (!block_compile(
				c, k, k->above, key >> (128 - next) << (128 - next), next, false))
				return false;
			__atomic_store_n(&node[at & (FIB_KID - 1)], k->place, __ATOMIC_RELEASE);
			return true;
		}
		b = k;
	}
}

/* Packets see that a prefix of more than 18 bits has changed. 0 or -ENOMEM. */
static int
show_longer(struct fib_comp *c, fib_key key)
{
	if (c->pop == NULL || !path_compile(c, key)) {
		int error = compile_all(c);

		if (error != 0)
			return error;
	}
	direct_store(c, key_root(key));
	return 0;
}

/* The same for a prefix of up to 18 bits. */
static int
show_shorter(struct fib_comp *c, uint32_t first, uint32_t n)
{
	bool room = c->pop != NULL;
	int error;

	for (uint32_t i = first; room && i < first + n; i++)
		room = root_compile(c, i, false);
	if (!room) {
		c->unmeasured = true;
		if ((error = compile_all(c)) != 0)
			return error;
	}
	for (uint32_t i = first; i < first + n; i++)
		direct_store(c, i);
	return 0;
}

/*
 * Without memory even for a change that must not fail, packets find no route rather than one that
 * has gone; the next change tries again.
 */
static void
lose_all(struct fib_comp *c)
{
	rcu_publish(c->slot, 0);
	if (c->pop != NULL)
		rcu_call(&c->pop->rcu, pop_free);
	c->pop = NULL;
	c->unmeasured = true;
	direct_publish(c, NULL);
}

/* --- changes ------------------------------------------------------------- */

static int
longer_set(struct fib_comp *c, struct fib_block **link, unsigned depth, const struct rt_addr *dst,
    uint16_t hop, uint16_t *old, bool defer)
{
	fib_key key = key_of(dst);
	struct fib_block *b, **kid;
	unsigned slot = fib_slot(key, depth);
	bool new_kid;
	int error;

	if (*link == NULL) {
		if ((*link = fib_block_new(&c->blocks_bytes)) == NULL)
			return -ENOMEM;
		jump_count(c, depth, 1);
	}
	b = *link;
	b->stale |= defer;
	if (dst->plen <= depth + FIB_STRIDE) {
		error = fib_block_put(
		    &c->blocks_bytes, link, fib_prefix_number(key, depth, dst->plen), hop, old);
	} else {
		new_kid = !(b->kids >> slot & 1);
		kid = new_kid ? fib_kid_open(&c->blocks_bytes, b, slot) :
				&b->kid[fib_bits_below(b->kids, slot)];
		error = kid == NULL ? -ENOMEM :
				      longer_set(c, kid, depth + FIB_STRIDE, dst, hop, old, defer);
		if (error == 0)
			b->stale |= new_kid;
		else if (new_kid && kid != NULL)
			fib_kid_close(b, slot);
	}
	if (fib_block_is_empty(*link)) {
		block_end(c, *link, key, depth);
		*link = NULL;
	}
	return error;
}

/* The next hop that the prefix had, 0 = it isn't there. */
static uint16_t
longer_clear(struct fib_comp *c, struct fib_block **link, unsigned depth, const struct rt_addr *dst)
{
	fib_key key = key_of(dst);
	struct fib_block *b = *link, **kid;
	unsigned slot = fib_slot(key, depth);
	uint16_t old;

	if (b == NULL)
		return 0;
	if (dst->plen <= depth + FIB_STRIDE) {
		old = fib_block_take(b, fib_prefix_number(key, depth, dst->plen));
	} else {
		if (!(b->kids >> slot & 1))
			return 0;
		kid = &b->kid[fib_bits_below(b->kids, slot)];
		old = longer_clear(c, kid, depth + FIB_STRIDE, dst);
		if (*kid == NULL) {
			fib_kid_close(b, slot);
			b->stale = true;
		}
	}
	if (fib_block_is_empty(b)) {
		block_end(c, b, key, depth);
		*link = NULL;
	}
	return old;
}

/* Words of the root that a prefix of up to 18 bits covers. */
static uint32_t
root_span(unsigned plen)
{
	return UINT32_C(1) << (FIB_ROOT_BITS - plen);
}

static uint16_t *
shorter_hop(struct fib_comp *c, uint32_t first, unsigned plen)
{
	return &c->shorter[1u << plen | first >> (FIB_ROOT_BITS - plen)];
}

/* A prefix is there: where no longer one of the root is, it counts. */
static void
cover_raise(struct fib_comp *c, uint32_t first, unsigned plen)
{
	for (uint32_t i = first; i < first + root_span(plen); i++)
		if (c->cover[i] < plen)
			c->cover[i] = (uint8_t)plen;
}

/* It isn't any more: `next` is the next shorter one's length. */
static void
cover_lower(struct fib_comp *c, uint32_t first, unsigned plen, unsigned next)
{
	for (uint32_t i = first; i < first + root_span(plen); i++)
		if (c->cover[i] == plen)
			c->cover[i] = (uint8_t)next;
}

/* The next hop that the prefix had, 0 = it isn't there. */
static uint16_t
shorter_clear(struct fib_comp *c, uint32_t first, unsigned plen)
{
	uint16_t *is = shorter_hop(c, first, plen), old = *is;
	unsigned next = plen - 1;

	*is = 0;
	while (next > 0 && *shorter_hop(c, first, next) == 0)
		next--;
	if (old != 0)
		cover_lower(c, first, plen, next);
	return old;
}

static void
dirty_add(struct fib_comp *c, uint32_t i)
{
	c->unmeasured = true;
	if (c->dirty == DIRTY_MOST || (c->dirty > 0 && c->dirty_list[c->dirty - 1] == i))
		return;
	c->dirty_list[c->dirty++] = i;
}

static void
default_set(struct fib_comp *c, struct nexthop *nh)
{
	c->deflt = nh;
	if (c->pop != NULL)
		rcu_publish(&c->pop->hop[0], nh);
}

/* The prefix leaves the control side; packets still have it. The next hop that it had, or 0. */
static uint16_t
take(struct fib_comp *c, const struct rt_addr *dst)
{
	uint32_t i = key_root(key_of(dst));

	return dst->plen <= FIB_ROOT_BITS ? shorter_clear(c, i, dst->plen) :
					    longer_clear(c, &c->block[i], FIB_ROOT_BITS, dst);
}

static int
show(struct fib_comp *c, const struct rt_addr *dst)
{
	fib_key key = key_of(dst);

	if (dst->plen <= FIB_ROOT_BITS)
		return show_shorter(c, key_root(key), root_span(dst->plen));
	return show_longer(c, key);
}

/* Put hop at the prefix: the control side, and packets unless it is deferred. */
static int
put(struct fib_comp *c, const struct rt_addr *dst, uint16_t hop, uint16_t *old, bool defer)
{
	uint32_t i = key_root(key_of(dst));
	int error;

	if (dst->plen <= FIB_ROOT_BITS) {
		*old = *shorter_hop(c, i, dst->plen);
		*shorter_hop(c, i, dst->plen) = hop;
		cover_raise(c, i, dst->plen);
	} else if ((error = longer_set(c, &c->block[i], FIB_ROOT_BITS, dst, hop, old, defer)) != 0)
		return error;
	if (defer && *old == 0 && dst->plen > FIB_ROOT_BITS) {
		dirty_add(c, i);
		return 0;
	}
	return show(c, dst);
}

int
fib_comp_set(struct fib_comp *c, const struct rt_addr *dst, struct nexthop *nh, bool defer)
{
	uint16_t hop, old = 0;
	int error;

	if (dst->plen == 0) {
		c->routes += c->deflt == NULL;
		default_set(c, nh);
		return 0;
	}
	if ((hop = fib_hop_get(&c->hops, nh)) == 0)
		return -ENOSPC;
	if (c->pop != NULL)
		rcu_publish(&c->pop->hop[hop], c->hops.hop[hop]);
	error = put(c, dst, hop, &old, defer);
	if (error != 0 && old == 0) {
		take(c, dst);
		/* of a short prefix packets may have seen a part */
		if (dst->plen <= FIB_ROOT_BITS && show(c, dst) != 0)
			lose_all(c);
		fib_hop_put(&c->hops, hop);
		return error;
	}
	if (error != 0)
		lose_all(c);
	c->routes += old == 0;
	fib_hop_put(&c->hops, old);
	return 0;
}

void
fib_comp_clear(struct fib_comp *c, const struct rt_addr *dst)
{
	uint16_t old;

	if (dst->plen == 0) {
		c->routes -= c->deflt != NULL;
		default_set(c, NULL);
		return;
	}
	if ((old = take(c, dst)) == 0)
		return;
	c->routes--;
	if (show(c, dst) != 0)
		lose_all(c);
	fib_hop_put(&c->hops, old);
}

int
fib_comp_flush(struct fib_comp *c)
{
	bool all = c->pop == NULL || c->dirty == DIRTY_MOST;
	uint32_t n = c->dirty;
	int error;

	for (uint32_t i = 0; !all && i < n; i++)
		all = !root_compile(c, c->dirty_list[i], false);
	if (all && (error = compile_all(c)) != 0)
		return error;
	if (c->direct != NULL && n == DIRTY_MOST)
		for (uint32_t i = 0; i < ROOT_WORDS; i++)
			direct_store(c, i);
	for (uint32_t i = 0; n < DIRTY_MOST && i < n; i++)
		direct_store(c, c->dirty_list[i]);
	c->dirty = 0;
	return 0;
}

/* --- the whole table ----------------------------------------------------- */

struct fib_comp *
fib_comp_new(int family, uintptr_t *slot)
{
	struct fib_comp *c = vnet_malloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->family = family;
	c->slot = slot;
	return c;
}

static void
block_free_all(struct fib_comp *c, struct fib_block *b)
{
	if (b == NULL)
		return;
	for (unsigned k = 0; k < fib_bits_in(b->kids); k++)
		block_free_all(c, b->kid[k]);
	fib_block_free(&c->blocks_bytes, b);
}

void
fib_comp_free(struct fib_comp *c)
{
	for (uint32_t i = 0; i < ROOT_WORDS; i++)
		block_free_all(c, c->block[i]);
	direct_publish(c, NULL);
	if (c->pop != NULL)
		rcu_call(&c->pop->rcu, pop_free);
	for (uint32_t i = 0; i < c->hops.used; i++)
		if (c->hops.hop[i] != NULL && fib_hop_is_shared(c->hops.hop[i]))
			rib_entry_retire(c->hops.hop[i]->rt);
	vnet_free(c);
}

uint64_t
fib_comp_routes(const struct fib_comp *c)
{
	return c->routes;
}

void
fib_comp_size(const struct fib_comp *c, uint64_t *packets, uint64_t *control)
{
	uint64_t jumps = 0;

	*packets = 0;
	for (unsigned j = 0; c->pop != NULL && c->family == AF_INET6 && j < FIB_JUMPS; j++)
		jumps += UINT64_C(1) << (64 - c->pop->jump[j].shift);
	if (c->pop != NULL)
		*packets += sizeof(c->pop->root) + c->pop->room * sizeof(c->pop->arena[0]) +
		    jumps * sizeof(c->pop->arena[0]) + c->hops.used * sizeof(c->pop->hop[0]);
	if (c->direct != NULL)
		*packets += sizeof(c->direct->value);
	*control = sizeof(*c) + c->blocks_bytes;
}

struct walk {
	const struct fib_comp *c;
	int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx);
	void *ctx;
};

/* A prefix of plen bits to the walk's function. */
static int
walk_tell(const struct walk *w, fib_key key, unsigned plen, struct nexthop *nh)
{
	uint64_t wire[2] = { __builtin_bswap64((uint64_t)(key >> 64)),
		__builtin_bswap64((uint64_t)key) };
	struct rt_addr dst = rt_addr_make(w->c->family, wire, plen);

	return w->fn(&dst, nh, w->ctx);
}

static int
walk_block(const struct walk *w, const struct fib_block *b, fib_key key, unsigned depth)
{
	unsigned at = 0, kid = 0;
	int result = 0;

	for (unsigned number = 2; number < FIB_PREFIXES && result == 0; number++) {
		unsigned bits = 31 - (unsigned)__builtin_clz(number);
		fib_key tail = number - (1u << bits);

		if (fib_block_has(b, number))
			result = walk_tell(w, key | tail << (128 - depth - bits), depth + bits,
			    w->c->hops.hop[b->hop[at++]]);
	}
	for (uint64_t left = b->kids; left != 0 && result == 0; left &= left - 1) {
		fib_key slot = (unsigned)__builtin_ctzll(left);

		result = walk_block(
		    w, b->kid[kid++], key | slot << (128 - FIB_STRIDE - depth), depth + FIB_STRIDE);
	}
	return result;
}

int
fib_comp_walk(const struct fib_comp *c,
    int (*fn)(const struct rt_addr *dst, struct nexthop *nh, void *ctx), void *ctx)
{
	struct walk w = { c, fn, ctx };
	int result = 0;

	if (c->deflt != NULL)
		result = walk_tell(&w, 0, 0, c->deflt);
	for (unsigned number = 2; number < 2 * ROOT_WORDS && result == 0; number++) {
		unsigned bits = 31 - (unsigned)__builtin_clz(number);

		if (c->shorter[number] != 0)
			result = walk_tell(&w, (fib_key)(number - (1u << bits)) << (128 - bits),
			    bits, c->hops.hop[c->shorter[number]]);
	}
	for (uint32_t i = 0; i < ROOT_WORDS && result == 0; i++)
		if (c->block[i] != NULL)
			result = walk_block(
			    &w, c->block[i], (fib_key)i << (128 - FIB_ROOT_BITS), FIB_ROOT_BITS);
	return result;
}
