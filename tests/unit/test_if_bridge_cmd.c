/*
 * Unit tests of the bridge's commands: members, MTU (behaviours 36), its address (behaviours 38),
 * what ifconfig prints, and members that leave by another way.
 */
#include "bridge_fixture.h"

#include "kern/sysctl.h"

/* --- what ifconfig prints --------------------------------------------------------------------- */

static void
test_ifconfig_prints_the_fields_lines(void **state)
{
	char ether[64], text[18];
	char want[2048];

	(void)state;
	run("ifconfig bridge0 deletem mem2 deletem mem3 private mem1 ifmaxaddr mem1 5 span mem3");
	snprintf(ether, sizeof(ether), "\tether %s\n", ether_ntoa_(bridge0->if_lladdr, text));
	snprintf(want, sizeof(want),
	    "bridge0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500\n"
	    "\toptions=80000<LINKSTATE>\n"
	    "%s"
	    "\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15\n"
	    "\tmaxage 20 holdcnt 6 proto rstp maxaddr 100 timeout 1200\n"
	    "\troot id 00:00:00:00:00:00 priority 32768 ifcost 0 port 0\n"
	    "\tmember: mem0 flags=3<LEARNING,DISCOVER>\n"
	    "\t\tifmaxaddr 0 port 2 priority 128 path cost 55\n"
	    "\tmember: mem1 flags=803<LEARNING,DISCOVER,PRIVATE>\n"
	    "\t\tifmaxaddr 5 port 3 priority 128 path cost 55\n"
	    "\tmember: mem3 flags=8<SPAN>\n"
	    "\t\tifmaxaddr 0 port 5 priority 128 path cost 55\n"
	    "\tgroups: bridge\n",
	    ether);
	expect_line("ifconfig bridge0", 0, want, "");
	assert_true(says("ifconfig bridge0", true, "\"member\":[{\"name\":\"mem0\",\"flags\":["));
	comes(0, ether_broadcast, station(1), 'a');
	assert_true(says("ifconfig bridge0 addr", true,
	    "{\"ether\":\"06:00:00:00:00:01\",\"vlan\":1,\"member\":\"mem0\",\"expire\":1200,"));
}

static void
test_create_says_the_name_of_a_bridge_that_it_chose(void **state)
{
	(void)state;
	expect_line("ifconfig bridge create", 0, "bridge1\n", "");
	expect_line("ifconfig bridge1 create", 1, "", "ifconfig: SIOCIFCREATE2: File exists\n");
	run("ifconfig bridge1 destroy");
	assert_true(says("ifconfig -C", false, "bridge"));
}

/* Chance, but the seed's: each has its own. */
static void
test_bridges_have_addresses_of_their_own(void **state)
{
	struct ifnet *other;

	(void)state;
	run("ifconfig bridge1 create");
	other = if_byname("bridge1");
	assert_int_equal(other->if_lladdr[0], 2);
	assert_memory_not_equal(other->if_lladdr, bridge0->if_lladdr, 6);
	run("ifconfig bridge1 destroy");
}

/* --- members ---------------------------------------------------------------------------------- */

static void
test_only_ethernet_interfaces_and_each_in_one_bridge(void **state)
{
	(void)state;
	expect_line(
	    "ifconfig bridge0 addm lo0", 1, "", "ifconfig: BRDGADD lo0: Invalid argument\n");
	expect_line("ifconfig bridge0 addm bridge0", 1, "",
	    "ifconfig: BRDGADD bridge0: Invalid argument\n");
	expect_line("ifconfig bridge0 addm mem9", 1, "",
	    "ifconfig: BRDGADD mem9: No such file or directory\n");
	expect_line("ifconfig bridge0 addm mem1", 1, "", "ifconfig: BRDGADD mem1: File exists\n");
	run("ifconfig bridge1 create");
	expect_line("ifconfig bridge1 addm mem1", 1, "",
	    "ifconfig: BRDGADD mem1: Device or resource busy\n");
	expect_line("ifconfig bridge1 span mem1", 1, "",
	    "ifconfig: BRDGADDS mem1: Device or resource busy\n");
	expect_line("ifconfig bridge1 deletem mem1", 1, "",
	    "ifconfig: BRDGDEL mem1: No such file or directory\n");
	expect_line("ifconfig bridge1 private mem1", 1, "",
	    "ifconfig: BRDGSIFFLGS mem1: No such file or directory\n");
	expect_line("ifconfig mem0 addm mem1", 1, "", "ifconfig: BRDGADD: mem0: not a bridge\n");
	run("ifconfig bridge1 destroy");
}

static void
test_words_out_of_range_are_refused(void **state)
{
	(void)state;
	expect_line(
	    "ifconfig bridge0 maxaddr 0", 1, "", "ifconfig: invalid value: 0: 1 to 262144\n");
	expect_line("ifconfig bridge0 maxaddr 262145", 1, "",
	    "ifconfig: invalid value: 262145: 1 to 262144\n");
	assert_true(says("ifconfig bridge0 timeout x", false, "invalid value: x"));
	assert_true(says("ifconfig bridge0 ifmaxaddr mem0 -1", false, "invalid value: -1"));
}

static void
test_spanning_tree_is_refused_by_name(void **state)
{
	static const char *const words[] = { "stp mem0", "-stp mem0", "edge mem0", "autoedge mem0",
		"ptp mem0", "autoptp mem0", "hellotime 2", "fwddelay 15", "maxage 20", "priority 0",
		"proto rstp", "holdcnt 6", "ifpriority mem0 16", "ifpathcost mem0 100" };
	char line[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(line, sizeof(line), "ifconfig bridge0 %s", words[i]);
		expect_line(line, 1, "",
		    "ifconfig: bridge0: Operation not supported: this bridge speaks no spanning tree\n");
	}
}

/* --- a failed command changes nothing --------------------------------------------------------- */

static void
test_a_failed_command_leaves_the_bridge_as_it_was(void **state)
{
	char *before, *after, *err;

	(void)state;
	run("ifconfig bridge0 deletem mem3 static mem1 06:00:00:00:00:07 private mem0");
	verb_line(NULL, "ifconfig bridge0", false, &before, &err);
	free(err);
	expect_line("ifconfig bridge0 addm mem3 -private mem0 deletem mem1 flushall maxaddr 7 "
		    "timeout 9 ifmaxaddr mem2 4 span mem1 addm lo0",
	    1, "", "ifconfig: BRDGADD lo0: Invalid argument\n");
	verb_line(NULL, "ifconfig bridge0", false, &after, &err);
	free(err);
	/* mem1 has left and is back: at the end of the line */
	assert_non_null(strstr(after, "member: mem1 flags=3<LEARNING,DISCOVER>"));
	assert_non_null(strstr(after, "maxaddr 100 timeout 1200"));
	assert_null(strstr(after, "mem3"));
	assert_int_equal(strlen(before), strlen(after));
	expect_line(
	    "ifconfig bridge0 addr", 0, "06:00:00:00:00:07 Vlan1 mem1 0 flags=1<STATIC>\n", "");
	free(before);
	free(after);
	expect_line("ifconfig bridge create addm mem3 addm lo0", 1, "",
	    "ifconfig: BRDGADD lo0: Invalid argument\n");
	assert_null(if_byname("bridge1"));
	assert_null(ports[3].ifp->if_bridge);
}

/* Each vnet_malloc of a command may fail: nothing is left, nothing half done. */
static void
test_no_memory_changes_nothing(void **state)
{
	(void)state;
	run("ifconfig bridge0 deletem mem3");
	for (uint64_t at = 1;; at++) {
		vnet_malloc_fail_at(at);
		if (verb_line(NULL, "ifconfig bridge0 addm mem3", false, NULL, NULL) == 0)
			break;
		assert_null(ports[3].ifp->if_bridge);
		assert_int_equal(ports[3].ifp->if_flags & IFF_PROMISC_, 0);
	}
	vnet_malloc_fail_at(0);
	assert_non_null(ports[3].ifp->if_bridge);
	for (uint64_t at = 1;; at++) {
		vnet_malloc_fail_at(at);
		if (verb_line(NULL, "ifconfig bridge7 create", false, NULL, NULL) == 0)
			break;
		assert_null(if_byname("bridge7"));
	}
	vnet_malloc_fail_at(0);
	run("ifconfig bridge7 destroy");
	for (uint64_t at = 1;; at++) {
		vnet_malloc_fail_at(at);
		if (verb_line(NULL, "ifconfig bridge0 maxaddr 9999", false, NULL, NULL) == 0)
			break;
		assert_true(says("ifconfig bridge0", false, "maxaddr 100 "));
	}
	vnet_malloc_fail_at(0);
}

/* --- MTU -------------------------------------------------------------------------------------- */

static uint32_t
mtu_of(const char *name)
{
	return if_byname(name)->if_mtu;
}

static void
test_b36_a_failed_addm_leaves_the_mtu_alone(void **state)
{
	(void)state;
	run("ifconfig bridge1 create");
	assert_int_equal(mtu_of("bridge1"), 1500);
	expect_line(
	    "ifconfig bridge1 addm lo0", 1, "", "ifconfig: BRDGADD lo0: Invalid argument\n");
	assert_int_equal(mtu_of("bridge1"), 1500);
	run("ifconfig bridge1 destroy");
}

static void
test_b36_the_first_member_gives_the_mtu_and_later_ones_must_have_it(void **state)
{
	(void)state;
	run("ifconfig bridge0 deletem mem0 deletem mem1 deletem mem2 deletem mem3");
	run("ifconfig mem0 mtu 1280");
	run("ifconfig bridge0 addm mem0");
	assert_int_equal(mtu_of("bridge0"), 1280);
	log_set_sink(catch_log, NULL);
	expect_line(
	    "ifconfig bridge0 addm mem1", 1, "", "ifconfig: BRDGADD mem1: Invalid argument\n");
	log_set_sink(NULL, NULL);
	assert_string_equal(logged, "bridge0: invalid MTU: 1500 (mem1) != 1280");
	assert_null(ports[1].ifp->if_bridge);
	run("ifconfig mem1 mtu 1280");
	run("ifconfig bridge0 addm mem1");
}

static void
test_b36_the_bridges_mtu_is_its_members(void **state)
{
	(void)state;
	log_set_sink(catch_log, NULL);
	expect_line(
	    "ifconfig bridge0 mtu 9000", 1, "", "ifconfig: ioctl (set mtu): Invalid argument\n");
	log_set_sink(NULL, NULL);
	assert_string_equal(logged, "bridge0: invalid MTU: 1500 (mem0) != 9000");
	assert_int_equal(mtu_of("bridge0"), 1500);
	for (unsigned i = 0; i < PORTS; i++)
		ports[i].ifp->if_mtu = 9000;
	run("ifconfig bridge0 mtu 9000");
	assert_int_equal(mtu_of("bridge0"), 9000);
	run("ifconfig bridge0 deletem mem0 deletem mem1 deletem mem2 deletem mem3");
	run("ifconfig bridge0 mtu 2000");              /* any without members … */
	expect_line("ifconfig bridge0 mtu 575", 1, "", /* … from 576 on */
	    "ifconfig: ioctl (set mtu): Invalid argument\n");
	assert_int_equal(mtu_of("bridge0"), 2000);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void
test_b38_the_bridge_follows_the_address_that_it_inherited(void **state)
{
	struct ifnet *b;
	uint8_t own[6];

	(void)state;
	run("sysctl net.link.bridge.inherit_mac=1");
	run("ifconfig bridge0 deletem mem0 deletem mem1");
	run("ifconfig bridge1 create up");
	b = if_byname("bridge1");
	memcpy(own, b->if_lladdr, 6);
	run("ifconfig bridge1 addm mem0 addm mem1");
	assert_memory_equal(b->if_lladdr, ports[0].ifp->if_lladdr, 6);
	run("ifconfig mem0 ether 02:99:00:00:00:01");
	assert_memory_equal(b->if_lladdr, "\x02\x99\0\0\0\x01", 6);
	comes(1, b->if_lladdr, station(1), 'a'); /* it hears by the new one */
	assert_int_equal(sink.n, 1);
	assert_ptr_equal(sink.rcvif, b);
	run("ifconfig bridge1 deletem mem0");
	assert_memory_equal(b->if_lladdr, ports[1].ifp->if_lladdr, 6);
	run("ifconfig bridge1 deletem mem1");
	assert_memory_equal(b->if_lladdr, own, 6);
	run("ifconfig bridge1 destroy");
}

static void
test_b38_a_new_address_of_a_member_is_ours_at_once(void **state)
{
	(void)state;
	run("ifconfig mem2 ether 02:99:00:00:00:02");
	comes(0, (const uint8_t *)"\x02\x99\0\0\0\x02", station(1), 'a');
	assert_ptr_equal(sink.rcvif, ports[2].ifp);
	comes(0, (const uint8_t *)"\x02\0\0\0\x01\x03", station(1),
	    'b'); /* its old one is nobody's */
	assert_int_equal(sink.n, 1);
	expect_sent("", "b", "b", "b");
	run("ifconfig bridge0 ether 02:99:00:00:00:03");
	comes(0, (const uint8_t *)"\x02\x99\0\0\0\x03", station(1), 'c');
	assert_ptr_equal(sink.rcvif, bridge0);
	/* a station's address that becomes ours is no station any more */
	comes(3, ether_broadcast, (const uint8_t *)"\x02\x99\0\0\0\x04", 'd');
	run("ifconfig bridge0 ether 02:99:00:00:00:04");
	comes(0, (const uint8_t *)"\x02\x99\0\0\0\x04", station(1), 'e');
	assert_int_equal(sink.n, 3);
}

/* --- link ------------------------------------------------------------------------------------- */

static void
test_a_bridge_has_link_while_a_member_has(void **state)
{
	(void)state;
	assert_int_equal(bridge0->if_link_state, LINK_STATE_UP);
	assert_true(if_is_usable(bridge0));
	run("ifconfig bridge0 deletem mem1 deletem mem2 deletem mem3");
	run("ifconfig mem0 down");
	assert_int_equal(bridge0->if_link_state, LINK_STATE_DOWN);
	run("ifconfig mem0 up");
	assert_int_equal(bridge0->if_link_state, LINK_STATE_UP);
	run("ifconfig bridge0 deletem mem0");
	assert_int_equal(bridge0->if_link_state, LINK_STATE_DOWN);
}

/* --- members that leave by another way -------------------------------------------------------- */

static void
test_a_member_that_is_destroyed_has_left(void **state)
{
	(void)state;
	run("ifconfig epair0 create");
	run("ifconfig bridge0 addm epair0a");
	run("ifconfig epair0a up");
	run("ifconfig epair0b up");
	receive(if_byname("epair0a"),
	    (struct mbuf *[]){ frame(ether_broadcast, station(1), ETHERTYPE_IP_, 'a', 46) }, 1);
	run("ifconfig epair0a destroy");
	expect_line("ifconfig bridge0 addr", 0, "", "");
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "ab", "ab", "ab");
}

static void
test_a_member_that_moves_to_another_stack_has_left(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);

	(void)state;
	comes(1, ether_broadcast, station(1), 'a');
	assert_int_equal(if_vmove(ports[1].ifp, jail->vnet), 0);
	assert_null(ports[1].ifp->if_bridge);
	assert_false(ports[1].ifp->if_flags & IFF_PROMISC_);
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "", "ab", "ab");
	assert_int_equal(if_vmove(ports[1].ifp, vnet0), 0);
	assert_null(ports[1].ifp->if_bridge);
}

static void
test_a_bridge_that_moves_leaves_its_members(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);

	(void)state;
	comes(1, ether_broadcast, station(1), 'a');
	assert_int_equal(if_vmove(bridge0, jail->vnet), 0);
	for (unsigned i = 0; i < PORTS; i++) {
		assert_null(ports[i].ifp->if_bridge);
		assert_false(ports[i].ifp->if_flags & IFF_PROMISC_);
	}
	sched_run(clock_now() + 1000 * NS_PER_SEC);
	assert_int_equal(prison_remove(jail), 0); /* it comes home */
	run("ifconfig bridge0 addm mem0 addm mem1 up");
	comes(0, station(1), station(2), 'b');
	sent(2), sent(3);
	assert_string_equal(sent(1), "b");
}

static void
test_a_member_keeps_its_place_through_a_rename(void **state)
{
	(void)state;
	comes(1, ether_broadcast, station(1), 'a');
	expect_line("ifconfig mem1 name uplink", 0, "uplink\n", "");
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "b", "a", "a");
	assert_true(says("ifconfig bridge0", false, "member: uplink flags=3"));
	run("ifconfig bridge0 deletem uplink");
}

static void
test_a_jails_bridge_goes_with_it(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);
	char *out, *err;

	(void)state;
	run("ifconfig epair0 create");
	run("ifconfig epair0b vnet j");
	assert_int_equal(
	    verb_line(jail, "ifconfig bridge create addm epair0b up", false, &out, &err), 0);
	free(out);
	free(err);
	run("ifconfig epair0a up");
	assert_int_equal(prison_remove(jail), 0);
	assert_non_null(if_byname("epair0b"));
	assert_null(if_byname("epair0b")->if_bridge);
	run("ifconfig epair0a destroy");
}

/* --- switches --------------------------------------------------------------------------------- */

static void
test_ipfw_turns_the_other_filters_off(void **state)
{
	(void)state;
	expect_line("sysctl -n net.link.bridge.pfil_bridge net.link.bridge.pfil_member "
		    "net.link.bridge.pfil_onlyip net.link.bridge.ipfw net.link.bridge.ipfw_arp "
		    "net.link.bridge.pfil_local_phys net.link.bridge.inherit_mac",
	    0, "1\n1\n1\n0\n0\n0\n0\n", "");
	expect_line("sysctl net.link.bridge.ipfw=1", 0, NULL, "");
	expect_line(
	    "sysctl -n net.link.bridge.pfil_bridge net.link.bridge.pfil_member", 0, "0\n0\n", "");
	expect_line("sysctl net.link.bridge.pfil_member=1", 0, NULL, ""); /* if one insists */
	expect_line("sysctl net.link.bridge.ipfw=0", 0, NULL, "");
	expect_line(
	    "sysctl -n net.link.bridge.pfil_bridge net.link.bridge.pfil_member", 0, "0\n1\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(test_ifconfig_prints_the_fields_lines),
		BRIDGE_TEST(test_create_says_the_name_of_a_bridge_that_it_chose),
		BRIDGE_TEST(test_bridges_have_addresses_of_their_own),
		BRIDGE_TEST(test_only_ethernet_interfaces_and_each_in_one_bridge),
		BRIDGE_TEST(test_words_out_of_range_are_refused),
		BRIDGE_TEST(test_spanning_tree_is_refused_by_name),
		BRIDGE_TEST(test_a_failed_command_leaves_the_bridge_as_it_was),
		BRIDGE_TEST(test_no_memory_changes_nothing),
		BRIDGE_TEST(test_b36_a_failed_addm_leaves_the_mtu_alone),
		BRIDGE_TEST(test_b36_the_first_member_gives_the_mtu_and_later_ones_must_have_it),
		BRIDGE_TEST(test_b36_the_bridges_mtu_is_its_members),
		BRIDGE_TEST(test_b38_the_bridge_follows_the_address_that_it_inherited),
		BRIDGE_TEST(test_b38_a_new_address_of_a_member_is_ours_at_once),
		BRIDGE_TEST(test_a_bridge_has_link_while_a_member_has),
		BRIDGE_TEST(test_a_member_that_is_destroyed_has_left),
		BRIDGE_TEST(test_a_member_that_moves_to_another_stack_has_left),
		BRIDGE_TEST(test_a_bridge_that_moves_leaves_its_members),
		BRIDGE_TEST(test_a_member_keeps_its_place_through_a_rename),
		BRIDGE_TEST(test_a_jails_bridge_goes_with_it),
		BRIDGE_TEST(test_ipfw_turns_the_other_filters_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
