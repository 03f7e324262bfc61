/*
 * Unit tests of the radix tree (route/radix.c), most of them against a list that is searched from
 * end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/radix.h"

#include <errno.h>

enum { MODEL_MAX = 4096 };

/* An object: what the tree embeds, and what the model needs to know. */
struct item {
	struct radix_node rn;
	uint8_t key[16];
	unsigned plen;
	uint64_t order;
};

struct model {
	struct item *item[MODEL_MAX];
	size_t n;
	unsigned bits;
	uint64_t orders;
	struct radix_tree *tree;
};

static uint64_t chance = 1;

/* splitmix64 */
static uint64_t
draw(void)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static struct item *
item_of(struct radix_node *n)
{
	return (struct item *)(void *)((uint8_t *)n - offsetof(struct item, rn));
}

static bool
covers(const uint8_t *prefix, unsigned plen, const uint8_t *key)
{
	for (unsigned i = 0; i < plen; i++)
		if ((prefix[i / 8] ^ key[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void
clean(uint8_t *key, unsigned plen)
{
	for (unsigned i = plen; i < 128; i++)
		key[i / 8] &= (uint8_t) ~(1u << (7 - i % 8));
}

/* Keys are drawn from few bits, so that they meet. */
static void
draw_prefix(const struct model *m, uint8_t key[16], unsigned *plen)
{
	uint64_t r = draw();

	memset(key, 0, 16);
	for (unsigned i = 0; i < m->bits / 8; i++)
		key[i] = (uint8_t)(draw() & ((r >> 60) < 4 ? 0xff : 0x81));
	*plen = (unsigned)(draw() % (m->bits + 1));
	if ((r & 7) == 0)
		*plen = m->bits;
	clean(key, *plen);
}

static struct item *
model_exact(const struct model *m, const uint8_t *key, unsigned plen)
{
	struct item *first = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (m->item[i]->plen == plen && memcmp(m->item[i]->key, key, 16) == 0 &&
		    (first == NULL || m->item[i]->order < first->order))
			first = m->item[i];
	return first;
}

static struct item *
model_match(const struct model *m, const uint8_t *key, unsigned shorter_than)
{
	struct item *best = NULL;

	for (size_t i = 0; i < m->n; i++) {
		struct item *it = m->item[i];

		if (it->plen < shorter_than && covers(it->key, it->plen, key) &&
		    (best == NULL || it->plen > best->plen ||
			(it->plen == best->plen && it->order < best->order)))
			best = it;
	}
	return best;
}

static void
model_open(struct model *m, unsigned bits)
{
	memset(m, 0, sizeof(*m));
	m->bits = bits;
	m->tree = radix_new(bits);
	assert_non_null(m->tree);
}

static struct item *
model_add(struct model *m, const uint8_t *key, unsigned plen, bool dup)
{
	struct item *it = calloc(1, sizeof(*it));
	bool there = model_exact(m, key, plen) != NULL;
	int error = radix_insert(m->tree, &it->rn, key, plen, dup);

	if (there && !dup) {
		assert_int_equal(error, -EEXIST);
		free(it);
		return NULL;
	}
	assert_int_equal(error, 0);
	memcpy(it->key, key, 16);
	it->plen = plen;
	it->order = ++m->orders;
	m->item[m->n++] = it;
	return it;
}

static void
model_forget(struct model *m, struct item *it)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->item[i] == it)
			m->item[i] = m->item[--m->n];
	free(it);
}

static void
model_delete(struct model *m, struct item *it)
{
	radix_delete(m->tree, &it->rn);
	/* whoever still looks at it is caught */
	memset(&it->rn, 0xa5, sizeof(it->rn));
	model_forget(m, it);
}

static void
model_close(struct model *m)
{
	assert_int_equal(radix_count(m->tree), m->n);
	assert_int_equal(radix_free(m->tree), m->n);
	while (m->n > 0)
		model_forget(m, m->item[0]);
}

struct seen {
	struct model *m;
	struct item *last;
	size_t n;
	unsigned delete_percent;
	const uint8_t *below;
	unsigned below_plen;
};

/* In order of (key, length, insertion). */
static bool
in_order(const struct item *a, const struct item *b)
{
	int c = memcmp(a->key, b->key, 16);

	if (c != 0)
		return c < 0;
	return a->plen != b->plen ? a->plen < b->plen : a->order < b->order;
}

static int
see(struct radix_node *n, void *ctx)
{
	struct seen *s = ctx;
	struct item *it = item_of(n);
	static struct item last;

	assert_true(n->has_object);
	assert_int_equal(n->plen, it->plen);
	if (s->n > 0)
		assert_true(in_order(&last, it));
	if (s->below != NULL)
		assert_true(it->plen >= s->below_plen && covers(s->below, s->below_plen, it->key));
	last = *it;
	s->n++;
	if (draw() % 100 < s->delete_percent)
		model_delete(s->m, it);
	return 0;
}

static void
compare_answers(struct model *m)
{
	struct item *want;
	struct radix_node *got;
	uint8_t key[16];
	unsigned plen;

	draw_prefix(m, key, &plen);
	want = model_exact(m, key, plen);
	got = radix_exact(m->tree, key, plen);
	assert_ptr_equal(got, want == NULL ? NULL : &want->rn);
	for (unsigned i = m->bits / 8; i-- > 0 && (draw() & 3);)
		key[i] = (uint8_t)draw();
	want = model_match(m, key, 129);
	got = radix_match(m->tree, key);
	assert_ptr_equal(got, want == NULL ? NULL : &want->rn);
	if (m->n > 0) {
		struct item *it = m->item[draw() % m->n];

		want = model_match(m, it->key, it->plen);
		got = radix_covering(&it->rn);
		assert_ptr_equal(got, want == NULL ? NULL : &want->rn);
	}
}

static void
random_life(unsigned bits, bool dups, unsigned rounds)
{
	struct model m;

	model_open(&m, bits);
	for (unsigned i = 0; i < rounds; i++) {
		uint8_t key[16];
		unsigned plen;

		if (m.n < 600 && draw() % 100 < (i / 500 % 2 ? 30 : 65)) {
			draw_prefix(&m, key, &plen);
			model_add(&m, key, plen, dups && (draw() & 1));
		} else if (m.n > 0) {
			model_delete(&m, m.item[draw() % m.n]);
		}
		compare_answers(&m);
		assert_int_equal(radix_count(m.tree), m.n);
		if (i % 97 == 0) {
			struct seen s = { .m = &m };

			radix_walk(m.tree, see, &s);
			assert_int_equal(s.n, m.n);
		}
	}
	model_close(&m);
}

static void
test_ipv4_answers_equal_those_of_a_list(void **state)
{
	(void)state;
	random_life(32, false, 20000);
}

static void
test_ipv6_answers_equal_those_of_a_list(void **state)
{
	(void)state;
	random_life(128, false, 8000);
}

static void
test_duplicates_keep_their_order_of_insertion(void **state)
{
	(void)state;
	random_life(16, true, 20000);
}

static void
test_walk_goes_on_when_the_object_at_hand_is_deleted(void **state)
{
	struct model m;
	uint8_t key[16];
	unsigned plen;

	(void)state;
	for (unsigned percent = 0; percent <= 100; percent += 25) {
		struct seen s = { .m = &m, .delete_percent = percent };

		model_open(&m, 32);
		for (int i = 0; i < 800; i++) {
			draw_prefix(&m, key, &plen);
			model_add(&m, key, plen, i % 3 == 0);
		}
		size_t before = m.n;

		radix_walk(m.tree, see, &s);
		assert_int_equal(s.n, before);
		for (int i = 0; i < 200; i++)
			compare_answers(&m);
		if (percent == 100)
			assert_int_equal(m.n, 0);
		model_close(&m);
	}
}

static void
test_walk_below_a_prefix_sees_exactly_what_it_covers(void **state)
{
	struct model m;
	uint8_t key[16];
	unsigned plen;

	(void)state;
	model_open(&m, 32);
	for (int i = 0; i < 700; i++) {
		draw_prefix(&m, key, &plen);
		model_add(&m, key, plen, true);
	}
	for (int i = 0; i < 400; i++) {
		struct seen s = { .m = &m };
		size_t want = 0;

		draw_prefix(&m, key, &plen);
		s.below = key;
		s.below_plen = plen;
		for (size_t j = 0; j < m.n; j++)
			want += m.item[j]->plen >= plen && covers(key, plen, m.item[j]->key);
		radix_walk_below(m.tree, key, plen, see, &s);
		assert_int_equal(s.n, want);
	}
	model_close(&m);
}

static int
stop_at_third(struct radix_node *n, void *ctx)
{
	int *seen = ctx;

	(void)n;
	return ++*seen == 3 ? 42 : 0;
}

static void
test_walk_stops_with_the_first_result_that_is_not_zero(void **state)
{
	struct model m;
	int seen = 0;

	(void)state;
	model_open(&m, 32);
	for (uint8_t i = 0; i < 10; i++)
		model_add(&m, (uint8_t[16]){ 10, i }, 16, false);
	assert_int_equal(radix_walk(m.tree, stop_at_third, &seen), 42);
	assert_int_equal(seen, 3);
	model_close(&m);
}

static void
test_default_route_matches_everything_and_is_covered_by_nothing(void **state)
{
	struct model m;
	struct item *all, *ten;

	(void)state;
	model_open(&m, 32);
	assert_null(radix_match(m.tree, (uint8_t[16]){ 10, 1, 2, 3 }));
	all = model_add(&m, (uint8_t[16]){ 0 }, 0, false);
	ten = model_add(&m, (uint8_t[16]){ 10 }, 8, false);
	assert_ptr_equal(radix_match(m.tree, (uint8_t[16]){ 11, 1, 2, 3 }), &all->rn);
	assert_ptr_equal(radix_match(m.tree, (uint8_t[16]){ 10, 1, 2, 3 }), &ten->rn);
	assert_ptr_equal(radix_covering(&ten->rn), &all->rn);
	assert_null(radix_covering(&all->rn));
	model_close(&m);
}

static void
test_bits_behind_the_prefix_take_no_part(void **state)
{
	struct radix_tree *t = radix_new(32);
	struct radix_node a, b;

	(void)state;
	assert_int_equal(radix_insert(t, &a, (uint8_t[16]){ 10, 1, 2, 3 }, 12, false), 0);
	assert_int_equal(a.key[1], 0);
	assert_int_equal(radix_insert(t, &b, (uint8_t[16]){ 10, 2, 9, 9 }, 12, false), -EEXIST);
	assert_int_equal(radix_insert(t, &b, (uint8_t[16]){ 10 }, 33, false), -EINVAL);
	assert_ptr_equal(radix_exact(t, (uint8_t[16]){ 10, 15 }, 12), &a);
	radix_delete(t, &a);
	assert_int_equal(radix_free(t), 0);
}

/* --- masks that are no prefixes ------------------------------------------ */

enum { MASKED_MAX = 300, MASKED_BITS = 16 };

/* An object under any mask, of 16 bits that they meet. */
struct masked {
	struct radix_node rn;
	uint8_t key[16], mask[16];
	uint64_t order;
	bool in;
};

static struct masked masked[MASKED_MAX];

static unsigned
ones_in(const uint8_t *mask)
{
	return (unsigned)__builtin_popcount(mask[0]) + (unsigned)__builtin_popcount(mask[1]);
}

static unsigned
leading_ones(const uint8_t *mask)
{
	unsigned n = 0;

	while (n < MASKED_BITS && (mask[n / 8] >> (7 - n % 8) & 1))
		n++;
	return n;
}

static bool
is_under(const struct masked *m, const uint8_t *key)
{
	return ((key[0] ^ m->key[0]) & m->mask[0]) == 0 && ((key[1] ^ m->key[1]) & m->mask[1]) == 0;
}

/* Is a to be preferred: by leading ones, all ones, the mask as a number, age? */
static bool
is_better(const struct masked *a, const struct masked *b)
{
	int c = memcmp(a->mask, b->mask, 16);

	if (leading_ones(a->mask) != leading_ones(b->mask))
		return leading_ones(a->mask) > leading_ones(b->mask);
	if (ones_in(a->mask) != ones_in(b->mask))
		return ones_in(a->mask) > ones_in(b->mask);
	return c != 0 ? c > 0 : a->order < b->order;
}

static struct radix_node *
masked_match(const uint8_t *key)
{
	struct masked *best = NULL;

	for (struct masked *m = masked; m < masked + MASKED_MAX; m++)
		if (m->in && is_under(m, key) && (best == NULL || is_better(m, best)))
			best = m;
	return best == NULL ? NULL : &best->rn;
}

static struct radix_node *
masked_exact(const uint8_t *key, const uint8_t *mask)
{
	struct masked *first = NULL;

	for (struct masked *m = masked; m < masked + MASKED_MAX; m++)
		if (m->in && memcmp(m->mask, mask, 16) == 0 && is_under(m, key) &&
		    (first == NULL || m->order < first->order))
			first = m;
	return first == NULL ? NULL : &first->rn;
}

/* A few masks, every second of them with gaps. */
static void
draw_mask(uint8_t mask[16])
{
	static const uint16_t some[] = { 0x0000, 0xff00, 0xf00f, 0xffff, 0x0f0f, 0xf0ff, 0xfff0,
		0x00ff, 0xf000, 0xaaaa, 0xff0f, 0x8001 };
	uint16_t m = some[draw() % (sizeof(some) / sizeof(some[0]))];

	memset(mask, 0, 16);
	mask[0] = (uint8_t)(m >> 8);
	mask[1] = (uint8_t)m;
}

static void
draw_key(uint8_t key[16])
{
	memset(key, 0, 16);
	key[0] = (uint8_t)(draw() & 0x93);
	key[1] = (uint8_t)(draw() & 0x93);
}

static void
masked_step(struct radix_tree *t, uint64_t order)
{
	struct masked *m = &masked[draw() % MASKED_MAX];
	bool dup = draw() & 1, there;
	uint8_t key[16], mask[16];

	if (m->in) {
		radix_delete(t, &m->rn);
		memset(&m->rn, 0xa5, sizeof(m->rn));
		m->in = false;
		return;
	}
	draw_key(key);
	draw_mask(mask);
	there = masked_exact(key, mask) != NULL;
	if (radix_insert_masked(t, &m->rn, key, mask, dup) != 0) {
		assert_true(there && !dup);
		return;
	}
	assert_true(!there || dup);
	memcpy(m->mask, mask, 16);
	for (int i = 0; i < 16; i++)
		m->key[i] = key[i] & mask[i];
	m->order = order;
	m->in = true;
	assert_memory_equal(m->rn.key, m->key, 16);
}

struct masked_walk {
	struct radix_tree *tree;
	size_t seen;
	unsigned delete_percent;
};

static int
masked_see(struct radix_node *n, void *ctx)
{
	struct masked *m = (struct masked *)(void *)((uint8_t *)n - offsetof(struct masked, rn));
	struct masked_walk *w = ctx;

	assert_true(m->in);
	w->seen++;
	if (radix_mask_of(n) != NULL)
		assert_memory_equal(radix_mask_of(n), m->mask, 16);
	else
		assert_int_equal(n->plen, ones_in(m->mask));
	if (draw() % 100 < w->delete_percent) {
		radix_delete(w->tree, n);
		memset(&m->rn, 0xa5, sizeof(m->rn));
		m->in = false;
	}
	return 0;
}

/* Behaviours 47 and 48: the library against a naive model, with masks, duplicates and walks. */
static void
test_b47_b48_masks_with_gaps_answer_as_a_list_does(void **state)
{
	struct radix_tree *t = radix_new(MASKED_BITS);

	(void)state;
	memset(masked, 0, sizeof(masked));
	for (uint64_t round = 1; round <= 30000; round++) {
		uint8_t key[16], mask[16];

		masked_step(t, round);
		draw_key(key);
		draw_mask(mask);
		assert_ptr_equal(radix_match(t, key), masked_match(key));
		assert_ptr_equal(radix_exact_masked(t, key, mask), masked_exact(key, mask));
		if (round % 500 == 0) {
			struct masked_walk w = { .tree = t,
				.delete_percent = round % 2000 == 0 ? 60 : 0 };
			size_t count = radix_count(t);

			radix_walk(t, masked_see, &w);
			assert_int_equal(w.seen, count);
		}
	}
	struct masked_walk all = { .tree = t, .delete_percent = 100 };

	radix_walk(t, masked_see, &all);
	assert_int_equal(radix_free(t), 0);
}

static void
test_a_mask_that_refines_another_one_wins(void **state)
{
	struct radix_tree *t = radix_new(32);
	struct radix_node wide, gap, narrow;
	const uint8_t key[16] = { 10, 1, 7, 9 };

	(void)state;
	assert_int_equal(radix_insert(t, &wide, key, 8, false), 0);
	assert_int_equal(
	    radix_insert_masked(t, &gap, key, (const uint8_t[4]){ 255, 0, 255, 0 }, false), 0);
	assert_ptr_equal(radix_match(t, key), &gap);
	assert_ptr_equal(radix_match(t, (const uint8_t[4]){ 10, 200, 7, 1 }), &gap);
	assert_ptr_equal(radix_match(t, (const uint8_t[4]){ 10, 200, 8, 1 }), &wide);
	/* more leading ones come first, whatever stands behind them */
	assert_int_equal(radix_insert(t, &narrow, key, 9, false), 0);
	assert_ptr_equal(radix_match(t, key), &narrow);
	assert_ptr_equal(radix_match(t, (const uint8_t[4]){ 10, 200, 7, 1 }), &gap);
	/* the mask of a prefix is that prefix */
	assert_ptr_equal(
	    radix_exact_masked(t, key, (const uint8_t[4]){ 255, 0x80, 0, 0 }), &narrow);
	assert_null(radix_mask_of(&narrow));
	assert_int_equal(radix_free(t), 3);
}

static unsigned allocations, fail_at;

static void *
failing_alloc(size_t bytes)
{
	return ++allocations == fail_at ? NULL : calloc(1, bytes);
}

static void
test_no_memory_leaves_the_tree_as_it_was(void **state)
{
	(void)state;
	for (fail_at = 2; fail_at < 7; fail_at++) {
		struct radix_node n[64];
		struct radix_tree *t;
		size_t in = 0;
		bool failed = false;

		allocations = 0;
		t = radix_new_in(32, failing_alloc, free);
		for (uint8_t i = 0; i < 64; i++) {
			int error = radix_insert(t, &n[in], (uint8_t[16]){ 10, i }, 16, false);

			if (error == 0)
				in++;
			else
				assert_int_equal(error, -ENOMEM);
			failed |= error != 0;
		}
		assert_true(failed);
		assert_int_equal(radix_count(t), in);
		/* every deletion may need a branching node: none of them fails */
		while (in > 0)
			radix_delete(t, &n[--in]);
		assert_int_equal(radix_free(t), 0);
	}
}

/* Behaviours 22: the roots of all masks go with the tree, whatever is still in it. */
static void
test_b22_the_end_of_a_tree_frees_its_masks(void **state)
{
	struct radix_node n[3];
	struct radix_tree *t = radix_new(32);

	(void)state;
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(radix_insert_masked(t, &n[i], (const uint8_t[4]){ 10, i, 1, 1 },
				     (const uint8_t[4]){ 255, 0, 255, i }, false),
		    0);
	/* the sanitizer's leak check is the test */
	assert_int_equal(radix_free(t), 3);
}

static void
test_no_memory_for_a_mask_leaves_the_tree_as_it_was(void **state)
{
	const uint8_t key[4] = { 10, 1, 7, 9 }, mask[4] = { 255, 0, 255, 0 };

	(void)state;
	for (fail_at = 2; fail_at < 4; fail_at++) {
		struct radix_node n;
		struct radix_tree *t;

		allocations = 0;
		t = radix_new_in(32, failing_alloc, free);
		assert_int_equal(radix_insert_masked(t, &n, key, mask, false), -ENOMEM);
		assert_int_equal(radix_count(t), 0);
		assert_null(radix_exact_masked(t, key, mask));
		assert_int_equal(radix_insert_masked(t, &n, key, mask, false), 0);
		assert_ptr_equal(radix_match(t, key), &n);
		assert_int_equal(radix_free(t), 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_answers_equal_those_of_a_list),
		cmocka_unit_test(test_ipv6_answers_equal_those_of_a_list),
		cmocka_unit_test(test_duplicates_keep_their_order_of_insertion),
		cmocka_unit_test(test_walk_goes_on_when_the_object_at_hand_is_deleted),
		cmocka_unit_test(test_walk_below_a_prefix_sees_exactly_what_it_covers),
		cmocka_unit_test(test_walk_stops_with_the_first_result_that_is_not_zero),
		cmocka_unit_test(test_default_route_matches_everything_and_is_covered_by_nothing),
		cmocka_unit_test(test_bits_behind_the_prefix_take_no_part),
		cmocka_unit_test(test_no_memory_leaves_the_tree_as_it_was),
		cmocka_unit_test(test_b47_b48_masks_with_gaps_answer_as_a_list_does),
		cmocka_unit_test(test_a_mask_that_refines_another_one_wins),
		cmocka_unit_test(test_b22_the_end_of_a_tree_frees_its_masks),
		cmocka_unit_test(test_no_memory_for_a_mask_leaves_the_tree_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
