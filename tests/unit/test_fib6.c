/*
 * Unit tests of the packet side's IPv6 FIB (route/fib6.c, fib_trie.c) against a list of prefixes
 * that is searched from one end to the other.
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "route/rib.h"

#include <stdio.h>

enum { N = 800 };

static struct nexthop hop[N];

static struct rt_addr
p6(const char *text)
{
	struct rt_addr a;

	assert_true(rt_addr_parse(text, AF_INET6, &a));
	return a;
}

static struct nexthop *
lookup(const char *text)
{
	struct in6 a;

	assert_true(in6_aton(text, &a));
	return fib_lookup6(0, &a);
}

static void
set(uint8_t fib, const char *text, struct nexthop *nh)
{
	struct rt_addr a = p6(text);

	assert_int_equal(fib_set(fib, &a, nh), 0);
}

static void
clear(uint8_t fib, const char *text)
{
	struct rt_addr a = p6(text);

	fib_clear(fib, &a);
}

static void
test_an_empty_fib_has_no_answer(void **state)
{
	struct in6 a = { { 0x20 } };
	const struct in6 *dst[3] = { &a, &in6_any_, &in6_loopback_ };
	struct nexthop *nh[3] = { hop, hop, hop };

	(void)state;
	assert_null(fib_lookup6(0, &a));
	fib_lookup6_batch(0, dst, nh, 3);
	assert_null(nh[0]);
	assert_null(nh[2]);
	fib_lookup6_batch(0, dst, nh, 0);
}

static void
test_longest_prefix_wins_from_default_to_host(void **state)
{
	(void)state;
	set(0, "2001:db8:0:1::1", &hop[4]);
	set(0, "::/0", &hop[0]);
	set(0, "2001:db8:0:1::/64", &hop[3]);
	set(0, "2000::/3", &hop[1]);
	set(0, "2001:db8::/32", &hop[2]);
	assert_ptr_equal(lookup("2001:db8:0:1::1"), &hop[4]);
	assert_ptr_equal(lookup("2001:db8:0:1::2"), &hop[3]);
	assert_ptr_equal(lookup("2001:db8:0:2::1"), &hop[2]);
	assert_ptr_equal(lookup("2001:db9::1"), &hop[1]);
	assert_ptr_equal(lookup("::1"), &hop[0]);
	assert_ptr_equal(lookup("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), &hop[0]);
	clear(0, "::/0");
	assert_null(lookup("::1"));
	clear(0, "2001:db8::/32");
	assert_ptr_equal(lookup("2001:db8:0:2::1"), &hop[1]);
	/* what isn't there is not taken away */
	clear(0, "2001:db8:0:1::/65");
	assert_ptr_equal(lookup("2001:db8:0:1::1"), &hop[4]);
	clear(0, "2001:db8:0:1::1");
	clear(0, "2001:db8:0:1::/64");
	clear(0, "2000::/3");
	assert_null(lookup("2001:db8:0:1::1"));
}

static void
test_one_link_local_prefix_of_each_zone(void **state)
{
	struct in6 a;
	struct rt_addr net[2];

	(void)state;
	for (uint32_t zone = 1; zone <= 2; zone++) {
		in6_aton("fe80::", &a);
		in6_embed(&a, zone);
		net[zone - 1] = rt_addr_make(AF_INET6, a.b, 64);
		assert_int_equal(fib_set(0, &net[zone - 1], &hop[zone]), 0);
	}
	for (uint32_t zone = 1; zone <= 3; zone++) {
		in6_aton("fe80::1:2", &a);
		in6_embed(&a, zone);
		assert_ptr_equal(fib_lookup6(0, &a), zone == 3 ? NULL : &hop[zone]);
	}
	fib_clear(0, &net[0]);
	fib_clear(0, &net[1]);
}

static void
test_fibs_and_families_do_not_mix(void **state)
{
	struct in6 a = { { 0x20, 0x01 } };
	struct rt_addr all4 = rt_addr_make(AF_INET, &in6_any_, 0);

	(void)state;
	set(0, "2001::/16", &hop[0]);
	set(3, "2001::/16", &hop[3]);
	assert_int_equal(fib_set(0, &all4, &hop[5]), 0);
	assert_ptr_equal(fib_lookup6(0, &a), &hop[0]);
	assert_ptr_equal(fib_lookup6(3, &a), &hop[3]);
	assert_null(fib_lookup6(1, &a));
	assert_null(lookup("2002::1"));
	assert_ptr_equal(fib_lookup4(0, 0x20010000), &hop[5]);
	clear(0, "2001::/16");
	clear(3, "2001::/16");
	fib_clear(0, &all4);
}

/* --- against a list ------------------------------------------------------- */

struct prefix {
	struct rt_addr a;
	bool in;
};

/* The longest of the prefixes that are in; its place in the list is its next hop. */
static struct nexthop *
reference(const struct prefix *p, const struct in6 *addr)
{
	const struct prefix *best = NULL;

	for (const struct prefix *q = p; q < p + N; q++)
		if (q->in && (best == NULL || q->a.plen >= best->a.plen) &&
		    in6_match((const struct in6 *)(const void *)q->a.addr, addr, q->a.plen))
			best = q;
	return best == NULL ? NULL : &hop[best - p];
}

static bool
has(const struct prefix *p, const struct rt_addr *a)
{
	for (const struct prefix *q = p; q < p + N; q++)
		if (q->in && q->a.plen == a->plen && memcmp(q->a.addr, a->addr, 16) == 0)
			return true;
	return false;
}

/* Few different bits, so that prefixes lie in one another; lengths from all over, and many equal. */
static struct rt_addr
random_prefix(struct rng *rng)
{
	static const uint8_t usual[] = { 0, 3, 32, 48, 63, 64, 65, 127, 128 };
	uint8_t key[16];
	unsigned plen = (unsigned)rng_below(rng, 129);

	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)(rng_u64(rng) & (i == 7 || i == 15 ? 0xff : 0x81));
	if (rng_below(rng, 2) == 0)
		plen = usual[rng_below(rng, sizeof(usual))];
	return rt_addr_make(AF_INET6, key, plen);
}

/* An address that leaves q's prefix somewhere, or not. */
static struct in6
near_prefix(struct rng *rng, const struct prefix *q)
{
	struct in6 a;
	unsigned from = (unsigned)rng_below(rng, 129);

	memcpy(a.b, q->a.addr, 16);
	for (unsigned bit = from; bit < 128; bit += 1 + (unsigned)rng_below(rng, 20))
		a.b[bit >> 3] ^= (uint8_t)(0x80 >> (bit & 7));
	return a;
}

static void
one_change(struct prefix *p, struct rng *rng, unsigned round, unsigned *live)
{
	struct prefix *q = &p[rng_below(rng, N)];

	if (q->in && (round % 10000 > 5000 || *live > N / 2)) {
		fib_clear(0, &q->a);
		q->in = false;
		--*live;
	} else if (!q->in) {
		q->a = random_prefix(rng);
		if (has(p, &q->a))
			return;
		assert_int_equal(fib_set(0, &q->a, &hop[q - p]), 0);
		q->in = true;
		++*live;
	}
}

static void
test_answers_equal_a_list_through_random_changes(void **state)
{
	struct prefix *p = calloc(N, sizeof(*p));
	unsigned live = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "fib6");
	for (unsigned round = 0; round < 20000; round++) {
		struct in6 probe;

		one_change(p, &rng, round, &live);
		probe = near_prefix(&rng, &p[rng_below(&rng, N)]);
		assert_ptr_equal(fib_lookup6(0, &probe), reference(p, &probe));
		rcu_poll();
	}
	/* batches of all sizes from everywhere, and around one prefix, which may be a leaf's or not */
	for (unsigned i = 0; i < 600; i++) {
		const struct prefix *q = &p[rng_below(&rng, N)];
		unsigned n = 1 + (unsigned)rng_below(&rng, 64);
		const struct in6 *dst[64];
		struct nexthop *nh[64];
		struct in6 a[64];

		for (unsigned j = 0; j < n; j++) {
			a[j] = near_prefix(&rng, i & 1 ? q : &p[rng_below(&rng, N)]);
			/* the low bits only: below a leaf */
			if (i & 2)
				memcpy(a[j].b, q->a.addr, 15);
			dst[j] = &a[j];
		}
		fib_lookup6_batch(0, dst, nh, n);
		for (unsigned j = 0; j < n; j++)
			assert_ptr_equal(nh[j], reference(p, &a[j]));
	}
	for (struct prefix *q = p; q < p + N; q++)
		if (q->in)
			fib_clear(0, &q->a);
	assert_null(lookup("::"));
	free(p);
}

static void
test_no_memory_changes_nothing(void **state)
{
	char text[32];
	unsigned n;

	(void)state;
	set(0, "2001::/16", &hop[1]);
	vnet_malloc_fail_at(1);
	for (n = 2; n < N; n++) {
		struct rt_addr a;

		snprintf(text, sizeof(text), "2001:%x::/32", n);
		a = p6(text);
		if (fib_set(0, &a, &hop[n]) != 0)
			break;
	}
	assert_in_range(n, 3, N - 1);
	assert_false(vnet_malloc_fail_pending());
	snprintf(text, sizeof(text), "2001:%x::1", n);
	assert_ptr_equal(lookup(text), &hop[1]);
	assert_ptr_equal(lookup("2001:2::1"), &hop[2]);
	/* neither taking away nor replacing asks for memory */
	vnet_malloc_fail_at(1);
	set(0, "2001:2::/32", &hop[20]);
	assert_ptr_equal(lookup("2001:2::1"), &hop[20]);
	while (--n >= 2) {
		snprintf(text, sizeof(text), "2001:%x::/32", n);
		clear(0, text);
	}
	clear(0, "2001::/16");
	assert_true(vnet_malloc_fail_pending());
	vnet_malloc_fail_at(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_an_empty_fib_has_no_answer),
		KERN_TEST(test_longest_prefix_wins_from_default_to_host),
		KERN_TEST(test_one_link_local_prefix_of_each_zone),
		KERN_TEST(test_fibs_and_families_do_not_mix),
		KERN_TEST(test_answers_equal_a_list_through_random_changes),
		KERN_TEST(test_no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
