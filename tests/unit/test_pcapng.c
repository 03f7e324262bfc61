/*
 * Blocks of a pcapng file: walked by their lengths here, and read back by libpcap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "port/pcapng.h"

#include <pcap/pcap.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6 };

static struct pcapng_buf buf;

static int
setup(void **state)
{
	(void)state;
	buf = (struct pcapng_buf){ 0 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pcapng_buf_free(&buf);
	assert_null(buf.bytes);
	return 0;
}

/* Where block `which` begins; checks all lengths up to it. */
static const uint8_t *
block(unsigned which, uint32_t type)
{
	size_t at = 0;

	for (;; which--) {
		uint32_t len;

		assert_true(at + 12 <= buf.len);
		len = load32(buf.bytes + at + 4);
		assert_int_equal(len % 4, 0);
		assert_true(at + len <= buf.len);
		assert_int_equal(load32(buf.bytes + at + len - 4), len);
		if (which == 0)
			break;
		at += len;
	}
	assert_int_equal(load32(buf.bytes + at), type);
	return buf.bytes + at;
}

/* Value of an option of a block whose fixed part is `fixed` bytes long; NULL if it is not there. */
static const uint8_t *
option(const uint8_t *b, uint32_t fixed, uint16_t code, uint16_t *len)
{
	const uint8_t *p = b + 8 + fixed, *end = b + load32(b + 4) - 4;

	while (p + 4 <= end && load16(p) != 0) {
		*len = load16(p + 2);
		if (load16(p) == code)
			return p + 4;
		p += 4 + ((*len + 3u) & ~3u);
	}
	return NULL;
}

static void
put_head(const char *filter)
{
	pcapng_put_section(&buf);
	pcapng_put_interface(&buf, "gw:wan", DLT_EN10MB, 65535, filter);
}

static pcap_t *
read_back(void)
{
	char err[PCAP_ERRBUF_SIZE];
	FILE *file = fmemopen(buf.bytes, buf.len, "rb");
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, err);

	if (p == NULL)
		fail_msg("%s", err);
	return p;
}

static void
test_an_interface_has_its_name_link_type_snaplen_and_ns_times(void **state)
{
	const uint8_t *b, *o;
	uint16_t len;

	(void)state;
	put_head(NULL);
	assert_int_equal(load32(block(0, SECTION) + 8), 0x1a2b3c4d);
	b = block(1, INTERFACE);
	assert_int_equal(load16(b + 8), DLT_EN10MB);
	assert_int_equal(load32(b + 12), 65535);
	o = option(b, 8, 2, &len);
	assert_non_null(o);
	assert_int_equal(len, 6);
	assert_memory_equal(o, "gw:wan", 6);
	o = option(b, 8, 9, &len);
	assert_non_null(o);
	assert_int_equal(*o, 9);
	assert_null(option(b, 8, 11, &len));
}

static void
test_a_filter_stands_in_the_interface_as_an_expression_of_libpcap(void **state)
{
	const uint8_t *o;
	uint16_t len;

	(void)state;
	put_head("icmp or arp");
	o = option(block(1, INTERFACE), 8, 11, &len);
	assert_non_null(o);
	assert_int_equal(len, 12);
	assert_memory_equal(o, "\0icmp or arp", 12);
}

static void
test_a_filter_too_long_for_an_option_is_left_out_whole(void **state)
{
	static char filter[70000];
	uint16_t len;

	(void)state;
	memset(filter, 'x', sizeof(filter) - 1);
	put_head(filter);
	assert_null(option(block(1, INTERFACE), 8, 11, &len));
}

static void
test_libpcap_reads_back_every_length_with_its_time(void **state)
{
	uint8_t bytes[70];
	const uint8_t *got;
	struct pcap_pkthdr *h;
	pcap_t *p;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 3);
	put_head(NULL);
	for (uint32_t n = 0; n <= sizeof(bytes); n++)
		pcapng_put_packet(&buf,
		    &(struct pcapng_packet){ .when_ns = UINT64_C(1234567890123456789) + n,
			.bytes = n > 0 ? bytes : NULL,
			.caplen = n,
			.wirelen = n + 5 });
	p = read_back();
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	for (uint32_t n = 0; n <= sizeof(bytes); n++) {
		assert_int_equal(pcap_next_ex(p, &h, &got), 1);
		assert_int_equal(h->caplen, n);
		assert_int_equal(h->len, n + 5);
		assert_int_equal(h->ts.tv_sec, 1234567890);
		assert_int_equal(h->ts.tv_usec, 123456789 + n);
		assert_memory_equal(got, bytes, n);
	}
	assert_int_equal(pcap_next_ex(p, &h, &got), PCAP_ERROR_BREAK);
	pcap_close(p);
}

static void
test_a_packet_says_its_interface_direction_and_comment(void **state)
{
	const struct pcapng_packet in = { .iface = 1,
		.bytes = (const uint8_t *)"abc",
		.caplen = 3,
		.wirelen = 3,
		.inbound = true,
		.comment = "dropped" };
	struct pcapng_packet out = in;
	const uint8_t *b, *o;
	uint16_t len;

	(void)state;
	out.inbound = false;
	out.comment = NULL;
	put_head(NULL);
	pcapng_put_interface(&buf, "gw:lan", DLT_NULL, 0, NULL);
	pcapng_put_packet(&buf, &in);
	pcapng_put_packet(&buf, &out);

	b = block(3, PACKET);
	assert_int_equal(load32(b + 8), 1);
	assert_memory_equal(b + 28, "abc\0", 4);
	o = option(b, 24, 1, &len);
	assert_non_null(o);
	assert_int_equal(len, 7);
	assert_memory_equal(o, "dropped", 7);
	assert_int_equal(load32(option(b, 24, 2, &len)), 1);

	b = block(4, PACKET);
	assert_null(option(b, 24, 1, &len));
	assert_int_equal(load32(option(b, 24, 2, &len)), 2);
}

static void
test_a_comment_too_long_for_an_option_is_cut(void **state)
{
	static char comment[70000];
	struct pcap_pkthdr *h;
	const uint8_t *got;
	uint16_t len;
	pcap_t *p;

	(void)state;
	memset(comment, 'c', sizeof(comment) - 1);
	put_head(NULL);
	pcapng_put_packet(&buf,
	    &(struct pcapng_packet){
		.bytes = (const uint8_t *)"x", .caplen = 1, .wirelen = 1, .comment = comment });
	assert_non_null(option(block(2, PACKET), 24, 1, &len));
	assert_int_equal(len, 65535);
	p = read_back();
	assert_int_equal(pcap_next_ex(p, &h, &got), 1);
	pcap_close(p);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_an_interface_has_its_name_link_type_snaplen_and_ns_times),
		T(test_a_filter_stands_in_the_interface_as_an_expression_of_libpcap),
		T(test_a_filter_too_long_for_an_option_is_left_out_whole),
		T(test_libpcap_reads_back_every_length_with_its_time),
		T(test_a_packet_says_its_interface_direction_and_comment),
		T(test_a_comment_too_long_for_an_option_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
