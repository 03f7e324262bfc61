/*
 * nd6_frames.h - messages of Neighbour Discovery for tests: made from words, found among what was
 * sent.
 */
#ifndef WARREN_TESTS_UNIT_ND6_FRAMES_H
#define WARREN_TESTS_UNIT_ND6_FRAMES_H

#include "inet6_fixture.h"

enum { NA_R = 0x80, NA_S = 0x40, NA_O = 0x20 };

static const uint8_t other_mac[6] = { 2, 0, 0, 0, 7, 7 };

/* Append an option (whole: type, length, …) to a message; its sum follows. */
static inline struct mbuf *
with_nd_option(struct mbuf *m, const void *option, uint32_t len)
{
	struct ip6_hdr *ip6;

	assert_true(m_tailroom(m) >= len);
	memcpy(m->data + m->len, option, len);
	m->len += len;
	ip6 = mtod(m, struct ip6_hdr *);
	ip6->plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

/* Source (1) or target (2) link-layer address. */
static inline struct mbuf *
with_lladdr(struct mbuf *m, uint8_t type, const uint8_t mac[6])
{
	uint8_t option[8] = { type, 1 };

	memcpy(option + 2, mac, 6);
	return with_nd_option(m, option, sizeof(option));
}

/* A message with hop limit 255, `len` zero bytes behind the first 8, which hold `word`. */
static inline struct mbuf *
nd_message(const char *src, const char *dst, uint8_t type, uint32_t word, uint32_t len)
{
	struct mbuf *m = message6(src, dst, type, 0, len);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	mtod(m, struct ip6_hdr *)->hlim = 255;
	icmp->data = to_be32(word);
	memset(icmp + 1, 0, len);
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

/* A solicitation; mac NULL = without a source link-layer address. */
static inline struct mbuf *
solicit(const char *src, const char *dst, const char *target, const uint8_t *mac)
{
	struct mbuf *m = nd_message(src, dst, ND_NEIGHBOR_SOLICIT_, 0, 16);
	struct in6 addr = wire6(target);

	memcpy(m->data + IP6_HDRLEN + 8, &addr, 16);
	icmp6_sum_at(m, IP6_HDRLEN);
	return mac != NULL ? with_lladdr(m, ND_OPT_SOURCE_LL, mac) : m;
}

/* An advertisement; flags NA_…; mac NULL = without a target link-layer address. */
static inline struct mbuf *
advert(const char *src, const char *dst, const char *target, uint8_t flags, const uint8_t *mac)
{
	struct mbuf *m = nd_message(src, dst, ND_NEIGHBOR_ADVERT_, (uint32_t)flags << 24, 16);
	struct in6 addr = wire6(target);

	memcpy(m->data + IP6_HDRLEN + 8, &addr, 16);
	icmp6_sum_at(m, IP6_HDRLEN);
	return mac != NULL ? with_lladdr(m, ND_OPT_TARGET_LL, mac) : m;
}

/* A router's advertisement. */
static inline struct mbuf *
router_advert(const char *src, uint8_t hlim, uint8_t flags, uint16_t lifetime_s,
    uint32_t reachable_ms, uint32_t retrans_ms)
{
	struct mbuf *m = nd_message(src, "ff02::1", ND_ROUTER_ADVERT_,
	    (uint32_t)hlim << 24 | (uint32_t)flags << 16 | lifetime_s, 8);
	const be32 times[2] = { to_be32(reachable_ms), to_be32(retrans_ms) };

	memcpy(m->data + IP6_HDRLEN + 8, times, 8);
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

enum { PI_L = 0x80, PI_A = 0x40 };
static inline struct mbuf *
with_prefix(struct mbuf *m, const char *prefix, uint8_t plen, uint8_t flags, uint32_t valid_s,
    uint32_t preferred_s)
{
	struct {
		uint8_t type, len, plen, flags;
		be32 valid, preferred, reserved;
		struct in6 prefix;
	} option = { ND_OPT_PREFIX, 4, plen, flags, to_be32(valid_s), to_be32(preferred_s),
		{ { 0 } }, wire6(prefix) };

	_Static_assert(sizeof(option) == 32, "wire");
	return with_nd_option(m, &option, sizeof(option));
}

static inline struct mbuf *
with_mtu(struct mbuf *m, uint32_t mtu)
{
	struct {
		uint8_t type, len, reserved[2];
		be32 mtu;
	} option = { ND_OPT_MTU, 1, { 0 }, to_be32(mtu) };

	return with_nd_option(m, &option, sizeof(option));
}

/* A redirect: what goes to dst goes to target. */
static inline struct mbuf *
redirect(const char *src, const char *to, const char *target, const char *dst, const uint8_t *mac)
{
	struct mbuf *m = nd_message(src, to, ND_REDIRECT_, 0, 32);
	struct in6 addr = wire6(target);

	memcpy(m->data + IP6_HDRLEN + 8, &addr, 16);
	addr = wire6(dst);
	memcpy(m->data + IP6_HDRLEN + 24, &addr, 16);
	icmp6_sum_at(m, IP6_HDRLEN);
	return mac != NULL ? with_lladdr(m, ND_OPT_TARGET_LL, mac) : m;
}

/* --- what was sent ---------------------------------------------------------------------------- */

static inline unsigned
count_icmp6(const struct memif *mi, uint8_t type)
{
	unsigned n = 0;

	while (sent_icmp6(mi, type, n) != NULL)
		n++;
	return n;
}

/* The target of a solicitation or advertisement. */
static inline struct in6
frame_target(const struct mbuf *m)
{
	return *(struct in6 *)(void *)(frame_icmp6(m) + 1);
}

/* An option of a message whose fixed part has `fixed` bytes; NULL. */
static inline const uint8_t *
frame_option(const struct mbuf *m, unsigned fixed, uint8_t type)
{
	const uint8_t *p = (const uint8_t *)frame_icmp6(m) + fixed, *end = m->data + m->len;

	for (; p < end && p[1] != 0; p += p[1] * 8)
		if (*p == type)
			return p;
	return NULL;
}

/* The n-th frame of a solicitation for target that mi has sent; NULL. */
static inline struct mbuf *
sent_solicit(const struct memif *mi, const char *target, unsigned n)
{
	const struct in6 wanted = wire6(target);
	struct mbuf *m;

	for (unsigned i = 0; (m = sent_icmp6(mi, ND_NEIGHBOR_SOLICIT_, i)) != NULL; i++) {
		struct in6 is = frame_target(m);

		if (in6_equal(&is, &wanted) && n-- == 0)
			return m;
	}
	return NULL;
}

enum { ANY_PROTO = 200 };

/* A packet of ours to dst; what ip6_output says. */
static inline int
send6(const char *dst)
{
	const struct in6 to = a6(dst);
	struct mbuf *m = m_get(40);

	memset(m->data, 0, 40);
	return ip6_output(m, &in6_any_, &to, ANY_PROTO, NULL);
}

/* How many packets of send6 have left by mi to this link address (NULL = any)? */
static inline unsigned
left_to(const struct memif *mi, const uint8_t *mac)
{
	unsigned n = 0;

	for (const struct mbuf *m = mi->sent.head; m != NULL; m = m->next)
		if (m->data[12] == 0x86 && frame_ip6(m)->nxt == ANY_PROTO &&
		    (mac == NULL || memcmp(m->data, mac, 6) == 0))
			n++;
	return n;
}

static inline void
pass_ms(uint64_t ms)
{
	sched_run(clock_now() + ms * NS_PER_MS);
}

#endif
