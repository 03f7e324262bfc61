/* Modules: what is built in answers by its name, what is not is asked for and refused. */
#include "kern_fixture.h"

#include "kern/module.h"

#include <errno.h>

MODULE_DEFINE(lo, "if_lo");
MODULE_DEFINE(burrow, "if_burrow");

static void
test_b29_builtin_loopback_is_there_without_a_request(void **state)
{
	uint64_t before = module_requests;

	(void)state;
	expect_line("kldstat -q -m if_lo", 0, "", "");
	expect_line("kldstat -q -m if_foo", 1, "", "");
	assert_int_equal(module_request("if_lo"), 0);
	assert_int_equal(module_requests, before);
	assert_int_equal(module_request("if_foo"), -ENOENT);
	assert_int_equal(module_requests, before + 1);
}

static void
test_loading_says_why_it_can_not(void **state)
{
	uint64_t before = module_requests;

	(void)state;
	expect_line("kldload foo", 1, "", "kldload: can't load foo: No such file or directory\n");
	assert_int_equal(module_requests, before + 1);
	expect_line("kldload if_lo", 1, "", "kldload: can't load if_lo: File exists\n");
	expect_line("kldload /boot/kernel/if_lo.ko", 1, "",
	    "kldload: can't load /boot/kernel/if_lo.ko: File exists\n");
	expect_line("kldload -n if_lo", 0, "", "");
	expect_line("kldload", 1, "", NULL);
	expect_line("jail -c name=a vnet persist", 0, "", "");
	expect_line(
	    "jexec a kldload foo", 1, "", "kldload: can't load foo: Operation not permitted\n");
	assert_int_equal(module_requests, before + 1);
}

static void
test_kernel_can_not_be_unloaded(void **state)
{
	(void)state;
	expect_line("kldunload kernel", 1, "", "kldunload: can't unload file: Device busy\n");
	expect_line("kldunload -i 1", 1, "", "kldunload: can't unload file: Device busy\n");
	expect_line(
	    "kldunload foo", 1, "", "kldunload: can't find file foo: No such file or directory\n");
}

static void
test_listing_names_the_kernel_and_with_v_its_modules(void **state)
{
	(void)state;
	assert_true(says("kldstat", false, "Id Refs Address            Size     Name\n 1 "));
	assert_true(says("kldstat", false, " kernel\n"));
	assert_true(
	    says("kldstat -v", false, "\tContains modules:\n\t\t Id Name\n\t\t  1 if_burrow\n"));
	assert_true(says("kldstat -m if_lo", false, "Id  Refs Name\n"));
	expect_line("kldstat -m if_foo", 1, "",
	    "kldstat: can't find module if_foo: No such file or directory\n");
	expect_line(
	    "kldstat -n foo", 1, "", "kldstat: can't find file foo: No such file or directory\n");
	expect_line("kldstat -q -i 1", 0, "", "");
	expect_line("kldstat -q -i 2", 1, "", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_b29_builtin_loopback_is_there_without_a_request),
		KERN_TEST(test_loading_says_why_it_can_not),
		KERN_TEST(test_kernel_can_not_be_unloaded),
		KERN_TEST(test_listing_names_the_kernel_and_with_v_its_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
