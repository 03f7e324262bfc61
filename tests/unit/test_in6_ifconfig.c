/*
 * Unit tests of the family inet6 of ifconfig (inet6/in6_ifconfig.c): its words, its output, and
 * that a command that fails has changed nothing.
 */
#include "kern_fixture.h"

#include "base/rcu.h"
#include "base/sched.h"
#include "inet6/nd6.h"
#include "kern/netisr.h"
#include "memif.h"

#include <stdio.h>
#include <unistd.h>

static struct memif lan;

static struct in6_ifaddr *
ours(const char *text)
{
	struct in6 addr;

	assert_true(in6_aton(text, &addr));
	return in6_local(&addr);
}

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	return 0;
}

static int
teardown(void **state)
{
	while (netisr_run())
		continue;
	memif_close(&lan);
	(void)if_down(V_loif);
	while (in6_ifaddr_first(V_loif) != NULL)
		(void)in6_addr_delete(V_loif, &in6_ifaddr_first(V_loif)->addr);
	rcu_synchronize();
	return kern_teardown(state);
}

/* DAD is over. */
static void
settle(void)
{
	sched_run(clock_now() + 10 * NS_PER_SEC);
	memif_clear(&lan);
}

static void
test_an_interface_with_addresses_looks_as_in_bsd(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::1/64", 0, "", "");
	expect_line("ifconfig mem0", 0,
	    "mem0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500\n"
	    "\tether 02:00:00:00:01:01\n"
	    "\tinet6 fe80::ff:fe00:101%mem0 prefixlen 64 tentative scopeid 0x2\n"
	    "\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255\n"
	    "\tinet6 2001:db8::1 prefixlen 64 tentative\n"
	    "\tnd6 options=21<PERFORMNUD,AUTO_LINKLOCAL>\n",
	    "");
	settle();
	expect_line("ifconfig mem0 inet6", 0,
	    "mem0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500\n"
	    "\tinet6 fe80::ff:fe00:101%mem0 prefixlen 64 scopeid 0x2\n"
	    "\tinet6 2001:db8::1 prefixlen 64\n"
	    "\tnd6 options=21<PERFORMNUD,AUTO_LINKLOCAL>\n",
	    "");
	expect_line("ifconfig mem0 inet", 0,
	    "mem0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500\n"
	    "\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255\n",
	    "");
	assert_true(says("ifconfig mem0 inet6", true,
	    "{\"family\":\"inet6\",\"address\":\"fe80::ff:fe00:101%mem0\",\"prefixlen\":64,"
	    "\"flags\":[],\"scopeid\":2}"));
	assert_true(says("ifconfig mem0 inet6", true,
	    "\"nd6-flags\":33,\"nd6-options\":[\"PERFORMNUD\",\"AUTO_LINKLOCAL\"]"));
}

static void
test_lo0_looks_as_in_bsd(void **state)
{
	(void)state;
	expect_line("ifconfig lo0 up", 0, "", "");
	expect_line("ifconfig lo0", 0,
	    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu 16384\n"
	    "\toptions=3<RXCSUM,TXCSUM>\n"
	    "\tinet6 ::1 prefixlen 128\n"
	    "\tinet6 fe80::1%lo0 prefixlen 64 scopeid 0x1\n"
	    "\tnd6 options=21<PERFORMNUD,AUTO_LINKLOCAL>\n"
	    "\tgroups: lo\n",
	    "");
}

static void
test_all_forms_of_an_address_are_read(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet6 2001:db8::1", 0, "", "");
	assert_int_equal(ours("2001:db8::1")->plen, 64);
	expect_line("ifconfig mem0 inet6 2001:db8:1::1 prefixlen 48", 0, "", "");
	assert_int_equal(ours("2001:db8:1::1")->plen, 48);
	expect_line("ifconfig mem0 2001:db8:2::1/56", 0, "", "");
	assert_int_equal(ours("2001:db8:2::1")->plen, 56);
	expect_line("ifconfig mem0 inet6 alias 2001:db8:3::1/64", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8:4::1/64 alias", 0, "", "");
	expect_line("ifconfig mem0 inet6 add 2001:db8:5::1/64", 0, "", "");
	/* unlike IPv4's, no address replaces another */
	assert_non_null(ours("2001:db8::1"));
	assert_non_null(ours("2001:db8:3::1"));
	assert_non_null(ours("2001:db8:4::1"));
	assert_non_null(ours("2001:db8:5::1"));
	expect_line("ifconfig mem0 inet6 2001:db8:3::1 -alias", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8:4::1 delete", 0, "", "");
	expect_line("ifconfig mem0 inet6 remove 2001:db8:5::1", 0, "", "");
	expect_line("ifconfig mem0 2001:db8:2::1 -alias", 0, "", "");
	assert_null(ours("2001:db8:2::1"));
	assert_null(ours("2001:db8:3::1"));
	assert_null(ours("2001:db8:4::1"));
	assert_null(ours("2001:db8:5::1"));
	/* with and without its zone */
	expect_line("ifconfig mem0 inet6 fe80::5%mem0/64", 0, "", "");
	expect_line("ifconfig mem0 inet6 fe80::5 delete", 0, "", "");
	assert_null(ours("fe80::5%mem0"));
}

static void
test_an_address_has_the_flags_and_lifetimes_that_were_said(void **state)
{
	(void)state;
	settle();
	expect_line("ifconfig mem0 inet6 2001:db8::1/64 anycast", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::2/64 no_dad deprecated", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::3/64 no_dad prefer_source autoconf", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::4/64 no_dad pltime 100 vltime 200", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::5/64 no_dad pltime 50", 0, "", "");
	sched_run(clock_now() + 10 * NS_PER_SEC);
	assert_true(says("ifconfig mem0", false, "\tinet6 2001:db8::1 prefixlen 64 anycast\n"));
	assert_true(says("ifconfig mem0", false, "\tinet6 2001:db8::2 prefixlen 64 deprecated\n"));
	assert_true(says(
	    "ifconfig mem0", false, "\tinet6 2001:db8::3 prefixlen 64 autoconf prefer_source\n"));
	assert_true(says(
	    "ifconfig mem0", false, "\tinet6 2001:db8::4 prefixlen 64 pltime 90 vltime 190\n"));
	assert_true(says(
	    "ifconfig mem0", false, "\tinet6 2001:db8::5 prefixlen 64 pltime 40 vltime infty\n"));
	assert_true(says("ifconfig mem0", true, "\"flags\":[],\"pltime\":90,\"vltime\":190"));
	/* said again, without */
	expect_line("ifconfig mem0 inet6 2001:db8::2 -deprecated", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::4 pltime infty vltime infty", 0, "", "");
	assert_true(says("ifconfig mem0", false, "\tinet6 2001:db8::2 prefixlen 64\n"));
	assert_true(says("ifconfig mem0", false, "\tinet6 2001:db8::4 prefixlen 64\n"));
}

static void
test_a_prefix_and_the_link_address_make_an_address(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet6 2001:db8:7:: prefixlen 64 eui64", 0, "", "");
	assert_non_null(ours("2001:db8:7::ff:fe00:101"));
	expect_line("ifconfig mem0 inet6 fe80::2", 0, "", "");
	expect_line("ifconfig mem0 inet6 fe80::ff:fe00:101 delete", 0, "", "");
	/* as its link-local address has it now */
	expect_line("ifconfig mem0 inet6 2001:db8:8::/64 eui64", 0, "", "");
	assert_non_null(ours("2001:db8:8::2"));
	expect_line("ifconfig mem0 inet6 2001:db8:9::1/64 eui64", 1, "",
	    "ifconfig: eui64: the lower 64 bits of the address are in use\n");
}

static uint32_t
nd_flags(void)
{
	return in6_if_of(lan.ifp)->nd.flags;
}

static void
test_words_of_the_interface_set_and_clear_its_options(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet6 accept_rtadv -nud no_radr", 0, "", "");
	assert_int_equal(
	    nd_flags(), ND6_IFF_ACCEPT_RTADV | ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_NO_RADR);
	assert_true(says(
	    "ifconfig mem0", false, "\tnd6 options=62<ACCEPT_RTADV,AUTO_LINKLOCAL,NO_RADR>\n"));
	expect_line("ifconfig mem0 inet6 -accept_rtadv nud -no_radr", 0, "", "");
	assert_int_equal(nd_flags(), ND6_IFF_PERFORMNUD | ND6_IFF_AUTO_LINKLOCAL);
	/* alone they are the interface's, behind an address that one's */
	expect_line("ifconfig mem0 inet6 no_dad prefer_source", 0, "", "");
	assert_int_equal(nd_flags(),
	    ND6_IFF_PERFORMNUD | ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_NO_DAD | ND6_IFF_PREFER_SOURCE);
	expect_line("ifconfig mem0 inet6 -no_dad -prefer_source", 0, "", "");
	expect_line("ifconfig mem0 inet6 2001:db8::1 no_dad prefer_source accept_rtadv", 0, "", "");
	assert_int_equal(
	    nd_flags(), ND6_IFF_PERFORMNUD | ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_ACCEPT_RTADV);
	assert_true(ours("2001:db8::1")->flags & IN6_IFF_PREFER_SOURCE);
	expect_line("ifconfig mem0 inet6 ifdisabled up", 0, "", "");
	assert_true(nd_flags() & ND6_IFF_IFDISABLED);
	assert_true(lan.ifp->if_flags & IFF_UP_);
	/* as the BSDs' scripts have it */
	expect_line("ifconfig mem0 inet6 2001:db8::2/64 up no_dad -ifdisabled mtu 1400", 0, "", "");
	assert_false(ours("2001:db8::2")->flags & IN6_IFF_TENTATIVE);
	assert_int_equal(lan.ifp->if_mtu, 1400);
}

static void
test_a_link_local_address_comes_when_it_is_asked_for(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet6 -auto_linklocal", 0, "", "");
	expect_line("ifconfig mem0 up", 0, "", "");
	assert_null(in6_linklocal(lan.ifp));
	expect_line("ifconfig mem0 inet6 auto_linklocal", 0, "", "");
	assert_non_null(in6_linklocal(lan.ifp));
}

static void
test_a_disabled_interface_gets_its_address_when_it_is_enabled(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 inet6 ifdisabled", 0, "", "");
	expect_line("ifconfig mem0 up", 0, "", "");
	assert_null(in6_linklocal(lan.ifp));
	expect_line("ifconfig mem0 inet6 -ifdisabled", 0, "", "");
	assert_non_null(in6_linklocal(lan.ifp));
	settle();
	assert_false(in6_linklocal(lan.ifp)->flags & IN6_IFF_NOTREADY);
}

static void
test_errors_are_one_line_and_change_nothing(void **state)
{
	static const char *const lines[] = {
		"ifconfig mem0 inet6 2001:db8::g",
		"ifconfig mem0 inet6 2001:db8::2/129",
		"ifconfig mem0 inet6 2001:db8::2 prefixlen 129",
		"ifconfig mem0 inet6 2001:db8::2 prefixlen",
		"ifconfig mem0 inet6 2001:db8::2 pltime soon",
		"ifconfig mem0 inet6 2001:db8::2 pltime 20 vltime 10",
		"ifconfig mem0 inet6 2001:db8::2 2001:db8::3",
		"ifconfig mem0 inet6 2001:db8::2 ifdisabled vltime 0",
		"ifconfig mem0 inet6 ff02::1",
		"ifconfig mem0 inet6 ::1",
		"ifconfig mem0 inet6 fe80::1%lo0",
		"ifconfig mem0 inet6 2001:db8::1/48",
		"ifconfig mem0 inet6 2001:db8::9 -alias",
		"ifconfig mem0 inet6 anycast",
		"ifconfig mem0 inet6 delete",
		"ifconfig mem0 inet6 accept_rtadv nonsense",
		"ifconfig mem0 inet6 accept_rtadv mtu 70000",
		"ifconfig mem0 inet6 -nud ifdisabled -auto_linklocal ether 01:00:00:00:00:00",
	};
	uint32_t before = nd_flags();

	(void)state;
	expect_line("ifconfig mem0 inet6 2001:db8::1/64 no_dad", 0, "", "");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *err;

		if (verb_line(NULL, lines[i], false, NULL, &err) == 0 ||
		    strncmp(err, "ifconfig: ", 10) != 0 || strchr(err, '\n')[1] != '\0')
			fail_msg("%s: says '%s'", lines[i], err);
		free(err);
		assert_non_null(ours("2001:db8::1"));
		assert_int_equal(ours("2001:db8::1")->plen, 64);
		assert_null(ours("2001:db8::2"));
		assert_int_equal(nd_flags(), before);
		assert_int_equal(lan.ifp->if_mtu, 1500);
	}
	expect_line("ifconfig mem0 inet6 2001:db8::9 -alias", 1, "",
	    "ifconfig: mem0: inet6 2001:db8::9: ioctl (SIOCDIFADDR_IN6): "
	    "Can't assign requested address\n");
	expect_line("ifconfig mem0 inet6 ff02::1", 1, "",
	    "ifconfig: mem0: inet6 ff02::1: ioctl (SIOCAIFADDR_IN6): Invalid argument\n");
}

static void
test_netstat_and_a_saved_state_list_the_addresses(void **state)
{
	static const char listed[] =
	    "mem0   1500 <Link#2>      02:00:00:00:01:01        0     0     0        0     0     0\n"
	    "mem0   1500 fe80::%mem0/6 fe80::ff:fe00:101        0     -     -        0     -     -\n"
	    "mem0   1500 2001:db8::/64 2001:db8::1              0     -     -        0     -     -\n";
	char file[] = "/tmp/warren-in6-XXXXXX", line[80];

	(void)state;
	close(mkstemp(file));
	expect_line("ifconfig mem0 inet6 2001:db8::1/64", 0, "", "");
	lan.ifp->if_data = (struct if_counters){ 0 }; /* groups and detection */
	assert_true(says("netstat -i", false, listed));
	assert_true(says("netstat -i", true, "\"address\":\"fe80::ff:fe00:101%mem0\""));
	snprintf(line, sizeof(line), "savecore %s", file);
	expect_line(line, 0, "", "");
	snprintf(line, sizeof(line), "netstat -i -M %s", file);
	assert_true(says(line, false, listed));
	unlink(file);
}

static void
test_a_point_to_point_interface_has_another_end(void **state)
{
	struct ifnet *ifp = if_alloc(IFT_PPP_, "tun", 0);

	(void)state;
	ifp->if_flags |= IFF_POINTOPOINT_ | IFF_MULTICAST_;
	ifp->if_transmit = memif_transmit;
	ifp->if_softc = &lan;
	ifp->if_output[AF_SLOT_INET6] = if_transmit_batch;
	assert_int_equal(if_attach(ifp), 0);
	expect_line("ifconfig tun0 inet6 2001:db8:3::1 2001:db8:3::2 no_dad", 0, "", "");
	assert_true(says(
	    "ifconfig tun0", false, "\tinet6 2001:db8:3::1 --> 2001:db8:3::2 prefixlen 128\n"));
	if_detach(ifp);
	if_free(ifp);
}

#define IN6_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN6_TEST(test_an_interface_with_addresses_looks_as_in_bsd),
		IN6_TEST(test_lo0_looks_as_in_bsd),
		IN6_TEST(test_all_forms_of_an_address_are_read),
		IN6_TEST(test_an_address_has_the_flags_and_lifetimes_that_were_said),
		IN6_TEST(test_a_prefix_and_the_link_address_make_an_address),
		IN6_TEST(test_words_of_the_interface_set_and_clear_its_options),
		IN6_TEST(test_a_link_local_address_comes_when_it_is_asked_for),
		IN6_TEST(test_a_disabled_interface_gets_its_address_when_it_is_enabled),
		IN6_TEST(test_errors_are_one_line_and_change_nothing),
		IN6_TEST(test_netstat_and_a_saved_state_list_the_addresses),
		IN6_TEST(test_a_point_to_point_interface_has_another_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
