/* The state file: what the tools read from it is what they would have read from the program. */
#include "net_fixture.h"

#include "kern/drop.h"
#include "kern/state.h"
#include "kern/sysctl.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

VNET_DEFINE_STATIC(uint64_t, deep) = 5;
SYSCTL_VNET_U64(deep, "test.deep", SYSCTL_RW, deep, "a big number of a stack");
static char motto[32] = "tab\there";
SYSCTL_STRING(motto, "test.motto", SYSCTL_RW, motto, "a text of the program");

static char folder[64], file[96];

static int
state_setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/warren-state-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/state", folder);
	return net_setup(state);
}

static int
state_teardown(void **state)
{
	unlink(file);
	assert_int_equal(rmdir(folder), 0); /* nothing beside it was left */
	return net_teardown(state);
}
#define STATE_TEST(fn) cmocka_unit_test_setup_teardown(fn, state_setup, state_teardown)

static void
write_text(const char *text, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static char *
output_of(const char *line, bool json)
{
	char *out, *err;

	if (verb_line(NULL, line, json, &out, &err) != 0)
		fail_msg("%s: %s", line, err);
	free(err);
	return out;
}

static void
save(void)
{
	char line[160];

	snprintf(line, sizeof(line), "savecore %s", file);
	expect_line(line, 0, "", "");
}

/* `tool [-j JAIL] words`, alive and from the file, as text and as JSON. */
static void
expect_same(const char *tool, const char *jail, const char *words)
{
	char alive[160], dead[256];

	for (int json = 0; json < 2; json++) {
		char *was, *is;

		snprintf(alive, sizeof(alive), "%s %s %s %s", tool, jail != NULL ? "-j" : "",
		    jail != NULL ? jail : "", words);
		snprintf(dead, sizeof(dead), "%s -M %s %s %s %s", tool, file,
		    jail != NULL ? "-j" : "", jail != NULL ? jail : "", words);
		was = output_of(alive, json);
		is = output_of(dead, json);
		assert_string_equal(is, was);
		free(was);
		free(is);
	}
}

static void
test_b26_tools_read_a_saved_state_as_they_read_the_living_one(void **state)
{
	struct ifnet *a, *b;
	static const char *const jails[] = { NULL, "j" };

	(void)state;
	motto[3] = ' '; /* control characters are the only thing that is not kept */
	expect_line("jail -c name=j vnet persist", 0, "", "");
	expect_line("jail -c name=classic persist", 0, "", "");
	expect_line("jail -c name=k vnet persist", 0, "", "");
	expect_line("sysctl -j j test.deep=18446744073709551615", 0, NULL, "");
	pair_up(&a, &b);
	assert_int_equal(if_vmove(b, prison_find(NULL, "j")->vnet), 0);
	transmit(a, frame_to_peer(a, 1)); /* to one that is down: a drop */
	assert_int_equal(if_up(b), 0);
	transmit(a, frame_to_peer(a, 1));
	save();
	for (size_t i = 0; i < 2; i++) {
		expect_same("netstat", jails[i], "-Q");
		expect_same("netstat", jails[i], "-m");
		expect_same("netstat", jails[i], "-i");
		expect_same("netstat", jails[i], "-ibdW");
		expect_same("netstat", jails[i], "-s -p drop");
		expect_same("netstat", jails[i], "-ss -p drop");
		expect_same("sysctl", jails[i], "-a");
		expect_same("sysctl", jails[i], "-ad");
		expect_same("sysctl", jails[i], "-aox");
		expect_same("sysctl", jails[i], "-n test.deep security.jail.vnet net.isr");
	}
	expect_same("netstat", NULL, "-I epair0a");
	/* What has changed since is not in it. */
	expect_line("sysctl test.deep=6", 0, NULL, "");
	{
		char line[160];

		snprintf(line, sizeof(line), "sysctl -nM%s test.deep", file);
		expect_line(line, 0, "5\n", "");
		snprintf(line, sizeof(line), "sysctl -n -M %s -j 1 test.deep", file);
		expect_line(line, 0, "18446744073709551615\n", "");
	}
	while (netisr_run())
		continue;
	assert_int_equal(if_clone_destroy(a), 0);
}

/* --- files of other builds ----------------------------------------------- */

static void
put_hex(FILE *f, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", ((const uint8_t *)bytes)[i]);
}

/* Each element's first `size` bytes, or all and then 0xee. */
static void
put_array(FILE *f, const void *array, size_t ours, size_t size, size_t n)
{
	static const uint8_t more[64] = { 0xee, 0xee, 0xee, 0xee, 0xee };

	fprintf(f, "{\"size\": %zu, \"count\": %zu, \"bytes\": \"", size, n);
	for (size_t i = 0; i < n; i++) {
		put_hex(f, (const uint8_t *)array + i * ours, size < ours ? size : ours);
		if (size > ours)
			put_hex(f, more, size - ours);
	}
	fprintf(f, "\"}");
}

enum { STREAMS = 2 };

/* As a build of so many protocols saves itself: all slots but 0 in use, on two workstreams. */
static void
put_state(FILE *f, uint32_t maxprot, int longer)
{
	struct sysctl_netisr_proto proto[64] = {};
	struct sysctl_netisr_workstream ws[STREAMS] = { { .wsid = 0 }, { .wsid = 5, .cpu = 3 } };
	struct sysctl_netisr_work work[STREAMS * 64] = {};
	size_t n = maxprot - 1, works = 0;

	for (uint32_t p = 1; p < maxprot; p++) {
		snprintf(proto[p - 1].name, sizeof(proto[0].name), "p%u", p);
		proto[p - 1].proto = p;
		proto[p - 1].qlimit = 100 + p;
		proto[p - 1].policy = 1 + p % 3;
	}
	for (uint32_t s = 0; s < STREAMS; s++)
		for (uint32_t p = 1; p < maxprot; p++)
			work[works++] = (struct sysctl_netisr_work){
				.wsid = ws[s].wsid, .proto = p, .handled = 1000 * s + p
			};
	fprintf(f, "{\"warren-state\": 1, \"byte-order\": \"little\", \"nodes\": [");
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "maxprot", "proto", "work", "workstream" };

		fprintf(f, "%s{\"name\": \"net.isr.%s\", \"type\": \"%s\"}", i > 0 ? ", " : "",
		    names[i], i == 0 ? "uint" : "array");
	}
	fprintf(f, "], \"values\": {\"net.isr.maxprot\": %u,\n\"net.isr.proto\": ", maxprot);
	put_array(f, proto, sizeof(proto[0]), sizeof(proto[0]) + longer, n);
	fprintf(f, ",\n\"net.isr.work\": ");
	put_array(f, work, sizeof(work[0]), sizeof(work[0]) + longer, works);
	fprintf(f, ",\n\"net.isr.workstream\": ");
	/* the flags at its end are younger than this build */
	put_array(f, ws, sizeof(ws[0]), longer > 0 ? sizeof(ws[0]) + longer : 8, STREAMS);
	fprintf(
	    f, "},\n\"stacks\": [{\"id\": 0, \"jid\": 0, \"name\": \"host\", \"values\": {}}]}\n");
}

static void
write_state(uint32_t maxprot, int longer)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	put_state(f, maxprot, longer);
	assert_int_equal(fclose(f), 0);
}

static void
check_tables(uint32_t maxprot)
{
	static const char *const policies[] = { "default", "source", "flow", "cpu" };
	char line[160], expected[16384];
	FILE *f = fmemopen(expected, sizeof(expected), "w");

	fprintf(f, "\nProtocols:\nName   Proto QLimit Policy Flags\n");
	for (uint32_t p = 1; p < maxprot; p++) {
		snprintf(line, sizeof(line), "p%u", p);
		fprintf(f, "%-6s %5u %6u %6s   ---\n", line, p, 100 + p, policies[1 + p % 3]);
	}
	fprintf(f,
	    "\nWorkstreams:\n"
	    "WSID CPU   Name     Len WMark   Disp'd  HDisp'd   QDrops   Queued  Handled\n");
	for (uint32_t s = 0; s < STREAMS; s++)
		for (uint32_t p = 1; p < maxprot; p++) {
			snprintf(line, sizeof(line), "p%u", p);
			fprintf(f, "%4u %3u   %-6s %5u %5u %8u %8u %8u %8u %8u\n", s * 5, s * 3,
			    line, 0, 0, 0, 0, 0, 0, 1000 * s + p);
		}
	fclose(f);
	snprintf(line, sizeof(line), "netstat -Q -M %s", file);
	assert_true(says(line, false, expected));
	snprintf(line, sizeof(line), "sysctl -n -M %s net.isr.maxprot", file);
	snprintf(expected, sizeof(expected), "%u\n", maxprot);
	expect_line(line, 0, expected, "");
}

static void
test_b26_files_of_builds_with_fewer_and_more_protocols_give_consistent_tables(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 8, NETISR_MAXPROT, 32, 64 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int longer = 0; longer <= 8; longer += 8) {
			write_state(sizes[i], longer);
			check_tables(sizes[i]);
		}
}

/* --- what is no state ---------------------------------------------------- */

static void
expect_refusal(const char *words, const char *reason)
{
	char line[256], *out, *err, *newline;

	snprintf(line, sizeof(line), words, file);
	assert_int_equal(verb_line(NULL, line, false, &out, &err), 1);
	assert_string_equal(out, "");
	newline = strchr(err, '\n');
	assert_true(newline != NULL && newline[1] == '\0');
	if (strstr(err, reason) == NULL)
		fail_msg("%s: no '%s' in: %s", line, reason, err);
	free(out);
	free(err);
}

static void
test_b26_broken_files_are_refused_in_one_line(void **state)
{
#define HEAD "{\"warren-state\": 1, \"byte-order\": \"little\", "
#define STACK "\"stacks\": [{\"jid\": 0, \"name\": \"host\", \"values\": {}}]}"
#define NODE(type) HEAD "\"nodes\": [{\"name\": \"a.b\", \"type\": \"" type "\"}], "
	static const struct {
		const char *text, *reason;
	} broken[] = {
		{ "", "line 1" },
		{ "nonsense\n", "line 1" },
		{ "[1]", "not a saved state" },
		{ "{\"warren-state\": 2}", "version 2; known is 1" },
		{ "{\"warren-state\": 1, \"byte-order\": \"big\"}", "byte order" },
		{ HEAD "\"x\": 1, \"x\": 2}", "duplicate" },
		{ HEAD "\"nodes\": 5}", "no nodes" },
		{ HEAD "\"nodes\": [5]}", "unknown type" },
		{ HEAD "\"nodes\": []}", "no values" },
		{ HEAD "\"nodes\": [], \"values\": {\"a\\u001b\": 1}, " STACK, "no name" },
		{ HEAD "\"nodes\": [], \"values\": {\"a\": 1}, " STACK, "without a node" },
		{ NODE("bool") "\"values\": {\"a.b\": 2}, " STACK, "a.b: not a value" },
		{ NODE("uint") "\"values\": {\"a.b\": -1}, " STACK, "a.b: not a value" },
		{ NODE("uint") "\"values\": {\"a.b\": 4294967296}, " STACK, "a.b: not a value" },
		{ NODE("u64") "\"values\": {\"a.b\": \"x\"}, " STACK, "a.b: not a value" },
		{ NODE(
		      "array") "\"values\": {\"a.b\": {\"size\": 0, \"count\": 0, \"bytes\": \"\"}}, " STACK,
		    "a.b: not a value" },
		{ NODE("array") "\"values\": {\"a.b\": {\"size\": 1, \"count\": 2, \"bytes\": "
				"\"00\"}}, " STACK,
		    "a.b: not a value" },
		{ NODE("array") "\"values\": {\"a.b\": {\"size\": 1, \"count\": 1, \"bytes\": "
				"\"0g\"}}, " STACK,
		    "a.b: not a value" },
		{ HEAD "\"nodes\": [{\"name\": \"b\", \"type\": \"int\"}, {\"name\": \"a\", "
		       "\"type\": \"int\"}]}",
		    "out of order" },
		{ HEAD "\"nodes\": [], \"values\": {}, \"stacks\": []}", "the host's stack" },
		{ HEAD "\"nodes\": [], \"values\": {}, \"stacks\": [{}]}", "no name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		write_text(broken[i].text, strlen(broken[i].text));
		expect_refusal("sysctl -M %s -a", broken[i].reason);
		expect_refusal("netstat -Q -M %s", broken[i].reason);
	}
	write_text(HEAD "\"nodes\": [], \"values\": {}, " STACK,
	    strlen(HEAD "\"nodes\": [], \"values\": {}, " STACK));
	expect_refusal("netstat -Q -M %s", "not a number of protocols");
	expect_refusal("sysctl -M %s -j nobody -a", "jail \"nobody\" not found");
	unlink(file);
	expect_refusal("netstat -m -M %s", "No such file or directory");
	expect_refusal("savecore %s/below", "");
}

/* Numbers that point outside the tables. */
static void
test_b26_arrays_that_do_not_belong_together_are_refused(void **state)
{
	static const struct {
		const char *from, *to, *reason;
	} changes[] = {
		{ "\"net.isr.maxprot\": 8", "\"net.isr.maxprot\": 7", "proto" },
		{ "\"net.isr.maxprot\": 8", "\"net.isr.maxprot\": 0", "maxprot" },
		{ "\"net.isr.maxprot\": 8", "\"net.isr.maxprot\": 4000000000", "maxprot" },
		{ "\"net.isr.work\":", "\"net.isr.workstream\":", "" },
		{ "\"net.isr.proto\": {\"size\": 48, \"count\": 7",
		    "\"net.isr.proto\": {\"size\": 28, \"count\": 12", "" },
	};
	char text[16384], changed[16384];
	size_t len;
	FILE *f;

	(void)state;
	f = fmemopen(text, sizeof(text), "w");
	put_state(f, 8, 0);
	fclose(f);
	len = strlen(text);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *at = strstr(text, changes[i].from);

		assert_non_null(at);
		snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
		    changes[i].to, at + strlen(changes[i].from));
		write_text(changed, strlen(changed));
		expect_refusal("netstat -Q -M %s", changes[i].reason);
	}
	/* Cut anywhere; the last byte is the newline behind it all. */
	for (size_t n = 0; n + 1 < len; n += n < 400 ? 1 : 37) {
		write_text(text, n);
		expect_refusal("netstat -Q -M %s", "");
	}
}

static void
test_b26_tools_say_what_a_saved_state_does_not_have(void **state)
{
	static const char *const refused[] = { "netstat -r -M %s", "netstat -g -M %s",
		"netstat -M %s", "netstat -sz -M %s", "netstat -w 1 -M %s",
		"netstat -s -p ip -M %s", "netstat -I nope0 -M %s", "sysctl -M %s test.deep=5",
		"sysctl -M %s nope" };

	(void)state;
	save();
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		expect_refusal(refused[i], "");
	expect_line("ifconfig -M file", 64, "", NULL);
	expect_line("netstat -i -j a", 64, "", NULL);
	expect_line("savecore", 64, "", NULL);
}

static void
test_b26_a_jail_neither_saves_nor_reads(void **state)
{
	char line[256];

	(void)state;
	save();
	expect_line("jail -c name=j vnet persist", 0, "", "");
	snprintf(line, sizeof(line), "jexec j savecore %s", file);
	expect_line(line, 1, "", "savecore: Operation not permitted\n");
	expect_line("jexec j savecore -", 1, "", NULL);
	expect_refusal("jexec j netstat -i -M %s", "Operation not permitted");
	expect_refusal("jexec j sysctl -a -M %s", "Operation not permitted");
	expect_refusal("netstat -j j -i -M %s", "jail \"j\" not found in it");
}

static void
test_b26_the_file_is_whole_or_not_there_and_its_owners_alone(void **state)
{
	char *out, line[256];
	struct stat st;

	(void)state;
	save();
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	out = output_of("savecore -", false);
	write_text(out, strlen(out));
	free(out);
	expect_same("sysctl", NULL, "-a");
	expect_line("savecore -", 0, NULL, "");
	snprintf(line, sizeof(line), "savecore %s/nowhere/state", folder);
	expect_line(line, 1, "", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_b26_tools_read_a_saved_state_as_they_read_the_living_one),
		STATE_TEST(
		    test_b26_files_of_builds_with_fewer_and_more_protocols_give_consistent_tables),
		STATE_TEST(test_b26_broken_files_are_refused_in_one_line),
		STATE_TEST(test_b26_arrays_that_do_not_belong_together_are_refused),
		STATE_TEST(test_b26_tools_say_what_a_saved_state_does_not_have),
		STATE_TEST(test_b26_a_jail_neither_saves_nor_reads),
		STATE_TEST(test_b26_the_file_is_whole_or_not_there_and_its_owners_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
