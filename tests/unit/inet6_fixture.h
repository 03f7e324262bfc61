/*
 * inet6_fixture.h - tests of IPv6's floor: inet_fixture.h's stack, whose interface in memory has
 * IPv6 addresses too. Packets are made at their IPv6 header and come in as frames.
 *
 *	lan (mem0)	2001:db8::1/64, fe80::1; neighbours 2001:db8::2, fe80::2
 *	wan (mem1)	2001:db8:1::1/64, fe80::1 (tests that forward open it); neighbour 2001:db8:1::2
 */
#ifndef WARREN_TESTS_UNIT_INET6_FIXTURE_H
#define WARREN_TESTS_UNIT_INET6_FIXTURE_H

#define INET6_TESTS
#include "inet_fixture.h"

#include "inet6/icmp6.h"
#include "inet6/ip6.h"
#include "inet6/nd6.h"

/* Whoever speaks to us on a link has this address; our neighbours do. */
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 9, 9 };

static struct memif wan;

/* "fe80::1%mem0" with its zone. */
static inline struct in6
a6(const char *text)
{
	struct in6 addr;

	assert_true(in6_aton(text, &addr));
	return addr;
}

/* As it stands in a packet. */
static inline struct in6
wire6(const char *text)
{
	struct in6 addr = a6(text);

	in6_clear(&addr);
	return addr;
}

/* An address that is ready at once. */
static inline void
address6(struct memif *mi, const char *addr, unsigned plen, uint32_t flags)
{
	const struct in6_addr_request rq = {
		.addr = a6(addr),
		.plen = plen,
		.flags = IN6_IFF_NODAD | flags,
		.vltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
		.pltime_s = (uint32_t)ND6_INFINITE_LIFETIME,
	};

	assert_int_equal(in6_addr_add(mi->ifp, &rq), 0);
}

/* fe80::1 in place of the address that came by itself. */
static inline void
linklocal6(struct memif *mi)
{
	struct in6_ifaddr *ia;

	while ((ia = in6_linklocal(mi->ifp)) != NULL) {
		struct in6 addr = ia->addr;

		assert_int_equal(in6_addr_delete(mi->ifp, &addr), 0);
	}
	address6(mi, "fe80::1", 64, 0);
}

/* A neighbour that needs no asking. */
static inline void
neighbour6(struct memif *mi, const char *text)
{
	struct in6 addr = a6(text);
	struct llentry *lle;

	in6_embed(&addr, mi->ifp->if_index);
	lle = nd6_entry(mi->ifp, &addr);
	assert_non_null(lle);
	lle_timer(lle, 0, NULL);
	lle->flags |= LLE_STATIC;
	lle->state = ND6_NOSTATE;
	lle_resolve(lle, peer_mac);
}

/* What the interfaces said of themselves (DAD, MLD, solicitations of routers) is over. */
static inline void
settle6(void)
{
	sched_run(clock_now() + 20 * NS_PER_SEC);
	memif_clear(&lan);
	if (wan.ifp != NULL)
		memif_clear(&wan);
}

static inline int
inet6_setup(void **state)
{
	if (inet_setup(state) != 0)
		return -1;
	wan.ifp = NULL;
	linklocal6(&lan);
	address6(&lan, "2001:db8::1", 64, 0);
	neighbour6(&lan, "2001:db8::2");
	neighbour6(&lan, "fe80::2");
	settle6();
	return 0;
}

/* A second interface, and packets go from one to the other. */
static inline void
router6(void)
{
	memif_open(&wan, 1);
	assert_int_equal(if_up(wan.ifp), 0);
	linklocal6(&wan);
	address6(&wan, "2001:db8:1::1", 64, 0);
	neighbour6(&wan, "2001:db8:1::2");
	command("sysctl net.inet6.ip6.forwarding=1");
	settle6();
}

static inline int
inet6_teardown(void **state)
{
	if (wan.ifp != NULL)
		memif_close(&wan);
	return inet_teardown(state);
}

#define INET6_TEST(fn) cmocka_unit_test_setup_teardown(fn, inet6_setup, inet6_teardown)

/*
 * inet_fixture.h's chain with IPv6 beside IPv4: 2001:db8:K::/64 lies between nK, which is ::1, and
 * nK+1, which is ::2.
 */
static inline void
chain6(unsigned n)
{
	char line[160], jail[16], next[16];

	chain(n);
	for (unsigned k = 1; k < n; k++) {
		snprintf(jail, sizeof(jail), "n%u", k);
		snprintf(next, sizeof(next), "n%u", k + 1);
		snprintf(line, sizeof(line), "ifconfig epair%ua inet6 2001:db8:%u::1/64", k, k);
		command_in(jail, line);
		snprintf(line, sizeof(line), "ifconfig epair%ub inet6 2001:db8:%u::2/64", k, k);
		command_in(next, line);
	}
	for (unsigned k = 1; k <= n; k++) {
		snprintf(jail, sizeof(jail), "n%u", k);
		if (k > 1 && k < n)
			command_in(jail, "sysctl net.inet6.ip6.forwarding=1");
		for (unsigned to = 1; to < n; to++) {
			if (to == k || to + 1 == k)
				continue;
			snprintf(line, sizeof(line),
			    "route -6 add 2001:db8:%u::/64 2001:db8:%u::%u", to, to > k ? k : k - 1,
			    to > k ? 2 : 1);
			command_in(jail, line);
		}
	}
	/* duplicate detection, reports of memberships */
	sched_run(clock_now() + 20 * NS_PER_SEC);
}

/* --- packets in ------------------------------------------------------------------------------- */

/* A packet at its IPv6 header: payload bytes count up. */
static inline struct mbuf *
packet6(const char *src, const char *dst, uint8_t nxt, uint32_t payload)
{
	struct mbuf *m = m_get(IP6_HDRLEN + payload);
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	*ip6 = (struct ip6_hdr){
		.flow = to_be32(UINT32_C(6) << 28),
		.plen = to_be16((uint16_t)payload),
		.nxt = nxt,
		.hlim = 64,
		.src = wire6(src),
		.dst = wire6(dst),
	};
	for (uint32_t i = 0; i < payload; i++)
		m->data[IP6_HDRLEN + i] = (uint8_t)(i * 7 + (i >> 8));
	return m;
}

/* Put `len` bytes of headers between the IPv6 header and the rest; bytes[0] is the next header. */
static inline struct mbuf *
with_headers6(struct mbuf *m, uint8_t nxt, const uint8_t *bytes, uint32_t len)
{
	struct ip6_hdr ip6 = *mtod(m, struct ip6_hdr *);

	m_adj(m, IP6_HDRLEN);
	m = m_prepend(m, len + IP6_HDRLEN);
	memcpy(m->data + IP6_HDRLEN, bytes, len);
	m->data[IP6_HDRLEN] = ip6.nxt;
	ip6.nxt = nxt;
	ip6.plen = to_be16((uint16_t)(m->len - IP6_HDRLEN));
	memcpy(m->data, &ip6, sizeof(ip6));
	return m;
}

/* The sum of an ICMPv6 message at offset off. */
static inline void
icmp6_sum_at(struct mbuf *m, unsigned off)
{
	const struct ip6_hdr *ip6 = mtod(m, const struct ip6_hdr *);
	struct icmp6_hdr *icmp = (void *)(m->data + off);
	uint64_t sum = cksum_add(0, &ip6->src, 32);

	icmp->sum = 0;
	sum += (uint64_t)__builtin_bswap32(m->len - off) + (UINT32_C(58) << 24);
	icmp->sum = cksum_fold(cksum_add(sum, icmp, m->len - off));
}

/* An ICMPv6 message, `len` bytes behind its 8. */
static inline struct mbuf *
message6(const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t len)
{
	struct mbuf *m = packet6(src, dst, IPPROTO_ICMPV6_, 8 + len);
	struct icmp6_hdr *icmp = (void *)(m->data + IP6_HDRLEN);

	*icmp = (struct icmp6_hdr){ .type = type, .code = code };
	icmp->echo.id = to_be16(0x1234);
	icmp->echo.seq = to_be16(5);
	icmp6_sum_at(m, IP6_HDRLEN);
	return m;
}

/* The frame comes in by mi. Takes m. */
static inline void
receive6_by(struct memif *mi, struct mbuf *m)
{
	struct in6 dst = mtod(m, struct ip6_hdr *)->dst;
	struct ether_header_ *eh;

	m = m_prepend(m, ETHER_HDR_LEN_);
	eh = mtod(m, struct ether_header_ *);
	memcpy(eh->src, peer_mac, 6);
	memcpy(eh->dst, mi->ifp->if_lladdr, 6);
	if (in6_is_multicast(&dst))
		in6_ether_group(&dst, eh->dst);
	eh->type = to_be16(ETHERTYPE_IPV6_);
	m->when_ns = clock_now();
	memif_receive(mi, m);
	while (netisr_run())
		continue;
}

static inline void
receive6(struct mbuf *m)
{
	receive6_by(&lan, m);
}

/* --- frames out ------------------------------------------------------------------------------- */

static inline struct ip6_hdr *
frame_ip6(const struct mbuf *m)
{
	assert_true(m->len >= ETHER_HDR_LEN_ + IP6_HDRLEN);
	assert_int_equal(load16(m->data + 12), load16(&(be16){ { 0x86, 0xdd } }));
	return (struct ip6_hdr *)(void *)(m->data + ETHER_HDR_LEN_);
}

/* Its ICMPv6 message right behind the IPv6 header, whose sum is right. */
static inline struct icmp6_hdr *
frame_icmp6(const struct mbuf *m)
{
	struct ip6_hdr *ip6 = frame_ip6(m);
	uint64_t sum = cksum_add(0, &ip6->src, 32);

	assert_int_equal(ip6->nxt, IPPROTO_ICMPV6_);
	assert_int_equal(m->len, ETHER_HDR_LEN_ + IP6_HDRLEN + from_be16(ip6->plen));
	sum += (uint64_t)__builtin_bswap32(from_be16(ip6->plen)) + (UINT32_C(58) << 24);
	assert_int_equal(cksum_fold(cksum_add(sum, ip6 + 1, from_be16(ip6->plen))), 0);
	return (struct icmp6_hdr *)(void *)(ip6 + 1);
}

/* The n-th ICMPv6 message of a type that mi has sent; NULL. From 0. */
static inline struct mbuf *
sent_icmp6(const struct memif *mi, uint8_t type, unsigned n)
{
	for (struct mbuf *m = mi->sent.head; m != NULL; m = m->next)
		if (m->len >= 14 + 48 && m->data[12] == 0x86 && frame_ip6(m)->nxt == 58 &&
		    frame_icmp6(m)->type == type && n-- == 0)
			return m;
	return NULL;
}

static inline void
assert_in6(const struct in6 *addr, const char *text)
{
	struct in6 expected = wire6(text);
	char is[IN6_TEXT];

	if (!in6_equal(addr, &expected))
		fail_msg("%s, not %s", in6_ntoa(addr, is), text);
}

#endif
