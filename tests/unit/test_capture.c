/*
 * Captures: what is written, in which order, and what is said about packets that were dropped.
 */
#include "inet_fixture.h"

#include "port/pcap.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a capture has written. */
static struct {
	uint8_t bytes[1 << 20];
	size_t len;
	unsigned over;
} got;

static void
sink(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	assert_true(got.len + len <= sizeof(got.bytes));
	memcpy(got.bytes + got.len, bytes, len);
	got.len += len;
}

static void
over(void *ctx)
{
	(void)ctx;
	got.over++;
}

static struct capture *
start(struct capture_config c)
{
	const char *why;
	struct capture *cap;

	memset(&got, 0, sizeof(got));
	c.sink = sink;
	c.over = over;
	if ((cap = capture_new(&c, &why)) == NULL)
		fail_msg("%s", why);
	return cap;
}

/* Times (of the stack's clock) and lengths of what was written. */
static struct {
	unsigned n;
	uint64_t when_ns[4096];
	uint32_t caplen[4096], len[4096];
} file;

static void
read_file(void)
{
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(
	    fmemopen(got.bytes, got.len, "rb"), PCAP_TSTAMP_PRECISION_NANO, err);

	if (p == NULL)
		fail_msg("%s", err);
	for (file.n = 0; pcap_next_ex(p, &h, &bytes) == 1; file.n++) {
		file.when_ns[file.n] = (uint64_t)h->ts.tv_sec * NS_PER_SEC +
		    (uint64_t)h->ts.tv_usec - clock_epoch_ns();
		file.caplen[file.n] = h->caplen;
		file.len[file.n] = h->len;
	}
	pcap_close(p);
}

/* How often a text stands in the file. */
static unsigned
times_said(const char *text)
{
	const uint8_t *at = got.bytes, *end = got.bytes + got.len;
	unsigned n = 0;

	for (; (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL; at++)
		n++;
	return n;
}

/* A UDP frame for `dst` comes by lan. */
static void
receive(const char *dst, uint8_t ttl)
{
	struct mbuf *m = memif_frame(&lan, a4("10.0.0.2"), a4(dst), IPPROTO_UDP_, 60);
	struct ip_hdr *ip = frame_ip(m);

	memcpy(ip + 1, (uint8_t[]){ 0x10, 0, 0x20, 0, 0, 40, 0, 0 }, 8);
	ip->ttl = ttl;
	ip->sum = 0;
	ip->sum = ip_cksum(ip);
	memif_receive(&lan, m);
}

static void
test_what_passes_an_interface_is_in_the_file(void **state)
{
	struct capture *cap = start((struct capture_config){ 0 });
	uint64_t seen, written, dropped;

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	sched_run(5 * NS_PER_MS);
	receive("10.0.0.1", 64); /* and its answer: port unreachable */
	capture_counts(cap, &seen, &written, &dropped);
	assert_int_equal(seen, 2);
	assert_int_equal(written, 2);
	assert_int_equal(dropped, 0);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.n, 2);
	assert_int_equal(file.when_ns[0], 5 * NS_PER_MS);
	assert_int_equal(file.len[0], 74);
	assert_int_equal(times_said("host:mem0"), 1);
}

static void
test_records_of_several_stacks_are_sorted_by_time(void **state)
{
	struct capture *cap;
	struct tool t;
	struct ifnet *ifp;
	struct vnet *v;

	(void)state;
	chain(4);
	cap = start((struct capture_config){ .flush = true, .as_ethernet = true });
	VNET_FOREACH(v) {
		VNET_SCOPE(v);
		IF_FOREACH(ifp)
			assert_int_equal(capture_add(cap, ifp), 0);
	}
	assert_int_equal(tool(&t, "n1", "ping -c 5 -i 0.01 10.3.0.2"), 0);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	/* 5 echoes there and back over 3 links with 2 ends each, and ARP */
	assert_true(file.n >= 60);
	for (unsigned i = 1; i < file.n; i++)
		assert_true(file.when_ns[i] >= file.when_ns[i - 1]);
	assert_int_equal(times_said("n2:epair2a"), 1);
}

static void
test_records_that_came_in_another_order_go_out_by_time(void **state)
{
	struct capture *cap = start((struct capture_config){ .max_packets = 3 });
	const uint64_t times[] = { 50, 10, 40, 20, 30 };
	struct batch b = { .n = 0 };
	uint64_t seen, written, dropped;

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	for (unsigned i = 0; i < 5; i++) {
		struct mbuf *m = memif_frame(&lan, a4("10.0.0.2"), a4("10.0.0.9"), 250, 100 + i);

		m->when_ns = times[i];
		batch_add(&b, m);
	}
	if_receive(lan.ifp, &b);
	capture_flush(cap, 25);
	read_file();
	assert_int_equal(file.n, 2); /* 30 is not certain to be next */
	capture_flush(cap, 100);
	read_file();
	assert_int_equal(file.n, 3); /* the first three by time, not by arrival */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(file.when_ns[i], 10 * (i + 1));
	capture_counts(cap, &seen, &written, &dropped);
	assert_int_equal(written, 3);
	assert_int_equal(got.over, 0);
	sched_run(clock_now() + 10 * NS_PER_MS);
	assert_int_equal(got.over, 1);
	assert_int_equal(capture_free(cap), 0);
}

static void
test_a_dropped_packet_has_the_reason_as_comment(void **state)
{
	struct capture *cap;

	(void)state;
	command("sysctl net.inet.ip.forwarding=1");
	cap = start((struct capture_config){ .drops = true });
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.9.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.len[0], 74);
	assert_int_equal(times_said("dropped by host: ip.noroute: "), 1);
	assert_int_equal(drops("ip.noroute"), 1);
}

static void
test_without_drops_no_comment_is_written(void **state)
{
	struct capture *cap = start((struct capture_config){ 0 });

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.9.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	assert_int_equal(times_said("dropped by"), 0);
}

static void
test_a_packet_in_the_place_of_another_does_not_get_its_reason(void **state)
{
	struct capture *cap = start((struct capture_config){ .drops = true });
	struct mbuf *m;

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	/*
	 * sent, and gone without a drop; then its memory is the next packet's, which no interface
	 * has seen
	 */
	m = memif_frame(&lan, a4("10.0.0.1"), a4("10.0.0.2"), 250, 60);
	if_transmit_batch(lan.ifp, &(struct batch){ .n = 1, .m = { m } });
	memif_clear(&lan);
	m_drop(m_get(60), drop_find("ip.noroute"));
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.n, 1);
	assert_int_equal(times_said("dropped by"), 0);
}

static void
test_a_packet_dropped_long_after_its_record_is_written_once_more(void **state)
{
	struct capture *cap;

	(void)state;
	command("sysctl net.inet.ip.forwarding=1");
	command("route add 10.8.0.0/16 10.0.0.77");
	cap = start((struct capture_config){ .drops = true, .flush = true });
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.8.0.1", 64); /* waits for 10.0.0.77, which never answers */
	sched_run(clock_now() + 60 * NS_PER_SEC);
	assert_int_equal(capture_free(cap), 0);
	assert_int_equal(times_said("dropped by host: "), 1);
	read_file();
	assert_true(file.when_ns[file.n - 1] > NS_PER_SEC);
}

static void
test_drops_are_told_in_live_time_too(void **state)
{
	struct capture *cap;

	(void)state;
	curworker->mode = CLOCK_LIVE;
	cap = start((struct capture_config){ .drops = true });
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.9.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	curworker->mode = CLOCK_VIRTUAL;
	read_file();
	assert_int_equal(file.n, 1);
	assert_int_equal(times_said("dropped by host: ip."), 1);
}

static void
test_a_filter_lets_only_its_packets_pass(void **state)
{
	struct capture *cap = start(
	    (struct capture_config){ .filter = "dst host 10.0.0.1 and udp" });

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.0.0.1", 64);
	receive("10.9.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.n, 1);
}

static void
test_a_filter_of_ethernet_words_matches_nothing_on_a_loopback(void **state)
{
	struct capture *cap = start(
	    (struct capture_config){ .filter = "ether host 02:00:00:00:09:09" });
	uint64_t seen, written, dropped;
	struct tool t;

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	assert_int_equal(capture_add(cap, V_loif), 0);
	command("ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(tool(&t, NULL, "ping -c 1 127.0.0.1"), 0);
	receive("10.0.0.1", 64);
	capture_counts(cap, &seen, &written, &dropped);
	assert_true(seen > 2);
	assert_int_equal(written, 2); /* the frame and its answer */
	assert_int_equal(capture_free(cap), 0);
}

static void
test_a_loopback_has_families_before_its_packets(void **state)
{
	struct capture *cap = start((struct capture_config){ .filter = "icmp" });
	struct tool t;

	(void)state;
	command("ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(capture_add(cap, V_loif), 0);
	assert_int_equal(tool(&t, NULL, "ping -c 1 127.0.0.1"), 0);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_true(file.n >= 2);
	assert_int_equal(file.len[0], 4 + 84);
}

static void
test_a_loopback_among_others_looks_like_ethernet(void **state)
{
	struct capture *cap = start(
	    (struct capture_config){ .filter = "icmp", .as_ethernet = true });
	struct tool t;

	(void)state;
	command("ifconfig lo0 inet 127.0.0.1/8 up");
	assert_int_equal(capture_add(cap, V_loif), 0);
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	assert_int_equal(tool(&t, NULL, "ping -c 1 127.0.0.1"), 0);
	receive("10.0.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_true(file.n >= 3);
	assert_int_equal(file.len[0], 14 + 84);
}

static void
test_snaplen_cuts_but_the_length_stays(void **state)
{
	struct capture *cap = start(
	    (struct capture_config){ .snaplen = 20, .filter = "udp[28] == 48" });

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.0.0.1", 64); /* the filter looks behind the cut */
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.n, 1);
	assert_int_equal(file.caplen[0], 20);
	assert_int_equal(file.len[0], 74);
}

static void
test_one_direction_alone_can_be_captured(void **state)
{
	struct capture *cap = start((struct capture_config){ .only = 1 + BPF_OUT });

	(void)state;
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.0.0.1", 64);
	assert_int_equal(capture_free(cap), 0);
	read_file();
	assert_int_equal(file.n, 1);
	assert_true(file.len[0] != 74);
}

static void
test_a_bad_filter_is_refused_before_a_file_is_made(void **state)
{
	const struct capture_config c = { .file = "/tmp/warren-no-such-capture",
		.filter = "icmp and and" };
	const char *why = NULL;

	(void)state;
	assert_null(capture_new(&c, &why));
	assert_non_null(strstr(why, "icmp and and"));
	assert_null(strchr(why, '\n'));
	assert_int_not_equal(access(c.file, F_OK), 0);
}

static void
test_the_end_of_the_last_interface_is_the_end_of_the_capture(void **state)
{
	struct capture *cap;
	struct tool t;

	(void)state;
	chain(2);
	cap = start((struct capture_config){ .drops = true });
	{
		VNET_SCOPE(vnet_of("n1"));
		assert_int_equal(capture_add(cap, if_byname("epair1a")), 0);
	}
	assert_int_equal(tool(&t, "n1", "ping -c 1 10.1.0.2"), 0);
	command("jail -r n1");
	assert_int_equal(got.over, 0);
	sched_run(clock_now() + 10 * NS_PER_MS);
	assert_int_equal(got.over, 1);
	assert_int_equal(capture_free(cap), 0);
	read_file();
}

static void
test_a_full_disk_ends_the_capture_with_its_error(void **state)
{
	const struct capture_config c = { .file = "/dev/full", .over = over, .flush = true };
	const char *why;
	struct capture *cap;

	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	memset(&got, 0, sizeof(got));
	cap = capture_new(&c, &why);
	assert_non_null(cap);
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	receive("10.0.0.1", 64);
	sched_run(clock_now() + 100 * NS_PER_MS);
	assert_int_equal(got.over, 1);
	assert_int_equal(capture_free(cap), -ENOSPC);
}

static void
test_a_reader_that_does_not_read_never_stops_the_stack(void **state)
{
	char name[] = "/tmp/warren-capture-XXXXXX", fifo[64];
	struct capture_config c = { .file = fifo, .flush = true };
	const char *why;
	struct capture *cap;
	uint64_t seen, written, dropped;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(name));
	snprintf(fifo, sizeof(fifo), "%s/fifo", name);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(capture_new(&c, &why));
	assert_non_null(strstr(why, "nobody reads"));

	fd = open(fifo, O_RDONLY | O_NONBLOCK);
	cap = capture_new(&c, &why);
	assert_non_null(cap);
	assert_int_equal(capture_add(cap, lan.ifp), 0);
	for (int i = 0; i < 300000; i++) {
		receive("10.0.0.77", 1);
		if (i % 1000 == 0)
			sched_run(clock_now() + 40 * NS_PER_MS);
	}
	capture_counts(cap, &seen, &written, &dropped);
	assert_true(dropped > 0);
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(capture_free(cap), -EPIPE);
	signal(SIGPIPE, SIG_DFL);
	unlink(fifo);
	rmdir(name);
}

static void
test_a_capture_whose_comments_nobody_could_write_is_refused(void **state)
{
	const struct capture_config c = { .sink = sink, .drops = true };
	struct capture *cap[100];
	const char *why = NULL;
	unsigned n = 0;

	(void)state;
	while (n < 100 && (cap[n] = capture_new(&c, &why)) != NULL)
		n++;
	assert_in_range(n, 1, 99);
	assert_non_null(strstr(why, "too many captures"));
	while (n > 0)
		assert_int_equal(capture_free(cap[--n]), 0);
	cap[0] = capture_new(&c, &why);
	assert_non_null(cap[0]);
	capture_free(cap[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_what_passes_an_interface_is_in_the_file),
		INET_TEST(test_records_of_several_stacks_are_sorted_by_time),
		INET_TEST(test_records_that_came_in_another_order_go_out_by_time),
		INET_TEST(test_a_dropped_packet_has_the_reason_as_comment),
		INET_TEST(test_without_drops_no_comment_is_written),
		INET_TEST(test_a_packet_in_the_place_of_another_does_not_get_its_reason),
		INET_TEST(test_a_packet_dropped_long_after_its_record_is_written_once_more),
		INET_TEST(test_drops_are_told_in_live_time_too),
		INET_TEST(test_a_filter_lets_only_its_packets_pass),
		INET_TEST(test_a_filter_of_ethernet_words_matches_nothing_on_a_loopback),
		INET_TEST(test_a_loopback_has_families_before_its_packets),
		INET_TEST(test_a_loopback_among_others_looks_like_ethernet),
		INET_TEST(test_snaplen_cuts_but_the_length_stays),
		INET_TEST(test_one_direction_alone_can_be_captured),
		INET_TEST(test_a_bad_filter_is_refused_before_a_file_is_made),
		INET_TEST(test_a_capture_whose_comments_nobody_could_write_is_refused),
		INET_TEST(test_the_end_of_the_last_interface_is_the_end_of_the_capture),
		INET_TEST(test_a_full_disk_ends_the_capture_with_its_error),
		INET_TEST(test_a_reader_that_does_not_read_never_stops_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
