/*
 * One line for a packet, whatever its bytes are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "port/pcap.h"

#include <pcap/pcap.h>

static uint8_t frame[2048];
static uint32_t len;

/* Bytes written as hex, blanks ignored. */
static void
bytes(const char *hex)
{
	unsigned value;

	for (len = 0; *hex != '\0'; hex += 2) {
		while (*hex == ' ')
			hex++;
		if (*hex == '\0')
			break;
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		frame[len++] = (uint8_t)value;
	}
}

static const char *
line_of(int dlt, uint32_t caplen)
{
	static char line[512];
	size_t n = packet_line(line, sizeof(line), dlt, frame, caplen, len);

	assert_int_equal(n, strlen(line));
	return line;
}

static void
assert_line(int dlt, const char *hex, const char *want)
{
	bytes(hex);
	assert_string_equal(line_of(dlt, len), want);
}

#define ETHER "020000000102 020000000101 "
#define IP_UDP "4500 001e 0007 0000 40 11 0000 0a000001 0a000002 "
#define UDP "0035 1388 000a 0000 6869"

static void
test_udp_shows_both_ends_and_the_length_of_its_data(void **state)
{
	(void)state;
	assert_line(
	    DLT_EN10MB, ETHER "0800" IP_UDP UDP, "IP 10.0.0.1.53 > 10.0.0.2.5000: UDP, length 2");
}

static void
test_padding_of_the_frame_does_not_count(void **state)
{
	(void)state;
	assert_line(DLT_EN10MB, ETHER "0800" IP_UDP UDP "0000 0000 0000 0000",
	    "IP 10.0.0.1.53 > 10.0.0.2.5000: UDP, length 2");
	/* what stands behind the packet's own length is no UDP header */
	assert_line(DLT_RAW,
	    "4500 0018 0007 0000 40 11 0000 0a000001 0a000002 0035 1388 000a 0000 6869",
	    "IP 10.0.0.1.53 > 10.0.0.2.5000: [|udp]");
}

static void
test_link_layers_are_passed_over(void **state)
{
	const char *want = "IP 10.0.0.1.53 > 10.0.0.2.5000: UDP, length 2";

	(void)state;
	assert_line(DLT_RAW, IP_UDP UDP, want);
	assert_line(DLT_NULL, "02000000" IP_UDP UDP, want);
	assert_line(DLT_LOOP, "00000002" IP_UDP UDP, want);
	assert_line(DLT_EN10MB, ETHER "8100 0007 0800" IP_UDP UDP,
	    "vlan 7, IP 10.0.0.1.53 > 10.0.0.2.5000: UDP, length 2");
}

static void
test_tcp_shows_flags_numbers_and_length(void **state)
{
	(void)state;
	assert_line(DLT_RAW,
	    "4500 002a 0007 0000 40 06 0000 0a000001 0a000002"
	    "0050 c000 00000001 00000002 5018 0400 0000 0000 6869",
	    "IP 10.0.0.1.80 > 10.0.0.2.49152: Flags [P.], seq 1, ack 2, win 1024, length 2");
}

static void
test_icmp_says_what_it_is_about(void **state)
{
	(void)state;
	assert_line(DLT_RAW, "4500 001c 0007 0000 40 01 0000 0a000001 0a000002 0800 0000 0005 0009",
	    "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 9, length 8");
	assert_line(DLT_RAW,
	    "4500 0038 0007 0000 40 01 0000 0a000002 0a000001 0303 0000 00000000" IP_UDP
	    "0035 1388 000a 0000",
	    "IP 10.0.0.2 > 10.0.0.1: ICMP 10.0.0.2 udp port 5000 unreachable, length 36");
	assert_line(DLT_RAW,
	    "4500 0038 0007 0000 40 01 0000 0a000002 0a000001 0304 0000 00000500" IP_UDP
	    "0035 1388 000a 0000",
	    "IP 10.0.0.2 > 10.0.0.1: ICMP 10.0.0.2 need to frag (mtu 1280), length 36");
	assert_line(DLT_RAW,
	    "4500 0038 0007 0000 40 01 0000 0a000002 0a000001 0b00 0000 00000000" IP_UDP
	    "0035 1388 000a 0000",
	    "IP 10.0.0.2 > 10.0.0.1: ICMP time exceeded in-transit, length 36");
}

static void
test_arp_shows_who_asks_for_whom(void **state)
{
	(void)state;
	assert_line(DLT_EN10MB,
	    "ffffffffffff 020000000101 0806 0001 0800 0604 0001 020000000101 0a000001 000000000000 0a000002",
	    "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28");
	assert_line(DLT_EN10MB,
	    "020000000101 020000000102 0806 0001 0800 0604 0002 020000000102 0a000002 020000000101 0a000001",
	    "ARP, Reply 10.0.0.2 is-at 02:00:00:00:01:02, length 28");
}

static void
test_later_fragments_show_their_place(void **state)
{
	(void)state;
	assert_line(DLT_RAW, "4500 001c 0007 2002 40 11 0000 0a000001 0a000002 0000 0000 0000 0000",
	    "IP 10.0.0.1 > 10.0.0.2: ip-proto-17 (frag 7:8@16+)");
}

static void
test_ipv6_shows_addresses_and_ports(void **state)
{
	(void)state;
	assert_line(DLT_EN10MB,
	    ETHER "86dd 60000000 000a 11 40 fe800000000000000000000000000001"
		  "ff020000000000000000000000000002" UDP,
	    "IP6 fe80::1.53 > ff02::2.5000: UDP, length 2");
}

#define IP6_OF(plen, nxt) "60000000 " plen " " nxt " ff " A6 B6
#define A6 "20010db8000000000000000000000001 "
#define B6 "fe800000000000000000000000000002 "
#define A_TO_B "IP6 2001:db8::1 > fe80::2: "

static void
test_messages_of_neighbour_discovery_say_about_whom(void **state)
{
	(void)state;
	assert_line(DLT_RAW, IP6_OF("0018", "3a") "8700 0000 00000000" B6,
	    A_TO_B "ICMP6, neighbor solicitation, who has fe80::2, length 24");
	assert_line(DLT_RAW, IP6_OF("0018", "3a") "8800 0000 e0000000" A6,
	    A_TO_B "ICMP6, neighbor advertisement, tgt is 2001:db8::1, length 24");
	assert_line(DLT_RAW, IP6_OF("0028", "3a") "8900 0000 00000000" B6 A6,
	    A_TO_B "ICMP6, redirect, 2001:db8::1 to fe80::2, length 40");
	assert_line(DLT_RAW, IP6_OF("0008", "3a") "8500 0000 00000000",
	    A_TO_B "ICMP6, router solicitation, length 8");
	assert_line(DLT_RAW, IP6_OF("0010", "3a") "8600 0000 40000708 00000000 00000000",
	    A_TO_B "ICMP6, router advertisement, length 16");
	/* cut off before the address */
	assert_line(DLT_RAW, IP6_OF("0018", "3a") "8700 0000 00000000 fe80",
	    A_TO_B "ICMP6, neighbor solicitation, length 24");
}

static void
test_errors_of_icmp6_say_about_which_packet(void **state)
{
	(void)state;
	assert_line(DLT_RAW, IP6_OF("0038", "3a") "0103 0000 00000000" IP6_OF("0008", "11"),
	    A_TO_B "ICMP6, destination unreachable, unreachable address fe80::2, length 56");
	assert_line(DLT_RAW,
	    IP6_OF("0038", "3a") "0104 0000 00000000" IP6_OF("0008", "11") "0035 1388 0008 0000",
	    A_TO_B
	    "ICMP6, destination unreachable, unreachable port, fe80::2 udp port 5000, length 56");
	assert_line(DLT_RAW, IP6_OF("0030", "3a") "0200 0000 00000500" IP6_OF("0008", "11"),
	    A_TO_B "ICMP6, packet too big, mtu 1280, length 48");
	assert_line(DLT_RAW, IP6_OF("0030", "3a") "0300 0000 00000000" IP6_OF("0008", "11"),
	    A_TO_B "ICMP6, time exceeded in-transit for fe80::2, length 48");
}

static void
test_extension_headers_are_named_and_passed_over(void **state)
{
	(void)state;
	assert_line(DLT_RAW, IP6_OF("0010", "00") "3a00 0502 0000 0100 8f00 0000 0000 0002",
	    A_TO_B "HBH ICMP6, multicast listener report v2, 2 group record(s), length 8");
	assert_line(DLT_RAW, IP6_OF("0010", "2c") "3a00 0001 00000007 8000 0000 0005 0009",
	    A_TO_B "frag (0|8) ICMP6, echo request, id 5, seq 9, length 8");
	assert_line(DLT_RAW, IP6_OF("0010", "2c") "3a00 05a8 00000007 8000 0000 0005 0009",
	    A_TO_B "frag (1448|8)");
	assert_line(DLT_RAW, IP6_OF("0012", "3c") "1100 0104 0000 0000" UDP,
	    A_TO_B "DSTOPT 53 > 5000: UDP, length 2");
	assert_line(DLT_RAW, IP6_OF("0000", "3b"), A_TO_B "no next header");
	/* a header that is longer than the packet */
	assert_line(DLT_RAW, IP6_OF("0008", "00") "3a01 0502 0000 0100", A_TO_B "[|ip6]");
}

static void
test_what_is_wrong_with_a_header_is_said(void **state)
{
	(void)state;
	assert_line(DLT_RAW, "4400 001e 0007 0000 40 11 0000 0a000001 0a000002" UDP,
	    "IP 10.0.0.1 > 10.0.0.2: bad header (hlen 16, length 30)");
	assert_line(DLT_EN10MB, ETHER "0800 5500 001e 0007 0000 40 11 0000 0a000001 0a000002" UDP,
	    "IP bad version 5");
	assert_line(DLT_EN10MB, ETHER "0800 45", "IP [|ip]");
	assert_line(DLT_EN10MB, "0200", "[|ether] length 2");
	assert_line(DLT_EN10MB, ETHER "0806 0001", "[|arp]");
	assert_line(DLT_EN10MB, ETHER "8100 0007", "[|ether] length 16");
	assert_line(DLT_EN10MB, ETHER "0026 4242 03", "802.3, length 38");
	assert_line(DLT_EN10MB, ETHER "88cc 00", "ethertype 0x88cc, length 15");
}

/* The line of a copy on the heap, so that ASan sees one byte too far. */
static void
check_line(int dlt, uint32_t room)
{
	uint8_t *copy = malloc(len + 1);
	char *line = malloc(room + 1);
	size_t n;

	memcpy(copy, frame, len);
	memset(line, 'x', room + 1);
	n = packet_line(line, room, dlt, copy, len, len);
	assert_int_equal(line[room], 'x');
	if (room > 0)
		assert_int_equal(strlen(line), n);
	for (size_t i = 0; i < n; i++)
		assert_in_range((unsigned char)line[i], ' ', '~');
	free(copy);
	free(line);
}

static void
test_any_cut_of_any_packet_gives_one_printable_line(void **state)
{
	static const int dlts[] = { DLT_EN10MB, DLT_NULL, DLT_RAW };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "packet_line");
	for (int round = 0; round < 20000; round++) {
		bytes(ETHER "0800" IP_UDP UDP);
		frame[23] = (uint8_t[]){ 1, 6, 17, 2, 58 }[rng_below(&rng, 5)];
		frame[12] = rng_below(&rng, 4) == 0 ? 0x86 : 8;
		frame[13] = frame[12] == 8 ? (uint8_t)(rng_below(&rng, 2) * 6) : 0xdd;
		for (int i = 0; i < 3; i++)
			frame[rng_below(&rng, len)] = (uint8_t)rng_u64(&rng);
		len = (uint32_t)rng_below(&rng, len + 1);
		check_line(dlts[rng_below(&rng, 3)], (uint32_t)rng_below(&rng, 120));
	}
}

static void
test_any_cut_of_any_packet_of_ipv6_gives_one_printable_line(void **state)
{
	static const uint8_t next[] = { 0, 6, 17, 43, 44, 51, 58, 59, 60, 58 };
	static const uint8_t types[] = { 1, 2, 3, 4, 128, 130, 131, 132, 134, 135, 137, 143 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2, "packet_line");
	for (int round = 0; round < 20000; round++) {
		bytes(IP6_OF("0048", "00") "3a00 0502 0000 0100 8f00 0000 0000 0002" IP6_OF(
		    "0008", "11") "0035 1388 0008 0000" A6 B6);
		frame[6] = next[rng_below(&rng, sizeof(next))];
		frame[40] = next[rng_below(&rng, sizeof(next))];
		frame[frame[6] == 58 ? 40 : 48] = types[rng_below(&rng, sizeof(types))];
		for (int i = 0; i < 2; i++)
			frame[rng_below(&rng, len)] = (uint8_t)rng_u64(&rng);
		len = (uint32_t)rng_below(&rng, len + 1);
		check_line(DLT_RAW, (uint32_t)rng_below(&rng, 160));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp_shows_both_ends_and_the_length_of_its_data),
		cmocka_unit_test(test_padding_of_the_frame_does_not_count),
		cmocka_unit_test(test_link_layers_are_passed_over),
		cmocka_unit_test(test_tcp_shows_flags_numbers_and_length),
		cmocka_unit_test(test_icmp_says_what_it_is_about),
		cmocka_unit_test(test_arp_shows_who_asks_for_whom),
		cmocka_unit_test(test_later_fragments_show_their_place),
		cmocka_unit_test(test_ipv6_shows_addresses_and_ports),
		cmocka_unit_test(test_messages_of_neighbour_discovery_say_about_whom),
		cmocka_unit_test(test_errors_of_icmp6_say_about_which_packet),
		cmocka_unit_test(test_extension_headers_are_named_and_passed_over),
		cmocka_unit_test(test_any_cut_of_any_packet_of_ipv6_gives_one_printable_line),
		cmocka_unit_test(test_what_is_wrong_with_a_header_is_said),
		cmocka_unit_test(test_any_cut_of_any_packet_gives_one_printable_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
