/*
 * Replays: which packets of a file are sent, when, and how they were changed.
 */
#include "inet_fixture.h"

#include "inet6/ip6.h"
#include "port/pcap.h"

#include <pcap/pcap.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char folder[] = "/tmp/warren-replay-XXXXXX", path[64];

static int
setup(void **state)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.pcap", folder);
	return inet_setup(state);
}

static int
teardown(void **state)
{
	unlink(path);
	rmdir(folder);
	return inet_teardown(state);
}

/* --- files --------------------------------------------------------------- */

static pcap_dumper_t *dumper;
static pcap_t *dead;

static void
file_begin(int dlt)
{
	dead = pcap_open_dead_with_tstamp_precision(dlt, 65535, PCAP_TSTAMP_PRECISION_NANO);
	dumper = pcap_dump_open(dead, path);
	assert_non_null(dumper);
}

static void
file_put(uint64_t when_ns, const void *bytes, uint32_t len)
{
	struct pcap_pkthdr h = { .caplen = len, .len = len };

	h.ts.tv_sec = 1000 + (time_t)(when_ns / NS_PER_SEC);
	h.ts.tv_usec = (suseconds_t)(when_ns % NS_PER_SEC);
	pcap_dump((u_char *)dumper, &h, bytes);
}

static void
file_end(void)
{
	pcap_dump_close(dumper);
	pcap_close(dead);
}

/* A UDP packet at its IP header, checksums right; `head` bytes before it are left free. */
static uint8_t *
udp_packet(uint32_t head, const char *src, const char *dst, uint32_t data)
{
	static uint8_t bytes[2048];
	struct ip_hdr *ip = (struct ip_hdr *)(void *)(bytes + head);
	uint8_t *udp = bytes + head + 20;
	uint16_t len = (uint16_t)(8 + data), sum;

	memset(bytes, 0, sizeof(bytes));
	*ip = (struct ip_hdr){ .vhl = 0x45,
		.len = to_be16((uint16_t)(20 + len)),
		.ttl = 64,
		.proto = IPPROTO_UDP_,
		.src = a4(src),
		.dst = a4(dst) };
	ip->sum = ip_cksum(ip);
	memcpy(udp, (uint8_t[]){ 0x10, 0, 0x20, 0, (uint8_t)(len >> 8), (uint8_t)len }, 6);
	for (uint32_t i = 0; i < data; i++)
		udp[8 + i] = (uint8_t)i;
	sum = cksum_fold(cksum_add(ip_pseudo_sum(ip->src, ip->dst, ip->proto, len), udp, len));
	memcpy(udp + 6, &sum, 2);
	return bytes;
}

static uint8_t *
udp_frame(const char *src, const char *dst, uint32_t data)
{
	uint8_t *p = udp_packet(14, src, dst, data);

	memcpy(p, (uint8_t[]){ 2, 0, 0, 0, 7, 7, 2, 0, 0, 0, 7, 8, 8, 0 }, 14);
	return p;
}

/* n frames of 10.0.0.2 to 10.9.0.1, a millisecond apart. */
static void
file_of(unsigned n)
{
	file_begin(DLT_EN10MB);
	for (unsigned i = 0; i < n; i++)
		file_put(i * NS_PER_MS, udp_frame("10.0.0.2", "10.9.0.1", 10 + i), 52 + i);
	file_end();
}

static struct replay *
start(struct replay_config c)
{
	const char *why = NULL;
	struct replay *r;

	c.file = path;
	if (c.ifp == NULL)
		c.ifp = lan.ifp;
	r = replay_new(&c, &why);
	if (r == NULL)
		fail_msg("%s", why);
	return r;
}

static void
assert_refused(struct replay_config c, const char *words)
{
	const char *why = NULL;

	c.file = path;
	c.ifp = lan.ifp;
	assert_null(replay_new(&c, &why));
	assert_non_null(why);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	assert_null(strchr(why, '\n'));
	assert_non_null(strstr(why, path));
}

static struct replay_stats
stats(struct replay *r)
{
	struct replay_stats st;

	replay_stats(r, &st);
	assert_int_equal(st.read >= st.skipped_filter + st.skipped_type, 1);
	return st;
}

/* --- times --------------------------------------------------------------- */

static void
assert_sent_at(const uint64_t *ns, unsigned n)
{
	const struct mbuf *m = lan.sent.head;

	assert_int_equal(lan.sent.len, n);
	for (unsigned i = 0; i < n; i++, m = m->next)
		assert_int_equal(m->when_ns, ns[i]);
}

static void
test_packets_go_at_their_own_times(void **state)
{
	const uint64_t want[] = { 5000000, 6000000, 7000000 };
	struct replay *r;

	(void)state;
	file_of(3);
	r = start((struct replay_config){ .transmit = true, .start_ns = 5 * NS_PER_MS });
	sched_run(NS_PER_SEC);
	assert_sent_at(want, 3);
	assert_true(stats(r).done);
	assert_int_equal(stats(r).sent, 3);
	assert_int_equal(stats(r).bytes, 52 + 53 + 54);
	assert_null(replay_note(r));
	replay_free(r);
}

static void
test_packets_go_faster_or_slower_as_asked(void **state)
{
	const uint64_t fast[] = { 0, 100000, 200000 }, slow[] = { 10000000, 12000000, 14000000 };
	struct replay *r;

	(void)state;
	file_of(3);
	r = start((struct replay_config){ .transmit = true, .speed = 10 });
	sched_run(10 * NS_PER_MS);
	assert_sent_at(fast, 3);
	replay_free(r);
	memif_clear(&lan);
	r = start((struct replay_config){ .transmit = true, .speed = 0.5, .start_ns = 3 });
	sched_run(NS_PER_SEC);
	assert_sent_at(slow, 3); /* a start in the past is now */
	replay_free(r);
}

static void
test_a_rate_spaces_packets_evenly_through_all_loops(void **state)
{
	struct replay *r;
	uint64_t want[200];

	(void)state;
	file_of(100);
	r = start((struct replay_config){ .transmit = true, .rate_pps = 3, .loops = 2 });
	sched_run(100 * NS_PER_SEC);
	for (unsigned i = 0; i < 200; i++)
		want[i] = (i / 100) * (100 * NS_PER_SEC / 3) + i % 100 * NS_PER_SEC / 3;
	assert_sent_at(want, 200);
	replay_free(r);
}

static void
test_a_loop_begins_one_mean_gap_after_the_last(void **state)
{
	const uint64_t want[] = { 0, 1000000, 2000000, 3000000, 4000000, 5000000 };
	struct replay *r;

	(void)state;
	file_of(3);
	r = start((struct replay_config){ .transmit = true, .loops = 2 });
	sched_run(NS_PER_SEC);
	assert_sent_at(want, 6);
	replay_free(r);
}

static void
test_times_that_step_back_never_send_back_in_time(void **state)
{
	const uint64_t want[] = { 0, 3000000, 3000000, 3000000, 4000000 };
	const uint64_t times[] = { 7, 10, 8, 2, 11 };
	struct replay *r;

	(void)state;
	file_begin(DLT_EN10MB);
	for (unsigned i = 0; i < 5; i++)
		file_put(times[i] * NS_PER_MS, udp_frame("10.0.0.2", "10.9.0.1", 10), 52);
	file_end();
	r = start((struct replay_config){ .transmit = true });
	sched_run(NS_PER_SEC);
	assert_sent_at(want, 5);
	replay_free(r);
}

static void
test_a_broken_time_stamp_overflows_nothing_and_is_told(void **state)
{
	struct replay *r;

	(void)state;
	file_begin(DLT_EN10MB);
	file_put(0, udp_frame("10.0.0.2", "10.9.0.1", 10), 52);
	file_put(UINT64_C(4000000000) * NS_PER_SEC, udp_frame("10.0.0.2", "10.9.0.1", 10), 52);
	file_end();
	r = start((struct replay_config){ .transmit = true, .speed = 1e-9, .loops = 3 });
	assert_non_null(replay_note(r));
	assert_non_null(strstr(replay_note(r), "days"));
	sched_run(NS_PER_SEC);
	assert_int_equal(lan.sent.len, 1);
	assert_false(stats(r).done);
	replay_free(r);
}

/* --- choice -------------------------------------------------------------- */

static void
test_a_filter_and_a_count_choose(void **state)
{
	struct replay *r;

	(void)state;
	file_of(10);
	r = start((struct replay_config){ .transmit = true, .filter = "len > 54", .count = 4 });
	sched_run(NS_PER_SEC);
	assert_int_equal(stats(r).sent, 4);
	assert_int_equal(stats(r).skipped_filter, 3);
	assert_int_equal(stats(r).read, 7);
	assert_int_equal(lan.sent.head->len, 55);
	assert_int_equal(lan.sent.head->when_ns, 0); /* the first that is sent begins */
	replay_free(r);
}

static void
test_files_that_cannot_be_read_are_refused_in_one_line(void **state)
{
	FILE *f;

	(void)state;
	assert_refused((struct replay_config){ 0 }, "No such file");
	file_of(2);
	assert_refused(
	    (struct replay_config){ .filter = "this is no filter" }, "this is no filter");
	assert_refused((struct replay_config){ .filter = "tcp" }, "none of its packets");
	file_of(0);
	assert_refused((struct replay_config){ 0 }, "no packet");
	f = fopen(path, "w");
	fputs("not a capture at all, but long enough to look at", f);
	fclose(f);
	assert_refused((struct replay_config){ 0 }, "unknown file format");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused((struct replay_config){ 0 }, "not a regular file");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused((struct replay_config){ 0 }, "not a regular file");
	rmdir(path);
}

static void
test_a_file_cut_in_a_record_gives_what_came_before_and_a_note(void **state)
{
	struct replay *r;

	(void)state;
	file_of(5);
	assert_int_equal(truncate(path, 24 + 3 * 16 + 52 + 53 + 20), 0);
	r = start((struct replay_config){ .transmit = true });
	assert_non_null(replay_note(r));
	assert_non_null(strstr(replay_note(r), "truncated"));
	sched_run(NS_PER_SEC);
	assert_int_equal(stats(r).sent, 2);
	replay_free(r);
}

static void
test_a_gzipped_file_is_read_as_it_is(void **state)
{
	static char bytes[4096];
	struct replay *r;
	size_t len;
	gzFile gz;
	FILE *f;

	(void)state;
	file_of(5);
	f = fopen(path, "rb");
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	gz = gzopen(path, "wb");
	gzwrite(gz, bytes, (unsigned)len);
	gzclose(gz);
	r = start((struct replay_config){ .transmit = true });
	sched_run(NS_PER_SEC);
	assert_int_equal(stats(r).sent, 5);
	replay_free(r);
	assert_int_equal(truncate(path, 60), 0);
	assert_refused((struct replay_config){ .filter = "len > 54" }, "");
}

/* --- ways ---------------------------------------------------------------- */

static void
test_frames_received_go_through_the_stack(void **state)
{
	struct replay *r;

	(void)state;
	file_begin(DLT_EN10MB);
	file_put(0, udp_frame("10.0.0.2", "10.0.0.1", 10), 52);
	file_put(1, udp_frame("10.0.0.2", "10.9.0.1", 10), 52);
	file_end();
	r = start((struct replay_config){ 0 });
	sched_run(NS_PER_SEC);
	assert_int_equal(drops("ether.not-for-us"), 2); /* another station's, as on the wire */
	replay_free(r);

	struct replay_config c = { .set_dst_mac = true };

	memcpy(c.next_mac, lan.ifp->if_lladdr, 6);
	r = start(c);
	sched_run(2 * NS_PER_SEC);
	assert_int_equal(drops("ether.not-for-us"), 2);
	assert_int_equal(drops("udp.noport"), 1);
	assert_int_equal(drops("ip.cantforward"), 1);
	replay_free(r);
}

static void
test_group_frames_stay_group_frames(void **state)
{
	uint8_t *p = udp_frame("10.0.0.2", "10.9.0.1", 10);
	struct replay *r;

	(void)state;
	memset(p, 0xff, 6);
	file_begin(DLT_EN10MB);
	file_put(0, p, 52);
	file_end();
	r = start(
	    (struct replay_config){ .transmit = true, .set_dst_mac = true, .next_mac = { 2, 1 } });
	sched_run(NS_PER_SEC);
	assert_memory_equal(lan.sent.head->data, ether_broadcast, 6);
	assert_memory_equal(lan.sent.head->data + 6, lan.ifp->if_lladdr, 6);
	replay_free(r);
}

static void
test_other_link_types_get_an_ethernet_header(void **state)
{
	static const struct {
		int dlt;
		uint32_t head;
		uint8_t bytes[20];
	} links[] = {
		{ DLT_NULL, 4, { 2 } },
		{ DLT_LOOP, 4, { 0, 0, 0, 2 } },
		{ DLT_RAW, 0, { 0 } },
		{ DLT_IPV4, 0, { 0 } },
		{ DLT_LINUX_SLL, 16, { [14] = 8 } },
		{ DLT_LINUX_SLL2, 20, { 8 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		uint8_t *p = udp_packet(links[i].head, "10.0.0.2", "10.0.0.1", 10);
		struct replay *r;

		memcpy(p, links[i].bytes, links[i].head);
		file_begin(links[i].dlt);
		file_put(0, p, links[i].head + 38);
		file_end();
		r = start((struct replay_config){ 0 });
		sched_run(clock_now() + NS_PER_SEC);
		assert_int_equal(drops("udp.noport"), i + 1);
		replay_free(r);
	}
}

static void
test_link_types_without_ip_are_skipped(void **state)
{
	(void)state;
	file_begin(DLT_IEEE802_15_4_NOFCS);
	file_put(0, udp_frame("10.0.0.2", "10.0.0.1", 10), 52);
	file_end();
	assert_refused((struct replay_config){ 0 }, "none of its packets can be sent");
}

static void
test_vlan_tags_stay_on_the_wire_and_go_when_routed(void **state)
{
	uint8_t *p = udp_packet(18, "10.0.0.9", "10.0.0.2", 10);
	struct replay *r;

	(void)state;
	memcpy(p, (uint8_t[]){ 2, 0, 0, 0, 7, 7, 2, 0, 0, 0, 7, 8, 0x81, 0, 0, 5, 8, 0 }, 18);
	file_begin(DLT_EN10MB);
	file_put(0, p, 56);
	file_end();
	r = start((struct replay_config){ .transmit = true });
	sched_run(NS_PER_SEC);
	assert_int_equal(lan.sent.head->len, 56);
	assert_memory_equal(lan.sent.head->data, p, 56);
	replay_free(r);
	memif_clear(&lan);

	r = start((struct replay_config){ .route = true });
	sched_run(2 * NS_PER_SEC);
	assert_int_equal(sent_one_of(1)->len, 52);
	assert_memory_equal(lan.sent.head->data + 14, p + 18, 38);
	replay_free(r);
}

static void
test_routed_packets_are_sound_and_have_a_route(void **state)
{
	uint8_t *p;
	struct replay *r;
	struct replay_stats st;

	(void)state;
	file_begin(DLT_RAW);
	file_put(0, udp_packet(0, "10.0.0.9", "10.0.0.2", 10), 44);  /* 6 bytes of padding */
	file_put(1, udp_packet(0, "10.0.0.9", "10.99.0.2", 10), 38); /* no route */
	file_put(2, udp_packet(0, "10.0.0.9", "10.0.0.1", 10), 38);  /* to the sender itself */
	p = udp_packet(0, "10.0.0.9", "10.0.0.2", 10);
	p[0] = 0x44;
	file_put(3, p, 38);
	p = udp_packet(0, "10.0.0.9", "10.0.0.2", 10);
	file_put(4, p, 37); /* cut */
	p[0] = 0x60;
	file_put(5, p, 38); /* IPv6 */
	file_end();
	r = start((struct replay_config){ .route = true });
	sched_run(NS_PER_SEC);
	st = stats(r);
	assert_int_equal(st.read, 6);
	assert_int_equal(st.sent, 1);
	assert_int_equal(st.bytes, 38);
	assert_int_equal(st.errors, 5);
	assert_int_equal(drops("ip.noroute"), 2);
	assert_int_equal(sent_one_of(1)->len, 52);
	replay_free(r);
}

static void
test_mapped_addresses_keep_host_bits_and_checksums_right(void **state)
{
	struct replay_config c = { .transmit = true, .nmaps = 2 };
	struct replay *r;
	struct ip_hdr *ip;
	uint8_t *udp;

	(void)state;
	c.map[0] = (struct replay_map){ ipaddr4(a4("10.0.0.0")), ipaddr4(a4("192.168.0.0")), 8 };
	c.map[1] = (struct replay_map){ ipaddr4(a4("172.16.0.0")), ipaddr4(a4("10.1.0.0")), 16 };
	file_begin(DLT_EN10MB);
	file_put(0, udp_frame("10.77.3.9", "172.16.4.2", 11), 53);
	file_end();
	r = start(c);
	sched_run(NS_PER_SEC);
	ip = frame_ip(lan.sent.head);
	assert_int_equal(ip->src, a4("192.77.3.9"));
	assert_int_equal(ip->dst, a4("10.1.4.2"));
	assert_int_equal(ip_cksum(ip), 0);
	udp = (uint8_t *)(ip + 1);
	assert_int_equal(
	    cksum_fold(cksum_add(ip_pseudo_sum(ip->src, ip->dst, IPPROTO_UDP_, 19), udp, 19)), 0);
	replay_free(r);
}

/* A UDP packet of IPv6, its checksum right, behind a hop-by-hop header of padding. */
static void
udp6_packet(uint8_t p[72], const char *src, const char *dst)
{
	struct ip6_hdr *ip6 = (struct ip6_hdr *)(void *)p;

	memset(p, 0, 72);
	ip6->flow = to_be32(0x60000000);
	ip6->plen = to_be16(32);
	ip6->hlim = 64;
	assert_true(in6_aton(src, &ip6->src));
	assert_true(in6_aton(dst, &ip6->dst));
	memcpy(p + 40, (uint8_t[]){ IPPROTO_UDP_, 0, 1, 4 }, 4);
	memcpy(p + 48, (uint8_t[]){ 0x10, 0, 0x20, 0, 0, 24 }, 6);
	memset(p + 56, 0xa5, 16);
	store16(p + 54,
	    cksum_fold(
		cksum_add(ip6_pseudo_sum(&ip6->src, &ip6->dst, IPPROTO_UDP_, 24), p + 48, 24)));
}

static void
test_ipv6_addresses_are_mapped_and_their_checksums_stay_right(void **state)
{
	struct replay_config c = { .nmaps = 1 };
	const struct ip6_hdr *ip6;
	struct in6 from, to, want;
	struct replay *r;
	uint8_t p[72];

	(void)state;
	assert_true(in6_aton("2001:db8:1::", &from) && in6_aton("fd00:77::", &to));
	c.map[0] = (struct replay_map){ ipaddr6(&from), ipaddr6(&to), 48 };
	c.transmit = true;
	file_begin(DLT_RAW);
	udp6_packet(p, "2001:db8:1::7", "2001:db8:2::8");
	file_put(0, p, sizeof(p));
	file_end();
	r = start(c);
	sched_run(NS_PER_SEC);
	ip6 = (const struct ip6_hdr *)(const void *)(sent_one_of(1)->data + 14);
	assert_true(in6_aton("fd00:77::7", &want));
	assert_true(in6_equal(&ip6->src, &want));
	assert_true(in6_aton("2001:db8:2::8", &want));
	assert_true(in6_equal(&ip6->dst, &want));
	assert_int_equal(cksum_fold(cksum_add(ip6_pseudo_sum(&ip6->src, &ip6->dst, 17, 24),
			     (const uint8_t *)(ip6 + 1) + 8, 24)),
	    0);
	replay_free(r);
}

static void
test_ipv6_packets_go_by_the_nodes_routes(void **state)
{
	struct replay *r;
	uint8_t p[72];

	(void)state;
	command("ifconfig mem0 inet6 2001:db8:5::1/64 no_dad");
	command("ndp -s 2001:db8:5::2 02:00:00:00:00:99");
	command("route -6 add 2001:db8:2::/48 2001:db8:5::2");
	memif_clear(&lan);
	file_begin(DLT_RAW);
	udp6_packet(p, "2001:db8:1::7", "2001:db8:2::8");
	file_put(0, p, sizeof(p));
	udp6_packet(p, "2001:db8:1::7", "2001:db8:99::8");
	file_put(1, p, sizeof(p));
	file_end();
	r = start((struct replay_config){ .route = true });
	sched_run(NS_PER_MS);
	assert_int_equal(stats(r).sent, 1);
	assert_int_equal(stats(r).errors, 1);
	assert_int_equal(sent_one_of(1)->len, 86);
	assert_memory_equal(lan.sent.head->data, "\2\0\0\0\0\x99", 6);
	replay_free(r);
}

static void
test_a_udp_checksum_that_becomes_zero_is_written_as_ones(void **state)
{
	struct replay_config c = { .transmit = true, .nmaps = 1 };
	unsigned zeros = 0;

	(void)state;
	c.map[0] = (struct replay_map){ ipaddr4(a4("10.0.0.0")), ipaddr4(a4("10.9.0.0")), 16 };
	/* by the port every sum comes by; one of them is nought */
	file_begin(DLT_RAW);
	for (unsigned port = 0; port < 65536; port++) {
		uint8_t *p = udp_packet(0, "10.0.0.9", "10.77.0.2", 0);
		uint16_t sum;

		p[20] = (uint8_t)(port >> 8);
		p[21] = (uint8_t)port;
		p[26] = p[27] = 0;
		sum = cksum_fold(
		    cksum_add(ip_pseudo_sum(load32(p + 12), load32(p + 16), 17, 8), p + 20, 8));
		memcpy(p + 26, sum == 0 ? (uint16_t[]){ 0xffff } : &sum, 2);
		file_put(0, p, 28);
	}
	file_end();
	struct replay *r = start(c);
	sched_run(NS_PER_SEC);
	for (struct mbuf *m = lan.sent.head; m != NULL; m = m->next) {
		const uint8_t *p = m->data + 14;

		zeros += load16(p + 26) == 0;
		assert_int_equal(
		    cksum_fold(
			cksum_add(ip_pseudo_sum(load32(p + 12), load32(p + 16), 17, 8), p + 20, 8)),
		    0);
	}
	assert_int_equal(lan.sent.len, 65536);
	assert_int_equal(zeros, 0);
	replay_free(r);
}

static void
test_a_replay_ends_with_its_interface(void **state)
{
	struct replay *r;

	(void)state;
	chain(2);
	file_of(100);
	{
		VNET_SCOPE(vnet_of("n1"));
		r = start((struct replay_config){
		    .ifp = if_byname("epair1a"), .loops = 1000, .start_ns = clock_now() });
	}
	sched_run(clock_now() + 10 * NS_PER_MS);
	assert_false(stats(r).done);
	command("jail -r n1");
	assert_true(stats(r).done);
	sched_run(clock_now() + NS_PER_SEC);
	replay_free(r);
}

static void
test_a_replay_out_of_memory_counts_errors_and_goes_on(void **state)
{
	uint64_t limit;
	struct replay *r;

	(void)state;
	file_of(70);
	r = start((struct replay_config){ .transmit = true });
	limit = m_set_limit(1);
	struct mbuf *taken[20000];
	unsigned n = 0;

	while (n < 20000 && (taken[n] = m_get(60)) != NULL)
		n++;
	assert_true(n < 20000);
	sched_run(NS_PER_SEC);
	assert_true(stats(r).done);
	assert_int_equal(stats(r).sent + stats(r).errors, 70);
	assert_true(stats(r).errors > 0);
	m_set_limit(limit);
	while (n > 0)
		m_free(taken[--n]);
	replay_free(r);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_packets_go_at_their_own_times),
		T(test_packets_go_faster_or_slower_as_asked),
		T(test_a_rate_spaces_packets_evenly_through_all_loops),
		T(test_a_loop_begins_one_mean_gap_after_the_last),
		T(test_times_that_step_back_never_send_back_in_time),
		T(test_a_broken_time_stamp_overflows_nothing_and_is_told),
		T(test_a_filter_and_a_count_choose),
		T(test_files_that_cannot_be_read_are_refused_in_one_line),
		T(test_a_file_cut_in_a_record_gives_what_came_before_and_a_note),
		T(test_a_gzipped_file_is_read_as_it_is),
		T(test_frames_received_go_through_the_stack),
		T(test_group_frames_stay_group_frames),
		T(test_other_link_types_get_an_ethernet_header),
		T(test_link_types_without_ip_are_skipped),
		T(test_vlan_tags_stay_on_the_wire_and_go_when_routed),
		T(test_routed_packets_are_sound_and_have_a_route),
		T(test_mapped_addresses_keep_host_bits_and_checksums_right),
		T(test_ipv6_addresses_are_mapped_and_their_checksums_stay_right),
		T(test_ipv6_packets_go_by_the_nodes_routes),
		T(test_a_udp_checksum_that_becomes_zero_is_written_as_ones),
		T(test_a_replay_ends_with_its_interface),
		T(test_a_replay_out_of_memory_counts_errors_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
