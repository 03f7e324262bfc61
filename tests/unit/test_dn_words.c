/*
 * Unit tests of the words of pipes, queues and schedulers (dummynet/dn_parse*.c, dn_print.c,
 * dn_cmd.c, ipfw/dn_sub.c): every parameter with its units and bounds, refusals that name the word,
 * exact lines, and the files that people have published.
 */
#include "fw_stack.h"

#include "dummynet/dn_profile.h"
#include "dummynet/dn_words.h"
#include "net/if.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* --- helpers ---------------------------------------------------------------------------------- */

static struct dn_words w;

/* Read the words; what was wrong, or "". */
static const char *
read_words(enum dn_kind kind, const char *line)
{
	const char *open;
	char **argv;
	int argc, error;

	dn_words_free(&w);
	assert_int_equal(verb_split(line, &argc, &argv, &open), 0);
	error = dn_words_read(&w, kind, 7, argc, argv);
	verb_split_free(argc, argv);
	assert_int_equal(error == 0, w.why[0] == '\0');
	return w.why;
}

/* Words that are good; the change they make. */
static const struct dn_change *
words(enum dn_kind kind, const char *line)
{
	const char *why = read_words(kind, line);

	if (why[0] != '\0')
		fail_msg("%s: %s", line, why);
	return &w.change;
}

static void
refused(enum dn_kind kind, const char *line, const char *why)
{
	const char *got = read_words(kind, line);

	if (strstr(got, why) == NULL)
		fail_msg("%s: '%s', not '%s'", line, got, why);
}

static int
words_teardown(void **state)
{
	dn_words_free(&w);
	return fw_stack_teardown(state);
}
#define WORDS_TEST(fn) cmocka_unit_test_setup_teardown(fn, fw_stack_setup, words_teardown)

static void
quietly(const char *line)
{
	expect_line(line, 0, "", "");
}

static char path[64];

static const char *
file_of(const char *text)
{
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/dn_words.XXXXXX");
	f = fdopen(mkstemp(path), "w");
	fputs(text, f);
	fclose(f);
	return path;
}

/* --- numbers with units ----------------------------------------------------------------------- */

static void
test_rates_are_read_in_all_forms_that_people_have_written(void **state)
{
	static const struct {
		const char *word;
		uint64_t bps;
	} forms[] = {
		{ "0", 0 },
		{ "500", 500 },
		{ "300Kbit/s", 300000 },
		{ "250kbit/s", 250000 },
		{ "10Mb", 10000000 },
		{ "1800Kb", 1800000 },
		{ "10MBit/s", 10000000 },
		{ "10mbits/s", 10000000 },
		{ "10Kbytes", 80000 },
		{ "30Byte/s", 240 },
		{ "1MByte/s", 8000000 },
		{ "2MB", 16000000 },
		{ "1.5Mbit/s", 1500000 },
		{ "100Gbit/s", UINT64_C(100000000000) },
		{ "1K", 1000 },
		{ "1Mbps", 1000000 },
	};
	static const char *const wrong[] = { "", "K", "Mbit/s", "-1", "10Foo", "1.5", "1..5Mbit/s",
		"10Mbit/s/s", "10 Mbit", "0x10" };
	uint64_t bps;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!dn_parse_rate(forms[i].word, &bps))
			fail_msg("%s", forms[i].word);
		assert_int_equal(bps, forms[i].bps);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (dn_parse_rate(wrong[i], &bps))
			fail_msg("%s is %" PRIu64, wrong[i], bps);
}

static void
test_a_delay_is_in_ms_unless_it_says_otherwise(void **state)
{
	(void)state;
	assert_int_equal(words(DN_PIPE, "delay 10")->sched.link.delay_ns, 10000000);
	assert_int_equal(words(DN_PIPE, "delay 1.5ms")->sched.link.delay_ns, 1500000);
	assert_int_equal(words(DN_PIPE, "delay 0.25")->sched.link.delay_ns, 250000);
	assert_int_equal(words(DN_PIPE, "delay 20us")->sched.link.delay_ns, 20000);
	assert_int_equal(words(DN_PIPE, "delay 2s")->sched.link.delay_ns, 2000000000);
	assert_int_equal(w.change.set, DN_SET_DELAY);
	assert_int_equal(words(DN_PIPE, "delay 10000")->sched.link.delay_ns, 10000000000);
	refused(DN_PIPE, "delay 10001", "delay 10001: not a time of 0 to 10000 ms");
	refused(DN_PIPE, "delay soon", "delay soon");
	refused(DN_PIPE, "delay", "delay: needs a time");
	refused(DN_QUEUE, "delay 10", "delay: is for pipes");
}

static void
test_a_burst_is_in_bytes_of_powers_of_1024(void **state)
{
	(void)state;
	assert_int_equal(words(DN_PIPE, "burst 64K")->sched.link.burst_bytes, 65536);
	assert_int_equal(words(DN_PIPE, "burst 30kB")->sched.link.burst_bytes, 30720);
	assert_int_equal(words(DN_PIPE, "burst 2M")->sched.link.burst_bytes, 2097152);
	assert_int_equal(words(DN_PIPE, "burst 1500")->sched.link.burst_bytes, 1500);
	assert_int_equal(words(DN_PIPE, "burst 255T")->sched.link.burst_bytes, UINT64_C(255) << 40);
	refused(DN_PIPE, "burst 256T", "burst 256T: not a size of 0 to 2^48-1");
	refused(DN_PIPE, "burst 99999999999999999999", "burst");
}

static void
test_a_bandwidth_is_a_rate_or_that_of_an_interface(void **state)
{
	(void)state;
	assert_int_equal(words(DN_PIPE, "bw 2Mbit/s")->sched.link.rate_bps, 2000000);
	assert_int_equal(
	    words(DN_PIPE, "bandwidth 2Mbit/s bw 1Mbit/s")->sched.link.rate_bps, 1000000);
	assert_string_equal(words(DN_PIPE, "bw lo0")->sched.link.rate_of, "lo0");
	assert_string_equal(words(DN_PIPE, "bw lo0 bw 5")->sched.link.rate_of, "");
	assert_int_equal(words(DN_PIPE, "bw unlimited")->set, DN_SET_RATE);
	refused(
	    DN_PIPE, "bw em7", "bw em7: not a rate (as 300Kbit/s), nor an interface that is here");
}

/* --- queues ----------------------------------------------------------------------------------- */

static void
test_a_queue_is_in_slots_or_bytes_within_its_limits(void **state)
{
	(void)state;
	assert_int_equal(words(DN_QUEUE, "queue 30")->flowset.queue_packets, 30);
	assert_int_equal(w.change.flowset.queue_bytes, 0);
	assert_int_equal(words(DN_PIPE, "queue 0")->flowset.queue_packets, 50);
	assert_int_equal(words(DN_PIPE, "queue 64Kbytes")->flowset.queue_bytes, 65536);
	assert_int_equal(words(DN_PIPE, "queue 30K")->flowset.queue_bytes, 30720);
	assert_int_equal(words(DN_PIPE, "queue 2000B")->flowset.queue_bytes, 2000);
	assert_int_equal(words(DN_PIPE, "queue 0KB")->flowset.queue_bytes, 16384);
	assert_int_equal(words(DN_PIPE, "queue 1Mbytes")->flowset.queue_bytes, 1048576);
	refused(DN_PIPE, "queue 101", "queue 101: 1 <= queue size <= 100");
	refused(DN_PIPE, "queue 2M", "queue 2M: 1500 <= queue size <= 1048576B");
	refused(DN_PIPE, "queue 1499B", "queue 1499B");
	refused(DN_PIPE, "queue many", "queue many: not a number of slots or a size");
	expect_line("sysctl net.inet.ip.dummynet.pipe_slot_limit=200", 0, NULL, "");
	assert_int_equal(words(DN_PIPE, "queue 101")->flowset.queue_packets, 101);
}

static void
test_a_loss_rate_is_a_probability(void **state)
{
	(void)state;
	assert_int_equal(words(DN_PIPE, "plr 0.5")->flowset.plr, 1U << 30);
	assert_int_equal(words(DN_PIPE, "plr 1")->flowset.plr, 1U << 31);
	assert_int_equal(words(DN_PIPE, "plr 0.0")->flowset.plr, 0);
	assert_int_equal(w.change.set, DN_SET_PLR);
	refused(DN_PIPE, "plr 1.01", "plr 1.01: not a probability of 0 to 1");
	refused(DN_PIPE, "plr -0.1", "plr -0.1");
	refused(DN_PIPE, "plr nan", "plr nan");
	refused(DN_PIPE, "plr", "plr: needs a probability");
}

static void
test_shares_are_words_of_queues(void **state)
{
	const struct dn_change *c;

	(void)state;
	c = words(DN_QUEUE, "pipe 3 weight 40 lmax 1500 pri 2 noerror buckets 128");
	assert_int_equal(c->flowset.sched, 3);
	assert_int_equal(c->flowset.share.weight, 40);
	assert_int_equal(c->flowset.share.max_len, 1500);
	assert_int_equal(c->flowset.share.priority, 2);
	assert_true(c->flowset.noerror);
	assert_int_equal(c->flowset.buckets, 128);
	assert_int_equal(c->set,
	    DN_SET_SCHED | DN_SET_WEIGHT | DN_SET_MAX_LEN | DN_SET_PRIORITY | DN_SET_NOERROR |
		DN_SET_BUCKETS);
	assert_int_equal(words(DN_QUEUE, "sched 9 maxlen 64 priority 0")->flowset.sched, 9);
	assert_int_equal(words(DN_QUEUE, "quantum 300")->flowset.share.max_len, 300);
	assert_int_equal(words(DN_QUEUE, "buckets 65536")->flowset.buckets, 1024);
	refused(DN_QUEUE, "weight 0", "weight 0: not a number of 1 to 65536");
	refused(DN_QUEUE, "weight 65537", "weight 65537");
	refused(DN_QUEUE, "pipe 65536", "pipe 65536: not a number of 1 to 65535");
	refused(DN_QUEUE, "buckets 0", "buckets 0");
	refused(DN_PIPE, "weight 5", "weight: is for queues");
	refused(DN_QUEUE, "wieght 5", "unknown word 'wieght'");
}

/* --- masks ------------------------------------------------------------------------------------ */

static void
test_masks_are_numbers_or_low_bits(void **state)
{
	const struct dn_mask *m;

	(void)state;
	m = &words(
	    DN_PIPE, "mask src-ip 0xffffff00 dst-ip /8 dst-port 0xffff src-port /4 proto 0xff")
		 ->sched.mask;
	assert_int_equal(__builtin_bswap32(m->src), 0xffffff00);
	assert_int_equal(__builtin_bswap32(m->dst), 0xff);
	assert_int_equal(m->dport, 0xffff);
	assert_int_equal(__builtin_bswap16(m->sport), 0xf);
	assert_int_equal(m->proto, 0xff);
	assert_int_equal(w.change.set, DN_SET_SCHED_MASK);
	m = &words(DN_QUEUE, "mask src-ip /32 flow-id 0xfffff")->flowset.mask;
	assert_int_equal(m->src, UINT32_MAX);
	assert_int_equal(__builtin_bswap32(m->flow_id), 0xfffff);
	assert_int_equal(w.change.set, DN_SET_FLOW_MASK);
	refused(DN_PIPE, "mask proto 0x100", "mask: proto 0x100: not a mask of 8 bits");
	refused(DN_PIPE, "mask src-port /17", "mask: src-port /17");
	refused(DN_PIPE, "mask dst-ip", "mask: dst-ip");
	refused(DN_PIPE, "mask flow-id 0x100000", "mask: flow-id");
	refused(DN_PIPE, "mask", "mask: of what?");
	refused(DN_QUEUE, "sched_mask all", "sched_mask: is for pipes and schedulers");
}

static void
test_a_mask_of_ipv6_is_a_prefix(void **state)
{
	const struct dn_mask *m;

	(void)state;
	m = &words(DN_QUEUE, "pipe 1 weight 10 mask dst-ip6 /128 dst-ip 0xffffff00")->flowset.mask;
	for (int i = 0; i < 16; i++)
		assert_int_equal(m->dst6.b[i], 0xff);
	assert_int_equal(__builtin_bswap32(m->dst), 0xffffff00);
	m = &words(DN_QUEUE, "mask src-ip6 /61")->flowset.mask;
	assert_int_equal(m->src6.b[6], 0xff);
	assert_int_equal(m->src6.b[7], 0xf8);
	assert_int_equal(m->src6.b[8], 0);
	refused(DN_QUEUE, "mask src-ip6 /129", "mask: src-ip6 /129: not a mask of 128 bits");
}

static void
test_a_mask_ends_at_all_at_queue_and_at_the_next_word(void **state)
{
	const struct dn_change *c;

	(void)state;
	c = words(DN_QUEUE, "mask all weight 3");
	assert_int_equal(c->flowset.mask.proto, 0xff);
	assert_int_equal(c->flowset.mask.dst, UINT32_MAX);
	assert_int_equal(c->flowset.mask.src6.b[15], 0xff);
	assert_false(c->flowset.mask.per_queue);
	assert_int_equal(c->flowset.share.weight, 3);
	c = words(DN_QUEUE, "mask proto 0xff queue weight 3");
	assert_true(c->flowset.mask.per_queue);
	c = words(DN_PIPE, "mask src-ip 0xffffffff queue 20 plr 0.1");
	assert_false(c->flowset.mask.per_queue);
	assert_int_equal(c->flowset.queue_packets, 20);
}

/* --- active queue management ------------------------------------------------------------------ */

static void
test_red_has_four_numbers_within_their_bounds(void **state)
{
	const struct dn_aqm_config *aqm;

	(void)state;
	aqm = &words(DN_PIPE, "red 0.002/5/15/0.1 ecn")->flowset.aqm;
	assert_int_equal(aqm->kind, DN_AQM_RED);
	assert_true(aqm->ecn);
	assert_true(aqm->red.w_q == 0.002 && aqm->red.max_p == 0.1);
	assert_int_equal(aqm->red.min_th, 5);
	assert_int_equal(aqm->red.max_th, 15);
	assert_false(aqm->red.bytes);
	assert_int_equal(aqm->red.max_pkt_size, 1500);
	aqm = &words(DN_PIPE, "gred 0.002/5K/15K/1 queue 64K")->flowset.aqm;
	assert_int_equal(aqm->kind, DN_AQM_GRED);
	assert_int_equal(aqm->red.min_th, 5120);
	assert_true(aqm->red.bytes);
	refused(DN_PIPE, "red 0/5/15/0.1", "red 0/5/15/0.1: not w_q/min_th/max_th/max_p");
	refused(DN_PIPE, "red 0.1/15/15/0.1", "red");
	refused(DN_PIPE, "red 0.1/5/15/1.1", "red");
	refused(DN_PIPE, "red 0.1/5/15", "red");
	refused(DN_PIPE, "red 0.1/5/15/0.1/7", "red");
	refused(DN_PIPE, "ecn", "ecn: goes with red");
}

static void
test_codel_and_pie_have_words_of_their_own(void **state)
{
	const struct dn_change *c;

	(void)state;
	c = words(DN_PIPE, "bw 10mbits/s delay 20ms codel");
	assert_int_equal(c->flowset.aqm.kind, DN_AQM_CODEL);
	assert_int_equal(c->flowset.aqm.codel.target_ns, 5000000);
	assert_int_equal(c->flowset.aqm.codel.interval_ns, 100000000);
	c = words(DN_PIPE, "codel target 7ms interval 500us ecn queue 20");
	assert_int_equal(c->flowset.aqm.codel.target_ns, 7000000);
	assert_int_equal(c->flowset.aqm.codel.interval_ns, 500000);
	assert_true(c->flowset.aqm.ecn);
	assert_int_equal(c->flowset.queue_packets, 20);
	c = words(DN_QUEUE,
	    "pie target 20 tupdate 10ms alpha 0.25 beta 2.5 max_burst 1s max_ecnth 0.2 nocapdrop "
	    "noderand ts noecn");
	assert_int_equal(c->flowset.aqm.pie.target_ns, 20000000);
	assert_true(c->flowset.aqm.pie.alpha == 0.25 && c->flowset.aqm.pie.beta == 2.5);
	assert_int_equal(c->flowset.aqm.pie.max_burst_ns, 1000000000);
	assert_false(c->flowset.aqm.pie.cap_drop || c->flowset.aqm.pie.derandomise);
	refused(DN_QUEUE, "pie dre", "dre: this PIE measures delay by time stamps");
	words(DN_SCHED, "type fq_pie target 15ms tupdate 15ms ts derand quantum 1514");
	refused(DN_SCHED, "type fq_pie onoff", "onoff: this PIE measures delay by time stamps");
	refused(DN_SCHED, "type fq_codel ts", "unknown word 'ts'");
	refused(DN_QUEUE, "codel target often", "target often: a time");
	refused(DN_QUEUE, "codel interval", "interval: a time");
	refused(DN_QUEUE, "target 5ms", "unknown word 'target'");
}

/* --- schedulers ------------------------------------------------------------------------------- */

static void
test_a_type_is_a_scheduler_by_its_name(void **state)
{
	(void)state;
	assert_string_equal(words(DN_SCHED, "type fifo")->sched.part->name, "FIFO");
	refused(DN_SCHED, "type lottery", "type lottery: no such scheduler is loaded");
	refused(DN_SCHED, "type", "type: needs a scheduler's name");
	refused(DN_SCHED, "fifo", "fifo: is a type of scheduler: sched N config type fifo");
	refused(DN_SCHED, "pipe 8 type fifo", "pipe 8: the link of scheduler 7 has its number");
	assert_int_equal(words(DN_SCHED, "pipe 7 type fifo")->set, DN_SET_TYPE);
	/* a pipe's type is that of the scheduler for queues */
	assert_string_equal(
	    words(DN_PIPE, "bw 1Mb type fq_codel target 7ms")->sched.part->name, "FQ_CODEL");
	refused(DN_PIPE, "type fq_codel codel target 5ms tupdate 5ms", "unknown word 'tupdate'");
	refused(DN_QUEUE, "type fifo", "type: is for pipes and schedulers");
}

static void
test_a_pipe_s_type_is_for_its_queues_and_not_for_itself(void **state)
{
	(void)state;
	quietly("ipfw pipe 5 config bw 1Mbit/s type qfq");
	assert_true(says("ipfw sched 5 show", false, " sched 5 type QFQ"));
	assert_true(says("ipfw pipe 5 show", false, " sched 65541 type FIFO"));
	quietly("ipfw pipe 5 config delay 5");
	assert_true(says("ipfw sched 5 show", false, " sched 5 type QFQ"));
}

/* As in FreeBSD: files of rules give weights to all of them. */
static void
test_a_share_that_a_scheduler_has_no_use_for_is_passed_over(void **state)
{
	(void)state;
	quietly("ipfw sched 9 config type fq_codel");
	quietly("ipfw queue 9 config sched 9 weight 5 lmax 1500 pri 3");
	assert_true(says("ipfw queue 9 show", false, " weight 5 "));
	quietly("ipfw sched 9 config type prio");
	quietly("ipfw queue 9 config weight 500");
	expect_line("ipfw queue 9 config pri 64", 65, "",
	    "ipfw: queue 9: a higher priority than its scheduler allows\n");
}

/* --- profiles --------------------------------------------------------------------------------- */

static void
test_a_profile_is_a_file_that_may_say_the_rate(void **state)
{
	char line[128];

	(void)state;
	file_of("name radio\nbw 2Mbit/s\nloss-level 0.9\nsamples 10\nprob delay\n0 1\n1 20\n");
	snprintf(line, sizeof(line), "profile %s", path);
	assert_string_equal(dn_profile_name(words(DN_PIPE, line)->sched.link.profile), "radio");
	assert_int_equal(w.change.sched.link.rate_bps, 2000000);
	snprintf(line, sizeof(line), "bw 1Mbit/s profile %s", path);
	assert_int_equal(words(DN_PIPE, line)->sched.link.rate_bps, 1000000);
	unlink(path);
	refused(DN_PIPE, line, "No such file");
	snprintf(line, sizeof(line), "profile %s", file_of("prob delay\n0 1\n"));
	refused(DN_PIPE, line, path);
	unlink(path);
}

/* --- listings --------------------------------------------------------------------------------- */

#define HIDDEN(n) " sched " n " type FIFO flags 0x0 0 buckets 0 active\n"

static void
test_a_pipe_shows_its_three_traditional_lines(void **state)
{
	(void)state;
	quietly("ipfw pipe 1 config bw 300Kbit/s");
	expect_line("ipfw pipe show", 0,
	    "00001: 300.000 Kbit/s    0 ms burst 0\n"
	    "q131073  50 sl. 0 flows (1 buckets) sched 65537 weight 0 lmax 0 pri 0 droptail\n" HIDDEN(
		"65537"),
	    "");
	quietly("ipfw pipe 1 config bw 0 delay 1.5ms burst 64K queue 64K plr 0.25");
	expect_line("ipfw pipe 1 show", 0,
	    "00001: unlimited       1.5 ms burst 65536\n"
	    "q131073 64 KBplr 0.250000 0 flows (1 buckets) sched 65537 weight 0 lmax 0 pri 0 "
	    "droptail\n" HIDDEN("65537"),
	    "");
	quietly("ipfw pipe 1 config bw 10Gbit/s delay 10s queue 2000B burst 0 plr 0");
	expect_line("ipfw pipe list 1", 0,
	    "00001:  10.000 Gbit/s 10000 ms burst 0\n"
	    "q131073 2000 B 0 flows (1 buckets) sched 65537 weight 0 lmax 0 pri 0 droptail\n" HIDDEN(
		"65537"),
	    "");
}

static void
test_masks_and_aqm_are_shown(void **state)
{
	(void)state;
	quietly("ipfw pipe 2 config bw 5Mbit/s mask src-ip 0xffffff00 proto 0xff "
		"red 0.002/5/15/0.1 ecn");
	assert_true(says("ipfw pipe 2 show", false,
	    "pri 0 \n\t  RED w_q 0.002000 min_th 5 max_th 15 max_p 0.100000 (ecn)\n"));
	assert_true(says("ipfw pipe 2 show", false,
	    " type FIFO flags 0x1 64 buckets 0 active\n"
	    "    mask:  0xff 0xffffff00/0x0000 -> 0x00000000/0x0000\n"));
	quietly("ipfw queue 3 config pipe 2 weight 30 gred 0.1/5/15/1 mask dst-ip6 /64 queue");
	assert_true(says("ipfw queue 3 show", false,
	    "sched 2 weight 30 lmax 0 pri 0 \n\t GRED w_q 0.100000 min_th 5 max_th 15 max_p 1.000000\n"
	    "    mask: queue,proto: 0x00, flow_id: 0x00000000,  ::/0x0000 -> "
	    "ffff:ffff:ffff:ffff::/0x0000\n"));
	quietly("ipfw queue 3 config codel target 7ms ecn");
	assert_true(says("ipfw queue 3 show", false, " AQM CoDel target 7ms interval 100ms ECN\n"));
	quietly("ipfw queue 3 config pie");
	assert_true(says("ipfw queue 3 show", false,
	    " AQM type PIE target 15ms tupdate 15ms alpha 0.125 beta 1.25 max_burst 150ms "
	    "max_ecnth 0.1 NoECN CapDrop TS Derand\n"));
	assert_true(says("ipfw queue 3 show", true, "\"aqm\":{\"type\":\"pie\",\"ecn\":false,"));
	assert_true(says("ipfw pipe show", true, "\"rate-bps\":5000000,\"delay-ns\":0"));
	/* for both families, as gateways have it: both are said */
	quietly("ipfw pipe 6 config mask src-ip6 /64 src-ip /8");
	assert_true(says("ipfw pipe 6 show", false,
	    "    mask:  0x00 0x000000ff/0x0000 -> 0x00000000/0x0000\n"
	    "    mask: proto: 0x00, flow_id: 0x00000000,  ffff:ffff:ffff:ffff::/0x0000 -> ::/0x0000\n"));
}

static void
test_a_scheduler_shows_its_queues(void **state)
{
	(void)state;
	quietly("ipfw queue 5 config sched 4 weight 3");
	quietly("ipfw queue 6 config pipe 4");
	expect_line("ipfw sched show", 0, "", "");
	quietly("ipfw pipe 4 config bw 1Mbit/s");
	expect_line("ipfw sched 4 show", 0,
	    "00004:   1.000 Mbit/s    0 ms burst 0\n"
	    " sched 4 type WF2Q+ flags 0x0 0 buckets 0 active\n"
	    "   Children flowsets: 5 6 \n",
	    "");
	quietly("ipfw sched 4 config type rr");
	assert_true(says("ipfw sched show", false, " sched 4 type RR flags"));
}

static void
test_a_scheduler_s_own_words_are_read_and_shown(void **state)
{
	(void)state;
	quietly("dnctl pipe 1 config bw 10Mb queue 100 droptail");
	quietly("dnctl sched 1 config pipe 1 type fq_codel target 4ms interval 80ms quantum 1514 "
		"limit 10240 flows 512 ecn");
	assert_true(says("ipfw sched 1 show", false, " FQ_CODEL target 4ms interval 80ms"));
	assert_true(says("ipfw sched 1 show", false, "flows 512"));
	quietly("dnctl sched 1 config target 7ms");
	assert_true(says("ipfw sched 1 show", false, " FQ_CODEL target 7ms interval 80ms"));
	assert_true(says("ipfw sched 1 show", false, "flows 512"));
	expect_line("dnctl sched 1 config target", 65, "", NULL);
	assert_true(says("dnctl sched 1 config speed 5", false, "sched 1: unknown word 'speed'"));
}

/* --- commands --------------------------------------------------------------------------------- */

static void
test_numbers_stand_before_the_command_or_behind_it(void **state)
{
	char *out;

	(void)state;
	for (int i = 1; i <= 5; i++) {
		char line[64];

		snprintf(line, sizeof(line), "ipfw pipe config %d bw %dKbit/s", i, i);
		quietly(line);
	}
	verb_line(NULL, "ipfw pipe show 1,4-9", false, &out, NULL);
	assert_non_null(strstr(out, "00001: "));
	assert_null(strstr(out, "00002: "));
	assert_non_null(strstr(out, "00004: "));
	assert_non_null(strstr(out, "00005: "));
	free(out);
	quietly("ipfw pipe 1,2 delete");
	quietly("ipfw pipe delete 3-4");
	expect_line("ipfw pipe 4 show", 69, "", "ipfw: pipe 4 does not exist\n");
	expect_line("ipfw pipe delete 4", 69, "", "ipfw: pipe 4 does not exist\n");
	expect_line("ipfw -f pipe flush", 0, "Flushed all pipes.\n", "");
	expect_line("ipfw pipe show", 0, "", "");
	expect_line("ipfw -q pipe flush", 0, "", "");
}

static void
test_what_is_wrong_is_named_and_changes_nothing(void **state)
{
	(void)state;
	expect_line("ipfw pipe 1 config bw 10Foo", 65, "",
	    "ipfw: pipe 1: bw 10Foo: not a rate (as 300Kbit/s), nor an interface that is here\n");
	expect_line("dnctl queue 1 config pipe 1 mask proto", 65, "", NULL);
	expect_line("ipfw pipe 0 config bw 1", 64, "",
	    "ipfw: pipe 0: numbers are 1 to 65535, as 5 or 1,4-7\n");
	expect_line("ipfw pipe 1-2 config bw 1", 64, "", "ipfw: pipe config: needs one number\n");
	expect_line("ipfw pipe 1", 64, "", "ipfw: pipe 1: config, show or delete?\n");
	expect_line("ipfw pipe", 64, "", "ipfw: pipe: config, show, delete or flush?\n");
	expect_line("ipfw pipe 1 destroy", 64, "", "ipfw: pipe: bad command 'destroy'\n");
	expect_line("ipfw pipe show all", 64, "", "ipfw: pipe show: what is 'all'?\n");
	expect_line("dnctl table 1 show", 64, "", "dnctl: table: pipe, queue or sched?\n");
	expect_line("dnctl -s 5 pipe show", 64, "", NULL);
	expect_line("ipfw pipe 1 config weight 5", 65, "", "ipfw: pipe 1: weight: is for queues\n");
	expect_line("ipfw queue 1 config pipe 1 bw 5", 65, "",
	    "ipfw: queue 1: bw: is for pipes and schedulers\n");
	expect_line("ipfw pipe 1 config mask src-ip", 65, "",
	    "ipfw: pipe 1: mask: src-ip: not a mask of 32 bits (as 0xffff, or /16)\n");
	expect_line("ipfw pipe 1 config plr 0x1p-1", 65, "",
	    "ipfw: pipe 1: plr 0x1p-1: not a probability of 0 to 1\n");
	expect_line("ipfw pipe show", 0, "", "");
	expect_line("ipfw queue show", 0, "", "");
}

static void
test_with_n_words_are_read_and_nothing_is_done(void **state)
{
	(void)state;
	quietly("ipfw -n pipe 1 config bw 1Mbit/s");
	expect_line("ipfw -n pipe 1 config bw fast", 65, "", NULL);
	expect_line("ipfw pipe show", 0, "", "");
	quietly("ipfw pipe 1 config bw 1Mbit/s");
	quietly("ipfw -n pipe 1 delete");
	quietly("ipfw -n pipe flush");
	quietly("dnctl -n sched unload rr");
	assert_true(says("ipfw pipe show", false, "00001:"));
}

static void
test_parts_are_listed_unloaded_and_loaded(void **state)
{
	(void)state;
	assert_true(says("ipfw sched types", false, "  1 FIFO      loaded    used by 0\n"));
	quietly("ipfw sched unload rr");
	assert_true(says("ipfw sched types", false, "RR        unloaded"));
	assert_true(says("ipfw sched 1 config type rr", false, "no such scheduler is loaded"));
	expect_line("ipfw sched unload rr", 69, "", NULL);
	quietly("ipfw sched load rr");
	quietly("ipfw sched 1 config type rr");
	expect_line("ipfw sched unload rr", 69, "",
	    "ipfw: sched unload rr: schedulers of this type are there\n");
	expect_line("ipfw sched load rr", 69, "", "ipfw: sched load rr: it is there already\n");
	expect_line("ipfw sched load", 64, "", "ipfw: sched load: needs a scheduler's name\n");
}

/* A part is code in our process. */
static void
test_a_jail_loads_no_parts(void **state)
{
	(void)state;
	quietly("jail -c name=j vnet persist");
	expect_line("dnctl -j j sched load /tmp/x.so", 77, "", NULL);
	quietly("dnctl -j j pipe 1 config bw 1Mbit/s");
	assert_true(says("dnctl -j j pipe show", false, "00001:"));
	expect_line("dnctl pipe show", 0, "", "");
	expect_line("jail -r j", 0, NULL, "");
}

static void
test_a_file_has_lines_of_both_tools(void **state)
{
	char line[128];

	(void)state;
	file_of("# a comment\ndnctl pipe 1 config bw 1Mbit/s\n\nqueue 1 config pipe 1 weight 5\n");
	snprintf(line, sizeof(line), "dnctl %s", path);
	quietly(line);
	assert_true(says("ipfw queue show", false, "q00001"));
	unlink(path);
	file_of("pipe 2 config bw 1Mbit/s\nipfw pipe 3 config bw x\npipe 4 config bw 1Mbit/s\n");
	snprintf(line, sizeof(line), "ipfw %s", path);
	assert_true(says(line, false, ":2: pipe 3: bw x: not a rate"));
	unlink(path);
	assert_true(says("ipfw pipe show", false, "00004:"));
}

/* --- completion ------------------------------------------------------------------------------- */

static char completed[2048];

static void
complete_add(void *ctx, const char *word)
{
	(void)ctx;
	strncat(completed, word, sizeof(completed) - strlen(completed) - 2);
	strcat(completed, " ");
}

/* What may follow these words behind `sched` or `pipe`. */
static const char *
completes(enum dn_kind kind, const char *line)
{
	const char *open;
	char **argv;
	int argc;

	assert_int_equal(verb_split(line, &argc, &argv, &open), 0);
	completed[0] = '\0';
	dn_command_complete(kind, argc, argv, complete_add, NULL);
	verb_split_free(argc, argv);
	return completed;
}

static void
test_the_console_knows_numbers_words_and_types(void **state)
{
	(void)state;
	quietly("ipfw pipe 12 config bw 1Mbit/s");
	quietly("ipfw queue 34 config pipe 12");
	assert_string_equal(completes(DN_PIPE, ""), "show list delete flush config 12 ");
	assert_non_null(strstr(completes(DN_QUEUE, ""), " 34 "));
	assert_string_equal(completes(DN_PIPE, "12"), "config show delete ");
	assert_non_null(strstr(completes(DN_QUEUE, "34 config weight 3"), "lmax"));
	assert_null(strstr(completes(DN_PIPE, "12 config"), "weight"));
	assert_non_null(strstr(completes(DN_SCHED, "12 config type"), "QFQ"));
	assert_non_null(strstr(completes(DN_SCHED, "unload"), "RR"));
}

/* --- files that people have published --------------------------------------------------------- */

/* Lines that are of no language here, or speak of what is not there; and the word that says so. */
static const struct {
	const char *line, *word;
} known_refusals[] = {
	{ "ipfw sysctl -a", "'sysctl'" },
	{ "ipfw pipe 1 config bw 0Kbit/s delay 0ms plr", "plr: needs a probability" },
	{ "ipfw pipe 2 config bw 0Kbit/s delay 0ms plr", "plr: needs a probability" },
};

static bool
is_known(const char *line, const char *err)
{
	for (size_t i = 0; i < sizeof(known_refusals) / sizeof(known_refusals[0]); i++)
		if (strcmp(line, known_refusals[i].line) == 0 &&
		    strstr(err, known_refusals[i].word) != NULL)
			return true;
	return false;
}

/* Its lines are commands, with the tool's name or without. */
static unsigned
run_published(const char *file)
{
	char line[512], command[520], *out, *err;
	FILE *f = fopen(file, "r");
	unsigned lines = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const bool has_tool = strncmp(line, "ipfw ", 5) == 0 ||
		    strncmp(line, "dnctl ", 6) == 0;
		int status;

		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		snprintf(command, sizeof(command), "%s%s", has_tool ? "" : "ipfw ", line);
		status = verb_line(NULL, command, false, &out, &err);
		if (status != 0 && !is_known(line, err))
			fail_msg("%s: %s: %s", file, line, err);
		free(out);
		free(err);
		lines++;
	}
	fclose(f);
	return lines;
}

static unsigned
run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned lines = 0;
	char file[1200];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || (strcmp(dot, ".ipfw") != 0 && strcmp(dot, ".rules") != 0))
			continue;
		snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name);
		lines += run_published(file);
		expect_line("ipfw -q -f flush", 0, NULL, NULL);
		expect_line("ipfw -q -f pipe flush", 0, "", "");
	}
	if (dir != NULL)
		closedir(dir);
	return lines;
}

static void
test_published_files_are_understood(void **state)
{
	const char *source = getenv("WARREN_SOURCE");
	char folder[1024];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/tests/data/dummynet", source != NULL ? source : ".");
	assert_true(run_folder(folder) >= 35);
}

static void
test_the_larger_collection_is_understood(void **state)
{
	const char *source = getenv("WARREN_SOURCE"), *data = getenv("WARREN_DATA");
	char folder[1024];

	(void)state;
	if (data != NULL)
		snprintf(folder, sizeof(folder), "%s/dummynet", data);
	else
		snprintf(folder, sizeof(folder), "%s/../shared/data/dummynet",
		    source != NULL ? source : ".");
	if (getenv("LONG") == NULL || access(folder, R_OK) != 0) {
		print_message("skipped: LONG=1 reads %s\n", folder);
		skip();
	}
	assert_true(run_folder(folder) >= 90);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WORDS_TEST(test_rates_are_read_in_all_forms_that_people_have_written),
		WORDS_TEST(test_a_delay_is_in_ms_unless_it_says_otherwise),
		WORDS_TEST(test_a_burst_is_in_bytes_of_powers_of_1024),
		WORDS_TEST(test_a_bandwidth_is_a_rate_or_that_of_an_interface),
		WORDS_TEST(test_a_queue_is_in_slots_or_bytes_within_its_limits),
		WORDS_TEST(test_a_loss_rate_is_a_probability),
		WORDS_TEST(test_shares_are_words_of_queues),
		WORDS_TEST(test_masks_are_numbers_or_low_bits),
		WORDS_TEST(test_a_mask_of_ipv6_is_a_prefix),
		WORDS_TEST(test_a_mask_ends_at_all_at_queue_and_at_the_next_word),
		WORDS_TEST(test_red_has_four_numbers_within_their_bounds),
		WORDS_TEST(test_codel_and_pie_have_words_of_their_own),
		WORDS_TEST(test_a_type_is_a_scheduler_by_its_name),
		WORDS_TEST(test_a_pipe_s_type_is_for_its_queues_and_not_for_itself),
		WORDS_TEST(test_a_share_that_a_scheduler_has_no_use_for_is_passed_over),
		WORDS_TEST(test_a_profile_is_a_file_that_may_say_the_rate),
		WORDS_TEST(test_a_pipe_shows_its_three_traditional_lines),
		WORDS_TEST(test_masks_and_aqm_are_shown),
		WORDS_TEST(test_a_scheduler_shows_its_queues),
		WORDS_TEST(test_a_scheduler_s_own_words_are_read_and_shown),
		WORDS_TEST(test_numbers_stand_before_the_command_or_behind_it),
		WORDS_TEST(test_what_is_wrong_is_named_and_changes_nothing),
		WORDS_TEST(test_with_n_words_are_read_and_nothing_is_done),
		WORDS_TEST(test_parts_are_listed_unloaded_and_loaded),
		WORDS_TEST(test_a_jail_loads_no_parts),
		WORDS_TEST(test_a_file_has_lines_of_both_tools),
		WORDS_TEST(test_the_console_knows_numbers_words_and_types),
		WORDS_TEST(test_published_files_are_understood),
		WORDS_TEST(test_the_larger_collection_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
