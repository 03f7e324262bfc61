/*
 * Unit tests of IPv4 addresses (inet/in.c, in_ifconfig.c, in_names.c).
 */
#include "kern_fixture.h"

#include "base/rng.h"
#include "inet/arp.h"
#include "kern/eventhandler.h"
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

static struct ifnet *
hop_ifp(const char *dst)
{
	const struct nexthop *nh = fib_lookup4(0, a4(dst));

	return nh == NULL ? NULL : nh->ifp;
}

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	return 0;
}

static int
teardown(void **state)
{
	in_hosts_clear();
	if (lan.ifp != NULL)
		memif_close(&lan);
	if (wan.ifp != NULL)
		memif_close(&wan);
	rcu_synchronize();
	return kern_teardown(state);
}

static void
test_an_address_brings_route_broadcast_and_announcement(void **state)
{
	struct in_ifaddr *ia;

	(void)state;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_true(lan.ifp->if_flags & IFF_UP_);
	ia = in_local(a4("10.0.0.1"));
	assert_non_null(ia);
	assert_int_equal(ia->broadcast, a4("10.0.0.255"));
	assert_null(in_local(a4("10.0.0.2")));
	assert_ptr_equal(hop_ifp("10.0.0.2"), lan.ifp);
	assert_ptr_equal(hop_ifp("10.0.0.1"), V_loif);
	assert_true(in_is_broadcast(a4("10.0.0.255"), lan.ifp));
	assert_true(in_is_broadcast(a4("10.0.0.0"), lan.ifp));
	assert_false(in_is_broadcast(a4("10.0.0.254"), lan.ifp));
	assert_true(in_is_broadcast(0xffffffff, lan.ifp));
	/* the gratuitous request: who has 10.0.0.1, tell 10.0.0.1 */
	assert_int_equal(lan.sent.len, 1);
	assert_memory_equal(lan.sent.head->data, ether_broadcast, 6);
	assert_memory_equal(lan.sent.head->data + 28, &(uint32_t){ a4("10.0.0.1") }, 4);
	assert_memory_equal(lan.sent.head->data + 38, &(uint32_t){ a4("10.0.0.1") }, 4);
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.1")), 0);
	assert_null(in_local(a4("10.0.0.1")));
	assert_null(hop_ifp("10.0.0.2"));
}

static void
test_errors_have_numbers(void **state)
{
	(void)state;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), -EEXIST);
	/* one address on two stations' interfaces: behaviours 21 */
	assert_int_equal(in_addr_add(wan.ifp, a4("10.0.0.1"), 24, 0, 0), -EEXIST);
	assert_int_equal(in_addr_add(lan.ifp, a4("224.0.0.1"), 24, 0, 0), -EINVAL);
	assert_int_equal(in_addr_add(lan.ifp, 0, 24, 0, 0), -EINVAL);
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.2"), 33, 0, 0), -EINVAL);
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.2"), 24, a4("10.0.0.3"), 0), -EINVAL);
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.2")), -EADDRNOTAVAIL);
}

/* How many interfaces packets to an address may leave by. */
static unsigned
ways(const char *dst)
{
	uint32_t addr = a4(dst);
	unsigned at = 0, n = 0;

	while (nexthop_path(fib_lookup4(0, addr), &addr, &at) != NULL)
		n++;
	return n;
}

static void
test_a_prefix_on_two_interfaces_is_reached_by_both_until_one_goes(void **state)
{
	(void)state;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_ptr_equal(hop_ifp("10.0.0.9"), lan.ifp);
	assert_int_equal(in_addr_add(wan.ifp, a4("10.0.0.2"), 24, 0, 0), 0);
	assert_int_equal(ways("10.0.0.9"), 2);
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.1")), 0);
	assert_int_equal(ways("10.0.0.9"), 1);
	assert_ptr_equal(hop_ifp("10.0.0.9"), wan.ifp);
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_int_equal(ways("10.0.0.9"), 2);
	/* and when the second is destroyed */
	memif_close(&wan);
	assert_ptr_equal(hop_ifp("10.0.0.9"), lan.ifp);
}

static void
test_an_alias_inherits_the_routes_of_its_prefix(void **state)
{
	(void)state;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.2"), 24, 0, 0), 0);
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.1")), 0);
	assert_ptr_equal(hop_ifp("10.0.0.9"), lan.ifp);
	assert_int_equal(in_ifaddr_of(fib_lookup4(0, a4("192.0.2.1"))->ifa)->addr, a4("10.0.0.2"));
	assert_int_equal(in_addr_delete(lan.ifp, a4("10.0.0.2")), 0);
	assert_null(hop_ifp("192.0.2.1"));
}

static void
test_down_takes_the_prefix_route_and_up_brings_it_back(void **state)
{
	(void)state;
	assert_int_equal(in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	assert_int_equal(in_addr_add(wan.ifp, a4("10.0.0.2"), 24, 0, 0), 0);
	assert_int_equal(if_down(lan.ifp), 0);
	assert_ptr_equal(hop_ifp("10.0.0.9"), wan.ifp);
	assert_int_equal(if_down(wan.ifp), 0);
	assert_null(hop_ifp("10.0.0.9"));
	assert_int_equal(if_up(lan.ifp), 0);
	assert_ptr_equal(hop_ifp("10.0.0.9"), lan.ifp);
	assert_int_equal(if_up(wan.ifp), 0);
	assert_int_equal(ways("10.0.0.9"), 2);
}

static void
test_ten_thousand_of_our_addresses_are_found_and_no_other(void **state)
{
	struct rng rng;
	uint32_t base = 0x0a000000;

	(void)state;
	for (uint32_t i = 1; i <= 3000; i++)
		assert_int_equal(
		    in_addr_add(lan.ifp, __builtin_bswap32(base + i * 7), 32, 0, 0), 0);
	for (uint32_t i = 0; i <= 22000; i++) {
		bool ours = i % 7 == 0 && i > 0 && i <= 21000;

		assert_int_equal(in_local(__builtin_bswap32(base + i)) != NULL, ours);
	}
	rng_seed(&rng, 1, "in");
	for (int i = 0; i < 20000; i++) {
		uint32_t n = (uint32_t)rng_below(&rng, 3000) + 1,
			 addr = __builtin_bswap32(base + n * 7);

		if (in_local(addr) != NULL)
			assert_int_equal(in_addr_delete(lan.ifp, addr), 0);
		else
			assert_int_equal(in_addr_add(lan.ifp, addr, 32, 0, 0), 0);
		assert_null(in_local(__builtin_bswap32(base + n * 7 + 1)));
	}
}

static void
test_each_allocation_may_fail_and_the_address_is_not_there(void **state)
{
	(void)state;
	for (uint64_t at = 1;; at++) {
		int error;

		vnet_malloc_fail_at(at);
		error = in_addr_add(lan.ifp, a4("10.0.0.1"), 24, 0, 0);
		vnet_malloc_fail_at(0);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_null(in_local(a4("10.0.0.1")));
		assert_null(in_ifaddr_first(lan.ifp));
		assert_null(hop_ifp("10.0.0.2"));
		assert_null(hop_ifp("10.0.0.1"));
	}
	assert_non_null(in_local(a4("10.0.0.1")));
}

/*
 * Behaviours 12: ready only after success; what failed is as if never asked, and may be asked
 * again.
 */
static void
test_a_family_without_memory_is_not_attached_and_can_be_later(void **state)
{
	struct ifnet *ifp = if_alloc(IFT_ETHER_, "late", 0);

	(void)state;
	ifp->if_transmit = memif_transmit;
	ifp->if_softc = &lan;
	assert_int_equal(ether_attach(ifp, (const uint8_t[6]){ 2, 0, 0, 0, 7, 7 }), 0);
	ifp->if_flags |= IFF_RUNNING_;
	/* as if the attach had failed */
	lltable_free(ifp->if_afdata[AF_SLOT_INET]);
	ifp->if_afdata[AF_SLOT_INET] = NULL;
	ifp->if_afstate[AF_SLOT_INET] = AF_EMPTY;
	assert_int_equal(in_addr_add(ifp, a4("10.0.0.1"), 24, 0, 0), -EADDRNOTAVAIL);
	vnet_malloc_fail_at(1);
	assert_int_equal(if_attachdomain(ifp), -ENOMEM);
	assert_int_equal(ifp->if_afstate[AF_SLOT_INET], AF_EMPTY);
	assert_null(in_lltable(ifp));
	assert_int_equal(if_attachdomain(ifp), 0);
	assert_int_equal(in_addr_add(ifp, a4("10.0.0.1"), 24, 0, 0), 0);
	ether_detach(ifp);
	if_free(ifp);
}

static void
test_ifconfig_reads_all_forms_of_an_address(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	assert_true(says(
	    "ifconfig mem0", false, "\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255\n"));
	expect_line(
	    "ifconfig mem0 10.0.0.1 netmask 255.255.255.128 broadcast 10.0.0.126", 0, "", "");
	assert_true(says(
	    "ifconfig mem0", false, "\tinet 10.0.0.1 netmask 0xffffff80 broadcast 10.0.0.126\n"));
	expect_line("ifconfig mem0 inet 172.16.0.1 netmask 0xfffff000", 0, "", "");
	assert_null(in_local(a4("10.0.0.1")));
	assert_true(says("ifconfig mem0", false,
	    "\tinet 172.16.0.1 netmask 0xfffff000 broadcast 172.16.15.255\n"));
	expect_line("ifconfig mem0 inet 10.5.0.1/16 alias", 0, "", "");
	expect_line("ifconfig mem0 alias 10.6.0.1/16", 0, "", "");
	expect_line("ifconfig mem0 inet 10.7.0.1/16 add", 0, "", "");
	assert_non_null(in_local(a4("172.16.0.1")));
	assert_non_null(in_local(a4("10.7.0.1")));
	expect_line("ifconfig mem0 inet 10.5.0.1 -alias", 0, "", "");
	expect_line("ifconfig mem0 inet 10.6.0.1 delete", 0, "", "");
	expect_line("ifconfig mem0 -alias 10.7.0.1", 0, "", "");
	assert_null(in_local(a4("10.5.0.1")));
	assert_null(in_local(a4("10.6.0.1")));
	assert_null(in_local(a4("10.7.0.1")));
	/* by class where nothing says otherwise */
	expect_line("ifconfig mem0 192.168.3.4", 0, "", "");
	assert_true(says("ifconfig mem0", false,
	    "\tinet 192.168.3.4 netmask 0xffffff00 broadcast 192.168.3.255\n"));
	expect_line("ifconfig mem0 inet 10.8.0.10-10.8.0.20/24 alias", 0, "", "");
	expect_line("ifconfig mem0 inet 10.8.0.30-33/24 alias", 0, "", "");
	assert_non_null(in_local(a4("10.8.0.20")));
	assert_non_null(in_local(a4("10.8.0.33")));
	assert_null(in_local(a4("10.8.0.21")));
	expect_line("ifconfig mem0 inet 10.8.0.30-33 -alias", 0, "", "");
	assert_null(in_local(a4("10.8.0.31")));
}

static void
test_ifconfig_errors_leave_the_old_address(void **state)
{
	static const char *const lines[] = {
		"ifconfig mem0 inet 10.0.0.300",
		"ifconfig mem0 inet 10.0.0.2/33",
		"ifconfig mem0 inet 10.0.0.2 netmask 255.0.255.0",
		"ifconfig mem0 inet 10.0.0.2 netmask",
		"ifconfig mem0 inet 10.0.0.2 10.0.0.3",
		"ifconfig mem0 inet 224.0.0.1/24",
		"ifconfig mem0 inet 10.1.0.1/24",
		"ifconfig mem0 inet 10.0.0.9 -alias",
		"ifconfig mem0 inet 10.0.0.9-3/24 alias",
		"ifconfig mem0 inet 10.1.0.0-10.1.0.1/24 alias",
	};

	(void)state;
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, "", "");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *err;

		if (verb_line(NULL, lines[i], false, NULL, &err) == 0 ||
		    strncmp(err, "ifconfig: ", 10) != 0)
			fail_msg("%s: says '%s'", lines[i], err);
		free(err);
		assert_non_null(in_local(a4("10.0.0.1")));
		assert_ptr_equal(in_local(a4("10.0.0.1"))->ifa.ifp, lan.ifp);
		assert_null(in_local(a4("10.1.0.0")));
		assert_ptr_equal(hop_ifp("10.0.0.77"), lan.ifp);
	}
	expect_line("ifconfig mem0 inet 10.0.0.9 -alias", 1, "",
	    "ifconfig: mem0: inet 10.0.0.9: ioctl (SIOCDIFADDR): Can't assign requested address\n");
	expect_line("ifconfig mem0 inet 10.0.0.1/24 alias", 1, "",
	    "ifconfig: mem0: inet 10.0.0.1: ioctl (SIOCAIFADDR): File exists\n");
}

static void
test_loopback_and_point_to_point_have_host_routes_only(void **state)
{
	struct ifnet *ifp = if_alloc(IFT_PPP_, "tun", 0);

	(void)state;
	expect_line("ifconfig lo0 inet 127.0.0.1/8", 0, "", "");
	assert_true(says("netstat -rn", false, "127.0.0.1          link#1             UH "));
	assert_null(hop_ifp("127.0.0.2"));
	ifp->if_flags |= IFF_POINTOPOINT_;
	ifp->if_transmit = memif_transmit;
	ifp->if_softc = &lan;
	ifp->if_output[AF_SLOT_INET] = if_transmit_batch;
	assert_int_equal(if_attach(ifp), 0);
	expect_line("ifconfig tun0 inet 10.3.0.1 10.3.0.2 netmask 255.255.255.255", 0, "", "");
	assert_true(
	    says("ifconfig tun0", false, "\tinet 10.3.0.1 --> 10.3.0.2 netmask 0xffffffff\n"));
	assert_ptr_equal(hop_ifp("10.3.0.2"), ifp);
	assert_null(hop_ifp("10.3.0.3"));
	expect_line("ifconfig lo0 inet 127.0.0.1 delete", 0, "", "");
	if_detach(ifp);
	if_free(ifp);
	assert_null(hop_ifp("10.3.0.2"));
}

static void
test_addresses_and_masks_are_read_strictly(void **state)
{
	static const char *const bad[] = { "", "10", "10.0.0", "10.0.0.256", "10.0.0.1 ",
		"10.0.0.01", "a.b.c.d", "1.2.3.4.5" };
	uint32_t addr;
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(in_aton(bad[i], &addr));
	assert_string_equal(in_ntoa(a4("255.254.3.0"), text), "255.254.3.0");
	assert_true(in_mask_parse("0xfffffe00", &addr));
	assert_int_equal(in_mask_plen(addr), 23);
	assert_true(in_mask_parse("0.0.0.0", &addr));
	assert_false(in_mask_parse("255.255.1.0", &addr));
	assert_int_equal(in_plen_mask(0), 0);
	assert_int_equal(in_plen_mask(32), 0xffffffff);
}

static void
test_hosts_have_names_both_ways(void **state)
{
	uint32_t addr;

	(void)state;
	assert_false(in_resolve("r1", &addr));
	assert_int_equal(in_hosts_add("r1", a4("10.0.0.1")), 0);
	assert_int_equal(in_hosts_add("router", a4("10.0.0.1")), 0);
	assert_true(in_resolve("router", &addr));
	assert_int_equal(addr, a4("10.0.0.1"));
	assert_string_equal(in_hosts_name(addr), "r1");
	assert_int_equal(in_hosts_add("r1", a4("10.0.0.2")), 0);
	assert_true(in_resolve("r1", &addr));
	assert_int_equal(addr, a4("10.0.0.2"));
	assert_int_equal(in_hosts_add("10.0.0.9", a4("10.0.0.1")), -EINVAL);
	assert_int_equal(in_hosts_add("", a4("10.0.0.1")), -EINVAL);
	in_hosts_clear();
	assert_false(in_resolve("router", &addr));
	assert_null(in_hosts_name(a4("10.0.0.2")));
}

#define IN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TEST(test_an_address_brings_route_broadcast_and_announcement),
		IN_TEST(test_errors_have_numbers),
		IN_TEST(test_a_prefix_on_two_interfaces_is_reached_by_both_until_one_goes),
		IN_TEST(test_an_alias_inherits_the_routes_of_its_prefix),
		IN_TEST(test_down_takes_the_prefix_route_and_up_brings_it_back),
		IN_TEST(test_ten_thousand_of_our_addresses_are_found_and_no_other),
		IN_TEST(test_each_allocation_may_fail_and_the_address_is_not_there),
		IN_TEST(test_a_family_without_memory_is_not_attached_and_can_be_later),
		IN_TEST(test_ifconfig_reads_all_forms_of_an_address),
		IN_TEST(test_ifconfig_errors_leave_the_old_address),
		IN_TEST(test_loopback_and_point_to_point_have_host_routes_only),
		IN_TEST(test_addresses_and_masks_are_read_strictly),
		IN_TEST(test_hosts_have_names_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
