/*
 * Tests of inet/igmp.c and inet/multicast_report.c: what a host says about its groups, byte for
 * byte and in time (RFC 3376, RFC 2236).
 */
#include "inet_fixture.h"

#include "base/rng.h"
#include "inet/igmp.h"
#include "inet/multicast.h"
#include "mcast_reports.h"

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

/* "10.0.0.5,10.0.0.6" */
static void
filter(struct mcast_member *mm, enum mcast_mode mode, const char *sources)
{
	struct ipaddr s[16];
	char copy[256], *rest = copy, *one;
	unsigned n = 0;

	snprintf(copy, sizeof(copy), "%s", sources);
	while ((one = strsep(&rest, ",")) != NULL)
		if (*one != '\0')
			s[n++] = ip(one);
	assert_int_equal(mcast_set_filter(mm, mode, s, n), 0);
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

/* The message in a frame, whose headers are checked. */
static const uint8_t *
message(const struct mbuf *m, size_t *len)
{
	const struct ip_hdr *h = frame_ip(m);

	assert_int_equal(h->vhl, 0x46);
	assert_int_equal(h->tos, 0xc0);
	assert_int_equal(h->ttl, 1);
	assert_int_equal(h->proto, 2);
	assert_int_equal(ip_cksum(h), 0);
	assert_memory_equal(h + 1, "\x94\x04\0\0", 4);
	assert_true(from_be16(h->len) <= lan.ifp->if_mtu);
	*len = from_be16(h->len) - 24u;
	assert_int_equal(cksum_fold(cksum_add(0, (const uint8_t *)h + 24, *len)), 0);
	return (const uint8_t *)h + 24;
}

static void
message_text(const struct mbuf *m, char *text, size_t room)
{
	char group[16], to[16];
	size_t len;
	const uint8_t *p = message(m, &len);

	if (*p == 0x22) {
		assert_int_equal(frame_ip(m)->dst, a4("224.0.0.22"));
		report_text(AF_INET, p, len, text, room);
		return;
	}
	assert_int_equal(len, 8);
	snprintf(text, room, "%s %s to %s",
	    *p == 0x12     ? "v1" :
		*p == 0x16 ? "v2" :
		*p == 0x17 ? "leave" :
			     "?",
	    in_ntoa(load32(p + 4), group), in_ntoa(frame_ip(m)->dst, to));
}

/* The next message of lan is this; the time at which it was said. */
static uint64_t
said(const char *expected)
{
	struct mbuf *m = mbufq_pop(&lan.sent);
	char text[4096];
	uint64_t when;

	if (m == NULL)
		print_error("nothing, and not: %s\n", expected);
	assert_non_null(m);
	message_text(m, text, sizeof(text));
	assert_string_equal(text, expected);
	when = m->when_ns;
	m_free(m);
	return when;
}

static void
silence(void)
{
	if (lan.sent.head != NULL)
		(void)said("silence");
}

/* --- what is heard ---------------------------------------------------------------------------- */

enum { NO_ALERT = 1, BAD_SUM = 2 };

/* An IGMP message from a router on the link. */
static void
hear(const char *src, const char *dst, uint8_t ttl, unsigned how, const void *bytes, uint32_t len)
{
	unsigned hlen = how & NO_ALERT ? 20 : 24;
	struct mbuf *m = m_get(ETHER_HDR_LEN_ + hlen + len);
	struct ip_hdr *h = frame_ip(m);
	uint8_t *p = (uint8_t *)h + hlen;
	uint32_t group = a4(dst);
	const uint8_t *b = (const uint8_t *)&group;

	memcpy(m->data, (const uint8_t[]){ 1, 0, 0x5e, b[1] & 0x7f, b[2], b[3] }, 6);
	if (!in_is_multicast(group))
		memcpy(m->data, lan.ifp->if_lladdr, 6);
	memcpy(m->data + 6, "\x02\0\0\0\x09\x09\x08", 8);
	*h = (struct ip_hdr){ .vhl = (uint8_t)(0x40 | hlen / 4),
		.len = to_be16((uint16_t)(hlen + len)),
		.ttl = ttl,
		.proto = 2,
		.src = a4(src),
		.dst = group };
	if (hlen == 24)
		memcpy(h + 1, "\x94\x04\0\0", 4);
	h->sum = ip_cksum(h);
	memcpy(p, bytes, len);
	if (len >= 4) {
		store16(p + 2, 0);
		store16(p + 2, cksum_fold(cksum_add(0, p, len)));
	}
	if (how & BAD_SUM)
		p[2] ^= 1;
	memif_receive(&lan, m);
	while (netisr_run())
		continue;
}

/* A query of version 3 with a maximum response code; sources as "a,b". */
static void
query3(const char *group, const char *sources, uint8_t code, uint8_t qrv, uint8_t qqic)
{
	uint8_t q[12 + 4 * 16] = { 0x11, code, [8] = qrv, [9] = qqic };
	char copy[256], *rest = copy, *one;
	uint32_t n = 0;

	store32(q + 4, a4(group));
	snprintf(copy, sizeof(copy), "%s", sources);
	while ((one = strsep(&rest, ",")) != NULL)
		if (*one != '\0')
			store32(q + 12 + 4 * n++, a4(one));
	q[11] = (uint8_t)n;
	hear("10.0.0.9", a4(group) == 0 ? "224.0.0.1" : group, 1, 0, q, 12 + 4 * n);
}

static void
query2(const char *group, uint8_t tenths)
{
	uint8_t q[8] = { 0x11, tenths };

	store32(q + 4, a4(group));
	hear("10.0.0.9", a4(group) == 0 ? "224.0.0.1" : group, 1, 0, q, 8);
}

static void
query1(void)
{
	hear("10.0.0.9", "224.0.0.1", 1, NO_ALERT, "\x11\0\0\0\0\0\0\0", 8);
}

static void
report2(const char *group)
{
	uint8_t r[8] = { 0x16 };

	store32(r + 4, a4(group));
	hear("10.0.0.8", group, 1, 0, r, 8);
}

/* --- changes (RFC 3376 5.1) ------------------------------------------------------------------- */

static void
test_a_join_is_said_byte_for_byte(void **state)
{
	static const uint8_t expected[] = { 0x01, 0, 0x5e, 0, 0, 0x16, 2, 0, 0, 0, 1, 1, 0x08, 0,
		/* IP: 40 bytes, ttl 1, router alert */
		0x46, 0xc0, 0, 40, 0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, 224, 0, 0, 22, 0x94, 4, 0,
		0,
		/* IGMP: report of one record, to EXCLUDE {} */
		0x22, 0, 0xe8, 0xf9, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3 };
	struct mcast_member *mm = join("239.1.2.3");
	struct mbuf *m = sent_one_of(1);

	(void)state;
	assert_int_equal(m->len, sizeof(expected));
	/* the identification and with it the sum count up */
	memset(m->data + 14 + 4, 0, 2);
	memset(m->data + 14 + 10, 0, 2);
	assert_memory_equal(m->data, expected, sizeof(expected));
	mcast_leave(mm);
}

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

static void
test_local_groups_are_reported_if_wished_and_all_hosts_never(void **state)
{
	struct mcast_member *mm = join("224.0.0.5");

	(void)state;
	said("TO_EX 224.0.0.5 {}");
	quiet();
	query3("0.0.0.0", "", 1, 2, 125);
	pass(NS_PER_SEC);
	said("IS_EX 224.0.0.5 {}");
	command("sysctl net.inet.igmp.sendlocal=0");
	query3("0.0.0.0", "", 1, 2, 125);
	pass(NS_PER_SEC);
	silence();
	mcast_leave(mm);
	silence();
	command("sysctl net.inet.igmp.sendlocal=1");
	query3("224.0.0.1", "", 1, 2, 125);
	pass(NS_PER_SEC);
	silence();
}

/*
 * A router that believes what it is told knows what the host wants, whatever the members do, also
 * if every other report is lost: that is what the repeats are for.
 */
static void
random_conversation(uint64_t seed, bool lossy)
{
	enum { MEMBERS = 4, SOURCES = 7 };
	const struct ipaddr group = ip("239.3.3.3");
	struct mcast_member *mm[MEMBERS] = { NULL };
	struct router router = { 0 };
	struct mbuf *m;
	struct rng rng;
	bool lost = false;

	rng_seed(&rng, seed, "conversation");
	for (int round = 0; round < 600; round++) {
		unsigned i = (unsigned)rng_below(&rng, MEMBERS), n = 0;
		enum mcast_mode mode = rng_below(&rng, 3) == 0 ? MCAST_MODE_EXCLUDE :
								 MCAST_MODE_INCLUDE;
		struct ipaddr s[SOURCES];

		for (uint32_t k = 0; k < SOURCES; k++)
			if (rng_below(&rng, 2) == 0)
				s[n++] = ipaddr4(__builtin_bswap32(0x0a000010 + k));
		if (mm[i] == NULL) {
			mm[i] = mcast_join_filter(lan.ifp, &group, mode, s, n);
		} else if (rng_below(&rng, 3) == 0) {
			mcast_leave(mm[i]);
			mm[i] = NULL;
		} else {
			assert_int_equal(mcast_set_filter(mm[i], mode, s, n), 0);
		}
		pass(rng_below(&rng, 4) == 0 ? 5 * NS_PER_SEC : rng_below(&rng, NS_PER_SEC));
		while ((m = mbufq_pop(&lan.sent)) != NULL) {
			size_t len;
			const uint8_t *p = message(m, &len), *end = p + len, *at = p + 8;
			struct record r;

			for (; !lost && at < end; router_record(&router, AF_INET, &r))
				at = record_at(AF_INET, at, end, &r);
			lost = lossy && !lost;
			m_free(m);
		}
		if (lossy && round % 10 != 9)
			continue;
		/* all has been said twice */
		if (lossy) {
			pass(5 * NS_PER_SEC);
			while ((m = mbufq_pop(&lan.sent)) != NULL) {
				size_t len;
				const uint8_t *p = message(m, &len), *end = p + len, *at = p + 8;
				struct record r;

				for (; !lost && at < end; router_record(&router, AF_INET, &r))
					at = record_at(AF_INET, at, end, &r);
				lost = !lost;
				m_free(m);
			}
		}
		for (uint32_t k = 0; k <= SOURCES; k++) {
			const struct ipaddr source = ipaddr4(__builtin_bswap32(0x0a000010 + k));

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

/* Codes from 128 on are a mantissa and an exponent: 0x8f is 31 << 3 tenths. */
static void
test_long_response_times_are_decoded(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	uint64_t latest = 0;

	(void)state;
	quiet();
	for (int i = 0; i < 40; i++) {
		uint64_t start = clock_now(), when;

		query3("0.0.0.0", "", 0x8f, 2, 125);
		pass(60 * NS_PER_SEC);
		when = said("IS_EX 239.1.1.1 {}") - start;
		assert_in_range(when, 1, 24800 * NS_PER_MS);
		latest = when > latest ? when : latest;
	}
	assert_true(latest > 20 * NS_PER_SEC);
	mcast_leave(mm);
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

/* The query's destination is the group, its source none that is included. */
static void
test_queries_pass_the_source_filter(void **state)
{
	struct mcast_member *mm = join_from("232.1.1.1", "10.0.0.5");

	(void)state;
	quiet();
	query3("232.1.1.1", "", 10, 2, 125);
	pass(10 * NS_PER_SEC);
	said("IS_IN 232.1.1.1 {10.0.0.5}");
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

static void
test_without_an_address_reports_come_from_nowhere(void **state)
{
	struct mcast_member *mm;
	size_t len;

	(void)state;
	command("ifconfig mem0 inet 10.0.0.1 -alias");
	mm = join("239.1.1.1");
	(void)message(sent_one_of(1), &len);
	assert_int_equal(frame_ip(sent_one_of(1))->src, 0);
	mcast_leave(mm);
}

static void
test_the_router_alert_can_be_left_out(void **state)
{
	struct mcast_member *mm;

	(void)state;
	command("sysctl net.inet.igmp.sendra=0");
	mm = join("239.1.1.1");
	assert_int_equal(frame_ip(sent_one_of(1))->vhl, 0x45);
	mcast_leave(mm);
}

/* --- what is wrong ---------------------------------------------------------------------------- */

static void
test_every_bad_message_is_a_named_drop(void **state)
{
	static const uint8_t general3[12] = { 0x11, 10, [8] = 2, 125 };
	static const struct {
		const char *drop;
		uint32_t len;
		uint8_t ttl, how;
		uint8_t bytes[16];
	} bad[] = {
		{ "igmp.tooshort", 7, 1, 0, { 0x11, 10 } },
		{ "igmp.badsum", 8, 1, BAD_SUM, { 0x11, 10 } },
		{ "igmp.badttl", 8, 2, 0, { 0x11, 10 } },
		{ "igmp.badquery", 9, 1, 0, { 0x11, 10 } },
		{ "igmp.badquery", 11, 1, 0, { 0x11, 10 } },
		{ "igmp.badquery", 8, 1, 0, { 0x11, 10, 0, 0, 10, 0, 0, 1 } },
		{ "igmp.badquery", 16, 1, 0, { 0x11, 10, [11] = 1 } },
		{ "igmp.tooshort", 15, 1, 0, { 0x11, 10, 0, 0, 239, 1, 1, 1, [11] = 1 } },
		{ "igmp.nora", 8, 1, NO_ALERT, { 0x11, 10 } },
		{ "igmp.nora", 12, 1, NO_ALERT, { 0x11, 10, [8] = 2 } },
		{ "igmp.badreport", 8, 1, 0, { 0x16, 0, 0, 0, 239, 1, 1, 1 } },
		{ "igmp.badreport", 8, 1, 0, { 0x16, 0, 0, 0, 10, 0, 0, 9 } },
	};
	struct mcast_member *mm = join("239.1.1.1");

	(void)state;
	quiet();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = drops(bad[i].drop);

		hear("10.0.0.9", "224.0.0.1", bad[i].ttl, bad[i].how, bad[i].bytes, bad[i].len);
		assert_int_equal(drops(bad[i].drop), before + 1);
	}
	pass(60 * NS_PER_SEC);
	silence();
	/* reports of version 3, leaves and what nobody knows are for others */
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x22\0\0\0\0\0\0\0", 8);
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x17\0\0\0\xef\1\1\1", 8);
	hear("10.0.0.9", "224.0.0.1", 1, 0, "\x99\0\0\0\0\0\0\0", 8);
	silence();
	/* a query by unicast counts (RFC 3376 4.1.12) */
	hear("10.0.0.9", "10.0.0.1", 1, 0, general3, 12);
	pass(10 * NS_PER_SEC);
	said("IS_EX 239.1.1.1 {}");
	mcast_leave(mm);
}

static void
test_netstat_tells_what_was_said_and_heard(void **state)
{
	struct mcast_member *mm = join("239.1.1.1");
	static struct tool t;

	(void)state;
	query3("0.0.0.0", "", 10, 2, 125);
	query3("239.1.1.1", "", 10, 2, 125);
	query3("239.1.1.1", "10.0.0.5", 10, 2, 125);
	hear("10.0.0.9", "224.0.0.1", 2, 0, "\x11\1\0\0\0\0\0\0", 8);
	assert_int_equal(tool(&t, NULL, "netstat -ss -p igmp"), 0);
	assert_string_equal(t.out,
	    "igmp:\n"
	    "\t4 messages received\n"
	    "\t1 message received with wrong TTL\n"
	    "\t3 V3 membership queries received\n"
	    "\t1 general query received\n"
	    "\t1 group query received\n"
	    "\t1 group-source query received\n"
	    "\t1 membership report sent\n");
	mcast_leave(mm);
}

/* Nothing but the seed and the stack's name decides when something is said. */
static void
test_the_same_seed_says_the_same(void **state)
{
	uint64_t when[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tool t;
		uint64_t start;
		struct ifnet *ifp;
		const struct ipaddr g = ip("239.1.1.1");
		struct mcast_member *mm;

		command("jail -c name=same vnet persist");
		command("ifconfig epair5 create");
		command("ifconfig epair5a vnet same");
		command("ifconfig epair5b up");
		command_in("same", "ifconfig epair5a inet 10.5.0.1/24");
		(void)t;
		{
			VNET_SCOPE(vnet_of("same"));
			ifp = if_byname("epair5a");
			mm = mcast_join(ifp, &g);
			start = clock_now();
			while (VNET(igmpstat).snd_reports < 2)
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
		INET_TEST(test_a_join_is_said_byte_for_byte),
		INET_TEST(test_changes_are_said_at_once_and_again_within_a_second),
		INET_TEST(test_a_second_member_is_no_change),
		INET_TEST(test_sources_are_allowed_and_blocked),
		INET_TEST(test_changes_merge_with_what_is_still_to_be_said),
		INET_TEST(test_a_source_outlives_the_reports_of_the_mode),
		INET_TEST(test_groups_share_their_repeats),
		INET_TEST(test_a_group_left_and_joined_again_is_one_conversation),
		INET_TEST(test_local_groups_are_reported_if_wished_and_all_hosts_never),
		INET_TEST(test_a_router_knows_what_the_host_wants),
		INET_TEST(test_a_router_knows_it_although_every_other_report_is_lost),
		INET_TEST(test_a_general_query_is_answered_once_for_all_groups),
		INET_TEST(test_long_response_times_are_decoded),
		INET_TEST(test_a_group_query_is_answered_for_the_group),
		INET_TEST(test_a_query_for_sources_is_answered_for_those_that_are_heard),
		INET_TEST(test_answers_are_combined),
		INET_TEST(test_queries_pass_the_source_filter),
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
		INET_TEST(test_without_an_address_reports_come_from_nowhere),
		INET_TEST(test_the_router_alert_can_be_left_out),
		INET_TEST(test_every_bad_message_is_a_named_drop),
		INET_TEST(test_netstat_tells_what_was_said_and_heard),
		INET_TEST(test_the_same_seed_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
