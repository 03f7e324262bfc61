/* Named values: types, bounds, stacks, tunables, and the words of the tool. */
#include "kern_fixture.h"

#include "kern/sysctl.h"

#include <errno.h>
#include <stdio.h>

static bool flag = true;
static int32_t number = -3;
static uint64_t wide = 5;
static char text[8] = "abc";
static uint32_t tunable = 50;
VNET_DEFINE_STATIC(uint32_t, ttl) = 64;
VNET_DEFINE_STATIC(uint32_t, depth) = 4;
static int changes;

static void
count_change(const struct sysctl_oid *oid)
{
	(void)oid;
	changes++;
}

SYSCTL_BOOL(flag, "test.flag", SYSCTL_RW, flag, "a flag");
SYSCTL_INT(number, "test.number", SYSCTL_RW, number, -10, 10, "a number");
SYSCTL_U64(wide, "test.wide", SYSCTL_RW, wide, "a big number");
SYSCTL_STRING(text, "test.text", SYSCTL_RW, text, "a text");
SYSCTL_UINT(tunable, "test.tunable", SYSCTL_RDTUN, tunable, 1, 100, "set before start only");
SYSCTL_VNET_UINT(
    depth, "test.depth", SYSCTL_RDTUN, depth, 1, 100, "a stack's, set before start only");
SYSCTL_UINT(secret, "test.secret", SYSCTL_RD | SYSCTL_SKIP, tunable, 1, 100, "not in -a");
SYSCTL_DEFINE_(ttl, .name = "test.ttl", .type = SYSCTL_T_UINT, .flags = SYSCTL_RW | SYSCTL_VNET,
    .ptr = &vnet_entry_ttl, .min = 1, .max = 255, .changed = count_change, .descr = "time to live");
SYSCTL_UINT(test2, "test2.other", SYSCTL_RD, tunable, 0, 100, "not below test");

static int
blob_get(const struct sysctl_oid *oid, struct sysctl_req *req)
{
	(void)oid;
	if (req->opaque != NULL && req->opaque_len >= 201)
		memset(req->opaque, 'x', 201);
	req->opaque_len = 201;
	return 0;
}
SYSCTL_PROC(blob, "test.blob", SYSCTL_RD, SYSCTL_T_OPAQUE, blob_get, "201 bytes");

static int
reset(void **state)
{
	flag = true;
	number = -3;
	wide = 5;
	strcpy(text, "abc");
	changes = 0;
	return kern_setup(state);
}
#define SYSCTL_TEST(fn) cmocka_unit_test_setup_teardown(fn, reset, kern_teardown)

static void
test_reading_a_node_or_all_below_one(void **state)
{
	(void)state;
	expect_line("sysctl test.number", 0, "test.number: -3\n", "");
	expect_line("sysctl -n test.number test.text", 0, "-3\nabc\n", "");
	expect_line("sysctl -e test.number", 0, "test.number=-3\n", "");
	expect_line("sysctl -N test.number", 0, "test.number\n", "");
	expect_line("sysctl -d test.ttl", 0, "test.ttl: time to live\n", "");
	expect_line(
	    "sysctl -x test.number test.wide", 0, "test.number: 0xfffffffd\ntest.wide: 0x5\n", "");
	expect_line("sysctl test", 0,
	    "test.depth: 4\ntest.flag: 1\ntest.number: -3\ntest.secret: 50\ntest.text: abc\n"
	    "test.ttl: 64\ntest.tunable: 50\ntest.wide: 5\n",
	    "");
	assert_true(says("sysctl -a", false, "test.number: -3\ntest.text: abc\n"));
	assert_true(says(
	    "sysctl test.number test.text", true, "{\"test.number\":-3,\"test.text\":\"abc\"}"));
	expect_line("sysctl -h test.wide=1234567", 0, "test.wide: 5 -> 1,234,567\n", "");
}

static void
test_unknown_and_read_only_names_are_said_so(void **state)
{
	(void)state;
	expect_line("sysctl test.nope", 1, "", "sysctl: unknown oid 'test.nope'\n");
	expect_line("sysctl test.n", 1, "", "sysctl: unknown oid 'test.n'\n");
	expect_line("sysctl -i test.nope test.number", 0, "test.number: -3\n", "");
	expect_line("sysctl test=1", 1, NULL, "sysctl: unknown oid 'test'\n");
	expect_line("sysctl test2.other=5", 1, "", "sysctl: oid 'test2.other' is read only\n");
	expect_line("sysctl test.tunable=9", 1, "",
	    "sysctl: oid 'test.tunable' is read only\n"
	    "sysctl: Tunable values are set in /boot/loader.conf (here: -o test.tunable=VALUE at start)\n");
	assert_int_equal(tunable, 50);
	expect_line("sysctl", 1, "", NULL);
	expect_line("sysctl -nN test.number", 1, "", NULL);
	expect_line("sysctl -Z", 1, "", NULL);
}

static void
test_values_out_of_bounds_are_refused_not_clamped(void **state)
{
	static const char *const bad[] = { "test.flag=2", "test.flag=yes",
		"test.flag=", "test.number=-11", "test.number=11", "test.number=1x",
		"test.number= 1", "test.number=--1", "test.wide=18446744073709551616",
		"test.wide=-1", "test.text=12345678", "test.ttl=0", "test.ttl=256" };
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "sysctl '%s'", bad[i]);
		expect_line(line, 1, "", NULL);
	}
	assert_int_equal(number, -3);
	assert_int_equal(wide, 5);
	assert_int_equal(changes, 0);
	expect_line("sysctl test.ttl=256", 1, "",
	    "sysctl: test.ttl=256: Invalid argument: must be a number of 1 to 255\n");
	expect_line("sysctl test.number=-10 test.wide=18446744073709551615 test.text=1234567", 0,
	    "test.number: -3 -> -10\ntest.wide: 5 -> 18446744073709551615\ntest.text: abc -> 1234567\n",
	    "");
	expect_line("sysctl -n test.flag=0", 0, "1 -> 0\n", "");
	expect_line("sysctl test.wide=0xff", 0, "test.wide: 18446744073709551615 -> 255\n", "");
}

static void
test_stacks_have_their_own_values(void **state)
{
	(void)state;
	expect_line("jail -c name=a vnet persist", 0, "", "");
	expect_line("jexec a sysctl test.ttl=9", 0, "test.ttl: 64 -> 9\n", "");
	assert_int_equal(changes, 1);
	expect_line("sysctl -n test.ttl", 0, "64\n", "");
	expect_line("sysctl -j a -n test.ttl", 0, "9\n", "");
	/* What is not a stack's own is the host's alone. */
	expect_line("jexec a sysctl test.number=1", 1, "",
	    "sysctl: test.number: Operation not permitted\n");
}

static void
test_b46_classic_jail_reads_but_does_not_write_its_stack(void **state)
{
	(void)state;
	expect_line("jail -c name=a persist", 0, "", "");
	expect_line("jexec a sysctl test.ttl", 0, "test.ttl: 64\n", "");
	expect_line(
	    "jexec a sysctl test.ttl=9", 1, "", "sysctl: test.ttl: Operation not permitted\n");
}

static void
test_b08_reply_to_a_too_small_buffer_is_success_and_the_size(void **state)
{
	const struct sysctl_oid *oid = sysctl_find("test.blob");
	char room[201] = "";
	size_t len = 64;

	(void)state;
	assert_int_equal(sysctl_read_opaque(oid, room, &len), 0);
	assert_int_equal(len, 201);
	assert_int_equal(room[0], '\0');
	assert_int_equal(sysctl_read_opaque(oid, room, &len), 0);
	assert_int_equal(room[200], 'x');
	len = 0;
	assert_int_equal(sysctl_read_opaque(oid, NULL, &len), 0);
	assert_int_equal(len, 201);
	assert_int_equal(sysctl_read_opaque(sysctl_find("test.ttl"), room, &len), -EINVAL);
	expect_line("sysctl test.blob", 0, "", "");
	expect_line("sysctl -o test.blob", 0,
	    "test.blob: Format:S,test.blob Length:201 Dump:0x78787878787878787878787878787878...\n",
	    "");
}

static void
test_tunables_are_set_before_start_and_hold_for_every_stack(void **state)
{
	char why[80];

	(void)state;
	assert_int_equal(sysctl_tune("test.tunable", "7", why, sizeof(why)), -EPERM);
	kern_fini();
	assert_int_equal(sysctl_tune("test.tunable", "7", why, sizeof(why)), 0);
	assert_int_equal(sysctl_tune("test.tunable", "8", why, sizeof(why)), 0);
	assert_int_equal(sysctl_tune("test.depth", "9", why, sizeof(why)), 0);
	assert_int_equal(sysctl_tune("test.depth", "101", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "must be a number of 1 to 100");
	assert_int_equal(sysctl_tune("test.nope", "7", why, sizeof(why)), -ENOENT);
	assert_int_equal(sysctl_tune("test.ttl", "7", why, sizeof(why)), -EPERM);
	kern_init();
	expect_line("jail -c name=a vnet persist", 0, "", "");
	expect_line("sysctl test.tunable", 0, "test.tunable: 8\n", "");
	expect_line("sysctl -j a test.depth", 0, "test.depth: 9\n", "");
	expect_line("jail -r a", 0, "", "");
	/* The next start begins with what was compiled in. */
	kern_fini();
	assert_int_equal(tunable, 50);
	kern_init();
	expect_line("sysctl test.depth", 0, "test.depth: 4\n", "");
	audit_take(&fixture_before);
}

static void
test_vimage_is_there_and_jails_know_that_they_are(void **state)
{
	(void)state;
	expect_line("sysctl kern.features.vimage", 0, "kern.features.vimage: 1\n", "");
	expect_line("sysctl -n security.jail.jailed security.jail.vnet", 0, "0\n0\n", "");
	expect_line("jail -c name=c persist", 0, "", "");
	expect_line("jexec c sysctl -n security.jail.jailed security.jail.vnet", 0, "1\n0\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SYSCTL_TEST(test_reading_a_node_or_all_below_one),
		SYSCTL_TEST(test_unknown_and_read_only_names_are_said_so),
		SYSCTL_TEST(test_values_out_of_bounds_are_refused_not_clamped),
		SYSCTL_TEST(test_stacks_have_their_own_values),
		SYSCTL_TEST(test_b46_classic_jail_reads_but_does_not_write_its_stack),
		SYSCTL_TEST(test_b08_reply_to_a_too_small_buffer_is_success_and_the_size),
		SYSCTL_TEST(test_tunables_are_set_before_start_and_hold_for_every_stack),
		SYSCTL_TEST(test_vimage_is_there_and_jails_know_that_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
