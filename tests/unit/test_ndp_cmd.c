/*
 * Unit tests of the tool ndp (inet6/ndp_cmd.c, ndp_lists.c): its columns, its words, its errors.
 */
#include "nd6_fixture.h"

#include <unistd.h>

#define HEAD "Neighbor                             Linklayer Address  Netif Expire    S Flags\n"

/* Runs a line on the host and compares what it says; NULL = don't look. */
static void
expect(const char *line, int status, const char *out, const char *err)
{
	char *got_out, *got_err;
	int got = verb_line(NULL, line, false, &got_out, &got_err);

	if (out != NULL)
		assert_string_equal(got_out, out);
	if (err != NULL)
		assert_string_equal(got_err, err);
	assert_int_equal(got, status);
	free(got_out);
	free(got_err);
}

static bool
says(const char *line, bool json, const char *text)
{
	char *out, *err;
	bool found;

	verb_line(NULL, line, json, &out, &err);
	found = strstr(out, text) != NULL || strstr(err, text) != NULL;
	if (!found)
		print_error("%s: no '%s' in: %s%s\n", line, text, out, err);
	free(out);
	free(err);
	return found;
}

/* The fixture's neighbours by hand go: a table with our own addresses only. */
static int
setup(void **state)
{
	if (nd6_setup(state) != 0)
		return -1;
	command("ndp -d 2001:db8::2");
	command("ndp -d fe80::2%mem0");
	return 0;
}
#define NDP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, nd6_teardown)

#define OWN                                                                                        \
	"fe80::1%mem0                         02:00:00:00:01:01   mem0 permanent R \n"             \
	"2001:db8::1                          02:00:00:00:01:01   mem0 permanent R \n"

static void
test_the_list_has_bsds_columns(void **state)
{
	(void)state;
	expect("ndp -an", 0, HEAD OWN, "");
	nd6_set_basereachable(in6_if_of(lan.ifp), 1000);
	in6_if_of(lan.ifp)->nd.reachable_ms = 62000;
	neighbour_in(ND6_REACHABLE, "2001:db8::5");
	neighbour_in(ND6_STALE, "2001:db8::6")->flags |= LLE_ROUTER;
	neighbour_in(ND6_INCOMPLETE, "2001:db8::7");
	expect("ndp -an", 0,
	    HEAD OWN
	    "2001:db8::5                          02:00:00:00:09:09   mem0 1m2s      R \n"
	    "2001:db8::6                          02:00:00:00:09:09   mem0 1d0h0m0s  S R\n"
	    "2001:db8::7                          (incomplete)        mem0 1s        I  1\n",
	    "");
	expect("ndp -n 2001:db8::6", 0,
	    HEAD "2001:db8::6                          02:00:00:00:09:09   mem0 1d0h0m0s  S R\n",
	    "");
}

static void
test_every_state_has_its_letter(void **state)
{
	(void)state;
	neighbour_in(ND6_DELAY, "2001:db8::5");
	assert_true(says("ndp -n 2001:db8::5", false, " D \n"));
	run_for(5 * NS_PER_SEC + NS_PER_MS);
	assert_true(says("ndp -n 2001:db8::5", false, " P  1\n"));
	assert_non_null(nd6_entry(lan.ifp, &(struct in6){ .b = { 0x20, 1, 0x0d, 0xb8, 7 } }));
	assert_true(says("ndp -n 2001:db8:700::", false, " expired   N \n"));
}

static void
test_json_has_the_same(void **state)
{
	(void)state;
	neighbour_in(ND6_STALE, "2001:db8::6")->flags |= LLE_ROUTER;
	assert_true(says("ndp -an", true,
	    "\"address\":\"2001:db8::6\",\"mac-address\":\"02:00:00:00:09:09\","
	    "\"incomplete\":false,"
	    "\"interface\":\"mem0\",\"expires\":86400,\"state\":\"stale\",\"router\":true,"
	    "\"proxy\":false,\"probes\":0"));
	assert_true(says("ndp -an", true, "\"permanent\":true"));
}

static void
test_names_stand_for_addresses_unless_numeric(void **state)
{
	struct in6 a = a6("2001:db8::6");
	struct ipaddr addr = ipaddr6(&a);

	(void)state;
	assert_int_equal(ip_hosts_add("peer", &addr), 0);
	neighbour_in(ND6_STALE, "2001:db8::6");
	assert_true(says("ndp -a", false, "\npeer                                 02:"));
	assert_true(says("ndp -an", false, "\n2001:db8::6 "));
	expect("ndp -d peer", 0, "peer (2001:db8::6) deleted\n", "");
	ip_hosts_clear();
}

static void
test_what_is_not_there_is_said(void **state)
{
	(void)state;
	expect("ndp 2001:db8::5", 1, "2001:db8::5 (2001:db8::5) -- no entry\n", "");
	expect("ndp -d 2001:db8::5", 1, "2001:db8::5 (2001:db8::5) -- no entry\n", "");
	expect("ndp nobody", 1, "", "ndp: nobody: Unknown host\n");
	expect("ndp 10.0.0.1", 1, "", "ndp: 10.0.0.1: Unknown host\n");
	expect("ndp ff02::1", 1, "", "ndp: ff02::1: Unknown host\n");
	/* our own addresses can't be deleted */
	expect("ndp -d 2001:db8::1", 1, "2001:db8::1 (2001:db8::1) -- no entry\n", "");
}

static void
test_an_entry_by_hand_stays(void **state)
{
	(void)state;
	expect("ndp -s 2001:db8::5 02:00:00:00:09:09", 0, "", "");
	expect("ndp -n 2001:db8::5", 0,
	    HEAD "2001:db8::5                          02:00:00:00:09:09   mem0 permanent R \n",
	    "");
	expect("ndp -s 2001:db8::5 02:00:00:00:08:08 proxy", 0, "", "");
	expect("ndp -n 2001:db8::5", 0,
	    HEAD "2001:db8::5                          02:00:00:00:08:08   mem0 permanent R p\n",
	    "");
	expect("ndp -d 2001:db8::5", 0, "2001:db8::5 (2001:db8::5) deleted\n", "");
}

static void
test_a_temporary_one_goes_after_twenty_minutes(void **state)
{
	(void)state;
	expect("ndp -s fe80::5%mem0 02:00:00:00:09:09 temp", 0, "", "");
	assert_true(says("ndp -n fe80::5%mem0", false, "mem0 20m0s     R \n"));
	run_for(1199 * NS_PER_SEC);
	assert_int_equal(entry6(&lan, "fe80::5%mem0")->state, ND6_REACHABLE);
	run_for(2 * NS_PER_SEC);
	assert_null(entry6(&lan, "fe80::5%mem0"));
}

static void
test_what_waits_for_an_entry_by_hand_leaves(void **state)
{
	(void)state;
	send6("2001:db8::5", 3);
	memif_clear(&lan);
	expect("ndp -s 2001:db8::5 02:00:00:00:09:09", 0, "", "");
	assert_int_equal(lan.sent.len, 3);
	run_for(10 * NS_PER_SEC);
	assert_int_equal(lan.sent.len, 3);
}

static void
test_wrong_words_are_refused(void **state)
{
	(void)state;
	expect("ndp -s 2001:db8::5 02:00", 1, "", "ndp: invalid link-level address '02:00'\n");
	expect("ndp -s 2001:db8::5 01:00:5e:00:00:01", 1, "",
	    "ndp: invalid link-level address '01:00:5e:00:00:01'\n");
	expect("ndp -s 2001:db8::5 02:00:00:00:09:09 pub", 1, "", "ndp: invalid parameter 'pub'\n");
	expect("ndp -s 2001:db8:77::5 02:00:00:00:09:09", 1, "",
	    "ndp: cannot intuit interface index and type for 2001:db8:77::5\n");
	expect("ndp -s fe80::5 02:00:00:00:09:09", 1, "",
	    "ndp: cannot intuit interface index and type for fe80::5\n");
	expect("ndp -s 2001:db8::1 02:00:00:00:09:09", 1, "",
	    "ndp: 2001:db8::1: File exists: it is an address of mem0\n");
	expect("ndp -A 0", 1, "", "ndp: illegal repeat time '0'\n");
	assert_true(says("ndp -a -c", false, "these options exclude each other\nusage: ndp"));
	assert_true(says("ndp", false, "usage: ndp"));
	assert_true(says("ndp -x", false, "usage: ndp"));
	assert_int_equal(verb_line(NULL, "ndp -a more", false, NULL, NULL), 64);
}

static void
test_all_that_traffic_made_is_cleared(void **state)
{
	(void)state;
	neighbour_in(ND6_STALE, "2001:db8::5");
	neighbour_in(ND6_INCOMPLETE, "2001:db8::6");
	expect("ndp -s 2001:db8::7 02:00:00:00:09:09", 0, "", "");
	expect("ndp -cn", 0,
	    "2001:db8::5 (2001:db8::5) deleted\n2001:db8::6 (2001:db8::6) deleted\n", "");
	assert_non_null(entry6(&lan, "2001:db8::7"));
	assert_int_equal(in6_lltable(lan.ifp)->count, 1);
}

static void
test_a_file_is_read_to_its_end(void **state)
{
	char path[] = "/tmp/ndp-test-XXXXXX", line[64], err[128];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	(void)state;
	fputs("# neighbours\n2001:db8::5 02:00:00:00:09:09\n\nlonely\n"
	      "2001:db8::6 02:00:00:00:09:09 temp proxy\n",
	    f);
	fclose(f);
	snprintf(line, sizeof(line), "ndp -f %s", path);
	snprintf(err, sizeof(err), "ndp: %s:4: bad line: lonely\n", path);
	expect(line, 1, "", err);
	assert_non_null(entry6(&lan, "2001:db8::5"));
	assert_true(entry6(&lan, "2001:db8::6")->flags & LLE_PUB);
	unlink(path);
	assert_true(says("ndp -f /nowhere", false, "ndp: cannot open /nowhere: No such file"));
}

static void
test_it_prints_again_and_again_with_times(void **state)
{
	struct tool t;

	(void)state;
	tool_start(&t, NULL, "ndp -nt -A 10", false);
	run_for(25 * NS_PER_SEC);
	verb_cancel(t.run);
	assert_true(t.done);
	assert_int_equal(t.status, 130);
	/* three times two lines, each with the time of day before it */
	assert_int_equal(t.out_len, 3 * (2 * (16 + sizeof(OWN) / 2) + 1));
	assert_int_equal(t.out[2], ':');
	assert_int_equal(t.out[8], '.');
	assert_memory_equal(t.out + 16, "fe80::1%mem0 ", 13);
}

static void
test_an_interfaces_parameters_are_shown_and_set(void **state)
{
	(void)state;
	in6_if_of(lan.ifp)->nd.reachable_ms = 38400;
	expect("ndp -i mem0", 0,
	    "linkmtu=0, maxmtu=1500, curhlim=64, basereachable=30s0ms, reachable=38s, "
	    "retrans=1s0ms\nFlags: nud auto_linklocal \n",
	    "");
	assert_true(says("ndp -i mem0 -nud accept_rtadv retrans=250 curhlim=32", false,
	    "curhlim=32, basereachable=30s0ms, reachable=38s, retrans=0s250ms\n"
	    "Flags: accept_rtadv auto_linklocal \n"));
	assert_true(says("ndp -i mem0 -- nud -accept_rtadv basereachable=60000", false,
	    "basereachable=60s0ms, reachable="));
	assert_in_range(in6_if_of(lan.ifp)->nd.reachable_ms, 30000, 90000);
	assert_true(says("ndp -i mem0", true, "\"flags\":[\"nud\",\"auto_linklocal\"]"));
	expect("ndp -i mem0 what", 1, "", "ndp: invalid flag or parameter 'what'\n");
	expect("ndp -i mem0 curhlim=256", 1, "", "ndp: curhlim=256: not a number from 0 to 255\n");
	/* nothing is set if one word is wrong */
	expect("ndp -i mem0 -nud what", 1, "", NULL);
	assert_true(in6_if_of(lan.ifp)->nd.flags & ND6_IFF_PERFORMNUD);
	expect("ndp -i nosuch", 1, "", "ndp: interface nosuch does not exist\n");
}

static void
test_the_default_interface_is_set_and_forgotten(void **state)
{
	(void)state;
	expect("ndp -I", 0, "No default interface.\n", "");
	expect("ndp -I mem0", 0, "ND default interface = mem0\n", "");
	expect("ndp -I", 0, "ND default interface = mem0\n", "");
	expect("ndp -I delete", 0, "No default interface.\n", "");
	expect("ndp -I nosuch", 1, "", "ndp: interface nosuch does not exist\n");
}

/* fe80::9 advertises itself for half an hour, and 2001:db8:3::/64. */
static void
advertise(void)
{
	static const uint8_t body[] = { 64, 0xc8, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, /* M O high */
		1, 1, 2, 0, 0, 0, 9, 9, /* source address */
		3, 4, 64, 0xc0, 0, 0x27, 0x8d, 0, 0, 0x09, 0x3a, 0x80, 0, 0, 0,
		0, /* L A 30 d, 7 d */
		0x20, 0x01, 0x0d, 0xb8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct mbuf *m = message6("fe80::9", "ff02::1", ND_ROUTER_ADVERT_, 0, sizeof(body) - 4);

	mtod(m, struct ip6_hdr *)->hlim = 255;
	memcpy(m->data + IP6_HDRLEN + 4, body, sizeof(body));
	icmp6_sum_at(m, IP6_HDRLEN);
	receive6(m);
}

static void
test_routers_and_prefixes_are_listed_and_flushed(void **state)
{
	(void)state;
	command("ndp -i mem0 accept_rtadv");
	advertise();
	expect("ndp -rn", 0, "fe80::9%mem0 if=mem0, flags=MO, pref=high, expire=30m0s\n", "");
	expect("ndp -pn", 0,
	    "2001:db8:3::/64 if=mem0\n"
	    "flags=LAO vltime=2592000, pltime=604800, expire=30d0h0m0s, ref=1\n"
	    "  advertised by\n"
	    "    fe80::9%mem0 (reachable)\n",
	    "");
	assert_true(says("ndp -r", true,
	    "\"address\":\"fe80::9%mem0\",\"interface\":\"mem0\","
	    "\"flags\":\"MO\",\"preference\":\"high\",\"expires\":1800"));
	assert_true(says("ndp -p", true, "\"prefix\":\"2001:db8:3::\",\"prefixlen\":64"));
	expect("ndp -R", 0, "", "");
	expect("ndp -r", 0, "", "");
	assert_true(says("ndp -pn", false, "  No advertising router\n"));
	expect("ndp -P", 0, "", "");
	expect("ndp -p", 0, "", "");
	expect("ndp -H", 0, "", "");
}

static void
test_a_jail_sees_its_own_stack_and_needs_privilege(void **state)
{
	struct tool t;

	(void)state;
	command("jail -c name=v vnet persist");
	assert_int_equal(tool(&t, "v", "ndp -an"), 0);
	assert_string_equal(t.out, HEAD);
	command("jail -c name=c persist ip6.addr=2001:db8::1");
	neighbour_in(ND6_STALE, "2001:db8::5");
	assert_int_equal(tool(&t, "c", "ndp -an"), 0);
	assert_null(strstr(t.out, "2001:db8::5"));
	assert_non_null(strstr(t.out, "2001:db8::1 "));
	assert_int_equal(tool(&t, "c", "ndp -c"), 77);
	assert_string_equal(t.err, "ndp: Operation not permitted\n");
}

static void
test_show_knows_the_states(void **state)
{
	(void)state;
	neighbour_in(ND6_STALE, "2001:db8::5");
	assert_true(says("show all lltables verbose", false, "(stale)"));
	assert_true(says("show all lltables verbose", false, "l3_addr=2001:db8::5"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NDP_TEST(test_the_list_has_bsds_columns),
		NDP_TEST(test_every_state_has_its_letter),
		NDP_TEST(test_json_has_the_same),
		NDP_TEST(test_names_stand_for_addresses_unless_numeric),
		NDP_TEST(test_what_is_not_there_is_said),
		NDP_TEST(test_an_entry_by_hand_stays),
		NDP_TEST(test_a_temporary_one_goes_after_twenty_minutes),
		NDP_TEST(test_what_waits_for_an_entry_by_hand_leaves),
		NDP_TEST(test_wrong_words_are_refused),
		NDP_TEST(test_all_that_traffic_made_is_cleared),
		NDP_TEST(test_a_file_is_read_to_its_end),
		NDP_TEST(test_it_prints_again_and_again_with_times),
		NDP_TEST(test_an_interfaces_parameters_are_shown_and_set),
		NDP_TEST(test_the_default_interface_is_set_and_forgotten),
		NDP_TEST(test_routers_and_prefixes_are_listed_and_flushed),
		NDP_TEST(test_a_jail_sees_its_own_stack_and_needs_privilege),
		NDP_TEST(test_show_knows_the_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
