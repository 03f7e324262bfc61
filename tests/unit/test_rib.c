/*
 * Unit tests of routes (route/rib.c): what is accepted, what a packet then gets, what leaves with
 * an interface or an address.
 *
 *	mem0 10.0.0.1/24, mem1 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "base/sched.h"
#include "inet/arp.h"
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
test_b41_shared_local_host_route_lives_as_long_as_its_last_user(void **state)
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
test_b18_keys_carry_neither_port_nor_padding(void **state)
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
test_b22_ten_thousand_stacks_leave_nothing(void **state)
{
	(void)state;
	many_stacks(1, 10000);
}

static void
test_b22_sixteen_fibs_of_many_stacks_leave_nothing(void **state)
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

/* --- IPv6 ---------------------------------------------------------------- */

static struct rt_addr
prefix6(const char *text)
{
	struct rt_addr a;

	assert_true(rt_addr_parse(text, AF_INET6, &a));
	return a;
}

static struct rt_request
request6(const char *dst, const char *gateway, struct ifnet *ifp)
{
	struct rt_request rq = { .dst = prefix6(dst), .flags = RTF_STATIC_, .ifp = ifp };

	if (gateway != NULL)
		rq.gateway = prefix6(gateway);
	return rq;
}

static int
add6(const char *dst, const char *gateway, struct ifnet *ifp)
{
	struct rt_request rq = request6(dst, gateway, ifp);

	return rib_add(&rq, NULL);
}

static int
delete6(const char *dst, const char *gateway)
{
	struct rt_request rq = request6(dst, gateway, NULL);

	return rib_delete(&rq);
}

static const struct nexthop *
hop6(const char *dst)
{
	struct rt_addr a = prefix6(dst);

	return fib_lookup6(0, rt_addr_in6(&a));
}

static void
test_a_gateway_of_link_scope_is_on_its_zones_link(void **state)
{
	struct rt_addr gateway;

	(void)state;
	assert_int_equal(add6("default", "fe80::1%mem1", NULL), 0);
	assert_ptr_equal(hop6("2001:db8::1")->ifp, wan.ifp);
	assert_int_equal(hop6("2001:db8::1")->flags, RTF_UP_ | RTF_GATEWAY_ | RTF_STATIC_);
	gateway = prefix6("fe80::1%mem1");
	assert_memory_equal(&hop6("2001:db8::1")->rt->gateway, &gateway, sizeof(gateway));
	/* the zone may come from the interface, and then it is in the route */
	assert_int_equal(add6("2001:db8::/32", "fe80::1", lan.ifp), 0);
	assert_ptr_equal(hop6("2001:db8::1")->ifp, lan.ifp);
	gateway = prefix6("fe80::1%mem0");
	assert_memory_equal(&hop6("2001:db8::1")->rt->gateway, &gateway, sizeof(gateway));
	/* the same address on another link is another gateway */
	assert_int_equal(delete6("2001:db8::/32", "fe80::1%mem1"), -ESRCH);
	assert_int_equal(delete6("2001:db8::/32", "fe80::1%mem0"), 0);
	assert_int_equal(add6("2001:db8::/32", "fe80::1", NULL), -ENETUNREACH);
	assert_int_equal(add6("2001:db8::/32", "fe80::1%999", NULL), -ENETUNREACH);
	assert_int_equal(add6("2001:db8::/32", "fe80::1%mem1", lan.ifp), -EINVAL);
	assert_int_equal(rib_count(0, AF_INET6), 1);
}

static void
test_other_ipv6_gateways_need_an_on_link_route(void **state)
{
	struct rt_request rq = request6("2001:db8:9::/48", NULL, NULL);

	(void)state;
	assert_int_equal(add6("2001:db8:9::/48", "2001:db8:1::254", NULL), -ENETUNREACH);
	assert_int_equal(add6("2001:db8:1::/64", NULL, lan.ifp), 0);
	assert_int_equal(add6("2001:db8:9::/48", "2001:db8:1::254", NULL), 0);
	assert_ptr_equal(hop6("2001:db8:9::1")->ifp, lan.ifp);
	assert_true(hop6("2001:db8:1::77")->flags & RTF_UP_);
	assert_false(hop6("2001:db8:1::77")->flags & RTF_GATEWAY_);
	assert_int_equal(add6("2001:db8:9:1::/64", "2001:db8:9::1", NULL), -ENETUNREACH);
	assert_int_equal(add6("2001:db8:1::/65", "2001:db8:1::5", NULL), -EADDRINUSE);
	assert_int_equal(add6("2001:db8:9::/48", "2001:db8:1::253", NULL), -EEXIST);
	/* families do not mix */
	rq.gateway = prefix("10.0.0.254");
	assert_int_equal(rib_change(&rq, NULL), -EINVAL);
	rq = request6("2001:db8:9::/48", "fe80::7%mem1", NULL);
	assert_int_equal(rib_change(&rq, NULL), 0);
	assert_ptr_equal(hop6("2001:db8:9::1")->ifp, wan.ifp);
}

static void
test_ipv6_routes_leave_with_their_interface_and_in_time(void **state)
{
	struct rt_request rq = request6("2001:db8:2::/48", "fe80::2%mem0", NULL);
	uint64_t start = clock_now();

	(void)state;
	rq.expire_ns = start + 5 * NS_PER_SEC;
	assert_int_equal(rib_add(&rq, NULL), 0);
	assert_int_equal(add6("default", "fe80::1%mem1", NULL), 0);
	assert_int_equal(add6("fe80::%mem1/64", NULL, wan.ifp), 0);
	assert_int_equal(add6("fe80::%mem0/64", NULL, lan.ifp), 0);
	assert_ptr_equal(hop6("fe80::5%mem0")->ifp, lan.ifp);
	assert_ptr_equal(hop6("fe80::5%mem1")->ifp, wan.ifp);
	memif_close(&wan);
	assert_null(hop6("2001:db8:3::1"));
	assert_non_null(hop6("fe80::5%mem0"));
	sched_run(start + 5 * NS_PER_SEC);
	assert_non_null(hop6("2001:db8:2::1"));
	sched_run(start + 5 * NS_PER_SEC + 1);
	assert_null(hop6("2001:db8:2::1"));
	assert_int_equal(rib_count(0, AF_INET6), 1);
}

static void
test_an_ipv6_address_of_ours_that_links_share_has_one_host_route(void **state)
{
	struct rt_addr host = prefix6("fd00::1");
	struct ifaddr *one = TAILQ_FIRST(&lan.ifp->if_addrs);
	struct ifaddr *two = TAILQ_FIRST(&wan.ifp->if_addrs);

	(void)state;
	/* what somebody said before gives way */
	assert_int_equal(add6("fd00::1", "fe80::1%mem1", NULL), 0);
	assert_int_equal(rib_local_add(&host, one), 0);
	assert_int_equal(rib_local_add(&host, two), 0);
	assert_ptr_equal(hop6("fd00::1")->ifp, V_loif);
	assert_int_equal(hop6("fd00::1")->rt->users, 2);
	assert_int_equal(delete6("fd00::1", NULL), -EADDRINUSE);
	rib_local_source(&host, two);
	assert_int_equal(rib_local_delete(&host, one), 0);
	assert_ptr_equal(hop6("fd00::1")->ifa, two);
	assert_int_equal(rib_local_delete(&host, two), 0);
	assert_null(hop6("fd00::1"));
	assert_int_equal(rib_local_delete(&host, two), -ESRCH);
}

/* A prefix of few different ones, in one another. */
static struct rt_addr
some_prefix6(struct rng *rng)
{
	static const uint8_t plens[] = { 0, 16, 32, 33, 48, 64, 96, 127, 128 };
	uint8_t key[16];

	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)(rng_u64(rng) & 0x81);
	return rt_addr_make(AF_INET6, key, plens[rng_below(rng, sizeof(plens))]);
}

static void
test_packets_find_what_the_ipv6_table_says_through_random_changes(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, "rib6");
	for (int round = 0; round < 20000; round++) {
		struct rt_request rq = { .dst = some_prefix6(&rng), .flags = RTF_STATIC_ };
		struct rt_addr probe;
		const struct rtentry *rt;
		const struct nexthop *nh;

		rq.gateway = prefix6(rng_below(&rng, 2) ? "fe80::1%mem0" : "fe80::2%mem1");
		switch (rng_below(&rng, 4)) {
		case 0:
			(void)rib_change(&rq, NULL);
			break;
		case 1:
			rq.gateway.family = 0;
			(void)rib_delete(&rq);
			break;
		case 2:
			rq.expire_ns = clock_now() + rng_below(&rng, 1000);
			/* fallthrough */
		default:
			(void)rib_add(&rq, NULL);
		}
		sched_run(clock_now() + 10);
		probe = some_prefix6(&rng);
		rt = rib_match(0, &probe);
		nh = fib_lookup6(0, rt_addr_in6(&probe));
		/* the next hop of a large table is one for all routes that lead the same way */
		assert_int_equal(nh == NULL, rt == NULL);
		if (rt != NULL) {
			assert_ptr_equal(nh->ifp, rt->nh.ifp);
			assert_memory_equal(&nh->rt->gateway, &rt->gateway, sizeof(rt->gateway));
		}
	}
	memif_close(&lan);
	memif_close(&wan);
	assert_int_equal(rib_count(0, AF_INET6), 0);
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
		RIB_TEST(test_b41_shared_local_host_route_lives_as_long_as_its_last_user),
		RIB_TEST(test_b18_keys_carry_neither_port_nor_padding),
		RIB_TEST(test_a_next_hop_gives_its_neighbour_back),
		RIB_TEST(test_each_allocation_may_fail_and_nothing_is_left),
		RIB_TEST(test_addresses_stand_in_all_fibs_or_in_the_interfaces_own),
		RIB_TEST(test_a_gateway_of_link_scope_is_on_its_zones_link),
		RIB_TEST(test_other_ipv6_gateways_need_an_on_link_route),
		RIB_TEST(test_ipv6_routes_leave_with_their_interface_and_in_time),
		RIB_TEST(test_an_ipv6_address_of_ours_that_links_share_has_one_host_route),
		RIB_TEST(test_packets_find_what_the_ipv6_table_says_through_random_changes),
		KERN_TEST(test_b22_ten_thousand_stacks_leave_nothing),
		KERN_TEST(test_b22_sixteen_fibs_of_many_stacks_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
