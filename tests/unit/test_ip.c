/*
 * Unit tests of IPv4's way in, through and out (inet/ip_input.c, inet/ip_output.c).
 *
 *	10.1.0.0/24 -- mem0 (10.1.0.1) stack mem1 (10.2.0.1) -- 10.2.0.0/24, 10.3.0.0/16 by 10.2.0.2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "inet/icmp.h"
#include "kern/drop.h"
#include "kern/netisr.h"
#include "kern/verb.h"
#include "kern/vnet.h"
#include "memif.h"
#include "net/pfil.h"

#include <errno.h>

static struct memif lan, wan;
static struct audit_counts before;

static uint32_t
a4(const char *text)
{
	uint32_t addr = 0;

	assert_true(in_aton(text, &addr));
	return addr;
}

static void
command(const char *line)
{
	char *out = NULL, *err = NULL;
	int status = verb_line(NULL, line, false, &out, &err);

	if (status != 0)
		print_error("%s: %s", line, err != NULL ? err : "");
	assert_int_equal(status, 0);
	free(out);
	free(err);
}

static int
setup(void **state)
{
	(void)state;
	if (worker_attach(0, CLOCK_VIRTUAL) == NULL)
		return -1;
	kern_init();
	curvnet = vnet0;
	audit_take(&before);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	command("ifconfig mem0 inet 10.1.0.1/24");
	command("ifconfig mem1 inet 10.2.0.1/24");
	command("arp -s 10.1.0.2 02:00:00:00:01:22");
	command("arp -s 10.2.0.2 02:00:00:00:02:22");
	command("route add 10.3.0.0/16 10.2.0.2");
	command("sysctl net.inet.ip.forwarding=1");
	memif_clear(&lan); /* gratuitous ARP */
	memif_clear(&wan);
	return 0;
}

static int
teardown(void **state)
{
	char text[256];

	(void)state;
	memif_close(&lan);
	memif_close(&wan);
	if (audit_compare(&before, text, sizeof(text)) != 0)
		fail_msg("left behind: %s", text);
	curvnet = NULL;
	kern_fini();
	worker_detach();
	return 0;
}

/* The drops of one reason since the start of this stack. */
static uint64_t
drops(const char *dotted)
{
	const struct drop_reason *why = drop_find(dotted);

	assert_non_null(why);
	return drop_get(vnet0, why);
}

static struct icmp_hdr *
frame_icmp(const struct mbuf *m)
{
	assert_int_equal(frame_ip(m)->proto, IPPROTO_ICMP_);
	return (struct icmp_hdr *)(void *)((uint8_t *)frame_ip(m) + ip_hlen(frame_ip(m)));
}

static void
test_forwarded_packet_gets_new_macs_and_a_mended_checksum(void **state)
{
	(void)state;
	memif_receive(&lan, memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46));
	assert_int_equal(wan.sent.len, 1);
	struct mbuf *m = wan.sent.head;
	struct ether_header_ *eh = mtod(m, struct ether_header_ *);

	assert_memory_equal(eh->dst, ((uint8_t[]){ 2, 0, 0, 0, 2, 0x22 }), 6);
	assert_memory_equal(eh->src, wan.ifp->if_lladdr, 6);
	assert_int_equal(from_be16(eh->type), ETHERTYPE_IP_);
	assert_int_equal(frame_ip(m)->ttl, 63);
	assert_int_equal(ip_cksum(frame_ip(m)), 0);
	assert_int_equal(m->len, 60);
	assert_int_equal(V_ipstat.forward, 1);
}

static void
test_link_padding_is_not_forwarded(void **state)
{
	struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46);
	struct ip_hdr *ip = frame_ip(m);

	(void)state;
	ip->len = to_be16(28);
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	memif_receive(&lan, m);
	assert_int_equal(wan.sent.head->len, 28 + ETHER_HDR_LEN_);
}

static void
test_a_shared_buffer_is_copied_before_it_is_changed(void **state)
{
	struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46);
	struct mbuf *clone = m_clone(m);

	(void)state;
	memif_receive(&lan, m);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip(clone)->ttl, 64);
	m_free(clone);
}

static void
test_ttl_one_is_answered_and_dropped(void **state)
{
	struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46);

	(void)state;
	frame_ip(m)->ttl = 1;
	frame_ip(m)->sum = 0;
	frame_ip(m)->sum = ip_cksum(frame_ip(m));
	memif_receive(&lan, m);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_icmp(lan.sent.head)->type, ICMP_TIMXCEED_);
	assert_int_equal(frame_ip(lan.sent.head)->src, a4("10.1.0.1"));
	assert_int_equal(drops("ip.ttl"), 1);
}

static void
test_no_route_is_answered_with_net_unreachable(void **state)
{
	(void)state;
	memif_receive(&lan, memif_frame(&lan, a4("10.1.0.2"), a4("172.16.0.1"), IPPROTO_UDP_, 46));
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_icmp(lan.sent.head)->type, ICMP_UNREACH_);
	assert_int_equal(frame_icmp(lan.sent.head)->code, ICMP_UNREACH_NET_);
	assert_int_equal(drops("ip.noroute"), 1);
}

static void
test_df_over_a_narrow_link_names_its_mtu(void **state)
{
	struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 1400);

	(void)state;
	command("ifconfig mem1 mtu 1280");
	frame_ip(m)->off = to_be16(IP_DF_);
	frame_ip(m)->sum = 0;
	frame_ip(m)->sum = ip_cksum(frame_ip(m));
	memif_receive(&lan, m);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(lan.sent.len, 1);
	assert_int_equal(frame_icmp(lan.sent.head)->code, ICMP_UNREACH_NEEDFRAG_);
	assert_int_equal(from_be16(frame_icmp(lan.sent.head)->frag.mtu), 1280);
}

static void
test_without_df_a_narrow_link_gets_fragments_in_order(void **state)
{
	unsigned offset = 0;

	(void)state;
	command("ifconfig mem1 mtu 1280");
	memif_receive(&lan, memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 1500));
	assert_int_equal(wan.sent.len, 2);
	for (struct mbuf *m = wan.sent.head; m != NULL; m = m->next) {
		const struct ip_hdr *ip = frame_ip(m);

		assert_int_equal((from_be16(ip->off) & IP_OFFMASK_) * 8, offset);
		assert_int_equal((from_be16(ip->off) & IP_MF_) != 0, m->next != NULL);
		assert_int_equal(ip_cksum(ip), 0);
		offset += from_be16(ip->len) - 20;
	}
	assert_int_equal(offset, 1480);
}

static void
test_packet_back_to_its_link_draws_a_redirect_and_goes_on(void **state)
{
	(void)state;
	command("route add 10.9.0.0/16 10.1.0.2");
	memif_receive(&lan, memif_frame(&lan, a4("10.1.0.7"), a4("10.9.0.1"), IPPROTO_UDP_, 46));
	/*
	 * the redirect to 10.1.0.7 waits for ARP, whose request is there; the packet itself went on
	 */
	assert_int_equal(V_ipstat.redirectsent, 1);
	assert_int_equal(V_ipstat.forward, 1);
}

static void
test_host_does_not_forward(void **state)
{
	(void)state;
	command("sysctl net.inet.ip.forwarding=0");
	memif_receive(&lan, memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46));
	assert_int_equal(wan.sent.len + lan.sent.len, 0);
	assert_int_equal(drops("ip.cantforward"), 1);
}

static void
test_each_malformed_header_has_its_counter(void **state)
{
	static const struct {
		const char *counter;
		int at;
		uint8_t value;
		bool fix_sum;
	} bad[] = {
		{ "ip.badvers", 0, 0x65, true },
		{ "ip.badhlen", 0, 0x44, true },
		{ "ip.badsum", 10, 0x77, false },
		{ "ip.badlen", 3, 19, true },
		{ "ip.tooshort", 2, 9, true },
		{ "ip.badaddr", 12, 127, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mbuf *m = memif_frame(
		    &lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46);
		struct ip_hdr *ip = frame_ip(m);

		((uint8_t *)ip)[bad[i].at] = bad[i].value;
		if (bad[i].fix_sum) {
			ip->sum = 0;
			if (ip_hlen(ip) == 20)
				ip->sum = ip_cksum(ip);
		}
		memif_receive(&lan, m);
		assert_int_equal(drops(bad[i].counter), 1);
	}
	struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46);
	m_trim(m, ETHER_HDR_LEN_ + 12);
	memif_receive(&lan, m);
	assert_int_equal(drops("ip.toosmall"), 1);
	assert_int_equal(wan.sent.len, 0);
}

static void
test_unforwardable_destinations_stay_here(void **state)
{
	static const char *const dst[] = { "0.1.2.3", "127.9.9.9", "240.0.0.1", "239.1.1.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(dst) / sizeof(dst[0]); i++)
		memif_receive(
		    &lan, memif_frame(&lan, a4("10.1.0.2"), a4(dst[i]), IPPROTO_UDP_, 46));
	assert_int_equal(wan.sent.len, 0);
}

/* Answers and forwarded packets of one batch leave one interface in the order of their causes. */
static void
test_no_packet_overtakes_another_of_its_batch(void **state)
{
	struct batch b = { 0 };
	uint16_t expect[9];
	int n = 0;

	(void)state;
	command("route add 10.9.0.0/16 10.1.0.2");
	command("sysctl net.inet.ip.redirect=0");
	for (uint16_t i = 0; i < 9; i++) {
		/* in turn: forwarded back to this link; ttl exceeded; echo request to us */
		struct mbuf *m = memif_frame(&lan, a4("10.1.0.2"),
		    i % 3 == 2 ? a4("10.1.0.1") : a4("10.9.0.1"),
		    i % 3 == 2 ? IPPROTO_ICMP_ : IPPROTO_UDP_, 48);
		struct ip_hdr *ip = frame_ip(m);

		if (i % 3 == 2) {
			struct icmp_hdr *icmp = (struct icmp_hdr *)(void *)(ip + 1);

			*icmp = (struct icmp_hdr){ .type = ICMP_ECHO_ };
			icmp->sum = 0;
			icmp->sum = cksum_fold(cksum_add(0, icmp, 28));
		}
		ip->ttl = i % 3 == 1 ? 1 : 64;
		ip->id = to_be16(i);
		ip->sum = 0;
		ip->sum = ip_cksum(ip);
		expect[i] = i % 3;
		batch_add(&b, m);
	}
	if_receive(lan.ifp, &b);
	assert_int_equal(lan.sent.len, 9);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next) {
		const struct ip_hdr *ip = frame_ip(m);
		uint16_t kind = ip->proto == IPPROTO_UDP_ ? 0 :
		    frame_icmp(m)->type == ICMP_TIMXCEED_ ? 1 :
							    2;

		assert_int_equal(kind, expect[n++]);
	}
}

static void
take_every_other(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	struct batch keep = { 0 };
	unsigned i = 0;

	(void)ifp;
	(void)dir;
	batch_foreach(b, m) {
		if (i++ % 2 == 0)
			batch_add(&keep, m);
		else
			m_free(m);
	}
	*b = keep;
	++*(unsigned *)ctx;
}

static void
test_filter_hooks_see_batches_and_may_take_packets(void **state)
{
	struct batch b = { 0 };
	unsigned calls = 0;

	(void)state;
	assert_int_equal(pfil_add(PFIL_INET, PFIL_IN, take_every_other, &calls, 0), 0);
	for (int i = 0; i < 8; i++)
		batch_add(&b, memif_frame(&lan, a4("10.1.0.2"), a4("10.3.1.1"), IPPROTO_UDP_, 46));
	if_receive(lan.ifp, &b);
	assert_int_equal(calls, 1);
	assert_int_equal(wan.sent.len, 4);
	pfil_remove(PFIL_INET, PFIL_IN, take_every_other, &calls);
}

static void
test_output_says_what_is_wrong(void **state)
{
	const struct ip_opts_out df = { .df = true };

	(void)state;
	assert_int_equal(ip_output(m_get(8), 0, a4("172.16.0.1"), 200, NULL), -EHOSTUNREACH);
	assert_int_equal(ip_output(m_get(1600), 0, a4("10.2.0.2"), 200, &df), -EMSGSIZE);
	assert_int_equal(ip_output(m_get(65530), 0, a4("10.2.0.2"), 200, NULL), -EMSGSIZE);
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(ip_output(m_get(8), 0, a4("10.2.0.2"), 200, NULL), 0);
	assert_int_equal(wan.sent.len, 1);
	assert_int_equal(frame_ip(wan.sent.head)->src, a4("10.2.0.1"));
}

static void
test_broadcast_goes_to_everybody_on_the_link(void **state)
{
	(void)state;
	assert_int_equal(ip_output(m_get(8), 0, a4("10.2.0.255"), 200, NULL), 0);
	assert_int_equal(wan.sent.len, 1);
	assert_memory_equal(wan.sent.head->data, ether_broadcast, 6);
}

static void
test_a_packet_to_ourselves_comes_back(void **state)
{
	(void)state;
	command("ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(ip_output(m_get(8), 0, a4("10.2.0.1"), 200, NULL), 0);
	while (netisr_run())
		;
	assert_int_equal(wan.sent.len, 0);
	assert_int_equal(V_ipstat.noproto, 1);
	command("ifconfig lo0 inet 127.0.0.1 delete");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(test_forwarded_packet_gets_new_macs_and_a_mended_checksum),
		TEST(test_link_padding_is_not_forwarded),
		TEST(test_a_shared_buffer_is_copied_before_it_is_changed),
		TEST(test_ttl_one_is_answered_and_dropped),
		TEST(test_no_route_is_answered_with_net_unreachable),
		TEST(test_df_over_a_narrow_link_names_its_mtu),
		TEST(test_without_df_a_narrow_link_gets_fragments_in_order),
		TEST(test_packet_back_to_its_link_draws_a_redirect_and_goes_on),
		TEST(test_host_does_not_forward),
		TEST(test_each_malformed_header_has_its_counter),
		TEST(test_unforwardable_destinations_stay_here),
		TEST(test_no_packet_overtakes_another_of_its_batch),
		TEST(test_filter_hooks_see_batches_and_may_take_packets),
		TEST(test_output_says_what_is_wrong),
		TEST(test_broadcast_goes_to_everybody_on_the_link),
		TEST(test_a_packet_to_ourselves_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
