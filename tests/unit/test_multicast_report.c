/*
 * Tests of inet/multicast_report.c: when a host says what about its groups (RFC 3376 section 5,
 * RFC 2236 section 3). IGMP is the language in which it is asked here; RFC 3810 has the same rules.
 */
#include "igmp_fixture.h"

#include "base/rng.h"
#include "inet/multicast_internal.h"

/* --- changes (RFC 3376 5.1) ------------------------------------------------------------------- */

static void
test_changes_are_said_at_once_and_again_within_a_second(void **state)
{
	uint64_t start = clock_now(), when;
	struct mcast_member *mm = join("239.1.2.3");

	(void)state;
	pass(10 * NS_PER_SEC);
	assert_int_equal(said("TO_EX 239.1.2.3 {}"), start);
	when = said("TO_EX 239.1.2.3 {}");
	assert_in_range(when, start + 1, start + NS_PER_SEC);
	silence();
	start = clock_now();
	mcast_leave(mm);
	pass(10 * NS_PER_SEC);
	assert_int_equal(said("TO_IN 239.1.2.3 {}"), start);
	when = said("TO_IN 239.1.2.3 {}");
	assert_in_range(when, start + 1, start + NS_PER_SEC);
	silence();
}

static void
test_a_second_member_is_no_change(void **state)
{
	struct mcast_member *a = join("239.1.2.3"), *b;

	(void)state;
	quiet();
	b = join("239.1.2.3");
	mcast_leave(a);
	quiet();
	silence();
	mcast_leave(b);
}

static void
test_sources_are_allowed_and_blocked(void **state)
{
	struct mcast_member *mm = join_from("232.1.2.3", "10.0.0.5");

	(void)state;
	pass(10 * NS_PER_SEC);
	said("ALLOW 232.1.2.3 {10.0.0.5}");
	said("ALLOW 232.1.2.3 {10.0.0.5}");
	silence();
	filter(mm, MCAST_MODE_INCLUDE, "10.0.0.7,10.0.0.6");
	pass(10 * NS_PER_SEC);
	said("ALLOW 232.1.2.3 {10.0.0.6,10.0.0.7} BLOCK 232.1.2.3 {10.0.0.5}");
	said("ALLOW 232.1.2.3 {10.0.0.6,10.0.0.7} BLOCK 232.1.2.3 {10.0.0.5}");
	silence();
	mcast_leave(mm);
	pass(10 * NS_PER_SEC);
	said("BLOCK 232.1.2.3 {10.0.0.6,10.0.0.7}");
	said("BLOCK 232.1.2.3 {10.0.0.6,10.0.0.7}");
	silence();
}

/* A change while others are repeated: each source is in as many reports as robustness says. */
static void
test_changes_merge_with_what_is_still_to_be_said(void **state)
{
	struct mcast_member *mm;

	(void)state;
	query3("0.0.0.0", "", 1, 3, 125);
	quiet();
	mm = join_from("232.1.2.3", "10.0.0.5");
	filter(mm, MCAST_MODE_INCLUDE, "10.0.0.5,10.0.0.6");
	filter(mm, MCAST_MODE_INCLUDE, "10.0.0.6");
	pass(10 * NS_PER_SEC);
	said("ALLOW 232.1.2.3 {10.0.0.5}");
	said("ALLOW 232.1.2.3 {10.0.0.5,10.0.0.6}");
	said("ALLOW 232.1.2.3 {10.0.0.6} BLOCK 232.1.2.3 {10.0.0.5}");
	said("ALLOW 232.1.2.3 {10.0.0.6} BLOCK 232.1.2.3 {10.0.0.5}");
	said("BLOCK 232.1.2.3 {10.0.0.5}");
	silence();
	/* a new mode is in the next three reports, a source that has changed behind the first in
	 * those that follow it */
	filter(mm, MCAST_MODE_EXCLUDE, "10.0.0.9");
	filter(mm, MCAST_MODE_EXCLUDE, "10.0.0.8,10.0.0.9");
	pass(10 * NS_PER_SEC);
	said("TO_EX 232.1.2.3 {10.0.0.9}");
	said("TO_EX 232.1.2.3 {10.0.0.8,10.0.0.9}");
	said("TO_EX 232.1.2.3 {10.0.0.8,10.0.0.9}");
	said("BLOCK 232.1.2.3 {10.0.0.8}");
	silence();
	filter(mm, MCAST_MODE_EXCLUDE, "10.0.0.8");
	mcast_leave(mm);
	pass(10 * NS_PER_SEC);
	said("ALLOW 232.1.2.3 {10.0.0.9}");
	said("TO_IN 232.1.2.3 {}");
	said("TO_IN 232.1.2.3 {}");
	said("TO_IN 232.1.2.3 {}");
	silence();
}

/* A source that changes last in the reports of a new mode is repeated behind them. */
static void
test_a_source_outlives_the_reports_of_the_mode(void **state)
{
	struct mcast_member *mm = join("239.1.2.3");

	(void)state;
	/* the first report of two was sent; this is the second, and the first of the source's */
	filter(mm, MCAST_MODE_EXCLUDE, "10.0.0.9");
	pass(10 * NS_PER_SEC);
	said("TO_EX 239.1.2.3 {}");
	said("TO_EX 239.1.2.3 {10.0.0.9}");
	said("BLOCK 239.1.2.3 {10.0.0.9}");
	silence();
	mcast_leave(mm);
}

static void
test_groups_share_their_repeats(void **state)
{
	struct mcast_member *a = join("239.1.1.1"), *b = join("239.1.1.2"),
			    *c = join_from("232.1.1.3", "10.0.0.5");

	(void)state;
	pass(10 * NS_PER_SEC);
	said("TO_EX 239.1.1.1 {}");
	said("TO_EX 239.1.1.2 {}");
	said("ALLOW 232.1.1.3 {10.0.0.5}");
	said("TO_EX 239.1.1.1 {} TO_EX 239.1.1.2 {} ALLOW 232.1.1.3 {10.0.0.5}");
	silence();
	mcast_leave(a);
	mcast_leave(b);
	mcast_leave(c);
}

static void
test_a_group_left_and_joined_again_is_one_conversation(void **state)
{
	struct mcast_member *mm = join("239.1.2.3");

	(void)state;
	mcast_leave(mm);
	mm = join("239.1.2.3");
	pass(10 * NS_PER_SEC);
	said("TO_EX 239.1.2.3 {}");
	said("TO_IN 239.1.2.3 {}");
	said("TO_EX 239.1.2.3 {}");
	said("TO_EX 239.1.2.3 {}");
	silence();
	mcast_leave(mm);
}

/*
 * A router that believes what it is told knows what the host wants, whatever the members do, also
 * if every other report is lost: that is what the repeats are for.
 */
enum { MEMBERS = 4, SOURCES = 7 };

static struct ipaddr
source_of(uint32_t k)
{
	return ipaddr4(__builtin_bswap32(0x0a000010 + k));
}

/* What the host has said since; of a bad line every other message is lost. */
static void
router_hears(struct router *ro, bool bad_line, bool *lost)
{
	struct mbuf *m;

	while ((m = mbufq_pop(&lan.sent)) != NULL) {
		size_t len;
		const uint8_t *p = message(m, &len), *end = p + len, *at = p + 8;
		struct record r;

		*lost = bad_line && !*lost;
		while (!*lost && at < end) {
			at = record_at(AF_INET, at, end, &r);
			router_record(ro, AF_INET, &r);
		}
		m_free(m);
	}
}

static void
random_change(struct rng *rng, const struct ipaddr *group, struct mcast_member **mm)
{
	enum mcast_mode mode = rng_below(rng, 3) == 0 ? MCAST_MODE_EXCLUDE : MCAST_MODE_INCLUDE;
	struct ipaddr s[SOURCES];
	unsigned n = 0;

	for (uint32_t k = 0; k < SOURCES; k++)
		if (rng_below(rng, 2) == 0)
			s[n++] = source_of(k);
	if (*mm == NULL) {
		*mm = mcast_join_filter(lan.ifp, group, mode, s, n);
	} else if (rng_below(rng, 3) == 0) {
		mcast_leave(*mm);
		*mm = NULL;
	} else {
		assert_int_equal(mcast_set_filter(*mm, mode, s, n), 0);
	}
}

static void
random_conversation(uint64_t seed, bool bad_line)
{
	const struct ipaddr group = ip("239.3.3.3");
	struct mcast_member *mm[MEMBERS] = { NULL };
	struct router router = { 0 };
	struct rng rng;
	bool lost = false;

	rng_seed(&rng, seed, "conversation");
	for (int round = 0; round < 600; round++) {
		random_change(&rng, &group, &mm[rng_below(&rng, MEMBERS)]);
		pass(rng_below(&rng, NS_PER_SEC));
		/* with losses it is certain only when all has been said twice */
		if (bad_line && round % 10 == 9)
			pass(5 * NS_PER_SEC);
		router_hears(&router, bad_line, &lost);
		if (bad_line && round % 10 != 9)
			continue;
		for (uint32_t k = 0; k <= SOURCES; k++) {
			const struct ipaddr source = source_of(k);

			assert_int_equal(mcast_accepts(lan.ifp, &group, &source),
			    router_forwards(&router, &source));
		}
	}
	for (int i = 0; i < MEMBERS; i++)
		mcast_leave(mm[i]);
}

static void
test_a_router_knows_what_the_host_wants(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		random_conversation(seed, false);
}

static void
test_a_router_knows_it_although_every_other_report_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		random_conversation(seed, true);
}

/* --- queries (RFC 3376 5.2) ------------------------------------------------------------------- */

static void
test_a_general_query_is_answered_once_for_all_groups(void **state)
{
	struct mcast_member *a = join("239.1.1.1"), *b = join_from("232.1.1.2", "10.0.0.5");
	uint64_t start;

	(void)state;
	quiet();
	start = clock_now();
	query3("0.0.0.0", "", 100, 2, 125);
	pass(60 * NS_PER_SEC);
	assert_in_range(said("IS_IN 232.1.1.2 {10.0.0.5} IS_EX 239.1.1.1 {}"), start + 1,
	    start + 10 * NS_PER_SEC);
	silence();
	mcast_leave(a);
	mcast_leave(b);
}

static void
test_a_group_query_is_answered_for_the_group(void **state)
{
	struct mcast_member *a = join("239.1.1.1"), *b = join("239.1.1.2");
	uint64_t start;

	(void)state;
	quiet();
	start = clock_now();
	query3("239.1.1.2", "", 10, 2, 125);
	query3("239.1.1.3", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	assert_in_range(said("IS_EX 239.1.1.2 {}"), start + 1, start + NS_PER_SEC);
	silence();
	mcast_leave(a);
	mcast_leave(b);
}

static void
test_a_query_for_sources_is_answered_for_those_that_are_heard(void **state)
{
	struct mcast_member *in = join_from("232.1.1.1", "10.0.0.5"), *ex = join("239.1.1.1");

	(void)state;
	filter(in, MCAST_MODE_INCLUDE, "10.0.0.5,10.0.0.6");
	filter(ex, MCAST_MODE_EXCLUDE, "10.0.0.5");
	quiet();
	query3("232.1.1.1", "10.0.0.7,10.0.0.6", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_IN 232.1.1.1 {10.0.0.6}");
	query3("239.1.1.1", "10.0.0.7,10.0.0.5,10.0.0.6", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_IN 239.1.1.1 {10.0.0.6,10.0.0.7}");
	query3("232.1.1.1", "10.0.0.7", 10, 2, 125);
	query3("239.1.1.1", "10.0.0.5", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	silence();
	mcast_leave(in);
	mcast_leave(ex);
}

/* Rules 1 to 5 of RFC 3376 5.2. */
static void
test_answers_are_combined(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	/* 1: a general answer that comes sooner says it all */
	query3("0.0.0.0", "", 1, 2, 125);
	query3("239.1.1.1", "", 127, 2, 125);
	query3("0.0.0.0", "", 127, 2, 125);
	pass(60 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	silence();
	/* 5: sources of several queries are answered together, at the earlier time */
	query3("239.1.1.1", "10.0.0.6", 0x8f, 2, 125);
	query3("239.1.1.1", "10.0.0.5,10.0.0.6", 1, 2, 125);
	pass(100 * NS_PER_MS);
	said("IS_IN 239.1.1.1 {10.0.0.5,10.0.0.6}");
	pass(60 * NS_PER_SEC);
	silence();
	/* 4: once the group as such is asked for, sources don't matter any more */
	query3("239.1.1.1", "10.0.0.6", 100, 2, 125);
	query3("239.1.1.1", "", 100, 2, 125);
	query3("239.1.1.1", "10.0.0.5", 1, 2, 125);
	pass(60 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	silence();
	mcast_leave(mm);
}

static void
test_a_group_that_is_left_is_not_answered_for(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	query3("239.1.1.1", "", 100, 2, 125);
	mcast_leave(mm);
	pass(60 * NS_PER_SEC);
	said("TO_IN 239.1.1.1 {}");
	said("TO_IN 239.1.1.1 {}");
	silence();
}

static void
test_a_flood_of_queries_is_cut(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	command("sysctl net.inet.igmp.maxqueries=10");
	for (int i = 0; i < 500; i++) {
		query3("0.0.0.0", "", 0, 2, 125);
		pass(NS_PER_MS);
	}
	/* half a second lies in one second of the clock or in two */
	assert_in_range(drops("igmp.limit"), 480, 490);
	assert_in_range(lan.sent.len, 1, 20);
	quiet();
	mcast_leave(mm);
}

/* Sources that nobody could remember: the answer is the group's whole state. */
static void
test_too_many_sources_are_answered_by_the_group(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	command("sysctl net.inet.ip.mcast.maxgrpsrc=3");
	query3("239.1.1.1", "10.0.0.5,10.0.0.6", 10, 2, 125);
	query3("239.1.1.1", "10.0.0.7,10.0.0.8", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	silence();
	mcast_leave(mm);
}

/* --- reports that are long -------------------------------------------------------------------- */

static struct mcast_member *
join_many(enum mcast_mode mode, unsigned n)
{
	const struct ipaddr group = ip("239.1.1.1");
	struct ipaddr *s = calloc(n, sizeof(*s));
	struct mcast_member *mm;

	for (unsigned i = 0; i < n; i++)
		s[i] = ipaddr4(__builtin_bswap32(0x0a010000 + i));
	command("sysctl net.inet.ip.mcast.maxsocksrc=2000");
	command("sysctl net.inet.ip.mcast.maxgrpsrc=2000");
	mm = mcast_join_filter(lan.ifp, &group, mode, s, n);
	assert_non_null(mm);
	free(s);
	return mm;
}

/* Type and sources of the record that is alone in the next message. */
static void
said_record(unsigned type, uint32_t first, unsigned n)
{
	struct mbuf *m = mbufq_pop(&lan.sent);
	size_t len;
	const uint8_t *p;
	struct record r;

	assert_non_null(m);
	p = message(m, &len);
	assert_int_equal(p[7], 1);
	record_at(AF_INET, p + 8, p + len, &r);
	assert_int_equal(r.type, type);
	assert_int_equal(r.n, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
		    load32(r.sources + 4 * i), __builtin_bswap32(0x0a010000 + first + i));
	m_free(m);
}

/* 1,500 - 24 - 8 - 8 leave room for 365 sources. */
static void
test_a_long_record_goes_on_in_the_next_report(void **state)
{
	struct mcast_member *mm = join_many(MCAST_MODE_INCLUDE, 1000);

	(void)state;
	said_record(5, 0, 365);
	said_record(5, 365, 365);
	said_record(5, 730, 270);
	silence();
	mcast_leave(mm);
}

static void
test_an_exclude_record_holds_what_fits(void **state)
{
	struct mcast_member *mm = join_many(MCAST_MODE_EXCLUDE, 1000);

	(void)state;
	said_record(4, 0, 365);
	pass(10 * NS_PER_SEC);
	said_record(4, 0, 365);
	silence();
	mcast_leave(mm);
}

static void
test_many_groups_fill_several_reports(void **state)
{
	enum { GROUPS = 400 };
	struct mcast_member *mm[GROUPS];
	unsigned groups = 0, reports = 0;
	struct mbuf *m;

	(void)state;
	for (unsigned i = 0; i < GROUPS; i++) {
		const struct ipaddr g = ipaddr4(__builtin_bswap32(0xef020000 + i));

		mm[i] = mcast_join(lan.ifp, &g);
	}
	quiet();
	query3("0.0.0.0", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	while ((m = mbufq_pop(&lan.sent)) != NULL) {
		size_t len;

		groups += load16(message(m, &len) + 6) >> 8;
		groups += (unsigned)message(m, &len)[6] << 8;
		reports++;
		m_free(m);
	}
	/* 183 records of 8 bytes in each */
	assert_int_equal(groups, GROUPS);
	assert_int_equal(reports, 3);
	for (unsigned i = 0; i < GROUPS; i++)
		mcast_leave(mm[i]);
}

/* --- old queriers (RFC 3376 7.2) -------------------------------------------------------------- */

static void
test_with_a_querier_of_version_2_the_host_speaks_version_2(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	uint64_t start, when;

	(void)state;
	quiet();
	start = clock_now();
	query2("0.0.0.0", 100);
	pass(60 * NS_PER_SEC);
	when = said("v2 239.1.1.1 to 239.1.1.1");
	assert_in_range(when, start + 1, start + 10 * NS_PER_SEC);
	silence();
	start = clock_now();
	mcast_leave(mm);
	assert_int_equal(said("leave 239.1.1.1 to 224.0.0.2"), start);
	/* a join is said at once, and again within ten seconds */
	mm = join("239.1.1.2");
	pass(60 * NS_PER_SEC);
	assert_int_equal(said("v2 239.1.1.2 to 239.1.1.2"), start);
	assert_in_range(said("v2 239.1.1.2 to 239.1.1.2"), start + 1, start + 10 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
}

static void
test_each_group_answers_an_old_query_by_itself(void **state)
{
	struct mcast_member *a, *b;
	struct mbuf *m;
	unsigned n = 0;

	(void)state;
	query2("0.0.0.0", 100);
	a = join("239.1.1.1");
	b = join("239.1.1.2");
	quiet();
	query2("0.0.0.0", 100);
	pass(10 * NS_PER_SEC);
	for (; (m = mbufq_pop(&lan.sent)) != NULL; n++)
		m_free(m);
	assert_int_equal(n, 2);
	query2("239.1.1.2", 10);
	pass(NS_PER_SEC);
	said("v2 239.1.1.2 to 239.1.1.2");
	silence();
	mcast_leave(a);
	mcast_leave(b);
}

/* RFC 2236 section 3: who hears another member's report keeps silent, also when it leaves. */
static void
test_somebody_elses_report_suppresses_ours(void **state)
{
	struct mcast_member *mm;

	(void)state;
	query2("0.0.0.0", 100);
	mm = join("239.1.1.1");
	quiet();
	query2("0.0.0.0", 100);
	report2("239.1.1.1");
	pass(60 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
	silence();
	/* … but version 3 is not impressed by it */
	pass(300 * NS_PER_SEC);
	mm = join("239.1.1.1");
	quiet();
	query3("0.0.0.0", "", 100, 2, 125);
	report2("239.1.1.1");
	pass(60 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	mcast_leave(mm);
}

/* A query that leaves more time than is left doesn't put the answer off. */
static void
test_an_old_answer_is_not_put_off(void **state)
{
	struct mcast_member *mm;
	uint64_t start;

	(void)state;
	query2("0.0.0.0", 100);
	mm = join("239.1.1.1");
	quiet();
	start = clock_now();
	query2("239.1.1.1", 10);
	for (int i = 0; i < 30; i++)
		query2("239.1.1.1", 255);
	pass(60 * NS_PER_SEC);
	assert_in_range(said("v2 239.1.1.1 to 239.1.1.1"), start + 1, start + NS_PER_SEC);
	silence();
	mcast_leave(mm);
}

/* Robustness times query interval and a response time: 2 * 125 s + 10 s (RFC 3376 8.12). */
static void
test_version_3_comes_back_when_the_old_querier_has_gone(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	query2("0.0.0.0", 100);
	pass(260 * NS_PER_SEC - 1);
	said("v2 239.1.1.1 to 239.1.1.1");
	query3("239.1.1.1", "", 0, 2, 125);
	pass(1);
	/* at this moment: what was pending is cancelled */
	silence();
	pass(NS_PER_SEC);
	silence();
	query3("239.1.1.1", "", 1, 2, 125);
	pass(NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	mcast_leave(mm);
}

static void
test_what_is_pending_is_cancelled_by_an_old_querier(void **state)
{
	struct mcast_member *a = join("239.1.1.1"), *b = join("239.1.1.2");

	(void)state;
	quiet();
	query3("0.0.0.0", "", 0x8f, 2, 125);
	mcast_leave(a);
	said("TO_IN 239.1.1.1 {}");
	/* a report of its leaving is still due */
	query2("0.0.0.0", 100);
	pass(60 * NS_PER_SEC);
	said("v2 239.1.1.2 to 239.1.1.2");
	silence();
	mcast_leave(b);
	quiet();
}

static void
test_version_1_has_no_leave(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	uint64_t start;

	(void)state;
	quiet();
	start = clock_now();
	query1();
	/* the oldest counts */
	query2("0.0.0.0", 100);
	pass(60 * NS_PER_SEC);
	assert_in_range(said("v1 239.1.1.1 to 239.1.1.1"), start + 1, start + 10 * NS_PER_SEC);
	silence();
	mcast_leave(mm);
	silence();
}

static void
test_old_queriers_can_be_ignored(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	command("sysctl net.inet.igmp.v1enable=0");
	command("sysctl net.inet.igmp.v2enable=0");
	query1();
	query2("0.0.0.0", 100);
	pass(60 * NS_PER_SEC);
	silence();
	assert_int_equal(drops("igmp.version"), 2);
	mcast_leave(mm);
}

static void
test_the_newest_version_can_be_set(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	command("sysctl net.inet.igmp.default_version=2");
	query3("0.0.0.0", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("v2 239.1.1.1 to 239.1.1.1");
	command("sysctl net.inet.igmp.default_version=1");
	query3("0.0.0.0", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("v1 239.1.1.1 to 239.1.1.1");
	command("sysctl net.inet.igmp.default_version=3");
	query3("0.0.0.0", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	silence();
	mcast_leave(mm);
}

/* --- links ------------------------------------------------------------------------------------ */

static void
test_a_link_that_comes_hears_of_all_groups(void **state)
{
	struct mcast_member *a, *b;
	uint64_t start;

	(void)state;
	command("ifconfig mem0 down");
	a = join("239.1.1.1");
	b = join_from("232.1.1.1", "10.0.0.5");
	pass(NS_PER_SEC);
	silence();
	start = clock_now();
	command("ifconfig mem0 up");
	/* the first frame is ARP's announcement */
	m_free(mbufq_pop(&lan.sent));
	pass(10 * NS_PER_SEC);
	assert_int_equal(said("ALLOW 232.1.1.1 {10.0.0.5} TO_EX 239.1.1.1 {}"), start);
	assert_in_range(
	    said("ALLOW 232.1.1.1 {10.0.0.5} TO_EX 239.1.1.1 {}"), start + 1, start + NS_PER_SEC);
	silence();
	mcast_leave(a);
	mcast_leave(b);
}

static void
test_a_link_that_goes_takes_what_was_to_be_said(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	query2("0.0.0.0", 100);
	memif_clear(&lan);
	command("ifconfig mem0 down");
	pass(60 * NS_PER_SEC);
	silence();
	command("ifconfig mem0 up");
	m_free(mbufq_pop(&lan.sent));
	/* and who the querier was */
	said("TO_EX 239.1.1.1 {}");
	mcast_leave(mm);
}

/* --- chance ----------------------------------------------------------------------------------- */

/* Nothing but the seed and the stack's name decides when something is said. */
static void
test_the_same_seed_says_the_same(void **state)
{
	uint64_t when[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t start;
		struct ifnet *ifp;
		const struct ipaddr g = ip("239.1.1.1");
		struct mcast_member *mm;

		command("jail -c name=same vnet persist");
		command("ifconfig epair5 create");
		command("ifconfig epair5a vnet same");
		command("ifconfig epair5b up");
		command_in("same", "ifconfig epair5a inet 10.5.0.1/24");
		{
			VNET_SCOPE(vnet_of("same"));
			ifp = if_byname("epair5a");
			mm = mcast_join(ifp, &g);
			start = clock_now();
			while (mcast_if_of(ifp, AF_INET)->proto->stat()->snd_reports < 2)
				sched_run(clock_now() + 100);
			when[i] = clock_now() - start;
			mcast_leave(mm);
		}
		command("jail -r same");
		command("ifconfig epair5a destroy");
	}
	assert_int_equal(when[0], when[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INET_TEST(test_changes_are_said_at_once_and_again_within_a_second),
		INET_TEST(test_a_second_member_is_no_change),
		INET_TEST(test_sources_are_allowed_and_blocked),
		INET_TEST(test_changes_merge_with_what_is_still_to_be_said),
		INET_TEST(test_a_source_outlives_the_reports_of_the_mode),
		INET_TEST(test_groups_share_their_repeats),
		INET_TEST(test_a_group_left_and_joined_again_is_one_conversation),
		INET_TEST(test_a_router_knows_what_the_host_wants),
		INET_TEST(test_a_router_knows_it_although_every_other_report_is_lost),
		INET_TEST(test_a_general_query_is_answered_once_for_all_groups),
		INET_TEST(test_a_group_query_is_answered_for_the_group),
		INET_TEST(test_a_query_for_sources_is_answered_for_those_that_are_heard),
		INET_TEST(test_answers_are_combined),
		INET_TEST(test_a_group_that_is_left_is_not_answered_for),
		INET_TEST(test_a_flood_of_queries_is_cut),
		INET_TEST(test_too_many_sources_are_answered_by_the_group),
		INET_TEST(test_a_long_record_goes_on_in_the_next_report),
		INET_TEST(test_an_exclude_record_holds_what_fits),
		INET_TEST(test_many_groups_fill_several_reports),
		INET_TEST(test_with_a_querier_of_version_2_the_host_speaks_version_2),
		INET_TEST(test_each_group_answers_an_old_query_by_itself),
		INET_TEST(test_somebody_elses_report_suppresses_ours),
		INET_TEST(test_an_old_answer_is_not_put_off),
		INET_TEST(test_version_3_comes_back_when_the_old_querier_has_gone),
		INET_TEST(test_what_is_pending_is_cancelled_by_an_old_querier),
		INET_TEST(test_version_1_has_no_leave),
		INET_TEST(test_old_queriers_can_be_ignored),
		INET_TEST(test_the_newest_version_can_be_set),
		INET_TEST(test_a_link_that_comes_hears_of_all_groups),
		INET_TEST(test_a_link_that_goes_takes_what_was_to_be_said),
		INET_TEST(test_the_same_seed_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
