/* Loopback: what goes out comes in. */
#include "net_fixture.h"

#include "kern/module.h"

static struct mbuf *
packet(uint8_t first)
{
	struct mbuf *m = m_get(20);

	memset(m->data, 0, 20);
	m->data[0] = first;
	return m;
}

static void
test_every_stack_has_a_lo0_that_is_down_without_address(void **state)
{
	struct prison *jail = prison_create(&prison0, "j", true);
	VNET_SCOPE(jail->vnet);
	struct ifnet *lo0 = if_byname("lo0");

	(void)state;
	assert_non_null(lo0);
	assert_ptr_equal(lo0, V_loif);
	assert_int_equal(lo0->if_flags, IFF_LOOPBACK_ | IFF_MULTICAST_);
	assert_int_equal(lo0->if_mtu, 16384);
	assert_int_equal(lo0->if_index, 1);
	assert_true(TAILQ_EMPTY(&lo0->if_addrs));
	if_up(lo0);
	assert_int_equal(lo0->if_flags, 0x8049);
	assert_true(if_is_usable(lo0)); /* always considered up: it reports no link state */
}

static void
test_what_goes_out_comes_in_by_the_queue(void **state)
{
	struct batch b = { .n = 2, .m = { packet(0x45), packet(0x45) } };

	(void)state;
	if_up(V_loif);
	V_loif->if_output[AF_SLOT_INET](V_loif, &b);
	assert_int_equal(sink.n, 0);
	netisr_run();
	assert_int_equal(sink.n, 2);
	assert_int_equal(sink.flags[0], M_LOOP | M_CSUM_OK);
	assert_ptr_equal(sink.rcvif, V_loif);
	assert_int_equal(V_loif->if_data.opackets, 2);
	assert_int_equal(V_loif->if_data.ipackets, 2);
	if_down(V_loif);
}

static void
test_neither_ipv4_nor_ipv6_is_a_drop(void **state)
{
	struct batch b = { .n = 1, .m = { packet(0x15) } };

	(void)state;
	if_up(V_loif);
	V_loif->if_output[AF_SLOT_INET](V_loif, &b);
	assert_int_equal(drop_get(curvnet, drop_find("loop.noproto")), 1);
	b = (struct batch){ .n = 1, .m = { packet(0x45) } };
	if_down(V_loif);
	V_loif->if_output[AF_SLOT_INET](V_loif, &b);
	assert_int_equal(drop_get(curvnet, &DROP_IF_DOWN), 1);
}

static void
test_b29_lo1_is_made_without_asking_for_a_module(void **state)
{
	uint64_t requests = module_requests;

	(void)state;
	expect_line("kldstat -q -m if_lo", 0, "", "");
	expect_line("ifconfig lo1 create", 0, "", "");
	assert_int_equal(module_requests, requests);
	expect_line("ifconfig lo create", 0, "lo2\n", "");
	expect_line("ifconfig lo1 destroy", 0, "", "");
	expect_line("ifconfig lo2 destroy", 0, "", "");
	expect_line("ifconfig lo0 destroy", 1, "", "ifconfig: SIOCIFDESTROY: Invalid argument\n");
	assert_int_equal(module_requests, requests);
	expect_line("ifconfig foo0 create", 1, "", "ifconfig: SIOCIFCREATE2: Invalid argument\n");
	assert_int_equal(module_requests, requests + 1);
	expect_line("ifconfig foo0", 1, "", "ifconfig: interface foo0 does not exist\n");
	assert_int_equal(module_requests, requests + 2);
	expect_line("ifconfig -n foo0", 1, "", NULL);
	assert_int_equal(module_requests, requests + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(test_every_stack_has_a_lo0_that_is_down_without_address),
		NET_TEST(test_what_goes_out_comes_in_by_the_queue),
		NET_TEST(test_neither_ipv4_nor_ipv6_is_a_drop),
		NET_TEST(test_b29_lo1_is_made_without_asking_for_a_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
