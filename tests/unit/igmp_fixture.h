/*
 * igmp_fixture.h - tests of what hosts say about IPv4's groups: memberships by text, queries that
 * come in, messages that go out as text.
 */
#ifndef WARREN_TESTS_UNIT_IGMP_FIXTURE_H
#define WARREN_TESTS_UNIT_IGMP_FIXTURE_H

#include "inet_fixture.h"

#include "inet/multicast.h"
#include "mcast_reports.h"

static inline struct mcast_member *
join(const char *group)
{
	const struct ipaddr g = ip(group);
	struct mcast_member *mm = mcast_join(lan.ifp, &g);

	assert_non_null(mm);
	return mm;
}

static inline struct mcast_member *
join_from(const char *group, const char *source)
{
	const struct ipaddr g = ip(group), s = ip(source);
	struct mcast_member *mm = mcast_join_filter(lan.ifp, &g, MCAST_MODE_INCLUDE, &s, 1);

	assert_non_null(mm);
	return mm;
}

/* "10.0.0.5,10.0.0.6" */
static inline void
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

static inline void
pass(uint64_t ns)
{
	sched_run(clock_now() + ns);
}

static inline void
quiet(void)
{
	pass(30 * NS_PER_SEC);
	memif_clear(&lan);
}

/* --- what was said ---------------------------------------------------------------------------- */

/* The message in a frame, whose headers are checked. */
static inline const uint8_t *
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

static inline void
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
static inline uint64_t
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

static inline void
silence(void)
{
	if (lan.sent.head != NULL)
		(void)said("silence");
}

/* --- what is heard ---------------------------------------------------------------------------- */

enum { NO_ALERT = 1, BAD_SUM = 2 };

/* An IGMP message from a router on the link. */
static inline void
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
static inline void
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

static inline void
query2(const char *group, uint8_t tenths)
{
	uint8_t q[8] = { 0x11, tenths };

	store32(q + 4, a4(group));
	hear("10.0.0.9", a4(group) == 0 ? "224.0.0.1" : group, 1, 0, q, 8);
}

static inline void
query1(void)
{
	hear("10.0.0.9", "224.0.0.1", 1, NO_ALERT, "\x11\0\0\0\0\0\0\0", 8);
}

static inline void
report2(const char *group)
{
	uint8_t r[8] = { 0x16 };

	store32(r + 4, a4(group));
	hear("10.0.0.8", group, 1, 0, r, 8);
}

#endif
