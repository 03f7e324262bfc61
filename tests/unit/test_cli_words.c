/*
 * test_cli_words.c - the words before the tool, and the options of the lab verbs.
 */
#include "cli/cli.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *argv_of[32];
static char line_of[512];
static struct cli_words w;
static char *why;

/* Split at blanks; the first word is what the program was called as. */
static int
parse(const char *line)
{
	char *save = NULL;
	int argc = 0;

	snprintf(line_of, sizeof(line_of), "%s", line);
	for (char *word = strtok_r(line_of, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		argv_of[argc++] = word;
	argv_of[argc] = NULL;
	free(why);
	why = NULL;
	return cli_words(argc, argv_of, &w, &why);
}

static int
setup(void **state)
{
	(void)state;
	unsetenv("WARREN_JAIL");
	setenv("WARREN_SOCKET", "/nowhere/ctl", 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(why);
	why = NULL;
	return 0;
}

static void
test_words_before_the_tool_are_ours_and_behind_it_its_own(void **state)
{
	(void)state;
	assert_int_equal(parse("warren --json -j r1 --fib 3 sysctl --json -j r2"), 0);
	assert_true(w.json);
	assert_string_equal(w.jail, "r1");
	assert_int_equal(w.fib, 3);
	assert_int_equal(w.argc, 4);
	assert_string_equal(w.argv[0], "sysctl");
	assert_string_equal(w.argv[1], "--json");
}

static void
test_words_options_may_be_spelled_in_both_ways(void **state)
{
	(void)state;
	assert_int_equal(parse("warren -jr1 sysctl"), 0);
	assert_string_equal(w.jail, "r1");
	assert_int_equal(parse("warren --jail=r2 --socket=/x/y sysctl"), 0);
	assert_string_equal(w.jail, "r2");
	assert_string_equal(w.socket, "/x/y");
	assert_int_equal(parse("warren --jail r3 --libxo json sysctl"), 0);
	assert_string_equal(w.jail, "r3");
	assert_true(w.json);
	assert_int_equal(parse("warren --libxo:json sysctl"), 0);
	assert_true(w.json);
}

static void
test_words_a_link_is_called_by_the_tool_s_name(void **state)
{
	(void)state;
	assert_int_equal(parse("/run/warren/bin/sysctl -a"), 0);
	assert_int_equal(w.argc, 2);
	assert_string_equal(w.argv[0], "sysctl");
	assert_string_equal(w.argv[1], "-a");
	/* Any other name is the program itself. */
	assert_int_equal(parse("/usr/bin/warren-1.0 sysctl"), 0);
	assert_int_equal(w.argc, 1);
	assert_string_equal(w.argv[0], "sysctl");
}

static void
test_words_jail_of_the_environment_is_only_a_default(void **state)
{
	(void)state;
	setenv("WARREN_JAIL", "r9", 1);
	assert_int_equal(parse("warren sysctl -a"), 0);
	assert_string_equal(w.jail, "r9");
	assert_int_equal(parse("warren -j r1 sysctl -a"), 0);
	assert_string_equal(w.jail, "r1");
	setenv("WARREN_JAIL", "", 1);
	assert_int_equal(parse("warren sysctl -a"), 0);
	assert_null(w.jail);
}

static void
test_words_that_are_wrong_are_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {
		"warren -x sysctl",
		"warren -j",
		"warren --jail",
		"warren --jail= sysctl",
		"warren --fib 16 sysctl",
		"warren --fib 1x sysctl",
		"warren --libxo xml sysctl",
		"warren --jsonx sysctl",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i]), -EINVAL);
		assert_non_null(why);
	}
}

static void
test_words_none_at_all_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(parse("warren"), 0);
	assert_int_equal(w.argc, 0);
	assert_int_equal(parse("warren --json"), 0);
	assert_int_equal(w.argc, 0);
	assert_int_equal(parse("warren --help"), 0);
	assert_string_equal(w.argv[0], "help");
	assert_int_equal(parse("warren -V"), 0);
	assert_string_equal(w.argv[0], "version");
}

/* --- the lab verbs' options ---------------------------------------------- */

static struct cli_lab_words lw;

static int
lab(const char *line, const char *allowed)
{
	assert_int_equal(parse(line), 0);
	return cli_lab_words(&w, allowed, &lw);
}

static void
test_lab_options_may_stand_before_and_behind_the_file(void **state)
{
	(void)state;
	assert_int_equal(
	    lab("warren run --for 5s a.lab.yml --seed 7 -o x=1 --out d -o y=2 --json", "fsOlqo"),
	    0);
	assert_int_equal(lw.for_ns, 5 * NS_PER_SEC);
	assert_int_equal(lw.seed, 7);
	assert_string_equal(lw.out_dir, "d");
	assert_true(lw.json);
	assert_int_equal(lw.ntunables, 2);
	assert_string_equal(lw.tunables[1], "y=2");
	assert_null(lw.tunables[2]);
	assert_int_equal(lw.nfiles, 1);
	assert_string_equal(lw.files[0], "a.lab.yml");
}

static void
test_lab_options_without_unit_or_sense_are_refused(void **state)
{
	static const char *const wrong[] = {
		"warren run --for 5 f",
		"warren run --for 0s f",
		"warren run --seed 0 f",
		"warren run --seed 7x f",
		"warren run --for",
		"warren run -x f",
		"warren run -o",
		"warren run --libxo xml f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(lab(wrong[i], "fsOlqo"), CLI_WORDS);
}

static void
test_lab_options_that_a_verb_has_not_are_refused(void **state)
{
	(void)state;
	assert_int_equal(lab("warren down --for 5s", "S"), CLI_WORDS);
	assert_int_equal(lab("warren down -d", "S"), CLI_WORDS);
	assert_int_equal(lab("warren down --socket /a/b", "S"), 0);
	assert_string_equal(lw.socket, "/a/b");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_words_before_the_tool_are_ours_and_behind_it_its_own),
		T(test_words_options_may_be_spelled_in_both_ways),
		T(test_words_a_link_is_called_by_the_tool_s_name),
		T(test_words_jail_of_the_environment_is_only_a_default),
		T(test_words_that_are_wrong_are_refused_with_a_reason),
		T(test_words_none_at_all_are_told_apart),
		T(test_lab_options_may_stand_before_and_behind_the_file),
		T(test_lab_options_without_unit_or_sense_are_refused),
		T(test_lab_options_that_a_verb_has_not_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
