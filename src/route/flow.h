/*
 * flow.h - the number that all packets of a flow share: what a group of next hops decides by.
 *
 * From addresses, protocol and, where a packet has them, ports (IPv6 without ports: the flow label,
 * RFC 6438). Fragments have no ports but the first, so none of them counts. Kept in m->flowid; the
 * rooms above read it out of headers, `route get` makes it of words.
 */
#ifndef WARREN_ROUTE_FLOW_H
#define WARREN_ROUTE_FLOW_H

#include "base/bytes.h"
#include "base/hash.h"
#include "net/in6addr.h"

/* Do this protocol's headers begin with two ports? TCP, UDP, DCCP, SCTP, UDP-Lite. */
static inline bool
flow_has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

/* Without a secret: the same flow has the same hash in every process. */
static inline uint64_t
flow_mix(uint64_t a, uint64_t b)
{
	return hash_fold(a ^ UINT64_C(0xa0761d6478bd642f), b ^ UINT64_C(0xe7037ed1a0b428db));
}

/* Never 0, which means that nobody has computed it. `rest`: ports as they lie, or a flow label. */
static inline uint32_t
flow_hash4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t rest)
{
	uint64_t h = flow_mix((uint64_t)src << 32 | dst, (uint64_t)proto << 32 | rest);

	return (uint32_t)(h ^ h >> 32) | 1;
}

static inline uint32_t
flow_hash6(const struct in6 *src, const struct in6 *dst, uint8_t proto, uint32_t rest)
{
	uint64_t h = flow_mix(load64(src->b) ^ load64(dst->b + 8), load64(src->b + 8));

	h = flow_mix(h ^ load64(dst->b), (uint64_t)proto << 32 | rest);
	return (uint32_t)(h ^ h >> 32) | 1;
}

#endif
