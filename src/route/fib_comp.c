/*
 * fib_comp.c - changes of the compiled form of a large table.
 *
 * Beside each node that packets read stands its block: the prefixes that end in it, and its kids. From
 * that the node is compiled anew when it changes (fib_compile.c), into a new place of the arena, and
 * one store of 32 bits lets packets see it (Read-Copy-Update; an old node is not written before all
 * packets that may read it are gone, fib_arena.c). When the arena is full, everything is compiled into
 * a new one, and the old one goes behind the readers. Prefixes of up to 18 bits stand in one array as a binary heap; what they cover is written
 * into the root's words. The default route is number 0 in all of them: changing it is one store.
 */
#include "kern/sysctl.h"
#include "net/generation.h"
#include "route/fib_comp_internal.h"

#include <errno.h>

#define RETRY_NS (100 * NS_PER_MS)

VNET_DEFINE_STATIC(uint32_t, fib_lost);
SYSCTL_VNET_UINT(net_route_fib_lost, "net.route.fib_lost", SYSCTL_RD, fib_lost, 0, UINT32_MAX,
    "times that packets of a compiled table found no route until there was memory again");

static fib_key
key_of(const struct rt_addr *a)
{
	return fib6_key(rt_addr_in6(a));
}

/* --- the table of 2^24 answers ------------------------------------------- */

static void
direct_store(struct fib_comp *c, uint32_t i)
{
	const struct fib_block *b = c->block[i];
	uint16_t hop = fib_root_hop(c, i), value[FIB_SLOTS], *to;

	if (c->direct == NULL)
		return;
	to = c->direct->value + (size_t)i * FIB_SLOTS;
	if (b != NULL)
		fib_block_paint(b, hop, value);
	for (unsigned s = 0; s < FIB_SLOTS; s++) {
		uint16_t v = b == NULL ? hop : b->kids >> s & 1 ? (uint16_t)FIB_KID : value[s];

		if (to[s] != v)
			__atomic_store_n(&to[s], v, __ATOMIC_RELEASE);
	}
}

static void
direct_free(struct rcu_head *h)
{
	fib_big_free(
	    (struct fib_direct *)(void *)((uint8_t *)h - offsetof(struct fib_direct, rcu)));
}

static void
direct_publish(struct fib_comp *c, struct fib_direct *d)
{
	struct fib_direct *old = c->direct;

	c->direct = d;
	for (uint32_t i = 0; d != NULL && i < FIB_ROOT_WORDS; i++)
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

	c->wants_direct = on;
	if (on == (c->direct != NULL) || c->family != AF_INET)
		return 0;
	if (on && (d = fib_big_alloc(fib_big_bytes(sizeof(*d)))) == NULL)
		return -ENOMEM;
	direct_publish(c, d);
	return 0;
}

/* --- what a change shows to packets -------------------------------------- */

/* The node on the way to key that is not what it should be. False if the arena has no room. */
static bool
path_compile(struct fib_comp *c, fib_key key)
{
	struct fib_block *b = c->block[fib_key_root(key)];

	if (b == NULL || b->stale)
		return fib_root_compile(c, fib_key_root(key), false);
	for (unsigned depth = FIB_ROOT_BITS;; depth += FIB_STRIDE) {
		unsigned slot = fib_slot(key, depth), next = depth + FIB_STRIDE;
		uint32_t *node = (uint32_t *)(void *)(c->pop->arena + b->place);
		struct fib_block *k;

		if (!(b->kids >> slot & 1))
			return true;
		k = b->kid[fib_bits_below(b->kids, slot)];
		if (k->stale) {
			uint16_t at = fib_node_value(c->pop->arena + b->place, slot);

			if (!fib_block_compile(
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
		int error = fib_compile_all(c);

		if (error != 0)
			return error;
	}
	direct_store(c, fib_key_root(key));
	return 0;
}

/* The same for a prefix of up to 18 bits. */
static int
show_shorter(struct fib_comp *c, uint32_t first, uint32_t n)
{
	bool room = c->pop != NULL;
	int error;

	for (uint32_t i = first; room && i < first + n; i++)
		room = fib_root_compile(c, i, false);
	if (!room) {
		c->unmeasured = true;
		if ((error = fib_compile_all(c)) != 0)
			return error;
	}
	for (uint32_t i = first; i < first + n; i++)
		direct_store(c, i);
	return 0;
}

/*
 * Without memory even for a change that must not fail, packets find no route rather than one that
 * has gone. The next change tries again, and so does a callout.
 */
static void
lose_all(struct fib_comp *c)
{
	rcu_publish(c->slot, 0);
	if (c->pop != NULL)
		rcu_call(&c->pop->rcu, fib_pop_free);
	c->pop = NULL;
	fib_arena_close(c);
	c->unmeasured = true;
	direct_publish(c, NULL);
	VNET(fib_lost)++;
	callout_reset(&c->retry, RETRY_NS);
}

static void
retry(void *arg)
{
	struct fib_comp *c = arg;

	if ((c->pop == NULL && fib_comp_flush(c) != 0) || fib_comp_direct(c, c->wants_direct) != 0)
		callout_reset(&c->retry, RETRY_NS);
	generation_bump();
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
		fib_jump_count(c, depth, 1);
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
		fib_block_end(c, *link, key, depth);
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
		fib_block_end(c, b, key, depth);
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
	if (c->dirty == FIB_DIRTY_MOST || (c->dirty > 0 && c->dirty_list[c->dirty - 1] == i))
		return;
	c->dirty_list[c->dirty++] = i;
}

static void
hop_put(struct fib_comp *c, uint16_t hop)
{
	if (!fib_hop_put(&c->hops, hop))
		return;
	fib_arena_give(c, c->plain[hop], FIB_PLAIN_WORDS);
	c->plain[hop] = 0;
	fib_arena_give_hop(c, hop);
}

/*
 * A number for the next hop; 0: FIB_HOPS - 1 others are there. Those that wait for packets are free
 * at once in a new block.
 */
static uint16_t
hop_get(struct fib_comp *c, struct nexthop *nh)
{
	uint16_t hop = fib_hop_get(&c->hops, nh);

	if (hop != 0 || c->hops.live == FIB_HOPS - 1 || fib_compile_all(c) != 0)
		return hop;
	return fib_hop_get(&c->hops, nh);
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
	uint32_t i = fib_key_root(key_of(dst));

	return dst->plen <= FIB_ROOT_BITS ? shorter_clear(c, i, dst->plen) :
					    longer_clear(c, &c->block[i], FIB_ROOT_BITS, dst);
}

static int
show(struct fib_comp *c, const struct rt_addr *dst)
{
	fib_key key = key_of(dst);

	if (dst->plen <= FIB_ROOT_BITS)
		return show_shorter(c, fib_key_root(key), root_span(dst->plen));
	return show_longer(c, key);
}

/* Put hop at the prefix: the control side, and packets unless it is deferred. */
static int
put(struct fib_comp *c, const struct rt_addr *dst, uint16_t hop, uint16_t *old, bool defer)
{
	uint32_t i = fib_key_root(key_of(dst));
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
	fib_arena_collect(c);
	if ((hop = hop_get(c, nh)) == 0)
		return -ENOSPC;
	if (c->pop != NULL)
		rcu_publish(&c->pop->hop[hop], c->hops.hop[hop]);
	error = put(c, dst, hop, &old, defer);
	if (error != 0 && old == 0) {
		take(c, dst);
		/* of a short prefix packets may have seen a part */
		if (dst->plen <= FIB_ROOT_BITS && show(c, dst) != 0)
			lose_all(c);
		hop_put(c, hop);
		return error;
	}
	if (error != 0)
		lose_all(c);
	c->routes += old == 0;
	hop_put(c, old);
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
	fib_arena_collect(c);
	if ((old = take(c, dst)) == 0)
		return;
	c->routes--;
	if (show(c, dst) != 0)
		lose_all(c);
	hop_put(c, old);
}

int
fib_comp_flush(struct fib_comp *c)
{
	bool all = c->pop == NULL || c->dirty == FIB_DIRTY_MOST;
	uint32_t n = c->dirty;
	int error;

	for (uint32_t i = 0; !all && i < n; i++)
		all = !fib_root_compile(c, c->dirty_list[i], false);
	if (all && (error = fib_compile_all(c)) != 0)
		return error;
	if (c->direct != NULL && n == FIB_DIRTY_MOST)
		for (uint32_t i = 0; i < FIB_ROOT_WORDS; i++)
			direct_store(c, i);
	for (uint32_t i = 0; n < FIB_DIRTY_MOST && i < n; i++)
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
	callout_init(&c->retry, curvnet, retry, c);
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
	callout_stop(&c->retry);
	for (uint32_t i = 0; i < FIB_ROOT_WORDS; i++)
		block_free_all(c, c->block[i]);
	direct_publish(c, NULL);
	fib_arena_close(c);
	if (c->pop != NULL)
		rcu_call(&c->pop->rcu, fib_pop_free);
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
	for (unsigned number = 2; number < 2 * FIB_ROOT_WORDS && result == 0; number++) {
		unsigned bits = 31 - (unsigned)__builtin_clz(number);

		if (c->shorter[number] != 0)
			result = walk_tell(&w, (fib_key)(number - (1u << bits)) << (128 - bits),
			    bits, c->hops.hop[c->shorter[number]]);
	}
	for (uint32_t i = 0; i < FIB_ROOT_WORDS && result == 0; i++)
		if (c->block[i] != NULL)
			result = walk_block(
			    &w, c->block[i], (fib_key)i << (128 - FIB_ROOT_BITS), FIB_ROOT_BITS);
	return result;
}
