/* Jails: their names, their stacks, their rights, and the tools that make and list them. */
#include "kern_fixture.h"

#include "base/callout.h"
#include "base/sched.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static void
test_names_are_unique_and_unknown_ones_are_refused(void **state)
{
	(void)state;
	expect_line("jail -c name=x vnet persist", 0, "", "");
	expect_line("jail -c name=x vnet persist", 1, "", "jail: jail \"x\" already exists\n");
	expect_line("jail -m name=y persist", 1, "", "jail: jail \"y\" not found\n");
	expect_line("jail -r y", 1, "", "jail: jail \"y\" not found\n");
	expect_line("jexec y jls", 1, "", "jexec: jail \"y\" not found\n");
	expect_line("jls -j y", 1, NULL, "jls: jail \"y\" not found\n");
	expect_line("jail -c name=a/b persist", 1, "", NULL);
	expect_line("jail -c name=12 persist", 1, "", NULL);
	expect_line(
	    "jail -c name=x2 colour=red persist", 1, "", "jail: unknown parameter: colour\n");
	expect_line("jail -c name=x2 children.cur=1 persist", 1, "",
	    "jail: children.cur: read-only parameter\n");
}

static void
test_jail_needs_persist_or_a_command(void **state)
{
	(void)state;
	expect_line("jail -c name=x vnet", 1, "", "jail: a new jail needs persist or a command\n");
	expect_line("jls -n name", 0, "", "");
}

static void
test_jids_ascend_and_are_not_reused(void **state)
{
	(void)state;
	expect_line("jail -i -c name=a persist", 0, "1\n", "");
	expect_line("jail -i -c persist", 0, "2\n", "");
	expect_line("jail -r 2", 0, "", "");
	expect_line("jail -i -c name=b persist", 0, "3\n", "");
	expect_line("jail -i -c jid=10 persist", 0, "10\n", "");
	expect_line("jail -i -c jid=5 persist", 1, "", NULL);
	expect_line("jail -i -c jid=10 persist", 1, "", "jail: jail \"10\" already exists\n");
	expect_line("jls jid name", 0, "1 a\n3 b\n10 10\n", "");
}

static void
test_command_runs_in_the_new_jail_which_ends_with_it(void **state)
{
	(void)state;
	expect_line("jail -c name=x vnet command=sysctl -n security.jail.vnet", 0, "1\n", "");
	assert_null(prison_find(NULL, "x"));
	expect_line("jail -c name=x command=sysctl -n security.jail.vnet", 0, "0\n", "");
	expect_line(
	    "jail -c name=x persist command=sysctl nope", 1, "", "sysctl: unknown oid 'nope'\n");
	assert_non_null(prison_find(NULL, "x"));
}

static void
test_failed_start_command_takes_the_jail_with_it(void **state)
{
	(void)state;
	expect_line("jail -c name=x persist exec.start='sysctl nope'", 1, "",
	    "sysctl: unknown oid 'nope'\n");
	assert_null(prison_find(NULL, "x"));
	expect_line("jail -c name=x persist exec.start='sysctl -n security.jail.jailed' "
		    "command=sysctl -n security.jail.vnet",
	    0, "1\n0\n", "");
	assert_non_null(prison_find(NULL, "x"));
}

/* A command that stays until its timer fires, in its own stack. */
static struct callout sleeper_timer;
static struct verb_run *sleeper;

static void
sleeper_wakes(void *arg)
{
	struct verb_run *v = sleeper;

	(void)arg;
	sleeper = NULL;
	verb_finish(v, 3);
}

static void
sleeper_cancel(struct verb_run *v)
{
	callout_stop(&sleeper_timer);
	sleeper = NULL;
	verb_finish(v, 4);
}

static int
sleep_run(struct verb_run *v)
{
	sleeper = v;
	v->cancel = sleeper_cancel;
	callout_init(&sleeper_timer, curvnet, sleeper_wakes, NULL);
	callout_reset(&sleeper_timer, NS_PER_SEC);
	return VERB_PENDING;
}
VERB_DEFINE(sleep_, .name = "sleep", .usage = "sleep", .run = sleep_run);

static int status_seen;

static void
take_status(void *ctx, int status)
{
	(void)ctx;
	status_seen = status;
}

static void
no_bytes(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
}

static struct verb_run *
start(const char *line)
{
	const struct verb_io io = { no_bytes, no_bytes, take_status, NULL, false, false };
	struct verb_run *run;
	char **argv;
	int argc;

	status_seen = -2;
	assert_int_equal(verb_split(line, &argc, &argv, NULL), 0);
	run = verb_exec(argc, argv, NULL, 0, &io);
	verb_split_free(argc, argv);
	return run;
}

static void
test_jail_lives_as_long_as_its_waiting_command(void **state)
{
	(void)state;
	assert_non_null(start("jail -c name=x vnet command=sleep"));
	assert_non_null(prison_find(NULL, "x"));
	sched_run(clock_now() + 2 * NS_PER_SEC);
	assert_int_equal(status_seen, 3);
	assert_null(prison_find(NULL, "x"));
}

static void
test_removed_jail_cancels_what_runs_in_it(void **state)
{
	(void)state;
	assert_non_null(start("jail -c name=x vnet command=sleep"));
	expect_line("jail -r x", 0, "", "");
	assert_int_equal(status_seen, 4);
	assert_null(sleeper);
	expect_line("jail -c name=y persist", 0, "", "");
	assert_non_null(start("jexec y sleep"));
	expect_line("jail -r y", 0, "", "");
	assert_int_equal(status_seen, 4);
}

static void
test_jail_tool_that_is_cancelled_ends_command_and_jail(void **state)
{
	struct verb_run *run = start("jail -c name=x command=sleep");

	(void)state;
	assert_non_null(run);
	verb_cancel(run);
	assert_int_equal(status_seen, 4);
	sched_run(clock_now() + NS_PER_SEC);
	assert_null(prison_find(NULL, "x"));
}

static void
test_bad_values_make_no_jail(void **state)
{
	static const char *const bad[] = {
		"children.max=-1",
		"children.max=10x",
		"securelevel=4",
		"securelevel=-2",
		"enforce_statfs=3",
		"ip4.addr=10.0.0.256",
		"ip4.addr=10.0.0.1,",
		"ip6.addr=10.0.0.1",
		"ip4=old",
		"vnet=maybe",
		"persist=2",
		"nopersist=1",
		"host.hostid=4294967296",
		"path",
		"host=inherit",
		"jid=0",
		"vnet.interface=em0",
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "jail -c name=x persist %s", bad[i]);
		expect_line(line, 1, "", NULL);
		assert_null(prison_find(NULL, "x"));
	}
	expect_line("jail -c name=x persist vnet ip4.addr=10.0.0.1", 1, "",
	    "jail: vnet jails cannot have IP address restrictions\n");
}

static struct vnet *moved_to;

static int
move_interface(const char *ifname, struct vnet *to)
{
	if (strcmp(ifname, "em0") != 0)
		return -ENXIO;
	if (to != NULL)
		moved_to = to;
	return 0;
}

static void
test_interfaces_are_moved_into_the_new_stack_or_nothing_is_made(void **state)
{
	(void)state;
	jail_move_interface = move_interface;
	expect_line("jail -c name=x vnet persist vnet.interface=em0,em1", 1, "",
	    "jail: vnet.interface: em1: Device not configured\n");
	assert_null(prison_find(NULL, "x"));
	/* None sets out when one can't go. */
	assert_null(moved_to);
	expect_line("jail -c name=x vnet persist vnet.interface=em0", 0, "", "");
	assert_ptr_equal(moved_to, prison_find(NULL, "x")->vnet);
	jail_move_interface = NULL;
}

static void
test_modify_changes_only_what_is_named(void **state)
{
	struct prison *pr;

	(void)state;
	expect_line(
	    "jail -c name=x persist path=/p host.hostname=h children.max=2 allow.mount", 0, "", "");
	expect_line(
	    "jail -m name=x host.hostname=other allow.nomount allow.raw_sockets", 0, "", "");
	pr = prison_find(NULL, "x");
	assert_string_equal(pr->hostname, "other");
	assert_string_equal(pr->path, "/p");
	assert_int_equal(pr->children_max, 2);
	assert_true(pr->raw_sockets);
	assert_true(says("jls -j x -n allow.mount", false, "allow.nomount"));
	expect_line("jail -cm name=x path=/q", 0, "", "");
	assert_string_equal(pr->path, "/q");
	expect_line("jail -m name=x vnet", 1, "", "jail: vnet: can't be changed\n");
	expect_line("jail -m name=x path=/r children.max=x", 1, "", NULL);
	assert_string_equal(pr->path, "/q");
	/* Nothing keeps it then. */
	expect_line("jail -m name=x nopersist", 0, "", "");
	assert_null(prison_find(NULL, "x"));
}

static void
test_renaming_takes_the_jails_inside_along(void **state)
{
	(void)state;
	expect_line("jail -c name=a vnet persist children.max=5", 0, "", "");
	expect_line("jail -c name=a.b persist children.max=1", 0, "", "");
	expect_line("jail -c name=a.b.c persist", 0, "", "");
	expect_line("jail -m jid=1 name=z", 0, "", "");
	expect_line("jls name", 0, "z\nz.b\nz.b.c\n", "");
	assert_non_null(prison_find(NULL, "z.b.c"));
	assert_null(prison_find(NULL, "a"));
}

static void
test_jails_nest_within_their_limit(void **state)
{
	struct prison *a;

	(void)state;
	expect_line("jail -c name=a vnet persist children.max=2", 0, "", "");
	expect_line("jexec a jail -c name=b persist children.max=9", 0, "", "");
	expect_line("jexec a jexec b jail -c name=c persist", 0, "", "");
	expect_line("jexec a jail -c name=d persist", 1, "", NULL);
	a = prison_find(NULL, "a");
	assert_int_equal(a->children, 2);
	assert_ptr_equal(prison_find(a, "b"), prison_find(NULL, "a.b"));
	assert_ptr_equal(prison_find(NULL, "c"), prison_find(NULL, "a.b.c"));
	assert_null(prison_find(prison_find(NULL, "a.b"), "a"));
	expect_line("jexec a jls name", 0, "a.b\na.b.c\n", "");
	expect_line("jexec a jail -r a", 1, "", "jail: jail \"a\" not found\n");
	expect_line("jexec a.b jail -c name=v vnet persist", 1, "", NULL);
	expect_line("jail -r a", 0, "", "");
	expect_line("jls name", 0, "", "");
}

static void
test_b46_rights_of_host_classic_jail_and_jail_with_a_stack(void **state)
{
	static const enum priv privs[] = { PRIV_NET_CONFIG, PRIV_NET_ROUTE, PRIV_NET_RAW,
		PRIV_FIREWALL, PRIV_SYSCTL_WRITE, PRIV_VNET };
	struct prison *classic = prison_create(NULL, "classic", false);
	struct prison *vnet = prison_create(NULL, "vnet", true);
	struct prison *nested;

	(void)state;
	vnet->children_max = 1;
	nested = prison_create(vnet, "nested", false);
	assert_non_null(nested);
	assert_false(jailed(&prison0));
	assert_true(jailed(classic) && jailed(vnet) && jailed(nested));
	assert_true(jailed_without_vnet(classic) && jailed_without_vnet(nested));
	assert_false(jailed_without_vnet(vnet) || jailed_without_vnet(&prison0));
	assert_ptr_equal(nested->vnet, vnet->vnet);
	for (size_t i = 0; i < sizeof(privs) / sizeof(privs[0]); i++) {
		curprison = &prison0;
		assert_int_equal(priv_check(privs[i]), 0);
		curprison = vnet;
		assert_int_equal(priv_check(privs[i]), 0);
		curprison = classic;
		assert_int_equal(priv_check(privs[i]), -EPERM);
		curprison = nested;
		assert_int_equal(priv_check(privs[i]), -EPERM);
	}
	classic->raw_sockets = true;
	curprison = classic;
	assert_int_equal(priv_check(PRIV_NET_RAW), 0);
	curprison = &prison0;
}

static void
test_b46_classic_jail_sees_its_own_addresses_only(void **state)
{
	struct prison *pr;

	(void)state;
	expect_line("jail -c name=x persist ip4.addr=10.0.0.1,10.0.0.2 children.max=1", 0, "", "");
	expect_line("jail -c name=y persist", 0, "", "");
	expect_line("jail -c name=z persist ip4=disable", 0, "", "");
	expect_line("jail -c name=v persist vnet", 0, "", "");
	expect_line("jail -c name=x.s persist ip4.addr=10.0.0.3", 1, "", NULL);
	expect_line("jail -c name=x.s persist ip4.addr=10.0.0.2", 0, "", "");
	pr = prison_find(NULL, "x");
	assert_true(prison_ip4_ok(pr, inet_addr("10.0.0.2")));
	assert_false(prison_ip4_ok(pr, inet_addr("10.0.0.3")));
	assert_false(prison_ip4_ok(prison_find(NULL, "x.s"), inet_addr("10.0.0.1")));
	assert_true(prison_ip4_ok(prison_find(NULL, "y"), inet_addr("10.0.0.3")));
	assert_false(prison_ip4_ok(prison_find(NULL, "z"), inet_addr("10.0.0.1")));
	assert_true(prison_ip4_ok(prison_find(NULL, "v"), inet_addr("10.0.0.1")));
	assert_true(prison_ip4_ok(&prison0, inet_addr("10.0.0.1")));
}

static void
test_jls_prints_the_columns_of_the_field(void **state)
{
	(void)state;
	expect_line("jail -c name=x persist path=/j ip4.addr=10.0.0.1,10.0.0.2 host.hostname=hx", 0,
	    "", "");
	expect_line("jail -c name=v persist vnet host.hostname=hv", 0, "", "");
	expect_line("jls", 0,
	    "   JID  IP Address      Hostname                      Path\n"
	    "     1  10.0.0.1        hx                            /j\n"
	    "        10.0.0.2       \n"
	    "     2  -               hv                            /\n",
	    "");
	expect_line("jls -h jid ip4.addr path", 0,
	    "jid ip4.addr path\n1 10.0.0.1,10.0.0.2 /j\n2 - /\n", "");
	expect_line("jls -n jid persist vnet", 0,
	    "jid=1 persist vnet=inherit\njid=2 persist vnet=new\n", "");
	expect_line("jls -j v -nq host.domainname name", 0, "host.domainname='' name=v\n", "");
	expect_line("jls nope", 1, "", "jls: unknown parameter: nope\n");
	assert_true(says("jls jid name", true,
	    "{\"jail\":[{\"jid\":1,\"name\":\"x\"},{\"jid\":2,\"name\":\"v\"}]}"));
	assert_true(says("jls -v", false, "        x                             ACTIVE\n"));
}

static void
test_what_jls_says_for_the_shell_makes_the_same_jail_again(void **state)
{
	char *words, line[1200], *again;

	(void)state;
	expect_line("jail -c name=x persist path='/a b' host.hostname=\"it's\" ip4.addr=10.0.0.1 "
		    "children.max=3 securelevel=2 allow.mount",
	    0, "", "");
	assert_int_equal(verb_line(NULL, "jls -s -j x", false, &words, NULL), 0);
	words[strcspn(words, "\n")] = '\0';
	expect_line("jail -r x", 0, "", "");
	snprintf(line, sizeof(line), "jail -c %s", words);
	expect_line(line, 0, "", "");
	assert_int_equal(verb_line(NULL, "jls -s -j x", false, &again, NULL), 0);
	again[strcspn(again, "\n")] = '\0';
	assert_string_equal(again, words);
	free(words);
	free(again);
}

static void
test_old_form_of_jail_still_works(void **state)
{
	(void)state;
	expect_line("jail /path host 10.1.2.3 jls -n name", 0, "", "");
	expect_line("jail /path host 10.1.2.3 sysctl -n security.jail.jailed", 0, "1\n", "");
	expect_line("jail /path host", 64, "", NULL);
}

static void
test_tools_take_j_for_the_jail(void **state)
{
	(void)state;
	expect_line("jail -c name=x vnet persist", 0, "", "");
	expect_line("sysctl -j x -n security.jail.vnet", 0, "1\n", "");
	expect_line("sysctl -jx -n security.jail.vnet", 0, "1\n", "");
	expect_line("sysctl -j y -n security.jail.vnet", 1, "", "sysctl: jail \"y\" not found\n");
	expect_line("sysctl -j", 64, "", NULL);
	expect_line("jexec -l x sysctl -n security.jail.vnet", 0, "1\n", "");
	expect_line("jexec x", 64, "", "usage: jexec [-l] jail command ...\n");
}

static void
test_show_prison_takes_the_handles_that_it_prints(void **state)
{
	char line[64];

	(void)state;
	expect_line("jail -c name=x vnet persist", 0, "", "");
	snprintf(line, sizeof(line), "show prison %p", (void *)prison_find(NULL, "x"));
	assert_true(says(line, false, " name            = x\n"));
	snprintf(line, sizeof(line), "show vnet %p", (void *)prison_find(NULL, "x")->vnet);
	assert_true(says(line, false, " vnet_name      = x\n"));
	expect_line("show prison 0x1", 1, "", "show: prison 0x1: no such handle\n");
	assert_true(says("show all vnets", false, " vnet_ifcnt     = 0\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KERN_TEST(test_names_are_unique_and_unknown_ones_are_refused),
		KERN_TEST(test_jail_needs_persist_or_a_command),
		KERN_TEST(test_jids_ascend_and_are_not_reused),
		KERN_TEST(test_command_runs_in_the_new_jail_which_ends_with_it),
		KERN_TEST(test_failed_start_command_takes_the_jail_with_it),
		KERN_TEST(test_jail_lives_as_long_as_its_waiting_command),
		KERN_TEST(test_removed_jail_cancels_what_runs_in_it),
		KERN_TEST(test_jail_tool_that_is_cancelled_ends_command_and_jail),
		KERN_TEST(test_bad_values_make_no_jail),
		KERN_TEST(test_interfaces_are_moved_into_the_new_stack_or_nothing_is_made),
		KERN_TEST(test_modify_changes_only_what_is_named),
		KERN_TEST(test_renaming_takes_the_jails_inside_along),
		KERN_TEST(test_jails_nest_within_their_limit),
		KERN_TEST(test_b46_rights_of_host_classic_jail_and_jail_with_a_stack),
		KERN_TEST(test_b46_classic_jail_sees_its_own_addresses_only),
		KERN_TEST(test_jls_prints_the_columns_of_the_field),
		KERN_TEST(test_what_jls_says_for_the_shell_makes_the_same_jail_again),
		KERN_TEST(test_old_form_of_jail_still_works),
		KERN_TEST(test_tools_take_j_for_the_jail),
		KERN_TEST(test_show_prison_takes_the_handles_that_it_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
