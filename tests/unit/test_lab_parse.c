/*
 * test_lab_parse.c - what a lab file says, and what is said of a wrong one.
 */
#include "lab/lab_model.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lab *
parse(const char *text, char **why)
{
	return lab_parse_text("t.lab.yml", text, strlen(text), why);
}

/* Parse what must be right. */
static struct lab *
good(const char *text)
{
	char *why = NULL;
	struct lab *lab = parse(text, &why);

	if (lab == NULL)
		fail_msg("%s", why);
	free(why);
	return lab;
}

/* The first line of what is said of a wrong text. */
static void
assert_fault(const char *text, const char *first)
{
	char *why = NULL;

	assert_null(parse(text, &why));
	assert_non_null(why);
	why[strcspn(why, "\n")] = '\0';
	assert_string_equal(why, first);
	free(why);
}

static void
test_lab_reads_the_sketch_of_an_office(void **state)
{
	struct lab *lab = good(
	    "name: office\n"
	    "nodes:\n"
	    "  pc: {run: [\"ifconfig eth0 inet 10.0.0.2/24\"]}\n"
	    "  gw: {}\n"
	    "links:\n"
	    "  - {endpoints: [\"pc:eth0\", \"gw:lan\"], rate: 20Mbit/s, delay: 10ms, queue: 50, loss: 0.5%}\n"
	    "traffic:\n"
	    "  - {name: bulk, from: pc, to: 192.0.2.2, udp: 5001, rate: 30Mbit/s, start: 1s, for: 10s}\n");
	const struct lab_end *e = lab_end_find(lab, "gw:lan");
	const struct lab_flow *f = lab_flow_find(lab, "bulk");

	(void)state;
	assert_string_equal(lab_name(lab), "office");
	assert_int_equal(e->shape.c.rate_bps, 20000000);
	assert_int_equal(e->shape.c.delay_ns, 10000000);
	assert_int_equal(e->shape.c.queue_packets, 50);
	assert_true(e->shape.c.loss > 0.00499 && e->shape.c.loss < 0.00501);
	assert_int_equal(f->rate_bps, 30000000);
	assert_int_equal(lab->end_ns, 11 * NS_PER_SEC);
	assert_string_equal(
	    STAILQ_FIRST(&lab_node_find(lab, "pc")->run)->text, "ifconfig eth0 inet 10.0.0.2/24");
	lab_free(lab);
}

static void
test_lab_links_differ_by_direction(void **state)
{
	struct lab *lab = good("nodes: {a: {}, b: {}}\n"
			       "links:\n"
			       "  - endpoints: [\"a:x\", \"b:x\"]\n"
			       "    rate: {up: 1Mbit/s, down: 8Mbit/s}\n"
			       "    delay: [1ms, 2ms]\n"
			       "    b->a: {loss: 1%}\n");
	const struct lab_end *a = lab_end_find(lab, "a:x"), *b = lab_end_find(lab, "b:x");

	(void)state;
	assert_int_equal(a->shape.c.rate_bps, 1000000);
	assert_int_equal(b->shape.c.rate_bps, 8000000);
	assert_int_equal(a->shape.c.delay_ns, 1000000);
	assert_int_equal(b->shape.c.delay_ns, 2000000);
	assert_true(a->shape.c.loss == 0);
	assert_true(b->shape.c.loss > 0);
	lab_free(lab);
}

static void
test_lab_ranges_make_a_chain(void **state)
{
	struct lab *lab = good(
	    "addresses: auto\n"
	    "nodes: {\"r[1-100]\": {run: \"ifconfig lo0 inet 10.1.{i}.{i+1}/32 alias\"}}\n"
	    "links: [{endpoints: [\"r[1-99]:right\", \"r[2-100]:left\"], delay: 1ms}]\n");
	struct lab_end *e = lab_end_find(lab, "r7:right");

	(void)state;
	assert_int_equal(lab->nnodes, 100);
	assert_int_equal(lab->nlinks, 99);
	assert_string_equal(lab_end_peer(e)->name, "r8:left");
	assert_string_equal(STAILQ_FIRST(&lab_node_find(lab, "r7")->run)->text,
	    "ifconfig lo0 inet 10.1.7.8/32 alias");
	lab_free(lab);
}

static void
assert_end_has(struct lab *lab, const char *name, unsigned family, const char *addr, unsigned plen)
{
	const struct lab_net *net = &lab_end_find(lab, name)->net[family];
	char text[IPADDR_TEXT];

	assert_string_equal(ipaddr_ntoa(&net->addr, text), addr);
	assert_int_equal(net->plen, plen);
}

static void
test_lab_gives_each_link_a_network_and_passes_over_given_ones(void **state)
{
	struct lab *lab = good(
	    "addresses: 10.0.0.0/24\n"
	    "nodes: {a: {}, b: {}}\n"
	    "links:\n"
	    "  - {endpoints: [\"a:x\", \"b:x\"]}\n"
	    "  - {endpoints: [\"a:y\", \"b:y\"], ipv4: [10.0.0.5/30, 10.0.0.6/30]}\n"
	    "  - {endpoints: [\"a:z\", \"b:z\"]}\n");

	(void)state;
	assert_end_has(lab, "a:x", LAB_INET, "10.0.0.1", 30);
	assert_end_has(lab, "b:z", LAB_INET, "10.0.0.10", 30);
	assert_int_equal(lab_end_find(lab, "a:x")->net[LAB_INET6].addr.family, 0);
	lab_free(lab);
}

static void
test_lab_gives_addresses_of_both_families(void **state)
{
	struct lab *lab = good(
	    "addresses: dual\n"
	    "nodes: {a: {}, b: {}}\n"
	    "links:\n"
	    "  - {endpoints: [\"a:x\", \"b:x\"], ipv4: [192.0.2.1/24, 192.0.2.2/24]}\n"
	    "  - endpoints: [\"a:y\", \"b:y\"]\n"
	    "    ipv6: [\"2001:db8:0:1::7/64\", \"2001:db8:0:1::8/64\"]\n"
	    "  - {endpoints: [\"a:z\", \"b:z\"]}\n");

	(void)state;
	assert_end_has(lab, "b:x", LAB_INET, "192.0.2.2", 24);
	assert_end_has(lab, "b:x", LAB_INET6, "2001:db8::2", 64);
	assert_end_has(lab, "b:y", LAB_INET, "10.0.0.2", 30);
	assert_end_has(lab, "b:y", LAB_INET6, "2001:db8:0:1::8", 64);
	/* the second /64 is taken */
	assert_end_has(lab, "a:z", LAB_INET6, "2001:db8:0:2::1", 64);
	lab_free(lab);
}

static void
test_lab_takes_ipv6_addresses_from_a_network_to_its_last(void **state)
{
	struct lab *lab = good("addresses: [\"fd00::/63\", 172.16.0.0/12]\n"
			       "nodes: {a: {}, b: {}}\n"
			       "links:\n"
			       "  - {endpoints: [\"a:x\", \"b:x\"]}\n"
			       "  - {endpoints: [\"a:y\", \"b:y\"]}\n");

	(void)state;
	assert_end_has(lab, "a:y", LAB_INET6, "fd00:0:0:1::1", 64);
	assert_end_has(lab, "a:y", LAB_INET, "172.16.0.5", 30);
	lab_free(lab);
}

static void
test_lab_merges_what_an_alias_says(void **state)
{
	struct lab *lab = good(
	    "nodes: {a: {}, b: {}}\n"
	    "links:\n"
	    "  - &dsl {endpoints: [\"a:x\", \"b:x\"], rate: 16Mbit/s, delay: 20ms}\n"
	    "  - {<<: *dsl, endpoints: [\"a:y\", \"b:y\"], delay: 5ms}\n");
	const struct lab_end *e = lab_end_find(lab, "a:y");

	(void)state;
	assert_int_equal(e->shape.c.rate_bps, 16000000);
	assert_int_equal(e->shape.c.delay_ns, 5000000);
	lab_free(lab);
}

static void
test_lab_tells_all_faults_in_order_of_lines(void **state)
{
	char *why = NULL;

	(void)state;
	assert_null(parse("nodes: {a: {}, b: {}}\n"
			  "links:\n"
			  "  - {endpoints: [\"a:x\", \"c:x\"], rate: 5}\n"
			  "  - {endpoints: [\"a:y\", \"b:y\"], delya: 5ms}\n"
			  "seed: minus\n",
	    &why));
	assert_string_equal(why,
	    "t.lab.yml:3: rate: '5' has no unit: write a rate as 20Mbit/s (units: bit/s, "
	    "kbit/s, Mbit/s, Gbit/s, Byte/s …)\n"
	    "t.lab.yml:3: a link to nowhere: there is no node 'c'\n"
	    "t.lab.yml:4: link: unknown key 'delya', did you mean 'delay'?\n"
	    "t.lab.yml:5: seed: 'minus' is not a whole number");
	free(why);
}

static void
test_lab_bounds_the_number_of_faults(void **state)
{
	char *text = NULL, *why = NULL;
	size_t len, lines = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fputs("nodes: {a: {}}\nlinks:\n", f);
	for (int i = 0; i < 500; i++)
		fputs("  - {}\n", f);
	fclose(f);
	assert_null(lab_parse_text("t", text, len, &why));
	for (const char *p = why; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 100);
	assert_non_null(strstr(why, "t: and 400 more"));
	free(why);
	free(text);
}

static void
test_lab_survives_references_to_itself(void **state)
{
	struct lab *lab;
	char *why = NULL;

	(void)state;
	/*
	 * Each line refers to the one before many times over: walking it all would take for ever.
	 */
	assert_null(
	    parse("a: &a {x: 1}\nb: &b {<<: *a, <<: *a}\nc: &c {<<: *b, <<: *b}\nnodes: {<<: *c}\n",
		&why));
	free(why);
	why = NULL;
	lab = parse("nodes: &n {a: *n}\n", &why);
	lab_free(lab);
	free(why);
}

static void
test_lab_refuses_bytes_that_are_no_text(void **state)
{
	static const char nul[] = "nodes: {\"a\\0b\": {}}\n";

	(void)state;
	assert_fault(nul, "t.lab.yml:1: a key: holds a NUL byte");
	assert_fault(
	    "nodes: \xff\xfe\n", "t.lab.yml:1: not YAML: invalid leading UTF-8 octet at byte 7");
}

/* Each file of tests/lab/bad says in its first line what is to be said of it first. */
static unsigned
check_bad_files(const char *dir)
{
	struct dirent **entry;
	unsigned checked = 0;
	int n = scandir(dir, &entry, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[1024], line[512], want[1600];
		char *why = NULL;
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, entry[i]->d_name);
		if (strstr(entry[i]->d_name, ".lab.yml") != NULL &&
		    (f = fopen(path, "r")) != NULL) {
			assert_non_null(fgets(line, sizeof(line), f));
			line[strcspn(line, "\n")] = '\0';
			assert_int_equal(strncmp(line, "# expect: ", 10), 0);
			snprintf(want, sizeof(want), "%s:%s", path, line + 10);
			fclose(f);
			assert_null(lab_parse_file(path, &why));
			assert_non_null(why);
			why[strcspn(why, "\n")] = '\0';
			assert_string_equal(why, want);
			free(why);
			checked++;
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	return checked;
}

static void
test_lab_bad_files_get_their_line_and_reason(void **state)
{
	const char *root = getenv("WARREN_SOURCE");
	char dir[512];

	(void)state;
	if (root == NULL)
		skip();
	snprintf(dir, sizeof(dir), "%s/tests/lab/bad", root);
	assert_true(check_bad_files(dir) > 30);
}

static void
test_lab_file_that_is_not_there_says_so(void **state)
{
	char *why = NULL;

	(void)state;
	assert_null(lab_parse_file("/nonexistent/x.lab.yml", &why));
	assert_string_equal(why, "/nonexistent/x.lab.yml: No such file or directory");
	free(why);
}

static void
assert_unit(enum lab_unit unit, double value, const char *want)
{
	char text[LAB_UNIT_TEXT];

	assert_string_equal(lab_unit_text(unit, value, text), want);
}

static void
test_lab_numbers_are_written_with_their_unit(void **state)
{
	(void)state;
	assert_unit(LAB_RATE, 20000000, "20Mbit/s");
	assert_unit(LAB_RATE, 19730123, "19.73Mbit/s");
	assert_unit(LAB_RATE, 999999999, "1000Mbit/s");
	assert_unit(LAB_RATE, 0, "0bit/s");
	assert_unit(LAB_TIME, 20833600, "20.8336ms");
	assert_unit(LAB_TIME, 1000000001, "1.000000001s");
	assert_unit(LAB_TIME, 999, "999ns");
	assert_unit(LAB_SHARE, 0.005, "0.5%");
	assert_unit(LAB_SHARE, 1, "100%");
	assert_unit(LAB_SIZE, 1500, "1500B");
	assert_unit(LAB_NUMBER, 42, "42");
	assert_int_equal(lab_rate_of(1000, NS_PER_SEC), 8000);
}

static void
test_lab_what_never_ends_is_refused_unless_the_lab_ends(void **state)
{
	(void)state;
	assert_fault("nodes: {a: {}}\ntraffic: [{name: t, from: a, ping: 10.0.0.1}]\n",
	    "t.lab.yml:2: traffic 't' has no end: say for or count here, or for at the top");
	lab_free(good("for: 1s\nnodes: {a: {}}\ntraffic: [{name: t, from: a, ping: 10.0.0.1}]\n"));
}

static void
test_lab_the_pipe_of_a_link_has_no_type(void **state)
{
	(void)state;
	assert_fault("nodes: {a: {}, b: {}}\n"
		     "links: [{endpoints: [\"a:x\", \"b:x\"], shaper: \"bw 1Mb type rr\"}]\n",
	    "t.lab.yml:2: shaper: 'type' is for queues; red, codel or pie keep a link's short");
	assert_fault("nodes: {a: {}, b: {}}\n"
		     "links: [{endpoints: [\"a:x\", \"b:x\"], shaper: {down: \"type rr\"}}]\n",
	    "t.lab.yml:2: shaper: 'type' is for queues; red, codel or pie keep a link's short");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lab_reads_the_sketch_of_an_office),
		cmocka_unit_test(test_lab_links_differ_by_direction),
		cmocka_unit_test(test_lab_ranges_make_a_chain),
		cmocka_unit_test(test_lab_gives_each_link_a_network_and_passes_over_given_ones),
		cmocka_unit_test(test_lab_gives_addresses_of_both_families),
		cmocka_unit_test(test_lab_takes_ipv6_addresses_from_a_network_to_its_last),
		cmocka_unit_test(test_lab_merges_what_an_alias_says),
		cmocka_unit_test(test_lab_tells_all_faults_in_order_of_lines),
		cmocka_unit_test(test_lab_bounds_the_number_of_faults),
		cmocka_unit_test(test_lab_survives_references_to_itself),
		cmocka_unit_test(test_lab_refuses_bytes_that_are_no_text),
		cmocka_unit_test(test_lab_bad_files_get_their_line_and_reason),
		cmocka_unit_test(test_lab_file_that_is_not_there_says_so),
		cmocka_unit_test(test_lab_numbers_are_written_with_their_unit),
		cmocka_unit_test(test_lab_the_pipe_of_a_link_has_no_type),
		cmocka_unit_test(test_lab_what_never_ends_is_refused_unless_the_lab_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
