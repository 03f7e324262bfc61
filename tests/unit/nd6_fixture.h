/*
 * nd6_fixture.h - Neighbour Discovery's messages for tests: on inet6_fixture.h's stack, from
 * neighbours of lan, and what lan has sent of them.
 */
#ifndef WARREN_TESTS_UNIT_ND6_FIXTURE_H
#define WARREN_TESTS_UNIT_ND6_FIXTURE_H

#include "inet6_fixture.h"

#include "base/log.h"
#include "inet6/nd6_internal.h"
#include "kern/sysctl.h"

static const uint8_t other_mac[6] = { 2, 0, 0, 0, 8, 8 };
static char logged[8192];

__attribute__((unused)) static void
log_keep(void *ctx, enum log_level level, uint64_t now_ns, const char *who, const char *line)
{
	size_t n = strlen(logged);

	(void)ctx, (void)level, (void)now_ns, (void)who;
	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

__attribute__((unused)) static int
nd6_setup(void **state)
{
	logged[0] = '\0';
	log_set_sink(log_keep, NULL);
	return inet6_setup(state);
}

__attribute__((unused)) static int
nd6_teardown(void **state)
{
	log_set_sink(NULL, NULL);
	return inet6_teardown(state);
}

#define ND6_TEST(fn) cmocka_unit_test_setup_teardown(fn, nd6_setup, nd6_teardown)

static inline void
run_for(uint64_t ns)
{
	sched_run(clock_now() + ns);
}

/* Put 8 bytes of an option behind a message, before its sum is made. */
static inline struct mbuf *
with_option(struct mbuf *m, uint8_t type, const uint8_t six[6])
{
	uint8_t *p;

	assert_true(m_tailroom(m) >= 8);
	p = m->data + m->len;
	p[0] = type;
	p[1] = 1;
	memcpy(p + 2, six, 6);
	m->len += 8;
	mtod(m, struct ip6_hdr *)->plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

/* A message with a target; lladdr: its option, or NULL. */
static inline struct mbuf *
nd_message(uint8_t type, uint32_t flags, const char *src, const char *dst, const char *target,
    const uint8_t *lladdr)
{
	struct mbuf *m = message6(src, dst, type, 0, sizeof(struct nd_neighbor) - 8);
	struct nd_neighbor *msg = (void *)(m->data + IP6_HDRLEN);

	mtod(m, struct ip6_hdr *)->hlim = 255;
	msg->icmp.data = to_be32(flags);
	msg->target = wire6(target);
	icmp6_sum_at(m, IP6_HDRLEN);
	if (lladdr == NULL)
		return m;
	return with_option(
	    m, type == ND_NEIGHBOR_SOLICIT_ ? ND_OPT_SOURCE_LL : ND_OPT_TARGET_LL, lladdr);
}

/* "ff02::1:ffXX:XXXX" of an address, as it stands in a packet. */
static inline const char *
solicited_text(const char *target)
{
	static char text[IN6_TEXT];
	struct in6 a = a6(target), group = in6_solicited_node(&a, 0);

	return in6_ntoa(&group, text);
}

/* Neighbour src asks for target. */
static inline void
hear_ns(const char *src, const char *target, const uint8_t *lladdr)
{
	receive6(nd_message(ND_NEIGHBOR_SOLICIT_, 0, src, solicited_text(target), target, lladdr));
}

/* Target says where it is, to our address if solicited, else to all. */
static inline void
hear_na(const char *target, uint32_t flags, const uint8_t *lladdr)
{
	receive6(nd_message(ND_NEIGHBOR_ADVERT_, flags, target,
	    flags & ND_NA_SOLICITED ? "2001:db8::1" : "ff02::1", target, lladdr));
}

/* Send `n` packets to dst; the first byte of each payload is its number. */
static inline void
send6(const char *dst, unsigned n)
{
	struct in6 to = a6(dst);

	for (unsigned i = 0; i < n; i++) {
		struct mbuf *m = m_get(8);

		m->data[0] = (uint8_t)i;
		assert_int_equal(ip6_output(m, &in6_any_, &to, 200, NULL), 0);
	}
}

static inline struct llentry *
entry6(struct memif *mi, const char *text)
{
	struct in6 addr = a6(text);

	in6_embed(&addr, mi->ifp->if_index);
	return lla_find(in6_lltable(mi->ifp), &addr);
}

/* The target of a message that was sent. */
static inline const struct nd_neighbor *
frame_nd(const struct mbuf *m)
{
	assert_non_null(m);
	assert_int_equal(frame_ip6(m)->hlim, 255);
	return (const struct nd_neighbor *)(const void *)frame_icmp6(m);
}

/* The one option of a message of 32 bytes. */
static inline void
assert_option(const struct mbuf *m, uint8_t type, const uint8_t six[6])
{
	const uint8_t *p = (const uint8_t *)(frame_nd(m) + 1);

	assert_int_equal(m->len, ETHER_HDR_LEN_ + IP6_HDRLEN + 32);
	assert_int_equal(p[0], type);
	assert_int_equal(p[1], 1);
	assert_memory_equal(p + 2, six, 6);
}

static inline unsigned
count_sent(const struct memif *mi, uint8_t type)
{
	unsigned n = 0;

	while (sent_icmp6(mi, type, n) != NULL)
		n++;
	return n;
}

/* A neighbour in a state, at peer_mac. */
static inline struct llentry *
neighbour_in(enum nd6_state state, const char *text)
{
	struct in6 addr = a6(text);
	struct llentry *lle;

	in6_embed(&addr, lan.ifp->if_index);
	if (state == ND6_INCOMPLETE) {
		send6(text, 1);
	} else {
		lle = nd6_heard(lan.ifp, &addr, peer_mac, ND6_FROM_NS, false);
		assert_non_null(lle);
	}
	if (state == ND6_REACHABLE)
		hear_na(text, ND_NA_SOLICITED | ND_NA_OVERRIDE, NULL);
	if (state == ND6_DELAY || state == ND6_PROBE)
		send6(text, 1);
	if (state == ND6_PROBE)
		run_for(5 * NS_PER_SEC + NS_PER_MS);
	lle = entry6(&lan, text);
	assert_non_null(lle);
	assert_int_equal(lle->state, state);
	memif_clear(&lan);
	return lle;
}

/* A further address, one that is ready at once. */
static inline void
more_address(const char *text, uint32_t flags)
{
	address6(&lan, text, 64, flags);
	settle6();
}

#endif
