/*
 * Unit tests of the Internet checksum (inet/cksum.c) against the obvious way of RFC 1071.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "inet/ip.h"

/* Sixteen bits at a time in network order; the result as it stands in the packet. */
static uint16_t
reference(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		sum += (uint32_t)p[i] << 8 | p[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len % 2 != 0)
		sum += (uint32_t)p[len - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return __builtin_bswap16((uint16_t)~sum);
}

static void
test_every_length_and_alignment_agrees_with_the_reference(void **state)
{
	uint8_t bytes[400];
	struct rng r;

	(void)state;
	rng_seed(&r, 1, "cksum");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rng_u64(&r);
	for (size_t at = 0; at < 16; at++)
		for (size_t len = 0; len + at <= sizeof(bytes); len++)
			assert_int_equal(
			    cksum_fold(cksum_add(0, bytes + at, len)), reference(bytes + at, len));
}

static void
test_carries_are_kept_in_64_kilobytes_of_ones(void **state)
{
	static uint8_t ones[65535];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (size_t len = sizeof(ones) - 40; len <= sizeof(ones); len++)
		assert_int_equal(cksum_fold(cksum_add(0, ones, len)), reference(ones, len));
}

static void
test_a_sum_may_be_made_of_even_pieces(void **state)
{
	uint8_t bytes[101];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 2)
		assert_int_equal(cksum_fold(cksum_add(
				     cksum_add(0, bytes, cut), bytes + cut, sizeof(bytes) - cut)),
		    reference(bytes, sizeof(bytes)));
}

static void
test_a_running_sum_near_the_top_does_not_lose_its_carry(void **state)
{
	const uint8_t bytes[4] = { 0x12, 0x34, 0x56, 0x78 };

	(void)state;
	/* 2^64 - 1 is zero in one's complement. */
	assert_int_equal(cksum_fold(cksum_add(UINT64_MAX, bytes, 4)), reference(bytes, 4));
}

static void
test_known_header_has_the_right_sum(void **state)
{
	/* the header that textbooks use: 0xb861 */
	uint8_t header[20] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1,
		0xc0, 0xa8, 0, 0xc7 };
	struct ip_hdr *ip = (void *)header;

	(void)state;
	ip->sum = ip_cksum(ip);
	assert_int_equal(header[10], 0xb8);
	assert_int_equal(header[11], 0x61);
	assert_int_equal(ip_cksum(ip), 0);
}

static void
test_pseudo_header_is_summed_as_it_would_lie_in_memory(void **state)
{
	const uint8_t pseudo[12] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0x12, 0x34 };
	uint32_t src, dst;

	(void)state;
	memcpy(&src, pseudo, 4);
	memcpy(&dst, pseudo + 4, 4);
	assert_int_equal(cksum_fold(ip_pseudo_sum(src, dst, 17, 0x1234)), reference(pseudo, 12));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_and_alignment_agrees_with_the_reference),
		cmocka_unit_test(test_carries_are_kept_in_64_kilobytes_of_ones),
		cmocka_unit_test(test_a_sum_may_be_made_of_even_pieces),
		cmocka_unit_test(test_a_running_sum_near_the_top_does_not_lose_its_carry),
		cmocka_unit_test(test_known_header_has_the_right_sum),
		cmocka_unit_test(test_pseudo_header_is_summed_as_it_would_lie_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
