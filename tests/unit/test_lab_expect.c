/*
 * test_lab_expect.c - figures and verdicts of labs.
 */
#include "control/process.h"
#include "lab/lab_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TWO_NODES                                                                                  \
	"addresses: auto\nnodes: {a: {}, b: {}}\n"                                                 \
	"links: [{endpoints: [\"a:x\", \"b:x\"], rate: 8Mbit/s, delay: 3ms, queue: 20}]\n"

/* Run a lab and hand out its expectations' verdicts as "+-+". */
static struct lab *
run(const char *text, char *verdicts)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	const struct lab_expect *x;
	char *why = NULL;
	struct lab *lab = lab_parse_text("t.lab.yml", text, strlen(text), &why);

	if (lab == NULL)
		fail_msg("%s", why);
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, lab_tunables(lab), NULL), 0);
	if (lab_build(lab, &o, &why) != 0)
		fail_msg("%s", why);
	free(why);
	lab_run(lab);
	STAILQ_FOREACH(x, &lab->expects, next)
		*verdicts++ = x->holds ? '+' : '-';
	*verdicts = '\0';
	return lab;
}

static void
end(struct lab *lab)
{
	lab_free(lab);
	process_stop();
}

static void
assert_found(const struct lab *lab, unsigned nth, const char *want)
{
	const struct lab_expect *x = STAILQ_FIRST(&lab->expects);

	while (nth-- > 0)
		x = STAILQ_NEXT(x, next);
	assert_string_equal(x->why, want);
}

static void
test_expect_delay_is_exact_to_the_nanosecond(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "traffic:\n"
	    "  - {name: warm, from: a, ping: b, count: 1}\n"
	    "  - {name: f, from: a, to: b, udp: 5001, rate: 100pps, size: 500, start: 1s, count: 50}\n"
	    "expect:\n"
	    "  - {that: f.delay.min, is: 3542us}\n"
	    "  - {that: f.delay.max, is: 3542us}\n"
	    "  - {that: f.delay.max, is: 3542001ns}\n"
	    "  - {that: f.delay.mean, between: [3542us, 3542us]}\n",
	    v);

	(void)state;
	assert_string_equal(v, "++-+");
	assert_found(lab, 2, "3.542ms");
	end(lab);
}

static void
test_expect_bounds_are_strict_for_above_and_below_and_not_for_between(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "traffic: [{name: p, from: a, ping: b, count: 3, start: 1s}]\n"
	    "expect:\n"
	    "  - {that: p.sent, above: 3}\n"
	    "  - {that: p.sent, above: 2}\n"
	    "  - {that: p.sent, below: 3}\n"
	    "  - {that: p.sent, between: [3, 3]}\n"
	    "  - {that: p.sent, is: 3}\n"
	    "  - {that: p.sent, above: 2, below: 4}\n"
	    "  - {that: p.loss, is: 0%}\n",
	    v);

	(void)state;
	assert_string_equal(v, "-+-++++");
	end(lab);
}

static void
test_expect_windows_count_what_falls_into_them(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "traffic:\n"
	    "  - {name: warm, from: a, ping: b, count: 1}\n"
	    "  - {name: f, from: a, to: b, udp: 5001, rate: 100pps, size: 500, start: 1s, for: 4s}\n"
	    "expect:\n"
	    "  - {that: f.received, from: 2s, until: 3s, is: 100}\n"
	    "  - {that: f.received, until: 1s, is: 0}\n"
	    "  - {that: f.goodput, from: 2s, until: 3s, is: 422400bit/s}\n"
	    "  - {that: f.received, is: 400}\n"
	    "  - {that: \"a:x.utilisation\", from: 2s, until: 3s, between: [5.42%, 5.42%]}\n",
	    v);

	(void)state;
	assert_string_equal(v, "+++++");
	end(lab);
}

static void
test_expect_pings_of_a_window_have_percentiles_of_their_own(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "for: 4s\n"
	    "traffic: [{name: p, from: a, ping: b, every: 100ms, start: 1s}]\n"
	    "timeline: [{at: 2s, link: \"a:x\", set: {delay: 10ms}}]\n"
	    "expect:\n"
	    "  - {that: p.rtt.p99, from: 1.5s, until: 2s, is: 6196us}\n"
	    "  - {that: p.rtt.min, from: 2.1s, until: 4s, is: 20196us}\n"
	    "  - {that: p.rtt.p50, from: 1ns, until: 1ms, is: 1ms}\n",
	    v);

	(void)state;
	assert_string_equal(v, "++-");
	assert_found(lab, 2, "there is nothing to measure: no packet");
	end(lab);
}

static void
test_expect_commands_are_judged_by_status_and_output(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "expect:\n"
	    "  - {node: a, run: \"ping -c 1 b\"}\n"
	    "  - {node: a, run: \"ping -c 1 10.99.99.99\"}\n"
	    "  - {node: a, run: \"ping -c 1 10.99.99.99\", status: any}\n"
	    "  - {node: a, run: \"sysctl -n net.inet.ip.ttl\", output: \"64\"}\n"
	    "  - {node: a, run: \"sysctl -n net.inet.ip.ttl\", output: \"65\"}\n"
	    "  - {node: a, run: \"ifconfig x\", matches: \"inet 10\\\\.0\\\\.0\\\\.1 \"}\n"
	    "  - {node: a, run: \"ifconfig x\", lacks: \"inet 10.0.0.1 \"}\n"
	    "  - {node: a, run: \"nosuchtool\"}\n",
	    v);

	(void)state;
	assert_string_equal(v, "+-++-+--");
	end(lab);
}

static void
test_expect_a_failing_timeline_command_fails_the_run(void **state)
{
	static const char text[] = TWO_NODES
	    "timeline:\n"
	    "  - {at: 1s, node: a, run: \"ifconfig nix0 up\"}\n"
	    "  - {at: 2s, node: a, run: \"ping -c 1 10.99.99.99\", status: any}\n";
	char v[16];
	struct lab *lab = run(text, v);

	(void)state;
	assert_int_equal(lab->nfailed, 1);
	end(lab);
}

static void
test_expect_a_change_of_a_link_that_is_gone_fails_the_run(void **state)
{
	char v[16];
	struct lab *lab = run(TWO_NODES
	    "timeline:\n"
	    "  - {at: 1s, node: a, run: \"ifconfig x destroy\"}\n"
	    "  - {at: 2s, link: \"b:x\", set: {delay: 1ms}}\n"
	    "  - {at: 3s, link: \"b:x\", down: true}\n"
	    "traffic: [{name: p, from: a, ping: b, every: 100ms, count: 30}]\n"
	    "expect: [{that: p.received, is: 10}, {that: \"a:x.packets\", above: 0}]\n",
	    v);

	(void)state;
	assert_true(lab->nfailed >= 3);
	assert_int_equal(v[0], '+');
	end(lab);
}

static void
test_expect_what_was_asked_of_links_is_achieved(void **state)
{
	char v[16];
	struct lab *lab = run(
	    "addresses: auto\nseed: 5\nnodes: {a: {}, b: {}}\n"
	    "links: [{endpoints: [\"a:x\", \"b:x\"], rate: 50Mbit/s, delay: 7ms, jitter: 2ms, loss: 3%, queue: 64KiB}]\n"
	    "traffic:\n"
	    "  - {name: f, from: a, to: b, udp: 1, rate: 70Mbit/s, for: 3s, pattern: poisson}\n"
	    "  - {name: g, from: b, to: a, udp: 2, rate: 7Mbit/s, for: 3s, size: 333, flows: 3}\n",
	    v);

	(void)state;
	if (!STAILQ_EMPTY(&lab->diffs))
		fail_msg("%s", STAILQ_FIRST(&lab->diffs)->text);
	assert_true(lab_way_delay(lab_end_find(lab, "b:x")) >= 7e6);
	end(lab);
}

static void
test_expect_drop_counters_that_do_not_exist_are_refused(void **state)
{
	static const char text[] = "nodes: {a: {}}\nexpect: [{that: a.drops.ip.nonsense, is: 0}]\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char *why = NULL;
	struct lab *lab = lab_parse_text("t.lab.yml", text, strlen(text), &why);

	(void)state;
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, NULL, NULL), 0);
	assert_int_not_equal(lab_build(lab, &o, &why), 0);
	assert_string_equal(
	    why, "t.lab.yml:2: that: a.drops.ip.nonsense: there is no drop counter 'ip.nonsense'");
	free(why);
	end(lab);
}

static void
collect(void *ctx, const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, ctx);
}

static void
test_expect_tap_names_file_line_and_what_was_found(void **state)
{
	char v[16], *text = NULL;
	size_t len;
	int number = 0, failed;
	struct lab *lab = run(
	    "name: t\nnodes: {a: {}}\n"
	    "expect:\n  - {that: a.drops, is: 0}\n  - {that: a.forwarded, above: 7}\n",
	    v);
	FILE *m = open_memstream(&text, &len);
	struct emitter *e = emitter_new(EMIT_TEXT, collect, m);

	(void)state;
	failed = lab_tap(lab, e, &number);
	emitter_free(e);
	fclose(m);
	assert_int_equal(failed, 1);
	assert_int_equal(number, 3);
	assert_string_equal(text,
	    "ok 1 - t: a.drops is 0\n"
	    "not ok 2 - t: a.forwarded above 7\n"
	    "# t.lab.yml:5: 0\n"
	    "ok 3 - t: achieved as requested\n");
	free(text);
	end(lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expect_delay_is_exact_to_the_nanosecond),
		cmocka_unit_test(
		    test_expect_bounds_are_strict_for_above_and_below_and_not_for_between),
		cmocka_unit_test(test_expect_windows_count_what_falls_into_them),
		cmocka_unit_test(test_expect_pings_of_a_window_have_percentiles_of_their_own),
		cmocka_unit_test(test_expect_commands_are_judged_by_status_and_output),
		cmocka_unit_test(test_expect_a_failing_timeline_command_fails_the_run),
		cmocka_unit_test(test_expect_a_change_of_a_link_that_is_gone_fails_the_run),
		cmocka_unit_test(test_expect_what_was_asked_of_links_is_achieved),
		cmocka_unit_test(test_expect_drop_counters_that_do_not_exist_are_refused),
		cmocka_unit_test(test_expect_tap_names_file_line_and_what_was_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
