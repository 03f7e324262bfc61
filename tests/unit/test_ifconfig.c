/* The tool ifconfig: its lines, its words, its refusals. */
#include "net_fixture.h"

#include "net/bpf.h"

static void
test_a_pair_prints_as_the_field_knows_it(void **state)
{
	(void)state;
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	expect_line("ifconfig epair0a up", 0, "", "");
	expect_line("ifconfig epair0b up", 0, "", "");
	expect_line("ifconfig epair0a", 0,
	    "epair0a: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500\n"
	    "\toptions=80008<VLAN_MTU,LINKSTATE>\n"
	    "\tether 02:00:00:00:02:0a\n"
	    "\tmedia: Ethernet 10Gbase-T (10Gbase-T <full-duplex>)\n"
	    "\tstatus: active\n"
	    "\tgroups: epair\n",
	    "");
	expect_line("ifconfig epair0b down", 0, "", "");
	assert_true(says("ifconfig epair0a", false, "status: no carrier"));
	assert_true(says("ifconfig epair0b", false, "flags=8802<BROADCAST,SIMPLEX,MULTICAST>"));
	expect_line("ifconfig lo0", 0,
	    "lo0: flags=8008<LOOPBACK,MULTICAST> metric 0 mtu 16384\n\toptions=3<RXCSUM,TXCSUM>\n\tgroups: lo\n",
	    "");
	expect_line("ifconfig lo0 up", 0, "", "");
	assert_true(says("ifconfig lo0", false,
	    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu 16384\n"));
	expect_line("ifconfig lo0 down", 0, "", "");
	expect_line("ifconfig epair0b destroy", 0, "", "");
	expect_line("ifconfig epair0a", 1, "", "ifconfig: interface epair0a does not exist\n");
}

static void
test_lists_of_names_cloners_and_groups(void **state)
{
	(void)state;
	expect_line("ifconfig -l", 0, "lo0\n", "");
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	expect_line("ifconfig epair0b up group office", 0, "", "");
	expect_line("ifconfig -l", 0, "lo0 epair0a epair0b\n", "");
	expect_line("ifconfig -l -u", 0, "epair0b\n", "");
	expect_line("ifconfig -ld", 0, "lo0 epair0a\n", "");
	expect_line("ifconfig -g office", 0, "epair0b\n", "");
	expect_line("ifconfig -g epair", 0, "epair0a\nepair0b\n", "");
	expect_line("ifconfig -g nobody", 1, "", "ifconfig: group nobody does not exist\n");
	expect_line("ifconfig -C", 0, "bridge epair lo\n", "");
	assert_true(says("ifconfig -a", false, "\tgroups: epair office\n"));
	assert_true(says("ifconfig -v epair0b", false, "\tgroups: all epair office\n"));
	assert_true(says("ifconfig", false, "lo0: "));
	expect_line("ifconfig epair0b -group office -group epair", 0, "", "");
	expect_line("ifconfig -g epair", 0, "epair0a\n", "");
	expect_line("ifconfig epair0b group epair", 0, "", "");
	expect_line("ifconfig -g epair", 0, "epair0a\nepair0b\n", "");
	expect_line("ifconfig epair0a destroy", 0, "", "");
}

static void
test_words_change_what_they_say(void **state)
{
	(void)state;
	expect_line(
	    "ifconfig epair create mtu 9000 metric 5 description 'to the east' link0 debug -arp "
	    "ether 2:0:0:0:0:99 name east",
	    0, "east\n", "");
	expect_line("ifconfig east", 0,
	    "east: flags=9886<BROADCAST,DEBUG,NOARP,SIMPLEX,LINK0,MULTICAST> metric 5 mtu 9000\n"
	    "\tdescription: to the east\n"
	    "\toptions=80008<VLAN_MTU,LINKSTATE>\n"
	    "\tether 02:00:00:00:00:99\n"
	    "\tmedia: Ethernet 10Gbase-T (10Gbase-T <full-duplex>)\n"
	    "\tstatus: no carrier\n"
	    "\tgroups: epair\n",
	    "");
	expect_line("ifconfig east -descr -link0 -debug arp promisc monitor staticarp", 0, "", "");
	assert_true(says("ifconfig east", false,
	    "<BROADCAST,PROMISC,SIMPLEX,MULTICAST,PPROMISC,MONITOR,STATICARP>"));
	assert_false(if_byname("east")->if_description != NULL);
	expect_line("ifconfig east promisc -promisc", 0, "", "");
	assert_int_equal(if_byname("east")->if_pcount, 0);
	expect_line("ifconfig east -vlanmtu", 0, "", "");
	assert_true(says("ifconfig east", false, "options=80000<LINKSTATE>"));
	assert_true(says("ifconfig -m east", false, "\tcapabilities=80008<VLAN_MTU,LINKSTATE>\n"));
	expect_line("ifconfig east name west", 0, "west\n", "");
	expect_line("ifconfig west ether", 0,
	    "west: flags=c8802<BROADCAST,SIMPLEX,MULTICAST,MONITOR,STATICARP> metric 5 mtu 9000\n"
	    "\toptions=80000<LINKSTATE>\n"
	    "\tether 02:00:00:00:00:99\n"
	    "\tmedia: Ethernet 10Gbase-T (10Gbase-T <full-duplex>)\n"
	    "\tstatus: no carrier\n"
	    "\tgroups: epair\n",
	    "");
	expect_line("ifconfig west destroy", 0, "", "");
}

static void
test_a_command_that_fails_says_why_and_changes_nothing(void **state)
{
	static const struct {
		const char *words, *error;
	} bad[] = {
		{ "up nonsense", "nonsense: bad value" },
		{ "mtu 1400 metric x", "x: bad value" },
		{ "mtu 1400 metric", "'metric' requires argument" },
		{ "metric 3 mtu 71", "ioctl (set mtu): Invalid argument" },
		{ "up name lo0", "ioctl (set name): File exists" },
		{ "up name ''", "ioctl (set name): Invalid argument" },
		{ "up ether 1:0:0:0:0:1", "ioctl (SIOCSIFLLADDR): Invalid argument" },
		{ "up ether 2:0:0:0:0", "2:0:0:0:0: malformed link-level address" },
		{ "up group office1", "setifgroup: group names may not end in a digit" },
		{ "up group epair", " SIOCAIFGROUP: File exists" },
		{ "up -group office", " SIOCDIFGROUP: No such file or directory" },
		{ "up vnet nowhere", "jail \"nowhere\" not found" },
		{ "up tso", "tso: Operation not supported" },
		{ "up fib 1", "ioctl (SIOCSIFFIB): Invalid argument" },
		{ "destroy up", "up: nothing can follow 'destroy'" },
	};
	char line[128], expect[128];
	struct ifnet *ifp;

	(void)state;
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	ifp = if_byname("epair0a");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "ifconfig epair0a %s", bad[i].words);
		snprintf(expect, sizeof(expect), "ifconfig: %s\n", bad[i].error);
		expect_line(line, 1, "", expect);
		assert_false(ifp->if_flags & IFF_UP_);
		assert_int_equal(ifp->if_mtu, 1500);
		assert_int_equal(ifp->if_metric, 0);
	}
	/* A create whose words fail leaves no interface. */
	expect_line(
	    "ifconfig epair create mtu 1400 nonsense", 1, "", "ifconfig: nonsense: bad value\n");
	expect_line(
	    "ifconfig epair create mtu 71", 1, "", "ifconfig: ioctl (set mtu): Invalid argument\n");
	expect_line("ifconfig -l", 0, "lo0 epair0a epair0b\n", "");
	expect_line("ifconfig epair0 create", 1, "", "ifconfig: SIOCIFCREATE2: File exists\n");
	expect_line("ifconfig lo0 create", 1, "", "ifconfig: SIOCIFCREATE2: File exists\n");
	expect_line("ifconfig lo0 vnet nowhere", 1, "", NULL);
	expect_line("ifconfig -x", 64, "", NULL);
	expect_line("ifconfig epair0a destroy", 0, "", "");
}

static void
test_interfaces_move_by_word_and_come_back(void **state)
{
	(void)state;
	expect_line("jail -c name=j vnet persist", 0, NULL, "");
	expect_line("ifconfig epair create vnet j", 0, "epair0a\n", "");
	expect_line("ifconfig epair0a", 1, "", "ifconfig: interface epair0a does not exist\n");
	expect_line("ifconfig -j j -l", 0, "lo0 epair0a\n", "");
	expect_line("jexec j ifconfig epair0a vnet j", 1, "", NULL);
	expect_line("jexec j ifconfig epair0a up", 0, "", "");
	expect_line("ifconfig epair0a -vnet nowhere", 1, "",
	    "ifconfig: interface epair0a does not exist\n");
	expect_line("ifconfig epair0a -vnet j", 0, "", "");
	expect_line("ifconfig -l", 0, "lo0 epair0a epair0b\n", "");
	expect_line("ifconfig epair0b vnet j", 0, "", "");
	expect_line("jail -r j", 0, "", "");
	expect_line("ifconfig -l", 0, "lo0 epair0a epair0b\n", "");
	expect_line("ifconfig lo0 vnet j", 1, "", "ifconfig: jail \"j\" not found\n");
	expect_line("ifconfig epair0a destroy", 0, "", "");
}

static void
test_json_has_the_same_facts(void **state)
{
	(void)state;
	expect_line("ifconfig epair create description east group office", 0, "epair0a\n", "");
	assert_true(says("ifconfig epair0a", true,
	    "{\"interface\":[{\"name\":\"epair0a\",\"flags\":34818,\"flag-names\":[\"BROADCAST\",\"SIMPLEX\","
	    "\"MULTICAST\"],\"metric\":0,\"mtu\":1500,\"description\":\"east\",\"options\":[\"VLAN_MTU\","
	    "\"LINKSTATE\"],\"ether\":\"02:00:00:00:02:0a\",\"address\":[],"));
	assert_true(says("ifconfig epair0a", true,
	    "\"status\":\"no carrier\",\"groups\":[\"epair\",\"office\"]}]}"));
	assert_true(says("ifconfig -l", true, "{\"names\":[\"lo0\",\"epair0a\",\"epair0b\"]}"));
	assert_true(says("ifconfig epair create", true, "{\"name\":\"epair1a\"}"));
	expect_line("ifconfig epair1a destroy", 0, "", "");
	expect_line("ifconfig epair0a destroy", 0, "", "");
}

static void
test_netstat_prints_the_fields_columns(void **state)
{
	struct ifnet *a;

	(void)state;
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	a = if_byname("epair0a");
	if_up(a);
	if_up(epair_peer(a));
	for (uint8_t i = 0; i < 3; i++)
		transmit(a, frame_to_peer(a, i));
	netisr_run();
	expect_line("netstat -i", 0,
	    "Name    Mtu Network       Address              Ipkts Ierrs Idrop    Opkts Oerrs  Coll\n"
	    "lo0*  16384 <Link#1>                               0     0     0        0     0     0\n"
	    "epair  1500 <Link#2>      02:00:00:00:02:0a        0     0     0        3     0     0\n"
	    "epair  1500 <Link#3>      02:00:00:00:03:0b        3     0     0        0     0     0\n",
	    "");
	expect_line("netstat -Wf link -I epair0a", 0,
	    "Name      Mtu Network       Address              Ipkts Ierrs Idrop    Opkts Oerrs  Coll\n"
	    "epair0a  1500 <Link#2>      02:00:00:00:02:0a        0     0     0        3     0     0\n",
	    "");
	expect_line("netstat -bdI epair0a", 0,
	    "Name    Mtu Network       Address              Ipkts Ierrs Idrop     Ibytes    Opkts Oerrs     Obytes  Coll  Drop\n"
	    "epair  1500 <Link#2>      02:00:00:00:02:0a        0     0     0          0        3     0        180     0     0\n",
	    "");
	expect_line("netstat -I none", 1, "", "netstat: none: no such interface\n");
	assert_true(says("netstat -i", true, "\"sent-packets\":3"));
	if_clone_destroy(a);
}

struct watch {
	char out[2048];
	size_t len;
	int status;
	bool ended;
};

static void
watch_out(void *ctx, const char *bytes, size_t len)
{
	struct watch *w = ctx;

	assert_true(w->len + len < sizeof(w->out));
	memcpy(w->out + w->len, bytes, len);
	w->len += len;
	w->out[w->len] = '\0';
}

static void
watch_done(void *ctx, int status)
{
	struct watch *w = ctx;

	w->status = status;
	w->ended = true;
}

static void
test_netstat_repeats_totals_every_so_many_seconds_of_the_stacks_time(void **state)
{
	char *words[] = { "netstat", "-w", "1", "-q", "2", "-I", "epair0a" };
	struct watch w = {};
	struct verb_io io = { .out = watch_out, .err = watch_out, .done = watch_done, .ctx = &w };
	struct ifnet *a;

	(void)state;
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	a = if_byname("epair0a");
	if_up(a);
	if_up(epair_peer(a));
	assert_non_null(verb_exec(7, words, NULL, 0, &io));
	transmit(a, frame_to_peer(a, 1));
	sched_run(clock_now() + NS_PER_SEC + 1);
	transmit(a, frame_to_peer(a, 1));
	transmit(a, frame_to_peer(a, 1));
	sched_run(clock_now() + NS_PER_SEC);
	assert_true(w.ended);
	assert_int_equal(w.status, 0);
	assert_string_equal(w.out,
	    "            input        epair0a           output\n"
	    "   packets  errs idrops      bytes    packets  errs      bytes colls\n"
	    "         0     0     0          0          1     0         60     0\n"
	    "         0     0     0          0          2     0        120     0\n");
	if_clone_destroy(a);
}

/* Each allocation of each command fails in turn: it says so or does without, and leaves nothing. */
static void
test_every_failing_allocation_leaves_the_stack_as_it_was(void **state)
{
	static const char *const lines[] = {
		"ifconfig epair create description east group office mtu 1400 up",
		"ifconfig lo create up",
		"jail -c name=fail vnet persist",
		"ifconfig epair create vnet home",
	};
	struct audit_counts before;
	char leaks[256], *out, *err;

	(void)state;
	expect_line("jail -c name=home vnet persist", 0, NULL, "");
	rcu_synchronize();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		bool reached = true;

		for (uint64_t n = 1; reached; n++) {
			struct ifnet *ifp;
			int status;

			audit_take(&before);
			vnet_malloc_fail_at(n);
			status = verb_line(NULL, lines[i], false, &out, &err);
			reached = !vnet_malloc_fail_pending();
			vnet_malloc_fail_at(0);
			assert_true(status == 0 || err[0] != '\0');
			if ((ifp = TAILQ_LAST(&V_ifnet_head, ifnethead)) != V_loif)
				assert_int_equal(if_clone_destroy(ifp), 0);
			if (status == 0 && i == 2)
				expect_line("jail -r fail", 0, "", "");
			rcu_synchronize();
			if (audit_compare(&before, leaks, sizeof(leaks)) != 0)
				print_error("%s, allocation %d: %s\n", lines[i], (int)n, leaks);
			assert_int_equal(audit_compare(&before, NULL, 0), 0);
			free(out);
			free(err);
		}
	}
}

static void
test_a_jail_sees_its_own_stack_only(void **state)
{
	char line[80], *out, *err;

	(void)state;
	expect_line("jail -c name=j vnet persist", 0, NULL, "");
	expect_line("ifconfig epair create", 0, "epair0a\n", "");
	assert_true(says("jexec j show all ifnets", false, "(j)\n  lo0 ifp=0x"));
	assert_int_equal(verb_line(NULL, "jexec j show all ifnets", false, &out, &err), 0);
	assert_null(strstr(out, "epair0a"));
	free(out);
	free(err);
	snprintf(line, sizeof(line), "jexec j show ifnet %p", (void *)if_byname("epair0a"));
	assert_true(says(line, false, "no such ifnet"));
	assert_true(says("jexec j show all lltables", false, "(j)"));
	expect_line("ifconfig epair0a destroy", 0, "", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_a_pair_prints_as_the_field_knows_it),
		NET_TEST(test_lists_of_names_cloners_and_groups),
		NET_TEST(test_words_change_what_they_say),
		NET_TEST(test_a_command_that_fails_says_why_and_changes_nothing),
		NET_TEST(test_interfaces_move_by_word_and_come_back),
		NET_TEST(test_json_has_the_same_facts),
		NET_TEST(test_every_failing_allocation_leaves_the_stack_as_it_was),
		NET_TEST(test_a_jail_sees_its_own_stack_only),
		NET_TEST(test_netstat_prints_the_fields_columns),
		NET_TEST(test_netstat_repeats_totals_every_so_many_seconds_of_the_stacks_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
