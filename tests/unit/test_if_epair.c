/* epair: the cable, its queues, its references. */
#include "net_fixture.h"

#include "kern/sysctl.h"

static void
test_what_one_end_sends_the_other_receives_by_the_queue(void **state)
{
	struct ifnet *a, *b;

	(void)state;
	pair_up(&a, &b);
	assert_ptr_equal(epair_peer(a), b);
	assert_ptr_equal(epair_peer(b), a);
	for (uint8_t i = 0; i < 10; i++)
		transmit(a, frame_to_peer(a, i));
	assert_int_equal(sink.n, 0); /* never nested in the sender */
	netisr_run();
	assert_int_equal(sink.n, 10);
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(sink.first[i], i);
	assert_ptr_equal(sink.rcvif, b);
	assert_int_equal(a->if_data.opackets, 10);
	assert_int_equal(b->if_data.ipackets, 10);
	assert_int_equal(if_clone_destroy(a), 0);
}

static void
test_addresses_come_from_the_index_and_never_meet(void **state)
{
	struct ifnet *a, *b, *c, *d;
	struct prison *jail = prison_create(&prison0, "j", true);
	char text[18];

	(void)state;
	assert_int_equal(epair_create(&a, &b), 0);
	assert_int_equal(a->if_index, 2);
	assert_int_equal(b->if_index, 3);
	assert_string_equal(ether_ntoa_(a->if_lladdr, text), "02:00:00:00:02:0a");
	assert_string_equal(ether_ntoa_(b->if_lladdr, text), "02:00:00:00:03:0b");
	/* The same indexes again, in the same stack and in another. */
	assert_int_equal(if_vmove(a, jail->vnet), 0);
	assert_int_equal(if_vmove(b, jail->vnet), 0);
	assert_int_equal(epair_create(&c, &d), 0);
	assert_int_equal(c->if_index, 2);
	assert_memory_not_equal(a->if_lladdr, c->if_lladdr, 6);
	assert_memory_not_equal(b->if_lladdr, d->if_lladdr, 6);
	assert_int_equal(if_clone_destroy(b), 0);
	assert_int_equal(if_clone_destroy(d), 0);
}

static void
test_link_is_up_while_the_peer_is_up(void **state)
{
	struct ifnet *a, *b;

	(void)state;
	assert_int_equal(epair_create(&a, &b), 0);
	assert_int_equal(a->if_link_state, LINK_STATE_DOWN);
	if_up(a);
	assert_int_equal(b->if_link_state, LINK_STATE_UP);
	assert_int_equal(a->if_link_state, LINK_STATE_DOWN);
	assert_false(if_is_usable(a)); /* behaviours 16 */
	if_up(b);
	assert_true(if_is_usable(a));
	if_down(b);
	assert_int_equal(a->if_link_state, LINK_STATE_DOWN);
	if_clone_destroy(a);
}

static void
test_destroying_one_end_removes_both_wherever_they_live(void **state)
{
	struct ifnet *a, *b;
	struct prison *j1 = prison_create(&prison0, "j1", true),
		      *j2 = prison_create(&prison0, "j2", true);

	(void)state;
	pair_up(&a, &b);
	assert_int_equal(if_vmove(a, j1->vnet), 0);
	assert_int_equal(if_vmove(b, j2->vnet), 0);
	if_up(a);
	if_up(b);
	for (uint8_t i = 0; i < 5; i++)
		transmit(a, frame_to_peer(a, i));
	netisr_run();
	assert_int_equal(sink.n, 5);
	assert_ptr_equal(sink.vnet, j2->vnet);
	transmit(a, frame_to_peer(a, 0));
	assert_int_equal(if_clone_destroy(b), 0);
	{
		VNET_SCOPE(j1->vnet);
		assert_null(if_byname("epair0a"));
		assert_int_equal(curvnet->ifcnt, 1);
	}
}

/* netisr takes one, the send queue maxlen, the rest is dropped and counted; nothing overtakes. */
static void
test_b23_what_netisr_refuses_waits_in_the_send_queue_in_order(void **state)
{
	struct ifnet *a, *b;

	(void)state;
	pair_up(&a, &b);
	assert_int_equal(netisr_set_qlimit(NETISR_EPAIR, 1), 0);
	for (uint8_t i = 0; i < 60; i++)
		transmit(a, frame_to_peer(a, i));
	assert_int_equal(a->if_snd.len, 50);
	assert_true(a->if_flags & IFF_OACTIVE_);
	assert_int_equal(a->if_snd_drops, 9);
	assert_int_equal(drop_get(curvnet, &DROP_IF_SNDQ), 9);
	while (netisr_run())
		continue;
	assert_int_equal(sink.n, 51);
	for (uint8_t i = 0; i < 51; i++)
		assert_int_equal(sink.first[i], i);
	assert_false(a->if_flags & IFF_OACTIVE_);
	if_clone_destroy(a);
}

/*
 * Flood both ways with a queue of one, destroy an end in the middle: the assertions in there hold,
 * every frame is counted once.
 */
static void
test_b23_epair_destroyed_in_mid_flood_leaves_nothing(void **state)
{
	(void)state;
	for (int queued = 0; queued < 40; queued++) {
		struct ifnet *a, *b, *c, *d;
		uint64_t dropped = drop_total(curvnet);

		sink.n = 0;
		pair_up(&a, &b);
		pair_up(&c, &d);
		assert_int_equal(netisr_set_qlimit(NETISR_EPAIR, (uint32_t)(1 + queued % 3)), 0);
		for (uint8_t i = 0; i < queued; i++) {
			transmit(a, frame_to_peer(a, i));
			transmit(b, frame_to_peer(b, i));
			transmit(c, frame_to_peer(c, i));
			if (i % 8 == 7)
				netisr_run();
		}
		assert_int_equal(if_clone_destroy(queued % 2 ? a : b), 0);
		while (netisr_run())
			continue;
		assert_int_equal(sink.n + (drop_total(curvnet) - dropped), 3 * queued);
		assert_int_equal(c->if_snd.len, 0);
		assert_int_equal(if_clone_destroy(d), 0);
	}
}

static void
test_b03_netisr_queue_follows_ifqmaxlen(void **state)
{
	struct ifnet *a, *b;

	(void)state;
	kern_teardown(state);
	worker_attach(0, CLOCK_VIRTUAL);
	assert_int_equal(sysctl_tune("net.link.ifqmaxlen", "7", NULL, 0), 0);
	kern_init();
	audit_take(&fixture_before);
	assert_int_equal(netisr_qlimit(NETISR_EPAIR), 42 * 7);
	expect_line("sysctl -n net.link.epair.netisr_maxqlen", 0, "294\n", "");
	assert_int_equal(epair_create(&a, &b), 0);
	assert_int_equal(a->if_snd_maxlen, 7);
	assert_true(says("show ifnet epair0a", false, "if_snd.ifq_maxlen = 7\n"));
	/* The eighth packet behind a stopped queue is dropped and counted. */
	if_up(a);
	if_up(b);
	assert_int_equal(netisr_set_qlimit(NETISR_EPAIR, 1), 0);
	for (uint8_t i = 0; i < 1 + 8; i++)
		transmit(a, frame_to_peer(a, i));
	assert_int_equal(a->if_snd.len, 7);
	assert_int_equal(a->if_snd_drops, 1);
	assert_true(says("sysctl net.link.ifqmaxlen=9", false, "read only"));
	expect_line("sysctl -n net.link.ifqmaxlen", 0, "7\n", "");
	if_clone_destroy(a);
}

static void
test_netisr_maxqlen_is_read_and_set(void **state)
{
	(void)state;
	expect_line("sysctl -n net.link.epair.netisr_maxqlen", 0, "2100\n", "");
	expect_line("sysctl net.link.epair.netisr_maxqlen=10", 0, NULL, "");
	assert_int_equal(netisr_qlimit(NETISR_EPAIR), 10);
	assert_true(says("sysctl net.link.epair.netisr_maxqlen=0", false, "nvalid"));
}

static void
test_a_pipe_in_the_cable_delivers_directly(void **state)
{
	struct ifnet *a, *b;
	struct batch batch = { .n = 1 };

	(void)state;
	pair_up(&a, &b);
	batch.m[0] = frame_to_peer(a, 3);
	epair_deliver(a, &batch);
	assert_int_equal(sink.n, 1);
	assert_ptr_equal(sink.rcvif, b);
	if_clone_destroy(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_what_one_end_sends_the_other_receives_by_the_queue),
		NET_TEST(test_addresses_come_from_the_index_and_never_meet),
		NET_TEST(test_link_is_up_while_the_peer_is_up),
		NET_TEST(test_destroying_one_end_removes_both_wherever_they_live),
		NET_TEST(test_b23_what_netisr_refuses_waits_in_the_send_queue_in_order),
		NET_TEST(test_b23_epair_destroyed_in_mid_flood_leaves_nothing),
		NET_TEST(test_b03_netisr_queue_follows_ifqmaxlen),
		NET_TEST(test_netisr_maxqlen_is_read_and_set),
		NET_TEST(test_a_pipe_in_the_cable_delivers_directly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
