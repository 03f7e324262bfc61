/*
 * Unit tests of address selection (inet6/in6_src.c), with the examples of RFC 6724 section 10, and
 * of the policy table with its tool (in6_policy.c).
 */
#include "kern_fixture.h"

#include "base/rcu.h"
#include "base/sched.h"
#include "inet6/in6_policy.h"
#include "inet6/nd6_rtr.h"
#include "kern/netisr.h"
#include "memif.h"

#include <stdio.h>
#include <unistd.h>

static struct memif lan, wan;

static struct in6
a6(const char *text)
{
	struct in6 addr;

	assert_true(in6_aton(text, &addr));
	return addr;
}

/* The address alone: the link-local one that comes with the first is no candidate here. */
static void
give(struct ifnet *ifp, const char *addr, uint32_t flags)
{
	const struct in6_addr_request rq = {
		.addr = a6(addr),
		.plen = 64,
		.flags = flags,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};
	struct in6 made = { .b = { 0xfe, 0x80 } };

	assert_int_equal(in6_addr_add(ifp, &rq), 0);
	in6_eui64(&made, ifp->if_lladdr);
	(void)in6_addr_delete(ifp, &made);
}

/* All IPv6 addresses of an interface away. */
static void
strip(struct ifnet *ifp)
{
	while (in6_ifaddr_first(ifp) != NULL)
		assert_int_equal(in6_addr_delete(ifp, &in6_ifaddr_first(ifp)->addr), 0);
}

static void
expect_source_by(struct ifnet *ifp, const char *dst, const char *src)
{
	struct in6 d = a6(dst);
	const struct in6_ifaddr *ia = in6_select_source(ifp, &d);
	char text[IN6_TEXT];

	if (src == NULL) {
		assert_null(ia);
		return;
	}
	assert_non_null(ia);
	assert_string_equal(in6_ntoa(&ia->addr, text), src);
}

static void
expect_source(const char *dst, const char *src)
{
	expect_source_by(lan.ifp, dst, src);
}

/* The first is tried first. */
static void
expect_order(const char *first, const char *second)
{
	struct in6 a = a6(first), b = a6(second);

	assert_true(in6_compare_destinations(0, &a, &b) < 0);
	assert_true(in6_compare_destinations(0, &b, &a) > 0);
}

static struct audit_counts before;

static int
setup(void **state)
{
	(void)state;
	worker_attach(0, CLOCK_VIRTUAL);
	audit_take(&before);
	kern_init();
	memif_open(&lan, 0);
	memif_open(&wan, 1);
	for (int i = 0; i < 2; i++) {
		struct ifnet *ifp = i == 0 ? lan.ifp : wan.ifp;

		in6_flags_set(ifp, ND6_IFF_NO_DAD);
		assert_int_equal(if_up(ifp), 0);
	}
	return 0;
}

/* A stack keeps its policy table until its end: the count is taken behind it. */
static int
teardown(void **state)
{
	char text[256];
	int differ;

	(void)state;
	while (netisr_run())
		continue;
	memif_close(&lan);
	memif_close(&wan);
	rcu_synchronize();
	kern_fini();
	rcu_synchronize();
	differ = audit_compare(&before, text, sizeof(text));
	if (differ != 0)
		print_error("left behind: %s\n", text);
	worker_detach();
	return differ;
}

/* --- RFC 6724 10.1 --------------------------------------------------------------------------- */

static void
test_a_source_reaches_as_far_as_its_destination(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:3::1", 0);
	give(lan.ifp, "fe80::1", 0);
	expect_source("2001:db8:1::1", "2001:db8:3::1");
	expect_source("ff05::1", "2001:db8:3::1");
	/* and no farther */
	expect_source("fe80::5%mem0", "fe80::1%mem0");
	expect_source("ff02::1%mem0", "fe80::1%mem0");
}

static void
test_the_destination_itself_is_the_best_source(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::1", IN6_IFF_DEPRECATED);
	give(lan.ifp, "2001:db8:2::1", 0);
	expect_source("2001:db8:1::1", "2001:db8:1::1");
}

static void
test_scope_goes_before_deprecation(void **state)
{
	(void)state;
	give(lan.ifp, "fe80::2", IN6_IFF_DEPRECATED);
	give(lan.ifp, "2001:db8:1::1", 0);
	expect_source("fe80::1%mem0", "fe80::2%mem0");
}

static void
test_the_longest_match_decides_last(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:3::2", 0);
	give(lan.ifp, "2001:db8:1::2", 0);
	expect_source("2001:db8:1::1", "2001:db8:1::2");
	expect_source("2001:db8:3::1", "2001:db8:3::2");
	/* never longer than the source's own prefix: then the first of them */
	strip(lan.ifp);
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "2001:db8:1::5", 0);
	expect_source("2001:db8:1::4", "2001:db8:1::2");
}

static void
test_labels_go_together(void **state)
{
	(void)state;
	expect_line("sysctl net.inet6.ip6.prefer_tempaddr=1", 0, NULL, "");
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "2002:c633:6401::d5e3:7953:13eb:22e8", IN6_IFF_TEMPORARY);
	expect_source("2002:c633:6401::1", "2002:c633:6401:0:d5e3:7953:13eb:22e8");
	expect_source("2001:db8:9::1", "2001:db8:1::2");
}

static void
test_temporary_addresses_are_preferred_as_the_administrator_says(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "2001:db8:1::d5e3:7953:13eb:22e8", IN6_IFF_TEMPORARY);
	expect_source("2001:db8:1::d5e3:0:0:1", "2001:db8:1::2");
	expect_line("sysctl net.inet6.ip6.prefer_tempaddr=1", 0, NULL, "");
	expect_source("2001:db8:1::d5e3:0:0:1", "2001:db8:1:0:d5e3:7953:13eb:22e8");
}

/* --- other rules ----------------------------------------------------------------------------- */

static void
test_a_deprecated_address_is_the_last_choice_or_none(void **state)
{
	(void)state;
	give(lan.ifp, "fe80::1", 0);
	give(lan.ifp, "2001:db8:1::1", IN6_IFF_DEPRECATED);
	expect_source("2001:db8:5::1", "2001:db8:1::1");
	/* another interface's that isn't */
	give(wan.ifp, "2001:db8:2::1", 0);
	expect_source("2001:db8:5::1", "2001:db8:2::1");
	strip(wan.ifp);
	expect_line("sysctl net.inet6.ip6.use_deprecated=0", 0, NULL, "");
	expect_source("2001:db8:5::1", "fe80::1%mem0");
}

static void
test_what_is_not_ready_is_no_source(void **state)
{
	(void)state;
	in6_flags_set(lan.ifp, in6_if_of(lan.ifp)->nd.flags & ~(uint32_t)ND6_IFF_NO_DAD);
	give(lan.ifp, "2001:db8::1", 0);
	expect_source("2001:db8::9", NULL);
	sched_run(clock_now() + 5 * NS_PER_SEC);
	expect_source("2001:db8::9", "2001:db8::1");
	in6_ifaddr_first(lan.ifp)->flags |= IN6_IFF_DETACHED;
	expect_source("2001:db8::9", NULL);
	strip(lan.ifp);
	give(lan.ifp, "2001:db8::2", IN6_IFF_ANYCAST);
	expect_source("2001:db8::9", NULL);
	strip(lan.ifp);
	give(lan.ifp, "2001:db8::3", 0);
	in6_flags_set(lan.ifp, in6_if_of(lan.ifp)->nd.flags | ND6_IFF_IFDISABLED);
	expect_source("2001:db8::9", NULL);
}

static void
test_the_way_outs_own_addresses_go_first(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::1", 0);
	give(wan.ifp, "2001:db8:2::1", 0);
	expect_source_by(lan.ifp, "2001:db8:2::9", "2001:db8:1::1");
	expect_source_by(wan.ifp, "2001:db8:1::9", "2001:db8:2::1");
}

static void
test_an_unnumbered_interface_borrows_but_for_its_link(void **state)
{
	(void)state;
	give(lan.ifp, "fe80::1", 0);
	give(wan.ifp, "fe80::2", 0);
	give(wan.ifp, "2001:db8:2::1", 0);
	expect_source_by(lan.ifp, "2001:db8:9::1", "2001:db8:2::1");
	expect_source_by(lan.ifp, "fe80::9%mem0", "fe80::1%mem0");
	strip(lan.ifp);
	expect_source_by(lan.ifp, "fe80::9%mem0", NULL);
	expect_source_by(lan.ifp, "ff02::1%mem0", NULL);
}

static void
test_the_loopback_address_stays_on_lo0(void **state)
{
	(void)state;
	assert_int_equal(if_up(V_loif), 0);
	expect_source_by(V_loif, "::1", "::1");
	expect_source_by(lan.ifp, "2001:db8::1", NULL);
	give(lan.ifp, "2001:db8::1", 0);
	expect_source_by(V_loif, "2001:db8::1", "2001:db8::1");
	strip(V_loif);
	assert_int_equal(if_down(V_loif), 0);
}

static void
test_preferred_sources_go_before_the_longest_match(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::1", 0);
	give(lan.ifp, "2001:db8:2::1", IN6_IFF_PREFER_SOURCE);
	expect_source("2001:db8:1::9", "2001:db8:2::1");
}

static int
stop_at_first(const struct nd6_prefix *pr, void *ctx)
{
	*(const struct nd6_prefix **)ctx = pr;
	return 1;
}

/* Rule 5.5: two routers of one link, each with its prefix. */
static void
test_a_packet_comes_from_a_prefix_of_the_router_it_goes_to(void **state)
{
	static const char *const routers[] = { "fe80::a%mem0", "fe80::b%mem0" };
	static const char *const prefixes[] = { "2001:db8:a::", "2001:db8:b::" };
	const struct nd6_prefix *pr = NULL;

	(void)state;
	give(lan.ifp, "fe80::1", 0);
	for (int i = 0; i < 2; i++) {
		struct in6 addr = a6(routers[i]);
		struct nd_opt_prefix opt = { .type = ND_OPT_PREFIX,
			.len = 4,
			.plen = 64,
			.flags = ND_PREFIX_ONLINK,
			.vltime_s = to_be32(3600),
			.pltime_s = to_be32(3600),
			.prefix = a6(prefixes[i]) };

		nd6_prefix_heard(lan.ifp, nd6_router_get(lan.ifp, &addr), &opt);
	}
	assert_int_equal(nd6_prefix_foreach(stop_at_first, &pr), 1);
	give(lan.ifp, "2001:db8:b::1", 0);
	give(lan.ifp, "2001:db8:a::1", 0);
	expect_line("route -6 add 2001:db8:1::/48 fe80::a%mem0", 0, NULL, "");
	expect_line("route -6 add 2001:db8:2::/48 fe80::b%mem0", 0, NULL, "");
	expect_source("2001:db8:1::9", "2001:db8:a::1");
	expect_source("2001:db8:2::9", "2001:db8:b::1");
}

/* --- RFC 6724 10.2: destinations ----------------------------------------- */

static void
default_routes(void)
{
	expect_line("route -6 add default -iface mem0", 0, NULL, "");
	expect_line("route add default -iface mem0", 0, NULL, "");
}

static void
test_destinations_whose_scope_matches_go_first(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "fe80::1", 0);
	expect_line("ifconfig mem0 inet 169.254.13.78/16", 0, "", "");
	default_routes();
	expect_order("2001:db8:1::1", "::ffff:198.51.100.121");
	expect_line("ifconfig mem0 inet 198.51.100.117/24", 0, "", "");
	expect_line("route add default -iface mem0", 0, NULL, "");
	strip(lan.ifp);
	give(lan.ifp, "fe80::1", 0);
	expect_line("route -6 add default -iface mem0", 0, NULL, "");
	expect_order("::ffff:198.51.100.121", "2001:db8:1::1");
}

static void
test_destinations_of_higher_precedence_go_first(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "fe80::1", 0);
	expect_line("ifconfig mem0 inet 10.1.2.4/24", 0, "", "");
	default_routes();
	expect_order("2001:db8:1::1", "::ffff:10.1.2.3");
	/* 10.3: IPv4 preferred */
	expect_line("ip6addrctl delete ::ffff:0:0/96", 0, "", "");
	expect_line("ip6addrctl add ::ffff:0:0/96 100 4", 0, "", "");
	expect_order("::ffff:10.1.2.3", "2001:db8:1::1");
}

static void
test_near_destinations_go_first_unless_their_source_is_deprecated(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "fe80::2", 0);
	default_routes();
	expect_order("fe80::1%mem0", "2001:db8:1::1");
	strip(lan.ifp);
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "fe80::2", IN6_IFF_DEPRECATED);
	expect_line("route -6 add default -iface mem0", 0, NULL, "");
	expect_order("2001:db8:1::1", "fe80::1%mem0");
}

static void
test_destinations_match_their_source_the_longer_the_better(void **state)
{
	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	give(lan.ifp, "2001:db8:3f44::2", 0);
	give(lan.ifp, "fe80::2", 0);
	default_routes();
	expect_order("2001:db8:1::1", "2001:db8:3ffe::1");
}

static void
test_destinations_with_their_sources_label_go_first(void **state)
{
	(void)state;
	give(lan.ifp, "2002:c633:6401::2", 0);
	give(lan.ifp, "fe80::2", 0);
	default_routes();
	expect_order("2002:c633:6401::1", "2001:db8:1::1");
	give(lan.ifp, "2001:db8:1::2", 0);
	expect_order("2001:db8:1::1", "2002:c633:6401::1");
}

static void
test_destinations_that_cannot_be_reached_go_last(void **state)
{
	struct in6 a = a6("2001:db8:8::1"), b = a6("2001:db8:9::1");

	(void)state;
	give(lan.ifp, "2001:db8:1::2", 0);
	expect_order("2001:db8:1::1", "2001:db8:9::1");
	expect_order("2001:db8:1::1", "::ffff:10.1.2.3");
	assert_int_equal(in6_compare_destinations(0, &a, &b), 0);
	expect_line("route -6 add 2001:db8:9::/48 2001:db8:1::9", 0, NULL, "");
	expect_order("2001:db8:9::1", "2001:db8:8::1");
	expect_line("route -6 delete 2001:db8:9::/48", 0, NULL, "");
	expect_line("route -6 add 2001:db8:9::/48 -iface mem0 -reject", 0, NULL, "");
	assert_int_equal(in6_compare_destinations(0, &a, &b), 0);
}

/* --- the policy table ---------------------------------------------------- */

static void
test_the_default_policy_is_the_rfcs(void **state)
{
	(void)state;
	expect_line("ip6addrctl", 0,
	    "Prefix                          Prec Label      Use\n"
	    "::1/128                           50     0        0\n"
	    "::/0                              40     1        0\n"
	    "::ffff:0.0.0.0/96                 35     4        0\n"
	    "2002::/16                         30     2        0\n"
	    "2001::/32                          5     5        0\n"
	    "fc00::/7                           3    13        0\n"
	    "::/96                              1     3        0\n"
	    "fec0::/10                          1    11        0\n"
	    "3ffe::/16                          1    12        0\n",
	    "");
	assert_true(says("ip6addrctl show", true,
	    "{\"prefix\":\"::1/128\",\"precedence\":50,\"label\":0,\"use\":0}"));
}

static void
expect_policy(const char *addr, int64_t precedence, int64_t label)
{
	struct in6 a = a6(addr);
	const struct in6_policy *p = in6_policy_of(&a);

	assert_int_equal(p == NULL ? -1 : (int64_t)p->precedence, precedence);
	assert_int_equal(p == NULL ? -1 : (int64_t)p->label, label);
}

static void
test_the_longest_row_counts(void **state)
{
	(void)state;
	expect_policy("::1", 50, 0);
	expect_policy("2001:db8::1", 40, 1);
	expect_policy("2001::1", 5, 5);
	expect_policy("::ffff:10.0.0.1", 35, 4);
	expect_policy("::10.0.0.1", 1, 3);
	expect_policy("fd00::1", 3, 13);
	expect_line("ip6addrctl add 2001:db8::/32 99 7", 0, "", "");
	expect_line("ip6addrctl add fe80::/64 60 8", 0, "", "");
	expect_policy("2001:db8::1", 99, 7);
	/* whatever its zone */
	expect_policy("fe80::1%mem0", 60, 8);
	expect_line("ip6addrctl delete 2001:db8::/32", 0, "", "");
	expect_policy("2001:db8::1", 40, 1);
	expect_line("ip6addrctl flush", 0, "", "");
	expect_line("ip6addrctl", 0, "Prefix                          Prec Label      Use\n", "");
	expect_policy("2001:db8::1", -1, -1);
}

static void
test_each_stack_has_its_own_policy(void **state)
{
	(void)state;
	expect_line("jail -c name=j vnet persist", 0, NULL, "");
	expect_line("jexec j ip6addrctl flush", 0, "", "");
	expect_policy("2001:db8::1", 40, 1);
	expect_line("jexec j ip6addrctl add ::/0 1 2", 0, "", "");
	assert_true(says("jexec j ip6addrctl", false,
	    "Use\n::/0                               1     2        0\n"));
	expect_line("jail -r j", 0, NULL, "");
}

static void
test_errors_of_the_policy_tool_have_words(void **state)
{
	(void)state;
	expect_line(
	    "ip6addrctl add ::/0 1 2", 1, "", "ip6addrctl: ::/0: policy already in table\n");
	expect_line("ip6addrctl delete 2001:db8::/32", 1, "",
	    "ip6addrctl: 2001:db8::/32: policy not in table\n");
	expect_line("ip6addrctl add 10.0.0.0/8 1 2", 1, "", "ip6addrctl: 10.0.0.0/8: bad prefix\n");
	expect_line("ip6addrctl add ::/129 1 2", 1, "", "ip6addrctl: ::/129: bad prefix\n");
	expect_line("ip6addrctl add ::/8 x 2", 1, "", "ip6addrctl: x: bad precedence\n");
	expect_line("ip6addrctl add ::/8 1 -2", 1, "", "ip6addrctl: -2: bad label\n");
	expect_line("ip6addrctl add ::/8 1", 64, "", NULL);
	expect_line("ip6addrctl burn", 64, "", NULL);
	expect_line("sysctl net.inet6.ip6.addrctl_max=9", 0, NULL, "");
	expect_line(
	    "ip6addrctl add ::/8 1 2", 1, "", "ip6addrctl: ::/8: No buffer space available\n");
}

static void
write_file(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
test_a_file_replaces_the_policy_or_changes_nothing(void **state)
{
	char file[] = "/tmp/warren-policy-XXXXXX", line[100], err[200];

	(void)state;
	close(mkstemp(file));
	write_file(file, "# mine\n::/0 40 1 # all\n\n2001:db8::/32\t90\t9\n");
	snprintf(line, sizeof(line), "ip6addrctl install %s", file);
	expect_line(line, 0, "", "");
	expect_line("ip6addrctl", 0,
	    "Prefix                          Prec Label      Use\n"
	    "::/0                              40     1        0\n"
	    "2001:db8::/32                     90     9        0\n",
	    "");
	write_file(file, "::/0 1 1\n::/0 2 2\n");
	snprintf(err, sizeof(err), "ip6addrctl: %s:2: ::/0: policy already in table\n", file);
	expect_line(line, 1, "", err);
	write_file(file, "::/0 1\n");
	snprintf(err, sizeof(err), "ip6addrctl: %s:1: bad line: ::/0 1\n", file);
	expect_line(line, 1, "", err);
	expect_policy("2001:db8::1", 90, 9);
	unlink(file);
	snprintf(err, sizeof(err), "ip6addrctl: cannot open %s: No such file or directory\n", file);
	expect_line(line, 1, "", err);
}

static void
test_classic_jails_may_look_but_not_change(void **state)
{
	(void)state;
	expect_line("jail -c name=c persist", 0, NULL, "");
	assert_true(says("jexec c ip6addrctl", false, "::1/128"));
	expect_line("jexec c ip6addrctl flush", 77, "", "ip6addrctl: Operation not permitted\n");
	expect_line("jail -r c", 0, NULL, "");
}

#define SRC_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SRC_TEST(test_a_source_reaches_as_far_as_its_destination),
		SRC_TEST(test_the_destination_itself_is_the_best_source),
		SRC_TEST(test_scope_goes_before_deprecation),
		SRC_TEST(test_the_longest_match_decides_last),
		SRC_TEST(test_labels_go_together),
		SRC_TEST(test_temporary_addresses_are_preferred_as_the_administrator_says),
		SRC_TEST(test_a_deprecated_address_is_the_last_choice_or_none),
		SRC_TEST(test_what_is_not_ready_is_no_source),
		SRC_TEST(test_the_way_outs_own_addresses_go_first),
		SRC_TEST(test_an_unnumbered_interface_borrows_but_for_its_link),
		SRC_TEST(test_the_loopback_address_stays_on_lo0),
		SRC_TEST(test_preferred_sources_go_before_the_longest_match),
		SRC_TEST(test_a_packet_comes_from_a_prefix_of_the_router_it_goes_to),
		SRC_TEST(test_destinations_whose_scope_matches_go_first),
		SRC_TEST(test_destinations_of_higher_precedence_go_first),
		SRC_TEST(test_near_destinations_go_first_unless_their_source_is_deprecated),
		SRC_TEST(test_destinations_match_their_source_the_longer_the_better),
		SRC_TEST(test_destinations_with_their_sources_label_go_first),
		SRC_TEST(test_destinations_that_cannot_be_reached_go_last),
		SRC_TEST(test_the_default_policy_is_the_rfcs),
		SRC_TEST(test_the_longest_row_counts),
		SRC_TEST(test_each_stack_has_its_own_policy),
		SRC_TEST(test_errors_of_the_policy_tool_have_words),
		SRC_TEST(test_a_file_replaces_the_policy_or_changes_nothing),
		SRC_TEST(test_classic_jails_may_look_but_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
