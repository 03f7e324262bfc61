/*
 * fw_stack.h - tests of the firewall's own tables: the host's stack, which keeps its rules until its
 * end; so the leak audit looks behind that.
 */
#ifndef WARREN_TESTS_UNIT_FW_STACK_H
#define WARREN_TESTS_UNIT_FW_STACK_H

#include "kern_fixture.h"

#include "base/rcu.h"

static int
fw_stack_setup(void **state)
{
	(void)state;
	worker_attach(0, CLOCK_VIRTUAL);
	audit_take(&fixture_before);
	kern_init();
	return 0;
}

static int
fw_stack_teardown(void **state)
{
	char leaks[256];
	int differ;

	(void)state;
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&fixture_before, leaks, sizeof(leaks));
	if (differ != 0)
		print_error("left behind: %s\n", leaks);
	worker_detach();
	return differ;
}

#define FW_TEST(fn) cmocka_unit_test_setup_teardown(fn, fw_stack_setup, fw_stack_teardown)

#endif
