/*
 * Unit tests of punts (port/punt.c): what is for the router itself in a protocol that a guest
 * serves goes to the guest, and the guest's packets go out as the router's.
 *
 *	lan (mem0) 10.0.0.1/24 fe80::1, joined to guest (mem2); wan (mem1) 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "base/rcu.h"
#include "base/sched.h"
#include "inet/icmp.h"
#include "inet/udp.h"
#include "inet6/icmp6.h"
#include "inet6/ip6.h"
#include "kern/netisr.h"
#include "memif.h"
#include "net/if_multi.h"
#include "port/punt.h"

#include <errno.h>
#include <stdio.h>

enum { OSPF = 89 };

static struct memif lan, wan, guest;
static struct audit_counts before;
static const struct punt_ports usual;

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
	audit_take(&before);
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	memif_open(&guest, 2);
	expect_line("sysctl -q net.inet6.ip6.auto_linklocal=0", 0, NULL, NULL);
	expect_line("ifconfig lo0 up", 0, NULL, NULL);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, NULL, NULL);
	expect_line("ifconfig mem0 inet6 fe80::1/64 no_dad", 0, NULL, NULL);
	expect_line("arp -s 10.0.0.2 02:00:00:00:09:09", 0, NULL, NULL);
	expect_line("arp -s 10.1.0.2 02:00:00:00:09:0a", 0, NULL, NULL);
	expect_line("ndp -s fe80::2%mem0 02:00:00:00:09:09", 0, NULL, NULL);
	assert_int_equal(punt_join(lan.ifp, guest.ifp, &usual), 0);
	memif_clear(&lan);
	memif_clear(&wan);
	memif_clear(&guest);
	return 0;
}

/* lo0 keeps its addresses, paths their MTUs to the stack's end: so the count is taken behind it. */
static int
teardown(void **state)
{
	char leaks[256];
	int differ;

	(void)state;
	if (lan.ifp != NULL)
		memif_close(&lan);
	memif_close(&wan);
	memif_close(&guest);
	rcu_synchronize();
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&before, leaks, sizeof(leaks));
	if (differ != 0)
		print_error("leaked: %s\n", leaks);
	worker_detach();
	return differ;
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

/* A frame whose packet is UDP from one port to another, 24 bytes in all behind the IP header. */
static struct mbuf *
udp_ports(struct mbuf *m, uint16_t sport, uint16_t dport)
{
	struct udp_hdr *uh = (void *)(m->data + m->len - 24);

	*uh = (struct udp_hdr){ to_be16(sport), to_be16(dport), to_be16(24), 0 };
	return m;
}

static struct mbuf *
udp4(const struct memif *mi, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
	return udp_ports(memif_frame(mi, a4(src), a4(dst), IPPROTO_UDP_, 44), sport, dport);
}

static struct mbuf *
udp6(const struct memif *mi, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
	return udp_ports(frame6(mi, src, dst, IPPROTO_UDP_, 24), sport, dport);
}

/* An ICMP error that quotes a packet, of which it takes the frame. */
static struct mbuf *
error4(const struct memif *mi, const char *src, uint8_t type, uint8_t code, struct mbuf *quoted)
{
	const char *dst = mi == &guest ? "10.0.0.2" : "10.0.0.1";
	struct mbuf *m = memif_frame(mi, a4(src), a4(dst), IPPROTO_ICMP_, 56);
	struct icmp_hdr *icmp = (void *)(m->data + ETHER_HDR_LEN_ + 20);

	*icmp = (struct icmp_hdr){ .type = type, .code = code, .frag.mtu = to_be16(1300) };
	memcpy(icmp + 1, quoted->data + ETHER_HDR_LEN_, 28);
	icmp->sum = cksum_fold(cksum_add(0, icmp, 36));
	m_free(quoted);
	return m;
}

static struct mbuf *
error6(const struct memif *mi, const char *src, const char *dst, uint8_t type, uint8_t code,
    struct mbuf *quoted)
{
	struct mbuf *m = frame6(mi, src, dst, IPPROTO_ICMPV6_, 8 + 48);
	struct ip6_hdr *ip6 = (void *)(m->data + ETHER_HDR_LEN_);
	struct icmp6_hdr *icmp = (void *)(ip6 + 1);

	*icmp = (struct icmp6_hdr){ .type = type, .code = code, .data = to_be32(1300) };
	memcpy(icmp + 1, quoted->data + ETHER_HDR_LEN_, 48);
	icmp->sum = cksum_fold(
	    cksum_add(ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_ICMPV6_, 56), icmp, 56));
	m_free(quoted);
	return m;
}

static const struct mbuf *
last(const struct memif *mi)
{
	const struct mbuf *m = mi->sent.head;

	while (m->next != NULL)
		m = m->next;
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
test_routing_protocols_over_udp_go_to_the_guest(void **state)
{
	const struct mbuf *m;

	(void)state;
	/* RIP to its group, BFD to us, from any port; RIPng, BFD over a link-local address */
	receive(&lan, to_group(udp4(&lan, "10.0.0.2", "224.0.0.9", 520, 520), 9));
	receive(&lan, udp4(&lan, "10.0.0.2", "10.0.0.1", 49152, 3784));
	receive(&lan, udp6(&lan, "fe80::2", "ff02::9", 521, 521));
	receive(&lan, udp6(&lan, "fe80::2", "fe80::1", 49153, 3784));
	assert_int_equal(guest.sent.len, 4);
	m = guest.sent.head;
	assert_memory_equal(m->data, "\x01\x00\x5e\x00\x00\x09", 6);
	assert_memory_equal(m->next->data, lan.ifp->if_lladdr, 6);
	/* BFD counts hops by it */
	assert_int_equal(frame_ip(m->next)->ttl, 64);
	assert_memory_equal(m->next->next->data, "\x33\x33\x00\x00\x00\x09", 6);
	/* and the stack itself has nothing to say about it */
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(V_udpstat.ipackets, 0);
}

static void
test_a_broadcast_is_one_for_the_guest_too(void **state)
{
	struct mbuf *m = udp4(&lan, "10.0.0.2", "10.0.0.255", 520, 520);

	(void)state;
	memset(m->data, 0xff, ETHER_ADDR_LEN_);
	receive(&lan, m);
	assert_int_equal(guest.sent.len, 1);
	assert_memory_equal(guest.sent.head->data, "\xff\xff\xff\xff\xff\xff", 6);
}

static void
test_other_ports_and_protocols_stay_with_the_stack(void **state)
{
	(void)state;
	receive(&lan, udp4(&lan, "10.0.0.2", "10.0.0.1", 520, 33434));
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), 99, 40));
	assert_int_equal(guest.sent.len, 0);
	/* which says so: no such port, no such protocol */
	assert_int_equal(lan.sent.len, 2);
	/* a header of UDP that isn't whole has no port */
	receive(&lan, memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.1"), IPPROTO_UDP_, 27));
	assert_int_equal(guest.sent.len, 0);
}

static void
test_a_punt_may_have_more_ports(void **state)
{
	const uint16_t ports[] = { 123, 161 };
	const struct punt_ports more = { ports, 2 };

	(void)state;
	receive(&lan, udp4(&lan, "10.0.0.2", "10.0.0.1", 7000, 161));
	assert_int_equal(guest.sent.len, 0);
	assert_int_equal(punt_delete(lan.ifp), 0);
	assert_int_equal(punt_join(lan.ifp, guest.ifp, &more), 0);
	receive(&lan, udp4(&lan, "10.0.0.2", "10.0.0.1", 7000, 161));
	receive(&lan, udp4(&lan, "10.0.0.2", "10.0.0.1", 520, 520));
	assert_int_equal(guest.sent.len, 2);
	receive(&guest, udp4(&guest, "10.0.0.1", "10.0.0.2", 161, 7000));
	assert_int_equal(stats()->from_guest, 1);
	expect_line(
	    "punt", 0, "mem0 by mem2, UDP 123 161: 2 to the guest, 1 from it, 0 refused\n", "");
	assert_true(says("punt show", true, "\"udp\":[123,161],"));
}

static void
test_a_link_without_a_punt_is_answered_as_if_there_were_none(void **state)
{
	const struct icmp_hdr *icmp;

	(void)state;
	receive(&wan, memif_frame(&wan, a4("10.1.0.2"), a4("10.1.0.1"), IPPROTO_TCP_, 60));
	receive(&wan, udp4(&wan, "10.1.0.2", "10.1.0.1", 520, 520));
	receive(&wan, frame6(&wan, "fe80::2", "ff02::5", OSPF, 40));
	assert_int_equal(guest.sent.len, 0);
	assert_int_equal(wan.sent.len, 2);
	icmp = (const void *)(wan.sent.head->data + ETHER_HDR_LEN_ + 20);
	assert_int_equal(icmp->type, ICMP_UNREACH_);
	assert_int_equal(icmp->code, ICMP_UNREACH_PROTOCOL_);
	icmp = (const void *)(wan.sent.head->next->data + ETHER_HDR_LEN_ + 20);
	assert_int_equal(icmp->code, ICMP_UNREACH_PORT_);
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

/* --- errors to the guest ---------------------------------------------------------------------- */

static struct mbuf *
guests_tcp(void)
{
	return memif_frame(&lan, a4("10.0.0.1"), a4("10.9.0.2"), IPPROTO_TCP_, 60);
}

static void
test_errors_about_the_guests_packets_go_to_the_guest(void **state)
{
	struct mbuf *m = error4(
	    &lan, "10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_NEEDFRAG_, guests_tcp());
	uint8_t packet[56];

	(void)state;
	memcpy(packet, m->data + ETHER_HDR_LEN_, sizeof(packet));
	receive(&lan, m);
	assert_int_equal(guest.sent.len, 1);
	assert_memory_equal(guest.sent.head->data, lan.ifp->if_lladdr, 6);
	assert_memory_equal(guest.sent.head->data + ETHER_HDR_LEN_, packet, sizeof(packet));
	/* the way back may be another link, one without a punt */
	receive(&wan, error4(&wan, "10.1.0.2", ICMP_TIMXCEED_, 0, guests_tcp()));
	/* a session of BFD whose other end is not there yet */
	receive(&lan,
	    error4(&lan, "10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
		udp4(&lan, "10.0.0.1", "10.0.0.2", 49152, 3784)));
	assert_int_equal(guest.sent.len, 3);
	assert_int_equal(lan.sent.len + wan.sent.len, 0);
}

static void
test_errors_about_anything_else_are_the_stacks(void **state)
{
	struct mbuf *m;

	(void)state;
	/* our own UDP; a packet of somebody else; a redirect; no error; one cut off */
	receive(&lan,
	    error4(&lan, "10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
		udp4(&lan, "10.0.0.1", "10.0.0.2", 7000, 33434)));
	receive(&lan,
	    error4(&lan, "10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_HOST_,
		memif_frame(&lan, a4("10.0.0.77"), a4("10.9.0.2"), IPPROTO_TCP_, 60)));
	receive(&lan, error4(&lan, "10.0.0.2", ICMP_REDIRECT_, 1, guests_tcp()));
	receive(&lan, error4(&lan, "10.0.0.2", ICMP_ECHOREPLY_, 0, guests_tcp()));
	for (uint16_t len = 20; len < 56; len++) {
		m = error4(&lan, "10.0.0.2", ICMP_UNREACH_, ICMP_UNREACH_NEEDFRAG_, guests_tcp());
		m_trim(m, ETHER_HDR_LEN_ + (uint32_t)len);
		frame_ip(m)->len = to_be16(len);
		frame_ip(m)->sum = 0;
		frame_ip(m)->sum = ip_cksum(frame_ip(m));
		receive(&lan, m);
	}
	assert_int_equal(guest.sent.len, 0);
}

static void
test_packet_too_big_is_heard_by_guest_and_stack(void **state)
{
	const struct in6 far = a6("2001:db8:9::2");

	(void)state;
	expect_line("ifconfig mem0 inet6 2001:db8::1/64 no_dad", 0, NULL, NULL);
	expect_line("route -6 add default fe80::2%mem0", 0, NULL, NULL);
	receive(&lan,
	    error6(&lan, "2001:db8:5::5", "2001:db8::1", ICMP6_PACKET_TOO_BIG_, 0,
		frame6(&lan, "2001:db8::1", "2001:db8:9::2", IPPROTO_TCP_, 1400)));
	assert_int_equal(guest.sent.len, 1);
	assert_memory_equal(guest.sent.head->data, lan.ifp->if_lladdr, 6);
	assert_int_equal(ip6_pmtu(&far), 1300);
}

static void
test_a_guests_packet_that_is_too_big_is_answered_by_its_destination(void **state)
{
	struct mbuf *m = memif_frame(&guest, a4("10.0.0.1"), a4("10.1.0.2"), IPPROTO_TCP_, 1400);
	const struct icmp_hdr *icmp;
	const struct ip_hdr *ip;

	(void)state;
	expect_line("ifconfig mem1 mtu 1300", 0, NULL, NULL);
	frame_ip(m)->off = to_be16(IP_DF_);
	receive(&guest, m);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(guest.sent.len, 1);
	ip = frame_ip(guest.sent.head);
	icmp = (const void *)(ip + 1);
	/* from an address of ours Linux, which has it too, would take nothing */
	assert_int_equal(ip->src, a4("10.1.0.2"));
	assert_int_equal(ip->dst, a4("10.0.0.1"));
	assert_int_equal(ip_cksum(ip), 0);
	assert_int_equal(icmp->type, ICMP_UNREACH_);
	assert_int_equal(icmp->code, ICMP_UNREACH_NEEDFRAG_);
	assert_int_equal(from_be16(icmp->frag.mtu), 1300);
	assert_int_equal(cksum_fold(cksum_add(0, icmp, from_be16(ip->len) - 20)), 0);
}

static void
test_a_guest_hears_that_there_is_no_route(void **state)
{
	const struct icmp_hdr *icmp;
	const struct in6 far = a6("2001:db8:9::2");
	const struct ip6_hdr *ip6;

	(void)state;
	expect_line("ifconfig mem0 inet6 2001:db8::1/64 no_dad", 0, NULL, NULL);
	receive(&guest, memif_frame(&guest, a4("10.0.0.1"), a4("10.9.0.2"), IPPROTO_TCP_, 60));
	receive(&guest, frame6(&guest, "2001:db8::1", "2001:db8:9::2", IPPROTO_TCP_, 40));
	assert_int_equal(guest.sent.len, 2);
	icmp = (const void *)(guest.sent.head->data + ETHER_HDR_LEN_ + 20);
	assert_int_equal(icmp->type, ICMP_UNREACH_);
	assert_int_equal(icmp->code, ICMP_UNREACH_HOST_);
	ip6 = (const void *)(guest.sent.head->next->data + ETHER_HDR_LEN_);
	assert_memory_equal(&ip6->src, &far, sizeof(far));
	assert_int_equal(cksum_fold(cksum_add(ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_ICMPV6_,
						  from_be16(ip6->plen)),
			     ip6 + 1, from_be16(ip6->plen))),
	    0);
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
test_the_guests_udp_goes_out_from_and_to_its_ports(void **state)
{
	struct mbuf *m = udp4(&guest, "10.0.0.1", "10.0.0.2", 49152, 3784);

	(void)state;
	frame_ip(m)->ttl = 255; /* RFC 5881 5 */
	receive(&guest, m);
	receive(&guest, to_group(udp4(&guest, "10.0.0.1", "224.0.0.9", 520, 520), 9));
	receive(&guest, udp4(&guest, "10.0.0.1", "10.0.0.2", 520, 49152));
	receive(&guest, udp6(&guest, "fe80::1", "ff02::9", 521, 521));
	/* RIP of old: to all on the link */
	receive(&guest, udp4(&guest, "10.0.0.1", "10.0.0.255", 520, 520));
	assert_int_equal(lan.sent.len, 5);
	assert_int_equal(frame_ip(lan.sent.head)->ttl, 255);
	assert_memory_equal(lan.sent.head->next->data, "\x01\x00\x5e\x00\x00\x09", 6);
	assert_memory_equal(last(&lan)->data, "\xff\xff\xff\xff\xff\xff", 6);
	/* in fragments it has no ports */
	m = udp4(&guest, "10.0.0.1", "10.0.0.2", 520, 520);
	frame_ip(m)->off = to_be16(185);
	receive(&guest, m);
	assert_int_equal(lan.sent.len, 5);
	assert_int_equal(stats()->refused, 1);
}

static void
test_a_guest_may_say_that_nobody_listens(void **state)
{
	(void)state;
	receive(&guest,
	    error4(&guest, "10.0.0.1", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
		udp4(&lan, "10.0.0.2", "10.0.0.1", 49152, 3784)));
	/* but of its ports only, of our addresses only, and nothing else */
	receive(&guest,
	    error4(&guest, "10.0.0.1", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
		udp4(&lan, "10.0.0.2", "10.0.0.1", 49152, 33434)));
	receive(&guest,
	    error4(&guest, "10.0.0.1", ICMP_UNREACH_, ICMP_UNREACH_PORT_,
		udp4(&lan, "10.0.0.2", "10.0.0.77", 49152, 3784)));
	receive(&guest,
	    error4(&guest, "10.0.0.1", ICMP_UNREACH_, ICMP_UNREACH_HOST_,
		udp4(&lan, "10.0.0.2", "10.0.0.1", 49152, 3784)));
	assert_int_equal(stats()->from_guest, 1);
	assert_int_equal(stats()->refused, 3);
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
	assert_int_equal(punt_join(lan.ifp, wan.ifp, &usual), -EEXIST);
	assert_int_equal(punt_join(wan.ifp, guest.ifp, &usual), -EEXIST);
	assert_int_equal(punt_join(wan.ifp, wan.ifp, &usual), -EINVAL);
	assert_int_equal(punt_join(V_loif, wan.ifp, &usual), -EINVAL);
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
		PUNT_TEST(test_routing_protocols_over_udp_go_to_the_guest),
		PUNT_TEST(test_a_broadcast_is_one_for_the_guest_too),
		PUNT_TEST(test_other_ports_and_protocols_stay_with_the_stack),
		PUNT_TEST(test_a_punt_may_have_more_ports),
		PUNT_TEST(test_a_link_without_a_punt_is_answered_as_if_there_were_none),
		PUNT_TEST(test_errors_about_the_guests_packets_go_to_the_guest),
		PUNT_TEST(test_errors_about_anything_else_are_the_stacks),
		PUNT_TEST(test_packet_too_big_is_heard_by_guest_and_stack),
		PUNT_TEST(test_a_guests_packet_that_is_too_big_is_answered_by_its_destination),
		PUNT_TEST(test_a_guest_hears_that_there_is_no_route),
		PUNT_TEST(test_the_guests_udp_goes_out_from_and_to_its_ports),
		PUNT_TEST(test_a_guest_may_say_that_nobody_listens),
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
