/*
 * Unit tests of punts (port/punt.c): what is for the router itself in a protocol that a guest
 * serves goes to the guest, and the guest's packets go out as the router's.
 *
 *	lan (mem0) 10.0.0.1/24 fe80::1, joined to guest (mem2); wan (mem1) 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "base/sched.h"
#include "inet6/ip6.h"
#include "kern/netisr.h"
#include "memif.h"
#include "net/if_multi.h"
#include "port/punt.h"

#include <errno.h>
#include <stdio.h>

enum { OSPF = 89 };

static struct memif lan, wan, guest;

static uint32_t
a4(const char *text)
{
	uint32_t addr = 0;

	assert_true(in_aton(text, &addr));
	return addr;
}

static struct in6
a6(const char *text)
{
	struct in6 a;

	assert_true(in6_aton(text, &a));
	return a;
}

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	memif_open(&guest, 2);
	expect_line("sysctl -q net.inet6.ip6.auto_linklocal=0", 0, NULL, NULL);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem0 inet6 fe80::1/64 no_dad", 0, NULL, NULL);
	expect_line("arp -s 10.0.0.2 02:00:00:00:09:09", 0, NULL, NULL);
	expect_line("arp -s 10.1.0.2 02:00:00:00:09:0a", 0, NULL, NULL);
	expect_line("ndp -s fe80::2%mem0 02:00:00:00:09:09", 0, NULL, NULL);
	assert_int_equal(punt_join(lan.ifp, guest.ifp), 0);
	memif_clear(&lan);
	memif_clear(&wan);
	memif_clear(&guest);
	return 0;
}

static int
teardown(void **state)
{
	if (lan.ifp != NULL)
		memif_close(&lan);
	memif_close(&wan);
	memif_close(&guest);
	return kern_teardown(state);
}

static void
receive(struct memif *mi, struct mbuf *m)
{
	memif_receive(mi, m);
	while (netisr_run())
		;
}

/* To a group's link address. */
static struct mbuf *
to_group(struct mbuf *m, uint8_t last)
{
	memcpy(m->data, (const uint8_t[6]){ 0x01, 0x00, 0x5e, 0x00, 0x00, last }, 6);
	return m;
}

static struct mbuf *
frame6(const struct memif *mi, const char *src, const char *dst, uint8_t proto, uint16_t len)
{
	struct mbuf *m = m_get((uint32_t)(ETHER_HDR_LEN_ + IP6_HDRLEN + len));
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);

	memcpy(m->data, mi->ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x86\xdd", 8);
	memset(ip6 + 1, 0x55, len);
	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16(len),
		.nxt = proto,
		.hlim = 1,
		.src = a6(src),
		.dst = a6(dst),
	};
	if (in6_is_multicast(&ip6->dst))
		in6_ether_group(&ip6->dst, m->data);
	return m;
}

static struct punt_stats seen;

static void
take_stats(const struct punt_info *info, void *ctx)
{
	(void)ctx;
	seen = *info->stats;
}

static const struct punt_stats *
stats(void)
{
	punt_foreach(take_stats, NULL);
	return &seen;
}

/* --- to the guest ----------------------------------------------------------------------------- */

static void
test_ospf_to_its_group_goes_to_the_guest(void **state)
{
	struct mbuf *m = to_group(memif_frame(&lan, a4("10.0.0.2"), a4("224.0.0.5"), OSPF, 64), 5);
	uint8_t packet[64];

	(void)state;
	memcpy(packet, m->data + ETHER_HDR_LEN_, sizeof(packet));
	receive(&lan, m);
	assert_int_equal(guest.sent.len, 1);
	m = guest.sent.head;
	assert_int_equal(m->len, ETHER_HDR_LEN_ + 64);
	assert_memory_equal(m->data, "\x01\x00\x5e\x00\x00\x05", 6);
	assert_memory_equal(m->data + 6, guest.ifp->if_lladdr, 6);
	assert_memory_equal(m->data + 12, "\x08\x00", 2);
	assert_memory_equal(m->data + ETHER_HDR_LEN_, packet, sizeof(packet));
	/* and nobody is told that there is no such protocol */
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(stats()->to_guest, 1);
}

static void
test_tcp_for_us_goes_to_the_guest(void **state)
{
	(void)state;
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_TCP_, 60));
	/* any address of ours: a session to a loopback address comes by some link */
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.1.0.1"), IPPROTO_TCP_, 60));
	assert_int_equal(guest.sent.len, 2);
	assert_memory_equal(guest.sent.head->data, lan.ifp->if_lladdr, 6);
	assert_int_equal(lan.sent.len, 0);
}

static void
test_ospf_for_ipv6_goes_to_the_guest(void **state)
{
	(void)state;
	receive(&lan, frame6(&lan, "fe80::2", "ff02::5", OSPF, 40));
	receive(&lan, frame6(&lan, "fe80::2", "fe80::1", OSPF, 40));
	assert_int_equal(guest.sent.len, 2);
	assert_memory_equal(guest.sent.head->data, "\x33\x33\x00\x00\x00\x05", 6);
	assert_memory_equal(guest.sent.head->data + 12, "\x86\xdd", 2);
	assert_memory_equal(guest.sent.head->next->data, lan.ifp->if_lladdr, 6);
}

static void
test_other_protocols_stay_with_the_stack(void **state)
{
	struct mbuf *m = memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_UDP_, 28);

	(void)state;
	receive(&lan, m);
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), 99, 40));
	assert_int_equal(guest.sent.len, 0);
}

static void
test_what_is_not_for_us_is_forwarded_past_the_guest(void **state)
{
	(void)state;
	expect_line("sysctl -q net.inet.ip.forwarding=1", 0, NULL, NULL);
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.1.0.2"), IPPROTO_TCP_, 60));
	assert_int_equal(guest.sent.len, 0);
	assert_int_equal(wan.sent.len, 1);
}

/* --- from the guest --------------------------------------------------------------------------- */

static void
test_the_guests_packets_go_out_as_ours(void **state)
{
	(void)state;
	receive(&guest, memif_frame(&guest, a4("10.0.0.1"), a4("10.0.0.2"), IPPROTO_TCP_, 60));
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(lan.sent.head->data, "\x02\0\0\0\x09\x09", 6);
	assert_memory_equal(lan.sent.head->data + 6, lan.ifp->if_lladdr, 6);
	/* unchanged: the guest has sent it from here */
	assert_int_equal(frame_ip(lan.sent.head)->ttl, 64);
	/* by the stack's routes, whatever the guest's link */
	receive(&guest, memif_frame(&guest, a4("10.0.0.1"), a4("10.1.0.2"), IPPROTO_TCP_, 60));
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(stats()->from_guest, 2);
}

static void
test_the_guests_groups_are_those_of_its_link(void **state)
{
	(void)state;
	receive(
	    &guest, to_group(memif_frame(&guest, a4("10.0.0.1"), a4("224.0.0.5"), OSPF, 64), 5));
	receive(&guest, frame6(&guest, "fe80::1", "ff02::5", OSPF, 40));
	receive(&guest, frame6(&guest, "fe80::1", "fe80::2", OSPF, 40));
	assert_int_equal(lan.sent.len, 3);
	assert_memory_equal(lan.sent.head->data, "\x01\x00\x5e\x00\x00\x05", 6);
	assert_memory_equal(lan.sent.head->next->data, "\x33\x33\x00\x00\x00\x05", 6);
	assert_memory_equal(lan.sent.head->next->next->data, "\x02\0\0\0\x09\x09", 6);
	/* the guest has sent it: it needs no copy */
	assert_int_equal(guest.sent.len, 0);
}

static void
test_a_guest_sends_only_what_it_serves_and_from_our_addresses(void **state)
{
	struct mbuf *m;

	(void)state;
	receive(&guest, memif_frame(&guest, a4("10.0.0.1"), a4("10.0.0.2"), IPPROTO_UDP_, 60));
	receive(&guest, memif_frame(&guest, a4("10.0.0.77"), a4("10.0.0.2"), IPPROTO_TCP_, 60));
	receive(&guest, frame6(&guest, "fe80::77", "ff02::5", OSPF, 40));
	receive(&guest, frame6(&guest, "fe80::1", "ff02::16", 0, 40));
	/* cut off, too long, not IP, hardly a frame */
	m = memif_frame(&guest, a4("10.0.0.1"), a4("10.0.0.2"), IPPROTO_TCP_, 60);
	m_trim(m, ETHER_HDR_LEN_ + 40);
	receive(&guest, m);
	m = frame6(&guest, "fe80::1", "ff02::5", OSPF, 40);
	m_trim(m, m->len - 1);
	receive(&guest, m);
	m = memif_frame(&guest, a4("10.0.0.1"), a4("10.0.0.2"), IPPROTO_TCP_, 60);
	m->data[13] = 6;
	receive(&guest, m);
	receive(&guest, m_from("\x02\0\0", 3));
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(stats()->refused, 8);
	assert_int_equal(stats()->from_guest, 0);
}

/* --- links ------------------------------------------------------------------------------------ */

static void
test_the_guests_carrier_is_that_of_the_link(void **state)
{
	(void)state;
	assert_true(guest.ifp->if_flags & IFF_UP_);
	expect_line("ifconfig mem0 down", 0, NULL, NULL);
	assert_false(guest.ifp->if_flags & IFF_UP_);
	expect_line("ifconfig mem0 mtu 1400 up", 0, NULL, NULL);
	assert_true(guest.ifp->if_flags & IFF_UP_);
	assert_int_equal(guest.ifp->if_mtu, 1400);
}

static void
test_a_punt_ends_with_its_interface(void **state)
{
	(void)state;
	memif_close(&lan);
	assert_ptr_equal(guest.ifp->if_input, ether_input);
	expect_line("punt show", 0, "", "");
	/* with the last one nobody serves TCP any more */
	receive(&wan, memif_frame(&wan, a4("10.1.0.2"), a4("10.1.0.1"), IPPROTO_TCP_, 60));
	assert_int_equal(wan.sent.len, 1);
}

static void
test_an_interface_has_one_punt(void **state)
{
	(void)state;
	assert_int_equal(punt_join(lan.ifp, wan.ifp), -EEXIST);
	assert_int_equal(punt_join(wan.ifp, guest.ifp), -EEXIST);
	assert_int_equal(punt_join(wan.ifp, wan.ifp), -EINVAL);
	assert_int_equal(punt_join(V_loif, wan.ifp), -EINVAL);
	expect_line("punt add mem1 mem2", 1, "", "punt: add mem1 mem2: not a tap\n");
	expect_line("punt add mem1 mem9", 1, "", "punt: interface mem9 does not exist\n");
	expect_line("punt delete mem1", 1, "", "punt: delete mem1: has no punt\n");
	expect_line("punt delete mem0", 0, "", "");
	expect_line("punt delete mem0", 1, "", "punt: delete mem0: has no punt\n");
	/* the groups are left too */
	assert_false(if_multi_has(lan.ifp, (const uint8_t *)"\x01\x00\x5e\x00\x00\x05"));
}

static void
test_the_verb_shows_what_went_through(void **state)
{
	(void)state;
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_TCP_, 60));
	expect_line("punt", 0, "mem0 by mem2: 1 to the guest, 0 from it, 0 refused\n", "");
	assert_true(says("punt show", true, "\"to-guest\":1,"));
}

int
main(void)
{
#define PUNT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		PUNT_TEST(test_ospf_to_its_group_goes_to_the_guest),
		PUNT_TEST(test_tcp_for_us_goes_to_the_guest),
		PUNT_TEST(test_ospf_for_ipv6_goes_to_the_guest),
		PUNT_TEST(test_other_protocols_stay_with_the_stack),
		PUNT_TEST(test_what_is_not_for_us_is_forwarded_past_the_guest),
		PUNT_TEST(test_the_guests_packets_go_out_as_ours),
		PUNT_TEST(test_the_guests_groups_are_those_of_its_link),
		PUNT_TEST(test_a_guest_sends_only_what_it_serves_and_from_our_addresses),
		PUNT_TEST(test_the_guests_carrier_is_that_of_the_link),
		PUNT_TEST(test_a_punt_ends_with_its_interface),
		PUNT_TEST(test_an_interface_has_one_punt),
		PUNT_TEST(test_the_verb_shows_what_went_through),
	};

	return cmocka_run_group_tests_name("punt", tests, NULL, NULL);
}
