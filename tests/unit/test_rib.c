/*
 * Unit tests of routes (route/rib.c): what is accepted, what a packet then gets, what leaves with
 * an interface or an address.
 *
 *	mem0 10.0.0.1/24, mem1 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "inet/arp.h"
#include "base/sched.h"
#include "memif.h"

#include <errno.h>
#include <stdio.h>

static struct memif lan, wan;

static uint32_t
a4(const char *text)
{
	uint32_t addr = 0;

	assert_true(in_aton(text, &addr));
	return addr;
}

static struct rt_addr
prefix(const char *text)
{
	struct rt_addr a;

	assert_true(rt_addr_parse(text, AF_INET, &a));
	return a;
}

static struct rt_request
request(const char *dst, const char *gateway)
{
	struct rt_request rq = { .dst = prefix(dst), .flags = RTF_STATIC_ };

	if (gateway != NULL)
		rq.gateway = prefix(gateway);
	return rq;
}

static int
add(const char *dst, const char *gateway)
{
	struct rt_request rq = request(dst, gateway);

	return rib_add(&rq, NULL);
}

static int delete (const char *dst, const char *gateway)
{
	struct rt_request rq = request(dst, gateway);

	return rib_delete(&rq);
}

static const struct nexthop *
hop(const char *dst)
{
	return fib_lookup4(0, a4(dst));
}

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	if (in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0) != 0 ||
	    in_addr_add(wan.ifp, a4("10.1.0.1"), 24, 0, 0) != 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	if (lan.ifp != NULL)
		memif_close(&lan);
	if (wan.ifp != NULL)
		memif_close(&wan);
	rcu_synchronize();
	return kern_teardown(state);
}

static void
test_a_route_leads_to_its_gateways_link(void **state)
{
	(void)state;
	assert_int_equal(add("10.9.0.0/16", "10.1.0.254"), 0);
	assert_ptr_equal(hop("10.9.1.1")->ifp, wan.ifp);
	assert_int_equal(hop("10.9.1.1")->gw4, a4("10.1.0.254"));
	assert_int_equal(hop("10.9.1.1")->flags, RTF_UP_ | RTF_GATEWAY_ | RTF_STATIC_);
	assert_int_equal(in_ifaddr_of(hop("10.9.1.1")->ifa)->addr, a4("10.1.0.1"));
	assert_null(hop("11.0.0.1"));
	assert_int_equal(delete ("10.9.0.0/16", NULL), 0);
	assert_null(hop("10.9.1.1"));
}

static void
test_errors_say_why_and_change_nothing(void **state)
{
	uint64_t before = rib_count(0, AF_INET);

	(void)state;
	assert_int_equal(add("10.9.0.0/16", "192.0.2.1"), -ENETUNREACH);
	/* the route would be the way to its own gateway */
	assert_int_equal(add("10.1.0.0/25", "10.1.0.5"), -EADDRINUSE);
	assert_int_equal(add("10.1.0.5", "10.1.0.5"), -EADDRINUSE);
	/* a gateway behind a gateway is not on a link */
	assert_int_equal(add("10.9.0.0/16", "10.1.0.254"), 0);
	assert_int_equal(add("10.10.0.0/16", "10.9.0.1"), -ENETUNREACH);
	assert_int_equal(add("10.9.0.0/16", "10.0.0.254"), -EEXIST);
	assert_int_equal(delete ("10.10.0.0/16", NULL), -ESRCH);
	assert_int_equal(delete ("10.9.0.0/16", "10.0.0.254"), -ESRCH);
	assert_int_equal(delete ("10.9.0.0/16", "10.1.0.254"), 0);
	assert_int_equal(rib_count(0, AF_INET), before);
}

static void
test_an_interfaces_prefix_is_pinned(void **state)
{
	struct rt_request rq = request("10.0.0.0/24", "10.1.0.254");

	(void)state;
	assert_int_equal(delete ("10.0.0.0/24", NULL), -EADDRINUSE);
	assert_int_equal(delete ("10.0.0.1", NULL), -EADDRINUSE);
	assert_int_equal(rib_change(&rq, NULL), -EADDRINUSE);
	assert_ptr_equal(hop("10.0.0.7")->ifp, lan.ifp);
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.1")), 0);
	assert_null(hop("10.0.0.7"));
}

static void
test_change_keeps_what_it_does_not_name(void **state)
{
	struct rt_request rq = request("10.9.0.0/16", "10.1.0.254");

	(void)state;
	rq.mtu = 1400;
	assert_int_equal(rib_add(&rq, NULL), 0);
	rq = request("10.9.0.0/16", "10.0.0.254");
	assert_int_equal(rib_change(&rq, NULL), 0);
	assert_ptr_equal(hop("10.9.0.1")->ifp, lan.ifp);
	assert_int_equal(hop("10.9.0.1")->mtu, 1400);
	rq = request("10.9.0.0/16", NULL);
	rq.flags = RTF_BLACKHOLE_;
	assert_int_equal(rib_change(&rq, NULL), 0);
	assert_int_equal(hop("10.9.0.1")->gw4, a4("10.0.0.254"));
	assert_true(hop("10.9.0.1")->flags & RTF_BLACKHOLE_);
	assert_true(hop("10.9.0.1")->flags & RTF_STATIC_);
	/* a change that can't be leaves the old route */
	rq = request("10.9.0.0/16", "192.0.2.1");
	assert_int_equal(rib_change(&rq, NULL), -ENETUNREACH);
	assert_int_equal(hop("10.9.0.1")->gw4, a4("10.0.0.254"));
	rq = request("10.77.0.0/16", "10.0.0.254");
	assert_int_equal(rib_change(&rq, NULL), -ESRCH);
}

static void
test_routes_leave_with_their_interface(void **state)
{
	(void)state;
	assert_int_equal(add("default", "10.0.0.254"), 0);
	assert_int_equal(add("10.9.0.0/16", "10.1.0.254"), 0);
	memif_close(&wan);
	assert_ptr_equal(hop("10.9.1.1")->ifp, lan.ifp);
	memif_close(&lan);
	assert_null(hop("10.9.1.1"));
	assert_int_equal(rib_count(0, AF_INET), 0);
}

static void
test_a_route_expires_to_the_nanosecond(void **state)
{
	struct rt_request rq = request("10.9.0.0/16", "10.1.0.254");
	uint64_t start = clock_now();

	(void)state;
	rq.expire_ns = start + 30 * NS_PER_SEC;
	assert_int_equal(rib_add(&rq, NULL), 0);
	rq = request("10.8.0.0/16", "10.1.0.254");
	rq.expire_ns = start + 10 * NS_PER_SEC;
	assert_int_equal(rib_add(&rq, NULL), 0);
	sched_run(start + 10 * NS_PER_SEC);
	assert_non_null(hop("10.8.0.1"));
	sched_run(start + 10 * NS_PER_SEC + 1);
	assert_null(hop("10.8.0.1"));
	sched_run(start + 30 * NS_PER_SEC);
	assert_non_null(hop("10.9.0.1"));
	sched_run(start + 30 * NS_PER_SEC + 1);
	assert_null(hop("10.9.0.1"));
}

static int
delete_walked(struct rtentry *rt, void *ctx)
{
	unsigned *n = ctx;

	if (rt->nh.flags & RTF_STATIC_ && !(rt->nh.flags & RTF_LOCAL_)) {
		struct rt_request rq = { .dst = rt->dst, .fib = rt->fib };

		assert_int_equal(rib_delete(&rq), 0);
		++*n;
	}
	return 0;
}

static void
test_every_route_can_be_deleted_by_its_walk(void **state)
{
	char text[32];
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.0/%d", 20 + i / 8, i, 17 + i % 8);
		assert_int_equal(add(text, "10.1.0.254"), 0);
	}
	rib_walk(0, AF_INET, delete_walked, &n);
	assert_int_equal(n, 200);
	assert_int_equal(rib_count(0, AF_INET), 4);
}

/*
 * Behaviours 41: the host route of an address that several links share stays until the last of them
 * goes.
 */
static void
test_shared_local_host_route_lives_as_long_as_its_last_user(void **state)
{
	struct ifnet *ptp[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		ptp[i] = if_alloc(IFT_PPP_, "tun", i);
		assert_non_null(ptp[i]);
		ptp[i]->if_flags |= IFF_POINTOPOINT_;
		ptp[i]->if_transmit = memif_transmit;
		ptp[i]->if_output[AF_SLOT_INET] = if_transmit_batch;
		assert_int_equal(if_attach(ptp[i]), 0);
		assert_int_equal(in_addr_add(ptp[i], a4("172.16.0.1"), 24,
				     a4("172.16.0.2") + (uint32_t)i * 0x01000000, 0),
		    0);
		assert_int_equal(hop("172.16.0.1")->rt->users, i + 1);
	}
	assert_ptr_equal(hop("172.16.0.1")->ifp, V_loif);
	for (int i = 0; i < 3; i++) {
		assert_true(hop("172.16.0.1")->flags & RTF_LOCAL_);
		assert_ptr_equal(hop("172.16.0.1")->ifa->ifp, ptp[i]);
		assert_ptr_equal(in_local(a4("172.16.0.1"))->ifa.ifp, ptp[i]);
		if_detach(ptp[i]);
		if_free(ptp[i]);
	}
	assert_null(hop("172.16.0.1"));
	assert_null(in_local(a4("172.16.0.1")));
}

/* Behaviours 18: only family and address make a key. */
static void
test_keys_carry_neither_port_nor_padding(void **state)
{
	struct {
		uint32_t addr;
		uint16_t port;
		uint8_t pad[10];
	} dirty;
	struct rt_addr a, b;

	(void)state;
	memset(&dirty, 0xa5, sizeof(dirty));
	dirty.addr = a4("10.9.8.7");
	a = rt_addr_make(AF_INET, &dirty.addr, 20);
	dirty.port = 53;
	b = rt_addr_make(AF_INET, &dirty, 20);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(load32(a.addr), a4("10.9.0.0"));
	for (size_t i = 4; i < sizeof(a.addr); i++)
		assert_int_equal(a.addr[i], 0);
	dirty.addr = a4("10.9.8.7");
	assert_int_equal(add("10.9.8.7", "10.1.0.254"), 0);
	a = rt_addr_make(AF_INET, &dirty, 32);
	assert_non_null(rib_exact(0, &a));
}

static void
test_a_next_hop_gives_its_neighbour_back(void **state)
{
	struct llentry *one, *two;
	struct nexthop *nh;

	(void)state;
	assert_int_equal(add("10.9.0.0/16", "10.1.0.254"), 0);
	nh = fib_lookup4(0, a4("10.9.0.1"));
	one = arp_entry(wan.ifp, a4("10.1.0.254"));
	two = arp_entry(wan.ifp, a4("10.1.0.253"));
	nexthop_set_lle(nh, one);
	assert_int_equal(one->refs, 2);
	nexthop_set_lle(nh, two);
	assert_int_equal(one->refs, 1);
	assert_int_equal(two->refs, 2);
	assert_int_equal(delete ("10.9.0.0/16", NULL), 0);
	assert_int_equal(two->refs, 1);
	/* the batch that still has it caches nothing any more */
	nexthop_set_lle(nh, one);
	assert_int_equal(one->refs, 1);
}

static void
test_each_allocation_may_fail_and_nothing_is_left(void **state)
{
	struct audit_counts before;
	char text[256];

	(void)state;
	assert_int_equal(add("default", "10.0.0.254"), 0);
	rcu_synchronize();
	audit_take(&before);
	for (uint64_t at = 1;; at++) {
		uint64_t routes = rib_count(0, AF_INET);
		bool failed = false;

		vnet_malloc_fail_at(at);
		for (int i = 0; i < 30; i++) {
			char dst[32];
			int error;

			snprintf(dst, sizeof(dst), "10.%d.0.0/16", 100 + i);
			error = add(dst, "10.0.0.254");
			assert_true(error == 0 || error == -ENOMEM);
			if (error != 0) {
				failed = true;
				assert_int_equal(hop("10.129.0.1")->gw4, a4("10.0.0.254"));
			}
		}
		vnet_malloc_fail_at(0);
		for (int i = 0; i < 30; i++) {
			char dst[32];

			snprintf(dst, sizeof(dst), "10.%d.0.0/16", 100 + i);
			(void)delete (dst, NULL);
		}
		assert_int_equal(rib_count(0, AF_INET), routes);
		if (!failed)
			break;
	}
	assert_int_equal(delete ("default", NULL), 0);
	rcu_synchronize();
	audit_compare(&before, text, sizeof(text));
	assert_null(strstr(text, "nexthop"));
}

/* Behaviours 22: tables of a stack that ends are freed, also with 16 FIBs. */
static void
many_stacks(uint32_t fibs, unsigned stacks)
{
	struct audit_counts before;
	char text[256];
	uint32_t was = rt_numfibs;

	rt_numfibs = fibs;
	rcu_synchronize();
	audit_take(&before);
	for (unsigned i = 0; i < stacks; i++) {
		struct vnet *vnet = vnet_alloc();

		assert_non_null(vnet);
		{
			VNET_SCOPE(vnet);
			struct memif mi;

			memif_open(&mi, 0);
			assert_int_equal(in_addr_add(mi.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
			for (uint8_t fib = 0; fib < fibs; fib++) {
				struct rt_request rq = request("default", "10.0.0.254");

				rq.fib = fib;
				assert_int_equal(rib_add(&rq, NULL), 0);
				assert_ptr_equal(fib_lookup4(fib, a4("192.0.2.1"))->ifp, mi.ifp);
			}
			if (i % 2 == 0)
				memif_close(&mi);
			else
				memif_clear(&mi);
			if (i % 2 == 1) {
				ether_detach(mi.ifp);
				if_free(mi.ifp);
			}
		}
		vnet_destroy(vnet);
		rcu_poll();
	}
	rcu_synchronize();
	rt_numfibs = was;
	if (audit_compare(&before, text, sizeof(text)) != 0)
		fail_msg("%u FIBs: left behind: %s", fibs, text);
}

static void
test_ten_thousand_stacks_leave_nothing(void **state)
{
	(void)state;
	many_stacks(1, 10000);
}

static void
test_sixteen_fibs_of_many_stacks_leave_nothing(void **state)
{
	(void)state;
	many_stacks(16, 1000);
}

static void
test_addresses_stand_in_all_fibs_or_in_the_interfaces_own(void **state)
{
	(void)state;
	rt_numfibs = 3;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.5.0.1"), 24, 0, 0), 0);
	for (uint8_t fib = 0; fib < 3; fib++)
		assert_non_null(fib_lookup4(fib, a4("10.5.0.9")));
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.5.0.1")), 0);
	for (uint8_t fib = 0; fib < 3; fib++)
		assert_null(fib_lookup4(fib, a4("10.5.0.9")));
	expect_line("sysctl -n net.add_addr_allfibs=0", 0, NULL, "");
	lan.ifp->if_fib = 2;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.5.0.1"), 24, 0, 0), 0);
	assert_null(fib_lookup4(0, a4("10.5.0.9")));
	assert_non_null(fib_lookup4(2, a4("10.5.0.9")));
	/* what is there goes from where it is, whatever the sysctl says by then */
	expect_line("sysctl -n net.add_addr_allfibs=1", 0, NULL, "");
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.5.0.1")), 0);
	assert_null(fib_lookup4(2, a4("10.5.0.9")));
	lan.ifp->if_fib = 0;
	rt_numfibs = 1;
}

#define RIB_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIB_TEST(test_a_route_leads_to_its_gateways_link),
		RIB_TEST(test_errors_say_why_and_change_nothing),
		RIB_TEST(test_an_interfaces_prefix_is_pinned),
		RIB_TEST(test_change_keeps_what_it_does_not_name),
		RIB_TEST(test_routes_leave_with_their_interface),
		RIB_TEST(test_a_route_expires_to_the_nanosecond),
		RIB_TEST(test_every_route_can_be_deleted_by_its_walk),
		RIB_TEST(test_shared_local_host_route_lives_as_long_as_its_last_user),
		RIB_TEST(test_keys_carry_neither_port_nor_padding),
		RIB_TEST(test_a_next_hop_gives_its_neighbour_back),
		RIB_TEST(test_each_allocation_may_fail_and_nothing_is_left),
		RIB_TEST(test_addresses_stand_in_all_fibs_or_in_the_interfaces_own),
		KERN_TEST(test_ten_thousand_stacks_leave_nothing),
		KERN_TEST(test_sixteen_fibs_of_many_stacks_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
