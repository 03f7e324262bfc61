/*
 * Unit tests of the tools `route` and `netstat -r` (route/route_cmd.c, route_monitor.c,
 * netstat_r.c): words, exact lines, exit statuses.
 *
 *	mem0 10.0.0.1/24, mem1 10.1.0.1/24
 */
#include "kern_fixture.h"

#include "base/sched.h"
#include "memif.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static struct memif lan, wan;

static int
setup(void **state)
{
	kern_setup(state);
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	expect_line("ifconfig mem0 inet 10.0.0.1/24", 0, "", "");
	expect_line("ifconfig mem1 inet 10.1.0.1/24", 0, "", "");
	return 0;
}

static int
teardown(void **state)
{
	in_hosts_clear();
	memif_close(&lan);
	memif_close(&wan);
	rcu_synchronize();
	return kern_teardown(state);
}

static void
test_add_and_delete_say_what_they_did(void **state)
{
	(void)state;
	expect_line("route add -net 10.9.0.0/16 10.1.0.254", 0,
	    "add net 10.9.0.0: gateway 10.1.0.254\n", "");
	expect_line("route add -host 192.0.2.7 10.1.0.254", 0,
	    "add host 192.0.2.7: gateway 10.1.0.254\n", "");
	expect_line(
	    "route add 192.0.2.8 10.1.0.254", 0, "add host 192.0.2.8: gateway 10.1.0.254\n", "");
	expect_line("route add default 10.0.0.254", 0, "add net default: gateway 10.0.0.254\n", "");
	expect_line("route add -net 10.7.0.0 10.1.0.254 255.255.0.0", 0,
	    "add net 10.7.0.0: gateway 10.1.0.254\n", "");
	expect_line("route add -net 10.6.0.0 -netmask 0xffff0000 10.1.0.254", 0,
	    "add net 10.6.0.0: gateway 10.1.0.254\n", "");
	expect_line("route add -net 10.5.0.0 -prefixlen 20 10.1.0.254", 0,
	    "add net 10.5.0.0: gateway 10.1.0.254\n", "");
	expect_line(
	    "route -n add -net 10.4.0.0/16 -iface mem1", 0, "add net 10.4.0.0: gateway mem1\n", "");
	expect_line("route -q add -net 10.3.0.0/16 10.1.0.254", 0, "", "");
	assert_true(says("netstat -rn", false, "10.5.0.0/20        10.1.0.254         UGS "));
	assert_true(says("netstat -rn", false, "10.4.0.0/16        link#3             US "));
	expect_line("route delete -net 10.9.0.0/16", 0, "delete net 10.9.0.0\n", "");
	expect_line("route delete -net 10.7.0.0/16 10.1.0.254", 0,
	    "delete net 10.7.0.0: gateway 10.1.0.254\n", "");
	expect_line("route delete 192.0.2.7", 0, "delete host 192.0.2.7\n", "");
	expect_line("route delete default", 0, "delete net default\n", "");
	expect_line("route del 192.0.2.8", 0, "delete host 192.0.2.8\n", "");
}

static void
test_classes_decide_where_no_length_is_given(void **state)
{
	(void)state;
	expect_line(
	    "route add 172.16.0.0 10.1.0.254", 0, "add net 172.16.0.0: gateway 10.1.0.254\n", "");
	assert_true(says("netstat -rn", false, "172.16.0.0/16 "));
	expect_line("route add -net 192.168.4.0 10.1.0.254", 0,
	    "add net 192.168.4.0: gateway 10.1.0.254\n", "");
	assert_true(says("netstat -rn", false, "192.168.4.0/24 "));
	expect_line("route add -net 11 10.1.0.254", 0, "add net 11: gateway 10.1.0.254\n", "");
	assert_true(says("netstat -rn", false, "11.0.0.0/8 "));
	expect_line("route add 12.3/16 10.1.0.254", 0, "add net 12.3: gateway 10.1.0.254\n", "");
	assert_true(says("netstat -rn", false, "12.3.0.0/16 "));
}

static void
test_errors_have_their_words_and_exit_one(void **state)
{
	(void)state;
	expect_line("route add 10.9.0.0/16 10.1.0.254", 0, NULL, "");
	expect_line("route add 10.9.0.0/16 10.1.0.254", 1,
	    "add net 10.9.0.0: gateway 10.1.0.254: route already in table\n",
	    "route: writing to routing socket: File exists\n");
	expect_line("route delete 10.8.0.0/16", 1, "delete net 10.8.0.0: not in table\n",
	    "route: writing to routing socket: No such process\n");
	expect_line("route add 10.8.0.0/16 192.0.2.1", 1,
	    "add net 10.8.0.0: gateway 192.0.2.1: Network is unreachable\n",
	    "route: writing to routing socket: Network is unreachable\n");
	assert_true(says("route add 10.1.0.0/25 10.1.0.5", false,
	    "add net 10.1.0.0: gateway 10.1.0.5: gateway uses the same route\n"));
	assert_true(says("route delete 10.1.0.0/24", false,
	    "delete net 10.1.0.0: belongs to an interface's address\n"));
	expect_line("route -q delete 10.8.0.0/16", 1, "", "");
	expect_line("route get 192.0.2.1", 1, "", "route: route has not been found\n");
}

static void
test_wrong_words_are_refused_and_change_nothing(void **state)
{
	uint64_t before = rib_count(0, AF_INET);
	static const char *const lines[] = {
		"route",
		"route frobnicate",
		"route add",
		"route add 10.9.0.0/16",
		"route add 10.9.0.0/33 10.1.0.254",
		"route add 10.9.0.0/16 10.1.0.300",
		"route add nobody 10.1.0.254",
		"route add 10.9.0.0/16 10.1.0.254 7 8",
		"route add -netmask 255.0.255.0.0 10.9.0.0 10.1.0.254",
		"route add -netmask ff00::ff00 10.9.0.0 10.1.0.254",
		"route add 10.9.0.0/16 10.1.0.254 -src 10.0.0.1",
		"route get 10.1.0.1 -proto nothing",
		"route get 10.1.0.1 -dport 65536",
		"route add -foo 10.9.0.0/16 10.1.0.254",
		"route add 10.9.0.0/16 10.1.0.254 -mtu",
		"route add 10.9.0.0/16 10.1.0.254 -mtu 10x",
		"route add 10.9.0.0/16 10.1.0.254 -sendpipe 5",
		"route add 10.9.0.0/16 10.1.0.254 -fib 1",
		"route add 10.9.0.0/16 -iface nowhere",
		"route add 10.9.0.0/16 10.1.0.254 -ifa 192.0.2.1",
		"route -x get 10.0.0.1",
		"route monitor now",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *out, *err;
		int status = verb_line(NULL, lines[i], false, &out, &err);

		if (status == 0 || err[0] == '\0')
			fail_msg("%s: status %d, says '%s'", lines[i], status, err);
		free(out);
		free(err);
	}
	assert_int_equal(rib_count(0, AF_INET), before);
}

static void
test_get_prints_the_route_in_blocks(void **state)
{
	(void)state;
	expect_line("route add 10.9.0.0/16 10.1.0.254 -mtu 1400 -weight 3 -expire 60", 0, NULL, "");
	expect_line("route get 10.9.1.2", 0,
	    "   route to: 10.9.1.2\n"
	    "destination: 10.9.0.0\n"
	    "       mask: 255.255.0.0\n"
	    "    gateway: 10.1.0.254\n"
	    "  interface: mem1\n"
	    "      flags: <UP,GATEWAY,DONE,STATIC>\n"
	    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n"
	    "       0         0         0         0      1400         3        60 \n",
	    "");
	expect_line("route -n get 10.1.0.77", 0,
	    "   route to: 10.1.0.77\n"
	    "destination: 10.1.0.0\n"
	    "       mask: 255.255.255.0\n"
	    "  interface: mem1\n"
	    "      flags: <UP,DONE,PINNED>\n"
	    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n"
	    "       0         0         0         0      1500         1         0 \n",
	    "");
	assert_true(says("route get 10.1.0.1", false, "  interface: lo0\n"));
	sched_run(clock_now() + 61 * NS_PER_SEC);
	expect_line("route get 10.9.1.2", 1, "", "route: route has not been found\n");
}

static void
test_names_of_the_hosts_table_are_addresses(void **state)
{
	(void)state;
	assert_int_equal(in_hosts_add("gw", 0xfe00010a), 0);
	assert_int_equal(in_hosts_add("server", 0x070200c0), 0);
	expect_line("route add server gw", 0, "add host server: gateway gw\n", "");
	assert_true(says("netstat -rn", false, "192.0.2.7          10.1.0.254         UGHS"));
}

static void
test_netstat_prints_the_columns_that_scripts_read(void **state)
{
	(void)state;
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	expect_line("route add 192.0.2.0/24 10.1.0.254 -blackhole -proto1", 0, NULL, "");
	expect_line("route add 10.99.0.0/16 10.1.0.254 -expire 100", 0, NULL, "");
	expect_line("netstat -rn", 0,
	    "Routing tables\n\n"
	    "Internet:\n"
	    "Destination        Gateway            Flags    Refs      Use  Netif Expire\n"
	    "default            10.0.0.254         UGS         0        0   mem0\n"
	    "10.0.0.0/24        link#2             U           0        0   mem0\n"
	    "10.0.0.1           link#2             UHS         0        0    lo0\n"
	    "10.1.0.0/24        link#3             U           0        0   mem1\n"
	    "10.1.0.1           link#3             UHS         0        0    lo0\n"
	    "10.99.0.0/16       10.1.0.254         UGS         0        0   mem1    100\n"
	    "192.0.2.0/24       10.1.0.254         UGS1B       0        0   mem1\n",
	    "");
	assert_true(says("netstat -rnW", false,
	    "Destination        Gateway            Flags    Refs      Use    Mtu  Netif Expire\n"));
	assert_true(says("netstat -rnW", false, "UGS         0        0   1500   mem0\n"));
	assert_true(says("netstat -rs", false, "routing:\n\t0 bad routing redirects\n"));
}

static void
test_wide_interface_names_widen_their_column(void **state)
{
	(void)state;
	expect_line("ifconfig mem0 name uplink-to-isp", 0, "uplink-to-isp\n", "");
	assert_true(says("netstat -rn", false,
	    "Destination        Gateway            Flags    Refs      Use         Netif Expire\n"
	    "10.0.0.0/24        link#2             U           0        0 uplink-to-isp\n"));
}

static void
test_json_has_the_same_facts(void **state)
{
	char *out, *err;
	json_t *root, *entry;

	(void)state;
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	assert_int_equal(verb_line(NULL, "netstat -rn", true, &out, &err), 0);
	root = json_loads(out, 0, NULL);
	if (root == NULL)
		fail_msg("no JSON: %s", out);
	free(out);
	free(err);
	/* wherever the mode's object lies */
	json_t *table = json_object_iter_value(json_object_iter(root));
	while (table != NULL && json_object_get(table, "rt-family") == NULL)
		table = json_object_iter_value(json_object_iter(table));
	entry = json_array_get(
	    json_object_get(
		json_array_get(json_object_get(table != NULL ? table : root, "rt-family"), 0),
		"rt-entry"),
	    0);
	assert_string_equal(json_string_value(json_object_get(entry, "destination")), "default");
	assert_string_equal(json_string_value(json_object_get(entry, "gateway")), "10.0.0.254");
	assert_string_equal(json_string_value(json_object_get(entry, "interface-name")), "mem0");
	json_decref(root);
}

static void
test_flush_takes_gateway_routes_only(void **state)
{
	(void)state;
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	expect_line("route add 10.9.0.0/16 10.1.0.254", 0, NULL, "");
	expect_line("route add 10.8.0.0/16 -iface mem1", 0, NULL, "");
	expect_line("route -n flush", 0,
	    "default              10.0.0.254           done\n"
	    "10.9.0.0/16          10.1.0.254           done\n",
	    "");
	assert_int_equal(rib_count(0, AF_INET), 5);
	expect_line("route flush", 0, "", "");
}

static void
test_change_moves_a_route(void **state)
{
	(void)state;
	expect_line("route add 10.9.0.0/16 10.1.0.254", 0, NULL, "");
	expect_line("route change 10.9.0.0/16 10.0.0.254", 0,
	    "change net 10.9.0.0: gateway 10.0.0.254\n", "");
	assert_true(says("route get 10.9.0.1", false, "  interface: mem0\n"));
	expect_line("route change 10.9.0.0/16 -mtu 900", 0, "change net 10.9.0.0\n", "");
	assert_true(says("route get 10.9.0.1", false, "    gateway: 10.0.0.254\n"));
	expect_line("route -t change 10.9.0.0/16 10.1.0.254", 0, NULL, "");
	assert_true(says("route get 10.9.0.1", false, "    gateway: 10.0.0.254\n"));
}

static void
test_setfib_and_fib_choose_the_table(void **state)
{
	(void)state;
	rt_numfibs = 2;
	expect_line("route add -fib 1 10.9.0.0/16 -iface mem1", 0, NULL, "");
	expect_line("route get 10.9.0.1", 1, "", "route: route has not been found\n");
	assert_true(says("route get -fib 1 10.9.0.1", false, "  interface: mem1\n"));
	assert_true(says("setfib 1 route get 10.9.0.1", false, "        fib: 1\n"));
	assert_true(says("setfib 1 netstat -rn", false, "Routing tables (fib: 1)\n\nInternet:\n"));
	expect_line("sysctl -n net.my_fibnum", 0, "0\n", "");
	expect_line("setfib 1 sysctl -n net.my_fibnum", 0, "1\n", "");
	expect_line("setfib 1 route delete 10.9.0.0/16", 0, "delete net 10.9.0.0\n", "");
	rt_numfibs = 1;
}

static void
test_a_file_of_lines_is_done_to_its_end_and_faults_have_their_line(void **state)
{
	char path[] = "/tmp/test_route_XXXXXX", line[80], want[300];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	(void)state;
	assert_non_null(f);
	fputs("# a comment\n"
	      "add 10.9.0.0/16 10.1.0.254\n"
	      "\n"
	      "route add 10.9.0.0/16 10.0.0.254 -weight 3\n"
	      "add 10.8.0.0/16 192.0.2.1\n"
	      "frobnicate\n"
	      "add -net 10.7.0.0/16 10.1.0.254\n",
	    f);
	fclose(f);
	snprintf(line, sizeof(line), "route -q -f %s", path);
	snprintf(want, sizeof(want),
	    "route: %s:5: 10.8.0.0/16: Network is unreachable\nroute: %s:6: no such command\n",
	    path, path);
	expect_line(line, 1, "", want);
	assert_true(says("netstat -rn", false,
	    "10.7.0.0/16        10.1.0.254         UGS         0        0   mem1\n"
	    "10.9.0.0/16        10.1.0.254         UGS         0        0   mem1\n"
	    "10.9.0.0/16        10.0.0.254         UGS         0        0   mem0\n"));
	snprintf(line, sizeof(line), "route -f %s", path);
	assert_true(
	    says(line, false, "add net 10.9.0.0: gateway 10.1.0.254: route already in table\n"));
	assert_true(says(line, true, "\"error\":\"route already in table\""));
	unlink(path);
	expect_line(line, 1, "", NULL);
	expect_line("route -f", 64, "", NULL);
}

/* --- IPv6 ---------------------------------------------------------------- */

/* 2001:db8:1::/64 on mem1's link. */
static void
link6(void)
{
	expect_line("route -6 add 2001:db8:1::/64 -iface mem1", 0,
	    "add net 2001:db8:1::: gateway mem1\n", "");
}

static void
test_ipv6_routes_are_added_with_all_forms_of_words(void **state)
{
	(void)state;
	link6();
	expect_line(
	    "route add -6 default fe80::1%mem0", 0, "add net default: gateway fe80::1%mem0\n", "");
	expect_line("route add -inet6 2001:db8:2::/48 2001:db8:1::254", 0,
	    "add net 2001:db8:2::: gateway 2001:db8:1::254\n", "");
	expect_line("route add -inet6 2001:db8:3:: -prefixlen 49 2001:db8:1::254", 0,
	    "add net 2001:db8:3::: gateway 2001:db8:1::254\n", "");
	expect_line("route add -inet6 2001:db8:4:: -netmask ffff:ffff:ffff:f000:: 2001:db8:1::254",
	    0, "add net 2001:db8:4::: gateway 2001:db8:1::254\n", "");
	expect_line("route add 2001:db8::77 2001:db8:1::254", 0,
	    "add host 2001:db8::77: gateway 2001:db8:1::254\n", "");
	/* a gateway of link scope is on the link that is named, one way or the other */
	expect_line("route add -6 2001:db8:5::/48 fe80::2 -ifp mem1", 0, NULL, "");
	/* an empty interface identifier is a network's */
	expect_line("route add 2001:db8:6:: 2001:db8:1::254", 0,
	    "add net 2001:db8:6::: gateway 2001:db8:1::254\n", "");
	expect_line("route add -host 2001:db8:7:: 2001:db8:1::254", 0,
	    "add host 2001:db8:7::: gateway 2001:db8:1::254\n", "");
	expect_line("netstat -rn -f inet6", 0,
	    "Routing tables\n\n"
	    "Internet6:\n"
	    "Destination                       Gateway                       Flags     Netif Expire\n"
	    "default                           fe80::1%mem0                  UGS        mem0\n"
	    "2001:db8::77                      2001:db8:1::254               UGHS       mem1\n"
	    "2001:db8:1::/64                   link#3                        US         mem1\n"
	    "2001:db8:2::/48                   2001:db8:1::254               UGS        mem1\n"
	    "2001:db8:3::/49                   2001:db8:1::254               UGS        mem1\n"
	    "2001:db8:4::/52                   2001:db8:1::254               UGS        mem1\n"
	    "2001:db8:5::/48                   fe80::2%mem1                  UGS        mem1\n"
	    "2001:db8:6::/64                   2001:db8:1::254               UGS        mem1\n"
	    "2001:db8:7::                      2001:db8:1::254               UGHS       mem1\n",
	    "");
	expect_line("route delete -6 default", 0, "delete net default\n", "");
	expect_line("route delete 2001:db8:2::/48 2001:db8:1::253", 1, NULL, NULL);
	expect_line("route delete 2001:db8:2::/48 2001:db8:1::254", 0, NULL, "");
	expect_line("route -6 change 2001:db8:3::/49 fe80::9%mem0", 0, NULL, "");
	assert_true(says("route -6 get 2001:db8:3::1", false, "  interface: mem0\n"));
}

static void
test_ipv6_get_prints_the_route_in_blocks(void **state)
{
	(void)state;
	link6();
	expect_line("route add -6 default fe80::1%mem0", 0, NULL, "");
	expect_line("route add 2001:db8:2::/48 2001:db8:1::254 -mtu 1280 -expire 60", 0, NULL, "");
	expect_line("route -6 get 2001:db8:2::5", 0,
	    "   route to: 2001:db8:2::5\n"
	    "destination: 2001:db8:2::\n"
	    "       mask: ffff:ffff:ffff::\n"
	    "    gateway: 2001:db8:1::254\n"
	    "  interface: mem1\n"
	    "      flags: <UP,GATEWAY,DONE,STATIC>\n"
	    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n"
	    "       0         0         0         0      1280         1        60 \n",
	    "");
	expect_line("route get -inet6 2620::1", 0,
	    "   route to: 2620::1\n"
	    "destination: default\n"
	    "       mask: default\n"
	    "    gateway: fe80::1%mem0\n"
	    "  interface: mem0\n"
	    "      flags: <UP,GATEWAY,DONE,STATIC>\n"
	    " recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire\n"
	    "       0         0         0         0      1500         1         0 \n",
	    "");
	sched_run(clock_now() + 61 * NS_PER_SEC);
	assert_true(says("route get 2001:db8:2::5", false, "destination: default\n"));
}

static void
test_ipv6_errors_change_nothing(void **state)
{
	static const char *const lines[] = {
		"route add -6 default",
		"route add -6 default 10.1.0.254",
		"route add -6 10.9.0.0/16 10.1.0.254",
		"route add -4 2001:db8::/32 fe80::1%mem0",
		/* on which link? */
		"route add -6 default fe80::1",
		"route add -6 default fe80::1%nowhere",
		"route add -6 default fe80::1%mem0 -ifp mem1",
		"route add -6 default 2001:db8::1%mem0",
		"route add -6 default 2001:db8::1",
		"route add 2001:db8::/129 fe80::1%mem0",
		"route add 2001:db8:: -prefixlen 129 fe80::1%mem0",
		"route add 10.0.0.0 -prefixlen 33 10.1.0.254",
		"route add 2001:db8:: -netmask 255.255.0.0 fe80::1%mem0",
		"route add 2001:db8::g/32 fe80::1%mem0",
		"route -6 get 2001:db8::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *out, *err;
		int status = verb_line(NULL, lines[i], false, &out, &err);

		if (status == 0 || err[0] == '\0')
			fail_msg("%s: status %d, says '%s'", lines[i], status, err);
		free(out);
		free(err);
	}
	assert_int_equal(rib_count(0, AF_INET6), 0);
}

/* "gw" has an address of each family, "six" only one. */
static bool
resolve_some(const char *name, int family, struct rt_addr *a)
{
	if (strcmp(name, "six") == 0 && family != AF_INET)
		return rt_addr_parse("2001:db8:9::1", AF_INET6, a);
	if (strcmp(name, "gw") != 0)
		return false;
	return rt_addr_parse(family == AF_INET6 ? "2001:db8:1::254" : "10.1.0.254", family, a);
}

static void
test_a_name_is_resolved_in_the_family_that_is_wanted(void **state)
{
	bool (*const before)(const char *, int, struct rt_addr *) = rt_resolve_name;

	(void)state;
	rt_resolve_name = resolve_some;
	link6();
	expect_line("route add -6 2001:db8:2::/48 gw", 0, NULL, "");
	expect_line("route add 10.9.0.0/16 gw", 0, NULL, "");
	expect_line("route add six gw", 0, "add host six: gateway gw\n", "");
	expect_line("route add -4 six gw", 68, "", "route: bad address: six\n");
	assert_true(says("route get 2001:db8:2::1", false, "    gateway: 2001:db8:1::254\n"));
	assert_true(says("route get 10.9.0.1", false, "    gateway: 10.1.0.254\n"));
	assert_true(says("route get 2001:db8:9::1", false, "    gateway: 2001:db8:1::254\n"));
	rt_resolve_name = before;
}

static void
test_flush_of_one_family_leaves_the_other(void **state)
{
	(void)state;
	link6();
	expect_line("route add -6 default fe80::1%mem0", 0, NULL, "");
	expect_line("route add 2001:db8:ffff:ffff::/64 2001:db8:1::254", 0, NULL, "");
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	expect_line("route -n flush -inet6", 0,
	    "default              fe80::1%mem0         done\n"
	    "2001:db8:ffff:ffff::/64 2001:db8:1::254      done\n",
	    "");
	expect_line("route -6 flush", 0, "", "");
	assert_int_equal(rib_count(0, AF_INET6), 1);
	expect_line("route -4 flush", 0, "default              10.0.0.254           done\n", "");
}

static void
test_ipv6_columns_grow_and_shrink_without_n(void **state)
{
	(void)state;
	expect_line("route add -6 fe80::%mem1/64 -iface mem1", 0, NULL, "");
	assert_true(says("netstat -r -f inet6", false,
	    "Internet6:\n"
	    "Destination        Gateway            Flags     Netif Expire\n"
	    "fe80::%mem1/64     link#3             US         mem1\n"));
	assert_true(says("netstat -rW -6", false,
	    "Destination        Gateway            Flags    Refs      Use    Mtu    Netif Expire\n"
	    "fe80::%mem1/64     link#3             US          0        0   1500     mem1\n"));
	expect_line("route add -6 2001:db8:1111:2222:3333:4444:5555:6666 -iface mem1", 0, NULL, "");
	assert_true(says("netstat -rn -6", false,
	    "Destination                            Gateway                       Flags "));
}

static void
test_a_saved_state_has_the_same_tables(void **state)
{
	char file[] = "/tmp/test_route_state_XXXXXX", line[128];
	static const char *const tables[] = { "netstat -rn", "netstat -rW -f inet6",
		"netstat -rs" };
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	link6();
	expect_line("route add -6 default fe80::1%mem0 -expire 100", 0, NULL, "");
	expect_line("route add default 10.0.0.254", 0, NULL, "");
	V_rtstat.dynamic = 3;
	snprintf(line, sizeof(line), "savecore %s", file);
	expect_line(line, 0, NULL, "");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (int json = 0; json < 2; json++) {
			char *alive, *dead, *err[2];

			assert_int_equal(verb_line(NULL, tables[i], json, &alive, &err[0]), 0);
			snprintf(line, sizeof(line), "%s -M %s", tables[i], file);
			assert_int_equal(verb_line(NULL, line, json, &dead, &err[1]), 0);
			assert_string_equal(alive, dead);
			free(alive);
			free(dead);
			free(err[0]);
			free(err[1]);
		}
	}
	unlink(file);
}

/* Behaviours 46: operation x {host, classic jail, vnet jail}. */
static void
test_classic_jail_sees_its_own_addresses_routes_only(void **state)
{
	(void)state;
	expect_line("jail -c name=classic ip4.addr=10.0.0.1 persist", 0, NULL, "");
	expect_line("jail -c name=own vnet persist", 0, NULL, "");
	expect_line("jexec own ifconfig lo0 inet 127.0.0.1/8", 0, NULL, "");
	expect_line("jexec own route add 10.9.0.0/16 127.0.0.1 -blackhole", 0, NULL, "");
	expect_line("route add 10.9.0.0/16 10.1.0.254", 0, NULL, "");

	/* route get of a network route: ok / ESRCH / ok */
	assert_true(says("route get 10.9.0.1", false, "10.1.0.254"));
	expect_line("jexec classic route get 10.9.0.1", 1, "", "route: route has not been found\n");
	assert_true(says("jexec own route get 10.9.0.1", false, "127.0.0.1"));
	/* of its own address's host route, and of another's */
	assert_true(says("jexec classic route get 10.0.0.1", false, "  interface: lo0\n"));
	expect_line("jexec classic route get 10.1.0.1", 1, "", "route: route has not been found\n");
	/* the table: all / its own / all of its stack */
	assert_true(says("netstat -rn", false, "10.9.0.0/16"));
	expect_line("jexec classic netstat -rn", 0,
	    "Routing tables\n\nInternet:\n"
	    "Destination        Gateway            Flags    Refs      Use  Netif Expire\n"
	    "10.0.0.1           link#2             UHS         0        0    lo0\n",
	    "");
	assert_true(says("jexec own netstat -rn", false, "10.9.0.0/16"));
	/* changes: ok / refused / ok */
	expect_line("jexec classic route delete 10.9.0.0/16", 77, "",
	    "route: must be root to alter routing table\n");
	expect_line(
	    "jexec classic route flush", 77, "", "route: must be root to alter routing table\n");
	expect_line("jexec own route delete 10.9.0.0/16", 0, NULL, "");
	expect_line("route delete 10.9.0.0/16", 0, NULL, "");
	expect_line("jail -r classic", 0, NULL, "");
	expect_line("jail -r own", 0, NULL, "");
}

static void
test_classic_jail_sees_its_own_ipv6_addresses_routes_only(void **state)
{
	(void)state;
	link6();
	expect_line("route add fd00::1 -iface mem1", 0, NULL, "");
	expect_line("route add fd00::2 -iface mem1", 0, NULL, "");
	expect_line("jail -c name=classic ip6.addr=fd00::1 persist", 0, NULL, "");
	assert_true(says("jexec classic route get fd00::1", false, "  interface: mem1\n"));
	expect_line("jexec classic route get fd00::2", 1, "", "route: route has not been found\n");
	expect_line(
	    "jexec classic route get 2001:db8:1::5", 1, "", "route: route has not been found\n");
	expect_line("jail -r classic", 0, NULL, "");
}

struct stream {
	char text[8192];
	size_t n;
	int status;
};

static void
stream_out(void *ctx, const char *bytes, size_t len)
{
	struct stream *s = ctx;

	assert_true(s->n + len < sizeof(s->text));
	memcpy(s->text + s->n, bytes, len);
	s->text[s->n += len] = '\0';
}

static void
stream_done(void *ctx, int status)
{
	struct stream *s = ctx;

	s->status = status;
}

static void
test_monitor_tells_each_change_as_it_happens(void **state)
{
	struct stream s = { .status = -1 };
	const struct verb_io io = {
		.out = stream_out, .err = stream_out, .done = stream_done, .ctx = &s
	};
	char *words[] = { "route", "-n", "monitor" };
	struct verb_run *run = verb_exec(3, words, NULL, 0, &io);

	(void)state;
	assert_non_null(run);
	expect_line("route add 10.9.0.0/16 10.1.0.254", 0, NULL, "");
	assert_non_null(strstr(s.text, "got message of size 200 on "));
	assert_non_null(strstr(s.text,
	    "RTM_ADD: Add Route: len 200, pid: 0, seq 0, errno 0, flags:<UP,GATEWAY,DONE,STATIC>\n"
	    "locks:  inits: \n"
	    "sockaddrs: <DST,GATEWAY,NETMASK>\n"
	    " 10.9.0.0 10.1.0.254 255.255.0.0\n\n"));
	expect_line("route delete 10.9.0.0/16", 0, NULL, "");
	assert_non_null(strstr(s.text, "RTM_DELETE: Delete Route: "));
	expect_line("route add -6 2001:db8::/32 fe80::1%mem0", 0, NULL, "");
	assert_non_null(strstr(s.text, " 2001:db8:: fe80::1%mem0 ffff:ffff::\n\n"));
	expect_line("route delete 2001:db8::/32", 0, NULL, "");
	expect_line("ifconfig mem0 inet 10.4.0.1/24 alias", 0, NULL, "");
	assert_non_null(strstr(s.text, "RTM_NEWADDR: address being added to iface"));
	expect_line("ifconfig mem0 inet 10.4.0.1 -alias", 0, NULL, "");
	assert_non_null(strstr(s.text, "RTM_DELADDR: address being removed from iface"));
	if_link_state_change(lan.ifp, LINK_STATE_DOWN);
	assert_non_null(strstr(s.text, "RTM_IFINFO: iface status change"));
	/* what another stack does is not told here */
	s.n = 0;
	s.text[0] = '\0';
	expect_line("jail -c name=other vnet persist", 0, NULL, "");
	expect_line("jexec other ifconfig lo0 inet 127.0.0.1/8", 0, NULL, "");
	expect_line("jail -r other", 0, NULL, "");
	assert_string_equal(s.text, "");
	assert_int_equal(s.status, -1);
	verb_cancel(run);
	assert_int_equal(s.status, 0);
}

#define ROUTE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUTE_TEST(test_add_and_delete_say_what_they_did),
		ROUTE_TEST(test_classes_decide_where_no_length_is_given),
		ROUTE_TEST(test_errors_have_their_words_and_exit_one),
		ROUTE_TEST(test_wrong_words_are_refused_and_change_nothing),
		ROUTE_TEST(test_get_prints_the_route_in_blocks),
		ROUTE_TEST(test_names_of_the_hosts_table_are_addresses),
		ROUTE_TEST(test_netstat_prints_the_columns_that_scripts_read),
		ROUTE_TEST(test_wide_interface_names_widen_their_column),
		ROUTE_TEST(test_json_has_the_same_facts),
		ROUTE_TEST(test_flush_takes_gateway_routes_only),
		ROUTE_TEST(test_change_moves_a_route),
		ROUTE_TEST(test_setfib_and_fib_choose_the_table),
		ROUTE_TEST(test_a_file_of_lines_is_done_to_its_end_and_faults_have_their_line),
		ROUTE_TEST(test_ipv6_routes_are_added_with_all_forms_of_words),
		ROUTE_TEST(test_ipv6_get_prints_the_route_in_blocks),
		ROUTE_TEST(test_ipv6_errors_change_nothing),
		ROUTE_TEST(test_a_name_is_resolved_in_the_family_that_is_wanted),
		ROUTE_TEST(test_flush_of_one_family_leaves_the_other),
		ROUTE_TEST(test_ipv6_columns_grow_and_shrink_without_n),
		ROUTE_TEST(test_a_saved_state_has_the_same_tables),
		ROUTE_TEST(test_classic_jail_sees_its_own_addresses_routes_only),
		ROUTE_TEST(test_classic_jail_sees_its_own_ipv6_addresses_routes_only),
		ROUTE_TEST(test_monitor_tells_each_change_as_it_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
