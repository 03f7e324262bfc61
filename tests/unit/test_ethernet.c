/* Ethernet: which frame goes where, in which order. */
#include "net_fixture.h"

#include "net/bpf.h"
#include "net/if_multi.h"
#include "net/pfil.h"

static struct ifnet *wire, *end;

static int
ether_setup(void **state)
{
	net_setup(state);
	pair_up(&wire, &end);
	return 0;
}

static int
ether_teardown(void **state)
{
	if (end != NULL)
		if_clone_destroy(end);
	return net_teardown(state);
}
#define ETHER_TEST(fn) cmocka_unit_test_setup_teardown(fn, ether_setup, ether_teardown)

static void
arrive(struct mbuf *m)
{
	struct batch b = { .n = 1, .m = { m } };

	if_receive(end, &b);
	assert_int_equal(b.n, 0);
}

static void
test_a_frame_for_us_reaches_ip_without_its_header(void **state)
{
	(void)state;
	arrive(frame(end->if_lladdr, somebody, ETHERTYPE_IP_, 0x45, 46));
	assert_int_equal(sink.n, 1);
	assert_int_equal(sink.proto[0], NETISR_IP);
	assert_int_equal(sink.first[0], 0x45);
	assert_int_equal(sink.flags[0], 0);
	assert_ptr_equal(sink.rcvif, end);
	assert_int_equal(end->if_data.ipackets, 1);
	assert_int_equal(end->if_data.ibytes, 60);
	assert_int_equal(end->if_data.imcasts, 0);
}

static void
test_broadcast_and_multicast_are_marked_and_counted(void **state)
{
	static const uint8_t group[6] = { 0x01, 0, 0x5e, 0, 0, 1 };

	(void)state;
	assert_int_equal(if_multi_add(end, group), 0);
	arrive(frame(ether_broadcast, somebody, ETHERTYPE_ARP_, 0, 46));
	arrive(frame(group, somebody, ETHERTYPE_IP_, 0x45, 46));
	assert_int_equal(sink.n, 2);
	assert_int_equal(sink.flags[0], M_BCAST);
	assert_int_equal(sink.flags[1], M_MCAST);
	assert_int_equal(end->if_data.imcasts, 2);
}

static void
test_every_lost_frame_is_a_named_drop(void **state)
{
	static const uint8_t group[6] = { 0x03, 0, 0, 0, 0, 1 };
	struct mbuf *m = m_get(13);

	(void)state;
	arrive(m);
	arrive(frame(somebody, somebody, ETHERTYPE_IP_, 0, 46));
	arrive(frame(end->if_lladdr, somebody, 0x88cc, 0, 46));
	arrive(frame(end->if_lladdr, group, ETHERTYPE_IP_, 0, 46));
	assert_int_equal(sink.n, 0);
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_SHORT), 1);
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_NOT_FOR_US), 1);
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_NOPROTO), 1);
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_SRC_MCAST), 1);
	assert_int_equal(end->if_data.noproto, 1);
	assert_int_equal(end->if_data.ierrors, 2);
	end->if_flags |= IFF_MONITOR_;
	arrive(frame(end->if_lladdr, somebody, ETHERTYPE_IP_, 0, 46));
	assert_int_equal(drop_get(curvnet, &DROP_ETHER_MONITOR), 1);
	end->if_flags &= ~(uint32_t)IFF_MONITOR_;
	if_down(end);
	arrive(frame(end->if_lladdr, somebody, ETHERTYPE_IP_, 0, 46));
	assert_int_equal(drop_get(curvnet, &DROP_IF_DOWN), 1);
}

/*
 * All orders of up to six frames of three kinds: what arrives is what was sent less the drops, in
 * order.
 */
static void
test_runs_keep_the_order_of_the_wire(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 729; code++) {
		struct batch b = { .n = 0 };
		uint8_t proto[6];
		unsigned rest = code, expect = 0, kinds = 0, last = 9;

		sink.n = sink.batches = 0;
		for (uint8_t i = 0; i < 6; i++, rest /= 3) {
			unsigned kind = rest % 3;

			batch_add(&b,
			    frame(kind == 2 ? somebody : end->if_lladdr, somebody,
				kind == 1 ? ETHERTYPE_ARP_ : ETHERTYPE_IP_, i, 46));
			if (kind != 2) {
				proto[expect++] = i;
				kinds += kind != last;
			}
			last = kind;
		}
		if_receive(end, &b);
		assert_int_equal(b.n, 0);
		assert_int_equal(sink.n, expect);
		assert_int_equal(sink.batches, kinds);
		assert_memory_equal(sink.first, proto, expect);
	}
}

static void
test_a_full_batch_of_one_kind_stays_one_batch(void **state)
{
	struct batch b = { .n = 0 };

	(void)state;
	while (!batch_full(&b))
		batch_add(&b, frame(end->if_lladdr, somebody, ETHERTYPE_IP_, (uint8_t)b.n, 46));
	if_receive(end, &b);
	assert_int_equal(sink.batches, 1);
	assert_int_equal(sink.n, BATCH_MAX);
}

static void
test_what_a_packet_was_to_its_sender_ends_at_the_interface(void **state)
{
	struct mbuf *m = frame(end->if_lladdr, somebody, ETHERTYPE_IP_, 0x45, 46);

	(void)state;
	m->flags = M_FORWARDED | M_LOOP | M_PASSED_PFIL | M_CSUM_OK;
	end->if_fib = 3;
	arrive(m);
	assert_int_equal(sink.flags[0], M_CSUM_OK);
}

static void
drop_evens(void *ctx, struct batch *b, struct ifnet *ifp, enum pfil_dir dir)
{
	struct batch keep = { .n = 0 };

	(void)ifp;
	++*(int *)ctx;
	assert_int_equal(dir, PFIL_IN);
	batch_foreach(b, m) {
		if (m->data[ETHER_HDR_LEN_] % 2 == 0)
			m_free(m);
		else
			batch_add(&keep, m);
	}
	*b = keep;
}

static void
test_a_link_filter_sees_whole_frames(void **state)
{
	int calls = 0;

	(void)state;
	assert_int_equal(pfil_add(PFIL_LINK, PFIL_IN, drop_evens, &calls, 0), 0);
	for (uint8_t i = 0; i < 4; i++)
		arrive(frame(end->if_lladdr, somebody, ETHERTYPE_IP_, i, 46));
	assert_int_equal(calls, 4);
	assert_int_equal(sink.n, 2);
	pfil_remove(PFIL_LINK, PFIL_IN, drop_evens, &calls);
}

struct listener {
	struct bpf_listener l;
	struct bpf_listener *also_detach;
	int in, out, gone;
	bool once;
};

static void
tap(struct bpf_listener *l, struct ifnet *ifp, const struct mbuf *m, enum bpf_dir dir)
{
	struct listener *me = (struct listener *)(void *)l;

	assert_ptr_equal(curvnet, ifp->if_vnet);
	assert_true(m->len >= ETHER_HDR_LEN_);
	if (dir == BPF_IN)
		me->in++;
	else
		me->out++;
	if (me->also_detach != NULL)
		bpf_detach(me->also_detach);
	if (me->once)
		bpf_detach(l);
}

static void
gone(struct bpf_listener *l, struct ifnet *ifp)
{
	(void)ifp;
	((struct listener *)(void *)l)->gone++;
}

static void
test_taps_see_both_ways_and_may_leave_from_inside(void **state)
{
	struct listener a = { .l = { .tap = tap, .gone = gone } }, b = a, once = a;

	(void)state;
	once.once = true;
	once.also_detach = &b.l;
	assert_int_equal(bpf_attach(&a.l, end), 0);
	assert_int_equal(bpf_attach(&b.l, end), 0);
	assert_int_equal(bpf_attach(&once.l, end), 0);
	arrive(frame(somebody, somebody, ETHERTYPE_IP_, 0, 46));
	assert_int_equal(once.in, 1);
	assert_int_equal(a.in, 1);
	assert_int_equal(b.in, 0);
	transmit(end, frame(somebody, end->if_lladdr, ETHERTYPE_IP_, 0, 46));
	assert_int_equal(a.out, 1);
	assert_int_equal(once.out, 0);
	if_clone_destroy(end);
	end = NULL;
	assert_int_equal(a.gone, 1);
	assert_int_equal(b.gone, 0);
}

static void
test_addresses_are_read_strictly(void **state)
{
	static const uint8_t expect[6] = { 0x02, 0, 0, 0, 0x01, 0x0a };
	static const char *const bad[] = { "", "02:00:00:00:01",
		"02:00:00:00:01:0a:", "02:00:00:00:01:0g", "02:00:00:00:01:00a", "2-0-0-0-1-a",
		"02:00::00:01:0a", " 02:00:00:00:01:0a", "02:00:00:00:01:0a x" };
	uint8_t lladdr[6];
	char text[18];

	(void)state;
	assert_true(ether_aton_("2:0:0:0:1:A", lladdr));
	assert_memory_equal(lladdr, expect, 6);
	assert_string_equal(ether_ntoa_(lladdr, text), "02:00:00:00:01:0a");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ether_aton_(bad[i], lladdr));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ETHER_TEST(test_a_frame_for_us_reaches_ip_without_its_header),
		ETHER_TEST(test_broadcast_and_multicast_are_marked_and_counted),
		ETHER_TEST(test_every_lost_frame_is_a_named_drop),
		ETHER_TEST(test_runs_keep_the_order_of_the_wire),
		ETHER_TEST(test_a_full_batch_of_one_kind_stays_one_batch),
		ETHER_TEST(test_what_a_packet_was_to_its_sender_ends_at_the_interface),
		ETHER_TEST(test_a_link_filter_sees_whole_frames),
		ETHER_TEST(test_taps_see_both_ways_and_may_leave_from_inside),
		NET_TEST(test_addresses_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
