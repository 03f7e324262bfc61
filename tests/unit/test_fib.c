/*
 * Unit tests of the packet side's FIB (route/fib.c, fib_trie.c) against the control side's radix tree.
 */
#include "kern_fixture.h"

#include "base/bytes.h"
#include "base/rng.h"
#include "route/rib.h"

enum { N = 3000 };

static struct nexthop hop[N];

static struct nexthop *
lookup(uint32_t host)
{
	return fib_lookup4(0, __builtin_bswap32(host));
}

static struct rt_addr
prefix4(uint32_t key, unsigned plen)
{
	uint32_t wire = __builtin_bswap32(key);

	return rt_addr_make(AF_INET, &wire, plen);
}

static int
set4(uint8_t fib, uint32_t key, unsigned plen, struct nexthop *nh)
{
	struct rt_addr dst = prefix4(key, plen);

	return fib_set(fib, &dst, nh);
}

static void
clear4(uint8_t fib, uint32_t key, unsigned plen)
{
	struct rt_addr dst = prefix4(key, plen);

	fib_clear(fib, &dst);
}

static void
test_an_empty_fib_has_no_answer(void **state)
{
	uint32_t dst[3] = { 1, 2, 3 };
	struct nexthop *nh[3] = { hop, hop, hop };

	(void)state;
	assert_null(lookup(0x0a000001));
	fib_lookup4_batch(0, dst, nh, 3);
	assert_null(nh[0]);
	assert_null(nh[2]);
}

static void
test_longest_prefix_wins_from_default_to_host(void **state)
{
	(void)state;
	assert_int_equal(set4(0, 0x0a010203, 32, &hop[4]), 0);
	assert_int_equal(set4(0, 0, 0, &hop[0]), 0);
	assert_int_equal(set4(0, 0x0a010200, 24, &hop[3]), 0);
	assert_int_equal(set4(0, 0x0a000000, 8, &hop[1]), 0);
	assert_int_equal(set4(0, 0x0a010000, 16, &hop[2]), 0);
	assert_ptr_equal(lookup(0x0a010203), &hop[4]);
	assert_ptr_equal(lookup(0x0a010204), &hop[3]);
	assert_ptr_equal(lookup(0x0a010304), &hop[2]);
	assert_ptr_equal(lookup(0x0a020304), &hop[1]);
	assert_ptr_equal(lookup(0x0b020304), &hop[0]);
	assert_ptr_equal(lookup(0xffffffff), &hop[0]);
	clear4(0, 0, 0);
	assert_null(lookup(0x0b020304));
	clear4(0, 0x0a010000, 16);
	assert_ptr_equal(lookup(0x0a010304), &hop[1]);
	/* what isn't there is not taken away */
	clear4(0, 0x0a010000, 17);
	assert_ptr_equal(lookup(0x0a010203), &hop[4]);
	/* with the last one the table goes: the leak audit looks */
	clear4(0, 0x0a000000, 8);
	clear4(0, 0x0a010200, 24);
	clear4(0, 0x0a010203, 32);
}

static void
test_fibs_do_not_mix(void **state)
{
	(void)state;
	assert_int_equal(set4(0, 0x0a000000, 8, &hop[0]), 0);
	assert_int_equal(set4(3, 0x0a000000, 8, &hop[3]), 0);
	assert_ptr_equal(fib_lookup4(0, 0x0100000a), &hop[0]);
	assert_ptr_equal(fib_lookup4(3, 0x0100000a), &hop[3]);
	assert_null(fib_lookup4(1, 0x0100000a));
	clear4(0, 0x0a000000, 8);
	clear4(3, 0x0a000000, 8);
}

struct prefix {
	struct radix_node rn;
	uint32_t key;
	unsigned plen;
	bool in;
};

static struct nexthop *
reference(const struct radix_tree *t, struct prefix *p, uint32_t host)
{
	uint32_t wire = __builtin_bswap32(host);
	uint8_t key[16] = { 0 };
	struct radix_node *n;

	memcpy(key, &wire, 4);
	n = radix_match(t, key);
	return n == NULL ?
	    NULL :
	    &hop[(struct prefix *)(void *)((uint8_t *)n - offsetof(struct prefix, rn)) - p];
}

static void
test_answers_equal_the_radix_tree_through_random_changes(void **state)
{
	struct prefix *p = calloc(N, sizeof(*p));
	struct radix_tree *t = radix_new(32);
	struct rng rng;
	size_t live = 0;

	(void)state;
	rng_seed(&rng, 1, "fib");
	for (unsigned round = 0; round < 60000; round++) {
		struct prefix *q = &p[rng_below(&rng, N)];
		uint32_t wire, probe;
		uint8_t key[16] = { 0 };

		if (!q->in) {
			q->plen = (unsigned)rng_below(&rng, 33);
			q->key = (uint32_t)rng_u64(&rng) & (round & 1 ? 0xff818181 : 0xc0c0ffff);
			q->key &= q->plen == 0 ? 0 : UINT32_MAX << (32 - q->plen);
			wire = __builtin_bswap32(q->key);
			memcpy(key, &wire, 4);
			if (radix_insert(t, &q->rn, key, q->plen, false) == 0) {
				assert_int_equal(set4(0, q->key, q->plen, &hop[q - p]), 0);
				q->in = true;
				live++;
			}
		} else if (round % 20000 > 9000 || live > N / 2) {
			radix_delete(t, &q->rn);
			clear4(0, q->key, q->plen);
			q->in = false;
			live--;
		}
		probe = q->key ^ (uint32_t)(rng_u64(&rng) >> (32 + rng_below(&rng, 32)));
		assert_ptr_equal(lookup(probe), reference(t, p, probe));
		rcu_poll();
	}
	/* batches from everywhere, and batches around one prefix, which may be a leaf's or not */
	for (unsigned i = 0; i < 4000; i++) {
		const struct prefix *q = &p[rng_below(&rng, N)];
		unsigned spread = (unsigned)rng_below(&rng, 33);
		struct nexthop *nh[64];
		uint32_t dst[64];

		for (unsigned j = 0; j < 64; j++) {
			uint32_t noise = (uint32_t)((rng_u64(&rng) >> 32) >> spread);

			dst[j] = __builtin_bswap32(spread == 0 ? noise : q->key ^ noise);
		}
		fib_lookup4_batch(0, dst, nh, 64);
		for (unsigned j = 0; j < 64; j++)
			assert_ptr_equal(nh[j], reference(t, p, __builtin_bswap32(dst[j])));
	}
	for (size_t i = 0; i < N; i++)
		if (p[i].in)
			clear4(0, p[i].key, p[i].plen);
	assert_null(lookup(0));
	radix_free(t);
	free(p);
}

static void
test_no_memory_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(set4(0, (i + 1) << 24, 8, &hop[i]), 0);
	for (uint64_t at = 1; at < 2; at++) {
		vnet_malloc_fail_at(at);
		uint32_t i = 8;

		while (set4(0, i << 24, 8, &hop[i]) == 0)
			i++;
		assert_false(vnet_malloc_fail_pending());
		assert_null(lookup(i << 24 | 1));
		assert_ptr_equal(lookup(0x01000001), &hop[0]);
		/* neither taking away nor replacing asks for memory */
		vnet_malloc_fail_at(1);
		assert_int_equal(set4(0, 1 << 24, 8, &hop[20]), 0);
		assert_ptr_equal(lookup(0x01000001), &hop[20]);
		clear4(0, 2 << 24, 8);
		assert_true(vnet_malloc_fail_pending());
		vnet_malloc_fail_at(0);
		while (--i >= 8)
			clear4(0, i << 24, 8);
	}
	for (uint32_t i = 0; i < 7; i++)
		clear4(0, (i + 1) << 24, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_an_empty_fib_has_no_answer),
		KERN_TEST(test_longest_prefix_wins_from_default_to_host),
		KERN_TEST(test_fibs_do_not_mix),
		KERN_TEST(test_answers_equal_the_radix_tree_through_random_changes),
		KERN_TEST(test_no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
