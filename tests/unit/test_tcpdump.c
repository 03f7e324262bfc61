/*
 * The verb tcpdump: its words, its lines, its streams.
 */
#include "inet_fixture.h"

#include "port/pcap.h"

#include <jansson.h>
#include <pcap/pcap.h>
#include <string.h>
#include <unistd.h>

static struct tool t;

/* A UDP frame for `dst`, from port 4096 to 8192. */
static struct mbuf *
udp_frame(const char *dst)
{
	struct mbuf *m = memif_frame(&lan, a4("10.0.0.2"), a4(dst), IPPROTO_UDP_, 60);

	memcpy(frame_ip(m) + 1, (uint8_t[]){ 0x10, 0, 0x20, 0, 0, 40, 0, 0 }, 8);
	return m;
}

/* It comes by lan. */
static void
receive(const char *dst)
{
	memif_receive(&lan, udp_frame(dst));
}

static void
listen_(const char *line)
{
	tool_start(&t, NULL, line, false);
	assert_false(t.done);
}

static void
stop(void)
{
	verb_cancel(t.run);
	assert_true(t.done);
	assert_int_equal(t.status, 0);
}

static void
assert_fails(const char *line, const char *words)
{
	tool_start(&t, NULL, line, false);
	assert_true(t.done);
	assert_int_not_equal(t.status, 0);
	if (strstr(t.err, words) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", line, t.err, words);
	assert_string_equal(t.out, "");
}

static unsigned
lines(void)
{
	unsigned n = 0;

	for (const char *p = t.out; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

static void
test_a_line_for_each_packet_and_counts_at_the_end(void **state)
{
	(void)state;
	listen_("tcpdump -i mem0 -tn udp and dst host 10.0.0.1");
	receive("10.0.0.1");
	receive("10.9.0.1");
	stop();
	assert_string_equal(t.out, "IP 10.0.0.2.4096 > 10.0.0.1.8192: UDP, length 32\n");
	assert_non_null(strstr(t.err, "1 packet captured\n"));
	assert_non_null(strstr(t.err, "received by filter\n"));
	assert_non_null(strstr(t.err, "0 packets dropped by kernel\n"));
}

static void
test_a_count_ends_it(void **state)
{
	(void)state;
	listen_("tcpdump -c 2 -t -i mem0 dst 10.9.0.1");
	for (int i = 0; i < 5; i++)
		receive("10.9.0.1");
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_int_equal(lines(), 2);
	assert_non_null(strstr(t.err, "2 packets captured\n"));
}

static void
test_lines_stand_in_the_order_of_time(void **state)
{
	struct batch b = { .n = 0 };
	char *last = NULL;

	(void)state;
	listen_("tcpdump -tt -i mem0");
	/* answered one by one, while the tap has seen all of the batch before */
	for (unsigned i = 0; i < 10; i++) {
		struct mbuf *m = udp_frame("10.0.0.1");

		m->when_ns = i * NS_PER_MS;
		batch_add(&b, m);
	}
	if_receive(lan.ifp, &b);
	sched_run(NS_PER_SEC);
	assert_true(lines() > 10);
	for (char *p = t.out, *end; (end = strchr(p, '\n')) != NULL; last = p, p = end + 1)
		assert_true(last == NULL || strncmp(last, p, strcspn(p, " ")) <= 0);
	stop();
}

static void
test_times_are_written_as_asked(void **state)
{
	static const struct {
		const char *words, *want;
	} form[] = {
		{ "", "00:00:01.500000 IP" },
		{ "-t", "IP" },
		{ "-tttt", "-" },
		{ "-ttttt", "00:00:00.000000 IP" },
		{ "-ttt", "00:00:00.000000 IP" },
	};
	char line[80], want[80];

	(void)state;
	sched_run(1500 * NS_PER_MS);
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		snprintf(line, sizeof(line), "tcpdump %s -i mem0 dst 10.9.0.1", form[i].words);
		listen_(line);
		receive("10.9.0.1");
		stop();
		if (i == 0) {
			uint64_t us = (clock_epoch_ns() + clock_now()) / 1000;

			snprintf(want, sizeof(want), "%02u:%02u:%02u.%06u IP",
			    (unsigned)(us / 3600000000 % 24), (unsigned)(us / 60000000 % 60),
			    (unsigned)(us / 1000000 % 60), (unsigned)(us % 1000000));
			assert_memory_equal(t.out, want, strlen(want));
		} else if (form[i].want[0] == '-') {
			assert_int_equal(t.out[4], '-');
			assert_int_equal(t.out[10], ' ');
		} else {
			assert_memory_equal(t.out, form[i].want, strlen(form[i].want));
		}
	}
	assert_fails("tcpdump -tttttt -i mem0", "too many -t");
}

static void
test_bytes_are_shown_from_the_network_layer_or_the_link(void **state)
{
	(void)state;
	listen_("tcpdump -t -x -i mem0 dst 10.9.0.1");
	receive("10.9.0.1");
	stop();
	assert_non_null(strstr(t.out, "\n\t0x0000:  4500 003c 0007 0000 4011 "));
	assert_non_null(strstr(t.out, "\n\t0x0030:  3031 3233 3435 3637 3839 3a3b\n"));
	listen_("tcpdump -t -XX -i mem0 dst 10.9.0.1");
	receive("10.9.0.1");
	stop();
	assert_non_null(strstr(t.out, "\n\t0x0000:  0200 0000 0101 0200 0000 0909 0800 4500  "));
	assert_non_null(strstr(t.out, "  23456789:;"));
}

static void
test_any_names_interface_and_direction(void **state)
{
	(void)state;
	listen_("tcpdump -t -i any udp or icmp");
	receive("10.0.0.1");
	stop();
	assert_memory_equal(t.out, "mem0 In  IP 10.0.0.2.", 21);
	assert_non_null(strstr(t.out, "\nmem0 Out IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.1 udp port"));
	listen_("tcpdump -t -i any -Q out udp or icmp");
	receive("10.0.0.1");
	stop();
	assert_int_equal(lines(), 1);
}

static void
test_link_headers_are_shown_on_request(void **state)
{
	(void)state;
	listen_("tcpdump -te -i mem0 dst 10.9.0.1");
	receive("10.9.0.1");
	stop();
	assert_non_null(strstr(t.out,
	    "02:00:00:00:09:09 > 02:00:00:00:01:01, ethertype 0x0800, length 74: IP 10.0.0.2."));
}

static void
test_reasons_of_drops_stand_behind_the_lines(void **state)
{
	(void)state;
	listen_("tcpdump -tk -i mem0 dst 10.9.0.1");
	receive("10.9.0.1");
	stop();
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(t.out, " [dropped by host: ip.cantforward: "));
}

static void
test_json_has_a_list_of_packets(void **state)
{
	json_t *root, *packets;

	(void)state;
	tool_start(&t, NULL, "tcpdump -i mem0 -c 2 udp", true);
	receive("10.0.0.1");
	receive("10.9.0.1");
	tool_wait(&t);
	root = json_loads(t.out, 0, NULL);
	assert_non_null(root);
	packets = json_object_get(root, "packet");
	assert_int_equal(json_array_size(packets), 2);
	assert_int_equal(
	    json_integer_value(json_object_get(json_array_get(packets, 0), "length")), 74);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(packets, 0), "direction")), "In");
	json_decref(root);
}

static void
test_a_stream_is_pcapng_from_its_first_byte(void **state)
{
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	pcap_t *p;

	(void)state;
	listen_("tcpdump -i mem0 -w - dst 10.9.0.1");
	assert_true(t.out_len >= 28 + 20); /* before any packet: a reader may wait for it */
	receive("10.9.0.1");
	sched_run(clock_now() + 100 * NS_PER_MS);
	p = pcap_fopen_offline(fmemopen(t.out, t.out_len, "rb"), err);
	assert_non_null(p);
	assert_int_equal(pcap_next_ex(p, &h, &bytes), 1);
	assert_int_equal(h->caplen, 74);
	pcap_close(p);
	stop();
}

static void
test_a_file_holds_as_many_packets_as_asked(void **state)
{
	char path[] = "/tmp/warren-tcpdump-XXXXXX", line[100], err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	pcap_t *p;
	int n = 0;

	(void)state;
	close(mkstemp(path));
	snprintf(line, sizeof(line), "tcpdump -i mem0 -c 3 -w %s", path);
	listen_(line);
	for (int i = 0; i < 10; i++)
		receive("10.9.0.1");
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	assert_non_null(strstr(t.err, "3 packets captured\n"));
	p = pcap_open_offline(path, err);
	assert_non_null(p);
	while (pcap_next_ex(p, &h, &bytes) == 1)
		n++;
	assert_int_equal(n, 3);
	pcap_close(p);
	unlink(path);
}

static void
test_the_filters_program_can_be_looked_at(void **state)
{
	(void)state;
	tool_start(&t, NULL, "tcpdump -d -i mem0 icmp", false);
	assert_true(t.done);
	assert_int_equal(t.status, 0);
	assert_memory_equal(t.out, "(000) ldh      [12]\n", 20);
}

static void
test_interfaces_are_listed(void **state)
{
	(void)state;
	assert_int_equal(tool(&t, NULL, "tcpdump -D"), 0);
	assert_non_null(strstr(t.out, ".mem0 [Up]\n"));
	assert_non_null(strstr(t.out, ".lo0"));
	assert_non_null(strstr(t.out, "[Loopback]\n"));
}

static void
test_wrong_words_are_refused(void **state)
{
	(void)state;
	assert_fails("tcpdump -i em9", "tcpdump: em9: No such device exists\n");
	assert_fails("tcpdump -i mem0 icmp and", "tcpdump: ");
	assert_fails("tcpdump -i lo0 ether host 02:00:00:00:00:01", "tcpdump: ");
	assert_fails("tcpdump -i mem0 -c 0", "invalid packet count 0");
	assert_fails("tcpdump -i mem0 -c 3x", "invalid packet count 3x");
	assert_fails("tcpdump -i mem0 -s 262145", "invalid snaplen");
	assert_fails("tcpdump -i mem0 -Q sideways", "sideways");
	assert_fails("tcpdump -i mem0 -w /no/such/folder/x", "/no/such/folder/x: No such file");
	assert_fails("tcpdump -v -i mem0", "usage: tcpdump");
}

static void
test_the_first_interface_that_is_up_is_taken_without_a_name(void **state)
{
	(void)state;
	listen_("tcpdump -t dst 10.9.0.1");
	receive("10.9.0.1");
	stop();
	assert_int_equal(lines(), 1);
	command("ifconfig mem0 down");
	assert_fails("tcpdump", "no suitable device found");
}

static void
test_it_ends_with_its_interface_and_with_its_stack(void **state)
{
	(void)state;
	chain(2);
	tool_start(&t, "n1", "tcpdump -i epair1a", false);
	command_in("n1", "ifconfig epair1a destroy");
	tool_wait(&t);
	assert_int_equal(t.status, 0);
	command("jail -c name=other vnet persist");
	command_in("other", "ifconfig lo0 up");
	tool_start(&t, "other", "tcpdump -i lo0", false);
	assert_false(t.done);
	command("jail -r other");
	assert_true(t.done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_a_line_for_each_packet_and_counts_at_the_end),
		INET_TEST(test_a_count_ends_it),
		INET_TEST(test_lines_stand_in_the_order_of_time),
		INET_TEST(test_times_are_written_as_asked),
		INET_TEST(test_bytes_are_shown_from_the_network_layer_or_the_link),
		INET_TEST(test_any_names_interface_and_direction),
		INET_TEST(test_link_headers_are_shown_on_request),
		INET_TEST(test_reasons_of_drops_stand_behind_the_lines),
		INET_TEST(test_json_has_a_list_of_packets),
		INET_TEST(test_a_stream_is_pcapng_from_its_first_byte),
		INET_TEST(test_a_file_holds_as_many_packets_as_asked),
		INET_TEST(test_the_filters_program_can_be_looked_at),
		INET_TEST(test_interfaces_are_listed),
		INET_TEST(test_wrong_words_are_refused),
		INET_TEST(test_the_first_interface_that_is_up_is_taken_without_a_name),
		INET_TEST(test_it_ends_with_its_interface_and_with_its_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
