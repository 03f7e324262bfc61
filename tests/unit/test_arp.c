/*
 * Unit tests of ARP (inet/arp.c, arp_input.c) in virtual time.
 *
 *	10.0.0.0/24 -- mem0 (10.0.0.1) stack mem1 (10.1.0.1) -- 10.1.0.0/24
 */
#include "kern_fixture.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/sched.h"
#include "inet/arp_internal.h"
#include "kern/netisr.h"
#include "kern/sysctl.h"
#include "memif.h"

#include <stdio.h>

static struct memif lan, wan;
static char logged[4096];

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 9, 9 }, other_mac[6] = { 2, 0, 0, 0, 8, 8 };

static uint32_t
a4(const char *text)
{
	uint32_t addr = 0;

	assert_true(in_aton(text, &addr));
	return addr;
}

static void
log_keep(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	size_t n = strlen(logged);

	(void)ctx, (void)level, (void)now_ns, (void)who;
	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static int
setup(void **state)
{
	kern_setup(state);
	logged[0] = '\0';
	log_set_sink(log_keep, NULL);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, "", "");
	expect_line("sysctl net.inet.ip.forwarding=1", 0, NULL, "");
	memif_clear(&lan);
	memif_clear(&wan);
	return 0;
}

static int
teardown(void **state)
{
	log_set_sink(NULL, NULL);
	if (lan.ifp != NULL)
		memif_close(&lan);
	if (wan.ifp != NULL)
		memif_close(&wan);
	rcu_synchronize();
	return kern_teardown(state);
}

/* An ARP packet from the link of mi. */
static void
receive(struct memif *mi, uint16_t op, const uint8_t sha[6], const char *sip, const char *tip)
{
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + sizeof(struct arp_packet));
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);
	struct arp_packet *ap = (struct arp_packet *)(void *)(eh + 1);

	memcpy(eh->dst, op == ARP_REQUEST ? ether_broadcast : mi->ifp->if_lladdr, 6);
	memcpy(eh->src, sha, 6);
	eh->type = to_be16(ETHERTYPE_ARP_);
	*ap = (struct arp_packet){
		.htype = to_be16(1),
		.ptype = to_be16(ETHERTYPE_IP_),
		.hlen = 6,
		.plen = 4,
		.op = to_be16(op),
		.sip = a4(sip),
		.tip = a4(tip),
	};
	memcpy(ap->sha, sha, 6);
	memif_receive(mi, m);
	while (netisr_run())
		;
}

static const struct arp_packet *
arp_of(const struct mbuf *m)
{
	assert_int_equal(load16(m->data + 12), __builtin_bswap16(ETHERTYPE_ARP_));
	return (const struct arp_packet *)(const void *)(m->data + ETHER_HDR_LEN_);
}

/* Send `n` datagrams to dst; the first byte of each payload is its number. */
static void
send_some(const char *dst, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct mbuf *m = m_get(8);

		m->data[0] = (uint8_t)i;
		assert_int_equal(ip_output(m, 0, a4(dst), 200, NULL), 0);
	}
}

static struct llentry *
entry(struct memif *mi, const char *addr)
{
	uint32_t a = a4(addr);

	return lla_find(in_lltable(mi->ifp), &a);
}

static uint64_t
drops(const struct drop_reason *why)
{
	return drop_get(vnet0, why);
}

static void
run_for(uint64_t ns)
{
	sched_run(clock_now() + ns);
}

static void
test_packets_wait_for_the_answer_and_leave_in_order(void **state)
{
	(void)state;
	send_some("10.0.0.2", 5);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(from_be16(arp_of(lan.sent.head)->op), ARP_REQUEST);
	assert_int_equal(arp_of(lan.sent.head)->tip, a4("10.0.0.2"));
	assert_int_equal(arp_of(lan.sent.head)->sip, a4("10.0.0.1"));
	memif_clear(&lan);
	receive(&lan, ARP_REPLY, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_int_equal(lan.sent.len, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct mbuf *m = mbufq_pop(&lan.sent);

		assert_memory_equal(m->data, peer_mac, 6);
		assert_memory_equal(m->data + 6, lan.ifp->if_lladdr, 6);
		assert_int_equal(frame_ip(m)->dst, a4("10.0.0.2"));
		assert_int_equal(m->data[ETHER_HDR_LEN_ + 20], i);
		m_free(m);
	}
	send_some("10.0.0.2", 3);
	assert_int_equal(lan.sent.len, 3);
}

static void
test_five_requests_a_second_apart_then_silence_for_twenty_seconds(void **state)
{
	uint64_t start = clock_now();

	(void)state;
	send_some("10.0.0.2", 1);
	run_for(10 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 5);
	for (uint64_t i = 0; lan.sent.len > 0; i++) {
		struct mbuf *m = mbufq_pop(&lan.sent);

		assert_int_equal(m->when_ns, start + i * NS_PER_SEC);
		m_free(m);
	}
	assert_int_equal(drops(&DROP_ARP_TIMEOUT), 1);
	/* down: refused at once, not asked */
	send_some("10.0.0.2", 3);
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(drops(&DROP_ARP_TIMEOUT), 4);
	run_for(20 * NS_PER_SEC);
	assert_null(entry(&lan, "10.0.0.2"));
	send_some("10.0.0.2", 1);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(V_arpstat.timeouts, 1);
	assert_int_equal(V_arpstat.txrequests, 2 + 5 + 1);
}

static void
test_a_sender_far_away_is_told_that_the_host_is_unreachable(void **state)
{
	(void)state;
	expect_line("arp -s 10.1.0.2 02:00:00:00:02:22", 0, "", "");
	memif_receive(&wan, memif_frame(&wan, a4("10.1.0.2"), a4("10.0.0.2"), IPPROTO_UDP_, 40));
	while (netisr_run())
		;
	assert_int_equal(lan.sent.len, 1);
	run_for(6 * NS_PER_SEC);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip(wan.sent.head)->proto, IPPROTO_ICMP_);
	assert_int_equal(frame_ip(wan.sent.head)->dst, a4("10.1.0.2"));
	assert_int_equal(wan.sent.head->data[34], 3);
	assert_int_equal(wan.sent.head->data[35], 1);
}

static void
test_the_newest_packets_are_held(void **state)
{
	(void)state;
	expect_line("sysctl net.link.ether.inet.maxhold=3", 0, NULL, "");
	send_some("10.0.0.2", 10);
	assert_int_equal(drops(&DROP_ARP_HOLD), 7);
	memif_clear(&lan);
	receive(&lan, ARP_REPLY, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_int_equal(lan.sent.len, 3);
	assert_int_equal(lan.sent.head->data[ETHER_HDR_LEN_ + 20], 7);
}

static void
test_an_entry_goes_twenty_minutes_after_it_was_last_heard(void **state)
{
	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_true(entry(&lan, "10.0.0.2")->flags & LLE_VALID);
	run_for(1000 * NS_PER_SEC);
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.77");
	run_for(1199 * NS_PER_SEC);
	assert_non_null(entry(&lan, "10.0.0.2"));
	run_for(2 * NS_PER_SEC);
	assert_null(entry(&lan, "10.0.0.2"));
}

static void
test_a_request_for_us_is_answered_and_its_sender_learned(void **state)
{
	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(lan.sent.head->data, peer_mac, 6);
	assert_int_equal(from_be16(arp_of(lan.sent.head)->op), ARP_REPLY);
	assert_memory_equal(arp_of(lan.sent.head)->sha, lan.ifp->if_lladdr, 6);
	assert_memory_equal(arp_of(lan.sent.head)->tha, peer_mac, 6);
	assert_int_equal(arp_of(lan.sent.head)->sip, a4("10.0.0.1"));
	memif_clear(&lan);
	/* what others ask each other makes no entry */
	receive(&lan, ARP_REQUEST, other_mac, "10.0.0.3", "10.0.0.4");
	assert_int_equal(lan.sent.len, 0);
	assert_null(entry(&lan, "10.0.0.3"));
	/* a probe (sender 0.0.0.0) is answered and not learned */
	receive(&lan, ARP_REQUEST, other_mac, "0.0.0.0", "10.0.0.1");
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(in_lltable(lan.ifp)->count, 1);
}

static void
test_what_is_suspicious_is_logged(void **state)
{
	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	receive(&lan, ARP_REPLY, other_mac, "10.0.0.2", "10.0.0.1");
	assert_non_null(strstr(
	    logged, "arp: 10.0.0.2 moved from 02:00:00:00:09:09 to 02:00:00:00:08:08 on mem0\n"));
	assert_memory_equal(entry(&lan, "10.0.0.2")->header, other_mac, 6);
	logged[0] = '\0';
	memif_clear(&lan);
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.1", "10.0.0.1");
	assert_non_null(strstr(
	    logged, "duplicate IP address 10.0.0.1 sent from ethernet address 02:00:00:00:09:09"));
	assert_int_equal(V_arpstat.dupips, 1);
	assert_int_equal(lan.sent.len, 1); /* our defence */
	logged[0] = '\0';
	expect_line("arp -s 10.0.0.5 02:00:00:00:05:05", 0, "", "");
	receive(&lan, ARP_REPLY, peer_mac, "10.0.0.5", "10.0.0.1");
	assert_string_equal(logged,
	    "arp: 02:00:00:00:09:09 attempts to modify permanent entry for 10.0.0.5 on mem0\n");
	logged[0] = '\0';
	receive(&lan, ARP_REQUEST, peer_mac, "10.1.0.9", "10.0.0.1");
	assert_string_equal(
	    logged, "arp: 10.1.0.9 is on mem1 but got reply from 02:00:00:00:09:09 on mem0\n");
	assert_null(entry(&lan, "10.1.0.9"));
	logged[0] = '\0';
	expect_line("sysctl net.link.ether.inet.log_arp_movements=0", 0, NULL, "");
	receive(&lan, ARP_REPLY, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_string_equal(logged, "");
}

/* Fill the table with neighbours that answered a question of ours: 10.0.0.FROM and on. */
static void
fill_answered(int from, int n)
{
	char addr[32];

	for (int i = from; i < from + n; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		send_some(addr, 1);
		receive(&lan, ARP_REPLY, peer_mac, addr, "10.0.0.1");
	}
}

static void
test_traffic_makes_no_more_entries_than_the_limit(void **state)
{
	(void)state;
	expect_line("sysctl net.link.ether.inet.maxentries=10", 0, NULL, "");
	fill_answered(2, 10);
	assert_int_equal(in_lltable(lan.ifp)->count, 10);
	send_some("10.0.0.99", 1);
	assert_int_equal(drops(&DROP_ARP_LIMIT), 1);
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.98", "10.0.0.1");
	assert_null(entry(&lan, "10.0.0.98"));
	/* by hand there is always room */
	expect_line("arp -s 10.0.0.99 02:00:00:00:05:05", 0, "", "");
	assert_int_equal(in_lltable(lan.ifp)->count, 11);
}

static void
test_who_answered_stays_and_who_was_only_heard_of_makes_room(void **state)
{
	char addr[32];

	(void)state;
	expect_line("sysctl net.link.ether.inet.maxentries=10", 0, NULL, "");
	fill_answered(2, 5);
	for (int i = 100; i < 150; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		receive(&lan, ARP_REQUEST, peer_mac, addr, "10.0.0.1");
	}
	assert_int_equal(in_lltable(lan.ifp)->count, 10);
	assert_non_null(entry(&lan, "10.0.0.6"));
	assert_null(entry(&lan, "10.0.0.144"));
	assert_non_null(entry(&lan, "10.0.0.145"));
	/* heard again: others go first */
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.145", "10.0.0.1");
	send_some("10.0.0.200", 1);
	assert_non_null(entry(&lan, "10.0.0.145"));
	assert_null(entry(&lan, "10.0.0.146"));
	/* what waits in vain makes room too, and says so */
	for (int i = 201; i < 207; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		send_some(addr, 1);
	}
	assert_null(entry(&lan, "10.0.0.200"));
	assert_int_equal(drop_get(vnet0, drop_find("lltable.evicted")), 2);
	assert_int_equal(drops(&DROP_ARP_LIMIT), 0);
	/* and who answers in time stays */
	receive(&lan, ARP_REPLY, peer_mac, "10.0.0.206", "10.0.0.1");
	for (int i = 210; i < 230; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		send_some(addr, 1);
	}
	assert_non_null(entry(&lan, "10.0.0.206"));
	assert_int_equal(in_lltable(lan.ifp)->count, 10);
}

static void
test_a_new_link_address_is_announced_and_used(void **state)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 7, 7 };

	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	memif_clear(&lan);
	assert_int_equal(if_set_lladdr(lan.ifp, mac), 0);
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(arp_of(lan.sent.head)->sha, mac, 6);
	assert_int_equal(arp_of(lan.sent.head)->sip, arp_of(lan.sent.head)->tip);
	memif_clear(&lan);
	send_some("10.0.0.2", 1);
	assert_memory_equal(lan.sent.head->data + 6, mac, 6);
}

static void
test_a_gateways_entry_is_cached_and_replaced_when_it_was_deleted(void **state)
{
	struct nexthop *nh;

	(void)state;
	expect_line("route add 10.9.0.0/16 10.0.0.2", 0, NULL, "");
	nh = fib_lookup4(0, a4("10.9.0.1"));
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	memif_clear(&lan);
	send_some("10.9.0.1", 2);
	assert_int_equal(lan.sent.len, 2);
	assert_ptr_equal(nh->lle, entry(&lan, "10.0.0.2"));
	assert_int_equal(nh->lle->refs, 3); /* table, timer, route */
	expect_line("arp -d 10.0.0.2", 0, NULL, "");
	assert_int_equal(nh->lle->refs, 1);
	memif_clear(&lan);
	send_some("10.9.0.1", 1);
	assert_int_equal(from_be16(arp_of(lan.sent.head)->op), ARP_REQUEST);
	receive(&lan, ARP_REPLY, other_mac, "10.0.0.2", "10.0.0.1");
	send_some("10.9.0.1", 1);
	assert_int_equal(lan.sent.len, 3);
	assert_ptr_equal(nh->lle, entry(&lan, "10.0.0.2"));
	expect_line("route delete 10.9.0.0/16", 0, NULL, "");
	assert_int_equal(entry(&lan, "10.0.0.2")->refs, 2);
}

static void
test_no_packet_overtakes_one_that_waits(void **state)
{
	struct batch b = { 0 };

	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	memif_clear(&lan);
	for (int i = 0; i < 20; i++) {
		/* known, known, unknown, known … in one batch */
		struct mbuf *m = memif_frame(&wan, a4("10.1.0.2"),
		    a4(i % 3 == 2 ? "10.0.0.3" : "10.0.0.2"), IPPROTO_UDP_, 40);

		frame_ip(m)->id = to_be16((uint16_t)i);
		frame_ip(m)->sum = 0;
		frame_ip(m)->sum = ip_cksum(frame_ip(m));
		batch_add(&b, m);
	}
	if_receive(wan.ifp, &b);
	while (netisr_run())
		;
	/* the 14 known ones and the request, in its place */
	assert_int_equal(lan.sent.len, 15);
	for (int n = 0, last = -1; n < 15; n++) {
		struct mbuf *m = mbufq_pop(&lan.sent);

		if (n == 2)
			assert_int_equal(from_be16(arp_of(m)->op), ARP_REQUEST);
		else {
			assert_true(from_be16(frame_ip(m)->id) > last);
			last = from_be16(frame_ip(m)->id);
		}
		m_free(m);
	}
	receive(&lan, ARP_REPLY, other_mac, "10.0.0.3", "10.0.0.1");
	assert_int_equal(lan.sent.len, 6);
}

static void
test_groups_and_broadcast_need_no_neighbour(void **state)
{
	struct ip_opts_out o = { .ifp = lan.ifp };

	(void)state;
	assert_int_equal(ip_output(m_get(8), 0, a4("10.0.0.255"), 200, NULL), 0);
	assert_memory_equal(lan.sent.head->data, ether_broadcast, 6);
	memif_clear(&lan);
	assert_int_equal(ip_output(m_get(8), a4("10.0.0.1"), a4("239.129.2.3"), 200, &o), 0);
	assert_memory_equal(
	    lan.sent.head->data, ((const uint8_t[]){ 0x01, 0, 0x5e, 0x01, 2, 3 }), 6);
	assert_int_equal(in_lltable(lan.ifp)->count, 0);
}

static void
test_a_directed_broadcast_is_not_forwarded_and_asks_for_nobody(void **state)
{
	(void)state;
	memif_receive(&wan, memif_frame(&wan, a4("10.1.0.2"), a4("10.0.0.255"), IPPROTO_UDP_, 40));
	memif_receive(&wan, memif_frame(&wan, a4("10.1.0.2"), a4("10.0.0.0"), IPPROTO_UDP_, 40));
	while (netisr_run())
		;
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(in_lltable(lan.ifp)->count, 0);
	assert_int_equal(drops(drop_find("arp.broadcast")), 2);
}

static void
test_malformed_packets_are_dropped_by_name(void **state)
{
	static const struct {
		const char *why;
		int at;
		uint8_t byte;
		uint32_t len;
	} bad[] = {
		{ "arp.short", 0, 0, 27 },
		{ "arp.format", 1, 6, 28 },
		{ "arp.format", 2, 0x86, 28 },
		{ "arp.format", 4, 8, 28 },
		{ "arp.format", 5, 16, 28 },
		{ "arp.op", 7, 9, 28 },
		{ "arp.op", 7, 0, 28 },
		{ "arp.sender", 8, 3, 28 },
		{ "arp.sender", 14, 224, 28 },
		{ "arp.sender", 14, 127, 28 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct drop_reason *why = drop_find(bad[i].why);
		struct mbuf *m = m_get(ETHER_HDR_LEN_ + 28);
		uint8_t *ap = m->data + ETHER_HDR_LEN_;
		uint64_t before;

		assert_non_null(why);
		before = drops(why);
		memcpy(m->data, ether_broadcast, 6);
		memcpy(m->data + 6, peer_mac, 6);
		memcpy(m->data + 12, "\x08\x06", 2);
		memcpy(ap, "\0\1\x08\0\6\4\0\1", 8);
		memcpy(ap + 8, peer_mac, 6);
		memcpy(ap + 14, &(uint32_t){ a4("10.0.0.2") }, 4);
		memset(ap + 18, 0, 6);
		memcpy(ap + 24, &(uint32_t){ a4("10.0.0.1") }, 4);
		ap[bad[i].at] = bad[i].byte;
		m_trim(m, ETHER_HDR_LEN_ + bad[i].len);
		memif_receive(&lan, m);
		while (netisr_run())
			;
		assert_int_equal(drops(why), before + 1);
	}
	assert_int_equal(lan.sent.len, 0);
	assert_int_equal(in_lltable(lan.ifp)->count, 0);
}

/* Behaviours 41. */
static void
test_b41_proxy_for_the_far_end_of_a_point_to_point_link(void **state)
{
	struct ifnet *ifp = if_alloc(IFT_PPP_, "tun", 0);

	(void)state;
	ifp->if_flags |= IFF_POINTOPOINT_;
	ifp->if_transmit = memif_transmit;
	ifp->if_softc = &wan;
	ifp->if_output[AF_SLOT_INET] = if_transmit_batch;
	assert_int_equal(if_attach(ifp), 0);
	expect_line("ifconfig tun0 inet 10.5.0.1 10.0.0.77", 0, "", "");
	assert_ptr_equal(fib_lookup4(0, a4("10.0.0.77"))->ifp, ifp);
	expect_line("arp -s 10.0.0.77 auto pub", 0, "", "");
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.77");
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(arp_of(lan.sent.head)->sha, lan.ifp->if_lladdr, 6);
	assert_int_equal(arp_of(lan.sent.head)->sip, a4("10.0.0.77"));
	if_detach(ifp);
	if_free(ifp);
}

static void
test_proxyall_answers_for_what_lies_behind_another_interface(void **state)
{
	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.1.0.9");
	assert_int_equal(lan.sent.len, 0);
	expect_line("sysctl net.link.ether.inet.proxyall=1", 0, NULL, "");
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.1.0.9");
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(arp_of(lan.sent.head)->sha, lan.ifp->if_lladdr, 6);
	memif_clear(&lan);
	/* the target is on the asker's own link; or nobody knows where */
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.9");
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "192.0.2.9");
	assert_int_equal(lan.sent.len, 0);
}

/* Behaviours 10: whatever ends an entry, its references come to nothing. */
static void
test_entries_leave_no_reference_whatever_ends_them(void **state)
{
	uint64_t live = lle_live();

	(void)state;
	for (int how = 0; how < 6; how++) {
		expect_line("route add 10.9.0.0/16 10.0.0.2", 0, NULL, "");
		for (int i = 0; i < 1000; i++)
			receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
		receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.3", "10.0.0.1");
		send_some("10.9.0.1", 2);
		send_some("10.0.0.44", 2); /* stays without answer */
		assert_int_equal(entry(&lan, "10.0.0.2")->refs, 3);
		switch (how) {
		case 0:
			run_for(3000 * NS_PER_SEC);
			break;
		case 1:
			expect_line("arp -d -a", 0, "", "");
			break;
		case 2:
			expect_line("ifconfig mem0 inet 10.0.0.1 -alias", 0, "", "");
			expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
			break;
		case 3:
			memif_close(&lan);
			memif_open(&lan, 0);
			expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
			break;
		case 4:
			expect_line("arp -S 10.0.0.2 02:00:00:00:07:07", 0, "", "");
			expect_line("arp -d 10.0.0.2", 0, NULL, "");
			expect_line("arp -d 10.0.0.3", 0, NULL, "");
			expect_line("arp -d 10.0.0.44", 0, NULL, "");
			break;
		default:
			expect_line("jail -c name=j vnet persist", 0, NULL, "");
			expect_line("ifconfig mem0 vnet j", 0, NULL, "");
			expect_line("jail -r j", 0, NULL, "");
			expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
			break;
		}
		verb_line(NULL, "route -q delete 10.9.0.0/16", false, NULL, NULL);
		rcu_synchronize();
		if (lle_live() != live)
			fail_msg("way %d leaves %d entries", how, (int)(lle_live() - live));
		memif_clear(&lan);
	}
}

/* The same by chance: any order of everything. */
static void
test_references_survive_any_order_of_events(void **state)
{
	struct rng rng;
	char line[96], addr[32];

	(void)state;
	rng_seed(&rng, 1, "arp");
	for (int i = 0; i < 4000; i++) {
		unsigned host = 2 + (unsigned)rng_below(&rng, 8);

		snprintf(addr, sizeof(addr), "10.0.0.%u", host);
		switch (rng_below(&rng, 9)) {
		case 0:
			receive(&lan, ARP_REQUEST, peer_mac, addr, "10.0.0.1");
			break;
		case 1:
			receive(&lan, ARP_REPLY, other_mac, addr, "10.0.0.1");
			break;
		case 2:
			send_some(addr, 2);
			break;
		case 3:
			snprintf(line, sizeof(line), "arp -d %s", addr);
			verb_line(NULL, line, false, NULL, NULL);
			break;
		case 4:
			snprintf(line, sizeof(line), "arp -s %s 02:00:00:00:00:%02x%s", addr, host,
			    rng_below(&rng, 2) ? " temp" : "");
			expect_line(line, 0, "", "");
			break;
		case 5:
			snprintf(
			    line, sizeof(line), "route -q add 10.%u.0.0/16 %s", 10 + host, addr);
			verb_line(NULL, line, false, NULL, NULL);
			break;
		case 6:
			snprintf(line, sizeof(line), "route -q delete 10.%u.0.0/16", 10 + host);
			verb_line(NULL, line, false, NULL, NULL);
			break;
		case 7:
			snprintf(addr, sizeof(addr), "10.%u.0.1", 10 + host);
			if (fib_lookup4(0, a4(addr)) != NULL)
				send_some(addr, 1);
			break;
		default:
			run_for(rng_below(&rng, 400) * NS_PER_SEC);
			break;
		}
		memif_clear(&lan);
	}
}

/* Behaviours 11: a neighbour's timer is due in the instant in which its interface leaves. */
static void
test_detach_waits_for_no_timer_and_leaves_none(void **state)
{
	(void)state;
	send_some("10.0.0.2", 1);
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.3", "10.0.0.1");
	run_for(NS_PER_SEC - 1);
	clock_at(clock_now() + 1); /* due, not yet run */
	memif_close(&lan);
	rcu_synchronize();
	assert_int_equal(lle_live(), 0);
	run_for(3000 * NS_PER_SEC);
}

static void
test_noarp_and_staticarp_are_heeded(void **state)
{
	(void)state;
	lan.ifp->if_flags |= IFF_STATICARP_;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_int_equal(lan.sent.len, 1);
	assert_null(entry(&lan, "10.0.0.2"));
	memif_clear(&lan);
	/* it answers and never asks, not even about itself */
	send_some("10.0.0.2", 1);
	arp_announce(lan.ifp, a4("10.0.0.1"));
	assert_int_equal(lan.sent.len, 0);
	lan.ifp->if_flags |= IFF_NOARP_;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	send_some("10.0.0.2", 1);
	assert_int_equal(lan.sent.len, 0);
	lan.ifp->if_flags &= ~(uint32_t)(IFF_NOARP_ | IFF_STATICARP_);
}

static void
test_statistics_say_what_happened(void **state)
{
	struct arpstat st;
	size_t len = sizeof(st);

	(void)state;
	receive(&lan, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
	assert_true(says("netstat -s -p arp", false,
	    "arp:\n\t2 ARP requests sent\n\t1 ARP reply sent\n\t1 ARP request received\n"));
	assert_int_equal(sysctl_read_opaque(sysctl_find("net.link.ether.arp.stats"), &st, &len), 0);
	assert_int_equal(len, sizeof(st));
	assert_int_equal(st.txreplies, 1);
}

#define ARP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ARP_TEST(test_packets_wait_for_the_answer_and_leave_in_order),
		ARP_TEST(test_five_requests_a_second_apart_then_silence_for_twenty_seconds),
		ARP_TEST(test_a_sender_far_away_is_told_that_the_host_is_unreachable),
		ARP_TEST(test_the_newest_packets_are_held),
		ARP_TEST(test_an_entry_goes_twenty_minutes_after_it_was_last_heard),
		ARP_TEST(test_a_request_for_us_is_answered_and_its_sender_learned),
		ARP_TEST(test_what_is_suspicious_is_logged),
		ARP_TEST(test_traffic_makes_no_more_entries_than_the_limit),
		ARP_TEST(test_who_answered_stays_and_who_was_only_heard_of_makes_room),
		ARP_TEST(test_a_new_link_address_is_announced_and_used),
		ARP_TEST(test_a_gateways_entry_is_cached_and_replaced_when_it_was_deleted),
		ARP_TEST(test_no_packet_overtakes_one_that_waits),
		ARP_TEST(test_groups_and_broadcast_need_no_neighbour),
		ARP_TEST(test_a_directed_broadcast_is_not_forwarded_and_asks_for_nobody),
		ARP_TEST(test_malformed_packets_are_dropped_by_name),
		ARP_TEST(test_b41_proxy_for_the_far_end_of_a_point_to_point_link),
		ARP_TEST(test_proxyall_answers_for_what_lies_behind_another_interface),
		ARP_TEST(test_entries_leave_no_reference_whatever_ends_them),
		ARP_TEST(test_references_survive_any_order_of_events),
		ARP_TEST(test_detach_waits_for_no_timer_and_leaves_none),
		ARP_TEST(test_noarp_and_staticarp_are_heeded),
		ARP_TEST(test_statistics_say_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
