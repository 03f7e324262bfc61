/*
 * Unit tests of the tool `ipfw` (ipfw/ipfw_cmd.c, set_cmd.c, ipfw_list.c, ipfw_file.c): options, exact
 * lines, exit statuses, files.
 */
#include "fw_stack.h"

#include "ipfw/chain.h"
#include "ipfw/command.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANY "ip from any to any"

/* --- helpers ---------------------------------------------------------------- */

static void
quietly(const char *line)
{
	expect_line(line, 0, "", "");
}

/* What `ipfw list` says. */
static void
expect_list(const char *text)
{
	expect_line("ipfw list", 0, text, "");
}

static struct fw_rule *
rule_at(uint32_t slot)
{
	return VNET(fw_map)->rule[slot];
}

static char file_path[64];

/* A new file, file_path. */
static FILE *
file_open(void)
{
	FILE *f;
	int fd;

	snprintf(file_path, sizeof(file_path), "/tmp/fw_command.XXXXXX");
	fd = mkstemp(file_path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	return f;
}

static void
file_write(const char *text)
{
	FILE *f = file_open();

	fputs(text, f);
	fclose(f);
}

/* Run `before FILE` for a file with this text. */
static void
expect_file(const char *before, const char *text, int status, const char *out, const char *err)
{
	char line[256], where[512];

	file_write(text);
	snprintf(line, sizeof(line), "%s %s", before, file_path);
	/* in what is expected, a % stands for the file's name */
	if (err != NULL && strchr(err, '%') != NULL) {
		snprintf(where, sizeof(where), "%.*s%s%s", (int)strcspn(err, "%"), err, file_path,
		    strchr(err, '%') + 1);
		err = where;
	}
	expect_line(line, status, out, err);
	unlink(file_path);
}

/* --- add, list --------------------------------------------------------------- */

static void
test_a_stack_that_was_not_asked_lists_nothing(void **state)
{
	(void)state;
	expect_list("");
	expect_line("ipfw show", 0, "", "");
	assert_null(VNET(fw_map));
}

static void
test_add_says_what_it_added(void **state)
{
	(void)state;
	expect_line("ipfw add allow " ANY, 0, "00100 allow " ANY "\n", "");
	expect_line("ipfw add deny tcp from 10.0.0.0/8 to any 80", 0,
	    "00200 deny tcp from 10.0.0.0/8 to any dst-port 80\n", "");
	quietly("ipfw -q add 50 count " ANY);
	expect_list("00050 count " ANY "\n00100 allow " ANY
		    "\n00200 deny tcp from 10.0.0.0/8 to any dst-port 80\n65535 deny " ANY "\n");
}

static void
test_the_default_rule_number_is_refused(void **state)
{
	(void)state;
	expect_line("ipfw add 65535 allow " ANY, 69, "", NULL);
	expect_line("ipfw delete 65535", 69, "", "ipfw: rule 65535 is the default rule\n");
	expect_line("ipfw set move rule 65535 to 1", 65, "", NULL);
}

static void
test_a_bad_rule_names_its_word_and_changes_nothing(void **state)
{
	(void)state;
	assert_true(says("ipfw add 100 permitt " ANY, false, "permitt"));
	expect_line("ipfw add 100 permitt " ANY, 65, "", NULL);
	expect_line("ipfw -n add bad", 65, "", NULL);
	assert_null(VNET(fw_map));
}

static void
test_n_only_looks_whether_it_could_be_done(void **state)
{
	(void)state;
	expect_line("ipfw -n add 100 allow " ANY, 0, "00100 allow " ANY "\n", "");
	quietly("ipfw -nq flush");
	quietly("ipfw -n set disable 5");
	quietly("ipfw -n table 5 add 10.0.0.1");
	assert_null(VNET(fw_map));
	quietly("ipfw -q add 100 allow " ANY);
	quietly("ipfw -n delete 100");
	expect_list("00100 allow " ANY "\n65535 deny " ANY "\n");
}

static void
test_list_keeps_to_numbers_and_ranges(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	quietly("ipfw -q add 200 count " ANY);
	quietly("ipfw -q add 300 deny " ANY);
	expect_line("ipfw list 200", 0, "00200 count " ANY "\n", "");
	expect_line("ipfw list 250-65535,100", 0,
	    "00300 deny " ANY "\n65535 deny " ANY "\n00100 allow " ANY "\n", "");
	expect_line("ipfw list 150", 69, "", "ipfw: rule 150 does not exist\n");
	expect_line(
	    "ipfw list 100 150", 69, "00100 allow " ANY "\n", "ipfw: rule 150 does not exist\n");
	expect_line("ipfw list 101-199", 69, "", "ipfw: no rules in range 101-199\n");
	expect_line("ipfw list 1x", 65, "", NULL);
	expect_line("ipfw list 300-200", 65, "", NULL);
	expect_line("ipfw list 65536", 65, "", NULL);
}

static void
test_columns_are_as_wide_as_the_widest(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	rule_at(0)->count.packets = 12345;
	rule_at(0)->count.bytes = 7;
	rule_at(1)->count.bytes = 1234567;
	expect_line("ipfw show", 0,
	    "00100 12345       7 allow " ANY "\n65535     0 1234567 deny " ANY "\n", "");
	expect_line("ipfw -a list 100", 0, "00100 12345       7 allow " ANY "\n", "");
}

static void
test_options_go_in_any_cluster(void **state)
{
	(void)state;
	expect_line("ipfw -qf -c add 100 allow " ANY, 0, "", "");
	expect_line("ipfw -ac list 100", 0, "00100 0 0 allow\n", "");
	expect_line("ipfw -a -c list 100", 0, "00100 0 0 allow\n", "");
	expect_line("ipfw -z list", 64, "", NULL);
	expect_line("ipfw", 64, "", NULL);
}

static void
test_json_has_the_rules_as_objects(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow tcp from any to any");
	assert_true(says("ipfw list", true, "\"rule\":[{\"number\":100,"));
}

static void
test_a_whole_command_may_be_one_word(void **state)
{
	(void)state;
	quietly("ipfw '-q add 50 count " ANY "'");
	expect_line("ipfw -q 'add 100 allow " ANY "  # not this'", 0, "", "");
	expect_line("ipfw list 100", 0, "00100 allow " ANY "\n", "");
	/* blanks behind commas */
	expect_line("ipfw add 200 deny ip from 10.0.0.1, 10.0.0.2 to any // a, b", 0,
	    "00200 deny ip from 10.0.0.1,10.0.0.2 to any // a, b\n", "");
}

static void
test_short_forms_are_taken_with_a_warning(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	expect_line("ipfw li 100", 0, "00100 allow " ANY "\n",
	    "ipfw: warning: 'li' is taken for 'list'; short forms are deprecated\n");
	expect_line("ipfw s", 64, "", "ipfw: bad command 's': it could be more than one\n");
	expect_line("ipfw frobnicate", 64, "", "ipfw: bad command 'frobnicate'\n");
}

/* --- delete, flush, zero ------------------------------------------------------- */

static void
test_delete_takes_numbers_ranges_and_sets(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	quietly("ipfw -q add 200 set 3 allow " ANY);
	quietly("ipfw -q add 300 set 3 allow " ANY);
	quietly("ipfw -q add 400 allow " ANY);
	quietly("ipfw -q add 500 set 4 allow " ANY);
	quietly("ipfw set 3 delete 200");
	expect_line("ipfw set 3 delete 100", 69, "", "ipfw: rule 100 does not exist\n");
	quietly("ipfw delete 100-250 500");
	quietly("ipfw delete set 3");
	expect_list("00400 allow " ANY "\n65535 deny " ANY "\n");
	expect_line("ipfw delete 100", 69, "", "ipfw: rule 100 does not exist\n");
	quietly("ipfw -q delete 100");
	expect_line("ipfw delete 100 400", 69, "", "ipfw: rule 100 does not exist\n");
	expect_list("65535 deny " ANY "\n");
	expect_line("ipfw delete", 64, "", NULL);
	expect_line("ipfw delete x", 65, "", NULL);
}

static void
test_flush_leaves_the_default_rule_and_set_31(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	quietly("ipfw -q add 200 set 31 count " ANY);
	expect_line("ipfw flush", 0, "Flushed all rules.\n", "");
	expect_list("00200 count " ANY "\n65535 deny " ANY "\n");
	quietly("ipfw delete set 31");
	quietly("ipfw -q flush");
	expect_list("65535 deny " ANY "\n");
}

static void
test_a_flush_alone_starts_the_firewall(void **state)
{
	(void)state;
	quietly("ipfw -q -f flush");
	expect_list("65535 deny " ANY "\n");
}

static void
test_zero_and_resetlog_say_what_they_did(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 allow log logamount 5 " ANY);
	rule_at(0)->count = (struct fw_counters){ .packets = 3, .bytes = 30, .log_left = 0 };
	expect_line("ipfw resetlog 100", 0, "Entry 100 logging count reset.\n", "");
	assert_int_equal(rule_at(0)->count.log_left, 5);
	assert_int_equal(rule_at(0)->count.packets, 3);
	expect_line("ipfw zero 100", 0, "Entry 100 cleared.\n", "");
	assert_int_equal(rule_at(0)->count.packets, 0);
	expect_line("ipfw zero", 0, "Accounting cleared.\n", "");
	expect_line("ipfw resetlog", 0, "Logging counts reset.\n", "");
	expect_line("ipfw zero 77", 69, "", "ipfw: rule 77 does not exist\n");
	rule_at(0)->count.packets = 4;
	quietly("ipfw -q set 1 zero");
	assert_int_equal(rule_at(0)->count.packets, 4);
	quietly("ipfw -q set 0 zero");
	assert_int_equal(rule_at(0)->count.packets, 0);
}

/* --- sets ------------------------------------------------------------------------ */

static void
test_disabled_rules_show_with_S_only(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 set 2 allow " ANY);
	quietly("ipfw set disable 2");
	expect_list("65535 deny " ANY "\n");
	expect_line("ipfw -S list", 0,
	    "# DISABLED 00100 set 2 allow " ANY "\n65535 set 31 deny " ANY "\n", "");
	expect_line("ipfw list 100", 69, "", "ipfw: rule 100 does not exist\n");
	quietly("ipfw set enable 2");
	expect_list("00100 allow " ANY "\n65535 deny " ANY "\n");
}

static void
test_set_show_lists_what_is_off_and_on(void **state)
{
	(void)state;
	expect_line("ipfw set show", 0,
	    "enable 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
	    "30\n",
	    "");
	quietly("ipfw set disable 1 5 enable 7");
	expect_line("ipfw set show", 0,
	    "disable 1 5 enable 0 2 3 4 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 "
	    "28 29 30\n",
	    "");
	expect_line("ipfw set disable 3 enable 3", 65, "", NULL);
	expect_line("ipfw set disable 31", 65, "", NULL);
	expect_line("ipfw set disable 32", 65, "", NULL);
	expect_line("ipfw set disable", 64, "", NULL);
}

static void
test_sets_move_and_swap(void **state)
{
	(void)state;
	quietly("ipfw -q add 100 set 1 allow " ANY);
	quietly("ipfw -q add 200 set 2 count " ANY);
	quietly("ipfw set swap 1 2");
	expect_line("ipfw set 2 list", 0, "00100 allow " ANY "\n", "");
	quietly("ipfw set move rule 100 to 9");
	quietly("ipfw set move 1 to 9");
	expect_line("ipfw set 9 list", 0, "00100 allow " ANY "\n00200 count " ANY "\n", "");
	quietly("ipfw set move rule 12345 to 9");
	expect_line("ipfw set move rule 100 into 9", 64, "", NULL);
	expect_line("ipfw set swap 1", 64, "", NULL);
	expect_line("ipfw set 9 add 5 allow " ANY, 64, "", NULL);
	expect_line("ipfw -q set 9 flush", 0, "", "");
	expect_list("65535 deny " ANY "\n");
}

static bool
is_asked(const char *line)
{
	const struct verb *verb = verb_find("ipfw");
	const char *why;
	char **argv;
	bool asked;
	int argc;

	assert_int_equal(verb_split(line, &argc, &argv, &why), 0);
	asked = verb->question(argc, argv) != NULL;
	verb_split_free(argc, argv);
	return asked;
}

static void
test_people_are_asked_before_a_flush(void **state)
{
	(void)state;
	assert_true(is_asked("ipfw flush"));
	assert_true(is_asked("ipfw -a set 5 flush"));
	assert_true(is_asked("ipfw pipe flush"));
	assert_false(is_asked("ipfw -f flush"));
	assert_false(is_asked("ipfw -aq flush"));
	assert_false(is_asked("ipfw -n flush"));
	assert_false(is_asked("ipfw table 1 flush"));
	assert_false(is_asked("ipfw list"));
	assert_false(is_asked("ipfw"));
}

/* --- enable, disable --------------------------------------------------------------- */

static void
test_enable_of_what_is_not_known_is_refused(void **state)
{
	(void)state;
	expect_line(
	    "ipfw enable everything", 64, "", "ipfw: 'everything' can't be enabled or disabled\n");
	expect_line("ipfw enable altq", 69, "", "ipfw: altq: there is none here\n");
	expect_line("ipfw enable", 64, "", NULL);
}

/* Scripts switch it, though it has done nothing since 2009. */
static void
test_debug_may_be_switched_and_does_nothing(void **state)
{
	(void)state;
	expect_line("ipfw enable debug", 0, "", "ipfw: warning: debug does nothing\n");
	expect_line("ipfw disable debug", 0, "", "ipfw: warning: debug does nothing\n");
}

static void
test_enable_and_disable_set_variables(void **state)
{
	(void)state;
	quietly("ipfw disable one_pass");
	expect_line("sysctl -n net.inet.ip.fw.one_pass", 0, "0\n", "");
	quietly("ipfw enable one_pass");
	expect_line("sysctl -n net.inet.ip.fw.one_pass", 0, "1\n", "");
	quietly("ipfw disable firewall");
	expect_line("sysctl -n net.inet.ip.fw.enable", 0, "0\n", "");
	quietly("ipfw -n enable firewall");
	expect_line("sysctl -n net.inet.ip.fw.enable", 0, "0\n", "");
	quietly("ipfw enable verbose");
	quietly("ipfw disable dyn_keepalive");
}

/* --- files ---------------------------------------------------------------------------- */

static void
test_a_file_is_read_line_by_line(void **state)
{
	(void)state;
	expect_file("ipfw -q",
	    "# rules\n"
	    "\n"
	    "-f flush\n"
	    "ipfw -q add 100 allow " ANY "   # all of them\n"
	    "add 200 deny tcp from any to any // don't\n"
	    "table 1 add 10.0.0.0/8 5",
	    0, "", "");
	expect_list(
	    "00100 allow " ANY "\n00200 deny tcp from any to any // don't\n65535 deny " ANY "\n");
	expect_line("ipfw table 1 list", 0, "10.0.0.0/8 5\n", "");
}

static void
test_a_fault_in_a_file_says_where(void **state)
{
	(void)state;
	expect_file("ipfw -q", "add 100 allow " ANY "\n\nfrob\nadd 200 allow " ANY "\n", 64, "",
	    "ipfw: %:3: bad command 'frob'\n");
	/* and the others count */
	expect_list("00100 allow " ANY "\n00200 allow " ANY "\n65535 deny " ANY "\n");
	expect_line("ipfw /nowhere/rules", 69, "", NULL);
}

static void
test_a_file_is_one_change(void **state)
{
	uint32_t id;

	(void)state;
	quietly("ipfw -q add 100 allow " ANY);
	id = VNET(fw_map)->id;
	expect_file("ipfw -q", "flush\nadd allow " ANY "\nadd deny " ANY "\nadd count " ANY "\n", 0,
	    "", "");
	assert_int_equal(VNET(fw_map)->id, id + 1);
	assert_int_equal(VNET(fw_map)->n, 4);
}

static void
test_n_of_a_file_changes_nothing(void **state)
{
	(void)state;
	expect_file("ipfw -nq", "flush\nadd 100 allow " ANY "\ntable 1 add 1.2.3.4\n", 0, "", "");
	assert_null(VNET(fw_map));
	expect_file("ipfw -nq", "add 100 allow " ANY "\nadd bad\n", 65, "", NULL);
	assert_null(VNET(fw_map));
}

static void
test_a_file_goes_through_a_program_first(void **state)
{
	(void)state;
	if (access("/usr/bin/m4", X_OK) == 0)
		expect_file(
		    "ipfw -q -p m4 -DWEB=80", "add 100 allow tcp from any to any WEB\n", 0, "", "");
	else
		quietly("ipfw -q add 100 allow tcp from any to any 80");
	expect_line("ipfw list 100", 0, "00100 allow tcp from any to any dst-port 80\n", "");
	/* any program by its path: this one only copies */
	expect_file("ipfw -q -p /bin/cat", "add 200 allow " ANY "\n", 0, "", "");
	expect_file("ipfw -q -p /bin/false", "add 300 allow " ANY "\n", 69, "",
	    "ipfw: /bin/false: the program failed\n");
	expect_file("ipfw -q -p /nowhere/cpp", "add 300 allow " ANY "\n", 71, "", NULL);
	expect_file("ipfw -q -p rm", "add 300 allow " ANY "\n", 64, "", NULL);
	expect_line("ipfw list 300", 69, "", NULL);
}

static void
test_line_marks_of_cpp_say_where_a_line_is_from(void **state)
{
	(void)state;
	expect_file("ipfw -q -p /bin/cat",
	    "# 1 \"<stdin>\"\n# 7 \"web.rules\" 1\nfrob\n# 2 \"<stdin>\" 2\nknurl\n", 64, "", NULL);
	file_write("# 7 \"web.rules\" 1\nfrob\n");
	{
		char line[128];

		snprintf(line, sizeof(line), "ipfw -q -p /bin/cat %s", file_path);
		assert_true(says(line, false, "ipfw: web.rules:7: bad command 'frob'"));
	}
	unlink(file_path);
}

static void
test_what_is_no_text_is_no_file_of_rules(void **state)
{
	char *text = malloc(70000);

	(void)state;
	memset(text, 'x', 69999);
	text[69999] = '\0';
	expect_file("ipfw", text, 65, "", "ipfw: %:1: this is no line of text\n");
	free(text);
	expect_line("ipfw /dev/zero", 69, "", NULL);
	expect_line("ipfw /tmp", 69, "", "ipfw: /tmp: Is a directory\n");
}

/* A file's commands in a stack of its own, and what it then lists; how many lines were refused. */
static int
load_and_list(const char *jail, const char *path, char **list)
{
	char line[1200], *err, *rest, *message;
	int refused = 0;

	snprintf(line, sizeof(line), "jail -c name=%s vnet persist", jail);
	quietly(line);
	snprintf(line, sizeof(line), "jexec %s ipfw -q %s", jail, path);
	verb_line(NULL, line, false, NULL, &err);
	for (rest = err; (message = strsep(&rest, "\n")) != NULL && *message != '\0';) {
		assert_int_equal(strncmp(message, "ipfw: ", 6), 0);
		assert_int_equal(strncmp(message + 6, path, strlen(path)), 0);
		refused++;
	}
	free(err);
	snprintf(line, sizeof(line), "jexec %s ipfw -S list", jail);
	assert_int_equal(verb_line(NULL, line, false, list, NULL), 0);
	return refused;
}

/* What is listed, as lines that add it again: without those of the default rule. */
static void
list_to_file(const char *list)
{
	FILE *f = file_open();

	fputs("flush\n", f);
	for (size_t n; *list != '\0'; list += n + (list[n] == '\n')) {
		const char *rule = strncmp(list, "# DISABLED ", 11) == 0 ? list + 11 : list;

		n = strcspn(list, "\n");
		if (strncmp(rule, "65535", 5) != 0)
			fprintf(f, "add %.*s\n", (int)(n - (size_t)(rule - list)), rule);
	}
	fclose(f);
}

/* The list without what says that a set is disabled. */
static void
strip_disabled(char *list)
{
	for (char *at; (at = strstr(list, "# DISABLED ")) != NULL;)
		memmove(at, at + 11, strlen(at + 11) + 1);
}

static void
test_published_files_list_and_reload_to_themselves(void **state)
{
	/* how many lines are refused: what this language does not have, and what is wrong in them */
	static const struct {
		const char *name;
		int refused;
	} files[] = {
		{ "dummynet-rule-test", 0 },
		{ "freebsd10-rcfirewall-client", 1 }, /* `nat … ip em0`: no address */
		{ "freebsd10-rcfirewall-closed", 0 }, { "freebsd10-rcfirewall-open", 1 },
		{ "freebsd10-rcfirewall-simple", 0 }, { "freebsd10-rcfirewall-workstation", 0 },
		{ "nat64lsn", 4 }, { "netperf-pass-dns", 0 }, { "netperf-pass-udp", 0 },
		{ "rmt-tables", 0 },
		{ "truenas-jail-vpn", 3 }, /* a user that nobody here knows, two words too many */
		{ "umbrella", 1 },         /* a key that its script has not found out */
	};
	const char *source = getenv("WARREN_SOURCE");
	char path[1024], *first, *again;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/tests/data/ipfw/%s.ipfw",
		    source != NULL ? source : ".", files[i].name);
		assert_int_equal(access(path, R_OK), 0);
		if (load_and_list("a", path, &first) != files[i].refused)
			fail_msg("%s: another number of lines is refused", path);
		list_to_file(first);
		assert_int_equal(load_and_list("b", file_path, &again), 0);
		strip_disabled(first);
		if (strlen(first) > 0)
			assert_string_equal(again, first);
		unlink(file_path);
		free(first);
		free(again);
		quietly("jail -r a");
		quietly("jail -r b");
	}
}

static void
test_a_classic_jail_may_not(void **state)
{
	(void)state;
	quietly("jail -c name=old path=/ persist");
	expect_line("jexec old ipfw add 100 allow " ANY, 77, "", "ipfw: Operation not permitted\n");
	expect_line("jexec old ipfw list", 77, "", NULL);
}

static void
test_each_stack_has_its_own_rules(void **state)
{
	(void)state;
	quietly("jail -c name=r1 vnet persist");
	quietly("jexec r1 ipfw -q add 100 deny " ANY);
	expect_list("");
	expect_line("ipfw -j r1 list", 0, "00100 deny " ANY "\n65535 deny " ANY "\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_a_stack_that_was_not_asked_lists_nothing),
		FW_TEST(test_add_says_what_it_added),
		FW_TEST(test_the_default_rule_number_is_refused),
		FW_TEST(test_a_bad_rule_names_its_word_and_changes_nothing),
		FW_TEST(test_n_only_looks_whether_it_could_be_done),
		FW_TEST(test_list_keeps_to_numbers_and_ranges),
		FW_TEST(test_columns_are_as_wide_as_the_widest),
		FW_TEST(test_options_go_in_any_cluster),
		FW_TEST(test_json_has_the_rules_as_objects),
		FW_TEST(test_a_whole_command_may_be_one_word),
		FW_TEST(test_short_forms_are_taken_with_a_warning),
		FW_TEST(test_delete_takes_numbers_ranges_and_sets),
		FW_TEST(test_flush_leaves_the_default_rule_and_set_31),
		FW_TEST(test_a_flush_alone_starts_the_firewall),
		FW_TEST(test_zero_and_resetlog_say_what_they_did),
		FW_TEST(test_disabled_rules_show_with_S_only),
		FW_TEST(test_set_show_lists_what_is_off_and_on),
		FW_TEST(test_sets_move_and_swap),
		FW_TEST(test_people_are_asked_before_a_flush),
		FW_TEST(test_enable_of_what_is_not_known_is_refused),
		FW_TEST(test_debug_may_be_switched_and_does_nothing),
		FW_TEST(test_enable_and_disable_set_variables),
		FW_TEST(test_a_file_is_read_line_by_line),
		FW_TEST(test_a_fault_in_a_file_says_where),
		FW_TEST(test_a_file_is_one_change),
		FW_TEST(test_n_of_a_file_changes_nothing),
		FW_TEST(test_a_file_goes_through_a_program_first),
		FW_TEST(test_line_marks_of_cpp_say_where_a_line_is_from),
		FW_TEST(test_what_is_no_text_is_no_file_of_rules),
		FW_TEST(test_published_files_list_and_reload_to_themselves),
		FW_TEST(test_a_classic_jail_may_not),
		FW_TEST(test_each_stack_has_its_own_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
