/*
 * Unit tests of the tool `arp` (inet/arp_cmd.c): forms, exact lines, exit statuses.
 *
 *	mem0 10.0.0.1/24 (02:00:00:00:01:01), mem1 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "base/sched.h"
#include "inet/arp_internal.h"
#include "memif.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static struct memif lan, wan;

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, "", "");
	return 0;
}

static int
teardown(void **state)
{
	in_hosts_clear();
	memif_close(&lan);
	memif_close(&wan);
	rcu_synchronize();
	return kern_teardown(state);
}

static uint16_t
flags_of(const struct memif *mi, const char *text)
{
	struct llentry *lle;
	uint32_t addr;

	assert_true(in_aton(text, &addr));
	lle = lla_find(in_lltable(mi->ifp), &addr);
	return lle == NULL ? 0 : lle->flags;
}

static void
test_lines_are_those_that_scripts_know(void **state)
{
	struct mbuf *m = m_get(8);

	(void)state;
	expect_line("arp -s 10.0.0.2 02:00:00:00:00:22", 0, "", "");
	expect_line("arp -s 10.0.0.3 02:00:00:00:00:33 temp", 0, "", "");
	assert_int_equal(ip_output(m, 0, 0x0401000a /* 10.0.1.4 */, 200, NULL), -EHOSTUNREACH);
	assert_int_equal(ip_output(m_get(8), 0, 0x0400000a, 200, NULL), 0);
	sched_run(clock_now() + 2 * NS_PER_SEC);
	expect_line("arp -an", 0,
	    "? (10.0.0.1) at 02:00:00:00:01:01 on mem0 permanent [ethernet]\n"
	    "? (10.0.0.2) at 02:00:00:00:00:22 on mem0 permanent [ethernet]\n"
	    "? (10.0.0.3) at 02:00:00:00:00:33 on mem0 expires in 1198 seconds [ethernet]\n"
	    "? (10.0.0.4) at (incomplete) on mem0 expires in 3 seconds [ethernet]\n"
	    "? (10.1.0.1) at 02:00:00:00:01:02 on mem1 permanent [ethernet]\n",
	    "");
	expect_line("arp -a -i mem1", 0,
	    "? (10.1.0.1) at 02:00:00:00:01:02 on mem1 permanent [ethernet]\n", "");
	expect_line("arp 10.0.0.2", 0,
	    "? (10.0.0.2) at 02:00:00:00:00:22 on mem0 permanent [ethernet]\n", "");
	expect_line("arp -n 10.0.0.1", 0,
	    "? (10.0.0.1) at 02:00:00:00:01:01 on mem0 permanent [ethernet]\n", "");
	assert_int_equal(in_hosts_add("printer", 0x0200000a), 0);
	expect_line("arp printer", 0,
	    "printer (10.0.0.2) at 02:00:00:00:00:22 on mem0 permanent [ethernet]\n", "");
	expect_line("arp -n printer", 0,
	    "? (10.0.0.2) at 02:00:00:00:00:22 on mem0 permanent [ethernet]\n", "");
}

static void
test_missing_and_deleted_are_said(void **state)
{
	(void)state;
	expect_line("arp -s 10.0.0.2 02:00:00:00:00:22", 0, "", "");
	expect_line("arp 10.0.0.9", 1, "10.0.0.9 (10.0.0.9) -- no entry\n", "");
	expect_line("arp -i mem1 10.0.0.2", 1, "10.0.0.2 (10.0.0.2) -- no entry on mem1\n", "");
	expect_line("arp -d 10.0.0.9", 1, "10.0.0.9 (10.0.0.9) -- no entry\n", "");
	expect_line("arp -d -i mem1 10.0.0.2", 1, "10.0.0.2 (10.0.0.2) -- no entry on mem1\n", "");
	expect_line("arp -d 10.0.0.2", 0, "10.0.0.2 (10.0.0.2) deleted\n", "");
	expect_line("arp -d 10.0.0.2", 1, "10.0.0.2 (10.0.0.2) -- no entry\n", "");
	/* only what answers for others */
	expect_line("arp -s 10.0.0.3 02:00:00:00:00:33", 0, "", "");
	expect_line("arp -d 10.0.0.3 pub", 1, "10.0.0.3 (10.0.0.3) -- no entry\n", "");
	expect_line("arp -S 10.0.0.3 02:00:00:00:00:33 pub", 0, "", "");
	expect_line("arp -d 10.0.0.3 pub", 0, "10.0.0.3 (10.0.0.3) deleted\n", "");
	/* our own address is no entry */
	expect_line("arp -d 10.0.0.1", 1, "10.0.0.1 (10.0.0.1) -- no entry\n", "");
}

static void
test_set_takes_all_its_words(void **state)
{
	(void)state;
	expect_line("arp -s 10.0.0.5 02:00:00:00:00:55 pub", 0, "", "");
	assert_true(says("arp 10.0.0.5", false,
	    "at 02:00:00:00:00:55 on mem0 permanent published [ethernet]\n"));
	expect_line("arp -s 10.0.0.6 auto pub only", 0, "", "");
	assert_true(says("arp 10.0.0.6", false,
	    "at 02:00:00:00:01:01 on mem0 permanent published (proxy only) [ethernet]\n"));
	expect_line("arp -s 10.0.0.7 02:00:00:00:00:77 reject", 0, "", "");
	assert_true(flags_of(&lan, "10.0.0.7") & LLE_REJECT);
	expect_line("arp -s 10.0.0.8 02:00:00:00:00:88 temp blackhole", 0, "", "");
	assert_true(flags_of(&lan, "10.0.0.8") & LLE_BLACKHOLE);
	assert_false(flags_of(&lan, "10.0.0.8") & LLE_STATIC);
	assert_int_equal(ip_output(m_get(8), 0, 0x0700000a, 200, NULL), 0);
	assert_int_equal(ip_output(m_get(8), 0, 0x0800000a, 200, NULL), 0);
	assert_int_equal(drop_get(vnet0, drop_find("arp.reject")), 2);
	/* again: changed; -S: made anew */
	expect_line("arp -s 10.0.0.5 02:00:00:00:00:56", 0, "", "");
	assert_true(
	    says("arp 10.0.0.5", false, "at 02:00:00:00:00:56 on mem0 permanent [ethernet]\n"));
	expect_line("arp -S 10.0.0.5 02:00:00:00:00:57 temp", 0, "", "");
	assert_true(
	    says("arp 10.0.0.5", false, "at 02:00:00:00:00:57 on mem0 expires in 1200 seconds"));
}

static void
test_errors_change_nothing(void **state)
{
	static const struct {
		const char *line, *err;
	} bad[] = {
		{ "arp -s 192.0.2.1 02:00:00:00:00:22",
		    "arp: cannot intuit interface index and type for 192.0.2.1\n" },
		{ "arp -s 10.0.0.2 02:00:00:00:00",
		    "arp: invalid link-level address '02:00:00:00:00'\n" },
		{ "arp -s 10.0.0.2 01:00:00:00:00:22",
		    "arp: invalid link-level address '01:00:00:00:00:22'\n" },
		{ "arp -s 10.0.0.2 auto", "arp: 'auto' needs 'pub'\n" },
		{ "arp -s 10.0.0.2 02:00:00:00:00:22 only", "arp: invalid parameter 'only'\n" },
		{ "arp -s 10.0.0.1 02:00:00:00:00:22",
		    "arp: 10.0.0.1: File exists: it is an address of mem0\n" },
		{ "arp nobody", "arp: nobody: Unknown host\n" },
		{ "arp -i lo0 -a", "arp: interface lo0 does not exist or does no ARP\n" },
		{ "arp -f /nonexistent/file",
		    "arp: cannot open /nonexistent/file: No such file or directory\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_line(bad[i].line, 1, "", bad[i].err);
	expect_line("arp", 64, "", NULL);
	expect_line("arp -s 10.0.0.2", 64, "", NULL);
	expect_line("arp -d -s 10.0.0.2 02:00:00:00:00:22", 64, "", NULL);
	assert_int_equal(in_lltable(lan.ifp)->count, 0);
}

static void
test_a_file_is_read_line_by_line(void **state)
{
	char path[] = "/tmp/test_arp_cmd.XXXXXX", line[96], want[160];
	int fd = mkstemp(path);
	static const char text[] = "# neighbours\n"
				   "\n"
				   "10.0.0.2 02:00:00:00:00:22\n"
				   "10.0.0.3 02:00:00:00:00:33 temp  # soon gone\n"
				   "10.0.0.4\n"
				   "10.1.0.5 02:00:00:00:00:55 pub\n";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	snprintf(line, sizeof(line), "arp -f %s", path);
	snprintf(want, sizeof(want), "arp: %s:5: bad line: 10.0.0.4\n", path);
	expect_line(line, 1, "", want);
	unlink(path);
	assert_true(flags_of(&lan, "10.0.0.2") & LLE_STATIC);
	assert_true(flags_of(&lan, "10.0.0.3") & LLE_VALID);
	assert_true(flags_of(&wan, "10.1.0.5") & LLE_PUB);
}

static void
test_json_has_the_same_facts(void **state)
{
	char *out;
	json_t *root, *list, *one;

	(void)state;
	expect_line("arp -s 10.0.0.2 02:00:00:00:00:22 pub", 0, "", "");
	assert_int_equal(verb_line(NULL, "arp -an", true, &out, NULL), 0);
	root = json_loads(out, 0, NULL);
	if (root == NULL)
		fail_msg("no JSON: %s", out);
	free(out);
	list = json_object_get(root, "arp-cache");
	assert_int_equal(json_array_size(list), 3);
	one = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(one, "ip-address")), "10.0.0.2");
	assert_string_equal(
	    json_string_value(json_object_get(one, "mac-address")), "02:00:00:00:00:22");
	assert_true(json_is_true(json_object_get(one, "published")));
	json_decref(root);
}

/* Behaviours 46: operation x {host, classic jail, vnet jail}. */
static void
test_classic_jail_sees_itself_and_changes_nothing(void **state)
{
	(void)state;
	expect_line("arp -s 10.0.0.2 02:00:00:00:00:22", 0, "", "");
	expect_line("jail -c name=classic ip4.addr=10.0.0.1 persist", 0, NULL, "");
	expect_line("jail -c name=own vnet persist", 0, NULL, "");
	expect_line("jexec classic arp -an", 0,
	    "? (10.0.0.1) at 02:00:00:00:01:01 on mem0 permanent [ethernet]\n", "");
	expect_line("jexec classic arp -d 10.0.0.2", 77, "", "arp: Operation not permitted\n");
	expect_line("jexec classic arp -s 10.0.0.3 02:00:00:00:00:33", 77, "",
	    "arp: Operation not permitted\n");
	expect_line("jexec own arp -an", 0, "", "");
	expect_line("jexec own arp -d -a", 0, "", "");
	assert_true(flags_of(&lan, "10.0.0.2") & LLE_STATIC);
	expect_line("jail -r classic", 0, NULL, "");
	expect_line("jail -r own", 0, NULL, "");
}

#define ARP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ARP_TEST(test_lines_are_those_that_scripts_know),
		ARP_TEST(test_missing_and_deleted_are_said),
		ARP_TEST(test_set_takes_all_its_words),
		ARP_TEST(test_errors_change_nothing),
		ARP_TEST(test_a_file_is_read_line_by_line),
		ARP_TEST(test_json_has_the_same_facts),
		ARP_TEST(test_classic_jail_sees_itself_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
