/*
 * Unit tests of the bridge: where frames go, what is learned and forgotten, loops; behaviours 37.
 */
#include "bridge_fixture.h"

#include "net/if_multi.h"
#include "net/pfil.h"

/* --- where frames go -------------------------------------------------------------------------- */

static void
test_a_frame_to_nobody_known_goes_to_all_others(void **state)
{
	(void)state;
	comes(0, station(9), station(1), 'a');
	expect_sent("", "a", "a", "a");
	comes(2, ether_broadcast, station(3), 'b');
	expect_sent("b", "b", "", "b");
	comes(3, (const uint8_t[6]){ 0x33, 0x33, 0, 0, 0, 1 }, station(4), 'c');
	expect_sent("c", "c", "c", "");
}

static void
test_a_station_that_was_heard_gets_its_frames_alone(void **state)
{
	(void)state;
	comes(1, ether_broadcast, station(1), 'a');
	expect_sent("a", "", "a", "a");
	comes(0, station(1), station(2), 'b');
	expect_sent("", "b", "", "");
	comes(3, station(2), station(3), 'c');
	expect_sent("c", "", "", "");
}

static void
test_a_station_on_the_same_side_gets_nothing_through_the_bridge(void **state)
{
	(void)state;
	comes(0, ether_broadcast, station(1), 'a');
	expect_sent("", "a", "a", "a");
	comes(0, station(1), station(2), 'b');
	expect_sent("", "", "", "");
	assert_int_equal(drops("bridge.here"), 1);
}

static void
test_a_station_that_moves_is_followed(void **state)
{
	(void)state;
	comes(0, ether_broadcast, station(1), 'a');
	comes(2, ether_broadcast, station(1), 'b');
	expect_sent("b", "ab", "a", "ab");
	comes(1, station(1), station(2), 'c');
	expect_sent("", "", "c", "");
}

/* Whatever is between them: frames of one batch arrive in order at each member. */
static void
test_frames_of_a_batch_keep_their_order_on_each_member(void **state)
{
	struct mbuf *m[8];

	(void)state;
	comes(1, ether_broadcast, station(1), 'x');
	comes(2, ether_broadcast, station(2), 'y');
	expect_sent("xy", "y", "x", "xy");
	for (uint8_t i = 0; i < 8; i++)
		m[i] = frame(i % 4 == 3 ? ether_broadcast : station(1 + i % 2), station(7),
		    ETHERTYPE_IP_, (uint8_t)('a' + i), 46);
	receive(ports[0].ifp, m, 8);
	expect_sent("", "acdegh", "bdfh", "dh");
}

static void
test_a_flooded_frame_is_shared_not_copied(void **state)
{
	struct mbuf *m = frame(ether_broadcast, station(1), ETHERTYPE_IP_, 'a', 46);
	const uint8_t *bytes = m->data;

	(void)state;
	receive(ports[0].ifp, &m, 1);
	for (unsigned i = 1; i < PORTS; i++)
		assert_ptr_equal(ports[i].sent.head->data, bytes);
	assert_false(m_writable(ports[1].sent.head));
}

static void
test_frames_of_other_vlans_know_other_stations(void **state)
{
	struct mbuf *m = frame(ether_broadcast, station(1), ETHERTYPE_VLAN_, 0, 60);

	(void)state;
	m->data[15] = 7; /* vlan 7 */
	receive(ports[0].ifp, &m, 1);
	for (unsigned i = 1; i < PORTS; i++)
		mbufq_drain(&ports[i].sent);
	comes(1, station(1), station(2), 'a'); /* of vlan 1: nobody knows it */
	expect_sent("a", "", "a", "a");
	assert_true(says("ifconfig bridge0 addr", false, "06:00:00:00:00:01 Vlan7 mem0"));
	assert_true(says("ifconfig bridge0 addr", false, "06:00:00:00:00:02 Vlan1 mem1"));
}

static void
test_groups_between_neighbours_do_not_pass_but_spanning_tree(void **state)
{
	(void)state;
	comes(0, (const uint8_t[6]){ 1, 0x80, 0xc2, 0, 0, 1 }, station(1), 'p');   /* pause */
	comes(0, (const uint8_t[6]){ 1, 0x80, 0xc2, 0, 0, 0xe }, station(1), 'l'); /* LLDP */
	expect_sent("", "", "", "");
	assert_int_equal(drops("bridge.link-local"), 2);
	comes(0, (const uint8_t[6]){ 1, 0x80, 0xc2, 0, 0, 0 }, station(1), 's');
	comes(0, (const uint8_t[6]){ 1, 0x80, 0xc2, 0, 0, 0x10 }, station(1), 't');
	expect_sent("", "st", "st", "st");
}

static void
test_nonsense_is_dropped(void **state)
{
	struct mbuf *m = m_from("short", 5);

	(void)state;
	receive(ports[0].ifp, &m, 1);
	assert_int_equal(drops("ether.short"), 1);
	comes(0, station(1), (const uint8_t[6]){ 3, 0, 0, 0, 0, 1 }, 'g');
	assert_int_equal(drops("ether.src-mcast"), 1);
	comes(0, station(1), ports[2].ifp->if_lladdr, 'o'); /* our own frame comes back */
	assert_int_equal(drops("bridge.own"), 1);
	expect_sent("", "", "", "");
}

static void
test_what_is_too_long_for_a_member_is_dropped_there(void **state)
{
	struct mbuf *m = frame(ether_broadcast, station(1), ETHERTYPE_IP_, 'a', 1500);

	(void)state;
	ports[2].ifp->if_mtu = 1400; /* somebody has set it since */
	receive(ports[0].ifp, &m, 1);
	expect_sent("", "a", "", "a");
	assert_int_equal(drops("bridge.mtu"), 1);
	m = frame(ether_broadcast, station(1), ETHERTYPE_VLAN_, 'b', 1504); /* a tag is no burden */
	receive(ports[0].ifp, &m, 1);
	expect_sent("", "b", "", "b");
}

/* --- what members are ------------------------------------------------------------------------- */

static void
test_members_hear_everything_and_stop_when_they_leave(void **state)
{
	(void)state;
	assert_true(ports[1].ifp->if_flags & IFF_PROMISC_);
	run("ifconfig bridge0 deletem mem1");
	assert_false(ports[1].ifp->if_flags & IFF_PROMISC_);
	assert_null(ports[1].ifp->if_bridge);
	comes(0, ether_broadcast, station(1), 'a');
	expect_sent("", "", "a", "a");
}

static void
test_private_members_do_not_hear_each_other(void **state)
{
	(void)state;
	run("ifconfig bridge0 private mem1 private mem2");
	comes(1, ether_broadcast, station(1), 'a');
	expect_sent("a", "", "", "a");
	comes(0, ether_broadcast, station(9), 'b');
	expect_sent("", "b", "b", "b");
	comes(2, station(1), station(2), 'c');
	expect_sent("", "", "", "");
	assert_int_equal(drops("bridge.private"), 1);
	run("ifconfig bridge0 -private mem2");
	comes(2, station(1), station(2), 'd');
	expect_sent("", "d", "", "");
}

static void
test_a_member_without_discover_gets_no_frames_to_strangers(void **state)
{
	(void)state;
	run("ifconfig bridge0 -discover mem1");
	comes(0, station(9), station(1), 'a');
	expect_sent("", "", "a", "a");
	comes(0, ether_broadcast, station(1), 'b');
	expect_sent("", "b", "b", "b");
}

static void
test_a_member_that_does_not_learn_is_flooded(void **state)
{
	(void)state;
	run("ifconfig bridge0 -learn mem1");
	comes(1, ether_broadcast, station(1), 'a');
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "b", "ab", "ab");
	assert_true(says("ifconfig bridge0 addr", false, "06:00:00:00:00:02"));
	expect_line("ifconfig bridge0 flush addr", 0, "", "");
}

static void
test_sticky_stations_neither_age_nor_move(void **state)
{
	(void)state;
	run("ifconfig bridge0 sticky mem1");
	comes(1, ether_broadcast, station(1), 'a');
	sched_run(clock_now() + 5000 * NS_PER_SEC);
	comes(2, ether_broadcast, station(1), 'b');
	run("ifconfig bridge0 flush");
	expect_line(
	    "ifconfig bridge0 addr", 0, "06:00:00:00:00:01 Vlan1 mem1 0 flags=2<STICKY>\n", "");
	comes(0, station(1), station(2), 'c');
	expect_sent("ab", "bc", "a", "ab");
}

static void
test_a_span_gets_a_copy_of_everything_and_is_no_member(void **state)
{
	(void)state;
	run("ifconfig bridge0 deletem mem3 span mem3");
	comes(1, ether_broadcast, station(1), 'a');
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "b", "a", "ab");
	comes(3, ether_broadcast, station(5), 'c');
	expect_sent("", "", "", "");
	assert_true(says("ifconfig bridge0", false, "member: mem3 flags=8<SPAN>"));
	run("ifconfig bridge0 -span mem3");
	comes(1, ether_broadcast, station(1), 'd');
	expect_sent("d", "", "d", "");
}

static void
test_a_member_without_link_is_no_way(void **state)
{
	struct ifnet *a, *b;

	(void)state;
	pair_up(&a, &b);
	run("ifconfig bridge0 addm epair0a");
	receive(
	    a, (struct mbuf *[]){ frame(ether_broadcast, station(1), ETHERTYPE_IP_, 'a', 46) }, 1);
	assert_true(says("ifconfig bridge0 addr", false, "epair0a"));
	if_down(b);
	expect_line("ifconfig bridge0 addr", 0, "", ""); /* what was behind it isn't any more */
	expect_sent("a", "a", "a", "a");
	comes(0, station(1), station(2), 'b');
	expect_sent("", "b", "b", "b");
	assert_int_equal(a->if_data.opackets, 0);
	assert_int_equal(if_clone_destroy(a), 0);
}

/* --- stations --------------------------------------------------------------------------------- */

static void
test_a_silent_station_is_forgotten_after_the_timeout(void **state)
{
	(void)state;
	comes(1, ether_broadcast, station(1), 'a');
	expect_line(
	    "ifconfig bridge0 addr", 0, "06:00:00:00:00:01 Vlan1 mem1 1200 flags=0<>\n", "");
	sched_run(clock_now() + 1199 * NS_PER_SEC);
	expect_line("ifconfig bridge0 addr", 0, "06:00:00:00:00:01 Vlan1 mem1 1 flags=0<>\n", "");
	comes(0, station(1), station(2), 'b');
	sched_run(clock_now() + NS_PER_SEC);
	comes(0, station(1), station(2), 'c');
	expect_sent("a", "bc", "ac", "ac");
}

static void
test_a_station_that_speaks_is_not_forgotten(void **state)
{
	(void)state;
	run("ifconfig bridge0 timeout 10");
	for (int i = 0; i < 20; i++) {
		comes(1, ether_broadcast, station(1), 'a');
		sched_run(clock_now() + 9 * NS_PER_SEC);
	}
	comes(0, station(1), station(2), 'b');
	sent(0), sent(2), sent(3);
	assert_string_equal(sent(1), "b");
	run("ifconfig bridge0 timeout 0"); /* for ever */
	sched_run(clock_now() + 100000 * NS_PER_SEC);
	assert_true(
	    says("ifconfig bridge0 addr", false, "06:00:00:00:00:01 Vlan1 mem1 0 flags=0<>"));
}

/* The 101st finds no room, and is flooded; nothing is dropped for it. */
static void
test_the_table_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 150; i++)
		comes(1, ether_broadcast, station(1000 + i), 'a');
	sent(0), sent(2), sent(3);
	comes(0, station(1099), ports[1].ifp->if_lladdr, 'x'); /* dropped: our own */
	comes(0, station(1099), station(1000), 'b');
	expect_sent("", "b", "", "");
	comes(0, station(1100), station(1001), 'c');
	expect_sent("", "c", "c", "c");
	assert_true(says("ifconfig bridge0", true, "\"addresses\":100"));
	run("ifconfig bridge0 maxaddr 5000");
	comes(1, ether_broadcast, station(1100), 'd');
	comes(0, station(1100), station(1001), 'e');
	expect_sent("d", "e", "d", "d");
	run("ifconfig bridge0 maxaddr 10");
	assert_true(says("ifconfig bridge0", true, "\"addresses\":10,"));
}

static void
test_a_member_may_have_a_limit_of_its_own(void **state)
{
	(void)state;
	run("ifconfig bridge0 ifmaxaddr mem1 2");
	for (unsigned i = 1; i <= 3; i++)
		comes(1, ether_broadcast, station(i), (uint8_t)('0' + i));
	expect_sent("12", "", "12", "12");
	assert_int_equal(drops("bridge.addrs"), 1);
	run("ifconfig bridge0 flush");
	comes(1, ether_broadcast, station(3), '3');
	expect_sent("3", "", "3", "3");
}

static void
test_stations_by_hand(void **state)
{
	(void)state;
	run("ifconfig bridge0 static mem2 06:00:00:00:00:01");
	comes(1, ether_broadcast, station(1), 'a'); /* it does not move */
	comes(0, station(1), station(2), 'b');
	expect_sent("a", "", "ab", "a");
	expect_line("ifconfig bridge0 flush addr", 0,
	    "06:00:00:00:00:01 Vlan1 mem2 0 flags=1<STATIC>\n", "");
	run("ifconfig bridge0 deladdr 06:00:00:00:00:01");
	expect_line("ifconfig bridge0 addr", 0, "", "");
	expect_line("ifconfig bridge0 deladdr 06:00:00:00:00:01", 1, "",
	    "ifconfig: BRDGDADDR 06:00:00:00:00:01: No such file or directory\n");
	run("ifconfig bridge0 static mem2 06:00:00:00:00:01 flushall");
	expect_line("ifconfig bridge0 addr", 0, "", "");
	expect_line("ifconfig bridge0 static mem2 07:00:00:00:00:01", 1, "",
	    "ifconfig: 07:00:00:00:00:01: invalid address\n");
}

/* A slow, obvious table beside it: any order of stations and members gives the same answers. */
static void
test_the_table_is_as_a_plain_list_says(void **state)
{
	uint8_t where[512];
	uint64_t n = 1;

	(void)state;
	memset(where, 0xff, sizeof(where));
	run("ifconfig bridge0 maxaddr 600 timeout 0");
	for (unsigned i = 0; i < 20000; i++) {
		unsigned who, port, to;

		n = n * UINT64_C(6364136223846793005) + 1442695040888963407u;
		who = (n >> 33) % 512, port = (n >> 20) % PORTS, to = (n >> 45) % 512;
		comes(port, station(to), station(who), 'a');
		where[who] = (uint8_t)port;
		for (unsigned k = 0; k < PORTS; k++)
			assert_int_equal(ports[k].sent.len,
			    where[to] == 0xff ? k != port : where[to] == k && k != port);
		for (unsigned k = 0; k < PORTS; k++)
			mbufq_drain(&ports[k].sent);
		if (i % 1000 == 999) {
			char line[64];

			snprintf(line, sizeof(line), "ifconfig bridge0 deladdr 06:0:0:0:%x:%x",
			    who >> 8, who & 0xff);
			run(line);
			where[who] = 0xff;
		}
	}
}

/* --- for the stack itself --------------------------------------------------------------------- */

static void
test_frames_to_the_bridge_and_to_members_are_ours(void **state)
{
	(void)state;
	comes(0, bridge0->if_lladdr, station(1), 'a');
	assert_int_equal(sink.n, 1);
	assert_ptr_equal(sink.rcvif, bridge0);
	comes(0, ports[2].ifp->if_lladdr, station(1), 'b'); /* another member's */
	assert_ptr_equal(sink.rcvif, ports[2].ifp);
	comes(0, ports[0].ifp->if_lladdr, station(1), 'c');
	assert_ptr_equal(sink.rcvif, ports[0].ifp);
	assert_int_equal(sink.n, 3);
	expect_sent("", "", "", "");
}

/* A switch's interfaces have no address: nothing in the stack hears what is for all. */
static void
test_a_switch_does_not_bother_its_stack(void **state)
{
	(void)state;
	comes(0, ether_broadcast, station(1), 'a');
	assert_int_equal(sink.n, 0);
	assert_int_equal(drop_total(curvnet), 0);
}

static void
test_what_the_stack_sends_by_the_bridge_goes_where_its_station_is(void **state)
{
	(void)state;
	transmit(bridge0, frame(station(1), bridge0->if_lladdr, ETHERTYPE_IP_, 'a', 46));
	expect_sent("a", "a", "a", "a");
	comes(2, ether_broadcast, station(1), 'b');
	transmit(bridge0, frame(station(1), bridge0->if_lladdr, ETHERTYPE_IP_, 'c', 46));
	expect_sent("b", "b", "c", "b");
	assert_int_equal(bridge0->if_data.opackets, 2 + 3);
}

/* By a member, too: its station may be behind another. */
static void
test_what_the_stack_sends_by_a_member_goes_where_its_station_is(void **state)
{
	(void)state;
	comes(2, ether_broadcast, station(1), 'b');
	expect_sent("b", "b", "", "b");
	transmit(ports[0].ifp, frame(station(1), ports[0].ifp->if_lladdr, ETHERTYPE_IP_, 'c', 46));
	expect_sent("", "", "c", "");
	transmit(
	    ports[0].ifp, frame(ether_broadcast, ports[0].ifp->if_lladdr, ETHERTYPE_IP_, 'd', 46));
	expect_sent("d", "d", "d", "d");
	run("ifconfig bridge0 down");
	transmit(ports[0].ifp, frame(station(1), ports[0].ifp->if_lladdr, ETHERTYPE_IP_, 'e', 46));
	expect_sent("e", "", "", "");
}

static void
test_a_bridge_that_is_down_leaves_members_alone(void **state)
{
	(void)state;
	run("ifconfig bridge0 down");
	comes(0, ports[0].ifp->if_lladdr, station(1), 'a');
	assert_int_equal(sink.n, 1);
	comes(0, ether_broadcast, station(1), 'b');
	assert_int_equal(sink.n, 2);
	expect_sent("", "", "", "");
}

/* A filter on the link sees what is for the stack, and not what passes. */
static uint32_t seen_by_filter;

static void
count_filter(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	(void)ctx, (void)ifp, (void)dir;
	seen_by_filter += b->n;
}

static void
test_filters_on_the_link_see_what_is_for_the_stack_only(void **state)
{
	(void)state;
	seen_by_filter = 0;
	assert_int_equal(pfil_add(PFIL_LINK, PFIL_IN, count_filter, NULL, 0), 0);
	assert_int_equal(pfil_add(PFIL_LINK, PFIL_OUT, count_filter, NULL, 0), 0);
	comes(0, ether_broadcast, station(1), 'a');
	assert_int_equal(seen_by_filter, 0);
	comes(0, bridge0->if_lladdr, station(1), 'b');
	assert_int_equal(seen_by_filter, 1);
	transmit(bridge0, frame(station(1), bridge0->if_lladdr, ETHERTYPE_IP_, 'c', 46));
	assert_int_equal(seen_by_filter, 2);
	pfil_remove(PFIL_LINK, PFIL_IN, count_filter, NULL);
	pfil_remove(PFIL_LINK, PFIL_OUT, count_filter, NULL);
}

/* Behaviours 37: a group that is joined on the bridge is in no member's filter. */
static int
count_group(const uint8_t group[6], unsigned holders, void *ctx)
{
	(void)group, (void)holders;
	++*(unsigned *)ctx;
	return 0;
}

static void
test_b37_groups_of_the_bridge_are_not_its_members(void **state)
{
	const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 5 };
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(if_multi_add(bridge0, group), 0);
		if (i < 9)
			assert_int_equal(if_multi_delete(bridge0, group), 0);
	}
	if_multi_foreach(ports[0].ifp, count_group, &n);
	assert_int_equal(n, 0);
	run("ifconfig bridge0 destroy");
	if_multi_foreach(ports[0].ifp, count_group, &n);
	assert_int_equal(n, 0);
}

/* --- loops ------------------------------------------------------------------------------------ */

/* Two bridges with two cables between them: one broadcast, no time, an end all the same. */
static void
test_a_loop_without_delay_ends(void **state)
{
	(void)state;
	run("ifconfig bridge1 create up");
	run("ifconfig epair0 create");
	run("ifconfig epair1 create");
	run("ifconfig bridge0 addm epair0a addm epair1a");
	run("ifconfig bridge1 addm epair0b addm epair1b");
	run("ifconfig epair0a up");
	run("ifconfig epair0b up");
	run("ifconfig epair1a up");
	run("ifconfig epair1b up");
	run("sysctl net.link.bridge.storm=1000");
	for (unsigned i = 0; i < PORTS; i++)
		comes(0, ether_broadcast, station(1), 'a');
	while (netisr_run())
		continue;
	assert_true(drops("bridge.storm") > 0);
	assert_true(bridge0->if_data.ipackets < 5000);
	for (unsigned i = 0; i < PORTS; i++)
		mbufq_drain(&ports[i].sent);
	/* a millisecond later it works as ever, until somebody floods again */
	sched_run(clock_now() + 2 * NS_PER_MS);
	comes(1, ether_broadcast, station(2), 'b');
	assert_true(ports[0].sent.len > 0);
	while (netisr_run())
		continue;
	run("ifconfig epair0a destroy");
	run("ifconfig epair1a destroy");
	run("ifconfig bridge1 destroy");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(test_a_frame_to_nobody_known_goes_to_all_others),
		BRIDGE_TEST(test_a_station_that_was_heard_gets_its_frames_alone),
		BRIDGE_TEST(test_a_station_on_the_same_side_gets_nothing_through_the_bridge),
		BRIDGE_TEST(test_a_station_that_moves_is_followed),
		BRIDGE_TEST(test_frames_of_a_batch_keep_their_order_on_each_member),
		BRIDGE_TEST(test_a_flooded_frame_is_shared_not_copied),
		BRIDGE_TEST(test_frames_of_other_vlans_know_other_stations),
		BRIDGE_TEST(test_groups_between_neighbours_do_not_pass_but_spanning_tree),
		BRIDGE_TEST(test_nonsense_is_dropped),
		BRIDGE_TEST(test_what_is_too_long_for_a_member_is_dropped_there),
		BRIDGE_TEST(test_members_hear_everything_and_stop_when_they_leave),
		BRIDGE_TEST(test_private_members_do_not_hear_each_other),
		BRIDGE_TEST(test_a_member_without_discover_gets_no_frames_to_strangers),
		BRIDGE_TEST(test_a_member_that_does_not_learn_is_flooded),
		BRIDGE_TEST(test_sticky_stations_neither_age_nor_move),
		BRIDGE_TEST(test_a_span_gets_a_copy_of_everything_and_is_no_member),
		BRIDGE_TEST(test_a_member_without_link_is_no_way),
		BRIDGE_TEST(test_a_silent_station_is_forgotten_after_the_timeout),
		BRIDGE_TEST(test_a_station_that_speaks_is_not_forgotten),
		BRIDGE_TEST(test_the_table_is_bounded),
		BRIDGE_TEST(test_a_member_may_have_a_limit_of_its_own),
		BRIDGE_TEST(test_stations_by_hand),
		BRIDGE_TEST(test_the_table_is_as_a_plain_list_says),
		BRIDGE_TEST(test_frames_to_the_bridge_and_to_members_are_ours),
		BRIDGE_TEST(test_a_switch_does_not_bother_its_stack),
		BRIDGE_TEST(test_what_the_stack_sends_by_the_bridge_goes_where_its_station_is),
		BRIDGE_TEST(test_what_the_stack_sends_by_a_member_goes_where_its_station_is),
		BRIDGE_TEST(test_a_bridge_that_is_down_leaves_members_alone),
		BRIDGE_TEST(test_filters_on_the_link_see_what_is_for_the_stack_only),
		BRIDGE_TEST(test_b37_groups_of_the_bridge_are_not_its_members),
		BRIDGE_TEST(test_a_loop_without_delay_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
