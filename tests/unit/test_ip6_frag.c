/*
 * Unit tests of cutting packets (inet6/ip6_frag.c); what is cut is put together again by
 * inet6/ip6_reass.c.
 */
#include "inet6_fixture.h"

#include "inet6/ip6_ext.h"

#include <errno.h>

enum { PROTO = 253 };

static const struct ip6_frag_hdr *
frag_hdr(const struct mbuf *m, unsigned off)
{
	return (const void *)(m->data + off);
}

static void
test_all_but_the_last_fill_the_mtu_in_eights(void **state)
{
	struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", PROTO, 3000), *f;
	const struct ip6_frag_hdr *fh;
	struct mbufq q;
	unsigned at = 0, n = 0;
	be32 id;

	(void)state;
	mbufq_init(&q);
	assert_int_equal(ip6_fragment(m, 1285, &q), 0);
	assert_int_equal(q.len, 3);
	id = frag_hdr(q.head, IP6_HDRLEN)->id;
	while ((f = mbufq_pop(&q)) != NULL) {
		fh = frag_hdr(f, IP6_HDRLEN);
		assert_int_equal(mtod(f, struct ip6_hdr *)->nxt, IPPROTO_FRAGMENT_);
		assert_int_equal(from_be16(mtod(f, struct ip6_hdr *)->plen), f->len - IP6_HDRLEN);
		assert_int_equal(fh->nxt, PROTO);
		assert_int_equal(from_be16(fh->offlg) & IP6F_OFFMASK, at);
		assert_int_equal(from_be16(fh->offlg) & IP6F_MORE, n < 2);
		assert_memory_equal(&fh->id, &id, sizeof(id));
		assert_int_equal(f->len, n < 2 ? 1280 : IP6_HDRLEN + 8 + 3000 - 2 * 1232);
		for (unsigned i = 0; i < f->len - IP6_HDRLEN - 8; i++)
			assert_int_equal(
			    f->data[IP6_HDRLEN + 8 + i], (uint8_t)((at + i) * 7 + ((at + i) >> 8)));
		at += f->len - IP6_HDRLEN - 8;
		n++;
		m_free(f);
	}
	assert_int_equal(at, 3000);
}

static void
test_what_fits_is_not_made_a_fragment(void **state)
{
	struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", PROTO, 1240);
	struct mbufq q;

	(void)state;
	mbufq_init(&q);
	assert_int_equal(ip6_fragment(m, 1280, &q), 0);
	assert_int_equal(q.len, 1);
	assert_int_equal(mtod(q.head, struct ip6_hdr *)->nxt, PROTO);
	mbufq_drain(&q);
}

static void
test_headers_for_those_on_the_way_are_in_every_fragment(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 }, routing[8] = { 0, 0, 4, 0 };
	struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", PROTO, 3000);
	struct mbufq q;

	(void)state;
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8); /* for the destination: cut */
	m = with_headers6(m, IPPROTO_ROUTING_, routing, 8);
	m = with_headers6(m, IPPROTO_DSTOPTS_, pad, 8); /* for the routing header's nodes */
	m = with_headers6(m, IPPROTO_HOPOPTS_, pad, 8);
	mbufq_init(&q);
	assert_int_equal(ip6_fragment(m, 1280, &q), 0);
	assert_int_equal(q.len, 3);
	for (m = q.head; m != NULL; m = m->next) {
		assert_int_equal(m->data[6], IPPROTO_HOPOPTS_);
		assert_int_equal(m->data[IP6_HDRLEN], IPPROTO_DSTOPTS_);
		assert_int_equal(m->data[IP6_HDRLEN + 8], IPPROTO_ROUTING_);
		assert_int_equal(m->data[IP6_HDRLEN + 16], IPPROTO_FRAGMENT_);
		assert_int_equal(frag_hdr(m, IP6_HDRLEN + 24)->nxt, IPPROTO_DSTOPTS_);
		assert_true(m->len <= 1280);
	}
	mbufq_drain(&q);
}

static void
test_headers_that_do_not_fit_into_the_first_fragment_are_refused(void **state)
{
	uint8_t options[1240] = { 0, 1240 / 8 - 1 };
	struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", IPPROTO_UDP_, 100);
	struct mbufq q;

	(void)state;
	mbufq_init(&q);
	m = with_headers6(m, IPPROTO_DSTOPTS_, options, sizeof(options));
	assert_int_equal(ip6_fragment(m, 1280, &q), -EMSGSIZE);
	assert_int_equal(q.len, 0);
}

static void
test_a_packet_that_is_shared_is_not_written_to(void **state)
{
	struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", PROTO, 3000);
	struct mbuf *clone = m_clone(m), *copy = m_dup(m);
	struct mbufq q;

	(void)state;
	mbufq_init(&q);
	assert_int_equal(ip6_fragment(m, 1280, &q), 0);
	assert_int_equal(q.len, 3);
	assert_int_equal(clone->len, copy->len);
	assert_memory_equal(clone->data, copy->data, copy->len);
	mbufq_drain(&q);
	m_free(clone);
	m_free(copy);
}

static void
test_identifications_do_not_follow_each_other(void **state)
{
	uint32_t last = 0, steps = 0;
	struct mbufq q;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		uint32_t id;

		mbufq_init(&q);
		assert_int_equal(
		    ip6_fragment(packet6("2001:db8::1", "2001:db8::2", PROTO, 1300), 1280, &q), 0);
		id = from_be32(frag_hdr(q.head, IP6_HDRLEN)->id);
		steps += id - last < 0x1000000;
		last = id;
		mbufq_drain(&q);
	}
	assert_in_range(steps, 0, 5);
}

static void
test_what_was_cut_is_put_together_again(void **state)
{
	const uint8_t pad[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };

	(void)state;
	for (uint32_t payload = 1200; payload < 65000; payload = payload * 3 + 1) {
		struct mbuf *m = packet6("2001:db8::1", "2001:db8::2", PROTO, payload), *copy, *f;
		struct mbuf *whole = NULL;
		struct ip6_chain c;
		struct mbufq q;

		m = with_headers6(m, IPPROTO_HOPOPTS_, pad, 8);
		copy = m_dup(m);
		mbufq_init(&q);
		assert_int_equal(ip6_fragment(m, 1280, &q), 0);
		while ((f = mbufq_pop(&q)) != NULL) {
			assert_null(whole);
			if (f->data[IP6_HDRLEN] != IPPROTO_FRAGMENT_) {
				whole = f; /* it fitted */
				break;
			}
			f->rcvif = lan.ifp;
			c = (struct ip6_chain){ .off = IP6_HDRLEN + 8, .named = IP6_HDRLEN };
			whole = ip6_reass(f, &c);
		}
		assert_non_null(whole);
		assert_int_equal(whole->len, copy->len);
		assert_memory_equal(whole->data, copy->data, copy->len);
		m_free(whole);
		m_free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_all_but_the_last_fill_the_mtu_in_eights),
		INET6_TEST(test_what_fits_is_not_made_a_fragment),
		INET6_TEST(test_headers_for_those_on_the_way_are_in_every_fragment),
		INET6_TEST(test_headers_that_do_not_fit_into_the_first_fragment_are_refused),
		INET6_TEST(test_a_packet_that_is_shared_is_not_written_to),
		INET6_TEST(test_identifications_do_not_follow_each_other),
		INET6_TEST(test_what_was_cut_is_put_together_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
