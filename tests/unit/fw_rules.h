/*
 * fw_rules.h - rules from lines, for tests of the rule language and of what works with rules.
 */
#ifndef WARREN_TESTS_UNIT_FW_RULES_H
#define WARREN_TESTS_UNIT_FW_RULES_H

#include "kern_fixture.h"

#include "base/rcu.h"
#include "inet/ipaddr.h"
#include "ipfw/rule.h"
#include "kern/verb.h"

#include <stdio.h>

/* A stack keeps what it began for its tables until its end: so the count is taken behind it. */
static struct audit_counts rules_before;

__attribute__((unused)) static int
rules_setup(void **state)
{
	(void)state;
	if (worker_attach(0, CLOCK_VIRTUAL) == NULL)
		return -1;
	audit_take(&rules_before);
	kern_init();
	return 0;
}

__attribute__((unused)) static int
rules_teardown(void **state)
{
	char leaks[256];
	int differ;

	(void)state;
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&rules_before, leaks, sizeof(leaks));
	if (differ != 0)
		print_error("left behind: %s\n", leaks);
	worker_detach();
	return differ;
}

#define RULE_TEST(fn) cmocka_unit_test_setup_teardown(fn, rules_setup, rules_teardown)

/* The words of a line behind "add". NULL with why. */
__attribute__((unused)) static struct fw_rule *
rule_try(const char *line, char *why, size_t why_len)
{
	struct fw_rule *r;
	const char *open;
	char **argv;
	int argc;

	if (verb_split(line, &argc, &argv, &open) != 0) {
		snprintf(why, why_len, "%s", open);
		return NULL;
	}
	r = fw_rule_parse(argc, argv, why, why_len);
	verb_split_free(argc, argv);
	return r;
}

/* One that must be a rule. */
__attribute__((unused)) static struct fw_rule *
rule_of(const char *line)
{
	char why[256];
	struct fw_rule *r = rule_try(line, why, sizeof(why));

	if (r == NULL)
		print_error("%s: %s\n", line, why);
	assert_non_null(r);
	return r;
}

/* As listed; malloc'd. */
__attribute__((unused)) static char *
rule_listed(const struct fw_rule *r, unsigned flags)
{
	int len = fw_rule_text(r, flags, NULL, 0);
	char *text = malloc((size_t)len + 1);

	assert_non_null(text);
	text[0] = '\0';
	assert_int_equal(fw_rule_text(r, flags, text, (size_t)len + 1), len);
	return text;
}

/* What is listed makes the same rule again, which lists as the same. `line` is for the message. */
__attribute__((unused)) static void
rule_must_return(const char *line, const struct fw_rule *r, unsigned flags)
{
	char *text = rule_listed(r, flags), *text2, why[256], *word[1] = { text };
	struct fw_rule *again = fw_rule_parse(1, word, why, sizeof(why));

	if (again == NULL) {
		print_error("%s\n  listed %s\n  refused: %s\n", line, text, why);
		fail();
	}
	text2 = rule_listed(again, flags);
	if (strcmp(text, text2) != 0 || !fw_rule_equal(r, again))
		print_error("%s\n  listed %s\n  then   %s\n", line, text, text2);
	assert_string_equal(text, text2);
	assert_true(fw_rule_equal(r, again));
	fw_rule_rele(again);
	free(text);
	free(text2);
}

#endif
