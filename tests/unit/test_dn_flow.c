/* What a packet's flow is, read from its headers. */
#include "base/clock.h"
#include "dn_packets.h"
#include "dummynet/dn.h"
#include "net/ethernet.h"

#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct dn_door frame_door = { .name = "frames", .frame = true };

static int
setup(void **state)
{
	(void)state;
	return worker_attach(0, CLOCK_VIRTUAL) == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	worker_detach();
	return 0;
}

static struct dn_flow
read_flow(struct mbuf *m)
{
	struct dn_flow f;

	dn_flow_read(m, &f);
	return f;
}

static void
test_ports_and_addresses_are_read_in_network_order(void **state)
{
	struct mbuf *m = dn_udp4(7, 100, 0);
	struct dn_flow f = read_flow(m);

	(void)state;
	assert_int_equal(f.family, 4);
	assert_int_equal(f.proto, 17);
	assert_int_equal(f.src, __builtin_bswap32(0x0a000007));
	assert_int_equal(f.dst, __builtin_bswap32(0x0a800001));
	assert_int_equal(f.sport, __builtin_bswap16(1031));
	assert_int_equal(f.dport, __builtin_bswap16(9));
	m_free(m);
}

static void
test_all_fragments_of_a_datagram_are_one_flow(void **state)
{
	struct mbuf *first = dn_udp4(7, 100, 0), *later = dn_udp4(7, 100, 0);

	(void)state;
	mtod(first, struct ip_hdr *)->off = to_be16(IP_MF_);
	mtod(later, struct ip_hdr *)->off = to_be16(10);
	later->data[20] = 0xff;
	assert_int_equal(read_flow(first).sport, 0);
	assert_int_equal(dn_flow_hash(first, 1), dn_flow_hash(later, 1));
	m_free(first);
	m_free(later);
}

static void
test_extension_headers_are_walked(void **state)
{
	struct mbuf *m = dn_udp6(7, 100, 0);
	struct dn_flow f = read_flow(m);

	(void)state;
	assert_int_equal(f.family, 6);
	assert_int_equal(f.sport, __builtin_bswap16(1031));
	assert_int_equal(f.flow_id, __builtin_bswap32(7));
	/* Destination options of eight bytes, then TCP. */
	mtod(m, struct ip6_hdr *)->nxt = IPPROTO_DSTOPTS_;
	memset(m->data + 40, 0, 8);
	m->data[40] = IPPROTO_TCP_;
	store16(m->data + 48, 0x1234);
	f = read_flow(m);
	assert_int_equal(f.proto, IPPROTO_TCP_);
	assert_int_equal(f.sport, 0x1234);
	/* A fragment header ends the walk. */
	mtod(m, struct ip6_hdr *)->nxt = IPPROTO_FRAGMENT_;
	f = read_flow(m);
	assert_int_equal(f.proto, IPPROTO_TCP_);
	assert_int_equal(f.sport, 0);
	m_free(m);
}

static void
test_a_frame_of_any_other_kind_is_no_ip(void **state)
{
	struct mbuf *m = dn_udp4(7, 100, 0);

	(void)state;
	m = m_prepend(m, ETHER_HDR_LEN_);
	m->nh = (void *)(uintptr_t)&frame_door;
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_ARP_));
	assert_int_equal(read_flow(m).family, 0);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_IP_));
	assert_int_equal(read_flow(m).family, 4);
	assert_int_equal(read_flow(m).dport, __builtin_bswap16(9));
	/* The same with a vlan tag. */
	m = m_prepend(m, 4);
	store16(m->data + 12, __builtin_bswap16(ETHERTYPE_VLAN_));
	store16(m->data + 16, __builtin_bswap16(ETHERTYPE_IP_));
	assert_int_equal(read_flow(m).family, 4);
	m_free(m);
}

/* Any length of any packet: nothing behind its end is read (AddressSanitizer watches). */
static void
test_cut_packets_are_read_to_their_end_only(void **state)
{
	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (uint32_t len = 0; len <= 80; len++)
			for (int frame = 0; frame < 2; frame++) {
				struct mbuf *whole = family == 4 ? dn_udp4(1, 80, 0) :
								   dn_udp6(1, 80, 0);
				struct mbuf m = *whole;
				uint8_t *copy = malloc(len != 0 ? len : 1);

				memcpy(copy, whole->data, len);
				m.data = copy;
				m.len = len;
				m.nh = frame ? (void *)(uintptr_t)&frame_door : NULL;
				if (len < 20)
					assert_int_equal(read_flow(&m).family, 0);
				dn_flow_hash(&m, len);
				free(copy);
				m_free(whole);
			}
}

static void
test_the_hash_knows_flows_and_seeds_apart(void **state)
{
	struct mbuf *a = dn_udp4(1, 60, 0), *b = dn_udp4(1, 1500, 0), *c = dn_udp4(2, 60, 0);

	(void)state;
	assert_int_equal(dn_flow_hash(a, 9), dn_flow_hash(b, 9));
	assert_true(dn_flow_hash(a, 9) != dn_flow_hash(c, 9));
	assert_true(dn_flow_hash(a, 9) != dn_flow_hash(a, 10));
	m_free(a);
	m_free(b);
	m_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_and_addresses_are_read_in_network_order),
		cmocka_unit_test(test_all_fragments_of_a_datagram_are_one_flow),
		cmocka_unit_test(test_extension_headers_are_walked),
		cmocka_unit_test(test_a_frame_of_any_other_kind_is_no_ip),
		cmocka_unit_test(test_cut_packets_are_read_to_their_end_only),
		cmocka_unit_test(test_the_hash_knows_flows_and_seeds_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
