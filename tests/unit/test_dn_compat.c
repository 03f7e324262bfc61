/*
 * Unit tests of the records of other times (dummynet/dn_compat*.c, dn_record.c): for each layout and
 * kind a request as FreeBSD 7, 8.0 or 8.1 sent it (tests/data/dummynet/records, made by records.py),
 * what it does to today's objects, and the answer to a byte.
 */
#include "fw_stack.h"

#include "base/bytes.h"
#include "dummynet/dn_compat.h"
#include "dummynet/dn_profile.h"
#include "dummynet/dn_words.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* --- helpers ---------------------------------------------------------------------------------- */

static const char *const old_layouts[] = { "7-32", "7-64", "8-32", "8-64" };
static const char *const v3_layouts[] = { "3-32", "3-64" };
static const char *const all_layouts[] = { "7-32", "7-64", "8-32", "8-64", "3-32", "3-64" };
#define EACH(name, list)                                                                           \
	for (const char *const *name = list; name < list + sizeof(list) / sizeof(list[0]); name++)

struct file {
	uint8_t bytes[8192];
	size_t len;
};

/* records/LAYOUT-NAME.SUFFIX behind what is there. */
static void
add(struct file *f, const char *layout, const char *name, const char *suffix)
{
	const char *source = getenv("WARREN_SOURCE");
	char path[512];
	FILE *in;

	snprintf(path, sizeof(path), "%s/tests/data/dummynet/records/%s-%s.%s",
	    source != NULL ? source : ".", layout, name, suffix);
	in = fopen(path, "rb");
	if (in == NULL)
		fail_msg("%s is not there", path);
	f->len += fread(f->bytes + f->len, 1, sizeof(f->bytes) - f->len, in);
	fclose(in);
}

/* The answers to a stream: free() them. */
static struct dn_record_header *
answers(const struct file *f, enum dn_layout layout, size_t *len)
{
	const char *why;
	uint8_t *out = dn_record_stream(f->bytes, f->len, &layout, len, &why);

	assert_non_null(out);
	assert_null(why);
	return (struct dn_record_header *)(void *)out;
}

static uint32_t
error_of(const struct dn_record_header *h)
{
	return __builtin_bswap32(load32(h->error));
}

/* One request; errors are as expected, and behind one there is a sentence. */
static void
send_expecting(const char *layout, const char *name, unsigned error, const char *sentence)
{
	struct dn_record_header *h;
	struct file f = { 0 };
	size_t len;

	add(&f, layout, name, "rec");
	h = answers(&f, dn_layout_find(layout), &len);
	assert_true(len >= sizeof(*h));
	if (error_of(h) != error)
		fail_msg("%s %s: %u %.*s", layout, name, error_of(h), (int)(len - sizeof(*h)),
		    (char *)(h + 1));
	if (sentence != NULL && memmem(h + 1, len - sizeof(*h), sentence, strlen(sentence)) == NULL)
		fail_msg("%s %s: %.*s", layout, name, (int)(len - sizeof(*h)), (char *)(h + 1));
	free(h);
}

static void
sent(const char *layout, const char *name)
{
	send_expecting(layout, name, 0, NULL);
}

static void
flushed(void)
{
	expect_line("ipfw -q -f pipe flush", 0, "", "");
}

/* --- config ----------------------------------------------------------------------------------- */

static void
test_each_layout_makes_the_same_pipe(void **state)
{
	(void)state;
	EACH(layout, all_layouts)
	{
		char want[256];

		sent(*layout, "config-pipe");
		snprintf(want, sizeof(want),
		    "00001: 300.000 Kbit/s   20 ms burst %s\n"
		    "q131073  30 sl.plr 0.250000 0 flows (1 buckets) sched 65537 weight 0 lmax 0 "
		    "pri 0 droptail\n"
		    " sched 65537 type FIFO flags 0x0 0 buckets 0 active\n",
		    (*layout)[0] == '7' ? "0" : "30000");
		expect_line("ipfw pipe show", 0, want, "");
		flushed();
	}
}

static void
test_masks_red_and_flags_are_understood(void **state)
{
	(void)state;
	EACH(layout, all_layouts)
	{
		sent(*layout, "config-pipe-red");
		assert_true(says("ipfw pipe 2 show", false,
		    "q131074 64 KBplr 0.250000 0 flows (64 buckets) sched 65538 weight 0 lmax 0 pri 0 \n"
		    "\t GRED w_q 0.001999 min_th 5120 max_th 15360 max_p 0.500000\n"
		    " sched 65538 type FIFO flags 0x1 128 buckets 0 active\n"
		    "    mask:  0xff 0xffffff00/0x0000 -> 0x00000000/0xffff\n"));
		assert_true(says("ipfw pipe 2 show", true, "\"noerror\":true"));
		flushed();
	}
}

static void
test_a_queue_finds_its_pipe(void **state)
{
	(void)state;
	EACH(layout, all_layouts)
	{
		sent(*layout, "config-pipe");
		sent(*layout, "config-queue");
		assert_true(says("ipfw queue show", false,
		    "q00005  20 sl. 0 flows (64 buckets) sched 1 weight 40 lmax 0 pri 0 droptail\n"
		    "    mask:  0x00 0x00000000/0x0000 -> 0xffffffff/0x0000\n"));
		assert_true(says("ipfw sched show", false, "   Children flowsets: 5 \n"));
		flushed();
	}
}

static void
test_a_bandwidth_may_be_that_of_an_interface(void **state)
{
	(void)state;
	EACH(layout, old_layouts)
	{
		sent(*layout, "config-interface");
		assert_true(says("ipfw pipe 3 show", true, "\"rate-of\":\"lo0\""));
		flushed();
	}
}

static void
test_a_profile_comes_with_its_samples(void **state)
{
	static const char *const with[] = { "8-32", "8-64", "3-32", "3-64" };
	struct dn_sched_view s;
	struct rng rng;
	bool seen[10] = { false };

	(void)state;
	EACH(layout, with)
	{
		sent(*layout, "config-profile");
		assert_true(says("ipfw pipe 4 show", false,
		    "\t profile: name \"radio\" loss 0.900000 samples 10\n"));
		assert_true(dn_sched_look(4, &s));
		rng_seed(&rng, 1, "samples");
		for (int i = 0; i < 1000; i++) {
			bool lost;
			uint64_t ns = dn_profile_draw(s.config->link.profile, &rng, &lost);

			assert_int_equal(ns % 10000000, 0);
			assert_true(ns <= 90000000);
			assert_int_equal(lost, ns == 90000000);
			seen[ns / 10000000] = true;
		}
		for (int i = 0; i < 10; i++)
			assert_true(seen[i]);
		flushed();
	}
}

/* Its flow ids had no fib: all behind stood a byte further to the front. */
static void
test_a_mask_of_7_0_is_told_from_later_ones(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		sent(old_layouts[i], "config-mask-70");
		assert_true(says("ipfw pipe 6 show", false,
		    "    mask:  0xff 0xffffff00/0x0000 -> 0x00000000/0xffff\n"));
		flushed();
	}
}

static void
test_a_scheduler_s_type_comes_by_name(void **state)
{
	(void)state;
	EACH(layout, v3_layouts)
	{
		sent(*layout, "config-pipe");
		sent(*layout, "config-sched");
		assert_true(says("ipfw sched 1 show", false, " sched 1 type RR "));
		flushed();
	}
}

/* --- delete, flush ---------------------------------------------------------------------------- */

static void
test_what_was_made_is_deleted(void **state)
{
	(void)state;
	EACH(layout, all_layouts)
	{
		sent(*layout, "config-pipe");
		sent(*layout, "config-queue");
		sent(*layout, "delete-queue");
		expect_line("ipfw queue show", 0, "", "");
		sent(*layout, "delete-pipe");
		expect_line("ipfw pipe show", 0, "", "");
		send_expecting(*layout, "delete-pipe", ENOENT, "pipe 1: ");
		send_expecting(*layout, "delete-queue", ENOENT, "queue 5: ");
		sent(*layout, "config-pipe");
		sent(*layout, "flush");
		expect_line("ipfw pipe show", 0, "", "");
	}
	EACH(v3, v3_layouts)
	{
		sent(*v3, "config-sched");
		sent(*v3, "delete-sched");
		expect_line("ipfw sched show", 0, "", "");
	}
}

/* --- get -------------------------------------------------------------------------------------- */

/* The answer to the last of three requests. */
static void
expect_answer(const char *layout, const char *name)
{
	struct file rq = { 0 }, want = { 0 };
	struct dn_record_header *h;
	size_t len;

	add(&rq, layout, "config-pipe", "rec");
	add(&rq, layout, "config-queue", "rec");
	add(&rq, layout, name, "rec");
	add(&want, layout, name, "ans");
	/* who speaks is learnt from the first */
	h = answers(&rq, DN_LAYOUT_UNKNOWN, &len);
	assert_int_equal(len, 2 * sizeof(*h) + want.len);
	for (size_t i = 0; i < want.len; i++)
		if (((uint8_t *)(h + 2))[i] != want.bytes[i])
			fail_msg("%s %s: byte %zu is %02x, not %02x", layout, name, i - sizeof(*h),
			    ((uint8_t *)(h + 2))[i], want.bytes[i]);
	free(h);
	flushed();
}

static void
test_what_is_there_is_answered_in_the_layout_of_who_asks(void **state)
{
	static const char *const lists[] = { "get-pipes", "get-queues", "get-scheds", "get-none" };

	(void)state;
	EACH(old, old_layouts)
	expect_answer(*old, "get");
	EACH(v3, v3_layouts)
	EACH(list, lists)
	expect_answer(*v3, *list);
}

static void
test_a_buffer_that_is_too_small_gets_what_its_program_expects(void **state)
{
	enum dn_layout layout = DN_LAYOUT_7_64;
	struct dn_request rq = { .option = DN_OPT_GET, .get = true, .room = 100 };
	struct file f = { 0 };
	struct dn_answer a;

	(void)state;
	sent("7-64", "config-pipe");
	dn_compat(&rq, &layout, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.len, 100);
	dn_answer_free(&a);
	/* the later ones learn how much they need */
	add(&f, "3-64", "get-pipes", "rec");
	layout = DN_LAYOUT_3_64;
	rq = (struct dn_request){ .option = DN_OPT_DUMMYNET3, .get = true, .room = 8 };
	rq.bytes = f.bytes + sizeof(struct dn_record_header);
	rq.len = f.len - sizeof(struct dn_record_header);
	dn_compat(&rq, &layout, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.len, 8);
	assert_int_equal(load32(a.bytes + 4), 8 + 32 + 120 + 92);
	dn_answer_free(&a);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void
test_what_can_not_be_told_apart_is_refused(void **state)
{
	struct dn_record_header *h;
	struct file f = { 0 };
	size_t len;

	(void)state;
	EACH(old, old_layouts)
	send_expecting(*old, "delete-both", EINVAL, "both a pipe's and a queue's number");
	add(&f, "7-32", "get", "rec");
	h = answers(&f, DN_LAYOUT_UNKNOWN, &len);
	assert_int_equal(error_of(h), EINVAL);
	assert_non_null(memmem(h + 1, len - sizeof(*h), "7 or 8, 32 or 64 bits?", 22));
	free(h);
	f.len = 0;
	add(&f, "3-32", "get-pipes", "rec");
	h = answers(&f, DN_LAYOUT_UNKNOWN, &len);
	assert_int_equal(error_of(h), EINVAL);
	free(h);
	/* a program does not change its release */
	f.len = 0;
	add(&f, "7-32", "config-pipe", "rec");
	h = answers(&f, DN_LAYOUT_8_64, &len);
	assert_int_equal(error_of(h), EINVAL);
	free(h);
	expect_line("ipfw pipe show", 0, "", "");
}

/* The numbers of a machine of the other byte order are none. */
static void
test_another_byte_order_is_refused(void **state)
{
	uint8_t pipe[352] = { 0 };
	enum dn_layout layout = DN_LAYOUT_UNKNOWN;
	const struct dn_request rq = {
		.option = DN_OPT_CONFIGURE, .bytes = pipe, .len = sizeof(pipe)
	};
	struct dn_answer a;

	(void)state;
	pipe[11] = 1;
	dn_compat(&rq, &layout, &a);
	assert_int_equal(a.error, EINVAL);
	assert_non_null(strstr(a.why, "0x01000000: not a number of 1 to 65535"));
	dn_answer_free(&a);
}

static void
test_a_record_of_no_known_length_is_refused(void **state)
{
	static uint8_t bytes[6000];
	struct dn_answer a;

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++) {
		enum dn_layout layout = DN_LAYOUT_UNKNOWN;
		const struct dn_request rq = {
			.option = DN_OPT_CONFIGURE, .bytes = bytes, .len = len
		};

		dn_compat(&rq, &layout, &a);
		assert_int_equal(a.error, EINVAL);
		assert_int_equal(layout != DN_LAYOUT_UNKNOWN,
		    len == 280 || len == 352 || len == 344 || len == 424 || len == 4440 ||
			len == 4520);
		dn_answer_free(&a);
	}
}

/* --- dnctl record ----------------------------------------------------------------------------- */

static void
test_the_tool_reads_a_file_of_records(void **state)
{
	char line[600], *out, *err;
	const char *source = getenv("WARREN_SOURCE");

	(void)state;
	snprintf(line, sizeof(line),
	    "dnctl record %s/tests/data/dummynet/records/8-64-config-pipe.rec",
	    source != NULL ? source : ".");
	assert_int_equal(verb_line(NULL, line, false, &out, &err), 0);
	/* read as text it ends at its first zero */
	assert_memory_equal(out, "DNRC\1", 6);
	free(out);
	free(err);
	assert_true(says("ipfw pipe show", false, "00001: 300.000 Kbit/s"));
	expect_line("dnctl record -l 9-64 x", 64, "", NULL);
	expect_line("dnctl record", 64, "", NULL);
	expect_line("dnctl record /nowhere/at/all", 71, "",
	    "dnctl: record: /nowhere/at/all: No such file or directory\n");
	expect_line("dnctl record /dev/null", 0, "", "");
}

static void
test_a_stream_that_ends_early_says_so(void **state)
{
	struct file f = { 0 };
	enum dn_layout layout = DN_LAYOUT_UNKNOWN;
	size_t len;
	const char *why;

	(void)state;
	add(&f, "8-64", "config-pipe", "rec");
	free(dn_record_stream(f.bytes, f.len - 1, &layout, &len, &why));
	assert_string_equal(why, "the last record is cut short");
	free(dn_record_stream(f.bytes, 19, &layout, &len, &why));
	assert_string_equal(why, "the last record's header is cut short");
	f.bytes[0] = 'X';
	free(dn_record_stream(f.bytes, f.len, &layout, &len, &why));
	assert_string_equal(why, "no record begins here");
	expect_line("ipfw pipe show", 0, "", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_each_layout_makes_the_same_pipe),
		FW_TEST(test_masks_red_and_flags_are_understood),
		FW_TEST(test_a_queue_finds_its_pipe),
		FW_TEST(test_a_bandwidth_may_be_that_of_an_interface),
		FW_TEST(test_a_profile_comes_with_its_samples),
		FW_TEST(test_a_mask_of_7_0_is_told_from_later_ones),
		FW_TEST(test_a_scheduler_s_type_comes_by_name),
		FW_TEST(test_what_was_made_is_deleted),
		FW_TEST(test_what_is_there_is_answered_in_the_layout_of_who_asks),
		FW_TEST(test_a_buffer_that_is_too_small_gets_what_its_program_expects),
		FW_TEST(test_what_can_not_be_told_apart_is_refused),
		FW_TEST(test_another_byte_order_is_refused),
		FW_TEST(test_a_record_of_no_known_length_is_refused),
		FW_TEST(test_the_tool_reads_a_file_of_records),
		FW_TEST(test_a_stream_that_ends_early_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
