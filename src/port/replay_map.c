/*
 * replay_map.c - other addresses for a capture's packets, of both families.
 *
 * Checksums are mended incrementally (RFC 1624), so that a packet that was right stays right and
 * one that was wrong stays wrong. Quoted packets in ICMP errors, ARP and ND messages stay as they
 * are.
 */
#include "port/replay_map.h"

#include "inet/udp.h"
#include "inet6/icmp6.h"

/* sum (as on the wire) after a 32-bit word changed from `old` to `new`: RFC 1624, eqn. 3. */
static uint16_t
cksum_replace32(uint16_t sum, uint32_t old, uint32_t new)
{
	uint64_t s = (uint64_t)(uint16_t)~sum + (uint16_t)~old + (uint16_t) ~(old >> 16) +
	    (uint16_t) new + (uint16_t)(new >> 16);

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint16_t
cksum_replace(uint16_t sum, const uint8_t *old, const uint8_t *new, unsigned len)
{
	for (unsigned i = 0; i < len; i += 4)
		sum = cksum_replace32(sum, load32(old + i), load32(new + i));
	return sum;
}

/* The address of len bytes at p, as the first map that holds it says. True if it is another now. */
static bool
map_address(const struct replay_config *c, int family, const uint8_t *p, unsigned len, uint8_t *to)
{
	for (unsigned k = 0; k < c->nmaps; k++) {
		const struct replay_map *map = &c->map[k];
		bool holds = map->from.family == family;

		for (unsigned i = 0; i < len; i++) {
			unsigned bits = map->plen > 8 * i ? map->plen - 8 * i : 0;
			uint8_t mask = (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);

			holds &= ((p[i] ^ map->from.b[i]) & mask) == 0;
			to[i] = (uint8_t)((map->to.b[i] & mask) | (p[i] & ~mask));
		}
		if (holds)
			return memcmp(p, to, len) != 0;
	}
	return false;
}

/* Where the transport's checksum stands behind its header's begin; 0 = none covers the addresses. */
static unsigned
sum_offset(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP_:
		return 16;
	case IPPROTO_UDP_:
		return 6;
	case IPPROTO_ICMPV6_:
		return 2;
	}
	return 0;
}

/* The transport's checksum covers the addresses. at: where it stands, len: bytes up to the end. */
static void
map_transport(uint8_t *at, bool udp, const uint8_t *old, const uint8_t *new, unsigned addrlen)
{
	uint16_t sum = load16(at);

	if (udp && sum == 0)
		return; /* the sender made none */
	sum = cksum_replace(sum, old, new, addrlen);
	store16(at, udp && sum == 0 ? 0xffff : sum);
}

/* One address of a packet; hlen: bytes before the transport's header, 0 = there is none here. */
static void
map_field(const struct replay_config *c, uint8_t *p, uint32_t len, uint8_t *field, unsigned hlen,
    uint8_t proto)
{
	bool four = p[0] >> 4 == 4;
	unsigned addrlen = four ? 4 : 16, at = sum_offset(proto);
	struct ip_hdr *ip = (struct ip_hdr *)(void *)p;
	uint8_t old[16], new[16];

	if (!map_address(c, four ? AF_INET : AF_INET6, field, addrlen, new))
		return;
	memcpy(old, field, addrlen);
	memcpy(field, new, addrlen);
	if (four)
		ip->sum = cksum_replace(ip->sum, old, new, addrlen);
	if (hlen != 0 && at != 0 && len >= hlen + (at > 8 ? at + 2 : 8))
		map_transport(p + hlen + at, proto == IPPROTO_UDP_, old, new, addrlen);
}

static void
map_packet4(const struct replay_config *c, uint8_t *p, uint32_t len)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)p;
	unsigned hlen = (from_be16(ip->off) & IP_OFFMASK_) == 0 && ip_hlen(ip) >= sizeof(*ip) ?
	    ip_hlen(ip) :
	    0;
	uint8_t proto = ip->proto == IPPROTO_ICMPV6_ ? 0 : ip->proto;

	map_field(c, p, len, p + 12, hlen, proto);
	map_field(c, p, len, p + 16, hlen, proto);
}

static void
map_packet6(const struct replay_config *c, uint8_t *p, uint32_t len)
{
	uint8_t proto = 0;
	int hlen = ip6_upper(p, len, &proto);

	map_field(c, p, len, p + 8, hlen < 0 ? 0 : (unsigned)hlen, proto);
	map_field(c, p, len, p + 24, hlen < 0 ? 0 : (unsigned)hlen, proto);
}

void
replay_map_packet(const struct replay_config *c, uint8_t *p, uint32_t len)
{
	if (c->nmaps == 0 || len == 0)
		return;
	if (p[0] >> 4 == 4 && len >= sizeof(struct ip_hdr))
		map_packet4(c, p, len);
	else if (p[0] >> 4 == 6 && len >= sizeof(struct ip6_hdr))
		map_packet6(c, p, len);
}

bool
replay_is_sound(const uint8_t *p, uint32_t *len)
{
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)p;
	const struct ip6_hdr *ip6 = (const struct ip6_hdr *)(const void *)p;
	uint32_t need;

	if (*len >= sizeof(*ip6) && p[0] >> 4 == 6) {
		need = (uint32_t)sizeof(*ip6) + from_be16(ip6->plen);
	} else {
		if (*len < sizeof(*ip) || ip->vhl >> 4 != 4 || ip_hlen(ip) < sizeof(*ip) ||
		    from_be16(ip->len) < ip_hlen(ip))
			return false;
		need = from_be16(ip->len);
	}
	if (need > *len)
		return false;
	*len = need;
	return true;
}
