/* Running commands: words, options, units, streams, runs that stay. */
#include "kern_fixture.h"

#include "base/callout.h"
#include "base/sched.h"
#include "kern/netstat.h"
#include "kern/show.h"

#include <errno.h>

static int
echo_run(struct verb_run *v)
{
	emit_list(v->out, "word");
	for (int i = 1; i < v->argc; i++) {
		emit_object(v->out, NULL);
		emit_str(v->out, "w", i > 1 ? " %s" : "%s", v->argv[i]);
		emit_end(v->out);
	}
	emit_end(v->out);
	emit_text(v->out, "\n");
	return v->fib;
}
VERB_DEFINE(echo, .name = "echo", .usage = "echo [word ...]", .run = echo_run);

static int
where_run(struct verb_run *v)
{
	emit_text(v->out, "%s %d%s\n", vnet_name(curvnet), curprison->jid,
	    curvnet == v->vnet && curprison == v->prison ? "" : " ?");
	return 0;
}
VERB_DEFINE(where, .name = "where", .usage = "where", .run = where_run, .flags = VERB_HAS_JAIL);

static int
fail_run(struct verb_run *v)
{
	if (v->argc > 1)
		return verb_usage(v, v->argv[1]);
	emit_text(v->out, "some ");
	return verb_error(v, 7, "%s went %s", "it", "wrong");
}
VERB_DEFINE(fail, .name = "fail", .usage = "fail one\nfail two", .run = fail_run);

/* Stays until its timer fires; says what is asked of it. */
static struct callout wait_timer;
static struct verb_run *waiting;
static bool slow_to_cancel;

static void
wait_ends(void *arg)
{
	struct verb_run *v = waiting;

	(void)arg;
	waiting = NULL;
	emit_text(v->out, "waited\n");
	verb_finish(v, 5);
}

static void
wait_cancel(struct verb_run *v)
{
	if (slow_to_cancel)
		return;
	callout_stop(&wait_timer);
	waiting = NULL;
	emit_text(v->out, "cancelled in %s\n", vnet_name(curvnet));
	verb_finish(v, 6);
}

static int
wait_run(struct verb_run *v)
{
	waiting = v;
	v->cancel = wait_cancel;
	callout_init(&wait_timer, NULL, wait_ends, NULL);
	callout_reset(&wait_timer, NS_PER_SEC);
	return VERB_PENDING;
}
VERB_DEFINE(wait_, .name = "wait", .usage = "wait", .run = wait_run);

static int
hasty_run(struct verb_run *v)
{
	verb_finish(v, 9);
	return VERB_PENDING;
}
VERB_DEFINE(hasty, .name = "hasty", .usage = "hasty", .run = hasty_run);

static struct {
	char out[256], err[256];
	int status, done;
} got;

static void
take_out(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	strncat(got.out, bytes, len);
}

static void
take_err(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	strncat(got.err, bytes, len);
}

static void
take_done(void *ctx, int status)
{
	(void)ctx;
	got.status = status;
	got.done++;
}

static struct verb_run *
start(const char *line)
{
	const struct verb_io io = { take_out, take_err, take_done, NULL, false, false };
	struct verb_run *run;
	char **argv;
	int argc;

	memset(&got, 0, sizeof(got));
	slow_to_cancel = false;
	assert_int_equal(verb_split(line, &argc, &argv, NULL), 0);
	run = verb_exec(argc, argv, NULL, 0, &io);
	verb_split_free(argc, argv);
	return run;
}

static void
test_line_is_split_as_a_shell_does(void **state)
{
	(void)state;
	expect_line("echo a  b\tc", 0, "a b c\n", "");
	expect_line("echo 'a  b' \"c 'd'\" e\\ f g'h'\"i\"", 0, "a  b c 'd' e f ghi\n", "");
	expect_line("echo '' x", 0, " x\n", "");
	expect_line("echo \"a\\\"b\\n\" 'c\\'", 0, "a\"b\\n c\\\n", "");
	expect_line("echo a # b", 0, "a\n", "");
	expect_line("echo a#b '#c'", 0, "a#b #c\n", "");
	expect_line("", 0, "", "");
	expect_line("   # only a comment", 0, "", "");
	expect_line("echo 'a", 2, "", "warren: a quote is not closed\n");
	expect_line("echo \"a\\\"", 2, "", "warren: a quote is not closed\n");
	expect_line("echo a\\", 0, "a\\\n", "");
}

static void
test_unknown_tool_is_said_with_its_name(void **state)
{
	(void)state;
	expect_line("frobnicate x", 2, "", "warren: no tool 'frobnicate'\n");
	assert_null(verb_find("frobnicate"));
	assert_non_null(verb_find("echo"));
}

static void
test_errors_and_usage_go_to_standard_error(void **state)
{
	(void)state;
	expect_line("fail", 7, "some ", "fail: it went wrong\n");
	expect_line("fail words", 64, "", "fail: words\nusage: fail one\n       fail two\n");
}

static void
test_json_is_asked_for_before_or_behind_the_tools_words(void **state)
{
	(void)state;
	assert_true(says("echo --json a b", false, "{\"word\":[{\"w\":\"a\"},{\"w\":\"b\"}]}"));
	assert_true(says("echo a b --json", false, "{\"word\":[{\"w\":\"a\"},{\"w\":\"b\"}]}"));
	assert_true(
	    says("echo --libxo json a b", false, "{\"word\":[{\"w\":\"a\"},{\"w\":\"b\"}]}"));
	assert_true(
	    says("echo a b --libxo json", false, "{\"word\":[{\"w\":\"a\"},{\"w\":\"b\"}]}"));
	assert_true(says("echo a b", true, "{\"word\":[{\"w\":\"a\"},{\"w\":\"b\"}]}"));
	expect_line("echo a --json b", 0, "a --json b\n", "");
	expect_line("jail -c name=x persist", 0, "", "");
	assert_true(says("jexec --json x echo a", false, "{\"word\":[{\"w\":\"a\"}]}"));
	assert_true(says("setfib 0 echo a --json", false, "{\"word\":[{\"w\":\"a\"}]}"));
}

static void
test_jexec_and_setfib_can_be_stacked(void **state)
{
	(void)state;
	expect_line("jail -c name=x vnet persist children.max=1", 0, "", "");
	expect_line("jexec x jail -c name=y persist", 0, "", "");
	expect_line("where", 0, "host 0\n", "");
	expect_line("jexec x where", 0, "x 1\n", "");
	expect_line("jexec x jexec y where", 0, "x 2\n", "");
	expect_line("jexec x where -j y", 0, "x 2\n", "");
	expect_line("jexec x.y where", 0, "x 2\n", "");
	expect_line("jexec x jexec x where", 1, "", "jexec: jail \"x\" not found\n");
	expect_line("setfib 3 jexec x echo", 3, "\n", "");
	expect_line("jexec x setfib 4 echo", 4, "\n", "");
	expect_line("setfib -15 echo", 15, "\n", "");
	expect_line("setfib 16 echo", 64, "", "setfib: 16: Invalid argument: FIBs are 0 to 15\n");
	expect_line("setfib 1x echo", 64, "", NULL);
	expect_line("setfib 1", 64, "", "usage: setfib [-F] number command ...\n");
	expect_line("jexec -u root x where", 1, "", NULL);
}

static void
test_run_that_stays_ends_once_with_its_status(void **state)
{
	(void)state;
	assert_non_null(start("wait"));
	assert_int_equal(got.done, 0);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_int_equal(got.done, 1);
	assert_int_equal(got.status, 5);
	assert_string_equal(got.out, "waited\n");
	assert_null(start("hasty"));
	assert_int_equal(got.done, 1);
	assert_int_equal(got.status, 9);
	assert_null(start("echo x"));
	assert_int_equal(got.done, 1);
}

static void
test_cancelled_run_ends_in_its_own_stack(void **state)
{
	struct verb_run *run;

	(void)state;
	expect_line("jail -c name=x vnet persist", 0, "", "");
	run = start("jexec x wait");
	verb_cancel(run);
	assert_string_equal(got.out, "cancelled in x\n");
	assert_int_equal(got.done, 1);
	assert_ptr_equal(curvnet, vnet0);
	/* A line is run to its end or not at all. */
	expect_line("wait", 6, "cancelled in host\n", "");
}

static void
test_run_whose_stack_ends_is_cancelled_first(void **state)
{
	struct verb_run *run;

	(void)state;
	expect_line("jail -c name=x vnet persist", 0, "", "");
	assert_non_null(start("jexec x wait"));
	expect_line("jail -r x", 0, "", "");
	assert_int_equal(got.status, 6);

	expect_line("jail -c name=x vnet persist", 0, "", "");
	run = start("jexec x wait");
	slow_to_cancel = true;
	expect_line("jail -r x", 0, "", "");
	assert_int_equal(got.done, 0);
	assert_null(run->vnet);
	assert_null(run->prison);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_int_equal(got.status, 5);
}

static void
test_line_that_is_slow_to_cancel_leaves_nothing_behind(void **state)
{
	(void)state;
	slow_to_cancel = true;
	expect_line("wait", 130, "", "");
	slow_to_cancel = false;
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_null(waiting);
}

static void
test_options_end_at_the_first_operand(void **state)
{
	char *argv[] = { "t", "-ab", "-c", "x", "-cy", "-", "-a", NULL };
	char *dashes[] = { "t", "-a", "--", "-b", NULL };
	char *bad[] = { "t", "-z", "-c", NULL };
	struct verb_opts o;

	(void)state;
	verb_opts_init(&o, NULL, 7, argv, "abc:");
	assert_int_equal(verb_opts_next(&o), 'a');
	assert_int_equal(verb_opts_next(&o), 'b');
	assert_null(o.arg);
	assert_int_equal(verb_opts_next(&o), 'c');
	assert_string_equal(o.arg, "x");
	assert_int_equal(verb_opts_next(&o), 'c');
	assert_string_equal(o.arg, "y");
	assert_int_equal(verb_opts_next(&o), -1);
	assert_int_equal(o.ind, 5);
	assert_int_equal(verb_opts_next(&o), -1);

	verb_opts_init(&o, NULL, 4, dashes, "ab");
	assert_int_equal(verb_opts_next(&o), 'a');
	assert_int_equal(verb_opts_next(&o), -1);
	assert_int_equal(o.ind, 3);

	verb_opts_init(&o, NULL, 3, bad, "abc:");
	assert_int_equal(verb_opts_next(&o), '?');
	assert_int_equal(o.opt, 'z');
	assert_int_equal(verb_opts_next(&o), '?');
	assert_int_equal(o.opt, 'c');
	assert_int_equal(verb_opts_next(&o), -1);
	expect_line("jls -Z", 1, "",
	    "jls: illegal option -- Z\nusage: jls [-dhNnqsv] [-j jail] [param ...]\n");
	expect_line("jls -j", 1, "",
	    "jls: option requires an argument -- j\n"
	    "usage: jls [-dhNnqsv] [-j jail] [param ...]\n");
}

static void
test_numbers_are_whole_words_within_bounds(void **state)
{
	uint64_t n = 77;

	(void)state;
	assert_true(verb_number("10", 0, 10, &n) && n == 10);
	assert_true(verb_number("010", 0, 100, &n) && n == 10);
	assert_true(verb_number("0x1F", 0, 100, &n) && n == 31);
	assert_true(verb_number("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX);
	n = 77;
	static const char *const bad[] = { "", "x", "10x", "11", " 1", "1 ", "-1", "+1", "0x",
		"0xg", "18446744073709551616", "0x10000000000000000", "1.0" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(verb_number(bad[i], 1, 10, &n));
	assert_int_equal(n, 77);
}

static void
test_units_are_required_and_results_are_whole(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(verb_duration("5ms", &n) && n == 5000000);
	assert_true(verb_duration("1.5s", &n) && n == 1500000000);
	assert_true(verb_duration("100us", &n) && n == 100000);
	assert_true(verb_duration("10ns", &n) && n == 10);
	assert_true(verb_duration("2min", &n) && n == 120 * NS_PER_SEC);
	assert_true(verb_duration("24h", &n) && n == 86400 * NS_PER_SEC);
	assert_false(verb_duration("5", &n) || verb_duration("ms", &n) ||
	    verb_duration("1.5ns", &n) || verb_duration("-1s", &n) || verb_duration("1.s", &n) ||
	    verb_duration("1 s", &n) || verb_duration("20000000000s", &n) ||
	    verb_duration("5MS", &n) || verb_duration("", &n));
	assert_true(verb_rate("100Mbit/s", &n) && n == 100000000);
	assert_true(verb_rate("1Gbit/s", &n) && n == 1000000000);
	assert_true(verb_rate("64kbit/s", &n) && n == 64000);
	assert_true(verb_rate("1.544Mbit/s", &n) && n == 1544000);
	assert_true(verb_rate("10MByte/s", &n) && n == 80000000);
	assert_false(
	    verb_rate("100M", &n) || verb_rate("100mbit/s", &n) || verb_rate("0.5bit/s", &n));
	assert_true(verb_size("64KB", &n) && n == 64000);
	assert_true(verb_size("64KiB", &n) && n == 65536);
	assert_true(verb_size("1500B", &n) && n == 1500);
	assert_false(verb_size("1500", &n) || verb_size("1.5B", &n));
}

static int
show_one(struct verb_run *v, int argc, char **argv)
{
	uintptr_t handle = 0;

	emit_text(v->out, "one %d %d\n", argc,
	    argc > 0 && show_handle(argv[0], &handle) ? (int)handle : -1);
	return 0;
}
SHOW_DEFINE(one, "thing", "HANDLE", show_one);

static int
show_all(struct verb_run *v, int argc, char **argv)
{
	(void)argv;
	emit_text(v->out, "all %d\n", argc);
	return 0;
}
SHOW_DEFINE(all, "thing of all", "", show_all);

static void
test_show_takes_the_longest_name(void **state)
{
	(void)state;
	expect_line("show thing", 0, "one 0 -1\n", "");
	expect_line("show thing 0x10", 0, "one 1 16\n", "");
	expect_line("show thing of", 0, "one 1 -1\n", "");
	expect_line("show thing of all", 0, "all 0\n", "");
	expect_line("show thing of all x", 0, "all 1\n", "");
	expect_line("show thin", 1, "", "show: no such command: thin (show alone lists all)\n");
	assert_true(says("show", false, "show thing HANDLE\nshow thing of all\n"));
}

static uint64_t datagrams;

static int
mode_run(struct verb_run *v, const struct netstat_opts *o)
{
	emit_text(v->out, "n%d W%d I=%s f=%d s=%d w=%u q=%u\n", o->numeric, o->wide,
	    o->ifname != NULL ? o->ifname : "-", o->family, o->stats, o->wait_s, o->wait_times);
	return 0;
}
NETSTAT_MODE_DEFINE(interfaces, 'i', "interface", mode_run);
NETSTAT_MODE_DEFINE(routing, 'R', "route-statistics", mode_run);

static void
udp_stats(struct verb_run *v, const struct netstat_opts *o)
{
	emit_object(v->out, "udp");
	emit_text(v->out, "udp:\n");
	netstat_counter(v->out, o, "received", &datagrams, "# datagram{s} received");
	netstat_value(v->out, o, NULL, 1, "# quer{y|ies} of # host{ was|s were} seen");
	emit_end(v->out);
}
NETSTAT_STATS_DEFINE(udp, "udp", AF_INET, udp_stats);

static void
test_netstat_hands_its_options_to_the_mode(void **state)
{
	(void)state;
	expect_line("netstat -inW", 0, "n1 W1 I=- f=0 s=0 w=0 q=0\n", "");
	expect_line("netstat -Wf link -I em0", 0, "n0 W1 I=em0 f=18 s=0 w=0 q=0\n", "");
	expect_line("netstat -w 2 -q 3", 0, "n0 W0 I=- f=0 s=0 w=2 q=3\n", "");
	expect_line("netstat -rs", 0, "n0 W0 I=- f=0 s=1 w=0 q=0\n", "");
	expect_line("netstat -w 0", 1, "", "netstat: 0: not a number of seconds\n");
	expect_line("netstat -f nope", 1, "", "netstat: nope: unknown address family\n");
	expect_line("netstat -B", 1, "", "netstat: -B: not in this program\n");
	expect_line("netstat -in em0", 64, "", NULL);
}

static void
test_netstat_statistics_print_plurals_hide_zeros_and_reset(void **state)
{
	(void)state;
	datagrams = 1;
	expect_line("netstat -s -p udp", 0,
	    "udp:\n\t1 datagram received\n\t1 query of 1 host was seen\n", "");
	datagrams = 2;
	expect_line("netstat -sz -p udp", 0,
	    "udp:\n\t2 datagrams received\n\t1 query of 1 host was seen\n", "");
	assert_int_equal(datagrams, 0);
	expect_line("netstat -ss -f inet", 0, "udp:\n\t1 query of 1 host was seen\n", "");
	expect_line("netstat -p udp", 0,
	    "udp:\n\t0 datagrams received\n\t1 query of 1 host was seen\n", "");
	assert_true(says("netstat -s -p udp", true, "{\"statistics\":{\"udp\":{\"received\":0}}}"));
	expect_line("jail -c name=x persist", 0, "", "");
	expect_line("jexec x netstat -sz", 1, "", "netstat: -z: Operation not permitted\n");
	assert_true(says("netstat -m", false, " mbufs in use (current/cache/total)\n"));
	assert_true(says("netstat -m", true, "{\"mbuf\":{\"current\":0,"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_line_is_split_as_a_shell_does),
		KERN_TEST(test_unknown_tool_is_said_with_its_name),
		KERN_TEST(test_errors_and_usage_go_to_standard_error),
		KERN_TEST(test_json_is_asked_for_before_or_behind_the_tools_words),
		KERN_TEST(test_jexec_and_setfib_can_be_stacked),
		KERN_TEST(test_run_that_stays_ends_once_with_its_status),
		KERN_TEST(test_cancelled_run_ends_in_its_own_stack),
		KERN_TEST(test_run_whose_stack_ends_is_cancelled_first),
		KERN_TEST(test_line_that_is_slow_to_cancel_leaves_nothing_behind),
		KERN_TEST(test_options_end_at_the_first_operand),
		KERN_TEST(test_numbers_are_whole_words_within_bounds),
		KERN_TEST(test_units_are_required_and_results_are_whole),
		KERN_TEST(test_show_takes_the_longest_name),
		KERN_TEST(test_netstat_hands_its_options_to_the_mode),
		KERN_TEST(test_netstat_statistics_print_plurals_hide_zeros_and_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
