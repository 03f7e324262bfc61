/*
 * Tests of inet6/mld.c: what a host says about IPv6's groups (RFC 3810, RFC 2710), and what both
 * families' state machine does with them. The rules of that machine are tested in
 * test_multicast_report.c.
 */
#include "inet6_fixture.h"

#include "inet/multicast.h"
#include "mcast_reports.h"
#include "net/if_multi.h"

static struct mcast_member *
join(const char *group)
{
	const struct ipaddr g = ip(group);
	struct mcast_member *mm = mcast_join(lan.ifp, &g);

	assert_non_null(mm);
	return mm;
}

static struct mcast_member *
join_from(const char *group, const char *source)
{
	const struct ipaddr g = ip(group), s = ip(source);
	struct mcast_member *mm = mcast_join_filter(lan.ifp, &g, MCAST_MODE_INCLUDE, &s, 1);

	assert_non_null(mm);
	return mm;
}

static void
pass(uint64_t ns)
{
	sched_run(clock_now() + ns);
}

static void
quiet(void)
{
	pass(30 * NS_PER_SEC);
	memif_clear(&lan);
}

/* --- what was said ---------------------------------------------------------------------------- */

/* The MLD message in a frame, whose headers are checked; NULL if it is another frame. */
static const uint8_t *
message(const struct mbuf *m, size_t *len)
{
	const struct ip6_hdr *ip6 = frame_ip6(m);
	const uint8_t *hbh = (const uint8_t *)(ip6 + 1), *mld = hbh + 8;
	uint64_t sum;

	if (ip6->nxt != IPPROTO_HOPOPTS_)
		return NULL;
	assert_memory_equal(hbh, "\x3a\0\5\2\0\0\1\0", 8);
	assert_int_equal(ip6->hlim, 1);
	*len = from_be16(ip6->plen) - 8u;
	assert_true(from_be16(ip6->plen) + 40u <= lan.ifp->if_mtu);
	sum = cksum_add(0, &ip6->src, 32) + __builtin_bswap32((uint32_t)*len) +
	    (UINT32_C(58) << 24);
	assert_int_equal(cksum_fold(cksum_add(sum, mld, *len)), 0);
	return mld;
}

static void
message_text(const struct mbuf *m, char *text, size_t room)
{
	char group[IN6_TEXT], to[IN6_TEXT];
	size_t len;
	const uint8_t *p = message(m, &len);

	if (*p == MLDV2_REPORT) {
		assert_in6(&frame_ip6(m)->dst, "ff02::16");
		report_text(AF_INET6, p, len, text, room);
		return;
	}
	assert_int_equal(len, 24);
	snprintf(text, room, "%s %s to %s",
	    *p == MLDV1_REPORT ? "v1" :
		*p == MLD_DONE ? "done" :
				 "?",
	    in6_ntoa((const struct in6 *)(const void *)(p + 8), group),
	    in6_ntoa(&frame_ip6(m)->dst, to));
}

/* Whose messages are looked at. */
static struct memif *speaker = &lan;

/* The next MLD message is this and comes from there; the time at which it was said. */
static uint64_t
said_by(const char *src, const char *expected)
{
	struct mbuf *m;
	char text[4096];
	uint64_t when;
	size_t len;

	while ((m = mbufq_pop(&speaker->sent)) != NULL && message(m, &len) == NULL)
		m_free(m);
	if (m == NULL)
		print_error("nothing, and not: %s\n", expected);
	assert_non_null(m);
	message_text(m, text, sizeof(text));
	assert_string_equal(text, expected);
	assert_in6(&frame_ip6(m)->src, src);
	when = m->when_ns;
	m_free(m);
	return when;
}

static uint64_t
said(const char *expected)
{
	return said_by("fe80::1", expected);
}

static void
silence(void)
{
	struct mbuf *m;
	char text[4096] = "";
	size_t len;

	while ((m = mbufq_pop(&speaker->sent)) != NULL) {
		if (message(m, &len) != NULL)
			message_text(m, text, sizeof(text));
		m_free(m);
	}
	assert_string_equal(text, "");
}

/* --- what is heard ---------------------------------------------------------------------------- */

static const uint8_t alert[8] = { 0, 0, 5, 2, 0, 0, 1, 0 };

/* An MLD message: `bytes` from its maximum response code on. */
static struct mbuf *
mld(const char *src, const char *dst, uint8_t type, const void *bytes, uint32_t len,
    const uint8_t *options)
{
	struct mbuf *m = message6(src, dst, type, 0, len);

	memcpy(m->data + IP6_HDRLEN + 4, bytes, len + 4);
	mtod(m, struct ip6_hdr *)->hlim = 1;
	icmp6_sum_at(m, IP6_HDRLEN);
	return options != NULL ? with_headers6(m, IPPROTO_HOPOPTS_, options, 8) : m;
}

static void
query2(const char *group, const char *sources, uint16_t code, uint8_t qrv, uint8_t qqic)
{
	uint8_t q[24 + 16 * 16] = { (uint8_t)(code >> 8), (uint8_t)code, [20] = qrv, [21] = qqic };
	char copy[256], *rest = copy, *one;
	struct in6 addr = wire6(group);
	uint32_t n = 0;

	memcpy(q + 4, addr.b, 16);
	snprintf(copy, sizeof(copy), "%s", sources);
	while ((one = strsep(&rest, ",")) != NULL)
		if (*one != '\0') {
			addr = wire6(one);
			memcpy(q + 24 + 16 * n++, addr.b, 16);
		}
	q[23] = (uint8_t)n;
	receive6(mld("fe80::2", strcmp(group, "::") == 0 ? "ff02::1" : group, MLD_QUERY, q,
	    20 + 16 * n, alert));
}

static void
short_message(uint8_t type, const char *group, const char *to, uint16_t ms)
{
	uint8_t q[20] = { (uint8_t)(ms >> 8), (uint8_t)ms };
	struct in6 addr = wire6(group);

	memcpy(q + 4, addr.b, 16);
	receive6(mld("fe80::2", to, type, q, 16, alert));
}

static void
query1(const char *group, uint16_t ms)
{
	short_message(MLD_QUERY, group, strcmp(group, "::") == 0 ? "ff02::1" : group, ms);
}

/* --- version 2 -------------------------------------------------------------------------------- */

static void
test_a_join_is_said_byte_for_byte(void **state)
{
	static const uint8_t expected[] = { 0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0, 0, 1, 1, 0x86, 0xdd,
		/* IPv6: 36 bytes, hop-by-hop options, hop limit 1, fe80::1 -> ff02::16 */
		0x60, 0, 0, 0, 0, 36, 0, 1, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16,
		/* router alert for MLD, padding */
		58, 0, 5, 2, 0, 0, 1, 0,
		/* MLD: report of one record, to EXCLUDE {} */
		143, 0, 0x5d, 0xc3, 0, 0, 0, 1, 4, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0x12, 0x34 };
	struct mcast_member *mm = join("ff15::1234");
	struct mbuf *m = sent_one_of(1);

	(void)state;
	assert_int_equal(m->len, sizeof(expected));
	assert_memory_equal(m->data, expected, sizeof(expected));
	mcast_leave(mm);
}

static void
test_changes_are_said_at_once_and_again_within_a_second(void **state)
{
	uint64_t start = clock_now();
	struct mcast_member *mm = join_from("ff35::1", "2001:db8::5");

	(void)state;
	pass(10 * NS_PER_SEC);
	assert_int_equal(said("ALLOW ff35::1 {2001:db8::5}"), start);
	assert_in_range(said("ALLOW ff35::1 {2001:db8::5}"), start + 1, start + NS_PER_SEC);
	silence();
	mcast_leave(mm);
	pass(10 * NS_PER_SEC);
	said("BLOCK ff35::1 {2001:db8::5}");
	said("BLOCK ff35::1 {2001:db8::5}");
	silence();
}

/* The zone is this host's affair: it is not in messages, and queries about the group get it. */
static void
test_groups_of_link_scope_have_their_zone_here_only(void **state)
{
	struct mcast_member *mm = join("ff02::77%mem0");

	(void)state;
	said("TO_EX ff02::77 {}");
	quiet();
	query2("ff02::77", "", 1000, 2, 125);
	pass(2 * NS_PER_SEC);
	said("IS_EX ff02::77 {}");
	mcast_leave(mm);
}

static void
test_a_general_query_is_answered_for_all_groups_but_all_nodes(void **state)
{
	struct mcast_member *mm = join("ff15::1"), *local = join("ff01::5");
	uint64_t start;

	(void)state;
	quiet();
	start = clock_now();
	query2("::", "", 10000, 2, 125);
	pass(60 * NS_PER_SEC);
	assert_in_range(
	    said("IS_EX ff02::1:ff00:1 {} IS_EX ff15::1 {}"), start + 1, start + 10 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
	mcast_leave(local);
	said("TO_IN ff15::1 {}");
	quiet();
}

static void
test_sources_are_asked_for(void **state)
{
	struct mcast_member *mm = join_from("ff35::1", "2001:db8::5");

	(void)state;
	quiet();
	query2("ff35::1", "2001:db8::6,2001:db8::5", 1000, 2, 125);
	pass(2 * NS_PER_SEC);
	said("IS_IN ff35::1 {2001:db8::5}");
	query2("ff35::1", "2001:db8::6", 1000, 2, 125);
	pass(2 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
}

/* From 32768 on a mantissa and an exponent: 0x9fff is 0x1fff << 4 ms, over two minutes. */
static void
test_long_response_times_are_decoded(void **state)
{
	struct mcast_member *mm = join("ff15::1");
	uint64_t latest = 0;

	(void)state;
	quiet();
	for (int i = 0; i < 40; i++) {
		uint64_t start = clock_now(), when;

		query2("ff15::1", "", 0x9fff, 2, 125);
		pass(140 * NS_PER_SEC);
		when = said("IS_EX ff15::1 {}") - start;
		assert_in_range(when, 1, 131056 * NS_PER_MS);
		latest = when > latest ? when : latest;
	}
	assert_true(latest > 100 * NS_PER_SEC);
	mcast_leave(mm);
}

/* 1,500 - 48 - 8 leave room for a record of 89 sources. */
static void
test_long_records_are_cut_by_the_mtu(void **state)
{
	const struct ipaddr group = ip("ff15::1");
	struct ipaddr s[120];
	struct mcast_member *mm;
	size_t len;
	const uint8_t *p;
	struct record r;

	(void)state;
	for (unsigned i = 0; i < 120; i++) {
		s[i] = ip("2001:db8:9::");
		s[i].b[15] = (uint8_t)(i + 1);
	}
	mm = mcast_join_filter(lan.ifp, &group, MCAST_MODE_INCLUDE, s, 120);
	assert_int_equal(lan.sent.len, 2);
	p = message(lan.sent.head, &len);
	record_at(AF_INET6, p + 8, p + len, &r);
	assert_int_equal(r.type, 5);
	assert_int_equal(r.n, 89);
	assert_int_equal(r.sources[15], 1);
	p = message(lan.sent.head->next, &len);
	record_at(AF_INET6, p + 8, p + len, &r);
	assert_int_equal(r.n, 31);
	assert_int_equal(r.sources[15], 90);
	mcast_leave(mm);
}

/* --- version 1 -------------------------------------------------------------------------------- */

static void
test_with_a_querier_of_version_1_the_host_speaks_version_1(void **state)
{
	struct mcast_member *mm = join("ff15::1"), *other;
	uint64_t start;

	(void)state;
	quiet();
	start = clock_now();
	query1("ff15::1", 5000);
	pass(60 * NS_PER_SEC);
	assert_in_range(said("v1 ff15::1 to ff15::1"), start + 1, start + 5 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
	said("done ff15::1 to ff02::2");
	start = clock_now();
	other = join("ff15::2");
	pass(60 * NS_PER_SEC);
	assert_int_equal(said("v1 ff15::2 to ff15::2"), start);
	assert_in_range(said("v1 ff15::2 to ff15::2"), start + 1, start + 10 * NS_PER_SEC);
	silence();
	/* somebody else answers, so nobody need know when we leave */
	query1("ff15::2", 5000);
	short_message(MLDV1_REPORT, "ff15::2", "ff15::2", 0);
	pass(60 * NS_PER_SEC);
	mcast_leave(other);
	silence();
	/* 2 * 125 s and the last response time behind the last of them, version 2 is back */
	pass(300 * NS_PER_SEC);
	mm = join("ff15::3");
	said("TO_EX ff15::3 {}");
	mcast_leave(mm);
}

static void
test_versions_can_be_switched_off(void **state)
{
	struct mcast_member *mm = join("ff15::1");

	(void)state;
	quiet();
	command("sysctl net.inet6.mld.v1enable=0");
	query1("::", 5000);
	assert_int_equal(drops("mld.version"), 1);
	pass(60 * NS_PER_SEC);
	silence();
	command("sysctl net.inet6.mld.v2enable=0");
	query2("ff15::1", "", 1000, 2, 125);
	pass(60 * NS_PER_SEC);
	said("v1 ff15::1 to ff15::1");
	silence();
	mcast_leave(mm);
}

/* --- addresses -------------------------------------------------------------------------------- */

/* RFC 3590: switches hear of the groups during the test, routers when the address is ready. */
static void
test_reports_during_duplicate_detection_come_from_nowhere(void **state)
{
	const struct in6_addr_request rq = {
		.addr = wire6("fe80::7"),
		.plen = 64,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};
	struct in6_ifaddr *ia;

	(void)state;
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0);
	while ((ia = in6_linklocal(wan.ifp)) != NULL) {
		struct in6 addr = ia->addr;

		assert_int_equal(in6_addr_delete(wan.ifp, &addr), 0);
	}
	settle6();
	assert_int_equal(in6_addr_add(wan.ifp, &rq), 0);
	pass(20 * NS_PER_SEC);
	speaker = &wan;
	said_by("::", "TO_EX ff02::1:ff00:7 {}");
	said_by("::", "TO_EX ff02::1:ff00:7 {}");
	said_by("fe80::7", "TO_EX ff02::1:ff00:7 {}");
	said_by("fe80::7", "TO_EX ff02::1:ff00:7 {}");
	silence();
	speaker = &lan;
}

static void
test_an_interface_is_in_the_groups_of_its_addresses(void **state)
{
	static struct tool t;

	(void)state;
	assert_int_equal(tool(&t, NULL, "ifmcstat -i mem0 -f inet6"), 0);
	assert_string_equal(t.out,
	    "mem0:\n"
	    "\tinet6 fe80::1%mem0 scopeid 0x2\n"
	    "\tmldv2 flags=2<USEALLOW> rv 2 qi 125 qri 10 uri 1\n"
	    "\t\tgroup ff02::1%mem0 scopeid 0x2 mode exclude\n"
	    "\t\t\tmcast-macaddr 33:33:00:00:00:01\n"
	    "\t\tgroup ff02::1:ff00:1%mem0 scopeid 0x2 mode exclude\n"
	    "\t\t\tmcast-macaddr 33:33:ff:00:00:01\n");
	assert_true(if_multi_has(lan.ifp, (const uint8_t[]){ 0x33, 0x33, 0xff, 0, 0, 1 }));
	assert_false(if_multi_has(lan.ifp, (const uint8_t[]){ 0x33, 0x33, 0xff, 0, 0, 2 }));
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static void
test_every_bad_message_is_a_named_drop(void **state)
{
	static const uint8_t q[40] = { 0, 100 }, unicast[40] = { 0, 100, 0, 0, 0x20, 1 },
			     sources[40] = { 0, 100, [23] = 1 },
			     cut[40] = { 0, 100, 0, 0, 0xff, 0x15, [19] = 1, [23] = 1 };
	static const uint8_t no_alert[8] = { 0, 0, 1, 4 };
	struct mbuf *m;

	(void)state;
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, q, 15, alert));
	assert_int_equal(drops("mld.tooshort"), 1);
	m = mld("fe80::2", "ff02::1", MLD_QUERY, q, 16, alert);
	mtod(m, struct ip6_hdr *)->hlim = 2;
	receive6(m);
	assert_int_equal(drops("mld.badhlim"), 1);
	receive6(mld("2001:db8::2", "ff02::1", MLD_QUERY, q, 16, alert));
	assert_int_equal(drops("mld.badsrc"), 1);
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, q, 16, NULL));
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, q, 16, no_alert));
	assert_int_equal(drops("mld.nora"), 2);
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, q, 18, alert));
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, unicast, 16, alert));
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, sources, 36, alert));
	assert_int_equal(drops("mld.badquery"), 3);
	receive6(mld("fe80::2", "ff02::1", MLD_QUERY, cut, 35, alert));
	assert_int_equal(drops("mld.tooshort"), 2);
	short_message(MLDV1_REPORT, "ff15::1", "ff02::1", 0);
	assert_int_equal(drops("mld.badreport"), 1);
	/* these are for routers */
	short_message(MLD_DONE, "ff15::1", "ff02::1", 0);
	short_message(MLDV2_REPORT, "::", "ff02::1", 0);
	pass(60 * NS_PER_SEC);
	silence();
}

static void
test_a_flood_of_queries_is_cut(void **state)
{
	(void)state;
	command("sysctl net.inet6.mld.maxqueries=10");
	for (int i = 0; i < 500; i++) {
		query2("::", "", 0, 2, 125);
		pass(NS_PER_MS);
	}
	assert_in_range(drops("mld.limit"), 480, 490);
	assert_in_range(lan.sent.len, 1, 20);
}

static void
test_netstat_tells_what_was_said_and_heard(void **state)
{
	static struct tool t;

	(void)state;
	command("netstat -sz -p mld");
	query2("::", "", 100, 2, 125);
	pass(NS_PER_SEC);
	query1("::", 100);
	assert_int_equal(tool(&t, NULL, "netstat -ss -p mld"), 0);
	assert_string_equal(t.out,
	    "mld:\n"
	    "\t2 messages received\n"
	    "\t1 V1 membership query received\n"
	    "\t1 V2 membership query received\n"
	    "\t2 general queries received\n"
	    "\t1 membership report sent\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET6_TEST(test_a_join_is_said_byte_for_byte),
		INET6_TEST(test_changes_are_said_at_once_and_again_within_a_second),
		INET6_TEST(test_groups_of_link_scope_have_their_zone_here_only),
		INET6_TEST(test_a_general_query_is_answered_for_all_groups_but_all_nodes),
		INET6_TEST(test_sources_are_asked_for),
		INET6_TEST(test_long_response_times_are_decoded),
		INET6_TEST(test_long_records_are_cut_by_the_mtu),
		INET6_TEST(test_with_a_querier_of_version_1_the_host_speaks_version_1),
		INET6_TEST(test_versions_can_be_switched_off),
		INET6_TEST(test_reports_during_duplicate_detection_come_from_nowhere),
		INET6_TEST(test_an_interface_is_in_the_groups_of_its_addresses),
		INET6_TEST(test_every_bad_message_is_a_named_drop),
		INET6_TEST(test_a_flood_of_queries_is_cut),
		INET6_TEST(test_netstat_tells_what_was_said_and_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
