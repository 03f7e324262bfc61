/*
 * kern_fixture.h - what the tests of the kernel floor begin and end with: one worker in virtual
 * time, the host's stack, and at the end the leak audit.
 */
#ifndef WARREN_TESTS_UNIT_KERN_FIXTURE_H
#define WARREN_TESTS_UNIT_KERN_FIXTURE_H

#include "kern/jail.h"
#include "kern/verb.h"
#include "kern/vnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct audit_counts fixture_before;

__attribute__((unused)) static int
kern_setup(void **state)
{
	(void)state;
	worker_attach(0, CLOCK_VIRTUAL);
	kern_init();
	audit_take(&fixture_before);
	return 0;
}

__attribute__((unused)) static int
kern_teardown(void **state)
{
	char leaks[256];
	int differ;

	(void)state;
	verb_line(NULL, "jail -r all", false, NULL, NULL);
	differ = audit_compare(&fixture_before, leaks, sizeof(leaks));
	if (differ != 0)
		print_error("leaked: %s\n", leaks);
	kern_fini();
	worker_detach();
	return differ;
}

/* Run a line on the host and compare what it says; NULL = don't look. */
__attribute__((unused)) static void
expect_line(const char *line, int status, const char *out, const char *err)
{
	char *got_out, *got_err;
	int got = verb_line(NULL, line, false, &got_out, &got_err);

	if (out != NULL)
		assert_string_equal(got_out, out);
	if (err != NULL)
		assert_string_equal(got_err, err);
	if (got != status)
		print_error("%s: %s", line, got_err);
	assert_int_equal(got, status);
	assert_ptr_equal(curvnet, vnet0);
	assert_ptr_equal(curprison, &prison0);
	free(got_out);
	free(got_err);
}

/* Does a line's output hold this text? */
__attribute__((unused)) static bool
says(const char *line, bool json, const char *text)
{
	char *out, *err;
	bool found;

	verb_line(NULL, line, json, &out, &err);
	found = strstr(out, text) != NULL || strstr(err, text) != NULL;
	if (!found)
		print_error("%s: no '%s' in: %s%s\n", line, text, out, err);
	free(out);
	free(err);
	return found;
}

#define KERN_TEST(fn) cmocka_unit_test_setup_teardown(fn, kern_setup, kern_teardown)

#endif
