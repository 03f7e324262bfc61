/* Packets: classes, clones, tags, the limit, and what comes back from other workers. */
#include "base/mbuf.h"
#include "base/clock.h"
#include "base/ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int
setup(void **state)
{
	(void)state;
	return worker_attach(0, CLOCK_VIRTUAL) != NULL ? 0 : -1;
}

/* Every test leaves nothing behind. */
static int
teardown(void **state)
{
	uint64_t live = m_live();

	(void)state;
	worker_detach();
	return live == 0 ? 0 : -1;
}

static void
test_a_fresh_packet_is_blank_and_has_headroom(void **state)
{
	struct mbuf *m;

	(void)state;
	clock_at(77);
	m = m_get(100);
	memset(m, 0xff, sizeof(m->data)); /* nothing that a second use could inherit by luck */
	m->data = (uint8_t *)(m + 1) + M_HEADROOM;
	m->flags = 0xffff;
	m->fib = 9;
	m->nh = m;
	m_free(m);
	m = m_get(60);
	assert_int_equal(m->len, 60);
	assert_int_equal(m->flags, 0);
	assert_int_equal(m->fib, 0);
	assert_int_equal(m->when_ns, 77);
	assert_null(m->rcvif);
	assert_null(m->next);
	assert_null(m->nh);
	assert_int_equal(m->flowid, 0);
	assert_true(m_writable(m));
	assert_int_equal(m_headroom(m), M_HEADROOM);
	assert_int_equal(m_tailroom(m), 2048 - 60);
	m_free(m);
	m_free(NULL);
}

static void
test_each_length_comes_from_the_smallest_class_that_holds_it(void **state)
{
	static const struct {
		uint32_t len;
		uint8_t class;
	} cases[] = {
		{ 0, M_CLASS_2K },
		{ 2048, M_CLASS_2K },
		{ 2049, M_CLASS_10K },
		{ 10240, M_CLASS_10K },
		{ 10241, M_CLASS_64K },
		{ M_MAXLEN, M_CLASS_64K },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mbuf *m = m_get(cases[i].len);

		assert_non_null(m);
		assert_int_equal(m->class, cases[i].class);
		assert_int_equal(m_headroom(m), M_HEADROOM);
		memset(m->data - M_HEADROOM, 0xa5, M_HEADROOM + m->len + m_tailroom(m));
		m_free(m);
	}
}

static void
test_a_packet_that_is_too_long_is_refused_and_counted(void **state)
{
	struct m_stats before, after;

	(void)state;
	m_stats(&before);
	assert_null(m_get(M_MAXLEN + 1));
	assert_null(m_get(UINT32_MAX));
	m_stats(&after);
	assert_int_equal(after.too_long, before.too_long + 2);
}

static void
test_buffers_never_lie_a_multiple_of_2048_bytes_apart(void **state)
{
	struct mbuf *m[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		m[i] = m_get(60);
	for (int i = 1; i < 20 && m[1] > m[0]; i++)
		assert_true((uintptr_t)(m[i]->data - m[i - 1]->data) % 2048 != 0);
	for (int i = 0; i < 20; i++)
		m_free(m[i]);
}

static void
test_prepend_takes_the_headroom_and_then_a_bigger_copy(void **state)
{
	struct mbuf *m = m_from("payload", 7), *same;

	(void)state;
	m->fib = 3;
	m->flags = M_FORWARDED;
	same = m;
	m = m_prepend(m, 14);
	assert_ptr_equal(m, same);
	assert_int_equal(m->len, 21);
	assert_int_equal(m_headroom(m), M_HEADROOM - 14);
	m = m_prepend(m, 2100);
	assert_int_equal(m->class, M_CLASS_10K);
	assert_int_equal(m->len, 2121);
	assert_int_equal(m->fib, 3);
	assert_int_equal(m->flags, M_FORWARDED);
	assert_memory_equal(m->data + 2114, "payload", 7);
	assert_int_equal(m_live(), 1);
	assert_null(m_prepend(m, M_MAXLEN));
	assert_int_equal(m_live(), 0);
	assert_null(m_prepend(m_get(1), UINT32_MAX));
}

static void
test_a_clone_shares_bytes_and_outlives_its_owner(void **state)
{
	struct mbuf *m = m_from("abcdef", 6), *c;

	(void)state;
	m->flags = M_MCAST;
	m->flowid = 42;
	c = m_clone(m);
	assert_ptr_equal(c->data, m->data);
	assert_int_equal(c->flags, M_MCAST);
	assert_int_equal(c->flowid, 42);
	assert_false(m_writable(m));
	assert_false(m_writable(c));
	assert_int_equal(m_headroom(c), M_HEADROOM);
	assert_int_equal(m_tailroom(c), 2048 - 6);
	m_free(m);
	assert_memory_equal(c->data, "abcdef", 6);
	m_adj(c, 2);
	assert_int_equal(m_live(), 2);
	m_free(c);
	assert_int_equal(m_live(), 0);
}

static void
test_an_owner_is_writable_again_when_its_clones_are_gone(void **state)
{
	struct mbuf *m = m_from("abc", 3), *c = m_clone(m), *cc = m_clone(c);

	(void)state;
	m_free(c);
	assert_false(m_writable(m));
	m_free(cc);
	assert_true(m_writable(m));
	assert_ptr_equal(m_unshare(m), m);
	m_free(m);
}

static void
test_unshare_copies_what_is_shared_and_keeps_the_tags(void **state)
{
	struct mbuf *m = m_from("abc", 3), *c = m_clone(m), *own;

	(void)state;
	c->when_ns = 5;
	strcpy(m_tag_add(c, 7, 4), "tag");
	own = m_unshare(c);
	assert_true(m_writable(own));
	assert_ptr_not_equal(own->data, m->data);
	assert_memory_equal(own->data, "abc", 3);
	assert_int_equal(own->when_ns, 5);
	assert_string_equal(m_tag_find(own, 7), "tag");
	assert_true(m_writable(m));
	m_free(own);
	m_free(m);
}

static void
test_tags_are_found_by_type_and_go_with_the_packet(void **state)
{
	struct mbuf *m = m_get(10), *d, *c;
	uint64_t *first = m_tag_add(m, 1, 8), *second = m_tag_add(m, 2, 8);

	(void)state;
	assert_int_equal(*first, 0);
	*first = 11;
	*second = 22;
	assert_ptr_equal(m_tag_find(m, 1), first);
	assert_ptr_equal(m_tag_find(m, 2), second);
	assert_null(m_tag_find(m, 3));
	c = m_clone(m);
	assert_null(m_tag_find(c, 1));
	d = m_dup(m);
	assert_int_equal(*(uint64_t *)m_tag_find(d, 1), 11);
	assert_int_equal(*(uint64_t *)m_tag_find(d, 2), 22);
	m_tag_delete(m, 2);
	m_tag_delete(m, 2);
	assert_null(m_tag_find(m, 2));
	m->flags = 0; /* whoever sets all flags doesn't lose the tags */
	assert_ptr_equal(m_tag_find(m, 1), first);
	m_tag_delete(m, 1);
	assert_null(m_tag_find(m, 1));
	m_tag_add(m, 4, 0);
	m_free(d);
	m_free(m);
	m_free(c);
	m = m_get(10);
	assert_null(m_tag_find(m, 4));
	m_free(m);
}

static void
test_the_limit_is_never_passed_and_the_denied_are_counted(void **state)
{
	struct m_stats st;
	struct mbufq q;
	struct mbuf *m;
	uint64_t old, denied;
	uint32_t n = 0;

	(void)state;
	mbufq_init(&q);
	m_stats(&st);
	denied = st.class[M_CLASS_2K].denied;
	old = m_set_limit(1000000);
	assert_int_equal(m_set_limit(0), 1000000);
	while ((m = m_get(60)) != NULL) {
		mbufq_push(&q, m);
		n++;
	}
	m_stats(&st);
	assert_true(st.bytes <= 1000000);
	assert_true(n > 1000000 / 2500 && n <= 1000000 / 2048);
	assert_int_equal(st.class[M_CLASS_2K].in_use, n);
	assert_int_equal(st.class[M_CLASS_2K].denied, denied + 1);
	/* One goes, one may come. */
	m_free(mbufq_pop(&q));
	assert_non_null(m = m_get(60));
	assert_null(m_get(60));
	assert_null(m_dup(m));
	/* A clone is small: a few may fit where a packet doesn't. */
	mbufq_push(&q, m);
	while ((m = m_clone(q.head)) != NULL)
		mbufq_push(&q, m);
	assert_true(q.len < n + 20);
	mbufq_drain(&q);
	m_set_limit(old);
}

static void
test_a_limit_set_below_what_is_in_use_holds_at_once(void **state)
{
	struct mbuf *m = m_get(60);
	uint64_t old = m_set_limit(1);

	(void)state;
	assert_null(m_get(60));
	m_free(m);
	assert_null(m_get(60));
	m_set_limit(old);
	m_free(m_get(60));
}

static void
test_free_packets_of_one_class_do_not_starve_another(void **state)
{
	uint64_t old = m_set_limit(400000);
	struct mbuf *m[64];

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_non_null(m[i] = m_get(60));
	for (int i = 0; i < 64; i++)
		m_free(m[i]);
	/* The shelf of the small class holds what the big one needs. */
	assert_non_null(m[0] = m_get(20000));
	m_free(m[0]);
	m_set_limit(old);
}

static void
test_queues_keep_order_and_count_bytes(void **state)
{
	struct mbufq q;
	struct mbuf *m;

	(void)state;
	mbufq_init(&q);
	for (uint32_t i = 1; i <= 3; i++)
		mbufq_push(&q, m_get(i * 10));
	assert_int_equal(q.len, 3);
	assert_int_equal(q.bytes, 60);
	m = mbufq_pop(&q);
	assert_int_equal(m->len, 10);
	m_free(m);
	assert_int_equal(q.bytes, 50);
	mbufq_drain(&q);
	assert_null(mbufq_pop(&q));
	mbufq_push(&q, m_get(1));
	assert_int_equal(q.len, 1);
	mbufq_drain(&q);
}

static void
test_random_traffic_leaves_no_packet_and_no_byte_changed(void **state)
{
	enum { N = 300 };
	struct mbuf *m[N] = {};
	uint32_t x = 1;

	(void)state;
	for (int step = 0; step < 30000; step++) {
		int i, j;

		x = x * 1664525u + 1013904223u;
		i = (int)((x >> 8) % N);
		j = (int)((x >> 18) % N);
		if (m[i] == NULL && m[j] != NULL && (x & 0x40)) {
			m[i] = m_clone(m[j]);
		} else if (m[i] == NULL) {
			m[i] = m_get(1 + (x >> 16) % 3000);
			memset(m[i]->data, (int)m[i]->len & 0xff, m[i]->len);
			m[i]->flowid = m[i]->len;
			if (x & 0x80)
				m_tag_add(m[i], 1, 24);
		} else {
			assert_int_equal(m[i]->data[0], m[i]->flowid & 0xff);
			assert_int_equal(m[i]->data[m[i]->len - 1], m[i]->flowid & 0xff);
			m_free(m[i]);
			m[i] = NULL;
		}
	}
	for (int i = 0; i < N; i++)
		m_free(m[i]);
	assert_int_equal(m_live(), 0);
}

struct hand_over {
	struct ring *there, *back;
	uint32_t n;
};

/* The other worker: frees half of what comes, sends clones of the rest back. */
static void *
other_worker(void *arg)
{
	struct hand_over *h = arg;
	struct mbuf *m;

	if (worker_attach(1, CLOCK_VIRTUAL) == NULL)
		abort();
	for (uint32_t i = 0; i < h->n;) {
		if ((m = ring_get(h->there)) == NULL)
			continue;
		i++;
		if (i % 2 == 0) {
			struct mbuf *c = m_clone(m);

			while (!ring_put(h->back, c))
				;
		}
		m_free(m);
	}
	worker_detach();
	return NULL;
}

static void
test_packets_freed_by_another_worker_are_accounted_for(void **state)
{
	struct hand_over h = { ring_new(RING_SP, 100), ring_new(RING_SP, 100), 20000 };
	uint32_t sent = 0, back = 0;
	pthread_t thread;
	struct mbuf *m;

	(void)state;
	pthread_create(&thread, NULL, other_worker, &h);
	while (back < h.n / 2) {
		if (sent < h.n && ring_len(h.there) < 100) {
			m = m_get(64);
			memset(m->data, 0x5a, m->len);
			assert_true(ring_put(h.there, m));
			sent++;
		}
		if ((m = ring_get(h.back)) != NULL) {
			assert_int_equal(m->data[63], 0x5a);
			m_free(m);
			back++;
		}
	}
	pthread_join(thread, NULL);
	ring_free(h.there);
	ring_free(h.back);
	assert_int_equal(m_live(), 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_fresh_packet_is_blank_and_has_headroom),
		TEST(test_each_length_comes_from_the_smallest_class_that_holds_it),
		TEST(test_a_packet_that_is_too_long_is_refused_and_counted),
		TEST(test_buffers_never_lie_a_multiple_of_2048_bytes_apart),
		TEST(test_prepend_takes_the_headroom_and_then_a_bigger_copy),
		TEST(test_a_clone_shares_bytes_and_outlives_its_owner),
		TEST(test_an_owner_is_writable_again_when_its_clones_are_gone),
		TEST(test_unshare_copies_what_is_shared_and_keeps_the_tags),
		TEST(test_tags_are_found_by_type_and_go_with_the_packet),
		TEST(test_the_limit_is_never_passed_and_the_denied_are_counted),
		TEST(test_a_limit_set_below_what_is_in_use_holds_at_once),
		TEST(test_free_packets_of_one_class_do_not_starve_another),
		TEST(test_queues_keep_order_and_count_bytes),
		TEST(test_random_traffic_leaves_no_packet_and_no_byte_changed),
		TEST(test_packets_freed_by_another_worker_are_accounted_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
