/*
 * sealed_packets.h - tests of who rewrites packets: whole IPv4 packets with right checksums.
 */
#ifndef WARREN_TESTS_UNIT_SEALED_PACKETS_H
#define WARREN_TESTS_UNIT_SEALED_PACKETS_H

#include "inet_fixture.h"

static inline uint16_t
get16(const struct mbuf *m, unsigned at)
{
	return __builtin_bswap16(load16(m->data + at));
}

static inline uint32_t
get32(const struct mbuf *m, unsigned at)
{
	return __builtin_bswap32(load32(m->data + at));
}

static inline void
put16(struct mbuf *m, unsigned at, uint16_t v)
{
	store16(m->data + at, __builtin_bswap16(v));
}

static inline void
put32(struct mbuf *m, unsigned at, uint32_t v)
{
	store32(m->data + at, __builtin_bswap32(v));
}

static inline unsigned
sum_offset(uint8_t proto)
{
	return proto == IPPROTO_TCP_ ? 16 : proto == IPPROTO_UDP_ ? 6 : 2;
}

/* The sum over what is behind the IP header: 0 = right. */
static inline uint16_t
transport_sum(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);
	const uint16_t len = (uint16_t)(m->len - 20);
	const uint64_t pseudo = ip->proto == IPPROTO_ICMP_ ?
	    0 :
	    ip_pseudo_sum(ip->src, ip->dst, ip->proto, len);

	return cksum_fold(cksum_add(pseudo, m->data + 20, len));
}

/* All checksums right. */
static inline struct mbuf *
sealed(struct mbuf *m)
{
	const uint8_t proto = mtod(m, struct ip_hdr *)->proto;

	resum(m);
	if (proto == IPPROTO_TCP_ || proto == IPPROTO_UDP_ || proto == IPPROTO_ICMP_) {
		store16(m->data + 20 + sum_offset(proto), 0);
		store16(m->data + 20 + sum_offset(proto), transport_sum(m));
	}
	return m;
}

static inline void
assert_sealed(const struct mbuf *m)
{
	const struct ip_hdr *ip = mtod(m, const struct ip_hdr *);

	assert_int_equal(ip_cksum(ip), 0);
	assert_int_equal(from_be16(ip->len), m->len);
	if (ip->proto == IPPROTO_TCP_ || ip->proto == IPPROTO_UDP_ || ip->proto == IPPROTO_ICMP_)
		assert_int_equal(transport_sum(m), 0);
}

static inline struct mbuf *
udp_to(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct mbuf *m = packet(a4(src), a4(dst), IPPROTO_UDP_, 8 + 24);

	put16(m, 20, sport);
	put16(m, 22, dport);
	put16(m, 24, 8 + 24);
	return sealed(m);
}

static inline struct mbuf *
tcp_to(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags,
    uint32_t seq, uint32_t ack, const char *payload)
{
	const uint32_t len = (uint32_t)strlen(payload);
	struct mbuf *m = packet(a4(src), a4(dst), IPPROTO_TCP_, 20 + len);

	memset(m->data + 20, 0, 20);
	put16(m, 20, sport);
	put16(m, 22, dport);
	put32(m, 24, seq);
	put32(m, 28, ack);
	m->data[32] = 5 << 4;
	m->data[33] = flags;
	memcpy(m->data + 40, payload, len);
	return sealed(m);
}

/* An ICMP message; behind its header what it quotes, or nothing. */
static inline struct mbuf *
icmp_to(const char *src, const char *dst, uint8_t type, uint16_t id, const struct mbuf *quotes,
    uint32_t quoted)
{
	struct mbuf *m = packet(a4(src), a4(dst), IPPROTO_ICMP_, 8 + quoted);

	memset(m->data + 20, 0, 8);
	m->data[20] = type;
	put16(m, 24, id);
	if (quoted > 0)
		memcpy(m->data + 28, quotes->data, quoted);
	return sealed(m);
}

#endif
