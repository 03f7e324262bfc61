/*
 * Unit tests of fragmentation (inet/ip_frag.c).
 */
#include "inet_fixture.h"

/* Put fragments together by their offsets, trusting nothing else. Returns the payload's length. */
static uint32_t
join(const struct mbufq *q, uint8_t *payload)
{
	uint32_t end = 0, sum = 0;

	for (const struct mbuf *m = q->head; m != NULL; m = m->next) {
		const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
		uint32_t off = (from_be16(ip->off) & IP_OFFMASK_) * 8u, len = m->len - ip_hlen(ip);

		assert_int_equal(ip_cksum(ip), 0);
		assert_int_equal(from_be16(ip->len), m->len);
		assert_int_equal((from_be16(ip->off) & IP_MF_) != 0, m->next != NULL);
		if (m->next != NULL)
			assert_int_equal(len % 8, 0);
		memcpy(payload + off, m->data + ip_hlen(ip), len);
		sum += len;
		if (off + len > end)
			end = off + len;
	}
	assert_int_equal(sum, end);
	return end;
}

static void
test_fragments_of_any_mtu_hold_the_datagram(void **state)
{
	static uint8_t payload[65536];

	(void)state;
	for (uint32_t mtu = 28; mtu < 3000; mtu += 61)
		for (uint32_t len = 1; len < 6000; len += 977) {
			struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, len),
				    *copy = m_dup(m);
			struct mbufq q;

			mbufq_init(&q);
			m->when_ns = 1234;
			m->fib = 1;
			assert_int_equal(ip_fragment(m, mtu, &q), 0);
			assert_int_equal(join(&q, payload), len);
			assert_memory_equal(payload, copy->data + 20, len);
			for (m = q.head; m != NULL; m = m->next) {
				assert_true(m->len <= mtu);
				assert_int_equal(m->when_ns, 1234);
				assert_int_equal(m->fib, 1);
				assert_ptr_equal(m->rcvif, lan.ifp);
				assert_int_equal(load16(&mtod(m, struct ip_hdr *)->id),
				    load16(&mtod(copy, struct ip_hdr *)->id));
			}
			m_free(copy);
			mbufq_drain(&q);
		}
}

static void
test_only_options_with_the_copy_flag_go_into_later_fragments(void **state)
{
	/* record route (not copied), no-op, router alert (copied), end */
	const uint8_t options[12] = { 7, 3, 4, 1, 148, 4, 0, 0, 7, 3, 4, 0 };
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 512), *f;
	static uint8_t payload[65536];
	struct mbufq q;

	(void)state;
	memcpy(m->data + 20, options, sizeof(options));
	m->data[0] = 0x48;
	resum(m);
	mbufq_init(&q);
	assert_int_equal(ip_fragment(m, 200, &q), 0);
	assert_int_equal(join(&q, payload), 500);
	assert_int_equal(ip_hlen(mtod(q.head, struct ip_hdr *)), 32);
	f = q.head->next;
	assert_true(ip_hlen(mtod(f, struct ip_hdr *)) < 32);
	assert_true(memmem(f->data + 20, ip_hlen(mtod(f, struct ip_hdr *)) - 20, "\x94\x04\0\0",
			4) != NULL);
	assert_true(memchr(f->data + 20, 7, ip_hlen(mtod(f, struct ip_hdr *)) - 20) == NULL);
	mbufq_drain(&q);
}

static void
test_later_fragments_have_plain_headers_when_no_option_is_copied(void **state)
{
	const uint8_t options[8] = { 1, 7, 7, 4, 0, 0, 0, 0 };
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 512);
	struct mbufq q;

	(void)state;
	memcpy(m->data + 20, options, sizeof(options));
	m->data[0] = 0x47;
	resum(m);
	mbufq_init(&q);
	assert_int_equal(ip_fragment(m, 200, &q), 0);
	assert_int_equal(mtod(q.head->next, struct ip_hdr *)->vhl, 0x45);
	mbufq_drain(&q);
}

static void
test_a_fragment_can_be_fragmented_again(void **state)
{
	static uint8_t payload[65536];
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 4000), *copy = m_dup(m), *f;
	struct mbufq q, q2;

	(void)state;
	mbufq_init(&q);
	mbufq_init(&q2);
	assert_int_equal(ip_fragment(m, 1500, &q), 0);
	while ((f = mbufq_pop(&q)) != NULL)
		assert_int_equal(ip_fragment(f, 576, &q2), 0);
	assert_int_equal(join(&q2, payload), 4000);
	assert_memory_equal(payload, copy->data + 20, 4000);
	m_free(copy);
	mbufq_drain(&q2);
}

static void
test_a_link_too_small_for_eight_bytes_is_refused(void **state)
{
	struct mbufq q;

	(void)state;
	mbufq_init(&q);
	assert_int_equal(
	    ip_fragment(packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 100), 27, &q), -EMSGSIZE);
	assert_int_equal(q.len, 0);
}

static void
test_without_memory_everything_is_freed(void **state)
{
	struct m_stats st;
	struct mbuf *m = packet(a4("10.0.0.2"), a4("10.9.0.1"), 200, 60000), *hold[64];
	struct mbufq q;
	uint64_t old, live = m_live();
	int n = 0;

	(void)state;
	m_stats(&st);
	old = m_set_limit(st.bytes > 0 ? 1 : 1);
	while (n < 64 && (hold[n] = m_get(100)) != NULL)
		n++;
	mbufq_init(&q);
	assert_int_equal(ip_fragment(m, 1500, &q), -ENOBUFS);
	assert_int_equal(q.len, 0);
	m_set_limit(old);
	assert_int_equal(m_live(), live - 1 + (uint64_t)n);
	while (n > 0)
		m_free(hold[--n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_fragments_of_any_mtu_hold_the_datagram),
		INET_TEST(test_only_options_with_the_copy_flag_go_into_later_fragments),
		INET_TEST(test_later_fragments_have_plain_headers_when_no_option_is_copied),
		INET_TEST(test_a_fragment_can_be_fragmented_again),
		INET_TEST(test_a_link_too_small_for_eight_bytes_is_refused),
		INET_TEST(test_without_memory_everything_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
