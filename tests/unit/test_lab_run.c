/*
 * test_lab_run.c - labs as they run: the same file gives the same bytes, and leaves nothing behind.
 */
#include "control/process.h"
#include "kern/drop.h"
#include "kern/jail.h"
#include "kern/verb.h"
#include "lab/lab_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char office[] =
    "name: office\n"
    "nodes:\n"
    "  pc:  {run: [\"ifconfig eth0 inet 10.0.0.2/24\", \"route add default 10.0.0.1\"]}\n"
    "  gw:  {run: [\"ifconfig lan inet 10.0.0.1/24\", \"ifconfig wan inet 192.0.2.1/30\",\n"
    "              \"route add default 192.0.2.2\"]}\n"
    "  isp: {run: [\"ifconfig eth0 inet 192.0.2.2/30\", \"route add 10.0.0.0/24 192.0.2.1\"]}\n"
    "links:\n"
    "  - {endpoints: [\"pc:eth0\", \"gw:lan\"]}\n"
    "  - {endpoints: [\"gw:wan\", \"isp:eth0\"], rate: 20Mbit/s, delay: 10ms, queue: 50, loss: 0.1%}\n"
    "traffic:\n"
    "  - {name: bulk, from: pc, to: 192.0.2.2, udp: 5001, rate: 30Mbit/s, size: 1000, start: 1s, for: 2s,\n"
    "     pattern: poisson}\n"
    "  - {name: probe, from: pc, ping: 192.0.2.2, every: 100ms}\n"
    "timeline:\n"
    "  - {at: 2500ms, node: gw, run: \"ifconfig wan down\"}\n"
    "capture: [{on: \"*\", file: all.pcapng, drops: true}]\n"
    "expect:\n"
    "  - {that: bulk.goodput, between: [19Mbit/s, 20Mbit/s], from: 1.5s, until: 2.5s}\n"
    "  - {that: probe.rtt.p50, above: 20ms}\n";

struct result {
	char *report; /* as JSON */
	char *capture;
	size_t report_len, capture_len;
	int status;
};

static void
collect(void *ctx, const char *bytes, size_t len)
{
	fwrite(bytes, 1, len, ctx);
}

static char *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r"), *m;
	char *text = NULL, room[4096];
	size_t n;

	assert_non_null(f);
	m = open_memstream(&text, len);
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		fwrite(room, 1, n, m);
	fclose(f);
	fclose(m);
	return text;
}

static void
spit(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct lab *
start_as(const char *file, const char *text, const struct lab_options *o)
{
	char *why = NULL;
	struct lab *lab = lab_parse_text(file, text, strlen(text), &why);

	if (lab == NULL)
		fail_msg("%s", why);
	assert_int_equal(process_start(CLOCK_VIRTUAL, o->seed, lab_tunables(lab), NULL), 0);
	if (lab_build(lab, o, &why) != 0)
		fail_msg("%s", why);
	free(why);
	return lab;
}

static struct lab *
start(const char *text, const struct lab_options *o)
{
	return start_as("t.lab.yml", text, o);
}

static void
stop(struct lab *lab)
{
	lab_free(lab);
	process_stop();
}

/* Run in a fresh process state with files in a folder of its own; everything that came out. */
static struct result
run_all(const char *text, uint64_t seed, uint32_t max_batch)
{
	char dir[] = "/tmp/test_lab_XXXXXX", path[64];
	struct lab_options o = { .seed = seed, .quiet = true, .max_batch = max_batch };
	struct result r = {};
	struct emitter *e;
	struct lab *lab;
	FILE *m;

	assert_non_null(mkdtemp(dir));
	o.out_dir = dir;
	lab = start(text, &o);
	r.status = lab_run(lab);
	m = open_memstream(&r.report, &r.report_len);
	e = emitter_new(EMIT_JSON, collect, m);
	emit_object(e, NULL);
	lab_report(lab, e);
	emit_end(e);
	emitter_free(e);
	fclose(m);
	stop(lab);
	snprintf(path, sizeof(path), "%s/all.pcapng", dir);
	r.capture = slurp(path, &r.capture_len);
	unlink(path);
	snprintf(path, sizeof(path), "%s/report.json", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/report.txt", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	return r;
}

static void
result_free(struct result *r)
{
	free(r->report);
	free(r->capture);
}

static void
assert_same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->status, b->status);
	assert_string_equal(a->report, b->report);
	assert_int_equal(a->capture_len, b->capture_len);
	assert_memory_equal(a->capture, b->capture, a->capture_len);
}

static void
test_lab_same_file_and_seed_give_the_same_bytes(void **state)
{
	struct result a = run_all(office, 1, 0), b = run_all(office, 1, 0);

	(void)state;
	assert_int_equal(a.status, 0);
	assert_true(a.capture_len > 100000);
	assert_same(&a, &b);
	result_free(&a);
	result_free(&b);
}

static void
test_lab_keeps_its_nodes(void **state)
{
	struct lab *lab = start("for: 1s\nnodes: {a: {}}\n", &(struct lab_options){ .seed = 1 });
	const struct prison *first = TAILQ_FIRST(&prison_head);
	char line[PRISON_NAME_MAX + 40], *err;

	(void)state;
	snprintf(line, sizeof(line), "jail -r %s", first->name);
	assert_int_equal(verb_line(NULL, line, false, NULL, &err), 1);
	assert_non_null(strstr(err, "Device busy"));
	free(err);
	snprintf(line, sizeof(line), "jail -m name=%s nopersist", first->name);
	assert_int_not_equal(verb_line(NULL, line, false, NULL, NULL), 0);
	assert_int_not_equal(verb_line(NULL, "jail -r all", false, NULL, NULL), 0);
	assert_ptr_equal(TAILQ_FIRST(&prison_head), first);
	stop(lab);
}

static void
test_lab_another_seed_gives_other_bytes(void **state)
{
	struct result a = run_all(office, 1, 0), b = run_all(office, 2, 0);

	(void)state;
	assert_int_equal(a.status, 0);
	assert_int_equal(b.status, 0);
	assert_string_not_equal(a.report, b.report);
	result_free(&a);
	result_free(&b);
}

static void
test_lab_batches_of_one_and_of_64_give_the_same_bytes(void **state)
{
	struct result a = run_all(office, 1, 1), b = run_all(office, 1, 64),
		      c = run_all(office, 1, 7);

	(void)state;
	assert_same(&a, &b);
	assert_same(&a, &c);
	result_free(&a);
	result_free(&b);
	result_free(&c);
}

/* A switch that answers itself, too: what it floods, passes and says keeps its order. */
static void
test_lab_batches_change_nothing_in_a_switch(void **state)
{
	static const char text[] =
	    "name: lan\n"
	    "defaults: {link: {delay: 3ms, rate: 100Mbit/s}}\n"
	    "nodes:\n"
	    "  s: {kind: switch, run: \"ifconfig bridge0 inet 10.0.0.9/24\"}\n"
	    "  t: {kind: switch, run: \"ipfw -q add allow ip from any to any\"}\n"
	    "  h[1-4]: {run: \"ifconfig eth0 inet 10.0.0.{i}/24\"}\n"
	    "links:\n"
	    "  - {endpoints: [\"s:up\", \"t:up\"]}\n"
	    "  - {endpoints: [\"s:p{i}\", \"h[1-2]:eth0\"]}\n"
	    "  - {endpoints: [\"t:p{i}\", \"h[3-4]:eth0\"]}\n"
	    "traffic:\n"
	    "  - {name: a, from: h1, to: 10.0.0.3, udp: 1, rate: 9Mbit/s, size: 300, for: 1s, pattern: poisson}\n"
	    "  - {name: b, from: h4, to: 10.0.0.2, udp: 2, rate: 9Mbit/s, size: 200, for: 1s, pattern: poisson}\n"
	    "  - {name: c, from: h2, to: 10.0.0.77, udp: 3, rate: 300pps, size: 90, for: 1s, sink: none}\n"
	    "  - {name: d, from: h3, ping: 10.0.0.9, every: 1ms, count: 500}\n"
	    "capture: [{on: \"*\", file: all.pcapng, drops: true}]\n";
	struct result one = run_all(text, 1, 1), many = run_all(text, 1, 64),
		      some = run_all(text, 1, 7);

	(void)state;
	assert_int_equal(one.status, 0);
	assert_true(one.capture_len > 100000);
	assert_same(&one, &many);
	assert_same(&one, &some);
	result_free(&one);
	result_free(&many);
	result_free(&some);
}

/* All links have a delay here, so each node is a domain of its own and windows are long. */
static void
test_lab_windows_of_many_domains_change_nothing(void **state)
{
	static const char chain[] =
	    "name: chain\naddresses: auto\nnodes: {\"r[1-6]\": {}}\n"
	    "links: [{endpoints: [\"r[1-5]:right\", \"r[2-6]:left\"], rate: 100Mbit/s, delay: 5ms, jitter: 1ms, loss: 1%}]\n"
	    "traffic:\n"
	    "  - {name: there, from: r1, to: r6, udp: 1, rate: 50Mbit/s, for: 1s, pattern: poisson}\n"
	    "  - {name: back, from: r6, to: r1, udp: 2, rate: 60Mbit/s, size: 200, for: 1s}\n"
	    "  - {name: probe, from: r3, ping: r6, every: 10ms, count: 100}\n"
	    "capture: [{on: \"*\", file: all.pcapng, drops: true, snaplen: 64}]\n";
	struct result a = run_all(chain, 3, 1), b = run_all(chain, 3, 64);

	(void)state;
	assert_int_equal(a.status, 0);
	assert_same(&a, &b);
	result_free(&a);
	result_free(&b);
}

/*
 * What happens by itself in IPv6 - duplicate detection, advertisements, reports of groups,
 * neighbours - beside traffic of both families.
 */
static const char both_families[] =
    "name: both\nfor: 12s\nnodes:\n"
    "  h1:\n"
    "    sysctl: {net.inet6.ip6.use_tempaddr: 1, net.inet6.ip6.dad_count: 1}\n"
    "    run: [\"ifconfig eth0 inet6 accept_rtadv up\", \"ifconfig eth0 inet 10.1.0.2/24\", \"route add default 10.1.0.1\"]\n"
    "  h2:\n"
    "    sysctl: {net.inet6.ip6.use_stableaddr: 1, net.inet6.ip6.dad_count: 1}\n"
    "    run: [\"ifconfig eth0 inet6 accept_rtadv up\", \"mcast join ff15::1 for 5s\"]\n"
    "  r:\n"
    "    run: [\"ifconfig a inet 10.1.0.1/24\", \"ifconfig a inet6 2001:db8:1::1/64\", \"ifconfig b inet 10.2.0.1/24\", \"ifconfig b inet6 2001:db8:2::1/64\", \"rtadvd start a maxinterval 4s\", \"route -6 add default 2001:db8:2::2\"]\n"
    "  s:\n"
    "    run: [\"ifconfig r inet 10.2.0.2/24\", \"ifconfig r inet6 2001:db8:2::2/64\", \"ifconfig b inet6 2001:db8:3::1/64\", \"rtadvd start b maxinterval 5s\", \"route add default 10.2.0.1\", \"route -6 add default 2001:db8:2::1\"]\n"
    "links:\n"
    "  - {endpoints: [\"h1:eth0\", \"r:a\"]}\n"
    "  - {endpoints: [\"r:b\", \"s:r\"], rate: 10Mbit/s, delay: 5ms, jitter: 1ms, loss: 1%, queue: 20}\n"
    "  - {endpoints: [\"s:b\", \"h2:eth0\"], rate: 100Mbit/s, delay: 1ms, mtu: 1280}\n"
    "traffic:\n"
    "  - {name: u6, from: h1, to: \"2001:db8:2::2\", udp: 5001, rate: 6Mbit/s, size: 700, pattern: poisson, start: 4s, for: 3s}\n"
    "  - {name: u4, from: h1, to: 10.2.0.2, udp: 5002, rate: 6Mbit/s, size: 700, pattern: poisson, start: 4s, for: 3s}\n"
    "  - {name: large, from: h1, ping: \"2001:db8:3::1\", size: 3000, every: 10ms, count: 100, start: 4s}\n"
    "  - {name: nobody, from: h1, ping: \"2001:db8:3::77\", every: 20ms, count: 30, start: 4s}\n"
    "timeline:\n"
    "  - {at: 9s, node: r, run: \"rtadvd stop a\"}\n"
    "  - {at: 9s, node: h2, run: \"ping6 -c 2 -s 1500 2001:db8:2::1\", status: any}\n"
    "expect:\n"
    "  - {that: u6.received, above: 1000}\n"
    "  - {that: u4.received, above: 1000}\n"
    "  - {that: large.received, above: 20}\n"
    "capture: [{on: \"*\", file: all.pcapng, drops: true}]\n";

static void
test_lab_of_both_families_has_the_same_bytes_in_batches_of_any_size(void **state)
{
	struct result a = run_all(both_families, 1, 1), b = run_all(both_families, 1, 64),
		      c = run_all(both_families, 1, 7);

	(void)state;
	assert_int_equal(a.status, 0);
	assert_same(&a, &b);
	assert_same(&a, &c);
	result_free(&a);
	result_free(&b);
	result_free(&c);
}

/* The address can't be used before the test for twins is over, so no sink can be bound to it. */
static void
test_lab_flow_to_an_address_that_is_still_tentative_at_the_start_arrives(void **state)
{
	static const char text[] =
	    "addresses: ipv6\nsysctl: {net.inet6.ip6.dad_count: 1}\nnodes: {a: {}, b: {}}\n"
	    "links: [{endpoints: [\"a:x\", \"b:x\"], delay: 1ms}]\n"
	    "traffic: [{name: flow, from: a, to: b, udp: 5001, rate: 10pps, start: 5s, count: 10}]\n"
	    "expect: [{that: flow.received, is: 10}]\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct lab *lab = start(text, &o);

	(void)state;
	assert_int_equal(lab_run(lab), 0);
	stop(lab);
}

static void
assert_not_built(const char *text, const char *reason)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char *why = NULL;
	struct lab *lab = lab_parse_text("t.lab.yml", text, strlen(text), &why);

	assert_non_null(lab);
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, NULL, NULL), 0);
	assert_int_equal(lab_build(lab, &o, &why), -EINVAL);
	assert_string_equal(why, reason);
	free(why);
	stop(lab);
}

static void
test_lab_flow_to_an_address_of_a_link_must_say_which_link(void **state)
{
	(void)state;
	assert_not_built("addresses: ipv6\nnodes: {a: {}, b: {}}\n"
			 "links: [{endpoints: [\"a:x\", \"b:x\"]}]\n"
			 "traffic: [{name: flow, from: a, ping: \"fe80::1\", count: 1}]\n",
	    "t.lab.yml:4: traffic flow: fe80::1 is on each link: say by which interface of a it is "
	    "meant, fe80::1%eth0");
}

static void
test_lab_sink_of_a_links_group_is_on_that_link(void **state)
{
	(void)state;
	assert_not_built(
	    "addresses: ipv6\nnodes: {a: {}, b: {}, c: {}}\n"
	    "links: [{endpoints: [\"a:left\", \"c:e\"]}, {endpoints: [\"a:right\", \"b:e\"]}]\n"
	    "traffic:\n"
	    "  - {name: s, from: a, to: \"ff02::42%right\", udp: 42, rate: 10pps, for: 1s, sink: [c]}\n",
	    "t.lab.yml:5: traffic s: c is on no link with a, where ff02::42%right is sent");
}

static void
test_lab_leaves_nothing_behind(void **state)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct audit_counts before;
	char text[256];
	struct lab *lab;

	(void)state;
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, NULL, NULL), 0);
	for (int round = 0; round < 3; round++) {
		char *why = NULL;

		if (round == 1)
			audit_take(&before);
		lab = lab_parse_text("t.lab.yml", office, strlen(office), &why);
		assert_non_null(lab);
		assert_int_equal(lab_build(lab, &o, &why), 0);
		lab_free(lab);
		free(why);
	}
	if (audit_compare(&before, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	process_stop();
}

static void
test_lab_day_of_idleness_passes_and_arp_forgets(void **state)
{
	static const char day[] =
	    "addresses: auto\nfor: 24h\nnodes: {a: {}, b: {}}\n"
	    "links: [{endpoints: [\"a:x\", \"b:x\"], rate: 1Gbit/s, delay: 1ms}]\n"
	    "traffic: [{name: hello, from: a, ping: b, count: 1}]\n"
	    "expect:\n"
	    "  - {node: a, run: \"arp -an\", at: 1min, contains: \"10.0.0.2\"}\n"
	    "  - {node: a, run: \"arp -an\", at: 23h, lacks: \"(10.0.0.2)\"}\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct lab *lab = start(day, &o);

	(void)state;
	assert_int_equal(lab_run(lab), 0);
	assert_int_equal(lab->stopped_ns, UINT64_C(24) * 3600 * NS_PER_SEC);
	stop(lab);
}

static void
test_lab_wrong_run_line_names_file_line_and_reason(void **state)
{
	static const char text[] =
	    "nodes:\n  a:\n    run:\n      - ifconfig lo0 up\n      - ifconfig nix0 up\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char *why = NULL;
	struct lab *lab = lab_parse_text("t.lab.yml", text, strlen(text), &why);

	(void)state;
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, NULL, NULL), 0);
	assert_int_equal(lab_build(lab, &o, &why), -EINVAL);
	assert_int_equal(strncmp(why, "t.lab.yml:5: node a: ifconfig nix0 up: ", 39), 0);
	free(why);
	stop(lab);
}

static void
test_lab_tunables_that_were_not_set_are_not_passed_over(void **state)
{
	static const char text[] =
	    "tunables: {net.fibs: 4}\nnodes: {a: {run: \"setfib 3 route add default -blackhole 127.0.0.1\"}}\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char *why = NULL;
	struct lab *lab = lab_parse_text("t.lab.yml", text, strlen(text), &why);

	(void)state;
	assert_non_null(lab);
	assert_string_equal(lab_tunables(lab)[0], "net.fibs=4");
	assert_int_equal(process_start(CLOCK_VIRTUAL, 1, NULL, NULL), 0);
	assert_int_equal(lab_build(lab, &o, &why), -EINVAL);
	assert_string_equal(why,
	    "t.lab.yml:1: tunables: net.fibs is 1 in this process and can be set at its start only");
	free(why);
	stop(lab);
	stop(start(text, &o));
}

static void
test_lab_forwards_where_two_links_meet_unless_told_otherwise(void **state)
{
	static const char text[] =
	    "addresses: auto\nnodes: {a: {}, r: {}, b: {}, q: {forwarding: false}, c: {kind: router}}\n"
	    "links:\n"
	    "  - {endpoints: [\"a:x\", \"r:a\"]}\n  - {endpoints: [\"r:b\", \"b:x\"]}\n"
	    "  - {endpoints: [\"q:a\", \"a:q\"]}\n  - {endpoints: [\"q:b\", \"b:q\"]}\n"
	    "  - {endpoints: [\"c:a\", \"a:c\"]}\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct lab *lab = start(text, &o);

	(void)state;
	assert_true(VNET_OF(lab_node_find(lab, "r")->prison->vnet, ip_forwarding));
	assert_false(VNET_OF(lab_node_find(lab, "q")->prison->vnet, ip_forwarding));
	assert_true(VNET_OF(lab_node_find(lab, "c")->prison->vnet, ip_forwarding));
	stop(lab);
}

static void
test_lab_interrupted_run_ends_early_and_reports(void **state)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct lab *lab = start(office, &o);

	(void)state;
	lab_interrupt(lab);
	assert_int_equal(lab_run(lab), 1);
	stop(lab);
}

/* Wherever it is run from; and the next command finds its files where it would without. */
static void
test_lab_finds_files_of_its_commands_beside_itself(void **state)
{
	static const char text[] =
	    "nodes: {a: {run: [\"ipfw -q ./rules\", \"route -q -f routes\"]}}\n"
	    "timeline: [{at: 1s, node: a, run: \"ipfw -q ./rules\"}]\n"
	    "expect:\n"
	    "  - {node: a, run: \"ipfw list\", contains: \"00200 count\"}\n"
	    "  - {node: a, run: \"netstat -rn\", contains: \"10.9.0.0/24\"}\n";
	static const struct lab_options o = { .no_files = true, .quiet = true };
	char dir[] = "/tmp/test_lab_XXXXXX", file[64], rules[64], routes[64], here[512], after[512];
	struct lab *lab;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/t.lab.yml", dir);
	snprintf(rules, sizeof(rules), "%s/rules", dir);
	snprintf(routes, sizeof(routes), "%s/routes", dir);
	spit(rules, "add count ip from any to any\n");
	spit(routes, "add 10.9.0.0/24 -iface lo0\n");
	assert_non_null(getcwd(here, sizeof(here)));
	lab = start_as(file, text, &o);
	assert_int_equal(lab_run(lab), 0);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(here, after);
	stop(lab);
	unlink(rules);
	unlink(routes);
	rmdir(dir);
}

/* A pipe's queue fills, overflows, and empties: every 100 ms, and in long runs in longer steps. */
#define SHAPED                                                                                           \
	"nodes:\n"                                                                                       \
	"  a: {run: [\"ifconfig eth0 inet 10.0.0.1/24\", \"ipfw pipe 7 config bw 1Mbit/s delay 5ms\",\n" \
	"            \"ipfw -q add pipe 7 udp from any to any out\"]}\n"                                 \
	"  b: {run: [\"ifconfig eth0 inet 10.0.0.2/24\"]}\n"                                             \
	"links: [{endpoints: [\"a:eth0\", \"b:eth0\"]}]\n"                                               \
	"traffic: [{name: u, from: a, to: 10.0.0.2, udp: 9, rate: 250pps, size: 972, for: 1s}]\n"

static char *
report_of(const char *text, enum emit_form form)
{
	static const struct lab_options o = { .no_files = true, .quiet = true };
	struct lab *lab = start(text, &o);
	char *report = NULL;
	size_t len;
	FILE *m = open_memstream(&report, &len);
	struct emitter *e = emitter_new(form, collect, m);

	assert_int_equal(lab_run(lab), 0);
	emit_object(e, NULL);
	lab_report(lab, e);
	emit_end(e);
	emitter_free(e);
	fclose(m);
	stop(lab);
	return report;
}

static void
test_lab_reports_pipes_over_time(void **state)
{
	char *report = report_of(SHAPED "for: 1s\n", EMIT_JSON);

	(void)state;
	/* 250 come a second and 125 go: after 0.4 s all 50 places are taken, 400 ms + 5 ms of delay */
	assert_non_null(strstr(report,
	    "\"pipes\":[{\"node\":\"a\",\"object\":\"pipe 7\",\"step-ns\":100000000,"
	    "\"queued-packets\":[12,25,37,50,50,50,50,50,50,50"));
	assert_non_null(strstr(report, "\"delay-ns\":[101000000,205000000,301000000,405000000"));
	free(report);
	report = report_of(SHAPED "for: 1s\n", EMIT_TEXT);
	assert_non_null(strstr(report, "  a: pipe 7\n    queue  |"));
	assert_non_null(strstr(report, "| up to 405ms\n"));
	free(report);
	/* 512 points hold 51.2 s in steps of 100 ms, 204.8 s in steps of 400 */
	report = report_of(SHAPED "for: 200s\n", EMIT_JSON);
	assert_non_null(strstr(report, "\"object\":\"pipe 7\",\"step-ns\":400000000,"));
	assert_non_null(strstr(report, "\"queued-packets\":[50,50,50,"));
	free(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lab_same_file_and_seed_give_the_same_bytes),
		cmocka_unit_test(test_lab_keeps_its_nodes),
		cmocka_unit_test(test_lab_another_seed_gives_other_bytes),
		cmocka_unit_test(test_lab_batches_of_one_and_of_64_give_the_same_bytes),
		cmocka_unit_test(test_lab_batches_change_nothing_in_a_switch),
		cmocka_unit_test(test_lab_windows_of_many_domains_change_nothing),
		cmocka_unit_test(
		    test_lab_of_both_families_has_the_same_bytes_in_batches_of_any_size),
		cmocka_unit_test(
		    test_lab_flow_to_an_address_that_is_still_tentative_at_the_start_arrives),
		cmocka_unit_test(test_lab_flow_to_an_address_of_a_link_must_say_which_link),
		cmocka_unit_test(test_lab_sink_of_a_links_group_is_on_that_link),
		cmocka_unit_test(test_lab_leaves_nothing_behind),
		cmocka_unit_test(test_lab_day_of_idleness_passes_and_arp_forgets),
		cmocka_unit_test(test_lab_wrong_run_line_names_file_line_and_reason),
		cmocka_unit_test(test_lab_tunables_that_were_not_set_are_not_passed_over),
		cmocka_unit_test(test_lab_forwards_where_two_links_meet_unless_told_otherwise),
		cmocka_unit_test(test_lab_interrupted_run_ends_early_and_reports),
		cmocka_unit_test(test_lab_finds_files_of_its_commands_beside_itself),
		cmocka_unit_test(test_lab_reports_pipes_over_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
